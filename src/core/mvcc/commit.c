/* The redo of a transaction, as its log record holds it (docs/format/wal.md): entries one after another
 *
 *   u8 op | u64 tree                                    CREATE, DROP
 *   u8 op | u64 tree | u64 branch                       CREATE_IN: in a branch
 *   u8 op | u64 tree | u64 run                          RUN: loaded, and pending in the manifest
 *   u8 op | u64 tree | u32 key bytes | u32 row bytes | key | row    PUT, DELETE (no row)
 *   u8 op | u64 id                                      RESOLVE: ends a prepared transaction
 *
 * PREPARE is drawn in prepared_log.c. Little-endian. Only the newest version of a key is logged; key locks are not. */
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"

/* Is there a newer version of ours on the same leaf? */
static bool superseded(const struct txn *t, const struct write_entry *w)
{
    const struct version *v = leaf_head(w->leaf);
    while (v && v->lock_only) v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE);
    return v != w->version && v && (v->begin & 1) && tagged_txn(v->begin) == t;
}

static uint8_t *put_header(uint8_t *p, enum redo_op op, uint64_t tree)
{
    p[0] = (uint8_t)op;
    memcpy(p + 1, &tree, 8);
    return p + REDO_TREE_BYTES;
}

enum status txn__log(struct txn *t, bool batch, lsn_t *ret_end)
{
    size_t n = t->writes.count;
    struct arena scratch;
    arena_init(&scratch, MEM_TXN);
    struct slice *parts = arena_alloc(&scratch, (3 * n + 2) * sizeof *parts);
    uint32_t count = 0;
    if (t->resolves) {
        uint8_t *head = arena_alloc(&scratch, REDO_TREE_BYTES);
        put_header(head, REDO_RESOLVE, t->resolves);
        parts[count++] = slice_make(head, REDO_TREE_BYTES);
    }
    size_t change = 0, load = 0;
    for (size_t i = 0; i < n; i++) {
        const struct write_entry *w = &t->writes.data[i];
        uint8_t *head = arena_alloc(&scratch, REDO_ROW_BYTES);
        if (!w->version) {
            if (w->load) {
                const struct loaded_run *l = &t->loads.data[load++];
                memcpy(put_header(head, REDO_RUN, l->tree->id), &l->ref->id, 8);
                parts[count++] = slice_make(head, REDO_RUN_BYTES);
                continue;
            }
            const struct tree_change *c = &t->changes.data[change++];
            enum redo_op made = c->tree->branch ? REDO_CREATE_IN : REDO_CREATE;
            uint64_t in = c->tree->branch;
            memcpy(put_header(head, c->drop ? REDO_DROP : made, c->tree->id), &in, 8);
            parts[count++] = slice_make(head, c->drop || !in ? REDO_TREE_BYTES : REDO_RUN_BYTES);
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
    enum status st = wal_append(t->store->wal, parts, count, batch, &t->commit_ts, ret_end);
    arena_release(&scratch);
    return st;
}

enum status txn__log_resolve(struct store *s, uint64_t id, lsn_t *ret_end)
{
    uint8_t head[REDO_TREE_BYTES];
    uint64_t ts;
    put_header(head, REDO_RESOLVE, id);
    struct slice part = slice_make(head, sizeof head);
    return wal_append(s->wal, &part, 1, false, &ts, ret_end);
}
