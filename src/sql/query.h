/* A bound statement: the binder's result, the planner's input. */
#ifndef HELIOS_SQL_QUERY_H
#define HELIOS_SQL_QUERY_H

#include "sql/expr.h"

enum relation_kind {
    REL_TABLE,     /* table or virtual table */
    REL_SUBQUERY,  /* derived table, or a view's query */
    REL_FUNCTION,
    REL_VALUES,
    REL_CTE,       /* reference to a CTE, perhaps of an enclosing query */
    REL_JOIN,      /* a join with an alias or USING: its merged columns */
    REL_EXCLUDED,  /* the row proposed for insertion, in ON CONFLICT */
};

struct rel_column {
    const char *name;
    type_id type;
    int32_t typmod;
    int16_t attnum;     /* of a table's column; 0 */
};

/* A part of a table's rows, by chance. Expressions without columns. */
struct table_sample {
    bool by_block;                /* SYSTEM: neighbouring rows together; BERNOULLI: row by row */
    struct expr *percent;         /* float4 */
    struct expr *seed;            /* float8; NULL: another one each time */
};

/* What an index has beside columns; over the columns of the relation. */
struct index_rule {
    struct expr **keys;           /* a key column each: its expression; NULL: a column */
    struct expr *predicate;       /* NULL: all rows */
};

/* All versions of a table's rows over a span, (from, to]. The relation's table has these columns at its
 * end. */
enum version_column { VERSION_STARTTIME, VERSION_ENDTIME, VERSION_STARTSCN, VERSION_ENDSCN, VERSION_XID,
                      VERSION_OPERATION, VERSION_COLUMNS };
struct table_versions {
    uint64_t from, to;            /* commit timestamps; from 0: as far back as can be; to 0: now */
    uint16_t columns;             /* of the table itself */
};

struct relation {
    enum relation_kind kind;
    const char *alias;            /* what it is called */
    const char *schema;
    const struct table_def *table;
    struct query *subquery;       /* SUBQUERY */
    const struct table_def *view; /* SUBQUERY: of a view; NULL */
    struct expr **functions;      /* FUNCTION: calls, one a function of ROWS FROM */
    uint32_t function_count;
    bool ordinality;
    struct expr ***values;        /* VALUES: rows of expressions */
    uint32_t value_count;
    struct cte *cte;              /* CTE */
    uint32_t cte_levels_up;
    uint32_t hidden;              /* binder: its last columns, that no star means */
    bool lateral;                 /* may refer to relations to its left */
    struct table_sample *sample;  /* TABLE: TABLESAMPLE; NULL: all rows */
    struct index_rule *rules;     /* TABLE: one an index of the table; NULL: none has any */
    struct table_versions *versions; /* TABLE: VERSIONS; NULL */
    uint32_t moment;              /* TABLE: read as of this moment, by number from 1; 0: now */
    /* What columns it offers. TABLE: one per column_def that is not dropped, in order; attnum tells
     * which. Hidden system columns (tableoid, ctid, xmin) are bound as needed: attnum < 0. */
    struct rel_column *columns;
    uint32_t column_count;
    struct expr **join_columns;   /* JOIN: what each column stands for */
    const int *locations;
};

enum from_kind { FROM_RELATION, FROM_JOIN };
struct from_item {
    enum from_kind kind;
    uint32_t relation;            /* RELATION; JOIN: its REL_JOIN entry or UINT32_MAX */
    enum join_kind join;          /* INNER, LEFT, RIGHT, FULL */
    struct from_item *left, *right;
    struct expr *condition;       /* NULL: cross */
};

struct target {
    struct expr *expr;
    const char *name;             /* output column; NULL for junk */
    bool junk;                    /* for ORDER BY, GROUP BY only; not returned */
    oid_t origin_table;           /* RowDescription's: plain column of a table */
    int16_t origin_column;
};

struct cte {
    const char *name;
    struct query *query;
    struct rel_column *columns;
    uint32_t column_count;
    bool recursive;               /* refers to itself: query is a UNION whose right side does */
    char materialized;            /* 'd', 'a', 'n' */
    uint32_t references;
    uint32_t index;               /* the planner's */
};

struct window_def {
    const char *name;
    struct expr **partition_by;
    uint32_t partition_count;
    struct sort_item *order_by;
    uint32_t order_count;
    uint32_t frame_options;
    struct expr *start_offset, *end_offset;
};

enum command { CMD_SELECT, CMD_INSERT, CMD_UPDATE, CMD_DELETE, CMD_MERGE };

struct assignment {
    uint32_t column;              /* index into table_def.columns */
    struct expr *expr;            /* coerced to the column's type and typmod */
};

/* What MERGE does with a row of the source for which the condition holds, and that has (`matched`) a row of
 * the target or has none. */
struct merge_action {
    bool matched;
    char action;                  /* 'i', 'u', 'd'; 'n': nothing */
    struct expr *when;            /* NULL: always */
    struct assignment *assignments;
    uint32_t assignment_count;
};

enum conflict_action { CONFLICT_NONE, CONFLICT_NOTHING, CONFLICT_UPDATE };

