/* The inside of the planner. */
#ifndef HELIOS_SQL_PLAN_PLAN_PRIV_H
#define HELIOS_SQL_PLAN_PLAN_PRIV_H

#include "base/array.h"
#include "catalog/column_statistics.h"
#include "sql/plan/cost.h"
#include "sql/plan/planner.h"
#include "sql/plan/stats.h"

/* One planning. */
struct planner {
    const struct planner_env *env;
    struct arena *arena;
    struct plan *plan;
    ARRAY(struct subplan) subplans;
    ARRAY(struct plan_node *) ctes;
    ARRAY(const struct table_def *) tables, past_tables;
    ARRAY(uint8_t) locks;
    bool estimating;      /* a plan is made only to learn its cost */
    struct level *levels; /* all query levels being planned, newest first */
};

/* A value of an enclosing query that a level reads: EXPR_OUTER `index`. */
struct outer_ref {
    struct level *target;
    uint32_t relation, column;
    uint32_t index;
};

/* Which relation column a slot of a node holds. */
struct slot_source {
    uint32_t relation, column;
};
/* A node and the meaning of its slots. */
struct source {
    struct plan_node *node;
    struct slot_source *slots;
    uint32_t slot_count;
    uint64_t *relations;  /* bit set over the query's relations */
    struct expr **conjuncts; /* of a table by itself: the conditions that its node checks */
    uint32_t conjunct_count;
    bool may_probe;       /* a table that a join may look up by an index instead */
    /* Key slots, for DML and row locks: relation -> slot. */
};

/* A subquery that was turned into a join, and what stands for it over the level's current source. */
struct sublink_value {
    const struct query *query;
    struct expr *value;
};

/* One query level. */
struct level {
    struct planner *planner;
    struct query *query;
    struct level *older;       /* in planner->levels */
    struct level *parent;      /* that encloses it */
    ARRAY(struct outer_ref) outers;  /* what this level and those inside it read of enclosing ones */
    ARRAY(struct outer_ref) exports; /* values of this level that inner levels read */
    /* LATERAL: relations whose columns nested loops around what is being planned give as outer values
     * (NULL: none), and those that it reads, until the loop over them is made. */
    uint64_t *around;
    ARRAY(struct outer_ref) awaited;
    uint64_t **used;           /* a bit set of columns a relation: those read anywhere */
    bool *used_whole;          /* all columns of the relation are wanted (DML target) */
    int32_t *key_slots;        /* a relation each: wants its key (-1: no) */
    uint32_t word_count;       /* of a bit set over relations */
    struct plan_node **planned; /* a relation each that is no table: its plan, once there is one */
    ARRAY(struct expr *) conjuncts; /* WHERE and inner join conditions not yet placed */
    /* After grouping: */
    bool grouped;
    ARRAY(struct expr *) groups;
    ARRAY(struct aggregate_call) aggregates;
    ARRAY(struct expr *) aggregate_exprs;
    ARRAY(struct expr *) window_exprs; /* window calls; slot = window_base + i */
    uint32_t window_base;
    ARRAY(struct sublink_value) sublinks; /* of expressions over `current` */
    bool keep_order;           /* the rows come in the order that is asked for */
    const struct sort_item *window_order; /* how the last window's rows are sorted; bound */
    uint32_t window_order_count;
    struct source current;     /* what expressions are rewritten against */
};

/* Ends a planning whose statement was canceled or has no more time or memory; asked wherever the work is
 * more than linear in what was written. */
enum status planner_check(const struct planner *p) MUST;

/* --- sets of relations (walk.c) --- */
uint64_t *relset_new(struct level *l);
void relset_add(uint64_t *s, uint32_t relation);
bool relset_has(const uint64_t *s, uint32_t relation);
bool relset_subset(const struct level *l, const uint64_t *a, const uint64_t *b);
bool relset_overlap(const struct level *l, const uint64_t *a, const uint64_t *b);
void relset_union(const struct level *l, uint64_t *into, const uint64_t *from);
bool relset_empty(const struct level *l, const uint64_t *s);
/* Relations of this level that the expression reads, those read inside its subqueries too. */
uint64_t *expr_relations(struct level *l, const struct expr *e);
bool expr_has_subquery(const struct expr *e);
bool expr_has_aggregate(const struct expr *e);
/* Calls fn for each column of an enclosing or this query read anywhere in `q`, with the query that
 * owns it. */
void query_columns(const struct query *q,
                   void (*fn)(void *ctx, const struct query *owner, uint32_t relation,
                              uint32_t column),
                   void *ctx);
