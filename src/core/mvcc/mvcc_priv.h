/* Transactions, for this folder. Lock order (outer first): store.wait_mutex; memtable latch;
 * txn.waiters_lock; relation lock entries; active_shard.lock. Those of ssi_priv.h stand alone. A memtable latch is never held across
 * I/O or a wait. */
#ifndef HELIOS_CORE_MVCC_MVCC_PRIV_H
#define HELIOS_CORE_MVCC_MVCC_PRIV_H

#include "base/array.h"
#include "base/epoch.h"
#include "base/metrics.h"
#include "core/lsm/branch.h"
#include "core/lsm/places.h"
#include "core/lsm/tree.h"
#include "core/txn.h"

/* version.begin of a version that a rollback took out: newer than any snapshot. */

enum { ACTIVE_SHARDS = 16, RELATION_SHARDS = 64 };

struct relation_lock_entry;
struct relation_shard;
struct ssi;
struct sx;
struct advisory_table;
struct prepared_txn;
struct advisory_lock;
struct advisory_holder;
struct advisory_waiter;

struct wait_node { /* somebody parked until a transaction ends */
    struct waiter *waiter;
    struct txn *txn;
    struct wait_node *next;
};

struct write_entry {
    struct tree *tree;
    struct memory *memory;
    struct leaf *leaf;
    struct version *version; /* NULL: marks the place of the newest tree change, or loaded run */
    int8_t rows; /* what it adds to the tree's row count */
    bool load;   /* marks a loaded run */
};

struct tree_change { /* CREATE or DROP of a tree in this transaction */
    struct tree *tree;
    bool drop;
};

struct end_hook {
    void (*fn)(void *ctx, bool committed);
    void *ctx;
    size_t writes; /* that there were */
};

struct held_lock {
    struct relation_lock_entry *entry;
    uint64_t relation;
    uint8_t modes; /* bit m - 1 for enum relation_lock m */
};

/* A lock as it was taken, for the way back to a savepoint. */
struct lock_step {
    struct advisory_holder *advisory; /* NULL: on a relation */
    uint32_t held;                    /* of a relation: its place in `locks` */
    uint8_t kind;                     /* the bit of a mode; of an advisory lock: is it shared */
};

/* A snapshot that comes back when the statement ends that is `depth` + 1 deep. */
struct aside_snapshot {
    uint64_t snapshot;
    uint32_t depth;
    struct txn *reader; /* holds back what it needs */
};

struct txn {
    uint64_t commit_ts;          /* atomic: 0 running, TS_ABORTED, else the timestamp */
    uint64_t id;                 /* atomic: another one each time that it is used again */
    uint32_t pid;                /* atomic: of its owner, who may be gone sooner; 0: none */
    struct store *store;
    struct txn_options options;
    struct epoch_slot *slot;
    struct sx *ssi;              /* what is tracked of a SERIALIZABLE one; NULL: nothing */
    struct branch *branch;       /* NULL: the main line */
    bool layered;                /* in a branch, or past: reads go by layers */
    bool past;                   /* reads only, and as of its snapshot, whatever that is */
    bool pinned;                 /* … which a branch keeps the history for */
    int64_t began_us;            /* of such a one: by the wall clock */
    const struct txn *view_of;   /* whose own versions it sees: itself, or a reader's writer */
    uint32_t depth;              /* of statements */
    uint32_t command, last_command; /* reads see own versions below `command` */
    ARRAY(uint32_t) outer_commands;
    ARRAY(struct aside_snapshot) aside; /* of statements around one that began latest */
    uint64_t snapshot;           /* atomic: 0 none, 1 being taken */
    ARRAY(struct write_entry) writes;
    ARRAY(struct tree_change) changes;
    ARRAY(struct loaded_run) loads; /* published, in order */
    ARRAY(struct end_hook) hooks;
    ARRAY(struct held_lock) locks;
    ARRAY(struct lock_step) steps; /* in order: the locks on relations, advisory ones */
    struct page_pins pins;       /* of the statement */
    uint64_t bytes;              /* of rows written */
    bool straddles;              /* a key was written in a frozen memtable, and in a newer one */
    bool shown;                  /* atomic: versions have shown its address, though they may be undone */
    uint64_t seen_lsn;           /* of the log when a lock showed what may not be durable yet */
    struct txn *next, *prev;     /* active list; guarded by its shard's lock */
    uint32_t shard;
    struct spinlock waiters_lock;
    struct wait_node *waiters;   /* guarded by waiters_lock */
    bool ended;                  /* guarded by waiters_lock: no more waiters */
    struct txn *waiting_for;     /* guarded by store->wait_mutex, as is waiting_id: its id */
    uint64_t waiting_id;
    struct relation_lock_entry *waiting_lock; /* guarded by store->wait_mutex */
    uint8_t waiting_mode;        /* guarded by store->wait_mutex */
    struct advisory_waiter *waiting_advisory; /* guarded by store->wait_mutex, as are these: */
    struct advisory_lock *waiting_for_advisory;
    uint64_t search;             /* the last one that came by */
    uint64_t resolves;           /* the prepared transaction that its record is the end of: itself; or 0 */
};

