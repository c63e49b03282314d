/* Loops. One over a query pushes: the body runs as each row comes, on the stack of the query's run. */
#include "db/past_priv.h"
#include "db/pl_priv.h"

#include "types/array.h"

static const struct pl_flow next = {PL_NEXT, NULL};

/* After the body has run once: *ret_over when the loop ends; what is not its own stays in *flow. */
static void after_body(const struct pl_stmt *s, struct pl_flow *flow, bool *ret_over)
{
    bool mine = !flow->label || (s->label && strcmp(flow->label, s->label) == 0);
    *ret_over = true;
    if (flow->end == PL_NEXT) {
        *ret_over = false;
    } else if (flow->end == PL_CONTINUED && mine) {
        *ret_over = false;
        *flow = next;
    } else if (flow->end == PL_LEFT && mine) {
        *flow = next;
    }
}

static enum status run_plain(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    bool over = false;
    while (!over) {
        r->at = s;
        TRY(pl__check_interrupts(r));
        if (s->kind == PL_WHILE) {
            bool holds;
            TRY(pl__eval_bool(r, s->sql, &holds));
            if (!holds) return *flow = next, OK;
            if (arena_bytes(&r->temp)) arena_clear(&r->temp);
        }
        TRY(pl__body(r, &s->body, flow));
        after_body(s, flow, &over);
    }
    return OK;
}

/* --- integers ------------------------------------------------------------------------------- */

static enum status bound(struct pl_run *r, struct pl_sql *q, const char *what, int32_t *ret)
{
    struct datum d;
    TRY(pl__eval_as(r, q, TYPE_INT4, &d));
    if (d.null) return FAIL(NULL_VALUE_NOT_ALLOWED, "%s of FOR loop cannot be null", what);
    *ret = d.v.i32;
    return OK;
}

static enum status run_integers(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    int32_t from, to, step = 1;
    bool over = false, found = false;
    TRY(bound(r, s->args[0], "lower bound", &from));
    TRY(bound(r, s->args[1], "upper bound", &to));
    if (s->args[2]) TRY(bound(r, s->args[2], "BY value", &step));
    if (step <= 0)
        return FAIL(INVALID_PARAMETER_VALUE, "BY value of FOR loop must be greater than zero");
    arena_clear(&r->temp);
    int64_t i = from;
    for (; !over && (s->loop.reverse ? i >= to : i <= to); i += s->loop.reverse ? -step : step) {
        found = true;
        r->vars[s->loop.var] = (struct datum){.v.i32 = (int32_t)i};
        TRY(pl__check_interrupts(r));
        TRY(pl__body(r, &s->body, flow));
        after_body(s, flow, &over);
    }
    if (!over) *flow = next;
    pl__set_found(r, found);
    return OK;
}

/* --- rows ----------------------------------------------------------------------------------- */

struct row_loop {
    struct pl_run *run;
    const struct pl_stmt *stmt;
    const struct plan *plan;
    struct pl_columns columns;
    struct arena *arena;
    struct pl_flow flow;
    bool over, any;
    ARRAY(struct datum *) kept; /* of a query that writes, or when the body may end the transaction */
    bool keeps;
};

static enum status one_turn(struct row_loop *l, const struct datum *values)
{
    struct pl_run *r = l->run;
    l->any = true;
    r->at = l->stmt;
    TRY(pl__assign_row(r, &l->stmt->into, &l->columns, values));
    if (arena_bytes(&r->temp)) arena_clear(&r->temp);
    TRY(pl__check_interrupts(r));
    TRY(pl__body(r, &l->stmt->body, &l->flow));
    after_body(l->stmt, &l->flow, &l->over);
    return l->over ? END_OF_DATA : OK;
}

/* An error of the body is not the query's. */
static enum status take_row(void *ctx, const struct datum *values)
{
    struct row_loop *l = ctx;
    if (!l->keeps) return one_turn(l, values);
    struct datum *copy = ARENA_ARRAY(l->arena, struct datum, l->columns.count + 1);
    for (uint32_t i = 0; i < l->columns.count; i++)
        copy[i] = datum_copy(l->arena, l->columns.types[i], values[i]);
    ARENA_PUSH(l->arena, &l->kept, copy);
    return OK;
}

static enum status end_rows(struct row_loop *l, enum status st, struct pl_flow *flow)
{
    struct pl_run *r = l->run;
    for (size_t i = 0; st == OK && i < l->kept.count && !l->over; i++) {
        st = one_turn(l, l->kept.data[i]);
        if (st == END_OF_DATA) st = OK;
    }
    TRY(st);
    r->at = l->stmt;
    if (!l->any) TRY(pl__assign_row(r, &l->stmt->into, &l->columns, NULL));
    *flow = l->flow;
    pl__set_found(r, l->any);
    return OK;
}

