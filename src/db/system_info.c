/* System functions that tell of sizes, sessions and transactions, and of what indexes can do. */
#include "core/store.h"
#include "core/txn.h"
#include "db/system_function_priv.h"

/* --- sizes ----------------------------------------------------------------------------------- */

static int64_t tree_bytes(const struct sys_call *c, uint64_t tree)
{
    struct tree_statistics stats;
    if (tree == 0) return 0;
    if (session__tree_statistics(c->s, tree, &stats) == OK) return (int64_t)stats.bytes;
    error_clear(); /* made by this transaction: nothing of it is written yet */
    return 0;
}

static int64_t indexes_bytes(const struct sys_call *c, const struct table_def *t)
{
    int64_t n = 0;
    for (uint16_t i = 0; i < t->index_count; i++) n += tree_bytes(c, t->indexes[i]->tree);
    return n;
}

static int64_t table_bytes(const struct sys_call *c, const struct table_def *t)
{
    return tree_bytes(c, t->sequence ? t->sequence->tree : t->tree);
}

/* The relation of the first argument; false when there is none: the answer is NULL then. A primary
 * key's index is the table's own tree and counts as part of the table. */
static bool relation_arg(const struct sys_call *c, const struct table_def **ret_table,
                         const struct index_def **ret_index)
{
    *ret_table = catalog_table_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    *ret_index = *ret_table ? NULL : catalog_index_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    return *ret_table || *ret_index;
}

static enum status relation_size(struct sys_call *c)
{
    static const char *const forks[] = {"main", "fsm", "vm", "init"};
    const struct table_def *t;
    const struct index_def *ix;
    size_t fork = 0;
    if (c->n > 1) {
        const char *name = sys_arg_text(c, 1);
        while (fork < 4 && strcmp(forks[fork], name) != 0) fork++;
        if (fork == 4) {
            FAIL(INVALID_PARAMETER_VALUE, "invalid fork name");
            return error_hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".");
        }
    }
    if (!relation_arg(c, &t, &ix)) return sys_ret_null(c);
    if (fork != 0) return sys_ret_int8(c, 0);
    return sys_ret_int8(c, t ? table_bytes(c, t) : tree_bytes(c, ix->tree));
}

static enum status table_size(struct sys_call *c)
{
    const struct table_def *t;
    const struct index_def *ix;
    if (!relation_arg(c, &t, &ix)) return sys_ret_null(c);
    return sys_ret_int8(c, t ? table_bytes(c, t) : tree_bytes(c, ix->tree));
}

static enum status indexes_size(struct sys_call *c)
{
    const struct table_def *t;
    const struct index_def *ix;
    if (!relation_arg(c, &t, &ix)) return sys_ret_null(c);
    return sys_ret_int8(c, t ? indexes_bytes(c, t) : 0);
}

static enum status total_size(struct sys_call *c)
{
    const struct table_def *t;
    const struct index_def *ix;
    if (!relation_arg(c, &t, &ix)) return sys_ret_null(c);
    return sys_ret_int8(c, t ? table_bytes(c, t) + indexes_bytes(c, t) : tree_bytes(c, ix->tree));
}

/* database 0: all of them. */
static int64_t database_bytes(const struct sys_call *c, oid_t database)
{
    size_t pos = 0;
    const struct table_def *t;
    int64_t n = 0;
    while (catalog_next_table(c->s->catalog, &pos, &t))
        if (!sys_is_system(t) && (!database || t->database == database))
            n += table_bytes(c, t) + indexes_bytes(c, t);
    return n;
}

static enum status database_size_name(struct sys_call *c)
{
    const char *name = sys_arg_text(c, 0);
    const struct database_def *d = catalog_database(c->s->catalog, slice_of(name));
    if (!d) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", name);
    return sys_ret_int8(c, database_bytes(c, d->oid));
}

static enum status database_size_oid(struct sys_call *c)
{
    const struct database_def *d = catalog_database_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    return d ? sys_ret_int8(c, database_bytes(c, d->oid)) : sys_ret_null(c);
}

static enum status tablespace_size(struct sys_call *c)
{
    if (c->proc->args[0] == TYPE_OID)
        return sys_ret_int8(c, sys_arg_oid(c, 0) == TABLESPACE_DEFAULT ? database_bytes(c, 0) : 0);
    const char *name = sys_arg_text(c, 0);
    if (strcmp(name, "pg_global") == 0) return sys_ret_int8(c, 0);
    if (strcmp(name, "pg_default") == 0) return sys_ret_int8(c, database_bytes(c, 0));
    return FAIL(UNDEFINED_OBJECT, "tablespace \"%s\" does not exist", name);
}

