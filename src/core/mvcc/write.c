/* Writes and row locks.
 *
 * Versions in flight are a key's locks: who wants more than they leave waits for their transactions. To
 * write, the active memtable's latch is taken, the newest version looked for in the memtables (a version
 * in flight is never in a run), and the own version put in front. What lies in runs is looked at only
 * afterwards, without the latch but with the key locked by the version just put; when it forbids the
 * write, the version is taken out again.
 *
 * Lock-only versions stand before those with rows (docs/design/constraints.md): a version with a row goes
 * in behind them, so that whoever looks has met all locks before the newest settled version. */
#include "core/mvcc/prepared_priv.h"

#include "base/point.h"

/* The state of a key in the memtables, seen under the latch of the active one. */
struct key_state {
    struct memory *active;
    struct shape *shape;
    struct txn *holder;          /* another transaction to be waited for; NULL */
    uint64_t holder_id;
    enum row_lock own;           /* what we hold it by */
    const struct version *newest; /* newest version with a row or tombstone; NULL: not in memtables */
};

struct txn *mvcc__in_flight(const struct txn *t, const uint64_t *begin, bool locks, bool *ret_own,
                            uint64_t *ret_id)
{
    for (;;) {
        struct txn *x, *same;
        uint64_t ts = mvcc__begin_of(begin, &x);
        *ret_own = x && x == t;
        if (!x || x == t || (ts && ts != TS_ABORTED && !locks)) return NULL;
        *ret_id = __atomic_load_n(&x->id, __ATOMIC_ACQUIRE);
        (void)mvcc__begin_of(begin, &same);
        if (same == x) return x; /* still: so that was its number */
    }
}

static bool is_own(const struct txn *t, const struct version *v)
{
    return __atomic_load_n(&v->begin, __ATOMIC_ACQUIRE) == ((uint64_t)(uintptr_t)t | 1);
}

static enum row_lock version_strength(const struct version *v)
{
    if (v->lock_only) return (enum row_lock)v->len;
    return v->keeps_key ? ROW_LOCK_NO_KEY_UPDATE : ROW_LOCK_UPDATE;
}

static void inspect_chain(const struct txn *t, const struct version *v, enum row_lock mode,
                          struct key_state *ret)
{
    for (; v; v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE)) {
        bool own;
        uint64_t id;
        enum row_lock strength = version_strength(v);
        struct txn *holder = mvcc__in_flight(t, &v->begin, v->lock_only, &own, &id);
        if (holder && mode + strength > ROW_LOCK_UPDATE) {
            ret->holder = holder;
            ret->holder_id = id;
            return;
        }
        if (own && strength > ret->own) ret->own = strength;
        /* Taken out of the chain of a frozen memtable while we were on it. */
        if (holder || v->lock_only || __atomic_load_n(&v->begin, __ATOMIC_ACQUIRE) == TS_ABORTED)
            continue;
        if (!ret->newest) ret->newest = v;
        return;
    }
}

/* Latches the active memtable and looks at the key, which is wanted by `mode`; the latch is held on
 * return. When the newest version is found, older memtables may still hold locks. */
static void latch_key(struct txn *t, struct tree *tree, struct slice key, enum row_lock mode,
                      struct key_state *ret)
{
    for (;;) {
        struct shape *s = tree_shape(tree);
        struct memory *m = s->memories[0];
        POINT("write.before_latch");
        memtable_latch(m->table);
        if (m->frozen) {
            memtable_unlatch(m->table);
            continue;
        }
        *ret = (struct key_state){.active = m, .shape = s};
        for (uint32_t i = 0; i < s->memory_count && !ret->holder; i++) {
            if (ret->newest && !__atomic_load_n(&s->memories[i]->unresolved, __ATOMIC_SEQ_CST))
                continue;
            struct leaf *leaf = memtable_find(s->memories[i]->table, key);
            const struct version *newest = ret->newest;
            if (leaf) inspect_chain(t, leaf_head(leaf), mode, ret);
            t->straddles |= i > 0 && !newest && ret->newest && is_own(t, ret->newest);
        }
        return;
    }
}

static uint64_t version_ts(const struct txn *t, const struct version *v)
{
    struct txn *x;
    uint64_t ts = mvcc__begin(v, &x);
    return x == t ? 0 : ts;
}

