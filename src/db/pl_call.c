/* Calls: from the executor, as a trigger, by CALL and DO. */
#include "db/pl_priv.h"

#include "sql/ast_routine.h"
#include "types/array.h"

void pl__run_init(struct pl_run *r, struct session *s, struct pl_code *code)
{
    *r = (struct pl_run){.s = s, .code = code, .value = {.null = true}, .outer = s->running_pl};
    s->running_pl = r;
    arena_init(&r->keep, MEM_QUERY);
    arena_init(&r->temp, MEM_QUERY);
    uint32_t n = code->tree ? code->tree->var_count : code->all_count;
    r->vars = arena_alloc(&r->keep, (n + 1) * sizeof *r->vars);
    r->stores = ARENA_ARRAY(&r->keep, struct arena, 2 * n + 1);
    for (uint32_t i = 0; i < n; i++) r->vars[i] = (struct datum){.null = true};
    for (uint32_t i = 0; i < 2 * n; i++) arena_init(&r->stores[i], MEM_QUERY);
    if (!code->tree) {
        code->types = code->types ? code->types : ARENA_ARRAY(&code->arena, struct pl_type, n + 1);
        for (uint32_t i = 0; i < n; i++)
            code->types[i] = (struct pl_type){.type = code->all_types[i], .typmod = -1};
        return;
    }
    r->vars[code->tree->found] = (struct datum){.v.b = false};
    r->records = ARENA_ARRAY(&r->keep, struct pl_record, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct pl_record *rec = &r->records[i];
        if (!code->types[i].is_record) continue;
        arena_init(&rec->shapes, MEM_QUERY);
        arena_init(&rec->bytes[0], MEM_QUERY);
        arena_init(&rec->bytes[1], MEM_QUERY);
        rec->is_null = true;
        const struct table_def *t =
            code->types[i].table ? catalog_table_by_oid(s->catalog, code->types[i].table) : NULL;
        if (t) pl__record_of_table(rec, t);
    }
}

void pl__run_release(struct pl_run *r)
{
    uint32_t n = r->code->tree ? r->code->tree->var_count : r->code->all_count;
    r->s->running_pl = r->outer;
    if (r->x_begun) exec_end(&r->x);
    for (uint32_t i = 0; i < 2 * n; i++) arena_release(&r->stores[i]);
    for (uint32_t i = 0; r->records && i < n; i++)
        if (r->code->types[i].is_record) pl__record_release(&r->records[i]);
    arena_release(&r->temp);
    arena_release(&r->keep);
}

static enum status set_arguments(struct pl_run *r, const struct datum *args)
{
    uint32_t given = 0;
    for (uint16_t i = 0; i < r->code->all_count; i++) {
        char mode = r->code->all_modes[i];
        if (mode == 'o' && r->code->is_procedure) given++; /* what CALL says there is not asked */
        if (mode == 'o' || mode == 't') continue;
        if (r->code->tree && r->code->types[i].is_record) {
            r->value_names = NULL;
            TRY(pl__assign_composite(r, i, &args[given], r->code->all_types[i]));
            given++;
            continue;
        }
        r->vars[i] = args[given++]; /* they stay as long as the call */
    }
    return OK;
}

struct pl_record *pl__returned_row(struct pl_run *r)
{
    const struct pl_code *c = r->code;
    if (c->out_count != 1 || !c->types[c->outs[0]].is_record) return r->row;
    struct pl_record *rec = &r->records[c->outs[0]];
    return rec->is_null ? NULL : rec;
}

/* A row of OUT arguments, or the record that was returned. */
enum status pl__give_row(struct pl_run *r)
{
    const struct pl_code *c = r->code;
    const struct pl_record *row = pl__returned_row(r);
    struct datum *out = ARENA_ARRAY(&r->keep, struct datum, r->type_count + 1);
    for (uint32_t i = 0; i < r->type_count; i++) out[i].null = true;
    if (c->out_count && !(c->out_count == 1 && c->types[c->outs[0]].is_record)) {
        for (uint32_t i = 0; i < c->out_count && i < r->type_count; i++)
            TRY(pl__variable(r, c->outs[i], &r->keep, &out[i]));
    } else if (row) {
        if (row->count != r->type_count) {
            FAIL(DATATYPE_MISMATCH, "returned record type does not match expected record type");
            return error_detail("Number of returned columns (%u) does not match expected column "
                                "count (%u).",
                                row->count, r->type_count);
        }
        for (uint32_t i = 0; i < r->type_count; i++) {
            out[i] = row->values[i];
            TRY(pl__cast(r->s, &out[i], row->types[i], row->typmods[i], r->types[i], -1, &r->keep));
        }
    }
    return r->emit(r->emit_ctx, out);
}

