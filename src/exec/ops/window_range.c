/* RANGE with an offset: is a value within a distance of another? What would overflow is as if it were
 * infinite, but for timestamps and intervals, where it is an error, as in PostgreSQL. */
#include "exec/ops/window_priv.h"

#include <math.h>

#include "types/datetime.h"
#include "types/numeric.h"

static enum status bad_size(void)
{
    return FAIL(INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                "invalid preceding or following size in window function");
}

static bool beside(int order, bool less)
{
    return less ? order <= 0 : order >= 0;
}

static enum status integers(int64_t value, int64_t base, int64_t offset, bool sub, bool less,
                            bool *ret)
{
    int64_t sum;
    if (offset < 0) return bad_size();
    if (sub ? __builtin_sub_overflow(base, offset, &sum)
            : __builtin_add_overflow(base, offset, &sum))
        *ret = sub ? !less : less;
    else
        *ret = less ? value <= sum : value >= sum;
    return OK;
}

static enum status floats(double value, double base, double offset, bool sub, bool less, bool *ret)
{
    if (isnan(offset) || offset < 0) return bad_size();
    if (isnan(value)) {
        *ret = isnan(base) || !less;
    } else if (isnan(base)) {
        *ret = less;
    } else if (isinf(offset) && isinf(base) && (sub ? base > 0 : base < 0)) {
        *ret = true;
    } else {
        double sum = sub ? base - offset : base + offset;
        *ret = less ? value <= sum : value >= sum;
    }
    return OK;
}

static bool is_special(const struct numeric *n)
{
    return n->kind == NUMERIC_NAN || n->kind == NUMERIC_PINF || n->kind == NUMERIC_NINF;
}

static enum status numerics(struct arena *a, const struct numeric *value, const struct numeric *base,
                            const struct numeric *offset, bool sub, bool less, bool *ret)
{
    struct numeric sum;
    if (offset->kind == NUMERIC_NAN || offset->kind == NUMERIC_NINF || numeric_sign(offset) < 0)
        return bad_size();
    if (value->kind == NUMERIC_NAN) {
        *ret = base->kind == NUMERIC_NAN || !less;
    } else if (base->kind == NUMERIC_NAN) {
        *ret = less;
    } else if (offset->kind == NUMERIC_PINF) {
        if (base->kind == (sub ? NUMERIC_PINF : NUMERIC_NINF)) *ret = true;
        else if (sub) *ret = !less || value->kind == NUMERIC_NINF;
        else *ret = less || value->kind == NUMERIC_PINF;
    } else if (is_special(value)) {
        *ret = value->kind == base->kind || (value->kind == NUMERIC_PINF ? !less : less);
    } else if (is_special(base)) {
        *ret = base->kind == NUMERIC_NINF ? !less : less;
    } else {
        TRY(sub ? numeric_sub(a, base, offset, &sum) : numeric_add(a, base, offset, &sum));
        *ret = beside(numeric_compare(value, &sum), less);
    }
    return OK;
}

static enum status stamps(struct window_run *r, type_id type, int64_t value, int64_t base,
                          struct interval offset, bool sub, bool less, bool *ret)
{
    static const struct interval zero;
    int64_t sum;
    if (interval_compare(&offset, &zero) < 0) return bad_size();
    if (sub) TRY(interval_sub(&zero, &offset, &offset));
    if (type == TYPE_TIMESTAMPTZ)
        TRY(timestamptz_add_interval(base, &offset, r->x->session->format->zone, &sum));
    else
        TRY(timestamp_add_interval(base, &offset, &sum));
    *ret = less ? value <= sum : value >= sum;
    return OK;
}

static enum status date_as_timestamp(int32_t date, int64_t *ret)
{
    if (date == DATE_NOBEGIN) *ret = TS_NOBEGIN;
    else if (date == DATE_NOEND) *ret = TS_NOEND;
    else if (__builtin_mul_overflow((int64_t)date, US_PER_DAY, ret) || !timestamp_is_valid(*ret))
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range for timestamp");
    return OK;
}

static enum status times(int64_t value, int64_t base, const struct interval *offset, bool sub,
                         bool less, bool *ret)
{
    int64_t sum; /* no day's end: a time before midnight is before, not late */
    if (offset->us < 0) return bad_size();
    if (sub) sum = base - offset->us;
    else if (__builtin_add_overflow(base, offset->us, &sum)) sum = INT64_MAX;
    *ret = less ? value <= sum : value >= sum;
    return OK;
}

static enum status intervals(const struct interval *value, const struct interval *base,
                             const struct interval *offset, bool sub, bool less, bool *ret)
{
    static const struct interval zero;
    struct interval sum;
    if (interval_compare(offset, &zero) < 0) return bad_size();
    TRY(sub ? interval_sub(base, offset, &sum) : interval_add(base, offset, &sum));
    *ret = beside(interval_compare(value, &sum), less);
    return OK;
}

enum status window__in_range(struct window_run *r, type_id type, struct datum value,
                             struct datum base, struct datum offset, bool sub, bool less,
                             bool *ret)
{
    int64_t v, b;
    switch (type) {
    case TYPE_INT2: return integers(value.v.i16, base.v.i16, offset.v.i64, sub, less, ret);
    case TYPE_INT4: return integers(value.v.i32, base.v.i32, offset.v.i64, sub, less, ret);
    case TYPE_INT8: return integers(value.v.i64, base.v.i64, offset.v.i64, sub, less, ret);
    case TYPE_FLOAT4:
        return floats((double)value.v.f32, (double)base.v.f32, offset.v.f64, sub, less, ret);
    case TYPE_FLOAT8: return floats(value.v.f64, base.v.f64, offset.v.f64, sub, less, ret);
    case TYPE_NUMERIC:
        arena_clear(r->batch);
        return numerics(r->batch, &value.v.numeric, &base.v.numeric, &offset.v.numeric, sub, less,
                        ret);
    case TYPE_DATE:
        TRY(date_as_timestamp(value.v.i32, &v));
        TRY(date_as_timestamp(base.v.i32, &b));
        return stamps(r, TYPE_TIMESTAMP, v, b, offset.v.interval, sub, less, ret);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return stamps(r, type, value.v.i64, base.v.i64, offset.v.interval, sub, less, ret);
    case TYPE_TIME:
        return times(value.v.i64, base.v.i64, &offset.v.interval, sub, less, ret);
    case TYPE_INTERVAL:
        return intervals(&value.v.interval, &base.v.interval, &offset.v.interval, sub, less, ret);
    default:
        return FAIL(FEATURE_NOT_SUPPORTED, "RANGE with offset is not supported for this type");
    }
}
