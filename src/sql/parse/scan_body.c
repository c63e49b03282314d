/* The body of a function that stands in its CREATE statement itself: RETURN expression, or BEGIN ATOMIC … END. It is
 * kept as the text of SQL that says the same as a string's: RETURN becomes SELECT. */
#include "sql/parse/scan_priv.h"

/* +1 for what opens, -1 for what closes. */
static int nesting(const struct token *t)
{
    if (t->kind != TOK_PUNCTUATION) return 0;
    return t->first == '(' || t->first == '[' ? 1 : t->first == ')' || t->first == ']' ? -1 : 0;
}

/* Behind the list of arguments, which every function has. */
static void skip_arguments(struct scan *s)
{
    struct token t;
    int depth = 0;
    do {
        scan__next(s, &t);
        depth += nesting(&t);
    } while (t.kind != TOK_END && t.kind != TOK_BAD && !(depth == 0 && nesting(&t) < 0));
}

/* Up to the word RETURN or BEGIN in no parentheses, which *ret is. */
static bool find_body(struct scan *s, struct token *ret)
{
    int depth = 0;
    for (;;) {
        scan__next(s, ret);
        if (ret->kind == TOK_END || ret->kind == TOK_BAD) return false;
        depth += nesting(ret);
        if (depth) continue;
        if (scan__is_word(s, ret, "return")) return true;
        if (scan__is_word(s, ret, "begin") && scan__take_word(s, "atomic")) return true;
    }
}

/* Statements between ATOMIC and the last END; each ends by a semicolon. */
static void add_statements(struct scan s, struct strbuf *out)
{
    struct token t, last = {0};
    struct scan ahead = s;
    bool begins = true;
    uint32_t from = s.at;
    for (scan__next(&ahead, &t); t.kind != TOK_END && t.kind != TOK_BAD; scan__next(&ahead, &t))
        if (scan__is_word(&ahead, &t, "end")) last = t;
    for (;;) {
        scan__next(&s, &t);
        if (t.kind == TOK_END || t.kind == TOK_BAD || t.start >= last.start) break;
        if (begins && scan__is_word(&s, &t, "return")) {
            strbuf_add(out, s.text + from, t.start - from);
            strbuf_adds(out, "SELECT");
            from = t.end;
        }
        begins = t.kind == TOK_PUNCTUATION && t.first == ';';
    }
    strbuf_add(out, s.text + from, last.start - from);
}

bool scan__sql_body(struct slice text, uint32_t start, uint32_t end, struct strbuf *out)
{
    struct scan s = {text.data, start, end};
    struct token t, at;
    skip_arguments(&s);
    if (!find_body(&s, &t)) return false;
    if (!scan__is_word(&s, &t, "return")) {
        add_statements(s, out);
        return true;
    }
    uint32_t last = t.end;
    for (scan__next(&s, &at); at.kind != TOK_END && at.kind != TOK_BAD; scan__next(&s, &at)) {
        if (at.kind == TOK_PUNCTUATION && at.first == ';') break;
        last = at.end;
    }
    strbuf_adds(out, "SELECT");
    strbuf_add(out, s.text + t.end, last - t.end);
    return true;
}
