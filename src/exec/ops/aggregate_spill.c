/* Rows of an aggregation's input that wait on disk, parted by the hash of their group. */
#include "exec/ops/aggregate_priv.h"

/* Which partition: other bits at each level than those above it, and than the table's. */
static uint32_t partition_of(const struct agg_run *r, uint64_t hash)
{
    return (uint32_t)(hash >> r->depth * AGG_PARTITION_BITS) % AGG_PARTITIONS;
}

enum status agg__spill_rows(struct agg_run *r, const struct batch *b, const uint16_t *sel,
                            uint32_t count, const uint64_t *hashes, int set)
{
    uint16_t columns = (uint16_t)(r->n->left->column_count + (set >= 0));
    uint16_t *part = arena_alloc(r->batch, count * sizeof *part + 1);
    struct batch rows = *b;
    rows.column_count = columns;
    rows.columns = ARENA_ARRAY(r->batch, struct vec, columns + 1u);
    memcpy(rows.columns, b->columns, r->n->left->column_count * sizeof *rows.columns);
    rows.sel = part;
    if (set >= 0)
        vec_init_const(&rows.columns[columns - 1], TYPE_INT4, (struct datum){.v.i32 = set},
                       r->batch);
    for (uint32_t p = 0; p < AGG_PARTITIONS; p++) {
        rows.count = 0;
        for (uint32_t i = 0; i < count; i++)
            if (partition_of(r, hashes[i]) == p) part[rows.count++] = sel[i];
        if (!rows.count) continue;
        if (!r->partitions[p])
            TRY(spill_new(r->x, columns, r->spill_types, &r->partitions[p]));
        uint64_t before = spill_bytes(r->partitions[p]);
        TRY(spill_add_batch(r->partitions[p], &rows));
        r->disk_bytes += spill_bytes(r->partitions[p]) - before;
    }
    return OK;
}

static bool repeats(const struct expr *e)
{
    return !e || !expr_is_volatile(e);
}

/* A row that is read again must have the values that it had. */
bool agg__can_spill(const struct agg_run *r)
{
    const struct plan_node *n = r->n;
    const struct exec_session *s = r->x->session;
    if (!s->os || !s->temp_dir) return false;
    for (uint32_t g = 0; g < n->aggregate.group_count; g++)
        if (!repeats(n->aggregate.groups[g])) return false;
    for (uint32_t i = 0; i < n->aggregate.call_count; i++) {
        const struct aggregate_call *c = &n->aggregate.calls[i];
        if (!repeats(c->filter)) return false;
        for (uint32_t a = 0; a < c->arg_count; a++)
            if (!repeats(c->args[a])) return false;
        for (uint32_t o = 0; o < c->order_count; o++)
            if (!repeats(c->order_by[o].expr)) return false;
    }
    return true;
}
