/* The lexer of JSON text. As lenient and as strict as PostgreSQL's: whole words are taken before they are
 * called wrong, and an error shows at most 50 bytes of the line up to the end of what is wrong. */
#include "types/json_priv.h"

enum { CONTEXT_BYTES = 50, CONTEXT_NEAR = 3, CONTROL_END = 32 };

void json__lex_init(struct json_lexer *l, struct slice text, struct arena *a)
{
    const char *p = text.data;
    *l = (struct json_lexer){.begin = p, .end = p + text.len, .token = p, .next = p, .before = p,
                             .line_start = p, .line = 1, .arena = a};
}

/* --- errors ----------------------------------------------------------------------------------- */

static const char *next_character(const char *p, const char *end)
{
    uint8_t c = (uint8_t)*p;
    size_t len = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return (size_t)(end - p) < len ? end : p + len;
}

static enum status where(const struct json_lexer *l)
{
    const char *from = l->line_start, *to = l->next;
    while (to - from >= CONTEXT_BYTES) from = next_character(from, l->end);
    if (from - l->line_start <= CONTEXT_NEAR) from = l->line_start;
    bool more = l->lexeme != JSON_LEX_END && to < l->end && *to != '\n' && *to != '\r';
    return error_where("JSON data, line %d: %s%.*s%s", l->line, from > l->line_start ? "..." : "",
                       (int)(to - from), from, more ? "..." : "");
}

static enum status syntax(void)
{
    return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json");
}

enum status json__unexpected(const struct json_lexer *l, const char *wanted)
{
    (void)syntax();
    if (l->lexeme == JSON_LEX_END)
        (void)error_detail("The input string ended unexpectedly.");
    else
        (void)error_detail("Expected %s, but found \"%.*s\".", wanted, (int)(l->next - l->token),
                           l->token);
    return where(l);
}

static enum status bad_token(struct json_lexer *l, const char *to)
{
    l->next = to;
    l->lexeme = JSON_LEX_STRING; /* anything but the end */
    (void)syntax();
    (void)error_detail("Token \"%.*s\" is invalid.", (int)(to - l->token), l->token);
    return where(l);
}

/* `detail` has no place for anything. */
static enum status bad_string(struct json_lexer *l, const char *to, const char *detail)
{
    l->next = to;
    l->lexeme = JSON_LEX_STRING;
    (void)syntax();
    (void)error_detail("%s", detail);
    return where(l);
}

static enum status bad_escape(struct json_lexer *l, const char *at)
{
    const char *to = next_character(at, l->end);
    l->next = to;
    l->lexeme = JSON_LEX_STRING;
    (void)syntax();
    (void)error_detail("Escape sequence \"\\%.*s\" is invalid.", (int)(to - at), at);
    return where(l);
}

static enum status bad_control(struct json_lexer *l, const char *at)
{
    l->next = at;
    l->lexeme = JSON_LEX_STRING;
    (void)syntax();
    (void)error_detail("Character with value 0x%02x must be escaped.", (uint8_t)*at);
    return where(l);
}

static enum status code_zero(struct json_lexer *l, const char *to)
{
    l->next = to;
    l->lexeme = JSON_LEX_STRING;
    (void)FAIL(UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
    (void)error_detail("\\u0000 cannot be converted to text.");
    return where(l);
}

/* --- strings ---------------------------------------------------------------------------------- */

void json__add_utf8(struct strbuf *out, uint32_t c)
{
    if (c < 0x80) {
        strbuf_addc(out, (char)c);
        return;
    }
    char b[4];
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6) b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    strbuf_add(out, b, (size_t)n);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct unescape {
    struct strbuf out;
    uint32_t high; /* a surrogate that waits for its other half; 0: none */
};

#define HIGH_TWICE "Unicode high surrogate must not follow a high surrogate."
#define LOW_ALONE "Unicode low surrogate must follow a high surrogate."

/* The four digits behind \u at *at, which moves on to the last. */
static enum status hex_escape(struct json_lexer *l, struct unescape *u, const char **at)
{
    uint32_t c = 0;
    const char *p = *at;
    for (int i = 0; i < 4; i++) {
        if (++p >= l->end) return bad_token(l, l->end);
        int digit = hex(*p);
        if (digit < 0)
            return bad_string(l, next_character(p, l->end),
                              "\"\\u\" must be followed by four hexadecimal digits.");
        c = c << 4 | (uint32_t)digit;
    }
    *at = p;
    if (!l->arena) return OK;
    const char *to = p + 1;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (u->high) return bad_string(l, to, HIGH_TWICE);
        u->high = c;
        return OK;
    }
    bool low = c >= 0xdc00 && c <= 0xdfff;
    if (low != (u->high != 0)) return bad_string(l, to, LOW_ALONE);
    if (low) c = 0x10000 + ((u->high & 0x3ff) << 10) + (c & 0x3ff);
    u->high = 0;
    if (c == 0) return code_zero(l, to);
    json__add_utf8(&u->out, c);
    return OK;
}

