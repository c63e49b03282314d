/* The rows of a table in a merge: what each was when both sides last agreed on it, what the target has, what the
 * branch has, and so what it is to be. A row is in conflict when both sides have changed it, and not to the same.
 *
 * Of most tables only the keys are looked at that the branch has versions of, and timestamps tell whether the
 * target has changed them. Where a tree was given up for another the three states are gone through side by
 * side, and values tell. Columns that only one side has keep what that side says of them, whoever wins. */
#include "db/branch_merge_priv.h"

enum { ROWS = 64 };

/* One of the three states. */
struct side {
    struct txn *txn;
    const struct table_def *table; /* NULL: it has none */
    uint64_t numbers;              /* catalog_get_renumbered */
    struct merge_shape shape;
    struct cursor *cursor;         /* of a comparison, as is what follows */
    struct slice keys[ROWS], rows[ROWS];
    uint32_t count, at;
    struct slice row;              /* of the key that is looked at; data NULL: none */
    struct datum *values;          /* of it, once it is decoded */
};

struct merge_rows {
    struct merge *m;
    const struct merge_table *t;
    struct side base, ours, theirs;
    struct expr **defaults;        /* of columns that a state lacks; NULL: none, or not loaded yet */
    bool by_values;                /* the trees are not of one line: timestamps say nothing */
    bool judging;
    struct arena setup, scratch;   /* of the whole; of a row */
    struct strbuf out, was_out;
};

/* How the side's rows are read as the target is to have them: those are the branch's or the target's own. */
static void shape(struct merge_rows *r, struct side *x)
{
    const struct merge_table *t = r->t;
    const struct table_def *of = t->altered || !t->ours ? t->theirs : t->ours;
    uint64_t numbers = of == t->theirs ? t->theirs_numbers : t->our_numbers;
    uint16_t shared = t->was ? t->was->column_count : UINT16_MAX;
    if (x->numbers != numbers) shared = 0;
    if (x->table == of) shared = UINT16_MAX;
    if (x->table) merge__shape(&r->setup, shared, x->table, t->to, &x->shape);
}

struct merge_rows *merge__rows_new(struct merge *m, const struct merge_table *t)
{
    struct merge_rows *r = mem_alloc(MEM_SESSION, sizeof *r);
    r->m = m;
    r->t = t;
    arena_init(&r->setup, MEM_SESSION);
    arena_init(&r->scratch, MEM_SESSION);
    strbuf_init(&r->out, NULL);
    strbuf_init(&r->was_out, NULL);
    r->base = (struct side){.txn = merge_base(m), .table = t->was};
    r->ours = (struct side){.txn = m->s->txn, .table = t->way == MERGE_TAKEN ? NULL : t->ours};
    r->theirs = (struct side){.txn = m->from, .table = t->theirs};
    r->base.numbers = t->was_numbers;
    r->ours.numbers = t->our_numbers;
    r->theirs.numbers = t->theirs_numbers;
    shape(r, &r->base);
    shape(r, &r->ours);
    shape(r, &r->theirs);
    r->defaults = ARENA_ARRAY(&r->setup, struct expr *, t->to->column_count + 1u);
    r->by_values = !t->was || !t->ours || t->ours->tree != t->was->tree;
    return r;
}

static void close_side(struct side *x)
{
    if (x->cursor) cursor_close(x->cursor);
    x->cursor = NULL;
    x->count = x->at = 0;
}

void merge__rows_free(struct merge_rows *r)
{
    if (!r) return;
    close_side(&r->base);
    close_side(&r->ours);
    close_side(&r->theirs);
    strbuf_release(&r->out);
    strbuf_release(&r->was_out);
    arena_release(&r->scratch);
    arena_release(&r->setup);
    mem_free(MEM_SESSION, r);
}

/* --- going through them ------------------------------------------------------------------------ */

static enum status open_side(struct side *x, bool changes, uint64_t since)
{
    struct scan_request q = {.changes = changes, .since = since};
    if (!x->table) return OK;
    q.tree = x->table->tree;
    return store_scan(x->txn, &q, &x->cursor);
}

static enum status rewind_rows(void *ctx)
{
    struct merge_rows *r = ctx;
    bool all = r->t->way != MERGE_CHANGED;
    close_side(&r->base);
    close_side(&r->ours);
    close_side(&r->theirs);
    if (r->t->way == MERGE_COMPARED || r->t->way == MERGE_REBUILT) {
        TRY(open_side(&r->base, false, 0));
        TRY(open_side(&r->ours, false, 0));
    }
    return open_side(&r->theirs, !all, all || !r->t->was ? 0 : r->m->merged_ts);
}

static enum status fill(struct side *x)
{
    if (!x->cursor || x->at < x->count) return OK;
    x->at = 0;
    return cursor_next(x->cursor, x->keys, x->rows, ROWS, &x->count);
}

