/* PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED, pg_prepared_xacts: the names of what the store
 * holds prepared (core/prepared.h).
 *
 * A name is taken before its transaction is prepared and given up after it has ended, so that nobody else
 * has it in between. The store keeps with each what makes its line again after a restart:
 * u32 owner | u32 database | i64 time | name. */
#include "core/prepared.h"

#include "core/txn.h"
#include "db/db_line_priv.h"
#include "db/system_priv.h"

enum { GID_BYTES = 200, META_BYTES = 16 };

struct gid {
    struct gid *next;
    uint64_t id, txn;
    oid_t owner, database;
    uint32_t branch;     /* 0: main */
    bool ddl;
    int64_t prepared_us; /* µs since 2000-01-01 UTC */
    bool busy;           /* being prepared, or ended */
    char name[GID_BYTES];
};

struct two_phase {
    struct db *db;
    struct fmutex mutex;
    struct gid *first, **end; /* guarded by mutex, as is all they lead to: in order of preparing */
    int64_t count, max;
};

struct two_phase *two_phase_new(struct db *db)
{
    struct two_phase *p = mem_alloc(MEM_SESSION, sizeof *p);
    p->db = db;
    p->end = &p->first;
    p->max = config_int(db->config, "max_prepared_transactions");
    return p;
}

void two_phase_free(struct two_phase *p)
{
    if (!p) return;
    for (struct gid *g = p->first, *next; g; g = next) {
        next = g->next;
        mem_free(MEM_SESSION, g);
    }
    mem_free(MEM_SESSION, p);
}

static void append(struct two_phase *p, struct gid *g)
{
    *p->end = g;
    p->end = &g->next;
    p->count++;
}

static struct gid *find(struct two_phase *p, const char *name)
{
    struct gid *g = p->first;
    while (g && strcmp(g->name, name) != 0) g = g->next;
    return g;
}

static void forget(struct two_phase *p, struct gid *g)
{
    fmutex_lock(&p->mutex);
    struct gid **at = &p->first;
    while (*at != g) at = &(*at)->next;
    *at = g->next;
    if (p->end == &g->next) p->end = at;
    p->count--;
    fmutex_unlock(&p->mutex);
    mem_free(MEM_SESSION, g);
}

/* --- kept with the transaction --------------------------------------------------------------- */

static struct slice put_meta(const struct gid *g, char buf[META_BYTES + GID_BYTES])
{
    size_t len = strlen(g->name);
    memcpy(buf, &g->owner, 4);
    memcpy(buf + 4, &g->database, 4);
    memcpy(buf + 8, &g->prepared_us, 8);
    memcpy(buf + META_BYTES, g->name, len);
    return slice_make(buf, META_BYTES + len);
}

struct dropping {
    struct two_phase *p;
    const struct prepared_info *of;
};

static void freeze_dropped(void *ctx, tree_id tree)
{
    const struct dropping *x = ctx;
    sequences_freeze_tree(x->p->db->sequences, x->of->handle, x->of->branch, tree);
}

static enum status load_one(void *ctx, const struct prepared_info *i)
{
    struct two_phase *p = ctx;
    struct dropping x = {p, i};
    if (i->meta.len < META_BYTES || i->meta.len >= META_BYTES + GID_BYTES)
        return FAIL(DATA_CORRUPTED, "the name of a prepared transaction is malformed");
    struct gid *g = mem_alloc(MEM_SESSION, sizeof *g);
    memcpy(&g->owner, i->meta.data, 4);
    memcpy(&g->database, i->meta.data + 4, 4);
    memcpy(&g->prepared_us, i->meta.data + 8, 8);
    memcpy(g->name, i->meta.data + META_BYTES, i->meta.len - META_BYTES);
    g->id = i->id;
    g->txn = i->txn;
    g->branch = i->branch;
    g->ddl = i->catalog;
    append(p, g);
    prepared_drops(i, freeze_dropped, &x);
    return OK;
}

enum status two_phase_load(struct two_phase *p)
{
    return prepared_each(p->db->store, load_one, p);
}

/* --- the first phase ------------------------------------------------------------------------- */

static enum status check_session(struct session *s)
{
    size_t pos = 0;
    void *v;
    if (session__has_notify(s))
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot PREPARE a transaction that has executed LISTEN, "
                                           "UNLISTEN, or NOTIFY");
    while (map_next(&s->portals, &pos, NULL, NULL, &v)) {
        const struct portal *held = v;
        if (held->held && held->level > 0)
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "cannot PREPARE a transaction that has created a cursor WITH HOLD");
    }
    if (s->exports)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot PREPARE a transaction that has exported snapshots");
    return OK;
}

