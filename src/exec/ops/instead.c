/* INSERT, UPDATE and DELETE of views: the rows that the view shows, or that are to be inserted, go to its
 * INSTEAD OF triggers, which do what is to be done. A row for which one returns NULL does not count. */
#include "exec/ops/trigger.h"

struct instead_run {
    struct dml_run d;
    const struct plan_node *n;
    struct row_pusher pusher;
    struct datum *input, *old, *row;
    uint8_t event;
};

static enum status fire(struct instead_run *r, bool *ret_skip)
{
    const struct exec_session *s = r->d.x->session;
    const struct dml *dml = r->d.dml;
    *ret_skip = false;
    for (uint32_t i = 0; i < dml->trigger_count && !*ret_skip; i++) {
        const struct trigger_def *g = dml->triggers[i].def;
        if (!(g->type & TRIGGER_INSTEAD) || !(g->type & r->event)) continue;
        const struct trigger_call call = {.trigger = g, .table = r->d.table, .event = r->event,
                                          .old = r->event == TRIGGER_INSERT ? NULL : r->old,
                                          .new = r->event == TRIGGER_DELETE ? NULL : r->row};
        const struct datum *made = NULL;
        TRY(s->call_trigger(s->ctx, &call, r->d.arena, &made));
        *ret_skip = made == NULL;
        if (made && r->event != TRIGGER_DELETE)
            memcpy(r->row, made, r->d.table->column_count * sizeof *r->row);
    }
    return OK;
}

static enum status one_row(struct instead_run *r, uint32_t input_count)
{
    const struct dml *dml = r->d.dml;
    bool skip;
    for (uint16_t c = 0; c < r->d.table->column_count; c++) {
        bool set = r->event == TRIGGER_INSERT ||
                   (r->event == TRIGGER_UPDATE && dml->column_changed[c]);
        int32_t slot = dml->column_slots ? dml->column_slots[c] : -1;
        r->old[c] = slot >= 0 ? r->input[slot] : (struct datum){.null = true};
        r->row[c] = r->old[c];
        if (set) TRY(exec_eval_row(r->d.x, dml->new_row[c], r->input, r->d.arena, &r->row[c]));
    }
    TRY(fire(r, &skip));
    if (skip) return OK;
    return dml_returning(&r->d, r->event == TRIGGER_DELETE ? r->old : r->row, r->input, input_count);
}

static enum status take_rows(void *ctx, const struct batch *in)
{
    struct instead_run *r = ctx;
    for (uint32_t i = 0; i < in->count; i++) {
        arena_clear(r->d.arena);
        op__get_row(in, op__row(in, i), r->input);
        TRY(one_row(r, in->column_count));
        TRY(exec_check(r->d.x));
    }
    return r->d.returning ? row_pusher__flush(r->d.returning) : OK;
}

enum status op__instead(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct instead_run r = {.n = n};
    uint32_t columns = n->dml.table->column_count;
    dml_init(&r.d, x, n, false);
    struct arena *a = op__arena(x, n, 1);
    r.input = ARENA_ARRAY(a, struct datum, n->left->column_count + 1);
    r.old = ARENA_ARRAY(a, struct datum, columns + 1);
    r.row = ARENA_ARRAY(a, struct datum, columns + 1);
    r.event = n->kind == PLAN_INSERT   ? TRIGGER_INSERT
              : n->kind == PLAN_UPDATE ? TRIGGER_UPDATE
                                       : TRIGGER_DELETE;
    if (n->dml.returning_count) {
        row_pusher__init(&r.pusher, x, n, out);
        r.d.returning = &r.pusher;
    }
    struct exec_sink sink = {take_rows, &r};
    enum status st = trigger_before_statement(x, n, r.event);
    if (st == OK) st = op__run(x, n->left, &sink);
    if (st == OK) st = part_finish(x, n, r.event);
    part_end(x);
    dml_release(&r.d);
    return st;
}
