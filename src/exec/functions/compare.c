/* Comparison operators: = <> < <= > >= of every type and of mixed integers, floats and dates.
 *
 * The fixed-width types get loops, stamped out below for each pair of C types and each operator;
 * types with the same representation share them (date is an int4, timestamps are int8). The order
 * is that of value_compare: NaN above all and equal to itself, strings bytewise. */
#include "exec/functions/functions_priv.h"

#include "base/vector.h"
#include "types/datetime.h"
#include "types/numeric.h"
#include "types/record.h"

/* --- loops ---------------------------------------------------------------------------------- */

/* TEST(a, b) over two arrays or an array and a constant; rows with NULL are computed harmlessly. */
#define COMPARE_LOOP(name, L, R, TEST)                                                             \
    VECTOR_CODE                                                                                    \
    static enum status name##_vec(struct call_ctx *c, const struct vec *const *args, uint32_t n,   \
                                  const uint16_t *sel, uint32_t count, struct vec *ret)            \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        const L *a = args[0]->data;                                                                \
        const R *b = args[1]->data;                                                                \
        uint8_t *restrict out = ret->data;                                                         \
        if (!sel && args[0]->form == VEC_FLAT && args[1]->form == VEC_FLAT) {                      \
            for (uint32_t i = 0; i < count; i++) out[i] = TEST(a[i], b[i]);                        \
        } else if (!sel && args[0]->form == VEC_FLAT) {                                            \
            R k = b[0];                                                                            \
            for (uint32_t i = 0; i < count; i++) out[i] = TEST(a[i], k);                           \
        } else if (args[0]->form == VEC_FLAT && args[1]->form == VEC_CONST) {                      \
            R k = b[0];                                                                            \
            for (uint32_t i = 0; i < count; i++) out[sel[i]] = TEST(a[sel[i]], k);                 \
        } else {                                                                                   \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                uint32_t r = fn_row(sel, i);                                                       \
                out[r] = TEST(a[fn_at(args[0], r)], b[fn_at(args[1], r)]);                         \
            }                                                                                      \
        }                                                                                          \
        return OK;                                                                                 \
    }
#define COMPARE_SCALAR(name, lfield, rfield, TEST)                                                 \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        ret->v.b = TEST(args[0].v.lfield, args[1].v.rfield);                                       \
        return OK;                                                                                 \
    }
#define COMPARE_ONE(name, L, R, lf, rf, TEST) COMPARE_LOOP(name, L, R, TEST)                       \
    COMPARE_SCALAR(name, lf, rf, TEST)
