/* Row types: who uses that of a relation (columns that hold such rows, functions that take or give
 * them), and those without a table, CREATE TYPE … AS. They are relations without rows. */
#include "db/ddl_routine_priv.h"

#include "types/record.h"

bool ddl__column_holds(const struct column_def *c, oid_t relation)
{
    return !c->dropped && type_row_relation(c->type) == relation;
}

bool ddl__function_takes(const struct function_def *f, oid_t relation)
{
    bool takes = f->result_table == relation || type_row_relation(f->proc.result) == relation;
    for (uint16_t i = 0; i < f->all_count && !takes; i++)
        takes = type_row_relation(f->all_types[i]) == relation;
    return takes;
}

static const struct column_def *holding_column(const struct table_def *t, oid_t relation)
{
    for (uint16_t i = 0; i < t->column_count; i++)
        if (ddl__column_holds(&t->columns[i], relation)) return &t->columns[i];
    return NULL;
}

/* A column that keeps such rows, in those of another composite type, too. No type is a member of itself. */
static const struct column_def *find_kept(struct ddl *d, oid_t relation, const struct table_def **ret)
{
    const struct table_def *t;
    const struct column_def *c = NULL;
    size_t pos = 0;
    while (!c && catalog_next_table(d->s->catalog, &pos, &t)) {
        if (t->virtual_id >= 0 || (t->kind != 'r' && t->kind != 'm' && t->kind != 'c')) continue;
        *ret = t;
        c = holding_column(t, relation);
        if (c && t->kind == 'c') c = find_kept(d, t->oid, ret);
    }
    return c;
}

/* Values are kept as they were made: another shape of the relation would not be theirs. */
enum status ddl__check_row_type(struct ddl *d, const struct table_def *t)
{
    const struct table_def *by;
    const struct column_def *c = find_kept(d, t->oid, &by);
    if (!c) return OK;
    if (t->kind == 'c')
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot alter type \"%s\" because column \"%s.%s\" uses it",
                    t->name, by->name, c->name);
    return FAIL(FEATURE_NOT_SUPPORTED,
                "cannot alter table \"%s\" because column \"%s.%s\" uses its row type", t->name,
                by->name, c->name);
}

enum status ddl__create_type(struct ddl *d, const struct ast_create_table *n)
{
    const struct schema_def *schema;
    struct table_edit e = {0};
    enum status found = ddl__creation_schema(d, n->table, &schema);
    if (found == INVALID_SCHEMA_NAME) return ddl__at(d, n->table->node.location, found);
    TRY(found);
    if (catalog_table(d->s->catalog, schema->oid, slice_of(n->table->name)))
        return FAIL(DUPLICATE_OBJECT, "type \"%s\" already exists", n->table->name);
    TRY(ddl__check_free(d, schema->oid, n->table->name));
    e.def = (struct table_def){.schema = schema->oid, .database = schema->database,
                               .owner = d->s->user_oid, .name = n->table->name, .kind = 'c',
                               .persistence = 'p', .virtual_id = -1, .statistics = {.rows = -1}};
    TRY(ddl__new_oid(d, &e.def.oid));
    for (uint32_t i = 0; i < n->columns.count; i++) {
        const struct ast_column_def *c = AST(n->columns.items[i], ast_column_def);
        if (ddl__edit_column(&e, c->name))
            return FAIL(DUPLICATE_COLUMN, "column \"%s\" specified more than once", c->name);
        TRY(ddl__add_column(d, &e, c));
    }
    return ddl__edit_put(d, &e, NULL);
}

static const struct table_def *type_named(struct ddl *d, const struct ast_range_var *v)
{
    const struct table_def *t =
        catalog_lookup(d->s->catalog, session__path(d->s), v->schema, v->name);
    return t && t->kind != 'S' && t->virtual_id < 0 ? t : NULL;
}

enum status ddl__row_type(struct ddl *d, const struct ast_range_var *v,
                          const struct table_def **ret)
{
    const struct table_def *t = type_named(d, v);
    if (!t && type_by_name(slice_of(v->name)) && (!v->schema || strcmp(v->schema, "pg_catalog") == 0))
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of type %s",
                    type_by_name(slice_of(v->name))->sql_name);
    if (!t)
        return FAIL(UNDEFINED_OBJECT, "type \"%s%s%s\" does not exist", v->schema ? v->schema : "",
                    v->schema ? "." : "", v->name);
    if (t->kind != 'c') {
        FAIL(WRONG_OBJECT_TYPE, "%s is a table's row type", ddl__quote(d->a, t->name));
        return error_hint("Use ALTER TABLE instead.");
    }
    *ret = t;
    return OK;
}

enum status ddl__drop_types(struct ddl *d, const struct ast_drop *n)
{
    struct drop_item *items = ARENA_ARRAY(d->a, struct drop_item, n->name_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->name_count; i++) {
        const struct ast_range_var v = ddl__range_of(&n->names[i]);
        const struct table_def *t = type_named(d, &v);
        if (!t && type_by_name(slice_of(v.name)) && (!v.schema || strcmp(v.schema, "pg_catalog") == 0))
            return FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
                        "cannot drop type %s because it is required by the database system",
                        type_by_name(slice_of(v.name))->sql_name);
        if (!t && n->if_exists) {
            TRY(ddl__notice(d, "type \"%s%s%s\" does not exist, skipping", v.schema ? v.schema : "",
                            v.schema ? "." : "", v.name));
            continue;
        }
        if (!t)
            return FAIL(UNDEFINED_OBJECT, "type \"%s%s%s\" does not exist", v.schema ? v.schema : "",
                        v.schema ? "." : "", v.name);
        if (t->kind != 'c') {
            FAIL(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop type %s because %s requires it",
                 ddl__quote(d->a, t->name), ddl__words(d, t));
            return error_hint("You can drop %s instead.", ddl__words(d, t));
        }
        TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
        t = ddl__table(d, t->oid);
        TRY(ddl__own_table(d, t));
        items[count++] = (struct drop_item){t, NULL};
    }
    return count ? ddl__drop_items(d, items, count, n->cascade) : OK;
}
