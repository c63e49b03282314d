/* Zone maps: what is known of some rows of a column without looking at them. One for each block and
 * one for each segment; 64 bytes, kept side by side, so that pruning reads one array a column. */
#ifndef HELIOS_CORE_COLUMN_ZONE_H
#define HELIOS_CORE_COLUMN_ZONE_H

#include "core/column/column.h"

enum {
    ZONE_RANGE = 1,     /* min and max hold: every value that is not NULL lies between them */
    ZONE_MIN_EXACT = 2, /* and are values that occur */
    ZONE_MAX_EXACT = 4,
    ZONE_SUM = 8,       /* sum is that of all values that are not NULL */
};
enum { ZONE_STRING_MAX = 15 };

/* On disk as well, little-endian (docs/format/column.md). */
struct column_zone {
    uint8_t min[16], max[16]; /* as in a vector; strings: 15 bytes and a length; numerics: 8 + 2 */
    uint64_t sum_low;
    int64_t sum_high;         /* of numerics the sum of coefficients */
    uint32_t rows, nulls;
    uint8_t flags;
    uint8_t zero;
    uint16_t scale;           /* of the sum of numerics */
    uint32_t zero2;
};
_Static_assert(sizeof(struct column_zone) == 64, "docs/format/column.md");

void column_zone_make(type_id type, const struct vec *v, uint32_t rows, struct column_zone *ret);
/* `into` := what holds of the rows of both. */
void column_zone_add(type_id type, struct column_zone *into, const struct column_zone *more);
/* Could somebody's bytes be a zone of this type? */
bool column_zone_valid(type_id type, const struct column_zone *z);

/* Of how many of its rows a test is true. */
enum column_match { COLUMN_MATCH_NONE, COLUMN_MATCH_SOME, COLUMN_MATCH_ALL };
enum column_match column_zone_test(type_id type, const struct column_zone *z,
                                   const struct column_test *t);

/* The least and the greatest value, the sum of integers or numerics: false when the zone does not
 * know it exactly. Strings in the arena. All NULL: nothing is known. */
bool column_zone_min(type_id type, const struct column_zone *z, struct arena *a, union value *ret);
bool column_zone_max(type_id type, const struct column_zone *z, struct arena *a, union value *ret);
bool column_zone_sum(const struct column_zone *z, __int128 *ret_sum, uint16_t *ret_scale);

#endif
