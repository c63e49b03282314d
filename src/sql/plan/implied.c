/* a = b and b = 5 give a = 5, which an index on a can serve. The equality of the columns stays: it is
 * what connects the relations. */
#include "sql/plan/plan_priv.h"

enum { CONJUNCTS_MAX = 64 };

static bool is_equality(const struct expr *e)
{
    return e->kind == EXPR_CALL && e->call.op && strcmp(e->call.op->name, "=") == 0 &&
           e->arg_count == 2 && e->args[0]->type == e->args[1]->type;
}

static bool is_column(const struct expr *e)
{
    return e->kind == EXPR_COLUMN && e->column.levels_up == 0;
}

static bool is_fixed(const struct expr *e)
{
    return e->kind == EXPR_PARAM || (e->kind == EXPR_CONST && !e->constant.null);
}

static bool is_known(const struct level *l, const struct expr *column)
{
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        const struct expr *e = l->conjuncts.data[i];
        if (!is_equality(e)) continue;
        if (expr_equal(e->args[0], column) && is_fixed(e->args[1])) return true;
        if (expr_equal(e->args[1], column) && is_fixed(e->args[0])) return true;
    }
    return false;
}

static void add(struct level *l, const struct expr *like, struct expr *column, struct expr *value)
{
    struct arena *a = l->planner->arena;
    struct expr *e = arena_memdup(a, like, sizeof *e), *args[2] = {column, value};
    if (is_known(l, column)) return;
    e->args = arena_memdup(a, args, sizeof args);
    ARENA_PUSH(a, &l->conjuncts, e);
}

/* column = value: the columns that are equal to it are equal to the value. */
static void spread(struct level *l, const struct expr *from, struct expr *column, struct expr *value)
{
    if (!is_column(column) || !is_fixed(value)) return;
    for (size_t i = 0; i < l->conjuncts.count && l->conjuncts.count < CONJUNCTS_MAX; i++) {
        struct expr *e = l->conjuncts.data[i];
        if (!is_equality(e) || e->call.op != from->call.op) continue;
        if (!is_column(e->args[0]) || !is_column(e->args[1])) continue;
        if (expr_equal(e->args[0], column)) add(l, from, e->args[1], value);
        else if (expr_equal(e->args[1], column)) add(l, from, e->args[0], value);
    }
}

void add_implied(struct level *l)
{
    /* What is added is looked at too: equalities go as far as they reach. */
    for (size_t i = 0; i < l->conjuncts.count && l->conjuncts.count < CONJUNCTS_MAX; i++) {
        struct expr *e = l->conjuncts.data[i];
        if (!is_equality(e)) continue;
        spread(l, e, e->args[0], e->args[1]);
        spread(l, e, e->args[1], e->args[0]);
    }
}
