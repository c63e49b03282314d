/* Indexes with expressions and predicates: what the catalog keeps of them, and their values of a row
 * when DDL fills an index. */
#include "db/ddl_priv.h"
#include "db/system_priv.h"
#include "exec/eval.h"

/* --- CREATE INDEX ------------------------------------------------------------------------------ */

static bool is_immutable(void *ctx, const struct expr *e)
{
    if (e->kind == EXPR_SQL_VALUE) return false;
    if (e->kind == EXPR_CALL && e->call.proc && e->call.proc->volatility != IMMUTABLE) return false;
    return expr_walk(e, is_immutable, ctx);
}

enum status ddl__index_expression(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                  struct index_column *ret)
{
    struct expr *e;
    ret->column = 0;
    TRY(ddl__store_expression(d, t, ast, TYPE_NONE, -1, "index expressions", &ret->expression_sql,
                              &e));
    if (!is_immutable(NULL, e))
        return FAIL(INVALID_OBJECT_DEFINITION,
                    "functions in index expression must be marked IMMUTABLE");
    ret->type = e->type == TYPE_UNKNOWN ? TYPE_TEXT : e->type;
    const struct type_info *info = type_get(ret->type);
    if (!info || info->category == 'P')
        return FAIL(INVALID_TABLE_DEFINITION, "column \"expr\" has pseudo-type %s",
                    info ? info->name : "unknown");
    return OK;
}

enum status ddl__index_predicate(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                 const char **ret_sql)
{
    struct expr *e;
    TRY(ddl__store_expression(d, t, ast, TYPE_BOOL, -1, "index predicates", ret_sql, &e));
    if (is_immutable(NULL, e)) return OK;
    return FAIL(INVALID_OBJECT_DEFINITION, "functions in index predicate must be marked IMMUTABLE");
}

enum status ddl__index_uses(struct ddl *d, const struct table_def *t, const struct index_def *x,
                            int16_t number, bool *ret)
{
    bool *used = ARENA_ARRAY(d->a, bool, t->column_count + 1);
    for (uint16_t i = 0; i < x->column_count; i++) {
        if (x->columns[i].column) used[x->columns[i].column] = true;
        else TRY(ddl__columns_of(d, t, x->columns[i].expression_sql, used));
    }
    if (x->predicate_sql) TRY(ddl__columns_of(d, t, x->predicate_sql, used));
    *ret = used[number];
    return OK;
}

enum status ddl__index_column_words(struct ddl *d, const struct table_def *t,
                                    const struct index_column *c, const char **ret)
{
    *ret = c->column ? t->columns[c->column - 1].name : NULL;
    return *ret ? OK : sys_index_column(d->s, t, c, true, d->a, ret);
}

/* --- values of a row ---------------------------------------------------------------------------- */

enum status ddl__index_values(struct ddl *d, const struct table_def *t, const struct index_def *x,
                              struct index_values *ret)
{
    *ret = (struct index_values){.index = x};
    for (uint16_t i = 0; i < x->key_count; i++) {
        if (x->columns[i].column) continue;
        if (!ret->keys) ret->keys = ARENA_ARRAY(d->a, struct expr *, x->key_count);
        TRY(ddl__load_expression(d, t, x->columns[i].expression_sql, NULL, "index expressions",
                                 &ret->keys[i]));
    }
    if (!x->predicate_sql) return OK;
    return ddl__load_expression(d, t, x->predicate_sql, NULL, "index predicates", &ret->predicate);
}

enum status ddl__index_row(const struct index_values *v, const struct datum *row,
                           struct datum *ret, bool *ret_present)
{
    struct datum pass;
    *ret_present = true;
    if (v->predicate) {
        TRY(exec_eval_row(v->x, v->predicate, row, v->arena, &pass));
        *ret_present = !pass.null && pass.v.b;
    }
    for (uint16_t i = 0; *ret_present && i < v->index->key_count; i++) {
        if (v->keys && v->keys[i]) TRY(exec_eval_row(v->x, v->keys[i], row, v->arena, &ret[i]));
        else ret[i] = row[v->index->columns[i].column - 1];
    }
    return OK;
}

enum status ddl__index_entry(const struct index_values *v, struct slice key,
                             const struct datum *row, struct strbuf *out, bool *ret_unique,
                             bool *ret_present)
{
    const struct index_def *x = v->index;
    bool any_null = false;
    strbuf_clear(out);
    *ret_present = true;
    if (!v->keys && !v->predicate) {
        ddl__entry_key(x, key, row, out, ret_unique);
        return OK;
    }
    struct datum *values = ARENA_ARRAY(v->arena, struct datum, x->key_count);
    TRY(ddl__index_row(v, row, values, ret_present));
    for (uint16_t i = 0; *ret_present && i < x->key_count; i++) {
        struct key_part part = ddl__key_part(x, i);
        any_null |= values[i].null;
        key_encode(&part, values[i], out);
    }
    *ret_unique = x->unique && !x->deferrable && (!any_null || x->nulls_not_distinct);
    if (!*ret_unique) strbuf_add(out, key.data, key.len);
    return OK;
}

/* --- ALTER TABLE -------------------------------------------------------------------------------- */

/* A copy of the edit's index that may be changed. */
static struct index_def *own_copy(struct ddl *d, struct table_edit *e, size_t i,
                                  struct index_column **ret_columns)
{
    struct index_def *copy = arena_memdup(d->a, e->indexes.data[i], sizeof *copy);
    *ret_columns = arena_memdup(d->a, copy->columns, copy->column_count * sizeof *copy->columns);
    copy->columns = *ret_columns;
    e->indexes.data[i] = copy;
    return copy;
}

enum status ddl__rename_in_indexes(struct ddl *d, const struct table_def *t, struct table_edit *e,
                                   const char *old, const char *name)
{
    for (size_t i = 0; i < e->indexes.count; i++) {
        struct index_column *c;
        struct index_def *x = own_copy(d, e, i, &c);
        for (uint16_t k = 0; k < x->column_count; k++)
            if (!c[k].column)
                TRY(ddl__rename_in(d, t, c[k].expression_sql, old, name, &c[k].expression_sql));
        if (x->predicate_sql)
            TRY(ddl__rename_in(d, t, x->predicate_sql, old, name, &x->predicate_sql));
    }
    return OK;
}

enum status ddl__retype_indexes(struct ddl *d, struct table_edit *e, const struct column_def *to)
{
    for (size_t i = 0; i < e->indexes.count; i++) {
        struct index_column *c;
        struct index_def *x = own_copy(d, e, i, &c);
        struct index_values v;
        for (uint16_t k = 0; k < x->column_count; k++)
            if (c[k].column == to->number) c[k].type = to->type;
        TRY(ddl__index_values(d, ddl__edit_def(e), x, &v));
        for (uint16_t k = 0; v.keys && k < x->key_count; k++)
            if (v.keys[k]) c[k].type = v.keys[k]->type;
    }
    return OK;
}
