/* Where a plan runs in parallel: a pass over the finished plan that puts GATHER nodes on top of what
 * workers can do together.
 *
 * Together they can scan one table, each taking parts of it, and all that follows row by row: filters,
 * projections, joins whose left side the scan is. Among them may stand one aggregate whose states
 * can be merged. The way from a gather down its left sides to that scan is its spine. The right
 * sides of hash joins are built once, for all; each may have a gather of its own, whose workers then make
 * the table together and hand over nothing.
 *
 * The first rows in an order are found by each worker for itself, and again among those.
 *
 * A plan stays as it is when it writes, locks rows or calls volatile functions. Below a gather stands
 * nothing that asks the session (sequences, settings, system tables) and no CTE, whose rows are the
 * session's. Where an order is counted on, or the first rows end the query, there is no gather.
 *
 * What is left above the gathers, or a whole plan without any, may still be long. It then runs away from
 * its session's thread, which serves others, too: on one worker, which leads the gathers below. */
#include "base/fiber.h"
#include "sql/plan/plan_priv.h"
#include "sql/plan_exprs.h"

enum { STACK_BYTES = 48 << 10 };

/* A row that is handed over; it is read for 0.01 (access.c). What goes to the client takes no less time for
 * being read faster, and a slow one would keep the threads. */
static const double row_cost = 0.004, client_row_cost = 0.02, built_row_cost = 0.001;

/* How many are the first rows, when the query does not say. */
static const double first_rows = 1000;

/* What may stay on the session's thread: a millisecond or so. And the rows that one worker may have for
 * the client, for the same reason. */
static const double stay_cost = 250, away_rows = 10000;

/* --- what is safe ------------------------------------------------------------------------------ */

struct safety {
    const struct planner *planner;
    bool below_gather;
    bool away; /* by one worker alone: CTEs are its own */
};

static bool is_safe_tree(struct safety *s, const struct plan_node *n);

static bool is_reg(type_id type)
{
    return type_is_reg(type) || type == TYPE_REGCLASS_ARRAY || type == TYPE_REGTYPE_ARRAY;
}

/* Their text form is asked of the session. */
static bool converts_reg(const struct expr *e)
{
    bool any = is_reg(e->type);
    if (e->kind == EXPR_CONST) return false;
    for (uint32_t i = 0; i < e->arg_count && !any; i++) any = e->args[i] && is_reg(e->args[i]->type);
    return any;
}

static bool is_safe_expr(void *ctx, const struct expr *e)
{
    struct safety *s = ctx;
    if (s->below_gather && converts_reg(e)) return false;
    const struct proc_def *proc = expr_proc(e);
    if (proc && (proc->volatility == VOLATILE || proc_function(proc))) return false;
    if (proc && s->below_gather && !s->planner->env->parallel.is_safe(proc)) return false;
    if (e->kind == EXPR_SUBQUERY) {
        uint32_t i = e->subquery.plan_index;
        if (!is_safe_tree(s, s->planner->subplans.data[i].root)) return false;
    }
    return expr_walk(e, is_safe_expr, s);
}

static bool is_safe_child(void *ctx, const struct plan_node *n)
{
    return is_safe_tree(ctx, n);
}

static bool is_safe_tree(struct safety *s, const struct plan_node *n)
{
    if (fiber_stack_left() < STACK_BYTES) return false;
    switch (n->kind) {
    case PLAN_LOCK_ROWS:
    case PLAN_INSERT:
    case PLAN_UPDATE:
    case PLAN_DELETE:
    case PLAN_MERGE: return false;
    case PLAN_SCAN: /* all must see the same sample */
        if (s->below_gather && n->scan.sample) return false;
        break;
    case PLAN_VIRTUAL_SCAN:
        if (s->below_gather) return false;
        break;
    case PLAN_CTE_SCAN:
    case PLAN_RECURSIVE_UNION:
        if (s->below_gather && !s->away) return false;
        break;
    default: break;
    }
    return plan_node_exprs(n, is_safe_expr, s) && plan_node_children(n, is_safe_child, s);
}

static bool is_large(const struct planner *p, const struct table_def *t)
{
    const struct planner_env *env = p->env;
    return t->tree && env->table_bytes(env->ctx, t) >= env->parallel.scan_bytes;
}

