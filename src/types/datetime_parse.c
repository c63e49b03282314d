/* Reads dates, times and timestamps. The fields of the text are taken one by one; each says what it
 * sets, nothing may be set twice, and the sum must be a date, a time, or both. A lone time and a
 * full timestamp are read by the same code: with `time_only` a date is as good as known from the
 * start. */
#include "types/datetime_decode_priv.h"

#include <stdlib.h>

/* In a time alone, a date is accepted in front when a time stands beside it. */
static bool date_allowed(const struct decoder *d, int i)
{
    const struct lexed *x = &d->lex;
    if (!d->time_only) return true;
    return i == 0 && x->count >= 2 &&
           (x->kind[x->count - 1] == LEX_DATE || x->kind[1] == LEX_TIME);
}

static uint32_t known(const struct decoder *d)
{
    return d->time_only ? d->has | HAS_DATE : d->has;
}

static enum parse_result named_zone(struct decoder *d, const char *text, bool must, uint32_t *got)
{
    d->named = timezone_lookup(slice_of(text));
    *got = HAS_ZONE;
    if (d->named) return PARSE_OK;
    d->bad_zone = text;
    return must ? PARSE_NO_ZONE : PARSE_BAD;
}

static enum parse_result field_date(struct decoder *d, int i, uint32_t *got)
{
    char *text = d->lex.text[i];
    bool digit = *text >= '0' && *text <= '9';
    if (!d->time_only && d->expect == EXPECT_JULIAN) { /* "J2451187-08" */
        int32_t day;
        const char *zone;
        if (!lex__int(text, &day, &zone) || day < 0) return PARSE_OVERFLOW;
        decode__julian(d, day);
        d->expect = EXPECT_NOTHING;
        *got = HAS_DATE | HAS_TIME | HAS_ZONE;
        return decode__offset(zone, &d->east);
    }
    bool have_date = d->expect != EXPECT_NOTHING ||
                     (d->has & (HAS_MONTH | HAS_DAY)) == (HAS_MONTH | HAS_DAY);
    if (d->time_only ? date_allowed(d, i) : !have_date) {
        return decode__date(d, text, d->has, got);
    }
    if (!digit && d->expect == EXPECT_NOTHING) return named_zone(d, text, true, got);
    /* "hhmmss-zz", perhaps after a "t" */
    if (d->expect != EXPECT_NOTHING && d->expect != EXPECT_TIME) return PARSE_BAD;
    d->expect = EXPECT_NOTHING;
    char *zone = strchr(text, '-');
    if ((d->has & HAS_TIME) || !zone) return PARSE_BAD;
    enum parse_result r = decode__offset(zone, &d->east);
    if (r != PARSE_OK) return r;
    *zone = '\0';
    r = decode__run(d, text, known(d), got);
    *got |= HAS_ZONE;
    return r;
}

static enum parse_result field_expected_number(struct decoder *d, char *text, uint32_t *got)
{
    int32_t n;
    const char *p;
    enum expectation expect = d->expect;
    d->expect = EXPECT_NOTHING;
    if (!lex__int(text, &n, &p)) return PARSE_OVERFLOW;
    if (*p != '.' && *p) return PARSE_BAD;
    if (expect == EXPECT_TIME) {
        enum parse_result r = decode__run(d, text, d->has | HAS_DATE, got);
        return r == PARSE_OK && *got != HAS_TIME ? PARSE_BAD : r;
    }
    if (expect != EXPECT_JULIAN) return PARSE_BAD;
    if (n < 0) return PARSE_OVERFLOW;
    decode__julian(d, n);
    *got = HAS_DATE;
    if (*p == '.') {
        char *end;
        double part = strtod(p, &end);
        if (*end && p[1]) return PARSE_BAD;
        calendar__split_time((int64_t)(part * (double)US_PER_DAY), &d->c);
        *got |= HAS_TIME;
    }
    return PARSE_OK;
}

