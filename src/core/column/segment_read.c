/* Reading a column segment (docs/format/column-segment.md). The footer stays in memory; chunks
 * are pages of the cache, checked once, when they are loaded. What a column's blocks share is
 * loaded with the first of them and kept until the segment is closed. */
#include "core/column/segment.h"

#include "base/hash.h"
#include "core/column/segment_priv.h"
#include "core/filter/bloom.h"

struct open_column {
    struct segment_column c;
    const uint32_t *block_at;
    const struct column_zone *zones; /* blocks + 1 */
    /* Atomic: release by who loaded it, acquire by readers; set once. */
    struct open_shared *shared;
};

struct open_shared {
    struct column_shared *shared;
    char *raw;
};

struct column_segment {
    struct blocks *blocks;
    struct cache *cache;
    struct extent extent;
    uint32_t first;
    struct column_segment_header h;
    char *footer;
    const struct segment_chunk *chunks;
    const uint32_t *first_rows; /* blocks + 1 */
    const uint32_t *fence_ends; /* blocks + 2 */
    const char *fence_keys;
    struct open_column *columns;
};

static enum status corrupted(const struct column_segment *s, uint32_t at, const char *wrong)
{
    char path[256];
    uint64_t offset = ((uint64_t)s->extent.block + s->first + at) * BLOCK_BYTES;
    return FAIL(DATA_CORRUPTED, "invalid column segment in file \"%s\" at offset %llu: %s",
                blocks_path(s->blocks, s->extent.file, path, sizeof path),
                (unsigned long long)offset, wrong);
}

/* An error of what lies in a chunk, told with its place. */
static enum status placed(const struct column_segment *s, uint32_t at, enum status st)
{
    char wrong[160];
    if (st != DATA_CORRUPTED) return st;
    size_t len = strnlen(error_current()->message, sizeof wrong - 1);
    memcpy(wrong, error_current()->message, len);
    wrong[len] = '\0';
    return corrupted(s, at, wrong);
}

static enum status read_blocks(const struct column_segment *s, uint32_t at, uint32_t blocks,
                               void *data)
{
    return blocks_read(s->blocks, s->extent, ((uint64_t)s->first + at) * BLOCK_BYTES, data,
                       (size_t)blocks * BLOCK_BYTES);
}

/* --- opening ---------------------------------------------------------------------------------- */

static const char *check_header(const struct column_segment *s)
{
    const struct column_segment_header *h = &s->h;
    uint32_t room = s->extent.blocks - s->first;
    if (h->magic != COLUMN_SEGMENT_MAGIC) return "it does not begin with a segment header";
    if (crc32c(0, h, offsetof(struct column_segment_header, crc)) != h->crc)
        return "checksum mismatch";
    if (h->version != COLUMN_SEGMENT_VERSION) return "its version is unknown";
    if (h->kind < SEGMENT_COLUMN || h->kind > SEGMENT_COMPRESSED) return "it is of another kind";
    if (!h->rows || h->rows > COLUMN_SEGMENT_ROWS_MAX || !h->blocks || h->blocks > h->rows)
        return "its count is out of range";
    if (h->columns < VERSION_COLUMNS || h->columns > COLUMN_SEGMENT_COLUMNS_MAX + OUR_COLUMNS ||
        h->chunks > h->columns)
        return "the number of its columns is out of range";
    uint64_t footer_blocks = (h->footer_bytes + BLOCK_BYTES - 1ull) / BLOCK_BYTES;
    if (h->footer_bytes > FOOTER_BYTES_MAX || h->disk_blocks > room ||
        h->footer_at + footer_blocks != h->disk_blocks ||
        footer_layout_of(h).fences > h->footer_bytes)
        return "its length is out of range";
    return NULL;
}

/* Does a part of a column lie in its chunk, at a multiple of 8? */
static bool in_chunk(const struct column_segment *s, uint32_t chunk, uint64_t at, uint64_t bytes)
{
    return at % 8 == 0 && at + bytes <= s->chunks[chunk].bytes;
}

