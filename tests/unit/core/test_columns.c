/* Scans by columns against scans by rows, at the same snapshots: random writes, loads, flushes and
 * merges, columns that come to be there, conditions, several readers; with every encoding forced in
 * turn. */
#include "core/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"
#include "core/segment/run_columns.h"
#include "core/txn.h"
#include "types/numeric.h"

enum { KEYS = 12000, COLUMNS = 8, FIRST_COLUMNS = 6, READERS = 3, OLD = 3 };

static const type_id types[COLUMNS] = {TYPE_INT4, TYPE_INT8, TYPE_NUMERIC, TYPE_TEXT,
                                       TYPE_FLOAT8, TYPE_DATE, TYPE_INT8, TYPE_TEXT};
static struct datum missing[COLUMNS];
static uint64_t seed;

struct fixture {
    struct os *os;
    struct store *store;
    struct rng rng;
    struct arena arena; /* of a check */
    tree_id tree;
    uint32_t columns;   /* that new rows have */
    enum tree_form form;
    uint32_t next_key;  /* keys from here on are for loads */
    struct txn *old[OLD];
    uint64_t scans, fallbacks, by_column, by_row, skipped;
};

static const struct row_layout *layout_of(struct arena *a, uint32_t n)
{
    return row_layout_new(a, types, (uint16_t)n);
}

static struct slice key_of(struct fixture *f, uint32_t k)
{
    uint32_t be = __builtin_bswap32(k);
    return slice_dup(&f->arena, slice_make(&be, sizeof be));
}

static struct slice row_of(struct fixture *f, uint32_t k)
{
    static const char *const words[] = {"red", "green", "blue", "a colour that nobody knows"};
    struct rng *r = &f->rng;
    struct datum v[COLUMNS] = {0};
    struct strbuf out;
    char text[64];
    for (int c = 0; c < COLUMNS; c++) v[c].null = rng_below(r, 20) == 0;
    v[0].v.i32 = (int32_t)k;
    v[1].v.i64 = (int64_t)(rng_u64(r) >> rng_below(r, 60));
    v[2].v.numeric = numeric_small((int64_t)rng_below(r, 1000000), 2);
    if (rng_below(r, 50) == 0)
        assert_int_equal(numeric_from_text(slice_of("123456789012345678901234567890.5"), -1, &f->arena,
                                           &v[2].v.numeric), OK);
    snprintf(text, sizeof text, "%s%u", words[rng_below(r, 4)], rng_below(r, 3) ? 1 : k);
    v[3].v.bytes = bytes_copy(&f->arena, text, (uint32_t)strlen(text));
    v[4].v.f64 = (double)rng_below(r, 100000) / 100;
    v[5].v.i32 = (int32_t)(k / 100);
    v[6].v.i64 = (int64_t)rng_below(r, 5);
    v[7].v.bytes = bytes_copy(&f->arena, words[k % 4], (uint32_t)strlen(words[k % 4]));
    strbuf_init(&out, &f->arena);
    row_encode(layout_of(&f->arena, f->columns), v, &out);
    return strbuf_slice(&out);
}

static struct txn *begin(struct fixture *f, enum isolation isolation)
{
    struct txn_options o = {.isolation = isolation};
    struct txn *t;
    assert_int_equal(txn_begin(f->store, &o, &t), OK);
    return t;
}

static void tell_columns(struct fixture *f, uint32_t n)
{
    struct tree_columns c = {n, types, missing, f->form};
    store_set_tree_columns(f->store, f->tree, n ? &c : NULL);
}

static void open_store(struct fixture *f)
{
    struct store_options o;
    store_options_init(&o);
    o.os = f->os;
    o.dir = "data";
    o.memtable_bytes = 256 << 10;
    o.load_bytes = 512 << 10;
    o.run_bytes = 1 << 20;
    o.level1_bytes = 2 << 20;
    if (store_open(&o, &f->store) != OK) fail_msg("open: %s", error_current()->message);
}

