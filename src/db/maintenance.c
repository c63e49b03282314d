/* VACUUM and ANALYZE. The store drops dead versions by itself as it merges, so plain VACUUM
 * has nothing to clean: it refreshes the table's size from what the store knows. ANALYZE reads
 * the table as well (analyze.c). VACUUM FULL rewrites the table's trees as one run each.
 *
 * Statistics lie in the catalog, so the lock of DDL is taken before any table's, as DDL does
 * it. */
#include "core/txn.h"
#include "db/analyze.h"

enum { PAGE_BYTES = 8192 }; /* the unit of pg_class.relpages */

struct maintenance {
    struct session *s;
    const struct result_sink *sink;
    const struct ast_vacuum *ast;
    bool full, analyze, verbose, skip_locked, no_page_skipping, parallel, no_toast;
};

/* --- options -------------------------------------------------------------------------------- */

static enum status read_bool(const struct ast_def_elem *d, bool *ret)
{
    const struct ast_const *k = (const struct ast_const *)d->arg;
    *ret = true;
    if (!k) return OK;
    if (k->node.kind == AST_CONST) {
        bool number = k->type == CONST_INT || k->type == CONST_BOOL;
        if (number && (k->ival == 0 || k->ival == 1)) return *ret = k->ival != 0, OK;
        if (!number && k->text) {
            if (str_eq_nocase(k->text, "true") || str_eq_nocase(k->text, "on")) return OK;
            *ret = false;
            if (str_eq_nocase(k->text, "false") || str_eq_nocase(k->text, "off")) return OK;
        }
    }
    return FAIL(SYNTAX_ERROR, "%s requires a Boolean value", d->name);
}

static enum status read_parallel(struct maintenance *m, const struct ast_def_elem *d)
{
    const struct ast_const *k = (const struct ast_const *)d->arg;
    if (!k || k->node.kind != AST_CONST || k->type != CONST_INT)
        return FAIL(SYNTAX_ERROR, "parallel option requires a value between 0 and 1024");
    if (k->ival < 0 || k->ival > 1024)
        return FAIL(SYNTAX_ERROR, "parallel workers for vacuum must be between 0 and 1024");
    m->parallel = k->ival > 0;
    return OK;
}

/* Some are read for their errors only: what they steer does not exist here. */
static enum status read_option(struct maintenance *m, const struct ast_def_elem *d)
{
    bool vacuum = m->ast->is_vacuum, on;
    if (strcmp(d->name, "verbose") == 0) return read_bool(d, &m->verbose);
    if (strcmp(d->name, "skip_locked") == 0) return read_bool(d, &m->skip_locked);
    if (!vacuum) return FAIL(SYNTAX_ERROR, "unrecognized ANALYZE option \"%s\"", d->name);
    if (strcmp(d->name, "analyze") == 0) return read_bool(d, &m->analyze);
    if (strcmp(d->name, "full") == 0) return read_bool(d, &m->full);
    if (strcmp(d->name, "disable_page_skipping") == 0) return read_bool(d, &m->no_page_skipping);
    if (strcmp(d->name, "freeze") == 0 || strcmp(d->name, "truncate") == 0)
        return read_bool(d, &on);
    if (strcmp(d->name, "process_toast") == 0) {
        TRY(read_bool(d, &on));
        m->no_toast = !on;
        return OK;
    }
    if (strcmp(d->name, "index_cleanup") == 0) {
        const struct ast_const *k = (const struct ast_const *)d->arg;
        if (k && k->node.kind == AST_CONST && k->text && str_eq_nocase(k->text, "auto")) return OK;
        return read_bool(d, &on);
    }
    if (strcmp(d->name, "parallel") == 0) return read_parallel(m, d);
    return FAIL(SYNTAX_ERROR, "unrecognized VACUUM option \"%s\"", d->name);
}

