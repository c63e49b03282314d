/* Keys that may stand otherwise in two branches (branch_lines.c). */
#ifndef HELIOS_DB_BRANCH_LINES_PRIV_H
#define HELIOS_DB_BRANCH_LINES_PRIV_H

#include "core/txn.h"
#include "db/branch_priv.h"

/* The lines of descent of both, down to what they have in common, each with a transaction of its own. */
struct branch_lines;
/* NULL: the main line. */
enum status branch_lines_new(struct session *s, struct branch *a, struct branch *b,
                             struct branch_lines **ret) MUST;
void branch_lines_free(struct branch_lines *l); /* may be NULL */
/* In order, each once, until *ret_any is false. Of a tree that both know by this number. */
enum status branch_lines_open(struct branch_lines *l, tree_id tree) MUST;
enum status branch_lines_next(struct branch_lines *l, struct slice *ret, bool *ret_any) MUST;
void branch_lines_close(struct branch_lines *l);

#endif
