/* Plans for the values at hand. A plan that is kept knows nothing of its parameters' values; where a
 * statement takes long it is worth planning anew for them, as PostgreSQL does: how many rows a condition
 * lets through may decide everything. What takes a moment uses the plan that is there. */
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

/* In the planner's units: planning takes a small part of the time that such a plan runs. */
enum { WORTH_COST = 500 };

static double cost_of(const struct plan *p)
{
    double cost = p->root ? p->root->cost_total : 0;
    for (uint32_t i = 0; i < p->subplan_count; i++) cost += p->subplans[i].root->cost_total;
    for (uint32_t i = 0; i < p->cte_count; i++) cost += p->ctes[i] ? p->ctes[i]->cost_total : 0;
    return cost;
}

bool custom_plan__wanted(const struct session *s, const struct cached_plan *generic,
                         uint32_t param_count)
{
    const struct plan *p = generic->plan;
    if (!param_count || p->point || s->settings.plan_mode == PLAN_GENERIC) return false;
    if (p->command == CMD_INSERT && p->table_count == 1) return false; /* of rows that are given */
    return s->settings.plan_mode == PLAN_CUSTOM || cost_of(p) >= WORTH_COST;
}

enum status custom_plan__choose(struct session *s, const struct prepared *p,
                                const struct datum *values, struct cached_plan **ret)
{
    struct statement *st;
    struct arena trees;
    uint32_t statements, count = p->param_count;
    if (!custom_plan__wanted(s, p->plan, count)) {
        cached_plan_ref(p->plan);
        *ret = p->plan;
        return OK;
    }
    arena_init(&trees, MEM_PLAN);
    enum status result = sql_parse(&trees, p->text, &st, &statements);
    struct cached_plan *made = NULL;
    if (result == OK)
        made = session__plan_for(s, &st[0], p->text, p->param_types, &count, values, &result);
    if (made) cached_plan_take_trees(made, &trees);
    arena_release(&trees);
    *ret = made;
    return result;
}
