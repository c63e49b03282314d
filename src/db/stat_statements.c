/* Counting what statements cost (statement_stats.h), and showing it: the views helios_stat_statements
 * and, for tools that know PostgreSQL's extension, pg_stat_statements, with its columns. */
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"
#include "db/system_function_priv.h"

void db__stat_statements_init(struct db *db)
{
    db->statement_stats_us = db__now_us(db);
    if (str_eq_nocase(config_string(db->config, "helios_stat_statements.track"), "none")) return;
    uint32_t max = (uint32_t)config_int(db->config, "helios_stat_statements.max");
    db->statement_stats = statement_stats_new(max);
    db->counts_utility = config_bool(db->config, "helios_stat_statements.track_utility");
}

/* --- counting --------------------------------------------------------------------------------- */

static void usage_now(const struct session *s, struct exec_usage *ret)
{
    const struct work_counts *w = work_counts();
    *ret = (struct exec_usage){.blocks_hit = w->blocks_hit, .blocks_read = w->blocks_read};
    if (s->txn) txn_get_written(s->txn, &ret->wal_records, &ret->wal_bytes);
}

/* A transaction that ended meanwhile has taken its numbers along. */
static uint64_t since(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

static struct exec_usage usage_since(const struct session *s, const struct exec_usage *before)
{
    struct exec_usage u;
    usage_now(s, &u);
    u.blocks_hit -= before->blocks_hit;
    u.blocks_read -= before->blocks_read;
    u.wal_records = since(before->wal_records, u.wal_records);
    u.wal_bytes = since(before->wal_bytes, u.wal_bytes);
    return u;
}

void session__run_begin(struct session *s, struct statement_run *r)
{
    r->start_us = 0;
    if (!s->db->statement_stats && s->settings.slow.plan_us < 0) return;
    usage_now(s, &r->before);
    r->start_us = monotonic_us();
}

void session__run_end(struct session *s, const struct statement_run *r, struct cached_plan *p,
                      const struct exec_params *params, const struct exec_result *result)
{
    if (!r->start_us) return;
    int64_t took_us = monotonic_us() - r->start_us;
    if (s->settings.slow.plan_us >= 0) slow_log__plan(s, p->plan, params, result, took_us);
    if (!p->entry) return;
    struct exec_usage u = usage_since(s, &r->before);
    u.temp_read = result->temp_read;
    u.temp_written = result->temp_written;
    statement_stats_count(s->db->statement_stats, p->entry, took_us, result->rows_processed, &u);
}

void session__run_pause(struct session *s, const struct statement_run *r, int64_t *took_us,
                        struct exec_usage *usage)
{
    if (!r->start_us) return;
    struct exec_usage u = usage_since(s, &r->before);
    usage->blocks_hit += u.blocks_hit;
    usage->blocks_read += u.blocks_read;
    *took_us += monotonic_us() - r->start_us;
}

void session__run_over(struct session *s, struct cached_plan *p, const struct exec_params *params,
                       int64_t took_us, uint64_t rows, const struct exec_usage *usage)
{
    struct exec_result result = {.rows_processed = rows};
    if (s->settings.slow.plan_us >= 0) slow_log__plan(s, p->plan, params, &result, took_us);
    if (p->entry) statement_stats_count(s->db->statement_stats, p->entry, took_us, rows, usage);
}

/* Of a string of several statements, the one. */
static struct slice text_of(const struct statement *st, struct slice text)
{
    size_t start = st->start > 0 && (size_t)st->start < text.len ? (size_t)st->start : 0;
    size_t len = st->len > 0 ? (size_t)st->len : text.len;
    return slice_make(text.data + start, len < text.len - start ? len : text.len - start);
}

static struct statement_entry *entry_of(struct session *s, const struct statement *st,
                                        struct slice text)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    uint64_t id = sql_fingerprint(text_of(st, text), &b);
    struct statement_entry *e = statement_stats_get(s->db->statement_stats, s->user_oid,
                                                    s->database_oid, id, strbuf_slice(&b));
    strbuf_release(&b);
    return e;
}

