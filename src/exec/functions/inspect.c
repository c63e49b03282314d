/* Functions that look at values of any type: what type and size they have, how many are NULL; and
 * sizes in words. */
#include "exec/functions/inspect_priv.h"

#include "types/numeric.h"

SCALAR(inspect__typeof)
{
    ret->v.u32 = text__arg_type(c, 0);
    return OK;
}

/* --- NULLs ------------------------------------------------------------------------------------ */

static enum status count_nulls(struct call_ctx *c, const struct datum *args, uint32_t n, bool null,
                               struct datum *ret)
{
    struct array_view v;
    if (c->expr && c->expr->call.variadic_array) {
        if (args[n - 1].null) return ret_null(ret);
        TRY(array_open(&args[n - 1].v.bytes, c->arena, &v));
        args = v.elements;
        n = v.count;
    }
    int32_t count = 0;
    for (uint32_t i = 0; i < n; i++) count += args[i].null == null;
    return ret_i32(ret, count);
}

SCALAR(inspect__nulls) { return count_nulls(c, args, n, true, ret); }
SCALAR(inspect__nonnulls) { return count_nulls(c, args, n, false, ret); }

/* --- sizes ------------------------------------------------------------------------------------ */

/* As on a page of PostgreSQL, which is what clients expect: fixed types by their length, others
 * with their header of four bytes. */
SCALAR(inspect__column_size)
{
    const struct type_info *t = type_get(text__arg_type(c, 0));
    if (t && t->typlen > 0) return ret_i32(ret, t->typlen);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    switch (t ? t->rep : REP_BYTES) {
    case REP_NUMERIC:
        value_to_binary(TYPE_NUMERIC, &args[0].v, &b);
        /* the wire's header has eight bytes, the stored one two and a length word */
        return ret_i32(ret, (int32_t)b.len - 2);
    default:
        return ret_i32(ret, (int32_t)args[0].v.bytes.len + 4);
    }
}

static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
enum { UNITS = sizeof units / sizeof units[0] };

static enum status ret_size(struct call_ctx *c, const char *sign, uint64_t size, uint32_t unit,
                            struct datum *ret)
{
    return ret_slice(ret, slice_of(arena_printf(c->arena, "%s%llu %s", sign,
                                                (unsigned long long)size, units[unit])));
}

/* Steps to the next unit from 10,240 of one on; half units are rounded up. */
static enum status pretty(struct call_ctx *c, const char *sign, uint64_t size, struct datum *ret)
{
    if (size < 10240) return ret_size(c, sign, size, 0, ret);
    uint32_t unit = 1;
    uint64_t doubled = size >> 9; /* in halves of the unit, so that rounding is exact */
    for (; unit + 1 < UNITS && (doubled + 1) / 2 >= 10240; unit++) doubled >>= 10;
    return ret_size(c, sign, (doubled + 1) / 2, unit, ret);
}

SCALAR(inspect__size_pretty)
{
    int64_t size = args[0].v.i64;
    return pretty(c, size < 0 ? "-" : "", size < 0 ? 0 - (uint64_t)size : (uint64_t)size, ret);
}

/* Small ones keep their fraction; beyond 64 bits the unit is the last. */
SCALAR(inspect__size_pretty_numeric)
{
    const struct numeric *x = &args[0].v.numeric;
    struct numeric size = numeric_abs(c->arena, x), limit = numeric_small(10240, 0), quotient;
    struct strbuf b;
    strbuf_init(&b, c->arena);
    if (x->kind >= NUMERIC_NAN || numeric_compare(&size, &limit) < 0) {
        numeric_to_text(x, &b);
        strbuf_adds(&b, " bytes");
        return text__ret(&b, ret);
    }
    const char *sign = numeric_sign(x) < 0 ? "-" : "";
    struct numeric most = numeric_small(1ll << 59, 0);
    if (numeric_compare(&size, &most) < 0) {
        TRY(numeric_trunc(c->arena, &size, 0, &size));
        int64_t bytes;
        TRY(numeric_to_i64(&size, &bytes));
        return pretty(c, sign, (uint64_t)bytes, ret);
    }
    struct numeric unit = numeric_from_i64(c->arena, 1ll << 50);
    TRY(numeric_div(c->arena, &size, &unit, &quotient));
    TRY(numeric_round(c->arena, &quotient, 0, &quotient));
    strbuf_adds(&b, sign);
    numeric_to_text(&quotient, &b);
    strbuf_adds(&b, " PB");
    return text__ret(&b, ret);
}

