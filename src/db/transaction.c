/* Transactions of a session: BEGIN to COMMIT, savepoints, what an error does, and the catalog snapshot
 * that goes with a transaction that has done DDL.
 *
 *             BEGIN                 error                 ROLLBACK
 *     NONE ----------> OPEN -------------------> FAILED ------------> NONE
 *       \  many statements in one string, or extended before Sync
 *        +----------> IMPLICIT ---- end of string, Sync, or error ---> NONE
 *
 * A commit of DDL is told to others in two steps: ddl_pending rises before the log record may free any
 * lock, and falls once the snapshot is published; statements that got a lock in between wait. */
#include "core/txn.h"
#include "db/analyze.h"
#include "db/db_line_priv.h"
#include "db/notify.h"
#include "db/temporary.h"

enum { SAVEPOINT_DEPTH_MAX = 100000 };

/* --- the catalog of a transaction ----------------------------------------------------------- */

struct catalog *session__catalog(struct session *s)
{
    return s->catalog;
}

static void use_catalog(struct session *s, struct catalog *c)
{
    catalog_unref(s->catalog);
    s->catalog = c;
}

static void refresh_catalog(struct session *s)
{
    struct catalog *own = s->own_catalog;
    if (narrowed__wanted(s)) {
        if (!narrowed__is_newest(s, s->catalog))
            use_catalog(s, narrowed__of(s, own ? catalog_ref(own) : db_line__catalog(s->line)));
    } else if (own) {
        if (s->catalog != own) use_catalog(s, catalog_ref(own));
    } else if (!db_line__catalog_is_newest(s->line, s->catalog)) {
        use_catalog(s, db_line__catalog(s->line));
    }
    s->exec.catalog = s->catalog;
    s->exec.path = session__path(s);
}

void session__set_catalog(struct session *s, struct catalog *c)
{
    ASSERT(s->txn);
    catalog_unref(s->own_catalog);
    s->own_catalog = c;
    refresh_catalog(s);
}

enum status session__begin_ddl(struct session *s)
{
    if (session__is_read_only(s))
        return FAIL(READ_ONLY_SQL_TRANSACTION,
                    "cannot execute this statement in a read-only transaction");
    if (!s->own_catalog) {
        TRY(catalog_lock(s->txn));
        /* The one before us has written its record but perhaps not published its snapshot. */
        db_line__wait_published(s->line);
        s->own_catalog = db_line__catalog(s->line);
    }
    session__change_catalog(s, true);
    return OK;
}

void session__change_catalog(struct session *s, bool in_ddl)
{
    s->in_ddl = in_ddl;
    refresh_catalog(s);
}

static void drop_own_catalog(struct session *s)
{
    catalog_unref(s->own_catalog);
    s->own_catalog = NULL;
}

/* --- beginning and ending ------------------------------------------------------------------- */

enum status session__ensure_txn(struct session *s)
{
    if (s->txn) {
        /* As every statement sees what was committed before it, so it sees the tables of then. */
        refresh_catalog(s);
        txn_set_lock_timeout(s->txn, s->settings.lock_timeout_us);
        return OK;
    }
    struct txn_options o = {.isolation = s->isolation,
                            .read_only = s->read_only,
                            .lock_timeout_us = s->settings.lock_timeout_us,
                            .early = session__reads_early(s),
                            .min_snapshot_ts = s->last_commit_ts,
                            .branch = s->line->branch,
                            .owner = s->lock_owner};
    db_line__wait_published(s->line);
    struct txn *t;
    TRY(txn_begin(s->db->store, &o, &t));
    s->exec.transaction_us = s->statement_us;
    __atomic_store_n(&s->txn_us, s->statement_us, __ATOMIC_RELAXED);
    session__set_txn(s, t);
    refresh_catalog(s);
    return OK;
}

static void free_savepoints(struct session *s, struct savepoint *until)
{
    while (s->savepoints != until) {
        struct savepoint *p = s->savepoints;
        s->savepoints = p->outer;
        mem_free(MEM_SESSION, p->name);
        catalog_unref(p->catalog);
        mem_free(MEM_SESSION, p);
    }
}

