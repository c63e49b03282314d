/* COMMENT ON: a text beside the object's definition; the empty one is none. */
#include "db/ddl_priv.h"

static const char *text_of(const struct ast_comment *n)
{
    return n->text && *n->text ? n->text : NULL;
}

static enum status on_relation(struct ddl *d, const struct ast_comment *n)
{
    struct ast_range_var v = ddl__range_of(&n->name);
    char kind = ddl__kind_of(n->object, 'r');
    const struct table_def *t;
    TRY(ddl__find(d, &v, kind, false, &t));
    TRY(ddl__own_table(d, t));
    struct table_def changed = *t;
    changed.comment = text_of(n);
    return ddl__put_table(d, &changed);
}

/* Of a table's row type there is none but the table's. */
static enum status on_type(struct ddl *d, const struct ast_comment *n)
{
    const struct ast_range_var v = ddl__range_of(&n->name);
    const struct table_def *t = catalog_lookup(d->s->catalog, session__path(d->s), v.schema, v.name);
    if (!t || t->virtual_id >= 0 || t->kind == 'S')
        return FAIL(UNDEFINED_OBJECT, "type \"%s%s%s\" does not exist", v.schema ? v.schema : "",
                    v.schema ? "." : "", v.name);
    if (t->kind != 'c')
        return UNSUPPORTED("COMMENT ON TYPE of a table's rows is not supported");
    TRY(ddl__own_table(d, t));
    struct table_def changed = *t;
    changed.comment = text_of(n);
    return ddl__put_table(d, &changed);
}

static enum status on_index(struct ddl *d, const struct ast_comment *n)
{
    struct ast_range_var v = ddl__range_of(&n->name);
    const struct index_def *x;
    struct table_edit e;
    TRY(ddl__find_index(d, &v, false, &x));
    const struct table_def *t = ddl__table(d, x->table);
    TRY(ddl__own_table(d, t));
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < e.indexes.count; i++) {
        if (e.indexes.data[i]->oid != x->oid) continue;
        struct index_def *copy = arena_memdup(d->a, x, sizeof *x);
        copy->comment = text_of(n);
        e.indexes.data[i] = copy;
    }
    return ddl__edit_put(d, &e, NULL);
}

/* Column and constraint: the last name is theirs, those before are the table's. */
static enum status on_part(struct ddl *d, const struct ast_comment *n)
{
    const struct name_list table = {n->name.items, n->name.count - 1};
    const char *name = n->name.items[n->name.count - 1];
    const struct table_def *t;
    struct table_edit e;
    if (n->name.count < 2) return FAIL(SYNTAX_ERROR, "column name must be qualified");
    struct ast_range_var v = ddl__range_of(&table);
    TRY(ddl__find(d, &v, 0, false, &t));
    TRY(ddl__own_table(d, t));
    ddl__edit(d, t, &e);
    if (n->object == OBJECT_COLUMN) {
        struct column_def *c = ddl__edit_column(&e, name);
        if (!c)
            return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name,
                        t->name);
        c->comment = text_of(n);
        return ddl__edit_put(d, &e, NULL);
    }
    const struct constraint_def *k = table_constraint(t, slice_of(name));
    if (!k)
        return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" for table \"%s\" does not exist", name,
                    t->name);
    for (size_t i = 0; i < e.constraints.count; i++) {
        if (e.constraints.data[i] != k) continue;
        struct constraint_def *copy = arena_memdup(d->a, k, sizeof *k);
        copy->comment = text_of(n);
        e.constraints.data[i] = copy;
    }
    return ddl__edit_put(d, &e, NULL);
}

static enum status on_schema(struct ddl *d, const struct ast_comment *n)
{
    const struct schema_def *s;
    TRY(ddl__schema(d, n->name.items[n->name.count - 1], &s));
    TRY(ddl__own_schema(d, s));
    struct schema_def changed = *s;
    changed.comment = text_of(n);
    return ddl__put_schema(d, &changed);
}

static enum status on_database(struct ddl *d, const struct ast_comment *n)
{
    const char *name = n->name.items[n->name.count - 1];
    const struct database_def *db = catalog_database(d->s->catalog, slice_of(name));
    if (!db)
        return session__notice(d->sink, "WARNING", INVALID_CATALOG_NAME, NULL,
                               "database \"%s\" does not exist", name);
    if (!ddl__is_owner(d->s, db->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of database %s", name);
    struct database_def changed = *db;
    changed.comment = text_of(n);
    return ddl__put_database(d, &changed);
}

enum status ddl__comment(struct ddl *d, const struct ast_comment *n)
{
    switch (n->object) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATERIALIZED_VIEW:
    case OBJECT_SEQUENCE: return on_relation(d, n);
    case OBJECT_ROW_TYPE: return on_type(d, n);
    case OBJECT_INDEX: return on_index(d, n);
    case OBJECT_COLUMN:
    case OBJECT_CONSTRAINT: return on_part(d, n);
    case OBJECT_SCHEMA: return on_schema(d, n);
    case OBJECT_DATABASE: return on_database(d, n);
    default:
        return UNSUPPORTED("comments on this kind of object are not supported yet");
    }
}
