/* Strings of bits: bit(n) and bit varying(n). A value's bytes order as memcmp does, so that nothing that
 * compares, hashes, stores or indexes bytes need know of them: each byte has 7 bits of the string
 * above a bit that says whether it goes on, and one more byte says how many bits the last has:
 *
 *   1001 1010 1  ->  1001101|1  01.....|0  2         (9 bits)
 *
 * A string that begins another is less than it. All functions here take and give plain bits. */
#ifndef HELIOS_TYPES_BITS_H
#define HELIOS_TYPES_BITS_H

#include "types/value.h"

/* PostgreSQL's limit is one of the value's bytes; that of a column's length is less. */
enum { BITS_TYPMOD_MAX = 83886080 };

/* `count` bits, the first in the top of p[0]; what is unused of the last byte is zero. */
struct bits {
    uint8_t *p;
    uint32_t count;
};

static inline uint32_t bits_bytes(uint32_t count) { return count / 8 + (count % 8 != 0); }
static inline bool bits_get(const struct bits *b, uint32_t i)
{
    return b->p[i / 8] >> (7 - i % 8) & 1;
}
static inline void bits_set(struct bits *b, uint32_t i, bool on)
{
    uint8_t bit = (uint8_t)(0x80 >> i % 8);
    b->p[i / 8] = (uint8_t)(on ? b->p[i / 8] | bit : b->p[i / 8] & ~bit);
}
/* All zeros. */
struct bits bits_new(struct arena *a, uint32_t count);
struct bits bits_open(const struct bytes *b, struct arena *a);
struct bytes bits_close(const struct bits *b, struct arena *a);
/* How many bits, without opening it. */
uint32_t bits_count(const struct bytes *b);
/* [from, from + count) of b, within it. */
struct bits bits_part(const struct bits *b, uint32_t from, uint32_t count, struct arena *a);
/* Writes `part` into `to` at a bit. */
void bits_put(struct bits *to, uint32_t at, const struct bits *part);
/* The lowest `count` bits of a number of `width` bits, with its sign before it. */
struct bits bits_of_int(int64_t n, uint32_t width, uint32_t count, struct arena *a);
/* The number that at most 64 bits say. */
uint64_t bits_to_int(const struct bits *b);

enum status bits_from_text(type_id type, int32_t typmod, struct slice text, struct arena *a,
                           struct bytes *ret) MUST;
void bits_to_text(const struct bytes *b, struct strbuf *out);
enum status bits_from_binary(type_id type, int32_t typmod, struct slice s, struct arena *a,
                             struct bytes *ret) MUST;
void bits_to_binary(const struct bytes *b, struct strbuf *out);
/* To the length of bit(n) or the most of bit varying(n). */
enum status bits_fit(type_id type, int32_t typmod, bool explicit_cast, struct arena *a,
                     struct bytes *b) MUST;

#endif
