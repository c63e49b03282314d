/* Executing DDL: what the ddl_*.c files share. */
#ifndef HELIOS_DB_DDL_PRIV_H
#define HELIOS_DB_DDL_PRIV_H

#include "db/session_priv.h"
#include "exec/execution.h"
#include "types/key.h"

/* One DDL statement at work. Each put gives a new snapshot; those that it replaces are kept until
 * the statement ends, so that definitions read before stay good. */
struct ddl {
    struct session *s;
    const struct result_sink *sink;
    struct slice text;                /* the query string, for error positions */
    struct arena *a;                  /* of the statement */
    enum relation_lock beside;        /* others may write while it goes over the table's rows, until it takes
                                       * this; 0: it has what it needs */
    bool unplaced;                    /* errors in expressions tell no position (ALTER TABLE) */
    struct txn *reader;               /* its snapshot is scanned, piece by piece; NULL: s->txn */
    oid_t blocked;                    /* the table that it failed for: builds.h */
    ARRAY(struct catalog *) kept;     /* references */
};

/* A table's definition while it is changed. */
struct table_edit {
    struct table_def def;
    ARRAY(struct column_def) columns;
    ARRAY(const struct index_def *) indexes;
    ARRAY(const struct constraint_def *) constraints;
};

/* --- ddl_function_find.c --- */
/* With its triggers, which is told; if it is still there. */
enum status ddl__drop_function_of(struct ddl *d, oid_t oid) MUST;

/* --- ddl_row_type.c --- */
bool ddl__column_holds(const struct column_def *c, oid_t relation);
bool ddl__function_takes(const struct function_def *f, oid_t relation);
/* 0A000 when a column holds rows of the table: its shape must stay. */
enum status ddl__check_row_type(struct ddl *d, const struct table_def *t) MUST;
enum status ddl__create_type(struct ddl *d, const struct ast_create_table *n) MUST;
enum status ddl__drop_types(struct ddl *d, const struct ast_drop *n) MUST;
/* The composite type of that name; the row of a table is none. */
enum status ddl__row_type(struct ddl *d, const struct ast_range_var *v,
                          const struct table_def **ret) MUST;

/* --- ddl.c --- */
void ddl__tag(char tag[64], const char *text);
enum status ddl__notice(struct ddl *d, const char *fmt, ...) PRINTF(2, 3);
enum status ddl__at(struct ddl *d, int location, enum status code);
enum status ddl__new_oid(struct ddl *d, oid_t *ret) MUST;
enum status ddl__put_table(struct ddl *d, const struct table_def *t) MUST;
enum status ddl__put_schema(struct ddl *d, const struct schema_def *def) MUST;
enum status ddl__put_database(struct ddl *d, const struct database_def *def) MUST;
enum status ddl__put_role(struct ddl *d, const struct role_def *def) MUST;
enum status ddl__remove(struct ddl *d, oid_t oid) MUST;
/* Waits for the lock, then looks with new eyes, until the statement ends: rows committed meanwhile are seen,
 * whatever snapshot the transaction keeps. A table that
 * somebody works on beside others (builds.h) is 55006; but a statement that has done nothing yet
 * is tried again once that is over. */
enum status ddl__lock(struct ddl *d, oid_t relation, enum relation_lock mode) MUST;
/* d->beside is taken, and nobody writes from now on. */
enum status ddl__lock_fully(struct ddl *d, oid_t relation) MUST;
/* The definition in the newest snapshot; it exists. */
const struct table_def *ddl__table(struct ddl *d, oid_t oid);

void ddl__edit(struct ddl *d, const struct table_def *t, struct table_edit *ret);
/* Puts it; *ret (may be NULL) is what the catalog has then. */
enum status ddl__edit_put(struct ddl *d, struct table_edit *e, const struct table_def **ret) MUST;
/* The edit as a definition to bind over; good until it is changed. */
const struct table_def *ddl__edit_def(struct table_edit *e);
struct column_def *ddl__edit_column(struct table_edit *e, const char *name);
/* A column of a query's result becomes one of the new table or view. 42701, 54011, 42P16. */
enum status ddl__add_result_column(struct ddl *d, struct table_edit *e, const struct target *t,
                                   const char *name, bool view) MUST;

