/* The byte ranges of a tree that a key_range of the plan means. */
#ifndef HELIOS_EXEC_OPS_KEY_RANGE_H
#define HELIOS_EXEC_OPS_KEY_RANGE_H

#include "exec/ops/ops_priv.h"

struct byte_range {
    struct slice lower, upper; /* data NULL: open */
    bool exact;                /* the whole key of a unique tree: lower is the key */
};

/* In key order, without overlaps. Count 0: no row can qualify. `key_count` columns make a key unique
 * when `unique`. Lives in the arena. */
enum status key_ranges(struct execution *x, const struct key_range *r, const struct index_def *index,
                       bool unique, struct arena *a, struct byte_range **ret,
                       uint32_t *ret_count) MUST;

#endif
