/* Shared by the files of the date and time types. */
#ifndef HELIOS_TYPES_DATETIME_PRIV_H
#define HELIOS_TYPES_DATETIME_PRIV_H

#include "types/datetime.h"

enum {
    JULIAN_OF_2000 = 2451545,
    JULIAN_OF_1970 = 2440588,
    SECONDS_PER_DAY = 86400,
    SECONDS_PER_HOUR = 3600,
    MONTHS_PER_YEAR = 12,
    ZONE_OFFSET_MAX = 16 * 3600, /* exclusive, as of PostgreSQL */
};
#define US_PER_HOUR 3600000000ll
#define US_PER_MINUTE 60000000ll

/* Microseconds since 2000 of a local time, not range checked; false when it overflows. */
bool calendar__to_us(const struct civil *c, int64_t *ret);
/* Splits a time of day (or any non-negative span) in hour, minute, second, us. */
void calendar__split_time(int64_t us, struct civil *c);
static inline int64_t calendar__time_us(const struct civil *c)
{
    return ((c->hour * 60ll + c->minute) * 60 + c->second) * US_PER_SECOND + c->us;
}
bool calendar__is_leap(int32_t year);
static inline int64_t calendar__floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

/* An abbreviation of PostgreSQL's default set ("EST", "cest"): its offset east and whether it is
 * daylight time; *ret_zone is set instead when its meaning depends on the date. */
bool timezone__abbrev(struct slice word, int32_t *ret_offset, bool *ret_dst,
                      const struct timezone **ret_zone);
/* The offset that such a word had in its zone at a local time, or at an instant. */
int32_t timezone__abbrev_offset(const struct timezone *z, struct slice word, int64_t ts,
                                bool ts_is_local, bool *ret_dst);
/* One offset, at all times. */
bool timezone__is_fixed(const struct timezone *z);

/* Units of EXTRACT, date_trunc and interval input; one table (datetime_token.c). */
enum datetime_unit {
    UNIT_NONE,
    UNIT_MICROSECOND, UNIT_MILLISECOND, UNIT_SECOND, UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK,
    UNIT_MONTH, UNIT_QUARTER, UNIT_YEAR, UNIT_DECADE, UNIT_CENTURY, UNIT_MILLENNIUM,
    /* only EXTRACT */
    UNIT_DOW, UNIT_DOY, UNIT_ISODOW, UNIT_ISOYEAR, UNIT_JULIAN, UNIT_EPOCH, UNIT_TIMEZONE,
    UNIT_TIMEZONE_HOUR, UNIT_TIMEZONE_MINUTE,
};

/* The bits of an interval's typmod (fields << 16 | precision). */
enum {
    FIELD_MONTH = 1 << 1, FIELD_YEAR = 1 << 2, FIELD_DAY = 1 << 3,
    FIELD_HOUR = 1 << 10, FIELD_MINUTE = 1 << 11, FIELD_SECOND = 1 << 12,
    FIELD_ALL = 0x7fff, PRECISION_ALL = 0xffff,
};
static inline int32_t interval__typmod_fields(int32_t typmod)
{
    return typmod < 0 ? FIELD_ALL : (typmod >> 16) & FIELD_ALL;
}

/* "unit … not supported" (or not recognized) "for type …". */
enum status datetime__unit_error(struct slice field, type_id type, bool known) MUST;

enum status interval__from_text(int32_t typmod, struct slice text, const struct format_options *fmt,
                                struct interval *ret) MUST;
enum status interval__apply_typmod(int32_t typmod, struct interval *i) MUST;
/* A time with an offset; without one in the text it is the session's zone's of today. */
enum status datetime__timetz_from_text(struct slice text, const struct format_options *fmt,
                                       int64_t *ret_us, int32_t *ret_east) MUST;
void datetime__add_offset(struct strbuf *out, int32_t east, bool minutes);
void interval__to_text(const struct interval *i, enum interval_style style, struct strbuf *out);

/* ISO 8601 weeks: the Monday of week `week` of `year`, and the week and year of a day; in days
 * since 2000. Sunday is 0 for calendar__weekday. */
int32_t calendar__weekday(int64_t days);
int64_t calendar__iso_week_start(int32_t year, int32_t week);
int32_t calendar__iso_week(int64_t days, int32_t *ret_year);

/* Words of dates and of units (datetime_token.c), in lower case. Zones are not among them. */
enum token_kind {
    TOKEN_NONE, TOKEN_IGNORE, TOKEN_MONTH, TOKEN_WEEKDAY, TOKEN_NOW, TOKEN_DAY_OFFSET,
    TOKEN_MIDNIGHT_UTC, TOKEN_EPOCH, TOKEN_LATE, TOKEN_EARLY, TOKEN_MERIDIAN, TOKEN_ERA, TOKEN_DST,
    TOKEN_TIME_FOLLOWS, TOKEN_JULIAN, TOKEN_FIELD /* names of fields that EXTRACT alone knows */,
};
struct token {
    const char *word;
    uint8_t kind;
    int8_t value; /* month 1..12; day 0..6; offset -1..1; PM, BC: 1; unit of TOKEN_FIELD */
};
const struct token *token__date_word(struct slice word); /* NULL when unknown */
/* Units of intervals; UNIT_NONE when unknown. */
enum datetime_unit token__unit(struct slice word);
bool token__is_ago(struct slice word);
/* What EXTRACT and date_trunc take. */
enum datetime_unit token__extract_unit(struct slice word);

/* --- fields of a date's or an interval's text (datetime_lex.c) -------------------------------- */
enum field_kind { LEX_DATE, LEX_TIME, LEX_ZONE, LEX_NUMBER, LEX_STRING, LEX_SPECIAL };
enum { LEX_FIELDS_MAX = 25, LEX_BYTES_MAX = 192 };
struct lexed {
    int count;
    enum field_kind kind[LEX_FIELDS_MAX];
    char *text[LEX_FIELDS_MAX]; /* NUL-terminated, in lower case, in `buf`; may be written to */
    char buf[LEX_BYTES_MAX];
};
enum parse_result {
    PARSE_OK, PARSE_BAD, PARSE_OVERFLOW, PARSE_MONTH_DAY, PARSE_INTERVAL_OVERFLOW,
    PARSE_ZONE_OVERFLOW, PARSE_NO_ZONE, /* unknown zone name, in `zone` */
};
bool lex__split(struct slice text, struct lexed *ret);
/* A run of digits, signed, as strtol: *end is behind it; false when out of int range. */
bool lex__int(const char *s, int32_t *ret, const char **end);
bool lex__int64(const char *s, int64_t *ret, const char **end);
/* ".5": to microseconds, rounded; false when something follows. */
bool lex__fraction(const char *s, int32_t *ret_us);
/* The error of a result that is not PARSE_OK; `zone` is the name of PARSE_NO_ZONE. */
enum status lex__fail(enum parse_result r, const char *type_name, struct slice text,
                      const char *zone) MUST;
/* "10:00:00.5"; `minutes_first`: two fields are minutes and seconds. */
enum parse_result lex__clock(const char *s, bool minutes_first, int64_t *ret_hour,
                             int32_t *ret_minute, int32_t *ret_second, int32_t *ret_us);

#endif