void expr_columns(const struct query *q, const struct expr *e,
                  void (*fn)(void *ctx, const struct query *owner, uint32_t relation,
                             uint32_t column),
                  void *ctx);
void split_conjuncts(struct level *l, struct expr *e);
struct expr *make_and(struct planner *p, struct expr **items, uint32_t n); /* NULL for none */
/* Replaces columns of REL_JOIN entries by what they stand for, all over the level's query. */
struct expr *expand_joins(struct level *l, struct expr *e);

/* --- nodes (node.c) --- */
struct plan_node *node_new(struct planner *p, enum plan_kind kind);
void node_columns_from(struct planner *p, struct plan_node *n, const struct plan_node *from);
void node_columns_concat(struct planner *p, struct plan_node *n, const struct plan_node *a,
                         const struct plan_node *b);
struct plan_node *node_filter(struct planner *p, struct plan_node *input, struct expr *condition);
struct plan_node *node_project(struct planner *p, struct plan_node *input, struct expr **exprs,
                               uint32_t n, const char *const *names);
struct expr *expr_slot(struct planner *p, uint32_t slot, type_id type, int32_t typmod);
void planner_use_table(struct planner *p, const struct table_def *t, uint8_t lock);
void planner_use_past(struct planner *p, const struct table_def *t);

/* --- rewriting (rewrite.c) --- */
struct level *level_new(struct planner *p, struct query *q);
/* Columns to slots of l->current, outer columns to EXPR_OUTER, subqueries to subplans; aggregates and
 * window calls to their slots once they are made. */
enum status rewrite(struct level *l, struct expr *e, struct expr **ret) MUST;
enum status rewrite_all(struct level *l, struct expr **in, uint32_t n, struct expr ***ret) MUST;
/* As rewrite with relation 0 at `base0` and relation `other` at `base1` by table column, the rest by
 * l->current shifted by `shift`: for DML's row-shaped inputs. */
struct row_shape {
    uint32_t relation, base;
};
enum status rewrite_rows(struct level *l, struct expr *e, const struct row_shape *shapes,
                         uint32_t shape_count, uint32_t shift, struct expr **ret) MUST;
/* Position among the table's columns of a relation's column. */
uint32_t table_column_of(const struct relation *r, uint32_t column);
int32_t source_slot(const struct source *s, uint32_t relation, uint32_t column);
/* The outer values that planning `inner` left to be set at level `l`: expressions over l, and their
 * numbers. */
void collect_outers(struct level *l, const struct level *inner, struct expr ***ret_exprs,
                    uint32_t **ret_indexes, uint32_t *ret_count);
/* What is being planned reads a column of this level that a nested loop around it has to set. */
uint32_t await_outer(struct level *l, uint32_t relation, uint32_t column);
struct expr *column_expr(struct level *l, uint32_t relation, uint32_t column);
bool level_is_correlated_to(const struct level *inner, const struct level *l);

/* --- parts --- */
/* A query, to its visible targets. */
enum status plan_select(struct planner *p, struct query *q, struct plan_node **ret,
                        struct level **ret_level) MUST;
/* FROM and WHERE: l->current is what is left to compute on. */
enum status plan_from(struct level *l) MUST;
/* Row locks over l->current, sorted before when *ordered is not true yet. */
enum status plan_lock_rows(struct level *l, bool *ordered) MUST;
enum status plan_relation(struct level *l, uint32_t relation, struct source *ret) MUST;
/* A table with conditions on it alone. `given`: relations whose columns are known when it runs (by
 * outer values); their use in keys is turned into EXPR_OUTER. */
struct access_path {
    const struct index_def *index; /* NULL: whole table */
    struct key_range range;        /* bound expressions, not rewritten */
    double rows, cost;
    bool unique;                   /* at most one row */
    ARRAY(struct expr *) keyed;    /* conjuncts that the range stands for */
};
void choose_access(struct level *l, uint32_t relation, struct expr **conjuncts, uint32_t n,
                   const uint64_t *given, struct access_path *ret);
enum status make_scan(struct level *l, uint32_t relation, struct access_path *path,
                      struct expr **conjuncts, uint32_t n, struct source *ret) MUST;
double relation_rows(struct level *l, const struct table_def *t);

/* --- joins (from.c, join_pool.c) --- */
/* left = right, one side of each source, by a hashable operator of one type. */
bool equality_sides(struct level *l, const struct expr *e, const struct source *a,
                    const struct source *b, struct expr **ret_a, struct expr **ret_b);
