/* Pieces of SQL in a body: planning them with variables as parameters, and running them.
 *
 * A piece whose plan is one row of one expression without a table keeps only that expression, and is evaluated
 * without any of what a statement takes: no locks, no command, no arena of its own. */
#include "db/past_priv.h"
#include "db/pl_priv.h"
#include "types/record.h"

#include <stdio.h>

enum { PARAMS_ON_STACK = 8, REFS_MAX = 4096 };

/* --- names ---------------------------------------------------------------------------------- */

struct binding {
    struct pl_run *run;
    const struct pl_sql *sql;
    ARRAY(struct pl_ref) refs;
    ARRAY(struct pl_seen) seen;
    ARRAY(struct datum) values; /* of refs, for moments of the past */
    struct exec_params params;
    struct arena *arena;
    const char *const *row_names; /* as in struct pl_piece */
    uint32_t row_count;
};

static struct expr *param(struct binding *b, uint32_t var, int32_t field, int location)
{
    const struct pl_run *r = b->run;
    size_t at = 0;
    while (at < b->refs.count && (b->refs.data[at].var != var || b->refs.data[at].field != field)) at++;
    if (at == b->refs.count) {
        ARENA_PUSH(b->arena, &b->refs, (struct pl_ref){var, field});
        if (!r->checking)
            ARENA_PUSH(b->arena, &b->values, field < 0 ? r->vars[var] : r->records[var].values[field]);
        b->params = (struct exec_params){b->values.data, (uint32_t)b->values.count, NULL};
    }
    struct expr *e = ARENA_NEW(b->arena, struct expr);
    e->kind = EXPR_PARAM;
    e->location = location;
    e->param = (int)at + 1;
    e->type = field < 0 ? r->code->types[var].type : r->records[var].types[field];
    e->typmod = field < 0 ? r->code->types[var].typmod : r->records[var].typmods[field];
    return e;
}

static void see(struct binding *b, uint32_t var)
{
    for (size_t i = 0; i < b->seen.count; i++)
        if (b->seen.data[i].var == var) return;
    ARENA_PUSH(b->arena, &b->seen, (struct pl_seen){var, b->run->records[var].shape});
}

static enum status unassigned(const char *name)
{
    FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "record \"%s\" is not assigned yet", name);
    return error_detail("The tuple structure of a not-yet-assigned record is indeterminate.");
}

static enum status record(struct binding *b, uint32_t var, const char *field, int location,
                          struct expr **ret)
{
    const struct pl_record *rec = &b->run->records[var];
    if (!rec->shape && field) return unassigned(b->run->code->tree->vars[var].name);
    see(b, var);
    if (!rec->shape) { /* as a whole it is NULL */
        *ret = expr_const(b->arena, TYPE_RECORD, (struct datum){.null = true});
        return OK;
    }
    for (uint32_t i = 0; field && i < rec->count; i++)
        if (strcmp(rec->names[i], field) == 0) {
            *ret = param(b, var, (int32_t)i, location);
            return OK;
        }
    if (field)
        return FAIL(UNDEFINED_COLUMN, "record \"%s\" has no field \"%s\"",
                    b->run->code->tree->vars[var].name, field);
    struct expr *e = ARENA_NEW(b->arena, struct expr);
    const char **names = ARENA_ARRAY(b->arena, const char *, rec->count + 1);
    e->kind = EXPR_ROW;
    e->type = rec->type;
    e->typmod = -1;
    e->row_is_value = true;
    e->row_may_lack = true;
    e->location = location;
    e->arg_count = rec->count;
    e->args = ARENA_ARRAY(b->arena, struct expr *, rec->count + 1);
    for (uint32_t i = 0; i < rec->count; i++) {
        names[i] = arena_strdup(b->arena, rec->names[i]);
        e->args[i] = param(b, var, (int32_t)i, location);
    }
    e->row_names = names;
    *ret = e;
    return OK;
}

/* An argument of a SQL function: a, f.a, $n. */
static bool find_argument(const struct pl_code *c, const struct name_list *names, int number,
                          uint32_t *ret)
{
    uint32_t given = 0;
    if (names && names->count > 2) return false;
    if (names && names->count == 2 && strcmp(names->items[0], c->name) != 0) return false;
    for (uint16_t i = 0; i < c->all_count; i++) {
        if (c->all_modes[i] == 'o' || c->all_modes[i] == 't') continue;
        given++;
        *ret = i;
        if (names && strcmp(c->all_names[i], names->items[names->count - 1]) == 0) return true;
        if (!names && (int)given == number) return true;
    }
    return false;
}

