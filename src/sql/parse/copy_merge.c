/* MERGE. */
#include "sql/parse/copy_priv.h"

static enum status copy_when(struct copy *c, const MergeWhenClause *w, struct ast **ret)
{
    struct ast_merge_when *n = NODE_NEW(c, ast_merge_when, AST_MERGE_WHEN, -1);
    *ret = &n->node;
    n->matched = w->matched;
    switch ((int)w->commandType) {
    case CMD_INSERT: n->action = 'i'; break;
    case CMD_UPDATE: n->action = 'u'; break;
    case CMD_DELETE: n->action = 'd'; break;
    default: n->action = 'n'; break;
    }
    if (w->override == OVERRIDING_SYSTEM_VALUE) n->overriding = 's';
    if (w->override == OVERRIDING_USER_VALUE) n->overriding = 'u';
    TRY(copy__node(c, w->condition, &n->condition));
    TRY(copy__list(c, w->targetList, &n->targets));
    return copy__list(c, w->values, &n->values);
}

enum status copy__merge(struct copy *c, const MergeStmt *s, struct ast **ret)
{
    struct ast_merge *n = NODE_NEW(c, ast_merge, AST_MERGE, -1);
    const List *whens = s->mergeWhenClauses;
    *ret = &n->node;
    TRY(copy__with(c, s->withClause, &n->with));
    n->table = copy__range_var(c, s->relation);
    c->in_from = true;
    enum status st = copy__node(c, s->sourceRelation, &n->source);
    c->in_from = false;
    TRY(st);
    TRY(copy__node(c, s->joinCondition, &n->condition));
    n->whens.count = (uint32_t)list_count(whens);
    n->whens.items = ARENA_ARRAY(c->arena, struct ast *, n->whens.count);
    for (uint32_t i = 0; i < n->whens.count; i++)
        TRY(copy_when(c, (const MergeWhenClause *)list_item(whens, (int)i), &n->whens.items[i]));
    return OK;
}
