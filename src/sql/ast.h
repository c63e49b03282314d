/* The syntax tree: what a statement says, before any name is looked up. Shapes and names follow
 * PostgreSQL's raw parse tree (src/include/nodes/parsenodes.h of version 15 is its reference), kept
 * to what we use; the parser (sql/parse) copies it from the library's nodes into an arena, so it is
 * immutable and outlives the parse. Positions are 0-based byte offsets into the text, -1 unknown. */
#ifndef HELIOS_SQL_AST_H
#define HELIOS_SQL_AST_H

#include "base/array.h"
#include "base/str.h"

enum ast_kind {
    /* expressions */
    AST_CONST,
    AST_PARAM,
    AST_COLUMN_REF,
    AST_STAR,
    AST_OPERATOR,
    AST_BOOL,
    AST_NULL_TEST,
    AST_BOOLEAN_TEST,
    AST_CASE,
    AST_COALESCE,
    AST_MIN_MAX,
    AST_FUNCTION,
    AST_TYPE_CAST,
    AST_COLLATE,
    AST_SUBLINK,
    AST_ARRAY,
    AST_ROW,
    AST_INDIRECTION,
    AST_SQL_VALUE,
    AST_SET_TO_DEFAULT,
    AST_GROUPING_SET,
    AST_GROUPING_FUNC,
    /* pieces */
    AST_TARGET,
    AST_RANGE_VAR,
    AST_RANGE_SUBSELECT,
    AST_RANGE_FUNCTION,
    AST_JOIN,
    AST_SORT_BY,
    AST_WINDOW,
    AST_CTE,
    AST_TYPE_NAME,
    AST_COLUMN_DEF,
    AST_CONSTRAINT,
    AST_INDEX_ELEM,
    AST_DEF_ELEM,
    AST_ALTER_CMD,
    AST_LOCKING,
    AST_ON_CONFLICT,
    AST_MERGE_WHEN,
    AST_LIST,
    /* statements */
    AST_SELECT,
    AST_INSERT,
    AST_UPDATE,
    AST_DELETE,
    AST_MERGE,
    AST_CREATE_TABLE,
    AST_CREATE_TABLE_AS,
    AST_CREATE_INDEX,
    AST_CREATE_SCHEMA,
    AST_CREATE_DATABASE,
    AST_CREATE_SEQUENCE,
    AST_ALTER_SEQUENCE,
    AST_CREATE_VIEW,
    AST_CREATE_ROLE,
    AST_ALTER_ROLE,
    AST_DROP_ROLE,
    AST_ALTER_TABLE,
    AST_RENAME,
    AST_ALTER_OWNER,
    AST_ALTER_SCHEMA,
    AST_DROP,
    AST_DROP_DATABASE,
    AST_LIKE,
    AST_TRUNCATE,
    AST_REFRESH,
    AST_COMMENT,
    AST_TRANSACTION,
    AST_PREPARE,
    AST_EXECUTE,
    AST_DEALLOCATE,
    AST_DECLARE_CURSOR,
    AST_FETCH,
    AST_CLOSE_CURSOR,
    AST_COPY,
    AST_EXPLAIN,
    AST_SET,
    AST_SET_CONSTRAINTS,
    AST_SHOW,
    AST_DISCARD,
    AST_VACUUM,
    AST_REINDEX,
    AST_LOCK,
    AST_CHECKPOINT,
    AST_CHANNEL,
    AST_GRANT,
    AST_GRANT_ROLE,
    AST_BRANCH,
    AST_CREATE_FUNCTION, /* these: sql/ast_routine.h */
    AST_ALTER_FUNCTION,
    AST_CREATE_TRIGGER,
    AST_CALL,
    AST_DO,
    AST_DROP_FUNCTION,
    AST_DROP_TRIGGER,
    AST_NAME_FUNCTION, /* ALTER … RENAME, OWNER, SET SCHEMA; COMMENT ON */
    AST_NAME_TRIGGER,
    AST_UNSUPPORTED, /* parsed, but ours it is not: answered with FEATURE_NOT_SUPPORTED */
};

