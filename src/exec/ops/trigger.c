#include "exec/ops/trigger.h"

#include "exec/ops/transition.h"

/* Rows of AFTER triggers are copied: the batch that they came in is gone when they are fired. */
struct transition {
    const struct table_def *table;
    uint8_t event;
    struct transition_rows *old, *new; /* as the event has them */
};

/* A table that referential actions changed. */
struct acted {
    const struct plan_node *node;
    uint8_t event;
};

struct begun {
    const struct table_def *table;
    uint8_t event;
};

struct trigger_queue {
    struct arena *arena;
    ARRAY(struct trigger_call) events;
    ARRAY(struct transition) transitions;
    ARRAY(struct acted) acted;
    ARRAY(struct begun) begun; /* where several parts of the statement write: BEFORE STATEMENT triggers
                                * have been fired */
};

/* Several parts of the statement write: they share one end, and triggers of statements fire once. */
static bool has_parts(const struct execution *x)
{
    return x->plan && x->plan->change_count;
}

static bool assigns(const struct trigger_def *g, uint8_t event, const bool *assigned)
{
    if (event != TRIGGER_UPDATE || !g->column_count || !assigned) return true;
    for (uint16_t i = 0; i < g->column_count; i++)
        if (assigned[g->columns[i] - 1]) return true;
    return false;
}

static bool is_of(const struct trigger_def *g, uint8_t event, bool row, bool before)
{
    return (g->type & event) && !(g->type & TRIGGER_ROW) == !row &&
           !(g->type & TRIGGER_BEFORE) == !before;
}

/* Rows that are not there read as NULL, which no condition that was let through asks for. */
static enum status holds(struct execution *x, const struct trigger_rule *rule,
                         const struct table_def *t, const struct datum *old,
                         const struct datum *row, struct arena *a, bool *ret)
{
    uint32_t n = t->column_count;
    *ret = true;
    if (!rule->when) return OK;
    struct datum *slots = ARENA_ARRAY(a, struct datum, 2 * n + 1);
    for (uint32_t i = 0; i < n; i++) {
        slots[i] = old ? old[i] : (struct datum){.null = true};
        slots[n + i] = row ? row[i] : (struct datum){.null = true};
    }
    return exec_test_row(x, rule->when, slots, a, ret);
}

/* Generated columns are worked out after BEFORE triggers, which find them empty. */
static void hide_generated(const struct dml *dml, const struct table_def *t, struct datum *row)
{
    for (uint16_t c = 0; dml->generated && c < t->column_count; c++)
        if (dml->generated[c]) row[c] = (struct datum){.null = true};
}

enum status trigger_before_row(struct dml_run *d, uint8_t event, const bool *assigned,
                                const struct datum *old, struct datum *row, bool *ret_skip)
{
    const struct exec_session *s = d->x->session;
    const struct dml *dml = d->dml;
    *ret_skip = false;
    if (row && event != TRIGGER_DELETE) hide_generated(dml, d->table, row);
    for (uint32_t i = 0; i < dml->trigger_count; i++) {
        const struct trigger_def *g = dml->triggers[i].def;
        bool fires = is_of(g, event, true, true) && assigns(g, event, assigned);
        if (fires) TRY(holds(d->x, &dml->triggers[i], d->table, old, row, d->arena, &fires));
        if (!fires) continue;
        const struct trigger_call call = {.trigger = g, .table = d->table, .event = event, .old = old,
                                          .new = row};
        const struct datum *made = row;
        TRY(s->call_trigger(s->ctx, &call, d->arena, &made));
        *ret_skip = made == NULL;
        if (!made) return OK;
        if (event != TRIGGER_DELETE)
            memcpy(row, made, d->table->column_count * sizeof *row);
    }
    return OK;
}

enum status trigger_check_row(struct dml_run *d, struct slice key, struct slice was,
                              const char *verb)
{
    struct lock_request q = {.tree = d->table->tree, .key = key, .mode = ROW_LOCK_NO_KEY_UPDATE};
    struct lock_result now;
    TRY(store_lock(d->x->txn, &q, &now));
    if (now.row.data && slice_eq(now.row, was)) return OK;
    FAIL(TRIGGERED_DATA_CHANGE_VIOLATION,
         "tuple to be %s was already modified by an operation triggered by the current command",
         verb);
    return error_hint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate "
                      "changes to other rows.");
}

