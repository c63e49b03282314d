/* An outer join adds rows with NULLs. A condition above it that is never true of NULLs of that side
 * removes them again, so the join may as well be inner: then it takes part in the choice of the order,
 * and conditions go down on both sides. */
#include "sql/plan/pullup.h"
#include "types/record.h"

struct simplify {
    struct planner *p;
    struct query *query;
    uint32_t words;
};

static uint64_t *set_new(const struct simplify *s)
{
    return ARENA_ARRAY(s->p->arena, uint64_t, s->words);
}

static void unite(const struct simplify *s, uint64_t *into, const uint64_t *from)
{
    for (uint32_t i = 0; i < s->words; i++) into[i] |= from[i];
}

static bool meet(const struct simplify *s, const uint64_t *a, const uint64_t *b)
{
    for (uint32_t i = 0; i < s->words; i++)
        if (a[i] & b[i]) return true;
    return false;
}

/* Relations whose columns, when NULL, make the value NULL. */
static void null_with(const struct simplify *s, const struct expr *e, uint64_t *set)
{
    switch (e->kind) {
    case EXPR_COLUMN:
        if (e->column.levels_up) return;
        const struct relation *r = s->query->relations[e->column.relation];
        if (r->kind == REL_JOIN) null_with(s, r->join_columns[e->column.column], set);
        else relset_add(set, e->column.relation);
        return;
    case EXPR_CAST: null_with(s, e->args[0], set); return;
    case EXPR_CALL:
        if (!e->call.proc || !e->call.proc->strict || e->call.proc->returns_set) return;
        for (uint32_t i = 0; i < e->arg_count; i++) null_with(s, e->args[i], set);
        return;
    case EXPR_IN_LIST: null_with(s, e->args[0], set); return;
    default: return;
    }
}

/* Relations whose columns, all NULL, keep the condition from being true. */
static void rejects(const struct simplify *s, const struct expr *e, uint64_t *set)
{
    if (!e) return;
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_AND) {
        for (uint32_t i = 0; i < e->arg_count; i++) rejects(s, e->args[i], set);
    } else if (e->kind == EXPR_BOOL && e->bool_op == BOOL_OR) {
        uint64_t *all = set_new(s);
        memset(all, 0xff, s->words * sizeof *all);
        for (uint32_t i = 0; i < e->arg_count; i++) {
            uint64_t *one = set_new(s);
            rejects(s, e->args[i], one);
            for (uint32_t w = 0; w < s->words; w++) all[w] &= one[w];
        }
        unite(s, set, all);
    } else if (e->kind == EXPR_BOOL) {
        null_with(s, e->args[0], set);
    } else if (e->kind == EXPR_NULL_TEST && e->negated && !type_is_composite(e->args[0]->type)) {
        null_with(s, e->args[0], set);
    } else {
        null_with(s, e, set);
    }
}

static void relations_of(const struct from_item *f, uint64_t *set)
{
    if (f->kind == FROM_RELATION) {
        relset_add(set, f->relation);
        return;
    }
    relations_of(f->left, set);
    relations_of(f->right, set);
}

static void simplify(const struct simplify *s, struct from_item *f, const uint64_t *rejected)
{
    if (f->kind == FROM_RELATION) return;
    uint64_t *left = set_new(s), *right = set_new(s);
    relations_of(f->left, left);
    relations_of(f->right, right);
    bool no_left_nulls = meet(s, left, rejected), no_right_nulls = meet(s, right, rejected);
    if (f->join == JOIN_FULL && no_left_nulls) f->join = no_right_nulls ? JOIN_INNER : JOIN_LEFT;
    else if (f->join == JOIN_FULL && no_right_nulls) f->join = JOIN_RIGHT;
    if (f->join == JOIN_LEFT && no_right_nulls) f->join = JOIN_INNER;
    if (f->join == JOIN_RIGHT && no_left_nulls) f->join = JOIN_INNER;
    uint64_t *by_condition = set_new(s), *above = set_new(s);
    rejects(s, f->condition, by_condition);
    unite(s, above, rejected);
    unite(s, by_condition, rejected);
    /* The condition removes rows of a side that is not kept whole. */
    bool left_kept = f->join == JOIN_LEFT || f->join == JOIN_FULL;
    bool right_kept = f->join == JOIN_RIGHT || f->join == JOIN_FULL;
    simplify(s, f->left, left_kept ? above : by_condition);
    simplify(s, f->right, right_kept ? above : by_condition);
}

static bool has_outer(const struct from_item *f)
{
    if (f->kind == FROM_RELATION) return false;
    return f->join != JOIN_INNER || has_outer(f->left) || has_outer(f->right);
}

void simplify_outer(struct planner *p, struct query *q)
{
    struct simplify s = {p, q, q->relation_count / 64 + 1};
    bool any = false;
    for (uint32_t i = 0; i < q->from_count; i++) any |= has_outer(q->from[i]);
    if (!any) return;
    uint64_t *rejected = set_new(&s);
    rejects(&s, q->where, rejected);
    for (uint32_t i = 0; i < q->from_count; i++) simplify(&s, q->from[i], rejected);
}
