/* Time travel: what of the past is kept, and transactions that read it.
 *
 * A commit timestamp is a reading of the hybrid clock, so a moment of the wall clock is a snapshot as it
 * stands: its microseconds, with all counters of the same microsecond below it. History is whole after a
 * tree's floor, which flushes, merges and drops raise before they take anything away, and never above the
 * snapshot of whoever reads the past then: a reader tells its snapshot first and looks at the floor
 * after that, a merge does it the other way round, so one of them sees the other. */
#include "core/mvcc/mvcc_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum { US_A_SECOND = 1000000 };

void store__least_snapshots(struct store *s, uint64_t *ret_today, uint64_t *ret_all)
{
    uint64_t today = __atomic_load_n(&s->visible_ts, __ATOMIC_SEQ_CST), all = today;
    for (uint32_t i = 0; i < ACTIVE_SHARDS; i++) {
        spin_lock(&s->active[i].lock);
        for (struct txn *t = s->active[i].head; t; t = t->next) {
            uint64_t ts = __atomic_load_n(&t->snapshot, __ATOMIC_SEQ_CST);
            if (!ts) continue;
            if (ts < all) all = ts;
            if (!t->past && ts < today) today = ts;
        }
        spin_unlock(&s->active[i].lock);
    }
    *ret_today = today;
    *ret_all = all;
}

static int64_t retention_of(const struct store *s, const struct tree *t)
{
    int64_t us = __atomic_load_n(&t->retention_us, __ATOMIC_RELAXED);
    if (s->recovering) return INT64_MAX; /* a branch that the log is yet to tell of may need it */
    return us == RETENTION_DEFAULT ? __atomic_load_n(&s->retention_us, __ATOMIC_RELAXED) : us;
}

/* What was superseded by then is not to be read any more, `now` being what the clock says. */
static uint64_t oldest_kept(int64_t now_us, int64_t retention_us)
{
    if (retention_us <= 0) return UINT64_MAX;
    return now_us > retention_us ? hlc_from_wall_us(now_us - retention_us) : 0;
}

static int compare_lines(const void *a, const void *b)
{
    const struct snapshot_line *x = a, *y = b;
    return (x->ts > y->ts) - (x->ts < y->ts);
}

void store_snapshots(struct store *s, struct arena *a, struct snapshot_line **ret, uint32_t *ret_count)
{
    ARRAY(struct snapshot_line) lines = {0};
    for (uint32_t i = 0; i < ACTIVE_SHARDS; i++) {
        spin_lock(&s->active[i].lock);
        for (const struct txn *t = s->active[i].head; t; t = t->next) {
            uint64_t ts = __atomic_load_n(&t->snapshot, __ATOMIC_SEQ_CST);
            struct snapshot_line line = {ts, txn__pid(t), t->past};
            if (ts > 1 && ts < TS_ABORTED - 1) ARENA_PUSH(a, &lines, line);
        }
        spin_unlock(&s->active[i].lock);
    }
    if (lines.count) qsort(lines.data, lines.count, sizeof lines.data[0], compare_lines);
    *ret = lines.data;
    *ret_count = (uint32_t)lines.count;
}

void store__horizon(void *ctx, struct tree *t, uint64_t *ret_horizon, uint64_t *ret_floor)
{
    struct store *s = ctx;
    uint64_t today, all, floor;
    store__least_snapshots(s, &today, &all);
    floor = oldest_kept(os_wall_us(s->o.os), retention_of(s, t));
    if (floor > all) floor = all;
    if (floor > __atomic_load_n(&t->floor, __ATOMIC_RELAXED))
        __atomic_store_n(&t->floor, floor, __ATOMIC_SEQ_CST);
    store__least_snapshots(s, &today, &all);
    *ret_horizon = today;
    *ret_floor = floor < all ? floor : all;
}

bool store__keeps_history(const struct store *s, const struct tree *t)
{
    return retention_of(s, t) > 0 || __atomic_load_n(&s->forest->branch_count, __ATOMIC_ACQUIRE);
}

void store_set_retention(struct store *s, int64_t us)
{
    __atomic_store_n(&s->retention_us, us < 0 ? 0 : us, __ATOMIC_RELAXED);
}

void store_set_tree_retention(struct store *s, tree_id id, int64_t us)
{
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(s->forest, id);
    if (t) __atomic_store_n(&t->retention_us, us < 0 ? RETENTION_DEFAULT : us, __ATOMIC_RELAXED);
    epoch_exit(slot);
    epoch_slot_free(slot);
}

/* --- readers of the past ----------------------------------------------------------------------- */

static void describe(uint64_t ts, char out[64])
{
    time_t seconds = (time_t)(hlc_wall_us(ts) / US_A_SECOND);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, 64, "%04d-%02d-%02d %02d:%02d:%02d.%06d+00", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(hlc_wall_us(ts) % US_A_SECOND));
}

static enum status too_old(uint64_t asked, uint64_t floor)
{
    char at[64], from[64];
    describe(asked, at);
    describe(floor, from);
    FAIL(SNAPSHOT_TOO_OLD, "cannot read as of %s: history is kept from %s on", at, from);
    return error_hint("helios.version_retention says how long history is kept.");
}

