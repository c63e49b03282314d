/* Opening, recovery and closing of a store, and what it tells of itself.
 *
 * Open: lock the directory; block files, manifest, runs (lsm); then the log from the oldest LSN that a
 * tree still needs (the manifest names it) is applied to memtables (recover.c). Applying twice does no
 * harm, so recovery may itself be cut off at any point. Close writes everything out; a crash is the
 * same without that. */
#include "core/backup.h"
#include "core/mvcc/prepared_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/segment/run_columns.h"

void store_options_init(struct store_options *o)
{
    *o = (struct store_options){
        .cache_bytes = 256ull << 20,
        .memtable_bytes = 64ull << 20,
        .memtable_total_bytes = 1ull << 30,
        .load_bytes = 64ull << 20,
        .wal_file_bytes = 64ull << 20,
        .level1_bytes = 256ull << 20,
        .run_bytes = 64ull << 20,
        .manifest_bytes = 4ull << 20,
        .group_commit_window_us = 1000,
        .advisory_max = 8192,
    };
}

/* Before the waiters are woken: whoever was told of a commit finds it visible. */
static void on_durable(void *ctx, lsn_t lsn, uint64_t ts)
{
    struct store *s = ctx;
    (void)lsn;
    uint64_t seen = __atomic_load_n(&s->visible_ts, __ATOMIC_RELAXED);
    if (ts > seen) __atomic_store_n(&s->visible_ts, ts, __ATOMIC_SEQ_CST);
}

/* Makes the directory, and its entry in its parent durable. */
static enum status make_dir(struct os *os, const char *path)
{
    char parent[OS_PATH_MAX];
    TRY(os_mkdir(os, path));
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == parent) slash++;
    if (slash) *slash = '\0';
    return os_sync_dir(os, slash ? parent : ".");
}

/* Tells backups and archives of this store from those of others. */
static enum status draw_number(struct store *s)
{
    uint64_t number = 0;
    if (s->forest->store_number) return OK;
    while (!number) os_random(s->o.os, &number, sizeof number);
    return forest_log_store(s->forest, number);
}

#define RESTORE_RUNS (1ull << 40)

static enum status open_parts(struct store *s)
{
    struct os *os = s->o.os;
    char path[OS_PATH_MAX];
    TRY(make_dir(os, s->dir));
    snprintf(path, sizeof path, "%s/helios.lock", s->dir);
    TRY(os_lock(os, path, &s->dir_lock));
    struct forest_options fo = {
        .os = os,
        .dir = s->dir,
        .cache_bytes = s->o.cache_bytes,
        .memtable_bytes = s->o.memtable_bytes,
        .memtable_total_bytes = s->o.memtable_total_bytes,
        .level1_bytes = s->o.level1_bytes,
        .run_bytes = s->o.run_bytes,
        .manifest_bytes = s->o.manifest_bytes,
        .epoch = s->epoch,
    };
    TRY(forest_open(&fo, &s->forest));
    s->forest->horizon = store__horizon;
    s->forest->ctx = s;
    /* What the log brings along keeps its numbers, which are less. */
    if (s->o.restore) s->forest->next_run += RESTORE_RUNS;
    snprintf(path, sizeof path, "%s/wal", s->dir);
    struct wal_options wo = {
        .os = os,
        .dir = path,
        .file_bytes = s->o.wal_file_bytes,
        .batch_window_us = s->o.group_commit_window_us,
        .read_ahead = store__recovery_threads(&s->o) > 1,
        .until_ts = s->o.restore ? s->o.restore->until_ts : 0,
        .clock = &s->clock,
        .on_durable = on_durable,
        .ctx = s,
    };
    TRY(wal_open(&wo, &s->wal));
    TRY(store__recover(s));
    TRY(draw_number(s));
    TRY(store__start_archiver(s));
    return store__open_history(s);
}

