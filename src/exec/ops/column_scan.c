/* Scans by columns (core/columns.h): what the store can test while it is encoded it tests; then filters of
 * joins and the other conditions narrow a block's selection, and each column is decoded when it is first
 * asked for, of the rows that are left. What the store gives as rows goes the way of rows.
 *
 * Below a gather all workers read of one scan, which the first to come makes; the gather ends it. */
#include "exec/ops/column_scan.h"

#include "exec/ops/column_conditions.h"
#include "exec/ops/column_route.h"
#include "exec/ops/scan_priv.h"

enum { DENSE_OF_8 = 6 }; /* of a block's rows: then all are decoded */

struct column_run {
    struct scan_run *r;
    struct column_reader *reader;
    struct column_conditions conditions;
    struct scan_steps steps;         /* of what the conditions leave */
    struct byte_range *ranges;       /* of the keys; NULL: all */
    uint32_t range_count;
    uint8_t *loaded;                 /* by slot: of the block at hand */
};

/* --- rows -------------------------------------------------------------------------------------- */

static bool in_ranges(const struct column_run *c, struct slice key)
{
    uint32_t low = 0, high = c->range_count; /* the first that does not end before the key */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct byte_range *m = &c->ranges[mid];
        if (m->upper.data && slice_cmp(m->upper, key) <= 0) low = mid + 1;
        else high = mid;
    }
    return low < c->range_count &&
           (!c->ranges[low].lower.data || slice_cmp(c->ranges[low].lower, key) <= 0);
}

static enum status emit_rows(struct column_run *c, const struct column_piece *p)
{
    struct scan_state *s = c->r->s;
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        if (c->ranges && !in_ranges(c, p->keys[i])) continue;
        s->keys[n] = p->keys[i];
        s->rows[n++] = p->rows[i];
    }
    return scan__emit(c->r, s->keys, s->rows, n);
}

/* --- blocks ------------------------------------------------------------------------------------ */

static enum status load(struct column_run *c, struct batch *b, uint32_t slot)
{
    if (c->loaded[slot]) return OK;
    c->loaded[slot] = true;
    bool dense = !b->sel || b->count >= b->rows / 8 * DENSE_OF_8;
    return column_reader_column(c->reader, slot, dense ? NULL : b->sel, dense ? b->rows : b->count,
                                false, &b->columns[slot]);
}

/* From the last on, as one that is left out is replaced by the last. */
static enum status apply_filters(struct column_run *c, struct batch *b, uint16_t *sel)
{
    struct scan_run *r = c->r;
    uint32_t all = b->count;
    for (uint32_t i = r->filters.count; i-- > 0 && b->count;) {
        uint32_t slot = r->filters.filters[i]->slot;
        TRY(load(c, b, slot));
        b->count = row_filters_keep(&r->filters, i, &b->columns[slot], b->sel, b->count, r->s->batch,
                                    sel);
        b->sel = sel;
        row_filters_judge(&r->filters, i);
    }
    if (r->x->stats) r->x->stats[r->n->id].unmatched += all - b->count;
    return OK;
}

static enum status apply_steps(struct column_run *c, struct batch *b, uint16_t *sel)
{
    for (uint32_t i = 0; i < c->steps.count && b->count; i++) {
        const struct scan_step *step = &c->steps.steps[i];
        for (uint32_t k = 0; k < step->slot_count; k++) TRY(load(c, b, step->slots[k]));
        if (!step->condition) break;
        TRY(exec_filter(c->r->x, step->condition, b, c->r->s->batch, sel, &b->count));
        b->sel = sel;
    }
    return OK;
}

static enum status load_keys(struct column_run *c, struct batch *b)
{
    struct scan_run *r = c->r;
    struct slice *keys = NULL;
    if (r->n->scan.key_slot >= 0) {
        keys = arena_alloc(r->s->batch, b->rows * sizeof *keys);
        TRY(column_reader_keys(c->reader, b->sel, b->count, keys));
    }
    scan__fill_slots(r, b, keys);
    return OK;
}

