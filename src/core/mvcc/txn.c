/* The life of a transaction.
 *
 * Begin takes a slot in the active list. The first statement (each, in READ COMMITTED) takes a snapshot:
 * the slot says "being taken" (1) before the watermark is read, so that the horizon of garbage
 * collection, which takes the least of all slots (history.c), can never pass a snapshot unseen.
 *
 * Commit: the record goes to the log, which sets commit_ts before it can be durable; from then on the
 * outcome is settled for whoever comes upon a version (read.c asks commit_ts), waiters are woken, and the
 * versions get the timestamp itself. The client is told when the log is durable.
 *
 * A transaction's memory is reused, never freed while the store is open. Others may have seen its
 * address in a version or wait for it: they look whether the version still names it, and go by its id
 * (mvcc__begin, txn__wait_for). */
#include "core/lsm/redo.h"
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"
#include "base/point.h"

/* --- making and unmaking ----------------------------------------------------------------------- */

static struct txn *txn_take(struct store *s, uint32_t shard)
{
    struct active_shard *a = &s->active[shard];
    spin_lock(&a->lock);
    struct txn *t = a->idle;
    if (t) {
        a->idle = t->next;
        a->idle_count--;
    }
    spin_unlock(&a->lock);
    if (t) return t;
    t = mem_alloc(MEM_TXN, sizeof *t);
    t->store = s;
    t->slot = epoch_slot_new(s->epoch);
    t->pins.cache = s->forest->cache;
    return t;
}

static void trim(struct txn *t)
{
    if (t->writes.cap > 4096) ARRAY_RELEASE(&t->writes);
    if (t->locks.cap > 256) ARRAY_RELEASE(&t->locks);
    if (t->steps.cap > 256) ARRAY_RELEASE(&t->steps);
    t->steps.count = t->loads.count = t->writes.count = t->changes.count = t->hooks.count = t->locks.count = 0;
    t->outer_commands.count = 0;
}

static void txn_reuse(struct txn *t)
{
    struct active_shard *a = &t->store->active[t->shard];
    trim(t);
    spin_lock(&a->lock);
    t->next = a->idle;
    a->idle = t;
    a->idle_count++;
    spin_unlock(&a->lock);
}

static void txn_free(struct txn *t)
{
    epoch_slot_free(t->slot);
    page_pins_free(&t->pins);
    ARRAY_RELEASE(&t->writes);
    ARRAY_RELEASE(&t->changes);
    ARRAY_RELEASE(&t->loads);
    ARRAY_RELEASE(&t->hooks);
    ARRAY_RELEASE(&t->locks);
    ARRAY_RELEASE(&t->steps);
    ARRAY_RELEASE(&t->outer_commands);
    ARRAY_RELEASE(&t->aside);
    mem_free(MEM_TXN, t);
}

void txn__free_idle(struct store *s)
{
    for (uint32_t i = 0; i < ACTIVE_SHARDS; i++) {
        struct txn *t = s->active[i].idle;
        while (t) {
            struct txn *next = t->next;
            txn_free(t);
            t = next;
        }
        s->active[i].idle = NULL;
    }
}

/* The snapshot is there before anyone can see the transaction: history.c. */
static struct txn *begin(struct store *s, const struct txn_options *o, uint32_t shard,
                         uint64_t snapshot, bool past)
{
    struct txn *t = txn_take(s, shard);
    struct active_shard *a = &s->active[shard];
    t->options = *o;
    __atomic_store_n(&t->pid, txn__owner_pid(o->owner), __ATOMIC_RELAXED);
    uint64_t id = __atomic_add_fetch(&s->next_txn, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&t->commit_ts, 0, __ATOMIC_RELEASE); /* after its last versions were settled */
    __atomic_store_n(&t->snapshot, snapshot, __ATOMIC_RELAXED);
    t->shard = shard;
    t->past = past;
    t->branch = o->branch;
    t->layered = past || t->branch;
    t->pinned = false;
    t->view_of = t;
    t->ssi = NULL;
    t->depth = t->command = t->last_command = 0;
    t->bytes = t->seen_lsn = t->resolves = 0;
    t->shown = t->straddles = false;
    spin_lock(&t->waiters_lock);
    __atomic_store_n(&t->id, id, __ATOMIC_RELEASE);
    t->waiters = NULL;
    t->ended = false;
    spin_unlock(&t->waiters_lock);
    spin_lock(&a->lock);
    t->prev = NULL;
    t->next = a->head;
    if (a->head) a->head->prev = t;
    a->head = t;
    spin_unlock(&a->lock);
    __atomic_add_fetch(&s->active_txns, 1, __ATOMIC_RELAXED);
    return t;
}

