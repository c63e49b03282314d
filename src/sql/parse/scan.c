#include "sql/parse/scan_priv.h"

enum { C_SPACE = 1, C_IDENT_START = 2, C_IDENT = 4, C_DIGIT = 8, C_OPERATOR = 16, C_SPECIAL = 32 };

#define IDENT_START (C_IDENT_START | C_IDENT)
#define SPECIAL (C_OPERATOR | C_SPECIAL)
static const uint8_t classes[256] = {
    [' '] = C_SPACE, ['\t'] = C_SPACE, ['\n'] = C_SPACE, ['\r'] = C_SPACE, ['\f'] = C_SPACE,
    ['a' ... 'z'] = IDENT_START, ['A' ... 'Z'] = IDENT_START, ['_'] = IDENT_START,
    [0x80 ... 0xff] = IDENT_START, ['$'] = C_IDENT, ['0' ... '9'] = C_DIGIT | C_IDENT,
    ['+'] = C_OPERATOR, ['-'] = C_OPERATOR, ['*'] = C_OPERATOR, ['/'] = C_OPERATOR,
    ['<'] = C_OPERATOR, ['>'] = C_OPERATOR, ['='] = C_OPERATOR,
    ['~'] = SPECIAL, ['!'] = SPECIAL, ['@'] = SPECIAL, ['#'] = SPECIAL, ['%'] = SPECIAL,
    ['^'] = SPECIAL, ['&'] = SPECIAL, ['|'] = SPECIAL, ['`'] = SPECIAL, ['?'] = SPECIAL,
};

/* Lower-case words by length; the first 8 bytes are compared as one number. */
static const struct {
    char text[12];
    enum word word;
} words[] = {
    {"as", WORD_AS}, {"in", WORD_IN}, {"on", WORD_ON}, {"or", WORD_OR},
    {"and", WORD_AND}, {"for", WORD_FOR}, {"not", WORD_NOT}, {"set", WORD_SET},
    {"from", WORD_FROM}, {"full", WORD_FULL}, {"into", WORD_INTO}, {"join", WORD_JOIN},
    {"left", WORD_LEFT}, {"with", WORD_WITH},
    {"cross", WORD_CROSS}, {"fetch", WORD_FETCH}, {"grant", WORD_GRANT}, {"group", WORD_GROUP},
    {"inner", WORD_INNER}, {"limit", WORD_LIMIT}, {"order", WORD_ORDER}, {"right", WORD_RIGHT},
    {"union", WORD_UNION}, {"where", WORD_WHERE},
    {"create", WORD_CREATE}, {"delete", WORD_DELETE}, {"except", WORD_EXCEPT},
    {"having", WORD_HAVING}, {"insert", WORD_INSERT}, {"offset", WORD_OFFSET},
    {"select", WORD_SELECT}, {"update", WORD_UPDATE}, {"values", WORD_VALUES},
    {"window", WORD_WINDOW},
    {"between", WORD_BETWEEN}, {"natural", WORD_NATURAL},
    {"conflict", WORD_CONFLICT},
    {"intersect", WORD_INTERSECT}, {"recursive", WORD_RECURSIVE}, {"returning", WORD_RETURNING},
};
enum { WORD_BYTES_MIN = 2, WORD_BYTES_MAX = 9 };
/* Where the words of each length begin in the list above. */
static const uint8_t word_bucket[] = {[2] = 0, 4, 8, 14, 24, 34, 36, 37, 40};
_Static_assert(sizeof words / sizeof words[0] == 40, "word_bucket counts the words");

static enum word find_word(const char *s, uint32_t len)
{
    if (len < WORD_BYTES_MIN || len > WORD_BYTES_MAX) return WORD_OTHER;
    char lower[16] = {0};
    for (uint32_t i = 0; i < len; i++) lower[i] = (char)(s[i] | 0x20);
    uint64_t head, want;
    memcpy(&head, lower, 8);
    for (unsigned i = word_bucket[len]; i < word_bucket[len + 1]; i++) {
        memcpy(&want, words[i].text, 8);
        if (head == want && lower[8] == words[i].text[8]) return words[i].word;
    }
    return WORD_OTHER;
}

static inline char peek(const struct scan *s, uint32_t at)
{
    return at < s->end ? s->text[at] : '\0';
}
static inline bool has_class(const struct scan *s, uint32_t at, int class)
{
    return at < s->end && (classes[(uint8_t)s->text[at]] & class);
}

