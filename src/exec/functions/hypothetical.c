/* rank, dense_rank, percent_rank, cume_dist WITHIN GROUP: where a row of the direct arguments would
 * stand among the rows. Arguments are the direct ones, then the row's values; rows arrive in order.
 * */
#include "exec/functions/aggregate_priv.h"

struct standing {
    int64_t rows, before, not_after; /* before: sort below the direct row; not_after: or equal */
    int64_t groups_before;           /* distinct ones among `before` */
    struct datum *last;              /* the newest row before */
};

static int order(const struct expr *e, uint32_t i, const struct datum *a, const struct datum *b)
{
    const struct sort_item *s = &e->aggregate.order_by[i];
    if (a->null || b->null) {
        if (a->null && b->null) return 0;
        return a->null == s->nulls_first ? -1 : 1;
    }
    int c = value_compare(e->args[i]->type, &a->v, &b->v);
    return s->descending ? -c : c;
}

static int order_rows(const struct expr *e, uint32_t n, const struct datum *a,
                      const struct datum *b)
{
    int c = 0;
    for (uint32_t i = 0; i < n && !c; i++) c = order(e, i, &a[i], &b[i]);
    return c;
}

static enum status standing_add(struct call_ctx *c, struct arena *keep, void *state,
                                const struct datum *args, uint32_t n)
{
    struct standing *s = state;
    uint32_t columns = n / 2;
    const struct datum *row = args + columns;
    if (c->expr->kind != EXPR_AGGREGATE || c->expr->aggregate.order_count < columns)
        return FAIL(INTERNAL_ERROR, "hypothetical-set aggregate without an order");
    int order = order_rows(c->expr, columns, row, args);
    s->rows++;
    s->not_after += order <= 0;
    if (order >= 0) return OK;
    s->before++;
    if (s->last && order_rows(c->expr, columns, s->last, row) == 0) return OK;
    s->groups_before++;
    if (!s->last) s->last = ARENA_ARRAY(keep, struct datum, columns + 1);
    for (uint32_t i = 0; i < columns; i++)
        s->last[i] = datum_copy(keep, c->expr->args[i]->type, row[i]);
    return OK;
}

/* Sets come in order, so that of the other begins where this one ends. */
static enum status standing_merge(struct call_ctx *c, struct arena *keep, void *state,
                                  const void *other)
{
    (void)c, (void)keep;
    struct standing *s = state;
    const struct standing *o = other;
    s->rows += o->rows;
    s->before += o->before;
    s->not_after += o->not_after;
    s->groups_before += o->groups_before;
    if (o->last) s->last = o->last;
    return OK;
}

#define RESULT(name, f, VALUE)                                                                     \
    static enum status name(struct call_ctx *c, const void *state, struct datum *ret)              \
    {                                                                                              \
        (void)c;                                                                                   \
        const struct standing *s = state;                                                          \
        ret->v.f = VALUE;                                                                          \
        return OK;                                                                                 \
    }
RESULT(rank_result, i64, s->before + 1)
RESULT(dense_rank_result, i64, s->groups_before + 1)
RESULT(percent_rank_result, f64, s->rows ? (double)s->before / (double)s->rows : 0)
RESULT(cume_dist_result, f64, (double)(s->not_after + 1) / (double)(s->rows + 1))

#define STANDING(r) {sizeof(struct standing), false, standing_add, standing_merge, r, NULL}

const struct aggregate_binding exec__hypothetical_functions[] = {
    {"rank_agg", TYPE_ANY, STANDING(rank_result)},
    {"dense_rank_agg", TYPE_ANY, STANDING(dense_rank_result)},
    {"percent_rank_agg", TYPE_ANY, STANDING(percent_rank_result)},
    {"cume_dist_agg", TYPE_ANY, STANDING(cume_dist_result)},
};
BINDING_COUNT(hypothetical)
