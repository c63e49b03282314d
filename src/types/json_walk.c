/* Going through JSON text that is known to be valid: values are stepped over by their quotes and brackets
 * alone, whatever their depth. */
#include "types/json.h"

#include "types/json_priv.h"

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p)) p++;
    return p;
}

struct slice json_trim(struct slice s)
{
    const char *p = skip_blanks(s.data, s.data + s.len), *end = s.data + s.len;
    while (end > p && is_blank(end[-1])) end--;
    return slice_make(p, (size_t)(end - p));
}

/* From a quote to what follows its partner. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\') p++;
    return p < end ? p + 1 : end;
}

static const char *skip_container(const char *p, const char *end)
{
    uint32_t depth = 0;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
            continue;
        }
        p++;
        if (c == '{' || c == '[') depth++;
        else if ((c == '}' || c == ']') && --depth == 0) break;
    }
    return p;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && *p == '"') return skip_string(p, end);
    if (p < end && (*p == '{' || *p == '[')) return skip_container(p, end);
    while (p < end && !is_blank(*p) && *p != ',' && *p != ']' && *p != '}') p++;
    return p;
}

void json_walk_begin(struct json_walk *w, struct slice container)
{
    struct slice s = json_trim(container);
    ASSERT(s.len >= 2 && (s.data[0] == '{' || s.data[0] == '['));
    *w = (struct json_walk){.p = s.data + 1, .end = s.data + s.len - 1, .object = s.data[0] == '{'};
}

bool json_walk_next(struct json_walk *w, struct slice *key, struct slice *value)
{
    const char *p = skip_blanks(w->p, w->end), *from = p;
    if (p >= w->end) return false;
    *key = (struct slice){0};
    if (w->object) {
        p = skip_string(p, w->end);
        *key = slice_make(from, (size_t)(p - from));
        p = skip_blanks(p, w->end);
        if (p < w->end) p++; /* : */
        p = skip_blanks(p, w->end);
        from = p;
    }
    p = skip_value(p, w->end);
    *value = slice_make(from, (size_t)(p - from));
    p = skip_blanks(p, w->end);
    w->p = p < w->end ? p + 1 : p; /* , */
    return true;
}

uint32_t json_walk_count(struct slice container)
{
    struct json_walk w;
    struct slice key, value;
    uint32_t n = 0;
    json_walk_begin(&w, container);
    while (json_walk_next(&w, &key, &value)) n++;
    return n;
}

enum status json_unquote(struct slice string, struct arena *a, struct slice *ret)
{
    struct json_lexer l;
    json__lex_init(&l, string, a);
    TRY(json__lex(&l));
    ASSERT(l.lexeme == JSON_LEX_STRING);
    *ret = l.text;
    return OK;
}

enum status json_check_escapes(struct slice text, struct arena *a)
{
    static const struct json_events with_strings = {.unescape = true};
    if (!memchr(text.data, '\\', text.len)) return OK;
    struct arena_mark mark = arena_mark(a);
    enum status s = json_read(text, &with_strings, a);
    arena_rewind(a, mark);
    return s;
}
