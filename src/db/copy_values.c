/* Fields of text and csv to values, straight into the batch's vectors, and the context that
 * errors get. Integers, decimals, ISO dates and strings, most of what is loaded, are read here
 * without the general road of value_from_text; whatever is not plain (blanks, overflow, nonsense)
 * goes there for its error. */
#include "db/copy_priv.h"

#include "types/numeric.h"

/* --- context -------------------------------------------------------------------------------- */

/* At most COPY_SHOWN_BYTES of it, whole characters. */
static int shown_bytes(struct slice s, const char **ret_dots)
{
    *ret_dots = "";
    if (s.len <= COPY_SHOWN_BYTES) return (int)s.len;
    size_t n = COPY_SHOWN_BYTES;
    while (n > 0 && ((unsigned char)s.data[n] & 0xc0) == 0x80) n--;
    *ret_dots = "...";
    return (int)n;
}

enum status copy__where(struct copy_in *in, const struct copy_column *column, struct slice value)
{
    const struct copy *c = in->c;
    const char *table = c->table->name, *dots;
    unsigned long long line = in->line;
    if (column) in->bad_column = column->name;
    if (column && c->o.format == COPY_BINARY)
        return error_where("COPY %s, line %llu, column %s", table, line, column->name);
    if (column && !value.data)
        return error_where("COPY %s, line %llu, column %s: null input", table, line, column->name);
    if (column) {
        int n = shown_bytes(value, &dots);
        return error_where("COPY %s, line %llu, column %s: \"%.*s%s\"", table, line, column->name,
                           n, value.data, dots);
    }
    if (in->line_text.data) {
        int n = shown_bytes(in->line_text, &dots);
        return error_where("COPY %s, line %llu: \"%.*s%s\"", table, line, n, in->line_text.data,
                           dots);
    }
    return error_where("COPY %s, line %llu", table, line);
}

/* --- values --------------------------------------------------------------------------------- */

/* An optional sign and 1 to 18 digits, which cannot overflow. */
static inline bool plain_integer(struct slice s, int64_t *ret)
{
    const char *p = s.data, *end = s.data + s.len;
    bool negative = false;
    int64_t v = 0;
    if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
    if (p == end || end - p > 18) return false;
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - '0';
        if (digit > 9) return false;
        v = v * 10 + digit;
    }
    *ret = negative ? -v : v;
    return true;
}

/* A string that fits its column whatever characters it has. */
static inline bool plain_string(const struct copy_column *c, size_t len)
{
    if (c->type == TYPE_TEXT) return true;
    /* A typmod of varchar(n) is n + 4; n characters are at least n bytes. */
    return c->type == TYPE_VARCHAR && (c->typmod < 4 || len <= (size_t)c->typmod - 4);
}

static const int64_t powers_of_ten[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
    100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
    10000000000000000, 100000000000000000, 1000000000000000000,
};
enum { DIGITS_MAX = 18 };

/* Up to 18 digits, a point among them or not, that numeric(p,s) takes without rounding. */
static inline bool plain_numeric(struct slice s, int32_t typmod, struct numeric *ret)
{
    const char *p = s.data, *end = s.data + s.len, *point = NULL;
    bool negative = p < end && *p == '-';
    int64_t v = 0;
    p += negative;
    const char *first = p;
    if (end - p > DIGITS_MAX) return false;
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - '0';
        if (digit <= 9) v = v * 10 + digit;
        else if (*p == '.' && !point) point = p;
        else return false;
    }
    if (first == end || point == first || point == end - 1) return false;
    int fraction = point ? (int)(end - point) - 1 : 0, scale = fraction;
    if (typmod >= 4) { /* ((precision << 16) | 11 bits of scale) + 4 */
        int precision = (typmod - 4) >> 16 & 0xffff;
        scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
        if (scale < fraction || scale - fraction + (end - first) > DIGITS_MAX) return false;
        v *= powers_of_ten[scale - fraction];
        if (precision <= DIGITS_MAX && v >= powers_of_ten[precision]) return false;
    }
    *ret = numeric_small(negative ? -v : v, (uint16_t)scale);
    return true;
}

static inline unsigned two_digits(const char *p)
{
    unsigned tens = (unsigned char)p[0] - '0', ones = (unsigned char)p[1] - '0';
    return tens <= 9 && ones <= 9 ? tens * 10 + ones : 100;
}

/* YYYY-MM-DD, which every DateStyle reads alike. Days count from March, so that leap days come last. */
static inline bool plain_date(struct slice s, int32_t *ret)
{
    static const uint8_t month_days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    enum { LEN = 10, DAYS_TO_2000 = 730425 };
    const char *p = s.data;
    if (s.len != LEN || p[4] != '-' || p[7] != '-') return false;
    unsigned century = two_digits(p), year = two_digits(p + 2), month = two_digits(p + 5),
             day = two_digits(p + 8);
    if (century > 99 || year > 99 || month - 1 > 11) return false;
    year += century * 100;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year == 0 || day - 1 >= month_days[month] + (unsigned)(leap && month == 2)) return false;
    year -= month <= 2;
    month = month > 2 ? month - 3 : month + 9;
    unsigned days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    *ret = (int32_t)days - DAYS_TO_2000;
    return true;
}

