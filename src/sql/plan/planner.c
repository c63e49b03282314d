/* The planner's door: one bound statement in, one plan out. */
#include "sql/plan/planner.h"

#include "base/fiber.h"
#include "sql/plan/plan_priv.h"

enum status planner_check(const struct planner *p)
{
    if (p->env->waiter && waiter_canceled(p->env->waiter))
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    if (!p->env->memory_limit_bytes || arena_bytes(p->arena) <= p->env->memory_limit_bytes) return OK;
    FAIL(OUT_OF_MEMORY, "the plan of the statement takes more than query.memory_limit");
    return error_hint("Simplify the statement, or raise query.memory_limit.");
}

static void fill_output(struct planner *p, const struct query *q, const struct plan_node *root)
{
    struct plan *plan = p->plan;
    const struct target *list = q->command == CMD_SELECT ? q->targets : q->returning;
    uint32_t n = q->command == CMD_SELECT ? q->target_count : q->returning_count;
    plan->returns_rows = q->command == CMD_SELECT || n > 0;
    plan->output = ARENA_ARRAY(p->arena, struct plan_column, n);
    plan->origin_tables = ARENA_ARRAY(p->arena, oid_t, n);
    plan->origin_columns = ARENA_ARRAY(p->arena, int16_t, n);
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].junk) continue;
        uint32_t k = plan->output_count++;
        plan->output[k] = (struct plan_column){list[i].expr->type, list[i].expr->typmod, list[i].name};
        plan->origin_tables[k] = list[i].origin_table;
        plan->origin_columns[k] = list[i].origin_column;
    }
    ASSERT(q->command != CMD_SELECT || root->column_count == plan->output_count);
}

enum status plan_query(const struct planner_env *env, struct query *q, const type_id *param_types,
                       uint32_t param_count, struct plan **ret)
{
    struct planner p = {.env = env, .arena = env->arena};
    struct level *level;
    struct plan *plan = p.plan = ARENA_NEW(p.arena, struct plan);
    plan->command = q->command;
    plan->param_types = arena_memdup(p.arena, param_types, param_count * sizeof *param_types);
    plan->param_count = param_count;
    fold_query(&p, q);
    TRY(plan_point(&p, q));
    p.levels = NULL;
    if (q->cte_count) TRY(plan_changes(&p, q));
    if (q->command == CMD_SELECT) TRY(plan_select(&p, q, &plan->root, &level));
    else TRY(plan_dml(&p, q, &plan->root));
    fill_output(&p, q, plan->root);
    plan_top_groups(&p, plan->root);
    plan_parallel(&p, &plan->root);
    plan->by_row = plan_is_by_row(&p, plan->root);
    plan->subplans = p.subplans.data;
    plan->subplan_count = (uint32_t)p.subplans.count;
    plan->ctes = p.ctes.data;
    plan->cte_count = (uint32_t)p.ctes.count;
    plan->tables = p.tables.data;
    plan->table_locks = p.locks.data;
    plan->table_count = (uint32_t)p.tables.count;
    plan->rights = q->rights;
    plan->right_count = q->right_count;
    plan->past_tables = p.past_tables.data;
    plan->past_table_count = (uint32_t)p.past_tables.count;
    *ret = plan;
    return OK;
}
