/* From bound expressions to executable ones.
 *
 * A column of this level becomes the slot of the current input that holds it. A column of an enclosing
 * level becomes EXPR_OUTER k, where k numbers such values over the whole plan; every level on the way
 * notes that it depends on k, so that whoever runs it sets k first, and knows when a kept result is
 * stale. A subquery becomes a subplan. */
#include "sql/plan/plan_priv.h"

struct level *level_new(struct planner *p, struct query *q)
{
    struct level *l = ARENA_NEW(p->arena, struct level);
    l->planner = p;
    l->query = q;
    l->word_count = q->relation_count / 64 + 1;
    l->used = ARENA_ARRAY(p->arena, uint64_t *, q->relation_count + 1);
    l->used_whole = ARENA_ARRAY(p->arena, bool, q->relation_count + 1);
    l->key_slots = ARENA_ARRAY(p->arena, int32_t, q->relation_count + 1);
    l->planned = ARENA_ARRAY(p->arena, struct plan_node *, q->relation_count + 1);
    for (uint32_t i = 0; i < q->relation_count; i++) {
        l->used[i] = ARENA_ARRAY(p->arena, uint64_t, q->relations[i]->column_count / 64 + 1);
        l->key_slots[i] = -1;
    }
    for (struct level *o = p->levels; o && !l->parent; o = o->older)
        if (o->query == q->parent) l->parent = o;
    l->older = p->levels;
    p->levels = l;
    return l;
}

uint32_t table_column_of(const struct relation *r, uint32_t column)
{
    const struct table_def *t = r->table ? r->table : r->view; /* a view that is changed */
    int16_t number = r->columns[column].attnum;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].number == number) return i;
    UNREACHABLE();
}

int32_t source_slot(const struct source *s, uint32_t relation, uint32_t column)
{
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].relation == relation && s->slots[i].column == column) return (int32_t)i;
    return -1;
}

/* --- outer values --------------------------------------------------------------------------- */

static void note_outer(struct level *l, const struct outer_ref *ref)
{
    for (size_t i = 0; i < l->outers.count; i++)
        if (l->outers.data[i].index == ref->index) return;
    ARENA_PUSH(l->planner->arena, &l->outers, *ref);
}

static struct expr *outer_expr(struct level *l, uint32_t index, const struct expr *like)
{
    struct expr *e = ARENA_NEW(l->planner->arena, struct expr);
    e->kind = EXPR_OUTER;
    e->type = like->type;
    e->typmod = like->typmod;
    e->location = like->location;
    e->param = (int)index;
    return e;
}

/* The number of a value that `target` gives to what runs below it. */
static uint32_t export_index(struct level *target, uint32_t relation, uint32_t column)
{
    struct planner *p = target->planner;
    for (size_t i = 0; i < target->exports.count; i++) {
        const struct outer_ref *x = &target->exports.data[i];
        if (x->relation == relation && x->column == column) return x->index;
    }
    struct outer_ref ref = {target, relation, column, p->plan->outer_value_count++};
    ARENA_PUSH(p->arena, &target->exports, ref);
    return ref.index;
}

static enum status outer_column(struct level *l, const struct expr *e, struct expr **ret)
{
    const struct query *q = l->query;
    struct level *target = NULL;
    for (uint32_t i = 0; i < e->column.levels_up && q; i++) q = q->parent;
    for (struct level *o = l->planner->levels; o && !target; o = o->older)
        if (o->query == q) target = o;
    if (!target) return FAIL(INTERNAL_ERROR, "a column of an enclosing query has no such query");
    struct outer_ref ref = {target, e->column.relation, e->column.column, 0};
    ref.index = export_index(target, ref.relation, ref.column);
    for (struct level *o = l; o && o != target; o = o->parent) note_outer(o, &ref);
    *ret = outer_expr(l, ref.index, e);
    return OK;
}

