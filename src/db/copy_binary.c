/* COPY in binary format (PostgreSQL 15 documentation, COPY, "Binary Format"), both ways:
 *
 *   11 bytes  "PGCOPY\n\377\r\n\0"
 *    4        flags; bit 16: rows have oids; bits 16..31 are critical
 *    4        length of the header's extension, which follows
 *   rows:  2  number of fields, -1: the end
 *             of each field: 4  length, -1: NULL; then the value as its send function gives it
 *
 * All numbers are in network order. */
#include "db/copy_priv.h"

enum { SIGNATURE_BYTES = 11, FLAG_OIDS = 1 << 16 };
static const char signature[SIGNATURE_BYTES + 1] = "PGCOPY\n\377\r\n";

/* --- reading -------------------------------------------------------------------------------- */

/* At least `n` bytes at in->pos; END_OF_DATA (no message) when there are not so many. */
static enum status need(struct copy_in *in, size_t n)
{
    while (in->end - in->pos < n) TRY(copy__more(in));
    return OK;
}

static uint32_t peek_u32(const struct copy_in *in)
{
    const unsigned char *p = (const unsigned char *)in->data + in->pos;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* `problem` in place of END_OF_DATA. */
static enum status take_u32(struct copy_in *in, const char *problem, uint32_t *ret)
{
    enum status result = need(in, 4);
    if (result == END_OF_DATA) return FAIL(BAD_COPY_FILE_FORMAT, "%s", problem);
    TRY(result);
    *ret = peek_u32(in);
    in->pos += 4;
    return OK;
}

enum status copy__read_binary_header(struct copy_in *in)
{
    uint32_t flags, extension;
    enum status result = need(in, SIGNATURE_BYTES);
    if (result != OK && result != END_OF_DATA) return result;
    if (result == END_OF_DATA ||
        memcmp(in->data + in->pos, signature, SIGNATURE_BYTES) != 0)
        return FAIL(BAD_COPY_FILE_FORMAT, "COPY file signature not recognized");
    in->pos += SIGNATURE_BYTES;
    TRY(take_u32(in, "invalid COPY file header (missing flags)", &flags));
    if (flags & FLAG_OIDS)
        return FAIL(BAD_COPY_FILE_FORMAT, "invalid COPY file header (WITH OIDS)");
    if (flags >> 16)
        return FAIL(BAD_COPY_FILE_FORMAT, "unrecognized critical flags in COPY file header");
    TRY(take_u32(in, "invalid COPY file header (missing length)", &extension));
    result = extension > COPY_LINE_BYTES_MAX ? END_OF_DATA : need(in, extension);
    if (result == END_OF_DATA)
        return FAIL(BAD_COPY_FILE_FORMAT, "invalid COPY file header (wrong length)");
    TRY(result);
    in->pos += extension;
    return OK;
}

static enum status read_value(struct copy_in *in, const struct copy_column *c, struct vec *v,
                              uint32_t row)
{
    uint32_t len;
    struct datum d = {.null = true};
    TRY(take_u32(in, "unexpected EOF in COPY data", &len));
    if (len == UINT32_MAX) {
        vec_set(v, row, d);
        return OK;
    }
    if (len > COPY_LINE_BYTES_MAX) return FAIL(BAD_COPY_FILE_FORMAT, "invalid field size");
    enum status result = need(in, len);
    if (result == END_OF_DATA) return FAIL(BAD_COPY_FILE_FORMAT, "unexpected EOF in COPY data");
    TRY(result);
    struct slice data = slice_make(in->data + in->pos, len);
    d.null = false;
    TRY(value_from_binary(c->type, c->typmod, data, in->c->s->settings.format.names, &in->values, &d.v));
    vec_set(v, row, d);
    in->pos += len;
    return OK;
}

/* Nothing may come behind the end marker. */
static enum status end(struct copy_in *in)
{
    enum status result = need(in, 1);
    in->finished = true;
    if (result == OK)
        return FAIL(BAD_COPY_FILE_FORMAT, "received copy data after EOF marker"),
               copy__where(in, NULL, (struct slice){0});
    return result;
}

enum status copy__read_binary_row(struct copy_in *in, uint32_t row)
{
    const struct copy *c = in->c;
    struct slice none = {0};
    if (in->finished) return END_OF_DATA;
    in->line++;
    in->line_text = none;
    enum status result = need(in, 2);
    if (result != OK) return result;
    const unsigned char *p = (const unsigned char *)in->data + in->pos;
    int16_t count = (int16_t)(p[0] << 8 | p[1]);
    in->pos += 2;
    if (count == -1) return end(in);
    if (count < 0 || (uint32_t)count != c->column_count)
        return FAIL(BAD_COPY_FILE_FORMAT, "row field count is %d, expected %u", count,
                    c->column_count),
               copy__where(in, NULL, none);
    for (uint32_t i = 0; i < c->column_count; i++)
        if (read_value(in, &c->columns[i], &in->batch.columns[i], row) != OK)
            return copy__where(in, &c->columns[i], none);
    return OK;
}

/* --- writing -------------------------------------------------------------------------------- */

static void put_u32(char *p, uint32_t v)
{
    p[0] = (char)(v >> 24);
    p[1] = (char)(v >> 16);
    p[2] = (char)(v >> 8);
    p[3] = (char)v;
}

static void add_u16(struct strbuf *b, uint16_t v)
{
    char bytes[2] = {(char)(v >> 8), (char)v};
    strbuf_add(b, bytes, sizeof bytes);
}

void copy__begin_binary(struct copy_out *out)
{
    static const char no_flags_no_extension[8] = {0};
    strbuf_add(&out->row, signature, SIGNATURE_BYTES);
    strbuf_add(&out->row, no_flags_no_extension, sizeof no_flags_no_extension);
}

void copy__end_binary(struct copy_out *out)
{
    add_u16(&out->row, UINT16_MAX);
}

enum status copy__write_binary_row(struct copy_out *out, const struct datum *values)
{
    const struct copy *c = out->c;
    struct strbuf *b = &out->row;
    add_u16(b, (uint16_t)c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++) {
        size_t start = b->len;
        strbuf_add(b, "\377\377\377\377", 4);
        if (values[i].null) continue;
        value_to_binary(c->columns[i].type, &values[i].v, b);
        put_u32(b->data + start, (uint32_t)(b->len - start - 4));
    }
    return OK;
}
