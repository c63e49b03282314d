/* Which query level an aggregate belongs to: the nearest one whose columns it reads, those that its
 * subqueries read included.
 *
 * An aggregate of an enclosing level is moved there. That level gets an entry in its range table, of
 * the kind that stands for an expression as the columns of a join do, and in no FROM; what was
 * written becomes a column of that entry, which reaches the place as every outer column does. */
#include "sql/bind/query_priv.h"
#include "sql/bind/resolve_priv.h"
#include "sql/querymap.h"

enum { NONE = UINT32_MAX };

struct levels {
    const struct query *home;     /* where the aggregate is written */
    uint32_t columns, aggregates; /* the nearest level of each, NONE: no such */
    int column_at, aggregate_at;
    struct query_map map;
};

/* How far below `home` a query is; NONE for one that is not below, such as a view's. */
static uint32_t depth_of(const struct query *home, const struct query *q)
{
    uint32_t depth = 0;
    for (; q && q != home; q = q->parent) depth++;
    return q ? depth : NONE;
}

static const struct expr *stands_for(const struct query *at, const struct expr *column)
{
    const struct query *q = column_owner(at, column);
    const struct relation *r = q ? q->relations[column->column.relation] : NULL;
    return r && r->kind == REL_JOIN ? r->join_columns[column->column.column] : NULL;
}

bool bind__is_moved_aggregate(const struct expr *e)
{
    return e && (e->kind == EXPR_AGGREGATE || e->kind == EXPR_GROUPING);
}

static void note(uint32_t *nearest, int *at, uint32_t level, int location)
{
    if (*nearest != NONE && *nearest <= level) return;
    *nearest = level;
    *at = location;
}

static bool visit(void *ctx, const struct expr *e)
{
    struct levels *x = ctx;
    if (!e) return true;
    uint32_t depth = depth_of(x->home, x->map.at);
    if (e->kind == EXPR_COLUMN && depth != NONE && e->column.levels_up >= depth) {
        uint32_t level = e->column.levels_up - depth;
        note(&x->columns, &x->column_at, level, e->location);
        if (bind__is_moved_aggregate(stands_for(x->map.at, e)))
            note(&x->aggregates, &x->aggregate_at, level, e->location);
    }
    if (bind__is_moved_aggregate(e) && depth == 0)
        note(&x->aggregates, &x->aggregate_at, 0, e->location);
    if (e->kind == EXPR_SUBQUERY) (void)query_map_run(&x->map, e->subquery.query);
    return expr_walk(e, visit, x);
}

static struct expr *visit_root(struct query_map *m, struct expr *e)
{
    (void)visit(m->ctx, e);
    return e;
}

/* A WITH item that the aggregate reads, and that its level does not see. */
static const struct cte *find_hidden_cte(const struct levels *x, uint32_t level)
{
    for (size_t i = 0; i < x->map.old.count; i++) {
        const struct query *q = x->map.old.data[i];
        uint32_t depth = depth_of(x->home, q);
        for (uint32_t k = 0; k < q->relation_count; k++) {
            const struct relation *r = q->relations[k];
            if (r->kind == REL_CTE && depth != NONE && r->cte_levels_up >= depth &&
                r->cte_levels_up - depth < level)
                return r->cte;
        }
    }
    return NULL;
}

static void look(struct levels *x, struct scope *s, struct expr *const *items, uint32_t count)
{
    *x = (struct levels){.home = s->query, .columns = NONE, .aggregates = NONE};
    x->map = (struct query_map){
        .arena = s->env->arena, .expr = visit_root, .ctx = x, .at = s->query};
    for (uint32_t i = 0; i < count; i++) (void)visit(x, items[i]);
}

static enum status nested(struct scope *s, int location)
{
    return bind__at(s, location,
                    FAIL(GROUPING_ERROR, "aggregate function calls cannot be nested"));
}

