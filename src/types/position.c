/* xid8 and pg_lsn: text, and their ways to and from numeric. */
#include "types/position.h"

#include "types/numeric.h"
#include "types/value_priv.h"

enum { LSN_DIGITS_MAX = 8 };

static int digit_value(char c, unsigned base)
{
    int v = -1;
    if (c >= '0' && c <= '9') v = c - '0';
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') v = (c | 0x20) - 'a' + 10;
    return v < (int)base ? v : -1;
}

/* As the C library reads a number whose base its first digits tell; what follows it does not count. */
static uint64_t read_loose(struct slice s)
{
    const char *p = s.data, *end = p + s.len;
    unsigned base = 10;
    uint64_t n = 0;
    while (p < end && value__is_space(*p)) p++;
    bool minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (end - p > 2 && *p == '0' && (p[1] | 0x20) == 'x' && digit_value(p[2], 16) >= 0) {
        base = 16;
        p += 2;
    } else if (p < end && *p == '0') {
        base = 8;
    }
    for (; p < end && digit_value(*p, base) >= 0; p++)
        if (__builtin_mul_overflow(n, base, &n) ||
            __builtin_add_overflow(n, (unsigned)digit_value(*p, base), &n))
            return UINT64_MAX;
    return minus ? -n : n;
}

static const char *read_half(const char *p, const char *end, uint64_t *ret)
{
    const char *first = p;
    *ret = 0;
    while (p < end && digit_value(*p, 16) >= 0 && p - first <= LSN_DIGITS_MAX)
        *ret = *ret << 4 | (unsigned)digit_value(*p++, 16);
    return p > first && p - first <= LSN_DIGITS_MAX ? p : NULL;
}

enum status position_from_text(type_id type, struct slice text, int64_t *ret)
{
    const char *end = text.data + text.len, *p;
    uint64_t high, low;
    if (type == TYPE_XID8) {
        *ret = position_close(read_loose(text));
        return OK;
    }
    p = read_half(text.data, end, &high);
    if (p && (p == end || *p != '/' || !(p = read_half(p + 1, end, &low)) || p != end)) p = NULL;
    if (!p)
        return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type pg_lsn: \"%.*s\"",
                    (int)text.len, text.data);
    *ret = position_close(high << 32 | low);
    return OK;
}

void position_to_text(type_id type, int64_t v, struct strbuf *out)
{
    uint64_t n = position_open(v);
    if (type == TYPE_XID8) strbuf_addf(out, "%llu", (unsigned long long)n);
    else strbuf_addf(out, "%X/%X", (unsigned)(n >> 32), (unsigned)n);
}

struct numeric position_to_numeric(int64_t v, struct arena *a)
{
    uint64_t n = position_open(v);
    struct numeric half = numeric_from_i64(a, (int64_t)(n / 2)), sum;
    struct numeric rest = numeric_from_i64(a, (int64_t)(n % 2));
    if (numeric_add(a, &half, &half, &sum) != OK || numeric_add(a, &sum, &rest, &sum) != OK)
        UNREACHABLE(); /* 20 digits are no overflow */
    return sum;
}

enum status position_diff(int64_t a, int64_t b, struct arena *arena, struct numeric *ret)
{
    struct numeric x = position_to_numeric(a, arena), y = position_to_numeric(b, arena);
    return numeric_sub(arena, &x, &y, ret);
}

enum status position_of_numeric(const struct numeric *n, struct arena *a, int64_t *ret)
{
    int64_t biased;
    struct numeric zero = {.kind = NUMERIC_SMALL}, middle = position_to_numeric(0, a), less;
    if (n->kind == NUMERIC_NAN)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert NaN to pg_lsn");
    if (n->kind == NUMERIC_PINF || n->kind == NUMERIC_NINF)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert infinity to pg_lsn");
    TRY(numeric_round(a, n, 0, &less));
    if (numeric_compare(&less, &zero) < 0)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "pg_lsn out of range");
    TRY(numeric_sub(a, &less, &middle, &less)); /* 0 as an int8 is the number 2^63 */
    if (numeric_to_i64(&less, &biased) != OK)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "pg_lsn out of range");
    *ret = biased;
    return OK;
}
