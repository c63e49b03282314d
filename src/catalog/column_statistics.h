/* Making what the catalog keeps of a column's values out of a random sample of them. Pure: reads no
 * storage. Also counts distinct values over all rows by hashes (HyperLogLog; Flajolet and others,
 * AofA 2007). */
#ifndef HELIOS_CATALOG_COLUMN_STATISTICS_H
#define HELIOS_CATALOG_COLUMN_STATISTICS_H

#include "catalog/catalog.h"

enum {
    STATISTICS_TARGET_DEFAULT = 100,
    STATISTICS_TARGET_MAX = 10000,
    STATISTICS_ROWS_PER_TARGET = 300, /* sampled; Chaudhuri, Motwani and Narasayya, SIGMOD 1998 */
    STATISTICS_WIDTH_MAX = 1024,      /* longer values are no most common ones and no bounds */
    HLL_BITS = 12,
};

struct hll {
    uint8_t ranks[1 << HLL_BITS];
};
void hll_add(struct hll *h, uint64_t hash);
double hll_count(const struct hll *h);

/* One sampled value and where in the order of rows it stood. */
struct sampled_value {
    union value v;
    uint32_t position;
};
struct column_sample {
    type_id type;
    struct sampled_value *values; /* neither NULL nor wide; is sorted in place */
    uint32_t count, nulls, wide;
    double bytes;                 /* of all that are not NULL */
    double table_rows;
    double known_distinct;        /* over all rows; 0: not known */
    uint32_t target;
};
/* False when the type's values can be neither told apart nor ordered. */
bool type_has_statistics(type_id type);
/* What is made lies in the arena; the values are shared with the sample. */
void column_statistics_make(struct arena *a, struct column_sample *s,
                            struct column_statistics *ret);
/* The number of distinct values in so many rows. */
double statistics_distinct(double distinct, double rows);

#endif
