/* Opening and closing: a database as heliosd starts it, without its listener and its workers. The
 * threads that serve are the caller's; ours are those of the background pool, and one that makes a
 * checkpoint now and then. */
#include "base/log.h"
#include "base/os_memory.h"
#include "embed/embed_priv.h"

static const char *const MEMORY_PATH = ":memory:";

void helios_free(void *p)
{
    mem_free(MEM_SESSION, p);
}

const char *helios_version(void)
{
    return HELIOS_VERSION;
}

char *embed__message(const struct error *e)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_adds(&b, e->message[0] ? e->message : status_text(e->code));
    if (e->detail[0]) strbuf_addf(&b, "\n%s", e->detail);
    if (e->hint[0]) strbuf_addf(&b, "\n%s", e->hint);
    char *copy = mem_alloc(MEM_SESSION, b.len + 1);
    memcpy(copy, b.data, b.len);
    strbuf_release(&b);
    return copy;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum status read_settings(struct config *c, const char *path,
                                 const struct helios_setting *settings)
{
    TRY(config_set(c, "data_dir", path, SOURCE_FLAG));
    /* The process may do what it may do, if it does not say otherwise. */
    TRY(config_set(c, "copy.read_directories", "/", SOURCE_FILE));
    TRY(config_set(c, "copy.write_directories", "/", SOURCE_FILE));
    for (; settings && settings->name; settings++) {
        if (str_eq_nocase(settings->name, "data_dir"))
            return FAIL(INVALID_PARAMETER_VALUE, "data_dir is the path given to helios_open");
        if (!settings->value)
            return FAIL(INVALID_PARAMETER_VALUE, "setting \"%s\" has no value", settings->name);
        TRY(config_set(c, settings->name, settings->value, SOURCE_FLAG));
    }
    return OK;
}

/* In memory a log file is memory: small ones are given back sooner. */
static enum status adapt_to_memory(struct config *c)
{
    if (config_source(c, "wal.file_bytes") != SOURCE_DEFAULT) return OK;
    return config_set(c, "wal.file_bytes", "4MB", SOURCE_FLAG);
}

/* The process's log: quiet, unless the settings say what they want. */
static enum status open_log(const struct config *c)
{
    struct log_options o = {.format = LOG_TEXT, .level = LOG_ERROR};
    if (config_source(c, "log.level") != SOURCE_DEFAULT)
        (void)log_parse_level(config_string(c, "log.level"), &o.level);
    if (!strcmp(config_string(c, "log.format"), "json")) o.format = LOG_JSON;
    if (config_string(c, "log.path")[0]) o.path = config_string(c, "log.path");
    return log_open(&o);
}

static enum status ignore_tag(void *ctx, const char *tag)
{
    (void)ctx, (void)tag;
    return OK;
}

static enum status ignore(void *ctx)
{
    (void)ctx;
    return OK;
}

/* A new directory serves both worlds: the server's own names are there, and the library's. */
static enum status add_names(struct db *db)
{
    const struct result_sink sink = {.complete = ignore_tag, .empty = ignore, .flush = ignore};
    const struct session_options o = {.user = "postgres", .database = "postgres"};
    struct session *s;
    TRY(session_new(db, &o, &s));
    enum status st = session_query(s, SLICE("create role helios superuser login"), &sink);
    if (st == OK)
        st = session_query(s, SLICE("create database helios owner helios"), &sink);
    session_free(s);
    return st;
}

static void checkpoint_loop(void *arg)
{
    struct helios_db *db = arg;
    int64_t interval_us = config_int(db->config, "checkpoint_interval") * 1000;
    int64_t next = monotonic_us() + interval_us;
    __atomic_store_n(&db->waiter, waiter_self(), __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&db->stopping, __ATOMIC_SEQ_CST)) {
        if (waiter_park(waiter_self(), next) != PARK_TIMEOUT) continue;
        if (db_checkpoint(db->db) != OK) log_error(LOG_ERROR, "library");
        next = monotonic_us() + interval_us;
    }
}

static enum status start(struct helios_db *db)
{
    struct pool_options po = {.name = "background", .nice = 5, .queue_max = 1024,
                              .threads = (unsigned)config_int(db->config, "background_workers")};
    struct pool_options co = {.name = "checkpoint", .threads = 1, .queue_max = 1};
    /* Well below the front workers, so that short statements keep their latency. */
    struct pool_options ao = {.name = "analytic", .nice = 10, .queue_max = 1024,
                              .threads = (unsigned)config_int(db->config, "analytic_workers")};
    if (!ao.threads) ao.threads = cpu_count();
    if (po.threads < 2) po.threads = 2; /* flushes must not stand behind a compaction */
    TRY(pool_start(&po, &db->background));
    TRY(pool_start(&ao, &db->analytic));
    struct db_options o = {.os = db->memory ? db->memory : os_real(), .config = db->config,
                           .background = db->background, .analytic = db->analytic};
    TRY(db_open(&o, &db->db));
    if (db_is_new(db->db)) TRY(add_names(db->db));
    TRY(pool_start(&co, &db->checkpoints));
    (void)pool_submit(db->checkpoints, checkpoint_loop, db);
    return OK;
}

static enum status stop(struct helios_db *db)
{
    enum status s = OK;
    if (db->checkpoints) {
        __atomic_store_n(&db->stopping, 1, __ATOMIC_SEQ_CST);
        struct waiter *w = __atomic_load_n(&db->waiter, __ATOMIC_SEQ_CST);
        if (w) waiter_wake(w);
        pool_stop(db->checkpoints);
    }
    if (db->db) s = db_close(db->db);
    if (db->analytic) pool_stop(db->analytic);
    if (db->background) pool_stop(db->background);
    if (db->memory) os_memory_free(db->memory);
    config_free(db->config);
    mem_free(MEM_SESSION, db);
    return s;
}

enum helios_status helios_open(const char *path, const struct helios_setting *settings,
                               struct helios_db **ret, char **ret_message)
{
    if (ret_message) *ret_message = NULL;
    if (!ret) return HELIOS_MISUSE;
    *ret = NULL;
    struct helios_db *db = mem_alloc(MEM_SESSION, sizeof *db);
    bool in_memory = !path || !strcmp(path, MEMORY_PATH);
    db->config = config_new();
    if (in_memory) db->memory = os_memory_new();
    enum status s = read_settings(db->config, in_memory ? "memory" : path, settings);
    if (s == OK && in_memory) s = adapt_to_memory(db->config);
    if (s == OK) s = open_log(db->config);
    if (s == OK) s = start(db);
    if (s == OK) {
        *ret = db;
        return HELIOS_OK;
    }
    if (ret_message) *ret_message = embed__message(error_current());
    (void)stop(db);
    return HELIOS_ERROR;
}

enum helios_status helios_close(struct helios_db *db)
{
    if (!db || __atomic_load_n(&db->connections, __ATOMIC_ACQUIRE)) return HELIOS_MISUSE;
    if (stop(db) == OK) return HELIOS_OK;
    log_error(LOG_ERROR, "library");
    return HELIOS_ERROR;
}