/* --- ddl_name.c: looking names up, and making new ones --- */
/* The letter of a relation's kind that a statement says; `any` for those that say TABLE and the like. */
char ddl__kind_of(enum object_kind k, char any);
/* "table", "view", "sequence" */
const char *ddl__kind_word(const struct table_def *t);
/* 'S' 'v' 'r' or 0 for any. *ret NULL when missing_ok and it is not there, after the notice. */
enum status ddl__find(struct ddl *d, const struct ast_range_var *v, char kind, bool missing_ok,
                      const struct table_def **ret) MUST;
enum status ddl__find_index(struct ddl *d, const struct ast_range_var *v, bool missing_ok,
                            const struct index_def **ret) MUST;
/* A schema is named that is not there. */
bool ddl__lacks_schema(struct ddl *d, const struct ast_range_var *v);
struct ast_range_var ddl__range_of(const struct name_list *names);
/* The schema that a new relation goes to; rights are checked. */
enum status ddl__creation_schema(struct ddl *d, const struct ast_range_var *v,
                                 const struct schema_def **ret) MUST;
enum status ddl__schema(struct ddl *d, const char *name, const struct schema_def **ret) MUST;
bool ddl__relation_exists(struct ddl *d, oid_t schema, const char *name);
enum status ddl__check_free(struct ddl *d, oid_t schema, const char *name) MUST;
/* "t_a_key", cut to 63 bytes, with the first number that makes it free among the schema's relations
 * and what `taken` (may be NULL) tells. */
const char *ddl__choose_name(struct ddl *d, oid_t schema, const char *name1, const char *name2,
                             const char *label, bool (*taken)(void *ctx, const char *name),
                             void *ctx);
enum status ddl__role(struct ddl *d, const char *name, oid_t *ret) MUST;
enum status ddl__own_table(struct ddl *d, const struct table_def *t) MUST;
enum status ddl__own_schema(struct ddl *d, const struct schema_def *n) MUST;
bool ddl__is_owner(const struct session *s, oid_t owner);
/* As the text of an ACL ("{a=rw/b,=r/b}") grants it, to the session's user or to everybody. */
bool ddl__acl_allows(const char *acl, const char *user, char privilege);
/* Name as a command would need it: quoted when it must be. */
const char *ddl__quote(struct arena *a, const char *name);
/* A constant or word of an option list as text; NULL for none. */
const char *ddl__option_text(const struct ast_def_elem *e);
enum status ddl__option_bool(const struct ast_def_elem *e, bool *ret) MUST;
enum status ddl__option_i64(const struct ast_def_elem *e, int64_t *ret) MUST;

/* --- ddl_expression.c: stored expressions, and running them over rows --- */
/* Binds over the table's columns (NULL: none), gives its storage form. */
enum status ddl__store_expression(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                  type_id type, int32_t typmod, const char *what,
                                  const char **ret_sql, struct expr **ret) MUST;
/* DEFAULT of a column: never refers to columns; coerced as an assignment would. */
enum status ddl__store_default(struct ddl *d, const struct column_def *c, const struct ast *ast,
                               const char **ret_sql, struct expr **ret) MUST;
enum status ddl__store_generated(struct ddl *d, const struct table_def *t,
                                 const struct column_def *c, const struct ast *ast,
                                 const char **ret_sql) MUST;
/* A stored expression again, over slots: slot i is the table's column i. TYPE_NONE: as is. */
enum status ddl__load_expression(struct ddl *d, const struct table_def *t, const char *sql,
                                 const struct column_def *c, const char *what,
                                 struct expr **ret) MUST;
