/* The first groups by a count, as `ORDER BY count(*) DESC LIMIT 10`: the aggregate is told, and need not make
 * rows of groups of which it has seen enough with greater counts. The sort above still decides. */
#include "base/fiber.h"
#include "sql/plan/plan_priv.h"
#include "sql/plan_exprs.h"

enum { STACK_BYTES = 48 << 10, COUNT_ANY = 2147, COUNT_STAR = 2803 };

/* The aggregate whose column the slot is; NULL: there is none, or rows are lost or made on the way. */
static struct plan_node *find_groups(struct plan_node *n, uint32_t *slot)
{
    for (; n->kind == PLAN_PROJECT; n = n->left) {
        const struct expr *e = n->project.exprs[*slot];
        if (n->filter || e->kind != EXPR_SLOT) return NULL;
        *slot = e->slot;
    }
    if (n->kind != PLAN_AGGREGATE || n->filter || n->aggregate.set_count || !n->aggregate.group_count)
        return NULL;
    return *slot >= n->aggregate.group_count ? n : NULL;
}

static void tell(const struct plan_node *sort)
{
    const struct sort_item *first = &sort->sort.items[0];
    if (!sort->sort.limit || first->expr->kind != EXPR_SLOT) return;
    uint32_t slot = first->expr->slot;
    struct plan_node *n = find_groups(sort->left, &slot);
    if (!n || slot - n->aggregate.group_count >= n->aggregate.call_count) return;
    const struct aggregate_call *c = &n->aggregate.calls[slot - n->aggregate.group_count];
    if (!c->proc || (c->proc->oid != COUNT_ANY && c->proc->oid != COUNT_STAR)) return;
    n->aggregate.top = sort->sort.limit;
    n->aggregate.top_call = slot - n->aggregate.group_count;
    n->aggregate.top_descending = first->descending;
}

static bool visit(void *ctx, const struct plan_node *n)
{
    if (fiber_stack_left() < STACK_BYTES) return true;
    if (n->kind == PLAN_SORT && n->sort.item_count) tell(n);
    return plan_node_children(n, visit, ctx);
}

void plan_top_groups(struct planner *p, const struct plan_node *root)
{
    (void)visit(NULL, root);
    for (size_t i = 0; i < p->ctes.count; i++)
        if (p->ctes.data[i]) (void)visit(NULL, p->ctes.data[i]);
    for (size_t i = 0; i < p->subplans.count; i++) (void)visit(NULL, p->subplans.data[i].root);
}
