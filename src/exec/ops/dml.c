/* One row, its checks, its index entries. A row and its entries are written in the same transaction
 * under the row's key lock, so an index always equals its table. */
#include "exec/ops/dml.h"

#include "exec/ops/foreign_priv.h"
#include "types/key.h"
#include "types/row.h"

enum { DETAIL_FIELD_MAX = 64 };

void dml_init(struct dml_run *d, struct execution *x, const struct plan_node *n, bool tracks)
{
    *d = (struct dml_run){.x = x, .dml = &n->dml, .table = n->dml.table, .tracks = tracks};
    d->arena = exec_arena(x);
    d->counts = !x->plan || !x->plan->change_count || x->plan->root == n;
    for (uint16_t i = 0; i < d->table->index_count; i++)
        d->defers |= d->table->indexes[i]->deferrable;
    strbuf_init(&d->key, NULL);
    strbuf_init(&d->row, NULL);
    strbuf_init(&d->entry, NULL);
    strbuf_init(&d->old_entry, NULL);
    strbuf_init(&d->new_key, NULL);
    map_init(&d->seen);
}

void dml_release(struct dml_run *d)
{
    strbuf_release(&d->key);
    strbuf_release(&d->row);
    strbuf_release(&d->entry);
    strbuf_release(&d->old_entry);
    strbuf_release(&d->new_key);
    map_release(&d->seen);
    store_load_free(d->load);
}

bool dml_seen(struct dml_run *d, struct slice key)
{
    if (!d->tracks) return false;
    if (map_get(&d->seen, key)) return true;
    map_put(&d->seen, key, d);
    return false;
}

/* --- errors ------------------------------------------------------------------------------------ */

static const char *schema_name(const struct dml_run *d)
{
    const struct schema_def *s = catalog_schema_by_oid(d->x->session->catalog, d->table->schema);
    return s ? s->name : NULL;
}

static void add_value(struct dml_run *d, type_id type, const struct datum *v, size_t max,
                      struct strbuf *out)
{
    if (v->null) {
        strbuf_adds(out, "null");
        return;
    }
    size_t start = out->len;
    value_to_text(type, &v->v, d->x->session->format, out);
    if (max && out->len - start > max) {
        out->len = start + max;
        while (out->len > start && ((unsigned char)out->data[out->len] & 0xc0) == 0x80) out->len--;
        out->data[out->len] = '\0';
        strbuf_adds(out, "...");
    }
}

static enum status failing_row(struct dml_run *d, const struct datum *row)
{
    struct strbuf s;
    strbuf_init(&s, d->arena);
    for (uint16_t c = 0; c < d->table->column_count; c++) {
        if (d->table->columns[c].dropped) continue;
        if (s.len) strbuf_adds(&s, ", ");
        add_value(d, d->table->columns[c].type, &row[c], DETAIL_FIELD_MAX, &s);
    }
    return error_detail("Failing row contains (%s).", s.data ? s.data : "");
}

static const struct expr *key_expression(const struct dml_run *d, const struct index_def *x,
                                         uint16_t column)
{
    for (uint16_t i = 0; d->dml->rules && i < d->table->index_count; i++)
        if (d->table->indexes[i]->oid == x->oid && d->dml->rules[i].keys)
            return d->dml->rules[i].keys[column];
    return NULL;
}

/* As pg_get_indexdef shows it. */
static enum status add_expression(struct dml_run *d, const struct index_def *x, uint16_t column,
                                  struct strbuf *out)
{
    const struct exec_session *s = d->x->session;
    const struct proc_def *const *list, *proc = NULL;
    struct datum args[3] = {0}, text = {.null = true};
    uint32_t n = proc_by_name(SLICE("pg_get_indexdef"), &list);
    for (uint32_t i = 0; i < n; i++)
        if (list[i]->arg_count == 3) proc = list[i];
    args[0].v.u32 = x->oid;
    args[1].v.i32 = column + 1;
    args[2].v.b = true;
    if (proc) TRY(s->system_function(s->ctx, proc, args, 3, d->arena, &text));
    struct slice words = bytes_slice(&text.v.bytes);
    if (!text.null) strbuf_add(out, words.data, words.len);
    return OK;
}

