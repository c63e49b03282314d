/* to_char of timestamps and intervals. An interval has the same keywords, with signs, except those
 * that name a day of the calendar. */
#include "exec/functions/datetime_priv.h"
#include "exec/functions/pattern_priv.h"

enum { PATTERN_BYTES_MAX = 1 << 16 };

static const char *const month_names[12] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
static const char *const day_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};
static const char *const roman[12] = {"I",   "II",   "III", "IV", "V",  "VI",
                                      "VII", "VIII", "IX",  "X",  "XI", "XII"};

struct moment {
    bool is_interval, has_zone;
    int64_t hour; /* of an interval: any */
    int32_t year, month, day, minute, second, us;
    int32_t weekday, yearday, iso_year, iso_week, iso_yearday;
    int64_t julian;
    int32_t east;
    const char *abbrev;
};

static enum status not_for_intervals(void)
{
    (void)FAIL(INVALID_DATETIME_FORMAT, "invalid format specification for an interval value");
    return error_hint("Intervals are not tied to specific calendar dates.");
}

static void add_word(struct strbuf *out, const char *word, size_t len, const struct pattern_node *k,
                     size_t width)
{
    for (size_t i = 0; i < len; i++) {
        char c = word[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter && k->letters == CASE_UPPER) c = (char)(c & ~0x20);
        if (letter && k->letters == CASE_LOWER) c = (char)(c | 0x20);
        strbuf_addc(out, c);
    }
    for (; !k->fill && len < width; len++) strbuf_addc(out, ' ');
}

/* "st", "nd", "rd", "th" if that is asked for. */
static void add_ordinal(struct strbuf *out, int64_t n, const struct pattern_node *k)
{
    if (!k->ordinal) return;
    int64_t tens = (n < 0 ? -n : n) % 100;
    int64_t ones = tens / 10 == 1 ? 0 : tens % 10;
    const char *suffix = ones == 1 ? "st" : ones == 2 ? "nd" : ones == 3 ? "rd" : "th";
    int shift = k->ordinal == 'T' ? 32 : 0;
    strbuf_addc(out, (char)(suffix[0] - shift));
    strbuf_addc(out, (char)(suffix[1] - shift));
}

/* Zero-padded to that width. */
static void add_padded(struct strbuf *out, int64_t n, int width, const struct pattern_node *k)
{
    strbuf_addf(out, "%0*lld", k->fill ? 0 : width, (long long)n);
    add_ordinal(out, n, k);
}
/* A minus takes its place beside the digits. */
static void add_number(struct strbuf *out, int64_t n, int digits, const struct pattern_node *k)
{
    add_padded(out, n, digits + (n < 0), k);
}

static int64_t shown_year(const struct moment *m, int32_t year)
{
    return m->is_interval || year > 0 ? year : 1 - (int64_t)year;
}

static void add_century(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    int64_t n = m->year / 100;
    if (!m->is_interval) n = m->year > 0 ? (m->year - 1) / 100 + 1 : m->year / 100 - 1;
    add_number(out, n, n <= 99 && n >= -99 ? 2 : 1, k);
}

static void add_year(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    static const int32_t modulo[4] = {0, 1000, 100, 10};
    bool iso = k->key >= KEY_IYYY && k->key <= KEY_I;
    int64_t year = shown_year(m, iso ? m->iso_year : m->year);
    if (k->key == KEY_Y_YYY) {
        strbuf_addf(out, "%lld,%03lld", (long long)(year / 1000), (long long)(year % 1000));
        add_ordinal(out, year, k);
        return;
    }
    int cut = (int)k->key - (int)(iso ? KEY_IYYY : KEY_YYYY);
    int width = 4 - cut + (shown_year(m, m->year) < 0); /* by the calendar's year, for both */
    add_padded(out, cut ? year % modulo[cut] : year, width, k);
}

static void add_roman(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    if (!m->month && !m->year) return;
    int32_t month = m->month;
    if (month <= 0) month = m->month || m->year < 0 ? 13 + m->month - (m->month == 0) * 12 : 12;
    const char *text = roman[(month + 11) % 12];
    add_word(out, text, strlen(text), k, 4);
}

