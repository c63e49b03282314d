/* Prepared transactions, for this folder. */
#ifndef HELIOS_CORE_MVCC_PREPARED_PRIV_H
#define HELIOS_CORE_MVCC_PREPARED_PRIV_H

#include "core/mvcc/locks_priv.h"
#include "core/prepared.h"

struct prepared_txn {
    uint64_t id, lsn;      /* of its record, or of the newest copy */
    struct txn *txn;
    struct lock_owner *owner;
    struct branch *branch; /* a handle, as long as it is prepared; NULL: the main line */
    uint64_t bytes;        /* of its rows */
    bool ready, ending;    /* guarded by store.prepared_mutex: its record is durable; its end is */
    uint32_t meta_len;
    char meta[];
};

/* The record (docs/format/wal.md), and the way back from it (prepared_log.c). */
enum status prepared__log(struct store *s, struct prepared_txn *p, lsn_t *ret_end) MUST;
/* Of recovery, once the log is read: makes the transaction that the record tells of. */
enum status prepared__revive(struct store *s, uint64_t lsn, struct slice record,
                             struct prepared_txn **ret) MUST;
/* Before that: the loaded runs that it names are not to go as runs that no commit has named. `received`: of a
 * restore, else NULL. */
struct received_runs;
enum status prepared__keep_runs(struct store *s, uint64_t lsn, struct slice record,
                                struct received_runs *received) MUST;
struct prepared_txn *prepared__new(uint64_t id, struct slice meta);
void prepared__add(struct store *s, struct prepared_txn *p);

/* A version of t's in the active memtable, under nobody's eyes yet: of recovery, and of moving one out of
 * a frozen memtable (write.c). `like`: what it is to be. */
struct version_like {
    struct slice row;
    uint32_t command;
    uint8_t strength;      /* not 0: a lock alone */
    bool tombstone, keeps_key;
    int8_t rows;
};
void txn__put_version(struct txn *t, struct tree *tree, struct slice key,
                      const struct version_like *like);
/* Moves the version at that place of `writes`, if its memtable is frozen. */
void txn__carry_version(struct txn *t, size_t at);
/* Takes locks on a relation that nobody can contest. */
enum status txn__hold_relation(struct txn *t, uint64_t relation, uint8_t modes) MUST;

/* --- the store's list --- */

/* The LSN from which they need the log; UINT64_MAX: none of it. */
uint64_t store__prepared_lsn(struct store *s);
/* Their versions must not keep memtables from being flushed. */
void store__carry_prepared(struct store *s);
/* Writes copies of old records, so that the log before can be recycled. */
enum status store__relog_prepared(struct store *s) MUST;
/* Forgets them; the log has them. For the store's close. */
void store__drop_prepared(struct store *s);

#endif
