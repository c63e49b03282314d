/* Memcomparable keys: decoding, the reverse of key.c. The reader undoes the inversion of a DESC
 * part byte by byte. What the encoding does not keep comes back in its least form: a numeric's
 * scale, char(n)'s blanks, the split of an interval into months and days. */
#include "types/key.h"

#include "base/array.h"
#include "base/fiber.h"
#include "types/array.h"
#include "types/datetime.h"
#include "types/jsonb_priv.h"
#include "types/key_priv.h"
#include "types/numeric.h"
#include "types/range.h"
#include "types/record.h"

enum { STACK_MIN = 64 << 10 };

struct reader {
    const uint8_t *p, *end;
    uint8_t mask;  /* 0xff: the bytes are inverted */
    bool overrun;  /* something was read beyond the end */
};

static enum status corrupted(void)
{
    return FAIL(DATA_CORRUPTED, "malformed index key");
}

static inline uint8_t get_u8(struct reader *r)
{
    if (r->p >= r->end) {
        r->overrun = true;
        return 0;
    }
    return *r->p++ ^ r->mask;
}

static uint64_t get_be(struct reader *r, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | get_u8(r);
    return v;
}

static int32_t get_i32(struct reader *r)
{
    return (int32_t)((uint32_t)get_be(r, 4) ^ 1u << 31);
}

static float get_f32(struct reader *r)
{
    uint32_t u = (uint32_t)get_be(r, 4);
    float f;
    u = u >> 31 ? u & ~(1u << 31) : ~u;
    memcpy(&f, &u, sizeof(f));
    return f;
}

static double get_f64(struct reader *r)
{
    uint64_t u = get_be(r, 8);
    double f;
    u = u >> 63 ? u & ~(1ull << 63) : ~u;
    memcpy(&f, &u, sizeof(f));
    return f;
}

static enum status get_bytes(struct reader *r, struct arena *a, struct bytes *ret)
{
    const uint8_t zero = r->mask;
    size_t n = 0;
    /* First how long, then the bytes themselves. */
    for (const uint8_t *p = r->p;; n++) {
        p = memchr(p, zero, (size_t)(r->end - p));
        if (!p || p + 1 >= r->end) return corrupted();
        uint8_t after = p[1] ^ r->mask;
        p += 2;
        if (after == 1) {
            n = (size_t)(p - r->p) - 2 - n;
            break;
        }
        if (after != 0xff) return corrupted();
    }
    char *data = arena_alloc_aligned(a, n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        data[i] = (char)(*r->p++ ^ r->mask);
        if (data[i] == '\0') r->p++;
    }
    r->p += 2;
    *ret = bytes_ref(data, (uint32_t)n);
    return OK;
}

enum { SMALL_DIGITS = 18, NUMERIC_DIGITS_MAX = 131072 + 16383 };

/* 0.digits × 10^exponent as text, for numbers that are not small. */
static enum status big_numeric(bool negative, const char *digits, int32_t n, int32_t exponent,
                               struct arena *a, struct numeric *ret)
{
    struct strbuf text;
    strbuf_init(&text, NULL);
    if (negative) strbuf_addc(&text, '-');
    if (exponent <= 0) strbuf_adds(&text, "0.");
    for (int32_t i = exponent; i < 0; i++) strbuf_addc(&text, '0');
    for (int32_t i = 0; i < n; i++) {
        if (i == exponent && i) strbuf_addc(&text, '.');
        strbuf_addc(&text, digits[i]);
    }
    for (int32_t i = n; i < exponent; i++) strbuf_addc(&text, '0');
    enum status s = numeric_from_text(strbuf_slice(&text), -1, a, ret);
    strbuf_release(&text);
    return s;
}

