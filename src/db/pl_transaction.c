/* COMMIT and ROLLBACK in procedures and DO blocks. They end the session's transaction under the feet of all
 * that runs: which is why only what CALL and DO began outside of a block, and what that calls with CALL, may
 * do so, and why loops over queries read these to the end first where their bodies may come here. */
#include "db/pl_priv.h"

bool pl__may_end(const struct pl_run *r)
{
    return !r->s->atomic && r->code->tree && r->code->tree->may_end;
}

/* What reads through the transaction. */
static void let_go(struct session *s)
{
    for (struct pl_run *r = s->running_pl; r; r = r->outer) {
        if (r->x_begun) exec_end(&r->x);
        r->x_begun = false;
    }
}

static enum status begin_next(struct session *s)
{
    TRY(session__ensure_txn(s));
    int64_t now = db__now_us(s->db); /* not the statement's, which came long before */
    s->exec.transaction_us = now;
    __atomic_store_n(&s->txn_us, now, __ATOMIC_RELAXED);
    return OK;
}

enum status pl__end_transaction(struct pl_run *r, const struct pl_stmt *stmt)
{
    struct session *s = r->s;
    bool commit = stmt->kind == PL_COMMIT;
    enum isolation isolation = s->isolation;
    bool read_only = s->read_only, read_uncommitted = s->read_uncommitted;
    bool deferrable = s->deferrable;
    if (s->atomic)
        return FAIL(INVALID_TRANSACTION_TERMINATION, "invalid transaction termination");
    if (s->savepoints)
        return FAIL(INVALID_TRANSACTION_TERMINATION, "cannot %s while a subtransaction is active",
                    commit ? "commit" : "roll back");
    let_go(s);
    if (commit) TRY(session__commit(s, s->sink));
    else session__abort(s, s->sink);
    if (stmt->chain) {
        s->isolation = isolation;
        s->read_uncommitted = read_uncommitted;
        s->read_only = read_only;
        s->deferrable = deferrable;
    }
    return begin_next(s);
}
