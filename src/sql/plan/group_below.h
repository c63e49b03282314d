/* Grouping below joins (Yan and Larson, VLDB 1995): rows that are alike for all that a join and what is
 * above it ask are made one before they are joined. */
#ifndef HELIOS_SQL_PLAN_GROUP_BELOW_H
#define HELIOS_SQL_PLAN_GROUP_BELOW_H

#include "sql/plan/plan_priv.h"
#include "sql/querymap.h"

/* The query to plan instead of `q`, which has the same rows: `q` itself, when no other is estimated to
 * be clearly cheaper. */
enum status group_below(struct planner *p, struct query *q, struct query **ret) MUST;

/* --- inside: how a query is split (group_split.c, group_parts.c) --- */

/* What goes below. */
enum split_side {
    SPLIT_UNITS,    /* some items of the FROM list */
    SPLIT_NULLABLE, /* of one item, an outer join, the side that it may fill with NULLs */
    SPLIT_KEPT,     /* its other side */
};
struct split_way {
    enum split_side side;
    uint32_t units; /* SPLIT_UNITS: a bit each item; else the item's number */
};
struct split {
    struct planner *planner;
    struct query *above;          /* a copy, which reads what is below as one relation */
    struct query *below;
    struct relation **relations;  /* all, as `above` numbers them */
    uint64_t *inside;             /* those that go below */
    uint32_t relation;            /* the number of what is below there */
    bool nullable;                /* all columns of what is below may become NULL */
    bool fits;                    /* false: it cannot be done with the same results */
    ARRAY(struct target) targets; /* of what is below, with columns as `above` has them */
    ARRAY(struct expr *) groups;  /* those of them that it is grouped by */
};

/* A copy whose FROM is a flat list without inner joins, which stand in WHERE, and without columns of
 * joins. NULL: it is no query to split. */
struct query *split_prepare(struct planner *p, const struct query *q);
/* False: it cannot be split in this way. */
bool split_query(struct planner *p, const struct query *prepared, const struct split_way *way,
                 struct split *ret);
/* The relations of an item. */
void split_relations(const struct from_item *f, uint64_t *set);

/* A column of what is below, as the query above sees it. */
struct expr *split_column(struct split *s, const struct expr *column);
/* An aggregate of the query above, over what is below where that can be. */
struct expr *split_aggregate(struct split *s, struct query_map *m, struct expr *e);
/* Any other expression of the query above. */
struct expr *split_above(struct query_map *m, struct expr *e);
/* Does it read columns of what is below, and others of the same query? */
void split_reads(const struct split *s, const struct expr *e, bool *ret_inside, bool *ret_beside);

#endif
