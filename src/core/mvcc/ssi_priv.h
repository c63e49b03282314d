/* Serializable snapshot isolation, for this folder: docs/design/serializable.md says how it works.
 *
 * Lock order, outer first: a bucket's lock (the ranges of its trees), then ssi.lock (the graph), then
 * sx.slots_lock. None is held across I/O or a wait. */
#ifndef HELIOS_CORE_MVCC_SSI_PRIV_H
#define HELIOS_CORE_MVCC_SSI_PRIV_H

#include "base/array.h"
#include "base/fiber.h"
#include "core/mvcc/mvcc_priv.h"

enum {
    SSI_BUCKETS = 256,
    SSI_RANGES_OF_TREE_MAX = 1024, /* of one transaction, before they become one */
    SSI_RANGES_MAX = 4096,         /* of one transaction, in all trees */
    SSI_RANGE_BYTES_MAX = 1 << 20,
    SSI_COMMITTED_MAX = 16384,     /* before the oldest become one */
    SSI_BYTES_MAX = 64 << 20,
};
#define SSI_NEVER UINT64_MAX

/* --- ranges of keys (ssi_ranges.c) ------------------------------------------------------------- */

enum range_end { END_OPEN, END_CLOSED, END_NONE }; /* below `to`; up to it; no bound */

struct key_range {
    struct slice from, to;
    enum range_end end;
};

enum ssi_kind { SSI_READ, SSI_WRITE, SSI_KINDS };

struct sx;

/* A node of a treap, ordered by `from`, then owner: an owner has one range that begins at a key. */
struct ssi_range {
    struct ssi_range *left, *right;
    const struct ssi_range *widest; /* of this subtree: whose end is the largest */
    struct ssi_range *next, *prev;  /* of its owner and tree */
    struct sx *owner;
    uint64_t priority;
    struct key_range r;             /* its bytes follow the struct */
};

static inline struct key_range range_of_key(struct slice key)
{
    return (struct key_range){key, key, END_CLOSED};
}
bool ssi__ends_before(const struct key_range *a, const struct key_range *b); /* by their ends */
bool ssi__overlaps(const struct key_range *a, const struct key_range *b);
bool ssi__covers(const struct key_range *outer, const struct key_range *inner);
struct ssi_range *ssi__range_new(struct sx *owner, const struct key_range *r);
uint64_t ssi__range_bytes(const struct ssi_range *n);
/* Nothing of the same owner may begin at the same key. */
void ssi__insert(struct ssi_range **root, struct ssi_range *n);
void ssi__remove(struct ssi_range **root, struct ssi_range *n); /* does not free it */
struct ssi_range *ssi__find(struct ssi_range *root, struct slice from, const struct sx *owner);
/* Calls fn for all that have a key in common with r. fn changes no treap. */
void ssi__each_overlap(struct ssi_range *root, const struct key_range *r,
                       void (*fn)(void *ctx, struct sx *owner), void *ctx);

/* --- the graph (ssi.c) ------------------------------------------------------------------------- */

/* What one transaction has in one tree. Guarded by the lock of the tree's bucket. */
struct ssi_slot {
    struct ssi_slot *next; /* guarded by sx.slots_lock */
    tree_id tree;
    struct ssi_range *first[SSI_KINDS];
    uint32_t count[SSI_KINDS];
    bool whole[SSI_KINDS]; /* one range from the lowest to the highest */
};

struct sx_array {
    struct sx **data;
    size_t count, cap;
};

/* A transaction that is SERIALIZABLE, and what is left of one (or of several: merged) that has
 * committed. Guarded by ssi.lock but for what says otherwise. */
