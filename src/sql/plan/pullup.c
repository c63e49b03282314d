/* Subqueries in FROM, and views, that are plain: their relations join the enclosing query's, so that
 * conditions reach tables and the order of joins is chosen over all of them. Into others conditions are
 * pushed: those on columns that are the same for all rows that the subquery makes one of. */
#include "sql/plan/pullup.h"

enum { RELATIONS_MAX = 1000 };

static bool flat(const struct query *q)
{
    return q->command == CMD_SELECT && !q->has_group && !q->has_aggregates && !q->has_windows &&
           !q->has_srf && !q->having && !q->distinct && !q->order_count && !q->limit && !q->offset &&
           q->set_op == SETOP_NONE && q->cte_count == 0 && q->locking_count == 0 && q->from_count > 0;
}

static bool has_outer_join(const struct from_item *f)
{
    if (f->kind == FROM_RELATION) return false;
    return f->join != JOIN_INNER || has_outer_join(f->left) || has_outer_join(f->right);
}

struct reads {
    const struct query *query;
    bool found;
};

static void note_read(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct reads *r = ctx;
    (void)relation;
    (void)column;
    r->found |= owner == r->query;
}

/* A side of an outer join is planned without what stands beside the subquery in the enclosing one. */
static bool outer_join_reads(const struct query *q, struct query *s)
{
    struct reads r = {.query = q};
    bool any = false;
    for (uint32_t i = 0; i < s->from_count; i++) any |= has_outer_join(s->from[i]);
    if (any) query_columns(s, note_read, &r);
    return r.found;
}

static bool may_pull(const struct query *q, const struct relation *r)
{
    struct query *s = r->subquery;
    if (r->kind != REL_SUBQUERY || !flat(s) || s->parent != q || s->target_count < r->column_count)
        return false;
    for (uint32_t i = 0; i < s->target_count; i++) {
        const struct expr *e = s->targets[i].expr;
        if (s->targets[i].junk || expr_has_subquery(e) || expr_is_volatile(e)) return false;
    }
    return !outer_join_reads(q, s);
}

/* --- pulling -------------------------------------------------------------------------------- */

struct pull {
    struct planner *p;
    struct query *query, *sub;
    uint32_t relation, base; /* the subquery's number; where its relations went */
};

/* Inside the subquery: its relations have new numbers, and one level less lies above it. */
static struct expr *renumber(struct query_map *m, struct expr *e)
{
    const struct pull *x = m->ctx;
    const struct query *owner = column_owner(m->at, e), *q = m->at;
    while (q != owner && q != x->sub) q = q->parent;
    if (q != x->sub) return e; /* of a query within */
    e = arena_memdup(m->arena, e, sizeof *e);
    if (owner == x->sub) e->column.relation += x->base;
    else e->column.levels_up--;
    return e;
}

/* Outside: the subquery's columns become what they stand for. */
static struct expr *substitute(struct query_map *m, struct expr *e)
{
    const struct pull *x = m->ctx;
    if (e->column.relation != x->relation || column_owner(m->at, e) != x->query) return e;
    struct expr *to = x->sub->targets[e->column.column].expr;
    if (e->column.levels_up) to = raise_columns(m->arena, to, e->column.levels_up);
    return to;
}

static void shift_from(struct from_item *f, uint32_t base)
{
    if (f->relation != UINT32_MAX) f->relation += base;
    if (f->kind == FROM_RELATION) return;
    shift_from(f->left, base);
    shift_from(f->right, base);
}

static struct from_item *joined_items(struct planner *p, const struct query *s)
{
    struct from_item *f = s->from[0];
    for (uint32_t i = 1; i < s->from_count; i++) {
        struct from_item *both = ARENA_NEW(p->arena, struct from_item);
        both->kind = FROM_JOIN;
        both->relation = UINT32_MAX;
        both->join = JOIN_INNER;
        both->left = f;
        both->right = s->from[i];
        f = both;
    }
    return f;
}