/* Behind the comment, or `end + 1` when it does not close. */
static uint32_t block_comment_end(const struct scan *s, uint32_t at)
{
    unsigned depth = 0;
    do {
        if (at + 1 >= s->end) return s->end + 1;
        if (s->text[at] == '/' && s->text[at + 1] == '*') {
            depth++;
            at += 2;
        } else if (s->text[at] == '*' && s->text[at + 1] == '/') {
            depth--;
            at += 2;
        } else {
            at++;
        }
    } while (depth);
    return at;
}

/* False at a comment that never ends. */
static bool skip_blanks(struct scan *s)
{
    for (;;) {
        while (has_class(s, s->at, C_SPACE)) s->at++;
        if (peek(s, s->at) == '-' && peek(s, s->at + 1) == '-') {
            while (s->at < s->end && s->text[s->at] != '\n' && s->text[s->at] != '\r') s->at++;
        } else if (peek(s, s->at) == '/' && peek(s, s->at + 1) == '*') {
            s->at = block_comment_end(s, s->at);
            if (s->at > s->end) return false;
        } else {
            return true;
        }
    }
}

/* `at` is behind the opening quote; behind the closing one comes back, or 0. */
static uint32_t quoted_end(const struct scan *s, uint32_t at, char quote, bool backslashes)
{
    for (; at < s->end; at++) {
        if (s->text[at] == quote) {
            if (peek(s, at + 1) != quote) return at + 1;
            at++;
        } else if (backslashes && s->text[at] == '\\') {
            at++;
        }
    }
    return 0;
}

static void quoted(struct scan *s, struct token *t, uint32_t open, char quote, bool backslashes)
{
    uint32_t end = quoted_end(s, open + 1, quote, backslashes);
    if (!end) t->kind = TOK_BAD;
    s->at = end ? end : s->end;
}

/* $1, $tag$ … $tag$. */
static void dollar(struct scan *s, struct token *t)
{
    uint32_t at = s->at + 1;
    t->kind = TOK_BAD;
    s->at = at;
    if (has_class(s, at, C_DIGIT)) {
        while (has_class(s, at, C_DIGIT)) at++;
        s->at = at;
        if (!has_class(s, at, C_IDENT)) t->kind = TOK_PARAM;
        return;
    }
    if (has_class(s, at, C_IDENT_START))
        while (has_class(s, at, C_IDENT) && s->text[at] != '$') at++;
    if (peek(s, at) != '$') return;
    uint32_t tag_bytes = at + 1 - t->start;
    const char *end = memmem(s->text + at + 1, s->end - at - 1, s->text + t->start, tag_bytes);
    if (!end) return;
    t->kind = TOK_OTHER_STRING;
    s->at = (uint32_t)(end - s->text) + tag_bytes;
}

/* 5, 5., 5.5, .5, 5e-5; `1..2` is 1 and two dots; 1x is an error. */
static void number(struct scan *s, struct token *t)
{
    uint32_t at = s->at;
    while (has_class(s, at, C_DIGIT)) at++;
    if (peek(s, at) == '.' && peek(s, at + 1) != '.') {
        at++;
        while (has_class(s, at, C_DIGIT)) at++;
    }
    char e = peek(s, at), sign = peek(s, at + 1);
    if (e == 'e' || e == 'E') {
        uint32_t exponent = at + 1 + (sign == '-' || sign == '+');
        if (has_class(s, exponent, C_DIGIT)) {
            at = exponent;
            while (has_class(s, at, C_DIGIT)) at++;
        }
    }
    t->kind = has_class(s, at, C_IDENT) ? TOK_BAD : TOK_NUMBER;
    s->at = at;
}

/* A run of operator bytes ends before a comment; trailing signs belong to what follows, unless the
 * operator has a byte that no SQL operator has. */
static void operator(struct scan *s, struct token *t)
{
    uint32_t at = s->at;
    bool special = false;
    while (has_class(s, at, C_OPERATOR)) {
        char c = s->text[at], next = peek(s, at + 1);
        if ((c == '-' && next == '-') || (c == '/' && next == '*')) break;
        special |= (classes[(uint8_t)c] & C_SPECIAL) != 0;
        at++;
    }
    while (!special && at > t->start + 1 && (s->text[at - 1] == '-' || s->text[at - 1] == '+')) at--;
    t->kind = TOK_OPERATOR;
    s->at = at;
}

