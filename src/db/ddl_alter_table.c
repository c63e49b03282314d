/* ALTER TABLE, and ALTER INDEX, SEQUENCE and VIEW where they share its commands. Commands run one
 * after the other, each from catalog to catalog, in PostgreSQL's order: what is dropped goes
 * first, then types change, then columns are added, then come their attributes, and constraints,
 * foreign keys last. */
#include "catalog/column_statistics.h"
#include "db/ddl_follow_priv.h"
#include "db/storage_priv.h"

/* --- attributes of a column ----------------------------------------------------------------- */

static enum status not_identity(struct table_edit *e, const struct column_def *c, bool drop)
{
    if (c->identity) {
        FAIL(SYNTAX_ERROR, "column \"%s\" of relation \"%s\" is an identity column", c->name,
             e->def.name);
        return drop ? error_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.")
                    : SYNTAX_ERROR;
    }
    if (!c->generated) return OK;
    FAIL(SYNTAX_ERROR, "column \"%s\" of relation \"%s\" is a generated column", c->name,
         e->def.name);
    return drop ? error_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead.")
                : SYNTAX_ERROR;
}

static enum status set_default(struct ddl *d, struct table_edit *e, struct column_def *c,
                               const struct ast_alter_cmd *cmd)
{
    TRY(not_identity(e, c, cmd->expr == NULL));
    c->default_sql = NULL;
    if (cmd->expr) TRY(ddl__store_default(d, c, cmd->expr, &c->default_sql, NULL));
    return ddl__edit_put(d, e, NULL);
}

static enum status set_not_null(struct ddl *d, struct table_edit *e, struct column_def *c)
{
    if (c->not_null) return OK;
    TRY(ddl__prove_not_null(d, ddl__table(d, e->def.oid), (uint16_t)(c->number - 1)));
    c->not_null = true;
    return ddl__edit_put(d, e, NULL);
}

static enum status drop_not_null(struct ddl *d, struct table_edit *e, struct column_def *c)
{
    if (c->identity)
        return FAIL(SYNTAX_ERROR, "column \"%s\" of relation \"%s\" is an identity column", c->name,
                    e->def.name);
    for (size_t k = 0; k < e->indexes.count; k++) {
        const struct index_def *x = e->indexes.data[k];
        for (uint16_t i = 0; x->primary && i < x->key_count; i++)
            if (x->columns[i].column == c->number)
                return FAIL(INVALID_TABLE_DEFINITION, "column \"%s\" is in a primary key", c->name);
    }
    c->not_null = false;
    return ddl__edit_put(d, e, NULL);
}

static enum status add_identity(struct ddl *d, struct table_edit *e, struct column_def *c,
                                const struct ast_alter_cmd *cmd)
{
    oid_t sequence;
    if (c->type != TYPE_INT2 && c->type != TYPE_INT4 && c->type != TYPE_INT8)
        return FAIL(INVALID_PARAMETER_VALUE,
                    "identity column type must be smallint, integer, or bigint");
    const char *why = c->identity      ? "is already an identity column"
                      : c->default_sql ? "already has a default value"
                      : !c->not_null   ? "must be declared NOT NULL before identity can be added"
                                       : NULL;
    if (why)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "column \"%s\" of relation \"%s\" %s",
                    c->name, e->def.name, why);
    const char *name = ddl__choose_name(d, e->def.schema, e->def.name, c->name, "seq", NULL, NULL);
    struct sequence_owner owner = {&e->def, c->number, 'i'};
    TRY(ddl__make_sequence(d, e->def.schema, name, c->type, &cmd->constraint->options, &owner,
                           &sequence));
    c->identity = cmd->constraint->generated_when;
    return ddl__edit_put(d, e, NULL);
}

static enum status set_identity(struct ddl *d, struct table_edit *e, struct column_def *c,
                                const struct ast_alter_cmd *cmd)
{
    ARRAY(struct ast *) rest = {0};
    if (!c->identity)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "column \"%s\" of relation \"%s\" is not an identity column", c->name,
                    e->def.name);
    for (uint32_t i = 0; i < cmd->options.count; i++) {
        const struct ast_def_elem *o = AST(cmd->options.items[i], ast_def_elem);
        int64_t letter;
        if (strcmp(o->name, "generated") != 0) {
            ARENA_PUSH(d->a, &rest, cmd->options.items[i]);
            continue;
        }
        TRY(ddl__option_i64(o, &letter));
        c->identity = (char)letter;
    }
    TRY(ddl__edit_put(d, e, NULL));
    const struct table_def *seq = ddl__identity_sequence(d, e->def.oid, c->number);
    if (!seq || rest.count == 0) return OK;
    struct ast_list options = {rest.data, (uint32_t)rest.count};
    return ddl__change_sequence(d, seq, &options);
}

