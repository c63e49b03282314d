/* The proleptic Gregorian calendar: days to fields and back, in integers only. Years are counted
 * astronomically (0 is 1 BC); the arithmetic runs over eras of 400 years that begin on March 1st,
 * so that the leap day is the last of its year. */
#include "types/datetime_priv.h"

enum {
    DAYS_PER_ERA = 146097,
    DAYS_0000_03_01_TO_2000 = 730425, /* from 0000-03-01 to 2000-01-01 */
};

/* 4714-11-24 BC, and the first instants beyond the end: 294277-01-01 and 5874898-01-01. */
#define TIMESTAMP_MIN (-211813488000000000ll)
#define TIMESTAMP_END 9223371331200000000ll
enum { DATE_MIN = -JULIAN_OF_2000, DATE_END = 2147483494 - JULIAN_OF_2000 };

static void split_days(int64_t days, struct civil *ret)
{
    int64_t z = days + DAYS_0000_03_01_TO_2000;
    int64_t era = calendar__floor_div(z, DAYS_PER_ERA);
    int64_t doe = z - era * DAYS_PER_ERA;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t m = (5 * doy + 2) / 153; /* 0 = March */
    ret->day = (int32_t)(doy - (153 * m + 2) / 5 + 1);
    ret->month = (int32_t)(m < 10 ? m + 3 : m - 9);
    ret->year = (int32_t)(yoe + era * 400 + (ret->month <= 2));
}

void civil_from_days(int32_t days_since_2000, struct civil *ret)
{
    memset(ret, 0, sizeof *ret);
    split_days(days_since_2000, ret);
}

int64_t days_from_civil(int32_t year, int32_t month, int32_t day)
{
    /* A month outside 1..12 counts into the neighbouring years. */
    int64_t months = (int64_t)year * 12 + month - 1;
    int64_t y = calendar__floor_div(months, 12);
    int64_t m = months - y * 12 + 1;
    y -= m <= 2;
    int64_t era = calendar__floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * DAYS_PER_ERA + doe - DAYS_0000_03_01_TO_2000 + day - 1;
}

bool calendar__is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int32_t days_of_month(int32_t year, int32_t month)
{
    static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    DEBUG_ASSERT(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && calendar__is_leap(year));
}

void calendar__split_time(int64_t us, struct civil *c)
{
    c->us = (int32_t)(us % US_PER_SECOND);
    us /= US_PER_SECOND;
    c->second = (int32_t)(us % 60);
    us /= 60;
    c->minute = (int32_t)(us % 60);
    c->hour = (int32_t)(us / 60);
}

bool timestamp_to_civil(int64_t ts, struct civil *ret)
{
    if (ts == TS_NOBEGIN || ts == TS_NOEND) return false;
    memset(ret, 0, sizeof *ret);
    int64_t days = calendar__floor_div(ts, US_PER_DAY);
    /* A day of slack: local times of an instant at the bound. */
    if (days < DATE_MIN - 1) return false;
    split_days(days, ret);
    calendar__split_time(ts - days * US_PER_DAY, ret);
    return true;
}

bool calendar__to_us(const struct civil *c, int64_t *ret)
{
    int64_t us;
    if (__builtin_mul_overflow(days_from_civil(c->year, c->month, c->day), US_PER_DAY, &us)) {
        return false;
    }
    if (__builtin_add_overflow(us, calendar__time_us(c), &us)) return false;
    *ret = us;
    return true;
}

bool timestamp_from_civil(const struct civil *c, int64_t *ret)
{
    int64_t us;
    if (!calendar__to_us(c, &us) || us < TIMESTAMP_MIN || us >= TIMESTAMP_END) return false;
    *ret = us;
    return true;
}

bool timestamp_is_valid(int64_t ts)
{
    return (ts >= TIMESTAMP_MIN && ts < TIMESTAMP_END) || ts == TS_NOBEGIN || ts == TS_NOEND;
}

bool date_is_valid(int32_t date)
{
    return (date >= DATE_MIN && date < DATE_END) || date == DATE_NOBEGIN || date == DATE_NOEND;
}

int32_t calendar__weekday(int64_t days)
{
    /* 2000-01-01 was a Saturday. */
    int64_t d = (days + 6) % 7;
    return (int32_t)(d < 0 ? d + 7 : d);
}

int64_t calendar__iso_week_start(int32_t year, int32_t week)
{
    int64_t jan4 = days_from_civil(year, 1, 4); /* always in week 1 */
    int64_t monday = jan4 - (calendar__weekday(jan4) + 6) % 7;
    return monday + (week - 1) * 7ll;
}

int32_t calendar__iso_week(int64_t days, int32_t *ret_year)
{
    struct civil c;
    split_days(days, &c);
    int32_t year = c.year;
    if (days >= calendar__iso_week_start(year + 1, 1)) year++;
    else if (days < calendar__iso_week_start(year, 1)) year--;
    *ret_year = year;
    return (int32_t)((days - calendar__iso_week_start(year, 1)) / 7 + 1);
}

int32_t weekday_of(int64_t days)
{
    return calendar__weekday(days);
}

int32_t iso_week_of(int64_t days, int32_t *ret_year)
{
    return calendar__iso_week(days, ret_year);
}

int64_t iso_week_start(int32_t year, int32_t week)
{
    return calendar__iso_week_start(year, week);
}
