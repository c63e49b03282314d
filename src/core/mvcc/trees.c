/* Trees made and dropped in a transaction: both wait for its commit (txn.c). */
#include "core/mvcc/mvcc_priv.h"

static void push_change(struct txn *t, struct tree *tree, bool drop)
{
    ARRAY_PUSH(&t->changes, (struct tree_change){tree, drop});
    ARRAY_PUSH(&t->writes, (struct write_entry){.tree = tree});
}

enum status store_create_tree(struct txn *t, tree_id *ret)
{
    if (t->options.read_only)
        return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot write in a read-only transaction");
    struct tree *tree;
    TRY(forest_new_id(t->store->forest, ret));
    TRY(forest_add(t->store->forest, *ret, wal_appended_lsn(t->store->wal).v, &tree));
    tree->branch = branch_id(t->branch);
    push_change(t, tree, false);
    return OK;
}

enum status store_drop_tree(struct txn *t, tree_id id)
{
    struct tree *tree;
    if (t->options.read_only)
        return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot write in a read-only transaction");
    TRY(ssi__drop_tree(t, id));
    if (t->branch) {
        struct layer layers[BRANCH_STEPS_MAX];
        uint32_t n;
        bool own;
        TRY(mvcc__layers(t, id, layers, &n, &own));
        if (!own) return OK; /* what it was forked from stays, and nothing lies over it */
        tree = layers[0].tree;
    } else {
        TRY(mvcc__tree(t, id, &tree));
    }
    push_change(t, tree, true);
    return OK;
}

uint64_t store_newest_tree(const struct store *s)
{
    return __atomic_load_n(&s->newest_tree_ts, __ATOMIC_ACQUIRE);
}

uint64_t store_tree_made(struct store *s, tree_id id)
{
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    const struct tree *tree = forest_tree(s->forest, id);
    uint64_t ts = tree ? __atomic_load_n(&tree->made_ts, __ATOMIC_ACQUIRE) : 0;
    epoch_exit(slot);
    epoch_slot_free(slot);
    return ts;
}

enum status store_restore_tree(struct txn *t, tree_id id)
{
    struct tree *tree;
    if (forest_tree(t->store->forest, id))
        return FAIL(DUPLICATE_OBJECT, "tree %llu is there already", (unsigned long long)id);
    TRY(forest_add(t->store->forest, id, wal_appended_lsn(t->store->wal).v, &tree));
    push_change(t, tree, false);
    return OK;
}
