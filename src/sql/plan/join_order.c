/* Join order by dynamic programming over sets of sources: the best tree of a set is the cheapest join of
 * the best trees of two parts of it that a condition connects (Selinger and others, SIGMOD 1979; bushy
 * trees; conditions over several sources are hyperedges as in Moerkotte and Neumann, SIGMOD 2008). Up to
 * ORDER_EXACT_MAX sources all pairs of parts are looked at; their number is small enough that testing a
 * pair for a connection costs less than enumerating only connected ones. Beyond, greedy operator ordering
 * (Fegaras, 1998): the pair whose join has the fewest rows is joined first. */
#include "sql/plan/join_order.h"

#include <math.h>

#include "sql/plan/cost.h"

#define ROWS_MAX 1e100 /* so that costs stay finite */

static bool subset(uint64_t a, uint64_t b)
{
    return (a & ~b) == 0;
}

double order_rows(const struct order_problem *p, uint64_t set)
{
    long double rows = 1; /* of 64 large sources: beyond a double before the conditions count */
    for (uint32_t i = 0; i < p->count; i++)
        if (set >> i & 1) rows *= p->rows[i];
    for (uint32_t i = 0; i < p->edge_count; i++)
        if (subset(p->edges[i].left | p->edges[i].right, set)) rows *= p->edges[i].fraction;
    return rows < 1 ? 1 : rows > ROWS_MAX ? ROWS_MAX : (double)rows;
}

static bool is_key(const struct order_edge *e, uint64_t a, uint64_t b)
{
    return e->left && ((subset(e->left, a) && subset(e->right, b)) ||
                       (subset(e->left, b) && subset(e->right, a)));
}

/* Connects a condition the two, a part of each? */
static bool connects(const struct order_edge *e, uint64_t a, uint64_t b)
{
    uint64_t reads = e->left | e->right;
    return subset(reads, a | b) && reads & a && reads & b;
}

/* Everything that some chain of conditions connects with the set. */
static uint64_t reachable(const struct order_problem *p, uint64_t set)
{
    uint64_t before;
    do {
        before = set;
        for (uint32_t i = 0; i < p->edge_count; i++) {
            uint64_t reads = p->edges[i].left | p->edges[i].right;
            if (reads & set) set |= reads;
        }
    } while (set != before);
    return set;
}

bool order_joinable(const struct order_problem *p, uint64_t a, uint64_t b)
{
    if (p->any_pair) return true;
    for (uint32_t i = 0; i < p->edge_count; i++)
        if (connects(&p->edges[i], a, b)) return true;
    /* A cross product of whole components, which somebody has to make. */
    return reachable(p, a) == a && reachable(p, b) == b;
}

static bool hashable(const struct order_problem *p, uint64_t a, uint64_t b)
{
    for (uint32_t i = 0; i < p->edge_count; i++)
        if (is_key(&p->edges[i], a, b)) return true;
    return false;
}

/* The cost of a lookup in the single source `inner` by rows of `outer`; 0: none. */
static double probe_cost(const struct order_problem *p, uint64_t outer, uint64_t inner)
{
    double best = 0;
    if (inner & (inner - 1)) return 0;
    uint32_t i = (uint32_t)__builtin_ctzll(inner);
    for (uint32_t k = 0; k < p->count; k++) {
        double one = p->probe ? p->probe[i * p->count + k] : 0;
        if (outer >> k & 1 && one > 0 && (best == 0 || one < best)) best = one;
    }
    return best;
}

double order_join_cost(const struct order_problem *p, uint64_t left, uint64_t right,
                       double rows_left, double rows_right, double rows, bool *ret_by_index)
{
    double output = rows * COST_JOIN_OUTPUT;
    double build = rows_left < rows_right ? rows_left : rows_right;
    double probe = rows_left < rows_right ? rows_right : rows_left;
    double cost = hashable(p, left, right)
                      ? build * COST_HASH_BUILD + probe * COST_HASH_PROBE
                      : rows_left * rows_right * COST_LOOP_PAIR;
    double lookup = probe_cost(p, left, right);
    *ret_by_index = false;
    if (lookup > 0) {
        /* The inner source need not be read as a whole. */
        double by_index = rows_left * lookup - p->cost[__builtin_ctzll(right)];
        *ret_by_index = by_index < cost;
        if (*ret_by_index) cost = by_index;
    }
    return cost + output;
}

/* --- exact ---------------------------------------------------------------------------------- */

struct best {
    double rows, cost;
    uint32_t left; /* the part; 0: there is no tree yet */
    bool by_index;
};