/* The least key of all cursors, and each side's row of it; *ret_any false at the end. */
static enum status next_key(struct merge_rows *r, struct slice *ret, bool *ret_any)
{
    struct side *all[] = {&r->base, &r->ours, &r->theirs};
    *ret_any = false;
    for (int i = 0; i < 3; i++) {
        struct side *x = all[i];
        TRY(fill(x));
        x->row = (struct slice){0};
        x->values = NULL;
        if (x->at == x->count) continue;
        if (!*ret_any || slice_cmp(x->keys[x->at], *ret) < 0) *ret = x->keys[x->at];
        *ret_any = true;
    }
    for (int i = 0; i < 3; i++) {
        struct side *x = all[i];
        if (x->at < x->count && slice_eq(x->keys[x->at], *ret)) x->row = x->rows[x->at++];
    }
    return OK;
}

static enum status get(struct side *x, struct slice key)
{
    if (!x->table) return OK;
    struct point_get_request q = {x->table->tree, key};
    enum status st = store_point_get(x->txn, &q, &x->row);
    return st == NOT_FOUND ? OK : st;
}

/* --- what they say ----------------------------------------------------------------------------- */

static enum status decode(struct merge_rows *r, struct side *x)
{
    if (x->values || !x->row.data) return OK;
    return merge__shape_decode(&x->shape, x->row, &r->scratch, &x->values);
}

/* In the columns that both have. */
static enum status differ(struct merge_rows *r, struct side *a, struct side *b, bool *ret)
{
    *ret = (a->row.data == NULL) != (b->row.data == NULL);
    if (*ret || !a->row.data) return OK;
    if (a->shape.same && b->shape.same && slice_eq(a->row, b->row)) return OK;
    TRY(decode(r, a));
    TRY(decode(r, b));
    for (uint16_t c = 0; c < r->t->to->column_count && !*ret; c++)
        if (a->shape.source[c] >= 0 && b->shape.source[c] >= 0)
            *ret = !value_identical(r->t->to->columns[c].type, &a->values[c], &b->values[c]);
    return OK;
}

static enum status default_of(struct merge_rows *r, uint16_t c, struct datum *ret)
{
    static const struct exec_params none = {0};
    const struct column_def *column = &r->t->to->columns[c];
    *ret = column->has_missing ? column->missing : (struct datum){.null = true};
    if (column->has_missing || !column->default_sql || column->generated) return OK;
    if (!r->defaults[c])
        TRY(ddl__load_expression(&r->m->ddl, r->t->to, column->default_sql, column, "DEFAULT",
                                 &r->defaults[c]));
    /* Rows are gone through several times, with the same values. */
    if (expr_is_volatile(r->defaults[c])) return OK;
    return exec_constant(r->defaults[c], &r->m->s->exec, &none, &r->scratch, ret);
}

/* The winner's row with what the other knows besides, as the target stores it. */
static enum status combine(struct merge_rows *r, struct side *winner, struct side *other,
                           struct strbuf *out, struct slice *ret)
{
    const struct table_def *to = r->t->to;
    *ret = winner->row;
    if (!winner->row.data || winner->shape.same) return OK;
    TRY(decode(r, winner));
    TRY(decode(r, other));
    for (uint16_t c = 0; c < to->column_count; c++) {
        if (winner->shape.source[c] >= 0 || to->columns[c].dropped) continue;
        if (other->values && other->shape.source[c] >= 0) winner->values[c] = other->values[c];
        else TRY(default_of(r, c, &winner->values[c]));
    }
    strbuf_clear(out);
    row_encode(to->layout, winner->values, out);
    *ret = strbuf_slice(out);
    return OK;
}

/* When both last agreed, in the target: its own changes of the key since then are in conflict. */
static enum status agreed_ts(struct merge_rows *r, struct slice key, uint64_t *ret)
{
    const struct merge *m = r->m;
    uint64_t ts = 0;
    *ret = m->fork_ts;
    if (m->merged) TRY(store_version_ts(m->merged, r->t->theirs->tree, key, &ts));
    if (ts) *ret = m->into_ts;
    return OK;
}

/* Has the target changed the row, too? */
static enum status changed_here(struct merge_rows *r, struct slice key, bool *ret)
{
    uint64_t agreed, ts;
    if (r->by_values || r->t->way != MERGE_CHANGED) return differ(r, &r->ours, &r->base, ret);
    TRY(agreed_ts(r, key, &agreed));
    TRY(store_version_ts(r->ours.txn, r->t->ours->tree, key, &ts));
    /* A deletion in the main line may have left nothing; in a branch what is not there is as below. */
    bool gone = !ts && !r->m->s->line->branch && r->base.row.data && !r->ours.row.data;
    *ret = ts > agreed || gone;
    return OK;
}

static const char *kind_of(const struct merge_rows *r)
{
    if (!r->theirs.row.data) return "delete/update";
    if (!r->ours.row.data) return "update/delete";
    return r->base.row.data ? "update/update" : "insert/insert";
}

