/* AND, OR, NOT, CASE and COALESCE over a batch. Each keeps the selection of rows that are still
 * undecided and evaluates the next part for those alone, so that a part raises no error for a row
 * that does not reach it. */
#include "exec/eval.h"

#include "exec/eval_priv.h"

/* The undecided rows, as a batch. */
struct rest {
    struct batch batch;
    uint16_t *sel; /* own, once rows have been dropped */
};

static struct rest rest_of(const struct batch *in, struct arena *a)
{
    return (struct rest){*in, arena_alloc(a, in->count * sizeof(uint16_t))};
}

static void rest_set(struct rest *r, uint32_t count)
{
    r->batch.sel = r->sel;
    r->batch.count = count;
}

#define COPY_ROWS(T)                                                                               \
    do {                                                                                           \
        const T *src = v->data;                                                                    \
        T *dst = ret->data;                                                                        \
        if (v->form == VEC_CONST)                                                                  \
            for (uint32_t i = 0; i < count; i++) dst[eval__row(sel, i)] = src[0];                  \
        else                                                                                       \
            for (uint32_t i = 0; i < count; i++) dst[eval__row(sel, i)] = src[eval__row(sel, i)];  \
    } while (0)

/* Values of v at the rows, into a flat vector of the same width. */
static void scatter(struct vec *ret, const struct vec *v, const uint16_t *sel, uint32_t count)
{
    bool constant = v->form == VEC_CONST;
    if (v->form == VEC_DICT || v->width != ret->width || (constant && nulls_get(v->nulls, 0))) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t r = eval__row(sel, i);
            vec_set(ret, r, vec_get(v, r));
        }
        return;
    }
    switch (ret->width) {
    case 1: COPY_ROWS(uint8_t); break;
    case 2: COPY_ROWS(uint16_t); break;
    case 4: COPY_ROWS(uint32_t); break;
    case 8: COPY_ROWS(uint64_t); break;
    default: COPY_ROWS(struct bytes); break;
    }
    if (constant || !v->nulls) return;
    for (uint32_t i = 0; i < count; i++)
        if (nulls_get(v->nulls, eval__row(sel, i))) nulls_set(ret->nulls, eval__row(sel, i));
}

/* --- AND, OR, NOT --------------------------------------------------------------------------- */

static enum status not_vector(struct execution *x, const struct expr *e, const struct batch *in,
                              struct arena *a, struct vec *ret)
{
    struct vec v;
    TRY(exec_eval(x, e->args[0], in, a, &v));
    if (v.form == VEC_CONST) {
        struct datum d = vec_get(&v, 0);
        if (!d.null) d.v.b = !d.v.b;
        vec_init_const(ret, TYPE_BOOL, d, a);
        return OK;
    }
    struct vec flat;
    vec_flatten(&v, in->rows, a, &flat);
    vec_init_flat_rows(ret, TYPE_BOOL, in->rows, a);
    const uint8_t *src = flat.data;
    uint8_t *dst = ret->data;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t r = eval__row(in->sel, i);
        dst[r] = !src[r];
    }
    ret->nulls = flat.nulls;
    return OK;
}

/* One more argument of AND or OR: rows that it decides leave `rest`; NULLs are marked in ret. */
static void bool_step(struct rest *rest, const struct vec *v, bool decides, struct vec *ret)
{
    uint8_t *out = ret->data;
    const uint8_t *values = v->form == VEC_FLAT ? v->data : NULL;
    uint32_t left = 0;
    for (uint32_t i = 0; i < rest->batch.count; i++) {
        uint32_t r = eval__row(rest->batch.sel, i);
        bool null, value;
        if (values) {
            null = nulls_get(v->nulls, r);
            value = !null && values[r];
        } else {
            struct datum d = vec_get(v, r);
            null = d.null;
            value = !d.null && d.v.b;
        }
        if (null) {
            nulls_set(ret->nulls, r);
        } else if (value == decides) {
            out[r] = decides;
            nulls_clear(ret->nulls, r);
            continue;
        }
        rest->sel[left++] = (uint16_t)r;
    }
    rest_set(rest, left);
}

