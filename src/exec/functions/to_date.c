/* to_date and to_timestamp: puts together the fields that to_date_read.c found. What was not given
 * falls to the beginning: year 1 BC, January, the 1st, midnight. */
#include "exec/functions/to_date_priv.h"

#include "exec/functions/datetime_priv.h"

enum { TEXT_BYTES_MAX = 1 << 16, YEAR_MIN = -4800, YEAR_MAX = 5900000 };

static bool given(int field)
{
    return field != UNSET;
}
/* In a date 0 is as good as nothing. */
static bool named(int field)
{
    return field != UNSET && field != 0;
}

static enum status field_overflow(struct slice text)
{
    return FAIL(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"%.*s\"",
                text.len > 512 ? 512 : (int)text.len, text.data);
}

/* The year in astronomical counting; *ret_given: anything was said about it. */
static int year_of(const struct reader *r, bool *ret_given)
{
    bool bc = r->before_christ == 1;
    int century = bc && named(r->century) ? -r->century : r->century;
    *ret_given = named(r->year) || named(r->century);
    if (named(r->century) && named(r->year) && r->year_digits <= 2) {
        int year = r->year % 100;
        if (year) return century >= 0 ? year + (century - 1) * 100 : (century + 1) * 100 - year + 1;
        return century * 100 + (century >= 0 ? 0 : 1);
    }
    if (named(r->year)) {
        int year = bc ? -r->year : r->year;
        return year < 0 ? year + 1 : year;
    }
    if (named(r->century)) return century >= 0 ? (century - 1) * 100 + 1 : century * 100 + 1;
    return 0;
}

static void set_day(struct civil *c, int64_t days)
{
    struct civil day;
    civil_from_days((int32_t)days, &day);
    c->year = day.year;
    c->month = day.month;
    c->day = day.day;
}

static enum status assemble_date(const struct reader *r, struct slice text, struct civil *c)
{
    bool year_given;
    int year = year_of(r, &year_given), yearday = r->yearday, day = r->day;
    c->year = year < YEAR_MIN ? YEAR_MIN : year > YEAR_MAX ? YEAR_MAX : year; /* those are out of range, too */
    c->month = c->day = 1;
    if (named(r->julian)) set_day(c, r->julian + days_from_civil(-4713, 11, 24));
    if (named(r->week) && r->iso) {
        int monday_first = !given(r->weekday) || r->weekday == -1 ? 0 : r->weekday > 0 ? r->weekday - 1 : 6;
        set_day(c, iso_week_start(year, r->week) + monday_first);
    } else if (named(r->week)) {
        yearday = (r->week - 1) * 7 + 1;
    }
    if (named(r->month_week)) day = (r->month_week - 1) * 7 + 1;
    bool checked = named(r->month) || named(day);
    if (named(day)) c->day = day;
    if (named(r->month)) c->month = r->month;
    if (named(yearday) && (c->month <= 1 || c->day <= 1)) {
        if (!year_given) {
            return FAIL(INVALID_DATETIME_FORMAT,
                        "cannot calculate day of year without year information");
        }
        if (yearday < 1 || yearday > 371) return field_overflow(text);
        set_day(c, (r->iso ? iso_week_start(year, 1) : days_from_civil(year, 1, 1)) + yearday - 1);
        checked = false;
    }
    if (checked && (c->month < 1 || c->month > 12 || c->day < 1 ||
                    c->day > days_of_month(c->year, c->month))) {
        return field_overflow(text);
    }
    return OK;
}

