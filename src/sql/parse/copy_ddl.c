/* Statements on objects: what makes, changes, names, drops and grants them. Tables have a file of
 * their own (copy_table.c). */
#include "sql/parse/copy_priv.h"

#include "sql/parse/copy_routine_priv.h"

#include "sql/parse/scan_priv.h"

static enum status refuse(const struct copy *c, const char *what)
{
    return copy__at(c, -1, UNSUPPORTED("%s is not supported", what));
}

static enum status copy_index(struct copy *c, const IndexStmt *s, struct ast **ret)
{
    struct ast_create_index *n = NODE_NEW(c, ast_create_index, AST_CREATE_INDEX, -1);
    *ret = &n->node;
    n->name = copy__string(c, s->idxname);
    n->table = copy__range_var(c, s->relation);
    n->access_method = copy__string(c, s->accessMethod);
    n->tablespace = copy__string(c, s->tableSpace);
    n->unique = s->unique;
    n->concurrently = s->concurrent;
    n->if_not_exists = s->if_not_exists;
    n->nulls_not_distinct = s->nulls_not_distinct;
    TRY(copy__list(c, s->indexParams, &n->elements));
    TRY(copy__list(c, s->indexIncludingParams, &n->including));
    TRY(copy__list(c, s->options, &n->options));
    return copy__node(c, s->whereClause, &n->where);
}

static enum status copy_create_schema(struct copy *c, const CreateSchemaStmt *s, struct ast **ret)
{
    struct ast_create_schema *n = NODE_NEW(c, ast_create_schema, AST_CREATE_SCHEMA, -1);
    *ret = &n->node;
    n->name = copy__string(c, s->schemaname);
    n->owner = copy__role(c, s->authrole);
    n->if_not_exists = s->if_not_exists;
    c->in_schema = true;
    return copy__list(c, s->schemaElts, &n->elements);
}

static enum status copy_database(struct copy *c, const Node *s, struct ast **ret)
{
    bool create = nodeTag(s) == T_CreatedbStmt;
    struct ast_database *n =
        NODE_NEW(c, ast_database, create ? AST_CREATE_DATABASE : AST_DROP_DATABASE, -1);
    *ret = &n->node;
    if (create) {
        n->name = copy__string(c, ((const CreatedbStmt *)s)->dbname);
        return copy__list(c, ((const CreatedbStmt *)s)->options, &n->options);
    }
    n->name = copy__string(c, ((const DropdbStmt *)s)->dbname);
    n->if_exists = ((const DropdbStmt *)s)->missing_ok;
    return copy__list(c, ((const DropdbStmt *)s)->options, &n->options);
}

static enum status copy_create_sequence(struct copy *c, const CreateSeqStmt *s, struct ast **ret)
{
    struct ast_sequence *n = NODE_NEW(c, ast_sequence, AST_CREATE_SEQUENCE, -1);
    *ret = &n->node;
    n->name = copy__range_var(c, s->sequence);
    n->if_not_exists = s->if_not_exists;
    return copy__list(c, s->options, &n->options);
}

static enum status copy_alter_sequence(struct copy *c, const AlterSeqStmt *s, struct ast **ret)
{
    struct ast_sequence *n = NODE_NEW(c, ast_sequence, AST_ALTER_SEQUENCE, -1);
    *ret = &n->node;
    n->name = copy__range_var(c, s->sequence);
    n->if_exists = s->missing_ok;
    return copy__list(c, s->options, &n->options);
}

/* --- views ---------------------------------------------------------------------------------- */

static void add_quoted(struct strbuf *b, const char *name)
{
    strbuf_addc(b, '"');
    for (; *name; name++) {
        if (*name == '"') strbuf_addc(b, '"');
        strbuf_addc(b, *name);
    }
    strbuf_addc(b, '"');
}

/* CREATE RECURSIVE VIEW v (a) AS q stands for CREATE VIEW v (a) AS WITH RECURSIVE v (a) AS (q)
 * SELECT a FROM v; the grammar makes that tree, this its text. The newline ends a comment in q. */
