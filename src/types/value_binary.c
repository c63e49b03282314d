/* The wire's binary forms, as PostgreSQL's send and receive functions have them: integers in
 * network order, text as it is, arrays as a header and length-prefixed elements. What comes in is
 * checked as text input is: it comes from a client. */
#include "types/value.h"

#include "types/array.h"
#include "types/bits.h"
#include "types/datetime.h"
#include "types/jsonb.h"
#include "types/jsonpath.h"
#include "types/net.h"
#include "types/numeric.h"
#include "types/position.h"
#include "types/range.h"
#include "types/record.h"
#include "types/timetz.h"
#include "types/value_priv.h"

enum { NAME_BYTES_MAX = 63, ARRAY_HEADER = 12, TID_BYTES = 6, JSON_VERSION = 1 };
/* PostgreSQL's ranges: 4714-11-24 BC to 5874897 for dates, to 294276 for timestamps. */
#define DATE_FIRST (-2451545)
#define DATE_END 2145031949
#define TS_FIRST (-211813488000000000ll)
#define TS_END 9223371331200000000ll

static void put_be(struct strbuf *out, uint64_t v, int bytes)
{
    char buf[8];
    for (int i = 0; i < bytes; i++) buf[i] = (char)(v >> 8 * (bytes - 1 - i));
    strbuf_add(out, buf, (size_t)bytes);
}

static uint64_t get_be(const char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | (uint8_t)p[i];
    return v;
}

static void patch_be32(struct strbuf *out, size_t at, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(out->data + at, &v, sizeof(v));
}

static void put_array(const struct bytes *b, struct strbuf *out)
{
    struct array_view v;
    struct arena a;
    bool nulls = false;
    arena_init(&a, MEM_QUERY);
    enum status s = array_open(b, &a, &v);
    ASSERT(s == OK); /* values are well-formed once they are inside */
    for (uint32_t i = 0; i < v.count; i++) nulls = nulls || v.elements[i].null;
    put_be(out, (uint64_t)v.ndim, 4);
    put_be(out, nulls, 4);
    put_be(out, v.element, 4);
    for (int i = 0; i < v.ndim; i++) {
        put_be(out, (uint32_t)v.dims[i], 4);
        put_be(out, (uint32_t)v.lower[i], 4);
    }
    for (uint32_t i = 0; i < v.count; i++) {
        size_t at = out->len;
        put_be(out, UINT32_MAX, 4);
        if (v.elements[i].null) continue;
        value_to_binary(v.element, &v.elements[i].v, out);
        patch_be32(out, at, (uint32_t)(out->len - at - 4));
    }
    arena_release(&a);
}

/* A version, and the text. */
static void put_versioned(type_id type, const struct bytes *b, struct strbuf *out)
{
    strbuf_addc(out, JSON_VERSION);
    if (type == TYPE_JSONB) jsonb_to_text(bytes_slice(b), out);
    else jsonpath_print(bytes_slice(b), out);
}

static void put_bytes(type_id type, const struct bytes *b, struct strbuf *out)
{
    if (type_is_array(type))
        put_array(b, out);
    else if (type_is_composite(type))
        value__record_to_binary(b, out);
    else if (type == TYPE_JSONB || type == TYPE_JSONPATH)
        put_versioned(type, b, out);
    else if (type == TYPE_CHAR1 && b->len == 0)
        strbuf_addc(out, '\0');
    else if (type == TYPE_BIT || type == TYPE_VARBIT)
        bits_to_binary(b, out);
    else if (type == TYPE_INET || type == TYPE_CIDR)
        net_to_binary(type, b, out);
    else if (type == TYPE_TIMETZ)
        timetz_to_binary(b, out);
    else if (type_is_ranges(type))
        ranges_to_binary(type, b, out);
    else
        strbuf_add(out, bytes_data(b), b->len);
}

void value_to_binary(type_id type, const union value *v, struct strbuf *out)
{
    uint64_t bits;
    uint32_t bits32;
    switch (type_rep(type)) {
    case REP_BOOL:
        put_be(out, v->b, 1);
        return;
    case REP_I16:
        put_be(out, (uint16_t)v->i16, 2);
        return;
    case REP_I32:
        put_be(out, (uint32_t)v->i32, 4);
        return;
    case REP_U32:
        put_be(out, v->u32, 4);
        return;
    case REP_I64:
        put_be(out, type_is_position(type) ? position_open(v->i64) : (uint64_t)v->i64,
               type == TYPE_TID ? TID_BYTES : 8);
        return;
    case REP_F32:
        memcpy(&bits32, &v->f32, sizeof(bits32));
        put_be(out, bits32, 4);
        return;
    case REP_F64:
        memcpy(&bits, &v->f64, sizeof(bits));
        put_be(out, bits, 8);
        return;
    case REP_BYTES:
        put_bytes(type, &v->bytes, out);
        return;
    case REP_NUMERIC:
        numeric_to_binary(&v->numeric, out);
        return;
    case REP_INTERVAL:
        put_be(out, (uint64_t)v->interval.us, 8);
        put_be(out, (uint32_t)v->interval.days, 4);
        put_be(out, (uint32_t)v->interval.months, 4);
        return;
    case REP_UUID:
        strbuf_add(out, v->uuid, sizeof(v->uuid));
        return;
    }
}

