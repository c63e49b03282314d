/* Recovery: the redo of the log goes back into memtables.
 *
 * One thread reads the log, checks it and takes records apart; `lanes` apply rows, each on a thread of
 * its own. All rows of a tree go to one lane, in the order of the log, so that the versions of a key
 * are put on each other by rising timestamps and a memtable has one writer; a lane freezes and
 * flushes the memtables of its trees. Rows are copied into batches, of which a lane's queue holds a
 * few: the reader waits for room, so memory is bounded. CREATE and DROP are barriers: all that was
 * handed over is applied first, then the reader makes the change itself.
 *
 * With one thread the reader applies the rows as it goes, without a copy. */
#include "core/lsm/redo.h"
#include "core/mvcc/prepared_priv.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { LANES_MAX = 64, LANE_BATCHES = 4, BATCH_BYTES = 256 << 10, TELL_EVERY_US = 3000000,
       TELL_RECORDS = 4096 };

/* Rows on the way to a lane: a struct row each, key and row behind it, at multiples of 8. */
struct batch {
    size_t len, cap;
    char data[];
};

struct redo_row {
    struct tree *tree; /* stays: trees go at barriers */
    uint64_t lsn, ts;
    uint32_t key_len, row_len;
    bool delete;
};

struct lane {
    struct recovery *recovery;
    struct fmutex mutex;
    struct fcond work, room;
    struct batch *queue[LANE_BATCHES]; /* guarded by mutex: a ring */
    uint32_t first, count;             /* guarded by mutex */
    bool busy, stop;                   /* guarded by mutex */
    enum status st;                    /* guarded by mutex; not OK: drops what comes */
    struct error error;                /* of st */
    struct batch *spare;               /* guarded by mutex */
    struct batch *open;                /* the reader's */
    uint64_t bytes;                    /* given to it so far; the reader's */
    uint64_t rows;                     /* applied; its own, the reader's at a barrier */
};

struct kept_record { /* of a transaction that is prepared, so far */
    uint64_t id, lsn;
    struct slice payload; /* on the heap */
};

struct recovery {
    struct store *store;
    ARRAY(struct kept_record) prepared;
    struct pool *pool;
    struct lane *lanes;
    uint32_t lane_count; /* 0: the reader applies */
    uint64_t records, rows, max_ts;
    uint64_t bytes; /* to be read, at most */
    struct received_runs *received; /* NULL: the manifest has all that were loaded */
    int64_t started_us, told_us;
};

/* --- one row ----------------------------------------------------------------------------------- */

/* Whether the runs have a newer version of the key: one that was loaded, for those that were logged are
 * replayed, too. Few rows ask: most are newer than all runs. */
static enum status is_outdated(const struct redo_row *r, struct slice key, struct slice row, bool *ret)
{
    struct page_pins pins = {0};
    struct newest n;
    *ret = false;
    if (r->ts >= r->tree->newest_ts) return OK;
    enum status st = mvcc__newest_in_runs(NULL, tree_shape(r->tree), NULL, key, true, &pins, &n);
    *ret = st == OK && n.found && n.ts > r->ts;
    /* It may have been in memory alone: then the key's history begins anew. */
    if (*ret && n.ts > r->tree->floor) r->tree->floor = n.ts;
    if (*ret && r->tree->forest->branch_count) {
        if (!r->tree->rescue) r->tree->rescue = tree_rescue_new(r->tree);
        struct entry e = {.key = key, .ts = r->ts, .tombstone = r->delete, .row = row};
        tree_rescue_add(r->tree->rescue, &e, n.ts);
    }
    page_pins_free(&pins);
    return st;
}

static enum status apply_row(struct store *s, const struct redo_row *r, struct slice key,
                             struct slice row)
{
    struct tree *tree = r->tree;
    bool outdated;
    TRY(is_outdated(r, key, row, &outdated));
    if (outdated) return OK;
    struct memory *m = tree_shape(tree)->memories[0];
    memtable_latch(m->table);
    if (memtable_key_count(m->table) == 0) m->first_lsn = r->lsn;
    struct leaf *leaf = memtable_upsert(m->table, key);
    struct version *v = memtable_version_new(m->table, leaf, row);
    v->begin = r->ts;
    v->tombstone = r->delete;
    v->older = leaf_head(leaf);
    leaf_set_head(leaf, v);
    memtable_placed(m->table, leaf, v);
    uint64_t bytes = memory_account(tree->forest, m);
    memtable_unlatch(m->table);
    if (bytes <= s->o.memtable_bytes) return OK;
    bool worked;
    TRY(tree_freeze(tree, m));
    /* The record may hold more rows for the tree. */
    tree_shape(tree)->memories[0]->first_lsn = r->lsn;
    return tree_flush(tree, &worked);
}