static void release(struct store *s)
{
    store__free_archiver(s);
    if (s->wal) wal_abandon(s->wal);
    store__drop_prepared(s);
    epoch_collect(s->epoch);
    txn__free_idle(s);
    if (s->forest) {
        epoch_free(s->epoch);
        forest_free(s->forest);
    } else {
        epoch_free(s->epoch);
    }
    if (s->dir_lock) os_unlock(s->o.os, s->dir_lock);
    relation_shards__free(s->relations);
    ssi__free(s->ssi);
    advisory__free(s->advisory);
    ARRAY_RELEASE(&s->drops);
    mem_free(MEM_TXN, s->dir);
    mem_free(MEM_TXN, s);
}

/* For tests: HELIOS_ENCODING=n of the environment. */
static void force_encoding(void)
{
#ifdef HELIOS_POINTS
    const char *text = getenv("HELIOS_ENCODING");
    if (text) run_columns_force((unsigned)strtoul(text, NULL, 10));
#endif
}

enum status store_open(const struct store_options *o, struct store **ret)
{
    struct store *s = mem_alloc(MEM_TXN, sizeof *s);
    s->o = *o;
    s->retention_us = o->retention_us;
    size_t n = strlen(o->dir);
    s->dir = mem_alloc(MEM_TXN, n + 1);
    memcpy(s->dir, o->dir, n);
    s->o.dir = s->dir;
    s->epoch = epoch_new();
    s->relations = relation_shards__new();
    s->ssi = ssi__new(s);
    hlc_init(&s->clock, o->os);
    s->commits = counter_get("helios_transactions_committed_total", "Transactions committed.");
    s->rollbacks = counter_get("helios_transactions_rolled_back_total",
                               "Transactions rolled back.");
    s->logged = counter_get("helios_wal_commits_total",
                            "Commits that wrote to the log; over the flushes: how many share one.");
    s->deadlocks = counter_get("helios_deadlocks_total", "Deadlocks found.");
    force_encoding();
    enum status st = open_parts(s);
    if (st != OK) {
        release(s);
        return st;
    }
    *ret = s;
    return OK;
}

/* Stops taking up work and waits for what is running. */
static void quiesce(struct store *s)
{
    store__stop_archiver(s);
    __atomic_store_n(&s->closing, true, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&s->scheduled[0], __ATOMIC_SEQ_CST) ||
           __atomic_load_n(&s->scheduled[1], __ATOMIC_SEQ_CST))
        (void)fiber_sleep_us(1000);
}

enum status store_close(struct store *s)
{
    ASSERT(__atomic_load_n(&s->active_txns, __ATOMIC_ACQUIRE) == s->prepared.count);
    quiesce(s);
    __atomic_store_n(&s->closing, false, __ATOMIC_SEQ_CST); /* the checkpoint is work, too */
    s->o.background = NULL;
    enum status st = store_checkpoint(s);
    if (s->archiver && wal_flush(s->wal) == OK && store_archive(s, true) != OK) error_clear(); /* it was told */
    if (s->wal) {
        wal_close(s->wal);
        s->wal = NULL;
    }
    release(s);
    return st;
}

void store_abandon(struct store *s)
{
    quiesce(s);
    release(s);
}

enum status store_compact_tree(struct store *s, tree_id id)
{
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(s->forest, id);
    enum status st = t ? tree_freeze(t, tree_shape(t)->memories[0])
                       : FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)id);
    if (t) tree_ref(t);
    epoch_exit(slot);
    epoch_slot_free(slot);
    bool worked = true;
    while (st == OK && worked) st = tree_flush(t, &worked);
    if (st == OK) st = tree_compact_all(t);
    if (t) tree_unref(t);
    return st;
}

/* --- what the store knows ---------------------------------------------------------------------- */