static enum status too_short(void)
{
    return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
}

static enum status want_len(struct slice s, size_t len)
{
    if (s.len < len) return too_short();
    if (s.len > len)
        return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    return OK;
}

/* Length of the well-formed UTF-8 character at p, 0 for none (RFC 3629). */
static int utf8_len(const uint8_t *p, size_t left)
{
    uint8_t c = p[0], low = 0x80, high = 0xbf;
    int n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (c == 0 || (size_t)n > left) return 0;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    for (int i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (p[i] < low || p[i] > high) return 0;
    return n;
}

static enum status check_utf8(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.data, *end = p + s.len;
    while (p < end) {
        int n = utf8_len(p, (size_t)(end - p));
        if (n == 0)
            return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                        "invalid byte sequence for encoding \"UTF8\": 0x%02x", *p);
        p += n;
    }
    return OK;
}

static enum status name_too_long(void)
{
    (void)FAIL(NAME_TOO_LONG, "identifier too long");
    return error_detail("Identifier must be less than %d characters.", NAME_BYTES_MAX + 1);
}

/* The dimensions; leaves *s at the first element. */
static enum status get_dims(struct slice *s, struct array_view *v)
{
    uint64_t product = v->ndim ? 1 : 0;
    if (s->len < 8 * (size_t)v->ndim) return too_short();
    for (int i = 0; i < v->ndim; i++, s->data += 8, s->len -= 8) {
        v->dims[i] = (int32_t)get_be(s->data, 4);
        v->lower[i] = (int32_t)get_be(s->data + 4, 4);
        if (v->dims[i] < 0 || (int64_t)v->lower[i] + v->dims[i] > INT32_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "array lower bound is too large: %d",
                        v->lower[i]);
        product *= (uint64_t)v->dims[i];
        if (product > UINT32_MAX) return too_short();
    }
    /* an element takes at least its length */
    if (product > s->len / 4) return too_short();
    v->count = (uint32_t)product;
    return OK;
}

static enum status get_elements(struct slice *s, int32_t typmod, const struct reg_names *names,
                                struct arena *a, struct array_view *v)
{
    v->elements = ARENA_ARRAY(a, struct datum, v->count);
    for (uint32_t i = 0; i < v->count; i++) {
        if (s->len < 4) return too_short();
        uint32_t len = (uint32_t)get_be(s->data, 4);
        s->data += 4;
        s->len -= 4;
        v->elements[i].null = len == UINT32_MAX;
        if (v->elements[i].null) continue;
        if (len > s->len)
            return FAIL(INVALID_BINARY_REPRESENTATION, "insufficient data left in message");
        TRY(value_from_binary(v->element, typmod, slice_make(s->data, len), names, a,
                              &v->elements[i].v));
        s->data += len;
        s->len -= len;
    }
    return OK;
}

static enum status get_array(type_id type, int32_t typmod, struct slice s,
                             const struct reg_names *names, struct arena *a, struct bytes *ret)
{
    struct array_view v = {.element = type_get(type)->element};
    if (s.len < ARRAY_HEADER) return too_short();
    v.ndim = (int32_t)get_be(s.data, 4);
    uint32_t flags = (uint32_t)get_be(s.data + 4, 4), element = (uint32_t)get_be(s.data + 8, 4);
    if (v.ndim < 0)
        return FAIL(INVALID_BINARY_REPRESENTATION, "invalid number of dimensions: %d", v.ndim);
    if (v.ndim > ARRAY_DIMS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "number of array dimensions (%d) exceeds the maximum allowed (%d)", v.ndim,
                    ARRAY_DIMS_MAX);
    if (flags > 1) return FAIL(INVALID_BINARY_REPRESENTATION, "invalid array flags");
    if (element != v.element) {
        const struct type_info *given = type_get(element);
        return FAIL(DATATYPE_MISMATCH, "binary data has array element type %u (%s) instead of "
                    "expected %u (%s)", element, given ? given->sql_name : "???", v.element,
                    type_get(v.element)->sql_name);
    }
    s.data += ARRAY_HEADER;
    s.len -= ARRAY_HEADER;
    TRY(get_dims(&s, &v));
    TRY(get_elements(&s, typmod, names, a, &v));
    TRY(want_len(s, 0));
    if (v.count == 0) v.ndim = 0;
    *ret = array_make_view(a, &v);
    return OK;
}

static enum status get_versioned(type_id type, struct slice s, struct arena *a, struct bytes *ret)
{
    if (s.len < 1) return too_short();
    if (s.data[0] != JSON_VERSION)
        return FAIL(INTERNAL_ERROR, "unsupported %s version number %d", type_get(type)->name,
                    (uint8_t)s.data[0]);
    s = slice_make(s.data + 1, s.len - 1);
    TRY(check_utf8(s));
    return type == TYPE_JSONB ? jsonb_from_text(s, a, ret) : jsonpath_from_text(s, a, ret);
}