/* --- lanes ------------------------------------------------------------------------------------- */

static enum status apply_batch(struct lane *l, const struct batch *b)
{
    for (size_t at = 0; at < b->len;) {
        struct redo_row r;
        memcpy(&r, b->data + at, sizeof r);
        const char *key = b->data + at + sizeof r;
        TRY(apply_row(l->recovery->store, &r, slice_make(key, r.key_len),
                      slice_make(key + r.key_len, r.row_len)));
        l->rows++;
        at += (sizeof r + r.key_len + r.row_len + 7) & ~(size_t)7;
    }
    return OK;
}

/* Under the lane's mutex. */
static void let_go(struct lane *l, struct batch *b)
{
    if (!l->spare && b->cap == BATCH_BYTES) l->spare = b;
    else mem_free(MEM_TXN, b);
}

static void lane_main(void *arg)
{
    struct lane *l = arg;
    fmutex_lock(&l->mutex);
    while (l->count || !l->stop) {
        if (!l->count) {
            (void)fcond_wait(&l->work, &l->mutex, 0);
            continue;
        }
        struct batch *b = l->queue[l->first];
        l->first = (l->first + 1) % LANE_BATCHES;
        l->count--;
        l->busy = true;
        bool drop = l->st != OK || l->stop;
        fmutex_unlock(&l->mutex);
        enum status st = drop ? OK : apply_batch(l, b);
        fmutex_lock(&l->mutex);
        if (st != OK) {
            l->st = st;
            l->error = *error_current();
        }
        let_go(l, b);
        l->busy = false;
        fcond_signal(&l->room);
    }
    fmutex_unlock(&l->mutex);
}

static enum status lane_status(struct lane *l)
{
    if (l->st != OK) *error_current() = l->error;
    return l->st;
}

/* Gives the open batch to the lane; waits for room. */
static enum status hand_over(struct lane *l)
{
    struct batch *b = l->open;
    if (!b) return OK;
    l->open = NULL;
    l->bytes += b->len;
    fmutex_lock(&l->mutex);
    while (l->count == LANE_BATCHES) (void)fcond_wait(&l->room, &l->mutex, 0);
    l->queue[(l->first + l->count++) % LANE_BATCHES] = b;
    fcond_signal(&l->work);
    enum status st = lane_status(l);
    fmutex_unlock(&l->mutex);
    return st;
}

/* All that was handed over is applied. */
static enum status drain(struct recovery *r)
{
    for (uint32_t i = 0; i < r->lane_count; i++) TRY(hand_over(&r->lanes[i]));
    for (uint32_t i = 0; i < r->lane_count; i++) {
        struct lane *l = &r->lanes[i];
        fmutex_lock(&l->mutex);
        while (l->count || l->busy) (void)fcond_wait(&l->room, &l->mutex, 0);
        enum status st = lane_status(l);
        fmutex_unlock(&l->mutex);
        TRY(st);
    }
    return OK;
}

static struct batch *open_batch(struct lane *l, size_t need)
{
    struct batch *b = NULL;
    fmutex_lock(&l->mutex);
    if (need <= BATCH_BYTES) {
        b = l->spare;
        l->spare = NULL;
    }
    fmutex_unlock(&l->mutex);
    size_t cap = need > BATCH_BYTES ? need : BATCH_BYTES;
    if (!b) b = mem_alloc(MEM_TXN, sizeof *b + cap);
    b->cap = cap;
    b->len = 0;
    return b;
}

/* A tree seen first goes to the lane that has been given least. */
static struct lane *lane_of(struct recovery *r, struct tree *t)
{
    if (!t->recovery_lane) {
        uint32_t least = 0;
        for (uint32_t i = 1; i < r->lane_count; i++)
            if (r->lanes[i].bytes < r->lanes[least].bytes) least = i;
        t->recovery_lane = least + 1;
        r->lanes[least].bytes++;
    }
    return &r->lanes[t->recovery_lane - 1];
}

