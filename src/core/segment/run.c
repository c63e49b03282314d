/* An open run: its meta, fences and filter in memory for as long as it is open; row segments come
 * through the block cache. Immutable once open, so threads share it without locks.
 *
 * Fences are searched as 8-byte numbers, the key bytes that follow what all fences have in common,
 * in one array: a few cache lines, and whole keys only among equals. */
#include "core/segment/run.h"

#include <endian.h>

#include "base/hash.h"
#include "core/segment/run_columns_priv.h"
#include "core/segment/run_hidden_priv.h"

/* As on disk, 16 bytes; docs/format/run.md. */
struct fence {
    struct place place;
    uint32_t key; /* twice the offset of the key, plus 1 when it continues the one before */
};
_Static_assert(sizeof(struct fence) == 16, "docs/format/run.md");

struct run {
    struct blocks *blocks;
    struct cache *cache;
    struct arena arena; /* of all below */
    struct run_meta meta;
    uint64_t bytes;
    struct fence *fences; /* meta.segments + 1, the last for its key offset only */
    const char *fence_keys;
    uint64_t *heads; /* of the fences */
    uint32_t common; /* bytes that all fences begin with */
    uint32_t *filter;
    uint32_t filter_blocks;
    uint64_t stamp; /* atomic: of all entries of a stamped run; 0: not told yet */
    struct columns_part *columns; /* NULL: none */
    struct hidden_page *hidden; /* atomic: of each segment; NULL: nothing is known (run_hidden.c) */
};

/* In the cache, the page of a row segment whose rows lie elsewhere, as it is on disk. */
#define KEYS_PAGE (1ull << 63)

static enum status corrupted(const struct run *r, struct place p, const char *what)
{
    char buf[OS_PATH_MAX];
    struct extent e = r->meta.extents[p.extent];
    return FAIL(DATA_CORRUPTED, "invalid segment in file \"%s\" at offset %llu: %s",
                blocks_path(r->blocks, e.file, buf, sizeof buf),
                ((unsigned long long)e.block + p.block) * BLOCK_BYTES, what);
}

/* --- open ------------------------------------------------------------------------------------- */

/* The raw bytes of a segment, checked, on the heap. */
static enum status read_raw(struct run *r, struct place p, enum segment_kind kind, char **ret)
{
    size_t bytes = (size_t)p.blocks * BLOCK_BYTES;
    char *raw = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, bytes);
    enum status s = blocks_read(r->blocks, r->meta.extents[p.extent],
                                (uint64_t)p.block * BLOCK_BYTES, raw, bytes);
    const char *wrong = s == OK ? segment__check(slice_make(raw, bytes), kind) : NULL;
    const struct segment_header *h = (const struct segment_header *)raw;
    if (s == OK && !wrong && h->tree != r->meta.tree) wrong = "it belongs to another tree";
    if (wrong) s = corrupted(r, p, wrong);
    if (s == OK) *ret = raw;
    else mem_free(MEM_RUN, raw);
    return s;
}

/* A segment that stays in memory, in the run's arena. */
static enum status read_resident(struct run *r, struct place p, enum segment_kind kind,
                                 struct segment_header **ret)
{
    char *raw;
    TRY(read_raw(r, p, kind, &raw));
    size_t bytes = (size_t)p.blocks * BLOCK_BYTES;
    size_t need = segment__page_bytes((struct segment_header *)raw);
    struct segment_header *page = arena_alloc_aligned(&r->arena, need, 64);
    const char *wrong = segment__unpack(slice_make(raw, bytes), page);
    mem_free(MEM_RUN, raw);
    if (wrong) return corrupted(r, p, wrong);
    *ret = page;
    return OK;
}

static struct slice fence_key(const struct run *r, uint32_t i)
{
    uint32_t at = r->fences[i].key >> 1;
    return slice_make(r->fence_keys + at, (r->fences[i + 1].key >> 1) - at);
}

static uint64_t head_of(struct slice key, size_t from)
{
    uint64_t word = 0;
    size_t n = key.len > from ? key.len - from : 0;
    if (n) memcpy(&word, key.data + from, n < 8 ? n : 8);
    return be64toh(word);
}

