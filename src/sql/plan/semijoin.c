/* EXISTS, IN and their negations as semi- and anti-joins.
 *
 * The subquery is planned once, without the conditions that tie it to the enclosing row; those become
 * the join's keys and its condition. What is planned is a copy: UPDATE and DELETE look at the whole
 * condition again when a row changed meanwhile. A subplan that runs for each row stays when an index
 * makes that cheaper, and when a subquery cannot be taken apart. */
#include "sql/plan/decorrelate.h"

#include <math.h>

struct semi_join {
    bool anti, whole;   /* whole: uncorrelated, and planned as it is */
    struct expr *link;  /* the EXPR_SUBQUERY */
    struct query *sub;
    struct ties ties;
    ARRAY(struct expr *) left, right; /* keys of a whole one; the right ones over its slots */
};

static bool plain(const struct query *q)
{
    return q->command == CMD_SELECT && !q->has_group && !q->has_aggregates && !q->has_windows &&
           !q->has_srf && !q->having && !q->limit && !q->offset && q->set_op == SETOP_NONE &&
           q->cte_count == 0 && q->locking_count == 0 && q->from_count > 0;
}

static struct expr *equality(struct arena *a, const struct operator_def *op, struct expr *left,
                             struct expr *right)
{
    struct expr *e = expr_const(a, TYPE_BOOL, (struct datum){0});
    struct expr *args[2] = {left, right};
    e->kind = EXPR_CALL;
    e->arg_count = 2;
    e->args = arena_memdup(a, args, sizeof args);
    e->call.op = op;
    e->call.proc = proc_by_oid(op->proc);
    e->call.variadic_array = e->call.sql_syntax = false;
    return e;
}

static bool all_named(const struct expr *e, const char *name)
{
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (strcmp(e->subquery.ops[i]->name, name) != 0) return false;
    return e->arg_count > 0;
}

/* The equality of column i, for IN and NOT IN. */
static const struct operator_def *equality_of(const struct semi_join *s, uint32_t i)
{
    const struct operator_def *op = s->link->subquery.ops[i];
    if (strcmp(op->name, "=") == 0) return op;
    op = operator_by_oid(op->negator);
    return op && strcmp(op->name, "=") == 0 ? op : NULL;
}

static uint32_t visible_targets(const struct query *q)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->target_count; i++) n += !q->targets[i].junk;
    return n;
}

/* A subquery that reads nothing outside: its columns are the keys. Of NOT IN one column is enough to
 * know what a NULL means. */
static bool analyse_whole(struct planner *p, struct semi_join *s)
{
    const struct expr *e = s->link;
    if (s->anti && e->arg_count != 1) return false;
    if (visible_targets(s->sub) != e->arg_count) return false;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct operator_def *op = equality_of(s, i);
        const struct expr *target = s->sub->targets[i].expr;
        struct expr *left, *right;
        if (!op || expr_has_subquery(e->args[i]) || s->sub->targets[i].junk) return false;
        right = expr_slot(p, i, target->type, target->typmod);
        right = equality(p->arena, op, e->args[i], right);
        if (!hashable_equality(p->arena, right, &left, &right)) return false;
        ARENA_PUSH(p->arena, &s->left, left);
        ARENA_PUSH(p->arena, &s->right, right);
    }
    s->whole = true;
    return true;
}

/* IN of a correlated subquery is EXISTS with one more condition for each column. */
static bool add_tests(struct planner *p, struct semi_join *s)
{
    const struct expr *e = s->link;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct operator_def *op = equality_of(s, i);
        if (!op || expr_has_subquery(e->args[i])) return false;
        struct expr *arg = raise_columns(p->arena, e->args[i], 1);
        if (!ties_add(&s->ties, equality(p->arena, op, arg, s->sub->targets[i].expr))) return false;
    }
    return true;
}

