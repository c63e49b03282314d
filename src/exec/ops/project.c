/* Operators that keep rows as they come: FILTER, PROJECT, PROJECT_SET, LIMIT. */
#include "exec/ops/ops_priv.h"
#include "types/record.h"

struct pipe {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *arena;
};

/* --- FILTER ------------------------------------------------------------------------------------ */

static enum status filter_rows(void *ctx, const struct batch *in)
{
    struct pipe *p = ctx;
    arena_clear(p->arena);
    struct batch b = *in;
    uint16_t *sel = arena_alloc(p->arena, (in->count + 1) * sizeof *sel);
    TRY(exec_filter(p->x, p->n->filter, in, p->arena, sel, &b.count));
    b.sel = sel;
    if (p->x->stats) p->x->stats[p->n->id].removed += in->count - b.count;
    return op__push(p->x, p->out, &b);
}

enum status op__filter(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct pipe p = {x, n, out, op__arena(x, n, 0)};
    struct exec_sink sink = {filter_rows, &p};
    return op__run(x, n->left, &sink);
}

/* --- PROJECT ----------------------------------------------------------------------------------- */

static enum status project_rows(void *ctx, const struct batch *in)
{
    struct pipe *p = ctx;
    arena_clear(p->arena);
    exec_arena_prime(p->arena, in->count);
    struct batch b = {.rows = in->rows, .count = in->count, .sel = in->sel,
                      .column_count = (uint16_t)p->n->column_count};
    b.columns = ARENA_ARRAY(p->arena, struct vec, b.column_count + 1);
    for (uint32_t c = 0; c < b.column_count; c++)
        TRY(exec_eval(p->x, p->n->project.exprs[c], in, p->arena, &b.columns[c]));
    if (p->n->filter) {
        uint16_t *sel = arena_alloc(p->arena, (b.count + 1) * sizeof *sel);
        struct batch all = b;
        TRY(exec_filter(p->x, p->n->filter, &all, p->arena, sel, &b.count));
        b.sel = sel;
    }
    return op__push(p->x, p->out, &b);
}

enum status op__project(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct pipe p = {x, n, out, op__arena(x, n, 0)};
    struct exec_sink sink = {project_rows, &p};
    return op__run(x, n->left, &sink);
}

/* --- PROJECT_SET: set-returning functions side by side; shorter ones give NULL ------------------ */

enum { SET_FIELDS_MAX = 8 };

struct set_column {
    const struct srf_impl *impl; /* NULL: plain expression */
    const struct function_column *fields; /* of a built-in one that gives rows; NULL: it gives values */
    struct call_ctx ctx;
    struct datum *args;
    bool done;
};

struct set_pipe {
    struct row_pusher pusher;
    const struct plan_node *n;
    struct arena *row_arena;
};

struct function_values {
    struct execution *x;
    struct arena *arena;
    type_id type;
    const type_id *fields;  /* of a function that gives rows: what they consist of; else NULL */
    uint32_t field_count;
    ARRAY(struct datum) list;
    size_t at;
};

static enum status keep_value(void *ctx, const struct datum *row)
{
    struct function_values *v = ctx;
    struct datum d = {0};
    if (v->fields) TRY(record_make(v->arena, v->type, v->fields, row, v->field_count, &d.v.bytes));
    else d = datum_copy(v->arena, v->type, *row);
    ARENA_PUSH(v->arena, &v->list, d);
    return (v->list.count & 255) == 0 ? exec_check(v->x) : OK;
}

static enum status next_value(struct call_ctx *c, const struct datum *args, uint32_t arg_count,
                              struct datum *ret, bool *ret_done)
{
    struct function_values *v = c->state;
    (void)args;
    (void)arg_count;
    *ret_done = v->at >= v->list.count;
    if (!*ret_done) *ret = v->list.data[v->at++];
    return OK;
}

static const struct srf_impl catalog_set = {next_value, 1};

