/* Background work and back-pressure: flushes and compactions on the pool, one task of each kind at a
 * time; writers that wait while memtables are over their budget; recycling of the log. */
#include "core/mvcc/prepared_priv.h"

#include "base/log.h"
#include "base/point.h"

enum work_kind { WORK_FLUSH, WORK_COMPACT };
enum { LOG_FILES_KEPT = 16, ADMIT_WAIT_US = 20000, ADMIT_ROUNDS_MAX = 1500, FULL_ROUNDS_MAX = 25,
       FLUSHED_LIMITS = 3, SQUEEZE_ROUNDS = 12 };

/* NULL: there is space again. */
static void set_full(struct store *s, const char *why)
{
    fmutex_lock(&s->space_mutex);
    size_t n = why ? strlen(why) : 0;
    if (n >= sizeof s->full) n = sizeof s->full - 1;
    if (n) memcpy(s->full, why, n);
    s->full[n] = '\0';
    fmutex_unlock(&s->space_mutex);
}

static void fail(struct store *s)
{
    const struct error *e = error_current();
    log_error(LOG_ERROR, "store");
    /* A full disk may get room again; anything else is a promise that cannot be kept. */
    if (e->code == DISK_FULL) set_full(s, e->message);
    if (e->code == DISK_FULL || __atomic_load_n(&s->failed, __ATOMIC_ACQUIRE)) return;
    size_t n = strlen(e->message);
    if (n >= sizeof s->failure) n = sizeof s->failure - 1;
    memcpy(s->failure, e->message, n);
    s->failure[n] = '\0';
    __atomic_store_n(&s->failed, true, __ATOMIC_RELEASE);
}

/* --- the work ---------------------------------------------------------------------------------- */

struct round {
    struct store *store;
    enum work_kind kind;
    bool worked;
};

static enum status work_tree(void *ctx, struct tree *t)
{
    struct round *r = ctx;
    bool worked = false;
    if (__atomic_load_n(&r->store->closing, __ATOMIC_ACQUIRE)) return OK;
    if (r->kind == WORK_FLUSH) TRY(tree_flush(t, &worked));
    else TRY(tree_compact(t, &worked));
    if (worked) {
        r->worked = true;
        fcond_broadcast(&r->store->space);
    }
    return OK;
}

/* One look at every tree. */
static enum status work_round(struct store *s, enum work_kind kind, bool *ret_worked)
{
    struct round r = {s, kind, false};
    if (kind == WORK_FLUSH) store__carry_prepared(s);
    bool (*due)(struct tree *t) = kind == WORK_FLUSH ? tree_flush_due : tree_compaction_due;
    enum status st = forest_each_due(s->forest, due, work_tree, &r);
    epoch_collect(s->epoch);
    *ret_worked = r.worked;
    if (st == OK && kind == WORK_FLUSH && r.worked) {
        set_full(s, NULL);
        st = store__recycle(s);
    }
    return st;
}

