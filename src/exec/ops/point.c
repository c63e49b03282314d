/* The fast path: one row by its whole primary key, without batches. */
#include "exec/ops/foreign_priv.h"

#include "types/key.h"
#include "types/row.h"

/* The key, or *ret_null when a part of it is NULL: then no row qualifies. */
static enum status point_key(struct execution *x, const struct point_plan *p, struct strbuf *out,
                             bool *ret_null)
{
    *ret_null = false;
    for (uint32_t i = 0; i < p->key_count; i++) {
        struct datum d;
        TRY(exec_eval_row(x, p->key[i], NULL, x->arena, &d));
        if (d.null) {
            *ret_null = true;
            return OK;
        }
        struct key_part part = op__index_part(p->table->primary, i);
        key_encode(&part, d, out);
    }
    return OK;
}

static enum status output(struct execution *x, const struct point_plan *p, const struct datum *row,
                          struct datum *ret_row)
{
    for (uint32_t i = 0; i < p->output_count; i++)
        TRY(exec_eval_row(x, p->output[i], row, x->arena, &ret_row[i]));
    return OK;
}

static enum status point_select(struct execution *x, const struct point_plan *p, struct slice key,
                                struct datum *ret_row, bool *ret_found)
{
    struct point_get_request q = {p->table->tree, key};
    struct slice bytes;
    struct txn *reader;
    TRY(exec_reader(x, exec_moment(x, p->moment), &reader));
    enum status st = store_point_get(reader, &q, &bytes);
    if (st == NOT_FOUND) return OK;
    TRY(st);
    if (p->moment) bytes = slice_dup(x->arena, bytes); /* its reader ends before the row is used */
    const struct table_def *t = p->table;
    struct datum *row = arena_alloc(x->arena, (t->column_count + 1u) * sizeof *row);
    for (uint32_t i = 0; i < p->needed_count; i++) {
        uint16_t c = p->needed[i];
        if (row_get(t->layout, bytes, c, &row[c])) continue;
        row[c] = t->columns[c].has_missing ? t->columns[c].missing : (struct datum){.null = true};
    }
    if (p->filter) TRY(exec_test_row(x, p->filter, row, x->arena, ret_found));
    else *ret_found = true;
    if (!*ret_found) return OK;
    x->rows_processed = 1;
    return output(x, p, row, ret_row);
}

static enum status change(struct dml_run *d, const struct point_plan *p, struct slice key,
                          struct datum *ret_row, bool *ret_found)
{
    struct execution *x = d->x;
    uint32_t columns = p->table->column_count;
    struct lock_request q = {.tree = p->table->tree, .key = key,
                             .mode = p->command == CMD_UPDATE ? ROW_LOCK_NO_KEY_UPDATE
                                                              : ROW_LOCK_UPDATE};
    struct lock_result got;
    TRY(store_lock(x->txn, &q, &got));
    if (!got.row.data) return OK;
    struct datum *old = arena_alloc(x->arena, (columns + 1) * sizeof *old);
    dml_decode(p->table, got.row, old);
    bool pass = true;
    if (p->filter) TRY(exec_test_row(x, p->filter, old, x->arena, &pass));
    if (!pass) return OK;
    struct datum *row = old;
    if (p->command == CMD_UPDATE) {
        row = arena_alloc(x->arena, (columns + 1) * sizeof *row);
        for (uint32_t c = 0; c < columns; c++) {
            if (!d->dml->column_changed[c]) row[c] = old[c];
            else TRY(exec_eval_row(x, d->dml->new_row[c], old, x->arena, &row[c]));
        }
        TRY(dml_update(d, key, old, row, d->dml->column_changed));
    } else {
        TRY(dml_delete(d, key, old));
    }
    x->rows_processed = 1;
    *ret_found = p->output_count > 0;
    return output(x, p, row, ret_row);
}

static enum status point_change(struct execution *x, const struct point_plan *p, struct slice key,
                                struct datum *ret_row, bool *ret_found)
{
    struct dml_run d;
    dml_init(&d, x, p->dml, false);
    enum status st = change(&d, p, key, ret_row, ret_found);
    if (st == OK) st = foreign_finish(x);
    foreign_end(x);
    dml_release(&d);
    return st;
}

enum status exec_point(const struct plan *plan, struct txn *t, const struct exec_session *s,
                       const struct exec_params *params, struct arena *a, struct datum *ret_row,
                       bool *ret_found, struct exec_result *ret)
{
    const struct point_plan *p = plan->point;
    struct execution x;
    struct strbuf key;
    bool null;
    *ret_found = false;
    exec_begin(&x, NULL, t, s, params, a);
    x.run = op__run;
    strbuf_init(&key, a);
    enum status st = point_key(&x, p, &key, &null);
    if (st == OK && !null) {
        if (p->command == CMD_SELECT)
            st = point_select(&x, p, strbuf_slice(&key), ret_row, ret_found);
        else
            st = point_change(&x, p, strbuf_slice(&key), ret_row, ret_found);
    }
    if (ret) ret->rows_processed = x.rows_processed;
    exec_end(&x);
    return st;
}
