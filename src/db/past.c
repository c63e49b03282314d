/* Time travel, as the database sees it: how long history is kept, and catalogs of the past.
 *
 * The catalog is a tree like others, so a catalog of the past is read as of then. Those that were
 * replaced since the start are kept, a few of them, each with the time that it held for; what came
 * before the start is loaded. */
#include "db/past_priv.h"

#include "catalog/edit.h"
#include "core/txn.h"
#include "db/db_line_priv.h"

struct past_catalog {
    uint64_t from, to; /* as of these it is right; to 0: an empty place */
    struct catalog *catalog;
};

enum { PAST_CATALOGS = 32, VERSIONS_AT_ONCE = 64 };

struct past {
    struct fmutex mutex;
    struct past_catalog catalogs[PAST_CATALOGS]; /* guarded by mutex */
    uint32_t next;                               /* guarded by mutex: the place to be used next */
    uint64_t since;                              /* guarded by mutex: the published catalog holds from then */
    ARRAY(oid_t) own; /* guarded by mutex: relations with a retention of their own, ascending */
};

struct past *past_new(void)
{
    return mem_alloc(MEM_CATALOG, sizeof(struct past));
}

void past_free(struct past *p)
{
    if (!p) return;
    for (int i = 0; i < PAST_CATALOGS; i++) catalog_unref(p->catalogs[i].catalog);
    ARRAY_RELEASE(&p->own);
    mem_free(MEM_CATALOG, p);
}

/* --- retention --------------------------------------------------------------------------------- */

bool past_read_retention(const char *text, int64_t *ret_us)
{
    int64_t ms;
    if (!config_read("helios.version_retention", text, &ms)) return false;
    *ret_us = ms * 1000;
    return true;
}

/* The table's own: -1 when it has none. */
static int64_t own_retention(const struct table_def *t)
{
    const char *at = t->options ? strstr(t->options, PAST_RETENTION_OPTION "=") : NULL;
    int64_t us;
    char value[64];
    if (!at) return -1;
    at += sizeof PAST_RETENTION_OPTION;
    size_t len = strcspn(at, ",");
    if (len >= sizeof value) return -1;
    memcpy(value, at, len);
    value[len] = '\0';
    return past_read_retention(value, &us) ? us : -1;
}

/* What nobody can or need read again is not kept. */
static int64_t retention_of(const struct table_def *t)
{
    if (t->persistence == 't' || t->kind == 'S') return 0;
    return t->options ? own_retention(t) : -1;
}

int64_t db__table_retention(struct db *db, const struct table_def *t)
{
    int64_t own = retention_of(t);
    return own >= 0 ? own : config_int(db->config, "helios.version_retention") * 1000;
}

static void set_retention(struct store *s, const struct table_def *t, int64_t us)
{
    if (t->sequence) store_set_tree_retention(s, t->sequence->tree, us);
    if (t->tree) store_set_tree_retention(s, t->tree, us);
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->tree) store_set_tree_retention(s, t->indexes[i]->tree, us);
}

static bool had_own(const struct past *p, oid_t table)
{
    size_t lo = 0, hi = p->own.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->own.data[mid] < table) lo = mid + 1;
        else hi = mid;
    }
    return lo < p->own.count && p->own.data[lo] == table;
}

void db__apply_retention(struct db *db, const struct catalog *c)
{
    struct past *p = db->main.past;
    int64_t all = config_int(db->config, "helios.version_retention") * 1000, most = all;
    const struct table_def *t;
    ARRAY(oid_t) own = {0};
    fmutex_lock(&p->mutex);
    for (size_t pos = 0; catalog_next_table(c, &pos, &t);) {
        int64_t us = retention_of(t);
        bool had = (us >= 0 || p->own.count) && had_own(p, t->oid);
        if (us < 0 && !had) continue;
        if (us || !had) set_retention(db->store, t, us);
        if (us < 0) continue;
        ARRAY_PUSH(&own, t->oid);
        if (us > most) most = us;
    }
    ARRAY_RELEASE(&p->own);
    memcpy(&p->own, &own, sizeof own);
    fmutex_unlock(&p->mutex);
    /* The catalog is needed wherever a table is. */
    store_set_tree_retention(db->store, CATALOG_TREE, most);
    store_set_retention(db->store, all);
}

/* --- catalogs of the past ---------------------------------------------------------------------- */

void past_published(struct past *p, struct catalog *old, uint64_t ts)
{
    fmutex_lock(&p->mutex);
    if (old && ts > p->since) {
        struct past_catalog *at = &p->catalogs[p->next++ % PAST_CATALOGS];
        catalog_unref(at->catalog);
        *at = (struct past_catalog){p->since, ts - 1, catalog_ref(old)};
    }
    p->since = ts;
    fmutex_unlock(&p->mutex);
}

static struct catalog *find(struct past *p, uint64_t ts, bool *ret_newest)
{
    struct catalog *found = NULL;
    fmutex_lock(&p->mutex);
    *ret_newest = ts >= p->since;
    for (int i = 0; i < PAST_CATALOGS && !found && !*ret_newest; i++)
        if (p->catalogs[i].catalog && p->catalogs[i].from <= ts && ts <= p->catalogs[i].to)
            found = catalog_ref(p->catalogs[i].catalog);
    fmutex_unlock(&p->mutex);
    return found;
}

static void keep(struct past *p, uint64_t from, uint64_t to, struct catalog *c)
{
    fmutex_lock(&p->mutex);
    struct past_catalog *at = &p->catalogs[p->next++ % PAST_CATALOGS];
    catalog_unref(at->catalog);
    *at = (struct past_catalog){from, to, catalog_ref(c)};
    fmutex_unlock(&p->mutex);
}

/* How long the catalog that the reader sees held: to before its next change. A moment that moves on is to find
 * it again. Versions of branches cannot be asked for. */
static enum status held_to(struct past *p, struct txn *reader, uint64_t *ret)
{
    struct past_version list[VERSIONS_AT_ONCE];
    struct versions *v;
    uint32_t n = 1;
    fmutex_lock(&p->mutex);
    uint64_t to = p->since - 1;
    fmutex_unlock(&p->mutex);
    *ret = txn_snapshot_ts(reader);
    if (txn_branch(reader) || to <= *ret) return OK;
    TRY(store_versions(reader, CATALOG_TREE, to, &v));
    enum status st = OK;
    while (st == OK && n) {
        st = versions_next(v, list, VERSIONS_AT_ONCE, &n);
        for (uint32_t i = 0; st == OK && i < n; i++)
            if (list[i].operation && list[i].from <= to) to = list[i].from - 1;
    }
    versions_close(v);
    if (st == OK) *ret = to;
    return st;
}

static enum status find_or_load(struct session *s, struct txn *reader, uint64_t ts,
                                struct catalog **ret)
{
    bool newest;
    uint64_t to;
    TRY(txn_check_past(reader, CATALOG_TREE));
    db_line__wait_published(s->line);
    *ret = find(s->line->past, ts, &newest);
    if (newest) *ret = db_line__catalog(s->line);
    if (*ret) return OK;
    TRY(held_to(s->line->past, reader, &to));
    TRY(catalog_load(reader, ret));
    keep(s->line->past, ts, to > ts ? to : ts, *ret);
    return OK;
}

/* The reader refuses what is too old, or in the future; and from then on no commit comes to lie before it. */
enum status session__catalog_at(struct session *s, uint64_t ts, struct catalog **ret)
{
    struct txn *reader;
    TRY(txn_begin_past(s->txn, ts, &reader));
    enum status st = find_or_load(s, reader, ts, ret);
    txn_end_reader(reader);
    return st;
}
