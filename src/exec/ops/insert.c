/* INSERT, with ON CONFLICT. The proposed row's key in the arbiter index is locked first; what is found
 * there is the conflict, and when nothing is, the lock keeps it so. */
#include "exec/ops/foreign_priv.h"
#include "exec/ops/trigger.h"

struct insert_run {
    struct dml_run d;
    const struct plan_node *n;
    struct row_pusher pusher;
    struct datum *row, *old, *slots;
    struct arena *batch;
    struct strbuf found; /* key of the conflicting row */
    uint64_t rows_read;  /* and done with */
    const struct exec_stream *stream; /* COPY's, or NULL */
};

/* --- ON CONFLICT ------------------------------------------------------------------------------- */

/* Locks the row's entry in the index; *ret_key (in r->found) and *ret_row of the row that is there. */
static enum status find_conflict(struct insert_run *r, uint16_t at, bool *ret_found,
                                 struct lock_result *ret_row)
{
    struct dml_run *d = &r->d;
    const struct index_def *i = d->table->indexes[at];
    struct lock_result got;
    *ret_found = false;
    strbuf_clear(&r->found);
    bool unique = true, present;
    if (i == d->table->primary) op__table_key(d->table, r->row, &r->found);
    else TRY(dml_entry(d, at, r->row, (struct slice){0}, &r->found, &unique, &present));
    if (!unique) return OK; /* NULLs conflict with nothing, nor does a row that is left out */
    struct lock_request q = {.tree = i->tree ? i->tree : d->table->tree,
                             .key = strbuf_slice(&r->found), .mode = ROW_LOCK_NO_KEY_UPDATE};
    TRY(store_lock(d->x->txn, &q, &got));
    if (!got.row.data) return OK;
    if (i->tree) {
        strbuf_clear(&r->found);
        strbuf_add(&r->found, got.row.data, got.row.len);
        q.tree = d->table->tree;
        q.key = strbuf_slice(&r->found);
        TRY(store_lock(d->x->txn, &q, &got));
        if (!got.row.data)
            return FAIL(INDEX_CORRUPTED, "index \"%s\" names a row that its table does not have",
                        i->name);
    }
    *ret_row = got;
    *ret_found = true;
    return OK;
}

static enum status conflict_update(struct insert_run *r, const struct lock_result *found,
                                   const struct datum *input, uint32_t input_count)
{
    struct dml_run *d = &r->d;
    const struct dml *dml = d->dml;
    uint32_t columns = d->table->column_count;
    struct slice stored = found->row;
    if (dml_seen(d, strbuf_slice(&r->found)) || found->written) {
        FAIL(CARDINALITY_VIOLATION,
             "ON CONFLICT DO UPDATE command cannot affect row a second time");
        return error_hint("Ensure that no rows proposed for insertion within the same command have "
                          "duplicate constrained values.");
    }
    dml_decode(d->table, stored, r->slots);
    memcpy(r->slots + columns, r->row, columns * sizeof *r->slots);
    bool pass;
    TRY(exec_test_row(d->x, dml->conflict_where, r->slots, d->arena, &pass));
    if (!pass) return OK;
    memcpy(r->old, r->slots, columns * sizeof *r->old);
    for (uint32_t c = 0; c < columns; c++)
        TRY(exec_eval_row(d->x, dml->conflict_row[c], r->slots, d->arena, &r->row[c]));
    const bool *changed = dml->column_changed;
    if (trigger_has(dml, false)) {
        bool skip;
        TRY(trigger_before_row(d, TRIGGER_UPDATE, changed, r->old, r->row, &skip));
        if (skip) return OK;
        TRY(trigger_check_row(d, strbuf_slice(&r->found), stored, "updated"));
        changed = trigger_changed(d, changed, r->old, r->row);
    }
    TRY(dml_update(d, strbuf_slice(&r->found), r->old, r->row, changed));
    if (trigger_has(dml, true))
        TRY(trigger_after_row(d, TRIGGER_UPDATE, dml->column_changed, r->old, r->row));
    return dml_returning(d, r->row, input, input_count);
}

static enum status no_arbiter(const struct dml_run *d, const struct index_def *x)
{
    const struct schema_def *n =
        catalog_schema_by_oid(d->x->session->catalog, d->table->schema);
    FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
         "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as "
         "arbiters");
    return error_object(n ? n->name : NULL, d->table->name, NULL, x->name);
}

/* *ret_done: the row needs no insertion. */
static enum status handle_conflict(struct insert_run *r, const struct datum *input,
                                   uint32_t input_count, bool *ret_done)
{
    const struct table_def *t = r->d.table;
    const struct dml *dml = r->d.dml;
    struct lock_result stored;
    *ret_done = false;
    for (uint16_t i = 0; i < t->index_count && !*ret_done; i++) {
        const struct index_def *index = t->indexes[i];
        if (!index->unique || !index->ready) continue;
        if (dml->conflict_index && index->oid != dml->conflict_index->oid) continue;
        if (index->deferrable) return no_arbiter(&r->d, index);
        TRY(find_conflict(r, i, ret_done, &stored));
    }
    if (!*ret_done || dml->conflict == CONFLICT_NOTHING) return OK;
    return conflict_update(r, &stored, input, input_count);
}

/* --- rows -------------------------------------------------------------------------------------- */

