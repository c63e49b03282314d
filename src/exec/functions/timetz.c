/* Functions on time with time zone. */
#include "types/timetz.h"

#include "exec/functions/datetime_priv.h"
#include "types/cast.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c __attribute__((unused)),                            \
                            const struct datum *args __attribute__((unused)),                      \
                            uint32_t n __attribute__((unused)), struct datum *ret)

static enum status ret_timetz(struct datum *ret, const struct timetz *t)
{
    return ret_bytes(ret, timetz_close(t));
}

/* --- conversions ------------------------------------------------------------------------------ */

static enum status convert(struct call_ctx *c, type_id from, type_id to, const struct datum *arg,
                           struct datum *ret)
{
    if (cast_is_null(from, to, &arg->v)) return ret_null(ret);
    return cast_value(from, to, &arg->v, c->session->format, c->arena, &ret->v);
}

FN(of_time) { return convert(c, TYPE_TIME, TYPE_TIMETZ, &args[0], ret); }
FN(of_timestamptz) { return convert(c, TYPE_TIMESTAMPTZ, TYPE_TIMETZ, &args[0], ret); }
FN(to_time) { return convert(c, TYPE_TIMETZ, TYPE_TIME, &args[0], ret); }

FN(scale)
{
    ret->v = args[0].v;
    timetz_fit(args[1].v.i32, &ret->v.bytes);
    return OK;
}

static enum status date_and_time(int32_t date, const struct bytes *time, struct datum *ret)
{
    struct timetz t = timetz_open(time);
    if (date == DATE_NOBEGIN || date == DATE_NOEND) {
        ret->v.i64 = date == DATE_NOBEGIN ? TS_NOBEGIN : TS_NOEND;
        return OK;
    }
    if (__builtin_mul_overflow((int64_t)date, US_PER_DAY, &ret->v.i64) ||
        __builtin_add_overflow(ret->v.i64, t.us + t.west * US_PER_SECOND, &ret->v.i64) ||
        !timestamp_is_valid(ret->v.i64))
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range for timestamp");
    return OK;
}

FN(date_timetz) { return date_and_time(args[0].v.i32, &args[1].v.bytes, ret); }
FN(timetz_date) { return date_and_time(args[1].v.i32, &args[0].v.bytes, ret); }

/* --- arithmetic ------------------------------------------------------------------------------- */

static enum status add(const struct bytes *time, int64_t us, struct datum *ret)
{
    struct timetz t = timetz_open(time);
    t.us = (t.us + us % US_PER_DAY) % US_PER_DAY;
    if (t.us < 0) t.us += US_PER_DAY;
    return ret_timetz(ret, &t);
}

FN(plus_interval) { return add(&args[0].v.bytes, args[1].v.interval.us, ret); }
FN(interval_plus) { return add(&args[1].v.bytes, args[0].v.interval.us, ret); }
FN(minus_interval) { return add(&args[0].v.bytes, -(args[1].v.interval.us % US_PER_DAY), ret); }

FN(part)
{
    return datetime_extract(bytes_slice(&args[0].v.bytes), TYPE_TIMETZ, &args[1].v,
                            datetime__zone(c), false, c->arena, ret);
}

FN(extract)
{
    return datetime_extract(bytes_slice(&args[0].v.bytes), TYPE_TIMETZ, &args[1].v,
                            datetime__zone(c), true, c->arena, ret);
}

FN(at_zone)
{
    struct timetz t = timetz_open(&args[1].v.bytes);
    int32_t east;
    TRY(timezone_resolve(bytes_slice(&args[0].v.bytes), c->session->transaction_us, false, &east));
    t = timetz_moved(&t, -east);
    return ret_timetz(ret, &t);
}

FN(at_interval)
{
    struct timetz t = timetz_open(&args[1].v.bytes);
    const struct interval *i = &args[0].v.interval;
    if (i->months || i->days) {
        struct strbuf text;
        strbuf_init(&text, c->arena);
        datetime_to_text(TYPE_INTERVAL, &args[0].v, c->session->format, &text);
        return FAIL(INVALID_PARAMETER_VALUE,
                    "interval time zone \"%s\" must not include months or days", text.data);
    }
    t = timetz_moved(&t, (int32_t)-(i->us / US_PER_SECOND));
    return ret_timetz(ret, &t);
}

/* Places in their order stand for the times. */
FN(overlaps)
{
    struct datum places[4] = {args[0], args[1], args[2], args[3]};
    for (uint32_t i = 0; i < 4; i++) {
        int64_t before = 0;
        for (uint32_t k = 0; k < 4 && !args[i].null; k++)
            before += !args[k].null && value_compare(TYPE_TIMETZ, &args[k].v, &args[i].v) < 0;
        places[i].v.i64 = before;
    }
    return datetime__overlaps(c, places, n, ret);
}

const struct proc_binding exec__timetz_functions[] = {
    {"time_timetz", of_time, NULL}, {"timestamptz_timetz", of_timestamptz, NULL},
    {"timetz_time", to_time, NULL}, {"timetz_scale", scale, NULL},
    {"datetimetz_timestamptz", date_timetz, NULL}, {"timetzdate_pl_sql1298", timetz_date, NULL},
    {"timetz_pl_interval", plus_interval, NULL}, {"timetz_mi_interval", minus_interval, NULL},
    {"interval_pl_timetz_sql2547", interval_plus, NULL}, {"timetz_part", part, NULL},
    {"extract_timetz", extract, NULL}, {"timetz_zone", at_zone, NULL},
    {"timetz_izone", at_interval, NULL}, {"overlaps_timetz", overlaps, NULL},
};
BINDING_COUNT(timetz)
