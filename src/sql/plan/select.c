/* SELECT above FROM and WHERE, in the order in which it is meant: grouping, HAVING, windows, the
 * select list with its set-returning functions, DISTINCT, ORDER BY, LIMIT, and the set operations. */
#include "base/fiber.h"
#include "sql/plan/decorrelate.h"
#include "sql/plan/group_below.h"
#include "sql/plan/pullup.h"

/* --- what is read --------------------------------------------------------------------------- */

static void mark_used(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct level *l = ctx;
    if (owner != l->query) return;
    const struct relation *r = owner->relations[relation];
    if (r->kind != REL_JOIN) l->used[relation][column / 64] |= 1ull << column % 64;
}

static void mark_columns(struct level *l)
{
    query_columns(l->query, mark_used, l);
    for (uint32_t i = 0; i < l->query->locking_count; i++) {
        uint32_t r = l->query->locking[i].relation;
        if (l->query->relations[r]->kind == REL_TABLE && l->query->relations[r]->table->tree)
            l->key_slots[r] = 0;
    }
}

/* --- grouping ------------------------------------------------------------------------------- */

struct used_above {
    struct level *level;
    enum status status;
};

/* An aggregate of this level that is written in a subquery is a column of a relation of its own. */
static bool is_moved_aggregate(const struct relation *r)
{
    return r->kind == REL_JOIN && r->column_count == 1 &&
           (r->join_columns[0]->kind == EXPR_AGGREGATE ||
            r->join_columns[0]->kind == EXPR_GROUPING);
}

/* Columns used above the grouping that are no group: they depend on one that is (a primary key), so
 * grouping by them too changes nothing. */
static bool add_dependent(void *ctx, const struct expr *e)
{
    struct level *l = ctx;
    if (!e) return true;
    for (size_t i = 0; i < l->groups.count; i++)
        if (expr_equal(l->groups.data[i], e)) return true;
    if (e->kind == EXPR_AGGREGATE) return true;
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0)
        ARENA_PUSH(l->planner->arena, &l->groups, (struct expr *)(uintptr_t)e);
    return expr_walk(e, add_dependent, l);
}

static void add_inner_column(void *ctx, const struct query *owner, uint32_t relation,
                             uint32_t column)
{
    struct level *l = ctx;
    if (owner != l->query) return;
    const struct relation *r = owner->relations[relation];
    if (is_moved_aggregate(r)) return;
    struct expr *e = ARENA_NEW(l->planner->arena, struct expr);
    e->kind = EXPR_COLUMN;
    e->type = r->columns[column].type;
    e->typmod = r->columns[column].typmod;
    e->location = -1;
    e->column.relation = relation;
    e->column.column = column;
    (void)add_dependent(l, e);
}

/* Columns that subqueries above the grouping read. */
static bool add_subquery_columns(void *ctx, const struct expr *e)
{
    struct level *l = ctx;
    if (!e || e->kind == EXPR_AGGREGATE) return true;
    for (size_t i = 0; i < l->groups.count; i++)
        if (expr_equal(l->groups.data[i], e)) return true;
    if (e->kind == EXPR_SUBQUERY) query_columns(e->subquery.query, add_inner_column, l);
    return expr_walk(e, add_subquery_columns, l);
}

/* The outer exports of grouped levels are read above the grouping, through its slots. */
static void group_source(struct level *l, struct plan_node *n)
{
    struct source s = {.node = n, .relations = l->current.relations};
    s.slots = ARENA_ARRAY(l->planner->arena, struct slot_source, n->column_count);
    s.slot_count = n->column_count;
    for (uint32_t i = 0; i < n->column_count; i++) {
        const struct expr *g = i < l->groups.count ? l->groups.data[i] : NULL;
        s.slots[i] = (struct slot_source){UINT32_MAX, UINT32_MAX};
        if (g && g->kind == EXPR_COLUMN && g->column.levels_up == 0)
            s.slots[i] = (struct slot_source){g->column.relation, g->column.column};
    }
    l->current = s;
}