bool can_probe(struct level *l, const struct source *s, uint32_t *ret_relation);
/* Joins the next source by the conditions that can be checked then: by an index, else by hash with the
 * smaller side in the table. */
enum status join_step(struct level *l, struct source *sofar, struct source *next) MUST;
/* Joins them all, in the order that is estimated cheapest. */
enum status join_pool(struct level *l, struct source *sources, size_t n, struct source *ret) MUST;

/* --- estimates (selectivity.c, estimate.c) --- */
/* Which part of the rows a condition keeps; over columns of `l`, or slots of `input`. Either may be
 * NULL, so may `e`. */
double condition_fraction(struct planner *p, struct level *l, const struct plan_node *input,
                          const struct expr *e);
/* False when the expression is no column. */
bool column_facts_of(struct level *l, const struct plan_node *input, const struct expr *e,
                     struct column_facts *ret);
/* The part of the pairs that equalities of columns keep; `conjuncts` in the form of the query. */
double equalities_fraction(struct level *l, struct expr *const *left, struct expr *const *right,
                           uint32_t n, double rows_left, double rows_right);
/* Distinct rows of the node by its first n columns. */
double distinct_rows(const struct plan_node *n, uint32_t columns);
double join_rows(enum join_kind kind, double a, double b, double fraction);
/* The part of the left rows that find a match. Over slots of the two nodes. */
double semi_join_fraction(const struct plan_node *left, struct expr *const *left_keys,
                          const struct plan_node *right, struct expr *const *right_keys,
                          uint32_t n);
/* Groups of the node's rows by expressions over its slots. */
double group_rows(const struct plan_node *input, struct expr *const *groups, uint32_t n);
void node_column_facts(struct plan_node *n, uint32_t column, const struct plan_node *input,
                       const struct expr *e);

/* Puts the conditions of a table's filter in the order in which they are to be looked at
 * (condition_order.c). */
void order_conditions(struct level *l, struct expr **items, uint32_t n);
/* Raises no error, whatever the row. */
bool cannot_fail(const struct expr *e);
/* Adds to the conjuncts what equalities with constants imply (implied.c). */
void add_implied(struct level *l);
/* Conditions whose subqueries can be joins (semijoin.c, decorrelate.c): taken out of the level's
 * conjuncts, and put on top of l->current once all is joined. */
uint32_t take_late(struct level *l, struct expr ***ret);
enum status plan_late(struct level *l, struct expr **items, uint32_t n) MUST;
/* The value, over l->current, of a subquery that was turned into a join; NULL: it was not. */
struct expr *sublink_value(const struct level *l, const struct expr *e);
/* Constants, truth values and comparisons known beforehand, all over the query, in place (fold.c). */
void fold_query(struct planner *p, struct query *q);
/* The same for one expression without subqueries. */
struct expr *fold_expr(struct planner *p, struct expr *e);
/* Windows (window.c). `exprs`: an expression a target. All window calls go to l->window_exprs. */
void collect_windows(struct level *l, struct expr **exprs);
/* What the used windows read of the rows below them. */
void expressions_of_windows(struct level *l, void (*fn)(struct level *l, struct expr *e, void *ctx),
                            void *ctx);
enum status plan_windows(struct level *l, struct expr **exprs) MUST;
/* Do the rows come from the windows in the order that ORDER BY asks for? */
bool ordered_by_windows(const struct level *l, struct expr **exprs);
/* Checks and generated columns of the level's table, over its rows. */
enum status plan_row_rules(struct level *l, struct plan_node *n) MUST;
/* Foreign keys (foreign.c). */
enum status plan_foreign(struct level *l, struct plan_node *n) MUST;
enum status plan_dml(struct planner *p, struct query *q, struct plan_node **ret) MUST;
enum status plan_cte_reference(struct level *l, struct relation *r, struct plan_node **ret) MUST;
/* The WITH items that write, those that nobody reads, too: before the query itself, so that a copy of it
 * that is planned means the same ones. */
enum status plan_changes(struct planner *p, struct query *q) MUST;
/* Puts GATHER nodes into the finished plan, whose subplans and CTEs are still the planner's. */
void plan_parallel(struct planner *p, struct plan_node **root);

/* --- top_groups.c --- */

void plan_top_groups(struct planner *p, const struct plan_node *root);
/* Fills plan->point when the query is one. Before the query is consumed. */
enum status plan_point(struct planner *p, struct query *q) MUST;

/* by_row.c */
bool plan_is_by_row(const struct planner *p, const struct plan_node *root);

#endif
