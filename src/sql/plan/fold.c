/* What of a query is known before it runs: immutable functions of constants, truth values, and
 * comparisons brought to the column's own type, for which there are keys and vector code.
 *
 * A constant expression that raises an error is left as it is: it raises it when, and only if, it is
 * reached. Stable functions are not touched: plans outlive the statement. */
#include "base/fiber.h"
#include "sql/plan/plan_priv.h"
#include "sql/querymap.h"
#include "types/datetime.h"
#include "types/record.h"

struct fold {
    const struct planner_env *env;
    struct arena *arena;
    const struct plan *plan;
};

static struct expr *fold(struct query_map *m, struct expr *e);

static bool is_bool(const struct expr *e, enum bool_op op)
{
    return e->kind == EXPR_BOOL && e->bool_op == op;
}

/* 1, 0, or -1 for NULL; 2: not known. */
static int truth(const struct expr *e)
{
    if (e->kind != EXPR_CONST || e->type != TYPE_BOOL) return 2;
    return e->constant.null ? -1 : e->constant.v.b;
}

static struct expr *make_bool(struct fold *f, bool value)
{
    return expr_const(f->arena, TYPE_BOOL, (struct datum){.v.b = value});
}

/* --- evaluation ----------------------------------------------------------------------------- */

static bool may_evaluate(const struct expr *e)
{
    switch (e->kind) {
    case EXPR_CALL:
    case EXPR_CAST:
    case EXPR_DISTINCT:
    case EXPR_NULLIF:
    case EXPR_IN_LIST:
    case EXPR_ANY:
    case EXPR_ARRAY:
    case EXPR_NULL_TEST:
    case EXPR_BOOLEAN_TEST:
    case EXPR_MIN_MAX:
    case EXPR_COALESCE:
    case EXPR_SUBSCRIPT:
    case EXPR_FIELD: break;
    default: return false;
    }
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!e->args[i] || e->args[i]->kind != EXPR_CONST) return false;
    return !type_is_composite(e->type) && expr_is_constant(e);
}

static struct expr *evaluate(struct fold *f, struct expr *e)
{
    struct datum d;
    if (!f->env->evaluate) return e;
    if (f->env->evaluate(f->env->evaluate_ctx, e, f->arena, &d) != OK) {
        error_clear();
        return e;
    }
    struct expr *made = expr_const(f->arena, e->type, d);
    made->typmod = e->typmod;
    made->location = e->location;
    return made;
}

/* --- truth ---------------------------------------------------------------------------------- */

static struct expr *with_args(struct fold *f, const struct expr *e, struct expr **args, uint32_t n)
{
    struct expr *made = arena_memdup(f->arena, e, sizeof *e);
    made->args = args;
    made->arg_count = n;
    return made;
}

/* x = 1 OR x = 2 as x IN (1, 2), which an index can serve. */
static struct expr *either_equal(struct fold *f, struct expr *e)
{
    const struct expr *first = e->args[0];
    if (first->kind != EXPR_CALL || !first->call.op || strcmp(first->call.op->name, "=") != 0)
        return e;
    if (first->arg_count != 2 || first->args[0]->kind != EXPR_COLUMN) return e;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct expr *a = e->args[i];
        if (a->kind != EXPR_CALL || a->call.op != first->call.op) return e;
        if (a->args[1]->kind != EXPR_CONST || a->args[1]->type != first->args[1]->type) return e;
        if (!expr_equal(a->args[0], first->args[0])) return e;
    }
    struct expr **args = ARENA_ARRAY(f->arena, struct expr *, e->arg_count + 1);
    args[0] = first->args[0];
    for (uint32_t i = 0; i < e->arg_count; i++) args[i + 1] = e->args[i]->args[1];
    struct expr *made = with_args(f, first, args, e->arg_count + 1);
    made->kind = EXPR_IN_LIST;
    return made;
}

/* AND and OR: neutral sides go, a deciding one decides, equal ones count once. */
static struct expr *fold_and_or(struct fold *f, struct expr *e)
{
    bool deciding = e->bool_op == BOOL_OR;
    struct expr **args = ARENA_ARRAY(f->arena, struct expr *, e->arg_count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        int t = truth(e->args[i]);
        if (t == (int)deciding) return make_bool(f, deciding);
        if (t == (int)!deciding) continue;
        bool known = false;
        for (uint32_t k = 0; k < n && n < 16 && !known; k++)
            known = expr_equal(args[k], e->args[i]) && !expr_is_volatile(args[k]);
        if (!known) args[n++] = e->args[i];
    }
    if (n == 0) return make_bool(f, !deciding);
    if (n == 1) return args[0];
    if (n < e->arg_count) e = with_args(f, e, args, n);
    return deciding ? either_equal(f, e) : e;
}

