/* Verifying the column part of a run: every block as it is on disk, and every entry against that of the
 * row part. What a row is made of is encoded again from the columns, and must be the same bytes, if it is there. */
#include "core/segment/run_columns.h"

#include "core/segment/run_columns_priv.h"

enum { VERIFY_CACHE_BYTES = 32 << 20 };

struct columns_verify {
    struct run *run;
    struct run_finder rows;
    uint64_t position;
    struct strbuf last_key, row;
    bool any;
    /* The layout of the rows looked at last. */
    struct arena arena;
    const struct row_layout *layout;
    struct datum *values;
    type_id *types;
    uint32_t columns;
};

/* A block, decoded: the columns of rows, then begin, end, dead. */
struct decoded {
    uint32_t rows, columns; /* columns: of rows alone */
    struct vec *vecs;
};

static enum status decode_block(struct column_segment *s, uint32_t block, struct page_pins *pins,
                                struct arena *a, struct decoded *ret)
{
    uint32_t n = 0, at;
    ret->rows = column_segment_first_row(s, block + 1) - column_segment_first_row(s, block);
    while (column_segment_column(s, n, &at) && at == n) n++;
    ret->columns = n;
    ret->vecs = ARENA_ARRAY(a, struct vec, n + 3);
    for (uint32_t i = 0; i < n + 3; i++) {
        struct column_block *b;
        if (i >= n && !column_segment_column(s, COLUMN_BEGIN + (i - n), &at))
            return FAIL(DATA_CORRUPTED, "versions are not told");
        TRY(column_segment_block(s, i < n ? i : at, block, pins, a, &b));
        TRY(column_read(b, NULL, ret->rows, true, a, &ret->vecs[i]));
    }
    return OK;
}

static enum status differs(const struct columns_verify *v, const char *what)
{
    return FAIL(DATA_CORRUPTED, "the columns of tree %llu differ from its rows in %s at position %llu",
                (unsigned long long)run_tree(v->run), what, (unsigned long long)v->position);
}

static void use_layout(struct columns_verify *v, uint32_t n)
{
    if (v->layout && v->layout->column_count == n) return;
    arena_clear(&v->arena);
    v->values = ARENA_ARRAY(&v->arena, struct datum, n + 1);
    v->layout = row_layout_new(&v->arena, v->types, (uint16_t)n);
}

static enum status verify_values(struct columns_verify *v, const struct decoded *d, uint32_t i,
                                 const struct entry *e)
{
    uint32_t n = row_column_count(e->row);
    if (!n || n > d->columns) return differs(v, "the number of columns");
    use_layout(v, n);
    for (uint32_t c = 0; c < n; c++) v->values[c] = vec_get(&d->vecs[c], i);
    strbuf_clear(&v->row);
    row_encode(v->layout, v->values, &v->row);
    return slice_eq(strbuf_slice(&v->row), e->row) ? OK : differs(v, "values");
}

static enum status verify_entry(struct columns_verify *v, const struct decoded *d, uint32_t i)
{
    const uint64_t *within = run_column_within(v->run);
    uint64_t p = v->position;
    struct entry e;
    TRY(run_entry_at(&v->rows, p, &e));
    bool newest = !v->any || !slice_eq(e.key, strbuf_slice(&v->last_key));
    uint64_t ts = run__meta(v->run)->stamped ? 0 : e.ts;
    if ((uint64_t)VEC_DATA(&d->vecs[d->columns], int64_t)[i] != ts) return differs(v, "timestamps");
    if ((VEC_DATA(&d->vecs[d->columns + 2], uint8_t)[i] != 0) != e.tombstone)
        return differs(v, "what was deleted");
    if ((within && within[p / 64] >> p % 64 & 1) != (!newest || e.tombstone))
        return differs(v, "what is the newest");
    if (!e.tombstone && run_form(v->run) == RUN_DUAL) TRY(verify_values(v, d, i, &e));
    v->any = true;
    strbuf_clear(&v->last_key);
    strbuf_add(&v->last_key, e.key.data, e.key.len);
    v->position++;
    return OK;
}

static enum status verify_segment(struct columns_verify *v, struct column_segment *s)
{
    struct page_pins pins = {0};
    struct arena a;
    arena_init(&a, MEM_RUN);
    enum status st = column_segment_verify(s);
    uint32_t at;
    v->types = NULL;
    for (uint32_t k = 0; st == OK && k < column_segment_block_count(s); k++) {
        struct decoded d;
        st = decode_block(s, k, &pins, &a, &d);
        if (st == OK && !v->types) {
            v->layout = NULL;
            v->types = mem_alloc(MEM_RUN, (d.columns + 1) * sizeof *v->types);
            for (uint32_t c = 0; c < d.columns && column_segment_column(s, c, &at); c++)
                v->types[c] = column_segment_type(s, at);
        }
        for (uint32_t i = 0; st == OK && i < d.rows; i++) st = verify_entry(v, &d, i);
        page_pins_release(&pins);
        arena_clear(&a);
    }
    mem_free(MEM_RUN, v->types);
    page_pins_free(&pins);
    arena_release(&a);
    return st;
}

enum status columns__verify(struct run *r)
{
    struct columns_verify v = {.run = r, .rows.run = r};
    struct cache *cache = cache_new(VERIFY_CACHE_BYTES); /* the disk, not what is in memory of it */
    enum status st = OK;
    strbuf_init(&v.last_key, NULL);
    strbuf_init(&v.row, NULL);
    arena_init(&v.arena, MEM_RUN);
    for (uint32_t i = 0; st == OK && i < run_column_segments(r); i++) {
        struct column_segment *s;
        st = run__open_column_segment(r, i, cache, &s);
        if (st != OK) break;
        st = verify_segment(&v, s);
        column_segment_close(s);
    }
    run_finder_end(&v.rows);
    arena_release(&v.arena);
    strbuf_release(&v.last_key);
    strbuf_release(&v.row);
    cache_free(cache);
    return st;
}
