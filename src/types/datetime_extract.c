/* EXTRACT and date_part: one field of a date, time, timestamp or interval. Both compute the same
 * exact number, a count over a power of ten, and differ in its type only: numeric with as many
 * digits as the field has, or double. */
#include "types/datetime_priv.h"

#include <math.h>

#include "types/numeric.h"
#include "types/timetz.h"

enum field_class { FIELD_NUMBER, FIELD_NULL, FIELD_INFINITY, FIELD_UNSUPPORTED };

struct field_value {
    enum field_class kind;
    int sign; /* of an infinity */
    __int128 n;
    uint8_t scale;          /* n / 10^scale */
    int64_t day_fraction_us; /* of a Julian date: n days and this */
    bool has_day_fraction;
};

static struct field_value number(__int128 n)
{
    return (struct field_value){.n = n};
}
static struct field_value decimal(__int128 n, uint8_t scale)
{
    return (struct field_value){.n = n, .scale = scale};
}
static struct field_value unsupported(void)
{
    return (struct field_value){.kind = FIELD_UNSUPPORTED};
}

static const char *type_label(type_id type)
{
    switch (type) {
    case TYPE_DATE:
        return "date";
    case TYPE_TIME:
        return "time without time zone";
    case TYPE_TIMETZ:
        return "time with time zone";
    case TYPE_TIMESTAMP:
        return "timestamp without time zone";
    case TYPE_TIMESTAMPTZ:
        return "timestamp with time zone";
    default:
        return "interval";
    }
}

