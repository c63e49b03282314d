/* A query with joins and grouping as two: one groups a part of its relations by all that is read of them
 * outside, the other joins what that gives and groups again. */
#include "sql/plan/group_below.h"

#include "sql/plan/ties.h"

/* --- making it plain ---------------------------------------------------------------------------- */

struct prepare {
    struct planner *planner;
    struct query *query;
    bool fits;
};

/* What stands for columns of joins, as in the query's own expressions. */
static struct expr *plain_column(struct query_map *m, struct expr *e)
{
    struct prepare *x = m->ctx;
    if (column_owner(m->at, e) != x->query) return e;
    const struct relation *r = x->query->relations[e->column.relation];
    if (r->kind != REL_JOIN) return e;
    struct expr *to = r->join_columns[e->column.column];
    if (expr_has_subquery(to)) {
        x->fits = false;
        return e;
    }
    if (e->column.levels_up) to = raise_columns(m->arena, to, e->column.levels_up);
    return query_map_columns(m, to);
}

static bool no_grouping(void *ctx, const struct expr *e)
{
    (void)ctx;
    return !e || (e->kind != EXPR_GROUPING && expr_walk(e, no_grouping, NULL));
}

static struct expr *plain_root(struct query_map *m, struct expr *e)
{
    struct prepare *x = m->ctx;
    if (!no_grouping(NULL, e) || expr_is_volatile(e)) x->fits = false;
    return query_map_columns(m, e);
}

static void add_conjuncts(struct planner *p, struct expr *e, struct expr ***items, uint32_t *n)
{
    if (!e) return;
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_AND) {
        for (uint32_t i = 0; i < e->arg_count; i++) add_conjuncts(p, e->args[i], items, n);
        return;
    }
    struct expr **grown = ARENA_ARRAY(p->arena, struct expr *, *n + 1);
    if (*n) memcpy(grown, *items, *n * sizeof *grown);
    grown[(*n)++] = e;
    *items = grown;
}

struct flat {
    ARRAY(struct from_item *) items;
    ARRAY(struct expr *) conditions;
};

static void flatten(struct planner *p, struct from_item *f, struct flat *ret)
{
    if (f->kind == FROM_RELATION || f->join != JOIN_INNER) {
        ARENA_PUSH(p->arena, &ret->items, f);
        return;
    }
    flatten(p, f->left, ret);
    flatten(p, f->right, ret);
    if (f->condition) ARENA_PUSH(p->arena, &ret->conditions, f->condition);
}

static void forget_join(struct from_item *f)
{
    if (f->kind == FROM_RELATION) return;
    f->relation = UINT32_MAX;
    forget_join(f->left);
    forget_join(f->right);
}

static void note_own(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct prepare *x = ctx;
    (void)relation, (void)column;
    if (owner == x->query) x->fits = false;
}

/* Relations of its FROM that read others beside them stay as they are written, and so does the query. */
static void check_relation(struct prepare *x, const struct relation *r)
{
    if (r->kind == REL_CTE || r->sample || r->versions) x->fits = false;
    if (r->kind == REL_SUBQUERY) query_columns(r->subquery, note_own, x);
    for (uint32_t i = 0; i < r->function_count; i++)
        expr_columns(x->query, r->functions[i], note_own, x);
    for (uint32_t i = 0; r->kind == REL_VALUES && i < r->value_count; i++)
        for (uint32_t c = 0; c < r->column_count; c++)
            expr_columns(x->query, r->values[i][c], note_own, x);
}

static bool has_own_aggregate(const struct relation *r)
{
    for (uint32_t i = 0; r->kind == REL_JOIN && i < r->column_count; i++)
        if (expr_has_aggregate(r->join_columns[i]) || r->join_columns[i]->kind == EXPR_GROUPING)
            return true;
    return false;
}

/* WITH is planned once, where it is first met; here all is planned more than once. */
static bool holds_cte(const struct query_map *m)
{
    for (size_t i = 0; i < m->old.count; i++) {
        const struct query *q = m->old.data[i];
        if (q->cte_count || q->command != CMD_SELECT || q->locking_count) return true;
        for (uint32_t k = 0; k < q->relation_count; k++)
            if (q->relations[k]->kind == REL_CTE) return true;
    }
    return false;
}

