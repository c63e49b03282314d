/* The events of foreign keys, from the row that is written to the end of the statement. They run in
 * PostgreSQL's order, that of its queue of AFTER triggers; those of one constraint that wait together are
 * worked off together, so that a table without an index is read once for all of them. */
#include "exec/ops/foreign.h"

#include "exec/ops/foreign_priv.h"
#include "types/row.h"

void foreign__init(struct foreign_run *r, struct execution *x)
{
    *r = (struct foreign_run){.x = x, .mode = ROW_LOCK_KEY_SHARE, .keep = exec_arena(x), .arena = exec_arena(x)};
    map_init(&r->found);
    map_init(&r->whole);
    map_init(&r->pending);
    strbuf_init(&r->lookup, NULL);
    strbuf_init(&r->buffer, NULL);
    strbuf_init(&r->entry, NULL);
}

void foreign__release(struct foreign_run *r)
{
    map_release(&r->found);
    map_release(&r->whole);
    map_release(&r->pending);
    strbuf_release(&r->lookup);
    strbuf_release(&r->buffer);
    strbuf_release(&r->entry);
}

/* Of the statement: made when the first row needs it. */
static struct foreign_run *run_of(struct execution *x)
{
    if (x->foreign) return x->foreign;
    x->foreign = ARENA_NEW(x->arena, struct foreign_run);
    foreign__init(x->foreign, x);
    return x->foreign;
}

static bool is_deferred(const struct execution *x, const struct constraint_def *k)
{
    return k->deferrable && x->session->is_deferred && x->session->is_deferred(x->session->ctx, k);
}

enum status foreign__push(struct execution *x, const struct foreign_event *e)
{
    if (is_deferred(x, e->key.def)) return x->session->defer(x->session->ctx, e);
    struct foreign_run *r = run_of(x);
    struct foreign_event copy = *e;
    copy.row_key = slice_dup(r->keep, e->row_key);
    ARENA_PUSH(r->keep, &r->events, copy);
    return OK;
}

/* --- rows that refer --------------------------------------------------------------------------- */

/* Does the row refer to something else than before? */
static bool touches(const struct foreign_key *k, const struct foreign_before *before,
                    const struct datum *row)
{
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        uint16_t c = foreign_key_child_column(k, i);
        if (before->changed[c] &&
            !value_identical(k->child->columns[c].type, &before->row[c], &row[c]))
            return true;
    }
    return false;
}

static enum status written(struct foreign_run *r, const struct foreign_key *k, struct slice key,
                           const struct datum *row)
{
    bool none, found;
    struct foreign_event e = {*k, FOREIGN_CHECK, key, NULL, NULL};
    if (is_deferred(r->x, k->def)) return r->x->session->defer(r->x->session->ctx, &e);
    arena_clear(r->arena);
    TRY(foreign__look(r, k, row, &none, &found));
    if (none || found) return OK;
    e.row_key = slice_dup(r->keep, key); /* perhaps a later row is what this one refers to */
    ARENA_PUSH(r->keep, &r->events, e);
    map_put(&r->pending, key, r);
    return OK;
}

/* A row that refers to what it did is not looked at; but a check that waits for it finds it no more under
 * another key. */
static bool waits(const struct execution *x, const struct foreign_key *k, struct slice old_key,
                  struct slice key)
{
    if (slice_eq(old_key, key)) return false;
    return is_deferred(x, k->def) || (x->foreign && map_get(&x->foreign->pending, old_key));
}

enum status foreign_written(struct dml_run *d, const struct foreign_before *before,
                            struct slice key, const struct datum *row)
{
    for (uint32_t i = 0; i < d->dml->refer_count; i++) {
        const struct foreign_key *k = &d->dml->refers[i];
        if (!before || touches(k, before, row) || waits(d->x, k, before->key, key))
            TRY(written(run_of(d->x), k, key, row));
    }
    return OK;
}

/* --- rows that are referred to ------------------------------------------------------------------ */

static bool stays(const struct foreign_key *k, const struct datum *old, const struct datum *now,
                  const bool *changed)
{
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        uint16_t c = foreign_key_parent_column(k, i);
        if (changed[c] && !value_identical(k->parent->columns[c].type, &old[c], &now[c]))
            return false;
    }
    return true;
}

