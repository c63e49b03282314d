/* ALTER TABLE … ALTER COLUMN … TYPE. Where the stored bytes of the old type are good for the new
 * one (varchar made wider, varchar to text) only the definition changes; else the table is written
 * anew with the column cast, by assignment or by USING. */
#include "catalog/foreign_key.h"
#include "db/ddl_priv.h"
#include "types/record.h"

static const char *type_words(struct ddl *d, type_id type)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    session__type_name(d->s, type, -1, &b);
    return b.data;
}

/* --- what stands in the way ----------------------------------------------------------------- */

static enum status check_views(struct ddl *d, const struct table_def *t,
                               const struct column_def *c)
{
    const struct table_def **views;
    uint32_t n;
    TRY(ddl__views_over(d, t, c->number, &views, &n));
    if (n == 0) return OK;
    FAIL(FEATURE_NOT_SUPPORTED, "cannot alter type of a column used by a view or rule");
    return error_detail("rule _RETURN on view %s depends on column \"%s\"", views[0]->name,
                        c->name);
}

static enum status check_generated(struct ddl *d, const struct table_def *t,
                                   const struct column_def *c)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *g = &t->columns[i];
        if (g->dropped || !g->generated || g->number == c->number) continue;
        bool *used = ARENA_ARRAY(d->a, bool, t->column_count + 1);
        TRY(ddl__columns_of(d, t, g->default_sql, used));
        if (!used[c->number]) continue;
        FAIL(FEATURE_NOT_SUPPORTED, "cannot alter type of a column used by a generated column");
        return error_detail("Column \"%s\" is used by generated column \"%s\".", c->name, g->name);
    }
    return OK;
}

enum status ddl__alter_to(struct ddl *d, const struct ast_alter_cmd *cmd, const struct table_def *t,
                          const struct column_def *c, type_id *ret, int32_t *ret_typmod)
{
    struct bind_env env;
    session__bind_env(d->s, &env, d->a, d->text);
    TRY(bind_type(&env, cmd->column->type, ret, ret_typmod));
    const struct type_info *info = type_get(*ret);
    if (info && (info->category == 'P' || *ret == TYPE_UNKNOWN))
        return FAIL(INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s", c->name,
                    info->sql_name);
    if (type_row_relation(*ret) && type_row_relation(*ret) == t->oid)
        return FAIL(INVALID_TABLE_DEFINITION, "composite type %s cannot be made a member of itself",
                    t->name);
    if (c->identity && *ret != TYPE_INT2 && *ret != TYPE_INT4 && *ret != TYPE_INT8)
        return FAIL(INVALID_PARAMETER_VALUE,
                    "identity column type must be smallint, integer, or bigint");
    return OK;
}

/* --- the cast ------------------------------------------------------------------------------- */

static enum status cast_of(struct ddl *d, const struct table_def *t, const struct column_def *old,
                           const struct column_def *to, const struct ast *using_expr,
                           struct expr **ret)
{
    const struct ast *ast = using_expr;
    const char *names[] = {old->name};
    struct ast_column_ref ref = {.node = {AST_COLUMN_REF, -1}, .names = {names, 1}};
    if (!ast) ast = &ref.node;
    enum status s = ddl__slot_expression(d, t, ast, to->type, to->typmod, "USING", ret);
    if (s != DATATYPE_MISMATCH && s != CANNOT_COERCE) return s;
    if (using_expr) {
        FAIL(DATATYPE_MISMATCH,
             "result of USING clause for column \"%s\" cannot be cast automatically to type %s",
             to->name, type_words(d, to->type));
        return error_hint("You might need to add an explicit cast.");
    }
    FAIL(DATATYPE_MISMATCH, "column \"%s\" cannot be cast automatically to type %s", to->name,
         type_words(d, to->type));
    return error_hint("You might need to specify \"USING %s::%s\".", ddl__quote(d->a, to->name),
                      arena_printf(d->a, "%s", type_words(d, to->type)));
}

/* Is whatever fits the one typmod fit for the other? Of types whose values do not know it. */
static bool admits_all(type_id type, int32_t from, int32_t to)
{
    enum { HEADER = 4, SCALE = 0xffff, PRECISION_MAX = 6 };
    switch (type) {
    case TYPE_NUMERIC:
        return from != -1 && ((from - HEADER) & SCALE) == ((to - HEADER) & SCALE) &&
               (to - HEADER) >> 16 >= (from - HEADER) >> 16;
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return (from != -1 && to >= from) || to >= PRECISION_MAX;
    default: return false;
    }
}

static bool same_bytes(const struct column_def *old, const struct column_def *to)
{
    bool strings = (old->type == TYPE_TEXT || old->type == TYPE_VARCHAR) &&
                   (to->type == TYPE_TEXT || to->type == TYPE_VARCHAR);
    if (old->type != to->type && !strings) return false;
    if (to->typmod == -1 || (old->type == to->type && old->typmod == to->typmod)) return true;
    if (strings) return old->type == TYPE_VARCHAR && old->typmod != -1 && to->typmod >= old->typmod;
    return admits_all(to->type, old->typmod, to->typmod);
}

/* --- what goes along ------------------------------------------------------------------------ */

static enum status check_default(struct ddl *d, const struct table_def *t,
                                 const struct column_def *to)
{
    struct expr *e;
    if (!to->default_sql) return OK;
    enum status s = ddl__load_expression(d, to->generated ? t : NULL, to->default_sql, to,
                                         to->generated ? "GENERATED" : "DEFAULT", &e);
    if (s != DATATYPE_MISMATCH && s != CANNOT_COERCE) return s;
    return FAIL(DATATYPE_MISMATCH, "%s for column \"%s\" cannot be cast automatically to type %s",
                to->generated ? "generation expression" : "default", to->name,
                type_words(d, to->type));
}