static enum parse_result field_number(struct decoder *d, int i, uint32_t *got)
{
    char *text = d->lex.text[i];
    if (d->expect != EXPECT_NOTHING) return field_expected_number(d, text, got);
    size_t len = strlen(text);
    const char *point = strchr(text, '.');
    if (d->time_only) {
        if (point && i == 0 && d->lex.count >= 2 && d->lex.kind[d->lex.count - 1] == LEX_DATE) {
            return decode__date(d, text, d->has, got);
        }
        if (point && point - text <= 2) return PARSE_BAD;
        if (point || len > 4) return decode__run(d, text, known(d), got);
        return decode__number(d, text, false, known(d), got);
    }
    if (point && !(d->has & HAS_DATE)) return decode__date(d, text, d->has, got);
    if (point && point - text > 2) return decode__run(d, text, d->has, got);
    /* Six digits are a date or a time in one run, unless both are there: then a year. */
    if (len >= 6 && (!(d->has & HAS_DATE) || !(d->has & HAS_TIME))) {
        return decode__run(d, text, d->has, got);
    }
    return decode__number(d, text, d->text_month, d->has, got);
}

/* The local time of "now". */
static void now(const struct decoder *d, struct civil *ret, int32_t *ret_east)
{
    int64_t ts = d->fmt->now_us;
    *ret_east = timezone_offset_at_utc(d->fmt->zone, ts, NULL, NULL);
    timestamp_to_civil(ts + *ret_east * US_PER_SECOND, ret);
}

/* Sets the date alone. */
static void today(struct decoder *d)
{
    struct civil c;
    int32_t east;
    now(d, &c, &east);
    d->c.year = c.year;
    d->c.month = c.month;
    d->c.day = c.day;
}

/* now, today …, allballs, epoch, infinity */
static enum parse_result word_value(struct decoder *d, const struct token *t, uint32_t *got)
{
    struct civil c;
    int32_t east;
    *got = HAS_DATE | HAS_TIME | HAS_ZONE;
    if (d->time_only && t->kind != TOKEN_NOW && t->kind != TOKEN_MIDNIGHT_UTC) return PARSE_BAD;
    switch ((enum token_kind)t->kind) {
    case TOKEN_NOW:
        now(d, &c, &east);
        if (d->time_only) *got = HAS_TIME;
        else d->east = east;
        d->c = c;
        return PARSE_OK;
    case TOKEN_DAY_OFFSET:
        now(d, &c, &east);
        civil_from_days((int32_t)days_from_civil(c.year, c.month, c.day + t->value), &c);
        d->c.year = c.year;
        d->c.month = c.month;
        d->c.day = c.day;
        *got = HAS_DATE;
        return PARSE_OK;
    case TOKEN_MIDNIGHT_UTC:
        d->c.hour = d->c.minute = d->c.second = d->c.us = 0;
        d->east = 0;
        *got = HAS_TIME | HAS_ZONE;
        return PARSE_OK;
    case TOKEN_EPOCH:
        d->special = SPECIAL_EPOCH;
        return PARSE_OK;
    case TOKEN_LATE:
        d->special = SPECIAL_LATE;
        return PARSE_OK;
    default:
        d->special = SPECIAL_EARLY;
        return PARSE_OK;
    }
}

