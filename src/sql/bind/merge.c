/* MERGE. Its rows are those of a join: the source, with the rows of the target, relation 0, that the
 * condition finds for each. Actions for rows that found none see the source alone. */
#include "sql/bind/query_priv.h"

/* A row that an unconditional action takes never comes to a later one. */
static enum status check_reachable(const struct ast_merge *ast)
{
    bool ended[2] = {false, false};
    for (uint32_t i = 0; i < ast->whens.count; i++) {
        const struct ast_merge_when *w = AST(ast->whens.items[i], ast_merge_when);
        if (ended[w->matched])
            return FAIL(SYNTAX_ERROR,
                        "unreachable WHEN clause specified after unconditional WHEN clause");
        ended[w->matched] = w->condition == NULL;
    }
    return OK;
}

static enum status check_name(const struct scope *s, size_t first)
{
    const char *target = s->query->relations[0]->alias;
    for (size_t i = first; i < s->names.count; i++) {
        const struct relation *r = s->query->relations[s->names.data[i].relation];
        if (!s->names.data[i].name_visible || strcmp(r->alias, target) != 0) continue;
        (void)FAIL(DUPLICATE_ALIAS, "name \"%s\" specified more than once", target);
        return error_detail("The name is used both as MERGE target table and data source.");
    }
    return OK;
}

/* The source, joined to the target. */
static enum status bind_join(struct scope *s, const struct ast_merge *ast)
{
    struct arena *a = s->env->arena;
    struct query *q = s->query;
    struct from_item *join = ARENA_NEW(a, struct from_item), *target = ARENA_NEW(a, struct from_item);
    size_t first = s->names.count;
    bool all_matched = true;
    for (uint32_t i = 0; i < ast->whens.count; i++)
        all_matched &= AST(ast->whens.items[i], ast_merge_when)->matched;
    TRY(bind__from_item(s, ast->source, &join->left));
    TRY(check_name(s, first));
    for (size_t i = 0; i < s->names.count; i++) {
        s->names.data[i].lateral_only = false;
        s->names.data[i].lateral_ok = true;
    }
    target->kind = FROM_RELATION;
    target->relation = 0;
    join->kind = FROM_JOIN;
    join->relation = UINT32_MAX;
    join->join = all_matched ? JOIN_INNER : JOIN_LEFT;
    join->right = target;
    TRY(bind__condition(s, ast->condition, PLACE_ON, "JOIN/ON", &join->condition));
    q->from = ARENA_ARRAY(a, struct from_item *, 1);
    q->from[0] = join;
    q->from_count = 1;
    return OK;
}

static enum status bind_action(struct scope *s, const struct ast_merge_when *w,
                               struct merge_action *ret)
{
    struct query *q = s->query;
    struct name_item *target = &s->names.data[0];
    target->columns_visible = target->name_visible = w->matched;
    ret->matched = w->matched;
    ret->action = w->action;
    bind__writes(s, w->action == 'i'   ? RIGHT_INSERT
                    : w->action == 'u' ? RIGHT_UPDATE
                    : w->action == 'd' ? RIGHT_DELETE
                                       : 0);
    if (w->condition) TRY(bind__condition(s, w->condition, PLACE_MERGE_WHEN, "WHEN", &ret->when));
    if (w->action == 'i') return bind__merge_insert(s, w, ret);
    if (w->action != 'u') return OK;
    q->assignment_count = 0;
    TRY(bind__assignments(s, &w->targets));
    TRY(bind__check_assignments(s, &w->targets));
    ret->assignments = q->assignments;
    ret->assignment_count = q->assignment_count;
    q->assignments = NULL;
    q->assignment_count = 0;
    return OK;
}

enum status bind__merge(struct bind_env *env, const struct ast_merge *ast, struct query **ret)
{
    struct scope s;
    uint32_t relation;
    bind__scope_init(&s, env, NULL);
    struct query *q = bind__query_new(&s, CMD_MERGE);
    if (ast->with.recursive)
        return FAIL(SYNTAX_ERROR, "WITH RECURSIVE is not supported for MERGE statement");
    TRY(bind__with(&s, &ast->with));
    TRY(check_reachable(ast));
    TRY(bind__target_table(&s, ast->table, true, &relation));
    TRY(bind_join(&s, ast));
    q->merge = ARENA_ARRAY(env->arena, struct merge_action, ast->whens.count + 1);
    q->merge_count = ast->whens.count;
    for (uint32_t i = 0; i < q->merge_count; i++)
        TRY(bind_action(&s, AST(ast->whens.items[i], ast_merge_when), &q->merge[i]));
    s.names.data[0].columns_visible = s.names.data[0].name_visible = true;
    TRY(bind__table_rules(&s, q->table, true));
    *ret = q;
    return bind__foreign_keys(&s);
}
