/* Checks that are put off to the end of the transaction: what waits, and SET CONSTRAINTS. Both are lists
 * that only grow, so that a rollback to a savepoint cuts them. */
#include "db/session_priv.h"
#include "exec/ops/foreign.h"

struct deferred_event {
    oid_t constraint;
    enum foreign_event_kind kind;
    struct slice row_key;
    const struct datum *old;
};

struct deferred_mode {
    oid_t constraint; /* 0: all */
    bool deferred;
};

/* A firing of a constraint trigger. */
struct deferred_trigger {
    oid_t table, trigger, constraint;
    uint8_t event;
    bool initially;
    const struct datum *old, *new;
};

struct deferred {
    ARRAY(struct deferred_trigger) triggers;
    ARRAY(struct deferred_event) events;
    ARRAY(struct deferred_mode) modes;
    struct arena arena; /* what events hold */
    bool working;       /* they are being worked off: nothing is put off now */
};

static struct deferred *of(struct session *s)
{
    if (s->deferred) return s->deferred;
    s->deferred = mem_alloc(MEM_SESSION, sizeof *s->deferred);
    arena_init(&s->deferred->arena, MEM_SESSION);
    return s->deferred;
}

void session__end_deferred(struct session *s)
{
    struct deferred *d = s->deferred;
    if (!d) return;
    ARRAY_RELEASE(&d->events);
    ARRAY_RELEASE(&d->triggers);
    ARRAY_RELEASE(&d->modes);
    arena_release(&d->arena);
    mem_free(MEM_SESSION, d);
    s->deferred = NULL;
}

struct deferred_mark session__deferred_mark(const struct session *s)
{
    const struct deferred *d = s->deferred;
    return d ? (struct deferred_mark){d->events.count, d->modes.count, d->triggers.count} : (struct deferred_mark){0};
}

void session__rollback_deferred(struct session *s, struct deferred_mark mark)
{
    struct deferred *d = s->deferred;
    if (!d) return;
    ASSERT(mark.events <= d->events.count && mark.modes <= d->modes.count);
    d->events.count = mark.events;
    d->modes.count = mark.modes;
    d->triggers.count = mark.triggers;
}

/* --- what the executor asks -------------------------------------------------------------------- */

static bool is_deferred(const struct session *s, oid_t constraint, bool initially)
{
    const struct deferred *d = s->deferred;
    if (d && d->working) return false;
    for (size_t i = d ? d->modes.count : 0; i-- > 0;)
        if (!d->modes.data[i].constraint || d->modes.data[i].constraint == constraint)
            return d->modes.data[i].deferred;
    return initially;
}

bool session__is_deferred(void *ctx, const struct constraint_def *k)
{
    return k->deferrable && is_deferred(ctx, k->oid, k->initially_deferred);
}

/* What waits is bounded as queries are. */
static enum status check_room(const struct session *s, const struct deferred *d)
{
    size_t bytes = arena_bytes(&d->arena) + d->events.count * sizeof *d->events.data +
                   d->triggers.count * sizeof *d->triggers.data;
    if (!s->exec.memory_limit_bytes || bytes <= s->exec.memory_limit_bytes) return OK;
    FAIL(OUT_OF_MEMORY, "too many deferred checks for query.memory_limit");
    return error_hint("Use SET CONSTRAINTS ALL IMMEDIATE, smaller transactions, or raise "
                      "query.memory_limit.");
}

static const struct datum *copy_row(struct arena *a, const struct table_def *t,
                                    const struct datum *row)
{
    if (!row) return NULL;
    struct datum *copy = ARENA_ARRAY(a, struct datum, t->column_count + 1u);
    for (uint16_t i = 0; i < t->column_count; i++)
        copy[i] = datum_copy(a, t->columns[i].type, row[i]);
    return copy;
}

