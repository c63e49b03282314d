/* SELECT, clause by clause, in the order in which PostgreSQL looks at them, so that of two errors
 * the same one is reported. Named windows alone come earlier: the select list refers to them. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

#include "base/fiber.h"

enum { TARGETS_MAX = 1664 };

/* --- targets -------------------------------------------------------------------------------- */

/* The table column that an expression is, looked for through subqueries, joins and WITH. */
static void find_origin(const struct query *q, const struct expr *e, struct target *ret)
{
    if (e->kind != EXPR_COLUMN) return;
    for (uint32_t i = 0; i < e->column.levels_up && q; i++) q = q->parent;
    if (!q || e->column.relation >= q->relation_count) return;
    const struct relation *r = q->relations[e->column.relation];
    if (e->column.column >= r->column_count) return;
    if (r->kind == REL_TABLE) {
        ret->origin_table = r->table->oid;
        ret->origin_column = r->columns[e->column.column].attnum;
    } else if (r->kind == REL_JOIN) {
        find_origin(q, r->join_columns[e->column.column], ret);
    } else if (r->kind == REL_SUBQUERY || r->kind == REL_CTE) {
        const struct query *sub = r->kind == REL_CTE ? r->cte->query : r->subquery;
        uint32_t count = 0;
        const struct target *list = sub ? query_output(sub, &count) : NULL;
        for (uint32_t i = 0, n = 0; i < count; i++) {
            if (list[i].junk || n++ != e->column.column) continue;
            ret->origin_table = list[i].origin_table;
            ret->origin_column = list[i].origin_column;
        }
    }
}

enum status bind__check_targets(uint32_t count)
{
    if (count <= TARGETS_MAX) return OK;
    return FAIL(TOO_MANY_COLUMNS, "target lists can have at most %d entries", TARGETS_MAX);
}

enum status bind__targets(struct scope *s, const struct ast_list *items, enum place place,
                          struct target **ret, uint32_t *ret_count)
{
    ARRAY(struct target) list = {0};
    struct arena *a = s->env->arena;
    for (uint32_t i = 0; i < items->count; i++) {
        const struct ast_target *t = AST(items->items[i], ast_target);
        const struct ast_column_ref *ref = AST(t->value, ast_column_ref);
        if (t->value->kind == AST_COLUMN_REF && ref->star) {
            struct target *star;
            uint32_t count;
            TRY(bind__expand_star(s, ref, &star, &count));
            for (uint32_t k = 0; k < count; k++) ARENA_PUSH(a, &list, star[k]);
        } else if (bind__is_row_star(t->value)) {
            struct target *fields;
            uint32_t count;
            TRY(bind__row_star(s, AST(t->value, ast_indirection), place, &fields, &count));
            for (uint32_t k = 0; k < count; k++) ARENA_PUSH(a, &list, fields[k]);
        } else {
            struct target made = {.name = t->name ? t->name : bind__target_name(t->value)};
            TRY(bind__expression(s, t->value, place, &made.expr));
            ARENA_PUSH(a, &list, made);
        }
        TRY(bind__check_targets((uint32_t)list.count));
    }
    for (size_t i = 0; i < list.count; i++) find_origin(s->query, list.data[i].expr, &list.data[i]);
    *ret = list.data;
    *ret_count = (uint32_t)list.count;
    return OK;
}

enum status bind__resolve_targets(struct scope *s, struct target *targets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        TRY(bind__resolve_unknown(s, targets[i].expr, &targets[i].expr));
    return OK;
}

/* --- LIMIT ---------------------------------------------------------------------------------- */

struct own_column {
    const struct expr *found;
};

static bool no_own_column(void *ctx, const struct expr *e)
{
    struct own_column *w = ctx;
    if (!e) return true;
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) w->found = e;
    return !w->found && expr_walk(e, no_own_column, w);
}

enum status bind__no_variables(struct scope *s, const struct expr *e, const char *construct)
{
    struct own_column w = {0};
    (void)no_own_column(&w, e);
    if (!w.found) return OK;
    return bind__at(
        s, w.found->location,
        FAIL(INVALID_COLUMN_REFERENCE, "argument of %s must not contain variables", construct));
}

