/* Running functions: what the pl_*.c files share. A session keeps the code of each function that it has called:
 * the tree of its body, and the plans of the pieces of SQL in it. */
#ifndef HELIOS_DB_PL_PRIV_H
#define HELIOS_DB_PL_PRIV_H

#include "db/plan_cache.h"
#include "db/session_priv.h"
#include "exec/eval.h"
#include "exec/execution.h"
#include "sql/plpgsql/plpgsql.h"

/* --- code (pl_code.c) --- */

/* A variable's type; of a record, what it is the row type of, if that is known. */
struct pl_type {
    bool is_record;
    type_id type;
    int32_t typmod;
    oid_t table;          /* record: rows of this table; 0: of whatever it is given */
};

/* What of a record, or which variable, a parameter of a piece is. */
struct pl_ref {
    uint32_t var;
    int32_t field;        /* -1: the variable itself */
};
/* The shape that a record had when the piece was planned. */
struct pl_seen {
    uint32_t var;
    uint64_t shape;
};
/* An expression that is one call of a built-in function over variables and constants. */
enum { PL_QUICK_ARGS = 2 };
struct pl_quick {
    scalar_fn function;
    uint32_t arg_count;
    const struct datum *args[PL_QUICK_ARGS]; /* constants; NULL: a variable */
    uint32_t vars[PL_QUICK_ARGS];
};
struct pl_piece {
    struct pl_quick quick;      /* function NULL: it is none */
    struct cached_plan *plan;   /* owns the rest */
    uint64_t generation;
    const struct expr *simple;  /* the piece is this expression alone; NULL */
    bool calls;                 /* it calls functions of the catalog */
    bool is_constant;
    struct pl_ref *refs;
    uint32_t ref_count;
    struct pl_seen *seen;
    uint32_t seen_count;
    const char *const *row_names; /* its value is a record with these fields; NULL: not known */
    uint32_t row_count;
};

/* An argument of a SQL function, by name. */
struct pl_code {
    struct arena arena;
    uint64_t key, stamp;
    uint32_t refs;              /* the session's map, and runs */
    char language;
    char volatility;            /* 'v' or else */
    const char *name, *signature; /* "f(integer)" */
    struct pl_type result;
    bool returns_set, returns_void, is_trigger, is_procedure;
    oid_t definer;              /* SECURITY DEFINER: whose rights it has; 0 */
    uint16_t arg_count;         /* given ones */
    uint16_t all_count;
    const type_id *all_types;
    const char *all_modes;
    const char *const *all_names;
    /* PL/pgSQL */
    struct pl_function *tree;
    struct pl_type *types;      /* of its variables */
    uint32_t out_count;         /* OUT arguments: variables */
    uint32_t *outs;
    /* SQL */
    struct pl_sql *statements;
    uint32_t statement_count;
};

/* The session's. */
struct pl_cast {
    type_id from, to;
    int32_t typmod;
    const struct expr *expr;
};
struct pl_state {
    struct map codes;           /* key -> struct pl_code */
    struct arena arena;         /* of casts */
    ARRAY(struct pl_cast) casts;
    uint32_t cursor_number;     /* of the last unnamed cursor */
};
struct pl_state *pl__state(struct session *s);

/* The code of the function (for a table, of a trigger; else NULL), compiled if need be: a reference. */
enum status pl__code(struct session *s, const struct function_def *f, const struct table_def *t,
                     struct pl_code **ret) MUST;
/* Of a DO block. */
enum status pl__inline_code(struct session *s, const char *body, struct slice text,
                            struct pl_code **ret) MUST;
void pl__code_unref(struct pl_code *c);
/* Is the body good? CREATE FUNCTION asks. Errors tell their place in the statement's text. */
enum status pl__check(struct session *s, const struct function_def *f, struct slice text) MUST;
enum status pl__transpose(struct slice text, const char *body, enum status st);
/* "f(integer)" as errors name it. */
const char *pl__signature(struct session *s, const struct function_def *f, struct arena *a);

/* --- runs --- */

struct pl_record {
    uint64_t shape;             /* of names and types; 0: none yet */
    type_id type;               /* a row type, or record */
    uint32_t count;
    const char *const *names;
    const type_id *types;
    const int32_t *typmods;
    struct datum *values;
    bool is_null;               /* as a whole */
    struct arena shapes;        /* names, types */
    struct arena bytes[2];      /* what values point to, in turns */
    uint8_t turn;
};