/* Every node begins with this. */
struct ast {
    enum ast_kind kind;
    int location;
};

struct ast_list {
    struct ast **items;
    uint32_t count;
};
struct name_list { /* dotted name: schema.table, or operator name */
    const char **items;
    uint32_t count;
};

/* --- expressions ---------------------------------------------------------------------------- */

enum const_kind { CONST_NULL, CONST_INT, CONST_FLOAT, CONST_STRING, CONST_BOOL, CONST_BIT };
struct ast_const {
    struct ast node;
    enum const_kind type;
    int64_t ival;      /* INT (fits int4) and BOOL */
    const char *text;  /* FLOAT (any other number), STRING, BIT ("b101", "x1F"); NUL-terminated */
};
struct ast_param {
    struct ast node;
    int number; /* $n */
};
/* a, t.a, s.t.a, t.*: the last may be AST_STAR, marked by `star`. */
struct ast_column_ref {
    struct ast node;
    struct name_list names;
    bool star;
};
enum operator_form {
    OPER_PLAIN,        /* left may be NULL (prefix) */
    OPER_ANY,          /* left op ANY (array) */
    OPER_ALL,
    OPER_DISTINCT,     /* IS DISTINCT FROM */
    OPER_NOT_DISTINCT,
    OPER_NULLIF,
    OPER_IN,           /* right: AST_LIST; name "=" or "<>" (NOT IN) */
    OPER_LIKE,         /* name "~~" or "!~~"; ESCAPE arrives as function like_escape */
    OPER_ILIKE,
    OPER_SIMILAR,
    OPER_BETWEEN,      /* right: AST_LIST of two; name "BETWEEN" */
    OPER_NOT_BETWEEN,
    OPER_BETWEEN_SYM,
    OPER_NOT_BETWEEN_SYM,
};
struct ast_operator {
    struct ast node;
    enum operator_form form;
    struct name_list name;
    struct ast *left, *right;
};
enum bool_op { BOOL_AND, BOOL_OR, BOOL_NOT };
struct ast_bool {
    struct ast node;
    enum bool_op op;
    struct ast_list args;
};
struct ast_null_test {
    struct ast node;
    struct ast *arg;
    bool is_not;
};
enum boolean_test { IS_TRUE, IS_NOT_TRUE, IS_FALSE, IS_NOT_FALSE, IS_UNKNOWN, IS_NOT_UNKNOWN };
struct ast_boolean_test {
    struct ast node;
    struct ast *arg;
    enum boolean_test test;
};
struct ast_when {
    struct ast *condition, *result;
    int location;
};
struct ast_case {
    struct ast node;
    struct ast *arg; /* NULL: CASE WHEN cond */
    struct ast_when *whens;
    uint32_t when_count;
    struct ast *otherwise; /* NULL: ELSE NULL */
};
struct ast_coalesce {
    struct ast node;
    struct ast_list args;
};
struct ast_min_max {
    struct ast node;
    bool least;
    struct ast_list args;
};
struct ast_function {
    struct ast node;
    struct name_list name;
    struct ast_list args;
    struct ast_list order_by; /* of ast_sort_by: agg(x ORDER BY y), or WITHIN GROUP */
    struct ast *filter;
    struct ast_window *over;
    bool within_group, star, distinct, variadic;
    const char **arg_names; /* named notation: NULL, or an entry an argument (NULL: positional) */
    bool sql_syntax; /* from special grammar, such as EXTRACT(), SUBSTRING(… FROM …) */
};
struct ast_type_name {
    struct ast node;
    struct name_list names;  /* pg_catalog.int4 for built-in spellings */
    struct ast_list typmods; /* constants */
    int array_dims;          /* number of [] */
    bool setof, pct_type;
    bool interval_fields;    /* INTERVAL's own typmods: mask of fields, then maybe the precision */
};
struct ast_type_cast {
    struct ast node;
    struct ast *arg;
    struct ast_type_name *type;
};
struct ast_collate {
    struct ast node;
    struct ast *arg;
    struct name_list name;
};
enum sublink_kind { SUBLINK_EXISTS, SUBLINK_ALL, SUBLINK_ANY, SUBLINK_SCALAR, SUBLINK_ARRAY,
                    SUBLINK_ROW /* (a, b) op (SELECT …), of one row; made by the binder */ };