enum status session__defer_trigger(void *ctx, const struct trigger_call *c, bool *ret_put)
{
    struct session *s = ctx;
    const struct trigger_def *g = c->trigger;
    *ret_put = is_deferred(s, g->constraint, g->initially_deferred);
    if (!*ret_put) return OK;
    struct deferred *d = of(s);
    TRY(check_room(s, d));
    struct deferred_trigger t = {c->table->oid, g->oid, g->constraint, c->event,
                                 g->initially_deferred, copy_row(&d->arena, c->table, c->old),
                                 copy_row(&d->arena, c->table, c->new)};
    ARRAY_PUSH(&d->triggers, t);
    return OK;
}

static const struct datum *copy_values(struct arena *a, const struct foreign_key *k,
                                       const struct datum *values)
{
    struct datum *copy = ARENA_ARRAY(a, struct datum, k->def->column_count);
    for (uint16_t i = 0; values && i < k->def->column_count; i++)
        copy[i] = datum_copy(a, k->parent->columns[foreign_key_parent_column(k, i)].type, values[i]);
    return values ? copy : NULL;
}

enum status session__defer(void *ctx, const struct foreign_event *e)
{
    struct session *s = ctx;
    struct deferred *d = of(s);
    TRY(check_room(s, d));
    struct deferred_event copy = {.constraint = e->key.def->oid, .kind = e->kind,
                                  .old = copy_values(&d->arena, &e->key, e->old)};
    if (e->row_key.data) copy.row_key = slice_dup(&d->arena, e->row_key);
    ARRAY_PUSH(&d->events, copy);
    return OK;
}

/* --- working off ------------------------------------------------------------------------------- */

/* The events that are to be looked at now: `all`, or those of constraints that are not deferred any
 * more. They leave the list, but for those before a savepoint: what made them pass may be rolled back. */
static size_t take(struct session *s, bool all, struct foreign_event **ret)
{
    struct deferred *d = s->deferred;
    size_t kept = 0, n = 0, held = s->savepoints ? s->savepoints->deferred.events : 0;
    *ret = ARENA_ARRAY(&s->arena, struct foreign_event, d->events.count);
    for (size_t i = 0; i < d->events.count; i++) {
        const struct deferred_event *e = &d->events.data[i];
        const struct constraint_def *k = catalog_constraint_by_oid(s->catalog, e->constraint);
        struct foreign_event *to = &(*ret)[n];
        bool now = k && (all || !session__is_deferred(s, k)) &&
                   foreign_key_find(s->catalog, k, &s->arena, &to->key);
        if (now) {
            to->kind = e->kind;
            to->row_key = e->row_key;
            to->old = e->old;
            n++;
        }
        if (!now || i < held) d->events.data[kept++] = *e;
    }
    d->events.count = kept;
    return n;
}

static enum status fire(struct session *s, const struct deferred_trigger *e)
{
    const struct table_def *t = catalog_table_by_oid(s->catalog, e->table);
    const struct datum *ignored = NULL;
    for (uint16_t i = 0; t && i < t->trigger_count; i++) {
        const struct trigger_call c = {t->triggers[i], t, e->event, e->old, e->new};
        if (t->triggers[i]->oid == e->trigger)
            return session__call_trigger(s, &c, &s->arena, &ignored);
    }
    return OK; /* dropped meanwhile */
}

/* Triggers of constraints that are not deferred any more, or all. Those before a savepoint stay in the list
 * until it is gone, as above. */
static enum status fire_triggers(struct session *s, bool all)
{
    struct deferred *d = s->deferred;
    size_t kept = 0, n = d->triggers.count;
    size_t held = s->savepoints ? s->savepoints->deferred.triggers : 0;
    ARRAY(struct deferred_trigger) now = {0};
    for (size_t i = 0; i < n; i++) {
        const struct deferred_trigger e = d->triggers.data[i];
        bool due = all || !is_deferred(s, e.constraint, e.initially);
        if (due) ARENA_PUSH(&s->arena, &now, e);
        if (!due || i < held) d->triggers.data[kept++] = e;
    }
    d->triggers.count = kept;
    for (size_t i = 0; i < now.count; i++) TRY(fire(s, &now.data[i]));
    return OK;
}

