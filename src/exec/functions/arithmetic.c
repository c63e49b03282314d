/* Integer arithmetic: + - * / % and bits of int2, int4, int8 and their mixtures.
 *
 * Loops compute every row and only note that something went wrong; then the rows are gone through
 * again to find one that counts, since a NULL row may hold anything. */
#include "exec/functions/functions_priv.h"

#include "base/vector.h"
#include "types/cast.h"

#define RANGE_int16_t "smallint out of range"
#define RANGE_int32_t "integer out of range"
#define RANGE_int64_t "bigint out of range"
#define RANGE(T) FAIL(NUMERIC_VALUE_OUT_OF_RANGE, RANGE_##T)

static enum status zero_divide(void)
{
    return FAIL(DIVISION_BY_ZERO, "division by zero");
}

/* Each gives true when it cannot; *r is then unused. T is the result's type. */
#define DO_pl(T, a, b, r) __builtin_add_overflow((T)(a), (T)(b), r)
#define DO_mi(T, a, b, r) __builtin_sub_overflow((T)(a), (T)(b), r)
#define DO_mul(T, a, b, r) __builtin_mul_overflow((T)(a), (T)(b), r)
/* The one quotient that overflows is that of the least number by -1: negation tells. */
#define DO_div(T, a, b, r)                                                                         \
    ((b) == 0 || ((b) == -1 ? __builtin_sub_overflow((T)0, (T)(a), r)                              \
                            : (*(r) = (T)((a) / ((b) ? (b) : 1)), false)))
#define DO_mod(T, a, b, r) ((b) == 0 || (*(r) = (T)((b) == -1 ? 0 : (a) % ((b) ? (b) : 1)), false))
#define WHY_pl(T, b) RANGE(T)
#define WHY_mi(T, b) RANGE(T)
#define WHY_mul(T, b) RANGE(T)
#define WHY_div(T, b) ((b) == 0 ? zero_divide() : RANGE(T))
#define WHY_mod(T, b) zero_divide()

/* The same for loops without branches, which become vector code where the processor has it. Sums and
 * differences overflow when the operands' signs and the result's say so. */