static enum status tablespace_location(struct sys_call *c)
{
    return sys_ret_text(c, "");
}

static enum status relation_filenode(struct sys_call *c)
{
    const struct table_def *t;
    const struct index_def *ix;
    if (!relation_arg(c, &t, &ix) || (t && t->kind == 'v')) return sys_ret_null(c);
    return sys_ret_oid(c, sys_arg_oid(c, 0));
}

/* All relations lie in one set of files: there is no path of one. */
static enum status relation_filepath(struct sys_call *c)
{
    return sys_ret_null(c);
}

static enum status is_publishable(struct sys_call *c)
{
    const struct table_def *t;
    const struct index_def *ix;
    if (!relation_arg(c, &t, &ix)) return sys_ret_null(c);
    return sys_ret_bool(c, t && t->kind == 'r' && t->persistence == 'p' && !sys_is_system(t));
}

/* --- sessions and transactions --------------------------------------------------------------- */

static enum status start_time(struct sys_call *c)
{
    return sys_ret_int8(c, c->s->db->started_us);
}

static enum status my_temp_schema(struct sys_call *c)
{
    return sys_ret_oid(c, session__path(c->s)->temporary);
}

static enum status current_xact_id(struct sys_call *c)
{
    return c->s->txn ? sys_ret_int8(c, (int64_t)txn_id(c->s->txn)) : sys_ret_null(c);
}

static enum status xid_age(struct sys_call *c)
{
    uint32_t now = c->s->txn ? (uint32_t)txn_id(c->s->txn) : 0;
    *c->ret = (struct datum){.v.i32 = (int32_t)(now - sys_arg_oid(c, 0))};
    return OK;
}

struct peer {
    bool found;
    oid_t user;
};

static struct peer find_session(struct db *db, uint32_t pid)
{
    struct peer t = {0};
    fmutex_lock(&db->sessions_mutex);
    for (const struct session *s = db->sessions; s && !t.found; s = s->next)
        if (s->pid == pid) t = (struct peer){true, s->user_oid};
    fmutex_unlock(&db->sessions_mutex);
    return t;
}

static enum status signal_backend(struct sys_call *c, bool terminate)
{
    struct db *db = c->s->db;
    uint32_t pid = (uint32_t)c->args[0].v.i32;
    struct peer t = find_session(db, pid);
    const struct role_def *owner = catalog_role_by_oid(c->s->catalog, t.user);
    if (!t.found) return sys_ret_bool(c, false);
    if (owner && owner->superuser && !c->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be a superuser to %s superuser %s",
                    terminate ? "terminate" : "cancel", terminate ? "process" : "query");
    if (t.user != c->s->user_oid && !c->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE,
                    "must be a member of the role whose %s or member of pg_signal_backend",
                    terminate ? "process is being terminated" : "query is being canceled");
    return sys_ret_bool(c, terminate ? db_terminate(db, pid) : db_cancel(db, pid, 0));
}

static enum status cancel_backend(struct sys_call *c)
{
    return signal_backend(c, false);
}

/* Sleeps in between rather than be woken: nobody counts on the moment. */
static enum status wait_for_end(struct sys_call *c, int64_t timeout_ms)
{
    enum { LOOK_US = 2000 };
    uint32_t pid = (uint32_t)c->args[0].v.i32;
    int64_t until = monotonic_us() + timeout_ms * 1000;
    bool there;
    while ((there = find_session(c->s->db, pid).found) && monotonic_us() < until)
        if (fiber_sleep_us(LOOK_US) == PARK_CANCELED)
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    return sys_ret_bool(c, !there);
}

static enum status terminate_backend(struct sys_call *c)
{
    enum { TIMEOUT_MS_MAX = INT32_MAX };
    int64_t timeout_ms = c->n > 1 ? c->args[1].v.i64 : 0;
    if (timeout_ms < 0)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "\"timeout\" must not be negative");
    TRY(signal_backend(c, true));
    if (timeout_ms == 0 || !c->ret->v.b || (uint32_t)c->args[0].v.i32 == c->s->pid) return OK;
    return wait_for_end(c, timeout_ms < TIMEOUT_MS_MAX ? timeout_ms : TIMEOUT_MS_MAX);
}

