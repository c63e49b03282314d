/* Which views can be changed as if they were tables, and which of their columns: as
 * pg_relation_is_updatable() and information_schema tell it, in bits of PostgreSQL's CmdType. */
#include "base/fiber.h"
#include "db/system_function_priv.h"
#include "db/system_priv.h"

enum { UPDATE_BIT = 1 << 2, INSERT_BIT = 1 << 3, DELETE_BIT = 1 << 4,
       ALL_BITS = UPDATE_BIT | INSERT_BIT | DELETE_BIT, STACK_BYTES = 256 << 10 };

/* The view's query; NULL when it does not bind any more. */
static struct query *query_of(struct session *s, const struct table_def *view, struct arena *a)
{
    struct bind_env env;
    struct ast *ast = NULL;
    struct query *q = NULL;
    struct error kept = *error_current();
    session__bind_env(s, &env, a, slice_of(view->view_sql));
    enum status st = env.parse_view(a, view->view_sql, &ast);
    if (st == OK) st = bind_statement(&env, ast, &q);
    if (st == OK) return q;
    *error_current() = kept;
    return NULL;
}

static int trigger_events(const struct table_def *t)
{
    int events = 0;
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        uint8_t type = t->triggers[i]->type;
        if (!(type & TRIGGER_INSTEAD) || t->triggers[i]->enabled == 'D') continue;
        if (type & TRIGGER_INSERT) events |= INSERT_BIT;
        if (type & TRIGGER_UPDATE) events |= UPDATE_BIT;
        if (type & TRIGGER_DELETE) events |= DELETE_BIT;
    }
    return events;
}

/* The column of the relation below that the view's n-th is; 0: it is none. *ret_any: some are. */
static int16_t column_below(const struct table_def *view, const struct query *q, int16_t column,
                            bool *ret_any)
{
    const struct relation *r = q->relations[q->from[0]->relation];
    int16_t found = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct expr *e = q->targets[i].expr;
        if (q->targets[i].junk) continue;
        while (at < view->column_count && view->columns[at].dropped) at++;
        if (at >= view->column_count) break;
        int16_t number = view->columns[at++].number;
        if (e->kind != EXPR_COLUMN || e->column.levels_up) continue;
        *ret_any = true;
        int16_t below = r->kind == REL_TABLE ? r->columns[e->column.column].attnum
                                             : (int16_t)(e->column.column + 1);
        if (number == column) found = below;
    }
    return found;
}

/* `column` 0: of any of them. */
static int events_of(struct session *s, const struct table_def *t, int16_t column, bool triggers,
                     struct arena *a)
{
    bool any = false;
    if (t->kind == 'r') return ALL_BITS;
    if (t->kind != 'v' || t->virtual_id >= 0 || fiber_stack_left() < STACK_BYTES) return 0;
    int events = triggers ? trigger_events(t) : 0;
    const struct query *q = query_of(s, t, a);
    if (!q || bind_view_fixed(q, false)) return events;
    int16_t below = column_below(t, q, column, &any);
    int own = (column ? below != 0 : any) ? ALL_BITS : DELETE_BIT;
    const struct relation *r = q->relations[q->from[0]->relation];
    const struct table_def *base = r->kind == REL_TABLE ? r->table : r->view;
    if (base->kind == 'v') own &= events_of(s, base, column ? below : 0, triggers, a);
    return events | own;
}

int sys_updatable(struct session *s, const struct table_def *t, int16_t column, bool triggers,
                  struct arena *a)
{
    return events_of(s, t, column, triggers, a);
}

int sys_trigger_updatable(const struct table_def *t)
{
    return trigger_events(t);
}

const char *sys_check_option(const struct table_def *t)
{
    const char *o = t->options ? strstr(t->options, "check_option=") : NULL;
    if (!o) return "NONE";
    return o[sizeof "check_option=" - 1] == 'c' ? "CASCADED" : "LOCAL";
}

enum status sys_relation_is_updatable(struct sys_call *c)
{
    const struct table_def *t = catalog_table_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    int events = t ? sys_updatable(c->s, t, 0, c->args[1].v.b, c->a) : 0;
    *c->ret = (struct datum){.v.i32 = events};
    return OK;
}

enum status sys_column_is_updatable(struct sys_call *c)
{
    enum { WANTED = UPDATE_BIT | DELETE_BIT };
    const struct table_def *t = catalog_table_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    int16_t column = c->args[1].v.i16;
    if (!t || column <= 0) return sys_ret_bool(c, false);
    return sys_ret_bool(c, (sys_updatable(c->s, t, column, c->args[2].v.b, c->a) & WANTED) == WANTED);
}
