/* Looking at plans: every expression of a node. */
#ifndef HELIOS_SQL_PLAN_EXPRS_H
#define HELIOS_SQL_PLAN_EXPRS_H

#include "sql/plan.h"

/* Calls fn for each expression of the node itself, not of its children; false from fn stops and is
 * returned. The expressions inside DML nodes are not among them. */
bool plan_node_exprs(const struct plan_node *n, bool (*fn)(void *ctx, const struct expr *e),
                     void *ctx);
/* Calls fn for each child: left, right, arms of an APPEND. */
bool plan_node_children(const struct plan_node *n,
                        bool (*fn)(void *ctx, const struct plan_node *child), void *ctx);

#endif
