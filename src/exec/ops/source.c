/* Rows that come from no table: one empty row, VALUES, functions, CTEs, virtual tables, APPEND. */
#include "exec/ops/ops_priv.h"

enum status op__result(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    (void)n;
    struct vec none = {0};
    struct batch b = {.rows = 1, .count = 1, .columns = &none};
    if (n->filter) {
        bool pass;
        TRY(exec_test_row(x, n->filter, NULL, x->arena, &pass));
        if (!pass) return OK;
    }
    return op__push(x, out, &b);
}

enum status op__values(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct row_pusher p;
    row_pusher__init(&p, x, n, out);
    struct datum *row = ARENA_ARRAY(op__arena(x, n, 1), struct datum, n->column_count + 1);
    for (uint32_t r = 0; r < n->values.row_count; r++) {
        for (uint32_t c = 0; c < n->column_count; c++)
            TRY(exec_eval_row(x, n->values.rows[r][c], NULL, p.arena, &row[c]));
        TRY(row_pusher__add(&p, row));
    }
    return row_pusher__flush(&p);
}

enum status op__append(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    for (uint32_t i = 0; i < n->append.child_count; i++)
        TRY(op__run(x, n->append.children[i], out));
    return OK;
}

/* --- virtual tables ---------------------------------------------------------------------------- */

struct virtual_run {
    struct row_pusher pusher;
    const struct plan_node *n;
    struct datum *row;
    struct execution *x;
};

static enum status take_virtual(void *ctx, const struct datum *row)
{
    struct virtual_run *v = ctx;
    const struct plan_node *n = v->n;
    for (uint32_t c = 0; c < n->scan.fetch_count; c++)
        v->row[c] = datum_copy(v->pusher.arena, n->columns[c].type, row[n->scan.fetch[c]]);
    if (n->scan.tableoid_slot >= 0)
        v->row[n->scan.tableoid_slot] = (struct datum){.v.u32 = n->scan.table->oid};
    if (n->filter) {
        bool pass;
        TRY(exec_test_row(v->x, n->filter, v->row, v->pusher.arena, &pass));
        if (!pass) return OK;
    }
    return row_pusher__add(&v->pusher, v->row);
}

enum status op__virtual_scan(struct execution *x, const struct plan_node *n,
                             const struct exec_sink *out)
{
    struct virtual_run v = {.n = n, .x = x};
    row_pusher__init(&v.pusher, x, n, out);
    struct arena *a = op__arena(x, n, 1);
    v.row = ARENA_ARRAY(a, struct datum, n->column_count + 1);
    TRY(x->session->virtual_scan(x->session->ctx, n->scan.table, a, take_virtual, &v));
    return row_pusher__flush(&v.pusher);
}

/* --- functions --------------------------------------------------------------------------------- */

/* One set-returning call in progress. A function that returns no set gives its value once. */
struct set_call {
    const struct srf_impl *impl;
    struct call_ctx ctx;
    struct datum *args;
    uint32_t arg_count, column_count;
    bool done, plain;
};

static enum status start_call(struct execution *x, const struct expr *e, struct arena *a,
                              struct set_call *c)
{
    *c = (struct set_call){.column_count = 1};
    c->plain = e->kind != EXPR_CALL || !e->call.proc->returns_set;
    if (c->plain) return OK;
    c->impl = srf_impl(e->call.proc->id);
    if (!c->impl || !c->impl->next)
        return FAIL(FEATURE_NOT_SUPPORTED, "function %s is not supported", e->call.proc->name);
    c->column_count = c->impl->column_count;
    c->ctx = (struct call_ctx){.session = x->session, .arena = a, .keep = x->arena, .expr = e};
    c->arg_count = e->arg_count;
    c->args = ARENA_ARRAY(a, struct datum, e->arg_count + 1);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        TRY(exec_eval_row(x, e->args[i], NULL, a, &c->args[i]));
        if (c->args[i].null && e->call.proc->strict) c->done = true;
    }
    return OK;
}

static enum status next_row(struct execution *x, const struct expr *e, struct arena *a,
                            struct set_call *c, struct datum *ret)
{
    if (c->done) return OK;
    if (!c->plain) return c->impl->next(&c->ctx, c->args, c->arg_count, ret, &c->done);
    c->done = c->ctx.state != NULL;
    if (c->done) return OK;
    c->ctx.state = c;
    return exec_eval_row(x, e, NULL, a, ret);
}

