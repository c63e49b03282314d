/* UNION, INTERSECT, EXCEPT. Each arm is a query below this one; when both are bound their columns
 * are brought to common types in place. The result's columns are those of a relation that stands
 * for the rows of both arms; nothing else is in FROM. */
#include "sql/bind/query_priv.h"

static const char *op_name(enum set_op op)
{
    return op == SETOP_UNION ? "UNION" : op == SETOP_INTERSECT ? "INTERSECT" : "EXCEPT";
}

static enum status no_locking(const struct ast_select *ast)
{
    return FAIL(FEATURE_NOT_SUPPORTED, "%s is not allowed with UNION/INTERSECT/EXCEPT",
                bind__lock_name(AST(ast->locking.items[0], ast_locking)->strength));
}

static enum status bind_arm(struct scope *s, const struct ast_select *ast, struct query **ret)
{
    if (ast->locking.count) return no_locking(ast);
    return bind__select_in(s->env, s, ast, true, NULL, ret);
}

static uint32_t visible_count(const struct query *q)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->target_count; i++) n += !q->targets[i].junk;
    return n;
}

/* The rows of an arm are made distinct and sorted as they were written, so before a column gets
 * another type there, the clauses are turned to a hidden copy of it. */
void bind__keep_original(struct scope *s, struct query *q, uint32_t column)
{
    struct target copy = q->targets[column];
    struct scope arm = {.env = s->env, .query = q};
    bool used = q->distinct && !q->distinct_on_count;
    if (used) {
        q->distinct_on = ARENA_ARRAY(s->env->arena, uint32_t, q->target_count);
        for (uint32_t i = 0; i < q->target_count; i++)
            if (!q->targets[i].junk) q->distinct_on[q->distinct_on_count++] = i;
    }
    for (uint32_t i = 0; i < q->distinct_on_count; i++) used |= q->distinct_on[i] == column;
    for (uint32_t i = 0; i < q->order_count; i++) used |= q->order_by[i].target == column;
    if (!used) return;
    copy.junk = true;
    uint32_t at = bind__add_target(&arm, copy);
    for (uint32_t i = 0; i < q->distinct_on_count; i++)
        if (q->distinct_on[i] == column) q->distinct_on[i] = at;
    for (uint32_t i = 0; i < q->order_count; i++)
        if (q->order_by[i].target == column) q->order_by[i].target = at;
}

static enum status coerce_column(struct scope *s, struct query *q, uint32_t column, type_id type)
{
    struct expr *e = q->targets[column].expr;
    const char *construct = op_name(s->query->set_op);
    if (e->type == type) return OK;
    if (e->type != TYPE_UNKNOWN) bind__keep_original(s, q, column);
    return bind__coerce_common(s, e, type, construct, &q->targets[column].expr);
}

/* Visible targets of an arm come first, in order. */
static enum status unify(struct scope *s, uint32_t column, struct rel_column *ret)
{
    struct query *q = s->query;
    struct target *l = &q->left->targets[column], *r = &q->right->targets[column];
    struct expr *both[2] = {l->expr, r->expr};
    int32_t typmod = bind__common_typmod(both, 2);
    type_id type;
    TRY(bind__common_type(s, both, 2, op_name(q->set_op), &type));
    TRY(coerce_column(s, q->left, column, type));
    TRY(coerce_column(s, q->right, column, type));
    if (!q->set_all) TRY(bind__check_hashable(s, q->left->targets[column].expr, l->expr->location));
    *ret = (struct rel_column){.name = l->name, .type = type, .typmod = typmod};
    return OK;
}

static enum status result_columns(struct scope *s, uint32_t count)
{
    struct query *q = s->query;
    struct relation *r = ARENA_NEW(s->env->arena, struct relation);
    r->kind = REL_SUBQUERY;
    r->alias = "*SELECT*";
    r->column_count = count;
    r->columns = ARENA_ARRAY(s->env->arena, struct rel_column, count);
    for (uint32_t i = 0; i < count; i++) TRY(unify(s, i, &r->columns[i]));
    ASSERT(q->relation_count == 0);
    bind__add_relation(s, r, false, false);
    q->targets = ARENA_ARRAY(s->env->arena, struct target, count);
    q->target_count = count;
    for (uint32_t i = 0; i < count; i++) {
        q->targets[i].expr = bind__column(s, 0, i, q->left->targets[i].expr->location);
        q->targets[i].name = r->columns[i].name;
    }
    return OK;
}

enum status bind__set_op(struct scope *s, const struct ast_select *ast, struct cte_item *recursive)
{
    struct query *q = s->query;
    if (ast->locking.count) return no_locking(ast);
    q->set_op = ast->op;
    q->set_all = ast->all;
    TRY(bind_arm(s, ast->left, &q->left));
    if (recursive) {
        TRY(bind__resolve_targets(s, q->left->targets, q->left->target_count));
        TRY(bind__cte_left_done(s, recursive, q->left));
    }
    TRY(bind_arm(s, ast->right, &q->right));
    uint32_t count = visible_count(q->left);
    if (visible_count(q->right) != count)
        return bind__at(s, q->right->target_count ? bind__begin(q->right->targets[0].expr) : -1,
                        FAIL(SYNTAX_ERROR, "each %s query must have the same number of columns",
                             op_name(ast->op)));
    return result_columns(s, count);
}