static enum status reserve(struct two_phase *p, struct session *s, const char *name, struct gid **ret)
{
    if (strlen(name) >= GID_BYTES)
        return FAIL(INVALID_PARAMETER_VALUE, "transaction identifier \"%s\" is too long", name);
    if (p->max == 0) {
        (void)FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "prepared transactions are disabled");
        return error_hint("Set max_prepared_transactions to a nonzero value.");
    }
    fmutex_lock(&p->mutex);
    bool taken = find(p, name) != NULL, full = p->count >= p->max;
    if (!taken && !full) {
        struct gid *g = *ret = mem_alloc(MEM_SESSION, sizeof *g);
        memcpy(g->name, name, strlen(name));
        g->owner = s->user_oid;
        g->database = s->database_oid;
        g->branch = branch_id(s->line->branch);
        g->ddl = s->own_catalog != NULL;
        g->prepared_us = db__now_us(s->db);
        g->txn = txn_id(s->txn);
        g->busy = true;
        append(p, g);
    }
    fmutex_unlock(&p->mutex);
    if (taken)
        return FAIL(DUPLICATE_OBJECT, "transaction identifier \"%s\" is already in use", name);
    if (!full) return OK;
    (void)FAIL(OUT_OF_MEMORY, "maximum number of prepared transactions reached");
    return error_hint("Increase max_prepared_transactions (currently %lld).", (long long)p->max);
}

enum status session__prepare_transaction(struct session *s, const char *name)
{
    struct two_phase *p = s->db->two_phase;
    struct gid *g;
    char meta[META_BYTES + GID_BYTES];
    TRY(check_session(s));
    TRY(reserve(p, s, name, &g));
    session__close_portals(s, false);
    struct txn *t = s->txn;
    session__set_txn(s, NULL);
    enum status st = txn_prepare(t, put_meta(g, meta), &g->id);
    if (st != OK) {
        forget(p, g);
        return st;
    }
    fmutex_lock(&p->mutex);
    g->busy = false;
    fmutex_unlock(&p->mutex);
    return OK;
}

/* --- the second ------------------------------------------------------------------------------ */

static enum status judge(const struct session *s, const struct gid *g, const char *name)
{
    if (!g)
        return FAIL(UNDEFINED_OBJECT, "prepared transaction with identifier \"%s\" does not exist",
                    name);
    if (g->busy)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "prepared transaction with identifier \"%s\" is busy", name);
    if (g->owner != s->user_oid && !s->superuser) {
        (void)FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to finish prepared transaction");
        return error_hint("Must be superuser or the user that prepared the transaction.");
    }
    if (g->database != s->database_oid) {
        (void)FAIL(FEATURE_NOT_SUPPORTED, "prepared transaction belongs to another database");
        return error_hint("Connect to the database where the transaction was prepared to finish it.");
    }
    if (g->branch != branch_id(s->line->branch)) {
        (void)FAIL(FEATURE_NOT_SUPPORTED, "prepared transaction belongs to another branch");
        return error_hint("Go into the branch where the transaction was prepared to finish it.");
    }
    return OK;
}

/* What is published is what the store has then: nobody else can have changed the catalog since it was prepared. */
static enum status load_catalog(struct session *s, struct catalog **ret)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .read_only = true, .branch = s->line->branch};
    struct txn *t;
    TRY(txn_begin(s->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = catalog_load(t, ret);
    txn_statement_end(t);
    txn_abort(t);
    return st;
}

static enum status commit_ddl(struct session *s, const struct gid *g)
{
    struct catalog *c = NULL;
    uint64_t ts;
    db_line__begin_publishing(s->line);
    enum status st = prepared_resolve(s->db->store, g->id, true, &ts);
    if (st == OK) st = load_catalog(s, &c);
    if (st == OK) db_line__publish(s->line, c, ts);
    db_line__end_publishing(s->line);
    return st;
}

enum status session__end_prepared(struct session *s, const struct ast_transaction *a, char tag[64])
{
    struct two_phase *p = s->db->two_phase;
    bool commit = a->type == TXN_COMMIT_PREPARED;
    const char *words = commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED";
    uint64_t ts;
    memcpy(tag, words, strlen(words) + 1);
    if (s->block == BLOCK_FAILED)
        return FAIL(IN_FAILED_SQL_TRANSACTION, "current transaction is aborted, commands ignored "
                                               "until end of transaction block");
    TRY(session__forbid_block(s, words));
    fmutex_lock(&p->mutex);
    struct gid *g = find(p, a->name);
    enum status st = judge(s, g, a->name);
    if (st == OK) g->busy = true;
    fmutex_unlock(&p->mutex);
    TRY(st);
    st = g->ddl && commit ? commit_ddl(s, g) : prepared_resolve(s->db->store, g->id, commit, &ts);
    ASSERT(st != UNDEFINED_OBJECT);
    forget(p, g);
    return st;
}

/* --- pg_prepared_xacts ----------------------------------------------------------------------- */

static enum status emit(struct sys_scan *x, const struct gid *g)
{
    const struct database_def *d = catalog_database_by_oid(x->catalog, g->database);
    return SYS_EMIT(x, I((uint32_t)g->txn), T(g->name), I(g->prepared_us),
                    T(sys_role_name(x, g->owner, x->arena)), T(d ? d->name : NULL));
}

enum status sys_pg_prepared_xacts(struct sys_scan *x)
{
    struct two_phase *p = x->s->db->two_phase;
    ARRAY(struct gid *) all = {0};
    fmutex_lock(&p->mutex);
    for (const struct gid *g = p->first; g; g = g->next)
        if (g->id) ARENA_PUSH(x->arena, &all, arena_memdup(x->arena, g, sizeof *g));
    fmutex_unlock(&p->mutex);
    for (size_t i = 0; i < all.count; i++) TRY(emit(x, all.data[i]));
    return OK;
}
