/* The catalog: what exists, as an immutable snapshot.
 *
 * Objects are versioned rows of the system tree, so DDL is transactional. What the layers above see is
 * a `struct catalog`: a snapshot of all objects, shared by counting references, never changed. DDL
 * makes a new one from it (catalog/edit.h); the transaction that did sees it at once, everybody else
 * once it has committed. Everything reached from a snapshot lives as long as a reference to it. */
#ifndef HELIOS_CATALOG_CATALOG_H
#define HELIOS_CATALOG_CATALOG_H

#include "types/row.h"

typedef uint32_t oid_t; /* 0 is none; user objects from 16384 */

enum {
    OID_FIRST_USER = 16384,
    OID_SCHEMA_PG_CATALOG = 11,
    OID_SCHEMA_INFORMATION_SCHEMA = 13000,
    OID_SCHEMA_PUBLIC = 2200,
    OID_ROLE_BOOTSTRAP = 10,
    /* Predefined: the same in every snapshot, they cannot be changed. */
    OID_ROLE_READ_SERVER_FILES = 4569,
    OID_ROLE_WRITE_SERVER_FILES = 4570,
    OID_ROLE_DATABASE_OWNER = 6171, /* whoever owns the database at hand */
    NAME_BYTES_MAX = 63,
    TABLE_COLUMNS_MAX = 1600,
};

struct catalog;

struct role_def {
    oid_t oid;
    const char *name;
    bool superuser, inherit, create_role, create_db, can_login, replication, bypass_rls;
    int32_t connection_limit;     /* -1: none */
    const char *password;         /* SCRAM-SHA-256$… or NULL */
    const oid_t *member_of;
    uint32_t member_of_count;
};

struct database_def {
    oid_t oid;
    const char *name;
    oid_t owner;
    const char *comment;
};

struct schema_def {
    oid_t oid, database; /* 0: in every database (pg_catalog, information_schema) */
    const char *name;
    oid_t owner;
    const char *comment;
    const char *acl; /* aclitem[] text, NULL: default */
};

/* What ANALYZE found in a column, in PostgreSQL's terms. */
struct column_statistics {
    double null_fraction;
    double distinct;          /* > 0: so many; < 0: minus the fraction of the rows */
    double correlation;       /* of value order and row order, -1 .. 1 */
    bool has_correlation;
    uint32_t width;           /* average bytes of what is not NULL */
    uint32_t mcv_count;
    const union value *mcv;   /* most common values, the most common first */
    const double *mcv_fraction;    /* of all rows */
    uint32_t histogram_count;
    const union value *histogram;  /* bounds of parts with equally many rows, MCVs left out */
};

struct column_def {
    const char *name;
    type_id type;
    int32_t typmod;
    int16_t number;           /* attnum, from 1; never reused */
    bool not_null, dropped;
    char identity;            /* 0, 'a', 'd' */
    char generated;           /* 0, 's' */
    const char *default_sql;  /* expression in storage form (sql/expr.h); NULL none */
    bool has_missing;         /* rows older than the column read as `missing` */
    struct datum missing;
    const char *comment;
    int32_t statistics_target; /* -1 */
    const struct column_statistics *statistics; /* NULL: none */
};

struct index_column {
    int16_t column;           /* attnum; 0: expression */
    const char *expression_sql;
    type_id type;
    bool descending, nulls_first;
};

struct index_def {
    oid_t oid, table;
    const char *name;
    uint64_t tree;            /* 0: the primary key of a table, whose tree it is */
    bool unique, primary, nulls_not_distinct;
    bool valid;               /* has an entry for each row: may be read */
    bool ready;               /* takes entries of rows that are written */
    bool live;                /* loses those of rows that go */
    bool deferrable;          /* its constraint is: entries end with the row's key; worked out */
    uint16_t key_count, column_count; /* key columns, then INCLUDE columns */
    const struct index_column *columns;
    const char *predicate_sql; /* partial index; NULL */
    const double *prefix_distinct; /* distinct values of the first i + 1 keys, as in
                                      column_statistics; 0: not known; NULL: none known */
    oid_t constraint;         /* that it implements; 0 */
    const char *comment;
};

