/* Temporary objects. Those of a session live in a schema of its own, pg_temp_N (N: its pid), which is made
 * with the first of them and looked in before all others. They are objects of the catalog as all are, in
 * trees as all are; they go when the session ends, and what a server that was killed left behind goes when
 * the next one starts.
 *
 * What ON COMMIT asks for is known to the session alone. */
#include "db/temporary.h"

#include <stdio.h>

#include "base/log.h"
#include "core/txn.h"
#include "db/ddl_routine_priv.h"

enum { ROWS_AT_ONCE = 256, END_LOCK_TIMEOUT_US = 5000000 };

static const char prefix[] = "pg_temp_";

bool temporary_is_schema(const char *name)
{
    return strncmp(name, prefix, sizeof prefix - 1) == 0;
}

static void own_name(const struct session *s, char ret[32])
{
    snprintf(ret, 32, "%s%u", prefix, s->pid);
}

oid_t temporary_schema(const struct session *s)
{
    char name[32];
    if (!s->temporary || s->line->branch) return 0;
    own_name(s, name);
    const struct schema_def *n = catalog_schema(s->catalog, s->database_oid, slice_of(name));
    return n ? n->oid : 0;
}

enum status temporary_make_schema(struct ddl *d, const struct schema_def **ret)
{
    struct session *s = d->s;
    char name[32];
    if (s->line->branch) {
        FAIL(FEATURE_NOT_SUPPORTED, "temporary objects are not supported in a branch");
        return error_hint("Use an ordinary table, or USE BRANCH main.");
    }
    s->used_temporary = true;
    if (!s->temporary) {
        s->temporary = true;
        session__path_front(s, s->path_front); /* the path is made anew */
    }
    oid_t oid = temporary_schema(s);
    if (!oid) {
        own_name(s, name);
        struct schema_def def = {.database = s->database_oid, .owner = OID_ROLE_BOOTSTRAP,
                                 .name = name};
        TRY(ddl__new_oid(d, &def.oid));
        TRY(ddl__put_schema(d, &def));
        oid = def.oid;
    }
    *ret = catalog_schema_by_oid(s->catalog, oid);
    ASSERT(*ret);
    return OK;
}

void temporary_on_commit(struct session *s, oid_t table, char action)
{
    size_t kept = 0; /* an oid may have been another table's that was rolled back */
    for (size_t i = 0; i < s->on_commit.count; i++)
        if (s->on_commit.data[i].table != table) s->on_commit.data[kept++] = s->on_commit.data[i];
    s->on_commit.count = kept;
    if (action == 'd' || action == 'D') ARRAY_PUSH(&s->on_commit, ((struct on_commit){table, action}));
}

/* --- ON COMMIT -------------------------------------------------------------------------------- */

static enum status remove_rows(struct session *s, tree_id tree)
{
    struct slice keys[ROWS_AT_ONCE], rows[ROWS_AT_ONCE];
    struct scan_request q = {.tree = tree};
    struct cursor *c;
    uint32_t n = 0;
    TRY(store_scan(s->txn, &q, &c));
    enum status st = OK;
    do {
        st = cursor_next(c, keys, rows, ROWS_AT_ONCE, &n);
        for (uint32_t i = 0; st == OK && i < n; i++) {
            struct write_request w = {.tree = tree, .op = WRITE_REMOVE, .key = keys[i]};
            st = store_write(s->txn, &w);
        }
    } while (st == OK && n > 0);
    cursor_close(c);
    return st;
}

static enum status empty_table(struct session *s, const struct table_def *t)
{
    TRY(remove_rows(s, t->tree));
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->tree) TRY(remove_rows(s, t->indexes[i]->tree));
    return OK;
}

static enum status drop_tables(struct session *s, const struct drop_item *items, uint32_t count)
{
    TRY(session__begin_ddl(s));
    struct ddl d = {.s = s, .a = &s->arena};
    enum status st = ddl__drop_items(&d, items, count, true);
    for (size_t i = 0; i < d.kept.count; i++) catalog_unref(d.kept.data[i]);
    return st;
}

/* Rules of tables that are not there any more, or never came to be. */
static void forget_gone(struct session *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->on_commit.count; i++)
        if (catalog_table_by_oid(s->catalog, s->on_commit.data[i].table))
            s->on_commit.data[kept++] = s->on_commit.data[i];
    s->on_commit.count = kept;
}

