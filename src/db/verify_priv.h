/* Verification, as the two files of it share it. */
#ifndef HELIOS_DB_VERIFY_PRIV_H
#define HELIOS_DB_VERIFY_PRIV_H

#include "db/ddl_priv.h"
#include "exec/eval.h"

struct table_check {
    const struct verify_sink *sink;
    struct txn *txn;                  /* REPEATABLE READ, no statement begun */
    const struct table_def *table;
    const char *name;                 /* "database.schema.table" */
    struct execution execution;
    struct expr **checks;             /* CHECK constraints, over the table's columns */
    const struct constraint_def **check_defs;
    uint32_t check_count;
    struct arena arena;               /* of a chunk */
    struct strbuf object, from, key;
    const struct index_def *index;    /* that is looked at */
    struct index_values *values;      /* one an index of the table */
    const struct index_values *entry; /* of the index that is looked at */
    const char *kind;
    uint64_t problems;                /* of the object, of this kind */
    bool stopped;                     /* the sink has had enough */
};

enum status verify__table(struct table_check *c) MUST;

#endif
