/* Going through a whole bound query and changing its expressions, in place or in a copy. */
#ifndef HELIOS_SQL_QUERYMAP_H
#define HELIOS_SQL_QUERYMAP_H

#include "base/array.h"
#include "sql/query.h"

struct query_map {
    struct arena *arena;
    bool copy;                /* leave the original as it is */
    /* What becomes of a root expression; it calls query_map_subquery for the subqueries it meets. */
    struct expr *(*expr)(struct query_map *m, struct expr *e);
    /* For query_map_columns as `expr`: what becomes of a column, seen from m->at. */
    struct expr *(*column)(struct query_map *m, struct expr *e);
    void *ctx;
    const struct query *at;   /* the (old) query whose expression is mapped */
    ARRAY(const struct query *) old;
    ARRAY(struct query *) made;
    ARRAY(const struct cte *) old_ctes;
    ARRAY(struct cte *) made_ctes;
};

/* Each query is mapped once, however often it is met. */
struct query *query_map_run(struct query_map *m, struct query *q);
struct expr *query_map_subquery(struct query_map *m, struct expr *e);
struct expr *query_map_columns(struct query_map *m, struct expr *e);
/* The query that a column belongs to. */
const struct query *column_owner(const struct query *at, const struct expr *column);

struct query *query_copy(struct arena *a, const struct query *q);
/* A copy whose own subqueries are copies too; `q` is the query that it stands in. */
struct expr *expr_copy(struct arena *a, const struct query *q, const struct expr *e);

#endif