static enum parse_result field_word(struct decoder *d, const char *text, uint32_t *got)
{
    bool dst;
    const struct timezone *zone;
    int32_t east;
    *got = 0;
    if (timezone__abbrev(slice_of(text), &east, &dst, &zone)) {
        *got = HAS_ZONE;
        if (zone) {
            d->abbrev_zone = zone;
            d->abbrev = text;
        } else {
            d->east = east;
            if (dst) *got |= HAS_DST;
        }
        return PARSE_OK;
    }
    const struct token *t = token__date_word(slice_of(text));
    switch (t ? (enum token_kind)t->kind : TOKEN_NONE) {
    case TOKEN_NONE:
        return named_zone(d, text, false, got);
    case TOKEN_IGNORE:
        return PARSE_OK;
    case TOKEN_MONTH:
        if (d->time_only) return PARSE_BAD;
        *got = HAS_MONTH;
        /* "15 jan": the number before was taken for the month. */
        if ((d->has & HAS_MONTH) && !d->text_month && !(d->has & HAS_DAY) && d->c.month >= 1 &&
            d->c.month <= 31) {
            d->c.day = d->c.month;
            *got = HAS_DAY;
        }
        d->text_month = true;
        d->c.month = t->value;
        return PARSE_OK;
    case TOKEN_WEEKDAY:
        *got = HAS_WEEKDAY;
        return d->time_only ? PARSE_BAD : PARSE_OK;
    case TOKEN_MERIDIAN:
        d->meridian = t->value ? MERIDIAN_PM : MERIDIAN_AM;
        *got = HAS_MERIDIAN;
        return PARSE_OK;
    case TOKEN_ERA:
        d->before_christ = t->value;
        *got = HAS_ERA;
        return PARSE_OK;
    case TOKEN_DST:
        d->east += SECONDS_PER_HOUR;
        *got = HAS_DST | HAS_DST_WORD;
        return PARSE_OK;
    case TOKEN_TIME_FOLLOWS:
        d->expect = EXPECT_TIME;
        return d->time_only || (d->has & HAS_DATE) == HAS_DATE ? PARSE_OK : PARSE_BAD;
    case TOKEN_JULIAN:
        d->expect = EXPECT_JULIAN;
        return PARSE_OK;
    case TOKEN_FIELD:
        d->expect = EXPECT_IMPOSSIBLE;
        return PARSE_OK;
    default:
        return word_value(d, t, got);
    }
}

static enum parse_result field(struct decoder *d, int i, uint32_t *got)
{
    switch (d->lex.kind[i]) {
    case LEX_DATE:
        return field_date(d, i, got);
    case LEX_TIME:
        if (d->expect == EXPECT_TIME) d->expect = EXPECT_NOTHING;
        if (d->expect != EXPECT_NOTHING) return PARSE_BAD;
        return decode__clock(d, d->lex.text[i], got);
    case LEX_ZONE:
        *got = HAS_ZONE;
        return decode__offset(d->lex.text[i], &d->east);
    case LEX_NUMBER:
        return field_number(d, i, got);
    case LEX_STRING:
    case LEX_SPECIAL:
        break;
    }
    return field_word(d, d->lex.text[i], got);
}

/* The zone's offset, which may hang on the date just read. */
static enum parse_result settle_zone(struct decoder *d)
{
    int64_t local = d->fmt->now_us;
    if ((d->has & HAS_DST_WORD) && (d->named || d->abbrev_zone || !(d->has & HAS_ZONE))) {
        return PARSE_BAD;
    }
    if (d->time_only && !(d->has & HAS_YEAR)) {
        if (d->named && !timezone__is_fixed(d->named)) return PARSE_BAD;
        if (!d->wants_zone) return PARSE_OK;
        today(d);
    }
    if (!calendar__to_us(&d->c, &local)) return PARSE_OK; /* out of range: said later */
    if (d->named) {
        d->east = timezone_offset_at_local(d->named, local);
    } else if (d->abbrev_zone) {
        d->east = timezone__abbrev_offset(d->abbrev_zone, slice_of(d->abbrev), local, true, NULL);
    } else if (!(d->has & HAS_ZONE)) {
        d->east = timezone_offset_at_local(d->fmt->zone, local);
    }
    return PARSE_OK;
}

static enum parse_result decode(struct decoder *d)
{
    for (int i = 0; i < d->lex.count; i++) {
        uint32_t got = 0;
        enum parse_result r = field(d, i, &got);
        if (r != PARSE_OK) return r;
        if (d->has & got) return PARSE_BAD;
        d->has |= got;
    }
    if (d->expect != EXPECT_NOTHING) return PARSE_BAD;
    enum parse_result r = d->special == SPECIAL_NONE ? decode__validate(d) : PARSE_OK;
    if (r != PARSE_OK) return r;
    if (d->meridian != MERIDIAN_NONE && d->c.hour > 12) return PARSE_OVERFLOW;
    if (d->meridian == MERIDIAN_AM && d->c.hour == 12) d->c.hour = 0;
    if (d->meridian == MERIDIAN_PM && d->c.hour != 12) d->c.hour += 12;
    if (d->special != SPECIAL_NONE) return PARSE_OK;
    if (d->time_only) {
        const struct civil *c = &d->c;
        if (c->minute > 59 || c->second > 60 || c->hour > 24 ||
            (c->hour == 24 && (c->minute || c->second || c->us))) {
            return PARSE_OVERFLOW;
        }
        if (!(d->has & HAS_TIME)) return PARSE_BAD;
    } else if ((d->has & HAS_DATE) != HAS_DATE) {
        return PARSE_BAD;
    }
    return settle_zone(d);
}

