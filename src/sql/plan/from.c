/* FROM and WHERE: relations, conditions at the lowest place that has what they read, join order.
 *
 * Inner joins and the comma list are one pool of sources; outer joins are sources of their own, whose
 * inside is planned first. The order of joins in the pool is chosen in join_pool.c. A join is by hash
 * when there is an equality, by index when the inner side has one and few outer rows ask, else a
 * nested loop. A LATERAL source, or an outer join that has one inside, is a nested loop's inner side
 * with outer values. */
#include "base/fiber.h"
#include "sql/plan/join_order.h"
#include "sql/plan/pullup.h"

struct pool {
    ARRAY(struct source) sources;
    uint64_t *own; /* all its relations */
    ARRAY(const struct from_item *) laterals; /* that wait for others of them */
};

static enum status plan_from_item(struct level *l, const struct from_item *f,
                                  struct expr **extra, uint32_t extra_count, struct source *ret);

/* --- relations that are not tables ---------------------------------------------------------- */

static void plain_slots(struct level *l, uint32_t relation, struct plan_node *n, struct source *ret)
{
    const struct relation *r = l->query->relations[relation];
    uint32_t count = n->column_count;
    ret->node = n;
    ret->slot_count = count;
    ret->slots = ARENA_ARRAY(l->planner->arena, struct slot_source, count);
    for (uint32_t i = 0; i < count; i++) {
        ret->slots[i] = (struct slot_source){relation, i};
        if (i < r->column_count) n->columns[i].name = r->columns[i].name;
    }
    ret->relations = relset_new(l);
    relset_add(ret->relations, relation);
}

static void relation_columns(struct planner *p, struct plan_node *n, const struct relation *r)
{
    n->column_count = r->column_count;
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, r->column_count);
    for (uint32_t i = 0; i < r->column_count; i++)
        n->columns[i] =
            (struct plan_column){r->columns[i].type, r->columns[i].typmod, r->columns[i].name};
    n->width = 8 * n->column_count;
}

static enum status plan_values(struct level *l, const struct relation *r, struct plan_node **ret)
{
    struct plan_node *n = node_new(l->planner, PLAN_VALUES);
    relation_columns(l->planner, n, r);
    n->values.row_count = r->value_count;
    n->values.rows = ARENA_ARRAY(l->planner->arena, struct expr **, r->value_count);
    for (uint32_t i = 0; i < r->value_count; i++)
        TRY(rewrite_all(l, r->values[i], r->column_count, &n->values.rows[i]));
    n->rows = r->value_count;
    *ret = n;
    return OK;
}

static enum status plan_function(struct level *l, const struct relation *r, struct plan_node **ret)
{
    struct plan_node *n = node_new(l->planner, PLAN_FUNCTION_SCAN);
    relation_columns(l->planner, n, r);
    n->function.call_count = r->function_count;
    n->function.ordinality = r->ordinality;
    n->alias = r->alias;
    n->rows = 1000;
    TRY(rewrite_all(l, r->functions, r->function_count, &n->function.calls));
    *ret = n;
    return OK;
}

enum status plan_relation(struct level *l, uint32_t relation, struct source *ret)
{
    struct relation *r = l->query->relations[relation];
    struct plan_node *n = NULL;
    struct level *inner;
    struct level *saved = l->planner->levels;
    switch (r->kind) {
    case REL_SUBQUERY:
        TRY(plan_select(l->planner, r->subquery, &n, &inner));
        l->planner->levels = saved;
        for (size_t i = 0; i < inner->outers.count; i++)
            if (inner->outers.data[i].target == l)
                (void)await_outer(l, inner->outers.data[i].relation, inner->outers.data[i].column);
        break;
    case REL_VALUES: TRY(plan_values(l, r, &n)); break;
    case REL_FUNCTION: TRY(plan_function(l, r, &n)); break;
    case REL_CTE: TRY(plan_cte_reference(l, r, &n)); break;
    default: return FAIL(INTERNAL_ERROR, "relation kind %d cannot be planned", r->kind);
    }
    plain_slots(l, relation, n, ret);
    l->planned[relation] = n;
    return OK;
}