static enum status drop_identity(struct ddl *d, struct table_edit *e, struct column_def *c,
                                 const struct ast_alter_cmd *cmd)
{
    if (!c->identity && cmd->missing_ok)
        return ddl__notice(
            d, "column \"%s\" of relation \"%s\" is not an identity column, skipping", c->name,
            e->def.name);
    if (!c->identity)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "column \"%s\" of relation \"%s\" is not an identity column", c->name,
                    e->def.name);
    const struct table_def *seq = ddl__identity_sequence(d, e->def.oid, c->number);
    c->identity = 0;
    TRY(ddl__edit_put(d, e, NULL));
    return seq ? ddl__drop_relation(d, seq) : OK;
}

/* The column keeps the values that it has. */
static enum status drop_expression(struct ddl *d, struct table_edit *e, struct column_def *c,
                                   const struct ast_alter_cmd *cmd)
{
    const char *words = "is not a stored generated column";
    if (!c->generated && cmd->missing_ok)
        return ddl__notice(d, "column \"%s\" of relation \"%s\" %s, skipping", c->name,
                           e->def.name, words);
    if (!c->generated)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "column \"%s\" of relation \"%s\" %s",
                    c->name, e->def.name, words);
    c->generated = 0;
    c->default_sql = NULL;
    return ddl__edit_put(d, e, NULL);
}

static enum status set_statistics(struct ddl *d, struct table_edit *e, struct column_def *c,
                                  const struct ast_alter_cmd *cmd)
{
    if (cmd->expr && cmd->expr->kind == AST_CONST)
        c->statistics_target = (int32_t)AST(cmd->expr, ast_const)->ival;
    if (c->statistics_target < -1)
        return FAIL(INVALID_PARAMETER_VALUE, "statistics target %d is too low",
                    (int)c->statistics_target);
    if (c->statistics_target > STATISTICS_TARGET_MAX) c->statistics_target = STATISTICS_TARGET_MAX;
    return ddl__edit_put(d, e, NULL);
}

static enum status column_command(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    struct table_edit e;
    struct column_def *c;
    ddl__edit(d, ddl__table(d, table), &e);
    TRY(ddl__alter_column(&e, cmd->name, &c));
    switch (cmd->type) {
    case ALTER_COLUMN_DEFAULT: return set_default(d, &e, c, cmd);
    case ALTER_SET_NOT_NULL: return set_not_null(d, &e, c);
    case ALTER_DROP_NOT_NULL: return drop_not_null(d, &e, c);
    case ALTER_ADD_IDENTITY: return add_identity(d, &e, c, cmd);
    case ALTER_SET_IDENTITY: return set_identity(d, &e, c, cmd);
    case ALTER_DROP_IDENTITY: return drop_identity(d, &e, c, cmd);
    case ALTER_DROP_EXPRESSION: return drop_expression(d, &e, c, cmd);
    case ALTER_SET_STATISTICS: return set_statistics(d, &e, c, cmd);
    default: return OK; /* SET STORAGE: storage is ours to choose */
    }
}

/* --- storage parameters --------------------------------------------------------------------- */

/* Is "name=…" of `item` (len bytes) set or reset by the list? */
static bool option_named(const struct ast_list *options, const char *item, size_t len)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct ast_def_elem *o = AST(options->items[i], ast_def_elem);
        const char *name = o->name;
        size_t n = strlen(name), space = o->name_space ? strlen(o->name_space) + 1 : 0;
        if (space && space < len && memcmp(o->name_space, item, space - 1) == 0 &&
            item[space - 1] == '.' && space + n < len && memcmp(name, item + space, n) == 0 &&
            item[space + n] == '=')
            return true;
        if (n < len && memcmp(name, item, n) == 0 && item[n] == '=') return true;
    }
    return false;
}

static enum status options_command(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    struct table_edit e;
    struct strbuf b;
    const char *added = NULL;
    ddl__edit(d, ddl__table(d, table), &e);
    if (cmd->type == ALTER_SET_OPTIONS) TRY(ddl__options(d, &cmd->options, &added));
    strbuf_init(&b, d->a);
    for (const char *p = e.def.options; p && *p;) {
        const char *comma = strchr(p, ',');
        size_t len = comma ? (size_t)(comma - p) : strlen(p);
        if (!option_named(&cmd->options, p, len))
            strbuf_addf(&b, "%s%.*s", b.len ? "," : "", (int)len, p);
        p += len + (comma != NULL);
    }
    if (added) strbuf_addf(&b, "%s%s", b.len ? "," : "", added);
    e.def.options = b.len ? b.data : NULL;
    const struct table_def *was = ddl__table(d, table), *now;
    enum table_storage before = table_storage(was);
    TRY(ddl__edit_put(d, &e, &now));
    if (before == table_storage(now)) return OK;
    return session__notice(d->sink, "NOTICE", OK, "VACUUM FULL does it at once.",
                           "rows of \"%s\" that are on disk are rewritten in the background", now->name);
}

