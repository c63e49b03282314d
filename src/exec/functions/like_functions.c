/* LIKE, ILIKE and the functions behind ESCAPE and SIMILAR TO. The parser hands LIKE … ESCAPE as a
 * call of like_escape, which rewrites the pattern to the escape character \ that the operators
 * know; and SIMILAR TO as a regular expression made by similar_to_escape. */
#include "exec/functions/text_priv.h"

#include "types/pattern.h"

static enum status like(const struct datum *args, bool ignore_case, bool negated,
                        struct datum *ret)
{
    bool found;
    TRY(like_match(arg_slice(args, 0), arg_slice(args, 1), '\\', ignore_case, &found));
    return ret_bool(ret, found != negated);
}

SCALAR(like__text) { return like(args, false, false, ret); }
SCALAR(like__text_not) { return like(args, false, true, ret); }
SCALAR(like__itext) { return like(args, true, false, ret); }
SCALAR(like__itext_not) { return like(args, true, true, ret); }

static enum status like_rows(const struct vec *const *args, const uint16_t *sel, uint32_t count,
                             bool ignore_case, bool negated, struct vec *ret)
{
    const struct bytes *texts = VEC_DATA(args[0], const struct bytes);
    const struct bytes *patterns = VEC_DATA(args[1], const struct bytes);
    bool *out = VEC_DATA(ret, bool);
    struct like_parts parts;
    if (args[1]->form == VEC_CONST && !nulls_get(args[1]->nulls, 0) && !ignore_case &&
        like_split(bytes_slice(patterns), '\\', &parts)) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = fn_row(sel, i);
            if (nulls_get(ret->nulls, row)) continue;
            bool found = like_parts_match(&parts, bytes_slice(&texts[fn_at(args[0], row)]));
            out[row] = found != negated;
        }
        return OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = fn_row(sel, i);
        if (nulls_get(ret->nulls, row)) continue;
        bool found;
        TRY(like_match(bytes_slice(&texts[fn_at(args[0], row)]),
                       bytes_slice(&patterns[fn_at(args[1], row)]), '\\', ignore_case, &found));
        out[row] = found != negated;
    }
    return OK;
}

#define LIKE_ROWS(name, ignore_case, negated)                                                      \
    enum status name(struct call_ctx *c, const struct vec *const *args, uint32_t arg_count,        \
                     const uint16_t *sel, uint32_t count, struct vec *ret)                         \
    {                                                                                              \
        (void)c, (void)arg_count;                                                                  \
        return like_rows(args, sel, count, ignore_case, negated, ret);                             \
    }
LIKE_ROWS(like__text_rows, false, false)
LIKE_ROWS(like__text_not_rows, false, true)
LIKE_ROWS(like__itext_rows, true, false)
LIKE_ROWS(like__itext_not_rows, true, true)

/* As like_match, over bytes: only the last % is worth coming back to. */
static enum status bytes_like(struct slice s, struct slice p, bool *ret)
{
    size_t i = 0, j = 0, star = SIZE_MAX, star_i = 0;
    while (i < s.len) {
        if (j < p.len && p.data[j] == '%') {
            star = ++j;
            star_i = i;
            continue;
        }
        size_t at = j;
        if (at < p.len && p.data[at] == '\\' && ++at == p.len)
            return FAIL(INVALID_ESCAPE_SEQUENCE,
                        "LIKE pattern must not end with escape character");
        if (at < p.len && ((at == j && p.data[at] == '_') || p.data[at] == s.data[i])) {
            i++;
            j = at + 1;
            continue;
        }
        if (star == SIZE_MAX) {
            *ret = false;
            return OK;
        }
        j = star;
        i = ++star_i;
    }
    while (j < p.len && p.data[j] == '%') j++;
    *ret = j == p.len;
    return OK;
}

SCALAR(like__bytea) { return bytes_like(arg_slice(args, 0), arg_slice(args, 1), &ret->v.b); }

SCALAR(like__bytea_not)
{
    TRY(bytes_like(arg_slice(args, 0), arg_slice(args, 1), &ret->v.b));
    ret->v.b = !ret->v.b;
    return OK;
}

/* --- escapes ---------------------------------------------------------------------------------- */

static enum status invalid_escape(void)
{
    FAIL(INVALID_ESCAPE_SEQUENCE, "invalid escape string");
    return error_hint("Escape string must be empty or one character.");
}

