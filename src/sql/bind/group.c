/* GROUP BY: its expressions, and GROUPING SETS, ROLLUP and CUBE spelled out as sets of them.
 * What may stand above a grouping is checked in ungrouped.c, when all clauses are bound. */
#include "sql/bind/query_priv.h"

#include "base/fiber.h"

enum { GROUPING_SETS_MAX = 4096, CUBE_ELEMENTS_MAX = 12, SET_COLUMNS_MAX = 64 };

struct set {
    uint32_t *items, count; /* indexes into query.group_by */
};
struct sets {
    struct set *data;
    uint32_t count;
};

/* The index of a grouping expression in query.group_by, which has room for as many as there are. */
static enum status add_expression(struct scope *s, const struct ast *ast, uint32_t *ret)
{
    struct query *q = s->query;
    uint32_t target;
    struct expr *e;
    TRY(bind__match_target(s, ast, PLACE_GROUP_BY, &target, &e));
    if (target != UINT32_MAX) {
        TRY(bind__resolve_targets(s, &q->targets[target], 1));
        e = q->targets[target].expr;
        /* An output column may hold an aggregate, but nothing can be grouped by it. */
        TRY(bind__no_aggregate(s, e, "GROUP BY"));
    }
    TRY(bind__check_hashable(s, e, ast->location));
    for (uint32_t i = 0; i < q->group_count; i++) {
        if (!expr_equal(q->group_by[i], e)) continue;
        *ret = i;
        return OK;
    }
    TRY(bind__check_targets(q->group_count + 1));
    if ((q->group_count & (q->group_count - 1)) == 0) {
        uint32_t room = q->group_count ? q->group_count * 2 : 1;
        struct expr **grown = ARENA_ARRAY(s->env->arena, struct expr *, room);
        if (q->group_count) memcpy(grown, q->group_by, q->group_count * sizeof *grown);
        q->group_by = grown;
    }
    q->group_by[q->group_count] = e;
    *ret = q->group_count++;
    return OK;
}

/* Before sets are made of them: a set is a word of bits where it runs. */
static enum status check_set_columns(const struct scope *s)
{
    if (s->query->group_count > SET_COLUMNS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many grouping columns in GROUPING SETS");
    return OK;
}

static void add_item(struct scope *s, struct set *set, uint32_t item)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->items[i] == item) return;
    uint32_t *grown = ARENA_ARRAY(s->env->arena, uint32_t, set->count + 1);
    if (set->count) memcpy(grown, set->items, set->count * sizeof *grown);
    grown[set->count++] = item;
    set->items = grown;
}

static enum status add_set(struct scope *s, struct sets *sets, struct set set)
{
    if (sets->count == GROUPING_SETS_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "too many grouping sets present (maximum %d)",
                    GROUPING_SETS_MAX);
    if ((sets->count & (sets->count - 1)) == 0) {
        struct set *grown =
            ARENA_ARRAY(s->env->arena, struct set, sets->count ? sets->count * 2 : 1);
        if (sets->count) memcpy(grown, sets->data, sets->count * sizeof *grown);
        sets->data = grown;
    }
    sets->data[sets->count++] = set;
    return OK;
}

/* An expression, or several in parentheses, as one element. */
static enum status element(struct scope *s, const struct ast *ast, struct set *ret)
{
    const struct ast_row *row = AST(ast, ast_row);
    uint32_t item;
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (ast->kind == AST_ROW && !row->explicit_row) {
        for (uint32_t i = 0; i < row->args.count; i++) TRY(element(s, row->args.items[i], ret));
        return OK;
    }
    TRY(add_expression(s, ast, &item));
    add_item(s, ret, item);
    return OK;
}

static struct set join_sets(struct scope *s, const struct set *a, const struct set *b)
{
    struct set made = {ARENA_ARRAY(s->env->arena, uint32_t, a->count + b->count), 0};
    for (uint32_t i = 0; i < a->count; i++) made.items[made.count++] = a->items[i];
    for (uint32_t i = 0; i < b->count; i++) add_item(s, &made, b->items[i]);
    return made;
}

