/* Locks that are not on keys, for this folder: relations (wait.c), advisory ones (advisory.c), and the
 * search for deadlocks over all (deadlock.c). */
#ifndef HELIOS_CORE_MVCC_LOCKS_PRIV_H
#define HELIOS_CORE_MVCC_LOCKS_PRIV_H

#include "core/advisory.h"
#include "core/mvcc/mvcc_priv.h"

struct lock_holder {
    struct txn *txn;
    uint8_t modes;
};

struct lock_waiter {
    struct txn *txn;
    uint8_t mode;
    struct waiter *waiter;
    bool passes; /* guarded by the entry's lock: need not stand behind others, which wait for it */
    struct lock_waiter *next;
};

struct relation_lock_entry {
    uint64_t relation; /* and the number of the branch above it */
    struct relation_lock_entry *next;  /* in its bucket; entries stay for the store's life */
    struct spinlock lock;
    ARRAY(struct lock_holder) holders; /* guarded by lock */
    struct lock_waiter *waiters;       /* guarded by lock; FIFO */
};

static inline uint64_t relation_of(const struct relation_lock_entry *e)
{
    return e->relation & ((1ull << BRANCH_NUMBER_SHIFT) - 1);
}

struct relation_shard {
    struct spinlock lock;
    struct relation_lock_entry *entries; /* guarded by lock */
};

/* PostgreSQL's conflict table (documentation, table 13.2): bit m - 1 for mode m. */
extern const uint8_t lock__conflicts[9];
extern const char *const lock__mode_names[9];

/* --- advisory locks: all of it guarded by store.wait_mutex --- */

struct advisory_lock;
struct advisory_table;

struct advisory_holder { /* one owner's hold on one lock */
    struct lock_owner *owner;
    struct advisory_lock *lock;
    struct advisory_holder *next, *prev;             /* of the lock */
    struct advisory_holder *owner_next, *owner_prev; /* of the owner */
    uint64_t count[2];   /* at the session's level: exclusive, shared */
    bool transaction[2]; /* at the transaction's */
};

struct advisory_waiter {
    struct txn *txn;
    struct waiter *waiter;
    bool shared, granted;
    bool passes; /* as in lock_waiter */
    enum advisory_level level;
    struct advisory_waiter *next;
};

struct advisory_lock {
    struct advisory_key key;
    struct advisory_lock *next; /* in its bucket */
    struct advisory_holder *holders;
    struct advisory_waiter *waiters; /* FIFO */
};

struct lock_owner {
    struct store *store;
    uint32_t pid, database;
    struct txn *waiting; /* guarded by wait_mutex: the transaction that waits in its name, or did */
    struct advisory_holder *holders; /* guarded by wait_mutex */
    uint32_t holder_count;           /* atomic: written under wait_mutex, read by the owner */
};

struct lock_lines {
    struct lock_line *data; /* as ARRAY */
    size_t count, cap;
};
void locks__relations(struct store *s, struct arena *a, struct lock_lines *lines);
void advisory__free(struct advisory_table *a); /* may be NULL */
/* Gives the transaction an owner of its own, with its locks. FEATURE_NOT_SUPPORTED if the session holds some
 * of the same at its own level. */
enum status advisory__hand_over(struct txn *t, struct lock_owner **ret) MUST;
/* Gives back what the transaction holds since that step; under no lock. */
void advisory__release(struct txn *t, struct advisory_holder *h, unsigned kind);
static inline bool advisory__holds(const struct advisory_holder *h, bool shared)
{
    return h->count[shared] || h->transaction[shared];
}
/* Does what `h` holds keep others from it? */
static inline bool advisory__conflicts(const struct advisory_holder *h, bool shared)
{
    return advisory__holds(h, false) || (!shared && advisory__holds(h, true));
}

/* --- deadlocks (deadlock.c): under wait_mutex --- */

/* t is about to wait, and has told for what. Does that close a cycle? One that is there only because
 * somebody stands behind another in a queue goes by letting him pass; else DEADLOCK_DETECTED, with who
 * waits for whom. */
enum status deadlock__check(struct txn *t) MUST;
/* All waiters of the lock that may have it now get it. */
void advisory__grant(struct advisory_lock *l);
/* After a wait. */
enum status lock__park_status(enum park_result r) MUST;
int64_t lock__deadline(const struct txn *t);

#endif
