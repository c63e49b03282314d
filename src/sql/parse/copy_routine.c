/* Statements on functions and triggers. */
#include "sql/parse/copy_routine_priv.h"

#include "sql/parse/scan_priv.h"

char copy__routine_kind(ObjectType t)
{
    switch (t) {
    case OBJECT_FUNCTION: return 'f';
    case OBJECT_PROCEDURE: return 'p';
    case OBJECT_ROUTINE: return 'r';
    default: return 0;
    }
}

static enum status copy_routine(struct copy *c, const Node *n, struct ast_routine *ret)
{
    const ObjectWithArgs *o = (const ObjectWithArgs *)n;
    copy__names(c, o->objname, &ret->name);
    ret->unspecified = o->args_unspecified;
    ret->type_count = (uint32_t)list_count(o->objargs);
    ret->types = ARENA_ARRAY(c->arena, struct ast_type_name *, ret->type_count);
    for (uint32_t i = 0; i < ret->type_count; i++)
        TRY(copy__type_name(c, (const TypeName *)list_item(o->objargs, (int)i), &ret->types[i]));
    return OK;
}

enum status copy__routines(struct copy *c, const List *l, struct ast_routine **ret,
                           uint32_t *ret_count)
{
    *ret_count = (uint32_t)list_count(l);
    *ret = ARENA_ARRAY(c->arena, struct ast_routine, *ret_count);
    for (uint32_t i = 0; i < *ret_count; i++)
        TRY(copy_routine(c, list_item(l, (int)i), &(*ret)[i]));
    return OK;
}

/* --- CREATE FUNCTION ------------------------------------------------------------------------ */

static enum status copy_parameters(struct copy *c, const List *l, struct ast_create_function *n)
{
    n->arg_count = (uint32_t)list_count(l);
    n->args = ARENA_ARRAY(c->arena, struct ast_function_arg, n->arg_count);
    for (uint32_t i = 0; i < n->arg_count; i++) {
        const FunctionParameter *p = (const FunctionParameter *)list_item(l, (int)i);
        n->args[i].name = copy__string(c, p->name);
        n->args[i].mode = (char)p->mode;
        TRY(copy__type_name(c, p->argType, &n->args[i].type));
        TRY(copy__node(c, p->defexpr, &n->args[i].initial));
    }
    return OK;
}

/* SET … of a function is a statement, SUPPORT a name: neither is an option's value. */
static enum status copy_options(struct copy *c, const List *l, struct ast_create_function *f,
                                struct ast_list *ret)
{
    uint32_t n = (uint32_t)list_count(l);
    ret->items = ARENA_ARRAY(c->arena, struct ast *, n);
    for (uint32_t i = 0; i < n; i++) {
        const DefElem *d = (const DefElem *)list_item(l, (int)i);
        if (strcmp(d->defname, "as") == 0 && f) {
            const List *as = (const List *)d->arg;
            f->body = copy__string(c, node_name(list_item(as, 0)));
            f->body_location = d->location;
            if (list_count(as) > 1) f->link = copy__string(c, node_name(list_item(as, 1)));
            continue;
        }
        if (strcmp(d->defname, "set") == 0 || strcmp(d->defname, "transform") == 0 ||
            strcmp(d->defname, "support") == 0)
            return copy__at(c, d->location,
                            UNSUPPORTED("%s of a function is not supported yet",
                                 strcmp(d->defname, "set") == 0         ? "SET"
                                 : strcmp(d->defname, "transform") == 0 ? "TRANSFORM"
                                                                        : "SUPPORT"));
        TRY(copy__def_elem(c, d, &ret->items[ret->count++]));
    }
    return OK;
}

/* Queries and changes, and the value that is returned. */
static bool may_be_in_body(const Node *n)
{
    switch (nodeTag(n)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
    case T_ReturnStmt: return true;
    default: return false;
    }
}

static enum status copy_sql_body(struct copy *c, const Node *body, struct ast_create_function *n)
{
    struct strbuf b;
    const List *list = nodeTag(body) == T_List ? (const List *)list_item((const List *)body, 0) : NULL;
    for (int i = 0; list && i < list_count(list); i++)
        if (!may_be_in_body((const Node *)list_item(list, i)))
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "this statement is not supported in unquoted SQL function body");
    if (n->body) return FAIL(INVALID_FUNCTION_DEFINITION, "duplicate function body specified");
    strbuf_init(&b, c->arena);
    if (!scan__sql_body(c->text, (uint32_t)c->start, (uint32_t)c->end, &b))
        return FAIL(INTERNAL_ERROR, "the body of a function was not found in its statement");
    n->body = b.data ? b.data : "";
    return OK;
}

