/* Statistics that follow the data: a thread of its own looks at all tables now and then, and analyses
 * those that have changed much since they were last.
 *
 * How many rows were written is counted in slots by a hash of the table's oid, without locks; tables
 * that share a slot are both looked at early, which is harmless. Row counts that differ from the
 * statistics' tell what was written before a restart. The table is read in one transaction and the
 * catalog changed in another, so that the lock of DDL is held for a moment only; a table that
 * somebody has locked waits for the next round. */
#include "core/txn.h"

#include "base/hash.h"
#include "base/log.h"
#include "db/analyze.h"
#include "db/storage_priv.h"
#include "exec/usage.h"

enum { SLOTS = 4096, LOCK_TIMEOUT_US = 1000000 };

struct autoanalyze {
    struct db *db;
    struct pool *pool;
    struct waiter *waiter; /* atomic */
    uint32_t stopping;     /* atomic */
    uint32_t session_pid;  /* atomic; 0: none */
    int64_t interval_us, threshold;
    double scale;
    uint32_t changes[SLOTS]; /* atomic; rows written, saturating */
};

static uint32_t *slot_of(struct autoanalyze *a, oid_t table)
{
    return &a->changes[hash_u64(table) % SLOTS];
}

static void add(struct autoanalyze *a, oid_t table, uint64_t rows)
{
    if (!a) return;
    uint32_t *slot = slot_of(a, table);
    uint32_t have = __atomic_load_n(slot, __ATOMIC_RELAXED);
    /* Two at once may lose a count: it steers, and proves nothing. */
    uint64_t sum = have + rows;
    __atomic_store_n(slot, sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum, __ATOMIC_RELAXED);
}

void autoanalyze_count(struct session *s, oid_t table, uint64_t rows)
{
    uint32_t i = 0;
    while (i < s->written_count && s->written[i].table != table) i++;
    if (i == SESSION_WRITTEN_MAX) {
        add(s->db->autoanalyze, table, rows); /* a little early */
        usage_count_changes(s->db->usage, table, rows);
        return;
    }
    if (i == s->written_count) {
        s->written_count++;
        s->written[i].table = table;
        s->written[i].rows = 0;
    }
    s->written[i].rows += rows;
}

void autoanalyze_ended(struct session *s, bool committed)
{
    for (uint32_t i = 0; committed && i < s->written_count; i++) {
        add(s->db->autoanalyze, s->written[i].table, s->written[i].rows);
        usage_count_changes(s->db->usage, s->written[i].table, s->written[i].rows);
    }
    s->written_count = 0;
}

void autoanalyze_done(struct db *db, oid_t table)
{
    if (db->autoanalyze) __atomic_store_n(slot_of(db->autoanalyze, table), 0, __ATOMIC_RELAXED);
}

/* --- one table ------------------------------------------------------------------------------ */

static bool is_due(struct autoanalyze *a, const struct table_def *t)
{
    struct tree_statistics now;
    if ((t->kind != 'r' && t->kind != 'm') || t->virtual_id >= 0 || !t->tree) return false;
    if (store_get_statistics(a->db->store, t->tree, &now) != OK) return error_clear(), false;
    double known = t->statistics.rows > 0 ? t->statistics.rows : 0, rows = (double)now.rows;
    double grown = known > rows ? known - rows : rows - known;
    double changed = __atomic_load_n(slot_of(a, t->oid), __ATOMIC_RELAXED);
    double limit = (double)a->threshold + a->scale * known;
    return (changed > grown ? changed : grown) > limit;
}

static enum status lock_now(struct session *s, oid_t table, enum relation_lock mode, bool *ret_got)
{
    enum status st = txn_lock_relation(s->txn, table, mode, true);
    *ret_got = st == OK;
    if (st != LOCK_NOT_AVAILABLE) return st;
    error_clear();
    return OK;
}

static enum status read_table(struct session *s, oid_t oid, struct table_def *ret, bool *ret_made)
{
    struct tree_statistics now;
    const struct table_def *t = catalog_table_by_oid(s->catalog, oid);
    static const struct name_list all = {0};
    *ret_made = false;
    if (!t) return OK;
    TRY(lock_now(s, oid, LOCK_ACCESS_SHARE, ret_made));
    if (!*ret_made) return OK;
    TRY(store_get_statistics(s->db->store, t->tree, &now));
    return analyze_table(s, t, &all, (double)now.rows, &s->arena, ret);
}