static void note(struct merge_rows *r, struct slice key)
{
    const struct side *all[] = {&r->base, &r->ours, &r->theirs};
    const char *rows[3];
    for (int i = 0; i < 3; i++)
        rows[i] = all[i]->row.data ? branch__row_text(r->m->s, all[i]->table, all[i]->row, &r->scratch)
                                   : NULL;
    merge__note_conflict(r->m, r->t->to, key, rows, kind_of(r));
}

/* --- what it becomes --------------------------------------------------------------------------- */

static enum status lock(struct merge_rows *r, struct slice key)
{
    struct lock_request q = {.tree = r->t->to->tree, .key = key, .mode = ROW_LOCK_UPDATE};
    struct lock_result got;
    if (!r->judging || r->t->way == MERGE_REBUILT || r->t->way == MERGE_TAKEN) return OK;
    return store_lock(r->m->s->txn, &q, &got);
}

/* *ret_theirs: the branch's row is taken; else the target's stays. */
static enum status decide(struct merge_rows *r, struct slice key, bool *ret_theirs)
{
    bool changed = false, here = false, apart = false;
    *ret_theirs = false;
    TRY(differ(r, &r->theirs, &r->base, &changed));
    if (!changed) return OK;
    TRY(lock(r, key));
    if (r->t->way == MERGE_CHANGED) TRY(get(&r->ours, key));
    TRY(differ(r, &r->theirs, &r->ours, &apart));
    if (!apart) return OK;
    TRY(changed_here(r, key, &here));
    *ret_theirs = !here || r->m->mode == CONFLICT_THEIRS;
    if (here && r->judging) note(r, key);
    return OK;
}

/* One key: *ret_any, if something is to be written. */
static enum status judge(struct merge_rows *r, struct slice key, struct exec_merge_change *c,
                         bool *ret_any, bool *ret_counts)
{
    bool theirs;
    TRY(decide(r, key, &theirs));
    struct side *winner = theirs ? &r->theirs : &r->ours, *other = theirs ? &r->ours : &r->theirs;
    bool rebuilt = r->t->way == MERGE_REBUILT || r->t->way == MERGE_TAKEN;
    *ret_counts = theirs;
    *ret_any = false;
    if (!theirs && !rebuilt) {
        /* It may have columns of the branch's to get, that no comparison looked at. */
        if (!r->t->altered || r->ours.shape.same) return OK;
        if (r->t->way == MERGE_CHANGED && !r->ours.row.data) TRY(get(&r->ours, key));
        if (!r->ours.row.data) return OK;
    }
    *c = (struct exec_merge_change){.key = key};
    if (!rebuilt) c->old = r->ours.row;
    else if (theirs) TRY(combine(r, other, winner, &r->was_out, &c->was));
    TRY(combine(r, winner, other, &r->out, &c->row));
    *ret_any = c->old.data || c->row.data || c->was.data;
    return OK;
}

static enum status next_change(struct merge_rows *r, struct exec_merge_change *ret, bool *ret_any,
                               bool *ret_counts)
{
    struct slice key = {0};
    for (;;) {
        arena_clear(&r->scratch);
        TRY(next_key(r, &key, ret_any));
        if (!*ret_any) return OK;
        if (r->t->way == MERGE_CHANGED) TRY(get(&r->base, key));
        TRY(judge(r, key, ret, ret_any, ret_counts));
        if (*ret_any) return OK;
    }
}

static enum status next_row(void *ctx, struct exec_merge_change *ret, bool *ret_any)
{
    bool counts;
    return next_change(ctx, ret, ret_any, &counts);
}

enum status merge__rows_judge(struct merge_rows *r)
{
    struct exec_merge_change c;
    bool any = true, counts = false;
    r->judging = true;
    enum status st = rewind_rows(r);
    while (st == OK && any) {
        st = session__check_interrupts(r->m->s);
        if (st == OK) st = next_change(r, &c, &any, &counts);
        r->m->rows += st == OK && any && counts;
        r->m->writes += st == OK && any;
    }
    r->judging = false;
    return st;
}

enum status merge__rows_differ(struct merge *m, const struct merge_table *t, bool *ret)
{
    struct slice key = {0};
    bool any = true;
    struct merge_table x = *t;
    x.to = t->theirs;
    x.way = t->was->tree == t->theirs->tree ? MERGE_CHANGED : MERGE_COMPARED;
    struct merge_rows *r = merge__rows_new(m, &x);
    enum status st = rewind_rows(r);
    *ret = false;
    while (st == OK && any && !*ret) {
        arena_clear(&r->scratch);
        st = session__check_interrupts(m->s);
        if (st == OK) st = next_key(r, &key, &any);
        if (st != OK || !any) break;
        if (x.way == MERGE_CHANGED) st = get(&r->base, key);
        if (st == OK) st = differ(r, &r->theirs, &r->base, ret);
    }
    merge__rows_free(r);
    return st;
}

struct exec_merge_source merge__rows_source(struct merge_rows *r)
{
    return (struct exec_merge_source){rewind_rows, next_row, r};
}
