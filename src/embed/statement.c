/* Prepared statements: the extended protocol of a session, without the protocol. A step takes the
 * next row of the batch at hand, and goes back to the coroutine when there is none. */
#include <stdio.h>

#include "embed/embed_priv.h"

enum { TRIES_MAX = 20 }; /* of a statement whose table was changed while it waited for it */

/* --- preparing -------------------------------------------------------------------------------- */

struct preparing {
    struct helios_stmt *s;
    struct slice text;
};

static void copy_columns(struct helios_stmt *s, const struct result_column *columns, uint32_t n)
{
    struct arena *a = &s->arena;
    s->column_count = n;
    s->columns = ARENA_ARRAY(a, struct result_column, n + 1);
    s->column_types = ARENA_ARRAY(a, char *, n + 1);
    s->values = ARENA_ARRAY(a, struct datum, n + 1);
    s->value_types = ARENA_ARRAY(a, type_id, n + 1);
    s->cells = ARENA_ARRAY(a, struct cell, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct strbuf b;
        strbuf_init(&b, a);
        type_format(columns[i].type, columns[i].typmod, &b);
        s->columns[i] = columns[i];
        s->columns[i].name = arena_strdup(a, columns[i].name ? columns[i].name : "?column?");
        s->column_types[i] = b.data;
        s->value_types[i] = columns[i].type;
    }
}

static enum status describe(struct helios_stmt *s)
{
    const type_id *types;
    const struct result_column *columns;
    uint32_t n;
    TRY(session_describe_statement(s->c->session, s->name, &types, &s->parameter_count, &columns,
                                   &n));
    struct arena *a = &s->arena;
    s->parameters = ARENA_ARRAY(a, struct parameter, s->parameter_count + 1);
    s->parameter_types = ARENA_ARRAY(a, type_id, s->parameter_count + 1);
    s->bound = ARENA_ARRAY(a, struct bound_param, s->parameter_count + 1);
    for (uint32_t i = 0; i < s->parameter_count; i++) {
        s->parameters[i].null = true;
        s->parameter_types[i] = types[i];
    }
    copy_columns(s, columns, n);
    return OK;
}

static enum status prepare(struct helios_stmt *s, struct slice text)
{
    struct helios *c = s->c;
    TRY(embed__check_session(c));
    enum status st = session_check_text(text);
    if (st != OK) {
        session_fail(c->session, &c->sink);
        return st;
    }
    TRY(session_parse(c->session, s->name, text, NULL, 0));
    TRY(describe(s));
    return session_sync(c->session, &c->sink);
}

static void run_prepare(void *arg)
{
    struct preparing *p = arg;
    p->s->c->result = prepare(p->s, p->text);
}

static void link_statement(struct helios *c, struct helios_stmt *s)
{
    s->next = c->statements;
    if (s->next) s->next->prev = s;
    c->statements = s;
}

static void unlink_statement(struct helios *c, struct helios_stmt *s)
{
    if (s->next) s->next->prev = s->prev;
    if (s->prev) s->prev->next = s->next;
    else c->statements = s->next;
}

static void run_close(void *arg)
{
    struct helios_stmt *s = arg;
    s->c->result = session_close_statement(s->c->session, s->name);
}

static void free_statement(struct helios_stmt *s)
{
    for (uint32_t i = 0; i < s->parameter_count && s->parameters; i++)
        mem_free(MEM_SESSION, s->parameters[i].data);
    arena_release(&s->row_arena);
    arena_release(&s->arena);
    mem_free(MEM_SESSION, s);
}