static enum status open_fences(struct run *r)
{
    struct segment_header *h;
    struct run_meta *m = &r->meta;
    TRY(read_resident(r, m->fences, SEGMENT_FENCES, &h));
    const char *body = (const char *)(h + 1);
    uint64_t start = (uint64_t)m->segments * sizeof(struct fence) + sizeof(uint32_t);
    if (h->count != m->segments || h->body_bytes < start)
        return corrupted(r, m->fences, "its entry count is out of range");
    r->fences = arena_alloc(&r->arena, (m->segments + (size_t)1) * sizeof *r->fences);
    memcpy(r->fences, body, m->segments * sizeof *r->fences);
    r->fences[m->segments] = (struct fence){0};
    memcpy(&r->fences[m->segments].key, body + start - sizeof(uint32_t), sizeof(uint32_t));
    r->fence_keys = body + start;
    uint64_t end = h->body_bytes - start;
    for (uint32_t i = 0; i < m->segments; i++) {
        uint32_t at = r->fences[i].key >> 1, next = r->fences[i + 1].key >> 1;
        if (next < at || next > end || !run_meta__has(m, r->fences[i].place))
            return corrupted(r, m->fences, "an offset is out of range");
    }
    struct slice first = fence_key(r, 0), last = fence_key(r, m->segments - 1);
    while (r->common < first.len && r->common < last.len &&
           first.data[r->common] == last.data[r->common])
        r->common++;
    r->heads = ARENA_ARRAY(&r->arena, uint64_t, m->segments);
    for (uint32_t i = 0; i < m->segments; i++) r->heads[i] = head_of(fence_key(r, i), r->common);
    return OK;
}

static enum status open_filter(struct run *r)
{
    struct segment_header *h;
    if (!r->meta.filter.blocks) return OK;
    TRY(read_resident(r, r->meta.filter, SEGMENT_FILTER, &h));
    if (!h->count || (uint64_t)h->count * BLOOM_BLOCK_BYTES != h->body_bytes)
        return corrupted(r, r->meta.filter, "its entry count is out of range");
    r->filter = (uint32_t *)(h + 1);
    r->filter_blocks = h->count;
    return OK;
}

static enum status open_columns(struct run *r)
{
    struct segment_header *h;
    if (!r->meta.columns.blocks) return OK;
    TRY(read_resident(r, r->meta.columns, SEGMENT_COLUMNS, &h));
    const char *wrong = columns__open(h, &r->meta, &r->arena, &r->columns);
    return wrong ? corrupted(r, r->meta.columns, wrong) : OK;
}

enum status run_open(struct blocks *b, struct cache *c, struct slice meta, struct run **ret)
{
    struct run *r = mem_alloc(MEM_RUN, sizeof *r);
    r->blocks = b;
    r->cache = c;
    arena_init(&r->arena, MEM_RUN);
    enum status s = run_meta__decode(slice_dup(&r->arena, meta), &r->arena, &r->meta);
    if (s == OK) s = open_fences(r);
    if (s == OK) s = open_filter(r);
    if (s == OK) s = open_columns(r);
    if (s != OK) {
        run_close(r);
        return s;
    }
    if (r->meta.stamped) r->stamp = r->meta.max_ts;
    for (uint32_t i = 0; i < r->meta.extent_count; i++)
        r->bytes += (uint64_t)r->meta.extents[i].blocks * BLOCK_BYTES;
    *ret = r;
    return OK;
}

void run_close(struct run *r)
{
    if (!r) return;
    columns__close(r->columns);
    run_hidden__free(r->hidden, r->meta.segments);
    arena_release(&r->arena);
    mem_free(MEM_RUN, r);
}

static bool rows_apart(const struct run *r) { return r->meta.form >= RUN_COLUMN; }

void run_destroy(struct run *r)
{
    for (uint32_t i = 0; i < r->meta.extent_count; i++) {
        struct extent e = r->meta.extents[i];
        uint64_t first = cache_key(e.file, e.block), last = first + e.blocks - 1;
        cache_forget(r->cache, first, last);
        if (rows_apart(r)) cache_forget(r->cache, first | KEYS_PAGE, last | KEYS_PAGE);
        blocks_free(r->blocks, e);
    }
    run_close(r);
}

enum run_form run_form(const struct run *r) { return r->columns ? r->meta.form : RUN_ROWS; }
uint64_t run_tree(const struct run *r) { return r->meta.tree; }
uint64_t run_entry_count(const struct run *r) { return r->meta.entries; }
uint64_t run_tombstone_count(const struct run *r) { return r->meta.tombstones; }
uint64_t run_bytes(const struct run *r) { return r->bytes; }
struct slice run_min_key(const struct run *r) { return r->meta.min_key; }
struct slice run_max_key(const struct run *r) { return r->meta.max_key; }
uint64_t run_key_count(const struct run *r) { return r->meta.keys; }

