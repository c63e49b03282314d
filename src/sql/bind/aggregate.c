/* Aggregate and window calls: their clauses (DISTINCT, ORDER BY, FILTER, WITHIN GROUP, OVER) and
 * what their arguments may hold. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

/* pg_aggregate.aggkind, for the few that are not plain. */
static bool is_ordered_set(const struct proc_def *p)
{
    return p->kind == 'a' && p->oid >= 3972 && p->oid <= 3992;
}

static bool is_hypothetical(const struct proc_def *p)
{
    return is_ordered_set(p) && p->oid >= 3986;
}

static enum status wrong(struct scope *s, const struct call_site *c, enum status code)
{
    return bind__at(s, c->ast->node.location, code);
}

/* --- what arguments hold ---------------------------------------------------------------------- */

struct contents {
    const struct expr *window, *set;
};

static bool look(void *ctx, const struct expr *e)
{
    struct contents *c = ctx;
    if (e->kind == EXPR_WINDOW && !c->window) c->window = e;
    if (e->kind == EXPR_CALL && e->call.proc->returns_set && !c->set) c->set = e;
    return expr_walk(e, look, ctx);
}

static enum status no_set_here(struct scope *s, const struct expr *set, const char *what)
{
    FAIL(FEATURE_NOT_SUPPORTED, "%s function calls cannot contain set-returning function calls",
         what);
    error_hint("You might be able to move the set-returning function into a LATERAL FROM item.");
    return bind__at(s, set->location, FEATURE_NOT_SUPPORTED);
}

static enum status check_arguments(struct scope *s, const struct call_site *c)
{
    struct contents found = {0};
    for (uint32_t i = 0; i < c->arg_count; i++) (void)look(&found, c->args[i]);
    if (found.window)
        return bind__at(s, found.window->location,
                        FAIL(GROUPING_ERROR,
                             "aggregate function calls cannot contain window function calls"));
    if (found.set) return no_set_here(s, found.set, "aggregate");
    return OK;
}

/* --- clauses ---------------------------------------------------------------------------------- */

static enum status bind_filter(struct scope *s, const struct ast *filter, struct expr **ret)
{
    *ret = NULL;
    if (!filter) return OK;
    TRY(bind__condition(s, filter, PLACE_FILTER, "FILTER", ret));
    struct contents found = {0};
    (void)look(&found, *ret);
    if (!found.window) return OK;
    return bind__at(s, found.window->location,
                    FAIL(WINDOWING_ERROR, "window functions are not allowed in FILTER"));
}

static enum status sort_item(struct scope *s, const struct ast_sort_by *by, struct expr *value,
                             struct sort_item *ret)
{
    TRY(bind__resolve_unknown(s, value, &ret->expr));
    TRY(bind__sort_order(s, by, &ret->descending, &ret->nulls_first));
    return bind__check_sortable(s, ret->expr, by->value->location);
}

static enum status bind_order(struct scope *s, const struct call_site *c, struct expr *e)
{
    const struct ast_list *list = &c->ast->order_by;
    e->aggregate.order_count = list->count;
    e->aggregate.order_by = ARENA_ARRAY(s->env->arena, struct sort_item, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct ast_sort_by *by = AST(list->items[i], ast_sort_by);
        struct expr *value;
        if (c->ast->within_group) value = c->args[c->direct_count + i];
        else TRY(bind__expression(s, by->value, c->place, &value));
        TRY(sort_item(s, by, value, &e->aggregate.order_by[i]));
    }
    return OK;
}

/* count(DISTINCT x): x must be hashable, and ORDER BY can only mean what is compared. */
static enum status check_distinct(struct scope *s, const struct call_site *c, struct expr *e)
{
    e->aggregate.distinct = true;
    if (c->arg_count == 0)
        return wrong(s, c, FAIL(GROUPING_ERROR, "DISTINCT specified but no arguments"));
    for (uint32_t i = 0; i < c->arg_count; i++)
        TRY(bind__check_sortable(s, c->args[i], c->args[i]->location));
    for (uint32_t i = 0; i < e->aggregate.order_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < c->arg_count && !found; k++)
            found = expr_equal(e->aggregate.order_by[i].expr, c->args[k]) ||
                    expr_equal(e->aggregate.order_by[i].expr,
                               bind__without_implicit_casts(c->args[k]));
        if (!found)
            return bind__at(s, e->aggregate.order_by[i].expr->location,
                            FAIL(INVALID_COLUMN_REFERENCE,
                                 "in an aggregate with DISTINCT, ORDER BY expressions must appear "
                                 "in argument list"));
    }
    return OK;
}

/* --- aggregates ------------------------------------------------------------------------------- */

/* rank(1) WITHIN GROUP (ORDER BY x): the direct arguments are compared with the ordered ones. */
static enum status unify_hypothetical(struct scope *s, const struct call_site *c)
{
    uint32_t ordered = c->arg_count - c->direct_count;
    if (c->direct_count != ordered) {
        FAIL(UNDEFINED_FUNCTION, "function %s with these arguments does not exist", c->proc->name);
        error_hint("To use the hypothetical-set aggregate %s, the number of hypothetical direct "
                   "arguments (here %u) must match the number of ordering columns (here %u).",
                   c->proc->name, c->direct_count, ordered);
        return wrong(s, c, UNDEFINED_FUNCTION);
    }
    for (uint32_t i = 0; i < ordered; i++) {
        struct expr *pair[2] = {c->args[i], c->args[ordered + i]};
        type_id type;
        TRY(bind__common_type(s, pair, 2, "WITHIN GROUP", &type));
        TRY(bind__coerce_common(s, pair[0], type, "WITHIN GROUP", &c->args[i]));
        TRY(bind__coerce_common(s, pair[1], type, "WITHIN GROUP", &c->args[ordered + i]));
    }
    return OK;
}

