/* Correlated subqueries inside expressions as joins. */
#ifndef HELIOS_SQL_PLAN_DECORRELATE_H
#define HELIOS_SQL_PLAN_DECORRELATE_H

#include "sql/plan/ties.h"

/* Does the expression hold a subquery that plan_sublinks could turn into a join? */
bool has_sublink(struct level *l, const struct expr *e);
/* Joins what such subqueries of the expressions give to l->current, for about `rows` rows, where that
 * is cheaper than running them one by one; rewrite() then finds the values in l->sublinks. */
enum status plan_sublinks(struct level *l, struct expr *const *exprs, uint32_t n, double rows) MUST;
/* What running a subquery once for each of so many rows costs. */
enum status subplan_cost(struct level *l, const struct query *q, double rows, double *ret) MUST;

#endif