static enum status run_set(struct execution *x, const struct expr *e, struct set_column *c)
{
    const struct exec_session *s = x->session;
    struct function_values *v = ARENA_NEW(c->ctx.arena, struct function_values);
    const struct function_def *f = proc_function(e->call.proc);
    *v = (struct function_values){.x = x, .arena = c->ctx.arena, .type = e->type};
    c->ctx.state = v;
    if (c->done) return OK;
    TRY(exec_check_stack());
    if (f->proc.result != TYPE_RECORD)
        return s->call_set(s->ctx, f, c->args, &e->type, 1, keep_value, v);
    struct function_column *columns =
        ARENA_ARRAY(c->ctx.arena, struct function_column, TABLE_COLUMNS_MAX);
    uint32_t n = catalog_function_columns(s->catalog, f, columns, TABLE_COLUMNS_MAX);
    type_id *types = ARENA_ARRAY(c->ctx.arena, type_id, n + 1);
    if (!n)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "function %s gives rows without saying of what, which is supported in FROM alone",
                    f->proc.name);
    for (uint32_t i = 0; i < n; i++) types[i] = columns[i].type;
    v->fields = types;
    v->field_count = n;
    return s->call_set(s->ctx, f, c->args, types, n, keep_value, v);
}

static enum status start_column(struct set_pipe *p, const struct expr *e, const struct datum *in,
                                struct set_column *c, struct datum *ret)
{
    struct execution *x = p->pusher.x;
    *c = (struct set_column){0};
    if (e->kind != EXPR_CALL || !e->call.proc->returns_set)
        return exec_eval_row(x, e, in, p->row_arena, ret);
    bool in_catalog = proc_function(e->call.proc);
    c->impl = in_catalog ? &catalog_set : srf_impl(e->call.proc->id);
    uint32_t fields = 0;
    if (!in_catalog) c->fields = proc_columns(e->call.proc, &fields);
    if (!c->impl || !c->impl->next || c->impl->column_count != (c->fields ? fields : 1))
        return FAIL(FEATURE_NOT_SUPPORTED, "function %s is not supported in a select list",
                    e->call.proc->name);
    c->ctx = (struct call_ctx){.session = x->session, .arena = p->row_arena, .keep = x->arena,
                               .expr = e};
    c->args = ARENA_ARRAY(p->row_arena, struct datum, e->arg_count + 1);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        TRY(exec_eval_row(x, e->args[i], in, p->row_arena, &c->args[i]));
        if (c->args[i].null && e->call.proc->strict) c->done = true;
    }
    return in_catalog ? run_set(x, e, c) : OK;
}

/* Its next value; a row as one of type record. */
static enum status next_of(struct set_column *c, uint32_t arg_count, struct datum *ret)
{
    struct datum values[SET_FIELDS_MAX];
    type_id types[SET_FIELDS_MAX];
    const char *names[SET_FIELDS_MAX];
    uint32_t n = c->impl->column_count;
    if (!c->fields) return c->impl->next(&c->ctx, c->args, arg_count, ret, &c->done);
    ASSERT(n <= SET_FIELDS_MAX);
    memset(values, 0, sizeof values);
    TRY(c->impl->next(&c->ctx, c->args, arg_count, values, &c->done));
    if (c->done) return OK;
    for (uint32_t i = 0; i < n; i++) {
        types[i] = c->fields[i].type;
        names[i] = c->fields[i].name;
    }
    *ret = (struct datum){0};
    return record_make_named(c->ctx.arena, types, values, names, n, &ret->v.bytes);
}

static enum status expand_row(struct set_pipe *p, const struct datum *in)
{
    const struct plan_node *n = p->n;
    struct set_column *sets = ARENA_ARRAY(p->row_arena, struct set_column, n->column_count + 1);
    struct datum *row = ARENA_ARRAY(p->row_arena, struct datum, n->column_count + 1);
    for (uint32_t c = 0; c < n->column_count; c++)
        TRY(start_column(p, n->project.exprs[c], in, &sets[c], &row[c]));
    for (;;) {
        bool any = false;
        for (uint32_t c = 0; c < n->column_count; c++) {
            if (!sets[c].impl) continue;
            if (!sets[c].done) TRY(next_of(&sets[c], n->project.exprs[c]->arg_count, &row[c]));
            if (sets[c].done) row[c] = (struct datum){.null = true};
            any |= !sets[c].done;
        }
        if (!any) return OK;
        struct datum *copy = ARENA_ARRAY(p->pusher.arena, struct datum, n->column_count + 1);
        for (uint32_t c = 0; c < n->column_count; c++)
            copy[c] = datum_copy(p->pusher.arena, n->columns[c].type, row[c]);
        TRY(row_pusher__add(&p->pusher, copy));
    }
}

