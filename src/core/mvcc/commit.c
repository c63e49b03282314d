/* The redo of a transaction, as its log record holds it (docs/format/wal.md): entries one after another
 *
 *   u8 op | u64 tree                                    CREATE, DROP
 *   u8 op | u64 tree | u32 key bytes | u32 row bytes | key | row    PUT, DELETE (no row)
 *
 * Little-endian. Only the newest version of a key is logged; key locks are not. */
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"

enum redo_op { REDO_PUT = 1, REDO_DELETE, REDO_CREATE, REDO_DROP };
enum { REDO_TREE_BYTES = 9, REDO_ROW_BYTES = 17 };

/* Is there a newer version of ours on the same leaf? */
static bool superseded(const struct txn *t, const struct write_entry *w)
{
    const struct version *v = leaf_head(w->leaf);
    while (v && v->lock_only) v = v->older;
    return v != w->version && v && (v->begin & 1) && tagged_txn(v->begin) == t;
}

static uint8_t *put_header(uint8_t *p, enum redo_op op, uint64_t tree)
{
    p[0] = (uint8_t)op;
    memcpy(p + 1, &tree, 8);
    return p + REDO_TREE_BYTES;
}

enum status txn__log(struct txn *t, lsn_t *ret_end)
{
    size_t n = t->writes.count;
    struct arena scratch;
    arena_init(&scratch, MEM_TXN);
    struct slice *parts = arena_alloc(&scratch, (3 * n + 1) * sizeof *parts);
    uint32_t count = 0;
    size_t change = 0;
    for (size_t i = 0; i < n; i++) {
        const struct write_entry *w = &t->writes.data[i];
        uint8_t *head = arena_alloc(&scratch, REDO_ROW_BYTES);
        if (!w->version) {
            const struct tree_change *c = &t->changes.data[change++];
            put_header(head, c->drop ? REDO_DROP : REDO_CREATE, c->tree->id);
            parts[count++] = slice_make(head, REDO_TREE_BYTES);
            continue;
        }
        const struct version *v = w->version;
        if (v->lock_only || superseded(t, w)) continue;
        struct slice key = leaf_key(w->leaf);
        uint8_t *p = put_header(head, v->tombstone ? REDO_DELETE : REDO_PUT, w->tree->id);
        uint32_t lens[2] = {(uint32_t)key.len, v->len};
        memcpy(p, lens, sizeof lens);
        parts[count++] = slice_make(head, REDO_ROW_BYTES);
        parts[count++] = key;
        if (v->len) parts[count++] = slice_make(v->row, v->len);
    }
    enum status st = wal_append(t->store->wal, parts, count, &t->commit_ts, ret_end);
    arena_release(&scratch);
    return st;
}

/* --- recovery ---------------------------------------------------------------------------------- */

static enum status malformed(lsn_t lsn)
{
    return FAIL(DATA_CORRUPTED, "the log record at %llu holds an entry that is not one",
                (unsigned long long)lsn.v);
}

static enum status replay_row(struct store *s, struct tree *tree, lsn_t lsn, uint64_t ts, bool delete,
                              struct slice key, struct slice row)
{
    if (lsn.v < tree->replay_lsn) return OK; /* lies in a run */
    s->replayed_rows++;
    struct memory *m = tree_shape(tree)->memories[0];
    memtable_latch(m->table);
    if (memtable_key_count(m->table) == 0) m->first_lsn = lsn.v;
    struct leaf *leaf = memtable_upsert(m->table, key);
    struct version *v = memtable_version_new(m->table, row);
    v->begin = ts;
    v->tombstone = delete;
    v->older = leaf_head(leaf);
    leaf_set_head(leaf, v);
    uint64_t bytes = memory_account(tree->forest, m);
    memtable_unlatch(m->table);
    if (bytes <= s->o.memtable_bytes) return OK;
    bool worked;
    TRY(tree_freeze(tree, m));
    return tree_flush(tree, &worked);
}

static enum status replay_change(struct store *s, lsn_t lsn, bool drop, uint64_t id)
{
    struct tree *tree = forest_tree(s->forest, id);
    if (drop) {
        if (!tree) return OK;
        TRY(forest_log_drop(s->forest, id));
        forest_remove(s->forest, tree, true);
        return OK;
    }
    /* A number below the next one whose tree is gone was dropped later on: its DROP comes too, or its
     * rows do no harm in a tree that nothing names. */
    TRY(forest_add(s->forest, id, lsn.v, &tree));
    return tree->created ? OK : forest_log_create(s->forest, tree);
}

enum status commit__replay(struct store *s, lsn_t lsn, uint64_t ts, struct slice payload)
{
    while (payload.len > 0) {
        if (payload.len < REDO_TREE_BYTES) return malformed(lsn);
        unsigned op = (unsigned char)payload.data[0];
        uint64_t id;
        memcpy(&id, payload.data + 1, 8);
        if (op == REDO_CREATE || op == REDO_DROP) {
            TRY(replay_change(s, lsn, op == REDO_DROP, id));
            payload.data += REDO_TREE_BYTES;
            payload.len -= REDO_TREE_BYTES;
            continue;
        }
        uint32_t lens[2];
        if ((op != REDO_PUT && op != REDO_DELETE) || payload.len < REDO_ROW_BYTES)
            return malformed(lsn);
        memcpy(lens, payload.data + REDO_TREE_BYTES, sizeof lens);
        if ((uint64_t)lens[0] + lens[1] > payload.len - REDO_ROW_BYTES) return malformed(lsn);
        struct slice key = slice_make(payload.data + REDO_ROW_BYTES, lens[0]);
        struct slice row = slice_make(key.data + key.len, lens[1]);
        struct tree *tree = forest_tree(s->forest, id);
        if (tree)
            TRY(replay_row(s, tree, lsn, ts, op == REDO_DELETE, key, row));
        size_t used = REDO_ROW_BYTES + (size_t)lens[0] + lens[1];
        payload.data += used;
        payload.len -= used;
    }
    return OK;
}
