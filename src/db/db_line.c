/* Lines of development: the main line, and each branch that a session is in. A line has a published catalog of
 * its own, and remembers its catalogs of the past; sessions of one line share it, and the last to leave a
 * branch closes it. */
#include "db/db_line_priv.h"

#include "core/txn.h"
#include "db/past_priv.h"
#include "db/plan_cache.h"
#include "db/storage_priv.h"

void db_line__init(struct db_line *l, struct db *db, struct branch *branch)
{
    l->db = db;
    l->branch = branch;
    l->refs = 1;
    l->past = past_new();
}

void db_line__release(struct db_line *l)
{
    past_free(l->past);
    ARRAY_RELEASE(&l->rewritten);
    catalog_unref(l->catalog);
    store_close_branch(l->branch);
}

/* --- the published catalog --------------------------------------------------------------------- */

struct catalog *db_line__catalog(struct db_line *l)
{
    fmutex_lock(&l->catalog_mutex);
    struct catalog *c = catalog_ref(l->catalog);
    fmutex_unlock(&l->catalog_mutex);
    return c;
}

bool db_line__catalog_is_newest(const struct db_line *l, const struct catalog *c)
{
    return catalog_version(c) == __atomic_load_n(&l->catalog_version, __ATOMIC_ACQUIRE);
}

void db_line__wait_published(struct db_line *l)
{
    if (!__atomic_load_n(&l->ddl_pending, __ATOMIC_SEQ_CST)) return;
    fmutex_lock(&l->catalog_mutex);
    while (__atomic_load_n(&l->ddl_pending, __ATOMIC_SEQ_CST))
        (void)fcond_wait(&l->catalog_published, &l->catalog_mutex, 0);
    fmutex_unlock(&l->catalog_mutex);
}

void db_line__begin_publishing(struct db_line *l)
{
    __atomic_add_fetch(&l->ddl_pending, 1, __ATOMIC_SEQ_CST);
}

void db_line__end_publishing(struct db_line *l)
{
    fmutex_lock(&l->catalog_mutex);
    __atomic_sub_fetch(&l->ddl_pending, 1, __ATOMIC_SEQ_CST);
    fcond_broadcast(&l->catalog_published);
    fmutex_unlock(&l->catalog_mutex);
}

/* Those that no snapshot is older than are forgotten. */
void db_line__note_rewritten(struct db_line *l, const oid_t *tables, size_t n, uint64_t ts)
{
    struct store_status status;
    size_t kept = 0;
    if (!n) return;
    store_get_status(l->db->store, &status);
    fmutex_lock(&l->catalog_mutex);
    for (size_t i = 0; i < l->rewritten.count; i++)
        if (l->rewritten.data[i].ts > status.oldest_snapshot_ts)
            l->rewritten.data[kept++] = l->rewritten.data[i];
    l->rewritten.count = kept;
    for (size_t i = 0; i < n; i++)
        ARRAY_PUSH(&l->rewritten, (struct rewritten_table){tables[i], ts});
    __atomic_store_n(&l->rewritten_ts, ts, __ATOMIC_RELEASE);
    fmutex_unlock(&l->catalog_mutex);
}

bool db_line__rewritten(struct db_line *l, oid_t table, uint64_t snapshot)
{
    bool found = false;
    if (__atomic_load_n(&l->rewritten_ts, __ATOMIC_ACQUIRE) <= snapshot) return false;
    fmutex_lock(&l->catalog_mutex);
    for (size_t i = 0; i < l->rewritten.count && !found; i++)
        found = l->rewritten.data[i].table == table && l->rewritten.data[i].ts > snapshot;
    fmutex_unlock(&l->catalog_mutex);
    return found;
}

/* Plans of all lines share the cache; those of other catalogs than the published ones go. */
static void purge_plans(struct db *db)
{
    ARRAY(const struct catalog *) live = {0};
    fmutex_lock(&db->lines_mutex);
    ARRAY_PUSH(&live, db->main.catalog);
    for (const struct db_line *l = db->lines; l; l = l->next) ARRAY_PUSH(&live, l->catalog);
    fmutex_unlock(&db->lines_mutex);
    plan_cache_purge(db->plans, live.data, live.count);
    ARRAY_RELEASE(&live);
}

void db_line__publish(struct db_line *l, struct catalog *c, uint64_t ts)
{
    fmutex_lock(&l->catalog_mutex);
    struct catalog *old = l->catalog;
    past_published(l->past, old, ts);
    l->catalog = c;
    __atomic_store_n(&l->catalog_version, catalog_version(c), __ATOMIC_RELEASE);
    fmutex_unlock(&l->catalog_mutex);
    purge_plans(l->db);
    if (!l->branch) {
        db__apply_retention(l->db, c);
        storage_apply(l->db, c);
    }
    catalog_unref(old);
}

/* --- opening and closing ----------------------------------------------------------------------- */

static enum status load_catalog(struct db_line *l)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .read_only = true, .branch = l->branch};
    struct txn *t;
    TRY(txn_begin(l->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = catalog_load(t, &l->catalog);
    if (st == OK) past_published(l->past, NULL, txn_snapshot_ts(t));
    txn_statement_end(t);
    txn_abort(t);
    if (st == OK) l->catalog_version = catalog_version(l->catalog);
    return st;
}

static enum status make_line(struct db *db, struct branch *b, struct db_line **ret)
{
    struct db_line *l = mem_alloc(MEM_SESSION, sizeof *l);
    db_line__init(l, db, b);
    enum status st = load_catalog(l);
    if (st != OK) {
        db_line__release(l);
        mem_free(MEM_SESSION, l);
        return st;
    }
    l->next = db->lines;
    db->lines = l;
    *ret = l;
    return OK;
}

enum status db_line__open(struct db *db, struct slice name, struct db_line **ret)
{
    if (slice_eq(name, SLICE(MAIN_BRANCH))) {
        *ret = &db->main;
        return OK;
    }
    struct branch *b = store_open_branch(db->store, name);
    if (!b)
        return FAIL(INVALID_CATALOG_NAME, "branch \"%.*s\" does not exist", (int)name.len, name.data);
    fmutex_lock(&db->lines_mutex);
    struct db_line *l = db->lines;
    while (l && l->branch != b) l = l->next;
    enum status st = OK;
    if (l) {
        l->refs++;
        store_close_branch(b);
    } else {
        st = make_line(db, b, &l);
    }
    fmutex_unlock(&db->lines_mutex);
    *ret = l;
    return st;
}

uint32_t db_line__sessions(struct db *db, uint32_t branch)
{
    uint32_t n = 0;
    fmutex_lock(&db->lines_mutex);
    for (const struct db_line *l = db->lines; l; l = l->next)
        if (branch_id(l->branch) == branch) n = l->refs;
    fmutex_unlock(&db->lines_mutex);
    return n;
}

void db_line__close(struct db_line *l)
{
    if (!l || !l->branch) return;
    struct db *db = l->db;
    fmutex_lock(&db->lines_mutex);
    bool last = --l->refs == 0;
    for (struct db_line **at = &db->lines; last && *at; at = &(*at)->next) {
        if (*at != l) continue;
        *at = l->next;
        break;
    }
    fmutex_unlock(&db->lines_mutex);
    if (!last) return;
    db_line__release(l);
    mem_free(MEM_SESSION, l);
}
