/* MERGE BRANCH, for the files that do it. */
#ifndef HELIOS_DB_BRANCH_MERGE_PRIV_H
#define HELIOS_DB_BRANCH_MERGE_PRIV_H

#include "base/array.h"
#include "core/txn.h"
#include "db/branch_priv.h"

/* A table that rows of are merged: as the branch has it, and as the target does. */
struct merge_table {
    const struct table_def *theirs, *ours;
    bool added; /* the branch made it */
};

struct merge {
    struct session *s;           /* in the target; its transaction is the merge */
    struct branch *source;
    struct txn *from;            /* reads the branch, in one statement */
    struct txn *fork, *merged;   /* what it was forked from; itself when it was merged last, or NULL */
    struct catalog *base, *theirs; /* of the fork, of the branch */
    enum branch_conflict mode;
    uint64_t fork_ts, merged_ts, into_ts;
    ARRAY(struct merge_table) tables;      /* in the session's arena */
    ARRAY(struct merge_table) sequences;
    uint64_t rows, conflicts;
};

/* branch_schema.c: what the branch has changed in the catalog, put into the target; lists tables and
 * sequences that may have changed. 0A000 for what cannot be merged. */
enum status merge__schema(struct merge *m) MUST;

/* branch_rows.c: the changes of one table, as exec_merge takes them. */
struct merge_rows;
struct merge_rows *merge__rows_new(struct merge *m, const struct merge_table *t);
/* Locks the target's rows and notes conflicts. */
enum status merge__rows_judge(struct merge_rows *r) MUST;
struct exec_merge_source merge__rows_source(struct merge_rows *r);
void merge__rows_free(struct merge_rows *r);

/* The conflicts of the session's last merge (branch_conflicts.c). */
void merge__forget_conflicts(struct session *s);
void merge__note_conflict(struct merge *m, const struct table_def *t, struct slice key,
                          struct slice base, struct slice ours, struct slice theirs);

/* A row's key, as "id=1, b=x", and a row, as a composite value is written; in the arena. data NULL: none. */
const char *branch__key_text(struct session *s, const struct table_def *t, struct slice key,
                             struct arena *a);
const char *branch__row_text(struct session *s, const struct table_def *t, struct slice row,
                             struct arena *a);

#endif
