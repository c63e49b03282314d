/* Splitting a scan: of rows that lie in many runs, one after another or over each other, the parts have
 * about the same number of rows, and together all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"
#include "core/store.h"
#include "core/txn.h"
#include "rows.h"

enum { ROWS = 30000, BATCH = 500, PARTS = 8 };

static struct store *open_store(struct os *os)
{
    struct store_options o;
    struct store *s;
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    o.memtable_bytes = 256 << 10;
    o.run_bytes = 256 << 10;
    o.level1_bytes = 512 << 10;
    assert_int_equal(store_open(&o, &s), OK);
    return s;
}

static struct slice key_of(int k, char buf[16])
{
    snprintf(buf, 16, "key%07d", k);
    return slice_of(buf);
}

static void maintain(struct store *s)
{
    bool worked = true;
    while (worked) assert_int_equal(store_maintain(s, &worked), OK);
}

static tree_id fill(struct store *s, bool in_order)
{
    char key[16], row[600];
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    tree_id tree;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    assert_int_equal(store_create_tree(t, &tree), OK);
    for (int i = 0; i < ROWS; i++) {
        int k = in_order ? i : (int)((int64_t)i * 7919 % ROWS);
        struct write_request w = {tree, WRITE_INSERT, key_of(k, key), row_of(i % 97, row), false};
        txn_statement_begin(t);
        assert_int_equal(store_write(t, &w), OK);
        txn_statement_end(t);
        if (i % BATCH != BATCH - 1) continue;
        assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
        maintain(s);
        assert_int_equal(txn_begin(s, &o, &t), OK);
    }
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    maintain(s);
    return tree;
}

static int count(struct txn *t, tree_id tree, struct slice lower, struct slice upper)
{
    struct scan_request q = {.tree = tree, .lower = lower, .upper = upper};
    struct slice keys[64], rows[64];
    struct cursor *c;
    uint32_t n;
    int all = 0;
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 64, &n), OK);
        all += (int)n;
    } while (n);
    cursor_close(c);
    return all;
}

/* Of the keys from `from` up to `to`. */
static void check(struct txn *t, tree_id tree, int from, int to)
{
    char low[16], high[16];
    struct scan_request q = {.tree = tree, .lower = key_of(from, low), .upper = key_of(to, high)};
    struct slice bounds[PARTS], at = q.lower;
    struct arena a;
    uint32_t n;
    int all = 0, parts = 0, most = 0;
    arena_init(&a, MEM_TXN);
    assert_int_equal(store_split(t, &q, PARTS, &a, bounds, &n), OK);
    assert_in_range(n, 1, PARTS - 1);
    for (uint32_t i = 0; i <= n; i++) {
        struct slice end = i < n ? bounds[i] : q.upper;
        assert_true(slice_cmp(at, end) < 0);
        int rows = count(t, tree, at, end);
        most = rows > most ? rows : most;
        all += rows;
        parts++;
        at = end;
    }
    assert_int_equal(all, to - from);
    if (most > 2 * all / parts)
        fail_msg("of %d rows in %d parts one has %d", all, parts, most);
    arena_release(&a);
}

static void parts_are_even(void **state)
{
    const bool in_order = *(bool *)*state;
    const struct sim_options machine = {.seed = 1};
    struct os *os = sim_new(&machine);
    struct store *s = open_store(os);
    tree_id tree = fill(s, in_order);
    struct tree_statistics st;
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    assert_int_equal(store_get_statistics(s, tree, &st), OK);
    assert_true(st.runs > 4);
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    check(t, tree, 0, ROWS);
    check(t, tree, ROWS / 3, ROWS);
    check(t, tree, ROWS / 4, ROWS / 2);
    txn_statement_end(t);
    txn_abort(t);
    store_close(s);
    sim_free(os);
}

int main(void)
{
    bool orders[] = {true, false};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(parts_are_even, &orders[0]),
        cmocka_unit_test_prestate(parts_are_even, &orders[1]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
