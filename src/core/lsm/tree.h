/* Trees of the log-structured merge kind, and the forest that holds them all.
 *
 * A tree is a stack: the active memtable, frozen ones waiting to be flushed, level 0 (runs as flushed,
 * overlapping, newest first) and levels 1… (runs disjoint and sorted by key, each level about ten times
 * the one above). What a tree consists of is its `shape`, immutable and swapped whole: readers load the
 * pointer inside an epoch section and need no lock. Every key's versions are newer the higher they lie.
 *
 * This folder knows versions and timestamps but no transactions: those in flight are told by the tag in
 * version.begin (lsm/memtable.h), and `unresolved` counts them. */
#ifndef HELIOS_CORE_LSM_TREE_H
#define HELIOS_CORE_LSM_TREE_H

#include "base/array.h"
#include "base/epoch.h"
#include "base/map.h"
#include "core/file/manifest.h"
#include "core/lsm/memtable.h"
#include "core/segment/merge.h"
#include "core/store.h"
#include "core/wal/wal.h"

/* Behind the levels, as one more list, lie the history runs: versions that were superseded and no
 * reader of today needs, for reads of the past. */
enum { LEVELS_MAX = 7, HISTORY = LEVELS_MAX, LISTS = LEVELS_MAX + 1, LEVEL0_RUNS_DUE = 4,
       LEVEL_RATIO = 10 };

/* A memtable with its bookkeeping. */
struct memory {
    struct memtable *table;
    uint64_t first_lsn;  /* atomic; every write in it is logged at or after this */
    uint64_t since_ts;   /* immutable once shown: all that is committed in it is newer; 0: not known */
    uint32_t unresolved; /* atomic: versions of transactions in flight */
    bool frozen;         /* atomic; changes under the memtable's latch */
    uint64_t counted;    /* bytes told to forest.memtable_bytes; guarded by the latch */
    uint64_t runs_version; /* of the shape that it came with; immutable */
    bool flushed;        /* told to forest.flushed_bytes instead: only readers keep it */
};

/* How far a run is on its way into the manifest. A loaded one belongs to a transaction (lsm/load.c). */
enum run_state {
    RUN_INSTALLED, /* the manifest names it, or is about to with the shape */
    RUN_LOADED,    /* in the shape only: a crash leaves nothing of it */
    RUN_PREPARED,  /* the manifest names it as pending: the log decides */
};

struct run_ref {
    uint64_t id; /* of the run, in the manifest */
    struct run *run;
    struct slice meta; /* heap */
    uint32_t refs;     /* atomic: shapes that name it; destroyed by the last when `doomed` */
    bool doomed;       /* superseded in the manifest: its extents go too */
    bool kept;         /* of recovery: a prepared transaction's */
    uint8_t state;     /* atomic: enum run_state; changes under manifest_mutex */
    uint32_t command;  /* of the transaction that loaded it; immutable */
    uint64_t begin;    /* atomic: 0: entries tell; else as in struct version, for all of them */
    uint64_t hidden_ts; /* atomic: each of its keys has a newer version that was committed by then; 0: not known */
    uint32_t unfit;    /* cannot have the form that so many columns were told with, and one more; 0: not known */
    struct fmutex masks_mutex;
    struct run_mask *masks; /* guarded by masks_mutex (lsm/masks.c) */
};

/* Of a history run: its least and greatest timestamp, and what most of its versions lasted beyond (merge.h). */
struct ts_range {
    uint64_t min, max, middle;
};

struct level {
    struct run_ref **runs;
    uint32_t count;
    struct ts_range *times; /* of history, once shown: of each run */
};

/* Immutable but for the memtables' contents. */
struct shape {
    struct memory **memories; /* newest first: [0] is the active one */
    struct places **places;   /* atomic, each: of its keys in these runs (places.h); NULL: not yet */
    uint32_t memory_count;
    uint64_t runs_version; /* another one, and higher, whenever the runs are others */
    struct level levels[LISTS]; /* 0: newest first; others: ascending by key; HISTORY: by what ended
                                   last, descending */
};

