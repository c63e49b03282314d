/* Statements on data and on the session; copy_ddl.c has those on objects. */
#include "sql/parse/copy_priv.h"

#include <limits.h>

#include "sql/parse/copy_routine_priv.h"
#include "sql/parse/scan_priv.h"

_Static_assert((int)SETOP_EXCEPT == (int)PG_SETOP_EXCEPT, "SetOperation");
_Static_assert((int)TXN_ROLLBACK_PREPARED == (int)TRANS_STMT_ROLLBACK_PREPARED &&
                   (int)TXN_SAVEPOINT == (int)TRANS_STMT_SAVEPOINT,
               "transaction kinds stand in the order of TransactionStmtKind");
_Static_assert((int)SET_RESET_ALL == (int)VAR_RESET_ALL && (int)SET_MULTI == (int)VAR_SET_MULTI,
               "set kinds stand in the order of VariableSetKind");
_Static_assert((int)FETCH_RELATIVE == (int)PG_FETCH_RELATIVE, "FetchDirection");

static enum status copy_values(struct copy *c, const List *rows, struct ast_select *n)
{
    n->value_row_count = (uint32_t)list_count(rows);
    n->values = ARENA_ARRAY(c->arena, struct ast_list, n->value_row_count);
    for (uint32_t i = 0; i < n->value_row_count; i++)
        TRY(copy__list(c, (const List *)list_item(rows, (int)i), &n->values[i]));
    return OK;
}

/* Everything but the two sides of a set operation. */
static enum status copy_select_parts(struct copy *c, const SelectStmt *s, struct ast_select *n)
{
    TRY(copy__with(c, s->withClause, &n->with));
    n->distinct = s->distinctClause != NULL;
    if (n->distinct && list_item(s->distinctClause, 0))
        TRY(copy__list(c, s->distinctClause, &n->distinct_on));
    TRY(copy__list(c, s->targetList, &n->targets));
    TRY(copy__from(c, s->fromClause, &n->from));
    TRY(copy__node(c, s->whereClause, &n->where));
    TRY(copy__list(c, s->groupClause, &n->group_by));
    n->group_distinct = s->groupDistinct;
    TRY(copy__node(c, s->havingClause, &n->having));
    TRY(copy__list(c, s->windowClause, &n->windows));
    if (s->valuesLists) TRY(copy_values(c, s->valuesLists, n));
    TRY(copy__list(c, s->sortClause, &n->order_by));
    TRY(copy__node(c, s->limitCount, &n->limit));
    TRY(copy__node(c, s->limitOffset, &n->offset));
    n->limit_with_ties = (int)s->limitOption == LIBRARY_LIMIT_WITH_TIES;
    TRY(copy__list(c, s->lockingClause, &n->locking));
    if (s->intoClause) n->into = copy__range_var(c, s->intoClause->rel);
    n->op = (enum set_op)s->op;
    n->all = s->all;
    return OK;
}

/* Set operations grow to the left as operators do: followed by a loop (see copy_expr.c). */
enum status copy__select(struct copy *c, const SelectStmt *s, struct ast_select **ret)
{
    int depth = c->depth;
    for (;;) {
        struct ast_select *n = NODE_NEW(c, ast_select, AST_SELECT, -1);
        *ret = n;
        TRY(copy_select_parts(c, s, n));
        if (n->op == SETOP_NONE) break;
        TRY(copy__node(c, s->rarg, (struct ast **)&n->right));
        TRY(copy__descend(c));
        ret = &n->left;
        s = s->larg;
    }
    c->depth = depth;
    return OK;
}

static enum status copy_insert(struct copy *c, const InsertStmt *s, struct ast **ret)
{
    struct ast_insert *n = NODE_NEW(c, ast_insert, AST_INSERT, -1);
    *ret = &n->node;
    TRY(copy__with(c, s->withClause, &n->with));
    n->table = copy__range_var(c, s->relation);
    TRY(copy__list(c, s->cols, &n->columns));
    TRY(copy__node(c, s->selectStmt, (struct ast **)&n->select));
    TRY(copy__on_conflict(c, s->onConflictClause, &n->on_conflict));
    if (s->override == OVERRIDING_SYSTEM_VALUE) n->overriding = 's';
    if (s->override == OVERRIDING_USER_VALUE) n->overriding = 'u';
    return copy__list(c, s->returningList, &n->returning);
}

