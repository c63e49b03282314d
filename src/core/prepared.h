/* Prepared transactions: a transaction's end in two phases.
 *
 * The first writes all that it did and holds to the log, and hands it to the store: from then on it belongs
 * to no session, survives a crash with its locks, and can be ended either way. Neither phase fails once the
 * log has it. */
#ifndef HELIOS_CORE_PREPARED_H
#define HELIOS_CORE_PREPARED_H

#include "core/txn.h"

enum { PREPARED_META_BYTES_MAX = 1024 };

/* Durable on return; *ret_id names it from then on, across restarts, too. `meta` is the caller's own, kept
 * with it. Whatever comes back, t is not the caller's any more: an error has rolled it back.
 * Its hooks (txn_on_end) run when it ends; after a restart it has none but those that it is given then.
 * FEATURE_NOT_SUPPORTED for advisory locks of the session's level on what the transaction has locked, too.
 * OUT_OF_MEMORY: its rows, those of bulk loads left out, are too large.
 * SERIALIZATION_FAILURE of SERIALIZABLE ones, as a commit: the second phase has none. */
enum status txn_prepare(struct txn *t, struct slice meta, uint64_t *ret_id) MUST;

/* Commits it or rolls it back, durable on return. UNDEFINED_OBJECT (no message): there is none of that id. */
enum status prepared_resolve(struct store *s, uint64_t id, bool commit, uint64_t *ret_ts) MUST;

struct prepared_info {
    uint64_t id, txn;
    uint32_t branch;   /* 0: the main line */
    bool catalog;      /* it has written to the tree that is not tracked: store_untrack_tree */
    struct slice meta; /* until the call returns */
    struct txn *handle; /* the same: for txn_on_end and prepared_drops */
};
/* The trees that it drops, as store_drop_tree was told. */
void prepared_drops(const struct prepared_info *i, void (*fn)(void *ctx, tree_id tree), void *ctx);
/* In order of preparing. */
enum status prepared_each(struct store *s, enum status (*fn)(void *ctx, const struct prepared_info *p),
                          void *ctx) MUST;

#endif
