/* Cursors: a variable holds the name of one of the session's portals. */
#include "db/past_priv.h"
#include "db/pl_priv.h"

#include <stdio.h>

static void name_variable(struct pl_run *r, uint32_t var, const char *name)
{
    struct datum d = {.v.bytes = bytes_ref(name, (uint32_t)strlen(name))};
    pl__store(r, var, &d);
}

/* A cursor without a name gets one when it is opened: of its variable if that is bound, else a new one. */
static const char *name_of(struct pl_run *r, uint32_t var, bool bound)
{
    struct pl_state *p = pl__state(r->s);
    const char *name = r->code->tree->vars[var].name;
    if (!r->vars[var].null) return pl__text(r, &r->vars[var], TYPE_TEXT);
    if (!bound) name = arena_printf(&r->temp, "<unnamed portal %u>", ++p->cursor_number);
    name_variable(r, var, name);
    return name;
}

/* Parameters of a bound cursor are variables; its query is a piece like others. */
enum status pl__bound_query(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                            struct cached_plan **ret, struct exec_params *ret_params)
{
    const struct pl_var *v = &r->code->tree->vars[s->cursor.var];
    struct pl_piece *p;
    for (uint32_t i = 0; i < s->arg_count && i < v->param_count; i++) {
        const struct pl_target t = {.var = v->param + i};
        struct datum d;
        type_id type;
        int32_t typmod;
        TRY(pl__eval(r, s->args[i], &d, &type, &typmod));
        TRY(pl__assign(r, &t, &d, type, typmod));
    }
    TRY(pl__prepare(r, v->query, &p));
    if (!p->plan->plan) return FAIL(INVALID_CURSOR_DEFINITION, "cannot open such a statement as cursor");
    struct datum *values = ARENA_ARRAY(a, struct datum, p->ref_count + 1);
    pl__params(r, p, values);
    for (uint32_t i = 0; i < p->ref_count; i++)
        values[i] = datum_copy(a, p->plan->plan->param_types[i], values[i]);
    *ret_params = (struct exec_params){values, p->ref_count, past_take_moments(r->s, p->plan, a)};
    cached_plan_ref(p->plan);
    *ret = p->plan;
    return OK;
}

static enum status query_of(struct pl_run *r, const struct pl_stmt *s, struct arena *a,
                            struct cached_plan **ret, struct exec_params *ret_params,
                            const char **ret_text)
{
    const struct pl_var *v = &r->code->tree->vars[s->cursor.var];
    struct pl_piece *p;
    if (v->query) {
        *ret_text = v->query->text;
        return pl__bound_query(r, s, a, ret, ret_params);
    }
    if (s->cursor.is_dynamic) {
        struct pl_dynamic d;
        struct statement *other;
        TRY(pl__dynamic(r, s->sql, s->args, s->arg_count, a, &d));
        TRY(pl__plan_dynamic(r, &d, a, ret, &other));
        *ret_text = d.text;
        *ret_params = (struct exec_params){d.values, d.count};
        if ((*ret)->plan) return OK;
        cached_plan_unref(*ret);
        return FAIL(INVALID_CURSOR_DEFINITION, "cannot open such a statement as cursor");
    }
    TRY(pl__prepare(r, s->sql, &p));
    if (!p->plan->plan) return FAIL(INVALID_CURSOR_DEFINITION, "cannot open such a statement as cursor");
    struct datum *values = ARENA_ARRAY(a, struct datum, p->ref_count + 1);
    pl__params(r, p, values);
    *ret_params = (struct exec_params){values, p->ref_count, past_take_moments(r->s, p->plan, a)};
    *ret_text = s->sql->text;
    cached_plan_ref(p->plan);
    *ret = p->plan;
    return OK;
}

static enum status open_cursor(struct pl_run *r, const struct pl_stmt *s)
{
    const struct pl_var *v = &r->code->tree->vars[s->cursor.var];
    struct cached_plan *p;
    struct exec_params params;
    const char *text;
    if (!r->vars[s->cursor.var].null) {
        const char *name = pl__text(r, &r->vars[s->cursor.var], TYPE_TEXT);
        if (map_get(&r->s->portals, slice_of(name)))
            return FAIL(DUPLICATE_CURSOR, "cursor \"%s\" already in use", name);
    }
    TRY(query_of(r, s, &r->temp, &p, &params, &text));
    bool scroll = s->cursor.scroll || v->scroll, no = s->cursor.no_scroll || v->no_scroll;
    const char *name = name_of(r, s->cursor.var, v->query != NULL);
    enum status st = OK;
    if (!p->plan->returns_rows)
        st = FAIL(INVALID_CURSOR_DEFINITION, "cannot open %s query as cursor",
                  pl__command_name(p->plan));
    if (st == OK) st = session__open_portal(r->s, name, p, &params, slice_of(text), scroll, no);
    cached_plan_unref(p);
    return pl__in_text("SQL statement", text, 0, st);
}

