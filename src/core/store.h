/* HeliosCore, as the layers above see it: a store of ordered, versioned trees.
 *
 * A tree maps keys (memcomparable bytes, types/key.h) to rows (types/row.h; here: opaque bytes).
 * Every table, secondary index and system table is a tree. All access happens inside a transaction
 * (core/txn.h). Requests are structs, shaped so that each could be a message to another node; this
 * implementation is a direct call that copies no row.
 *
 * Life of what is returned: a row or key stays where it is until the statement ends
 * (txn_statement_end), whatever the store flushes, compacts or evicts meanwhile; rows of a cursor only
 * until the cursor's next call.
 *
 * Threads: a store serves any number; a transaction and its cursors belong to one at a time. */
#ifndef HELIOS_CORE_STORE_H
#define HELIOS_CORE_STORE_H

#include "base/fiber.h"
#include "base/os.h"
#include "base/str.h"

struct store;
struct txn;
struct cursor;

enum {
    STORE_KEY_BYTES_MAX = 8 << 10,  /* PROGRAM_LIMIT_EXCEEDED beyond */
    STORE_ROW_BYTES_MAX = 256 << 20,
};

enum { /* of branches */
    STORE_BRANCH_NAME_MAX = 63,
    STORE_BRANCH_DEPTH_MAX = 8,
    STORE_BRANCHES_MAX = 10000,
};

typedef uint64_t tree_id; /* 0 is none; never used again once dropped */

enum commit_mode { COMMIT_SYNC, COMMIT_BATCH, COMMIT_ASYNC };

/* Of the first open of a directory that was made from a copy (core/backup.h). */
struct store_restore {
    uint64_t copied_lsn; /* what the log had when the manifest was copied */
    uint64_t until_ts;   /* the last commit that is to be there; what follows is erased */
    uint64_t last_ts;    /* told: the last that the log had up to then */
    bool was_cut;        /* told: the log went on */
};

struct store_options {
    struct os *os;
    const char *dir;              /* made when absent */
    uint64_t cache_bytes;         /* block cache */
    uint64_t memtable_bytes;      /* of one tree, before it is frozen */
    uint64_t memtable_total_bytes;/* of all; back-pressure sets in as it is neared */
    uint64_t load_bytes;          /* buffers of one bulk load */
    uint64_t wal_file_bytes;
    uint64_t level1_bytes;        /* what level 1 may hold; each deeper level ten times as much */
    uint64_t run_bytes;           /* of one run of level 1 and deeper */
    uint64_t manifest_bytes;      /* of the manifest, before it is written anew */
    int64_t group_commit_window_us; /* for COMMIT_BATCH */
    unsigned recovery_threads;    /* that apply the log at open; 1: the opener's own alone; 0: one per
                                   * core, at least 2, but 1 on a simulated os */
    int64_t retention_us;         /* see store_set_retention; 0 */
    const char *archive_dir;      /* where the log is archived; NULL or empty: nowhere */
    int64_t archive_timeout_us;   /* what is not closed goes there, too, after so long; 0: when it is closed */
    uint64_t archive_bytes_max;   /* of log that waits to be archived: writes are refused beyond; 0: any */
    uint64_t advisory_max;        /* advisory locks that are held or waited for, of all */
    struct pool *background;      /* flush and compaction; NULL: done by store_maintain alone */
    struct store_restore *restore; /* NULL: an open as any other */
};

void store_options_init(struct store_options *o); /* defaults; os and dir stay to be set */

/* Opens or creates; recovers from the log. LOCK_FILE_EXISTS when another process has it;
 * DATA_CORRUPTED names file and offset. */
enum status store_open(const struct store_options *o, struct store **ret) MUST;
/* Flushes what is in memory, so that the next open has nothing to replay. No transaction may be
 * open. Safe to skip: that is a crash. */
enum status store_close(struct store *s);
/* As a power cut would: frees memory, writes nothing more. */
void store_abandon(struct store *s);

/* Flushes all memtables and recycles the log before them. */
enum status store_checkpoint(struct store *s) MUST;
/* One round of background work on the caller's thread: flush what is frozen, compact what is due.
 * *ret_worked tells whether there was any. */
enum status store_maintain(struct store *s, bool *ret_worked) MUST;
/* Rewrites the tree as one run without dead versions: VACUUM FULL's work. */
enum status store_compact_tree(struct store *s, tree_id tree) MUST;

/* --- requests ------------------------------------------------------------------------------ */

struct point_get_request {
    tree_id tree;
    struct slice key;
};
/* The version that the transaction's snapshot sees (its own writes of earlier statements included).
 * NOT_FOUND (no message) when there is none. */
enum status store_point_get(struct txn *t, const struct point_get_request *q,
                            struct slice *ret_row) MUST;

