/* Blocks as the files of this folder share them (docs/format/column.md). */
#ifndef HELIOS_CORE_COLUMN_COLUMN_PRIV_H
#define HELIOS_CORE_COLUMN_COLUMN_PRIV_H

#include "core/column/column.h"
#include "core/column/floats_priv.h"
#include "core/column/strings_priv.h"

enum {
    DICTIONARY_MAX = 65535,      /* values; the code after the last is NULL */
    DICTIONARY_BYTES_MAX = 4 << 20,
    BLOCK_BYTES_AIM = 4 << 20,   /* of strings in a block, but for one that is longer */
    NUMERIC_BINARY_MAX = 1 << 20,
};
enum null_form { NULLS_NONE, NULLS_BITS, NULLS_RUNS, NULL_FORMS };

/* On disk, before the NULLs and the values. */
struct block_header {
    uint8_t encoding;    /* enum column_encoding */
    uint8_t nulls;       /* enum null_form */
    uint16_t count;
    uint16_t null_count;
    uint16_t zero;
    uint32_t bytes;      /* with this header: a multiple of 8 */
    uint32_t null_bytes; /* after this header: a multiple of 8 */
};
_Static_assert(sizeof(struct block_header) == 16, "docs/format/column.md");

/* Before the values of COLUMN_NUMERICS: coefficients and scales, each a stream, follow, then
 * positions (2 bytes each, to a multiple of 8), then the exceptions: 4 bytes of length,
 * PostgreSQL's binary form. */
struct numerics_header {
    uint16_t exceptions;
    uint16_t zero;
    uint32_t exception_bytes; /* without padding */
};
_Static_assert(sizeof(struct numerics_header) == 8, "docs/format/column.md");

struct numerics {
    struct ints coefficients, scales;
    uint16_t exceptions;
    const uint16_t *positions;
    const char *values; /* checked to be whole */
};

struct column_block {
    type_id type;
    uint8_t rep;
    struct block_header h;
    const struct column_shared *shared;
    uint64_t nulls[MASK_WORDS]; /* not those of COLUMN_CODES: they are codes */
    union {
        struct ints ints; /* COLUMN_CODES too */
        struct floats floats;
        struct numerics numerics;
        struct strings strings;
        struct {
            struct ints us, days, months;
        } intervals;
        const char *uuids;
    };
};

struct column_shared {
    type_id type;
    struct arena arena;
    struct vec dictionary; /* data NULL: none; one NULL follows the values */
    uint32_t dictionary_count;
    struct symbols *symbols;               /* NULL: none */
    struct symbols_encoder *encoder;       /* of who learnt it */
    uint32_t *slots;                       /* likewise: code + 1 by hash; 0: free */
    uint32_t slot_mask;
    bool looked;                           /* at all of many values, for a dictionary */
};

/* On disk: what blocks of a column share. Blocks of the dictionary's values, or a table, follow. */
struct shared_header {
    uint8_t kind; /* enum shared_kind */
    uint8_t zero[3];
    uint32_t count; /* values, symbols */
    uint32_t bytes; /* with this header: a multiple of 8 */
    uint32_t zero2;
};
_Static_assert(sizeof(struct shared_header) == 16, "docs/format/column.md");
enum shared_kind { SHARED_DICTIONARY = 1, SHARED_SYMBOLS = 2 };

/* Bytes of a decoded integer of this representation; 0 for what is none. */
static inline unsigned column__int_bytes(enum rep rep)
{
    switch (rep) {
    case REP_BOOL: return 1;
    case REP_I16: return 2;
    case REP_I32:
    case REP_U32: return 4;
    case REP_I64: return 8;
    default: return 0;
    }
}
static inline int64_t column__int_of(enum rep rep, const union value *v)
{
    switch (rep) {
    case REP_BOOL: return v->b;
    case REP_I16: return v->i16;
    case REP_I32: return v->i32;
    case REP_U32: return v->u32;
    default: return v->i64;
    }
}

/* The code of a value that was among those learnt. */
uint32_t column__code_of(const struct column_shared *s, const union value *v);
/* Values that were met lately. Zeroed is empty. */
enum { RECENT_SLOTS = 128 };
struct recent_values {
    struct {
        union value v;
        uint32_t code; /* + 1; 0: free */
    } slots[RECENT_SLOTS];
};
/* `bytes`: of REP_BYTES, whose contents count and not where they lie. */
static inline uint32_t *column__recent(struct recent_values *r, const union value *v, bool bytes, bool *ret_met)
{
    uint64_t w[2], old[2];
    bool far = bytes && v->bytes.len > BYTES_INLINE_MAX;
    memcpy(w, v, sizeof w);
    if (far) memcpy(&w[1], v->bytes.ptr + v->bytes.len - 8, 8);
    uint32_t at = (uint32_t)((w[0] * 0x9e3779b97f4a7c15u ^ w[1] * 0xd6e8feb86659fd93u) >> 57);
    memcpy(old, &r->slots[at].v, sizeof old);
    *ret_met = r->slots[at].code && old[0] == w[0] &&
               (far ? bytes_eq(&r->slots[at].v.bytes, &v->bytes) : old[1] == w[1]);
    r->slots[at].v = *v;
    return &r->slots[at].code;
}
/* Codes of all rows, checked: the greatest is the NULL. */
enum status column__codes(const struct column_block *b, const uint16_t *sel, uint32_t n,
                          uint32_t *codes) MUST;
/* All values, flat, in the arena; exceptions and all. */
enum status column__flat(const struct column_block *b, const uint16_t *sel, uint32_t n,
                         struct arena *a, struct vec *ret) MUST;
enum status column__corrupted(const struct column_block *b, const char *wrong);
/* One exception; *at moves on. NULL, or what is wrong. */
const char *column__exception(const char **at, struct arena *a, struct numeric *ret);

#endif
