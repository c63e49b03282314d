/* CREATE TABLE AS: the table gets the query's columns, then the rows go in by INSERT's own path.
 *
 * The insert is a tree over the very syntax of the query, bound again against the new table: so
 * defaults, row ids and limits are INSERT's, and parameters need no second treatment. */
#include "db/ddl_priv.h"
#include "db/storage_priv.h"

static enum status bind_query(struct ddl *d, const struct ast *query, struct query **ret)
{
    struct bind_env env;
    session__bind_env(d->s, &env, d->a, d->text);
    enum status s = bind_statement(&env, query, ret);
    return s;
}

enum status ddl__result_columns(struct ddl *d, struct table_edit *e,
                                const struct ast_create_table_as *n, const struct query *q)
{
    uint32_t visible = 0;
    for (uint32_t i = 0; i < q->target_count; i++) visible += !q->targets[i].junk;
    if (n->columns.count > visible)
        return FAIL(SYNTAX_ERROR, "too many column names were specified");
    uint32_t at = 0;
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct target *t = &q->targets[i];
        if (t->junk) continue;
        const char *name = at < n->columns.count ? n->columns.items[at] : t->name;
        at++;
        TRY(ddl__add_result_column(d, e, t, name ? name : "?column?", false));
    }
    return OK;
}

/* It reads what any other of the transaction does. */
static void begin_query(struct session *s)
{
    txn_statement_end(s->txn);
    txn_statement_begin_fresh(s->txn);
    session__change_catalog(s, false);
}

static void end_query(struct session *s)
{
    txn_statement_end(s->txn);
    txn_statement_begin_latest(s->txn);
    session__change_catalog(s, true);
}

enum status ddl__run(struct ddl *d, struct ast *ast, struct slice text, char words[64])
{
    static const struct exec_params no_params = {0};
    struct statement st = {.ast = ast};
    uint32_t params = 0;
    enum status s;
    struct cached_plan *p = session__plan(d->s, &st, text, NULL, &params, false, &s);
    if (!p) return s;
    struct run_options o = {.params = &no_params};
    s = session__run_plan(d->s, p, &o, d->sink, words);
    cached_plan_unref(p);
    return s;
}

enum status ddl__fill_table(struct ddl *d, const struct schema_def *schema, const char *name,
                            const struct ast *query, struct slice text, char tag[64])
{
    struct ast_range_var target = {.node = {AST_RANGE_VAR, -1}, .schema = schema->name, .name = name,
                                   .persistence = 'p'};
    struct ast_insert *insert = ARENA_NEW(d->a, struct ast_insert);
    insert->node = (struct ast){AST_INSERT, -1};
    insert->table = &target;
    insert->fills = true;
    /* What the WITH of the query may do, it may do at the top only. */
    struct ast_select *select = arena_memdup(d->a, query, sizeof *select);
    insert->with = select->with;
    select->with = (struct ast_with){0};
    insert->select = select;
    char words[64] = "";
    begin_query(d->s);
    enum status s = ddl__run(d, &insert->node, text, words);
    end_query(d->s);
    TRY(s);
    const char *count = strrchr(words, ' '); /* of "INSERT 0 n" */
    ddl__tag(tag, arena_printf(d->a, "SELECT%s", count ? count : " 0"));
    return OK;
}

static enum status refuse(const struct ast_create_table_as *n)
{
    if (n->query->kind != AST_SELECT)
        return UNSUPPORTED("CREATE TABLE AS EXECUTE is not supported yet");
    return ddl__check_place(n->access_method, n->tablespace);
}

enum status ddl__create_table_as(struct ddl *d, const struct ast_create_table_as *n, char tag[64])
{
    const struct schema_def *schema;
    const struct table_def *made;
    struct table_edit e;
    struct query *q;
    if (n->materialized) return ddl__create_materialized(d, n, tag);
    TRY(refuse(n));
    TRY(ddl__creation_schema(d, n->table, &schema));
    if (n->if_not_exists && ddl__relation_exists(d, schema->oid, n->table->name))
        return session__notice(d->sink, "NOTICE", DUPLICATE_TABLE, NULL,
                               "relation \"%s\" already exists, skipping", n->table->name);
    TRY(bind_query(d, n->query, &q));
    TRY(ddl__check_free(d, schema->oid, n->table->name));
    TRY(ddl__new_table(d, schema, n->table, &e));
    TRY(ddl__on_commit(d, &e.def, n->on_commit));
    TRY(ddl__options(d, &n->options, &e.def.options));
    e.def.options = storage_with_default(d->s, e.def.options, d->a);
    TRY(ddl__result_columns(d, &e, n, q));
    TRY(ddl__edit_put(d, &e, &made));
    storage_tell_new(d->s, made);
    return n->with_no_data ? OK
                           : ddl__fill_table(d, schema, n->table->name, n->query, d->text, tag);
}

/* The INTO of a set operation stands in its leftmost SELECT. */
static struct ast_select *without_into(struct ddl *d, const struct ast_select *n,
                                       const struct ast_range_var **ret_into)
{
    struct ast_select *copy = arena_memdup(d->a, n, sizeof *n);
    struct ast_select *leaf = copy;
    while (leaf->op != SETOP_NONE && leaf->left) {
        leaf->left = arena_memdup(d->a, leaf->left, sizeof *leaf->left);
        leaf = leaf->left;
    }
    *ret_into = leaf->into;
    leaf->into = NULL;
    return copy;
}

enum status ddl__select_into(struct ddl *d, const struct ast_select *n, char tag[64])
{
    const struct ast_range_var *into;
    struct ast_create_table_as as = {.node = {AST_CREATE_TABLE_AS, -1}, .on_commit = 'n'};
    as.query = &without_into(d, n, &into)->node;
    if (!into) return FAIL(INTERNAL_ERROR, "a SELECT without INTO is no DDL");
    struct ast_range_var table = *into;
    as.table = &table;
    return ddl__create_table_as(d, &as, tag);
}
