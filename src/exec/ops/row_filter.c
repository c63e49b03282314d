#include "exec/ops/row_filter.h"

#include "types/row.h"

enum { TRIAL_ROWS = 8192, KEEP_PERCENT = 75 };

/* --- where a filter belongs ------------------------------------------------------------------- */

static const struct plan_node *find_scan(const struct plan_node *n, uint32_t *slot);

/* Only rows of a side that must match something may be left out. */
static const struct plan_node *find_in_join(const struct plan_node *n, uint32_t *slot)
{
    enum join_kind type = n->join.type;
    if (*slot < n->left->column_count) {
        bool may = type == JOIN_INNER || type == JOIN_LEFT || type == JOIN_SEMI || type == JOIN_ANTI;
        return may ? find_scan(n->left, slot) : NULL;
    }
    if (n->kind != PLAN_HASH_JOIN || type != JOIN_INNER) return NULL;
    *slot -= n->left->column_count;
    return find_scan(n->right, slot);
}

static const struct plan_node *find_scan(const struct plan_node *n, uint32_t *slot)
{
    for (;; n = n->left) {
        const struct expr *e;
        switch (n->kind) {
        case PLAN_SCAN:
        case PLAN_INDEX_SCAN: return *slot < n->scan.fetch_count ? n : NULL;
        case PLAN_FILTER:
        case PLAN_GATHER:
        case PLAN_SUBQUERY_SCAN: continue;
        case PLAN_PROJECT: e = n->project.exprs[*slot]; break;
        case PLAN_AGGREGATE:
            if (n->aggregate.set_count || *slot >= n->aggregate.group_count) return NULL;
            e = n->aggregate.groups[*slot];
            break;
        case PLAN_HASH_JOIN:
        case PLAN_NESTED_LOOP: return find_in_join(n, slot);
        default: return NULL;
        }
        if (e->kind != EXPR_SLOT) return NULL;
        *slot = e->slot;
    }
}

const struct plan_node *row_filter_find(const struct plan_node *n, uint32_t *slot)
{
    if (exec_check_stack() == OK) return find_scan(n, slot);
    error_clear();
    return NULL;
}

void row_filter_put(struct execution *x, const struct plan_node *scan, uint32_t slot,
                    struct row_filter *f)
{
    if (!x->row_filters)
        x->row_filters = ARENA_ARRAY(x->arena, struct row_filter *, x->plan->node_count);
    f->slot = slot;
    f->scan = scan;
    f->next = x->row_filters[scan->id];
    x->row_filters[scan->id] = f;
}

void row_filter_attach(struct execution *x, const struct plan_node *join, struct row_filter *f)
{
    const struct expr *key = join->join.left_keys[0];
    if (key->kind != EXPR_SLOT || exec_check_stack() != OK) {
        error_clear();
        return;
    }
    uint32_t slot = key->slot;
    const struct plan_node *scan = find_scan(join->left, &slot);
    if (scan) row_filter_put(x, scan, slot, f);
}

void row_filter_detach(struct execution *x, struct row_filter *f)
{
    if (!f->scan) return;
    struct row_filter **at = &x->row_filters[f->scan->id];
    while (*at != f) at = &(*at)->next;
    *at = f->next;
    f->scan = NULL;
}

/* --- in the scan ------------------------------------------------------------------------------ */

void row_filters_begin(struct row_filters *r, struct execution *x, const struct plan_node *scan)
{
    r->count = 0;
    if (!x->row_filters) return;
    for (struct row_filter *f = x->row_filters[scan->id]; f && r->count < ROW_FILTERS_MAX;
         f = f->next) {
        r->filters[r->count] = f;
        r->in[r->count] = r->out[r->count] = 0;
        r->count++;
    }
}

uint32_t row_filters_keep(struct row_filters *r, uint32_t at, const struct vec *v, const uint16_t *sel,
                          uint32_t count, struct arena *a, uint16_t *kept)
{
    const struct row_filter *f = r->filters[at];
    struct arena_mark mark = arena_mark(a);
    bool null;
    uint16_t *rows = arena_alloc(a, count * sizeof *rows);
    uint64_t *keys = arena_alloc(a, count * sizeof *keys);
    uint32_t n = join_keys_read(f->keys, v, sel, count, rows, keys, &null);
    n = join_table_filter(f->table, keys, rows, n, kept);
    arena_rewind(a, mark);
    r->in[at] += count;
    r->out[at] += n;
    return n;
}

static uint32_t apply_one(struct row_filters *r, uint32_t at, const struct plan_node *scan,
                          const struct datum *missing, struct arena *a, struct slice *keys,
                          struct slice *rows, uint32_t count)
{
    const struct row_filter *f = r->filters[at];
    struct arena_mark mark = arena_mark(a);
    struct vec v;
    uint16_t *kept = arena_alloc(a, count * sizeof *kept);
    vec_init_flat_rows(&v, f->keys->types[0], count, a);
    row_decode_batch(scan->scan.table->layout, rows, count, &scan->scan.fetch[f->slot], 1, missing, 0,
                     &v);
    uint32_t n = row_filters_keep(r, at, &v, NULL, count, a, kept);
    for (uint32_t i = 0; i < n; i++) rows[i] = rows[kept[i]];
    for (uint32_t i = 0; keys && i < n; i++) keys[i] = keys[kept[i]];
    arena_rewind(a, mark);
    return n;
}

/* A filter that lets most rows pass costs more than it saves. */
void row_filters_judge(struct row_filters *r, uint32_t at)
{
    if (r->in[at] < TRIAL_ROWS || r->out[at] * 100 < r->in[at] * KEEP_PERCENT) return;
    r->count--;
    r->filters[at] = r->filters[r->count];
    r->in[at] = r->in[r->count];
    r->out[at] = r->out[r->count];
}

uint32_t row_filters_apply(struct row_filters *r, const struct plan_node *scan,
                           const struct datum *missing, struct arena *a, struct slice *keys,
                           struct slice *rows, uint32_t count)
{
    for (uint32_t i = r->count; i-- > 0 && count;) {
        count = apply_one(r, i, scan, missing, a, keys, rows, count);
        row_filters_judge(r, i);
    }
    return count;
}