static enum status give_row(struct recovery *r, const struct redo_row *row, struct slice payload)
{
    struct lane *l = lane_of(r, row->tree);
    size_t need = (sizeof *row + payload.len + 7) & ~(size_t)7;
    if (l->open && l->open->len + need > l->open->cap) TRY(hand_over(l));
    if (!l->open) l->open = open_batch(l, need);
    char *at = l->open->data + l->open->len;
    memcpy(at, row, sizeof *row);
    memcpy(at + sizeof *row, payload.data, payload.len);
    l->open->len += need;
    return OK;
}

/* --- records ----------------------------------------------------------------------------------- */

static enum status malformed(uint64_t lsn)
{
    return FAIL(DATA_CORRUPTED, "the log record at %llu holds an entry that is not one",
                (unsigned long long)lsn);
}

/* Made in a branch: with that it goes, too. */
static enum status take_made(struct recovery *r, uint64_t lsn, struct slice payload, size_t *ret_used)
{
    struct forest *f = r->store->forest;
    struct tree *tree;
    uint64_t id, branch;
    if (payload.len < REDO_RUN_BYTES) return malformed(lsn);
    memcpy(&id, payload.data + 1, sizeof id);
    memcpy(&branch, payload.data + REDO_TREE_BYTES, sizeof branch);
    *ret_used = REDO_RUN_BYTES;
    if (branch > UINT32_MAX || !forest_branch(f, (uint32_t)branch)) return OK;
    TRY(drain(r));
    TRY(forest_add(f, id, lsn, &tree));
    tree->branch = (uint32_t)branch;
    return tree->created ? OK : forest_log_create(f, tree);
}

static enum status apply_change(struct recovery *r, uint64_t lsn, uint64_t ts, bool drop,
                                uint64_t id)
{
    struct forest *f = r->store->forest;
    TRY(drain(r));
    struct tree *tree = forest_tree(f, id);
    if (drop) {
        if (!tree) return OK;
        if (store__keeps_history(r->store, tree)) return forest_log_retire(f, tree, ts);
        TRY(forest_log_drop(f, tree));
        forest_remove(f, tree, true);
        return OK;
    }
    /* A number below the next one whose tree is gone was dropped later on: its DROP comes too, or its
     * rows do no harm in a tree that nothing names. */
    TRY(forest_add(f, id, lsn, &tree));
    return tree->created ? OK : forest_log_create(f, tree);
}

/* A PUT or DELETE at the payload's start; *ret_used its bytes. */
static enum status take_row(struct recovery *r, uint64_t lsn, uint64_t ts, struct slice payload,
                            size_t *ret_used)
{
    uint32_t lens[2];
    uint64_t id;
    if (payload.len < REDO_ROW_BYTES) return malformed(lsn);
    memcpy(&id, payload.data + 1, sizeof id);
    memcpy(lens, payload.data + REDO_TREE_BYTES, sizeof lens);
    if ((uint64_t)lens[0] + lens[1] > payload.len - REDO_ROW_BYTES) return malformed(lsn);
    const char *key = payload.data + REDO_ROW_BYTES;
    *ret_used = REDO_ROW_BYTES + (size_t)lens[0] + lens[1];
    struct redo_row row = {.tree = forest_tree(r->store->forest, id), .lsn = lsn, .ts = ts,
                           .key_len = lens[0], .row_len = lens[1],
                           .delete = payload.data[0] == REDO_DELETE};
    if (!row.tree || lsn < row.tree->needed_lsn) return OK; /* gone, or lies in a run */
    if (r->lane_count) return give_row(r, &row, slice_make(key, (size_t)lens[0] + lens[1]));
    r->rows++;
    return apply_row(r->store, &row, slice_make(key, lens[0]), slice_make(key + lens[0], lens[1]));
}

/* A RUN at the payload's start: its rows lie in it, committed by this record. */
static enum status take_run(struct recovery *r, uint64_t lsn, uint64_t ts, struct slice payload,
                            size_t *ret_used)
{
    uint64_t id, run;
    if (payload.len < REDO_RUN_BYTES) return malformed(lsn);
    memcpy(&id, payload.data + 1, sizeof id);
    memcpy(&run, payload.data + REDO_TREE_BYTES, sizeof run);
    *ret_used = REDO_RUN_BYTES;
    TRY(drain(r));
    struct tree *tree = forest_tree(r->store->forest, id);
    if (!tree) return OK;
    if (r->received) TRY(received_runs_claim(r->received, tree, run, lsn));
    return forest_claim_run(r->store->forest, tree, run, lsn, ts);
}