enum status bind__aggregate_level(struct scope *s, const struct expr *e, uint32_t *ret)
{
    ARRAY(struct expr *) rest = {0};
    struct arena *a = s->env->arena;
    uint32_t direct = e->kind == EXPR_AGGREGATE ? e->aggregate.direct_count : 0;
    for (uint32_t i = direct; i < e->arg_count; i++) ARENA_PUSH(a, &rest, e->args[i]);
    if (e->kind == EXPR_AGGREGATE) {
        for (uint32_t i = 0; i < e->aggregate.order_count; i++)
            ARENA_PUSH(a, &rest, e->aggregate.order_by[i].expr);
        ARENA_PUSH(a, &rest, e->aggregate.filter);
    }
    struct levels x;
    look(&x, s, rest.data, (uint32_t)rest.count);
    uint32_t level = x.columns < x.aggregates ? x.columns : x.aggregates;
    if (level == NONE) level = 0;
    if (level == x.aggregates) return nested(s, x.aggregate_at);
    *ret = level;
    const struct cte *hidden = find_hidden_cte(&x, level);
    if (hidden) {
        enum status code =
            FAIL(FEATURE_NOT_SUPPORTED, "outer-level aggregate cannot use a nested CTE");
        (void)error_detail("CTE \"%s\" is below the aggregate's semantic level.", hidden->name);
        return bind__at(s, e->location, code);
    }
    if (!direct) return OK;
    look(&x, s, e->args, direct);
    if (x.columns < level)
        return bind__at(s, x.column_at,
                        FAIL(GROUPING_ERROR, "outer-level aggregate cannot contain a lower-level "
                                             "variable in its direct arguments"));
    if (x.aggregates != NONE && x.aggregates <= level) return nested(s, x.aggregate_at);
    return OK;
}

/* --- moving ----------------------------------------------------------------------------------- */

struct move {
    const struct query *home;
    uint32_t levels;
};

static struct expr *lower(struct query_map *m, struct expr *e)
{
    const struct move *x = m->ctx;
    uint32_t depth = depth_of(x->home, m->at);
    if (depth == NONE || e->column.levels_up < depth + x->levels) return e;
    e = arena_memdup(m->arena, e, sizeof *e);
    e->column.levels_up -= x->levels;
    return e;
}

static void lower_ctes(const struct query_map *m, const struct move *x)
{
    for (size_t i = 1; i < m->made.count; i++) {
        uint32_t depth = depth_of(x->home, m->old.data[i]);
        struct query *q = m->made.data[i];
        for (uint32_t k = 0; depth != NONE && k < q->relation_count; k++)
            if (q->relations[k]->kind == REL_CTE &&
                q->relations[k]->cte_levels_up >= depth + x->levels)
                q->relations[k]->cte_levels_up -= x->levels;
    }
}

struct expr *bind__move_up(struct scope *s, struct scope *owner, uint32_t levels, struct expr *e)
{
    struct arena *a = s->env->arena;
    struct move x = {s->query, levels};
    struct query_map m = {.arena = a, .copy = true, .expr = query_map_columns, .column = lower,
                          .ctx = &x, .at = s->query};
    ARENA_PUSH(a, &m.old, s->query); /* whose subqueries become those of the owner */
    ARENA_PUSH(a, &m.made, owner->query);
    struct relation *r = ARENA_NEW(a, struct relation);
    r->kind = REL_JOIN;
    r->join_columns = ARENA_ARRAY(a, struct expr *, 1);
    r->join_columns[0] = query_map_columns(&m, e);
    lower_ctes(&m, &x);
    r->columns = ARENA_ARRAY(a, struct rel_column, 1);
    r->columns[0] = (struct rel_column){.name = "aggregate", .type = e->type, .typmod = e->typmod};
    r->column_count = 1;
    struct expr *column = bind__new(s, EXPR_COLUMN, e->type, e->location, 0);
    column->typmod = e->typmod;
    column->column.relation = bind__add_relation(owner, r, false, false);
    column->column.levels_up = levels;
    return column;
}
