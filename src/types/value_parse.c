/* Reading of values from text: PostgreSQL's input functions, with their leniencies (blanks around
 * numbers, prefixes of boolean words, -1 as an oid) and their messages. */
#include "types/value.h"

#include <errno.h>
#include <stdlib.h>

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

enum { NAME_BYTES_MAX = 63, TID_OFFSET_MAX = 65535 };

static enum status bad_syntax(const char *name, struct slice s)
{
    return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s: \"%.*s\"", name,
                (int)s.len, s.data);
}

static enum status out_of_range(const char *name, struct slice s)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value \"%.*s\" is out of range for type %s",
                (int)s.len, s.data, name);
}

static struct slice trim(struct slice s)
{
    while (s.len && value__is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && value__is_space(s.data[s.len - 1])) s.len--;
    return s;
}

/* An integer between -limit - 1 and limit. */
static enum status read_int(struct slice text, const char *name, uint64_t limit, int64_t *ret)
{
    struct slice s = trim(text);
    const char *p = s.data, *end = s.data + s.len;
    bool negative = p < end && *p == '-';
    uint64_t v = 0;
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return bad_syntax(name, text);
    if (negative) limit++;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(uint8_t)*p - '0';
        if (digit > 9) return bad_syntax(name, text);
        if (v > (limit - digit) / 10) return out_of_range(name, text);
        v = v * 10 + digit;
    }
    *ret = (int64_t)(negative ? -v : v);
    return OK;
}

/* `whole` in any case, or any beginning of it of `least` letters. */
static bool is_word(struct slice s, const char *whole, size_t least)
{
    size_t len = strlen(whole);
    return s.len >= least && s.len <= len && slice_eq_nocase(s, slice_make(whole, s.len));
}

static enum status read_bool(struct slice text, bool *ret)
{
    struct slice s = trim(text);
    if (is_word(s, "true", 1) || is_word(s, "yes", 1) || is_word(s, "on", 2) || is_word(s, "1", 1))
        *ret = true;
    else if (is_word(s, "false", 1) || is_word(s, "no", 1) || is_word(s, "off", 2) ||
             is_word(s, "0", 1))
        *ret = false;
    else
        return bad_syntax("boolean", text);
    return OK;
}

/* Negative numbers of 32 bits are taken, as strtoul does. */
static enum status read_oid(struct slice text, uint32_t *ret)
{
    int64_t v;
    struct slice s = trim(text);
    if (s.len == 0) return bad_syntax("oid", text);
    TRY(read_int(text, "oid", UINT32_MAX, &v));
    if (v < INT32_MIN) return out_of_range("oid", text);
    *ret = (uint32_t)v;
    return OK;
}

static enum status no_such_name(type_id type, struct slice s)
{
    int len = (int)s.len;
    switch (type) {
    case TYPE_REGCLASS:
        return FAIL(UNDEFINED_TABLE, "relation \"%.*s\" does not exist", len, s.data);
    case TYPE_REGTYPE:
        return FAIL(UNDEFINED_OBJECT, "type \"%.*s\" does not exist", len, s.data);
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
        return FAIL(UNDEFINED_FUNCTION, "function \"%.*s\" does not exist", len, s.data);
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
        return FAIL(UNDEFINED_FUNCTION, "operator does not exist: %.*s", len, s.data);
    case TYPE_REGCOLLATION:
        return FAIL(UNDEFINED_OBJECT, "collation \"%.*s\" for encoding \"UTF8\" does not exist",
                    len, s.data);
    case TYPE_REGNAMESPACE:
        return FAIL(INVALID_SCHEMA_NAME, "schema \"%.*s\" does not exist", len, s.data);
    default:
        return FAIL(UNDEFINED_OBJECT, "role \"%.*s\" does not exist", len, s.data);
    }
}

/* A type as regtype prints it. */
static const struct type_info *type_by_words(struct slice text)
{
    int count;
    const struct type_info *list = type_list(&count), *found = type_by_name(text);
    bool array = text.len > 2 && memcmp(text.data + text.len - 2, "[]", 2) == 0;
    if (array) text.len -= 2;
    for (int i = 0; i < count && !found; i++) {
        const struct type_info *t = &list[i];
        if (t->sql_name && slice_eq(slice_of(t->sql_name), text))
            found = !array ? t : t->array ? type_get(t->array) : NULL;
    }
    return found;
}

