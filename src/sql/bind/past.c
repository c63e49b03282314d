/* AS OF and VERSIONS: the moments of a table, and the catalog that it is looked up in.
 *
 * While a table of the past is bound, the environment's catalog is that of then; so is all of a view's
 * query, but for tables in it that name a moment of their own. The moment's expression is bound like a
 * stored one: without columns, subqueries and aggregates.
 *
 * VERSIONS BETWEEN reads a relation that has six columns more than the table, and neither its keys nor its
 * indexes, for no row of it is the only one of its key. */
#include "sql/bind/query_priv.h"

static enum status no_moment(struct scope *s, const struct ast_as_of *a, enum status code)
{
    return bind__at(s, a->location, code);
}

/* A parameter that nothing has told the type of is what the clause takes; one that a literal was made to,
 * which the client knows nothing of, is text, as the literal would be. */
static type_id wanted_type(const struct bind_env *env, const struct ast_as_of *a)
{
    if (a->kind == AS_OF_TRANSACTION) return TYPE_INT8;
    if (a->expr->kind != AST_PARAM) return TYPE_NONE;
    uint32_t number = (uint32_t)AST(a->expr, ast_param)->number;
    type_id given = number <= env->param_count ? env->param_types[number - 1] : TYPE_NONE;
    return given == TYPE_NONE || given == TYPE_UNKNOWN
               ? env->params_variable ? TYPE_TIMESTAMPTZ : TYPE_TEXT
               : TYPE_NONE;
}

static bool is_moment(type_id t)
{
    return t == TYPE_TIMESTAMPTZ || t == TYPE_INTERVAL || t == TYPE_TEXT || t == TYPE_INT8;
}

static enum status bind_moment(struct scope *s, const struct ast_as_of *a, uint32_t *ret)
{
    struct bind_env *env = s->env;
    struct expr *e;
    struct query *q;
    struct bound_moment m = {0};
    *ret = 0;
    if (a->kind == AS_OF_NOW || a->kind == AS_OF_OLDEST) return OK;
    if (!env->past)
        return no_moment(s, a, UNSUPPORTED("AS OF is not supported here"));
    TRY(bind_expression(env, a->expr, wanted_type(env, a), -1, "AS OF", &e, &q));
    bool wrong = a->kind == AS_OF_TIMESTAMP && e->type == TYPE_INT8;
    if (!is_moment(e->type) || wrong)
        TRY(bind_expression(env, a->expr, TYPE_TIMESTAMPTZ, -1, "AS OF", &e, &q));
    m.expr = e;
    enum status st = env->past(env->past_ctx, e, &m.ts);
    if (st != OK) return no_moment(s, a, st);
    ARENA_PUSH(env->arena, &env->moments, m);
    *ret = (uint32_t)env->moments.count;
    return OK;
}

/* The timestamp of a moment as bound; 0: now, or not known yet. */
static uint64_t bound_ts(const struct bind_env *env, uint32_t moment)
{
    return moment ? env->moments.data[moment - 1].ts : 0;
}

static enum status catalog_of(struct bind_env *env, uint32_t moment, const struct catalog **ret)
{
    *ret = env->present;
    if (!moment) return OK;
    struct bound_moment *m = &env->moments.data[moment - 1];
    if (!m->catalog && m->ts) TRY(env->catalog_at(env->past_ctx, m->ts, &m->catalog));
    if (!m->catalog) m->catalog = env->present;
    *ret = m->catalog;
    return OK;
}

enum status bind__enter_past(struct scope *s, const struct ast_range_var *rv,
                             struct past_scope *ret)
{
    struct bind_env *env = s->env;
    uint32_t moment = env->moment;
    *ret = (struct past_scope){env->catalog, env->moment};
    const struct ast_moments *m = rv->moments;
    if (m) TRY(bind_moment(s, m->versions ? &m->to : &m->at, &moment));
    if (!moment && !env->moment) return OK;
    TRY(catalog_of(env, moment, &env->catalog));
    env->moment = moment;
    return OK;
}

void bind__leave_past(struct scope *s, const struct past_scope *p)
{
    s->env->catalog = p->catalog;
    s->env->moment = p->moment;
}

enum status bind_as_of(struct bind_env *env, const struct ast_as_of *a, uint64_t *ret)
{
    struct scope s = {.env = env};
    uint32_t moment;
    TRY(bind_moment(&s, a, &moment));
    *ret = bound_ts(env, moment);
    return OK;
}

