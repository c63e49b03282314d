/* CREATE TABLE and ALTER TABLE: columns, constraints, commands. */
#include "sql/parse/copy_priv.h"

#include "sql/parse/scan_priv.h"

static enum status refuse(const struct copy *c, int location, const char *what)
{
    return copy__at(c, location, UNSUPPORTED("%s is not supported", what));
}

/* What says the same where all operators are =. */
static enum status refuse_exclusion(const struct copy *c, const Constraint *k)
{
    bool equal = true;
    const char *name = "=";
    for (int i = 0; i < list_count(k->exclusions); i++) {
        const List *operator = (const List *)list_item((const List *)list_item(k->exclusions, i), 1);
        const char *one = node_name(list_item(operator, list_count(operator) - 1));
        if (strcmp(one, "=") == 0) continue;
        equal = false;
        name = one;
    }
    (void)refuse(c, k->location, arena_printf(c->arena, "EXCLUDE with operator %s", name));
    return equal ? error_hint("Use UNIQUE, or a unique index with WHERE: they forbid the same rows.")
                 : error_hint("Check it in a trigger that locks what rows may share, as by pg_advisory_xact_lock.");
}

/* --- constraints ---------------------------------------------------------------------------- */

static enum constraint_kind constraint_kind(ConstrType t)
{
    switch (t) {
    case CONSTR_NULL: return CON_NULL;
    case CONSTR_NOTNULL: return CON_NOT_NULL;
    case CONSTR_DEFAULT: return CON_DEFAULT;
    case CONSTR_IDENTITY: return CON_IDENTITY;
    case CONSTR_GENERATED: return CON_GENERATED;
    case CONSTR_CHECK: return CON_CHECK;
    case CONSTR_PRIMARY: return CON_PRIMARY;
    case CONSTR_UNIQUE: return CON_UNIQUE;
    case CONSTR_EXCLUSION: return CON_EXCLUSION;
    case CONSTR_FOREIGN: return CON_FOREIGN;
    default: return CON_DEFERRABLE;
    }
}

static enum status copy_constraint(struct copy *c, const Constraint *k, struct ast_constraint **ret)
{
    struct ast_constraint *n = NODE_NEW(c, ast_constraint, AST_CONSTRAINT, k->location);
    *ret = n;
    n->type = constraint_kind(k->contype);
    if (n->type == CON_EXCLUSION) return refuse_exclusion(c, k);
    n->name = copy__string(c, k->conname);
    n->deferrable = k->deferrable;
    n->initially_deferred = k->initdeferred;
    n->not_valid = k->skip_validation;
    n->no_inherit = k->is_no_inherit;
    n->nulls_not_distinct = k->nulls_not_distinct;
    n->generated_when = k->generated_when;
    n->index_name = copy__string(c, k->indexname);
    copy__names(c, n->type == CON_FOREIGN ? k->fk_attrs : k->keys, &n->columns);
    copy__names(c, k->including, &n->including);
    n->foreign_table = copy__range_var(c, k->pktable);
    copy__names(c, k->pk_attrs, &n->foreign_columns);
    copy__names(c, k->fk_del_set_cols, &n->set_columns);
    n->match = k->fk_matchtype;
    n->on_update = k->fk_upd_action;
    n->on_delete = k->fk_del_action;
    TRY(copy__list(c, k->options, &n->options));
    return copy__node(c, k->raw_expr, &n->expr);
}

/* What a DEFERRABLE clause said so far of the constraint before it. */
struct deferral {
    struct ast_constraint *of;
    bool saw_deferrable, saw_initially;
};

/* A column's DEFERRABLE clauses are nodes of their own, behind the constraint they speak of. The
 * checks and the words are those of PostgreSQL's transformConstraintAttrs. */