static enum status rollup(struct scope *s, const struct ast_list *items, struct sets *out)
{
    struct set *elements = ARENA_ARRAY(s->env->arena, struct set, items->count);
    for (uint32_t i = 0; i < items->count; i++) TRY(element(s, items->items[i], &elements[i]));
    TRY(check_set_columns(s));
    for (uint32_t n = items->count + 1; n-- > 0;) {
        struct set sum = {0};
        for (uint32_t i = 0; i < n; i++) sum = join_sets(s, &sum, &elements[i]);
        TRY(add_set(s, out, sum));
    }
    return OK;
}

static enum status cube(struct scope *s, const struct ast_grouping_set *g, struct sets *out)
{
    uint32_t n = g->items.count;
    if (n > CUBE_ELEMENTS_MAX)
        return bind__at(
            s, g->node.location,
            FAIL(TOO_MANY_COLUMNS, "CUBE is limited to %d elements", CUBE_ELEMENTS_MAX));
    struct set *elements = ARENA_ARRAY(s->env->arena, struct set, n);
    for (uint32_t i = 0; i < n; i++) TRY(element(s, g->items.items[i], &elements[i]));
    for (uint32_t mask = 1u << n; mask-- > 0;) {
        struct set sum = {0};
        for (uint32_t i = 0; i < n; i++)
            if (mask >> (n - 1 - i) & 1) sum = join_sets(s, &sum, &elements[i]);
        TRY(add_set(s, out, sum));
    }
    return OK;
}

/* The sets that an item of GROUP BY or of GROUPING SETS stands for. */
static enum status expand(struct scope *s, const struct ast *ast, struct sets *out)
{
    const struct ast_grouping_set *g = AST(ast, ast_grouping_set);
    struct set one = {0};
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (ast->kind != AST_GROUPING_SET) {
        TRY(element(s, ast, &one));
        return add_set(s, out, one);
    }
    switch (g->type) {
    case GROUPING_EMPTY: return add_set(s, out, one);
    case GROUPING_ROLLUP: return rollup(s, &g->items, out);
    case GROUPING_CUBE: return cube(s, g, out);
    case GROUPING_SIMPLE:
        for (uint32_t i = 0; i < g->items.count; i++) TRY(element(s, g->items.items[i], &one));
        return add_set(s, out, one);
    case GROUPING_SETS: break;
    }
    for (uint32_t i = 0; i < g->items.count; i++) TRY(expand(s, g->items.items[i], out));
    return OK;
}

static bool same_set(const struct set *a, const struct set *b)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t k = 0; k < b->count; k++) found += a->items[i] == b->items[k];
    return a->count == b->count && found == a->count;
}

/* GROUP BY DISTINCT. */
static void drop_duplicates(struct sets *sets)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sets->count; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < kept && !seen; k++)
            seen = same_set(&sets->data[i], &sets->data[k]);
        if (!seen) sets->data[kept++] = sets->data[i];
    }
    sets->count = kept;
}

/* Several items: every set of one with every set of the others. */
static enum status all_sets(struct scope *s, const struct ast_list *items, struct sets *ret)
{
    struct sets sofar = {0};
    TRY(add_set(s, &sofar, (struct set){0}));
    for (uint32_t i = 0; i < items->count; i++) {
        struct sets own = {0}, product = {0};
        TRY(expand(s, items->items[i], &own));
        if (sofar.count > 1 || own.count > 1) TRY(check_set_columns(s));
        for (uint32_t a = 0; a < sofar.count; a++)
            for (uint32_t b = 0; b < own.count; b++)
                TRY(add_set(s, &product, join_sets(s, &sofar.data[a], &own.data[b])));
        sofar = product;
    }
    *ret = sofar;
    return OK;
}

enum status bind__group_clause(struct scope *s, const struct ast_list *items, bool distinct)
{
    struct query *q = s->query;
    struct sets sets;
    if (items->count == 0) return OK;
    q->has_group = true;
    TRY(all_sets(s, items, &sets));
    if (distinct) drop_duplicates(&sets);
    if (sets.count == 1) return OK; /* of all expressions: no sets at all */
    q->grouping_sets = arena_zalloc(s->env->arena, sets.count * sizeof *q->grouping_sets);
    for (uint32_t i = 0; i < sets.count; i++) {
        q->grouping_sets[i].items = sets.data[i].items;
        q->grouping_sets[i].count = sets.data[i].count;
    }
    q->grouping_set_count = sets.count;
    return OK;
}

enum status bind__group_by(struct scope *s, const struct ast_list *items)
{
    return bind__group_clause(s, items, false);
}
