/* The order of joins against trying all trees: random graphs of conditions (chains, stars, cycles, cliques,
 * conditions over three sources, parts that nothing connects) with random row counts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "sql/plan/join_order.h"

enum { BRUTE_MAX = 7, EDGES_MAX = 64, ROUNDS = 400 };

struct problem {
    struct order_problem p;
    struct order_edge edges[EDGES_MAX];
    double rows[ORDER_SOURCES_MAX], cost[ORDER_SOURCES_MAX];
    double probe[ORDER_SOURCES_MAX * ORDER_SOURCES_MAX];
};

static uint64_t seed_of_run(void)
{
    const char *s = getenv("SEED");
    uint64_t seed = s ? strtoull(s, NULL, 0) : 20240607;
    printf("seed %llu (SEED)\n", (unsigned long long)seed);
    return seed;
}

static void add_edge(struct problem *x, struct rng *r, uint64_t left, uint64_t right)
{
    if (x->p.edge_count == EDGES_MAX) return;
    double fraction = pow(10, -5 * rng_double(r));
    x->edges[x->p.edge_count++] = (struct order_edge){left, right, fraction};
}

/* 0 chain, 1 star, 2 cycle, 3 clique, 4 any, 5 none */
static void make(struct problem *x, struct rng *r, uint32_t n, uint32_t shape)
{
    *x = (struct problem){.p = {.count = n}};
    x->p.rows = x->rows;
    x->p.cost = x->cost;
    x->p.edges = x->edges;
    x->p.probe = x->probe;
    for (uint32_t i = 0; i < n; i++) {
        x->rows[i] = floor(pow(10, 6 * rng_double(r)));
        x->cost[i] = x->rows[i] * 0.01 * (1 + 3 * rng_double(r));
    }
    for (uint32_t i = 1; i < n && shape < 4; i++) {
        if (shape == 3)
            for (uint32_t k = 0; k < i; k++) add_edge(x, r, 1ull << k, 1ull << i);
        else add_edge(x, r, shape == 1 ? 1 : 1ull << (i - 1), 1ull << i);
    }
    if (shape == 2 && n > 2) add_edge(x, r, 1, 1ull << (n - 1));
    for (uint32_t i = 0; i < n && shape == 4; i++) {
        uint64_t a = 1ull << rng_below(r, n), b = 1ull << rng_below(r, n);
        if (a != b) add_edge(x, r, a, b);
    }
    if (n > 3 && rng_below(r, 3) == 0) { /* a condition over three, as a key or not */
        uint64_t three = 1ull << rng_below(r, n) | 1ull << rng_below(r, n);
        uint64_t other = 1ull << rng_below(r, n);
        if (!(three & other)) {
            if (rng_below(r, 2)) add_edge(x, r, three, other);
            else add_edge(x, r, 0, three | other);
        }
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            if (i != k && rng_below(r, 4) == 0) x->probe[i * n + k] = 0.1 + 2 * rng_double(r);
}

/* The least cost of any tree over the set, by recursion; cached by set. */
static double brute(const struct order_problem *p, uint64_t set, double *known)
{
    if ((set & (set - 1)) == 0) return p->cost[__builtin_ctzll(set)];
    if (known[set] >= 0) return known[set];
    double best = INFINITY;
    for (uint64_t left = (set - 1) & set; left; left = (left - 1) & set) {
        uint64_t right = set ^ left;
        bool by_index;
        if (!order_joinable(p, left, right)) continue;
        double cost = brute(p, left, known) + brute(p, right, known);
        if (isinf(cost)) continue;
        cost += order_join_cost(p, left, right, order_rows(p, left), order_rows(p, right),
                                order_rows(p, set), &by_index);
        if (cost < best) best = cost;
    }
    return known[set] = best;
}

/* Is it a tree over all sources, each once, whose figures are those of its joins? Returns its set. */
static uint64_t check_tree(const struct order_problem *p, const struct order *o, int32_t at)
{
    const struct order_node *n = &o->nodes[at];
    if (n->left == ORDER_NONE) {
        assert_true((uint32_t)at < p->count);
        return 1ull << at;
    }
    const struct order_node *a = &o->nodes[n->left], *b = &o->nodes[n->right];
    assert_true(n->left < at && n->right < at);
    uint64_t left = check_tree(p, o, n->left), right = check_tree(p, o, n->right);
    bool by_index;
    assert_true((left & right) == 0);
    double cost = order_join_cost(p, left, right, a->rows, b->rows, n->rows, &by_index);
    assert_true(fabs(n->rows - order_rows(p, left | right)) <= 1e-6 * n->rows);
    assert_true(fabs(n->cost - (a->cost + b->cost + cost)) <= 1e-6 * fabs(n->cost) + 1e-6);
    assert_int_equal(n->by_index, by_index);
    return left | right;
}

static double cost_of(const struct order_problem *p, struct arena *a)
{
    struct order o;
    order_joins(a, p, &o);
    assert_int_equal(o.count, 2 * p->count - 1);
    uint64_t all = p->count == 64 ? UINT64_MAX : (1ull << p->count) - 1;
    assert_true(check_tree(p, &o, (int32_t)o.count - 1) == all);
    return o.nodes[o.count - 1].cost;
}

static void cheapest_of_all_trees(void **state)
{
    struct rng r;
    struct arena a;
    static struct problem x;
    static double known[1 << BRUTE_MAX];
    uint32_t lone = 0;
    (void)state;
    rng_seed(&r, seed_of_run());
    arena_init(&a, MEM_QUERY);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t n = 2 + (uint32_t)rng_below(&r, BRUTE_MAX - 1), shape = round % 6;
        make(&x, &r, n, shape);
        for (uint32_t i = 0; i < 1u << n; i++) known[i] = -1;
        double best = brute(&x.p, (1ull << n) - 1, known), got = cost_of(&x.p, &a);
        if (isinf(best)) {
            struct order_problem any = x.p;
            any.any_pair = true;
            for (uint32_t i = 0; i < 1u << n; i++) known[i] = -1;
            best = brute(&any, (1ull << n) - 1, known);
            lone++;
        }
        if (fabs(best - got) > 1e-6 * fabs(best) + 1e-6)
            fail_msg("round %u, %u sources, shape %u: %g, but %g is possible", round, n, shape, got,
                     best);
        arena_clear(&a);
    }
    arena_release(&a);
    printf("%u rounds, %u of them without a tree of connected parts\n", (unsigned)ROUNDS, lone);
    assert_true(lone > 0);
}

