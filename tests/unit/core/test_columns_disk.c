/* Column parts and what may befall a disk: a power loss at every single write of flushes, loads and
 * merges, those too that give runs another form, and flipped bits. After the one all that was committed is there, by columns as by rows; of
 * the other either nothing is noticed or DATA_CORRUPTED is told with the place. */
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
#include "core/txn.h"
#include "types/row.h"

enum { COLUMNS = 3, LOADED = 3000, WRITTEN = 200, TRIES = 300 };

static const type_id types[COLUMNS] = {TYPE_INT4, TYPE_TEXT, TYPE_INT8};
static uint64_t seed;

struct fixture {
    struct os *os;
    struct store *store;
    tree_id tree;
    enum tree_form form;
};

/* What is read of the table: rows, and a sum over them. */
struct sums {
    uint64_t rows, sum;
};

static struct txn *begin(struct store *s)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static enum status end(struct txn *t)
{
    txn_statement_end(t);
    return txn_commit(t, COMMIT_SYNC, NULL);
}

static void tell(struct fixture *f, enum tree_form form)
{
    struct tree_columns c = {COLUMNS, types, NULL, form};
    f->form = form;
    store_set_tree_columns(f->store, f->tree, &c);
}

static enum status open_store(struct fixture *f)
{
    struct store_options o;
    store_options_init(&o);
    o.os = f->os;
    o.dir = "data";
    TRY(store_open(&o, &f->store));
    if (f->tree) tell(f, f->form);
    return OK;
}

static void make_store(struct fixture *f, uint64_t s, enum tree_form form)
{
    struct sim_options sim = {.seed = s, .keep_permille = 400, .tear_permille = 100};
    *f = (struct fixture){.os = sim_new(&sim)};
    assert_int_equal(open_store(f), OK);
    struct txn *t = begin(f->store);
    assert_int_equal(store_create_tree(t, &f->tree), OK);
    assert_int_equal(end(t), OK);
    tell(f, form);
}

static struct slice make_row(struct arena *a, uint32_t k, int64_t value)
{
    struct datum v[COLUMNS] = {{.v.i32 = (int32_t)k}, {.v.bytes = bytes_ref("a word", 6)}, {.v.i64 = value}};
    struct strbuf out;
    strbuf_init(&out, a);
    row_encode(row_layout_new(a, types, COLUMNS), v, &out);
    return strbuf_slice(&out);
}

static enum status write_rows(struct fixture *f, uint32_t from, uint32_t n, int64_t value)
{
    struct arena a;
    struct txn_options o = {0};
    struct txn *t;
    TRY(txn_begin(f->store, &o, &t));
    enum status st = OK;
    arena_init(&a, MEM_TEST);
    txn_statement_begin(t);
    for (uint32_t k = from; k < from + n && st == OK; k++) {
        uint32_t be = __builtin_bswap32(k);
        struct write_request q = {.tree = f->tree, .op = WRITE_PUT, .key = slice_make(&be, sizeof be),
                                  .row = make_row(&a, k, value)};
        st = store_write(t, &q);
    }
    arena_release(&a);
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_SYNC, NULL);
    txn_abort(t);
    return st;
}

static enum status load_rows(struct fixture *f, uint32_t from, uint32_t n, int64_t value)
{
    struct load_tree trees = {f->tree, true};
    struct txn_options o = {0};
    struct load *l;
    struct txn *t;
    struct arena a;
    TRY(txn_begin(f->store, &o, &t));
    txn_statement_begin(t);
    enum status st = store_load_begin(t, &trees, 1, &l);
    if (st != OK) {
        txn_abort(t);
        return st;
    }
    arena_init(&a, MEM_TEST);
    for (uint32_t k = from; k < from + n && st == OK; k++) {
        uint32_t be = __builtin_bswap32(k);
        st = store_load_add(l, 0, slice_make(&be, sizeof be), make_row(&a, k, value), k);
    }
    if (st == OK) st = store_load_finish(l);
    store_load_free(l);
    arena_release(&a);
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_SYNC, NULL);
    txn_abort(t);
    return st;
}

