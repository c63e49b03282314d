/* Expressions: a batch at a time for operators, a row at a time for point plans, DML and checks.
 *
 * Both forms give the same values and raise the same errors. What SQL leaves unevaluated stays so:
 * branches of CASE and COALESCE, sides of AND and OR that no longer matter, rows that an earlier
 * condition removed are never touched, so that they can raise nothing. */
#ifndef HELIOS_EXEC_EVAL_H
#define HELIOS_EXEC_EVAL_H

#include "exec/execution.h"
#include "types/vec.h"

/* *ret is valid at the batch's selected rows and may share memory with the batch. `a` has to live
 * as long as *ret is read: the batch. Slots are the batch's columns. */
enum status exec_eval(struct execution *x, const struct expr *e, const struct batch *in,
                      struct arena *a, struct vec *ret) MUST;

/* One row: slots[i] is the value of EXPR_SLOT i (may be NULL when the expression has none). Bytes
 * of the result lie in `a`, in a slot, or in the plan. */
enum status exec_eval_row(struct execution *x, const struct expr *e, const struct datum *slots,
                          struct arena *a, struct datum *ret) MUST;

/* Positions of the selected rows where cond is TRUE go to sel_out (room for in->count; may be
 * in->sel itself). cond NULL: all. */
enum status exec_filter(struct execution *x, const struct expr *cond, const struct batch *in,
                        struct arena *a, uint16_t *sel_out, uint32_t *ret_count) MUST;
/* cond is TRUE for the row; cond NULL: true. */
enum status exec_test_row(struct execution *x, const struct expr *cond, const struct datum *slots,
                          struct arena *a, bool *ret) MUST;

/* Calls a function with values, as operators need it (comparisons of ANY, merge of aggregates …).
 * Strict functions give NULL for a NULL argument. `site` tells the types and keeps the state. */
enum status exec_call(struct execution *x, const struct expr *site, const struct proc_def *proc,
                      const struct datum *args, uint32_t arg_count, struct arena *a,
                      struct datum *ret) MUST;

#endif
