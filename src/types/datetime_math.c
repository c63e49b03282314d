/* Arithmetic on timestamps and intervals. An interval keeps months, days and microseconds apart,
 * for neither a month nor a day has a fixed length: adding one adds months first (cutting the day
 * to the month's end), then days, then time. Fractions cascade down, 30 days a month, 24 hours a
 * day, and never up: that is what the justify functions are for. */
#include "types/datetime_priv.h"

#include <math.h>

enum { DAYS_PER_MONTH = 30 };

static enum status timestamp_overflow(void)
{
    return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
}

static enum status interval_overflow(void)
{
    return FAIL(DATETIME_FIELD_OVERFLOW, "interval out of range");
}

static bool is_infinite(int64_t ts)
{
    return ts == TS_NOBEGIN || ts == TS_NOEND;
}

/* Adds months and days to a local time; not range checked beyond what civil holds. */
static bool add_months(struct civil *c, int32_t months)
{
    int64_t n = (int64_t)c->year * MONTHS_PER_YEAR + c->month - 1 + months;
    int64_t year = calendar__floor_div(n, MONTHS_PER_YEAR);
    if (year < -6000 || year > 6000000) return false;
    c->year = (int32_t)year;
    c->month = (int32_t)(n - year * MONTHS_PER_YEAR) + 1;
    int32_t last = days_of_month(c->year, c->month);
    if (c->day > last) c->day = last;
    return true;
}

static bool add_time(int64_t ts, int64_t us, int64_t *ret)
{
    return !__builtin_add_overflow(ts, us, ret) && timestamp_is_valid(*ret) && !is_infinite(*ret);
}

enum status timestamp_add_interval(int64_t ts, const struct interval *i, int64_t *ret)
{
    if (is_infinite(ts)) {
        *ret = ts;
        return OK;
    }
    struct civil c;
    if (i->months) {
        if (!timestamp_to_civil(ts, &c) || !add_months(&c, i->months) ||
            !timestamp_from_civil(&c, &ts)) {
            return timestamp_overflow();
        }
    }
    if (!add_time(ts, 0, &ts)) return timestamp_overflow();
    if (i->days) {
        int64_t us;
        if (__builtin_mul_overflow(i->days, US_PER_DAY, &us) || !add_time(ts, us, &ts)) {
            return timestamp_overflow();
        }
    }
    if (!add_time(ts, i->us, &ts)) return timestamp_overflow();
    *ret = ts;
    return OK;
}

enum status timestamptz_add_interval(int64_t ts, const struct interval *i,
                                     const struct timezone *z, int64_t *ret)
{
    if (is_infinite(ts)) {
        *ret = ts;
        return OK;
    }
    /* Months and days each settle in the zone, so that a step into a gap is seen by the next. */
    const struct interval steps[2] = {{.months = i->months}, {.days = i->days}};
    for (int n = 0; n < 2; n++) {
        if (!steps[n].months && !steps[n].days) continue;
        TRY(timestamptz_to_timestamp(ts, z, &ts));
        TRY(timestamp_add_interval(ts, &steps[n], &ts));
        TRY(timestamp_to_timestamptz(ts, z, &ts));
    }
    if (!add_time(ts, i->us, &ts)) return timestamp_overflow();
    *ret = ts;
    return OK;
}

struct interval timestamp_diff(int64_t a, int64_t b)
{
    __int128 us = (__int128)a - b;
    return (struct interval){.days = (int32_t)(us / US_PER_DAY), .us = (int64_t)(us % US_PER_DAY)};
}

/* Infinity is the last moment that its bits can be: so PostgreSQL. */
static bool civil_or_last(int64_t ts, struct civil *ret)
{
    if (ts != TS_NOEND) return timestamp_to_civil(ts, ret);
    *ret = (struct civil){.year = 294277, .month = 1, .day = 9, .hour = 4, .second = 54, .us = 775807};
    return true;
}

enum status timestamp_age(int64_t a, int64_t b, struct interval *ret)
{
    struct civil x, y;
    if (!civil_or_last(a, &x) || !civil_or_last(b, &y)) return timestamp_overflow();
    bool minus = a < b;
    const struct civil *late = minus ? &y : &x, *early = minus ? &x : &y;
    int64_t us = calendar__time_us(late) - calendar__time_us(early);
    int32_t days = late->day - early->day;
    int32_t months = (late->year - early->year) * MONTHS_PER_YEAR + late->month - early->month;
    if (us < 0) {
        us += US_PER_DAY;
        days--;
    }
    while (days < 0) { /* of the month in which the earlier one lies */
        days += days_of_month(early->year, early->month);
        months--;
    }
    *ret = minus ? (struct interval){.us = -us, .days = -days, .months = -months}
                 : (struct interval){.us = us, .days = days, .months = months};
    return OK;
}

enum status interval_add(const struct interval *a, const struct interval *b, struct interval *ret)
{
    struct interval r;
    if (__builtin_add_overflow(a->months, b->months, &r.months) ||
        __builtin_add_overflow(a->days, b->days, &r.days) ||
        __builtin_add_overflow(a->us, b->us, &r.us)) {
        return interval_overflow();
    }
    *ret = r;
    return OK;
}

