/* Changing a bound query into a simpler one with the same rows, before it is planned. */
#ifndef HELIOS_SQL_PLAN_PULLUP_H
#define HELIOS_SQL_PLAN_PULLUP_H

#include "sql/plan/ties.h"

/* Plain subqueries of FROM become part of the query. */
void pull_up(struct planner *p, struct query *q);
/* A condition on the columns of subquery `s` is put into it; false: it must stay above. */
bool push_condition(struct planner *p, struct query *s, struct expr *e);
/* Outer joins whose extra rows WHERE removes anyway become inner ones (simplify_outer.c). */
void simplify_outer(struct planner *p, struct query *q);

#endif
