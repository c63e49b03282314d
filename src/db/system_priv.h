/* What the makers of system rows (pg_catalog, information_schema) and the system functions share
 * with each other. */
#ifndef HELIOS_DB_SYSTEM_PRIV_H
#define HELIOS_DB_SYSTEM_PRIV_H

#include "db/session_priv.h"
#include "types/array.h"

/* OIDs of system tables, as classid in pg_depend and pg_description. */
enum {
    CLASS_TYPE = 1247,
    CLASS_PROC = 1255,
    CLASS_RELATION = 1259,
    CLASS_AUTHID = 1260,
    CLASS_DATABASE = 1262,
    CLASS_CONSTRAINT = 2606,
    CLASS_ATTRDEF = 2604,
    CLASS_REWRITE = 2618,
    CLASS_TRIGGER = 2620,
    CLASS_NAMESPACE = 2615,
};
enum { AM_HEAP = 2, AM_BTREE = 403, AM_HASH = 405, COLLATION_DEFAULT = 100, COLLATION_C = 950 };
enum { TABLESPACE_DEFAULT = 1663, TABLESPACE_GLOBAL = 1664, ENCODING_UTF8 = 6 };

/* One scan of a system table. */
struct sys_scan {
    struct session *s;
    const struct catalog *catalog;
    const struct table_def *table; /* that is scanned */
    struct arena *arena;
    struct datum *row;
    enum status (*emit)(void *ctx, const struct datum *row);
    void *emit_ctx;
};
typedef enum status (*sys_rows)(struct sys_scan *x);

/* A value on its way into a row: it takes the form that the column's type has. */
enum sys_kind { SYS_NULL, SYS_INT, SYS_REAL, SYS_TEXT, SYS_BYTES };
struct sys_cell {
    enum sys_kind kind;
    union {
        int64_t i;
        double d;
        const char *text; /* lives as long as the scan */
        struct bytes bytes;
    };
};
static inline struct sys_cell sys_int(int64_t i) { return (struct sys_cell){SYS_INT, .i = i}; }
static inline struct sys_cell sys_real(double d) { return (struct sys_cell){SYS_REAL, .d = d}; }
static inline struct sys_cell sys_text(const char *s)
{
    return (struct sys_cell){s ? SYS_TEXT : SYS_NULL, .text = s};
}
static inline struct sys_cell sys_bytes(struct bytes b)
{
    return (struct sys_cell){SYS_BYTES, .bytes = b};
}
/* Short, since rows are tables of them: numbers and booleans, "char", text, NULL. */
#define I(x) sys_int(x)
#define C(x) sys_int((unsigned char)(x))
#define T(x) sys_text(x)
#define R(x) sys_real(x)
#define N ((struct sys_cell){.kind = SYS_NULL})
#define V(x) sys_bytes(x)

/* Hands the row on; there are as many cells as the table has columns. */
enum status sys_emit_cells(struct sys_scan *x, const struct sys_cell *cells, uint32_t count) MUST;
#define SYS_EMIT(x, ...)                                                                           \
    sys_emit_cells((x), (const struct sys_cell[]){__VA_ARGS__},                                    \
                   sizeof((const struct sys_cell[]){__VA_ARGS__}) / sizeof(struct sys_cell))

/* int2[], oid[], name[], text[] … and the vectors, which count from 0. */
struct bytes sys_array_int2(struct arena *a, const int16_t *v, uint32_t n);
struct bytes sys_vector_int2(struct arena *a, const int16_t *v, uint32_t n);
struct bytes sys_vector_oid(struct arena *a, const oid_t *v, uint32_t n);
struct bytes sys_array_oid(struct arena *a, const oid_t *v, uint32_t n);
struct bytes sys_array_text(struct arena *a, type_id element, const char *const *v, uint32_t n);
/* An array in its text form: "{a,b}"; NULL gives NULL. */
struct sys_cell sys_array_from_text(struct sys_scan *x, type_id type, const char *text);

