/* Walking, copying and comparing bound expressions, and what can be said of them without running
 * them. Depth is the binder's to bound: it refuses what is nested deeper than a stack allows. */
#include "sql/expr.h"

#include "sql/query.h"
#include "types/cast.h"
#include "types/record.h"

struct expr *expr_const(struct arena *a, type_id type, struct datum d)
{
    struct expr *e = ARENA_NEW(a, struct expr);
    e->kind = EXPR_CONST;
    e->type = type;
    e->typmod = -1;
    e->location = -1;
    e->constant = d;
    return e;
}

/* --- walking ---------------------------------------------------------------------------------- */

bool expr_walk(const struct expr *e, bool (*fn)(void *ctx, const struct expr *child), void *ctx)
{
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (e->args[i] && !fn(ctx, e->args[i])) return false;
    if (e->kind == EXPR_WINDOW) return !e->window.filter || fn(ctx, e->window.filter);
    if (e->kind != EXPR_AGGREGATE) return true;
    if (e->aggregate.filter && !fn(ctx, e->aggregate.filter)) return false;
    for (uint32_t i = 0; i < e->aggregate.order_count; i++)
        if (!fn(ctx, e->aggregate.order_by[i].expr)) return false;
    return true;
}

struct expr *expr_map(struct arena *a, const struct expr *e,
                      struct expr *(*fn)(void *ctx, struct expr *child), void *ctx)
{
    struct expr *copy = arena_memdup(a, e, sizeof *e);
    if (e->arg_count) copy->args = ARENA_ARRAY(a, struct expr *, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++)
        copy->args[i] = e->args[i] ? fn(ctx, e->args[i]) : NULL;
    if (e->kind == EXPR_WINDOW && e->window.filter) copy->window.filter = fn(ctx, e->window.filter);
    if (e->kind != EXPR_AGGREGATE) return copy;
    if (e->aggregate.filter) copy->aggregate.filter = fn(ctx, e->aggregate.filter);
    uint32_t n = e->aggregate.order_count;
    if (n) copy->aggregate.order_by = ARENA_ARRAY(a, struct sort_item, n);
    for (uint32_t i = 0; i < n; i++) {
        copy->aggregate.order_by[i] = e->aggregate.order_by[i];
        copy->aggregate.order_by[i].expr = fn(ctx, e->aggregate.order_by[i].expr);
    }
    return copy;
}

/* --- equality --------------------------------------------------------------------------------- */

static bool same_optional(const struct expr *a, const struct expr *b)
{
    return a == b || (a && b && expr_equal(a, b));
}

static bool same_aggregate(const struct expr *a, const struct expr *b)
{
    if (a->aggregate.proc != b->aggregate.proc || a->aggregate.distinct != b->aggregate.distinct ||
        a->aggregate.star != b->aggregate.star ||
        a->aggregate.order_count != b->aggregate.order_count ||
        a->aggregate.direct_count != b->aggregate.direct_count ||
        !same_optional(a->aggregate.filter, b->aggregate.filter))
        return false;
    for (uint32_t i = 0; i < a->aggregate.order_count; i++) {
        const struct sort_item *x = &a->aggregate.order_by[i], *y = &b->aggregate.order_by[i];
        if (x->descending != y->descending || x->nulls_first != y->nulls_first ||
            !expr_equal(x->expr, y->expr))
            return false;
    }
    return true;
}

/* What the kind holds besides arguments. Subqueries are equal only to themselves. */
static bool same_node(const struct expr *a, const struct expr *b)
{
    switch ((enum expr_kind)a->kind) {
    case EXPR_CONST: return value_identical(a->type, &a->constant, &b->constant);
    case EXPR_PARAM:
    case EXPR_OUTER: return a->param == b->param;
    case EXPR_COLUMN:
        return a->column.relation == b->column.relation && a->column.column == b->column.column &&
               a->column.levels_up == b->column.levels_up;
    case EXPR_SLOT: return a->slot == b->slot;
    case EXPR_CALL:
        return a->call.proc == b->call.proc && a->call.variadic_array == b->call.variadic_array;
    case EXPR_DISTINCT:
    case EXPR_NULLIF:
    case EXPR_IN_LIST: return a->call.proc == b->call.proc;
    case EXPR_ANY: return a->any.proc == b->any.proc && a->any.all == b->any.all;
    case EXPR_BOOL: return a->bool_op == b->bool_op;
    case EXPR_NULL_TEST: return a->negated == b->negated && a->as_whole == b->as_whole;
    case EXPR_ROW: return a->row_may_lack == b->row_may_lack;
    case EXPR_FIELD: return a->field.number == b->field.number;
    case EXPR_BOOLEAN_TEST: return a->boolean_test == b->boolean_test;
    case EXPR_CASE: return a->case_when.has_operand == b->case_when.has_operand;
    case EXPR_MIN_MAX: return a->least == b->least;
    case EXPR_CAST: return a->cast.method == b->cast.method;
    case EXPR_SUBSCRIPT:
        return a->subscript.slice == b->subscript.slice && a->subscript.dims == b->subscript.dims;
    case EXPR_SUBQUERY:
        return a->subquery.query == b->subquery.query && a->subquery.type == b->subquery.type;
    case EXPR_AGGREGATE: return same_aggregate(a, b);
    case EXPR_WINDOW:
        return a->window.proc == b->window.proc && a->window.window == b->window.window &&
               a->window.star == b->window.star && a->window.distinct == b->window.distinct &&
               same_optional(a->window.filter, b->window.filter);
    case EXPR_SQL_VALUE: return a->sql_value == b->sql_value;
    case EXPR_COALESCE:
    case EXPR_ARRAY:
    case EXPR_GROUPING: return true;
    }
    return false;
}