struct query *split_prepare(struct planner *p, const struct query *original)
{
    for (uint32_t i = 0; i < original->relation_count; i++)
        if (has_own_aggregate(original->relations[i])) return NULL;
    struct query *q = query_copy(p->arena, original);
    struct prepare x = {p, q, true};
    struct query_map m = {.arena = p->arena, .expr = plain_root, .column = plain_column, .ctx = &x};
    (void)query_map_run(&m, q);
    for (uint32_t i = 0; i < q->relation_count; i++) {
        struct relation *r = q->relations[i];
        if (r->kind == REL_JOIN) r->column_count = 0;
        else check_relation(&x, r);
    }
    if (!x.fits || holds_cte(&m)) return NULL;
    struct flat flat = {0};
    struct expr **conjuncts = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->from_count; i++) flatten(p, q->from[i], &flat);
    for (size_t i = 0; i < flat.items.count; i++) forget_join(flat.items.data[i]);
    q->from = flat.items.data;
    q->from_count = (uint32_t)flat.items.count;
    add_conjuncts(p, q->where, &conjuncts, &n);
    for (size_t i = 0; i < flat.conditions.count; i++)
        add_conjuncts(p, flat.conditions.data[i], &conjuncts, &n);
    q->where = make_and(p, conjuncts, n);
    q->settled = true;
    return q;
}

/* --- what goes where ---------------------------------------------------------------------------- */

void split_relations(const struct from_item *f, uint64_t *set)
{
    if (f->kind == FROM_RELATION) {
        relset_add(set, f->relation);
        return;
    }
    split_relations(f->left, set);
    split_relations(f->right, set);
}

struct sides {
    const struct split *split;
    bool inside, beside;
};

static void note_side(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct sides *x = ctx;
    (void)column;
    if (owner != x->split->above) return;
    if (relset_has(x->split->inside, relation)) x->inside = true;
    else x->beside = true;
}

void split_reads(const struct split *s, const struct expr *e, bool *ret_inside, bool *ret_beside)
{
    struct sides x = {.split = s};
    expr_columns(s->above, e, note_side, &x);
    *ret_inside = x.inside;
    *ret_beside = x.beside;
}

/* Of a condition those parts that can be decided below; the rest is left. */
static struct expr *take_inside(struct split *s, struct expr **condition)
{
    struct planner *p = s->planner;
    struct expr **items = NULL, **below, **above;
    uint32_t n = 0, b = 0, a = 0;
    add_conjuncts(p, *condition, &items, &n);
    below = ARENA_ARRAY(p->arena, struct expr *, n);
    above = ARENA_ARRAY(p->arena, struct expr *, n);
    for (uint32_t i = 0; i < n; i++) {
        bool inside, beside;
        split_reads(s, items[i], &inside, &beside);
        if (inside && !beside && !expr_has_subquery(items[i])) below[b++] = items[i];
        else above[a++] = items[i];
    }
    *condition = make_and(p, above, a);
    return make_and(p, below, b);
}

static struct from_item *item_of(struct split *s)
{
    struct from_item *f = ARENA_NEW(s->planner->arena, struct from_item);
    f->kind = FROM_RELATION;
    f->relation = s->relation;
    return f;
}

/* Takes what goes below out of the FROM of `above`; its conditions, too. */
static bool cut(struct split *s, const struct split_way *way, struct query *below)
{
    struct query *q = s->above;
    struct planner *p = s->planner;
    if (way->side == SPLIT_UNITS) {
        uint32_t kept = 0;
        below->from = ARENA_ARRAY(p->arena, struct from_item *, q->from_count);
        for (uint32_t i = 0; i < q->from_count; i++) {
            if (way->units >> i & 1) below->from[below->from_count++] = q->from[i];
            else q->from[kept++] = q->from[i];
        }
        q->from_count = kept;
        q->from[q->from_count++] = item_of(s);
    } else {
        struct from_item *f = q->from[way->units];
        bool left = (f->join == JOIN_LEFT) == (way->side == SPLIT_KEPT);
        struct from_item **at = left ? &f->left : &f->right;
        if (f->kind == FROM_RELATION || f->join == JOIN_FULL) return false;
        below->from = arena_memdup(p->arena, at, sizeof *at);
        below->from_count = 1;
        *at = item_of(s);
    }
    for (uint32_t i = 0; i < below->from_count; i++) split_relations(below->from[i], s->inside);
    s->nullable = way->side == SPLIT_NULLABLE;
    struct expr **condition = s->nullable ? &q->from[way->units]->condition : &q->where;
    below->where = take_inside(s, condition);
    return true;
}

/* --- the query above ---------------------------------------------------------------------------- */

static struct expr *child_above(void *ctx, struct expr *e)
{
    return split_above(ctx, e);
}

struct expr *split_above(struct query_map *m, struct expr *e)
{
    struct split *s = m->ctx;
    if (!e) return NULL;
    if (e->kind == EXPR_AGGREGATE && m->at == s->above) return split_aggregate(s, m, e);
    if (e->kind != EXPR_COLUMN) return query_map_subquery(m, expr_map(m->arena, e, child_above, m));
    if (column_owner(m->at, e) != s->above || !relset_has(s->inside, e->column.relation)) return e;
    return split_column(s, e);
}

/* --- the query below ---------------------------------------------------------------------------- */

struct lowering {
    const struct query *above;
    struct query *below;
    const uint32_t *numbers;
};

