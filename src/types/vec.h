/* Column vectors and batches: what operators pass to each other.
 *
 * A vector holds up to BATCH_ROWS values of one type in one of three forms: FLAT (an array), CONST
 * (one value for all rows) and DICT (32-bit positions into another, flat, vector). A batch is some
 * vectors of equal length and, perhaps, a selection: the ascending positions of the rows that count. */
#ifndef HELIOS_TYPES_VEC_H
#define HELIOS_TYPES_VEC_H

#include "types/value.h"

enum { BATCH_ROWS = 2048, NULL_WORDS = BATCH_ROWS / 64 };

enum vec_form { VEC_FLAT, VEC_CONST, VEC_DICT };

struct vec {
    type_id type;
    uint8_t form;   /* enum vec_form */
    uint8_t width;  /* bytes a value, from type_info.width */
    void *data;     /* FLAT: BATCH_ROWS values; CONST: one; DICT: unused */
    uint64_t *nulls; /* bit i set: row i is NULL. NULL pointer: none is. CONST: bit 0. */
    const uint32_t *codes;  /* DICT: position in `dict` of each row (NULLs are in dict's nulls) */
    const struct vec *dict; /* DICT: flat, of any length */
};

struct batch {
    uint32_t rows;         /* physical rows in the vectors, 1..BATCH_ROWS */
    uint32_t count;        /* rows that count: `rows`, or the length of `sel` */
    const uint16_t *sel;   /* NULL: all rows */
    uint16_t column_count;
    struct vec *columns;
};

#define VEC_DATA(v, ctype) ((ctype *)(v)->data)

static inline bool nulls_get(const uint64_t *nulls, uint32_t i)
{
    return nulls && (nulls[i >> 6] >> (i & 63) & 1);
}
static inline void nulls_set(uint64_t *nulls, uint32_t i) { nulls[i >> 6] |= 1ull << (i & 63); }
static inline void nulls_clear(uint64_t *nulls, uint32_t i) { nulls[i >> 6] &= ~(1ull << (i & 63)); }

/* A flat vector of BATCH_ROWS values in the arena, with a zeroed null bitmap. */
void vec_init_flat(struct vec *v, type_id type, struct arena *a);
/* As above with room for `rows`. */
void vec_init_flat_rows(struct vec *v, type_id type, uint32_t rows, struct arena *a);
void vec_init_const(struct vec *v, type_id type, struct datum d, struct arena *a);
/* One value of any form. */
struct datum vec_get(const struct vec *v, uint32_t row);
/* The same into *ret, for loops over rows. */
static inline void vec_load(const struct vec *v, uint32_t row, struct datum *ret)
{
    const char *from = (const char *)v->data + (size_t)row * v->width;
    if (v->form != VEC_FLAT || nulls_get(v->nulls, row)) {
        *ret = vec_get(v, row);
        return;
    }
    *ret = (struct datum){.null = false};
    switch (v->width) { /* known sizes are single moves */
    case 4: memcpy(&ret->v, from, 4); return;
    case 8: memcpy(&ret->v, from, 8); return;
    case 16: memcpy(&ret->v, from, 16); return;
    default: memcpy(&ret->v, from, v->width);
    }
}
/* Into a flat vector; the bytes are kept by reference. */
void vec_set(struct vec *v, uint32_t row, struct datum d);
/* out := v as a flat vector (shares data when it is flat already); `rows` physical rows. */
void vec_flatten(const struct vec *v, uint32_t rows, struct arena *a, struct vec *out);
/* Gathers src[sel[i]] into dst[dst_row + i], deep-copying bytes into the arena when given. */
void vec_gather(struct vec *dst, uint32_t dst_row, const struct vec *src, const uint16_t *sel,
                uint32_t count, struct arena *copy_into);
/* The same of `count` rows of a flat one from `src_row` on: most are moved at once. */
void vec_append(struct vec *dst, uint32_t dst_row, const struct vec *src, uint32_t src_row, uint32_t count,
                struct arena *copy_into);
/* hashes[i] := hash of row sel[i] (or row i); combines with what is there unless `first`. NULL rows
 * hash to a constant. */
void vec_hash(const struct vec *v, const uint16_t *sel, uint32_t count, bool first,
              uint64_t *hashes);

void batch_init(struct batch *b, uint16_t columns, const type_id *types, struct arena *a);

#endif
