/* jsonb: containment, existence, joining, taking out; and both types without null members. */
#include "exec/functions/json_priv.h"

/* --- containment and existence ---------------------------------------------------------------- */

SCALAR(jsonb__contains)
{
    return ret_bool(ret, jsonb_contains(arg_slice(args, 0), arg_slice(args, 1)));
}

SCALAR(jsonb__contained)
{
    return ret_bool(ret, jsonb_contains(arg_slice(args, 1), arg_slice(args, 0)));
}

/* Is it a key of the object, a string of the array, or the string itself? */
static bool exists(const struct json_value *v, struct slice name)
{
    struct json_value found;
    if (v->kind == JSON_OBJECT) return jsonb_find(v, name, &found);
    if (v->kind == JSON_STRING) return slice_eq(v->bytes, name);
    for (uint32_t i = 0; v->kind == JSON_ARRAY && i < v->count; i++) {
        found = jsonb_item(v, i);
        if (found.kind == JSON_STRING && slice_eq(found.bytes, name)) return true;
    }
    return false;
}

SCALAR(jsonb__exists)
{
    struct json_value v = arg_jsonb(args, 0);
    return ret_bool(ret, exists(&v, arg_slice(args, 1)));
}

/* NULLs among the names do not count. */
static enum status exists_some(struct call_ctx *c, const struct datum *args, bool all,
                               struct datum *ret)
{
    struct json_value v = arg_jsonb(args, 0);
    struct array_view names;
    TRY(array_open(&args[1].v.bytes, c->arena, &names));
    for (uint32_t i = 0; i < names.count; i++) {
        const struct datum *d = &names.elements[i];
        if (!d->null && exists(&v, bytes_slice(&d->v.bytes)) != all) return ret_bool(ret, !all);
    }
    return ret_bool(ret, all);
}

SCALAR(jsonb__exists_any) { return exists_some(c, args, false, ret); }
SCALAR(jsonb__exists_all) { return exists_some(c, args, true, ret); }

/* --- joining ---------------------------------------------------------------------------------- */

/* Elements of an array, or the one value. */
static void add_elements(struct arena *a, struct json_value *to, const struct json_value *v)
{
    if (v->kind != JSON_ARRAY) {
        json_push(a, to, *v);
        return;
    }
    for (uint32_t i = 0; i < v->count; i++) json_push(a, to, jsonb_item(v, i));
}

SCALAR(jsonb__concat)
{
    struct json_value x = arg_jsonb(args, 0), y = arg_jsonb(args, 1), joined;
    bool same = x.kind == y.kind && json_is_container(&x);
    if (same && (!x.count || !y.count)) {
        *ret = x.count ? args[0] : args[1];
        return OK;
    }
    if (x.kind == JSON_OBJECT && y.kind == JSON_OBJECT) {
        joined = json_unpack(c->arena, &x, y.count);
        for (uint32_t i = 0; i < y.count; i++) {
            struct json_pair p = jsonb_pair(&y, i);
            json_put(c->arena, &joined, p.key, p.value);
        }
    } else {
        joined = (struct json_value){.kind = JSON_ARRAY};
        add_elements(c->arena, &joined, &x);
        add_elements(c->arena, &joined, &y);
    }
    return ret_jsonb(c, &joined, ret);
}

/* --- taking out ------------------------------------------------------------------------------- */

static enum status from_scalar(void)
{
    return FAIL(INVALID_PARAMETER_VALUE, "cannot delete from scalar");
}

static bool is_named(struct slice s, const struct datum *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!names[i].null && slice_eq(s, bytes_slice(&names[i].v.bytes))) return true;
    return false;
}

/* Without members, or elements that are strings, of these names. */
static enum status delete_named(struct call_ctx *c, const struct datum *args,
                                const struct datum *names, uint32_t n, struct datum *ret)
{
    struct json_value v = arg_jsonb(args, 0), left = {.kind = v.kind};
    if (!json_is_container(&v)) return from_scalar();
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.kind == JSON_OBJECT) {
            struct json_pair p = jsonb_pair(&v, i);
            if (!is_named(p.key, names, n)) json_put(c->arena, &left, p.key, p.value);
        } else {
            struct json_value in = jsonb_item(&v, i);
            if (in.kind != JSON_STRING || !is_named(in.bytes, names, n))
                json_push(c->arena, &left, in);
        }
    }
    return ret_jsonb(c, &left, ret);
}

