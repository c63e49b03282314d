/* Reading JSON text: the grammar over the lexer, and the events. It recurses as deep as containers nest,
 * which is bounded, whatever stack there is. */
#include "types/json.h"

#include "base/fiber.h"
#include "types/json_priv.h"

enum { STACK_MIN = 64 << 10, ESCAPED_END = 32 };

struct reader {
    struct json_lexer lexer;
    const struct json_events *events;
};

static enum status too_deep(void)
{
    return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
}

static enum status read_value(struct reader *r, uint32_t depth);

static enum status read_member(struct reader *r, uint32_t depth)
{
    const struct json_events *e = r->events;
    if (r->lexer.lexeme != JSON_LEX_STRING) return json__unexpected(&r->lexer, "string");
    struct slice key = r->lexer.text;
    TRY(json__lex(&r->lexer));
    if (r->lexer.lexeme != JSON_LEX_COLON) return json__unexpected(&r->lexer, "\":\"");
    TRY(json__lex(&r->lexer));
    if (e->key) TRY(e->key(e->ctx, key, depth));
    return read_value(r, depth);
}

static enum status read_object(struct reader *r, uint32_t depth)
{
    struct json_lexer *l = &r->lexer;
    TRY(json__lex(l));
    if (l->lexeme == JSON_LEX_STRING) {
        TRY(read_member(r, depth));
        while (l->lexeme == JSON_LEX_COMMA) {
            TRY(json__lex(l));
            TRY(read_member(r, depth));
        }
        if (l->lexeme != JSON_LEX_OBJECT_END) return json__unexpected(l, "\",\" or \"}\"");
    } else if (l->lexeme != JSON_LEX_OBJECT_END) {
        return json__unexpected(l, "string or \"}\"");
    }
    return OK;
}

static enum status read_element(struct reader *r, uint32_t depth)
{
    const struct json_events *e = r->events;
    if (e->item) TRY(e->item(e->ctx, depth));
    return read_value(r, depth);
}

static enum status read_array(struct reader *r, uint32_t depth)
{
    struct json_lexer *l = &r->lexer;
    TRY(json__lex(l));
    if (l->lexeme == JSON_LEX_ARRAY_END) return OK;
    TRY(read_element(r, depth));
    while (l->lexeme == JSON_LEX_COMMA) {
        TRY(json__lex(l));
        TRY(read_element(r, depth));
    }
    return l->lexeme == JSON_LEX_ARRAY_END ? OK : json__unexpected(l, "\",\" or \"]\"");
}

static enum status read_container(struct reader *r, enum json_kind kind, uint32_t depth)
{
    const struct json_events *e = r->events;
    const char *from = r->lexer.token;
    if (depth >= JSON_DEPTH_MAX || fiber_stack_left() < STACK_MIN) return too_deep();
    if (e->begin) TRY(e->begin(e->ctx, kind, depth));
    TRY(kind == JSON_ARRAY ? read_array(r, depth + 1) : read_object(r, depth + 1));
    struct slice raw = slice_make(from, (size_t)(r->lexer.next - from));
    TRY(json__lex(&r->lexer));
    return e->end ? e->end(e->ctx, kind, depth, raw) : OK;
}

/* Leaves the lexer behind the value. */
static enum status read_value(struct reader *r, uint32_t depth)
{
    const struct json_events *e = r->events;
    struct json_lexer *l = &r->lexer;
    struct json_token t = {.raw = slice_make(l->token, (size_t)(l->next - l->token))};
    t.text = t.raw;
    switch (l->lexeme) {
    case JSON_LEX_OBJECT: return read_container(r, JSON_OBJECT, depth);
    case JSON_LEX_ARRAY: return read_container(r, JSON_ARRAY, depth);
    case JSON_LEX_STRING:
        t.kind = JSON_STRING;
        t.text = l->text;
        break;
    case JSON_LEX_NUMBER: t.kind = JSON_NUMBER; break;
    case JSON_LEX_TRUE: t.kind = JSON_TRUE; break;
    case JSON_LEX_FALSE: t.kind = JSON_FALSE; break;
    case JSON_LEX_NULL: t.kind = JSON_NULL; break;
    default: return json__unexpected(l, "JSON value");
    }
    /* what is wrong behind it is told first */
    TRY(json__lex(l));
    return e->scalar ? e->scalar(e->ctx, &t, depth) : OK;
}

enum status json_read(struct slice text, const struct json_events *e, struct arena *a)
{
    struct reader r = {.events = e};
    ASSERT(!e->unescape || a);
    json__lex_init(&r.lexer, text, e->unescape ? a : NULL);
    TRY(json__lex(&r.lexer));
    TRY(read_value(&r, 0));
    return r.lexer.lexeme == JSON_LEX_END ? OK : json__unexpected(&r.lexer, "end of input");
}

enum status json_check(struct slice text)
{
    static const struct json_events none;
    return json_read(text, &none, NULL);
}

enum json_kind json_kind_of(struct slice text)
{
    size_t i = 0;
    while (i < text.len && strchr(" \t\n\r", text.data[i])) i++;
    switch (i < text.len ? text.data[i] : 'n') {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

void json_quote(struct slice s, struct strbuf *out)
{
    static const char letters[] = "\b\f\n\r\t\"\\", written[] = "bfnrt\"\\";
    const char *p = s.data, *end = p + s.len, *run;
    strbuf_addc(out, '"');
    while (p < end) {
        for (run = p; p < end && (uint8_t)*p >= ESCAPED_END && *p != '"' && *p != '\\';) p++;
        if (p > run) strbuf_add(out, run, (size_t)(p - run));
        if (p >= end) break;
        const char *found = *p ? strchr(letters, *p) : NULL;
        if (found) {
            strbuf_addc(out, '\\');
            strbuf_addc(out, written[found - letters]);
        } else {
            strbuf_addf(out, "\\u%04x", (uint8_t)*p);
        }
        p++;
    }
    strbuf_addc(out, '"');
}