static enum status grouping_sets(struct level *l, struct plan_node *n)
{
    struct query *q = l->query;
    if (q->grouping_set_count == 0) return OK;
    if (l->groups.count > 64)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many grouping columns in GROUPING SETS");
    n->aggregate.set_count = q->grouping_set_count;
    n->aggregate.sets = ARENA_ARRAY(l->planner->arena, uint64_t, q->grouping_set_count);
    for (uint32_t i = 0; i < q->grouping_set_count; i++)
        for (uint32_t k = 0; k < q->grouping_sets[i].count; k++)
            n->aggregate.sets[i] |= 1ull << q->grouping_sets[i].items[k];
    return OK;
}

/* What aggregates read: expressions over the rows before grouping. */
struct aggregate_reads {
    struct arena *arena;
    ARRAY(struct expr *) exprs;
};

static bool collect_reads(void *ctx, const struct expr *e)
{
    struct aggregate_reads *r = ctx;
    if (!e) return true;
    if (e->kind != EXPR_AGGREGATE) return expr_walk(e, collect_reads, r);
    for (uint32_t i = 0; i < e->arg_count; i++) ARENA_PUSH(r->arena, &r->exprs, e->args[i]);
    if (e->aggregate.filter) ARENA_PUSH(r->arena, &r->exprs, e->aggregate.filter);
    return true;
}

static enum status plan_group(struct level *l, struct expr **above, uint32_t above_count,
                              struct expr **ret_above, struct expr **ret_having)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    struct plan_node *n = node_new(p, PLAN_AGGREGATE);
    for (uint32_t i = 0; i < q->group_count; i++)
        ARENA_PUSH(p->arena, &l->groups, expand_joins(l, q->group_by[i]));
    uint32_t given = (uint32_t)l->groups.count;
    struct aggregate_reads reads = {.arena = p->arena};
    for (uint32_t i = 0; i < given; i++) ARENA_PUSH(p->arena, &reads.exprs, l->groups.data[i]);
    for (uint32_t i = 0; i < above_count; i++) (void)collect_reads(&reads, above[i]);
    (void)collect_reads(&reads, expand_joins(l, q->having));
    for (uint32_t i = 0; i < q->relation_count; i++)
        if (is_moved_aggregate(q->relations[i]))
            (void)collect_reads(&reads, expand_joins(l, q->relations[i]->join_columns[0]));
    TRY(plan_sublinks(l, reads.exprs.data, (uint32_t)reads.exprs.count, l->current.node->rows));
    for (uint32_t i = 0; i < above_count; i++) {
        (void)add_dependent(l, above[i]);
        (void)add_subquery_columns(l, above[i]);
    }
    struct expr *having = expand_joins(l, q->having);
    (void)add_dependent(l, having);
    (void)add_subquery_columns(l, having);
    if (q->grouping_set_count && l->groups.count > given)
        return UNSUPPORTED("columns that depend on grouping columns are not supported in GROUPING SETS yet");
    TRY(rewrite_all(l, l->groups.data, (uint32_t)l->groups.count, &n->aggregate.groups));
    n->aggregate.group_count = (uint32_t)l->groups.count;
    n->aggregate.strategy = l->groups.count || q->grouping_set_count ? AGG_HASH : AGG_PLAIN;
    TRY(grouping_sets(l, n));
    struct source before = l->current;
    l->grouped = true;
    /* Aggregates are found while what stands above is rewritten; they read the rows before. Their
     * subplans' outer values too, so the source changes only afterwards for those. */
    for (uint32_t i = 0; i < above_count; i++) {
        l->current = before;
        TRY(rewrite(l, above[i], &ret_above[i]));
    }
    if (having) TRY(rewrite(l, having, ret_having));
    n->aggregate.calls = l->aggregates.data;
    n->aggregate.call_count = (uint32_t)l->aggregates.count;
    n->left = before.node;
    n->column_count = n->aggregate.group_count + n->aggregate.call_count;
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, n->column_count);
    for (uint32_t i = 0; i < n->aggregate.group_count; i++) {
        n->columns[i] = (struct plan_column){l->groups.data[i]->type, l->groups.data[i]->typmod, NULL};
        node_column_facts(n, i, before.node, n->aggregate.groups[i]);
    }
    for (uint32_t i = 0; i < n->aggregate.call_count; i++)
        n->columns[n->aggregate.group_count + i] =
            (struct plan_column){l->aggregates.data[i].result, -1, NULL};
    n->rows = group_rows(before.node, n->aggregate.groups, n->aggregate.group_count);
    n->cost_total = before.node->cost_total + before.node->rows * COST_AGGREGATE;
    n->width = 8 * n->column_count;
    group_source(l, n);
    return OK;
}

