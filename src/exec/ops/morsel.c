/* Morsels: the parts of a scan that the workers of a gather take one after another, so that who is
 * slower takes fewer. Each of the plan's ranges is split where the store says that rows lie evenly;
 * what it cannot split stays whole. */
#include "exec/ops/gather_priv.h"

enum { MORSELS_A_WORKER = 16 };

struct shared_scan {
    struct byte_range *ranges;
    uint32_t count, next;
};

/* Under the gather's lock. */
static enum status split(struct execution *x, const struct plan_node *n,
                         const struct byte_range *range, uint32_t parts, struct shared_scan *s)
{
    struct arena *a = &x->parallel->arena;
    struct scan_request q = {.tree = n->kind == PLAN_SCAN ? n->scan.table->tree
                                                          : n->scan.index->tree,
                             .lower = range->lower, .upper = range->upper};
    uint32_t count = 0;
    struct slice *bounds = ARENA_ARRAY(a, struct slice, parts + 1);
    struct txn *txn;
    TRY(exec_reader(x, exec_moment(x, n->scan.moment), &txn));
    if (!range->exact && parts > 1) TRY(store_split(txn, &q, parts, a, bounds, &count));
    struct byte_range rest = *range;
    for (uint32_t i = 0; i < count; i++) {
        s->ranges[s->count] = rest;
        s->ranges[s->count++].upper = bounds[i];
        rest.lower = bounds[i];
    }
    s->ranges[s->count++] = rest;
    return OK;
}

static enum status divide(struct execution *x, const struct plan_node *n,
                          const struct index_def *key, bool unique, struct shared_scan **ret)
{
    struct arena *a = &x->parallel->arena;
    struct byte_range whole = {0}, *ranges = &whole;
    uint32_t count = 1, parts = MORSELS_A_WORKER * x->parallel->gather->gather.workers;
    if (key) TRY(key_ranges(x, &n->scan.range, key, unique, a, &ranges, &count));
    if (count) parts = parts / count + 1;
    struct shared_scan *s = ARENA_NEW(a, struct shared_scan);
    s->ranges = ARENA_ARRAY(a, struct byte_range, (size_t)count * parts + 1);
    for (uint32_t i = 0; i < count; i++) TRY(split(x, n, &ranges[i], parts, s));
    *ret = s;
    return OK;
}

enum status morsel__next(struct execution *x, const struct plan_node *n, const struct index_def *key,
                         bool unique, struct byte_range *ret, bool *ret_any)
{
    struct parallel *p = x->parallel;
    enum status st = OK;
    *ret_any = false;
    fmutex_lock(&p->lock);
    if (!p->scan) st = divide(x, n, key, unique, &p->scan);
    if (st == OK && p->scan->next < p->scan->count) {
        *ret = p->scan->ranges[p->scan->next++];
        *ret_any = true;
    }
    fmutex_unlock(&p->lock);
    return st;
}