static const char *check_column(const struct column_segment *s, const struct open_column *c)
{
    if (!type_get(c->c.type)) return "the type of a column is unknown";
    if (c->c.chunk >= s->h.chunks) return "a chunk is out of range";
    if (!in_chunk(s, c->c.chunk, c->c.shared_at, c->c.shared_bytes) ||
        !in_chunk(s, c->c.chunk, c->c.bloom_at, (uint64_t)c->c.bloom_blocks * BLOOM_BLOCK_BYTES))
        return "a part of a column is out of range";
    for (uint32_t k = 0; k <= s->h.blocks; k++) {
        uint32_t rows = s->first_rows[k < s->h.blocks ? k + 1 : k] -
                        s->first_rows[k < s->h.blocks ? k : 0];
        if (k < s->h.blocks && !in_chunk(s, c->c.chunk, c->block_at[k], 16))
            return "a block is out of range";
        if (c->zones[k].rows != rows || !column_zone_valid(c->c.type, &c->zones[k]))
            return "a zone is out of range";
    }
    return NULL;
}

static const char *check_footer(struct column_segment *s)
{
    const struct column_segment_header *h = &s->h;
    struct footer_layout l = footer_layout_of(h);
    uint64_t key_bytes = h->footer_bytes - l.fences;
    s->chunks = (const void *)(s->footer + l.chunks);
    s->first_rows = (const void *)(s->footer + l.rows);
    s->fence_ends = (const void *)(s->footer + l.fence_ends);
    s->fence_keys = s->footer + l.fences;
    for (uint32_t i = 0; i < h->chunks; i++) {
        const struct segment_chunk *c = &s->chunks[i];
        if (!c->at || c->at > h->footer_at || c->blocks > h->footer_at - c->at || !c->bytes ||
            c->blocks != (c->bytes + BLOCK_BYTES - 1ull) / BLOCK_BYTES)
            return "a chunk is out of range";
    }
    for (uint32_t k = 0; k < h->blocks; k++) {
        uint32_t rows = s->first_rows[k + 1] - s->first_rows[k];
        if (!rows || rows > COLUMN_BLOCK_ROWS) return "a row block is out of range";
    }
    if (s->first_rows[0] || s->first_rows[h->blocks] != h->rows)
        return "a row block is out of range";
    for (uint32_t k = 0; k <= h->blocks; k++)
        if (s->fence_ends[k] > s->fence_ends[k + 1]) return "a fence is out of range";
    if (s->fence_ends[0] || s->fence_ends[h->blocks + 1] != key_bytes)
        return "a fence is out of range";
    for (uint32_t i = 0; i < h->columns; i++) {
        struct open_column *c = &s->columns[i];
        memcpy(&c->c, s->footer + l.columns + i * sizeof c->c, sizeof c->c);
        c->block_at = (const uint32_t *)(const void *)(s->footer + l.blocks) +
                      (size_t)i * h->blocks;
        c->zones = (const struct column_zone *)(const void *)(s->footer + l.zones) +
                   (size_t)i * (h->blocks + 1);
        const char *wrong = check_column(s, c);
        if (wrong) return wrong;
    }
    static const type_id ours[] = {TYPE_INT8, TYPE_INT8, TYPE_BOOL};
    for (uint32_t i = 0; i < VERSION_COLUMNS; i++) {
        const struct segment_column *c = &s->columns[h->columns - VERSION_COLUMNS + i].c;
        if (c->number != COLUMN_BEGIN + i || c->type != ours[i]) return "versions are not told";
    }
    return NULL;
}

static enum status open_parts(struct column_segment *s)
{
    if (s->first >= s->extent.blocks) return corrupted(s, 0, "it is not in the extent");
    char *raw = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, BLOCK_BYTES);
    enum status st = read_blocks(s, 0, 1, raw);
    if (st == OK) memcpy(&s->h, raw, sizeof s->h);
    mem_free(MEM_RUN, raw);
    if (st != OK) return st;
    const char *wrong = check_header(s);
    if (wrong) return corrupted(s, 0, wrong);
    uint32_t blocks = s->h.disk_blocks - s->h.footer_at;
    s->footer = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, (size_t)blocks * BLOCK_BYTES);
    s->columns = mem_alloc(MEM_RUN, s->h.columns * sizeof *s->columns);
    TRY(read_blocks(s, s->h.footer_at, blocks, s->footer));
    if (crc32c(0, s->footer, s->h.footer_bytes) != s->h.footer_crc)
        return corrupted(s, s->h.footer_at, "checksum mismatch");
    wrong = check_footer(s);
    return wrong ? corrupted(s, s->h.footer_at, wrong) : OK;
}

