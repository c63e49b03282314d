/* REINDEX. Of one index or table it is a transaction like other DDL, which keeps writers out; of
 * a schema or a database, and CONCURRENTLY, each table or index has transactions of its own. A
 * primary key by which the rows themselves are ordered has nothing to be made anew, nor has the
 * catalog.
 *
 * Plain readers go on: they read the old tree. Who checks a foreign key by it does not, since what
 * is written after the commit is not there. */
#include "db/ddl_build_priv.h"
#include "db/ddl_follow_priv.h"

struct reindex {
    const struct ast_reindex *ast;
    bool concurrently, verbose;
};

static enum status read_options(const struct ast_reindex *n, struct slice text, struct reindex *ret)
{
    *ret = (struct reindex){.ast = n};
    for (uint32_t i = 0; i < n->options.count; i++) {
        const struct ast_def_elem *o = AST(n->options.items[i], ast_def_elem);
        if (strcmp(o->name, "verbose") == 0) TRY(ddl__option_bool(o, &ret->verbose));
        else if (strcmp(o->name, "concurrently") == 0) TRY(ddl__option_bool(o, &ret->concurrently));
        else if (strcmp(o->name, "tablespace") == 0)
            TRY(ddl__check_place(NULL, ddl__option_text(o)));
        else {
            FAIL(SYNTAX_ERROR, "unrecognized REINDEX option \"%s\"", o->name);
            return error_at(sql_position(text, o->node.location));
        }
    }
    return OK;
}

static bool is_of_many(const struct ast_reindex *n)
{
    return n->kind != REINDEX_INDEX && n->kind != REINDEX_TABLE;
}

bool reindex__is_manifold(const struct ast_reindex *n)
{
    struct reindex r;
    if (read_options(n, (struct slice){0}, &r) == OK) return r.concurrently || is_of_many(n);
    error_clear(); /* it is told when the statement runs */
    return false;
}

enum status reindex__check_place(struct session *s, const struct ast_reindex *n, struct slice text)
{
    static const char *const words[] = {[REINDEX_SCHEMA] = "REINDEX SCHEMA",
                                        [REINDEX_SYSTEM] = "REINDEX SYSTEM",
                                        [REINDEX_DATABASE] = "REINDEX DATABASE"};
    struct reindex r;
    TRY(read_options(n, text, &r));
    if (r.concurrently) TRY(session__forbid_block(s, "REINDEX CONCURRENTLY"));
    return is_of_many(n) ? session__forbid_block(s, words[n->kind]) : OK;
}

/* --- in one transaction ------------------------------------------------------------------------ */

static enum status rebuild(struct ddl *d, oid_t table, const struct index_def *x)
{
    struct table_edit e;
    const struct table_def *t = ddl__table(d, table);
    if (!x->tree) return OK;
    struct index_def *copy = arena_memdup(d->a, x, sizeof *copy);
    TRY(ddl__fill_index(d, BUILD_REINDEX, t, copy));
    TRY(store_drop_tree(d->s->txn, x->tree));
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < e.indexes.count; i++)
        if (e.indexes.data[i]->oid == x->oid) e.indexes.data[i] = copy;
    return ddl__edit_put(d, &e, NULL);
}

static enum status told(const struct ddl *d, const struct reindex *r, const char *name)
{
    if (!r->verbose) return OK;
    return session__notice(d->sink, "INFO", OK, NULL, "index \"%s\" was reindexed", name);
}

static enum status rebuild_table(struct ddl *d, const struct reindex *r, oid_t table)
{
    const struct table_def *t = ddl__table(d, table);
    oid_t *oids = ARENA_ARRAY(d->a, oid_t, t->index_count + 1u);
    uint16_t n = t->index_count;
    for (uint16_t i = 0; i < n; i++) oids[i] = t->indexes[i]->oid;
    TRY(ddl__lock(d, table, LOCK_EXCLUSIVE));
    TRY(session__check_unused(d->s, t, "REINDEX TABLE"));
    for (uint16_t i = 0; i < n; i++) {
        const struct index_def *x = catalog_index_by_oid(d->s->catalog, oids[i]);
        const char *name = arena_strdup(d->a, x->name);
        TRY(rebuild(d, table, x));
        TRY(told(d, r, name));
    }
    return OK;
}

static enum status find_index(struct ddl *d, const struct ast_reindex *n,
                              const struct index_def **ret)
{
    const char *schema = n->relation->schema, *name = n->relation->name;
    const struct search_path *path = session__path(d->s);
    if (!catalog_lookup_index(d->s->catalog, path, schema, name) &&
        !catalog_lookup(d->s->catalog, path, schema, name))
        return FAIL(UNDEFINED_TABLE, "relation \"%s\" does not exist", name);
    TRY(ddl__find_index(d, n->relation, false, ret));
    return ddl__own_table(d, ddl__table(d, (*ret)->table));
}

static enum status find_table(struct ddl *d, const struct ast_reindex *n,
                              const struct table_def **ret)
{
    const char *schema = n->relation->schema, *name = n->relation->name;
    const struct search_path *path = session__path(d->s);
    const struct table_def *t = catalog_lookup(d->s->catalog, path, schema, name);
    bool other = t ? t->kind != 'r'
                   : catalog_lookup_index(d->s->catalog, path, schema, name) != NULL;
    if (other)
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a table or materialized view", name);
    TRY(ddl__find(d, n->relation, 0, false, ret));
    return ddl__own_table(d, *ret);
}

