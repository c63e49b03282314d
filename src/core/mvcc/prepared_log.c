/* The record of a prepared transaction, there and back:
 *
 *   u8 PREPARE | u64 id | u32 bytes | the caller's own
 *   u8 op | u64 tree | u32 key bytes | u32 row bytes | u8 flags | key | row    PUT, DELETE (no row)
 *   u8 LOCK | u64 tree | u32 key bytes | u32 0 | u8 strength | key
 *   u8 RELATION | u64 relation | u8 modes, bit m - 1 for mode m
 *   u8 ADVISORY | u64 0 | u32 database, high, low, form | u8 shared
 *
 * It is a record of its own. Flags: 1 keeps its key, 2 is an insert. Little-endian. */
#include "core/mvcc/prepared_priv.h"

#include "base/mem.h"

enum { PREPARE_BYTES = 13, ENTRY_BYTES = 18, RELATION_BYTES = 10, ADVISORY_BYTES = 26 };
enum { FLAG_KEEPS_KEY = 1, FLAG_INSERT = 2 };

struct record {
    struct arena arena;
    ARRAY(struct slice) parts;
};

static uint8_t *head(struct record *r, enum redo_op op, uint64_t number, size_t bytes)
{
    uint8_t *p = arena_alloc(&r->arena, bytes);
    memset(p, 0, bytes);
    p[0] = (uint8_t)op;
    memcpy(p + 1, &number, 8);
    ARENA_PUSH(&r->arena, &r->parts, slice_make(p, bytes));
    return p;
}

/* Is there a newer version of ours on the same leaf, locks left out? */
static bool superseded(const struct txn *t, const struct write_entry *w)
{
    const struct version *v = leaf_head(w->leaf);
    while (v && v->lock_only) v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE);
    return v != w->version && v && (v->begin & 1) && tagged_txn(v->begin) == t;
}

static void add_version(struct record *r, const struct txn *t, const struct write_entry *w)
{
    const struct version *v = w->version;
    if (!v->lock_only && superseded(t, w)) return;
    struct slice key = leaf_key(w->leaf);
    enum redo_op op = v->lock_only ? REDO_LOCK : v->tombstone ? REDO_DELETE : REDO_PUT;
    uint8_t *p = head(r, op, w->tree->id, ENTRY_BYTES);
    uint32_t lens[2] = {(uint32_t)key.len, v->lock_only ? 0 : v->len};
    memcpy(p + 9, lens, sizeof lens);
    p[17] = v->lock_only ? (uint8_t)v->len
                         : (uint8_t)(v->keeps_key * FLAG_KEEPS_KEY | (w->rows > 0) * FLAG_INSERT);
    ARENA_PUSH(&r->arena, &r->parts, key);
    if (lens[1]) ARENA_PUSH(&r->arena, &r->parts, slice_make(v->row, v->len));
}

static void add_locks(struct record *r, struct store *s, const struct prepared_txn *p)
{
    for (size_t i = 0; i < p->txn->locks.count; i++) {
        const struct held_lock *l = &p->txn->locks.data[i];
        head(r, REDO_RELATION, l->relation, RELATION_BYTES)[9] = l->modes;
    }
    fmutex_lock(&s->wait_mutex);
    for (const struct advisory_holder *h = p->owner->holders; h; h = h->owner_next)
        for (uint8_t shared = 0; shared < 2; shared++) {
            if (!h->transaction[shared]) continue;
            uint8_t *at = head(r, REDO_ADVISORY, 0, ADVISORY_BYTES);
            memcpy(at + 9, &h->lock->key, sizeof h->lock->key);
            at[25] = shared;
        }
    fmutex_unlock(&s->wait_mutex);
}
_Static_assert(sizeof(struct advisory_key) == 16, "as the record has it");

enum status prepared__log(struct store *s, struct prepared_txn *p, lsn_t *ret_end)
{
    struct txn *t = p->txn;
    struct record r = {0};
    uint64_t ts;
    arena_init(&r.arena, MEM_TXN);
    memcpy(head(&r, REDO_PREPARE, p->id, PREPARE_BYTES) + 9, &p->meta_len, 4);
    ARENA_PUSH(&r.arena, &r.parts, slice_make(p->meta, p->meta_len));
    epoch_enter(t->slot);
    for (size_t i = 0; i < t->writes.count; i++)
        if (t->writes.data[i].version) add_version(&r, t, &t->writes.data[i]);
    add_locks(&r, s, p);
    enum status st = wal_append(s->wal, r.parts.data, (uint32_t)r.parts.count, false, &ts, ret_end);
    epoch_exit(t->slot);
    arena_release(&r.arena);
    return st;
}

