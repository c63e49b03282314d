/* Text of float4 and float8. Output is the shortest decimal that reads back as the same number: any
 * decimal of 15 digits (6 for float4) survives, and 17 (9) always suffice, so at most three tries
 * find it; only subnormals, which have fewer digits, are tried from one digit on. */
#include "types/value.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "types/value_priv.h"

enum { NUMBER_BYTES = 48, EXPONENT_MIN = -4, EXACT_DIGITS = 32 };

static void add_printed(struct strbuf *out, const char *buf, int n)
{
    ASSERT(n > 0 && n < NUMBER_BYTES);
    strbuf_add(out, buf, (size_t)n);
}

/* Whether the decimal lies exactly half way between v and its neighbour. Reading rounds it to v
 * when v is even, but PostgreSQL's printing takes only what is nearer to v than to any other. */
static bool at_midpoint(const char *text, double v, bool single)
{
    char exact[NUMBER_BYTES];
    long double x = strtold(text, NULL), to = x > v ? HUGE_VAL : -HUGE_VAL;
    long double next = single ? nextafterf((float)v, (float)to) : nextafter(v, (double)to);
    size_t same = strcspn(text, "e");
    if (x == v || x != ((long double)v + next) / 2) return false;
    snprintf(exact, sizeof(exact), "%.*Le", EXACT_DIGITS, x);
    return strncmp(exact, text, same) == 0 &&
           exact[same + strspn(exact + same, ".0")] == 'e';
}

/* d.ddde±xx, as printf writes it, of the fewest digits. */
static void shortest(double v, bool single, char *buf)
{
    int precision = single ? FLT_DIG : DBL_DIG;
    if (fabs(v) < (single ? (double)FLT_MIN : DBL_MIN)) precision = 1;
    for (;; precision++) {
        snprintf(buf, NUMBER_BYTES, "%.*e", precision - 1, v);
        if (precision >= (single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG)) return;
        bool same = single ? strtof(buf, NULL) == (float)v : strtod(buf, NULL) == v;
        if (same && !at_midpoint(buf, v, single)) return;
    }
}

/* Lays the digits out as PostgreSQL does: plain while the point is among the sure digits. */
static void add_digits(struct strbuf *out, const char *digits, int n, int exponent, bool single)
{
    if (exponent < EXPONENT_MIN || exponent >= (single ? FLT_DIG : DBL_DIG)) {
        strbuf_addc(out, digits[0]);
        if (n > 1) strbuf_addc(out, '.');
        strbuf_add(out, digits + 1, (size_t)n - 1);
        strbuf_addf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) strbuf_adds(out, "0.");
    for (int i = exponent + 1; i < 0; i++) strbuf_addc(out, '0');
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1 && i) strbuf_addc(out, '.');
        strbuf_addc(out, i < n ? digits[i] : '0');
    }
}

static void add_shortest(struct strbuf *out, double v, bool single)
{
    char buf[NUMBER_BYTES], digits[NUMBER_BYTES];
    const char *p = buf;
    int n = 0;
    if (fabs(v) < (single ? 1e6 : 1e15) && v == (double)(int64_t)v && (v != 0 || !signbit(v))) {
        add_printed(out, buf, snprintf(buf, sizeof(buf), "%lld", (long long)v));
        return;
    }
    shortest(v, single, buf);
    if (*p == '-') strbuf_addc(out, *p++);
    for (; *p && *p != 'e'; p++)
        if (*p != '.') digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0') n--;
    add_digits(out, digits, n, v == 0 ? 0 : (int)strtol(p + 1, NULL, 10), single);
}

void value__float_to_text(double v, bool single, int extra_digits, struct strbuf *out)
{
    char buf[NUMBER_BYTES];
    int precision = (single ? FLT_DIG : DBL_DIG) + extra_digits;
    if (isnan(v))
        strbuf_adds(out, "NaN");
    else if (isinf(v))
        strbuf_adds(out, v > 0 ? "Infinity" : "-Infinity");
    else if (extra_digits > 0)
        add_shortest(out, v, single);
    else
        add_printed(out, buf,
                    snprintf(buf, sizeof(buf), "%.*g", precision < 1 ? 1 : precision, v));
}

enum status value__float_from_text(bool single, struct slice text, struct arena *a, double *ret)
{
    const char *name = single ? "real" : "double precision";
    char buf[NUMBER_BYTES], *end;
    const char *s = buf, *begin;
    if (text.len < sizeof(buf)) {
        if (text.len) memcpy(buf, text.data, text.len);
        buf[text.len] = '\0';
    } else {
        s = arena_strndup(a, text.data, text.len);
    }
    for (begin = s; value__is_space(*begin);) begin++;
    errno = 0;
    double v = single ? (double)strtof(begin, &end) : strtod(begin, &end);
    if (errno == ERANGE && (v == 0 || isinf(v)))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "\"%.*s\" is out of range for type %s",
                    (int)(end - begin), begin, name);
    bool empty = end == begin;
    while (value__is_space(*end)) end++;
    if (empty || end != s + text.len)
        return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s: \"%.*s\"",
                    name, (int)text.len, text.data);
    *ret = v;
    return OK;
}