static void setup(struct fixture *f, uint64_t s)
{
    struct sim_options sim = {.seed = s};
    *f = (struct fixture){.columns = FIRST_COLUMNS, .next_key = KEYS};
    rng_seed(&f->rng, s);
    arena_init(&f->arena, MEM_TEST);
    f->os = sim_new(&sim);
    f->form = (enum tree_form)rng_below(&f->rng, 4);
    open_store(f);
    struct txn *t = begin(f, READ_COMMITTED);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &f->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    tell_columns(f, FIRST_COLUMNS);
}

static void end_old(struct fixture *f)
{
    for (int i = 0; i < OLD; i++) {
        if (f->old[i]) txn_abort(f->old[i]);
        f->old[i] = NULL;
    }
}

static void teardown(struct fixture *f)
{
    end_old(f);
    assert_int_equal(store_close(f->store), OK);
    sim_free(f->os);
    arena_release(&f->arena);
}

/* --- what a scan gives ------------------------------------------------------------------------ */

struct got {
    struct slice key;
    struct datum values[COLUMNS];
};
struct gots {
    ARRAY(struct got) list;
};

static int compare_gots(const void *a, const void *b)
{
    return slice_cmp(((const struct got *)a)->key, ((const struct got *)b)->key);
}

static void put_row(struct fixture *f, struct gots *to, struct slice key, struct slice row)
{
    const struct row_layout *l = layout_of(&f->arena, COLUMNS);
    struct got g = {.key = slice_dup(&f->arena, key)};
    for (uint16_t c = 0; c < COLUMNS; c++) {
        if (!row_get(l, row, c, &g.values[c])) g.values[c] = missing[c];
        g.values[c] = datum_copy(&f->arena, types[c], g.values[c]);
    }
    ARRAY_PUSH(&to->list, g);
}

/* Is it true of the value? NULL never is. */
static bool holds(const struct column_condition *c, type_id type, const struct datum *d)
{
    const struct column_test *t = &c->test;
    if (t->op == COLUMN_IS_NULL) return d->null;
    if (d->null) return false;
    if (t->op == COLUMN_IS_NOT_NULL) return true;
    int first = value_compare(type, &d->v, &t->values[0].v);
    switch (t->op) {
    case COLUMN_EQ: return first == 0;
    case COLUMN_NE: return first != 0;
    case COLUMN_LT: return first < 0;
    case COLUMN_LE: return first <= 0;
    case COLUMN_GT: return first > 0;
    case COLUMN_GE: return first >= 0;
    case COLUMN_BETWEEN: return first >= 0 && value_compare(type, &d->v, &t->values[1].v) <= 0;
    default:
        for (uint32_t i = 0; i < t->count; i++)
            if (value_compare(type, &d->v, &t->values[i].v) == 0) return true;
        return false;
    }
}

static bool passes(const struct column_scan_request *q, const struct got *g)
{
    for (uint32_t i = 0; i < q->condition_count; i++) {
        uint32_t c = q->numbers[q->conditions[i].column];
        if (!holds(&q->conditions[i], types[c], &g->values[c])) return false;
    }
    return true;
}

static void filter(const struct column_scan_request *q, struct gots *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->list.count; i++)
        if (passes(q, &g->list.data[i])) g->list.data[n++] = g->list.data[i];
    g->list.count = n;
}

static void read_rows(struct fixture *f, struct txn *t, struct gots *to)
{
    struct scan_request q = {.tree = f->tree};
    struct slice keys[100], rows[100];
    struct cursor *c;
    uint32_t n;
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 100, &n), OK);
        for (uint32_t i = 0; i < n; i++) put_row(f, to, keys[i], rows[i]);
    } while (n);
    cursor_close(c);
}

