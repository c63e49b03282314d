/* Streams of up to 2,048 strings (docs/format/column.md): their lengths as a stream of integers,
 * then their bytes: plain, as codes of a table of symbols that the whole column shares, or
 * compressed as a whole. */
#ifndef HELIOS_CORE_COLUMN_STRINGS_PRIV_H
#define HELIOS_CORE_COLUMN_STRINGS_PRIV_H

#include "core/column/ints_priv.h"
#include "core/column/symbols_priv.h"
#include "types/value.h"

enum strings_encoding {
    STRINGS_PLAIN, STRINGS_SYMBOLS, STRINGS_LZ4, STRINGS_ZSTD, STRINGS_ENCODINGS
};

enum { STRINGS_BYTES_MAX = 1 << 30 }; /* of a stream, decoded */

/* On disk. The lengths follow (of the codes for STRINGS_SYMBOLS, else of the strings), then the
 * bytes, with zeros to a multiple of 8. */
struct strings_header {
    uint8_t encoding;
    uint8_t zero[3];
    uint16_t count;
    uint16_t zero2;
    uint32_t bytes;        /* with this header: a multiple of 8 */
    uint32_t stored_bytes; /* of all strings as they lie here */
    uint32_t raw_bytes;    /* and decoded */
    uint32_t zero3;
};
_Static_assert(sizeof(struct strings_header) == 24, "docs/format/column.md");

struct strings {
    uint8_t encoding;
    uint16_t count;
    uint32_t bytes, stored_bytes, raw_bytes;
    struct ints lengths;
    const char *data;
    const struct symbols *table;
};

struct strings_options {
    struct ints_options ints;
    uint8_t allowed;    /* bits 1 << enum strings_encoding; STRINGS_PLAIN is always there */
    const struct symbols_encoder *symbols; /* NULL: none */
};

/* Which encoding won, and for how many blocks more it is not asked again. Zeroed to begin. */
struct strings_hint {
    uint8_t encoding, blocks_left;
};
void strings__encode(const struct slice *values, uint32_t count, const struct strings_options *o,
                     struct strings_hint *hint, struct strbuf *out);
/* `table` may be NULL: then a stream of symbols is damage. */
const char *strings__open(struct slice raw, uint32_t count, const struct symbols *table,
                          struct strings *ret);
/* Into an array of `count` values; sel NULL: all; others are empty strings. Long strings are
 * referenced in the stream's own bytes, or in the arena. NULL, or what is wrong. */
const char *strings__decode(const struct strings *s, const uint16_t *sel, uint32_t n,
                            struct arena *a, struct bytes *out) MUST;
/* Bit i of mask := string i is one of these, which are not empty in number. Codes are compared
 * where there are codes. */
const char *strings__one_of(const struct strings *s, const struct slice *values, uint32_t n,
                            uint64_t *mask) MUST;

#endif
