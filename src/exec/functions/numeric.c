/* Operators and functions of numeric, over types/numeric.h. Sums, differences and products of small
 * values are done here in 64 bits, in loops; what does not fit goes the long way. */
#include "exec/functions/functions_priv.h"

#include "base/vector.h"
#include "exec/functions/number_pattern_priv.h"
#include "types/numeric.h"

#define SMALL_LIMIT 1000000000000000000ll /* coefficients of small values stay below */

enum { SCALE_STEP_MAX = 17, FACTORIAL_MAX = 32177, NUMERIC_SCALE_MAX = 16383 };

static const int64_t powers_of_ten[SCALE_STEP_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
    100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
    10000000000000000, 100000000000000000,
};

static inline bool both_small(const struct numeric *x, const struct numeric *y)
{
    return x->kind == NUMERIC_SMALL && y->kind == NUMERIC_SMALL;
}

static inline bool fits(int64_t c) { return c > -SMALL_LIMIT && c < SMALL_LIMIT; }

/* x and y as integers of one scale. */
static inline bool align(const struct numeric *x, const struct numeric *y, int64_t *a, int64_t *b,
                         uint16_t *scale)
{
    *a = x->coefficient;
    *b = y->coefficient;
    *scale = x->scale;
    if (x->scale == y->scale) return true;
    int step = (int)x->scale - (int)y->scale;
    if (step > SCALE_STEP_MAX || step < -SCALE_STEP_MAX) return false;
    if (step > 0) return !__builtin_mul_overflow(*b, powers_of_ten[step], b);
    *scale = y->scale;
    return !__builtin_mul_overflow(*a, powers_of_ten[-step], a);
}

static inline enum status add(struct arena *arena, const struct numeric *x,
                              const struct numeric *y, struct numeric *ret)
{
    int64_t a, b, r;
    uint16_t scale;
    if (both_small(x, y) && align(x, y, &a, &b, &scale) && !__builtin_add_overflow(a, b, &r) &&
        fits(r)) {
        *ret = numeric_small(r, scale);
        return OK;
    }
    return numeric_add(arena, x, y, ret);
}

static inline enum status sub(struct arena *arena, const struct numeric *x,
                              const struct numeric *y, struct numeric *ret)
{
    int64_t a, b, r;
    uint16_t scale;
    if (both_small(x, y) && align(x, y, &a, &b, &scale) && !__builtin_sub_overflow(a, b, &r) &&
        fits(r)) {
        *ret = numeric_small(r, scale);
        return OK;
    }
    return numeric_sub(arena, x, y, ret);
}

static inline enum status mul(struct arena *arena, const struct numeric *x,
                              const struct numeric *y, struct numeric *ret)
{
    int64_t r;
    if (both_small(x, y) && x->scale + y->scale <= NUMERIC_SCALE_MAX &&
        !__builtin_mul_overflow(x->coefficient, y->coefficient, &r) && fits(r)) {
        *ret = numeric_small(r, (uint16_t)(x->scale + y->scale));
        return OK;
    }
    return numeric_mul(arena, x, y, ret);
}

/* --- columns of one scale ------------------------------------------------------------------- */

/* All of a numeric but its coefficient. */
static inline uint64_t head(const struct numeric *x)
{
    uint64_t h;
    memcpy(&h, (const char *)x + sizeof x->coefficient, sizeof h);
    return h;
}
_Static_assert(offsetof(struct numeric, scale) == 8 && sizeof(struct numeric) == 16, "head");

static bool any_null(const struct vec *ret, uint32_t rows)
{
    uint64_t any = 0;
    for (uint32_t w = 0; ret->nulls && w < (rows + 63) / 64; w++) any |= ret->nulls[w];
    return any;
}

/* Words of numerics: coefficient, head. Of the rows: bits in which a head differs from `head`, and all bits
 * of the coefficients' magnitudes. */
VECTOR_CODE
static uint64_t look(const uint64_t *words, const uint16_t *sel, uint32_t count, uint64_t head,
                     uint64_t *ret_magnitudes)
{
    uint64_t odd = 0, all = 0;
    for (uint32_t i = 0; !sel && i < count; i++) {
        int64_t c = (int64_t)words[2 * (size_t)i];
        all |= (uint64_t)(c ^ c >> 63);
        odd |= words[2 * (size_t)i + 1] ^ head;
    }
    for (uint32_t i = 0; sel && i < count; i++) {
        int64_t c = (int64_t)words[2 * (size_t)sel[i]];
        all |= (uint64_t)(c ^ c >> 63);
        odd |= words[2 * (size_t)sel[i] + 1] ^ head;
    }
    *ret_magnitudes = all;
    return odd;
}

