/* Evaluation of one row. Used where a batch would hold one: point plans, defaults, checks, new
 * rows, correlated subqueries. No allocation but what functions do themselves. */
#include "exec/eval.h"

#include "exec/eval_priv.h"

enum { ARGS_ON_STACK = 8 };

static enum status row_bool(struct execution *x, const struct expr *e, const struct datum *slots,
                            struct arena *a, struct datum *ret)
{
    if (e->bool_op == BOOL_NOT) {
        TRY(exec_eval_row(x, e->args[0], slots, a, ret));
        if (!ret->null) ret->v.b = !ret->v.b;
        return OK;
    }
    bool decides = e->bool_op == BOOL_OR; /* the value that ends it */
    bool any_null = false;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        struct datum d;
        TRY(exec_eval_row(x, e->args[i], slots, a, &d));
        if (d.null)
            any_null = true;
        else if (d.v.b == decides) {
            *ret = eval__bool(decides);
            return OK;
        }
    }
    *ret = any_null ? eval__null() : eval__bool(!decides);
    return OK;
}

static enum status row_case(struct execution *x, const struct expr *e, const struct datum *slots,
                            struct arena *a, struct datum *ret)
{
    uint32_t i = 0;
    for (; i + 1 < e->arg_count; i += 2) {
        struct datum cond;
        TRY(exec_eval_row(x, e->args[i], slots, a, &cond));
        if (eval__is_true(&cond)) return exec_eval_row(x, e->args[i + 1], slots, a, ret);
    }
    if (i < e->arg_count) return exec_eval_row(x, e->args[i], slots, a, ret);
    *ret = eval__null();
    return OK;
}

static enum status row_coalesce(struct execution *x, const struct expr *e,
                                const struct datum *slots, struct arena *a, struct datum *ret)
{
    *ret = eval__null();
    for (uint32_t i = 0; i < e->arg_count && ret->null; i++)
        TRY(exec_eval_row(x, e->args[i], slots, a, ret));
    return OK;
}

/* (a, b) IS NULL is true when all fields are NULL, IS NOT NULL when none is. */
static enum status row_null_test(struct execution *x, const struct expr *e,
                                 const struct datum *slots, struct arena *a, struct datum *ret)
{
    const struct expr *row = e->args[0];
    bool holds = true;
    for (uint32_t i = 0; i < row->arg_count; i++) {
        struct datum d;
        TRY(exec_eval_row(x, row->args[i], slots, a, &d));
        if (d.null == e->negated) holds = false;
    }
    *ret = eval__bool(holds);
    return OK;
}

static enum status row_eager(struct execution *x, const struct expr *e, const struct datum *slots,
                             struct arena *a, struct datum *ret)
{
    struct datum on_stack[ARGS_ON_STACK], *args = on_stack;
    if (e->arg_count > ARGS_ON_STACK) args = ARENA_ARRAY(a, struct datum, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        args[i] = eval__null(); /* an open bound of a slice has no expression */
        if (e->args[i]) TRY(exec_eval_row(x, e->args[i], slots, a, &args[i]));
    }
    return eval__apply(x, e, args, a, ret);
}

enum status exec_eval_row(struct execution *x, const struct expr *e, const struct datum *slots,
                          struct arena *a, struct datum *ret)
{
    switch (e->kind) {
    case EXPR_CONST: *ret = e->constant; return OK;
    case EXPR_SLOT: *ret = slots[e->slot]; return OK;
    case EXPR_PARAM:
    case EXPR_OUTER: return eval__param(x, e, ret);
    case EXPR_SQL_VALUE: return eval__sql_value(x, e, a, ret);
    default: break;
    }
    TRY(exec_check_stack());
    switch (e->kind) {
    case EXPR_BOOL: return row_bool(x, e, slots, a, ret);
    case EXPR_CASE: return row_case(x, e, slots, a, ret);
    case EXPR_COALESCE: return row_coalesce(x, e, slots, a, ret);
    case EXPR_SUBQUERY: return exec_subquery_eval(x, e, slots, a, ret);
    case EXPR_NULL_TEST:
        if (e->args[0]->kind == EXPR_ROW && !e->as_whole) return row_null_test(x, e, slots, a, ret);
        break;
    default: break;
    }
    if (eval__is_eager(e)) return row_eager(x, e, slots, a, ret);
    return eval__unsupported(e);
}

enum status exec_test_row(struct execution *x, const struct expr *cond, const struct datum *slots,
                          struct arena *a, bool *ret)
{
    struct datum d = eval__bool(true);
    if (cond) TRY(exec_eval_row(x, cond, slots, a, &d));
    *ret = eval__is_true(&d);
    return OK;
}
