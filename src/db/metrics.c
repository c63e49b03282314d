/* What the database tells of its health and in numbers. Counters of statements are kept here, too:
 * one relaxed addition a statement. */
#include "base/metrics.h"

#include "core/store.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

enum { SAMPLE_EVERY = 16 };

static const char *const kind_names[STATEMENT_KINDS] = {
    "helios_statements_total{kind=\"select\"}", "helios_statements_total{kind=\"insert\"}",
    "helios_statements_total{kind=\"update\"}", "helios_statements_total{kind=\"delete\"}",
    "helios_statements_total{kind=\"merge\"}", "helios_statements_total{kind=\"copy\"}",
    "helios_statements_total{kind=\"other\"}"};

void db__metrics_init(struct db *db)
{
    static const char *const help = "Statements that succeeded, by kind.";
    for (int i = 0; i < STATEMENT_KINDS; i++)
        db->statements[i] = counter_get(kind_names[i], help);
    db->statement_seconds =
        histogram_get("helios_statement_duration_seconds",
                      "How long statements took, of one in 16 of each session.");
    (void)counter_get("helios_errors_total{class=\"XX\"}", "Errors told to clients, by SQLSTATE class.");
}

void session__count(struct session *s, enum statement_kind kind)
{
    counter_add(s->db->statements[kind], 1);
}

void db_count_error(enum status code)
{
    const char *state = status_sqlstate(code);
    char name[48];
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_addf(&b, "helios_errors_total{class=\"%.2s\"}", state);
    memcpy(name, b.data, b.len < sizeof name ? b.len + 1 : 0);
    strbuf_release(&b);
    counter_add(counter_get(name, "Errors told to clients, by SQLSTATE class."), 1);
}

/* Reading the clock twice costs more than many a point read's share of it: so not each is timed. */
void session__time_begin(struct session *s)
{
    /* Not the first of each session: that one is planned more often than others. */
    bool sampled = (s->pid + s->statement_number++) % SAMPLE_EVERY == 0;
    s->sampled = sampled;
    s->timed_us = sampled || s->settings.slow.statement_us >= 0 ? monotonic_us() : 0;
}

void session__time_end(struct session *s, const char *how, const char *name, struct slice text)
{
    if (!s->timed_us) return;
    int64_t took_us = monotonic_us() - s->timed_us;
    if (s->sampled) histogram_record(s->db->statement_seconds, (uint64_t)took_us);
    if (s->settings.slow.statement_us >= 0) slow_log__statement(s, took_us, how, name, text);
    s->timed_us = 0;
}

/* --- health --------------------------------------------------------------------------------- */

void db_begin_shutdown(struct db *db)
{
    __atomic_store_n(&db->stopping, true, __ATOMIC_RELEASE);
}

void db_get_health(struct db *db, struct db_health *ret)
{
    struct store_status st;
    store_get_status(db->store, &st);
    *ret = (struct db_health){.stopping = __atomic_load_n(&db->stopping, __ATOMIC_ACQUIRE),
                              .writes_stopped = st.writes_stopped,
                              .sessions = db_session_count(db),
                              .sessions_max = db->session_count_max};
}

/* --- the report ----------------------------------------------------------------------------- */

static void write_sessions(struct db *db, struct strbuf *out)
{
    static const char *const names[] = {"idle", "active", "idle_in_transaction",
                                        "idle_in_transaction_aborted"};
    unsigned counts[4] = {0};
    char name[80];
    fmutex_lock(&db->sessions_mutex);
    for (const struct session *s = db->sessions; s; s = s->next) counts[session__state(s)]++;
    fmutex_unlock(&db->sessions_mutex);
    metrics_family(out, "helios_sessions", "gauge", "Sessions by state.");
    for (int i = 0; i < 4; i++) {
        struct strbuf b;
        strbuf_init(&b, NULL);
        strbuf_addf(&b, "helios_sessions{state=\"%s\"}", names[i]);
        memcpy(name, b.data, b.len + 1);
        strbuf_release(&b);
        metrics_sample(out, name, counts[i]);
    }
    metrics_one(out, "helios_sessions_max", "gauge", "Sessions allowed at the same time.",
                db->session_count_max);
}

static void write_storage(const struct store_status *st, struct strbuf *out)
{
    metrics_one(out, "helios_cache_bytes", "gauge", "Pages in the block cache.",
                (double)st->cache_bytes);
    metrics_one(out, "helios_cache_limit_bytes", "gauge", "Size of the block cache.",
                (double)st->cache_bytes_max);
    metrics_one(out, "helios_cache_hits_total", "counter", "Pages found in the block cache.",
                (double)st->cache_hits);
    metrics_one(out, "helios_cache_misses_total", "counter", "Pages that had to be read.",
                (double)st->cache_misses);
    metrics_one(out, "helios_memtable_bytes", "gauge", "Memtables, frozen ones too.",
                (double)st->memtable_bytes);
    metrics_one(out, "helios_data_bytes", "gauge", "Space in use in the block files.",
                (double)st->disk_bytes);
    metrics_one(out, "helios_data_file_bytes", "gauge", "Size of the block files.",
                (double)st->file_bytes);
    metrics_one(out, "helios_trees", "gauge", "Trees: tables, indexes, sequences.", st->trees);
}

static void write_log(const struct store_status *st, struct strbuf *out)
{
    metrics_one(out, "helios_wal_bytes_total", "counter",
                "Bytes appended to the log since the database was made.",
                (double)st->appended_lsn);
    metrics_one(out, "helios_wal_durable_bytes_total", "counter", "Those of them that are on disk.",
                (double)st->durable_lsn);
    metrics_one(out, "helios_wal_flushes_total", "counter", "Flushes of the log.",
                (double)st->wal_flushes);
    metrics_one(out, "helios_wal_failed", "gauge", "1 when nothing can be written any more.",
                st->writes_stopped);
    metrics_one(out, "helios_recovery_duration_seconds", "gauge",
                "How long the log was read for at the start.", (double)st->recovery_us / 1e6);
    metrics_one(out, "helios_recovery_rows", "gauge", "Rows recovered from the log at the start.",
                (double)st->recovered_rows);
}

void db_write_metrics(struct db *db, struct strbuf *out)
{
    struct store_status st;
    store_get_status(db->store, &st);
    metrics_family(out, "helios_build_info", "gauge", "What is running; always 1.");
    metrics_sample(out, "helios_build_info{version=\"" HELIOS_VERSION
                        "\",postgres_version=\"" HELIOS_PG_VERSION "\"}", 1);
    metrics_one(out, "helios_start_time_seconds", "gauge", "When the database was opened, since 1970.",
                (double)(db->started_us + PG_EPOCH_US) / 1e6);
    metrics_one(out, "helios_uptime_seconds", "gauge", "Since the database was opened.",
                (double)(db__now_us(db) - db->started_us) / 1e6);
    write_sessions(db, out);
    metrics_one(out, "helios_transactions_active", "gauge", "Open transactions.", st.active_txns);
    metrics_one(out, "helios_serializable_kept", "gauge",
                "Committed serializable transactions that others must know of.",
                st.serializable_kept);
    metrics_one(out, "helios_serializable_bytes", "gauge",
                "What is kept of the reads and writes of serializable transactions.",
                st.serializable_bytes);
    write_storage(&st, out);
    write_log(&st, out);
    db__write_archive_metrics(db, out);
    admission_write_metrics(db->admission, out);
}
