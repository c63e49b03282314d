/* Backups and the log's archive, as clients see them: helios_backup('/path'[, '/previous'][, compress]), pg_switch_wal(),
 * pg_current_wal_lsn() and pg_stat_archiver. */
#include "core/backup.h"
#include "base/log.h"
#include "base/metrics.h"
#include "db/system_function_priv.h"

static enum status poll(void *ctx)
{
    return session__check_interrupts(ctx);
}

static enum status backup(struct sys_call *c, const char *previous, bool compress)
{
    struct session *s = c->s;
    struct backup_options o = {.path = sys_arg_text(c, 0), .previous = previous, .compress = compress, .poll = poll,
                               .ctx = s};
    struct backup_result r;
    if (!s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for function %s", c->proc->name);
    if (o.path[0] != '/' || (previous && previous[0] != '/'))
        return FAIL(INVALID_NAME, "relative path not allowed for a backup");
    TRY(store_backup(s->db->store, &o, &r));
    LOG(LOG_INFO, "backup", "%s: transaction %llu, %llu bytes, %llu of %llu runs", o.path, (unsigned long long)r.ts,
        (unsigned long long)r.bytes, (unsigned long long)r.copied_runs, (unsigned long long)r.runs);
    return sys_ret_int8(c, (int64_t)r.bytes);
}

enum status sys_backup(struct sys_call *c)
{
    return backup(c, NULL, false);
}

enum status sys_backup_incremental(struct sys_call *c)
{
    return backup(c, sys_arg_text(c, 1), false);
}

enum status sys_backup_compressed(struct sys_call *c)
{
    return backup(c, NULL, sys_arg_bool(c, 1));
}

enum status sys_backup_incremental_compressed(struct sys_call *c)
{
    return backup(c, sys_arg_text(c, 1), sys_arg_bool(c, 2));
}

/* --- the log ------------------------------------------------------------------------------------ */

static enum status ret_lsn(struct sys_call *c, uint64_t lsn)
{
    return sys_ret_text(c, arena_printf(c->a, "%llX/%llX", (unsigned long long)(lsn >> 32),
                                        (unsigned long long)(lsn & UINT32_MAX)));
}

enum status sys_switch_log(struct sys_call *c)
{
    uint64_t lsn;
    if (!c->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for function %s", c->proc->name);
    TRY(store_switch_log(c->s->db->store, &lsn));
    return ret_lsn(c, lsn);
}

enum status sys_current_lsn(struct sys_call *c)
{
    struct store_status st;
    store_get_status(c->s->db->store, &st);
    return ret_lsn(c, st.durable_lsn);
}

static struct sys_cell text_or_null(const char *s)
{
    return *s ? T(s) : N;
}

enum status sys_pg_stat_archiver(struct sys_scan *x)
{
    struct archive_status a;
    store_get_archive_status(x->s->db->store, &a);
    return SYS_EMIT(x, I((int64_t)a.archived), text_or_null(a.last), a.last_us ? I(a.last_us - PG_EPOCH_US) : N,
                    I((int64_t)a.failed), text_or_null(a.last_failed),
                    a.last_failed_us ? I(a.last_failed_us - PG_EPOCH_US) : N, I(x->s->db->started_us),
                    a.on ? I((int64_t)a.waiting_bytes) : N, text_or_null(a.error));
}

void db__write_archive_metrics(struct db *db, struct strbuf *out)
{
    struct archive_status a;
    store_get_archive_status(db->store, &a);
    if (!a.on) return;
    metrics_one(out, "helios_archive_segments_total", "counter", "Log segments archived.", (double)a.archived);
    metrics_one(out, "helios_archive_failures_total", "counter", "Attempts to archive the log that failed.",
                (double)a.failed);
    metrics_one(out, "helios_archive_waiting_bytes", "gauge", "Log on disk that is not archived yet.",
                (double)a.waiting_bytes);
    metrics_one(out, "helios_archive_full", "gauge", "1 when writes are refused since too much of it waits.", a.full);
}
