/* One walk over everything that a query holds serves folding, substituting columns, and copying. Copies
 * keep the links between queries: a copied subquery's parent is the copy, and its reference to a CTE
 * of a copied query is to the copied CTE. */
#include "sql/querymap.h"

const struct query *column_owner(const struct query *at, const struct expr *column)
{
    for (uint32_t i = 0; i < column->column.levels_up && at; i++) at = at->parent;
    return at;
}

static void *dup_array(struct query_map *m, void *items, size_t bytes)
{
    return m->copy && items && bytes ? arena_memdup(m->arena, items, bytes) : items;
}

static struct expr *one(struct query_map *m, struct expr *e)
{
    return e ? m->expr(m, e) : NULL;
}

static void list(struct query_map *m, struct expr ***items, uint32_t n)
{
    if (!*items || !n) return;
    *items = dup_array(m, *items, n * sizeof **items);
    for (uint32_t i = 0; i < n; i++) (*items)[i] = one(m, (*items)[i]);
}

static struct from_item *from_item(struct query_map *m, struct from_item *f)
{
    if (!f) return NULL;
    f = dup_array(m, f, sizeof *f);
    if (f->kind == FROM_RELATION) return f;
    f->left = from_item(m, f->left);
    f->right = from_item(m, f->right);
    f->condition = one(m, f->condition);
    return f;
}

static struct cte *cte_of(struct query_map *m, struct cte *c)
{
    for (size_t i = 0; i < m->old_ctes.count; i++)
        if (m->old_ctes.data[i] == c) return m->made_ctes.data[i];
    return c;
}

static struct relation *relation(struct query_map *m, struct relation *r)
{
    r = dup_array(m, r, sizeof *r);
    r->columns = dup_array(m, r->columns, r->column_count * sizeof *r->columns);
    if (r->kind == REL_SUBQUERY) r->subquery = query_map_run(m, r->subquery);
    if (r->kind == REL_CTE) r->cte = cte_of(m, r->cte);
    if (r->rules) {
        uint16_t n = r->table->index_count;
        r->rules = dup_array(m, r->rules, n * sizeof *r->rules);
        for (uint16_t i = 0; i < n; i++) {
            list(m, &r->rules[i].keys, r->table->indexes[i]->key_count);
            r->rules[i].predicate = one(m, r->rules[i].predicate);
        }
    }
    if (r->kind == REL_FUNCTION) list(m, &r->functions, r->function_count);
    if (r->kind == REL_JOIN) list(m, &r->join_columns, r->column_count);
    if (r->kind != REL_VALUES) return r;
    r->values = dup_array(m, r->values, r->value_count * sizeof *r->values);
    for (uint32_t i = 0; i < r->value_count; i++) list(m, &r->values[i], r->column_count);
    return r;
}

static void ctes(struct query_map *m, struct query *q)
{
    q->ctes = dup_array(m, q->ctes, q->cte_count * sizeof *q->ctes);
    for (uint32_t i = 0; i < q->cte_count; i++) {
        struct cte *old = q->ctes[i];
        q->ctes[i] = dup_array(m, old, sizeof *old);
        ARENA_PUSH(m->arena, &m->old_ctes, old);
        ARENA_PUSH(m->arena, &m->made_ctes, q->ctes[i]);
        q->ctes[i]->query = query_map_run(m, old->query);
    }
}

static void windows(struct query_map *m, struct query *q)
{
    q->windows = dup_array(m, q->windows, q->window_count * sizeof *q->windows);
    for (uint32_t i = 0; i < q->window_count; i++) {
        struct window_def *w = &q->windows[i];
        list(m, &w->partition_by, w->partition_count);
        w->order_by = dup_array(m, w->order_by, w->order_count * sizeof *w->order_by);
        for (uint32_t k = 0; k < w->order_count; k++)
            w->order_by[k].expr = one(m, w->order_by[k].expr);
        w->start_offset = one(m, w->start_offset);
        w->end_offset = one(m, w->end_offset);
    }
}

static void targets(struct query_map *m, struct target **items, uint32_t n)
{
    *items = dup_array(m, *items, n * sizeof **items);
    for (uint32_t i = 0; i < n; i++) (*items)[i].expr = one(m, (*items)[i].expr);
}

