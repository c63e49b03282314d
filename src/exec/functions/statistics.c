/* variance, stddev, corr, covar, regr.
 *
 * Floats run the method of Youngs and Cramer (1971): the sums of squared differences from the mean
 * are kept up to date, so that large means do not cancel them away. Integers and numeric keep exact
 * sums of the values and of their squares, and the division comes last. */
#include "exec/functions/aggregate_priv.h"

#include <math.h>

/* --- floats --------------------------------------------------------------------------------- */

struct moments {
    double n, sx, sxx, sy, syy, sxy;
};

static enum status overflow(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
}

/* The sums of one variable divide, those of pairs multiply by the inverse: the last bits of results
 * depend on it. */
static enum status moments_step(struct moments *m, double x, double y, bool pair)
{
    double before = m->n;
    m->n += 1;
    m->sx += x;
    m->sy += y;
    bool odd = isinf(x) || isinf(y) || isnan(x) || isnan(y);
    if (before > 0) {
        double dx = x * m->n - m->sx, dy = y * m->n - m->sy, scale = 1.0 / (m->n * before);
        m->sxx += pair ? dx * dx * scale : dx * dx / (m->n * before);
        m->syy += dy * dy * scale;
        m->sxy += dx * dy * scale;
        if (!isinf(m->sx) && !isinf(m->sy) && !isinf(m->sxx) && !isinf(m->syy) && !isinf(m->sxy))
            return OK;
        if (!odd && isfinite(m->sx - x) && isfinite(m->sy - y)) return overflow();
        /* An infinity among the values: nothing can be said about differences. */
        if (isinf(m->sxx)) m->sxx = NAN;
        if (isinf(m->syy)) m->syy = NAN;
        if (isinf(m->sxy)) m->sxy = NAN;
        return OK;
    }
    if (isinf(x) || isnan(x)) m->sxx = m->sxy = NAN;
    if (isinf(y) || isnan(y)) m->syy = m->sxy = NAN;
    return OK;
}

static enum status moments_merge(struct call_ctx *c, struct arena *keep, void *state,
                                 const void *other)
{
    (void)c, (void)keep;
    struct moments *a = state;
    const struct moments *b = other;
    if (b->n == 0) return OK;
    if (a->n == 0) {
        *a = *b;
        return OK;
    }
    double n = a->n + b->n, weight = a->n * b->n / n;
    double dx = a->sx / a->n - b->sx / b->n, dy = a->sy / a->n - b->sy / b->n;
    a->sxx += b->sxx + weight * dx * dx;
    a->syy += b->syy + weight * dy * dy;
    a->sxy += b->sxy + weight * dx * dy;
    a->sx += b->sx;
    a->sy += b->sy;
    a->n = n;
    return OK;
}

#define ADD_MOMENTS(name, X, Y, PAIR)                                                              \
    static enum status name(struct call_ctx *c, struct arena *keep, void *state,                   \
                            const struct datum *args, uint32_t n)                                  \
    {                                                                                              \
        (void)c, (void)keep, (void)n;                                                              \
        return moments_step(state, X, Y, PAIR);                                                    \
    }
ADD_MOMENTS(add_float4, args[0].v.f32, 0, false)
ADD_MOMENTS(add_float8, args[0].v.f64, 0, false)
ADD_MOMENTS(add_pair, args[1].v.f64, args[0].v.f64, true) /* regr_x(Y, X) */

/* NULL below `least` values or when WHEN_NULL; else VALUE. */
#define FLOAT_RESULT(name, least, WHEN_NULL, VALUE)                                                \
    static enum status name(struct call_ctx *c, const void *state, struct datum *ret)              \
    {                                                                                              \
        (void)c;                                                                                   \
        const struct moments *m = state;                                                           \
        if (m->n < (least) || (WHEN_NULL)) return ret_null(ret);                                   \
        ret->v.f64 = VALUE;                                                                        \
        return OK;                                                                                 \
    }