static void add_offset(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    int32_t n = m->east < 0 ? -m->east : m->east;
    if (k->key == KEY_TZM) {
        strbuf_addf(out, "%02d", n % 3600 / 60);
        return;
    }
    int width = k->key == KEY_OF && k->fill ? 0 : 2;
    strbuf_addf(out, "%c%0*d", m->east < 0 ? '-' : '+', width, n / 3600);
    if (k->key == KEY_OF && n % 3600) strbuf_addf(out, ":%02d", n % 3600 / 60);
}

/* Keywords in words and those of the calendar alone. */
static enum status add_calendar(struct strbuf *out, const struct moment *m,
                                const struct pattern_node *k)
{
    bool dots = k->key == KEY_AD_DOTS;
    const char *word;
    if (m->is_interval) return not_for_intervals();
    switch (k->key) {
    case KEY_AD:
    case KEY_AD_DOTS:
        word = m->year <= 0 ? (dots ? "B.C." : "BC") : dots ? "A.D." : "AD";
        add_word(out, word, strlen(word), k, 0);
        return OK;
    case KEY_MONTH:
        word = month_names[m->month - 1];
        add_word(out, word, strlen(word), k, 9);
        return OK;
    case KEY_MON:
        add_word(out, month_names[m->month - 1], 3, k, 0);
        return OK;
    case KEY_DAY:
        word = day_names[m->weekday];
        add_word(out, word, strlen(word), k, 9);
        return OK;
    case KEY_DY:
        add_word(out, day_names[m->weekday], 3, k, 0);
        return OK;
    case KEY_D:
        add_number(out, m->weekday + 1, 1, k);
        return OK;
    case KEY_ID:
        add_number(out, m->weekday ? m->weekday : 7, 1, k);
        return OK;
    case KEY_TZ:
        if (m->has_zone) add_word(out, m->abbrev, strlen(m->abbrev), k, 0);
        return OK;
    default:
        add_offset(out, m, k);
        return OK;
    }
}

static void add_meridian(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    bool pm = m->hour % 24 >= 12;
    const char *word = k->key == KEY_AM ? (pm ? "PM" : "AM") : pm ? "P.M." : "A.M.";
    add_word(out, word, strlen(word), k, 0);
}

static enum status add_day_key(struct strbuf *out, const struct moment *m,
                               const struct pattern_node *k)
{
    switch (k->key) {
    case KEY_MM:
        add_number(out, m->month, 2, k);
        return OK;
    case KEY_DD:
        add_number(out, m->day, 2, k);
        return OK;
    case KEY_DDD:
        add_number(out, m->yearday, 3, k);
        return OK;
    case KEY_IDDD:
        add_number(out, m->iso_yearday, 3, k);
        return OK;
    case KEY_WW:
        add_number(out, (m->yearday - 1) / 7 + 1, 2, k);
        return OK;
    case KEY_IW:
        add_number(out, m->iso_week, 2, k);
        return OK;
    case KEY_W:
        add_number(out, (m->day - 1) / 7 + 1, 1, k);
        return OK;
    case KEY_Q:
        if (m->month) add_number(out, (m->month - 1) / 3 + 1, 1, k);
        return OK;
    case KEY_J:
        add_number(out, m->julian, 1, k);
        return OK;
    case KEY_CC:
        add_century(out, m, k);
        return OK;
    case KEY_RM:
        add_roman(out, m, k);
        return OK;
    case KEY_Y_YYY:
    case KEY_YYYY:
    case KEY_YYY:
    case KEY_YY:
    case KEY_Y:
    case KEY_IYYY:
    case KEY_IYY:
    case KEY_IY:
    case KEY_I:
        add_year(out, m, k);
        return OK;
    default:
        return add_calendar(out, m, k);
    }
}

/* Always padded, a minus within the width. */
static bool add_fraction(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    static const int32_t power_of_10[6] = {100000, 10000, 1000, 100, 10, 1};
    int digits = k->key == KEY_MS ? 3 : k->key == KEY_US ? 6 : (int)k->key - (int)KEY_FF1 + 1;
    if (digits < 1 || digits > 6) return false;
    int32_t n = m->us / power_of_10[digits - 1];
    strbuf_addf(out, "%0*d", digits, n);
    add_ordinal(out, n, k);
    return true;
}

