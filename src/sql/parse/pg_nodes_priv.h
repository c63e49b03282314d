/* PostgreSQL's node structs, as the library's grammar fills them. Included by the bridge and the
 * copiers only: its names are many, and some of them are also ours, so those are renamed while its
 * headers are read.
 *
 * The headers are those of postgresql-server-dev-15; the library was built from 15.1. They agree in
 * layout but for two things: CreateStatsStmt.owner is not in the library (never read it), and the
 * library numbers LimitOption another way (LIBRARY_LIMIT_ below). The assertions at the end hold the
 * places that we read. */
#ifndef HELIOS_SQL_PARSE_PG_NODES_PRIV_H
#define HELIOS_SQL_PARSE_PG_NODES_PRIV_H

#include "sql/ast.h"

/* Thread-local in the library, plain in the headers. */
#define CurrentMemoryContext pg_header_CurrentMemoryContext
#define PG_exception_stack pg_header_PG_exception_stack
#define error_context_stack pg_header_error_context_stack
/* Enumerators that sql/ast.h has too. */
#define JOIN_INNER PG_JOIN_INNER
#define JOIN_LEFT PG_JOIN_LEFT
#define JOIN_FULL PG_JOIN_FULL
#define JOIN_RIGHT PG_JOIN_RIGHT
#define JOIN_SEMI PG_JOIN_SEMI
#define JOIN_ANTI PG_JOIN_ANTI
#define SETOP_NONE PG_SETOP_NONE
#define SETOP_UNION PG_SETOP_UNION
#define SETOP_INTERSECT PG_SETOP_INTERSECT
#define SETOP_EXCEPT PG_SETOP_EXCEPT
#define IS_TRUE PG_IS_TRUE
#define IS_NOT_TRUE PG_IS_NOT_TRUE
#define IS_FALSE PG_IS_FALSE
#define IS_NOT_FALSE PG_IS_NOT_FALSE
#define IS_UNKNOWN PG_IS_UNKNOWN
#define IS_NOT_UNKNOWN PG_IS_NOT_UNKNOWN
#define FETCH_FORWARD PG_FETCH_FORWARD
#define FETCH_BACKWARD PG_FETCH_BACKWARD
#define FETCH_ABSOLUTE PG_FETCH_ABSOLUTE
#define FETCH_RELATIVE PG_FETCH_RELATIVE
#define OBJECT_TABLE PG_OBJECT_TABLE
#define OBJECT_INDEX PG_OBJECT_INDEX
#define OBJECT_SEQUENCE PG_OBJECT_SEQUENCE
#define OBJECT_VIEW PG_OBJECT_VIEW
#define OBJECT_SCHEMA PG_OBJECT_SCHEMA
#define OBJECT_COLUMN PG_OBJECT_COLUMN
#define OBJECT_DATABASE PG_OBJECT_DATABASE
#define OBJECT_ROLE PG_OBJECT_ROLE

#include <postgres.h>
#include <nodes/parsenodes.h>
#include <parser/parser.h>

#undef CurrentMemoryContext
#undef PG_exception_stack
#undef error_context_stack
#undef JOIN_INNER
#undef JOIN_LEFT
#undef JOIN_FULL
#undef JOIN_RIGHT
#undef JOIN_SEMI
#undef JOIN_ANTI
#undef SETOP_NONE
#undef SETOP_UNION
#undef SETOP_INTERSECT
#undef SETOP_EXCEPT
#undef IS_TRUE
#undef IS_NOT_TRUE
#undef IS_FALSE
#undef IS_NOT_FALSE
#undef IS_UNKNOWN
#undef IS_NOT_UNKNOWN
#undef FETCH_FORWARD
#undef FETCH_BACKWARD
#undef FETCH_ABSOLUTE
#undef FETCH_RELATIVE
#undef OBJECT_TABLE
#undef OBJECT_INDEX
#undef OBJECT_SEQUENCE
#undef OBJECT_VIEW
#undef OBJECT_SCHEMA
#undef OBJECT_COLUMN
#undef OBJECT_DATABASE
#undef OBJECT_ROLE

extern __thread MemoryContext CurrentMemoryContext;
extern __thread sigjmp_buf *PG_exception_stack;
extern __thread ErrorContextCallback *error_context_stack;
/* Of the library alone: a fresh context that is made current, and its end. */
MemoryContext pg_query_enter_memory_context(void);
void pg_query_exit_memory_context(MemoryContext context);

enum { LIBRARY_LIMIT_DEFAULT = 0, LIBRARY_LIMIT_COUNT = 1, LIBRARY_LIMIT_WITH_TIES = 2 };

static inline int list_count(const List *l) { return l ? l->length : 0; }
static inline const Node *list_item(const List *l, int i)
{
    return (const Node *)l->elements[i].ptr_value;
}
/* The name in a String node. */
static inline const char *node_name(const void *n) { return ((const String *)n)->sval; }

_Static_assert(PG_VERSION_NUM / 10000 == 15, "the library is PostgreSQL 15's grammar");
_Static_assert(sizeof(A_Const) == 32 && offsetof(A_Const, isnull) == 24, "A_Const");
_Static_assert(offsetof(A_Expr, lexpr) == 16 && sizeof(A_Expr) == 40, "A_Expr");
_Static_assert(offsetof(FuncCall, location) == 56, "FuncCall");
_Static_assert(offsetof(SelectStmt, limitOption) == 112 && sizeof(SelectStmt) == 160, "SelectStmt");
_Static_assert(offsetof(Constraint, skip_validation) == 180, "Constraint");
_Static_assert(offsetof(IndexStmt, unique) == 104, "IndexStmt");
_Static_assert(sizeof(ColumnDef) == 120 && sizeof(RangeVar) == 56, "ColumnDef, RangeVar");
_Static_assert(T_String == 229 && T_List == 231 && T_RawStmt == 235 && T_SelectStmt == 242,
               "node tags");

#endif