struct active_shard {
    struct spinlock lock;
    struct txn *head;    /* guarded by lock */
    struct txn *idle;    /* ended without trace, to be used again; guarded by lock */
    uint32_t idle_count; /* guarded by lock */
    char pad[40];
};

struct pending_drop { /* dropped by a commit: freed once no snapshot can see it */
    struct tree *tree;
    uint64_t ts;
    bool retired; /* the manifest still names it */
};

struct store {
    struct store_options o;
    struct forest *forest;
    struct wal *wal;
    struct hlc_clock clock;
    struct epoch *epoch;
    struct os_lock *dir_lock;
    char *dir;
    uint64_t visible_ts;         /* atomic: all up to here is durable */
    uint64_t next_txn;           /* atomic */
    uint64_t async_lsn;          /* atomic: the end of the last commit that nobody has waited for */
    uint64_t newest_tree_ts;     /* atomic: when the last tree was made; 0: none by this process */
    uint32_t active_txns;        /* atomic */
    struct active_shard active[ACTIVE_SHARDS];
    struct fmutex wait_mutex;    /* the graph of who waits for whom */
    struct relation_shard *relations;
    struct ssi *ssi;
    struct advisory_table *advisory; /* guarded by wait_mutex; NULL: none was ever taken */
    struct fmutex drops_mutex;
    ARRAY(struct pending_drop) drops; /* guarded by drops_mutex */
    uint32_t changes_pending;    /* atomic: commits between log and manifest; they hold up recycling */
    struct fmutex space_mutex;
    char full[256];              /* why memtables cannot be written out for want of space; guarded
                                    by space_mutex; empty: they can */
    struct fcond space;          /* a flush has freed memory, or a transaction has ended */
    uint32_t scheduled[2];       /* atomic: tasks queued or running: flush, compaction */
    bool closing;                /* atomic */
    bool recovering;             /* the log is being replayed */
    struct archiver *archiver;   /* NULL: the log is not archived */
    bool archive_full;           /* atomic: too much log waits for that */
    bool failed;                 /* atomic: background work failed for good; writes are refused */
    char failure[256];           /* written before `failed` is set */
    struct fmutex checkpoint_mutex;
    int64_t retention_us;        /* atomic: of history, but for trees with their own */
    struct fmutex prepared_mutex;
    ARRAY(struct prepared_txn *) prepared; /* guarded by prepared_mutex: in order of preparing */
    uint64_t prepared_bytes;     /* guarded by prepared_mutex */
    uint64_t loading;            /* atomic: bytes that buffers of bulk loads may take */
    uint64_t recovered_rows;     /* of the log, at the open */
    int64_t recovery_us;         /* how long that took */
    struct counter *commits, *rollbacks, *logged, *deadlocks;
};

static inline struct txn *tagged_txn(uint64_t begin)
{
    return (struct txn *)(uintptr_t)(begin & ~1ull);
}

/* --- visibility (read.c) --- */

/* What a statement or cursor sees. */
struct view {
    const struct txn *txn;
    uint64_t snapshot;
    uint32_t command; /* own versions below it */
};
static inline struct view txn__view(const struct txn *t)
{
    return (struct view){t->view_of, t->snapshot, t->command};
}
/* When the version (or loaded run) with this `begin` was committed: TS_ABORTED for one that was taken
 * out, 0 while it is in flight. *ret is whose it still is, or NULL once settled. A transaction is used
 * again when all its versions are settled, so what was read of it counts only if the version names it
 * still. */