enum status column_segment_open(struct blocks *b, struct cache *c, struct extent e, uint32_t first,
                                struct column_segment **ret)
{
    struct column_segment *s = mem_alloc(MEM_RUN, sizeof *s);
    s->blocks = b;
    s->cache = c;
    s->extent = e;
    s->first = first;
    enum status st = open_parts(s);
    if (st == OK) *ret = s;
    else column_segment_close(s);
    return st;
}

static void free_shared(struct open_shared *o)
{
    if (!o) return;
    column_shared_free(o->shared);
    mem_free(MEM_RUN, o->raw);
    mem_free(MEM_RUN, o);
}

void column_segment_close(struct column_segment *s)
{
    if (!s) return;
    for (uint32_t i = 0; s->columns && i < s->h.columns; i++) free_shared(s->columns[i].shared);
    mem_free(MEM_RUN, s->columns);
    mem_free(MEM_RUN, s->footer);
    mem_free(MEM_RUN, s);
}

/* --- what the footer tells -------------------------------------------------------------------- */

uint64_t column_segment_tree(const struct column_segment *s) { return s->h.tree; }
uint32_t column_segment_rows(const struct column_segment *s) { return s->h.rows; }
uint32_t column_segment_disk_blocks(const struct column_segment *s) { return s->h.disk_blocks; }
uint32_t column_segment_block_count(const struct column_segment *s) { return s->h.blocks; }
uint64_t column_segment_min_ts(const struct column_segment *s) { return s->h.min_ts; }
uint64_t column_segment_max_ts(const struct column_segment *s) { return s->h.max_ts; }

uint32_t column_segment_first_row(const struct column_segment *s, uint32_t block)
{
    ASSERT(block <= s->h.blocks);
    return s->first_rows[block];
}

static struct slice fence(const struct column_segment *s, uint32_t k)
{
    return slice_make(s->fence_keys + s->fence_ends[k], s->fence_ends[k + 1] - s->fence_ends[k]);
}

struct slice column_segment_min_key(const struct column_segment *s) { return fence(s, 0); }
struct slice column_segment_max_key(const struct column_segment *s)
{
    return fence(s, s->h.blocks);
}

uint32_t column_segment_find(const struct column_segment *s, struct slice key)
{
    uint32_t low = 0, high = s->h.blocks; /* the first fence that is not below the key */
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (slice_cmp(fence(s, mid), key) < 0) low = mid + 1;
        else high = mid;
    }
    /* A key's versions may begin in the block before the one that begins with it. */
    return low ? low - 1 : 0;
}

bool column_segment_column(const struct column_segment *s, uint32_t number, uint32_t *ret)
{
    for (uint32_t i = 0; i < s->h.columns; i++)
        if (s->columns[i].c.number == number) {
            *ret = i;
            return true;
        }
    return false;
}

type_id column_segment_type(const struct column_segment *s, uint32_t column)
{
    ASSERT(column < s->h.columns);
    return s->columns[column].c.type;
}

const struct column_zone *column_segment_zones(const struct column_segment *s, uint32_t column)
{
    ASSERT(column < s->h.columns);
    return s->columns[column].zones;
}

const struct column_zone *column_segment_zone(const struct column_segment *s, uint32_t column)
{
    return column_segment_zones(s, column) + s->h.blocks;
}

void column_segment_prune(const struct column_segment *s, uint32_t column,
                          const struct column_test *t, uint64_t *blocks)
{
    const struct column_zone *z = column_segment_zones(s, column);
    type_id type = s->columns[column].c.type;
    bool none = column_zone_test(type, &z[s->h.blocks], t) == COLUMN_MATCH_NONE;
    for (uint32_t k = 0; k < s->h.blocks; k++)
        if (none || column_zone_test(type, &z[k], t) == COLUMN_MATCH_NONE)
            blocks[k / 64] &= ~(1ull << k % 64);
}

/* --- chunks ----------------------------------------------------------------------------------- */