static enum status expand_rows(void *ctx, const struct batch *in)
{
    struct set_pipe *p = ctx;
    for (uint32_t i = 0; i < in->count; i++) {
        arena_clear(p->row_arena);
        struct datum *row = ARENA_ARRAY(p->row_arena, struct datum, in->column_count + 1);
        op__get_row(in, op__row(in, i), row);
        TRY(expand_row(p, row));
    }
    return row_pusher__flush(&p->pusher);
}

enum status op__project_set(struct execution *x, const struct plan_node *n,
                            const struct exec_sink *out)
{
    struct set_pipe p = {.n = n, .row_arena = op__arena(x, n, 1)};
    row_pusher__init(&p.pusher, x, n, out);
    struct exec_sink sink = {expand_rows, &p};
    return op__run(x, n->left, &sink);
}

/* --- LIMIT ------------------------------------------------------------------------------------- */

enum status op__limit_value(struct execution *x, const struct expr *e, bool is_offset, uint64_t *ret)
{
    *ret = is_offset ? 0 : UINT64_MAX;
    if (!e) return OK;
    struct datum d;
    TRY(exec_eval_row(x, e, NULL, x->arena, &d));
    if (d.null) return OK;
    if (d.v.i64 < 0)
        return is_offset ? FAIL(INVALID_ROW_COUNT_IN_OFFSET, "OFFSET must not be negative")
                         : FAIL(INVALID_ROW_COUNT_IN_LIMIT, "LIMIT must not be negative");
    *ret = (uint64_t)d.v.i64;
    return OK;
}

struct limit_pipe {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    uint64_t skip, left;
    bool done, in_ties;
    struct arena *arena;
    struct strbuf last_key, key;
};

/* WITH TIES: rows whose sort key equals the last one's. */
static enum status same_key(struct limit_pipe *p, const struct batch *b, uint32_t row, bool keep,
                            bool *ret)
{
    struct datum *values = ARENA_ARRAY(p->arena, struct datum, b->column_count + 1);
    op__get_row(b, row, values);
    struct datum *keys = ARENA_ARRAY(p->arena, struct datum, p->n->limit.tie_count + 1);
    for (uint32_t i = 0; i < p->n->limit.tie_count; i++)
        TRY(exec_eval_row(p->x, p->n->limit.ties[i].expr, values, p->arena, &keys[i]));
    struct strbuf *to = keep ? &p->last_key : &p->key;
    strbuf_clear(to);
    TRY(op__sort_key(p->x, p->n->limit.ties, p->n->limit.tie_count, keys, to));
    *ret = slice_eq(strbuf_slice(&p->last_key), strbuf_slice(to));
    return OK;
}

static enum status limit_rows(void *ctx, const struct batch *in)
{
    struct limit_pipe *p = ctx;
    if (p->skip >= in->count) {
        p->skip -= in->count;
        return OK;
    }
    arena_clear(p->arena);
    uint16_t *sel = arena_alloc(p->arena, in->count * sizeof *sel);
    struct batch b = *in;
    b.sel = sel;
    b.count = 0;
    for (uint32_t i = (uint32_t)p->skip; i < in->count && !p->done; i++) {
        uint32_t row = op__row(in, i);
        if (p->left > 0) {
            sel[b.count++] = (uint16_t)row;
            bool same;
            if (--p->left == 0 && p->n->limit.with_ties) TRY(same_key(p, in, row, true, &same));
            if (p->left == 0 && !p->n->limit.with_ties) p->done = true;
            continue;
        }
        bool same;
        TRY(same_key(p, in, row, false, &same));
        if (same) sel[b.count++] = (uint16_t)row;
        else p->done = true;
    }
    p->skip = 0;
    enum status st = op__push(p->x, p->out, &b);
    if (st != OK) p->done = false; /* it was not us who had enough */
    TRY(st);
    return p->done ? END_OF_DATA : OK;
}

enum status op__limit(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct limit_pipe p = {.x = x, .n = n, .out = out};
    TRY(op__limit_value(x, n->limit.offset, true, &p.skip));
    TRY(op__limit_value(x, n->limit.limit, false, &p.left));
    if (p.left == 0) return OK;
    p.arena = op__arena(x, n, 0);
    struct arena *keys = op__arena(x, n, 1);
    strbuf_init(&p.last_key, keys);
    strbuf_init(&p.key, keys);
    struct exec_sink sink = {limit_rows, &p};
    enum status st = op__run(x, n->left, &sink);
    return st == END_OF_DATA && p.done ? OK : st;
}
