/* Reads intervals: PostgreSQL's ("1 year 2 mons -3 days 04:05:06 ago"), the SQL standard's ("1-2",
 * "3 4:05:06", signed) and, when the text is neither, ISO 8601's (interval_iso.c).
 *
 * The fields are read from right to left, for a unit stands behind its number; the rightmost number
 * without a unit takes the one of the type's last field, and a number before a time is days. */
#include "types/interval_priv.h"

#include <math.h>
#include <stdlib.h>

bool interval__add_fraction(struct span_parts *s, double fraction, int64_t unit_us)
{
    fraction *= (double)unit_us;
    int64_t us = (int64_t)fraction;
    fraction -= (double)us;
    us += (fraction > 0.5) - (fraction < -0.5);
    return !__builtin_add_overflow(s->us, us, &s->us);
}

bool interval__add_us(struct span_parts *s, int64_t n, double fraction, int64_t unit_us)
{
    int64_t us;
    return !__builtin_mul_overflow(n, unit_us, &us) &&
           !__builtin_add_overflow(s->us, us, &s->us) &&
           interval__add_fraction(s, fraction, unit_us);
}

bool interval__add_days(struct span_parts *s, int64_t n, double fraction, int32_t unit_days)
{
    int32_t days;
    if (__builtin_mul_overflow(n, unit_days, &days) ||
        __builtin_add_overflow(s->days, days, &s->days)) {
        return false;
    }
    fraction *= unit_days;
    days = (int32_t)fraction;
    return !__builtin_add_overflow(s->days, days, &s->days) &&
           interval__add_fraction(s, fraction - days, US_PER_DAY);
}

bool interval__add_months(struct span_parts *s, int64_t n, double fraction)
{
    int32_t days = (int32_t)(fraction * 30);
    return !__builtin_add_overflow(s->months, n, &s->months) &&
           !__builtin_add_overflow(s->days, days, &s->days) &&
           interval__add_fraction(s, fraction * 30 - days, US_PER_DAY);
}

bool interval__add_years(struct span_parts *s, int64_t n, double fraction, int32_t unit_years)
{
    int32_t years;
    return !__builtin_mul_overflow(n, unit_years, &years) &&
           !__builtin_add_overflow(s->years, years, &s->years) &&
           !__builtin_add_overflow(s->months,
                                   (int32_t)rint(fraction * unit_years * MONTHS_PER_YEAR),
                                   &s->months);
}

/* Adds n.fraction units. Fractions of seconds count as milli- and microseconds too. */
static enum parse_result add_units(struct span_parts *s, enum datetime_unit unit, int64_t n,
                                   double fraction, uint32_t *got)
{
    bool ok = false;
    *got = 1u << unit;
    switch (unit) {
    case UNIT_MICROSECOND:
        ok = interval__add_us(s, n, fraction, 1);
        break;
    case UNIT_MILLISECOND:
        ok = interval__add_us(s, n, fraction, 1000);
        break;
    case UNIT_SECOND:
        ok = interval__add_us(s, n, fraction, US_PER_SECOND);
        if (fraction != 0) *got |= 1u << UNIT_MILLISECOND | 1u << UNIT_MICROSECOND;
        break;
    case UNIT_MINUTE:
        ok = interval__add_us(s, n, fraction, US_PER_MINUTE);
        break;
    case UNIT_HOUR:
        ok = interval__add_us(s, n, fraction, US_PER_HOUR);
        break;
    case UNIT_DAY:
        ok = interval__add_days(s, n, fraction, 1);
        break;
    case UNIT_WEEK:
        ok = interval__add_days(s, n, fraction, 7);
        break;
    case UNIT_MONTH:
        ok = interval__add_months(s, n, fraction);
        break;
    case UNIT_YEAR:
        ok = interval__add_years(s, n, fraction, 1);
        break;
    case UNIT_DECADE:
        ok = interval__add_years(s, n, fraction, 10);
        break;
    case UNIT_CENTURY:
        ok = interval__add_years(s, n, fraction, 100);
        break;
    case UNIT_MILLENNIUM:
        ok = interval__add_years(s, n, fraction, 1000);
        break;
    default:
        return PARSE_BAD;
    }
    return ok ? PARSE_OK : PARSE_OVERFLOW;
}

