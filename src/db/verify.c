/* Verification of the database: SELECT * FROM helios_verify(), and `helios verify` for a data directory
 * that no server has open. First what the store says of its files, then each table of each database
 * at a snapshot of its own, in a transaction that only reads: writers go on; and then what each branch has changed. A table that DDL has
 * locked is told as skipped, as waiting could be for ourselves. */
#include <stdio.h>

#include "core/txn.h"
#include "db/db_line_priv.h"
#include "db/verify_priv.h"

/* --- one table ------------------------------------------------------------------------------- */

static enum status load_checks(struct session *s, struct table_check *c)
{
    struct ddl d = {.s = s, .a = &s->arena};
    const struct table_def *t = c->table;
    c->checks = ARENA_ARRAY(d.a, struct expr *, t->constraint_count + 1u);
    c->check_defs = ARENA_ARRAY(d.a, const struct constraint_def *, t->constraint_count + 1u);
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *k = t->constraints[i];
        if (k->kind != 'c' || !k->check_sql || !k->validated) continue;
        TRY(ddl__load_expression(&d, t, k->check_sql, NULL, "CHECK", &c->checks[c->check_count]));
        c->check_defs[c->check_count++] = k;
    }
    c->values = ARENA_ARRAY(d.a, struct index_values, t->index_count + 1u);
    for (uint16_t i = 0; i < t->index_count; i++) {
        TRY(ddl__index_values(&d, t, t->indexes[i], &c->values[i]));
        c->values[i].x = &c->execution;
        c->values[i].arena = &c->arena;
    }
    return OK;
}

static enum status check_table(struct session *s, struct table_check *c)
{
    static const struct exec_params no_params = {0};
    exec_begin(&c->execution, NULL, c->txn, &s->exec, &no_params, &s->arena);
    arena_init(&c->arena, MEM_QUERY);
    strbuf_init(&c->object, NULL);
    strbuf_init(&c->from, NULL);
    strbuf_init(&c->key, NULL);
    enum status st = load_checks(s, c);
    if (st == OK) st = verify__table(c);
    strbuf_release(&c->object);
    strbuf_release(&c->from);
    strbuf_release(&c->key);
    arena_release(&c->arena);
    exec_end(&c->execution);
    return st;
}

static const char *full_name(struct session *s, const struct db_line *l, const struct catalog *catalog,
                             const struct table_def *t)
{
    const struct database_def *d = catalog_database_by_oid(catalog, t->database);
    const struct schema_def *n = catalog_schema_by_oid(catalog, t->schema);
    return arena_printf(&s->arena, "%s%s%s.%s.%s", d ? d->name : "?", l->branch ? "@" : "",
                        l->branch ? branch_name(l->branch) : "", n ? n->name : "?", t->name);
}

/* The newest definition, under a lock that holds DDL off; the snapshot is taken after it. */
static enum status lock_and_check(struct session *s, struct db_line *l, struct txn *t, oid_t oid,
                                  const struct verify_sink *sink)
{
    struct catalog *catalog;
    enum status st = txn_lock_relation(t, oid, LOCK_ACCESS_SHARE, true);
    bool locked = st == LOCK_NOT_AVAILABLE;
    if (st != OK && !locked) return st;
    error_clear();
    db_line__wait_published(l);
    catalog = db_line__catalog(l);
    const struct table_def *table = catalog_table_by_oid(catalog, oid);
    st = OK;
    if (table && locked) {
        struct strbuf object;
        strbuf_init(&object, &s->arena);
        strbuf_addf(&object, "table %s", full_name(s, l, catalog, table));
        struct verify_finding f = {object.data, "skipped: locked", 0, NULL};
        st = sink->found(sink->ctx, &f);
    } else if (table) {
        struct table_check c = {.sink = sink, .txn = t, .table = table,
                                .name = full_name(s, l, catalog, table)};
        st = check_table(s, &c);
    }
    catalog_unref(catalog);
    return st;
}

static enum status verify_table(struct session *s, struct db_line *l, oid_t oid,
                                const struct verify_sink *sink)
{
    struct txn_options o = {.isolation = REPEATABLE_READ, .read_only = true,
                            .min_snapshot_ts = s->last_commit_ts, .branch = l->branch};
    struct txn *t;
    TRY(txn_begin(s->db->store, &o, &t));
    enum status st = lock_and_check(s, l, t, oid, sink);
    txn_abort(t);
    return st;
}

/* --- all of them ----------------------------------------------------------------------------- */

/* The sink, with an ear for cancels. */
struct polled {
    struct session *session;
    const struct verify_sink *to;
};

static enum status poll(void *ctx)
{
    struct polled *p = ctx;
    return session__check_interrupts(p->session);
}

static enum status found(void *ctx, const struct verify_finding *f)
{
    struct polled *p = ctx;
    TRY(poll(p));
    return p->to->found(p->to->ctx, f);
}

/* Trees that a branch has changed, or made: the rest was looked at where it comes from. */
struct own_trees {
    const struct catalog *main;
    tree_id *changed;
    uint32_t count;
};

static bool is_own(const struct own_trees *o, tree_id tree, tree_id in_main)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (o->changed[i] == tree) return true;
    return tree != in_main;
}

static bool is_looked_at(const struct own_trees *o, const struct table_def *t)
{
    if ((t->kind != 'r' && t->kind != 'm') || !t->tree) return false;
    if (!o->main) return true;
    const struct table_def *m = catalog_table_by_oid(o->main, t->oid);
    bool own = !m || is_own(o, t->tree, m->tree);
    for (uint16_t i = 0; i < t->index_count && !own; i++) {
        const struct index_def *x = catalog_index_by_oid(o->main, t->indexes[i]->oid);
        own = !x || is_own(o, t->indexes[i]->tree, x->tree);
    }
    return own;
}

