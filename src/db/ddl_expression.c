/* Stored expressions: from what a statement says to what the catalog keeps, and back to something
 * that runs over a row.
 *
 * A default is kept as it was written, not as it is coerced, since those who use it coerce it
 * again; so it prints as PostgreSQL prints it. A bare literal alone is kept with the column's
 * type: it has none of its own. */
#include "db/ddl_priv.h"
#include "exec/eval.h"

static void bind_env(struct ddl *d, const struct table_def *t, struct slice text,
                     struct bind_env *env)
{
    session__bind_env(d->s, env, d->a, text);
    env->self_table = t;
}

static enum status bind(struct ddl *d, const struct table_def *t, struct slice text,
                        const struct ast *ast, type_id type, int32_t typmod, const char *what,
                        struct expr **ret, struct query **ret_query)
{
    struct bind_env env;
    bind_env(d, t, text, &env);
    enum status s = bind_expression(&env, ast, type, typmod, what, ret, ret_query);
    if (s != OK && d->unplaced) (void)error_at(0);
    return s;
}

/* --- storing -------------------------------------------------------------------------------- */

static const char *storage_form(struct ddl *d, const struct expr *e, const struct query *q)
{
    struct deparse_options o = {DEPARSE_STORAGE, false, d->s->catalog, session__path(d->s)};
    struct strbuf b;
    strbuf_init(&b, d->a);
    expr_deparse(e, q, &o, &b);
    return b.data;
}

enum status ddl__store_expression(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                  type_id type, int32_t typmod, const char *what,
                                  const char **ret_sql, struct expr **ret)
{
    struct expr *e;
    struct query *q;
    TRY(bind(d, t, d->text, ast, type, typmod, what, &e, &q));
    *ret_sql = storage_form(d, e, q);
    if (ret) *ret = e;
    return OK;
}

static bool is_bare_literal(const struct ast *ast)
{
    if (ast->kind != AST_CONST) return false;
    enum const_kind k = AST(ast, ast_const)->type;
    return k == CONST_STRING || k == CONST_NULL;
}

/* "column "a" is of type integer but default expression is of type text" */
static enum status explain_mismatch(struct ddl *d, const struct table_def *t,
                                    const struct column_def *c, const struct ast *ast,
                                    const char *what, const char *words)
{
    struct expr *e;
    struct query *q;
    struct strbuf want, have;
    struct error kept = *error_current();
    if (bind(d, t, d->text, ast, TYPE_NONE, -1, what, &e, &q) != OK) {
        *error_current() = kept;
        return kept.code;
    }
    strbuf_init(&want, d->a);
    strbuf_init(&have, d->a);
    session__type_name(d->s, c->type, -1, &want);
    session__type_name(d->s, e->type, -1, &have);
    FAIL(DATATYPE_MISMATCH, "column \"%s\" is of type %s but %s expression is of type %s", c->name,
         want.data, words, have.data);
    return error_hint("You will need to rewrite or cast the expression.");
}

static enum status store_value(struct ddl *d, const struct table_def *t, const struct column_def *c,
                               const struct ast *ast, const char *what, const char *words,
                               const char **ret_sql, struct expr **ret)
{
    struct expr *coerced, *plain;
    struct query *q;
    enum status s = bind(d, t, d->text, ast, c->type, c->typmod, what, &coerced, &q);
    if (s == DATATYPE_MISMATCH || s == CANNOT_COERCE)
        return explain_mismatch(d, t, c, ast, what, words);
    TRY(s);
    if (ret) *ret = coerced;
    if (is_bare_literal(ast)) TRY(bind(d, t, d->text, ast, c->type, -1, what, &plain, &q));
    else TRY(bind(d, t, d->text, ast, TYPE_NONE, -1, what, &plain, &q));
    *ret_sql = storage_form(d, plain, q);
    return OK;
}

enum status ddl__store_default(struct ddl *d, const struct column_def *c, const struct ast *ast,
                               const char **ret_sql, struct expr **ret)
{
    enum status s = store_value(d, NULL, c, ast, "DEFAULT", "default", ret_sql, ret);
    if (s == OK && ast->kind == AST_CONST && AST(ast, ast_const)->type == CONST_NULL)
        *ret_sql = NULL; /* DEFAULT NULL is none */
    if (s != UNDEFINED_COLUMN && !(s == UNDEFINED_TABLE && ast->kind == AST_COLUMN_REF)) return s;
    int position = error_current()->position;
    FAIL(FEATURE_NOT_SUPPORTED, "cannot use column reference in DEFAULT expression");
    return error_at(position);
}

static bool is_immutable(void *ctx, const struct expr *e)
{
    if (e->kind == EXPR_SQL_VALUE) return false;
    if (e->kind == EXPR_CALL && e->call.proc && e->call.proc->volatility != IMMUTABLE) return false;
    return expr_walk(e, is_immutable, ctx);
}

struct find_generated {
    const struct table_def *table;
    const struct query *query;
    const char *found;
    int location; /* where the column is named */
};

/* Position in table->columns of a column of relation 0; -1 for none of these. */
static int column_of(const struct expr *e, const struct query *q)
{
    if (e->kind != EXPR_COLUMN || e->column.relation != 0 || e->column.levels_up != 0) return -1;
    return q->relations[0]->columns[e->column.column].attnum - 1;
}

