/* The column part of an open run: which column segments it has, from which position on, and positions
 * found by keys, which the row part knows (docs/format/run.md). Column segments are opened when they are
 * first asked for. */
#include "core/segment/run_columns.h"

#include "core/segment/run_columns_priv.h"

struct columns_part {
    struct columns_index index;
    uint64_t entries;
    uint32_t row_segments;
    struct column_place *places;
    struct column_segment **open; /* atomic, each: release by who opened it; set once */
    const uint32_t *row_firsts;
    const uint64_t *within;       /* NULL: no bit is set */
};

static bool ascends(const uint32_t *first, uint32_t n, uint64_t entries)
{
    for (uint32_t i = 0; i < n; i++)
        if (first[i] >= entries || (i ? first[i] <= first[i - 1] : first[i] != 0)) return false;
    return true;
}

const char *columns__open(const void *page, const struct run_meta *m, struct arena *a,
                          struct columns_part **ret)
{
    const struct segment_header *h = page;
    const char *body = (const char *)(h + 1), *at = body + sizeof(struct columns_index);
    struct columns_part *p = ARENA_NEW(a, struct columns_part);
    static const char *const wrong = "the index of its columns is out of range";
    if (h->body_bytes < sizeof p->index || m->entries > COLUMN_ENTRIES_MAX) return wrong;
    memcpy(&p->index, body, sizeof p->index);
    uint64_t n = p->index.segments, words = p->index.has_within ? (m->entries + 63) / 64 : 0;
    uint64_t need = sizeof p->index + n * sizeof *p->places + 4ull * m->segments;
    need = ((need + 7) & ~7ull) + 8 * words;
    if (!n || h->count != n || h->body_bytes != need) return wrong;
    p->entries = m->entries;
    p->row_segments = m->segments;
    p->places = arena_memdup(a, at, n * sizeof *p->places);
    p->row_firsts = arena_memdup(a, at + n * sizeof *p->places, 4ull * m->segments);
    p->open = ARENA_ARRAY(a, struct column_segment *, n);
    if (words) p->within = arena_memdup(a, body + need - 8 * words, 8 * words);
    uint32_t *firsts = ARENA_ARRAY(a, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        firsts[i] = p->places[i].first;
        if (!run_meta__has(m, p->places[i].place)) return wrong;
    }
    if (!ascends(firsts, (uint32_t)n, m->entries) || !ascends(p->row_firsts, m->segments, m->entries))
        return wrong;
    *ret = p;
    return NULL;
}

void columns__close(struct columns_part *p)
{
    for (uint32_t i = 0; p && i < p->index.segments; i++) column_segment_close(p->open[i]);
}

bool run_has_columns(const struct run *r) { return run__columns(r) != NULL; }
uint64_t run_column_bytes(const struct run *r) { return run__meta(r)->column_bytes; }

uint64_t run_column_blocks(const struct run *r)
{
    const struct columns_part *p = run__columns(r);
    return p ? p->index.blocks : 0;
}

uint32_t run_column_segments(const struct run *r)
{
    const struct columns_part *p = run__columns(r);
    return p ? p->index.segments : 0;
}

uint64_t run_column_first(const struct run *r, uint32_t segment)
{
    const struct columns_part *p = run__columns(r);
    return segment < p->index.segments ? p->places[segment].first : p->entries;
}

uint64_t columns__row_first(const struct run *r, uint32_t segment)
{
    const struct columns_part *p = run__columns(r);
    return segment < p->row_segments ? p->row_firsts[segment] : p->entries;
}

const uint64_t *run_column_within(const struct run *r)
{
    return run__columns(r)->within;
}

/* What is opened says as many rows as the index. */
enum status run__open_column_segment(struct run *r, uint32_t i, struct cache *cache,
                                     struct column_segment **ret)
{
    const struct columns_part *p = run__columns(r);
    TRY(run__open_columns(r, &p->places[i], cache, ret));
    uint64_t rows = run_column_first(r, i + 1) - p->places[i].first;
    if (column_segment_rows(*ret) == rows) return OK;
    bool more = column_segment_rows(*ret) > rows;
    column_segment_close(*ret);
    return FAIL(DATA_CORRUPTED, "a column segment of tree %llu has %s rows than its run says",
                (unsigned long long)run_tree(r), more ? "more" : "fewer");
}