/* --- the select list ------------------------------------------------------------------------ */

static bool is_set_returning(const struct expr *e)
{
    return e->kind == EXPR_CALL && e->call.proc && e->call.proc->returns_set;
}

static bool not_set_returning(void *ctx, const struct expr *e)
{
    if (!e) return true;
    return !is_set_returning(e) && expr_walk(e, not_set_returning, ctx);
}

/* Set-returning calls inside an expression are lifted out: PROJECT_SET makes them, a projection above
 * computes around them. */
struct lift {
    struct level *level;
    ARRAY(struct expr *) calls;
    uint32_t base;
};

static struct expr *lift_calls(void *ctx, struct expr *e)
{
    struct lift *x = ctx;
    if (!e) return NULL;
    if (!is_set_returning(e)) return expr_map(x->level->planner->arena, e, lift_calls, x);
    ARENA_PUSH(x->level->planner->arena, &x->calls, e);
    return expr_slot(x->level->planner, x->base + (uint32_t)x->calls.count - 1, e->type, e->typmod);
}

static struct plan_node *project_set(struct level *l, struct plan_node *input, struct expr **exprs,
                                     uint32_t n, const char *const *names)
{
    struct planner *p = l->planner;
    bool any = false, nested = false;
    for (uint32_t i = 0; i < n; i++) {
        any |= !not_set_returning(NULL, exprs[i]);
        nested |= !is_set_returning(exprs[i]) && !not_set_returning(NULL, exprs[i]);
    }
    if (!any) return node_project(p, input, exprs, n, names);
    if (!nested) {
        struct plan_node *node = node_project(p, input, exprs, n, names);
        node->kind = PLAN_PROJECT_SET;
        node->rows = input->rows * 1000;
        return node;
    }
    struct lift x = {.level = l, .base = input->column_count};
    struct expr **outer = ARENA_ARRAY(p->arena, struct expr *, n);
    for (uint32_t i = 0; i < n; i++) outer[i] = lift_calls(&x, exprs[i]);
    uint32_t total = input->column_count + (uint32_t)x.calls.count;
    struct expr **inner = ARENA_ARRAY(p->arena, struct expr *, total);
    for (uint32_t i = 0; i < input->column_count; i++)
        inner[i] = expr_slot(p, i, input->columns[i].type, input->columns[i].typmod);
    for (size_t i = 0; i < x.calls.count; i++) inner[input->column_count + i] = x.calls.data[i];
    struct plan_node *set = node_project(p, input, inner, total, NULL);
    set->kind = PLAN_PROJECT_SET;
    set->rows = input->rows * 1000;
    return node_project(p, set, outer, n, names);
}

/* --- order, limit, distinct ----------------------------------------------------------------- */

