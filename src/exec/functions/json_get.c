/* Parts of json and jsonb by name, number and path; kinds and lengths. Type json is text: it is gone through
 * from its beginning, and of members of one name the last counts. */
#include "exec/functions/json_priv.h"

#include "base/fiber.h"
#include "types/numeric.h"

enum { STACK_MIN = 64 << 10 };

bool json__index(struct slice text, int32_t *ret)
{
    size_t i = 0;
    int64_t v;
    while (i < text.len && (text.data[i] == ' ' || (text.data[i] >= '\t' && text.data[i] <= '\r')))
        i++;
    bool plus = i < text.len && text.data[i] == '+';
    if (plus) i++;
    struct slice digits = slice_from(text, i);
    if (plus && digits.len && (digits.data[0] == '-' || digits.data[0] == '+')) return false;
    if (!str_to_i64(digits, &v) || v < INT32_MIN || v > INT32_MAX) return false;
    *ret = (int32_t)v;
    return true;
}

/* --- jsonb ------------------------------------------------------------------------------------ */

enum status json__ret_text(struct call_ctx *c, const struct json_value *v, struct datum *ret)
{
    struct strbuf b;
    if (v->kind == JSON_NULL) return ret_null(ret);
    if (v->kind == JSON_STRING) return ret_slice(ret, v->bytes);
    strbuf_init(&b, c->arena);
    jsonb_value_to_text(v, &b);
    return text__ret(&b, ret);
}

static enum status ret_part(struct call_ctx *c, const struct json_value *v, bool as_text,
                            struct datum *ret)
{
    return as_text ? json__ret_text(c, v, ret) : ret_jsonb(c, v, ret);
}

static enum status field(struct call_ctx *c, const struct datum *args, bool as_text,
                         struct datum *ret)
{
    struct json_value v = arg_jsonb(args, 0), found;
    if (v.kind != JSON_OBJECT || !jsonb_find(&v, arg_slice(args, 1), &found)) return ret_null(ret);
    return ret_part(c, &found, as_text, ret);
}

SCALAR(jsonb__field) { return field(c, args, false, ret); }
SCALAR(jsonb__field_text) { return field(c, args, true, ret); }

/* Negative numbers count from the end. */
static bool element_of(const struct json_value *array, int64_t i, struct json_value *ret)
{
    if (i < 0) i += array->count;
    if (i < 0 || i >= array->count) return false;
    *ret = jsonb_item(array, (uint32_t)i);
    return true;
}

/* A document that is a scalar counts as an array of one here. */
static enum status element(struct call_ctx *c, const struct datum *args, bool as_text,
                           struct datum *ret)
{
    struct json_value v = arg_jsonb(args, 0), found = v;
    int32_t i = args[1].v.i32;
    if (v.kind == JSON_OBJECT) return ret_null(ret);
    if (v.kind == JSON_ARRAY ? !element_of(&v, i, &found) : i != 0 && i != -1) return ret_null(ret);
    return ret_part(c, &found, as_text, ret);
}

SCALAR(jsonb__element) { return element(c, args, false, ret); }
SCALAR(jsonb__element_text) { return element(c, args, true, ret); }

/* The elements of a path; *ret_null: one of them is NULL. */
static enum status open_path(struct call_ctx *c, const struct datum *arg, struct array_view *ret,
                             bool *ret_null)
{
    TRY(array_open(&arg->v.bytes, c->arena, ret));
    *ret_null = false;
    for (uint32_t i = 0; i < ret->count; i++) *ret_null |= ret->elements[i].null;
    return OK;
}

static enum status path_get(struct call_ctx *c, const struct datum *args, bool as_text,
                            struct datum *ret)
{
    struct json_value v = arg_jsonb(args, 0);
    struct array_view path;
    bool null;
    int32_t at;
    TRY(open_path(c, &args[1], &path, &null));
    if (null) return ret_null(ret);
    for (uint32_t i = 0; i < path.count; i++) {
        struct slice step = bytes_slice(&path.elements[i].v.bytes);
        struct json_value in = v;
        bool found = v.kind == JSON_OBJECT ? jsonb_find(&in, step, &v)
                     : v.kind == JSON_ARRAY ? json__index(step, &at) && element_of(&in, at, &v)
                                            : false;
        if (!found) return ret_null(ret);
    }
    return ret_part(c, &v, as_text, ret);
}

SCALAR(jsonb__path_get) { return path_get(c, args, false, ret); }
SCALAR(jsonb__path_get_text) { return path_get(c, args, true, ret); }

SCALAR(jsonb__typeof)
{
    struct json_value v = arg_jsonb(args, 0);
    return ret_slice(ret, slice_of(json_kind_name((enum json_kind)v.kind)));
}

static enum status no_array(bool object)
{
    return FAIL(INVALID_PARAMETER_VALUE, object ? "cannot get array length of a non-array"
                                                : "cannot get array length of a scalar");
}

SCALAR(jsonb__array_length)
{
    struct json_value v = arg_jsonb(args, 0);
    if (v.kind != JSON_ARRAY) return no_array(v.kind == JSON_OBJECT);
    return ret_i32(ret, (int32_t)v.count);
}