enum helios_status helios_prepare(struct helios *c, const char *sql, struct helios_stmt **ret)
{
    if (ret) *ret = NULL;
    if (!sql || !ret || !embed__enter(c)) return HELIOS_MISUSE;
    c->failed = false;
    enum helios_status result = embed__check_idle(c);
    if (result == HELIOS_OK) {
        struct helios_stmt *s = mem_alloc(MEM_SESSION, sizeof *s);
        struct preparing p = {s, slice_of(sql)};
        s->c = c;
        snprintf(s->name, sizeof s->name, "lib_%llu", (unsigned long long)++c->last_name);
        arena_init(&s->arena, MEM_SESSION);
        arena_init(&s->row_arena, MEM_SESSION);
        result = embed__run(c, run_prepare, &p);
        if (result == HELIOS_OK) {
            link_statement(c, s);
            *ret = s;
        } else {
            (void)embed__begin(c, run_close, s);
            free_statement(s);
        }
    }
    embed__leave(c);
    return result;
}

void helios_finish(struct helios_stmt *s)
{
    if (!s) return;
    struct helios *c = s->c;
    if (c) {
        if (!embed__enter(c)) return;
        if (c->running == s) embed__end_result(s);
        (void)embed__begin(c, run_close, s);
        unlink_statement(c, s);
        embed__leave(c);
    }
    free_statement(s);
}

int helios_parameter_count(const struct helios_stmt *s)
{
    return s ? (int)s->parameter_count : 0;
}

/* --- running ---------------------------------------------------------------------------------- */

static enum status run_once(struct helios_stmt *s)
{
    struct helios *c = s->c;
    TRY(embed__check_session(c));
    for (uint32_t i = 0; i < s->parameter_count; i++) {
        const struct parameter *p = &s->parameters[i];
        s->bound[i] = (struct bound_param){p->null, p->format, slice_make(p->data, p->len)};
    }
    TRY(session_bind(c->session, "", s->name, s->bound, s->parameter_count));
    TRY(session_execute(c->session, "", 0, &c->sink));
    return session_sync(c->session, &c->sink);
}

static void execute(void *arg)
{
    struct helios_stmt *s = arg;
    struct helios *c = s->c;
    c->result = run_once(s);
    for (int i = 1; i < TRIES_MAX && c->result == PLAN_STALE; i++) {
        if (session_txn_state(c->session) != 'I') break;
        c->result = run_once(s);
    }
    enum status closed = session_close_portal(c->session, "");
    if (c->result == OK) c->result = closed;
}

static enum helios_status end(struct helios_stmt *s)
{
    struct helios *c = s->c;
    c->running = NULL;
    s->has_row = false;
    return embed__outcome(c);
}

void embed__end_result(struct helios_stmt *s)
{
    struct helios *c = s->c;
    c->mode = ROWS_STOP;
    while (embed__continue(c)) continue;
    (void)end(s);
}

static enum helios_status step(struct helios_stmt *s)
{
    struct helios *c = s->c;
    bool more = true;
    if (c->running == s) {
        if (++s->row >= c->row_count) {
            s->row = 0;
            more = embed__continue(c);
        }
    } else {
        if (embed__check_idle(c) != HELIOS_OK) return HELIOS_ERROR;
        c->mode = ROWS_STEP;
        c->running = s;
        s->row = 0;
        more = embed__begin(c, execute, s);
    }
    if (!more) return end(s) == HELIOS_OK ? HELIOS_DONE : HELIOS_ERROR;
    embed__load(c, s->row, s->values, s->value_types, s->column_count);
    s->has_row = true;
    return HELIOS_ROW;
}

static void forget_row(struct helios_stmt *s)
{
    if (!s->has_row) return;
    memset(s->cells, 0, s->column_count * sizeof *s->cells);
    arena_clear(&s->row_arena);
}

enum helios_status helios_step(struct helios_stmt *s)
{
    if (!s || !embed__enter(s->c)) return HELIOS_MISUSE;
    s->c->failed = false;
    forget_row(s);
    enum helios_status result = step(s);
    embed__leave(s->c);
    return result;
}

void helios_reset(struct helios_stmt *s)
{
    if (!s || !embed__enter(s->c)) return;
    forget_row(s);
    if (s->c->running == s) embed__end_result(s);
    embed__leave(s->c);
}
