/* Expressions, and the dispatch for everything that may stand where one does.
 *
 * Depth. A tree may be as deep as its text is long, the stack may not. Every level is counted and the
 * stack is asked (copy__descend), so that a deep tree ends in STATEMENT_TOO_COMPLEX. Chains that
 * people do write at length grow to the left (1 + 1 + 1 …): they are followed by a loop, without stack,
 * and are bounded by AST_DEPTH_MAX alone. AND and OR arrive flat from the grammar. */
#include "sql/parse/copy_priv.h"

#include "base/fiber.h"
#include "sql/parse/parse.h"

_Static_assert((int)OPER_NOT_BETWEEN_SYM == (int)AEXPR_NOT_BETWEEN_SYM &&
                   (int)OPER_NULLIF == (int)AEXPR_NULLIF && (int)OPER_SIMILAR == (int)AEXPR_SIMILAR,
               "operator forms stand in the order of A_Expr_Kind");
_Static_assert((int)IS_NOT_UNKNOWN == (int)PG_IS_NOT_UNKNOWN && (int)IS_FALSE == (int)PG_IS_FALSE,
               "boolean tests stand in the order of BoolTestType");
_Static_assert((int)GROUPING_EMPTY == (int)GROUPING_SET_EMPTY &&
                   (int)GROUPING_SETS == (int)GROUPING_SET_SETS,
               "grouping sets stand in the order of GroupingSetKind");
_Static_assert((int)BOOL_AND == (int)AND_EXPR && (int)BOOL_NOT == (int)NOT_EXPR, "BoolExprType");

enum status copy__descend(struct copy *c)
{
    if (++c->depth > AST_DEPTH_MAX ||
        ((c->depth & 7) == 0 && fiber_stack_left() < COPY_STACK_BYTES_MIN)) {
        enum status s = FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        error_hint("The statement is nested too deeply; at most %d levels are possible.",
                   AST_DEPTH_MAX);
        return s;
    }
    return OK;
}

enum status copy__list(struct copy *c, const List *l, struct ast_list *ret)
{
    int n = list_count(l);
    if (n == 0) return OK;
    struct ast **items = arena_alloc(c->arena, sizeof *items * (size_t)n);
    for (int i = 0; i < n; i++) {
        items[i] = NULL;
        TRY(copy__node(c, list_item(l, i), &items[i]));
    }
    ret->items = items;
    ret->count = (uint32_t)n;
    return OK;
}

static enum status copy_const(struct copy *c, const A_Const *k, struct ast **ret)
{
    if (k->isnull) {
        *ret = &NODE_NEW(c, ast_const, AST_CONST, k->location)->node;
        AST(*ret, ast_const)->type = CONST_NULL;
    } else {
        *ret = copy__value(c, &k->val.node, k->location);
    }
    return OK;
}

static enum status copy_param(struct copy *c, const ParamRef *p, struct ast **ret)
{
    if (p->number <= 0 || p->number > PARAM_NUMBER_MAX)
        return copy__at(c, p->location,
                        FAIL(UNDEFINED_PARAMETER, "there is no parameter $%d", p->number));
    struct ast_param *n = NODE_NEW(c, ast_param, AST_PARAM, p->location);
    n->number = p->number;
    if (p->number > c->param_count) c->param_count = p->number;
    *ret = &n->node;
    return OK;
}

static void copy_column_ref(struct copy *c, const ColumnRef *r, struct ast **ret)
{
    struct ast_column_ref *n = NODE_NEW(c, ast_column_ref, AST_COLUMN_REF, r->location);
    int count = list_count(r->fields);
    if (nodeTag(list_item(r->fields, count - 1)) == T_A_Star) {
        n->star = true;
        count--;
    }
    n->names.count = (uint32_t)count;
    n->names.items = arena_alloc(c->arena, sizeof(char *) * (size_t)count);
    for (int i = 0; i < count; i++)
        n->names.items[i] = copy__string(c, node_name(list_item(r->fields, i)));
    *ret = &n->node;
}

