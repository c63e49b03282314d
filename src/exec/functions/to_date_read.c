/* Reads the fields of a to_date or to_timestamp text along its pattern. Separators match loosely:
 * one of the pattern takes one of the text or none, and blanks before a field do not count; with FX
 * every byte counts. A number takes as many digits as its keyword has, or, when no digit can follow
 * it in the pattern (or under FM), all there are. */
#include "exec/functions/to_date_priv.h"

#include <stdio.h>

#include "types/datetime.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_separator(char c)
{
    char low = (char)(c | 0x20);
    return c > ' ' && c < 0x7f && !is_digit(c) && !(low >= 'a' && low <= 'z');
}

static bool key_is_digits(enum pattern_key key)
{
    switch (key) {
    case KEY_AD:
    case KEY_AD_DOTS:
    case KEY_AM:
    case KEY_AM_DOTS:
    case KEY_DAY:
    case KEY_DY:
    case KEY_FX:
    case KEY_MONTH:
    case KEY_MON:
    case KEY_OF:
    case KEY_RM:
    case KEY_TZ:
    case KEY_TZH:
        return false;
    default:
        return true;
    }
}

/* Whether what follows in the pattern ends a number by itself. */
static bool number_ends(const struct reader *r, const struct pattern_node *k)
{
    struct pattern rest = r->pattern;
    struct pattern_node next;
    if (k->ordinal) return true;
    if (!pattern__next(&rest, &next)) return true;
    return next.key == KEY_LITERAL ? !is_digit(next.literal) : !key_is_digits(next.key);
}

static enum status invalid_value(const char *value, int len, const struct pattern_node *k)
{
    return FAIL(INVALID_DATETIME_FORMAT, "invalid value \"%.*s\" for \"%.*s\"", len, value,
                (int)k->word.len, k->word.data);
}

static enum status hint_fill(void)
{
    return error_hint("If your source string is not fixed-width, try using the \"FM\" modifier.");
}

static enum status read_number(struct reader *r, const struct pattern_node *k, int digits, int *ret,
                               int *ret_used)
{
    while (is_space(*r->p)) r->p++;
    const char *start = r->p;
    int have = (int)strnlen(start, (size_t)digits);
    bool all = k->fill || number_ends(r, k);
    if (!all && have < digits) {
        (void)FAIL(INVALID_DATETIME_FORMAT,
                   "source string too short for \"%.*s\" formatting field", (int)k->word.len,
                   k->word.data);
        (void)error_detail("Field requires %d characters, but only %d remain.", digits, have);
        return hint_fill();
    }
    const char *p = start, *limit = all ? start + strlen(start) : start + digits;
    int64_t n = 0;
    bool minus = p < limit && *p == '-';
    if (p < limit && (*p == '-' || *p == '+')) p++;
    const char *first = p;
    for (; p < limit && is_digit(*p); p++) n = n < INT32_MAX ? n * 10 + (*p - '0') : n;
    if (p == first) {
        (void)invalid_value(start, have, k);
        return error_detail("Value must be an integer.");
    }
    if (!all && p < limit) {
        (void)invalid_value(start, have, k);
        (void)error_detail("Field requires %d characters, but only %d could be parsed.", digits,
                           (int)(p - start));
        return hint_fill();
    }
    if (n > INT32_MAX) {
        (void)FAIL(DATETIME_FIELD_OVERFLOW, "value for \"%.*s\" in source string is out of range",
                   (int)k->word.len, k->word.data);
        return error_detail("Value must be in the range %d to %d.", INT32_MIN, INT32_MAX);
    }
    r->p = p;
    *ret = (int)(minus ? -n : n);
    *ret_used = (int)(p - start);
    if (k->ordinal && r->p[0] && r->p[1]) r->p += 2;
    return OK;
}

/* One of `count` words, in any case; whole, or its first `letters`. */
static enum status read_word(struct reader *r, const struct pattern_node *k,
                             const char *const *words, int count, size_t letters, int *ret)
{
    for (int i = 0; i < count; i++) {
        size_t len = letters ? letters : strlen(words[i]);
        if (strnlen(r->p, len) < len) continue;
        if (!slice_eq_nocase(slice_make(r->p, len), slice_make(words[i], len))) continue;
        r->p += len;
        *ret = i;
        return OK;
    }
    (void)invalid_value(r->p, (int)strcspn(r->p, " \t\n"), k);
    return error_detail("The given value did not match any of the allowed values for this field.");
}

