/* The pool of sources that inner joins connect: makes of it a problem of numbers (join_order.h), and of
 * the answer a plan. Pools too large for that are joined one by one: the smallest source first, then
 * always the connected one whose join is estimated smallest. */
#include "sql/plan/join_order.h"
#include "sql/plan/plan_priv.h"

enum { PROBE_SOURCES_MAX = 16 };

/* --- large pools ---------------------------------------------------------------------------- */

/* What each of the level's conjuncts reads, found once for many looks, and whose each relation is. */
struct pool_reads {
    uint64_t **sets;
    uint32_t *owner;  /* by relation: the source, as a place in the pool */
    double *fraction; /* by source: of its conditions with what is joined so far; below 0: it has none */
};

static void note_owner(struct level *l, struct pool_reads *r, const struct source *s, uint32_t place)
{
    for (uint32_t w = 0; w < l->word_count; w++)
        for (uint64_t left = s->relations[w]; left; left &= left - 1)
            r->owner[w * 64 + (uint32_t)__builtin_ctzll(left)] = place;
}

static struct pool_reads reads_of_pool(struct level *l, const struct source *s, size_t n)
{
    struct arena *a = l->planner->arena;
    struct pool_reads r = {ARENA_ARRAY(a, uint64_t *, l->conjuncts.count + 1),
                           ARENA_ARRAY(a, uint32_t, l->word_count * 64 + 1),
                           ARENA_ARRAY(a, double, n + 1)};
    for (size_t i = 0; i < l->conjuncts.count; i++)
        r.sets[i] = expr_relations(l, l->conjuncts.data[i]);
    memset(r.owner, 0xff, (l->word_count * 64 + 1) * sizeof *r.owner);
    for (size_t i = 0; i < n; i++) note_owner(l, &r, &s[i], (uint32_t)i);
    return r;
}

/* After conditions were taken out, which leaves the others in order. */
static void forget_taken(struct level *l, struct pool_reads *r, struct expr *const *before)
{
    for (size_t i = 0, k = 0; i < l->conjuncts.count; i++, k++) {
        while (before[k] != l->conjuncts.data[i]) k++;
        r->sets[i] = r->sets[k];
    }
}

/* The one source beside `sofar` that a condition reads; false: another number of them. */
static bool other_source(struct level *l, const struct pool_reads *r, const struct source *sofar,
                         const uint64_t *reads, uint32_t *ret)
{
    bool joins = false, any = false;
    for (uint32_t w = 0; w < l->word_count; w++) {
        joins |= (reads[w] & sofar->relations[w]) != 0;
        for (uint64_t left = reads[w] & ~sofar->relations[w]; left; left &= left - 1) {
            uint32_t owner = r->owner[w * 64 + (uint32_t)__builtin_ctzll(left)];
            if (owner == UINT32_MAX || (any && owner != *ret)) return false;
            *ret = owner;
            any = true;
        }
    }
    return joins && any;
}

static size_t next_source(struct level *l, const struct pool_reads *r, const struct source *sofar,
                          const struct source *s, size_t n)
{
    for (size_t i = 0; i < n; i++) r->fraction[i] = -1;
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        const struct expr *e = l->conjuncts.data[i];
        struct expr *x, *y;
        uint32_t k;
        if (!other_source(l, r, sofar, r->sets[i], &k)) continue;
        if (r->fraction[k] < 0) r->fraction[k] = 1;
        if (equality_sides(l, e, sofar, &s[k], &x, &y))
            r->fraction[k] *= equalities_fraction(l, &x, &y, 1, sofar->node->rows, s[k].node->rows);
        else
            r->fraction[k] *= condition_fraction(l->planner, l, NULL, e);
    }
    size_t best = 0;
    double best_rows = -1;
    bool best_connected = false;
    for (size_t i = 0; i < n; i++) {
        bool c = r->fraction[i] >= 0;
        double rows = join_rows(JOIN_INNER, sofar->node->rows, s[i].node->rows, c ? r->fraction[i] : 1);
        if (best_rows < 0 || (c && !best_connected) || (c == best_connected && rows < best_rows)) {
            best = i;
            best_rows = rows;
            best_connected = c;
        }
    }
    return best;
}

