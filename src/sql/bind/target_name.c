/* The name of an output column without AS: what the expression most looks like. A cast gives its
 * type's name when there is nothing better, CASE its own when its ELSE has none. */
#include "sql/bind/resolve_priv.h"

#include "base/fiber.h"

enum { NAMING_STACK_MIN = 64 << 10 };

/* How good a name is. */
enum strength { NAME_NONE, NAME_WEAK, NAME_STRONG };

static enum strength name_of(const struct ast *a, const char **ret);

static enum strength given(const char **ret, const char *name, enum strength s)
{
    *ret = name;
    return s;
}

static enum strength last_name(const struct name_list *names, const char **ret)
{
    return names->count ? given(ret, names->items[names->count - 1], NAME_STRONG) : NAME_NONE;
}

static enum strength indirection_name(const struct ast_indirection *x, const char **ret)
{
    for (uint32_t i = x->step_count; i-- > 0;)
        if (x->steps[i].field && strcmp(x->steps[i].field, "*") != 0)
            return given(ret, x->steps[i].field, NAME_STRONG);
    return name_of(x->arg, ret);
}

static enum strength cast_name(const struct ast_type_cast *c, const char **ret)
{
    enum strength s = name_of(c->arg, ret);
    if (s == NAME_STRONG || !c->type->names.count) return s;
    return given(ret, c->type->names.items[c->type->names.count - 1], NAME_WEAK);
}

static enum strength sublink_name(const struct ast_sublink *l, const char **ret)
{
    switch (l->type) {
    case SUBLINK_EXISTS: return given(ret, "exists", NAME_STRONG);
    case SUBLINK_ARRAY: return given(ret, "array", NAME_STRONG);
    case SUBLINK_SCALAR: break;
    default: return NAME_NONE;
    }
    const struct ast_select *select = AST(l->select, ast_select);
    while (l->select->kind == AST_SELECT && select->op != SETOP_NONE && select->left)
        select = select->left;
    if (l->select->kind != AST_SELECT || select->targets.count == 0) return NAME_NONE;
    const struct ast_target *t = AST(select->targets.items[0], ast_target);
    if (t->name) return given(ret, t->name, NAME_STRONG);
    /* What has no name of its own is called so by name: CASE does not lend it one. */
    if (!t->value) return NAME_NONE;
    return name_of(t->value, ret) == NAME_NONE ? given(ret, "?column?", NAME_STRONG) : NAME_STRONG;
}

static const char *sql_value_name(enum sql_value v)
{
    switch (v) {
    case SQL_CURRENT_DATE: return "current_date";
    case SQL_CURRENT_TIME: return "current_time";
    case SQL_CURRENT_TIMESTAMP: return "current_timestamp";
    case SQL_LOCALTIME: return "localtime";
    case SQL_LOCALTIMESTAMP: return "localtimestamp";
    case SQL_CURRENT_ROLE: return "current_role";
    case SQL_CURRENT_USER: return "current_user";
    case SQL_USER: return "user";
    case SQL_SESSION_USER: return "session_user";
    case SQL_CURRENT_CATALOG: return "current_catalog";
    case SQL_CURRENT_SCHEMA: return "current_schema";
    }
    return "?column?";
}

static enum strength case_name(const struct ast_case *c, const char **ret)
{
    enum strength s = c->otherwise ? name_of(c->otherwise, ret) : NAME_NONE;
    return s == NAME_STRONG ? s : given(ret, "case", NAME_WEAK);
}

static enum strength name_of(const struct ast *a, const char **ret)
{
    if (fiber_stack_left() < NAMING_STACK_MIN) return NAME_NONE;
    switch (a->kind) {
    case AST_COLUMN_REF: return last_name(&AST(a, ast_column_ref)->names, ret);
    case AST_INDIRECTION: return indirection_name(AST(a, ast_indirection), ret);
    case AST_FUNCTION: return last_name(&AST(a, ast_function)->name, ret);
    case AST_OPERATOR:
        if (AST(a, ast_operator)->form != OPER_NULLIF) return NAME_NONE;
        return given(ret, "nullif", NAME_STRONG);
    case AST_TYPE_CAST: return cast_name(AST(a, ast_type_cast), ret);
    case AST_COLLATE: return name_of(AST(a, ast_collate)->arg, ret);
    case AST_SUBLINK: return sublink_name(AST(a, ast_sublink), ret);
    case AST_CASE: return case_name(AST(a, ast_case), ret);
    case AST_ARRAY: return given(ret, "array", NAME_STRONG);
    case AST_ROW: return given(ret, "row", NAME_STRONG);
    case AST_COALESCE: return given(ret, "coalesce", NAME_STRONG);
    case AST_MIN_MAX:
        return given(ret, AST(a, ast_min_max)->least ? "least" : "greatest", NAME_STRONG);
    case AST_GROUPING_FUNC: return given(ret, "grouping", NAME_STRONG);
    case AST_SQL_VALUE:
        return given(ret, sql_value_name(AST(a, ast_sql_value)->value), NAME_STRONG);
    default: return NAME_NONE;
    }
}

const char *bind__target_name(const struct ast *ast)
{
    const char *name = NULL;
    return name_of(ast, &name) == NAME_NONE || !name ? "?column?" : name;
}

const char *bind_column_name(const struct ast *ast)
{
    return bind__target_name(ast);
}