struct tree {
    struct forest *forest;
    tree_id id;
    struct shape *shape;     /* atomic; replaced under `mutex`; old ones retired by epoch */
    struct fmutex mutex;     /* shape changes; rank: above manifest_mutex */
    uint64_t replay_lsn;     /* guarded by mutex: what the manifest says */
    int64_t rows;            /* atomic: estimate of live rows */
    bool flushing, compacting; /* guarded by forest->work_mutex */
    uint32_t compactions_wanted; /* who waits to compact it all; guarded by forest->work_mutex */
    uint64_t floor;          /* atomic: what was superseded by then is gone */
    uint64_t logged_floor;   /* guarded by manifest_mutex */
    int64_t retention_us;    /* atomic: of its history; RETENTION_DEFAULT: the forest's */
    uint64_t made_ts;        /* atomic: by that commit of this process; 0: earlier, or not yet */
    uint64_t retired_ts;     /* atomic: dropped then, and kept for reads of the past; 0: not */
    uint32_t branch;         /* whose it is: 0 the main line's; immutable once it is shown */
    tree_id base;            /* of an overlay: what it lies over; 0: none */
    bool created;            /* its creation has committed (manifest knows it) */
    bool drop_logged;        /* atomic; set under manifest_mutex: the manifest must not name it again */
    bool dropped;            /* atomic: gone for all; memory goes by epoch */
    uint64_t needed_lsn;     /* replay_lsn at open; of recovery */
    uint64_t newest_ts;      /* of its runs at open, and of those claimed since; of recovery */
    uint32_t recovery_lane;  /* of recovery: 0 none yet, else its number + 1 */
    struct rescue *rescue;   /* of recovery, and its lane's alone (branch.h); NULL: none */
    uint32_t refs;           /* atomic: the forest's, and of work under way; the last frees it */
    struct run_layout *columns; /* guarded by mutex: what runs are kept by, too; NULL: rows alone */
    int64_t scanned_us;      /* atomic: when it was last read by columns; 0: never */
    uint64_t keys_max;       /* atomic: of a memtable of one that is; 0: any number */
    struct work_time {       /* of the last flush, and merge; atomic, each */
        int64_t at_us, took_us;
    } flushed, merged;
    uint32_t wanted;         /* atomic: the form of its runs, and its columns (lsm/forms.c); 0: not told */
    uint32_t next_compaction[LEVELS_MAX]; /* round robin; owner: the compaction */
};

#define RETENTION_DEFAULT (-1)

enum { FOREST_CHUNK = 1024, FOREST_CHUNKS = 16384, FOREST_TREES = FOREST_CHUNK * FOREST_CHUNKS };

struct forest_options {
    struct os *os;
    const char *dir;
    uint64_t cache_bytes, memtable_bytes, memtable_total_bytes, level1_bytes, run_bytes;
    uint64_t manifest_bytes;
    struct epoch *epoch;
};

/* Where the log is needed from. */
struct log_start {
    uint64_t lsn;
    uint32_t session; /* wal_session_at of it */
    uint64_t ts;      /* no commit before it is newer */
};

struct branch;
struct forest {
    struct forest_options o;
    struct blocks *blocks;
    struct cache *cache;
    struct manifest *manifest;
    struct fmutex manifest_mutex; /* one writer */
    uint64_t rewritten_bytes;     /* guarded by manifest_mutex: of the manifest, when it was last rewritten */
    struct fmutex grow_mutex;     /* adds trees */
    struct tree **chunks[FOREST_CHUNKS]; /* atomic; by id: [id / CHUNK][id % CHUNK] */
    uint64_t next_tree;           /* atomic */
    uint64_t next_run;            /* atomic */
    uint64_t max_ts;              /* of all runs and of the log before log_start, at open */
    struct log_start log_start;   /* guarded by manifest_mutex */
    uint64_t memtable_bytes;      /* atomic: of all memtables, frozen ones too */
    uint64_t flushed_bytes;       /* atomic: of those whose run is there, kept by running statements */
    uint32_t tree_count;          /* atomic */
    struct fmutex work_mutex;     /* flushing and compacting flags */
    struct fcond work_done;       /* a flush or compaction has ended */
    struct wal *wal;              /* set once it is open */
    uint64_t store_number;        /* guarded by manifest_mutex: of the store, drawn by lot; 0: not yet */
    uint32_t whole_log;           /* guarded by manifest_mutex: who wants loads to be in the log, too */
    struct fmutex branches_mutex; /* rank: below manifest_mutex, but for who is held for long */
    ARRAY(struct branch *) branches; /* guarded by branches_mutex; by rising numbers */
    uint32_t branch_count;        /* atomic */
    uint32_t next_branch;         /* guarded by branches_mutex */
    uint64_t floor;               /* history is whole after it, but for the trees' own floors */
    /* Asked at each flush and compaction: of the versions at or below *ret_horizon only the newest is
     * needed today; what was superseded at or before *ret_floor is not needed at all. */
    void (*horizon)(void *ctx, struct tree *t, uint64_t *ret_horizon, uint64_t *ret_floor);
    void *ctx;
};

