/* ALTER TYPE … ADD, DROP and ALTER ATTRIBUTE of composite types. A type without a table has no rows of its own; values
 * of it that a table keeps stay as they were made, so that its shape may change only while there are none. */
#include "db/ddl_priv.h"

static enum status add_attribute(struct ddl *d, const struct table_def *t,
                                 const struct ast_alter_cmd *c)
{
    struct table_edit e;
    if (table_column(t, slice_of(c->name)))
        return FAIL(DUPLICATE_COLUMN, "column \"%s\" of relation \"%s\" already exists", c->name,
                    t->name);
    ddl__edit(d, t, &e);
    TRY(ddl__add_column(d, &e, c->column));
    return ddl__edit_put(d, &e, NULL);
}

static enum status no_attribute(const struct table_def *t, const char *name)
{
    return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name, t->name);
}

static enum status retype_attribute(struct ddl *d, const struct table_def *t,
                                    const struct ast_alter_cmd *c)
{
    struct table_edit e;
    ddl__edit(d, t, &e);
    struct column_def *column = ddl__edit_column(&e, c->name);
    if (!column) return no_attribute(t, c->name);
    TRY(ddl__alter_to(d, c, t, column, &column->type, &column->typmod));
    return ddl__edit_put(d, &e, NULL);
}

/* The order of PostgreSQL: what goes, what changes, what comes. */
static int pass_of(const struct ast_alter_cmd *c)
{
    return c->type == ALTER_DROP_COLUMN ? 0 : c->type == ALTER_COLUMN_TYPE ? 1 : 2;
}
enum { PASSES = 3 };

static enum status command(struct ddl *d, oid_t type, const struct ast_alter_cmd *c)
{
    const struct table_def *t = ddl__table(d, type);
    switch (c->type) {
    case ALTER_ADD_COLUMN: return add_attribute(d, t, c);
    case ALTER_COLUMN_TYPE: return retype_attribute(d, t, c);
    case ALTER_DROP_COLUMN: return ddl__drop_column_command(d, type, c);
    default:
        return UNSUPPORTED("ALTER TYPE ... %s is not supported yet",
                    c->text ? c->text : "this command");
    }
}

enum status ddl__alter_attributes(struct ddl *d, const struct ast_alter_table *n)
{
    const struct table_def *t;
    TRY(ddl__find(d, n->table, 0, false, &t));
    if (t->kind != 'c')
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a composite type", t->name);
    TRY(ddl__own_table(d, t));
    oid_t oid = t->oid;
    TRY(ddl__lock(d, oid, LOCK_ACCESS_EXCLUSIVE));
    for (int pass = 0; pass < PASSES; pass++)
        for (uint32_t i = 0; i < n->cmds.count; i++) {
            const struct ast_alter_cmd *c = AST(n->cmds.items[i], ast_alter_cmd);
            if (pass_of(c) != pass) continue;
            TRY(ddl__check_row_type(d, ddl__table(d, oid)));
            TRY(command(d, oid, c));
        }
    return OK;
}
