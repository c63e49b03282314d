/* Constraints: PRIMARY KEY and UNIQUE with the index that carries them, and CHECK. They are added
 * to a definition being made; who makes it fills or rewrites trees afterwards. */
#include "db/ddl_priv.h"

enum { INDEX_COLUMNS_MAX = 32 };

enum status ddl__refuse_constraint(struct ddl *d, const struct ast_constraint *c)
{
    if (c->type == CON_EXCLUSION)
        return ddl__at(d, c->node.location,
                       UNSUPPORTED("exclusion constraints are not supported yet"));
    return OK;
}

/* --- names ---------------------------------------------------------------------------------- */

static bool is_taken(void *edit, const char *name)
{
    const struct table_edit *e = edit;
    for (size_t i = 0; i < e->constraints.count; i++)
        if (strcmp(e->constraints.data[i]->name, name) == 0) return true;
    for (size_t i = 0; i < e->indexes.count; i++)
        if (strcmp(e->indexes.data[i]->name, name) == 0) return true;
    return false;
}

enum status ddl__constraint_free(struct ddl *d, struct table_edit *e, const char *name)
{
    (void)d;
    for (size_t i = 0; i < e->constraints.count; i++)
        if (strcmp(e->constraints.data[i]->name, name) == 0)
            return FAIL(DUPLICATE_OBJECT, "constraint \"%s\" for relation \"%s\" already exists",
                        name, e->def.name);
    return OK;
}

/* "a_b" */
static const char *joined_columns(struct ddl *d, const struct name_list *columns)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (uint32_t i = 0; i < columns->count && b.len < 2 * NAME_BYTES_MAX; i++) {
        if (i) strbuf_addc(&b, '_');
        strbuf_adds(&b, columns->items[i]);
    }
    return b.data ? b.data : "";
}

static enum status key_name(struct ddl *d, struct table_edit *e, const struct ast_constraint *c,
                            const char **ret)
{
    bool primary = c->type == CON_PRIMARY;
    if (c->name) {
        *ret = c->name;
        TRY(ddl__check_free(d, e->def.schema, c->name));
        TRY(ddl__constraint_free(d, e, c->name));
        if (strcmp(c->name, e->def.name) == 0 || is_taken(e, c->name))
            return FAIL(DUPLICATE_TABLE, "relation \"%s\" already exists", c->name);
        return OK;
    }
    *ret = ddl__choose_name(d, e->def.schema, e->def.name,
                            primary ? NULL : joined_columns(d, &c->columns),
                            primary ? "pkey" : "key", is_taken, e);
    return OK;
}

/* --- keys ----------------------------------------------------------------------------------- */

static enum status key_column(struct ddl *d, struct table_edit *e, const char *name, int location,
                            struct index_column *ret)
{
    const struct column_def *c = ddl__edit_column(e, name);
    if (!c)
        return ddl__at(d, location,
                       FAIL(UNDEFINED_COLUMN, "column \"%s\" named in key does not exist", name));
    *ret = (struct index_column){.column = c->number, .type = c->type};
    return OK;
}

static enum status key_columns(struct ddl *d, struct table_edit *e, const struct ast_constraint *c,
                               struct index_column *columns)
{
    const char *words = c->type == CON_PRIMARY ? "primary key" : "unique";
    for (uint32_t i = 0; i < c->columns.count; i++) {
        TRY(key_column(d, e, c->columns.items[i], c->node.location, &columns[i]));
        TRY(ddl__check_ordered(d, columns[i].type));
        for (uint32_t j = 0; j < i; j++)
            if (columns[j].column == columns[i].column)
                return ddl__at(d, c->node.location,
                               FAIL(DUPLICATE_COLUMN,
                                    "column \"%s\" appears twice in %s constraint",
                                    c->columns.items[i], words));
    }
    for (uint32_t i = 0; i < c->including.count; i++)
        TRY(key_column(d, e, c->including.items[i], c->node.location,
                            &columns[c->columns.count + i]));
    return OK;
}

static enum status check_primary(struct ddl *d, struct table_edit *e,
                                 const struct ast_constraint *c)
{
    for (size_t i = 0; i < e->indexes.count; i++)
        if (e->indexes.data[i]->primary)
            return ddl__at(d, d->unplaced ? -1 : c->node.location,
                           FAIL(INVALID_TABLE_DEFINITION,
                                "multiple primary keys for table \"%s\" are not allowed",
                                e->def.name));
    for (uint32_t i = 0; i < c->columns.count; i++) {
        struct column_def *column = ddl__edit_column(e, c->columns.items[i]);
        if (column) column->not_null = true;
    }
    return OK;
}

