/* Printing expressions as SQL, in two files: deparse.c the forms, deparse_const.c constants and
 * names. */
#ifndef HELIOS_SQL_DEPARSE_PRIV_H
#define HELIOS_SQL_DEPARSE_PRIV_H

#include "sql/query.h"

struct deparse {
    const struct query *query;
    const struct deparse_options *options;
    struct strbuf *out;
    int indent;
};

/* Quoted when it must be. */
void deparse__identifier(struct strbuf *out, const char *name);
/* A type as a cast names it: `bpchar` is any length, `character` would be one. */
void deparse__type(struct deparse *d, type_id type, int32_t typmod);
/* With `label`, ::type wherever the text alone would read as another type. */
void deparse__const(struct deparse *d, const struct expr *e, bool label);

#endif
