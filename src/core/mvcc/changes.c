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
static bool retires(const struct txn *t, const struct tree *tree)
{
    bool retire = store__keeps_history(t->store, tree);
    for (size_t i = 0; i < t->changes.count; i++)
        retire &= t->changes.data[i].tree != tree || t->changes.data[i].drop;
    return retire;
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
    ARRAY(struct tree *) made = {0};
    ARRAY(struct dropped_tree) dropped = {0};
    for (size_t i = 0; i < t->changes.count; i++) {
        struct tree *tree = t->changes.data[i].tree;
        if (t->changes.data[i].drop) {
            ARRAY_PUSH(&dropped, (struct dropped_tree){tree, retires(t, tree)});
        } else {
            note_made(s, tree, ts);
            ARRAY_PUSH(&made, tree);
        }
    }
    struct commit_edit e = {made.data, t->loads.data, dropped.data, made.count, t->loads.count,
                            dropped.count, ts};
    bool whole = logged(forest_log_commit(s->forest, &e));
    for (size_t i = 0; i < made.count && !whole; i++)
        __atomic_store_n(&made.data[i]->created, true, __ATOMIC_RELEASE);
    for (size_t i = 0; i < dropped.count && whole; i++)
        queue_drop(s, dropped.data[i].tree, ts, dropped.data[i].retired);
    ARRAY_RELEASE(&made);
    ARRAY_RELEASE(&dropped);
    return whole;
}

void txn__forget_loads(struct txn *t)
{
    struct error saved = *error_current();
    (void)logged(forest_forget_runs(t->store->forest, t->loads.data, t->loads.count));
    *error_current() = saved;
}