static void ended(struct session *s, bool committed, const struct result_sink *sink)
{
    narrowed__forget(s);
    temporary_ended(s);
    s->rewrote.count = s->late.count = 0;
    free_savepoints(s, NULL);
    session__end_deferred(s);
    session__notify_ended(s);
    session__lift_portals(s, 0);
    drop_own_catalog(s);
    if (s->written_count) autoanalyze_ended(s, committed);
    settings_end(s, 0, committed, sink);
    session__set_txn(s, NULL);
    session__set_block(s, BLOCK_NONE);
    session__take_defaults(s);
    s->txn_began_statement = s->in_ddl = false;
}

/* Commit with DDL: publish between the durable record and the end. */
static enum status commit_ddl(struct session *s, uint64_t *ret_ts)
{
    struct catalog *mine = catalog_ref(s->own_catalog);
    db_line__begin_publishing(s->line);
    enum status result = txn_commit(s->txn, COMMIT_SYNC, ret_ts);
    if (result == OK) {
        uint64_t ts = *ret_ts ? *ret_ts : store_last_commit(s->db->store);
        db_line__note_rewritten(s->line, s->rewrote.data, s->rewrote.count, ts);
        db_line__publish(s->line, mine, ts);
    }
    else catalog_unref(mine);
    db_line__end_publishing(s->line);
    return result;
}

/* What triggers say meanwhile goes to the client. */
static enum status check_deferred(struct session *s, const struct result_sink *sink)
{
    const struct result_sink *outer = s->sink;
    if (!outer) s->sink = sink;
    enum status result = session__check_deferred(s, true);
    s->sink = outer;
    return result;
}

enum status session__commit(struct session *s, const struct result_sink *sink)
{
    struct notify_batch told;
    enum status result = check_deferred(s, sink);
    if (result == OK) result = session__hold_portals(s);
    if (result == OK) result = temporary_before_commit(s);
    if (result == OK) result = session__notify_commit(s, &told);
    if (result != OK) {
        session__abort(s, sink);
        return result;
    }
    session__close_portals(s, false); /* what they read through is the transaction's */
    session__end_exports(s);
    uint64_t ts = 0;
    if (s->txn) {
        if (s->own_catalog) result = commit_ddl(s, &ts);
        else result = txn_commit(s->txn, s->settings.commit_mode, &ts);
        if (s->settings.commit_mode == COMMIT_ASYNC && ts) s->last_commit_ts = ts;
    }
    session__notify_committed(s, &told, result == OK, ts);
    ended(s, result == OK, sink);
    return result;
}

void session__abort(struct session *s, const struct result_sink *sink)
{
    struct error kept = *error_current();
    session__close_portals_of(s, 1);
    session__end_exports(s);
    if (s->txn) txn_abort(s->txn);
    ended(s, false, sink);
    *error_current() = kept;
}

void session__statement_failed(struct session *s, const struct result_sink *sink)
{
    if (s->block != BLOCK_OPEN && s->block != BLOCK_FAILED) {
        session__abort(s, sink);
        return;
    }
    session__set_block(s, BLOCK_FAILED);
    /* What the transaction wrote goes now, and its locks with it, unless a savepoint may still bring
     * part of it back. */
    struct error kept = *error_current();
    if (s->txn && !s->savepoints) txn_give_up(s->txn);
    if (s->txn) txn_rollback_to(s->txn, s->savepoints ? s->savepoints->mark : 0);
    *error_current() = kept;
}

/* --- statements ----------------------------------------------------------------------------- */

enum status session__forbid_block(struct session *s, const char *what)
{
    if (s->block == BLOCK_OPEN || s->block == BLOCK_FAILED || s->block == BLOCK_IMPLICIT)
        return FAIL(ACTIVE_SQL_TRANSACTION, "%s cannot run inside a transaction block", what);
    if (s->in_function)
        return FAIL(ACTIVE_SQL_TRANSACTION, "%s cannot be executed from a function", what);
    return OK;
}