/* Opens block files and manifest, the trees and their runs. */
enum status forest_open(const struct forest_options *o, struct forest **ret) MUST;
/* Frees all; writes nothing. */
void forest_free(struct forest *f);

/* NULL when there is none. Inside an epoch section the tree stays. */
static inline struct tree *forest_tree(const struct forest *f, tree_id id)
{
    if (id >= FOREST_TREES) return NULL;
    struct tree **chunk = __atomic_load_n(&f->chunks[id / FOREST_CHUNK], __ATOMIC_ACQUIRE);
    return chunk ? __atomic_load_n(&chunk[id % FOREST_CHUNK], __ATOMIC_ACQUIRE) : NULL;
}
/* A new, empty tree of that id (forest_new_id), or the one that is there already. */
enum status forest_add(struct forest *f, tree_id id, uint64_t first_lsn, struct tree **ret) MUST;
enum status forest_new_id(struct forest *f, tree_id *ret) MUST;
/* Takes it out of sight and frees it by epoch; its runs' space too when `destroy`. */
void forest_remove(struct forest *f, struct tree *t, bool destroy);
/* A run that a transaction has loaded (lsm/load.c). */
struct loaded_run {
    struct tree *tree;
    struct run_ref *ref;
};
/* What commits and recovery tell the manifest. */
enum status forest_log_create(struct forest *f, struct tree *t) MUST;
enum status forest_log_drop(struct forest *f, struct tree *t) MUST;
/* The same of one commit, at once; an error: of nothing of it. */
struct dropped_tree {
    struct tree *tree;
    bool retired; /* it stays for reads of the past */
};
struct commit_edit {
    struct tree *const *made;
    const struct loaded_run *loads; /* prepared */
    const struct dropped_tree *dropped;
    size_t made_count, load_count, dropped_count;
    uint64_t ts;
};
enum status forest_log_commit(struct forest *f, const struct commit_edit *e) MUST;
/* It was dropped at ts, and stays for reads of the past. */
enum status forest_log_retire(struct forest *f, struct tree *t, uint64_t ts) MUST;
/* History is whole after ts only: of a store that did not keep it until then. */
enum status forest_log_floor(struct forest *f, uint64_t ts) MUST;
/* Durable on return, as all of these: which store it is. */
enum status forest_log_store(struct forest *f, uint64_t number) MUST;
/* Durable on return: no tree needs the log before. Nothing when that is known already. */
enum status forest_log_start(struct forest *f, const struct log_start *at) MUST;
/* Calls fn for each tree, in an epoch section of its own: a tree stays while fn has it. */
enum status forest_each(struct forest *f, enum status (*fn)(void *ctx, struct tree *t),
                        void *ctx) MUST;
/* All but the log, for store_verify. `idle`: no flush or compaction runs. `newest`: the last commit that is durable,
 * read atomically, as it goes on. */
enum status forest_verify(struct forest *f, bool idle, const uint64_t *newest,
                          const struct verify_sink *sink) MUST;
/* The same for trees that are due (asked in the section), but fn runs outside of it, the tree kept by a
 * reference: for long work, which must not hold up what others retire. */
enum status forest_each_due(struct forest *f, bool (*due)(struct tree *t),
                            enum status (*fn)(void *ctx, struct tree *t), void *ctx) MUST;
void tree_ref(struct tree *t); /* inside an epoch section in which it was found */
void tree_unref(struct tree *t);