SCALAR(jsonb__delete_key) { return delete_named(c, args, &args[1], 1, ret); }

SCALAR(jsonb__delete_keys)
{
    struct array_view names;
    TRY(array_open(&args[1].v.bytes, c->arena, &names));
    if (names.ndim > 1) return FAIL(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    return delete_named(c, args, names.elements, names.count, ret);
}

SCALAR(jsonb__delete_index)
{
    struct json_value v = arg_jsonb(args, 0), left = {.kind = JSON_ARRAY};
    int64_t at = args[1].v.i32;
    if (!json_is_container(&v)) return from_scalar();
    if (v.kind == JSON_OBJECT)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot delete from object using integer index");
    if (at < 0) at += v.count;
    if (at < 0 || at >= v.count) {
        *ret = args[0];
        return OK;
    }
    for (uint32_t i = 0; i < v.count; i++)
        if (i != at) json_push(c->arena, &left, jsonb_item(&v, i));
    return ret_jsonb(c, &left, ret);
}

/* --- without nulls ---------------------------------------------------------------------------- */

/* Documents nest no deeper than JSON_DEPTH_MAX. */
static struct json_value stripped(struct arena *a, const struct json_value *v)
{
    struct json_value out = {.kind = v->kind};
    if (!json_is_container(v)) return *v;
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_pair p = {0};
        if (v->kind == JSON_OBJECT) p = jsonb_pair(v, i);
        else p.value = jsonb_item(v, i);
        if (v->kind == JSON_OBJECT && p.value.kind == JSON_NULL) continue;
        struct json_value in = stripped(a, &p.value);
        if (v->kind == JSON_OBJECT) json_put(a, &out, p.key, in);
        else json_push(a, &out, in);
    }
    return out;
}

SCALAR(jsonb__strip)
{
    struct json_value v = arg_jsonb(args, 0), out = stripped(c->arena, &v);
    if (!json_is_container(&v)) {
        *ret = args[0];
        return OK;
    }
    return ret_jsonb(c, &out, ret);
}

struct strip {
    struct strbuf out;
    struct slice key; /* of the member that comes */
    bool has_key;
};

/* A comma where one is due, and the key. */
static void before_value(struct strip *s)
{
    char last = s->out.len ? s->out.data[s->out.len - 1] : '[';
    if (last != '[' && last != '{') strbuf_addc(&s->out, ',');
    if (s->has_key) {
        json_quote(s->key, &s->out);
        strbuf_addc(&s->out, ':');
    }
    s->has_key = false;
}

static enum status strip_begin(void *ctx, enum json_kind kind, uint32_t depth)
{
    struct strip *s = ctx;
    (void)depth;
    before_value(s);
    strbuf_addc(&s->out, kind == JSON_OBJECT ? '{' : '[');
    return OK;
}

static enum status strip_end(void *ctx, enum json_kind kind, uint32_t depth, struct slice raw)
{
    struct strip *s = ctx;
    (void)depth, (void)raw;
    strbuf_addc(&s->out, kind == JSON_OBJECT ? '}' : ']');
    return OK;
}

static enum status strip_key(void *ctx, struct slice key, uint32_t depth)
{
    struct strip *s = ctx;
    (void)depth;
    s->key = key;
    s->has_key = true;
    return OK;
}

static enum status strip_scalar(void *ctx, const struct json_token *t, uint32_t depth)
{
    struct strip *s = ctx;
    (void)depth;
    if (t->kind == JSON_NULL && s->has_key) {
        s->has_key = false;
        return OK;
    }
    before_value(s);
    if (t->kind == JSON_STRING) json_quote(t->text, &s->out);
    else strbuf_add(&s->out, t->raw.data, t->raw.len);
    return OK;
}

SCALAR(json__strip)
{
    struct strip s = {.has_key = false};
    const struct json_events events = {.ctx = &s, .unescape = true, .begin = strip_begin,
                                       .end = strip_end, .key = strip_key, .scalar = strip_scalar};
    strbuf_init(&s.out, c->arena);
    TRY(json_read(arg_slice(args, 0), &events, c->arena));
    return text__ret(&s.out, ret);
}
