/* AS OF clauses of a text (as_of.c). */
#ifndef HELIOS_SQL_PARSE_AS_OF_PRIV_H
#define HELIOS_SQL_PARSE_AS_OF_PRIV_H

#include "base/array.h"
#include "sql/parse/parse.h"

struct as_of_moment {
    uint32_t expr_start, expr_end; /* in the text; expr_end 0: it has no expression */
    struct ast_as_of as_of;
};

struct as_of_clause {
    uint32_t start, end; /* in the text */
    int param_count;
    bool claimed, versions;
    struct as_of_moment at, to;
    struct ast_moments moments;
};

struct as_of_clauses {
    ARRAY(struct as_of_clause) list; /* in order, in the arena */
    struct slice blanked;            /* the text with spaces in their place */
};

/* Looks for clauses in a text that the grammar refuses; none: list.count 0. Errors are those of their
 * expressions. */
enum status as_of__find(struct arena *a, struct slice text, struct as_of_clauses *ret) MUST;
struct scan;
/* The moment behind the AS OF at which the scanner stands; *ret_found false: there is none. */
enum status as_of__take(struct arena *a, struct slice text, struct scan *s,
                        struct as_of_moment *ret, int *param_count, bool *ret_found) MUST;
/* That of the table whose name begins there; NULL: none. */
const struct ast_moments *as_of__claim(struct as_of_clauses *c, struct slice text, int location,
                                     int *param_count);
/* All of them belong to tables. */
enum status as_of__check(const struct as_of_clauses *c, struct slice text) MUST;

#endif