static enum status insert_row(struct insert_run *r, const struct datum *input, uint32_t input_count)
{
    struct dml_run *d = &r->d;
    bool wanted = true;
    if (d->dml->row_where)
        TRY(exec_test_row(d->x, d->dml->row_where, r->row, d->arena, &wanted));
    if (!wanted) return OK;
    if (trigger_has(d->dml, false)) {
        bool skip;
        TRY(trigger_before_row(d, TRIGGER_INSERT, NULL, NULL, r->row, &skip));
        if (skip) return OK;
    }
    TRY(dml_finish_row(d, r->row));
    if (d->dml->conflict != CONFLICT_NONE) {
        bool done;
        TRY(handle_conflict(r, input, input_count, &done));
        if (done) return OK;
    }
    TRY(dml_new_key(d, r->row));
    TRY(dml_insert(d, r->row));
    if (trigger_has(d->dml, true)) TRY(trigger_after_row(d, TRIGGER_INSERT, NULL, NULL, r->row));
    if (d->dml->view_check_count) TRY(dml_check_views(d, r->row));
    if (d->dml->conflict == CONFLICT_UPDATE) (void)dml_seen(d, strbuf_slice(&d->key));
    return dml_returning(d, r->row, input, input_count);
}

static enum status insert_rows(void *ctx, const struct batch *in)
{
    struct insert_run *r = ctx;
    struct execution *x = r->d.x;
    uint32_t columns = r->d.table->column_count;
    arena_clear(r->batch);
    struct vec *values = ARENA_ARRAY(r->batch, struct vec, columns + 1);
    struct datum *input = ARENA_ARRAY(r->batch, struct datum, in->column_count + 1);
    for (uint32_t c = 0; c < columns; c++)
        TRY(exec_eval(x, r->d.dml->new_row[c], in, r->batch, &values[c]));
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t at = op__row(in, i);
        arena_clear(r->d.arena);
        for (uint32_t c = 0; c < columns; c++) vec_load(&values[c], at, &r->row[c]);
        r->d.tag = r->stream ? r->stream->place(r->stream->ctx, at) : r->rows_read + 1;
        if (r->d.returning) op__get_row(in, at, input);
        TRY(insert_row(r, input, r->d.returning ? in->column_count : 0));
        r->rows_read++;
    }
    TRY(exec_check(x));
    return r->d.returning ? row_pusher__flush(r->d.returning) : OK;
}

static void insert_init(struct insert_run *r, struct execution *x, const struct plan_node *n,
                        const struct exec_sink *out)
{
    uint32_t columns = n->dml.table->column_count;
    dml_init(&r->d, x, n, n->dml.conflict == CONFLICT_UPDATE);
    r->n = n;
    r->batch = op__arena(x, n, 2);
    struct arena *a = op__arena(x, n, 1);
    r->row = ARENA_ARRAY(a, struct datum, columns + 1);
    r->old = ARENA_ARRAY(a, struct datum, columns + 1);
    r->slots = ARENA_ARRAY(a, struct datum, 2 * columns + 1);
    strbuf_init(&r->found, NULL);
    if (n->dml.returning_count) {
        row_pusher__init(&r->pusher, x, n, out);
        r->d.returning = &r->pusher;
    }
    r->d.bulk = n->dml.conflict == CONFLICT_NONE && !n->dml.returning_count &&
                !n->dml.triggers && !x->plan->change_count;
}

static void insert_release(struct insert_run *r)
{
    strbuf_release(&r->found);
    dml_release(&r->d);
}

static uint8_t events_of(const struct plan_node *n)
{
    return TRIGGER_INSERT | (n->dml.conflict == CONFLICT_UPDATE ? TRIGGER_UPDATE : 0);
}

static enum status begin_statement(struct execution *x, const struct plan_node *n)
{
    TRY(trigger_before_statement(x, n, TRIGGER_INSERT));
    return n->dml.conflict == CONFLICT_UPDATE ? trigger_before_statement(x, n, TRIGGER_UPDATE) : OK;
}

enum status op__insert(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct insert_run r = {0};
    if (n->dml.table->kind == 'v') return op__instead(x, n, out);
    insert_init(&r, x, n, out);
    struct exec_sink sink = {insert_rows, &r};
    enum status st = begin_statement(x, n);
    if (st == OK) st = op__run(x, n->left, &sink);
    if (st == OK) st = dml_end(&r.d);
    if (st == OK) st = part_finish(x, n, events_of(n));
    part_end(x);
    insert_release(&r);
    return st;
}

/* --- COPY -------------------------------------------------------------------------------------- */

enum status exec_insert_stream(const struct plan *p, struct txn *t, const struct exec_session *s,
                               struct arena *a, const struct exec_stream *stream,
                               struct exec_result *ret)
{
    struct execution x;
    struct insert_run r = {0};
    const struct exec_sink nowhere = {0};
    if (p->root->kind != PLAN_INSERT)
        return FAIL(INTERNAL_ERROR, "a stream of rows can only be inserted");
    exec_begin(&x, p, t, s, NULL, a);
    x.run = op__run;
    insert_init(&r, &x, p->root, &nowhere);
    r.stream = stream;
    enum status st = begin_statement(&x, p->root);
    while (st == OK) {
        struct batch b;
        st = stream->next(stream->ctx, &b);
        if (st == OK) st = insert_rows(&r, &b);
    }
    if (st == END_OF_DATA) st = dml_end(&r.d);
    bool at_end = st == OK;
    if (st == OK) st = foreign_finish(&x);
    if (st == OK) st = trigger_finish(&x, p->root, events_of(p->root));
    foreign_end(&x);
    if (ret)
        *ret = (struct exec_result){.rows_processed = x.rows_processed, .rows_read = r.rows_read,
                                    .at_end = at_end, .place = r.d.place};
    insert_release(&r);
    exec_end(&x);
    return st;
}