enum status dml_unique_violation(struct dml_run *d, const struct index_def *i,
                                 const struct datum *row)
{
    struct strbuf names, values;
    strbuf_init(&names, d->arena);
    strbuf_init(&values, d->arena);
    for (uint16_t c = 0; c < i->key_count; c++) {
        const struct expr *e = key_expression(d, i, c);
        struct datum v;
        if (c) strbuf_adds(&names, ", ");
        if (e) TRY(exec_eval_row(d->x, e, row, d->arena, &v));
        else v = row[i->columns[c].column - 1];
        if (e) TRY(add_expression(d, i, c, &names));
        else strbuf_adds(&names, d->table->columns[i->columns[c].column - 1].name);
        if (c) strbuf_adds(&values, ", ");
        add_value(d, i->columns[c].type, &v, 0, &values);
    }
    FAIL(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"%s\"", i->name);
    error_detail("Key (%s)=(%s) already exists.", names.data, values.data);
    return error_object(schema_name(d), d->table->name, NULL, i->name);
}

/* --- checks ------------------------------------------------------------------------------------ */

static enum status check_not_null(struct dml_run *d, const struct datum *row)
{
    for (uint16_t c = 0; c < d->table->column_count; c++) {
        const struct column_def *column = &d->table->columns[c];
        if (!column->not_null || column->dropped || !row[c].null) continue;
        FAIL(NOT_NULL_VIOLATION,
             "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
             column->name, d->table->name);
        failing_row(d, row);
        return error_object(schema_name(d), d->table->name, column->name, NULL);
    }
    return OK;
}

enum status dml_finish_row(struct dml_run *d, struct datum *row)
{
    const struct dml *dml = d->dml;
    for (uint16_t c = 0; dml->generated && c < d->table->column_count; c++)
        if (dml->generated[c]) TRY(exec_eval_row(d->x, dml->generated[c], row, d->arena, &row[c]));
    TRY(check_not_null(d, row));
    for (uint32_t i = 0; i < dml->check_count; i++) {
        struct datum pass;
        TRY(exec_eval_row(d->x, dml->checks[i], row, d->arena, &pass));
        if (pass.null || pass.v.b) continue; /* unknown is no violation */
        FAIL(CHECK_VIOLATION, "new row for relation \"%s\" violates check constraint \"%s\"",
             d->table->name, dml->check_defs[i]->name);
        failing_row(d, row);
        return error_object(schema_name(d), d->table->name, NULL, dml->check_defs[i]->name);
    }
    return OK;
}

enum status dml_check_views(struct dml_run *d, const struct datum *row)
{
    for (uint32_t i = 0; i < d->dml->view_check_count; i++) {
        const struct view_check *c = &d->dml->view_checks[i];
        bool pass; /* as WHERE has it: unknown is not in the view */
        TRY(exec_test_row(d->x, c->test, row, d->arena, &pass));
        if (pass) continue;
        FAIL(WITH_CHECK_OPTION_VIOLATION, "new row violates check option for view \"%s\"", c->view);
        return failing_row(d, row);
    }
    return OK;
}

/* --- rows and entries -------------------------------------------------------------------------- */

enum status dml_new_key(struct dml_run *d, const struct datum *row)
{
    strbuf_clear(&d->key);
    if (d->table->primary) {
        op__table_key(d->table, row, &d->key);
        return OK;
    }
    int64_t id;
    TRY(d->x->session->next_row_id(d->x->session->ctx, d->table, &id));
    const struct key_part part = {TYPE_INT8, false, false};
    key_encode(&part, (struct datum){.v.i64 = id}, &d->key);
    return OK;
}

/* An index that is being built, or dropped, beside us takes no new entries for a while, but
 * loses old ones. */
static bool takes_entries(const struct index_def *i)
{
    return i->tree != 0 && i->ready;
}

static bool loses_entries(const struct index_def *i)
{
    return i->tree != 0 && i->live;
}

