/* Scans of tables: by the row tree, or by a secondary index whose entries name the rows; or by columns
 * (column_scan.c).
 *
 * Rows are decoded where they lie, only the columns that the plan reads, into vectors that reference
 * the storage's bytes. Batches begin small and grow, so that a query that stops early has not read
 * much. A statement that scans what it changes does not see its own changes (core/store.h). */
#include "exec/ops/scan_priv.h"

#include "base/random.h"
#include "exec/usage.h"
#include "types/row.h"

enum { FIRST_ROWS = 64 };

struct datum *op__missing(struct arena *a, const struct table_def *t)
{
    struct datum *missing = NULL;
    for (uint16_t c = 0; c < t->column_count && !missing; c++)
        if (t->columns[c].has_missing) missing = ARENA_ARRAY(a, struct datum, t->column_count);
    for (uint16_t i = 0; missing && i < t->column_count; i++) {
        missing[i].null = true;
        if (t->columns[i].has_missing) missing[i] = t->columns[i].missing;
    }
    return missing;
}

static struct scan_state *scan_state(struct execution *x, const struct plan_node *n)
{
    bool fresh;
    struct scan_state *s = exec_state(x, n, sizeof *s, &fresh);
    if (!fresh) return s;
    const struct table_def *t = n->scan.table;
    s->ranges = exec_arena(x);
    s->batch = exec_arena(x);
    type_id *types = ARENA_ARRAY(x->arena, type_id, n->column_count + 1);
    for (uint32_t i = 0; i < n->column_count; i++) types[i] = n->columns[i].type;
    s->types = types;
    s->missing = op__missing(x->arena, t);
    scan_steps_make(&s->steps, x, n);
    return s;
}

void scan__reserve(struct scan_run *r)
{
    struct scan_state *s = r->s;
    if (r->batch_rows <= s->room) return;
    uint32_t rows = r->batch_rows <= FIRST_ROWS ? FIRST_ROWS : BATCH_ROWS;
    s->keys = ARENA_ARRAY(r->x->arena, struct slice, rows);
    s->rows = ARENA_ARRAY(r->x->arena, struct slice, rows);
    s->entry_rows = ARENA_ARRAY(r->x->arena, struct slice, rows);
    s->room = rows;
}

void scan__fill_slots(struct scan_run *r, struct batch *b, const struct slice *keys)
{
    const struct plan_node *n = r->n;
    if (n->scan.key_slot >= 0) {
        struct vec *v = &b->columns[n->scan.key_slot];
        vec_init_flat_rows(v, TYPE_BYTEA, b->rows, r->s->batch);
        for (uint32_t i = 0; i < b->count; i++) {
            uint32_t row = op__row(b, i);
            const struct slice *k = &keys[row];
            vec_set(v, row, (struct datum){.v.bytes = bytes_ref(k->data, (uint32_t)k->len)});
        }
    }
    if (n->scan.tableoid_slot >= 0)
        vec_init_const(&b->columns[n->scan.tableoid_slot], TYPE_OID,
                       (struct datum){.v.u32 = n->scan.table->oid}, r->s->batch);
}

enum status scan__emit(struct scan_run *r, struct slice *keys, struct slice *rows, uint32_t count)
{
    const struct plan_node *n = r->n;
    struct scan_state *s = r->s;
    if (!count) return exec_check(r->x);
    arena_clear(s->batch);
    r->rows_read += count;
    op__prime(r->x, s->batch, count);
    if (r->filters.count) {
        uint32_t all = count;
        count = row_filters_apply(&r->filters, n, s->missing, s->batch,
                                  n->scan.key_slot < 0 ? NULL : keys, rows, count);
        if (r->x->stats) r->x->stats[n->id].unmatched += all - count;
        if (!count) return exec_check(r->x);
    }
    struct batch b = {.rows = count, .count = count, .column_count = (uint16_t)n->column_count};
    b.columns = ARENA_ARRAY(s->batch, struct vec, n->column_count + 1);
    for (uint32_t c = 0; c < n->scan.fetch_count; c++)
        vec_init_flat_rows(&b.columns[c], s->types[c], count, s->batch);
    scan__fill_slots(r, &b, keys);
    TRY(scan_steps_run(&s->steps, r->x, n, rows, s->missing, s->batch, &b));
    if (r->x->stats) r->x->stats[n->id].removed += count - b.count;
    return op__push(r->x, r->out, &b);
}

static void grow_batch(struct scan_run *r)
{
    uint32_t most = r->x->session->batch_rows;
    if (r->batch_rows >= BATCH_ROWS || (most && most < BATCH_ROWS)) return;
    r->batch_rows = BATCH_ROWS;
    scan__reserve(r);
}