static enum status assemble_time(const struct reader *r, struct slice text, struct civil *c)
{
    c->hour = given(r->hour) ? r->hour : 0;
    c->minute = given(r->minute) ? r->minute : 0;
    c->second = given(r->second) ? r->second : 0;
    int64_t us = (given(r->ms) ? r->ms * 1000LL : 0) + (given(r->us) ? r->us : 0);
    if (given(r->day_second)) {
        if (r->day_second < 0 || r->day_second >= 86400) return field_overflow(text);
        c->hour = r->day_second / 3600;
        c->minute = r->day_second / 60 % 60;
        c->second = r->day_second % 60;
    }
    if (r->clock12) {
        if (c->hour < 1 || c->hour > 12) {
            (void)FAIL(INVALID_DATETIME_FORMAT, "hour \"%d\" is invalid for the 12-hour clock",
                       c->hour);
            return error_hint("Use the 24-hour clock, or give an hour between 1 and 12.");
        }
        if (r->afternoon == 1 && c->hour < 12) c->hour += 12;
        else if (r->afternoon != 1 && c->hour == 12) c->hour = 0;
    }
    if (c->hour < 0 || c->hour >= 24 || c->minute < 0 || c->minute >= 60 || c->second < 0 ||
        c->second >= 60 || us < 0 || us >= US_PER_SECOND) {
        return field_overflow(text);
    }
    c->us = (int32_t)us;
    return OK;
}

/* East of UTC. */
static int64_t zone_us(const struct reader *r)
{
    int hours = given(r->zone_hours) ? r->zone_hours : 0;
    int minutes = given(r->zone_minutes) ? r->zone_minutes : 0;
    int64_t us = (hours * 60LL + minutes) * 60 * US_PER_SECOND;
    return r->zone_minus ? -us : us;
}

static enum status check_zone(const struct reader *r, struct slice text)
{
    bool bad = given(r->zone_hours) && (r->zone_hours < 0 || r->zone_hours > 15);
    if (!bad && !(given(r->zone_minutes) && (r->zone_minutes < 0 || r->zone_minutes > 59))) return OK;
    return FAIL(INVALID_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range: \"%.*s\"",
                text.len > 512 ? 512 : (int)text.len, text.data);
}

static enum status read(struct call_ctx *c, const struct datum *args, struct reader *r,
                        struct civil *ret)
{
    struct slice text = bytes_slice(&args[0].v.bytes), pattern = bytes_slice(&args[1].v.bytes);
    if (text.len > TEXT_BYTES_MAX || pattern.len > TEXT_BYTES_MAX) {
        return FAIL(INVALID_DATETIME_FORMAT, "datetime format is too long");
    }
    *r = (struct reader){.p = arena_strndup(c->arena, text.data, text.len)};
    r->pattern.rest = pattern;
    int *fields[] = {&r->year,      &r->month,      &r->day,        &r->yearday,   &r->weekday,
                     &r->week,      &r->month_week, &r->century,    &r->julian,    &r->hour,
                     &r->minute,    &r->second,     &r->ms,         &r->us,          &r->day_second, &r->afternoon,
                     &r->before_christ, &r->zone_hours, &r->zone_minutes};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) *fields[i] = UNSET;
    memset(ret, 0, sizeof *ret);
    TRY(to_date__read(r));
    TRY(assemble_time(r, text, ret));
    TRY(assemble_date(r, text, ret));
    return check_zone(r, text);
}

DATETIME_FN(to_date)
{
    (void)n;
    struct reader r;
    struct civil t;
    TRY(read(c, args, &r, &t));
    int64_t days = days_from_civil(t.year, t.month, t.day);
    if (days <= DATE_NOBEGIN || days >= DATE_NOEND || !date_is_valid((int32_t)days)) {
        struct slice text = bytes_slice(&args[0].v.bytes);
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range: \"%.*s\"", (int)text.len,
                    text.data);
    }
    ret->v.i32 = (int32_t)days;
    return OK;
}

DATETIME_FN(to_timestamp)
{
    (void)n;
    struct reader r;
    struct civil t;
    int64_t local;
    TRY(read(c, args, &r, &t));
    if (!timestamp_from_civil(&t, &local)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    if (r.precision) {
        union value rounded = {.i64 = local};
        TRY(datetime_apply_typmod(TYPE_TIMESTAMP, r.precision, &rounded));
        local = rounded.i64;
    }
    if (!given(r.zone_hours) && !given(r.zone_minutes)) {
        return timestamp_to_timestamptz(local, datetime__zone(c), &ret->v.i64);
    }
    ret->v.i64 = local - zone_us(&r);
    if (!timestamp_is_valid(ret->v.i64)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    return OK;
}