/* What was found, in the table as it is by now: its columns may have changed meanwhile. */
static void merge(struct session *s, const struct table_def *found, struct table_def *into)
{
    struct column_def *columns =
        arena_memdup(&s->arena, into->columns, into->column_count * sizeof *columns);
    const struct index_def **indexes =
        arena_memdup(&s->arena, into->indexes, into->index_count * sizeof *indexes);
    for (uint16_t i = 0; i < into->column_count && i < found->column_count; i++)
        if (!columns[i].dropped && columns[i].type == found->columns[i].type)
            columns[i].statistics = found->columns[i].statistics;
    for (uint16_t i = 0; i < into->index_count; i++)
        for (uint16_t k = 0; k < found->index_count; k++) {
            if (indexes[i]->oid != found->indexes[k]->oid) continue;
            struct index_def *x = arena_memdup(&s->arena, indexes[i], sizeof *x);
            if (x->key_count == found->indexes[k]->key_count)
                x->prefix_distinct = found->indexes[k]->prefix_distinct;
            indexes[i] = x;
        }
    into->columns = columns;
    into->indexes = indexes;
    into->statistics.rows = found->statistics.rows;
}

static enum status keep(struct session *s, const struct table_def *found, bool *ret_kept)
{
    enum { PAGE_BYTES = 8192 };
    struct tree_statistics now;
    struct catalog *next;
    *ret_kept = false;
    TRY(session__begin_ddl(s));
    const struct table_def *t = catalog_table_by_oid(s->catalog, found->oid);
    if (!t || t->tree != found->tree) return OK;
    TRY(lock_now(s, t->oid, LOCK_SHARE_UPDATE_EXCLUSIVE, ret_kept));
    if (!*ret_kept) return OK;
    struct table_def def = *t;
    merge(s, found, &def);
    TRY(store_get_statistics(s->db->store, t->tree, &now));
    uint64_t pages = (now.bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    def.statistics.pages = pages < INT32_MAX ? (uint32_t)pages : INT32_MAX;
    TRY(catalog_put_table(session__catalog(s), s->txn, &def, &next));
    session__set_catalog(s, next);
    return OK;
}

static enum status in_statement(struct session *s, enum status st)
{
    txn_statement_end(s->txn);
    if (st == OK) return session__commit(s, NULL);
    session__abort(s, NULL);
    return st;
}

static enum status begin_statement(struct session *s)
{
    TRY(session__ensure_txn(s));
    txn_statement_begin(s->txn);
    s->txn_began_statement = true;
    return OK;
}

static enum status analyze_one(struct session *s, oid_t oid)
{
    struct table_def found;
    bool made = false;
    uint32_t *slot = slot_of(s->db->autoanalyze, oid);
    uint32_t seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE); /* what comes later is for the next time */
    TRY(begin_statement(s));
    struct catalog *read = catalog_ref(s->catalog); /* what is found points into it */
    enum status st = in_statement(s, read_table(s, oid, &found, &made));
    if (st == OK && made) {
        st = begin_statement(s);
        if (st == OK) st = in_statement(s, keep(s, &found, &made));
    }
    uint32_t now = __atomic_load_n(slot, __ATOMIC_RELAXED);
    if (st == OK && made) __atomic_store_n(slot, now > seen ? now - seen : 0, __ATOMIC_RELAXED);
    catalog_unref(read);
    arena_clear(&s->arena);
    return st;
}

/* --- all of them ---------------------------------------------------------------------------- */

static bool stopping(const struct autoanalyze *a)
{
    return __atomic_load_n(&a->stopping, __ATOMIC_SEQ_CST) ||
           __atomic_load_n(&a->db->stopping, __ATOMIC_SEQ_CST);
}

/* How it is kept is changed as ALTER TABLE would; the store then rewrites what is there. */
static enum status put_storage(struct session *s, oid_t oid)
{
    struct catalog *next;
    bool locked;
    TRY(session__begin_ddl(s));
    const struct table_def *t = catalog_table_by_oid(s->catalog, oid);
    if (!t) return OK;
    TRY(lock_now(s, oid, LOCK_SHARE_UPDATE_EXCLUSIVE, &locked));
    if (!locked || !storage_change_due(s->db, t)) return OK;
    struct table_def def = *t;
    def.options = storage_chosen(s->db, t, &s->arena);
    LOG(LOG_NOTICE, "storage", "table \"%s\" is now kept as %s", t->name, table_storage_name(table_storage(&def)));
    TRY(catalog_put_table(session__catalog(s), s->txn, &def, &next));
    session__set_catalog(s, next);
    return OK;
}

