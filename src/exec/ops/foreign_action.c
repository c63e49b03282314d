/* What becomes of the rows that refer to a key that is gone: they forbid it, go too, follow it, or get
 * NULL or their defaults. Each is locked, which waits for whoever has it in hand, and looked at again. */
#include "exec/ops/foreign_priv.h"
#include "exec/ops/trigger.h"

#include "types/cast.h"

static char action_of(const struct foreign_event *e)
{
    return e->kind == FOREIGN_DELETED ? e->key.def->on_delete : e->key.def->on_update;
}

/* --- NO ACTION and RESTRICT ---------------------------------------------------------------------- */

/* Locks the row; *ret_row (in the run's arena) NULL when it does not refer to the key any more. */
static enum status lock_match(struct foreign_run *r, const struct foreign_match *m,
                              enum row_lock mode, struct datum **ret_row, struct slice *ret_stored)
{
    const struct table_def *t = m->event->key.child;
    struct lock_request q = {.tree = t->tree, .key = m->row_key, .mode = mode};
    struct lock_result got;
    bool refers;
    *ret_row = NULL;
    arena_clear(r->arena);
    TRY(store_lock(r->x->txn, &q, &got));
    if (!got.row.data) return OK;
    struct datum *row = ARENA_ARRAY(r->arena, struct datum, t->column_count + 1u);
    dml_decode(t, got.row, row);
    TRY(foreign__refers(r, m->event, row, &refers));
    if (refers) *ret_row = row;
    *ret_stored = got.row;
    return OK;
}

static enum status forbid(struct foreign_run *r, const struct foreign_event *events, size_t count,
                          bool unless_there)
{
    struct foreign_matches found;
    TRY(foreign__referring(r, events, count, &found));
    for (size_t i = 0; i < found.count; i++) {
        struct datum *row;
        struct slice stored;
        bool there = false;
        if (unless_there) TRY(foreign__is_there(r, found.data[i].event, &there));
        if (there) continue;
        TRY(lock_match(r, &found.data[i], ROW_LOCK_KEY_SHARE, &row, &stored));
        if (row) return foreign__still_referenced(r, found.data[i].event);
    }
    return OK;
}

/* --- actions ------------------------------------------------------------------------------------ */

/* What writing a row of the table takes. */
static const struct plan_node *reached_by(const struct dml *d, const struct table_def *t)
{
    for (uint32_t i = 0; d && i < d->reached_count; i++)
        if (d->reached[i]->dml.table->oid == t->oid) return d->reached[i];
    return NULL;
}

static const struct plan_node *node_of(const struct foreign_run *r, const struct table_def *t)
{
    const struct plan *p = r->x->plan;
    const struct plan_node *n = reached_by(r->root, t);
    for (uint32_t i = 0; !n && p && i < p->change_count; i++)
        n = reached_by(&p->ctes[p->changes[i]]->dml, t);
    bool both = !n && p && p->change_count && p->command != CMD_SELECT;
    return both ? reached_by(&p->root->dml, t) : n;
}

struct action {
    struct foreign_run *run;
    struct dml_run dml;
    char what;
    struct datum *now;
    bool *changed;
};

static bool is_set(const struct foreign_event *e, uint16_t i)
{
    const struct constraint_def *k = e->key.def;
    if (e->kind != FOREIGN_DELETED || !k->set_count) return true;
    for (uint16_t n = 0; n < k->set_count; n++)
        if (k->set_columns[n] == k->columns[i]) return true;
    return false;
}

/* The row's new values, those that the constraint is about. */
static enum status new_values(struct action *a, const struct foreign_event *e,
                              const struct datum *old)
{
    const struct foreign_key *k = &e->key;
    struct execution *x = a->run->x;
    const struct table_def *t = k->child;
    for (uint16_t c = 0; c < t->column_count; c++) {
        a->now[c] = old[c];
        a->changed[c] = a->dml.dml->generated && a->dml.dml->generated[c];
    }
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        uint16_t c = foreign_key_child_column(k, i), p = foreign_key_parent_column(k, i);
        bool none = false;
        if (a->what != 'c' && !is_set(e, i)) continue;
        a->changed[c] = true;
        a->now[c] = (struct datum){.null = true};
        if (a->what == 'd' && a->dml.dml->new_row[c])
            TRY(exec_eval_row(x, a->dml.dml->new_row[c], NULL, a->dml.arena, &a->now[c]));
        if (a->what != 'c' || e->now[i].null) continue;
        a->now[c].null = false;
        TRY(foreign_key_convert(k->parent->columns[p].type, t->columns[c].type, &e->now[i].v,
                                x->session->format, a->dml.arena, &a->now[c].v, &none));
        if (none) /* says why */
            TRY(cast_value(k->parent->columns[p].type, t->columns[c].type, &e->now[i].v,
                          x->session->format, a->dml.arena, &a->now[c].v));
    }
    return OK;
}