/* --- dispatch ------------------------------------------------------------------------------- */

static int pass_of(const struct ast_alter_cmd *c)
{
    if (c->type == ALTER_ADD_CONSTRAINT && c->constraint->type == CON_FOREIGN) return 5;
    if (c->type == ALTER_VALIDATE_CONSTRAINT || c->type == ALTER_ALTER_CONSTRAINT) return 6;
    switch (c->type) {
    case ALTER_DROP_COLUMN:
    case ALTER_DROP_CONSTRAINT:
    case ALTER_DROP_NOT_NULL:
    case ALTER_DROP_IDENTITY:
    case ALTER_DROP_EXPRESSION: return 0;
    case ALTER_COLUMN_TYPE: return 1;
    case ALTER_ADD_COLUMN: return 2;
    case ALTER_COLUMN_DEFAULT:
    case ALTER_SET_NOT_NULL:
    case ALTER_ADD_IDENTITY:
    case ALTER_SET_IDENTITY: return 3;
    default: return 4;
    }
}
enum { PASSES = 7 };

static enum status command(struct ddl *d, oid_t table, const struct ast_alter_cmd *cmd)
{
    if (cmd->type == ALTER_ADD_COLUMN || cmd->type == ALTER_DROP_COLUMN ||
        cmd->type == ALTER_COLUMN_TYPE)
        TRY(ddl__check_row_type(d, ddl__table(d, table)));
    switch (cmd->type) {
    case ALTER_ADD_COLUMN: return ddl__add_column_command(d, table, cmd);
    case ALTER_DROP_COLUMN: return ddl__drop_column_command(d, table, cmd);
    case ALTER_COLUMN_TYPE: return ddl__alter_type(d, table, cmd);
    case ALTER_ADD_CONSTRAINT: return ddl__add_constraint(d, table, cmd);
    case ALTER_DROP_CONSTRAINT: return ddl__drop_constraint(d, table, cmd);
    case ALTER_VALIDATE_CONSTRAINT: return ddl__validate_constraint(d, table, cmd);
    case ALTER_ALTER_CONSTRAINT: return ddl__alter_constraint(d, table, cmd);
    case ALTER_SET_OPTIONS:
    case ALTER_RESET_OPTIONS: return options_command(d, table, cmd);
    case ALTER_OWNER: return ddl__set_owner(d, ddl__table(d, table), cmd->text);
    case ALTER_TRIGGERS: return ddl__enable_triggers(d, table, cmd);
    case ALTER_OTHER:
        return UNSUPPORTED("ALTER TABLE ... %s is not supported yet", cmd->text);
    default: return column_command(d, table, cmd);
    }
}

/* As errors tell them. */
static const char *const actions[ALTER_OTHER] = {
    [ALTER_ADD_COLUMN] = "ADD COLUMN",
    [ALTER_DROP_COLUMN] = "DROP COLUMN",
    [ALTER_SET_NOT_NULL] = "ALTER COLUMN ... SET NOT NULL",
    [ALTER_DROP_NOT_NULL] = "ALTER COLUMN ... DROP NOT NULL",
    [ALTER_COLUMN_TYPE] = "ALTER COLUMN ... SET DATA TYPE",
    [ALTER_ADD_CONSTRAINT] = "ADD CONSTRAINT",
    [ALTER_DROP_CONSTRAINT] = "DROP CONSTRAINT",
    [ALTER_VALIDATE_CONSTRAINT] = "VALIDATE CONSTRAINT",
};

/* Views and sequences take only some commands. */
static enum status check_kind(const struct table_def *t, const struct ast_alter_cmd *cmd)
{
    if (t->kind == 'r' || cmd->type == ALTER_OWNER || cmd->type == ALTER_OTHER) return OK;
    bool view = t->kind == 'v' || t->kind == 'm';
    if (view && (cmd->type == ALTER_SET_OPTIONS || cmd->type == ALTER_RESET_OPTIONS))
        return OK;
    const char *action = cmd->type < ALTER_OTHER ? actions[cmd->type] : NULL;
    FAIL(WRONG_OBJECT_TYPE, "ALTER action %s%scannot be performed on relation \"%s\"",
         action ? action : "", action ? " " : "", t->name);
    return error_detail("This operation is not supported for %ss.", ddl__kind_word(t));
}