static bool not_generated(void *ctx, const struct expr *e)
{
    struct find_generated *f = ctx;
    int i = column_of(e, f->query);
    if (i >= 0 && f->table->columns[i].generated) {
        f->found = f->table->columns[i].name;
        f->location = e->location;
        return false;
    }
    return expr_walk(e, not_generated, ctx);
}

enum status ddl__store_generated(struct ddl *d, const struct table_def *t,
                                 const struct column_def *c, const struct ast *ast,
                                 const char **ret_sql)
{
    struct expr *e;
    struct query *q;
    TRY(store_value(d, t, c, ast, "GENERATED", "default", ret_sql, NULL));
    TRY(bind(d, t, d->text, ast, TYPE_NONE, -1, "GENERATED", &e, &q));
    struct find_generated f = {.table = t, .query = q};
    if (!not_generated(&f, e)) {
        FAIL(INVALID_OBJECT_DEFINITION,
             "cannot use generated column \"%s\" in column generation expression", f.found);
        (void)error_detail("A generated column cannot reference another generated column.");
        return d->unplaced ? INVALID_OBJECT_DEFINITION
                           : ddl__at(d, f.location, INVALID_OBJECT_DEFINITION);
    }
    if (!is_immutable(NULL, e))
        return FAIL(INVALID_OBJECT_DEFINITION, "generation expression is not immutable");
    return OK;
}

/* --- reading back --------------------------------------------------------------------------- */

struct to_slots {
    struct arena *arena;
    const struct query *query;
};

static struct expr *column_to_slot(void *ctx, struct expr *e)
{
    struct to_slots *x = ctx;
    int i = column_of(e, x->query);
    if (i < 0) return expr_map(x->arena, e, column_to_slot, x);
    struct expr *slot = arena_memdup(x->arena, e, sizeof *e);
    slot->kind = EXPR_SLOT;
    slot->slot = (uint32_t)i;
    return slot;
}

enum status ddl__slot_expression(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                 type_id type, int32_t typmod, const char *what, struct expr **ret)
{
    struct expr *e;
    struct query *q;
    bool unplaced = d->unplaced;
    d->unplaced = false; /* what it says has a place, how it is coerced has none */
    enum status s = bind(d, t, d->text, ast, TYPE_NONE, -1, what, &e, &q);
    d->unplaced = unplaced;
    TRY(s);
    TRY(bind(d, t, d->text, ast, type, typmod, what, &e, &q));
    struct to_slots x = {d->a, q};
    *ret = column_to_slot(&x, e);
    return OK;
}

enum status ddl__load_expression(struct ddl *d, const struct table_def *t, const char *sql,
                                 const struct column_def *c, const char *what, struct expr **ret)
{
    struct ast *ast;
    struct expr *e;
    struct query *q;
    TRY(sql_parse_expression(d->a, slice_of(sql), &ast));
    enum status s = bind(d, t, slice_of(sql), ast, c ? c->type : TYPE_NONE, c ? c->typmod : -1,
                         what, &e, &q);
    if (s != OK) (void)error_at(0); /* a place in the stored text is none in the statement's */
    TRY(s);
    struct to_slots x = {d->a, q};
    *ret = column_to_slot(&x, e);
    return OK;
}

/* --- what an expression names --------------------------------------------------------------- */

struct column_uses {
    bool *used;
    const struct query *query;
};

static bool note_column(void *ctx, const struct expr *e)
{
    struct column_uses *u = ctx;
    int i = column_of(e, u->query);
    if (i >= 0) u->used[i + 1] = true;
    return expr_walk(e, note_column, ctx);
}

static enum status read_back(struct ddl *d, const struct table_def *t, const char *sql,
                             struct expr **ret, struct query **ret_query)
{
    struct ast *ast;
    TRY(sql_parse_expression(d->a, slice_of(sql), &ast));
    enum status s = bind(d, t, slice_of(sql), ast, TYPE_NONE, -1, "EXPRESSION", ret, ret_query);
    if (s != OK) (void)error_at(0);
    return s;
}

enum status ddl__columns_of(struct ddl *d, const struct table_def *t, const char *sql, bool *used)
{
    struct expr *e;
    struct query *q;
    TRY(read_back(d, t, sql, &e, &q));
    struct column_uses u = {used, q};
    note_column(&u, e);
    return OK;
}

enum status ddl__rename_in(struct ddl *d, const struct table_def *t, const char *sql,
                           const char *old, const char *name, const char **ret)
{
    struct expr *e;
    struct query *q;
    TRY(read_back(d, t, sql, &e, &q));
    struct relation *r = q->relations[0];
    for (uint32_t i = 0; i < r->column_count; i++)
        if (strcmp(r->columns[i].name, old) == 0) r->columns[i].name = name;
    *ret = storage_form(d, e, q);
    return OK;
}

static bool is_not_sequence(void *ctx, const struct expr *e)
{
    const oid_t *sequence = ctx;
    if (e->kind == EXPR_CONST && e->type == TYPE_REGCLASS && !e->constant.null &&
        e->constant.v.u32 == *sequence)
        return false;
    return expr_walk(e, is_not_sequence, ctx);
}

enum status ddl__names_sequence(struct ddl *d, const char *sql, oid_t sequence, bool *ret)
{
    struct expr *e;
    struct query *q;
    *ret = false;
    if (!strstr(sql, "nextval") && !strstr(sql, "currval") && !strstr(sql, "regclass")) return OK;
    TRY(read_back(d, NULL, sql, &e, &q));
    *ret = !is_not_sequence(&sequence, e);
    return OK;
}