/* Results are known to fit. */
#define WORDS_LOOP(name, PARAMS, EXPR)                                                             \
    VECTOR_CODE                                                                                    \
    static void name(PARAMS, const uint16_t *sel, uint32_t count, uint64_t second,                 \
                     uint64_t *restrict out)                                                       \
    {                                                                                              \
        for (size_t row = 0; !sel && row < count; row++) {                                         \
            out[2 * row] = EXPR;                                                                   \
            out[2 * row + 1] = second;                                                             \
        }                                                                                          \
        for (uint32_t i = 0; sel && i < count; i++) {                                              \
            size_t row = sel[i];                                                                   \
            out[2 * row] = EXPR;                                                                   \
            out[2 * row + 1] = second;                                                             \
        }                                                                                          \
    }
#define OF_ONE_COLUMN const uint64_t *x, uint64_t xf, uint64_t k
#define OF_COLUMNS const uint64_t *x, const uint64_t *y
#define OF_SCALED_COLUMNS const uint64_t *x, uint64_t xf, const uint64_t *y, uint64_t yf
WORDS_LOOP(line_of_one, OF_ONE_COLUMN, x[2 * row] * xf + k)
WORDS_LOOP(product_of_two, OF_COLUMNS, x[2 * row] * y[2 * row])
WORDS_LOOP(sum_of_two, OF_SCALED_COLUMNS, x[2 * row] * xf + y[2 * row] * yf)

enum even_op { EVEN_ADD, EVEN_SUB, EVEN_MUL };
enum { FACTORS_BITS = 59, TERM_BITS = 58 }; /* 2^59 is below the limit */

/* A column or a constant, all small and of one scale. */
struct operand {
    const uint64_t *words;
    bool constant;
    uint16_t scale;
    uint32_t bits;   /* magnitudes are at most 2^bits */
    uint64_t factor; /* to the scale of the sum */
};

static uint32_t bits_of(uint64_t magnitude)
{
    return magnitude ? 64 - (uint32_t)__builtin_clzll(magnitude) : 0;
}

static bool operand_of(const struct vec *v, const uint16_t *sel, uint32_t count, struct operand *ret)
{
    ret->constant = v->form == VEC_CONST;
    const struct numeric *first = (const struct numeric *)v->data + (ret->constant ? 0 : fn_row(sel, 0));
    uint64_t magnitudes;
    if (first->kind != NUMERIC_SMALL) return false;
    ret->words = v->data;
    ret->scale = first->scale;
    ret->factor = 1;
    uint64_t odd = look(ret->words, ret->constant ? NULL : sel, ret->constant ? 1 : count, head(first),
                        &magnitudes);
    ret->bits = bits_of(magnitudes);
    return !odd;
}

static bool even_product(const struct operand *x, const struct operand *y, const uint16_t *sel,
                         uint32_t count, uint64_t *out)
{
    if (x->scale + y->scale > NUMERIC_SCALE_MAX || x->bits + y->bits > FACTORS_BITS) return false;
    const struct numeric made = numeric_small(0, (uint16_t)(x->scale + y->scale));
    if (x->constant) line_of_one(y->words, *x->words, 0, sel, count, head(&made), out);
    else if (y->constant) line_of_one(x->words, *y->words, 0, sel, count, head(&made), out);
    else product_of_two(x->words, y->words, sel, count, head(&made), out);
    return true;
}

static bool even_sum(struct operand *x, struct operand *y, bool minus, const uint16_t *sel,
                     uint32_t count, uint64_t *out)
{
    int step = (int)x->scale - (int)y->scale;
    if (step > SCALE_STEP_MAX || step < -SCALE_STEP_MAX) return false;
    if (step > 0) y->factor = (uint64_t)powers_of_ten[step];
    else x->factor = (uint64_t)powers_of_ten[-step];
    if (x->bits + bits_of(x->factor) > TERM_BITS || y->bits + bits_of(y->factor) > TERM_BITS)
        return false;
    if (minus) y->factor = 0 - y->factor;
    const struct numeric made = numeric_small(0, step > 0 ? x->scale : y->scale);
    if (x->constant)
        line_of_one(y->words, y->factor, *x->words * x->factor, sel, count, head(&made), out);
    else if (y->constant)
        line_of_one(x->words, x->factor, *y->words * y->factor, sel, count, head(&made), out);
    else
        sum_of_two(x->words, x->factor, y->words, y->factor, sel, count, head(&made), out);
    return true;
}

