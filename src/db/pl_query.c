/* Running what was planned: the statements of a body, and texts that are made at run time. */
#include "db/past_priv.h"
#include "db/pl_priv.h"

/* --- statements ----------------------------------------------------------------------------- */

struct batch_rows {
    const struct pl_rows *rows;
    struct datum *values;
    uint32_t columns;
};

static enum status pass_rows(void *ctx, const struct batch *b)
{
    struct batch_rows *t = ctx;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t at = b->sel ? b->sel[i] : i;
        for (uint32_t c = 0; c < t->columns; c++) t->values[c] = vec_get(&b->columns[c], at);
        TRY(t->rows->row(t->rows->ctx, t->values));
    }
    return OK;
}

static enum status pass_none(void *ctx, const struct batch *b)
{
    (void)ctx, (void)b;
    return OK;
}

static const char *const command_names[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"};

const char *pl__command_name(const struct plan *p)
{
    return command_names[p->command];
}

static enum status run(struct pl_run *r, struct cached_plan *p, const struct exec_params *params,
                       const struct pl_rows *rows, bool is_loop, struct arena *a, uint64_t *ret_rows)
{
    struct session *s = r->s;
    struct batch_rows t = {rows, ARENA_ARRAY(a, struct datum, p->plan->output_count + 1),
                           p->plan->output_count};
    struct exec_sink to = {rows ? pass_rows : pass_none, &t};
    bool fresh = r->code->volatility == 'v' || !txn_in_statement(s->txn);
    if (r->code->volatility != 'v' && p->plan->writes)
        return FAIL(FEATURE_NOT_SUPPORTED, "%s is not allowed in a non-volatile function",
                    p->plan->command == CMD_SELECT ? "SELECT FOR UPDATE"
                                                   : command_names[p->plan->command]);
    struct pool *workers = s->exec.workers;
    if (is_loop) s->exec.workers = NULL; /* the body may write while the rows come */
    enum status st = session__run_inner(s, p, params, a, &to, rows ? rows->row : NULL,
                                        rows ? rows->ctx : NULL, fresh, ret_rows);
    s->exec.workers = workers;
    return st;
}

enum status pl__run_plan(struct pl_run *r, struct cached_plan *p, const struct exec_params *params,
                         const struct pl_rows *rows, bool is_loop, struct arena *a,
                         struct pl_ran *ret)
{
    cached_plan_ref(p);
    enum status st = rows && rows->begin ? rows->begin(rows->ctx, p->plan) : OK;
    if (st == OK) st = run(r, p, params, rows, is_loop, a, &ret->rows);
    ret->plan = p->plan;
    ret->held = p;
    if (st != OK) {
        cached_plan_unref(p);
        ret->held = NULL;
    }
    return st;
}

/* A loop's body may change the variables that the query was given. */
static void own_params(struct arena *a, const struct plan *p, struct datum *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) values[i] = datum_copy(a, p->param_types[i], values[i]);
}

enum status pl__run_piece(struct pl_run *r, struct pl_sql *q, const struct pl_rows *rows,
                          bool is_loop, struct arena *a, struct pl_ran *ret)
{
    struct pl_piece *p;
    enum status st = OK;
    *ret = (struct pl_ran){0};
    for (int i = 0; i < REPLANS_MAX; i++) {
        TRY(pl__prepare(r, q, &p));
        struct datum *values = ARENA_ARRAY(a, struct datum, p->ref_count + 1);
        const struct exec_params params = {values, p->ref_count,
                                           past_take_moments(r->s, p->plan, a)};
        pl__params(r, p, values);
        if (is_loop) own_params(a, p->plan->plan, values, p->ref_count);
        st = pl__run_plan(r, p->plan, &params, rows, is_loop, a, ret);
        if (st != PLAN_STALE) break;
        TRY(session__ensure_txn(r->s));
    }
    return pl__in_piece(q, st);
}

/* --- texts that are made at run time ---------------------------------------------------------- */

static enum status plan_dynamic(struct pl_run *r, const struct pl_dynamic *d, struct cached_plan *p,
                                struct statement **ret)
{
    struct bind_env env;
    struct query *q;
    uint32_t n;
    struct slice text = slice_of(arena_strdup(&p->arena, d->text));
    TRY(sql_parse(&p->arena, text, ret, &n));
    if (n > 1) return UNSUPPORTED("EXECUTE of several statements is not supported yet");
    if (n == 0 || !is_plannable((*ret)[0].ast)) {
        if (n == 0) *ret = NULL;
        return OK;
    }
    session__bind_env(r->s, &env, &p->arena, text);
    env.param_types = arena_memdup(&p->arena, d->types, d->count * sizeof *d->types + 1);
    env.param_count = env.param_max = d->count;
    const struct exec_params params = {d->values, d->count, NULL}, *outer = r->s->moment_params;
    r->s->moment_params = &params;
    enum status bound = bind_statement(&env, (*ret)[0].ast, &q);
    r->s->moment_params = outer;
    past_give_moments(r->s, &env, p);
    TRY(bound);
    return session__finish_plan(r->s, p, q, env.param_types, d->count, d->values);
}

enum status pl__plan_dynamic(struct pl_run *r, const struct pl_dynamic *d, struct arena *a,
                             struct cached_plan **ret, struct statement **ret_statement)
{
    struct cached_plan *p = cached_plan_new(r->s->catalog);
    (void)a;
    *ret_statement = NULL;
    enum status st = plan_dynamic(r, d, p, ret_statement);
    if (st == OK) {
        *ret = p;
        return OK;
    }
    cached_plan_release(p);
    return pl__in_text("SQL statement", d->text, 0, st);
}

enum status pl__run_utility(struct pl_run *r, const struct statement *st, const char *text,
                            uint64_t *ret_rows)
{
    struct session *s = r->s;
    static const struct exec_params none = {0};
    struct arena outer = s->arena;
    char tag[64] = "";
    *ret_rows = 0;
    if (st->ast->kind == AST_TRANSACTION)
        return r->code->language == 's'
                   ? FAIL(FEATURE_NOT_SUPPORTED, "%s is not allowed in an SQL function",
                          AST(st->ast, ast_transaction)->type == TXN_COMMIT     ? "COMMIT"
                          : AST(st->ast, ast_transaction)->type == TXN_ROLLBACK ? "ROLLBACK"
                                                                                : "this command")
                   : FAIL(FEATURE_NOT_SUPPORTED, "unsupported transaction command in PL/pgSQL");
    if (st->ast->kind == AST_COPY)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot COPY to/from client in PL/pgSQL");
    if (r->code->volatility != 'v')
        return FAIL(FEATURE_NOT_SUPPORTED, "this statement is not allowed in a non-volatile function");
    arena_init(&s->arena, MEM_QUERY);
    s->in_function++;
    enum status result = session__run_utility(s, st, slice_of(text), &none, s->sink, tag);
    s->in_function--;
    if (result == OK) result = session__ensure_txn(s); /* SET TRANSACTION may have let go of it */
    arena_release(&s->arena);
    s->arena = outer;
    return result;
}
