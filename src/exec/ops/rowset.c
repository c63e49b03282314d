#include "exec/ops/rowset.h"

enum { FIRST_CHUNK_ROWS = 64, CHECK_ROWS = 1 << 14 };

void rowset_init(struct rowset *s, uint16_t columns, const type_id *types, struct arena *a)
{
    *s = (struct rowset){.arena = a, .bytes = a, .column_count = columns, .types = types};
}

static void make_chunk(struct rowset *s, struct batch *b, uint32_t rows)
{
    *b = (struct batch){.column_count = s->column_count};
    b->columns = ARENA_ARRAY(s->arena, struct vec, s->column_count + 1);
    for (uint32_t c = 0; c < s->column_count; c++)
        vec_init_flat_rows(&b->columns[c], s->types[c], rows, s->arena);
    s->last_cap = rows;
}

/* Small sets stay small: the first chunk grows by copying. */
static struct batch *room(struct rowset *s)
{
    struct batch *last = s->chunk_count ? &s->chunks[s->chunk_count - 1] : NULL;
    if (last && last->rows < s->last_cap) return last;
    if (last && s->last_cap < BATCH_ROWS) {
        struct batch old = *last;
        make_chunk(s, last, s->last_cap * 4 > BATCH_ROWS ? BATCH_ROWS : s->last_cap * 4);
        for (uint32_t c = 0; c < s->column_count; c++)
            vec_gather(&last->columns[c], 0, &old.columns[c], NULL, old.rows, NULL);
        last->rows = last->count = old.rows;
        return last;
    }
    if (s->chunk_count == s->chunk_cap) {
        uint32_t cap = s->chunk_cap ? s->chunk_cap * 2 : 4;
        struct batch *grown = arena_alloc(s->arena, cap * sizeof *grown);
        if (s->chunk_count) memcpy(grown, s->chunks, s->chunk_count * sizeof *grown);
        s->chunks = grown;
        s->chunk_cap = cap;
    }
    last = &s->chunks[s->chunk_count++];
    make_chunk(s, last, s->chunk_count == 1 ? FIRST_CHUNK_ROWS : BATCH_ROWS);
    return last;
}

void rowset_add_batch(struct rowset *s, const struct batch *b)
{
    uint32_t done = 0;
    uint16_t all[BATCH_ROWS];
    const uint16_t *sel = b->sel;
    if (!sel) {
        for (uint32_t i = 0; i < b->count; i++) all[i] = (uint16_t)i;
        sel = all;
    }
    while (done < b->count) {
        struct batch *to = room(s);
        uint32_t n = s->last_cap - to->rows;
        if (n > b->count - done) n = b->count - done;
        for (uint32_t c = 0; c < s->column_count; c++)
            vec_gather(&to->columns[c], to->rows, &b->columns[c], sel + done, n, s->bytes);
        to->rows += n;
        to->count = to->rows;
        s->count += n;
        done += n;
    }
}

void rowset_add_row(struct rowset *s, const struct datum *row)
{
    struct batch *to = room(s);
    for (uint32_t c = 0; c < s->column_count; c++)
        vec_set(&to->columns[c], to->rows, datum_copy(s->bytes, s->types[c], row[c]));
    to->rows++;
    to->count = to->rows;
    s->count++;
}

/* The nulls of `src` at rows [at, at + n) of `dst`, where at is a multiple of 64. */
static void append_nulls(struct vec *dst, uint64_t at, const struct vec *src, uint32_t n)
{
    memcpy(dst->nulls + at / 64, src->nulls, (n + 63) / 64 * sizeof *dst->nulls);
}

