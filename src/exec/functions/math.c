/* Floating-point arithmetic and mathematics, with PostgreSQL's errors where C would quietly give an
 * infinity or a NaN. */
#include "exec/functions/functions_priv.h"

#include <math.h>

#include "base/random.h"

static enum status overflow(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
}
static enum status underflow(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow");
}
static enum status out_of_domain(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range");
}

/* --- + - * / -------------------------------------------------------------------------------- */

/* True when the result r of a and b needs a look: a finite pair gave an infinity, or a product or
 * quotient vanished. */
#define SUSPECT_pl(a, b, r) (isinf(r))
#define SUSPECT_mi(a, b, r) (isinf(r))
#define SUSPECT_mul(a, b, r) (isinf(r) | (((r) == 0) & ((a) != 0) & ((b) != 0)))
#define SUSPECT_div(a, b, r) (((b) == 0) | isinf(r) | (((r) == 0) & ((a) != 0)))
#define DO_pl(a, b) ((a) + (b))
#define DO_mi(a, b) ((a) - (b))
#define DO_mul(a, b) ((a) * (b))
#define DO_div(a, b) ((a) / (b))

static enum status verdict_pl(double a, double b, double r)
{
    return isinf(r) && !isinf(a) && !isinf(b) ? overflow() : OK;
}
static enum status verdict_mi(double a, double b, double r) { return verdict_pl(a, b, r); }
static enum status verdict_mul(double a, double b, double r)
{
    TRY(verdict_pl(a, b, r));
    return r == 0 && a != 0 && b != 0 ? underflow() : OK;
}
static enum status verdict_div(double a, double b, double r)
{
    if (b == 0 && !isnan(a)) return FAIL(DIVISION_BY_ZERO, "division by zero");
    if (isinf(r) && !isinf(a)) return overflow();
    return r == 0 && a != 0 && !isinf(b) ? underflow() : OK;
}

#define ARITHMETIC(p, op, L, R, T, lf, rf, tf)                                                     \
    static enum status p##op(struct call_ctx *c, const struct datum *args, uint32_t n,             \
                             struct datum *ret)                                                    \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        T a = args[0].v.lf, b = args[1].v.rf, r = DO_##op(a, b);                                   \
        if (SUSPECT_##op(a, b, r)) TRY(verdict_##op(a, b, r));                                     \
        ret->v.tf = r;                                                                             \
        return OK;                                                                                 \
    }                                                                                              \
    static enum status p##op##_vec(struct call_ctx *c, const struct vec *const *args, uint32_t n,  \
                                   const uint16_t *sel, uint32_t count, struct vec *ret)           \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        const L *pa = args[0]->data;                                                               \
        const R *pb = args[1]->data;                                                               \
        T *out = ret->data;                                                                        \
        bool flat_a = args[0]->form != VEC_CONST, flat_b = args[1]->form != VEC_CONST, odd = false;\
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t r = fn_row(sel, i);                                                           \
            T a = pa[flat_a ? r : 0], b = pb[flat_b ? r : 0];                                      \
            out[r] = DO_##op(a, b);                                                                \
            odd |= SUSPECT_##op(a, b, out[r]);                                                     \
        }                                                                                          \
        for (uint32_t i = 0; odd && i < count; i++) {                                              \
            uint32_t r = fn_row(sel, i);                                                           \
            if (nulls_get(ret->nulls, r)) continue;                                                \
            T a = pa[flat_a ? r : 0], b = pb[flat_b ? r : 0];                                      \
            TRY(verdict_##op(a, b, out[r]));                                                       \
        }                                                                                          \
        return OK;                                                                                 \
    }
#define FOUR(p, L, R, T, lf, rf, tf)                                                               \
    ARITHMETIC(p, pl, L, R, T, lf, rf, tf)                                                         \
    ARITHMETIC(p, mi, L, R, T, lf, rf, tf)                                                         \
    ARITHMETIC(p, mul, L, R, T, lf, rf, tf)                                                        \
    ARITHMETIC(p, div, L, R, T, lf, rf, tf)