static enum status run_rows(struct row_loop *l, struct cached_plan *p,
                            const struct exec_params *params, const char *text,
                            struct pl_flow *flow)
{
    struct pl_rows rows = {NULL, take_row, l};
    struct pl_ran ran = {0};
    struct pl_run *r = l->run;
    l->plan = p->plan;
    l->keeps = p->plan->writes || pl__may_end(r);
    pl__columns(l->arena, p->plan, &l->columns);
    if (!p->plan->returns_rows) {
        FAIL(SYNTAX_ERROR, "cannot open %s query as cursor",
             pl__command_name(p->plan));
        return SYNTAX_ERROR;
    }
    enum status st = pl__run_plan(r, p, params, &rows, true, l->arena, &ran);
    if (st == OK) cached_plan_unref(ran.held);
    else if (!l->any) st = pl__in_text("SQL statement", text, 0, st);
    return end_rows(l, st, flow);
}

static enum status run_query(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                             struct pl_flow *flow)
{
    struct row_loop l = {.run = r, .stmt = s, .arena = a};
    struct pl_piece *p;
    enum status st = OK;
    for (int i = 0; i < REPLANS_MAX; i++) {
        TRY(pl__prepare(r, s->sql, &p));
        if (!p->plan->plan) return FAIL(SYNTAX_ERROR, "FOR loops are over queries");
        struct cached_plan *held = p->plan;
        struct datum *values = ARENA_ARRAY(a, struct datum, p->ref_count + 1);
        const struct exec_params params = {values, p->ref_count,
                                           past_take_moments(r->s, held, a)};
        pl__params(r, p, values);
        for (uint32_t k = 0; k < p->ref_count; k++)
            values[k] = datum_copy(a, held->plan->param_types[k], values[k]);
        cached_plan_ref(held);
        st = run_rows(&l, held, &params, s->sql->text, flow);
        cached_plan_unref(held);
        if (st != PLAN_STALE || l.any) break;
        TRY(session__ensure_txn(r->s));
    }
    return st;
}

static enum status run_dynamic(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                               struct pl_flow *flow)
{
    struct row_loop l = {.run = r, .stmt = s, .arena = a};
    struct pl_dynamic d;
    struct cached_plan *p;
    struct statement *st;
    TRY(pl__dynamic(r, s->sql, s->args, s->arg_count, a, &d));
    TRY(pl__plan_dynamic(r, &d, a, &p, &st));
    const struct exec_params params = {d.values, d.count};
    enum status result = p->plan ? run_rows(&l, p, &params, d.text, flow)
                                 : FAIL(SYNTAX_ERROR, "cannot open such a statement as cursor");
    cached_plan_unref(p);
    return result;
}

static enum status run_cursor(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                              struct pl_flow *flow)
{
    struct row_loop l = {.run = r, .stmt = s, .arena = a};
    struct cached_plan *p;
    struct exec_params params;
    const struct pl_var *v = &r->code->tree->vars[s->cursor.var];
    if (!r->vars[s->cursor.var].null) {
        const char *name = pl__text(r, &r->vars[s->cursor.var], TYPE_TEXT);
        if (map_get(&r->s->portals, slice_of(name)))
            return FAIL(DUPLICATE_CURSOR, "cursor \"%s\" already in use", name);
    }
    TRY(pl__bound_query(r, s, a, &p, &params));
    enum status st = run_rows(&l, p, &params, v->query->text, flow);
    cached_plan_unref(p);
    return st;
}

/* --- arrays --------------------------------------------------------------------------------- */

static enum status run_elements(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                                struct pl_flow *flow)
{
    struct datum d;
    type_id type;
    int32_t typmod;
    struct array_view v;
    bool over = false;
    uint32_t i = 0;
    TRY(pl__eval(r, s->sql, &d, &type, &typmod));
    if (d.null) return FAIL(NULL_VALUE_NOT_ALLOWED, "FOREACH expression must not be null");
    if (!type_is_array(type))
        return FAIL(DATATYPE_MISMATCH, "FOREACH expression must yield an array, not type %s",
                    type_get(type) ? type_get(type)->sql_name : "record");
    if (s->foreach.slice)
        return UNSUPPORTED("FOREACH with SLICE is not supported yet");
    d = datum_copy(a, type, d);
    TRY(array_open(&d.v.bytes, a, &v));
    for (; i < v.count && !over; i++) {
        r->at = s;
        TRY(pl__assign(r, s->into.items, &v.elements[i], v.element, -1));
        TRY(pl__check_interrupts(r));
        TRY(pl__body(r, &s->body, flow));
        after_body(s, flow, &over);
    }
    if (!over) *flow = next;
    pl__set_found(r, i > 0);
    return OK;
}

enum status pl__loop(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    struct arena a;
    enum status st;
    if (s->kind == PL_LOOP || s->kind == PL_WHILE) return run_plain(r, s, flow);
    if (s->kind == PL_FOR_INT) return run_integers(r, s, flow);
    arena_init(&a, MEM_QUERY);
    if (s->kind == PL_FOR_QUERY) st = run_query(r, s, &a, flow);
    else if (s->kind == PL_FOR_EXECUTE) st = run_dynamic(r, s, &a, flow);
    else if (s->kind == PL_FOR_CURSOR) st = run_cursor(r, s, &a, flow);
    else st = run_elements(r, s, &a, flow);
    arena_release(&a);
    return st;
}