struct sx {
    struct ssi *ssi;
    struct txn *txn;       /* NULL once committed */
    uint64_t id;
    uint64_t snapshot;     /* the newest, of merged ones */
    uint64_t floor;        /* <= snapshot; those of the active list rise */
    uint64_t begin_seq;
    uint64_t prepare_seq;  /* in the order of commits; SSI_NEVER: not yet. The least, of merged ones */
    uint64_t commit_seq;   /* likewise; the greatest */
    uint64_t first_ts, last_ts; /* commit timestamps; SSI_NEVER and 0: it wrote nothing */
    uint64_t reads_seq;    /* commit_seq of one that wrote nothing; else 0 */
    uint64_t order;        /* in the list of committed ones */
    uint64_t out_seq, out_ts; /* the earliest prepare_seq and first_ts that an arrow goes to; SSI_NEVER */
    uint64_t in_seq;       /* the latest commit_seq that an arrow comes from; 0: none */
    uint64_t in_ts;        /* likewise the latest snapshot, of those that only read */
    struct sx_array in, out; /* arrows from and to those that have not committed */
    struct sx_array beside;  /* of one that only reads: writers that may make its snapshot unsafe */
    struct sx *next, *prev;
    struct waiter *waiter; /* for a safe snapshot */
    bool read_only;        /* declared so; or has committed without a write */
    bool doomed;           /* atomic: set under ssi.lock, read without */
    bool safe;             /* atomic, likewise: nothing of it is tracked */
    bool unsafe, prepared, committed;
    bool reads_all;        /* of a tree that is no more */
    struct spinlock slots_lock;
    struct ssi_slot *slots; /* guarded by slots_lock; they stay while the sx does */
    uint32_t ranges;       /* atomic */
    uint64_t bytes;        /* atomic: of ranges */
};

struct ssi_tree {
    struct ssi_tree *next;
    tree_id id;
    struct ssi_range *roots[SSI_KINDS];
};
struct ssi_bucket {
    struct spinlock lock;
    struct ssi_tree *trees; /* guarded by lock: those with ranges */
};

struct sx_list {
    struct sx *head, *tail;
    uint32_t count;
};

struct ssi {
    struct store *store;
    tree_id untracked;        /* atomic */
    struct spinlock lock;
    uint64_t seq;
    struct sx_list active;    /* in the order of their beginning */
    struct sx_list committed; /* by `order` */
    struct sx_list idle;      /* to be used again */
    uint32_t reads_all;       /* atomic: how many have it */
    uint64_t bytes;           /* atomic: of all ranges */
    uint32_t committed_max;   /* SSI_COMMITTED_MAX; tests want less */
    uint32_t ranges_max;      /* SSI_RANGES_OF_TREE_MAX */
    bool merging;             /* one at a time; nothing committed is freed meanwhile */
    struct counter *failures;
    struct ssi_bucket buckets[SSI_BUCKETS];
};

/* PostgreSQL's words for why. */
enum ssi_reason {
    SSI_FINE,
    SSI_DOOMED_READ,
    SSI_DOOMED_WRITE,
    SSI_DOOMED_COMMIT,
    SSI_PIVOT_WRITE,
    SSI_OUT_TO_PIVOT,
    SSI_PREPARED_PIVOT,
};

/* An arrow from `r` to `w` if they ran beside each other; one of them is `me`, whose the reason is.
 * Under ssi.lock. */
enum ssi_reason ssi__arrow(struct sx *me, struct sx *r, struct sx *w, uint64_t *ret_other);
enum status ssi__fail(struct sx *x, enum ssi_reason reason, uint64_t other);
/* It will not commit: what others know of it goes. Under ssi.lock. */
void ssi__forget(struct sx *x);
void sx_list__push(struct sx_list *l, struct sx *x);
void sx_list__remove(struct sx_list *l, struct sx *x);

/* --- what is left of those that have ended (ssi_ended.c) --------------------------------------- */

struct sx *ssi__sx_new(struct ssi *g);
void ssi__sx_free(struct sx *x); /* with its ranges; in no list */
/* Into the list of committed ones. Under ssi.lock. */
void ssi__keep(struct sx *x);
/* Frees those that nobody runs beside any more, and makes one of the oldest when they are too many. */
void ssi__collect(struct ssi *g);

/* --- reads and writes (ssi_locks.c) ------------------------------------------------------------ */

void ssi__drop_ranges(struct sx *x);
/* One range a tree from both, into a; b has none then. */
void ssi__merge_ranges(struct sx *a, struct sx *b);

#endif
