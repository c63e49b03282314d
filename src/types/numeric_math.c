/* sqrt, exp, ln, log, power: which scale the result has, what happens at the edges. The digits come
 * from numeric_fixed.c, with so many to spare that the last one is right.
 *
 * Scales are chosen as PostgreSQL's functions of these names choose them: at least 16 significant
 * digits by an estimate of the result's weight, no fewer than the operands show, at most 1000. The
 * estimates are part of the behaviour, so they are made the same way, with doubles. */
#include "types/numeric.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "types/numeric_priv.h"

#define LOG10_E 0.434294481903252
#define LN_10 2.302585092994046

static const struct numeric ONE = {.coefficient = 1};

static int32_t clamp_scale(int32_t scale, int32_t least)
{
    if (scale < least) scale = least;
    if (scale < 0) scale = 0;
    return scale < NUMERIC__MAX_DISPLAY_SCALE ? scale : NUMERIC__MAX_DISPLAY_SCALE;
}

static enum status overflow(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
}

enum status numeric_sqrt(struct arena *a, const struct numeric *x, struct numeric *ret)
{
    if (x->kind == NUMERIC_NAN) {
        *ret = *x;
        return OK;
    }
    if (numeric_sign(x) < 0)
        return FAIL(INVALID_ARGUMENT_FOR_POWER, "cannot take square root of a negative number");
    if (numeric__special(x)) {
        *ret = *x;
        return OK;
    }
    struct numeric__lead l;
    numeric__lead(x, &l);
    int32_t scale = clamp_scale(NUMERIC__MIN_SIG_DIGITS - (l.weight * 2 + 1), x->scale);
    /* round(sqrt(n)) = (isqrt(4 n) + 1) / 2 */
    struct numeric_view v;
    numeric__view(x, &v);
    mpz_t r;
    mpz_init(r);
    mpz_mul_2exp(r, v.z, 2);
    numeric__rescale(r, r, x->scale, 2 * scale, true);
    mpz_sqrt(r, r);
    mpz_add_ui(r, r, 1);
    mpz_tdiv_q_2exp(r, r, 1);
    enum status s = numeric__make(a, r, scale, ret);
    mpz_clear(r);
    return s;
}

/* e^(x / 2^bits) at the scale. */
static enum status exp_fixed(struct arena *a, mpz_srcptr x, uint32_t bits, int32_t scale,
                             struct numeric *ret)
{
    mpz_t r;
    mpz_init(r);
    long k;
    numeric__fix_exp(r, &k, x, bits);
    enum status s = numeric__unfix(a, r, bits, k, scale, ret);
    mpz_clear(r);
    return s;
}

/* numeric_to_f64 without the cost of the text for what is far out of our range. */
static double to_f64_no_overflow(const struct numeric *x)
{
    struct numeric__lead l;
    numeric__lead(x, &l);
    if (l.exponent > 300) return numeric_sign(x) < 0 ? -HUGE_VAL : HUGE_VAL;
    return l.exponent < -300 ? 0 : numeric_to_f64(x);
}

enum status numeric_exp(struct arena *a, const struct numeric *x, struct numeric *ret)
{
    if (numeric__special(x)) {
        *ret = x->kind == NUMERIC_NINF ? numeric_small(0, 0) : *x;
        return OK;
    }
    double val = to_f64_no_overflow(x), weight = val * LOG10_E;
    if (weight < -NUMERIC__MAX_RESULT_SCALE) weight = -NUMERIC__MAX_RESULT_SCALE;
    if (weight > NUMERIC__MAX_RESULT_SCALE) weight = NUMERIC__MAX_RESULT_SCALE;
    int32_t scale = clamp_scale(NUMERIC__MIN_SIG_DIGITS - (int32_t)weight, x->scale);
    if (fabs(val) >= NUMERIC__MAX_RESULT_SCALE * 3) {
        if (val > 0) return overflow();
        *ret = numeric_small(0, (uint16_t)scale);
        return OK;
    }
    int32_t whole = val > 0 ? (int32_t)(val * LOG10_E) + 1 : 0;
    uint32_t bits = numeric__bits(scale + whole);
    mpz_t f;
    mpz_init(f);
    numeric__fix(f, x, bits);
    enum status s = exp_fixed(a, f, bits, scale, ret);
    mpz_clear(f);
    return s;
}

/* Decimal weight of ln(x) for positive x. */
static int32_t estimate_ln_weight(const struct numeric *x)
{
    static const struct numeric low = {.coefficient = 9, .scale = 1},
                                high = {.coefficient = 11, .scale = 1};
    if (numeric_sign(x) <= 0) return 0;
    struct numeric__lead l;
    if (numeric_compare(x, &low) >= 0 && numeric_compare(x, &high) <= 0) {
        struct arena tmp;
        struct numeric d;
        arena_init(&tmp, MEM_QUERY);
        enum status s = numeric_sub(&tmp, x, &ONE, &d);
        ASSERT(s == OK);
        numeric__lead(&d, &l); /* ln(1 + d) is about d */
        arena_release(&tmp);
        return l.exponent;
    }
    numeric__lead(x, &l);
    double ln = log(l.mantissa) + l.mantissa_exponent * LN_10;
    return (int32_t)log10(fabs(ln));
}

