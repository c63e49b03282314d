/* Prepared transactions (core/prepared.h): the store's list of them.
 *
 * One is a transaction like any other, which belongs to nobody: its versions in flight and its locks are what
 * holds others off. Its record stays in the log until it is ended. A commit logs the rows once more, as
 * every commit does, so that the record is not needed after it; a checkpoint copies a record that
 * has grown old. Versions in flight cannot be flushed: they are carried to the next memtable. Trees that it has made
 * are not in the manifest, and hold nothing but such versions, until it commits. */
#include "core/mvcc/prepared_priv.h"

#include "core/mvcc/ssi_priv.h"

#include "base/mem.h"
#include "base/point.h"

struct prepared_txn *prepared__new(uint64_t id, struct slice meta)
{
    struct prepared_txn *p = mem_alloc(MEM_TXN, sizeof *p + meta.len);
    p->id = id;
    p->meta_len = (uint32_t)meta.len;
    if (meta.len) memcpy(p->meta, meta.data, meta.len);
    return p;
}

void prepared__add(struct store *s, struct prepared_txn *p)
{
    fmutex_lock(&s->prepared_mutex);
    ARRAY_PUSH(&s->prepared, p);
    s->prepared_bytes += p->bytes;
    fmutex_unlock(&s->prepared_mutex);
}

/* Not if its record is not written yet, or if it ends: then its own thread has its versions, and it may be
 * another transaction by now. Under the mutex. */
static bool is_settled(const struct prepared_txn *p)
{
    return p->ready && !p->ending;
}

/* Under the mutex. */
static struct prepared_txn *take(struct store *s, size_t at)
{
    struct prepared_txn *p = s->prepared.data[at];
    s->prepared.count--;
    memmove(&s->prepared.data[at], &s->prepared.data[at + 1],
            (s->prepared.count - at) * sizeof s->prepared.data[0]);
    s->prepared_bytes -= p->bytes;
    return p;
}

static void release(struct prepared_txn *p)
{
    lock_owner_free(p->owner);
    store_close_branch(p->branch);
    mem_free(MEM_TXN, p);
}

/* Its loaded runs go when the log has its end, as those of a commit that fails. */
static void forget_loads(struct txn *t)
{
    if (t->loads.count) txn__forget_loads(t);
}

/* --- the first phase ------------------------------------------------------------------------- */

static enum status check(struct store *s, const struct txn *t)
{
    fmutex_lock(&s->prepared_mutex);
    bool fits = s->prepared_bytes + t->bytes <= s->o.memtable_bytes / 2;
    fmutex_unlock(&s->prepared_mutex);
    if (fits) return OK;
    (void)FAIL(OUT_OF_MEMORY, "the changes of prepared transactions do not fit in memory");
    return error_hint("End prepared transactions, or raise memtable_bytes.");
}

enum status txn_prepare(struct txn *t, struct slice meta, uint64_t *ret_id)
{
    struct store *s = t->store;
    ASSERT(t->depth == 0 && meta.len <= PREPARED_META_BYTES_MAX);
    struct prepared_txn *p = prepared__new(hlc_now(&s->clock), meta);
    lsn_t end;
    enum status st = check(s, t);
    if (st == OK) st = advisory__hand_over(t, &p->owner);
    if (st == OK && t->ssi) st = ssi__prepare(t); /* from here on others fail for it */
    if (st == OK) {
        if (t->straddles) txn__drop_straddling(t);
        t->straddles = false;
        p->txn = t;
        p->branch = store_ref_branch(t->branch);
        p->bytes = t->bytes;
        /* On the list before the log has it: its record must not be recycled. */
        p->lsn = wal_appended_lsn(s->wal).v;
        __atomic_store_n(&t->snapshot, 0, __ATOMIC_RELEASE);
        prepared__add(s, p);
        POINT("prepare.before_append");
        if (t->loads.count) st = txn__prepare_loads(t);
        bool loaded = st == OK;
        if (st == OK) st = prepared__log(s, p, &end);
        if (st == OK) st = wal_wait(s->wal, end, false);
        if (st != OK) {
            if (loaded) forget_loads(t);
            fmutex_lock(&s->prepared_mutex);
            for (size_t i = 0; i < s->prepared.count; i++)
                if (s->prepared.data[i] == p) (void)take(s, i);
            fmutex_unlock(&s->prepared_mutex);
        }
    }
    if (st == OK) {
        POINT("prepare.after_durable");
        *ret_id = p->id;
        fmutex_lock(&s->prepared_mutex);
        p->ready = true;
        fmutex_unlock(&s->prepared_mutex);
        return OK;
    }
    struct error kept = *error_current();
    txn_abort(t);
    release(p);
    *error_current() = kept;
    return st;
}

/* --- the second ------------------------------------------------------------------------------ */