/* A trigger, and its condition: over slots of the old row, then of the new one, once planned. */
struct trigger_rule {
    const struct trigger_def *def;
    struct expr *when;            /* NULL: always */
    struct query *query;          /* that `when` was bound in */
};

/* A condition of a view WITH CHECK OPTION, over the table's new row. */
struct view_check {
    const char *view;
    struct expr *test;
};

/* What whoever runs a statement must have been granted, on a table or on a schema that the statement names. */
enum right { /* bits */
    RIGHT_SELECT = 1, RIGHT_INSERT = 2, RIGHT_UPDATE = 4, RIGHT_DELETE = 8, RIGHT_USAGE = 16
};
struct needed_right {
    oid_t object;
    const struct table_def *table; /* as it was bound; NULL: the object is a schema */
    uint32_t rights;               /* enum right; all of them */
    oid_t as;                      /* the role that must have them, the owner of a view; 0: who runs it */
};

struct query {
    enum command command;
    struct query *parent;         /* for levels_up; NULL at the top */
    struct relation **relations;
    uint32_t relation_count;
    struct from_item **from;      /* comma list: a cross join of these */
    uint32_t from_count;
    struct expr *where;
    struct target *targets;       /* SELECT list, junk last */
    uint32_t target_count;
    struct expr **group_by;       /* expressions; with has_group but none: GROUP BY () */
    uint32_t group_count;
    bool has_group, has_aggregates, has_windows, has_srf;
    /* GROUPING SETS: each set is a list of indexes into group_by; set_count 0: plain. */
    struct {
        uint32_t *items;
        uint32_t count;
    } *grouping_sets;
    uint32_t grouping_set_count;
    struct expr *having;
    struct window_def *windows;
    uint32_t window_count;
    bool distinct;
    uint32_t *distinct_on;        /* target indexes; count 0 with distinct: all visible targets */
    uint32_t distinct_on_count;
    /* ORDER BY: each names a target (junk or not). */
    struct {
        uint32_t target;
        bool descending, nulls_first;
    } *order_by;
    uint32_t order_count;
    struct expr *limit, *offset;  /* int8 */
    bool limit_with_ties;
    enum set_op set_op;           /* with left and right: targets are columns over relation 0 */
    bool set_all;
    struct query *left, *right;   /* their target types are already unified */
    struct cte **ctes;
    uint32_t cte_count;
    const struct needed_right *rights; /* of a whole statement, at its top */
    uint32_t right_count;
    struct {
        uint32_t relation;
        int strength, wait;
    } *locking;
    uint32_t locking_count;

    /* INSERT, UPDATE, DELETE, MERGE: target table is relation 0. */
    const struct table_def *table;
    bool fills;                   /* the statement makes a materialized view's rows */
    /* The table was named by a view. */
    const struct table_def *view; /* NULL: it was not */
    uint32_t view_relation;       /* JOIN: its columns */
    uint32_t *view_columns;       /* a column of the view each: index of the table's; UINT32_MAX */
    struct expr *view_where;
    const struct table_def *const *view_path; /* it and the views below it, down to the table; ends with NULL */
    struct view_check *view_checks;
    uint32_t view_check_count;
    struct query *source;         /* INSERT: SELECT or VALUES; NULL: DEFAULT VALUES */
    uint32_t *insert_columns;     /* column index of each source column */
    uint32_t insert_column_count;
    struct expr **defaults;       /* INSERT: an entry a table column: its default coerced, or NULL */
    struct assignment *assignments; /* UPDATE; ON CONFLICT DO UPDATE */
    uint32_t assignment_count;
    struct expr **generated;      /* an entry a table column: GENERATED … STORED expression over
                                     relation 0, or NULL; array NULL when none has one */
    struct expr **checks;         /* CHECK constraints over relation 0 */
    const struct constraint_def **check_defs;
    uint32_t check_count;
    struct merge_action *merge;   /* MERGE: its FROM is the source, joined to relation 0 */
    uint32_t merge_count;
    enum conflict_action conflict;
    const struct index_def *conflict_index; /* arbiter; NULL with NOTHING: any */
    uint32_t excluded_relation;
    struct expr *conflict_where;
    struct expr *row_where; /* over the new row: others are not inserted; COPY */
    const struct foreign_key *refers; /* foreign keys of the table; and those that refer to it */
    uint32_t refer_count;
    const struct foreign_key *referred;
    uint32_t referred_count;
    struct query **reached; /* tables that referential actions may change: table, defaults, generated,
                               checks and foreign keys */
    uint32_t reached_count;
    struct target *returning;
    uint32_t returning_count;
    struct trigger_rule *triggers; /* that may fire, by name; NULL: none */
    uint32_t trigger_count;
    bool settled;                 /* the planner's: where it groups is decided */
};

/* What its rows are to whoever reads them, junk included: RETURNING's, of one that writes. */
static inline const struct target *query_output(const struct query *q, uint32_t *ret_count)
{
    *ret_count = q->command == CMD_SELECT ? q->target_count : q->returning_count;
    return q->command == CMD_SELECT ? q->targets : q->returning;
}

#endif
