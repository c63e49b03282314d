/* Looking at all rows of a table, or making something of each, while others write to it
 * (docs/design/online-ddl.md): first come the rows of one snapshot, then those that were changed up to
 * a later one, and so on, until they are few; for the last of them writers wait.
 *
 * Of what was changed each row goes first, as it was; when all those of a round have gone they come
 * as they are: so that no key of a unique index is there twice on the way. */
#include "base/fiber.h"
#include "base/point.h"
#include "db/ddl_build_priv.h"
#include "db/ddl_follow_priv.h"

enum { SCAN_ROWS = 256, FEW_ROWS = 512, ROUNDS_MAX = 8 };

/* A snapshot of all that has committed, which is kept. */
static enum status begin_reader(struct ddl *d, struct txn **ret)
{
    struct session *s = d->s;
    struct txn_options o = {.isolation = REPEATABLE_READ, .owner = s->lock_owner,
                            .lock_timeout_us = s->settings.lock_timeout_us,
                            .branch = s->line->branch};
    TRY(txn_await_visible(s->txn));
    TRY(txn_begin(s->db->store, &o, ret));
    txn_statement_begin(*ret);
    txn_statement_end(*ret);
    return OK;
}

static void end_reader(struct txn *r)
{
    struct error kept = *error_current();
    if (r) txn_abort(r);
    *error_current() = kept;
}

/* What lies between two snapshots. */
struct round {
    const struct follower *f;
    struct txn *before, *now;
    struct datum *was, *is;
    uint64_t rows;
};

/* `bytes`: of the row as it is now; data NULL: it has gone. */
static enum status change_row(struct round *r, struct slice key, struct slice bytes, bool comes)
{
    const struct follower *f = r->f;
    struct point_get_request q = {f->table->tree, key};
    struct slice old = {0};
    bool same = false;
    r->rows += comes;
    enum status st = comes && !f->same ? NOT_FOUND : store_point_get(r->before, &q, &old);
    if (st != NOT_FOUND) TRY(st);
    if (old.data) ddl__decode(f->table, old, r->was);
    if (bytes.data) ddl__decode(f->table, bytes, r->is);
    if (f->same && old.data && bytes.data) TRY(f->same(f->ctx, key, r->was, r->is, &same));
    if (same) return OK;
    if (comes) return bytes.data ? f->comes(f->ctx, key, r->is) : OK;
    return old.data ? f->goes(f->ctx, key, r->was) : OK;
}

/* What was written so far is seen from now on, and memory that others retire is not held for long. */
static void next_piece(struct round *r)
{
    struct txn *t = r->f->ddl->s->txn;
    txn_statement_end(t);
    txn_statement_begin_latest(t);
    txn_statement_end(r->before);
    txn_statement_begin(r->before);
}

static enum status pass(struct round *r, bool comes)
{
    struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    struct scan_request q = {.tree = r->f->table->tree, .changes = true,
                             .since = txn_kept_snapshot_ts(r->before)};
    struct cursor *c;
    uint32_t n;
    TRY(store_scan(r->now, &q, &c));
    enum status st;
    do {
        fiber_yield();
        next_piece(r);
        st = session__check_interrupts(r->f->ddl->s);
        if (st == OK) st = cursor_next(c, keys, rows, SCAN_ROWS, &n);
        for (uint32_t i = 0; st == OK && i < n; i++)
            st = change_row(r, keys[i], rows[i], comes);
    } while (st == OK && n > 0);
    cursor_close(c);
    return st;
}

/* From *before, which is ended, up to all that has committed by now. */
static enum status catch_up(const struct follower *f, struct datum *two, struct txn **before,
                            uint64_t *ret_rows)
{
    struct round r = {f, *before, NULL, two, two + f->table->column_count, 0};
    TRY(begin_reader(f->ddl, &r.now));
    txn_statement_begin(r.before);
    txn_statement_begin(r.now);
    enum status st = f->goes ? pass(&r, false) : OK;
    if (st == OK) st = pass(&r, true);
    txn_statement_end(r.now);
    txn_statement_end(r.before);
    end_reader(*before);
    *before = r.now;
    *ret_rows = r.rows;
    return st;
}

static enum status follow(const struct follower *f, struct txn **before)
{
    struct ddl *d = f->ddl;
    struct datum *two = ARENA_ARRAY(d->a, struct datum, 2 * f->table->column_count + 1u);
    uint64_t rows = UINT64_MAX;
    POINT("follow.copied");
    build__show_phase(d->s, PHASE_FOLLOW);
    for (int i = 0; i < ROUNDS_MAX && rows > FEW_ROWS; i++) TRY(catch_up(f, two, before, &rows));
    TRY(txn_sync_loads(d->s->txn));
    build__show_phase(d->s, PHASE_WAIT_LOCK);
    TRY(ddl__lock(d, f->table->oid, f->lock));
    POINT("follow.locked");
    return catch_up(f, two, before, &rows);
}

enum status ddl__follow(const struct follower *f)
{
    struct ddl *d = f->ddl;
    struct row_scan scan = {f->table, f->comes, f->ctx};
    struct txn *reader;
    TRY(begin_reader(d, &reader));
    d->reader = reader;
    build__show_phase(d->s, PHASE_SCAN);
    enum status st = ddl__scan(d, &scan);
    if (f->scanned) st = f->scanned(f->ctx, st);
    d->reader = NULL;
    if (st == OK) st = follow(f, &reader);
    end_reader(reader);
    return st;
}

bool ddl__is_alone(const struct ddl *d)
{
    const struct session *s = d->s;
    uint64_t rows, bytes;
    txn_get_written(s->txn, &rows, &bytes);
    return s->block == BLOCK_NONE && !s->in_function && rows <= 1; /* the lock of DDL is one */
}