static enum status copy_create_function(struct copy *c, const CreateFunctionStmt *s,
                                        struct ast **ret)
{
    struct ast_create_function *n = NODE_NEW(c, ast_create_function, AST_CREATE_FUNCTION, -1);
    *ret = &n->node;
    n->kind = s->is_procedure ? 'p' : 'f';
    n->replace = s->replace;
    n->sql_body = s->sql_body != NULL;
    n->body_location = -1;
    copy__names(c, s->funcname, &n->name);
    TRY(copy_parameters(c, s->parameters, n));
    TRY(copy__type_name(c, s->returnType, &n->result));
    TRY(copy_options(c, s->options, n, &n->options));
    return s->sql_body ? copy_sql_body(c, s->sql_body, n) : OK;
}

static enum status copy_alter_function(struct copy *c, const AlterFunctionStmt *s, struct ast **ret)
{
    struct ast_alter_function *n = NODE_NEW(c, ast_alter_function, AST_ALTER_FUNCTION, -1);
    *ret = &n->node;
    n->kind = copy__routine_kind(s->objtype);
    TRY(copy_routine(c, (const Node *)s->func, &n->routine));
    return copy_options(c, s->actions, NULL, &n->options);
}

/* --- CREATE TRIGGER ------------------------------------------------------------------------- */

static enum status copy_trigger(struct copy *c, const CreateTrigStmt *s, struct ast **ret)
{
    struct ast_create_trigger *n = NODE_NEW(c, ast_create_trigger, AST_CREATE_TRIGGER, -1);
    *ret = &n->node;
    n->replace = s->replace;
    n->constraint = s->isconstraint;
    n->row = s->row;
    n->name = copy__string(c, s->trigname);
    n->table = copy__range_var(c, s->relation);
    n->from = copy__range_var(c, s->constrrel);
    copy__names(c, s->funcname, &n->function);
    copy__names(c, s->args, &n->args);
    copy__names(c, s->columns, &n->columns);
    n->type = (uint8_t)(s->timing | s->events);
    n->deferrable = s->deferrable;
    n->initially_deferred = s->initdeferred;
    for (int i = 0; i < list_count(s->transitionRels); i++) {
        const TriggerTransition *t = (const TriggerTransition *)list_item(s->transitionRels, i);
        if (t->isNew) n->new_table = copy__string(c, t->name);
        else n->old_table = copy__string(c, t->name);
    }
    return copy__node(c, s->whenClause, &n->when);
}

/* --- names, drops, comments: TABLE's copiers come after, for all other kinds ------------------- */

/* The trigger's name is the last of its table's. */
static struct ast_range_var *table_of_trigger(struct copy *c, const List *names, const char **ret_name)
{
    struct name_list all;
    copy__names(c, names, &all);
    struct ast_range_var *v = NODE_NEW(c, ast_range_var, AST_RANGE_VAR, -1);
    *ret_name = all.items[all.count - 1];
    v->name = all.count > 1 ? all.items[all.count - 2] : "";
    v->schema = all.count > 2 ? all.items[all.count - 3] : NULL;
    v->persistence = 'p';
    return v;
}

static enum status copy_drop(struct copy *c, const DropStmt *s, struct ast **ret)
{
    if (s->removeType == OBJECT_TRIGGER) {
        struct ast_drop_trigger *t = NODE_NEW(c, ast_drop_trigger, AST_DROP_TRIGGER, -1);
        t->table = table_of_trigger(c, (const List *)list_item(s->objects, 0), &t->name);
        t->if_exists = s->missing_ok;
        t->cascade = s->behavior == DROP_CASCADE;
        *ret = &t->node;
        return OK;
    }
    if (!copy__routine_kind(s->removeType)) return OK;
    struct ast_drop_function *n = NODE_NEW(c, ast_drop_function, AST_DROP_FUNCTION, -1);
    *ret = &n->node;
    n->kind = copy__routine_kind(s->removeType);
    n->if_exists = s->missing_ok;
    n->cascade = s->behavior == DROP_CASCADE;
    return copy__routines(c, s->objects, &n->routines, &n->count);
}

