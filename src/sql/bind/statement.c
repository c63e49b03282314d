/* A whole statement. Parameters whose type nothing has told by its end are an error, as in
 * PostgreSQL; a bare `SELECT $1` has made its parameter text before. */
#include "sql/bind/query_priv.h"

static enum status check_params(const struct bind_env *env)
{
    for (uint32_t i = 0; env->params_variable && i < env->param_count; i++)
        if (env->param_types[i] == TYPE_NONE || env->param_types[i] == TYPE_UNKNOWN)
            return FAIL(INDETERMINATE_DATATYPE, "could not determine data type of parameter $%u",
                        i + 1);
    return OK;
}

enum status bind_statement(struct bind_env *env, const struct ast *ast, struct query **ret)
{
    struct query *q = NULL;
    switch (ast->kind) {
    case AST_SELECT: TRY(bind__select(env, NULL, AST(ast, ast_select), &q)); break;
    case AST_INSERT: TRY(bind__insert(env, AST(ast, ast_insert), NULL, &q)); break;
    case AST_UPDATE: TRY(bind__update(env, AST(ast, ast_update), NULL, &q)); break;
    case AST_DELETE: TRY(bind__delete(env, AST(ast, ast_delete), NULL, &q)); break;
    case AST_MERGE: TRY(bind__merge(env, AST(ast, ast_merge), &q)); break;
    default: return FAIL(INTERNAL_ERROR, "statement of kind %d has no query", (int)ast->kind);
    }
    TRY(check_params(env));
    q->rights = env->rights.data;
    q->right_count = (uint32_t)env->rights.count;
    *ret = q;
    return OK;
}
