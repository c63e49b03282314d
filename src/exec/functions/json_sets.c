/* json_each, json_array_elements, json_object_keys and their kin: members and elements as rows. */
#include "exec/functions/json_sets_priv.h"

#include "exec/functions/json_priv.h"

struct json_set {
    struct bytes document;  /* a copy: short ones lie in it */
    struct json_walk walk;  /* json */
    struct json_value root; /* jsonb */
    uint32_t next;
};

static struct json_set *set_new(struct call_ctx *c, const struct datum *args)
{
    struct json_set *s = c->state = ARENA_NEW(c->arena, struct json_set);
    s->document = args[0].v.bytes;
    return s;
}

static const char *called(const struct call_ctx *c) { return c->expr->call.proc->name; }

static void give(struct datum *ret, struct slice s)
{
    ret->null = false;
    ret->v.bytes = bytes_ref(s.data, (uint32_t)s.len);
}

/* --- json ------------------------------------------------------------------------------------- */

/* `escapes`: what is told are strings without them, so all of the text must allow that. */
static enum status begin_text(struct call_ctx *c, const struct datum *args, bool escapes,
                              struct json_set **ret)
{
    struct json_set *s = set_new(c, args);
    struct slice text = bytes_slice(&s->document);
    if (escapes) TRY(json_check_escapes(text, c->arena));
    json_walk_begin(&s->walk, text);
    *ret = s;
    return OK;
}

static enum json_kind kind_of(const struct datum *args)
{
    return json_kind_of(bytes_slice(&args[0].v.bytes));
}

static enum status next_member(struct call_ctx *c, const struct datum *args, bool text,
                               struct datum *ret, bool *ret_done)
{
    struct json_set *s = c->state;
    struct slice quoted, key, value;
    if (!s) {
        enum json_kind kind = kind_of(args);
        if (kind == JSON_ARRAY)
            return FAIL(INVALID_PARAMETER_VALUE, "cannot deconstruct an array as an object");
        if (kind != JSON_OBJECT) return FAIL(INVALID_PARAMETER_VALUE, "cannot deconstruct a scalar");
        TRY(begin_text(c, args, true, &s));
    }
    *ret_done = !json_walk_next(&s->walk, &quoted, &value);
    if (*ret_done) return OK;
    TRY(json_unquote(quoted, c->arena, &key));
    give(&ret[0], key);
    give(&ret[1], value);
    return text ? json__ret_raw_text(c, value, &ret[1]) : OK;
}

static enum status next_element(struct call_ctx *c, const struct datum *args, bool text,
                                struct datum *ret, bool *ret_done)
{
    struct json_set *s = c->state;
    struct slice key, value;
    if (!s) {
        enum json_kind kind = kind_of(args);
        if (kind == JSON_OBJECT)
            return FAIL(INVALID_PARAMETER_VALUE, "cannot call %s on a non-array", called(c));
        if (kind != JSON_ARRAY)
            return FAIL(INVALID_PARAMETER_VALUE, "cannot call %s on a scalar", called(c));
        TRY(begin_text(c, args, text, &s));
    }
    *ret_done = !json_walk_next(&s->walk, &key, &value);
    if (*ret_done) return OK;
    give(ret, value);
    return text ? json__ret_raw_text(c, value, ret) : OK;
}

static enum status no_keys(const struct call_ctx *c, bool array)
{
    return FAIL(INVALID_PARAMETER_VALUE, "cannot call %s on %s", called(c),
                array ? "an array" : "a scalar");
}

SET(json_set__keys)
{
    struct json_set *s = c->state;
    struct slice quoted, key, value;
    if (!s) {
        enum json_kind kind = kind_of(args);
        if (kind != JSON_OBJECT) return no_keys(c, kind == JSON_ARRAY);
        TRY(begin_text(c, args, true, &s));
    }
    *ret_done = !json_walk_next(&s->walk, &quoted, &value);
    if (*ret_done) return OK;
    TRY(json_unquote(quoted, c->arena, &key));
    give(ret, key);
    return OK;
}

SET(json_set__each) { return next_member(c, args, false, ret, ret_done); }
SET(json_set__each_text) { return next_member(c, args, true, ret, ret_done); }
SET(json_set__elements) { return next_element(c, args, false, ret, ret_done); }
SET(json_set__elements_text) { return next_element(c, args, true, ret, ret_done); }

/* --- jsonb ------------------------------------------------------------------------------------ */

static struct json_set *begin_binary(struct call_ctx *c, const struct datum *args)
{
    struct json_set *s = set_new(c, args);
    s->root = jsonb_of(&s->document);
    return s;
}

static enum status ret_value(struct call_ctx *c, const struct json_value *v, bool text,
                             struct datum *ret)
{
    ret->null = false;
    return text ? json__ret_text(c, v, ret) : ret_jsonb(c, v, ret);
}

static enum status next_pair(struct call_ctx *c, const struct datum *args, bool text,
                             struct datum *ret, bool *ret_done)
{
    struct json_set *s = c->state ? c->state : begin_binary(c, args);
    if (s->root.kind != JSON_OBJECT)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot call %s on a non-object", called(c));
    *ret_done = s->next >= s->root.count;
    if (*ret_done) return OK;
    struct json_pair p = jsonb_pair(&s->root, s->next++);
    give(&ret[0], p.key);
    return ret_value(c, &p.value, text, &ret[1]);
}

static enum status next_item(struct call_ctx *c, const struct datum *args, bool text,
                             struct datum *ret, bool *ret_done)
{
    struct json_set *s = c->state ? c->state : begin_binary(c, args);
    if (s->root.kind != JSON_ARRAY)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot extract elements from %s",
                    s->root.kind == JSON_OBJECT ? "an object" : "a scalar");
    *ret_done = s->next >= s->root.count;
    if (*ret_done) return OK;
    struct json_value v = jsonb_item(&s->root, s->next++);
    return ret_value(c, &v, text, ret);
}

SET(jsonb_set__keys)
{
    struct json_set *s = c->state ? c->state : begin_binary(c, args);
    if (s->root.kind != JSON_OBJECT) return no_keys(c, s->root.kind == JSON_ARRAY);
    *ret_done = s->next >= s->root.count;
    if (!*ret_done) give(ret, jsonb_pair(&s->root, s->next++).key);
    return OK;
}

SET(jsonb_set__each) { return next_pair(c, args, false, ret, ret_done); }
SET(jsonb_set__each_text) { return next_pair(c, args, true, ret, ret_done); }
SET(jsonb_set__elements) { return next_item(c, args, false, ret, ret_done); }
SET(jsonb_set__elements_text) { return next_item(c, args, true, ret, ret_done); }
