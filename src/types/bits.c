/* Strings of bits: packing them as their order wants it, text, binary form, lengths. */
#include "types/bits.h"

enum { GROUP = 7, LENGTH_WORD = 4, MORE = 1 };

struct bits bits_new(struct arena *a, uint32_t count)
{
    struct bits b = {.count = count};
    b.p = arena_alloc_aligned(a, (size_t)bits_bytes(count) + 1, 1);
    memset(b.p, 0, (size_t)bits_bytes(count) + 1);
    return b;
}

uint32_t bits_count(const struct bytes *b)
{
    const char *p = bytes_data(b);
    return b->len < 2 ? 0 : (b->len - 2) * GROUP + (p[b->len - 1] & GROUP);
}

struct bits bits_open(const struct bytes *b, struct arena *a)
{
    const uint8_t *from = (const uint8_t *)bytes_data(b);
    struct bits bits = bits_new(a, bits_count(b));
    for (uint32_t i = 0; (uint64_t)i * GROUP < bits.count; i++) {
        uint32_t at = i * GROUP;
        uint32_t word = (uint32_t)(from[i] >> 1) << (9 - at % 8); /* of two bytes */
        bits.p[at / 8] |= (uint8_t)(word >> 8);
        if (at / 8 + 1 < bits_bytes(bits.count)) bits.p[at / 8 + 1] |= (uint8_t)word;
    }
    return bits;
}

struct bytes bits_close(const struct bits *b, struct arena *a)
{
    uint32_t groups = b->count / GROUP + 1, bytes = bits_bytes(b->count);
    char *to = arena_alloc_aligned(a, (size_t)groups + 1, 1);
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t at = i * GROUP;
        uint32_t word = at / 8 < bytes ? (uint32_t)b->p[at / 8] << 8 : 0;
        if (at / 8 + 1 < bytes) word |= b->p[at / 8 + 1];
        to[i] = (char)((word >> (9 - at % 8) & 0x7f) << 1 | (i + 1 < groups ? MORE : 0));
    }
    to[groups] = (char)(b->count % GROUP);
    return bytes_ref(to, groups + 1);
}

struct bits bits_part(const struct bits *b, uint32_t from, uint32_t count, struct arena *a)
{
    struct bits part = bits_new(a, count);
    uint32_t shift = from % 8, last = bits_bytes(b->count);
    for (uint32_t i = 0; i < bits_bytes(count); i++) {
        uint32_t at = from / 8 + i;
        uint32_t word = (uint32_t)b->p[at] << 8 | (at + 1 < last ? b->p[at + 1] : 0);
        part.p[i] = (uint8_t)(word >> (8 - shift));
    }
    if (count % 8) part.p[count / 8] &= (uint8_t)(0xff << (8 - count % 8));
    return part;
}

void bits_put(struct bits *to, uint32_t at, const struct bits *part)
{
    for (uint32_t i = 0; i < part->count; i++) bits_set(to, at + i, bits_get(part, i));
}

struct bits bits_of_int(int64_t n, uint32_t width, uint32_t count, struct arena *a)
{
    struct bits b = bits_new(a, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = count - 1 - i; /* of the bit, from the lowest */
        bits_set(&b, i, place < width ? (uint64_t)n >> place & 1 : n < 0);
    }
    return b;
}

uint64_t bits_to_int(const struct bits *b)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < b->count; i++) n = n << 1 | bits_get(b, i);
    return n;
}

/* --- text and binary -------------------------------------------------------------------------- */

static enum status check_length(type_id type, int32_t typmod, uint32_t count)
{
    if (typmod <= 0) return OK;
    if (type == TYPE_BIT && count != (uint32_t)typmod)
        return FAIL(STRING_DATA_LENGTH_MISMATCH, "bit string length %u does not match type bit(%d)",
                    count, typmod);
    if (type == TYPE_VARBIT && count > (uint32_t)typmod)
        return FAIL(STRING_DATA_RIGHT_TRUNCATION, "bit string too long for type bit varying(%d)",
                    typmod);
    return OK;
}