static enum status store_one(struct session *s, oid_t oid)
{
    TRY(begin_statement(s));
    enum status st = in_statement(s, put_storage(s, oid));
    if (st == OK) usage_forget(s->db->usage, oid); /* what is to come is judged anew */
    arena_clear(&s->arena);
    return st;
}

static enum status run_in_session(struct autoanalyze *a, const struct catalog *c, const struct table_def *t,
                                  enum status (*work)(struct session *s, oid_t oid))
{
    const struct role_def *role = catalog_role_by_oid(c, OID_ROLE_BOOTSTRAP);
    const struct database_def *d = catalog_database_by_oid(c, t->database);
    struct session *s;
    if (!role || !role->can_login || !d) return OK;
    static const char *const settings[] = {"application_name", "autoanalyze"};
    struct session_options o = {.user = role->name, .database = d->name, .settings = settings,
                                .setting_count = 1};
    TRY(session_new(a->db, &o, &s));
    s->settings.lock_timeout_us = LOCK_TIMEOUT_US;
    __atomic_store_n(&a->session_pid, session_pid(s), __ATOMIC_SEQ_CST);
    enum status st = stopping(a) ? OK : work(s, t->oid);
    __atomic_store_n(&a->session_pid, 0, __ATOMIC_SEQ_CST);
    session_free(s);
    return st;
}

static void look_at_all(struct autoanalyze *a)
{
    struct catalog *c = db__catalog(a->db);
    const struct table_def *t;
    size_t pos = 0;
    while (!stopping(a) && catalog_next_table(c, &pos, &t)) {
        /* Of what goes wrong there is nothing that the next round would not bring again. */
        enum status st = OK;
        if (is_due(a, t)) {
            LOG(LOG_DEBUG, "autoanalyze", "reading table \"%s\"", t->name);
            st = run_in_session(a, c, t, analyze_one);
        }
        if (st == OK && storage_change_due(a->db, t)) st = run_in_session(a, c, t, store_one);
        if (st != OK && st != LOCK_NOT_AVAILABLE && !stopping(a))
            log_error(LOG_WARNING, "autoanalyze");
        error_clear();
    }
    catalog_unref(c);
}

static void loop(void *arg)
{
    struct autoanalyze *a = arg;
    int64_t next = monotonic_us() + a->interval_us;
    __atomic_store_n(&a->waiter, waiter_self(), __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&a->stopping, __ATOMIC_SEQ_CST)) {
        if (waiter_park(waiter_self(), next) != PARK_TIMEOUT) continue;
        look_at_all(a);
        next = monotonic_us() + a->interval_us;
    }
}

enum status autoanalyze_start(struct db *db)
{
    int64_t interval_us = config_int(db->config, "autoanalyze.interval") * 1000;
    if (!interval_us) return OK;
    struct autoanalyze *a = mem_alloc(MEM_SESSION, sizeof *a);
    struct pool_options o = {.name = "analyze", .nice = 10, .threads = 1, .queue_max = 1};
    a->db = db;
    a->interval_us = interval_us;
    a->threshold = config_int(db->config, "autoanalyze.threshold");
    a->scale = (double)config_int(db->config, "autoanalyze.percent") / 100;
    enum status st = pool_start(&o, &a->pool);
    if (st != OK) {
        mem_free(MEM_SESSION, a);
        return st;
    }
    db->autoanalyze = a;
    (void)pool_submit(a->pool, loop, a);
    return OK;
}

void autoanalyze_stop(struct db *db)
{
    struct autoanalyze *a = db->autoanalyze;
    if (!a) return;
    __atomic_store_n(&a->stopping, 1, __ATOMIC_SEQ_CST);
    uint32_t pid = __atomic_load_n(&a->session_pid, __ATOMIC_SEQ_CST);
    if (pid) (void)db_terminate(db, pid);
    struct waiter *w = __atomic_load_n(&a->waiter, __ATOMIC_SEQ_CST);
    if (w) waiter_wake(w);
    pool_stop(a->pool);
    db->autoanalyze = NULL;
    mem_free(MEM_SESSION, a);
}
