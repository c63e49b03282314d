/* COPY TO in JSON format: a line is an object with the columns' names as keys. Values are what
 * PostgreSQL's row_to_json makes of them: numbers and booleans bare, arrays and composite values as
 * arrays and objects, dates and times as ISO 8601, everything else its text. */
#include "db/copy_priv.h"

#include <stdio.h>

#include "types/array.h"
#include "types/datetime.h"
#include "types/record.h"

static void add_string(struct strbuf *b, struct slice s)
{
    static const char hex[] = "0123456789abcdef";
    strbuf_reserve(b, s.len + 2);
    strbuf_addc(b, '"');
    for (size_t i = 0, from = 0; i <= s.len; i++) {
        unsigned char c = i < s.len ? (unsigned char)s.data[i] : '"';
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        strbuf_add(b, s.data + from, i - from);
        from = i + 1;
        if (i == s.len) break;
        strbuf_addc(b, '\\');
        switch (c) {
        case '"':
        case '\\': strbuf_addc(b, (char)c); break;
        case '\b': strbuf_addc(b, 'b'); break;
        case '\f': strbuf_addc(b, 'f'); break;
        case '\n': strbuf_addc(b, 'n'); break;
        case '\r': strbuf_addc(b, 'r'); break;
        case '\t': strbuf_addc(b, 't'); break;
        default:
            strbuf_adds(b, "u00");
            strbuf_addc(b, hex[c >> 4]);
            strbuf_addc(b, hex[c & 15]);
        }
    }
    strbuf_addc(b, '"');
}

/* NaN and the infinities are no numbers of JSON. */
static void add_number(struct strbuf *b, struct slice s)
{
    char c = s.len > 1 && s.data[0] == '-' ? s.data[1] : s.len > 0 ? s.data[0] : 'N';
    if (c >= '0' && c <= '9') strbuf_add(b, s.data, s.len);
    else add_string(b, s);
}

/* 2024-01-01 10:00:00+02 as 2024-01-01T10:00:00+02:00. */
static void add_timestamp(struct strbuf *b, struct slice s, bool zone)
{
    const char *blank = memchr(s.data, ' ', s.len);
    strbuf_addc(b, '"');
    if (!blank || s.data[0] < '0' || s.data[0] > '9') { /* infinity */
        strbuf_add(b, s.data, s.len);
    } else {
        size_t date = (size_t)(blank - s.data), n = date + 1;
        while (n < s.len && s.data[n] != ' ') n++; /* BC may follow */
        strbuf_add(b, s.data, date);
        strbuf_addc(b, 'T');
        strbuf_add(b, blank + 1, n - date - 1);
        if (zone && (s.data[n - 3] == '+' || s.data[n - 3] == '-')) strbuf_adds(b, ":00");
        strbuf_add(b, s.data + n, s.len - n);
    }
    strbuf_addc(b, '"');
}

static enum status add_value(struct copy_out *out, struct arena *a, type_id type,
                             const struct datum *d);

/* The elements of dimension `dim` from *at on. */
static enum status add_elements(struct copy_out *out, struct arena *a, const struct array_view *v,
                                int dim, uint32_t *at)
{
    strbuf_addc(&out->row, '[');
    for (int32_t i = 0; v->ndim > 0 && i < v->dims[dim]; i++) {
        if (i > 0) strbuf_addc(&out->row, ',');
        if (dim + 1 < v->ndim) TRY(add_elements(out, a, v, dim + 1, at));
        else TRY(add_value(out, a, v->element, &v->elements[(*at)++]));
    }
    strbuf_addc(&out->row, ']');
    return OK;
}

static enum status add_array(struct copy_out *out, struct arena *a, const struct bytes *b)
{
    struct array_view v;
    uint32_t at = 0;
    TRY(array_open(b, a, &v));
    return add_elements(out, a, &v, 0, &at);
}

static enum status add_record(struct copy_out *out, struct arena *a, const struct bytes *b)
{
    const struct reg_names *names = out->c->s->settings.format.names;
    struct row_columns columns = {0};
    struct record_view r;
    char name[16];
    TRY(record_open(b, a, &r));
    if (type_is_row(r.type) && names && names->row_columns)
        TRY(names->row_columns(names->ctx, r.type, a, &columns));
    strbuf_addc(&out->row, '{');
    for (uint32_t i = 0; i < r.count; i++) {
        snprintf(name, sizeof name, "f%u", i + 1);
        bool named = columns.names && i < columns.count;
        if (i > 0) strbuf_addc(&out->row, ',');
        add_string(&out->row, slice_of(named ? columns.names[i] : name));
        strbuf_addc(&out->row, ':');
        TRY(add_value(out, a, r.types[i], &r.fields[i]));
    }
    strbuf_addc(&out->row, '}');
    return OK;
}

static enum status add_value(struct copy_out *out, struct arena *a, type_id type,
                             const struct datum *d)
{
    struct strbuf *b = &out->row;
    if (d->null) return strbuf_adds(b, "null"), OK;
    if (type_is_array(type)) return add_array(out, a, &d->v.bytes);
    if (type_is_composite(type)) return add_record(out, a, &d->v.bytes);
    if (copy__is_json(type)) {
        struct slice s = copy__value_text(out, type, &d->v);
        return strbuf_add(b, s.data, s.len), OK;
    }
    switch (type) {
    case TYPE_BOOL: strbuf_adds(b, d->v.b ? "true" : "false"); break;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC: add_number(b, copy__value_text(out, type, &d->v)); break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_DATE: {
        struct format_options f = out->c->s->settings.format;
        f.date_style = DATE_STYLE_ISO;
        strbuf_clear(&out->scratch);
        value_to_text(type, &d->v, &f, &out->scratch);
        if (type == TYPE_DATE) add_string(b, strbuf_slice(&out->scratch));
        else add_timestamp(b, strbuf_slice(&out->scratch), type == TYPE_TIMESTAMPTZ);
        break;
    }
    default: add_string(b, copy__value_text(out, type, &d->v));
    }
    return OK;
}

enum status copy__write_json_row(struct copy_out *out, const struct datum *values)
{
    const struct copy *c = out->c;
    struct arena *a = &c->s->arena;
    struct arena_mark mark = arena_mark(a);
    enum status result = OK;
    for (uint32_t i = 0; i < c->column_count && result == OK; i++) {
        strbuf_add(&out->row, out->keys[i].data, out->keys[i].len);
        result = add_value(out, a, c->columns[i].type, &values[i]);
    }
    arena_rewind(a, mark);
    strbuf_adds(&out->row, c->column_count ? "}\n" : "{}\n");
    return result;
}

/* `{"first":`, `,"second":` … */
void copy__begin_json(struct copy_out *out)
{
    const struct copy *c = out->c;
    out->keys = ARENA_ARRAY(&c->s->arena, struct slice, c->column_count + 1);
    for (uint32_t i = 0; i < c->column_count; i++) {
        strbuf_clear(&out->scratch);
        strbuf_addc(&out->scratch, i == 0 ? '{' : ',');
        add_string(&out->scratch, slice_of(c->columns[i].name));
        strbuf_addc(&out->scratch, ':');
        out->keys[i] = slice_dup(&c->s->arena, strbuf_slice(&out->scratch));
    }
}
