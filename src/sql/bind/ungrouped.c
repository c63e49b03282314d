/* What stands above a grouping may read its expressions, aggregates, and columns that depend on
 * them.
 *
 * A column depends on the groups when they hold the whole primary key of its table. Subqueries are
 * walked too: there a column of this level has levels_up equal to the depth of the walk. Columns of
 * a join with USING are replaced by what they stand for first, so that t.id and id are the same. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

#include "base/fiber.h"

struct check {
    struct scope *scope;
    struct query *query;  /* the level that is grouped */
    struct expr **groups; /* its expressions, joins replaced */
    uint32_t depth;
    bool in_subquery;     /* though depth is 0: in an aggregate written there */
    enum status status;
};

/* --- joins replaced ------------------------------------------------------------------------- */

struct expand {
    struct arena *arena;
    const struct query *query;
};

static struct expr *expand_join(void *ctx, struct expr *e)
{
    struct expand *x = ctx;
    if (!e) return NULL;
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) {
        const struct relation *r = x->query->relations[e->column.relation];
        if (r->kind != REL_JOIN) return e;
        struct expr *made = expand_join(x, r->join_columns[e->column.column]);
        made = arena_memdup(x->arena, made, sizeof *made);
        made->location = e->location;
        return made;
    }
    return expr_map(x->arena, e, expand_join, x);
}

static struct expr *expanded(struct check *c, struct expr *e)
{
    struct expand x = {c->scope->env->arena, c->query};
    return expand_join(&x, e);
}

/* --- dependence ----------------------------------------------------------------------------- */

static bool is_column(const struct expr *e, uint32_t relation, uint32_t column)
{
    return e->kind == EXPR_COLUMN && e->column.levels_up == 0 && e->column.relation == relation &&
           e->column.column == column;
}

/* In all grouping sets, or grouped by when there are none. */
static bool in_every_set(const struct query *q, uint32_t group)
{
    for (uint32_t i = 0; i < q->grouping_set_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < q->grouping_sets[i].count && !found; k++)
            found = q->grouping_sets[i].items[k] == group;
        if (!found) return false;
    }
    return true;
}

static bool key_column_grouped(const struct check *c, uint32_t relation, int16_t attnum)
{
    const struct relation *r = c->query->relations[relation];
    for (uint32_t i = 0; i < c->query->group_count; i++) {
        const struct expr *g = c->groups[i];
        if (g->kind == EXPR_COLUMN && g->column.levels_up == 0 && g->column.relation == relation &&
            g->column.column < r->column_count && r->columns[g->column.column].attnum == attnum &&
            in_every_set(c->query, i))
            return true;
    }
    return false;
}

static bool depends_on_groups(const struct check *c, uint32_t relation)
{
    const struct relation *r = c->query->relations[relation];
    if (r->kind != REL_TABLE || !r->table->primary) return false;
    const struct index_def *x = r->table->primary;
    for (uint16_t i = 0; i < x->key_count; i++)
        if (!key_column_grouped(c, relation, x->columns[i].column)) return false;
    return true;
}

/* --- the walk ------------------------------------------------------------------------------- */

static bool check_expr(void *ctx, const struct expr *e);
static void check_query(struct check *c, const struct query *q);

static bool check_direct(struct check *c, const struct expr *e)
{
    for (uint32_t i = 0; i < e->aggregate.direct_count; i++) {
        if (check_expr(c, e->args[i])) continue;
        if (c->status == GROUPING_ERROR && !c->in_subquery)
            (void)error_detail("Direct arguments of an ordered-set aggregate must use only "
                               "grouped columns.");
        return false;
    }
    return true;
}

/* An aggregate of this level that is written in a subquery. */
static void check_moved(struct check *c, const struct expr *e)
{
    uint32_t depth = c->depth;
    c->depth = 0;
    c->in_subquery = true;
    if (e->kind == EXPR_AGGREGATE) (void)check_direct(c, e);
    else (void)check_expr(c, e);
    c->in_subquery = false;
    c->depth = depth;
}

static void check_column(struct check *c, const struct expr *e, uint32_t relation, uint32_t column)
{
    const struct relation *r = c->query->relations[relation];
    if (r->kind == REL_JOIN) {
        const struct expr *real = r->join_columns[column];
        if (bind__is_moved_aggregate(real)) {
            check_moved(c, real);
            return;
        }
        if (real->kind == EXPR_COLUMN)
            check_column(c, e, real->column.relation, real->column.column);
        for (uint32_t i = 0; real->kind != EXPR_COLUMN && i < real->arg_count; i++)
            if (real->args[i]->kind == EXPR_COLUMN)
                check_column(c, e, real->args[i]->column.relation, real->args[i]->column.column);
        return;
    }
    for (uint32_t i = 0; i < c->query->group_count; i++)
        if (is_column(c->groups[i], relation, column)) return;
    if (depends_on_groups(c, relation)) return;
    const char *name = column < r->column_count ? r->columns[column].name : "?";
    enum status code =
        c->depth || c->in_subquery
            ? FAIL(GROUPING_ERROR, "subquery uses ungrouped column \"%s.%s\" from outer query",
                   r->alias, name)
            : FAIL(GROUPING_ERROR,
                   "column \"%s.%s\" must appear in the GROUP BY clause or be used in an "
                   "aggregate function",
                   r->alias, name);
    c->status = bind__at(c->scope, e->location, code);
}

