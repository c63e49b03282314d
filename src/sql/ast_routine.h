/* The syntax tree of statements on functions, procedures and triggers, and of those that call them. */
#ifndef HELIOS_SQL_AST_ROUTINE_H
#define HELIOS_SQL_AST_ROUTINE_H

#include "sql/ast.h"

/* Letters of PostgreSQL: FUNCTION 'f', PROCEDURE 'p', ROUTINE 'r', AGGREGATE 'a'. */
struct ast_function_arg {
    const char *name;            /* NULL */
    struct ast_type_name *type;
    char mode;                   /* 'i' 'o' 'b' 'v' 't', or 'd': IN, as it was not told */
    struct ast *initial;         /* default */
};
struct ast_create_function {
    struct ast node;
    char kind;
    bool replace;
    struct name_list name;
    struct ast_function_arg *args;
    uint32_t arg_count;
    struct ast_type_name *result; /* NULL: by its arguments, or nothing */
    struct ast_list options;      /* of ast_def_elem: "as", "language", "volatility" … */
    const char *body, *link;      /* AS body; AS 'file', 'symbol' */
    int body_location;
    bool sql_body;                /* RETURN, BEGIN ATOMIC */
};
/* A function as DROP and ALTER name it. */
struct ast_routine {
    struct name_list name;
    struct ast_type_name **types; /* of those that are given; OUT ones stand in all_types */
    uint32_t type_count;
    bool unspecified;             /* no argument list */
};
struct ast_alter_function {
    struct ast node;
    char kind;
    struct ast_routine routine;
    struct ast_list options;
};
struct ast_drop_function {
    struct ast node;
    char kind;
    struct ast_routine *routines;
    uint32_t count;
    bool if_exists, cascade;
};
enum naming { NAMING_RENAME, NAMING_OWNER, NAMING_SCHEMA, NAMING_COMMENT };
struct ast_name_function {
    struct ast node;
    char kind;
    enum naming what;
    struct ast_routine routine;
    const char *value;            /* COMMENT: NULL removes it */
};
struct ast_create_trigger {
    struct ast node;
    bool replace, constraint, row;
    const char *name;
    struct ast_range_var *table, *from;
    struct name_list function;
    struct name_list args;
    uint8_t type;                 /* timing and events: enum trigger_bit */
    struct name_list columns;
    struct ast *when;
    const char *old_table, *new_table;
    bool deferrable, initially_deferred;
};
struct ast_drop_trigger {
    struct ast node;
    struct ast_range_var *table;
    const char *name;
    bool if_exists, cascade;
};
struct ast_name_trigger {         /* RENAME, COMMENT */
    struct ast node;
    enum naming what;
    struct ast_range_var *table;
    const char *name, *value;
};
struct ast_call {
    struct ast node;
    struct ast_function *function;
};
struct ast_do {
    struct ast node;
    const char *language;         /* NULL: plpgsql */
    const char *body;
};

#endif
