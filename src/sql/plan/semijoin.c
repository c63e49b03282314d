/* EXISTS and NOT EXISTS as semi- and anti-joins.
 *
 * A subquery whose WHERE ties it to the enclosing row by at least one equality, and which is otherwise a
 * plain SELECT of its own, is planned once, without those conditions, and hashed; the conditions become
 * the join's keys and its condition. Anything else stays a subplan that runs once a row. */
#include "sql/plan/plan_priv.h"

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
        if (e->column.levels_up == 0) {
            r->inner = true;
            r->other |= r->sub->relations[e->column.relation]->kind == REL_JOIN;
        }
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

static bool plain(const struct query *q)
{
    return q->command == CMD_SELECT && !q->has_group && !q->has_aggregates && !q->has_windows &&
           !q->has_srf && !q->having && !q->limit && !q->offset && q->set_op == SETOP_NONE &&
           q->cte_count == 0 && q->locking_count == 0 && q->from_count > 0 && q->where;
}

struct semi_join {
    struct query *sub;
    bool anti;
    ARRAY(struct expr *) inner, ties;  /* conjuncts of its WHERE */
    struct expr **outer_keys, **inner_keys;
    uint32_t key_count;
    ARRAY(struct expr *) rest;         /* ties that are no keys */
};

static void split(struct planner *p, struct expr *e, struct semi_join *s)
{
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_AND) {
        for (uint32_t i = 0; i < e->arg_count; i++) split(p, e->args[i], s);
        return;
    }
    struct reads r = reads_of(s->sub, e);
    if (r.outer) ARENA_PUSH(p->arena, &s->ties, e);
    else ARENA_PUSH(p->arena, &s->inner, e);
}

/* outer = inner, by a hashable operator of one type. */
static bool take_key(struct semi_join *s, struct expr *e)
{
    if (e->kind != EXPR_CALL || !e->call.op || strcmp(e->call.op->name, "=") != 0) return false;
    if (!e->call.op->can_hash || e->args[0]->type != e->args[1]->type) return false;
    for (int flip = 0; flip < 2; flip++) {
        struct reads x = reads_of(s->sub, e->args[flip]), y = reads_of(s->sub, e->args[1 - flip]);
        if (!x.outer || x.inner || !y.inner || y.outer) continue;
        s->outer_keys[s->key_count] = e->args[flip];
        s->inner_keys[s->key_count++] = e->args[1 - flip];
        return true;
    }
    return false;
}

struct foreign {
    const struct query *sub;
    bool found;
};

/* Does what is left of the subquery read an enclosing query? */
static void note_foreign(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct foreign *f = ctx;
    (void)relation, (void)column;
    for (const struct query *q = f->sub->parent; q; q = q->parent) f->found |= owner == q;
}

static bool analyse(struct level *l, struct expr *e, struct semi_join *s)
{
    struct planner *p = l->planner;
    *s = (struct semi_join){0};
    if (e->kind == EXPR_BOOL && e->bool_op == BOOL_NOT) {
        s->anti = true;
        e = e->args[0];
    }
    if (e->kind != EXPR_SUBQUERY || e->subquery.type != SUBLINK_EXISTS) return false;
    s->sub = e->subquery.query;
    if (!plain(s->sub) || s->sub->parent != l->query) return false;
    split(p, s->sub->where, s);
    s->outer_keys = ARENA_ARRAY(p->arena, struct expr *, s->ties.count + 1);
    s->inner_keys = ARENA_ARRAY(p->arena, struct expr *, s->ties.count + 1);
    for (size_t i = 0; i < s->ties.count; i++) {
        struct expr *tie = s->ties.data[i];
        struct reads r = reads_of(s->sub, tie);
        if (r.other || r.deeper || expr_is_volatile(tie)) return false;
        if (!take_key(s, tie)) ARENA_PUSH(p->arena, &s->rest, tie);
    }
    if (!s->key_count) return false;
    struct expr *whole = s->sub->where;
    struct foreign f = {s->sub, false};
    s->sub->where = make_and(p, s->inner.data, (uint32_t)s->inner.count);
    query_columns(s->sub, note_foreign, &f);
    s->sub->where = whole;
    return !f.found;
}