/* False where some value is large or of another scale than the first, or a result may be too large; nothing
 * of what was written counts then. */
static bool even(enum even_op op, const struct vec *const *args, const uint16_t *sel, uint32_t count,
                 struct vec *ret)
{
    struct operand x, y;
    if (!operand_of(args[0], sel, count, &x) || !operand_of(args[1], sel, count, &y)) return false;
    if (x.constant && y.constant) return false;
    if (op == EVEN_MUL) return even_product(&x, &y, sel, count, ret->data);
    return even_sum(&x, &y, op == EVEN_SUB, sel, count, ret->data);
}

#define OF_TWO(name, CALC)                                                                         \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        (void)n;                                                                                   \
        return CALC(c->arena, &args[0].v.numeric, &args[1].v.numeric, &ret->v.numeric);            \
    }
#define OF_TWO_LOOP(name, CALC)                                                                    \
    OF_TWO(name, CALC)                                                                             \
    static enum status name##_vec(struct call_ctx *c, const struct vec *const *args, uint32_t n,   \
                                  const uint16_t *sel, uint32_t count, struct vec *ret)            \
    {                                                                                              \
        (void)n;                                                                                   \
        const struct numeric *a = args[0]->data, *b = args[1]->data;                               \
        struct numeric *out = ret->data;                                                           \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t r = fn_row(sel, i);                                                           \
            if (nulls_get(ret->nulls, r)) continue;                                                \
            TRY(CALC(c->arena, &a[fn_at(args[0], r)], &b[fn_at(args[1], r)], &out[r]));            \
        }                                                                                          \
        return OK;                                                                                 \
    }
OF_TWO_LOOP(slow_add, add)
OF_TWO_LOOP(slow_sub, sub)
OF_TWO_LOOP(slow_mul, mul)
OF_TWO_LOOP(fn_div, numeric_div)
#define EVEN_FIRST(name, op, slow)                                                                 \
    static enum status name(struct call_ctx *c, const struct vec *const *args, uint32_t n,         \
                            const uint16_t *sel, uint32_t count, struct vec *ret)                  \
    {                                                                                              \
        if (!count) return OK;                                                                     \
        uint32_t rows = fn_row(sel, count - 1) + 1;                                                \
        if (!any_null(ret, rows) && even(op, args, sel, count, ret)) return OK;                    \
        return slow(c, args, n, sel, count, ret);                                                  \
    }
EVEN_FIRST(fn_add_vec, EVEN_ADD, slow_add_vec)
EVEN_FIRST(fn_sub_vec, EVEN_SUB, slow_sub_vec)
EVEN_FIRST(fn_mul_vec, EVEN_MUL, slow_mul_vec)
OF_TWO(fn_div_trunc, numeric_div_trunc)
OF_TWO(fn_mod, numeric_mod)
OF_TWO(fn_power, numeric_power)
OF_TWO(fn_log, numeric_log)

#define SCALAR(name, BODY)                                                                         \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        const struct numeric *x = &args[0].v.numeric;                                              \
        struct numeric *r = &ret->v.numeric;                                                       \
        (void)c, (void)n, (void)r;                                                                 \
        BODY;                                                                                      \
        return OK;                                                                                 \
    }
SCALAR(fn_abs, *r = numeric_abs(c->arena, x))
SCALAR(fn_uminus, *r = numeric_neg(c->arena, x))
SCALAR(fn_uplus, *r = *x)
SCALAR(fn_ceil, TRY(numeric_ceil(c->arena, x, r)))
SCALAR(fn_floor, TRY(numeric_floor(c->arena, x, r)))
SCALAR(fn_sqrt, TRY(numeric_sqrt(c->arena, x, r)))
SCALAR(fn_exp, TRY(numeric_exp(c->arena, x, r)))
SCALAR(fn_ln, TRY(numeric_ln(c->arena, x, r)))
SCALAR(fn_round, TRY(numeric_round(c->arena, x, args[1].v.i32, r)))
SCALAR(fn_trunc, TRY(numeric_trunc(c->arena, x, args[1].v.i32, r)))
SCALAR(fn_round0, TRY(numeric_round(c->arena, x, 0, r)))
SCALAR(fn_trunc0, TRY(numeric_trunc(c->arena, x, 0, r)))
SCALAR(fn_log10, struct numeric ten = numeric_small(10, 0);
       TRY(numeric_log(c->arena, &ten, x, r)))
