/* Cuts the text of a date, time or interval into fields, by the look of their characters alone:
 *
 *     12  2024.5  .5      number            10:00:00.5          time
 *     2024-01-15  1/2/24  15.01.2024        15-jan-2024         date
 *     +01:30  -5  +1-2    zone (or a signed number, in intervals)
 *     jan  pm  -infinity  string, special   europe/berlin       date (decided by the parser)
 *
 * Other punctuation only separates. The fields are bounded in number and bytes; what is longer is
 * no date. */
#include "types/datetime_priv.h"

#include <math.h>
#include <stdlib.h>

struct lexer {
    const char *p, *end;
    char *out, *out_end;
    bool full;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_punct(char c)
{
    return c > ' ' && c < 0x7f && !is_digit(c) && !is_alpha(c);
}

/* '\0' at the end: no text holds one. */
static char peek(const struct lexer *x)
{
    return x->p < x->end ? *x->p : '\0';
}

static void take(struct lexer *x)
{
    char c = *x->p++;
    if (x->out + 1 >= x->out_end) {
        x->full = true;
        return;
    }
    *x->out++ = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static void take_digits(struct lexer *x)
{
    while (is_digit(peek(x))) take(x);
}

static enum field_kind lex_number(struct lexer *x)
{
    take_digits(x);
    char delimiter = peek(x);
    if (delimiter == ':') {
        while (is_digit(peek(x)) || peek(x) == ':' || peek(x) == '.') take(x);
        return LEX_TIME;
    }
    if (delimiter != '-' && delimiter != '/' && delimiter != '.') return LEX_NUMBER;
    take(x);
    if (!is_digit(peek(x))) {
        while (is_digit(peek(x)) || is_alpha(peek(x)) || peek(x) == delimiter) take(x);
        return LEX_DATE;
    }
    take_digits(x);
    if (peek(x) == delimiter) { /* three parts make a date only with one delimiter */
        take(x);
        take_digits(x);
        return LEX_DATE;
    }
    return delimiter == '.' ? LEX_NUMBER : LEX_DATE;
}

/* A word; with punctuation a date ("jan-15-2024") or the name of a zone ("etc/gmt+1"). */
static enum field_kind lex_word(struct lexer *x, const char *start)
{
    while (is_alpha(peek(x))) take(x);
    char c = peek(x);
    bool joined = c == '-' || c == '/' || c == '.';
    if (c == '+' || is_digit(c)) {
        joined = !token__date_word(slice_make(start, (size_t)(x->out - start)));
    }
    if (!joined) return LEX_STRING;
    do {
        take(x);
        c = peek(x);
    } while (c == '+' || c == '-' || c == '/' || c == '_' || c == '.' || c == ':' || is_digit(c) ||
             is_alpha(c));
    return LEX_DATE;
}

static bool lex_signed(struct lexer *x, enum field_kind *ret)
{
    take(x);
    while (is_space(peek(x))) x->p++;
    char c = peek(x);
    if (is_digit(c)) {
        *ret = LEX_ZONE;
        for (; is_digit(c) || c == ':' || c == '.' || c == '-'; c = peek(x)) take(x);
        return true;
    }
    *ret = LEX_SPECIAL;
    if (!is_alpha(c)) return false;
    while (is_alpha(peek(x))) take(x);
    return true;
}

bool lex__split(struct slice text, struct lexed *ret)
{
    struct lexer x = {text.data, text.data + text.len, ret->buf, ret->buf + sizeof ret->buf, false};
    ret->count = 0;
    while (x.p < x.end) {
        char c = *x.p;
        if (is_space(c)) {
            x.p++;
            continue;
        }
        char *start = x.out;
        enum field_kind kind;
        if (is_digit(c)) {
            kind = lex_number(&x);
        } else if (c == '.') {
            take(&x);
            take_digits(&x);
            kind = LEX_NUMBER;
        } else if (is_alpha(c)) {
            kind = lex_word(&x, start);
        } else if (c == '+' || c == '-') {
            if (!lex_signed(&x, &kind)) return false;
        } else if (is_punct(c)) {
            x.p++;
            continue;
        } else {
            return false;
        }
        if (x.full || ret->count >= LEX_FIELDS_MAX) return false;
        *x.out++ = '\0';
        ret->kind[ret->count] = kind;
        ret->text[ret->count++] = start;
    }
    return true;
}

bool lex__int64(const char *s, int64_t *ret, const char **end)
{
    bool minus = *s == '-';
    if (*s == '-' || *s == '+') s++;
    int64_t n = 0;
    bool fits = true;
    for (; is_digit(*s); s++) {
        int64_t digit = minus ? -(*s - '0') : *s - '0';
        fits = fits && !__builtin_mul_overflow(n, 10, &n) && !__builtin_add_overflow(n, digit, &n);
    }
    *ret = n;
    *end = s;
    return fits;
}

bool lex__int(const char *s, int32_t *ret, const char **end)
{
    int64_t n;
    bool fits = lex__int64(s, &n, end) && n >= INT32_MIN && n <= INT32_MAX;
    *ret = fits ? (int32_t)n : 0;
    return fits;
}

bool lex__fraction(const char *s, int32_t *ret_us)
{
    *ret_us = 0;
    if (s[1] == '\0') return true;
    char *end;
    double fraction = strtod(s, &end);
    if (*end || !is_digit(s[1])) return false;
    *ret_us = (int32_t)rint(fraction * (double)US_PER_SECOND);
    return true;
}

enum parse_result lex__clock(const char *s, bool minutes_first, int64_t *ret_hour,
                             int32_t *ret_minute, int32_t *ret_second, int32_t *ret_us)
{
    int64_t hour;
    int32_t minute, second = 0, us = 0;
    const char *p;
    if (!lex__int64(s, &hour, &p)) return PARSE_OVERFLOW;
    if (*p != ':') return PARSE_BAD;
    if (!lex__int(p + 1, &minute, &p)) return PARSE_OVERFLOW;
    if (*p == ':') {
        if (!lex__int(p + 1, &second, &p)) return PARSE_OVERFLOW;
        if (*p == '.' ? !lex__fraction(p, &us) : *p != '\0') return PARSE_BAD;
    } else if (*p == '.' || (*p == '\0' && minutes_first)) {
        if (*p == '.' && !lex__fraction(p, &us)) return PARSE_BAD;
        if (hour > INT32_MAX || hour < INT32_MIN) return PARSE_OVERFLOW;
        second = minute;
        minute = (int32_t)hour;
        hour = 0;
    } else if (*p) {
        return PARSE_BAD;
    }
    if (hour < 0 || minute < 0 || minute > 59 || second < 0 || second > 60) return PARSE_OVERFLOW;
    *ret_hour = hour;
    *ret_minute = minute;
    *ret_second = second;
    *ret_us = us;
    return PARSE_OK;
}

enum status lex__fail(enum parse_result r, const char *type_name, struct slice text,
                      const char *zone)
{
    int len = text.len > 512 ? 512 : (int)text.len;
    switch (r) {
    case PARSE_OVERFLOW:
        return FAIL(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"%.*s\"", len,
                    text.data);
    case PARSE_MONTH_DAY:
        (void)FAIL(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"%.*s\"", len,
                   text.data);
        return error_hint("Perhaps you need a different \"datestyle\" setting.");
    case PARSE_INTERVAL_OVERFLOW:
        return FAIL(INTERVAL_FIELD_OVERFLOW, "interval field value out of range: \"%.*s\"", len,
                    text.data);
    case PARSE_ZONE_OVERFLOW:
        return FAIL(INVALID_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range: \"%.*s\"",
                    len, text.data);
    case PARSE_NO_ZONE:
        return FAIL(INVALID_PARAMETER_VALUE, "time zone \"%s\" not recognized", zone);
    case PARSE_OK:
    case PARSE_BAD:
        break;
    }
    return FAIL(INVALID_DATETIME_FORMAT, "invalid input syntax for type %s: \"%.*s\"", type_name,
                len, text.data);
}
