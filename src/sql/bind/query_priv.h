/* What the files that bind queries (from.c, join.c, cte.c, setop.c …) share among themselves. */
#ifndef HELIOS_SQL_BIND_QUERY_PRIV_H
#define HELIOS_SQL_BIND_QUERY_PRIV_H

#include "base/fiber.h"
#include "sql/bind/resolve_priv.h"

/* Half of a stack is left to those who walk the bound statement later, and do not ask. */
enum { SCOPE_DEPTH_MAX = 1000, BIND_STACK_MIN = FIBER_STACK_BYTES / 2 };

/* A WITH item while its query is bound: references may come before it has one. */
enum cte_state { CTE_WAITING, CTE_LEFT, CTE_RIGHT, CTE_BOUND };
struct cte_item {
    struct cte cte;                /* first: scope->ctes holds &item->cte */
    struct cte_list *list;         /* cte.c's */
    const struct ast_cte *ast;
    struct scope *owner;           /* of the WITH list */
    enum cte_state state;
    bool may_recurse, union_form;
    int reference_location;        /* the last reference to itself */
    struct cte_rewrite *rewrite;   /* SEARCH, CYCLE (search_cycle.c); NULL */
};

/* The item's query with the columns of SEARCH and CYCLE; and its right side, once the left one is bound. */
enum status bind__search_cycle(struct cte_item *item, const struct ast_select *ast,
                               const struct ast_select **ret) MUST;
enum status bind__search_cycle_right(struct cte_item *item) MUST;
/* How many of the item's last columns a star does not mean: within itself those. */
uint32_t bind__hidden_columns(const struct cte_item *item);

/* One item of FROM: its relations are added to the query and its names to scope->names. */
enum status bind__from_item(struct scope *s, const struct ast *ast, struct from_item **ret) MUST;
enum status bind__join(struct scope *s, const struct ast_join *ast, struct from_item **ret) MUST;
/* Adds the relation to the query, and to the names as said; its index. */
uint32_t bind__add_relation(struct scope *s, struct relation *r, bool columns_visible,
                            bool name_visible);
/* Renames the first columns of r; 42P10 when there are too many names. */
/* TABLESAMPLE, behind a table's name. */
enum status bind__sample(struct scope *s, const struct ast_range_var *rv, struct relation *r) MUST;
enum status bind__alias_columns(struct relation *r, const struct name_list *names) MUST;
/* 42712 when a name of the items [a, a_end) is among those of [b, b_end). */
enum status bind__name_conflicts(struct scope *s, size_t a, size_t a_end, size_t b,
                                 size_t b_end) MUST;
void bind__note_table(struct bind_env *env, const struct table_def *t);
/* A view that is to be changed, by triggers: its rows are those of its query. */
enum status bind__view_target(struct scope *s, const struct table_def *t, struct relation *r) MUST;
/* 42P01 and its like; never NULL when OK. */
enum status bind__find_table(struct scope *s, const struct ast_range_var *rv,
                             const struct table_def **ret) MUST;

/* The WITH item of that name that the scope sees, bound far enough to be read; NULL: none. */
enum status bind__find_cte(struct scope *s, const char *name, int location, struct cte **ret,
                           uint32_t *ret_levels) MUST;
/* Is there one of that name that cannot be seen yet? */
bool bind__is_later_cte(const struct scope *s, const char *name);
/* 42P19 when the item refers to itself where it must not. */
enum status bind__check_recursion(struct scope *s, const struct cte_item *item,
                                  const struct query *q) MUST;
/* The left side of a UNION that may be recursive is bound: its columns are the CTE's. */
enum status bind__cte_left_done(struct scope *s, struct cte_item *item,
                                const struct query *left) MUST;

/* The arms of a set operation into s->query; `recursive`: the WITH item it is the query of. */
enum status bind__set_op(struct scope *s, const struct ast_select *ast,
                         struct cte_item *recursive) MUST;
/* bind__select, perhaps with literals left unknown, perhaps as the query of a WITH item. */
enum status bind__select_in(struct bind_env *env, struct scope *parent,
                            const struct ast_select *ast, bool keep_unknown,
                            struct cte_item *recursive, struct query **ret) MUST;
/* Before a bound query's column gets another expression: DISTINCT and ORDER BY keep the old one. */
void bind__keep_original(struct scope *s, struct query *q, uint32_t column);
/* VALUES rows as relation 0 of s->query, and targets over it. */
enum status bind__values(struct scope *s, const struct ast_select *ast) MUST;
void bind__values_relation(struct scope *s, struct expr ***rows, uint32_t row_count,
                           const struct rel_column *columns, uint32_t width);
/* 42601 when the row is not as long as the first. */
enum status bind__same_length(struct scope *s, const struct ast_select *ast, uint32_t row) MUST;
/* Targets of type unknown become text, in place. */
enum status bind__resolve_targets(struct scope *s, struct target *targets, uint32_t count) MUST;
/* ORDER BY of a set operation: output names and positions only. */
enum status bind__order_set_op(struct scope *s, const struct ast_list *items) MUST;
/* The target that an item of ORDER BY (`sql92`: names mean output columns), DISTINCT ON or GROUP BY
 * means; a new junk target when there is none. */
