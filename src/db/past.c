/* Time travel, as the database sees it: how long history is kept, catalogs of the past, and the instants
 * that statements name.
 *
 * The catalog is a tree like others, so a catalog of the past is read as of then. Those that were
 * replaced since the start are kept, a few of them, each with the time that it held for; what came
 * before the start is loaded. */
#include "db/past_priv.h"

#include <strings.h>

#include "base/hlc.h"
#include "catalog/edit.h"
#include "core/txn.h"
#include "db/db_line_priv.h"
#include "types/datetime.h"

struct past_catalog {
    uint64_t from, to; /* as of these it is right; to 0: an empty place */
    struct catalog *catalog;
};

enum { PAST_CATALOGS = 32, MOMENTS_MAX = 256 };

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

static void keep(struct past *p, uint64_t ts, struct catalog *c)
{
    fmutex_lock(&p->mutex);
    struct past_catalog *at = &p->catalogs[p->next++ % PAST_CATALOGS];
    catalog_unref(at->catalog);
    *at = (struct past_catalog){ts, ts, catalog_ref(c)};
    fmutex_unlock(&p->mutex);
}

/* The transaction's snapshots refuse what is too old, or in the future. */
static enum status load(struct session *s, uint64_t ts, bool check_only, struct catalog **ret)
{
    struct txn *reader;
    TRY(txn_begin_past(s->txn, ts, &reader));
    enum status st = OK;
    if (check_only) st = txn_check_past(reader, CATALOG_TREE);
    else st = catalog_load(reader, ret);
    txn_end_reader(reader);
    return st;
}

enum status session__catalog_at(struct session *s, uint64_t ts, struct catalog **ret)
{
    bool newest;
    db_line__wait_published(s->line);
    struct catalog *c = find(s->line->past, ts, &newest);
    if (newest) c = db_line__catalog(s->line);
    if (c) {
        enum status st = load(s, ts, true, NULL);
        if (st != OK) catalog_unref(c);
        else *ret = c;
        return st;
    }
    TRY(load(s, ts, false, ret));
    keep(s->line->past, ts, *ret);
    return OK;
}

/* --- instants ---------------------------------------------------------------------------------- */

uint64_t past_ts(int64_t us)
{
    /* All commits of that microsecond are in it; snapshots are even. */
    int64_t wall = us + PG_EPOCH_US;
    return wall < 0 ? 0 : hlc_from_wall_us(wall) | ((1u << HLC_COUNTER_BITS) - 2);
}

int64_t past_time(uint64_t ts)
{
    return hlc_wall_us(ts) - PG_EPOCH_US;
}

/* "-1h" is from now; anything else a time. */
static enum status moment_of_text(struct session *s, struct slice text, int64_t *ret_us)
{
    const struct format_options *f = &s->settings.format;
    union value v;
    while (text.len && text.data[0] == ' ') text.data++, text.len--;
    if (text.len && text.data[0] == '-') {
        TRY(value_from_text(TYPE_INTERVAL, -1, text, f, &s->arena, &v));
        return timestamptz_add_interval(s->statement_us, &v.interval, f->zone, ret_us);
    }
    TRY(value_from_text(TYPE_TIMESTAMPTZ, -1, text, f, &s->arena, &v));
    *ret_us = v.i64;
    return OK;
}

static enum status moment_of_transaction(int64_t n, uint64_t *ret)
{
    if (n <= 0) return FAIL(INVALID_PARAMETER_VALUE, "%lld is no transaction", (long long)n);
    *ret = (uint64_t)n;
    return OK;
}

struct known_params {
    uint32_t count;
};

static bool has_values(void *ctx, const struct expr *e)
{
    const struct known_params *k = ctx;
    if (!e) return true;
    if (e->kind == EXPR_PARAM && (uint32_t)e->param > k->count) return false;
    return expr_walk(e, has_values, ctx);
}