static const char *recursive_text(struct copy *c, const ViewStmt *s, struct slice query)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_adds(&b, "WITH RECURSIVE ");
    add_quoted(&b, s->view->relname);
    for (int pass = 0; pass < 2; pass++) {
        strbuf_adds(&b, pass == 0 ? " (" : "\n) SELECT ");
        for (int i = 0; i < list_count(s->aliases); i++) {
            if (i) strbuf_adds(&b, ", ");
            add_quoted(&b, node_name(list_item(s->aliases, i)));
        }
        if (pass == 0) {
            strbuf_adds(&b, ") AS (");
            strbuf_add(&b, query.data, query.len);
        }
    }
    strbuf_adds(&b, " FROM ");
    add_quoted(&b, s->view->relname);
    return b.data;
}

static enum status copy_view(struct copy *c, const ViewStmt *s, struct ast **ret)
{
    struct ast_create_view *n = NODE_NEW(c, ast_create_view, AST_CREATE_VIEW, -1);
    struct slice query;
    *ret = &n->node;
    n->name = copy__range_var(c, s->view);
    copy__names(c, s->aliases, &n->columns);
    n->replace = s->replace;
    if (s->withCheckOption == LOCAL_CHECK_OPTION) n->check_option = 'l';
    if (s->withCheckOption == CASCADED_CHECK_OPTION) n->check_option = 'c';
    uint32_t name_at = (uint32_t)s->view->location;
    if (!scan__query(c->text, name_at, (uint32_t)c->end, c->in_schema, n->check_option, &query))
        return FAIL(INTERNAL_ERROR, "the query of view \"%s\" was not found", s->view->relname);
    /* RECURSIVE stands before the name; in CREATE SCHEMA the words before are not the view's. */
    bool recursive = scan__has_word(c->text, (uint32_t)c->start, name_at, WORD_RECURSIVE);
    if (recursive && c->in_schema) return refuse(c, "RECURSIVE within CREATE SCHEMA");
    n->query_text = recursive ? recursive_text(c, s, query)
                              : arena_strndup(c->arena, query.data, query.len);
    TRY(copy__list(c, s->options, &n->options));
    return copy__node(c, s->query, (struct ast **)&n->query);
}

/* --- roles and rights ----------------------------------------------------------------------- */

static void copy_roles(struct copy *c, const List *l, struct name_list *ret)
{
    ret->count = (uint32_t)list_count(l);
    ret->items = ARENA_ARRAY(c->arena, const char *, ret->count);
    for (uint32_t i = 0; i < ret->count; i++)
        ret->items[i] = copy__role(c, (const RoleSpec *)list_item(l, (int)i));
}

static struct ast_role *role_new(struct copy *c, enum ast_kind kind, const char *name)
{
    struct ast_role *n = NODE_NEW(c, ast_role, kind, -1);
    n->kind = 'r';
    n->names.items = ARENA_ARRAY(c->arena, const char *, 1);
    n->names.items[0] = name;
    n->names.count = 1;
    return n;
}

static enum status copy_create_role(struct copy *c, const CreateRoleStmt *s, struct ast **ret)
{
    struct ast_role *n = role_new(c, AST_CREATE_ROLE, copy__string(c, s->role));
    *ret = &n->node;
    if (s->stmt_type == ROLESTMT_USER) n->kind = 'u';
    if (s->stmt_type == ROLESTMT_GROUP) n->kind = 'g';
    return copy__list(c, s->options, &n->options);
}

static enum status copy_alter_role(struct copy *c, const AlterRoleStmt *s, struct ast **ret)
{
    if (s->action < 0) return refuse(c, "ALTER GROUP ... DROP USER");
    struct ast_role *n = role_new(c, AST_ALTER_ROLE, copy__role(c, s->role));
    *ret = &n->node;
    return copy__list(c, s->options, &n->options);
}

static struct ast *copy_drop_role(struct copy *c, const DropRoleStmt *s)
{
    struct ast_role *n = NODE_NEW(c, ast_role, AST_DROP_ROLE, -1);
    n->kind = 'r';
    n->if_exists = s->missing_ok;
    copy_roles(c, s->roles, &n->names);
    return &n->node;
}