static enum status set(int *field, int value, const struct pattern_node *k)
{
    if (*field != UNSET && *field != value) {
        (void)FAIL(INVALID_DATETIME_FORMAT,
                   "conflicting values for \"%.*s\" field in formatting string", (int)k->word.len,
                   k->word.data);
        return error_detail("This value contradicts a previous setting for the same field type.");
    }
    *field = value;
    return OK;
}

static enum status read_field(struct reader *r, const struct pattern_node *k, int *field,
                              int digits)
{
    int n, used;
    TRY(read_number(r, k, digits, &n, &used));
    return set(field, n, k);
}

/* "2,024" */
static enum status read_thousands(struct reader *r, const struct pattern_node *k)
{
    int thousands, years, len;
    if (sscanf(r->p, "%6d,%3d%n", &thousands, &years, &len) < 2)
        return FAIL(INVALID_DATETIME_FORMAT, "invalid input string for \"Y,YYY\"");
    r->p += len;
    if (k->ordinal && r->p[0] && r->p[1]) r->p += 2;
    r->year_digits = 4;
    return set(&r->year, thousands * 1000 + years, k);
}

static enum status read_year(struct reader *r, const struct pattern_node *k, int digits)
{
    int n, used;
    TRY(read_number(r, k, digits, &n, &used));
    if (digits < 4 && used < 4) { /* the year nearest to 2020 */
        n += n < 70 ? 2000 : n < 100 ? 1900 : n < 520 ? 2000 : n < 1000 ? 1000 : 0;
    }
    r->year_digits = digits;
    return set(&r->year, n, k);
}

/* A fraction, in units of `decimals`: its digits count from the point; more than that are a number beyond the field. */
static enum status read_fraction(struct reader *r, const struct pattern_node *k, int digits,
                                 int decimals, int *field)
{
    int n, used;
    TRY(read_number(r, k, digits, &n, &used));
    for (; used < decimals; used++) n *= 10;
    return set(field, n, k);
}

static enum status read_zone(struct reader *r, const struct pattern_node *k)
{
    if (k->key == KEY_TZM) return read_field(r, k, &r->zone_minutes, 2);
    if (k->key != KEY_TZH) {
        return FAIL(FEATURE_NOT_SUPPORTED, "formatting field \"%.*s\" is only supported in to_char",
                    (int)k->word.len, k->word.data);
    }
    /* The sign may have been taken for a separator. */
    r->zone_minus = *r->p == '-' || (r->skipped > 0 && *r->p != '+' && r->p[-1] == '-');
    if (*r->p == '+' || *r->p == '-' || *r->p == ' ') r->p++;
    return read_field(r, k, &r->zone_hours, 2);
}

static enum status read_name(struct reader *r, const struct pattern_node *k)
{
    static const char *const months[] = {"January", "February", "March",     "April",
                                         "May",     "June",     "July",      "August",
                                         "September", "October", "November", "December"};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const roman[] = {"VIII", "VII", "VI", "IV", "V",  "III",
                                        "II",   "IX",  "I",  "XII", "XI", "X"};
    static const int8_t roman_value[] = {8, 7, 6, 4, 5, 3, 2, 9, 1, 12, 11, 10};
    static const char *const eras[] = {"AD", "BC"}, *const eras_dots[] = {"A.D.", "B.C."};
    static const char *const halves[] = {"AM", "PM"}, *const halves_dots[] = {"A.M.", "P.M."};
    int n;
    switch (k->key) {
    case KEY_MONTH:
    case KEY_MON:
        TRY(read_word(r, k, months, 12, k->key == KEY_MON ? 3 : 0, &n));
        return set(&r->month, n + 1, k);
    case KEY_DAY:
    case KEY_DY:
        TRY(read_word(r, k, days, 7, k->key == KEY_DY ? 3 : 0, &n));
        return set(&r->weekday, n, k);
    case KEY_RM:
        TRY(read_word(r, k, roman, 12, 0, &n));
        return set(&r->month, roman_value[n], k);
    case KEY_AD:
    case KEY_AD_DOTS:
        TRY(read_word(r, k, k->key == KEY_AD ? eras : eras_dots, 2, 0, &n));
        return set(&r->before_christ, n, k);
    default:
        TRY(read_word(r, k, k->key == KEY_AM ? halves : halves_dots, 2, 0, &n));
        r->clock12 = true;
        return set(&r->afternoon, n, k);
    }
}