uint32_t await_outer(struct level *l, uint32_t relation, uint32_t column)
{
    struct outer_ref ref = {l, relation, column, export_index(l, relation, column)};
    ARENA_PUSH(l->planner->arena, &l->awaited, ref);
    return ref.index;
}

struct expr *column_expr(struct level *l, uint32_t relation, uint32_t column)
{
    const struct relation *r = l->query->relations[relation];
    struct expr *e = ARENA_NEW(l->planner->arena, struct expr);
    e->kind = EXPR_COLUMN;
    e->type = r->columns[column].type;
    e->typmod = r->columns[column].typmod;
    e->location = -1;
    e->column.relation = relation;
    e->column.column = column;
    return e;
}

bool level_is_correlated_to(const struct level *inner, const struct level *l)
{
    for (size_t i = 0; i < inner->outers.count; i++)
        if (inner->outers.data[i].target == l) return true;
    return false;
}

void collect_outers(struct level *l, const struct level *inner, struct expr ***ret_exprs,
                    uint32_t **ret_indexes, uint32_t *ret_count)
{
    uint32_t n = (uint32_t)inner->outers.count;
    *ret_exprs = ARENA_ARRAY(l->planner->arena, struct expr *, n);
    *ret_indexes = ARENA_ARRAY(l->planner->arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct outer_ref *ref = &inner->outers.data[i];
        const struct relation *r = ref->target->query->relations[ref->relation];
        struct expr like = {.type = r->columns[ref->column].type,
                            .typmod = r->columns[ref->column].typmod,
                            .location = -1};
        (*ret_exprs)[i] = ref->target == l ? column_expr(l, ref->relation, ref->column)
                                           : outer_expr(l, ref->index, &like);
        (*ret_indexes)[i] = ref->index;
    }
    *ret_count = n;
}

/* --- subqueries ----------------------------------------------------------------------------- */

struct expr *sublink_value(const struct level *l, const struct expr *e)
{
    for (size_t i = 0; i < l->sublinks.count; i++)
        if (l->sublinks.data[i].query == e->subquery.query) return l->sublinks.data[i].value;
    return NULL;
}

/* --- the walk ------------------------------------------------------------------------------- */

struct walk {
    struct level *level;
    const struct row_shape *shapes;
    uint32_t shape_count, shift;
    enum status status;
};

static struct expr *rewrite_child(void *ctx, struct expr *e);

static struct expr *fail(struct walk *w, enum status s)
{
    w->status = s;
    return NULL;
}

/* What a subplan reads of this level stands where the walk's other columns do. */
static enum status rewrite_list(const struct walk *w, struct expr **in, uint32_t n, struct expr ***ret)
{
    struct expr **out = ARENA_ARRAY(w->level->planner->arena, struct expr *, n);
    for (uint32_t i = 0; i < n; i++)
        TRY(rewrite_rows(w->level, in[i], w->shapes, w->shape_count, w->shift, &out[i]));
    *ret = out;
    return OK;
}

static enum status subquery(struct walk *w, const struct expr *e, struct expr **ret)
{
    struct level *l = w->level;
    struct planner *p = l->planner;
    struct subplan s = {.type = e->subquery.type, .ops = e->subquery.ops, .negated = e->subquery.negated,
                        .result = e->type, .test_count = e->arg_count,
                        .memo = !expr_is_volatile(e)};
    struct level *inner;
    struct level *saved = p->levels;
    TRY(plan_select(p, e->subquery.query, &s.root, &inner));
    p->levels = saved;
    TRY(rewrite_list(w, e->args, e->arg_count, &s.test));
    collect_outers(l, inner, &s.outer, &s.outer_index, &s.outer_count);
    TRY(rewrite_list(w, s.outer, s.outer_count, &s.outer));
    struct expr *copy = arena_memdup(p->arena, e, sizeof *e);
    copy->args = s.test;
    copy->subquery.plan_index = (uint32_t)p->subplans.count;
    ARENA_PUSH(p->arena, &p->subplans, s);
    *ret = copy;
    return OK;
}