static enum status limit_expr(struct level *l, struct expr **ret)
{
    struct query *q = l->query;
    struct planner *p = l->planner;
    *ret = NULL;
    if (!q->limit || q->limit_with_ties) return OK;
    TRY(rewrite(l, q->limit, ret));
    if (!q->offset) return OK;
    const struct operator_def *plus = operator_exact("+", TYPE_INT8, TYPE_INT8);
    struct expr *sum = ARENA_NEW(p->arena, struct expr), *offset;
    TRY(rewrite(l, q->offset, &offset));
    sum->kind = EXPR_CALL;
    sum->type = TYPE_INT8;
    sum->typmod = -1;
    sum->location = -1;
    sum->arg_count = 2;
    sum->args = ARENA_ARRAY(p->arena, struct expr *, 2);
    sum->args[0] = *ret;
    sum->args[1] = offset;
    sum->call.op = plus;
    sum->call.proc = proc_by_oid(plus->proc);
    *ret = sum;
    return OK;
}

static struct sort_item *sort_items(struct level *l, const struct plan_node *input, uint32_t *ret_n)
{
    struct query *q = l->query;
    struct sort_item *items = ARENA_ARRAY(l->planner->arena, struct sort_item, q->order_count);
    for (uint32_t i = 0; i < q->order_count; i++) {
        uint32_t t = q->order_by[i].target;
        items[i].expr = expr_slot(l->planner, t, input->columns[t].type, input->columns[t].typmod);
        items[i].descending = q->order_by[i].descending;
        items[i].nulls_first = q->order_by[i].nulls_first;
    }
    *ret_n = q->order_count;
    return items;
}

static struct plan_node *unary(struct level *l, enum plan_kind kind, struct plan_node *input)
{
    struct plan_node *n = node_new(l->planner, kind);
    n->left = input;
    node_columns_from(l->planner, n, input);
    n->rows = input->rows;
    n->cost_start = input->cost_start;
    n->cost_total = input->cost_total;
    return n;
}

/* Does a scan in key order give the order that is asked for? Only over one table, read whole or by a
 * range of the index, with nothing in between that disturbs. */
static bool already_ordered(struct level *l)
{
    struct query *q = l->query;
    struct plan_node *n = l->current.node;
    if (q->has_group || q->has_aggregates || q->has_windows || q->has_srf || q->distinct) return false;
    if (n->kind != PLAN_SCAN && n->kind != PLAN_INDEX_SCAN) return false;
    const struct index_def *x = n->kind == PLAN_SCAN ? n->scan.table->primary : n->scan.index;
    const struct key_range *k = &n->scan.range;
    if (!x || k->in_list || k->in_array) return false;
    bool reverse = false;
    for (uint32_t i = 0; i < q->order_count; i++) {
        uint32_t at = k->equal_count + i;
        const struct expr *e = q->targets[q->order_by[i].target].expr;
        if (at >= x->key_count || e->kind != EXPR_COLUMN || e->column.levels_up) return false;
        const struct relation *r = q->relations[e->column.relation];
        if (r->kind != REL_TABLE || r->columns[e->column.column].attnum != x->columns[at].column)
            return false;
        bool flip = q->order_by[i].descending != x->columns[at].descending;
        const struct column_def *c = &r->table->columns[table_column_of(r, e->column.column)];
        bool nulls_differ = q->order_by[i].nulls_first != (x->columns[at].nulls_first != flip);
        if (nulls_differ && !c->not_null) return false;
        if (i == 0) reverse = flip;
        else if (flip != reverse) return false;
    }
    n->scan.reverse = reverse;
    n->scan.ordered = true;
    return true;
}

