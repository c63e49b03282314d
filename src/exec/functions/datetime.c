/* Dates, times, timestamps and intervals: conversions, arithmetic, fields; and the table of all
 * functions on them. Infinite values pass through unchanged wherever there is a meaning. */
#include "exec/functions/datetime_priv.h"

#include "types/cast.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c, const struct datum *args, uint32_t n,              \
                            struct datum *ret)
#define UNUSED (void)c, (void)n, (void)args

static enum status date_overflow(void)
{
    return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range");
}

static int64_t within_day(int64_t us)
{
    us %= US_PER_DAY;
    return us < 0 ? us + US_PER_DAY : us;
}

/* --- conversions ---------------------------------------------------------------------------- */

static enum status convert(struct call_ctx *c, type_id from, type_id to, const struct datum *arg,
                           struct datum *ret)
{
    if (cast_is_null(from, to, &arg->v)) return ret_null(ret);
    return cast_value(from, to, &arg->v, c->session->format, c->arena, &ret->v);
}

#define CONVERSION(name, from, to)                                                                 \
    FN(name)                                                                                       \
    {                                                                                              \
        UNUSED;                                                                                    \
        return convert(c, from, to, &args[0], ret);                                                \
    }
CONVERSION(date_timestamp, TYPE_DATE, TYPE_TIMESTAMP)
CONVERSION(date_timestamptz, TYPE_DATE, TYPE_TIMESTAMPTZ)
CONVERSION(timestamp_date, TYPE_TIMESTAMP, TYPE_DATE)
CONVERSION(timestamp_time, TYPE_TIMESTAMP, TYPE_TIME)
CONVERSION(timestamp_timestamptz, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ)
CONVERSION(timestamptz_date, TYPE_TIMESTAMPTZ, TYPE_DATE)
CONVERSION(timestamptz_time, TYPE_TIMESTAMPTZ, TYPE_TIME)
CONVERSION(timestamptz_timestamp, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP)
CONVERSION(time_interval, TYPE_TIME, TYPE_INTERVAL)
CONVERSION(interval_time, TYPE_INTERVAL, TYPE_TIME)

static enum status date_and_time(struct call_ctx *c, const struct datum *date,
                                 const struct datum *time, struct datum *ret)
{
    TRY(convert(c, TYPE_DATE, TYPE_TIMESTAMP, date, ret));
    if (datetime__infinite(ret->v.i64)) return OK;
    if (__builtin_add_overflow(ret->v.i64, time->v.i64, &ret->v.i64) ||
        !timestamp_is_valid(ret->v.i64)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    return OK;
}

FN(datetime_timestamp)
{
    UNUSED;
    return date_and_time(c, &args[0], &args[1], ret);
}
FN(timedate)
{
    UNUSED;
    return date_and_time(c, &args[1], &args[0], ret);
}
FN(datetime_timestamptz)
{
    UNUSED;
    TRY(date_and_time(c, &args[0], &args[1], ret));
    return timestamp_to_timestamptz(ret->v.i64, datetime__zone(c), &ret->v.i64);
}

/* --- arithmetic ----------------------------------------------------------------------------- */

static enum status date_add(int32_t date, int64_t days, struct datum *ret)
{
    if (date != DATE_NOBEGIN && date != DATE_NOEND) {
        if (__builtin_add_overflow(date, days, &date) || !date_is_valid(date) ||
            date == DATE_NOBEGIN || date == DATE_NOEND) {
            return date_overflow();
        }
    }
    ret->v.i32 = date;
    return OK;
}

FN(date_pli)
{
    UNUSED;
    return date_add(args[0].v.i32, args[1].v.i32, ret);
}
FN(date_mii)
{
    UNUSED;
    return date_add(args[0].v.i32, -(int64_t)args[1].v.i32, ret);
}
FN(integer_pl_date)
{
    UNUSED;
    return date_add(args[1].v.i32, args[0].v.i32, ret);
}
FN(date_mi)
{
    UNUSED;
    int32_t a = args[0].v.i32, b = args[1].v.i32;
    if (a == DATE_NOBEGIN || a == DATE_NOEND || b == DATE_NOBEGIN || b == DATE_NOEND) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates");
    }
    ret->v.i32 = a - b;
    return OK;
}

static enum status negate(const struct interval *i, struct interval *ret)
{
    const struct interval zero = {0};
    return interval_sub(&zero, i, ret);
}