/* --- conditions ----------------------------------------------------------------------------- */

/* Takes the conjuncts that read only `have` (and at least one of `must`, when given) out of the list. */
static uint32_t take_conjuncts(struct level *l, const uint64_t *have, const uint64_t *must,
                               struct expr ***ret)
{
    uint32_t n = 0, kept = 0;
    *ret = ARENA_ARRAY(l->planner->arena, struct expr *, l->conjuncts.count);
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        struct expr *e = l->conjuncts.data[i];
        uint64_t *reads = expr_relations(l, e);
        bool fits = relset_subset(l, reads, have) && (!must || relset_overlap(l, reads, must));
        if (fits) (*ret)[n++] = e;
        else l->conjuncts.data[kept++] = e;
    }
    l->conjuncts.count = kept;
    return n;
}

static enum status with_filter(struct level *l, struct source *s, struct expr **conjuncts, uint32_t n)
{
    struct expr *condition = make_and(l->planner, conjuncts, n);
    struct source saved = l->current;
    if (!condition) return OK;
    double part = condition_fraction(l->planner, l, NULL, condition);
    l->current = *s;
    enum status result = rewrite(l, condition, &condition);
    l->current = saved;
    TRY(result);
    s->node = node_filter(l->planner, s->node, condition);
    s->node->rows = s->node->left->rows * part < 1 ? 1 : s->node->left->rows * part;
    return OK;
}

/* --- joining two sources -------------------------------------------------------------------- */

static void join_slots(struct level *l, const struct source *a, const struct source *b,
                       bool left_only, struct source *ret)
{
    struct arena *arena = l->planner->arena;
    ret->may_probe = false;
    ret->slot_count = a->slot_count + (left_only ? 0 : b->slot_count);
    ret->slots = ARENA_ARRAY(arena, struct slot_source, ret->slot_count);
    if (a->slot_count) memcpy(ret->slots, a->slots, a->slot_count * sizeof *a->slots);
    if (!left_only && b->slot_count)
        memcpy(ret->slots + a->slot_count, b->slots, b->slot_count * sizeof *b->slots);
    ret->relations = relset_new(l);
    relset_union(l, ret->relations, a->relations);
    relset_union(l, ret->relations, b->relations);
}

bool equality_sides(struct level *l, const struct expr *e, const struct source *a,
                    const struct source *b, struct expr **ret_a, struct expr **ret_b)
{
    struct expr *sides[2];
    if (!hashable_equality(l->planner->arena, e, &sides[0], &sides[1])) return false;
    if (expr_has_subquery(e) || expr_is_volatile(e)) return false;
    for (int flip = 0; flip < 2; flip++) {
        uint64_t *x = expr_relations(l, sides[flip]), *y = expr_relations(l, sides[1 - flip]);
        if (relset_empty(l, x) || relset_empty(l, y)) continue;
        if (!relset_subset(l, x, a->relations) || !relset_subset(l, y, b->relations)) continue;
        *ret_a = sides[flip];
        *ret_b = sides[1 - flip];
        return true;
    }
    return false;
}

static enum status rewrite_over(struct level *l, const struct source *s, struct expr **in,
                                uint32_t n, struct expr ***ret)
{
    struct source saved = l->current;
    l->current = *s;
    enum status result = rewrite_all(l, in, n, ret);
    l->current = saved;
    return result;
}

