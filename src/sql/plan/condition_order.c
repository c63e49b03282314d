/* In which order the conditions of a filter are looked at: those that leave out most rows for their
 * cost come first, and each pays for the columns that it is the first to read. Only conditions that
 * cannot raise an error go to the front, so no row meets another condition that did not as written. */
#include "sql/plan/plan_priv.h"

enum { CONDITIONS_MAX = 64, TEXT_COST = 4, MATCH_COST = 10, COLUMN_COST = 3 };

/* --- errors ------------------------------------------------------------------------------------- */

static int number_rank(type_id t)
{
    return t == TYPE_INT2 ? 1 : t == TYPE_INT4 ? 2 : t == TYPE_INT8 ? 3 : t == TYPE_NUMERIC ? 4 : 0;
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool is_comparison(const struct operator_def *op)
{
    static const char *const names[] = {"=", "<>", "<", "<=", ">", ">="};
    return op && is_one_of(op->name, names, sizeof names / sizeof names[0]);
}

static bool is_match(const struct operator_def *op)
{
    static const char *const names[] = {"~~", "!~~"};
    return op && is_one_of(op->name, names, sizeof names / sizeof names[0]);
}

/* A pattern that is known, and does not end within an escape. */
static bool is_whole_pattern(const struct expr *e)
{
    if (e->kind != EXPR_CONST || !type_is_textual(e->type)) return false;
    if (e->constant.null) return true;
    struct slice text = bytes_slice(&e->constant.v.bytes);
    return !text.len || text.data[text.len - 1] != '\\';
}

static bool call_cannot_fail(const struct expr *e)
{
    static const char *const sums[] = {"+", "-", "*"};
    if (!e->call.op) return false;
    if (is_comparison(e->call.op)) return true;
    if (is_match(e->call.op)) return e->arg_count == 2 && is_whole_pattern(e->args[1]);
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (e->args[i]->type != TYPE_NUMERIC) return false;
    return is_one_of(e->call.op->name, sums, sizeof sums / sizeof sums[0]);
}

static bool check(void *ctx, const struct expr *e)
{
    if (!e) return true;
    switch (e->kind) {
    case EXPR_CONST:
    case EXPR_COLUMN:
    case EXPR_PARAM:
    case EXPR_BOOL:
    case EXPR_NULL_TEST:
    case EXPR_BOOLEAN_TEST:
    case EXPR_CASE:
    case EXPR_COALESCE:
    case EXPR_IN_LIST:
    case EXPR_DISTINCT: break;
    case EXPR_ANY:
        if (!is_comparison(e->any.op) || e->args[1]->kind != EXPR_CONST) return false;
        break;
    case EXPR_CALL:
        if (!call_cannot_fail(e)) return false;
        break;
    case EXPR_CAST:
        if (e->cast.method == CAST_RELABEL) break;
        if (e->typmod >= 0 || !number_rank(e->args[0]->type) ||
            number_rank(e->type) < number_rank(e->args[0]->type))
            return false;
        break;
    default: return false;
    }
    return expr_walk(e, check, ctx);
}

bool cannot_fail(const struct expr *e)
{
    return check(NULL, e);
}

/* --- costs -------------------------------------------------------------------------------------- */

struct cost_walk {
    const uint64_t *read; /* columns that earlier conditions read; NULL: they are counted elsewhere */
    uint64_t *reads;      /* of this one */
    double cost;
};

static double weight_of(const struct expr *e)
{
    if (e->kind == EXPR_CALL && is_match(e->call.op)) return MATCH_COST;
    if (e->kind == EXPR_CONST || e->kind == EXPR_COLUMN || e->kind == EXPR_PARAM) return 0;
    bool text = e->arg_count && e->args[0] && type_is_textual(e->args[0]->type);
    double one = text ? TEXT_COST : 1;
    return e->kind == EXPR_IN_LIST ? one * (e->arg_count - 1) : one;
}

static bool add_cost(void *ctx, const struct expr *e)
{
    struct cost_walk *w = ctx;
    if (!e) return true;
    w->cost += weight_of(e);
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0 && e->column.column < 64) {
        uint64_t bit = 1ull << e->column.column;
        if (!((*w->read | *w->reads) & bit)) w->cost += COLUMN_COST;
        *w->reads |= bit;
    }
    return expr_walk(e, add_cost, w);
}

void order_conditions(struct level *l, struct expr **items, uint32_t n)
{
    double drops[CONDITIONS_MAX];
    uint64_t read = 0;
    uint32_t movable = 0;
    if (n < 2 || n > CONDITIONS_MAX) return;
    for (uint32_t i = 0; i < n; i++) { /* those that may move to the front, else as they stand */
        struct expr *e = items[i];
        if (!cannot_fail(e)) continue;
        memmove(&items[movable + 1], &items[movable], (i - movable) * sizeof *items);
        items[movable] = e;
        drops[movable++] = 1 - condition_fraction(l->planner, l, NULL, e);
    }
    for (uint32_t at = 0; at < movable; at++) {
        uint32_t best = at;
        uint64_t best_reads = 0;
        double best_rank = -1;
        for (uint32_t i = at; i < movable; i++) {
            uint64_t reads = 0;
            struct cost_walk w = {&read, &reads, 0};
            (void)add_cost(&w, items[i]);
            double rank = drops[i] / (w.cost + 0.1);
            if (rank <= best_rank) continue;
            best_rank = rank;
            best = i;
            best_reads = reads;
        }
        struct expr *e = items[best];
        double drop = drops[best];
        memmove(&items[at + 1], &items[at], (best - at) * sizeof *items);
        memmove(&drops[at + 1], &drops[at], (best - at) * sizeof *drops);
        items[at] = e;
        drops[at] = drop;
        read |= best_reads;
    }
}