FLOAT_RESULT(float_var_pop, 1, false, m->sxx / m->n)
FLOAT_RESULT(float_var_samp, 2, false, m->sxx / (m->n - 1))
FLOAT_RESULT(float_stddev_pop, 1, false, sqrt(m->sxx / m->n))
FLOAT_RESULT(float_stddev_samp, 2, false, sqrt(m->sxx / (m->n - 1)))
FLOAT_RESULT(regr_sxx, 1, false, m->sxx)
FLOAT_RESULT(regr_syy, 1, false, m->syy)
FLOAT_RESULT(regr_sxy, 1, false, m->sxy)
FLOAT_RESULT(regr_avgx, 1, false, m->sx / m->n)
FLOAT_RESULT(regr_avgy, 1, false, m->sy / m->n)
FLOAT_RESULT(covar_pop, 1, false, m->sxy / m->n)
FLOAT_RESULT(covar_samp, 2, false, m->sxy / (m->n - 1))
FLOAT_RESULT(corr, 1, m->sxx == 0 || m->syy == 0, m->sxy / sqrt(m->sxx * m->syy))
FLOAT_RESULT(regr_r2, 1, m->sxx == 0, m->syy == 0 ? 1 : m->sxy * m->sxy / (m->sxx * m->syy))
FLOAT_RESULT(regr_slope, 1, m->sxx == 0, m->sxy / m->sxx)
FLOAT_RESULT(regr_intercept, 1, m->sxx == 0, (m->sy - m->sx * m->sxy / m->sxx) / m->n)

static enum status regr_count(struct call_ctx *c, const void *state, struct datum *ret)
{
    (void)c;
    ret->v.i64 = (int64_t)((const struct moments *)state)->n;
    return OK;
}

/* --- integers and numeric ------------------------------------------------------------------- */

struct powers {
    struct decimal_sum x, xx;
};

/* The square lies in the batch's arena: the sum takes what it needs. */
static enum status powers_step(struct powers *p, struct call_ctx *c, struct arena *keep,
                               const struct numeric *x)
{
    struct numeric square;
    TRY(numeric_mul(c->arena, x, x, &square));
    exec__decimal_add(&p->x, keep, x);
    exec__decimal_add(&p->xx, keep, &square);
    return OK;
}

#define ADD_INT(name, f)                                                                           \
    static enum status name(struct call_ctx *c, struct arena *keep, void *state,                   \
                            const struct datum *args, uint32_t n)                                  \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        struct powers *p = state;                                                                  \
        p->x.sum += args[0].v.f;                                                                   \
        p->x.count++;                                                                              \
        p->xx.sum += (int64_t)args[0].v.f * args[0].v.f;                                           \
        p->xx.count++;                                                                             \
        (void)keep;                                                                                \
        return OK;                                                                                 \
    }
ADD_INT(add_int2, i16)
ADD_INT(add_int4, i32)

static enum status add_int8(struct call_ctx *c, struct arena *keep, void *state,
                            const struct datum *args, uint32_t n)
{
    (void)n;
    struct numeric x = numeric_from_i64(c->arena, args[0].v.i64);
    return powers_step(state, c, keep, &x);
}

static enum status add_numeric(struct call_ctx *c, struct arena *keep, void *state,
                               const struct datum *args, uint32_t n)
{
    (void)n;
    return powers_step(state, c, keep, &args[0].v.numeric);
}

static enum status powers_merge(struct call_ctx *c, struct arena *keep, void *state,
                                const void *other)
{
    (void)c;
    struct powers *p = state;
    const struct powers *o = other;
    TRY(exec__decimal_merge(&p->x, keep, &o->x));
    return exec__decimal_merge(&p->xx, keep, &o->xx);
}

