/* Subqueries in expressions: EXISTS, scalar, ARRAY(…), IN and op ANY/ALL (…). The operators of the
 * last compare the tests with the subquery's columns; both sides are coerced beforehand to what the
 * operators take, the subquery's in its own select list (in both arms of a set operation). */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"

static uint32_t visible_count(const struct query *q)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->target_count; i++) n += !q->targets[i].junk;
    return n;
}

static enum status one_column(struct scope *s, const struct query *q, int location)
{
    if (visible_count(q) == 1) return OK;
    return bind__at(s, location, FAIL(SYNTAX_ERROR, "subquery must return only one column"));
}

/* The first n targets are the visible ones: junk comes last. */
static enum status coerce_column(struct scope *s, struct query *q, uint32_t i, type_id type)
{
    struct target *t = &q->targets[i];
    if (t->expr->type == type) return OK;
    if (q->set_op != SETOP_NONE) {
        TRY(coerce_column(s, q->left, i, type));
        TRY(coerce_column(s, q->right, i, type));
        struct expr *column = arena_memdup(s->env->arena, t->expr, sizeof *column);
        column->type = type;
        column->typmod = -1;
        t->expr = column;
        if (column->kind == EXPR_COLUMN && column->column.relation < q->relation_count) {
            struct relation *r = q->relations[column->column.relation];
            r->columns[column->column.column].type = type;
            r->columns[column->column.column].typmod = -1;
        }
        return OK;
    }
    t->origin_table = 0;
    t->origin_column = 0;
    return bind__coerce(s, t->expr, type, -1, CAST_IMPLICIT, -1, &t->expr);
}

/* --- ANY and ALL ------------------------------------------------------------------------------ */

static enum status bind_tests(struct scope *s, const struct ast *test, enum place place,
                              struct expr ***ret, uint32_t *ret_count)
{
    struct expr *e;
    TRY(bind__expression(s, test, place, &e));
    if (bind__is_row_syntax(e)) {
        *ret = e->args;
        *ret_count = e->arg_count;
        return OK;
    }
    *ret = ARENA_ARRAY(s->env->arena, struct expr *, 1);
    (*ret)[0] = e;
    *ret_count = 1;
    return OK;
}

/* Rows are compared by equality alone: = as a whole, <> in any column. */
static enum status check_row_operator(struct scope *s, const char *name, uint32_t n,
                                      enum sublink_kind kind, int location)
{
    bool all = kind == SUBLINK_ALL, row = kind == SUBLINK_ROW;
    if (n == 1 || strcmp(name, all ? "<>" : "=") == 0 || (row && strcmp(name, "<>") == 0))
        return OK;
    if (row)
        return bind__at(s, location,
                        FAIL(FEATURE_NOT_SUPPORTED, "rows cannot be compared with a subquery by %s",
                             name));
    return bind__at(s, location,
                    FAIL(FEATURE_NOT_SUPPORTED, "rows cannot be compared with a subquery by %s %s",
                         name, all ? "ALL" : "ANY"));
}

static enum status bind_operators(struct scope *s, struct expr *e, struct expr **tests,
                                  const char *name, int location)
{
    struct query *q = e->subquery.query;
    e->subquery.ops = ARENA_ARRAY(s->env->arena, const struct operator_def *, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct operator_def *op;
        type_id given[2] = {tests[i]->type, q->targets[i].expr->type};
        TRY(bind__find_operator(s, name, given[0], given[1], location, &op));
        if (op->result != TYPE_BOOL)
            return bind__at(s, location,
                            FAIL(DATATYPE_MISMATCH,
                                 "row comparison operator must yield type boolean, not type %s",
                                 bind__type_words(s, op->result)));
        type_id declared[2] = {op->left, op->right}, result = op->result;
        TRY(bind__at(s, location, bind__resolve_polymorphic(s, given, declared, 2, &result)));
        TRY(bind__coerce(s, tests[i], declared[0], -1, CAST_IMPLICIT, -1, &e->args[i]));
        TRY(coerce_column(s, q, i, declared[1]));
        e->subquery.ops[i] = op;
    }
    return OK;
}

static enum status test_columns(struct scope *s, enum sublink_kind kind, const char *name,
                                struct expr **tests, uint32_t n, struct query *q, int location,
                                struct expr **ret)
{
    if (n < visible_count(q))
        return bind__at(s, location, FAIL(SYNTAX_ERROR, "subquery has too many columns"));
    if (n > visible_count(q))
        return bind__at(s, location, FAIL(SYNTAX_ERROR, "subquery has too few columns"));
    TRY(check_row_operator(s, name, n, kind, location));
    struct expr *e = bind__new(s, EXPR_SUBQUERY, TYPE_BOOL, location, n);
    e->subquery.type = (uint8_t)kind;
    e->subquery.query = q;
    TRY(bind_operators(s, e, tests, name, location));
    *ret = e;
    return OK;
}

static enum status bind_any_all(struct scope *s, const struct ast_sublink *l, enum place place,
                                struct query *q, struct expr **ret)
{
    struct expr **tests;
    uint32_t n;
    const char *name = l->operator.count ? l->operator.items[l->operator.count - 1] : "=";
    TRY(bind_tests(s, l->test, place, &tests, &n));
    return test_columns(s, l->type, name, tests, n, q, l->node.location, ret);
}

/* --- all kinds -------------------------------------------------------------------------------- */

static enum status array_of(struct scope *s, type_id element, int location, type_id *ret)
{
    const struct type_info *t = type_get(element);
    *ret = type_is_array(element) ? element : t ? t->array : (type_id)TYPE_NONE;
    if (*ret != TYPE_NONE) return OK;
    return bind__at(s, location,
                    FAIL(UNDEFINED_OBJECT, "could not find array type for data type %s",
                         bind__type_words(s, element)));
}

static enum status bind_query(struct scope *s, const struct ast_sublink *l, enum place place,
                              struct query **ret)
{
    int location = l->node.location;
    TRY(bind__check_subquery(s, place, location));
    if (l->select->kind != AST_SELECT)
        return bind__at(s, location, FAIL(SYNTAX_ERROR, "a subquery must be a SELECT"));
    enum place saved = s->place;
    s->place = place;
    enum status result = bind__select(s->env, s, AST(l->select, ast_select), ret);
    s->place = saved;
    return result;
}

enum status bind__row_sublink(struct scope *s, const char *name, const struct expr *row,
                              const struct ast_sublink *l, enum place place, int location,
                              struct expr **ret)
{
    struct query *q;
    TRY(bind_query(s, l, place, &q));
    return test_columns(s, SUBLINK_ROW, name, row->args, row->arg_count, q, location, ret);
}

enum status bind__sublink(struct scope *s, const struct ast_sublink *l, enum place place,
                          struct expr **ret)
{
    struct query *q;
    int location = l->node.location;
    TRY(bind_query(s, l, place, &q));
    if (l->type == SUBLINK_ANY || l->type == SUBLINK_ALL)
        return bind_any_all(s, l, place, q, ret);
    struct expr *e = bind__new(s, EXPR_SUBQUERY, TYPE_BOOL, location, 0);
    e->subquery.type = (uint8_t)l->type;
    e->subquery.query = q;
    if (l->type != SUBLINK_EXISTS) {
        TRY(one_column(s, q, location));
        e->type = q->targets[0].expr->type;
        e->typmod = q->targets[0].expr->typmod;
    }
    if (l->type == SUBLINK_ARRAY) TRY(array_of(s, e->type, location, &e->type));
    *ret = e;
    return OK;
}
