/* Errors for names that nothing has, with a guess at what was meant: a column spelled alike (by
 * edit distance, over all levels), or an entry that exists but cannot be seen from there. */
#include "sql/bind/resolve_priv.h"

#include "base/fiber.h"

enum { DISTANCE_MAX = 3, COMPARED_BYTES_MAX = 64, ARMS_STACK_MIN = 16 << 10 };

/* Levenshtein's distance, all costs 1; anything beyond `limit` is limit + 1. */
static int distance(const char *a, const char *b, int limit)
{
    size_t m = strlen(a), n = strlen(b);
    int row[COMPARED_BYTES_MAX + 1];
    if (m > COMPARED_BYTES_MAX || n > COMPARED_BYTES_MAX) return limit + 1;
    for (size_t k = 0; k <= n; k++) row[k] = (int)k;
    for (size_t i = 1; i <= m; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t k = 1; k <= n; k++) {
            int above = row[k];
            int best = diagonal + (a[i - 1] != b[k - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[k - 1] + 1 < best) best = row[k - 1] + 1;
            row[k] = best;
            diagonal = above;
        }
    }
    return row[n] > limit ? limit + 1 : row[n];
}

struct guess {
    int distance;
    bool exact;     /* the very name, out of sight */
    const struct relation *relation, *relation2;
    const char *column, *column2;
};

static void consider(struct guess *g, const struct relation *r, const char *column,
                     const char *wanted, int penalty)
{
    if (penalty > g->distance) return;
    int d = distance(column, wanted, DISTANCE_MAX + 1);
    if (d > (int)strlen(wanted) / 2) return;
    d += penalty;
    if (d > g->distance) return;
    if (d < g->distance || !g->column) {
        g->distance = d;
        g->relation = r;
        g->column = column;
        g->column2 = NULL;
    } else if (g->column2) {
        /* Three of a kind help nobody. */
        g->column = g->column2 = NULL;
        g->distance = d - 1;
    } else {
        g->relation2 = r;
        g->column2 = column;
    }
}

/* True when the search is over: an exact match. */
static bool consider_relation(struct guess *g, const struct relation *r, const char *relation,
                              const char *wanted)
{
    int penalty = relation ? distance(relation, r->alias, DISTANCE_MAX + 1) : 0;
    for (uint32_t i = 0; i < r->column_count; i++) {
        if (strcmp(r->columns[i].name, wanted) == 0 && penalty == 0) {
            *g = (struct guess){.exact = true, .relation = r, .column = r->columns[i].name};
            return true;
        }
        consider(g, r, r->columns[i].name, wanted, penalty);
    }
    return false;
}

/* The arms of a set operation are tables by the names that PostgreSQL gives them. */
static bool consider_arms(struct scope *s, struct guess *g, const struct query *q,
                          uint32_t *number, const char *relation, const char *wanted)
{
    if (!q || fiber_stack_left() < ARMS_STACK_MIN) return false;
    if (q->set_op != SETOP_NONE)
        return consider_arms(s, g, q->left, number, relation, wanted) ||
               consider_arms(s, g, q->right, number, relation, wanted);
    struct relation *r = ARENA_NEW(s->env->arena, struct relation);
    r->alias = arena_printf(s->env->arena, "*SELECT* %u", ++*number);
    r->columns = ARENA_ARRAY(s->env->arena, struct rel_column, q->target_count + 1);
    for (uint32_t i = 0; i < q->target_count; i++)
        if (!q->targets[i].junk) r->columns[r->column_count++].name = q->targets[i].name;
    return consider_relation(g, r, relation, wanted);
}

/* The table that a statement changes by the name of a view has no name in it. */
static bool is_behind_view(const struct query *q, uint32_t relation)
{
    return q->view && relation == 0;
}

static struct guess guess_column(struct scope *s, const char *relation, const char *wanted)
{
    struct guess g = {.distance = DISTANCE_MAX + 1};
    uint32_t arms = 0;
    if (s->query && s->query->set_op != SETOP_NONE &&
        consider_arms(s, &g, s->query, &arms, relation, wanted))
        return g;
    for (struct scope *level = s; level; level = level->parent)
        for (uint32_t i = 0; level->query && i < level->query->relation_count; i++) {
            const struct relation *r = level->query->relations[i];
            if ((r->kind == REL_JOIN && !level->query->view) || !r->alias) continue;
            if (is_behind_view(level->query, i)) continue;
            if (consider_relation(&g, r, relation, wanted)) return g;
        }
    return g;
}

enum status bind__no_column(struct scope *s, const char *relation, const char *column, int location)
{
    struct guess g = guess_column(s, relation, column);
    if (relation)
        FAIL(UNDEFINED_COLUMN, "column %s.%s does not exist", relation, column);
    else
        FAIL(UNDEFINED_COLUMN, "column \"%s\" does not exist", column);
    if (g.exact)
        error_hint("There is a column named \"%s\" in table \"%s\", but it cannot be referenced "
                   "from this part of the query.",
                   column, g.relation->alias);
    else if (g.column && g.column2)
        error_hint("Perhaps you meant to reference the column \"%s.%s\" or the column \"%s.%s\".",
                   g.relation->alias, g.column, g.relation2->alias, g.column2);
    else if (g.column)
        error_hint("Perhaps you meant to reference the column \"%s.%s\".", g.relation->alias,
                   g.column);
    return bind__at(s, location, UNDEFINED_COLUMN);
}

static const struct relation *hidden_relation(struct scope *s, const char *name)
{
    for (struct scope *level = s; level; level = level->parent)
        for (uint32_t i = 0; level->query && i < level->query->relation_count; i++) {
            const struct relation *r = level->query->relations[i];
            if (is_behind_view(level->query, i)) continue;
            if (r->alias && strcmp(r->alias, name) == 0) return r;
            if (r->table && strcmp(r->table->name, name) == 0) return r;
        }
    return NULL;
}

enum status bind__no_relation(struct scope *s, const char *relation, int location)
{
    const struct relation *r = hidden_relation(s, relation);
    if (!r)
        return bind__at(s, location,
                        FAIL(UNDEFINED_TABLE, "missing FROM-clause entry for table \"%s\"",
                             relation));
    FAIL(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"%s\"", relation);
    if (strcmp(r->alias ? r->alias : "", relation) != 0)
        error_hint("Perhaps you meant to reference the table alias \"%s\".",
                   r->alias ? r->alias : "");
    else
        error_hint("There is an entry for table \"%s\", but it cannot be referenced from this part "
                   "of the query.",
                   relation);
    return bind__at(s, location, UNDEFINED_TABLE);
}