struct constraint_def {
    oid_t oid, table;
    const char *name;
    char kind;                /* 'c' check, 'p' primary, 'u' unique, 'f' foreign */
    const int16_t *columns;
    uint16_t column_count;
    const char *check_sql;    /* expression in storage form */
    oid_t index;
    oid_t foreign_table;      /* its index is `index` */
    const int16_t *foreign_columns;
    char on_update, on_delete, match; /* PostgreSQL's letters, as in sql/ast.h */
    const int16_t *set_columns; /* of ON DELETE SET …; NULL: all of `columns` */
    uint16_t set_count;
    bool deferrable, initially_deferred, validated, no_inherit;
    const char *comment;
};

struct sequence_def {
    type_id type;
    int64_t start, increment, min, max, cache;
    bool cycle;
    oid_t owner_table;        /* OWNED BY; 0 */
    int16_t owner_column;
    char owner_kind;          /* 'a' auto (serial), 'i' internal (identity) */
    uint64_t tree;            /* holds its value: one row */
};

enum { VIRTUAL_TRANSITION = 1 << 20 }; /* a transition table, for as long as its trigger runs */

/* PostgreSQL's bits of pg_trigger.tgtype. */
enum trigger_bit { TRIGGER_ROW = 1, TRIGGER_BEFORE = 2, TRIGGER_INSERT = 4, TRIGGER_DELETE = 8,
                   TRIGGER_UPDATE = 16, TRIGGER_TRUNCATE = 32, TRIGGER_INSTEAD = 64 };

struct trigger_def {
    oid_t oid, table, function;
    oid_t constraint;         /* of CREATE CONSTRAINT TRIGGER; 0 */
    const char *name;
    uint8_t type;             /* of trigger_bit */
    char enabled;             /* 'O' 'D' 'R' 'A' */
    bool deferrable, initially_deferred;
    const int16_t *columns;   /* UPDATE OF */
    uint16_t column_count, arg_count;
    const char *const *args;
    const char *when_sql;     /* in storage form, over relations old and new; NULL */
    const char *comment;
    const char *old_table, *new_table; /* transition tables, by name; NULL */
    oid_t from;               /* the table that a constraint trigger's constraint refers to; 0 */
};

struct table_statistics { /* from ANALYZE; rows < 0: never analysed */
    double rows;
    uint32_t pages;
};

/* A relation: table 'r', view 'v', sequence 'S', index (in index_def, not here), virtual 'r'. */
struct table_def {
    oid_t oid, schema, database, owner;
    const char *name;
    char kind;                /* 'r', 'v', 'S' */
    char persistence;         /* 'p', 'u', 't' */
    uint64_t tree;            /* rows; 0 for views and virtual tables */
    uint16_t column_count;    /* dropped ones included: the row layout's */
    const struct column_def *columns;
    const struct row_layout *layout;
    /* Rows are keyed by the primary key's columns; without one, or with a deferrable one, by a hidden
     * int8 row id that the storage path hands out. */
    const struct index_def *primary; /* NULL: hidden row id */
    const struct index_def *const *indexes; /* the primary too; by oid */
    uint16_t index_count;
    const struct constraint_def *const *constraints; /* by name */
    uint16_t constraint_count;
    const struct trigger_def *const *triggers; /* by name */
    uint16_t trigger_count;
    const char *view_sql;     /* of a view: its query as written, names resolved at use */
    const struct sequence_def *sequence;
    int32_t virtual_id;       /* >= 0: rows come from catalog/virtual.h, or it is VIRTUAL_TRANSITION; -1 */
    const char *options;      /* reloptions as text array body "fillfactor=100", NULL */
    const char *acl;          /* aclitem[] text, NULL: default */
    const char *comment;
    struct table_statistics statistics;
};

