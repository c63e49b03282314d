/* Looking at bound queries: which columns they read, sets of relations, conjunctions. */
#include "sql/plan/plan_priv.h"

/* --- sets of relations ---------------------------------------------------------------------- */

uint64_t *relset_new(struct level *l)
{
    return ARENA_ARRAY(l->planner->arena, uint64_t, l->word_count);
}

void relset_add(uint64_t *s, uint32_t relation)
{
    s[relation / 64] |= 1ull << relation % 64;
}

bool relset_has(const uint64_t *s, uint32_t relation)
{
    return s[relation / 64] >> relation % 64 & 1;
}

bool relset_subset(const struct level *l, const uint64_t *a, const uint64_t *b)
{
    for (uint32_t i = 0; i < l->word_count; i++)
        if (a[i] & ~b[i]) return false;
    return true;
}

bool relset_overlap(const struct level *l, const uint64_t *a, const uint64_t *b)
{
    for (uint32_t i = 0; i < l->word_count; i++)
        if (a[i] & b[i]) return true;
    return false;
}

void relset_union(const struct level *l, uint64_t *into, const uint64_t *from)
{
    for (uint32_t i = 0; i < l->word_count; i++) into[i] |= from[i];
}

bool relset_empty(const struct level *l, const uint64_t *s)
{
    for (uint32_t i = 0; i < l->word_count; i++)
        if (s[i]) return false;
    return true;
}

/* --- columns read --------------------------------------------------------------------------- */

struct column_walk {
    const struct query *query;
    void (*fn)(void *ctx, const struct query *owner, uint32_t relation, uint32_t column);
    void *ctx;
};

static bool visit_expr(void *ctx, const struct expr *e)
{
    struct column_walk *w = ctx;
    if (!e) return true;
    if (e->kind == EXPR_COLUMN) {
        const struct query *owner = w->query;
        for (uint32_t i = 0; i < e->column.levels_up && owner; i++) owner = owner->parent;
        if (owner) w->fn(w->ctx, owner, e->column.relation, e->column.column);
        return true;
    }
    if (e->kind == EXPR_SUBQUERY) query_columns(e->subquery.query, w->fn, w->ctx);
    return expr_walk(e, visit_expr, w);
}

void expr_columns(const struct query *q, const struct expr *e,
                  void (*fn)(void *ctx, const struct query *owner, uint32_t relation,
                             uint32_t column),
                  void *ctx)
{
    struct column_walk w = {q, fn, ctx};
    (void)visit_expr(&w, e);
}

static void visit_list(struct column_walk *w, struct expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; items && i < n; i++) (void)visit_expr(w, items[i]);
}

static void visit_sort(struct column_walk *w, const struct sort_item *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) (void)visit_expr(w, items[i].expr);
}

static void visit_from(struct column_walk *w, const struct from_item *f)
{
    if (!f || f->kind == FROM_RELATION) return;
    visit_from(w, f->left);
    visit_from(w, f->right);
    (void)visit_expr(w, f->condition);
}

static void visit_relation(struct column_walk *w, const struct relation *r)
{
    if (r->kind == REL_SUBQUERY) query_columns(r->subquery, w->fn, w->ctx);
    visit_list(w, r->functions, r->function_count);
    visit_list(w, r->join_columns, r->kind == REL_JOIN ? r->column_count : 0);
    for (uint32_t i = 0; r->kind == REL_VALUES && i < r->value_count; i++)
        visit_list(w, r->values[i], r->column_count);
}

void query_columns(const struct query *q,
                   void (*fn)(void *ctx, const struct query *owner, uint32_t relation,
                              uint32_t column),
                   void *ctx)
{
    struct column_walk w = {q, fn, ctx};
    if (!q) return;
    for (uint32_t i = 0; i < q->relation_count; i++) visit_relation(&w, q->relations[i]);
    for (uint32_t i = 0; i < q->from_count; i++) visit_from(&w, q->from[i]);
    for (uint32_t i = 0; i < q->target_count; i++) (void)visit_expr(&w, q->targets[i].expr);
    for (uint32_t i = 0; i < q->returning_count; i++) (void)visit_expr(&w, q->returning[i].expr);
    for (uint32_t i = 0; i < q->assignment_count; i++) (void)visit_expr(&w, q->assignments[i].expr);
    for (uint32_t i = 0; i < q->merge_count; i++) {
        (void)visit_expr(&w, q->merge[i].when);
        for (uint32_t k = 0; k < q->merge[i].assignment_count; k++)
            (void)visit_expr(&w, q->merge[i].assignments[k].expr);
    }
    for (uint32_t i = 0; i < q->window_count; i++) {
        visit_list(&w, q->windows[i].partition_by, q->windows[i].partition_count);
        visit_sort(&w, q->windows[i].order_by, q->windows[i].order_count);
        (void)visit_expr(&w, q->windows[i].start_offset);
        (void)visit_expr(&w, q->windows[i].end_offset);
    }
    (void)visit_expr(&w, q->where);
    (void)visit_expr(&w, q->having);
    (void)visit_expr(&w, q->limit);
    (void)visit_expr(&w, q->offset);
    for (uint32_t i = 0; i < q->view_check_count; i++) (void)visit_expr(&w, q->view_checks[i].test);
    (void)visit_expr(&w, q->conflict_where);
    (void)visit_expr(&w, q->row_where);
    visit_list(&w, q->group_by, q->group_count);
    visit_list(&w, q->checks, q->check_count);
    query_columns(q->left, fn, ctx);
    query_columns(q->right, fn, ctx);
    query_columns(q->source, fn, ctx);
    for (uint32_t i = 0; i < q->cte_count; i++) query_columns(q->ctes[i]->query, fn, ctx);
}