/* The chunk's page, pinned by `pins`. */
static enum status load_chunk(struct column_segment *s, uint32_t chunk, struct page_pins *pins,
                              const char **ret)
{
    const struct segment_chunk *c = &s->chunks[chunk];
    uint64_t key = cache_key(s->extent.file, s->extent.block + s->first + c->at);
    struct cache_page *p = cache_lookup(s->cache, key, true);
    if (!p) {
        p = cache_page_new(s->cache, key, (size_t)c->blocks * BLOCK_BYTES);
        char *raw = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, (size_t)c->blocks * BLOCK_BYTES);
        enum status st = read_blocks(s, c->at, c->blocks, raw);
        if (st == OK && crc32c(0, raw, c->bytes) != c->crc)
            st = corrupted(s, c->at, "checksum mismatch");
        if (st == OK) memcpy(cache_page_data(p), raw, (size_t)c->blocks * BLOCK_BYTES);
        mem_free(MEM_RUN, raw);
        if (st != OK) {
            cache_page_drop(s->cache, p);
            return st;
        }
        p = cache_insert(s->cache, p, true);
    }
    pins->cache = s->cache;
    size_t n = pins->pages.count;
    if (n && pins->pages.data[n - 1] == p) cache_unpin(s->cache, p); /* one pin is enough */
    else ARRAY_PUSH(&pins->pages, p);
    *ret = cache_page_data(p);
    return OK;
}