enum status txn_begin(struct store *s, const struct txn_options *o, struct txn **ret)
{
    *ret = begin(s, o, (uint32_t)(fiber_worker() + 1) % ACTIVE_SHARDS, 0, false);
    return OK;
}

static void leave_active(struct txn *t)
{
    struct active_shard *a = &t->store->active[t->shard];
    spin_lock(&a->lock);
    if (t->prev) t->prev->next = t->next;
    else a->head = t->next;
    if (t->next) t->next->prev = t->prev;
    spin_unlock(&a->lock);
    __atomic_sub_fetch(&t->store->active_txns, 1, __ATOMIC_RELAXED);
}

/* --- snapshots and statements ------------------------------------------------------------------ */

void txn__take_snapshot(struct txn *t)
{
    __atomic_store_n(&t->snapshot, 1, __ATOMIC_SEQ_CST);
    uint64_t ts = __atomic_load_n(&t->store->visible_ts, __ATOMIC_SEQ_CST);
    if (t->options.min_snapshot_ts > ts) ts = t->options.min_snapshot_ts;
    uint64_t newest = t->options.early ? wal_appended_ts(t->store->wal) : 0;
    if (newest > ts) {
        ts = newest;
        t->seen_lsn = wal_appended_lsn(t->store->wal).v;
    }
    POINT("snapshot.before_set");
    __atomic_store_n(&t->snapshot, ts, __ATOMIC_RELEASE);
}

void txn_statement_begin(struct txn *t)
{
    ARRAY_PUSH(&t->outer_commands, t->command);
    t->command = ++t->last_command;
    if (t->depth++ > 0) return;
    epoch_enter(t->slot);
    if (t->snapshot == 0 && t->options.isolation == SERIALIZABLE) ssi__begin(t);
    else if (t->snapshot == 0 || t->options.isolation == READ_COMMITTED) txn__take_snapshot(t);
}

void txn_statement_begin_fresh(struct txn *t)
{
    if (t->depth > 0 && t->options.isolation == READ_COMMITTED) txn_statement_begin_latest(t);
    else txn_statement_begin(t);
}

/* While a snapshot that will be needed again is put aside a reader holds back what it may need. */
void txn_statement_begin_latest(struct txn *t)
{
    txn_statement_begin(t);
    uint32_t outer = t->depth - 1;
    if (outer == 0 && t->options.isolation == READ_COMMITTED) return;
    ARRAY_PUSH(&t->aside, ((struct aside_snapshot){t->snapshot, outer, txn_begin_reader(t)}));
    txn__take_snapshot(t);
}

static void bring_back(struct txn *t)
{
    const struct aside_snapshot *a = &ARRAY_LAST(&t->aside);
    __atomic_store_n(&t->snapshot, a->snapshot, __ATOMIC_RELEASE);
    txn_end_reader(a->reader);
    t->aside.count--;
}

void txn_statement_end(struct txn *t)
{
    ASSERT(t->depth > 0);
    t->command = ARRAY_LAST(&t->outer_commands);
    t->outer_commands.count--;
    t->depth--;
    if (t->aside.count && ARRAY_LAST(&t->aside).depth == t->depth) bring_back(t);
    if (t->depth > 0) return;
    page_pins_release(&t->pins);
    /* Between statements READ COMMITTED holds nothing back. */
    if (t->options.isolation == READ_COMMITTED)
        __atomic_store_n(&t->snapshot, 0, __ATOMIC_RELEASE);
    epoch_exit(t->slot);
}

bool txn_in_statement(const struct txn *t)
{
    return t->depth > 0;
}

void txn_next_command(struct txn *t)
{
    t->command = ++t->last_command;
}

