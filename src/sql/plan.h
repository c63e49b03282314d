/* Plans: what the executor is to do. Read-only, shared by sessions, in an arena of their own. A plan
 * knows tables and trees by number and key ranges by expression; it knows no storage. */
#ifndef HELIOS_SQL_PLAN_H
#define HELIOS_SQL_PLAN_H

#include "sql/query.h"

enum plan_kind {
    PLAN_RESULT,        /* one row without columns (SELECT without FROM) */
    PLAN_VALUES,
    PLAN_SCAN,          /* a table by its row tree: whole, range or point */
    PLAN_INDEX_SCAN,    /* a secondary index, then the rows (or the index alone) */
    PLAN_VIRTUAL_SCAN,
    PLAN_FUNCTION_SCAN,
    PLAN_CTE_SCAN,      /* of a materialised CTE or of a recursive working table */
    PLAN_SUBQUERY_SCAN, /* renames columns; no work */
    PLAN_FILTER,
    PLAN_PROJECT,
    PLAN_PROJECT_SET,   /* set-returning functions in the select list */
    PLAN_NESTED_LOOP,   /* right side once a left row, with its values as outer values */
    PLAN_HASH_JOIN,     /* builds on the right */
    PLAN_AGGREGATE,     /* hash, or plain with no groups */
    PLAN_DISTINCT,
    PLAN_SORT,          /* with a limit: top-N */
    PLAN_LIMIT,
    PLAN_APPEND,        /* UNION ALL */
    PLAN_SET_OP,        /* INTERSECT, EXCEPT [ALL] by hashing */
    PLAN_RECURSIVE_UNION,
    PLAN_WINDOW,
    PLAN_LOCK_ROWS,
    PLAN_GATHER,        /* runs what is below on worker threads; their rows in any order */
    PLAN_INSERT,
    PLAN_UPDATE,
    PLAN_DELETE,
    PLAN_MERGE,
};

/* A key range of an index: equality on the first columns, then perhaps one range. Expressions hold no
 * columns of the scanned table: constants, parameters, outer values. */
struct key_range {
    struct expr **equal;
    uint32_t equal_count;
    struct expr *lower, *upper;  /* on the next column; NULL: open */
    bool lower_inclusive, upper_inclusive;
    /* equal_count + 1 th column IN (list): one probe a value; NULL otherwise. */
    struct expr **in_list;
    uint32_t in_count;
    struct expr *in_array;       /* = ANY(array) */
};

/* Output columns of a node: what its batches hold, by slot. */
struct plan_column {
    type_id type;
    int32_t typmod;
    const char *name;
    /* For the planner's estimates. */
    const struct column_statistics *statistics; /* of the table column that it is; NULL */
    double distinct;                            /* values in all; 0: not known */
};

enum agg_strategy { AGG_PLAIN, AGG_HASH };

struct aggregate_call {
    const struct proc_def *proc;
    struct expr **args;
    uint32_t arg_count;
    struct expr *filter;
    bool distinct, star;
    struct sort_item *order_by;
    uint32_t order_count;
    uint32_t direct_count;
    type_id result;
    const struct expr *call;     /* for call_ctx */
    const int32_t *grouping;     /* GROUPING(…): its value in each set; no proc then */
};

/* A subquery inside an expression, run when the expression is evaluated. */
struct subplan {
    struct plan_node *root;
    uint8_t type;                /* enum sublink_kind */
    struct expr **test;          /* ANY, ALL: left sides */
    const struct operator_def **ops;
    uint32_t test_count;
    bool negated;
    /* Values of the enclosing row that it depends on: EXPR_OUTER i inside reads outer[i], evaluated in
     * the enclosing operator. None: run once an execution and kept (hashed for ANY). */
    struct expr **outer;
    uint32_t *outer_index;       /* which EXPR_OUTER number each one sets */
    uint32_t outer_count;
    type_id result;
    bool memo;                   /* the same outer values give the same result */
};

/* An action of MERGE, over the input's slots. */
struct merge_step {
    bool matched;
    char action;                 /* 'i', 'u', 'd'; 'n': nothing */
    struct expr *when;           /* NULL: always */
    struct expr **new_row;       /* a table column each; INSERT, UPDATE */
    bool *column_changed;        /* UPDATE */
};

/* A table whose rows are locked. */
struct row_lock_plan {
    const struct table_def *table;
    uint32_t key_slot;
    int32_t *column_slots;       /* position of column -> slot; -1 absent */
    int strength, wait;
};
/* An outer join over a row that changed: when its condition fails, the slots become NULL. */
struct lock_outer {
    struct expr *condition;
    uint32_t *slots;
    uint32_t slot_count;
};