struct multi_get_request {
    tree_id tree;
    const struct slice *keys;
    uint32_t count;
};
/* rows[i].data is NULL where there is none. */
enum status store_multi_get(struct txn *t, const struct multi_get_request *q,
                            struct slice *ret_rows) MUST;

struct scan_request {
    tree_id tree;
    struct slice lower, upper; /* lower <= key < upper; data NULL: unbounded */
    bool reverse;
    bool skip_keys;            /* the caller does not look at keys */
    bool changes;              /* only what the transaction's branch itself has of the tree, deletions
                                  (row.data NULL) too */
    uint64_t since;            /* of changes, forward: only keys that were written or deleted after that
                                  moment, whose history must be kept; 0: all */
};
/* The bounds are copied. Sees what the current statement's snapshot sees: rows that this very
 * statement writes are not seen (no Halloween problem). */
enum status store_scan(struct txn *t, const struct scan_request *q, struct cursor **ret) MUST;
/* Up to `max` rows in key order; *ret_count 0 at the end. They stay until the next call. */
enum status cursor_next(struct cursor *c, struct slice *keys, struct slice *rows, uint32_t max,
                        uint32_t *ret_count) MUST;
void cursor_close(struct cursor *c);
/* Splits [lower, upper) into at most `parts` ranges of like size, for parallel scans: returns the
 * inner bounds, in the arena. */
enum status store_split(struct txn *t, const struct scan_request *q, uint32_t parts,
                        struct arena *a, struct slice *ret_bounds, uint32_t *ret_count) MUST;

/* Key locks, of PostgreSQL's four strengths: two of them conflict when their sum is 5 or more. A delete
 * holds the key by ROW_LOCK_UPDATE; so does an update, or by ROW_LOCK_NO_KEY_UPDATE when it keeps_key. */
enum row_lock {
    ROW_LOCK_NONE, /* only looks at what is committed, or own */
    ROW_LOCK_KEY_SHARE,
    ROW_LOCK_SHARE,
    ROW_LOCK_NO_KEY_UPDATE,
    ROW_LOCK_UPDATE,
};
/* A key is locked by an in-flight version on it; the lock lasts to the end of the transaction (or the
 * rollback to an earlier savepoint). Waits for other holders: DEADLOCK_DETECTED, QUERY_CANCELED,
 * LOCK_NOT_AVAILABLE (lock_timeout_us of the transaction, or nowait). Only ROW_LOCK_NO_KEY_UPDATE and
 * ROW_LOCK_UPDATE lock a key without a row. */
struct lock_request {
    tree_id tree;
    struct slice key;
    enum row_lock mode;
    bool nowait;
    bool skip_locked; /* WOULD_BLOCK at once, without message */
};
struct lock_result {
    struct slice row;  /* newest committed version (or own); data NULL when deleted or never there */
    bool changed;      /* newer than the statement's snapshot: READ COMMITTED re-evaluates its quals */
    bool written;      /* by the running command itself, which does not see it */
};
/* In REPEATABLE READ a changed row is SERIALIZATION_FAILURE ("could not serialize access due to
 * concurrent update" / "… delete"), but for ROW_LOCK_NONE and ROW_LOCK_KEY_SHARE, whose caller looks at
 * `changed` and at the row. */
enum status store_lock(struct txn *t, const struct lock_request *q, struct lock_result *ret) MUST;

enum write_op {
    WRITE_INSERT, /* UNIQUE_VIOLATION (no message) when a live version is there, or was committed by
                     another since the snapshot; waits for one in flight */
    WRITE_UPDATE, /* locks when not locked; NOT_FOUND when there is no live version */
    WRITE_DELETE,
    WRITE_PUT,    /* insert or update, whatever is there */
    WRITE_REMOVE, /* delete, whatever is there or not */
};
struct write_request {
    tree_id tree;
    enum write_op op;
    struct slice key;
    struct slice row; /* copied */
    bool keeps_key;   /* WRITE_UPDATE: what others may refer to stays as it is */
};
enum status store_write(struct txn *t, const struct write_request *q) MUST;

/* --- bulk loads ---------------------------------------------------------------------------- */

/* New rows of a table and entries of its indexes, many of them, past memtables and log: within one
 * statement, which sees none of them; later ones of the transaction do. Memory is bounded. */
struct load;
struct load_tree {
    tree_id tree;
    bool unique; /* keys are held against what is there; else the caller knows that they are new */
};
/* What UNIQUE_VIOLATION (no message) of a load is about: the first such row, of those that were looked
 * at together. The slices stay until the load is freed. */
struct load_conflict {
    uint32_t tree;    /* its number among the trees */
    uint64_t tag;
    struct slice key;
    struct slice row; /* of the first tree, with the same tag; data NULL: not known */
};
/* Bytes of rows after which a statement does well to go on as a load. */
uint64_t store_load_threshold(const struct txn *t);
/* The first tree is the table's. */
enum status store_load_begin(struct txn *t, const struct load_tree *trees, uint32_t n,
                             struct load **ret) MUST;
