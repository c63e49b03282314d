/* jsonb from text and to text. Reading makes the tree in memory first, since an object's members are laid out
 * in another order than they were written. */
#include "types/jsonb.h"

#include "types/jsonb_priv.h"
#include "types/numeric.h"

enum { INDENT = 4 };

/* --- in --------------------------------------------------------------------------------------- */

struct frame {
    struct frame *parent;
    struct json_value value;
    struct slice key; /* of the member that is read */
};

struct builder {
    struct arena *a;
    struct frame *top;
    struct json_value whole;
};

static void add(struct builder *b, struct json_value v)
{
    struct frame *f = b->top;
    if (!f) b->whole = v;
    else if (f->value.kind == JSON_ARRAY) json_push(b->a, &f->value, v);
    else json_put(b->a, &f->value, f->key, v);
}

static enum status on_begin(void *ctx, enum json_kind kind, uint32_t depth)
{
    struct builder *b = ctx;
    struct frame *f = ARENA_NEW(b->a, struct frame);
    (void)depth;
    f->parent = b->top;
    f->value.kind = (uint8_t)kind;
    b->top = f;
    return OK;
}

static enum status on_end(void *ctx, enum json_kind kind, uint32_t depth, struct slice raw)
{
    struct builder *b = ctx;
    struct json_value v = b->top->value;
    (void)kind, (void)depth, (void)raw;
    b->top = b->top->parent;
    add(b, v);
    return OK;
}

static enum status on_key(void *ctx, struct slice key, uint32_t depth)
{
    struct builder *b = ctx;
    (void)depth;
    b->top->key = key;
    return OK;
}

static enum status on_scalar(void *ctx, const struct json_token *t, uint32_t depth)
{
    struct builder *b = ctx;
    struct json_value v = {.kind = (uint8_t)t->kind};
    (void)depth;
    if (t->kind == JSON_STRING) {
        v.bytes = t->text;
    } else if (t->kind == JSON_NUMBER) {
        struct numeric n;
        TRY(numeric_from_text(t->raw, -1, b->a, &n));
        v = json_number(b->a, &n);
    }
    add(b, v);
    return OK;
}

enum status json_value_from_text(struct slice text, struct arena *a, struct json_value *ret)
{
    struct builder b = {.a = a};
    const struct json_events events = {.ctx = &b, .unescape = true, .begin = on_begin, .end = on_end,
                                       .key = on_key, .scalar = on_scalar};
    TRY(json_read(text, &events, a));
    *ret = b.whole;
    return OK;
}

enum status jsonb_from_text(struct slice text, struct arena *a, struct bytes *ret)
{
    struct json_value v;
    TRY(json_value_from_text(text, a, &v));
    return jsonb_make(a, &v, ret);
}

/* --- out -------------------------------------------------------------------------------------- */

struct writer {
    struct strbuf *out;
    bool pretty;
};

static void line(struct writer *w, uint32_t level)
{
    if (!w->pretty) return;
    strbuf_addc(w->out, '\n');
    for (uint32_t i = 0; i < level * INDENT; i++) strbuf_addc(w->out, ' ');
}

static void put_number(struct writer *w, const struct json_value *v)
{
    struct arena a;
    arena_init(&a, MEM_QUERY);
    struct numeric n = jsonb_number(v, &a);
    numeric_to_text(&n, w->out);
    arena_release(&a);
}

static void put_value(struct writer *w, const struct json_value *v, uint32_t level);

static void put_container(struct writer *w, const struct json_value *v, uint32_t level)
{
    bool object = v->kind == JSON_OBJECT;
    strbuf_addc(w->out, object ? '{' : '[');
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_value in;
        if (i) strbuf_adds(w->out, w->pretty ? "," : ", ");
        line(w, level + 1);
        if (object) {
            struct json_pair p = jsonb_pair(v, i);
            json_quote(p.key, w->out);
            strbuf_adds(w->out, ": ");
            in = p.value;
        } else {
            in = jsonb_item(v, i);
        }
        put_value(w, &in, level + 1);
    }
    line(w, level);
    strbuf_addc(w->out, object ? '}' : ']');
}

static void put_value(struct writer *w, const struct json_value *v, uint32_t level)
{
    switch ((enum json_kind)v->kind) {
    case JSON_NULL: strbuf_adds(w->out, "null"); return;
    case JSON_TRUE: strbuf_adds(w->out, "true"); return;
    case JSON_FALSE: strbuf_adds(w->out, "false"); return;
    case JSON_STRING: json_quote(v->bytes, w->out); return;
    case JSON_NUMBER: put_number(w, v); return;
    case JSON_ARRAY:
    case JSON_OBJECT: put_container(w, v, level); return;
    }
}

void jsonb_value_to_text(const struct json_value *v, struct strbuf *out)
{
    struct writer w = {out, false};
    put_value(&w, v, 0);
}

void jsonb_to_text(struct slice document, struct strbuf *out)
{
    struct json_value v = jsonb_root(document);
    jsonb_value_to_text(&v, out);
}

void jsonb_to_pretty_text(struct slice document, struct strbuf *out)
{
    struct json_value v = jsonb_root(document);
    struct writer w = {out, true};
    put_value(&w, &v, 0);
}
