/* json_agg, json_object_agg and their like for jsonb. Those of type json grow a text; those of jsonb keep a list of
 * values, each packed, and lay it out at the end. */
#include "exec/functions/aggregate_priv.h"
#include "exec/functions/json_priv.h"

enum { TEXT_FIRST = 256 };

/* --- json ------------------------------------------------------------------------------------- */

struct grown_text {
    char *data;
    size_t len, cap;
    bool any;
};

static enum status append(struct grown_text *t, struct arena *keep, struct slice s)
{
    if (s.len > TEXT_BYTES_MAX - t->len) return text__too_long();
    if (t->len + s.len > t->cap) {
        size_t cap = t->cap ? t->cap * 2 : TEXT_FIRST;
        while (cap < t->len + s.len) cap *= 2;
        char *more = arena_alloc(keep, cap);
        if (t->len) memcpy(more, t->data, t->len);
        t->data = more;
        t->cap = cap;
    }
    if (s.len) memcpy(t->data + t->len, s.data, s.len);
    t->len += s.len;
    return OK;
}

static enum status append_between(struct grown_text *t, struct arena *keep)
{
    bool first = !t->any;
    t->any = true;
    return first ? OK : append(t, keep, SLICE(", "));
}

static type_id arg_type(const struct call_ctx *c, uint32_t i) { return c->expr->args[i]->type; }

static enum status list_add(struct call_ctx *c, struct arena *keep, void *state,
                            const struct datum *args, uint32_t n)
{
    struct grown_text *t = state;
    struct strbuf b;
    enum json_form form = json__form(arg_type(c, 0));
    (void)n;
    strbuf_init(&b, c->arena);
    if (t->any && !args[0].null && (form == FORM_ARRAY || form == FORM_RECORD)) strbuf_adds(&b, "\n ");
    TRY(append_between(t, keep));
    TRY(json__add_text(c, arg_type(c, 0), &args[0], false, &b));
    return append(t, keep, strbuf_slice(&b));
}

static enum status no_name(void)
{
    return FAIL(INVALID_PARAMETER_VALUE, "field name must not be null");
}

static enum status object_add(struct call_ctx *c, struct arena *keep, void *state,
                              const struct datum *args, uint32_t n)
{
    struct grown_text *t = state;
    struct strbuf b;
    (void)n;
    if (args[0].null) return no_name();
    strbuf_init(&b, c->arena);
    TRY(append_between(t, keep));
    TRY(json__add_key(c, arg_type(c, 0), &args[0], &b));
    strbuf_adds(&b, " : ");
    TRY(json__add_text(c, arg_type(c, 1), &args[1], false, &b));
    return append(t, keep, strbuf_slice(&b));
}

static enum status text_merge(struct call_ctx *c, struct arena *keep, void *state,
                              const void *other)
{
    const struct grown_text *o = other;
    (void)c;
    if (!o->any) return OK;
    TRY(append_between(state, keep));
    return append(state, keep, slice_make(o->data, o->len));
}

static enum status text_result(struct call_ctx *c, const struct grown_text *t, const char *open,
                               const char *close, struct datum *ret)
{
    struct strbuf b;
    if (!t->any) return ret_null(ret);
    strbuf_init(&b, c->arena);
    strbuf_reserve(&b, t->len + 4);
    strbuf_adds(&b, open);
    strbuf_add(&b, t->data, t->len);
    strbuf_adds(&b, close);
    return text__ret(&b, ret);
}

static enum status list_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    return text_result(c, state, "[", "]", ret);
}

static enum status object_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    return text_result(c, state, "{ ", " }", ret);
}

/* --- jsonb ------------------------------------------------------------------------------------ */

struct grown_value {
    struct json_value v;
    bool any;
};

/* The same value, in `keep` with all that it refers to. */
static enum status kept(struct arena *keep, struct json_value v, struct json_value *ret)
{
    struct bytes document;
    if (json_is_container(&v) && !v.packed) {
        TRY(jsonb_make(keep, &v, &document));
        v = jsonb_of(&document);
    }
    *ret = v;
    if (v.kind == JSON_STRING || v.kind == JSON_NUMBER || v.packed)
        ret->bytes = slice_dup(keep, v.bytes);
    return OK;
}

static enum status array_add(struct call_ctx *c, struct arena *keep, void *state,
                             const struct datum *args, uint32_t n)
{
    struct grown_value *g = state;
    struct json_value in;
    (void)n;
    TRY(json__to_value(c, arg_type(c, 0), &args[0], &in));
    TRY(kept(keep, in, &in));
    g->any = true;
    g->v.kind = JSON_ARRAY;
    json_push(keep, &g->v, in);
    return OK;
}

static enum status pairs_add(struct call_ctx *c, struct arena *keep, void *state,
                             const struct datum *args, uint32_t n)
{
    struct grown_value *g = state;
    struct json_value in;
    struct slice key;
    (void)n;
    if (args[0].null) return no_name();
    TRY(json__to_key(c, arg_type(c, 0), &args[0], &key));
    TRY(json__to_value(c, arg_type(c, 1), &args[1], &in));
    TRY(kept(keep, in, &in));
    g->any = true;
    g->v.kind = JSON_OBJECT;
    json_put(keep, &g->v, slice_dup(keep, key), in);
    return OK;
}

static enum status value_merge(struct call_ctx *c, struct arena *keep, void *state,
                               const void *other)
{
    struct grown_value *g = state;
    const struct grown_value *o = other;
    (void)c;
    if (!o->any) return OK;
    g->any = true;
    g->v.kind = o->v.kind;
    for (uint32_t i = 0; i < o->v.count; i++) {
        if (o->v.kind == JSON_ARRAY) json_push(keep, &g->v, o->v.items[i]);
        else json_put(keep, &g->v, o->v.pairs[i].key, o->v.pairs[i].value);
    }
    return OK;
}

static enum status value_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    const struct grown_value *g = state;
    return g->any ? ret_jsonb(c, &g->v, ret) : ret_null(ret);
}

#define TEXT(add, result) {sizeof(struct grown_text), false, add, text_merge, result, NULL}
#define VALUE(add) {sizeof(struct grown_value), false, add, value_merge, value_result, NULL}

const struct aggregate_binding exec__json_aggregates[] = {
    {"json_agg_agg", TYPE_ANY, TEXT(list_add, list_result)},
    {"json_object_agg_agg", TYPE_ANY, TEXT(object_add, object_result)},
    {"jsonb_agg_agg", TYPE_ANY, VALUE(array_add)},
    {"jsonb_object_agg_agg", TYPE_ANY, VALUE(pairs_add)},
};
const uint32_t exec__json_aggregate_count =
    sizeof exec__json_aggregates / sizeof exec__json_aggregates[0];
