/* range_agg and range_intersect_agg. The union keeps all the ranges and joins them at the end; the
 * intersection keeps what is left of it. */
#include "exec/functions/aggregate_priv.h"
#include "types/range.h"

enum { FIRST_ROOM = 16 };

struct range_list {
    struct range *items;
    uint32_t count, room;
    bool any;
};

static void keep_bound(struct arena *keep, type_id subtype, struct range_bound *b)
{
    if (!b->infinite) b->v = value_copy(keep, subtype, b->v);
}

static void push(struct arena *keep, type_id type, struct range_list *l, struct range r)
{
    type_id subtype = range_subtype(type);
    if (l->count == l->room) {
        struct range *old = l->items;
        l->room = l->room ? l->room * 2 : FIRST_ROOM;
        l->items = ARENA_ARRAY(keep, struct range, l->room);
        if (l->count) memcpy(l->items, old, l->count * sizeof *old);
    }
    keep_bound(keep, subtype, &r.lower);
    keep_bound(keep, subtype, &r.upper);
    l->items[l->count++] = r;
}

static enum status union_add(struct call_ctx *c, struct arena *keep, void *state,
                             const struct datum *args, uint32_t n)
{
    struct ranges r;
    struct range_list *l = state;
    (void)n;
    TRY(ranges_open(&args[0].v.bytes, c->arena, &r));
    l->any = true;
    for (uint32_t i = 0; i < r.count; i++) push(keep, r.type, l, r.items[i]);
    return OK;
}

static enum status union_merge(struct call_ctx *c, struct arena *keep, void *state,
                               const void *other)
{
    const struct range_list *o = other;
    struct range_list *l = state;
    l->any |= o->any;
    for (uint32_t i = 0; i < o->count; i++)
        push(keep, range_of(c->expr->args[0]->type), l, o->items[i]);
    return OK;
}

static enum status union_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct range_list *l = state;
    struct ranges r = {.type = range_of(c->expr->args[0]->type), .count = l->count};
    if (!l->any) return ret_null(ret);
    r.items = ARENA_ARRAY(c->arena, struct range, l->count + 1);
    if (l->count) memcpy(r.items, l->items, l->count * sizeof *r.items);
    ranges_normalize(&r);
    return ret_bytes(ret, ranges_close(&r, c->arena));
}

struct range_value {
    struct bytes bytes;
    bool any;
};

static enum status common_add(struct call_ctx *c, struct arena *keep, void *state,
                              const struct datum *args, uint32_t n)
{
    struct range_value *s = state;
    struct ranges a, b;
    struct bytes made = args[0].v.bytes;
    (void)n;
    if (s->any) {
        TRY(ranges_open(&s->bytes, c->arena, &a));
        TRY(ranges_open(&made, c->arena, &b));
        a = ranges_intersection(&a, &b, c->arena);
        made = ranges_close(&a, c->arena);
        if (bytes_eq(&made, &s->bytes)) return OK;
    }
    s->bytes = bytes_from_slice(keep, bytes_slice(&made));
    s->any = true;
    return OK;
}

static enum status common_merge(struct call_ctx *c, struct arena *keep, void *state,
                                const void *other)
{
    const struct range_value *o = other;
    struct datum d = {.v.bytes = o->bytes};
    return o->any ? common_add(c, keep, state, &d, 1) : OK;
}

static enum status common_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct range_value *s = state;
    if (!s->any) return ret_null(ret);
    return ret_bytes(ret, bytes_from_slice(c->arena, bytes_slice(&s->bytes)));
}

const struct aggregate_binding exec__range_aggregates[] = {
    {"range_agg", TYPE_ANY,
     {sizeof(struct range_list), true, union_add, union_merge, union_result, NULL}},
    {"range_intersect_agg", TYPE_ANY,
     {sizeof(struct range_value), true, common_add, common_merge, common_result, NULL}},
};
const uint32_t exec__range_aggregate_count =
    sizeof exec__range_aggregates / sizeof exec__range_aggregates[0];