static inline bool is_ascii(const char *p, size_t len)
{
    unsigned char all = 0;
    for (size_t i = 0; i < len; i++) all |= (unsigned char)p[i];
    return all < 0x80;
}

/* char(n), filled up with blanks. */
static inline bool plain_char(struct copy_in *in, const struct copy_column *c, struct slice text,
                              struct bytes *ret)
{
    size_t n = c->typmod < 4 ? 0 : (size_t)c->typmod - 4;
    char few[BYTES_INLINE_MAX];
    if (text.len > n || !is_ascii(text.data, text.len)) return false;
    char *to = n <= sizeof few ? few : arena_alloc(&in->values, n);
    memcpy(to, text.data, text.len);
    memset(to + text.len, ' ', n - text.len);
    *ret = bytes_ref(to, (uint32_t)n);
    return true;
}

static enum status put_any(struct copy_in *in, const struct copy_column *c, struct vec *v,
                           uint32_t row, struct slice text)
{
    struct datum d = {.null = false};
    enum status result = value_from_text(c->type, c->typmod, text, &in->c->s->settings.format,
                                         &in->values, &d.v);
    if (result != OK) return copy__where(in, c, text);
    vec_set(v, row, d);
    return OK;
}

static inline enum status put(struct copy_in *in, const struct copy_column *c, struct vec *v,
                              uint32_t row, struct slice text)
{
    int64_t i;
    switch (c->type) {
    case TYPE_INT4:
        if (!plain_integer(text, &i) || i < INT32_MIN || i > INT32_MAX) break;
        VEC_DATA(v, int32_t)[row] = (int32_t)i;
        return OK;
    case TYPE_INT8:
        if (!plain_integer(text, &i)) break;
        VEC_DATA(v, int64_t)[row] = i;
        return OK;
    case TYPE_INT2:
        if (!plain_integer(text, &i) || i < INT16_MIN || i > INT16_MAX) break;
        VEC_DATA(v, int16_t)[row] = (int16_t)i;
        return OK;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
        if (!plain_string(c, text.len)) break;
        VEC_DATA(v, struct bytes)[row] = bytes_from_slice(&in->values, text);
        return OK;
    case TYPE_NUMERIC:
        if (!plain_numeric(text, c->typmod, &VEC_DATA(v, struct numeric)[row])) break;
        return OK;
    case TYPE_DATE:
        if (!plain_date(text, &VEC_DATA(v, int32_t)[row])) break;
        return OK;
    case TYPE_BPCHAR:
        if (!plain_char(in, c, text, &VEC_DATA(v, struct bytes)[row])) break;
        return OK;
    default: break;
    }
    return put_any(in, c, v, row, text);
}

enum status copy__put_fields(struct copy_in *in, uint32_t row, uint32_t count)
{
    const struct copy *c = in->c;
    struct slice none = {0};
    if (count > c->column_count)
        return FAIL(BAD_COPY_FILE_FORMAT, "extra data after last expected column"),
               copy__where(in, NULL, none);
    for (uint32_t i = 0; i < c->column_count; i++) {
        struct vec *v = &in->batch.columns[i];
        if (i >= count)
            return FAIL(BAD_COPY_FILE_FORMAT, "missing data for column \"%s\"",
                        c->columns[i].name),
                   copy__where(in, NULL, none);
        if (!in->fields[i].data) vec_set(v, row, (struct datum){.null = true});
        else TRY(put(in, &c->columns[i], v, row, in->fields[i]));
    }
    return OK;
}

enum status copy__match_header(struct copy_in *in, uint32_t count)
{
    const struct copy *c = in->c;
    struct slice none = {0};
    enum status result = OK;
    if (count != c->column_count)
        return FAIL(BAD_COPY_FILE_FORMAT,
                    "wrong number of fields in header line: got %u, expected %u", count,
                    c->column_count),
               copy__where(in, NULL, none);
    for (uint32_t i = 0; i < count && result == OK; i++) {
        struct slice got = in->fields[i];
        if (!got.data)
            result = FAIL(BAD_COPY_FILE_FORMAT,
                          "column name mismatch in header line field %u: got null value (\"%s\"), "
                          "expected \"%s\"",
                          i + 1, c->o.null_text.data, c->columns[i].name);
        else if (!slice_eq(got, slice_of(c->columns[i].name)))
            result = FAIL(BAD_COPY_FILE_FORMAT,
                          "column name mismatch in header line field %u: got \"%.*s\", "
                          "expected \"%s\"",
                          i + 1, (int)(got.len < 200 ? got.len : 200), got.data,
                          c->columns[i].name);
    }
    return result == OK ? OK : copy__where(in, NULL, none);
}
