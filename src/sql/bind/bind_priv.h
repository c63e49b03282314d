/* The inside of the binder, for this folder. A `scope` is one query level while it is bound; names are
 * looked up in it, then in its parents. */
#ifndef HELIOS_SQL_BIND_BIND_PRIV_H
#define HELIOS_SQL_BIND_BIND_PRIV_H

#include "sql/bind/bind.h"
#include "types/cast.h"

/* Where an expression stands: decides what may stand in it, and the words when it may not
 * (PostgreSQL's ParseExprKind). */
enum place {
    PLACE_OTHER,
    PLACE_SELECT,   /* select list */
    PLACE_WHERE,
    PLACE_ON,       /* JOIN … ON */
    PLACE_FROM,     /* function in FROM */
    PLACE_SUBSELECT, /* subquery in FROM */
    PLACE_GROUP_BY,
    PLACE_HAVING,
    PLACE_ORDER_BY,
    PLACE_DISTINCT_ON,
    PLACE_LIMIT,
    PLACE_OFFSET,
    PLACE_FILTER,
    PLACE_WINDOW_PARTITION,
    PLACE_WINDOW_ORDER,
    PLACE_WINDOW_FRAME,
    PLACE_VALUES,
    PLACE_INSERT,   /* select list of the source of INSERT */
    PLACE_UPDATE,   /* SET source */
    PLACE_RETURNING,
    PLACE_MERGE_WHEN,
    PLACE_STORED,   /* bind_expression: scope.what names it */
};

/* A relation whose names can be used in the scope. */
struct name_item {
    uint32_t relation;      /* in scope->query->relations */
    bool columns_visible;   /* by bare column name */
    bool name_visible;      /* as alias.column */
    bool lateral_only;      /* visible to LATERAL items alone: the left side of the FROM being bound */
    bool lateral_ok;        /* false: a LATERAL reference to it is an error (RIGHT/FULL join) */
};

struct scope {
    struct bind_env *env;
    struct scope *parent;
    struct query *query;
    ARRAY(struct name_item) names; /* in env->arena (ARENA_PUSH) */
    enum place place;              /* where the subquery that is being bound stands */
    const char *what;              /* PLACE_STORED: "DEFAULT expressions", "check constraints" …;
                                      PLACE_WINDOW_FRAME: the frame's mode */
    bool lateral_active;           /* binding a LATERAL item: lateral_only names may be used */
    bool in_aggregate;             /* inside the arguments of an aggregate: no nesting */
    bool in_window;
    /* WITH lists of this level, visible here and below. The one that is being bound recursively has
     * query NULL in its left-side phase. */
    ARRAY(struct cte *) ctes;
    uint32_t depth;                /* of parents; bounded: STATEMENT_TOO_COMPLEX */
};

/* --- expressions (expression.c, name.c, call.c, operator.c, coerce.c …) --- */

/* With literals of type unknown left TYPE_UNKNOWN. Sets the query's has_aggregates, has_windows,
 * has_srf of the level that owns them. */
enum status bind__expression(struct scope *s, const struct ast *ast, enum place place,
                             struct expr **ret) MUST;
/* As a condition: must be boolean, "argument of WHERE must be type boolean, not type integer". */
enum status bind__condition(struct scope *s, const struct ast *ast, enum place place,
                            const char *construct, struct expr **ret) MUST;
/* Unknown literals that stay so become text (select lists, GROUP BY …). */
enum status bind__resolve_unknown(struct scope *s, struct expr *e, struct expr **ret) MUST;
/* Implicit, assignment or explicit coercion; 42846 "cannot cast type x to y" (explicit), 42804
 * otherwise is the caller's: CANNOT_COERCE (no message) when there is no way and !explicit. Params of
 * unknown type take the target type. */
bool bind__can_coerce(type_id from, type_id to, enum cast_context context);
enum status bind__coerce(struct scope *s, struct expr *e, type_id to, int32_t typmod,
                         enum cast_context context, int location, struct expr **ret) MUST;
/* The common type of several expressions (UNION, CASE, VALUES, ARRAY …; chapter 10.5): `construct` for
 * "UNION types integer and text cannot be matched". */
enum status bind__common_type(struct scope *s, struct expr *const *items, uint32_t count,
                              const char *construct, type_id *ret) MUST;
/* left or right NULL: prefix. By chapter 10.2; 42883 "operator does not exist: integer + text". */
enum status bind__operator(struct scope *s, const struct name_list *name, struct expr *left,
                           struct expr *right, int location, struct expr **ret) MUST;
