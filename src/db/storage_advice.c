/* How each table had better be kept, by how it was used (exec/usage.h): the view helios_storage_advice, and, with
 * helios.auto_storage, the change itself.
 *
 * What scans by columns save, or would, is held against what it costs to write columns, too; then what rows cost, that are
 * put together of columns for each lookup that finds nothing in memory, against what is saved. Costs are those of
 * docs/design/htap.md, in nanoseconds. */
#include "catalog/table_storage.h"
#include "db/analyze.h"
#include "db/past_priv.h"
#include "db/storage_priv.h"
#include "db/system_priv.h"
#include "exec/usage.h"

#define ROW_NS 40.0           /* a row that is scanned by rows */
#define ROW_VALUE_NS 6.0      /* a value of it */
#define COLUMN_VALUE_NS 2.0   /* a value by columns */
#define WRITE_NS 1500.0       /* a row more that is encoded, and merged */
#define LOOKUP_NS 20000.0     /* a row that is put together: some are in memory */
#define HYBRID_LOOKUP_NS 5000.0
#define COLUMN_SHARE 0.05     /* of what is saved, lookups may cost */
/* So often as many rows as the table has must have been read or changed, a lookup counting for some, before it is judged:
 * what is done then is not done in vain, nor taken back soon. */
enum { ROWS_MIN = 10000, TURNS_MIN = 20, LOOKUP_ROWS = 10 };

struct advice {
    enum table_storage storage;
    const char *reason;
    struct usage_counts used;
};

static bool is_ours(const struct table_def *t)
{
    return t->kind == 'r' && t->tree && t->virtual_id < 0 && t->persistence != 't' && !sys_is_system(t);
}

static void advise(struct db *db, const struct table_def *t, uint64_t rows, struct advice *ret)
{
    struct usage_counts *u = &ret->used;
    usage_get(db->usage, t->oid, u);
    double scanned = (double)u->rows, values = (double)u->values, lookups = (double)u->lookups;
    double saved = scanned * ROW_NS + values * (ROW_VALUE_NS - COLUMN_VALUE_NS);
    double changes = (double)u->changes + (table_has_columns(t) ? 0 : (double)rows);
    double written = changes * WRITE_NS;
    ret->storage = table_storage(t);
    if (rows < ROWS_MIN) {
        ret->storage = STORAGE_ROW;
        ret->reason = "the table is small";
    } else if (scanned + changes + lookups * LOOKUP_ROWS < (double)rows * TURNS_MIN) {
        ret->reason = "it was not used enough to tell";
    } else if (saved <= written) {
        ret->storage = STORAGE_ROW;
        ret->reason = "scans would save less than it costs to write columns";
    } else if (lookups * LOOKUP_NS < saved * COLUMN_SHARE) {
        ret->storage = STORAGE_COLUMN;
        ret->reason = "it is scanned, and hardly ever read by key";
    } else if (lookups * HYBRID_LOOKUP_NS < saved * COLUMN_SHARE) {
        ret->storage = STORAGE_HYBRID;
        ret->reason = "it is scanned much more than read by key";
    } else {
        ret->storage = STORAGE_DUAL;
        ret->reason = "it is both scanned and read by key";
    }
}

enum status sys_helios_storage_advice(struct sys_scan *x)
{
    const struct table_def *t;
    struct db *db = x->s->db;
    for (size_t pos = 0; sys_next_table(x, &pos, &t);) {
        struct tree_statistics now;
        struct advice a;
        if (!is_ours(t)) continue;
        if (session__tree_statistics(x->s, t->tree, &now) != OK) {
            error_clear(); /* dropped just now */
            continue;
        }
        advise(db, t, now.rows, &a);
        TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name), T(table_storage_name(table_storage(t))),
                     I(table_storage_is_auto(t)), I((int64_t)now.rows), I((int64_t)a.used.lookups),
                     I((int64_t)a.used.scans), I((int64_t)a.used.rows), I((int64_t)a.used.changes),
                     T(table_storage_name(a.storage)), T(a.reason), I((int64_t)now.disk_bytes),
                     I((int64_t)now.misfit_bytes)));
    }
    return OK;
}

/* --- doing it ----------------------------------------------------------------------------------- */

bool storage_change_due(struct db *db, const struct table_def *t)
{
    struct tree_statistics now;
    struct advice a;
    if (!config_bool(db->config, "helios.auto_storage") || !is_ours(t) || !table_storage_is_auto(t))
        return false;
    if (store_get_statistics(db->store, t->tree, &now) != OK) return error_clear(), false;
    if (now.misfits) return false; /* the last change is not through */
    advise(db, t, now.rows, &a);
    return a.storage != table_storage(t);
}

const char *storage_chosen(struct db *db, const struct table_def *t, struct arena *a)
{
    struct tree_statistics now;
    struct advice to;
    struct strbuf b;
    if (store_get_statistics(db->store, t->tree, &now) != OK) return error_clear(), t->options;
    advise(db, t, now.rows, &to);
    strbuf_init(&b, a);
    for (const char *p = t->options; p && *p;) {
        size_t len = strcspn(p, ","), name = sizeof STORAGE_OPTION - 1;
        bool own = len > name && p[name] == '=' && memcmp(p, STORAGE_OPTION, name) == 0;
        if (!own) strbuf_addf(&b, "%s%.*s", b.len ? "," : "", (int)len, p);
        p += len + (p[len] == ',');
    }
    strbuf_addf(&b, "%s" STORAGE_OPTION "=auto", b.len ? "," : "");
    if (to.storage != STORAGE_ROW) strbuf_addf(&b, ":%s", table_storage_name(to.storage));
    return b.data;
}
