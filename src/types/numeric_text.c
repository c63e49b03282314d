/* Decimals in and out: text, floats, type modifiers.
 *
 * The number of digits that may be written is bounded by the limits of the type before any memory
 * is taken for it: "1e1000000000" fails without being expanded. */
#include "types/numeric.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "types/numeric_priv.h"

/* Puts the point into `len` digits. */
static void add_digits(struct strbuf *out, bool negative, const char *digits, size_t len,
                       uint32_t scale)
{
    if (negative) strbuf_addc(out, '-');
    if (len <= scale) {
        strbuf_addc(out, '0');
        strbuf_addc(out, '.');
        strbuf_reserve(out, scale);
        for (size_t i = len; i < scale; i++) strbuf_addc(out, '0');
        strbuf_add(out, digits, len);
        return;
    }
    strbuf_add(out, digits, len - scale);
    if (scale == 0) return;
    strbuf_addc(out, '.');
    strbuf_add(out, digits + (len - scale), scale);
}

static void big_to_text(const struct numeric *n, struct strbuf *out)
{
    struct numeric_view v;
    numeric__view(n, &v);
    struct arena tmp;
    arena_init(&tmp, MEM_QUERY);
    char *digits = arena_alloc(&tmp, mpz_sizeinbase(v.z, 10) + 2);
    mpz_get_str(digits, 10, v.z);
    bool negative = digits[0] == '-';
    add_digits(out, negative, digits + negative, strlen(digits + negative), n->scale);
    arena_release(&tmp);
}

void numeric_to_text(const struct numeric *n, struct strbuf *out)
{
    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_NAN: strbuf_adds(out, "NaN"); return;
    case NUMERIC_PINF: strbuf_adds(out, "Infinity"); return;
    case NUMERIC_NINF: strbuf_adds(out, "-Infinity"); return;
    case NUMERIC_BIG: big_to_text(n, out); return;
    case NUMERIC_SMALL: break;
    }
    char buf[24];
    char *end = buf + sizeof buf, *p = end;
    uint64_t c = n->coefficient < 0 ? -(uint64_t)n->coefficient : (uint64_t)n->coefficient;
    do {
        *--p = (char)('0' + c % 10);
        c /= 10;
    } while (c);
    add_digits(out, n->coefficient < 0, p, (size_t)(end - p), n->scale);
}

/* typmod is ((precision << 16) | 11 bits of scale) + 4; the scale may be negative. */
static int typmod_precision(int32_t typmod) { return ((typmod - 4) >> 16) & 0xffff; }
static int typmod_scale(int32_t typmod) { return (((typmod - 4) & 0x7ff) ^ 1024) - 1024; }

static enum status field_overflow(int precision, int scale)
{
    int digits = precision - scale;
    FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
    return error_detail("A field with precision %d, scale %d must round to an absolute value less "
                        "than %s%d.",
                        precision, scale, digits ? "10^" : "", digits ? digits : 1);
}

enum status numeric_apply_typmod(struct arena *a, int32_t typmod, struct numeric *n)
{
    if (typmod < 4 || n->kind == NUMERIC_NAN) return OK;
    int precision = typmod_precision(typmod), scale = typmod_scale(typmod);
    if (numeric__special(n)) {
        FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
        return error_detail("A field with precision %d, scale %d cannot hold an infinite value.",
                            precision, scale);
    }
    struct numeric r;
    TRY(numeric_round(a, n, scale, &r));
    if (!numeric__is_zero(&r)) {
        struct numeric__lead l;
        numeric__lead(&r, &l);
        if (l.exponent + 1 > precision - scale) return field_overflow(precision, scale);
    }
    *n = r;
    return OK;
}

/* What a number is made of, as written. */
struct parts {
    bool negative;
    const char *whole, *fraction;
    size_t whole_len, fraction_len;
    int64_t exponent;
};

static enum status syntax_error(struct slice s)
{
    return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type numeric: \"%.*s\"",
                (int)(s.len < 800 ? s.len : 800), s.data);
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && isdigit((unsigned char)*p)) p++;
    return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && isspace((unsigned char)*p)) p++;
    return p;
}

/* The exponent with its sign. `*p` stands behind the e. Bounded so that sums with it cannot
 * wrap. */
static bool read_exponent(const char **p, const char *end, int64_t *ret, bool *ret_huge)
{
    bool negative = false;
    if (*p < end && (**p == '+' || **p == '-')) negative = *(*p)++ == '-';
    const char *first = *p;
    int64_t e = 0;
    *p = skip_digits(*p, end);
    if (*p == first) return false;
    for (const char *q = first; q < *p && e < INT32_MAX / 2; q++) e = e * 10 + (*q - '0');
    *ret_huge = e >= INT32_MAX / 2;
    *ret = negative ? -e : e;
    return true;
}

/* NaN and the infinities, in any case; the sign is taken off. */
static bool read_special(const char *p, const char *end, bool sign_given, bool negative,
                         struct numeric *ret)
{
    static const char *const words[] = {"NaN", "Infinity", "inf"};
    const char *stop = end;
    while (stop > p && isspace((unsigned char)stop[-1])) stop--;
    for (int i = 0; i < 3; i++) {
        if (!slice_eq_nocase(slice_make(p, (size_t)(stop - p)), slice_of(words[i]))) continue;
        if (i == 0 && sign_given) return false;
        *ret = i == 0 ? numeric__nan() : numeric__inf(negative ? -1 : 1);
        return true;
    }
    return false;
}