static struct from_item *pull(struct planner *p, struct query *q, uint32_t relation)
{
    struct query *s = q->relations[relation]->subquery;
    struct pull x = {p, q, s, relation, q->relation_count};
    struct query_map inner = {.arena = p->arena, .expr = query_map_columns, .column = renumber, .ctx = &x};
    (void)query_map_run(&inner, s);
    for (size_t i = 0; i < inner.made.count; i++)
        if (inner.made.data[i]->parent == s) inner.made.data[i]->parent = q;
    uint32_t n = q->relation_count + s->relation_count;
    struct relation **all = ARENA_ARRAY(p->arena, struct relation *, n);
    memcpy(all, q->relations, q->relation_count * sizeof *all);
    memcpy(all + q->relation_count, s->relations, s->relation_count * sizeof *all);
    for (uint32_t i = 0; i < s->from_count; i++) shift_from(s->from[i], x.base);
    struct relation *gone = arena_memdup(p->arena, q->relations[relation], sizeof *gone);
    gone->kind = REL_JOIN;
    gone->column_count = 0;
    gone->subquery = NULL;
    all[relation] = gone;
    /* Its parts are mapped already, and are this query's only now. */
    struct query_map outer = {.arena = p->arena, .expr = query_map_columns, .column = substitute, .ctx = &x};
    q->relations[relation] = gone;
    (void)query_map_run(&outer, q);
    memcpy(all, q->relations, q->relation_count * sizeof *all);
    q->relations = all;
    q->relation_count = n;
    struct expr *conditions[2] = {q->where, s->where};
    if (s->where) q->where = q->where ? make_and(p, conditions, 2) : s->where;
    return joined_items(p, s);
}

/* Only where no outer join can make its columns NULL. What was pulled is linked in at once: pulling the
 * next one changes its conditions too. */
static void pull_item(struct planner *p, struct query *q, struct from_item **at)
{
    while ((*at)->kind == FROM_RELATION && may_pull(q, q->relations[(*at)->relation])) {
        uint32_t more = q->relations[(*at)->relation]->subquery->relation_count;
        if (q->relation_count + more > RELATIONS_MAX) return;
        *at = pull(p, q, (*at)->relation);
    }
    struct from_item *f = *at;
    if (f->kind == FROM_RELATION) return;
    if (f->join == JOIN_INNER || f->join == JOIN_LEFT) pull_item(p, q, &f->left);
    if (f->join == JOIN_INNER || f->join == JOIN_RIGHT) pull_item(p, q, &f->right);
}

void pull_up(struct planner *p, struct query *q)
{
    if (q->command != CMD_SELECT || q->locking_count) return;
    for (uint32_t i = 0; i < q->from_count; i++) pull_item(p, q, &q->from[i]);
}

/* --- pushing -------------------------------------------------------------------------------- */

struct push {
    struct arena *arena;
    const struct query *sub;
    bool fits;
};

static bool is_group(const struct query *s, const struct expr *e)
{
    for (uint32_t i = 0; i < s->group_count; i++)
        if (expr_equal(s->group_by[i], e)) return true;
    return false;
}

static struct expr *into(void *ctx, struct expr *e)
{
    struct push *x = ctx;
    if (!e) return NULL;
    if (e->kind != EXPR_COLUMN) return expr_map(x->arena, e, into, x);
    if (e->column.levels_up || e->column.column >= x->sub->target_count) {
        x->fits = false;
        return e;
    }
    const struct target *t = &x->sub->targets[e->column.column];
    bool grouped = x->sub->has_group || x->sub->has_aggregates || x->sub->having;
    if (t->junk || expr_has_subquery(t->expr) || expr_is_volatile(t->expr)) x->fits = false;
    if (grouped && !is_group(x->sub, t->expr)) x->fits = false;
    return t->expr;
}

static bool can_take(const struct query *s)
{
    if (s->command != CMD_SELECT || s->limit || s->offset || s->distinct_on_count || s->has_windows ||
        s->has_srf || s->grouping_set_count || s->locking_count)
        return false;
    return s->set_op == SETOP_NONE || (can_take(s->left) && can_take(s->right));
}

/* The condition over the subquery's own columns; NULL: it cannot be decided inside. */
static struct expr *inside(struct planner *p, const struct query *s, struct expr *e)
{
    struct push x = {p->arena, s, true};
    if (s->set_op != SETOP_NONE)
        return inside(p, s->left, e) && inside(p, s->right, e) ? e : NULL;
    struct expr *made = into(&x, e);
    return x.fits ? made : NULL;
}

static void push(struct planner *p, struct query *s, struct expr *e)
{
    if (s->set_op != SETOP_NONE) {
        push(p, s->left, e);
        push(p, s->right, e);
        return;
    }
    struct expr *both[2] = {s->where, inside(p, s, e)};
    s->where = s->where ? make_and(p, both, 2) : both[1];
}

bool push_condition(struct planner *p, struct query *s, struct expr *e)
{
    if (expr_has_subquery(e) || expr_is_volatile(e) || !can_take(s) || !inside(p, s, e)) return false;
    push(p, s, e);
    return true;
}