static void change(struct query_map *m, struct query *q)
{
    uint32_t columns = q->table ? q->table->column_count : 0;
    q->source = query_map_run(m, q->source);
    targets(m, &q->returning, q->returning_count);
    q->assignments = dup_array(m, q->assignments, q->assignment_count * sizeof *q->assignments);
    for (uint32_t i = 0; i < q->assignment_count; i++)
        q->assignments[i].expr = one(m, q->assignments[i].expr);
    q->merge = dup_array(m, q->merge, q->merge_count * sizeof *q->merge);
    for (uint32_t i = 0; i < q->merge_count; i++) {
        struct merge_action *a = &q->merge[i];
        a->when = one(m, a->when);
        a->assignments = dup_array(m, a->assignments, a->assignment_count * sizeof *a->assignments);
        for (uint32_t k = 0; k < a->assignment_count; k++)
            a->assignments[k].expr = one(m, a->assignments[k].expr);
    }
    list(m, &q->defaults, columns);
    list(m, &q->generated, columns);
    list(m, &q->checks, q->check_count);
    q->view_checks = dup_array(m, q->view_checks, q->view_check_count * sizeof *q->view_checks);
    for (uint32_t i = 0; i < q->view_check_count; i++)
        q->view_checks[i].test = one(m, q->view_checks[i].test);
    q->conflict_where = one(m, q->conflict_where);
    q->row_where = one(m, q->row_where);
}

struct query *query_map_run(struct query_map *m, struct query *q)
{
    const struct query *saved = m->at;
    if (!q) return NULL;
    for (size_t i = 0; i < m->old.count; i++)
        if (m->old.data[i] == q) return m->made.data[i];
    struct query *n = dup_array(m, q, sizeof *q);
    ARENA_PUSH(m->arena, &m->old, q);
    ARENA_PUSH(m->arena, &m->made, n);
    for (size_t i = 0; i + 1 < m->old.count; i++)
        if (m->old.data[i] == q->parent) n->parent = m->made.data[i];
    m->at = q;
    ctes(m, n);
    n->relations = dup_array(m, n->relations, n->relation_count * sizeof *n->relations);
    for (uint32_t i = 0; i < n->relation_count; i++) n->relations[i] = relation(m, n->relations[i]);
    n->from = dup_array(m, n->from, n->from_count * sizeof *n->from);
    for (uint32_t i = 0; i < n->from_count; i++) n->from[i] = from_item(m, n->from[i]);
    n->where = one(m, n->where);
    targets(m, &n->targets, n->target_count);
    list(m, &n->group_by, n->group_count);
    n->having = one(m, n->having);
    windows(m, n);
    n->distinct_on =
        dup_array(m, n->distinct_on, n->distinct_on_count * sizeof *n->distinct_on);
    n->order_by = dup_array(m, n->order_by, n->order_count * sizeof *n->order_by);
    n->limit = one(m, n->limit);
    n->offset = one(m, n->offset);
    n->left = query_map_run(m, n->left);
    n->right = query_map_run(m, n->right);
    if (n->command != CMD_SELECT) change(m, n);
    m->at = saved;
    return n;
}

struct expr *query_map_subquery(struct query_map *m, struct expr *e)
{
    if (e->kind != EXPR_SUBQUERY) return e;
    struct query *made = query_map_run(m, e->subquery.query);
    if (made == e->subquery.query) return e;
    e = arena_memdup(m->arena, e, sizeof *e);
    e->subquery.query = made;
    return e;
}

static struct expr *columns_child(void *ctx, struct expr *e)
{
    return query_map_columns(ctx, e);
}

struct expr *query_map_columns(struct query_map *m, struct expr *e)
{
    if (!e) return NULL;
    if (e->kind == EXPR_COLUMN) return m->column ? m->column(m, e) : e;
    return query_map_subquery(m, expr_map(m->arena, e, columns_child, m));
}

struct query *query_copy(struct arena *a, const struct query *q)
{
    struct query_map m = {.arena = a, .copy = true, .expr = query_map_columns};
    return query_map_run(&m, (struct query *)(uintptr_t)q);
}

struct expr *expr_copy(struct arena *a, const struct query *q, const struct expr *e)
{
    struct query_map m = {.arena = a, .copy = true, .expr = query_map_columns, .at = q};
    return query_map_columns(&m, (struct expr *)(uintptr_t)e);
}