static void try_join(const struct order_problem *p, struct best *best, uint32_t set, uint32_t left)
{
    uint32_t right = set ^ left;
    struct best *b = &best[set];
    for (int turn = 0; turn < 2; turn++) {
        bool by_index;
        uint32_t x = turn ? right : left, y = turn ? left : right;
        double cost = best[x].cost + best[y].cost +
                      order_join_cost(p, x, y, best[x].rows, best[y].rows, b->rows, &by_index);
        /* Equal costs keep what was found first: plans are stable. */
        if (b->left && cost >= b->cost) continue;
        b->cost = cost;
        b->left = x;
        b->by_index = by_index;
    }
}

static int32_t emit(struct order *o, const struct best *best, uint32_t set)
{
    if ((set & (set - 1)) == 0) return __builtin_ctz(set);
    int32_t left = emit(o, best, best[set].left), right = emit(o, best, set ^ best[set].left);
    o->nodes[o->count] = (struct order_node){left, right, best[set].by_index, best[set].rows,
                                             best[set].cost};
    return (int32_t)o->count++;
}

/* False: no tree. */
static bool exact(struct arena *a, const struct order_problem *p, struct order *ret)
{
    uint32_t all = (1u << p->count) - 1;
    struct best *best = ARENA_ARRAY(a, struct best, (size_t)all + 1);
    for (uint32_t set = 1; set <= all; set++) {
        if ((set & (set - 1)) == 0) {
            uint32_t i = (uint32_t)__builtin_ctz(set);
            best[set] = (struct best){p->rows[i], p->cost[i], set, false};
            continue;
        }
        uint32_t first = set & -set, rest = set ^ first;
        /* Every part that holds the first source, once. */
        for (uint32_t sub = (rest - 1) & rest;; sub = (sub - 1) & rest) {
            uint32_t left = sub | first;
            if (best[left].left && best[set ^ left].left && order_joinable(p, left, set ^ left)) {
                if (!best[set].left) best[set].rows = order_rows(p, set);
                try_join(p, best, set, left);
            }
            if (sub == 0) break;
        }
    }
    if (!best[all].left) return false;
    (void)emit(ret, best, all);
    return true;
}

/* --- greedy --------------------------------------------------------------------------------- */

struct part {
    uint64_t set;
    int32_t node;
};

/* The pair to join next; false: no condition connects any. */
static bool fewest_rows(const struct order_problem *p, const struct part *parts, uint32_t n,
                        bool any_pair, uint32_t *ret_x, uint32_t *ret_y)
{
    double fewest = INFINITY;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++) {
            if (!any_pair && !order_joinable(p, parts[i].set, parts[k].set)) continue;
            double rows = order_rows(p, parts[i].set | parts[k].set);
            if (rows >= fewest) continue;
            fewest = rows;
            *ret_x = i;
            *ret_y = k;
        }
    return fewest < INFINITY;
}

static void greedy(const struct order_problem *p, struct order *ret)
{
    struct part parts[ORDER_SOURCES_MAX];
    uint32_t n = p->count;
    for (uint32_t i = 0; i < n; i++) parts[i] = (struct part){1ull << i, (int32_t)i};
    while (n > 1) {
        uint32_t x = 0, y = 1;
        if (!fewest_rows(p, parts, n, false, &x, &y)) (void)fewest_rows(p, parts, n, true, &x, &y);
        double rows = order_rows(p, parts[x].set | parts[y].set), best = INFINITY;
        struct order_node node = {0};
        for (int turn = 0; turn < 2; turn++) {
            struct part *l = &parts[turn ? y : x], *r = &parts[turn ? x : y];
            const struct order_node *a = &ret->nodes[l->node], *b = &ret->nodes[r->node];
            bool by_index;
            double cost = a->cost + b->cost + order_join_cost(p, l->set, r->set, a->rows, b->rows,
                                                              rows, &by_index);
            if (cost >= best) continue;
            best = cost;
            node = (struct order_node){l->node, r->node, by_index, rows, cost};
        }
        ret->nodes[ret->count] = node;
        parts[x] = (struct part){parts[x].set | parts[y].set, (int32_t)ret->count++};
        parts[y] = parts[--n];
    }
}

void order_joins(struct arena *a, const struct order_problem *p, struct order *ret)
{
    *ret = (struct order){ARENA_ARRAY(a, struct order_node, p->count * 2), p->count};
    for (uint32_t i = 0; i < p->count; i++)
        ret->nodes[i] = (struct order_node){ORDER_NONE, ORDER_NONE, false, p->rows[i], p->cost[i]};
    if (p->count < 2) return;
    if (p->count > ORDER_EXACT_MAX) {
        greedy(p, ret);
    } else if (!exact(a, p, ret)) {
        struct order_problem any = *p;
        any.any_pair = true;
        (void)exact(a, &any, ret);
    }
}
