/* Statements of PL/pgSQL: blocks with their handlers, assignment, conditions, and which one is which. */
#include "db/pl_priv.h"

enum { INTERRUPT_STEPS = 1024 };

static const struct pl_flow next = {PL_NEXT, NULL};

/* Cancel and timeout are told through the waiter; and other fibers of the thread get their turns. */
enum status pl__check_interrupts(struct pl_run *r)
{
    if (++r->checks % INTERRUPT_STEPS) return OK;
    return session__explain_cancel(r->s, exec_check_canceled(pl__execution(r)));
}

void pl__set_found(struct pl_run *r, bool found)
{
    r->vars[r->code->tree->found] = (struct datum){.v.b = found};
}

/* --- assignment ----------------------------------------------------------------------------- */

/* r := s, where both are records. */
static bool record_source(const struct pl_run *r, const struct pl_sql *q, uint32_t *ret)
{
    const char *name = q->text + q->skip;
    uint32_t used;
    return plpgsql_lookup(q->names, &name, 1, ret, &used) && r->code->types[*ret].is_record;
}

static enum status assign(struct pl_run *r, const struct pl_stmt *s)
{
    const struct pl_target *t = s->into.items;
    struct datum d;
    type_id type;
    int32_t typmod;
    uint32_t from;
    if (r->code->types[t->var].is_record && !t->field && record_source(r, s->sql, &from)) {
        struct pl_record *rec = &r->records[from];
        if (r->code->types[t->var].table && rec->shape && !rec->is_null) {
            const struct pl_columns c = {rec->count, rec->names, rec->types, rec->typmods};
            return pl__assign_row(r, &s->into, &c, rec->values);
        }
        if (r->code->types[t->var].table) pl__record_null(&r->records[t->var]);
        else pl__record_copy(&r->records[t->var], rec);
        return OK;
    }
    TRY(pl__eval(r, s->sql, &d, &type, &typmod));
    return pl__assign(r, t, &d, type, typmod);
}

/* --- conditions ----------------------------------------------------------------------------- */

static enum status run_if(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    for (uint32_t i = 0; i < s->branch.branch_count; i++) {
        bool holds;
        TRY(pl__eval_bool(r, s->branch.branches[i].test, &holds));
        if (holds) return pl__body(r, &s->branch.branches[i].body, flow);
    }
    return pl__body(r, &s->body, flow);
}

static enum status run_case(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    if (s->sql) {
        struct datum d;
        int32_t typmod;
        uint32_t var = s->into.items->var;
        type_id type;
        TRY(pl__eval(r, s->sql, &d, &type, &typmod));
        if (type == TYPE_UNKNOWN) type = TYPE_TEXT;
        /* The first time says what type it has; others that run the same code may be at it. */
        if (!r->code->types[var].type)
            r->code->types[var] = (struct pl_type){.type = type, .typmod = -1};
        TRY(pl__cast(r->s, &d, type, typmod, r->code->types[var].type, -1, &r->temp));
        pl__store(r, var, &d);
    }
    for (uint32_t i = 0; i < s->branch.branch_count; i++) {
        bool holds;
        TRY(pl__eval_bool(r, s->branch.branches[i].test, &holds));
        if (holds) return pl__body(r, &s->branch.branches[i].body, flow);
    }
    if (s->branch.has_else) return pl__body(r, &s->body, flow);
    FAIL(CASE_NOT_FOUND, "case not found");
    return error_hint("CASE statement is missing ELSE part.");
}

static enum status run_exit(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    bool holds = true;
    if (s->sql) TRY(pl__eval_bool(r, s->sql, &holds));
    if (holds) *flow = (struct pl_flow){s->exit.is_continue ? PL_CONTINUED : PL_LEFT, s->label};
    return OK;
}

/* --- blocks --------------------------------------------------------------------------------- */

