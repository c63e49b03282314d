/* Materialized views: tables that a query fills. One that has no rows to show yet, for WITH NO DATA, has no tree.
 *
 * REFRESH fills a new tree, which readers see once it has committed. CONCURRENTLY works on the rows that are
 * there, within one statement: those that the query does not give any more go, those that it gives newly
 * come, and what others read stays as it is until the commit. */
#include "db/ddl_priv.h"

static enum status uses_temporary(const struct bind_env *env)
{
    for (size_t i = 0; i < env->tables.count; i++)
        if (env->tables.data[i]->persistence == 't')
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "materialized views must not use temporary tables or views");
    return OK;
}

static enum status check_query(struct ddl *d, const struct ast_create_table_as *n,
                               struct query **ret)
{
    struct bind_env env;
    if (n->query->kind != AST_SELECT)
        return UNSUPPORTED("CREATE MATERIALIZED VIEW AS EXECUTE is not supported");
    session__bind_env(d->s, &env, d->a, d->text);
    TRY(bind_statement(&env, n->query, ret));
    if (ast_writes(n->query))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "materialized views must not use data-modifying statements in WITH");
    TRY(uses_temporary(&env));
    if (n->table->persistence == 'u')
        return FAIL(FEATURE_NOT_SUPPORTED, "materialized views cannot be unlogged");
    return OK;
}

enum status ddl__create_materialized(struct ddl *d, const struct ast_create_table_as *n, char tag[64])
{
    const struct schema_def *schema;
    struct table_edit e;
    struct query *q;
    TRY(ddl__check_place(n->access_method, n->tablespace));
    TRY(check_query(d, n, &q));
    TRY(ddl__creation_schema(d, n->table, &schema));
    if (n->if_not_exists && ddl__relation_exists(d, schema->oid, n->table->name))
        return session__notice(d->sink, "NOTICE", DUPLICATE_TABLE, NULL,
                               "relation \"%s\" already exists, skipping", n->table->name);
    TRY(ddl__check_free(d, schema->oid, n->table->name));
    TRY(ddl__new_table(d, schema, n->table, &e));
    e.def.kind = 'm';
    TRY(ddl__options(d, &n->options, &e.def.options));
    TRY(ddl__result_columns(d, &e, n, q));
    TRY(ddl__view_text(d, n->query_text, &e.def.view_sql));
    if (n->with_no_data) {
        TRY(store_drop_tree(d->s->txn, e.def.tree));
        e.def.tree = 0;
    }
    TRY(ddl__edit_put(d, &e, NULL));
    if (!n->with_no_data) return ddl__fill_table(d, schema, n->table->name, n->query, d->text, tag);
    ddl__tag(tag, "CREATE MATERIALIZED VIEW");
    return OK;
}

/* --- REFRESH ---------------------------------------------------------------------------------- */

static enum status parse(struct ddl *d, const char *sql, struct ast **ret)
{
    struct statement *st;
    uint32_t n;
    TRY(sql_parse(d->a, slice_of(sql), &st, &n));
    if (n != 1) return FAIL(DATA_CORRUPTED, "a stored query holds %u statements", n);
    *ret = st[0].ast;
    return OK;
}

/* The indexes are made of the rows that are there by now. */
static enum status build_indexes(struct ddl *d, oid_t view, const struct table_edit *was)
{
    const struct table_def *t = ddl__table(d, view);
    struct table_edit e;
    txn_next_command(d->s->txn);
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < was->indexes.count; i++) {
        struct index_def *x = arena_memdup(d->a, was->indexes.data[i], sizeof *x);
        TRY(store_create_tree(d->s->txn, &x->tree));
        if (t->tree) TRY(ddl__build_index(d, t, x));
        ARENA_PUSH(d->a, &e.indexes, x);
    }
    return ddl__edit_put(d, &e, NULL);
}

static enum status refresh_whole(struct ddl *d, const struct table_def *t, bool no_data)
{
    const struct schema_def *schema = catalog_schema_by_oid(d->s->catalog, t->schema);
    struct table_edit e, was;
    struct ast *query;
    char tag[64];
    ddl__edit(d, t, &was);
    ddl__edit(d, t, &e);
    e.indexes.count = 0;
    for (size_t i = 0; i < was.indexes.count; i++)
        TRY(store_drop_tree(d->s->txn, was.indexes.data[i]->tree));
    if (t->tree) TRY(store_drop_tree(d->s->txn, t->tree));
    e.def.tree = 0;
    if (!no_data) TRY(store_create_tree(d->s->txn, &e.def.tree));
    TRY(ddl__edit_put(d, &e, NULL));
    TRY(parse(d, t->view_sql, &query));
    if (!no_data)
        TRY(ddl__fill_table(d, schema, t->name, query, slice_of(t->view_sql), tag));
    return was.indexes.count ? build_indexes(d, t->oid, &was) : OK;
}