#define UNSIGNED_int16_t uint16_t
#define UNSIGNED_int32_t uint32_t
#define UNSIGNED_int64_t uint64_t
#define LOOP_pl(T, a, b, r)                                                                        \
    ({                                                                                             \
        T x_ = (T)(a), y_ = (T)(b), z_ = (T)((UNSIGNED_##T)x_ + (UNSIGNED_##T)y_);                 \
        *(r) = z_;                                                                                 \
        (T)((x_ ^ z_) & (y_ ^ z_));                                                                \
    })
#define LOOP_mi(T, a, b, r)                                                                        \
    ({                                                                                             \
        T x_ = (T)(a), y_ = (T)(b), z_ = (T)((UNSIGNED_##T)x_ - (UNSIGNED_##T)y_);                 \
        *(r) = z_;                                                                                 \
        (T)((x_ ^ y_) & (x_ ^ z_));                                                                \
    })
#define LOOP_mul(T, a, b, r) (T) - (T)DO_mul(T, a, b, r)
#define LOOP_div(T, a, b, r) (T) - (T)DO_div(T, a, b, r)
#define LOOP_mod(T, a, b, r) (T) - (T)DO_mod(T, a, b, r)

#define ARITHMETIC(p, op, L, R, T, lf, rf, tf)                                                     \
    static enum status p##op(struct call_ctx *c, const struct datum *args, uint32_t n,             \
                             struct datum *ret)                                                    \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        L a = args[0].v.lf;                                                                        \
        R b = args[1].v.rf;                                                                        \
        T r = 0;                                                                                   \
        if (DO_##op(T, a, b, &r)) return WHY_##op(T, b);                                           \
        ret->v.tf = r;                                                                             \
        return OK;                                                                                 \
    }                                                                                              \
    VECTOR_CODE                                                                                    \
    static enum status p##op##_vec(struct call_ctx *c, const struct vec *const *args, uint32_t n,  \
                                   const uint16_t *sel, uint32_t count, struct vec *ret)           \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        const L *a = args[0]->data;                                                                \
        const R *b = args[1]->data;                                                                \
        T *restrict out = ret->data;                                                               \
        bool flat_a = args[0]->form != VEC_CONST, flat_b = args[1]->form != VEC_CONST;             \
        T bad = 0; /* negative: some row has failed */                                             \
        if (!sel && flat_a && flat_b) {                                                            \
            for (uint32_t i = 0; i < count; i++) bad |= LOOP_##op(T, a[i], b[i], &out[i]);         \
        } else if (!sel && flat_a) {                                                               \
            R k = b[0];                                                                            \
            for (uint32_t i = 0; i < count; i++) bad |= LOOP_##op(T, a[i], k, &out[i]);            \
        } else {                                                                                   \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                uint32_t r = fn_row(sel, i);                                                       \
                bad |= LOOP_##op(T, a[flat_a ? r : 0], b[flat_b ? r : 0], &out[r]);                \
            }                                                                                      \
        }                                                                                          \
        for (uint32_t i = 0; bad < 0 && i < count; i++) {                                          \
            uint32_t r = fn_row(sel, i), ra = flat_a ? r : 0, rb = flat_b ? r : 0;                 \
            if (nulls_get(ret->nulls, r)) continue;                                                \
            if (DO_##op(T, a[ra], b[rb], &out[r])) return WHY_##op(T, b[rb]);                      \
        }                                                                                          \
        return OK;                                                                                 \
    }
#define FOUR(p, L, R, T, lf, rf, tf)                                                               \
    ARITHMETIC(p, pl, L, R, T, lf, rf, tf)                                                         \
    ARITHMETIC(p, mi, L, R, T, lf, rf, tf)                                                         \
    ARITHMETIC(p, mul, L, R, T, lf, rf, tf)                                                        \
    ARITHMETIC(p, div, L, R, T, lf, rf, tf)
FOUR(int2, int16_t, int16_t, int16_t, i16, i16, i16)
FOUR(int4, int32_t, int32_t, int32_t, i32, i32, i32)
FOUR(int8, int64_t, int64_t, int64_t, i64, i64, i64)
FOUR(int24, int16_t, int32_t, int32_t, i16, i32, i32)
FOUR(int42, int32_t, int16_t, int32_t, i32, i16, i32)
FOUR(int28, int16_t, int64_t, int64_t, i16, i64, i64)
FOUR(int82, int64_t, int16_t, int64_t, i64, i16, i64)
FOUR(int48, int32_t, int64_t, int64_t, i32, i64, i64)
FOUR(int84, int64_t, int32_t, int64_t, i64, i32, i64)
ARITHMETIC(int2, mod, int16_t, int16_t, int16_t, i16, i16, i16)
ARITHMETIC(int4, mod, int32_t, int32_t, int32_t, i32, i32, i32)
ARITHMETIC(int8, mod, int64_t, int64_t, int64_t, i64, i64, i64)

/* --- signs and bits ------------------------------------------------------------------------- */

#define SCALAR(name, BODY)                                                                         \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        BODY;                                                                                      \
        return OK;                                                                                 \
    }
