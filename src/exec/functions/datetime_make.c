/* make_date and its kin, to_timestamp(seconds), date_bin: dates from numbers. Every part is
 * checked; the errors show the parts as they were given. Negative years are BC. */
#include "exec/functions/datetime_priv.h"

#include <math.h>

static bool valid_day(int32_t year, int32_t month, int32_t day, struct civil *ret)
{
    memset(ret, 0, sizeof *ret);
    if (year == 0 || month < 1 || month > 12 || day < 1) return false;
    ret->year = year < 0 ? year + 1 : year;
    ret->month = month;
    ret->day = day;
    return day <= days_of_month(ret->year, month);
}

/* False when no time of day: up to 24:00:00, the 60th second included. */
static bool valid_time(int32_t hour, int32_t minute, double second, int64_t *ret_us)
{
    if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || !isfinite(second)) return false;
    second = rint(second * (double)US_PER_SECOND);
    if (second < 0 || second > 60.0 * (double)US_PER_SECOND) return false;
    *ret_us = (hour * 60ll + minute) * 60 * US_PER_SECOND + (int64_t)second;
    return *ret_us <= US_PER_DAY;
}

DATETIME_FN(make_date)
{
    (void)c, (void)n;
    struct civil t;
    int32_t year = args[0].v.i32, month = args[1].v.i32, day = args[2].v.i32;
    if (!valid_day(year, month, day, &t)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "date field value out of range: %d-%02d-%02d", year + (year < 0),
                    month, day);
    }
    int64_t date = days_from_civil(t.year, t.month, t.day);
    if (date <= DATE_NOBEGIN || date >= DATE_NOEND || !date_is_valid((int32_t)date)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range: %d-%02d-%02d", year, month, day);
    }
    ret->v.i32 = (int32_t)date;
    return OK;
}

DATETIME_FN(make_time)
{
    (void)c, (void)n;
    if (!valid_time(args[0].v.i32, args[1].v.i32, args[2].v.f64, &ret->v.i64)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "time field value out of range: %d:%02d:%02g",
                    args[0].v.i32, args[1].v.i32, args[2].v.f64);
    }
    return OK;
}

static enum status make_local(const struct datum *args, int64_t *ret)
{
    struct civil t;
    int64_t us, ts;
    int32_t year = args[0].v.i32, month = args[1].v.i32, day = args[2].v.i32;
    if (!valid_day(year, month, day, &t)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "date field value out of range: %d-%02d-%02d", year + (year < 0),
                    month, day);
    }
    if (t.year < -4800 || t.year > 5874898) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range: %d-%02d-%02d", year, month, day);
    }
    if (!valid_time(args[3].v.i32, args[4].v.i32, args[5].v.f64, &us)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "time field value out of range: %d:%02d:%02g",
                    args[3].v.i32, args[4].v.i32, args[5].v.f64);
    }
    if (!timestamp_from_civil(&t, &ts) || !timestamp_is_valid(ts + us)) {
        return FAIL(DATETIME_FIELD_OVERFLOW,
                    "timestamp out of range: %d-%02d-%02d %d:%02d:%02g", year, month, day,
                    args[3].v.i32, args[4].v.i32, args[5].v.f64);
    }
    *ret = ts + us;
    return OK;
}

DATETIME_FN(make_timestamp)
{
    (void)c, (void)n;
    return make_local(args, &ret->v.i64);
}

DATETIME_FN(make_timestamptz)
{
    (void)n;
    int64_t local;
    TRY(make_local(args, &local));
    return timestamp_to_timestamptz(local, datetime__zone(c), &ret->v.i64);
}