enum status pl__run_code(struct pl_run *r)
{
    struct session *s = r->s;
    bool atomic = s->atomic;
    struct pl_transitions own, *outer = s->transitions;
    struct session_role role;
    if (!r->keeps_atomic || r->code->definer) s->atomic = true;
    s->transitions = pl__transitions(r, &own);
    session__enter_role(s, r->code->definer, &role);
    enum status st = r->code->language == 's' ? pl__run_sql(r) : pl__run_body(r);
    session__leave_role(s, &role);
    s->transitions = outer;
    s->atomic = atomic;
    return st;
}

enum status session__call_function(void *ctx, const struct function_def *f,
                                   const struct datum *args, struct arena *a, struct datum *ret)
{
    struct session *s = ctx;
    struct pl_code *code;
    struct pl_run r;
    if (f->proc.result == TYPE_TRIGGER) {
        FAIL(FEATURE_NOT_SUPPORTED, "trigger functions can only be called as triggers");
        return error_where("compilation of PL/pgSQL function \"%s\" near line 1", f->proc.name);
    }
    TRY(pl__code(s, f, NULL, &code));
    pl__run_init(&r, s, code);
    r.types = &code->result.type;
    r.type_count = 1;
    bool row = code->result.is_record;
    enum status st = set_arguments(&r, args);
    if (st == OK) st = row ? pl__row_value(&r, f, a, ret) : pl__run_code(&r);
    if (st == OK && !row) {
        if (code->tree && code->out_count == 1) r.value = r.vars[code->outs[0]];
        *ret = datum_copy(a, code->result.type, r.value);
    }
    pl__run_release(&r);
    pl__code_unref(code);
    return st;
}

enum status session__call_set(void *ctx, const struct function_def *f, const struct datum *args,
                              const type_id *types, uint32_t column_count,
                              enum status (*emit)(void *emit_ctx, const struct datum *row),
                              void *emit_ctx)
{
    struct session *s = ctx;
    struct pl_code *code;
    struct pl_run r;
    TRY(pl__code(s, f, NULL, &code));
    pl__run_init(&r, s, code);
    r.types = types;
    r.type_count = column_count;
    r.emit = emit;
    r.emit_ctx = emit_ctx;
    enum status st = set_arguments(&r, args);
    if (st == OK) st = pl__run_code(&r);
    bool row = code->language == 'p' && !code->returns_set;
    if (st == OK && row) st = pl__give_row(&r);
    if (st == OK && code->language == 's' && !code->returns_set && !r.returned) st = pl__give_row(&r);
    pl__run_release(&r);
    pl__code_unref(code);
    return st;
}

/* --- triggers ------------------------------------------------------------------------------- */

/* In the order of pl_code.c's names. */
enum { VAR_NEW, VAR_OLD, VAR_NAME, VAR_WHEN, VAR_LEVEL, VAR_OP, VAR_RELID, VAR_RELNAME, VAR_TABLE,
       VAR_SCHEMA, VAR_NARGS, VAR_ARGV };

static void set_text(struct pl_run *r, uint32_t var, const char *text)
{
    struct datum d = {.v.bytes = bytes_ref(text, (uint32_t)strlen(text))};
    pl__store(r, var, &d);
}

static void set_row(struct pl_run *r, uint32_t var, const struct table_def *t,
                    const struct datum *row)
{
    struct pl_record *rec = &r->records[var];
    struct datum *live;
    uint32_t n = 0;
    pl__record_of_table(rec, t);
    if (!row) return pl__record_null(rec);
    live = ARENA_ARRAY(&r->keep, struct datum, t->column_count + 1u);
    for (uint16_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped) live[n++] = row[i];
    pl__record_store(rec, live);
}