SCALAR(fn_sign, if (x->kind == NUMERIC_NAN) *r = *x; else *r = numeric_small(numeric_sign(x), 0))

/* --- scale ---------------------------------------------------------------------------------- */

static bool is_finite(const struct numeric *x)
{
    return x->kind == NUMERIC_SMALL || x->kind == NUMERIC_BIG;
}

/* The least scale that loses nothing, by bisection. */
static enum status min_scale(struct arena *a, const struct numeric *x, int32_t *ret)
{
    int32_t low = 0, high = x->scale;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        struct numeric cut;
        TRY(numeric_trunc(a, x, middle, &cut));
        if (numeric_compare(&cut, x) == 0)
            high = middle;
        else
            low = middle + 1;
    }
    *ret = low;
    return OK;
}

static enum status fn_scale(struct call_ctx *c, const struct datum *args, uint32_t n,
                            struct datum *ret)
{
    (void)c, (void)n;
    if (!is_finite(&args[0].v.numeric)) return ret_null(ret);
    ret->v.i32 = args[0].v.numeric.scale;
    return OK;
}

static enum status fn_min_scale(struct call_ctx *c, const struct datum *args, uint32_t n,
                                struct datum *ret)
{
    (void)n;
    if (!is_finite(&args[0].v.numeric)) return ret_null(ret);
    return min_scale(c->arena, &args[0].v.numeric, &ret->v.i32);
}

static enum status fn_trim_scale(struct call_ctx *c, const struct datum *args, uint32_t n,
                                 struct datum *ret)
{
    (void)n;
    const struct numeric *x = &args[0].v.numeric;
    int32_t scale;
    ret->v.numeric = *x;
    if (!is_finite(x)) return OK;
    TRY(min_scale(c->arena, x, &scale));
    return numeric_trunc(c->arena, x, scale, &ret->v.numeric);
}

/* --- divisors, factorial, width_bucket ------------------------------------------------------- */

static enum status not_a_number(struct numeric *ret)
{
    *ret = (struct numeric){.kind = NUMERIC_NAN};
    return OK;
}

static enum status divisor(struct arena *a, const struct numeric *x, const struct numeric *y,
                           struct numeric *ret)
{
    struct numeric p = numeric_abs(a, x), q = numeric_abs(a, y);
    while (numeric_sign(&q) != 0) {
        struct numeric rest;
        TRY(numeric_mod(a, &p, &q, &rest));
        p = q;
        q = rest;
    }
    return numeric_round(a, &p, x->scale > y->scale ? x->scale : y->scale, ret);
}

static enum status fn_gcd(struct call_ctx *c, const struct datum *args, uint32_t n,
                          struct datum *ret)
{
    (void)n;
    const struct numeric *x = &args[0].v.numeric, *y = &args[1].v.numeric;
    if (!is_finite(x) || !is_finite(y)) return not_a_number(&ret->v.numeric);
    return divisor(c->arena, x, y, &ret->v.numeric);
}

static enum status fn_lcm(struct call_ctx *c, const struct datum *args, uint32_t n,
                          struct datum *ret)
{
    (void)n;
    const struct numeric *x = &args[0].v.numeric, *y = &args[1].v.numeric;
    if (!is_finite(x) || !is_finite(y)) return not_a_number(&ret->v.numeric);
    struct numeric r = numeric_small(0, 0), g;
    if (numeric_sign(x) != 0 && numeric_sign(y) != 0) {
        TRY(divisor(c->arena, x, y, &g));
        TRY(numeric_div_trunc(c->arena, x, &g, &r));
        TRY(numeric_mul(c->arena, &r, y, &r));
        r = numeric_abs(c->arena, &r);
    }
    return numeric_round(c->arena, &r, x->scale > y->scale ? x->scale : y->scale,
                         &ret->v.numeric);
}

