/* to_json, row_to_json, json_build_array, json_object and their like for jsonb. What they build of type json has the
 * blanks that PostgreSQL puts there. */
#include "exec/functions/json_priv.h"

/* --- one value -------------------------------------------------------------------------------- */

static enum status one_text(struct call_ctx *c, const struct datum *args, bool pretty,
                            struct datum *ret)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    TRY(json__add_text(c, text__arg_type(c, 0), &args[0], pretty, &b));
    return text__ret(&b, ret);
}

SCALAR(json__to_json) { return one_text(c, args, false, ret); }
SCALAR(json__array) { return one_text(c, args, false, ret); }
SCALAR(json__row) { return one_text(c, args, false, ret); }
SCALAR(json__array_pretty) { return one_text(c, args, args[1].v.b, ret); }
SCALAR(json__row_pretty) { return one_text(c, args, args[1].v.b, ret); }

SCALAR(json__to_jsonb)
{
    struct json_value v;
    TRY(json__to_value(c, text__arg_type(c, 0), &args[0], &v));
    return ret_jsonb(c, &v, ret);
}

/* --- many ------------------------------------------------------------------------------------- */

/* The arguments, or the elements of the array that VARIADIC gives. */
struct given {
    const struct datum *values;
    uint32_t count;
    type_id element; /* of the array; TYPE_NONE: each has its own type */
};

/* *ret_null: the array is NULL. */
static enum status open_given(struct call_ctx *c, const struct datum *args, uint32_t n,
                              struct given *ret, bool *ret_null)
{
    struct array_view v;
    *ret = (struct given){.values = args, .count = n};
    *ret_null = false;
    if (!n || !c->expr || !c->expr->call.variadic_array) return OK;
    *ret_null = args[0].null;
    if (args[0].null) return OK;
    TRY(array_open(&args[0].v.bytes, c->arena, &v));
    *ret = (struct given){.values = v.elements, .count = v.count, .element = v.element};
    return OK;
}

static type_id given_type(const struct call_ctx *c, const struct given *g, uint32_t i)
{
    return g->element ? g->element : text__arg_type(c, i);
}

SCALAR(json__build_array)
{
    struct given g;
    struct strbuf b;
    bool null;
    TRY(open_given(c, args, n, &g, &null));
    if (null) return ret_null(ret);
    strbuf_init(&b, c->arena);
    strbuf_addc(&b, '[');
    for (uint32_t i = 0; i < g.count; i++) {
        if (i) strbuf_adds(&b, ", ");
        TRY(json__add_text(c, given_type(c, &g, i), &g.values[i], false, &b));
    }
    strbuf_addc(&b, ']');
    return text__ret(&b, ret);
}

static enum status odd_count(const char *name)
{
    (void)FAIL(INVALID_PARAMETER_VALUE, "argument list must have even number of elements");
    return error_hint("The arguments of %s() must consist of alternating keys and values.", name);
}

SCALAR(json__build_object)
{
    struct given g;
    struct strbuf b;
    bool null;
    TRY(open_given(c, args, n, &g, &null));
    if (null) return ret_null(ret);
    if (g.count % 2) return odd_count("json_build_object");
    strbuf_init(&b, c->arena);
    strbuf_addc(&b, '{');
    for (uint32_t i = 0; i < g.count; i += 2) {
        if (i) strbuf_adds(&b, ", ");
        if (g.values[i].null) {
            (void)FAIL(INVALID_PARAMETER_VALUE, "argument %u cannot be null", i + 1);
            return error_hint("Object keys should be text.");
        }
        TRY(json__add_key(c, given_type(c, &g, i), &g.values[i], &b));
        strbuf_adds(&b, " : ");
        TRY(json__add_text(c, given_type(c, &g, i + 1), &g.values[i + 1], false, &b));
    }
    strbuf_addc(&b, '}');
    return text__ret(&b, ret);
}

SCALAR(jsonb__build_array)
{
    struct given g;
    struct json_value v = {.kind = JSON_ARRAY}, in;
    bool null;
    TRY(open_given(c, args, n, &g, &null));
    if (null) return ret_null(ret);
    for (uint32_t i = 0; i < g.count; i++) {
        TRY(json__to_value(c, given_type(c, &g, i), &g.values[i], &in));
        json_push(c->arena, &v, in);
    }
    return ret_jsonb(c, &v, ret);
}

