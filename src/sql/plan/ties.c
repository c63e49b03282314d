/* What ties a subquery to the row around it: the conditions of its WHERE that read columns of the
 * enclosing query. When everything else of it stands alone it can be planned once, for all rows, and
 * joined by the ties. */
#include "sql/plan/ties.h"

struct reads {
    bool inner, outer, deeper, other; /* other: what cannot be moved */
    const struct query *sub;
};

static bool note_reads(void *ctx, const struct expr *e)
{
    struct reads *r = ctx;
    if (!e) return true;
    if (e->kind == EXPR_SUBQUERY || e->kind == EXPR_AGGREGATE || e->kind == EXPR_WINDOW) {
        r->other = true;
    } else if (e->kind == EXPR_COLUMN) {
        if (e->column.levels_up == 0) r->inner = true;
        if (e->column.levels_up == 1) r->outer = true;
        if (e->column.levels_up > 1) r->deeper = true;
    }
    return expr_walk(e, note_reads, r);
}

static struct reads reads_of(const struct query *sub, const struct expr *e)
{
    struct reads r = {.sub = sub};
    note_reads(&r, e);
    return r;
}

/* The columns of joins stand for others, which the subquery's own planning knows. */
static struct expr *plain_column(void *ctx, struct expr *e)
{
    struct ties *t = ctx;
    if (!e) return NULL;
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) {
        const struct relation *r = t->sub->relations[e->column.relation];
        return r->kind == REL_JOIN ? plain_column(t, r->join_columns[e->column.column]) : e;
    }
    return expr_map(t->arena, e, plain_column, t);
}

struct foreign {
    const struct query *sub;
    bool found;
};

static void note_foreign(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct foreign *f = ctx;
    (void)relation, (void)column;
    for (const struct query *q = f->sub->parent; q; q = q->parent) f->found |= owner == q;
}

bool query_reads_outside(const struct query *q)
{
    struct foreign f = {q, false};
    query_columns(q, note_foreign, &f);
    return f.found;
}

static bool is_integer(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static struct expr *widen(struct arena *a, struct expr *e)
{
    if (e->type == TYPE_INT8) return e;
    struct expr *c = expr_const(a, TYPE_INT8, (struct datum){0});
    c->kind = EXPR_CAST;
    c->arg_count = 1;
    c->args = arena_memdup(a, &e, sizeof e);
    c->cast.method = CAST_FUNCTION;
    c->cast.is_explicit = false;
    return c;
}

bool hashable_equality(struct arena *a, const struct expr *e, struct expr **ret_left,
                       struct expr **ret_right)
{
    if (e->kind != EXPR_CALL || !e->call.op || strcmp(e->call.op->name, "=") != 0) return false;
    *ret_left = e->args[0];
    *ret_right = e->args[1];
    if (e->call.op->can_hash && e->args[0]->type == e->args[1]->type) return true;
    if (!is_integer(e->args[0]->type) || !is_integer(e->args[1]->type)) return false;
    *ret_left = widen(a, e->args[0]);
    *ret_right = widen(a, e->args[1]);
    return true;
}

/* outer = inner, by a hashable operator of one type. */
static bool take_key(struct ties *t, struct expr *e)
{
    struct expr *sides[2];
    if (!hashable_equality(t->arena, e, &sides[0], &sides[1])) return false;
    for (int flip = 0; flip < 2; flip++) {
        struct reads x = reads_of(t->sub, sides[flip]), y = reads_of(t->sub, sides[1 - flip]);
        if (!x.outer || x.inner || !y.inner || y.outer) continue;
        ARENA_PUSH(t->arena, &t->outer_keys, sides[flip]);
        ARENA_PUSH(t->arena, &t->inner_keys, sides[1 - flip]);
        return true;
    }
    return false;
}

static bool split(struct ties *t, struct expr *e)
{
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_AND) {
        for (uint32_t i = 0; i < e->arg_count; i++)
            if (!split(t, e->args[i])) return false;
        return true;
    }
    struct reads r = reads_of(t->sub, e);
    if (!r.outer) {
        ARENA_PUSH(t->arena, &t->inner, e);
        return true;
    }
    return ties_add(t, plain_column(t, e));
}

bool ties_add(struct ties *t, struct expr *e)
{
    struct reads r = reads_of(t->sub, e);
    if (r.other || r.deeper || expr_is_volatile(e)) return false;
    if (!take_key(t, e)) ARENA_PUSH(t->arena, &t->rest, e);
    return true;
}

bool ties_find(struct planner *p, struct query *sub, struct ties *t)
{
    *t = (struct ties){.arena = p->arena, .sub = sub};
    if (sub->where && !split(t, sub->where)) return false;
    struct expr *whole = sub->where;
    sub->where = make_and(p, t->inner.data, (uint32_t)t->inner.count);
    bool reads = query_reads_outside(sub);
    sub->where = whole;
    return !reads;
}

/* --- moving a tie out of the subquery ---------------------------------------------------------- */

struct moving {
    struct level *level;
    struct query *sub;
    uint32_t left_columns;
};

uint32_t target_of(struct arena *a, struct query *q, struct expr *e)
{
    for (uint32_t i = 0; i < q->target_count; i++)
        if (expr_equal(q->targets[i].expr, e)) return i;
    struct target *grown = ARENA_ARRAY(a, struct target, q->target_count + 1);
    if (q->target_count) memcpy(grown, q->targets, q->target_count * sizeof *grown);
    grown[q->target_count] = (struct target){.expr = e, .name = "key"};
    q->targets = grown;
    return q->target_count++;
}

static struct expr *move(void *ctx, struct expr *e)
{
    struct moving *m = ctx;
    struct planner *p = m->level->planner;
    if (!e) return NULL;
    if (e->kind != EXPR_COLUMN) return expr_map(p->arena, e, move, m);
    if (e->column.levels_up == 0) {
        uint32_t slot = m->left_columns + target_of(p->arena, m->sub, e);
        return expr_slot(p, slot, e->type, e->typmod);
    }
    struct expr *copy = arena_memdup(p->arena, e, sizeof *e);
    copy->column.levels_up--;
    return copy->column.levels_up ? copy : expand_joins(m->level, copy);
}

struct expr *tie_move(struct level *l, struct query *sub, uint32_t left_columns, struct expr *e)
{
    struct moving m = {l, sub, left_columns};
    return move(&m, e);
}

static struct expr *raise(struct query_map *m, struct expr *e)
{
    const uint32_t *by = m->ctx;
    e = arena_memdup(m->arena, e, sizeof *e);
    e->column.levels_up += *by;
    return e;
}

struct expr *raise_columns(struct arena *a, struct expr *e, uint32_t by)
{
    struct query_map m = {.arena = a, .expr = query_map_columns, .column = raise, .ctx = &by};
    ASSERT(!expr_has_subquery(e));
    return query_map_columns(&m, e);
}