enum status datetime__unit_error(struct slice field, type_id type, bool known)
{
    char name[64];
    size_t len = field.len < sizeof name ? field.len : sizeof name - 1;
    for (size_t i = 0; i < len; i++) {
        char c = field.data[i];
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    name[len] = '\0';
    if (known) {
        return FAIL(FEATURE_NOT_SUPPORTED, "unit \"%s\" not supported for type %s", name,
                    type_label(type));
    }
    return FAIL(INVALID_PARAMETER_VALUE, "unit \"%s\" not recognized for type %s", name,
                type_label(type));
}

/* Centuries and millennia count from 1, and there is no year 0. */
static int64_t period(int32_t year, int32_t years)
{
    return year > 0 ? (year + years - 1) / years : -((years - year) / years);
}

/* Fields of the calendar day. */
static struct field_value day_field(enum datetime_unit unit, int64_t days, const struct civil *c)
{
    int32_t year = c->year, n;
    switch (unit) {
    case UNIT_DAY:
        return number(c->day);
    case UNIT_MONTH:
        return number(c->month);
    case UNIT_QUARTER:
        return number((c->month - 1) / 3 + 1);
    case UNIT_WEEK:
        return number(calendar__iso_week(days, &n));
    case UNIT_YEAR:
        return number(year > 0 ? year : year - 1);
    case UNIT_DECADE:
        return number(calendar__floor_div(year, 10));
    case UNIT_CENTURY:
        return number(period(year, 100));
    case UNIT_MILLENNIUM:
        return number(period(year, 1000));
    case UNIT_ISOYEAR:
        (void)calendar__iso_week(days, &n);
        return number(n > 0 ? n : n - 1);
    case UNIT_DOW:
        return number(calendar__weekday(days));
    case UNIT_ISODOW:
        return number((calendar__weekday(days) + 6) % 7 + 1);
    case UNIT_DOY:
        return number(days - days_from_civil(year, 1, 1) + 1);
    case UNIT_JULIAN:
        return number(days + JULIAN_OF_2000);
    default:
        return unsupported();
    }
}

/* Fields of a time of day or of the time part of an interval; hours carry the sign too. */
static struct field_value time_field(enum datetime_unit unit, int64_t us)
{
    switch (unit) {
    case UNIT_MICROSECOND:
        return number(us % US_PER_MINUTE);
    case UNIT_MILLISECOND:
        return decimal(us % US_PER_MINUTE, 3);
    case UNIT_SECOND:
        return decimal(us % US_PER_MINUTE, 6);
    case UNIT_MINUTE:
        return number(us / US_PER_MINUTE % 60);
    case UNIT_HOUR:
        return number(us / US_PER_HOUR);
    default:
        return unsupported();
    }
}

/* What infinity has: the fields that grow without end are infinite, the others have no value. */
static struct field_value infinite_field(enum datetime_unit unit, type_id type, bool positive)
{
    struct field_value v = {.kind = FIELD_NULL, .sign = positive ? 1 : -1};
    switch (unit) {
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
    case UNIT_JULIAN:
    case UNIT_ISOYEAR:
    case UNIT_EPOCH:
        v.kind = FIELD_INFINITY;
        return v;
    case UNIT_MICROSECOND:
    case UNIT_MILLISECOND:
    case UNIT_SECOND:
    case UNIT_MINUTE:
    case UNIT_HOUR:
    case UNIT_TIMEZONE:
    case UNIT_TIMEZONE_HOUR:
    case UNIT_TIMEZONE_MINUTE:
        if (type == TYPE_DATE) v.kind = FIELD_UNSUPPORTED;
        return v;
    default:
        return v;
    }
}

static struct field_value date_field(enum datetime_unit unit, int32_t date)
{
    if (date == DATE_NOBEGIN || date == DATE_NOEND) {
        return infinite_field(unit, TYPE_DATE, date == DATE_NOEND);
    }
    struct civil c;
    civil_from_days(date, &c);
    if (unit == UNIT_EPOCH) {
        return number((__int128)(date + JULIAN_OF_2000 - (int64_t)JULIAN_OF_1970) *
                      SECONDS_PER_DAY);
    }
    return day_field(unit, date, &c);
}

static struct field_value timestamp_field(enum datetime_unit unit, type_id type, int64_t ts,
                                          const struct timezone *z)
{
    if (ts == TS_NOBEGIN || ts == TS_NOEND) return infinite_field(unit, type, ts == TS_NOEND);
    if (unit == UNIT_EPOCH) return decimal((__int128)ts + PG_EPOCH_US, 6);
    if (type == TYPE_TIMESTAMPTZ) {
        int32_t east = timezone_offset_at_utc(z, ts, NULL, NULL);
        if (unit == UNIT_TIMEZONE) return number(east);
        if (unit == UNIT_TIMEZONE_HOUR) return number(east / SECONDS_PER_HOUR);
        if (unit == UNIT_TIMEZONE_MINUTE) return number(east / 60 % 60);
        ts += east * US_PER_SECOND;
    }
    struct civil c;
    int64_t days = calendar__floor_div(ts, US_PER_DAY);
    if (!timestamp_to_civil(ts, &c)) return unsupported();
    struct field_value v = day_field(unit, days, &c);
    if (v.kind == FIELD_UNSUPPORTED) return time_field(unit, ts - days * US_PER_DAY);
    if (unit == UNIT_JULIAN) {
        v.has_day_fraction = true;
        v.day_fraction_us = ts - days * US_PER_DAY;
    }
    return v;
}

static struct field_value interval_field(enum datetime_unit unit, const struct interval *i)
{
    int32_t year = i->months / MONTHS_PER_YEAR, month = i->months % MONTHS_PER_YEAR;
    switch (unit) {
    case UNIT_DAY:
        return number(i->days);
    case UNIT_MONTH:
        return number(month);
    case UNIT_QUARTER:
        return number(month / 3 + 1);
    case UNIT_YEAR:
        return number(year);
    case UNIT_DECADE:
        return number(year / 10);
    case UNIT_CENTURY:
        return number(year / 100);
    case UNIT_MILLENNIUM:
        return number(year / 1000);
    case UNIT_EPOCH: { /* a year is 365.25 days here */
        __int128 quarter_days = 1461ll * year + 120ll * month + 4ll * i->days;
        return decimal(quarter_days * (US_PER_DAY / 4) + i->us, 6);
    }
    default:
        return time_field(unit, i->us);
    }
}

static struct field_value zone_field(enum datetime_unit unit, int32_t east)
{
    if (unit == UNIT_TIMEZONE) return number(east);
    if (unit == UNIT_TIMEZONE_HOUR) return number(east / SECONDS_PER_HOUR);
    return unit == UNIT_TIMEZONE_MINUTE ? number(east / 60 % 60) : unsupported();
}

static struct field_value timetz_field(enum datetime_unit unit, const struct timetz *t)
{
    if (unit == UNIT_EPOCH) return decimal(t->us + t->west * US_PER_SECOND, 6);
    struct field_value v = time_field(unit, t->us);
    return v.kind == FIELD_UNSUPPORTED ? zone_field(unit, -t->west) : v;
}

static struct field_value any_field(enum datetime_unit unit, type_id type, const union value *v,
                                    const struct timezone *z)
{
    struct timetz tz;
    switch (type) {
    case TYPE_DATE:
        return date_field(unit, v->i32);
    case TYPE_TIME:
        if (unit == UNIT_EPOCH) return decimal(v->i64, 6);
        return time_field(unit, v->i64);
    case TYPE_TIMETZ:
        tz = timetz_open(&v->bytes);
        return timetz_field(unit, &tz);
    case TYPE_INTERVAL:
        return interval_field(unit, &v->interval);
    default:
        return timestamp_field(unit, type, v->i64, z);
    }
}

static enum status to_numeric(const struct field_value *f, struct arena *a, struct numeric *ret)
{
    static const int32_t power_of_10[7] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    if (!f->scale && !f->has_day_fraction && f->n > INT32_MIN && f->n < INT32_MAX) {
        *ret = numeric_small((int64_t)f->n, 0);
        return OK;
    }
    int32_t unit = power_of_10[f->scale];
    struct numeric whole = numeric_from_i64(a, (int64_t)(f->n / unit));
    struct numeric part = numeric_small((int64_t)(f->n % unit), f->scale);
    if (f->has_day_fraction) {
        struct numeric us = numeric_from_i64(a, f->day_fraction_us);
        struct numeric day = numeric_from_i64(a, US_PER_DAY);
        TRY(numeric_div(a, &us, &day, &part));
    }
    return numeric_add(a, &whole, &part, ret);
}

static double to_double(const struct field_value *f)
{
    static const double power_of_10[7] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    if (f->has_day_fraction) {
        return (double)f->n + (double)f->day_fraction_us / (double)US_PER_DAY;
    }
    return (double)f->n / power_of_10[f->scale];
}

enum status datetime_extract(struct slice field, type_id type, const union value *v,
                             const struct timezone *z, bool numeric_result, struct arena *a,
                             struct datum *ret)
{
    enum datetime_unit unit = token__extract_unit(field);
    union value as_timestamp;
    if (type == TYPE_DATE && !numeric_result) { /* date_part knows timestamps only */
        type = TYPE_TIMESTAMP;
        as_timestamp.i64 = v->i32 == DATE_NOEND     ? TS_NOEND
                           : v->i32 == DATE_NOBEGIN ? TS_NOBEGIN
                                                    : 0;
        if (!as_timestamp.i64 && __builtin_mul_overflow(v->i32, US_PER_DAY, &as_timestamp.i64)) {
            return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range for timestamp");
        }
        v = &as_timestamp;
    }
    if (unit == UNIT_NONE) return datetime__unit_error(field, type, false);
    struct field_value f = any_field(unit, type, v, z);
    if (f.kind == FIELD_UNSUPPORTED) return datetime__unit_error(field, type, true);
    ret->null = f.kind == FIELD_NULL;
    memset(&ret->v, 0, sizeof ret->v);
    if (f.kind == FIELD_INFINITY && numeric_result) {
        ret->v.numeric.kind = f.sign > 0 ? NUMERIC_PINF : NUMERIC_NINF;
    } else if (f.kind == FIELD_INFINITY) {
        ret->v.f64 = f.sign > 0 ? (double)INFINITY : -(double)INFINITY;
    } else if (f.kind == FIELD_NUMBER && numeric_result) {
        return to_numeric(&f, a, &ret->v.numeric);
    } else if (f.kind == FIELD_NUMBER) {
        ret->v.f64 = to_double(&f);
    }
    return OK;
}

bool datetime_extract_dates(struct slice field, const int32_t *dates, const uint16_t *sel,
                            uint32_t count, struct numeric *ret)
{
    enum datetime_unit unit = token__extract_unit(field);
    if (unit == UNIT_NONE || unit == UNIT_EPOCH) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = sel ? sel[i] : i;
        struct civil c;
        if (dates[row] == DATE_NOBEGIN || dates[row] == DATE_NOEND) return false;
        civil_from_days(dates[row], &c);
        struct field_value f = day_field(unit, dates[row], &c);
        if (f.kind != FIELD_NUMBER) return false;
        ret[row] = numeric_small((int64_t)f.n, 0);
    }
    return true;
}

