/* count, sum, avg, bool_and, bool_or, bit_and …: aggregates whose state is a few words. Result
 * types are PostgreSQL's: sum of int4 is int8, of int8 numeric; averages of integers are numeric.
 * Each has a loop over many rows; a value's order of arrival is kept, since sums of floats depend
 * on it. */
#include "exec/functions/aggregate_priv.h"

#include <math.h>

#include "base/vector.h"
#include "types/datetime.h"

#define ADD(name)                                                                                  \
    static enum status name(struct call_ctx *c, struct arena *keep, void *state,                   \
                            const struct datum *args, uint32_t n)
#define MERGE(name)                                                                                \
    static enum status name(struct call_ctx *c, struct arena *keep, void *state, const void *other)
#define RESULT(name)                                                                               \
    static enum status name(struct call_ctx *c, const void *state, struct datum *ret)
/* Runs BODY for each row with a value: `r` the row, `at` its place in the argument, `g` its group.
 * */
#define ADD_BATCH(name, S, BODY)                                                                   \
    static enum status name(struct call_ctx *c, struct arena *keep, void *const *groups,           \
                            const struct vec *const *args, uint32_t n, const uint16_t *sel,        \
                            uint32_t count)                                                        \
    {                                                                                              \
        (void)c, (void)keep, (void)n;                                                              \
        struct column col = column_of_rows(args[0], sel, count);                                   \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t at = column_at(&col, fn_row(sel, i));                                         \
            if (nulls_get(col.nulls, at)) continue;                                                \
            S *g = groups[i];                                                                      \
            BODY                                                                                   \
        }                                                                                          \
        return OK;                                                                                 \
    }
#define UNUSED (void)c, (void)keep, (void)n
#define AT(T) (((const T *)col.data)[at])

/* --- count ---------------------------------------------------------------------------------- */

ADD(count_add)
{
    UNUSED, (void)args;
    ++*(int64_t *)state;
    return OK;
}
MERGE(count_merge)
{
    (void)c, (void)keep;
    *(int64_t *)state += *(const int64_t *)other;
    return OK;
}
RESULT(count_result)
{
    (void)c;
    ret->v.i64 = *(const int64_t *)state;
    return OK;
}
static enum status count_batch(struct call_ctx *c, struct arena *keep, void *const *groups,
                               const struct vec *const *args, uint32_t n, const uint16_t *sel,
                               uint32_t count)
{
    UNUSED;
    if (!n) {
        for (uint32_t i = 0; i < count; i++) ++*(int64_t *)groups[i];
        return OK;
    }
    struct column col = column_of_rows(args[0], sel, count);
    for (uint32_t i = 0; i < count; i++)
        *(int64_t *)groups[i] += !nulls_get(col.nulls, column_at(&col, fn_row(sel, i)));
    return OK;
}

#define GROUP(name)                                                                                \
    static enum status name(struct call_ctx *c, struct arena *keep, void *state,                   \
                            const struct vec *const *args, uint32_t n, const uint16_t *sel,        \
                            uint32_t count)
/* Runs BODY, which is to be short, with `at` as the place of each value. */
#define EACH_VALUE(BODY)                                                                           \
    do {                                                                                           \
        if (!col.nulls && !col.codes && !col.constant && !sel) {                                   \
            for (uint32_t at = 0; at < count; at++) {                                              \
                BODY                                                                               \
            }                                                                                      \
        } else if (!col.nulls && !col.codes && !col.constant) {                                    \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                uint32_t at = sel[i];                                                              \
                BODY                                                                               \
            }                                                                                      \
        } else {                                                                                   \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                uint32_t at = column_at(&col, fn_row(sel, i));                                     \
                if (nulls_get(col.nulls, at)) continue;                                            \
                BODY                                                                               \
            }                                                                                      \
        }                                                                                          \
    } while (0)

GROUP(count_group)
{
    UNUSED;
    int64_t found = count;
    if (n) {
        struct column col = column_of_rows(args[0], sel, count);
        if (col.nulls) {
            found = 0;
            EACH_VALUE((void)at; found++;);
        }
    }
    *(int64_t *)state += found;
    return OK;
}

/* --- sum and avg of integers ---------------------------------------------------------------- */

