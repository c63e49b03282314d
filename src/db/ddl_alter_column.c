/* ALTER TABLE: columns that come and go.
 *
 * A new column whose default is the same for all rows costs nothing: the catalog keeps that value
 * and rows that are older than the column read it. Otherwise the rows are written anew. A column
 * that goes keeps its place in the row and its number for ever. */
#include "db/ddl_priv.h"

static const struct exec_params no_params = {0};

/* --- ADD COLUMN ----------------------------------------------------------------------------- */

struct new_column {
    const struct table_def *old, *bare; /* before; and with the column, without its rules */
    struct table_edit edit;
    uint16_t at;                        /* its position */
    struct expr *value;                 /* what old rows get; NULL: null */
    bool rewrite;
};

static enum status find_value(struct ddl *d, struct new_column *n)
{
    const struct column_def *c = &n->edit.columns.data[n->at];
    const char *sql = c->default_sql;
    if (c->identity) {
        const struct table_def *seq = ddl__identity_sequence(d, n->edit.def.oid, c->number);
        ASSERT(seq);
        sql = arena_printf(d->a, "pg_catalog.nextval('%u'::pg_catalog.regclass)", seq->oid);
    }
    if (!sql) return OK;
    TRY(ddl__load_expression(d, c->generated ? n->bare : NULL, sql, c,
                             c->generated ? "GENERATED" : "DEFAULT", &n->value));
    n->rewrite = c->generated || c->identity || expr_is_volatile(n->value);
    return OK;
}

static bool is_new_index(const struct table_def *old, oid_t oid)
{
    for (uint16_t i = 0; i < old->index_count; i++)
        if (old->indexes[i]->oid == oid) return false;
    return true;
}

static bool is_new_constraint(const struct table_def *old, oid_t oid)
{
    for (uint16_t i = 0; i < old->constraint_count; i++)
        if (old->constraints[i]->oid == oid) return false;
    return true;
}

/* The value is the same for all rows: kept in the catalog. */
static enum status keep_value(struct ddl *d, struct new_column *n)
{
    struct column_def *c = &n->edit.columns.data[n->at];
    if (n->value) {
        TRY(exec_constant(n->value, &d->s->exec, &no_params, d->a, &c->missing));
        c->has_missing = !c->missing.null;
    }
    TRY(ddl__edit_put(d, &n->edit, NULL));
    const struct table_def *t = ddl__table(d, n->edit.def.oid);
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->tree && is_new_index(n->old, t->indexes[i]->oid))
            TRY(ddl__build_index(d, t, t->indexes[i]));
    return OK;
}

static enum status verify(struct ddl *d, struct new_column *n)
{
    const struct table_def *t = ddl__table(d, n->edit.def.oid);
    const struct column_def *c = &t->columns[n->at];
    if (c->not_null && !c->has_missing) TRY(ddl__verify_not_null(d, t, n->at));
    for (uint16_t i = 0; i < t->constraint_count; i++)
        if (t->constraints[i]->kind == 'c' && is_new_constraint(n->old, t->constraints[i]->oid))
            TRY(ddl__verify_check(d, t, t->constraints[i]));
    return OK;
}

enum status ddl__add_column_command(struct ddl *d, oid_t table, const struct ast_alter_cmd *c)
{
    struct new_column n = {.old = ddl__table(d, table)};
    if (table_column(n.old, slice_of(c->column->name))) {
        if (c->missing_ok)
            return session__notice(d->sink, "NOTICE", DUPLICATE_COLUMN, NULL,
                                   "column \"%s\" of relation \"%s\" already exists, skipping",
                                   c->column->name, n.old->name);
        return FAIL(DUPLICATE_COLUMN, "column \"%s\" of relation \"%s\" already exists",
                    c->column->name, n.old->name);
    }
    ddl__edit(d, n.old, &n.edit);
    TRY(ddl__add_column(d, &n.edit, c->column));
    n.at = (uint16_t)(n.edit.columns.count - 1);
    TRY(ddl__edit_put(d, &n.edit, &n.bare));
    TRY(ddl__column_rules(d, &n.edit, c->column));
    TRY(find_value(d, &n));
    for (size_t i = 0; i < n.edit.indexes.count; i++)
        n.rewrite |= !n.edit.indexes.data[i]->tree && !n.old->primary;
    if (n.rewrite) TRY(ddl__remake(d, n.bare, &n.edit, n.at, n.value));
    else TRY(keep_value(d, &n));
    TRY(verify(d, &n));
    return ddl__column_foreign(d, table, c->column, true);
}