/* Rows are written by the functions' own widths, so a column list that is no fit is caught here. */
static enum status check_width(const struct plan_node *n, const struct set_call *c)
{
    uint32_t given = 0, wanted = n->column_count - n->function.ordinality;
    for (uint32_t i = 0; i < n->function.call_count; i++) given += c[i].column_count;
    if (given == wanted) return OK;
    FAIL(DATATYPE_MISMATCH, "function return row and query-specified return row do not match");
    return error_detail("Returned row contains %u attribute%s, but query expects %u.", given,
                        given == 1 ? "" : "s", wanted);
}

enum status op__function_scan(struct execution *x, const struct plan_node *n,
                              const struct exec_sink *out)
{
    struct row_pusher p;
    row_pusher__init(&p, x, n, out);
    struct arena *a = op__arena(x, n, 1);
    uint32_t calls = n->function.call_count;
    struct set_call *c = ARENA_ARRAY(a, struct set_call, calls);
    struct datum *row = ARENA_ARRAY(a, struct datum, n->column_count + 1);
    for (uint32_t i = 0; i < calls; i++) TRY(start_call(x, n->function.calls[i], a, &c[i]));
    TRY(check_width(n, c));
    for (int64_t ordinal = 1;; ordinal++) {
        uint32_t column = 0;
        bool any = false;
        for (uint32_t i = 0; i < calls; i++) {
            TRY(next_row(x, n->function.calls[i], a, &c[i], &row[column]));
            any |= !c[i].done;
            for (uint32_t k = 0; c[i].done && k < c[i].column_count; k++)
                row[column + k] = (struct datum){.null = true};
            column += c[i].column_count;
        }
        if (!any) break;
        if (n->function.ordinality) row[column] = (struct datum){.v.i64 = ordinal};
        bool pass = true;
        if (n->filter) TRY(exec_test_row(x, n->filter, row, a, &pass));
        if (pass) TRY(row_pusher__add(&p, row));
        if ((ordinal & 1023) == 0) TRY(exec_check(x));
    }
    return row_pusher__flush(&p);
}

/* --- CTEs -------------------------------------------------------------------------------------- */

static enum status keep_rows(void *ctx, const struct batch *b)
{
    rowset_add_batch(ctx, b);
    return OK;
}

struct cte_state *op__cte_state(struct execution *x, uint32_t cte)
{
    if (!x->ctes) x->ctes = ARENA_ARRAY(x->arena, struct cte_state, x->plan->cte_count);
    return &x->ctes[cte];
}

/* How many scans of the CTE stand in the plan below a node. */
static uint32_t count_scans(const struct plan_node *n, uint32_t cte)
{
    if (!n) return 0;
    uint32_t count = n->kind == PLAN_CTE_SCAN && n->cte.cte == cte && !n->cte.working;
    if (n->kind == PLAN_APPEND)
        for (uint32_t i = 0; i < n->append.child_count; i++)
            count += count_scans(n->append.children[i], cte);
    return count + count_scans(n->left, cte) + count_scans(n->right, cte);
}

static bool read_once(const struct plan *p, uint32_t cte)
{
    uint32_t count = count_scans(p->root, cte);
    for (uint32_t i = 0; i < p->subplan_count; i++) count += count_scans(p->subplans[i].root, cte);
    for (uint32_t i = 0; i < p->cte_count; i++) count += count_scans(p->ctes[i], cte);
    return count == 1;
}

/* Runs it to its end. */
static enum status run_cte(struct execution *x, struct cte_state *s, const struct plan_node *root)
{
    rowset_init(&s->rows, (uint16_t)root->column_count, op__types(x, root), exec_arena(x));
    struct exec_sink sink = {keep_rows, &s->rows};
    enum status st = op__run(x, root, &sink);
    s->done = st == OK;
    return st == END_OF_DATA ? OK : st;
}

struct cte_reader {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *arena;
    struct rowset *keep; /* the rows are kept as they pass */
};

static enum status read_cte(void *ctx, const struct batch *in)
{
    struct cte_reader *r = ctx;
    struct batch b = *in;
    if (r->keep) rowset_add_batch(r->keep, in);
    if (r->n->filter) {
        arena_clear(r->arena);
        uint16_t *sel = arena_alloc(r->arena, b.rows * sizeof *sel);
        TRY(exec_filter(r->x, r->n->filter, in, r->arena, sel, &b.count));
        b.sel = sel;
    }
    return op__push(r->x, r->out, &b);
}

/* The only reader runs the CTE and passes its rows on as they come, so that a LIMIT above can stop a
 * recursion without end; a run that came to its end is kept, should the reader run again. */
