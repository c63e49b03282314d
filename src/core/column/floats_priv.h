/* Streams of up to 2,048 floating-point numbers (docs/format/column.md): decimals as integers
 * where the numbers came from decimals (Afroozeh, Kuffó, Boncz, "ALP: Adaptive Lossless
 * floating-Point Compression", SIGMOD 2024), else their bits as integers. Every bit comes back:
 * -0, NaN and its payload. */
#ifndef HELIOS_CORE_COLUMN_FLOATS_PRIV_H
#define HELIOS_CORE_COLUMN_FLOATS_PRIV_H

#include "core/column/ints_priv.h"

enum floats_encoding { FLOATS_BITS, FLOATS_DECIMAL, FLOATS_ENCODINGS };

/* On disk. A stream of integers follows; of FLOATS_DECIMAL then the positions (2 bytes each, to a
 * multiple of 8) and the values (8 bytes each) of the exceptions. */
struct floats_header {
    uint8_t encoding;
    uint8_t value_bytes;    /* 4 or 8 */
    uint8_t up, down;       /* value = integer * 10^down * 10^-up */
    uint16_t count;
    uint16_t exceptions;
    uint32_t bytes;         /* with this header: a multiple of 8 */
    uint32_t zero;
};
_Static_assert(sizeof(struct floats_header) == 16, "docs/format/column.md");

struct floats {
    uint8_t encoding, value_bytes, up, down;
    uint16_t count, exceptions;
    uint32_t bytes;
    struct ints ints;
    const uint16_t *positions;
    const uint64_t *values;
};

/* What the encoder learns from one block for the next of the column. Zeroed: nothing yet. */
struct floats_hint {
    uint8_t up, down;
    bool known;
    uint8_t skip; /* for so many blocks decimals are not tried again */
};
struct floats_options {
    struct ints_options ints;
    uint8_t allowed; /* bits 1 << enum floats_encoding; FLOATS_BITS is always there */
};

/* `values`: floats or doubles, by value_bytes. */
void floats__encode(const void *values, uint32_t count, unsigned value_bytes,
                    const struct floats_options *o, struct floats_hint *hint, struct strbuf *out);
const char *floats__open(struct slice raw, uint32_t count, unsigned value_bytes,
                         struct floats *ret);
/* Into an array with room for 2,048. */
void floats__decode(const struct floats *s, void *out);
void floats__decode_at(const struct floats *s, const uint16_t *sel, uint32_t n, void *out);

/* Numbers in SQL's order as integers: -0 is 0, and all NaN are one number above all. */
static inline int64_t floats__key(double v)
{
    int64_t bits;
    if (v != v) return INT64_MAX;
    v += 0.0; /* -0 */
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}
/* Bit i of mask := low <= key of value i <= high. A float's key is its double's. */
void floats__range(const struct floats *s, int64_t low, int64_t high, uint64_t *mask);

#endif