/* A row of the first tree, then its entries of others. `tag` names it in a conflict: rising. Errors, of
 * earlier rows, too, fail the statement: it must be rolled back. */
enum status store_load_add(struct load *l, uint32_t tree, struct slice key, struct slice row,
                           uint64_t tag) MUST;
/* Before the statement ends. */
enum status store_load_finish(struct load *l) MUST;
const struct load_conflict *store_load_conflict(const struct load *l);
void store_load_free(struct load *l); /* may be NULL; unfinished: what was not written is dropped */

/* A tree made in a transaction is usable in it at once and by others after commit; a dropped one's
 * space is freed after commit, when no snapshot needs it. */
enum status store_create_tree(struct txn *t, tree_id *ret) MUST;
enum status store_drop_tree(struct txn *t, tree_id tree) MUST;
/* The commit that made a tree, and that of the newest of all; 0: it was not in this process. What a snapshot
 * of before reads in the tree is nothing. */
uint64_t store_tree_made(struct store *s, tree_id tree);
uint64_t store_newest_tree(const struct store *s);
/* As store_create_tree, but of that number, which no tree has or ever had: of a backup. */
enum status store_restore_tree(struct txn *t, tree_id tree) MUST;
/* What is read and written there is not SERIALIZABLE's to watch, nor is an empty key of any tree: the
 * catalog's. One tree at most. */
void store_untrack_tree(struct store *s, tree_id tree);

/* --- time travel --------------------------------------------------------------------------- */

/* Versions that were superseded less than so long ago are kept for reads of the past
 * (txn_begin_past); 0: none are. INT64_MAX: all. Of all trees that have no own value. */
void store_set_retention(struct store *s, int64_t us);
/* Of one tree; negative: as all. Not stored: to be told again at each open. */
void store_set_tree_retention(struct store *s, tree_id tree, int64_t us);
/* Where the history of a tree begins: reads of the past before it are refused. */
uint64_t store_history_begins(struct store *s, tree_id tree);
/* What became of the rows of a tree, key by key and in order of time: each version that was there at some
 * moment from that of `past` (txn_begin_past) on to `to`, and each deletion. */
struct versions;
struct past_version {
    struct slice row;   /* of a deletion: what was deleted */
    uint64_t from, to;  /* commit timestamps; to 0: later, or never. Of a deletion: when, and 0 */
    char operation;     /* 'I', 'U', 'D'; 0 of a version that had begun before */
};
enum status store_versions(struct txn *past, tree_id tree, uint64_t to, struct versions **ret) MUST;
/* Up to `max`, all of one key; *ret_count 0 at the end. They stay until the next call. */
enum status versions_next(struct versions *v, struct past_version *ret, uint32_t max,
                          uint32_t *ret_count) MUST;
void versions_close(struct versions *v);
/* Dropped trees that are kept for reads of the past. */
struct retired_status {
    uint64_t trees, runs, bytes;
};
void store_get_retired(struct store *s, struct retired_status *ret);
/* What running statements and transactions read; oldest first. In the arena. */
struct snapshot_line {
    uint64_t ts;
    uint32_t pid; /* of the session; 0: not one */
    bool past;    /* as of a moment of the past: holds back history alone */
};
void store_snapshots(struct store *s, struct arena *a, struct snapshot_line **ret, uint32_t *ret_count);
/* The timestamp of the newest commit that can be seen. */
uint64_t store_last_commit(struct store *s);

/* --- branches ------------------------------------------------------------------------------ */

/* A branch is what another, or the main line, was at a moment, and what was changed in it since. A transaction
 * runs in one (txn_options.branch); it names trees by the numbers that they have everywhere. */
struct branch;
struct branch_info {
    uint32_t id, parent;     /* parent 0: the main line */
    char name[STORE_BRANCH_NAME_MAX + 1];
    uint64_t fork_ts;
    int64_t created_us;      /* wall clock */
    uint32_t depth;          /* 1: forks from the main line */
    uint32_t trees;          /* that it has of its own */
    uint64_t bytes;          /* of those, in memory and on disk */
};
/* Forks at `ts`, a moment that `past` (txn_begin_past) reads, or, `past` being NULL, now. Durable on return.
 * DUPLICATE_DATABASE, PROGRAM_LIMIT_EXCEEDED. */
enum status store_create_branch(struct store *s, struct branch *parent, struct slice name,
                                const struct txn *past, uint32_t *ret_id) MUST;