/* --- FETCH, MOVE, CLOSE --------------------------------------------------------------------- */

struct fetched {
    struct pl_run *run;
    struct pl_columns columns;
    struct datum *row;
};

static enum status take_columns(void *ctx, const struct result_column *columns, uint32_t count)
{
    struct fetched *f = ctx;
    struct arena *a = &f->run->temp;
    const char **names = ARENA_ARRAY(a, const char *, count + 1);
    type_id *types = ARENA_ARRAY(a, type_id, count + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = columns[i].name;
        types[i] = columns[i].type;
        typmods[i] = columns[i].typmod;
    }
    f->columns = (struct pl_columns){count, names, types, typmods};
    return OK;
}

static enum status take_row(void *ctx, const struct datum *values, uint32_t count)
{
    struct fetched *f = ctx;
    f->row = ARENA_ARRAY(&f->run->temp, struct datum, count + 1);
    for (uint32_t i = 0; i < count; i++)
        f->row[i] = datum_copy(&f->run->temp, f->columns.types[i], values[i]);
    return OK;
}

static enum status take_batch(void *ctx, const struct batch *b)
{
    struct fetched *f = ctx;
    struct datum *values = ARENA_ARRAY(&f->run->temp, struct datum, f->columns.count + 1);
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t c = 0; c < f->columns.count; c++)
            values[c] = vec_get(&b->columns[c], b->sel ? b->sel[i] : i);
        TRY(take_row(ctx, values, f->columns.count));
    }
    return OK;
}

static enum status how_many(struct pl_run *r, const struct pl_stmt *s, struct ast_fetch *f)
{
    struct datum d = {.v.i64 = 1};
    if (s->cursor.count) TRY(pl__eval_as(r, s->cursor.count, TYPE_INT8, &d));
    if (d.null)
        return FAIL(NULL_VALUE_NOT_ALLOWED, "relative or absolute cursor position is null");
    f->count = s->cursor.all ? INT64_MAX : d.v.i64;
    f->direction = FETCH_FORWARD;
    switch (s->cursor.direction) {
    case 'p':
    case 'B': f->direction = FETCH_BACKWARD; break;
    case 'f': f->direction = FETCH_ABSOLUTE; break;
    case 'l':
        f->direction = FETCH_ABSOLUTE;
        f->count = -1;
        break;
    case 'a': f->direction = FETCH_ABSOLUTE; break;
    case 'r': f->direction = FETCH_RELATIVE; break;
    default: break;
    }
    return OK;
}

static enum status cursor_name(struct pl_run *r, const struct pl_stmt *s, const char **ret)
{
    const struct datum *d = &r->vars[s->cursor.var];
    if (d->null)
        return FAIL(NULL_VALUE_NOT_ALLOWED, "cursor variable \"%s\" is null",
                    r->code->tree->vars[s->cursor.var].name);
    *ret = pl__text(r, d, TYPE_TEXT);
    if (map_get(&r->s->portals, slice_of(*ret))) return OK;
    return FAIL(INVALID_CURSOR_NAME, "cursor \"%s\" does not exist", *ret);
}

static enum status fetch(struct pl_run *r, const struct pl_stmt *s)
{
    struct fetched f = {.run = r};
    const struct result_sink sink = {.columns = take_columns, .rows = take_batch, .row = take_row,
                                     .ctx = &f};
    struct ast_fetch a = {.move = s->cursor.move};
    char tag[64] = "";
    int64_t n = 0;
    TRY(cursor_name(r, s, &a.name));
    TRY(how_many(r, s, &a));
    TRY(session__fetch(r->s, &a, &sink, tag));
    const char *blank = strchr(tag, ' ');
    if (blank) (void)str_to_i64(slice_of(blank + 1), &n);
    r->row_count = (uint64_t)n;
    pl__set_found(r, n > 0);
    if (s->cursor.move) return OK;
    return pl__assign_row(r, &s->into, &f.columns, f.row);
}

enum status pl__cursor(struct pl_run *r, const struct pl_stmt *s)
{
    const char *name;
    if (s->kind == PL_OPEN) return open_cursor(r, s);
    if (s->kind == PL_FETCH) return fetch(r, s);
    TRY(cursor_name(r, s, &name));
    return session__close_cursor(r->s, name);
}