static void set_variables(struct pl_run *r, const struct trigger_call *c)
{
    const struct trigger_def *g = c->trigger;
    const struct schema_def *n = catalog_schema_by_oid(r->s->catalog, c->table->schema);
    struct datum *args = ARENA_ARRAY(&r->keep, struct datum, g->arg_count + 1u);
    set_row(r, VAR_NEW, c->table, c->new);
    set_row(r, VAR_OLD, c->table, c->old);
    set_text(r, VAR_NAME, g->name);
    set_text(r, VAR_WHEN, g->type & TRIGGER_BEFORE ? "BEFORE" : g->type & TRIGGER_INSTEAD ? "INSTEAD OF" : "AFTER");
    set_text(r, VAR_LEVEL, g->type & TRIGGER_ROW ? "ROW" : "STATEMENT");
    set_text(r, VAR_OP, c->event == TRIGGER_INSERT   ? "INSERT"
                        : c->event == TRIGGER_DELETE ? "DELETE"
                        : c->event == TRIGGER_UPDATE ? "UPDATE"
                                                     : "TRUNCATE");
    r->vars[VAR_RELID] = (struct datum){.v.u32 = c->table->oid};
    set_text(r, VAR_RELNAME, c->table->name);
    set_text(r, VAR_TABLE, c->table->name);
    set_text(r, VAR_SCHEMA, n ? n->name : "");
    r->vars[VAR_NARGS] = (struct datum){.v.i32 = g->arg_count};
    for (uint16_t i = 0; i < g->arg_count; i++)
        args[i].v.bytes = bytes_ref(g->args[i], (uint32_t)strlen(g->args[i]));
    if (!g->arg_count) return;
    struct array_view v = {.element = TYPE_TEXT, .ndim = 1, .count = g->arg_count, .elements = args};
    v.dims[0] = g->arg_count;
    struct datum d = {.v.bytes = array_make_view(&r->keep, &v)}; /* from 0 on */
    pl__store(r, VAR_ARGV, &d);
}

/* The row that was returned becomes one of the table. */
static enum status take_result(struct pl_run *r, const struct trigger_call *c, struct arena *a,
                               const struct datum **row)
{
    const struct table_def *t = c->table;
    uint32_t n = 0;
    if (!r->row) return *row = NULL, OK;
    struct datum *out = ARENA_ARRAY(a, struct datum, t->column_count + 1u);
    uint32_t live = 0;
    for (uint16_t i = 0; i < t->column_count; i++) live += !t->columns[i].dropped;
    if (r->row->count != live) {
        FAIL(DATATYPE_MISMATCH, "returned row structure does not match the structure of the "
                                "triggering table");
        return error_detail("Number of returned columns (%u) does not match expected column count "
                            "(%u).",
                            r->row->count, live);
    }
    for (uint16_t i = 0; i < t->column_count; i++) {
        out[i].null = true;
        if (t->columns[i].dropped) continue;
        struct datum d = r->row->values[n];
        TRY(pl__cast(r->s, &d, r->row->types[n], r->row->typmods[n], t->columns[i].type,
                     t->columns[i].typmod, &r->keep));
        out[i] = datum_copy(a, t->columns[i].type, d);
        n++;
    }
    *row = out;
    return OK;
}

enum status session__call_trigger(void *ctx, const struct trigger_call *c, struct arena *a,
                                  const struct datum **row)
{
    struct session *s = ctx;
    const struct function_def *f = catalog_function_by_oid(s->catalog, c->trigger->function);
    struct pl_code *code;
    struct pl_run r;
    if (!f) return FAIL(UNDEFINED_FUNCTION, "the function of trigger \"%s\" is gone", c->trigger->name);
    TRY(exec_check_stack());
    TRY(pl__code(s, f, c->table, &code));
    pl__run_init(&r, s, code);
    r.trigger = c;
    set_variables(&r, c);
    s->exec.trigger_depth++;
    enum status st = pl__run_code(&r);
    s->exec.trigger_depth--;
    bool asks = (c->trigger->type & TRIGGER_ROW) && (c->trigger->type & (TRIGGER_BEFORE | TRIGGER_INSTEAD));
    if (st == OK && asks) st = take_result(&r, c, a, row);
    pl__run_release(&r);
    pl__code_unref(code);
    return st;
}

/* --- CALL and DO ---------------------------------------------------------------------------- */

/* Only as a statement of its own, outside of a block, may it end the transaction. What was before. */
static bool begin_top(struct session *s)
{
    bool atomic = s->atomic;
    s->atomic = atomic || s->block != BLOCK_NONE || s->running_pl;
    return atomic;
}

