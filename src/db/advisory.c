/* The functions that take and give back advisory locks, and pg_locks. One piece of code for all of them:
 * what each does is in its symbol, pg_[try_]advisory_[xact_](lock|unlock)[_shared]_(int8|int4). */
#include "core/advisory.h"
#include "db/system_function_priv.h"

static struct advisory_key key_of(const struct sys_call *c)
{
    struct advisory_key k = {.database = c->s->database_oid, .form = c->n};
    if (c->n == 1) {
        uint64_t number = (uint64_t)c->args[0].v.i64;
        k.high = (uint32_t)(number >> 32);
        k.low = (uint32_t)number;
    } else {
        k.high = (uint32_t)c->args[0].v.i32;
        k.low = (uint32_t)c->args[1].v.i32;
    }
    return k;
}

static enum status advisory(struct sys_call *c)
{
    struct session *s = c->s;
    const char *symbol = c->proc->symbol;
    if (strcmp(symbol, "pg_advisory_unlock_all") == 0) {
        advisory_unlock_all(s->lock_owner);
        return sys_ret_text(c, "");
    }
    struct advisory_key k = key_of(c);
    bool shared = strstr(symbol, "_shared") != NULL;
    if (strstr(symbol, "_unlock")) {
        if (advisory_unlock(s->lock_owner, &k, shared)) return sys_ret_bool(c, true);
        TRY(session__notice(s->notices, "WARNING", WARNING, NULL, "you don't own a lock of type %s",
                            shared ? "ShareLock" : "ExclusiveLock"));
        return sys_ret_bool(c, false);
    }
    bool wait = strstr(symbol, "_try_") == NULL, held;
    enum advisory_level level = strstr(symbol, "_xact_") ? ADVISORY_TRANSACTION : ADVISORY_SESSION;
    TRY(advisory_lock(s->txn, &k, shared, level, wait, &held));
    return wait ? sys_ret_text(c, "") : sys_ret_bool(c, held);
}

static enum status blocking_pids(struct sys_call *c)
{
    uint32_t *pids, count;
    locks_blocking(c->s->db->store, (uint32_t)c->args[0].v.i32, c->a, &pids, &count);
    struct datum *list = ARENA_ARRAY(c->a, struct datum, count + 1);
    for (uint32_t i = 0; i < count; i++) list[i].v.i32 = (int32_t)pids[i];
    *c->ret = (struct datum){.v.bytes = array_make(c->a, TYPE_INT4, list, count)};
    return OK;
}

const struct sys_binding sys_advisory_functions[] = {
    {"pg_advisory_lock_int8", advisory},
    {"pg_advisory_lock_int4", advisory},
    {"pg_advisory_lock_shared_int8", advisory},
    {"pg_advisory_lock_shared_int4", advisory},
    {"pg_try_advisory_lock_int8", advisory},
    {"pg_try_advisory_lock_int4", advisory},
    {"pg_try_advisory_lock_shared_int8", advisory},
    {"pg_try_advisory_lock_shared_int4", advisory},
    {"pg_advisory_unlock_int8", advisory},
    {"pg_advisory_unlock_int4", advisory},
    {"pg_advisory_unlock_shared_int8", advisory},
    {"pg_advisory_unlock_shared_int4", advisory},
    {"pg_advisory_xact_lock_int8", advisory},
    {"pg_advisory_xact_lock_int4", advisory},
    {"pg_advisory_xact_lock_shared_int8", advisory},
    {"pg_advisory_xact_lock_shared_int4", advisory},
    {"pg_try_advisory_xact_lock_int8", advisory},
    {"pg_try_advisory_xact_lock_int4", advisory},
    {"pg_try_advisory_xact_lock_shared_int8", advisory},
    {"pg_try_advisory_xact_lock_shared_int4", advisory},
    {"pg_advisory_unlock_all", advisory},
    {"pg_blocking_pids", blocking_pids},
};
const uint32_t sys_advisory_function_count =
    sizeof sys_advisory_functions / sizeof sys_advisory_functions[0];

/* --- pg_locks -------------------------------------------------------------------------------- */

static enum status emit_lock(struct sys_scan *x, const struct lock_line *l)
{
    struct sys_cell pid = l->pid ? I(l->pid) : N, granted = I(l->granted);
    struct sys_cell txn = T(arena_printf(x->arena, "%u/%llu", l->pid, (unsigned long long)l->txn));
    if (l->kind == LOCK_LINE_ADVISORY)
        return SYS_EMIT(x, T("advisory"), I(l->key.database), N, N, N, N, N, I(l->key.high),
                        I(l->key.low), I(l->key.form), txn, pid, T(l->mode), granted, I(0), N);
    if (l->kind == LOCK_LINE_TRANSACTION)
        return SYS_EMIT(x, T("transactionid"), N, N, N, N, N, I((uint32_t)l->object), N, N, N, txn,
                        pid, T(l->mode), granted, I(0), N);
    if (l->object > UINT32_MAX) return OK; /* the catalog as a whole, of which nobody knows */
    const struct table_def *t = catalog_table_by_oid(x->catalog, (oid_t)l->object);
    oid_t database = t && sys_is_system(t) ? 0 : x->s->database_oid;
    return SYS_EMIT(x, T("relation"), I(database), I((oid_t)l->object), N, N, N, N, N, N, N, txn, pid,
                    T(l->mode), granted, I(0), N);
}

enum status sys_pg_locks(struct sys_scan *x)
{
    struct lock_line *lines;
    uint32_t count;
    locks_each(x->s->db->store, x->arena, &lines, &count);
    for (uint32_t i = 0; i < count; i++) TRY(emit_lock(x, &lines[i]));
    return OK;
}