/* Makes a version of ours, which place_version puts into the key's chain. Under the latch. strength 0: with a row. */
static struct version *push_version(struct txn *t, struct tree *tree, struct memory *m, struct slice key,
                                    struct slice row, uint32_t strength)
{
    if (memtable_key_count(m->table) == 0)
        __atomic_store_n(&m->first_lsn, wal_appended_lsn(t->store->wal).v, __ATOMIC_RELEASE);
    struct leaf *leaf = memtable_upsert(m->table, key);
    struct version *v = strength ? memtable_lock_new(m->table) : memtable_version_new(m->table, leaf, row);
    if (strength) v->len = strength;
    v->begin = (uint64_t)(uintptr_t)t | 1;
    v->command = t->command;
    __atomic_add_fetch(&m->unresolved, 1, __ATOMIC_RELAXED);
    ARRAY_PUSH(&t->writes, (struct write_entry){tree, m, leaf, v, 0, false});
    t->bytes += key.len + row.len + sizeof *v;
    __atomic_store_n(&t->shown, true, __ATOMIC_RELAXED);
    return v;
}

static void place_version(struct write_entry *w)
{
    struct version *head = leaf_head(w->leaf), *before = NULL, *v = w->version;
    for (; !v->lock_only && head && head->lock_only; head = head->older) before = head;
    v->older = head;
    if (before) __atomic_store_n(&before->older, v, __ATOMIC_RELEASE);
    else leaf_set_head(w->leaf, v);
    if (!v->lock_only) memtable_placed(w->memory->table, w->leaf, v);
}

/* Lets the latch go, and the memtable be frozen when it is full. */
static enum status unlatch(struct txn *t, struct tree *tree, struct memory *m)
{
    uint64_t bytes = memory_account(tree->forest, m);
    memtable_unlatch(m->table);
    if (!store__is_full(t->store, tree, m, bytes)) return OK;
    TRY(tree_freeze(tree, m));
    store__schedule(t->store);
    return OK;
}

/* Takes one version out of its chain. Usually it is the head; above it there may be only versions of
 * others that were put while this one was being settled. */
static void unlink_version(struct write_entry *w)
{
    memtable_latch(w->memory->table);
    struct version *head = leaf_head(w->leaf);
    if (head == w->version) {
        leaf_set_head(w->leaf, w->version->older);
    } else {
        struct version *v = head;
        while (v && v->older != w->version) v = v->older;
        if (v) __atomic_store_n(&v->older, w->version->older, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&w->version->begin, TS_ABORTED, __ATOMIC_RELEASE);
    memtable_gone(w->memory->table, w->leaf, w->version);
    memtable_unlatch(w->memory->table);
}

/* Whoever freezes it schedules, too: of the two the later sees what the other has set. */
void txn__resolved(struct txn *t, struct memory *m)
{
    if (__atomic_sub_fetch(&m->unresolved, 1, __ATOMIC_SEQ_CST) == 0 &&
        __atomic_load_n(&m->frozen, __ATOMIC_SEQ_CST))
        store__schedule(t->store);
}

void txn__undo(struct txn *t, size_t from)
{
    while (t->writes.count > from) {
        struct write_entry *w = &ARRAY_LAST(&t->writes);
        if (w->version) {
            unlink_version(w);
            txn__resolved(t, w->memory);
        } else if (w->load) {
            struct loaded_run l = ARRAY_LAST(&t->loads);
            t->loads.count--;
            __atomic_store_n(&l.ref->begin, TS_ABORTED, __ATOMIC_RELEASE);
            tree_unpublish_run(l.tree, l.ref);
        } else {
            struct tree_change c = ARRAY_LAST(&t->changes);
            t->changes.count--;
            if (!c.drop) forest_remove(t->store->forest, c.tree, true);
        }
        t->writes.count--;
    }
}

/* Has the key a version of ours in a memtable above? */
static bool written_above(const struct txn *t, const struct write_entry *w)
{
    const struct shape *s = tree_shape(w->tree);
    for (uint32_t i = 0; i < s->memory_count && s->memories[i] != w->memory; i++) {
        struct leaf *leaf = memtable_find(s->memories[i]->table, leaf_key(w->leaf));
        const struct version *v = leaf ? leaf_head(leaf) : NULL;
        while (v && v->lock_only) v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE);
        if (v && is_own(t, v)) return true;
    }
    return false;
}

