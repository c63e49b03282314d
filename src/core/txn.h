/* Transactions and locks on relations.
 *
 * A transaction reads at a snapshot: a timestamp S. It sees versions committed at or before S, and its
 * own of earlier statements. READ COMMITTED takes a new S a statement; the others keep the first.
 * SERIALIZABLE ones are watched (docs/design/serializable.md): any read, write or commit of theirs may be
 * SERIALIZATION_FAILURE, and then the transaction is to be aborted.
 * Commit: the whole redo goes to the log as one record, whose place in the log gives the commit
 * timestamp; once durable, the visible watermark passes it, and then only the client is told. */
#ifndef HELIOS_CORE_TXN_H
#define HELIOS_CORE_TXN_H

#include "core/store.h"

struct lock_owner; /* core/advisory.h */

enum isolation { READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE };

struct txn_options {
    enum isolation isolation;
    bool read_only;            /* store_write is READ_ONLY_SQL_TRANSACTION */
    int64_t lock_timeout_us;   /* 0: none */
    bool early;                /* sees what has committed, though it is not durable yet; its own commit
                                * waits until that is. With a snapshot that is kept */
    uint64_t min_snapshot_ts;  /* see at least this: the session's last asynchronous commit */
    struct branch *branch;     /* in which it runs, held by a handle for as long; NULL: the main line */
    struct lock_owner *owner;  /* outlives it; NULL: takes no advisory locks */
};

enum status txn_begin(struct store *s, const struct txn_options *o, struct txn **ret) MUST;
/* Makes it durable as `mode` says, then ends and frees the transaction; so does an error. With no
 * writes it is free of cost. *ret_ts (may be NULL) is the commit timestamp, 0 without writes. */
enum status txn_commit(struct txn *t, enum commit_mode mode, uint64_t *ret_ts) MUST;
/* What it has loaded so far is brought to the disk, so that a commit under locks that others wait for has less to
 * wait for itself. */
enum status txn_sync_loads(struct txn *t) MUST;
void txn_abort(struct txn *t); /* ends and frees */
/* It will only be aborted: SERIALIZABLE ones need not heed it any more. */
void txn_give_up(struct txn *t);
/* Snapshots that are taken after this see all that has committed before, asynchronously, too: given its locks
 * back, that is. */
enum status txn_await_visible(struct txn *t) MUST;
/* Before the first statement of one that is SERIALIZABLE and read_only: waits until a snapshot is safe,
 * so that nothing of it is tracked. QUERY_CANCELED. */
enum status txn_wait_safe(struct txn *t) MUST;

void txn_set_lock_timeout(struct txn *t, int64_t timeout_us); /* for waits that begin later; 0: none */
uint64_t txn_id(const struct txn *t);          /* unique in the process's life, from 1 */
enum isolation txn_isolation(const struct txn *t);
uint64_t txn_snapshot_ts(const struct txn *t); /* of the running statement */
/* That all its statements read at, but for those that began latest; 0: each has its own, or there is none yet. */
uint64_t txn_kept_snapshot_ts(const struct txn *t);
bool txn_has_writes(const struct txn *t);
/* Versions written so far, and their bytes; what was rolled back to a savepoint does not count. */
void txn_get_written(const struct txn *t, uint64_t *ret_rows, uint64_t *ret_bytes);
struct store *txn_store(const struct txn *t);
struct branch *txn_branch(const struct txn *t); /* NULL: the main line */
/* Another kind of transaction, while nothing was read or written in it; its locks stay. False: it must be begun
 * again for that. */
bool txn_set_mode(struct txn *t, enum isolation isolation, bool read_only);
/* Reads what another one reads, who holds that snapshot meanwhile. REPEATABLE_READ, before the first
 * statement. */
void txn_set_snapshot(struct txn *t, uint64_t ts);

/* Each SQL statement is one statement here: it gets its snapshot (by isolation) and a higher command
 * number. Statements nest (a function's inside its caller's); pointers handed out stay good until the
 * outermost ends. */
void txn_statement_begin(struct txn *t);
/* The same, and under READ COMMITTED it sees what has committed by now, within a statement, too; that one's
 * own snapshot is there again at the end. */
