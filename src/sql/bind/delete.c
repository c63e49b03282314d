/* DELETE. */
#include "sql/bind/view_target_priv.h"

enum status bind__delete(struct bind_env *env, const struct ast_delete *ast, struct scope *parent,
                         struct query **ret)
{
    struct scope s;
    uint32_t relation;
    bind__scope_init(&s, env, parent);
    struct query *q = bind__query_new(&s, CMD_DELETE);
    q->fills = ast->fills;
    TRY(bind__with(&s, &ast->with));
    TRY(bind__target_table(&s, ast->table, true, &relation));
    TRY(bind__from(&s, &ast->using_from));
    if (ast->where) TRY(bind__condition(&s, ast->where, PLACE_WHERE, "WHERE", &q->where));
    q->where = bind__with_view(&s, q->where);
    TRY(bind__returning(&s, &ast->returning));
    *ret = q;
    return bind__foreign_keys(&s);
}