static enum status add_aggregate(struct level *l, struct expr *e, uint32_t *ret_slot)
{
    struct planner *p = l->planner;
    for (size_t i = 0; i < l->aggregate_exprs.count; i++)
        if (expr_equal(l->aggregate_exprs.data[i], e)) {
            *ret_slot = (uint32_t)i;
            return OK;
        }
    struct aggregate_call c = {.proc = e->aggregate.proc, .arg_count = e->arg_count,
                               .distinct = e->aggregate.distinct, .star = e->aggregate.star,
                               .order_count = e->aggregate.order_count,
                               .direct_count = e->aggregate.direct_count, .result = e->type,
                               .call = e};
    bool grouped = l->grouped;
    l->grouped = false; /* its arguments are over the rows before grouping */
    enum status s = rewrite_all(l, e->args, e->arg_count, &c.args);
    if (s == OK && e->aggregate.filter) s = rewrite(l, e->aggregate.filter, &c.filter);
    c.order_by = ARENA_ARRAY(p->arena, struct sort_item, c.order_count);
    for (uint32_t i = 0; s == OK && i < c.order_count; i++) {
        c.order_by[i] = e->aggregate.order_by[i];
        s = rewrite(l, e->aggregate.order_by[i].expr, &c.order_by[i].expr);
    }
    l->grouped = grouped;
    TRY(s);
    *ret_slot = (uint32_t)l->aggregates.count;
    ARENA_PUSH(p->arena, &l->aggregates, c);
    ARENA_PUSH(p->arena, &l->aggregate_exprs, e);
    return OK;
}

/* GROUPING(…) is a column beside the aggregates whose value the set alone decides. */
static enum status add_grouping(struct level *l, struct expr *e, uint32_t *ret_slot)
{
    struct arena *a = l->planner->arena;
    const struct query *q = l->query;
    uint32_t sets = q->grouping_set_count ? q->grouping_set_count : 1;
    for (size_t i = 0; i < l->aggregate_exprs.count; i++)
        if (expr_equal(l->aggregate_exprs.data[i], e)) {
            *ret_slot = (uint32_t)i;
            return OK;
        }
    int32_t *values = ARENA_ARRAY(a, int32_t, sets);
    for (uint32_t i = 0; i < e->arg_count && q->grouping_set_count; i++) {
        uint32_t group = 0;
        while (group < q->group_count && !expr_equal(l->groups.data[group], e->args[i])) group++;
        for (uint32_t s = 0; s < sets; s++) {
            bool found = false;
            for (uint32_t k = 0; k < q->grouping_sets[s].count && !found; k++)
                found = q->grouping_sets[s].items[k] == group;
            values[s] |= (int32_t)!found << (e->arg_count - 1 - i);
        }
    }
    struct aggregate_call c = {.arg_count = e->arg_count, .result = TYPE_INT4, .call = e,
                               .grouping = values};
    l->grouped = false;
    enum status s = rewrite_all(l, e->args, e->arg_count, &c.args);
    l->grouped = true;
    TRY(s);
    *ret_slot = (uint32_t)l->aggregates.count;
    ARENA_PUSH(a, &l->aggregates, c);
    ARENA_PUSH(a, &l->aggregate_exprs, e);
    return OK;
}

/* Above the grouping only its columns exist. */
static struct expr *grouped_expr(struct walk *w, struct expr *e, bool *ret_done)
{
    struct level *l = w->level;
    struct planner *p = l->planner;
    *ret_done = true;
    for (size_t i = 0; i < l->groups.count; i++)
        if (expr_equal(l->groups.data[i], e)) return expr_slot(p, (uint32_t)i, e->type, e->typmod);
    if (e->kind == EXPR_AGGREGATE || e->kind == EXPR_GROUPING) {
        uint32_t n;
        bool is_grouping = e->kind == EXPR_GROUPING;
        enum status s = is_grouping ? add_grouping(l, e, &n) : add_aggregate(l, e, &n);
        if (s != OK) return fail(w, s);
        return expr_slot(p, (uint32_t)l->groups.count + n, e->type, e->typmod);
    }
    if (e->kind == EXPR_COLUMN && e->column.levels_up == 0) {
        const struct relation *r = l->query->relations[e->column.relation];
        if (r->kind == REL_JOIN) return rewrite_child(w, r->join_columns[e->column.column]);
        return fail(w, FAIL(INTERNAL_ERROR, "a column that is not grouped came through"));
    }
    *ret_done = false;
    return NULL;
}