struct pl_run {
    struct session *s;
    struct pl_run *outer;       /* that this one was called from; NULL */
    bool keeps_atomic;          /* a procedure: it may do what its caller may */
    struct pl_code *code;
    struct datum *vars;         /* by variable; of records nothing */
    struct arena *stores;       /* two a variable, made as needed: what the value points to */
    struct pl_record *records;  /* by variable */
    struct arena keep, temp;    /* of the run; of a statement */
    struct execution x;         /* for simple expressions */
    uint64_t x_plans;           /* pieces planned when it began */
    bool x_begun;
    uint64_t plans;             /* pieces planned by this run */
    bool changed_plans;
    bool checking;              /* as the function is made: variables have no values */
    const struct pl_stmt *at;
    const char *phase;          /* instead of `at`: "during function entry"; NULL */
    int phase_line;
    uint64_t row_count;
    struct error *handled;      /* in a handler: what it is about */
    /* the result */
    struct datum value;
    bool returned;
    const char *const *value_names; /* of the last value's fields, in temp; NULL: not known */
    bool null_row;              /* the row that is given is NULL as a whole */
    bool any_row;               /* the result is a row that `types` do not tell of */
    struct pl_record *row;      /* of a function that gives rows, or a trigger; NULL: NULL */
    const type_id *types;       /* of emit */
    uint32_t type_count;
    enum status (*emit)(void *ctx, const struct datum *row); /* of a set */
    void *emit_ctx;
    const struct trigger_call *trigger;
    uint32_t checks;
};

/* How a list of statements ended. */
enum pl_end { PL_NEXT, PL_LEFT /* EXIT */, PL_CONTINUED, PL_RETURNED };
struct pl_flow {
    enum pl_end end;
    const char *label;          /* of EXIT and CONTINUE; NULL */
};

/* --- values (pl_value.c) --- */
/* To the type by PL/pgSQL's rules: assignment, else by the text form. The result may be in `a`. */
enum status pl__cast(struct session *s, struct datum *d, type_id from, int32_t from_typmod,
                     type_id to, int32_t to_typmod, struct arena *a) MUST;
/* Assigns, converting, copying; 22004 for NULL where that is forbidden. */
enum status pl__assign(struct pl_run *r, const struct pl_target *t, const struct datum *d,
                       type_id type, int32_t typmod) MUST;
/* As it is: of the variable's own type. */
void pl__store(struct pl_run *r, uint32_t var, const struct datum *d);
void pl__record_shape(struct pl_record *rec, type_id type, uint32_t count,
                      const char *const *names, const type_id *types, const int32_t *typmods);
void pl__record_store(struct pl_record *rec, const struct datum *values);
void pl__record_of_table(struct pl_record *rec, const struct table_def *t);
void pl__record_null(struct pl_record *rec);
void pl__record_copy(struct pl_record *to, const struct pl_record *from);
void pl__record_release(struct pl_record *rec);
/* A row with columns goes into variables: one record, or one each. `values` NULL: NULLs. */
struct pl_columns {
    uint32_t count;
    const char *const *names;
    const type_id *types;
    const int32_t *typmods;
};
enum status pl__assign_row(struct pl_run *r, const struct pl_targets *to,
                           const struct pl_columns *c, const struct datum *values) MUST;
enum status pl__find_field(const struct pl_run *r, const struct pl_target *t, uint32_t *ret) MUST;
void pl__columns(struct arena *a, const struct plan *p, struct pl_columns *ret);

/* --- composite values (pl_row.c) --- */
struct pl_row {
    type_id type;
    struct pl_columns columns;
    const struct datum *values;
};
/* Its fields; `names` of a record's, NULL: none known. */
enum status pl__open_row(struct pl_run *r, const struct datum *d, const char *const *names,
                         struct arena *a, struct pl_row *ret) MUST;
/* Of any variable; a record's is made in `a`. */
enum status pl__variable(struct pl_run *r, uint32_t var, struct arena *a, struct datum *ret) MUST;
/* To a record variable. */
enum status pl__assign_composite(struct pl_run *r, uint32_t var, const struct datum *d,
                                 type_id type) MUST;
/* As the row that the function returns. */
enum status pl__row_result(struct pl_run *r, const struct datum *d, type_id type,
                           struct pl_record **ret) MUST;
/* Runs a function that gives a row: the row as a value, in `a`. */
enum status pl__row_value(struct pl_run *r, const struct function_def *f, struct arena *a,
                          struct datum *ret) MUST;

/* The value as text, in r->temp; NULL for NULL. */
const char *pl__text(struct pl_run *r, const struct datum *d, type_id type);

/* --- pieces (pl_piece.c) --- */
/* Makes the plan, or keeps the one there is. */
enum status pl__prepare(struct pl_run *r, struct pl_sql *q, struct pl_piece **ret) MUST;
/* The call that CALL makes, and the values of the variables in it. */
enum status pl__bind(struct pl_run *r, const struct pl_sql *q, const struct ast *ast,
                     struct slice text, struct arena *a, struct expr **ret,
                     struct exec_params *ret_params) MUST;