static struct constraint_def *new_constraint(struct ddl *d, struct table_edit *e, oid_t oid,
                                             const char *name, char kind)
{
    struct constraint_def *k = ARENA_NEW(d->a, struct constraint_def);
    k->oid = oid;
    k->table = e->def.oid;
    k->name = name;
    k->kind = kind;
    k->validated = true;
    k->on_update = k->on_delete = k->match = ' ';
    ARENA_PUSH(d->a, &e->constraints, k);
    return k;
}

enum status ddl__add_key(struct ddl *d, struct table_edit *e, const struct ast_constraint *c,
                         const struct index_def **ret)
{
    bool primary = c->type == CON_PRIMARY;
    uint32_t total = c->columns.count + c->including.count;
    const char *name;
    oid_t oids;
    TRY(ddl__refuse_constraint(d, c));
    if (total > INDEX_COLUMNS_MAX)
        return FAIL(TOO_MANY_COLUMNS, "cannot use more than %d columns in an index",
                    INDEX_COLUMNS_MAX);
    if (primary) TRY(check_primary(d, e, c));
    struct index_column *columns = ARENA_ARRAY(d->a, struct index_column, total);
    TRY(key_columns(d, e, c, columns));
    TRY(key_name(d, e, c, &name));
    TRY(catalog_new_oids(d->s->txn, 2, &oids));
    struct index_def *x = ARENA_NEW(d->a, struct index_def);
    *x = (struct index_def){.oid = oids, .table = e->def.oid, .name = name, .unique = true,
                            .primary = primary, .nulls_not_distinct = c->nulls_not_distinct,
                            .valid = true, .ready = true, .live = true,
                            .key_count = (uint16_t)c->columns.count,
                            .column_count = (uint16_t)total, .columns = columns,
                            .constraint = oids + 1, .deferrable = c->deferrable};
    if (!primary || c->deferrable) TRY(store_create_tree(d->s->txn, &x->tree));
    ARENA_PUSH(d->a, &e->indexes, x);
    struct constraint_def *k = new_constraint(d, e, oids + 1, name, primary ? 'p' : 'u');
    int16_t *numbers = ARENA_ARRAY(d->a, int16_t, c->columns.count);
    for (uint32_t i = 0; i < c->columns.count; i++) numbers[i] = columns[i].column;
    k->columns = numbers;
    k->column_count = (uint16_t)c->columns.count;
    k->index = x->oid;
    k->deferrable = c->deferrable;
    k->initially_deferred = c->initially_deferred;
    if (ret) *ret = x;
    return OK;
}

/* --- checks --------------------------------------------------------------------------------- */

static void used_columns(struct ddl *d, const struct table_def *t, const bool *used,
                         struct constraint_def *k)
{
    int16_t *numbers = ARENA_ARRAY(d->a, int16_t, t->column_count);
    for (uint16_t i = 0; i < t->column_count; i++)
        if (used[i + 1]) numbers[k->column_count++] = t->columns[i].number;
    k->columns = numbers;
}

enum status ddl__add_check(struct ddl *d, struct table_edit *e, const struct ast_constraint *c,
                           const struct constraint_def **ret)
{
    const struct table_def *t = ddl__edit_def(e);
    const char *sql, *name = c->name;
    oid_t oid;
    TRY(ddl__store_expression(d, t, c->expr, TYPE_BOOL, -1, "CHECK", &sql, NULL));
    bool *used = ARENA_ARRAY(d->a, bool, t->column_count + 1);
    TRY(ddl__columns_of(d, t, sql, used));
    const char *only = NULL;
    uint32_t n = 0;
    for (uint16_t i = 0; i < t->column_count; i++)
        if (used[i + 1]) only = t->columns[i].name, n++;
    if (name) TRY(ddl__constraint_free(d, e, name));
    else name = ddl__choose_name(d, 0, t->name, n == 1 ? only : NULL, "check",
                                 is_taken, e);
    TRY(ddl__new_oid(d, &oid));
    struct constraint_def *k = new_constraint(d, e, oid, name, 'c');
    k->check_sql = sql;
    k->no_inherit = c->no_inherit;
    k->validated = !c->not_valid;
    used_columns(d, t, used, k);
    if (ret) *ret = k;
    return OK;
}
