/* DDL on functions and triggers. */
#ifndef HELIOS_DB_DDL_ROUTINE_PRIV_H
#define HELIOS_DB_DDL_ROUTINE_PRIV_H

#include "db/ddl_priv.h"
#include "sql/ast_routine.h"

/* --- ddl_function.c --- */
enum status ddl__create_function(struct ddl *d, const struct ast_create_function *n) MUST;
enum status ddl__function_option(struct function_def *f, const struct ast_def_elem *e) MUST;

/* --- ddl_function_find.c --- */
enum status ddl__put_function(struct ddl *d, const struct function_def *f) MUST;
/* The one with just these arguments; NULL. */
const struct function_def *ddl__function_exact(struct ddl *d, oid_t schema, const char *name,
                                               const type_id *args, uint32_t count);
/* kind 'r': of any. missing_ok: a notice, and *ret is NULL. */
enum status ddl__find_function(struct ddl *d, const struct ast_routine *r, char kind,
                               bool missing_ok, const struct function_def **ret) MUST;
enum status ddl__drop_functions(struct ddl *d, const struct ast_drop_function *n) MUST;
/* 2BP01 when anything depends on it. */
enum status ddl__drop_function(struct ddl *d, const struct function_def *f) MUST;
/* All functions of the schema go with it: their words, and what depends on them elsewhere. */
enum status ddl__drop_schema_functions(struct ddl *d, oid_t schema) MUST;
enum status ddl__alter_function(struct ddl *d, const struct ast_alter_function *n) MUST;
enum status ddl__name_function(struct ddl *d, const struct ast_name_function *n) MUST;

/* Does the view's query call it (ddl_view_uses.c)? */
bool ddl__view_calls(struct ddl *d, const struct table_def *view, oid_t function);

/* --- ddl_trigger.c --- */
enum status ddl__create_trigger(struct ddl *d, const struct ast_create_trigger *n) MUST;
enum status ddl__drop_trigger(struct ddl *d, const struct ast_drop_trigger *n) MUST;
enum status ddl__name_trigger(struct ddl *d, const struct ast_name_trigger *n) MUST;
/* Fires those of TRUNCATE, of one table. */
enum status ddl__truncate_triggers(struct ddl *d, oid_t table, bool before) MUST;
/* Takes the trigger out of the table's definition. */
enum status ddl__remove_trigger(struct ddl *d, oid_t table, oid_t trigger) MUST;

#endif
