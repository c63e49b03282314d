/* SQL statements of a body, EXECUTE, and RETURN in its forms. */
#include "db/pl_priv.h"
#include "types/record.h"

/* --- INTO ----------------------------------------------------------------------------------- */

struct into {
    struct pl_run *run;
    const struct plan *plan;
    struct arena *arena;
    struct datum *first;
    struct pl_columns columns;
    uint64_t count;
    bool strict;
    uint64_t enough;         /* of a query: no more are wanted; 0: all */
};

static enum status take_row(void *ctx, const struct datum *values)
{
    struct into *i = ctx;
    if (i->count++ == 0) {
        i->first = ARENA_ARRAY(i->arena, struct datum, i->columns.count + 1);
        for (uint32_t c = 0; c < i->columns.count; c++)
            i->first[c] = datum_copy(i->arena, i->columns.types[c], values[c]);
    }
    return i->enough && i->count >= i->enough ? END_OF_DATA : OK;
}

static enum status no_destination(void)
{
    FAIL(SYNTAX_ERROR, "query has no destination for result data");
    return error_hint("If you want to discard the results of a SELECT, use PERFORM instead.");
}

/* The plan is the one that runs: while a table's lock was waited for it may have become another. */
static enum status begin_into(void *ctx, const struct plan *p)
{
    struct into *i = ctx;
    i->plan = p;
    pl__columns(&i->run->temp, p, &i->columns);
    if (p->command == CMD_SELECT && !p->writes) i->enough = i->strict ? 2 : 1;
    if (p->returns_rows) return OK;
    return FAIL(SYNTAX_ERROR, "INTO used with a command that cannot return data");
}

static enum status into_end(struct into *i, const struct pl_stmt *s)
{
    bool strict = s->exec.strict;
    if (i->count > 1 && (strict || i->plan->command != CMD_SELECT)) {
        FAIL(TOO_MANY_ROWS, "query returned more than one row");
        return error_hint("Make sure the query returns a single row, or use LIMIT 1.");
    }
    if (i->count == 0 && strict) return FAIL(NO_DATA_FOUND, "query returned no rows");
    return pl__assign_row(i->run, &s->into, &i->columns, i->count ? i->first : NULL);
}

static bool sets_found(const struct plan *p)
{
    return p->command != CMD_SELECT;
}

static enum status execsql_plan(struct pl_run *r, const struct pl_stmt *s, const struct plan *plan)
{
    struct into in = {.run = r, .arena = &r->temp, .strict = s->exec.strict};
    struct pl_ran ran;
    struct pl_rows rows = {begin_into, take_row, &in};
    if (!s->exec.into && plan->returns_rows) return no_destination();
    if (s->exec.into && !plan->returns_rows)
        return FAIL(SYNTAX_ERROR, "INTO used with a command that cannot return data");
    TRY(pl__run_piece(r, s->sql, s->exec.into ? &rows : NULL, false, &r->temp, &ran));
    enum status st = OK;
    uint64_t n = s->exec.into && in.enough ? in.count : ran.rows;
    r->row_count = s->exec.into && n > 1 && !s->exec.strict && in.enough ? 1 : n;
    if (sets_found(ran.plan) || s->exec.into) pl__set_found(r, n > 0);
    if (s->exec.into) st = into_end(&in, s);
    cached_plan_unref(ran.held);
    return st;
}

static enum status utility(struct pl_run *r, const char *text)
{
    struct statement *st;
    uint32_t n;
    uint64_t rows;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status result = sql_parse(&a, slice_of(text), &st, &n);
    if (result == OK && n == 1) result = pl__run_utility(r, &st[0], text, &rows);
    arena_release(&a);
    r->row_count = 0;
    return pl__in_text("SQL statement", text, 0, result);
}

enum status pl__execsql(struct pl_run *r, const struct pl_stmt *s)
{
    struct pl_piece *p;
    TRY(pl__prepare(r, s->sql, &p));
    if (p->plan->plan) return execsql_plan(r, s, p->plan->plan);
    if (s->exec.into) return FAIL(SYNTAX_ERROR, "INTO used with a command that cannot return data");
    return utility(r, s->sql->text);
}