struct reader {
    struct span_parts span;
    int32_t fields; /* of the typmod */
    bool negate_all, ago;
    enum datetime_unit unit; /* of the next number to the left */
};

static enum datetime_unit last_unit(int32_t fields)
{
    if (fields == FIELD_ALL || (fields & FIELD_SECOND)) return UNIT_SECOND;
    if (fields & FIELD_MINUTE) return UNIT_MINUTE;
    if (fields & FIELD_HOUR) return UNIT_HOUR;
    if (fields & FIELD_DAY) return UNIT_DAY;
    if (fields & FIELD_MONTH) return UNIT_MONTH;
    return fields & FIELD_YEAR ? UNIT_YEAR : UNIT_SECOND;
}

static enum parse_result read_clock(struct reader *r, const char *text, bool minus, uint32_t *got)
{
    int64_t hour, us;
    int32_t minute, second, fraction;
    bool minutes_first = r->fields == (FIELD_MINUTE | FIELD_SECOND);
    enum parse_result p = lex__clock(text, minutes_first, &hour, &minute, &second, &fraction);
    if (p != PARSE_OK) return p;
    if (__builtin_mul_overflow(hour, US_PER_HOUR, &us) ||
        __builtin_add_overflow(us, (minute * 60ll + second) * US_PER_SECOND + fraction, &us)) {
        return PARSE_OVERFLOW;
    }
    r->span.us = minus ? -us : us;
    r->unit = UNIT_DAY;
    *got = 1u << UNIT_HOUR | 1u << UNIT_MINUTE | 1u << UNIT_SECOND | 1u << UNIT_MILLISECOND |
           1u << UNIT_MICROSECOND;
    return PARSE_OK;
}

static enum parse_result read_number(struct reader *r, const char *text, uint32_t *got)
{
    int64_t n;
    double fraction = 0;
    const char *p;
    if (r->unit == UNIT_NONE) r->unit = last_unit(r->fields);
    if (!lex__int64(text, &n, &p)) return PARSE_OVERFLOW;
    if (*p == '-') { /* years-months */
        int32_t months;
        if (!lex__int(p + 1, &months, &p) || months < 0 || months >= MONTHS_PER_YEAR) {
            return PARSE_OVERFLOW;
        }
        if (*p) return PARSE_BAD;
        r->unit = UNIT_MONTH;
        if (__builtin_mul_overflow(n, MONTHS_PER_YEAR, &n) ||
            __builtin_add_overflow(n, *text == '-' ? -months : months, &n)) {
            return PARSE_OVERFLOW;
        }
    } else if (*p == '.') {
        char *end;
        fraction = p[1] ? strtod(p, &end) : 0;
        if (p[1] && *end) return PARSE_BAD;
        if (*text == '-') fraction = -fraction;
    } else if (*p) {
        return PARSE_BAD;
    }
    if (r->negate_all && n > 0) n = -n;
    if (r->negate_all && fraction > 0) fraction = -fraction;
    enum parse_result result = add_units(&r->span, r->unit, n, fraction, got);
    if (r->unit == UNIT_HOUR) r->unit = UNIT_DAY;
    return result;
}

static enum parse_result read_field(struct reader *r, enum field_kind kind, const char *text,
                                    uint32_t *got)
{
    *got = 0;
    switch (kind) {
    case LEX_TIME:
        return read_clock(r, text, r->negate_all, got);
    case LEX_ZONE: /* a sign and digits */
        if (strchr(text + 1, ':') &&
            read_clock(r, text + 1, *text == '-' || r->negate_all, got) == PARSE_OK) {
            return PARSE_OK;
        }
        return read_number(r, text, got);
    case LEX_DATE:
    case LEX_NUMBER:
        return read_number(r, text, got);
    case LEX_STRING:
    case LEX_SPECIAL:
        break;
    }
    if (token__is_ago(slice_of(text))) {
        r->ago = true;
        r->unit = UNIT_EPOCH; /* no number may stand right before it */
        return PARSE_OK;
    }
    r->unit = token__unit(slice_of(text));
    return r->unit == UNIT_NONE ? PARSE_BAD : PARSE_OK;
}