static enum status emit_block(struct column_run *c, const struct column_piece *p)
{
    struct scan_run *r = c->r;
    const struct plan_node *n = r->n;
    struct arena *a = r->s->batch;
    if (p->whole && r->out->block && !r->filters.count && !c->conditions.rest_count) {
        bool taken;
        TRY(r->out->block(r->out->ctx, c->reader, p->count, &taken));
        if (taken) return exec_check(r->x);
    }
    arena_clear(a);
    op__prime(r->x, a, p->count);
    struct batch b = {.rows = p->count, .count = p->count, .column_count = (uint16_t)n->column_count};
    b.columns = ARENA_ARRAY(a, struct vec, n->column_count + 1);
    uint16_t *sel = arena_alloc(a, BATCH_ROWS * sizeof *sel);
    if (!p->whole) {
        b.count = column_select(p->mask, sel);
        if (b.count < b.rows) b.sel = sel;
    }
    memset(c->loaded, 0, n->scan.fetch_count + 1);
    uint32_t unmatched = b.count;
    if (r->filters.count) TRY(apply_filters(c, &b, sel));
    unmatched -= b.count;
    if (n->scan.tableoid_slot >= 0)
        vec_init_const(&b.columns[n->scan.tableoid_slot], TYPE_OID,
                       (struct datum){.v.u32 = n->scan.table->oid}, a);
    TRY(apply_steps(c, &b, sel));
    if (r->x->stats) r->x->stats[n->id].removed += p->count - unmatched - b.count;
    if (!b.count) return exec_check(r->x);
    if (n->scan.key_slot >= 0) TRY(load_keys(c, &b));
    return op__push(r->x, r->out, &b);
}

/* --- the scan ---------------------------------------------------------------------------------- */

static enum status read_pieces(struct column_run *c)
{
    for (;;) {
        struct column_piece p;
        enum status st = column_reader_next(c->reader, &p);
        if (st == END_OF_DATA) return OK;
        TRY(st);
        if (!p.rows) c->r->rows_read += p.count;
        TRY(p.rows ? emit_rows(c, &p) : emit_block(c, &p));
    }
}

static enum status open_scan(struct column_run *c, struct column_scan **ret)
{
    struct scan_run *r = c->r;
    struct column_scan_request q = {
        .tree = r->n->scan.table->tree, .numbers = c->conditions.numbers,
        .types = c->conditions.types, .count = c->conditions.count,
        .conditions = c->conditions.tests, .condition_count = c->conditions.test_count};
    return store_column_scan(r->txn, &q, ret);
}

/* Of the gather; the first to ask decides for all. */
static enum status open_shared(struct column_run *c, bool columns, struct column_scan **ret)
{
    struct parallel *p = c->r->x->parallel;
    enum status st = OK;
    fmutex_lock(&p->lock);
    if (!p->routed) {
        if (columns) st = open_scan(c, &p->columns);
        p->routed = st == OK;
        if (p->columns) p->column_node = c->r->n;
    }
    *ret = p->columns;
    fmutex_unlock(&p->lock);
    return st;
}

void column_scan_count(const struct column_scan *scan, struct node_stats *s)
{
    struct column_scan_counts counts;
    column_scan_get_counts(scan, &counts);
    s->by_columns++;
    s->blocks += counts.blocks;
    s->blocks_skipped += counts.blocks_skipped;
    s->rows_by_row += counts.rows_by_row;
}

static bool has_range(const struct key_range *k)
{
    return k->equal_count || k->lower || k->upper || k->in_list || k->in_array;
}

static enum status prepare(struct column_run *c)
{
    struct scan_run *r = c->r;
    const struct plan_node *n = r->n;
    struct arena *a = r->s->ranges;
    TRY(column_conditions_make(r->x, n, a, &c->conditions));
    scan_steps_of(&c->steps, a, n, c->conditions.rest, c->conditions.rest_count);
    c->loaded = ARENA_ARRAY(a, uint8_t, n->scan.fetch_count + 1);
    if (!has_range(&n->scan.range)) return OK;
    c->ranges = ARENA_NEW(a, struct byte_range);
    struct byte_range *ranges = NULL;
    TRY(key_ranges(r->x, &n->scan.range, n->scan.table->primary, true, a, &ranges, &c->range_count));
    if (ranges) c->ranges = ranges;
    return OK;
}

static enum status run(struct column_run *c, struct column_scan *scan)
{
    struct scan_run *r = c->r;
    uint32_t rows = r->batch_rows;
    r->batch_rows = BATCH_ROWS; /* of rows that the store gives at once */
    scan__reserve(r);
    r->batch_rows = rows;
    if (c->conditions.never) return OK;
    TRY(column_reader_open(scan, r->txn, &c->reader));
    enum status st = read_pieces(c);
    column_reader_close(c->reader);
    return st;
}

enum status scan__columns(struct scan_run *r, bool *ret_done)
{
    struct column_run c = {.r = r};
    struct column_scan *scan;
    bool shared = op__shares_scan(r->x, r->n), columns;
    *ret_done = false;
    if (r->x->session->force_format == FORMAT_ROW || !column_route_may(r->x->plan, r->n)) return OK;
    TRY(column_route(r->txn, r->x->session, r->n, &columns));
    if (!columns && !shared) return OK;
    TRY(prepare(&c));
    TRY(shared ? open_shared(&c, columns, &scan) : open_scan(&c, &scan));
    if (!scan) return OK;
    *ret_done = true;
    enum status st = run(&c, scan);
    if (shared) return st;
    if (r->x->stats) column_scan_count(scan, &r->x->stats[r->n->id]);
    column_scan_free(scan);
    return st;
}