/* Beyond the exact bound: a right tree, no worse than joining in the order of the text. */
static void many_sources(void **state)
{
    struct rng r;
    struct arena a;
    static struct problem x;
    double worse = 0, rounds = 0;
    (void)state;
    rng_seed(&r, seed_of_run() + 1);
    arena_init(&a, MEM_QUERY);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t n = ORDER_EXACT_MAX + 1 + (uint32_t)rng_below(&r, ORDER_SOURCES_MAX - ORDER_EXACT_MAX);
        make(&x, &r, n, round % 3);
        double got = cost_of(&x.p, &a), rows = x.rows[0], cost = x.cost[0];
        for (uint32_t i = 1; i < n; i++) {
            bool by_index;
            uint64_t left = (1ull << i) - 1, right = 1ull << i;
            double both = order_rows(&x.p, left | right);
            cost += x.cost[i] + order_join_cost(&x.p, left, right, rows, x.rows[i], both, &by_index);
            rows = both;
        }
        worse += got > cost * 1.001;
        rounds++;
        arena_clear(&a);
    }
    arena_release(&a);
    printf("worse than the order of the text: %.0f of %.0f\n", worse, rounds);
    assert_true(worse < rounds / 10);
}

/* More rows than a double can count: still a tree. */
static void huge_sources(void **state)
{
    struct rng r;
    struct arena a;
    static struct problem x;
    (void)state;
    rng_seed(&r, seed_of_run() + 2);
    arena_init(&a, MEM_QUERY);
    for (uint32_t n = 2; n <= ORDER_SOURCES_MAX; n++) {
        make(&x, &r, n, n % 6);
        for (uint32_t i = 0; i < n; i++) x.rows[i] = 1e12;
        assert_true(isfinite(cost_of(&x.p, &a)));
        arena_clear(&a);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cheapest_of_all_trees),
        cmocka_unit_test(many_sources),
        cmocka_unit_test(huge_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