static enum status copy_operator(struct copy *c, const A_Expr *e, struct ast **ret)
{
    int depth = c->depth;
    for (;;) {
        struct ast_operator *n = NODE_NEW(c, ast_operator, AST_OPERATOR, e->location);
        *ret = &n->node;
        n->form = (enum operator_form)e->kind;
        copy__names(c, e->name, &n->name);
        TRY(copy__node(c, e->rexpr, &n->right));
        ret = &n->left;
        if (!e->lexpr || nodeTag(e->lexpr) != T_A_Expr) break;
        TRY(copy__descend(c));
        e = (const A_Expr *)e->lexpr;
    }
    TRY(copy__node(c, e->lexpr, ret));
    c->depth = depth;
    return OK;
}

static enum status copy_bool(struct copy *c, const BoolExpr *b, struct ast **ret)
{
    struct ast_bool *n = NODE_NEW(c, ast_bool, AST_BOOL, b->location);
    n->op = (enum bool_op)b->boolop;
    *ret = &n->node;
    return copy__list(c, b->args, &n->args);
}

static enum status copy_null_test(struct copy *c, const NullTest *t, struct ast **ret)
{
    struct ast_null_test *n = NODE_NEW(c, ast_null_test, AST_NULL_TEST, t->location);
    n->is_not = t->nulltesttype == IS_NOT_NULL;
    *ret = &n->node;
    return copy__node(c, t->arg, &n->arg);
}

static enum status copy_boolean_test(struct copy *c, const BooleanTest *t, struct ast **ret)
{
    struct ast_boolean_test *n = NODE_NEW(c, ast_boolean_test, AST_BOOLEAN_TEST, t->location);
    n->test = (enum boolean_test)t->booltesttype;
    *ret = &n->node;
    return copy__node(c, t->arg, &n->arg);
}

static enum status copy_case(struct copy *c, const CaseExpr *e, struct ast **ret)
{
    struct ast_case *n = NODE_NEW(c, ast_case, AST_CASE, e->location);
    *ret = &n->node;
    n->when_count = (uint32_t)list_count(e->args);
    n->whens = ARENA_ARRAY(c->arena, struct ast_when, n->when_count);
    TRY(copy__node(c, e->arg, &n->arg));
    for (uint32_t i = 0; i < n->when_count; i++) {
        const CaseWhen *w = (const CaseWhen *)list_item(e->args, (int)i);
        n->whens[i].location = w->location;
        TRY(copy__node(c, w->expr, &n->whens[i].condition));
        TRY(copy__node(c, w->result, &n->whens[i].result));
    }
    return copy__node(c, e->defresult, &n->otherwise);
}

static enum status copy_arguments(struct copy *c, const List *args, struct ast_function *n)
{
    int count = list_count(args);
    if (count == 0) return OK;
    n->args.items = ARENA_ARRAY(c->arena, struct ast *, count);
    n->args.count = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        const Node *arg = list_item(args, i);
        if (nodeTag(arg) == T_NamedArgExpr) {
            const NamedArgExpr *named = (const NamedArgExpr *)arg;
            if (!n->arg_names) n->arg_names = ARENA_ARRAY(c->arena, const char *, count);
            n->arg_names[i] = copy__string(c, named->name);
            arg = (const Node *)named->arg;
        }
        TRY(copy__node(c, arg, &n->args.items[i]));
    }
    return OK;
}

static enum status copy_function(struct copy *c, const FuncCall *f, struct ast **ret)
{
    struct ast_function *n = NODE_NEW(c, ast_function, AST_FUNCTION, f->location);
    *ret = &n->node;
    copy__names(c, f->funcname, &n->name);
    n->within_group = f->agg_within_group;
    n->star = f->agg_star;
    n->distinct = f->agg_distinct;
    n->variadic = f->func_variadic;
    n->sql_syntax = f->funcformat == COERCE_SQL_SYNTAX;
    TRY(copy_arguments(c, f->args, n));
    TRY(copy__list(c, f->agg_order, &n->order_by));
    TRY(copy__node(c, f->agg_filter, &n->filter));
    return copy__window(c, f->over, &n->over);
}

