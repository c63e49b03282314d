/* DISTINCT and DISTINCT ON: rows whose key is not in the table yet pass, in their order. When the table
 * has no room for more, rows of other keys wait in sorters to the end. */
#include "exec/ops/row_table.h"

struct distinct_run {
    struct execution *x;
    const struct exec_sink *out;
    struct arena *keep, *batch;
    struct row_table table;
    struct late_rows late;
    const type_id *types; /* of the key */
    const uint32_t *slots;
    uint32_t slot_count;
    bool frozen;
};

static enum status distinct_rows(void *ctx, const struct batch *in)
{
    struct distinct_run *u = ctx;
    arena_clear(u->batch);
    uint64_t *hashes = arena_alloc(u->batch, (in->count + 1) * sizeof *hashes);
    uint16_t *sel = arena_alloc(u->batch, (in->count + 1) * sizeof *sel);
    struct datum *row = ARENA_ARRAY(u->batch, struct datum, u->slot_count + 1);
    row_hashes(in, u->slots, u->slot_count, hashes);
    struct batch b = *in;
    b.sel = sel;
    b.count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t at = op__row(in, i);
        for (uint32_t c = 0; c < u->slot_count; c++)
            row[c] = vec_get(&in->columns[u->slots ? u->slots[c] : c], at);
        if (row_table_find(&u->table, row, hashes[i])) continue;
        if (!u->frozen) TRY(row_table_add(&u->table, row, hashes[i]));
        sel[b.count++] = (uint16_t)at;
    }
    if (u->frozen) return late_rows_add(&u->late, &b, u->batch);
    u->frozen = row_table_is_full(&u->table);
    return op__push(u->x, u->out, &b);
}

/* One a node, for all its runs. */
static struct distinct_run *distinct_of(struct execution *x, const struct plan_node *n)
{
    bool fresh;
    struct op_state *state = exec_state(x, n, sizeof *state, &fresh);
    if (state->own) return state->own;
    struct distinct_run *u = state->own = ARENA_NEW(x->arena, struct distinct_run);
    u->x = x;
    u->slots = n->distinct.slot_count ? n->distinct.slots : NULL;
    u->slot_count = n->distinct.slot_count ? n->distinct.slot_count : n->column_count;
    type_id *types = ARENA_ARRAY(x->arena, type_id, u->slot_count + 1);
    for (uint32_t i = 0; i < u->slot_count; i++)
        types[i] = n->columns[u->slots ? u->slots[i] : i].type;
    u->types = types;
    late_rows_init(&u->late, x, n, u->slots, u->slot_count);
    return u;
}

enum status op__distinct(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct distinct_run *u = distinct_of(x, n);
    u->out = out;
    u->keep = op__arena(x, n, 1);
    u->batch = op__arena(x, n, 0);
    u->frozen = false;
    row_table_init(&u->table, x, (uint16_t)u->slot_count, u->types, u->keep);
    late_rows_begin(&u->late);
    struct exec_sink sink = {distinct_rows, u};
    TRY(op__run(x, n->left, &sink));
    arena_clear(u->keep);
    return late_rows_push(&u->late, out, u->batch);
}
