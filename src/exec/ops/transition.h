/* Transition tables of AFTER triggers, while they are filled. */
#ifndef HELIOS_EXEC_OPS_TRANSITION_H
#define HELIOS_EXEC_OPS_TRANSITION_H

#include "exec/execution.h"

/* In the run's memory; gone with it. */
struct transition_rows *transition_new(struct execution *x, const struct table_def *table);
/* A value a table column; copied. */
enum status transition_add(struct transition_rows *t, const struct datum *row) MUST;

#endif
