/* SQL arrays as bytes (docs/format/array.md): i32 ndim, i32 flags (1: has nulls), u32 element type,
 * then a dimension each (i32 length, i32 lower bound), then each element: i32 length (-1: NULL) and
 * the row-storage form of the value. An empty array has ndim 0. */
#ifndef HELIOS_TYPES_ARRAY_H
#define HELIOS_TYPES_ARRAY_H

#include "types/value.h"

enum { ARRAY_DIMS_MAX = 6 };

struct array_view {
    type_id element;
    int32_t ndim, dims[ARRAY_DIMS_MAX], lower[ARRAY_DIMS_MAX];
    uint32_t count; /* elements in all */
    struct datum *elements; /* row-major; bytes are referenced */
};

/* Decodes; elements in the arena. DATA_CORRUPTED when malformed. */
enum status array_open(const struct bytes *b, struct arena *a, struct array_view *ret) MUST;
/* One-dimensional, lower bound 1. */
struct bytes array_make(struct arena *a, type_id element, const struct datum *elements,
                        uint32_t count);
struct bytes array_make_view(struct arena *a, const struct array_view *v);

#endif