/* Adds one tree; its rows, which an overlay may have fewer than none of, to *ret_rows. */
static void add_statistics(const struct tree *t, struct tree_statistics *ret, int64_t *ret_rows)
{
    const struct shape *shape = tree_shape(t);
    uint64_t disk = tree_disk_bytes(t), history = 0, columns = 0;
    *ret_rows += __atomic_load_n(&t->rows, __ATOMIC_RELAXED);
    ret->memtables += shape->memory_count;
    for (uint32_t i = 0; i < shape->memory_count; i++)
        ret->bytes += memtable_bytes(shape->memories[i]->table);
    for (uint32_t i = 0; i < shape->levels[HISTORY].count; i++)
        history += run_bytes(shape->levels[HISTORY].runs[i]->run);
    ret->history_bytes += history;
    ret->disk_bytes += disk;
    ret->history_runs += shape->levels[HISTORY].count;
    for (uint32_t l = 0; l < LEVELS_MAX; l++) {
        for (uint32_t i = 0; i < shape->levels[l].count; i++) {
            const struct run_ref *r = shape->levels[l].runs[i];
            uint64_t bytes = run_column_bytes(r->run);
            ret->column_bytes += bytes;
            if (run_form(r->run) == RUN_DUAL) columns += bytes;
            if (tree_misfits(t, r)) ret->misfits++, ret->misfit_bytes += run_bytes(r->run);
        }
        ret->runs += shape->levels[l].count;
        if (shape->levels[l].count && l >= ret->levels) ret->levels = l + 1;
    }
    ret->bytes += disk - history - columns;
}

enum status store_get_branch_statistics(struct store *s, const struct branch *b, tree_id id,
                                        struct tree_statistics *ret)
{
    int64_t rows = 0;
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(s->forest, id);
    *ret = (struct tree_statistics){0};
    if (t) add_statistics(t, ret, &rows);
    for (uint32_t i = 0; t && b && i < b->steps && b->path[i].branch; i++) {
        tree_id overlay = branch_overlay(b->path[i].branch, id);
        const struct tree *o = overlay ? forest_tree(s->forest, overlay) : NULL;
        if (o) add_statistics(o, ret, &rows);
    }
    ret->rows = rows > 0 ? (uint64_t)rows : 0;
    epoch_exit(slot);
    epoch_slot_free(slot);
    if (t) return OK;
    return FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)id);
}

enum status store_get_statistics(struct store *s, tree_id id, struct tree_statistics *ret)
{
    return store_get_branch_statistics(s, NULL, id, ret);
}

void store_get_status(struct store *s, struct store_status *ret)
{
    uint64_t today, all;
    store__least_snapshots(s, &today, &all);
    *ret = (struct store_status){
        .durable_lsn = wal_durable_lsn(s->wal).v,
        .appended_lsn = wal_appended_lsn(s->wal).v,
        .log_flushes = wal_flush_count(s->wal),
        .visible_ts = __atomic_load_n(&s->visible_ts, __ATOMIC_ACQUIRE),
        .oldest_snapshot_ts = today,
        .memtable_bytes = __atomic_load_n(&s->forest->memtable_bytes, __ATOMIC_RELAXED),
        .cache_bytes = cache_bytes(s->forest->cache),
        .disk_bytes = blocks_bytes_used(s->forest->blocks),
        .file_bytes = blocks_bytes_total(s->forest->blocks),
        .cache_bytes_max = s->o.cache_bytes,
        .cache_hits = cache_hits(s->forest->cache),
        .cache_misses = cache_misses(s->forest->cache),
        .wal_flushes = wal_flush_count(s->wal),
        .recovered_rows = s->recovered_rows,
        .recovery_us = s->recovery_us,
        .writes_stopped = wal_failed(s->wal) || __atomic_load_n(&s->failed, __ATOMIC_ACQUIRE),
        .trees = __atomic_load_n(&s->forest->tree_count, __ATOMIC_RELAXED),
        .active_txns = __atomic_load_n(&s->active_txns, __ATOMIC_RELAXED),
    };
    ssi__get_status(s->ssi, &ret->serializable_kept, &ret->serializable_bytes);
}

struct each {
    enum status (*fn)(void *ctx, tree_id tree);
    void *ctx;
};

static enum status each_created(void *ctx, struct tree *t)
{
    struct each *e = ctx;
    if (!__atomic_load_n(&t->created, __ATOMIC_ACQUIRE)) return OK;
    if (__atomic_load_n(&t->retired_ts, __ATOMIC_ACQUIRE) || t->branch) return OK;
    return __atomic_load_n(&t->drop_logged, __ATOMIC_ACQUIRE) ? OK : e->fn(e->ctx, t->id);
}

enum status store_each_tree(struct store *s, enum status (*fn)(void *ctx, tree_id tree), void *ctx)
{
    struct each e = {fn, ctx};
    return forest_each(s->forest, each_created, &e);
}
