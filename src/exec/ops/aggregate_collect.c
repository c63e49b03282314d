/* Aggregates with DISTINCT or ORDER BY: their arguments go to a sorter until the input has ended, and
 * are fed by group and in the order asked for. With DISTINCT all arguments are part of the key, so that
 * equal ones stand together. */
#include "exec/ops/aggregate_priv.h"

static struct sorter *make_sorter(struct agg_run *r, const struct aggregate_call *call)
{
    struct arena *a = r->x->arena;
    uint32_t columns = 1 + call->arg_count, count = 1 + call->order_count;
    uint32_t distinct = call->distinct ? call->arg_count : 0;
    type_id *types = ARENA_ARRAY(a, type_id, columns);
    struct key_part *parts = ARENA_ARRAY(a, struct key_part, count + distinct);
    types[0] = parts[0].type = TYPE_INT8;
    for (uint32_t i = 0; i < call->arg_count; i++) types[1 + i] = call->args[i]->type;
    for (uint32_t i = 0; i < call->order_count; i++) {
        const struct sort_item *item = &call->order_by[i];
        parts[1 + i] = (struct key_part){item->expr->type, item->descending, item->nulls_first};
    }
    for (uint32_t i = 0; i < distinct; i++) parts[count + i].type = types[1 + i];
    return sorter_new(r->x, (uint16_t)columns, types, parts, count + distinct);
}

void agg__collect_init(struct agg_run *r, struct agg_call *c)
{
    if (!c->kept.sorter) {
        c->kept.sorter = make_sorter(r, c->call);
        c->kept.arena = exec_arena(r->x);
    }
    sorter_begin(c->kept.sorter, UINT64_MAX);
}

enum status agg__collect(struct agg_run *r, struct agg_call *c, const struct batch *b,
                         const struct vec *args, const uint32_t *ids)
{
    const struct aggregate_call *call = c->call;
    struct batch rows = *b;
    uint32_t count = 1 + call->order_count;
    rows.column_count = (uint16_t)(1 + call->arg_count);
    rows.columns = ARENA_ARRAY(r->batch, struct vec, rows.column_count);
    struct vec *keys = ARENA_ARRAY(r->batch, struct vec, count + call->arg_count);
    vec_init_flat(&rows.columns[0], TYPE_INT8, r->batch);
    for (uint32_t i = 0; i < b->count; i++)
        VEC_DATA(&rows.columns[0], int64_t)[op__row(b, i)] = ids[i];
    for (uint32_t a = 0; a < call->arg_count; a++) {
        rows.columns[1 + a] = args[a];
        keys[count + a] = args[a];
    }
    keys[0] = rows.columns[0];
    for (uint32_t o = 0; o < call->order_count; o++)
        TRY(exec_eval(r->x, call->order_by[o].expr, b, r->batch, &keys[1 + o]));
    return sorter_add(c->kept.sorter, &rows, keys);
}

static enum status feed_batch(struct agg_run *r, struct agg_call *c, const struct batch *b,
                              const bool *same)
{
    uint32_t count = c->call->arg_count;
    struct datum *args = ARENA_ARRAY(c->kept.arena, struct datum, count + 1);
    for (uint32_t i = 0; i < b->count; i++) {
        if (c->call->distinct && same[i]) continue;
        for (uint32_t a = 0; a < count; a++) args[a] = vec_get(&b->columns[1 + a], i);
        if (agg__skips(c, args)) continue;
        int64_t group = VEC_DATA(&b->columns[0], int64_t)[i];
        TRY(c->impl->add(&c->ctx, r->keep, agg__states(r, (uint32_t)group) + c->offset, args, count));
    }
    return exec_check(r->x);
}

enum status agg__collect_feed(struct agg_run *r, struct agg_call *c)
{
    struct sorter *s = c->kept.sorter;
    bool same[BATCH_ROWS];
    uint64_t before = c->kept.disk_bytes;
    TRY(sorter_finish(s));
    for (;;) {
        struct batch b;
        arena_clear(c->kept.arena);
        arena_clear(r->batch);
        c->ctx.arena = r->batch;
        enum status st = sorter_next(s, c->kept.arena, &b, same);
        if (st == END_OF_DATA) break;
        TRY(st);
        TRY(feed_batch(r, c, &b, same));
    }
    sorter_end(s);
    c->kept.disk_bytes = sorter_disk_bytes(s);
    r->disk_bytes += c->kept.disk_bytes - before;
    return OK;
}