/* What the column's blocks share; NULL when nothing is. */
static enum status shared_of(struct column_segment *s, struct open_column *c, const char *chunk,
                             const struct column_shared **ret)
{
    *ret = NULL;
    if (!c->c.shared_bytes) return OK;
    struct open_shared *o = __atomic_load_n(&c->shared, __ATOMIC_ACQUIRE), *none = NULL;
    if (!o) {
        o = mem_alloc(MEM_RUN, sizeof *o);
        o->raw = mem_alloc_aligned(MEM_RUN, 64, c->c.shared_bytes);
        memcpy(o->raw, chunk + c->c.shared_at, c->c.shared_bytes);
        enum status st = column_shared_load(c->c.type, slice_make(o->raw, c->c.shared_bytes),
                                            &o->shared);
        if (st != OK) {
            free_shared(o);
            return placed(s, s->chunks[c->c.chunk].at, st);
        }
        if (!__atomic_compare_exchange_n(&c->shared, &none, o, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            free_shared(o); /* another thread was first */
            o = none;
        }
    }
    *ret = o->shared;
    return OK;
}

enum status column_segment_block(struct column_segment *s, uint32_t column, uint32_t block,
                                 struct page_pins *pins, struct arena *a,
                                 struct column_block **ret)
{
    ASSERT(column < s->h.columns && block < s->h.blocks);
    struct open_column *c = &s->columns[column];
    uint32_t at = c->block_at[block], rows = s->first_rows[block + 1] - s->first_rows[block];
    const struct segment_chunk *chunk = &s->chunks[c->c.chunk];
    const struct column_shared *shared;
    const char *data;
    TRY(load_chunk(s, c->c.chunk, pins, &data));
    TRY(shared_of(s, c, data, &shared));
    struct slice raw = {data + at, chunk->bytes - at};
    enum status st = column_open(c->c.type, raw, shared, a, ret);
    if (st != OK) return placed(s, chunk->at, st);
    if (column_rows(*ret) == rows) return OK;
    return corrupted(s, chunk->at, "a block has another number of rows");
}

enum status column_segment_may_contain(struct column_segment *s, uint32_t column,
                                       const struct column_test *t, struct page_pins *pins,
                                       bool *ret)
{
    ASSERT(column < s->h.columns);
    const struct segment_column *c = &s->columns[column].c;
    const char *data;
    *ret = true;
    if (!c->bloom_blocks || (t->op != COLUMN_EQ && t->op != COLUMN_IN)) return OK;
    TRY(load_chunk(s, c->chunk, pins, &data));
    const uint32_t *words = (const uint32_t *)(const void *)(data + c->bloom_at);
    for (uint32_t k = 0; k < t->count; k++)
        if (!t->values[k].null &&
            bloom_may_contain(words, c->bloom_blocks, value_hash(c->type, &t->values[k].v)))
            return OK;
    *ret = false;
    return OK;
}

/* --- versions --------------------------------------------------------------------------------- */

/* mask &= the test, unless the zone knows. */
static enum status narrow(struct column_segment *s, uint32_t column, uint32_t block,
                          enum column_op op, int64_t than, struct page_pins *pins,
                          struct arena *a, uint64_t *mask)
{
    struct datum d = {.v.i64 = than};
    type_id type = s->columns[column].c.type;
    if (type == TYPE_BOOL) d.v = (union value){.b = than};
    struct column_test t = {op, 1, &d};
    enum column_match m = column_zone_test(type, &s->columns[column].zones[block], &t);
    if (m == COLUMN_MATCH_ALL) return OK;
    uint64_t more[MASK_WORDS] = {0};
    if (m == COLUMN_MATCH_SOME) {
        struct column_block *b;
        TRY(column_segment_block(s, column, block, pins, a, &b));
        TRY(placed(s, s->chunks[s->columns[column].c.chunk].at, column_test(b, &t, more)));
    }
    for (uint32_t w = 0; w < MASK_WORDS; w++) mask[w] &= more[w];
    return OK;
}

enum status column_segment_visible(struct column_segment *s, uint32_t block, uint64_t snapshot,
                                   struct page_pins *pins, struct arena *a, uint64_t *mask)
{
    ASSERT(block < s->h.blocks);
    uint32_t ours = s->h.columns - VERSION_COLUMNS; /* begin, end, dead */
    int64_t at = snapshot > INT64_MAX - 1 ? INT64_MAX - 1 : (int64_t)snapshot;
    mask__fill(mask, s->first_rows[block + 1] - s->first_rows[block], true);
    TRY(narrow(s, ours, block, COLUMN_LE, at, pins, a, mask));
    TRY(narrow(s, ours + 1, block, COLUMN_GT, at, pins, a, mask));
    return narrow(s, ours + 2, block, COLUMN_EQ, 0, pins, a, mask);
}

/* --- verifying -------------------------------------------------------------------------------- */

static enum status verify_block(struct column_segment *s, uint32_t column, uint32_t block,
                                struct page_pins *pins, struct arena *a)
{
    struct column_block *b;
    struct vec v;
    struct column_zone z, told = s->columns[column].zones[block];
    uint32_t at = s->chunks[s->columns[column].c.chunk].at;
    TRY(column_segment_block(s, column, block, pins, a, &b));
    TRY(placed(s, at, column_read(b, NULL, column_rows(b), true, a, &v)));
    column_zone_make(s->columns[column].c.type, &v, column_rows(b), &z);
    if (!memcmp(&z, &told, sizeof z)) return OK;
    return corrupted(s, at, "a zone does not fit its values");
}

enum status column_segment_verify(struct column_segment *s)
{
    struct page_pins pins = {0};
    struct arena a;
    enum status st = OK;
    arena_init(&a, MEM_RUN);
    for (uint32_t c = 0; st == OK && c < s->h.columns; c++)
        for (uint32_t k = 0; st == OK && k < s->h.blocks; k++) {
            st = verify_block(s, c, k, &pins, &a);
            arena_clear(&a);
            page_pins_release(&pins);
        }
    arena_release(&a);
    page_pins_free(&pins);
    return st;
}

enum status column_segment_inspect(struct slice bytes, struct strbuf *out)
{
    struct column_segment_header h;
    if (bytes.len < sizeof h) return FAIL(DATA_CORRUPTED, "invalid column segment: it is too short");
    memcpy(&h, bytes.data, sizeof h);
    strbuf_addf(out, "segment of columns, tree %llu\n", (unsigned long long)h.tree);
    strbuf_addf(out, "  rows %u in %u blocks, tombstones %u, columns %u in %u chunks, %llu bytes\n",
                h.rows, h.blocks, h.tombstones, h.columns, h.chunks,
                (unsigned long long)h.disk_blocks * BLOCK_BYTES);
    strbuf_addf(out, "  timestamps %llu to %llu\n", (unsigned long long)h.min_ts,
                (unsigned long long)h.max_ts);
    if (crc32c(0, &h, offsetof(struct column_segment_header, crc)) == h.crc) return OK;
    strbuf_adds(out, "  checksum mismatch\n");
    return FAIL(DATA_CORRUPTED, "invalid column segment: checksum mismatch");
}
