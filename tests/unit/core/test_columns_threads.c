/* Scans by columns while others write: threads move amounts between accounts, flushes and merges go on in
 * the background, and each scan, by two threads, must find the same sum and every account once. */
#include "core/columns.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/random.h"
#include "core/txn.h"
#include "types/row.h"

enum { ACCOUNTS = 5000, WRITERS = 2, MOVES = 4000, START = 1000, COLUMNS = 2 };

static const type_id types[COLUMNS] = {TYPE_INT4, TYPE_INT8};
static struct store *store;
static tree_id tree;
static uint64_t seed;
static bool done;     /* atomic */
static uint32_t wrong; /* atomic: cmocka's asserts are for the main thread */
static uint64_t scans, by_columns;

static struct slice key_of(uint32_t k, uint32_t *buf)
{
    *buf = __builtin_bswap32(k);
    return slice_make(buf, sizeof *buf);
}

static void check(bool holds)
{
    if (!holds) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

static enum status put(struct txn *t, const struct row_layout *l, uint32_t k, int64_t amount)
{
    struct datum v[COLUMNS] = {{.v.i32 = (int32_t)k}, {.v.i64 = amount}};
    struct strbuf row;
    uint32_t buf;
    strbuf_init(&row, NULL);
    row_encode(l, v, &row);
    struct write_request q = {.tree = tree, .op = WRITE_PUT, .key = key_of(k, &buf), .row = strbuf_slice(&row)};
    enum status st = store_write(t, &q);
    strbuf_release(&row);
    return st;
}

static enum status take(struct txn *t, const struct row_layout *l, uint32_t k, int64_t *ret)
{
    uint32_t buf;
    struct lock_result found;
    struct datum d;
    struct lock_request q = {.tree = tree, .key = key_of(k, &buf), .mode = ROW_LOCK_UPDATE};
    TRY(store_lock(t, &q, &found));
    check(found.row.data && row_get(l, found.row, 1, &d));
    *ret = d.v.i64;
    return OK;
}

static enum status move(const struct row_layout *l, struct rng *r)
{
    struct txn_options o = {0};
    struct txn *t;
    int64_t a, b, amount = (int64_t)rng_below(r, 20);
    uint32_t x = (uint32_t)rng_below(r, ACCOUNTS - 1), y = x + 1 + (uint32_t)rng_below(r, ACCOUNTS - 1 - x);
    TRY(txn_begin(store, &o, &t));
    txn_statement_begin(t);
    enum status st = take(t, l, x, &a);
    if (st == OK) st = take(t, l, y, &b);
    if (st == OK) st = put(t, l, x, a - amount);
    if (st == OK) st = put(t, l, y, b + amount);
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_ASYNC, NULL);
    txn_abort(t);
    return st;
}

static void *writer(void *arg)
{
    struct rng r;
    struct arena a;
    rng_seed(&r, (uint64_t)(uintptr_t)arg);
    arena_init(&a, MEM_TEST);
    const struct row_layout *l = row_layout_new(&a, types, COLUMNS);
    for (int i = 0; i < MOVES; i++) check(move(l, &r) == OK);
    arena_release(&a);
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct part {
    struct column_scan *scan;
    struct txn *txn;
    uint64_t rows;
    int64_t sum;
};

static void *read_part(void *arg)
{
    struct part *p = arg;
    struct column_reader *r;
    struct column_piece piece;
    struct arena a;
    enum status st;
    arena_init(&a, MEM_TEST);
    const struct row_layout *l = row_layout_new(&a, types, COLUMNS);
    check(column_reader_open(p->scan, p->txn, &r) == OK);
    while ((st = column_reader_next(r, &piece)) == OK) {
        uint16_t sel[BATCH_ROWS];
        struct vec v;
        struct datum d;
        for (uint32_t i = 0; piece.rows && i < piece.count; i++) {
            check(row_get(l, piece.rows[i], 1, &d));
            p->sum += d.v.i64;
            p->rows++;
        }
        if (piece.rows) continue;
        uint32_t n = column_select(piece.mask, sel);
        check(column_reader_column(r, 0, sel, n, true, &v) == OK);
        for (uint32_t i = 0; i < n; i++) p->sum += VEC_DATA(&v, int64_t)[sel[i]];
        p->rows += n;
    }
    check(st == END_OF_DATA);
    column_reader_close(r);
    arena_release(&a);
    return NULL;
}

static void scan_once(void)
{
    static const uint32_t numbers[] = {1};
    static const type_id asked[] = {TYPE_INT8};
    struct column_scan_request q = {.tree = tree, .numbers = numbers, .types = asked, .count = 1};
    struct txn_options o = {0};
    struct column_scan *s;
    struct txn *t;
    pthread_t other;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_column_scan(t, &q, &s), OK);
    scans++;
    if (s) {
        struct part parts[2] = {{.scan = s, .txn = t}, {.scan = s}};
        by_columns++;
        txn_begin_helper(t, &parts[1].txn);
        pthread_create(&other, NULL, read_part, &parts[1]);
        read_part(&parts[0]);
        pthread_join(other, NULL);
        txn_end_helper(parts[1].txn);
        assert_int_equal(parts[0].rows + parts[1].rows, ACCOUNTS);
        assert_int_equal(parts[0].sum + parts[1].sum, (int64_t)ACCOUNTS * START);
    }
    column_scan_free(s);
    txn_statement_end(t);
    txn_abort(t);
}

/* Runs are rewritten meanwhile. */
static void tell(enum tree_form form)
{
    struct tree_columns c = {COLUMNS, types, NULL, form};
    store_set_tree_columns(store, tree, &c);
}

static void fill(void)
{
    struct txn_options o = {0};
    struct txn *t;
    struct arena a;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    tell(TREE_DUAL);
    arena_init(&a, MEM_TEST);
    const struct row_layout *l = row_layout_new(&a, types, COLUMNS);
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    for (uint32_t k = 0; k < ACCOUNTS; k++) assert_int_equal(put(t, l, k, START), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    assert_int_equal(store_checkpoint(store), OK);
    arena_release(&a);
}

static void *watch(void *arg)
{
    pthread_t *writers = arg;
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void test_moves(void **state)
{
    char dir[] = "/tmp/helios-columns-XXXXXX", command[64];
    struct pool_options po = {.name = "background", .threads = 2, .queue_max = 64};
    struct store_options o;
    struct pool *pool;
    pthread_t writers[WRITERS], watcher;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pool_start(&po, &pool), OK);
    store_options_init(&o);
    o.os = os_real();
    o.dir = dir;
    o.background = pool;
    o.memtable_bytes = 128 << 10;
    o.run_bytes = 256 << 10;
    o.level1_bytes = 256 << 10;
    assert_int_equal(store_open(&o, &store), OK);
    fill();
    for (uintptr_t i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, writer, (void *)(uintptr_t)(seed * 100 + i));
    pthread_create(&watcher, NULL, watch, writers);
    do {
        scan_once();
        if (scans % 16 == 0) tell((enum tree_form)(scans / 16 % 4));
    } while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE));
    pthread_join(watcher, NULL);
    scan_once();
    print_message("%llu scans, %llu by columns\n", (unsigned long long)scans, (unsigned long long)by_columns);
    assert_int_equal(wrong, 0);
    assert_true(by_columns > 0);
    assert_int_equal(store_close(store), OK);
    pool_stop(pool);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