/* --- CONCURRENTLY ------------------------------------------------------------------------------ */

static bool tells_rows_apart(const struct index_def *x)
{
    bool plain = x->unique && x->valid && !x->predicate_sql;
    for (uint16_t i = 0; i < x->key_count; i++) plain &= x->columns[i].column > 0;
    return plain;
}

static const char *full_name(struct ddl *d, const struct table_def *t)
{
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, t->schema);
    return arena_printf(d->a, "%s.%s", ddl__quote(d->a, n->name), ddl__quote(d->a, t->name));
}

/* "old.k = new.k AND old.v IS NOT DISTINCT FROM new.v": all columns, those of the key so that they can be
 * looked up. */
static const char *same_row(struct ddl *d, const struct table_def *t, const struct index_def *key)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (uint16_t c = 0; c < t->column_count; c++) {
        const char *name = ddl__quote(d->a, t->columns[c].name);
        bool in_key = false;
        if (t->columns[c].dropped) continue;
        for (uint16_t i = 0; i < key->key_count; i++)
            in_key |= key->columns[i].column == t->columns[c].number;
        strbuf_addf(&b, "%sold.%s %s new.%s", b.len ? " AND " : "", name,
                    in_key ? "OPERATOR(pg_catalog.=)" : "IS NOT DISTINCT FROM", name);
    }
    return b.data;
}

static const char *column_list(struct ddl *d, const struct table_def *t)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (uint16_t c = 0; c < t->column_count; c++)
        if (!t->columns[c].dropped)
            strbuf_addf(&b, "%s%s", b.len ? ", " : "", ddl__quote(d->a, t->columns[c].name));
    return b.data;
}

static enum status not_concurrently(struct ddl *d, const struct table_def *t)
{
    (void)FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
               "cannot refresh materialized view \"%s\" concurrently", full_name(d, t));
    return error_hint("Create a unique index with no WHERE clause on one or more columns of the "
                      "materialized view.");
}

/* What goes is counted before anything comes, so that a key that it had is free. */
static enum status refresh_beside(struct ddl *d, const struct table_def *t)
{
    const struct index_def *key = NULL;
    for (uint16_t i = 0; i < t->index_count && !key; i++)
        if (tells_rows_apart(t->indexes[i])) key = t->indexes[i];
    if (!t->tree)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "CONCURRENTLY cannot be used when the materialized view is not populated");
    if (!key) return not_concurrently(d, t);
    const char *name = full_name(d, t), *same = same_row(d, t, key);
    const char *sql = arena_printf(
        d->a,
        "WITH new (%s) AS MATERIALIZED (%s\n), gone AS (DELETE FROM %s old WHERE NOT EXISTS (SELECT FROM new "
        "WHERE %s) RETURNING 1) INSERT INTO %s SELECT new.* FROM new WHERE (SELECT pg_catalog.count(*) FROM gone) "
        ">= 0 AND NOT EXISTS (SELECT FROM %s old WHERE %s)",
        column_list(d, t), t->view_sql, name, same, name, name, same);
    struct ast *ast;
    TRY(parse(d, sql, &ast));
    struct ast_insert *insert = AST(ast, ast_insert);
    insert->fills = true;
    AST(AST(insert->with.ctes.items[1], ast_cte)->query, ast_delete)->fills = true;
    char words[64];
    return ddl__run(d, ast, slice_of(sql), words);
}

enum status ddl__refresh(struct ddl *d, const struct ast_refresh *n)
{
    const struct table_def *t;
    if (n->concurrently && n->with_no_data)
        return FAIL(SYNTAX_ERROR,
                    "CONCURRENTLY and WITH NO DATA options cannot be used together");
    TRY(ddl__find(d, n->relation, 0, false, &t));
    if (t->kind != 'm')
        return FAIL(FEATURE_NOT_SUPPORTED, "\"%s\" is not a materialized view", t->name);
    TRY(ddl__own_table(d, t));
    enum relation_lock lock = n->concurrently ? LOCK_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE;
    TRY(ddl__lock(d, t->oid, lock));
    TRY(session__check_unused(d->s, t, "REFRESH MATERIALIZED VIEW"));
    t = ddl__table(d, t->oid);
    return n->concurrently ? refresh_beside(d, t) : refresh_whole(d, t, n->with_no_data);
}