static enum status finite_numeric(struct reader *r, bool negative, struct arena *a,
                                  struct numeric *ret)
{
    struct strbuf digits;
    int64_t c = 0;
    if (negative) r->mask ^= 0xff;
    int32_t exponent = (int32_t)get_be(r, 3) - KEY_EXPONENT_BIAS;
    strbuf_init(&digits, a);
    for (uint8_t pair; (pair = get_u8(r)) != 0;) {
        if (pair > 100 || digits.len > NUMERIC_DIGITS_MAX) return corrupted();
        strbuf_addc(&digits, (char)('0' + (pair - 1) / 10));
        strbuf_addc(&digits, (char)('0' + (pair - 1) % 10));
    }
    if (negative) r->mask ^= 0xff;
    int32_t n = (int32_t)digits.len;
    if (n && digits.data[n - 1] == '0') n--;
    if (r->overrun || n == 0 || exponent > NUMERIC_DIGITS_MAX || exponent < -NUMERIC_DIGITS_MAX)
        return corrupted();
    if (n > SMALL_DIGITS || exponent > SMALL_DIGITS)
        return big_numeric(negative, digits.data, n, exponent, a, ret);
    for (int32_t i = 0; i < n || i < exponent; i++) c = c * 10 + (i < n ? digits.data[i] - '0' : 0);
    *ret = numeric_small(negative ? -c : c, (uint16_t)(n > exponent ? n - exponent : 0));
    return OK;
}

static enum status get_numeric(struct reader *r, struct arena *a, struct numeric *ret)
{
    switch (get_u8(r)) {
    case KEY_NINF:
        *ret = (struct numeric){.kind = NUMERIC_NINF};
        return OK;
    case KEY_PINF:
        *ret = (struct numeric){.kind = NUMERIC_PINF};
        return OK;
    case KEY_NAN:
        *ret = (struct numeric){.kind = NUMERIC_NAN};
        return OK;
    case KEY_ZERO:
        *ret = numeric_small(0, 0);
        return OK;
    case KEY_NEGATIVE:
        return finite_numeric(r, true, a, ret);
    case KEY_POSITIVE:
        return finite_numeric(r, false, a, ret);
    default:
        return corrupted();
    }
}

static __int128 into_i32(__int128 n)
{
    return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : n;
}

/* As days and microseconds; months only where 32 bits of days do not hold it. At the ends of the range all
 * three are full. */
static enum status get_interval(struct reader *r, struct interval *ret)
{
    __int128 us = (__int128)get_i32(r) * ((__int128)1 << 64);
    us |= (__int128)get_be(r, 8);
    __int128 days = us / US_PER_DAY, months = 0;
    if (into_i32(days) != days) {
        months = into_i32(days / 30);
        days = into_i32(days - months * 30);
    }
    us -= (months * 30 + days) * US_PER_DAY;
    if (us > INT64_MAX || us < INT64_MIN) return corrupted();
    *ret = (struct interval){.us = (int64_t)us, .days = (int32_t)days, .months = (int32_t)months};
    return OK;
}

static enum status get_value(struct reader *r, type_id type, struct arena *a, union value *ret);

static enum status get_dims(struct reader *r, struct array_view *v)
{
    uint64_t product = 1;
    v->ndim = get_u8(r);
    if (v->ndim > ARRAY_DIMS_MAX) return corrupted();
    for (int i = 0; i < v->ndim; i++) {
        v->dims[i] = get_i32(r);
        v->lower[i] = get_i32(r);
        if (v->dims[i] <= 0) return corrupted();
        product *= (uint64_t)v->dims[i];
        if (product > v->count) return corrupted();
    }
    return (v->ndim ? product : 0) == v->count ? OK : corrupted();
}

