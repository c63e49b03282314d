/* INSERT, UPDATE and DELETE of views that PostgreSQL calls automatically updatable: over a single table, or such
 * a view, with nothing that makes other rows than the table's. The statement's target, relation 0, is the table
 * at the bottom; the view's name stands for a relation beside it whose columns are expressions over the
 * table's. The conditions of the views on the way become the statement's. */
#include "sql/bind/view_target_priv.h"

#include "base/fiber.h"
#include "sql/querymap.h"

/* A view on the way down, bound. */
struct layer {
    const struct table_def *view;
    struct query *query;
    struct layer *below;          /* NULL: the table */
    struct expr **columns;        /* one a visible target, over the statement's relation 0 */
};

/* --- which views are such -------------------------------------------------------------------- */

static const struct relation *only_relation(const struct query *q)
{
    if (q->from_count != 1 || q->from[0]->kind != FROM_RELATION) return NULL;
    const struct relation *r = q->relations[q->from[0]->relation];
    bool table = r->kind == REL_TABLE && !r->versions && !r->moment;
    return table || (r->kind == REL_SUBQUERY && r->view && !r->moment) ? r : NULL;
}

/* The column of its relation that the target is; UINT32_MAX: it is none. */
static uint32_t plain_column(const struct target *t)
{
    const struct expr *e = t->expr;
    bool plain = e->kind == EXPR_COLUMN && e->column.levels_up == 0;
    return plain ? e->column.column : UINT32_MAX;
}

static bool has_plain_column(const struct query *q)
{
    for (uint32_t i = 0; i < q->target_count; i++)
        if (!q->targets[i].junk && plain_column(&q->targets[i]) != UINT32_MAX) return true;
    return false;
}

const char *bind_view_fixed(const struct query *q, bool columns)
{
    if (q->distinct) return "Views containing DISTINCT are not automatically updatable.";
    if (q->has_group || q->group_count || q->grouping_set_count)
        return "Views containing GROUP BY are not automatically updatable.";
    if (q->having) return "Views containing HAVING are not automatically updatable.";
    if (q->set_op != SETOP_NONE)
        return "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.";
    if (q->cte_count) return "Views containing WITH are not automatically updatable.";
    if (q->limit || q->offset)
        return "Views containing LIMIT or OFFSET are not automatically updatable.";
    if (q->has_aggregates)
        return "Views that return aggregate functions are not automatically updatable.";
    if (q->has_windows)
        return "Views that return window functions are not automatically updatable.";
    if (q->has_srf)
        return "Views that return set-returning functions are not automatically updatable.";
    const struct relation *r = only_relation(q);
    if (!r)
        return "Views that do not select from a single table or view are not automatically updatable.";
    if (r->sample) return "Views containing TABLESAMPLE are not automatically updatable.";
    if (columns && !has_plain_column(q))
        return "Views that have no updatable columns are not automatically updatable.";
    return NULL;
}

/* --- what changing them means ------------------------------------------------------------------ */

static enum status fixed(const struct scope *s, const struct table_def *t, const char *why)
{
    static const char *const words[][3] = {
        [CMD_INSERT] = {"insert into", "inserting into", "INSERT"},
        [CMD_UPDATE] = {"update", "updating", "UPDATE"},
        [CMD_DELETE] = {"delete from", "deleting from", "DELETE"},
    };
    const char *const *w = words[s->query->command];
    (void)FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot %s view \"%s\"", w[0], t->name);
    (void)error_detail("%s", why);
    return error_hint("To enable %s the view, provide an INSTEAD OF %s trigger or an unconditional "
                      "ON %s DO INSTEAD rule.",
                      w[1], w[2], w[2]);
}