static enum status copy_update(struct copy *c, const UpdateStmt *s, struct ast **ret)
{
    struct ast_update *n = NODE_NEW(c, ast_update, AST_UPDATE, -1);
    *ret = &n->node;
    TRY(copy__with(c, s->withClause, &n->with));
    n->table = copy__range_var(c, s->relation);
    TRY(copy__list(c, s->targetList, &n->targets));
    TRY(copy__from(c, s->fromClause, &n->from));
    TRY(copy__node(c, s->whereClause, &n->where));
    return copy__list(c, s->returningList, &n->returning);
}

static enum status copy_delete(struct copy *c, const DeleteStmt *s, struct ast **ret)
{
    struct ast_delete *n = NODE_NEW(c, ast_delete, AST_DELETE, -1);
    *ret = &n->node;
    TRY(copy__with(c, s->withClause, &n->with));
    n->table = copy__range_var(c, s->relation);
    TRY(copy__from(c, s->usingClause, &n->using_from));
    TRY(copy__node(c, s->whereClause, &n->where));
    return copy__list(c, s->returningList, &n->returning);
}

static enum status copy_transaction(struct copy *c, const TransactionStmt *s, struct ast **ret)
{
    struct ast_transaction *n = NODE_NEW(c, ast_transaction, AST_TRANSACTION, -1);
    *ret = &n->node;
    n->type = (enum transaction_kind)s->kind;
    n->name = copy__string(c, s->savepoint_name ? s->savepoint_name : s->gid);
    n->chain = s->chain;
    return copy__list(c, s->options, &n->options);
}

static enum status copy_prepare(struct copy *c, const PrepareStmt *s, struct ast **ret)
{
    struct ast_prepare *n = NODE_NEW(c, ast_prepare, AST_PREPARE, -1);
    struct slice query;
    *ret = &n->node;
    n->name = copy__string(c, s->name);
    TRY(copy__list(c, s->argtypes, &n->types));
    if (scan__query(c->text, (uint32_t)c->start, (uint32_t)c->end, false, false, &query)) {
        n->query_start = (int)(query.data - c->text.data);
        n->query_len = (int)query.len;
    }
    return copy__node(c, s->query, &n->query);
}

static enum status copy_execute(struct copy *c, const ExecuteStmt *s, struct ast **ret)
{
    struct ast_execute *n = NODE_NEW(c, ast_execute, AST_EXECUTE, -1);
    *ret = &n->node;
    n->name = copy__string(c, s->name);
    return copy__list(c, s->params, &n->params);
}

static enum status copy_declare_cursor(struct copy *c, const DeclareCursorStmt *s, struct ast **ret)
{
    struct ast_declare_cursor *n = NODE_NEW(c, ast_declare_cursor, AST_DECLARE_CURSOR, -1);
    *ret = &n->node;
    n->name = copy__string(c, s->portalname);
    n->options = (uint32_t)s->options & (CURSOR_OPT_BINARY | CURSOR_OPT_SCROLL |
                                         CURSOR_OPT_NO_SCROLL | CURSOR_OPT_INSENSITIVE |
                                         CURSOR_OPT_ASENSITIVE | CURSOR_OPT_HOLD);
    return copy__node(c, s->query, &n->query);
}

static struct ast *copy_fetch(struct copy *c, const FetchStmt *s)
{
    struct ast_fetch *n = NODE_NEW(c, ast_fetch, AST_FETCH, -1);
    n->direction = (enum fetch_direction)s->direction;
    n->count = s->howMany == FETCH_ALL ? INT64_MAX : s->howMany;
    n->name = copy__string(c, s->portalname);
    n->move = s->ismove;
    return &n->node;
}