static void take_block(struct fixture *f, struct column_reader *r, const struct column_scan_request *q,
                       const struct column_piece *p, struct gots *to)
{
    uint16_t sel[BATCH_ROWS];
    struct slice keys[BATCH_ROWS];
    struct vec vecs[COLUMNS];
    uint32_t n = column_select(p->mask, sel);
    bool all = rng_below(&f->rng, 2) == 0;
    assert_true(n > 0 && p->count <= BATCH_ROWS && sel[n - 1] < p->count);
    assert_int_equal(p->whole, n == p->count);
    assert_int_equal(column_reader_keys(r, sel, n, keys), OK);
    for (uint32_t c = 0; c < q->count; c++) {
        const struct column_zone *z = column_reader_zone(r, c);
        if (z) assert_int_equal(z->rows, p->count);
        assert_int_equal(column_reader_column(r, c, all ? NULL : sel, all ? p->count : n,
                                              rng_below(&f->rng, 2) == 0, &vecs[c]), OK);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct got g = {.key = slice_dup(&f->arena, keys[sel[i]])};
        for (uint32_t c = 0; c < q->count; c++)
            g.values[q->numbers[c]] = datum_copy(&f->arena, types[q->numbers[c]], vec_get(&vecs[c], sel[i]));
        ARRAY_PUSH(&to->list, g);
    }
}

/* False: columns cannot give it. */
static bool read_columns(struct fixture *f, struct txn *t, const struct column_scan_request *q,
                         struct gots *to)
{
    struct column_scan *s;
    struct column_reader *readers[READERS];
    struct txn *helpers[READERS];
    struct column_scan_counts counts;
    struct column_piece p;
    int n = 1 + (int)rng_below(&f->rng, READERS), left = n;
    if (store_column_scan(t, q, &s) != OK) fail_msg("scan: %s", error_current()->message);
    f->scans++;
    if (!s) return f->fallbacks++, false;
    for (int i = 0; i < n; i++) {
        if (i) txn_begin_helper(t, &helpers[i]);
        assert_int_equal(column_reader_open(s, i ? helpers[i] : t, &readers[i]), OK);
    }
    while (left) {
        int i = (int)rng_below(&f->rng, (uint64_t)n);
        if (!readers[i]) continue;
        enum status st = column_reader_next(readers[i], &p);
        if (st == END_OF_DATA) {
            column_reader_close(readers[i]);
            readers[i] = NULL;
            left--;
            continue;
        }
        if (st != OK) fail_msg("next: %s", error_current()->message);
        if (!p.rows) {
            take_block(f, readers[i], q, &p, to);
            f->by_column += p.count;
            continue;
        }
        struct gots rows = {0};
        for (uint32_t k = 0; k < p.count; k++) put_row(f, &rows, p.keys[k], p.rows[k]);
        f->by_row += p.count;
        filter(q, &rows);
        for (size_t k = 0; k < rows.list.count; k++) ARRAY_PUSH(&to->list, rows.list.data[k]);
        ARRAY_RELEASE(&rows.list);
    }
    column_scan_get_counts(s, &counts);
    f->skipped += counts.blocks_skipped;
    for (int i = 1; i < n; i++) txn_end_helper(helpers[i]);
    column_scan_free(s);
    return true;
}

/* --- checks ----------------------------------------------------------------------------------- */

static void make_condition(struct fixture *f, struct column_scan_request *q, struct column_condition *c,
                           const struct gots *from)
{
    static const enum column_op ops[] = {COLUMN_EQ, COLUMN_NE, COLUMN_LT, COLUMN_LE, COLUMN_GT, COLUMN_GE,
                                         COLUMN_BETWEEN, COLUMN_IN, COLUMN_IS_NULL, COLUMN_IS_NOT_NULL};
    c->column = (uint32_t)rng_below(&f->rng, q->count);
    uint32_t number = q->numbers[c->column];
    c->test.op = ops[rng_below(&f->rng, sizeof ops / sizeof *ops)];
    c->test.count = c->test.op == COLUMN_BETWEEN ? 2 : c->test.op == COLUMN_IN ? 5
                    : c->test.op >= COLUMN_IS_NULL ? 0 : 1;
    struct datum *values = ARENA_ARRAY(&f->arena, struct datum, 6);
    for (uint32_t i = 0; i < c->test.count; i++) { /* of values that occur */
        for (int tries = 0; tries < 100 && (!tries || values[i].null); tries++)
            values[i] = from->list.data[rng_below(&f->rng, from->list.count)].values[number];
        if (values[i].null) c->test = (struct column_test){.op = COLUMN_IS_NULL};
    }
    c->test.values = values;
}