enum status ddl__reindex(struct ddl *d, const struct ast_reindex *n)
{
    struct reindex r;
    const struct index_def *x;
    const struct table_def *t;
    TRY(read_options(n, d->text, &r));
    if (n->kind == REINDEX_TABLE) {
        TRY(find_table(d, n, &t));
        if (!t->index_count)
            return ddl__notice(d, "table \"%s\" has no indexes to reindex", t->name);
        return rebuild_table(d, &r, t->oid);
    }
    TRY(find_index(d, n, &x));
    const char *name = arena_strdup(d->a, x->name);
    t = ddl__table(d, x->table);
    d->beside = ddl__is_alone(d) ? LOCK_EXCLUSIVE : 0;
    TRY(ddl__lock(d, t->oid, d->beside ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_EXCLUSIVE));
    TRY(session__check_unused(d->s, t, "REINDEX INDEX"));
    TRY(rebuild(d, t->oid, x));
    TRY(ddl__lock_fully(d, t->oid));
    return told(d, &r, name);
}

/* --- in many
 * ----------------------------------------------------------------------------------- */

typedef ARRAY(oid_t) oid_list;

static void add_indexes(struct build *b, const struct table_def *t, oid_list *out)
{
    for (uint16_t i = 0; i < t->index_count; i++)
        ARENA_PUSH(&b->s->arena, out, t->indexes[i]->oid);
}

static enum status schema_of(struct build *b, const struct ast_reindex *n, oid_t *ret)
{
    const struct schema_def *schema;
    *ret = 0;
    if (n->kind == REINDEX_SCHEMA) {
        TRY(ddl__schema(&b->ddl, n->name, &schema));
        *ret = schema->oid;
        return ddl__own_schema(&b->ddl, schema);
    }
    const struct database_def *db = catalog_database_by_oid(b->s->catalog, b->s->database_oid);
    if (n->name && strcmp(n->name, b->s->database) != 0)
        return FAIL(FEATURE_NOT_SUPPORTED, "can only reindex the currently open database");
    if (!ddl__is_owner(b->s, db->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of database %s", db->name);
    return OK;
}

/* Of tables, or, CONCURRENTLY, of indexes. */
static enum status list_of_many(struct build *b, const struct reindex *r, oid_list *out)
{
    const struct table_def *t;
    size_t pos = 0;
    oid_t schema;
    if (r->ast->kind == REINDEX_SYSTEM && r->concurrently)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot reindex system catalogs concurrently");
    TRY(schema_of(b, r->ast, &schema));
    if (r->ast->kind == REINDEX_SYSTEM) return OK;
    while (catalog_next_table(b->s->catalog, &pos, &t)) {
        bool in = t->database == b->s->database_oid && (!schema || t->schema == schema);
        if (!in || t->kind != 'r' || t->virtual_id >= 0 || !t->index_count) continue;
        if (r->concurrently) add_indexes(b, t, out);
        else ARENA_PUSH(&b->s->arena, out, t->oid);
    }
    return OK;
}

static enum status list_all(struct build *b, const struct reindex *r, oid_list *out)
{
    const struct index_def *x;
    const struct table_def *t;
    TRY(build__open(b));
    if (is_of_many(r->ast)) return list_of_many(b, r, out);
    if (r->ast->kind == REINDEX_TABLE) {
        TRY(find_table(&b->ddl, r->ast, &t));
        if (!t->index_count)
            return ddl__notice(
                &b->ddl, "table \"%s\" has no indexes that can be reindexed concurrently", t->name);
        add_indexes(b, t, out);
        return OK;
    }
    TRY(find_index(&b->ddl, r->ast, &x));
    ARENA_PUSH(&b->s->arena, out, x->oid);
    return OK;
}

/* The table at once, if it is there yet; while somebody works on it, later. */
static enum status rebuild_alone(struct build *b, const struct reindex *r, oid_t table)
{
    for (;;) {
        TRY(build__open(b));
        if (!catalog_table_by_oid(b->s->catalog, table)) return OK;
        if (!builds_running(b->s, table)) break;
        build__abort(b);
        TRY(builds_wait(b->s, table));
    }
    TRY(rebuild_table(&b->ddl, r, table));
    return build__commit(b);
}

static enum status one(struct session *s, const struct reindex *r, struct slice text,
                       const struct result_sink *sink, oid_t oid)
{
    struct build b = {.s = s, .sink = sink, .text = text};
    const char *name = NULL;
    struct catalog *c = catalog_ref(s->catalog);
    const struct index_def *x = r->concurrently ? catalog_index_by_oid(c, oid) : NULL;
    if (x) name = arena_strdup(&s->arena, x->name);
    catalog_unref(c);
    enum status st = r->concurrently ? reindex__one_beside(&b, oid) : rebuild_alone(&b, r, oid);
    build__end(&b);
    return st == OK && name ? told(&b.ddl, r, name) : st;
}

enum status reindex__all(struct session *s, const struct ast_reindex *n, struct slice text,
                         const struct result_sink *sink)
{
    struct build b = {.s = s, .sink = sink, .text = text};
    struct reindex r;
    oid_list oids = {0};
    TRY(read_options(n, text, &r));
    enum status st = list_all(&b, &r, &oids);
    if (st == OK) st = build__commit(&b);
    build__end(&b);
    for (size_t i = 0; i < oids.count && st == OK; i++) st = one(s, &r, text, sink, oids.data[i]);
    return st;
}
