/* Rows that come from no table: one empty row, VALUES, functions, virtual tables, APPEND. */
#include "exec/ops/ops_priv.h"
#include "sql/type_name.h"
#include "types/record.h"

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
    bool done, plain, opens; /* opens: its value is a row, whose fields are the columns */
    struct function_rows *rows; /* of a function of the catalog; NULL */
};

/* All rows of a function of the catalog: it runs to its end before the first is used. */
struct function_rows {
    struct execution *x;
    struct arena *arena;
    const type_id *types;
    uint32_t column_count;
    ARRAY(struct datum *) list;
    size_t at;
};

static enum status keep_row(void *ctx, const struct datum *row)
{
    struct function_rows *r = ctx;
    struct datum *copy = ARENA_ARRAY(r->arena, struct datum, r->column_count + 1);
    for (uint32_t i = 0; i < r->column_count; i++)
        copy[i] = datum_copy(r->arena, r->types[i], row[i]);
    ARENA_PUSH(r->arena, &r->list, copy);
    return (r->list.count & 255) == 0 ? exec_check(r->x) : OK;
}

/* How many columns its rows have. */
static uint32_t width_of(struct execution *x, const struct plan_node *n,
                         const struct function_def *f)
{
    if (f->proc.result != TYPE_RECORD) return 1;
    struct function_column *c = ARENA_ARRAY(x->arena, struct function_column, TABLE_COLUMNS_MAX);
    uint32_t count = catalog_function_columns(x->session->catalog, f, c, TABLE_COLUMNS_MAX);
    return count ? count : n->column_count - n->function.ordinality;
}

static enum status run_function(struct execution *x, const struct plan_node *n, uint32_t first,
                                struct arena *a, const struct expr *e, struct set_call *c)
{
    const struct function_def *f = proc_function(e->call.proc);
    struct function_rows *r = c->rows = ARENA_NEW(a, struct function_rows);
    type_id *types;
    c->column_count = width_of(x, n, f);
    if (first + c->column_count + n->function.ordinality > n->column_count) return OK;
    types = ARENA_ARRAY(a, type_id, c->column_count + 1);
    for (uint32_t i = 0; i < c->column_count; i++) types[i] = n->columns[first + i].type;
    *r = (struct function_rows){.x = x, .arena = a, .types = types, .column_count = c->column_count};
    if (c->done && !f->proc.returns_set) { /* strict: one row of NULLs */
        struct datum *none = ARENA_ARRAY(a, struct datum, c->column_count + 1);
        for (uint32_t i = 0; i < c->column_count; i++) none[i].null = true;
        c->done = false;
        return keep_row(r, none);
    }
    if (c->done) return OK;
    TRY(exec_check_stack());
    const struct exec_session *s = x->session;
    return s->call_set(s->ctx, f, c->args, types, c->column_count, keep_row, r);
}

static enum status start_call(struct execution *x, const struct plan_node *n, uint32_t first,
                              const struct expr *e, struct arena *a, struct set_call *c)
{
    *c = (struct set_call){.column_count = 1};
    bool in_catalog = e->kind == EXPR_CALL && proc_function(e->call.proc);
    if (type_is_row(e->type)) {
        struct row_columns of;
        c->opens = true;
        c->column_count = type_row_columns(x->session->catalog, e->type, a, &of);
    }
    if (e->type == TYPE_RECORD && e->kind == EXPR_CALL && !in_catalog &&
        e->arg_count > e->call.proc->arg_count && proc_takes_shape(e->call.proc)) {
        c->opens = true;
        c->column_count = e->args[e->arg_count - 1]->arg_count;
    }
    c->plain = e->kind != EXPR_CALL ||
               (!e->call.proc->returns_set && !(in_catalog && e->type == TYPE_RECORD));
    if (c->plain) return OK;
    if (!in_catalog) {
        c->impl = srf_impl(e->call.proc->id);
        if (!c->impl || !c->impl->next)
            return UNSUPPORTED("function %s is not supported", e->call.proc->name);
        if (!c->opens) c->column_count = c->impl->column_count;
    }
    c->ctx = (struct call_ctx){.session = x->session, .arena = a, .keep = x->arena, .expr = e};
    c->arg_count = e->arg_count;
    c->args = ARENA_ARRAY(a, struct datum, e->arg_count + 1);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        TRY(exec_eval_row(x, e->args[i], NULL, a, &c->args[i]));
        if (c->args[i].null && e->call.proc->strict) c->done = true;
    }
    return in_catalog ? run_function(x, n, first, a, e, c) : OK;
}

static enum status next_value(struct execution *x, const struct expr *e, struct arena *a,
                              struct set_call *c, struct datum *ret)
{
    if (!c->plain) return c->impl->next(&c->ctx, c->args, c->arg_count, ret, &c->done);
    c->done = c->ctx.state != NULL;
    if (c->done) return OK;
    c->ctx.state = c;
    return exec_eval_row(x, e, NULL, a, ret);
}

static enum status open_row(const struct set_call *c, const struct datum *value, struct arena *a,
                            struct datum *ret)
{
    struct record_view v = {0};
    if (!value->null) TRY(record_open(&value->v.bytes, a, &v));
    for (uint32_t i = 0; i < c->column_count; i++)
        ret[i] = i < v.count ? v.fields[i] : (struct datum){.null = true};
    return OK;
}

static enum status next_row(struct execution *x, const struct expr *e, struct arena *a,
                            struct set_call *c, struct datum *ret)
{
    struct datum value;
    if (c->done) return OK;
    if (c->rows) {
        c->done = c->rows->at >= c->rows->list.count;
        if (!c->done)
            memcpy(ret, c->rows->list.data[c->rows->at++], c->column_count * sizeof *ret);
        return OK;
    }
    if (!c->opens) return next_value(x, e, a, c, ret);
    TRY(next_value(x, e, a, c, &value));
    return c->done ? OK : open_row(c, &value, a, ret);
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
    for (uint32_t i = 0, first = 0; i < calls; first += c[i++].column_count)
        TRY(start_call(x, n, first, n->function.calls[i], a, &c[i]));
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
