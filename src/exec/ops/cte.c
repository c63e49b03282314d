/* CTEs: materialised ones, run at their first use and kept, and recursive ones. Rows lie in row stores,
 * which go to disk when memory is pressed. */
#include "exec/ops/ops_priv.h"
#include "exec/ops/row_store.h"
#include "exec/ops/seen_rows.h"

struct cte_state {
    struct row_store rows;
    struct row_store *working; /* of a recursion in progress */
    bool done;                 /* rows holds all */
};

static struct cte_state *state_of(struct execution *x, uint32_t cte)
{
    if (!x->ctes) x->ctes = ARENA_ARRAY(x->arena, struct cte_state, x->plan->cte_count);
    return &x->ctes[cte];
}

static enum status keep_rows(void *ctx, const struct batch *b)
{
    return row_store_add_batch(ctx, b);
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

/* Empty, for the rows of a plan. */
static void begin_rows(struct execution *x, struct cte_state *s, const struct plan_node *root)
{
    if (s->rows.x) row_store_clear(&s->rows);
    else row_store_init(&s->rows, x, (uint16_t)root->column_count, op__types(x, root),
                        exec_arena(x), exec_arena(x));
}

/* Runs it to its end. */
static enum status run_cte(struct execution *x, struct cte_state *s, const struct plan_node *root)
{
    begin_rows(x, s, root);
    struct exec_sink sink = {keep_rows, &s->rows};
    enum status st = op__run(x, root, &sink);
    s->done = st == OK;
    return st == END_OF_DATA ? OK : st;
}

static bool is_change(const struct plan_node *n)
{
    return n->kind == PLAN_INSERT || n->kind == PLAN_UPDATE || n->kind == PLAN_DELETE;
}

enum status op__run_changes(struct execution *x)
{
    for (uint32_t i = 0; i < x->plan->change_count; i++) {
        uint32_t cte = x->plan->changes[i];
        struct cte_state *s = state_of(x, cte);
        if (!s->done) TRY(run_cte(x, s, x->plan->ctes[cte]));
    }
    return OK;
}

struct cte_reader {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *arena, *chunk;
    struct row_store *keep; /* the rows are kept as they pass */
};

static enum status read_cte(void *ctx, const struct batch *in)
{
    struct cte_reader *r = ctx;
    struct batch b = *in;
    if (r->keep) TRY(row_store_add_batch(r->keep, in));
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
    begin_rows(r->x, s, root);
    r->keep = &s->rows;
    struct exec_sink sink = {read_cte, r};
    enum status st = op__run(r->x, root, &sink);
    s->done = st == OK;
    return st;
}

enum status op__cte_scan(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct cte_state *s = state_of(x, n->cte.cte);
    const struct plan_node *root = x->plan->ctes[n->cte.cte];
    struct cte_reader r = {.x = x, .n = n, .out = out, .arena = op__arena(x, n, 0),
                           .chunk = op__arena(x, n, 1)};
    bool writes = root && is_change(root); /* to its end, whoever wants no more of it */
    if (root && !s->done && !writes && read_once(x->plan, n->cte.cte))
        return first_read(&r, s, root);
    if (root && !s->done) TRY(run_cte(x, s, root));
    struct row_store *rows = n->cte.working && s->working ? s->working : &s->rows;
    for (uint64_t i = 0; i < row_store_chunks(rows); i++) {
        struct batch b;
        arena_clear(r.chunk);
        TRY(row_store_read(rows, i, r.chunk, &b));
        TRY(read_cte(&r, &b));
    }
    return OK;
}

/* --- recursion --------------------------------------------------------------------------------- */

/* Left once; then the right side over the last round's rows until it adds nothing. UNION without ALL
 * remembers every row. */
struct recursion {
    struct execution *x;
    struct row_store rounds[2], *fresh; /* fresh: this round's rows */
    bool distinct;
    struct seen_rows seen;
};

static enum status take_round(void *ctx, const struct batch *b)
{
    struct recursion *r = ctx;
    uint64_t hashes[BATCH_ROWS];
    uint16_t sel[BATCH_ROWS];
    uint32_t n = 0;
    if (!r->distinct) {
        TRY(row_store_add_batch(r->fresh, b));
        return exec_check(r->x);
    }
    for (uint32_t c = 0; c < b->column_count; c++)
        vec_hash(&b->columns[c], b->sel, b->count, c == 0, hashes);
    for (uint32_t i = 0; i < b->count; i++) {
        bool new;
        TRY(seen_rows_add(&r->seen, b, op__row(b, i), b->column_count ? hashes[i] : 0, &new));
        if (new) sel[n++] = (uint16_t)op__row(b, i);
    }
    TRY(row_store_add(r->fresh, b, sel, n));
    return exec_check(r->x);
}

static enum status push_rows(struct execution *x, struct row_store *s, struct arena *a,
                             const struct exec_sink *out)
{
    for (uint64_t i = 0; i < row_store_chunks(s); i++) {
        struct batch b;
        arena_clear(a);
        TRY(row_store_read(s, i, a, &b));
        TRY(op__push(x, out, &b));
    }
    return OK;
}

/* One a node, for all its runs. */
static enum status begin_recursion(struct execution *x, const struct plan_node *n,
                                   struct recursion **ret)
{
    bool fresh;
    const type_id *types = op__types(x, n);
    struct op_state *state = exec_state(x, n, sizeof *state, &fresh);
    struct recursion *r = state->own;
    if (!r) {
        uint16_t columns = (uint16_t)n->column_count;
        r = state->own = ARENA_NEW(x->arena, struct recursion);
        r->x = x;
        for (unsigned i = 0; i < 2; i++)
            row_store_init(&r->rounds[i], x, columns, types, exec_arena(x), exec_arena(x));
        seen_rows_init(&r->seen, x, columns, types);
    }
    r->distinct = !n->cte.all;
    *ret = r;
    if (r->distinct) TRY(seen_rows_begin(&r->seen));
    row_store_clear(&r->rounds[0]);
    r->fresh = &r->rounds[0];
    return OK;
}

enum status op__recursive_union(struct execution *x, const struct plan_node *n,
                                const struct exec_sink *out)
{
    struct cte_state *s = state_of(x, n->cte.cte);
    struct recursion *r;
    struct arena *chunk = op__arena(x, n, 1);
    TRY(begin_recursion(x, n, &r));
    struct exec_sink sink = {take_round, r};
    TRY(op__run(x, n->left, &sink));
    for (unsigned round = 0; r->rounds[round & 1].count > 0; round++) {
        TRY(push_rows(x, &r->rounds[round & 1], chunk, out));
        s->working = &r->rounds[round & 1];
        r->fresh = &r->rounds[(round + 1) & 1];
        row_store_clear(r->fresh);
        enum status st = op__run(x, n->right, &sink);
        s->working = NULL;
        TRY(st);
    }
    seen_rows_end(&r->seen);
    return OK;
}