static enum status copy_type_cast(struct copy *c, const TypeCast *t, struct ast **ret)
{
    struct ast_type_cast *n = NODE_NEW(c, ast_type_cast, AST_TYPE_CAST, t->location);
    *ret = &n->node;
    TRY(copy__type_name(c, t->typeName, &n->type));
    return copy__node(c, t->arg, &n->arg);
}

static enum status copy_collate(struct copy *c, const CollateClause *k, struct ast **ret)
{
    struct ast_collate *n = NODE_NEW(c, ast_collate, AST_COLLATE, k->location);
    *ret = &n->node;
    copy__names(c, k->collname, &n->name);
    return copy__node(c, k->arg, &n->arg);
}

static enum status copy_sublink(struct copy *c, const SubLink *s, struct ast **ret)
{
    struct ast_sublink *n = NODE_NEW(c, ast_sublink, AST_SUBLINK, s->location);
    *ret = &n->node;
    switch (s->subLinkType) {
    case EXISTS_SUBLINK: n->type = SUBLINK_EXISTS; break;
    case ALL_SUBLINK: n->type = SUBLINK_ALL; break;
    case ANY_SUBLINK: n->type = SUBLINK_ANY; break;
    case EXPR_SUBLINK: n->type = SUBLINK_SCALAR; break;
    case ARRAY_SUBLINK: n->type = SUBLINK_ARRAY; break;
    default: UNREACHABLE();
    }
    copy__names(c, s->operName, &n->operator);
    TRY(copy__node(c, s->testexpr, &n->test));
    return copy__node(c, s->subselect, &n->select);
}

static enum status copy_row(struct copy *c, const RowExpr *r, struct ast **ret)
{
    struct ast_row *n = NODE_NEW(c, ast_row, AST_ROW, r->location);
    n->explicit_row = r->row_format == COERCE_EXPLICIT_CALL;
    *ret = &n->node;
    return copy__list(c, r->args, &n->args);
}

enum status copy__steps(struct copy *c, const List *l, struct ast_subscript **ret,
                        uint32_t *ret_count)
{
    int count = list_count(l);
    if (count == 0) return OK;
    struct ast_subscript *steps = ARENA_ARRAY(c->arena, struct ast_subscript, count);
    for (int i = 0; i < count; i++) {
        const Node *n = list_item(l, i);
        if (nodeTag(n) == T_String) {
            steps[i].field = copy__string(c, node_name(n));
        } else if (nodeTag(n) == T_A_Star) {
            steps[i].field = "*";
        } else {
            const A_Indices *x = (const A_Indices *)n;
            steps[i].slice = x->is_slice;
            TRY(copy__node(c, x->lidx, &steps[i].lower));
            TRY(copy__node(c, x->uidx, &steps[i].upper));
        }
    }
    *ret = steps;
    *ret_count = (uint32_t)count;
    return OK;
}

static enum status copy_indirection(struct copy *c, const A_Indirection *x, struct ast **ret)
{
    struct ast_indirection *n = NODE_NEW(c, ast_indirection, AST_INDIRECTION, -1);
    *ret = &n->node;
    TRY(copy__node(c, x->arg, &n->arg));
    n->node.location = n->arg->location;
    return copy__steps(c, x->indirection, &n->steps, &n->step_count);
}