/* Binds the views down to the table. */
static enum status find_layers(struct scope *s, const struct table_def *t, struct layer **ret,
                               const struct table_def **ret_table)
{
    struct layer *top = NULL, **at = &top;
    struct query *q = NULL;
    for (;;) {
        struct layer *l = *at = ARENA_NEW(s->env->arena, struct layer);
        at = &l->below;
        l->view = t;
        if (!q) TRY(bind__view_query(s, t, &q));
        l->query = q;
        const char *why = bind_view_fixed(q, s->query->command != CMD_DELETE);
        if (why) return fixed(s, t, why);
        const struct relation *r = only_relation(q);
        if (r->kind == REL_TABLE) {
            *ret = top;
            *ret_table = r->table;
            return OK;
        }
        t = r->view;
        q = r->subquery;
        if (bind__has_instead(t, s->query->command))
            return UNSUPPORTED("changing a view over view \"%s\", which has INSTEAD OF "
                                               "triggers, is not supported",
                        t->name);
    }
}

/* --- expressions of a view, over the statement's table ------------------------------------------ */

struct restate {
    struct scope *scope;
    const struct layer *layer;
    bool too_deep; /* a subquery of the view reads a column that is no column of the table */
};

static bool no_subquery(void *ctx, const struct expr *e)
{
    return !e || (e->kind != EXPR_SUBQUERY && expr_walk(e, no_subquery, ctx));
}

struct raise {
    struct arena *arena;
    uint32_t by;
};

static struct expr *raise(void *ctx, struct expr *e)
{
    const struct raise *r = ctx;
    if (!e) return NULL;
    if (e->kind != EXPR_COLUMN) return expr_map(r->arena, e, raise, ctx);
    e = arena_memdup(r->arena, e, sizeof *e);
    e->column.levels_up += r->by;
    return e;
}

static struct expr *restate_column(struct query_map *m, struct expr *e)
{
    struct restate *r = m->ctx;
    if (column_owner(m->at, e) != r->layer->query) return e;
    struct raise up = {m->arena, e->column.levels_up};
    if (!r->layer->below) {
        e = arena_memdup(m->arena, e, sizeof *e);
        e->column.relation = 0;
        return e;
    }
    struct expr *to = r->layer->below->columns[e->column.column];
    if (!up.by) return to;
    r->too_deep |= !no_subquery(NULL, to);
    return raise(&up, to);
}

static enum status restate(struct scope *s, const struct layer *l, const struct expr *e,
                           struct expr **ret)
{
    struct restate r = {s, l, false};
    struct query_map m = {.arena = s->env->arena, .copy = true, .expr = query_map_columns,
                          .column = restate_column, .ctx = &r, .at = l->query};
    *ret = query_map_columns(&m, (struct expr *)(uintptr_t)e);
    for (size_t i = 0; i < m.made.count; i++)
        if (m.made.data[i]->parent == l->query) m.made.data[i]->parent = s->query;
    if (r.too_deep)
        return FAIL(FEATURE_NOT_SUPPORTED, "changing view \"%s\" is not supported: a subquery in it "
                                           "reads what is no column of its table",
                    l->view->name);
    return OK;
}

static enum status restate_columns(struct scope *s, struct layer *l)
{
    const struct query *q = l->query;
    uint32_t n = 0;
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (l->below) TRY(restate_columns(s, l->below));
    l->columns = ARENA_ARRAY(s->env->arena, struct expr *, q->target_count + 1);
    for (uint32_t i = 0; i < q->target_count; i++)
        if (!q->targets[i].junk) TRY(restate(s, l, q->targets[i].expr, &l->columns[n++]));
    return OK;
}

static struct expr *both(struct scope *s, struct expr *a, struct expr *b)
{
    if (!a || !b) return a ? a : b;
    struct expr *e = bind__new(s, EXPR_BOOL, TYPE_BOOL, -1, 2);
    e->bool_op = BOOL_AND;
    e->args[0] = a;
    e->args[1] = b;
    return e;
}

static char check_option(const struct table_def *t)
{
    const char *o = t->options ? strstr(t->options, "check_option=") : NULL;
    return !o ? 0 : o[sizeof "check_option=" - 1];
}

