/* Functions that look into arrays element by element: search, replacement, containment, filling,
 * and the ways from and to separated text. */
#include "exec/functions/array_priv.h"

/* --- search ----------------------------------------------------------------------------------- */

static enum status one_dimension(const struct array_view *v, const char *what)
{
    if (v->ndim <= 1) return OK;
    return FAIL(FEATURE_NOT_SUPPORTED, "%s multidimensional arrays is not supported", what);
}

SCALAR(array__position)
{
    if (args[0].null) return ret_null(ret);
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    TRY(one_dimension(&v, "searching for elements in"));
    int64_t from = v.lower[0];
    if (n > 2) {
        if (args[2].null)
            return FAIL(NULL_VALUE_NOT_ALLOWED, "initial position must not be null");
        if (args[2].v.i32 > from) from = args[2].v.i32;
    }
    for (int64_t i = from - v.lower[0]; i < (int64_t)v.count; i++)
        if (array__same(v.element, &v.elements[i], &args[1]))
            return ret_i32(ret, (int32_t)(i + v.lower[0]));
    return ret_null(ret);
}

SCALAR(array__positions)
{
    if (args[0].null) return ret_null(ret);
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    TRY(one_dimension(&v, "searching for elements in"));
    struct datum *found = ARENA_ARRAY(c->arena, struct datum, v.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < v.count; i++)
        if (array__same(v.element, &v.elements[i], &args[1]))
            found[count++].v.i32 = (int32_t)i + v.lower[0];
    return ret_bytes(ret, array_make(c->arena, TYPE_INT4, found, count));
}

SCALAR(array__remove)
{
    if (args[0].null) return ret_null(ret);
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    TRY(one_dimension(&v, "removing elements from"));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v.count; i++)
        if (!array__same(v.element, &v.elements[i], &args[1])) v.elements[kept++] = v.elements[i];
    v.count = kept;
    v.dims[0] = (int32_t)kept;
    return ret_bytes(ret, array_make_view(c->arena, &v));
}

SCALAR(array__replace)
{
    if (args[0].null) return ret_null(ret);
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    for (uint32_t i = 0; i < v.count; i++)
        if (array__same(v.element, &v.elements[i], &args[1])) v.elements[i] = args[2];
    return ret_bytes(ret, array_make_view(c->arena, &v));
}

/* --- containment: a NULL equals nothing ------------------------------------------------------- */

static bool contains_value(const struct array_view *v, const struct datum *d)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (!v->elements[i].null && value_compare(v->element, &v->elements[i].v, &d->v) == 0)
            return true;
    return false;
}

/* How many of `few` are among `all`: every one, or any. */
static enum status contained(struct call_ctx *c, const struct datum *few, const struct datum *all,
                             bool every, struct datum *ret)
{
    struct array_view part, whole;
    TRY(array__open(c, few, &part));
    TRY(array__open(c, all, &whole));
    if (part.count && whole.count && part.element != whole.element)
        return FAIL(DATATYPE_MISMATCH, "cannot compare arrays of different element types");
    for (uint32_t i = 0; i < part.count; i++) {
        bool in = !part.elements[i].null && contains_value(&whole, &part.elements[i]);
        if (in != every) return ret_bool(ret, !every);
    }
    return ret_bool(ret, every);
}

SCALAR(array__contains) { return contained(c, &args[1], &args[0], true, ret); }
SCALAR(array__contained) { return contained(c, &args[0], &args[1], true, ret); }
SCALAR(array__overlap) { return contained(c, &args[0], &args[1], false, ret); }

