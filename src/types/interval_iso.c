/* Intervals in ISO 8601's forms:
 *
 *     P1Y2M3W4DT5H6M7.5S          with designators, each number signed and with a fraction
 *     P0001-02-03T04:05:06        the alternative format, extended
 *     P00010203T040506            and basic
 *
 * A number without designator at the end of its half starts or is the alternative format. */
#include "types/interval_priv.h"

#include <math.h>
#include <stdlib.h>

#define NUMBER_MAX 1.0e15

struct number {
    int64_t whole;
    double fraction;
    int width; /* digits before the point */
};

static enum parse_result take_number(const char **p, struct number *ret)
{
    const char *s = *p;
    if (*s != '-' && *s != '.' && !(*s >= '0' && *s <= '9')) return PARSE_BAD;
    char *end;
    double n = strtod(s, &end);
    if (end == s) return PARSE_BAD;
    if (isnan(n) || n < -NUMBER_MAX || n > NUMBER_MAX) return PARSE_OVERFLOW;
    ret->whole = (int64_t)n;
    ret->fraction = n - (double)ret->whole;
    if (*s == '-') s++;
    ret->width = (int)strspn(s, "0123456789");
    *p = end;
    return PARSE_OK;
}

#define NEXT_NUMBER(p, n)                                                                          \
    do {                                                                                           \
        enum parse_result next_ = take_number((p), (n));                                           \
        if (next_ != PARSE_OK) return next_;                                                       \
    } while (0)

/* "-MM-DD" after the year; stops at the end or a T. */
static enum parse_result extended_date(const char **p, struct span_parts *s)
{
    struct number n;
    if (**p != '-') return PARSE_OK;
    ++*p;
    NEXT_NUMBER(p, &n);
    if (!interval__add_months(s, n.whole, n.fraction)) return PARSE_OVERFLOW;
    if (**p == '\0' || **p == 'T') return PARSE_OK;
    if (**p != '-') return PARSE_BAD;
    ++*p;
    NEXT_NUMBER(p, &n);
    if (!interval__add_days(s, n.whole, n.fraction, 1)) return PARSE_OVERFLOW;
    return **p == '\0' || **p == 'T' ? PARSE_OK : PARSE_BAD;
}

/* A number of the date half, without designator. */
static enum parse_result plain_date(const char **p, const struct number *n, struct span_parts *s)
{
    if (**p != '-' && n->width == 8) {
        int64_t v = n->whole;
        return interval__add_years(s, v / 10000, 0, 1) &&
                       interval__add_months(s, v / 100 % 100, 0) &&
                       interval__add_days(s, v % 100, n->fraction, 1)
                   ? PARSE_OK
                   : PARSE_OVERFLOW;
    }
    if (!interval__add_years(s, n->whole, n->fraction, 1)) return PARSE_OVERFLOW;
    return extended_date(p, s);
}

/* A number of the time half, without designator; nothing may follow. */
static enum parse_result plain_time(const char **p, struct number n, struct span_parts *s)
{
    static const int64_t units[3] = {US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND};
    if (**p == '\0' && n.width == 6) {
        int64_t v = n.whole;
        return interval__add_us(s, v / 10000, 0, US_PER_HOUR) &&
                       interval__add_us(s, v / 100 % 100, 0, US_PER_MINUTE) &&
                       interval__add_us(s, v % 100, n.fraction, US_PER_SECOND)
                   ? PARSE_OK
                   : PARSE_OVERFLOW;
    }
    for (int i = 0;; i++) {
        if (!interval__add_us(s, n.whole, n.fraction, units[i])) return PARSE_OVERFLOW;
        if (**p == '\0') return PARSE_OK;
        if (**p != ':' || i == 2) return PARSE_BAD;
        ++*p;
        NEXT_NUMBER(p, &n);
    }
}

static enum parse_result designated(char unit, bool in_time, const struct number *n,
                                    struct span_parts *s)
{
    bool ok = false;
    switch (unit) {
    case 'Y':
        if (in_time) return PARSE_BAD;
        ok = interval__add_years(s, n->whole, n->fraction, 1);
        break;
    case 'M':
        ok = in_time ? interval__add_us(s, n->whole, n->fraction, US_PER_MINUTE)
                     : interval__add_months(s, n->whole, n->fraction);
        break;
    case 'W':
    case 'D':
        if (in_time) return PARSE_BAD;
        ok = interval__add_days(s, n->whole, n->fraction, unit == 'W' ? 7 : 1);
        break;
    case 'H':
    case 'S':
        if (!in_time) return PARSE_BAD;
        ok = interval__add_us(s, n->whole, n->fraction,
                              unit == 'H' ? US_PER_HOUR : US_PER_SECOND);
        break;
    default:
        return PARSE_BAD;
    }
    return ok ? PARSE_OK : PARSE_OVERFLOW;
}

enum parse_result interval__read_iso(struct slice text, struct span_parts *ret)
{
    char buf[LEX_BYTES_MAX];
    if (text.len < 2 || text.len >= sizeof buf || text.data[0] != 'P') return PARSE_BAD;
    memcpy(buf, text.data, text.len);
    buf[text.len] = '\0';
    const char *p = buf + 1;
    struct span_parts s = {0};
    bool in_time = false, some = false;
    while (*p) {
        struct number n;
        if (*p == 'T') {
            in_time = true;
            some = false;
            p++;
            continue;
        }
        NEXT_NUMBER(&p, &n);
        bool plain = in_time ? *p == '\0' || *p == ':' : *p == '\0' || *p == '-' || *p == 'T';
        enum parse_result r;
        if (plain) {
            if (some) return PARSE_BAD;
            r = in_time ? plain_time(&p, n, &s) : plain_date(&p, &n, &s);
            if (r == PARSE_OK && *p == '\0') {
                *ret = s;
                return PARSE_OK;
            }
        } else {
            r = designated(*p++, in_time, &n, &s);
            some = true;
        }
        if (r != PARSE_OK) return r;
    }
    *ret = s; /* "PT" too: PostgreSQL takes it for nothing */
    return PARSE_OK;
}
