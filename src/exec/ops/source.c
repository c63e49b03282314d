/* Rows that come from no table: one empty row, VALUES, functions, virtual tables, APPEND. */
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
