/* Dates, times, intervals, time zones, as PostgreSQL 15 reads, prints and computes them. Zones come
 * from the system's tzdata (TZif version 2 and its POSIX footer), cached for the process.
 * Infinities: DATE_NOEND/DATE_NOBEGIN, TS_NOEND/TS_NOBEGIN. */
#ifndef HELIOS_TYPES_DATETIME_H
#define HELIOS_TYPES_DATETIME_H

#include "types/value.h"

/* XSD: as JSON has dates; no session is set to it. */
enum date_style {
    DATE_STYLE_ISO, DATE_STYLE_SQL, DATE_STYLE_POSTGRES, DATE_STYLE_GERMAN, DATE_STYLE_XSD
};
enum date_order { DATE_ORDER_MDY, DATE_ORDER_DMY, DATE_ORDER_YMD };
enum interval_style { INTERVAL_POSTGRES, INTERVAL_VERBOSE, INTERVAL_SQL, INTERVAL_ISO };

#define DATE_NOBEGIN INT32_MIN
#define DATE_NOEND INT32_MAX
#define TS_NOBEGIN INT64_MIN
#define TS_NOEND INT64_MAX
#define US_PER_SECOND 1000000ll
#define US_PER_DAY 86400000000ll
/* 2000-01-01 in microseconds since 1970-01-01. */
#define PG_EPOCH_US 946684800000000ll

/* Broken-down time. */
struct civil {
    int32_t year; /* astronomical: 0 = 1 BC */
    int32_t month, day, hour, minute, second, us;
};

void civil_from_days(int32_t days_since_2000, struct civil *ret);
/* No range check: year, month, day as given. */
int64_t days_from_civil(int32_t year, int32_t month, int32_t day);
/* False when out of range. */
bool timestamp_to_civil(int64_t ts, struct civil *ret);
bool timestamp_from_civil(const struct civil *c, int64_t *ret);

struct timezone;
/* "Europe/Berlin", "UTC", "PST8PDT", "+02", "EST5EDT,M3.2.0,M11.1.0"; INVALID_PARAMETER_VALUE when
 * unknown. Immutable, for the life of the process. */
enum status timezone_find(struct slice name, const struct timezone **ret) MUST;
const char *timezone_name(const struct timezone *z);
/* Seconds EAST of UTC in force at a UTC instant, whether it is daylight time, the abbreviation. */
int32_t timezone_offset_at_utc(const struct timezone *z, int64_t ts_utc, bool *ret_dst,
                               const char **ret_abbrev);
/* For a local time; in gaps and overlaps PostgreSQL's choice. */
int32_t timezone_offset_at_local(const struct timezone *z, int64_t ts_local);
/* Conversions of the session zone; out of range: DATETIME_FIELD_OVERFLOW. */
enum status timestamp_to_timestamptz(int64_t local, const struct timezone *z, int64_t *ret) MUST;
enum status timestamptz_to_timestamp(int64_t utc, const struct timezone *z, int64_t *ret) MUST;

enum status timestamp_add_interval(int64_t ts, const struct interval *i, int64_t *ret) MUST;
/* In local time of the zone, so that a day is a calendar day. */
enum status timestamptz_add_interval(int64_t ts, const struct interval *i,
                                     const struct timezone *z, int64_t *ret) MUST;
struct interval timestamp_diff(int64_t a, int64_t b);           /* a - b: days and µs */
enum status timestamp_age(int64_t a, int64_t b, struct interval *ret) MUST; /* age() */
enum status interval_add(const struct interval *a, const struct interval *b,
                         struct interval *ret) MUST;
enum status interval_sub(const struct interval *a, const struct interval *b,
                         struct interval *ret) MUST;
enum status interval_mul(const struct interval *a, double f, struct interval *ret) MUST;
enum status interval_div(const struct interval *a, double f, struct interval *ret) MUST;
struct interval interval_justify_days(struct interval i);
struct interval interval_justify_hours(struct interval i);
struct interval interval_justify_interval(struct interval i);
int interval_compare(const struct interval *a, const struct interval *b); /* month = 30 days */

/* date_part('field', …) / extract. `numeric_result` picks extract's numeric over double. Values are
 * DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL. */
enum status datetime_extract(struct slice field, type_id type, const union value *v,
                             const struct timezone *z, bool numeric_result, struct arena *a,
                             struct datum *ret) MUST;
/* EXTRACT of many dates: a field of the calendar day, ret[row] for each row of sel (NULL: the first
 * `count`). False, and nothing of use in `ret`: it is another field, or one of the dates is infinite. */
bool datetime_extract_dates(struct slice field, const int32_t *dates, const uint16_t *sel,
                            uint32_t count, struct numeric *ret);
/* The same of timestamps: of the calendar day, hours and minutes. */
bool datetime_extract_timestamps(struct slice field, const int64_t *times, const uint16_t *sel,
                                 uint32_t count, struct numeric *ret);
enum status datetime_trunc(struct slice field, type_id type, const union value *v,
                           const struct timezone *z, union value *ret) MUST;

/* Input, output and typmods of DATE, TIME, TIMESTAMP, TIMESTAMPTZ and INTERVAL: what
 * value_from_text, value_to_text and value_apply_typmod do for them. */
enum status datetime_from_text(type_id type, int32_t typmod, struct slice text,
                               const struct format_options *fmt, union value *ret) MUST;
void datetime_to_text(type_id type, const union value *v, const struct format_options *fmt,
                      struct strbuf *out);
enum status datetime_apply_typmod(type_id type, int32_t typmod, union value *v) MUST;
/* The three justify functions as one: which parts to carry upward; out of range is an error. */
enum status interval_justify(const struct interval *i, bool days, bool hours,
                             struct interval *ret) MUST;
/* As timezone_find, without an error (NULL), and a bare number is a POSIX zone: west of UTC. */
const struct timezone *timezone_lookup(struct slice name);
/* As AT TIME ZONE 'name': abbreviations of PostgreSQL's list, then zones; seconds east at an
 * instant or, with `local`, at a local time. */
enum status timezone_resolve(struct slice name, int64_t ts, bool local, int32_t *ret_offset) MUST;
/* A word of that list with a fixed offset. */
bool timezone_fixed_abbrev(struct slice word, int32_t *ret_offset);
/* Within PostgreSQL's bounds, or infinite. */
bool timestamp_is_valid(int64_t ts);
bool date_is_valid(int32_t date);
int32_t days_of_month(int32_t year, int32_t month);
/* Of a day since 2000-01-01: Sunday 0 … Saturday 6; the ISO 8601 week and its year
 * (astronomical); the Monday of a week. */
int32_t weekday_of(int64_t days);
int32_t iso_week_of(int64_t days, int32_t *ret_year);
int64_t iso_week_start(int32_t year, int32_t week);

#endif