struct ast_sublink {
    struct ast node;
    enum sublink_kind type;
    struct ast *test;         /* left side of ANY and ALL */
    struct name_list operator; /* empty: IN */
    struct ast *select;
};
struct ast_array {
    struct ast node;
    struct ast_list elements;
};
struct ast_row {
    struct ast node;
    struct ast_list args;
    bool explicit_row;
};
struct ast_subscript {
    const char *field; /* .field, NULL for a subscript; "*" for a star */
    struct ast *lower, *upper;
    bool slice;
};
struct ast_indirection {
    struct ast node;
    struct ast *arg;
    struct ast_subscript *steps;
    uint32_t step_count;
};
enum sql_value {
    SQL_CURRENT_DATE,
    SQL_CURRENT_TIME,
    SQL_CURRENT_TIMESTAMP,
    SQL_LOCALTIME,
    SQL_LOCALTIMESTAMP,
    SQL_CURRENT_ROLE,
    SQL_CURRENT_USER,
    SQL_USER,
    SQL_SESSION_USER,
    SQL_CURRENT_CATALOG,
    SQL_CURRENT_SCHEMA,
};
struct ast_sql_value {
    struct ast node;
    enum sql_value value;
    int32_t typmod; /* -1: none */
};
struct ast_plain { /* AST_SET_TO_DEFAULT, AST_STAR */
    struct ast node;
};
enum grouping_set { GROUPING_EMPTY, GROUPING_SIMPLE, GROUPING_ROLLUP, GROUPING_CUBE, GROUPING_SETS };
struct ast_grouping_set {
    struct ast node;
    enum grouping_set type;
    struct ast_list items;
};
struct ast_grouping_func {
    struct ast node;
    struct ast_list args;
};
struct ast_list_node { /* AST_LIST: an expression list where an expression may stand */
    struct ast node;
    struct ast_list items;
};

/* --- pieces --------------------------------------------------------------------------------- */