static enum status read_options(struct maintenance *m)
{
    const struct ast_vacuum *a = m->ast;
    for (uint32_t i = 0; i < a->options.count; i++)
        TRY(read_option(m, AST(a->options.items[i], ast_def_elem)));
    if (m->full && m->parallel)
        return FAIL(FEATURE_NOT_SUPPORTED, "VACUUM FULL cannot be performed in parallel");
    for (uint32_t i = 0; a->is_vacuum && !m->analyze && i < a->tables.count; i++)
        if (AST(a->tables.items[i], ast_range_var)->alias.columns.count > 0)
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "ANALYZE option must be specified when a column list is provided");
    if (m->full && m->no_page_skipping)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL");
    if (m->full && m->no_toast)
        return FAIL(FEATURE_NOT_SUPPORTED, "PROCESS_TOAST required with VACUUM FULL");
    return OK;
}

/* --- one table ------------------------------------------------------------------------------ */

static enum status check_columns(const struct table_def *t, const struct name_list *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (!table_column(t, slice_of(names->items[i])))
            return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist",
                        names->items[i], t->name);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(names->items[k], names->items[i]) == 0)
                return FAIL(DUPLICATE_COLUMN,
                            "column \"%s\" of relation \"%s\" appears more than once",
                            names->items[i], t->name);
    }
    return OK;
}

static bool may_maintain(const struct session *s, const struct table_def *t)
{
    const struct database_def *d = catalog_database_by_oid(s->catalog, s->database_oid);
    return s->superuser || t->owner == s->user_oid || (d && d->owner == s->user_oid);
}

/* Tells why a relation is passed over. *ret_skip false: it is not. */
static enum status pass_over(const struct maintenance *m, const struct table_def *t,
                             bool *ret_skip)
{
    const char *verb = m->ast->is_vacuum ? "vacuum" : "analyze";
    bool system = t->virtual_id >= 0;
    *ret_skip = true;
    if (!may_maintain(m->s, t))
        return session__notice(m->sink, "WARNING", OK, NULL,
                               "skipping \"%s\" --- only %s can %s it", t->name,
                               system ? "superuser" : "table or database owner", verb);
    if (t->kind != 'r' && t->kind != 'm' && m->ast->is_vacuum)
        return session__notice(m->sink, "WARNING", OK, NULL, "skipping \"%s\" --- cannot vacuum "
                               "non-tables or special system tables", t->name);
    if (t->kind == 'm' && !t->tree) return OK;
    if (t->kind != 'r' && t->kind != 'm')
        return session__notice(m->sink, "WARNING", OK, NULL, "skipping \"%s\" --- cannot analyze "
                               "non-tables or special system tables", t->name);
    *ret_skip = system; /* made anew whenever they are read */
    return OK;
}

static enum status lock_table(const struct maintenance *m, const struct table_def *t,
                              bool *ret_skip)
{
    enum relation_lock mode = m->full ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_UPDATE_EXCLUSIVE;
    enum status result = txn_lock_relation(m->s->txn, t->oid, mode, m->skip_locked);
    *ret_skip = result == LOCK_NOT_AVAILABLE && m->skip_locked;
    if (!*ret_skip) return result;
    return session__notice(m->sink, "WARNING", LOCK_NOT_AVAILABLE, NULL,
                           "skipping %s of \"%s\" --- lock not available",
                           m->ast->is_vacuum ? "vacuum" : "analyze", t->name);
}

static enum status compact(const struct maintenance *m, const struct table_def *t)
{
    struct store *store = m->s->db->store;
    TRY(store_compact_tree(store, t->tree));
    for (uint16_t i = 0; i < t->index_count; i++) {
        TRY(session__check_interrupts(m->s));
        if (t->indexes[i]->tree) TRY(store_compact_tree(store, t->indexes[i]->tree));
    }
    return OK;
}