FOUR(float4, float, float, float, f32, f32, f32)
FOUR(float8, double, double, double, f64, f64, f64)
FOUR(float48, float, double, double, f32, f64, f64)
FOUR(float84, double, float, double, f64, f32, f64)

#define SCALAR(name, BODY)                                                                         \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        (void)c, (void)args, (void)n;                                                              \
        BODY;                                                                                      \
        return OK;                                                                                 \
    }
SCALAR(float4um, ret->v.f32 = -args[0].v.f32)
SCALAR(float8um, ret->v.f64 = -args[0].v.f64)
SCALAR(float4up, ret->v.f32 = args[0].v.f32)
SCALAR(float8up, ret->v.f64 = args[0].v.f64)
SCALAR(float4abs, ret->v.f32 = fabsf(args[0].v.f32))
SCALAR(float8abs, ret->v.f64 = fabs(args[0].v.f64))

/* --- functions of one number ---------------------------------------------------------------- */

/* x is the argument; REFUSE may return an error; the value follows. */
#define OF_X(name, REFUSE, VALUE) SCALAR(name, double x = args[0].v.f64; REFUSE ret->v.f64 = VALUE)
#define FINITE if (isinf(x)) return out_of_domain();
#define UNIT if (x < -1 || x > 1) return out_of_domain();

OF_X(fn_acos, UNIT, acos(x))
OF_X(fn_asin, UNIT, asin(x))
OF_X(fn_atan, , atan(x))
OF_X(fn_acosh, if (x < 1) return out_of_domain();, acosh(x))
OF_X(fn_asinh, , asinh(x))
OF_X(fn_atanh, UNIT, x == 1 ? INFINITY : x == -1 ? -INFINITY : atanh(x))
OF_X(fn_cbrt, , cbrt(x))
OF_X(fn_ceil, , ceil(x))
OF_X(fn_floor, , floor(x))
OF_X(fn_round, , rint(x))
OF_X(fn_trunc, , trunc(x))
OF_X(fn_sign, , x > 0 ? 1.0 : x < 0 ? -1.0 : x)
OF_X(fn_sin, FINITE, sin(x))
OF_X(fn_cos, FINITE, cos(x))
OF_X(fn_tan, FINITE, tan(x))
OF_X(fn_cot, FINITE, 1.0 / tan(x))
OF_X(fn_sinh, , sinh(x))
OF_X(fn_cosh, , cosh(x))
OF_X(fn_tanh, , tanh(x))
OF_X(fn_degrees, if (!isinf(x) && isinf(x / (M_PI / 180.0))) return overflow();, x / (M_PI / 180.0))
OF_X(fn_radians, , x * (M_PI / 180.0))
OF_X(fn_sqrt, if (x < 0) return FAIL(INVALID_ARGUMENT_FOR_POWER,
     "cannot take square root of a negative number");, sqrt(x))
SCALAR(fn_pi, ret->v.f64 = M_PI)

static enum status fn_exp(struct call_ctx *c, const struct datum *args, uint32_t n,
                          struct datum *ret)
{
    (void)c, (void)n;
    double x = args[0].v.f64;
    ret->v.f64 = exp(x);
    if (isinf(x) || isnan(x)) return OK;
    if (isinf(ret->v.f64)) return overflow();
    return ret->v.f64 == 0 ? underflow() : OK;
}