struct ast_target { /* SELECT item, or column of INSERT and SET */
    struct ast node;
    const char *name; /* alias or column; NULL */
    struct ast *value;
    struct ast_subscript *steps; /* SET a[1] = */
    uint32_t step_count;
    /* SET (a, b) = (…): the same source in each, with its place; 0: plain. */
    int multi_index, multi_count;
};
struct ast_alias {
    const char *name; /* NULL: no alias */
    struct name_list columns;
};
/* TABLESAMPLE: of the table that it stands with. */
struct ast_sample {
    struct name_list method;
    struct ast_list args;
    struct ast *repeatable; /* NULL */
    int location;
};
/* AS OF: the moment at which a table is read. */
enum as_of_kind { AS_OF_NOW, AS_OF_TIMESTAMP, AS_OF_TRANSACTION, AS_OF_OLDEST };
struct ast_as_of {
    enum as_of_kind kind;
    struct ast *expr; /* NOW, OLDEST: NULL */
    int location;
};
/* AS OF a moment, or VERSIONS BETWEEN two: what changed from one to the other. */
struct ast_moments {
    bool versions;
    struct ast_as_of at, to; /* without `versions` only the first */
};
enum branch_action { BRANCH_CREATE, BRANCH_DROP, BRANCH_USE, BRANCH_SHOW, BRANCH_MERGE };
enum branch_conflict { CONFLICT_ABORT, CONFLICT_OURS, CONFLICT_THEIRS };
struct ast_branch {
    struct ast node;
    enum branch_action action;
    const char *name;         /* SHOW: NULL */
    const char *other;        /* CREATE: the parent, NULL the current one; MERGE: the target */
    bool missing_ok;          /* IF EXISTS; of CREATE: IF NOT EXISTS */
    struct ast_as_of as_of;   /* of CREATE */
    enum branch_conflict conflict; /* of MERGE, as is */
    bool drop_after;
};
struct ast_range_var {
    struct ast node;
    const char *catalog, *schema, *name;
    bool only; /* ONLY, which here changes nothing */
    struct ast_alias alias;
    struct ast_sample *sample; /* NULL */
    const struct ast_moments *moments; /* NULL: now */
    char persistence; /* 'p', 't' temporary, 'u' unlogged */
};
struct ast_range_subselect {
    struct ast node;
    bool lateral;
    struct ast *select;
    struct ast_alias alias;
};
struct ast_range_function {
    struct ast node;
    bool lateral, ordinality, rows_from;
    struct ast_list functions;        /* expressions */
    struct ast_list column_defs;      /* AS (a int, …) of the first */
    struct ast_alias alias;
};
enum join_kind { JOIN_INNER, JOIN_LEFT, JOIN_FULL, JOIN_RIGHT, JOIN_SEMI, JOIN_ANTI };
struct ast_join {
    struct ast node;
    enum join_kind type;
    bool natural;
    struct ast *left, *right;
    struct name_list using_columns;
    const char *using_alias;
    struct ast *condition;
    struct ast_alias alias;
};
enum sort_direction { SORT_DEFAULT, SORT_ASC, SORT_DESC, SORT_USING };
enum nulls_order { NULLS_DEFAULT, NULLS_FIRST, NULLS_LAST };
struct ast_sort_by {
    struct ast node;
    struct ast *value;
    enum sort_direction direction;
    enum nulls_order nulls;
    struct name_list using_operator;
};
struct ast_window {
    struct ast node;
    const char *name, *refname;
    struct ast_list partition_by, order_by;
    uint32_t frame_options; /* PostgreSQL's FRAMEOPTION_ bits */
    struct ast *start_offset, *end_offset;
};
struct ast_search { /* SEARCH DEPTH | BREADTH FIRST BY columns SET sequence */
    bool breadth;
    struct name_list columns;
    const char *sequence;
    int location;
};
struct ast_cycle { /* CYCLE columns SET mark TO value DEFAULT otherwise USING path */
    struct name_list columns;
    const char *mark, *path;
    struct ast *value, *otherwise;
    int location;
};
struct ast_cte {
    struct ast node;
    const char *name;
    struct name_list columns;
    char materialized; /* 'd' default, 'a' always, 'n' never */
    struct ast *query;
    const struct ast_search *search; /* NULL */
    const struct ast_cycle *cycle;   /* NULL */
};
struct ast_with {
    struct ast_list ctes;
    bool recursive;
};
struct ast_locking {
    struct ast node;
    struct ast_list relations; /* empty: all */
    int strength;              /* 1 KEY SHARE, 2 SHARE, 3 NO KEY UPDATE, 4 UPDATE */
    int wait;                  /* 0 wait, 1 SKIP LOCKED, 2 NOWAIT */
};
struct ast_index_elem {
    struct ast node;
    const char *name;        /* column, or NULL with expr */
    struct ast *expr;
    struct name_list collation, opclass;
    enum sort_direction direction;
    enum nulls_order nulls;
};
struct ast_on_conflict {
    struct ast node;
    bool do_update;
    struct ast_list elements; /* of ast_index_elem */
    struct ast *where_infer;
    const char *constraint;
    struct ast_list targets;
    struct ast *where;
};
struct ast_def_elem {
    struct ast node;
    const char *name_space, *name;
    struct ast *arg; /* constant, type name, list, or NULL */
};
enum constraint_kind {
    CON_NULL,
    CON_NOT_NULL,
    CON_DEFAULT,
    CON_IDENTITY,
    CON_GENERATED,
    CON_CHECK,
    CON_PRIMARY,
    CON_UNIQUE,
    CON_FOREIGN,
    CON_EXCLUSION,
    CON_DEFERRABLE, /* attribute nodes follow their constraint in the raw tree; folded into it */
};
struct ast_constraint {
    struct ast node;
    enum constraint_kind type;
    const char *name;
    struct ast *expr;            /* CHECK, DEFAULT, GENERATED */
    struct name_list columns;    /* UNIQUE, PRIMARY KEY, FOREIGN KEY */
    struct name_list including;
    struct ast_list options;     /* WITH, or identity's sequence options */
    const char *index_name;      /* USING INDEX */
    bool deferrable, initially_deferred, not_valid, no_inherit, nulls_not_distinct;
    char generated_when;         /* 'a' always, 'd' by default */
    struct ast_range_var *foreign_table;
    struct name_list foreign_columns, set_columns; /* set_columns: ON DELETE SET NULL (a, b) */
    char match, on_update, on_delete; /* PostgreSQL's letters: match 'f' 's', action 'a' 'r' 'c' 'n' 'd' */
};
struct ast_column_def {
    struct ast node;
    const char *name;
    struct ast_type_name *type; /* NULL in CREATE TABLE AS and views */
    struct ast_list constraints;
    struct name_list collation;
    const char *compression;
};