static enum status check_log_argument(const struct numeric *x)
{
    int sign = numeric_sign(x);
    if (sign == 0) return FAIL(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero");
    if (sign < 0)
        return FAIL(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of a negative number");
    return OK;
}

enum status numeric_ln(struct arena *a, const struct numeric *x, struct numeric *ret)
{
    if (x->kind == NUMERIC_NAN) {
        *ret = *x;
        return OK;
    }
    TRY(check_log_argument(x));
    if (numeric__special(x)) {
        *ret = *x;
        return OK;
    }
    int32_t scale = clamp_scale(NUMERIC__MIN_SIG_DIGITS - estimate_ln_weight(x), x->scale);
    uint32_t bits = numeric__bits(scale);
    mpz_t r;
    mpz_init(r);
    numeric__fix_ln(r, x, bits);
    enum status s = numeric__unfix(a, r, bits, 0, scale, ret);
    mpz_clear(r);
    return s;
}

static enum status log_special(const struct numeric *base, const struct numeric *x,
                               struct numeric *ret)
{
    if (base->kind == NUMERIC_NAN || x->kind == NUMERIC_NAN) {
        *ret = numeric__nan();
        return OK;
    }
    if (numeric_sign(base) < 0 || numeric_sign(x) < 0)
        return FAIL(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of a negative number");
    if (numeric_sign(base) == 0 || numeric_sign(x) == 0)
        return FAIL(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero");
    if (base->kind == NUMERIC_PINF)
        *ret = x->kind == NUMERIC_PINF ? numeric__nan() : numeric_small(0, 0);
    else
        *ret = numeric__inf(1);
    return OK;
}

enum status numeric_log(struct arena *a, const struct numeric *base, const struct numeric *x,
                        struct numeric *ret)
{
    if (numeric__special(base) || numeric__special(x)) return log_special(base, x, ret);
    TRY(check_log_argument(base));
    TRY(check_log_argument(x));
    if (numeric_compare(base, &ONE) == 0) return FAIL(DIVISION_BY_ZERO, "division by zero");
    int32_t base_weight = estimate_ln_weight(base), weight = estimate_ln_weight(x);
    int32_t scale = NUMERIC__MIN_SIG_DIGITS - (weight - base_weight);
    scale = clamp_scale(scale, base->scale > x->scale ? base->scale : x->scale);
    /* Both logarithms need the significant digits of the quotient. */
    uint32_t bits = numeric__bits(scale + abs(weight) + 2 * abs(base_weight) + 8);
    mpz_t n, d;
    mpz_init(n);
    mpz_init(d);
    numeric__fix_ln(n, x, bits);
    numeric__fix_ln(d, base, bits);
    mpz_mul_2exp(n, n, bits);
    mpz_tdiv_q(n, n, d);
    enum status s = numeric__unfix(a, n, bits, 0, scale, ret);
    mpz_clear(n);
    mpz_clear(d);
    return s;
}

static bool is_integral(const struct numeric *x)
{
    if (numeric__special(x)) return x->kind != NUMERIC_NAN;
    if (x->scale == 0) return true;
    struct numeric_view v;
    numeric__view(x, &v);
    mpz_t p;
    mpz_init(p);
    numeric__pow10_mpz(p, x->scale);
    bool r = mpz_divisible_p(v.z, p);
    mpz_clear(p);
    return r;
}

/* Of an integral, finite x. */
static bool is_odd(const struct numeric *x)
{
    struct numeric_view v;
    numeric__view(x, &v);
    mpz_t r;
    mpz_init(r);
    numeric__rescale(r, v.z, x->scale, 0, true);
    bool odd = mpz_odd_p(r);
    mpz_clear(r);
    return odd;
}

/* An infinity or NaN on either side; as POSIX's pow() has it. The domain is checked already. */
static struct numeric power_special(const struct numeric *x, const struct numeric *y)
{
    static const struct numeric minus_one = {.coefficient = -1};
    if (x->kind == NUMERIC_NAN) return numeric__is_zero(y) ? ONE : *x;
    if (y->kind == NUMERIC_NAN)
        return !numeric__special(x) && numeric_compare(x, &ONE) == 0 ? ONE : *y;
    int sign_x = numeric_sign(x), sign_y = numeric_sign(y);
    if (!numeric__special(x) && numeric_compare(x, &ONE) == 0) return ONE;
    if (sign_y == 0) return ONE;
    if (sign_x == 0) return numeric_small(0, 0);
    if (numeric__special(y)) {
        bool large = true;
        if (!numeric__special(x)) {
            if (numeric_compare(x, &minus_one) == 0) return ONE;
            large = numeric_compare(x, &ONE) > 0 || numeric_compare(x, &minus_one) < 0;
        }
        return large == (sign_y > 0) ? numeric__inf(1) : numeric_small(0, 0);
    }
    if (sign_y < 0) return numeric_small(0, 0);
    if (x->kind == NUMERIC_PINF) return *x;
    return numeric__inf(is_integral(y) && is_odd(y) ? -1 : 1);
}

static enum status power_int(struct arena *a, const struct numeric *x, int32_t n,
                             struct numeric *ret)
{
    int32_t scale = clamp_scale(NUMERIC__MIN_SIG_DIGITS, x->scale);
    if (n == 0) return numeric_round(a, &ONE, scale, ret);
    if (numeric__is_zero(x)) {
        if (n < 0) return FAIL(DIVISION_BY_ZERO, "division by zero");
        *ret = numeric_small(0, (uint16_t)scale);
        return OK;
    }
    struct numeric__lead l;
    numeric__lead(x, &l);
    double weight = n * (log10(l.mantissa) + l.mantissa_exponent);
    if (weight > 3.0 * SHRT_MAX * 4) return overflow();
    bool exact = n >= -1 && n <= 2;
    if (!exact && (weight + 1 < -scale || weight + 1 < -NUMERIC__MAX_DISPLAY_SCALE)) {
        *ret = numeric_small(0, (uint16_t)scale);
        return OK;
    }
    int32_t digits = 1 + scale + (int32_t)weight;
    if (digits < scale + 1) digits = scale + 1;
    return numeric__pow_int(a, x, n, digits, scale, ret);
}

/* |x|^y = e^(y ln |x|) for what has no small integer exponent; x is not 0. */
static enum status power_real(struct arena *a, const struct numeric *x, const struct numeric *y,
                              struct numeric *ret)
{
    struct numeric__lead ly;
    numeric__lead(y, &ly);
    int32_t y_digits = ly.exponent > 0 ? ly.exponent : 0;
    struct numeric_view vy;
    numeric__view(y, &vy);
    mpz_t ln, p;
    mpz_init(ln);
    mpz_init(p);
    numeric__pow10_mpz(p, y->scale);
    /* a first look, to know the size of the result */
    uint32_t bits = numeric__bits(8 + y_digits - estimate_ln_weight(x));
    numeric__fix_ln(ln, x, bits);
    /* PostgreSQL rounds this estimate to 8 digits, and a scale may hang on that. */
    double unit = pow(10, 8 - estimate_ln_weight(x) > 0 ? 8 - estimate_ln_weight(x) : 0);
    double val = rint(numeric__fix_to_f64(ln, bits) * unit) / unit;
    val = rint(val * to_f64_no_overflow(y) * unit) / unit;
    enum status s = OK;
    if (fabs(val) > NUMERIC__MAX_RESULT_SCALE * 3.01) {
        if (val > 0) s = overflow();
        else *ret = numeric_small(0, NUMERIC__MAX_DISPLAY_SCALE);
    } else {
        int32_t weight = (int32_t)(val * LOG10_E);
        int32_t scale = clamp_scale(NUMERIC__MIN_SIG_DIGITS - weight,
                                    x->scale > y->scale ? x->scale : y->scale);
        bits = numeric__bits(scale + (weight > 0 ? weight : 0) + 8 + y_digits);
        numeric__fix_ln(ln, x, bits);
        mpz_mul(ln, ln, vy.z);
        mpz_tdiv_q(ln, ln, p);
        if (fabs(val) >= NUMERIC__MAX_RESULT_SCALE * 3 && val > 0) s = overflow();
        else s = exp_fixed(a, ln, bits, scale, ret);
    }
    mpz_clear(ln);
    mpz_clear(p);
    return s;
}

enum status numeric_power(struct arena *a, const struct numeric *x, const struct numeric *y,
                          struct numeric *ret)
{
    bool nan = x->kind == NUMERIC_NAN || y->kind == NUMERIC_NAN;
    int sign_x = numeric_sign(x);
    if (!nan && sign_x == 0 && numeric_sign(y) < 0)
        return FAIL(INVALID_ARGUMENT_FOR_POWER, "zero raised to a negative power is undefined");
    if (!nan && sign_x < 0 && !is_integral(y))
        return FAIL(INVALID_ARGUMENT_FOR_POWER,
                    "a negative number raised to a non-integer power yields a complex result");
    if (numeric__special(x) || numeric__special(y)) {
        *ret = power_special(x, y);
        return OK;
    }
    if (is_integral(y)) {
        struct numeric__lead l;
        numeric__lead(y, &l);
        int64_t n;
        if (l.exponent < 18) {
            TRY(numeric_to_i64(y, &n));
            if (n >= INT32_MIN && n <= INT32_MAX) return power_int(a, x, (int32_t)n, ret);
        }
    }
    if (numeric__is_zero(x)) {
        *ret = numeric_small(0, NUMERIC__MIN_SIG_DIGITS);
        return OK;
    }
    if (sign_x > 0) return power_real(a, x, y, ret);
    struct numeric m = numeric_abs(a, x), r;
    TRY(power_real(a, &m, y, &r));
    *ret = is_odd(y) ? numeric_neg(a, &r) : r;
    return OK;
}