static uint64_t stamp_of(const struct run *r)
{
    return __atomic_load_n(&r->stamp, __ATOMIC_ACQUIRE);
}

uint64_t run_min_ts(const struct run *r) { return r->meta.stamped ? stamp_of(r) : r->meta.min_ts; }
uint64_t run_max_ts(const struct run *r) { return r->meta.stamped ? stamp_of(r) : r->meta.max_ts; }

void run_stamp(struct run *r, uint64_t ts)
{
    ASSERT(r->meta.stamped);
    __atomic_store_n(&r->stamp, ts, __ATOMIC_RELEASE);
}

void run__date(const struct run *r, struct entry *e)
{
    if (r->meta.stamped) e->ts = stamp_of(r);
}

struct hidden_page *run__hidden_known(const struct run *r)
{
    return __atomic_load_n(&r->hidden, __ATOMIC_ACQUIRE);
}

struct hidden_page *run__hidden(struct run *r)
{
    struct hidden_page *pages = run__hidden_known(r), *none = NULL;
    if (pages) return pages;
    pages = mem_alloc(MEM_RUN, r->meta.segments * sizeof *pages);
    if (__atomic_compare_exchange_n(&r->hidden, &none, pages, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return pages;
    mem_free(MEM_RUN, pages);
    return none;
}

uint32_t run__segment_count(const struct run *r) { return r->meta.segments; }
struct columns_part *run__columns(const struct run *r) { return r->columns; }
const struct run_meta *run__meta(const struct run *r) { return &r->meta; }

bool run__continues(const struct run *r, uint32_t segment, struct slice *ret_key)
{
    *ret_key = fence_key(r, segment);
    return r->fences[segment].key & 1;
}

enum status run__open_columns(struct run *r, const struct column_place *p, struct cache *cache,
                              struct column_segment **ret)
{
    struct place at = p->place;
    TRY(column_segment_open(r->blocks, cache, r->meta.extents[at.extent], at.block, ret));
    const char *wrong = NULL;
    if (column_segment_tree(*ret) != r->meta.tree) wrong = "it belongs to another tree";
    else if (column_segment_disk_blocks(*ret) != at.blocks) wrong = "its length is out of range";
    if (!wrong) return OK;
    column_segment_close(*ret);
    return corrupted(r, at, wrong);
}
struct cache *run__cache(const struct run *r) { return r->cache; }

/* --- reading ---------------------------------------------------------------------------------- */

enum { LINE_BYTES = 64, LINES_AHEAD = 16 };

/* What a search in a page begins with: the header, and heads behind it. All at once, since each step of the
 * search waits for the one before. */
static void touch(struct cache_page *page)
{
    const char *at = cache_page_data(page);
    for (int i = 0; i < LINES_AHEAD; i++) __builtin_prefetch(at + i * LINE_BYTES);
}

/* Decodes what was read of a row segment; NULL, or what is wrong. */
static const char *unpack_rows(const struct run *r, struct slice raw, void *page)
{
    const char *wrong = segment__unpack(raw, page);
    const struct segment_header *h = page;
    bool apart = h->flags & SEGMENT_ROWS_APART;
    return !wrong && apart != rows_apart(r) ? "its rows are not where its run says" : wrong;
}

/* As it is on disk. */
static enum status read_page(struct run *r, struct place p, uint64_t key, struct cache_page **ret)
{
    char *raw;
    TRY(read_raw(r, p, SEGMENT_ROWS, &raw));
    const struct segment_header *h = (const struct segment_header *)raw;
    *ret = cache_page_new(r->cache, key, segment__page_bytes(h));
    const char *wrong = unpack_rows(r, slice_make(raw, (size_t)p.blocks * BLOCK_BYTES),
                                    cache_page_data(*ret));
    mem_free(MEM_RUN, raw);
    if (!wrong) return OK;
    cache_page_drop(r->cache, *ret);
    *ret = NULL; /* who asked keeps nothing */
    return corrupted(r, p, wrong);
}

static uint64_t page_key(const struct run *r, uint32_t segment)
{
    struct place p = r->fences[segment].place;
    struct extent e = r->meta.extents[p.extent];
    return cache_key(e.file, e.block + p.block);
}

enum status run__load_keys(struct run *r, uint32_t segment, bool for_scan, struct cache_page **ret)
{
    if (!rows_apart(r)) return run__load(r, segment, for_scan, ret);
    uint64_t key = page_key(r, segment) | KEYS_PAGE;
    if ((*ret = cache_lookup(r->cache, key, for_scan))) return OK;
    TRY(read_page(r, r->fences[segment].place, key, ret));
    *ret = cache_insert(r->cache, *ret, for_scan);
    return OK;
}

/* Rows that lie in the column part are put into the page. */
static enum status make_page(struct run *r, uint32_t segment, uint64_t key, struct cache_page **ret)
{
    struct cache_page *keys;
    TRY(run__load_keys(r, segment, true, &keys));
    enum status st = columns__fill(r, segment, cache_page_data(keys), key, ret);
    cache_unpin(r->cache, keys);
    return st;
}

enum status run__load(struct run *r, uint32_t segment, bool for_scan, struct cache_page **ret)
{
    uint64_t key = page_key(r, segment);
    if ((*ret = cache_lookup(r->cache, key, for_scan))) return OK;
    if (rows_apart(r)) TRY(make_page(r, segment, key, ret));
    else TRY(read_page(r, r->fences[segment].place, key, ret));
    *ret = cache_insert(r->cache, *ret, for_scan);
    return OK;
}

uint32_t run__find_segment(const struct run *r, struct slice key)
{
    uint32_t n = r->meta.segments;
    struct slice first = fence_key(r, 0);
    size_t same = key.len < r->common ? key.len : r->common;
    int c = same ? memcmp(key.data, first.data, same) : 0;
    if (c < 0 || (c == 0 && key.len < r->common)) return 0;
    uint64_t head = c > 0 ? UINT64_MAX : head_of(key, r->common);
    uint32_t low = 0;
    for (uint32_t len = n; len > 1;) { /* first head at or above */
        uint32_t half = len / 2;
        low += r->heads[low + half - 1] < head ? half : 0;
        len -= half;
    }
    low += r->heads[low] < head;
    uint32_t high = n;
    while (low < high) { /* the first fence at or above, among equal heads */
        uint32_t mid = low + (high - low) / 2;
        if (r->heads[mid] > head || slice_cmp(fence_key(r, mid), key) >= 0) high = mid;
        else low = mid + 1;
    }
    /* A fence that is the key itself may begin its versions, unless these began before. */
    bool at = low < n && !(r->fences[low].key & 1) && slice_eq(fence_key(r, low), key);
    return at || !low ? low : low - 1;
}

bool run_may_contain(const struct run *r, struct slice key, uint64_t key_hash)
{
    if (r->filter && !bloom_may_contain(r->filter, r->filter_blocks, key_hash)) return false;
    return slice_cmp(key, r->meta.min_key) >= 0 && slice_cmp(key, r->meta.max_key) <= 0;
}

bool run_filter_allows(const struct run *r, uint64_t key_hash)
{
    return !r->filter || bloom_may_contain(r->filter, r->filter_blocks, key_hash);
}

void run_filter_ahead(const struct run *r, uint64_t key_hash)
{
    if (r->filter) __builtin_prefetch(bloom_block(r->filter, r->filter_blocks, key_hash));
}

uint64_t run_key_hash(struct slice key)
{
    return hash_bytes(key.data, key.len);
}

enum status run_get(struct run *r, struct slice key, uint64_t key_hash, uint64_t max_ts,
                    struct page_pins *pins, struct entry *ret)
{
    return run_get_placed(r, key, key_hash, max_ts, pins, ret, NULL);
}

enum status run_get_placed(struct run *r, struct slice key, uint64_t key_hash, uint64_t max_ts,
                           struct page_pins *pins, struct entry *ret, uint32_t *ret_position)
{
    if (max_ts < run_min_ts(r) || !run_may_contain(r, key, key_hash)) return NOT_FOUND;
    struct cache_page *page;
    /* The versions of a key may go over several segments. */
    for (uint32_t i = run__find_segment(r, key);; i++) {
        TRY(run__load(r, i, false, &page));
        touch(page);
        struct segment s = segment__view(cache_page_data(page));
        uint32_t at = segment__find(&s, key, max_ts);
        if (at < s.h->count) {
            if (!slice_eq(segment__key(&s, at), key)) break;
            segment__entry(&s, at, ret);
            run__date(r, ret);
            if (ret_position) *ret_position = run__position(r, i, at);
            if (pins->pages.count && ARRAY_LAST(&pins->pages) == page) {
                cache_unpin(r->cache, page);
            } else {
                pins->cache = r->cache;
                ARRAY_PUSH(&pins->pages, page);
            }
            return OK;
        }
        if (i + 1 == r->meta.segments || slice_cmp(fence_key(r, i + 1), key) > 0) break;
        cache_unpin(r->cache, page);
    }
    cache_unpin(r->cache, page);
    return NOT_FOUND;
}

/* --- the rest --------------------------------------------------------------------------------- */

void run_split_keys(const struct run *r, uint32_t parts, struct arena *a, struct slice *ret_keys,
                    uint32_t *ret_count)
{
    uint32_t count = 0, n = r->meta.segments;
    if (parts > n) parts = n;
    for (uint32_t i = 1; i < parts; i++) {
        struct slice key = fence_key(r, (uint32_t)((uint64_t)n * i / parts));
        if (count && slice_eq(ret_keys[count - 1], key)) continue;
        ret_keys[count++] = slice_dup(a, key);
    }
    *ret_count = count;
}

/* What the checks of a single segment cannot see: order, fences, filter, counts. */
struct verify {
    uint64_t entries, tombstones, last_ts;
    struct strbuf last_key;
};

static const char *verify_segment(const struct run *r, struct verify *v, uint32_t segment,
                                  const void *page)
{
    struct segment s = segment__view(page);
    struct slice fence = fence_key(r, segment);
    for (uint32_t i = 0; i < s.h->count; i++) {
        struct entry e;
        segment__entry(&s, i, &e);
        int c = v->entries ? slice_cmp(strbuf_slice(&v->last_key), e.key) : -1;
        if (c > 0 || (c == 0 && v->last_ts <= e.ts)) return "its entries are out of order";
        if (i && c == 0 && s.h->flags & SEGMENT_EACH_KEY_ONCE) return "a key is twice in it";
        if (i == 0 && slice_cmp(fence, e.key) > 0) return "its first key is below its fence";
        if (i == 0 && v->entries && c < 0 && slice_cmp(strbuf_slice(&v->last_key), fence) >= 0)
            return "its fence does not part it from the one before";
        if (r->meta.stamped ? e.ts != 0 : e.ts < r->meta.min_ts || e.ts > r->meta.max_ts)
            return "a timestamp is out of range";
        if (segment__lower_bound(&s, e.key, e.ts) != i) return "an entry is not found by its key";
        if (!run_may_contain(r, e.key, run_key_hash(e.key))) return "a key is not in the filter";
        if (c) {
            strbuf_clear(&v->last_key);
            strbuf_add(&v->last_key, e.key.data, e.key.len);
        }
        v->last_ts = e.ts;
        v->entries++;
        v->tombstones += e.tombstone;
    }
    return NULL;
}

static enum status verify_all(struct run *r, struct verify *v)
{
    for (uint32_t i = 0; i < r->meta.segments; i++) {
        struct place p = r->fences[i].place;
        char *raw;
        TRY(read_raw(r, p, SEGMENT_ROWS, &raw)); /* the disk, not the cache */
        void *page = mem_alloc(MEM_RUN, segment__page_bytes((struct segment_header *)raw));
        const char *wrong = unpack_rows(r, slice_make(raw, p.blocks * (size_t)BLOCK_BYTES), page);
        if (!wrong) wrong = verify_segment(r, v, i, page);
        mem_free(MEM_RUN, page);
        mem_free(MEM_RUN, raw);
        if (wrong) return corrupted(r, p, wrong);
    }
    if (v->entries != r->meta.entries || v->tombstones != r->meta.tombstones)
        return corrupted(r, r->meta.fences, "the run's entry count is wrong");
    struct place resident[] = {r->meta.fences, r->meta.filter, r->meta.columns};
    static const enum segment_kind kinds[] = {SEGMENT_FENCES, SEGMENT_FILTER, SEGMENT_COLUMNS};
    for (unsigned i = 0; i < 3; i++) { /* again, as they are on disk now */
        char *raw;
        if (!resident[i].blocks) continue;
        TRY(read_raw(r, resident[i], kinds[i], &raw));
        mem_free(MEM_RUN, raw);
    }
    return r->columns ? columns__verify(r) : OK;
}

enum status run_verify(struct run *r)
{
    struct verify v = {0};
    strbuf_init(&v.last_key, NULL);
    enum status s = verify_all(r, &v);
    strbuf_release(&v.last_key);
    return s;
}