static void compare(struct fixture *f, const struct column_scan_request *q, struct gots *expected,
                    struct gots *got)
{
    (void)f;
    if (got->list.count) qsort(got->list.data, got->list.count, sizeof *got->list.data, compare_gots);
    for (size_t i = 0; i < expected->list.count && i < got->list.count; i++) {
        const struct got *x = &expected->list.data[i], *y = &got->list.data[i];
        if (!slice_eq(x->key, y->key)) fail_msg("seed %llu: another key at %zu", (unsigned long long)seed, i);
        for (uint32_t c = 0; c < q->count; c++) {
            uint32_t number = q->numbers[c];
            if (!value_identical(types[number], &x->values[number], &y->values[number]))
                fail_msg("seed %llu: another value of column %u at %zu", (unsigned long long)seed, number, i);
        }
    }
    if (expected->list.count != got->list.count)
        fail_msg("seed %llu: %zu rows, not %zu", (unsigned long long)seed, got->list.count,
                 expected->list.count);
}

/* What t sees, by columns and by rows. */
static void check(struct fixture *f, struct txn *t)
{
    struct gots expected = {0}, got = {0};
    uint32_t numbers[COLUMNS];
    type_id asked[COLUMNS];
    struct column_condition conditions[3];
    struct column_scan_request q = {.tree = f->tree, .numbers = numbers, .types = asked,
                                    .conditions = conditions};
    for (uint32_t c = 0; c < f->columns; c++) {
        if (c && rng_below(&f->rng, 3) == 0) continue;
        numbers[q.count] = c;
        asked[q.count++] = types[c];
    }
    txn_statement_begin(t);
    read_rows(f, t, &expected);
    uint32_t n = expected.list.count > 100 ? (uint32_t)rng_below(&f->rng, 4) : 0;
    for (uint32_t i = 0; i < n; i++) make_condition(f, &q, &conditions[i], &expected);
    q.condition_count = n;
    filter(&q, &expected);
    if (read_columns(f, t, &q, &got)) compare(f, &q, &expected, &got);
    txn_statement_end(t);
    ARRAY_RELEASE(&expected.list);
    ARRAY_RELEASE(&got.list);
    arena_clear(&f->arena);
}

static void check_now(struct fixture *f)
{
    struct txn *t = begin(f, (enum isolation)rng_below(&f->rng, 3));
    check(f, t);
    txn_abort(t);
}

/* --- what happens ----------------------------------------------------------------------------- */

static void write_some(struct fixture *f)
{
    struct txn *t = begin(f, READ_COMMITTED);
    uint32_t n = 1 + (uint32_t)rng_below(&f->rng, rng_below(&f->rng, 4) ? 50 : 3000);
    uint32_t from = (uint32_t)rng_below(&f->rng, KEYS), step = (uint32_t)rng_below(&f->rng, 3);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = step ? (from + i * step) % KEYS : (uint32_t)rng_below(&f->rng, KEYS);
        struct write_request q = {.tree = f->tree, .op = rng_below(&f->rng, 5) ? WRITE_PUT : WRITE_REMOVE,
                                  .key = key_of(f, k), .row = row_of(f, k)};
        txn_statement_begin(t);
        assert_int_equal(store_write(t, &q), OK);
        txn_statement_end(t);
        if (i % 500 == 0) arena_clear(&f->arena);
    }
    arena_clear(&f->arena);
    if (rng_below(&f->rng, 8) == 0) check(f, t); /* it sees its own */
    if (rng_below(&f->rng, 6)) assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    else txn_abort(t);
}

static void load_some(struct fixture *f)
{
    struct txn *t = begin(f, READ_COMMITTED);
    struct load_tree trees = {f->tree, true};
    struct load *l;
    uint32_t n = 1 + (uint32_t)rng_below(&f->rng, 4000);
    txn_statement_begin(t);
    assert_int_equal(store_load_begin(t, &trees, 1, &l), OK);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = f->next_key++;
        assert_int_equal(store_load_add(l, 0, key_of(f, k), row_of(f, k), i), OK);
    }
    if (store_load_finish(l) != OK) fail_msg("load: %s", error_current()->message);
    store_load_free(l);
    txn_statement_end(t);
    arena_clear(&f->arena);
    if (rng_below(&f->rng, 3) == 0) check(f, t);
    if (rng_below(&f->rng, 4)) assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    else txn_abort(t);
}

