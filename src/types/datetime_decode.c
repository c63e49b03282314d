/* Reads single fields of a date and time. Which of three numbers is the year, the month and the day
 * follows from what is known already and from DateStyle's order; nothing is guessed beyond that. */
#include "types/datetime_decode_priv.h"

#include <math.h>
#include <stdlib.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alpha(char c)
{
    return c >= 'a' && c <= 'z';
}

static int32_t two_digits(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

enum parse_result decode__run(struct decoder *d, char *text, uint32_t has, uint32_t *got)
{
    size_t len = strlen(text);
    char *point = strchr(text, '.');
    if (point) {
        if (point[1]) d->c.us = (int32_t)rint(strtod(point, NULL) * (double)US_PER_SECOND);
        else d->c.us = 0;
        *point = '\0';
        len = strlen(text);
    } else if ((has & HAS_DATE) != HAS_DATE && len >= 6) {
        *got = HAS_DATE;
        d->c.day = two_digits(text + len - 2);
        d->c.month = two_digits(text + len - 4);
        text[len - 4] = '\0';
        const char *end;
        if (!lex__int(text, &d->c.year, &end)) d->c.year = INT32_MAX; /* month and day first */
        if (len == 6) d->two_digit_year = true;
        return PARSE_OK;
    }
    if ((has & HAS_TIME) || (len != 6 && len != 4)) return PARSE_BAD;
    *got = HAS_TIME;
    d->c.hour = two_digits(text);
    d->c.minute = two_digits(text + 2);
    d->c.second = len == 6 ? two_digits(text + 4) : 0;
    return PARSE_OK;
}

/* With a month in words: the first number is the day, unless it must be the year. */
static uint32_t place_with_text_month(struct decoder *d, size_t len, uint32_t date_has, int32_t n)
{
    bool year_like = len >= 3;
    if (date_has == HAS_MONTH) {
        return year_like || d->fmt->date_order == DATE_ORDER_YMD ? HAS_YEAR : HAS_DAY;
    }
    if (year_like && d->two_digit_year) {
        /* DD-MON-YYYY in YMD order: what looked like the year was the day. */
        d->c.day = d->c.year;
        d->c.year = n;
        d->two_digit_year = false;
        return 0;
    }
    return HAS_DAY;
}

/* Which field a number is; 0 when place_with_text_month has stored it already. */
static enum parse_result place(struct decoder *d, size_t len, bool text_month, uint32_t date_has,
                               int32_t n, uint32_t *got)
{
    switch (date_has) {
    case 0:
        if (len >= 3 || d->fmt->date_order == DATE_ORDER_YMD) *got = HAS_YEAR;
        else *got = d->fmt->date_order == DATE_ORDER_DMY ? HAS_DAY : HAS_MONTH;
        return PARSE_OK;
    case HAS_YEAR:
    case HAS_DAY:
        *got = HAS_MONTH;
        return PARSE_OK;
    case HAS_MONTH:
    case HAS_YEAR | HAS_MONTH:
        *got = text_month ? place_with_text_month(d, len, date_has, n) : HAS_DAY;
        return PARSE_OK;
    case HAS_MONTH | HAS_DAY:
        *got = HAS_YEAR;
        return PARSE_OK;
    default:
        return PARSE_BAD;
    }
}

enum parse_result decode__number(struct decoder *d, char *text, bool text_month, uint32_t has,
                                 uint32_t *got)
{
    int32_t n;
    const char *end;
    size_t len = strlen(text);
    *got = 0;
    if (!lex__int(text, &n, &end)) return PARSE_OVERFLOW;
    if (end == text) return PARSE_BAD;
    if (*end == '.') {
        if (end - text > 2) return decode__run(d, text, has | HAS_DATE, got);
        if (!lex__fraction(end, &d->c.us)) return PARSE_BAD;
    } else if (*end) {
        return PARSE_BAD;
    }
    uint32_t date_has = has & HAS_DATE;
    if (len == 3 && date_has == HAS_YEAR && n >= 1 && n <= 366) {
        *got = HAS_YEARDAY | HAS_MONTH | HAS_DAY;
        d->yearday = n;
        return PARSE_OK;
    }
    if (date_has == HAS_DATE) return decode__run(d, text, has, got);
    enum parse_result r = place(d, len, text_month, date_has, n, got);
    if (r != PARSE_OK) return r;
    if (*got == 0) *got = HAS_DAY; /* both set by place_with_text_month */
    else if (*got == HAS_YEAR) d->c.year = n, d->two_digit_year = len <= 2;
    else if (*got == HAS_MONTH) d->c.month = n;
    else d->c.day = n;
    return PARSE_OK;
}

/* Cuts "15-jan-2024" at everything that is neither digit nor letter, and between the two. */
static int split_date(char *text, char **parts, char *buf, size_t cap)
{
    int count = 0;
    char *out = buf, *out_end = buf + cap;
    while (*text && count < LEX_FIELDS_MAX) {
        while (*text && !is_digit(*text) && !is_alpha(*text)) text++;
        if (!*text) return -1;
        parts[count++] = out;
        bool digits = is_digit(*text);
        while (digits ? is_digit(*text) : is_alpha(*text)) {
            if (out + 1 >= out_end) return -1;
            *out++ = *text++;
        }
        if (out + 1 >= out_end) return -1;
        *out++ = '\0';
        if (*text && (!is_digit(*text) && !is_alpha(*text))) text++;
    }
    return count;
}

enum parse_result decode__date(struct decoder *d, char *text, uint32_t has, uint32_t *got)
{
    char buf[LEX_BYTES_MAX * 2], *parts[LEX_FIELDS_MAX];
    bool text_month = false;
    int count = split_date(text, parts, buf, sizeof buf);
    *got = 0;
    if (count < 0) return PARSE_BAD;
    for (int i = 0; i < count; i++) { /* words first: they are unambiguous */
        if (!is_alpha(parts[i][0])) continue;
        const struct token *t = token__date_word(slice_of(parts[i]));
        parts[i] = t && t->kind == TOKEN_IGNORE ? parts[i] : NULL;
        if (parts[i]) continue;
        if (!t || t->kind != TOKEN_MONTH || (has & HAS_MONTH)) return PARSE_BAD;
        d->c.month = t->value;
        text_month = true;
        has |= HAS_MONTH;
        *got |= HAS_MONTH;
    }
    for (int i = 0; i < count; i++) {
        uint32_t part;
        if (!parts[i]) continue;
        enum parse_result r = decode__number(d, parts[i], text_month, has, &part);
        if (r != PARSE_OK) return r;
        if (has & part) return PARSE_BAD;
        has |= part;
        *got |= part;
    }
    return (has & ~(uint32_t)(HAS_YEARDAY | HAS_ZONE)) == HAS_DATE ? PARSE_OK : PARSE_BAD;
}

enum parse_result decode__clock(struct decoder *d, const char *text, uint32_t *got)
{
    int64_t hour;
    *got = HAS_TIME;
    enum parse_result r = lex__clock(text, false, &hour, &d->c.minute, &d->c.second, &d->c.us);
    if (r != PARSE_OK) return r;
    if (hour > 24 || (hour == 24 && (d->c.minute || d->c.second || d->c.us))) return PARSE_OVERFLOW;
    d->c.hour = (int32_t)hour;
    return PARSE_OK;
}

enum parse_result decode__offset(const char *text, int32_t *ret_east)
{
    int32_t hour, minute = 0, second = 0;
    const char *p;
    if (*text != '+' && *text != '-') return PARSE_BAD;
    if (!lex__int(text + 1, &hour, &p)) return PARSE_ZONE_OVERFLOW;
    if (*p == ':') {
        if (!lex__int(p + 1, &minute, &p)) return PARSE_ZONE_OVERFLOW;
        if (*p == ':' && !lex__int(p + 1, &second, &p)) return PARSE_ZONE_OVERFLOW;
    } else if (*p == '\0' && strlen(text) > 3) {
        minute = hour % 100;
        hour /= 100;
    }
    if (hour < 0 || hour >= ZONE_OFFSET_MAX / SECONDS_PER_HOUR || minute < 0 || minute >= 60 ||
        second < 0 || second >= 60) {
        return PARSE_ZONE_OVERFLOW;
    }
    int32_t n = hour * SECONDS_PER_HOUR + minute * 60 + second;
    *ret_east = *text == '-' ? -n : n;
    return *p ? PARSE_BAD : PARSE_OK;
}

void decode__julian(struct decoder *d, int32_t julian_day)
{
    struct civil c;
    /* Beyond the end of dates by less than a year; the range is checked at the end. */
    int64_t days = (int64_t)julian_day - JULIAN_OF_2000;
    civil_from_days((int32_t)days, &c);
    d->c.year = c.year;
    d->c.month = c.month;
    d->c.day = c.day;
    d->julian = true;
}

enum parse_result decode__validate(struct decoder *d)
{
    if ((d->has & HAS_YEAR) && !d->julian) {
        if (d->before_christ) {
            if (d->c.year <= 0) return PARSE_OVERFLOW;
            d->c.year = 1 - d->c.year;
        } else if (d->two_digit_year) {
            if (d->c.year < 0) return PARSE_OVERFLOW;
            d->c.year += d->c.year < 70 ? 2000 : d->c.year < 100 ? 1900 : 0;
        } else if (d->c.year <= 0) {
            return PARSE_OVERFLOW;
        }
    }
    if (d->has & HAS_YEARDAY) {
        /* Only the month and day matter, which repeat after 400 years. */
        int32_t year = d->c.year % 400;
        struct civil c;
        int64_t days = days_from_civil(year, 1, 1) + d->yearday - 1;
        civil_from_days((int32_t)days, &c);
        d->c.year += c.year - year;
        d->c.month = c.month;
        d->c.day = c.day;
    }
    if ((d->has & HAS_MONTH) && (d->c.month < 1 || d->c.month > 12)) return PARSE_MONTH_DAY;
    if ((d->has & HAS_DAY) && (d->c.day < 1 || d->c.day > 31)) return PARSE_MONTH_DAY;
    if ((d->has & HAS_DATE) == HAS_DATE && d->c.day > days_of_month(d->c.year, d->c.month)) {
        return PARSE_OVERFLOW;
    }
    return PARSE_OK;
}
