/* Memcomparable keys: encoding. Values of each kind are laid so that memcmp orders them (the forms
 * are drawn in key.h); the parts' bytes are made ascending first and inverted afterwards for DESC.
 *
 *   numeric   class byte; for the finite but zero: 3 bytes of decimal exponent (offset 2^23), then
 *             the digits in pairs, each 1 + pair, then 0. All of it inverted for negatives.
 *   interval  its length in microseconds at 30 days a month: 4 + 8 bytes, sign flipped
 *   arrays    each element as 2 + its key or 3 for NULL, then 1; then u8 dimensions, and of each
 *             i32 length and i32 lower bound. oidvector: u32 count before it all
 *   records   each field as 2, u32 type, then 2 and its key or 3 for NULL; then 1
 *   ranges    each range as 2 + lower bound + upper bound; then 1. A bound: 0 for an infinite lower and 2
 *             for an infinite upper one; else 1 + its key, then 1 when it lies behind the value, else 0
 *   jsonb     as docs/format/jsonb.md has it */
#include "types/key.h"

#include "types/array.h"
#include "types/datetime.h"
#include "types/jsonb_priv.h"
#include "types/key_priv.h"
#include "types/numeric.h"
#include "types/range.h"
#include "types/record.h"
#include "types/value_priv.h"

static inline char *grow(struct strbuf *out, size_t n)
{
    strbuf_reserve(out, n);
    char *p = out->data + out->len;
    out->len += n;
    out->data[out->len] = '\0';
    return p;
}

static inline void put_u16(struct strbuf *out, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(grow(out, sizeof(v)), &v, sizeof(v));
}

static inline void put_u32(struct strbuf *out, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(grow(out, sizeof(v)), &v, sizeof(v));
}

static inline void put_u64(struct strbuf *out, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(grow(out, sizeof(v)), &v, sizeof(v));
}

static inline void put_i32(struct strbuf *out, int32_t v)
{
    put_u32(out, (uint32_t)v ^ 1u << 31);
}

/* The usual trick: negatives inverted whole, the others above them. */
static void put_f32(struct strbuf *out, float v)
{
    uint32_t u;
    if (v == 0) v = 0;
    if (__builtin_isnan(v)) v = __builtin_nanf("");
    memcpy(&u, &v, sizeof(u));
    put_u32(out, u >> 31 ? ~u : u | 1u << 31);
}

static void put_f64(struct strbuf *out, double v)
{
    uint64_t u;
    if (v == 0) v = 0;
    if (__builtin_isnan(v)) v = __builtin_nan("");
    memcpy(&u, &v, sizeof(u));
    put_u64(out, u >> 63 ? ~u : u | 1ull << 63);
}

static void put_bytes(struct strbuf *out, const char *p, size_t n)
{
    const char *end = p + n, *zero;
    strbuf_reserve(out, n + 2);
    while (p < end && (zero = memchr(p, 0, (size_t)(end - p)))) {
        strbuf_add(out, p, (size_t)(zero - p));
        strbuf_add(out, "\0\377", 2);
        p = zero + 1;
    }
    if (p < end) strbuf_add(out, p, (size_t)(end - p));
    strbuf_add(out, "\0\1", 2);
}

static void put_exponent(struct strbuf *out, int32_t exponent)
{
    uint32_t e = (uint32_t)(exponent + KEY_EXPONENT_BIAS);
    char *p = grow(out, 3);
    p[0] = (char)(e >> 16);
    p[1] = (char)(e >> 8);
    p[2] = (char)e;
}

/* |coefficient| below 10^18, not 0. The value is 0.d1d2d3… × 10^exponent. */
static void put_small_digits(struct strbuf *out, uint64_t c, int32_t scale)
{
    char pairs[11];
    int n = sizeof(pairs), digits = 0;
    while (c % 10 == 0) {
        c /= 10;
        scale--;
    }
    for (uint64_t x = c; x; x /= 10) digits++;
    put_exponent(out, digits - scale);
    if (digits & 1) c *= 10;
    pairs[--n] = 0;
    for (; c; c /= 100) pairs[--n] = (char)(1 + c % 100);
    strbuf_add(out, pairs + n, sizeof(pairs) - (size_t)n);
}

