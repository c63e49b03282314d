/* Which views use a relation, or one column of it. Views are kept as text, so each is bound again
 * and its query searched; there are few, and DDL is rare. */
#include "db/ddl_routine_priv.h"

#include "types/record.h"

struct uses {
    const struct table_def *table;
    int16_t column;
    oid_t function;            /* instead: calls of it; 0 */
    const struct query *query; /* that the expression stands in */
    bool found;
};

static void in_query(struct uses *u, const struct query *q);

static bool in_expr(void *ctx, const struct expr *e)
{
    struct uses *u = ctx;
    const struct proc_def *proc = u->function ? expr_proc(e) : NULL;
    if (proc && proc->oid == u->function && proc_function(proc)) u->found = true;
    if (u->function && e->kind == EXPR_COLUMN) return true;
    if (u->table && u->table->kind == 'c' && u->column && e->kind == EXPR_FIELD &&
        e->args[0]->type == type_row(u->table->oid) && strcmp(e->field.name, u->table->columns[u->column - 1].name) == 0)
        u->found = true;
    if (e->kind == EXPR_COLUMN) {
        const struct query *q = u->query;
        for (uint32_t i = 0; q && i < e->column.levels_up; i++) q = q->parent;
        if (!q || e->column.relation >= q->relation_count) return true;
        const struct relation *r = q->relations[e->column.relation];
        if (r->kind == REL_TABLE && r->table && r->table->oid == u->table->oid &&
            e->column.column < r->column_count &&
            r->columns[e->column.column].attnum == u->column)
            u->found = true;
        return !u->found;
    }
    if (e->kind == EXPR_SUBQUERY) {
        const struct query *outer = u->query;
        in_query(u, e->subquery.query);
        u->query = outer;
    }
    return !u->found && expr_walk(e, in_expr, u);
}

static void in_exprs(struct uses *u, struct expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; i < n && !u->found; i++)
        if (items[i]) in_expr(u, items[i]);
}

static void in_from(struct uses *u, const struct from_item *f)
{
    if (!f || u->found || fiber_stack_left() < (64 << 10)) return;
    if (f->condition) in_expr(u, f->condition);
    in_from(u, f->left);
    in_from(u, f->right);
}

static void in_relation(struct uses *u, const struct relation *r)
{
    const struct query *outer = u->query;
    if (r->kind == REL_SUBQUERY) in_query(u, r->subquery);
    u->query = outer;
    in_exprs(u, r->functions, r->function_count);
    for (uint32_t i = 0; i < r->value_count; i++) in_exprs(u, r->values[i], r->column_count);
    if (r->kind == REL_JOIN && r->join_columns) in_exprs(u, r->join_columns, r->column_count);
}

static void in_query(struct uses *u, const struct query *q)
{
    if (!q || u->found || fiber_stack_left() < (64 << 10)) return;
    in_query(u, q->left);
    in_query(u, q->right);
    for (uint32_t i = 0; i < q->cte_count; i++) in_query(u, q->ctes[i]->query);
    u->query = q;
    struct expr *const single[] = {q->where, q->having, q->limit, q->offset};
    in_exprs(u, single, sizeof single / sizeof single[0]);
    for (uint32_t i = 0; i < q->target_count && !u->found; i++) in_expr(u, q->targets[i].expr);
    in_exprs(u, q->group_by, q->group_count);
    for (uint32_t i = 0; i < q->window_count; i++) {
        in_exprs(u, q->windows[i].partition_by, q->windows[i].partition_count);
        for (uint32_t k = 0; k < q->windows[i].order_count && !u->found; k++)
            if (q->windows[i].order_by[k].expr) in_expr(u, q->windows[i].order_by[k].expr);
    }
    for (uint32_t i = 0; i < q->from_count; i++) in_from(u, q->from[i]);
    for (uint32_t i = 0; i < q->relation_count && !u->found; i++) {
        u->query = q;
        in_relation(u, q->relations[i]);
    }
}

/* Does the view use it? A view that does not bind any more uses nothing. */
static bool view_uses(struct ddl *d, const struct table_def *view, struct uses *u)
{
    struct bind_env env;
    struct ast *ast = NULL;
    struct query *q = NULL;
    bool named = false;
    struct error kept = *error_current();
    session__bind_env(d->s, &env, d->a, slice_of(view->view_sql));
    enum status s = env.parse_view(d->a, view->view_sql, &ast);
    if (s == OK) s = bind_statement(&env, ast, &q);
    for (size_t i = 0; s == OK && u->table && i < env.tables.count; i++)
        named |= env.tables.data[i]->oid == u->table->oid;
    if (s == OK && u->function) {
        in_query(u, q);
        return u->found;
    }
    if (s != OK) *error_current() = kept;
    bool attribute = u->table && u->table->kind == 'c' && u->column; /* no list of tables has its type */
    if (s != OK || (!named && !attribute)) return false;
    if (u->column == 0) return true;
    u->found = false;
    /* A view's own columns are behind a subquery: then any use counts. */
    if (u->table->kind == 'v') return true;
    in_query(u, q);
    return u->found;
}

enum status ddl__views_over(struct ddl *d, const struct table_def *t, int16_t column,
                            const struct table_def ***ret, uint32_t *ret_count)
{
    ARRAY(const struct table_def *) found = {0};
    struct uses u = {.table = t, .column = column};
    const struct table_def *v;
    size_t pos = 0;
    while (catalog_next_table(d->s->catalog, &pos, &v)) {
        if (!v->view_sql || v->virtual_id >= 0) continue;
        if (v->oid == t->oid || v->database != t->database) continue;
        TRY(session__check_interrupts(d->s));
        if (view_uses(d, v, &u)) ARENA_PUSH(d->a, &found, v);
    }
    *ret = found.data;
    *ret_count = (uint32_t)found.count;
    return OK;
}

bool ddl__view_calls(struct ddl *d, const struct table_def *view, oid_t function)
{
    struct uses u = {.function = function};
    return view->view_sql && view->virtual_id < 0 && view_uses(d, view, &u);
}