/* The = or < operator of a type for GROUP BY, DISTINCT, ORDER BY: 42883 "could not identify an
 * ordering operator for type x" / "an equality operator". */
enum status bind__check_sortable(struct scope *s, const struct expr *e, int location) MUST;
enum status bind__check_hashable(struct scope *s, const struct expr *e, int location) MUST;
/* A column of a relation of the scope's query, as an expression. */
struct expr *bind__column(struct scope *s, uint32_t relation, uint32_t column, int location);
/* The error with its position: returns FAIL's code after error_at. */
enum status bind__at(const struct scope *s, int location, enum status code);
/* The name a target gets without AS ("?column?", function name, column name, "case" …). */
const char *bind__target_name(const struct ast *ast);
/* Output columns of `*` and `t.*`, as column expressions with names. */
enum status bind__expand_star(struct scope *s, const struct ast_column_ref *ref,
                              struct target **ret, uint32_t *ret_count) MUST;

/* --- queries (from.c, select.c, group.c, setop.c, cte.c, values.c, insert.c, update.c …) --- */

struct query *bind__query_new(struct scope *s, enum command command);
void bind__scope_init(struct scope *s, struct bind_env *env, struct scope *parent);
/* A SELECT (set operations, VALUES, WITH included) below `parent` (NULL: top), whose `place` says
 * where it stands. The result's parent is parent->query. */
enum status bind__select(struct bind_env *env, struct scope *parent, const struct ast_select *ast,
                         struct query **ret) MUST;
/* Adds the FROM list's items to the scope's query and names. */
enum status bind__from(struct scope *s, const struct ast_list *from) MUST;
/* The target table of INSERT, UPDATE, DELETE as relation 0 (no FROM item). 42P01, 42809 for views. */
enum status bind__target_table(struct scope *s, const struct ast_range_var *rv,
                               bool visible, uint32_t *ret_relation) MUST;
/* A relation entry for a table, its columns filled. */
struct relation *bind__relation_of_table(struct bind_env *env, const struct table_def *t,
                                         const char *alias);
enum status bind__with(struct scope *s, const struct ast_with *with) MUST;
enum status bind__order_by(struct scope *s, const struct ast_list *items) MUST;
enum status bind__group_by(struct scope *s, const struct ast_list *items) MUST;
/* After all clauses: 42803 'column "t.x" must appear in the GROUP BY clause or be used in an aggregate
 * function' (functional dependency on a primary key counts). */
enum status bind__check_grouping(struct scope *s) MUST;
/* A target list with stars expanded. */
/* PostgreSQL's bound on the entries of a target list, those of ORDER BY and GROUP BY included. */
enum status bind__check_targets(uint32_t count) MUST;
enum status bind__targets(struct scope *s, const struct ast_list *items, enum place place,
                          struct target **ret, uint32_t *ret_count) MUST;
enum status bind__limit(struct scope *s, const struct ast_select *ast) MUST;
enum status bind__windows(struct scope *s, const struct ast_list *windows) MUST;
/* The window of an OVER clause, added to the query when new. */
enum status bind__over(struct scope *s, const struct ast_window *w, uint32_t *ret) MUST;
enum status bind__insert(struct bind_env *env, const struct ast_insert *ast, struct scope *parent,
                         struct query **ret) MUST;
enum status bind__update(struct bind_env *env, const struct ast_update *ast, struct scope *parent,
                         struct query **ret) MUST;
enum status bind__delete(struct bind_env *env, const struct ast_delete *ast, struct scope *parent,
                         struct query **ret) MUST;
enum status bind__merge(struct bind_env *env, const struct ast_merge *ast, struct query **ret) MUST;
/* Defaults, generated columns and CHECKs of the target table, bound over relation 0. */
enum status bind__table_rules(struct scope *s, const struct table_def *t, bool with_defaults) MUST;

/* --- rights.c: what a statement's user must be allowed to do; catalogs ask for nothing -------- */

void bind__need(struct bind_env *env, const struct table_def *t, uint32_t rights);
/* The table was named together with its schema. */
enum status bind__need_schema(struct scope *s, const struct table_def *t, int location) MUST;
/* A column of that relation is read, of the statement's target perhaps. */
void bind__reads(struct scope *level, uint32_t relation);
/* The statement's target is changed so, and every view and table below it. */
void bind__writes(struct scope *s, uint32_t rights);
/* Are its tables read by whoever reads it (security_invoker)? */
bool bind__is_invoker_view(const struct table_def *t);

#endif