/* The name of what is granted on: a table's parts, or the one name of a schema or database. */
static void copy_object_name(struct copy *c, const Node *n, struct name_list *ret)
{
    if (nodeTag(n) == T_List) {
        copy__names(c, (const List *)n, ret);
        return;
    }
    const char *parts[3];
    uint32_t count = 0;
    if (nodeTag(n) == T_TypeName) {
        copy__names(c, ((const TypeName *)n)->names, ret);
        return;
    }
    if (nodeTag(n) == T_RangeVar) {
        const RangeVar *v = (const RangeVar *)n;
        if (v->catalogname) parts[count++] = v->catalogname;
        if (v->schemaname) parts[count++] = v->schemaname;
        parts[count++] = v->relname;
    } else {
        ASSERT(nodeTag(n) == T_String);
        parts[count++] = node_name(n);
    }
    ret->count = count;
    ret->items = ARENA_ARRAY(c->arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) ret->items[i] = copy__string(c, parts[i]);
}

static void copy_object_names(struct copy *c, const List *l, struct name_list **ret,
                              uint32_t *ret_count)
{
    *ret_count = (uint32_t)list_count(l);
    *ret = ARENA_ARRAY(c->arena, struct name_list, *ret_count);
    for (uint32_t i = 0; i < *ret_count; i++) copy_object_name(c, list_item(l, (int)i), &(*ret)[i]);
}

static enum status copy_grant(struct copy *c, const GrantStmt *s, struct ast **ret)
{
    const char *object_name;
    *ret = NULL;
    enum object_kind object = copy__object_kind(s->objtype, &object_name);
    char routine = copy__routine_kind(s->objtype);
    if (!routine && (object == OBJECT_OTHER || object == OBJECT_ROW_TYPE)) {
        struct ast_unsupported *u = NODE_NEW(c, ast_unsupported, AST_UNSUPPORTED, -1);
        u->what = arena_printf(c->arena, "%s ON %s", s->is_grant ? "GRANT" : "REVOKE", object_name);
        *ret = &u->node;
        return OK;
    }
    struct ast_grant *n = NODE_NEW(c, ast_grant, AST_GRANT, -1);
    *ret = &n->node;
    n->is_grant = s->is_grant;
    n->on_all_in_schema = s->targtype == ACL_TARGET_ALL_IN_SCHEMA;
    n->object = object;
    n->grant_option = s->grant_option;
    n->cascade = s->behavior == DROP_CASCADE;
    if (s->grantor)
        return copy__at(c, s->grantor->location,
                        UNSUPPORTED("GRANTED BY is not supported"));
    n->routine_kind = routine;
    if (routine && !n->on_all_in_schema)
        TRY(copy__routines(c, s->objects, &n->routines, &n->object_count));
    else copy_object_names(c, s->objects, &n->objects, &n->object_count);
    copy_roles(c, s->grantees, &n->grantees);
    n->privileges.count = (uint32_t)list_count(s->privileges);
    n->privileges.items = ARENA_ARRAY(c->arena, const char *, n->privileges.count);
    for (uint32_t i = 0; i < n->privileges.count; i++) {
        const AccessPriv *p = (const AccessPriv *)list_item(s->privileges, (int)i);
        if (p->cols) return refuse(c, "GRANT on columns");
        n->privileges.items[i] = copy__string(c, p->priv_name);
    }
    return OK;
}

static enum status copy_grant_role(struct copy *c, const GrantRoleStmt *s, struct ast **ret)
{
    struct ast_grant_role *n = NODE_NEW(c, ast_grant_role, AST_GRANT_ROLE, -1);
    *ret = &n->node;
    if (s->grantor)
        return copy__at(c, s->grantor->location,
                        UNSUPPORTED("GRANTED BY is not supported"));
    n->is_grant = s->is_grant;
    n->admin_option = s->admin_opt;
    copy_roles(c, s->grantee_roles, &n->members);
    n->roles.count = (uint32_t)list_count(s->granted_roles);
    n->roles.items = ARENA_ARRAY(c->arena, const char *, n->roles.count);
    for (uint32_t i = 0; i < n->roles.count; i++)
        n->roles.items[i] =
            copy__string(c, ((const AccessPriv *)list_item(s->granted_roles, (int)i))->priv_name);
    return OK;
}

