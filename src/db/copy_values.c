/* Fields of text and csv to values, straight into the batch's vectors, and the context that
 * errors get. Integers and short strings, most of what is loaded, are read here without the
 * general road of value_from_text; whatever is not plain (blanks, overflow, nonsense) goes
 * there for its error. */
#include "db/copy_priv.h"

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
