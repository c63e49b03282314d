/* Plans for what is at hand: values, and sizes of tables. A plan that is kept knows nothing of its parameters' values; where a
 * statement takes long it is worth planning anew for them, as PostgreSQL does: how many rows a condition
 * lets through may decide everything. What takes a moment uses the plan that is there. */
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

enum {
    WORTH_INDEX = 20,  /* where values may let an index be used */
    WORTH_COST = 500,  /* in the planner's units: planning takes a small part of what such a plan runs */
    LOOK_US = 100000,
    FEW_ROWS = 1000,
};

static double rows_of(struct session *s, const struct table_def *const *tables, uint32_t n)
{
    double rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct tree_statistics stats;
        if (tables[i]->tree && session__tree_statistics(s, tables[i]->tree, &stats) == OK)
            rows += (double)stats.rows;
    }
    return rows;
}

double custom_plan__rows(struct session *s, const struct plan *p)
{
    double rows = rows_of(s, p->tables, p->table_count);
    rows += rows_of(s, p->past_tables, p->past_table_count);
    error_clear();
    return rows;
}

/* A plan for an empty table is poor when it has been filled, and ANALYZE comes later or never. */
bool custom_plan__is_outgrown(struct session *s, struct cached_plan *p)
{
    if (p->plan->point) return false;
    int64_t now = monotonic_us();
    if (now - __atomic_load_n(&p->looked_us, __ATOMIC_RELAXED) >= LOOK_US) {
        double rows = custom_plan__rows(s, p->plan);
        __atomic_store_n(&p->looked_us, now, __ATOMIC_RELAXED);
        if (rows > 2 * p->rows + FEW_ROWS || 2 * rows + FEW_ROWS < p->rows)
            __atomic_store_n(&p->outgrown, 1, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&p->outgrown, __ATOMIC_RELAXED);
}

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
    if (generic->once) return false; /* it was made for this run */
    if (p->command == CMD_INSERT && p->table_count == 1) return false; /* of rows that are given */
    double worth = p->literals_matter ? WORTH_INDEX : WORTH_COST;
    return s->settings.plan_mode == PLAN_CUSTOM || cost_of(p) >= worth;
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