static enum status change_match(struct action *a, const struct foreign_match *m)
{
    struct foreign_run *r = a->run;
    bool delete = a->what == 'c' && m->event->kind == FOREIGN_DELETED;
    struct datum *row, *old;
    struct slice stored;
    TRY(lock_match(r, m, delete ? ROW_LOCK_UPDATE : ROW_LOCK_NO_KEY_UPDATE, &row, &stored));
    if (!row) return OK;
    arena_clear(a->dml.arena);
    /* Checks of the row that is written use the run's arena. */
    old = ARENA_ARRAY(a->dml.arena, struct datum, a->dml.table->column_count + 1u);
    for (uint16_t c = 0; c < a->dml.table->column_count; c++)
        old[c] = datum_copy(a->dml.arena, a->dml.table->columns[c].type, row[c]);
    bool before = trigger_has(a->dml.dml, false), after = trigger_has(a->dml.dml, true);
    bool skip = false;
    if (delete) {
        if (before) TRY(trigger_before_row(&a->dml, TRIGGER_DELETE, NULL, old, NULL, &skip));
        if (skip) return OK;
        if (before) TRY(trigger_check_row(&a->dml, m->row_key, stored, "deleted"));
        TRY(dml_delete(&a->dml, m->row_key, old));
        return after ? trigger_after_row(&a->dml, TRIGGER_DELETE, NULL, old, NULL) : OK;
    }
    TRY(new_values(a, m->event, old));
    const bool *changed = a->changed;
    if (before) {
        TRY(trigger_before_row(&a->dml, TRIGGER_UPDATE, a->changed, old, a->now, &skip));
        if (skip) return OK;
        TRY(trigger_check_row(&a->dml, m->row_key, stored, "updated"));
        changed = trigger_changed(&a->dml, a->changed, old, a->now);
    }
    TRY(dml_update(&a->dml, m->row_key, old, a->now, changed));
    return after ? trigger_after_row(&a->dml, TRIGGER_UPDATE, a->changed, old, a->now) : OK;
}

static enum status change_all(struct foreign_run *r, const struct foreign_event *events,
                              size_t count, char what)
{
    const struct table_def *t = events[0].key.child;
    const struct plan_node *n = node_of(r, t);
    struct action a = {.run = r, .what = what};
    struct foreign_matches found;
    if (!n) return FAIL(INTERNAL_ERROR, "table \"%s\" is not in the plan", t->name);
    bool delete = what == 'c' && events[0].kind == FOREIGN_DELETED;
    uint8_t event = delete ? TRIGGER_DELETE : TRIGGER_UPDATE;
    TRY(trigger_before_action(r->x, n, event));
    TRY(foreign__referring(r, events, count, &found));
    if (!found.count) return trigger_action_done(r->x, n, event);
    dml_init(&a.dml, r->x, n, false);
    a.now = ARENA_ARRAY(r->keep, struct datum, t->column_count + 1u);
    a.changed = ARENA_ARRAY(r->keep, bool, t->column_count + 1u);
    enum status st = OK;
    for (size_t i = 0; st == OK && i < found.count; i++) {
        st = change_match(&a, &found.data[i]);
        if (st == OK) st = exec_check(r->x);
    }
    dml_release(&a.dml);
    return st == OK ? trigger_action_done(r->x, n, event) : st;
}

/* --- PostgreSQL's own query, which an error tells ------------------------------------------------ */

static void add_condition(const struct foreign_key *k, uint16_t first, struct strbuf *s)
{
    strbuf_adds(s, " WHERE ");
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        const struct column_def *c = &k->child->columns[foreign_key_child_column(k, i)];
        const char *cast = c->type == TYPE_VARCHAR ? "::pg_catalog.text" : "";
        strbuf_addf(s, "%s$%d%s OPERATOR(pg_catalog.=) \"%s\"%s", i ? " AND " : "", first + i + 1,
                    cast, c->name, cast);
    }
}

static enum status in_query(struct foreign_run *r, const struct foreign_event *e)
{
    struct strbuf s;
    const struct foreign_key *k = &e->key;
    const struct schema_def *n = catalog_schema_by_oid(r->x->session->catalog, k->child->schema);
    char what = action_of(e);
    bool delete = what == 'c' && e->kind == FOREIGN_DELETED;
    uint16_t set = 0;
    strbuf_init(&s, r->keep);
    strbuf_addf(&s, "%s ONLY \"%s\".\"%s\"", delete ? "DELETE FROM" : "UPDATE", n ? n->name : "",
                k->child->name);
    for (uint16_t i = 0; !delete && i < k->def->column_count; i++) {
        if (what != 'c' && !is_set(e, i)) continue;
        strbuf_addf(&s, "%s \"%s\" = ", set++ ? "," : " SET",
                    k->child->columns[foreign_key_child_column(k, i)].name);
        if (what == 'c') strbuf_addf(&s, "$%d", i + 1);
        else strbuf_adds(&s, what == 'n' ? "NULL" : "DEFAULT");
    }
    add_condition(k, what == 'c' && !delete ? set : 0, &s);
    return error_where("SQL statement \"%s\"", s.data);
}

enum status foreign__act(struct foreign_run *r, const struct foreign_event *events, size_t count)
{
    char what = action_of(&events[0]);
    if (what == 'a' || what == 'r') return forbid(r, events, count, what == 'a');
    /* Who has the default already refers to what is gone: so each key by itself. */
    size_t step = what == 'd' ? 1 : count;
    for (size_t i = 0; i < count; i += step) {
        enum status st = change_all(r, &events[i], step, what);
        if (st != OK && st != QUERY_CANCELED) return in_query(r, &events[i]);
        TRY(st);
        if (what == 'd') TRY(forbid(r, &events[i], 1, true));
    }
    return OK;
}