static enum status copy_copy(struct copy *c, const CopyStmt *s, struct ast **ret)
{
    struct ast_copy *n = NODE_NEW(c, ast_copy, AST_COPY, -1);
    *ret = &n->node;
    n->table = copy__range_var(c, s->relation);
    copy__names(c, s->attlist, &n->columns);
    n->from = s->is_from;
    n->program = s->is_program;
    n->filename = copy__string(c, s->filename);
    TRY(copy__node(c, s->query, &n->query));
    TRY(copy__list(c, s->options, &n->options));
    return copy__node(c, s->whereClause, &n->where);
}

static enum status copy_explain(struct copy *c, const ExplainStmt *s, struct ast **ret)
{
    struct ast_explain *n = NODE_NEW(c, ast_explain, AST_EXPLAIN, -1);
    *ret = &n->node;
    TRY(copy__list(c, s->options, &n->options));
    return copy__node(c, s->query, &n->query);
}

static enum status copy_set(struct copy *c, const VariableSetStmt *s, struct ast **ret)
{
    struct ast_set *n = NODE_NEW(c, ast_set, AST_SET, -1);
    *ret = &n->node;
    n->type = (enum set_kind)s->kind;
    n->name = copy__string(c, s->name);
    n->local = s->is_local;
    return copy__list(c, s->args, &n->args);
}

static enum status copy_set_constraints(struct copy *c, const ConstraintsSetStmt *s,
                                        struct ast **ret)
{
    struct ast_set_constraints *n = NODE_NEW(c, ast_set_constraints, AST_SET_CONSTRAINTS, -1);
    *ret = &n->node;
    n->deferred = s->deferred;
    return copy__list(c, s->constraints, &n->constraints);
}

static enum status copy_vacuum(struct copy *c, const VacuumStmt *s, struct ast **ret)
{
    struct ast_vacuum *n = NODE_NEW(c, ast_vacuum, AST_VACUUM, -1);
    *ret = &n->node;
    n->is_vacuum = s->is_vacuumcmd;
    TRY(copy__list(c, s->options, &n->options));
    n->tables.count = (uint32_t)list_count(s->rels);
    n->tables.items = ARENA_ARRAY(c->arena, struct ast *, n->tables.count);
    for (uint32_t i = 0; i < n->tables.count; i++) {
        const VacuumRelation *r = (const VacuumRelation *)list_item(s->rels, (int)i);
        struct ast_range_var *table = copy__range_var(c, r->relation);
        copy__names(c, r->va_cols, &table->alias.columns);
        n->tables.items[i] = &table->node;
    }
    return OK;
}

static enum status copy_reindex(struct copy *c, const ReindexStmt *s, struct ast **ret)
{
    static const enum reindex_kind kinds[] = {[REINDEX_OBJECT_INDEX] = REINDEX_INDEX,
                                              [REINDEX_OBJECT_TABLE] = REINDEX_TABLE,
                                              [REINDEX_OBJECT_SCHEMA] = REINDEX_SCHEMA,
                                              [REINDEX_OBJECT_SYSTEM] = REINDEX_SYSTEM,
                                              [REINDEX_OBJECT_DATABASE] = REINDEX_DATABASE};
    struct ast_reindex *n = NODE_NEW(c, ast_reindex, AST_REINDEX, -1);
    *ret = &n->node;
    n->kind = kinds[s->kind];
    if (s->relation) n->relation = copy__range_var(c, s->relation);
    n->name = copy__string(c, s->name);
    return copy__list(c, s->params, &n->options);
}

static enum status copy_lock(struct copy *c, const LockStmt *s, struct ast **ret)
{
    struct ast_lock *n = NODE_NEW(c, ast_lock, AST_LOCK, -1);
    *ret = &n->node;
    n->mode = s->mode;
    n->nowait = s->nowait;
    return copy__list(c, s->relations, &n->tables);
}