/* --- making it --------------------------------------------------------------------------------- */

struct moving {
    struct level *level;
    struct semi_join *semi;
    uint32_t left_columns;
};

static uint32_t target_of(struct moving *m, struct expr *e)
{
    struct query *q = m->semi->sub;
    for (uint32_t i = 0; i < q->target_count; i++)
        if (expr_equal(q->targets[i].expr, e)) return i;
    q->targets[q->target_count] = (struct target){.expr = e, .name = "key"};
    return q->target_count++;
}

/* Inner columns to slots behind the left side's, outer ones to this level's own columns. */
static struct expr *move(void *ctx, struct expr *e)
{
    struct moving *m = ctx;
    struct planner *p = m->level->planner;
    if (!e) return NULL;
    if (e->kind != EXPR_COLUMN) return expr_map(p->arena, e, move, m);
    if (e->column.levels_up == 0)
        return expr_slot(p, m->left_columns + target_of(m, e), e->type, e->typmod);
    struct expr *copy = arena_memdup(p->arena, e, sizeof *e);
    copy->column.levels_up = 0;
    return expand_joins(m->level, copy);
}

static uint32_t column_room(const struct semi_join *s)
{
    uint32_t n = s->key_count;
    for (uint32_t i = 0; i < s->sub->relation_count; i++) n += s->sub->relations[i]->column_count;
    return n + 1;
}

static enum status apply(struct level *l, struct semi_join *s)
{
    struct planner *p = l->planner;
    struct plan_node *left = l->current.node, *right, *node;
    struct level *inner, *saved = p->levels;
    struct moving m = {l, s, left->column_count};
    struct query *q = s->sub;
    q->where = make_and(p, s->inner.data, (uint32_t)s->inner.count);
    q->targets = ARENA_ARRAY(p->arena, struct target, column_room(s));
    q->target_count = q->order_count = q->distinct_on_count = 0;
    q->distinct = false;
    struct expr **left_keys = ARENA_ARRAY(p->arena, struct expr *, s->key_count);
    struct expr **right_keys = ARENA_ARRAY(p->arena, struct expr *, s->key_count);
    for (uint32_t i = 0; i < s->key_count; i++) {
        struct expr *key = s->inner_keys[i];
        left_keys[i] = move(&m, s->outer_keys[i]);
        right_keys[i] = expr_slot(p, target_of(&m, key), key->type, key->typmod);
    }
    struct expr *condition = make_and(p, s->rest.data, (uint32_t)s->rest.count);
    if (condition) condition = move(&m, condition);
    TRY(plan_select(p, q, &right, &inner));
    p->levels = saved;
    node = node_new(p, PLAN_HASH_JOIN);
    node->left = left;
    node->right = right;
    node->join.type = s->anti ? JOIN_ANTI : JOIN_SEMI;
    node->join.key_count = s->key_count;
    node->join.right_keys = right_keys;
    TRY(rewrite_all(l, left_keys, s->key_count, &node->join.left_keys));
    if (condition) TRY(rewrite(l, condition, &node->join.condition));
    node_columns_from(p, node, left);
    node->rows = left->rows > 2 ? left->rows / 2 : 1;
    node->cost_total = left->cost_total + right->cost_total + (left->rows + right->rows * 2) * 0.01;
    l->current.node = node;
    return OK;
}

enum status plan_semi_joins(struct level *l, struct expr **items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct semi_join s;
        if (!analyse(l, items[i], &s))
            return FAIL(INTERNAL_ERROR, "a semi-join cannot be made of its condition");
        TRY(apply(l, &s));
    }
    return OK;
}

uint32_t take_semi_joins(struct level *l, struct expr ***ret)
{
    uint32_t n = 0;
    size_t kept = 0;
    *ret = ARENA_ARRAY(l->planner->arena, struct expr *, l->conjuncts.count + 1);
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        struct semi_join s;
        struct expr *e = l->conjuncts.data[i];
        if (analyse(l, e, &s)) (*ret)[n++] = e;
        else l->conjuncts.data[kept++] = e;
    }
    l->conjuncts.count = kept;
    return n;
}
