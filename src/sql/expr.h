/* Bound expressions: every name looked up, every type known, every coercion explicit. Immutable once
 * bound, but for the planner's rewriting of columns into slots, which copies. */
#ifndef HELIOS_SQL_EXPR_H
#define HELIOS_SQL_EXPR_H

#include "catalog/catalog.h"
#include "sql/ast.h"

struct query;
struct plan;

enum expr_kind {
    EXPR_CONST,
    EXPR_PARAM,
    EXPR_COLUMN,    /* of the query's range table; gone after planning */
    EXPR_SLOT,      /* column of the operator's input batch; made by the planner */
    EXPR_OUTER,     /* a value of the enclosing query: parameter of a correlated subplan */
    EXPR_CALL,      /* function or operator */
    EXPR_BOOL,
    EXPR_NULL_TEST,
    EXPR_BOOLEAN_TEST,
    EXPR_CASE,
    EXPR_COALESCE,
    EXPR_MIN_MAX,
    EXPR_DISTINCT,  /* args[0] IS DISTINCT FROM args[1], by operator `proc` (=) */
    EXPR_NULLIF,
    EXPR_CAST,
    EXPR_ANY,       /* args[0] op ANY/ALL (args[1]: array), by `proc` */
    EXPR_IN_LIST,   /* args[0] = any of args[1..]; NOT IN when `negated` */
    EXPR_ARRAY,
    EXPR_SUBSCRIPT, /* args[0][args[1]]…; slice: args in pairs */
    EXPR_ROW,       /* of a row type: as many args as that has columns */
    EXPR_FIELD,     /* of the composite value args[0] */
    EXPR_SUBQUERY,
    EXPR_AGGREGATE,
    EXPR_WINDOW,
    EXPR_SQL_VALUE,
    EXPR_GROUPING,
};

enum cast_method {
    CAST_RELABEL,   /* same representation */
    CAST_FUNCTION,  /* cast_value (types/cast.h) */
    CAST_TEXT_IO,   /* through the text form */
    CAST_ARRAY,     /* element by element */
    CAST_TYPMOD,    /* same type, to a typmod */
};

struct expr {
    uint8_t kind;           /* enum expr_kind */
    type_id type;
    int32_t typmod;         /* -1 */
    int location;           /* byte offset in the text, -1 */
    uint32_t arg_count;
    struct expr **args;
    union {
        struct datum constant;                       /* CONST */
        int param;                                   /* PARAM: 1.. ; OUTER: index into plan's outer values */
        struct {
            uint32_t relation;                       /* index into query.relations */
            uint32_t column;                         /* 0.. : position among that relation's columns */
            uint32_t levels_up;                      /* 0: this query */
        } column;                                    /* COLUMN */
        uint32_t slot;                               /* SLOT */
        struct {
            const struct proc_def *proc;
            const struct operator_def *op;           /* NULL for a function call */
            bool variadic_array;                     /* last argument is the array itself */
            bool sql_syntax;                         /* written as EXTRACT(…) and the like: deparse */
        } call;                                      /* CALL, DISTINCT, NULLIF, IN_LIST */
        struct {
            const struct proc_def *proc;
            const struct operator_def *op;
            bool all;
        } any;                                       /* ANY */
        uint8_t bool_op;                             /* BOOL: enum bool_op */
        struct {
            bool negated;                            /* NULL_TEST: IS NOT NULL */
            bool as_whole;                           /* NULL_TEST: of a composite value alone, whatever
                                                        its fields are */
        };
        uint8_t boolean_test;                        /* BOOLEAN_TEST */
        struct {
            bool has_operand;  /* args: [operand], (condition, result)…, else. With an operand the
                                  conditions are whole comparisons that hold a copy of it */
        } case_when;                                 /* CASE: args = (cond, result)*, else (always) */
        bool least;                                  /* MIN_MAX */
        struct {
            uint8_t method;                          /* enum cast_method */
            bool is_explicit;
        } cast;                                      /* CAST: args[0] */
        struct {
            uint8_t type;                            /* enum sublink_kind */
            struct query *query;
            /* ANY, ALL: args[0..n) op_i subquery column i; ops as calls over (arg, column). */
            const struct operator_def **ops;
            bool negated;                            /* NOT IN, bound as <> ALL */
            uint32_t plan_index;                     /* planner: into plan.subplans */
        } subquery;                                  /* SUBQUERY */
        struct {
            const struct proc_def *proc;             /* NULL: count(*) is proc count() */
            bool distinct, star;
            struct expr *filter;
            struct sort_item *order_by;
            uint32_t order_count;
            uint32_t direct_count;                   /* ordered-set: leading direct args */
            bool within_group;                       /* ordered-set */
            uint32_t slot;                           /* planner's */
        } aggregate;                                 /* AGGREGATE */
        struct {
            const struct proc_def *proc;
            uint32_t window;                         /* index into query.windows */
            struct expr *filter;
            bool star, distinct;
        } window;                                    /* WINDOW */
        struct {
            bool slice;
            uint32_t dims;
        } subscript;                                 /* SUBSCRIPT */
        struct {
            const char *const *row_names;            /* of its fields; NULL: not told */
            bool row_is_value;                       /* a relation's or a variable's, not written as ROW(…) */
            bool row_may_lack;                       /* NULL when all fields are: of an outer join */
        };                                           /* ROW */
        struct {
            uint32_t number;                         /* from 0 */
            const char *name;
        } field;                                     /* FIELD */
        uint8_t sql_value;                           /* SQL_VALUE: enum sql_value */
    };
};

