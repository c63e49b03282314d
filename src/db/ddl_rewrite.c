/* ALTER TABLE's ways over the rows: giving a column new values, and looking whether rows satisfy
 * what is now demanded of them. */
#include "db/ddl_build_priv.h"
#include "db/ddl_follow_priv.h"
#include "db/storage_priv.h"
#include "exec/eval.h"

/* --- what a row must be ---------------------------------------------------------------------- */

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

static enum status begin_check(struct verify *v, struct ddl *d, const struct table_def *t,
                               const struct constraint_def *k, uint16_t column)
{
    static const struct exec_params no_params = {0};
    *v = (struct verify){.ddl = d, .table = t, .column = column, .check = k};
    TRY(ddl__load_expression(d, t, k->check_sql, NULL, "CHECK", &v->condition));
    exec_begin(&v->x, NULL, d->s->txn, &d->s->exec, &no_params, d->a);
    arena_init(&v->arena, MEM_QUERY);
    return OK;
}

static void end_check(struct verify *v)
{
    arena_release(&v->arena);
    exec_end(&v->x);
}

/* --- new values ----------------------------------------------------------------------------- */

struct remake {
    struct ddl *ddl;
    struct execution x;
    const struct expr *value;
    uint16_t column;
    struct verify *checks; /* that the row must pass */
    uint32_t check_count;
    bool not_null;         /* the column must be */
    struct arena arena;    /* of one row */
};

static enum status fill(void *ctx, struct datum *row)
{
    struct remake *r = ctx;
    struct datum v;
    arena_clear(&r->arena);
    TRY(exec_eval_row(&r->x, r->value, row, &r->arena, &v));
    row[r->column] = v;
    if (r->not_null) TRY(row_not_null(&r->checks[0], (struct slice){0}, row));
    for (uint32_t i = 0; i < r->check_count; i++)
        TRY(row_check(&r->checks[i], (struct slice){0}, row));
    return OK;
}

static void begin_remake(struct remake *r)
{
    static const struct exec_params no_params = {0};
    struct ddl *d = r->ddl;
    exec_begin(&r->x, NULL, d->s->txn, &d->s->exec, &no_params, d->a);
    arena_init(&r->arena, MEM_QUERY);
}

static void end_remake(struct remake *r)
{
    arena_release(&r->arena);
    exec_end(&r->x);
}

static enum status run_remake(struct remake *r, struct rewrite *q)
{
    struct ddl *d = r->ddl;
    ARRAY_PUSH(&d->s->rewrote, q->from->oid);
    begin_remake(r);
    build__show(d->s, BUILD_REWRITE, q->from, NULL);
    build__show_table(d->s, q->from);
    enum status s = ddl__rewrite(d, q);
    build__show(d->s, BUILD_NONE, NULL, NULL);
    end_remake(r);
    return s;
}

/* The old ones are dropped when nobody writes to them any more. */
static enum status make_trees(struct remake *r, struct rewrite *q, struct table_edit *e)
{
    struct ddl *d = r->ddl;
    for (size_t i = 0; i < e->columns.count; i++) e->columns.data[i].has_missing = false;
    TRY(d->beside ? ddl__more_trees(d, e) : ddl__new_trees(d, e));
    TRY(ddl__edit_put(d, e, &q->to));
    storage_tell_new(d->s, q->to);
    return OK;
}

static enum status finish(struct remake *r, const struct rewrite *q, enum status s)
{
    return s == OK && r->ddl->beside ? ddl__drop_trees(r->ddl, q->from) : s;
}

enum status ddl__remake(struct ddl *d, const struct table_def *from, struct table_edit *e,
                        uint16_t column, const struct expr *value)
{
    struct remake r = {.ddl = d, .value = value, .column = column};
    struct rewrite q = {.from = from, .fill = value ? fill : NULL, .ctx = &r};
    TRY(make_trees(&r, &q, e));
    return finish(&r, &q, run_remake(&r, &q));
}

/* The checks of the table that name the column. */
static enum status find_checks(struct remake *r, const struct table_def *t)
{
    int16_t number = t->columns[r->column].number;
    r->checks = ARENA_ARRAY(r->ddl->a, struct verify, t->constraint_count + 1u);
    r->checks[0] = (struct verify){.ddl = r->ddl, .table = t, .column = r->column};
    r->not_null = t->columns[r->column].not_null;
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *k = t->constraints[i];
        bool uses = false;
        for (uint16_t c = 0; c < k->column_count; c++) uses |= k->columns[c] == number;
        if (k->kind == 'c' && k->validated && uses)
            TRY(begin_check(&r->checks[r->check_count], r->ddl, t, k, r->column));
        else continue;
        r->check_count++;
    }
    return OK;
}

static bool is_in_key(const struct table_def *t, uint16_t column)
{
    for (uint16_t i = 0; t->primary && i < t->primary->key_count; i++)
        if (t->primary->columns[i].column == column + 1) return true;
    return false;
}

enum status ddl__retype(struct ddl *d, const struct table_def *from, struct table_edit *e,
                        uint16_t column, const struct expr *value)
{
    struct remake r = {.ddl = d, .value = value, .column = column};
    struct rewrite q = {.from = from, .keeps_keys = !is_in_key(from, column), .fill = fill, .ctx = &r};
    TRY(make_trees(&r, &q, e));
    enum status s = find_checks(&r, q.to);
    if (s == OK) s = run_remake(&r, &q);
    for (uint32_t i = 0; i < r.check_count; i++) end_check(&r.checks[i]);
    return finish(&r, &q, s);
}

/* --- looking -------------------------------------------------------------------------------- */

/* At all rows. */
static enum status look(struct ddl *d, const struct row_scan *q)
{
    struct follower f = {.ddl = d, .table = q->table, .lock = d->beside, .comes = q->row,
                         .ctx = q->ctx};
    return d->beside ? ddl__follow(&f) : ddl__scan(d, q);
}

enum status ddl__verify_not_null(struct ddl *d, const struct table_def *t, uint16_t column)
{
    struct verify v = {.ddl = d, .table = t, .column = column};
    struct row_scan q = {t, row_not_null, &v};
    return look(d, &q);
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

enum status ddl__verify_check(struct ddl *d, const struct table_def *t,
                              const struct constraint_def *k)
{
    struct verify v;
    struct row_scan q = {t, row_check, &v};
    TRY(begin_check(&v, d, t, k, 0));
    enum status s = look(d, &q);
    end_check(&v);
    return s;
}
