/* In which order sources are joined: a choice over numbers alone, which knows no plans. */
#ifndef HELIOS_SQL_PLAN_JOIN_ORDER_H
#define HELIOS_SQL_PLAN_JOIN_ORDER_H

#include <stdbool.h>

#include "base/arena.h"

enum { ORDER_EXACT_MAX = 12, ORDER_SOURCES_MAX = 64, ORDER_NONE = -1 };

/* Conditions between sources: all of `left` on one side, all of `right` on the other make them keys of
 * a hash join. Without sides (left = 0) it is just a condition that reads `right`. */
struct order_edge {
    uint64_t left, right;
    double fraction; /* of the pairs that it keeps */
};
struct order_problem {
    uint32_t count, edge_count;
    const double *rows, *cost;        /* of each source */
    const struct order_edge *edges;
    const double *probe;              /* [i * count + k]: cost of a lookup in source i by a row that has
                                         source k; 0: there is no index for that */
    bool any_pair;                    /* also what no condition connects may be joined */
};
/* A tree: the sources first (nodes 0 .. count-1), then joins; the last one is the root. */
struct order_node {
    int32_t left, right; /* ORDER_NONE: a source */
    bool by_index;       /* right is looked up */
    double rows, cost;
};
struct order {
    struct order_node *nodes;
    uint32_t count;
};

/* The cheapest tree up to ORDER_EXACT_MAX sources, a good one beyond. At most ORDER_SOURCES_MAX. When
 * there is none (a condition reads three sources that nothing else connects), then of any pairs. */
void order_joins(struct arena *a, const struct order_problem *p, struct order *ret);
/* Rows of the join of a set of sources. */
double order_rows(const struct order_problem *p, uint64_t set);
/* The cheapest way to join two; what it costs beyond them. */
double order_join_cost(const struct order_problem *p, uint64_t left, uint64_t right,
                       double rows_left, double rows_right, double rows, bool *ret_by_index);
/* May the two be joined without a cross product, or with one that cannot be helped? */
bool order_joinable(const struct order_problem *p, uint64_t left, uint64_t right);

#endif