struct int_sum {
    wide_t sum;
    int64_t count;
};
MERGE(int_merge)
{
    (void)c, (void)keep;
    struct int_sum *s = state;
    const struct int_sum *o = other;
    s->sum += o->sum;
    s->count += o->count;
    return OK;
}
#define INT_SUM(name, T, f, wide)                                                                      \
    ADD(name##_add)                                                                                \
    {                                                                                              \
        UNUSED;                                                                                    \
        struct int_sum *s = state;                                                                 \
        s->sum += args[0].v.f;                                                                     \
        s->count++;                                                                                \
        return OK;                                                                                 \
    }                                                                                              \
    ADD_BATCH(name##_batch, struct int_sum, {                                                      \
        g->sum += AT(T);                                                                           \
        g->count++;                                                                                \
    })                                                                                             \
    VECTOR_CODE                                                                                    \
    GROUP(name##_group)                                                                            \
    {                                                                                              \
        UNUSED;                                                                                    \
        struct column col = column_of_rows(args[0], sel, count);                                   \
        struct int_sum *s = state;                                                                 \
        wide sum = 0; /* of a batch */                                                             \
        int64_t found = 0;                                                                         \
        EACH_VALUE(sum += AT(T); found++;);                                                        \
        s->sum += sum;                                                                             \
        s->count += found;                                                                         \
        return OK;                                                                                 \
    }
INT_SUM(int2_sum, int16_t, i16, int64_t)
INT_SUM(int4_sum, int32_t, i32, int64_t)
INT_SUM(int8_sum, int64_t, i64, __int128)
RESULT(int_to_int8)
{
    (void)c;
    const struct int_sum *s = state;
    if (!s->count) return ret_null(ret);
    if (s->sum > INT64_MAX || s->sum < INT64_MIN)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    ret->v.i64 = (int64_t)s->sum;
    return OK;
}
RESULT(int_to_numeric)
{
    const struct int_sum *s = state;
    if (!s->count) return ret_null(ret);
    return exec__numeric_from_i128(c->arena, s->sum, 0, &ret->v.numeric);
}
RESULT(int_avg)
{
    const struct int_sum *s = state;
    if (!s->count) return ret_null(ret);
    struct numeric sum, count = numeric_from_i64(c->arena, s->count);
    TRY(exec__numeric_from_i128(c->arena, s->sum, 0, &sum));
    return numeric_div(c->arena, &sum, &count, &ret->v.numeric);
}

/* Of a batch's values below that the sum is in 63 bits. */
#define SUM_LIMIT (1ull << 51)
_Static_assert(BATCH_ROWS <= 1 << 11, "SUM_LIMIT");

/* --- sum and avg of numeric ----------------------------------------------------------------- */

ADD(decimal_add)
{
    (void)c, (void)n;
    exec__decimal_add(state, keep, &args[0].v.numeric);
    return OK;
}
ADD_BATCH(decimal_batch, struct decimal_sum, exec__decimal_add(g, keep, &AT(struct numeric));)
/* While all are small, of one scale, and their sum is in 64 bits. */
VECTOR_CODE
GROUP(decimal_group)
{
    (void)c, (void)n;
    struct column col = column_of_rows(args[0], sel, count);
    struct decimal_sum *s = state;
    const struct numeric *data = col.data;
    uint64_t sum = 0, magnitudes = 0;
    int64_t found = 0;
    uint32_t odd = 0;
    if (!s->count && count) {
        const struct numeric *first = &data[column_at(&col, fn_row(sel, 0))];
        if (!nulls_get(col.nulls, column_at(&col, fn_row(sel, 0))) && first->kind == NUMERIC_SMALL)
            s->scale = first->scale; /* of what is empty */
    }
    EACH_VALUE(odd |= (uint32_t)(data[at].kind ^ NUMERIC_SMALL) | (uint32_t)(data[at].scale ^ s->scale);
               int64_t v = data[at].coefficient; sum += (uint64_t)v;
               magnitudes |= (uint64_t)(v ^ v >> 63);
               found++;);
    if (!odd && magnitudes < SUM_LIMIT) {
        s->sum += (int64_t)sum;
        s->count += found;
        return OK;
    }
    EACH_VALUE(exec__decimal_add(s, keep, &data[at]););
    return OK;
}
MERGE(decimal_merge)
{
    (void)c;
    return exec__decimal_merge(state, keep, other);
}
RESULT(decimal_sum)
{
    const struct decimal_sum *s = state;
    if (!s->count) return ret_null(ret);
    return exec__decimal_result(s, c->arena, &ret->v.numeric);
}
RESULT(decimal_avg)
{
    const struct decimal_sum *s = state;
    if (!s->count) return ret_null(ret);
    struct numeric sum, count = numeric_from_i64(c->arena, s->count);
    TRY(exec__decimal_result(s, c->arena, &sum));
    return numeric_div(c->arena, &sum, &count, &ret->v.numeric);
}

/* --- sums that others have made --------------------------------------------------------------- */

static enum status int_add_sum(struct call_ctx *c, struct arena *keep, void *state, __int128 sum,
                               uint16_t scale, int64_t count)
{
    (void)c, (void)keep, (void)scale;
    struct int_sum *s = state;
    s->sum += sum;
    s->count += count;
    return OK;
}
static enum status decimal_add_sum(struct call_ctx *c, struct arena *keep, void *state, __int128 sum,
                                   uint16_t scale, int64_t count)
{
    (void)c;
    struct decimal_sum o = {.sum = sum, .count = count, .scale = scale};
    return exec__decimal_merge(state, keep, &o);
}

/* --- sum and avg of floats ------------------------------------------------------------------ */

struct float_sum {
    double sum;
    int64_t count;
    bool infinite; /* an infinity was among the values: no overflow */
};
static enum status float_step(struct float_sum *s, double v)
{
    s->sum += v;
    s->count++;
    if (isinf(v)) s->infinite = true;
    if (isinf(s->sum) && !s->infinite)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
    return OK;
}
/* sum(float4) adds in single precision. */
static enum status single_step(struct float_sum *s, float v)
{
    float sum = (float)s->sum + v;
    s->sum = (double)sum;
    s->count++;
    if (isinf(v)) s->infinite = true;
    if (isinf(sum) && !s->infinite)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
    return OK;
}
#define FLOAT_SUM(name, T, f, STEP)                                                                \
    ADD(name##_add)                                                                                \
    {                                                                                              \
        UNUSED;                                                                                    \
        return STEP(state, args[0].v.f);                                                           \
    }                                                                                              \
    ADD_BATCH(name##_batch, struct float_sum, TRY(STEP(g, AT(T)));)
FLOAT_SUM(float4_sum, float, f32, single_step)
FLOAT_SUM(float4_avg, float, f32, float_step)
FLOAT_SUM(float8_sum, double, f64, float_step)
MERGE(float_merge)
{
    (void)c, (void)keep;
    const struct float_sum *o = other;
    struct float_sum *s = state;
    if (!o->count) return OK;
    s->infinite |= o->infinite;
    TRY(float_step(s, o->sum));
    s->count += o->count - 1;
    return OK;
}
RESULT(float4_result)
{
    (void)c;
    const struct float_sum *s = state;
    if (!s->count) return ret_null(ret);
    ret->v.f32 = (float)s->sum;
    return OK;
}
RESULT(float8_result)
{
    (void)c;
    const struct float_sum *s = state;
    if (!s->count) return ret_null(ret);
    ret->v.f64 = s->sum;
    return OK;
}
RESULT(float_avg)
{
    (void)c;
    const struct float_sum *s = state;
    if (!s->count) return ret_null(ret);
    ret->v.f64 = s->sum / (double)s->count;
    return OK;
}

/* --- sum and avg of interval ---------------------------------------------------------------- */

struct span_sum {
    struct interval sum;
    int64_t count;
};
ADD(span_add)
{
    UNUSED;
    struct span_sum *s = state;
    struct interval sum;
    TRY(interval_add(&s->sum, &args[0].v.interval, &sum));
    s->sum = sum;
    s->count++;
    return OK;
}
MERGE(span_merge)
{
    (void)c, (void)keep;
    struct span_sum *s = state;
    const struct span_sum *o = other;
    struct interval sum;
    TRY(interval_add(&s->sum, &o->sum, &sum));
    s->sum = sum;
    s->count += o->count;
    return OK;
}
RESULT(span_result)
{
    (void)c;
    const struct span_sum *s = state;
    if (!s->count) return ret_null(ret);
    ret->v.interval = s->sum;
    return OK;
}
RESULT(span_avg)
{
    (void)c;
    const struct span_sum *s = state;
    if (!s->count) return ret_null(ret);
    return interval_div(&s->sum, (double)s->count, &ret->v.interval);
}

/* --- bool_and, bool_or, bit_and, bit_or, bit_xor --------------------------------------------- */

struct bits {
    int64_t v;
    bool any;
};
#define BITS(name, T, f, OP)                                                                       \
    ADD(name##_add)                                                                                \
    {                                                                                              \
        UNUSED;                                                                                    \
        struct bits *s = state;                                                                    \
        s->v = s->any ? s->v OP (int64_t)args[0].v.f : (int64_t)args[0].v.f;                       \
        s->any = true;                                                                             \
        return OK;                                                                                 \
    }                                                                                              \
    MERGE(name##_merge)                                                                            \
    {                                                                                              \
        (void)c, (void)keep;                                                                       \
        struct bits *s = state;                                                                    \
        const struct bits *o = other;                                                              \
        if (o->any) s->v = s->any ? s->v OP o->v : o->v;                                           \
        s->any |= o->any;                                                                          \
        return OK;                                                                                 \
    }                                                                                              \
    RESULT(name##_result)                                                                          \
    {                                                                                              \
        (void)c;                                                                                   \
        const struct bits *s = state;                                                              \
        ret->null = !s->any;                                                                       \
        ret->v.f = (T)s->v;                                                                        \
        return OK;                                                                                 \
    }
#define BITS_OF(p, T, f) BITS(p##_and, T, f, &) BITS(p##_or, T, f, |) BITS(p##_xor, T, f, ^)
BITS_OF(int2, int16_t, i16)
BITS_OF(int4, int32_t, i32)
BITS_OF(int8, int64_t, i64)
BITS(bool_and, bool, b, &)
BITS(bool_or, bool, b, |)

#define IMPL(S, a, m, r, b) {sizeof(S), true, a, m, r, b}
#define BITS_IMPL(name) IMPL(struct bits, name##_add, name##_merge, name##_result, NULL)
#define BITS_ROWS(T, p) {"bit_and_agg", T, BITS_IMPL(p##_and)},                                    \
    {"bit_or_agg", T, BITS_IMPL(p##_or)}, {"bit_xor_agg", T, BITS_IMPL(p##_xor)}
#define INT_IMPL(p, r)                                                                             \
    {sizeof(struct int_sum), true, p##_add, int_merge, r, p##_batch, p##_group,           \
     int_add_sum}
#define DECIMAL_IMPL(r)                                                                            \
    {sizeof(struct decimal_sum), true, decimal_add, decimal_merge, r, decimal_batch, decimal_group,   \
     decimal_add_sum}
#define FLOAT_IMPL(p, r) IMPL(struct float_sum, p##_add, float_merge, r, p##_batch)

const struct aggregate_binding exec__aggregate_functions[] = {
    {"count_agg", TYPE_ANY, {sizeof(int64_t), true, count_add, count_merge, count_result, count_batch,
                                count_group}},
    {"sum_agg", TYPE_INT2, INT_IMPL(int2_sum, int_to_int8)},
    {"sum_agg", TYPE_INT4, INT_IMPL(int4_sum, int_to_int8)},
    {"sum_agg", TYPE_INT8, INT_IMPL(int8_sum, int_to_numeric)},
    {"sum_agg", TYPE_NUMERIC, DECIMAL_IMPL(decimal_sum)},
    {"sum_agg", TYPE_FLOAT4, FLOAT_IMPL(float4_sum, float4_result)},
    {"sum_agg", TYPE_FLOAT8, FLOAT_IMPL(float8_sum, float8_result)},
    {"sum_agg", TYPE_INTERVAL, IMPL(struct span_sum, span_add, span_merge, span_result, NULL)},
    {"avg_agg", TYPE_INT2, INT_IMPL(int2_sum, int_avg)},
    {"avg_agg", TYPE_INT4, INT_IMPL(int4_sum, int_avg)},
    {"avg_agg", TYPE_INT8, INT_IMPL(int8_sum, int_avg)},
    {"avg_agg", TYPE_NUMERIC, DECIMAL_IMPL(decimal_avg)},
    {"avg_agg", TYPE_FLOAT4, FLOAT_IMPL(float4_avg, float_avg)},
    {"avg_agg", TYPE_FLOAT8, FLOAT_IMPL(float8_sum, float_avg)},
    {"avg_agg", TYPE_INTERVAL, IMPL(struct span_sum, span_add, span_merge, span_avg, NULL)},
    {"bool_and_agg", TYPE_BOOL, BITS_IMPL(bool_and)},
    {"every_agg", TYPE_BOOL, BITS_IMPL(bool_and)},
    {"bool_or_agg", TYPE_BOOL, BITS_IMPL(bool_or)},
    BITS_ROWS(TYPE_INT2, int2), BITS_ROWS(TYPE_INT4, int4), BITS_ROWS(TYPE_INT8, int8),
};
BINDING_COUNT(aggregate)