static enum status join_one_by_one(struct level *l, struct source *s, size_t n, struct source *ret)
{
    struct expr **before = ARENA_ARRAY(l->planner->arena, struct expr *, l->conjuncts.count + 1);
    size_t first = 0;
    for (size_t i = 1; i < n; i++)
        if (s[i].node->rows < s[first].node->rows) first = i;
    *ret = s[first];
    s[first] = s[--n];
    struct pool_reads reads = reads_of_pool(l, s, n);
    while (n > 0) {
        TRY(planner_check(l->planner));
        size_t best = next_source(l, &reads, ret, s, n);
        struct source next = s[best];
        s[best] = s[--n];
        note_owner(l, &reads, &s[best], (uint32_t)best);
        if (l->conjuncts.count)
            memcpy(before, l->conjuncts.data, l->conjuncts.count * sizeof *before);
        TRY(join_step(l, ret, &next));
        forget_taken(l, &reads, before);
    }
    return OK;
}

/* --- the problem ---------------------------------------------------------------------------- */

struct edge_keys {
    ARRAY(struct expr *) left, right; /* of one edge: several equalities between the same sources */
};

struct problem {
    struct level *level;
    struct source *sources;
    struct order_problem p;
    ARRAY(struct order_edge) edges;
    ARRAY(struct edge_keys) keys;
};

static uint64_t sources_read(const struct problem *x, const struct expr *e)
{
    uint64_t set = 0;
    uint64_t *reads = expr_relations(x->level, e);
    for (uint32_t i = 0; i < x->p.count; i++)
        if (relset_overlap(x->level, reads, x->sources[i].relations)) set |= 1ull << i;
    return set;
}

static bool one_source(uint64_t set)
{
    return set && !(set & (set - 1));
}

static void add_equality(struct problem *x, struct expr *a, struct expr *b, uint64_t left,
                         uint64_t right)
{
    struct arena *arena = x->level->planner->arena;
    size_t i = 0;
    if (left > right) {
        struct expr *e = a;
        uint64_t set = left;
        a = b;
        b = e;
        left = right;
        right = set;
    }
    while (i < x->edges.count && (x->edges.data[i].left != left || x->edges.data[i].right != right))
        i++;
    if (i == x->edges.count) {
        ARENA_PUSH(arena, &x->edges, (struct order_edge){left, right, 1});
        ARENA_PUSH(arena, &x->keys, (struct edge_keys){0});
    }
    ARENA_PUSH(arena, &x->keys.data[i].left, a);
    ARENA_PUSH(arena, &x->keys.data[i].right, b);
}

static void add_condition(struct problem *x, struct expr *e)
{
    struct level *l = x->level;
    uint64_t set = sources_read(x, e);
    struct expr *a, *b;
    if (!set || one_source(set)) return;
    for (uint32_t i = 0; i < x->p.count; i++)
        for (uint32_t k = i + 1; k < x->p.count; k++) {
            if ((set & ~(1ull << i | 1ull << k)) ||
                !equality_sides(l, e, &x->sources[i], &x->sources[k], &a, &b))
                continue;
            add_equality(x, a, b, 1ull << i, 1ull << k);
            return;
        }
    struct order_edge edge = {0, set, condition_fraction(l->planner, l, NULL, e)};
    bool equality = e->kind == EXPR_CALL && e->call.op && e->arg_count == 2 &&
                    strcmp(e->call.op->name, "=") == 0 && e->call.op->can_hash;
    if (equality) {
        uint64_t left = sources_read(x, e->args[0]), right = sources_read(x, e->args[1]);
        if (left && right && !(left & right)) edge = (struct order_edge){left, right, edge.fraction};
    }
    ARENA_PUSH(l->planner->arena, &x->edges, edge);
    ARENA_PUSH(l->planner->arena, &x->keys, (struct edge_keys){0});
}