/* (n Σx² - (Σx)²) / (n (n or n - 1)), and its root. */
static enum status powers_result(struct call_ctx *c, const struct powers *p, bool sample,
                                 bool root, struct datum *ret)
{
    struct arena *a = c->arena;
    int64_t n = p->x.count;
    if (n < (sample ? 2 : 1)) return ret_null(ret);
    struct numeric sx, sxx, sx2, nsxx, spread, below, count = numeric_from_i64(a, n);
    struct numeric minus = numeric_from_i64(a, sample ? n - 1 : n), var;
    TRY(exec__decimal_result(&p->x, a, &sx));
    TRY(exec__decimal_result(&p->xx, a, &sxx));
    if (sx.kind != NUMERIC_SMALL && sx.kind != NUMERIC_BIG) {
        ret->v.numeric = (struct numeric){.kind = NUMERIC_NAN};
        return OK;
    }
    TRY(numeric_mul(a, &sx, &sx, &sx2));
    TRY(numeric_mul(a, &count, &sxx, &nsxx));
    TRY(numeric_sub(a, &nsxx, &sx2, &spread));
    if (numeric_sign(&spread) <= 0) {
        ret->v.numeric = numeric_small(0, 0);
        return OK;
    }
    TRY(numeric_mul(a, &count, &minus, &below));
    TRY(numeric_div(a, &spread, &below, &var));
    ret->v.numeric = var;
    if (!root) return OK;
    struct numeric r;
    TRY(numeric_sqrt(a, &var, &r));
    return numeric_round(a, &r, var.scale, &ret->v.numeric);
}

#define EXACT_RESULT(name, sample, root)                                                           \
    static enum status name(struct call_ctx *c, const void *state, struct datum *ret)              \
    {                                                                                              \
        return powers_result(c, state, sample, root, ret);                                         \
    }
EXACT_RESULT(exact_var_pop, false, false)
EXACT_RESULT(exact_var_samp, true, false)
EXACT_RESULT(exact_stddev_pop, false, true)
EXACT_RESULT(exact_stddev_samp, true, true)

#define EXACT(add, r) {sizeof(struct powers), true, add, powers_merge, r, NULL}
#define FLOATS(add, r) {sizeof(struct moments), true, add, moments_merge, r, NULL}
#define ROWS(symbol, r)                                                                            \
    {symbol, TYPE_INT2, EXACT(add_int2, exact_##r)},                                               \
    {symbol, TYPE_INT4, EXACT(add_int4, exact_##r)},                                               \
    {symbol, TYPE_INT8, EXACT(add_int8, exact_##r)},                                               \
    {symbol, TYPE_NUMERIC, EXACT(add_numeric, exact_##r)},                                         \
    {symbol, TYPE_FLOAT4, FLOATS(add_float4, float_##r)},                                          \
    {symbol, TYPE_FLOAT8, FLOATS(add_float8, float_##r)}
#define PAIR(symbol, r) {symbol, TYPE_FLOAT8, FLOATS(add_pair, r)}

const struct aggregate_binding exec__statistic_functions[] = {
    ROWS("variance_agg", var_samp), ROWS("var_samp_agg", var_samp), ROWS("var_pop_agg", var_pop),
    ROWS("stddev_agg", stddev_samp), ROWS("stddev_samp_agg", stddev_samp),
    ROWS("stddev_pop_agg", stddev_pop),
    PAIR("regr_count_agg", regr_count), PAIR("regr_sxx_agg", regr_sxx),
    PAIR("regr_syy_agg", regr_syy), PAIR("regr_sxy_agg", regr_sxy),
    PAIR("regr_avgx_agg", regr_avgx), PAIR("regr_avgy_agg", regr_avgy),
    PAIR("regr_r2_agg", regr_r2), PAIR("regr_slope_agg", regr_slope),
    PAIR("regr_intercept_agg", regr_intercept), PAIR("covar_pop_agg", covar_pop),
    PAIR("covar_samp_agg", covar_samp), PAIR("corr_agg", corr),
};
BINDING_COUNT(statistic)
