/* What a commit does beside versions, once the log has it: trees made and dropped, runs loaded.
 *
 * The commit is durable by then, so a manifest that cannot be written (a full disk) does not undo it: the
 * log is kept from here on, whose replay does it, and what was dropped keeps its space until then. A tree
 * must be there before its runs: a rewritten manifest knows none of a tree that is not. */
#include "core/mvcc/mvcc_priv.h"

#include "base/log.h"

static void queue_drop(struct store *s, struct tree *tree, uint64_t ts, bool retired)
{
    fmutex_lock(&s->drops_mutex);
    ARRAY_PUSH(&s->drops, (struct pending_drop){tree, ts, retired});
    fmutex_unlock(&s->drops_mutex);
}

static bool logged(enum status st)
{
    if (st == OK) return true;
    log_error(LOG_ERROR, "store");
    error_clear();
    return false;
}

/* A tree that others have seen stays for reads of the past, if they are to be possible. */
static bool drop_tree(struct txn *t, struct tree *tree, uint64_t ts)
{
    struct store *s = t->store;
    bool retire = store__keeps_history(s, tree);
    for (size_t i = 0; i < t->changes.count; i++)
        retire &= t->changes.data[i].tree != tree || t->changes.data[i].drop;
    if (!logged(retire ? forest_log_retire(s->forest, tree, ts) : forest_log_drop(s->forest, tree)))
        return false;
    queue_drop(s, tree, ts, retire);
    return true;
}

/* Before anyone is told of the tree. */
static void note_made(struct store *s, struct tree *tree, uint64_t ts)
{
    uint64_t newest = __atomic_load_n(&s->newest_tree_ts, __ATOMIC_RELAXED);
    __atomic_store_n(&tree->made_ts, ts, __ATOMIC_RELEASE);
    while (newest < ts && !__atomic_compare_exchange_n(&s->newest_tree_ts, &newest, ts, false,
                                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
}

bool txn__apply_changes(struct txn *t, uint64_t ts)
{
    struct store *s = t->store;
    bool whole = true;
    for (size_t i = 0; i < t->changes.count; i++) {
        struct tree_change *c = &t->changes.data[i];
        if (!c->drop) note_made(s, c->tree, ts);
        if (c->drop || logged(forest_log_create(s->forest, c->tree))) continue;
        whole = false;
        __atomic_store_n(&c->tree->created, true, __ATOMIC_RELEASE);
    }
    if (t->loads.count)
        whole &= logged(forest_install_runs(s->forest, t->loads.data, t->loads.count, ts));
    for (size_t i = 0; i < t->changes.count; i++) {
        struct tree_change *c = &t->changes.data[i];
        if (c->drop) whole &= drop_tree(t, c->tree, ts);
    }
    return whole;
}

void txn__forget_loads(struct txn *t)
{
    struct error saved = *error_current();
    (void)logged(forest_forget_runs(t->store->forest, t->loads.data, t->loads.count));
    *error_current() = saved;
}