enum status session__check_deferred(struct session *s, bool all)
{
    struct deferred *d = s->deferred;
    struct foreign_event *events;
    if (!d || !s->txn || (!d->events.count && !d->triggers.count)) return OK;
    size_t n = take(s, all, &events);
    txn_statement_begin(s->txn);
    d->working = all;
    enum status st = OK;
    if (n) {
        d->working = true;
        st = foreign_run_deferred(s->txn, &s->exec, &s->arena, events, n);
        d->working = all;
    }
    if (st == OK && d->triggers.count) st = fire_triggers(s, all);
    d->working = false;
    txn_statement_end(s->txn);
    return st;
}

enum status session__check_pending(struct session *s, const struct table_def *t, const char *what)
{
    const struct deferred *d = s->deferred;
    for (size_t i = 0; d && i < d->events.count; i++) {
        const struct deferred_event *e = &d->events.data[i];
        const struct constraint_def *k = catalog_constraint_by_oid(s->catalog, e->constraint);
        bool check = e->kind == FOREIGN_CHECK || e->kind == UNIQUE_CHECK;
        if (k && t->oid == (check ? k->table : k->foreign_table))
            return FAIL(OBJECT_IN_USE, "cannot %s \"%s\" because it has pending trigger events",
                        what, t->name);
    }
    for (size_t i = 0; d && i < d->triggers.count; i++)
        if (d->triggers.data[i].table == t->oid)
            return FAIL(OBJECT_IN_USE, "cannot %s \"%s\" because it has pending trigger events",
                        what, t->name);
    return OK;
}

/* --- SET CONSTRAINTS --------------------------------------------------------------------------- */

/* All of that name in the schema. */
static enum status set_in_schema(struct session *s, oid_t schema, const char *name, bool deferred,
                                 bool *ret_found)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(s->catalog, &pos, &t)) {
        const struct constraint_def *k =
            t->schema == schema ? table_constraint(t, slice_of(name)) : NULL;
        const struct trigger_def *g =
            t->schema == schema ? table_trigger(t, slice_of(name)) : NULL;
        if (g && g->constraint) {
            *ret_found = true;
            if (!g->deferrable && deferred)
                return FAIL(WRONG_OBJECT_TYPE, "constraint \"%s\" is not deferrable", name);
            if (g->deferrable)
                ARRAY_PUSH(&of(s)->modes, (struct deferred_mode){g->constraint, deferred});
        }
        if (!k) continue;
        *ret_found = true;
        if (!k->deferrable && deferred)
            return FAIL(WRONG_OBJECT_TYPE, "constraint \"%s\" is not deferrable", name);
        if (k->deferrable)
            ARRAY_PUSH(&of(s)->modes, (struct deferred_mode){k->oid, deferred});
    }
    return OK;
}

static enum status set_named(struct session *s, const struct ast_range_var *v, bool deferred)
{
    const struct search_path *path = session__path(s);
    bool found = false;
    if (v->schema) {
        const struct schema_def *n = catalog_schema(s->catalog, s->database_oid, slice_of(v->schema));
        if (!n) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", v->schema);
        TRY(set_in_schema(s, n->oid, v->name, deferred, &found));
    }
    if (!v->schema && path->temporary)
        TRY(set_in_schema(s, path->temporary, v->name, deferred, &found));
    for (uint32_t i = 0; !v->schema && i < path->count && !found; i++)
        TRY(set_in_schema(s, path->schemas[i], v->name, deferred, &found));
    if (found) return OK;
    return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" does not exist", v->name);
}

enum status session__set_constraints(struct session *s, const struct ast_set_constraints *a,
                                     const struct result_sink *sink)
{
    if (s->block != BLOCK_OPEN && s->block != BLOCK_FAILED)
        TRY(session__notice(sink, "WARNING", NO_ACTIVE_SQL_TRANSACTION, NULL,
                            "SET CONSTRAINTS can only be used in transaction blocks"));
    for (uint32_t i = 0; i < a->constraints.count; i++)
        TRY(set_named(s, AST(a->constraints.items[i], ast_range_var), a->deferred));
    if (a->constraints.count == 0) ARRAY_PUSH(&of(s)->modes, (struct deferred_mode){0, a->deferred});
    return a->deferred ? OK : session__check_deferred(s, false);
}