enum status bind__row_count(struct scope *s, const struct ast *ast, enum place place,
                            const char *construct, struct expr **ret)
{
    struct expr *e, *made;
    TRY(bind__expression(s, ast, place, &e));
    /* Plain numbers are the rule, and a plan can reckon with a constant. */
    if (e->kind == EXPR_CONST && e->type == TYPE_INT4 && !e->constant.null) {
        struct datum d = {0};
        d.v.i64 = e->constant.v.i32;
        *ret = expr_const(s->env->arena, TYPE_INT8, d);
        return OK;
    }
    enum status result = bind__coerce(s, e, TYPE_INT8, -1, CAST_ASSIGNMENT, -1, &made);
    if (result == CANNOT_COERCE)
        return bind__at(s, bind__begin(e),
                        FAIL(DATATYPE_MISMATCH, "argument of %s must be type %s, not type %s",
                             construct, "bigint", bind__type_words(s, e->type)));
    TRY(result);
    *ret = made;
    return bind__no_variables(s, made, construct);
}

enum status bind__limit(struct scope *s, const struct ast_select *ast)
{
    struct query *q = s->query;
    bool all = ast->limit && ast->limit->kind == AST_CONST &&
               AST(ast->limit, ast_const)->type == CONST_NULL;
    if (ast->limit_with_ties && ast->order_by.count == 0)
        return FAIL(SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause");
    if (ast->limit_with_ties && all)
        return FAIL(INVALID_ROW_COUNT_IN_LIMIT,
                    "row count cannot be null in FETCH FIRST ... WITH TIES clause");
    if (ast->offset) TRY(bind__row_count(s, ast->offset, PLACE_OFFSET, "OFFSET", &q->offset));
    if (ast->limit && !all)
        TRY(bind__row_count(s, ast->limit, PLACE_LIMIT,
                            ast->limit_with_ties ? "FETCH FIRST" : "LIMIT", &q->limit));
    q->limit_with_ties = ast->limit_with_ties;
    return OK;
}

/* --- DISTINCT ------------------------------------------------------------------------------- */

static enum status distinct_all(struct scope *s)
{
    struct query *q = s->query;
    for (uint32_t i = 0; i < q->order_count; i++) {
        const struct target *t = &q->targets[q->order_by[i].target];
        if (t->junk)
            return bind__at(s, bind__begin(t->expr),
                            FAIL(INVALID_COLUMN_REFERENCE,
                                 "for SELECT DISTINCT, ORDER BY expressions "
                                 "must appear in select list"));
    }
    uint32_t visible = 0;
    for (uint32_t i = 0; i < q->target_count; i++) {
        if (q->targets[i].junk) continue;
        visible++;
        TRY(bind__resolve_targets(s, &q->targets[i], 1));
        TRY(bind__check_hashable(s, q->targets[i].expr, q->targets[i].expr->location));
    }
    if (visible == 0) return FAIL(SYNTAX_ERROR, "SELECT DISTINCT must have at least one column");
    return OK;
}

static uint32_t find_in(const uint32_t *list, uint32_t count, uint32_t value)
{
    uint32_t i = 0;
    while (i < count && list[i] != value) i++;
    return i;
}

static enum status not_initial(struct scope *s, const struct ast *item)
{
    return bind__at(s, item->location,
                    FAIL(INVALID_COLUMN_REFERENCE,
                         "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"));
}

/* ORDER BY must begin with all of them, in any order, so that equal ones are neighbours. `items`
 * are as they were written, one for each of query.distinct_on. */
static enum status check_order(struct scope *s, const struct ast **items)
{
    struct query *q = s->query;
    bool other = false, *seen = ARENA_ARRAY(s->env->arena, bool, q->distinct_on_count);
    for (uint32_t i = 0; i < q->order_count; i++) {
        uint32_t at = find_in(q->distinct_on, q->distinct_on_count, q->order_by[i].target);
        if (at == q->distinct_on_count) other = true;
        else if (other) return not_initial(s, items[at]);
        else seen[at] = true;
    }
    for (uint32_t i = 0; i < q->distinct_on_count; i++)
        if (other && !seen[i]) return not_initial(s, items[i]);
    return OK;
}

static enum status distinct_on(struct scope *s, const struct ast_list *items)
{
    struct query *q = s->query;
    const struct ast **kept = ARENA_ARRAY(s->env->arena, const struct ast *, items->count);
    q->distinct_on = ARENA_ARRAY(s->env->arena, uint32_t, items->count);
    for (uint32_t i = 0; i < items->count; i++) {
        uint32_t target;
        TRY(bind__find_target(s, items->items[i], PLACE_DISTINCT_ON, &target));
        if (find_in(q->distinct_on, q->distinct_on_count, target) < q->distinct_on_count) continue;
        kept[q->distinct_on_count] = items->items[i];
        q->distinct_on[q->distinct_on_count++] = target;
    }
    TRY(check_order(s, kept));
    for (uint32_t i = 0; i < q->distinct_on_count; i++)
        TRY(bind__check_hashable(s, q->targets[q->distinct_on[i]].expr, kept[i]->location));
    return OK;
}

enum status bind__distinct_clause(struct scope *s, const struct ast_select *ast)
{
    if (!ast->distinct) return OK;
    s->query->distinct = true;
    if (ast->distinct_on.count) return distinct_on(s, &ast->distinct_on);
    return distinct_all(s);
}

/* --- the whole ------------------------------------------------------------------------------ */

static enum status plain_select(struct scope *s, const struct ast_select *ast, bool keep_unknown)
{
    struct query *q = s->query;
    TRY(bind__from(s, &ast->from));
    TRY(bind__windows(s, &ast->windows));
    TRY(bind__targets(s, &ast->targets, PLACE_SELECT, &q->targets, &q->target_count));
    if (!keep_unknown) TRY(bind__resolve_targets(s, q->targets, q->target_count));
    if (ast->where) TRY(bind__condition(s, ast->where, PLACE_WHERE, "WHERE", &q->where));
    if (ast->having) TRY(bind__condition(s, ast->having, PLACE_HAVING, "HAVING", &q->having));
    TRY(bind__order_by(s, &ast->order_by));
    TRY(bind__group_clause(s, &ast->group_by, ast->group_distinct));
    TRY(bind__distinct_clause(s, ast));
    TRY(bind__limit(s, ast));
    return bind__check_grouping(s);
}

static enum status any_select(struct scope *s, const struct ast_select *ast, bool keep_unknown,
                              struct cte_item *recursive)
{
    TRY(bind__with(s, &ast->with));
    if (ast->op != SETOP_NONE) {
        TRY(bind__set_op(s, ast, recursive));
        if (!keep_unknown) TRY(bind__resolve_targets(s, s->query->targets, s->query->target_count));
        TRY(bind__order_set_op(s, &ast->order_by));
        TRY(bind__limit(s, ast));
    } else if (ast->value_row_count) {
        TRY(bind__values(s, ast));
        TRY(bind__order_by(s, &ast->order_by));
        TRY(bind__limit(s, ast));
    } else {
        TRY(plain_select(s, ast, keep_unknown));
    }
    return bind__locking(s, ast);
}

enum status bind__select_in(struct bind_env *env, struct scope *parent,
                            const struct ast_select *ast, bool keep_unknown,
                            struct cte_item *recursive, struct query **ret)
{
    struct scope s;
    bind__scope_init(&s, env, parent);
    if (s.depth > SCOPE_DEPTH_MAX || fiber_stack_left() < BIND_STACK_MIN) {
        (void)FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        return error_hint("Simplify the statement.");
    }
    if (ast->into)
        return bind__at(&s, ast->into->node.location,
                        FAIL(SYNTAX_ERROR, "SELECT ... INTO is not allowed here"));
    struct query *q = bind__query_new(&s, CMD_SELECT);
    TRY(any_select(&s, ast, keep_unknown, recursive));
    *ret = q;
    return OK;
}

enum status bind__select(struct bind_env *env, struct scope *parent, const struct ast_select *ast,
                         struct query **ret)
{
    return bind__select_in(env, parent, ast, false, NULL, ret);
}