static bool analyse(struct level *l, struct expr *e, struct semi_join *s)
{
    struct planner *p = l->planner;
    *s = (struct semi_join){0};
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_NOT) {
        s->anti = true;
        e = e->args[0];
    }
    if (e->kind != EXPR_SUBQUERY || e->subquery.query->parent != l->query) return false;
    s->link = e;
    s->sub = e->subquery.query;
    if (s->sub->command != CMD_SELECT || expr_is_volatile(e)) return false;
    bool test = e->subquery.type == SUBLINK_ANY && all_named(e, "=");
    if (e->subquery.type == SUBLINK_ALL && all_named(e, "<>") && !s->anti) test = s->anti = true;
    if (!test && e->subquery.type != SUBLINK_EXISTS) return false;
    if (test && !query_reads_outside(s->sub)) return analyse_whole(p, s);
    if ((test && s->anti) || !plain(s->sub) || s->sub->distinct_on_count) return false;
    if (!ties_find(p, s->sub, &s->ties)) return false;
    if (test && !add_tests(p, s)) return false;
    return s->ties.outer_keys.count + s->ties.rest.count > 0;
}

/* --- making it --------------------------------------------------------------------------------- */

static struct plan_node *join_node(struct level *l, const struct semi_join *s,
                                   struct plan_node *right, uint32_t keys)
{
    struct plan_node *left = l->current.node;
    struct plan_node *node = node_new(l->planner, keys ? PLAN_HASH_JOIN : PLAN_NESTED_LOOP);
    node->left = left;
    node->right = right;
    node->join.type = s->anti ? JOIN_ANTI : JOIN_SEMI;
    node->join.key_count = keys;
    node_columns_from(l->planner, node, left);
    return node;
}

/* Workers build only what few probed rows may ask for (exec/ops/gather_builds.c). */
static double build_rows(const struct planner *p, const struct plan_node *node, uint32_t keys)
{
    const struct plan_node *left = node->left, *right = node->right;
    if (!p->env->parallel.workers || node->join.null_aware || left->rows * 4 > right->rows)
        return right->rows;
    return right->rows * semi_join_fraction(right, node->join.right_keys, left, node->join.left_keys, keys);
}

/* Once the keys are there: how many rows stay, and what that takes. */
static void estimate(const struct planner *p, struct plan_node *node, uint32_t keys)
{
    const struct plan_node *left = node->left, *right = node->right;
    double part = semi_join_fraction(left, node->join.left_keys, right, node->join.right_keys, keys);
    node->rows = left->rows * (node->join.type == JOIN_ANTI ? 1 - part : part);
    if (node->rows < 1) node->rows = 1;
    node->cost_total = left->cost_total + right->cost_total;
    node->cost_total += keys ? left->rows * COST_HASH_PROBE + build_rows(p, node, keys) * COST_HASH_BUILD
                             : left->rows * right->rows * COST_LOOP_PAIR;
}

static enum status plan_whole(struct level *l, struct semi_join *s, struct plan_node **ret)
{
    struct planner *p = l->planner;
    struct plan_node *right;
    struct level *inner, *saved = p->levels;
    uint32_t n = (uint32_t)s->left.count;
    TRY(plan_select(p, query_copy(p->arena, s->sub), &right, &inner));
    p->levels = saved;
    *ret = join_node(l, s, right, n);
    (*ret)->join.null_aware = s->anti;
    (*ret)->join.right_keys = s->right.data;
    return rewrite_all(l, s->left.data, n, &(*ret)->join.left_keys);
}