static enum status join_sources(struct level *l, enum join_kind kind, const struct source *a,
                                const struct source *b, struct expr **conjuncts, uint32_t n,
                                struct source *ret)
{
    struct planner *p = l->planner;
    struct expr **ka = ARENA_ARRAY(p->arena, struct expr *, n), **kb = ARENA_ARRAY(p->arena, struct expr *, n);
    struct expr **rest = ARENA_ARRAY(p->arena, struct expr *, n);
    uint32_t keys = 0, left_over = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (equality_sides(l, conjuncts[i], a, b, &ka[keys], &kb[keys])) keys++;
        else rest[left_over++] = conjuncts[i];
    }
    double fraction = equalities_fraction(l, ka, kb, keys, a->node->rows, b->node->rows);
    struct plan_node *node = node_new(p, keys ? PLAN_HASH_JOIN : PLAN_NESTED_LOOP);
    join_slots(l, a, b, false, ret);
    ret->node = node;
    node->left = a->node;
    node->right = b->node;
    node->join.type = kind;
    node->join.key_count = keys;
    TRY(rewrite_over(l, a, ka, keys, &node->join.left_keys));
    TRY(rewrite_over(l, b, kb, keys, &node->join.right_keys));
    struct expr *condition = make_and(p, rest, left_over);
    fraction *= condition_fraction(p, l, NULL, condition);
    if (condition) {
        struct expr **out;
        TRY(rewrite_over(l, ret, &condition, 1, &out));
        node->join.condition = out[0];
    }
    node_columns_concat(p, node, a->node, b->node);
    node->rows = join_rows(kind, a->node->rows, b->node->rows, fraction);
    node->cost_total = a->node->cost_total + b->node->cost_total;
    node->cost_total += keys ? a->node->rows * COST_HASH_PROBE + b->node->rows * COST_HASH_BUILD
                             : a->node->rows * b->node->rows * COST_LOOP_PAIR;
    bool merge = true; /* PostgreSQL merges by no key when the condition is constant */
    for (uint32_t i = 0; i < left_over; i++) merge &= rest[i]->kind == EXPR_CONST;
    if (!keys && kind == JOIN_FULL && !merge)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions");
    return OK;
}

/* The inner side of a nested loop reads columns of the outer side through outer values. */
struct outer_side {
    struct level *level;
    const struct source *outer;
    struct plan_node *join;
    enum status status;
    ARRAY(struct expr *) exprs;
    ARRAY(uint32_t) indexes;
};

static struct expr *to_outer(void *ctx, struct expr *e)
{
    struct outer_side *o = ctx;
    struct level *l = o->level;
    if (!e) return NULL;
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) {
        struct expr *slot = NULL;
        struct source saved = l->current;
        l->current = *o->outer;
        o->status = rewrite(l, e, &slot);
        l->current = saved;
        if (o->status != OK) return e;
        struct expr *value = arena_memdup(l->planner->arena, e, sizeof *e);
        value->kind = EXPR_OUTER;
        value->param = (int)l->planner->plan->outer_value_count++;
        ARENA_PUSH(l->planner->arena, &o->exprs, slot);
        ARENA_PUSH(l->planner->arena, &o->indexes, (uint32_t)value->param);
        return value;
    }
    return expr_map(l->planner->arena, e, to_outer, o);
}

static struct plan_node *loop_node(struct level *l, enum join_kind kind, const struct source *a,
                                   const struct source *b, struct outer_side *o)
{
    struct plan_node *node = node_new(l->planner, PLAN_NESTED_LOOP);
    node->left = a->node;
    node->right = b->node;
    node->join.type = kind;
    node->join.outer = o->exprs.data;
    node->join.outer_index = o->indexes.data;
    node->join.outer_count = (uint32_t)o->exprs.count;
    node_columns_concat(l->planner, node, a->node, b->node);
    return node;
}

/* Rows of a join by the conditions among these that read both sides. */
static double joined_rows(struct level *l, enum join_kind kind, const struct source *a,
                          const struct source *b, struct expr **conjuncts, uint32_t n)
{
    struct arena *arena = l->planner->arena;
    struct expr **left = ARENA_ARRAY(arena, struct expr *, n);
    struct expr **right = ARENA_ARRAY(arena, struct expr *, n);
    struct expr **rest = ARENA_ARRAY(arena, struct expr *, n);
    uint32_t keys = 0, others = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!relset_overlap(l, expr_relations(l, conjuncts[i]), a->relations)) continue;
        if (equality_sides(l, conjuncts[i], a, b, &left[keys], &right[keys])) keys++;
        else rest[others++] = conjuncts[i];
    }
    double fraction = equalities_fraction(l, left, right, keys, a->node->rows, b->node->rows);
    fraction *= condition_fraction(l->planner, l, NULL, make_and(l->planner, rest, others));
    return join_rows(kind, a->node->rows, b->node->rows, fraction);
}