static enum status check_group_form(struct scope *s, const struct call_site *c)
{
    const char *name = c->proc->name;
    if (is_ordered_set(c->proc)) {
        if (!c->ast->within_group)
            return wrong(s, c,
                         FAIL(WRONG_OBJECT_TYPE,
                              "WITHIN GROUP is required for ordered-set aggregate %s", name));
        if (c->ast->distinct)
            return wrong(s, c, FAIL(SYNTAX_ERROR, "cannot use DISTINCT with WITHIN GROUP"));
        return is_hypothetical(c->proc) ? unify_hypothetical(s, c) : OK;
    }
    if (!c->ast->within_group) return OK;
    return wrong(s, c,
                 FAIL(WRONG_OBJECT_TYPE,
                      "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", name));
}

static enum status check_star(struct scope *s, const struct call_site *c)
{
    if (c->arg_count > 0 || c->ast->star || c->proc->kind == 'w') return OK;
    return wrong(s, c,
                 FAIL(WRONG_OBJECT_TYPE,
                      "%s(*) must be used to call a parameterless aggregate function",
                      c->proc->name));
}

enum status bind__aggregate(struct scope *s, const struct call_site *c, struct expr **ret)
{
    TRY(check_group_form(s, c));
    TRY(check_star(s, c));
    TRY(check_arguments(s, c));
    struct expr *e = bind__new(s, EXPR_AGGREGATE, c->result, c->ast->node.location, 0);
    e->args = c->args;
    e->arg_count = c->arg_count;
    e->aggregate.proc = c->proc;
    e->aggregate.star = c->ast->star;
    e->aggregate.direct_count = c->direct_count;
    e->aggregate.within_group = c->ast->within_group;
    TRY(bind_order(s, c, e));
    if (c->ast->distinct) TRY(check_distinct(s, c, e));
    TRY(bind_filter(s, c->ast->filter, &e->aggregate.filter));
    return bind__place_aggregate(s, e, c->place, "aggregate functions", ret);
}

/* --- window functions ------------------------------------------------------------------------- */

static enum status check_window_arguments(struct scope *s, const struct call_site *c)
{
    struct contents found = {0};
    for (uint32_t i = 0; i < c->arg_count; i++) (void)look(&found, c->args[i]);
    if (found.window)
        return bind__at(s, found.window->location,
                        FAIL(WINDOWING_ERROR, "window function calls cannot be nested"));
    if (found.set) return no_set_here(s, found.set, "window");
    return OK;
}

static enum status check_window_form(struct scope *s, const struct call_site *c)
{
    const struct ast_function *f = c->ast;
    const char *name = c->proc->name;
    bool is_window = c->proc->kind == 'w';
    if (!f->over)
        return wrong(s, c,
                     FAIL(WRONG_OBJECT_TYPE, "window function %s requires an OVER clause", name));
    if (is_ordered_set(c->proc) && !f->within_group)
        return wrong(s, c,
                     FAIL(WRONG_OBJECT_TYPE,
                          "WITHIN GROUP is required for ordered-set aggregate %s", name));
    if (is_ordered_set(c->proc))
        return wrong(s, c,
                     FAIL(FEATURE_NOT_SUPPORTED,
                          "OVER is not supported for ordered-set aggregate %s", name));
    if (f->within_group)
        return wrong(s, c,
                     is_window ? FAIL(WRONG_OBJECT_TYPE,
                                      "window function %s cannot have WITHIN GROUP", name)
                               : FAIL(WRONG_OBJECT_TYPE,
                                      "%s is not an ordered-set aggregate, so it cannot have "
                                      "WITHIN GROUP",
                                      name));
    if (f->distinct)
        return wrong(s, c,
                     FAIL(FEATURE_NOT_SUPPORTED,
                          "DISTINCT is not implemented for window functions"));
    if (f->order_by.count)
        return wrong(s, c,
                     FAIL(FEATURE_NOT_SUPPORTED,
                          "aggregate ORDER BY is not implemented for window functions"));
    if (is_window && f->filter)
        return wrong(s, c,
                     FAIL(FEATURE_NOT_SUPPORTED,
                          "FILTER is not implemented for non-aggregate window functions"));
    return OK;
}

enum status bind__window_call(struct scope *s, const struct call_site *c, struct expr **ret)
{
    TRY(check_window_form(s, c));
    TRY(check_star(s, c));
    TRY(check_window_arguments(s, c));
    TRY(bind__check_window(s, c->place, c->ast->node.location));
    struct expr *e = bind__new(s, EXPR_WINDOW, c->result, c->ast->node.location, 0);
    e->args = c->args;
    e->arg_count = c->arg_count;
    e->window.proc = c->proc;
    e->window.star = c->ast->star;
    TRY(bind_filter(s, c->ast->filter, &e->window.filter));
    TRY(bind__over(s, c->ast->over, &e->window.window));
    *ret = e;
    return OK;
}