/* Conditions of the views; and those that new rows must pass, of inner views first. */
static enum status restate_conditions(struct scope *s, const struct layer *l)
{
    struct query *q = s->query;
    bool cascaded = false;
    uint32_t n = 0;
    for (const struct layer *x = l; x; x = x->below) n++;
    struct view_check *checks = ARENA_ARRAY(s->env->arena, struct view_check, n);
    uint32_t at = n;
    for (; l; l = l->below) {
        struct expr *where = NULL;
        char option = check_option(l->view);
        if (l->query->where) TRY(restate(s, l, l->query->where, &where));
        q->view_where = both(s, where, q->view_where);
        bool checks_it = cascaded || option;
        cascaded |= option == 'c';
        if (where && checks_it) checks[--at] = (struct view_check){l->view->name, where};
    }
    if (q->command == CMD_DELETE) return OK;
    q->view_checks = checks + at;
    q->view_check_count = n - at;
    return OK;
}

/* --- the target -------------------------------------------------------------------------------- */

static void map_columns(struct scope *s, const struct table_def *t, const struct table_def *table,
                        const struct relation *base, const struct relation *r)
{
    struct query *q = s->query;
    uint32_t n = 0;
    q->view = t;
    q->view_columns = ARENA_ARRAY(s->env->arena, uint32_t, t->column_count + 1);
    for (uint16_t i = 0; i < t->column_count; i++) {
        q->view_columns[i] = UINT32_MAX;
        if (t->columns[i].dropped) continue;
        const struct expr *e = r->join_columns[n++];
        if (e->kind != EXPR_COLUMN || e->column.levels_up) continue;
        int16_t number = base->columns[e->column.column].attnum;
        for (uint32_t c = 0; c < table->column_count; c++)
            if (number > 0 && table->columns[c].number == number) q->view_columns[i] = c;
    }
}

static const struct table_def *const *path_of(struct scope *s, const struct layer *top)
{
    ARRAY(const struct table_def *) path = {0};
    for (const struct layer *l = top; l; l = l->below) ARENA_PUSH(s->env->arena, &path, l->view);
    ARENA_PUSH(s->env->arena, &path, NULL);
    return path.data;
}

enum status bind__auto_view(struct scope *s, const struct table_def *t, const struct ast_range_var *rv,
                            bool visible, uint32_t *ret_relation)
{
    struct arena *a = s->env->arena;
    const struct table_def *table;
    struct layer *top;
    TRY(find_layers(s, t, &top, &table));
    if (table->virtual_id >= 0)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied: \"%s\" is a system catalog",
                    table->name);
    struct query *q = s->query;
    q->table = table;
    q->view_path = path_of(s, top);
    struct relation *base = bind__relation_of_table(s->env, table, NULL);
    (void)bind__add_relation(s, base, false, false);
    TRY(bind__index_rules(s, 0));
    TRY(restate_columns(s, top));
    struct relation *r = bind__relation_of_table(s->env, t, rv->alias.name);
    r->kind = REL_JOIN;
    r->table = NULL;
    r->join_columns = ARENA_ARRAY(a, struct expr *, r->column_count + 1);
    memcpy(r->join_columns, top->columns, r->column_count * sizeof *r->join_columns);
    map_columns(s, t, table, base, r);
    for (uint32_t i = 0; i < r->column_count; i++) r->columns[i].attnum = 0;
    TRY(restate_conditions(s, top));
    *ret_relation = q->view_relation = bind__add_relation(s, r, visible, visible);
    return OK;
}

struct expr *bind__with_view(struct scope *s, struct expr *where)
{
    return both(s, s->query->view_where, where);
}

enum status bind__fixed_column(const struct scope *s, const char *name)
{
    const struct query *q = s->query;
    bool update = q->command == CMD_UPDATE || q->assignments;
    (void)FAIL(FEATURE_NOT_SUPPORTED, "cannot %s column \"%s\" of view \"%s\"",
               update ? "update" : "insert into", name, q->view->name);
    return error_detail("View columns that are not columns of their base relation are not updatable.");
}

enum status bind__target_column(const struct scope *s, const char *name, int location, uint32_t *ret)
{
    const struct query *q = s->query;
    uint32_t c = bind__table_column(q->view ? q->view : q->table, name);
    if (c == UINT32_MAX)
        return bind__at(s, location,
                        FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name,
                             q->view ? q->view->name : q->table->name));
    *ret = q->view ? q->view_columns[c] : c;
    return *ret == UINT32_MAX ? bind__fixed_column(s, name) : OK;
}