/* Without a session: a number, "-" or a type. */
static enum status read_reg(type_id type, struct slice text, const struct format_options *fmt,
                            struct arena *a, uint32_t *ret)
{
    if (fmt->names) return fmt->names->read(fmt->names->ctx, type, text, a, ret);
    bool digits = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        digits = digits && text.data[i] >= '0' && text.data[i] <= '9';
    if (digits) return read_oid(text, ret);
    if (slice_eq(text, SLICE("-"))) {
        *ret = 0;
        return OK;
    }
    const struct type_info *t = type == TYPE_REGTYPE ? type_by_words(text) : NULL;
    if (!t) return no_such_name(type, text);
    *ret = t->id;
    return OK;
}

static enum status read_u32(type_id type, struct slice text, const struct format_options *fmt,
                            struct arena *a, uint32_t *ret)
{
    if (type == TYPE_OID) return read_oid(text, ret);
    if (type != TYPE_XID) return read_reg(type, text, fmt, a, ret);
    *ret = (uint32_t)strtoul(arena_strndup(a, text.data, text.len), NULL, 0);
    return OK;
}

/* "(block,offset)" */
static enum status read_tid(struct slice text, struct arena *a, int64_t *ret)
{
    char *s = arena_strndup(a, text.data, text.len), *end;
    const char *open = strchr(s, '('), *comma = open ? strchr(open, ',') : NULL;
    if (!comma) return bad_syntax("tid", text);
    errno = 0;
    long block = strtol(open + 1, &end, 10);
    if (errno || end != comma || block < INT32_MIN || block > UINT32_MAX)
        return bad_syntax("tid", text);
    long offset = strtol(comma + 1, &end, 10);
    if (errno || *end != ')' || offset < 0 || offset > TID_OFFSET_MAX)
        return bad_syntax("tid", text);
    *ret = (int64_t)(uint32_t)block << 16 | offset;
    return OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hyphens may follow any group of four digits, braces surround it all. */
static enum status read_uuid(struct slice text, uint8_t *ret)
{
    const char *p = text.data, *end = text.data + text.len;
    uint8_t uuid[16];
    bool braces = p < end && *p == '{';
    if (braces) p++;
    for (int i = 0; i < 16; i++) {
        if (end - p < 2 || hex_value(p[0]) < 0 || hex_value(p[1]) < 0)
            return bad_syntax("uuid", text);
        uuid[i] = (uint8_t)(hex_value(p[0]) << 4 | hex_value(p[1]));
        p += 2;
        if (i % 2 && i < 15 && p < end && *p == '-') p++;
    }
    if (braces && (p >= end || *p++ != '}')) return bad_syntax("uuid", text);
    if (p != end) return bad_syntax("uuid", text);
    memcpy(ret, uuid, sizeof(uuid));
    return OK;
}

static struct bytes read_char1(struct slice s)
{
    char c = s.len ? s.data[0] : '\0';
    if (s.len == 4 && c == '\\' && s.data[1] >= '0' && s.data[1] <= '3' && s.data[2] >= '0' &&
        s.data[2] <= '7' && s.data[3] >= '0' && s.data[3] <= '7')
        c = (char)((s.data[1] - '0') << 6 | (s.data[2] - '0') << 3 | (s.data[3] - '0'));
    return bytes_ref(&c, c != '\0');
}

/* Cut to what a name holds, between characters. */
static struct slice cut_name(struct slice s)
{
    if (s.len <= NAME_BYTES_MAX) return s;
    s.len = NAME_BYTES_MAX;
    while (s.len && ((uint8_t)s.data[s.len] & 0xc0) == 0x80) s.len--;
    return s;
}

static enum status read_bytes(type_id type, int32_t typmod, struct slice text,
                              const struct format_options *fmt, struct arena *a, union value *ret)
{
    switch (type) {
    case TYPE_BYTEA:
        return value__bytea_from_text(text, a, &ret->bytes);
    case TYPE_CHAR1:
        ret->bytes = read_char1(text);
        return OK;
    case TYPE_NAME:
        ret->bytes = bytes_from_slice(a, cut_name(text));
        return OK;
    case TYPE_VOID:
        ret->bytes = bytes_ref("", 0);
        return OK;
    case TYPE_JSONPATH:
        return jsonpath_from_text(text, a, &ret->bytes);
    case TYPE_JSONB:
        return jsonb_from_text(text, a, &ret->bytes);
    case TYPE_BIT:
    case TYPE_VARBIT:
        return bits_from_text(type, typmod, text, a, &ret->bytes);
    case TYPE_INET:
    case TYPE_CIDR:
        return net_from_text(type, text, a, &ret->bytes);
    case TYPE_MACADDR:
    case TYPE_MACADDR8:
        return mac_from_text(type, text, a, &ret->bytes);
    case TYPE_TIMETZ:
        return timetz_from_text(typmod, text, fmt, &ret->bytes);
    case TYPE_ANYARRAY:
    case TYPE_ANYCOMPATIBLEARRAY:
    case TYPE_ANYRANGE:
    case TYPE_ANYMULTIRANGE:
    case TYPE_TRIGGER:
    case TYPE_INTERNAL:
    case TYPE_PG_NODE_TREE:
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot accept a value of type %s",
                    type_get(type)->name);
    default:
        if (type_is_array(type))
            return value__array_from_text(type, typmod, text, fmt, a, &ret->bytes);
        if (type_is_composite(type))
            return value__record_from_text(type, text, fmt, a, &ret->bytes);
        if (type_is_ranges(type)) return ranges_from_text(type, text, fmt, a, &ret->bytes);
        if (type == TYPE_JSON) TRY(json_check(text));
        ret->bytes = bytes_from_slice(a, text);
        return value_apply_typmod(type, typmod, false, a, ret);
    }
}

