/* Printing of values: one function a type family, as PostgreSQL's output functions do. reg* print
 * their number; the names behind it belong to the catalog, above. */
#include "types/value.h"

#include "types/bits.h"
#include "types/datetime.h"
#include "types/jsonb.h"
#include "types/jsonpath.h"
#include "types/money.h"
#include "types/net.h"
#include "types/numeric.h"
#include "types/position.h"
#include "types/range.h"
#include "types/record.h"
#include "types/timetz.h"
#include "types/value_priv.h"

enum { INT_DIGITS_MAX = 20, UUID_CHARS = 36 };

const struct format_options format_default = {.extra_float_digits = 1};

static void add_i64(struct strbuf *out, int64_t v)
{
    char buf[INT_DIGITS_MAX + 1];
    int n = sizeof(buf);
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        buf[--n] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0) buf[--n] = '-';
    strbuf_add(out, buf + n, sizeof(buf) - (size_t)n);
}

static void add_uuid(struct strbuf *out, const uint8_t *uuid)
{
    static const char hex[] = "0123456789abcdef";
    char buf[UUID_CHARS];
    int n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) buf[n++] = '-';
        buf[n++] = hex[uuid[i] >> 4];
        buf[n++] = hex[uuid[i] & 15];
    }
    strbuf_add(out, buf, sizeof(buf));
}

/* "char": a byte above ASCII is no text by itself. */
static void add_char1(struct strbuf *out, const struct bytes *b)
{
    if (b->len == 0) return;
    uint8_t c = (uint8_t)bytes_data(b)[0];
    if (c > 0x7f)
        strbuf_addf(out, "\\%03o", c);
    else
        strbuf_addc(out, (char)c);
}

static void add_u32(struct strbuf *out, type_id type, uint32_t v, const struct format_options *fmt)
{
    if (fmt->names && type_is_reg(type))
        fmt->names->print(fmt->names->ctx, type, v, out);
    else if (v == 0 && type != TYPE_OID && type != TYPE_XID)
        strbuf_addc(out, '-');
    else if (type == TYPE_REGTYPE && type_get(v))
        type_format(v, -1, out);
    else
        add_i64(out, v);
}

static void add_bytes(type_id type, const struct bytes *b, const struct format_options *fmt,
                      struct strbuf *out)
{
    switch (type) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
        break;
    case TYPE_BYTEA:
        value__bytea_to_text(b, fmt->bytea_escape, out);
        return;
    case TYPE_CHAR1:
        add_char1(out, b);
        return;
    case TYPE_JSONB:
        jsonb_to_text(bytes_slice(b), out);
        return;
    case TYPE_JSONPATH:
        jsonpath_print(bytes_slice(b), out);
        return;
    case TYPE_BIT:
    case TYPE_VARBIT:
        bits_to_text(b, out);
        return;
    case TYPE_INET:
    case TYPE_CIDR:
        net_to_text(type, b, out);
        return;
    case TYPE_MACADDR:
    case TYPE_MACADDR8:
        mac_to_text(b, out);
        return;
    case TYPE_TIMETZ:
        timetz_to_text(b, fmt, out);
        return;
    default:
        if (type_is_array(type)) {
            value__array_to_text(type, b, fmt, out);
            return;
        }
        if (type_is_composite(type)) {
            value__record_to_text(b, fmt, out);
            return;
        }
        if (type_is_ranges(type)) {
            ranges_to_text(type, b, fmt, out);
            return;
        }
    }
    strbuf_add(out, bytes_data(b), b->len);
}

/* A tid is block << 16 | offset. */
static void add_int_like(type_id type, const union value *v, const struct format_options *fmt,
                         struct strbuf *out)
{
    switch (type) {
    case TYPE_INT8:
        add_i64(out, v->i64);
        return;
    case TYPE_INT4:
        add_i64(out, v->i32);
        return;
    case TYPE_TID:
        strbuf_addf(out, "(%u,%u)", (uint32_t)(v->i64 >> 16), (uint32_t)(v->i64 & 0xffff));
        return;
    case TYPE_MONEY:
        money_to_text(v->i64, out);
        return;
    case TYPE_XID8:
    case TYPE_PG_LSN:
        position_to_text(type, v->i64, out);
        return;
    default:
        datetime_to_text(type, v, fmt, out);
    }
}

void value_to_text(type_id type, const union value *v, const struct format_options *fmt,
                   struct strbuf *out)
{
    switch (type_rep(type)) {
    case REP_BOOL:
        strbuf_addc(out, v->b ? 't' : 'f');
        return;
    case REP_I16:
        add_i64(out, v->i16);
        return;
    case REP_I32:
    case REP_I64:
    case REP_INTERVAL:
        add_int_like(type, v, fmt, out);
        return;
    case REP_U32:
        add_u32(out, type, v->u32, fmt);
        return;
    case REP_F32:
        value__float_to_text(v->f32, true, fmt->extra_float_digits, out);
        return;
    case REP_F64:
        value__float_to_text(v->f64, false, fmt->extra_float_digits, out);
        return;
    case REP_BYTES:
        add_bytes(type, &v->bytes, fmt, out);
        return;
    case REP_NUMERIC:
        numeric_to_text(&v->numeric, out);
        return;
    case REP_UUID:
        add_uuid(out, v->uuid);
        return;
    }
}