/* --- names, owners, drops, comments --------------------------------------------------------- */

/* A type is named by a list of words. */
static struct ast_range_var *type_name(struct copy *c, const Node *object)
{
    struct name_list names;
    struct ast_range_var *v = NODE_NEW(c, ast_range_var, AST_RANGE_VAR, -1);
    copy__names(c, (const List *)object, &names);
    v->name = names.items[names.count - 1];
    if (names.count > 1) v->schema = names.items[names.count - 2];
    return v;
}

static struct ast *copy_rename(struct copy *c, const RenameStmt *s)
{
    const char *name;
    enum object_kind object = copy__object_kind(s->renameType, &name);
    enum object_kind of = copy__object_kind(s->relationType, &name);
    if (s->renameType == OBJECT_TABCONSTRAINT) of = OBJECT_TABLE;
    bool part = object == OBJECT_COLUMN || object == OBJECT_CONSTRAINT;
    if (object == OBJECT_OTHER || (part && of == OBJECT_OTHER)) return NULL;
    struct ast_rename *n = NODE_NEW(c, ast_rename, AST_RENAME, -1);
    n->object = object;
    n->relation_object = part ? of : object;
    n->relation = object == OBJECT_ROW_TYPE ? type_name(c, s->object)
                                            : copy__range_var(c, s->relation);
    n->old_name = copy__string(c, s->subname);
    n->new_name = copy__string(c, s->newname);
    n->missing_ok = s->missing_ok;
    return &n->node;
}

/* A column, for all that it is; of a table's row type, too. */
static struct ast *copy_rename_attribute(struct copy *c, const RenameStmt *s)
{
    struct ast_rename *n = NODE_NEW(c, ast_rename, AST_RENAME, -1);
    n->object = OBJECT_COLUMN;
    n->relation_object = OBJECT_ROW_TYPE;
    n->relation = copy__range_var(c, s->relation);
    n->old_name = copy__string(c, s->subname);
    n->new_name = copy__string(c, s->newname);
    n->missing_ok = s->missing_ok;
    return &n->node;
}

static struct ast *alter_object_new(struct copy *c, enum ast_kind kind, ObjectType type,
                                    const RangeVar *relation, const Node *object)
{
    const char *name;
    enum object_kind ours = copy__object_kind(type, &name);
    bool row_type = ours == OBJECT_ROW_TYPE && object && nodeTag(object) == T_List;
    if (ours == OBJECT_OTHER || (object && nodeTag(object) != T_String && !row_type)) return NULL;
    struct ast_alter_object *n = NODE_NEW(c, ast_alter_object, kind, -1);
    n->object = ours;
    n->relation = row_type ? type_name(c, object) : copy__range_var(c, relation);
    if (object && !row_type) n->name = copy__string(c, node_name(object));
    return &n->node;
}

static struct ast *copy_alter_owner(struct copy *c, const AlterOwnerStmt *s)
{
    struct ast *n = alter_object_new(c, AST_ALTER_OWNER, s->objectType, s->relation, s->object);
    if (n) AST(n, ast_alter_object)->new_value = copy__role(c, s->newowner);
    return n;
}

static struct ast *copy_alter_schema(struct copy *c, const AlterObjectSchemaStmt *s)
{
    struct ast *n = alter_object_new(c, AST_ALTER_SCHEMA, s->objectType, s->relation, s->object);
    if (!n) return NULL;
    AST(n, ast_alter_object)->new_value = copy__string(c, s->newschema);
    AST(n, ast_alter_object)->missing_ok = s->missing_ok;
    return n;
}

static struct ast *copy_drop(struct copy *c, const DropStmt *s)
{
    const char *name;
    enum object_kind object = copy__object_kind(s->removeType, &name);
    if (object == OBJECT_OTHER) return NULL;
    struct ast_drop *n = NODE_NEW(c, ast_drop, AST_DROP, -1);
    n->object = object;
    n->cascade = s->behavior == DROP_CASCADE;
    n->if_exists = s->missing_ok;
    n->concurrently = s->concurrent;
    copy_object_names(c, s->objects, &n->names, &n->name_count);
    return &n->node;
}