void txn_statement_begin_fresh(struct txn *t);
/* The same whatever the isolation: one that keeps its snapshot has it again at the end. For DDL, which must find
 * all rows that are there. */
void txn_statement_begin_latest(struct txn *t);
void txn_statement_end(struct txn *t);
bool txn_in_statement(const struct txn *t);
/* Makes the writes so far visible to the reads that follow within the statement. */
void txn_next_command(struct txn *t);

/* Reads on what the running statement of `t` reads, as of now and whatever `t` does later, until it
 * is ended: for cursors. Only for reading, on t's thread; ends before t does. It holds back what its
 * snapshot may need, as a running statement does. */
struct txn *txn_begin_reader(struct txn *t);
void txn_end_reader(struct txn *r);
/* The same, but it sees whatever has committed when it looks, and all that t wrote. What it read may
 * change at once, unless a lock of t holds it: for the checks of foreign keys. */
struct txn *txn_begin_newest(struct txn *t);

/* Reads what had been committed at `ts` (a commit timestamp, or any other reading of the clock), in a
 * statement of its own that is ended with txn_end_reader, by t's thread and before t. It sees nothing of
 * t's own writes. INVALID_PARAMETER_VALUE for the future; a tree whose history does not reach back so
 * far, or that was not there, fails when it is read: SNAPSHOT_TOO_OLD. */
enum status txn_begin_past(struct txn *t, uint64_t ts, struct txn **ret) MUST;

/* The same of what the branch of `t` was forked from, and of the branch itself at a moment that
 * store_mark_branch has told. History is there, whatever the retention. */
struct txn *txn_begin_fork(struct txn *t);
struct txn *txn_begin_marked(struct txn *t, uint64_t ts);

/* Whether it may read this tree. SNAPSHOT_TOO_OLD, UNDEFINED_OBJECT. */
enum status txn_check_past(struct txn *past, tree_id tree) MUST;

/* A second hand on the running statement, for another thread: it reads what the statement reads, own
 * earlier writes included, and shares nothing that changes. For store_point_get, store_multi_get,
 * store_scan and store_split alone. Begun and ended by any thread, while the owner's statement runs and
 * the owner writes nothing; what it returned stays until its own end. */
void txn_begin_helper(const struct txn *owner, struct txn **ret);
void txn_end_helper(struct txn *helper);

/* A place to roll back to: undoes writes and releases locks taken since, on keys, relations and
 * advisory ones of the transaction. Marks stay valid until one before them is rolled back to. 0 is the
 * transaction's begin. */
typedef uint64_t txn_mark;
txn_mark txn_savepoint(struct txn *t);
void txn_rollback_to(struct txn *t, txn_mark mark);

/* Runs fn(ctx, committed) when the transaction ends: after it is durable and visible, or aborted.
 * In order of registration. Rolled back to a savepoint from before the newest row that it has written by now:
 * then, as aborted. */
void txn_on_end(struct txn *t, void (*fn)(void *ctx, bool committed), void *ctx);

/* Locks on relations (tables), with PostgreSQL's eight modes and conflict table (chapter 13.3.1),
 * held to the end of the transaction. The three weakest cost a hash probe and a counter when nobody
 * holds a strong one. Waits and cycles as with keys. */
enum relation_lock {
    LOCK_ACCESS_SHARE = 1,
    LOCK_ROW_SHARE,
    LOCK_ROW_EXCLUSIVE,
    LOCK_SHARE_UPDATE_EXCLUSIVE,
    LOCK_SHARE,
    LOCK_SHARE_ROW_EXCLUSIVE,
    LOCK_EXCLUSIVE,
    LOCK_ACCESS_EXCLUSIVE,
};
enum status txn_lock_relation(struct txn *t, uint64_t relation, enum relation_lock mode,
                              bool nowait) MUST;
/* Waits for all who hold the relation by a mode that conflicts with this one, as it is called, to give it back;
 * nobody comes to stand behind it. What the same owner holds is passed over. */
enum status txn_wait_lockers(struct txn *t, uint64_t relation, enum relation_lock mode) MUST;

#endif