enum status prepared_resolve(struct store *s, uint64_t id, bool commit, uint64_t *ret_ts)
{
    struct prepared_txn *p = NULL;
    *ret_ts = 0;
    fmutex_lock(&s->prepared_mutex);
    for (size_t i = 0; i < s->prepared.count && !p; i++)
        if (s->prepared.data[i]->id == id && is_settled(s->prepared.data[i])) p = s->prepared.data[i];
    /* From here on nobody moves its versions; its record stays until the end is durable. */
    if (p) p->ending = true;
    fmutex_unlock(&s->prepared_mutex);
    if (!p) return UNDEFINED_OBJECT;
    struct txn *t = p->txn;
    enum status st = OK;
    if (commit) {
        t->resolves = id;
        st = txn_commit(t, COMMIT_SYNC, ret_ts);
    } else {
        lsn_t end;
        st = txn__log_resolve(s, id, &end);
        if (st == OK) st = wal_wait(s->wal, end, false);
        struct error kept = *error_current();
        if (st == OK) forget_loads(t);
        txn_abort(t);
        *error_current() = kept;
    }
    fmutex_lock(&s->prepared_mutex);
    for (size_t i = 0; i < s->prepared.count; i++)
        if (s->prepared.data[i] == p) (void)take(s, i);
    fmutex_unlock(&s->prepared_mutex);
    release(p);
    return st;
}

void prepared_drops(const struct prepared_info *i, void (*fn)(void *ctx, tree_id tree), void *ctx)
{
    for (size_t k = 0; k < i->handle->changes.count; k++) {
        const struct tree_change *c = &i->handle->changes.data[k];
        if (c->drop) fn(ctx, c->tree->base ? c->tree->base : c->tree->id);
    }
}

static bool writes_catalog(const struct txn *t)
{
    tree_id catalog = __atomic_load_n(&t->store->ssi->untracked, __ATOMIC_RELAXED);
    for (size_t i = 0; i < t->writes.count; i++) {
        const struct write_entry *w = &t->writes.data[i];
        if (w->version && (w->tree->id == catalog || (w->tree->base && w->tree->base == catalog))) return true;
    }
    return false;
}

enum status prepared_each(struct store *s, enum status (*fn)(void *ctx, const struct prepared_info *p),
                          void *ctx)
{
    enum status st = OK;
    fmutex_lock(&s->prepared_mutex);
    for (size_t i = 0; i < s->prepared.count && st == OK; i++) {
        const struct prepared_txn *p = s->prepared.data[i];
        if (!is_settled(p)) continue;
        struct prepared_info info = {p->id, p->txn->id, branch_id(p->branch), writes_catalog(p->txn),
                                     slice_make(p->meta, p->meta_len), p->txn};
        st = fn(ctx, &info);
    }
    fmutex_unlock(&s->prepared_mutex);
    return st;
}

/* --- background ------------------------------------------------------------------------------ */

uint64_t store__prepared_lsn(struct store *s)
{
    uint64_t least = UINT64_MAX;
    fmutex_lock(&s->prepared_mutex);
    for (size_t i = 0; i < s->prepared.count; i++)
        if (s->prepared.data[i]->lsn < least) least = s->prepared.data[i]->lsn;
    fmutex_unlock(&s->prepared_mutex);
    return least;
}

void store__carry_prepared(struct store *s)
{
    fmutex_lock(&s->prepared_mutex);
    for (size_t i = 0; i < s->prepared.count; i++) {
        struct txn *t = s->prepared.data[i]->txn;
        if (!is_settled(s->prepared.data[i])) continue;
        epoch_enter(t->slot);
        for (size_t k = 0; k < t->writes.count; k++)
            if (t->writes.data[k].version) txn__carry_version(t, k);
        epoch_exit(t->slot);
    }
    fmutex_unlock(&s->prepared_mutex);
}

enum status store__relog_prepared(struct store *s)
{
    enum { COPY_RATIO = 4 };
    enum status st = OK;
    fmutex_lock(&s->prepared_mutex);
    for (size_t i = 0; i < s->prepared.count && st == OK; i++) {
        struct prepared_txn *p = s->prepared.data[i];
        lsn_t end;
        uint64_t at = wal_appended_lsn(s->wal).v, age = at - p->lsn;
        if (!is_settled(p) || age < s->o.wal_file_bytes || age < COPY_RATIO * p->bytes) continue;
        st = prepared__log(s, p, &end);
        if (st == OK) st = wal_wait(s->wal, end, false);
        if (st == OK) p->lsn = at;
    }
    fmutex_unlock(&s->prepared_mutex);
    return st;
}

void store__drop_prepared(struct store *s)
{
    while (s->prepared.count) {
        struct prepared_txn *p = take(s, s->prepared.count - 1);
        p->txn->hooks.count = 0; /* they are of those who are gone by now */
        txn_abort(p->txn);
        release(p);
    }
    ARRAY_RELEASE(&s->prepared);
}
