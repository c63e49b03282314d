/* Rows as they lie in storage (docs/format/row.md).
 *
 *   u16 column_count | null bitmap, (column_count + 7) / 8 bytes, bit set = NULL |
 *   fixed area: one slot a column, at offsets that depend on the types alone |
 *   variable area
 *
 * A fixed-width value lies in its slot, little-endian, unaligned; so does a small numeric. Bytes
 * and a big numeric have u32 offset and u32 length in the variable area, so a column is found in
 * O(1). A big numeric is read in place, aligned where the row lies at a multiple of 8. A row
 * written before columns were added has a smaller column_count: missing columns read as their
 * column's missing value, which is the caller's to know. */
#ifndef HELIOS_TYPES_ROW_H
#define HELIOS_TYPES_ROW_H

#include "types/vec.h"

struct row_layout {
    uint16_t column_count;
    const type_id *types;
    const uint8_t *reps;         /* enum rep of each */
    const uint32_t *slot_offset; /* from the start of the fixed area */
    const uint32_t *fixed_bytes; /* [n]: size of the fixed area of a row of n columns; n+1 entries */
};

/* The layout lives in the arena; `types` is copied. */
const struct row_layout *row_layout_new(struct arena *a, const type_id *types, uint16_t count);

/* Appends the encoded row. */
void row_encode(const struct row_layout *l, const struct datum *values, struct strbuf *out);
/* Columns in the row; 0 when the bytes are not a row. */
uint16_t row_column_count(struct slice row);
/* One column; long bytes are referenced in `row`, not copied. False when the row has no such column
 * (added later). Rows come from checksummed storage: a malformed one is asserted against. */
bool row_get(const struct row_layout *l, struct slice row, uint16_t column, struct datum *ret);
/* Decodes the listed columns of `count` rows into flat vectors, row i to position at + i. Missing
 * columns take missing[column] (NULL array: SQL NULL). Bytes are referenced. */
void row_decode_batch(const struct row_layout *l, const struct slice *rows, uint32_t count,
                      const uint16_t *columns, uint16_t column_count, const struct datum *missing,
                      uint32_t at, struct vec *out);
/* The same for rows sel[0 .. count) alone (NULL: the first `count`), each to its own position, and for
 * columns[p] into out[p] alone, for each p of `picks`. The vectors have no NULLs yet. */
void row_decode_picks(const struct row_layout *l, const struct slice *rows, const uint16_t *sel,
                      uint32_t count, const uint16_t *columns, const uint16_t *picks,
                      uint32_t pick_count, const struct datum *missing, struct vec *out);
/* True when the bytes are a well-formed row of that layout. For readers of foreign bytes. */
bool row_valid(const struct row_layout *l, struct slice row);

#endif
