/* ALTER TABLE's ways over the rows: giving a column new values, and looking whether rows satisfy
 * what is now demanded of them. */
#include "db/ddl_build_priv.h"
#include "exec/eval.h"

/* --- new values ----------------------------------------------------------------------------- */

struct remake {
    struct execution x;
    const struct expr *value;
    uint16_t column;
    struct arena arena; /* of one row */
};

static enum status fill(void *ctx, struct datum *row)
{
    struct remake *r = ctx;
    struct datum v;
    arena_clear(&r->arena);
    TRY(exec_eval_row(&r->x, r->value, row, &r->arena, &v));
    row[r->column] = v;
    return OK;
}

enum status ddl__remake(struct ddl *d, const struct table_def *from, struct table_edit *e,
                        uint16_t column, const struct expr *value)
{
    static const struct exec_params no_params = {0};
    struct remake r = {.value = value, .column = column};
    struct rewrite q = {.from = from, .fill = value ? fill : NULL, .ctx = &r};
    for (size_t i = 0; i < e->columns.count; i++) e->columns.data[i].has_missing = false;
    TRY(ddl__new_trees(d, e));
    TRY(ddl__edit_put(d, e, &q.to));
    ARRAY_PUSH(&d->s->rewrote, e->def.oid);
    exec_begin(&r.x, NULL, d->s->txn, &d->s->exec, &no_params, d->a);
    arena_init(&r.arena, MEM_QUERY);
    build__show(d->s, BUILD_REWRITE, from, NULL);
    build__show_table(d->s, from);
    enum status s = ddl__rewrite(d, &q);
    build__show(d->s, BUILD_NONE, NULL, NULL);
    arena_release(&r.arena);
    exec_end(&r.x);
    return s;
}

/* --- looking -------------------------------------------------------------------------------- */

struct verify {
    struct ddl *ddl;
    const struct table_def *table;
    uint16_t column;
    const struct constraint_def *check;
    struct expr *condition;
    struct execution x;
    struct arena arena; /* of one row */
};

static enum status blame(struct verify *v, const char *column, const char *constraint)
{
    const struct schema_def *n = catalog_schema_by_oid(v->ddl->s->catalog, v->table->schema);
    return error_object(n ? n->name : NULL, v->table->name, column, constraint);
}

static enum status row_not_null(void *ctx, struct slice key, struct datum *row)
{
    struct verify *v = ctx;
    const char *name = v->table->columns[v->column].name;
    (void)key;
    if (!row[v->column].null) return OK;
    FAIL(NOT_NULL_VIOLATION, "column \"%s\" of relation \"%s\" contains null values", name,
         v->table->name);
    return blame(v, name, NULL);
}

enum status ddl__verify_not_null(struct ddl *d, const struct table_def *t, uint16_t column)
{
    struct verify v = {.ddl = d, .table = t, .column = column};
    struct row_scan q = {t, row_not_null, &v};
    return ddl__scan(d, &q);
}

static bool says_not_null(const struct expr *e, uint16_t column)
{
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_AND) {
        for (uint32_t i = 0; i < e->arg_count; i++)
            if (says_not_null(e->args[i], column)) return true;
        return false;
    }
    return e->kind == EXPR_NULL_TEST && e->negated && e->args[0]->kind == EXPR_SLOT &&
           e->args[0]->slot == column;
}

enum status ddl__prove_not_null(struct ddl *d, const struct table_def *t, uint16_t column)
{
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *k = t->constraints[i];
        struct expr *e;
        if (k->kind != 'c' || !k->validated) continue;
        TRY(ddl__load_expression(d, t, k->check_sql, NULL, "CHECK", &e));
        if (says_not_null(e, column)) return OK;
    }
    return ddl__verify_not_null(d, t, column);
}

static enum status row_check(void *ctx, struct slice key, struct datum *row)
{
    struct verify *v = ctx;
    struct datum result;
    (void)key;
    arena_clear(&v->arena);
    TRY(exec_eval_row(&v->x, v->condition, row, &v->arena, &result));
    if (result.null || result.v.b) return OK;
    FAIL(CHECK_VIOLATION, "check constraint \"%s\" of relation \"%s\" is violated by some row",
         v->check->name, v->table->name);
    return blame(v, NULL, v->check->name);
}

enum status ddl__verify_check(struct ddl *d, const struct table_def *t,
                              const struct constraint_def *k)
{
    static const struct exec_params no_params = {0};
    struct verify v = {.ddl = d, .table = t, .check = k};
    struct row_scan q = {t, row_check, &v};
    TRY(ddl__load_expression(d, t, k->check_sql, NULL, "CHECK", &v.condition));
    exec_begin(&v.x, NULL, d->s->txn, &d->s->exec, &no_params, d->a);
    arena_init(&v.arena, MEM_QUERY);
    enum status s = ddl__scan(d, &q);
    arena_release(&v.arena);
    exec_end(&v.x);
    return s;
}
