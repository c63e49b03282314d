/* Columns, a block of up to 2,048 values at a time (docs/format/column.md,
 * docs/design/column.md): encode, decode all or what a selection names, and compare while still
 * encoded.
 *
 * A block is bytes; it lies at a multiple of 8, and what is decoded from it may point into it.
 * What the blocks of one column of one segment have in common, a dictionary or a table of
 * symbols, is learnt from all their values first. Everything here is immutable once made and may
 * be shared by threads, but encoders' hints. Damaged bytes give DATA_CORRUPTED, whatever is in
 * them. */
#ifndef HELIOS_CORE_COLUMN_COLUMN_H
#define HELIOS_CORE_COLUMN_COLUMN_H

#include "types/vec.h"

enum { COLUMN_BLOCK_ROWS = BATCH_ROWS, COLUMN_MASK_WORDS = BATCH_ROWS / 64 };

enum column_encoding {
    COLUMN_NULLS,    /* all are NULL */
    COLUMN_INTS,     /* boolean, integers, oids, dates, times */
    COLUMN_FLOATS,
    COLUMN_NUMERICS,
    COLUMN_STRINGS,
    COLUMN_INTERVALS,
    COLUMN_UUIDS,
    COLUMN_CODES,    /* positions in the dictionary */
    COLUMN_ENCODINGS,
};

/* What the encoder is to think of, and, for tests and experiments, what it may use. Zeroed and then
 * column_options_default is the ordinary case. */
struct column_options {
    uint8_t bytes_a_ns;     /* what a nanosecond of decoding is worth; 0: size alone (archives) */
    uint8_t ints, floats, strings; /* bits of what is allowed: docs/format/column.md's numbers */
    bool dictionary;
};
extern const struct column_options column_options_default, column_options_archive;

/* --- what blocks of a column share ------------------------------------------------------------ */

struct column_shared;

/* Looks at all values (any form of vector). *ret NULL: nothing to share. `passes` (may be NULL, atomic, zeroed to begin)
 * goes from segment to segment of a column: for how many of them no dictionary is tried, as that was in vain. */
void column_learn(type_id type, const struct vec *vecs, const uint32_t *rows, uint32_t count,
                  const struct column_options *o, uint8_t *passes, struct column_shared **ret);
/* From a multiple of 8 to one. */
void column_shared_store(const struct column_shared *s, struct strbuf *out);
/* `raw` lies at a multiple of 8 and stays as long as the result. */
enum status column_shared_load(type_id type, struct slice raw, struct column_shared **ret) MUST;
void column_shared_free(struct column_shared *s); /* NULL is fine */
/* The distinct values in order, then one NULL; NULL when there is no dictionary. */
const struct vec *column_dictionary(const struct column_shared *s, uint32_t *ret_count);

/* --- blocks ----------------------------------------------------------------------------------- */

/* What one block teaches the encoder of the next. Zeroed to begin. */
struct column_hint {
    uint8_t bytes[4];
};

/* Appends the block of these rows (1 … 2,048, any form of vector); out->len is a multiple of 8. */
void column_encode(type_id type, const struct vec *v, uint32_t rows,
                   const struct column_shared *shared, const struct column_options *o,
                   struct column_hint *hint, struct strbuf *out);
/* How many of these rows a block should take, so that long strings do not make it too large. */
uint32_t column_block_rows(type_id type, const struct vec *v, uint32_t rows);

struct column_block;

/* Checks the bytes of one block and what is in them. In the arena. */
enum status column_open(type_id type, struct slice raw, const struct column_shared *shared,
                        struct arena *a, struct column_block **ret) MUST;
uint32_t column_rows(const struct column_block *b);
uint32_t column_null_count(const struct column_block *b);
uint32_t column_bytes(const struct column_block *b);
enum column_encoding column_encoding_of(const struct column_block *b);
/* "for 12 bits", "dictionary, runs", …, for people. */
void column_describe(const struct column_block *b, struct strbuf *out);

/* A vector of these rows (sel NULL: all; those not selected are anything). Codes come as
 * VEC_DICT and constants as VEC_CONST, unless `flat`. What it points to lives as long as arena,
 * block and shared. */
enum status column_read(const struct column_block *b, const uint16_t *sel, uint32_t count,
                        bool flat, struct arena *a, struct vec *ret) MUST;

/* --- tests ------------------------------------------------------------------------------------ */

enum column_op {
    COLUMN_EQ, COLUMN_NE, COLUMN_LT, COLUMN_LE, COLUMN_GT, COLUMN_GE,
    COLUMN_BETWEEN, /* two values */
    COLUMN_IN,      /* any number */
    COLUMN_PREFIX,  /* LIKE 'value%': text and varchar */
    COLUMN_IS_NULL, COLUMN_IS_NOT_NULL, /* none */
};
struct column_test {
    enum column_op op;
    uint32_t count;
    const struct datum *values; /* of the column's type */
};
bool column_can_test(type_id type, enum column_op op);
/* Bit i of mask (COLUMN_MASK_WORDS words) := the test is true of row i; bits beyond the rows are
 * zero. */
enum status column_test(const struct column_block *b, const struct column_test *t,
                        uint64_t *mask) MUST;
/* The rows of a mask, ascending, and how many. */
uint32_t column_select(const uint64_t *mask, uint16_t *ret_sel);

#endif
