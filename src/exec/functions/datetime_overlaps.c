/* OVERLAPS: (start, end) pairs in any order, ends possibly given as lengths. NULLs are the
 * standard's: the answer is NULL only where the missing end could change it. */
#include "exec/functions/datetime_priv.h"

struct period {
    int64_t start, end;
    bool end_null;
};

/* False when nothing is known of the period. */
static bool period_of(const struct datum *a, const struct datum *b, struct period *ret)
{
    if (a->null && b->null) return false;
    const struct datum *first = a->null ? b : a;
    ret->start = first->v.i64;
    ret->end_null = a->null || b->null;
    ret->end = ret->end_null ? 0 : b->v.i64;
    if (!ret->end_null && ret->start > ret->end) {
        ret->start = b->v.i64;
        ret->end = a->v.i64;
    }
    return true;
}

/* Of the one that starts later, only the start counts, unless the other's end is unknown. */
static enum status later_starts_in(const struct period *later, const struct period *earlier,
                                   struct datum *ret)
{
    if (earlier->end_null) return ret_null(ret);
    ret->v.b = later->start < earlier->end;
    if (!ret->v.b && later->end_null) return ret_null(ret);
    return OK;
}

DATETIME_FN(overlaps)
{
    struct period x, y;
    (void)c, (void)n;
    if (!period_of(&args[0], &args[1], &x) || !period_of(&args[2], &args[3], &y)) {
        return ret_null(ret);
    }
    if (x.start > y.start) return later_starts_in(&x, &y, ret);
    if (x.start < y.start) return later_starts_in(&y, &x, ret);
    if (x.end_null || y.end_null) return ret_null(ret);
    ret->v.b = true;
    return OK;
}

static enum status end_of(struct call_ctx *c, type_id type, const struct datum *start,
                          const struct datum *length, struct datum *ret)
{
    *ret = *length;
    ret->null = start->null || length->null;
    if (ret->null) return OK;
    const struct interval i = length->v.interval;
    if (type == TYPE_TIMESTAMP) return timestamp_add_interval(start->v.i64, &i, &ret->v.i64);
    if (type == TYPE_TIMESTAMPTZ) {
        return timestamptz_add_interval(start->v.i64, &i, datetime__zone(c), &ret->v.i64);
    }
    int64_t us = (start->v.i64 + i.us % US_PER_DAY) % US_PER_DAY;
    ret->v.i64 = us < 0 ? us + US_PER_DAY : us;
    return OK;
}

static enum status with_lengths(struct call_ctx *c, type_id type, const struct datum *args,
                                bool first, bool second, struct datum *ret)
{
    struct datum a[4] = {args[0], args[1], args[2], args[3]};
    if (first) TRY(end_of(c, type, &args[0], &args[1], &a[1]));
    if (second) TRY(end_of(c, type, &args[2], &args[3], &a[3]));
    return datetime__overlaps(c, a, 4, ret);
}

#define OVERLAPS(oid, type, first, second)                                                         \
    DATETIME_FN(overlaps_##oid)                                                                    \
    {                                                                                              \
        (void)n;                                                                                   \
        return with_lengths(c, type, args, first, second, ret);                                    \
    }
OVERLAPS(1305, TYPE_TIMESTAMPTZ, true, true)
OVERLAPS(1306, TYPE_TIMESTAMPTZ, false, true)
OVERLAPS(1307, TYPE_TIMESTAMPTZ, true, false)
OVERLAPS(1309, TYPE_TIME, true, true)
OVERLAPS(1310, TYPE_TIME, false, true)
OVERLAPS(1311, TYPE_TIME, true, false)
OVERLAPS(2042, TYPE_TIMESTAMP, true, true)
OVERLAPS(2043, TYPE_TIMESTAMP, false, true)
OVERLAPS(2044, TYPE_TIMESTAMP, true, false)
