/* The planner: a bound query to a plan. */
#ifndef HELIOS_SQL_PLAN_PLANNER_H
#define HELIOS_SQL_PLAN_PLANNER_H

#include "sql/plan.h"

/* Parallel runs (parallel.c). */
struct parallel_options {
    uint32_t workers;  /* a gather; 0: no parallel runs */
    double setup_cost; /* what costs less stays serial */
    double scan_bytes; /* and so does what reads smaller tables */
    bool forced;       /* where the first rows end the query, too: for tests */
    bool (*is_safe)(const struct proc_def *proc);      /* may be called on any thread */
    bool (*is_mergeable)(const struct proc_def *proc); /* aggregates: states can be merged */
    bool (*is_distinct_mergeable)(const struct proc_def *proc); /* with DISTINCT */
};

/* Grouping below joins (group_below.c): where it is clearly cheaper, never, or wherever it can be. */
enum group_below_mode { GROUP_BELOW_AUTO, GROUP_BELOW_OFF, GROUP_BELOW_FORCE };

/* What the planner wants to know of storage, without knowing storage: filled by db. */
struct planner_env {
    struct arena *arena;
    const struct catalog *catalog;
    /* Rows of a table now; < 0 unknown. */
    double (*table_rows)(void *ctx, const struct table_def *t);
    double (*table_bytes)(void *ctx, const struct table_def *t); /* asked when parallel.workers > 0 */
    void *ctx;
    /* The value of a constant expression; NULL: there is no evaluator. */
    enum status (*evaluate)(void *ctx, const struct expr *e, struct arena *a, struct datum *ret);
    void *evaluate_ctx;
    struct parallel_options parallel;
    enum group_below_mode group_below;
    bool columns; /* tables that have columns are read by them */
    const struct datum *param_values; /* the plan is for these alone; NULL: for any */
    const struct waiter *waiter; /* whose cancellation ends planning; NULL: nobody's */
    uint64_t memory_limit_bytes; /* of the arena; OUT_OF_MEMORY beyond; 0: no limit */
};

/* The query is consumed: its expressions are rewritten into the plan. */
enum status plan_query(const struct planner_env *env, struct query *q, const type_id *param_types,
                       uint32_t param_count, struct plan **ret) MUST;

#endif
