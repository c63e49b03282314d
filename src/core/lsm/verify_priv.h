/* Verification, as its files share it. */
#ifndef HELIOS_CORE_LSM_VERIFY_PRIV_H
#define HELIOS_CORE_LSM_VERIFY_PRIV_H

#include "core/lsm/tree.h"

enum { VERSIONS_PROBLEM_BYTES = 512, LISTS_CHECKED_MAX = 512 };

/* `s` is a copy of the tree's shape, `newest` the last commit that was durable after it was made, `fork` that of the
 * branch whose overlay the tree is, or 0. *problem: the first that is found, or empty. An error: a run cannot be
 * read, which is run_verify's to tell, or the sink has had enough. */
enum status verify__versions(const struct forest *f, tree_id id, const struct shape *s, uint64_t fork,
                             uint64_t newest, const struct verify_sink *sink,
                             char problem[VERSIONS_PROBLEM_BYTES], uint64_t *ret_checked) MUST;
/* Branches: their parents, and the trees that are theirs. */
enum status verify__branches(struct forest *f, uint64_t newest, const struct verify_sink *sink) MUST;

#endif