static enum status fold_attribute(const struct copy *c, const Constraint *k, struct deferral *d)
{
    static const char *const clauses[] = {
        [CONSTR_ATTR_DEFERRABLE] = "DEFERRABLE",
        [CONSTR_ATTR_NOT_DEFERRABLE] = "NOT DEFERRABLE",
        [CONSTR_ATTR_DEFERRED] = "INITIALLY DEFERRED",
        [CONSTR_ATTR_IMMEDIATE] = "INITIALLY IMMEDIATE",
    };
    bool initially = k->contype == CONSTR_ATTR_DEFERRED || k->contype == CONSTR_ATTR_IMMEDIATE;
    bool can_defer = d->of && (d->of->type == CON_PRIMARY || d->of->type == CON_UNIQUE ||
                               d->of->type == CON_FOREIGN);
    if (!can_defer)
        return copy__at(c, k->location,
                        FAIL(SYNTAX_ERROR, "misplaced %s clause", clauses[k->contype]));
    bool *saw = initially ? &d->saw_initially : &d->saw_deferrable;
    if (*saw)
        return copy__at(c, k->location,
                        FAIL(SYNTAX_ERROR, "multiple %s clauses not allowed",
                             initially ? "INITIALLY IMMEDIATE/DEFERRED"
                                       : "DEFERRABLE/NOT DEFERRABLE"));
    *saw = true;
    if (k->contype == CONSTR_ATTR_DEFERRABLE) d->of->deferrable = true;
    if (k->contype == CONSTR_ATTR_NOT_DEFERRABLE) d->of->deferrable = false;
    if (k->contype == CONSTR_ATTR_DEFERRED) {
        d->of->initially_deferred = true;
        if (!d->saw_deferrable) d->of->deferrable = true;
    }
    if (d->of->initially_deferred && !d->of->deferrable)
        return copy__at(c, k->location,
                        FAIL(SYNTAX_ERROR,
                             "constraint declared INITIALLY DEFERRED must be DEFERRABLE"));
    return OK;
}

static enum status copy_constraints(struct copy *c, const List *l, struct ast_list *ret)
{
    struct deferral d = {0};
    int count = list_count(l);
    ret->items = ARENA_ARRAY(c->arena, struct ast *, count);
    for (int i = 0; i < count; i++) {
        const Constraint *k = (const Constraint *)list_item(l, i);
        if (constraint_kind(k->contype) == CON_DEFERRABLE) {
            TRY(fold_attribute(c, k, &d));
            continue;
        }
        d = (struct deferral){0};
        TRY(copy_constraint(c, k, &d.of));
        ret->items[ret->count++] = &d.of->node;
    }
    return OK;
}

enum status copy__column_def(struct copy *c, const ColumnDef *d, struct ast_column_def **ret)
{
    struct ast_column_def *n = NODE_NEW(c, ast_column_def, AST_COLUMN_DEF, d->location);
    *ret = n;
    n->name = copy__string(c, d->colname);
    n->compression = copy__string(c, d->compression);
    if (d->fdwoptions) return refuse(c, d->location, "OPTIONS of a column");
    if (d->collClause) copy__names(c, d->collClause->collname, &n->collation);
    TRY(copy__type_name(c, d->typeName, &n->type));
    return copy_constraints(c, d->constraints, &n->constraints);
}

/* --- CREATE TABLE --------------------------------------------------------------------------- */

static char on_commit_letter(OnCommitAction a)
{
    switch (a) {
    case ONCOMMIT_PRESERVE_ROWS: return 'p';
    case ONCOMMIT_DELETE_ROWS: return 'd';
    case ONCOMMIT_DROP: return 'D';
    default: return 'n';
    }
}

/* STORAGE, COMPRESSION and STATISTICS have nothing to copy here. */
static struct ast *copy_like(struct copy *c, const TableLikeClause *s)
{
    static const struct { bits32 theirs; uint32_t ours; } options[] = {
        {CREATE_TABLE_LIKE_COMMENTS, LIKE_COMMENTS},
        {CREATE_TABLE_LIKE_CONSTRAINTS, LIKE_CONSTRAINTS},
        {CREATE_TABLE_LIKE_DEFAULTS, LIKE_DEFAULTS},
        {CREATE_TABLE_LIKE_GENERATED, LIKE_GENERATED},
        {CREATE_TABLE_LIKE_IDENTITY, LIKE_IDENTITY},
        {CREATE_TABLE_LIKE_INDEXES, LIKE_INDEXES},
    };
    struct ast_like *n = NODE_NEW(c, ast_like, AST_LIKE, s->relation->location);
    n->relation = copy__range_var(c, s->relation);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (s->options & options[i].theirs) n->including |= options[i].ours;
    return &n->node;
}

