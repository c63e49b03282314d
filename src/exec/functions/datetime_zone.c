/* Functions of the clock and of time zones: now() and its kin, AT TIME ZONE, age(), date_trunc in a
 * zone. The transaction's and the statement's time are the session's; only clock_timestamp and
 * timeofday look at the clock. */
#include "exec/functions/datetime_priv.h"

#include "base/os.h"

static enum status shift(int64_t ts, int64_t seconds, int64_t *ret)
{
    if (__builtin_add_overflow(ts, seconds * US_PER_SECOND, ret) || !timestamp_is_valid(*ret)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    return OK;
}

/* AT TIME ZONE 'name': to the zone's local time, or from it. */
static enum status at_zone(const struct datum *args, bool from_local, struct datum *ret)
{
    int64_t ts = args[1].v.i64;
    int32_t east;
    ret->v.i64 = ts;
    if (datetime__infinite(ts)) return OK;
    TRY(timezone_resolve(bytes_slice(&args[0].v.bytes), ts, from_local, &east));
    return shift(ts, from_local ? -east : east, &ret->v.i64);
}

DATETIME_FN(timestamptz_zone)
{
    (void)c, (void)n;
    return at_zone(args, false, ret);
}
DATETIME_FN(timestamp_zone)
{
    (void)c, (void)n;
    return at_zone(args, true, ret);
}

static enum status at_interval(struct call_ctx *c, const struct datum *args, bool from_local,
                               struct datum *ret)
{
    const struct interval *i = &args[0].v.interval;
    ret->v.i64 = args[1].v.i64;
    if (datetime__infinite(ret->v.i64)) return OK;
    if (i->months || i->days) {
        struct strbuf text;
        strbuf_init(&text, c->arena);
        datetime_to_text(TYPE_INTERVAL, &args[0].v, c->session->format, &text);
        return FAIL(INVALID_PARAMETER_VALUE,
                    "interval time zone \"%s\" must not include months or days", text.data);
    }
    int64_t east = i->us / US_PER_SECOND;
    return shift(ret->v.i64, from_local ? -east : east, &ret->v.i64);
}

DATETIME_FN(timestamptz_izone)
{
    (void)n;
    return at_interval(c, args, false, ret);
}
DATETIME_FN(timestamp_izone)
{
    (void)n;
    return at_interval(c, args, true, ret);
}

DATETIME_FN(trunc_zone)
{
    (void)n;
    struct slice field = bytes_slice(&args[0].v.bytes), name = bytes_slice(&args[2].v.bytes);
    int32_t east;
    if (datetime__infinite(args[1].v.i64)) return datetime_trunc(field, TYPE_TIMESTAMP, &args[1].v, NULL, &ret->v);
    if (!timezone_fixed_abbrev(name, &east)) {
        const struct timezone *z = timezone_lookup(name);
        if (z) return datetime_trunc(field, TYPE_TIMESTAMPTZ, &args[1].v, z, &ret->v);
        TRY(timezone_resolve(name, args[1].v.i64, false, &east));
    }
    TRY(datetime_trunc(field, TYPE_TIMESTAMPTZ, &args[1].v, datetime__zone(c), &ret->v)); /* the unit */
    union value local = args[1].v;
    TRY(shift(local.i64, east, &local.i64));
    TRY(datetime_trunc(field, TYPE_TIMESTAMP, &local, NULL, &ret->v));
    return shift(ret->v.i64, -east, &ret->v.i64);
}

/* --- the clock ------------------------------------------------------------------------------ */

DATETIME_FN(now)
{
    (void)args, (void)n;
    ret->v.i64 = c->session->transaction_us;
    return OK;
}

DATETIME_FN(statement_timestamp)
{
    (void)args, (void)n;
    ret->v.i64 = c->session->statement_us;
    return OK;
}

static int64_t clock_us(void)
{
    return os_wall_us(os_real()) - PG_EPOCH_US;
}

DATETIME_FN(clock_timestamp)
{
    (void)c, (void)args, (void)n;
    ret->v.i64 = clock_us();
    return OK;
}

DATETIME_FN(timeofday)
{
    (void)args, (void)n;
    const char *abbrev;
    struct civil t;
    int64_t ts = clock_us();
    ts += timezone_offset_at_utc(datetime__zone(c), ts, NULL, &abbrev) * US_PER_SECOND;
    if (!timestamp_to_civil(ts, &t)) return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    static const char days[] = "SatSunMonTueWedThuFri";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day = ((ts / US_PER_DAY) % 7 + 7) % 7; /* 2000-01-01 was a Saturday */
    const char *text =
        arena_printf(c->arena, "%.3s %.3s %02d %02d:%02d:%02d.%06d %04d %s", days + 3 * day,
                     months + (t.month - 1) * 3, t.day, t.hour, t.minute, t.second, t.us, t.year,
                     abbrev);
    return ret_bytes(ret, bytes_from_slice(c->arena, slice_of(text)));
}

/* --- age ------------------------------------------------------------------------------------ */

DATETIME_FN(age_timestamp)
{
    (void)c, (void)n;
    return timestamp_age(args[0].v.i64, args[1].v.i64, &ret->v.interval);
}

DATETIME_FN(age_timestamptz)
{
    (void)n;
    int64_t a, b;
    TRY(timestamptz_to_timestamp(args[0].v.i64, datetime__zone(c), &a));
    TRY(timestamptz_to_timestamp(args[1].v.i64, datetime__zone(c), &b));
    return timestamp_age(a, b, &ret->v.interval);
}

/* Midnight of the day on which the transaction began, local. */
static enum status today(struct call_ctx *c, int64_t *ret)
{
    int64_t local;
    TRY(timestamptz_to_timestamp(c->session->transaction_us, datetime__zone(c), &local));
    int64_t rest = local % US_PER_DAY;
    *ret = local - rest - (rest < 0 ? US_PER_DAY : 0);
    return OK;
}

DATETIME_FN(age_timestamp_now)
{
    (void)n;
    int64_t midnight;
    TRY(today(c, &midnight));
    return timestamp_age(midnight, args[0].v.i64, &ret->v.interval);
}

DATETIME_FN(age_timestamptz_now)
{
    (void)n;
    int64_t midnight, local;
    TRY(today(c, &midnight));
    TRY(timestamptz_to_timestamp(args[0].v.i64, datetime__zone(c), &local));
    return timestamp_age(midnight, local, &ret->v.interval);
}