#define COMPARE_SIX(p, L, R, lf, rf, K)                                                            \
    COMPARE_ONE(p##eq, L, R, lf, rf, K##_EQ)                                                       \
    COMPARE_ONE(p##ne, L, R, lf, rf, K##_NE)                                                       \
    COMPARE_ONE(p##lt, L, R, lf, rf, K##_LT)                                                       \
    COMPARE_ONE(p##le, L, R, lf, rf, K##_LE)                                                       \
    COMPARE_ONE(p##gt, L, R, lf, rf, K##_GT)                                                       \
    COMPARE_ONE(p##ge, L, R, lf, rf, K##_GE)

#define INT_EQ(a, b) ((a) == (b))
#define INT_NE(a, b) ((a) != (b))
#define INT_LT(a, b) ((a) < (b))
#define INT_LE(a, b) ((a) <= (b))
#define INT_GT(a, b) ((a) > (b))
#define INT_GE(a, b) ((a) >= (b))

/* x != x is "x is NaN". Both sides promote to double when they differ. */
#define FLOAT_EQ(a, b) ((a) == (b) || ((a) != (a) && (b) != (b)))
#define FLOAT_NE(a, b) (!FLOAT_EQ(a, b))
#define FLOAT_GE(a, b) ((a) >= (b) || (a) != (a))
#define FLOAT_LE(a, b) ((a) <= (b) || (b) != (b))
#define FLOAT_LT(a, b) (!FLOAT_GE(a, b))
#define FLOAT_GT(a, b) (!FLOAT_LE(a, b))

COMPARE_SIX(int2, int16_t, int16_t, i16, i16, INT)
COMPARE_SIX(int4, int32_t, int32_t, i32, i32, INT)
COMPARE_SIX(int8, int64_t, int64_t, i64, i64, INT)
COMPARE_SIX(int24, int16_t, int32_t, i16, i32, INT)
COMPARE_SIX(int42, int32_t, int16_t, i32, i16, INT)
COMPARE_SIX(int28, int16_t, int64_t, i16, i64, INT)
COMPARE_SIX(int82, int64_t, int16_t, i64, i16, INT)
COMPARE_SIX(int48, int32_t, int64_t, i32, i64, INT)
COMPARE_SIX(int84, int64_t, int32_t, i64, i32, INT)
COMPARE_SIX(oid, uint32_t, uint32_t, u32, u32, INT)
COMPARE_SIX(bool, uint8_t, uint8_t, b, b, INT)
COMPARE_SIX(float4, float, float, f32, f32, FLOAT)
COMPARE_SIX(float8, double, double, f64, f64, FLOAT)
COMPARE_SIX(float48, float, double, f32, f64, FLOAT)
COMPARE_SIX(float84, double, float, f64, f32, FLOAT)

/* --- strings -------------------------------------------------------------------------------- */

#define BYTES_EQ(a, b) bytes_eq(&(a), &(b))
#define BYTES_NE(a, b) (!bytes_eq(&(a), &(b)))
#define BYTES_LT(a, b) (bytes_cmp(&(a), &(b)) < 0)
#define BYTES_LE(a, b) (bytes_cmp(&(a), &(b)) <= 0)
#define BYTES_GT(a, b) (bytes_cmp(&(a), &(b)) > 0)
#define BYTES_GE(a, b) (bytes_cmp(&(a), &(b)) >= 0)
/* Bytes of a NULL row may point nowhere, so these loops ask. */
#define BYTES_LOOP(name, TEST)                                                                     \
    static enum status name##_vec(struct call_ctx *c, const struct vec *const *args, uint32_t n,   \
                                  const uint16_t *sel, uint32_t count, struct vec *ret)            \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        const struct bytes *a = args[0]->data, *b = args[1]->data;                                 \
        uint8_t *out = ret->data;                                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t r = fn_row(sel, i);                                                           \
            if (nulls_get(ret->nulls, r)) continue;                                                \
            out[r] = TEST(a[fn_at(args[0], r)], b[fn_at(args[1], r)]);                             \
        }                                                                                          \
        return OK;                                                                                 \
    }
#define BYTES_ONE(name, TEST) BYTES_LOOP(name, TEST) COMPARE_SCALAR(name, bytes, bytes, TEST)
BYTES_ONE(string_eq, BYTES_EQ)
BYTES_ONE(string_ne, BYTES_NE)
BYTES_ONE(string_lt, BYTES_LT)
BYTES_ONE(string_le, BYTES_LE)
BYTES_ONE(string_gt, BYTES_GT)
BYTES_ONE(string_ge, BYTES_GE)

/* char(n) lies in rows with its blanks, but they count for nothing. */
static inline struct slice trimmed(const struct bytes *b)
{
    struct slice s = bytes_slice(b);
    while (s.len && s.data[s.len - 1] == ' ') s.len--;
    return s;
}
#define PADDED_ORDER(a, b) slice_cmp(trimmed(&(a)), trimmed(&(b)))
#define PADDED_EQ(a, b) (slice_eq(trimmed(&(a)), trimmed(&(b))))
#define PADDED_NE(a, b) (!slice_eq(trimmed(&(a)), trimmed(&(b))))
#define PADDED_LT(a, b) (PADDED_ORDER(a, b) < 0)
#define PADDED_LE(a, b) (PADDED_ORDER(a, b) <= 0)
#define PADDED_GT(a, b) (PADDED_ORDER(a, b) > 0)
#define PADDED_GE(a, b) (PADDED_ORDER(a, b) >= 0)
BYTES_ONE(padded_eq, PADDED_EQ)
BYTES_ONE(padded_ne, PADDED_NE)
BYTES_ONE(padded_lt, PADDED_LT)
BYTES_ONE(padded_le, PADDED_LE)
BYTES_ONE(padded_gt, PADDED_GT)
BYTES_ONE(padded_ge, PADDED_GE)

/* --- numeric -------------------------------------------------------------------------------- */

static inline int numeric_order(const struct numeric *a, const struct numeric *b)
{
    if (a->kind == NUMERIC_SMALL && b->kind == NUMERIC_SMALL && a->scale == b->scale)
        return (a->coefficient > b->coefficient) - (a->coefficient < b->coefficient);
    return numeric_compare(a, b);
}
#define NUMERIC_ONE(name, OP)                                                                      \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        ret->v.b = numeric_order(&args[0].v.numeric, &args[1].v.numeric) OP 0;                     \
        return OK;                                                                                 \
    }                                                                                              \
    static enum status name##_vec(struct call_ctx *c, const struct vec *const *args, uint32_t n,   \
                                  const uint16_t *sel, uint32_t count, struct vec *ret)            \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        const struct numeric *a = args[0]->data, *b = args[1]->data;                               \
        uint8_t *out = ret->data;                                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t r = fn_row(sel, i);                                                           \
            if (nulls_get(ret->nulls, r)) continue;                                                \
            out[r] = numeric_order(&a[fn_at(args[0], r)], &b[fn_at(args[1], r)]) OP 0;             \
        }                                                                                          \
        return OK;                                                                                 \
    }