/* Joins `a` to the base table `relation` by probing an index of it; false when that is not worth it. */
static enum status index_join(struct level *l, enum join_kind kind, const struct source *a,
                              uint32_t relation, struct expr **conjuncts, uint32_t n,
                              const struct source *plain, bool *ret_done, struct source *ret)
{
    struct access_path path;
    struct source b = {0};
    struct outer_side o = {.level = l, .outer = a};
    *ret_done = false;
    const struct relation *r = l->query->relations[relation];
    if (r->kind != REL_TABLE || !r->table->tree) return OK;
    choose_access(l, relation, conjuncts, n, a->relations, &path);
    if (!path.index || path.keyed.count == 0) return OK;
    bool smaller = a->node->rows < plain->node->rows;
    double build = smaller && kind == JOIN_INNER ? a->node->rows : plain->node->rows;
    double probe = a->node->rows + plain->node->rows - build;
    double by_index = a->node->rows * (path.cost + COST_LOOKUP);
    double by_hash = plain->node->cost_total + probe * COST_HASH_PROBE + build * COST_HASH_BUILD;
    if (by_index >= by_hash) return OK;
    double rows = joined_rows(l, kind, a, plain, conjuncts, n);
    for (uint32_t i = 0; i < path.range.equal_count; i++)
        path.range.equal[i] = to_outer(&o, path.range.equal[i]);
    if (path.range.lower) path.range.lower = to_outer(&o, path.range.lower);
    if (path.range.upper) path.range.upper = to_outer(&o, path.range.upper);
    if (path.range.in_array) path.range.in_array = to_outer(&o, path.range.in_array);
    for (uint32_t i = 0; i < path.range.in_count; i++)
        path.range.in_list[i] = to_outer(&o, path.range.in_list[i]);
    TRY(o.status);
    /* What reads the inner table alone filters there; the rest decides the match. */
    ARRAY(struct expr *) inner = {0}, both = {0};
    for (uint32_t i = 0; i < n; i++) {
        bool keyed = false;
        for (size_t k = 0; k < path.keyed.count; k++) keyed |= path.keyed.data[k] == conjuncts[i];
        if (keyed) continue;
        uint64_t *own = relset_new(l);
        relset_add(own, relation);
        if (relset_subset(l, expr_relations(l, conjuncts[i]), own))
            ARENA_PUSH(l->planner->arena, &inner, conjuncts[i]);
        else
            ARENA_PUSH(l->planner->arena, &both, conjuncts[i]);
    }
    TRY(make_scan(l, relation, &path, inner.data, (uint32_t)inner.count, &b));
    join_slots(l, a, &b, false, ret);
    struct plan_node *node = loop_node(l, kind, a, &b, &o);
    ret->node = node;
    struct expr *condition = make_and(l->planner, both.data, (uint32_t)both.count), **out;
    if (condition) {
        TRY(rewrite_over(l, ret, &condition, 1, &out));
        node->join.condition = out[0];
    }
    node->rows = rows;
    node->cost_total = a->node->cost_total + by_index;
    *ret_done = true;
    return OK;
}

/* --- the sources ---------------------------------------------------------------------------- */

static bool single_table(const struct level *l, const struct source *s, uint32_t *ret_relation)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < l->query->relation_count; i++)
        if (relset_has(s->relations, i)) {
            found++;
            *ret_relation = i;
        }
    return found == 1 && l->query->relations[*ret_relation]->kind == REL_TABLE;
}

/* --- LATERAL -------------------------------------------------------------------------------- */

struct lateral_walk {
    struct level *level;
    uint64_t *set;
};

static void add_lateral(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct lateral_walk *w = ctx;
    const struct query *q = w->level->query;
    if (owner != q) return;
    if (q->relations[relation]->kind == REL_JOIN)
        expr_columns(q, q->relations[relation]->join_columns[column], add_lateral, w);
    else
        relset_add(w->set, relation);
}

