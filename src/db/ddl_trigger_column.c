/* Columns that triggers name, in UPDATE OF and in conditions, while they are renamed or dropped. */
#include "db/ddl_routine_priv.h"

static enum status bind_when(struct ddl *d, const struct table_def *t, const struct trigger_def *g,
                             struct expr **ret, struct query **ret_query)
{
    struct bind_env env;
    struct ast *ast;
    session__bind_env(d->s, &env, d->a, slice_of(g->when_sql));
    TRY(sql_parse_expression(d->a, slice_of(g->when_sql), &ast));
    return bind_trigger_when(&env, ast, t, g->type, ret, ret_query);
}

/* --- renaming ------------------------------------------------------------------------------- */

static enum status rename_in_when(struct ddl *d, const struct table_def *t,
                                  struct trigger_def *g, const char *old, const char *name)
{
    struct expr *e;
    struct query *q;
    struct strbuf b;
    struct deparse_options o = {DEPARSE_STORAGE, true, d->s->catalog, session__path(d->s)};
    TRY(bind_when(d, t, g, &e, &q));
    for (uint32_t i = 0; i < q->relation_count; i++)
        for (uint32_t k = 0; k < q->relations[i]->column_count; k++)
            if (strcmp(q->relations[i]->columns[k].name, old) == 0)
                q->relations[i]->columns[k].name = name;
    strbuf_init(&b, d->a);
    expr_deparse(e, q, &o, &b);
    g->when_sql = b.data;
    return OK;
}

enum status ddl__rename_in_triggers(struct ddl *d, const struct table_def *t, struct table_edit *e,
                                    const char *old, const char *name)
{
    const struct trigger_def **list =
        ARENA_ARRAY(d->a, const struct trigger_def *, t->trigger_count + 1u);
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        list[i] = t->triggers[i];
        if (!list[i]->when_sql) continue;
        struct trigger_def *g = arena_memdup(d->a, list[i], sizeof *g);
        TRY(rename_in_when(d, t, g, old, name));
        list[i] = g;
    }
    e->def.triggers = list;
    return OK;
}

/* --- dropping ------------------------------------------------------------------------------- */

struct column_use {
    const struct query *query;
    int16_t number;
    bool found;
};

static bool in_expression(void *ctx, const struct expr *e)
{
    struct column_use *u = ctx;
    if (e->kind == EXPR_COLUMN &&
        u->query->relations[e->column.relation]->columns[e->column.column].attnum == u->number)
        u->found = true;
    return !u->found && expr_walk(e, in_expression, u);
}

static enum status names_column(struct ddl *d, const struct table_def *t,
                                const struct trigger_def *g, int16_t number, bool *ret)
{
    struct expr *e;
    struct query *q;
    *ret = false;
    for (uint16_t i = 0; i < g->column_count; i++) *ret |= g->columns[i] == number;
    if (*ret || !g->when_sql) return OK;
    TRY(bind_when(d, t, g, &e, &q));
    struct column_use u = {q, number, false};
    in_expression(&u, e);
    *ret = u.found;
    return OK;
}

enum status ddl__drop_column_triggers(struct ddl *d, oid_t table, int16_t number, bool cascade)
{
    const struct table_def *t = ddl__table(d, table);
    ARRAY(const struct trigger_def *) found = {0};
    ARRAY(const char *) words = {0};
    struct strbuf detail;
    const char *column = ddl__quote(d->a, t->columns[number - 1].name);
    strbuf_init(&detail, d->a);
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        bool names;
        TRY(names_column(d, t, t->triggers[i], number, &names));
        if (!names) continue;
        const char *w = arena_printf(d->a, "trigger %s on %s",
                                     ddl__quote(d->a, t->triggers[i]->name), ddl__words(d, t));
        strbuf_addf(&detail, "%s%s depends on column %s of %s", found.count ? "\n" : "", w, column,
                    ddl__words(d, t));
        ARENA_PUSH(d->a, &found, t->triggers[i]);
        ARENA_PUSH(d->a, &words, w);
    }
    if (found.count && !cascade) {
        FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
             "cannot drop column %s of %s because other objects depend on it", column,
             ddl__words(d, t));
        error_detail("%s", detail.data);
        return error_hint("Use DROP ... CASCADE to drop the dependent objects too.");
    }
    TRY(ddl__cascade_notice(d, words.data, (uint32_t)words.count));
    for (size_t i = 0; i < found.count; i++) TRY(ddl__remove_trigger(d, table, found.data[i]->oid));
    return OK;
}