/* A date, timestamp or timestamptz plus or minus an interval. */
static enum status add(struct call_ctx *c, type_id type, const struct datum *base,
                       const struct datum *span, bool minus, struct datum *ret)
{
    struct interval i = span->v.interval;
    struct datum ts = *base;
    if (minus) TRY(negate(&i, &i));
    if (type == TYPE_DATE) TRY(convert(c, TYPE_DATE, TYPE_TIMESTAMP, base, &ts));
    if (type == TYPE_TIMESTAMPTZ) {
        return timestamptz_add_interval(ts.v.i64, &i, datetime__zone(c), &ret->v.i64);
    }
    return timestamp_add_interval(ts.v.i64, &i, &ret->v.i64);
}

#define ADDITION(name, type, base, span, minus)                                                    \
    FN(name)                                                                                       \
    {                                                                                              \
        UNUSED;                                                                                    \
        return add(c, type, &args[base], &args[span], minus, ret);                                 \
    }
ADDITION(date_pl_interval, TYPE_DATE, 0, 1, false)
ADDITION(date_mi_interval, TYPE_DATE, 0, 1, true)
ADDITION(interval_pl_date, TYPE_DATE, 1, 0, false)
ADDITION(timestamp_pl_interval, TYPE_TIMESTAMP, 0, 1, false)
ADDITION(timestamp_mi_interval, TYPE_TIMESTAMP, 0, 1, true)
ADDITION(interval_pl_timestamp, TYPE_TIMESTAMP, 1, 0, false)
ADDITION(timestamptz_pl_interval, TYPE_TIMESTAMPTZ, 0, 1, false)
ADDITION(timestamptz_mi_interval, TYPE_TIMESTAMPTZ, 0, 1, true)
ADDITION(interval_pl_timestamptz, TYPE_TIMESTAMPTZ, 1, 0, false)

FN(timestamp_mi)
{
    UNUSED;
    if (datetime__infinite(args[0].v.i64) || datetime__infinite(args[1].v.i64)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "cannot subtract infinite timestamps");
    }
    ret->v.interval = timestamp_diff(args[0].v.i64, args[1].v.i64);
    return OK;
}

FN(time_pl_interval)
{
    UNUSED;
    ret->v.i64 = within_day(args[0].v.i64 + args[1].v.interval.us % US_PER_DAY);
    return OK;
}
FN(time_mi_interval)
{
    UNUSED;
    ret->v.i64 = within_day(args[0].v.i64 - args[1].v.interval.us % US_PER_DAY);
    return OK;
}
FN(interval_pl_time)
{
    UNUSED;
    ret->v.i64 = within_day(args[1].v.i64 + args[0].v.interval.us % US_PER_DAY);
    return OK;
}
FN(time_mi_time)
{
    UNUSED;
    ret->v.interval = (struct interval){.us = args[0].v.i64 - args[1].v.i64};
    return OK;
}

FN(interval_um)
{
    UNUSED;
    return negate(&args[0].v.interval, &ret->v.interval);
}
FN(interval_pl)
{
    UNUSED;
    return interval_add(&args[0].v.interval, &args[1].v.interval, &ret->v.interval);
}
FN(interval_mi)
{
    UNUSED;
    return interval_sub(&args[0].v.interval, &args[1].v.interval, &ret->v.interval);
}
FN(interval_times)
{
    UNUSED;
    return interval_mul(&args[0].v.interval, args[1].v.f64, &ret->v.interval);
}
FN(times_interval)
{
    UNUSED;
    return interval_mul(&args[1].v.interval, args[0].v.f64, &ret->v.interval);
}
FN(interval_by)
{
    UNUSED;
    return interval_div(&args[0].v.interval, args[1].v.f64, &ret->v.interval);
}
FN(justify_days)
{
    UNUSED;
    return interval_justify(&args[0].v.interval, true, false, &ret->v.interval);
}
FN(justify_hours)
{
    UNUSED;
    return interval_justify(&args[0].v.interval, false, true, &ret->v.interval);
}
FN(justify_both)
{
    UNUSED;
    return interval_justify(&args[0].v.interval, true, true, &ret->v.interval);
}

FN(date_finite)
{
    UNUSED;
    ret->v.b = args[0].v.i32 != DATE_NOBEGIN && args[0].v.i32 != DATE_NOEND;
    return OK;
}
FN(timestamp_finite)
{
    UNUSED;
    ret->v.b = !datetime__infinite(args[0].v.i64);
    return OK;
}
FN(interval_finite)
{
    UNUSED;
    ret->v.b = true;
    return OK;
}