static void add_row(struct arena *a, struct slice row, struct sums *ret)
{
    struct datum d;
    assert_true(row_get(row_layout_new(a, types, COLUMNS), row, 2, &d));
    ret->rows++;
    ret->sum += (uint64_t)d.v.i64;
}

static enum status sum_pieces(struct column_reader *r, struct arena *a, struct sums *ret)
{
    struct column_piece p;
    enum status st;
    while ((st = column_reader_next(r, &p)) == OK) {
        uint16_t sel[BATCH_ROWS];
        struct vec v;
        for (uint32_t i = 0; p.rows && i < p.count; i++) add_row(a, p.rows[i], ret);
        if (p.rows) continue;
        uint32_t n = column_select(p.mask, sel);
        TRY(column_reader_column(r, 1, sel, n, true, &v));
        for (uint32_t i = 0; i < n; i++) ret->sum += (uint64_t)VEC_DATA(&v, int64_t)[sel[i]];
        ret->rows += n;
    }
    return st == END_OF_DATA ? OK : st;
}

static enum status by_columns(struct fixture *f, struct sums *ret)
{
    static const uint32_t numbers[] = {0, 2};
    static const type_id asked[] = {TYPE_INT4, TYPE_INT8};
    struct column_scan_request q = {.tree = f->tree, .numbers = numbers, .types = asked, .count = 2};
    struct column_reader *r = NULL;
    struct column_scan *s = NULL;
    struct arena a;
    struct txn *t = begin(f->store);
    *ret = (struct sums){0};
    arena_init(&a, MEM_TEST);
    enum status st = store_column_scan(t, &q, &s);
    if (st == OK) {
        assert_non_null(s);
        st = column_reader_open(s, t, &r);
    }
    if (st == OK) st = sum_pieces(r, &a, ret);
    column_reader_close(r);
    column_scan_free(s);
    txn_statement_end(t);
    txn_abort(t);
    arena_release(&a);
    return st;
}

static enum status by_rows(struct fixture *f, struct sums *ret)
{
    struct scan_request q = {.tree = f->tree};
    struct slice keys[100], rows[100];
    struct cursor *c = NULL;
    struct arena a;
    uint32_t n = 1;
    struct txn *t = begin(f->store);
    *ret = (struct sums){0};
    arena_init(&a, MEM_TEST);
    enum status st = store_scan(t, &q, &c);
    while (st == OK && n) {
        st = cursor_next(c, keys, rows, 100, &n);
        for (uint32_t i = 0; st == OK && i < n; i++) add_row(&a, rows[i], ret);
    }
    if (c) cursor_close(c);
    txn_statement_end(t);
    txn_abort(t);
    arena_release(&a);
    return st;
}

static enum status no_problem(void *ctx, const struct verify_finding *v)
{
    (void)ctx;
    if (v->problem) fail_msg("seed %llu: %s (%s): %s", (unsigned long long)seed, v->object, v->kind, v->problem);
    return OK;
}

/* --- power ------------------------------------------------------------------------------------ */

static enum status do_all(struct fixture *f, enum tree_form next, int *done)
{
    bool worked = true;
    TRY(load_rows(f, 10000, LOADED, 2));
    *done = 1;
    TRY(write_rows(f, 10, WRITTEN, 3));
    *done = 2;
    TRY(store_checkpoint(f->store));
    TRY(store_maintain(f->store, &worked));
    TRY(store_compact_tree(f->store, f->tree));
    tell(f, next);
    while (worked) TRY(store_maintain(f->store, &worked));
    return OK;
}