void txn__drop_straddling(struct txn *t)
{
    size_t kept = 0;
    epoch_enter(t->slot);
    for (size_t i = 0; i < t->writes.count; i++) {
        struct write_entry *w = &t->writes.data[i];
        if (w->version && !w->version->lock_only && written_above(t, w)) {
            if (w->rows) __atomic_add_fetch(&w->tree->rows, w->rows, __ATOMIC_RELAXED);
            unlink_version(w);
            txn__resolved(t, w->memory);
        } else {
            t->writes.data[kept++] = *w;
        }
    }
    t->writes.count = kept;
    epoch_exit(t->slot);
}

static enum status serialization_failure(bool deleted)
{
    return FAIL(SERIALIZATION_FAILURE, "could not serialize access due to concurrent %s",
                deleted ? "delete" : "update");
}

/* Who fails for a commit that is not durable yet is told so when it is: else the next try would begin
 * without it again, and fail again, as often as fits into a write of the log. */
static void await_visible(struct txn *t, uint64_t ts)
{
    struct store *s = t->store;
    if (t->options.early || ts <= __atomic_load_n(&s->visible_ts, __ATOMIC_ACQUIRE)) return;
    struct error saved = *error_current();
    (void)!wal_wait(s->wal, wal_appended_lsn(s->wal), false); /* a log that has failed tells others */
    *error_current() = saved;
}

/* --- locks ------------------------------------------------------------------------------------- */

/* Has it changed since the snapshot, for one who keeps the first? */
static bool is_stale(const struct txn *t, enum row_lock mode, const struct newest *n)
{
    return n->found && n->ts > t->snapshot && t->options.isolation != READ_COMMITTED &&
           mode > ROW_LOCK_KEY_SHARE;
}

static enum status lock_answer(struct txn *t, enum row_lock mode, const struct newest *n,
                               struct lock_result *ret)
{
    *ret = (struct lock_result){0};
    if (n->found && !n->tombstone) ret->row = n->row;
    ret->written = n->written;
    if (n->found && n->ts > t->snapshot) {
        if (is_stale(t, mode, n)) {
            await_visible(t, n->ts);
            return serialization_failure(n->tombstone);
        }
        ret->changed = true;
        if (n->ts > __atomic_load_n(&t->store->visible_ts, __ATOMIC_ACQUIRE))
            t->seen_lsn = wal_appended_lsn(t->store->wal).v;
    }
    return OK;
}

/* Our newest version goes, and who waits for it may look again. */
static void take_back(struct txn *t)
{
    txn__undo(t, t->writes.count - 1);
    txn__wake_waiters(t, false);
}

/* One try: n->holder is set when somebody is to be waited for. */
static enum status try_lock(struct txn *t, struct tree *tree, struct slice key, enum row_lock mode,
                            struct newest *n)
{
    struct key_state k;
    latch_key(t, tree, key, mode, &k);
    *n = (struct newest){.holder = k.holder, .holder_id = k.holder_id};
    if (k.holder) {
        memtable_unlatch(k.active->table);
        return OK;
    }
    bool put = k.own < mode;
    if (put) {
        push_version(t, tree, k.active, key, (struct slice){0}, mode);
        place_version(&ARRAY_LAST(&t->writes));
    }
    if (k.newest) {
        *n = (struct newest){.found = true, .tombstone = k.newest->tombstone,
                             .ts = version_ts(t, k.newest),
                             .row = slice_make(k.newest->row, k.newest->len)};
        n->written = is_own(t, k.newest) && k.newest->command == t->command;
    }
    TRY(unlatch(t, tree, k.active));
    /* The shape of now: it has the runs that were loaded before the lock was put. */
    const struct shape *s = tree_shape(tree);
    if (!n->found) {
        TRY(mvcc__newest_in_runs(t, s, NULL, key, mode <= ROW_LOCK_KEY_SHARE, &t->pins, n));
        if (put && n->placed) place_note(s, k.active, ARRAY_LAST(&t->writes).leaf, &n->place);
    }
    if (!n->found && tree->base) TRY(mvcc__newest_below(t, tree, key, n));
    bool nothing = !n->found || n->tombstone;
    bool in_vain = (nothing && mode <= ROW_LOCK_SHARE) || is_stale(t, mode, n);
    if (put && (n->holder || in_vain)) take_back(t);
    return OK;
}