static void add_relation_reads(struct lateral_walk *w, const struct relation *r)
{
    const struct query *q = w->level->query;
    if (r->kind == REL_SUBQUERY) query_columns(r->subquery, add_lateral, w);
    for (uint32_t i = 0; i < r->function_count; i++)
        expr_columns(q, r->functions[i], add_lateral, w);
    for (uint32_t i = 0; r->kind == REL_VALUES && i < r->value_count; i++)
        for (uint32_t c = 0; c < r->column_count; c++)
            expr_columns(q, r->values[i][c], add_lateral, w);
}

static void add_item_reads(struct lateral_walk *w, const struct from_item *f, uint64_t *own)
{
    if (f->kind == FROM_RELATION) {
        relset_add(own, f->relation);
        add_relation_reads(w, w->level->query->relations[f->relation]);
        return;
    }
    add_item_reads(w, f->left, own);
    add_item_reads(w, f->right, own);
    if (f->condition) expr_columns(w->level->query, f->condition, add_lateral, w);
}

/* Which other relations, of these, does the item read? */
static uint64_t *item_reads(struct level *l, const struct from_item *f, const uint64_t *of)
{
    struct lateral_walk w = {l, relset_new(l)};
    uint64_t *own = relset_new(l);
    add_item_reads(&w, f, own);
    for (uint32_t i = 0; i < l->word_count; i++) w.set[i] &= of[i] & ~own[i];
    return w.set;
}

/* The loop over `a` sets what its inner side awaits of it; the rest is for loops around this one. */
static enum status take_awaited(struct level *l, const struct source *a, size_t from,
                                struct outer_side *o)
{
    struct planner *p = l->planner;
    size_t kept = from;
    for (size_t i = from; i < l->awaited.count; i++) {
        struct outer_ref ref = l->awaited.data[i];
        struct expr *e = expand_joins(l, column_expr(l, ref.relation, ref.column)), **out;
        bool known = false;
        if (!relset_subset(l, expr_relations(l, e), a->relations)) {
            l->awaited.data[kept++] = ref;
            continue;
        }
        for (size_t k = 0; k < o->indexes.count; k++) known |= o->indexes.data[k] == ref.index;
        if (known) continue;
        TRY(rewrite_over(l, a, &e, 1, &out));
        ARENA_PUSH(p->arena, &o->exprs, out[0]);
        ARENA_PUSH(p->arena, &o->indexes, ref.index);
    }
    l->awaited.count = kept;
    return OK;
}

/* An item that reads columns of `a`: a nested loop's inner side. `extra`: conditions on it alone. */
static enum status plan_lateral(struct level *l, const struct source *a, const struct from_item *f,
                                struct expr **extra, uint32_t extra_count, struct source *ret,
                                struct outer_side *ret_side)
{
    uint64_t *saved = l->around;
    size_t from = l->awaited.count;
    *ret_side = (struct outer_side){.level = l, .outer = a};
    l->around = relset_new(l);
    if (saved) relset_union(l, l->around, saved);
    relset_union(l, l->around, a->relations);
    enum status s = plan_from_item(l, f, extra, extra_count, ret);
    l->around = saved;
    TRY(s);
    return take_awaited(l, a, from, ret_side);
}

static enum status lateral_join(struct level *l, enum join_kind kind, const struct source *a,
                                const struct source *b, struct outer_side *o,
                                struct expr **conjuncts, uint32_t n, struct source *ret)
{
    join_slots(l, a, b, false, ret);
    ret->node = loop_node(l, kind, a, b, o);
    struct expr *condition = make_and(l->planner, conjuncts, n), **out;
    if (condition) {
        TRY(rewrite_over(l, ret, &condition, 1, &out));
        ret->node->join.condition = out[0];
    }
    ret->node->rows = a->node->rows * b->node->rows;
    ret->node->cost_total = a->node->cost_total + a->node->rows * (b->node->cost_total + COST_LOOKUP);
    return OK;
}