/* Checks bind again: their text says what it says, now of the new type. */
static enum status check_checks(struct ddl *d, const struct table_def *t)
{
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        struct expr *e;
        if (t->constraints[i]->kind == 'c')
            TRY(ddl__load_expression(d, t, t->constraints[i]->check_sql, NULL, "CHECK", &e));
    }
    return OK;
}

static bool has_number(const int16_t *columns, uint16_t n, int16_t number)
{
    for (uint16_t i = 0; i < n; i++)
        if (columns[i] == number) return true;
    return false;
}

/* Whether others may write while the rows are moved: what must be looked at all at once is looked at under
 * a lock, and a row must be found again by its key. */
static bool may_beside(const struct ddl *d, const struct table_def *t, const struct column_def *c,
                       const struct expr *value)
{
    uint32_t n;
    const struct constraint_def *const *list = catalog_references(d->s->catalog, t->oid, &n);
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->deferrable) return false;
    for (uint16_t i = 0; t->primary && i < t->primary->key_count; i++)
        if (t->primary->columns[i].column == c->number && expr_is_volatile(value)) return false;
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *k = t->constraints[i];
        if (k->kind == 'f' && has_number(k->columns, k->column_count, c->number)) return false;
    }
    for (uint32_t i = 0; i < n; i++)
        if (has_number(list[i]->foreign_columns, list[i]->column_count, c->number)) return false;
    return true;
}

static enum status retype_sequence(struct ddl *d, oid_t table, const struct column_def *to)
{
    const struct table_def *seq = ddl__identity_sequence(d, table, to->number);
    if (!seq || seq->sequence->type == to->type) return OK;
    const char *names[] = {"pg_catalog", type_get(to->type)->name};
    struct ast_type_name type = {.node = {AST_TYPE_NAME, -1}, .names = {names, 2}};
    struct ast_def_elem as = {.node = {AST_DEF_ELEM, -1}, .name = "as", .arg = &type.node};
    struct ast *items[] = {&as.node};
    struct ast_list options = {items, 1};
    return ddl__change_sequence(d, seq, &options);
}

/* The foreign key is looked at as if it were made anew. */
static enum status verify_one_foreign(struct ddl *d, const struct constraint_def *k)
{
    const struct table_def *child = ddl__table(d, k->table), *parent = ddl__table(d, k->foreign_table);
    for (uint16_t i = 0; i < k->column_count; i++) {
        const struct column_def *c = &child->columns[k->columns[i] - 1];
        const struct column_def *p = &parent->columns[k->foreign_columns[i] - 1];
        if (foreign_key_types_fit(c->type, p->type)) continue;
        FAIL(DATATYPE_MISMATCH, "foreign key constraint \"%s\" cannot be implemented", k->name);
        return error_detail("Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.",
                            c->name, p->name, type_words(d, c->type), type_words(d, p->type));
    }
    if (!k->validated) return OK;
    TRY(ddl__lock(d, k->table, LOCK_SHARE_ROW_EXCLUSIVE));
    TRY(ddl__lock(d, k->foreign_table, LOCK_SHARE_ROW_EXCLUSIVE));
    return ddl__verify_foreign(d, k);
}

/* Those of the column, and those that refer to it. */
static enum status verify_foreign(struct ddl *d, oid_t table, int16_t number)
{
    const struct table_def *t = ddl__table(d, table);
    const struct constraint_def *const *list;
    uint32_t n;
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *k = t->constraints[i];
        if (k->kind == 'f' && has_number(k->columns, k->column_count, number))
            TRY(verify_one_foreign(d, k));
    }
    list = catalog_references(d->s->catalog, table, &n);
    for (uint32_t i = 0; i < n; i++)
        if (has_number(list[i]->foreign_columns, list[i]->column_count, number))
            TRY(verify_one_foreign(d, list[i]));
    return OK;
}

enum status ddl__alter_type(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    const struct table_def *t = ddl__table(d, table);
    struct table_edit e;
    struct column_def *c;
    struct expr *value;
    ddl__edit(d, t, &e);
    TRY(ddl__alter_column(&e, cmd->name, &c));
    const struct column_def *old = &t->columns[c->number - 1];
    if (c->generated && cmd->expr) {
        FAIL(INVALID_COLUMN_DEFINITION,
             "cannot specify USING when altering type of generated column");
        return error_detail("Column \"%s\" is a generated column.", c->name);
    }
    TRY(ddl__alter_to(d, cmd, t, c, &c->type, &c->typmod));
    TRY(check_generated(d, t, old));
    TRY(check_views(d, t, old));
    TRY(cast_of(d, t, old, c, cmd->expr, &value));
    c->statistics = NULL; /* they hold values of the old type */
    TRY(ddl__retype_indexes(d, &e, c));
    TRY(check_default(d, ddl__edit_def(&e), c));
    TRY(check_checks(d, ddl__edit_def(&e)));
    if (!may_beside(d, t, old, value)) TRY(ddl__lock_fully(d, table));
    if (cmd->expr || !same_bytes(old, c))
        TRY(ddl__retype(d, t, &e, (uint16_t)(c->number - 1), value));
    else TRY(ddl__edit_put(d, &e, NULL));
    TRY(verify_foreign(d, table, c->number));
    return c->identity ? retype_sequence(d, table, c) : OK;
}
