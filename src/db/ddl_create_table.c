/* CREATE TABLE. The table goes to the catalog twice: with bare columns, so that sequences,
 * defaults and constraints have something to refer to, then whole. Both are one transaction's. */
#include "db/storage_priv.h"
#include "db/temporary.h"

enum status ddl__check_place(const char *access_method, const char *tablespace)
{
    if (access_method && strcmp(access_method, "heap") != 0)
        return FAIL(UNDEFINED_OBJECT, "access method \"%s\" does not exist", access_method);
    if (tablespace && *tablespace && strcmp(tablespace, "pg_default") != 0)
        return FAIL(UNDEFINED_OBJECT, "tablespace \"%s\" does not exist", tablespace);
    return OK;
}

char ddl__persistence(struct ddl *d, const struct schema_def *n, const struct ast_range_var *v)
{
    if (n->oid == session__path(d->s)->temporary) return 't';
    return v->persistence == 'u' ? 'u' : 'p';
}

enum status ddl__on_commit(struct ddl *d, const struct table_def *t, char action)
{
    bool given = action && action != 'n';
    if (t->persistence != 't' && !given) return OK;
    if (t->persistence != 't')
        return FAIL(INVALID_TABLE_DEFINITION, "ON COMMIT can only be used on temporary tables");
    temporary_on_commit(d->s, t->oid, action);
    return OK;
}

enum status ddl__new_table(struct ddl *d, const struct schema_def *n, const struct ast_range_var *v,
                           struct table_edit *ret)
{
    *ret = (struct table_edit){0};
    ret->def = (struct table_def){.schema = n->oid, .database = n->database,
                                  .owner = d->s->user_oid, .name = v->name, .kind = 'r',
                                  .persistence = ddl__persistence(d, n, v),
                                  .virtual_id = -1, .statistics = {.rows = -1}};
    TRY(ddl__new_oid(d, &ret->def.oid));
    return store_create_tree(d->s->txn, &ret->def.tree);
}

static enum status refuse(const struct ast_create_table *n)
{
    if (n->partitioned)
        return UNSUPPORTED("partitioned tables are not supported yet");
    if (n->inherits) return UNSUPPORTED("table inheritance is not supported yet");
    return ddl__check_place(n->access_method, n->tablespace);
}

static enum status add_columns(struct ddl *d, struct table_edit *e,
                               const struct ast_create_table *n)
{
    for (uint32_t i = 0; i < n->columns.count; i++) {
        const struct ast_column_def *c = AST(n->columns.items[i], ast_column_def);
        if (ddl__edit_column(e, c->name))
            return FAIL(DUPLICATE_COLUMN, "column \"%s\" specified more than once", c->name);
        TRY(ddl__add_column(d, e, c));
    }
    for (uint32_t i = 0; i < n->constraints.count; i++)
        TRY(ddl__refuse_constraint(d, AST(n->constraints.items[i], ast_constraint)));
    return OK;
}

static enum status table_constraint_of(struct ddl *d, struct table_edit *e,
                                       const struct ast_constraint *k)
{
    if (k->type == CON_PRIMARY || k->type == CON_UNIQUE)
        return ddl__add_key(d, e, k, NULL);
    if (k->type == CON_CHECK) return ddl__add_check(d, e, k, NULL);
    return FAIL(INTERNAL_ERROR, "constraint of kind %d on a table", (int)k->type);
}

static enum status add_rules(struct ddl *d, struct table_edit *e, const struct ast_create_table *n)
{
    for (uint32_t i = 0; i < n->columns.count; i++)
        TRY(ddl__column_rules(d, e, AST(n->columns.items[i], ast_column_def)));
    for (int pass = 0; pass < 3; pass++) /* checks, primary key, unique ones */
        for (uint32_t i = 0; i < n->constraints.count; i++) {
            const struct ast_constraint *k = AST(n->constraints.items[i], ast_constraint);
            int when = k->type == CON_PRIMARY ? 1 : k->type == CON_UNIQUE ? 2 : 0;
            if (k->type == CON_FOREIGN) continue;
            if (when == pass) TRY(table_constraint_of(d, e, k));
        }
    return OK;
}

/* Last: one may refer to the table itself. */
static enum status add_foreign_keys(struct ddl *d, oid_t table, const struct ast_create_table *n)
{
    d->unplaced = true;
    for (uint32_t i = 0; i < n->columns.count; i++)
        TRY(ddl__column_foreign(d, table, AST(n->columns.items[i], ast_column_def), false));
    for (uint32_t i = 0; i < n->constraints.count; i++) {
        const struct ast_constraint *k = AST(n->constraints.items[i], ast_constraint);
        if (k->type == CON_FOREIGN) TRY(ddl__add_foreign(d, table, k, false));
    }
    return OK;
}

enum status ddl__create_table(struct ddl *d, const struct ast_create_table *written)
{
    const struct ast_create_table *n = written;
    const struct schema_def *schema;
    const struct table_def *made;
    struct table_edit e;
    TRY(refuse(n));
    enum status found = ddl__creation_schema(d, n->table, &schema);
    if (found == INVALID_SCHEMA_NAME || found == INVALID_TABLE_DEFINITION)
        return ddl__at(d, n->table->node.location, found);
    TRY(found);
    if (n->if_not_exists && ddl__relation_exists(d, schema->oid, n->table->name))
        return session__notice(d->sink, "NOTICE", DUPLICATE_TABLE, NULL,
                               "relation \"%s\" already exists, skipping", n->table->name);
    TRY(ddl__check_free(d, schema->oid, n->table->name));
    TRY(ddl__expand_like(d, written, &n));
    TRY(ddl__new_table(d, schema, n->table, &e));
    TRY(ddl__on_commit(d, &e.def, n->on_commit));
    TRY(ddl__options(d, &n->options, &e.def.options));
    e.def.options = storage_with_default(d->s, e.def.options, d->a);
    TRY(add_columns(d, &e, n));
    TRY(ddl__edit_put(d, &e, NULL));
    TRY(add_rules(d, &e, n));
    TRY(ddl__edit_put(d, &e, &made));
    storage_tell_new(d->s, made);
    TRY(ddl__finish_like(d, written, e.def.oid));
    return add_foreign_keys(d, e.def.oid, n);
}