/* --- EXECUTE -------------------------------------------------------------------------------- */

enum status pl__dynamic(struct pl_run *r, struct pl_sql *text, struct pl_sql *const *args,
                        uint32_t count, struct arena *a, struct pl_dynamic *ret)
{
    struct datum d;
    type_id type;
    int32_t typmod;
    TRY(pl__eval(r, text, &d, &type, &typmod));
    if (d.null)
        return FAIL(NULL_VALUE_NOT_ALLOWED, "query string argument of EXECUTE is null");
    type_id *types = ARENA_ARRAY(a, type_id, count + 1);
    struct datum *values = ARENA_ARRAY(a, struct datum, count + 1);
    ret->text = arena_strdup(a, pl__text(r, &d, type));
    for (uint32_t i = 0; i < count; i++) {
        TRY(pl__eval(r, args[i], &values[i], &types[i], &typmod));
        if (types[i] == TYPE_UNKNOWN) types[i] = TYPE_TEXT;
        values[i] = datum_copy(a, types[i], values[i]);
    }
    ret->types = types;
    ret->values = values;
    ret->count = count;
    return OK;
}

static enum status execute_plan(struct pl_run *r, const struct pl_stmt *s, struct cached_plan *p,
                                const struct pl_dynamic *d, struct arena *a)
{
    struct into in = {.run = r, .arena = &r->temp, .strict = s->exec.strict};
    struct pl_ran ran = {0};
    const struct exec_params params = {d->values, d->count};
    struct pl_rows rows = {begin_into, take_row, &in};
    bool into = s->exec.into && p->plan->returns_rows;
    if (s->exec.into && !into)
        return FAIL(SYNTAX_ERROR, "INTO used with a command that cannot return data");
    enum status st = pl__run_plan(r, p, &params, into ? &rows : NULL, false, a, &ran);
    if (st == PLAN_STALE)
        st = FAIL(SERIALIZATION_FAILURE, "could not run the statement: a table was changed while it waited");
    TRY(pl__in_text("SQL statement", d->text, 0, st));
    cached_plan_unref(ran.held);
    r->row_count = into && in.enough ? (in.count ? 1 : 0) : ran.rows;
    return into ? into_end(&in, s) : OK;
}

enum status pl__execute(struct pl_run *r, const struct pl_stmt *s)
{
    struct pl_dynamic d;
    struct cached_plan *p;
    struct statement *utility_statement;
    struct arena a;
    uint64_t rows;
    arena_init(&a, MEM_QUERY);
    enum status st = pl__dynamic(r, s->sql, s->args, s->arg_count, &a, &d);
    if (st == OK) st = pl__plan_dynamic(r, &d, &a, &p, &utility_statement);
    if (st == OK) {
        if (p->plan) {
            st = execute_plan(r, s, p, &d, &a);
        } else if (utility_statement && utility_statement->ast->kind == AST_TRANSACTION) {
            st = FAIL(FEATURE_NOT_SUPPORTED, "EXECUTE of transaction commands is not implemented");
        } else if (utility_statement && s->exec.into) {
            st = FAIL(SYNTAX_ERROR, "INTO used with a command that cannot return data");
        } else if (utility_statement) {
            st = pl__in_text("SQL statement", d.text, 0,
                             pl__run_utility(r, utility_statement, d.text, &rows));
            r->row_count = 0;
        }
        cached_plan_unref(p);
    }
    arena_release(&a);
    return st;
}

/* --- RETURN --------------------------------------------------------------------------------- */

static enum status return_row(struct pl_run *r, const struct pl_stmt *s)
{
    if (s->ret.is_var && r->code->types[s->ret.var].is_record) {
        struct pl_record *rec = &r->records[s->ret.var];
        r->row = rec->is_null ? NULL : rec;
        return OK;
    }
    struct datum d;
    type_id type;
    int32_t typmod;
    TRY(pl__eval(r, s->sql, &d, &type, &typmod));
    return pl__row_result(r, &d, type, &r->row);
}