/* Rewrites a pattern to the escape \. `escape` is one character, or empty for none. */
static void escape_to_backslash(struct slice s, struct slice escape, bool text, struct strbuf *out)
{
    bool escaped = false;
    for (const char *p = s.data, *end = s.data + s.len; p < end;) {
        size_t len = text ? utf8_len(p, end) : 1;
        if (!escaped && escape.len == len && memcmp(p, escape.data, len) == 0) {
            strbuf_addc(out, '\\');
            escaped = true;
        } else {
            if (*p == '\\' && !escaped) strbuf_addc(out, '\\');
            strbuf_add(out, p, len);
            escaped = false;
        }
        p += len;
    }
}

static enum status escape_pattern(struct call_ctx *c, const struct datum *args, bool text,
                                  struct datum *ret)
{
    struct slice s = arg_slice(args, 0), escape = arg_slice(args, 1);
    if ((text ? utf8_count(escape) : escape.len) > 1) return invalid_escape();
    if (escape.len == 1 && escape.data[0] == '\\') return ret_slice(ret, s);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    escape_to_backslash(s, escape, text, &b);
    return text__ret(&b, ret);
}

SCALAR(like__escape) { return escape_pattern(c, args, true, ret); }
SCALAR(like__escape_bytea) { return escape_pattern(c, args, false, ret); }

/* --- SIMILAR TO ------------------------------------------------------------------------------- */

/* Where the translation of a SIMILAR pattern stands. */
struct similar {
    struct slice escape;
    struct strbuf out;
    bool escaped;
    int bracket;        /* depth of [: the classes within count too */
    enum { BRACKET_OPEN, BRACKET_NEGATED, BRACKET_INSIDE } place;
    int quotes;         /* separators seen: escape and a double quote */
};

/* The parts between separators: the first is as short as can be, the second is what substring
 * returns. */
static enum status separator(struct similar *m)
{
    if (m->quotes == 2)
        return FAIL(SYNTAX_ERROR, "SQL regular expression may not contain more than two "
                                  "escape-double-quote separators");
    strbuf_adds(&m->out, m->quotes == 0 ? "){1,1}?(" : "){1,1}(?:");
    m->quotes++;
    return OK;
}

/* A ] that comes first, after ^ perhaps, is one of the characters. */
static void bracket_char(struct similar *m, const char *p, size_t len)
{
    if (*p == '\\') strbuf_addc(&m->out, '\\');
    strbuf_add(&m->out, p, len);
    bool first = m->place != BRACKET_INSIDE;
    bool negates = *p == '^' && m->place == BRACKET_OPEN;
    m->place = negates ? BRACKET_NEGATED : BRACKET_INSIDE;
    if (*p == '[') m->bracket++;
    if (*p == ']' && !first) m->bracket--;
}

static enum status similar_char(struct similar *m, const char *p, size_t len)
{
    bool is_escape = m->escape.len == len && memcmp(p, m->escape.data, len) == 0;
    if (m->escaped) {
        m->escaped = false;
        m->place = BRACKET_INSIDE;
        if (*p == '"' && m->bracket == 0) return separator(m);
        strbuf_addc(&m->out, '\\');
        strbuf_add(&m->out, p, len);
        return OK;
    }
    if (is_escape) {
        m->escaped = true;
        return OK;
    }
    if (m->bracket) {
        bracket_char(m, p, len);
        return OK;
    }
    switch (*p) {
    case '[':
        m->bracket = 1;
        m->place = BRACKET_OPEN;
        strbuf_addc(&m->out, '[');
        break;
    case '%': strbuf_adds(&m->out, ".*"); break;
    case '_': strbuf_addc(&m->out, '.'); break;
    case '(': strbuf_adds(&m->out, "(?:"); break;
    case '\\': case '.': case '^': case '$':
        strbuf_addc(&m->out, '\\');
        strbuf_addc(&m->out, *p);
        break;
    default: strbuf_add(&m->out, p, len);
    }
    return OK;
}

static enum status similar(struct call_ctx *c, struct slice s, struct slice escape,
                           struct datum *ret)
{
    if (utf8_count(escape) > 1) return invalid_escape();
    struct similar m = {.escape = escape};
    strbuf_init(&m.out, c->arena);
    strbuf_adds(&m.out, "^(?:");
    for (const char *p = s.data, *end = s.data + s.len; p < end;) {
        size_t len = utf8_len(p, end);
        TRY(similar_char(&m, p, len));
        p += len;
    }
    strbuf_adds(&m.out, ")$");
    return text__ret(&m.out, ret);
}

SCALAR(like__similar_1) { return similar(c, arg_slice(args, 0), SLICE("\\"), ret); }
SCALAR(like__similar_2) { return similar(c, arg_slice(args, 0), arg_slice(args, 1), ret); }

SCALAR(like__similar)
{
    if (args[0].null) return ret_null(ret);
    return similar(c, arg_slice(args, 0), args[1].null ? SLICE("\\") : arg_slice(args, 1), ret);
}