/* A relation with all conditions that read it alone. */
static enum status plan_base(struct level *l, uint32_t relation, struct expr **extra,
                             uint32_t extra_count, bool take_where, struct source *ret)
{
    struct expr **taken = NULL;
    uint32_t n = 0;
    uint64_t *own = relset_new(l);
    relset_add(own, relation);
    if (take_where) n = take_conjuncts(l, own, own, &taken);
    struct expr **all = ARENA_ARRAY(l->planner->arena, struct expr *, n + extra_count);
    if (n) memcpy(all, taken, n * sizeof *all);
    if (extra_count) memcpy(all + n, extra, extra_count * sizeof *all);
    n += extra_count;
    if (l->query->relations[relation]->kind == REL_TABLE) {
        struct access_path path;
        choose_access(l, relation, all, n, relset_new(l), &path);
        TRY(make_scan(l, relation, &path, all, n, ret));
        ret->conjuncts = all;
        ret->conjunct_count = n;
        ret->may_probe = true;
        for (uint32_t i = 0; i < n; i++) ret->may_probe &= !expr_has_subquery(all[i]);
        return OK;
    }
    const struct relation *r = l->query->relations[relation];
    uint32_t above = 0;
    for (uint32_t i = 0; i < n; i++)
        if (r->kind != REL_SUBQUERY || !push_condition(l->planner, r->subquery, all[i]))
            all[above++] = all[i];
    TRY(plan_relation(l, relation, ret));
    return with_filter(l, ret, all, above);
}

/* --- outer joins ---------------------------------------------------------------------------- */

static void item_relations(struct level *l, const struct from_item *f, uint64_t *set)
{
    if (f->kind == FROM_RELATION) {
        relset_add(set, f->relation);
        return;
    }
    item_relations(l, f->left, set);
    item_relations(l, f->right, set);
}

static enum status plan_outer_join(struct level *l, const struct from_item *f, struct source *ret)
{
    enum join_kind kind = f->join;
    const struct from_item *left = f->left, *right = f->right;
    struct source a = {0}, b = {0};
    if (kind == JOIN_RIGHT) {
        left = f->right;
        right = f->left;
        kind = JOIN_LEFT;
    }
    /* The ON condition, in three: what reads the nullable side alone goes down into it. */
    uint64_t *right_set = relset_new(l);
    item_relations(l, right, right_set);
    ARRAY(struct expr *) saved = {0}, inner = {0}, both = {0};
    for (size_t i = 0; i < l->conjuncts.count; i++)
        ARENA_PUSH(l->planner->arena, &saved, l->conjuncts.data[i]);
    l->conjuncts.count = 0;
    split_conjuncts(l, expand_joins(l, f->condition));
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        struct expr *e = l->conjuncts.data[i];
        uint64_t *reads = expr_relations(l, e);
        if (kind == JOIN_LEFT && relset_subset(l, reads, right_set) && !relset_empty(l, reads))
            ARENA_PUSH(l->planner->arena, &inner, e);
        else
            ARENA_PUSH(l->planner->arena, &both, e);
    }
    l->conjuncts.count = 0;
    /* WHERE may go down the preserved side of a LEFT JOIN, never the nullable one. */
    if (kind == JOIN_LEFT)
        for (size_t i = 0; i < saved.count; i++)
            ARENA_PUSH(l->planner->arena, &l->conjuncts, saved.data[i]);
    TRY(plan_from_item(l, left, NULL, 0, &a));
    if (kind != JOIN_LEFT)
        for (size_t i = 0; i < saved.count; i++)
            ARENA_PUSH(l->planner->arena, &l->conjuncts, saved.data[i]);
    ARRAY(struct expr *) where = {0};
    for (size_t i = 0; i < l->conjuncts.count; i++)
        ARENA_PUSH(l->planner->arena, &where, l->conjuncts.data[i]);
    l->conjuncts.count = 0;
    enum status s;
    bool done = false;
    if (!relset_empty(l, item_reads(l, right, a.relations))) {
        struct outer_side o;
        s = plan_lateral(l, &a, right, inner.data, (uint32_t)inner.count, &b, &o);
        if (s == OK)
            s = lateral_join(l, kind, &a, &b, &o, both.data, (uint32_t)both.count, ret);
        done = true;
    } else {
        s = plan_from_item(l, right, inner.data, (uint32_t)inner.count, &b);
    }
    l->conjuncts.count = 0;
    for (size_t i = 0; i < where.count; i++)
        ARENA_PUSH(l->planner->arena, &l->conjuncts, where.data[i]);
    TRY(s);
    uint32_t relation;
    if (!done && kind == JOIN_LEFT && single_table(l, &b, &relation)) {
        ARRAY(struct expr *) all = {0};
        for (size_t i = 0; i < both.count; i++) ARENA_PUSH(l->planner->arena, &all, both.data[i]);
        for (size_t i = 0; i < inner.count; i++) ARENA_PUSH(l->planner->arena, &all, inner.data[i]);
        TRY(index_join(l, kind, &a, relation, all.data, (uint32_t)all.count, &b, &done, ret));
    }
    if (!done) TRY(join_sources(l, kind, &a, &b, both.data, (uint32_t)both.count, ret));
    return OK;
}

