/* Correlated scalar aggregates and EXISTS, wherever they stand in an expression.
 *
 * (SELECT agg FROM … WHERE inner = outer …) becomes a left join with the same query grouped by its side
 * of the equalities. A row without partner has the aggregate of no rows: NULL, but for count, where the
 * expression over zero is put in place. EXISTS is true where a partner is. Only what cannot raise an
 * error is computed for groups that nobody may ask for. */
#include "sql/plan/decorrelate.h"

#include "types/numeric.h"

static bool in_list(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static bool safe_operator(const struct expr *e)
{
    static const char *const names[] = {"+", "-", "*", "||", "=", "<>", "<", "<=", ">", ">=",
                                        "~~", "!~~", "~~*", "!~~*"};
    if (!e->call.op) return false;
    if (in_list(names, sizeof names / sizeof names[0], e->call.op->name)) return true;
    if (strcmp(e->call.op->name, "/") != 0 || e->arg_count != 2) return false;
    const struct expr *by = e->args[1];
    if (by->kind != EXPR_CONST || by->constant.null) return false;
    switch (by->type) {
    case TYPE_INT4: return by->constant.v.i32 > 0;
    case TYPE_INT8: return by->constant.v.i64 > 0;
    case TYPE_FLOAT8: return by->constant.v.f64 > 0;
    case TYPE_NUMERIC: return numeric_sign(&by->constant.v.numeric) != 0;
    default: return false;
    }
}

static bool safe_aggregate(const struct expr *e)
{
    static const char *const names[] = {"count", "sum", "avg", "min", "max", "bool_and", "bool_or",
                                        "every", "array_agg", "string_agg", "json_agg", "jsonb_agg",
                                        "json_object_agg", "jsonb_object_agg"};
    return e->aggregate.direct_count == 0 &&
           in_list(names, sizeof names / sizeof names[0], e->aggregate.proc->name);
}

static bool is_number(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8 || t == TYPE_NUMERIC ||
           t == TYPE_FLOAT8;
}

static bool is_safe(void *ctx, const struct expr *e)
{
    if (!e) return true;
    switch (e->kind) {
    case EXPR_CONST:
    case EXPR_COLUMN:
    case EXPR_PARAM:
    case EXPR_BOOL:
    case EXPR_NULL_TEST:
    case EXPR_BOOLEAN_TEST:
    case EXPR_CASE:
    case EXPR_COALESCE:
    case EXPR_IN_LIST: break;
    case EXPR_CALL:
        if (!safe_operator(e)) return false;
        break;
    case EXPR_CAST:
        if (e->cast.method == CAST_RELABEL) break;
        if (!is_number(e->type) || !is_number(e->args[0]->type) || e->typmod >= 0) return false;
        break;
    case EXPR_AGGREGATE:
        if (!safe_aggregate(e)) return false;
        break;
    default: return false;
    }
    return expr_walk(e, is_safe, ctx);
}

/* --- which ones ----------------------------------------------------------------------------- */

static bool plain(const struct query *q)
{
    return q->command == CMD_SELECT && !q->has_group && !q->has_windows && !q->has_srf &&
           !q->having && !q->limit && !q->offset && q->set_op == SETOP_NONE && q->cte_count == 0 &&
           q->locking_count == 0 && q->from_count > 0 && q->where && !q->order_count;
}

static bool analyse(struct level *l, const struct expr *e, struct ties *t)
{
    if (e->kind != EXPR_SUBQUERY || e->subquery.query->parent != l->query) return false;
    struct query *q = e->subquery.query;
    bool scalar = e->subquery.type == SUBLINK_SCALAR;
    if (!scalar && e->subquery.type != SUBLINK_EXISTS) return false;
    if (!plain(q) || scalar != q->has_aggregates || q->distinct_on_count) return false;
    if (scalar && (q->target_count != 1 || !is_safe(NULL, q->targets[0].expr))) return false;
    if (expr_is_volatile(e) || !ties_find(l->planner, q, t)) return false;
    return t->outer_keys.count > 0 && t->rest.count == 0;
}

struct finding {
    struct level *level;
    ARRAY(const struct expr *) found;
    struct ties ties; /* of the one that is looked at: not on the stack, as expressions are deep */
};

static bool find(void *ctx, const struct expr *e)
{
    struct finding *f = ctx;
    if (!e || e->kind == EXPR_AGGREGATE || e->kind == EXPR_WINDOW) return true;
    if (analyse(f->level, e, &f->ties)) ARENA_PUSH(f->level->planner->arena, &f->found, e);
    return expr_walk(e, find, f);
}

bool has_sublink(struct level *l, const struct expr *e)
{
    struct finding f = {.level = l};
    find(&f, e);
    return f.found.count > 0;
}

/* --- the join ------------------------------------------------------------------------------- */

static struct expr *without_rows(void *ctx, struct expr *e)
{
    struct planner *p = ctx;
    if (!e) return NULL;
    if (e->kind != EXPR_AGGREGATE) return expr_map(p->arena, e, without_rows, p);
    bool count = strcmp(e->aggregate.proc->name, "count") == 0;
    return expr_const(p->arena, e->type, (struct datum){.null = !count});
}

static struct expr *null_test(struct planner *p, struct expr *of, bool negated)
{
    struct expr *e = expr_const(p->arena, TYPE_BOOL, (struct datum){0});
    e->kind = EXPR_NULL_TEST;
    e->arg_count = 1;
    e->args = arena_memdup(p->arena, &of, sizeof of);
    e->negated = negated;
    return e;
}

static struct expr *value_of(struct planner *p, const struct expr *link, struct expr *key,
                             uint32_t slot)
{
    if (link->subquery.type == SUBLINK_EXISTS) return null_test(p, key, true);
    struct expr *target = link->subquery.query->targets[0].expr;
    struct expr *value = expr_slot(p, slot, target->type, target->typmod);
    struct expr *empty = fold_expr(p, without_rows(p, target));
    if (empty->kind == EXPR_CONST && empty->constant.null) return value;
    struct expr *e = expr_const(p->arena, target->type, (struct datum){0});
    struct expr *args[3] = {null_test(p, key, false), empty, value};
    e->kind = EXPR_CASE;
    e->typmod = target->typmod;
    e->case_when.has_operand = false;
    e->arg_count = 3;
    e->args = arena_memdup(p->arena, args, sizeof args);
    return e;
}

/* The subquery by itself, grouped by its side of the ties. */
static struct query *grouped_copy(struct planner *p, struct ties *t, bool scalar)
{
    struct query *q = t->sub, whole = *q;
    uint32_t n = (uint32_t)t->inner_keys.count;
    q->where = make_and(p, t->inner.data, (uint32_t)t->inner.count);
    q->group_by = t->inner_keys.data;
    q->group_count = n;
    q->has_group = true;
    q->distinct = false;
    q->targets = ARENA_ARRAY(p->arena, struct target, n + 1);
    for (uint32_t i = 0; i < n; i++)
        q->targets[i] = (struct target){.expr = t->inner_keys.data[i], .name = "key"};
    q->target_count = n + scalar;
    if (scalar) q->targets[n] = whole.targets[0];
    struct query *made = query_copy(p->arena, q);
    *q = whole;
    return made;
}

static enum status join_one(struct level *l, const struct expr *link, struct ties *t, double rows)
{
    struct planner *p = l->planner;
    struct plan_node *left = l->current.node, *right;
    struct level *inner, *saved = p->levels;
    bool scalar = link->subquery.type == SUBLINK_SCALAR;
    uint32_t n = (uint32_t)t->outer_keys.count, base = left->column_count;
    double by_rows;
    struct query *q = grouped_copy(p, t, scalar);
    TRY(plan_select(p, q, &right, &inner));
    p->levels = saved;
    TRY(subplan_cost(l, t->sub, rows, &by_rows));
    if (by_rows < right->cost_total + left->rows * COST_HASH_PROBE + right->rows * COST_HASH_BUILD)
        return OK;
    struct plan_node *node = node_new(p, PLAN_HASH_JOIN);
    node->left = left;
    node->right = right;
    node->join.type = JOIN_LEFT;
    node->join.key_count = n;
    node->join.right_keys = ARENA_ARRAY(p->arena, struct expr *, n);
    struct expr **keys = ARENA_ARRAY(p->arena, struct expr *, n), *first = t->inner_keys.data[0];
    for (uint32_t i = 0; i < n; i++) {
        const struct expr *key = t->inner_keys.data[i];
        keys[i] = tie_move(l, NULL, 0, t->outer_keys.data[i]);
        node->join.right_keys[i] = expr_slot(p, i, key->type, key->typmod);
    }
    TRY(rewrite_all(l, keys, n, &node->join.left_keys));
    node_columns_concat(p, node, left, right);
    node->rows = left->rows;
    node->cost_total = left->cost_total + right->cost_total + left->rows * COST_HASH_PROBE +
                       right->rows * COST_HASH_BUILD;
    l->current.node = node;
    struct sublink_value v = {t->sub, value_of(p, link, expr_slot(p, base, first->type, -1), base + n)};
    ARENA_PUSH(p->arena, &l->sublinks, v);
    return OK;
}

enum status plan_sublinks(struct level *l, struct expr *const *exprs, uint32_t n, double rows)
{
    struct finding f = {.level = l};
    for (uint32_t i = 0; i < n; i++)
        if (exprs[i]) find(&f, exprs[i]);
    for (size_t i = 0; i < f.found.count; i++) {
        struct ties t;
        bool known = sublink_value(l, f.found.data[i]) != NULL;
        if (!known && analyse(l, f.found.data[i], &t)) TRY(join_one(l, f.found.data[i], &t, rows));
    }
    return OK;
}
