/* Dates, times and intervals as text, in the four date styles and the four interval styles. The
 * forms are PostgreSQL's to the blank: clients parse them. */
#include "types/datetime_priv.h"

static const char *const month_names[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[7] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static void add_number(struct strbuf *out, uint64_t n, int digits_min)
{
    char text[24];
    int len = 0;
    while (n || len < digits_min) {
        text[sizeof text - 1 - (size_t)len++] = (char)('0' + n % 10);
        n /= 10;
    }
    strbuf_add(out, text + sizeof text - (size_t)len, (size_t)len);
}

static void add_fraction(struct strbuf *out, uint32_t us)
{
    if (!us) return;
    int digits = 6;
    for (; us % 10 == 0; digits--) us /= 10;
    strbuf_addc(out, '.');
    add_number(out, us, digits);
}

static void add_clock(struct strbuf *out, const struct civil *c)
{
    add_number(out, (uint64_t)c->hour, 2);
    strbuf_addc(out, ':');
    add_number(out, (uint64_t)c->minute, 2);
    strbuf_addc(out, ':');
    add_number(out, (uint64_t)c->second, 2);
    add_fraction(out, (uint32_t)c->us);
}

void datetime__add_offset(struct strbuf *out, int32_t east, bool minutes)
{
    uint32_t n = (uint32_t)(east < 0 ? -east : east);
    strbuf_addc(out, east < 0 ? '-' : '+');
    add_number(out, n / SECONDS_PER_HOUR, 2);
    if (minutes || n % SECONDS_PER_HOUR) {
        strbuf_addc(out, ':');
        add_number(out, n / 60 % 60, 2);
    }
    if (n % 60) {
        strbuf_addc(out, ':');
        add_number(out, n % 60, 2);
    }
}

static void add_three(struct strbuf *out, uint64_t a, uint64_t b, char between, uint64_t year)
{
    add_number(out, a, 2);
    strbuf_addc(out, between);
    add_number(out, b, 2);
    strbuf_addc(out, between);
    add_number(out, year, 4);
}

/* In every style but the Postgres one for timestamps; without BC. */
static void add_day(struct strbuf *out, const struct civil *c, const struct format_options *fmt)
{
    uint64_t year = (uint64_t)(c->year > 0 ? c->year : 1 - c->year);
    uint64_t month = (uint64_t)c->month, day = (uint64_t)c->day;
    bool day_first = fmt->date_order == DATE_ORDER_DMY;
    switch ((enum date_style)fmt->date_style) {
    case DATE_STYLE_SQL:
        add_three(out, day_first ? day : month, day_first ? month : day, '/', year);
        return;
    case DATE_STYLE_GERMAN:
        add_three(out, day, month, '.', year);
        return;
    case DATE_STYLE_POSTGRES:
        add_three(out, day_first ? day : month, day_first ? month : day, '-', year);
        return;
    case DATE_STYLE_ISO:
    case DATE_STYLE_XSD:
        break;
    }
    add_number(out, year, 4);
    strbuf_addc(out, '-');
    add_number(out, month, 2);
    strbuf_addc(out, '-');
    add_number(out, day, 2);
}

static void add_date(struct strbuf *out, int32_t date, const struct format_options *fmt)
{
    if (date == DATE_NOBEGIN || date == DATE_NOEND) {
        strbuf_adds(out, date == DATE_NOBEGIN ? "-infinity" : "infinity");
        return;
    }
    struct civil c;
    civil_from_days(date, &c);
    add_day(out, &c, fmt);
    if (c.year <= 0) strbuf_adds(out, " BC");
}

static void add_timestamp(struct strbuf *out, int64_t ts, bool with_zone,
                          const struct format_options *fmt)
{
    if (ts == TS_NOBEGIN || ts == TS_NOEND) {
        strbuf_adds(out, ts == TS_NOBEGIN ? "-infinity" : "infinity");
        return;
    }
    const char *abbrev = "";
    int32_t east = 0;
    if (with_zone) {
        east = timezone_offset_at_utc(fmt->zone, ts, NULL, &abbrev);
        ts += east * US_PER_SECOND;
    }
    struct civil c;
    if (!timestamp_to_civil(ts, &c)) {
        strbuf_adds(out, "-infinity");
        return;
    }
    enum date_style style = (enum date_style)fmt->date_style;
    if (style == DATE_STYLE_POSTGRES) {
        const char *month = month_names[c.month - 1];
        strbuf_adds(out, day_names[calendar__weekday(calendar__floor_div(ts, US_PER_DAY))]);
        if (fmt->date_order == DATE_ORDER_DMY) strbuf_addf(out, " %02d %s ", c.day, month);
        else strbuf_addf(out, " %s %02d ", month, c.day);
        add_clock(out, &c);
        strbuf_addc(out, ' ');
        add_number(out, (uint64_t)(c.year > 0 ? c.year : 1 - c.year), 4);
    } else {
        add_day(out, &c, fmt);
        strbuf_addc(out, style == DATE_STYLE_XSD ? 'T' : ' ');
        add_clock(out, &c);
    }
    if (with_zone && (style == DATE_STYLE_ISO || style == DATE_STYLE_XSD)) {
        datetime__add_offset(out, east, style == DATE_STYLE_XSD);
    } else if (with_zone) {
        strbuf_addc(out, ' ');
        if (*abbrev) strbuf_adds(out, abbrev);
        else datetime__add_offset(out, east, false);
    }
    if (c.year <= 0) strbuf_adds(out, " BC");
}

/* --- intervals ------------------------------------------------------------------------------ */

/* Each part carries its own sign. */
struct parts {
    int64_t year, month, day, hour, minute, second, us;
};

static struct parts split(const struct interval *i)
{
    int64_t s = i->us / US_PER_SECOND;
    return (struct parts){
        .year = i->months / MONTHS_PER_YEAR,
        .month = i->months % MONTHS_PER_YEAR,
        .day = i->days,
        .hour = s / SECONDS_PER_HOUR,
        .minute = s / 60 % 60,
        .second = s % 60,
        .us = i->us % US_PER_SECOND,
    };
}

static uint64_t magnitude(int64_t n)
{
    return n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
}

static void add_seconds(struct strbuf *out, const struct parts *p, int digits_min)
{
    uint64_t second = magnitude(p->second);
    add_number(out, second, second || digits_min > 1 ? digits_min : 1);
    add_fraction(out, (uint32_t)magnitude(p->us));
}

static void add_hms(struct strbuf *out, const struct parts *p, int hour_digits)
{
    add_number(out, magnitude(p->hour), hour_digits);
    strbuf_addc(out, ':');
    add_number(out, magnitude(p->minute), 2);
    strbuf_addc(out, ':');
    add_seconds(out, p, 2);
}

static void add_postgres(struct strbuf *out, const struct parts *p)
{
    const int64_t values[3] = {p->year, p->month, p->day};
    static const char *const units[3] = {"year", "mon", "day"};
    bool first = true, minus = false;
    for (int i = 0; i < 3; i++) {
        if (!values[i]) continue;
        strbuf_addf(out, "%s%s%lld %s%s", first ? "" : " ", minus && values[i] > 0 ? "+" : "",
                    (long long)values[i], units[i], values[i] == 1 ? "" : "s");
        minus = values[i] < 0;
        first = false;
    }
    if (!first && !p->hour && !p->minute && !p->second && !p->us) return;
    bool negative = p->hour < 0 || p->minute < 0 || p->second < 0 || p->us < 0;
    if (!first) strbuf_addc(out, ' ');
    if (negative || minus) strbuf_addc(out, negative ? '-' : '+');
    add_hms(out, p, 2);
}

static void add_verbose(struct strbuf *out, const struct parts *p)
{
    const int64_t values[5] = {p->year, p->month, p->day, p->hour, p->minute};
    static const char *const units[5] = {"year", "mon", "day", "hour", "min"};
    bool first = true, before = false;
    strbuf_addc(out, '@');
    for (int i = 0; i < 5; i++) {
        int64_t v = values[i];
        if (!v) continue;
        if (first) before = v < 0;
        if (before) v = -v;
        first = false;
        strbuf_addf(out, " %lld %s%s", (long long)v, units[i], v == 1 ? "" : "s");
    }
    if (p->second || p->us) {
        bool negative = p->second < 0 || p->us < 0;
        if (first) before = negative;
        strbuf_addc(out, ' ');
        if (negative != before) strbuf_addc(out, '-');
        add_seconds(out, p, 1);
        strbuf_adds(out, magnitude(p->second) != 1 || p->us ? " secs" : " sec");
        first = false;
    }
    if (first) strbuf_adds(out, " 0");
    if (before) strbuf_adds(out, " ago");
}

static void add_sql(struct strbuf *out, const struct parts *p)
{
    bool months_minus = p->year < 0 || p->month < 0;
    bool time_minus = p->hour < 0 || p->minute < 0 || p->second < 0 || p->us < 0;
    bool has_months = p->year || p->month;
    bool has_time = p->hour || p->minute || p->second || p->us;
    bool negative = months_minus || p->day < 0 || time_minus;
    bool positive = p->year > 0 || p->month > 0 || p->day > 0 || (has_time && !time_minus);
    if (!negative && !positive) {
        strbuf_addc(out, '0');
        return;
    }
    if ((negative && positive) || (has_months && (p->day || has_time))) {
        /* The standard has no form for these: every part with its sign. */
        strbuf_addf(out, "%c%llu-%llu %c%llu %c", months_minus ? '-' : '+',
                    (unsigned long long)magnitude(p->year), (unsigned long long)magnitude(p->month),
                    p->day < 0 ? '-' : '+', (unsigned long long)magnitude(p->day),
                    time_minus ? '-' : '+');
        add_hms(out, p, 1);
        return;
    }
    if (negative) strbuf_addc(out, '-');
    if (has_months) {
        add_number(out, magnitude(p->year), 1);
        strbuf_addc(out, '-');
        add_number(out, magnitude(p->month), 1);
        return;
    }
    if (p->day) {
        add_number(out, magnitude(p->day), 1);
        strbuf_addc(out, ' ');
    }
    add_hms(out, p, 1);
}

static void add_iso(struct strbuf *out, const struct parts *p)
{
    const int64_t values[5] = {p->year, p->month, p->day, p->hour, p->minute};
    bool has_time = p->hour || p->minute || p->second || p->us;
    if (!has_time && !p->year && !p->month && !p->day) {
        strbuf_adds(out, "PT0S");
        return;
    }
    strbuf_addc(out, 'P');
    for (int i = 0; i < 5; i++) {
        if (i == 3 && has_time) strbuf_addc(out, 'T');
        if (values[i]) strbuf_addf(out, "%lld%c", (long long)values[i], "YMDHM"[i]);
    }
    if (!p->second && !p->us) return;
    if (p->second < 0 || p->us < 0) strbuf_addc(out, '-');
    add_seconds(out, p, 1);
    strbuf_addc(out, 'S');
}

void interval__to_text(const struct interval *i, enum interval_style style, struct strbuf *out)
{
    struct parts p = split(i);
    switch (style) {
    case INTERVAL_POSTGRES:
        add_postgres(out, &p);
        return;
    case INTERVAL_VERBOSE:
        add_verbose(out, &p);
        return;
    case INTERVAL_SQL:
        add_sql(out, &p);
        return;
    case INTERVAL_ISO:
        add_iso(out, &p);
        return;
    }
}

void datetime_to_text(type_id type, const union value *v, const struct format_options *fmt,
                      struct strbuf *out)
{
    struct civil c = {0};
    switch (type) {
    case TYPE_DATE:
        add_date(out, v->i32, fmt);
        return;
    case TYPE_TIME:
        calendar__split_time(v->i64, &c);
        add_clock(out, &c);
        return;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        add_timestamp(out, v->i64, type == TYPE_TIMESTAMPTZ, fmt);
        return;
    case TYPE_INTERVAL:
        interval__to_text(&v->interval, (enum interval_style)fmt->interval_style, out);
        return;
    default:
        UNREACHABLE();
    }
}
