/* Opening the database: store, bootstrap, catalog; the list of sessions; logins. */
#include <stdio.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "core/txn.h"
#include "db/analyze.h"
#include "db/builds.h"
#include "db/db_line_priv.h"
#include "db/notify.h"
#include "db/past_priv.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"
#include "db/storage_priv.h"
#include "exec/usage.h"
#include "db/temporary.h"

int64_t db__now_us(const struct db *db)
{
    return os_wall_us(db->os) - PG_EPOCH_US;
}

/* Runs fn in a transaction of its own. */
static enum status in_txn(struct db *db, enum status (*fn)(struct db *db, struct txn *t))
{
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    TRY(txn_begin(db->store, &o, &t));
    txn_statement_begin(t);
    enum status s = fn(db, t);
    txn_statement_end(t);
    if (s == OK) return txn_commit(t, COMMIT_SYNC, NULL);
    txn_abort(t);
    return s;
}

static enum status load_catalog(struct db *db, struct txn *t)
{
    TRY(catalog_load(t, &db->main.catalog));
    db->main.catalog_version = catalog_version(db->main.catalog);
    return OK;
}

static enum status bootstrap(struct db *db, struct txn *t)
{
    return catalog_bootstrap(t, db->initial_database);
}

static enum status open_catalog(struct db *db)
{
    struct tree_statistics stats;
    db->is_new = store_get_statistics(db->store, CATALOG_TREE, &stats) != OK;
    store_untrack_tree(db->store, CATALOG_TREE);
    if (db->is_new) TRY(in_txn(db, bootstrap));
    return in_txn(db, load_catalog);
}

static enum commit_mode configured_commit_mode(const struct config *c)
{
    const char *mode = config_string(c, "wal.commit_mode");
    if (str_eq_nocase(mode, "batch")) return COMMIT_BATCH;
    return str_eq_nocase(mode, "async") ? COMMIT_ASYNC : COMMIT_SYNC;
}

static enum status open_store(struct db *db, const struct db_options *o)
{
    struct store_options so;
    store_options_init(&so);
    so.os = o->os;
    so.dir = config_string(o->config, "data_dir");
    so.cache_bytes = (uint64_t)config_int(o->config, "cache_bytes");
    so.memtable_bytes = (uint64_t)config_int(o->config, "memtable_bytes");
    so.memtable_total_bytes = (uint64_t)config_int(o->config, "memtable_total_bytes");
    so.load_bytes = (uint64_t)config_int(o->config, "load_bytes");
    so.wal_file_bytes = (uint64_t)config_int(o->config, "wal.file_bytes");
    so.archive_dir = config_string(o->config, "wal.archive_directory");
    so.archive_timeout_us = config_int(o->config, "wal.archive_timeout") * 1000;
    so.archive_bytes_max = (uint64_t)config_int(o->config, "wal.archive_bytes_max");
    so.group_commit_window_us = config_int(o->config, "wal.group_commit_window") * 1000;
    so.advisory_max = (uint64_t)config_int(o->config, "max_locks_per_transaction") *
                      (uint64_t)config_int(o->config, "max_connections");
    so.retention_us = INT64_MAX; /* until the tables have been asked for theirs */
    so.background = o->background;
    return store_open(&so, &db->store);
}

/* What queries left there when the process was killed goes. */
static enum status clear_temp_dir(struct db *db)
{
    struct arena a;
    char **names, path[OS_PATH_MAX];
    size_t count;
    arena_init(&a, MEM_SESSION);
    const char *dir = arena_printf(&a, "%s/tmp", config_string(db->config, "data_dir"));
    size_t len = strlen(dir) + 1;
    db->temp_dir = memcpy(mem_alloc(MEM_SESSION, len), dir, len);
    enum status st = OK;
    if (os_exists(db->os, dir)) st = os_list(db->os, dir, &a, &names, &count);
    else count = 0;
    for (size_t i = 0; i < count && st == OK; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) < (int)sizeof path)
            st = os_remove(db->os, path);
    }
    arena_release(&a);
    return st;
}

static uint32_t active_statements_max(const struct config *c)
{
    enum { PER_CORE = 32 };
    int64_t n = config_int(c, "max_active_statements");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return n ? (uint32_t)n : PER_CORE * (uint32_t)(cores > 0 ? cores : 1);
}

/* The default must not lock all others out of a small server. */
static uint32_t superuser_reserved(const struct config *c)
{
    int64_t n = config_int(c, "superuser_reserved_connections");
    int64_t max = config_int(c, "max_connections");
    return (uint32_t)(n < max ? n : max - 1);
}

static enum status check_settings(const struct config *c)
{
    long long n = config_int(c, "superuser_reserved_connections");
    long long max = config_int(c, "max_connections");
    if (n < max || config_source(c, "superuser_reserved_connections") == SOURCE_DEFAULT) return OK;
    return FAIL(CONFIG_FILE_ERROR, "superuser_reserved_connections (%lld) must be less than "
                                   "max_connections (%lld)", n, max);
}

