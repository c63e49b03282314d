/* ORDER BY, and how its items, those of GROUP BY and of DISTINCT ON find what they mean.
 *
 * SQL92: a bare name is an output column, a number its position. SQL99: anything else is an
 * expression over FROM; one that equals an output column is that column, others become junk
 * targets. GROUP BY differs in one thing: a bare name that FROM knows is FROM's. */
#include "sql/bind/query_priv.h"

static const char *clause_name(enum place place)
{
    return place == PLACE_GROUP_BY   ? "GROUP BY"
           : place == PLACE_ORDER_BY ? "ORDER BY"
                                     : "DISTINCT ON";
}

int bind__begin(const struct expr *e)
{
    int first = e->location;
    if (e->kind == EXPR_CASE || e->kind == EXPR_ROW || e->kind == EXPR_ARRAY) return first;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        int location = e->args[i] ? bind__begin(e->args[i]) : -1;
        if (location >= 0 && (first < 0 || location < first)) first = location;
    }
    return first;
}

uint32_t bind__add_target(struct scope *s, struct target t)
{
    struct query *q = s->query;
    struct target *grown = ARENA_ARRAY(s->env->arena, struct target, q->target_count + 1);
    if (q->target_count) memcpy(grown, q->targets, q->target_count * sizeof *grown);
    grown[q->target_count] = t;
    q->targets = grown;
    return q->target_count++;
}

/* Does the FROM of this level have a column of that name? */
static bool from_has(const struct scope *s, const char *name)
{
    for (size_t i = 0; i < s->names.count; i++) {
        const struct name_item *n = &s->names.data[i];
        const struct relation *r = s->query->relations[n->relation];
        for (uint32_t c = 0; n->columns_visible && c < r->column_count; c++)
            if (strcmp(r->columns[c].name, name) == 0) return true;
    }
    return false;
}

static enum status by_name(struct scope *s, const struct ast_column_ref *ref, enum place place,
                           uint32_t *ret)
{
    const struct query *q = s->query;
    const char *name = ref->names.items[0];
    *ret = UINT32_MAX;
    if (place == PLACE_GROUP_BY && from_has(s, name)) return OK;
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct target *t = &q->targets[i];
        if (t->junk || !t->name || strcmp(t->name, name) != 0) continue;
        if (*ret != UINT32_MAX && !expr_equal(q->targets[*ret].expr, t->expr))
            return bind__at(
                s, ref->node.location,
                FAIL(AMBIGUOUS_COLUMN, "%s \"%s\" is ambiguous", clause_name(place), name));
        if (*ret == UINT32_MAX) *ret = i;
    }
    return OK;
}

static enum status by_position(struct scope *s, const struct ast_const *c, enum place place,
                               uint32_t *ret)
{
    const struct query *q = s->query;
    int64_t position = 0;
    if (c->type != CONST_INT)
        return bind__at(s, c->node.location,
                        FAIL(SYNTAX_ERROR, "non-integer constant in %s", clause_name(place)));
    for (uint32_t i = 0; i < q->target_count; i++) {
        if (q->targets[i].junk || ++position != c->ival) continue;
        *ret = i;
        return OK;
    }
    return bind__at(s, c->node.location,
                    FAIL(INVALID_COLUMN_REFERENCE, "%s position %lld is not in select list",
                         clause_name(place), (long long)c->ival));
}

const struct expr *bind__without_implicit_casts(const struct expr *e)
{
    while (e->kind == EXPR_CAST && !e->cast.is_explicit) e = e->args[0];
    return e;
}

