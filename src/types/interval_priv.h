/* What the readers of intervals share. */
#ifndef HELIOS_TYPES_INTERVAL_PRIV_H
#define HELIOS_TYPES_INTERVAL_PRIV_H

#include "types/datetime_priv.h"

struct span_parts {
    int64_t us;
    int32_t days, months, years;
};

/* Each adds n.fraction units; false when it overflows. What is less than a month cascades into days
 * (30 a month) and time; less than a year into whole months. */
bool interval__add_fraction(struct span_parts *s, double fraction, int64_t unit_us);
bool interval__add_us(struct span_parts *s, int64_t n, double fraction, int64_t unit_us);
bool interval__add_days(struct span_parts *s, int64_t n, double fraction, int32_t unit_days);
bool interval__add_months(struct span_parts *s, int64_t n, double fraction);
bool interval__add_years(struct span_parts *s, int64_t n, double fraction, int32_t unit_years);

/* ISO 8601, with designators ("P1Y2M3DT4H5M6S") or in the alternative format. */
enum parse_result interval__read_iso(struct slice text, struct span_parts *ret);

#endif