/* What a lookup in source i costs by a row that holds source k. */
static double probe_cost(struct problem *x, uint32_t i, uint32_t k)
{
    struct level *l = x->level;
    struct source *s = &x->sources[i];
    struct access_path path;
    uint32_t relation;
    uint64_t *have = relset_new(l);
    if (!can_probe(l, s, &relation)) return 0;
    relset_union(l, have, s->relations);
    relset_union(l, have, x->sources[k].relations);
    ARRAY(struct expr *) between = {0};
    for (size_t c = 0; c < l->conjuncts.count; c++) {
        struct expr *e = l->conjuncts.data[c];
        uint64_t *reads = expr_relations(l, e);
        if (relset_subset(l, reads, have) && relset_overlap(l, reads, s->relations))
            ARENA_PUSH(l->planner->arena, &between, e);
    }
    for (uint32_t c = 0; c < s->conjunct_count; c++)
        ARENA_PUSH(l->planner->arena, &between, s->conjuncts[c]);
    choose_access(l, relation, between.data, (uint32_t)between.count, x->sources[k].relations, &path);
    if (!path.index) return 0;
    for (size_t c = 0; c < path.keyed.count; c++)
        if (relset_overlap(l, expr_relations(l, path.keyed.data[c]), x->sources[k].relations))
            return path.cost + COST_LOOKUP;
    return 0;
}

static enum status make_problem(struct problem *x, uint32_t n)
{
    struct level *l = x->level;
    struct arena *a = l->planner->arena;
    double *rows = ARENA_ARRAY(a, double, n), *cost = ARENA_ARRAY(a, double, n);
    double *probe = n <= PROBE_SOURCES_MAX ? ARENA_ARRAY(a, double, n * n) : NULL;
    x->p = (struct order_problem){.count = n, .rows = rows, .cost = cost, .probe = probe};
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = x->sources[i].node->rows;
        cost[i] = x->sources[i].node->cost_total;
    }
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        add_condition(x, l->conjuncts.data[i]);
        if (i % 64 == 0) TRY(planner_check(l->planner));
    }
    for (size_t i = 0; i < x->edges.count; i++) {
        struct edge_keys *k = &x->keys.data[i];
        struct order_edge *e = &x->edges.data[i];
        if (!k->left.count) continue;
        e->fraction = equalities_fraction(l, k->left.data, k->right.data, (uint32_t)k->left.count,
                                          rows[__builtin_ctzll(e->left)],
                                          rows[__builtin_ctzll(e->right)]);
    }
    for (uint32_t i = 0; probe && i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            if (i != k) probe[i * n + k] = probe_cost(x, i, k);
    x->p.edges = x->edges.data;
    x->p.edge_count = (uint32_t)x->edges.count;
    return OK;
}

/* --- the answer ----------------------------------------------------------------------------- */

static enum status join_tree(struct problem *x, const struct order *o, int32_t node,
                             struct source *ret)
{
    const struct order_node *n = &o->nodes[node];
    struct source right = {0};
    if (n->left == ORDER_NONE) {
        *ret = x->sources[node];
        return OK;
    }
    TRY(join_tree(x, o, n->left, ret));
    TRY(join_tree(x, o, n->right, &right));
    return join_step(x->level, ret, &right);
}

enum status join_pool(struct level *l, struct source *sources, size_t n, struct source *ret)
{
    struct problem x = {.level = l, .sources = sources};
    struct order order;
    if (n > ORDER_SOURCES_MAX) return join_one_by_one(l, sources, n, ret);
    if (n == 1) {
        *ret = sources[0];
        return OK;
    }
    TRY(make_problem(&x, (uint32_t)n));
    TRY(planner_check(l->planner));
    order_joins(l->planner->arena, &x.p, &order);
    return join_tree(&x, &order, (int32_t)order.count - 1, ret);
}