/* An expression as written, over slots. */
enum status ddl__slot_expression(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                 type_id type, int32_t typmod, const char *what,
                                 struct expr **ret) MUST;
/* The stored expression again, in which the column `old` of the table is called `name`. */
enum status ddl__rename_in(struct ddl *d, const struct table_def *t, const char *sql,
                           const char *old, const char *name, const char **ret) MUST;
/* Marks used[attnum] for the columns that the expression names; used has column_count + 1. */
enum status ddl__columns_of(struct ddl *d, const struct table_def *t, const char *sql,
                            bool *used) MUST;
/* Is the sequence named in the stored expression? */
enum status ddl__names_sequence(struct ddl *d, const char *sql, oid_t sequence, bool *ret) MUST;

/* --- ddl_storage.c: keys, entries, scans --- */
struct row_scan {
    const struct table_def *table;
    /* `row`: table->column_count values, missing ones filled in; key: the table key's bytes. */
    enum status (*row)(void *ctx, struct slice key, struct datum *row);
    void *ctx;
};
enum status ddl__scan(struct ddl *d, const struct row_scan *q) MUST;
struct key_part ddl__key_part(const struct index_def *x, uint32_t i);
/* All columns of a stored row; those added later take their missing value. */
void ddl__decode(const struct table_def *t, struct slice row, struct datum *ret);
/* The key of a row in its table's tree, when that has a primary key. */
void ddl__primary_key(const struct table_def *t, const struct datum *row, struct strbuf *out);
/* The key of the row's entry in an index of columns; *ret_unique: the entry is unique by itself. */
void ddl__entry_key(const struct index_def *x, struct slice key, const struct datum *row,
                    struct strbuf *out, bool *ret_unique);

/* --- ddl_index_rule.c: indexes with expressions and predicates --- */
struct index_values {
    const struct index_def *index;
    struct expr **keys;      /* over slots; NULL: columns only */
    struct expr *predicate;  /* NULL: all rows */
    struct execution *x;
    struct arena *arena;     /* of one row */
};
enum status ddl__index_values(struct ddl *d, const struct table_def *t, const struct index_def *x,
                              struct index_values *ret) MUST;
/* The row's values of the key columns, into `ret`; *ret_present false: the index leaves it out. */
enum status ddl__index_row(const struct index_values *v, const struct datum *row,
                           struct datum *ret, bool *ret_present) MUST;
/* The key of the row's entry into `out`; what is worked out for it lies in v->arena. */
enum status ddl__index_entry(const struct index_values *v, struct slice key,
                             const struct datum *row, struct strbuf *out, bool *ret_unique,
                             bool *ret_present) MUST;
/* An element of CREATE INDEX that is an expression, and WHERE. */
/* Has a btree an order for it? */
enum status ddl__check_ordered(struct ddl *d, type_id type) MUST;
enum status ddl__index_expression(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                  struct index_column *ret) MUST;
enum status ddl__index_predicate(struct ddl *d, const struct table_def *t, const struct ast *ast,
                                 const char **ret_sql) MUST;
/* The column `old` of the table is called `name` by now. */
enum status ddl__rename_in_indexes(struct ddl *d, const struct table_def *t, struct table_edit *e,
                                   const char *old, const char *name) MUST;
/* A column of the edit has another type: key columns take their expressions' types. */
enum status ddl__retype_indexes(struct ddl *d, struct table_edit *e,
                                const struct column_def *to) MUST;
/* A key column as errors tell it: "a", "lower(a)". */
enum status ddl__index_column_words(struct ddl *d, const struct table_def *t,
                                    const struct index_column *c, const char **ret) MUST;
/* Does the index name the column, in an expression or its predicate, too? */
enum status ddl__index_uses(struct ddl *d, const struct table_def *t, const struct index_def *x,
                            int16_t number, bool *ret) MUST;