/* The power goes off at write n. False: it had all been done by then. */
static bool cut(uint64_t n, enum tree_form form, enum tree_form next)
{
    static const uint64_t rows[] = {WRITTEN, WRITTEN + LOADED, WRITTEN + LOADED + 10};
    struct verify_sink sink = {.found = no_problem};
    struct sums columns, row;
    struct fixture f;
    int done = 0;
    make_store(&f, seed + n, form);
    assert_int_equal(write_rows(&f, 0, WRITTEN, 1), OK);
    assert_int_equal(store_checkpoint(f.store), OK);
    sim_power_off_after(f.os, n);
    (void)!do_all(&f, next, &done);
    bool off = sim_is_off(f.os);
    error_clear();
    store_abandon(f.store);
    sim_power_off_after(f.os, 0);
    sim_restart(f.os);
    assert_int_equal(open_store(&f), OK);
    assert_int_equal(by_rows(&f, &row), OK);
    assert_int_equal(by_columns(&f, &columns), OK);
    assert_int_equal(columns.rows, row.rows);
    assert_int_equal(columns.sum, row.sum);
    bool known = row.rows == rows[done] || (done < 2 && row.rows == rows[done + 1]);
    if (!known) fail_msg("seed %llu, power off at %llu: %llu rows", (unsigned long long)seed,
                         (unsigned long long)n, (unsigned long long)row.rows);
    assert_int_equal(store_verify(f.store, &sink), OK);
    store_abandon(f.store);
    sim_free(f.os);
    return off;
}

static void test_every_write(void **state)
{
    (void)state;
    uint64_t n = 1;
    static const enum tree_form forms[][2] = {{TREE_DUAL, TREE_COLUMN}, {TREE_COLUMN, TREE_HYBRID},
                                              {TREE_HYBRID, TREE_DUAL}, {TREE_COMPRESSED, TREE_DUAL}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (n = 1; cut(n, forms[i][0], forms[i][1]);) n++;
        assert_true(n > 15);
    }
}

/* --- bits ------------------------------------------------------------------------------------- */

static enum status count_problem(void *ctx, const struct verify_finding *v)
{
    *(int *)ctx += v->problem != NULL;
    return OK;
}

static void flip(enum tree_form form)
{
    struct fixture f;
    struct rng r;
    struct sums good, now;
    struct tree_statistics st;
    int told = 0, verified = 0;
    make_store(&f, seed, form);
    rng_seed(&r, seed);
    assert_int_equal(load_rows(&f, 0, LOADED, 2), OK);
    assert_int_equal(by_columns(&f, &good), OK);
    assert_int_equal(good.rows, LOADED);
    assert_int_equal(store_get_statistics(f.store, f.tree, &st), OK);
    assert_true(st.column_bytes > 0 && st.column_bytes < st.disk_bytes);
    store_abandon(f.store);
    for (int i = 0; i < TRIES; i++) {
        uint64_t at = 8 * 4096 + rng_below(&r, 1 << 20);
        unsigned bit = (unsigned)rng_below(&r, 8);
        int problems = 0;
        struct verify_sink sink = {.found = count_problem, .ctx = &problems};
        assert_int_equal(sim_flip_bit(f.os, "data/data-0001.hbf", at, bit), OK);
        if (open_store(&f) == OK) {
            bool rows = form != TREE_DUAL && rng_below(&r, 2);
            enum status read = rows ? by_rows(&f, &now) : by_columns(&f, &now);
            if (read == OK) {
                assert_int_equal(now.rows, good.rows);
                assert_int_equal(now.sum, good.sum);
            } else {
                assert_int_equal(read, DATA_CORRUPTED);
                assert_non_null(strstr(error_current()->message, "data-0001.hbf"));
                told++;
                error_clear();
            }
            assert_int_equal(store_verify(f.store, &sink), OK);
            if (read != OK) assert_true(problems > 0);
            verified += problems > 0;
            store_abandon(f.store);
        } else {
            error_clear(); /* fences, filters and indexes are read at open */
        }
        assert_int_equal(sim_flip_bit(f.os, "data/data-0001.hbf", at, bit), OK);
    }
    print_message("%d of %d told by reads, %d by verify\n", told, TRIES, verified);
    assert_true(verified >= told);
    sim_free(f.os);
}

static void test_flips(void **state)
{
    (void)state;
    flip(TREE_DUAL);
    flip(TREE_COLUMN);
    flip(TREE_HYBRID);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_write),
        cmocka_unit_test(test_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