/* How many thresholds, ascending, are not above the value. */
SCALAR(array__bucket)
{
    struct array_view v;
    TRY(array__open(c, &args[1], &v));
    if (v.ndim > 1) return FAIL(ARRAY_SUBSCRIPT_ERROR, "thresholds must be one-dimensional array");
    for (uint32_t i = 0; i < v.count; i++)
        if (v.elements[i].null)
            return FAIL(NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs");
    uint32_t low = 0, high = v.count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (value_compare(v.element, &args[0].v, &v.elements[mid].v) < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return ret_i32(ret, (int32_t)low);
}

/* --- filling ---------------------------------------------------------------------------------- */

static enum status wrong_subscripts(const char *detail)
{
    FAIL(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    return error_detail("%s", detail);
}

/* The shape of the arguments is told before anything about their values. */
static enum status check_dims(const struct array_view *dims, const struct array_view *bounds)
{
    if (dims->ndim > 1) return wrong_subscripts("Dimension array must be one dimensional.");
    if (dims->count > ARRAY_DIMS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "number of array dimensions (%u) exceeds the maximum allowed (%d)",
                    dims->count, ARRAY_DIMS_MAX);
    if (!bounds) return OK;
    if (bounds->ndim > 1) return wrong_subscripts("Low bound array must be one dimensional.");
    if (bounds->count != dims->count)
        return wrong_subscripts("Low bound array has different size than dimensions array.");
    return OK;
}

static enum status read_dims(const struct array_view *dims, const struct array_view *bounds,
                             struct array_view *v)
{
    v->ndim = (int32_t)dims->count;
    uint64_t count = v->ndim > 0;
    for (uint32_t i = 0; i < dims->count; i++) {
        if (dims->elements[i].null || (bounds && bounds->elements[i].null))
            return FAIL(NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null");
        v->dims[i] = dims->elements[i].v.i32;
        v->lower[i] = bounds ? bounds->elements[i].v.i32 : 1;
        if (v->dims[i] >= 0) count *= (uint64_t)v->dims[i];
        if (v->dims[i] < 0 || count > ARRAY_ELEMENTS_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED,
                        "array size exceeds the maximum allowed (%d)", ARRAY_ELEMENTS_MAX);
        int32_t end;
        if (__builtin_add_overflow(v->lower[i], v->dims[i], &end))
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "array lower bound is too large: %d", v->lower[i]);
    }
    v->count = (uint32_t)count;
    return OK;
}

static enum status fill(struct call_ctx *c, const struct datum *args, bool has_bounds,
                        struct datum *ret)
{
    if (args[1].null || (has_bounds && args[2].null))
        return FAIL(NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null");
    struct array_view dims, bounds, v = {.element = array__result_element(c)};
    TRY(array__open(c, &args[1], &dims));
    if (has_bounds) TRY(array__open(c, &args[2], &bounds));
    TRY(check_dims(&dims, has_bounds ? &bounds : NULL));
    TRY(read_dims(&dims, has_bounds ? &bounds : NULL, &v));
    uint64_t limit = c->session->memory_limit_bytes;
    if (limit && (uint64_t)v.count * sizeof *v.elements > limit)
        return FAIL(OUT_OF_MEMORY, "out of memory");
    v.elements = ARENA_ARRAY(c->arena, struct datum, v.count);
    for (uint32_t i = 0; i < v.count; i++) v.elements[i] = args[0];
    return ret_bytes(ret, array_make_view(c->arena, &v));
}

SCALAR(array__fill) { return fill(c, args, false, ret); }
SCALAR(array__fill_bounds) { return fill(c, args, true, ret); }

/* --- to and from text ------------------------------------------------------------------------- */

static enum status to_text(struct call_ctx *c, const struct datum *args, const struct datum *null,
                           struct datum *ret)
{
    struct array_view v;
    TRY(array__open(c, &args[0], &v));
    struct slice separator = arg_slice(args, 1);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    bool any = false;
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.elements[i].null && null->null) continue;
        if (any) strbuf_add(&b, separator.data, separator.len);
        any = true;
        if (v.elements[i].null)
            strbuf_add(&b, bytes_data(&null->v.bytes), null->v.bytes.len);
        else
            text__output(c, v.element, &v.elements[i], &b);
        if (b.len > TEXT_BYTES_MAX) return text__too_long();
    }
    return text__ret(&b, ret);
}

SCALAR(array__to_text)
{
    struct datum none = {.null = true};
    return to_text(c, args, &none, ret);
}

SCALAR(array__to_text_null)
{
    if (args[0].null || args[1].null) return ret_null(ret);
    return to_text(c, args, &args[2], ret);
}

void array__split_begin(const struct datum *args, uint32_t n, struct text_split *ret)
{
    *ret = (struct text_split){.rest = arg_slice(args, 0), .by_char = args[1].null};
    if (!args[1].null) ret->separator = arg_slice(args, 1);
    ret->has_null = n > 2 && !args[2].null;
    if (ret->has_null) ret->null_text = arg_slice(args, 2);
    ret->done = ret->rest.len == 0;
}

bool array__split_next(struct text_split *s, struct datum *ret)
{
    if (s->done) return false;
    struct slice piece = s->rest;
    if (s->by_char) {
        piece.len = utf8_len(piece.data, piece.data + piece.len);
        s->rest = slice_from(s->rest, piece.len);
        s->done = s->rest.len == 0;
    } else {
        int64_t at = s->separator.len ? text__find(s->rest, s->separator, 0) : -1;
        s->done = at < 0;
        if (at >= 0) {
            piece.len = (size_t)at;
            s->rest = slice_from(s->rest, (size_t)at + s->separator.len);
        }
    }
    ret->null = s->has_null && slice_eq(piece, s->null_text);
    if (!ret->null) ret->v.bytes = bytes_ref(piece.data, (uint32_t)piece.len);
    return true;
}

static enum status from_text(struct call_ctx *c, const struct datum *args, uint32_t n,
                             struct datum *ret)
{
    if (args[0].null) return ret_null(ret);
    struct text_split split;
    array__split_begin(args, n, &split);
    uint32_t count = 0, room = 16;
    struct datum *elements = ARENA_ARRAY(c->arena, struct datum, room), d = {0};
    for (; array__split_next(&split, &d); elements[count++] = d) {
        if (count < room) continue;
        struct datum *wider = ARENA_ARRAY(c->arena, struct datum, (size_t)room * 2);
        memcpy(wider, elements, room * sizeof *elements);
        elements = wider;
        room *= 2;
    }
    return ret_bytes(ret, array_make(c->arena, TYPE_TEXT, elements, count));
}

SCALAR(array__from_text) { return from_text(c, args, n, ret); }
SCALAR(array__from_text_null) { return from_text(c, args, n, ret); }