NUMERIC_ONE(num_eq, ==)
NUMERIC_ONE(num_ne, !=)
NUMERIC_ONE(num_lt, <)
NUMERIC_ONE(num_le, <=)
NUMERIC_ONE(num_gt, >)
NUMERIC_ONE(num_ge, >=)

/* --- by value_compare ----------------------------------------------------------------------- */

/* An array's own element type says how to compare it; polymorphic calls need not be asked. */
static type_id array_type(const struct bytes *b)
{
    uint32_t element = 0;
    if (b->len >= 12) memcpy(&element, bytes_data(b) + 8, sizeof element);
    const struct type_info *t = type_get(element);
    return t ? t->array : TYPE_NONE;
}

static enum status array_order(const struct datum *args, int *ret)
{
    type_id left = array_type(&args[0].v.bytes), right = array_type(&args[1].v.bytes);
    if (left == TYPE_NONE || right == TYPE_NONE)
        return FAIL(DATA_CORRUPTED, "malformed array value");
    if (left != right)
        return FAIL(DATATYPE_MISMATCH, "cannot compare arrays of different element types");
    *ret = value_compare(left, &args[0].v, &args[1].v);
    return OK;
}

static int64_t date_us(int32_t days)
{
    if (days == DATE_NOBEGIN) return TS_NOBEGIN;
    if (days == DATE_NOEND || days > INT64_MAX / US_PER_DAY) return TS_NOEND;
    return days * US_PER_DAY;
}

static enum status local_to_utc(struct call_ctx *c, int64_t local, int64_t *ret)
{
    *ret = local;
    if (local == TS_NOBEGIN || local == TS_NOEND || !c->session->format->zone) return OK;
    return timestamp_to_timestamptz(local, c->session->format->zone, ret);
}

static int order_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }

static enum status date_timestamp_order(struct call_ctx *c, const struct datum *args, int *ret)
{
    (void)c;
    *ret = order_i64(date_us(args[0].v.i32), args[1].v.i64);
    return OK;
}
static enum status date_timestamptz_order(struct call_ctx *c, const struct datum *args, int *ret)
{
    int64_t utc;
    TRY(local_to_utc(c, date_us(args[0].v.i32), &utc));
    *ret = order_i64(utc, args[1].v.i64);
    return OK;
}
static enum status timestamp_timestamptz_order(struct call_ctx *c, const struct datum *args,
                                               int *ret)
{
    int64_t utc;
    TRY(local_to_utc(c, args[0].v.i64, &utc));
    *ret = order_i64(utc, args[1].v.i64);
    return OK;
}

#define ORDER_ONE(name, CALL, OP)                                                                  \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        (void)c, (void)n;                                                                          \
        int order;                                                                                 \
        TRY(CALL);                                                                                 \
        ret->v.b = order OP 0;                                                                     \
        return OK;                                                                                 \
    }