/* By way of the text: big numbers are rare in keys. */
static void put_big_digits(struct strbuf *out, const struct numeric *v)
{
    struct strbuf text;
    size_t point, first, n = 0;
    strbuf_init(&text, NULL);
    numeric_to_text(v, &text);
    char *p = text.data + (text.data[0] == '-'), *digits = text.data;
    point = strcspn(p, ".");
    for (; *p; p++)
        if (*p != '.') digits[n++] = *p;
    while (n && digits[n - 1] == '0') n--;
    for (first = 0; first < n && digits[first] == '0';) first++;
    put_exponent(out, (int32_t)point - (int32_t)first);
    for (size_t i = first; i < n; i += 2) {
        int high = digits[i] - '0', low = i + 1 < n ? digits[i + 1] - '0' : 0;
        strbuf_addc(out, (char)(1 + high * 10 + low));
    }
    strbuf_addc(out, '\0');
    strbuf_release(&text);
}

static void invert(struct strbuf *out, size_t from)
{
    for (size_t i = from; i < out->len; i++) out->data[i] = (char)~out->data[i];
}

static void put_numeric(struct strbuf *out, const struct numeric *v)
{
    int sign;
    switch ((enum numeric_kind)v->kind) {
    case NUMERIC_NAN:
        strbuf_addc(out, KEY_NAN);
        return;
    case NUMERIC_PINF:
        strbuf_addc(out, KEY_PINF);
        return;
    case NUMERIC_NINF:
        strbuf_addc(out, KEY_NINF);
        return;
    default:
        break;
    }
    sign = v->kind == NUMERIC_SMALL ? (v->coefficient > 0) - (v->coefficient < 0)
                                    : numeric_sign(v);
    strbuf_addc(out, sign < 0 ? KEY_NEGATIVE : sign ? KEY_POSITIVE : KEY_ZERO);
    if (!sign) return;
    size_t from = out->len;
    if (v->kind == NUMERIC_SMALL)
        put_small_digits(out, (uint64_t)(sign < 0 ? -v->coefficient : v->coefficient), v->scale);
    else
        put_big_digits(out, v);
    if (sign < 0) invert(out, from);
}

static void put_interval(struct strbuf *out, const struct interval *i)
{
    __int128 us = ((__int128)i->months * 30 + i->days) * US_PER_DAY + i->us;
    put_i32(out, (int32_t)(us >> 64));
    put_u64(out, (uint64_t)us);
}

static void put_value(type_id type, const union value *v, struct strbuf *out);

static void put_array(type_id type, const struct bytes *b, struct strbuf *out)
{
    struct array_view v;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    enum status s = array_open(b, &arena, &v);
    ASSERT(s == OK); /* values are well-formed once they are inside */
    if (type == TYPE_OIDVECTOR) put_u32(out, v.count);
    for (uint32_t i = 0; i < v.count; i++) {
        strbuf_addc(out, v.elements[i].null ? KEY_NULL_LAST : KEY_NOT_NULL);
        if (!v.elements[i].null) put_value(v.element, &v.elements[i].v, out);
    }
    strbuf_addc(out, KEY_ARRAY_END);
    strbuf_addc(out, (char)v.ndim);
    for (int i = 0; i < v.ndim; i++) {
        put_i32(out, v.dims[i]);
        put_i32(out, v.lower[i]);
    }
    arena_release(&arena);
}

static void put_record(const struct bytes *b, struct strbuf *out)
{
    struct record_view v;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    enum status s = record_open(b, &arena, &v);
    ASSERT(s == OK);
    for (uint32_t i = 0; i < v.count; i++) {
        strbuf_addc(out, KEY_NOT_NULL); /* another field */
        put_u32(out, v.types[i]);
        strbuf_addc(out, v.fields[i].null ? KEY_NULL_LAST : KEY_NOT_NULL);
        if (!v.fields[i].null) put_value(v.types[i], &v.fields[i].v, out);
    }
    strbuf_addc(out, KEY_ARRAY_END);
    arena_release(&arena);
}

/* A lower bound that leaves its value out lies behind it, and so does an upper one that has it in. */
static void put_bound(type_id subtype, const struct range_bound *b, struct strbuf *out)
{
    strbuf_addc(out, (char)(!b->infinite ? KEY_FINITE
                            : b->lower   ? KEY_UNBOUNDED_LOW
                                         : KEY_UNBOUNDED_HIGH));
    if (b->infinite) return;
    put_value(subtype, &b->v, out);
    strbuf_addc(out, b->inclusive != b->lower);
}

