/* Functions in SQL: the statements of the body one after the other; the last one's rows are the result. */
#include "db/pl_priv.h"
#include "types/record.h"

struct last {
    struct pl_run *run;
    const struct plan *plan;
    struct datum *out;
    bool any;
    bool unwrap; /* its one column is the row itself */
};

static enum status no_match(struct pl_run *r, const char *detail)
{
    struct strbuf b;
    strbuf_init(&b, &r->temp);
    session__type_name(r->s, r->code->result.table ? type_row(r->code->result.table)
                                                   : r->code->result.type,
                       -1, &b);
    FAIL(INVALID_FUNCTION_DEFINITION, "return type mismatch in function declared to return %s", b.data);
    return error_detail("%s", detail);
}

/* One column that is a row where a row is wanted. */
static bool is_whole(const struct pl_run *r, const struct plan *p)
{
    type_id type = p->output_count == 1 ? p->output[0].type : (type_id)TYPE_NONE;
    if (!r->code->result.is_record || !type_is_composite(type)) return false;
    return type == r->code->result.table + TYPE_ROW_BIT || r->type_count != 1 || r->types[0] != type;
}

static enum status too_few(struct pl_run *r, uint32_t n)
{
    return no_match(r, n < r->type_count ? "Final statement returns too few columns."
                                         : "Final statement returns too many columns.");
}

/* The row's fields, converted by position; a NULL row is NULLs. */
static enum status convert_row(struct last *l, const struct datum *d)
{
    struct pl_run *r = l->run;
    struct pl_row row;
    for (uint32_t i = 0; i < r->type_count; i++) l->out[i] = (struct datum){.null = true};
    r->null_row = d->null;
    if (d->null) return OK;
    TRY(pl__open_row(r, d, NULL, &r->temp, &row));
    if (r->any_row && !r->type_count) {
        r->types = arena_memdup(&r->keep, row.columns.types, row.columns.count * sizeof(type_id) + 1);
        r->type_count = row.columns.count;
        l->out = ARENA_ARRAY(&r->keep, struct datum, r->type_count + 1);
    }
    if (row.columns.count != r->type_count) return too_few(r, row.columns.count);
    for (uint32_t i = 0; i < r->type_count; i++) {
        l->out[i] = row.values[i];
        TRY(pl__cast(r->s, &l->out[i], row.columns.types[i], -1, r->types[i], -1, &r->temp));
    }
    return OK;
}

/* Its columns are converted where an assignment would convert them. */
static enum status convert(struct last *l, const struct datum *values)
{
    struct pl_run *r = l->run;
    if (l->unwrap) return convert_row(l, values);
    for (uint32_t i = 0; i < r->type_count; i++) {
        l->out[i] = values[i];
        TRY(pl__cast(r->s, &l->out[i], l->plan->output[i].type, l->plan->output[i].typmod,
                     r->types[i], -1, &r->temp));
    }
    return OK;
}

static enum status take_row(void *ctx, const struct datum *values)
{
    struct last *l = ctx;
    struct pl_run *r = l->run;
    if (l->any && !r->code->returns_set) return OK;
    TRY(convert(l, values));
    l->any = true;
    if (r->code->returns_set) return r->emit(r->emit_ctx, l->out);
    for (uint32_t i = 0; i < r->type_count; i++)
        l->out[i] = datum_copy(&r->temp, r->types[i], l->out[i]);
    return l->plan->writes ? OK : END_OF_DATA;
}

static enum status check_result(struct pl_run *r, const struct plan *p)
{
    if (!p || !p->returns_rows) {
        error_clear();
        no_match(r, "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING.");
        return INVALID_FUNCTION_DEFINITION;
    }
    if (p->output_count == r->type_count || is_whole(r, p)) return OK;
    if (r->code->result.is_record) return too_few(r, p->output_count);
    return no_match(r, "Final statement must return exactly one column.");
}

static enum status begin_rows(void *ctx, const struct plan *p)
{
    struct last *l = ctx;
    l->plan = p;
    return check_result(l->run, p);
}

/* A row of whatever the last statement gives. */
static void adopt(struct pl_run *r, const struct plan *p)
{
    type_id *types = ARENA_ARRAY(&r->keep, type_id, p->output_count + 1);
    for (uint32_t i = 0; i < p->output_count; i++) types[i] = p->output[i].type;
    r->types = types;
    r->type_count = p->output_count;
}

static enum status run_last(struct pl_run *r, struct pl_sql *q)
{
    struct pl_piece *p;
    struct pl_ran ran;
    TRY(pl__prepare(r, q, &p));
    if (r->any_row && p->plan->plan && !is_whole(r, p->plan->plan)) adopt(r, p->plan->plan);
    TRY(check_result(r, p->plan->plan));
    struct last l = {.run = r, .plan = p->plan->plan,
                     .out = ARENA_ARRAY(&r->keep, struct datum, r->type_count + 1),
                     .unwrap = is_whole(r, p->plan->plan)};
    struct pl_rows rows = {begin_rows, take_row, &l};
    cached_plan_ref(p->plan);
    struct cached_plan *held = p->plan;
    enum status st;
    if (p->simple && !r->code->returns_set) {
        st = pl__eval(r, q, &l.out[0], &(type_id){0}, &(int32_t){0});
        if (st == OK) {
            struct datum value = l.out[0];
            st = convert(&l, &value);
        }
        l.any = true;
    } else {
        st = pl__run_piece(r, q, &rows, r->code->returns_set, &r->temp, &ran);
        if (st == OK) cached_plan_unref(ran.held);
    }
    cached_plan_unref(held);
    TRY(st);
    r->returned = l.any;
    if (l.any && !r->code->returns_set && !r->code->result.is_record) r->value = l.out[0];
    if (l.any && !r->code->returns_set && r->code->result.is_record)
        return r->emit(r->emit_ctx, l.out);
    return OK;
}