enum status rowset_columns(const struct rowset *s, struct execution *x, struct arena *a,
                           const struct vec **ret)
{
    if (s->chunk_count == 1) {
        *ret = s->chunks[0].columns;
        return OK;
    }
    struct vec *columns = ARENA_ARRAY(a, struct vec, s->column_count + 1);
    for (uint32_t c = 0; c < s->column_count; c++) {
        struct vec *to = &columns[c];
        vec_init_flat_rows(to, s->types[c], (uint32_t)s->count, a);
        for (uint32_t k = 0; k < s->chunk_count; k++) {
            const struct batch *chunk = &s->chunks[k];
            uint64_t at = (uint64_t)k * BATCH_ROWS;
            TRY(exec_check_canceled(x));
            memcpy((char *)to->data + at * to->width, chunk->columns[c].data,
                   (size_t)chunk->rows * to->width);
            append_nulls(to, at, &chunk->columns[c], chunk->rows);
        }
    }
    *ret = columns;
    return OK;
}

#define GATHER(ctype)                                                                              \
    for (uint32_t i = 0; i < count; i++)                                                           \
        VEC_DATA(to, ctype)[i] =                                                                   \
            VEC_DATA(&s->chunks[rows[i] / BATCH_ROWS].columns[column], ctype)[rows[i] % BATCH_ROWS]

static void gather_column(const struct rowset *s, const uint32_t *rows, uint32_t count,
                          uint32_t column, struct vec *to)
{
    struct wide {
        uint64_t w[2];
    };
    switch (to->width) {
    case 1: GATHER(uint8_t); break;
    case 2: GATHER(uint16_t); break;
    case 4: GATHER(uint32_t); break;
    case 8: GATHER(uint64_t); break;
    default: GATHER(struct wide); break;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t r = rows[i] % BATCH_ROWS;
        if (nulls_get(s->chunks[rows[i] / BATCH_ROWS].columns[column].nulls, r))
            nulls_set(to->nulls, i);
        else nulls_clear(to->nulls, i);
    }
}

void rowset_gather(const struct rowset *s, const uint32_t *rows, uint32_t count, uint32_t from_column,
                   uint32_t columns, struct vec *out)
{
    for (uint32_t c = 0; c < columns; c++)
        gather_column(s, rows, count, from_column + c, &out[c]);
}

/* --- hash table -------------------------------------------------------------------------------- */

void row_index_init(struct row_index *x, struct execution *run, struct arena *a)
{
    *x = (struct row_index){.x = run, .arena = a};
}

static void link_row(struct row_index *x, uint32_t row)
{
    uint64_t slot = x->hashes[row] & x->mask;
    x->next[row] = 0;
    if (x->heads[slot]) x->next[x->tails[slot] - 1] = row + 1;
    else x->heads[slot] = row + 1;
    x->tails[slot] = row + 1;
}

static enum status grow(struct row_index *x)
{
    uint64_t cap = x->cap ? x->cap * 2 : 64;
    uint64_t *hashes = arena_alloc(x->arena, cap * sizeof *hashes);
    TRY(exec_copy(x->x, hashes, x->hashes, x->count * sizeof *hashes));
    x->hashes = hashes;
    x->next = arena_alloc(x->arena, cap * sizeof *x->next);
    x->cap = cap;
    x->mask = cap * 2 - 1;
    x->heads = arena_alloc(x->arena, cap * 2 * sizeof *x->heads);
    TRY(exec_zero(x->x, x->heads, cap * 2 * sizeof *x->heads));
    x->tails = arena_alloc(x->arena, cap * 2 * sizeof *x->tails);
    for (uint64_t i = 0; i < x->count; i++) {
        if (i % CHECK_ROWS == 0) TRY(exec_check_canceled(x->x));
        link_row(x, (uint32_t)i);
    }
    return OK;
}

enum status row_index_add(struct row_index *x, uint64_t hash)
{
    if (x->count == x->cap) TRY(grow(x));
    x->hashes[x->count] = hash;
    link_row(x, (uint32_t)x->count++);
    return OK;
}

uint32_t row_index_find(const struct row_index *x, uint64_t hash, uint32_t after)
{
    if (!x->count) return 0;
    uint32_t r = after ? x->next[after - 1] : x->heads[hash & x->mask];
    while (r && x->hashes[r - 1] != hash) r = x->next[r - 1];
    return r;
}