static enum status bad_digit(struct slice s, const char *kind)
{
    uint8_t c = (uint8_t)s.data[0];
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return FAIL(INVALID_TEXT_REPRESENTATION, "\"%.*s\" is not a valid %s digit",
                (int)(n < s.len ? n : s.len), s.data, kind);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* B'101' arrives as b101, X'1F' as x1F; without a letter it is bits. */
enum status bits_from_text(type_id type, int32_t typmod, struct slice text, struct arena *a,
                           struct bytes *ret)
{
    bool hex = text.len && (text.data[0] | 0x20) == 'x';
    if (hex || (text.len && (text.data[0] | 0x20) == 'b'))
        text = slice_make(text.data + 1, text.len - 1);
    if (text.len > UINT32_MAX / 8)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed (%d)",
                    INT32_MAX);
    uint32_t count = (uint32_t)text.len * (hex ? 4 : 1);
    TRY(check_length(type, typmod, count));
    struct bits b = bits_new(a, count);
    for (uint32_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        int digit = hex ? hex_value(c) : c == '0' || c == '1' ? c - '0' : -1;
        if (digit < 0)
            return bad_digit(slice_make(text.data + i, text.len - i),
                             hex ? "hexadecimal" : "binary");
        if (hex) b.p[i / 2] |= (uint8_t)(digit << (i % 2 ? 0 : 4));
        else bits_set(&b, i, digit);
    }
    *ret = bits_close(&b, a);
    return OK;
}

void bits_to_text(const struct bytes *b, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)bytes_data(b);
    uint32_t count = bits_count(b);
    strbuf_reserve(out, count);
    for (uint32_t i = 0; i < count; i++)
        strbuf_addc(out, (char)('0' + (p[i / GROUP] >> (GROUP - i % GROUP) & 1)));
}

enum status bits_from_binary(type_id type, int32_t typmod, struct slice s, struct arena *a,
                             struct bytes *ret)
{
    uint32_t count;
    if (s.len < LENGTH_WORD) return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    memcpy(&count, s.data, sizeof count);
    count = __builtin_bswap32(count);
    if (count > INT32_MAX)
        return FAIL(INVALID_BINARY_REPRESENTATION, "invalid length in external bit string");
    TRY(check_length(type, typmod, count));
    if (s.len - LENGTH_WORD < bits_bytes(count))
        return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (s.len - LENGTH_WORD > bits_bytes(count))
        return FAIL(INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    struct bits b = bits_new(a, count);
    memcpy(b.p, s.data + LENGTH_WORD, bits_bytes(count));
    if (count % 8) b.p[count / 8] &= (uint8_t)(0xff << (8 - count % 8));
    *ret = bits_close(&b, a);
    return OK;
}

void bits_to_binary(const struct bytes *b, struct strbuf *out)
{
    struct arena a;
    arena_init(&a, MEM_QUERY);
    struct bits bits = bits_open(b, &a);
    uint32_t count = __builtin_bswap32(bits.count);
    strbuf_add(out, &count, sizeof count);
    strbuf_add(out, bits.p, bits_bytes(bits.count));
    arena_release(&a);
}

enum status bits_fit(type_id type, int32_t typmod, bool explicit_cast, struct arena *a,
                     struct bytes *b)
{
    uint32_t count = bits_count(b), want = (uint32_t)typmod;
    if (typmod <= 0 || count == want || (type == TYPE_VARBIT && count < want)) return OK;
    if (!explicit_cast) return check_length(type, typmod, count);
    struct bits from = bits_open(b, a), to;
    if (count > want) {
        to = bits_part(&from, 0, want, a);
    } else {
        to = bits_new(a, want);
        memcpy(to.p, from.p, bits_bytes(count));
    }
    *b = bits_close(&to, a);
    return OK;
}