/* Expressions and a predicate, or NULL: the index has columns only, and all rows. */
static const struct index_rule *rule_of(const struct dml_run *d, uint16_t i)
{
    const struct index_rule *r = d->dml->rules ? &d->dml->rules[i] : NULL;
    return r && (r->keys || r->predicate) ? r : NULL;
}

enum status dml_entry(struct dml_run *d, uint16_t i, const struct datum *row, struct slice key,
                      struct strbuf *out, bool *ret_unique, bool *ret_present)
{
    const struct index_def *x = d->table->indexes[i];
    const struct index_rule *r = rule_of(d, i);
    strbuf_clear(out);
    *ret_present = true;
    *ret_unique = false;
    if (r && r->predicate)
        TRY(exec_test_row(d->x, r->predicate, row, d->arena, ret_present));
    if (!*ret_present) return OK;
    if (!r || !r->keys) {
        op__index_key(d->table, x, row, key, out, ret_unique);
        return OK;
    }
    bool any_null = false;
    for (uint16_t c = 0; c < x->key_count; c++) {
        struct key_part part = op__index_part(x, c);
        struct datum v;
        if (r->keys[c]) TRY(exec_eval_row(d->x, r->keys[c], row, d->arena, &v));
        else v = row[x->columns[c].column - 1];
        any_null |= v.null;
        key_encode(&part, v, out);
    }
    *ret_unique = x->unique && !x->deferrable && (!any_null || x->nulls_not_distinct);
    if (!*ret_unique) strbuf_add(out, key.data, key.len);
    return OK;
}

static enum status put_entry(struct dml_run *d, const struct index_def *i, struct slice key,
                             struct slice entry, bool unique, const struct datum *row)
{
    struct write_request w = {.tree = i->tree, .op = unique ? WRITE_INSERT : WRITE_PUT,
                              .key = entry, .row = key};
    enum status st = store_write(d->x->txn, &w);
    return st == UNIQUE_VIOLATION ? dml_unique_violation(d, i, row) : st;
}

static enum status insert(struct dml_run *d, const struct datum *row)
{
    struct slice key = strbuf_slice(&d->key);
    strbuf_clear(&d->row);
    row_encode(d->table->layout, row, &d->row);
    if (d->load) return dml_load(d, row);
    struct write_request w = {.tree = d->table->tree, .op = WRITE_INSERT, .key = key,
                              .row = strbuf_slice(&d->row)};
    enum status st = store_write(d->x->txn, &w);
    if (st == UNIQUE_VIOLATION && d->table->primary)
        return dml_unique_violation(d, d->table->primary, row);
    TRY(st);
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *index = d->table->indexes[i];
        if (!takes_entries(index)) continue;
        bool unique, present;
        TRY(dml_entry(d, i, row, key, &d->entry, &unique, &present));
        if (present) TRY(put_entry(d, index, key, strbuf_slice(&d->entry), unique, row));
    }
    return dml_wrote(d, key.len + d->row.len);
}

enum status dml_insert(struct dml_run *d, const struct datum *row)
{
    TRY(insert(d, row));
    if (d->defers) TRY(unique_written(d, strbuf_slice(&d->key), NULL, false));
    return d->dml->refer_count ? foreign_written(d, NULL, strbuf_slice(&d->key), row) : OK;
}

static bool touches(const struct index_def *i, const bool *changed)
{
    for (uint32_t c = 0; c < i->key_count; c++)
        if (changed[i->columns[c].column - 1]) return true;
    return false;
}

/* Of an index that does not have them all, whether this one is there or not: a tombstone keeps
 * the build, which sees rows of before, from bringing it back. A unique key may be another row's
 * by now. */
static enum status remove_entry(struct dml_run *d, const struct index_def *i, struct slice key,
                                struct slice entry, bool unique)
{
    struct write_request w = {.tree = i->tree, .op = WRITE_REMOVE, .key = entry};
    struct lock_request q = {.tree = i->tree, .key = entry, .mode = ROW_LOCK_UPDATE};
    struct lock_result there = {0};
    if (unique) TRY(store_lock(d->x->txn, &q, &there));
    bool others = there.row.data && !slice_eq(there.row, key);
    return others ? OK : store_write(d->x->txn, &w);
}