void pl__params(struct pl_run *r, const struct pl_piece *p, struct datum *ret);
/* The run's own, for expressions. */
struct execution *pl__execution(struct pl_run *r);
/* The value of an expression, in r->temp or in variables. *ret_type: its own. */
enum status pl__eval(struct pl_run *r, struct pl_sql *q, struct datum *ret, type_id *ret_type,
                     int32_t *ret_typmod) MUST;
enum status pl__eval_bool(struct pl_run *r, struct pl_sql *q, bool *ret) MUST; /* NULL is false */
enum status pl__eval_as(struct pl_run *r, struct pl_sql *q, type_id type, struct datum *ret) MUST;

const char *pl__command_name(const struct plan *p); /* "INSERT" */
/* A statement's rows, one by one; END_OF_DATA from `row` ends it. */
struct pl_rows {
    enum status (*begin)(void *ctx, const struct plan *p); /* before the first; NULL: not asked */
    enum status (*row)(void *ctx, const struct datum *values);
    void *ctx;
};
struct pl_ran {
    uint64_t rows;
    const struct plan *plan;
    struct cached_plan *held;   /* what plan is of: a reference */
};
/* Runs a piece; rows to `rows` (NULL: nowhere). Run with *ret.held to be let go. */
enum status pl__run_piece(struct pl_run *r, struct pl_sql *q, const struct pl_rows *rows,
                          bool is_loop, struct arena *a, struct pl_ran *ret) MUST;
/* A text with values for $1 …: of EXECUTE. */
struct pl_dynamic {
    const char *text;
    const type_id *types;
    const struct datum *values;
    uint32_t count;
};
enum status pl__plan_dynamic(struct pl_run *r, const struct pl_dynamic *d, struct arena *a,
                             struct cached_plan **ret, struct statement **ret_statement) MUST;
enum status pl__run_plan(struct pl_run *r, struct cached_plan *p, const struct exec_params *params,
                         const struct pl_rows *rows, bool is_loop, struct arena *a,
                         struct pl_ran *ret) MUST;
/* Anything but a query: DDL, SET … */
enum status pl__run_utility(struct pl_run *r, const struct statement *st, const char *text,
                            uint64_t *ret_rows) MUST;
/* What an error says of the text it was in. */
enum status pl__in_piece(const struct pl_sql *q, enum status st);
enum status pl__in_text(const char *what, const char *text, int before, enum status st);

/* --- statements (pl_exec.c and its neighbours) --- */
enum status pl__body(struct pl_run *r, const struct pl_body *b, struct pl_flow *flow) MUST;
enum status pl__block(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow) MUST;
enum status pl__loop(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow) MUST;
enum status pl__raise(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__assert(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__diagnostics(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__execsql(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__execute(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__return(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow) MUST;
enum status pl__return_next(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__return_query(struct pl_run *r, const struct pl_stmt *s) MUST;
enum status pl__cursor(struct pl_run *r, const struct pl_stmt *s) MUST;
/* The plan of a bound cursor's query and its parameters, in `a`. */
enum status pl__bound_query(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                            struct cached_plan **ret, struct exec_params *ret_params) MUST;
enum status pl__dynamic(struct pl_run *r, struct pl_sql *text, struct pl_sql *const *args,
                        uint32_t count, struct arena *a, struct pl_dynamic *ret) MUST;
/* Now and then: cancel, timeout, other fibers' turns. */
enum status pl__check_interrupts(struct pl_run *r) MUST;
void pl__set_found(struct pl_run *r, bool found);

/* --- transactions (pl_transaction.c) --- */
enum status pl__end_transaction(struct pl_run *r, const struct pl_stmt *s) MUST;
/* Might a statement of the function end the transaction? */
bool pl__may_end(const struct pl_run *r);

/* --- calls (pl_call.c, pl_sql.c) --- */
void pl__run_init(struct pl_run *r, struct session *s, struct pl_code *code);
void pl__run_release(struct pl_run *r);
/* CALL inside of a body: what comes back goes to the variables that were given. */
enum status pl__call(struct pl_run *r, const struct pl_stmt *s) MUST;
/* The body of a PL/pgSQL function whose arguments are set; adds where an error was. */
enum status pl__run_body(struct pl_run *r) MUST;
/* The transition tables that the run's trigger gives names to, into *room; NULL: none. */
struct pl_transitions *pl__transitions(struct pl_run *r, struct pl_transitions *room);
/* Of either language. */
enum status pl__run_code(struct pl_run *r) MUST;
/* The row that a PL/pgSQL function returned, to emit; NULL: NULL, or there are OUT arguments. */
enum status pl__give_row(struct pl_run *r) MUST;
struct pl_record *pl__returned_row(struct pl_run *r);
enum status pl__run_sql(struct pl_run *r) MUST;
/* Plans its statements, and looks whether the last one gives what the function returns. */
enum status pl__check_sql(struct session *s, const struct function_def *f, struct pl_code *c,
                          struct slice text) MUST;

#endif