/* What the manifest has, too, unless this is a copy of before. */
static enum status take_forest(struct recovery *r, uint64_t lsn, struct slice payload, size_t *ret_used)
{
    uint64_t bytes;
    memcpy(&bytes, payload.data + 1, sizeof bytes);
    if (bytes > payload.len - REDO_FOREST_BYTES) return malformed(lsn);
    *ret_used = REDO_FOREST_BYTES + (size_t)bytes;
    TRY(drain(r));
    return forest_replay_redo(r->store->forest, lsn, slice_make(payload.data + REDO_FOREST_BYTES, (size_t)bytes));
}

static enum status take_part(struct recovery *r, uint64_t lsn, struct slice payload, size_t *ret_used)
{
    const struct store_restore *x = r->store->o.restore;
    *ret_used = payload.len; /* a record of its own */
    return r->received ? received_runs_add(r->received, lsn, payload, lsn < x->copied_lsn) : OK;
}

/* --- prepared transactions ---------------------------------------------------------------------- */

static void forget_prepared(struct recovery *r, uint64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->prepared.count; i++) {
        if (r->prepared.data[i].id == id) mem_free(MEM_TXN, (char *)r->prepared.data[i].payload.data);
        else r->prepared.data[kept++] = r->prepared.data[i];
    }
    r->prepared.count = kept;
}

/* A PREPARE at the payload's start, and all of the record; a copy of an earlier one takes its place. */
static void keep_prepared(struct recovery *r, uint64_t id, uint64_t lsn, struct slice payload)
{
    forget_prepared(r, id);
    char *copy = mem_alloc(MEM_TXN, payload.len);
    memcpy(copy, payload.data, payload.len);
    ARRAY_PUSH(&r->prepared, (struct kept_record){id, lsn, slice_make(copy, payload.len)});
}

/* What is left once all is applied: they hold their keys, so nobody has written those since. */
static enum status revive_prepared(struct recovery *r, enum status st)
{
    for (size_t i = 0; i < r->prepared.count; i++) {
        struct kept_record *k = &r->prepared.data[i];
        struct prepared_txn *p;
        if (st == OK) st = prepared__revive(r->store, k->lsn, k->payload, &p);
        mem_free(MEM_TXN, (char *)k->payload.data);
    }
    if (st == OK && r->prepared.count)
        LOG(LOG_INFO, "store", "recovered %zu prepared transactions", r->prepared.count);
    ARRAY_RELEASE(&r->prepared);
    return st;
}

static enum status keep_runs(struct recovery *r)
{
    enum status st = OK;
    for (size_t i = 0; i < r->prepared.count && st == OK; i++)
        st = prepared__keep_runs(r->store, r->prepared.data[i].lsn, r->prepared.data[i].payload,
                                 r->received);
    return st;
}

static void tell_progress(struct recovery *r, uint64_t lsn)
{
    int64_t now = monotonic_us();
    if (now - r->told_us < TELL_EVERY_US) return;
    r->told_us = now;
    uint64_t left = wal_bytes_from(r->store->wal, (lsn_t){lsn});
    uint64_t percent = r->bytes ? 100 * (r->bytes - left) / r->bytes : 0;
    LOG(LOG_INFO, "store", "recovery: %llu%% of the log, %llu records in %lld s",
        (unsigned long long)percent, (unsigned long long)r->records,
        (long long)((now - r->started_us) / 1000000));
}

static enum status replay_record(void *ctx, lsn_t lsn, uint64_t ts, struct slice payload)
{
    struct recovery *r = ctx;
    while (payload.len > 0) {
        if (payload.len < REDO_TREE_BYTES) return malformed(lsn.v);
        unsigned op = (unsigned char)payload.data[0];
        size_t used = REDO_TREE_BYTES;
        uint64_t id;
        memcpy(&id, payload.data + 1, sizeof id);
        if (op == REDO_CREATE || op == REDO_DROP)
            TRY(apply_change(r, lsn.v, ts, op == REDO_DROP, id));
        else if (op == REDO_PUT || op == REDO_DELETE)
            TRY(take_row(r, lsn.v, ts, payload, &used));
        else if (op == REDO_CREATE_IN)
            TRY(take_made(r, lsn.v, payload, &used));
        else if (op == REDO_RUN)
            TRY(take_run(r, lsn.v, ts, payload, &used));
        else if (op == REDO_FOREST)
            TRY(take_forest(r, lsn.v, payload, &used));
        else if (op == REDO_PART)
            TRY(take_part(r, lsn.v, payload, &used));
        else if (op == REDO_PREPARE)
            keep_prepared(r, id, lsn.v, payload), used = payload.len;
        else if (op == REDO_RESOLVE)
            forget_prepared(r, id);
        else
            return malformed(lsn.v);
        payload.data += used;
        payload.len -= used;
    }
    if (ts > r->max_ts) r->max_ts = ts;
    /* Flushes keep history above it. No snapshot is older than the end of the log. */
    __atomic_store_n(&r->store->visible_ts, r->max_ts, __ATOMIC_RELEASE);
    if (++r->records % TELL_RECORDS == 0) tell_progress(r, lsn.v);
    return OK;
}