static enum status add_key(struct strbuf *out, const struct moment *m, const struct pattern_node *k)
{
    switch (k->key) {
    case KEY_LITERAL:
        strbuf_addc(out, k->literal);
        return OK;
    case KEY_FX:
        return OK;
    case KEY_AM:
    case KEY_AM_DOTS:
        add_meridian(out, m, k);
        return OK;
    case KEY_HH12: {
        int64_t hour = m->hour % 12 ? m->hour % 12 : 12;
        add_number(out, hour, 2 + (hour > 0 && m->hour < 0), k);
        return OK;
    }
    case KEY_HH24:
        add_number(out, m->hour, 2, k);
        return OK;
    case KEY_MI:
        add_number(out, m->minute, 2, k);
        return OK;
    case KEY_SS:
        add_number(out, m->second, 2, k);
        return OK;
    case KEY_SSSS:
        add_number(out, m->hour * 3600 + m->minute * 60 + m->second, 1, k);
        return OK;
    default:
        break;
    }
    if (add_fraction(out, m, k)) return OK;
    return add_day_key(out, m, k);
}

static enum status format(struct call_ctx *c, const struct moment *m, const struct bytes *pattern,
                          struct datum *ret)
{
    struct pattern p = {.rest = bytes_slice(pattern)};
    struct pattern_node k;
    struct strbuf out;
    if (p.rest.len > PATTERN_BYTES_MAX) {
        return FAIL(INVALID_DATETIME_FORMAT, "datetime format is too long");
    }
    strbuf_init(&out, c->arena);
    while (pattern__next(&p, &k)) TRY(add_key(&out, m, &k));
    return ret_bytes(ret, bytes_from_slice(c->arena, strbuf_slice(&out)));
}

/* The ISO year is the calendar's or one beside it, however many days an interval has. */
static void set_day_numbers(struct moment *m, int64_t days)
{
    int64_t begin = iso_week_start(m->year, 1), next;
    m->julian = days - days_from_civil(-4713, 11, 24);
    m->iso_year = m->year;
    if (days < begin) begin = iso_week_start(--m->iso_year, 1);
    if (days - begin >= 51 * 7 && days >= (next = iso_week_start(m->iso_year + 1, 1))) {
        m->iso_year++;
        begin = next;
    }
    m->iso_week = (int32_t)((days - begin) / 7 + 1);
    m->iso_yearday = (int32_t)(days - begin) + 1;
}

static enum status timestamp_to_char(struct call_ctx *c, int64_t ts, bool with_zone,
                                     const struct bytes *pattern, struct datum *ret)
{
    struct moment m = {.has_zone = with_zone, .abbrev = ""};
    struct civil t;
    if (pattern->len == 0 || datetime__infinite(ts)) return ret_null(ret);
    if (with_zone) {
        m.east = timezone_offset_at_utc(datetime__zone(c), ts, NULL, &m.abbrev);
        ts += m.east * US_PER_SECOND;
    }
    if (!timestamp_to_civil(ts, &t)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    int64_t days = days_from_civil(t.year, t.month, t.day);
    m.year = t.year, m.month = t.month, m.day = t.day;
    m.hour = t.hour, m.minute = t.minute, m.second = t.second, m.us = t.us;
    m.weekday = weekday_of(days);
    m.yearday = (int32_t)(days - days_from_civil(t.year, 1, 1)) + 1;
    set_day_numbers(&m, days);
    return format(c, &m, pattern, ret);
}

DATETIME_FN(timestamp_to_char)
{
    (void)n;
    return timestamp_to_char(c, args[0].v.i64, false, &args[1].v.bytes, ret);
}

DATETIME_FN(timestamptz_to_char)
{
    (void)n;
    return timestamp_to_char(c, args[0].v.i64, true, &args[1].v.bytes, ret);
}

DATETIME_FN(interval_to_char)
{
    (void)n;
    const struct interval i = args[0].v.interval;
    struct moment m = {.is_interval = true, .abbrev = ""};
    if (args[1].v.bytes.len == 0) return ret_null(ret);
    int64_t seconds = i.us / US_PER_SECOND;
    m.year = i.months / 12, m.month = i.months % 12, m.day = i.days;
    m.hour = seconds / 3600, m.minute = (int32_t)(seconds / 60 % 60);
    m.second = (int32_t)(seconds % 60), m.us = (int32_t)(i.us % US_PER_SECOND);
    m.yearday = (int32_t)((int64_t)i.months * 30 + i.days);
    set_day_numbers(&m, days_from_civil(m.year, m.month, m.day));
    return format(c, &m, &args[1].v.bytes, ret);
}