enum status mvcc__check_past(const struct txn *t, const struct tree *tree)
{
    uint64_t floor = __atomic_load_n(&tree->floor, __ATOMIC_SEQ_CST);
    uint64_t whole = __atomic_load_n(&t->store->forest->floor, __ATOMIC_RELAXED);
    /* What is not gone yet is refused, too: an answer must not hang on what was merged when. */
    uint64_t kept = oldest_kept(t->began_us, retention_of(t->store, tree));
    if (whole > floor) floor = whole;
    if (kept != UINT64_MAX && kept > floor) floor = kept;
    return t->snapshot < floor ? too_old(t->snapshot, floor) : OK;
}

enum status txn_begin_past(struct txn *t, uint64_t ts, struct txn **ret)
{
    struct store *s = t->store;
    int64_t wall = os_wall_us(s->o.os);
    uint64_t visible = __atomic_load_n(&s->visible_ts, __ATOMIC_SEQ_CST);
    ts &= ~1ull; /* as commits are; between two of them lies what was loaded (run_load_ts) */
    if (ts > visible && hlc_wall_us(ts) > wall) {
        char at[64];
        describe(ts, at);
        return FAIL(INVALID_PARAMETER_VALUE, "cannot read as of %s, which is in the future", at);
    }
    if (ts >= visible) { /* no commit may come to lie at or before it any more */
        hlc_observe(&s->clock, ts);
        TRY(wal_flush(s->wal));
    }
    struct txn *r = txn__begin_reading(s, &t->options, t->shard, ts ? ts : 1, true);
    r->began_us = wall;
    *ret = r;
    return OK;
}

enum status txn_check_past(struct txn *past, tree_id tree)
{
    struct layer layers[BRANCH_STEPS_MAX];
    uint32_t n;
    return mvcc__layers(past, tree, layers, &n, NULL);
}

uint64_t store_history_begins(struct store *s, tree_id id)
{
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(s->forest, id);
    uint64_t floor = s->forest->floor;
    if (t) {
        uint64_t own = __atomic_load_n(&t->floor, __ATOMIC_ACQUIRE);
        uint64_t kept = oldest_kept(os_wall_us(s->o.os), retention_of(s, t));
        if (own > floor) floor = own;
        /* It moves on: whoever begins there now must not be late. */
        if (kept != UINT64_MAX && kept > floor) floor = kept + hlc_from_wall_us(US_A_SECOND);
    }
    epoch_exit(slot);
    epoch_slot_free(slot);
    return floor;
}

static enum status add_retired(void *ctx, struct tree *t)
{
    struct retired_status *r = ctx;
    if (!__atomic_load_n(&t->retired_ts, __ATOMIC_ACQUIRE)) return OK;
    const struct shape *s = tree_shape(t);
    r->trees++;
    for (int l = 0; l < LISTS; l++) r->runs += s->levels[l].count;
    r->bytes += tree_disk_bytes(t);
    return OK;
}

void store_get_retired(struct store *s, struct retired_status *ret)
{
    *ret = (struct retired_status){0};
    if (forest_each(s->forest, add_retired, ret) != OK) error_clear();
}

uint64_t store_last_commit(struct store *s)
{
    return __atomic_load_n(&s->visible_ts, __ATOMIC_ACQUIRE);
}

/* --- what was dropped -------------------------------------------------------------------------- */

static enum status queue_retired(void *ctx, struct tree *t)
{
    struct store *s = ctx;
    if (t->retired_ts) ARRAY_PUSH(&s->drops, (struct pending_drop){t, t->retired_ts, true});
    return OK;
}

enum status store__open_history(struct store *s)
{
    /* A store of before this was kept, or a new one: nothing is older than its end. */
    if (!s->forest->floor) {
        uint64_t from = s->visible_ts ? s->visible_ts : hlc_now(&s->clock);
        TRY(forest_log_floor(s->forest, from));
    }
    fmutex_lock(&s->drops_mutex);
    enum status st = forest_each(s->forest, queue_retired, s);
    fmutex_unlock(&s->drops_mutex);
    return st;
}

static bool drop_now(struct store *s, const struct pending_drop *d)
{
    uint64_t horizon, floor;
    store__horizon(s, d->tree, &horizon, &floor);
    struct pins pins;
    forest_pins(s->forest, d->tree, &pins);
    bool needed = pins_between(&pins, 0, d->ts);
    pins_release(&pins);
    if (d->ts > floor || needed) return false;
    if (d->retired && forest_log_drop(s->forest, d->tree) != OK) {
        log_error(LOG_ERROR, "store");
        error_clear();
        return false;
    }
    forest_remove(s->forest, d->tree, true);
    return true;
}

void store__free_drops(struct store *s)
{
    fmutex_lock(&s->drops_mutex);
    for (size_t i = 0; i < s->drops.count;) {
        struct pending_drop d = s->drops.data[i];
        if (!drop_now(s, &d)) {
            i++;
            continue;
        }
        s->drops.data[i] = ARRAY_LAST(&s->drops);
        s->drops.count--;
    }
    fmutex_unlock(&s->drops_mutex);
}
