/* Methods of jsonpath: .type(), .size(), .double(), .keyvalue() and their kin. */
#include "exec/functions/jsonpath_priv.h"

#include <math.h>

#include "types/cast.h"
#include "types/numeric.h"

/* What .keyvalue() multiplies the number of the object's own document by. */
#define ID_STEP 10000000000ll

#define NOT_A_NUMBER(r, ...) path__fail((r), FAIL(NON_NUMERIC_JSON_ITEM, __VA_ARGS__), ret)

static struct json_value whole(struct path_run *r, int64_t n)
{
    struct numeric x = numeric_from_i64(r->a, n);
    return json_number(r->a, &x);
}

static enum status size_of(struct path_run *r, const struct jsonpath_item *i,
                           const struct json_value *v, struct path_list *found,
                           enum path_outcome *ret)
{
    *ret = PATH_NOTHING;
    if (v->kind != JSON_ARRAY && !r->lax) {
        if (r->ignore) return OK;
        return path__fail(r, FAIL(JSON_ARRAY_NOT_FOUND, "jsonpath item method .%s() can only be applied "
                                                        "to an array", jsonpath_operation(i->kind)), ret);
    }
    struct json_value n = whole(r, v->kind == JSON_ARRAY ? v->count : 1);
    return path__next(r, i, &n, found, ret);
}

static enum status rounded(struct path_run *r, const struct jsonpath_item *i,
                           const struct json_value *v, struct path_list *found,
                           enum path_outcome *ret)
{
    struct numeric n;
    if (v->kind != JSON_NUMBER)
        return NOT_A_NUMBER(r, "jsonpath item method .%s() can only be applied to a numeric value",
                            jsonpath_operation(i->kind));
    *ret = PATH_FOUND;
    if (!i->next && !found) return OK;
    n = jsonb_number(v, r->a);
    if (i->kind == PATH_ABS) n = numeric_abs(r->a, &n);
    else if (i->kind == PATH_FLOOR) TRY(numeric_floor(r->a, &n, &n));
    else TRY(numeric_ceil(r->a, &n, &n));
    struct json_value out = json_number(r->a, &n);
    return path__next(r, i, &out, found, ret);
}

/* A number must fit; a string must be one. */
static enum status as_double(struct path_run *r, const struct jsonpath_item *i,
                             const struct json_value *v, struct path_list *found,
                             enum path_outcome *ret)
{
    struct json_value out = *v;
    union value from = {0}, to = {0};
    struct numeric n;
    if (v->kind == JSON_NUMBER) {
        from.numeric = jsonb_number(v, r->a);
        if (cast_value(TYPE_NUMERIC, TYPE_FLOAT8, &from, NULL, r->a, &to) != OK)
            return NOT_A_NUMBER(r, "numeric argument of jsonpath item method .%s() is out of range "
                                   "for type double precision", jsonpath_operation(i->kind));
    } else if (v->kind == JSON_STRING) {
        enum status s = value_from_text(TYPE_FLOAT8, -1, v->bytes, &format_default, r->a, &to);
        if (s != OK || isinf(to.f64) || isnan(to.f64))
            return NOT_A_NUMBER(r, "string argument of jsonpath item method .%s() is not a valid "
                                   "representation of a double precision number",
                                jsonpath_operation(i->kind));
        TRY(cast_value(TYPE_FLOAT8, TYPE_NUMERIC, &to, NULL, r->a, &from));
        n = from.numeric;
        out = json_number(r->a, &n);
    } else {
        return NOT_A_NUMBER(r, "jsonpath item method .%s() can only be applied to a string or "
                               "numeric value", jsonpath_operation(i->kind));
    }
    return path__next(r, i, &out, found, ret);
}

static enum status one_pair(struct path_run *r, const struct jsonpath_item *i, struct json_pair p,
                            int64_t id, struct path_list *found, enum path_outcome *ret)
{
    struct json_value o = {.kind = JSON_OBJECT}, packed = o;
    struct bytes document;
    const char *base = r->base;
    int64_t base_id = r->base_id;
    json_put(r->a, &o, SLICE("key"), json_string(p.key));
    json_put(r->a, &o, SLICE("value"), p.value);
    json_put(r->a, &o, SLICE("id"), whole(r, id));
    TRY(jsonb_make(r->a, &o, &document));
    packed = jsonb_of(&document);
    r->base = packed.bytes.data;
    r->base_id = r->next_id++;
    enum status s = path__next(r, i, &packed, found, ret);
    r->base = base;
    r->base_id = base_id;
    return s;
}

static enum status keyvalue(struct path_run *r, const struct jsonpath_item *i,
                            const struct json_value *v, struct path_list *found,
                            enum path_outcome *ret)
{
    enum path_outcome any = PATH_NOTHING;
    if (v->kind != JSON_OBJECT)
        return path__fail(r, FAIL(JSON_OBJECT_NOT_FOUND, "jsonpath item method .%s() can only be applied "
                                                         "to an object", jsonpath_operation(i->kind)), ret);
    int64_t id = r->base && v->packed ? v->bytes.data - r->base : 0;
    id += r->base_id * ID_STEP;
    *ret = PATH_NOTHING;
    for (uint32_t k = 0; k < v->count; k++) {
        *ret = PATH_FOUND;
        if (!i->next && !found) return OK;
        TRY(one_pair(r, i, jsonb_pair(v, k), id, found, ret));
        if (*ret == PATH_ERROR || (*ret == PATH_FOUND && !found)) return OK;
        if (*ret == PATH_FOUND) any = PATH_FOUND;
    }
    *ret = any;
    return OK;
}

enum status path__method(struct path_run *r, const struct jsonpath_item *i,
                         const struct json_value *v, bool unwrap, struct path_list *found,
                         enum path_outcome *ret)
{
    struct json_value name;
    bool takes_arrays = i->kind == PATH_TYPE || i->kind == PATH_SIZE;
    if (!takes_arrays && unwrap && v->kind == JSON_ARRAY)
        return path__unwrapped(r, i, v, found, ret);
    switch (i->kind) {
    case PATH_TYPE:
        name = json_string(slice_of(json_kind_name((enum json_kind)v->kind)));
        return path__next(r, i, &name, found, ret);
    case PATH_SIZE: return size_of(r, i, v, found, ret);
    case PATH_DOUBLE: return as_double(r, i, v, found, ret);
    case PATH_KEYVALUE: return keyvalue(r, i, v, found, ret);
    case PATH_DATETIME:
        return UNSUPPORTED("jsonpath item method .datetime() is not supported yet");
    default: return rounded(r, i, v, found, ret);
    }
}
