/* Runs subplans. A kept result is made at the first use, into the execution's arena; one of a
 * correlated subplan lies in the caller's. A sink stops the run as soon as the answer is known. */
#include "exec/subquery.h"

#include "exec/subquery_priv.h"

/* What a sink needs; each kind of subquery uses some. */
struct taker {
    struct execution *x;
    const struct expr *site;
    const struct subplan *sp;
    struct subplan_state *state;
    const struct datum *tests;
    struct arena *arena;
    struct datum value;
    bool found, any_null;
    struct datum *elements; /* ARRAY */
    uint32_t count, cap;
};

static enum status take_exists(void *ctx, const struct batch *b)
{
    struct taker *t = ctx;
    if (!b->count) return OK;
    t->found = true;
    return END_OF_DATA;
}

static enum status take_scalar(void *ctx, const struct batch *b)
{
    struct taker *t = ctx;
    if (!b->count) return OK;
    if (t->found || b->count > 1) return subquery__too_many_rows();
    t->found = true;
    const struct vec *v = &b->columns[0];
    t->value = datum_copy(t->arena, v->type, vec_get(v, eval__row(b->sel, 0)));
    return OK;
}

static enum status take_array(void *ctx, const struct batch *b)
{
    struct taker *t = ctx;
    if (t->count + b->count > t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 16;
        while (cap < t->count + b->count) cap *= 2;
        struct datum *grown = ARENA_ARRAY(t->arena, struct datum, cap);
        if (t->count) memcpy(grown, t->elements, t->count * sizeof *grown);
        t->elements = grown;
        t->cap = cap;
    }
    const struct vec *v = &b->columns[0];
    for (uint32_t i = 0; i < b->count; i++)
        t->elements[t->count++] =
            datum_copy(t->arena, v->type, vec_get(v, eval__row(b->sel, i)));
    return OK;
}

static enum status take_rows(void *ctx, const struct batch *b)
{
    struct taker *t = ctx;
    subquery__rows_add(t->x, &t->state->rows, b);
    return OK;
}

/* Correlated ANY and ALL: each row is tested as it comes. */
static enum status take_test(void *ctx, const struct batch *b)
{
    struct taker *t = ctx;
    bool all = t->sp->type == SUBLINK_ALL;
    struct datum *row = ARENA_ARRAY(t->arena, struct datum, t->sp->test_count + 1), d;
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t k = 0; k < t->sp->test_count; k++)
            row[k] = vec_get(&b->columns[k], eval__row(b->sel, i));
        TRY(subquery__row_test(t->x, t->site, t->sp, t->state, t->tests, row, t->arena, &d));
        if (d.null) {
            t->any_null = true;
        } else if (d.v.b != all) {
            t->value = d;
            t->found = true;
            return END_OF_DATA;
        }
    }
    return OK;
}

/* (a, b) = (SELECT …): the one row. */
static enum status take_row(void *ctx, const struct batch *b)
{
    struct taker *t = ctx;
    if (!b->count) return OK;
    if (t->found || b->count > 1) return subquery__too_many_rows();
    t->found = true;
    struct datum *row = ARENA_ARRAY(t->arena, struct datum, t->sp->test_count + 1);
    for (uint32_t k = 0; k < t->sp->test_count; k++)
        row[k] = vec_get(&b->columns[k], eval__row(b->sel, 0));
    return subquery__row_test(t->x, t->site, t->sp, t->state, t->tests, row, t->arena, &t->value);
}

static enum status run(struct taker *t, enum status (*rows)(void *, const struct batch *))
{
    struct exec_sink sink = {rows, t};
    TRY(exec_check_stack());
    enum status st = t->x->run(t->x, t->sp->root, &sink);
    return st == END_OF_DATA ? OK : st;
}

/* The array constructor's meaning, over the collected values. */
static enum status make_array(const struct taker *t, struct datum *ret)
{
    struct expr column = {.kind = EXPR_SLOT, .type = t->sp->root->columns[0].type};
    struct expr *args[1] = {&column};
    struct expr array = {.kind = EXPR_ARRAY, .type = t->site->type, .arg_count = t->count,
                         .args = args};
    return eval__array(&array, t->elements, t->arena, ret);
}

/* Scalar, EXISTS, ARRAY; the value's bytes lie in t->arena. */
static enum status run_value(struct taker *t, struct datum *ret)
{
    switch (t->sp->type) {
    case SUBLINK_EXISTS:
        TRY(run(t, take_exists));
        *ret = eval__bool(t->found);
        return OK;
    case SUBLINK_SCALAR:
        TRY(run(t, take_scalar));
        *ret = t->found ? t->value : eval__null();
        return OK;
    case SUBLINK_ARRAY:
        TRY(run(t, take_array));
        return make_array(t, ret);
    default: UNREACHABLE();
    }
}

static bool is_test(const struct subplan *sp)
{
    return sp->type == SUBLINK_ANY || sp->type == SUBLINK_ALL || sp->type == SUBLINK_ROW;
}

/* The result of one that depends on nothing outside, once. */
static enum status keep_result(struct taker *t)
{
    struct subplan_state *st = t->state;
    if (st->ready) return OK;
    if (is_test(t->sp)) {
        subquery__rows_init(t->x, t->sp, &st->rows);
        TRY(run(t, take_rows));
        subquery__rows_finish(t->x, &st->rows);
    } else {
        t->arena = t->x->arena;
        TRY(run_value(t, &st->value));
    }
    st->ready = true;
    return OK;
}

