/* Plain aggregates of whole blocks of columns, from what is known of a block without reading it: counts, least
 * and greatest values, sums. A block that does not tell all that is asked gives its rows. */
#include "exec/ops/aggregate_priv.h"

#include "core/columns.h"

/* What a call asks. */
enum zone_kind { ZONE_COUNT_ROWS, ZONE_COUNT_VALUES, ZONE_LEAST, ZONE_GREATEST, ZONE_TOTAL };

struct zone_call {
    enum zone_kind kind;
    uint32_t slot;
    type_id type;
};

struct zone_answer {
    bool none;          /* all are NULL */
    union value value;  /* LEAST, GREATEST */
    __int128 sum;
    uint16_t scale;
    int64_t count;
};

/* Types of which a zone's ends are values as min and max would give them. */
static bool has_ends(type_id t)
{
    switch (t) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_NUMERIC:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_TEXT:
    case TYPE_VARCHAR: return true;
    default: return false;
    }
}

static bool ask(const struct agg_run *r, const struct aggregate_call *call,
                const struct aggregate_impl *impl, struct zone_call *ret)
{
    if (call->filter || call->distinct || call->order_count || call->grouping) return false;
    bool counts = strcmp(call->proc->name, "count") == 0;
    *ret = (struct zone_call){.kind = ZONE_COUNT_ROWS};
    if (call->arg_count == 0) return counts;
    const struct expr *e = call->args[0];
    if (call->arg_count != 1 || e->kind != EXPR_SLOT || e->slot >= r->n->left->scan.fetch_count)
        return false;
    ret->slot = e->slot;
    ret->type = r->n->left->columns[e->slot].type;
    ret->kind = counts                                  ? ZONE_COUNT_VALUES
                : strcmp(call->proc->name, "min") == 0 ? ZONE_LEAST
                : strcmp(call->proc->name, "max") == 0 ? ZONE_GREATEST
                                                       : ZONE_TOTAL;
    if (ret->kind == ZONE_TOTAL) return impl->add_sum != NULL;
    return counts || has_ends(ret->type);
}

static bool answer(const struct zone_call *q, const struct column_zone *z, struct arena *a,
                   struct zone_answer *ret)
{
    if (!z) return false;
    ret->count = (int64_t)z->rows - z->nulls;
    ret->none = z->nulls == z->rows;
    if (ret->none || q->kind == ZONE_COUNT_VALUES) return true;
    if (q->kind == ZONE_LEAST) return column_zone_min(q->type, z, a, &ret->value);
    if (q->kind == ZONE_GREATEST) return column_zone_max(q->type, z, a, &ret->value);
    return column_zone_sum(z, &ret->sum, &ret->scale);
}

static enum status add(struct agg_run *r, struct agg_call *c, const struct zone_call *q,
                       const struct zone_answer *z)
{
    void *state = r->states[0] + c->offset;
    struct datum d = {.v = z->value};
    switch (q->kind) {
    case ZONE_COUNT_ROWS:
    case ZONE_COUNT_VALUES: return c->impl->merge(&c->ctx, r->keep, state, &z->count);
    case ZONE_TOTAL:
        return z->none ? OK : c->impl->add_sum(&c->ctx, r->keep, state, z->sum, z->scale, z->count);
    default: return z->none ? OK : c->impl->add(&c->ctx, r->keep, state, &d, 1);
    }
}

enum status agg__take_block(void *ctx, const struct column_reader *reader, uint32_t rows,
                            bool *ret_taken)
{
    struct agg_run *r = ctx;
    arena_clear(r->batch);
    struct zone_answer *answers = ARENA_ARRAY(r->batch, struct zone_answer, r->call_count + 1);
    *ret_taken = false;
    for (uint32_t i = 0; i < r->call_count; i++) {
        const struct zone_call *q = &r->zones[i];
        answers[i].count = rows;
        if (q->kind == ZONE_COUNT_ROWS || r->calls[i].twin) continue;
        if (!answer(q, column_reader_zone(reader, q->slot), r->batch, &answers[i])) return OK;
    }
    for (uint32_t i = 0; i < r->call_count; i++)
        if (!r->calls[i].twin) TRY(add(r, &r->calls[i], &r->zones[i], &answers[i]));
    *ret_taken = true;
    return OK;
}

bool agg__asks_zones(struct agg_run *r)
{
    const struct plan_node *n = r->n;
    if (r->key_count || n->aggregate.set_count || n->left->kind != PLAN_SCAN || !r->call_count)
        return false;
    r->zones = ARENA_ARRAY(op__arena(r->x, n, 6), struct zone_call, r->call_count);
    for (uint32_t i = 0; i < r->call_count; i++)
        if (!r->calls[i].impl ||
            !ask(r, r->calls[i].call, r->calls[i].impl, &r->zones[i]))
            return false;
    return true;
}