enum status db_open(const struct db_options *o, struct db **ret)
{
    TRY(check_settings(o->config));
    struct db *db = mem_alloc(MEM_SESSION, sizeof *db);
    db->os = o->os;
    db->config = o->config;
    db->analytic = o->analytic;
    db->initial_database = o->initial_database ? o->initial_database : "postgres";
    db->storage = storage_told_new();
    db->usage = usage_new();
    db_line__init(&db->main, db, NULL);
    enum status s = open_store(db, o);
    if (s == OK) s = clear_temp_dir(db);
    if (s == OK) s = open_catalog(db);
    db->sequences = sequences_new(db);
    db->two_phase = two_phase_new(db);
    if (s == OK) s = two_phase_load(db->two_phase);
    if (s == OK) {
        past_published(db->main.past, NULL, store_last_commit(db->store));
        db__apply_retention(db, db->main.catalog);
        storage_apply(db, db->main.catalog);
    }
    if (s != OK) {
        struct error kept = *error_current();
        two_phase_free(db->two_phase);
        sequences_free(db->sequences);
        storage_told_free(db->storage);
        usage_free(db->usage);
        if (db->store) (void)store_close(db->store);
        *error_current() = kept;
        db_line__release(&db->main);
        mem_free(MEM_SESSION, db->temp_dir);
        mem_free(MEM_SESSION, db);
        return s;
    }
    db->plans = plan_cache_new();
    db->session_count_max = (uint32_t)config_int(o->config, "max_connections");
    db->query_temp_bytes = (uint64_t)config_int(o->config, "query.temp_limit");
    db->query_memory_bytes = (uint64_t)config_int(o->config, "query.memory_limit");
    db->commit_mode = configured_commit_mode(o->config);
    db->superuser_reserved = superuser_reserved(o->config);
    db->admission = admission_new(active_statements_max(o->config),
                                  (uint32_t)config_int(o->config, "max_queued_statements"),
                                  config_int(o->config, "max_queue_wait") * 1000);
    db->notify_bytes = (uint64_t)config_int(o->config, "notify_queue_bytes");
    db->notify = notify_hub_new(db->notify_bytes);
    db->builds = builds_new();
    db__metrics_init(db);
    db__stat_statements_init(db);
    db->started_us = db__now_us(db);
    *ret = db;
    s = temporary_clear(db);
    if (s == OK && o->background) s = autoanalyze_start(db);
    if (s == OK) return OK;
    struct error kept = *error_current();
    (void)db_close(db);
    *error_current() = kept;
    return s;
}

/* All but the store. */
static void close_parts(struct db *db)
{
    autoanalyze_stop(db);
    ASSERT(db->sessions == NULL);
    plan_cache_free(db->plans);
    if (db->statement_stats) statement_stats_free(db->statement_stats);
    sequences_free(db->sequences);
    admission_free(db->admission);
    notify_hub_free(db->notify);
    builds_free(db->builds);
    two_phase_free(db->two_phase);
    storage_told_free(db->storage);
    usage_free(db->usage);
    db_line__release(&db->main);
}

static void release(struct db *db)
{
    mem_free(MEM_SESSION, db->temp_dir);
    mem_free(MEM_SESSION, db);
}

enum status db_close(struct db *db)
{
    close_parts(db);
    enum status s = store_close(db->store);
    release(db);
    return s;
}

void db_abandon(struct db *db)
{
    close_parts(db);
    store_abandon(db->store);
    release(db);
}

bool db_is_new(const struct db *db)
{
    return db->is_new;
}

enum status db_checkpoint(struct db *db)
{
    return store_checkpoint(db->store);
}

/* --- the published catalog ------------------------------------------------------------------ */

struct catalog *db__catalog(struct db *db)
{
    return db_line__catalog(&db->main);
}

void db__wait_published(struct db *db)
{
    db_line__wait_published(&db->main);
}

/* --- sessions ------------------------------------------------------------------------------- */

void db__interrupt(struct session *s, bool terminate)
{
    __atomic_store_n(terminate ? &s->terminate : &s->cancel, 1, __ATOMIC_RELEASE);
    waiter_cancel(s->waiter);
}

static bool signal_session(struct db *db, uint32_t pid, uint32_t key, bool terminate)
{
    bool found = false;
    fmutex_lock(&db->sessions_mutex);
    for (struct session *s = db->sessions; s && !found; s = s->next) {
        if (s->pid != pid || (key && s->key != key)) continue;
        db__interrupt(s, terminate);
        found = true;
    }
    fmutex_unlock(&db->sessions_mutex);
    return found;
}

bool db_cancel(struct db *db, uint32_t pid, uint32_t key)
{
    return signal_session(db, pid, key, false);
}

bool db_terminate(struct db *db, uint32_t pid)
{
    return signal_session(db, pid, 0, true);
}

uint32_t db_session_count(const struct db *db)
{
    return __atomic_load_n(&db->session_count, __ATOMIC_RELAXED);
}

void db_shutdown_sessions(struct db *db)
{
    fmutex_lock(&db->sessions_mutex);
    for (struct session *s = db->sessions; s; s = s->next) db__interrupt(s, true);
    fmutex_unlock(&db->sessions_mutex);
}

/* --- logins --------------------------------------------------------------------------------- */

void db_login(struct db *db, const char *user, struct login *ret)
{
    struct catalog *c = db__catalog(db);
    const struct role_def *r = catalog_role(c, slice_of(user));
    *ret = (struct login){0};
    if (r) {
        ret->exists = true;
        ret->can_login = r->can_login;
        size_t len = r->password ? strlen(r->password) : 0;
        if (len < sizeof ret->password && len) memcpy(ret->password, r->password, len + 1);
    }
    catalog_unref(c);
}

bool db_has_database(struct db *db, const char *name)
{
    struct catalog *c = db__catalog(db);
    bool found = catalog_database(c, slice_of(name)) != NULL;
    catalog_unref(c);
    return found;
}

enum status db_password_verifier(struct db *db, const char *password, char ret[256])
{
    struct scram_verifier v;
    struct strbuf b;
    scram_verifier_make(db->os, slice_of(password), &v);
    strbuf_init(&b, NULL);
    scram_verifier_print(&v, &b);
    ASSERT(b.len < 256);
    memcpy(ret, b.data, b.len + 1);
    strbuf_release(&b);
    return OK;
}