struct plan_node {
    enum plan_kind kind;
    struct plan_node *left, *right;
    struct plan_column *columns;
    uint32_t column_count;
    double rows, cost_start, cost_total; /* estimates; cost in PostgreSQL's unit: a page read */
    uint32_t width;              /* bytes a row, estimate */
    uint32_t id;                 /* dense within the plan: index of its state */
    const char *alias;           /* relation's, for EXPLAIN */
    struct expr *filter;         /* of scans and joins: over the node's unprojected input */

    union {
        struct {                 /* SCAN, INDEX_SCAN, VIRTUAL_SCAN */
            const struct table_def *table;
            const struct index_def *index;   /* INDEX_SCAN */
            struct key_range range;
            bool reverse, index_only;
            const struct table_sample *sample; /* of SCAN; NULL */
            const struct table_versions *versions; /* of SCAN: all versions; NULL */
            uint32_t moment;     /* read as of this moment, by number from 1: a value of the run; 0: as
                                    the transaction sees */
            double rows_read;    /* estimate: rows that the range leaves */
            bool ordered;        /* the plan counts on the order of its rows */
            bool shared;         /* below a GATHER: each worker reads parts of it */
            /* Table columns (positions in table->columns) that the batch holds, by slot; the filter
             * sees the same slots. */
            uint16_t *fetch;
            uint32_t fetch_count;
            int32_t key_slot;    /* slot that gets the row's encoded key (bytea), for DML; -1 */
            int32_t tableoid_slot; /* -1 */
        } scan;
        struct {                 /* VALUES */
            struct expr ***rows;
            uint32_t row_count;
        } values;
        struct {                 /* FUNCTION_SCAN, PROJECT_SET */
            struct expr **calls;
            uint32_t call_count;
            bool ordinality;
        } function;
        struct {                 /* PROJECT; PROJECT_SET: SRF calls among them stand at the top level */
            struct expr **exprs; /* one an output column */
        } project;
        struct {                 /* NESTED_LOOP, HASH_JOIN: batch = left columns, then right columns
                                    (SEMI, ANTI: left alone) */
            enum join_kind type;
            struct expr **left_keys, **right_keys; /* HASH_JOIN; equal types */
            uint32_t key_count;
            struct expr *condition;   /* over left ++ right; decides the match (outer joins too) */
            /* NESTED_LOOP: left values that the right side reads as EXPR_OUTER. */
            struct expr **outer;
            uint32_t *outer_index;
            uint32_t outer_count;
            bool shared;              /* HASH_JOIN below a GATHER: one build for all workers */
            bool null_aware;          /* ANTI for NOT IN: a NULL on either side decides */
        } join;
        struct {                 /* AGGREGATE: batch = group columns, then aggregates, then, with
                                    grouping sets, an int4 set number */
            enum agg_strategy strategy;
            struct expr **groups;
            uint32_t group_count;
            struct aggregate_call *calls;
            uint32_t call_count;
            uint64_t *sets;      /* bit g: group g is in the set; set_count 0: one set, all */
            uint32_t set_count;
            bool shared;         /* below a GATHER: the workers' groups become one set of groups */
            struct expr *top;    /* so many groups are wanted, the first by that count; NULL: all */
            uint32_t top_call;
            bool top_descending;
        } aggregate;
        struct {                 /* SORT; DISTINCT uses columns only when distinct_count > 0 */
            struct sort_item *items; /* over input slots */
            uint32_t item_count;
            struct expr *limit;  /* top-N: limit + offset; NULL */
        } sort;
        struct {                 /* DISTINCT: on these slots (0: all); first row in input order wins */
            uint32_t *slots;
            uint32_t slot_count;
        } distinct;
        struct {                 /* LIMIT */
            struct expr *limit, *offset;
            bool with_ties;
            struct sort_item *ties; /* over input slots */
            uint32_t tie_count;
        } limit;
        struct {                 /* APPEND */
            struct plan_node **children;
            uint32_t child_count;
        } append;
        struct {                 /* SET_OP: left op right */
            enum set_op op;
            bool all;
        } set_op;
        struct {                 /* RECURSIVE_UNION: left once, right until it adds nothing; CTE_SCAN */
            uint32_t cte;        /* index of the CTE's state */
            bool all, working;   /* CTE_SCAN working: the recursion's last rows */
        } cte;
        struct {                 /* WINDOW: batch = input columns, then one a call */
            struct window_def *window; /* expressions over input slots */
            struct aggregate_call *calls;
            uint32_t call_count;
        } window;
        struct {                 /* GATHER */
            uint32_t workers;
            bool away;           /* one worker runs what is below as it stands */
        } gather;
        struct {                 /* LOCK_ROWS: the rows as they come, with new values where they changed */
            struct row_lock_plan *locks;
            uint32_t lock_count;
            struct expr *recheck;      /* of a row that changed: WHERE and inner joins; NULL: none */
            struct lock_outer *outers; /* before that, in this order */
            uint32_t outer_count;
            bool one_by_one;           /* a LIMIT above may have enough: no row is locked ahead */
        } lock;
        struct dml {             /* INSERT, UPDATE, DELETE, MERGE; left gives the rows */
            const struct table_def *table;
            /* INSERT: one an (undropped and dropped) table column, over input slots; UPDATE: the whole
             * new row over input slots ++ nothing; DELETE: none. */
            struct expr **new_row;
            uint32_t key_slot;           /* UPDATE, DELETE, MERGE */
            /* UPDATE, DELETE under READ COMMITTED, when the row changed meanwhile: the old row is
             * re-read into these slots (position of column -> slot, -1 absent) and recheck decides. */
            int32_t *column_slots;
            struct expr *recheck;
            bool *column_changed;        /* UPDATE, a table column each */
            struct expr **generated;     /* over the new row: slot i = table column i */
            struct index_rule *rules;    /* over a row; one an index of the table; NULL: none has any */
            struct expr **checks;        /* over the new row */
            const struct constraint_def **check_defs;
            uint32_t check_count;
            enum conflict_action conflict;
            const struct index_def *conflict_index;
            /* DO UPDATE: slots 0..n-1 the existing row, n..2n-1 the excluded one */
            struct expr **conflict_row;
            struct expr *conflict_where;
            struct expr *row_where;      /* over the new row: others are left out; COPY */
            const struct foreign_key *refers;   /* foreign keys of the table */
            uint32_t refer_count;
            const struct foreign_key *referred; /* foreign keys that refer to it */
            uint32_t referred_count;
            /* Tables that referential actions may change, with what that takes: generated, checks,
             * and defaults as new_row. Of the statement's own node. */
            struct plan_node **reached;
            uint32_t reached_count;
            const struct view_check *view_checks; /* over the new row */
            uint32_t view_check_count;
            const struct trigger_rule *triggers; /* NULL: nothing is asked of a row */
            uint32_t trigger_count;
            uint8_t trigger_types[2];    /* bits of all: of BEFORE triggers, of AFTER triggers */
            uint8_t transition_events;   /* whose rows are kept, for transition tables */
            struct merge_step *merge;    /* MERGE; column_changed is of all its updates */
            uint32_t merge_count;
            struct expr **returning;     /* over: new (or old, DELETE) row ++ input slots */
            uint32_t returning_count;
        } dml;
    };
};

