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

enum pass { PASS_GOES, PASS_COMES, PASS_SETTLES };

/* What lies between two snapshots. */
struct round {
    const struct follower *f;
    struct txn *before, *now;
    struct datum *was, *is;
    enum pass pass;
    uint64_t rows;
};

/* `bytes`: of the row as it is now; data NULL: it has gone. */
static enum status change_row(struct round *r, struct slice key, struct slice bytes)
{
    const struct follower *f = r->f;
    struct point_get_request q = {f->table->tree, key};
    struct slice old = {0};
    bool same = false, goes = r->pass == PASS_GOES;
    r->rows += r->pass == (f->comes ? PASS_COMES : PASS_GOES);
    enum status st = goes || f->same ? store_point_get(r->before, &q, &old) : NOT_FOUND;
    if (st != NOT_FOUND) TRY(st);
    if (old.data) ddl__decode(f->table, old, r->was);
    if (bytes.data) ddl__decode(f->table, bytes, r->is);
    if (f->same && old.data && bytes.data) TRY(f->same(f->ctx, key, r->was, r->is, &same));
    if (same) return OK;
    if (goes) return old.data ? f->goes(f->ctx, key, r->was) : OK;
    if (!bytes.data) return OK;
    return r->pass == PASS_COMES ? f->comes(f->ctx, key, r->is) : f->settles(f->ctx, key, r->is);
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

static bool takes_part(const struct follower *f, enum pass pass)
{
    switch (pass) {
    case PASS_GOES: return f->goes != NULL;
    case PASS_COMES: return f->comes != NULL;
    default: return f->settles != NULL;
    }
}

static enum status pass(struct round *r, const struct follower *f, enum pass which)
{
    struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    struct scan_request q = {.tree = f->table->tree, .changes = true,
                             .since = txn_kept_snapshot_ts(r->before)};
    struct cursor *c;
    uint32_t n;
    if (!takes_part(f, which)) return OK;
    r->f = f;
    r->pass = which;
    TRY(store_scan(r->now, &q, &c));
    enum status st;
    do {
        fiber_yield();
        next_piece(r);
        st = session__check_interrupts(f->ddl->s);
        if (st == OK) st = cursor_next(c, keys, rows, SCAN_ROWS, &n);
        for (uint32_t i = 0; st == OK && i < n; i++) st = change_row(r, keys[i], rows[i]);
    } while (st == OK && n > 0);
    cursor_close(c);
    return st;
}

static enum status passes(struct round *r, const struct follower *f)
{
    for (enum pass p = PASS_GOES; p <= PASS_SETTLES; p++)
        for (const struct follower *one = f; one; one = one->other) TRY(pass(r, one, p));
    return OK;
}

/* From *before, which is ended, up to all that has committed by now. */
static enum status catch_up(const struct follower *f, struct datum *rows[2], struct txn **before,
                            uint64_t *ret_rows)
{
    struct ddl *d = f->ddl;
    struct round r = {.before = *before, .was = rows[0], .is = rows[1]};
    TRY(begin_reader(d, &r.now));
    d->reader = r.now;
    txn_statement_begin(r.before);
    txn_statement_begin(r.now);
    enum status st = passes(&r, f);
    txn_statement_end(r.now);
    txn_statement_end(r.before);
    end_reader(*before);
    *before = r.now;
    *ret_rows = r.rows;
    if (st == OK && f->ends) st = f->ends(f->ctx);
    d->reader = NULL;
    return st;
}

static void make_rows(const struct follower *f, struct datum *ret[2])
{
    uint16_t most = f->table->column_count;
    if (f->other && f->other->table->column_count > most) most = f->other->table->column_count;
    for (int i = 0; i < 2; i++) ret[i] = ARENA_ARRAY(f->ddl->a, struct datum, most + 1u);
}

/* The other table's writers wait while what they did is looked at that has no end otherwise; those of the
 * table itself do not yet. */
static enum status lock_other(const struct follower *f, struct datum *rows[2], struct txn **before)
{
    uint64_t n;
    if (!f->other || f->other->table->oid == f->table->oid) return OK;
    TRY(ddl__lock(f->ddl, f->other->table->oid, f->other->lock));
    POINT("follow.locked_other");
    return catch_up(f, rows, before, &n);
}

static enum status follow(const struct follower *f, struct txn **before)
{
    struct ddl *d = f->ddl;
    struct datum *two[2];
    uint64_t rows = UINT64_MAX;
    make_rows(f, two);
    POINT("follow.copied");
    build__show_phase(d->s, PHASE_FOLLOW);
    for (int i = 0; i < ROUNDS_MAX && rows > FEW_ROWS; i++) TRY(catch_up(f, two, before, &rows));
    TRY(txn_sync_loads(d->s->txn));
    build__show_phase(d->s, PHASE_WAIT_LOCK);
    TRY(lock_other(f, two, before));
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
