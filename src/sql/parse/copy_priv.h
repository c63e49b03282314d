/* Copying the library's nodes into our tree. A copier takes a node of one kind and gives ours, in
 * the arena; NULL and empty lists stay what they are. */
#ifndef HELIOS_SQL_PARSE_COPY_PRIV_H
#define HELIOS_SQL_PARSE_COPY_PRIV_H

#include "base/status.h"
#include "sql/ast.h"
#include "sql/parse/as_of_priv.h"
#include "sql/parse/pg_nodes_priv.h"

enum {
    COPY_STACK_BYTES_MIN = 1 << 20, /* for the levels before the next look, and those who walk the tree */
    PARAM_NUMBER_MAX = 65535,        /* the wire counts parameters in 16 bits */
};

/* One statement's copying. */
struct copy {
    struct arena *arena;
    struct slice text; /* the whole query string */
    int start, end;    /* of the statement in it */
    int depth;
    int param_count;
    struct as_of_clauses *as_of; /* NULL: none */
    bool in_from;              /* in a FROM list */
    bool in_schema;            /* among the elements of CREATE SCHEMA */
    const Node *multi_source; /* SET (a, b) = …: the source copied last, and its copy */
    struct ast *multi_copy;
};

#define NODE_NEW(c, type, ast_kind, where) ((struct type *)copy__new((c), sizeof(struct type), \
                                                                     (ast_kind), (where)))
static inline void *copy__new(struct copy *c, size_t size, enum ast_kind kind, int location)
{
    struct ast *n = arena_zalloc(c->arena, size);
    n->kind = kind;
    n->location = location;
    return n;
}

/* A level deeper, refused beyond AST_DEPTH_MAX or near the stack's end; paired with c->depth--. */
enum status copy__descend(struct copy *c) MUST;
/* Gives the error in the slot its position; returns its code. */
enum status copy__at(const struct copy *c, int location, enum status code);

/* --- copy_expr.c: whatever may stand in an expression or in FROM ------------------------------ */
enum status copy__node(struct copy *c, const void *node, struct ast **ret) MUST;
enum status copy__list(struct copy *c, const List *l, struct ast_list *ret) MUST;
enum status copy__steps(struct copy *c, const List *l, struct ast_subscript **ret,
                        uint32_t *ret_count) MUST;

/* --- copy_piece.c ----------------------------------------------------------------------------- */
const char *copy__string(struct copy *c, const char *s); /* NULL stays NULL */
void copy__names(struct copy *c, const List *l, struct name_list *ret);
void copy__alias(struct copy *c, const Alias *a, struct ast_alias *ret);
struct ast *copy__text(struct copy *c, const char *s, int location); /* a string constant */
struct ast *copy__value(struct copy *c, const Node *n, int location); /* Integer … BitString */
struct ast_range_var *copy__range_var(struct copy *c, const RangeVar *v);
/* The same, of a table that is read: in FROM it may have a moment. */
struct ast *copy__table(struct copy *c, const RangeVar *v);
enum status copy__from(struct copy *c, const List *l, struct ast_list *ret) MUST; /* FROM, USING */
const char *copy__role(struct copy *c, const RoleSpec *r);
enum status copy__type_name(struct copy *c, const TypeName *t, struct ast_type_name **ret) MUST;
enum status copy__window(struct copy *c, const WindowDef *w, struct ast_window **ret) MUST;
enum status copy__with(struct copy *c, const WithClause *w, struct ast_with *ret) MUST;
enum status copy__on_conflict(struct copy *c, const OnConflictClause *o,
                              struct ast_on_conflict **ret) MUST;
enum status copy__sort_by(struct copy *c, const SortBy *s, struct ast **ret) MUST;
/* RangeSubselect, RangeFunction, JoinExpr and their kin. */
enum status copy__from_item(struct copy *c, const Node *n, struct ast **ret) MUST;
enum status copy__target(struct copy *c, const ResTarget *t, struct ast **ret) MUST;
enum status copy__def_elem(struct copy *c, const DefElem *d, struct ast **ret) MUST;
enum status copy__index_elem(struct copy *c, const IndexElem *e, struct ast **ret) MUST;
struct ast *copy__locking(struct copy *c, const LockingClause *l);

/* --- copy_stmt.c ------------------------------------------------------------------------------ */
enum status copy__statement(struct copy *c, const Node *n, struct ast **ret) MUST;
enum status copy__merge(struct copy *c, const MergeStmt *s, struct ast **ret) MUST; /* copy_merge.c */
enum status copy__select(struct copy *c, const SelectStmt *s, struct ast_select **ret) MUST;

/* --- copy_ddl.c, copy_table.c: *ret is NULL when the kind is not theirs ------------------------ */
enum status copy__ddl(struct copy *c, const Node *n, struct ast **ret) MUST;
enum status copy__create_table(struct copy *c, const CreateStmt *s, struct ast **ret) MUST;
enum status copy__create_type(struct copy *c, const CompositeTypeStmt *s, struct ast **ret) MUST;
enum status copy__create_table_as(struct copy *c, const CreateTableAsStmt *s,
                                  struct ast **ret) MUST;
enum status copy__alter_table(struct copy *c, const AlterTableStmt *s, struct ast **ret) MUST;
enum status copy__column_def(struct copy *c, const ColumnDef *d, struct ast_column_def **ret) MUST;

/* --- unsupported.c ---------------------------------------------------------------------------- */
struct ast *copy__unsupported(struct copy *c, const Node *n);
/* OBJECT_OTHER for what we do not have; *ret_name is its name in SQL. */
enum object_kind copy__object_kind(ObjectType t, const char **ret_name);

#endif