/* --- the pool of inner joins ---------------------------------------------------------------- */

static enum status fill_pool(struct level *l, const struct from_item *f, struct pool *pool)
{
    struct source s = {0};
    TRY(planner_check(l->planner));
    if (f->kind != FROM_RELATION && f->join == JOIN_INNER) {
        TRY(fill_pool(l, f->left, pool));
        return fill_pool(l, f->right, pool);
    }
    if (!relset_empty(l, item_reads(l, f, pool->own))) {
        ARENA_PUSH(l->planner->arena, &pool->laterals, f);
        return OK;
    }
    if (f->kind == FROM_RELATION) TRY(plan_base(l, f->relation, NULL, 0, true, &s));
    else TRY(plan_outer_join(l, f, &s));
    ARENA_PUSH(l->planner->arena, &pool->sources, s);
    return OK;
}

/* Conditions of inner joins count as WHERE, so they are gathered before anything is planned. */
static void gather_conditions(struct level *l, const struct from_item *f)
{
    if (f->kind == FROM_RELATION || f->join != JOIN_INNER) return;
    gather_conditions(l, f->left);
    gather_conditions(l, f->right);
    split_conjuncts(l, expand_joins(l, f->condition));
}

bool can_probe(struct level *l, const struct source *s, uint32_t *ret_relation)
{
    return s->may_probe && single_table(l, s, ret_relation) &&
           l->key_slots[*ret_relation] < 0;
}

/* The join by lookups in `inner`, when that is cheaper than by hash. */
static enum status try_lookups(struct level *l, const struct source *outer,
                               const struct source *inner, struct expr **conjuncts, uint32_t n,
                               bool *ret_done, struct source *ret)
{
    uint32_t relation;
    if (!can_probe(l, inner, &relation)) return OK;
    /* The plain scan has its own filter already: a lookup needs those conditions too. */
    struct expr **all =
        ARENA_ARRAY(l->planner->arena, struct expr *, n + inner->conjunct_count);
    if (n) memcpy(all, conjuncts, n * sizeof *all);
    if (inner->conjunct_count)
        memcpy(all + n, inner->conjuncts, inner->conjunct_count * sizeof *all);
    return index_join(l, JOIN_INNER, outer, relation, all, n + inner->conjunct_count, inner,
                      ret_done, ret);
}

enum status join_step(struct level *l, struct source *sofar, struct source *next)
{
    struct expr **conjuncts;
    struct source joined = {0};
    uint64_t *have = relset_new(l);
    bool done = false;
    TRY(planner_check(l->planner));
    relset_union(l, have, sofar->relations);
    relset_union(l, have, next->relations);
    uint32_t n = take_conjuncts(l, have, next->relations, &conjuncts);
    TRY(try_lookups(l, sofar, next, conjuncts, n, &done, &joined));
    if (!done) TRY(try_lookups(l, next, sofar, conjuncts, n, &done, &joined));
    if (!done) {
        /* Build the hash table on the smaller side. */
        struct source *a = sofar, *b = next;
        if (b->node->rows > a->node->rows) a = next, b = sofar;
        TRY(join_sources(l, JOIN_INNER, a, b, conjuncts, n, &joined));
    }
    *sofar = joined;
    return OK;
}