/* The last name may be a field's: a.x, f.a.x. */
static enum status argument(struct binding *b, struct bind_env *env, const struct name_list *names,
                            int number, int location, struct expr **ret)
{
    const struct pl_code *c = b->run->code;
    uint32_t var;
    if (find_argument(c, names, number, &var)) {
        *ret = param(b, var, -1, location);
        return OK;
    }
    if (!names || names->count < 2) return OK;
    const struct name_list row = {names->items, names->count - 1};
    if (!find_argument(c, &row, number, &var) || !type_is_composite(c->all_types[var])) return OK;
    if (bind_field(env, param(b, var, -1, location), names->items[names->count - 1], ret) == OK)
        return OK;
    error_clear();
    *ret = NULL;
    return OK;
}

static enum status variable(void *ctx, struct bind_env *env, const struct name_list *names,
                            int number, int location, struct expr **ret)
{
    struct binding *b = ctx;
    const struct pl_code *c = b->run->code;
    uint32_t var, used = 1;
    char dollar[16];
    const char *one[1] = {dollar};
    *ret = NULL;
    if (b->refs.count > REFS_MAX) return FAIL(STATEMENT_TOO_COMPLEX, "too many variables in a statement");
    if (c->language == 's') return argument(b, env, names, number, location, ret);
    snprintf(dollar, sizeof dollar, "$%d", number);
    bool found = plpgsql_lookup(b->sql->names, names ? names->items : one, names ? names->count : 1,
                                &var, &used);
    if (!found) return OK;
    if (c->types[var].is_record) {
        uint32_t left = (names ? names->count : 1) - used;
        if (left > 1) return OK;
        return record(b, var, left ? names->items[used] : NULL, location, ret);
    }
    if (!names || used == names->count) *ret = param(b, var, -1, location);
    return OK;
}

/* --- planning ------------------------------------------------------------------------------- */

static bool calls_function(void *ctx, const struct expr *e)
{
    bool *found = ctx;
    const struct proc_def *p = expr_proc(e);
    if (p && proc_function(p)) *found = true;
    return expr_walk(e, calls_function, ctx);
}

static const struct expr *simple_expression(const struct plan *p)
{
    const struct plan_node *n = p->root;
    if (p->command != CMD_SELECT || p->point || p->output_count != 1 || p->subplan_count) return NULL;
    if (p->cte_count || n->kind != PLAN_PROJECT || n->filter) return NULL;
    if (n->left->kind != PLAN_RESULT || n->left->filter) return NULL;
    return n->project.exprs[0];
}

/* Is the value a string literal alone? It has no type of its own then. */
static bool is_literal(const struct ast *ast)
{
    const struct ast_select *q = AST(ast, ast_select);
    if (ast->kind != AST_SELECT || q->targets.count != 1) return false;
    const struct ast *value = AST(q->targets.items[0], ast_target)->value;
    return value && value->kind == AST_CONST && AST(value, ast_const)->type == CONST_STRING;
}

/* The value of an assignment is wanted in its target's type. Where no cast leads there, its text form does,
 * later on. */
static enum status fit_target(struct pl_run *r, const struct pl_target *t, struct bind_env *env,
                              const struct ast *ast, struct query *q)
{
    type_id type = r->code->types[t->var].type;
    int32_t typmod = r->code->types[t->var].typmod;
    struct expr *fit;
    if (t->field) {
        uint32_t at;
        TRY(pl__find_field(r, t, &at));
        type = r->records[t->var].types[at];
        typmod = r->records[t->var].typmods[at];
    }
    if (t->subscript_count || type_is_composite(type) || q->command != CMD_SELECT) return OK;
    if (q->target_count != 1 || q->set_op != SETOP_NONE) return OK;
    struct error kept = *error_current();
    struct expr *e = q->targets[0].expr;
    if (is_literal(ast)) e->type = TYPE_UNKNOWN;
    enum status st = bind_coerce_assignment(env, e, type, typmod, "", &fit);
    if (st == OK) q->targets[0].expr = fit;
    else if (st == DATATYPE_MISMATCH) *error_current() = kept;
    else if (is_literal(ast) && !error_current()->position) return error_at(8); /* behind SELECT */
    else return st;
    return OK;
}

/* Functions over numbers keep no state; of others it would not be known here. */
static bool is_number(type_id type)
{
    return type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_INT2 || type == TYPE_FLOAT8 ||
           type == TYPE_BOOL;
}