static struct ast *channel(struct copy *c, char kind, const char *name, const char *payload)
{
    struct ast_channel *n = NODE_NEW(c, ast_channel, AST_CHANNEL, -1);
    n->kind = kind;
    n->name = copy__string(c, name);
    n->payload = copy__string(c, payload);
    return &n->node;
}

/* The statements that hold no more than a name or a number. */
static struct ast *copy_plain(struct copy *c, const Node *n)
{
    switch (nodeTag(n)) {
    case T_DeallocateStmt: {
        struct ast_deallocate *d = NODE_NEW(c, ast_deallocate, AST_DEALLOCATE, -1);
        d->name = copy__string(c, ((const DeallocateStmt *)n)->name);
        return &d->node;
    }
    case T_ClosePortalStmt: {
        struct ast_close_cursor *x = NODE_NEW(c, ast_close_cursor, AST_CLOSE_CURSOR, -1);
        x->name = copy__string(c, ((const ClosePortalStmt *)n)->portalname);
        return &x->node;
    }
    case T_VariableShowStmt: {
        struct ast_show *s = NODE_NEW(c, ast_show, AST_SHOW, -1);
        s->name = copy__string(c, ((const VariableShowStmt *)n)->name);
        return &s->node;
    }
    case T_DiscardStmt: {
        struct ast_discard *d = NODE_NEW(c, ast_discard, AST_DISCARD, -1);
        d->target = (int)((const DiscardStmt *)n)->target;
        return &d->node;
    }
    case T_CheckPointStmt: return &NODE_NEW(c, ast_plain, AST_CHECKPOINT, -1)->node;
    case T_NotifyStmt:
        return channel(c, 'N', ((const NotifyStmt *)n)->conditionname, ((const NotifyStmt *)n)->payload);
    case T_ListenStmt: return channel(c, 'L', ((const ListenStmt *)n)->conditionname, NULL);
    case T_UnlistenStmt: return channel(c, 'U', ((const UnlistenStmt *)n)->conditionname, NULL);
    case T_FetchStmt: return copy_fetch(c, (const FetchStmt *)n);
    default: return NULL;
    }
}

enum status copy__statement(struct copy *c, const Node *n, struct ast **ret)
{
    switch (nodeTag(n)) {
    case T_SelectStmt:
        return copy__select(c, (const SelectStmt *)n, (struct ast_select **)ret);
    case T_InsertStmt: return copy_insert(c, (const InsertStmt *)n, ret);
    case T_UpdateStmt: return copy_update(c, (const UpdateStmt *)n, ret);
    case T_DeleteStmt: return copy_delete(c, (const DeleteStmt *)n, ret);
    case T_MergeStmt: return copy__merge(c, (const MergeStmt *)n, ret);
    case T_TransactionStmt: return copy_transaction(c, (const TransactionStmt *)n, ret);
    case T_PrepareStmt: return copy_prepare(c, (const PrepareStmt *)n, ret);
    case T_ExecuteStmt: return copy_execute(c, (const ExecuteStmt *)n, ret);
    case T_DeclareCursorStmt: return copy_declare_cursor(c, (const DeclareCursorStmt *)n, ret);
    case T_CopyStmt: return copy_copy(c, (const CopyStmt *)n, ret);
    case T_ExplainStmt: return copy_explain(c, (const ExplainStmt *)n, ret);
    case T_ConstraintsSetStmt:
        return copy_set_constraints(c, (const ConstraintsSetStmt *)n, ret);
    case T_VariableSetStmt: return copy_set(c, (const VariableSetStmt *)n, ret);
    case T_VacuumStmt: return copy_vacuum(c, (const VacuumStmt *)n, ret);
    case T_ReindexStmt: return copy_reindex(c, (const ReindexStmt *)n, ret);
    case T_LockStmt: return copy_lock(c, (const LockStmt *)n, ret);
    default: break;
    }
    *ret = copy_plain(c, n);
    if (!*ret) TRY(copy__routine(c, n, ret));
    if (!*ret) TRY(copy__ddl(c, n, ret));
    if (!*ret) *ret = copy__unsupported(c, n);
    return OK;
}