/* What stands behind a backslash, at *at. */
static enum status escape(struct json_lexer *l, struct unescape *u, const char **at)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (**at == 'u') return hex_escape(l, u, at);
    if (l->arena && u->high) return bad_string(l, next_character(*at, l->end), LOW_ALONE);
    const char *found = **at ? strchr(letters, **at) : NULL;
    if (!found) return bad_escape(l, *at);
    if (l->arena) strbuf_addc(&u->out, meant[found - letters]);
    return OK;
}

static bool is_plain(char c) { return c != '"' && c != '\\' && (uint8_t)c >= CONTROL_END; }

/* From the quote at l->token on. A string without escapes is a part of the input. */
static enum status lex_string(struct json_lexer *l)
{
    const char *p = l->token + 1;
    struct unescape u = {.high = 0};
    while (p < l->end && is_plain(*p)) p++;
    if (p < l->end && *p == '"') {
        l->text = slice_make(l->token + 1, (size_t)(p - l->token - 1));
        l->next = p + 1;
        return OK;
    }
    if (l->arena) {
        strbuf_init(&u.out, l->arena);
        strbuf_add(&u.out, l->token + 1, (size_t)(p - l->token - 1));
    }
    while (p < l->end && *p != '"') {
        if (*p == '\\') {
            if (++p >= l->end) break;
            TRY(escape(l, &u, &p));
            p++;
            continue;
        }
        if (l->arena && u.high) return bad_string(l, next_character(p, l->end), LOW_ALONE);
        if ((uint8_t)*p < CONTROL_END) return bad_control(l, p);
        const char *run = p;
        while (p < l->end && is_plain(*p)) p++;
        if (l->arena) strbuf_add(&u.out, run, (size_t)(p - run));
    }
    if (p >= l->end) return bad_token(l, l->end);
    if (l->arena && u.high) return bad_string(l, p + 1, LOW_ALONE);
    l->next = p + 1;
    if (l->arena) l->text = strbuf_slice(&u.out);
    return OK;
}

/* --- the others ------------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (uint8_t)c >= 0x80;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p)) p++;
    return p;
}

static enum status lex_number(struct json_lexer *l)
{
    const char *p = l->token + (*l->token == '-'), *end = l->end, *from = p;
    bool good = true;
    if (p < end && *p == '0') p++;
    else p = digits(p, end);
    good = p > from;
    if (p < end && *p == '.') {
        from = ++p;
        p = digits(p, end);
        good = good && p > from;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        from = p;
        p = digits(p, end);
        good = good && p > from;
    }
    for (; p < end && is_word(*p); p++) good = false;
    if (!good) return bad_token(l, p);
    l->next = p;
    return OK;
}

static enum status lex_word(struct json_lexer *l)
{
    const char *p = l->token;
    while (p < l->end && is_word(*p)) p++;
    struct slice word = slice_make(l->token, (size_t)(p - l->token));
    if (word.len == 0) return bad_token(l, p + 1);
    if (slice_eq(word, SLICE("true"))) l->lexeme = JSON_LEX_TRUE;
    else if (slice_eq(word, SLICE("false"))) l->lexeme = JSON_LEX_FALSE;
    else if (slice_eq(word, SLICE("null"))) l->lexeme = JSON_LEX_NULL;
    else return bad_token(l, p);
    l->next = p;
    return OK;
}

static enum status lex_sign(struct json_lexer *l, enum json_lexeme lexeme)
{
    l->lexeme = lexeme;
    l->next = l->token + 1;
    return OK;
}

enum status json__lex(struct json_lexer *l)
{
    const char *p = l->next;
    l->before = l->next;
    for (; p < l->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'); p++)
        if (*p == '\n') {
            l->line++;
            l->line_start = p + 1;
        }
    l->token = p;
    if (p >= l->end) {
        l->lexeme = JSON_LEX_END;
        l->next = p;
        return OK;
    }
    switch (*p) {
    case '{': return lex_sign(l, JSON_LEX_OBJECT);
    case '}': return lex_sign(l, JSON_LEX_OBJECT_END);
    case '[': return lex_sign(l, JSON_LEX_ARRAY);
    case ']': return lex_sign(l, JSON_LEX_ARRAY_END);
    case ',': return lex_sign(l, JSON_LEX_COMMA);
    case ':': return lex_sign(l, JSON_LEX_COLON);
    case '"': l->lexeme = JSON_LEX_STRING; return lex_string(l);
    default: break;
    }
    if (*p != '-' && !is_digit(*p)) return lex_word(l);
    l->lexeme = JSON_LEX_NUMBER;
    return lex_number(l);
}