/* --- reading the catalog (system_catalog.c) --- */
/* Tables, views, sequences that this database sees; system ones among them. */
bool sys_next_table(struct sys_scan *x, size_t *pos, const struct table_def **ret);
bool sys_next_schema(struct sys_scan *x, size_t *pos, const struct schema_def **ret);
static inline bool sys_is_system(const struct table_def *t)
{
    return t->virtual_id >= 0;
}
const char *sys_schema_name(const struct sys_scan *x, oid_t schema); /* "" when gone */
const char *sys_role_name(const struct sys_scan *x, oid_t role, struct arena *a);
/* The column of that attnum, NULL. */
const struct column_def *sys_column(const struct table_def *t, int16_t number);
oid_t sys_collation(type_id type); /* 0, default, or "C" for name */
/* OIDs of things that have no record of their own, out of their owners' OIDs. */
oid_t sys_attrdef_oid(const struct table_def *t, const struct column_def *c);
oid_t sys_rule_oid(const struct table_def *view);
/* The name of a column of an index, as pg_attribute has it. */
const char *sys_index_column_name(const struct table_def *t, const struct index_def *x, uint32_t i,
                                  struct arena *a);
/* Of languages, access methods and extensions; class "pg_language" …; pg_extension.c. NULL: none. */
const char *sys_builtin_description(oid_t object, const char *class);
char sys_storage(type_id type); /* pg_type.typstorage */
/* Input and output functions, which are in pg_proc but are not called; pg_type.c. NULL, 0: none. */
const char *sys_io_function_name(oid_t oid);
oid_t sys_io_function_oid(const char *name);
/* The btree operator class of a type, 0 when it has none; pg_operator.c. */
oid_t sys_operator_class(type_id type);

/* --- definitions as SQL (system_definition.c); NULL when there is no such object -------------- */
/* As quote_ident. */
const char *sys_quote(struct arena *a, const char *name);
/* Without the schema when the search path finds it so, unless `full`. */
const char *sys_relation_name(struct session *s, const struct table_def *t, bool full,
                              struct arena *a);
const char *sys_qualified(struct session *s, oid_t schema, const char *name, struct arena *a);
bool sys_relation_visible(struct session *s, oid_t relation);
/* column 0: all; else the one alone. `pretty` leaves out parentheses and schemas that nobody
 * needs. */
enum status sys_index_definition(struct session *s, oid_t index, int column, bool pretty,
                                 struct arena *a, const char **ret) MUST;
enum status sys_constraint_definition(struct session *s, oid_t constraint, bool pretty,
                                      struct arena *a, const char **ret) MUST;
/* What can be done to the relation, or with the column of that number, in bits of PostgreSQL's CmdType; by
 * INSTEAD OF triggers, too. And what by those alone. (system_view.c) */
int sys_updatable(struct session *s, const struct table_def *t, int16_t column, bool triggers,
                  struct arena *a);
int sys_trigger_updatable(const struct table_def *t);
const char *sys_check_option(const struct table_def *t);
enum status sys_view_definition(struct session *s, oid_t view, bool pretty, struct arena *a,
                                const char **ret) MUST;
/* A stored expression in display form. */
/* An index's key column as pg_get_indexdef shows it. */
enum status sys_index_column(struct session *s, const struct table_def *t,
                             const struct index_column *c, bool pretty, struct arena *a,
                             const char **ret) MUST;
enum status sys_expression(struct session *s, oid_t table, const char *storage, struct arena *a,
                           const char **ret) MUST;
/* An expression in display form without the parentheses that its operators' precedence makes
 * superfluous, as PostgreSQL's pretty form has it (system_pretty.c). */
const char *sys_pretty(struct arena *a, const char *display);
/* A view's query in PostgreSQL's layout (view_text.c); *ret NULL when it has forms that are not
 * printed so. */
enum status sys_view_text(struct session *s, const struct table_def *view, bool pretty,
                          struct arena *a, const char **ret) MUST;

