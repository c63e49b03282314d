/* WHEN of triggers: a condition over the old and the new row, which are relations 0 and 1 of a query of its
 * own. Kept as text, and bound again for each statement that may fire the trigger. */
#include "sql/bind/query_priv.h"

static void show_row(struct scope *s, const struct table_def *t, const char *name)
{
    struct relation *r = bind__relation_of_table(s->env, t, name);
    (void)bind__add_relation(s, r, false, true);
    ARRAY_LAST(&s->names).lateral_only = false;
}

static bool find_row(void *ctx, const struct expr *e)
{
    const struct expr **seen = ctx;
    bool row = e->kind == EXPR_COLUMN && e->column.relation < 2;
    if (row && !seen[e->column.relation]) seen[e->column.relation] = e;
    return expr_walk(e, find_row, ctx);
}

static enum status misplaced(struct scope *s, const struct expr *e, const char *words)
{
    return bind__at(s, e->location, FAIL(INVALID_OBJECT_DEFINITION, "%s", words));
}

enum status bind_trigger_when(struct bind_env *env, const struct ast *ast,
                              const struct table_def *t, uint8_t type, struct expr **ret,
                              struct query **ret_query)
{
    struct scope s;
    const struct expr *seen[2] = {NULL};
    bind__scope_init(&s, env, NULL);
    *ret_query = bind__query_new(&s, CMD_SELECT);
    s.place = PLACE_STORED;
    s.what = "trigger WHEN conditions";
    show_row(&s, t, "old");
    show_row(&s, t, "new");
    TRY(bind__expression(&s, ast, PLACE_STORED, ret));
    TRY(bind__coerce_boolean(&s, *ret, "WHEN", ret));
    find_row(seen, *ret);
    if (!(type & TRIGGER_ROW) && (seen[0] || seen[1]))
        return misplaced(&s, seen[0] ? seen[0] : seen[1], "statement trigger's WHEN condition cannot reference column values");
    if (seen[0] && (type & TRIGGER_INSERT))
        return misplaced(&s, seen[0], "INSERT trigger's WHEN condition cannot reference OLD values");
    if (seen[1] && (type & TRIGGER_DELETE))
        return misplaced(&s, seen[1], "DELETE trigger's WHEN condition cannot reference NEW values");
    return OK;
}

static enum status stored_when(struct bind_env *env, const struct table_def *t,
                               const struct trigger_def *g, struct trigger_rule *ret)
{
    struct ast *ast;
    struct slice text = env->text;
    if (!g->when_sql) return OK;
    if (!env->parse_expression)
        return FAIL(INTERNAL_ERROR, "stored expressions cannot be read here");
    TRY(env->parse_expression(env->arena, g->when_sql, &ast));
    env->text = slice_of(g->when_sql);
    enum status st = bind_trigger_when(env, ast, t, g->type, &ret->when, &ret->query);
    env->text = text;
    if (st != OK) (void)error_at(0);
    return st;
}

enum status bind__triggers(struct scope *s, const struct table_def *t, uint8_t events)
{
    struct query *q = s->query;
    struct bind_env *env = s->env;
    const bind_variable variable = env->variable;
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        const struct trigger_def *g = t->triggers[i];
        if (!(g->type & events) || g->enabled == 'D' || g->enabled == 'R') continue;
        if (!q->triggers) q->triggers = ARENA_ARRAY(env->arena, struct trigger_rule, t->trigger_count);
        q->triggers[q->trigger_count].def = g;
        env->variable = NULL; /* what the trigger says is not about them */
        enum status st = stored_when(env, t, g, &q->triggers[q->trigger_count++]);
        env->variable = variable;
        TRY(st);
    }
    return OK;
}
