/* COPY TO in text and CSV: values as text, with what stands for delimiters and line ends escaped or
 * put into quotes. A table of bytes tells whether a value needs either, which few do. */
#include "db/copy_priv.h"

struct slice copy__value_text(struct copy_out *out, type_id type, const union value *v)
{
    if (type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR)
        return bytes_slice(&v->bytes);
    strbuf_clear(&out->scratch);
    value_to_text(type, v, &out->c->s->settings.format, &out->scratch);
    return strbuf_slice(&out->scratch);
}

static bool has_special(const struct copy_out *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (out->special[(unsigned char)s.data[i]]) return true;
    return false;
}

static void mark_special(struct copy_out *out, const char *bytes)
{
    for (; *bytes; bytes++) out->special[(unsigned char)*bytes] = true;
}

/* --- text ----------------------------------------------------------------------------------- */

static char letter_of(char c)
{
    switch (c) {
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '\v': return 'v';
    default: return c;
    }
}

static void add_text(struct copy_out *out, struct slice s)
{
    struct strbuf *b = &out->row;
    if (!has_special(out, s)) {
        strbuf_add(b, s.data, s.len);
        return;
    }
    strbuf_reserve(b, s.len * 2);
    for (size_t i = 0; i < s.len; i++) {
        if (out->special[(unsigned char)s.data[i]]) {
            strbuf_addc(b, '\\');
            strbuf_addc(b, letter_of(s.data[i]));
        } else {
            strbuf_addc(b, s.data[i]);
        }
    }
}

void copy__begin_text(struct copy_out *out)
{
    const struct copy *c = out->c;
    char delimiter[] = {c->o.delimiter, '\0'};
    mark_special(out, "\b\f\n\r\t\v\\");
    mark_special(out, delimiter);
    if (c->o.header == COPY_HEADER_NONE) return;
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (i > 0) strbuf_addc(&out->row, c->o.delimiter);
        add_text(out, slice_of(c->columns[i].name));
    }
    strbuf_addc(&out->row, '\n');
}

enum status copy__write_text_row(struct copy_out *out, const struct datum *values)
{
    const struct copy *c = out->c;
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (i > 0) strbuf_addc(&out->row, c->o.delimiter);
        if (values[i].null) strbuf_add(&out->row, c->o.null_text.data, c->o.null_text.len);
        else add_text(out, copy__value_text(out, c->columns[i].type, &values[i].v));
    }
    strbuf_addc(&out->row, '\n');
    return OK;
}

/* --- CSV ------------------------------------------------------------------------------------ */

static void add_csv(struct copy_out *out, struct slice s, bool force)
{
    const struct copy_options *o = &out->c->o;
    struct strbuf *b = &out->row;
    bool marker = out->c->column_count == 1 && slice_eq(s, SLICE("\\."));
    if (!force && !marker && !slice_eq(s, o->null_text) && !has_special(out, s)) {
        strbuf_add(b, s.data, s.len);
        return;
    }
    strbuf_reserve(b, s.len * 2 + 2);
    strbuf_addc(b, o->quote);
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == o->quote || s.data[i] == o->escape) strbuf_addc(b, o->escape);
        strbuf_addc(b, s.data[i]);
    }
    strbuf_addc(b, o->quote);
}

void copy__begin_csv(struct copy_out *out)
{
    const struct copy *c = out->c;
    char own[] = {c->o.delimiter, c->o.quote, '\0'};
    mark_special(out, "\r\n");
    mark_special(out, own);
    if (c->o.header == COPY_HEADER_NONE) return;
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (i > 0) strbuf_addc(&out->row, c->o.delimiter);
        add_csv(out, slice_of(c->columns[i].name), false);
    }
    strbuf_addc(&out->row, '\n');
}

enum status copy__write_csv_row(struct copy_out *out, const struct datum *values)
{
    const struct copy *c = out->c;
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (i > 0) strbuf_addc(&out->row, c->o.delimiter);
        if (values[i].null) strbuf_add(&out->row, c->o.null_text.data, c->o.null_text.len);
        else
            add_csv(out, copy__value_text(out, c->columns[i].type, &values[i].v),
                    c->columns[i].force_quote);
    }
    strbuf_addc(&out->row, '\n');
    return OK;
}