static void find_quick(struct pl_piece *p)
{
    const struct expr *e = p->simple;
    struct pl_quick q = {.arg_count = e->arg_count};
    const struct proc_def *f = e->kind == EXPR_CALL ? e->call.proc : NULL;
    if (!f || proc_function(f) || !f->strict || e->arg_count > PL_QUICK_ARGS || !is_number(e->type))
        return;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct expr *a = e->args[i];
        if (!is_number(a->type)) return;
        if (a->kind == EXPR_CONST) {
            q.args[i] = &a->constant;
        } else if (a->kind == EXPR_PARAM && p->refs[a->param - 1].field < 0) {
            q.vars[i] = p->refs[a->param - 1].var;
        } else {
            return;
        }
    }
    if (!p->ref_count) return;
    q.function = function_impl(f->id)->scalar;
    p->quick = q;
}

static enum status bind_piece(struct pl_run *r, struct binding *b, const struct statement *st,
                              struct slice text, struct cached_plan *p)
{
    struct bind_env env;
    struct query *q;
    session__bind_env(r->s, &env, &p->arena, text);
    const char *conflict = r->code->tree ? r->code->tree->variable_conflict : "";
    env.variable = variable;
    env.variable_ctx = b;
    env.columns_first = r->code->language == 's' || strcmp(conflict, "use_column") == 0;
    env.variables_first = strcmp(conflict, "use_variable") == 0;
    const struct exec_params *outer = r->s->moment_params;
    r->s->moment_params = &b->params;
    enum status bound = bind_statement(&env, st->ast, &q);
    r->s->moment_params = outer;
    past_give_moments(r->s, &env, p);
    TRY(bound);
    struct row_columns row;
    if (q->command == CMD_SELECT && q->target_count == 1 &&
        q->targets[0].expr->type == TYPE_RECORD && bind_row_columns(&env, q, q->targets[0].expr, &row)) {
        b->row_names = row.names;
        b->row_count = row.count;
    }
    if (b->sql->target) TRY(fit_target(r, b->sql->target, &env, st->ast, q));
    type_id *types = ARENA_ARRAY(&p->arena, type_id, b->refs.count + 1);
    for (size_t i = 0; i < b->refs.count; i++) {
        const struct pl_ref *f = &b->refs.data[i];
        types[i] = f->field < 0 ? r->code->types[f->var].type
                                : r->records[f->var].types[f->field];
    }
    return session__finish_plan(r->s, p, q, types, (uint32_t)b->refs.count, NULL);
}

enum status pl__in_text(const char *what, const char *text, int before, enum status st)
{
    struct error *e = error_current();
    if (st == OK || st == END_OF_DATA) return st;
    if (e->position && !e->query[0]) return error_in_query(text, before);
    if (what) error_where_more("%s \"%s\"", what, text);
    return st;
}

enum status pl__in_piece(const struct pl_sql *q, enum status st)
{
    const char *what = q->skip            ? "PL/pgSQL assignment"
                       : q->is_expression ? "SQL expression"
                                          : "SQL statement";
    return pl__in_text(what, q->text, q->is_expression ? 7 - q->skip : 0, st);
}

static const char *text_of(struct arena *a, const struct pl_sql *q)
{
    return q->is_expression ? arena_printf(a, "SELECT %s", q->text + q->skip) : q->text;
}

enum status pl__bind(struct pl_run *r, const struct pl_sql *q, const struct ast *ast,
                     struct slice text, struct arena *a, struct expr **ret,
                     struct exec_params *ret_params)
{
    struct binding b = {.run = r, .sql = q, .arena = a};
    struct bind_env env;
    struct query *query;
    session__bind_env(r->s, &env, a, text);
    env.variable = variable;
    env.variable_ctx = &b;
    TRY(bind_expression(&env, ast, TYPE_NONE, -1, "CALL", ret, &query));
    struct datum *values = ARENA_ARRAY(a, struct datum, b.refs.count + 1);
    for (size_t i = 0; i < b.refs.count; i++) {
        const struct pl_ref *f = &b.refs.data[i];
        values[i] = f->field < 0 ? r->vars[f->var] : r->records[f->var].values[f->field];
    }
    *ret_params = (struct exec_params){values, (uint32_t)b.refs.count};
    return OK;
}

