/* Functions and operators on ranges and multiranges. A range is a list of at most one: so what PostgreSQL has
 * four functions for (range and range, range and multirange …) is one here. The type is in the value. */
#include "types/range.h"

#include "exec/functions/functions_priv.h"
#include "types/array.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c __attribute__((unused)),                            \
                            const struct datum *args __attribute__((unused)),                      \
                            uint32_t n __attribute__((unused)), struct datum *ret)

static enum status two(struct call_ctx *c, const struct datum *args, struct ranges *a,
                       struct ranges *b)
{
    TRY(ranges_open(&args[0].v.bytes, c->arena, a));
    return ranges_open(&args[1].v.bytes, c->arena, b);
}

static enum status ret_ranges(struct call_ctx *c, const struct ranges *r, struct datum *ret)
{
    return ret_bytes(ret, ranges_close(r, c->arena));
}

/* --- making ----------------------------------------------------------------------------------- */

static enum status make(struct call_ctx *c, const struct datum *args, bool lower, bool upper,
                        struct datum *ret)
{
    struct range x;
    struct ranges r = {.type = c->expr->type, .items = &x};
    struct range_bound low = {.lower = true, .infinite = args[0].null, .inclusive = lower};
    struct range_bound high = {.infinite = args[1].null, .inclusive = upper};
    if (!args[0].null) low.v = args[0].v;
    if (!args[1].null) high.v = args[1].v;
    TRY(range_make(r.type, &low, &high, c->arena, &x));
    r.count = !x.empty;
    return ret_ranges(c, &r, ret);
}

FN(range_2) { return make(c, args, true, false, ret); }

FN(range_3)
{
    bool lower, upper;
    if (args[2].null)
        return FAIL(DATA_EXCEPTION, "range constructor flags argument must not be null");
    TRY(range_flags(bytes_slice(&args[2].v.bytes), &lower, &upper));
    return make(c, args, lower, upper, ret);
}

FN(multirange_0)
{
    struct ranges r = {.type = range_of(c->expr->type)};
    return ret_ranges(c, &r, ret);
}

FN(multirange_1)
{
    ret->v = args[0].v;
    return OK;
}

FN(multirange_2)
{
    struct array_view v;
    struct ranges r = {.type = range_of(c->expr->type)}, one;
    TRY(array_open(&args[0].v.bytes, c->arena, &v));
    if (v.ndim > 1)
        return FAIL(CARDINALITY_VIOLATION,
                    "multiranges cannot be constructed from multidimensional arrays");
    r.items = ARENA_ARRAY(c->arena, struct range, v.count + 1);
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.elements[i].null)
            return FAIL(NULL_VALUE_NOT_ALLOWED, "multirange values cannot contain null members");
        TRY(ranges_open(&v.elements[i].v.bytes, c->arena, &one));
        if (one.count) r.items[r.count++] = one.items[0];
    }
    ranges_normalize(&r);
    return ret_ranges(c, &r, ret);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* The first lower and the last upper bound; false: it is empty. */
static enum status bounds(struct call_ctx *c, const struct datum *arg, struct range *ret, bool *any)
{
    struct ranges r;
    TRY(ranges_open(&arg->v.bytes, c->arena, &r));
    *any = r.count > 0;
    if (*any) *ret = (struct range){.lower = r.items[0].lower, .upper = r.items[r.count - 1].upper};
    return OK;
}

#define BOUND(which)                                                                               \
    FN(which##_value)                                                                              \
    {                                                                                              \
        struct range r;                                                                            \
        bool any;                                                                                  \
        TRY(bounds(c, &args[0], &r, &any));                                                        \
        if (!any || r.which.infinite) return ret_null(ret);                                        \
        ret->v = r.which.v;                                                                        \
        return OK;                                                                                 \
    }                                                                                              \
    FN(which##_is_in)                                                                              \
    {                                                                                              \
        struct range r;                                                                            \
        bool any;                                                                                  \
        TRY(bounds(c, &args[0], &r, &any));                                                        \
        ret->v.b = any && r.which.inclusive;                                                       \
        return OK;                                                                                 \
    }                                                                                              \
    FN(which##_is_infinite)                                                                        \
    {                                                                                              \
        struct range r;                                                                            \
        bool any;                                                                                  \
        TRY(bounds(c, &args[0], &r, &any));                                                        \
        ret->v.b = any && r.which.infinite;                                                        \
        return OK;                                                                                 \
    }
BOUND(lower)
BOUND(upper)

FN(is_empty)
{
    struct range r;
    bool any;
    TRY(bounds(c, &args[0], &r, &any));
    ret->v.b = !any;
    return OK;
}

/* --- order ------------------------------------------------------------------------------------ */

#define ORDER(name, test)                                                                          \
    FN(name)                                                                                       \
    {                                                                                              \
        int order = ranges_compare(&args[0].v.bytes, &args[1].v.bytes);                            \
        ret->v.b = order test 0;                                                                   \
        return OK;                                                                                 \
    }
ORDER(equal, ==)
ORDER(not_equal, !=)
ORDER(less, <)
ORDER(less_equal, <=)
ORDER(greater, >)
ORDER(greater_equal, >=)

FN(compare)
{
    ret->v.i32 = ranges_compare(&args[0].v.bytes, &args[1].v.bytes);
    return OK;
}

/* --- questions -------------------------------------------------------------------------------- */

FN(contains)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    ret->v.b = ranges_contain(&a, &b);
    return OK;
}

FN(contained)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    ret->v.b = ranges_contain(&b, &a);
    return OK;
}

FN(contains_value)
{
    struct ranges a;
    TRY(ranges_open(&args[0].v.bytes, c->arena, &a));
    ret->v.b = ranges_contain_value(&a, &args[1].v);
    return OK;
}

FN(value_contained)
{
    struct ranges a;
    TRY(ranges_open(&args[1].v.bytes, c->arena, &a));
    ret->v.b = ranges_contain_value(&a, &args[0].v);
    return OK;
}

FN(overlap)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    ret->v.b = ranges_overlap(&a, &b);
    return OK;
}

