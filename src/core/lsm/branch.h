/* Branches (docs/design/branches.md), as the forest keeps them: who they fork from and when, and which trees
 * are theirs. A branch reads along its path: itself, then each ancestor as of a timestamp. */
#ifndef HELIOS_CORE_LSM_BRANCH_H
#define HELIOS_CORE_LSM_BRANCH_H

#include "core/lsm/tree.h"

enum { BRANCH_STEPS_MAX = STORE_BRANCH_DEPTH_MAX + 1 };

struct branch_step {
    struct branch *branch; /* NULL: the main line */
    uint64_t ts;           /* it is read as of then; UINT64_MAX: as the reader pleases */
};

/* From the number of a tree to that of its overlay; open addressing, never changed once it is shown. */
struct overlay_map {
    uint32_t count, mask;
    struct overlay_slot {
        tree_id base, overlay;
    } slots[];
};

struct branch {
    struct forest *forest;
    uint32_t id;                  /* from 1; never used again */
    struct branch_step path[BRANCH_STEPS_MAX];
    uint32_t steps;
    uint64_t fork_ts;
    int64_t created_us;           /* wall clock */
    char name[STORE_BRANCH_NAME_MAX + 1];
    struct overlay_map *overlays; /* atomic; replaced under mutex, old ones retired by epoch */
    struct fmutex mutex;          /* makes overlays; rank: above the forest's mutexes */
    uint64_t marks[2];            /* guarded by branches_mutex: moments of its own that are kept; 0: none */
    uint32_t handles;             /* guarded by branches_mutex */
    bool dropping;                /* guarded by branches_mutex: takes no handle and no child */
    bool logged;                  /* guarded by manifest_mutex: the manifest knows it */
};

static inline struct branch *branch_parent(const struct branch *b)
{
    return b->path[1].branch;
}

/* The branch's overlay of the tree; 0: none. */
static inline tree_id branch_overlay(const struct branch *b, tree_id base)
{
    const struct overlay_map *m = __atomic_load_n(&b->overlays, __ATOMIC_ACQUIRE);
    if (!m) return 0;
    for (uint32_t i = (uint32_t)(base * 0x9E3779B97F4A7C15ull >> 32);; i++) {
        const struct overlay_slot *s = &m->slots[i & m->mask];
        if (s->base == base) return s->overlay;
        if (!s->base) return 0;
    }
}

/* Durable on return. The overlay of the tree, made if there is none; what it is an overlay of stays as
 * long as the branch does. */
enum status branch_make_overlay(struct branch *b, struct tree *base, struct tree **ret) MUST;

/* The moments at or after which versions of the tree are read by branches, ascending; each once. */
struct pins {
    ARRAY(uint64_t) ts;
};
void forest_pins(struct forest *f, const struct tree *t, struct pins *ret);
void pins_release(struct pins *p);
/* Is there one from `from` on and before `to`? */
bool pins_between(const struct pins *p, uint64_t from, uint64_t to);

/* Of recovery: versions of a tree that a run outdates, ended at `end` at the latest, if a branch reads them. */
struct rescue;
struct rescue *tree_rescue_new(struct tree *t);
void tree_rescue_add(struct rescue *r, const struct entry *e, uint64_t end);
enum status tree_rescue_end(struct rescue *r) MUST; /* after the log, when nothing else runs */
void tree_rescue_free(struct rescue *r);

/* Of an exact name, or NULL. The caller holds branches_mutex. */
struct branch *forest_branch_named(const struct forest *f, struct slice name);
struct branch *forest_branch(const struct forest *f, uint32_t id);
/* A new branch, not told to the manifest yet; its pins hold from now on. Under branches_mutex, as is
 * forest_forget_branch: one that was never told, or nothing is left of. */
enum status forest_add_branch(struct forest *f, struct branch *parent, struct slice name,
                              uint64_t fork_ts, int64_t created_us, struct branch **ret) MUST;
/* As it is now. Durable on return. */
enum status forest_log_branch(struct forest *f, struct branch *b) MUST;
/* The manifest forgets it and its trees in one batch; then they go, and it, which is `dropping`, is freed.
 * An error leaves all as it was. */
enum status forest_drop_branch(struct forest *f, struct branch *b) MUST;
void forest_forget_branch(struct forest *f, struct branch *b);
void forest_free_branches(struct forest *f);

#endif
