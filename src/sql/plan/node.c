/* Making plan nodes, and the estimates that need no statistics. */
#include "sql/plan/plan_priv.h"

struct plan_node *node_new(struct planner *p, enum plan_kind kind)
{
    struct plan_node *n = ARENA_NEW(p->arena, struct plan_node);
    n->kind = kind;
    n->id = p->plan->node_count++;
    n->rows = 1;
    return n;
}

void node_columns_from(struct planner *p, struct plan_node *n, const struct plan_node *from)
{
    n->column_count = from->column_count;
    n->columns = arena_memdup(p->arena, from->columns, from->column_count * sizeof *from->columns);
    n->width = from->width;
}

void node_columns_concat(struct planner *p, struct plan_node *n, const struct plan_node *a,
                         const struct plan_node *b)
{
    n->column_count = a->column_count + b->column_count;
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, n->column_count);
    if (a->column_count) memcpy(n->columns, a->columns, a->column_count * sizeof *a->columns);
    if (b->column_count)
        memcpy(n->columns + a->column_count, b->columns, b->column_count * sizeof *b->columns);
    n->width = a->width + b->width;
}

static bool is_equality(const struct expr *e)
{
    return e->kind == EXPR_CALL && e->call.op && strcmp(e->call.op->name, "=") == 0;
}

/* PostgreSQL's defaults for what is not known (utils/selfuncs.h documents them). */
double filter_selectivity(const struct expr *e)
{
    double s = 1;
    if (!e) return 1;
    if (e->kind == EXPR_BOOL) {
        if (e->bool_op == BOOL_NOT) return 1 - filter_selectivity(e->args[0]);
        for (uint32_t i = 0; i < e->arg_count; i++) {
            double one = filter_selectivity(e->args[i]);
            s *= e->bool_op == BOOL_AND ? one : 1 - one;
        }
        return e->bool_op == BOOL_AND ? s : 1 - s;
    }
    if (is_equality(e)) return 0.005;
    if (e->kind == EXPR_IN_LIST)
        return e->arg_count * 0.005 > 0.5 ? 0.5 : (e->arg_count - 1) * 0.005;
    if (e->kind == EXPR_NULL_TEST) return e->negated ? 0.995 : 0.005;
    if (e->kind == EXPR_CALL && e->call.op) return 1.0 / 3;
    return 0.5;
}

struct plan_node *node_filter(struct planner *p, struct plan_node *input, struct expr *condition)
{
    if (!condition) return input;
    struct plan_node *n = node_new(p, PLAN_FILTER);
    n->left = input;
    n->filter = condition;
    node_columns_from(p, n, input);
    n->rows = input->rows * filter_selectivity(condition);
    n->cost_start = input->cost_start;
    n->cost_total = input->cost_total + input->rows * 0.0025;
    return n;
}

struct plan_node *node_project(struct planner *p, struct plan_node *input, struct expr **exprs,
                               uint32_t n, const char *const *names)
{
    struct plan_node *node = node_new(p, PLAN_PROJECT);
    node->left = input;
    node->project.exprs = exprs;
    node->column_count = n;
    node->columns = ARENA_ARRAY(p->arena, struct plan_column, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct type_info *t = type_get(exprs[i]->type);
        node->columns[i] =
            (struct plan_column){exprs[i]->type, exprs[i]->typmod, names ? names[i] : NULL};
        node->width += t && t->typlen > 0 ? (uint32_t)t->typlen : 32;
    }
    node->rows = input->rows;
    node->cost_start = input->cost_start;
    node->cost_total = input->cost_total + input->rows * 0.0025;
    return node;
}

struct expr *expr_slot(struct planner *p, uint32_t slot, type_id type, int32_t typmod)
{
    struct expr *e = ARENA_NEW(p->arena, struct expr);
    e->kind = EXPR_SLOT;
    e->type = type;
    e->typmod = typmod;
    e->location = -1;
    e->slot = slot;
    return e;
}

void planner_use_table(struct planner *p, const struct table_def *t, uint8_t lock)
{
    for (size_t i = 0; i < p->tables.count; i++) {
        if (p->tables.data[i] != t) continue;
        if (p->locks.data[i] < lock) p->locks.data[i] = lock;
        return;
    }
    ARENA_PUSH(p->arena, &p->tables, t);
    ARENA_PUSH(p->arena, &p->locks, lock);
}