static enum status get_array(struct reader *r, type_id type, struct arena *a, struct bytes *ret)
{
    struct array_view v = {.element = type_get(type)->element};
    uint32_t room = 0;
    uint8_t marker;
    if (type == TYPE_OIDVECTOR) (void)get_be(r, 4);
    while ((marker = get_u8(r)) != KEY_ARRAY_END) {
        if (marker != KEY_NOT_NULL && marker != KEY_NULL_LAST) return corrupted();
        if (v.count == room) {
            struct datum *old = v.elements;
            room = room ? room * 2 : 16;
            v.elements = ARENA_ARRAY(a, struct datum, room);
            if (v.count) memcpy(v.elements, old, v.count * sizeof(*old));
        }
        struct datum *d = &v.elements[v.count++];
        d->null = marker == KEY_NULL_LAST;
        if (!d->null) TRY(get_value(r, v.element, a, &d->v));
    }
    TRY(get_dims(r, &v));
    *ret = array_make_view(a, &v);
    return OK;
}

static enum status get_record(struct reader *r, type_id type, struct arena *a, struct bytes *ret)
{
    ARRAY(type_id) types = {0};
    ARRAY(struct datum) fields = {0};
    uint8_t marker;
    if (fiber_stack_left() < STACK_MIN) return corrupted();
    while ((marker = get_u8(r)) != KEY_ARRAY_END) {
        type_id t = (type_id)get_be(r, 4);
        struct datum d = {0};
        uint8_t null = get_u8(r);
        if (marker != KEY_NOT_NULL || (null != KEY_NOT_NULL && null != KEY_NULL_LAST) || !type_get(t))
            return corrupted();
        d.null = null == KEY_NULL_LAST;
        if (!d.null) TRY(get_value(r, t, a, &d.v));
        ARENA_PUSH(a, &types, t);
        ARENA_PUSH(a, &fields, d);
    }
    return record_make(a, type, types.data, fields.data, (uint32_t)types.count, ret);
}

static enum status get_bound(struct reader *r, type_id subtype, bool lower, struct arena *a,
                             struct range_bound *ret)
{
    uint8_t kind = get_u8(r);
    *ret = (struct range_bound){.lower = lower, .infinite = kind != KEY_FINITE};
    if (kind != KEY_FINITE)
        return kind == (lower ? KEY_UNBOUNDED_LOW : KEY_UNBOUNDED_HIGH) ? OK : corrupted();
    TRY(get_value(r, subtype, a, &ret->v));
    uint8_t behind = get_u8(r);
    ret->inclusive = (behind != 0) != lower;
    return behind > 1 ? corrupted() : OK;
}

static enum status get_ranges(struct reader *r, type_id type, struct arena *a, struct bytes *ret)
{
    ARRAY(struct range) items = {0};
    type_id subtype = range_subtype(type);
    uint8_t marker;
    while ((marker = get_u8(r)) != KEY_ARRAY_END) {
        struct range x = {0};
        if (marker != KEY_NOT_NULL) return corrupted();
        TRY(get_bound(r, subtype, true, a, &x.lower));
        TRY(get_bound(r, subtype, false, a, &x.upper));
        ARENA_PUSH(a, &items, x);
    }
    if (items.count > 1 && type_is_range(type)) return corrupted();
    struct ranges all = {.type = range_of(type), .items = items.data};
    all.count = (uint32_t)items.count;
    *ret = ranges_close(&all, a);
    return OK;
}

static enum status get_json(struct reader *r, uint32_t depth, struct arena *a,
                            struct json_value *ret);

static enum status get_members(struct reader *r, uint32_t depth, struct arena *a,
                               struct json_value *ret)
{
    uint32_t n = (uint32_t)get_be(r, 4);
    if (depth >= JSON_DEPTH_MAX || fiber_stack_left() < STACK_MIN) return corrupted();
    for (uint32_t i = 0; i < n; i++) {
        struct bytes key;
        struct json_value in;
        if (r->overrun) return corrupted();
        if (ret->kind == JSON_OBJECT) TRY(get_bytes(r, a, &key));
        TRY(get_json(r, depth + 1, a, &in));
        if (ret->kind == JSON_ARRAY) json_push(a, ret, in);
        else json_put(a, ret, slice_dup(a, bytes_slice(&key)), in);
    }
    return OK;
}

