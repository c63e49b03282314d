/* x = ANY (array), x op ALL (array), x IN (list).
 *
 * When the operator is a type's own equality, the right side is constant, and it holds more than a
 * few values, they go into a hash set at the first row, kept with the call site to the end of the
 * run. */
#include "exec/eval.h"

#include "base/hash.h"
#include "exec/eval_priv.h"
#include "types/array.h"

/* How many values are worth a set: for a row at a time, and for whole batches. Up to SCAN_MAX
 * values are compared one after another. */
enum { SET_FROM = 9, SET_FROM_BATCH = 2, SCAN_MAX = 6 };

/* Open addressing; slots hold positions + 1 into `values`. */
struct any_set {
    uint32_t mask;
    bool has_null, hashed;
    uint32_t *slots;
    struct array_view values;
    void *call_state;   /* the operator's own, when rows are scanned */
};

static bool set_has(const struct any_set *s, type_id type, const union value *v)
{
    for (uint32_t i = (uint32_t)value_hash(type, v) & s->mask; s->slots[i]; i = (i + 1) & s->mask)
        if (value_compare(type, v, &s->values.elements[s->slots[i] - 1].v) == 0) return true;
    return false;
}

static void set_fill(struct any_set *s, type_id type, struct arena *a)
{
    uint32_t cap = 16;
    while (cap < 2 * s->values.count) cap *= 2;
    s->mask = cap - 1;
    s->slots = ARENA_ARRAY(a, uint32_t, cap);
    s->hashed = true;
    for (uint32_t i = 0; i < s->values.count; i++) {
        if (s->values.elements[i].null) {
            s->has_null = true;
            continue;
        }
        uint32_t at = (uint32_t)value_hash(type, &s->values.elements[i].v) & s->mask;
        while (s->slots[at]) at = (at + 1) & s->mask;
        s->slots[at] = i + 1;
    }
}

static void set_answer(const struct any_set *s, type_id type, const struct datum *left,
                       bool negated, struct datum *ret)
{
    if (left->null) {
        *ret = eval__null();
    } else if (set_has(s, type, &left->v)) {
        *ret = eval__bool(!negated);
    } else {
        *ret = s->has_null ? eval__null() : eval__bool(negated);
    }
}

/* The type under which both sides can stand in a set, or TYPE_NONE: the operator is that type's own
 * equality (or its negation, for ALL and NOT IN). */
static type_id set_type(const struct operator_def *op, const char *name, type_id left,
                        type_id right)
{
    if (!op || strcmp(op->name, name) != 0 || op->left != op->right) return TYPE_NONE;
    bool fits = eval__same_values(op->left, left) && eval__same_values(op->left, right);
    return fits ? op->left : TYPE_NONE;
}

/* The same value for every row of the run. */
static bool is_fixed(const struct expr *e)
{
    if (e->kind == EXPR_CONST || e->kind == EXPR_PARAM) return true;
    if (e->kind != EXPR_CAST && e->kind != EXPR_ARRAY) return false;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!is_fixed(e->args[i])) return false;
    return true;
}

/* The set of a constant array, made at the first row; NULL when it is not worth one. */
static enum status any_set(struct execution *x, const struct expr *e, const struct datum *array,
                           uint32_t least, struct any_set **ret)
{
    *ret = exec_call_state(x, e);
    if (*ret) return OK;
    struct any_set *s = ARENA_NEW(x->arena, struct any_set);
    /* A cast's array lies in the batch's arena; the elements reference its bytes. */
    struct bytes kept = bytes_from_slice(x->arena, bytes_slice(&array->v.bytes));
    TRY(array_open(&kept, x->arena, &s->values));
    type_id type = set_type(e->any.op, e->any.all ? "<>" : "=", e->args[0]->type,
                            s->values.element);
    if (type != TYPE_NONE && s->values.count >= least) set_fill(s, type, x->arena);
    exec_set_call_state(x, e, s);
    *ret = s;
    return OK;
}

