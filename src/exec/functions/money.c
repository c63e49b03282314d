/* Functions on money: arithmetic in cents, with an error where PostgreSQL 15 would quietly wrap around. */
#include "types/money.h"

#include <math.h>

#include "exec/functions/aggregate_priv.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c __attribute__((unused)),                            \
                            const struct datum *args __attribute__((unused)),                      \
                            uint32_t n __attribute__((unused)), struct datum *ret)

static enum status out_of_range(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "money out of range");
}
static enum status by_zero(void) { return FAIL(DIVISION_BY_ZERO, "division by zero"); }

FN(money_add)
{
    return __builtin_add_overflow(args[0].v.i64, args[1].v.i64, &ret->v.i64) ? out_of_range() : OK;
}
FN(money_sub)
{
    return __builtin_sub_overflow(args[0].v.i64, args[1].v.i64, &ret->v.i64) ? out_of_range() : OK;
}

static enum status times_int(int64_t cents, int64_t by, struct datum *ret)
{
    return __builtin_mul_overflow(cents, by, &ret->v.i64) ? out_of_range() : OK;
}
static enum status by_int(int64_t cents, int64_t by, struct datum *ret)
{
    if (by == 0) return by_zero();
    if (by == -1) return times_int(cents, -1, ret);
    ret->v.i64 = cents / by;
    return OK;
}
static enum status rounded(double d, struct datum *ret)
{
    d = rint(d);
    if (isnan(d) || d < -0x1p63 || d >= 0x1p63) return out_of_range();
    ret->v.i64 = (int64_t)d;
    return OK;
}

#define INTEGER(type, field)                                                                       \
    FN(times_##type) { return times_int(args[0].v.i64, args[1].v.field, ret); }                    \
    FN(type##_times) { return times_int(args[1].v.i64, args[0].v.field, ret); }                    \
    FN(by_##type) { return by_int(args[0].v.i64, args[1].v.field, ret); }
INTEGER(int2, i16)
INTEGER(int4, i32)
INTEGER(int8, i64)

#define FLOAT(type, field)                                                                         \
    FN(times_##type) { return rounded((double)args[0].v.i64 * (double)args[1].v.field, ret); }     \
    FN(type##_times) { return rounded((double)args[1].v.i64 * (double)args[0].v.field, ret); }     \
    FN(by_##type)                                                                                  \
    {                                                                                              \
        if (args[1].v.field == 0) return by_zero();                                                \
        return rounded((double)args[0].v.i64 / (double)args[1].v.field, ret);                      \
    }
FLOAT(flt4, f32)
FLOAT(flt8, f64)

FN(money_ratio)
{
    if (args[1].v.i64 == 0) return by_zero();
    ret->v.f64 = (double)args[0].v.i64 / (double)args[1].v.i64;
    return OK;
}

FN(words)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    money_words(args[0].v.i64, &b);
    return ret_bytes(ret, bytes_ref(b.data, (uint32_t)b.len));
}

FN(of_int4) { return money_of_int(args[0].v.i32, &ret->v.i64); }
FN(of_int8) { return money_of_int(args[0].v.i64, &ret->v.i64); }
FN(of_numeric) { return money_of_numeric(&args[0].v.numeric, c->arena, &ret->v.i64); }
FN(to_numeric)
{
    ret->v.numeric = money_to_numeric(args[0].v.i64, c->arena);
    return OK;
}

#define INT_ROWS(type)                                                                             \
    {"cash_mul_" #type, times_##type, NULL}, {#type "_mul_cash", type##_times, NULL},              \
    {"cash_div_" #type, by_##type, NULL}

const struct proc_binding exec__money_functions[] = {
    {"cash_pl", money_add, NULL}, {"cash_mi", money_sub, NULL},
    INT_ROWS(int2), INT_ROWS(int4), INT_ROWS(int8), INT_ROWS(flt4), INT_ROWS(flt8),
    {"cash_div_cash", money_ratio, NULL}, {"cash_words", words, NULL},
    {"int4_cash", of_int4, NULL}, {"int8_cash", of_int8, NULL},
    {"numeric_cash", of_numeric, NULL}, {"cash_numeric", to_numeric, NULL},
};
BINDING_COUNT(money)

/* --- sum -------------------------------------------------------------------------------------- */

struct money_sum {
    int64_t cents;
    bool any;
};

static enum status sum_add(struct call_ctx *c, struct arena *keep, void *state,
                           const struct datum *args, uint32_t n)
{
    (void)c, (void)keep, (void)n;
    struct money_sum *s = state;
    s->any = true;
    return __builtin_add_overflow(s->cents, args[0].v.i64, &s->cents) ? out_of_range() : OK;
}

static enum status sum_merge(struct call_ctx *c, struct arena *keep, void *state, const void *other)
{
    (void)c, (void)keep;
    struct money_sum *s = state;
    const struct money_sum *o = other;
    s->any |= o->any;
    return __builtin_add_overflow(s->cents, o->cents, &s->cents) ? out_of_range() : OK;
}

static enum status sum_result(struct call_ctx *c, const void *state, struct datum *ret)
{
    (void)c;
    const struct money_sum *s = state;
    ret->null = !s->any;
    ret->v.i64 = s->cents;
    return OK;
}

const struct aggregate_binding exec__money_aggregates[] = {
    {"sum_agg", TYPE_MONEY,
     {sizeof(struct money_sum), true, sum_add, sum_merge, sum_result, NULL}},
};
const uint32_t exec__money_aggregate_count =
    sizeof exec__money_aggregates / sizeof exec__money_aggregates[0];
