/* Packed lanes: unsigned numbers of `width` bits each, laid out so that one vector register
 * holds neighbours and decodes them with a shift and a mask (docs/format/column.md; the idea is
 * that of Afroozeh and Boncz, "The FastLanes Compression Layout", PVLDB 16(9), without its
 * transposition, as sums of differences are not what we spend time on).
 *
 * A lane has 8, 16, 32 or 64 bits: the least that hold `width`. With L lanes side by side, value
 * i is in lane i % L and is the i / L-th of it; each lane packs its values one behind the other
 * into `width` words, and word k of all lanes lie together. So values come out in order, and one
 * of them is found without decoding its neighbours. L is a multiple of what 64 bytes hold:
 * counts are rounded up to groups of 512 values. A width of 8, 16, 32 or 64 is a plain array. */
#ifndef HELIOS_CORE_COLUMN_LANES_PRIV_H
#define HELIOS_CORE_COLUMN_LANES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES_GROUP = 512, LANES_GROUPS_MAX = 4, LANES_VALUES_MAX = LANES_GROUP * LANES_GROUPS_MAX };

/* Which code runs: the best that the processor has, unless a test asks for less. */
enum simd_level { SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, SIMD_LEVELS };
enum simd_level lanes__best_level(void);
enum simd_level lanes__level(void);
void lanes__set_level(enum simd_level level); /* at most the best; for tests and benchmarks */

static inline unsigned lanes__groups(uint32_t count)
{
    return (count + LANES_GROUP - 1) / LANES_GROUP;
}
/* Bits of a lane, for a width of 1 … 64. */
static inline unsigned lanes__bits(unsigned width)
{
    return width <= 8 ? 8 : width <= 16 ? 16 : width <= 32 ? 32 : 64;
}
static inline unsigned lanes__width(uint64_t max)
{
    return max ? 64 - (unsigned)__builtin_clzll(max) : 0;
}
static inline uint64_t lanes__max(unsigned width)
{
    return width ? ~0ull >> (64 - width) : 0;
}
static inline size_t lanes__bytes(uint32_t count, unsigned width)
{
    return (size_t)width * (LANES_GROUP / 8) * lanes__groups(count);
}

/* values[0 … groups * 512): each less than 2^width. `out` takes lanes__bytes, at a multiple of
 * 8. */
void lanes__pack(const uint64_t *values, uint32_t count, unsigned width, void *out);

/* out[i] := base + value i, modulo 2^(8 * out_bytes), for all values of the groups: `out` has
 * room for groups * 512. out_bytes is 1, 2, 4 or 8 and not less than a lane's. `src` lies at a
 * multiple of 8. */
void lanes__unpack(const void *src, uint32_t count, unsigned width, uint64_t base,
                   unsigned out_bytes, void *out);

/* Bit i of `mask` (groups * 8 words) := value i - low <= span, modulo 2^(bits of a lane). Not
 * decoded further than into registers. Bits of values beyond `count` are anything. */
void lanes__range(const void *src, uint32_t count, unsigned width, uint64_t low, uint64_t span,
                  uint64_t *mask);

/* One value. */
static inline uint64_t lanes__get(const void *src, uint32_t count, unsigned width, uint32_t i)
{
    unsigned bits = lanes__bits(width), bytes = bits / 8;
    uint32_t lanes = lanes__groups(count) * (LANES_GROUP / bits);
    uint32_t bit = i / lanes * width, lane = i % lanes, shift = bit % bits;
    const char *p = (const char *)src + ((size_t)(bit / bits) * lanes + lane) * bytes;
    uint64_t low = 0, high = 0;
    switch (bytes) {
    case 1: low = *(const uint8_t *)p; break;
    case 2: low = *(const uint16_t *)(const void *)p; break;
    case 4: low = *(const uint32_t *)(const void *)p; break;
    default: low = *(const uint64_t *)(const void *)p;
    }
    low >>= shift;
    if (shift + width > bits) {
        p += (size_t)lanes * bytes;
        switch (bytes) {
        case 1: high = *(const uint8_t *)p; break;
        case 2: high = *(const uint16_t *)(const void *)p; break;
        case 4: high = *(const uint32_t *)(const void *)p; break;
        default: high = *(const uint64_t *)(const void *)p;
        }
        low |= high << (bits - shift);
    }
    return low & lanes__max(width);
}

#endif