void txn_set_lock_timeout(struct txn *t, int64_t timeout_us)
{
    t->options.lock_timeout_us = timeout_us;
}

bool txn_set_mode(struct txn *t, enum isolation isolation, bool read_only)
{
    ASSERT(t->depth == 0);
    if (t->ssi) return false;
    t->options.isolation = isolation;
    t->options.read_only = read_only;
    __atomic_store_n(&t->snapshot, 0, __ATOMIC_RELEASE);
    return true;
}

void txn_set_snapshot(struct txn *t, uint64_t ts)
{
    ASSERT(t->depth == 0 && t->options.isolation != READ_COMMITTED);
    __atomic_store_n(&t->snapshot, ts, __ATOMIC_SEQ_CST);
}

uint64_t txn_id(const struct txn *t)
{
    return t->id;
}

enum isolation txn_isolation(const struct txn *t)
{
    return t->options.isolation;
}

uint64_t txn_snapshot_ts(const struct txn *t)
{
    return t->snapshot;
}

uint64_t txn_kept_snapshot_ts(const struct txn *t)
{
    if (t->options.isolation == READ_COMMITTED) return 0;
    return t->aside.count ? t->aside.data[0].snapshot : t->snapshot;
}

bool txn_has_writes(const struct txn *t)
{
    return t->writes.count > 0 || t->changes.count > 0;
}

void txn_get_written(const struct txn *t, uint64_t *ret_rows, uint64_t *ret_bytes)
{
    *ret_rows = t->writes.count;
    *ret_bytes = t->bytes;
}

struct store *txn_store(const struct txn *t)
{
    return t->store;
}

txn_mark txn_savepoint(struct txn *t)
{
    return (txn_mark)t->steps.count << 32 | t->writes.count;
}

/* Those that came after the mark: each comes after what it is about was written. */
static void end_hooks_from(struct txn *t, uint32_t writes)
{
    while (t->hooks.count && ARRAY_LAST(&t->hooks).writes > writes) {
        struct end_hook h = ARRAY_LAST(&t->hooks);
        t->hooks.count--;
        h.fn(h.ctx, false);
    }
}

void txn_rollback_to(struct txn *t, txn_mark mark)
{
    ASSERT((uint32_t)mark <= t->writes.count && mark >> 32 <= t->steps.count);
    bool inside = t->depth > 0;
    if (!inside) epoch_enter(t->slot);
    txn__undo(t, (uint32_t)mark);
    txn__wake_waiters(t, false); /* rows that were locked since are free */
    if (!inside) epoch_exit(t->slot);
    end_hooks_from(t, (uint32_t)mark);
    txn__release_locks(t, mark >> 32);
}

void txn_on_end(struct txn *t, void (*fn)(void *ctx, bool committed), void *ctx)
{
    ARRAY_PUSH(&t->hooks, (struct end_hook){fn, ctx, t->writes.count});
}

/* --- readers ----------------------------------------------------------------------------------- */

struct txn *txn__begin_reading(struct store *s, const struct txn_options *o, uint32_t shard,
                               uint64_t snapshot, bool past)
{
    struct txn *r = begin(s, o, shard, snapshot, past);
    epoch_enter(r->slot);
    ARRAY_PUSH(&r->outer_commands, 0);
    r->depth = 1;
    return r;
}

static struct txn *begin_reader(struct txn *t, uint64_t snapshot, uint32_t command)
{
    ASSERT(t->depth > 0 && t->view_of == t);
    struct txn *r = txn__begin_reading(t->store, &t->options, t->shard, snapshot, false);
    r->view_of = t;
    r->ssi = t->ssi;
    r->command = command;
    return r;
}

struct txn *txn_begin_reader(struct txn *t)
{
    return begin_reader(t, t->snapshot, t->command);
}

struct txn *txn_begin_newest(struct txn *t)
{
    return begin_reader(t, TS_ABORTED - 1, UINT32_MAX);
}

void txn_end_reader(struct txn *r)
{
    struct store *s = r->store;
    ASSERT((r->past || r->view_of != r) && r->depth == 1 && !r->writes.count && !r->locks.count);
    txn_statement_end(r);
    leave_active(r);
    txn_reuse(r);
    fcond_broadcast(&s->space);
}