static enum status declare(struct pl_run *r, const struct pl_stmt *s)
{
    const struct pl_function *f = r->code->tree;
    for (uint32_t i = s->block.first; i < s->block.first + s->block.count; i++) {
        const struct pl_var *v = &f->vars[i];
        struct datum d = {.null = true};
        const struct pl_target t = {.var = i};
        type_id type;
        int32_t typmod;
        r->phase_line = v->line;
        if (r->code->types[i].is_record) {
            pl__record_null(&r->records[i]);
            if (v->initial) {
                TRY(pl__eval(r, v->initial, &d, &type, &typmod));
                TRY(pl__assign(r, &t, &d, type, typmod));
            }
            continue;
        }
        if (!v->initial) {
            r->vars[i] = d;
            continue;
        }
        TRY(pl__eval(r, v->initial, &d, &type, &typmod));
        TRY(pl__assign(r, &t, &d, type, typmod));
    }
    return OK;
}

static bool matches(const struct pl_handler *h, const struct error *e)
{
    const char *state = error_sqlstate(e), *of;
    for (uint32_t i = 0; i < h->condition_count; i++) {
        const char *name = h->conditions[i];
        if (strcmp(name, "others") == 0) {
            if (e->code != QUERY_CANCELED && e->code != ASSERT_FAILURE) return true;
            continue;
        }
        if (*name == '!') {
            if (strcmp(name + 1, state) == 0) return true;
            if (strcmp(name + 3, "000") == 0 && memcmp(name + 1, state, 2) == 0) return true;
            continue;
        }
        for (uint32_t k = 0; (of = plpgsql_condition(name, k)) != NULL; k++)
            if (strcmp(of, state) == 0 || (strcmp(of + 2, "000") == 0 && memcmp(of, state, 2) == 0))
                return true;
    }
    return false;
}

/* What nobody may catch: the session is going, or the process. */
static bool may_handle(const struct pl_run *r, const struct error *e)
{
    return e->code != ADMIN_SHUTDOWN && e->code != CRASH_SHUTDOWN && e->code != CONNECTION_FAILURE &&
           e->code != DATA_CORRUPTED && e->code != INDEX_CORRUPTED && e->code != PLAN_STALE &&
           !__atomic_load_n(&r->s->terminate, __ATOMIC_ACQUIRE);
}

static void add_where(struct pl_run *r)
{
    if (r->phase)
        error_where_more("PL/pgSQL function %s %s", r->code->signature, r->phase);
    else if (r->phase_line)
        error_where_more("PL/pgSQL function %s line %d during statement block local variable "
                         "initialization",
                         r->code->signature, r->phase_line);
    else if (r->at)
        error_where_more("PL/pgSQL function %s line %d at %s", r->code->signature, r->at->line,
                         plpgsql_words(r->at));
}

static void store_text(struct pl_run *r, uint32_t var, const char *text)
{
    struct datum d = {.v.bytes = bytes_ref(text, (uint32_t)strlen(text))};
    pl__store(r, var, &d);
}

static enum status handle(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow,
                          enum status st)
{
    const struct pl_handler *h = NULL;
    const struct error *e = error_current();
    for (uint32_t i = 0; i < s->block.handler_count && !h; i++)
        if (matches(&s->block.handlers[i], e)) h = &s->block.handlers[i];
    if (!h || !may_handle(r, e)) {
        session__undo_block(r->s);
        return st;
    }
    struct error *kept = mem_alloc(MEM_SESSION, sizeof *kept), *outer = r->handled;
    add_where(r);
    *kept = *error_current();
    session__undo_block(r->s);
    error_clear();
    if (kept->code == QUERY_CANCELED) waiter_clear_cancel(r->s->waiter);
    store_text(r, s->block.sqlstate, error_sqlstate(kept));
    store_text(r, s->block.sqlerrm, kept->message);
    r->handled = kept;
    r->phase = NULL;
    r->phase_line = 0;
    arena_clear(&r->temp);
    st = pl__body(r, &h->body, flow);
    r->handled = outer;
    mem_free(MEM_SESSION, kept);
    return st;
}

static enum status guarded(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    TRY(session__begin_block(r->s));
    r->at = s;
    r->phase_line = s->line;
    enum status st = declare(r, s);
    r->phase_line = 0;
    if (st == OK) st = pl__body(r, &s->body, flow);
    if (st != OK) return handle(r, s, flow, st);
    session__end_block(r->s);
    return OK;
}