/* Of the spans x and y of two that are not empty. */
#define SPANS(name, test)                                                                          \
    FN(name)                                                                                       \
    {                                                                                              \
        struct ranges a, b;                                                                        \
        TRY(two(c, args, &a, &b));                                                                 \
        if (!a.count || !b.count) return OK;                                                       \
        struct range x = *ranges_span(&a, c->arena).items, y = *ranges_span(&b, c->arena).items;   \
        ret->v.b = test;                                                                           \
        return OK;                                                                                 \
    }
SPANS(before, range_compare_bounds(a.type, &x.upper, &y.lower) < 0)
SPANS(after, range_compare_bounds(a.type, &x.lower, &y.upper) > 0)
SPANS(over_left, range_compare_bounds(a.type, &x.upper, &y.upper) <= 0)
SPANS(over_right, range_compare_bounds(a.type, &x.lower, &y.lower) >= 0)
SPANS(adjacent, range_adjacent(a.type, &x, &y))

/* --- sets ------------------------------------------------------------------------------------- */

FN(multirange_union)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    a = ranges_union(&a, &b, c->arena);
    return ret_ranges(c, &a, ret);
}

FN(multirange_difference)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    a = ranges_difference(&a, &b, c->arena);
    return ret_ranges(c, &a, ret);
}

FN(intersection)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    a = ranges_intersection(&a, &b, c->arena);
    return ret_ranges(c, &a, ret);
}

FN(range_union)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    a = ranges_union(&a, &b, c->arena);
    if (a.count > 1) return FAIL(DATA_EXCEPTION, "result of range union would not be contiguous");
    return ret_ranges(c, &a, ret);
}

FN(range_difference)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    a = ranges_difference(&a, &b, c->arena);
    if (a.count > 1)
        return FAIL(DATA_EXCEPTION, "result of range difference would not be contiguous");
    return ret_ranges(c, &a, ret);
}

FN(merge)
{
    struct ranges a, b;
    TRY(two(c, args, &a, &b));
    a = ranges_union(&a, &b, c->arena);
    a = ranges_span(&a, c->arena);
    return ret_ranges(c, &a, ret);
}

FN(span)
{
    struct ranges a;
    TRY(ranges_open(&args[0].v.bytes, c->arena, &a));
    a = ranges_span(&a, c->arena);
    return ret_ranges(c, &a, ret);
}

#define BOTH(name, f) {"range_" name, f, NULL}, {"multirange_" name, f, NULL}
/* Of a range with a multirange, a multirange with either. */
#define THREE(name, f)                                                                             \
    {"range_" name "_multirange", f, NULL}, {"multirange_" name "_range", f, NULL},                \
    {"multirange_" name "_multirange", f, NULL}
#define FOUR(name, f) {"range_" name, f, NULL}, THREE(name, f)

const struct proc_binding exec__range_functions[] = {
    {"range_constructor2", range_2, NULL}, {"range_constructor3", range_3, NULL},
    {"multirange_constructor0", multirange_0, NULL},
    {"multirange_constructor1", multirange_1, NULL},
    {"multirange_constructor2", multirange_2, NULL},
    BOTH("lower", lower_value), BOTH("upper", upper_value), BOTH("lower_inc", lower_is_in),
    BOTH("upper_inc", upper_is_in), BOTH("lower_inf", lower_is_infinite),
    BOTH("upper_inf", upper_is_infinite), BOTH("empty", is_empty),
    BOTH("eq", equal), BOTH("ne", not_equal), BOTH("lt", less), BOTH("le", less_equal),
    BOTH("gt", greater), BOTH("ge", greater_equal), BOTH("cmp", compare),
    BOTH("contains_elem", contains_value),
    {"elem_contained_by_range", value_contained, NULL},
    {"elem_contained_by_multirange", value_contained, NULL},
    FOUR("contains", contains), FOUR("contained_by", contained), FOUR("overlaps", overlap),
    FOUR("before", before), FOUR("after", after), FOUR("overleft", over_left),
    FOUR("overright", over_right), FOUR("adjacent", adjacent),
    {"range_union", range_union, NULL}, {"multirange_union", multirange_union, NULL},
    {"range_minus", range_difference, NULL}, {"multirange_minus", multirange_difference, NULL},
    BOTH("intersect", intersection), {"range_merge", merge, NULL},
    {"range_merge_from_multirange", span, NULL},
};
BINDING_COUNT(range)