enum status session__do(struct session *s, const struct ast_do *a, struct slice text)
{
    struct pl_code *code;
    struct pl_run r;
    if (a->language && strcmp(a->language, "plpgsql") != 0) {
        if (strcmp(a->language, "sql") == 0 || strcmp(a->language, "internal") == 0 ||
            strcmp(a->language, "c") == 0)
            return FAIL(FEATURE_NOT_SUPPORTED, "language \"%s\" does not support inline code execution",
                        a->language);
        return FAIL(UNDEFINED_OBJECT, "language \"%s\" does not exist", a->language);
    }
    TRY(pl__inline_code(s, a->body, text, &code));
    bool atomic = begin_top(s);
    pl__run_init(&r, s, code);
    enum status st = pl__run_body(&r);
    s->atomic = atomic;
    pl__run_release(&r);
    pl__code_unref(code);
    return st;
}

static const char *call_words(struct session *s, const struct ast_call *a, const struct expr *e)
{
    struct strbuf b;
    strbuf_init(&b, &s->arena);
    for (uint32_t i = 0; i < a->function->name.count; i++)
        strbuf_addf(&b, "%s%s", i ? "." : "", a->function->name.items[i]);
    strbuf_addc(&b, '(');
    for (uint32_t i = 0; i < a->function->args.count && i < e->arg_count; i++) {
        if (i) strbuf_adds(&b, ", ");
        session__type_name(s, e->args[i]->type, -1, &b);
    }
    strbuf_addc(&b, ')');
    return b.data;
}

/* 42809 unless it is a call of a procedure. */
static enum status check_procedure(struct session *s, const struct ast_call *a, const struct expr *e,
                                   struct slice text)
{
    const struct function_def *f = e->kind == EXPR_CALL ? proc_function(e->call.proc) : NULL;
    if (f && f->proc.kind == 'p') return OK;
    FAIL(WRONG_OBJECT_TYPE, "%s is not a procedure", call_words(s, a, e));
    error_hint("To call a function, use SELECT.");
    return error_at(sql_position(text, a->function->node.location));
}

/* Its arguments are evaluated, then it runs in *ret, which is released in any case. */
static enum status run_procedure(struct session *s, const struct expr *e,
                                 const struct exec_params *params, struct arena *a,
                                 struct pl_run *ret)
{
    struct pl_code *code;
    struct datum *values = ARENA_ARRAY(a, struct datum, e->arg_count + 1);
    ret->code = NULL;
    for (uint32_t i = 0; i < e->arg_count; i++)
        TRY(exec_constant(e->args[i], &s->exec, params, a, &values[i]));
    TRY(pl__code(s, proc_function(e->call.proc), NULL, &code));
    pl__run_init(ret, s, code);
    ret->keeps_atomic = true;
    TRY(set_arguments(ret, values));
    return pl__run_code(ret);
}

static void end_procedure(struct pl_run *r)
{
    struct pl_code *code = r->code;
    if (!code) return;
    pl__run_release(r);
    pl__code_unref(code);
}

static enum status send_outs(struct session *s, struct pl_run *r, const struct result_sink *sink)
{
    const struct pl_code *c = r->code;
    if (!c->out_count || !sink || !sink->columns) return OK;
    struct result_column *columns = ARENA_ARRAY(&s->arena, struct result_column, c->out_count);
    struct datum *values = ARENA_ARRAY(&s->arena, struct datum, c->out_count);
    for (uint32_t i = 0; i < c->out_count; i++) {
        columns[i] = (struct result_column){.name = c->all_names[c->outs[i]],
                                            .type = c->all_types[c->outs[i]], .typmod = -1};
        TRY(pl__variable(r, c->outs[i], &s->arena, &values[i]));
        values[i] = datum_copy(&s->arena, columns[i].type, values[i]);
    }
    TRY(sink->columns(sink->ctx, columns, c->out_count));
    return sink->row(sink->ctx, values, c->out_count);
}