static enum status delete_entry(struct dml_run *d, const struct index_def *i, struct slice key,
                                struct slice entry, bool unique)
{
    if (!i->valid) return remove_entry(d, i, key, entry, unique);
    struct write_request w = {.tree = i->tree, .op = WRITE_DELETE, .key = entry};
    enum status st = store_write(d->x->txn, &w);
    if (st == NOT_FOUND)
        return FAIL(INDEX_CORRUPTED, "index \"%s\" has no entry for a row of its table", i->name);
    return st;
}

static enum status move_entry(struct dml_run *d, uint16_t i, struct slice old_key,
                              struct slice key, const struct datum *old, const struct datum *row)
{
    const struct index_def *x = d->table->indexes[i];
    bool unique, old_unique, was, is;
    TRY(dml_entry(d, i, old, old_key, &d->old_entry, &old_unique, &was));
    TRY(dml_entry(d, i, row, key, &d->entry, &unique, &is));
    bool same_entry = slice_eq(strbuf_slice(&d->entry), strbuf_slice(&d->old_entry));
    if (was && is && same_entry && slice_eq(old_key, key)) return OK;
    if (was) TRY(delete_entry(d, x, old_key, strbuf_slice(&d->old_entry), old_unique));
    return is && takes_entries(x) ? put_entry(d, x, key, strbuf_slice(&d->entry), unique, row) : OK;
}

/* Whether nothing that others may refer to by a unique index changes. */
static bool keeps_key(struct dml_run *d, struct slice key, const struct datum *old,
                      const struct datum *row, const bool *changed)
{
    bool unique;
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *index = d->table->indexes[i];
        if (!index->unique || !index->tree || rule_of(d, i) || !touches(index, changed))
            continue;
        strbuf_clear(&d->old_entry);
        strbuf_clear(&d->entry);
        op__index_key(d->table, index, old, key, &d->old_entry, &unique);
        op__index_key(d->table, index, row, key, &d->entry, &unique);
        if (!slice_eq(strbuf_slice(&d->entry), strbuf_slice(&d->old_entry))) return false;
    }
    return true;
}

enum status dml_update(struct dml_run *d, struct slice key, const struct datum *old,
                       struct datum *row, const bool *changed)
{
    TRY(dml_finish_row(d, row));
    struct slice new_key = key;
    if (d->table->primary && touches(d->table->primary, changed)) {
        strbuf_clear(&d->new_key);
        op__table_key(d->table, row, &d->new_key);
        new_key = strbuf_slice(&d->new_key);
    }
    bool moved = !slice_eq(key, new_key);
    strbuf_clear(&d->row);
    row_encode(d->table->layout, row, &d->row);
    struct write_request w = {.tree = d->table->tree, .op = moved ? WRITE_DELETE : WRITE_UPDATE,
                              .key = key, .row = strbuf_slice(&d->row)};
    w.keeps_key = !moved && keeps_key(d, key, old, row, changed);
    TRY(store_write(d->x->txn, &w));
    if (moved) {
        w.op = WRITE_INSERT;
        w.key = new_key;
        enum status st = store_write(d->x->txn, &w);
        if (st == UNIQUE_VIOLATION) return dml_unique_violation(d, d->table->primary, row);
        TRY(st);
    }
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *index = d->table->indexes[i];
        if (loses_entries(index) && (moved || rule_of(d, i) || touches(index, changed)))
            TRY(move_entry(d, i, key, new_key, old, row));
    }
    if (d->defers) TRY(unique_written(d, new_key, changed, moved));
    const struct foreign_before before = {key, old, changed};
    if (d->dml->refer_count) TRY(foreign_written(d, &before, new_key, row));
    return d->dml->referred_count ? foreign_left(d, old, row, changed) : OK;
}

enum status dml_delete(struct dml_run *d, struct slice key, const struct datum *old)
{
    struct write_request w = {.tree = d->table->tree, .op = WRITE_DELETE, .key = key};
    TRY(store_write(d->x->txn, &w));
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *index = d->table->indexes[i];
        if (!loses_entries(index)) continue;
        bool unique, present;
        TRY(dml_entry(d, i, old, key, &d->entry, &unique, &present));
        if (present) TRY(delete_entry(d, index, key, strbuf_slice(&d->entry), unique));
    }
    return d->dml->referred_count ? foreign_left(d, old, NULL, NULL) : OK;
}