const bool *trigger_changed(struct dml_run *d, const bool *assigned, const struct datum *old,
                             const struct datum *row)
{
    bool *changed = ARENA_ARRAY(d->arena, bool, d->table->column_count + 1u);
    for (uint16_t c = 0; c < d->table->column_count; c++)
        changed[c] = assigned[c] ||
                     !value_identical(d->table->columns[c].type, &old[c], &row[c]);
    return changed;
}

static struct trigger_queue *queue_of(struct execution *x)
{
    if (x->triggers) return x->triggers;
    x->triggers = ARENA_NEW(x->arena, struct trigger_queue);
    x->triggers->arena = exec_arena(x);
    return x->triggers;
}

static const struct datum *copy_row(struct arena *a, const struct table_def *t,
                                    const struct datum *row)
{
    if (!row) return NULL;
    struct datum *copy = ARENA_ARRAY(a, struct datum, t->column_count + 1u);
    for (uint16_t c = 0; c < t->column_count; c++)
        copy[c] = datum_copy(a, t->columns[c].type, row[c]);
    return copy;
}

/* Those of the table and event; made when first asked for, as there may be no row at all. */
static struct transition *transition_of(struct execution *x, const struct table_def *t, uint8_t event)
{
    struct trigger_queue *q = queue_of(x);
    for (size_t i = 0; i < q->transitions.count; i++) {
        struct transition *s = &q->transitions.data[i];
        if (s->event == event && s->table->oid == t->oid) return s;
    }
    struct transition made = {.table = t, .event = event};
    if (event != TRIGGER_INSERT) made.old = transition_new(x, t);
    if (event != TRIGGER_DELETE) made.new = transition_new(x, t);
    ARENA_PUSH(q->arena, &q->transitions, made);
    return &ARRAY_LAST(&q->transitions);
}

static void give_transitions(struct execution *x, struct trigger_call *c)
{
    if (!c->trigger->old_table && !c->trigger->new_table) return;
    const struct transition *s = transition_of(x, c->table, c->event);
    c->old_rows = s->old;
    c->new_rows = s->new;
}

enum status trigger_after_row(struct dml_run *d, uint8_t event, const bool *assigned,
                               const struct datum *old, const struct datum *row)
{
    const struct exec_session *s = d->x->session;
    const struct dml *dml = d->dml;
    struct trigger_queue *q = queue_of(d->x);
    const struct datum *kept_old = NULL, *kept_new = NULL;
    if (dml->transition_events & event) {
        const struct transition *of = transition_of(d->x, d->table, event);
        if (of->old) TRY(transition_add(of->old, old));
        if (of->new) TRY(transition_add(of->new, row));
    }
    for (uint32_t i = 0; i < dml->trigger_count; i++) {
        const struct trigger_def *g = dml->triggers[i].def;
        bool fires = is_of(g, event, true, false) && assigns(g, event, assigned), put = false;
        if (fires) TRY(holds(d->x, &dml->triggers[i], d->table, old, row, d->arena, &fires));
        if (!fires) continue;
        struct trigger_call call = {.trigger = g, .table = d->table, .event = event, .old = old,
                                    .new = row};
        if (g->deferrable && s->defer_trigger) TRY(s->defer_trigger(s->ctx, &call, &put));
        if (put) continue;
        if (!kept_old) kept_old = copy_row(q->arena, d->table, old);
        if (!kept_new) kept_new = copy_row(q->arena, d->table, row);
        call.old = kept_old;
        call.new = kept_new;
        give_transitions(d->x, &call);
        ARENA_PUSH(q->arena, &q->events, call);
    }
    return OK;
}

/* `queue`: they wait, in place of those of an earlier part. */
static enum status statement_triggers(struct execution *x, const struct plan_node *n, uint8_t event,
                                      bool before, bool queue)
{
    const struct exec_session *s = x->session;
    const struct dml *dml = &n->dml;
    struct trigger_queue *q = queue ? queue_of(x) : NULL;
    for (size_t i = 0; queue && i < q->events.count; i++) {
        struct trigger_call *c = &q->events.data[i];
        bool row = !c->trigger || (c->trigger->type & TRIGGER_ROW);
        if (!row && c->event == event && c->table->oid == dml->table->oid) c->trigger = NULL;
    }
    for (uint32_t i = 0; i < dml->trigger_count; i++) {
        const struct trigger_def *g = dml->triggers[i].def;
        bool fires = is_of(g, event, false, before) && assigns(g, event, dml->column_changed);
        if (fires) TRY(holds(x, &dml->triggers[i], dml->table, NULL, NULL, x->arena, &fires));
        if (!fires) continue;
        struct trigger_call call = {.trigger = g, .table = dml->table, .event = event};
        const struct datum *none = NULL;
        if (queue) {
            ARENA_PUSH(q->arena, &q->events, call);
            continue;
        }
        give_transitions(x, &call);
        TRY(s->call_trigger(s->ctx, &call, x->arena, &none));
    }
    return OK;
}

