/* Where the keys of a memtable lie in the runs below it: what a scan by columns hides there (docs/design/htap.md).
 * Found once a key, by whoever needs it first, and kept with the shape until its runs are others; who makes the next
 * shape finds them anew before anybody reads it (lsm/advance.c). */
#ifndef HELIOS_CORE_LSM_PLACES_H
#define HELIOS_CORE_LSM_PLACES_H

#include "core/lsm/tree.h"

/* In the newest run with columns that has the key. Masks of that one tell the older ones (lsm/masks.h). */
struct place {
    uint32_t run; /* number among all of the shape, newer ones first; PLACE_NONE: in none */
    uint32_t position;
};
#define PLACE_NONE UINT32_MAX

/* Runs of a shape by number, and where searches in them stand. */
struct run_finder;
struct place_finder {
    struct shape_run {
        const struct run_ref *ref;
        uint32_t level;
    } *runs;
    struct run_finder *finders;
    uint32_t count;
};
void place_finder_init(struct place_finder *f, const struct shape *s);
void place_finder_end(struct place_finder *f);
/* `skip`: bits of runs that are not looked into; NULL: none. */
enum status place_find(struct place_finder *f, struct slice key, const uint64_t *skip, struct place *ret) MUST;

/* A key without a committed version. */
struct open_place {
    uint32_t at; /* in the list */
    const struct leaf *leaf;
    struct place place;
};

/* Of one memtable and the runs of one shape; shapes with the same runs share it. */
struct places {
    uint32_t refs; /* atomic */
    struct fmutex mutex;
    /* Guarded by it. Of the first keys of memtable_list, in that order; of those that are open PLACE_NONE: */
    ARRAY(struct place) list;
    ARRAY(struct open_place) open;
    struct leaf_list rest; /* keys after them */
    uint64_t settled_ts;   /* of all others the oldest version was committed by then */
};
/* Those of the shape's memtable; NULL when they belong to other runs. Kept by the shape. */
struct places *shape_places(const struct shape *s, uint32_t memory);
/* Locks them, and brings them up to all keys that are there. On an error they are unlocked. */
enum status places_lock(struct places *p, const struct shape *s, uint32_t memory, struct place_finder *f) MUST;
void places_unlock(struct places *p);
/* Those of a memtable of `from` in a shape with other runs. */
enum status places_move(struct places *p, const struct shape *from, const struct shape *to, uint32_t memory,
                        struct place_finder *f, struct places **ret) MUST;
struct places *places_new(void);
struct places *places_ref(struct places *p); /* NULL is fine */
void places_unref(struct places *p);         /* NULL is fine */

/* What is found of a key as it is written, for who needs its place later: with its leaf. */
void place_note(const struct shape *s, const struct memory *m, struct leaf *leaf, const struct place *p);

#endif