/* "+05:30" east, as in the text of a timestamp; else a zone's name. */
static enum status zone_offset(struct slice name, int64_t local, int32_t *ret_east)
{
    char first = name.len ? name.data[0] : '\0', text[128] = "2000-01-01 00:00:00 ";
    if (first >= '0' && first <= '9') {
        (void)FAIL(INVALID_PARAMETER_VALUE, "invalid input syntax for type %s: \"%.*s\"",
                   "numeric time zone", (int)name.len, name.data);
        return error_hint("Numeric time zones must have \"-\" or \"+\" as first character.");
    }
    size_t prefix = strlen(text);
    if ((first != '+' && first != '-') || name.len > sizeof text - prefix) {
        return timezone_resolve(name, local, true, ret_east);
    }
    memcpy(text + prefix, name.data, name.len);
    union value v;
    enum status s = datetime_from_text(TYPE_TIMESTAMPTZ, -1,
                                       slice_make(text, prefix + name.len), &format_default, &v);
    if (s == INVALID_TIME_ZONE_DISPLACEMENT) {
        return FAIL(INVALID_PARAMETER_VALUE, "numeric time zone \"%.*s\" out of range",
                    (int)name.len, name.data);
    }
    if (s != OK) return timezone_resolve(name, local, true, ret_east);
    *ret_east = (int32_t)(-v.i64 / US_PER_SECOND);
    return OK;
}

DATETIME_FN(make_timestamptz_zone)
{
    (void)c, (void)n;
    int64_t local;
    int32_t east;
    TRY(make_local(args, &local));
    TRY(zone_offset(bytes_slice(&args[6].v.bytes), local, &east));
    ret->v.i64 = local - east * US_PER_SECOND;
    if (!timestamp_is_valid(ret->v.i64)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    return OK;
}

DATETIME_FN(make_interval)
{
    (void)c, (void)n;
    struct interval *i = &ret->v.interval;
    int32_t weeks, years;
    int64_t hours = args[4].v.i32 * 3600ll * US_PER_SECOND;
    int64_t minutes = args[5].v.i32 * 60ll * US_PER_SECOND;
    double seconds = rint(args[6].v.f64 * (double)US_PER_SECOND);
    if (!(fabs(seconds) < 9.2e18) ||
        __builtin_mul_overflow(args[0].v.i32, 12, &years) ||
        __builtin_add_overflow(years, args[1].v.i32, &i->months) ||
        __builtin_mul_overflow(args[2].v.i32, 7, &weeks) ||
        __builtin_add_overflow(weeks, args[3].v.i32, &i->days) ||
        __builtin_add_overflow(hours + minutes, (int64_t)seconds, &i->us)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "interval out of range");
    }
    return OK;
}

DATETIME_FN(from_epoch)
{
    (void)c, (void)n;
    double seconds = args[0].v.f64;
    if (isnan(seconds)) return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN");
    if (isinf(seconds)) {
        ret->v.i64 = seconds < 0 ? TS_NOBEGIN : TS_NOEND;
        return OK;
    }
    double us = rint((seconds - (double)(PG_EPOCH_US / US_PER_SECOND)) * (double)US_PER_SECOND);
    if (!(fabs(us) < 9.2233720368547e18) || !timestamp_is_valid((int64_t)us)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range: \"%g\"", seconds);
    }
    ret->v.i64 = (int64_t)us;
    return OK;
}

DATETIME_FN(bin)
{
    (void)c, (void)n;
    const struct interval *i = &args[0].v.interval;
    int64_t ts = args[1].v.i64, origin = args[2].v.i64, stride, distance;
    ret->v.i64 = ts;
    if (datetime__infinite(ts)) return OK;
    if (datetime__infinite(origin)) return FAIL(DATETIME_FIELD_OVERFLOW, "origin out of range");
    if (i->months) {
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "timestamps cannot be binned into intervals containing months or years");
    }
    if (__builtin_mul_overflow(i->days, US_PER_DAY, &stride) ||
        __builtin_add_overflow(stride, i->us, &stride)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "interval out of range");
    }
    if (stride <= 0) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "stride must be greater than zero");
    }
    if (__builtin_sub_overflow(ts, origin, &distance)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "interval out of range");
    }
    int64_t rest = distance % stride;
    ret->v.i64 = ts - rest; /* no further from ts than origin: no overflow */
    if (rest < 0 && (__builtin_sub_overflow(ret->v.i64, stride, &ret->v.i64) ||
                     !timestamp_is_valid(ret->v.i64))) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    return OK;
}