static enum status apply_rules(struct session *s)
{
    struct drop_item *drops = ARENA_ARRAY(&s->arena, struct drop_item, s->on_commit.count + 1);
    uint32_t n = 0;
    for (size_t i = 0; i < s->on_commit.count; i++) {
        const struct on_commit *o = &s->on_commit.data[i];
        const struct table_def *t = catalog_table_by_oid(s->catalog, o->table);
        if (!t || t->schema != temporary_schema(s)) continue;
        if (o->action == 'D') drops[n++] = (struct drop_item){.table = t};
        else TRY(empty_table(s, t));
    }
    return n ? drop_tables(s, drops, n) : OK;
}

enum status temporary_before_commit(struct session *s)
{
    if (!s->used_temporary || !s->txn || !s->on_commit.count) return OK;
    txn_statement_begin(s->txn);
    enum status st = apply_rules(s);
    txn_statement_end(s->txn);
    return st;
}

void temporary_ended(struct session *s)
{
    if (!s->used_temporary) return;
    s->used_temporary = false;
    forget_gone(s);
}

/* --- the end ------------------------------------------------------------------------------------ */

static enum status drop_contents(struct session *s, const struct schema_def *n, bool whole)
{
    struct ddl d = {.s = s, .a = &s->arena};
    const struct schema_def *const list[] = {n};
    oid_t oid = n->oid;
    enum status st = ddl__drop_contents(&d, list, 1, true);
    if (st == OK) st = ddl__drop_schema_functions(&d, oid);
    if (st == OK && whole) st = ddl__remove(&d, oid);
    for (size_t i = 0; i < d.kept.count; i++) catalog_unref(d.kept.data[i]);
    return st;
}

/* All schemas of temporary objects in the session's database, or its own. */
static enum status drop_schemas(struct session *s, bool all)
{
    struct catalog *c = catalog_ref(s->catalog);
    const struct schema_def *n;
    oid_t own = temporary_schema(s);
    size_t pos = 0;
    enum status st = OK;
    while (st == OK && catalog_next_schema(c, &pos, &n))
        if (n->oid == own || (all && n->database == s->database_oid && temporary_is_schema(n->name)))
            st = drop_contents(s, n, true);
    catalog_unref(c);
    return st;
}

/* In a transaction of its own. */
static enum status in_transaction(struct session *s, bool all)
{
    TRY(session__ensure_txn(s));
    txn_statement_begin(s->txn);
    enum status st = session__begin_ddl(s);
    if (st == OK) st = drop_schemas(s, all);
    txn_statement_end(s->txn);
    if (st == OK) return session__commit(s, NULL);
    session__abort(s, NULL);
    return st;
}

enum status temporary_discard(struct session *s)
{
    oid_t own = temporary_schema(s);
    if (!own) return OK;
    s->used_temporary = true;
    txn_statement_begin_fresh(s->txn);
    enum status st = session__begin_ddl(s);
    const struct schema_def *n = catalog_schema_by_oid(s->catalog, own);
    if (st == OK && n) st = drop_contents(s, n, false);
    txn_statement_end(s->txn);
    return st;
}

void temporary_end_session(struct session *s)
{
    if (!s->temporary) return;
    struct error kept = *error_current();
    enum status st = OK;
    /* It has been asked to end; this is the end. */
    __atomic_store_n(&s->terminate, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&s->cancel, 0, __ATOMIC_RELEASE);
    s->deadline_us = 0;
    waiter_clear_cancel(s->waiter);
    if (s->line->branch) st = session__use_branch(s, SLICE("main"));
    s->settings.lock_timeout_us = END_LOCK_TIMEOUT_US;
    session__begin_options(s, &(struct ast_list){0});
    s->read_only = false;
    if (st == OK) st = in_transaction(s, false);
    if (st != OK) log_error(LOG_WARNING, "temporary tables"); /* the next start drops them */
    ARRAY_RELEASE(&s->on_commit);
    s->temporary = false;
    *error_current() = kept;
}

static enum status clear_database(struct db *db, const struct role_def *role,
                                  const struct database_def *d)
{
    struct session *s;
    struct session_options o = {.user = role->name, .database = d->name};
    TRY(session_new(db, &o, &s));
    enum status st = in_transaction(s, true);
    session_free(s);
    return st;
}

enum status temporary_clear(struct db *db)
{
    struct catalog *c = db__catalog(db);
    const struct role_def *role = catalog_role_by_oid(c, OID_ROLE_BOOTSTRAP);
    const struct schema_def *n;
    oid_t done = 0;
    size_t pos = 0;
    enum status st = OK;
    while (st == OK && role && role->can_login && catalog_next_schema(c, &pos, &n)) {
        const struct database_def *d = catalog_database_by_oid(c, n->database);
        if (!d || d->oid == done || !temporary_is_schema(n->name)) continue;
        st = clear_database(db, role, d);
        done = d->oid;
    }
    catalog_unref(c);
    return st;
}
