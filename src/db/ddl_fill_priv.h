/* Rows and index entries that DDL writes to new trees: what ddl_storage.c and ddl_move.c share. */
#ifndef HELIOS_DB_DDL_FILL_PRIV_H
#define HELIOS_DB_DDL_FILL_PRIV_H

#include "db/ddl_priv.h"

/* Into trees that are new, so that what is there already is our own. */
struct fill {
    struct ddl *ddl;
    const struct table_def *table;
    const struct index_def **indexes; /* those with trees */
    struct index_values *values;      /* one an index */
    uint32_t index_count;
    struct execution x;
    struct arena arena;               /* of one row */
    bool with_table;   /* the rows are written, too: tree 0 of the load */
    bool one_by_one;   /* never as a load */
    struct load *load; /* NULL: not yet */
    size_t wrote;
    uint64_t rows;
    struct strbuf entry;
};

/* `only`: of the table's indexes, whose rows are there already; NULL: all of it. Expressions run by an
 * execution of its own. */
enum status fill__begin(struct fill *f, struct ddl *d, const struct table_def *t,
                        const struct index_def *only) MUST;
/* `bytes`: of the row; data NULL when the table has it already. */
enum status fill__row(struct fill *f, struct slice key, struct slice bytes,
                      const struct datum *row) MUST;
/* Takes the row's entries away, which were written in an earlier statement of the transaction. */
enum status fill__remove(struct fill *f, struct slice key, const struct datum *row) MUST;
/* Of the rows that others do not write to: what comes from now on may be in the place of what went. `s`: of
 * the rows until now. */
enum status fill__loaded(struct fill *f, enum status s) MUST;
/* `s`: of the rows. */
enum status fill__end(struct fill *f, enum status s) MUST;
const char *fill__schema_name(struct ddl *d, const struct table_def *t);

#endif