static enum status fn_factorial(struct call_ctx *c, const struct datum *args, uint32_t n,
                                struct datum *ret)
{
    (void)n;
    int64_t of = args[0].v.i64;
    if (of < 0)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "factorial of a negative number is undefined");
    if (of > FACTORIAL_MAX)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
    struct numeric r = numeric_small(1, 0);
    int64_t chunk = 1; /* factors gathered while they fit a small value */
    for (int64_t i = 2; i <= of; i++) {
        if (chunk > SMALL_LIMIT / FACTORIAL_MAX) {
            struct numeric f = numeric_small(chunk, 0);
            TRY(numeric_mul(c->arena, &r, &f, &r));
            chunk = 1;
        }
        chunk *= i;
    }
    struct numeric f = numeric_small(chunk, 0);
    return numeric_mul(c->arena, &r, &f, &ret->v.numeric);
}

static enum status fn_width_bucket(struct call_ctx *c, const struct datum *args, uint32_t n,
                                   struct datum *ret)
{
    (void)n;
    const struct numeric *x = &args[0].v.numeric, *low = &args[1].v.numeric;
    const struct numeric *high = &args[2].v.numeric;
    int32_t count = args[3].v.i32;
    if (count <= 0) return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET, "count must be greater than zero");
    if (x->kind == NUMERIC_NAN || low->kind == NUMERIC_NAN || high->kind == NUMERIC_NAN)
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET,
                    "operand, lower bound, and upper bound cannot be NaN");
    if (!is_finite(low) || !is_finite(high))
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET, "lower and upper bounds must be finite");
    int direction = numeric_compare(low, high);
    if (direction == 0)
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET, "lower bound cannot equal upper bound");
    if (numeric_compare(x, low) * direction > 0) return OK; /* before the first: 0 */
    if (numeric_compare(x, high) * direction <= 0) {
        if (count == INT32_MAX) return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
        ret->v.i32 = count + 1;
        return OK;
    }
    struct numeric part, width, buckets = numeric_small(count, 0);
    int64_t at;
    TRY(numeric_sub(c->arena, x, low, &part));
    TRY(numeric_mul(c->arena, &part, &buckets, &part));
    TRY(numeric_sub(c->arena, high, low, &width));
    TRY(numeric_div(c->arena, &part, &width, &part)); /* rounded, as PostgreSQL does */
    TRY(numeric_floor(c->arena, &part, &part));
    TRY(numeric_to_i64(&part, &at));
    ret->v.i32 = (int32_t)at + 1;
    return OK;
}

const struct proc_binding exec__numeric_functions[] = {
    {"numeric_add", slow_add, fn_add_vec}, {"numeric_sub", slow_sub, fn_sub_vec},
    {"numeric_mul", slow_mul, fn_mul_vec}, {"numeric_div", fn_div, fn_div_vec},
    {"numeric_div_trunc", fn_div_trunc, NULL}, {"numeric_mod", fn_mod, NULL},
    {"numeric_power", fn_power, NULL}, {"numeric_log", fn_log, NULL},
    {"log_sql1741", fn_log10, NULL}, {"log10_sql1481", fn_log10, NULL},
    {"numeric_abs", fn_abs, NULL}, {"numeric_uminus", fn_uminus, NULL},
    {"numeric_uplus", fn_uplus, NULL}, {"numeric_ceil", fn_ceil, NULL},
    {"numeric_floor", fn_floor, NULL}, {"numeric_sqrt", fn_sqrt, NULL},
    {"numeric_exp", fn_exp, NULL}, {"numeric_ln", fn_ln, NULL},
    {"numeric_round", fn_round, NULL}, {"numeric_trunc", fn_trunc, NULL},
    {"round_sql1708", fn_round0, NULL}, {"trunc_sql1710", fn_trunc0, NULL},
    {"numeric_sign", fn_sign, NULL}, {"numeric_scale", fn_scale, NULL},
    {"numeric_min_scale", fn_min_scale, NULL}, {"numeric_trim_scale", fn_trim_scale, NULL},
    {"numeric_gcd", fn_gcd, NULL}, {"numeric_lcm", fn_lcm, NULL},
    {"numeric_fac", fn_factorial, NULL}, {"width_bucket_numeric", fn_width_bucket, NULL},
    {"numeric_to_char", number__numeric_to_char, NULL},
    {"int4_to_char", number__int4_to_char, NULL}, {"int8_to_char", number__int8_to_char, NULL},
    {"float4_to_char", number__float4_to_char, NULL},
    {"float8_to_char", number__float8_to_char, NULL},
    {"numeric_to_number", number__to_number, NULL},
};
BINDING_COUNT(numeric)