static enum status run_other(struct pl_run *r, struct pl_sql *q)
{
    struct pl_piece *p;
    struct pl_ran ran;
    TRY(pl__prepare(r, q, &p));
    if (p->plan->plan) {
        TRY(pl__run_piece(r, q, NULL, false, &r->temp, &ran));
        cached_plan_unref(ran.held);
        return OK;
    }
    struct statement *st;
    uint32_t n;
    uint64_t rows;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    enum status result = sql_parse(&a, slice_of(q->text), &st, &n);
    if (result == OK) result = pl__run_utility(r, &st[0], q->text, &rows);
    arena_release(&a);
    return result;
}

enum status pl__run_sql(struct pl_run *r)
{
    const struct pl_code *c = r->code;
    enum status st = exec_check_stack();
    uint32_t i = 0;
    for (; st == OK && i < c->statement_count; i++) {
        bool last = i + 1 == c->statement_count && !c->returns_void;
        st = last ? run_last(r, &r->code->statements[i]) : run_other(r, &r->code->statements[i]);
        if (!last) arena_clear(&r->temp);
    }
    if (st == OK && c->statement_count == 0 && !c->returns_void) {
        i = 1;
        st = check_result(r, NULL);
    }
    if (st != OK && st != END_OF_DATA) {
        struct error *e = error_current();
        if (strncmp(e->where, "SQL statement \"", 15) == 0) {
            /* The statement is told by its number. */
            const char *rest = strchr(e->where, '\n');
            size_t n = rest ? strlen(rest + 1) : 0;
            memmove(e->where, rest ? rest + 1 : "", n);
            e->where[n] = '\0';
        }
        error_where_more("SQL function \"%s\" statement %u", c->name, i);
    }
    return st;
}

/* --- at CREATE FUNCTION ---------------------------------------------------------------------- */

/* Its rows' columns go where assignment casts lead. */
static enum status check_types(struct pl_run *r, const struct plan *p)
{
    if (is_whole(r, p)) return OK;
    for (uint32_t i = 0; i < r->type_count; i++) {
        struct bind_env env;
        struct expr e = {.kind = EXPR_PARAM, .type = p->output[i].type, .typmod = -1, .location = -1,
                         .param = 1}, *fit;
        session__bind_env(r->s, &env, &r->temp, slice_make("", 0));
        if (bind_coerce_assignment(&env, &e, r->types[i], -1, "", &fit) == OK) continue;
        struct strbuf has, want;
        strbuf_init(&has, &r->temp);
        strbuf_init(&want, &r->temp);
        session__type_name(r->s, p->output[i].type, -1, &has);
        session__type_name(r->s, r->types[i], -1, &want);
        if (!r->code->result.is_record)
            return no_match(r, arena_printf(&r->temp, "Actual return type is %s.", has.data));
        return no_match(r, arena_printf(&r->temp, "Final statement returns %s instead of %s at "
                                                  "column %u.",
                                        has.data, want.data, i + 1));
    }
    return OK;
}

static enum status check_statements(struct pl_run *r, const char **ret_at)
{
    struct pl_code *c = r->code;
    struct pl_piece *p = NULL;
    for (uint32_t i = 0; i < c->statement_count; i++) {
        *ret_at = c->statements[i].text;
        TRY(pl__prepare(r, &c->statements[i], &p));
    }
    *ret_at = NULL;
    if (c->returns_void || (c->result.is_record && !r->type_count)) return OK;
    TRY(check_result(r, p ? p->plan->plan : NULL));
    return check_types(r, p->plan->plan);
}

enum status pl__check_sql(struct session *s, const struct function_def *f, struct pl_code *c,
                          struct slice text)
{
    struct pl_run r;
    const char *at = NULL;
    struct function_column columns[FUNCTION_ARGS_MAX];
    type_id types[TABLE_COLUMNS_MAX];
    struct function_column *all = columns;
    pl__run_init(&r, s, c);
    r.checking = true;
    if (f->result_table) all = ARENA_ARRAY(&r.keep, struct function_column, TABLE_COLUMNS_MAX);
    r.types = types;
    r.type_count = catalog_function_columns(s->catalog, f, all,
                                            f->result_table ? TABLE_COLUMNS_MAX : FUNCTION_ARGS_MAX);
    for (uint32_t i = 0; i < r.type_count; i++) types[i] = all[i].type;
    if (f->proc.result != TYPE_RECORD) types[r.type_count++] = f->proc.result;
    enum status st = check_statements(&r, &at);
    pl__run_release(&r);
    if (st == OK) return OK;
    struct error *e = error_current();
    if (at && e->query_position) {
        e->position = e->query_position;
        e->query_position = 0;
        e->query[0] = '\0';
        return pl__transpose(text, at, st);
    }
    e->where[0] = '\0';
    return error_where("SQL function \"%s\"", f->proc.name);
}
