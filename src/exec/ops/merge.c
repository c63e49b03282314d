/* Rows that were changed elsewhere, written into their tables with index entries and all checks: what MERGE
 * BRANCH does. Of a table first all rows that go are deleted, then the entries of changed rows that will be
 * others are taken away, then changed rows are written, then new ones: so rows may exchange their unique
 * keys. Foreign keys of all tables are looked at when all tables are written. */
#include "exec/ops/foreign_priv.h"

struct merge_run {
    struct execution *x;
    const struct exec_merge_table *table;
    struct plan_node node; /* as of a statement that may do anything to the table */
    struct dml_run d;
    struct datum *old, *row;
    bool *changed;
};

enum pass { PASS_DELETE, PASS_ENTRIES, PASS_UPDATE, PASS_INSERT, PASSES };

static const struct dml *dml_of(const struct plan *p)
{
    return p->point ? &p->point->dml->dml : &p->root->dml;
}

/* Which columns differ; *ret_any. */
static void compare(struct merge_run *r, bool *ret_any)
{
    const struct table_def *t = r->d.table;
    *ret_any = false;
    for (uint16_t c = 0; c < t->column_count; c++) {
        const struct datum *a = &r->old[c], *b = &r->row[c];
        r->changed[c] = a->null != b->null ||
                        (!a->null && !value_identical(t->columns[c].type, a, b));
        *ret_any |= r->changed[c];
    }
}

/* The row in the tree that was given up is another now, r->row, or none. */
static enum status tell_others(struct merge_run *r, const struct exec_merge_change *c)
{
    bool any = true;
    if (!c->was.data || !r->d.dml->referred_count) return OK;
    dml_decode(r->d.table, c->was, r->old);
    if (!c->row.data) return foreign_left(&r->d, r->old, NULL, NULL);
    compare(r, &any);
    return any ? foreign_left(&r->d, r->old, r->row, r->changed) : OK;
}

static enum status apply(struct merge_run *r, enum pass pass, const struct exec_merge_change *c)
{
    struct dml_run *d = &r->d;
    bool any;
    if (c->old.data) dml_decode(d->table, c->old, r->old);
    if (c->row.data) dml_decode(d->table, c->row, r->row);
    if (c->old.data && c->row.data) {
        if (pass != PASS_ENTRIES && pass != PASS_UPDATE) return OK;
        compare(r, &any);
        if (!any) return OK;
        return pass == PASS_ENTRIES ? dml_take_entries(d, c->key, r->old, r->row)
                                    : dml_replace(d, c->key, r->old, r->row, r->changed);
    }
    if (c->old.data) return pass == PASS_DELETE ? dml_delete(d, c->key, r->old) : OK;
    if (pass != PASS_INSERT) return OK;
    if (!c->row.data) return tell_others(r, c);
    TRY(dml_finish_row(d, r->row));
    TRY(tell_others(r, c));
    strbuf_clear(&d->key);
    strbuf_add(&d->key, c->key.data, c->key.len);
    return dml_insert(d, r->row);
}

static enum status run_pass(struct merge_run *r, enum pass pass)
{
    const struct exec_merge_source *s = &r->table->source;
    enum status st = s->rewind(s->ctx);
    for (bool any = true; st == OK && any;) {
        struct exec_merge_change c;
        st = s->next(s->ctx, &c, &any);
        if (st != OK || !any) break;
        arena_clear(r->d.arena);
        st = apply(r, pass, &c);
        if (st == OK) st = exec_check(r->x);
    }
    return st;
}

/* Actions may reach from one table what another one's plan tells of. A merge fires no triggers. */
static void union_reached(struct execution *x, const struct exec_merge_table *tables, uint32_t n,
                          struct plan_node ***ret, uint32_t *ret_count)
{
    ARRAY(struct plan_node *) all = {0};
    for (uint32_t i = 0; i < n; i++) {
        const struct dml *m = dml_of(tables[i].deletes);
        for (uint32_t k = 0; k < m->reached_count; k++) {
            struct plan_node *silent = arena_memdup(x->arena, m->reached[k], sizeof *silent);
            silent->dml.triggers = NULL;
            silent->dml.trigger_count = 0;
            ARENA_PUSH(x->arena, &all, silent);
        }
    }
    *ret = all.data;
    *ret_count = (uint32_t)all.count;
}

static void merge_init(struct merge_run *r, struct execution *x, const struct exec_merge_table *t)
{
    const struct dml *deletes = dml_of(t->deletes);
    *r = (struct merge_run){.x = x, .table = t, .node = {.kind = PLAN_UPDATE}};
    r->node.dml = *dml_of(t->inserts);
    r->node.dml.referred = deletes->referred;
    r->node.dml.referred_count = deletes->referred_count;
    uint32_t columns = r->node.dml.table->column_count;
    r->old = ARENA_ARRAY(x->arena, struct datum, columns + 1);
    r->row = ARENA_ARRAY(x->arena, struct datum, columns + 1);
    r->changed = ARENA_ARRAY(x->arena, bool, columns + 1);
}

enum status exec_merge(const struct exec_merge_table *tables, uint32_t n, struct txn *t,
                       const struct exec_session *s, struct arena *a)
{
    static const struct exec_params none = {0};
    struct execution x;
    struct plan_node **reached;
    uint32_t reached_count;
    enum status st = OK;
    exec_begin(&x, NULL, t, s, &none, a);
    x.run = op__run;
    union_reached(&x, tables, n, &reached, &reached_count);
    struct merge_run *runs = ARENA_ARRAY(x.arena, struct merge_run, n + 1);
    for (uint32_t i = 0; i < n && st == OK; i++) {
        struct merge_run *r = &runs[i]; /* foreign keys may look at its dml until the end */
        merge_init(r, &x, &tables[i]);
        r->node.dml.reached = reached;
        r->node.dml.reached_count = reached_count;
        dml_init(&r->d, &x, &r->node, false);
        for (int pass = 0; pass < PASSES && st == OK; pass++) st = run_pass(r, (enum pass)pass);
        dml_release(&r->d);
    }
    if (st == OK) st = foreign_finish(&x);
    foreign_end(&x);
    exec_end(&x);
    return st;
}