static enum status evaluate_once(struct taker *t, struct datum *ret)
{
    struct subplan_state *st = t->state;
    bool kept = t->sp->outer_count == 0;
    if (t->sp->type == SUBLINK_ROW && !kept) {
        TRY(run(t, take_row));
        *ret = t->found ? t->value : eval__null();
        return OK;
    }
    if (is_test(t->sp) && !kept) {
        TRY(run(t, take_test));
        if (t->found)
            *ret = t->value;
        else
            *ret = t->any_null ? eval__null() : eval__bool(t->sp->type == SUBLINK_ALL);
        return OK;
    }
    if (is_test(t->sp)) {
        TRY(keep_result(t));
        return subquery__rows_test(t->x, t->site, t->sp, st, t->tests, t->arena, ret);
    }
    if (!kept) return run_value(t, ret);
    TRY(keep_result(t));
    *ret = st->value;
    return OK;
}

/* One evaluation; outer values are set already. */
static enum status evaluate(struct taker *t, struct datum *ret)
{
    struct memo_key key;
    if (t->sp->outer_count == 0) return evaluate_once(t, ret);
    if (subquery__memo_find(t->x, t->sp, t->state, t->tests, t->site->type, t->arena, &key, ret))
        return OK;
    TRY(evaluate_once(t, ret));
    subquery__memo_keep(t->state, &key, t->site->type, *ret);
    return OK;
}

static enum status taker_init(struct execution *x, const struct expr *e, struct arena *a,
                              struct taker *t)
{
    if (!x->plan || !x->run)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot use subquery in this expression");
    uint32_t i = e->subquery.plan_index;
    ASSERT(i < x->plan->subplan_count);
    if (!x->subplans)
        x->subplans = ARENA_ARRAY(x->arena, struct subplan_state, x->plan->subplan_count);
    *t = (struct taker){.x = x, .site = e, .sp = &x->plan->subplans[i],
                        .state = &x->subplans[i], .arena = a};
    return OK;
}

enum status exec_subquery_prepare(struct execution *x, const struct expr *e)
{
    struct taker t;
    TRY(taker_init(x, e, x->arena, &t));
    return t.sp->outer_count ? OK : keep_result(&t);
}

const struct subplan_state *exec_subquery_kept(struct execution *x)
{
    uint32_t n = x->plan->subplan_count;
    if (!x->subplans) return NULL;
    struct subplan_state *kept = arena_memdup(x->arena, x->subplans, n * sizeof *kept);
    for (uint32_t i = 0; i < n; i++) {
        if (kept[i].ready) kept[i].call_states = NULL;
        else kept[i] = (struct subplan_state){0};
    }
    return kept;
}

void exec_subquery_take(struct execution *x, const struct subplan_state *kept)
{
    if (kept)
        x->subplans = arena_memdup(x->arena, kept, x->plan->subplan_count * sizeof *x->subplans);
}

enum status exec_subquery_eval(struct execution *x, const struct expr *e, const struct datum *slots,
                               struct arena *a, struct datum *ret)
{
    struct taker t;
    TRY(taker_init(x, e, a, &t));
    struct datum *tests = ARENA_ARRAY(a, struct datum, t.sp->test_count + 1);
    for (uint32_t i = 0; i < t.sp->test_count; i++)
        TRY(exec_eval_row(x, t.sp->test[i], slots, a, &tests[i]));
    for (uint32_t i = 0; i < t.sp->outer_count; i++)
        TRY(exec_eval_row(x, t.sp->outer[i], slots, a, &x->outer[t.sp->outer_index[i]]));
    t.tests = tests;
    return evaluate(&t, ret);
}

static enum status eval_vectors(struct execution *x, struct expr **exprs, uint32_t n,
                                const struct batch *in, struct arena *a, struct vec **ret)
{
    *ret = ARENA_ARRAY(a, struct vec, n + 1);
    for (uint32_t i = 0; i < n; i++) TRY(exec_eval(x, exprs[i], in, a, &(*ret)[i]));
    return OK;
}

enum status exec_subquery_eval_batch(struct execution *x, const struct expr *e,
                                     const struct batch *in, struct arena *a, struct vec *ret)
{
    struct taker first;
    struct vec *tests, *outer;
    struct datum d;
    TRY(taker_init(x, e, a, &first));
    const struct subplan *sp = first.sp;
    if (sp->outer_count == 0 && !is_test(sp)) {
        TRY(evaluate(&first, &d));
        vec_init_const(ret, e->type, d, a);
        return OK;
    }
    TRY(eval_vectors(x, sp->test, sp->test_count, in, a, &tests));
    TRY(eval_vectors(x, sp->outer, sp->outer_count, in, a, &outer));
    struct datum *values = ARENA_ARRAY(a, struct datum, sp->test_count + 1);
    vec_init_flat_rows(ret, e->type, in->rows, a);
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t r = eval__row(in->sel, i);
        struct taker t = first;
        for (uint32_t k = 0; k < sp->test_count; k++) values[k] = vec_get(&tests[k], r);
        for (uint32_t k = 0; k < sp->outer_count; k++)
            x->outer[sp->outer_index[k]] = vec_get(&outer[k], r);
        t.tests = values;
        TRY(evaluate(&t, &d));
        vec_set(ret, r, d);
    }
    return OK;
}