bool expr_equal(const struct expr *a, const struct expr *b)
{
    if (a == b) return true;
    if (a->kind != b->kind || a->type != b->type || a->typmod != b->typmod ||
        a->arg_count != b->arg_count || !same_node(a, b))
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!same_optional(a->args[i], b->args[i])) return false;
    return true;
}

/* --- volatile --------------------------------------------------------------------------------- */

const struct proc_def *expr_proc(const struct expr *e)
{
    switch (e->kind) {
    case EXPR_CALL:
    case EXPR_DISTINCT:
    case EXPR_NULLIF:
    case EXPR_IN_LIST: return e->call.proc;
    case EXPR_ANY: return e->any.proc;
    case EXPR_AGGREGATE: return e->aggregate.proc;
    case EXPR_WINDOW: return e->window.proc;
    default: return NULL;
    }
}

static bool query_is_volatile(const struct query *q);

static bool is_steady(void *ctx, const struct expr *e)
{
    (void)ctx;
    return !expr_is_volatile(e);
}

bool expr_is_volatile(const struct expr *e)
{
    const struct proc_def *p = expr_proc(e);
    if (p && p->volatility == VOLATILE) return true;
    if (e->kind == EXPR_SUBQUERY && query_is_volatile(e->subquery.query)) return true;
    return !expr_walk(e, is_steady, NULL);
}

static bool any_volatile(struct expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] && expr_is_volatile(items[i])) return true;
    return false;
}

static bool from_is_volatile(const struct from_item *f)
{
    if (!f) return false;
    return (f->condition && expr_is_volatile(f->condition)) || from_is_volatile(f->left) ||
           from_is_volatile(f->right);
}

static bool relation_is_volatile(const struct relation *r)
{
    if (r->kind == REL_SUBQUERY) return query_is_volatile(r->subquery);
    if (any_volatile(r->functions, r->function_count)) return true;
    for (uint32_t i = 0; i < r->value_count; i++)
        if (any_volatile(r->values[i], r->column_count)) return true;
    return false;
}

static bool query_is_volatile(const struct query *q)
{
    if (!q) return false;
    if (q->command != CMD_SELECT) return true;
    if (query_is_volatile(q->left) || query_is_volatile(q->right)) return true;
    struct expr *const single[] = {q->where, q->having, q->limit, q->offset};
    if (any_volatile(single, sizeof single / sizeof single[0])) return true;
    for (uint32_t i = 0; i < q->target_count; i++)
        if (expr_is_volatile(q->targets[i].expr)) return true;
    if (any_volatile(q->group_by, q->group_count)) return true;
    for (uint32_t i = 0; i < q->from_count; i++)
        if (from_is_volatile(q->from[i])) return true;
    for (uint32_t i = 0; i < q->relation_count; i++)
        if (relation_is_volatile(q->relations[i])) return true;
    for (uint32_t i = 0; i < q->cte_count; i++)
        if (q->ctes[i]->query && query_is_volatile(q->ctes[i]->query)) return true;
    return false;
}

/* --- constant --------------------------------------------------------------------------------- */

/* Text forms that depend on the session or the catalog. */
static bool has_fixed_text(type_id type)
{
    const struct type_info *t = type_get(type);
    if (t && t->element && t->category == 'A') type = t->element;
    if (type_is_composite(type)) return false;
    switch (type) {
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_BYTEA:
    case TYPE_REGCLASS:
    case TYPE_REGTYPE:
    case TYPE_REGPROC:
    case TYPE_REGROLE:
    case TYPE_REGNAMESPACE: return false;
    default: return true;
    }
}

static bool cast_is_immutable(const struct expr *e)
{
    type_id from = e->args[0]->type;
    switch (e->cast.method) {
    case CAST_RELABEL:
    case CAST_TYPMOD: return true;
    case CAST_FUNCTION: {
        const struct cast_info *c = cast_find(from, e->type);
        const struct proc_def *p = c ? proc_by_oid(c->function_oid) : NULL;
        if (p) return p->volatility == IMMUTABLE;
        break;
    }
    default: break;
    }
    return has_fixed_text(from) && has_fixed_text(e->type);
}

static bool is_constant(void *ctx, const struct expr *e)
{
    const struct proc_def *p = expr_proc(e);
    if (p && (p->volatility != IMMUTABLE || p->returns_set)) return false;
    switch (e->kind) {
    case EXPR_PARAM:
    case EXPR_COLUMN:
    case EXPR_SLOT:
    case EXPR_OUTER:
    case EXPR_SUBQUERY:
    case EXPR_AGGREGATE:
    case EXPR_WINDOW:
    case EXPR_SQL_VALUE:
    case EXPR_GROUPING: return false;
    case EXPR_CAST:
        if (!cast_is_immutable(e)) return false;
        break;
    default: break;
    }
    return expr_walk(e, is_constant, ctx);
}

bool expr_is_constant(const struct expr *e)
{
    return is_constant(NULL, e);
}
