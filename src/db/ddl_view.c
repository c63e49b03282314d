/* CREATE VIEW. The query is kept as it was written and bound again wherever the view is used; its
 * columns are kept beside it, and are what the view offers for ever. */
#include "db/ddl_priv.h"

static enum status add_columns(struct ddl *d, struct table_edit *e, const struct ast_create_view *n,
                               const struct query *q)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct target *t = &q->targets[i];
        if (t->junk) continue;
        const char *name = at < n->columns.count ? n->columns.items[at] : t->name;
        at++;
        TRY(ddl__add_result_column(d, e, t, name ? name : "?column?", true));
    }
    if (n->columns.count > at)
        return FAIL(SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns");
    return OK;
}

static const char *type_words(struct ddl *d, const struct column_def *c)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    session__type_name(d->s, c->type, c->typmod, &b);
    return b.data;
}

/* A replacement keeps the columns that there were, and may add some. */
static enum status check_replaced(struct ddl *d, const struct table_def *old,
                                  const struct table_edit *e)
{
    if (e->columns.count < old->column_count)
        return FAIL(INVALID_TABLE_DEFINITION, "cannot drop columns from view");
    for (uint16_t i = 0; i < old->column_count; i++) {
        const struct column_def *was = &old->columns[i], *is = &e->columns.data[i];
        if (strcmp(was->name, is->name) != 0) {
            FAIL(INVALID_TABLE_DEFINITION, "cannot change name of view column \"%s\" to \"%s\"",
                 was->name, is->name);
            return error_hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column "
                              "instead.");
        }
        if (was->type != is->type || was->typmod != is->typmod)
            return FAIL(INVALID_TABLE_DEFINITION,
                        "cannot change data type of view column \"%s\" from %s to %s", was->name,
                        type_words(d, was), type_words(d, is));
    }
    return OK;
}

static enum status check_query(const struct ast_create_view *n)
{
    if (n->query->into)
        return FAIL(FEATURE_NOT_SUPPORTED, "views must not contain SELECT INTO");
    if (ast_writes(&n->query->node))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "views must not contain data-modifying statements in WITH");
    return OK;
}

/* A view of temporary tables is temporary, too. */
static enum status bind_query(struct ddl *d, const struct ast_create_view *n, struct query **ret,
                              struct ast_range_var *name)
{
    struct bind_env env;
    bool temporary = false;
    session__bind_env(d->s, &env, d->a, d->text);
    TRY(bind_statement(&env, &n->query->node, ret));
    for (size_t i = 0; i < env.tables.count; i++)
        temporary |= env.tables.data[i]->persistence == 't';
    if (!temporary || name->persistence == 't') return OK;
    name->persistence = 't';
    return ddl__notice(d, "view \"%s\" will be a temporary view", name->name);
}

/* CHECK OPTION is one of them, whichever way it is asked for. */
static enum status view_options(struct ddl *d, const struct ast_create_view *n, const struct query *q,
                                const char **ret)
{
    static const char name[] = "check_option=";
    TRY(ddl__options(d, &n->options, ret));
    const char *given = *ret ? strstr(*ret, name) : NULL;
    if (given && strncmp(given + sizeof name - 1, "local", 5) != 0 &&
        strncmp(given + sizeof name - 1, "cascaded", 8) != 0) {
        (void)FAIL(INVALID_PARAMETER_VALUE, "invalid value for enum option \"check_option\": %.*s",
                   (int)strcspn(given + sizeof name - 1, ","), given + sizeof name - 1);
        return error_detail("Valid values are \"local\" and \"cascaded\".");
    }
    if (n->check_option)
        *ret = arena_printf(d->a, "%s%s%s%s", *ret ? *ret : "", *ret ? "," : "", name,
                            n->check_option == 'l' ? "local" : "cascaded");
    if (!given && !n->check_option) return OK;
    const char *why = bind_view_fixed(q, true);
    if (!why) return OK;
    (void)FAIL(FEATURE_NOT_SUPPORTED,
               "WITH CHECK OPTION is supported only on automatically updatable views");
    return error_hint("%s", why);
}

enum status ddl__create_view(struct ddl *d, const struct ast_create_view *n)
{
    const struct schema_def *schema;
    struct table_edit e = {0};
    struct query *q;
    struct ast_range_var name = *n->name;
    TRY(check_query(n));
    TRY(bind_query(d, n, &q, &name));
    TRY(ddl__creation_schema(d, &name, &schema));
    const struct table_def *old =
        catalog_table(d->s->catalog, schema->oid, slice_of(n->name->name));
    if (!n->replace || !old) TRY(ddl__check_free(d, schema->oid, n->name->name));
    e.def = (struct table_def){.schema = schema->oid, .database = schema->database,
                               .owner = d->s->user_oid, .name = n->name->name, .kind = 'v',
                               .persistence = ddl__persistence(d, schema, &name), .virtual_id = -1,
                               .statistics = {.rows = -1}};
    TRY(view_options(d, n, q, &e.def.options));
    TRY(ddl__view_text(d, n->query_text, &e.def.view_sql));
    TRY(add_columns(d, &e, n, q));
    if (!old) {
        TRY(ddl__new_oid(d, &e.def.oid));
        return ddl__edit_put(d, &e, NULL);
    }
    if (old->kind != 'v') return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a view", old->name);
    TRY(ddl__own_table(d, old));
    TRY(ddl__lock(d, old->oid, LOCK_ACCESS_EXCLUSIVE));
    TRY(check_replaced(d, old, &e));
    e.def.oid = old->oid;
    e.def.owner = old->owner;
    e.def.acl = old->acl;
    e.def.comment = old->comment;
    e.def.triggers = old->triggers;
    e.def.trigger_count = old->trigger_count;
    return ddl__edit_put(d, &e, NULL);
}