static bool has_null(const struct foreign_key *k, const struct datum *row)
{
    for (uint16_t i = 0; i < k->def->column_count; i++)
        if (row[foreign_key_parent_column(k, i)].null) return true;
    return false;
}

static const struct datum *key_values(struct arena *a, const struct foreign_key *k,
                                      const struct datum *row)
{
    struct datum *v = ARENA_ARRAY(a, struct datum, k->def->column_count);
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        uint16_t c = foreign_key_parent_column(k, i);
        v[i] = datum_copy(a, k->parent->columns[c].type, row[c]);
    }
    return v;
}

static enum status left(struct foreign_run *r, const struct foreign_key *k, const struct datum *old,
                        const struct datum *now)
{
    char action = now ? k->def->on_update : k->def->on_delete;
    bool deferred = action == 'a' && is_deferred(r->x, k->def);
    if (deferred) arena_clear(r->arena);
    struct arena *a = deferred ? r->arena : r->keep;
    struct foreign_event e = {.key = *k, .kind = now ? FOREIGN_UPDATED : FOREIGN_DELETED};
    e.old = key_values(a, k, old);
    if (now && action != 'a') e.now = key_values(a, k, now);
    if (deferred) return r->x->session->defer(r->x->session->ctx, &e);
    ARENA_PUSH(r->keep, &r->events, e);
    return OK;
}

enum status foreign_left(struct dml_run *d, const struct datum *old, const struct datum *now,
                         const bool *changed)
{
    for (uint32_t i = 0; i < d->dml->referred_count; i++) {
        const struct foreign_key *k = &d->dml->referred[i];
        if (has_null(k, old) || (now && stays(k, old, now, changed))) continue;
        struct foreign_run *r = run_of(d->x);
        if (!r->root) r->root = d->dml;
        TRY(left(r, k, old, now));
    }
    return OK;
}

/* --- the end of the statement ------------------------------------------------------------------- */

static bool alike(const struct foreign_event *a, const struct foreign_event *b)
{
    return a->key.def == b->key.def && a->kind == b->kind;
}

/* All events from `at` to `end` that are like the first: they are done after it. */
static enum status act_alike(struct foreign_run *r, size_t at, size_t end)
{
    ARRAY(struct foreign_event) some = {0};
    const struct foreign_event first = r->events.data[at];
    for (size_t i = at; i < end; i++) {
        struct foreign_event *e = &r->events.data[i];
        if (!e->key.def || !alike(e, &first)) continue;
        ARENA_PUSH(r->keep, &some, *e);
        e->key.def = NULL;
    }
    return foreign__act(r, some.data, some.count);
}

enum status foreign__run(struct foreign_run *r)
{
    while (r->next < r->events.count) {
        size_t end = r->events.count; /* more may come of these */
        for (; r->next < end; r->next++) {
            struct foreign_event e = r->events.data[r->next];
            if (!e.key.def) continue;
            TRY(exec_check(r->x));
            if (e.kind == UNIQUE_CHECK) TRY(unique__check(r, &e));
            else if (e.kind == FOREIGN_CHECK) TRY(foreign__check(r, &e));
            else TRY(act_alike(r, r->next, end));
        }
    }
    return OK;
}

enum status foreign_finish(struct execution *x)
{
    return x->foreign ? foreign__run(x->foreign) : OK;
}

void foreign_end(struct execution *x)
{
    if (x->foreign) foreign__release(x->foreign);
    x->foreign = NULL;
}

/* --- deferred events ---------------------------------------------------------------------------- */

enum status foreign_run_deferred(struct txn *t, const struct exec_session *s, struct arena *a,
                                 const struct foreign_event *events, size_t count)
{
    static const struct exec_params none = {0};
    struct execution x;
    exec_begin(&x, NULL, t, s, &none, a);
    struct foreign_run *r = run_of(&x);
    for (size_t i = 0; i < count; i++) ARENA_PUSH(r->keep, &r->events, events[i]);
    enum status st = foreign_finish(&x);
    foreign_end(&x);
    exec_end(&x);
    return st;
}
