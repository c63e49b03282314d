/* PRIMARY KEY and UNIQUE from an index that is there already: ADD CONSTRAINT … USING INDEX. A
 * primary key that comes so keeps the tree of its index; the rows stay in the order that they
 * have. */
#include "db/ddl_priv.h"

static enum status unusable(const char *fmt, const char *name, int column)
{
    if (column) FAIL(WRONG_OBJECT_TYPE, fmt, name, column);
    else FAIL(WRONG_OBJECT_TYPE, fmt, name);
    return error_detail("Cannot create a primary key or unique constraint using such an index.");
}

static enum status check_columns(const struct index_def *x)
{
    for (uint16_t i = 0; i < x->key_count; i++) {
        const struct index_column *c = &x->columns[i];
        if (!c->column) return unusable("index \"%s\" contains expressions", x->name, 0);
        if (c->descending || c->nulls_first)
            return unusable("index \"%s\" column number %d does not have default sorting behavior",
                            x->name, i + 1);
    }
    return OK;
}

static enum status check_index(const struct table_def *t, const struct index_def *x,
                               const struct ast_constraint *c)
{
    const char *name = x->name;
    if (x->constraint)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "index \"%s\" is already associated with a constraint", name);
    if (x->table != t->oid)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "index \"%s\" does not belong to table \"%s\"", name, t->name);
    if (!x->valid)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "index \"%s\" is not valid", name);
    if (!x->unique) return unusable("\"%s\" is not a unique index", name, 0);
    for (uint16_t i = 0; i < x->key_count; i++)
        if (!x->columns[i].column) return unusable("index \"%s\" contains expressions", name, 0);
    if (x->predicate_sql) return unusable("\"%s\" is a partial index", name, 0);
    TRY(check_columns(x));
    if (!c->deferrable) return OK;
    UNSUPPORTED("a deferrable constraint USING INDEX is not supported");
    return error_hint("Its index is another than a unique one: add it without USING INDEX.");
}

static enum status find(struct ddl *d, const struct table_def *t, const struct ast_constraint *c,
                        const struct index_def **ret)
{
    *ret = catalog_index(d->s->catalog, t->schema, slice_of(c->index_name));
    enum status st = *ret ? check_index(t, *ret, c)
                          : FAIL(UNDEFINED_OBJECT, "index \"%s\" does not exist", c->index_name);
    return st == OK ? OK : ddl__at(d, c->node.location, st);
}

/* All columns of a primary key are not null. */
static enum status demand_values(struct ddl *d, struct table_edit *e, const struct index_def *x)
{
    for (uint16_t i = 0; i < x->key_count; i++) {
        struct column_def *c = &e->columns.data[x->columns[i].column - 1];
        if (c->not_null) continue;
        TRY(ddl__prove_not_null(d, ddl__table(d, e->def.oid), (uint16_t)(c->number - 1)));
        c->not_null = true;
    }
    return OK;
}

enum status ddl__add_using_index(struct ddl *d, const struct table_def *t,
                                 const struct ast_constraint *c)
{
    bool primary = c->type == CON_PRIMARY;
    const struct index_def *x;
    struct table_edit e;
    oid_t oid;
    ddl__edit(d, t, &e);
    TRY(find(d, t, c, &x));
    for (uint16_t i = 0; primary && i < t->index_count; i++)
        if (t->indexes[i]->primary)
            return FAIL(INVALID_TABLE_DEFINITION,
                        "multiple primary keys for table \"%s\" are not allowed", t->name);
    const char *name = c->name ? c->name : x->name;
    TRY(ddl__constraint_free(d, &e, name));
    if (strcmp(name, x->name) != 0) {
        TRY(ddl__check_free(d, t->schema, name));
        TRY(ddl__notice(d,
                        "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"%s\" to "
                        "\"%s\"",
                        x->name, name));
    }
    if (primary) TRY(demand_values(d, &e, x));
    TRY(ddl__new_oid(d, &oid));
    struct index_def *copy = arena_memdup(d->a, x, sizeof *copy);
    copy->name = name;
    copy->primary = primary;
    copy->constraint = oid;
    for (size_t i = 0; i < e.indexes.count; i++)
        if (e.indexes.data[i]->oid == x->oid) e.indexes.data[i] = copy;
    struct constraint_def *k = ARENA_NEW(d->a, struct constraint_def);
    int16_t *numbers = ARENA_ARRAY(d->a, int16_t, x->key_count + 1u);
    for (uint16_t i = 0; i < x->key_count; i++) numbers[i] = x->columns[i].column;
    *k = (struct constraint_def){.oid = oid, .table = t->oid, .name = name,
                                 .kind = primary ? 'p' : 'u', .columns = numbers,
                                 .column_count = x->key_count, .index = x->oid, .validated = true,
                                 .on_update = ' ', .on_delete = ' ', .match = ' '};
    ARENA_PUSH(d->a, &e.constraints, k);
    return ddl__edit_put(d, &e, NULL);
}
