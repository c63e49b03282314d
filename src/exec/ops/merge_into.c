/* MERGE: each row of the join of source and target takes the first action whose condition holds. A row of
 * the target is locked when there is something to do to it. When it turns out to have changed since the
 * snapshot, READ COMMITTED looks at it anew, the join's condition first: it may match no more. */
#include "exec/ops/foreign_priv.h"
#include "exec/ops/trigger.h"

struct merge_into {
    struct dml_run d;
    const struct plan_node *n;
    struct datum *input, *old, *row;
};

static enum status choose(struct merge_into *r, bool matched, const struct merge_step **ret)
{
    const struct dml *dml = r->d.dml;
    *ret = NULL;
    for (uint32_t i = 0; i < dml->merge_count; i++) {
        const struct merge_step *m = &dml->merge[i];
        bool pass = true;
        if (m->matched != matched) continue;
        if (m->when) TRY(exec_test_row(r->d.x, m->when, r->input, r->d.arena, &pass));
        if (!pass) continue;
        if (m->action != 'n') *ret = m;
        return OK;
    }
    return OK;
}

static enum status insert_row(struct merge_into *r, const struct merge_step *m)
{
    struct dml_run *d = &r->d;
    bool skip = false;
    for (uint16_t c = 0; c < d->table->column_count; c++)
        TRY(exec_eval_row(d->x, m->new_row[c], r->input, d->arena, &r->row[c]));
    if (trigger_has(d->dml, false))
        TRY(trigger_before_row(d, TRIGGER_INSERT, NULL, NULL, r->row, &skip));
    if (skip) return OK;
    TRY(dml_finish_row(d, r->row));
    TRY(dml_new_key(d, r->row));
    TRY(dml_insert(d, r->row));
    if (trigger_has(d->dml, true)) TRY(trigger_after_row(d, TRIGGER_INSERT, NULL, NULL, r->row));
    return dml_returning(d, r->row, r->input, 0);
}

static enum status not_matched(struct merge_into *r)
{
    const struct merge_step *m;
    TRY(choose(r, false, &m));
    return m ? insert_row(r, m) : OK;
}

static enum status delete_row(struct merge_into *r, struct slice key, struct slice stored)
{
    struct dml_run *d = &r->d;
    bool skip = false, before = trigger_has(d->dml, false);
    if (before) TRY(trigger_before_row(d, TRIGGER_DELETE, NULL, r->old, NULL, &skip));
    if (skip) return OK;
    if (before) TRY(trigger_check_row(d, key, stored, "updated or deleted"));
    TRY(dml_delete(d, key, r->old));
    if (trigger_has(d->dml, true)) TRY(trigger_after_row(d, TRIGGER_DELETE, NULL, r->old, NULL));
    return dml_returning(d, r->old, r->input, 0);
}

static enum status update_row(struct merge_into *r, const struct merge_step *m, struct slice key,
                              struct slice stored)
{
    struct dml_run *d = &r->d;
    const bool *changed = m->column_changed;
    bool skip = false;
    for (uint16_t c = 0; c < d->table->column_count; c++) {
        if (!m->column_changed[c]) r->row[c] = r->old[c];
        else TRY(exec_eval_row(d->x, m->new_row[c], r->input, d->arena, &r->row[c]));
    }
    if (trigger_has(d->dml, false)) {
        TRY(trigger_before_row(d, TRIGGER_UPDATE, changed, r->old, r->row, &skip));
        if (skip) return OK;
        TRY(trigger_check_row(d, key, stored, "updated or deleted"));
        changed = trigger_changed(d, changed, r->old, r->row);
    }
    TRY(dml_update(d, key, r->old, r->row, changed));
    if (trigger_has(d->dml, true))
        TRY(trigger_after_row(d, TRIGGER_UPDATE, m->column_changed, r->old, r->row));
    return dml_returning(d, r->row, r->input, 0);
}

static enum status second_time(void)
{
    FAIL(CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time");
    return error_hint("Ensure that not more than one source row matches any one target row.");
}

/* The row as it is now, in place of what was read. *ret_pass: it still matches. */
static enum status look_again(struct merge_into *r, bool *ret_pass)
{
    struct dml_run *d = &r->d;
    const struct dml *dml = d->dml;
    for (uint16_t c = 0; c < d->table->column_count; c++)
        if (dml->column_slots[c] >= 0)
            r->input[dml->column_slots[c]] =
                datum_copy(d->arena, d->table->columns[c].type, r->old[c]);
    return exec_test_row(d->x, dml->recheck, r->input, d->arena, ret_pass);
}

static enum status matched(struct merge_into *r, struct slice key)
{
    struct dml_run *d = &r->d;
    const struct merge_step *m;
    struct lock_result got;
    bool known = false; /* as of a look at the locked row */
    for (;;) {
        TRY(choose(r, true, &m));
        if (!m) return OK;
        struct lock_request q = {.tree = d->table->tree, .key = key,
                                 .mode = m->action == 'u' ? ROW_LOCK_NO_KEY_UPDATE
                                                          : ROW_LOCK_UPDATE};
        TRY(store_lock(d->x->txn, &q, &got));
        if (got.written) return second_time();
        if (!got.row.data) return not_matched(r);
        dml_decode(d->table, got.row, r->old);
        if (!got.changed || known) break;
        TRY(look_again(r, &known));
        if (!known) return not_matched(r);
    }
    return m->action == 'u' ? update_row(r, m, key, got.row) : delete_row(r, key, got.row);
}

static enum status merge_rows(void *ctx, const struct batch *in)
{
    struct merge_into *r = ctx;
    uint32_t slot = r->d.dml->key_slot;
    for (uint32_t i = 0; i < in->count; i++) {
        arena_clear(r->d.arena);
        op__get_row(in, op__row(in, i), r->input);
        if (r->input[slot].null) TRY(not_matched(r));
        else TRY(matched(r, slice_dup(r->d.arena, bytes_slice(&r->input[slot].v.bytes))));
    }
    return exec_check(r->d.x);
}

static uint8_t events_of(const struct dml *dml)
{
    uint8_t events = 0;
    for (uint32_t i = 0; i < dml->merge_count; i++) {
        char what = dml->merge[i].action;
        if (what == 'i') events |= TRIGGER_INSERT;
        if (what == 'u') events |= TRIGGER_UPDATE;
        if (what == 'd') events |= TRIGGER_DELETE;
    }
    return events;
}

enum status op__merge(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    static const uint8_t order[] = {TRIGGER_INSERT, TRIGGER_UPDATE, TRIGGER_DELETE};
    struct merge_into r = {.n = n};
    uint32_t columns = n->dml.table->column_count;
    uint8_t events = events_of(&n->dml);
    (void)out;
    dml_init(&r.d, x, n, false);
    struct arena *a = op__arena(x, n, 1);
    r.input = ARENA_ARRAY(a, struct datum, n->left->column_count + 1);
    r.old = ARENA_ARRAY(a, struct datum, columns + 1);
    r.row = ARENA_ARRAY(a, struct datum, columns + 1);
    struct exec_sink sink = {merge_rows, &r};
    enum status st = OK;
    for (size_t i = 0; st == OK && i < sizeof order; i++)
        if (events & order[i]) st = trigger_before_statement(x, n, order[i]);
    if (st == OK) st = op__run(x, n->left, &sink);
    if (st == OK) st = part_finish(x, n, events);
    part_end(x);
    dml_release(&r.d);
    return st;
}