static enum status read_key(struct reader *r, const struct pattern_node *k)
{
    switch (k->key) {
    case KEY_HH12:
        r->clock12 = true;
        return read_field(r, k, &r->hour, 2);
    case KEY_HH24:
        return read_field(r, k, &r->hour, 2);
    case KEY_MI:
        return read_field(r, k, &r->minute, 2);
    case KEY_SS:
        return read_field(r, k, &r->second, 2);
    case KEY_SSSS:
        return read_field(r, k, &r->day_second, (int)k->word.len);
    case KEY_MS:
        return read_fraction(r, k, 3, 3, &r->ms);
    case KEY_US:
        return read_fraction(r, k, 6, 6, &r->us);
    case KEY_MM:
        return read_field(r, k, &r->month, 2);
    case KEY_DD:
        return read_field(r, k, &r->day, 2);
    case KEY_DDD:
    case KEY_IDDD:
        return read_field(r, k, &r->yearday, 3);
    case KEY_D:
    case KEY_ID:
        TRY(read_field(r, k, &r->weekday, 1));
        if (k->key == KEY_D) r->weekday--;
        else if (r->weekday > 6) r->weekday = 0;
        return OK;
    case KEY_WW:
    case KEY_IW:
        return read_field(r, k, &r->week, 2);
    case KEY_W:
        return read_field(r, k, &r->month_week, 1);
    case KEY_CC:
        return read_field(r, k, &r->century, 2);
    case KEY_J:
        return read_field(r, k, &r->julian, 1);
    case KEY_Q: {
        int ignored, used;
        return read_number(r, k, 1, &ignored, &used);
    }
    case KEY_OF:
    case KEY_TZ:
    case KEY_TZH:
    case KEY_TZM:
        return read_zone(r, k);
    case KEY_Y_YYY:
        return read_thousands(r, k);
    default:
        break;
    }
    if (k->key >= KEY_FF1 && k->key <= KEY_FF6) {
        r->precision = (int)(k->key - KEY_FF1) + 1;
        return read_fraction(r, k, r->precision, 6, &r->us);
    }
    if (k->key >= KEY_YYYY && k->key <= KEY_Y) return read_year(r, k, 4 - (int)(k->key - KEY_YYYY));
    if (k->key >= KEY_IYYY && k->key <= KEY_I) return read_year(r, k, 4 - (int)(k->key - KEY_IYYY));
    return read_name(r, k);
}

static bool is_iso_key(enum pattern_key key)
{
    return key == KEY_IDDD || key == KEY_ID || (key >= KEY_IW && key <= KEY_I);
}
static bool is_gregorian_key(enum pattern_key key)
{
    return (key >= KEY_Y_YYY && key <= KEY_Y) || key == KEY_DDD || key == KEY_DD ||
           key == KEY_MM || key == KEY_MON || key == KEY_MONTH || key == KEY_RM || key == KEY_W ||
           key == KEY_WW || key == KEY_D;
}

static enum status check_conventions(struct reader *r, enum pattern_key key)
{
    r->iso = r->iso || is_iso_key(key);
    r->gregorian = r->gregorian || is_gregorian_key(key);
    if (!r->iso || !r->gregorian) return OK;
    (void)FAIL(INVALID_DATETIME_FORMAT, "invalid combination of date conventions");
    return error_hint("Do not mix Gregorian and ISO week date conventions in a formatting "
                      "template.");
}

enum status to_date__read(struct reader *r)
{
    struct pattern_node k;
    bool fixed = false, first = true;
    while (*r->p && pattern__next(&r->pattern, &k)) {
        if (k.key == KEY_FX) {
            fixed = true;
            continue;
        }
        for (; !fixed && (k.key != KEY_LITERAL || first) && is_space(*r->p); r->p++) r->skipped++;
        first = false;
        if (k.key == KEY_LITERAL) {
            bool separator = !k.quoted && (is_space(k.literal) || is_separator(k.literal));
            if (fixed || (!separator && r->skipped <= 0)) {
                r->p++;
            } else if (!separator) {
                r->skipped--;
            } else {
                r->skipped--;
                if (is_space(*r->p) || is_separator(*r->p)) r->p++, r->skipped++;
            }
            continue;
        }
        TRY(check_conventions(r, k.key));
        TRY(read_key(r, &k));
        r->skipped = 0;
        for (; !fixed && is_space(*r->p); r->p++) r->skipped++;
    }
    return OK;
}
