/* The binder: looks every name up, finds every type, makes every coercion explicit, by PostgreSQL's
 * rules (documentation chapter 10: operators, functions, value storage, UNION and CASE). */
#ifndef HELIOS_SQL_BIND_BIND_H
#define HELIOS_SQL_BIND_BIND_H

#include "base/array.h"
#include "sql/query.h"

/* Where a text names a table, or what a star in its select lists stands for. */
struct name_use {
    int location;
    const struct ast_range_var *var; /* NULL: a star, a function or a type */
    const struct table_def *table;   /* of a type: the relation that its values are rows of */
    const char *columns;             /* of a star: "t.a, t.b" */
    oid_t function;                  /* of the catalog; 0 */
};

struct bind_env;
typedef enum status (*bind_variable)(void *ctx, struct bind_env *env, const struct name_list *names,
                                     int number, int location, struct expr **ret);

/* A moment that a table is read as of. Plans know it by its number: it has another value in each run. */
struct bound_moment {
    const struct expr *expr;       /* NULL: the session's own */
    uint64_t ts;                   /* when it was bound: 0: it hangs on a parameter without value */
    const struct catalog *catalog; /* that names were looked up in: of then, or, ts being 0, of now; NULL:
                                      none were */
};

struct bind_env {
    struct arena *arena;              /* the query's; lives as long as the plan */
    const struct catalog *catalog;
    const struct search_path *path;
    const char *user;                 /* current_user */
    struct slice text;                /* the statement's text, for error positions */
    const struct format_options *format; /* for literals: DateStyle, zone, now */
    /* Parameters: given types (TYPE_NONE: to be inferred). The binder fills in what it infers and may
     * grow the array up to param_max. */
    type_id *param_types;
    uint32_t param_count, param_max;
    bool params_variable;             /* Parse without all types: infer; else unknown $n is 42P02 */
    /* A stored expression's own table, whose columns are visible; NULL. */
    const struct table_def *self_table;
    /* Parses the stored query of a view, and stored expressions: filled by db, since the binder knows
     * no parser. */
    enum status (*parse_view)(struct arena *a, const char *sql, struct ast **ret);
    enum status (*parse_expression)(struct arena *a, const char *sql, struct ast **ret);
    /* A function that only reads or prints values (int4in), by name; 0: none. May be NULL. */
    oid_t (*io_function)(const char *name);
    /* Out: tables and views looked up, for locks and plan invalidation. */
    ARRAY(const struct table_def *) tables;
    /* Out: what it takes to run the statement. Noted for reads_as, the owner of the view that is being bound; 0: none is. */
    ARRAY(struct needed_right) rights;
    oid_t reads_as;
    bool (*may_use_schema)(void *ctx, const struct schema_def *d); /* so that 42501 has a place; NULL: not asked yet */
    /* Out, when noting: the names in `text` that depend on the search path and on columns. */
    bool noting;
    ARRAY(struct name_use) uses;
    /* Time travel: tables without a moment of their own are read as of this one; 0: now. */
    uint32_t moment;
    const struct catalog *present;    /* of now */
    ARRAY(struct bound_moment) moments; /* by number from 1: the session's own, if any, and, out, others */
    bool once;                        /* out: bound for the moments' values of now: VERSIONS */
    /* The commit timestamp that a bound moment means: of type timestamptz, interval (from now), text or
     * int8 (of a transaction). 0 while it hangs on a parameter without value. NULL: no clauses here. */
    enum status (*past)(void *ctx, const struct expr *e, uint64_t *ret);
    enum status (*catalog_at)(void *ctx, uint64_t ts, const struct catalog **ret);
    void *past_ctx;
    /* Tables that a trigger's function sees by these names; NULL: none. */
    const struct table_def *transitions[2];
    /* Names that are no columns: variables of a function that the text stands in. *ret NULL: there is none of
     * that name. `number` > 0: $n, without names. NULL: no variables here. */
    bind_variable variable;
    void *variable_ctx;
    bool columns_first;               /* a column of the name is meant rather than the variable … */
    bool variables_first;             /* … or the other way round; else it is 42702 */
    ARRAY(const struct function_def *) variants; /* of polymorphic functions, made here */
    bool depends_on_time_zone;        /* out: a literal was read under the session's zone or clock */
};

/* SELECT, INSERT, UPDATE, DELETE, VALUES. */
enum status bind_statement(struct bind_env *env, const struct ast *ast, struct query **ret) MUST;
/* A stand-alone expression over env->self_table's columns (relation 0), or over none; coerced to
 * `type` by assignment when not TYPE_NONE. `what` names the place in errors ("DEFAULT", "CHECK"):
 * subqueries, aggregates, windows and set-returning functions are refused there with PostgreSQL's
 * words ("cannot use subquery in check constraint"). *ret_query is the query with relation 0. */
enum status bind_expression(struct bind_env *env, const struct ast *ast, type_id type,
                            int32_t typmod, const char *what, struct expr **ret,
                            struct query **ret_query) MUST;
/* The moment of AS OF as env->past tells it; 0: now. */
enum status bind_as_of(struct bind_env *env, const struct ast_as_of *a, uint64_t *ret) MUST;
/* A trigger's condition, over the old row (relation 0 of *ret_query) and the new one (1). */
enum status bind_trigger_when(struct bind_env *env, const struct ast *ast,
                              const struct table_def *t, uint8_t type, struct expr **ret,
                              struct query **ret_query) MUST;
/* Why the rows of a view with this query cannot be changed as if they were its table's, in PostgreSQL's words;
 * NULL: they can. `columns`: one of its columns can be assigned to. */
const char *bind_view_fixed(const struct query *q, bool columns);
/* The fields of a composite value of the query; false: that cannot be told. One by name: 42703, 42809. */
bool bind_row_columns(struct bind_env *env, const struct query *q, const struct expr *e,
                      struct row_columns *ret);
enum status bind_field(struct bind_env *env, struct expr *row, const char *name,
                       struct expr **ret) MUST;
/* A type as written: name, modifiers, [] ; 42704 `type "x" does not exist`. serial is not a type here. */
enum status bind_type(struct bind_env *env, const struct ast_type_name *t, type_id *ret,
                      int32_t *ret_typmod) MUST;
/* What a name means as a value of regclass, regtype …: 42P01, 42704, 42883. */
enum status bind_reg_name(struct bind_env *env, type_id type, struct slice text, oid_t *ret) MUST;
/* What an expression without a name is called: "lower", "?column?". */
const char *bind_column_name(const struct ast *ast);
/* The expression as a value of the type by assignment rules; 42804 with PostgreSQL's hint. */
enum status bind_coerce_assignment(struct bind_env *env, struct expr *e, type_id type,
                                   int32_t typmod, const char *column, struct expr **ret) MUST;

#endif
