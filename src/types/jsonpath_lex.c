/* The lexer of jsonpath. Words may hold any character that is no sign, and escapes; a word is a key word only where
 * the grammar says so. */
#include "types/jsonpath_priv.h"

#include "types/json_priv.h"

static const char signs[] = "?%$.[]{}()|&!=<>@#,*:-+/";

void path__lex_init(struct path_lexer *l, struct slice text, struct arena *a)
{
    *l = (struct path_lexer){.next = text.data, .end = text.data + text.len, .arena = a};
}

enum status path__error(const struct path_lexer *l, const char *message)
{
    if (l->shown.len == 0) return FAIL(SYNTAX_ERROR, "%s at end of jsonpath input", message);
    return FAIL(SYNTAX_ERROR, "%s at or near \"%.*s\" of jsonpath input", message,
                (int)l->shown.len, l->shown.data);
}

static enum status bad_token(struct path_lexer *l, const char *message, const char *from,
                            const char *to)
{
    l->shown = slice_make(from, (size_t)(to - from));
    return path__error(l, message);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
static bool is_sign(char c) { return c && strchr(signs, c); }
static bool is_other(char c) { return !is_sign(c) && c != '\\' && c != '"' && !is_blank(c); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* --- escapes ---------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum status bad_surrogate(const char *detail)
{
    (void)FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath");
    return error_detail("%s", detail);
}

struct escapes {
    struct strbuf out;
    uint32_t high; /* a surrogate that waits for its other half */
};

static enum status add_code(struct escapes *e, uint32_t c)
{
    if (c == 0) {
        (void)FAIL(UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
        return error_detail("\\u0000 cannot be converted to text.");
    }
    if (c >= 0xd800 && c <= 0xdbff) {
        if (e->high)
            return bad_surrogate("Unicode high surrogate must not follow a high surrogate.");
        e->high = c;
        return OK;
    }
    bool low = c >= 0xdc00 && c <= 0xdfff;
    if (low != (e->high != 0))
        return bad_surrogate("Unicode low surrogate must follow a high surrogate.");
    if (low) c = 0x10000 + ((e->high & 0x3ff) << 10) + (c & 0x3ff);
    e->high = 0;
    if (c > 0x10ffff) return FAIL(SYNTAX_ERROR, "invalid Unicode escape value");
    json__add_utf8(&e->out, c);
    return OK;
}

/* At *at stands the backslash; it moves behind the escape. */
static enum status unicode(struct path_lexer *l, struct escapes *e, const char **at)
{
    const char *from = *at, *p = from + 2;
    bool braces = p < l->end && *p == '{';
    uint32_t c = 0, digits = 0, most = braces ? 6 : 4;
    p += braces;
    for (; p < l->end && digits < most && hex(*p) >= 0; digits++) c = c << 4 | (uint32_t)hex(*p++);
    bool good = braces ? digits > 0 && p < l->end && *p == '}' : digits == 4;
    if (!good) return bad_token(l, "invalid unicode sequence", from, p);
    *at = p + braces;
    bool more = *at + 1 < l->end && (*at)[0] == '\\' && (*at)[1] == 'u';
    TRY(add_code(e, c));
    if (e->high && !more)
        return bad_surrogate("Unicode low surrogate must follow a high surrogate.");
    return OK;
}

static enum status escape(struct path_lexer *l, struct escapes *e, const char **at)
{
    static const char letters[] = "bfnrtv", meant[] = "\b\f\n\r\t\v";
    const char *from = *at, *p = from + 1;
    if (p >= l->end) {
        l->shown = (struct slice){0};
        return bad_token(l, "unexpected end after backslash", from, p);
    }
    if (*p == 'u') return unicode(l, e, at);
    if (*p == 'x') {
        int high = p + 1 < l->end ? hex(p[1]) : -1, low = p + 2 < l->end ? hex(p[2]) : -1;
        if (high < 0 || low < 0)
            return bad_token(l, "invalid hex character sequence", from,
                            high < 0 ? p + 1 : p + 2);
        *at = p + 3;
        return add_code(e, (uint32_t)(high << 4 | low));
    }
    const char *found = *p ? strchr(letters, *p) : NULL;
    strbuf_addc(&e->out, found ? meant[found - letters] : *p);
    *at = p + 1;
    return OK;
}

/* --- tokens ----------------------------------------------------------------------------------- */

/* Behind the opening quote. */
static enum status lex_quoted(struct path_lexer *l, const char *p, enum path_lexeme lexeme)
{
    struct escapes e = {.high = 0};
    strbuf_init(&e.out, l->arena);
    while (p < l->end && *p != '"') {
        if (*p == '\\') TRY(escape(l, &e, &p));
        else strbuf_addc(&e.out, *p++);
    }
    l->lexeme = lexeme;
    l->text = e.out.len ? strbuf_slice(&e.out) : SLICE("");
    if (p >= l->end) {
        l->shown = (struct slice){0};
        return path__error(l, "unexpected end of quoted string");
    }
    l->shown = slice_make(p, 1);
    l->next = p + 1;
    return OK;
}

static enum path_word word_of(struct slice s)
{
    static const struct {
        const char *text;
        bool lower; /* in small letters alone */
    } words[] = {{"", false},        {"is", false},      {"to", false},       {"abs", false},
                 {"lax", false},     {"flag", false},    {"last", false},     {"null", true},
                 {"size", false},    {"true", true},     {"type", false},     {"with", false},
                 {"false", true},    {"floor", false},   {"double", false},   {"exists", false},
                 {"starts", false},  {"strict", false},  {"ceiling", false},  {"datetime", false},
                 {"keyvalue", false}, {"unknown", false}, {"like_regex", false}};
    for (size_t i = 1; i < sizeof words / sizeof words[0]; i++) {
        struct slice w = slice_of(words[i].text);
        if (words[i].lower ? slice_eq(s, w) : slice_eq_nocase(s, w)) return (enum path_word)i;
    }
    return PATH_WORD_OTHER;
}

static enum status lex_word(struct path_lexer *l, const char *p)
{
    struct escapes e = {.high = 0};
    strbuf_init(&e.out, l->arena);
    while (p < l->end && (is_other(*p) || *p == '\\')) {
        if (*p == '\\') TRY(escape(l, &e, &p));
        else strbuf_addc(&e.out, *p++);
    }
    l->lexeme = PATH_LEX_WORD;
    l->text = strbuf_slice(&e.out);
    l->word = word_of(l->text);
    l->next = p;
    const char *blank = p;
    while (blank < l->end && is_blank(*blank)) blank++;
    l->shown = slice_make(p, (size_t)(blank - p));
    return OK;
}

/* An integer, or one with a point or an exponent; nothing that words may hold follows. */
static enum status lex_number(struct path_lexer *l, const char *from)
{
    const char *p = from, *end = l->end;
    bool whole = true;
    if (p < end && *p == '0') p++;
    else while (p < end && is_digit(*p)) p++;
    if (p < end && *p == '.') {
        whole = false;
        for (p++; p < end && is_digit(*p);) p++;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        const char *mark = p++;
        bool sign = p < end && (*p == '+' || *p == '-');
        p += sign;
        if (p < end && is_digit(*p)) {
            whole = false;
            while (p < end && is_digit(*p)) p++;
        } else if (sign) {
            return bad_token(l, "invalid numeric literal", from, p);
        } else {
            p = mark;
        }
    }
    if (p < end && is_other(*p)) {
        size_t len = (uint8_t)*p < 0xc0 ? 1 : (uint8_t)*p < 0xe0 ? 2 : (uint8_t)*p < 0xf0 ? 3 : 4;
        const char *to = (size_t)(end - p) < len ? end : p + len, *word = from;
        while (word < end && is_other(*word)) word++;
        if (word > to) return lex_word(l, from); /* the longer one */
        return bad_token(l, "trailing junk after numeric literal", from, to);
    }
    l->lexeme = whole ? PATH_LEX_INTEGER : PATH_LEX_NUMBER;
    l->text = l->shown = slice_make(from, (size_t)(p - from));
    l->next = p;
    return OK;
}

static enum status lex_sign(struct path_lexer *l, const char *p)
{
    static const struct {
        char text[3];
        int sign;
    } pairs[] = {{"&&", PATH_SIGN_AND}, {"||", PATH_SIGN_OR}, {"==", PATH_SIGN_EQ},
                 {"<>", PATH_SIGN_NE},  {"!=", PATH_SIGN_NE}, {"<=", PATH_SIGN_LE},
                 {">=", PATH_SIGN_GE},  {"**", PATH_SIGN_ANY}};
    size_t len = 1;
    l->lexeme = PATH_LEX_SIGN;
    l->sign = (uint8_t)*p;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (l->end - p >= 2 && memcmp(p, pairs[i].text, 2) == 0) {
            l->sign = pairs[i].sign;
            len = 2;
        }
    l->shown = slice_make(p, len);
    l->next = p + len;
    return OK;
}

static enum status lex_variable(struct path_lexer *l, const char *p)
{
    const char *from = p++;
    if (*p == '"') return lex_quoted(l, p + 1, PATH_LEX_VARIABLE);
    while (p < l->end && is_other(*p)) p++;
    l->lexeme = PATH_LEX_VARIABLE;
    l->text = slice_make(from + 1, (size_t)(p - from - 1));
    l->shown = slice_make(from, (size_t)(p - from));
    l->next = p;
    return OK;
}

/* Blanks and comments. */
static enum status skip(struct path_lexer *l, const char **ret)
{
    const char *p = l->next;
    for (;;) {
        while (p < l->end && is_blank(*p)) p++;
        if (l->end - p < 2 || p[0] != '/' || p[1] != '*') break;
        for (p += 2; p < l->end && (p + 1 >= l->end || p[0] != '*' || p[1] != '/');) p++;
        if (p >= l->end) {
            l->shown = (struct slice){0};
            return path__error(l, "unexpected end of comment");
        }
        p += 2;
    }
    *ret = p;
    return OK;
}

enum status path__lex(struct path_lexer *l)
{
    const char *p;
    TRY(skip(l, &p));
    l->text = l->shown = (struct slice){0};
    l->next = p;
    if (p >= l->end) {
        l->lexeme = PATH_LEX_END;
        return OK;
    }
    char after = p + 1 < l->end ? p[1] : '\0';
    if (*p == '"') return lex_quoted(l, p + 1, PATH_LEX_STRING);
    if (*p == '$' && after && (after == '"' || is_other(after))) return lex_variable(l, p);
    if (is_digit(*p) || (*p == '.' && is_digit(after))) return lex_number(l, p);
    return is_sign(*p) ? lex_sign(l, p) : lex_word(l, p);
}