/* Into the catalog when they are not what they were: a new snapshot costs every cached plan. */
static enum status refresh_statistics(const struct maintenance *m, const struct table_def *t,
                                      const struct name_list *columns)
{
    struct session *s = m->s;
    struct tree_statistics now;
    struct catalog *next;
    bool analyze = !m->ast->is_vacuum || m->analyze;
    TRY(session__tree_statistics(s, t->tree, &now));
    uint64_t pages = (now.bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    struct table_def def = *t;
    def.statistics.rows = (double)now.rows;
    if (analyze) {
        autoanalyze_done(s->db, t->oid);
        TRY(analyze_table(s, t, columns, (double)now.rows, &s->arena, &def));
    }
    def.statistics.pages = pages < INT32_MAX ? (uint32_t)pages : INT32_MAX;
    if (!analyze && def.statistics.rows == t->statistics.rows &&
        def.statistics.pages == t->statistics.pages)
        return OK;
    TRY(catalog_put_table(session__catalog(s), s->txn, &def, &next));
    session__set_catalog(s, next);
    return OK;
}

static enum status announce(const struct maintenance *m, const struct table_def *t)
{
    const struct schema_def *schema = catalog_schema_by_oid(m->s->catalog, t->schema);
    const char *in = schema ? schema->name : "";
    if (!m->verbose) return OK;
    if (m->ast->is_vacuum)
        TRY(session__notice(m->sink, "INFO", OK, NULL, "vacuuming \"%s.%s.%s\"", m->s->database,
                            in, t->name));
    if (!m->ast->is_vacuum || m->analyze)
        TRY(session__notice(m->sink, "INFO", OK, NULL, "analyzing \"%s.%s\"", in, t->name));
    return OK;
}

static enum status maintain(const struct maintenance *m, oid_t oid, const struct name_list *columns)
{
    bool skip;
    const struct table_def *t = catalog_table_by_oid(m->s->catalog, oid);
    if (!t) return OK;
    TRY(session__check_interrupts(m->s));
    TRY(pass_over(m, t, &skip));
    if (skip) return OK;
    TRY(lock_table(m, t, &skip));
    if (skip) return OK;
    TRY(announce(m, t));
    if (m->full) TRY(compact(m, t));
    return session__is_read_only(m->s) ? OK : refresh_statistics(m, t, columns);
}

/* --- all of them ---------------------------------------------------------------------------- */

struct oids {
    ARRAY(oid_t) list;
    ARRAY(const struct name_list *) columns; /* none for every_table */
};

static enum status named_tables(const struct maintenance *m, struct oids *ret)
{
    struct session *s = m->s;
    const struct ast_list *tables = &m->ast->tables;
    for (uint32_t i = 0; i < tables->count; i++) {
        const struct ast_range_var *v = AST(tables->items[i], ast_range_var);
        const struct table_def *t =
            catalog_lookup(s->catalog, session__path(s), v->schema, v->name);
        if (!t && v->schema && !catalog_schema(s->catalog, s->database_oid, slice_of(v->schema)))
            return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", v->schema);
        if (!t && v->schema)
            return FAIL(UNDEFINED_TABLE, "relation \"%s.%s\" does not exist", v->schema, v->name);
        if (!t) return FAIL(UNDEFINED_TABLE, "relation \"%s\" does not exist", v->name);
        TRY(check_columns(t, &v->alias.columns));
        ARENA_PUSH(&s->arena, &ret->list, t->oid);
        ARENA_PUSH(&s->arena, &ret->columns, &v->alias.columns);
    }
    return OK;
}

static void every_table(const struct maintenance *m, struct oids *ret)
{
    struct session *s = m->s;
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(s->catalog, &pos, &t))
        if (t->kind == 'r' && t->virtual_id < 0 && t->database == s->database_oid)
            ARENA_PUSH(&s->arena, &ret->list, t->oid);
}

static enum status run(const struct maintenance *m)
{
    struct oids oids = {0};
    if (!session__is_read_only(m->s)) TRY(session__begin_ddl(m->s));
    if (m->ast->tables.count) TRY(named_tables(m, &oids));
    else every_table(m, &oids);
    static const struct name_list all = {0};
    for (size_t i = 0; i < oids.list.count; i++)
        TRY(maintain(m, oids.list.data[i], oids.columns.count ? oids.columns.data[i] : &all));
    return OK;
}

enum status maintenance_execute(struct session *s, const struct ast_vacuum *a,
                                const struct result_sink *sink)
{
    struct maintenance m = {.s = s, .sink = sink, .ast = a};
    TRY(read_options(&m));
    if (a->is_vacuum) TRY(session__forbid_block(s, "VACUUM"));
    txn_statement_begin(s->txn);
    s->txn_began_statement = true;
    enum status result = run(&m);
    txn_statement_end(s->txn);
    return result;
}