static enum status first_read(struct cte_reader *r, struct cte_state *s, const struct plan_node *root)
{
    struct arena *a = op__arena(r->x, r->n, 1);
    rowset_init(&s->rows, (uint16_t)root->column_count, op__types(r->x, root), a);
    r->keep = &s->rows;
    struct exec_sink sink = {read_cte, r};
    enum status st = op__run(r->x, root, &sink);
    s->done = st == OK;
    return st;
}

enum status op__cte_scan(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct cte_state *s = op__cte_state(x, n->cte.cte);
    const struct plan_node *root = x->plan->ctes[n->cte.cte];
    struct cte_reader r = {.x = x, .n = n, .out = out, .arena = op__arena(x, n, 0)};
    if (root && !s->done && read_once(x->plan, n->cte.cte)) return first_read(&r, s, root);
    if (root && !s->done) TRY(run_cte(x, s, root));
    struct rowset *rows = n->cte.working && s->working ? s->working : &s->rows;
    for (uint32_t i = 0; i < rows->chunk_count; i++) TRY(read_cte(&r, &rows->chunks[i]));
    return OK;
}

/* Left once; then the right side over the last round's rows until it adds nothing. */
struct recursion {
    struct rowset *all;   /* UNION: every row so far, for duplicates; NULL with UNION ALL */
    struct row_index index;
    struct rowset *fresh; /* this round's rows */
    uint64_t *hashes;
    struct execution *x;
    const struct exec_sink *out;
};

static bool is_new(struct recursion *r, const struct batch *b, uint32_t row, uint64_t hash)
{
    for (uint32_t at = row_index_find(&r->index, hash, 0); at;
         at = row_index_find(&r->index, hash, at)) {
        bool same = true;
        for (uint32_t c = 0; c < b->column_count && same; c++) {
            struct datum p = rowset_get(r->all, at - 1, c), q = vec_get(&b->columns[c], row);
            same = p.null == q.null &&
                   (p.null || value_compare(b->columns[c].type, &p.v, &q.v) == 0);
        }
        if (same) return false;
    }
    return true;
}

static enum status take_round(void *ctx, const struct batch *b)
{
    struct recursion *r = ctx;
    if (!r->all) {
        rowset_add_batch(r->fresh, b);
        return exec_check(r->x);
    }
    struct datum row[TABLE_COLUMNS_MAX];
    uint64_t hashes[BATCH_ROWS];
    for (uint32_t c = 0; c < b->column_count; c++)
        vec_hash(&b->columns[c], b->sel, b->count, c == 0, hashes);
    for (uint32_t i = 0; i < b->count; i++) {
        if (!is_new(r, b, op__row(b, i), hashes[i])) continue;
        op__get_row(b, op__row(b, i), row);
        rowset_add_row(r->all, row);
        row_index_add(&r->index, hashes[i]);
        rowset_add_row(r->fresh, row);
    }
    return exec_check(r->x);
}

static enum status push_rows(struct execution *x, const struct rowset *s, const struct exec_sink *out)
{
    for (uint32_t i = 0; i < s->chunk_count; i++) TRY(op__push(x, out, &s->chunks[i]));
    return OK;
}

enum status op__recursive_union(struct execution *x, const struct plan_node *n,
                                const struct exec_sink *out)
{
    struct cte_state *s = op__cte_state(x, n->cte.cte);
    const type_id *types = op__types(x, n);
    struct arena *keep = op__arena(x, n, 1);
    struct arena *rounds[2] = {op__arena(x, n, 2), op__arena(x, n, 3)};
    struct rowset all, sets[2];
    rowset_init(&all, (uint16_t)n->column_count, types, keep);
    struct recursion r = {.all = n->cte.all ? NULL : &all, .x = x, .fresh = &sets[0]};
    row_index_init(&r.index, keep);
    rowset_init(&sets[0], (uint16_t)n->column_count, types, rounds[0]);
    struct exec_sink sink = {take_round, &r};
    TRY(op__run(x, n->left, &sink));
    for (unsigned round = 0; sets[round & 1].count > 0; round++) {
        TRY(push_rows(x, &sets[round & 1], out));
        s->working = &sets[round & 1];
        unsigned next = (round + 1) & 1;
        arena_clear(rounds[next]);
        rowset_init(&sets[next], (uint16_t)n->column_count, types, rounds[next]);
        r.fresh = &sets[next];
        enum status st = op__run(x, n->right, &sink);
        s->working = NULL;
        TRY(st);
    }
    return OK;
}