static enum status moment(void *ctx, const struct expr *e, uint64_t *ret)
{
    static const struct exec_params none = {0};
    struct session *s = ctx;
    const struct exec_params *params = s->moment_params ? s->moment_params : &none;
    struct known_params known = {params->count};
    struct datum d;
    int64_t us;
    *ret = 0;
    if (!has_values(&known, e)) return OK;
    TRY(exec_constant(e, &s->exec, params, &s->arena, &d));
    if (d.null) return FAIL(NULL_VALUE_NOT_ALLOWED, "the moment of AS OF must not be null");
    switch (e->type) {
    case TYPE_INT8: return moment_of_transaction(d.v.i64, ret);
    case TYPE_INTERVAL:
        TRY(timestamptz_add_interval(s->statement_us, &d.v.interval, s->settings.format.zone, &us));
        break;
    case TYPE_TEXT:
        TRY(moment_of_text(s, slice_make(bytes_data(&d.v.bytes), d.v.bytes.len), &us));
        break;
    default: us = d.v.i64;
    }
    *ret = past_ts(us);
    return OK;
}

static enum status catalog_at(void *ctx, uint64_t ts, const struct catalog **ret)
{
    struct session *s = ctx;
    struct moment_catalog made = {ts, NULL};
    for (size_t i = 0; i < s->past_catalogs.count; i++)
        if (s->past_catalogs.data[i].ts == ts) return *ret = s->past_catalogs.data[i].catalog, OK;
    if (!s->txn) return FAIL(INTERNAL_ERROR, "a table of the past is bound outside of transactions");
    if (s->past_catalogs.count >= MOMENTS_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "a statement can name %d moments at most", MOMENTS_MAX);
    TRY(session__catalog_at(s, ts, &made.catalog));
    ARRAY_PUSH(&s->past_catalogs, made);
    *ret = made.catalog;
    return OK;
}

void past_bind_env(struct session *s, struct bind_env *env)
{
    env->present = env->catalog;
    env->as_of = s->settings.as_of;
    env->past = moment;
    env->catalog_at = catalog_at;
    env->past_ctx = s;
}

void past_give_catalogs(struct session *s, struct cached_plan *p)
{
    for (size_t i = 0; i < s->past_catalogs.count; i++)
        ARRAY_PUSH(&p->past_catalogs, s->past_catalogs.data[i].catalog);
    s->past_catalogs.count = 0;
}

void past_forget_catalogs(struct session *s)
{
    for (size_t i = 0; i < s->past_catalogs.count; i++) catalog_unref(s->past_catalogs.data[i].catalog);
    s->past_catalogs.count = 0;
}

/* --- helios.as_of ------------------------------------------------------------------------------ */

bool session__is_read_only(const struct session *s)
{
    return s->read_only || s->settings.as_of;
}

/* "transaction 123", "scn 123". */
static bool transaction_setting(const char *value, int64_t *ret)
{
    size_t skip = strncasecmp(value, "transaction ", 12) == 0 ? 12
                  : strncasecmp(value, "scn ", 4) == 0        ? 4
                                                              : 0;
    return skip && str_to_i64(slice_make(value + skip, strlen(value) - skip), ret);
}

enum status past_read_setting(struct session *s, const char *value, uint64_t *ret_ts,
                              struct strbuf *canonical)
{
    struct format_options iso = s->settings.format;
    int64_t n, us;
    *ret_ts = 0;
    if (!*value || str_eq_nocase(value, "now")) return OK;
    if (transaction_setting(value, &n)) {
        TRY(moment_of_transaction(n, ret_ts));
        strbuf_addf(canonical, "transaction %lld", (long long)n);
    } else {
        TRY(moment_of_text(s, slice_of(value), &us));
        *ret_ts = past_ts(us);
        iso.date_style = DATE_STYLE_ISO;
        datetime_to_text(TYPE_TIMESTAMPTZ, &(union value){.i64 = us}, &iso, canonical);
    }
    if (past_time(*ret_ts) > db__now_us(s->db))
        return FAIL(INVALID_PARAMETER_VALUE, "helios.as_of cannot be in the future");
    return OK;
}