enum status store_lock(struct txn *t, const struct lock_request *q, struct lock_result *ret)
{
    struct tree *tree;
    struct newest n;
    TRY(mvcc__own_tree(t, q->tree, &tree));
    TRY(store__admit(t));
    if (t->ssi) TRY(ssi__read(t, q->tree, q->key));
    for (;;) {
        TRY(try_lock(t, tree, q->key, q->mode, &n));
        if (!n.holder) return lock_answer(t, q->mode, &n, ret);
        if (q->skip_locked) return WOULD_BLOCK;
        if (q->nowait) return FAIL(LOCK_NOT_AVAILABLE, "could not obtain lock on row");
        TRY(txn__wait_for(t, n.holder, n.holder_id));
    }
}

/* --- writes ------------------------------------------------------------------------------------ */

static bool has_runs(const struct shape *s)
{
    for (int l = 0; l < LEVELS_MAX; l++)
        if (s->levels[l].count) return true;
    return false;
}

/* May the write go over what is there? UNIQUE_VIOLATION, NOT_FOUND, SERIALIZATION_FAILURE. */
static enum status judge(const struct txn *t, enum write_op op, const struct newest *n)
{
    bool live = n->found && !n->tombstone;
    if (op == WRITE_INSERT) return live ? UNIQUE_VIOLATION : OK;
    if (op == WRITE_PUT || op == WRITE_REMOVE) return OK;
    if (n->found && n->ts > t->snapshot && t->options.isolation != READ_COMMITTED)
        return serialization_failure(n->tombstone);
    return live ? OK : NOT_FOUND;
}

static enum status check_request(const struct txn *t, const struct write_request *q)
{
    if (t->options.read_only)
        return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot write in a read-only transaction");
    if (q->key.len > STORE_KEY_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "key of %zu bytes exceeds the maximum of %d", q->key.len,
                    STORE_KEY_BYTES_MAX);
    if (q->row.len > STORE_ROW_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "row of %zu bytes exceeds the maximum of %d", q->row.len,
                    STORE_ROW_BYTES_MAX);
    return OK;
}

/* An insert holds its key against all but those who ask for what is there already. */
static bool keeps_key(const struct write_request *q)
{
    return q->op == WRITE_INSERT || (q->op == WRITE_UPDATE && q->keeps_key);
}

/* One try: n->holder is set when somebody is to be waited for. */
static enum status try_write(struct txn *t, struct tree *tree, const struct write_request *q,
                             struct newest *n)
{
    struct key_state k;
    bool shares = q->op == WRITE_UPDATE && q->keeps_key;
    latch_key(t, tree, q->key, shares ? ROW_LOCK_NO_KEY_UPDATE : ROW_LOCK_UPDATE, &k);
    *n = (struct newest){.holder = k.holder, .holder_id = k.holder_id};
    enum status st = OK;
    if (k.newest && !k.holder)
        *n = (struct newest){.found = true, .tombstone = k.newest->tombstone,
                             .ts = version_ts(t, k.newest)};
    if (n->found) st = judge(t, q->op, n);
    if (k.holder || st != OK) {
        memtable_unlatch(k.active->table);
        return st;
    }
    bool delete = q->op == WRITE_DELETE || q->op == WRITE_REMOVE;
    struct version *v = push_version(t, tree, k.active, q->key, delete ? (struct slice){0} : q->row,
                                     0);
    v->tombstone = delete;
    v->keeps_key = keeps_key(q);
    struct write_entry *w = &ARRAY_LAST(&t->writes);
    w->rows = (int8_t)(q->op == WRITE_DELETE ? -1 : q->op == WRITE_INSERT);
    place_version(w);
    TRY(unlatch(t, tree, k.active));
    /* A lock of our own that keeps others from writing answered already what the runs hold. */
    bool answered = k.own >= ROW_LOCK_NO_KEY_UPDATE && q->op != WRITE_INSERT;
    bool blind = q->op == WRITE_PUT || q->op == WRITE_REMOVE;
    if (k.newest || blind || answered) return OK;
    /* The shape of now: it has the runs that were loaded before the version was put. */
    const struct shape *s = tree_shape(tree);
    if (has_runs(s)) st = mvcc__newest_in_runs(t, s, NULL, q->key, false, &t->pins, n);
    if (st == OK && n->placed) place_note(s, k.active, w->leaf, &n->place);
    if (tree->base && st == OK && !n->found) st = mvcc__newest_below(t, tree, q->key, n);
    if (st == OK && !n->holder) st = judge(t, q->op, n);
    if (n->holder) take_back(t);
    else if (st != OK) txn__undo(t, t->writes.count - 1);
    return st;
}