static bool is_blank(char ch) { return ch == ' ' || (ch >= '\t' && ch <= '\r'); }

static size_t digits_at(struct slice s, size_t at)
{
    size_t end = at;
    while (end < s.len && s.data[end] >= '0' && s.data[end] <= '9') end++;
    return end - at;
}

/* The length of the number at the beginning: sign, digits, fraction, exponent; 0 for none. */
static size_t number_length(struct slice s)
{
    size_t at = s.len && (s.data[0] == '-' || s.data[0] == '+');
    size_t whole = digits_at(s, at), fraction = 0;
    at += whole;
    if (at < s.len && s.data[at] == '.') {
        fraction = digits_at(s, at + 1);
        at += 1 + fraction;
    }
    if (whole + fraction == 0) return 0;
    if (at < s.len && (s.data[at] == 'e' || s.data[at] == 'E')) {
        size_t sign = at + 1 < s.len && (s.data[at + 1] == '-' || s.data[at + 1] == '+');
        size_t exponent = digits_at(s, at + 1 + sign);
        if (exponent) at += 1 + sign + exponent;
    }
    return at;
}

static enum status bad_size(struct slice s)
{
    return FAIL(INVALID_PARAMETER_VALUE, "invalid size: \"%.*s\"", (int)s.len, s.data);
}

SCALAR(inspect__size_bytes)
{
    struct slice all = arg_slice(args, 0), s = all;
    for (; s.len && is_blank(s.data[0]); s.len--) s.data++;
    while (s.len && is_blank(s.data[s.len - 1])) s.len--;
    size_t len = number_length(s);
    if (len == 0) return bad_size(all);
    struct numeric x;
    TRY(numeric_from_text(slice_make(s.data, len), -1, c->arena, &x));
    s = slice_from(s, len);
    for (; s.len && is_blank(s.data[0]); s.len--) s.data++;
    if (s.len) {
        uint32_t unit = 0;
        while (unit < UNITS && !slice_eq_nocase(s, slice_of(units[unit]))) unit++;
        if (unit == UNITS) {
            (void)bad_size(all);
            (void)error_detail("Invalid size unit: \"%.*s\".", (int)s.len, s.data);
            return error_hint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and "
                              "\"PB\".");
        }
        struct numeric factor = numeric_from_i64(c->arena, 1ll << (10 * unit));
        TRY(numeric_mul(c->arena, &x, &factor, &x));
    }
    return numeric_to_i64(&x, &ret->v.i64);
}

/* --- names of character encodings, by the numbers that clients know --------------------------- */

static const struct {
    int32_t number;
    const char *name;
} encodings[] = {{0, "SQL_ASCII"}, {6, "UTF8"}, {8, "LATIN1"}};
enum { ENCODINGS = sizeof encodings / sizeof encodings[0] };

SCALAR(inspect__encoding_number)
{
    struct slice name = arg_slice(args, 0);
    if (slice_eq_nocase(name, SLICE("UTF-8")) || slice_eq_nocase(name, SLICE("UNICODE")))
        return ret_i32(ret, 6);
    for (uint32_t i = 0; i < ENCODINGS; i++)
        if (slice_eq_nocase(name, slice_of(encodings[i].name)))
            return ret_i32(ret, encodings[i].number);
    return ret_i32(ret, -1);
}

SCALAR(inspect__encoding_name)
{
    for (uint32_t i = 0; i < ENCODINGS; i++)
        if (encodings[i].number == args[0].v.i32)
            return ret_slice(ret, slice_of(encodings[i].name));
    return ret_slice(ret, SLICE(""));
}