/* --- fields --------------------------------------------------------------------------------- */

#define FIELDS(type_name, type)                                                                    \
    FN(type_name##_part)                                                                           \
    {                                                                                              \
        UNUSED;                                                                                    \
        return datetime_extract(bytes_slice(&args[0].v.bytes), type, &args[1].v,                   \
                                datetime__zone(c), false, c->arena, ret);                          \
    }                                                                                              \
    FN(extract_##type_name)                                                                        \
    {                                                                                              \
        UNUSED;                                                                                    \
        return datetime_extract(bytes_slice(&args[0].v.bytes), type, &args[1].v,                   \
                                datetime__zone(c), true, c->arena, ret);                           \
    }
FIELDS(date, TYPE_DATE)
FIELDS(time, TYPE_TIME)
FIELDS(timestamp, TYPE_TIMESTAMP)
FIELDS(timestamptz, TYPE_TIMESTAMPTZ)
FIELDS(interval, TYPE_INTERVAL)

#define EXTRACT_ROWS(name, T, at_once)                                                             \
    static enum status name##_rows(struct call_ctx *c, const struct vec *const *args, uint32_t n,  \
                                   const uint16_t *sel, uint32_t count, struct vec *ret)           \
    {                                                                                              \
        const struct vec *field = args[0], *of = args[1];                                          \
        if (field->form == VEC_CONST && of->form == VEC_FLAT && !nulls_get(field->nulls, 0) &&     \
            at_once(bytes_slice(VEC_DATA(field, const struct bytes)), VEC_DATA(of, const T), sel,  \
                    count, VEC_DATA(ret, struct numeric)))                                         \
            return OK;                                                                             \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t row = fn_row(sel, i);                                                         \
            if (nulls_get(ret->nulls, row)) continue;                                              \
            struct datum values[2] = {vec_get(field, row), vec_get(of, row)}, d;                   \
            TRY(name(c, values, n, &d));                                                           \
            vec_set(ret, row, d);                                                                  \
        }                                                                                          \
        return OK;                                                                                 \
    }
EXTRACT_ROWS(extract_date, int32_t, datetime_extract_dates)
EXTRACT_ROWS(extract_timestamp, int64_t, datetime_extract_timestamps)

#define TRUNCATION(name, type)                                                                     \
    FN(name)                                                                                       \
    {                                                                                              \
        UNUSED;                                                                                    \
        return datetime_trunc(bytes_slice(&args[0].v.bytes), type, &args[1].v, datetime__zone(c),  \
                              &ret->v);                                                            \
    }
TRUNCATION(timestamp_trunc, TYPE_TIMESTAMP)
TRUNCATION(timestamptz_trunc, TYPE_TIMESTAMPTZ)
TRUNCATION(interval_trunc, TYPE_INTERVAL)

/* --- the table ------------------------------------------------------------------------------ */