enum status session__describe_call(struct session *s, const struct ast_call *a, struct slice text,
                                   uint32_t param_max, struct arena *arena, type_id **types,
                                   uint32_t *count, struct result_column **ret_columns,
                                   uint32_t *ret_column_count)
{
    struct bind_env env;
    struct expr *e;
    struct query *q;
    uint32_t max = param_max > *count ? param_max : *count;
    type_id *all = ARENA_ARRAY(arena, type_id, max + 1);
    if (*count) memcpy(all, *types, *count * sizeof *all);
    session__bind_env(s, &env, &s->arena, text);
    env.param_types = all;
    env.param_count = *count;
    env.param_max = max;
    env.params_variable = true;
    TRY(bind_expression(&env, &a->function->node, TYPE_NONE, -1, "CALL", &e, &q));
    TRY(check_procedure(s, a, e, text));
    for (uint32_t i = 0; i < env.param_count; i++)
        if (all[i] == TYPE_NONE || all[i] == TYPE_UNKNOWN) all[i] = TYPE_TEXT;
    const struct function_def *f = proc_function(e->call.proc);
    *ret_columns = ARENA_ARRAY(arena, struct result_column, f->all_count + 1u);
    *ret_column_count = 0;
    for (uint16_t i = 0; i < f->all_count; i++)
        if (f->all_modes[i] != 'i')
            (*ret_columns)[(*ret_column_count)++] = (struct result_column){
                .name = arena_strdup(arena, f->all_names[i]), .type = f->all_types[i], .typmod = -1};
    *types = all;
    *count = env.param_count;
    return OK;
}

enum status session__call(struct session *s, const struct ast_call *a, struct slice text,
                          const struct exec_params *params, const struct result_sink *sink)
{
    struct bind_env env;
    struct expr *e;
    struct query *q;
    struct pl_run r;
    session__bind_env(s, &env, &s->arena, text);
    if (s->param_types) {
        env.param_types = arena_memdup(&s->arena, s->param_types, params->count * sizeof(type_id) + 1);
        env.param_count = env.param_max = params->count;
    }
    TRY(bind_expression(&env, &a->function->node, TYPE_NONE, -1, "CALL", &e, &q));
    TRY(check_procedure(s, a, e, text));
    bool atomic = begin_top(s);
    enum status st = run_procedure(s, e, params, &s->arena, &r);
    s->atomic = atomic;
    if (st == OK) st = send_outs(s, &r, sink);
    end_procedure(&r);
    return st;
}

/* --- CALL in a body -------------------------------------------------------------------------- */

static enum status take_outs(struct pl_run *r, const struct pl_sql *q, const struct ast_call *a,
                             struct pl_run *called)
{
    const struct pl_code *c = called->code;
    for (uint32_t i = 0; i < c->out_count; i++) {
        uint32_t at = c->outs[i], var, used;
        if (at >= a->function->args.count) continue;
        const struct ast *arg = a->function->args.items[at];
        const struct ast_column_ref *ref = AST(arg, ast_column_ref);
        bool is_var = arg->kind == AST_COLUMN_REF &&
                      plpgsql_lookup(q->names, ref->names.items, ref->names.count, &var, &used);
        if (!is_var) {
            FAIL(SYNTAX_ERROR, "procedure parameter \"%s\" is an output parameter but corresponding "
                               "argument is not writable",
                 c->all_names[at]);
            return SYNTAX_ERROR;
        }
        const struct pl_target t = {.var = var,
                                    .field = used < ref->names.count ? ref->names.items[used] : NULL};
        struct datum d;
        TRY(pl__variable(called, at, &r->temp, &d));
        r->value_names = NULL;
        TRY(pl__assign(r, &t, &d, c->all_types[at], -1));
    }
    return OK;
}

static enum status call(struct pl_run *r, const struct pl_sql *q, struct arena *a)
{
    struct statement *st;
    struct exec_params params;
    struct expr *e;
    struct pl_run called;
    uint32_t n;
    struct slice text = slice_of(q->text);
    TRY(pl__in_piece(q, sql_parse(a, text, &st, &n)));
    if (n != 1 || st[0].ast->kind != AST_CALL)
        return UNSUPPORTED("DO inside of a function is not supported yet");
    const struct ast_call *ast = AST(st[0].ast, ast_call);
    enum status result = pl__bind(r, q, &ast->function->node, text, a, &e, &params);
    if (result == OK) result = check_procedure(r->s, ast, e, text);
    TRY(pl__in_piece(q, result));
    result = pl__in_piece(q, run_procedure(r->s, e, &params, a, &called));
    if (result == OK) result = take_outs(r, q, ast, &called);
    end_procedure(&called);
    return result;
}

enum status pl__call(struct pl_run *r, const struct pl_stmt *s)
{
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status st = exec_check_stack();
    if (st == OK) st = call(r, s->sql, &a);
    arena_release(&a);
    return st;
}