enum status pl__return(struct pl_run *r, const struct pl_stmt *s, struct pl_flow *flow)
{
    const struct pl_code *c = r->code;
    type_id type;
    int32_t typmod;
    *flow = (struct pl_flow){PL_RETURNED, NULL};
    r->returned = true;
    if (!s->sql) return OK;
    if (c->returns_void) {
        struct datum ignored;
        return pl__eval(r, s->sql, &ignored, &type, &typmod);
    }
    if (c->is_trigger || c->result.is_record) return return_row(r, s);
    TRY(pl__eval(r, s->sql, &r->value, &type, &typmod));
    if (type == c->result.type) return OK;
    enum status st = pl__cast(r->s, &r->value, type, typmod, c->result.type, -1, &r->temp);
    if (st != OK) r->phase = "while casting return value to function's return type";
    return st;
}

/* --- RETURN NEXT and RETURN QUERY ------------------------------------------------------------- */

static enum status give(struct pl_run *r, const struct datum *row)
{
    return r->emit(r->emit_ctx, row);
}

/* A row of these columns, as the function's own: by position, converted where it may be. */
static enum status give_row(struct pl_run *r, const struct pl_columns *c, const struct datum *values)
{
    struct datum *out = ARENA_ARRAY(&r->temp, struct datum, r->type_count + 1);
    if (c->count != r->type_count) {
        FAIL(DATATYPE_MISMATCH, "wrong record type supplied in RETURN NEXT");
        return error_detail("Number of returned columns (%u) does not match expected column count "
                            "(%u).",
                            c->count, r->type_count);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        out[i] = values[i];
        TRY(pl__cast(r->s, &out[i], c->types[i], c->typmods[i], r->types[i], -1, &r->temp));
    }
    return give(r, out);
}

static enum status next_out(struct pl_run *r)
{
    const struct pl_record *rec = pl__returned_row(r);
    struct datum *out = ARENA_ARRAY(&r->temp, struct datum, r->code->out_count + 1);
    if (rec && r->code->result.is_record) {
        const struct pl_columns c = {rec->count, rec->names, rec->types, rec->typmods};
        return give_row(r, &c, rec->values);
    }
    for (uint32_t i = 0; i < r->code->out_count; i++)
        TRY(pl__variable(r, r->code->outs[i], &r->temp, &out[i]));
    return give(r, out);
}

static enum status next_row(struct pl_run *r, const struct datum *d, type_id type)
{
    struct pl_row row;
    if (!type_is_composite(type) && !d->null)
        return FAIL(DATATYPE_MISMATCH, "cannot return non-composite value from function returning "
                                       "composite type");
    if (!d->null) {
        TRY(pl__open_row(r, d, r->value_names, &r->temp, &row));
        return give_row(r, &row.columns, row.values);
    }
    struct datum *out = ARENA_ARRAY(&r->temp, struct datum, r->type_count + 1);
    for (uint32_t i = 0; i < r->type_count; i++) out[i].null = true;
    return give(r, out);
}

static enum status not_a_set(const char *what)
{
    return FAIL(DATATYPE_MISMATCH, "cannot use %s in a non-SETOF function", what);
}

enum status pl__return_next(struct pl_run *r, const struct pl_stmt *s)
{
    const struct pl_code *c = r->code;
    struct datum d;
    type_id type;
    int32_t typmod;
    if (!c->returns_set) return not_a_set("RETURN NEXT");
    if (!s->sql) return c->out_count ? next_out(r) : FAIL(SYNTAX_ERROR, "RETURN NEXT must have a parameter");
    if (c->out_count)
        return FAIL(DATATYPE_MISMATCH,
                    "RETURN NEXT cannot have a parameter in function with OUT parameters");
    if (s->ret.is_var && c->types[s->ret.var].is_record) {
        const struct pl_record *rec = &r->records[s->ret.var];
        const struct pl_columns columns = {rec->count, rec->names, rec->types, rec->typmods};
        if (!rec->shape) {
            FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "record \"%s\" is not assigned yet",
                 c->tree->vars[s->ret.var].name);
            return error_detail("The tuple structure of a not-yet-assigned record is indeterminate.");
        }
        return give_row(r, &columns, rec->values);
    }
    TRY(pl__eval(r, s->sql, &d, &type, &typmod));
    if (c->result.is_record) return next_row(r, &d, type);
    TRY(pl__cast(r->s, &d, type, typmod, c->result.type, -1, &r->temp));
    return give(r, &d);
}