const struct proc_binding exec__datetime_functions[] = {
    {"date_timestamp", date_timestamp, NULL},
    {"date_timestamptz", date_timestamptz, NULL},
    {"timestamp_date", timestamp_date, NULL},
    {"timestamp_time", timestamp_time, NULL},
    {"timestamp_timestamptz", timestamp_timestamptz, NULL},
    {"timestamptz_date", timestamptz_date, NULL},
    {"timestamptz_time", timestamptz_time, NULL},
    {"timestamptz_timestamp", timestamptz_timestamp, NULL},
    {"time_interval", time_interval, NULL},
    {"interval_time", interval_time, NULL},
    {"datetime_timestamp", datetime_timestamp, NULL},
    {"timedate_pl_sql1296", timedate, NULL},
    {"timestamptz_sql1176", datetime_timestamptz, NULL},
    {"date_pli", date_pli, NULL},
    {"date_mii", date_mii, NULL},
    {"integer_pl_date_sql2550", integer_pl_date, NULL},
    {"date_mi", date_mi, NULL},
    {"date_pl_interval", date_pl_interval, NULL},
    {"date_mi_interval", date_mi_interval, NULL},
    {"interval_pl_date_sql2546", interval_pl_date, NULL},
    {"timestamp_pl_interval", timestamp_pl_interval, NULL},
    {"timestamp_mi_interval", timestamp_mi_interval, NULL},
    {"interval_pl_timestamp_sql2548", interval_pl_timestamp, NULL},
    {"timestamptz_pl_interval", timestamptz_pl_interval, NULL},
    {"timestamptz_mi_interval", timestamptz_mi_interval, NULL},
    {"interval_pl_timestamptz_sql2549", interval_pl_timestamptz, NULL},
    {"timestamp_mi", timestamp_mi, NULL},
    {"time_pl_interval", time_pl_interval, NULL},
    {"time_mi_interval", time_mi_interval, NULL},
    {"interval_pl_time_sql1848", interval_pl_time, NULL},
    {"time_mi_time", time_mi_time, NULL},
    {"interval_um", interval_um, NULL},
    {"interval_pl", interval_pl, NULL},
    {"interval_mi", interval_mi, NULL},
    {"interval_mul", interval_times, NULL},
    {"mul_d_interval", times_interval, NULL},
    {"interval_div", interval_by, NULL},
    {"interval_justify_days", justify_days, NULL},
    {"interval_justify_hours", justify_hours, NULL},
    {"interval_justify_interval", justify_both, NULL},
    {"date_finite", date_finite, NULL},
    {"timestamp_finite", timestamp_finite, NULL},
    {"interval_finite", interval_finite, NULL},
    {"date_part_sql1384", date_part, NULL},
    {"time_part", time_part, NULL},
    {"timestamp_part", timestamp_part, NULL},
    {"timestamptz_part", timestamptz_part, NULL},
    {"interval_part", interval_part, NULL},
    {"extract_date", extract_date, extract_date_rows},
    {"extract_time", extract_time, NULL},
    {"extract_timestamp", extract_timestamp, extract_timestamp_rows},
    {"extract_timestamptz", extract_timestamptz, NULL},
    {"extract_interval", extract_interval, NULL},
    {"timestamp_trunc", timestamp_trunc, NULL},
    {"timestamptz_trunc", timestamptz_trunc, NULL},
    {"interval_trunc", interval_trunc, NULL},
    {"timestamptz_trunc_zone", datetime__trunc_zone, NULL},
    {"timestamptz_zone", datetime__timestamptz_zone, NULL},
    {"timestamptz_izone", datetime__timestamptz_izone, NULL},
    {"timestamp_zone", datetime__timestamp_zone, NULL},
    {"timestamp_izone", datetime__timestamp_izone, NULL},
    {"now", datetime__now, NULL},
    {"statement_timestamp", datetime__statement_timestamp, NULL},
    {"clock_timestamp", datetime__clock_timestamp, NULL},
    {"timeofday", datetime__timeofday, NULL},
    {"age_sql2059", datetime__age_timestamp_now, NULL},
    {"age_sql1386", datetime__age_timestamptz_now, NULL},
    {"timestamp_age", datetime__age_timestamp, NULL},
    {"timestamptz_age", datetime__age_timestamptz, NULL},
    {"make_date", datetime__make_date, NULL},
    {"make_time", datetime__make_time, NULL},
    {"make_timestamp", datetime__make_timestamp, NULL},
    {"make_timestamptz", datetime__make_timestamptz, NULL},
    {"make_timestamptz_at_timezone", datetime__make_timestamptz_zone, NULL},
    {"make_interval", datetime__make_interval, NULL},
    {"float8_timestamptz", datetime__from_epoch, NULL},
    {"timestamp_bin", datetime__bin, NULL},
    {"timestamptz_bin", datetime__bin, NULL},
    {"overlaps_timestamp", datetime__overlaps, NULL},
    {"overlaps_time", datetime__overlaps, NULL},
    {"overlaps_sql1305", datetime__overlaps_1305, NULL},
    {"overlaps_sql1306", datetime__overlaps_1306, NULL},
    {"overlaps_sql1307", datetime__overlaps_1307, NULL},
    {"overlaps_sql1309", datetime__overlaps_1309, NULL},
    {"overlaps_sql1310", datetime__overlaps_1310, NULL},
    {"overlaps_sql1311", datetime__overlaps_1311, NULL},
    {"overlaps_sql2042", datetime__overlaps_2042, NULL},
    {"overlaps_sql2043", datetime__overlaps_2043, NULL},
    {"overlaps_sql2044", datetime__overlaps_2044, NULL},
    {"timestamp_to_char", datetime__timestamp_to_char, NULL},
    {"timestamptz_to_char", datetime__timestamptz_to_char, NULL},
    {"interval_to_char", datetime__interval_to_char, NULL},
    {"to_timestamp", datetime__to_timestamp, NULL},
    {"to_date", datetime__to_date, NULL},
};
BINDING_COUNT(datetime)
