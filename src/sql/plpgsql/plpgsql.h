/* PL/pgSQL: the body of a function as a tree. Pieces of SQL stay text, with the names that are visible
 * where they stand; whoever runs the tree plans them. The language is that of PostgreSQL 15,
 * documentation chapter 43. */
#ifndef HELIOS_SQL_PLPGSQL_PLPGSQL_H
#define HELIOS_SQL_PLPGSQL_PLPGSQL_H

#include "base/array.h"
#include "base/str.h"

enum pl_var_kind { PL_VAR, PL_CURSOR, PL_RECORD /* type may turn out to be a row type */ };

/* What is visible where a piece stands: newest first, blocks' labels among the names. */
struct pl_name {
    const struct pl_name *outer;
    const char *name;       /* of a block without label: "" */
    bool is_label, is_loop;
    uint32_t var;           /* of a name */
};

/* A piece of SQL. `run` is the runner's own. */
struct pl_target;
struct pl_sql {
    const char *text;
    int line;
    const struct pl_target *target; /* of an assignment: the value is wanted in its type; NULL */
    bool is_expression;     /* to be read as SELECT text, from `skip` on */
    int skip;               /* of an assignment: what stands before its expression */
    const struct pl_name *names;
    void *run;
};

struct pl_var {
    const char *name;
    int line;
    enum pl_var_kind kind;
    const char *type;       /* as written; NULL: the runner knows */
    int type_at;            /* where, in characters from 1 */
    char reference;         /* 't': type is of another variable or column (%TYPE), 'r': %ROWTYPE */
    bool constant, not_null;
    struct pl_sql *initial; /* NULL: NULL */
    /* CURSOR: its query, and its parameters, which are variables [param, param + param_count) */
    struct pl_sql *query;
    uint32_t param, param_count;
    bool scroll, no_scroll;
    int alias_of;           /* -1; a parameter's second name */
};

/* A variable, or a field of one, or elements of an array in it: where a value goes. */
struct pl_target {
    uint32_t var;
    const char *field;      /* NULL: all of it */
    struct pl_sql **subscripts;
    uint32_t subscript_count;
};
struct pl_targets {
    struct pl_target *items;
    uint32_t count;
};

enum pl_kind {
    PL_BLOCK, PL_ASSIGN, PL_IF, PL_CASE, PL_LOOP, PL_WHILE, PL_FOR_INT, PL_FOR_QUERY, PL_FOR_CURSOR,
    PL_FOR_EXECUTE, PL_FOREACH, PL_EXIT, PL_RETURN, PL_RETURN_NEXT, PL_RETURN_QUERY, PL_RAISE,
    PL_ASSERT, PL_EXECSQL, PL_EXECUTE, PL_PERFORM, PL_GET_DIAGNOSTICS, PL_OPEN, PL_FETCH, PL_CLOSE,
    PL_CALL, PL_COMMIT, PL_ROLLBACK
};

struct pl_stmt;
struct pl_body {
    struct pl_stmt **items;
    uint32_t count;
};
struct pl_branch {
    struct pl_sql *test;    /* CASE: list of values "a, b", or the condition */
    struct pl_body body;
};
struct pl_handler {
    const char **conditions; /* names, or SQLSTATEs of 5 characters after a '!' */
    uint32_t condition_count;
    int line;
    struct pl_body body;
};
struct pl_option {          /* RAISE … USING */
    const char *name;       /* "errcode", "message" … */
    struct pl_sql *value;
};
enum pl_level { PL_DEBUG, PL_LOG, PL_INFO, PL_NOTICE, PL_WARNING, PL_EXCEPTION };
struct pl_diagnostic {
    struct pl_target target;
    const char *item;       /* "row_count" */
};

struct pl_stmt {
    enum pl_kind kind;
    int line;
    const char *label;      /* of blocks and loops; the one that EXIT names */
    struct pl_sql *sql;     /* the expression, condition or query */
    struct pl_sql **args;   /* USING, parameters of RAISE, step of FOR, arguments of OPEN */
    uint32_t arg_count;
    struct pl_targets into; /* INTO, FOR's variables */
    struct pl_body body;
    union {
        struct {            /* BLOCK: variables [first, first + count) begin here */
            uint32_t first, count;
            struct pl_handler *handlers;
            uint32_t handler_count;
            uint32_t sqlstate, sqlerrm; /* variables, in handlers */
        } block;
        struct {            /* IF, CASE */
            struct pl_branch *branches;
            uint32_t branch_count;
            bool has_else;  /* else: body */
        } branch;
        struct {            /* FOR_INT: args: lower, upper, step (NULL) */
            uint32_t var;
            bool reverse;
        } loop;
        struct {            /* FOR_CURSOR, OPEN, FETCH, CLOSE */
            uint32_t var;
            bool is_dynamic; /* OPEN FOR EXECUTE */
            bool scroll, no_scroll, move;
            int direction;  /* 'n' next 'p' prior 'f' first 'l' last 'a' absolute 'r' relative
                               'F' forward 'B' backward */
            bool all;
            struct pl_sql *count; /* NULL: 1 */
        } cursor;
        struct {            /* FOREACH */
            int slice;
        } foreach;
        struct {            /* EXIT; CONTINUE */
            bool is_continue;
        } exit;
        struct {            /* RETURN … a variable as a whole */
            bool is_var;
            uint32_t var;
            bool dynamic;   /* RETURN QUERY EXECUTE: sql is its text */
        } ret;
        struct {
            enum pl_level level;
            const char *condition; /* as of handlers; NULL */
            const char *message;   /* format; NULL */
            struct pl_option *options;
            uint32_t option_count;
            bool again;     /* RAISE alone */
        } raise;
        struct {            /* EXECSQL, EXECUTE, FETCH */
            bool into, strict;
        } exec;
        struct {
            bool stacked;
            struct pl_diagnostic *items;
            uint32_t count;
        } diagnostics;
        bool chain;         /* COMMIT, ROLLBACK */
    };
};

/* A parameter of the function, or another variable that is there from the beginning. */
struct pl_given {
    const char *name;       /* NULL: only $n */
    const char *number;     /* "$1", NULL */
};

struct pl_function {
    struct pl_var *vars;    /* given ones first, then FOUND, then declared ones */
    uint32_t var_count, given_count, found;
    struct pl_stmt *body;
    const char *variable_conflict; /* "error", "use_variable", "use_column" */
    bool has_handlers;
    bool may_end;           /* COMMIT, ROLLBACK or CALL stands in it */
};

/* Everything in the arena. `label`: what the outermost names can be qualified with. Errors are
 * PostgreSQL's, with a position in `body` (1-based characters); *ret_line is where. */
enum status plpgsql_parse(struct arena *a, struct slice body, const char *label,
                          const struct pl_given *given, uint32_t given_count,
                          struct pl_function **ret, int *ret_line) MUST;

/* "SQL statement", "RAISE", "FOR with integer loop variable": as errors tell where they were. */
const char *plpgsql_words(const struct pl_stmt *s);
/* SQLSTATEs by the names of conditions: "division_by_zero". NULL: none. One may have several. */
const char *plpgsql_condition(const char *name, uint32_t nth);

/* The variable (or label) that a dotted name means. *ret_used: how many of the names; false: none. */
bool plpgsql_lookup(const struct pl_name *names, const char *const *parts, uint32_t count,
                    uint32_t *ret_var, uint32_t *ret_used);

#endif
