/* The memtable: a concurrent adaptive radix tree (Leis et al., ICDE 2013) from keys to chains of
 * versions, newest first. One writer at a time a memtable (its latch); readers never lock and never
 * write: they validate per-node versions (optimistic lock coupling, Leis et al., DaMoN 2016). All
 * memory is the memtable's, freed as a whole; but a version that was superseded may move (homes.c), so what a
 * reader found stays until its epoch section ends. */
#ifndef HELIOS_CORE_LSM_MEMTABLE_H
#define HELIOS_CORE_LSM_MEMTABLE_H

#include "base/epoch.h"
#include "base/fiber.h"
#include "base/str.h"

struct txn;
struct memtable;
#define TS_ABORTED (UINT64_MAX - 1) /* `begin` of a version that was taken out */
struct leaf; /* a key and the head of its chain */
struct leaf_chunk;

/* One version of a key. `begin` is the commit timestamp, or (lowest bit set) the transaction that is
 * in flight. Immutable but for `begin`, which goes from transaction to timestamp once. */
struct version {
    struct version *older;  /* atomic: release */
    uint64_t begin;         /* atomic */
    uint32_t command;       /* of the writing transaction */
    uint32_t len : 29;      /* of the row; of a key lock its strength */
    uint32_t tombstone : 1;
    uint32_t lock_only : 1; /* a key lock: carries no row, is never logged or flushed */
    uint32_t keeps_key : 1; /* goes with a key share lock of others: core/store.h, keeps_key */
    char row[];
};

/* `epoch`: of those who read it; NULL: what they find stays as long as the memtable. */
struct memtable *memtable_new(struct epoch *epoch);
void memtable_free(struct memtable *m);
uint64_t memtable_bytes(const struct memtable *m);
uint64_t memtable_key_count(const struct memtable *m);

/* NULL when the key is not there. Wait-free but for retries while a writer changes that very node. */
struct leaf *memtable_find(const struct memtable *m, struct slice key);
/* The leaf of the key, made when absent. Caller holds the latch. */
struct leaf *memtable_upsert(struct memtable *m, struct slice key);
void memtable_latch(struct memtable *m);
void memtable_unlatch(struct memtable *m);
struct slice leaf_key(const struct leaf *l);
struct version *leaf_head(const struct leaf *l);               /* acquire */
void leaf_set_head(struct leaf *l, struct version *v);         /* release; caller holds the latch */
/* What readers have found out of the key and keep with it: a number of their own; 0 at first. */
uint64_t leaf_note(const struct leaf *l);
void leaf_set_note(struct leaf *l, uint64_t note);
/* A version with a row, to be put into the key's chain, in front of all others with rows; then memtable_placed. Latch
 * held, as for those below. */
struct version *memtable_version_new(struct memtable *m, struct leaf *l, struct slice row);
void memtable_placed(struct memtable *m, struct leaf *l, struct version *v);
/* It was taken out of the chain, since its transaction was undone. */
void memtable_gone(struct memtable *m, struct leaf *l, const struct version *v);
struct version *memtable_lock_new(struct memtable *m); /* of a key; without a row */

/* All keys that were there when it began, in the order in which they came: faster than a walk. */
struct leaf_list {
    const struct leaf_chunk *chunk;
    uint32_t at;
    uint64_t left;
};
void memtable_list(const struct memtable *m, struct leaf_list *ret);
uint32_t memtable_list_next(struct leaf_list *l, struct leaf **ret, uint32_t max); /* 0: the end */
void memtable_list_skip(struct leaf_list *l, uint32_t n); /* as many as are left, at most */

/* Ordered walk, for scans and flushes, while writers go on: sees every key present throughout.
 * Returns up to `max` leaves with key >= from (> when `after`), ascending; or with key < from (NULL:
 * the end), descending, when reverse. */
uint32_t memtable_walk(const struct memtable *m, struct slice from, bool after, bool reverse,
                       struct leaf **ret, uint32_t max);

#endif