static enum status order_and_limit(struct level *l, struct plan_node *n, bool ordered,
                                   struct plan_node **ret)
{
    struct query *q = l->query;
    if (q->distinct && q->distinct_on_count == 0) {
        uint32_t visible = 0;
        for (uint32_t i = 0; i < q->target_count; i++) visible += !q->targets[i].junk;
        n = unary(l, PLAN_DISTINCT, n);
        n->distinct.slot_count = visible;
        n->distinct.slots = ARENA_ARRAY(l->planner->arena, uint32_t, visible);
        for (uint32_t i = 0, k = 0; i < q->target_count; i++)
            if (!q->targets[i].junk) n->distinct.slots[k++] = i;
        n->rows = distinct_rows(n->left, visible);
    }
    if (q->order_count && !ordered) {
        n = unary(l, PLAN_SORT, n);
        n->sort.items = sort_items(l, n, &n->sort.item_count);
        if (!(q->distinct && q->distinct_on_count)) TRY(limit_expr(l, &n->sort.limit));
        n->cost_start = n->cost_total = n->cost_total + n->rows * COST_SORT;
    }
    if (q->distinct && q->distinct_on_count) {
        n = unary(l, PLAN_DISTINCT, n);
        n->distinct.slots = q->distinct_on;
        n->distinct.slot_count = q->distinct_on_count;
    }
    if (q->limit || q->offset) {
        n = unary(l, PLAN_LIMIT, n);
        if (q->limit) TRY(rewrite(l, q->limit, &n->limit.limit));
        if (q->offset) TRY(rewrite(l, q->offset, &n->limit.offset));
        n->limit.with_ties = q->limit_with_ties;
        if (q->limit_with_ties) n->limit.ties = sort_items(l, n, &n->limit.tie_count);
        if (q->limit && q->limit->kind == EXPR_CONST && !q->limit->constant.null &&
            (double)q->limit->constant.v.i64 < n->rows)
            n->rows = (double)q->limit->constant.v.i64;
    }
    *ret = n;
    return OK;
}

/* Drops junk columns. */
static struct plan_node *strip_junk(struct level *l, struct plan_node *n)
{
    struct query *q = l->query;
    struct planner *p = l->planner;
    uint32_t visible = 0;
    for (uint32_t i = 0; i < q->target_count; i++) visible += !q->targets[i].junk;
    if (visible == q->target_count) return n;
    struct expr **exprs = ARENA_ARRAY(p->arena, struct expr *, visible);
    const char **names = ARENA_ARRAY(p->arena, const char *, visible);
    for (uint32_t i = 0, k = 0; i < q->target_count; i++) {
        if (q->targets[i].junk) continue;
        names[k] = q->targets[i].name;
        exprs[k++] = expr_slot(p, i, n->columns[i].type, n->columns[i].typmod);
    }
    return node_project(p, n, exprs, visible, names);
}

/* --- set operations ------------------------------------------------------------------------- */

static enum status plan_arm(struct planner *p, struct query *q, struct level *above,
                            struct plan_node **ret)
{
    struct level *inner, *saved = p->levels;
    TRY(plan_select(p, q, ret, &inner));
    p->levels = saved;
    /* What an arm reads of enclosing queries, the whole reads. */
    for (size_t i = 0; i < inner->outers.count; i++)
        if (inner->parent != above) ARENA_PUSH(p->arena, &above->outers, inner->outers.data[i]);
    return OK;
}

static enum status plan_set_op(struct level *l)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    struct plan_node *left, *right, *n;
    TRY(plan_arm(p, q->left, l, &left));
    TRY(plan_arm(p, q->right, l, &right));
    if (q->set_op == SETOP_UNION) {
        n = node_new(p, PLAN_APPEND);
        n->append.child_count = 2;
        n->append.children = ARENA_ARRAY(p->arena, struct plan_node *, 2);
        n->append.children[0] = left;
        n->append.children[1] = right;
        n->rows = left->rows + right->rows;
    } else {
        n = node_new(p, PLAN_SET_OP);
        n->left = left;
        n->right = right;
        n->set_op.op = q->set_op;
        n->set_op.all = q->set_all;
        n->rows = left->rows;
    }
    node_columns_from(p, n, left);
    n->cost_total = left->cost_total + right->cost_total;
    l->current = (struct source){.node = n, .relations = relset_new(l)};
    if (q->set_op == SETOP_UNION && !q->set_all) l->current.node = unary(l, PLAN_DISTINCT, n);
    l->current.slot_count = n->column_count;
    l->current.slots = ARENA_ARRAY(p->arena, struct slot_source, n->column_count);
    for (uint32_t i = 0; i < n->column_count; i++) l->current.slots[i] = (struct slot_source){0, i};
    return OK;
}

/* --- the whole ------------------------------------------------------------------------------ */