static enum status check_log(double x)
{
    if (x == 0) return FAIL(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero");
    if (x < 0) return FAIL(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of a negative number");
    return OK;
}
OF_X(fn_ln, TRY(check_log(x));, log(x))
OF_X(fn_log10, TRY(check_log(x));, log10(x))

SCALAR(fn_atan2, ret->v.f64 = atan2(args[0].v.f64, args[1].v.f64))

static enum status fn_power(struct call_ctx *c, const struct datum *args, uint32_t n,
                            struct datum *ret)
{
    (void)c, (void)n;
    double x = args[0].v.f64, y = args[1].v.f64;
    if (x == 0 && y < 0)
        return FAIL(INVALID_ARGUMENT_FOR_POWER, "zero raised to a negative power is undefined");
    if (x < 0 && !isinf(x) && !isinf(y) && !isnan(y) && floor(y) != y)
        return FAIL(INVALID_ARGUMENT_FOR_POWER,
                    "a negative number raised to a non-integer power yields a complex result");
    double r = pow(x, y);
    ret->v.f64 = r;
    if (isinf(x) || isinf(y) || isnan(x) || isnan(y)) return OK;
    if (isinf(r)) return overflow();
    return r == 0 && x != 0 ? underflow() : OK;
}

/* --- degrees -------------------------------------------------------------------------------- */

/* Reduced to a quadrant, so that sind(30) is 0.5 and cosd(60) too, to the last bit. */
static double sin_q1(double x)
{
    return x <= 30 ? sin(x * (M_PI / 180.0)) / sin(30.0 * (M_PI / 180.0)) / 2.0
                   : 1.0 - (1.0 - cos((90.0 - x) * (M_PI / 180.0))) /
                               (1.0 - cos(60.0 * (M_PI / 180.0))) / 2.0;
}
static double sin_degrees(double x)
{
    double sign = 1;
    x = fmod(x, 360.0);
    if (x < 0) x = -x, sign = -sign;
    if (x > 180) x = 360 - x, sign = -sign;
    if (x > 90) x = 180 - x;
    return sign * sin_q1(x);
}
static double cos_degrees(double x)
{
    double sign = 1;
    x = fabs(fmod(x, 360.0));
    if (x > 180) x = 360 - x;
    if (x > 90) x = 180 - x, sign = -sign;
    return sign * sin_q1(90 - x);
}
OF_X(fn_sind, FINITE, sin_degrees(x))
OF_X(fn_cosd, FINITE, cos_degrees(x))
OF_X(fn_tand, FINITE, sin_degrees(x) / cos_degrees(x) + 0.0)
OF_X(fn_cotd, FINITE, cos_degrees(x) / sin_degrees(x) + 0.0)

/* The inverse, of 0 to 1; exact at 0, 0.5 and 1. */
static double asin_q1(double x)
{
    return x <= 0.5 ? asin(x) / asin(0.5) * 30.0 : 90.0 - acos(x) / acos(0.5) * 60.0;
}
static double acos_q1(double x)
{
    return x <= 0.5 ? 90.0 - asin(x) / asin(0.5) * 30.0 : acos(x) / acos(0.5) * 60.0;
}
OF_X(fn_asind, if (x < -1 || x > 1) return out_of_domain();, x < 0 ? -asin_q1(-x) : asin_q1(x))
OF_X(fn_acosd, if (x < -1 || x > 1) return out_of_domain();,
     x < 0 ? 90.0 + asin_q1(-x) : acos_q1(x))
OF_X(fn_atand, , atan(x) / atan(1.0) * 45.0)
SCALAR(fn_atan2d, ret->v.f64 = atan2(args[0].v.f64, args[1].v.f64) / atan(1.0) * 45.0)

/* --- random, width_bucket ------------------------------------------------------------------- */

static enum status fn_random(struct call_ctx *c, const struct datum *args, uint32_t n,
                             struct datum *ret)
{
    (void)args, (void)n;
    ret->v.f64 = rng_double(c->session->random);
    return OK;
}

static enum status fn_setseed(struct call_ctx *c, const struct datum *args, uint32_t n,
                              struct datum *ret)
{
    (void)n, (void)ret;
    double seed = args[0].v.f64;
    if (isnan(seed) || seed < -1 || seed > 1)
        return FAIL(INVALID_PARAMETER_VALUE, "setseed parameter %g is out of allowed range [-1,1]",
                    seed);
    uint64_t bits;
    memcpy(&bits, &seed, sizeof bits);
    rng_seed(c->session->random, bits);
    return OK;
}

static enum status fn_width_bucket(struct call_ctx *c, const struct datum *args, uint32_t n,
                                   struct datum *ret)
{
    (void)c, (void)n;
    double x = args[0].v.f64, low = args[1].v.f64, high = args[2].v.f64;
    int32_t count = args[3].v.i32;
    if (count <= 0)
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET, "count must be greater than zero");
    if (isnan(x) || isnan(low) || isnan(high))
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET,
                    "operand, lower bound, and upper bound cannot be NaN");
    if (isinf(low) || isinf(high))
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET, "lower and upper bounds must be finite");
    if (low == high)
        return FAIL(INVALID_ARGUMENT_FOR_WIDTH_BUCKET, "lower bound cannot equal upper bound");
    bool before = low < high ? x < low : x > low, after = low < high ? x >= high : x <= high;
    if (after && count == INT32_MAX)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    if (before)
        ret->v.i32 = 0;
    else if (after)
        ret->v.i32 = count + 1;
    else
        ret->v.i32 = (int32_t)(count * ((x - low) / (high - low))) + 1;
    return OK;
}

