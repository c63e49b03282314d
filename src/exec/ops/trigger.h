/* Firing triggers: BEFORE ones as a row is about to be written, AFTER ones when the statement has done all rows.
 * None of this is called for a table whose plan has no triggers. */
#ifndef HELIOS_EXEC_OPS_TRIGGER_H
#define HELIOS_EXEC_OPS_TRIGGER_H

#include "exec/ops/dml.h"

/* Of BEFORE ROW triggers; `assigned`: the columns that the statement sets, of an UPDATE. *row is replaced by
 * what they make of it (in d->arena). *ret_skip: nothing is to be done to the row. */
enum status trigger_before_row(struct dml_run *d, uint8_t event, const bool *assigned,
                                const struct datum *old, struct datum *row, bool *ret_skip) MUST;
/* 27000 when such a trigger has itself changed the row of that key, which was `was`: what is to be written
 * would be made of what is not there any more. */
enum status trigger_check_row(struct dml_run *d, struct slice key, struct slice was,
                              const char *verb) MUST;
/* Of AFTER ROW triggers: they wait. */
enum status trigger_after_row(struct dml_run *d, uint8_t event, const bool *assigned,
                               const struct datum *old, const struct datum *row) MUST;
/* Columns that differ, beside those that were assigned; in d->arena. */
const bool *trigger_changed(struct dml_run *d, const bool *assigned, const struct datum *old,
                             const struct datum *row);
enum status trigger_before_statement(struct execution *x, const struct plan_node *n,
                                      uint8_t event) MUST;
/* Of a table that a referential action is about to change, n its node: the first time its BEFORE STATEMENT
 * triggers. When it has: the AFTER ones wait behind the rows', in place of those of an earlier action. */
enum status trigger_before_action(struct execution *x, const struct plan_node *n, uint8_t event) MUST;
enum status trigger_action_done(struct execution *x, const struct plan_node *n, uint8_t event) MUST;
/* Fires what waits, then AFTER STATEMENT triggers of these events. */
enum status trigger_finish(struct execution *x, const struct plan_node *n, uint8_t events) MUST;
/* Where several parts of a statement write: of a part that has, its AFTER STATEMENT triggers wait, too; and
 * the end of them all. */
enum status trigger_part_done(struct execution *x, const struct plan_node *n, uint8_t events) MUST;
enum status trigger_finish_parts(struct execution *x) MUST;

/* Has the node such triggers? `after`: AFTER ones, else BEFORE ones. */
static inline bool trigger_has(const struct dml *d, bool after)
{
    return d->triggers && ((d->trigger_types[after] & TRIGGER_ROW) || (after && d->transition_events));
}

#endif