static enum status name_function(struct copy *c, ObjectType type, const Node *object,
                                 enum naming what, const char *value, struct ast **ret)
{
    if (!copy__routine_kind(type)) return OK;
    struct ast_name_function *n = NODE_NEW(c, ast_name_function, AST_NAME_FUNCTION, -1);
    *ret = &n->node;
    n->kind = copy__routine_kind(type);
    n->what = what;
    n->value = value;
    return copy_routine(c, object, &n->routine);
}

static enum status copy_rename(struct copy *c, const RenameStmt *s, struct ast **ret)
{
    if (s->renameType != OBJECT_TRIGGER)
        return name_function(c, s->renameType, s->object, NAMING_RENAME,
                             copy__string(c, s->newname), ret);
    struct ast_name_trigger *n = NODE_NEW(c, ast_name_trigger, AST_NAME_TRIGGER, -1);
    n->what = NAMING_RENAME;
    n->table = copy__range_var(c, s->relation);
    n->name = copy__string(c, s->subname);
    n->value = copy__string(c, s->newname);
    *ret = &n->node;
    return OK;
}

static enum status copy_comment(struct copy *c, const CommentStmt *s, struct ast **ret)
{
    const char *text = copy__string(c, s->comment);
    if (s->objtype != OBJECT_TRIGGER)
        return name_function(c, s->objtype, s->object, NAMING_COMMENT, text, ret);
    struct ast_name_trigger *n = NODE_NEW(c, ast_name_trigger, AST_NAME_TRIGGER, -1);
    n->what = NAMING_COMMENT;
    n->table = table_of_trigger(c, (const List *)s->object, &n->name);
    n->value = text;
    *ret = &n->node;
    return OK;
}

/* --- CALL and DO ---------------------------------------------------------------------------- */

static enum status copy_call(struct copy *c, const CallStmt *s, struct ast **ret)
{
    struct ast_call *n = NODE_NEW(c, ast_call, AST_CALL, -1);
    *ret = &n->node;
    return copy__node(c, s->funccall, (struct ast **)&n->function);
}

static struct ast *copy_do(struct copy *c, const DoStmt *s)
{
    struct ast_do *n = NODE_NEW(c, ast_do, AST_DO, -1);
    for (int i = 0; i < list_count(s->args); i++) {
        const DefElem *d = (const DefElem *)list_item(s->args, i);
        const char *text = copy__string(c, node_name(d->arg));
        if (strcmp(d->defname, "as") == 0) n->body = text;
        else n->language = text;
    }
    return &n->node;
}

enum status copy__routine(struct copy *c, const Node *n, struct ast **ret)
{
    *ret = NULL;
    switch (nodeTag(n)) {
    case T_CreateFunctionStmt: return copy_create_function(c, (const CreateFunctionStmt *)n, ret);
    case T_AlterFunctionStmt: return copy_alter_function(c, (const AlterFunctionStmt *)n, ret);
    case T_CreateTrigStmt: return copy_trigger(c, (const CreateTrigStmt *)n, ret);
    case T_DropStmt: return copy_drop(c, (const DropStmt *)n, ret);
    case T_RenameStmt: return copy_rename(c, (const RenameStmt *)n, ret);
    case T_CommentStmt: return copy_comment(c, (const CommentStmt *)n, ret);
    case T_AlterOwnerStmt: {
        const AlterOwnerStmt *s = (const AlterOwnerStmt *)n;
        return name_function(c, s->objectType, s->object, NAMING_OWNER, copy__role(c, s->newowner),
                             ret);
    }
    case T_AlterObjectSchemaStmt: {
        const AlterObjectSchemaStmt *s = (const AlterObjectSchemaStmt *)n;
        return name_function(c, s->objectType, s->object, NAMING_SCHEMA,
                             copy__string(c, s->newschema), ret);
    }
    case T_CallStmt: return copy_call(c, (const CallStmt *)n, ret);
    case T_DoStmt: *ret = copy_do(c, (const DoStmt *)n); return OK;
    default: return OK;
    }
}