static enum status copy_element(struct copy *c, const Node *e, struct ast_create_table *n)
{
    struct ast_list *list = nodeTag(e) == T_Constraint ? &n->constraints : &n->columns;
    struct ast **item = &list->items[list->count];
    if (nodeTag(e) == T_Constraint) {
        TRY(copy_constraint(c, (const Constraint *)e, (struct ast_constraint **)item));
    } else if (nodeTag(e) == T_ColumnDef) {
        TRY(copy__column_def(c, (const ColumnDef *)e, (struct ast_column_def **)item));
    } else {
        ASSERT(nodeTag(e) == T_TableLikeClause);
        *item = copy_like(c, (const TableLikeClause *)e);
    }
    list->count++;
    return OK;
}

enum status copy__create_table(struct copy *c, const CreateStmt *s, struct ast **ret)
{
    struct ast_create_table *n = NODE_NEW(c, ast_create_table, AST_CREATE_TABLE, -1);
    *ret = &n->node;
    if (s->ofTypename) return refuse(c, s->ofTypename->location, "CREATE TABLE ... OF");
    n->table = copy__range_var(c, s->relation);
    n->if_not_exists = s->if_not_exists;
    n->inherits = s->inhRelations || s->partbound;
    n->partitioned = s->partspec || s->partbound;
    n->on_commit = on_commit_letter(s->oncommit);
    n->access_method = copy__string(c, s->accessMethod);
    n->tablespace = copy__string(c, s->tablespacename);
    int count = list_count(s->tableElts);
    n->columns.items = ARENA_ARRAY(c->arena, struct ast *, count);
    n->constraints.items = ARENA_ARRAY(c->arena, struct ast *, count);
    for (int i = 0; i < count; i++) TRY(copy_element(c, list_item(s->tableElts, i), n));
    return copy__list(c, s->options, &n->options);
}

/* Its query as written, without the WITH [NO] DATA at the end. */
static enum status matview_text(struct copy *c, const CreateTableAsStmt *s, const char **ret)
{
    struct slice query;
    uint32_t at = (uint32_t)s->into->rel->location;
    struct scan back = {c->text.data, at, (uint32_t)c->end};
    struct token t, words[3] = {{0}};
    if (!scan__query(c->text, at, (uint32_t)c->end, false, false, &query))
        return FAIL(INTERNAL_ERROR, "the query of view \"%s\" was not found", s->into->rel->relname);
    do { /* the last three */
        words[0] = words[1];
        words[1] = words[2];
        words[2] = t = (struct token){0};
        scan__next(&back, &t);
        words[2] = t;
    } while (t.kind != TOK_END && t.kind != TOK_BAD && t.end < (uint32_t)(query.data + query.len - c->text.data));
    const struct token *with = scan__is_word(&back, &words[1], "no") ? &words[0] : &words[1];
    if (scan__is_word(&back, &words[2], "data") && scan__is_word(&back, with, "with"))
        query.len = (size_t)(c->text.data + with->start - query.data);
    *ret = arena_strndup(c->arena, query.data, query.len);
    return OK;
}

enum status copy__create_table_as(struct copy *c, const CreateTableAsStmt *s, struct ast **ret)
{
    struct ast_create_table_as *n = NODE_NEW(c, ast_create_table_as, AST_CREATE_TABLE_AS, -1);
    *ret = &n->node;
    n->table = copy__range_var(c, s->into->rel);
    copy__names(c, s->into->colNames, &n->columns);
    n->if_not_exists = s->if_not_exists;
    n->with_no_data = s->into->skipData;
    n->materialized = s->objtype == OBJECT_MATVIEW;
    if (n->materialized) TRY(matview_text(c, s, &n->query_text));
    n->on_commit = on_commit_letter(s->into->onCommit);
    n->access_method = copy__string(c, s->into->accessMethod);
    n->tablespace = copy__string(c, s->into->tableSpaceName);
    TRY(copy__list(c, s->into->options, &n->options));
    return copy__node(c, s->query, &n->query);
}