/* No two rows have one key of the deferrable unique index, whose entries do not tell: 23505. */
enum status ddl__verify_unique(struct ddl *d, const struct table_def *t,
                               const struct index_def *x) MUST;
/* The same for one key, encoded without its row's. */
enum status ddl__verify_unique_key(struct ddl *d, const struct table_def *t,
                                   const struct index_def *x, struct slice key) MUST;
/* 23505 in the words of an index that is being made. */
enum status ddl__duplicated(struct ddl *d, const struct table_def *t, const struct index_def *x,
                            const struct datum *row) MUST;
/* Fills the index's (new) tree from the table's rows. */
enum status ddl__build_index(struct ddl *d, const struct table_def *t,
                             const struct index_def *x) MUST;
/* --- ddl_move.c --- */
/* Moves the rows of `from` into the new tree of `to` (same oid, in the catalog already), and
 * builds the trees of to's secondary indexes. fill (may be NULL) changes the values: the first
 * from->column_count are given. With d->beside rows keep their keys, or their
 * values give the same ones each time. */
struct rewrite {
    const struct table_def *from, *to;
    bool keeps_keys; /* rows keep theirs */
    enum status (*fill)(void *ctx, struct datum *row);
    void *ctx;
};
enum status ddl__rewrite(struct ddl *d, const struct rewrite *q) MUST;
/* New trees for the table (e->def.tree) and its secondary indexes; the old ones are dropped. */
enum status ddl__new_trees(struct ddl *d, struct table_edit *e) MUST;
/* The same, but that nothing is dropped, and the rest of it. */
enum status ddl__more_trees(struct ddl *d, struct table_edit *e) MUST;
enum status ddl__drop_trees(struct ddl *d, const struct table_def *t) MUST;

/* --- ddl_rewrite.c: ALTER TABLE's ways over the rows --- */
/* Puts the edit with new trees and moves the rows of `from` there; `value` (NULL: none), over
 * slots of from's columns, is what the edit's column at that position gets. */
enum status ddl__remake(struct ddl *d, const struct table_def *from, struct table_edit *e,
                        uint16_t column, const struct expr *value) MUST;
/* The same for another type of that column, which must be as the table's checks and NOT NULL demand. */
enum status ddl__retype(struct ddl *d, const struct table_def *from, struct table_edit *e,
                        uint16_t column, const struct expr *value) MUST;
/* Every row has the column not null: 23502. */
enum status ddl__verify_not_null(struct ddl *d, const struct table_def *t, uint16_t column) MUST;
/* The same, unless a check that all rows pass says so. */
enum status ddl__prove_not_null(struct ddl *d, const struct table_def *t, uint16_t column) MUST;
/* ADD CONSTRAINT … USING INDEX (ddl_using_index.c). */
enum status ddl__add_using_index(struct ddl *d, const struct table_def *t,
                                 const struct ast_constraint *c) MUST;
/* The constraint of that name, if it is one to be validated. */
enum status ddl__find_validated(const struct table_def *t, const char *name,
                                const struct constraint_def **ret) MUST;
/* Every row passes the check: 23514. */
enum status ddl__verify_check(struct ddl *d, const struct table_def *t,
                              const struct constraint_def *k) MUST;

/* --- ddl_constraint.c: keys and checks of CREATE and ALTER TABLE --- */
/* PRIMARY KEY or UNIQUE: index and constraint are added to the edit; no tree is filled. */
enum status ddl__add_key(struct ddl *d, struct table_edit *e, const struct ast_constraint *c,
                         const struct index_def **ret) MUST;
enum status ddl__add_check(struct ddl *d, struct table_edit *e, const struct ast_constraint *c,
                           const struct constraint_def **ret) MUST;
enum status ddl__refuse_constraint(struct ddl *d, const struct ast_constraint *c) MUST;
/* --- ddl_foreign.c --- */
/* FOREIGN KEY of a table that is in the catalog. `has_rows`: they are checked, but for NOT VALID. */
enum status ddl__add_foreign(struct ddl *d, oid_t table, const struct ast_constraint *c,
                             bool has_rows) MUST;