static inline uint64_t mvcc__begin_of(const uint64_t *at, struct txn **ret)
{
    uint64_t begin = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    while (begin & 1) {
        struct txn *x = tagged_txn(begin);
        uint64_t ts = __atomic_load_n(&x->commit_ts, __ATOMIC_ACQUIRE);
        uint64_t again = __atomic_load_n(at, __ATOMIC_ACQUIRE);
        if (again == begin) return *ret = x, ts;
        begin = again;
    }
    return *ret = NULL, begin;
}
static inline uint64_t mvcc__begin(const struct version *v, struct txn **ret)
{
    return mvcc__begin_of(&v->begin, ret);
}
/* The version that the view sees, or NULL; a tombstone is returned as such. */
const struct version *mvcc__visible(const struct view *v, const struct version *head);
/* Whether the view may look into this run of level 0. */
static inline bool mvcc__run_visible(const struct view *v, const struct run_ref *r)
{
    if (!__atomic_load_n(&r->begin, __ATOMIC_ACQUIRE)) return true;
    struct txn *x;
    uint64_t ts = mvcc__begin_of(&r->begin, &x);
    return x == v->txn ? r->command < v->command : ts && ts <= v->snapshot;
}
/* The tree, for those who read the main line. */
enum status mvcc__tree(struct txn *t, tree_id id, struct tree **ret) MUST;
/* One of the trees that a read in a branch goes through, from the top down (branch.c). */
struct layer {
    struct tree *tree;
    struct view view;
    bool past;
};
/* Of any transaction: in the main line there is one. *ret_own (may be NULL): the first is its own. */
enum status mvcc__layers(struct txn *t, tree_id id, struct layer ret[BRANCH_STEPS_MAX],
                         uint32_t *ret_count, bool *ret_own) MUST;
/* Where it writes and locks: an overlay is made when there is none. */
enum status mvcc__own_tree(struct txn *t, tree_id id, struct tree **ret) MUST;
struct newest;
/* What lies below an overlay that has nothing of the key. */
enum status mvcc__newest_below(struct txn *t, const struct tree *overlay, struct slice key,
                               struct newest *ret) MUST;
/* The version that a layer sees: NOT_FOUND, and then *ret_gone says that it knows so. `hash`: run_key_hash. */
enum status mvcc__layer_get(struct txn *t, const struct layer *l, struct slice key, uint64_t hash,
                            struct entry *ret, bool *ret_gone) MUST;
struct newest {
    bool found;         /* any version at all */
    bool tombstone;
    bool written;       /* by the running command */
    uint64_t ts;        /* commit timestamp; 0: own */
    struct slice row;
    struct txn *holder; /* who has loaded the key and may commit it yet: to be waited for */
    uint64_t holder_id;
    bool placed;        /* `place` is known (lsm/places.h) */
    struct place place;
};
/* The newest version of the key in the runs, `except` one (may be NULL), whatever the snapshot. What
 * others are loading is a holder, or not looked at (`settled`). */
enum status mvcc__newest_in_runs(struct txn *t, const struct shape *s, const struct run_ref *except,
                                 struct slice key, bool settled, struct page_pins *pins,
                                 struct newest *ret) MUST;
static inline uint32_t txn__pid(const struct txn *t)
{
    return __atomic_load_n(&t->pid, __ATOMIC_RELAXED);
}
/* Another transaction that still has what `begin` belongs to in its hand (`locks`: a key lock, which
 * it has until it ends); else NULL, and *ret_own tells whether it is ours. */
struct txn *mvcc__in_flight(const struct txn *t, const uint64_t *begin, bool locks, bool *ret_own,
                            uint64_t *ret_id);

/* --- waiting (wait.c) --- */

/* Parks until the transaction `id`, which is or was `holder`, ends or gives locks back: the caller looks
 * again. */
enum status txn__wait_for(struct txn *t, struct txn *holder, uint64_t id) MUST;
void txn__wake_waiters(struct txn *t, bool ended);
uint32_t txn__owner_pid(const struct lock_owner *o); /* 0 without one */
/* Gives back the locks that were taken from that step on, those on keys left out. */
void txn__release_locks(struct txn *t, size_t from);
struct relation_shard *relation_shards__new(void);
void relation_shards__free(struct relation_shard *s);

/* --- writes (write.c), their log record (commit.c) --- */

/* Frees the transactions that wait to be used again; none may be active. */
void txn__free_idle(struct store *s);
/* Undoes the writes from position `from` on, newest first. */
void txn__undo(struct txn *t, size_t from);
/* One version in the memtable is no longer in flight: a frozen one may be flushed after the last. */
void txn__resolved(struct txn *t, struct memory *m);
/* A version of ours of a key that one of our loaded runs has, too, since an older one in a memtable
 * would hide it (load.c). `unique`: UNIQUE_VIOLATION when another version is live. */
enum status txn__write_over(struct txn *t, struct tree *tree, const struct run_ref *loaded,
                            bool unique, struct slice key, struct slice row) MUST;
/* Of a key with versions of ours in several memtables only the newest is to be committed: else two of one
 * timestamp would go their own ways. */