enum status interval_sub(const struct interval *a, const struct interval *b, struct interval *ret)
{
    struct interval r;
    if (__builtin_sub_overflow(a->months, b->months, &r.months) ||
        __builtin_sub_overflow(a->days, b->days, &r.days) ||
        __builtin_sub_overflow(a->us, b->us, &r.us)) {
        return interval_overflow();
    }
    *ret = r;
    return OK;
}

static double round_us(double seconds)
{
    return rint(seconds * 1000000.0) / 1000000.0;
}

static bool fits_i32(double d)
{
    return d >= -2147483648.0 && d < 2147483648.0; /* false for NaN */
}

/* The products of the three parts with the factor, fractions carried downward. */
static enum status scale(double months, double days, double us, struct interval *ret)
{
    if (!fits_i32(months) || !fits_i32(days)) return interval_overflow();
    struct interval r = {.months = (int32_t)months, .days = (int32_t)days};
    double rest_days = round_us((months - r.months) * DAYS_PER_MONTH);
    double rest_seconds =
        round_us((days - r.days + rest_days - (int32_t)rest_days) * SECONDS_PER_DAY);
    if (fabs(rest_seconds) >= SECONDS_PER_DAY) {
        int32_t whole = (int32_t)(rest_seconds / SECONDS_PER_DAY);
        if (__builtin_add_overflow(r.days, whole, &r.days)) return interval_overflow();
        rest_seconds -= (double)whole * SECONDS_PER_DAY;
    }
    if (__builtin_add_overflow(r.days, (int32_t)rest_days, &r.days)) return interval_overflow();
    double total = rint(us + rest_seconds * (double)US_PER_SECOND);
    if (!(total >= -9223372036854775808.0 && total < 9223372036854775808.0)) {
        return interval_overflow();
    }
    r.us = (int64_t)total;
    *ret = r;
    return OK;
}

enum status interval_mul(const struct interval *a, double f, struct interval *ret)
{
    return scale(a->months * f, a->days * f, (double)a->us * f, ret);
}

enum status interval_div(const struct interval *a, double f, struct interval *ret)
{
    if (f == 0) return FAIL(DIVISION_BY_ZERO, "division by zero");
    return scale(a->months / f, a->days / f, (double)a->us / f, ret);
}

/* Moves whole days of the time, and whole months of the days, upward. */
static bool carry_hours(struct interval *i)
{
    int32_t days = (int32_t)(i->us / US_PER_DAY);
    i->us %= US_PER_DAY;
    return !__builtin_add_overflow(i->days, days, &i->days);
}

static bool carry_days(struct interval *i)
{
    int32_t months = i->days / DAYS_PER_MONTH;
    i->days %= DAYS_PER_MONTH;
    return !__builtin_add_overflow(i->months, months, &i->months);
}

enum status interval_justify(const struct interval *i, bool days, bool hours, struct interval *ret)
{
    struct interval r = *i;
    /* Days first when both carry the same way: less can overflow. */
    if (days && hours && ((r.days > 0 && r.us > 0) || (r.days < 0 && r.us < 0))) {
        if (!carry_days(&r)) return interval_overflow();
    }
    if (hours && !carry_hours(&r)) return interval_overflow();
    if (days && !carry_days(&r)) return interval_overflow();
    if (days) { /* equal signs */
        bool with_time = hours && r.days == 0;
        if (r.months > 0 && (r.days < 0 || (with_time && r.us < 0))) {
            r.days += DAYS_PER_MONTH;
            r.months--;
        } else if (r.months < 0 && (r.days > 0 || (with_time && r.us > 0))) {
            r.days -= DAYS_PER_MONTH;
            r.months++;
        }
    }
    if (hours && r.days > 0 && r.us < 0) {
        r.us += US_PER_DAY;
        r.days--;
    } else if (hours && r.days < 0 && r.us > 0) {
        r.us -= US_PER_DAY;
        r.days++;
    }
    *ret = r;
    return OK;
}

static struct interval justify_or_keep(struct interval i, bool days, bool hours)
{
    struct interval r;
    return interval_justify(&i, days, hours, &r) == OK ? r : i;
}

struct interval interval_justify_days(struct interval i)
{
    return justify_or_keep(i, true, false);
}
struct interval interval_justify_hours(struct interval i)
{
    return justify_or_keep(i, false, true);
}
struct interval interval_justify_interval(struct interval i)
{
    return justify_or_keep(i, true, true);
}

static __int128 total_us(const struct interval *i)
{
    return ((__int128)i->months * DAYS_PER_MONTH + i->days) * US_PER_DAY + i->us;
}

int interval_compare(const struct interval *a, const struct interval *b)
{
    __int128 x = total_us(a), y = total_us(b);
    return (x > y) - (x < y);
}

enum status datetime_apply_typmod(type_id type, int32_t typmod, union value *v)
{
    static const int32_t power_of_10[7] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    if (type == TYPE_INTERVAL) return interval__apply_typmod(typmod, &v->interval);
    if (type == TYPE_DATE || typmod < 0 || typmod > 6) return OK;
    if (type != TYPE_TIME && is_infinite(v->i64)) return OK;
    int64_t unit = power_of_10[typmod], half = unit / 2;
    int64_t n = v->i64 >= 0 ? v->i64 + half : v->i64 - half; /* away from zero */
    v->i64 = n - n % unit;
    return OK;
}