static enum status plan_piece(struct pl_run *r, struct pl_sql *q, struct pl_piece *piece)
{
    struct statement *st;
    uint32_t n;
    struct cached_plan *p = cached_plan_new(r->s->catalog);
    struct binding b = {.run = r, .sql = q, .arena = &p->arena};
    struct slice text = slice_of(text_of(&p->arena, q));
    enum status result = sql_parse(&p->arena, text, &st, &n);
    if (result == OK && n != 1)
        result = FAIL(SYNTAX_ERROR, "a statement of a function must be one SQL statement");
    bool plannable = result == OK && is_plannable(st[0].ast);
    if (plannable) result = bind_piece(r, &b, &st[0], text, p);
    if (result != OK) {
        cached_plan_release(p);
        return pl__in_piece(q, result);
    }
    if (piece->plan) cached_plan_release(piece->plan);
    *piece = (struct pl_piece){.plan = p, .generation = r->s->settings.generation,
                               .refs = b.refs.data, .ref_count = (uint32_t)b.refs.count,
                               .seen = b.seen.data, .seen_count = (uint32_t)b.seen.count,
                               .row_names = b.row_names, .row_count = b.row_count};
    r->plans++;
    r->changed_plans = true;
    r->s->moments = NULL; /* those that it was made for */
    if (!plannable) return OK; /* plan->plan NULL: run as a utility statement */
    if (q->is_expression) piece->simple = simple_expression(p->plan);
    if (piece->simple) calls_function(&piece->calls, piece->simple);
    if (piece->simple) find_quick(piece);
    if (piece->simple) piece->is_constant = expr_is_constant(piece->simple);
    return OK;
}

/* Can it be run for its moments as the variables tell them now? */
static bool fits(struct pl_run *r, const struct pl_piece *p)
{
    struct session *s = r->s;
    const struct exec_params *outer = s->moment_params;
    struct arena statement = s->arena;
    if (p->plan->once) return false;
    if (!p->plan->moment_count) return true;
    struct datum *values = ARENA_ARRAY(&r->temp, struct datum, p->ref_count + 1);
    const struct exec_params params = {values, p->ref_count, NULL};
    pl__params(r, p, values);
    s->moment_params = &params;
    arena_init(&s->arena, MEM_QUERY);
    bool ok = past_fits(s, p->plan);
    const uint64_t *moments = past_take_moments(s, p->plan, &r->temp);
    arena_release(&s->arena);
    s->arena = statement;
    s->moment_params = outer;
    s->moments = moments;
    return ok;
}

static bool is_valid(struct pl_run *r, const struct pl_piece *p)
{
    if (!p->plan || p->plan->catalog != r->s->catalog) return false;
    if (p->generation != r->s->settings.generation) return false;
    for (uint32_t i = 0; i < p->seen_count; i++)
        if (r->records[p->seen[i].var].shape != p->seen[i].shape) return false;
    return fits(r, p);
}

enum status pl__prepare(struct pl_run *r, struct pl_sql *q, struct pl_piece **ret)
{
    struct pl_piece *p = q->run;
    if (!p) p = q->run = ARENA_NEW(&r->code->arena, struct pl_piece);
    *ret = p;
    if (__builtin_expect(is_valid(r, p), 1)) return OK;
    return plan_piece(r, q, p);
}

void pl__params(struct pl_run *r, const struct pl_piece *p, struct datum *ret)
{
    for (uint32_t i = 0; i < p->ref_count; i++) {
        const struct pl_ref *f = &p->refs[i];
        ret[i] = f->field < 0 ? r->vars[f->var] : r->records[f->var].values[f->field];
    }
}

/* --- expressions ---------------------------------------------------------------------------- */

/* Call sites keep their state in the run's execution, by address: gone with the plan that they lay in. */
struct execution *pl__execution(struct pl_run *r)
{
    if (r->x_begun && !r->changed_plans) return &r->x;
    if (r->x_begun) exec_end(&r->x);
    exec_begin(&r->x, NULL, r->s->txn, &r->s->exec, NULL, &r->keep);
    r->x_begun = true;
    r->changed_plans = false;
    return &r->x;
}

/* 8 bytes at a time, as variables are stored. */
static inline void copy_datum(struct datum *to, const struct datum *from)
{
    uint64_t *t = (uint64_t *)&to->v;
    const uint64_t *f = (const uint64_t *)&from->v;
    t[0] = f[0];
    t[1] = f[1];
    to->null = from->null;
}

