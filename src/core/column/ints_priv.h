/* Streams of up to 2,048 integers: what every block of numbers, codes, lengths and scales is
 * made of (docs/format/column.md). One value, lanes above the least one, differences, or runs;
 * the encoder counts what each would take and picks by bytes and by what decoding costs.
 *
 * A stream lies at a multiple of 8. Opening checks every length, so that what comes after need
 * not. */
#ifndef HELIOS_CORE_COLUMN_INTS_PRIV_H
#define HELIOS_CORE_COLUMN_INTS_PRIV_H

#include "base/str.h"
#include "core/column/lanes_priv.h"

enum ints_encoding { INTS_CONST, INTS_PACKED, INTS_DELTA, INTS_RUNS, INTS_ENCODINGS };

enum { INTS_MAX = LANES_VALUES_MAX, MASK_WORDS = INTS_MAX / 64 };

/* On disk, little-endian. */
struct ints_header {
    uint8_t encoding; /* enum ints_encoding */
    uint8_t width;    /* bits of a packed value; of runs: bytes of one's value, 1 2 4 8 */
    uint16_t count;   /* 1 … 2,048 */
    uint32_t bytes;   /* with this header: a multiple of 8 */
    int64_t base;     /* the one value, or the least, or the first of INTS_DELTA */
};
_Static_assert(sizeof(struct ints_header) == 16, "docs/format/column.md");

/* An open stream: pointers into its bytes. */
struct ints {
    uint8_t encoding, width;
    uint16_t count;
    uint32_t bytes, runs;
    int64_t base, step; /* step: the least difference */
    const void *data;   /* lanes, or the values of runs */
    const uint16_t *ends;
};

/* What the encoder may use, and what a nanosecond of decoding is worth in bytes. */
struct ints_options {
    uint8_t allowed; /* bits 1 << enum ints_encoding; packed and constant are always there */
    uint8_t bytes_a_ns;
    bool narrow;     /* only forms whose values are checked against a maximum when opened */
};

void ints__encode(const int64_t *values, uint32_t count, const struct ints_options *o,
                  struct strbuf *out);
/* What is wrong with these bytes, or NULL. `count` values are expected, of out_bytes (1, 2, 4, 8)
 * decoded; `max` other than 0: no value below 0 or above it may come out. */
const char *ints__open(struct slice raw, uint32_t count, unsigned out_bytes, int64_t max,
                       struct ints *ret);
/* Into an array with room for 2,048 values. */
void ints__decode(const struct ints *s, unsigned out_bytes, void *out);
/* out[sel[i]] := value sel[i]. Others may be written, too. */
void ints__decode_at(const struct ints *s, const uint16_t *sel, uint32_t n, unsigned out_bytes,
                     void *out);
int64_t ints__get(const struct ints *s, uint32_t i);

/* Bit i of mask := low <= value i <= high (as signed numbers); bits beyond the count are zero.
 * Only of lanes and runs nothing is decoded. */
void ints__range(const struct ints *s, int64_t low, int64_t high, uint64_t *mask);
/* The same of a plain array of numbers, at a multiple of 8, with room for whole groups. */
void ints__range_plain(const void *values, uint32_t count, unsigned bytes, int64_t low,
                       int64_t high, uint64_t *mask);
/* The values lie between these; not all of them are taken. */
void ints__bounds(const struct ints *s, int64_t *ret_min, int64_t *ret_max);

/* --- masks: a bit a row, MASK_WORDS words ----------------------------------------------------- */

static inline uint32_t mask__words(uint32_t count)
{
    return (count + 63) / 64;
}
/* All words from that of `count` on; those below stay. */
static inline void mask__cut(uint64_t *mask, uint32_t count)
{
    uint32_t w = count / 64;
    if (w >= MASK_WORDS) return;
    mask[w] &= (1ull << count % 64) - 1;
    for (w++; w < MASK_WORDS; w++) mask[w] = 0;
}
static inline void mask__fill(uint64_t *mask, uint32_t count, bool all)
{
    memset(mask, all ? 0xff : 0, MASK_WORDS * sizeof *mask);
    mask__cut(mask, count);
}
static inline bool mask__get(const uint64_t *mask, uint32_t i)
{
    return mask[i / 64] >> i % 64 & 1;
}
static inline void mask__put(uint64_t *mask, uint32_t i, bool on)
{
    mask[i / 64] = (mask[i / 64] & ~(1ull << i % 64)) | (uint64_t)on << i % 64;
}
/* Sets from … to - 1. */
void mask__set_range(uint64_t *mask, uint32_t from, uint32_t to);
uint32_t mask__count(const uint64_t *mask);

#endif
