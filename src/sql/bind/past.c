/* AS OF: the moment and the catalog that a table is looked up in.
 *
 * While a table of the past is bound, the environment's catalog is that of then; so is all of a view's
 * query, but for tables in it that name a moment of their own. The moment's expression is bound like a
 * stored one: without columns, subqueries and aggregates. */
#include "sql/bind/query_priv.h"

static enum status no_moment(struct scope *s, const struct ast_as_of *a, enum status code)
{
    return bind__at(s, a->location, code);
}

/* A parameter that nothing has told the type of is what the clause takes. */
static type_id wanted_type(const struct bind_env *env, const struct ast_as_of *a)
{
    if (a->kind == AS_OF_TRANSACTION) return TYPE_INT8;
    if (a->expr->kind != AST_PARAM) return TYPE_NONE;
    uint32_t number = (uint32_t)AST(a->expr, ast_param)->number;
    type_id given = number <= env->param_count ? env->param_types[number - 1] : TYPE_NONE;
    return given == TYPE_NONE || given == TYPE_UNKNOWN ? TYPE_TIMESTAMPTZ : TYPE_NONE;
}

static bool is_moment(type_id t)
{
    return t == TYPE_TIMESTAMPTZ || t == TYPE_INTERVAL || t == TYPE_TEXT || t == TYPE_INT8;
}

static enum status bind_moment(struct scope *s, const struct ast_as_of *a, uint64_t *ret)
{
    struct bind_env *env = s->env;
    struct expr *e;
    struct query *q;
    *ret = 0;
    if (a->kind == AS_OF_NOW) return OK;
    if (!env->past)
        return no_moment(s, a, FAIL(FEATURE_NOT_SUPPORTED, "AS OF is not supported here"));
    TRY(bind_expression(env, a->expr, wanted_type(env, a), -1, "AS OF", &e, &q));
    bool wrong = a->kind == AS_OF_TIMESTAMP && e->type == TYPE_INT8;
    if (!is_moment(e->type) || wrong)
        TRY(bind_expression(env, a->expr, TYPE_TIMESTAMPTZ, -1, "AS OF", &e, &q));
    env->has_past = true;
    enum status st = env->past(env->past_ctx, e, ret);
    return st == OK ? OK : no_moment(s, a, st);
}

enum status bind__enter_past(struct scope *s, const struct ast_range_var *rv,
                             struct past_scope *ret)
{
    struct bind_env *env = s->env;
    uint64_t ts = env->as_of;
    *ret = (struct past_scope){env->catalog, env->as_of};
    if (rv->as_of) TRY(bind_moment(s, rv->as_of, &ts));
    if (ts == env->as_of && !ts) return OK;
    const struct catalog *c = env->present;
    if (ts) {
        env->has_past = true;
        TRY(env->catalog_at(env->past_ctx, ts, &c));
    }
    env->catalog = c;
    env->as_of = ts;
    return OK;
}

void bind__leave_past(struct scope *s, const struct past_scope *p)
{
    s->env->catalog = p->catalog;
    s->env->as_of = p->as_of;
}

enum status bind__mark_past(struct scope *s, const struct ast_range_var *rv, struct relation *r)
{
    bool stored = r->kind == REL_TABLE && r->table->tree && r->table->kind == 'r';
    if (stored) r->as_of = s->env->as_of;
    if (stored || !rv->as_of || r->kind == REL_SUBQUERY) return OK;
    return no_moment(s, rv->as_of,
                     FAIL(FEATURE_NOT_SUPPORTED, "\"%s\" has no history to be read AS OF", rv->name));
}
