#include "gateway/pg/pg_priv.h"

/* Rows onto the wire, straight from vectors into the write buffer: no value is copied twice, and
 * the common types are written by a few instructions each.
 *
 *     'D' int32 length, int16 columns, then each: int32 length (-1: NULL), bytes
 *
 * A column's way of writing, its kind, follows from type and format and is found once a result. */

enum kind {
    KIND_TEXT,        /* any value_to_text */
    KIND_BINARY,      /* any value_to_binary */
    KIND_BYTES,       /* the bytes as they are: text in both formats, bytea in binary */
    KIND_I16_TEXT, KIND_I32_TEXT, KIND_I64_TEXT, KIND_U32_TEXT, KIND_BOOL_TEXT,
    KIND_1_BINARY, KIND_2_BINARY, KIND_4_BINARY, KIND_8_BINARY, /* that many bytes, big-endian */
};

enum { FIXED_BYTES_MAX = 4 + 20 }; /* a length and the longest of int8 */

static enum kind kind_of(type_id type, bool binary)
{
    switch (type) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_NAME: return KIND_BYTES;
    case TYPE_BYTEA: return binary ? KIND_BYTES : KIND_TEXT;
    case TYPE_BOOL: return binary ? KIND_1_BINARY : KIND_BOOL_TEXT;
    case TYPE_INT2: return binary ? KIND_2_BINARY : KIND_I16_TEXT;
    case TYPE_INT4: return binary ? KIND_4_BINARY : KIND_I32_TEXT;
    case TYPE_OID: return binary ? KIND_4_BINARY : KIND_U32_TEXT;
    case TYPE_FLOAT4: return binary ? KIND_4_BINARY : KIND_TEXT;
    case TYPE_REGCLASS:
    case TYPE_REGTYPE:
    case TYPE_REGPROC:
    case TYPE_REGNAMESPACE:
    case TYPE_REGROLE: return binary ? KIND_4_BINARY : KIND_TEXT;
    case TYPE_INT8: return binary ? KIND_8_BINARY : KIND_I64_TEXT;
    case TYPE_FLOAT8: return binary ? KIND_8_BINARY : KIND_TEXT;
    default: return binary ? KIND_BINARY : KIND_TEXT;
    }
}

static uint16_t format_of(const struct pg_formats *f, uint32_t column)
{
    if (!f || f->count == 0) return 0;
    if (f->count == 1) return f->items[0];
    return column < f->count ? f->items[column] : 0;
}

/* --- descriptions --------------------------------------------------------------------------- */

enum status pg__send_row_description(struct pg_conn *p, const struct result_column *columns,
                                     uint32_t count, const struct pg_formats *f)
{
    struct pg_writer *w = &p->out;
    pg__begin(w, 'T');
    pg__put_u16(w, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        const struct result_column *c = &columns[i];
        const struct type_info *t = type_get(c->type);
        pg__put_string(w, c->name ? c->name : "?column?");
        pg__put_u32(w, c->origin_table);
        pg__put_u16(w, (uint16_t)c->origin_column);
        pg__put_u32(w, c->type);
        pg__put_u16(w, (uint16_t)(t ? t->typlen : -1));
        pg__put_u32(w, (uint32_t)c->typmod);
        pg__put_u16(w, format_of(f, i));
    }
    return pg__end(w);
}

void pg__set_columns(struct pg_conn *p, const struct result_column *columns, uint32_t count,
                     const struct pg_formats *f)
{
    if (count > p->column_cap) {
        p->columns = mem_realloc(MEM_NET, p->columns, count * sizeof *p->columns);
        p->column_cap = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct type_info *t = type_get(columns[i].type);
        struct pg_column *c = &p->columns[i];
        *c = (struct pg_column){.type = columns[i].type, .binary = format_of(f, i) == 1};
        c->kind = (uint8_t)kind_of(c->type, c->binary);
        c->kind_now = c->kind;
        c->type_now = c->type;
        c->width = t ? t->width : sizeof(union value);
    }
    p->column_count = count;
    p->format = session_format(p->session);
}

/* --- values --------------------------------------------------------------------------------- */

static const char two_digits[201] = "00010203040506070809101112131415161718192021222324252627282930"
                                    "31323334353637383940414243444546474849505152535455565758596061"
                                    "62636465666768697071727374757677787980818283848586878889909192"
                                    "93949596979899";

static inline void put_length(char *at, uint32_t len)
{
    len = htobe32(len);
    memcpy(at, &len, sizeof len);
}

/* With room for FIXED_BYTES_MAX. */
static inline void put_number(struct strbuf *out, uint64_t magnitude, bool negative)
{
    char digits[20], *at = digits + sizeof digits;
    while (magnitude >= 100) {
        at -= 2;
        memcpy(at, two_digits + magnitude % 100 * 2, 2);
        magnitude /= 100;
    }
    if (magnitude >= 10) {
        at -= 2;
        memcpy(at, two_digits + magnitude * 2, 2);
    } else {
        *--at = (char)('0' + magnitude);
    }
    uint32_t len = (uint32_t)(digits + sizeof digits - at);
    char *to = out->data + out->len;
    put_length(to, len + negative);
    to[4] = '-';
    memcpy(to + 4 + negative, at, len);
    out->len += 4 + negative + len;
}

