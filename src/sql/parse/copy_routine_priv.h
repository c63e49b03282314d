/* Copying statements on functions and triggers. */
#ifndef HELIOS_SQL_PARSE_COPY_ROUTINE_PRIV_H
#define HELIOS_SQL_PARSE_COPY_ROUTINE_PRIV_H

#include "sql/ast_routine.h"
#include "sql/parse/copy_priv.h"

/* 'f', 'p', 'r' of FUNCTION, PROCEDURE, ROUTINE; 0 for all else. */
char copy__routine_kind(ObjectType t);
/* A list of functions as DROP and GRANT name them. */
enum status copy__routines(struct copy *c, const List *l, struct ast_routine **ret,
                           uint32_t *ret_count) MUST;
/* *ret is NULL when the statement is about something else. */
enum status copy__routine(struct copy *c, const Node *n, struct ast **ret) MUST;

#endif