/* One range of the row tree. */
static enum status scan_rows(struct scan_run *r, const struct byte_range *range)
{
    const struct plan_node *n = r->n;
    struct scan_state *s = r->s;
    if (range->exact) {
        struct point_get_request q = {n->scan.table->tree, range->lower};
        enum status st = store_point_get(r->txn, &q, &s->rows[0]);
        if (st == NOT_FOUND) return OK;
        TRY(st);
        s->keys[0] = range->lower;
        return scan__emit(r, s->keys, s->rows, 1);
    }
    struct scan_request q = {.tree = n->scan.table->tree, .lower = range->lower,
                             .upper = range->upper, .reverse = n->scan.reverse,
                             .skip_keys = n->scan.key_slot < 0 && !n->scan.sample};
    struct cursor *c;
    TRY(store_scan(r->txn, &q, &c));
    enum status st;
    for (;;) {
        uint32_t count;
        st = cursor_next(c, s->keys, s->rows, r->batch_rows, &count);
        if (st != OK || count == 0) break;
        if (n->scan.sample) count = sample_take(&r->sample, s->keys, s->rows, count);
        st = scan__emit(r, s->keys, s->rows, count);
        if (st != OK) break;
        grow_batch(r);
    }
    cursor_close(c);
    return st;
}

/* The rows that index entries name, in the entries' order. */
static enum status fetch(struct scan_run *r, uint32_t count)
{
    struct scan_state *s = r->s;
    struct multi_get_request q = {r->n->scan.table->tree, s->entry_rows, count};
    TRY(store_multi_get(r->txn, &q, s->rows));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!s->rows[i].data) continue;
        s->entry_rows[kept] = s->entry_rows[i];
        s->rows[kept++] = s->rows[i];
    }
    return scan__emit(r, s->entry_rows, s->rows, kept);
}

static enum status scan_entries(struct scan_run *r, const struct byte_range *range)
{
    const struct plan_node *n = r->n;
    struct scan_state *s = r->s;
    uint64_t tree = n->scan.index->tree;
    if (range->exact) {
        struct point_get_request q = {tree, range->lower};
        enum status st = store_point_get(r->txn, &q, &s->entry_rows[0]);
        if (st == NOT_FOUND) return OK;
        TRY(st);
        return fetch(r, 1);
    }
    struct scan_request q = {.tree = tree, .lower = range->lower, .upper = range->upper,
                             .reverse = n->scan.reverse, .skip_keys = true};
    struct cursor *c;
    TRY(store_scan(r->txn, &q, &c));
    enum status st;
    for (;;) {
        uint32_t count;
        st = cursor_next(c, s->keys, s->entry_rows, r->batch_rows, &count);
        if (st != OK || count == 0) break;
        st = fetch(r, count);
        if (st != OK) break;
        grow_batch(r);
    }
    cursor_close(c);
    return st;
}

/* Without REPEATABLE the same rows for the whole statement, others in the next. */
static enum status begin_sample(struct scan_run *r)
{
    struct scan_state *s = r->s;
    if (!s->seeded && r->x->session->random) s->seed = rng_u64(r->x->session->random);
    s->seeded = true;
    return sample_begin(&r->sample, r->x, r->n->scan.sample, s->seed);
}

static enum status run_morsels(struct scan_run *r, const struct index_def *key, bool unique,
                               enum status (*scan)(struct scan_run *, const struct byte_range *))
{
    for (;;) {
        struct byte_range range;
        bool any;
        TRY(morsel__next(r->x, r->n, key, unique, &range, &any));
        if (!any) return OK;
        TRY(scan(r, &range));
    }
}

static void count_usage(const struct scan_run *r)
{
    const struct plan_node *n = r->n;
    usage_count_scan(r->x->session->usage, n->scan.table->oid, r->rows_read, n->scan.fetch_count);
}

static enum status run_ranges(struct execution *x, const struct plan_node *n,
                              const struct exec_sink *out, const struct index_def *key, bool unique,
                              enum status (*scan)(struct scan_run *, const struct byte_range *))
{
    struct scan_run r = {.x = x, .n = n, .s = scan_state(x, n), .out = out,
                         .batch_rows = FIRST_ROWS};
    if (x->session->batch_rows && x->session->batch_rows < FIRST_ROWS)
        r.batch_rows = x->session->batch_rows;
    struct byte_range whole = {0}, *ranges = &whole;
    uint32_t count = 1;
    TRY(exec_reader(x, exec_moment(x, n->scan.moment), &r.txn));
    if (n->scan.sample) TRY(begin_sample(&r));
    row_filters_begin(&r.filters, x, n);
    arena_clear(r.s->ranges);
    scan__reserve(&r);
    if (n->kind == PLAN_SCAN) {
        bool done;
        TRY(scan__columns(&r, &done));
        if (done) return count_usage(&r), OK;
    }
    if (op__shares_scan(x, n)) {
        enum status st = run_morsels(&r, key, unique, scan);
        count_usage(&r);
        return st;
    }
    if (key) TRY(key_ranges(x, &n->scan.range, key, unique, r.s->ranges, &ranges, &count));
    enum status st = OK;
    for (uint32_t i = 0; i < count && st == OK; i++)
        st = scan(&r, &ranges[n->scan.reverse ? count - 1 - i : i]);
    count_usage(&r);
    return st;
}

enum status op__scan(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    if (n->scan.versions) return op__versions(x, n, out);
    return run_ranges(x, n, out, n->scan.table->primary, true, scan_rows);
}

enum status op__index_scan(struct execution *x, const struct plan_node *n,
                           const struct exec_sink *out)
{
    const struct index_def *i = n->scan.index;
    return run_ranges(x, n, out, i, i->unique && !i->deferrable, scan_entries);
}