/* It is in no list: what it may see is kept by the owner's snapshot. Its epoch section is its own, for
 * the two run on different threads. */
void txn_begin_helper(const struct txn *owner, struct txn **ret)
{
    ASSERT(owner->depth > 0);
    struct txn *t = txn_take(owner->store, (uint32_t)(fiber_worker() + 1) % ACTIVE_SHARDS);
    t->shard = (uint32_t)(fiber_worker() + 1) % ACTIVE_SHARDS;
    t->options = owner->options;
    t->options.read_only = true;
    t->past = owner->past;
    t->branch = owner->branch;
    t->layered = owner->layered;
    t->pinned = owner->pinned;
    t->began_us = owner->began_us;
    t->view_of = owner->view_of;
    t->ssi = owner->ssi;
    t->id = owner->id;
    t->command = t->last_command = owner->command;
    __atomic_store_n(&t->commit_ts, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&t->snapshot, owner->snapshot, __ATOMIC_RELAXED);
    t->bytes = t->seen_lsn = 0;
    __atomic_store_n(&t->shown, false, __ATOMIC_RELAXED);
    t->depth = 1;
    epoch_enter(t->slot);
    *ret = t;
}

void txn_end_helper(struct txn *t)
{
    page_pins_release(&t->pins);
    epoch_exit(t->slot);
    t->depth = 0;
    txn_reuse(t);
}

/* --- the end ----------------------------------------------------------------------------------- */

static void run_hooks(struct txn *t, bool committed)
{
    for (size_t i = 0; i < t->hooks.count; i++) t->hooks.data[i].fn(t->hooks.data[i].ctx, committed);
    t->hooks.count = 0;
}

/* Ends what may still be seen of it and gives it back. */
static void finish(struct txn *t, bool committed)
{
    struct store *s = t->store;
    counter_add(committed ? s->commits : s->rollbacks, 1);
    txn__release_locks(t, 0);
    while (t->aside.count) bring_back(t);
    if (t->depth > 0) {
        t->depth = 1;
        t->outer_commands.count = 1;
        txn_statement_end(t);
    }
    leave_active(t);
    run_hooks(t, committed);
    txn_reuse(t);
    fcond_broadcast(&s->space);
}

void txn_abort(struct txn *t)
{
    if (t->ssi) ssi__abort(t);
    if (t->shown || t->writes.count) {
        bool inside = t->depth > 0;
        if (!inside) epoch_enter(t->slot);
        __atomic_store_n(&t->commit_ts, TS_ABORTED, __ATOMIC_RELEASE);
        txn__undo(t, 0);
        txn__wake_waiters(t, true);
        if (!inside) epoch_exit(t->slot);
    }
    finish(t, false);
}

/* The versions get the timestamp itself; lock-only ones go. */
static void settle_versions(struct txn *t, uint64_t ts)
{
    for (size_t i = t->writes.count; i-- > 0;) {
        struct write_entry *w = &t->writes.data[i];
        if (!w->version) continue;
        if (w->version->lock_only) {
            memtable_latch(w->memory->table);
            struct version *head = leaf_head(w->leaf);
            if (head == w->version) {
                leaf_set_head(w->leaf, head->older);
            } else {
                struct version *v = head;
                while (v && v->older != w->version) v = v->older;
                if (v) __atomic_store_n(&v->older, w->version->older, __ATOMIC_RELEASE);
            }
            memtable_unlatch(w->memory->table);
            __atomic_store_n(&w->version->begin, TS_ABORTED, __ATOMIC_RELEASE);
        } else {
            __atomic_store_n(&w->version->begin, ts, __ATOMIC_RELEASE);
            if (w->rows) __atomic_add_fetch(&w->tree->rows, w->rows, __ATOMIC_RELAXED);
        }
        txn__resolved(t, w->memory);
    }
    for (size_t i = 0; i < t->loads.count; i++) {
        struct loaded_run *l = &t->loads.data[i];
        int64_t rows = (int64_t)run_entry_count(l->ref->run);
        run_stamp(l->ref->run, run_load_ts(ts));
        __atomic_store_n(&l->ref->begin, ts, __ATOMIC_RELEASE);
        __atomic_add_fetch(&l->tree->rows, rows, __ATOMIC_RELAXED);
    }
}