static const char *type_label(type_id type)
{
    switch (type) {
    case TYPE_DATE:
        return "date";
    case TYPE_TIME:
        return "time";
    case TYPE_TIMETZ:
        return "time with time zone";
    case TYPE_TIMESTAMP:
        return "timestamp";
    default:
        return "timestamp with time zone";
    }
}

static enum status out_of_range(type_id type, struct slice text)
{
    return FAIL(DATETIME_FIELD_OVERFLOW, "%s out of range: \"%.*s\"",
                type == TYPE_DATE ? "date" : "timestamp", text.len > 512 ? 512 : (int)text.len,
                text.data);
}

static enum status special_value(type_id type, enum special_value special, union value *ret)
{
    if (type == TYPE_DATE) {
        ret->i32 = special == SPECIAL_LATE    ? DATE_NOEND
                   : special == SPECIAL_EARLY ? DATE_NOBEGIN
                                              : JULIAN_OF_1970 - JULIAN_OF_2000;
    } else {
        ret->i64 = special == SPECIAL_LATE    ? TS_NOEND
                   : special == SPECIAL_EARLY ? TS_NOBEGIN
                                              : -PG_EPOCH_US;
    }
    return OK;
}

static enum status read_fields(type_id type, struct slice text, const struct format_options *fmt,
                               struct decoder *d)
{
    memset(d, 0, offsetof(struct decoder, lex));
    d->fmt = fmt;
    d->wants_zone = type == TYPE_TIMETZ;
    d->time_only = type == TYPE_TIME || d->wants_zone;
    enum parse_result r = lex__split(text, &d->lex) ? decode(d) : PARSE_BAD;
    return r == PARSE_OK ? OK : lex__fail(r, type_label(type), text, d->bad_zone);
}

enum status datetime__timetz_from_text(struct slice text, const struct format_options *fmt,
                                       int64_t *ret_us, int32_t *ret_east)
{
    struct decoder d;
    TRY(read_fields(TYPE_TIMETZ, text, fmt, &d));
    *ret_us = calendar__time_us(&d.c);
    *ret_east = d.east;
    return OK;
}

enum status datetime_from_text(type_id type, int32_t typmod, struct slice text,
                               const struct format_options *fmt, union value *ret)
{
    if (type == TYPE_INTERVAL) return interval__from_text(typmod, text, fmt, &ret->interval);
    struct decoder d;
    TRY(read_fields(type, text, fmt, &d));
    if (d.special != SPECIAL_NONE) return special_value(type, d.special, ret);
    if (type == TYPE_DATE) {
        int64_t days = days_from_civil(d.c.year, d.c.month, d.c.day);
        if (days < DATE_NOBEGIN + 1ll || days > DATE_NOEND - 1ll || !date_is_valid((int32_t)days)) {
            return out_of_range(type, text);
        }
        ret->i32 = (int32_t)days;
        return OK;
    }
    if (type == TYPE_TIME) {
        ret->i64 = calendar__time_us(&d.c);
    } else {
        int64_t us;
        if (!calendar__to_us(&d.c, &us)) return out_of_range(type, text);
        if (type == TYPE_TIMESTAMPTZ) us -= d.east * US_PER_SECOND;
        if (!timestamp_is_valid(us)) return out_of_range(type, text);
        ret->i64 = us;
    }
    return datetime_apply_typmod(type, typmod, ret);
}