static enum status plan_tied(struct level *l, struct semi_join *s, struct plan_node **ret)
{
    struct planner *p = l->planner;
    uint32_t left_columns = l->current.node->column_count;
    struct plan_node *right;
    struct level *inner, *saved = p->levels;
    struct ties *t = &s->ties;
    uint32_t n = (uint32_t)t->outer_keys.count;
    struct query *q = s->sub, whole = *q;
    q->where = make_and(p, t->inner.data, (uint32_t)t->inner.count);
    q->target_count = q->order_count = 0;
    q->distinct = false;
    struct expr **left_keys = ARENA_ARRAY(p->arena, struct expr *, n);
    struct expr **right_keys = ARENA_ARRAY(p->arena, struct expr *, n);
    for (uint32_t i = 0; i < n; i++) {
        struct expr *key = t->inner_keys.data[i];
        left_keys[i] = tie_move(l, q, left_columns, t->outer_keys.data[i]);
        right_keys[i] = expr_slot(p, target_of(p->arena, q, key), key->type, key->typmod);
    }
    struct expr *condition = make_and(p, t->rest.data, (uint32_t)t->rest.count);
    if (condition) condition = tie_move(l, q, left_columns, condition);
    q = query_copy(p->arena, s->sub);
    *s->sub = whole;
    TRY(plan_select(p, q, &right, &inner));
    p->levels = saved;
    *ret = join_node(l, s, right, n);
    (*ret)->join.right_keys = right_keys;
    TRY(rewrite_all(l, left_keys, n, &(*ret)->join.left_keys));
    return condition ? rewrite(l, condition, &(*ret)->join.condition) : OK;
}

static enum status apply(struct level *l, struct expr *e, struct semi_join *s)
{
    struct plan_node *node, *left = l->current.node;
    double by_rows;
    if (s->whole) {
        TRY(plan_whole(l, s, &node));
        estimate(l->planner, node, (uint32_t)s->left.count);
    } else {
        TRY(plan_tied(l, s, &node));
        estimate(l->planner, node, (uint32_t)s->ties.outer_keys.count);
        TRY(subplan_cost(l, s->sub, left->rows, &by_rows));
        if (by_rows < node->cost_total - left->cost_total) {
            TRY(rewrite(l, e, &e));
            node = node_filter(l->planner, left, e);
        }
    }
    l->current.node = node;
    return OK;
}

/* --- conditions with subqueries ---------------------------------------------------------------- */

enum status subplan_cost(struct level *l, const struct query *q, double rows, double *ret)
{
    struct planner *p = l->planner;
    struct level *inner, *saved = p->levels;
    struct plan_node *root;
    /* Within an estimate nothing else is tried: nested subqueries must not double the work each. */
    *ret = INFINITY;
    if (p->estimating) return OK;
    p->estimating = true;
    enum status s = plan_select(p, query_copy(p->arena, q), &root, &inner);
    p->estimating = false;
    p->levels = saved;
    TRY(s);
    *ret = rows * (root->cost_total + COST_LOOKUP);
    return OK;
}

enum status plan_late(struct level *l, struct expr **items, uint32_t n)
{
    struct semi_join s;
    /* Semi-joins first: what comes after has fewer rows. */
    for (uint32_t i = 0; i < n; i++)
        if (analyse(l, items[i], &s)) TRY(apply(l, items[i], &s));
    for (uint32_t i = 0; i < n; i++) {
        struct expr *condition;
        if (analyse(l, items[i], &s)) continue;
        TRY(plan_sublinks(l, &items[i], 1, l->current.node->rows));
        TRY(rewrite(l, items[i], &condition));
        l->current.node = node_filter(l->planner, l->current.node, condition);
    }
    l->sublinks.count = 0;
    return OK;
}

uint32_t take_late(struct level *l, struct expr ***ret)
{
    uint32_t n = 0;
    size_t kept = 0;
    struct semi_join s;
    *ret = ARENA_ARRAY(l->planner->arena, struct expr *, l->conjuncts.count + 1);
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        struct expr *e = l->conjuncts.data[i];
        bool late = expr_has_subquery(e) && (analyse(l, e, &s) || has_sublink(l, e));
        if (late) (*ret)[n++] = e;
        else l->conjuncts.data[kept++] = e;
    }
    l->conjuncts.count = kept;
    return n;
}
