/* Foreign keys, and deferrable unique keys, as rows change (docs/design/constraints.md). What cannot be decided at once is an event,
 * worked off when the statement has written all its rows, or deferred to the session's queue. */
#ifndef HELIOS_EXEC_OPS_FOREIGN_H
#define HELIOS_EXEC_OPS_FOREIGN_H

#include "catalog/foreign_key.h"
#include "exec/exec.h"

enum foreign_event_kind {
    FOREIGN_CHECK,   /* a row refers to something */
    UNIQUE_CHECK,    /* a row has a key that no other may have at the end (key: the constraint's) */
    FOREIGN_DELETED, /* a row that may be referred to is gone, */
    FOREIGN_UPDATED, /* or has another key */
};

struct foreign_event {
    struct foreign_key key;
    enum foreign_event_kind kind;
    struct slice row_key;          /* of the two checks: of the row */
    const struct datum *old, *now; /* else: the referenced columns, in the order of the constraint */
};

/* Works off what was deferred. */
enum status foreign_run_deferred(struct txn *t, const struct exec_session *s, struct arena *a,
                                 const struct foreign_event *events, size_t count) MUST;

/* All rows that t's statement sees refer to something: else 23503. Who writes meanwhile must
 * know the key. */
enum status foreign_verify(struct txn *t, const struct exec_session *s, struct arena *a,
                           const struct foreign_key *k) MUST;

/* The same beside writers who do not know the key, by one snapshot after another (foreign_verify.c); each is
 * given as the transaction that keeps it, in a statement. */
struct foreign_verifier;
struct foreign_verifier *foreign_verifier_new(struct txn *t, const struct exec_session *s,
                                              struct arena *a, const struct foreign_key *k);
void foreign_verifier_free(struct foreign_verifier *v);
/* A row that refers, which the snapshot has: else 23503. */
enum status foreign_verifier_row(struct foreign_verifier *v, struct txn *t,
                                 const struct datum *row) MUST;
/* A row referred to that the snapshot before had otherwise: its key may have gone. */
enum status foreign_verifier_gone(struct foreign_verifier *v, struct txn *t,
                                  const struct datum *row) MUST;
/* All of the snapshot has come and gone. *ret_scan: there is no index by which to look for rows that refer to
 * the keys that have gone, so each row of the table goes to ..._scanned. Then comes ..._settled. */
enum status foreign_verifier_settle(struct foreign_verifier *v, struct txn *t, bool *ret_scan) MUST;
enum status foreign_verifier_scanned(struct foreign_verifier *v, struct txn *t,
                                     const struct datum *row) MUST;
void foreign_verifier_settled(struct foreign_verifier *v);

#endif