enum status store_write(struct txn *t, const struct write_request *q)
{
    struct tree *tree;
    struct newest n;
    TRY(check_request(t, q));
    TRY(mvcc__own_tree(t, q->tree, &tree));
    TRY(store__admit(t));
    for (;;) {
        enum status st = try_write(t, tree, q, &n);
        if (t->ssi && !n.holder && (st == OK || st == UNIQUE_VIOLATION))
            TRY(ssi__write(t, q->tree, q->key));
        if (st == SERIALIZATION_FAILURE) await_visible(t, n.ts);
        if (st != OK || !n.holder) return st;
        TRY(txn__wait_for(t, n.holder, n.holder_id));
    }
}

enum status txn__write_over(struct txn *t, struct tree *tree, const struct run_ref *loaded,
                            bool unique, struct slice key, struct slice row)
{
    struct key_state k;
    TRY(store__admit(t));
    for (;;) {
        latch_key(t, tree, key, ROW_LOCK_UPDATE, &k);
        if (!k.holder) break;
        memtable_unlatch(k.active->table);
        TRY(txn__wait_for(t, k.holder, k.holder_id));
    }
    if (unique && k.newest && !k.newest->tombstone) {
        memtable_unlatch(k.active->table);
        return UNIQUE_VIOLATION;
    }
    push_version(t, tree, k.active, key, row, 0)->keeps_key = 1;
    place_version(&ARRAY_LAST(&t->writes));
    TRY(unlatch(t, tree, k.active));
    /* What was in a memtable when we looked may lie in a run by now. */
    while (unique && !k.newest) {
        struct newest n;
        TRY(mvcc__newest_in_runs(t, tree_shape(tree), loaded, key, false, &t->pins, &n));
        if (!n.found && !n.holder) TRY(mvcc__newest_below(t, tree, key, &n));
        if (!n.holder) return n.found && !n.tombstone ? UNIQUE_VIOLATION : OK;
        TRY(txn__wait_for(t, n.holder, n.holder_id));
    }
    return OK;
}

/* --- versions of prepared transactions ----------------------------------------------------------- */

static void put_like(struct txn *t, struct tree *tree, struct memory *m, struct slice key,
                     const struct version_like *like)
{
    struct version *v = push_version(t, tree, m, key, like->row, like->strength);
    v->command = like->command;
    v->tombstone = like->tombstone;
    v->keeps_key = like->keeps_key;
    ARRAY_LAST(&t->writes).rows = like->rows;
    place_version(&ARRAY_LAST(&t->writes));
    (void)memory_account(tree->forest, m);
}

/* The active memtable, latched. */
static struct memory *latch_active(struct tree *tree)
{
    for (;;) {
        struct memory *m = tree_shape(tree)->memories[0];
        memtable_latch(m->table);
        if (!m->frozen) return m;
        memtable_unlatch(m->table);
    }
}

void txn__put_version(struct txn *t, struct tree *tree, struct slice key,
                      const struct version_like *like)
{
    epoch_enter(t->slot);
    struct memory *m = latch_active(tree);
    put_like(t, tree, m, key, like);
    memtable_unlatch(m->table);
    epoch_exit(t->slot);
}

/* Whoever looks for locks holds the active memtable's latch meanwhile: he meets the one or the other. */
void txn__carry_version(struct txn *t, size_t at)
{
    struct write_entry old = t->writes.data[at];
    if (!__atomic_load_n(&old.memory->frozen, __ATOMIC_ACQUIRE)) return;
    const struct version *v = old.version;
    struct version_like like = {.row = slice_make(v->row, v->lock_only ? 0 : v->len),
                                .command = v->command, .tombstone = v->tombstone,
                                .strength = v->lock_only ? (uint8_t)v->len : 0,
                                .keeps_key = v->keeps_key, .rows = old.rows};
    uint64_t bytes = t->bytes;
    struct memory *m = latch_active(old.tree);
    put_like(t, old.tree, m, leaf_key(old.leaf), &like);
    t->writes.data[at] = ARRAY_LAST(&t->writes);
    t->writes.count--;
    t->bytes = bytes;
    unlink_version(&old);
    memtable_unlatch(m->table);
    txn__resolved(t, old.memory);
}
