/* WITH. A CTE that is read once is planned where it is read, unless it says MATERIALIZED, reads
 * itself, or must run exactly once (a volatile function); others are run once and kept. */
#include "sql/plan/plan_priv.h"
#include "sql/querymap.h"

static bool calls_volatile(const struct query *q)
{
    for (uint32_t i = 0; i < q->target_count; i++)
        if (expr_is_volatile(q->targets[i].expr)) return true;
    return q->where && expr_is_volatile(q->where);
}

static struct plan_node *cte_scan(struct level *l, const struct cte *c, uint32_t index, bool working,
                                  double rows)
{
    struct plan_node *n = node_new(l->planner, PLAN_CTE_SCAN);
    n->cte.cte = index;
    n->cte.working = working;
    n->alias = c->name;
    n->rows = rows;
    n->column_count = c->column_count;
    n->columns = ARENA_ARRAY(l->planner->arena, struct plan_column, c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++)
        n->columns[i] =
            (struct plan_column){c->columns[i].type, c->columns[i].typmod, c->columns[i].name};
    return n;
}

/* index 0 in cte->index means "not planned yet", so indexes are kept plus one. */
static enum status plan_recursive(struct planner *p, struct cte *c, struct plan_node **ret)
{
    struct query *q = c->query;
    struct level *inner, *saved = p->levels;
    struct plan_node *n = node_new(p, PLAN_RECURSIVE_UNION), *left, *right;
    if (q->set_op != SETOP_UNION || q->order_count || q->limit || q->offset)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "a recursive query must be a plain UNION without ORDER BY and LIMIT");
    uint32_t working = (uint32_t)p->ctes.count;
    ARENA_PUSH(p->arena, &p->ctes, NULL);
    c->index = working + 1;
    TRY(plan_select(p, q->left, &left, &inner));
    p->levels = saved;
    TRY(plan_select(p, q->right, &right, &inner));
    p->levels = saved;
    if (inner->outers.count)
        return UNSUPPORTED("a recursive query that reads columns of an enclosing query is not supported yet");
    n->left = left;
    n->right = right;
    n->cte.cte = working;
    n->cte.all = q->set_all;
    n->rows = left->rows * 10;
    node_columns_from(p, n, left);
    *ret = n;
    return OK;
}

static enum status plan_kept(struct planner *p, struct cte *c)
{
    struct plan_node *n;
    struct level *inner, *saved = p->levels;
    if (c->recursive) {
        TRY(plan_recursive(p, c, &n));
    } else {
        bool writes = c->query->command != CMD_SELECT;
        if (writes) TRY(plan_dml(p, c->query, &n));
        else TRY(plan_select(p, c->query, &n, &inner));
        p->levels = saved;
        if (writes) n->alias = c->name;
        else if (inner->outers.count)
            return UNSUPPORTED("WITH that reads columns of an enclosing query is not supported yet");
    }
    c->index = (uint32_t)p->ctes.count + 1;
    ARENA_PUSH(p->arena, &p->ctes, n);
    return OK;
}

/* Is this reference inside the CTE's own query? */
static bool inside(const struct level *l, const struct cte *c)
{
    for (const struct query *q = l->query; q; q = q->parent)
        if (q == c->query || q == c->query->right) return true;
    return false;
}

enum status plan_cte_reference(struct level *l, struct relation *r, struct plan_node **ret)
{
    struct cte *c = r->cte;
    struct planner *p = l->planner;
    if (c->recursive && c->index && inside(l, c)) {
        *ret = cte_scan(l, c, c->index - 1, true, 100);
        return OK;
    }
    bool inline_it = !c->recursive && c->query->command == CMD_SELECT && c->materialized != 'a' &&
                     (c->materialized == 'n' || (c->references <= 1 && !calls_volatile(c->query)));
    if (inline_it) {
        struct level *inner, *saved = p->levels;
        TRY(plan_select(p, query_copy(p->arena, c->query), ret, &inner));
        p->levels = saved;
        for (size_t i = 0; i < inner->outers.count; i++)
            if (inner->outers.data[i].target != l)
                ARENA_PUSH(p->arena, &l->outers, inner->outers.data[i]);
        return OK;
    }
    if (!c->index) TRY(plan_kept(p, c));
    *ret = cte_scan(l, c, c->index - 1, false, p->ctes.data[c->index - 1]->rows);
    return OK;
}

enum status plan_changes(struct planner *p, struct query *q)
{
    struct plan *plan = p->plan;
    for (uint32_t i = 0; i < q->cte_count; i++) {
        struct cte *c = q->ctes[i];
        if (c->query->command == CMD_SELECT) continue;
        if (!c->index) TRY(plan_kept(p, c));
        plan->change_count++;
    }
    plan->changes = ARENA_ARRAY(p->arena, uint32_t, plan->change_count + 1);
    uint32_t n = plan->change_count;
    for (uint32_t i = 0; i < q->cte_count; i++)
        if (q->ctes[i]->query->command != CMD_SELECT) plan->changes[--n] = q->ctes[i]->index - 1;
    return OK;
}
