/* UPDATE, DELETE and SELECT … FOR UPDATE: rows are locked by key before they are touched. When one has
 * changed since the statement's snapshot, READ COMMITTED looks at it again: the new values take the
 * places of the old ones and the condition decides anew (PostgreSQL's EvalPlanQual). */
#include "exec/ops/foreign_priv.h"

#include "types/row.h"

struct change_run {
    struct dml_run d;
    const struct plan_node *n;
    struct row_pusher pusher;
    struct datum *input, *old, *row;
};

static bool from_one_table(const struct plan_node *n)
{
    while (n && (n->kind == PLAN_FILTER || n->kind == PLAN_PROJECT)) n = n->left;
    return n && (n->kind == PLAN_SCAN || n->kind == PLAN_INDEX_SCAN);
}

/* Locks; *ret_skip when the row is gone, does not qualify any more, or was touched already. */
static enum status lock_row(struct change_run *r, struct slice key, bool *ret_skip)
{
    struct dml_run *d = &r->d;
    const struct dml *dml = d->dml;
    struct lock_request q = {.tree = d->table->tree, .key = key,
                             .mode = r->n->kind == PLAN_UPDATE ? ROW_LOCK_NO_KEY_UPDATE
                                                               : ROW_LOCK_UPDATE};
    struct lock_result got;
    *ret_skip = true;
    if (dml_seen(d, key)) return OK;
    TRY(store_lock(d->x->txn, &q, &got));
    if (!got.row.data) return OK;
    dml_decode(d->table, got.row, r->old);
    *ret_skip = false;
    if (!got.changed) return OK;
    for (uint16_t c = 0; c < d->table->column_count; c++)
        if (dml->column_slots[c] >= 0) r->input[dml->column_slots[c]] = r->old[c];
    bool pass;
    TRY(exec_test_row(d->x, dml->recheck, r->input, d->arena, &pass));
    *ret_skip = !pass;
    return OK;
}

static enum status change_row(struct change_run *r, uint32_t input_count)
{
    struct dml_run *d = &r->d;
    const struct dml *dml = d->dml;
    struct bytes *b = &r->input[dml->key_slot].v.bytes;
    if (r->input[dml->key_slot].null) return OK; /* outer join without a row of the target */
    struct slice key = slice_dup(d->arena, bytes_slice(b));
    bool skip;
    TRY(lock_row(r, key, &skip));
    if (skip) return OK;
    if (r->n->kind == PLAN_DELETE) {
        TRY(dml_delete(d, key, r->old));
        return dml_returning(d, r->old, r->input, input_count);
    }
    for (uint16_t c = 0; c < d->table->column_count; c++) {
        if (!dml->column_changed[c]) r->row[c] = r->old[c];
        else TRY(exec_eval_row(d->x, dml->new_row[c], r->input, d->arena, &r->row[c]));
    }
    TRY(dml_update(d, key, r->old, r->row, dml->column_changed));
    return dml_returning(d, r->row, r->input, input_count);
}

static enum status change_rows(void *ctx, const struct batch *in)
{
    struct change_run *r = ctx;
    for (uint32_t i = 0; i < in->count; i++) {
        arena_clear(r->d.arena);
        op__get_row(in, op__row(in, i), r->input);
        TRY(change_row(r, in->column_count));
    }
    TRY(exec_check(r->d.x));
    return r->d.returning ? row_pusher__flush(r->d.returning) : OK;
}

static enum status run_change(struct execution *x, const struct plan_node *n,
                              const struct exec_sink *out)
{
    struct change_run r = {.n = n};
    uint32_t columns = n->dml.table->column_count;
    dml_init(&r.d, x, n, !from_one_table(n->left));
    struct arena *a = op__arena(x, n, 1);
    r.input = ARENA_ARRAY(a, struct datum, n->left->column_count + 1);
    r.old = ARENA_ARRAY(a, struct datum, columns + 1);
    r.row = ARENA_ARRAY(a, struct datum, columns + 1);
    if (n->dml.returning_count) {
        row_pusher__init(&r.pusher, x, n, out);
        r.d.returning = &r.pusher;
    }
    struct exec_sink sink = {change_rows, &r};
    enum status st = op__run(x, n->left, &sink);
    if (st == OK) st = foreign_finish(x);
    foreign_end(x);
    dml_release(&r.d);
    return st;
}

enum status op__update(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    return run_change(x, n, out);
}

enum status op__delete(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    return run_change(x, n, out);
}

/* --- SELECT … FOR UPDATE ----------------------------------------------------------------------- */

struct lock_run {
    struct execution *x;
    const struct plan_node *n;
    struct row_pusher pusher;
    struct datum *row, *whole;
};

static enum status lock_one(struct lock_run *r, bool *ret_keep)
{
    const struct plan_node *scan = r->n->left;
    const struct table_def *t = r->n->lock.locks[0].table;
    int wait = r->n->lock.locks[0].wait;
    struct bytes *key = &r->row[r->n->lock.locks[0].key_slot].v.bytes;
    struct lock_request q = {.tree = t->tree, .key = bytes_slice(key), .nowait = wait == 2,
                             .skip_locked = wait == 1,
                             .mode = (enum row_lock)r->n->lock.locks[0].strength};
    struct lock_result got;
    *ret_keep = false;
    enum status st = store_lock(r->x->txn, &q, &got);
    if (st == WOULD_BLOCK) return OK;
    if (st == LOCK_NOT_AVAILABLE && q.nowait)
        return FAIL(LOCK_NOT_AVAILABLE, "could not obtain lock on row in relation \"%s\"", t->name);
    TRY(st);
    if (!got.row.data) return OK;
    *ret_keep = true;
    if (!got.changed) return OK;
    dml_decode(t, got.row, r->whole);
    for (uint32_t i = 0; i < scan->scan.fetch_count; i++) r->row[i] = r->whole[scan->scan.fetch[i]];
    return exec_test_row(r->x, scan->filter, r->row, r->pusher.arena, ret_keep);
}

static enum status lock_batch(void *ctx, const struct batch *in)
{
    struct lock_run *r = ctx;
    for (uint32_t i = 0; i < in->count; i++) {
        bool keep;
        op__get_row(in, op__row(in, i), r->row);
        TRY(lock_one(r, &keep));
        if (keep) TRY(row_pusher__add(&r->pusher, r->row));
    }
    return row_pusher__flush(&r->pusher);
}

enum status op__lock_rows(struct execution *x, const struct plan_node *n,
                          const struct exec_sink *out)
{
    struct lock_run r = {.x = x, .n = n};
    if (n->lock.lock_count == 0) return op__run(x, n->left, out);
    struct arena *a = op__arena(x, n, 1);
    row_pusher__init(&r.pusher, x, n, out);
    r.row = ARENA_ARRAY(a, struct datum, n->left->column_count + 1);
    r.whole = ARENA_ARRAY(a, struct datum, n->lock.locks[0].table->column_count + 1);
    struct exec_sink sink = {lock_batch, &r};
    return op__run(x, n->left, &sink);
}