/* OBJECT_IN_USE while it has children, or others than the caller's handle; that one is closed. */
enum status store_drop_branch(struct branch *b) MUST;
/* A handle, or NULL: there is none of that name, or number. */
struct branch *store_open_branch(struct store *s, struct slice name);
struct branch *store_open_branch_id(struct store *s, uint32_t id);
struct branch *store_ref_branch(struct branch *b);
void store_close_branch(struct branch *b); /* may be NULL */
uint32_t branch_id(const struct branch *b);         /* NULL: 0 */
/* Trees and relations have one number in all branches: with this the branch's are told apart. */
enum { BRANCH_NUMBER_SHIFT = 40 };
static inline uint64_t branch_own(const struct branch *b, uint64_t number)
{
    return (uint64_t)branch_id(b) << BRANCH_NUMBER_SHIFT | number;
}
uint32_t branch_parent_id(const struct branch *b);
const char *branch_name(const struct branch *b);    /* NULL: "main" */
uint64_t branch_fork_ts(const struct branch *b);
/* All of them, by rising numbers, in the arena. */
void store_list_branches(struct store *s, struct arena *a, struct branch_info **ret,
                         uint32_t *ret_count);
/* What stands in the branch at these moments, its own snapshots, can be read until they are told anew
 * (txn_begin_marked); 0: none. Durable on return. */
enum status store_mark_branch(struct branch *b, uint64_t keep, uint64_t ts) MUST;
/* The trees that the branch has changed, by their numbers, in the arena. */
void branch_changed_trees(struct branch *b, struct arena *a, tree_id **ret, uint32_t *ret_count);
/* When the version of the key that t's snapshot sees in its own branch, or the main line, was committed, be
 * it a deletion; 0: none is there, what lies below a branch not being looked at. */
enum status store_version_ts(struct txn *t, tree_id tree, struct slice key, uint64_t *ret) MUST;

/* --- what the store knows ------------------------------------------------------------------ */

struct tree_statistics {
    uint64_t rows;       /* estimate: entries less tombstones and superseded versions */
    uint64_t bytes;      /* on disk and in memtables: what a scan of today's rows reads */
    uint64_t disk_bytes;
    uint64_t history_bytes; /* of disk_bytes: versions that only reads of the past need */
    uint64_t column_bytes;  /* of disk_bytes: rows by columns, beside rows or without them */
    uint64_t misfit_bytes;  /* of disk_bytes: of runs that are to be rewritten in another form */
    uint32_t runs, levels, memtables, history_runs, misfits;
};
enum status store_get_statistics(struct store *s, tree_id tree, struct tree_statistics *ret) MUST;
/* As a branch sees it: of all trees that its reads go through. */
enum status store_get_branch_statistics(struct store *s, const struct branch *b, tree_id tree,
                                        struct tree_statistics *ret) MUST;

struct store_status {
    uint64_t durable_lsn, appended_lsn, recycle_lsn, log_flushes;
    uint64_t visible_ts, oldest_snapshot_ts;
    uint64_t memtable_bytes, cache_bytes, disk_bytes;
    uint64_t cache_bytes_max, cache_hits, cache_misses, file_bytes;
    uint64_t wal_flushes;
    uint64_t recovered_rows;
    int64_t recovery_us;   /* how long the log was read for, when the store was opened */
    bool writes_stopped;   /* the log or background work has failed for good */
    uint32_t trees, active_txns;
    uint32_t serializable_kept;   /* that have committed, and of which others must know yet */
    uint64_t serializable_bytes;  /* of what SERIALIZABLE ones have read and written */
};
void store_get_status(struct store *s, struct store_status *ret);

/* Calls `fn` for every tree of the main line that exists (committed), in no order. */
enum status store_each_tree(struct store *s, enum status (*fn)(void *ctx, tree_id tree),
                            void *ctx) MUST;
/* What verification looked at, one call each: problem NULL when it is sound. The words stay until
 * the call returns. */
struct verify_finding {
    const char *object;  /* "superblock", "log", "tree 5, run 12" … */
    const char *kind;    /* "checksum", "extent", "order" … */
    uint64_t checked;    /* of what the kind counts: batches, records, entries, extents */
    const char *problem; /* with file and offset where there are any */
};
struct verify_sink {
    enum status (*found)(void *ctx, const struct verify_finding *f);
    enum status (*poll)(void *ctx); /* now and then; an error ends the work. May be NULL */
    void *ctx;
};
/* Reads from disk, past the cache, all that is durable: superblocks, manifest, log, every run; holds
 * extents against the manifest and levels against each other. Goes on after a problem. Fails only as
 * the sink says. Runs beside readers and writers. */
enum status store_verify(struct store *s, const struct verify_sink *sink) MUST;
/* Explains a file of the store (block file, log, manifest) in text: `helios inspect`. */
enum status store_inspect(struct os *os, const char *path, struct strbuf *out) MUST;

#endif
