/* The record of a prepared transaction, there and back:
 *
 *   u8 PREPARE | u64 id | u32 bytes | the caller's own
 *   u8 op | u64 tree | u32 key bytes | u32 row bytes | u8 flags | key | row    PUT, DELETE (no row)
 *   u8 LOCK | u64 tree | u32 key bytes | u32 0 | u8 strength | key
 *   u8 RELATION | u64 relation | u8 modes, bit m - 1 for mode m
 *   u8 ADVISORY | u64 0 | u32 database, high, low, form | u8 shared
 *   u8 BRANCH | u64 branch                             the first of all; none: the main line
 *   u8 CREATE, DROP | u64 tree
 *   u8 RUN | u64 tree | u64 run                        loaded, and pending in the manifest: before all rows
 *   u8 RANGE | u64 tree | u32 bytes from, to | u8 end | u8 kind | from | to    of SERIALIZABLE ones, branch_own in
 *                                                      the tree; an empty one of tree 0: it is SERIALIZABLE
 *
 * It is a record of its own. Flags: 1 keeps its key, 2 is an insert. Little-endian. */
#include "core/lsm/redo.h"
#include "core/mvcc/prepared_priv.h"

#include "base/mem.h"

enum { PREPARE_BYTES = 13, ENTRY_BYTES = 18, RELATION_BYTES = 10, ADVISORY_BYTES = 26, RANGE_BYTES = 19 };
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

/* Copied: another tree's readers may move it. */
static void add_range(void *ctx, const struct ssi_told *t)
{
    struct record *r = ctx;
    uint32_t lens[2] = {(uint32_t)t->from.len, (uint32_t)t->to.len};
    uint8_t *p = head(r, REDO_RANGE, t->tree, RANGE_BYTES + t->from.len + t->to.len);
    memcpy(p + 9, lens, sizeof lens);
    p[17] = t->end;
    p[18] = t->kind;
    if (lens[0]) memcpy(p + RANGE_BYTES, t->from.data, lens[0]);
    if (lens[1]) memcpy(p + RANGE_BYTES + lens[0], t->to.data, lens[1]);
}

static void add_ranges(struct record *r, struct txn *t)
{
    static const struct ssi_told mark = {0};
    if (!t->ssi) return;
    add_range(r, &mark);
    ssi__tell(t, add_range, r);
}