struct query_rows {
    struct pl_run *run;
    uint64_t count;
};

static enum status pass_row(void *ctx, const struct datum *values)
{
    struct query_rows *q = ctx;
    q->count++;
    return give(q->run, values);
}

/* A query that is returned has the function's very columns. */
static enum status check_columns(const struct pl_run *r, const struct pl_columns *c)
{
    if (c->count != r->type_count) {
        FAIL(DATATYPE_MISMATCH, "structure of query does not match function result type");
        return error_detail("Number of returned columns (%u) does not match expected column count "
                            "(%u).",
                            c->count, r->type_count);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->types[i] == r->types[i]) continue;
        struct strbuf has, want;
        strbuf_init(&has, (struct arena *)(uintptr_t)&r->temp);
        strbuf_init(&want, (struct arena *)(uintptr_t)&r->temp);
        session__type_name(r->s, c->types[i], -1, &has);
        session__type_name(r->s, r->types[i], -1, &want);
        FAIL(DATATYPE_MISMATCH, "structure of query does not match function result type");
        return error_detail("Returned type %s does not match expected type %s in column %u.",
                            has.data, want.data, i + 1);
    }
    return OK;
}

static enum status begin_query(void *ctx, const struct plan *p)
{
    struct query_rows *q = ctx;
    struct pl_columns columns;
    pl__columns(&q->run->temp, p, &columns);
    return check_columns(q->run, &columns);
}

static enum status query_dynamic(struct pl_run *r, const struct pl_stmt *s, struct query_rows *q,
                                 struct arena *a)
{
    struct pl_dynamic d;
    struct cached_plan *p;
    struct statement *other;
    struct pl_ran ran = {0};
    struct pl_rows rows = {begin_query, pass_row, q};
    TRY(pl__dynamic(r, s->sql, s->args, s->arg_count, a, &d));
    TRY(pl__plan_dynamic(r, &d, a, &p, &other));
    const struct exec_params params = {d.values, d.count};
    enum status st = p->plan ? OK : FAIL(SYNTAX_ERROR, "cannot open such a statement as cursor");
    if (st == OK) {
        st = pl__in_text("SQL statement", d.text, 0, pl__run_plan(r, p, &params, &rows, true, a, &ran));
        if (st == OK) cached_plan_unref(ran.held);
    }
    cached_plan_unref(p);
    return st;
}

static enum status query_static(struct pl_run *r, const struct pl_stmt *s, struct query_rows *q,
                                struct arena *a)
{
    struct pl_piece *p;
    struct pl_ran ran;
    struct pl_rows rows = {begin_query, pass_row, q};
    TRY(pl__prepare(r, s->sql, &p));
    if (!p->plan->plan) return FAIL(SYNTAX_ERROR, "cannot open such a statement as cursor");
    TRY(pl__run_piece(r, s->sql, &rows, true, a, &ran));
    cached_plan_unref(ran.held);
    return OK;
}

enum status pl__return_query(struct pl_run *r, const struct pl_stmt *s)
{
    struct query_rows q = {.run = r};
    struct arena a;
    if (!r->code->returns_set) return not_a_set("RETURN QUERY");
    arena_init(&a, MEM_QUERY);
    enum status st = s->ret.dynamic ? query_dynamic(r, s, &q, &a) : query_static(r, s, &q, &a);
    arena_release(&a);
    TRY(st);
    r->row_count = q.count;
    pl__set_found(r, q.count > 0);
    return OK;
}