static inline struct shape *tree_shape(const struct tree *t)
{
    return __atomic_load_n(&t->shape, __ATOMIC_ACQUIRE);
}
/* The next of the history runs, from `at` on, that may hold versions of then; v->count: none. */
static inline uint32_t history_next(const struct level *v, uint64_t ts, uint32_t at)
{
    for (; at < v->count && v->times[at].max > ts; at++)
        if (v->times[at].min <= ts) return at;
    return v->count;
}
/* Is it read by columns these minutes? */
bool tree_is_scanned(const struct tree *t);
/* Puts a fresh active memtable on top when `m` still is the active one and holds anything. */
enum status tree_freeze(struct tree *t, struct memory *m) MUST;
/* --- loaded runs (lsm/load.c) --- */

/* Puts a run, just built and stamped, into the tree's shape in front of level 0, as a writer would put
 * versions: `begin` says whose it is. *ret_shape is the shape that has it first; it stays while the
 * caller's epoch section does. */
enum status tree_publish_run(struct tree *t, struct slice meta, uint64_t begin, uint32_t command,
                             struct run_ref **ret, const struct shape **ret_shape) MUST;
/* Takes it out again; its space is given back when no reader can hold it. */
void tree_unpublish_run(struct tree *t, struct run_ref *r);
/* Durable on return: the manifest names these runs as pending. An error leaves them as they were.
 * *ret_whole: the log is to have their rows, too. */
enum status forest_prepare_runs(struct forest *f, const struct loaded_run *runs, size_t n,
                                bool *ret_whole) MUST;
/* They were not committed, though prepared. An error keeps their space until the next open. */
enum status forest_forget_runs(struct forest *f, const struct loaded_run *runs, size_t n) MUST;
/* They were committed at `ts`, and the log has it. */
enum status forest_install_runs(struct forest *f, const struct loaded_run *runs, size_t n,
                                uint64_t ts) MUST;
/* Of recovery: the record at `lsn` says that the run was committed at `ts`. Nothing when it is no longer
 * pending. All of the log before that is in the tree, and nobody else writes to it. */
enum status forest_claim_run(struct forest *f, struct tree *t, uint64_t run, uint64_t lsn,
                             uint64_t ts) MUST;
/* Of recovery: a pending run; false: there is none. One that is kept stays for a transaction that is prepared, its
 * tree, too, and comes to be that one's. */
bool forest_find_pending(struct forest *f, tree_id tree, uint64_t run, struct loaded_run *ret);
void forest_keep_run(const struct loaded_run *l);
void forest_revive_run(const struct loaded_run *l, uint64_t begin);
/* Of recovery, after the log: no record has named them. Trees that were never committed go, too. */
enum status forest_drop_unclaimed(struct forest *f) MUST;

/* --- runs below all others (lsm/backfill.c) --- */

/* Puts runs, just built, disjoint and stamped, below all that the tree has, as what was there before all of
 * it; durable on return. *ret_before is the shape until then: whoever does not see the runs wrote there. It
 * stays while the caller's epoch section does, and so do *ret_runs (an array on the heap). */
enum status tree_backfill(struct tree *t, const struct slice *metas, uint32_t n,
                          const struct shape **ret_before, struct run_ref ***ret_runs) MUST;

/* After writes under the latch: counts its growth. Returns its bytes. */
uint64_t memory_account(struct forest *f, struct memory *m);

/* Flushes the oldest frozen memtable, if its transactions are all resolved. *ret_worked. */
enum status tree_flush(struct tree *t, bool *ret_worked) MUST;
/* Merges the most urgent level, if one is due. */
enum status tree_compact(struct tree *t, bool *ret_worked) MUST;
/* Flushes nothing; merges all runs into the last level. */
enum status tree_compact_all(struct tree *t) MUST;
bool tree_flush_due(struct tree *t);
bool tree_compaction_due(struct tree *t);
/* The LSN from which the log is needed for this tree; UINT64_MAX: none of it. */
uint64_t tree_replay_lsn(struct tree *t);
uint64_t tree_disk_bytes(const struct tree *t);
/* What its runs are kept by beside rows; to be given back (run_layout_unref). NULL: nothing. */
struct run_layout *tree_layout(struct tree *t);
/* Takes the reference over. */
void tree_set_layout(struct tree *t, struct run_layout *l);
/* The run lies there in another form than its tree wants, and may have it (lsm/forms.c). In an epoch section, or with
 * the mutex held. */
bool tree_misfits(const struct tree *t, const struct run_ref *r);

#endif