SCALAR(jsonb__build_object)
{
    struct given g;
    struct json_value v = {.kind = JSON_OBJECT}, in;
    struct slice key;
    bool null;
    TRY(open_given(c, args, n, &g, &null));
    if (null) return ret_null(ret);
    if (g.count % 2) return odd_count("jsonb_build_object");
    for (uint32_t i = 0; i < g.count; i += 2) {
        if (g.values[i].null)
            return FAIL(INVALID_PARAMETER_VALUE, "argument %u: key must not be null", i + 1);
        TRY(json__to_key(c, given_type(c, &g, i), &g.values[i], &key));
        TRY(json__to_value(c, given_type(c, &g, i + 1), &g.values[i + 1], &in));
        json_put(c->arena, &v, key, in);
    }
    return ret_jsonb(c, &v, ret);
}

/* --- of arrays of text ------------------------------------------------------------------------ */

/* Keys and values, one after the other, from an array of pairs or of both by turns, or from two arrays. */
struct members {
    const struct datum *keys, *values;
    uint32_t count, step;
};

static enum status one_array(struct call_ctx *c, const struct datum *arg, struct members *ret)
{
    struct array_view v;
    TRY(array_open(&arg->v.bytes, c->arena, &v));
    if (v.ndim == 1 && v.dims[0] % 2)
        return FAIL(ARRAY_SUBSCRIPT_ERROR, "array must have even number of elements");
    if (v.ndim == 2 && v.dims[1] != 2)
        return FAIL(ARRAY_SUBSCRIPT_ERROR, "array must have two columns");
    if (v.ndim > 2) return FAIL(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    *ret = (struct members){v.elements, v.elements + 1, v.count / 2, 2};
    return OK;
}

static enum status two_arrays(struct call_ctx *c, const struct datum *args, struct members *ret)
{
    struct array_view keys, values;
    TRY(array_open(&args[0].v.bytes, c->arena, &keys));
    TRY(array_open(&args[1].v.bytes, c->arena, &values));
    if (keys.ndim > 1 || keys.ndim != values.ndim)
        return FAIL(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    if (keys.count != values.count)
        return FAIL(ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions");
    *ret = (struct members){keys.elements, values.elements, keys.count, 1};
    return OK;
}

static enum status members_text(struct call_ctx *c, const struct members *m, struct datum *ret)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_addc(&b, '{');
    for (uint32_t i = 0; i < m->count; i++) {
        const struct datum *key = &m->keys[i * m->step], *value = &m->values[i * m->step];
        if (key->null)
            return FAIL(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key");
        if (i) strbuf_adds(&b, ", ");
        json_quote(bytes_slice(&key->v.bytes), &b);
        strbuf_adds(&b, " : ");
        if (value->null) strbuf_adds(&b, "null");
        else json_quote(bytes_slice(&value->v.bytes), &b);
    }
    strbuf_addc(&b, '}');
    return text__ret(&b, ret);
}

static enum status members_jsonb(struct call_ctx *c, const struct members *m, struct datum *ret)
{
    struct json_value v = {.kind = JSON_OBJECT}, none = {.kind = JSON_NULL};
    for (uint32_t i = 0; i < m->count; i++) {
        const struct datum *key = &m->keys[i * m->step], *value = &m->values[i * m->step];
        if (key->null)
            return FAIL(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key");
        json_put(c->arena, &v, bytes_slice(&key->v.bytes),
                 value->null ? none : json_string(bytes_slice(&value->v.bytes)));
    }
    return ret_jsonb(c, &v, ret);
}

#define OBJECT(name, gather, make)                                                                 \
    SCALAR(name)                                                                                   \
    {                                                                                              \
        struct members m;                                                                          \
        TRY(gather(c, args, &m));                                                                  \
        return make(c, &m, ret);                                                                   \
    }
OBJECT(json__object, one_array, members_text)
OBJECT(json__object_two, two_arrays, members_text)
OBJECT(jsonb__object, one_array, members_jsonb)
OBJECT(jsonb__object_two, two_arrays, members_jsonb)