static bool can_merge(const struct planner *p, const struct plan_node *n)
{
    for (uint32_t i = 0; i < n->aggregate.call_count; i++) {
        const struct aggregate_call *c = &n->aggregate.calls[i];
        if (c->grouping) continue;
        const struct parallel_options *o = &p->env->parallel;
        bool merges = c->distinct ? o->is_distinct_mergeable(c->proc) : o->is_mergeable(c->proc);
        if (c->order_count || c->direct_count || !merges) return false;
    }
    return true;
}

/* Does a spine lead from here to a scan that is worth dividing? */
static bool has_spine(const struct planner *p, const struct plan_node *n, bool aggregates)
{
    switch (n->kind) {
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
        return !n->scan.ordered && !n->scan.versions && is_large(p, n->scan.table);
    case PLAN_FILTER:
    case PLAN_PROJECT:
    case PLAN_SUBQUERY_SCAN: return has_spine(p, n->left, aggregates);
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP:
        if (n->join.type == JOIN_RIGHT || n->join.type == JOIN_FULL) return false;
        return has_spine(p, n->left, aggregates);
    case PLAN_AGGREGATE: return aggregates && can_merge(p, n) && has_spine(p, n->left, false);
    default: return false;
    }
}

/* What becomes of a node's rows. */
struct use {
    bool first; /* perhaps only the first are wanted */
    bool client;
    bool built; /* they go into the table of a join, which the workers make together */
};

/* Beginning takes time, and so does handing over each row. */
static double gather_cost(const struct planner *p, const struct plan_node *n, struct use use)
{
    double row = use.client ? client_row_cost : use.built ? built_row_cost : row_cost;
    return p->env->parallel.setup_cost + n->rows * row;
}

/* Of the node, which is the top of the spine or does something with each worker's rows alone. */
static bool can_gather(struct planner *p, const struct plan_node *n, const struct plan_node *spine,
                       struct use use)
{
    struct safety below = {p, true, false};
    const struct parallel_options *o = &p->env->parallel;
    double saved = n->cost_total * (1 - 1.0 / (o->workers > 1 ? o->workers : 2));
    if (!o->forced && saved < gather_cost(p, n, use)) return false;
    return has_spine(p, spine, true) && is_safe_tree(&below, n);
}

/* --- placing ----------------------------------------------------------------------------------- */

static struct plan_node *place(struct planner *p, struct plan_node *n, struct use use);

static void share_spine(struct planner *p, struct plan_node *n)
{
    for (; n; n = n->left) {
        if (n->kind == PLAN_SCAN || n->kind == PLAN_INDEX_SCAN) n->scan.shared = true;
        if (n->kind == PLAN_AGGREGATE) n->aggregate.shared = true;
        if (n->kind != PLAN_HASH_JOIN) continue;
        n->join.shared = true;
        n->right = place(p, n->right, (struct use){.built = true});
    }
}

static struct plan_node *add_gather(struct planner *p, struct plan_node *n, struct use use)
{
    struct plan_node *g = node_new(p, PLAN_GATHER);
    node_columns_from(p, g, n);
    g->left = n;
    g->gather.workers = p->env->parallel.workers;
    g->rows = n->rows;
    g->cost_start = n->cost_start + p->env->parallel.setup_cost;
    g->cost_total = n->cost_total + gather_cost(p, n, use);
    share_spine(p, n);
    return g;
}

/* Do its first rows need all rows of its input? */
static bool takes_all_first(const struct plan_node *n)
{
    return n->kind == PLAN_SORT || n->kind == PLAN_AGGREGATE || n->kind == PLAN_WINDOW;
}

/* Where the first rows in some order are wanted, each worker finds those of its own, and only they are
 * handed over. False: no gather goes there. */
static bool gather_first_rows(struct planner *p, struct plan_node *n)
{
    const struct expr *limit = n->sort.limit;
    if (!limit) return false;
    struct plan_node *own = node_new(p, PLAN_SORT);
    node_columns_from(p, own, n);
    own->sort = n->sort;
    own->left = n->left;
    own->cost_start = own->cost_total = n->left->cost_total + n->left->rows * COST_SORT;
    double most = limit->kind == EXPR_CONST && !limit->constant.null ? (double)limit->constant.v.i64
                                                                     : first_rows;
    most *= p->env->parallel.workers;
    own->rows = n->left->rows < most ? n->left->rows : most;
    if (!can_gather(p, own, n->left, (struct use){0})) return false;
    n->left = add_gather(p, own, (struct use){0});
    return true;
}