static enum status no_history(struct scope *s, const struct ast_range_var *rv)
{
    const char *how = rv->moments->versions ? "by VERSIONS" : "AS OF";
    return no_moment(s, &rv->moments->at,
                     FAIL(FEATURE_NOT_SUPPORTED, "\"%s\" has no history to be read %s", rv->name,
                          how));
}

enum status bind__mark_past(struct scope *s, const struct ast_range_var *rv, struct relation *r)
{
    bool stored = r->kind == REL_TABLE && r->table->tree && r->table->kind == 'r';
    bool versions = rv->moments && rv->moments->versions;
    if (stored && !versions) r->moment = s->env->moment;
    if (stored || !rv->moments || (r->kind == REL_SUBQUERY && !versions)) return OK;
    return no_history(s, rv);
}

/* --- versions ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    type_id type;
} version_columns[VERSION_COLUMNS] = {
    [VERSION_STARTTIME] = {"versions_starttime", TYPE_TIMESTAMPTZ},
    [VERSION_ENDTIME] = {"versions_endtime", TYPE_TIMESTAMPTZ},
    [VERSION_STARTSCN] = {"versions_startscn", TYPE_INT8},
    [VERSION_ENDSCN] = {"versions_endscn", TYPE_INT8},
    [VERSION_XID] = {"versions_xid", TYPE_INT8},
    [VERSION_OPERATION] = {"versions_operation", TYPE_TEXT},
};

static const struct table_def *with_versions(struct arena *a, const struct table_def *t)
{
    struct table_def *made = arena_memdup(a, t, sizeof *t);
    struct column_def *columns = ARENA_ARRAY(a, struct column_def,
                                             t->column_count + VERSION_COLUMNS);
    if (t->column_count) memcpy(columns, t->columns, t->column_count * sizeof *columns);
    for (int i = 0; i < VERSION_COLUMNS; i++)
        columns[t->column_count + i] = (struct column_def){
            .name = version_columns[i].name, .type = version_columns[i].type, .typmod = -1,
            .number = (int16_t)(t->column_count + i + 1), .statistics_target = -1};
    made->columns = columns;
    made->column_count = (uint16_t)(t->column_count + VERSION_COLUMNS);
    made->primary = NULL;
    made->index_count = made->constraint_count = 0;
    return made;
}

/* What a rewrite has left behind lies in another tree. */
static enum status check_rewritten(struct scope *s, const struct ast_range_var *rv,
                                   const struct table_def *t, uint64_t from)
{
    const struct catalog *c;
    TRY(s->env->catalog_at(s->env->past_ctx, from, &c));
    const struct table_def *then = catalog_table_by_oid(c, t->oid);
    if (!then || then->tree == t->tree) return OK;
    FAIL(FEATURE_NOT_SUPPORTED, "\"%s\" was truncated or rewritten within the span", t->name);
    error_hint("Ask for the versions before and after it apart.");
    return no_moment(s, &rv->moments->at, FEATURE_NOT_SUPPORTED);
}

enum status bind__versions(struct scope *s, const struct ast_range_var *rv,
                           const struct table_def **t, struct table_versions **ret)
{
    struct arena *a = s->env->arena;
    *ret = NULL;
    if (!rv->moments || !rv->moments->versions) return OK;
    if (!(*t)->tree || (*t)->kind != 'r') return no_history(s, rv);
    if ((*t)->column_count + VERSION_COLUMNS > TABLE_COLUMNS_MAX)
        return FAIL(TOO_MANY_COLUMNS, "table \"%s\" has too many columns for VERSIONS", (*t)->name);
    struct table_versions *v = ARENA_NEW(a, struct table_versions);
    uint32_t from;
    TRY(bind_moment(s, &rv->moments->at, &from));
    v->from = bound_ts(s->env, from);
    v->to = bound_ts(s->env, s->env->moment);
    s->env->once = true;
    if (v->from && v->to && v->from > v->to)
        return no_moment(s, &rv->moments->at,
                         FAIL(INVALID_PARAMETER_VALUE, "the span of VERSIONS ends before it begins"));
    if (v->from) TRY(check_rewritten(s, rv, *t, v->from));
    v->columns = (*t)->column_count;
    *t = with_versions(a, *t);
    *ret = v;
    return OK;
}