static struct expr *negated_call(struct fold *f, struct expr *e)
{
    const struct operator_def *op = e->call.op ? operator_by_oid(e->call.op->negator) : NULL;
    const struct proc_def *proc = op ? proc_by_oid(op->proc) : NULL;
    if (!proc) return NULL;
    struct expr *made = with_args(f, e, e->args, e->arg_count);
    made->call.op = op;
    made->call.proc = proc;
    return made;
}

static struct expr *fold_not(struct fold *f, struct expr *e)
{
    struct expr *a = e->args[0], *made = NULL;
    int t = truth(a);
    if (t == -1) return a;
    if (t != 2) return make_bool(f, !t);
    if (is_bool(a, BOOL_NOT)) return a->args[0];
    if (a->kind == EXPR_CALL) made = negated_call(f, a);
    if (a->kind == EXPR_NULL_TEST && (a->as_whole || !type_is_composite(a->args[0]->type))) {
        made = with_args(f, a, a->args, a->arg_count);
        made->negated = !a->negated;
    }
    if (is_bool(a, BOOL_AND) || is_bool(a, BOOL_OR)) {
        struct expr **args = ARENA_ARRAY(f->arena, struct expr *, a->arg_count);
        for (uint32_t i = 0; i < a->arg_count; i++) {
            args[i] = with_args(f, e, ARENA_ARRAY(f->arena, struct expr *, 1), 1);
            args[i]->args[0] = a->args[i];
            args[i] = fold_not(f, args[i]);
        }
        made = with_args(f, a, args, a->arg_count);
        made->bool_op = a->bool_op == BOOL_AND ? BOOL_OR : BOOL_AND;
        made = fold_and_or(f, made);
    }
    return made ? made : e;
}

/* Branches that cannot be taken go; the first that must be ends it. */
static struct expr *fold_case(struct fold *f, struct expr *e)
{
    struct expr **args = ARENA_ARRAY(f->arena, struct expr *, e->arg_count);
    uint32_t n = 0, i;
    if (e->case_when.has_operand) return e;
    for (i = 0; i + 1 < e->arg_count; i += 2) {
        int t = truth(e->args[i]);
        if (t == 1) break;
        if (t != 2) continue;
        args[n++] = e->args[i];
        args[n++] = e->args[i + 1];
    }
    struct expr *last = i + 1 < e->arg_count ? e->args[i + 1] : e->args[e->arg_count - 1];
    if (n == 0) return last;
    if (n + 1 == e->arg_count) return e;
    args[n++] = last;
    return with_args(f, e, args, n);
}

static struct expr *fold_coalesce(struct fold *f, struct expr *e)
{
    struct expr **args = ARENA_ARRAY(f->arena, struct expr *, e->arg_count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        bool constant = e->args[i]->kind == EXPR_CONST;
        if (constant && e->args[i]->constant.null) continue;
        args[n++] = e->args[i];
        if (constant) break;
    }
    if (n == 0) return e->args[0];
    if (n == 1 && args[0]->type == e->type) return args[0];
    return n == e->arg_count ? e : with_args(f, e, args, n);
}

/* --- comparisons of unlike types ------------------------------------------------------------- */

static int64_t integer_of(const struct expr *e)
{
    return e->type == TYPE_INT8 ? e->constant.v.i64
           : e->type == TYPE_INT4 ? e->constant.v.i32 : e->constant.v.i16;
}

