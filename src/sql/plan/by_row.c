/* Whether a plan is to be run row by row: below a LIMIT, a function that takes a lock must not be called for
 * rows that nobody asks for. `SELECT id FROM jobs WHERE pg_try_advisory_lock(id) LIMIT 1` takes one. */
#include "base/fiber.h"
#include "sql/plan/plan_priv.h"
#include "sql/plan_exprs.h"

enum { STACK_BYTES = 48 << 10 };

struct found {
    bool limit, lock;
};

static bool look_expr(void *ctx, const struct expr *e)
{
    struct found *f = ctx;
    const struct proc_def *proc = expr_proc(e);
    if (proc && proc->volatility == VOLATILE) f->lock |= strstr(proc->symbol, "_advisory_") != NULL;
    return fiber_stack_left() >= STACK_BYTES && expr_walk(e, look_expr, ctx);
}

static bool look(void *ctx, const struct plan_node *n)
{
    struct found *f = ctx;
    f->limit |= n->kind == PLAN_LIMIT;
    if (fiber_stack_left() < STACK_BYTES) return false;
    return plan_node_exprs(n, look_expr, ctx) && plan_node_children(n, look, ctx);
}

bool plan_is_by_row(const struct planner *p, const struct plan_node *root)
{
    struct found f = {0};
    (void)look(&f, root);
    for (size_t i = 0; i < p->subplans.count; i++) (void)look(&f, p->subplans.data[i].root);
    for (size_t i = 0; i < p->ctes.count; i++)
        if (p->ctes.data[i]) (void)look(&f, p->ctes.data[i]);
    return f.limit && f.lock;
}
