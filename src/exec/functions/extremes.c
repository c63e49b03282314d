/* min and max. Numbers and times are kept in place, with a loop for each representation; everything
 * else is compared by value_compare and copied, into room that is used again by the next best. */
#include "exec/functions/aggregate_priv.h"

struct extreme {
    union value v;
    bool any;
    uint32_t cap;   /* bytes at `room` */
    char *room;
};

/* Whether a comes before b in the order, NaN last. */
#define INT_BEFORE(a, b) ((a) < (b))
#define FLOAT_BEFORE(a, b) ((a) < (b) || ((a) == (a) && (b) != (b)))

#define MIN_TAKES(BEFORE, new, old) BEFORE(new, old)
#define MAX_TAKES(BEFORE, new, old) BEFORE(old, new)

#define EXTREME(name, T, f, TAKES, BEFORE)                                                         \
    static enum status name##_add(struct call_ctx *c, struct arena *keep, void *state,             \
                                  const struct datum *args, uint32_t n)                            \
    {                                                                                              \
        (void)c, (void)keep, (void)n;                                                              \
        struct extreme *s = state;                                                                 \
        if (!s->any || TAKES(BEFORE, args[0].v.f, s->v.f)) s->v.f = args[0].v.f;                   \
        s->any = true;                                                                             \
        return OK;                                                                                 \
    }                                                                                              \
    static enum status name##_batch(struct call_ctx *c, struct arena *keep, void *const *groups,   \
                                    const struct vec *const *args, uint32_t n,                     \
                                    const uint16_t *sel, uint32_t count)                           \
    {                                                                                              \
        (void)c, (void)keep, (void)n;                                                              \
        struct column col = column_of(args[0]);                                                    \
        const T *data = col.data;                                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t at = column_at(&col, fn_row(sel, i));                                         \
            if (nulls_get(col.nulls, at)) continue;                                                \
            struct extreme *s = groups[i];                                                         \
            if (!s->any || TAKES(BEFORE, data[at], s->v.f)) s->v.f = data[at];                     \
            s->any = true;                                                                         \
        }                                                                                          \
        return OK;                                                                                 \
    }                                                                                              \
    static enum status name##_merge(struct call_ctx *c, struct arena *keep, void *state,           \
                                    const void *other)                                             \
    {                                                                                              \
        const struct extreme *o = other;                                                           \
        struct datum d = {.v = o->v};                                                              \
        return o->any ? name##_add(c, keep, state, &d, 1) : OK;                                    \
    }
#define BOTH(p, T, f, BEFORE)                                                                      \
    EXTREME(p##_min, T, f, MIN_TAKES, BEFORE)                                                      \
    EXTREME(p##_max, T, f, MAX_TAKES, BEFORE)
BOTH(i16, int16_t, i16, INT_BEFORE)
BOTH(i32, int32_t, i32, INT_BEFORE)
BOTH(u32, uint32_t, u32, INT_BEFORE)
BOTH(i64, int64_t, i64, INT_BEFORE)
BOTH(f32, float, f32, FLOAT_BEFORE)
BOTH(f64, double, f64, FLOAT_BEFORE)

static enum status extreme_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    (void)c;
    const struct extreme *s = state;
    ret->null = !s->any;
    ret->v = s->v;
    return OK;
}

/* A copy: the room is written again when a better value comes, and windows keep earlier results. */
static enum status any_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct extreme *s = state;
    ret->null = !s->any;
    if (s->any) ret->v = value_copy(c->arena, c->expr->args[0]->type, s->v);
    return OK;
}

/* --- other types ---------------------------------------------------------------------------- */

static void keep_value(struct extreme *s, struct arena *keep, type_id type, const union value *v)
{
    s->any = true;
    if (type_rep(type) != REP_BYTES) {
        s->v = value_copy(keep, type, *v);
        return;
    }
    uint32_t len = v->bytes.len;
    if (len <= BYTES_INLINE_MAX) {
        s->v = *v;
        return;
    }
    if (len > s->cap) {
        s->cap = len * 2;
        s->room = arena_alloc(keep, s->cap);
    }
    memcpy(s->room, v->bytes.ptr, len);
    s->v.bytes = bytes_ref(s->room, len);
}