enum status eval__bool_vector(struct execution *x, const struct expr *e, const struct batch *in,
                              struct arena *a, struct vec *ret)
{
    if (e->bool_op == BOOL_NOT) return not_vector(x, e, in, a, ret);
    bool decides = e->bool_op == BOOL_OR;
    struct rest rest = rest_of(in, a);
    struct vec out;
    vec_init_flat_rows(&out, TYPE_BOOL, in->rows, a);
    for (uint32_t i = 0; i < e->arg_count && rest.batch.count; i++) {
        struct vec v;
        TRY(exec_eval(x, e->args[i], &rest.batch, a, &v));
        bool_step(&rest, &v, decides, &out);
    }
    for (uint32_t i = 0; i < rest.batch.count; i++)
        VEC_DATA(&out, uint8_t)[eval__row(rest.batch.sel, i)] = !decides;
    *ret = out;
    return OK;
}

/* --- CASE, COALESCE ------------------------------------------------------------------------- */

/* Takes the rows of `taken` (ascending) out of the rest. */
static void rest_remove(struct rest *r, const uint16_t *taken, uint32_t count)
{
    uint32_t left = 0, t = 0;
    for (uint32_t i = 0; i < r->batch.count; i++) {
        uint32_t row = eval__row(r->batch.sel, i);
        if (t < count && taken[t] == row)
            t++;
        else
            r->sel[left++] = (uint16_t)row;
    }
    rest_set(r, left);
}

static enum status case_branch(struct execution *x, const struct expr *result,
                               const struct batch *rows, struct arena *a, struct vec *ret)
{
    struct vec v;
    if (!rows->count) return OK;
    TRY(exec_eval(x, result, rows, a, &v));
    scatter(ret, &v, rows->sel, rows->count);
    return OK;
}

enum status eval__case_vector(struct execution *x, const struct expr *e, const struct batch *in,
                              struct arena *a, struct vec *ret)
{
    struct rest rest = rest_of(in, a);
    uint16_t *taken = arena_alloc(a, in->count * sizeof(uint16_t));
    struct vec out;
    vec_init_flat_rows(&out, e->type, in->rows, a);
    uint32_t i = 0;
    for (; i + 1 < e->arg_count && rest.batch.count; i += 2) {
        struct batch branch = rest.batch;
        TRY(exec_filter(x, e->args[i], &rest.batch, a, taken, &branch.count));
        branch.sel = taken;
        TRY(case_branch(x, e->args[i + 1], &branch, a, &out));
        rest_remove(&rest, taken, branch.count);
    }
    if (e->arg_count % 2) {
        TRY(case_branch(x, e->args[e->arg_count - 1], &rest.batch, a, &out));
    } else {
        for (uint32_t k = 0; k < rest.batch.count; k++)
            nulls_set(out.nulls, eval__row(rest.batch.sel, k));
    }
    *ret = out;
    return OK;
}

enum status eval__coalesce_vector(struct execution *x, const struct expr *e,
                                  const struct batch *in, struct arena *a, struct vec *ret)
{
    struct rest rest = rest_of(in, a);
    uint16_t *taken = arena_alloc(a, in->count * sizeof(uint16_t));
    struct vec out;
    vec_init_flat_rows(&out, e->type, in->rows, a);
    for (uint32_t i = 0; i < e->arg_count && rest.batch.count; i++) {
        struct vec v;
        uint32_t count = 0;
        TRY(exec_eval(x, e->args[i], &rest.batch, a, &v));
        if (i == 0 && v.form == VEC_FLAT && !v.nulls) {
            *ret = v;
            return OK;
        }
        for (uint32_t k = 0; k < rest.batch.count; k++) {
            uint32_t r = eval__row(rest.batch.sel, k);
            bool null = v.form == VEC_FLAT ? nulls_get(v.nulls, r) : vec_get(&v, r).null;
            if (!null) taken[count++] = (uint16_t)r;
        }
        scatter(&out, &v, taken, count);
        rest_remove(&rest, taken, count);
    }
    for (uint32_t k = 0; k < rest.batch.count; k++)
        nulls_set(out.nulls, eval__row(rest.batch.sel, k));
    *ret = out;
    return OK;
}