static enum status eval_quick(struct pl_run *r, const struct pl_piece *p, struct datum *ret)
{
    const struct pl_quick *q = &p->quick;
    struct datum args[PL_QUICK_ARGS];
    for (uint32_t i = 0; i < q->arg_count; i++) {
        copy_datum(&args[i], q->args[i] ? q->args[i] : &r->vars[q->vars[i]]);
        if (args[i].null) return *ret = (struct datum){.null = true}, OK;
    }
    struct call_ctx c = {.session = &r->s->exec, .arena = &r->temp, .keep = &r->keep,
                         .expr = p->simple};
    *ret = (struct datum){0};
    return q->function(&c, args, q->arg_count, ret);
}

static enum status eval_simple(struct pl_run *r, const struct pl_sql *q, const struct pl_piece *p,
                               struct datum *ret)
{
    struct datum on_stack[PARAMS_ON_STACK], *values = on_stack;
    struct execution *x = pl__execution(r);
    if (p->ref_count > PARAMS_ON_STACK)
        values = arena_alloc(&r->temp, p->ref_count * sizeof *values);
    pl__params(r, p, values);
    const struct exec_params params = {values, p->ref_count};
    x->params = &params;
    if (!p->calls) {
        enum status st = exec_eval_row(x, p->simple, NULL, &r->temp, ret);
        /* PostgreSQL finds this one while it plans. */
        if (st != OK && p->is_constant) return pl__in_piece(q, st);
        return st;
    }
    /* What it calls may change the catalog, and the plan be made anew meanwhile. */
    struct cached_plan *held = p->plan;
    const struct expr *e = p->simple;
    cached_plan_ref(held);
    enum status st = exec_eval_row(x, e, NULL, &r->temp, ret);
    if (st == OK) *ret = datum_copy(&r->temp, e->type, *ret);
    cached_plan_unref(held);
    return st;
}

struct one_row {
    struct pl_run *run;
    const struct plan *plan;
    struct datum value;
    uint32_t rows;
};

static enum status take_one(void *ctx, const struct datum *values)
{
    struct one_row *o = ctx;
    if (o->rows++) return FAIL(CARDINALITY_VIOLATION, "query returned more than one row");
    o->value = datum_copy(&o->run->temp, o->plan->output[0].type, values[0]);
    return OK;
}

static enum status begin_one(void *ctx, const struct plan *p)
{
    struct one_row *o = ctx;
    o->plan = p;
    if (p->output_count == 1) return OK;
    return FAIL(SYNTAX_ERROR, "query returned %u columns", p->output_count);
}

static enum status eval_query(struct pl_run *r, struct pl_sql *q, struct datum *ret,
                              type_id *ret_type, int32_t *ret_typmod)
{
    struct one_row one = {.run = r, .value = {.null = true}};
    struct pl_rows rows = {begin_one, take_one, &one};
    struct pl_ran ran = {0};
    TRY(pl__run_piece(r, q, &rows, false, &r->temp, &ran));
    *ret_type = one.plan->output[0].type;
    *ret_typmod = one.plan->output[0].typmod;
    cached_plan_unref(ran.held);
    *ret = one.value;
    return OK;
}

/* The plan that they lie in may be gone when they are asked for. */
static const char *const *copy_names(struct pl_run *r, const struct pl_piece *p)
{
    const char **copy = ARENA_ARRAY(&r->temp, const char *, p->row_count + 1);
    for (uint32_t i = 0; i < p->row_count; i++) copy[i] = arena_strdup(&r->temp, p->row_names[i]);
    return copy;
}

enum status pl__eval(struct pl_run *r, struct pl_sql *q, struct datum *ret, type_id *ret_type,
                     int32_t *ret_typmod)
{
    struct pl_piece *p;
    TRY(pl__prepare(r, q, &p));
    r->value_names = p->row_names ? copy_names(r, p) : NULL;
    if (p->simple) {
        *ret_type = p->simple->type;
        *ret_typmod = p->simple->typmod;
        if (p->quick.function) return eval_quick(r, p, ret);
        return eval_simple(r, q, p, ret);
    }
    if (!p->plan->plan) return FAIL(SYNTAX_ERROR, "this is no expression");
    return eval_query(r, q, ret, ret_type, ret_typmod);
}

enum status pl__eval_as(struct pl_run *r, struct pl_sql *q, type_id type, struct datum *ret)
{
    type_id own;
    int32_t typmod;
    TRY(pl__eval(r, q, ret, &own, &typmod));
    if (own == type) return OK;
    return pl__cast(r->s, ret, own, typmod, type, -1, &r->temp);
}

enum status pl__eval_bool(struct pl_run *r, struct pl_sql *q, bool *ret)
{
    struct datum d;
    TRY(pl__eval_as(r, q, TYPE_BOOL, &d));
    *ret = !d.null && d.v.b;
    return OK;
}
