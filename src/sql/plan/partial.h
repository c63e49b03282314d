/* Partial indexes: whether one has all rows that are asked for. */
#ifndef HELIOS_SQL_PLAN_PARTIAL_H
#define HELIOS_SQL_PLAN_PARTIAL_H

#include "sql/plan/plan_priv.h"

/* Do the conditions imply the predicate of the relation's index? */
bool index_covers(struct level *l, uint32_t relation, uint16_t index, struct expr **conjuncts,
                  uint32_t n);
/* Notes in the plan when a parameter keeps an index with a predicate or a constant in its key from
 * being used: with the parameter's value it might be. */
void note_literals(struct level *l, uint32_t relation, struct expr **conjuncts, uint32_t n);

#endif