static struct ast *copy_comment(struct copy *c, const CommentStmt *s)
{
    const char *name;
    enum object_kind object = copy__object_kind(s->objtype, &name);
    if (object == OBJECT_OTHER) return NULL;
    struct ast_comment *n = NODE_NEW(c, ast_comment, AST_COMMENT, -1);
    n->object = object;
    n->text = copy__string(c, s->comment);
    copy_object_name(c, s->object, &n->name);
    return &n->node;
}

static struct ast *copy_refresh(struct copy *c, const RefreshMatViewStmt *s)
{
    struct ast_refresh *n = NODE_NEW(c, ast_refresh, AST_REFRESH, -1);
    n->relation = copy__range_var(c, s->relation);
    n->concurrently = s->concurrent;
    n->with_no_data = s->skipData;
    return &n->node;
}

static enum status copy_truncate(struct copy *c, const TruncateStmt *s, struct ast **ret)
{
    struct ast_truncate *n = NODE_NEW(c, ast_truncate, AST_TRUNCATE, -1);
    *ret = &n->node;
    n->restart_identity = s->restart_seqs;
    n->cascade = s->behavior == DROP_CASCADE;
    return copy__list(c, s->relations, &n->tables);
}

enum status copy__ddl(struct copy *c, const Node *n, struct ast **ret)
{
    *ret = NULL;
    switch (nodeTag(n)) {
    case T_CreateStmt: return copy__create_table(c, (const CreateStmt *)n, ret);
    case T_CompositeTypeStmt: return copy__create_type(c, (const CompositeTypeStmt *)n, ret);
    case T_CreateTableAsStmt: return copy__create_table_as(c, (const CreateTableAsStmt *)n, ret);
    case T_AlterTableStmt: return copy__alter_table(c, (const AlterTableStmt *)n, ret);
    case T_IndexStmt: return copy_index(c, (const IndexStmt *)n, ret);
    case T_CreateSchemaStmt: return copy_create_schema(c, (const CreateSchemaStmt *)n, ret);
    case T_CreatedbStmt:
    case T_DropdbStmt: return copy_database(c, n, ret);
    case T_CreateSeqStmt: return copy_create_sequence(c, (const CreateSeqStmt *)n, ret);
    case T_AlterSeqStmt: return copy_alter_sequence(c, (const AlterSeqStmt *)n, ret);
    case T_ViewStmt: return copy_view(c, (const ViewStmt *)n, ret);
    case T_CreateRoleStmt: return copy_create_role(c, (const CreateRoleStmt *)n, ret);
    case T_AlterRoleStmt: return copy_alter_role(c, (const AlterRoleStmt *)n, ret);
    case T_DropRoleStmt: *ret = copy_drop_role(c, (const DropRoleStmt *)n); return OK;
    case T_GrantStmt: return copy_grant(c, (const GrantStmt *)n, ret);
    case T_GrantRoleStmt: return copy_grant_role(c, (const GrantRoleStmt *)n, ret);
    case T_RenameStmt:
        *ret = ((const RenameStmt *)n)->renameType == OBJECT_ATTRIBUTE
                   ? copy_rename_attribute(c, (const RenameStmt *)n)
                   : copy_rename(c, (const RenameStmt *)n);
        return OK;
    case T_AlterOwnerStmt: *ret = copy_alter_owner(c, (const AlterOwnerStmt *)n); return OK;
    case T_AlterObjectSchemaStmt:
        *ret = copy_alter_schema(c, (const AlterObjectSchemaStmt *)n);
        return OK;
    case T_DropStmt: *ret = copy_drop(c, (const DropStmt *)n); return OK;
    case T_RefreshMatViewStmt: *ret = copy_refresh(c, (const RefreshMatViewStmt *)n); return OK;
    case T_CommentStmt: *ret = copy_comment(c, (const CommentStmt *)n); return OK;
    case T_TruncateStmt: return copy_truncate(c, (const TruncateStmt *)n, ret);
    default: return OK;
    }
}