static struct expr *level_column(struct walk *w, struct expr *e)
{
    struct level *l = w->level;
    const struct relation *r = l->query->relations[e->column.relation];
    if (r->kind == REL_JOIN) return rewrite_child(w, r->join_columns[e->column.column]);
    for (uint32_t i = 0; i < w->shape_count; i++)
        if (w->shapes[i].relation == e->column.relation && r->columns[e->column.column].attnum > 0) {
            struct relation shape = *r;
            if (!shape.table) shape.table = l->query->table; /* EXCLUDED */
            return expr_slot(l->planner, w->shapes[i].base + table_column_of(&shape, e->column.column),
                             e->type, e->typmod);
        }
    int32_t slot = source_slot(&l->current, e->column.relation, e->column.column);
    if (slot < 0 && l->around && relset_has(l->around, e->column.relation))
        return outer_expr(l, await_outer(l, e->column.relation, e->column.column), e);
    if (slot < 0)
        return fail(w, FAIL(INTERNAL_ERROR, "column %u of relation \"%s\" is not at hand",
                            e->column.column, r->alias ? r->alias : "?"));
    return expr_slot(l->planner, (uint32_t)slot + w->shift, e->type, e->typmod);
}

static struct expr *rewrite_child(void *ctx, struct expr *e)
{
    struct walk *w = ctx;
    struct level *l = w->level;
    struct expr *made = NULL;
    if (!e || w->status != OK) return NULL;
    if (l->grouped) {
        bool done;
        made = grouped_expr(w, e, &done);
        if (done) return made;
    }
    if (e->kind == EXPR_COLUMN) {
        if (e->column.levels_up == 0) return level_column(w, e);
        enum status s = outer_column(l, e, &made);
        return s == OK ? made : fail(w, s);
    }
    if (e->kind == EXPR_SUBQUERY) {
        made = w->shift || l->grouped ? NULL : sublink_value(l, e);
        if (made) return made;
        enum status s = subquery(w, e, &made);
        return s == OK ? made : fail(w, s);
    }
    if (e->kind == EXPR_WINDOW) {
        for (size_t i = 0; i < l->window_exprs.count; i++)
            if (expr_equal(l->window_exprs.data[i], e))
                return expr_slot(l->planner, l->window_base + (uint32_t)i, e->type, e->typmod);
        return fail(w, FAIL(INTERNAL_ERROR, "a window function is out of place"));
    }
    return expr_map(l->planner->arena, e, rewrite_child, w);
}

enum status rewrite_rows(struct level *l, struct expr *e, const struct row_shape *shapes,
                         uint32_t shape_count, uint32_t shift, struct expr **ret)
{
    struct walk w = {l, shapes, shape_count, shift, OK};
    struct expr *made = rewrite_child(&w, e);
    if (w.status == OK) *ret = made;
    return w.status;
}

enum status rewrite(struct level *l, struct expr *e, struct expr **ret)
{
    return rewrite_rows(l, e, NULL, 0, 0, ret);
}

enum status rewrite_all(struct level *l, struct expr **in, uint32_t n, struct expr ***ret)
{
    struct expr **out = ARENA_ARRAY(l->planner->arena, struct expr *, n);
    for (uint32_t i = 0; i < n; i++) TRY(rewrite(l, in[i], &out[i]));
    *ret = out;
    return OK;
}