/* --- snapshots ------------------------------------------------------------------------------ */

struct function_def;
struct function_column;
struct catalog *catalog_ref(struct catalog *c);
void catalog_unref(struct catalog *c);
/* Rises with every change; equal versions are the same snapshot. */
uint64_t catalog_version(const struct catalog *c);

const struct database_def *catalog_database(const struct catalog *c, struct slice name);
const struct database_def *catalog_database_by_oid(const struct catalog *c, oid_t oid);
const struct role_def *catalog_role(const struct catalog *c, struct slice name);
const struct role_def *catalog_role_by_oid(const struct catalog *c, oid_t oid);
static inline bool role_is_predefined(oid_t oid)
{
    return oid == OID_ROLE_READ_SERVER_FILES || oid == OID_ROLE_WRITE_SERVER_FILES ||
           oid == OID_ROLE_DATABASE_OWNER;
}
/* Has it the rights of the other: as a member of it, or of a member? */
bool catalog_role_has(const struct catalog *c, oid_t role, oid_t other);
const struct schema_def *catalog_schema(const struct catalog *c, oid_t database, struct slice name);
const struct schema_def *catalog_schema_by_oid(const struct catalog *c, oid_t oid);
/* Tables, views, sequences. */
const struct table_def *catalog_table(const struct catalog *c, oid_t schema, struct slice name);
const struct table_def *catalog_table_by_oid(const struct catalog *c, oid_t oid);
/* Of two states of one table: do they differ in their statistics at most? */
bool catalog_same_definition(const struct table_def *a, const struct table_def *b);
/* Indexes share the relations' name space. */
const struct index_def *catalog_index(const struct catalog *c, oid_t schema, struct slice name);
const struct index_def *catalog_index_by_oid(const struct catalog *c, oid_t oid);
const struct function_def *catalog_function_by_oid(const struct catalog *c, oid_t oid);
/* All of that name in the schema: *ret is an array that lives as long as the snapshot. */
uint32_t catalog_functions(const struct catalog *c, oid_t schema, struct slice name,
                           const struct function_def *const **ret);
/* The columns of its row, up to `max`; 0 when it gives no row, or RECORD without saying of what. */
uint32_t catalog_function_columns(const struct catalog *c, const struct function_def *f,
                                  struct function_column *ret, uint32_t max);
const struct trigger_def *table_trigger(const struct table_def *t, struct slice name);
const struct constraint_def *catalog_constraint_by_oid(const struct catalog *c, oid_t oid);
/* The foreign keys that refer to the table, by oid. */
const struct constraint_def *const *catalog_references(const struct catalog *c, oid_t table,
                                                       uint32_t *ret_count);
/* False once past the end; start with *pos = 0. In order of oid. */
bool catalog_next_table(const struct catalog *c, size_t *pos, const struct table_def **ret);
bool catalog_next_schema(const struct catalog *c, size_t *pos, const struct schema_def **ret);
bool catalog_next_database(const struct catalog *c, size_t *pos, const struct database_def **ret);
bool catalog_next_function(const struct catalog *c, size_t *pos, const struct function_def **ret);
bool catalog_next_role(const struct catalog *c, size_t *pos, const struct role_def **ret);

/* NULL when there is none of that name that is not dropped. */
const struct column_def *table_column(const struct table_def *t, struct slice name);
const struct constraint_def *table_constraint(const struct table_def *t, struct slice name);

/* How names without a schema are looked up: pg_catalog first unless listed, then these. */
struct search_path {
    oid_t database;
    const oid_t *schemas; /* that exist, in order */
    uint32_t count;
    bool pg_catalog_listed;
    oid_t temporary;      /* of the session's temporary objects: relations are looked up there before all
                             else, unless it is listed; 0: none */
    bool temporary_listed;
};
/* The relation that an unqualified (schema NULL) or qualified name means; NULL when none. */
const struct table_def *catalog_lookup(const struct catalog *c, const struct search_path *p,
                                       const char *schema, const char *name);