enum status bind__match_target(struct scope *s, const struct ast *ast, enum place place,
                               uint32_t *ret_target, struct expr **ret_expr)
{
    struct query *q = s->query;
    const struct ast_column_ref *ref = AST(ast, ast_column_ref);
    *ret_target = UINT32_MAX;
    *ret_expr = NULL;
    if (ast->kind == AST_CONST) return by_position(s, AST(ast, ast_const), place, ret_target);
    if (ast->kind == AST_COLUMN_REF && ref->names.count == 1 && !ref->star) {
        TRY(by_name(s, ref, place, ret_target));
        if (*ret_target != UINT32_MAX) return OK;
    }
    TRY(bind__expression(s, ast, place, ret_expr));
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct expr *t = q->targets[i].expr;
        if (!expr_equal(*ret_expr, t) && !expr_equal(*ret_expr, bind__without_implicit_casts(t)))
            continue;
        *ret_target = i;
        return OK;
    }
    return bind__resolve_unknown(s, *ret_expr, ret_expr);
}

enum status bind__find_target(struct scope *s, const struct ast *ast, enum place place,
                              uint32_t *ret)
{
    struct expr *e;
    TRY(bind__match_target(s, ast, place, ret, &e));
    if (*ret == UINT32_MAX) {
        TRY(bind__check_targets(s->query->target_count + 1));
        *ret = bind__add_target(s, (struct target){.expr = e, .junk = true});
        return OK;
    }
    return bind__resolve_targets(s, &s->query->targets[*ret], 1);
}

enum status bind__sort_order(struct scope *s, const struct ast_sort_by *ast, bool *ret_descending,
                             bool *ret_nulls_first)
{
    bool descending = ast->direction == SORT_DESC;
    if (ast->direction == SORT_USING) {
        const char *name = ast->using_operator.items[ast->using_operator.count - 1];
        descending = strcmp(name, ">") == 0;
        if (!descending && strcmp(name, "<") != 0) {
            enum status code =
                FAIL(WRONG_OBJECT_TYPE, "operator %s is not a valid ordering operator", name);
            (void)error_hint("Ordering operators must be \"<\" or \">\" members of btree operator "
                             "families.");
            return bind__at(s, ast->node.location, code);
        }
    }
    *ret_descending = descending;
    *ret_nulls_first = ast->nulls == NULLS_DEFAULT ? descending : ast->nulls == NULLS_FIRST;
    return OK;
}

static bool ordered_already(const struct query *q, uint32_t target)
{
    for (uint32_t i = 0; i < q->order_count; i++)
        if (q->order_by[i].target == target) return true;
    return false;
}

enum status bind__order_by(struct scope *s, const struct ast_list *items)
{
    struct query *q = s->query;
    if (items->count == 0) return OK;
    q->order_by = arena_zalloc(s->env->arena, items->count * sizeof *q->order_by);
    for (uint32_t i = 0; i < items->count; i++) {
        const struct ast_sort_by *item = AST(items->items[i], ast_sort_by);
        uint32_t target;
        bool descending, nulls_first;
        TRY(bind__find_target(s, item->value, PLACE_ORDER_BY, &target));
        TRY(bind__sort_order(s, item, &descending, &nulls_first));
        TRY(bind__check_sortable(s, q->targets[target].expr, item->value->location));
        /* A key given twice orders nothing more. */
        if (ordered_already(q, target)) continue;
        q->order_by[q->order_count].target = target;
        q->order_by[q->order_count].descending = descending;
        q->order_by[q->order_count++].nulls_first = nulls_first;
    }
    return OK;
}

enum status bind__order_set_op(struct scope *s, const struct ast_list *items)
{
    struct query *q = s->query;
    uint32_t visible = q->target_count;
    if (items->count == 0) return OK;
    /* The output columns can be named, so that what is wrong with an expression of them is told. */
    ARENA_PUSH(s->env->arena, &s->names,
               (struct name_item){.relation = 0, .columns_visible = true});
    TRY(bind__order_by(s, items));
    s->names.count--;
    if (q->target_count == visible) return OK;
    enum status code =
        FAIL(FEATURE_NOT_SUPPORTED, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause");
    (void)error_detail("Only result column names can be used, not expressions or functions.");
    (void)error_hint("Add the expression/function to every SELECT, or move the UNION into a FROM "
                     "clause.");
    return bind__at(s, bind__begin(q->targets[visible].expr), code);
}