static bool is_integer(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

/* The constant in the other side's integer type, when it has room. */
static struct expr *integer_constant(struct fold *f, const struct expr *c, type_id type)
{
    int64_t v = integer_of(c);
    struct datum d = {0};
    if (type == TYPE_INT2 && (v < INT16_MIN || v > INT16_MAX)) return NULL;
    if (type == TYPE_INT4 && (v < INT32_MIN || v > INT32_MAX)) return NULL;
    if (type == TYPE_INT8) d.v.i64 = v;
    else if (type == TYPE_INT4) d.v.i32 = (int32_t)v;
    else d.v.i16 = (int16_t)v;
    return expr_const(f->arena, type, d);
}

/* date op timestamp: the day that begins at or before the instant; an instant within a day lies after
 * the day's beginning, which changes < into <= and >= into >. */
static struct expr *day_constant(struct fold *f, const struct expr *c, const char **op)
{
    int64_t us = c->constant.v.i64, day = us / US_PER_DAY, within = us % US_PER_DAY;
    if (within < 0) {
        within += US_PER_DAY;
        day--;
    }
    if (us == INT64_MIN || us == INT64_MAX || day < -2000000 || day > 2000000) return NULL;
    if (within) {
        if (strcmp(*op, "<") == 0) *op = "<=";
        else if (strcmp(*op, ">=") == 0) *op = ">";
        else if (strcmp(*op, "<=") != 0 && strcmp(*op, ">") != 0) return NULL;
    }
    return expr_const(f->arena, TYPE_DATE, (struct datum){.v.i32 = (int32_t)day});
}

static bool is_comparison(const char *name)
{
    static const char *const names[] = {"=", "<>", "<", "<=", ">", ">="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* value op constant, by the value's own type. */
static struct expr *fold_comparison(struct fold *f, struct expr *e)
{
    const struct operator_def *op = e->call.op;
    if (!op || e->arg_count != 2 || !is_comparison(op->name)) return e;
    const struct expr *value = e->args[0], *c = e->args[1];
    if (value->kind == EXPR_CONST) {
        op = operator_by_oid(op->commutator);
        value = e->args[1];
        c = e->args[0];
        if (!op) return e;
    }
    if (value->kind == EXPR_CONST || c->kind != EXPR_CONST || c->constant.null) return e;
    if (value->type == c->type) return e;
    const char *name = op->name;
    struct expr *made = NULL;
    if (is_integer(value->type) && is_integer(c->type))
        made = integer_constant(f, c, value->type);
    if (value->type == TYPE_DATE && c->type == TYPE_TIMESTAMP) made = day_constant(f, c, &name);
    if (!made) return e;
    op = operator_exact(name, value->type, value->type);
    const struct proc_def *proc = op ? proc_by_oid(op->proc) : NULL;
    if (!proc) return e;
    struct expr *args[2] = {(struct expr *)(uintptr_t)value, made};
    struct expr *call = with_args(f, e, arena_memdup(f->arena, args, sizeof args), 2);
    call->call.op = op;
    call->call.proc = proc;
    return call;
}

/* --- the walk ------------------------------------------------------------------------------- */

static struct expr *fold_node(struct fold *f, struct expr *e)
{
    if (may_evaluate(e)) e = evaluate(f, e);
    switch (e->kind) {
    case EXPR_BOOL: return e->bool_op == BOOL_NOT ? fold_not(f, e) : fold_and_or(f, e);
    case EXPR_CASE: return fold_case(f, e);
    case EXPR_COALESCE: return fold_coalesce(f, e);
    case EXPR_CALL: return fold_comparison(f, e);
    default: return e;
    }
}

static struct expr *fold_param(struct fold *f, struct expr *e)
{
    const struct datum *values = f->env->param_values;
    uint32_t i = (uint32_t)e->param - 1;
    if (!values || i >= f->plan->param_count || f->plan->param_types[i] != e->type) return e;
    struct expr *made = expr_const(f->arena, e->type, datum_copy(f->arena, e->type, values[i]));
    made->typmod = e->typmod;
    made->location = e->location;
    return made;
}

/* An aggregate's or a window call's clauses besides its arguments. */
static struct expr *fold_clauses(struct query_map *m, struct expr *e)
{
    if (e->kind == EXPR_AGGREGATE && (e->aggregate.filter || e->aggregate.order_count)) {
        e = arena_memdup(m->arena, e, sizeof *e);
        if (e->aggregate.filter) e->aggregate.filter = fold(m, e->aggregate.filter);
        uint32_t n = e->aggregate.order_count;
        struct sort_item *items = ARENA_ARRAY(m->arena, struct sort_item, n);
        for (uint32_t i = 0; i < n; i++) {
            items[i] = e->aggregate.order_by[i];
            items[i].expr = fold(m, items[i].expr);
        }
        e->aggregate.order_by = items;
    }
    if (e->kind == EXPR_WINDOW && e->window.filter) {
        e = arena_memdup(m->arena, e, sizeof *e);
        e->window.filter = fold(m, e->window.filter);
    }
    return e;
}

static struct expr *fold(struct query_map *m, struct expr *e)
{
    struct fold *f = m->ctx;
    struct expr **args = NULL;
    if (!e || e->kind == EXPR_CONST || e->kind == EXPR_COLUMN) return e;
    if (e->kind == EXPR_PARAM) return fold_param(f, e);
    if (fiber_stack_left() < 64 << 10) return e;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        struct expr *made = fold(m, e->args[i]);
        if (made == e->args[i]) continue;
        if (!args) args = arena_memdup(m->arena, e->args, e->arg_count * sizeof *args);
        args[i] = made;
    }
    if (args) e = with_args(f, e, args, e->arg_count);
    if (e->kind == EXPR_SUBQUERY) return query_map_subquery(m, e);
    return fold_node(f, fold_clauses(m, e));
}

void fold_query(struct planner *p, struct query *q)
{
    struct fold f = {p->env, p->arena, p->plan};
    struct query_map m = {.arena = p->arena, .expr = fold, .ctx = &f};
    (void)query_map_run(&m, q);
}

struct expr *fold_expr(struct planner *p, struct expr *e)
{
    struct fold f = {p->env, p->arena, p->plan};
    struct query_map m = {.arena = p->arena, .expr = fold, .ctx = &f};
    ASSERT(!expr_has_subquery(e));
    return fold(&m, e);
}
