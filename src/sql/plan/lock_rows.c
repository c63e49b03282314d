/* FOR UPDATE and its kind: rows are locked when all else of FROM and WHERE is done and they are sorted,
 * below the select list and LIMIT, so that only rows that come out are locked. A row that has changed
 * meanwhile takes its new values, and the conditions decide anew: those of inner joins and WHERE drop it,
 * that of an outer join makes its nullable side NULL. */
#include "sql/plan/plan_priv.h"

static const char *lock_name(int strength)
{
    static const char *const names[] = {"FOR KEY SHARE", "FOR SHARE", "FOR NO KEY UPDATE",
                                        "FOR UPDATE"};
    return names[strength - 1];
}

static void add_relations(const struct from_item *f, uint64_t *set)
{
    if (f->kind == FROM_RELATION) {
        relset_add(set, f->relation);
        return;
    }
    add_relations(f->left, set);
    add_relations(f->right, set);
}

static enum status check_nullable(struct level *l, const uint64_t *nullable)
{
    const struct query *q = l->query;
    for (uint32_t i = 0; i < q->locking_count; i++)
        if (relset_has(nullable, q->locking[i].relation))
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "%s cannot be applied to the nullable side of an outer join",
                        lock_name(q->locking[i].strength));
    return OK;
}

struct conditions {
    ARRAY(struct expr *) all;
    ARRAY(struct lock_outer) outers;
};

static enum status add_outer(struct level *l, const struct from_item *f, const uint64_t *nullable,
                             struct conditions *c)
{
    struct lock_outer o = {0};
    TRY(rewrite(l, expand_joins(l, f->condition), &o.condition));
    o.slots = ARENA_ARRAY(l->planner->arena, uint32_t, l->current.slot_count);
    for (uint32_t i = 0; i < l->current.slot_count; i++)
        if (relset_has(nullable, l->current.slots[i].relation)) o.slots[o.slot_count++] = i;
    ARENA_PUSH(l->planner->arena, &c->outers, o);
    return OK;
}

/* What decides on a row, inner joins first. Below a nullable side there is nothing that is locked. */
static enum status collect(struct level *l, const struct from_item *f, struct conditions *c)
{
    if (f->kind == FROM_RELATION) return OK;
    uint64_t *left = relset_new(l), *right = relset_new(l);
    add_relations(f->left, left);
    add_relations(f->right, right);
    switch (f->join) {
    case JOIN_INNER:
        TRY(collect(l, f->left, c));
        TRY(collect(l, f->right, c));
        if (f->condition) ARENA_PUSH(l->planner->arena, &c->all, expand_joins(l, f->condition));
        return OK;
    case JOIN_LEFT:
        TRY(check_nullable(l, right));
        TRY(collect(l, f->left, c));
        return add_outer(l, f, right, c);
    case JOIN_RIGHT:
        TRY(check_nullable(l, left));
        TRY(collect(l, f->right, c));
        return add_outer(l, f, left, c);
    default:
        TRY(check_nullable(l, left));
        return check_nullable(l, right);
    }
}

static void one_lock(struct level *l, struct plan_node *n, uint32_t i)
{
    struct planner *p = l->planner;
    const struct query *q = l->query;
    uint32_t relation = q->locking[i].relation;
    const struct relation *r = q->relations[relation];
    struct row_lock_plan *to = &n->lock.locks[n->lock.lock_count++];
    to->table = r->table;
    to->strength = q->locking[i].strength;
    to->wait = q->locking[i].wait;
    to->key_slot = (uint32_t)source_slot(&l->current, relation, UINT32_MAX);
    to->column_slots = ARENA_ARRAY(p->arena, int32_t, r->table->column_count);
    for (uint32_t c = 0; c < r->table->column_count; c++) to->column_slots[c] = -1;
    for (uint32_t c = 0; c < r->column_count; c++)
        if (r->columns[c].attnum > 0)
            to->column_slots[table_column_of(r, c)] = source_slot(&l->current, relation, c);
    planner_use_table(p, r->table, 2);
}

/* Sorts by ORDER BY's targets as they are before the lock; the slots stay in front. */
static enum status sort_first(struct level *l)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    struct plan_node *in = l->current.node;
    uint32_t slots = in->column_count, count = slots + q->order_count;
    struct expr **exprs = ARENA_ARRAY(p->arena, struct expr *, count);
    const char **names = ARENA_ARRAY(p->arena, const char *, count);
    struct sort_item *items = ARENA_ARRAY(p->arena, struct sort_item, q->order_count);
    for (uint32_t i = 0; i < slots; i++) {
        exprs[i] = expr_slot(p, i, in->columns[i].type, in->columns[i].typmod);
        names[i] = in->columns[i].name;
    }
    for (uint32_t i = 0; i < q->order_count; i++) {
        struct expr *e = expand_joins(l, q->targets[q->order_by[i].target].expr);
        TRY(rewrite(l, e, &exprs[slots + i]));
        items[i] = (struct sort_item){.expr = expr_slot(p, slots + i, e->type, e->typmod),
                                      .descending = q->order_by[i].descending,
                                      .nulls_first = q->order_by[i].nulls_first};
    }
    struct plan_node *sort = node_new(p, PLAN_SORT);
    sort->left = node_project(p, in, exprs, count, names);
    node_columns_from(p, sort, sort->left);
    sort->rows = in->rows;
    sort->sort.items = items;
    sort->sort.item_count = q->order_count;
    sort->cost_start = sort->cost_total = sort->left->cost_total + in->rows * COST_SORT;
    l->current.node = sort;
    return OK;
}

enum status plan_lock_rows(struct level *l, bool *ordered)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    struct conditions c = {0};
    struct expr *where = expand_joins(l, q->where);
    for (uint32_t i = 0; i < q->from_count; i++) TRY(collect(l, q->from[i], &c));
    if (where) ARENA_PUSH(p->arena, &c.all, where);
    struct plan_node *n = node_new(p, PLAN_LOCK_ROWS);
    struct expr *recheck = make_and(p, c.all.data, (uint32_t)c.all.count);
    if (recheck) TRY(rewrite(l, recheck, &n->lock.recheck));
    n->lock.outers = c.outers.data;
    n->lock.outer_count = (uint32_t)c.outers.count;
    n->lock.one_by_one = q->limit || q->offset;
    n->lock.locks = ARENA_ARRAY(p->arena, struct row_lock_plan, q->locking_count);
    for (uint32_t i = 0; i < q->locking_count; i++) one_lock(l, n, i);
    if (q->order_count && !*ordered) TRY(sort_first(l));
    *ordered = l->keep_order = true;
    n->left = l->current.node;
    node_columns_from(p, n, n->left);
    n->rows = n->left->rows;
    n->cost_start = n->left->cost_start;
    n->cost_total = n->left->cost_total;
    l->current.node = n;
    p->plan->writes = true;
    if (!p->plan->lock_strength) p->plan->lock_strength = q->locking[0].strength;
    return OK;
}