/* GROUPING(…) of this level tells of its grouping expressions, and of nothing else. */
static bool check_grouping_call(struct check *c, const struct expr *e)
{
    for (uint32_t i = 0; c->depth == 0 && i < e->arg_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < c->query->group_count && !found; k++)
            found = expr_equal(c->groups[k], e->args[i]);
        if (found) continue;
        c->status = bind__at(c->scope, bind__begin(e->args[i]),
                             FAIL(GROUPING_ERROR, "arguments to GROUPING must be grouping "
                                                  "expressions of the associated query level"));
        return false;
    }
    return true;
}

static bool check_expr(void *ctx, const struct expr *e)
{
    struct check *c = ctx;
    if (!e) return true;
    for (uint32_t i = 0; c->depth == 0 && i < c->query->group_count; i++)
        if (expr_equal(c->groups[i], e)) return true;
    if (e->kind == EXPR_COLUMN) {
        if (e->column.levels_up == c->depth)
            check_column(c, e, e->column.relation, e->column.column);
        return c->status == OK;
    }
    if (e->kind == EXPR_AGGREGATE && c->depth == 0) return check_direct(c, e);
    if (e->kind == EXPR_GROUPING) return check_grouping_call(c, e);
    if (e->kind == EXPR_SUBQUERY) {
        c->depth++;
        check_query(c, e->subquery.query);
        c->depth--;
        if (c->status != OK) return false;
    }
    return expr_walk(e, check_expr, c);
}

static void check_list(struct check *c, struct expr *const *list, uint32_t count)
{
    for (uint32_t i = 0; list && i < count && c->status == OK; i++) (void)check_expr(c, list[i]);
}

static void check_from(struct check *c, const struct from_item *f)
{
    if (!f || f->kind == FROM_RELATION || c->status != OK) return;
    check_from(c, f->left);
    check_from(c, f->right);
    (void)check_expr(c, f->condition);
}

static void check_relation(struct check *c, const struct relation *r)
{
    check_list(c, r->functions, r->function_count);
    for (uint32_t i = 0; r->kind == REL_VALUES && i < r->value_count; i++)
        check_list(c, r->values[i], r->column_count);
    c->depth++;
    check_query(c, r->subquery);
    c->depth--;
}

static void check_windows(struct check *c, const struct query *q)
{
    for (uint32_t i = 0; i < q->window_count && c->status == OK; i++) {
        const struct window_def *w = &q->windows[i];
        for (uint32_t k = 0; k < w->partition_count && c->status == OK; k++)
            (void)check_expr(c, c->depth ? w->partition_by[k] : expanded(c, w->partition_by[k]));
        for (uint32_t k = 0; k < w->order_count && c->status == OK; k++)
            (void)check_expr(c, c->depth ? w->order_by[k].expr : expanded(c, w->order_by[k].expr));
    }
}

/* All expressions of a query below the grouped one. */
static void check_query(struct check *c, const struct query *q)
{
    if (!q || c->status != OK) return;
    if (fiber_stack_left() < BIND_STACK_MIN) {
        c->status = FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        return;
    }
    for (uint32_t i = 0; i < q->relation_count; i++) check_relation(c, q->relations[i]);
    for (uint32_t i = 0; i < q->from_count; i++) check_from(c, q->from[i]);
    for (uint32_t i = 0; i < q->target_count && c->status == OK; i++)
        (void)check_expr(c, q->targets[i].expr);
    struct expr *const single[] = {q->where, q->having, q->limit, q->offset};
    check_list(c, single, 4);
    check_list(c, q->group_by, q->group_count);
    check_windows(c, q);
    c->depth++;
    check_query(c, q->left);
    check_query(c, q->right);
    for (uint32_t i = 0; i < q->cte_count; i++) check_query(c, q->ctes[i]->query);
    c->depth--;
}

enum status bind__check_grouping(struct scope *s)
{
    struct query *q = s->query;
    struct check c = {.scope = s, .query = q, .status = OK};
    if (!q->has_group && !q->has_aggregates && !q->having) return OK;
    c.groups = ARENA_ARRAY(s->env->arena, struct expr *, q->group_count);
    for (uint32_t i = 0; i < q->group_count; i++) c.groups[i] = expanded(&c, q->group_by[i]);
    for (uint32_t i = 0; i < q->target_count && c.status == OK; i++)
        (void)check_expr(&c, expanded(&c, q->targets[i].expr));
    if (q->having && c.status == OK) (void)check_expr(&c, expanded(&c, q->having));
    if (c.status == OK) check_windows(&c, q);
    return c.status;
}

/* --- aggregates out of place ---------------------------------------------------------------- */

static bool plain(void *ctx, const struct expr *e)
{
    const struct expr **found = ctx;
    if (!e) return true;
    if (e->kind == EXPR_AGGREGATE || e->kind == EXPR_WINDOW) *found = e;
    return !*found && expr_walk(e, plain, ctx);
}

enum status bind__no_aggregate(struct scope *s, const struct expr *e, const char *construct)
{
    const struct expr *found = NULL;
    (void)plain(&found, e);
    if (!found) return OK;
    enum status code =
        found->kind == EXPR_AGGREGATE
            ? FAIL(GROUPING_ERROR, "aggregate functions are not allowed in %s", construct)
            : FAIL(WINDOWING_ERROR, "window functions are not allowed in %s", construct);
    return bind__at(s, found->location, code);
}