/* As PostgreSQL: what prepares, runs and forgets another statement does not count itself. */
void session__utility_end(struct session *s, const struct statement_run *r,
                          const struct statement *st, struct slice text)
{
    enum ast_kind kind = st->ast->kind;
    if (!r->start_us || !s->db->counts_utility || !s->db->statement_stats) return;
    if (kind == AST_PREPARE || kind == AST_EXECUTE || kind == AST_DEALLOCATE) return;
    int64_t took_us = monotonic_us() - r->start_us;
    struct exec_usage u = usage_since(s, &r->before);
    struct statement_entry *e = entry_of(s, st, text);
    statement_stats_count(s->db->statement_stats, e, took_us, 0, &u);
    statement_entry_unref(e);
}

void session__count_plan(struct session *s, struct cached_plan *p, const struct statement *st,
                         struct slice text, int64_t took_us)
{
    if (!p->entry) p->entry = entry_of(s, st, text);
    statement_stats_count_plan(s->db->statement_stats, p->entry, took_us);
}

/* --- showing ---------------------------------------------------------------------------------- */

enum { TIME_CELLS = 5, COLUMNS = 43, BLOCK_BYTES = 8192 };

/* total, min, max, mean, stddev in ms. */
static void add_times(struct sys_cell *to, uint64_t n, double sum, double squares, double min,
                      double max)
{
    double mean = n ? sum / (double)n : 0, variance = n ? squares / (double)n - mean * mean : 0;
    double deviation = variance > 0 ? __builtin_sqrt(variance) : 0;
    const double values[TIME_CELLS] = {sum, min, max, mean, deviation};
    for (int i = 0; i < TIME_CELLS; i++) to[i] = R(values[i] / 1000.0);
}

static enum status emit_line(struct sys_scan *x, const struct statement_line *l)
{
    const struct statement_sums *t = &l->sums;
    const struct exec_usage *u = &t->usage;
    struct sys_cell c[COLUMNS];
    bool visible = x->s->superuser || l->user == x->s->user_oid;
    for (int i = 0; i < COLUMNS; i++) c[i] = x->table->columns[i].type == TYPE_FLOAT8 ? R(0) : I(0);
    c[0] = I(l->user);
    c[1] = I(l->database);
    c[2] = I(true);
    c[3] = visible ? I((int64_t)l->query_id) : N;
    c[4] = T(visible ? l->text : "<insufficient privilege>");
    c[5] = I((int64_t)t->plans);
    add_times(&c[6], t->plans, t->plan_us, t->plan_us_squared, t->plan_us_min, t->plan_us_max);
    c[11] = I((int64_t)t->calls);
    add_times(&c[12], t->calls, t->us, t->us_squared, t->us_min, t->us_max);
    c[17] = I((int64_t)t->rows);
    c[18] = I((int64_t)u->blocks_hit);
    c[19] = I((int64_t)u->blocks_read);
    c[26] = I((int64_t)((u->temp_read + BLOCK_BYTES - 1) / BLOCK_BYTES));
    c[27] = I((int64_t)((u->temp_written + BLOCK_BYTES - 1) / BLOCK_BYTES));
    c[32] = I((int64_t)u->wal_records);
    c[34] = I((int64_t)u->wal_bytes);
    return sys_emit_cells(x, c, COLUMNS);
}

enum status sys_stat_statements(struct sys_scan *x)
{
    uint32_t n = 0;
    struct statement_stats *stats = x->s->db->statement_stats;
    const struct statement_line *lines = stats ? statement_stats_read(stats, x->arena, &n) : NULL;
    for (uint32_t i = 0; i < n; i++)
        if (lines[i].sums.calls) TRY(emit_line(x, &lines[i]));
    return OK;
}

enum status sys_stat_statements_info(struct sys_scan *x)
{
    struct db *db = x->s->db;
    uint64_t out = db->statement_stats ? statement_stats_driven_out(db->statement_stats) : 0;
    return SYS_EMIT(x, I((int64_t)out),
                    I(__atomic_load_n(&db->statement_stats_us, __ATOMIC_RELAXED)));
}

enum status sys_stat_statements_reset(struct sys_call *c)
{
    struct db *db = c->s->db;
    oid_t user = c->n ? sys_arg_oid(c, 0) : 0, database = c->n ? sys_arg_oid(c, 1) : 0;
    uint64_t id = c->n ? (uint64_t)c->args[2].v.i64 : 0;
    if (!c->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for function %s", c->proc->name);
    if (db->statement_stats) statement_stats_reset(db->statement_stats, user, database, id);
    if (!user && !database && !id)
        __atomic_store_n(&db->statement_stats_us, db__now_us(db), __ATOMIC_RELAXED);
    return sys_ret_null(c);
}
