/* Functions on arrays: their shape, and joining them; and the table of all functions on arrays. */
#include "exec/functions/array_priv.h"

type_id array__result_element(const struct call_ctx *c)
{
    ASSERT(c->expr);
    const struct type_info *t = type_get(c->expr->type);
    return t && t->element != TYPE_NONE ? t->element : TYPE_TEXT;
}

/* --- shape ------------------------------------------------------------------------------------ */

static SCALAR(array_ndims)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    return v.ndim ? ret_i32(ret, v.ndim) : ret_null(ret);
}

static SCALAR(array_dims)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    if (v.ndim == 0) return ret_null(ret);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    for (int32_t i = 0; i < v.ndim; i++)
        strbuf_addf(&b, "[%d:%d]", v.lower[i], v.lower[i] + v.dims[i] - 1);
    return text__ret(&b, ret);
}

static SCALAR(array_cardinality)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    return ret_i32(ret, (int32_t)v.count);
}

enum shape { SHAPE_LENGTH, SHAPE_LOWER, SHAPE_UPPER };

/* NULL for a dimension that the array does not have. */
static enum status shape_of(struct call_ctx *c, const struct datum *args, enum shape what,
                            struct datum *ret)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    int32_t dim = args[1].v.i32;
    if (dim < 1 || dim > v.ndim) return ret_null(ret);
    int32_t length = v.dims[dim - 1], lower = v.lower[dim - 1];
    if (what == SHAPE_LENGTH) return ret_i32(ret, length);
    return ret_i32(ret, what == SHAPE_LOWER ? lower : lower + length - 1);
}

static SCALAR(array_length) { return shape_of(c, args, SHAPE_LENGTH, ret); }
static SCALAR(array_lower) { return shape_of(c, args, SHAPE_LOWER, ret); }
static SCALAR(array_upper) { return shape_of(c, args, SHAPE_UPPER, ret); }

/* --- joining ---------------------------------------------------------------------------------- */

static enum status too_many(void)
{
    return FAIL(PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (%d)",
                ARRAY_ELEMENTS_MAX);
}

/* `first` and then `second`, in one row-major block. */
static enum status join_elements(struct arena *a, const struct array_view *first,
                                 const struct array_view *second, struct array_view *ret)
{
    if ((uint64_t)first->count + second->count > ARRAY_ELEMENTS_MAX) return too_many();
    ret->count = first->count + second->count;
    ret->elements = ARENA_ARRAY(a, struct datum, ret->count);
    if (first->count)
        memcpy(ret->elements, first->elements, first->count * sizeof *ret->elements);
    if (second->count)
        memcpy(ret->elements + first->count, second->elements,
               second->count * sizeof *ret->elements);
    return OK;
}

/* The array keeps its lower bound. */
static enum status add_element(struct call_ctx *c, const struct datum *array, struct datum element,
                               bool at_end, struct datum *ret)
{
    struct array_view v = {.element = array__result_element(c)};
    if (!array->null) TRY(array__open(c, array, &v));
    if (v.ndim > 1)
        return FAIL(DATA_EXCEPTION, "argument must be empty or one-dimensional array");
    struct array_view one = {.element = v.element, .count = 1, .elements = &element}, joined = v;
    TRY(join_elements(c->arena, at_end ? &v : &one, at_end ? &one : &v, &joined));
    if (v.ndim == 0) joined.lower[0] = 1;
    joined.ndim = 1;
    joined.dims[0] = (int32_t)joined.count;
    int32_t upper;
    if (__builtin_add_overflow(joined.lower[0], joined.dims[0] - 1, &upper))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    return ret_bytes(ret, array_make_view(c->arena, &joined));
}

static SCALAR(array_append) { return add_element(c, &args[0], args[1], true, ret); }
static SCALAR(array_prepend) { return add_element(c, &args[1], args[0], false, ret); }

