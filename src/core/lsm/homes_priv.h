/* Where a memtable keeps versions; see homes.c. */
#ifndef HELIOS_CORE_LSM_HOMES_PRIV_H
#define HELIOS_CORE_LSM_HOMES_PRIV_H

#include "base/epoch.h"
#include "core/lsm/art_priv.h"

struct home;

/* All of it is guarded by the memtable's latch. Zeroed but for `past`, which is to be initialised. */
struct homes {
    struct arena past;    /* what is seldom read; the rest lies beside the nodes */
    struct epoch *epoch;  /* NULL: no place is ever taken again */
    struct home **chunks; /* heap */
    uint32_t count, room; /* of homes; of chunks */
    uint64_t oldest;      /* places that were left before this stamp may be taken */
    uint32_t placed, due; /* versions since that was found out; at how many it is done again */
};

void homes__release(struct homes *h);
/* Room for a version of the key with that many bytes of row; not set. */
struct version *homes__version_new(struct homes *h, struct art *t, struct leaf *l, size_t bytes);
/* Room that nobody comes back to. */
struct version *homes__past_new(struct homes *h, struct art *t, size_t bytes);
/* The version was put into the key's chain: what lies behind it makes room. */
void homes__placed(struct homes *h, struct art *t, struct leaf *l, struct version *v);
/* It was taken out of the chain: an aborted one. */
void homes__gone(struct homes *h, struct leaf *l, const struct version *v);

#endif
