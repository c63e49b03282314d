/* Changing jsonb at a path: setting, inserting, taking out, with or without making what is missing. Only the
 * containers along the path are taken apart; all beside it is copied as bytes. */
#include "exec/functions/json_priv.h"

#include "base/fiber.h"

enum { STACK_MIN = 64 << 10, FILL_MAX = 1 << 26 };

struct edit {
    struct arena *a;
    const struct datum *path;
    uint32_t count;
    const struct json_value *value; /* NULL: there is none */
    unsigned how;
};

static struct slice step_text(const struct edit *e, uint32_t level)
{
    return bytes_slice(&e->path[level].v.bytes);
}

static enum status null_step(uint32_t level)
{
    return FAIL(NULL_VALUE_NOT_ALLOWED, "path element at position %u is null", level + 1);
}

static enum status step_index(const struct edit *e, uint32_t level, int32_t *ret)
{
    struct slice s = step_text(e, level);
    if (json__index(s, ret)) return OK;
    return FAIL(INVALID_TEXT_REPRESENTATION, "path element at position %u is not an integer: \"%.*s\"",
                level + 1, (int)s.len, s.data);
}

static enum status push_nulls(const struct edit *e, struct json_value *array, int64_t n)
{
    const struct json_value none = {.kind = JSON_NULL};
    if (n > FILL_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "number of jsonb array elements exceeds the maximum allowed (%d)", FILL_MAX);
    for (; n > 0; n--) json_push(e->a, array, none);
    return OK;
}

/* The value inside of containers for the rest of the path. A number makes an array, a name an object. */
static enum status chain(const struct edit *e, uint32_t level, struct json_value *ret)
{
    *ret = *e->value;
    for (uint32_t i = e->count; i-- > level;) {
        struct json_value outer = {.kind = JSON_OBJECT};
        int32_t at;
        if (e->path[i].null) return null_step(i);
        if (json__index(step_text(e, i), &at)) {
            outer.kind = JSON_ARRAY;
            TRY(push_nulls(e, &outer, at));
            json_push(e->a, &outer, *ret);
        } else {
            json_put(e->a, &outer, step_text(e, i), *ret);
        }
        *ret = outer;
    }
    return OK;
}

static enum status edit(const struct edit *e, const struct json_value *v, uint32_t level,
                        struct json_value *ret);

static enum status edit_member(const struct edit *e, struct json_pair p, uint32_t level,
                               struct json_value *out)
{
    if (level + 1 < e->count) {
        struct json_value in = p.value;
        TRY(edit(e, &in, level + 1, &p.value));
    } else if (e->how & (EDIT_BEFORE | EDIT_AFTER)) {
        (void)FAIL(INVALID_PARAMETER_VALUE, "cannot replace existing key");
        return error_hint("Try using the function jsonb_set to replace key value.");
    } else if (e->how & EDIT_DELETE) {
        return OK;
    } else {
        p.value = *e->value;
    }
    json_put(e->a, out, p.key, p.value);
    return OK;
}

static enum status edit_object(const struct edit *e, const struct json_value *v, uint32_t level,
                               struct json_value *out)
{
    struct slice key = step_text(e, level);
    bool done = false, last = level + 1 == e->count;
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_pair p = jsonb_pair(v, i);
        if (slice_eq(p.key, key)) {
            done = true;
            TRY(edit_member(e, p, level, out));
        } else {
            json_put(e->a, out, p.key, p.value);
        }
    }
    if (done) return OK;
    if (last && e->how & EDIT_INSERTS) json_put(e->a, out, key, *e->value);
    if (!last && e->how & EDIT_FILL) {
        struct json_value made;
        TRY(chain(e, level + 1, &made));
        json_put(e->a, out, key, made);
    }
    return OK;
}

static enum status edit_element(const struct edit *e, const struct json_value *in, uint32_t level,
                                struct json_value *out)
{
    struct json_value changed;
    if (level + 1 < e->count) {
        TRY(edit(e, in, level + 1, &changed));
        json_push(e->a, out, changed);
        return OK;
    }
    if (e->how & (EDIT_BEFORE | EDIT_CREATE)) json_push(e->a, out, *e->value);
    if (e->how & (EDIT_BEFORE | EDIT_AFTER)) json_push(e->a, out, *in);
    if (e->how & (EDIT_AFTER | EDIT_REPLACE)) json_push(e->a, out, *e->value);
    return OK;
}

/* No element has that number: `at` is beyond them, or INT64_MIN, before them. */
static enum status extend_array(const struct edit *e, int64_t at, uint32_t count, uint32_t level,
                                struct json_value *out)
{
    bool last = level + 1 == e->count, fill = e->how & EDIT_FILL;
    struct json_value made;
    if (last && e->how & EDIT_INSERTS) {
        if (fill) TRY(push_nulls(e, out, at - count));
        json_push(e->a, out, *e->value);
    }
    if (last || !fill) return OK;
    TRY(push_nulls(e, out, at - count));
    TRY(chain(e, level + 1, &made));
    json_push(e->a, out, made);
    return OK;
}

static enum status edit_array(const struct edit *e, const struct json_value *v, uint32_t level,
                              struct json_value *out)
{
    int32_t given;
    TRY(step_index(e, level, &given));
    int64_t at = given;
    if (at < 0) at += v->count;
    if (at < 0 && e->how & EDIT_FILL)
        return FAIL(INVALID_PARAMETER_VALUE, "path element at position %u is out of range: %d",
                    level + 1, given);
    bool front = at < 0 && level + 1 == e->count && e->how & EDIT_INSERTS;
    if (front) json_push(e->a, out, *e->value);
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_value in = jsonb_item(v, i);
        if (i == at) TRY(edit_element(e, &in, level, out));
        else json_push(e->a, out, in);
    }
    return front || at < 0 || at < v->count ? OK : extend_array(e, at, v->count, level, out);
}