#define FOUR_OF(p) {#p "pl", p##pl, p##pl_vec}, {#p "mi", p##mi, p##mi_vec},                       \
    {#p "mul", p##mul, p##mul_vec}, {#p "div", p##div, p##div_vec}

const struct proc_binding exec__math_functions[] = {
    FOUR_OF(float4), FOUR_OF(float8), FOUR_OF(float48), FOUR_OF(float84),
    {"float4um", float4um, NULL}, {"float8um", float8um, NULL}, {"float4up", float4up, NULL},
    {"float8up", float8up, NULL}, {"float4abs", float4abs, NULL}, {"float8abs", float8abs, NULL},
    {"dacos", fn_acos, NULL}, {"dasin", fn_asin, NULL}, {"datan", fn_atan, NULL},
    {"datan2", fn_atan2, NULL}, {"dacosh", fn_acosh, NULL}, {"dasinh", fn_asinh, NULL},
    {"datanh", fn_atanh, NULL}, {"dcbrt", fn_cbrt, NULL}, {"dceil", fn_ceil, NULL},
    {"dfloor", fn_floor, NULL}, {"dround", fn_round, NULL}, {"dtrunc", fn_trunc, NULL},
    {"dsign", fn_sign, NULL}, {"dsin", fn_sin, NULL}, {"dcos", fn_cos, NULL},
    {"dtan", fn_tan, NULL}, {"dcot", fn_cot, NULL}, {"dsinh", fn_sinh, NULL},
    {"dcosh", fn_cosh, NULL}, {"dtanh", fn_tanh, NULL}, {"degrees", fn_degrees, NULL},
    {"radians", fn_radians, NULL}, {"dsqrt", fn_sqrt, NULL}, {"dpi", fn_pi, NULL},
    {"dexp", fn_exp, NULL}, {"dlog1", fn_ln, NULL}, {"dlog10", fn_log10, NULL},
    {"dpow", fn_power, NULL}, {"dsind", fn_sind, NULL}, {"dcosd", fn_cosd, NULL},
    {"dtand", fn_tand, NULL}, {"dcotd", fn_cotd, NULL}, {"dasind", fn_asind, NULL},
    {"dacosd", fn_acosd, NULL}, {"datand", fn_atand, NULL}, {"datan2d", fn_atan2d, NULL},
    {"drandom", fn_random, NULL}, {"setseed", fn_setseed, NULL},
    {"width_bucket_float8", fn_width_bucket, NULL},
};
BINDING_COUNT(math)