static enum status no_problem(void *ctx, const struct verify_finding *v)
{
    (void)ctx;
    if (v->problem)
        fail_msg("seed %llu: %s (%s): %s", (unsigned long long)seed, v->object, v->kind, v->problem);
    return OK;
}

static void old_snapshot(struct fixture *f)
{
    uint32_t i = (uint32_t)rng_below(&f->rng, OLD);
    if (f->old[i]) {
        check(f, f->old[i]);
        if (rng_below(&f->rng, 2)) return;
        txn_abort(f->old[i]);
        f->old[i] = NULL;
        return;
    }
    f->old[i] = begin(f, REPEATABLE_READ);
    txn_statement_begin(f->old[i]);
    txn_statement_end(f->old[i]);
}

static void step(struct fixture *f)
{
    bool worked;
    struct verify_sink sink = {.found = no_problem};
    switch (rng_below(&f->rng, 16)) {
    case 0: case 1: case 2: case 3: case 4: write_some(f); return;
    case 5: load_some(f); return;
    case 6: assert_int_equal(store_checkpoint(f->store), OK); return;
    case 7: case 8: assert_int_equal(store_maintain(f->store, &worked), OK); return;
    case 9: if (rng_below(&f->rng, 4) == 0) assert_int_equal(store_compact_tree(f->store, f->tree), OK); return;
    case 10: case 11: old_snapshot(f); return;
    case 12:
        if (rng_below(&f->rng, 4)) return;
        if (f->columns < COLUMNS) f->columns++;
        if (rng_below(&f->rng, 3)) tell_columns(f, f->columns); /* or later */
        return;
    case 13:
        if (rng_below(&f->rng, 8)) return;
        f->form = (enum tree_form)rng_below(&f->rng, 4);
        tell_columns(f, rng_below(&f->rng, 3) ? f->columns : 0);
        return;
    case 14: if (rng_below(&f->rng, 8) == 0) assert_int_equal(store_verify(f->store, &sink), OK); return;
    default: check_now(f);
    }
}

static void reopen(struct fixture *f)
{
    end_old(f);
    if (rng_below(&f->rng, 2)) assert_int_equal(store_close(f->store), OK);
    else store_abandon(f->store);
    open_store(f);
    tell_columns(f, f->columns);
}

static void run(uint64_t s, int steps, struct fixture *f)
{
    struct verify_sink sink = {.found = no_problem};
    setup(f, s);
    for (int i = 0; i < steps; i++) {
        step(f);
        if (rng_below(&f->rng, 80) == 0) reopen(f);
    }
    end_old(f);
    tell_columns(f, f->columns);
    check_now(f);
    assert_int_equal(store_compact_tree(f->store, f->tree), OK);
    for (int i = 0; i < 4; i++) check_now(f);
    assert_int_equal(store_verify(f->store, &sink), OK);
    teardown(f);
}

static void test_model(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t by_column = 0, by_row = 0, scans = 0, fallbacks = 0, skipped = 0;
    for (int i = 0; i < 4; i++) {
        run(seed + (uint64_t)i, 120, &f);
        by_column += f.by_column;
        by_row += f.by_row;
        scans += f.scans;
        fallbacks += f.fallbacks;
        skipped += f.skipped;
    }
    print_message("%llu scans (%llu not by columns), %llu rows by column, %llu by row, %llu blocks skipped\n",
                  (unsigned long long)scans, (unsigned long long)fallbacks, (unsigned long long)by_column,
                  (unsigned long long)by_row, (unsigned long long)skipped);
    assert_true(by_column && by_row && scans > fallbacks);
}

static void test_encodings(void **state)
{
    (void)state;
    struct fixture f;
    run_columns_bytes = 256 << 10;
    for (unsigned i = 0; i <= RUN_COLUMNS_FORCED; i++) {
        run_columns_force(i);
        run(seed + 100 + i, 25, &f);
    }
    run_columns_bytes = 0;
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    missing[6] = (struct datum){.v.i64 = 3};
    missing[7] = (struct datum){.null = true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
