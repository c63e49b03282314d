/* UPDATE and DELETE: rows are locked by key before they are touched. When one has
 * changed since the statement's snapshot, READ COMMITTED looks at it again: the new values take the
 * places of the old ones and the condition decides anew (PostgreSQL's EvalPlanQual). */
#include "exec/ops/foreign_priv.h"
#include "exec/ops/trigger.h"

#include "types/row.h"

struct change_run {
    struct dml_run d;
    const struct plan_node *n;
    struct row_pusher pusher;
    struct datum *input, *old, *row;
    struct slice stored; /* of `old` */
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
    if (!got.row.data || got.written) return OK;
    dml_decode(d->table, got.row, r->old);
    r->stored = got.row;
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
        if (trigger_has(dml, false))
            TRY(trigger_before_row(d, TRIGGER_DELETE, NULL, r->old, NULL, &skip));
        if (skip) return OK;
        if (trigger_has(dml, false)) TRY(trigger_check_row(d, key, r->stored, "deleted"));
        TRY(dml_delete(d, key, r->old));
        if (trigger_has(dml, true)) TRY(trigger_after_row(d, TRIGGER_DELETE, NULL, r->old, NULL));
        return dml_returning(d, r->old, r->input, input_count);
    }
    for (uint16_t c = 0; c < d->table->column_count; c++) {
        if (!dml->column_changed[c]) r->row[c] = r->old[c];
        else TRY(exec_eval_row(d->x, dml->new_row[c], r->input, d->arena, &r->row[c]));
    }
    const bool *changed = dml->column_changed;
    if (trigger_has(dml, false)) {
        TRY(trigger_before_row(d, TRIGGER_UPDATE, changed, r->old, r->row, &skip));
        if (skip) return OK;
        TRY(trigger_check_row(d, key, r->stored, "updated"));
        changed = trigger_changed(d, changed, r->old, r->row);
    }
    TRY(dml_update(d, key, r->old, r->row, changed));
    if (trigger_has(dml, true))
        TRY(trigger_after_row(d, TRIGGER_UPDATE, dml->column_changed, r->old, r->row));
    if (dml->view_check_count) TRY(dml_check_views(d, r->row));
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
    if (n->dml.table->kind == 'v') return op__instead(x, n, out);
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
    uint8_t event = n->kind == PLAN_UPDATE ? TRIGGER_UPDATE : TRIGGER_DELETE;
    enum status st = trigger_before_statement(x, n, event);
    if (st == OK) st = op__run(x, n->left, &sink);
    if (st == OK) st = part_finish(x, n, event);
    part_end(x);
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