static void put_ranges(const struct bytes *b, struct strbuf *out)
{
    struct ranges r;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    enum status s = ranges_open(b, &arena, &r);
    ASSERT(s == OK);
    for (uint32_t i = 0; i < r.count; i++) {
        strbuf_addc(out, KEY_NOT_NULL); /* another range */
        put_bound(range_subtype(r.type), &r.items[i].lower, out);
        put_bound(range_subtype(r.type), &r.items[i].upper, out);
    }
    strbuf_addc(out, KEY_ARRAY_END);
    arena_release(&arena);
}

static void put_json(const struct json_value *v, enum jsonb__rank rank, struct strbuf *out)
{
    struct arena arena;
    strbuf_addc(out, (char)rank);
    if (v->kind == JSON_STRING) put_bytes(out, v->bytes.data, v->bytes.len);
    if (jsonb_is_true_false(v)) strbuf_addc(out, v->kind == JSON_TRUE);
    if (v->kind == JSON_NUMBER) {
        arena_init(&arena, MEM_QUERY);
        struct numeric n = jsonb_number(v, &arena);
        put_numeric(out, &n);
        arena_release(&arena);
    }
    if (rank != JSONB__ARRAY && rank != JSONB__OBJECT) return;
    put_u32(out, v->count);
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_pair p = {0};
        if (rank == JSONB__ARRAY) p.value = jsonb_item(v, i);
        else p = jsonb_pair(v, i);
        if (rank == JSONB__OBJECT) put_bytes(out, p.key.data, p.key.len);
        put_json(&p.value, jsonb__rank(&p.value), out);
    }
}

static void put_jsonb(const struct bytes *b, struct strbuf *out)
{
    struct json_value v = jsonb_of(b);
    put_json(&v, jsonb__root_rank(&v), out);
}

static void put_value(type_id type, const union value *v, struct strbuf *out)
{
    switch (type_rep(type)) {
    case REP_BOOL:
        strbuf_addc(out, (char)v->b);
        return;
    case REP_I16:
        put_u16(out, (uint16_t)v->i16 ^ 0x8000);
        return;
    case REP_I32:
        put_i32(out, v->i32);
        return;
    case REP_U32:
        put_u32(out, v->u32);
        return;
    case REP_I64:
        put_u64(out, (uint64_t)v->i64 ^ 1ull << 63);
        return;
    case REP_F32:
        put_f32(out, v->f32);
        return;
    case REP_F64:
        put_f64(out, v->f64);
        return;
    case REP_BYTES:
        if (type_is_array(type))
            put_array(type, &v->bytes, out);
        else if (type_is_composite(type))
            put_record(&v->bytes, out);
        else if (type == TYPE_JSONB)
            put_jsonb(&v->bytes, out);
        else if (type_is_ranges(type))
            put_ranges(&v->bytes, out);
        else if (type == TYPE_BPCHAR)
            put_bytes(out, bytes_data(&v->bytes), value__trimmed_len(&v->bytes));
        else
            put_bytes(out, bytes_data(&v->bytes), v->bytes.len);
        return;
    case REP_NUMERIC:
        put_numeric(out, &v->numeric);
        return;
    case REP_INTERVAL:
        put_interval(out, &v->interval);
        return;
    case REP_UUID:
        strbuf_add(out, v->uuid, sizeof(v->uuid));
        return;
    }
}

void key_encode(const struct key_part *part, struct datum d, struct strbuf *out)
{
    size_t from = out->len;
    if (d.null) {
        /* inverted below, so the other way round for DESC */
        strbuf_addc(out, part->nulls_first != part->descending ? KEY_NULL_FIRST : KEY_NULL_LAST);
    } else {
        strbuf_addc(out, KEY_NOT_NULL);
        put_value(part->type, &d.v, out);
    }
    if (part->descending) invert(out, from);
}

bool key_successor(struct strbuf *prefix)
{
    size_t n = prefix->len;
    while (n && (uint8_t)prefix->data[n - 1] == 0xff) n--;
    if (!n) return false;
    prefix->data[n - 1]++;
    prefix->data[n] = '\0';
    prefix->len = n;
    return true;
}