/* --- statements ----------------------------------------------------------------------------- */

enum set_op { SETOP_NONE, SETOP_UNION, SETOP_INTERSECT, SETOP_EXCEPT };
struct ast_select {
    struct ast node;
    struct ast_with with;
    bool distinct;               /* DISTINCT or DISTINCT ON */
    struct ast_list distinct_on; /* empty: plain DISTINCT */
    struct ast_list targets;     /* of ast_target */
    struct ast_list from;
    struct ast *where;
    struct ast_list group_by;
    bool group_distinct;
    struct ast *having;
    struct ast_list windows;
    struct ast_list *values;     /* VALUES rows */
    uint32_t value_row_count;
    struct ast_list order_by;
    struct ast *limit, *offset;  /* limit: AST_CONST NULL for LIMIT ALL */
    bool limit_with_ties;
    struct ast_list locking;
    enum set_op op;
    bool all;
    struct ast_select *left, *right;
    struct ast_range_var *into;  /* SELECT INTO */
};
struct ast_insert {
    struct ast node;
    struct ast_with with;
    struct ast_range_var *table;
    struct ast_list columns;     /* of ast_target */
    struct ast_select *select;   /* NULL: DEFAULT VALUES */
    struct ast_on_conflict *on_conflict;
    struct ast_list returning;
    char overriding;             /* 0, 's' SYSTEM VALUE, 'u' USER VALUE */
    struct ast *row_where;       /* of COPY: which rows are inserted; NULL: all */
    bool fills;                  /* not a client's: a materialized view may be its table */
};
struct ast_update {
    struct ast node;
    struct ast_with with;
    struct ast_range_var *table;
    struct ast_list targets, from;
    struct ast *where;
    struct ast_list returning;
};
struct ast_delete {
    struct ast node;
    struct ast_with with;
    struct ast_range_var *table;
    struct ast_list using_from;
    struct ast *where;
    struct ast_list returning;
    bool fills;                  /* as in ast_insert */
};
struct ast_merge_when {
    struct ast node;
    bool matched;
    char action;                 /* 'i', 'u', 'd'; 'n' DO NOTHING */
    char overriding;             /* as in ast_insert */
    struct ast *condition;       /* NULL: always */
    struct ast_list targets;     /* as in ast_insert, or ast_update */
    struct ast_list values;      /* INSERT: one row */
};
struct ast_merge {
    struct ast node;
    struct ast_with with;
    struct ast_range_var *table;
    struct ast *source;          /* an item of FROM */
    struct ast *condition;
    struct ast_list whens;       /* of ast_merge_when */
};
/* CREATE TABLE (LIKE relation INCLUDING …). */
enum like_option { /* bits */
    LIKE_COMMENTS = 1, LIKE_CONSTRAINTS = 2, LIKE_DEFAULTS = 4, LIKE_GENERATED = 8, LIKE_IDENTITY = 16,
    LIKE_INDEXES = 32
};
struct ast_like {
    struct ast node;
    struct ast_range_var *relation;
    uint32_t including; /* enum like_option */
};
struct ast_create_table {
    struct ast node;
    struct ast_range_var *table;
    struct ast_list columns;     /* of ast_column_def, ast_like */
    struct ast_list constraints; /* of ast_constraint */
    struct ast_list options;     /* WITH */
    bool if_not_exists;
    bool is_type;                /* CREATE TYPE … AS (…) */
    bool inherits, partitioned;  /* given, and not ours yet */
    char on_commit;              /* 'n' none, 'p' preserve, 'd' delete, 'D' drop */
    const char *access_method, *tablespace;
};
struct ast_create_table_as {
    struct ast node;
    struct ast_range_var *table;
    struct name_list columns;
    struct ast_list options;
    struct ast *query;           /* select or execute */
    bool if_not_exists, with_no_data, materialized;
    const char *query_text;      /* of a materialized view: as written */
    char on_commit;              /* as in ast_create_table */
    const char *access_method, *tablespace;
};
struct ast_create_index {
    struct ast node;
    const char *name; /* NULL: chosen */
    struct ast_range_var *table;
    const char *access_method;
    struct ast_list elements, including, options;
    struct ast *where;
    bool unique, concurrently, if_not_exists, nulls_not_distinct;
    const char *tablespace;
};
struct ast_create_schema {
    struct ast node;
    const char *name; /* NULL with owner only */
    const char *owner;
    struct ast_list elements;
    bool if_not_exists;
};
struct ast_database {     /* CREATE and DROP DATABASE */
    struct ast node;
    const char *name;
    struct ast_list options;
    bool if_exists;
};
struct ast_sequence {     /* CREATE and ALTER SEQUENCE */
    struct ast node;
    struct ast_range_var *name;
    struct ast_list options;
    bool if_exists, if_not_exists;
};
struct ast_create_view {
    struct ast node;
    struct ast_range_var *name;
    struct name_list columns;
    struct ast_select *query;
    bool replace;
    struct ast_list options;
    char check_option; /* 0, 'l' local, 'c' cascaded */
    const char *query_text; /* the text of the query as written */
};
/* Here and below, roles are names; CURRENT_USER and its like are "current_user", … */
struct ast_role {         /* CREATE, ALTER, DROP ROLE */
    struct ast node;
    char kind;            /* 'r' ROLE, 'u' USER, 'g' GROUP */
    struct name_list names;
    struct ast_list options;
    bool if_exists;
};
enum alter_kind {
    ALTER_ADD_COLUMN,
    ALTER_DROP_COLUMN,
    ALTER_COLUMN_DEFAULT,     /* expr NULL: DROP DEFAULT */
    ALTER_SET_NOT_NULL,
    ALTER_DROP_NOT_NULL,
    ALTER_COLUMN_TYPE,
    ALTER_ADD_CONSTRAINT,
    ALTER_DROP_CONSTRAINT,
    ALTER_VALIDATE_CONSTRAINT,
    ALTER_ALTER_CONSTRAINT,   /* whether it is deferrable */
    ALTER_ADD_IDENTITY,
    ALTER_SET_IDENTITY,
    ALTER_DROP_IDENTITY,
    ALTER_DROP_EXPRESSION,
    ALTER_SET_OPTIONS,
    ALTER_RESET_OPTIONS,
    ALTER_OWNER,
    ALTER_SET_STATISTICS,     /* accepted, kept */
    ALTER_SET_STORAGE,        /* accepted: storage is ours to choose */
    ALTER_TRIGGERS,           /* ENABLE, DISABLE TRIGGER: name, or all for NULL; text: "O" "D" "R" "A" */
    ALTER_OTHER,              /* not ours yet; text names it */
};
struct ast_alter_cmd {
    struct ast node;
    enum alter_kind type;
    const char *name;            /* column or constraint */
    struct ast_column_def *column;
    struct ast *expr;            /* default, USING of a type change */
    struct ast_constraint *constraint;
    struct ast_list options;
    const char *text;            /* owner, or the name of what is not supported */
    bool cascade, missing_ok;
};
enum object_kind {
    OBJECT_TABLE,
    OBJECT_INDEX,
    OBJECT_SEQUENCE,
    OBJECT_VIEW,
    OBJECT_SCHEMA,
    OBJECT_COLUMN,
    OBJECT_CONSTRAINT,
    OBJECT_DATABASE,
    OBJECT_ROLE,
    OBJECT_MATERIALIZED_VIEW,
    OBJECT_ROW_TYPE,
    OBJECT_OTHER,
};
struct ast_alter_table {
    struct ast node;
    enum object_kind object; /* ALTER TABLE, INDEX, SEQUENCE, VIEW */
    struct ast_range_var *table;
    struct ast_list cmds;
    bool missing_ok;
};
struct ast_rename {
    struct ast node;
    enum object_kind object, relation_object; /* COLUMN of TABLE */
    struct ast_range_var *relation;
    const char *old_name, *new_name; /* old_name: column, constraint, schema, database, role */
    bool missing_ok;
};
struct ast_alter_object { /* ALTER … OWNER TO, ALTER … SET SCHEMA */
    struct ast node;
    enum object_kind object;
    struct ast_range_var *relation;
    const char *name, *new_value;
    bool missing_ok;
};
struct ast_drop {
    struct ast node;
    enum object_kind object;
    struct name_list *names;
    uint32_t name_count;
    bool cascade, if_exists, concurrently;
};
struct ast_refresh { /* MATERIALIZED VIEW */
    struct ast node;
    struct ast_range_var *relation;
    bool concurrently, with_no_data;
};
struct ast_truncate {
    struct ast node;
    struct ast_list tables;
    bool restart_identity, cascade;
};
struct ast_comment {
    struct ast node;
    enum object_kind object;
    struct name_list name;
    const char *text; /* NULL: remove */
};
enum transaction_kind {
    TXN_BEGIN,
    TXN_START,
    TXN_COMMIT,
    TXN_ROLLBACK,
    TXN_SAVEPOINT,
    TXN_RELEASE,
    TXN_ROLLBACK_TO,
    TXN_PREPARE,
    TXN_COMMIT_PREPARED,
    TXN_ROLLBACK_PREPARED,
};
struct ast_transaction {
    struct ast node;
    enum transaction_kind type;
    struct ast_list options; /* of ast_def_elem: transaction_isolation, transaction_read_only, … */
    const char *name;
    bool chain;
};
struct ast_channel { /* NOTIFY, LISTEN, UNLISTEN */
    struct ast node;
    char kind;           /* 'N', 'L', 'U' */
    const char *name;    /* NULL: UNLISTEN of all */
    const char *payload; /* NULL: none */
};
struct ast_prepare {
    struct ast node;
    const char *name;
    struct ast_list types; /* of ast_type_name */
    struct ast *query;
    int query_start, query_len; /* of the inner statement's text */
};
struct ast_execute {
    struct ast node;
    const char *name;
    struct ast_list params;
};
struct ast_deallocate {
    struct ast node;
    const char *name; /* NULL: ALL */
};
struct ast_declare_cursor {
    struct ast node;
    const char *name;
    uint32_t options; /* 1 BINARY, 2 SCROLL, 4 NO SCROLL, 8 INSENSITIVE, 32 HOLD */
    struct ast *query;
};
enum fetch_direction { FETCH_FORWARD, FETCH_BACKWARD, FETCH_ABSOLUTE, FETCH_RELATIVE };
struct ast_fetch {
    struct ast node;
    enum fetch_direction direction;
    int64_t count; /* INT64_MAX: ALL */
    const char *name;
    bool move;
};
struct ast_close_cursor {
    struct ast node;
    const char *name; /* NULL: ALL */
};
struct ast_copy {
    struct ast node;
    struct ast_range_var *table; /* or query */
    struct ast *query;
    struct name_list columns;
    bool from, program;
    const char *filename; /* NULL: STDIN, STDOUT */
    struct ast_list options;
    struct ast *where;
};
struct ast_explain {
    struct ast node;
    struct ast *query;
    struct ast_list options;
};
enum set_kind { SET_VALUE, SET_TO_DEFAULT, SET_CURRENT, SET_MULTI, SET_RESET, SET_RESET_ALL };
struct ast_set {
    struct ast node;
    enum set_kind type;
    const char *name;     /* MULTI: "TRANSACTION", "SESSION CHARACTERISTICS", "TRANSACTION SNAPSHOT" */
    struct ast_list args; /* constants; def_elems for MULTI; interval type cast for TIME ZONE */
    bool local;
};
struct ast_set_constraints {
    struct ast node;
    struct ast_list constraints; /* of ast_range_var: their names; empty: all */
    bool deferred;
};
struct ast_show {
    struct ast node;
    const char *name; /* "all" */
};
struct ast_discard {
    struct ast node;
    int target; /* 0 ALL, 1 PLANS, 2 SEQUENCES, 3 TEMP */
};
struct ast_vacuum {
    struct ast node;
    bool is_vacuum;        /* else ANALYZE */
    struct ast_list options;
    struct ast_list tables; /* of ast_range_var; alias.columns: ANALYZE t (a, b) */
};
enum reindex_kind { REINDEX_INDEX, REINDEX_TABLE, REINDEX_SCHEMA, REINDEX_SYSTEM, REINDEX_DATABASE };
struct ast_reindex {
    struct ast node;
    enum reindex_kind kind;
    struct ast_range_var *relation; /* of an index or a table */
    const char *name;               /* of a schema or a database; NULL */
    struct ast_list options;
};
struct ast_lock {
    struct ast node;
    struct ast_list tables;
    int mode; /* 1..8, as enum relation_lock */
    bool nowait;
};
struct ast_routine;
struct ast_grant { /* accepted for tables, sequences, schemas, databases, functions where the roles exist */
    struct ast node;
    bool is_grant, on_all_in_schema;
    enum object_kind object;
    struct name_list *objects;
    uint32_t object_count;
    struct name_list privileges; /* empty: ALL */
    struct name_list grantees;   /* "public" for PUBLIC */
    bool grant_option, cascade;
    char routine_kind;           /* 'f' 'p' 'r'; 0: not on functions */
    struct ast_routine *routines; /* object_count; NULL: of a kind, in the schemas of `objects` */
};
struct ast_grant_role {
    struct ast node;
    bool is_grant, admin_option;
    struct name_list roles, members;
};
struct ast_unsupported {
    struct ast node;
    const char *what; /* "CREATE TRIGGER" */
};

#define AST(ptr, type) ((struct type *)(ptr))

/* Does a SELECT write, by items of its WITH? */
static inline bool ast_writes(const struct ast *a)
{
    const struct ast_with *w = &AST(a, ast_select)->with;
    for (uint32_t i = 0; a->kind == AST_SELECT && i < w->ctes.count; i++)
        if (AST(w->ctes.items[i], ast_cte)->query->kind != AST_SELECT) return true;
    return false;
}

/* One statement of a query string. */
struct statement {
    struct ast *ast;
    int start, len; /* bytes of it in the text */
    int param_count; /* highest $n */
};

#endif
