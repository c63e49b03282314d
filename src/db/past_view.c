/* What is shown of history: the view helios_history, and functions between times and the numbers of
 * commits. */
#include "core/txn.h"
#include "db/past_priv.h"
#include "db/system_function_priv.h"
#include "db/system_priv.h"

static enum status emit_table(struct sys_scan *x, const struct table_def *t)
{
    struct store *store = x->s->db->store;
    struct tree_statistics all = {0};
    int64_t retention = db__table_retention(x->s->db, t);
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