static struct plan_node *place(struct planner *p, struct plan_node *n, struct use use)
{
    if (fiber_stack_left() < STACK_BYTES || n->kind == PLAN_RECURSIVE_UNION) return n;
    if (takes_all_first(n)) use = (struct use){0};
    if (n->kind == PLAN_SORT && gather_first_rows(p, n)) return n;
    if (!use.first && can_gather(p, n, n, use)) return add_gather(p, n, use);
    if (n->kind == PLAN_LIMIT && n->limit.limit && !p->env->parallel.forced) use.first = true;
    for (uint32_t i = 0; n->kind == PLAN_APPEND && i < n->append.child_count; i++)
        n->append.children[i] = place(p, n->append.children[i], use);
    if (n->left) n->left = place(p, n->left, use);
    bool again = n->kind == PLAN_NESTED_LOOP && n->join.outer_count > 0;
    bool built = n->kind == PLAN_HASH_JOIN && n->join.type != JOIN_RIGHT && n->join.type != JOIN_FULL;
    if (n->right && !again) n->right = place(p, n->right, (struct use){.built = built});
    return n;
}

/* --- away from the session's thread --------------------------------------------------------- */

static bool add_gathered(void *ctx, const struct plan_node *n)
{
    if (fiber_stack_left() < STACK_BYTES) return true;
    if (n->kind != PLAN_GATHER) return plan_node_children(n, add_gathered, ctx);
    *(double *)ctx += n->cost_total;
    return true;
}

static void send_away(struct planner *p, struct plan_node *root)
{
    const struct parallel_options *o = &p->env->parallel;
    struct safety safety = {p, true, true};
    double gathered = 0, whole = root->cost_total;
    (void)add_gathered(&gathered, root);
    for (size_t i = 0; i < p->ctes.count; i++)
        if (p->ctes.data[i]) whole += p->ctes.data[i]->cost_total;
    if (root->kind == PLAN_GATHER) return;
    if (!o->forced && (whole - gathered < stay_cost || root->rows > away_rows)) return;
    if (!is_safe_tree(&safety, root)) return;
    for (size_t i = 0; i < p->ctes.count; i++)
        if (p->ctes.data[i] && !is_safe_tree(&safety, p->ctes.data[i])) return;
    struct plan_node *g = p->plan->away = node_new(p, PLAN_GATHER);
    node_columns_from(p, g, root);
    g->left = root;
    g->gather.workers = 1;
    g->gather.away = true;
}

/* --- the plan ---------------------------------------------------------------------------------- */

static bool may_leave(const struct planner *p)
{
    const struct plan *plan = p->plan;
    return p->env->parallel.workers && plan->command == CMD_SELECT && !plan->point &&
           !plan->writes;
}

static bool has_large_table(const struct planner *p)
{
    for (size_t i = 0; i < p->tables.count; i++)
        if (is_large(p, p->tables.data[i])) return true;
    return false;
}

static void place_all(struct planner *p, struct plan_node **root)
{
    struct safety whole = {p, false, false};
    if (!has_large_table(p) || !is_safe_tree(&whole, *root)) return;
    for (size_t i = 0; i < p->ctes.count; i++)
        if (p->ctes.data[i] && !is_safe_tree(&whole, p->ctes.data[i])) return;
    *root = place(p, *root, (struct use){.client = true});
    for (size_t i = 0; i < p->ctes.count; i++)
        if (p->ctes.data[i]) p->ctes.data[i] = place(p, p->ctes.data[i], (struct use){0});
    for (size_t i = 0; i < p->subplans.count; i++) {
        struct subplan *s = &p->subplans.data[i];
        struct use use = {.first = s->type == SUBLINK_EXISTS};
        if (!s->outer_count) s->root = place(p, s->root, use);
    }
}

void plan_parallel(struct planner *p, struct plan_node **root)
{
    if (!may_leave(p)) return;
    place_all(p, root);
    send_away(p, *root);
}