static enum status fire_statement(struct execution *x, const struct plan_node *n, uint8_t event,
                                  bool before)
{
    return statement_triggers(x, n, event, before, false);
}

static bool has_begun(const struct execution *x, const struct table_def *t, uint8_t event)
{
    const struct trigger_queue *q = x->triggers;
    for (size_t i = 0; q && i < q->begun.count; i++)
        if (q->begun.data[i].event == event && q->begun.data[i].table->oid == t->oid) return true;
    return false;
}

enum status trigger_before_statement(struct execution *x, const struct plan_node *n, uint8_t event)
{
    if (!n->dml.triggers) return OK;
    if (has_parts(x)) {
        if (has_begun(x, n->dml.table, event)) return OK;
        struct trigger_queue *q = queue_of(x);
        ARENA_PUSH(q->arena, &q->begun, ((struct begun){n->dml.table, event}));
    }
    return fire_statement(x, n, event, true);
}

static bool is_own(const struct plan_node *n, const struct table_def *t, uint8_t event)
{
    uint8_t own = n->kind == PLAN_UPDATE ? TRIGGER_UPDATE : n->kind == PLAN_DELETE ? TRIGGER_DELETE : 0;
    return n->dml.table->oid == t->oid && (own & event);
}

enum status trigger_before_action(struct execution *x, const struct plan_node *n, uint8_t event)
{
    if (!n->dml.triggers || has_begun(x, n->dml.table, event)) return OK;
    if (x->plan && !has_parts(x) && is_own(x->plan->root, n->dml.table, event)) return OK;
    struct trigger_queue *q = queue_of(x);
    for (size_t i = 0; i < q->acted.count; i++)
        if (q->acted.data[i].event == event && q->acted.data[i].node->dml.table == n->dml.table)
            return OK;
    ARENA_PUSH(q->arena, &q->acted, (struct acted){n, event});
    return fire_statement(x, n, event, true);
}

enum status trigger_action_done(struct execution *x, const struct plan_node *n, uint8_t event)
{
    bool own = x->plan && !has_parts(x) && is_own(x->plan->root, n->dml.table, event);
    return n->dml.triggers && !own ? statement_triggers(x, n, event, false, true) : OK;
}

/* Of the statement's own table and events, or what referential actions have done. `own` NULL: all. */
static enum status fire_waiting(struct execution *x, const struct table_def *own, uint8_t events,
                                bool is_first)
{
    struct trigger_queue *q = x->triggers;
    const struct exec_session *s = x->session;
    struct arena *a = exec_arena(x);
    for (size_t i = 0; i < q->events.count; i++) {
        const struct datum *ignored = NULL;
        struct trigger_call c = q->events.data[i]; /* more may come */
        bool is_its = own && c.table->oid == own->oid && (c.event & events);
        if (!c.trigger || (own && is_its != is_first)) continue;
        if (!(c.trigger->type & TRIGGER_ROW)) give_transitions(x, &c);
        TRY(s->call_trigger(s->ctx, &c, a, &ignored));
        arena_clear(a);
        TRY(exec_check(x));
    }
    return OK;
}

static const uint8_t events_order[] = {TRIGGER_DELETE, TRIGGER_UPDATE, TRIGGER_INSERT};

enum status trigger_finish(struct execution *x, const struct plan_node *n, uint8_t events)
{
    if (x->triggers) TRY(fire_waiting(x, n->dml.table, events, true));
    for (size_t i = 0; n->dml.triggers && i < sizeof events_order; i++)
        if (events & events_order[i]) TRY(fire_statement(x, n, events_order[i], false));
    return x->triggers ? fire_waiting(x, n->dml.table, events, false) : OK;
}

enum status trigger_part_done(struct execution *x, const struct plan_node *n, uint8_t events)
{
    for (size_t i = 0; n->dml.triggers && i < sizeof events_order; i++)
        if (events & events_order[i])
            TRY(statement_triggers(x, n, events_order[i], false, true));
    return OK;
}

enum status trigger_finish_parts(struct execution *x)
{
    return x->triggers ? fire_waiting(x, NULL, 0, false) : OK;
}