SCALAR(jsonb__pretty)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    jsonb_to_pretty_text(arg_slice(args, 0), &b);
    return text__ret(&b, ret);
}

/* --- json ------------------------------------------------------------------------------------- */

enum status json__ret_raw_text(struct call_ctx *c, struct slice raw, struct datum *ret)
{
    struct slice s = raw;
    enum json_kind kind = json_kind_of(raw);
    if (kind == JSON_NULL) return ret_null(ret);
    if (kind == JSON_STRING) TRY(json_unquote(raw, c->arena, &s));
    return ret_slice(ret, s);
}

static enum status ret_raw(struct call_ctx *c, struct slice raw, bool as_text, struct datum *ret)
{
    return as_text ? json__ret_raw_text(c, raw, ret) : ret_slice(ret, raw);
}

static enum status is_key(struct call_ctx *c, struct slice quoted, struct slice name, bool *ret)
{
    struct slice key = slice_make(quoted.data + 1, quoted.len - 2);
    if (memchr(key.data, '\\', key.len)) TRY(json_unquote(quoted, c->arena, &key));
    *ret = slice_eq(key, name);
    return OK;
}

/* One step down. `name` NULL: by number alone. */
struct step {
    const struct slice *name;
    bool has_index;
    int32_t index;
};

static enum status go_down(struct call_ctx *c, struct slice text, const struct step *steps,
                           uint32_t n, struct slice *ret, bool *ret_found)
{
    struct json_walk w;
    struct slice key, value;
    if (n == 0) {
        *ret = text;
        *ret_found = true;
        return OK;
    }
    enum json_kind kind = json_kind_of(text);
    if (kind == JSON_OBJECT ? !steps->name : kind != JSON_ARRAY || !steps->has_index) return OK;
    if (fiber_stack_left() < STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    int64_t at = steps->index;
    if (kind == JSON_ARRAY && at < 0) at += json_walk_count(text);
    json_walk_begin(&w, text);
    for (int64_t i = 0; json_walk_next(&w, &key, &value); i++) {
        bool match = i == at;
        if (kind == JSON_OBJECT) TRY(is_key(c, key, *steps->name, &match));
        if (match) TRY(go_down(c, value, steps + 1, n - 1, ret, ret_found));
        if (match && kind == JSON_ARRAY) break;
    }
    return OK;
}

static enum status get_raw(struct call_ctx *c, const struct datum *args, const struct step *steps,
                           uint32_t n, bool as_text, struct datum *ret)
{
    struct slice text = json_trim(arg_slice(args, 0)), part;
    bool found = false;
    TRY(json_check_escapes(arg_slice(args, 0), c->arena));
    TRY(go_down(c, text, steps, n, &part, &found));
    return found ? ret_raw(c, part, as_text, ret) : ret_null(ret);
}

static enum status raw_field(struct call_ctx *c, const struct datum *args, bool as_text,
                             struct datum *ret)
{
    struct slice name = arg_slice(args, 1);
    const struct step one = {.name = &name};
    return get_raw(c, args, &one, 1, as_text, ret);
}

SCALAR(json__field) { return raw_field(c, args, false, ret); }
SCALAR(json__field_text) { return raw_field(c, args, true, ret); }

static enum status raw_element(struct call_ctx *c, const struct datum *args, bool as_text,
                               struct datum *ret)
{
    const struct step one = {.has_index = true, .index = args[1].v.i32};
    return get_raw(c, args, &one, 1, as_text, ret);
}

SCALAR(json__element) { return raw_element(c, args, false, ret); }
SCALAR(json__element_text) { return raw_element(c, args, true, ret); }

static enum status raw_path_get(struct call_ctx *c, const struct datum *args, bool as_text,
                                struct datum *ret)
{
    struct array_view path;
    bool null;
    TRY(open_path(c, &args[1], &path, &null));
    if (null) return ret_null(ret);
    struct step *steps = ARENA_ARRAY(c->arena, struct step, path.count + 1);
    struct slice *names = ARENA_ARRAY(c->arena, struct slice, path.count + 1);
    for (uint32_t i = 0; i < path.count; i++) {
        names[i] = bytes_slice(&path.elements[i].v.bytes);
        steps[i].name = &names[i];
        steps[i].has_index = json__index(names[i], &steps[i].index);
    }
    return get_raw(c, args, steps, path.count, as_text, ret);
}

SCALAR(json__path_get) { return raw_path_get(c, args, false, ret); }
SCALAR(json__path_get_text) { return raw_path_get(c, args, true, ret); }

SCALAR(json__typeof)
{
    return ret_slice(ret, slice_of(json_kind_name(json_kind_of(arg_slice(args, 0)))));
}

SCALAR(json__array_length)
{
    struct slice s = arg_slice(args, 0);
    enum json_kind kind = json_kind_of(s);
    if (kind != JSON_ARRAY) return no_array(kind == JSON_OBJECT);
    return ret_i32(ret, (int32_t)json_walk_count(s));
}