static enum status join_laterals(struct level *l, struct pool *pool, struct source *ret)
{
    while (pool->laterals.count) {
        size_t pick = SIZE_MAX;
        for (size_t i = 0; i < pool->laterals.count && pick == SIZE_MAX; i++) {
            uint64_t *reads = item_reads(l, pool->laterals.data[i], pool->own);
            if (relset_subset(l, reads, ret->relations)) pick = i;
        }
        if (pick == SIZE_MAX)
            return UNSUPPORTED("this combination of LATERAL and joins is not supported yet");
        const struct from_item *item = pool->laterals.data[pick];
        memmove(&pool->laterals.data[pick], &pool->laterals.data[pick + 1],
                (--pool->laterals.count - pick) * sizeof item);
        struct source joined = {0}, inner = {0};
        struct outer_side o;
        struct expr **conjuncts;
        uint64_t *have = relset_new(l);
        TRY(plan_lateral(l, ret, item, NULL, 0, &inner, &o));
        relset_union(l, have, ret->relations);
        relset_union(l, have, inner.relations);
        uint32_t n = take_conjuncts(l, have, inner.relations, &conjuncts);
        TRY(lateral_join(l, JOIN_INNER, ret, &inner, &o, conjuncts, n, &joined));
        *ret = joined;
    }
    return OK;
}

static enum status plan_pool(struct level *l, struct from_item *const *items, uint32_t n,
                             struct source *ret)
{
    struct pool pool = {.own = relset_new(l)};
    for (uint32_t i = 0; i < n; i++) item_relations(l, items[i], pool.own);
    for (uint32_t i = 0; i < n; i++) gather_conditions(l, items[i]);
    add_implied(l);
    for (uint32_t i = 0; i < n; i++) TRY(fill_pool(l, items[i], &pool));
    if (pool.sources.count == 0) {
        struct source one = {.node = node_new(l->planner, PLAN_RESULT), .relations = relset_new(l)};
        ARENA_PUSH(l->planner->arena, &pool.sources, one);
    }
    TRY(join_pool(l, pool.sources.data, pool.sources.count, ret));
    return join_laterals(l, &pool, ret);
}

static enum status plan_from_item(struct level *l, const struct from_item *f, struct expr **extra,
                                  uint32_t extra_count, struct source *ret)
{
    if (f->kind == FROM_RELATION)
        return plan_base(l, f->relation, extra, extra_count, true, ret);
    /* What reads no relation is the item's own when it came with it: an outer join may stand above. */
    struct expr **rest, **constants;
    uint32_t constant_count = take_conjuncts(l, relset_new(l), NULL, &constants);
    for (uint32_t i = 0; i < extra_count; i++)
        ARENA_PUSH(l->planner->arena, &l->conjuncts, extra[i]);
    struct from_item *item = (struct from_item *)(uintptr_t)f;
    TRY(plan_pool(l, &item, 1, ret));
    uint32_t n = take_conjuncts(l, ret->relations, NULL, &rest);
    for (uint32_t i = 0; i < constant_count; i++)
        ARENA_PUSH(l->planner->arena, &l->conjuncts, constants[i]);
    return with_filter(l, ret, rest, n);
}

enum status plan_from(struct level *l)
{
    struct query *q = l->query;
    struct expr **rest, **late;
    struct source s = {0}; /* not `current` yet: what reads a column beside it must not find it there */
    if (fiber_stack_left() < 32 << 10)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    split_conjuncts(l, expand_joins(l, q->where));
    uint32_t late_count = take_late(l, &late);
    TRY(plan_pool(l, q->from, q->from_count, &s));
    if (l->awaited.count)
        return UNSUPPORTED("this combination of LATERAL and joins is not supported yet");
    rest = l->conjuncts.data;
    uint32_t n = (uint32_t)l->conjuncts.count;
    l->conjuncts.count = 0;
    TRY(with_filter(l, &s, rest, n));
    l->current = s;
    return plan_late(l, late, late_count);
}