struct relation_walk {
    struct level *level;
    uint64_t *set;
};

static void add_relation(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct relation_walk *w = ctx;
    (void)column;
    if (owner == w->level->query) relset_add(w->set, relation);
}

uint64_t *expr_relations(struct level *l, const struct expr *e)
{
    struct relation_walk w = {l, relset_new(l)};
    expr_columns(l->query, e, add_relation, &w);
    return w.set;
}

static bool not_subquery(void *ctx, const struct expr *e)
{
    if (!e) return true;
    if (e->kind == EXPR_SUBQUERY) return false;
    return expr_walk(e, not_subquery, ctx);
}

bool expr_has_subquery(const struct expr *e)
{
    return !not_subquery(NULL, e);
}

static bool not_aggregate(void *ctx, const struct expr *e)
{
    if (!e) return true;
    if (e->kind == EXPR_AGGREGATE) return false;
    return expr_walk(e, not_aggregate, ctx);
}

bool expr_has_aggregate(const struct expr *e)
{
    return !not_aggregate(NULL, e);
}

/* --- conjunctions --------------------------------------------------------------------------- */

static bool is_bool(const struct expr *e, enum bool_op op)
{
    return e->kind == EXPR_BOOL && e->bool_op == op;
}

/* Is the condition one of those that e, taken as a conjunction, asks for? */
static bool asks_for(const struct expr *e, const struct expr *condition)
{
    if (!is_bool(e, BOOL_AND)) return expr_equal(e, condition);
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (asks_for(e->args[i], condition)) return true;
    return false;
}

/* What every branch of an OR asks for holds by itself, and may be a join's key: it is added beside the
 * OR, which stays as it is. */
static void add_common(struct level *l, const struct expr *either, struct expr *branch)
{
    if (is_bool(branch, BOOL_AND)) {
        for (uint32_t i = 0; i < branch->arg_count; i++) add_common(l, either, branch->args[i]);
        return;
    }
    for (uint32_t i = 1; i < either->arg_count; i++)
        if (!asks_for(either->args[i], branch)) return;
    if (!expr_has_subquery(branch) && !expr_is_volatile(branch))
        ARENA_PUSH(l->planner->arena, &l->conjuncts, branch);
}

void split_conjuncts(struct level *l, struct expr *e)
{
    if (!e) return;
    if (is_bool(e, BOOL_AND)) {
        for (uint32_t i = 0; i < e->arg_count; i++) split_conjuncts(l, e->args[i]);
        return;
    }
    if (is_bool(e, BOOL_OR)) add_common(l, e, e->args[0]);
    ARENA_PUSH(l->planner->arena, &l->conjuncts, e);
}

struct expr *make_and(struct planner *p, struct expr **items, uint32_t n)
{
    if (n == 0) return NULL;
    if (n == 1) return items[0];
    struct expr *e = ARENA_NEW(p->arena, struct expr);
    e->kind = EXPR_BOOL;
    e->type = TYPE_BOOL;
    e->typmod = -1;
    e->location = -1;
    e->bool_op = BOOL_AND;
    e->arg_count = n;
    e->args = arena_memdup(p->arena, items, n * sizeof *items);
    return e;
}

static struct expr *expand_one(void *ctx, struct expr *e)
{
    struct level *l = ctx;
    if (!e) return NULL;
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) {
        const struct relation *r = l->query->relations[e->column.relation];
        if (r->kind == REL_JOIN) return expand_one(l, r->join_columns[e->column.column]);
        return e;
    }
    return expr_map(l->planner->arena, e, expand_one, l);
}

struct expr *expand_joins(struct level *l, struct expr *e)
{
    return expand_one(l, e);
}