static enum status get_json(struct reader *r, uint32_t depth, struct arena *a,
                            struct json_value *ret)
{
    enum jsonb__rank rank = (enum jsonb__rank)get_u8(r);
    struct bytes b;
    struct numeric n;
    *ret = (struct json_value){.kind = JSON_NULL};
    switch (rank) {
    case JSONB__NULL: return OK;
    case JSONB__EMPTY: ret->kind = JSON_ARRAY; return depth ? corrupted() : OK;
    case JSONB__STRING:
        TRY(get_bytes(r, a, &b));
        *ret = json_string(slice_dup(a, bytes_slice(&b)));
        return OK;
    case JSONB__NUMBER:
        TRY(get_numeric(r, a, &n));
        *ret = json_number(a, &n);
        return OK;
    case JSONB__BOOL: *ret = json_bool(get_u8(r)); return OK;
    case JSONB__ARRAY: ret->kind = JSON_ARRAY; return get_members(r, depth, a, ret);
    case JSONB__OBJECT: ret->kind = JSON_OBJECT; return get_members(r, depth, a, ret);
    default: return corrupted();
    }
}

static enum status get_jsonb(struct reader *r, struct arena *a, struct bytes *ret)
{
    struct json_value v;
    TRY(get_json(r, 0, a, &v));
    return jsonb_make(a, &v, ret);
}

static enum status get_value(struct reader *r, type_id type, struct arena *a, union value *ret)
{
    uint8_t b;
    switch (type_rep(type)) {
    case REP_BOOL:
        b = get_u8(r);
        if (b > 1) return corrupted();
        ret->b = b;
        return OK;
    case REP_I16:
        ret->i16 = (int16_t)((uint16_t)get_be(r, 2) ^ 0x8000);
        return OK;
    case REP_I32:
        ret->i32 = get_i32(r);
        return OK;
    case REP_U32:
        ret->u32 = (uint32_t)get_be(r, 4);
        return OK;
    case REP_I64:
        ret->i64 = (int64_t)(get_be(r, 8) ^ 1ull << 63);
        return OK;
    case REP_F32:
        ret->f32 = get_f32(r);
        return OK;
    case REP_F64:
        ret->f64 = get_f64(r);
        return OK;
    case REP_BYTES:
        if (type_is_composite(type)) return get_record(r, type, a, &ret->bytes);
        if (type == TYPE_JSONB) return get_jsonb(r, a, &ret->bytes);
        if (type_is_ranges(type)) return get_ranges(r, type, a, &ret->bytes);
        return type_is_array(type) ? get_array(r, type, a, &ret->bytes)
                                   : get_bytes(r, a, &ret->bytes);
    case REP_NUMERIC:
        return get_numeric(r, a, &ret->numeric);
    case REP_INTERVAL:
        return get_interval(r, &ret->interval);
    case REP_UUID:
        for (size_t i = 0; i < sizeof(ret->uuid); i++) ret->uuid[i] = get_u8(r);
        return OK;
    }
    return corrupted();
}

enum status key_decode(const struct key_part *part, struct slice *key, struct arena *a,
                       struct datum *ret)
{
    struct datum d = {0};
    struct reader r = {.p = (const uint8_t *)key->data, .mask = part->descending ? 0xff : 0};
    r.end = r.p + key->len;
    uint8_t marker = get_u8(&r);
    uint8_t null = part->nulls_first != part->descending ? KEY_NULL_FIRST : KEY_NULL_LAST;
    if (r.overrun) return corrupted();
    d.null = marker == null;
    if (!d.null) {
        if (marker != KEY_NOT_NULL) return corrupted();
        TRY(get_value(&r, part->type, a, &d.v));
        if (r.overrun) return corrupted();
    }
    key->data = (const char *)r.p;
    key->len = (size_t)(r.end - r.p);
    *ret = d;
    return OK;
}