/* A table without rows. */
enum status copy__create_type(struct copy *c, const CompositeTypeStmt *s, struct ast **ret)
{
    struct ast_create_table *n = NODE_NEW(c, ast_create_table, AST_CREATE_TABLE, -1);
    *ret = &n->node;
    n->is_type = true;
    n->table = copy__range_var(c, s->typevar);
    n->columns.count = (uint32_t)list_count(s->coldeflist);
    n->columns.items = ARENA_ARRAY(c->arena, struct ast *, n->columns.count + 1);
    for (uint32_t i = 0; i < n->columns.count; i++) {
        struct ast_column_def *d;
        TRY(copy__column_def(c, (const ColumnDef *)list_item(s->coldeflist, (int)i), &d));
        n->columns.items[i] = &d->node;
    }
    return OK;
}

/* --- ALTER TABLE ---------------------------------------------------------------------------- */

/* What the commands that we do not have are called. */
static const char *command_name(AlterTableType t)
{
    switch (t) {
    case AT_SetOptions: return "ALTER COLUMN ... SET";
    case AT_ResetOptions: return "ALTER COLUMN ... RESET";
    case AT_SetCompression: return "ALTER COLUMN ... SET COMPRESSION";
    case AT_AlterColumnGenericOptions: return "ALTER COLUMN ... OPTIONS";
    case AT_ClusterOn: return "CLUSTER ON";
    case AT_DropCluster: return "SET WITHOUT CLUSTER";
    case AT_SetLogged: return "SET LOGGED";
    case AT_SetUnLogged: return "SET UNLOGGED";
    case AT_DropOids: return "SET WITHOUT OIDS";
    case AT_SetAccessMethod: return "SET ACCESS METHOD";
    case AT_SetTableSpace: return "SET TABLESPACE";
    case AT_EnableRule:
    case AT_EnableAlwaysRule:
    case AT_EnableReplicaRule: return "ENABLE RULE";
    case AT_DisableRule: return "DISABLE RULE";
    case AT_AddInherit: return "INHERIT";
    case AT_DropInherit: return "NO INHERIT";
    case AT_AddOf: return "OF";
    case AT_DropOf: return "NOT OF";
    case AT_ReplicaIdentity: return "REPLICA IDENTITY";
    case AT_EnableRowSecurity: return "ENABLE ROW LEVEL SECURITY";
    case AT_DisableRowSecurity: return "DISABLE ROW LEVEL SECURITY";
    case AT_ForceRowSecurity: return "FORCE ROW LEVEL SECURITY";
    case AT_NoForceRowSecurity: return "NO FORCE ROW LEVEL SECURITY";
    case AT_GenericOptions: return "OPTIONS";
    case AT_AttachPartition: return "ATTACH PARTITION";
    case AT_DetachPartition:
    case AT_DetachPartitionFinalize: return "DETACH PARTITION";
    default: return "this command of ALTER TABLE";
    }
}

static enum alter_kind alter_kind(AlterTableType t)
{
    switch (t) {
    case AT_AddColumn: return ALTER_ADD_COLUMN;
    case AT_DropColumn: return ALTER_DROP_COLUMN;
    case AT_ColumnDefault: return ALTER_COLUMN_DEFAULT;
    case AT_SetNotNull: return ALTER_SET_NOT_NULL;
    case AT_DropNotNull: return ALTER_DROP_NOT_NULL;
    case AT_AlterColumnType: return ALTER_COLUMN_TYPE;
    case AT_AddConstraint: return ALTER_ADD_CONSTRAINT;
    case AT_DropConstraint: return ALTER_DROP_CONSTRAINT;
    case AT_ValidateConstraint: return ALTER_VALIDATE_CONSTRAINT;
    case AT_AlterConstraint: return ALTER_ALTER_CONSTRAINT;
    case AT_AddIdentity: return ALTER_ADD_IDENTITY;
    case AT_SetIdentity: return ALTER_SET_IDENTITY;
    case AT_DropIdentity: return ALTER_DROP_IDENTITY;
    case AT_DropExpression: return ALTER_DROP_EXPRESSION;
    case AT_SetRelOptions: return ALTER_SET_OPTIONS;
    case AT_ResetRelOptions: return ALTER_RESET_OPTIONS;
    case AT_ChangeOwner: return ALTER_OWNER;
    case AT_SetStatistics: return ALTER_SET_STATISTICS;
    case AT_SetStorage: return ALTER_SET_STORAGE;
    case AT_EnableTrig:
    case AT_EnableAlwaysTrig:
    case AT_EnableReplicaTrig:
    case AT_EnableTrigAll:
    case AT_EnableTrigUser:
    case AT_DisableTrig:
    case AT_DisableTrigAll:
    case AT_DisableTrigUser: return ALTER_TRIGGERS;
    default: return ALTER_OTHER;
    }
}