/* Its relations have new numbers, also where subqueries of its conditions read them, who are still the
 * other's; and what it reads of enclosing queries is one level further away. */
static struct expr *lower(struct query_map *m, struct expr *e)
{
    const struct lowering *x = m->ctx;
    const struct query *owner = column_owner(m->at, e), *q = m->at;
    while (q != owner && q != x->below && q != x->above) q = q->parent;
    if (q != x->below && q != x->above) return e; /* of a query within */
    e = arena_memdup(m->arena, e, sizeof *e);
    bool own = owner == x->below || owner == x->above;
    if (own) e->column.relation = x->numbers[e->column.relation];
    else e->column.levels_up++;
    return e;
}

static void renumber(struct from_item *f, const uint32_t *numbers)
{
    if (f->kind == FROM_RELATION) {
        f->relation = numbers[f->relation];
        return;
    }
    renumber(f->left, numbers);
    renumber(f->right, numbers);
}

static void finish_below(struct split *s, struct query *below)
{
    struct arena *a = s->planner->arena;
    struct query *q = s->above;
    uint32_t *numbers = ARENA_ARRAY(a, uint32_t, q->relation_count);
    below->relations = ARENA_ARRAY(a, struct relation *, q->relation_count);
    for (uint32_t i = 0; i < q->relation_count; i++) {
        if (!relset_has(s->inside, i)) continue;
        numbers[i] = below->relation_count;
        below->relations[below->relation_count++] = s->relations[i];
    }
    for (uint32_t i = 0; i < below->from_count; i++) renumber(below->from[i], numbers);
    below->targets = s->targets.data;
    below->target_count = (uint32_t)s->targets.count;
    below->group_by = s->groups.data;
    below->group_count = (uint32_t)s->groups.count;
    below->has_group = below->settled = true;
    below->has_aggregates = s->targets.count > s->groups.count;
    struct lowering x = {q, below, numbers};
    struct query_map m = {.arena = a, .expr = query_map_columns, .column = lower, .ctx = &x};
    (void)query_map_run(&m, below);
    for (size_t i = 0; i < m.made.count; i++)
        if (m.made.data[i]->parent == q) m.made.data[i]->parent = below;
    below->parent = q;
}

static void add_relation(struct split *s, struct query *below, const char *alias)
{
    struct arena *a = s->planner->arena;
    struct query *q = s->above;
    struct relation *r = ARENA_NEW(a, struct relation);
    r->kind = REL_SUBQUERY;
    r->alias = alias;
    r->subquery = below;
    r->column_count = below->target_count;
    r->columns = ARENA_ARRAY(a, struct rel_column, r->column_count);
    for (uint32_t i = 0; i < r->column_count; i++) {
        const struct expr *e = below->targets[i].expr;
        r->columns[i] = (struct rel_column){below->targets[i].name, e->type, e->typmod, 0};
    }
    struct relation **all = ARENA_ARRAY(a, struct relation *, q->relation_count + 1);
    memcpy(all, q->relations, q->relation_count * sizeof *all);
    all[q->relation_count++] = r;
    q->relations = all;
}

/* What goes below keeps its number above, where nothing stands for it. */
static void leave(struct split *s)
{
    struct query *q = s->above;
    struct arena *a = s->planner->arena;
    s->relations = arena_memdup(a, q->relations, q->relation_count * sizeof *q->relations);
    for (uint32_t i = 0; i < q->relation_count; i++) {
        if (!relset_has(s->inside, i)) continue;
        q->relations[i] = arena_memdup(a, q->relations[i], sizeof **q->relations);
        q->relations[i]->kind = REL_JOIN;
        q->relations[i]->column_count = 0;
        q->relations[i]->rules = NULL;
        q->relations[i]->subquery = NULL;
    }
}

bool split_query(struct planner *p, const struct query *prepared, const struct split_way *way,
                 struct split *ret)
{
    struct query *q = query_copy(p->arena, prepared), *below = ARENA_NEW(p->arena, struct query);
    struct split *s = ret;
    *s = (struct split){.planner = p, .above = q, .below = below, .relation = q->relation_count, .fits = true};
    s->inside = ARENA_ARRAY(p->arena, uint64_t, q->relation_count / 64 + 1);
    below->command = CMD_SELECT;
    below->parent = q->parent;
    if (!cut(s, way, below)) return false;
    const char *alias = NULL;
    for (uint32_t i = 0; i < q->relation_count && !alias; i++)
        if (relset_has(s->inside, i)) alias = q->relations[i]->alias;
    leave(s);
    struct query_map m = {.arena = p->arena, .expr = split_above, .ctx = s};
    (void)query_map_run(&m, q);
    if (!s->fits || !s->groups.count) return false;
    finish_below(s, below);
    add_relation(s, below, alias);
    return true;
}