/* --- the way back ---------------------------------------------------------------------------- */

static enum status malformed(uint64_t lsn)
{
    return FAIL(DATA_CORRUPTED, "write-ahead log record at %llX is malformed",
                (unsigned long long)lsn);
}

static enum status revive_version(struct store *s, struct prepared_txn *p, uint64_t lsn,
                                  struct slice *rest)
{
    uint32_t lens[2];
    uint64_t id;
    if (rest->len < ENTRY_BYTES) return malformed(lsn);
    const uint8_t *at = (const uint8_t *)rest->data;
    memcpy(&id, at + 1, 8);
    memcpy(lens, at + 9, sizeof lens);
    if ((uint64_t)lens[0] + lens[1] > rest->len - ENTRY_BYTES) return malformed(lsn);
    struct tree *tree = forest_tree(s->forest, id);
    bool lock = at[0] == REDO_LOCK, delete = at[0] == REDO_DELETE;
    bool insert = !lock && !delete && (at[17] & FLAG_INSERT);
    struct slice key = slice_make(rest->data + ENTRY_BYTES, lens[0]);
    struct version_like like = {.row = slice_make(key.data + key.len, lens[1]), .command = 1,
                                .tombstone = delete, .strength = lock ? at[17] : 0,
                                .keeps_key = !lock && (at[17] & FLAG_KEEPS_KEY),
                                .rows = (int8_t)(delete ? -1 : insert)};
    if (lock && (like.strength < ROW_LOCK_KEY_SHARE || like.strength > ROW_LOCK_UPDATE))
        return malformed(lsn);
    /* Its lock on the relation keeps a tree from being dropped. */
    if (!tree) return malformed(lsn);
    txn__put_version(p->txn, tree, key, &like);
    p->bytes += key.len + lens[1];
    rest->data += ENTRY_BYTES + (size_t)lens[0] + lens[1];
    rest->len -= ENTRY_BYTES + (size_t)lens[0] + lens[1];
    return OK;
}

static enum status revive_entry(struct store *s, struct prepared_txn *p, uint64_t lsn,
                                struct slice *rest)
{
    const uint8_t *at = (const uint8_t *)rest->data;
    size_t used = at[0] == REDO_RELATION ? RELATION_BYTES : ADVISORY_BYTES;
    if (at[0] == REDO_PUT || at[0] == REDO_DELETE || at[0] == REDO_LOCK)
        return revive_version(s, p, lsn, rest);
    if ((at[0] != REDO_RELATION && at[0] != REDO_ADVISORY) || rest->len < used) return malformed(lsn);
    if (at[0] == REDO_RELATION) {
        uint64_t relation;
        memcpy(&relation, at + 1, 8);
        TRY(txn__hold_relation(p->txn, relation, at[9]));
    } else {
        struct advisory_key k;
        bool held;
        memcpy(&k, at + 9, sizeof k);
        TRY(advisory_lock(p->txn, &k, at[25], ADVISORY_TRANSACTION, false, &held));
        if (!held) return malformed(lsn);
    }
    rest->data += used;
    rest->len -= used;
    return OK;
}

enum status prepared__revive(struct store *s, uint64_t lsn, struct slice record,
                             struct prepared_txn **ret)
{
    uint64_t id;
    uint32_t meta;
    if (record.len < PREPARE_BYTES) return malformed(lsn);
    memcpy(&id, record.data + 1, 8);
    memcpy(&meta, record.data + 9, 4);
    if (meta > PREPARED_META_BYTES_MAX || meta > record.len - PREPARE_BYTES) return malformed(lsn);
    struct prepared_txn *p = prepared__new(id, slice_make(record.data + PREPARE_BYTES, meta));
    p->lsn = lsn;
    p->owner = lock_owner_new(s, 0, 0);
    struct txn_options o = {.isolation = READ_COMMITTED, .owner = p->owner};
    enum status st = txn_begin(s, &o, &p->txn);
    struct slice rest = slice_make(record.data + PREPARE_BYTES + meta,
                                   record.len - PREPARE_BYTES - meta);
    while (st == OK && rest.len) st = revive_entry(s, p, lsn, &rest);
    p->ready = true;
    prepared__add(s, p); /* after an error, too: the store's close frees it */
    *ret = p;
    return st;
}