/* Every row refers to something: 23503. */
enum status ddl__verify_foreign(struct ddl *d, const struct constraint_def *k) MUST;
/* The same while others write to both tables, until it takes d->beside on both (ddl_follow_foreign.c). */
enum status ddl__follow_foreign(struct ddl *d, const struct constraint_def *k) MUST;
enum status ddl__drop_foreign(struct ddl *d, const struct constraint_def *k) MUST;
/* The foreign keys among the column's constraints, as the table's. */
enum status ddl__column_foreign(struct ddl *d, oid_t table, const struct ast_column_def *c,
                                bool has_rows) MUST;
/* 42710 when the table has one of that name. */
enum status ddl__constraint_free(struct ddl *d, struct table_edit *e, const char *name) MUST;

/* --- ddl_column.c: one column of CREATE and ALTER TABLE --- */
/* Appends the column to the edit (serial is an int with a sequence to come). */
enum status ddl__add_column(struct ddl *d, struct table_edit *e,
                            const struct ast_column_def *c) MUST;
/* What may only be done once the table is in the catalog without it: DEFAULT, GENERATED, identity
 * and serial sequences, CHECK, UNIQUE, PRIMARY KEY of the column. */
enum status ddl__column_rules(struct ddl *d, struct table_edit *e,
                              const struct ast_column_def *c) MUST;
/* A table of that name in the schema, without columns, with a new tree; not in the catalog yet. */
enum status ddl__new_table(struct ddl *d, const struct schema_def *n, const struct ast_range_var *v,
                           struct table_edit *ret) MUST;
/* 0A000 and 42704 for access methods and tablespaces that there are not. */
enum status ddl__check_place(const char *access_method, const char *tablespace) MUST;
/* WITH (…) as "a=b,c=d"; NULL for none. Names are checked. */
enum status ddl__options(struct ddl *d, const struct ast_list *options, const char **ret) MUST;

/* --- ddl_sequence.c --- */
struct sequence_owner {
    const struct table_def *table; /* NULL: none */
    int16_t column;
    char kind;
};
/* Makes sequence and tree; `options` as of CREATE SEQUENCE. */
enum status ddl__make_sequence(struct ddl *d, oid_t schema, const char *name, type_id type,
                               const struct ast_list *options, const struct sequence_owner *owner,
                               oid_t *ret) MUST;
/* Changes it as ALTER SEQUENCE does. */
enum status ddl__change_sequence(struct ddl *d, const struct table_def *t,
                                 const struct ast_list *options) MUST;
const struct table_def *ddl__identity_sequence(struct ddl *d, oid_t table, int16_t column);
enum status ddl__restart_sequence(struct ddl *d, const struct table_def *t) MUST;

/* --- ddl_drop.c, ddl_depend.c --- */
struct drop_item {
    const struct table_def *table;
    const struct column_def *column; /* NULL: the relation */
};
/* What a drop takes with it: views over tables, owned sequences, defaults that use a sequence,
 * foreign keys that refer to a table. With
 * RESTRICT the first that is not among the items is 2BP01. */
enum status ddl__drop_items(struct ddl *d, const struct drop_item *items, uint32_t count,
                            bool cascade) MUST;
/* Foreign keys that refer to the index go before it does: 2BP01 without CASCADE, of `what` goes. */
enum status ddl__drop_references(struct ddl *d, const struct index_def *x, const char *what,
                                 bool cascade) MUST;
/* All that is in the schemas, and what hangs on it. 2BP01 when there is any, without CASCADE. */
enum status ddl__drop_contents(struct ddl *d, const struct schema_def *const *schemas,
                               uint32_t count, bool cascade) MUST;