void txn__drop_straddling(struct txn *t);
/* Trees and loaded runs of a commit (changes.c). False: the manifest does not have it all. */
bool txn__apply_changes(struct txn *t, uint64_t ts);
/* The manifest names its loaded runs as pending, durable on return. */
enum status txn__prepare_loads(struct txn *t) MUST;
void txn__forget_loads(struct txn *t); /* it has failed before the log had it */
enum status txn__log(struct txn *t, bool batch, lsn_t *ret_end) MUST;
/* What a log record holds (commit.c). */
enum redo_op {
    REDO_PUT = 1, REDO_DELETE, REDO_CREATE, REDO_DROP, REDO_RUN,
    REDO_CREATE_IN,
    REDO_PREPARE, REDO_RESOLVE, /* of prepared transactions; inside of PREPARE alone: */
    REDO_LOCK, REDO_RELATION, REDO_ADVISORY,
    REDO_BRANCH = 14, REDO_RANGE, /* 12 and 13: lsm/redo.h */
};
enum { REDO_TREE_BYTES = 9, REDO_ROW_BYTES = 17, REDO_RUN_BYTES = 17 };
/* The end of a prepared transaction that is rolled back. */
enum status txn__log_resolve(struct store *s, uint64_t id, lsn_t *ret_end) MUST;
/* From the log into the memtables (recover.c). */
enum status store__recover(struct store *s) MUST;
uint32_t store__recovery_threads(const struct store_options *o);

/* --- the log's archive (archiver.c) --- */

enum status store__start_archiver(struct store *s) MUST;
void store__stop_archiver(struct store *s);
void store__free_archiver(struct store *s);

/* --- time travel (history.c) --- */

/* The least snapshots that somebody holds: of those who read today's versions, and of all. */
void store__least_snapshots(struct store *s, uint64_t *ret_today, uint64_t *ret_all);
void store__horizon(void *ctx, struct tree *t, uint64_t *ret_horizon, uint64_t *ret_floor);
bool store__keeps_history(const struct store *s, const struct tree *t);
/* SNAPSHOT_TOO_OLD, if the tree's history does not reach back to what `t` reads. */
enum status mvcc__check_past(const struct txn *t, const struct tree *tree) MUST;
enum status store__open_history(struct store *s) MUST;
/* A reader beside t (txn.c), within a statement of its own, its snapshot told before all else. */
struct txn *txn__begin_reading(struct store *s, const struct txn_options *o, uint32_t shard,
                               uint64_t snapshot, bool past);

/* --- SERIALIZABLE (ssi.c, ssi_locks.c) --- */

struct ssi *ssi__new(struct store *s);
void ssi__free(struct ssi *g);
void ssi__get_status(struct ssi *g, uint32_t *ret_kept, uint64_t *ret_bytes);
void txn__take_snapshot(struct txn *t);
/* Takes the snapshot, too; t->ssi stays NULL when it is safe. */
void ssi__begin(struct txn *t);
/* All below: t->ssi is there. Before the record goes to the log (from then on it cannot fail for others), and
 * after: ts 0 without one. */
enum status ssi__prepare(struct txn *t) MUST;
void ssi__committed(struct txn *t, uint64_t ts);
void ssi__abort(struct txn *t);
/* From any thread that has the transaction in its hand; before or after the row is read or written, but
 * outside latches. SERIALIZATION_FAILURE. */
enum status ssi__read(struct txn *t, tree_id tree, struct slice key) MUST;
enum status ssi__read_range(struct txn *t, tree_id tree, struct slice lower,
                            struct slice upper) MUST; /* data NULL: unbounded */
enum status ssi__write(struct txn *t, tree_id tree, struct slice key) MUST;
enum status ssi__write_range(struct txn *t, tree_id tree, struct slice first,
                             struct slice last) MUST;
/* Of one that is prepared, over a restart: calls fn with each range that it has read or written, and the way back. It
 * cannot fail any more, and nobody knows what it had to do with those that have ended: others fail for it. */
struct ssi_told {
    uint64_t tree;          /* and branch */
    struct slice from, to;
    uint8_t end, kind;      /* enum range_end, ssi_kind */
};
void ssi__tell(struct txn *t, void (*fn)(void *ctx, const struct ssi_told *r), void *ctx);
void ssi__revive(struct txn *t);
enum status ssi__revive_range(struct txn *t, const struct ssi_told *r) MUST;
/* Of any transaction. */
enum status ssi__drop_tree(struct txn *t, tree_id tree) MUST;

/* --- background (maintain.c) --- */

void store__schedule(struct store *s);
/* Lets a writer wait while memory is short; outside latches. */
enum status store__admit(struct txn *t) MUST;
/* Is the memtable, of so many bytes, to be frozen? */
bool store__is_full(const struct store *s, const struct tree *t, const struct memory *m, uint64_t bytes);
void store__free_drops(struct store *s);
enum status store__recycle(struct store *s) MUST;

#endif
