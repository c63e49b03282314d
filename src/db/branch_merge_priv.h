/* MERGE BRANCH, for the files that do it. */
#ifndef HELIOS_DB_BRANCH_MERGE_PRIV_H
#define HELIOS_DB_BRANCH_MERGE_PRIV_H

#include "base/array.h"
#include "core/txn.h"
#include "db/branch_priv.h"
#include "db/ddl_priv.h"

/* Which rows of a table are looked at. */
enum merge_way {
    MERGE_CHANGED,  /* those that the branch has versions of */
    MERGE_COMPARED, /* all, side by side: the branch holds them in a tree of its own */
    MERGE_REBUILT,  /* the same, and all are written anew, into new trees */
    MERGE_TAKEN,    /* all of the branch, into new trees; what the target has is let go */
};

/* A table that rows of are merged, or that is altered. */
struct merge_table {
    oid_t oid;
    const struct table_def *was;    /* as both agreed on it last; NULL: the branch has made it */
    const struct table_def *theirs; /* as the branch has it */
    const struct table_def *ours;   /* as the target had it; NULL: it had none */
    const struct table_def *to;     /* as rows are written */
    uint64_t was_numbers, theirs_numbers, our_numbers; /* catalog_get_renumbered, of each state */
    enum merge_way way;
    bool altered;                   /* `theirs` is what it becomes: see merge__finish */
};

struct merge {
    struct session *s;           /* in the target; its transaction is the merge */
    struct branch *source;
    struct ddl ddl;
    struct txn *from;            /* reads the branch, in one statement */
    struct txn *fork, *merged;   /* what it was forked from; itself when it was merged last, or NULL */
    struct catalog *first, *base, *theirs; /* of the fork, of what both agreed on last, of the branch */
    enum branch_conflict mode;
    uint64_t fork_ts, merged_ts, into_ts;
    ARRAY(struct merge_table) tables;      /* in the session's arena */
    ARRAY(struct merge_table) sequences;
    uint64_t rows, writes;       /* that the branch has changed, and all that are written */
    uint64_t conflicts, objects; /* of rows, of definitions */
};

/* What both sides agreed on last. */
static inline struct txn *merge_base(const struct merge *m)
{
    return m->merged ? m->merged : m->fork;
}

/* branch_schema.c: what the branch has changed in the catalog, put into the target, but for what has to wait for
 * the rows; lists tables and sequences that may have changed. */
enum status merge__schema(struct merge *m) MUST;

/* branch_ddl.c: one table. The target's is locked, and nobody has changed it since the merge began. */
enum status merge__lock(struct merge *m, const struct table_def *ours) MUST;
/* Has anything of the tree changed in t's own branch since? Of a table that others change, since a moment
 * that `t` keeps the history of. */
enum status merge__changed_since(struct txn *t, tree_id tree, uint64_t since, bool *ret) MUST;
/* Are rows of both known by the same keys? */
bool merge__same_key(const struct table_def *a, const struct table_def *b);
enum status merge__add_table(struct merge *m, struct merge_table *t) MUST;
enum status merge__alter_table(struct merge *m, struct merge_table *t) MUST;
/* Behind the rows: new indexes are built, and what is newly demanded of rows is verified. */
enum status merge__finish(struct merge *m) MUST;

/* branch_shape.c: rows of one state of a table, read as those of another. */
struct merge_shape {
    const struct table_def *from, *to;
    int16_t *source; /* of each column of `to`: its place in `from`; -1: it is not there */
    bool same;       /* bytes need no change */
};
/* `shared`: so many columns are known by their numbers, the others by their names. */
void merge__shape(struct arena *a, uint16_t shared, const struct table_def *from,
                  const struct table_def *to, struct merge_shape *ret);
/* The values of to's columns, those that are not there NULL; all in the arena. A value of another type goes
 * by its text. */
enum status merge__shape_decode(const struct merge_shape *x, struct slice row, struct arena *a,
                                struct datum **ret) MUST;

/* branch_rows.c: the changes of one table, as exec_merge takes them. */
struct merge_rows;
struct merge_rows *merge__rows_new(struct merge *m, const struct merge_table *t);
/* Locks the target's rows and notes conflicts. */
enum status merge__rows_judge(struct merge_rows *r) MUST;
/* Has the branch changed any, of a table that the target has not? */
enum status merge__rows_differ(struct merge *m, const struct merge_table *t, bool *ret) MUST;
struct exec_merge_source merge__rows_source(struct merge_rows *r);
void merge__rows_free(struct merge_rows *r);

/* The conflicts of the session's last merge (branch_conflicts.c). */
void merge__forget_conflicts(struct session *s);
void merge__note_conflict(struct merge *m, const struct table_def *t, struct slice key,
                          const char *const rows[3], const char *kind);
/* "alter/alter" … of a table, view, sequence, function or schema. */
void merge__note_object(struct merge *m, oid_t schema, const char *name, const char *kind);

/* A row's key, as "id=1, b=x", and a row, as a composite value is written; in the arena. data NULL: none. */
const char *branch__key_text(struct session *s, const struct table_def *t, struct slice key,
                             struct arena *a);
const char *branch__row_text(struct session *s, const struct table_def *t, struct slice row,
                             struct arena *a);

#endif