struct sort_item {
    struct expr *expr;      /* in query.order_by of plain queries: refers to a target, see query.h */
    bool descending, nulls_first;
};

/* Walks children (arguments, filters, order-by expressions; not into subqueries). Stops and returns
 * false when fn does. */
bool expr_walk(const struct expr *e, bool (*fn)(void *ctx, const struct expr *child), void *ctx);
/* A copy of one level whose children fn replaces. */
struct expr *expr_map(struct arena *a, const struct expr *e,
                      struct expr *(*fn)(void *ctx, struct expr *child), void *ctx);
/* The function that the node itself calls; NULL: none. */
const struct proc_def *expr_proc(const struct expr *e);
bool expr_equal(const struct expr *a, const struct expr *b); /* structural; locations ignored */
bool expr_is_volatile(const struct expr *e);   /* calls a volatile function, subqueries included */
bool expr_is_constant(const struct expr *e);   /* immutable, no columns, parameters or subqueries */
struct expr *expr_const(struct arena *a, type_id type, struct datum d);
/* SQL text. DEPARSE_DISPLAY is pg_get_expr's form, as PostgreSQL's ruleutils prints it, names qualified
 * where the search path does not find them. DEPARSE_STORAGE is what the catalog keeps: it reads back
 * to the same expression whatever the search path (types qualified, regclass constants as numbers).
 * Columns print as bare names of relation 0's columns, or alias.name when `qualify`. */
enum deparse_mode { DEPARSE_DISPLAY, DEPARSE_STORAGE };
struct deparse_options {
    enum deparse_mode mode;
    bool qualify;
    const struct catalog *catalog;
    const struct search_path *path;
    /* For EXPLAIN: on one line, and this is asked first at every expression; true when it printed
     * it. NULL: not asked. */
    bool (*print)(void *ctx, const struct expr *e, struct strbuf *out);
    void *print_ctx;
};
/* A name, quoted when it must be. */
void expr_identifier(const char *name, struct strbuf *out);
void expr_deparse(const struct expr *e, const struct query *q, const struct deparse_options *o,
                  struct strbuf *out);
/* As a key of ORDER BY or GROUP BY: calls stand in brackets, and no constant reads as a position. */
void expr_deparse_key(const struct expr *e, const struct query *q, const struct deparse_options *o,
                      struct strbuf *out);

#endif
