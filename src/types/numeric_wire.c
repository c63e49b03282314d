/* Decimals as bytes: PostgreSQL's wire form (base-10000 digits) and our storage form.
 *
 * Storage: u8 kind | u8 length of a small coefficient | u16 scale | then for SMALL that many bytes,
 * two's complement, little-endian, without redundant sign bytes; for BIG four zero bytes and the
 * block of numeric_big.c as it is, which is thereby 8-byte aligned whenever the slice is.
 * Everything little-endian. A row is checksummed, so a malformed value is a broken invariant, not
 * an error. */
#include "types/numeric.h"

#include "types/numeric_priv.h"

#include <stdlib.h>

enum { WIRE_POSITIVE = 0x0000, WIRE_NEGATIVE = 0x4000, WIRE_NAN = 0xC000, WIRE_PINF = 0xD000,
       WIRE_NINF = 0xF000, WIRE_HEADER = 8, STORE_HEADER = 4, STORE_BIG_HEADER = 8 };

static void put16(struct strbuf *out, uint32_t v)
{
    strbuf_addc(out, (char)(v >> 8));
    strbuf_addc(out, (char)v);
}

static void put_header(struct strbuf *out, int ndigits, int weight, int sign, int scale)
{
    put16(out, (uint32_t)ndigits);
    put16(out, (uint32_t)weight);
    put16(out, (uint32_t)sign);
    put16(out, (uint32_t)scale);
}

/* Splits the text of the value into groups of four around the point. Slower than dividing, but one
 * way for all sizes; the wire's binary form of numeric is rare. */
static void put_digits(const struct numeric *n, struct strbuf *out)
{
    struct strbuf t;
    strbuf_init(&t, NULL);
    struct numeric plain = *n;
    numeric_to_text(&plain, &t);
    const char *p = t.data;
    bool negative = *p == '-';
    if (negative) p++;
    const char *point = strchr(p, '.');
    size_t whole = point ? (size_t)(point - p) : strlen(p);
    size_t fraction = point ? strlen(point + 1) : 0;
    size_t lead = (4 - whole % 4) % 4, groups_whole = (whole + 3) / 4;
    size_t groups = groups_whole + (fraction + 3) / 4;
    uint16_t *d = mem_alloc(MEM_QUERY, (groups + 1) * sizeof *d);
    for (size_t i = 0; i < groups * 4; i++) {
        char c = '0';
        if (i < groups_whole * 4) {
            if (i >= lead) c = p[i - lead];
        } else if (i - groups_whole * 4 < fraction) {
            c = point[1 + (i - groups_whole * 4)];
        }
        d[i / 4] = (uint16_t)(d[i / 4] * 10 + (c - '0'));
    }
    size_t first = 0, end = groups;
    while (first < end && d[first] == 0) first++;
    while (end > first && d[end - 1] == 0) end--;
    int weight = first < end ? (int)groups_whole - 1 - (int)first : 0;
    put_header(out, (int)(end - first), weight, negative ? WIRE_NEGATIVE : WIRE_POSITIVE, n->scale);
    for (size_t i = first; i < end; i++) put16(out, d[i]);
    mem_free(MEM_QUERY, d);
    strbuf_release(&t);
}

void numeric_to_binary(const struct numeric *n, struct strbuf *out)
{
    switch ((enum numeric_kind)n->kind) {
    case NUMERIC_NAN: put_header(out, 0, 0, WIRE_NAN, 0); return;
    case NUMERIC_PINF: put_header(out, 0, 0, WIRE_PINF, 0x20); return;
    case NUMERIC_NINF: put_header(out, 0, 0, WIRE_NINF, 0x20); return;
    case NUMERIC_SMALL:
    case NUMERIC_BIG: put_digits(n, out); return;
    }
}

