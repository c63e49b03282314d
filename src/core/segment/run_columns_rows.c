/* Rows that lie in the column part of a run alone (docs/design/htap.md): a page of keys, as it is on disk, becomes
 * the page that a run with rows would have. Values of the positions that it spans are decoded column by column, and
 * encoded as rows. */
#include "core/segment/run_columns.h"

#include "core/segment/run_columns_priv.h"

struct filling {
    struct run *run;
    struct segment keys;
    uint64_t first;       /* position of the page's first entry */
    struct page_pins pins;
    struct arena arena;   /* of a block */
    struct strbuf rows;   /* one after another */
    uint32_t *row_ends;   /* of each entry in `rows` */
};

/* The last of n, ascending, that is not above `at`. */
static uint32_t last_from(uint64_t (*first)(const void *of, uint32_t i), const void *of, uint32_t n,
                          uint64_t at)
{
    uint32_t low = 0;
    while (n - low > 1) {
        uint32_t mid = low + (n - low) / 2;
        if (first(of, mid) <= at) low = mid;
        else n = mid;
    }
    return low;
}

static uint64_t segment_first(const void *of, uint32_t i)
{
    return run_column_first(of, i);
}

static uint64_t block_first(const void *of, uint32_t i)
{
    return column_segment_first_row(of, i);
}

/* Rows [from, from + n) of a block: entries from `at` on. */
static enum status add_rows(struct filling *f, struct column_segment *s, uint32_t block, uint32_t from,
                            uint32_t n, uint32_t at)
{
    uint16_t sel[BATCH_ROWS];
    uint32_t columns = 0, place, all = column_segment_first_row(s, block + 1);
    all -= column_segment_first_row(s, block);
    while (column_segment_column(s, columns, &place)) columns++;
    struct vec *vecs = ARENA_ARRAY(&f->arena, struct vec, columns + 1);
    struct datum *values = ARENA_ARRAY(&f->arena, struct datum, columns + 1);
    type_id *types = ARENA_ARRAY(&f->arena, type_id, columns + 1);
    for (uint32_t i = 0; i < n; i++) sel[i] = (uint16_t)(from + i);
    bool some = n < all / 2;
    for (uint32_t c = 0; c < columns && column_segment_column(s, c, &place); c++) {
        struct column_block *b;
        types[c] = column_segment_type(s, place);
        TRY(column_segment_block(s, place, block, &f->pins, &f->arena, &b));
        TRY(column_read(b, some ? sel : NULL, some ? n : all, true, &f->arena, &vecs[c]));
    }
    const struct row_layout *l = row_layout_new(&f->arena, types, (uint16_t)columns);
    for (uint32_t i = 0; i < n; i++) {
        bool tombstone = f->keys.offsets[at + i] & 1;
        for (uint32_t c = 0; c < columns && !tombstone; c++) values[c] = vec_get(&vecs[c], from + i);
        if (!tombstone) row_encode(l, values, &f->rows);
        f->row_ends[at + i] = (uint32_t)f->rows.len;
    }
    return OK;
}

static enum status make_rows(struct filling *f)
{
    struct run *r = f->run;
    uint32_t count = f->keys.h->count;
    for (uint32_t at = 0, n; at < count; at += n) {
        uint64_t position = f->first + at;
        uint32_t i = last_from(segment_first, r, run_column_segments(r), position);
        struct column_segment *s;
        TRY(run_column_segment(r, i, &s));
        uint32_t row = (uint32_t)(position - run_column_first(r, i));
        uint32_t block = last_from(block_first, s, column_segment_block_count(s), row);
        uint32_t from = row - column_segment_first_row(s, block);
        n = column_segment_first_row(s, block + 1) - row;
        if (n > count - at) n = count - at;
        TRY(add_rows(f, s, block, from, n, at));
        if (f->rows.len > SEGMENT_BODY_MAX / 2)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "rows of %zu bytes are too large for a page", f->rows.len);
        page_pins_release(&f->pins);
        arena_clear(&f->arena);
    }
    return OK;
}

/* Keys, rows, and what follows these, in the place of keys alone. */
static struct cache_page *join(const struct filling *f, uint64_t key)
{
    const struct segment *s = &f->keys;
    uint32_t n = s->h->count, at = 0, row = 0;
    size_t start = segment__records_offset(n, s->h->ts_bytes);
    size_t body = s->h->body_bytes + f->rows.len;
    struct cache_page *page = cache_page_new(run__cache(f->run), key, sizeof *s->h + body);
    struct segment_header *h = (struct segment_header *)cache_page_data(page);
    char *records = (char *)(h + 1) + start;
    uint32_t *offsets = (uint32_t *)(void *)((char *)(h + 1) + 4 * (size_t)n);
    memcpy(h, s->h, sizeof *h + start);
    h->body_bytes = (uint32_t)body;
    h->flags &= (uint8_t)~SEGMENT_ROWS_APART;
    for (uint32_t i = 0; i < n; i++) {
        const char *from = s->records + segment__record(s->offsets[i]);
        const char *next = s->records + segment__record(s->offsets[i + 1]);
        struct slice k = segment__key(s, i);
        size_t before = (size_t)(k.data + k.len - from), after = (size_t)(next - k.data - k.len);
        uint32_t len = f->row_ends[i] - row;
        offsets[i] = at << 1 | (s->offsets[i] & (SEGMENT_GAP | 1));
        memcpy(records + at, from, before);
        at += (uint32_t)before;
        if (len) memcpy(records + at, f->rows.data + row, len);
        at += len;
        if (after) memcpy(records + at, k.data + k.len, after);
        at += (uint32_t)after;
        row += len;
    }
    offsets[n] = at << 1;
    return page;
}

enum status columns__fill(struct run *r, uint32_t segment, const void *keys, uint64_t key,
                          struct cache_page **ret)
{
    struct filling f = {.run = r, .keys = segment__view(keys), .first = columns__row_first(r, segment)};
    uint32_t n = f.keys.h->count;
    if (f.first + n != columns__row_first(r, segment + 1))
        return FAIL(DATA_CORRUPTED, "a row segment of tree %llu has not the entries that its run says",
                    (unsigned long long)run_tree(r));
    arena_init(&f.arena, MEM_RUN);
    strbuf_init(&f.rows, NULL);
    f.row_ends = mem_alloc(MEM_RUN, n * sizeof *f.row_ends);
    enum status st = make_rows(&f);
    if (st == OK) *ret = join(&f, key);
    mem_free(MEM_RUN, f.row_ends);
    strbuf_release(&f.rows);
    page_pins_free(&f.pins);
    arena_release(&f.arena);
    return st;
}