static enum status edit(const struct edit *e, const struct json_value *v, uint32_t level,
                        struct json_value *ret)
{
    if (fiber_stack_left() < STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (e->path[level].null) return null_step(level);
    if (!json_is_container(v)) {
        *ret = *v;
        if (!(e->how & EDIT_FILL)) return OK;
        (void)FAIL(INVALID_PARAMETER_VALUE, "cannot replace existing key");
        return error_detail("The path assumes key is a composite object, but it is a scalar value.");
    }
    *ret = (struct json_value){.kind = v->kind};
    return v->kind == JSON_OBJECT ? edit_object(e, v, level, ret) : edit_array(e, v, level, ret);
}

enum status json__edit(struct arena *a, const struct json_value *root, const struct datum *path,
                       uint32_t path_count, const struct json_value *value, unsigned how,
                       struct json_value *ret)
{
    const struct edit e = {.a = a, .path = path, .count = path_count, .value = value, .how = how};
    ASSERT(path_count > 0);
    return edit(&e, root, 0, ret);
}

/* --- functions -------------------------------------------------------------------------------- */

enum status json__path(struct call_ctx *c, const struct datum *arg, struct array_view *ret)
{
    TRY(array_open(&arg->v.bytes, c->arena, ret));
    if (ret->ndim > 1) return FAIL(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    return OK;
}

/* Of the document in args[0] at the path in args[1]; `scalar`: the words for a document that is one. */
static enum status change(struct call_ctx *c, const struct datum *args,
                          const struct json_value *value, unsigned how, const char *scalar,
                          struct datum *ret)
{
    struct json_value v = arg_jsonb(args, 0), changed;
    struct array_view path;
    TRY(json__path(c, &args[1], &path));
    if (!json_is_container(&v)) return FAIL(INVALID_PARAMETER_VALUE, "%s", scalar);
    if (path.count == 0 || (v.count == 0 && !(how & EDIT_INSERTS))) {
        *ret = args[0];
        return OK;
    }
    TRY(json__edit(c->arena, &v, path.elements, path.count, value, how, &changed));
    return ret_jsonb(c, &changed, ret);
}

SCALAR(jsonb__delete_path)
{
    return change(c, args, NULL, EDIT_DELETE, "cannot delete path in scalar", ret);
}

SCALAR(jsonb__set)
{
    struct json_value value = arg_jsonb(args, 2);
    return change(c, args, &value, args[3].v.b ? EDIT_CREATE : EDIT_REPLACE,
                  "cannot set path in scalar", ret);
}

SCALAR(jsonb__insert)
{
    struct json_value value = arg_jsonb(args, 2);
    return change(c, args, &value, args[3].v.b ? EDIT_AFTER : EDIT_BEFORE,
                  "cannot set path in scalar", ret);
}

static enum status bad_treatment(void)
{
    return FAIL(INVALID_PARAMETER_VALUE, "null_value_treatment must be \"delete_key\", "
                                         "\"return_target\", \"use_json_null\", or "
                                         "\"raise_exception\"");
}

SCALAR(jsonb__set_lax)
{
    const struct json_value none = {.kind = JSON_NULL};
    if (args[0].null || args[1].null || args[3].null) return ret_null(ret);
    if (args[4].null) return bad_treatment();
    if (!args[2].null) return jsonb__set(c, args, n, ret);
    struct slice how = arg_slice(args, 4);
    if (slice_eq(how, SLICE("raise_exception"))) {
        (void)FAIL(NULL_VALUE_NOT_ALLOWED, "JSON value must not be null");
        (void)error_detail(
            "Exception was raised because null_value_treatment is \"raise_exception\".");
        return error_hint("To avoid, either change the null_value_treatment argument or ensure that "
                          "an SQL NULL is not passed.");
    }
    if (slice_eq(how, SLICE("use_json_null")))
        return change(c, args, &none, args[3].v.b ? EDIT_CREATE : EDIT_REPLACE,
                      "cannot set path in scalar", ret);
    if (slice_eq(how, SLICE("delete_key"))) return jsonb__delete_path(c, args, n, ret);
    if (!slice_eq(how, SLICE("return_target"))) return bad_treatment();
    *ret = args[0];
    return OK;
}

/* SET doc['a'][0] = value; of a document that is NULL an object or, when the first subscript is a number, an
 * array is made. */
SCALAR(jsonb__assign)
{
    const struct json_value none = {.kind = JSON_NULL};
    struct json_value v = {.kind = args[3].v.b ? JSON_ARRAY : JSON_OBJECT}, changed;
    struct array_view path;
    if (!args[0].null) v = arg_jsonb(args, 0);
    struct json_value value = args[2].null ? none : arg_jsonb(args, 2);
    TRY(json__path(c, &args[1], &path));
    for (uint32_t i = 0; i < path.count; i++)
        if (path.elements[i].null)
            return FAIL(NULL_VALUE_NOT_ALLOWED, "jsonb subscript in assignment must not be null");
    TRY(json__edit(c->arena, &v, path.elements, path.count, &value, EDIT_CREATE | EDIT_FILL, &changed));
    return ret_jsonb(c, &changed, ret);
}
