/* Which of a scan's conditions the store tests on columns while they are encoded (core/columns.h), and
 * which are left to the scan's steps. */
#ifndef HELIOS_EXEC_OPS_COLUMN_CONDITIONS_H
#define HELIOS_EXEC_OPS_COLUMN_CONDITIONS_H

#include "core/columns.h"
#include "exec/ops/ops_priv.h"

struct column_conditions {
    const uint32_t *numbers; /* what a scan asks for: what the plan fetches, by slot, then key columns */
    const type_id *types;
    uint32_t count;
    struct column_condition *tests;
    uint32_t test_count, test_room;
    const struct expr **rest; /* conjuncts that the tests do not speak for */
    uint32_t rest_count;
    bool never;               /* no row can pass: something is compared with NULL */
};

/* With the values as they are now, in the arena: of the plan's filter, its key range, and the joins'
 * filters that wait for this scan. */
enum status column_conditions_make(struct execution *x, const struct plan_node *n, struct arena *a,
                                   struct column_conditions *ret) MUST;
/* Would the conjunct of the scan's filter become a test? Without values, for EXPLAIN. */
bool column_conditions_take(const struct plan_node *n, const struct expr *conjunct);

#endif
