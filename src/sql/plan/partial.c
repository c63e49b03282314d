/* A partial index serves a query when what the query asks for implies the index's predicate: each of its
 * conjuncts is one of the conditions, or follows from one: `a > 5` from `a > 7` and from `a = 9`, `a IS NOT
 * NULL` from any comparison with a. */
#include "sql/plan/partial.h"

/* --- comparisons with a constant ---------------------------------------------------------------- */

struct comparison {
    const struct expr *side;  /* what is compared */
    const struct datum *value;
    char op[3];               /* as if `side` stood on the left */
};

static const char *flipped(const char *op)
{
    static const char *const pairs[][2] = {
        {"=", "="}, {"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}, {"<>", "<>"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(op, pairs[i][0]) == 0) return pairs[i][1];
    return NULL;
}

static bool as_comparison(const struct expr *e, struct comparison *ret)
{
    if (e->kind != EXPR_CALL || !e->call.op || e->arg_count != 2) return false;
    const char *op = e->call.op->name, *other = flipped(op);
    int constant = e->args[1]->kind == EXPR_CONST ? 1 : e->args[0]->kind == EXPR_CONST ? 0 : -1;
    if (!other || constant < 0 || e->args[constant]->constant.null) return false;
    ret->side = e->args[1 - constant];
    ret->value = &e->args[constant]->constant;
    const char *name = constant == 1 ? op : other;
    memcpy(ret->op, name, strlen(name) + 1);
    return ret->side->type == e->args[constant]->type;
}

/* Does `side op value` follow from `side = v`? */
static bool holds(int cmp, const char *op)
{
    switch (op[0]) {
    case '=': return cmp == 0;
    case '<': return op[1] == '>' ? cmp != 0 : op[1] == '=' ? cmp <= 0 : cmp < 0;
    default: return op[1] == '=' ? cmp >= 0 : cmp > 0;
    }
}

static bool compares_closer(const struct expr *given, const struct expr *wanted)
{
    struct comparison g, w;
    if (!as_comparison(given, &g) || !as_comparison(wanted, &w) || !expr_equal(g.side, w.side))
        return false;
    int cmp = value_compare(g.side->type, &g.value->v, &w.value->v);
    if (strcmp(g.op, "=") == 0) return holds(cmp, w.op);
    if (strcmp(w.op, "<>") == 0) {
        if (g.op[0] == '<' && g.op[1] != '>') return g.op[1] == '=' ? cmp < 0 : cmp <= 0;
        return g.op[0] == '>' && (g.op[1] == '=' ? cmp > 0 : cmp >= 0);
    }
    if (g.op[0] != w.op[0] || (g.op[0] == '<' && g.op[1] == '>')) return false;
    bool strict = g.op[1] != '=' || w.op[1] == '='; /* the same bound will do */
    if (g.op[0] == '<') return strict ? cmp <= 0 : cmp < 0;
    return strict ? cmp >= 0 : cmp > 0;
}

/* --- implication -------------------------------------------------------------------------------- */

/* The condition is not true when `what` is NULL. */
static bool is_strict_in(const struct expr *e, const struct expr *what)
{
    if (expr_equal(e, what)) return true;
    bool strict = e->kind == EXPR_CALL && e->call.proc && e->call.proc->strict;
    if (e->kind == EXPR_IN_LIST) return is_strict_in(e->args[0], what);
    for (uint32_t i = 0; strict && i < e->arg_count; i++)
        if (is_strict_in(e->args[i], what)) return true;
    return e->kind == EXPR_CAST && is_strict_in(e->args[0], what);
}

static bool follows(const struct expr *given, const struct expr *wanted)
{
    if (expr_equal(given, wanted) || compares_closer(given, wanted)) return true;
    if (wanted->kind == EXPR_NULL_TEST && wanted->negated)
        return is_strict_in(given, wanted->args[0]);
    return false;
}

static bool implied(const struct expr *wanted, struct expr **conjuncts, uint32_t n)
{
    if (wanted->kind == EXPR_BOOL && wanted->bool_op == BOOL_AND) {
        for (uint32_t i = 0; i < wanted->arg_count; i++)
            if (!implied(wanted->args[i], conjuncts, n)) return false;
        return true;
    }
    if (wanted->kind == EXPR_BOOL && wanted->bool_op == BOOL_OR)
        for (uint32_t i = 0; i < wanted->arg_count; i++)
            if (implied(wanted->args[i], conjuncts, n)) return true;
    for (uint32_t i = 0; i < n; i++)
        if (follows(conjuncts[i], wanted)) return true;
    return false;
}

bool index_covers(struct level *l, uint32_t relation, uint16_t index, struct expr **conjuncts,
                  uint32_t n)
{
    const struct relation *r = l->query->relations[relation];
    const struct expr *predicate = r->rules ? r->rules[index].predicate : NULL;
    return predicate && implied(predicate, conjuncts, n);
}

/* --- parameters --------------------------------------------------------------------------------- */

static bool no_param(void *ctx, const struct expr *e)
{
    return e->kind != EXPR_PARAM && expr_walk(e, no_param, ctx);
}

static bool no_constant(void *ctx, const struct expr *e)
{
    return e->kind != EXPR_CONST && expr_walk(e, no_constant, ctx);
}

void note_literals(struct level *l, uint32_t relation, struct expr **conjuncts, uint32_t n)
{
    const struct relation *r = l->query->relations[relation];
    bool params = false, constants = false;
    for (uint32_t i = 0; i < n; i++) params |= !no_param(NULL, conjuncts[i]);
    for (uint16_t i = 0; params && !constants && i < r->table->index_count; i++) {
        constants = r->rules[i].predicate != NULL;
        for (uint16_t k = 0; r->rules[i].keys && k < r->table->indexes[i]->key_count; k++)
            constants |= r->rules[i].keys[k] && !no_constant(NULL, r->rules[i].keys[k]);
    }
    if (constants) l->planner->plan->literals_matter = true;
}
