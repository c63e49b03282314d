/* EXPLAIN: the plan as text or as a document, and with ANALYZE what running it counted. */
#include "exec/ops/explain_priv.h"

#include "base/fiber.h"

static enum status discard(void *ctx, const struct batch *b)
{
    (void)ctx;
    (void)b;
    return OK;
}

/* Runs it for its counts. Rows go nowhere; what it changes is changed. */
static enum status run(struct explain *x, struct txn *t, const struct exec_params *params)
{
    struct execution run;
    struct exec_sink sink = {discard, NULL};
    struct node_stats *stats = ARENA_ARRAY(x->arena, struct node_stats, x->plan->node_count);
    exec_begin(&run, x->plan, t, x->session, params, x->arena);
    run.run = op__run;
    run.stats = stats;
    int64_t start = monotonic_us();
    enum status st = op__run(&run, x->plan->root, &sink);
    if (st == END_OF_DATA) st = OK;
    if (x->plan->change_count) {
        if (st == OK) st = op__finish_parts(&run);
        op__end_parts(&run);
    }
    exec_end(&run);
    x->run_us = monotonic_us() - start;
    x->stats = stats;
    return st;
}

static enum status print(struct explain *x, struct strbuf *out)
{
    struct arena *a = x->arena;
    const struct plan *p = x->plan;
    x->aliases = ARENA_ARRAY(a, const char *, p->node_count);
    x->cte_names = ARENA_ARRAY(a, const char *, p->cte_count);
    x->subplan_numbers = ARENA_ARRAY(a, uint32_t, p->subplan_count);
    x->outers = ARENA_ARRAY(a, struct explain_outer, p->outer_value_count);
    explain__name_relations(x);
    if (x->status != OK) return x->status;
    const struct explain_node *root = explain__build(x, p->root);
    if (x->status != OK) return x->status;
    if (x->options->format == EXPLAIN_FORMAT_TEXT) explain__print_text(x, root, out);
    else explain__print_document(x, root, out);
    return OK;
}

enum status exec_explain_counted(const struct plan *p, const struct explain_options *o,
                                 const struct exec_session *s, const struct exec_params *params,
                                 const struct node_stats *stats, int64_t run_us, struct arena *a,
                                 struct strbuf *out)
{
    struct explain x = {.plan = p, .options = o, .session = s, .arena = a,
                        .moments = params->moments, .stats = stats, .status = OK,
                        .run_us = run_us};
    return print(&x, out);
}

enum status exec_explain(const struct plan *p, const struct explain_options *o, struct txn *t,
                         const struct exec_session *s, const struct exec_params *params,
                         struct arena *a, struct strbuf *out)
{
    struct explain x = {.plan = p, .options = o, .session = s, .txn = t, .arena = a,
                        .moments = params->moments, .status = OK};
    if (o->analyze) TRY(run(&x, t, params));
    return print(&x, out);
}
