/* Transition tables: all rows that a statement changed in a table, as they were and as they are, for the
 * AFTER triggers that ask for them. They go to a row store, so there may be more than fit in memory. */
#include "exec/ops/transition.h"

#include "exec/ops/row_store.h"

struct transition_rows {
    const struct table_def *table;
    struct row_store store;
    struct arena *arena;  /* of `pending` */
    struct batch pending; /* rows that are not in the store yet */
};

static void clear_pending(struct transition_rows *t)
{
    uint16_t n = t->table->column_count;
    arena_clear(t->arena);
    t->pending = (struct batch){.column_count = n};
    t->pending.columns = ARENA_ARRAY(t->arena, struct vec, n + 1u);
    for (uint16_t c = 0; c < n; c++)
        vec_init_flat_rows(&t->pending.columns[c], t->table->columns[c].type, STORE_CHUNK_ROWS, t->arena);
}

struct transition_rows *transition_new(struct execution *x, const struct table_def *table)
{
    struct transition_rows *t = ARENA_NEW(x->arena, struct transition_rows);
    type_id *types = ARENA_ARRAY(x->arena, type_id, table->column_count + 1u);
    for (uint16_t c = 0; c < table->column_count; c++) types[c] = table->columns[c].type;
    t->table = table;
    t->arena = exec_arena(x);
    row_store_init(&t->store, x, table->column_count, types, exec_arena(x), exec_arena(x));
    clear_pending(t);
    return t;
}

static enum status flush(struct transition_rows *t)
{
    if (!t->pending.rows) return OK;
    t->pending.count = t->pending.rows;
    TRY(row_store_add_batch(&t->store, &t->pending));
    clear_pending(t);
    return OK;
}

enum status transition_add(struct transition_rows *t, const struct datum *row)
{
    for (uint16_t c = 0; c < t->table->column_count; c++)
        vec_set(&t->pending.columns[c], t->pending.rows,
                datum_copy(t->arena, t->table->columns[c].type, row[c]));
    return ++t->pending.rows == STORE_CHUNK_ROWS ? flush(t) : OK;
}

/* Several may read at once; nothing is added any more. */
enum status exec_transition_scan(struct transition_rows *t, struct arena *a,
                                 enum status (*emit)(void *ctx, const struct datum *row), void *ctx)
{
    TRY(flush(t));
    uint64_t chunks = row_store_chunks(&t->store);
    struct datum *row = ARENA_ARRAY(a, struct datum, t->table->column_count + 1u);
    for (uint64_t i = 0; i < chunks; i++) {
        struct arena chunk;
        struct batch b;
        arena_init(&chunk, MEM_QUERY);
        enum status st = row_store_read(&t->store, i, &chunk, &b);
        for (uint32_t k = 0; st == OK && k < b.count; k++) {
            for (uint16_t c = 0; c < t->table->column_count; c++)
                row[c] = vec_get(&b.columns[c], b.sel ? b.sel[k] : k);
            st = emit(ctx, row);
        }
        arena_release(&chunk);
        TRY(st);
    }
    return OK;
}
