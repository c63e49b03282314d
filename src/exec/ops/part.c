/* The end of what a node writes: foreign keys are checked, AFTER triggers fire. Where WITH items write, too,
 * each is a part of the statement, and the end is that of them all. */
#include "exec/ops/foreign_priv.h"
#include "exec/ops/trigger.h"

enum status part_finish(struct execution *x, const struct plan_node *n, uint8_t events)
{
    if (x->plan && x->plan->change_count) return trigger_part_done(x, n, events);
    TRY(foreign_finish(x));
    return trigger_finish(x, n, events);
}

void part_end(struct execution *x)
{
    if (!x->plan || !x->plan->change_count) foreign_end(x);
}

enum status op__finish_parts(struct execution *x)
{
    TRY(op__run_changes(x));
    TRY(foreign_finish(x));
    return trigger_finish_parts(x);
}

void op__end_parts(struct execution *x)
{
    foreign_end(x);
}
