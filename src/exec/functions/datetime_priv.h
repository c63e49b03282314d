/* Functions of dates and times: defined in several files, bound in datetime.c. */
#ifndef HELIOS_EXEC_FUNCTIONS_DATETIME_PRIV_H
#define HELIOS_EXEC_FUNCTIONS_DATETIME_PRIV_H

#include "exec/functions/functions_priv.h"
#include "types/datetime.h"

#define DATETIME_FN(name)                                                                          \
    enum status datetime__##name(struct call_ctx *c, const struct datum *args, uint32_t n,         \
                                 struct datum *ret)

/* datetime_make.c */
DATETIME_FN(make_date);
DATETIME_FN(make_time);
DATETIME_FN(make_timestamp);
DATETIME_FN(make_timestamptz);
DATETIME_FN(make_timestamptz_zone);
DATETIME_FN(make_interval);
DATETIME_FN(from_epoch);
DATETIME_FN(bin);
/* datetime_zone.c */
DATETIME_FN(timestamptz_zone);
DATETIME_FN(timestamptz_izone);
DATETIME_FN(timestamp_zone);
DATETIME_FN(timestamp_izone);
DATETIME_FN(trunc_zone);
DATETIME_FN(now);
DATETIME_FN(statement_timestamp);
DATETIME_FN(clock_timestamp);
DATETIME_FN(timeofday);
DATETIME_FN(age_timestamp_now);
DATETIME_FN(age_timestamptz_now);
DATETIME_FN(age_timestamp);
DATETIME_FN(age_timestamptz);
/* datetime_overlaps.c; the numbers are OIDs of procs that SQL defines by the first one */
DATETIME_FN(overlaps);
DATETIME_FN(overlaps_1305);
DATETIME_FN(overlaps_1306);
DATETIME_FN(overlaps_1307);
DATETIME_FN(overlaps_1309);
DATETIME_FN(overlaps_1310);
DATETIME_FN(overlaps_1311);
DATETIME_FN(overlaps_2042);
DATETIME_FN(overlaps_2043);
DATETIME_FN(overlaps_2044);
/* to_char.c, to_date.c */
DATETIME_FN(timestamp_to_char);
DATETIME_FN(timestamptz_to_char);
DATETIME_FN(interval_to_char);
DATETIME_FN(to_timestamp);
DATETIME_FN(to_date);

static inline const struct timezone *datetime__zone(const struct call_ctx *c)
{
    return c->session->format->zone;
}
static inline bool datetime__infinite(int64_t ts) { return ts == TS_NOBEGIN || ts == TS_NOEND; }

#endif