/* Both entries of the index, into d->old_entry and d->entry; *ret_same: they are one. */
static enum status entries(struct dml_run *d, uint16_t i, struct slice key, const struct datum *old,
                           const struct datum *row, bool *ret_was, bool *ret_is, bool *ret_same,
                           bool *ret_unique, bool *ret_old_unique)
{
    TRY(dml_entry(d, i, old, key, &d->old_entry, ret_old_unique, ret_was));
    TRY(dml_entry(d, i, row, key, &d->entry, ret_unique, ret_is));
    *ret_same = *ret_was && *ret_is && slice_eq(strbuf_slice(&d->entry), strbuf_slice(&d->old_entry));
    return OK;
}

enum status dml_take_entries(struct dml_run *d, struct slice key, const struct datum *old,
                             const struct datum *row)
{
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        bool was, is, same, unique, old_unique;
        const struct index_def *index = d->table->indexes[i];
        if (!loses_entries(index)) continue;
        TRY(entries(d, i, key, old, row, &was, &is, &same, &unique, &old_unique));
        if (was && !same)
            TRY(delete_entry(d, index, key, strbuf_slice(&d->old_entry), old_unique));
    }
    return OK;
}

enum status dml_replace(struct dml_run *d, struct slice key, const struct datum *old,
                        struct datum *row, const bool *changed)
{
    TRY(dml_finish_row(d, row));
    strbuf_clear(&d->row);
    row_encode(d->table->layout, row, &d->row);
    struct write_request w = {.tree = d->table->tree, .op = WRITE_UPDATE, .key = key,
                              .row = strbuf_slice(&d->row)};
    TRY(store_write(d->x->txn, &w));
    for (uint16_t i = 0; i < d->table->index_count; i++) {
        const struct index_def *index = d->table->indexes[i];
        bool was, is, same, unique, old_unique;
        if (!takes_entries(index)) continue;
        TRY(entries(d, i, key, old, row, &was, &is, &same, &unique, &old_unique));
        if (is && !same) TRY(put_entry(d, index, key, strbuf_slice(&d->entry), unique, row));
    }
    if (d->defers) TRY(unique_written(d, key, changed, false));
    const struct foreign_before before = {key, old, changed};
    if (d->dml->refer_count) TRY(foreign_written(d, &before, key, row));
    return d->dml->referred_count ? foreign_left(d, old, row, changed) : OK;
}

void dml_decode(const struct table_def *t, struct slice row, struct datum *ret)
{
    for (uint16_t c = 0; c < t->column_count; c++) {
        if (row_get(t->layout, row, c, &ret[c])) continue;
        ret[c] = t->columns[c].has_missing ? t->columns[c].missing : (struct datum){.null = true};
    }
}

enum status dml_returning(struct dml_run *d, const struct datum *row, const struct datum *input,
                          uint32_t input_count)
{
    d->x->rows_processed += d->counts;
    if (!d->returning) return OK;
    uint32_t columns = d->table->column_count;
    struct arena *a = d->returning->arena;
    struct datum *slots = ARENA_ARRAY(a, struct datum, columns + input_count + 1);
    /* The row's bytes must outlive this row: RETURNING is pushed by the batch. */
    for (uint32_t c = 0; c < columns; c++)
        slots[c] = datum_copy(a, d->table->columns[c].type, row[c]);
    if (input_count) memcpy(slots + columns, input, input_count * sizeof *slots);
    struct datum *out = ARENA_ARRAY(a, struct datum, d->dml->returning_count + 1);
    for (uint32_t i = 0; i < d->dml->returning_count; i++) {
        TRY(exec_eval_row(d->x, d->dml->returning[i], slots, a, &out[i]));
        out[i] = datum_copy(a, d->dml->returning[i]->type, out[i]);
    }
    return row_pusher__add(d->returning, out);
}