const struct index_def *catalog_lookup_index(const struct catalog *c, const struct search_path *p,
                                             const char *schema, const char *name);

/* --- built-in functions, operators, aggregates (catalog/procs.def, operators.def) ------------- */

enum { PROC_ARGS_MAX = 8, FUNCTION_ARGS_MAX = 100, PROC_IN_CATALOG = -1 };
enum volatility { IMMUTABLE, STABLE, VOLATILE };
struct proc_def {
    oid_t oid;
    const char *name;
    const char *symbol;  /* pg_proc.prosrc, by which exec finds the implementation: "int4pl" */
    type_id result;
    uint8_t arg_count, default_count;
    bool strict, returns_set;
    char kind;           /* 'f' function, 'a' aggregate, 'w' window */
    uint8_t volatility;  /* enum volatility */
    type_id variadic;    /* element type, 0 none */
    const type_id *args;
    int id;              /* dense, 0.. : index into exec's table; PROC_IN_CATALOG */
};
/* What CREATE FUNCTION made. Its arguments that are given are proc.args; all of them, those that only
 * come back included, lie in all_types. */
struct function_def {
    struct proc_def proc;     /* first: a proc_def with PROC_IN_CATALOG is one of these */
    oid_t schema, owner;
    char language;            /* 's' SQL, 'p' PL/pgSQL */
    const char *source;
    uint16_t all_count;
    const type_id *all_types;
    const char *all_modes;    /* 'i' 'o' 'b' 'v' 't', as pg_proc.proargmodes */
    const char *const *all_names;    /* "" for none */
    const char *const *defaults;     /* of the last proc.default_count given ones; storage form */
    oid_t result_table;       /* whose row type it returns; 0 */
    bool security_definer, leakproof;
    char parallel;            /* 'u' 'r' 's' */
    float cost, rows;
    const char *comment;
    const char *acl;          /* "{=X/owner,…}"; NULL: the owner and everybody may call it */
    uint64_t stamp;           /* of this very definition, in this process; worked out */
    uint64_t variant;         /* binder: polymorphic types are replaced here, by which ones; 0: as in the
                                 catalog */
};
static inline const struct function_def *proc_function(const struct proc_def *p)
{
    return p->id == PROC_IN_CATALOG ? (const struct function_def *)p : NULL;
}
/* A column of what a function gives when that is a row. */
struct function_column {
    const char *name;
    type_id type;
    int32_t typmod;
};
/* Of built-in functions: which parameter has that name (UINT32_MAX: none); the text of the value of one that
 * is left out (NULL: zero); the columns of its rows (NULL: not known); its only column's name (NULL). */
uint32_t proc_parameter(const struct proc_def *p, const char *name);
const char *proc_default(const struct proc_def *p, uint32_t i);
const struct function_column *proc_columns(const struct proc_def *p, uint32_t *ret_count);
const char *proc_out_name(const struct proc_def *p);
/* Makes rows, of what the query says: as one argument more, a row of NULLs. */
bool proc_takes_shape(const struct proc_def *p);
struct operator_def {
    oid_t oid;
    const char *name;
    type_id left, right, result; /* left 0: prefix */
    oid_t proc, commutator, negator;
    bool can_hash, can_merge;
};
const struct proc_def *proc_by_oid(oid_t oid);
const struct proc_def *proc_by_id(int id);
int proc_count(void);
/* All of that name: *ret is an array of pointers that lives for ever. */
uint32_t proc_by_name(struct slice name, const struct proc_def *const **ret);
const struct operator_def *operator_by_oid(oid_t oid);
uint32_t operator_by_name(struct slice name, const struct operator_def *const **ret);
const struct operator_def *operator_list(int *ret_count);
/* The comparison operator of a type's default btree class: "<", "=" … for exactly (type, type). */
const struct operator_def *operator_exact(const char *name, type_id left, type_id right);

#endif