/* Whole numbers of the time of day: those of seconds have digits after the point. */
static bool of_the_clock(enum datetime_unit unit, int64_t *ret_divisor, int64_t *ret_modulus)
{
    *ret_divisor = unit == UNIT_HOUR ? US_PER_HOUR : US_PER_MINUTE;
    *ret_modulus = unit == UNIT_HOUR ? 24 : 60;
    return unit == UNIT_HOUR || unit == UNIT_MINUTE;
}

bool datetime_extract_timestamps(struct slice field, const int64_t *times, const uint16_t *sel,
                                 uint32_t count, struct numeric *ret)
{
    enum datetime_unit unit = token__extract_unit(field);
    int64_t divisor, modulus;
    bool clock = of_the_clock(unit, &divisor, &modulus);
    if (unit == UNIT_NONE || unit == UNIT_EPOCH || unit == UNIT_JULIAN) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = sel ? sel[i] : i;
        int64_t t = times[row], days = t / US_PER_DAY, us = t % US_PER_DAY;
        if (t == TS_NOBEGIN || t == TS_NOEND) return false;
        if (us < 0) us += US_PER_DAY, days--;
        if (clock) {
            ret[row] = numeric_small(us / divisor % modulus, 0);
            continue;
        }
        struct civil c;
        civil_from_days((int32_t)days, &c);
        struct field_value f = day_field(unit, (int32_t)days, &c);
        if (f.kind != FIELD_NUMBER) return false;
        ret[row] = numeric_small((int64_t)f.n, 0);
    }
    return true;
}
