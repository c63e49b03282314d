/* ALTER TABLE: constraints that come and go. A primary key decides how rows are keyed, so that its
 * coming and going moves them all. */
#include "db/ddl_priv.h"

enum status ddl__alter_column(struct table_edit *e, const char *name, struct column_def **ret)
{
    *ret = ddl__edit_column(e, name);
    if (!*ret)
        return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name,
                    e->def.name);
    return OK;
}

/* --- ADD ------------------------------------------------------------------------------------ */

static enum status add_check(struct ddl *d, const struct table_def *t,
                             const struct ast_constraint *c)
{
    const struct constraint_def *k;
    struct table_edit e;
    ddl__edit(d, t, &e);
    TRY(ddl__add_check(d, &e, c, &k));
    TRY(ddl__edit_put(d, &e, &t));
    return k->validated ? ddl__verify_check(d, t, k) : OK;
}

static enum status add_unique(struct ddl *d, const struct table_def *t,
                              const struct ast_constraint *c)
{
    const struct index_def *x;
    struct table_edit e;
    ddl__edit(d, t, &e);
    TRY(ddl__add_key(d, &e, c, &x));
    TRY(ddl__build_index(d, t, x));
    return ddl__edit_put(d, &e, NULL);
}

static enum status add_primary(struct ddl *d, const struct table_def *t,
                               const struct ast_constraint *c)
{
    struct table_edit e;
    ddl__edit(d, t, &e);
    TRY(ddl__add_key(d, &e, c, NULL));
    return ddl__remake(d, t, &e, 0, NULL);
}

enum status ddl__add_constraint(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    const struct table_def *t = ddl__table(d, table);
    const struct ast_constraint *c = cmd->constraint;
    TRY(ddl__refuse_constraint(d, c));
    if (c->index_name) return ddl__add_using_index(d, t, c);
    switch (c->type) {
    case CON_CHECK: return add_check(d, t, c);
    case CON_UNIQUE: return add_unique(d, t, c);
    case CON_PRIMARY: return c->deferrable ? add_unique(d, t, c) : add_primary(d, t, c);
    case CON_FOREIGN: return ddl__add_foreign(d, table, c, true);
    default: return UNSUPPORTED("this constraint is not supported yet");
    }
}

/* --- DROP ----------------------------------------------------------------------------------- */

enum status ddl__drop_constraint(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    const struct table_def *t = ddl__table(d, table);
    const struct constraint_def *k = table_constraint(t, slice_of(cmd->name));
    struct table_edit e;
    size_t n = 0;
    if (k && k->kind == 'f') TRY(ddl__lock(d, k->foreign_table, LOCK_ACCESS_EXCLUSIVE));
    if (!k && cmd->missing_ok)
        return ddl__notice(d, "constraint \"%s\" of relation \"%s\" does not exist, skipping",
                           cmd->name, t->name);
    if (!k)
        return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" of relation \"%s\" does not exist",
                    cmd->name, t->name);
    const struct index_def *key = k->kind == 'f' ? NULL : catalog_index_by_oid(d->s->catalog, k->index);
    if (key) {
        const char *what = arena_printf(d->a, "constraint %s on %s", k->name,
                                        ddl__words(d, t));
        TRY(ddl__drop_references(d, key, what, cmd->cascade));
        t = ddl__table(d, table); /* one that refers to itself has changed */
        k = table_constraint(t, slice_of(cmd->name));
    }
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < e.constraints.count; i++)
        if (e.constraints.data[i] != k) e.constraints.data[n++] = e.constraints.data[i];
    e.constraints.count = n;
    n = 0;
    bool primary = false;
    for (size_t i = 0; i < e.indexes.count; i++) {
        const struct index_def *x = e.indexes.data[i];
        if (k->kind == 'f' || x->oid != k->index) {
            e.indexes.data[n++] = x;
            continue;
        }
        primary |= x->primary && !x->tree; /* then rows are keyed by it */
        if (x->tree) TRY(store_drop_tree(d->s->txn, x->tree));
    }
    e.indexes.count = n;
    return primary ? ddl__remake(d, t, &e, 0, NULL) : ddl__edit_put(d, &e, NULL);
}

/* --- ALTER CONSTRAINT ----------------------------------------------------------------------- */

enum status ddl__alter_constraint(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    const struct table_def *t = ddl__table(d, table);
    const char *name = cmd->constraint->name;
    const struct constraint_def *k = table_constraint(t, slice_of(name));
    struct table_edit e;
    if (!k)
        return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" of relation \"%s\" does not exist", name,
                    t->name);
    if (k->kind != 'f')
        return FAIL(WRONG_OBJECT_TYPE,
                    "constraint \"%s\" of relation \"%s\" is not a foreign key constraint", name,
                    t->name);
    struct constraint_def *copy = arena_memdup(d->a, k, sizeof *k);
    copy->deferrable = cmd->constraint->deferrable;
    copy->initially_deferred = cmd->constraint->initially_deferred;
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < e.constraints.count; i++)
        if (e.constraints.data[i] == k) e.constraints.data[i] = copy;
    return ddl__edit_put(d, &e, NULL);
}

/* --- VALIDATE ------------------------------------------------------------------------------- */

enum status ddl__find_validated(const struct table_def *t, const char *name,
                                const struct constraint_def **ret)
{
    const struct constraint_def *k = *ret = table_constraint(t, slice_of(name));
    if (!k)
        return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" of relation \"%s\" does not exist",
                    name, t->name);
    if (k->kind == 'c' || k->kind == 'f') return OK;
    return FAIL(WRONG_OBJECT_TYPE,
                "constraint \"%s\" of relation \"%s\" is not a foreign key or check constraint",
                name, t->name);
}

enum status ddl__validate_constraint(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    const struct table_def *t = ddl__table(d, table);
    const struct constraint_def *k;
    struct table_edit e;
    TRY(ddl__find_validated(t, cmd->name, &k));
    if (k->validated) return OK;
    if (k->kind == 'f') TRY(ddl__lock(d, k->foreign_table, LOCK_ROW_SHARE));
    TRY(k->kind == 'f' ? ddl__verify_foreign(d, k) : ddl__verify_check(d, t, k));
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < e.constraints.count; i++) {
        if (e.constraints.data[i] != k) continue;
        struct constraint_def *copy = arena_memdup(d->a, k, sizeof *k);
        copy->validated = true;
        e.constraints.data[i] = copy;
    }
    return ddl__edit_put(d, &e, NULL);
}
