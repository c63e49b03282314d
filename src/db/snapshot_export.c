/* pg_export_snapshot and SET TRANSACTION SNAPSHOT: several sessions that read the very same.
 *
 * An exported snapshot is a reader of the transaction, which holds back garbage collection as a cursor does.
 * Who imports it takes its timestamp while it is on the list, so that nothing is missing. */
#include "db/system_function_priv.h"

#include <stdio.h>

#include "core/txn.h"

enum { ID_BYTES = 32 };

struct snapshot_export {
    struct snapshot_export *next;       /* of the database's; guarded by its mutex, as is prev */
    struct snapshot_export *prev;
    struct snapshot_export *of_session; /* the next of the same transaction */
    struct txn *reader;
    oid_t database;
    char id[ID_BYTES];
};

void session__end_exports(struct session *s)
{
    struct db *db = s->db;
    while (s->exports) {
        struct snapshot_export *x = s->exports;
        s->exports = x->of_session;
        fmutex_lock(&db->exports_mutex);
        if (x->next) x->next->prev = x->prev;
        if (x->prev) x->prev->next = x->next;
        else db->exports = x->next;
        fmutex_unlock(&db->exports_mutex);
        txn_end_reader(x->reader);
        mem_free(MEM_SESSION, x);
    }
}

enum status sys_export_snapshot(struct sys_call *c)
{
    struct session *s = c->s;
    struct db *db = s->db;
    uint32_t number = 1;
    if (s->savepoints)
        return FAIL(ACTIVE_SQL_TRANSACTION, "cannot export a snapshot from a subtransaction");
    for (const struct snapshot_export *x = s->exports; x; x = x->of_session) number++;
    struct snapshot_export *x = mem_alloc(MEM_SESSION, sizeof *x);
    snprintf(x->id, sizeof x->id, "%08X-%08X-%u", s->pid, (uint32_t)txn_id(s->txn), number);
    x->database = s->database_oid;
    x->reader = txn_begin_reader(s->txn);
    x->of_session = s->exports;
    s->exports = x;
    fmutex_lock(&db->exports_mutex);
    x->next = db->exports;
    if (x->next) x->next->prev = x;
    db->exports = x;
    fmutex_unlock(&db->exports_mutex);
    return sys_ret_text(c, arena_strdup(c->a, x->id));
}

enum status session__import_snapshot(struct session *s, const char *id)
{
    struct db *db = s->db;
    if (s->txn_began_statement || s->savepoints)
        return FAIL(ACTIVE_SQL_TRANSACTION, "SET TRANSACTION SNAPSHOT must be called before any query");
    if (s->isolation == READ_COMMITTED)
        return FAIL(FEATURE_NOT_SUPPORTED, "a snapshot-importing transaction must have isolation level "
                                           "SERIALIZABLE or REPEATABLE READ");
    if (s->isolation == SERIALIZABLE)
        return FAIL(FEATURE_NOT_SUPPORTED, "a serializable transaction cannot import a snapshot");
    TRY(session__ensure_txn(s));
    bool found = false, here = false;
    fmutex_lock(&db->exports_mutex);
    for (const struct snapshot_export *x = db->exports; x && !found; x = x->next) {
        found = strcmp(x->id, id) == 0;
        here = found && x->database == s->database_oid;
        if (here) txn_set_snapshot(s->txn, txn_snapshot_ts(x->reader));
    }
    fmutex_unlock(&db->exports_mutex);
    if (!found) return FAIL(INVALID_PARAMETER_VALUE, "invalid snapshot identifier: \"%s\"", id);
    if (!here)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot import a snapshot from a different database");
    s->txn_began_statement = true;
    return OK;
}
