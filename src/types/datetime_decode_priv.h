/* What is known so far of a date and time being read, and the readers of single fields. */
#ifndef HELIOS_TYPES_DATETIME_DECODE_PRIV_H
#define HELIOS_TYPES_DATETIME_DECODE_PRIV_H

#include "types/datetime_priv.h"

/* A set of what was given. No field may come twice. */
enum {
    HAS_YEAR = 1 << 0,
    HAS_MONTH = 1 << 1,
    HAS_DAY = 1 << 2,
    HAS_YEARDAY = 1 << 3,
    HAS_TIME = 1 << 4,
    HAS_ZONE = 1 << 5,
    HAS_DST = 1 << 6,
    HAS_DST_WORD = 1 << 7, /* "dst" apart from the zone: "MET DST" */
    HAS_MERIDIAN = 1 << 8,
    HAS_ERA = 1 << 9,
    HAS_WEEKDAY = 1 << 10,
    HAS_DATE = HAS_YEAR | HAS_MONTH | HAS_DAY,
};

/* What a word announced about the next field. */
enum expectation { EXPECT_NOTHING, EXPECT_JULIAN, EXPECT_TIME, EXPECT_IMPOSSIBLE };
enum special_value { SPECIAL_NONE, SPECIAL_EPOCH, SPECIAL_LATE, SPECIAL_EARLY };

struct decoder {
    const struct format_options *fmt;
    bool time_only, wants_zone; /* wants_zone: of a time alone */
    uint32_t has;
    struct civil c;
    int32_t yearday;
    int32_t east; /* of the zone, seconds */
    bool text_month, julian, two_digit_year, before_christ;
    enum { MERIDIAN_NONE, MERIDIAN_AM, MERIDIAN_PM } meridian;
    enum expectation expect;
    enum special_value special;
    const struct timezone *named, *abbrev_zone; /* their offset needs the date */
    const char *abbrev, *bad_zone;
    struct lexed lex;
};

/* Each adds what it read to *got; `has` is what to take as known. The text may be written to. */
enum parse_result decode__date(struct decoder *d, char *text, uint32_t has, uint32_t *got);
enum parse_result decode__number(struct decoder *d, char *text, bool text_month, uint32_t has,
                                 uint32_t *got);
/* A run of digits without separators: YYYYMMDD, YYMMDD, HHMMSS, HHMM. */
enum parse_result decode__run(struct decoder *d, char *text, uint32_t has, uint32_t *got);
enum parse_result decode__clock(struct decoder *d, const char *text, uint32_t *got);
enum parse_result decode__offset(const char *text, int32_t *ret_east);
void decode__julian(struct decoder *d, int32_t julian_day);
/* Of all fields together: two-digit years, BC, day of year, existing days. */
enum parse_result decode__validate(struct decoder *d);

#endif
