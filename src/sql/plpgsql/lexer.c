/* Tokens of a body: PostgreSQL's own, as far as a parser needs them that leaves SQL alone. Comments go,
 * but stay in the pieces of SQL, which are cut from the text. */
#include "sql/plpgsql/parse_priv.h"

struct lexer {
    struct parser *p;
    const char *s;
    uint32_t at, len;
    int line;
};

static char peek(const struct lexer *l, uint32_t n)
{
    return l->at + n < l->len ? l->s[l->at + n] : '\0';
}

static void step(struct lexer *l)
{
    if (l->s[l->at] == '\n') l->line++;
    l->at++;
}

static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_word(char c)
{
    return begins_word(c) || is_digit(c) || c == '$';
}

static enum status unterminated(struct lexer *l, uint32_t start, int line, const char *what)
{
    struct token t = {.start = start, .end = l->len, .line = line};
    return parse__at(l->p, &t, FAIL(SYNTAX_ERROR, "unterminated %s at or near \"%.*s\"", what,
                                    (int)(l->len - start), l->s + start));
}

static enum status skip_comment(struct lexer *l)
{
    uint32_t start = l->at;
    int line = l->line, depth = 0;
    do {
        if (l->at >= l->len) return unterminated(l, start, line, "/* comment");
        if (peek(l, 0) == '/' && peek(l, 1) == '*') {
            depth++;
            l->at += 2;
        } else if (peek(l, 0) == '*' && peek(l, 1) == '/') {
            depth--;
            l->at += 2;
        } else {
            step(l);
        }
    } while (depth);
    return OK;
}

static enum status skip_blanks(struct lexer *l)
{
    while (l->at < l->len) {
        char c = peek(l, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
            step(l);
        } else if (c == '-' && peek(l, 1) == '-') {
            while (l->at < l->len && peek(l, 0) != '\n') l->at++;
        } else if (c == '/' && peek(l, 1) == '*') {
            TRY(skip_comment(l));
        } else {
            return OK;
        }
    }
    return OK;
}

static char escaped(struct lexer *l)
{
    step(l);
    switch (peek(l, 0)) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case 'f': return '\f';
    default: return peek(l, 0);
    }
}

/* From the quote on; its end is behind it. */
static enum status quoted(struct lexer *l, char quote, bool escapes, const char **ret)
{
    struct strbuf b;
    uint32_t start = l->at;
    int line = l->line;
    strbuf_init(&b, l->p->arena);
    strbuf_adds(&b, "");
    l->at++;
    for (;;) {
        if (l->at >= l->len)
            return unterminated(l, start, line,
                                quote == '"' ? "quoted identifier" : "quoted string");
        char c = peek(l, 0);
        if (c == quote && peek(l, 1) == quote) {
            strbuf_addc(&b, quote);
            l->at += 2;
            continue;
        }
        if (c == quote) break;
        if (escapes && c == '\\') c = escaped(l);
        strbuf_addc(&b, c);
        step(l);
    }
    l->at++;
    *ret = b.data ? b.data : "";
    return OK;
}

/* $tag$ … $tag$, when one begins here. */
static enum status dollar_quoted(struct lexer *l, bool *ret_is, const char **ret)
{
    uint32_t tag = 1, start = l->at;
    int line = l->line;
    while (in_word(peek(l, tag)) && peek(l, tag) != '$') tag++;
    *ret_is = peek(l, tag) == '$' && !is_digit(peek(l, 1));
    if (!*ret_is) return OK;
    tag++;
    l->at += tag;
    uint32_t from = l->at;
    while (l->at + tag <= l->len && memcmp(l->s + l->at, l->s + start, tag) != 0) step(l);
    if (l->at + tag > l->len) return unterminated(l, start, line, "dollar-quoted string");
    *ret = arena_strndup(l->p->arena, l->s + from, l->at - from);
    l->at += tag;
    return OK;
}

static const char *word(struct lexer *l, uint32_t start)
{
    while (l->at < l->len && in_word(peek(l, 0))) l->at++;
    char *text = arena_strndup(l->p->arena, l->s + start, l->at - start);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    return text;
}

/* 1..10 is a number, two points, a number. */
static void number(struct lexer *l)
{
    while (is_digit(peek(l, 0))) l->at++;
    if (peek(l, 0) == '.' && peek(l, 1) != '.') {
        l->at++;
        while (is_digit(peek(l, 0))) l->at++;
    }
    bool exponent = (peek(l, 0) | 0x20) == 'e';
    bool sign = peek(l, 1) == '-' || peek(l, 1) == '+';
    if (exponent && is_digit(peek(l, sign ? 2 : 1))) {
        l->at += sign ? 2 : 1;
        while (is_digit(peek(l, 0))) l->at++;
    }
}

static void operator(struct lexer *l)
{
    static const char *const pairs[] = {":=", "..", "::", "=>", "<<", ">>"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (peek(l, 0) == pairs[i][0] && peek(l, 1) == pairs[i][1]) {
            l->at += 2;
            return;
        }
    static const char letters[] = "+-*/<>=~!@#%^&|`?";
    uint32_t start = l->at;
    while (peek(l, 0) && strchr(letters, peek(l, 0))) {
        bool comment = (peek(l, 0) == '-' && peek(l, 1) == '-') ||
                       (peek(l, 0) == '/' && peek(l, 1) == '*');
        if (comment && l->at > start) break;
        l->at++;
    }
    if (l->at == start) l->at++;
}

static enum status next(struct lexer *l, struct token *t)
{
    char c = peek(l, 0);
    char prefix = (char)(c | 0x20);
    bool is = false;
    *t = (struct token){.start = l->at, .line = l->line, .kind = TOKEN_OPERATOR};
    if (peek(l, 1) == '\'' && (prefix == 'e' || prefix == 'b' || prefix == 'x' || prefix == 'n')) {
        l->at++;
        t->kind = TOKEN_STRING;
        TRY(quoted(l, '\'', prefix == 'e', &t->text));
    } else if (begins_word(c)) {
        t->kind = TOKEN_WORD;
        t->text = word(l, l->at);
    } else if (c == '"' || c == '\'') {
        t->kind = c == '"' ? TOKEN_QUOTED : TOKEN_STRING;
        TRY(quoted(l, c, false, &t->text));
    } else if (c == '$' && is_digit(peek(l, 1))) {
        t->kind = TOKEN_PARAM;
        l->at++;
        while (is_digit(peek(l, 0))) l->at++;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)))) {
        t->kind = TOKEN_NUMBER;
        number(l);
    } else {
        if (c == '$') TRY(dollar_quoted(l, &is, &t->text));
        if (is) t->kind = TOKEN_STRING;
        else operator(l);
    }
    t->end = l->at;
    if (!t->text) t->text = arena_strndup(l->p->arena, l->s + t->start, t->end - t->start);
    return OK;
}

enum status parse__tokens(struct parser *p)
{
    struct lexer l = {.p = p, .s = p->body.data, .len = (uint32_t)p->body.len, .line = 1};
    struct token t;
    TRY(skip_blanks(&l));
    while (l.at < l.len) {
        TRY(next(&l, &t));
        ARENA_PUSH(p->arena, &p->tokens, t);
        TRY(skip_blanks(&l));
    }
    t = (struct token){.start = l.len, .end = l.len, .line = l.line, .text = ""};
    ARENA_PUSH(p->arena, &p->tokens, t);
    return OK;
}