static uint16_t get16(const char *p)
{
    return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

/* c × 10000^(weight - count + 1), cut to the scale told beside it. */
static enum status from_groups(const char *p, int count, int weight, bool negative, int32_t scale,
                               struct arena *a, struct numeric *ret)
{
    mpz_t c;
    mpz_init(c);
    enum status s = OK;
    for (int i = 0; i < count && s == OK; i++) {
        uint16_t d = get16(p + 2 * i);
        if (d > 9999)
            s = FAIL(INVALID_BINARY_REPRESENTATION,
                     "invalid digit in external \"numeric\" value");
        mpz_mul_ui(c, c, 10000);
        mpz_add_ui(c, c, d);
    }
    if (s == OK) {
        int32_t from = 4 * (count - 1 - weight);
        if (negative) mpz_neg(c, c);
        if (mpz_sgn(c) != 0 && from < -NUMERIC__INTEGER_DIGITS_MAX)
            s = FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
        else
            numeric__rescale(c, c, from, scale, true);
    }
    if (s == OK) s = numeric__make(a, c, scale, ret);
    mpz_clear(c);
    return s;
}

enum status numeric_from_binary(struct slice data, int32_t typmod, struct arena *a,
                                struct numeric *ret)
{
    if (data.len < WIRE_HEADER)
        return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    int count = get16(data.data), weight = (int16_t)get16(data.data + 2);
    int sign = get16(data.data + 4), scale = get16(data.data + 6);
    if (data.len - WIRE_HEADER < 2 * (size_t)count)
        return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (data.len - WIRE_HEADER > 2 * (size_t)count)
        return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    struct numeric r;
    if (sign == WIRE_NAN) {
        r = numeric__nan();
    } else if (sign == WIRE_PINF || sign == WIRE_NINF) {
        r = numeric__inf(sign == WIRE_NINF ? -1 : 1);
    } else {
        if (sign != WIRE_POSITIVE && sign != WIRE_NEGATIVE)
            return FAIL(INVALID_BINARY_REPRESENTATION,
                        "invalid sign in external \"numeric\" value");
        if (scale > NUMERIC__SCALE_MAX)
            return FAIL(INVALID_BINARY_REPRESENTATION,
                        "invalid scale in external \"numeric\" value");
        TRY(from_groups(data.data + WIRE_HEADER, count, weight, sign == WIRE_NEGATIVE, scale, a,
                        &r));
    }
    TRY(numeric_apply_typmod(a, typmod, &r));
    *ret = r;
    return OK;
}

void numeric_store(const struct numeric *n, struct strbuf *out)
{
    char head[STORE_BIG_HEADER] = {0};
    head[0] = (char)n->kind;
    memcpy(head + 2, &n->scale, 2);
    if (n->kind == NUMERIC_BIG) {
        int32_t len = abs(numeric__sign_len(n->big));
        strbuf_add(out, head, STORE_BIG_HEADER);
        strbuf_add(out, n->big, sizeof *n->big + (size_t)len * sizeof(mp_limb_t));
        return;
    }
    int len = 0;
    if (n->kind == NUMERIC_SMALL && n->coefficient != 0) {
        len = 1;
        while (len < 8 && n->coefficient >> (8 * len - 1) != 0 &&
               n->coefficient >> (8 * len - 1) != -1)
            len++;
    }
    head[1] = (char)len;
    strbuf_add(out, head, STORE_HEADER);
    strbuf_add(out, &n->coefficient, (size_t)len);
}

bool numeric__store_valid(struct slice s)
{
    if (s.len < STORE_HEADER) return false;
    uint8_t kind = (uint8_t)s.data[0], small_len = (uint8_t)s.data[1];
    uint16_t scale;
    memcpy(&scale, s.data + 2, sizeof scale);
    if (scale > NUMERIC__SCALE_MAX) return false;
    if (kind != NUMERIC_BIG)
        return kind <= NUMERIC_NINF && small_len <= 8 && s.len == STORE_HEADER + (size_t)small_len;
    if (s.len < STORE_BIG_HEADER + sizeof(struct numeric_big) + sizeof(mp_limb_t)) return false;
    int32_t len;
    memcpy(&len, s.data + STORE_BIG_HEADER, sizeof len);
    size_t limbs = len < 0 ? -(size_t)len : (size_t)len;
    mp_limb_t top;
    memcpy(&top, s.data + s.len - sizeof top, sizeof top);
    size_t bytes = s.len - STORE_BIG_HEADER - sizeof(struct numeric_big);
    return top != 0 && bytes / sizeof top == limbs && bytes % sizeof top == 0;
}

static struct numeric load_big(struct slice s, uint16_t scale, struct arena *a)
{
    ASSERT(s.len >= STORE_BIG_HEADER + sizeof(struct numeric_big));
    const char *p = s.data + STORE_BIG_HEADER;
    int32_t len;
    memcpy(&len, p, sizeof len);
    ASSERT(len != 0 && len != INT32_MIN);
    size_t size = sizeof(struct numeric_big) + (size_t)(len < 0 ? -len : len) * sizeof(mp_limb_t);
    ASSERT(s.len - STORE_BIG_HEADER >= size);
    /* without an arena (rows in a block) it is read where it lies: the machines allow it */
    if (a && (uintptr_t)p % _Alignof(struct numeric_big) != 0) p = arena_memdup(a, p, size);
    return (struct numeric){.big = (const void *)p, .scale = scale, .kind = NUMERIC_BIG};
}

struct numeric numeric_load(struct slice s, struct arena *a)
{
    ASSERT(s.len >= STORE_HEADER);
    uint8_t kind = (uint8_t)s.data[0], len = (uint8_t)s.data[1];
    uint16_t scale;
    memcpy(&scale, s.data + 2, sizeof scale);
    ASSERT(kind <= NUMERIC_NINF && len <= 8);
    if (kind == NUMERIC_BIG) return load_big(s, scale, a);
    if (kind != NUMERIC_SMALL) return numeric__of_kind((enum numeric_kind)kind);
    ASSERT(s.len >= STORE_HEADER + (size_t)len);
    int64_t c = 0;
    if (len > 0) {
        c = (int8_t)s.data[STORE_HEADER + len - 1] < 0 ? -1 : 0;
        memcpy(&c, s.data + STORE_HEADER, len);
    }
    return numeric_small(c, scale);
}