static void work_task(struct store *s, enum work_kind kind)
{
    bool worked;
    do {
        __atomic_store_n(&s->scheduled[kind], 1, __ATOMIC_SEQ_CST);
        worked = false;
        if (work_round(s, kind, &worked) != OK) {
            fail(s);
            worked = false;
        }
        if (kind == WORK_FLUSH && worked) store__schedule(s);
        store__free_drops(s);
        uint32_t one = 1;
        if (!worked && __atomic_compare_exchange_n(&s->scheduled[kind], &one, 0, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            break;
    } while (!__atomic_load_n(&s->closing, __ATOMIC_ACQUIRE));
    if (__atomic_load_n(&s->closing, __ATOMIC_ACQUIRE))
        __atomic_store_n(&s->scheduled[kind], 0, __ATOMIC_SEQ_CST);
}

static void flush_task(void *arg)
{
    work_task(arg, WORK_FLUSH);
}

static void compact_task(void *arg)
{
    work_task(arg, WORK_COMPACT);
}

void store__schedule(struct store *s)
{
    if (!s->o.background || __atomic_load_n(&s->closing, __ATOMIC_ACQUIRE)) return;
    /* 0 idle, 1 running, 2 running and asked to look once more. */
    if (__atomic_exchange_n(&s->scheduled[WORK_FLUSH], 2, __ATOMIC_SEQ_CST) == 0 &&
        !pool_submit(s->o.background, flush_task, s))
        __atomic_store_n(&s->scheduled[WORK_FLUSH], 0, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&s->scheduled[WORK_COMPACT], 2, __ATOMIC_SEQ_CST) == 0 &&
        !pool_submit(s->o.background, compact_task, s))
        __atomic_store_n(&s->scheduled[WORK_COMPACT], 0, __ATOMIC_SEQ_CST);
}

enum status store_maintain(struct store *s, bool *ret_worked)
{
    bool flushed, compacted;
    TRY(work_round(s, WORK_FLUSH, &flushed));
    TRY(work_round(s, WORK_COMPACT, &compacted));
    store__free_drops(s);
    *ret_worked = flushed || compacted;
    return OK;
}

/* --- the log ----------------------------------------------------------------------------------- */

struct oldest {
    uint64_t lsn;
    struct tree *tree;
};

static enum status find_oldest(void *ctx, struct tree *t)
{
    struct oldest *o = ctx;
    uint64_t lsn = tree_replay_lsn(t);
    if (lsn < o->lsn) *o = (struct oldest){lsn, t};
    return OK;
}

enum status store__recycle(struct store *s)
{
    /* Read before the trees are asked: what comes later is logged after them. What is not durable may
     * be cut off by a crash, and other records come to lie in its place: the manifest must not name it
     * as something that is not needed. */
    uint64_t durable = wal_durable_lsn(s->wal).v, appended = wal_appended_lsn(s->wal).v;
    uint64_t visible = __atomic_load_n(&s->visible_ts, __ATOMIC_ACQUIRE);
    struct oldest o = {durable, NULL};
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    enum status st = OK;
    if (__atomic_load_n(&s->changes_pending, __ATOMIC_ACQUIRE) == 0) {
        st = forest_each(s->forest, find_oldest, &o);
        uint64_t prepared = store__prepared_lsn(s);
        if (prepared < o.lsn) o = (struct oldest){prepared, NULL};
        struct log_start start = {o.lsn, wal_session_at(s->wal, (lsn_t){o.lsn}), visible};
        if (st == OK) st = forest_log_start(s->forest, &start);
        if (st == OK) st = wal_recycle(s->wal, (lsn_t){o.lsn});
        /* A tree that is seldom written must not keep the log for ever. */
        if (st == OK && o.tree && appended - o.lsn > LOG_FILES_KEPT * s->o.wal_file_bytes) {
            struct shape *shape = tree_shape(o.tree);
            if (shape->memory_count == 1) st = tree_freeze(o.tree, shape->memories[0]);
            store__schedule(s);
        }
    }
    epoch_exit(slot);
    epoch_slot_free(slot);
    return st;
}

static enum status freeze_tree(void *ctx, struct tree *t)
{
    (void)ctx;
    return tree_freeze(t, tree_shape(t)->memories[0]);
}

enum status store_checkpoint(struct store *s)
{
    fmutex_lock(&s->checkpoint_mutex);
    POINT("checkpoint.begin");
    enum status st = forest_each(s->forest, freeze_tree, NULL);
    if (st == OK) st = store__relog_prepared(s);
    bool worked = true;
    while (st == OK && worked) st = work_round(s, WORK_FLUSH, &worked);
    if (st == OK) st = store__recycle(s);
    store__schedule(s); /* history that has run out of time goes, even if nobody writes */
    POINT("checkpoint.end");
    fmutex_unlock(&s->checkpoint_mutex);
    return st;
}

/* By bytes; or, of a tree that is read by columns, by keys, unless others wait to be flushed already. */
bool store__is_full(const struct store *s, const struct tree *t, const struct memory *m, uint64_t bytes)
{
    uint64_t keys = __atomic_load_n(&t->keys_max, __ATOMIC_RELAXED);
    if (bytes > s->o.memtable_bytes) return true;
    return keys && memtable_key_count(m->table) > keys && tree_shape(t)->memory_count == 1 &&
           tree_is_scanned(t);
}

/* --- admission --------------------------------------------------------------------------------- */

static enum status too_large(void)
{
    enum status st = FAIL(OUT_OF_MEMORY, "the changes of running transactions do not fit in memory");
    error_hint("Split the work into smaller transactions, or raise memtable_total_bytes.");
    return st;
}

/* Memtables are over their budget since the disk is full: writers are told so, and may come back. */
static enum status check_full(struct store *s)
{
    char why[sizeof s->full];
    fmutex_lock(&s->space_mutex);
    memcpy(why, s->full, sizeof why);
    fmutex_unlock(&s->space_mutex);
    if (!why[0]) return OK;
    FAIL(DISK_FULL, "%s", why);
    return error_hint("Check free disk space.");
}

/* Memtables that are on disk already stay while a statement that began before runs, perhaps the very
 * one that asks; they have a bound of their own, so that a long statement stops no writer at once. */
static bool has_room(struct store *s)
{
    uint64_t limit = s->o.memtable_total_bytes;
    uint64_t held = __atomic_load_n(&s->forest->memtable_bytes, __ATOMIC_RELAXED);
    uint64_t kept = __atomic_load_n(&s->forest->flushed_bytes, __ATOMIC_RELAXED);
    return held < limit && kept < FLUSHED_LIMITS * limit;
}

struct squeeze {
    struct store *store;
    uint64_t least; /* bytes of a memtable that is frozen */
};

static enum status squeeze_tree(void *ctx, struct tree *t)
{
    const struct squeeze *q = ctx;
    struct memory *m = tree_shape(t)->memories[0];
    return memtable_bytes(m->table) >= q->least ? tree_freeze(t, m) : OK;
}

/* Many trees may be over the bound together with none of their memtables full: large ones are frozen, and
 * smaller ones round by round. */
static enum status squeeze(struct store *s, int round)
{
    struct squeeze q = {s, round < SQUEEZE_ROUNDS ? s->o.memtable_total_bytes >> (3 + round) : 1};
    if (round > SQUEEZE_ROUNDS) return OK;
    return forest_each(s->forest, squeeze_tree, &q);
}

/* The bound was not met in time. */
static enum status no_room(struct store *s)
{
    uint64_t kept = __atomic_load_n(&s->forest->flushed_bytes, __ATOMIC_RELAXED);
    if (kept < FLUSHED_LIMITS * s->o.memtable_total_bytes) return too_large();
    enum status st = FAIL(OUT_OF_MEMORY, "a long-running statement keeps too many changes in memory");
    error_hint("Look for it in pg_stat_activity and cancel it, or raise memtable_total_bytes.");
    return st;
}

enum status store__admit(struct txn *t)
{
    struct store *s = t->store;
    if (__atomic_load_n(&s->failed, __ATOMIC_ACQUIRE)) {
        enum status st = FAIL(IO_ERROR, "the storage engine has stopped writing: %s", s->failure);
        error_hint("See the server log, then restart the server to recover.");
        return st;
    }
    if (__atomic_load_n(&s->archive_full, __ATOMIC_ACQUIRE)) {
        enum status st = FAIL(DISK_FULL, "the write-ahead log cannot be archived, and no more of it may be kept");
        error_hint("See pg_stat_archiver and the server log; make the archive directory writable again, or raise "
                   "wal.archive_bytes_max.");
        return st;
    }
    uint64_t limit = s->o.memtable_total_bytes;
    if (has_room(s)) return OK;
    for (int round = 0; round < ADMIT_ROUNDS_MAX; round++) {
        if (t->bytes > limit / 2) return too_large();
        if (round == FULL_ROUNDS_MAX) TRY(check_full(s));
        TRY(squeeze(s, round));
        store__schedule(s);
        if (!s->o.background) {
            bool worked;
            TRY(work_round(s, WORK_FLUSH, &worked));
        } else {
            fmutex_lock(&s->space_mutex);
            enum park_result r = fcond_wait(&s->space, &s->space_mutex,
                                            monotonic_us() + ADMIT_WAIT_US);
            fmutex_unlock(&s->space_mutex);
            if (r == PARK_CANCELED)
                return FAIL(QUERY_CANCELED, "canceling statement due to user request");
        }
        if (has_room(s)) return OK;
    }
    return no_room(s);
}
