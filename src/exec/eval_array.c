/* ARRAY[…] and array[…]. */
#include "exec/eval.h"

#include "exec/eval_priv.h"
#include "types/array.h"

static enum status mismatch(void)
{
    return FAIL(ARRAY_SUBSCRIPT_ERROR,
                "multidimensional arrays must have array expressions with matching dimensions");
}

/* Sub-arrays, all of equal dimensions, become the elements of one more dimension. NULL ones count
 * as absent. */
static enum status array_of_arrays(const struct expr *e, const struct datum *args,
                                   struct arena *a, struct datum *ret)
{
    struct array_view whole = {.element = type_get(e->type)->element};
    struct array_view *parts = ARENA_ARRAY(a, struct array_view, e->arg_count + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!args[i].null) TRY(array_open(&args[i].v.bytes, a, &parts[n++]));
    for (uint32_t i = 0; i < n; i++) {
        if (parts[i].ndim != parts[0].ndim) return mismatch();
        for (int32_t d = 0; d < parts[i].ndim; d++)
            if (parts[i].dims[d] != parts[0].dims[d]) return mismatch();
    }
    if (n > 0 && n < e->arg_count && parts[0].ndim > 0) return mismatch();
    if (n == 0 || parts[0].ndim == 0) {
        ret->v.bytes = array_make_view(a, &whole);
        return OK;
    }
    if (parts[0].ndim >= ARRAY_DIMS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                    parts[0].ndim + 1, ARRAY_DIMS_MAX);
    whole.ndim = parts[0].ndim + 1;
    whole.dims[0] = (int32_t)n;
    whole.lower[0] = 1;
    for (int32_t d = 0; d < parts[0].ndim; d++) {
        whole.dims[d + 1] = parts[0].dims[d];
        whole.lower[d + 1] = parts[0].lower[d];
    }
    whole.elements = ARENA_ARRAY(a, struct datum, (size_t)n * parts[0].count + 1);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < parts[i].count; k++)
            whole.elements[whole.count++] = parts[i].elements[k];
    ret->v.bytes = array_make_view(a, &whole);
    return OK;
}

enum status eval__array(const struct expr *e, const struct datum *args, struct arena *a,
                        struct datum *ret)
{
    *ret = (struct datum){0};
    if (e->arg_count && type_is_array(e->args[0]->type)) return array_of_arrays(e, args, a, ret);
    ret->v.bytes = array_make(a, type_get(e->type)->element, args, e->arg_count);
    return OK;
}

static void element_at(const struct array_view *v, const struct expr *e, const struct datum *args,
                       struct datum *ret)
{
    if (v->ndim != (int32_t)e->arg_count - 1 || v->ndim == 0) return;
    uint64_t at = 0;
    for (int32_t d = 0; d < v->ndim; d++) {
        int64_t i = (int64_t)args[d + 1].v.i32 - v->lower[d];
        if (i < 0 || i >= v->dims[d]) return;
        at = at * (uint64_t)v->dims[d] + (uint64_t)i;
    }
    *ret = v->elements[at];
}

struct slice_bounds {
    int64_t from[ARRAY_DIMS_MAX], length[ARRAY_DIMS_MAX]; /* in elements from the array's first */
};

/* False when the slice is empty. Dimensions without a subscript are taken whole. */
static bool slice_bounds(const struct array_view *v, const struct expr *e,
                         const struct datum *args, struct slice_bounds *ret)
{
    int32_t given = ((int32_t)e->arg_count - 1) / 2;
    if (given > v->ndim || v->ndim == 0) return false;
    for (int32_t d = 0; d < v->ndim; d++) {
        int64_t low = v->lower[d], high = low + v->dims[d] - 1;
        if (d < given) {
            const struct expr *l = e->args[1 + 2 * d], *h = e->args[2 + 2 * d];
            if (l && args[1 + 2 * d].v.i32 > low) low = args[1 + 2 * d].v.i32;
            if (h && args[2 + 2 * d].v.i32 < high) high = args[2 + 2 * d].v.i32;
        }
        if (high < low) return false;
        ret->from[d] = low - v->lower[d];
        ret->length[d] = high - low + 1;
    }
    return true;
}

static void slice_of_array(const struct array_view *v, const struct expr *e,
                           const struct datum *args, struct arena *a, struct datum *ret)
{
    struct slice_bounds b;
    struct array_view out = {.element = v->element};
    *ret = (struct datum){0};
    if (slice_bounds(v, e, args, &b)) {
        uint64_t total = 1;
        out.ndim = v->ndim;
        for (int32_t d = 0; d < v->ndim; d++) {
            out.lower[d] = 1;
            out.dims[d] = (int32_t)b.length[d];
            total *= (uint64_t)b.length[d];
        }
        out.count = (uint32_t)total;
        out.elements = ARENA_ARRAY(a, struct datum, total);
        for (uint64_t i = 0; i < total; i++) {
            uint64_t rest = i, at = 0, step = 1;
            for (int32_t d = v->ndim; d-- > 0;) {
                at += step * ((uint64_t)b.from[d] + rest % (uint64_t)b.length[d]);
                rest /= (uint64_t)b.length[d];
                step *= (uint64_t)v->dims[d];
            }
            out.elements[i] = v->elements[at];
        }
    }
    ret->v.bytes = array_make_view(a, &out);
}

enum status eval__subscript(const struct expr *e, const struct datum *args, struct arena *a,
                            struct datum *ret)
{
    *ret = eval__null();
    /* A bound left open in a slice has no expression: that is not a NULL. */
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (e->args[i] && args[i].null) return OK;
    struct array_view v;
    TRY(array_open(&args[0].v.bytes, a, &v));
    if (e->subscript.slice)
        slice_of_array(&v, e, args, a, ret);
    else
        element_at(&v, e, args, ret);
    return OK;
}
