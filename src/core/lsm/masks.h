/* Which entries of a run are hidden by newer runs: what a scan by columns passes over
 * (docs/design/htap.md). For each pair of runs found once, kept with the older one. */
#ifndef HELIOS_CORE_LSM_MASKS_H
#define HELIOS_CORE_LSM_MASKS_H

#include "core/lsm/tree.h"
#include "core/segment/run_columns.h"

/* Do any keys of the one lie within those of the other? */
bool runs_overlap(const struct run *a, const struct run *b);
/* Sets the bits of the positions in `older`, which has columns, whose keys `newer` has, too. *ret_any:
 * there are some. `s` is the shape that has both. QUERY_CANCELED. */
enum status run_hidden_add(struct run_ref *older, struct run_ref *newer, const struct shape *s,
                           uint64_t *bits, bool *ret_any) MUST;
/* Finds it out beforehand. QUERY_CANCELED. */
enum status run_mask_make(struct run_ref *older, const struct run_ref *newer) MUST;
/* What is known already: `n` positions, ascending. */
void run_mask_put(struct run_ref *older, uint64_t newer, const uint32_t *positions, size_t n);
void run_masks_free(struct run_ref *r);

#endif
