/* Whether to group below a join, and what of it. A few ways are looked at: each item of the FROM list by
 * itself, all but one, every choice of few items, and the sides of outer joins. Those that would make few
 * rows of many, by the numbers of values that ANALYZE knows, are planned; the cheapest is taken. */
#include "sql/plan/group_below.h"

#include <math.h>

enum { ITEMS_ALL = 4, ITEMS_MAX = 16, PLANNED_MAX = 4 };

/* Rows of a table below which it is not worth the planning; groups to rows that are worth it; and what a
 * plan may cost of the one without. */
static const double table_rows_min = 20000, groups_part_max = 0.3, cost_part_max = 0.95;

struct choice {
    struct planner *planner;
    const struct query *prepared;
    struct level *level;    /* of the prepared query: for its columns' numbers of values */
    struct query *best[PLANNED_MAX];
    double part[PLANNED_MAX]; /* groups to rows, the least first */
    uint32_t count;
};

static bool is_forced(const struct planner *p)
{
    return p->env->group_below == GROUP_BELOW_FORCE;
}

static bool may_split(const struct planner *p, const struct query *q)
{
    return p->env->group_below != GROUP_BELOW_OFF && !p->estimating && !q->settled &&
           q->command == CMD_SELECT && q->set_op == SETOP_NONE &&
           (q->has_group || q->has_aggregates) && !q->has_srf && !q->grouping_set_count &&
           q->locking_count == 0 && q->cte_count == 0 && q->from_count > 0;
}

static double rows_of(const struct planner *p, const struct relation *r)
{
    const struct planner_env *env = p->env;
    if (r->kind == REL_SUBQUERY && r->subquery->set_op == SETOP_NONE) {
        double most = 0;
        for (uint32_t i = 0; i < r->subquery->relation_count; i++) {
            double rows = rows_of(p, r->subquery->relations[i]);
            if (rows > most) most = rows;
        }
        return most;
    }
    if (r->kind != REL_TABLE || r->table->virtual_id >= 0 || !r->table->tree) return 0;
    return env->table_rows(env->ctx, r->table);
}

static bool has_large_table(const struct planner *p, const struct query *q)
{
    uint32_t relations = 0;
    bool large = false;
    for (uint32_t i = 0; i < q->relation_count; i++) {
        if (q->relations[i]->kind == REL_JOIN) continue;
        relations++;
        large |= rows_of(p, q->relations[i]) >= table_rows_min;
    }
    return (large || is_forced(p)) && relations > 1;
}

/* --- the ways ----------------------------------------------------------------------------------- */

/* Groups to rows; 1 when that is not known. */
static double part_of(struct choice *c, const struct split *s)
{
    double rows = 0, groups = 1;
    for (uint32_t i = 0; i < c->prepared->relation_count; i++) {
        double one = relset_has(s->inside, i) ? rows_of(c->planner, c->prepared->relations[i]) : 0;
        if (one > rows) rows = one;
    }
    if (rows < table_rows_min) return 1;
    for (size_t i = 0; i < s->groups.count; i++) {
        struct column_facts f;
        if (!column_facts_of(c->level, NULL, s->groups.data[i], &f) || f.distinct <= 0) return 1;
        groups *= f.distinct + (stats_null_fraction(&f) > 0);
        if (groups >= rows) return 1;
    }
    return groups / rows;
}

static void try_way(struct choice *c, enum split_side side, uint32_t units)
{
    struct split s;
    struct split_way way = {side, units};
    if (!split_query(c->planner, c->prepared, &way, &s)) return;
    double part = part_of(c, &s);
    if (part > groups_part_max && !is_forced(c->planner)) return;
    uint32_t at = c->count < PLANNED_MAX ? c->count++ : PLANNED_MAX - 1;
    if (at == PLANNED_MAX - 1 && c->best[at] && c->part[at] <= part) return;
    for (; at > 0 && c->part[at - 1] > part; at--) {
        c->part[at] = c->part[at - 1];
        c->best[at] = c->best[at - 1];
    }
    c->part[at] = part;
    c->best[at] = s.above;
}

static enum status try_ways(struct choice *c)
{
    const struct query *q = c->prepared;
    uint32_t n = q->from_count, all = (1u << n) - 1;
    for (uint32_t set = 1; set < all; set++) {
        uint32_t size = (uint32_t)__builtin_popcount(set);
        if (n > ITEMS_ALL && size != 1 && size != n - 1) continue;
        try_way(c, SPLIT_UNITS, set);
        TRY(planner_check(c->planner));
    }
    for (uint32_t i = 0; i < n; i++) {
        if (q->from[i]->kind == FROM_RELATION || q->from[i]->join == JOIN_FULL) continue;
        try_way(c, SPLIT_NULLABLE, i);
        try_way(c, SPLIT_KEPT, i);
    }
    return OK;
}

/* --- what they cost ----------------------------------------------------------------------------- */

static enum status cost_of(struct planner *p, const struct query *q, double *ret)
{
    struct level *inner, *saved = p->levels;
    struct plan_node *root;
    size_t subplans = p->subplans.count;
    p->estimating = true;
    enum status s = plan_select(p, query_copy(p->arena, q), &root, &inner);
    p->estimating = false;
    p->levels = saved;
    TRY(s);
    p->subplans.count = subplans;
    *ret = root->cost_total;
    return OK;
}

enum status group_below(struct planner *p, struct query *q, struct query **ret)
{
    double cost, best;
    *ret = q;
    if (!may_split(p, q) || !has_large_table(p, q)) return OK;
    struct choice c = {.planner = p, .prepared = split_prepare(p, q)};
    if (!c.prepared || c.prepared->from_count > ITEMS_MAX) return OK;
    struct level *saved = p->levels;
    c.level = level_new(p, (struct query *)(uintptr_t)c.prepared);
    p->levels = saved;
    TRY(try_ways(&c));
    if (!c.count) return OK;
    TRY(cost_of(p, q, &best));
    best = is_forced(p) ? INFINITY : best * cost_part_max;
    for (uint32_t i = 0; i < c.count; i++) {
        enum status s = cost_of(p, c.best[i], &cost);
        if (s == FEATURE_NOT_SUPPORTED) error_clear();
        else TRY(s);
        if (s != OK || cost >= best) continue;
        best = cost;
        *ret = c.best[i];
    }
    return OK;
}