/* --- the makers of rows; each serves the tables that system_catalog.c names with it --- */
#define SYS_ROWS(name) enum status name(struct sys_scan *x) MUST
SYS_ROWS(sys_pg_class);
SYS_ROWS(sys_pg_index);
SYS_ROWS(sys_pg_attribute);
SYS_ROWS(sys_pg_attrdef);
SYS_ROWS(sys_pg_constraint);
SYS_ROWS(sys_pg_sequence);
SYS_ROWS(sys_pg_sequences);
SYS_ROWS(sys_pg_depend);
SYS_ROWS(sys_pg_description);
SYS_ROWS(sys_pg_shdescription);
SYS_ROWS(sys_pg_rewrite);
SYS_ROWS(sys_pg_type);
SYS_ROWS(sys_pg_proc);
SYS_ROWS(sys_catalog_functions); /* of pg_proc */
SYS_ROWS(sys_pg_trigger);
SYS_ROWS(sys_pg_aggregate);
SYS_ROWS(sys_pg_operator);
SYS_ROWS(sys_pg_cast);
SYS_ROWS(sys_pg_range);
SYS_ROWS(sys_pg_am);
SYS_ROWS(sys_pg_opclass);
SYS_ROWS(sys_pg_opfamily);
SYS_ROWS(sys_pg_collation);
SYS_ROWS(sys_pg_language);
SYS_ROWS(sys_pg_extension);
SYS_ROWS(sys_pg_available_extensions);
SYS_ROWS(sys_pg_available_extension_versions);
SYS_ROWS(sys_builtin_descriptions); /* of pg_description */
SYS_ROWS(sys_pg_database);
SYS_ROWS(sys_pg_authid);
SYS_ROWS(sys_pg_roles);
SYS_ROWS(sys_pg_user);
SYS_ROWS(sys_pg_group);
SYS_ROWS(sys_pg_auth_members);
SYS_ROWS(sys_pg_namespace);
SYS_ROWS(sys_pg_tablespace);
SYS_ROWS(sys_pg_settings);
SYS_ROWS(sys_pg_locks);
SYS_ROWS(sys_pg_prepared_xacts);
SYS_ROWS(sys_pg_stat_activity);
SYS_ROWS(sys_pg_stat_archiver); /* backup.c */
SYS_ROWS(sys_helios_branches);
SYS_ROWS(sys_helios_merge_conflicts);
SYS_ROWS(sys_helios_history);
SYS_ROWS(sys_helios_gc);
SYS_ROWS(sys_helios_segments);
SYS_ROWS(sys_helios_htap);
SYS_ROWS(sys_helios_storage_advice);
SYS_ROWS(sys_stat_statements);
SYS_ROWS(sys_stat_statements_info);
SYS_ROWS(sys_pg_stat_database);
SYS_ROWS(sys_pg_stat_progress_create_index);
SYS_ROWS(sys_helios_progress);
SYS_ROWS(sys_pg_stat_tables);
SYS_ROWS(sys_pg_stat_indexes);
SYS_ROWS(sys_pg_statio_tables);
SYS_ROWS(sys_pg_statio_indexes);
SYS_ROWS(sys_pg_statio_sequences);
SYS_ROWS(sys_pg_stat_ssl);
SYS_ROWS(sys_pg_statistic);
SYS_ROWS(sys_pg_stats);
SYS_ROWS(sys_pg_tables);
SYS_ROWS(sys_pg_views);
SYS_ROWS(sys_pg_matviews);
SYS_ROWS(sys_pg_indexes);
SYS_ROWS(sys_pg_prepared_statements);
SYS_ROWS(sys_pg_cursors);
SYS_ROWS(sys_is_schemata);
SYS_ROWS(sys_is_tables);
SYS_ROWS(sys_is_columns);
SYS_ROWS(sys_is_views);
SYS_ROWS(sys_is_table_constraints);
SYS_ROWS(sys_is_key_column_usage);
SYS_ROWS(sys_is_constraint_column_usage);
SYS_ROWS(sys_is_referential_constraints);
SYS_ROWS(sys_is_check_constraints);
SYS_ROWS(sys_is_sequences);
SYS_ROWS(sys_is_routines);
SYS_ROWS(sys_is_parameters);
SYS_ROWS(sys_is_triggers);
SYS_ROWS(sys_is_catalog_name);
SYS_ROWS(sys_is_roles);
SYS_ROWS(sys_is_table_privileges);
SYS_ROWS(sys_is_character_sets);

#endif