enum status pl__block(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    enum status st;
    if (s->block.handler_count) {
        TRY(guarded(r, s, flow));
    } else {
        r->phase_line = s->line;
        st = declare(r, s);
        if (st != OK) return st;
        r->phase_line = 0;
        TRY(pl__body(r, &s->body, flow));
    }
    if (flow->end == PL_LEFT && flow->label && s->label && strcmp(flow->label, s->label) == 0)
        *flow = next;
    return OK;
}

/* --- all others --------------------------------------------------------------- */

static enum status perform(struct pl_run *r, const struct pl_stmt *s)
{
    struct pl_ran ran;
    TRY(pl__run_piece(r, s->sql, NULL, false, &r->temp, &ran));
    cached_plan_unref(ran.held);
    r->row_count = ran.rows;
    pl__set_found(r, ran.rows > 0);
    return OK;
}

static enum status statement(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    switch (s->kind) {
    case PL_BLOCK: return pl__block(r, s, flow);
    case PL_ASSIGN: return assign(r, s);
    case PL_IF: return run_if(r, s, flow);
    case PL_CASE: return run_case(r, s, flow);
    case PL_LOOP:
    case PL_WHILE:
    case PL_FOR_INT:
    case PL_FOR_QUERY:
    case PL_FOR_CURSOR:
    case PL_FOR_EXECUTE:
    case PL_FOREACH: return pl__loop(r, s, flow);
    case PL_EXIT: return run_exit(r, s, flow);
    case PL_RETURN: return pl__return(r, s, flow);
    case PL_RETURN_NEXT: return pl__return_next(r, s);
    case PL_RETURN_QUERY: return pl__return_query(r, s);
    case PL_RAISE: return pl__raise(r, s);
    case PL_ASSERT: return pl__assert(r, s);
    case PL_EXECSQL: return pl__execsql(r, s);
    case PL_EXECUTE: return pl__execute(r, s);
    case PL_PERFORM: return perform(r, s);
    case PL_GET_DIAGNOSTICS: return pl__diagnostics(r, s);
    case PL_OPEN:
    case PL_FETCH:
    case PL_CLOSE: return pl__cursor(r, s);
    case PL_CALL: return pl__call(r, s);
    case PL_COMMIT:
    case PL_ROLLBACK: return pl__end_transaction(r, s);
    }
    return FAIL(INTERNAL_ERROR, "statement of kind %d", s->kind);
}

static bool keeps_temp(enum pl_kind k)
{
    return k == PL_RETURN; /* its value lies there */
}

enum status pl__body(struct pl_run *r, const struct pl_body *b, struct pl_flow *flow)
{
    *flow = next;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct pl_stmt *s = b->items[i];
        r->at = s;
        TRY(pl__check_interrupts(r));
        TRY(statement(r, s, flow));
        if (arena_bytes(&r->temp) && !keeps_temp(s->kind) && flow->end != PL_RETURNED)
            arena_clear(&r->temp);
        if (flow->end != PL_NEXT) return OK;
    }
    return OK;
}

/* --- a function's body ---------------------------------------------------------------------- */

enum status pl__run_body(struct pl_run *r)
{
    struct pl_flow flow = next;
    const struct pl_stmt *body = r->code->tree->body;
    enum status st = exec_check_stack();
    if (st == OK) {
        r->at = body;
        r->phase = NULL;
        st = pl__block(r, body, &flow);
    }
    bool done = flow.end == PL_RETURNED || r->code->returns_set || r->code->returns_void ||
                r->code->is_procedure;
    if (st == OK && !done && r->code->out_count == 0) {
        r->at = NULL;
        st = FAIL(FUNCTION_WITHOUT_RETURN, "control reached end of %s without RETURN",
                  r->code->is_trigger ? "trigger procedure" : "function");
        error_where_more("PL/pgSQL function %s", r->code->signature);
        return st;
    }
    if (st != OK) add_where(r);
    return st;
}