static void copy_sql_value(struct copy *c, const SQLValueFunction *f, struct ast **ret)
{
    static const enum sql_value values[] = {
        [SVFOP_CURRENT_DATE] = SQL_CURRENT_DATE,
        [SVFOP_CURRENT_TIME] = SQL_CURRENT_TIME,
        [SVFOP_CURRENT_TIME_N] = SQL_CURRENT_TIME,
        [SVFOP_CURRENT_TIMESTAMP] = SQL_CURRENT_TIMESTAMP,
        [SVFOP_CURRENT_TIMESTAMP_N] = SQL_CURRENT_TIMESTAMP,
        [SVFOP_LOCALTIME] = SQL_LOCALTIME,
        [SVFOP_LOCALTIME_N] = SQL_LOCALTIME,
        [SVFOP_LOCALTIMESTAMP] = SQL_LOCALTIMESTAMP,
        [SVFOP_LOCALTIMESTAMP_N] = SQL_LOCALTIMESTAMP,
        [SVFOP_CURRENT_ROLE] = SQL_CURRENT_ROLE,
        [SVFOP_CURRENT_USER] = SQL_CURRENT_USER,
        [SVFOP_USER] = SQL_USER,
        [SVFOP_SESSION_USER] = SQL_SESSION_USER,
        [SVFOP_CURRENT_CATALOG] = SQL_CURRENT_CATALOG,
        [SVFOP_CURRENT_SCHEMA] = SQL_CURRENT_SCHEMA,
    };
    struct ast_sql_value *n = NODE_NEW(c, ast_sql_value, AST_SQL_VALUE, f->location);
    n->value = values[f->op];
    n->typmod = f->typmod;
    *ret = &n->node;
}

static enum status copy_coalesce(struct copy *c, const CoalesceExpr *e, struct ast **ret)
{
    struct ast_coalesce *n = NODE_NEW(c, ast_coalesce, AST_COALESCE, e->location);
    *ret = &n->node;
    return copy__list(c, e->args, &n->args);
}

static enum status copy_min_max(struct copy *c, const MinMaxExpr *e, struct ast **ret)
{
    struct ast_min_max *n = NODE_NEW(c, ast_min_max, AST_MIN_MAX, e->location);
    *ret = &n->node;
    n->least = e->op == IS_LEAST;
    return copy__list(c, e->args, &n->args);
}

static enum status copy_array(struct copy *c, const A_ArrayExpr *e, struct ast **ret)
{
    struct ast_array *n = NODE_NEW(c, ast_array, AST_ARRAY, e->location);
    *ret = &n->node;
    return copy__list(c, e->elements, &n->elements);
}

static enum status copy_grouping_set(struct copy *c, const GroupingSet *g, struct ast **ret)
{
    struct ast_grouping_set *n = NODE_NEW(c, ast_grouping_set, AST_GROUPING_SET, g->location);
    n->type = (enum grouping_set)g->kind;
    *ret = &n->node;
    return copy__list(c, g->content, &n->items);
}

static enum status copy_grouping_func(struct copy *c, const GroupingFunc *g, struct ast **ret)
{
    struct ast_grouping_func *n = NODE_NEW(c, ast_grouping_func, AST_GROUPING_FUNC, g->location);
    *ret = &n->node;
    return copy__list(c, g->args, &n->args);
}

static enum status copy_nested_list(struct copy *c, const List *l, struct ast **ret)
{
    struct ast_list_node *n = NODE_NEW(c, ast_list_node, AST_LIST, -1);
    *ret = &n->node;
    return copy__list(c, l, &n->items);
}

static enum status refuse(const struct copy *c, int location, const char *what)
{
    return copy__at(c, location, UNSUPPORTED("%s is not supported", what));
}

