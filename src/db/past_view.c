/* What is shown of history: the view helios_history, and functions between times and the numbers of
 * commits. */
#include "core/txn.h"
#include "db/past_priv.h"
#include "db/system_function_priv.h"
#include "db/system_priv.h"

/* Of the table and its indexes. */
static struct tree_statistics sum_trees(struct store *store, const struct table_def *t)
{
    struct tree_statistics all = {0};
    for (int i = -1; i < t->index_count; i++) {
        struct tree_statistics one;
        uint64_t tree = i < 0 ? t->tree : t->indexes[i]->tree;
        if (!tree) continue;
        enum status st = store_get_statistics(store, tree, &one);
        if (st != OK) { /* dropped just now */
            error_clear();
            continue;
        }
        all.history_bytes += one.history_bytes;
        all.history_runs += one.history_runs;
        all.disk_bytes += one.disk_bytes;
    }
    return all;
}

static enum status emit_table(struct sys_scan *x, const struct table_def *t)
{
    struct store *store = x->s->db->store;
    struct tree_statistics all = sum_trees(store, t);
    int64_t retention = db__table_retention(x->s->db, t);
    return SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name), I(retention / 1000),
                    I(past_time(store_history_begins(store, t->tree))),
                    I((int64_t)all.history_runs), I((int64_t)all.history_bytes),
                    I((int64_t)all.disk_bytes));
}

/* A line without names is what was dropped and is still kept. */
enum status sys_helios_history(struct sys_scan *x)
{
    const struct table_def *t;
    struct retired_status retired;
    for (size_t pos = 0; sys_next_table(x, &pos, &t);)
        if (t->tree && t->kind == 'r' && !sys_is_system(t)) TRY(emit_table(x, t));
    store_get_retired(x->s->db->store, &retired);
    if (!retired.trees) return OK;
    return SYS_EMIT(x, N, N, N, N, I((int64_t)retired.runs), I((int64_t)retired.bytes),
                    I((int64_t)retired.bytes));
}

/* --- what holds garbage collection back ------------------------------------------------------- */

static enum status emit_cause(struct sys_scan *x, const char *kind, uint32_t pid,
                              const struct table_def *t, uint64_t ts, struct sys_cell history)
{
    int64_t since = past_time(ts), age = db__now_us(x->s->db) - since;
    return SYS_EMIT(x, T(kind), pid ? I(pid) : N, t ? T(sys_schema_name(x, t->schema)) : N,
                    t ? T(t->name) : N, I((int64_t)ts), I(since), I(age > 0 ? age / 1000 : 0), history);
}

/* Snapshots, then the moments from which the tables' history is kept, with what it takes. */
enum status sys_helios_gc(struct sys_scan *x)
{
    struct store *store = x->s->db->store;
    struct snapshot_line *lines;
    uint32_t count;
    const struct table_def *t;
    store_snapshots(store, x->arena, &lines, &count);
    for (uint32_t i = 0; i < count; i++)
        TRY(emit_cause(x, lines[i].past ? "snapshot of the past" : "snapshot", lines[i].pid, NULL,
                       lines[i].ts, N));
    for (size_t pos = 0; sys_next_table(x, &pos, &t);) {
        if (!t->tree || t->kind != 'r' || sys_is_system(t)) continue;
        uint64_t now = past_ts(db__now_us(x->s->db));
        int64_t retention = db__table_retention(x->s->db, t);
        uint64_t horizon = retention == INT64_MAX ? 0 : past_ts(db__now_us(x->s->db) - retention);
        uint64_t begins = store_history_begins(store, t->tree);
        TRY(emit_cause(x, "retention", 0, t, horizon > begins ? horizon : begins < now ? begins : now,
                       I((int64_t)sum_trees(store, t).history_bytes)));
    }
    return OK;
}

static enum status current_scn(struct sys_call *c)
{
    return sys_ret_int8(c, (int64_t)store_last_commit(c->s->db->store));
}

static enum status transaction_at(struct sys_call *c)
{
    return sys_ret_int8(c, (int64_t)past_ts(c->args[0].v.i64));
}

static enum status transaction_time(struct sys_call *c)
{
    return sys_ret_int8(c, past_time((uint64_t)c->args[0].v.i64));
}

const struct sys_binding sys_past_functions[] = {
    {"pg_current_scn", current_scn},
    {"helios_transaction_at", transaction_at},
    {"helios_transaction_time", transaction_time},
};
const uint32_t sys_past_function_count = sizeof sys_past_functions / sizeof sys_past_functions[0];