static inline void put_signed(struct strbuf *out, int64_t v)
{
    put_number(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

static void put_any(struct pg_conn *p, const struct pg_column *c, const char *data)
{
    struct strbuf *out = &p->out.out;
    size_t at = out->len;
    union value v;
    memset(&v, 0, sizeof v);
    memcpy(&v, data, c->width);
    out->len += 4;
    if (c->kind_now == KIND_BINARY) value_to_binary(c->type_now, &v, out);
    else value_to_text(c->type_now, &v, p->format, out);
    put_length(out->data + at, (uint32_t)(out->len - at - 4));
}

static inline void put_raw(struct strbuf *out, const char *data)
{
    const struct bytes *b = (const struct bytes *)data;
    if (out->cap - out->len <= 4 + (size_t)b->len) strbuf_reserve(out, 4 + (size_t)b->len);
    put_length(out->data + out->len, b->len);
    if (b->len) memcpy(out->data + out->len + 4, bytes_data(b), b->len);
    out->len += 4 + (size_t)b->len;
}

#define LOAD(type) (*(const type *)data)
#define PUT_BINARY(n, v)                                                                           \
    do {                                                                                           \
        uint##n##_t be_ = htobe##n(v);                                                             \
        put_length(out->data + out->len, sizeof be_);                                              \
        memcpy(out->data + out->len + 4, &be_, sizeof be_);                                        \
        out->len += 4 + sizeof be_;                                                                \
    } while (0)

/* `data`: a value as it lies in a vector, or in a union value. */
static inline void put_value(struct pg_conn *p, const struct pg_column *c, const char *data)
{
    struct strbuf *out = &p->out.out;
    if (out->cap - out->len <= FIXED_BYTES_MAX) strbuf_reserve(out, FIXED_BYTES_MAX);
    switch ((enum kind)c->kind_now) {
    case KIND_BYTES: put_raw(out, data); return;
    case KIND_I16_TEXT: put_signed(out, LOAD(int16_t)); return;
    case KIND_I32_TEXT: put_signed(out, LOAD(int32_t)); return;
    case KIND_I64_TEXT: put_signed(out, LOAD(int64_t)); return;
    case KIND_U32_TEXT: put_number(out, LOAD(uint32_t), false); return;
    case KIND_BOOL_TEXT:
        put_length(out->data + out->len, 1);
        out->data[out->len + 4] = data[0] ? 't' : 'f';
        out->len += 5;
        return;
    case KIND_1_BINARY:
        put_length(out->data + out->len, 1);
        out->data[out->len + 4] = data[0] != 0;
        out->len += 5;
        return;
    case KIND_2_BINARY: PUT_BINARY(16, LOAD(uint16_t)); return;
    case KIND_4_BINARY: PUT_BINARY(32, LOAD(uint32_t)); return;
    case KIND_8_BINARY: PUT_BINARY(64, LOAD(uint64_t)); return;
    case KIND_TEXT:
    case KIND_BINARY: put_any(p, c, data); return;
    }
}

static inline void put_null(struct strbuf *out)
{
    if (out->cap - out->len <= FIXED_BYTES_MAX) strbuf_reserve(out, FIXED_BYTES_MAX);
    memset(out->data + out->len, 0xff, 4);
    out->len += 4;
}

/* --- rows ----------------------------------------------------------------------------------- */

static enum status check_count(const struct pg_conn *p, uint32_t count)
{
    if (count >= p->column_count) return OK;
    return FAIL(INTERNAL_ERROR, "a row has %u columns where %u were described", count,
                p->column_count);
}

enum status pg__send_row(void *ctx, const struct datum *values, uint32_t count)
{
    struct pg_conn *p = ctx;
    TRY(check_count(p, count));
    pg__begin(&p->out, 'D');
    pg__put_u16(&p->out, (uint16_t)p->column_count);
    for (uint32_t i = 0; i < p->column_count; i++) {
        if (values[i].null) put_null(&p->out.out);
        else put_value(p, &p->columns[i], (const char *)&values[i].v);
    }
    return pg__end(&p->out);
}

static void bind_vector(struct pg_column *c, const struct vec *v)
{
    const struct vec *from = v->form == VEC_DICT ? v->dict : v;
    if (v->type != c->type_now) {
        c->type_now = v->type;
        c->kind_now = (uint8_t)kind_of(v->type, c->binary);
    }
    c->width = from->width;
    c->step = v->form == VEC_CONST ? 0 : from->width;
    c->data = from->data;
    c->nulls = from->nulls;
    c->codes = v->form == VEC_DICT ? v->codes : NULL;
}

enum status pg__send_rows(void *ctx, const struct batch *b)
{
    struct pg_conn *p = ctx;
    struct strbuf *out = &p->out.out;
    TRY(check_count(p, b->column_count));
    for (uint32_t i = 0; i < p->column_count; i++) bind_vector(&p->columns[i], &b->columns[i]);
    for (uint32_t r = 0; r < b->count; r++) {
        uint32_t row = b->sel ? b->sel[r] : r;
        pg__begin(&p->out, 'D');
        pg__put_u16(&p->out, (uint16_t)p->column_count);
        for (uint32_t i = 0; i < p->column_count; i++) {
            const struct pg_column *c = &p->columns[i];
            uint32_t at = c->step == 0 ? 0 : c->codes ? c->codes[row] : row;
            if (nulls_get(c->nulls, at)) put_null(out);
            else put_value(p, c, c->data + (size_t)at * c->step);
        }
        TRY(pg__end(&p->out));
    }
    return OK;
}