static enum status copy_rare(struct copy *c, const Node *n, struct ast **ret)
{
    switch (nodeTag(n)) {
    case T_String:
    case T_Integer:
    case T_Float:
    case T_Boolean:
    case T_BitString: *ret = copy__value(c, n, -1); return OK;
    case T_A_Star: *ret = &NODE_NEW(c, ast_plain, AST_STAR, -1)->node; return OK;
    case T_RoleSpec:
        *ret = copy__text(c, copy__role(c, (const RoleSpec *)n), ((const RoleSpec *)n)->location);
        return OK;
    case T_SetToDefault:
        *ret = &NODE_NEW(c, ast_plain, AST_SET_TO_DEFAULT, ((const SetToDefault *)n)->location)->node;
        return OK;
    case T_SortBy: return copy__sort_by(c, (const SortBy *)n, ret);
    case T_TypeName: return copy__type_name(c, (const TypeName *)n, (struct ast_type_name **)ret);
    case T_WindowDef: return copy__window(c, (const WindowDef *)n, (struct ast_window **)ret);
    case T_ColumnDef: return copy__column_def(c, (const ColumnDef *)n, (struct ast_column_def **)ret);
    case T_DefElem: return copy__def_elem(c, (const DefElem *)n, ret);
    case T_IndexElem: return copy__index_elem(c, (const IndexElem *)n, ret);
    case T_LockingClause: *ret = copy__locking(c, (const LockingClause *)n); return OK;
    case T_GroupingSet: return copy_grouping_set(c, (const GroupingSet *)n, ret);
    case T_GroupingFunc: return copy_grouping_func(c, (const GroupingFunc *)n, ret);
    case T_CurrentOfExpr: return refuse(c, -1, "WHERE CURRENT OF");
    case T_XmlExpr: return refuse(c, ((const XmlExpr *)n)->location, "XML");
    case T_XmlSerialize: return refuse(c, ((const XmlSerialize *)n)->location, "XMLSERIALIZE");
    case T_MultiAssignRef: return refuse(c, -1, "assigning a row to these targets");
    case T_RangeVar: *ret = copy__table(c, (const RangeVar *)n); return OK;
    case T_RangeSubselect:
    case T_RangeFunction:
    case T_RangeTableFunc:
    case T_RangeTableSample:
    case T_JoinExpr: return copy__from_item(c, n, ret);
    default: return copy__statement(c, n, ret);
    }
}

static enum status copy_inner(struct copy *c, const Node *n, struct ast **ret)
{
    switch (nodeTag(n)) {
    case T_A_Expr: return copy_operator(c, (const A_Expr *)n, ret);
    case T_BoolExpr: return copy_bool(c, (const BoolExpr *)n, ret);
    case T_FuncCall: return copy_function(c, (const FuncCall *)n, ret);
    case T_TypeCast: return copy_type_cast(c, (const TypeCast *)n, ret);
    case T_ResTarget: return copy__target(c, (const ResTarget *)n, ret);
    case T_List: return copy_nested_list(c, (const List *)n, ret);
    case T_NullTest: return copy_null_test(c, (const NullTest *)n, ret);
    case T_BooleanTest: return copy_boolean_test(c, (const BooleanTest *)n, ret);
    case T_CaseExpr: return copy_case(c, (const CaseExpr *)n, ret);
    case T_CoalesceExpr: return copy_coalesce(c, (const CoalesceExpr *)n, ret);
    case T_MinMaxExpr: return copy_min_max(c, (const MinMaxExpr *)n, ret);
    case T_SubLink: return copy_sublink(c, (const SubLink *)n, ret);
    case T_RowExpr: return copy_row(c, (const RowExpr *)n, ret);
    case T_A_ArrayExpr: return copy_array(c, (const A_ArrayExpr *)n, ret);
    case T_A_Indirection: return copy_indirection(c, (const A_Indirection *)n, ret);
    case T_CollateClause: return copy_collate(c, (const CollateClause *)n, ret);
    case T_SelectStmt:
        return copy__select(c, (const SelectStmt *)n, (struct ast_select **)ret);
    default: return copy_rare(c, n, ret);
    }
}

enum status copy__node(struct copy *c, const void *node, struct ast **ret)
{
    const Node *n = node;
    *ret = NULL;
    if (!n) return OK;
    switch (nodeTag(n)) {
    case T_A_Const: return copy_const(c, (const A_Const *)n, ret);
    case T_ColumnRef: copy_column_ref(c, (const ColumnRef *)n, ret); return OK;
    case T_ParamRef: return copy_param(c, (const ParamRef *)n, ret);
    case T_SQLValueFunction: copy_sql_value(c, (const SQLValueFunction *)n, ret); return OK;
    default: break;
    }
    TRY(copy__descend(c));
    TRY(copy_inner(c, n, ret));
    c->depth--;
    return OK;
}