static enum status plan_rows(struct level *l, bool *ret_ordered)
{
    struct query *q = l->query;
    *ret_ordered = false;
    if (q->set_op != SETOP_NONE) return plan_set_op(l);
    TRY(plan_from(l));
    if (q->order_count) *ret_ordered = l->keep_order = already_ordered(l);
    return q->locking_count ? plan_lock_rows(l, ret_ordered) : OK;
}

/* For how many rows the select list is computed, when a LIMIT stops it early. */
static double rows_wanted(const struct level *l)
{
    const struct query *q = l->query;
    double rows = l->current.node->rows;
    if (q->order_count || q->distinct || l->window_exprs.count || !q->limit) return rows;
    if (q->limit->kind != EXPR_CONST || q->limit->constant.null) return rows;
    double limit = (double)q->limit->constant.v.i64;
    return limit < rows ? limit : rows;
}

struct above {
    ARRAY(struct expr *) items;
};

static void add_above(struct level *l, struct expr *e, void *ctx)
{
    struct above *a = ctx;
    ARENA_PUSH(l->planner->arena, &a->items, e);
}

/* Above a grouping, the aggregates that windows read have to be known before the windows are. */
static enum status plan_lists(struct level *l, struct expr **exprs, struct expr **ret)
{
    struct query *q = l->query;
    struct above above = {0};
    struct expr *having = NULL;
    collect_windows(l, exprs);
    if (q->has_group || q->has_aggregates || q->having) {
        for (uint32_t i = 0; i < q->target_count; i++)
            if (exprs[i]->kind != EXPR_WINDOW) add_above(l, exprs[i], &above);
        expressions_of_windows(l, add_above, &above);
        uint32_t count = (uint32_t)above.items.count;
        struct expr **made = ARENA_ARRAY(l->planner->arena, struct expr *, count + 1);
        l->window_base = UINT32_MAX / 2; /* placed for good below; a first pass finds aggregates */
        TRY(plan_group(l, above.items.data, count, made, &having));
        l->current.node = node_filter(l->planner, l->current.node, having);
        if (!l->window_exprs.count) {
            memcpy(ret, made, q->target_count * sizeof *ret);
            return OK;
        }
    } else if (!l->keep_order && q->set_op == SETOP_NONE) {
        TRY(plan_sublinks(l, exprs, q->target_count, rows_wanted(l)));
    }
    if (l->window_exprs.count) TRY(plan_windows(l, exprs));
    for (uint32_t i = 0; i < q->target_count; i++) TRY(rewrite(l, exprs[i], &ret[i]));
    return OK;
}

enum status plan_select(struct planner *p, struct query *q, struct plan_node **ret,
                        struct level **ret_level)
{
    struct level *l;
    bool ordered;
    if (fiber_stack_left() < 48 << 10)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"),
               error_hint("Simplify the statement.");
    if (q->command != CMD_SELECT)
        return UNSUPPORTED("data-modifying statements in WITH are not supported yet");
    pull_up(p, q);
    simplify_outer(p, q);
    TRY(group_below(p, q, &q));
    l = level_new(p, q);
    mark_columns(l);
    TRY(plan_rows(l, &ordered));
    struct expr **exprs = ARENA_ARRAY(p->arena, struct expr *, q->target_count);
    struct expr **made = ARENA_ARRAY(p->arena, struct expr *, q->target_count);
    const char **names = ARENA_ARRAY(p->arena, const char *, q->target_count);
    for (uint32_t i = 0; i < q->target_count; i++) {
        exprs[i] = expand_joins(l, q->targets[i].expr);
        names[i] = q->targets[i].name;
    }
    TRY(plan_lists(l, exprs, made));
    ordered |= ordered_by_windows(l, exprs);
    struct plan_node *n = project_set(l, l->current.node, made, q->target_count, names);
    l->grouped = false;
    TRY(order_and_limit(l, n, ordered, &n));
    *ret = strip_junk(l, n);
    *ret_level = l;
    return OK;
}