static enum status any_scan(struct execution *x, const struct expr *e, const struct datum *left,
                            struct any_set *s, struct arena *a, struct datum *ret)
{
    bool all = e->any.all, any_null = false;
    for (uint32_t i = 0; i < s->values.count; i++) {
        struct datum pair[2] = {*left, s->values.elements[i]}, d;
        TRY(eval__call(x, e, e->any.proc, pair, 2, a, &s->call_state, &d));
        if (d.null)
            any_null = true;
        else if (d.v.b != all) {
            *ret = eval__bool(!all);
            return OK;
        }
    }
    *ret = any_null ? eval__null() : eval__bool(all);
    return OK;
}

enum status eval__any(struct execution *x, const struct expr *e, const struct datum *args,
                      struct arena *a, struct datum *ret)
{
    *ret = eval__null();
    if (args[1].null) return OK;
    if (!is_fixed(e->args[1])) {
        struct any_set once = {0}; /* the operator's state goes with the row's array */
        TRY(array_open(&args[1].v.bytes, a, &once.values));
        return any_scan(x, e, &args[0], &once, a, ret);
    }
    struct any_set *s;
    TRY(any_set(x, e, &args[1], SET_FROM, &s));
    if (!s->hashed) return any_scan(x, e, &args[0], s, a, ret);
    set_answer(s, e->any.op->left, &args[0], e->any.all, ret);
    return OK;
}

static bool list_is_constant(const struct expr *e)
{
    for (uint32_t i = 1; i < e->arg_count; i++)
        if (!is_fixed(e->args[i]) || e->args[i]->type != e->args[1]->type) return false;
    return true;
}

static bool list_negated(const struct expr *e)
{
    return e->call.op && strcmp(e->call.op->name, "<>") == 0;
}

/* NOT IN stands as x <> ALL of the list when its operator is <>; else as = ANY. */
static enum status list_scan(struct execution *x, const struct expr *e, const struct datum *args,
                             struct arena *a, void **state, struct datum *ret)
{
    bool negated = list_negated(e), any_null = false;
    for (uint32_t i = 1; i < e->arg_count; i++) {
        struct datum pair[2] = {args[0], args[i]}, d;
        TRY(eval__call(x, e, e->call.proc, pair, 2, a, state, &d));
        if (d.null)
            any_null = true;
        else if (d.v.b != negated) {
            *ret = eval__bool(!negated);
            return OK;
        }
    }
    *ret = any_null ? eval__null() : eval__bool(negated);
    return OK;
}

/* The set of a list of more than a few values. */
static struct any_set *list_set(struct execution *x, const struct expr *e, const struct datum *args)
{
    struct any_set *s = exec_call_state(x, e);
    if (s) return s;
    s = ARENA_NEW(x->arena, struct any_set);
    exec_set_call_state(x, e, s);
    if (!list_is_constant(e)) return s;
    type_id type = set_type(e->call.op, list_negated(e) ? "<>" : "=", e->args[0]->type,
                            e->args[1]->type);
    if (type == TYPE_NONE) return s;
    s->values.count = e->arg_count - 1;
    s->values.elements = ARENA_ARRAY(x->arena, struct datum, s->values.count);
    for (uint32_t i = 1; i < e->arg_count; i++)
        s->values.elements[i - 1] = datum_copy(x->arena, type, args[i]);
    set_fill(s, type, x->arena);
    return s;
}

enum status eval__in_list(struct execution *x, const struct expr *e, const struct datum *args,
                          struct arena *a, struct datum *ret)
{
    if (args[0].null) {
        *ret = eval__null();
        return OK;
    }
    if (e->arg_count <= SET_FROM) {
        void *state = NULL;
        return list_scan(x, e, args, a, &state, ret);
    }
    struct any_set *s = list_set(x, e, args);
    if (!s->hashed) return list_scan(x, e, args, a, &s->call_state, ret);
    set_answer(s, e->call.op->left, &args[0], list_negated(e), ret);
    return OK;
}