static bool writes_rows(const struct txn *t)
{
    if (t->changes.count || t->loads.count) return true;
    for (size_t i = 0; i < t->writes.count; i++)
        if (t->writes.data[i].version && !t->writes.data[i].version->lock_only) return true;
    return false;
}

/* With nothing to log: ends, once what it was shown under locks is durable. */
static enum status commit_reads(struct txn *t)
{
    struct store *s = t->store;
    uint64_t seen = t->seen_lsn;
    if (t->ssi) ssi__committed(t, 0);
    if (t->shown) {
        epoch_enter(t->slot);
        __atomic_store_n(&t->commit_ts, TS_ABORTED, __ATOMIC_RELEASE);
        settle_versions(t, 0);
        txn__wake_waiters(t, true);
        epoch_exit(t->slot);
    }
    enum status st = OK;
    if (seen && wal_durable_lsn(s->wal).v < seen) st = wal_wait(s->wal, (lsn_t){seen}, false);
    finish(t, st == OK);
    return st;
}

enum status txn_sync_loads(struct txn *t)
{
    return t->loads.count ? blocks_sync(t->store->forest->blocks) : OK;
}

enum status txn__prepare_loads(struct txn *t)
{
    struct forest *f = t->store->forest;
    bool whole;
    TRY(forest_prepare_runs(f, t->loads.data, t->loads.count, &whole));
    enum status st = OK;
    for (size_t i = 0; i < t->loads.count && whole && st == OK; i++)
        st = forest_redo_run(f, &t->loads.data[i]);
    if (st != OK) txn__forget_loads(t);
    return st;
}

static void note_async(struct store *s, uint64_t end)
{
    uint64_t last = __atomic_load_n(&s->async_lsn, __ATOMIC_RELAXED);
    while (last < end && !__atomic_compare_exchange_n(&s->async_lsn, &last, end, false,
                                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
}

enum status txn_commit(struct txn *t, enum commit_mode mode, uint64_t *ret_ts)
{
    ASSERT(t->depth == 0);
    struct store *s = t->store;
    if (ret_ts) *ret_ts = 0;
    enum status st = OK;
    if (!writes_rows(t) && !t->resolves) {
        if (t->ssi) st = ssi__prepare(t);
        if (st == OK) return commit_reads(t);
        txn_abort(t);
        return st;
    }
    bool changes = t->changes.count > 0 || t->loads.count > 0;
    lsn_t end;
    if (t->loads.count && !t->resolves) st = txn__prepare_loads(t);
    if (st != OK) {
        txn_abort(t);
        return st;
    }
    if (changes) __atomic_add_fetch(&s->changes_pending, 1, __ATOMIC_ACQ_REL);
    if (t->straddles) txn__drop_straddling(t);
    if (t->ssi) st = ssi__prepare(t);
    if (st == OK) st = txn__log(t, mode == COMMIT_BATCH, &end);
    if (st != OK) {
        if (t->loads.count && !t->resolves) txn__forget_loads(t);
        if (changes) __atomic_sub_fetch(&s->changes_pending, 1, __ATOMIC_ACQ_REL);
        txn_abort(t);
        return st;
    }
    counter_add(s->logged, 1);
    POINT("commit.after_append");
    uint64_t ts = __atomic_load_n(&t->commit_ts, __ATOMIC_ACQUIRE);
    if (t->ssi) ssi__committed(t, ts);
    epoch_enter(t->slot);
    settle_versions(t, ts);
    txn__wake_waiters(t, true);
    epoch_exit(t->slot);
    if (mode != COMMIT_ASYNC || changes) st = wal_wait(s->wal, end, mode == COMMIT_BATCH);
    else note_async(s, end.v);
    if (changes && (st != OK || txn__apply_changes(t, ts)))
        __atomic_sub_fetch(&s->changes_pending, 1, __ATOMIC_ACQ_REL);
    if (ret_ts) *ret_ts = ts;
    if (t->loads.count) store__schedule(s);
    finish(t, st == OK);
    return st;
}