/* pg_trigger.tgenabled as it will be. */
static const char *trigger_letter(AlterTableType t)
{
    switch (t) {
    case AT_DisableTrig:
    case AT_DisableTrigAll:
    case AT_DisableTrigUser: return "D";
    case AT_EnableAlwaysTrig: return "A";
    case AT_EnableReplicaTrig: return "R";
    default: return "O";
    }
}

static enum status copy_alter_cmd(struct copy *c, const AlterTableCmd *s, struct ast **ret)
{
    struct ast_alter_cmd *n = NODE_NEW(c, ast_alter_cmd, AST_ALTER_CMD, -1);
    *ret = &n->node;
    n->type = alter_kind(s->subtype);
    n->name = copy__string(c, s->name);
    n->cascade = s->behavior == DROP_CASCADE;
    n->missing_ok = s->missing_ok;
    switch (n->type) {
    case ALTER_ADD_COLUMN:
        TRY(copy__column_def(c, (const ColumnDef *)s->def, &n->column));
        n->name = n->column->name;
        return OK;
    case ALTER_COLUMN_TYPE:
        TRY(copy__column_def(c, (const ColumnDef *)s->def, &n->column));
        return copy__node(c, ((const ColumnDef *)s->def)->raw_default, &n->expr);
    case ALTER_ADD_CONSTRAINT:
    case ALTER_ALTER_CONSTRAINT:
    case ALTER_ADD_IDENTITY:
        return copy_constraint(c, (const Constraint *)s->def, &n->constraint);
    case ALTER_SET_IDENTITY:
    case ALTER_SET_OPTIONS:
    case ALTER_RESET_OPTIONS: return copy__list(c, (const List *)s->def, &n->options);
    case ALTER_OWNER: n->text = copy__role(c, s->newowner); return OK;
    case ALTER_TRIGGERS: n->text = trigger_letter(s->subtype); return OK;
    case ALTER_OTHER: n->text = command_name(s->subtype); return OK;
    case ALTER_SET_STATISTICS:
        if (!s->name) {
            n->type = ALTER_OTHER;
            n->text = "ALTER COLUMN by number";
        }
        return copy__node(c, s->def, &n->expr);
    default: return copy__node(c, s->def, &n->expr);
    }
}

enum status copy__alter_table(struct copy *c, const AlterTableStmt *s, struct ast **ret)
{
    const char *name;
    enum object_kind object = copy__object_kind(s->objtype, &name);
    *ret = NULL;
    if (object == OBJECT_OTHER) return OK;
    struct ast_alter_table *n = NODE_NEW(c, ast_alter_table, AST_ALTER_TABLE, -1);
    *ret = &n->node;
    n->object = object;
    n->table = copy__range_var(c, s->relation);
    n->missing_ok = s->missing_ok;
    n->cmds.count = (uint32_t)list_count(s->cmds);
    n->cmds.items = ARENA_ARRAY(c->arena, struct ast *, n->cmds.count);
    for (uint32_t i = 0; i < n->cmds.count; i++)
        TRY(copy_alter_cmd(c, (const AlterTableCmd *)list_item(s->cmds, (int)i),
                           &n->cmds.items[i]));
    return OK;
}