/* The hash set that answers for every row of the batch; NULL when there is none. */
static enum status batch_set(struct execution *x, const struct expr *e, const struct vec *args,
                             struct arena *a, struct any_set **ret)
{
    *ret = NULL;
    for (uint32_t i = 1; i < e->arg_count; i++)
        if (args[i].form != VEC_CONST) return OK;
    if (e->kind == EXPR_ANY) {
        struct datum array = vec_get(&args[1], 0);
        if (array.null || !is_fixed(e->args[1])) return OK;
        TRY(any_set(x, e, &array, SET_FROM_BATCH, ret));
    } else if (e->arg_count > SET_FROM_BATCH) {
        struct datum *values = ARENA_ARRAY(a, struct datum, e->arg_count);
        for (uint32_t i = 1; i < e->arg_count; i++) values[i] = vec_get(&args[i], 0);
        *ret = list_set(x, e, values);
    }
    if (*ret && !(*ret)->hashed) *ret = NULL;
    return OK;
}

#define SCAN(T, f, EQUAL)                                                                          \
    do {                                                                                           \
        const T *data = v->data;                                                                   \
        for (uint32_t i = 0; i < in->count; i++) {                                                 \
            uint32_t r = eval__row(in->sel, i);                                                    \
            bool found = false;                                                                    \
            if (nulls_get(v->nulls, r)) continue;                                                  \
            for (uint32_t k = 0; k < s->values.count && !found; k++)                               \
                found = !s->values.elements[k].null && EQUAL(data[r], s->values.elements[k].v.f);  \
            out[r] = found;                                                                        \
        }                                                                                          \
    } while (0)
#define SAME(a, b) ((a) == (b))
#define SAME_BYTES(a, b) bytes_eq(&(a), &(b))

/* A few values against a flat vector, by plain comparison; false when the type is not plain. */
static bool scan_few(const struct any_set *s, type_id type, const struct vec *v,
                     const struct batch *in, uint8_t *out)
{
    if (s->values.count > SCAN_MAX || v->form != VEC_FLAT) return false;
    switch (type_rep(type)) {
    case REP_I16: SCAN(int16_t, i16, SAME); return true;
    case REP_I32: SCAN(int32_t, i32, SAME); return true;
    case REP_U32: SCAN(uint32_t, u32, SAME); return true;
    case REP_I64: SCAN(int64_t, i64, SAME); return true;
    case REP_BYTES:
        if (!type_is_textual(type) || type == TYPE_BPCHAR) return false; /* blanks do not count */
        SCAN(struct bytes, bytes, SAME_BYTES);
        return true;
    default: return false;
    }
}

enum status eval__set_vector(struct execution *x, const struct expr *e, const struct vec *args,
                             const struct batch *in, struct arena *a, struct vec *ret,
                             bool *ret_done)
{
    struct any_set *s;
    TRY(batch_set(x, e, args, a, &s));
    *ret_done = s != NULL;
    if (!s) return OK;
    bool negated = e->kind == EXPR_ANY ? e->any.all : list_negated(e);
    type_id type = e->kind == EXPR_ANY ? e->any.op->left : e->call.op->left;
    const struct vec *v = &args[0];
    vec_init_flat_rows(ret, TYPE_BOOL, in->rows, a);
    uint8_t *out = ret->data;
    bool scanned = scan_few(s, type, v, in, out);
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t r = eval__row(in->sel, i);
        bool null = v->form == VEC_FLAT ? nulls_get(v->nulls, r) : vec_get(v, r).null;
        if (null) {
            nulls_set(ret->nulls, r);
            continue;
        }
        union value left;
        if (!scanned) left = vec_get(v, r).v;
        bool found = scanned ? out[r] : set_has(s, type, &left);
        out[r] = found != negated;
        if (!found && s->has_null) nulls_set(ret->nulls, r);
    }
    return OK;
}
