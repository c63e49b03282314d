/* Foreign keys at work, for this folder. */
#ifndef HELIOS_EXEC_OPS_FOREIGN_PRIV_H
#define HELIOS_EXEC_OPS_FOREIGN_PRIV_H

#include "base/array.h"
#include "exec/ops/dml.h"
#include "exec/ops/foreign.h"

/* Of one execution. */
struct foreign_run {
    struct execution *x;
    const struct dml *root;        /* the statement's own: knows the tables that actions reach */
    struct arena *keep;            /* events lie here */
    struct arena *arena;           /* of one row */
    ARRAY(struct foreign_event) events;
    size_t next;                   /* the first that is not done */
    enum row_lock mode;            /* of referenced rows */
    bool as_seen;                  /* rows are looked up in the transaction's snapshot, not as of now */
    uint64_t locked;               /* rows, so far */
    struct map whole;              /* tables that are locked whole instead, by oid */
    struct map pending;            /* keys of rows that a FOREIGN_CHECK waits for */
    struct map found;              /* keys that are there, and locked: constraint and key bytes */
    size_t found_bytes;
    struct strbuf lookup, buffer, entry;
};

void foreign__init(struct foreign_run *r, struct execution *x);
void foreign__release(struct foreign_run *r);

/* What a row was: its key in its table's tree, its values, and which columns have been set. */
struct foreign_before {
    struct slice key;
    const struct datum *row;
    const bool *changed;
};
/* A row was written (`before` NULL), or became another. */
enum status foreign_written(struct dml_run *d, const struct foreign_before *before,
                            struct slice key, const struct datum *row) MUST;
/* The same for the deferrable unique keys of the table. */
enum status unique_written(struct dml_run *d, struct slice key, const bool *changed,
                           bool moved) MUST;
/* A row is gone (now NULL), or became another. */
enum status foreign_left(struct dml_run *d, const struct datum *old, const struct datum *now,
                         const bool *changed) MUST;
/* The statement has written all its rows: works off the events. */
enum status foreign_finish(struct execution *x) MUST;
void foreign_end(struct execution *x); /* whatever happened */
enum status foreign__run(struct foreign_run *r) MUST;

/* Locks the referenced row for key share; *ret_found. `row`: the child's. *ret_none: nothing is to be
 * looked up, as a column is NULL. 23503 for MATCH FULL with some of them NULL. */
enum status foreign__look(struct foreign_run *r, const struct foreign_key *k,
                          const struct datum *row, bool *ret_none, bool *ret_found) MUST;
/* The row of the event refers to something: else 23503. */
enum status foreign__check(struct foreign_run *r, const struct foreign_event *e) MUST;
/* No other row has the key of the event's row: else 23505. */
enum status unique__check(struct foreign_run *r, const struct foreign_event *e) MUST;
/* Keeps the event until the statement, or the transaction, ends. */
enum status foreign__push(struct execution *x, const struct foreign_event *e) MUST;
/* Does the parent have a row of the event's old key, whoever wrote it? */
enum status foreign__is_there(struct foreign_run *r, const struct foreign_event *e,
                              bool *ret) MUST;
/* The same of the transaction's snapshot. */
enum status foreign__is_seen(struct foreign_run *r, const struct foreign_event *e, bool *ret) MUST;
/* What the events ask for of the rows that refer to them; all of one constraint and kind. */
enum status foreign__act(struct foreign_run *r, const struct foreign_event *events,
                         size_t count) MUST;
enum status foreign__violation(struct foreign_run *r, const struct foreign_key *k,
                               const struct datum *row) MUST;
enum status foreign__still_referenced(struct foreign_run *r, const struct foreign_event *e) MUST;

/* "a, b" and "1, 2", as the details of errors tell a key. */
struct key_words {
    struct strbuf names, values;
};
void foreign__words_init(struct key_words *w, struct foreign_run *r);
void foreign__add_word(struct key_words *w, struct foreign_run *r, const struct column_def *c,
                       const struct datum *v);
const char *foreign__schema(const struct foreign_run *r, const struct table_def *t);

/* Rows that refer to one of the events' old keys; in the run's arena `keep`. */
struct foreign_match {
    struct slice row_key;
    const struct foreign_event *event;
};
struct foreign_matches {
    struct foreign_match *data;
    size_t count, cap;
};
/* As of now. */
enum status foreign__referring(struct foreign_run *r, const struct foreign_event *events,
                               size_t count, struct foreign_matches *ret) MUST;
/* As the snapshot has it: one of those that refer to the event's key, by an index, which there is. */
enum status foreign__referring_seen(struct foreign_run *r, struct txn *snapshot,
                                    const struct foreign_event *e,
                                    struct foreign_matches *ret) MUST;
/* Is there an index by which rows that refer to a key are found? */
bool foreign__has_index(const struct foreign_key *k);
/* A key in the types of the referring table: that of an event (*ret_none: no row can have it), and that of
 * a row (false: a column is NULL). */
enum status foreign__event_key(struct foreign_run *r, const struct foreign_event *e,
                               struct strbuf *out, bool *ret_none) MUST;
bool foreign__row_key(const struct foreign_key *k, const struct datum *row, struct strbuf *out);
/* Adds the keys, in `a`, of rows whose entries of the tree begin with r->lookup: an entry's value names
 * the row (`names_row`), or its key does. */
enum status foreign__collect(struct foreign_run *r, struct txn *now, tree_id tree, bool names_row,
                             struct arena *a, const struct foreign_event *e,
                             struct foreign_matches *ret) MUST;
/* Does the child's row (its values) still refer to the event's key? */
enum status foreign__refers(struct foreign_run *r, const struct foreign_event *e,
                            const struct datum *row, bool *ret) MUST;

#endif
