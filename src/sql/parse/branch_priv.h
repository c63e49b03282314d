/* Statements about branches in a text (branch_stmt.c). */
#ifndef HELIOS_SQL_PARSE_BRANCH_PRIV_H
#define HELIOS_SQL_PARSE_BRANCH_PRIV_H

#include "base/array.h"
#include "sql/parse/parse.h"

struct branch_statement {
    uint32_t start, end; /* in the text */
    int param_count;
    struct ast *ast;
};

struct branch_statements {
    ARRAY(struct branch_statement) list; /* in order, in the arena */
    struct slice blanked;                /* the text with others in their place */
};

/* Looks for them in a text that the grammar refuses; none: list.count 0, and `blanked` the text. */
enum status branch_stmt__find(struct arena *a, struct slice text, struct branch_statements *ret) MUST;
/* Puts their trees where they belong. */
void branch_stmt__place(const struct branch_statements *found, struct statement *st, uint32_t count);

#endif