/* The fast path: a single-table statement by whole primary key (or unique index), known at plan time
 * to touch at most one row, whose expressions are simple. exec_point runs it. */
struct point_plan {
    enum command command;        /* SELECT, INSERT, UPDATE, DELETE */
    const struct table_def *table;
    uint32_t moment;             /* SELECT: as of which it is read; 0: now */
    struct expr **key;           /* a primary key column each: constant or parameter */
    uint32_t key_count;
    struct expr *filter;         /* what is left of WHERE; slot i = table column i */
    struct expr **output;        /* SELECT list or RETURNING, over slot i = table column i */
    uint32_t output_count;
    uint16_t *needed;            /* table columns that filter and output read */
    uint32_t needed_count;
    const struct plan_node *dml; /* UPDATE, DELETE, INSERT: the full node, for its expressions over
                                    slot i = table column i */
    int lock_strength;           /* SELECT … FOR UPDATE; 0 */
};

struct plan {
    enum command command;
    struct plan_node *root;
    struct plan_node *away;      /* a GATHER of one worker with the root below it, for a plan that would
                                    keep its session's thread for long; NULL: it would not, or must */
    struct plan_column *output;  /* names and types of the result; with DML: RETURNING's */
    uint32_t output_count;
    oid_t *origin_tables;        /* RowDescription's, an entry an output column */
    int16_t *origin_columns;
    bool returns_rows;
    struct subplan *subplans;
    uint32_t subplan_count;
    /* CTEs that are materialised: run at first use. */
    struct plan_node **ctes;     /* NULL entries: recursive ones, run by RECURSIVE_UNION itself */
    uint32_t cte_count;
    /* CTEs that write, by their indexes: each runs to its end, whether it is read or not. Those that nobody
     * has read by then run after the root, in this order. */
    uint32_t *changes;
    uint32_t change_count;
    uint32_t node_count, outer_value_count;
    const struct point_plan *point; /* NULL: not a point plan */
    bool writes;                 /* or locks rows: */
    bool by_row;                 /* functions are called for no more rows than are wanted */
    bool literals_matter;        /* with its parameters known, another plan may be better */
    int lock_strength;           /* of the first FOR UPDATE or its kind; 0: none */
    type_id *param_types;
    uint32_t param_count;
    /* Tables used, with the lock each wants (core/txn.h's numbers). */
    const struct table_def **tables;
    uint8_t *table_locks;
    uint32_t table_count;
    const struct needed_right *rights;
    uint32_t right_count;
    const struct table_def **past_tables; /* read as of a moment, or by VERSIONS: they want no lock */
    uint32_t past_table_count;
};

#endif