enum status bind__find_target(struct scope *s, const struct ast *ast, enum place place,
                              uint32_t *ret) MUST;
const struct expr *bind__without_implicit_casts(const struct expr *e);
/* The same for GROUP BY: UINT32_MAX and the expression when no target is meant. */
enum status bind__match_target(struct scope *s, const struct ast *ast, enum place place,
                               uint32_t *ret_target, struct expr **ret_expr) MUST;
enum status bind__distinct_clause(struct scope *s, const struct ast_select *ast) MUST;
enum status bind__group_clause(struct scope *s, const struct ast_list *items, bool distinct) MUST;
/* 42803, 42P20 when e holds an aggregate or a window call, where `construct` allows none. */
enum status bind__no_aggregate(struct scope *s, const struct expr *e, const char *construct) MUST;
/* A count of rows, as int8: LIMIT, ROWS … PRECEDING. 42804, 42P10 when it reads columns. */
enum status bind__row_count(struct scope *s, const struct ast *ast, enum place place,
                            const char *construct, struct expr **ret) MUST;
enum status bind__no_variables(struct scope *s, const struct expr *e, const char *construct) MUST;
/* FOR UPDATE and its kind, after all else. */
enum status bind__locking(struct scope *s, const struct ast_select *ast) MUST;
const char *bind__lock_name(int strength);
/* A target more; its index. */
uint32_t bind__add_target(struct scope *s, struct target t);
/* Where an expression begins: an operator's own place is behind its left operand. */
int bind__begin(const struct expr *e);
/* An item of ORDER BY: direction and nulls. */
enum status bind__sort_order(struct scope *s, const struct ast_sort_by *ast, bool *ret_descending,
                             bool *ret_nulls_first) MUST;

/* SET a.b = value: *ret is the column's row `row` with that field another. `value` NULL: DEFAULT. */
enum status bind__assign_field(struct scope *s, const struct ast_target *t, struct expr *row,
                               struct expr *value, struct expr **ret) MUST;
/* `name [, name] = value` of UPDATE and DO UPDATE. */
enum status bind__assignments(struct scope *s, const struct ast_list *targets) MUST;
/* 428C9 when a column is set that only the table may set; the list has been bound. */
enum status bind__check_assignments(const struct scope *s, const struct ast_list *targets) MUST;
/* INSERT of MERGE: one row over the scope's names, or defaults alone. */
enum status bind__merge_insert(struct scope *s, const struct ast_merge_when *w,
                               struct merge_action *ret) MUST;
enum status bind__returning(struct scope *s, const struct ast_list *items) MUST;
/* Makes relation 0, the target table, visible to RETURNING and the like. */
void bind__show_target(struct scope *s);
/* What DEFAULT means for a column: its default, its identity, or null; of the column's type. */
enum status bind__default(struct scope *s, const struct table_def *t, uint32_t column,
                          struct expr **ret) MUST;
/* A stored expression over relation 0's columns (none when !columns). */
enum status bind__stored(struct scope *s, const char *sql, bool columns, const char *what,
                         struct expr **ret) MUST;
/* The triggers of the target table that these events may fire. */
enum status bind__triggers(struct scope *s, const struct table_def *t, uint8_t events) MUST;
/* Expressions and predicates of the table's indexes, over the relation. */
enum status bind__index_rules(struct scope *s, uint32_t relation) MUST;
/* Once all else is bound. */
enum status bind__foreign_keys(struct scope *s) MUST;
enum status bind__on_conflict(struct scope *s, const struct ast_on_conflict *ast) MUST;
/* Index into t->columns of the column of that name, or UINT32_MAX. */
uint32_t bind__table_column(const struct table_def *t, const char *name);


/* --- past.c: AS OF ---------------------------------------------------------------------------- */

struct past_scope {
    const struct catalog *catalog;
    uint32_t moment;
};
/* Until bind__leave_past names are looked up at the reference's moment. */
enum status bind__enter_past(struct scope *s, const struct ast_range_var *rv,
                             struct past_scope *ret) MUST;
void bind__leave_past(struct scope *s, const struct past_scope *p);
/* With VERSIONS: the table that is read in place of *t, and the span; else NULL. */
enum status bind__versions(struct scope *s, const struct ast_range_var *rv,
                           const struct table_def **t, struct table_versions **ret) MUST;
/* The relation is read as of then; an error if it cannot be. */
enum status bind__mark_past(struct scope *s, const struct ast_range_var *rv,
                            struct relation *r) MUST;

/* json_subscript.c: of a jsonb value, and what a column becomes when a part of it is set. */
enum status bind__json_assignment(struct scope *s, struct expr *document,
                                  const struct ast_subscript *steps, uint32_t n,
                                  struct expr *value, struct expr **ret) MUST;
enum status bind__json_subscript(struct scope *s, struct expr *document,
                                 const struct ast_subscript *steps, uint32_t n, enum place place,
                                 struct expr **ret) MUST;
/* row_shape.c: of a relation whose columns a column definition list has told. */
void bind__add_row_shape(struct scope *s, const struct relation *r, struct expr *call);

#endif