#define ORDER_SIX(p, CALL)                                                                         \
    ORDER_ONE(p##_eq, CALL, ==)                                                                    \
    ORDER_ONE(p##_ne, CALL, !=)                                                                    \
    ORDER_ONE(p##_lt, CALL, <)                                                                     \
    ORDER_ONE(p##_le, CALL, <=)                                                                    \
    ORDER_ONE(p##_gt, CALL, >)                                                                     \
    ORDER_ONE(p##_ge, CALL, >=)
#define BY_TYPE(type) (order = value_compare(type, &args[0].v, &args[1].v), OK)

ORDER_SIX(char1, BY_TYPE(TYPE_CHAR1))
ORDER_SIX(span, BY_TYPE(TYPE_INTERVAL))
ORDER_SIX(uuid, BY_TYPE(TYPE_UUID))
ORDER_SIX(oids, BY_TYPE(TYPE_OIDVECTOR))
ORDER_SIX(array, array_order(args, &order))
ORDER_SIX(record, record_compare(&args[0].v.bytes, &args[1].v.bytes, &order))
ORDER_SIX(date_ts, date_timestamp_order(c, args, &order))
ORDER_SIX(date_tz, date_timestamptz_order(c, args, &order))
ORDER_SIX(ts_tz, timestamp_timestamptz_order(c, args, &order))
/* The other way round: a < b is b > a. */
#define SWAPPED(name, other)                                                                       \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)                                                     \
    {                                                                                              \
        const struct datum turned[2] = {args[1], args[0]};                                         \
        return other(c, turned, n, ret);                                                           \
    }
#define SWAPPED_SIX(p, q)                                                                          \
    SWAPPED(p##_eq, q##_eq)                                                                        \
    SWAPPED(p##_ne, q##_ne)                                                                        \
    SWAPPED(p##_lt, q##_gt)                                                                        \
    SWAPPED(p##_le, q##_ge)                                                                        \
    SWAPPED(p##_gt, q##_lt)                                                                        \
    SWAPPED(p##_ge, q##_le)
SWAPPED_SIX(ts_date, date_ts)
SWAPPED_SIX(tz_date, date_tz)
SWAPPED_SIX(tz_ts, ts_tz)

/* --- the table ------------------------------------------------------------------------------ */

#define SIX(p) {#p "eq", p##eq, p##eq_vec}, {#p "ne", p##ne, p##ne_vec},                           \
    {#p "lt", p##lt, p##lt_vec}, {#p "le", p##le, p##le_vec}, {#p "gt", p##gt, p##gt_vec},         \
    {#p "ge", p##ge, p##ge_vec}
/* Symbols prefix eq suffix, by functions f##eq with loops. */
#define SIX_AS(p, s, f) {p "eq" s, f##eq, f##eq_vec}, {p "ne" s, f##ne, f##ne_vec},                \
    {p "lt" s, f##lt, f##lt_vec}, {p "le" s, f##le, f##le_vec}, {p "gt" s, f##gt, f##gt_vec},      \
    {p "ge" s, f##ge, f##ge_vec}
#define SIX_SCALAR(p, s, f) {p "eq" s, f##eq, NULL}, {p "ne" s, f##ne, NULL},                      \
    {p "lt" s, f##lt, NULL}, {p "le" s, f##le, NULL}, {p "gt" s, f##gt, NULL},                     \
    {p "ge" s, f##ge, NULL}

const struct proc_binding exec__compare_functions[] = {
    SIX(int2), SIX(int4), SIX(int8), SIX(int24), SIX(int42), SIX(int28), SIX(int82), SIX(int48),
    SIX(int84), SIX(oid), SIX(bool), SIX(float4), SIX(float8), SIX(float48), SIX(float84),
    SIX_AS("date_", "", int4), SIX_AS("time_", "", int8), SIX_AS("timestamp_", "", int8),
    SIX_AS("timestamptz_", "", int8),
    {"xideq", oideq, oideq_vec}, {"xidneq", oidne, oidne_vec},
    SIX_AS("text", "", string_), SIX_AS("text_", "", string_), SIX_AS("bpchar", "", padded_),
    SIX_AS("bytea", "", string_), SIX_AS("name", "", string_), SIX_AS("name", "text", string_),
    SIX_AS("text", "name", string_), SIX_AS("text_pattern_", "", string_),
    SIX_AS("bpchar_pattern_", "", padded_), SIX_AS("numeric_", "", num_),
    SIX_SCALAR("char", "", char1_), SIX_SCALAR("interval_", "", span_),
    SIX_SCALAR("uuid_", "", uuid_), SIX_SCALAR("oidvector", "", oids_),
    SIX_SCALAR("array_", "", array_), SIX_SCALAR("record_", "", record_),
    SIX_AS("bit", "", string_), SIX_AS("network_", "", string_), SIX_AS("macaddr_", "", string_),
    SIX_AS("macaddr8_", "", string_), SIX_AS("timetz_", "", string_), SIX_AS("cash_", "", int8),
    SIX_AS("xid8", "", int8), SIX_AS("pg_lsn_", "", int8),
    SIX_SCALAR("date_", "_timestamp", date_ts_),
    SIX_SCALAR("date_", "_timestamptz", date_tz_), SIX_SCALAR("timestamp_", "_timestamptz", ts_tz_),
    SIX_SCALAR("timestamp_", "_date", ts_date_), SIX_SCALAR("timestamptz_", "_date", tz_date_),
    SIX_SCALAR("timestamptz_", "_timestamp", tz_ts_),
};
BINDING_COUNT(compare)