enum status prepared__log(struct store *s, struct prepared_txn *p, lsn_t *ret_end)
{
    struct txn *t = p->txn;
    struct record r = {0};
    uint64_t ts;
    arena_init(&r.arena, MEM_TXN);
    memcpy(head(&r, REDO_PREPARE, p->id, PREPARE_BYTES) + 9, &p->meta_len, 4);
    ARENA_PUSH(&r.arena, &r.parts, slice_make(p->meta, p->meta_len));
    if (p->branch) head(&r, REDO_BRANCH, branch_id(p->branch), REDO_TREE_BYTES);
    for (size_t i = 0; i < t->changes.count; i++)
        head(&r, t->changes.data[i].drop ? REDO_DROP : REDO_CREATE, t->changes.data[i].tree->id,
             REDO_TREE_BYTES);
    for (size_t i = 0; i < t->loads.count; i++)
        memcpy(head(&r, REDO_RUN, t->loads.data[i].tree->id, REDO_RUN_BYTES) + REDO_TREE_BYTES,
               &t->loads.data[i].ref->id, 8);
    epoch_enter(t->slot);
    for (size_t i = 0; i < t->writes.count; i++)
        if (t->writes.data[i].version) add_version(&r, t, &t->writes.data[i]);
    add_locks(&r, s, p);
    add_ranges(&r, t);
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

static enum status revive_range(struct prepared_txn *p, uint64_t lsn, struct slice *rest)
{
    struct ssi_told r;
    uint32_t lens[2];
    if (rest->len < RANGE_BYTES) return malformed(lsn);
    memcpy(&r.tree, rest->data + 1, 8);
    memcpy(lens, rest->data + 9, sizeof lens);
    if ((uint64_t)lens[0] + lens[1] > rest->len - RANGE_BYTES) return malformed(lsn);
    r.end = (uint8_t)rest->data[17];
    r.kind = (uint8_t)rest->data[18];
    r.from = slice_make(rest->data + RANGE_BYTES, lens[0]);
    r.to = slice_make(r.from.data + lens[0], lens[1]);
    if (r.tree) TRY(ssi__revive_range(p->txn, &r));
    else ssi__revive(p->txn);
    rest->data += RANGE_BYTES + (size_t)lens[0] + lens[1];
    rest->len -= RANGE_BYTES + (size_t)lens[0] + lens[1];
    return OK;
}

/* Its place in `writes` is where the trees' rows begin: they come behind all of these. */
static enum status revive_change(struct store *s, struct prepared_txn *p, uint64_t lsn, bool drop,
                                 tree_id id)
{
    struct tree *tree = forest_tree(s->forest, id);
    if (drop && !tree) return malformed(lsn);
    if (!tree) TRY(forest_add(s->forest, id, lsn, &tree));
    if (!drop) tree->branch = branch_id(p->branch); /* it may be there for a pending run alone */
    ARRAY_PUSH(&p->txn->changes, (struct tree_change){tree, drop});
    ARRAY_PUSH(&p->txn->writes, (struct write_entry){.tree = tree});
    return OK;
}

/* The manifest has kept it, and nobody has seen it yet. */
static enum status revive_run(struct store *s, struct prepared_txn *p, uint64_t lsn,
                              struct slice rest)
{
    uint64_t id, run;
    struct loaded_run l;
    if (rest.len < REDO_RUN_BYTES) return malformed(lsn);
    memcpy(&id, rest.data + 1, 8);
    memcpy(&run, rest.data + REDO_TREE_BYTES, 8);
    if (!forest_find_pending(s->forest, id, run, &l)) return malformed(lsn);
    forest_revive_run(&l, (uint64_t)(uintptr_t)p->txn | 1);
    __atomic_store_n(&p->txn->shown, true, __ATOMIC_RELAXED);
    ARRAY_PUSH(&p->txn->loads, l);
    ARRAY_PUSH(&p->txn->writes, (struct write_entry){.tree = l.tree, .load = true});
    return OK;
}

static enum status revive_relation(struct prepared_txn *p, uint64_t lsn, struct slice rest)
{
    uint64_t relation;
    if (rest.len < RELATION_BYTES) return malformed(lsn);
    memcpy(&relation, rest.data + 1, 8);
    return txn__hold_relation(p->txn, relation, (uint8_t)rest.data[9]);
}

static enum status revive_advisory(struct prepared_txn *p, uint64_t lsn, struct slice rest)
{
    struct advisory_key k;
    bool held;
    if (rest.len < ADVISORY_BYTES) return malformed(lsn);
    memcpy(&k, rest.data + 9, sizeof k);
    TRY(advisory_lock(p->txn, &k, rest.data[25], ADVISORY_TRANSACTION, false, &held));
    return held ? OK : malformed(lsn);
}

static enum status revive_entry(struct store *s, struct prepared_txn *p, uint64_t lsn,
                                struct slice *rest)
{
    uint64_t number;
    size_t used = REDO_TREE_BYTES;
    if (rest->len < REDO_TREE_BYTES) return malformed(lsn);
    memcpy(&number, rest->data + 1, 8);
    switch ((uint8_t)rest->data[0]) {
    case REDO_PUT:
    case REDO_DELETE:
    case REDO_LOCK: return revive_version(s, p, lsn, rest);
    case REDO_RANGE: return revive_range(p, lsn, rest);
    case REDO_CREATE:
    case REDO_DROP: TRY(revive_change(s, p, lsn, rest->data[0] == REDO_DROP, number)); break;
    case REDO_RUN:
        TRY(revive_run(s, p, lsn, *rest));
        used = REDO_RUN_BYTES;
        break;
    case REDO_RELATION:
        TRY(revive_relation(p, lsn, *rest));
        used = RELATION_BYTES;
        break;
    case REDO_ADVISORY:
        TRY(revive_advisory(p, lsn, *rest));
        used = ADVISORY_BYTES;
        break;
    default: return malformed(lsn);
    }
    rest->data += used;
    rest->len -= used;
    return OK;
}

/* The branch that it is in, if the record says so: that cannot have been dropped. */
static enum status revive_branch(struct store *s, struct prepared_txn *p, uint64_t lsn,
                                 struct slice *rest)
{
    uint64_t id;
    if (rest->len < REDO_TREE_BYTES || (uint8_t)rest->data[0] != REDO_BRANCH) return OK;
    memcpy(&id, rest->data + 1, 8);
    p->branch = id <= UINT32_MAX ? store_open_branch_id(s, (uint32_t)id) : NULL;
    if (!p->branch) return malformed(lsn);
    rest->data += REDO_TREE_BYTES;
    rest->len -= REDO_TREE_BYTES;
    return OK;
}

/* Entries of the record from its beginning up to the runs: those of the branch and the trees come before them. */
enum status prepared__keep_runs(struct store *s, uint64_t lsn, struct slice record,
                                struct received_runs *received)
{
    uint32_t meta;
    if (record.len < PREPARE_BYTES) return malformed(lsn);
    memcpy(&meta, record.data + 9, 4);
    if (meta > record.len - PREPARE_BYTES) return malformed(lsn);
    size_t at = PREPARE_BYTES + meta;
    while (at + REDO_TREE_BYTES <= record.len) {
        uint64_t id, run;
        struct loaded_run l;
        struct tree *tree;
        uint8_t op = (uint8_t)record.data[at];
        memcpy(&id, record.data + at + 1, 8);
        if (op != REDO_BRANCH && op != REDO_CREATE && op != REDO_DROP && op != REDO_RUN) break;
        at += op == REDO_RUN ? REDO_RUN_BYTES : REDO_TREE_BYTES;
        if (op != REDO_RUN) continue;
        if (at > record.len) return malformed(lsn);
        memcpy(&run, record.data + at - 8, 8);
        if (received) {
            TRY(forest_add(s->forest, id, lsn, &tree));
            TRY(received_runs_claim(received, tree, run, lsn));
        }
        if (forest_find_pending(s->forest, id, run, &l)) forest_keep_run(&l);
    }
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
    struct slice rest = slice_make(record.data + PREPARE_BYTES + meta,
                                   record.len - PREPARE_BYTES - meta);
    enum status in = revive_branch(s, p, lsn, &rest);
    struct txn_options o = {.isolation = READ_COMMITTED, .owner = p->owner, .branch = p->branch};
    enum status st = txn_begin(s, &o, &p->txn);
    if (st == OK) st = in;
    while (st == OK && rest.len) st = revive_entry(s, p, lsn, &rest);
    p->ready = true;
    prepared__add(s, p); /* after an error, too: the store's close frees it */
    *ret = p;
    return st;
}