static enum status get_bytes(type_id type, int32_t typmod, struct slice s,
                             const struct reg_names *names, struct arena *a, union value *ret)
{
    if (type_is_array(type)) return get_array(type, typmod, s, names, a, &ret->bytes);
    if (type_is_composite(type))
        return value__record_from_binary(type, s, names, a, &ret->bytes);
    if (type_is_ranges(type)) return ranges_from_binary(type, s, names, a, &ret->bytes);
    switch (type) {
    case TYPE_JSONB:
    case TYPE_JSONPATH:
        return get_versioned(type, s, a, &ret->bytes);
    case TYPE_BIT:
    case TYPE_VARBIT:
        return bits_from_binary(type, typmod, s, a, &ret->bytes);
    case TYPE_INET:
    case TYPE_CIDR:
        return net_from_binary(type, s, a, &ret->bytes);
    case TYPE_MACADDR:
    case TYPE_MACADDR8:
        return mac_from_binary(type, s, &ret->bytes);
    case TYPE_TIMETZ:
        return timetz_from_binary(s, &ret->bytes);
    case TYPE_CHAR1:
        TRY(want_len(s, 1));
        ret->bytes = bytes_ref(s.data, s.data[0] != '\0');
        return OK;
    case TYPE_NAME:
        TRY(check_utf8(s));
        if (s.len > NAME_BYTES_MAX)
            return name_too_long();
        break;
    case TYPE_BYTEA:
    case TYPE_VOID:
        break;
    default:
        if (type_get(type)->category == 'P' && type != TYPE_CSTRING && type != TYPE_ANY)
            return FAIL(FEATURE_NOT_SUPPORTED, "cannot accept a value of type %s",
                        type_get(type)->name);
        TRY(check_utf8(s));
        if (type == TYPE_JSON) TRY(json_check(s));
    }
    ret->bytes = bytes_from_slice(a, s);
    return OK;
}

static enum status get_time(type_id type, union value *v)
{
    int64_t t = v->i64;
    if (type == TYPE_TIME && (t < 0 || t > US_PER_DAY))
        return FAIL(DATETIME_FIELD_OVERFLOW, "time out of range");
    if ((type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ) && t != TS_NOBEGIN && t != TS_NOEND &&
        (t < TS_FIRST || t >= TS_END))
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    return OK;
}

static enum status get_date(int32_t d)
{
    if (d != DATE_NOBEGIN && d != DATE_NOEND && (d < DATE_FIRST || d >= DATE_END))
        return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range");
    return OK;
}

/* Types of 1 to 16 bytes; the length is right already. */
static enum status get_fixed(type_id type, const char *p, union value *v)
{
    uint64_t bits;
    uint32_t bits32;
    switch (type_rep(type)) {
    case REP_BOOL:
        v->b = *p != 0;
        return OK;
    case REP_I16:
        v->i16 = (int16_t)get_be(p, 2);
        return OK;
    case REP_I32:
        v->i32 = (int32_t)get_be(p, 4);
        return type == TYPE_DATE ? get_date(v->i32) : OK;
    case REP_U32:
        v->u32 = (uint32_t)get_be(p, 4);
        return OK;
    case REP_I64:
        v->i64 = (int64_t)get_be(p, type == TYPE_TID ? TID_BYTES : 8);
        if (type_is_position(type)) v->i64 = position_close((uint64_t)v->i64);
        return get_time(type, v);
    case REP_F32:
        bits32 = (uint32_t)get_be(p, 4);
        memcpy(&v->f32, &bits32, sizeof(bits32));
        return OK;
    case REP_F64:
        bits = get_be(p, 8);
        memcpy(&v->f64, &bits, sizeof(bits));
        return OK;
    case REP_INTERVAL:
        v->interval.us = (int64_t)get_be(p, 8);
        v->interval.days = (int32_t)get_be(p + 8, 4);
        v->interval.months = (int32_t)get_be(p + 12, 4);
        return OK;
    default:
        memcpy(v->uuid, p, sizeof(v->uuid));
        return OK;
    }
}

enum status value_from_binary(type_id type, int32_t typmod, struct slice data,
                              const struct reg_names *names, struct arena *a, union value *ret)
{
    const struct type_info *t = type_get(type);
    union value v;
    memset(&v, 0, sizeof(v));
    if (t->rep == REP_NUMERIC) return numeric_from_binary(data, typmod, a, &ret->numeric);
    if (t->rep == REP_BYTES) {
        TRY(get_bytes(type, typmod, data, names, a, &v));
    } else {
        TRY(want_len(data, type == TYPE_TID ? TID_BYTES : t->width));
        TRY(get_fixed(type, data.data, &v));
    }
    /* the elements of an array and the fields of a row were fitted one by one */
    if (!type_is_array(type) && !type_is_composite(type))
        TRY(value_apply_typmod(type, typmod, false, a, &v));
    *ret = v;
    return OK;
}
