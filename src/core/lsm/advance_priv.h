/* What scans by columns would have to find out of runs that are about to be shown. */
#ifndef HELIOS_CORE_LSM_ADVANCE_PRIV_H
#define HELIOS_CORE_LSM_ADVANCE_PRIV_H

#include "core/lsm/places.h"
#include "core/lsm/tree_priv.h"

struct advance {
    bool there;            /* else there is nothing */
    uint64_t runs_version; /* of the shape that the edit was to change */
    uint32_t count;
    struct memory **memories; /* of the shape to be */
    struct places **places;   /* of each; NULL: none */
};
/* Nothing of a tree that is not read by columns, and on any error. `flushed`: the memtable that goes; NULL: none does.
 * Takes long; nothing is locked. */
void tree__advance(struct tree *t, const struct run_edit *e, const struct memory *flushed, struct advance *ret);
/* Puts it into the next shape, if it is the one. Under tree->mutex, before the shape is set. */
void tree__apply_advance(const struct tree *t, struct shape *next, struct advance *a);
void advance__release(struct advance *a);

#endif