/* The standard's leading minus holds for all fields that follow, if none has a sign of its own. */
static bool sign_for_all(const struct lexed *x)
{
    if (x->count == 0 || *x->text[0] != '-') return false;
    for (int i = 1; i < x->count; i++) {
        if (*x->text[i] == '-' || *x->text[i] == '+') return false;
    }
    return true;
}

static enum parse_result read_fields(struct lexed *x, int32_t fields, bool sql_style,
                                     struct span_parts *ret)
{
    struct reader r = {.fields = fields, .negate_all = sql_style && sign_for_all(x)};
    uint32_t has = 0;
    for (int i = x->count - 1; i >= 0; i--) {
        uint32_t got;
        enum parse_result p = read_field(&r, x->kind[i], x->text[i], &got);
        if (p != PARSE_OK) return p;
        if (has & got) return PARSE_BAD;
        has |= got;
    }
    if (!has) return PARSE_BAD;
    struct span_parts *s = &r.span;
    if (r.ago && (__builtin_sub_overflow(0, s->us, &s->us) ||
                  __builtin_sub_overflow(0, s->days, &s->days) ||
                  __builtin_sub_overflow(0, s->months, &s->months) ||
                  __builtin_sub_overflow(0, s->years, &s->years))) {
        return PARSE_OVERFLOW;
    }
    *ret = r.span;
    return PARSE_OK;
}

enum status interval__from_text(int32_t typmod, struct slice text, const struct format_options *fmt,
                                struct interval *ret)
{
    struct lexed x;
    struct span_parts s = {0};
    enum parse_result p = PARSE_BAD;
    if (lex__split(text, &x)) {
        p = read_fields(&x, interval__typmod_fields(typmod), fmt->interval_style == INTERVAL_SQL,
                        &s);
    }
    if (p == PARSE_BAD) p = interval__read_iso(text, &s);
    if (p == PARSE_OVERFLOW) p = PARSE_INTERVAL_OVERFLOW;
    if (p != PARSE_OK) return lex__fail(p, "interval", text, NULL);
    int64_t months = (int64_t)s.years * MONTHS_PER_YEAR + s.months;
    if (months > INT32_MAX || months < INT32_MIN) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "interval out of range");
    }
    *ret = (struct interval){.us = s.us, .days = s.days, .months = (int32_t)months};
    return interval__apply_typmod(typmod, ret);
}

enum status interval__apply_typmod(int32_t typmod, struct interval *i)
{
    static const int32_t power_of_10[7] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    if (typmod < 0) return OK;
    int32_t fields = interval__typmod_fields(typmod), precision = typmod & PRECISION_ALL;
    if (fields != FIELD_ALL) {
        int32_t below_month = FIELD_DAY | FIELD_HOUR | FIELD_MINUTE | FIELD_SECOND;
        if (fields == FIELD_YEAR) i->months -= i->months % MONTHS_PER_YEAR;
        if (!(fields & below_month)) i->days = 0;
        if (!(fields & (FIELD_HOUR | FIELD_MINUTE | FIELD_SECOND))) i->us = 0;
        else if (!(fields & (FIELD_MINUTE | FIELD_SECOND))) i->us -= i->us % US_PER_HOUR;
        else if (!(fields & FIELD_SECOND)) i->us -= i->us % US_PER_MINUTE;
    }
    if (precision != PRECISION_ALL && precision <= 6) {
        int64_t scale = power_of_10[precision], half = scale / 2;
        if (__builtin_add_overflow(i->us, i->us >= 0 ? half : -half, &i->us)) {
            return FAIL(DATETIME_FIELD_OVERFLOW, "interval out of range");
        }
        i->us -= i->us % scale;
    }
    return OK;
}