/* A shift takes its count modulo the width, as x86 does and PostgreSQL lets it. */
#define SIGNS_AND_BITS(p, T, U, f, bits)                                                           \
    SCALAR(p##um, if (__builtin_sub_overflow((T)0, args[0].v.f, &ret->v.f)) return RANGE(T))       \
    SCALAR(p##up, ret->v.f = args[0].v.f)                                                          \
    SCALAR(p##abs, if (args[0].v.f >= 0) ret->v.f = args[0].v.f;                                   \
           else if (__builtin_sub_overflow((T)0, args[0].v.f, &ret->v.f)) return RANGE(T))         \
    SCALAR(p##and, ret->v.f = (T)(args[0].v.f & args[1].v.f))                                      \
    SCALAR(p##or, ret->v.f = (T)(args[0].v.f | args[1].v.f))                                       \
    SCALAR(p##xor, ret->v.f = (T)(args[0].v.f ^ args[1].v.f))                                      \
    SCALAR(p##not, ret->v.f = (T)~args[0].v.f)                                                     \
    SCALAR(p##shl, ret->v.f = (T)((U)args[0].v.f << (args[1].v.i32 & (bits - 1))))                 \
    SCALAR(p##shr, ret->v.f = (T)(args[0].v.f >> (args[1].v.i32 & (bits - 1))))
/* int2 shifts as int4, the promotion of C. */
SIGNS_AND_BITS(int2, int16_t, uint32_t, i16, 32)
SIGNS_AND_BITS(int4, int32_t, uint32_t, i32, 32)
SIGNS_AND_BITS(int8, int64_t, uint64_t, i64, 64)

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

#define DIVISORS(p, T, f, max)                                                                     \
    SCALAR(p##gcd,                                                                                 \
           uint64_t g = common_divisor(magnitude(args[0].v.f), magnitude(args[1].v.f));            \
           if (g > max) return RANGE(T);                                                           \
           ret->v.f = (T)g)                                                                        \
    SCALAR(p##lcm,                                                                                 \
           uint64_t a = magnitude(args[0].v.f); uint64_t b = magnitude(args[1].v.f);               \
           uint64_t l = 0;                                                                         \
           if (a && b && (__builtin_mul_overflow(a / common_divisor(a, b), b, &l) || l > max))     \
               return RANGE(T);                                                                    \
           ret->v.f = (T)l)
DIVISORS(int4, int32_t, i32, INT32_MAX)
DIVISORS(int8, int64_t, i64, INT64_MAX)

/* --- conversions called as functions: int4(x), float8(x) … ----------------------------------- */

static enum status convert(struct call_ctx *c, const struct datum *args, uint32_t n,
                           struct datum *ret)
{
    (void)n;
    return cast_value(c->expr->args[0]->type, c->expr->type, &args[0].v, c->session->format,
                      c->arena, &ret->v);
}

/* numeric(x, typmod), varchar(x, typmod, explicit) …: a length applied as a function. */
static enum status fit_typmod(struct call_ctx *c, const struct datum *args, uint32_t n,
                              struct datum *ret)
{
    ret->v = args[0].v;
    bool is_explicit = n > 2 && !args[2].null && args[2].v.b;
    return value_apply_typmod(c->expr->type, args[1].v.i32, is_explicit, c->arena, &ret->v);
}

#define FOUR_OF(p) {#p "pl", p##pl, p##pl_vec}, {#p "mi", p##mi, p##mi_vec},                       \
    {#p "mul", p##mul, p##mul_vec}, {#p "div", p##div, p##div_vec}
#define BITS_OF(p) {#p "mod", p##mod, p##mod_vec}, {#p "um", p##um, NULL}, {#p "up", p##up, NULL}, \
    {#p "abs", p##abs, NULL}, {#p "and", p##and, NULL}, {#p "or", p##or, NULL},                    \
    {#p "xor", p##xor, NULL}, {#p "not", p##not, NULL}, {#p "shl", p##shl, NULL},                  \
    {#p "shr", p##shr, NULL}
#define CONVERT(symbol) {symbol, convert, NULL}

const struct proc_binding exec__arithmetic_functions[] = {
    FOUR_OF(int2), FOUR_OF(int4), FOUR_OF(int8), FOUR_OF(int24), FOUR_OF(int42), FOUR_OF(int28),
    FOUR_OF(int82), FOUR_OF(int48), FOUR_OF(int84), BITS_OF(int2), BITS_OF(int4), BITS_OF(int8),
    {"int4gcd", int4gcd, NULL}, {"int4lcm", int4lcm, NULL},
    {"int8gcd", int8gcd, NULL}, {"int8lcm", int8lcm, NULL},
    CONVERT("int28"), CONVERT("int48"), CONVERT("int82"), CONVERT("int84"), CONVERT("i2toi4"),
    CONVERT("i4toi2"), CONVERT("i8tooid"), CONVERT("oidtoi8"), CONVERT("chartoi4"),
    CONVERT("i4tochar"), CONVERT("bool_int4"), CONVERT("int4_bool"), CONVERT("i2tod"),
    CONVERT("i2tof"), CONVERT("i4tod"), CONVERT("i4tof"), CONVERT("i8tod"), CONVERT("i8tof"),
    CONVERT("dtof"), CONVERT("ftod"), CONVERT("dtoi2"), CONVERT("dtoi4"), CONVERT("dtoi8"),
    CONVERT("ftoi2"), CONVERT("ftoi4"), CONVERT("ftoi8"), CONVERT("int2_numeric"),
    CONVERT("int4_numeric"), CONVERT("int8_numeric"), CONVERT("float4_numeric"),
    CONVERT("float8_numeric"), CONVERT("numeric_int2"), CONVERT("numeric_int4"),
    CONVERT("numeric_int8"), CONVERT("numeric_float4"), CONVERT("numeric_float8"),
    CONVERT("booltext"), CONVERT("bpchar_name"), CONVERT("name_bpchar"), CONVERT("name_text"),
    CONVERT("text_name"), CONVERT("char_text"), CONVERT("text_char"), CONVERT("char_bpchar"),
    CONVERT("text_regclass"),
    {"numeric", fit_typmod, NULL}, {"bpchar", fit_typmod, NULL}, {"varchar", fit_typmod, NULL},
    {"interval_scale", fit_typmod, NULL}, {"timestamp_scale", fit_typmod, NULL},
    {"timestamptz_scale", fit_typmod, NULL}, {"time_scale", fit_typmod, NULL},
};
BINDING_COUNT(arithmetic)