static void word(struct scan *s, struct token *t)
{
    char first = (char)(t->first | 0x20), next = peek(s, s->at + 1);
    if (next == '\'' && (first == 'e' || first == 'b' || first == 'x' || first == 'n')) {
        t->kind = TOK_OTHER_STRING;
        quoted(s, t, s->at + 1, '\'', first == 'e');
        return;
    }
    char quote = peek(s, s->at + 2);
    if (first == 'u' && next == '&' && (quote == '\'' || quote == '"')) {
        t->kind = quote == '"' ? TOK_IDENT : TOK_OTHER_STRING;
        quoted(s, t, s->at + 2, quote, false);
        return;
    }
    t->kind = TOK_WORD;
    do s->at++;
    while (has_class(s, s->at, C_IDENT));
    t->word = find_word(s->text + t->start, s->at - t->start);
}

static void punctuation(struct scan *s, struct token *t)
{
    char next = peek(s, s->at + 1);
    t->kind = TOK_PUNCTUATION;
    s->at++;
    switch (t->first) {
    case '(': case ')': case '[': case ']': case ',': case ';': return;
    case ':':
        if (next == ':') t->kind = TOK_TYPECAST;
        if (next == ':' || next == '=') s->at++;
        return;
    case '.':
        if (next == '.') s->at++;
        return;
    default: t->kind = TOK_BAD;
    }
}

void scan__next(struct scan *s, struct token *t)
{
    bool closed = skip_blanks(s);
    t->start = s->at;
    t->word = WORD_OTHER;
    t->first = peek(s, s->at);
    if (!closed || s->at >= s->end) {
        t->kind = closed ? TOK_END : TOK_BAD;
        t->start = t->end = s->end;
        s->at = s->end;
        return;
    }
    uint8_t class = classes[(uint8_t)t->first];
    if (class & C_IDENT_START) {
        word(s, t);
    } else if (class & C_DIGIT || (t->first == '.' && has_class(s, s->at + 1, C_DIGIT))) {
        number(s, t);
    } else if (class & C_OPERATOR) {
        operator(s, t);
    } else if (t->first == '\'') {
        t->kind = TOK_STRING;
        quoted(s, t, s->at, '\'', false);
    } else if (t->first == '"') {
        t->kind = TOK_IDENT;
        quoted(s, t, s->at, '"', false);
    } else if (t->first == '$') {
        dollar(s, t);
    } else {
        punctuation(s, t);
    }
    t->end = s->at;
}

bool scan__query(struct slice text, uint32_t start, uint32_t end, bool schema_element,
                 bool check_option, struct slice *ret)
{
    struct scan s = {text.data, start, end};
    struct token t = {0}, before;
    uint32_t depth = 0, first = 0, last = 0, last_with = 0;
    for (;;) {
        before = t;
        scan__next(&s, &t);
        if (t.kind == TOK_END || t.kind == TOK_BAD) break;
        if (first == UINT32_MAX) first = t.start;
        bool open = t.kind == TOK_PUNCTUATION && (t.first == '(' || t.first == '[');
        bool close = t.kind == TOK_PUNCTUATION && (t.first == ')' || t.first == ']');
        depth += open;
        if (close && depth) depth--;
        if (depth == 0 && t.kind == TOK_WORD) {
            bool label = before.word == WORD_AS || before.first == '.';
            if (t.word == WORD_AS && first == 0) {
                first = UINT32_MAX;
                continue;
            }
            if (schema_element && !label && (t.word == WORD_CREATE || t.word == WORD_GRANT)) break;
            if (t.word == WORD_WITH && first) last_with = last;
        }
        last = t.end;
    }
    if (check_option && last_with) last = last_with;
    if (first == 0 || first == UINT32_MAX || last <= first) return false;
    *ret = slice_make(text.data + first, last - first);
    return true;
}

bool scan__has_word(struct slice text, uint32_t start, uint32_t end, enum word wanted)
{
    struct scan s = {text.data, start, end};
    struct token t;
    do scan__next(&s, &t);
    while (t.kind != TOK_END && t.kind != TOK_BAD && !(t.kind == TOK_WORD && t.word == wanted));
    return t.kind == TOK_WORD;
}

bool scan__is_word(const struct scan *s, const struct token *t, const char *word)
{
    return t->kind == TOK_WORD &&
           slice_eq_nocase(slice_make(s->text + t->start, t->end - t->start), slice_of(word));
}

bool scan__take_word(struct scan *s, const char *word)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    if (!scan__is_word(&ahead, &t, word)) return false;
    *s = ahead;
    return true;
}
