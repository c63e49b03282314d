/* Where a recursive WITH item may read itself: once, in the FROM of its right side, directly or in
 * a subquery there, and not where an outer join or EXCEPT could make rows out of missing ones. */
#include "sql/bind/query_priv.h"

#include "base/fiber.h"

struct search {
    struct scope *scope;
    const struct cte_item *item;
    uint32_t found;
};

/* `within`: the construct that forbids a reference, or NULL. */
static enum status search_query(struct search *x, const struct query *q, const char *within);

static enum status wrong_place(const struct search *x, const char *what)
{
    return bind__at(x->scope, x->item->reference_location,
                    FAIL(INVALID_RECURSION,
                         "recursive reference to query \"%s\" must not appear %s",
                         x->item->cte.name, what));
}

static bool no_aggregate(void *ctx, const struct expr *e)
{
    const struct expr **found = ctx;
    if (e && e->kind == EXPR_AGGREGATE) *found = e;
    return !*found && (!e || expr_walk(e, no_aggregate, ctx));
}

/* Each round sees the rows of the last one only, so there is nothing whole to aggregate. */
static enum status check_aggregates(const struct search *x, const struct query *q)
{
    const struct expr *found = NULL;
    if (!q->has_aggregates) return OK;
    (void)no_aggregate(&found, q->having);
    for (uint32_t i = 0; i < q->target_count && !found; i++)
        (void)no_aggregate(&found, q->targets[i].expr);
    return bind__at(x->scope, found ? found->location : -1,
                    FAIL(INVALID_RECURSION, "aggregate functions are not allowed in a recursive "
                                            "query's recursive term"));
}

static enum status search_from(struct search *x, const struct query *q, const struct from_item *f,
                               const char *within)
{
    static const char outer[] = "within an outer join";
    if (f->kind == FROM_JOIN) {
        bool left = f->join == JOIN_RIGHT || f->join == JOIN_FULL;
        bool right = f->join == JOIN_LEFT || f->join == JOIN_FULL;
        TRY(search_from(x, q, f->left, left ? outer : within));
        return search_from(x, q, f->right, right ? outer : within);
    }
    const struct relation *r = q->relations[f->relation];
    if (r->kind == REL_SUBQUERY) return search_query(x, r->subquery, within);
    if (r->kind != REL_CTE || r->cte != &x->item->cte) return OK;
    if (within) return wrong_place(x, within);
    if (++x->found > 1) return wrong_place(x, "more than once");
    return check_aggregates(x, q);
}

static enum status search_query(struct search *x, const struct query *q, const char *within)
{
    if (!q) return OK;
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    for (uint32_t i = 0; i < q->cte_count; i++) TRY(search_query(x, q->ctes[i]->query, within));
    if (q->set_op == SETOP_NONE) {
        for (uint32_t i = 0; i < q->from_count; i++) TRY(search_from(x, q, q->from[i], within));
        return OK;
    }
    const char *left = within, *right = within;
    if (q->set_op == SETOP_INTERSECT && q->set_all) left = right = "within INTERSECT";
    if (q->set_op == SETOP_EXCEPT) right = "within EXCEPT";
    if (q->set_op == SETOP_EXCEPT && q->set_all) left = "within EXCEPT";
    TRY(search_query(x, q->left, left));
    return search_query(x, q->right, right);
}

enum status bind__check_recursion(struct scope *s, const struct cte_item *item,
                                  const struct query *q)
{
    struct search x = {.scope = s, .item = item};
    TRY(search_query(&x, q->right, NULL));
    /* What FROM does not hold stands in an expression. */
    if (item->cte.references > x.found) return wrong_place(&x, "within a subquery");
    return OK;
}
