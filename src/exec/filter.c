/* Conditions over a batch, as selections. AND narrows the selection from conjunct to conjunct; OR
 * tries its next part on the rows that no earlier one took. A row stays when the condition is TRUE,
 * so FALSE and NULL need not be told apart. */
#include "exec/eval.h"

#include "exec/eval_priv.h"

static void keep_all(const struct batch *in, uint16_t *sel_out, uint32_t *ret_count)
{
    for (uint32_t i = 0; i < in->count; i++) sel_out[i] = (uint16_t)eval__row(in->sel, i);
    *ret_count = in->count;
}

static enum status filter_leaf(struct execution *x, const struct expr *cond,
                               const struct batch *in, struct arena *a, uint16_t *sel_out,
                               uint32_t *ret_count)
{
    struct vec v;
    TRY(exec_eval(x, cond, in, a, &v));
    if (v.form == VEC_CONST) {
        struct datum d = vec_get(&v, 0);
        /* ret_count may be in's own count. */
        if (eval__is_true(&d)) keep_all(in, sel_out, ret_count);
        else *ret_count = 0;
        return OK;
    }
    struct vec flat;
    vec_flatten(&v, in->rows, a, &flat);
    *ret_count = eval__keep_true(flat.data, flat.nulls, in->sel, in->count, sel_out);
    return OK;
}

static enum status filter_and(struct execution *x, const struct expr *cond, const struct batch *in,
                              struct arena *a, uint16_t *sel_out, uint32_t *ret_count)
{
    struct batch rest = *in;
    for (uint32_t i = 0; i < cond->arg_count && rest.count; i++) {
        TRY(exec_filter(x, cond->args[i], &rest, a, sel_out, &rest.count));
        rest.sel = sel_out;
    }
    *ret_count = rest.count;
    return OK;
}

static enum status filter_or(struct execution *x, const struct expr *cond, const struct batch *in,
                             struct arena *a, uint16_t *sel_out, uint32_t *ret_count)
{
    uint64_t taken[NULL_WORDS] = {0};
    struct batch rest = *in;
    uint16_t *rest_sel = arena_alloc(a, in->count * sizeof(uint16_t));
    uint16_t *part = arena_alloc(a, in->count * sizeof(uint16_t));
    for (uint32_t i = 0; i < cond->arg_count && rest.count; i++) {
        uint32_t count, left = 0;
        TRY(exec_filter(x, cond->args[i], &rest, a, part, &count));
        for (uint32_t k = 0; k < count; k++) nulls_set(taken, part[k]);
        for (uint32_t k = 0; k < rest.count; k++) {
            uint32_t r = eval__row(rest.sel, k);
            if (!nulls_get(taken, r)) rest_sel[left++] = (uint16_t)r;
        }
        rest.sel = rest_sel;
        rest.count = left;
    }
    uint32_t n = 0;
    for (uint32_t k = 0; k < in->count; k++) {
        uint32_t r = eval__row(in->sel, k);
        if (nulls_get(taken, r)) sel_out[n++] = (uint16_t)r;
    }
    *ret_count = n;
    return OK;
}

enum status exec_filter(struct execution *x, const struct expr *cond, const struct batch *in,
                        struct arena *a, uint16_t *sel_out, uint32_t *ret_count)
{
    if (!cond) {
        keep_all(in, sel_out, ret_count);
        return OK;
    }
    if (cond->kind == EXPR_BOOL && cond->bool_op != BOOL_NOT) {
        TRY(exec_check_stack());
        if (cond->bool_op == BOOL_AND) return filter_and(x, cond, in, a, sel_out, ret_count);
        return filter_or(x, cond, in, a, sel_out, ret_count);
    }
    return filter_leaf(x, cond, in, a, sel_out, ret_count);
}