enum status run_column_segment(struct run *r, uint32_t segment, struct column_segment **ret)
{
    struct columns_part *p = run__columns(r);
    struct column_segment *none = NULL;
    ASSERT(segment < p->index.segments);
    *ret = __atomic_load_n(&p->open[segment], __ATOMIC_ACQUIRE);
    if (*ret) return OK;
    TRY(run__open_column_segment(r, segment, run__cache(r), ret));
    if (!__atomic_compare_exchange_n(&p->open[segment], &none, *ret, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        column_segment_close(*ret); /* another thread was first */
        *ret = none;
    }
    return OK;
}

uint32_t run__position(const struct run *r, uint32_t row_segment, uint32_t entry)
{
    const struct columns_part *p = run__columns(r);
    return p ? p->row_firsts[row_segment] + entry : POSITION_NONE;
}

/* --- positions -------------------------------------------------------------------------------- */

static enum status enter(struct run_finder *f, uint32_t segment)
{
    if (f->page && f->segment == segment) return OK;
    run_finder_end(f);
    TRY(run__load_keys(f->run, segment, true, &f->page));
    f->segment = segment;
    return OK;
}

/* May the first version of the key be in the page at hand? Then no other is to be searched for. */
static bool is_here(const struct run_finder *f, const struct segment *s, struct slice key)
{
    return f->page && slice_cmp(segment__key(s, 0), key) < 0 &&
           slice_cmp(segment__key(s, s->h->count - 1), key) >= 0;
}

/* The finder then stands in the segment that has it. */
static enum status find(struct run_finder *f, struct slice key, uint32_t *ret)
{
    struct segment s = {0};
    if (f->page) s = segment__view(cache_page_data(f->page));
    uint32_t segment = is_here(f, &s, key) ? f->segment : run__find_segment(f->run, key);
    for (; segment < run__segment_count(f->run); segment++) {
        TRY(enter(f, segment));
        s = segment__view(cache_page_data(f->page));
        *ret = segment__lower_bound(&s, key, UINT64_MAX);
        if (*ret == s.h->count) continue; /* it begins with the next, if it is there */
        return slice_eq(segment__key(&s, *ret), key) ? OK : NOT_FOUND;
    }
    return NOT_FOUND;
}

enum status run_find_position(struct run_finder *f, struct slice key, uint64_t *ret)
{
    uint32_t at;
    enum status st = find(f, key, &at);
    if (st == OK) *ret = run__columns(f->run)->row_firsts[f->segment] + (uint64_t)at;
    return st;
}

enum status run_has_key(struct run_finder *f, struct slice key, bool *ret)
{
    uint32_t at;
    enum status st = find(f, key, &at);
    *ret = st == OK;
    return st == NOT_FOUND ? OK : st;
}

enum status run_entry_at(struct run_finder *f, uint64_t position, struct entry *ret)
{
    const struct columns_part *p = run__columns(f->run);
    ASSERT(position < p->entries);
    uint32_t low = 0, high = p->row_segments; /* the last segment that begins at or before it */
    if (f->page && p->row_firsts[f->segment] <= position) low = f->segment;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (p->row_firsts[mid] <= position) low = mid;
        else high = mid;
    }
    TRY(enter(f, low));
    struct segment s = segment__view(cache_page_data(f->page));
    if (position - p->row_firsts[low] >= s.h->count)
        return FAIL(DATA_CORRUPTED, "a row segment of tree %llu has fewer rows than its run says",
                    (unsigned long long)run_tree(f->run));
    segment__entry(&s, (uint32_t)(position - p->row_firsts[low]), ret);
    run__date(f->run, ret);
    return OK;
}

void run_finder_keep(struct run_finder *f, struct page_pins *pins)
{
    if (!f->page) return;
    pins->cache = run__cache(f->run);
    cache_pin(f->page);
    ARRAY_PUSH(&pins->pages, f->page);
}

void run_finder_end(struct run_finder *f)
{
    if (f->page) cache_unpin(run__cache(f->run), f->page);
    f->page = NULL;
}

/* --- runs without columns --------------------------------------------------------------------- */

uint32_t run_row_segments(const struct run *r)
{
    return run__segment_count(r);
}

enum status run_read_segment(struct run *r, uint32_t segment, struct page_pins *pins, struct arena *a,
                             struct run_rows *ret)
{
    struct cache_page *page;
    struct slice last;
    bool any = run__continues(r, segment, &last);
    TRY(run__load(r, segment, true, &page));
    pins->cache = run__cache(r);
    ARRAY_PUSH(&pins->pages, page);
    struct segment s = segment__view(cache_page_data(page));
    *ret = (struct run_rows){0, ARENA_ARRAY(a, struct entry, s.h->count)};
    for (uint32_t i = 0; i < s.h->count; i++) {
        struct entry e;
        segment__entry(&s, i, &e);
        if (any && slice_eq(e.key, last)) continue;
        any = true;
        last = e.key;
        run__date(r, &e);
        ret->entries[ret->count++] = e;
    }
    return OK;
}
