/* What foreign keys add to a plan that writes: the keys themselves, the tables that are looked at, and
 * for those that referential actions may change a node that tells how a row of it is written. */
#include "catalog/foreign_key.h"
#include "sql/plan/plan_priv.h"

enum { LOCK_TO_LOOK = 2, LOCK_TO_WRITE = 3 }; /* core/txn.h: ROW SHARE, ROW EXCLUSIVE */

static void keys(struct planner *p, struct plan_node *n, const struct query *q)
{
    n->dml.refers = q->refers;
    n->dml.refer_count = q->refer_count;
    n->dml.referred = q->referred;
    n->dml.referred_count = q->referred_count;
    for (uint32_t i = 0; i < q->refer_count; i++)
        planner_use_table(p, q->refers[i].parent, LOCK_TO_LOOK);
    for (uint32_t i = 0; i < q->referred_count; i++)
        planner_use_table(p, q->referred[i].child, LOCK_TO_LOOK);
}

static enum status reached(struct planner *p, struct query *q, struct plan_node **ret)
{
    struct plan_node *n = node_new(p, PLAN_UPDATE);
    struct level *l = level_new(p, q), *saved = l->older;
    uint32_t columns = q->table->column_count;
    TRY(plan_row_rules(l, n));
    n->dml.new_row = ARENA_ARRAY(p->arena, struct expr *, columns);
    for (uint32_t i = 0; i < columns; i++)
        if (q->defaults[i]) TRY(rewrite(l, q->defaults[i], &n->dml.new_row[i]));
    keys(p, n, q);
    planner_use_table(p, q->table, LOCK_TO_WRITE);
    p->levels = saved;
    *ret = n;
    return OK;
}

enum status plan_foreign(struct level *l, struct plan_node *n)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    keys(p, n, q);
    if (!q->reached_count) return OK;
    n->dml.reached = ARENA_ARRAY(p->arena, struct plan_node *, q->reached_count);
    for (uint32_t i = 0; i < q->reached_count; i++)
        TRY(reached(p, q->reached[i], &n->dml.reached[i]));
    n->dml.reached_count = q->reached_count;
    return OK;
}