/* --- DROP COLUMN ---------------------------------------------------------------------------- */

static bool constraint_has(const struct constraint_def *k, int16_t number)
{
    for (uint16_t i = 0; i < k->column_count; i++)
        if (k->columns[i] == number) return true;
    return false;
}

static bool is_gone(const oid_t *gone, uint32_t count, oid_t oid)
{
    for (uint32_t i = 0; oid && i < count; i++)
        if (gone[i] == oid) return true;
    return false;
}

/* Indexes and constraints over the column go with it. */
static enum status remove_dependents(struct ddl *d, struct table_edit *e, int16_t number,
                                     bool *ret_primary)
{
    oid_t *gone = ARENA_ARRAY(d->a, oid_t, e->indexes.count + 1);
    uint32_t gone_count = 0;
    size_t n = 0;
    *ret_primary = false;
    for (size_t i = 0; i < e->indexes.count; i++) {
        const struct index_def *x = e->indexes.data[i];
        bool uses;
        TRY(ddl__index_uses(d, ddl__table(d, e->def.oid), x, number, &uses));
        if (!uses) {
            e->indexes.data[n++] = x;
            continue;
        }
        *ret_primary |= x->primary && !x->tree;
        if (x->tree) TRY(store_drop_tree(d->s->txn, x->tree));
        gone[gone_count++] = x->oid;
    }
    e->indexes.count = n;
    n = 0;
    for (size_t i = 0; i < e->constraints.count; i++) {
        const struct constraint_def *k = e->constraints.data[i];
        bool keyless = k->kind != 'f' && is_gone(gone, gone_count, k->index);
        if (!constraint_has(k, number) && !keyless)
            e->constraints.data[n++] = k;
    }
    e->constraints.count = n;
    return OK;
}

static enum status drop_sequences(struct ddl *d, oid_t table, int16_t number)
{
    const struct table_def *seq;
    size_t pos = 0;
    const struct catalog *c = d->s->catalog; /* kept by the first put */
    ARRAY(const struct table_def *) found = {0};
    while (catalog_next_table(c, &pos, &seq))
        if (seq->kind == 'S' && seq->sequence->owner_table == table &&
            seq->sequence->owner_column == number)
            ARENA_PUSH(d->a, &found, seq);
    for (size_t i = 0; i < found.count; i++) TRY(ddl__drop_relation(d, found.data[i]));
    return OK;
}

enum status ddl__remove_column(struct ddl *d, oid_t table, int16_t number)
{
    const struct table_def *t = ddl__table(d, table);
    struct table_edit e;
    struct noted_views views;
    bool primary;
    TRY(ddl__note_views(d, table, 0, &views));
    ddl__edit(d, t, &e);
    struct column_def *c = &e.columns.data[number - 1];
    *c = (struct column_def){.type = c->type, .typmod = c->typmod, .number = number,
                             .dropped = true, .statistics_target = -1};
    c->name = arena_printf(d->a, "........pg.dropped.%d........", (int)number);
    TRY(remove_dependents(d, &e, number, &primary));
    if (primary) TRY(ddl__remake(d, t, &e, 0, NULL));
    else TRY(ddl__edit_put(d, &e, NULL));
    TRY(ddl__restate_views(d, &views));
    return drop_sequences(d, table, number);
}

enum status ddl__drop_column_command(struct ddl *d, oid_t table, const struct ast_alter_cmd *c)
{
    const struct table_def *t = ddl__table(d, table);
    const struct column_def *column = table_column(t, slice_of(c->name));
    if (!column && c->missing_ok)
        return ddl__notice(d, "column \"%s\" of relation \"%s\" does not exist, skipping", c->name,
                           t->name);
    if (!column)
        return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", c->name,
                    t->name);
    int16_t number = column->number;
    TRY(ddl__drop_column_triggers(d, table, number, c->cascade));
    t = ddl__table(d, table);
    struct drop_item item = {t, &t->columns[number - 1]};
    return ddl__drop_items(d, &item, 1, c->cascade);
}