/* The types that queries ask most are compared without a detour. */
static inline bool takes(type_id type, const struct extreme *s, const union value *v, bool max)
{
    if (!s->any) return true;
    int order;
    switch (type) {
    case TYPE_TEXT:
    case TYPE_VARCHAR: order = bytes_cmp(&v->bytes, &s->v.bytes); break;
    case TYPE_NUMERIC:
        if (v->numeric.kind == NUMERIC_SMALL && s->v.numeric.kind == NUMERIC_SMALL &&
            v->numeric.scale == s->v.numeric.scale) {
            int64_t a = v->numeric.coefficient, b = s->v.numeric.coefficient;
            return max ? a > b : a < b;
        }
        order = numeric_compare(&v->numeric, &s->v.numeric);
        break;
    default: order = value_compare(type, v, &s->v);
    }
    return max ? order > 0 : order < 0;
}

static enum status any_batch(struct call_ctx *c, struct arena *keep, void *const *groups,
                             const struct vec *arg, const uint16_t *sel, uint32_t count, bool max)
{
    type_id type = c->expr->args[0]->type;
    for (uint32_t i = 0; i < count; i++) {
        struct datum d = vec_get(arg, fn_row(sel, i));
        if (!d.null && takes(type, groups[i], &d.v, max)) keep_value(groups[i], keep, type, &d.v);
    }
    return OK;
}

#define ANY_TYPE(name, MAX)                                                                        \
    static enum status name##_add(struct call_ctx *c, struct arena *keep, void *state,             \
                                  const struct datum *args, uint32_t n)                            \
    {                                                                                              \
        (void)n;                                                                                   \
        type_id type = c->expr->args[0]->type;                                                     \
        if (takes(type, state, &args[0].v, MAX)) keep_value(state, keep, type, &args[0].v);        \
        return OK;                                                                                 \
    }                                                                                              \
    static enum status name##_batch(struct call_ctx *c, struct arena *keep, void *const *groups,   \
                                    const struct vec *const *args, uint32_t n,                     \
                                    const uint16_t *sel, uint32_t count)                           \
    {                                                                                              \
        (void)n;                                                                                   \
        return any_batch(c, keep, groups, args[0], sel, count, MAX);                               \
    }                                                                                              \
    static enum status name##_merge(struct call_ctx *c, struct arena *keep, void *state,           \
                                    const void *other)                                             \
    {                                                                                              \
        const struct extreme *o = other;                                                           \
        struct datum d = {.v = o->v};                                                              \
        return o->any ? name##_add(c, keep, state, &d, 1) : OK;                                    \
    }
ANY_TYPE(any_min, false)
ANY_TYPE(any_max, true)

#define IMPL_WITH(p, r) {sizeof(struct extreme), true, p##_add, p##_merge, r, p##_batch}
#define IMPL(p) IMPL_WITH(p, extreme_result)
#define ROWS(symbol, m)                                                                            \
    {symbol, TYPE_INT2, IMPL(i16_##m)}, {symbol, TYPE_INT4, IMPL(i32_##m)},                        \
    {symbol, TYPE_INT8, IMPL(i64_##m)}, {symbol, TYPE_OID, IMPL(u32_##m)},                         \
    {symbol, TYPE_FLOAT4, IMPL(f32_##m)}, {symbol, TYPE_FLOAT8, IMPL(f64_##m)},                    \
    {symbol, TYPE_DATE, IMPL(i32_##m)}, {symbol, TYPE_TIME, IMPL(i64_##m)},                        \
    {symbol, TYPE_TIMESTAMP, IMPL(i64_##m)}, {symbol, TYPE_TIMESTAMPTZ, IMPL(i64_##m)},            \
    {symbol, TYPE_MONEY, IMPL(i64_##m)}, {symbol, TYPE_XID8, IMPL(i64_##m)},                       \
    {symbol, TYPE_PG_LSN, IMPL(i64_##m)},                                                          \
    {symbol, TYPE_ANY, IMPL_WITH(any_##m, any_result)}

const struct aggregate_binding exec__extreme_functions[] = {
    ROWS("min_agg", min), ROWS("max_agg", max),
};
BINDING_COUNT(extreme)