/* --- sequences and statistics ---------------------------------------------------------------- */

static enum status sequence_last_value(struct sys_call *c)
{
    const struct table_def *t;
    const struct index_def *ix;
    int64_t value;
    bool called;
    if (!relation_arg(c, &t, &ix) || !t || !t->sequence)
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a sequence",
                    t ? t->name : ix ? ix->name : "?");
    TRY(sequence_read(c->s, t, &value, &called));
    return called ? sys_ret_int8(c, value) : sys_ret_null(c);
}

static enum status no_count(struct sys_call *c)
{
    return sys_ret_int8(c, 0);
}

/* --- what indexes can do --------------------------------------------------------------------- */

static enum status indexam_has_property(struct sys_call *c)
{
    static const char *const properties[] = {"can_order", "can_unique", "can_multi_col",
                                             "can_exclude", "can_include"};
    oid_t method = sys_arg_oid(c, 0);
    const char *name = sys_arg_text(c, 1);
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (!str_eq_nocase(name, properties[i])) continue;
        if (method == AM_BTREE) return sys_ret_bool(c, true);
        return method == AM_HASH ? sys_ret_bool(c, i == 3) : sys_ret_null(c);
    }
    return sys_ret_null(c);
}

static enum status index_column_has_property(struct sys_call *c)
{
    const struct index_def *ix = catalog_index_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    int32_t at = c->args[1].v.i32;
    const char *name = sys_arg_text(c, 2);
    if (!ix || at < 1 || at > ix->column_count) return sys_ret_null(c);
    const struct index_column *col = &ix->columns[at - 1];
    bool key = at <= ix->key_count;
    const struct {
        const char *name;
        bool value;
    } properties[] = {{"asc", key && !col->descending},
                      {"desc", key && col->descending},
                      {"nulls_first", key && col->nulls_first},
                      {"nulls_last", key && !col->nulls_first},
                      {"orderable", key},
                      {"distance_orderable", false},
                      {"returnable", true},
                      {"search_array", key},
                      {"search_nulls", key}};
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (str_eq_nocase(name, properties[i].name)) return sys_ret_bool(c, properties[i].value);
    return sys_ret_null(c);
}

/* --- the table ------------------------------------------------------------------------------- */

const struct sys_binding sys_info_functions[] = {
    {"pg_relation_size", relation_size},
    {"pg_relation_size_sql2325", relation_size},
    {"pg_table_size", table_size},
    {"pg_indexes_size", indexes_size},
    {"pg_total_relation_size", total_size},
    {"pg_database_size_name", database_size_name},
    {"pg_database_size_oid", database_size_oid},
    {"pg_tablespace_size_oid", tablespace_size},
    {"pg_tablespace_size_name", tablespace_size},
    {"pg_tablespace_location", tablespace_location},
    {"pg_relation_filenode", relation_filenode},
    {"pg_relation_filepath", relation_filepath},
    {"pg_relation_is_publishable", is_publishable},
    {"pg_relation_is_updatable", sys_relation_is_updatable},
    {"pg_column_is_updatable", sys_column_is_updatable},
    {"pg_postmaster_start_time", start_time},
    {"pg_conf_load_time", start_time},
    {"pg_my_temp_schema", my_temp_schema},
    {"pg_current_xact_id", current_xact_id},
    {"pg_current_xact_id_if_assigned", current_xact_id},
    {"xid_age", xid_age},
    {"pg_cancel_backend", cancel_backend},
    {"stat_statements_reset", sys_stat_statements_reset},
    {"pg_terminate_backend", terminate_backend},
    {"helios_backup", sys_backup},
    {"helios_backup_incremental", sys_backup_incremental},
    {"helios_backup_compressed", sys_backup_compressed},
    {"helios_backup_incremental_compressed", sys_backup_incremental_compressed},
    {"pg_switch_wal", sys_switch_log},
    {"pg_current_wal_lsn", sys_current_lsn},
    {"pg_export_snapshot", sys_export_snapshot},
    {"pg_sequence_last_value", sequence_last_value},
    {"pg_stat_get_numscans", no_count},
    {"pg_indexam_has_property", indexam_has_property},
    {"pg_index_column_has_property", index_column_has_property},
};
const uint32_t sys_info_function_count = sizeof sys_info_functions / sizeof sys_info_functions[0];
