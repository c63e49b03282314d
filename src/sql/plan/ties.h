/* Taking a correlated subquery apart into what stands alone and what ties it to the outside. */
#ifndef HELIOS_SQL_PLAN_TIES_H
#define HELIOS_SQL_PLAN_TIES_H

#include "sql/plan/plan_priv.h"
#include "sql/querymap.h"

struct ties {
    struct arena *arena;
    struct query *sub;
    ARRAY(struct expr *) inner;                  /* conjuncts of its WHERE that stay */
    ARRAY(struct expr *) outer_keys, inner_keys; /* hashable equalities; columns as in the subquery */
    ARRAY(struct expr *) rest;                   /* other ties */
};

/* False: something but a condition of WHERE ties it, or a tie cannot be moved. */
bool ties_find(struct planner *p, struct query *sub, struct ties *t);
/* One more condition, as if it stood in the subquery's WHERE. */
bool ties_add(struct ties *t, struct expr *e);
/* Left and right sides of an equality that can be hashed; integers of unlike width are widened. */
bool hashable_equality(struct arena *a, const struct expr *e, struct expr **ret_left,
                       struct expr **ret_right);
bool query_reads_outside(const struct query *q);
/* The expression's position in the select list, to whose end it is put when it is not there. */
uint32_t target_of(struct arena *a, struct query *q, struct expr *e);
/* A tie as the enclosing level sees it: the subquery's columns are slots behind left_columns, in the
 * order of its select list; outer columns are the level's own. */
struct expr *tie_move(struct level *l, struct query *sub, uint32_t left_columns, struct expr *e);
/* For an expression without subqueries that is put into a query `by` levels further in. */
struct expr *raise_columns(struct arena *a, struct expr *e, uint32_t by);

#endif
