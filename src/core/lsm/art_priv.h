/* The tree inside a memtable; see art.c. */
#ifndef HELIOS_CORE_LSM_ART_PRIV_H
#define HELIOS_CORE_LSM_ART_PRIV_H

#include "base/arena.h"
#include "core/lsm/memtable.h"

struct leaf {
    struct version *head; /* atomic: release by the writer, acquire by readers */
    uint64_t note;        /* atomic: leaf_note */
    uint32_t key_len;     /* immutable, as is the key */
    uint32_t home;        /* guarded by the latch: homes.c */
    char key[];
};

/* Leaves in the order in which they were made. */
struct leaf_chunk {
    struct leaf_chunk *next; /* set before `listed` tells of what is in it */
    uint32_t cap;
    struct leaf *leaves[];
};

/* Zeroed and given an initialised arena is empty. */
struct art {
    uintptr_t root;     /* a link; atomic: release, acquire */
    struct arena arena; /* guarded by the memtable's latch */
    uint64_t bytes;     /* given out of the arena; atomic, relaxed */
    uint64_t keys;      /* atomic, relaxed */
    struct leaf_chunk *first, *last; /* first: atomic, set once; last: guarded by the latch */
    uint32_t last_count;             /* of leaves in the last; guarded by the latch */
    uint64_t listed;                 /* atomic: of all leaves; release, acquire */
};

enum art_seek {
    ART_FROM,   /* ascending, keys >= */
    ART_AFTER,  /* ascending, keys > */
    ART_BEYOND, /* ascending, keys > that do not begin with it */
    ART_BEFORE, /* descending, keys < */
    ART_LAST,   /* descending, from the end */
};

void *art__alloc(struct art *t, size_t size, size_t align); /* latch held */
struct leaf *art__find(const struct art *t, struct slice key);
struct leaf *art__upsert(struct art *t, struct slice key); /* latch held */
uint32_t art__walk(const struct art *t, struct slice from, enum art_seek seek, struct leaf **ret,
                   uint32_t max);

#endif
