/* The fields that a to_date or to_timestamp text gave. */
#ifndef HELIOS_EXEC_FUNCTIONS_TO_DATE_PRIV_H
#define HELIOS_EXEC_FUNCTIONS_TO_DATE_PRIV_H

#include "base/status.h"
#include "exec/functions/pattern_priv.h"

enum { UNSET = -0x7fffffff };

struct reader {
    const char *p; /* what is left of the text, NUL-terminated */
    struct pattern pattern;
    int year, month, day, yearday, weekday, week, month_week, century, julian; /* or UNSET */
    int hour, minute, second, ms, us, day_second, afternoon, before_christ;
    int zone_hours, zone_minutes;
    int year_digits;
    int precision; /* of seconds, by FF1 to FF6; 0: all */
    int skipped; /* blanks and separators taken beyond the pattern's */
    bool zone_minus, clock12, iso, gregorian;
};

enum status to_date__read(struct reader *r) MUST;

#endif