static enum status incompatible(void)
{
    return FAIL(ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays");
}

/* Shapes may be the same but for the first dimension, or one array may be an element of the
 * other, which then gives the result its lower bounds. */
static enum status joined_shape(const struct array_view *a, const struct array_view *b,
                                struct array_view *ret)
{
    if (a->ndim - b->ndim > 1 || b->ndim - a->ndim > 1) {
        (void)incompatible();
        return error_detail("Arrays of %d and %d dimensions are not compatible for concatenation.",
                            a->ndim, b->ndim);
    }
    const struct array_view *outer = b->ndim > a->ndim ? b : a;
    *ret = *outer;
    ret->dims[0] = outer == a && a->ndim == b->ndim ? a->dims[0] + b->dims[0] : outer->dims[0] + 1;
    int32_t skip_a = a->ndim == outer->ndim, skip_b = b->ndim == outer->ndim;
    for (int32_t i = 0; i + 1 < outer->ndim; i++) {
        if (a->dims[skip_a + i] == b->dims[skip_b + i] &&
            a->lower[skip_a + i] == b->lower[skip_b + i])
            continue;
        (void)incompatible();
        return error_detail(a->ndim == b->ndim
                                ? "Arrays with differing element dimensions are not compatible for "
                                  "concatenation."
                                : "Arrays with differing dimensions are not compatible for "
                                  "concatenation.");
    }
    return OK;
}

static SCALAR(array_cat)
{
    if (args[0].null || args[1].null) {
        *ret = args[0].null ? args[1] : args[0];
        return OK;
    }
    struct array_view a, b, joined;
    TRY(array__open(c, &args[0], &a));
    TRY(array__open(c, &args[1], &b));
    if (a.ndim == 0 || b.ndim == 0) {
        *ret = a.ndim == 0 ? args[1] : args[0];
        return OK;
    }
    TRY(joined_shape(&a, &b, &joined));
    TRY(join_elements(c->arena, &a, &b, &joined));
    return ret_bytes(ret, array_make_view(c->arena, &joined));
}

/* Without its last elements, of the first dimension. */
static SCALAR(trim_array)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    int32_t length = v.ndim ? v.dims[0] : 0, cut = args[1].v.i32;
    if (cut < 0 || cut > length)
        return FAIL(ARRAY_SUBSCRIPT_ERROR,
                    "number of elements to trim must be between 0 and %d", length);
    if (length == 0) {
        *ret = args[0];
        return OK;
    }
    v.count = v.count / (uint32_t)length * (uint32_t)(length - cut);
    v.dims[0] = length - cut;
    for (int32_t i = 0; i < v.ndim; i++) v.lower[i] = 1;
    return ret_bytes(ret, array_make_view(c->arena, &v));
}

/* "integer, text" */
static SCALAR(oidvector_types)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    struct strbuf b;
    strbuf_init(&b, c->arena);
    for (uint32_t i = 0; i < v.count; i++) {
        if (i) strbuf_adds(&b, ", ");
        type_format(v.elements[i].v.u32, -1, &b);
    }
    return text__ret(&b, ret);
}

/* --- the table -------------------------------------------------------------------------------- */

const struct proc_binding exec__array_functions[] = {
    {"array_ndims", array_ndims, NULL}, {"array_dims", array_dims, NULL},
    {"array_cardinality", array_cardinality, NULL}, {"array_length", array_length, NULL},
    {"array_lower", array_lower, NULL}, {"array_upper", array_upper, NULL},
    {"array_append", array_append, NULL}, {"array_prepend", array_prepend, NULL},
    {"array_cat", array_cat, NULL}, {"trim_array", trim_array, NULL},
    {"oidvectortypes", oidvector_types, NULL},
    {"array_position", array__position, NULL}, {"array_position_start", array__position, NULL},
    {"array_positions", array__positions, NULL}, {"array_remove", array__remove, NULL},
    {"array_replace", array__replace, NULL}, {"arrayoverlap", array__overlap, NULL},
    {"arraycontains", array__contains, NULL}, {"arraycontained", array__contained, NULL},
    {"width_bucket_array", array__bucket, NULL}, {"array_fill", array__fill, NULL},
    {"array_fill_with_lower_bounds", array__fill_bounds, NULL},
    {"array_to_text", array__to_text, NULL}, {"array_to_text_null", array__to_text_null, NULL},
    {"text_to_array", array__from_text, NULL},
    {"text_to_array_null", array__from_text_null, NULL},
};
BINDING_COUNT(array)
