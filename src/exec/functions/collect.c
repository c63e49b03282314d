/* Aggregates that keep their input: string_agg, array_agg, and the ordered-set ones, mode and
 * percentile. Rows arrive in the order of ORDER BY or WITHIN GROUP; the arguments of an ordered-set
 * aggregate are the direct ones, then the value. */
#include "exec/functions/aggregate_priv.h"

#include <math.h>

#include "types/array.h"
#include "types/datetime.h"

enum { STRING_BYTES_MAX = 0x3fffffff };

/* --- string_agg ----------------------------------------------------------------------------- */

/* Delimiters stand before their values, the first one too: merging needs it. */
struct text_state {
    char *data;
    uint32_t len, cap, first_delimiter;
    bool any;
};

static enum status text_append(struct text_state *s, struct arena *keep, const char *data,
                               uint32_t len)
{
    if (len > STRING_BYTES_MAX - s->len)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "out of memory");
    if (s->len + len > s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 64;
        while (cap < s->len + len) cap *= 2;
        char *grown = arena_alloc(keep, cap);
        if (s->len) memcpy(grown, s->data, s->len);
        s->data = grown;
        s->cap = cap;
    }
    if (len) memcpy(s->data + s->len, data, len);
    s->len += len;
    return OK;
}

static enum status text_add(struct call_ctx *c, struct arena *keep, void *state,
                            const struct datum *args, uint32_t n)
{
    (void)c;
    struct text_state *s = state;
    if (args[0].null) return OK;
    if (n > 1 && !args[1].null) {
        if (!s->any) s->first_delimiter = args[1].v.bytes.len;
        TRY(text_append(s, keep, bytes_data(&args[1].v.bytes), args[1].v.bytes.len));
    }
    s->any = true;
    return text_append(s, keep, bytes_data(&args[0].v.bytes), args[0].v.bytes.len);
}

static enum status text_merge(struct call_ctx *c, struct arena *keep, void *state,
                              const void *other)
{
    (void)c;
    struct text_state *s = state;
    const struct text_state *o = other;
    if (!o->any) return OK;
    if (!s->any) s->first_delimiter = o->first_delimiter;
    s->any = true;
    return text_append(s, keep, o->data, o->len);
}

static enum status text_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    (void)c;
    const struct text_state *s = state;
    if (!s->any) return ret_null(ret);
    return ret_bytes(ret, bytes_ref(s->data + s->first_delimiter, s->len - s->first_delimiter));
}

/* --- lists of values ------------------------------------------------------------------------ */

struct list {
    struct datum *values, direct; /* direct: percentile's fraction */
    uint32_t count, cap;
};

static void list_push(struct list *l, struct arena *keep, struct datum d)
{
    if (l->count == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 8;
        struct datum *grown = arena_alloc(keep, cap * sizeof *grown);
        if (l->count) memcpy(grown, l->values, l->count * sizeof *grown);
        l->values = grown;
        l->cap = cap;
    }
    l->values[l->count++] = d;
}

static enum status list_merge(struct call_ctx *c, struct arena *keep, void *state,
                              const void *other)
{
    (void)c;
    struct list *l = state;
    const struct list *o = other;
    if (!l->count) l->direct = o->direct;
    for (uint32_t i = 0; i < o->count; i++) list_push(l, keep, o->values[i]);
    return OK;
}

static enum status array_add(struct call_ctx *c, struct arena *keep, void *state,
                             const struct datum *args, uint32_t n)
{
    (void)n;
    list_push(state, keep, datum_copy(keep, c->expr->args[0]->type, args[0]));
    return OK;
}

static enum status array_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct list *l = state;
    if (!l->count) return ret_null(ret);
    return ret_bytes(ret, array_make(c->arena, c->expr->args[0]->type, l->values, l->count));
}

