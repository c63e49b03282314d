/* Transition tables in a trigger's function: relations by the names that REFERENCING gave, of the columns of
 * the trigger's table, whose rows the statement that fires it has kept. Others that the function calls do
 * not see them. */
#include "db/pl_priv.h"

static const struct table_def *relation(struct pl_run *r, const struct table_def *t, const char *name)
{
    if (!name) return NULL;
    struct table_def *made = arena_memdup(&r->keep, t, sizeof *t);
    made->name = name;
    made->kind = 'r';
    made->virtual_id = VIRTUAL_TRANSITION;
    made->tree = 0;
    made->primary = NULL;
    made->index_count = made->constraint_count = made->trigger_count = 0;
    made->statistics = (struct table_statistics){.rows = -1};
    return made;
}

struct pl_transitions *pl__transitions(struct pl_run *r, struct pl_transitions *room)
{
    const struct trigger_call *c = r->trigger;
    if (!c || (!c->trigger->old_table && !c->trigger->new_table)) return NULL;
    *room = (struct pl_transitions){{relation(r, c->table, c->trigger->old_table),
                                     relation(r, c->table, c->trigger->new_table)},
                                    {c->old_rows, c->new_rows}};
    return room;
}

enum status session__scan_transition(struct session *s, const struct table_def *t, struct arena *a,
                                     enum status (*emit)(void *ctx, const struct datum *row),
                                     void *ctx)
{
    const struct pl_transitions *now = s->transitions;
    for (int i = 0; now && i < 2; i++)
        if (now->tables[i] && now->rows[i] && strcmp(now->tables[i]->name, t->name) == 0)
            return exec_transition_scan(now->rows[i], a, emit, ctx);
    return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "the rows of \"%s\" are gone", t->name);
}
