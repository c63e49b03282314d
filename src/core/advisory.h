/* Advisory locks: locks on numbers that mean something to applications only. They conflict as PostgreSQL's
 * do (chapter 13.3.5): exclusive ones with all, shared ones with exclusive ones.
 *
 * A lock belongs to an owner, which outlives transactions: a session. It is held at the level of the
 * session, and then counted; or of the transaction, and then once, until that ends or goes back to before
 * it. The levels do not exclude each other. Waits are seen by the search for deadlocks. */
#ifndef HELIOS_CORE_ADVISORY_H
#define HELIOS_CORE_ADVISORY_H

#include "core/txn.h"

/* What waits in the name of one client, whatever its transaction: txn_options.owner. Its locks are freed
 * with it; no transaction may be open. `pid` and `database` are what messages name it by. */
struct lock_owner;
struct lock_owner *lock_owner_new(struct store *s, uint32_t pid, uint32_t database);
void lock_owner_free(struct lock_owner *o); /* may be NULL */

struct advisory_key {
    uint32_t database;
    uint32_t high, low; /* of one bigint, its halves; else two int4 */
    uint32_t form;      /* 1: a bigint, 2: two int4 */
};

enum advisory_level { ADVISORY_SESSION, ADVISORY_TRANSACTION };

/* Takes it for t's owner. `wait` false: *ret_held tells whether it was to be had at once. Waiting:
 * DEADLOCK_DETECTED, QUERY_CANCELED, LOCK_NOT_AVAILABLE. OUT_OF_MEMORY when the table is full. */
enum status advisory_lock(struct txn *t, const struct advisory_key *k, bool shared,
                          enum advisory_level level, bool wait, bool *ret_held) MUST;
/* Takes one off the session's count. False when it holds none of that kind. */
bool advisory_unlock(struct lock_owner *o, const struct advisory_key *k, bool shared);
/* All that the session holds at its own level. */
void advisory_unlock_all(struct lock_owner *o);

/* A line of pg_locks. */
struct lock_line {
    enum { LOCK_LINE_ADVISORY, LOCK_LINE_RELATION, LOCK_LINE_TRANSACTION } kind;
    struct advisory_key key; /* of an advisory lock */
    uint64_t object;         /* a relation, or a transaction's number */
    uint64_t txn;            /* of the holder or waiter; 0: a session at its own level */
    uint32_t pid;            /* 0: of a prepared transaction */
    const char *mode;
    bool granted;
};
/* What is held and waited for; the same moment for all advisory locks. In the arena. */
void locks_each(struct store *s, struct arena *a, struct lock_line **ret, uint32_t *ret_count);

/* Whom the session of that pid waits for, in the arena: those who hold what it wants, then those who stand
 * before it. Prepared transactions are 0. */
void locks_blocking(struct store *s, uint32_t pid, struct arena *a, uint32_t **ret, uint32_t *ret_count);

#endif