/* array_agg of arrays: one more dimension. */
static enum status arrays_add(struct call_ctx *c, struct arena *keep, void *state,
                              const struct datum *args, uint32_t n)
{
    (void)n;
    if (args[0].null) return FAIL(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays");
    struct array_view v, first;
    struct list *l = state;
    TRY(array_open(&args[0].v.bytes, c->arena, &v));
    if (!v.ndim) return FAIL(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays");
    if (l->count) TRY(array_open(&l->values[0].v.bytes, c->arena, &first));
    bool differs = l->count && v.ndim != first.ndim;
    for (int32_t i = 0; l->count && !differs && i < v.ndim; i++)
        differs = v.dims[i] != first.dims[i];
    if (differs)
        return FAIL(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate arrays of different dimensionality");
    return array_add(c, keep, state, args, n);
}

static enum status arrays_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct list *l = state;
    struct array_view v, whole = {0};
    if (!l->count) return ret_null(ret);
    for (uint32_t i = 0; i < l->count; i++) {
        TRY(array_open(&l->values[i].v.bytes, c->arena, &v));
        if (i == 0) {
            if (v.ndim >= ARRAY_DIMS_MAX)
                return FAIL(PROGRAM_LIMIT_EXCEEDED,
                            "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                            v.ndim + 1, ARRAY_DIMS_MAX);
            whole.element = v.element;
            whole.ndim = v.ndim + 1;
            whole.dims[0] = (int32_t)l->count;
            whole.lower[0] = 1;
            memcpy(whole.dims + 1, v.dims, (size_t)v.ndim * sizeof v.dims[0]);
            memcpy(whole.lower + 1, v.lower, (size_t)v.ndim * sizeof v.lower[0]);
            whole.elements = ARENA_ARRAY(c->arena, struct datum, (size_t)l->count * v.count);
        }
        for (uint32_t k = 0; k < v.count; k++) whole.elements[whole.count++] = v.elements[k];
    }
    return ret_bytes(ret, array_make_view(c->arena, &whole));
}

/* --- mode, percentile ----------------------------------------------------------------------- */

static enum status mode_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct list *l = state;
    type_id type = c->expr->args[0]->type;
    uint32_t best = 0, first = 0; /* first: of the run of equal values; it stands for them */
    ret->null = true;
    for (uint32_t i = 0; i < l->count; i++) {
        if (i && value_compare(type, &l->values[i].v, &l->values[i - 1].v) != 0) first = i;
        if (i + 1 - first <= best) continue;
        best = i + 1 - first;
        *ret = l->values[first];
    }
    return OK;
}

static enum status ordered_add(struct call_ctx *c, struct arena *keep, void *state,
                               const struct datum *args, uint32_t n)
{
    struct list *l = state;
    if (n > 1 && !l->count) l->direct = datum_copy(keep, c->expr->args[0]->type, args[0]);
    if (args[n - 1].null) return OK;
    list_push(l, keep, datum_copy(keep, c->expr->args[n - 1]->type, args[n - 1]));
    return OK;
}

static enum status between(const struct list *l, type_id type, double at, union value *ret)
{
    uint32_t low = (uint32_t)floor(at), high = (uint32_t)ceil(at);
    double part = at - floor(at);
    const union value *a = &l->values[low].v, *b = &l->values[high].v;
    *ret = *a;
    if (low == high) return OK;
    if (type != TYPE_INTERVAL) {
        ret->f64 = a->f64 + (b->f64 - a->f64) * part;
        return OK;
    }
    struct interval gap, step;
    TRY(interval_sub(&b->interval, &a->interval, &gap));
    TRY(interval_mul(&gap, part, &step));
    return interval_add(&a->interval, &step, &ret->interval);
}

/* The value at a fraction of the list. */
static enum status percentile(const struct list *l, type_id type, bool continuous, double fraction,
                              union value *ret)
{
    if (isnan(fraction) || fraction < 0 || fraction > 1)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "percentile value %g is not between 0 and 1",
                    fraction);
    if (continuous) return between(l, type, fraction * (l->count - 1), ret);
    double row = ceil(fraction * l->count);
    *ret = l->values[row < 1 ? 0 : (uint32_t)row - 1].v;
    return OK;
}

static enum status percentiles(struct call_ctx *c, const struct list *l, type_id type,
                               bool continuous, struct datum *ret)
{
    struct array_view v;
    TRY(array_open(&l->direct.v.bytes, c->arena, &v));
    for (uint32_t i = 0; i < v.count; i++) {
        struct datum *d = &v.elements[i];
        union value at;
        if (d->null) continue;
        TRY(percentile(l, type, continuous, d->v.f64, &at));
        d->v = at;
    }
    v.element = type;
    return ret_bytes(ret, array_make_view(c->arena, &v));
}

static enum status percentile_result(struct call_ctx *c, const struct list *l, bool continuous,
                                     struct datum *ret)
{
    type_id type = c->expr->args[c->expr->arg_count - 1]->type;
    if (!l->count || l->direct.null) return ret_null(ret);
    if (c->expr->args[0]->type == TYPE_FLOAT8_ARRAY)
        return percentiles(c, l, type, continuous, ret);
    return percentile(l, type, continuous, l->direct.v.f64, &ret->v);
}

static enum status cont_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    return percentile_result(c, state, true, ret);
}
static enum status disc_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    return percentile_result(c, state, false, ret);
}

#define LIST(add, r) {sizeof(struct list), false, add, list_merge, r, NULL}

const struct aggregate_binding exec__collect_functions[] = {
    {"string_agg_agg", TYPE_ANY,
     {sizeof(struct text_state), false, text_add, text_merge, text_result, NULL}},
    {"array_agg_agg", TYPE_ANYARRAY, LIST(arrays_add, arrays_result)},
    {"array_agg_agg", TYPE_ANY, LIST(array_add, array_result)},
    {"mode_agg", TYPE_ANY, LIST(ordered_add, mode_result)},
    {"percentile_cont_agg", TYPE_ANY, LIST(ordered_add, cont_result)},
    {"percentile_disc_agg", TYPE_ANY, LIST(ordered_add, disc_result)},
};
BINDING_COUNT(collect)