/* --- the whole --------------------------------------------------------------------------------- */

/* On a simulated machine one thread, so that the same seed gives the same bytes. */
uint32_t store__recovery_threads(const struct store_options *o)
{
    if (o->recovery_threads)
        return o->recovery_threads > LANES_MAX ? LANES_MAX : o->recovery_threads;
    if (o->os != os_real()) return 1;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 2 ? 2 : cores > LANES_MAX ? LANES_MAX : (uint32_t)cores;
}

static enum status start_lanes(struct recovery *r)
{
    uint32_t n = store__recovery_threads(&r->store->o);
    if (n == 1) return OK;
    struct pool_options o = {.name = "recovery", .threads = n, .queue_max = n};
    TRY(pool_start(&o, &r->pool));
    r->lanes = mem_alloc(MEM_TXN, n * sizeof *r->lanes);
    r->lane_count = n;
    for (uint32_t i = 0; i < n; i++) {
        r->lanes[i].recovery = r;
        bool queued = pool_submit(r->pool, lane_main, &r->lanes[i]);
        ASSERT(queued);
    }
    return OK;
}

static void stop_lanes(struct recovery *r)
{
    for (uint32_t i = 0; i < r->lane_count; i++) {
        struct lane *l = &r->lanes[i];
        fmutex_lock(&l->mutex);
        l->stop = true;
        fcond_signal(&l->work);
        fmutex_unlock(&l->mutex);
    }
    if (r->pool) pool_stop(r->pool);
    for (uint32_t i = 0; i < r->lane_count; i++) {
        mem_free(MEM_TXN, r->lanes[i].open);
        mem_free(MEM_TXN, r->lanes[i].spare);
        r->rows += r->lanes[i].rows;
    }
    mem_free(MEM_TXN, r->lanes);
}

static enum status note_needed(void *ctx, struct tree *t)
{
    (void)ctx;
    t->needed_lsn = t->replay_lsn;
    return OK;
}

static enum status end_rescue(void *ctx, struct tree *t)
{
    (void)ctx;
    enum status st = t->rescue ? tree_rescue_end(t->rescue) : OK;
    tree_rescue_free(t->rescue);
    t->rescue = NULL;
    return st;
}

enum status store__recover(struct store *s)
{
    const struct log_start *start = &s->forest->log_start;
    struct recovery r = {.store = s, .max_ts = s->forest->max_ts,
                         .bytes = wal_bytes_from(s->wal, (lsn_t){start->lsn})};
    r.started_us = r.told_us = monotonic_us();
    s->visible_ts = s->forest->max_ts;
    TRY(forest_each(s->forest, note_needed, NULL));
    TRY(start_lanes(&r));
    if (s->o.restore) r.received = received_runs_new(s->forest);
    s->recovering = true;
    enum status st = wal_replay(s->wal, (lsn_t){start->lsn}, start->session, replay_record, &r);
    if (st == OK) st = drain(&r);
    stop_lanes(&r);
    if (st == OK) st = keep_runs(&r);
    s->recovering = false;
    received_runs_free(r.received);
    s->forest->wal = s->wal;
    if (st == OK) st = forest_drop_unclaimed(s->forest);
    if (st == OK) st = forest_each(s->forest, end_rescue, NULL);
    if (st == OK) st = forest_redo_branches(s->forest);
    TRY(revive_prepared(&r, st));
    if (s->o.restore) {
        s->o.restore->last_ts = r.max_ts;
        s->o.restore->was_cut = wal_was_cut(s->wal);
    }
    hlc_observe(&s->clock, r.max_ts);
    s->visible_ts = r.max_ts;
    s->recovered_rows = r.rows;
    s->recovery_us = monotonic_us() - r.started_us;
    if (r.rows)
        LOG(LOG_INFO, "store", "recovered %llu rows from %llu log records in %lld ms",
            (unsigned long long)r.rows, (unsigned long long)r.records,
            (long long)(s->recovery_us / 1000));
    return OK;
}