static enum status verify_line(struct session *s, struct db_line *l, const struct verify_sink *sink)
{
    ARRAY(oid_t) tables = {0};
    struct own_trees o = {0};
    const struct table_def *t;
    enum status st = OK;
    struct catalog *catalog = db_line__catalog(l), *main = l->branch ? db__catalog(s->db) : NULL;
    o.main = main;
    if (l->branch) branch_changed_trees(l->branch, &s->arena, &o.changed, &o.count);
    for (size_t pos = 0; catalog_next_table(catalog, &pos, &t);)
        if (is_looked_at(&o, t)) ARRAY_PUSH(&tables, t->oid);
    catalog_unref(main);
    catalog_unref(catalog);
    for (size_t i = 0; i < tables.count && st == OK; i++) st = verify_table(s, l, tables.data[i], sink);
    ARRAY_RELEASE(&tables);
    return st;
}

/* One that is dropped meanwhile is passed over. */
static enum status verify_branches(struct session *s, const struct verify_sink *sink)
{
    struct branch_info *list;
    uint32_t n;
    enum status st = OK;
    store_list_branches(s->db->store, &s->arena, &list, &n);
    for (uint32_t i = 0; i < n && st == OK; i++) {
        struct db_line *l;
        st = db_line__open(s->db, slice_of(list[i].name), &l);
        if (st == INVALID_CATALOG_NAME) {
            error_clear();
            st = OK;
            continue;
        }
        TRY(st);
        st = verify_line(s, l, sink);
        db_line__close(l);
    }
    return st;
}

enum status session__verify(void *ctx, const struct verify_sink *to)
{
    struct session *s = ctx;
    struct polled p = {s, to};
    struct verify_sink sink = {found, poll, &p};
    if (!s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for function helios_verify");
    TRY(store_verify(s->db->store, &sink));
    TRY(verify_line(s, &s->db->main, &sink));
    return verify_branches(s, &sink);
}

/* --- without a server ------------------------------------------------------------------------ */

/* Trees, against the catalog: none is missing, none is left over. Only while nobody changes either. */
struct tree_set {
    struct map trees; /* that exist -> itself */
    uint64_t count;
};

static enum status note_tree(void *ctx, tree_id tree)
{
    struct tree_set *x = ctx;
    map_put_u64(&x->trees, tree, x);
    x->count++;
    return OK;
}

static enum status take_tree(struct tree_set *x, const char *of, uint64_t tree,
                             const struct verify_sink *sink)
{
    char words[ERROR_TEXT_MAX];
    struct verify_finding f = {"catalog", "trees", 1, words};
    if (!tree || map_remove_u64(&x->trees, tree)) return OK;
    snprintf(words, sizeof words, "tree %llu of %s does not exist, or another has it too",
             (unsigned long long)tree, of);
    return sink->found(sink->ctx, &f);
}

static enum status take_trees(struct tree_set *x, const struct catalog *c,
                              const struct verify_sink *sink)
{
    const struct table_def *t;
    size_t pos = 0;
    TRY(take_tree(x, "the catalog", CATALOG_TREE, sink));
    while (catalog_next_table(c, &pos, &t)) {
        TRY(take_tree(x, t->name, t->tree, sink));
        if (t->sequence) TRY(take_tree(x, t->name, t->sequence->tree, sink));
        for (uint16_t i = 0; i < t->index_count; i++)
            TRY(take_tree(x, t->indexes[i]->name, t->indexes[i]->tree, sink));
    }
    return OK;
}

static enum status verify_trees(struct db *db, const struct verify_sink *sink)
{
    struct tree_set x = {0};
    char words[ERROR_TEXT_MAX];
    uint64_t left;
    size_t pos = 0;
    map_init(&x.trees);
    enum status st = store_each_tree(db->store, note_tree, &x);
    if (st == OK) st = take_trees(&x, db->main.catalog, sink);
    struct verify_finding f = {"catalog", "trees", 1, words};
    while (st == OK && map_next(&x.trees, &pos, NULL, &left, NULL)) {
        snprintf(words, sizeof words, "tree %llu belongs to nothing", (unsigned long long)left);
        st = sink->found(sink->ctx, &f);
    }
    f.checked = x.count;
    f.problem = NULL;
    if (st == OK && x.trees.count == 0) st = sink->found(sink->ctx, &f);
    map_release(&x.trees);
    return st;
}

static const struct role_def *any_superuser(const struct catalog *c)
{
    const struct role_def *r;
    size_t pos = 0;
    while (catalog_next_role(c, &pos, &r))
        if (r->superuser && r->can_login) return r;
    return NULL;
}

enum status db_verify(struct db *db, const struct verify_sink *sink)
{
    struct session *s;
    const struct database_def *d;
    size_t pos = 0;
    struct catalog *c = db__catalog(db);
    const struct role_def *r = any_superuser(c);
    enum status st = verify_trees(db, sink);
    if (st == OK && (!r || !catalog_next_database(c, &pos, &d)))
        st = FAIL(UNDEFINED_OBJECT, "there is no superuser who may log in");
    if (st == OK) {
        struct session_options o = {.user = r->name, .database = d->name};
        st = session_new(db, &o, &s);
    }
    catalog_unref(c);
    TRY(st);
    session__begin_statement(s, SLICE("verify"));
    st = session__ensure_txn(s);
    if (st == OK) (void)session__catalog(s);
    if (st == OK) st = session__verify(s, sink);
    session__end_statement(s);
    session_free(s);
    return st;
}
