/* Copying statements on functions and triggers. */
#ifndef HELIOS_SQL_PARSE_COPY_ROUTINE_PRIV_H
#define HELIOS_SQL_PARSE_COPY_ROUTINE_PRIV_H

#include "sql/parse/copy_priv.h"

/* *ret is NULL when the statement is about something else. */
enum status copy__routine(struct copy *c, const Node *n, struct ast **ret) MUST;

#endif
