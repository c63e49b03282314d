/* Evaluation of a batch: arguments first, as vectors, then one loop a node. */
#include "exec/eval.h"

#include "exec/eval_priv.h"
#include "types/record.h"

enum { ARGS_ON_STACK = 8 };

static void const_vec(const struct expr *e, struct datum d, struct arena *a, struct vec *ret)
{
    vec_init_const(ret, e->type, d, a);
}

static bool all_const(const struct vec *args, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (args[i].form != VEC_CONST) return false;
    return true;
}

/* IS [NOT] NULL of a vector: its bitmap, read. */
static void null_test(const struct expr *e, const struct vec *v, const struct batch *in,
                      struct arena *a, struct vec *ret)
{
    bool when_null = !e->negated;
    if (v->form == VEC_FLAT && !v->nulls) {
        const_vec(e, eval__bool(!when_null), a, ret);
        return;
    }
    vec_init_flat_rows(ret, TYPE_BOOL, in->rows, a);
    bool *out = ret->data;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t r = eval__row(in->sel, i);
        bool null = v->form == VEC_FLAT ? nulls_get(v->nulls, r) : vec_get(v, r).null;
        out[r] = null == when_null;
    }
}

/* (a, b) IS NULL: field by field. */
static enum status null_test_row(struct execution *x, const struct expr *e, const struct batch *in,
                                 struct arena *a, struct vec *ret)
{
    const struct expr *row = e->args[0];
    vec_init_flat_rows(ret, TYPE_BOOL, in->rows, a);
    bool *out = ret->data;
    for (uint32_t i = 0; i < in->count; i++) out[eval__row(in->sel, i)] = true;
    for (uint32_t k = 0; k < row->arg_count; k++) {
        struct vec v;
        TRY(exec_eval(x, row->args[k], in, a, &v));
        for (uint32_t i = 0; i < in->count; i++) {
            uint32_t r = eval__row(in->sel, i);
            if (vec_get(&v, r).null == e->negated) out[r] = false;
        }
    }
    return OK;
}

static enum status apply_rows(struct execution *x, const struct expr *e, const struct vec *args,
                              const struct batch *in, struct arena *a, struct vec *ret)
{
    struct datum on_stack[ARGS_ON_STACK], *values = on_stack, d;
    if (e->arg_count > ARGS_ON_STACK) values = ARENA_ARRAY(a, struct datum, e->arg_count);
    for (uint32_t k = 0; k < e->arg_count; k++)
        if (args[k].form == VEC_CONST) values[k] = vec_get(&args[k], 0);
    if (all_const(args, e->arg_count)) {
        TRY(eval__apply(x, e, values, a, &d));
        const_vec(e, d, a, ret);
        return OK;
    }
    vec_init_flat_rows(ret, e->type, in->rows, a);
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t r = eval__row(in->sel, i);
        for (uint32_t k = 0; k < e->arg_count; k++)
            if (args[k].form != VEC_CONST) values[k] = vec_get(&args[k], r);
        TRY(eval__apply(x, e, values, a, &d));
        vec_set(ret, r, d);
    }
    return OK;
}

static enum status eval_eager(struct execution *x, const struct expr *e, const struct batch *in,
                              struct arena *a, struct vec *ret)
{
    struct vec on_stack[ARGS_ON_STACK], *args = on_stack;
    if (e->arg_count > ARGS_ON_STACK) args = ARENA_ARRAY(a, struct vec, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (e->args[i])
            TRY(exec_eval(x, e->args[i], in, a, &args[i]));
        else
            vec_init_const(&args[i], TYPE_INT4, eval__null(), a); /* open bound of a slice */
    }
    if (e->kind == EXPR_CALL) return eval__call_vector(x, e, args, in, a, ret);
    if (e->kind == EXPR_NULL_TEST && args[0].form != VEC_CONST &&
        (e->as_whole || !type_is_composite(args[0].type))) {
        null_test(e, &args[0], in, a, ret);
        return OK;
    }
    bool done = false;
    if ((e->kind == EXPR_ANY || e->kind == EXPR_IN_LIST) && args[0].form != VEC_CONST) {
        TRY(eval__set_vector(x, e, args, in, a, ret, &done));
        if (done) return OK;
    }
    if (e->kind == EXPR_CAST) {
        TRY(eval__cast_vector(e, &args[0], in, a, ret, &done));
        if (done) return OK;
    }
    return apply_rows(x, e, args, in, a, ret);
}

enum status exec_eval(struct execution *x, const struct expr *e, const struct batch *in,
                      struct arena *a, struct vec *ret)
{
    struct datum d;
    switch (e->kind) {
    case EXPR_SLOT: *ret = in->columns[e->slot]; return OK;
    case EXPR_CONST: const_vec(e, e->constant, a, ret); return OK;
    case EXPR_PARAM:
    case EXPR_OUTER:
        TRY(eval__param(x, e, &d));
        const_vec(e, d, a, ret);
        return OK;
    case EXPR_SQL_VALUE:
        TRY(eval__sql_value(x, e, a, &d));
        const_vec(e, d, a, ret);
        return OK;
    default: break;
    }
    if (in->count == 0) {
        const_vec(e, eval__null(), a, ret);
        return OK;
    }
    TRY(exec_check_stack());
    switch (e->kind) {
    case EXPR_BOOL: return eval__bool_vector(x, e, in, a, ret);
    case EXPR_CASE: return eval__case_vector(x, e, in, a, ret);
    case EXPR_COALESCE: return eval__coalesce_vector(x, e, in, a, ret);
    case EXPR_SUBQUERY: return exec_subquery_eval_batch(x, e, in, a, ret);
    case EXPR_NULL_TEST:
        if (e->args[0]->kind == EXPR_ROW && !e->as_whole) return null_test_row(x, e, in, a, ret);
        break;
    default: break;
    }
    if (eval__is_eager(e)) return eval_eager(x, e, in, a, ret);
    return eval__unsupported(e);
}