static enum status alter_index(struct ddl *d, const struct ast_alter_table *n)
{
    const struct index_def *x;
    TRY(ddl__find_index(d, n->table, n->missing_ok, &x));
    if (!x) return OK;
    TRY(ddl__own_table(d, ddl__table(d, x->table)));
    for (uint32_t i = 0; i < n->cmds.count; i++) {
        const struct ast_alter_cmd *c = AST(n->cmds.items[i], ast_alter_cmd);
        const char *text;
        if (c->type != ALTER_SET_OPTIONS && c->type != ALTER_RESET_OPTIONS)
            return UNSUPPORTED("this command of ALTER INDEX is not supported yet");
        TRY(ddl__options(d, &c->options, &text)); /* fillfactor and its like mean nothing here */
    }
    return OK;
}

/* PostgreSQL's, but that what reads or moves all rows lets plain readers go on: they read what
 * was there before, until it commits. Who looks at rows that are there alone, or at what only
 * planning asks, lets others write. */
static enum relation_lock lock_of(const struct ast_alter_cmd *c)
{
    switch (c->type) {
    case ALTER_VALIDATE_CONSTRAINT:
    case ALTER_SET_STATISTICS:
    case ALTER_SET_OPTIONS:
    case ALTER_RESET_OPTIONS: return LOCK_SHARE_UPDATE_EXCLUSIVE;
    case ALTER_TRIGGERS: return LOCK_SHARE_ROW_EXCLUSIVE;
    case ALTER_ADD_CONSTRAINT:
        return c->constraint->type == CON_FOREIGN ? LOCK_SHARE_ROW_EXCLUSIVE : LOCK_EXCLUSIVE;
    case ALTER_COLUMN_TYPE:
    case ALTER_SET_NOT_NULL: return LOCK_EXCLUSIVE;
    default: return LOCK_ACCESS_EXCLUSIVE;
    }
}

static enum relation_lock strongest(const struct ast_alter_table *n)
{
    enum relation_lock lock = n->cmds.count ? LOCK_ACCESS_SHARE : LOCK_ACCESS_EXCLUSIVE;
    for (uint32_t i = 0; i < n->cmds.count; i++) {
        enum relation_lock one = lock_of(AST(n->cmds.items[i], ast_alter_cmd));
        if (one > lock) lock = one;
    }
    return lock;
}

/* Does it go over all rows, and nothing else? Then others may write meanwhile. (A foreign key that is not to be
 * valid looks at none, and both tables' writers must know it.) */
static bool works_beside(const struct ddl *d, const struct ast_alter_table *n)
{
    if (!ddl__is_alone(d) || n->cmds.count != 1) return false;
    const struct ast_alter_cmd *c = AST(n->cmds.items[0], ast_alter_cmd);
    return c->type == ALTER_COLUMN_TYPE || c->type == ALTER_SET_NOT_NULL ||
           (c->type == ALTER_ADD_CONSTRAINT &&
            (c->constraint->type != CON_FOREIGN || !c->constraint->not_valid));
}

enum status ddl__alter_table(struct ddl *d, const struct ast_alter_table *n)
{
    const struct table_def *t;
    if (n->object == OBJECT_ROW_TYPE) return ddl__alter_attributes(d, n);
    d->unplaced = true;
    char kind = ddl__kind_of(n->object, 0);
    if (n->object == OBJECT_INDEX) return alter_index(d, n);
    const char *schema = n->table->schema, *name = n->table->name;
    if (n->missing_ok && !catalog_lookup(d->s->catalog, session__path(d->s), schema, name))
        return ddl__notice(d, "relation \"%s\" does not exist, skipping", name);
    TRY(ddl__find(d, n->table, kind, false, &t));
    TRY(ddl__own_table(d, t));
    if (t->kind == 'c') {
        FAIL(WRONG_OBJECT_TYPE, "\"%s\" is a composite type", t->name);
        return error_hint("Use ALTER TYPE instead.");
    }
    for (uint32_t i = 0; i < n->cmds.count; i++)
        TRY(check_kind(t, AST(n->cmds.items[i], ast_alter_cmd)));
    d->beside = works_beside(d, n) ? strongest(n) : 0;
    TRY(ddl__lock(d, t->oid, d->beside ? LOCK_SHARE_UPDATE_EXCLUSIVE : strongest(n)));
    TRY(session__check_unused(d->s, t, "ALTER TABLE"));
    oid_t oid = t->oid;
    for (int pass = 0; pass < PASSES; pass++)
        for (uint32_t i = 0; i < n->cmds.count; i++) {
            const struct ast_alter_cmd *c = AST(n->cmds.items[i], ast_alter_cmd);
            if (pass_of(c) == pass) TRY(command(d, oid, c));
        }
    return ddl__lock_fully(d, oid);
}
