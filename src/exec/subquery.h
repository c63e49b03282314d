/* Subqueries inside expressions: EXPR_SUBQUERY names a subplan of the plan, which runs through
 * x->run. One that depends on nothing outside runs once an execution; its result is kept (rows
 * hashed for IN). A correlated one runs for each row, with x->outer set. */
#ifndef HELIOS_EXEC_SUBQUERY_H
#define HELIOS_EXEC_SUBQUERY_H

#include "exec/eval.h"

enum status exec_subquery_eval(struct execution *x, const struct expr *e, const struct datum *slots,
                               struct arena *a, struct datum *ret) MUST;
enum status exec_subquery_eval_batch(struct execution *x, const struct expr *e,
                                     const struct batch *in, struct arena *a,
                                     struct vec *ret) MUST;
/* For a parallel run: makes the result of one that is kept; all that are made so far, as they stand; and
 * takes over another execution's, which must outlive this one. */
enum status exec_subquery_prepare(struct execution *x, const struct expr *e) MUST;
const struct subplan_state *exec_subquery_kept(struct execution *x);
void exec_subquery_take(struct execution *x, const struct subplan_state *kept);

#endif