/* "NOTICE: drop cascades to …" for these words. */
enum status ddl__cascade_notice(struct ddl *d, const char *const *words, uint32_t count) MUST;
/* "view s.v", with the schema where the path does not find it. */
const char *ddl__words(struct ddl *d, const struct table_def *t);
/* Views whose query uses the relation (column_number 0: any column of it). */
enum status ddl__views_over(struct ddl *d, const struct table_def *t, int16_t column,
                            const struct table_def ***ret, uint32_t *ret_count) MUST;

/* --- ddl_view_text.c: views while what they use is renamed --- */
struct noted_view {
    oid_t view;
    const struct name_use *uses;
    size_t count;
};
struct noted_views {
    struct noted_view *data;
    size_t count, cap;
};
/* The query with every table's schema told, and every star as its columns. */
enum status ddl__view_text(struct ddl *d, const char *sql, const char **ret) MUST;
/* Views over the table, with the type or function, or over any of the schema (0: none), before it changes … */
enum status ddl__note_views(struct ddl *d, oid_t object, oid_t schema,
                            struct noted_views *ret) MUST;
/* … and after: their texts get its new name, and keep the old one as an alias. */
enum status ddl__restate_views(struct ddl *d, const struct noted_views *views) MUST;

enum status ddl__drop_relation(struct ddl *d, const struct table_def *t) MUST;
/* Takes index and tree away; the table is locked. */
enum status ddl__drop_index(struct ddl *d, const struct index_def *x) MUST;

/* --- ddl_alter_*.c: commands of ALTER TABLE --- */
/* 42703 "column "a" of relation "t" does not exist" */
enum status ddl__alter_column(struct table_edit *e, const char *name, struct column_def **ret) MUST;
enum status ddl__add_column_command(struct ddl *d, oid_t table, const struct ast_alter_cmd *c) MUST;
enum status ddl__drop_column_command(struct ddl *d, oid_t table,
                                     const struct ast_alter_cmd *c) MUST;
/* Takes the column and all that is only its own out of the table. */
enum status ddl__remove_column(struct ddl *d, oid_t table, int16_t number) MUST;
enum status ddl__alter_type(struct ddl *d, oid_t table, const struct ast_alter_cmd *c) MUST;
/* The type that the command gives the column. */
enum status ddl__alter_to(struct ddl *d, const struct ast_alter_cmd *cmd, const struct table_def *t,
                          const struct column_def *c, type_id *ret, int32_t *ret_typmod) MUST;
/* ALTER TYPE … ATTRIBUTE (ddl_attribute.c). */
enum status ddl__alter_attributes(struct ddl *d, const struct ast_alter_table *n) MUST;
enum status ddl__add_constraint(struct ddl *d, oid_t table, const struct ast_alter_cmd *c) MUST;
enum status ddl__drop_constraint(struct ddl *d, oid_t table, const struct ast_alter_cmd *c) MUST;
enum status ddl__alter_constraint(struct ddl *d, oid_t table,
                                  const struct ast_alter_cmd *c) MUST;
enum status ddl__validate_constraint(struct ddl *d, oid_t table,
                                     const struct ast_alter_cmd *c) MUST;
/* --- ddl_trigger_column.c: columns that triggers name --- */
/* Conditions of triggers, as above; e's triggers are new ones. */
enum status ddl__rename_in_triggers(struct ddl *d, const struct table_def *t, struct table_edit *e,
                                    const char *old, const char *name) MUST;
/* Triggers that name the column go with it: 2BP01 without CASCADE. */
enum status ddl__drop_column_triggers(struct ddl *d, oid_t table, int16_t number,
                                      bool cascade) MUST;
/* ENABLE and DISABLE TRIGGER (ddl_trigger.c). */
enum status ddl__enable_triggers(struct ddl *d, oid_t table, const struct ast_alter_cmd *c) MUST;
enum status ddl__set_owner(struct ddl *d, const struct table_def *t, const char *role) MUST;

