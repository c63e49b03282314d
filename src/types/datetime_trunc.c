/* date_trunc: the beginning of the unit in which a time lies. */
#include "types/datetime_priv.h"

/* The first year of the decade, century or millennium; centuries begin with 1, not 0. */
static int32_t first_year(int32_t year, enum datetime_unit unit)
{
    if (unit == UNIT_DECADE) return (int32_t)calendar__floor_div(year, 10) * 10;
    int32_t n = unit == UNIT_CENTURY ? 100 : 1000;
    return (int32_t)calendar__floor_div(year - 1, n) * n + 1;
}

/* False when the unit does not fit. */
static bool trunc_day(struct civil *c, enum datetime_unit unit)
{
    switch (unit) {
    case UNIT_DAY:
        return true;
    case UNIT_WEEK: {
        int64_t days = days_from_civil(c->year, c->month, c->day);
        civil_from_days((int32_t)(days - (calendar__weekday(days) + 6) % 7), c);
        return true;
    }
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
        c->year = first_year(c->year, unit);
        c->month = 1;
        break;
    case UNIT_YEAR:
        c->month = 1;
        break;
    case UNIT_QUARTER:
        c->month = (c->month - 1) / 3 * 3 + 1;
        break;
    case UNIT_MONTH:
        break;
    default:
        return false;
    }
    c->day = 1;
    return true;
}

/* Microseconds of the units that do not hang on the calendar; 0 for the others. */
static int64_t unit_us(enum datetime_unit unit)
{
    switch (unit) {
    case UNIT_MICROSECOND:
        return 1;
    case UNIT_MILLISECOND:
        return 1000;
    case UNIT_SECOND:
        return US_PER_SECOND;
    case UNIT_MINUTE:
        return US_PER_MINUTE;
    case UNIT_HOUR:
        return US_PER_HOUR;
    default:
        return 0;
    }
}

static enum status trunc_timestamp(struct slice field, enum datetime_unit unit, type_id type,
                                   int64_t ts, const struct timezone *z, int64_t *ret)
{
    int64_t east_us = 0, us = unit_us(unit);
    if (type == TYPE_TIMESTAMPTZ) {
        east_us = timezone_offset_at_utc(z, ts, NULL, NULL) * US_PER_SECOND;
    }
    int64_t local = ts + east_us;
    if (us) { /* within the day, the offset stays what it was */
        *ret = calendar__floor_div(local, us) * us - east_us;
        return OK;
    }
    struct civil c;
    if (!timestamp_to_civil(local, &c)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    c.hour = c.minute = c.second = c.us = 0;
    if (!trunc_day(&c, unit)) return datetime__unit_error(field, type, true);
    if (!timestamp_from_civil(&c, &local)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    *ret = local;
    return type == TYPE_TIMESTAMPTZ ? timestamp_to_timestamptz(local, z, ret) : OK;
}

static enum status trunc_interval(struct slice field, enum datetime_unit unit,
                                  const struct interval *i, struct interval *ret)
{
    struct interval r = *i;
    int64_t us = unit_us(unit);
    if (us) {
        r.us -= r.us % us;
        *ret = r;
        return OK;
    }
    r.us = 0;
    if (unit == UNIT_DAY) {
        *ret = r;
        return OK;
    }
    int32_t months = 0;
    if (unit == UNIT_MONTH) months = 1;
    else if (unit == UNIT_QUARTER) months = 3;
    else if (unit == UNIT_YEAR) months = 12;
    else if (unit == UNIT_DECADE) months = 120;
    else if (unit == UNIT_CENTURY) months = 1200;
    else if (unit == UNIT_MILLENNIUM) months = 12000;
    if (!months) {
        enum status s = datetime__unit_error(field, TYPE_INTERVAL, true);
        return unit == UNIT_WEEK ? error_detail("Months usually have fractional weeks.") : s;
    }
    r.days = 0;
    r.months -= r.months % months;
    *ret = r;
    return OK;
}

enum status datetime_trunc(struct slice field, type_id type, const union value *v,
                           const struct timezone *z, union value *ret)
{
    enum datetime_unit unit = token__unit(field);
    if (type != TYPE_INTERVAL && (v->i64 == TS_NOBEGIN || v->i64 == TS_NOEND)) {
        *ret = *v; /* whatever the unit */
        return OK;
    }
    if (unit == UNIT_NONE) return datetime__unit_error(field, type, false);
    if (type == TYPE_INTERVAL) return trunc_interval(field, unit, &v->interval, &ret->interval);
    return trunc_timestamp(field, unit, type, v->i64, z, &ret->i64);
}