static enum status begin_block(struct session *s, const struct ast_transaction *a,
                               const struct result_sink *sink)
{
    if (s->block == BLOCK_OPEN || s->block == BLOCK_FAILED)
        return session__notice(sink, "WARNING", ACTIVE_SQL_TRANSACTION, NULL,
                               "there is already a transaction in progress");
    if (s->txn && !s->txn_began_statement) {
        txn_abort(s->txn); /* only names were looked up in it */
        session__set_txn(s, NULL);
    }
    session__begin_options(s, &a->options);
    session__set_block(s, BLOCK_OPEN);
    return OK;
}

static enum status end_block(struct session *s, const struct ast_transaction *a,
                             const struct result_sink *sink, bool commit, char tag[64])
{
    bool was_failed = s->block == BLOCK_FAILED;
    enum isolation isolation = s->isolation;
    bool read_only = s->read_only, read_uncommitted = s->read_uncommitted;
    bool deferrable = s->deferrable;
    enum status result = OK;
    if (s->block == BLOCK_NONE || s->block == BLOCK_IMPLICIT) {
        if (a->chain)
            return FAIL(NO_ACTIVE_SQL_TRANSACTION, "%s AND CHAIN can only be used in transaction blocks",
                        commit ? "COMMIT" : "ROLLBACK");
        TRY(session__notice(sink, "WARNING", NO_ACTIVE_SQL_TRANSACTION, NULL,
                            "there is no transaction in progress"));
    }
    if (commit && !was_failed) {
        result = session__commit(s, sink);
    } else {
        session__abort(s, sink);
        if (commit) memcpy(tag, "ROLLBACK", 9);
    }
    if (result == OK && a->chain) {
        session__set_block(s, BLOCK_OPEN);
        s->isolation = isolation;
        s->read_uncommitted = read_uncommitted;
        s->read_only = read_only;
        s->deferrable = deferrable;
    }
    return result;
}

/* The transaction goes to the store, or is rolled back. */
static enum status prepare_block(struct session *s, const struct ast_transaction *a,
                                 const struct result_sink *sink, char tag[64])
{
    bool was_open = s->block == BLOCK_OPEN;
    if (s->block == BLOCK_NONE || s->block == BLOCK_IMPLICIT)
        TRY(session__notice(sink, "WARNING", NO_ACTIVE_SQL_TRANSACTION, NULL,
                            "there is no transaction in progress"));
    if (!was_open && s->block != BLOCK_IMPLICIT) {
        session__abort(s, sink);
        memcpy(tag, "ROLLBACK", 9);
        return OK;
    }
    enum status result = check_deferred(s, sink);
    if (result == OK) result = session__ensure_txn(s);
    if (result == OK && s->used_temporary)
        result = FAIL(FEATURE_NOT_SUPPORTED,
                      "cannot PREPARE a transaction that has operated on temporary objects");
    if (result == OK) result = session__prepare_transaction(s, a->name);
    if (result != OK) {
        session__abort(s, sink);
        return result;
    }
    ended(s, true, sink);
    return OK;
}