/* --- statements --- */
/* Of a new relation in the schema: 't' in that of the session's temporary objects. */
char ddl__persistence(struct ddl *d, const struct schema_def *n, const struct ast_range_var *v);
enum status ddl__on_commit(struct ddl *d, const struct table_def *t, char action) MUST;
enum status ddl__create_table(struct ddl *d, const struct ast_create_table *n) MUST;
enum status ddl__create_table_as(struct ddl *d, const struct ast_create_table_as *n,
                                 char tag[64]) MUST;
/* A statement of DDL's own making; its tag. */
enum status ddl__run(struct ddl *d, struct ast *ast, struct slice text, char words[64]) MUST;
/* The rows of the query (an ast_select) go into the table; the tag says how many. */
enum status ddl__fill_table(struct ddl *d, const struct schema_def *schema, const char *name,
                            const struct ast *query, struct slice text, char tag[64]) MUST;
enum status ddl__result_columns(struct ddl *d, struct table_edit *e,
                                const struct ast_create_table_as *n, const struct query *q) MUST;
/* --- ddl_materialized.c --- */
enum status ddl__create_materialized(struct ddl *d, const struct ast_create_table_as *n,
                                     char tag[64]) MUST;
enum status ddl__refresh(struct ddl *d, const struct ast_refresh *n) MUST;
/* SELECT … INTO: the same by another name. */
enum status ddl__select_into(struct ddl *d, const struct ast_select *n, char tag[64]) MUST;
/* LIKE among the columns (ddl_like.c): the statement with the columns and constraints that it stands for; and what can be
 * made once the table is there. */
enum status ddl__expand_like(struct ddl *d, const struct ast_create_table *n,
                             const struct ast_create_table **ret) MUST;
enum status ddl__finish_like(struct ddl *d, const struct ast_create_table *n, oid_t table) MUST;
enum status ddl__create_index(struct ddl *d, const struct ast_create_index *n) MUST;
enum status ddl__create_schema(struct ddl *d, const struct ast_create_schema *n) MUST;
enum status ddl__create_view(struct ddl *d, const struct ast_create_view *n) MUST;
enum status ddl__create_sequence(struct ddl *d, const struct ast_sequence *n) MUST;
enum status ddl__alter_sequence(struct ddl *d, const struct ast_sequence *n) MUST;
enum status ddl__alter_table(struct ddl *d, const struct ast_alter_table *n) MUST;
enum status ddl__rename(struct ddl *d, const struct ast_rename *n) MUST;
enum status ddl__alter_owner(struct ddl *d, const struct ast_alter_object *n) MUST;
enum status ddl__alter_schema(struct ddl *d, const struct ast_alter_object *n) MUST;
enum status ddl__drop(struct ddl *d, const struct ast_drop *n) MUST;
enum status ddl__truncate(struct ddl *d, const struct ast_truncate *n) MUST;
enum status ddl__comment(struct ddl *d, const struct ast_comment *n) MUST;
enum status ddl__grant_role(struct ddl *d, const struct ast_grant_role *n) MUST;
enum status ddl__grant(struct ddl *d, const struct ast_grant *n) MUST;
enum status ddl__create_role(struct ddl *d, const struct ast_role *n) MUST;
enum status ddl__alter_role(struct ddl *d, const struct ast_role *n) MUST;
enum status ddl__drop_role(struct ddl *d, const struct ast_role *n) MUST;
enum status ddl__create_database(struct ddl *d, const struct ast_database *n) MUST;
enum status ddl__drop_database(struct ddl *d, const struct ast_database *n) MUST;
/* Before that, without the lock on definitions: waits for sessions in the database to end, WITH (FORCE) ends them. */
enum status ddl__await_unused_database(struct session *s, const struct ast_database *n) MUST;
/* One statement inside CREATE SCHEMA. */
enum status ddl__statement(struct ddl *d, const struct ast *a, char tag[64]) MUST;

#endif