static enum status read_value(type_id type, int32_t typmod, struct slice text,
                              const struct format_options *fmt, struct arena *a, union value *ret)
{
    int64_t i = 0;
    double f = 0;
    switch (type_rep(type)) {
    case REP_BOOL:
        return read_bool(text, &ret->b);
    case REP_I16:
        TRY(read_int(text, "smallint", INT16_MAX, &i));
        ret->i16 = (int16_t)i;
        return OK;
    case REP_I32:
        if (type != TYPE_INT4) return datetime_from_text(type, typmod, text, fmt, ret);
        TRY(read_int(text, "integer", INT32_MAX, &i));
        ret->i32 = (int32_t)i;
        return OK;
    case REP_U32:
        return read_u32(type, text, fmt, a, &ret->u32);
    case REP_I64:
        if (type == TYPE_INT8) return read_int(text, "bigint", INT64_MAX, &ret->i64);
        if (type == TYPE_TID) return read_tid(text, a, &ret->i64);
        if (type == TYPE_MONEY) return money_from_text(text, &ret->i64);
        if (type_is_position(type)) return position_from_text(type, text, &ret->i64);
        return datetime_from_text(type, typmod, text, fmt, ret);
    case REP_INTERVAL:
        return datetime_from_text(type, typmod, text, fmt, ret);
    case REP_F32:
        TRY(value__float_from_text(true, text, a, &f));
        ret->f32 = (float)f;
        return OK;
    case REP_F64:
        return value__float_from_text(false, text, a, &ret->f64);
    case REP_NUMERIC:
        return numeric_from_text(text, typmod, a, &ret->numeric);
    case REP_UUID:
        return read_uuid(text, ret->uuid);
    case REP_BYTES:
        return read_bytes(type, typmod, text, fmt, a, ret);
    }
    UNREACHABLE();
}

enum status value_from_text(type_id type, int32_t typmod, struct slice text,
                            const struct format_options *fmt, struct arena *a, union value *ret)
{
    union value v;
    memset(&v, 0, sizeof(v));
    TRY(read_value(type, typmod, text, fmt, a, &v));
    *ret = v;
    return OK;
}