static enum status savepoint_statement(struct session *s, const struct ast_transaction *a,
                                       const struct result_sink *sink)
{
    static const char *const words[] = {[TXN_SAVEPOINT] = "SAVEPOINT",
                                        [TXN_RELEASE] = "RELEASE SAVEPOINT",
                                        [TXN_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT"};
    if (s->block != BLOCK_OPEN && s->block != BLOCK_FAILED)
        return FAIL(NO_ACTIVE_SQL_TRANSACTION, "%s can only be used in transaction blocks",
                    words[a->type]);
    TRY(session__ensure_txn(s));
    uint32_t level = s->savepoints ? s->savepoints->level : 0;
    if (a->type == TXN_SAVEPOINT) {
        if (level >= SAVEPOINT_DEPTH_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many savepoints in one transaction");
        struct savepoint *p = mem_alloc(MEM_SESSION, sizeof *p);
        size_t len = strlen(a->name);
        p->name = mem_alloc(MEM_SESSION, len + 1);
        memcpy(p->name, a->name, len);
        p->mark = txn_savepoint(s->txn);
        p->catalog = s->own_catalog ? catalog_ref(s->own_catalog) : NULL;
        p->level = level + 1;
        p->deferred = session__deferred_mark(s);
        p->notify = session__notify_mark(s);
        p->read_only = s->read_only;
        p->outer = s->savepoints;
        s->savepoints = p;
        return OK;
    }
    struct savepoint *p = s->savepoints;
    while (p && strcmp(p->name, a->name) != 0) p = p->outer;
    if (!p) return FAIL(INVALID_SAVEPOINT, "savepoint \"%s\" does not exist", a->name);
    s->read_only = p->read_only;
    if (a->type == TXN_RELEASE) {
        free_savepoints(s, p->outer);
        session__lift_portals(s, (s->savepoints ? s->savepoints->level : 0) + 1);
        return OK;
    }
    free_savepoints(s, p);
    session__close_portals_of(s, p->level + 1);
    txn_rollback_to(s->txn, p->mark);
    session__rollback_deferred(s, p->deferred);
    session__rollback_notify(s, p->notify);
    drop_own_catalog(s);
    s->own_catalog = p->catalog ? catalog_ref(p->catalog) : NULL;
    refresh_catalog(s);
    settings_end(s, p->level, false, sink);
    session__set_block(s, BLOCK_OPEN);
    return OK;
}

/* --- blocks of functions -------------------------------------------------------------------- */

enum status session__begin_block(struct session *s)
{
    uint32_t level = s->savepoints ? s->savepoints->level : 0;
    if (level >= SAVEPOINT_DEPTH_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many savepoints in one transaction");
    struct savepoint *p = mem_alloc(MEM_SESSION, sizeof *p);
    p->name = mem_alloc(MEM_SESSION, 1); /* none that a statement can name */
    p->mark = txn_savepoint(s->txn);
    p->catalog = s->own_catalog ? catalog_ref(s->own_catalog) : NULL;
    p->level = level + 1;
    p->deferred = session__deferred_mark(s);
    p->outer = s->savepoints;
    s->savepoints = p;
    return OK;
}

void session__end_block(struct session *s)
{
    struct savepoint *p = s->savepoints;
    free_savepoints(s, p->outer);
    session__lift_portals(s, (s->savepoints ? s->savepoints->level : 0) + 1);
}

void session__undo_block(struct session *s)
{
    struct savepoint *p = s->savepoints;
    struct error kept = *error_current();
    session__close_portals_of(s, p->level + 1);
    txn_rollback_to(s->txn, p->mark);
    session__rollback_deferred(s, p->deferred);
    drop_own_catalog(s);
    s->own_catalog = p->catalog ? catalog_ref(p->catalog) : NULL;
    refresh_catalog(s);
    settings_end(s, p->level, false, s->sink);
    free_savepoints(s, p->outer);
    *error_current() = kept;
}

enum status session__transaction_statement(struct session *s, const struct ast_transaction *a,
                                           const struct result_sink *sink, char tag[64])
{
    static const char *const tags[] = {
        [TXN_BEGIN] = "BEGIN",         [TXN_START] = "START TRANSACTION", [TXN_COMMIT] = "COMMIT",
        [TXN_ROLLBACK] = "ROLLBACK",   [TXN_SAVEPOINT] = "SAVEPOINT",     [TXN_RELEASE] = "RELEASE",
        [TXN_ROLLBACK_TO] = "ROLLBACK", [TXN_PREPARE] = "PREPARE TRANSACTION"};
    if (a->type > TXN_PREPARE) return session__end_prepared(s, a, tag);
    size_t len = strlen(tags[a->type]);
    memcpy(tag, tags[a->type], len + 1);
    if (s->block == BLOCK_FAILED && (a->type == TXN_SAVEPOINT || a->type == TXN_RELEASE ||
                                     a->type == TXN_BEGIN || a->type == TXN_START))
        return FAIL(IN_FAILED_SQL_TRANSACTION, "current transaction is aborted, commands ignored "
                                               "until end of transaction block");
    switch (a->type) {
    case TXN_BEGIN:
    case TXN_START: return begin_block(s, a, sink);
    case TXN_COMMIT: return end_block(s, a, sink, true, tag);
    case TXN_ROLLBACK: return end_block(s, a, sink, false, tag);
    case TXN_PREPARE: return prepare_block(s, a, sink, tag);
    default: return savepoint_statement(s, a, sink);
    }
}
