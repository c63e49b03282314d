/* Statements about branches (branch.c), and what becomes of what was changed in them. */
#ifndef HELIOS_DB_BRANCH_PRIV_H
#define HELIOS_DB_BRANCH_PRIV_H

#include "db/db_line_priv.h"

enum status branch_execute(struct session *s, const struct ast_branch *a, struct slice text,
                           const struct exec_params *params, const struct result_sink *sink,
                           char tag[64]) MUST;
/* SHOW BRANCHES. */
enum { BRANCH_COLUMNS = 4 };
extern const char *const branch__columns[];
enum status branch__show(struct session *s, const struct result_sink *sink) MUST;
/* 42501 for a role that may not make databases. */
enum status branch__check_rights(const struct session *s) MUST;
enum status branch__merge(struct session *s, const struct ast_branch *a,
                          const struct result_sink *sink, uint64_t *ret_rows) MUST;
enum status branch__drop(struct session *s, const char *name) MUST;

#endif