/* sign digits [. digits] [e exponent], at least one digit before or behind the point. */
static enum status read_parts(struct slice s, struct parts *n, bool *ret_special,
                              struct numeric *ret)
{
    const char *end = s.data + s.len, *p = skip_blanks(s.data, end);
    bool sign_given = p < end && (*p == '+' || *p == '-');
    if (sign_given) n->negative = *p++ == '-';
    *ret_special = read_special(p, end, sign_given, n->negative, ret);
    if (*ret_special) return OK;
    n->whole = p;
    p = skip_digits(p, end);
    n->whole_len = (size_t)(p - n->whole);
    if (p < end && *p == '.') {
        n->fraction = ++p;
        p = skip_digits(p, end);
        n->fraction_len = (size_t)(p - n->fraction);
    }
    if (n->whole_len + n->fraction_len == 0) return syntax_error(s);
    bool huge = false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (!read_exponent(&p, end, &n->exponent, &huge)) return syntax_error(s);
        if (huge)
            return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
    }
    return skip_blanks(p, end) == end ? OK : syntax_error(s);
}

/* All digits in one string without leading zeros, NUL-terminated. */
static char *join_digits(struct arena *tmp, const struct parts *n, size_t *ret_len)
{
    char *d = arena_alloc(tmp, n->whole_len + n->fraction_len + 2);
    if (n->whole_len) memcpy(d, n->whole, n->whole_len);
    if (n->fraction_len) memcpy(d + n->whole_len, n->fraction, n->fraction_len);
    size_t len = n->whole_len + n->fraction_len, zeros = 0;
    while (zeros + 1 < len && d[zeros] == '0') zeros++;
    d[len] = '\0';
    *ret_len = len - zeros;
    return d + zeros;
}

/* digits × 10^-scale */
static enum status make_from_digits(struct arena *a, const char *digits, size_t len, int64_t scale,
                                    bool negative, struct numeric *ret)
{
    bool zero = len == 1 && digits[0] == '0';
    if (scale > NUMERIC__SCALE_MAX ||
        (!zero && (int64_t)len - scale > NUMERIC__INTEGER_DIGITS_MAX))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
    if (zero) {
        *ret = numeric_small(0, (uint16_t)(scale < 0 ? 0 : scale));
        return OK;
    }
    mpz_t c;
    mpz_init(c);
    ASSERT(mpz_set_str(c, digits, 10) == 0);
    if (negative) mpz_neg(c, c);
    if (scale < 0) {
        numeric__rescale(c, c, (int32_t)scale, 0, false);
        scale = 0;
    }
    enum status s = numeric__make(a, c, (int32_t)scale, ret);
    mpz_clear(c);
    return s;
}

static bool read_short(const struct parts *n, struct numeric *ret)
{
    int64_t scale = (int64_t)n->fraction_len - n->exponent;
    if (n->whole_len + n->fraction_len > 18) return false;
    if (scale < 0 || scale > NUMERIC__SCALE_MAX) return false;
    int64_t c = 0;
    for (size_t i = 0; i < n->whole_len; i++) c = c * 10 + (n->whole[i] - '0');
    for (size_t i = 0; i < n->fraction_len; i++) c = c * 10 + (n->fraction[i] - '0');
    *ret = numeric_small(n->negative ? -c : c, (uint16_t)scale);
    return true;
}

enum status numeric_from_text(struct slice s, int32_t typmod, struct arena *a, struct numeric *ret)
{
    struct parts n = {0};
    struct numeric r;
    bool special;
    TRY(read_parts(s, &n, &special, &r));
    if (!special && !read_short(&n, &r)) {
        struct arena tmp;
        arena_init(&tmp, MEM_QUERY);
        size_t len;
        char *digits = join_digits(&tmp, &n, &len);
        enum status st = make_from_digits(a, digits, len, (int64_t)n.fraction_len - n.exponent,
                                          n.negative, &r);
        arena_release(&tmp);
        TRY(st);
    }
    TRY(numeric_apply_typmod(a, typmod, &r));
    *ret = r;
    return OK;
}

enum status numeric_from_f64(struct arena *a, double v, int digits, struct numeric *ret)
{
    if (isnan(v) || isinf(v)) {
        *ret = isnan(v) ? numeric__nan() : numeric__inf(v < 0 ? -1 : 1);
        return OK;
    }
    char buf[64];
    snprintf(buf, sizeof buf, "%.*g", digits > 17 ? 17 : digits, v);
    return numeric_from_text(slice_of(buf), -1, a, ret);
}

double numeric_to_f64(const struct numeric *n)
{
    /* Powers of ten to 10^22 and integers below 2^53 are exact, so their quotient rounds once. */
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n->kind == NUMERIC_SMALL && n->scale <= 22 && n->coefficient <= (1ll << 53) &&
        n->coefficient >= -(1ll << 53))
        return (double)n->coefficient / exact[n->scale];
    struct strbuf b;
    strbuf_init(&b, NULL);
    numeric_to_text(n, &b);
    double d = strtod(b.data, NULL);
    strbuf_release(&b);
    return d;
}
