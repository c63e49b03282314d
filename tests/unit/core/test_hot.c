/* A small table that is updated all the time: what flushes leave of it does not pile up in runs that every scan goes
 * through, and what its memtable hides is not read; and a scan of what has changed since a moment finds just that, deletions too, whatever was merged. */
#include "core/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sim.h"
#include "core/mvcc/mvcc_priv.h"
#include "core/txn.h"

enum { ROWS = 500, ROUNDS = 12 };

struct world {
    struct os *os;
    struct store *store;
    tree_id tree;
};

static struct slice key_of(int k, char buf[16])
{
    snprintf(buf, 16, "key%05d", k);
    return slice_of(buf);
}

static struct txn *begin(struct world *w)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(w->store, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static void commit(struct txn *t)
{
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
}

static void write_range(struct world *w, int from, int to, enum write_op op)
{
    char kb[16];
    struct txn *t = begin(w);
    for (int k = from; k < to; k++) {
        struct write_request q = {w->tree, op, key_of(k, kb), SLICE("a row of some length"), false};
        if (op == WRITE_DELETE) q.row = (struct slice){0};
        assert_int_equal(store_write(t, &q), OK);
    }
    commit(t);
}

static void settle(struct world *w)
{
    bool worked = true;
    assert_int_equal(store_checkpoint(w->store), OK);
    while (worked) assert_int_equal(store_maintain(w->store, &worked), OK);
}

static void start(struct world *w, int64_t retention_us)
{
    struct sim_options so = {.seed = 1};
    struct store_options o;
    *w = (struct world){.os = sim_new(&so)};
    store_options_init(&o);
    o.os = w->os;
    o.dir = "data";
    o.retention_us = retention_us;
    assert_int_equal(store_open(&o, &w->store), OK);
    struct txn *t = begin(w);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    commit(t);
}

static void stop(struct world *w)
{
    assert_int_equal(store_close(w->store), OK);
    sim_free(w->os);
}

static void runs_do_not_pile_up(void **state)
{
    (void)state;
    struct world w;
    struct tree_statistics st;
    start(&w, 0);
    for (int i = 0; i < ROUNDS; i++) {
        write_range(&w, 0, ROWS, WRITE_PUT);
        settle(&w);
        if (i < 4) continue; /* until there is a first level */
        assert_int_equal(store_get_statistics(w.store, w.tree, &st), OK);
        assert_int_equal(st.runs, 1);
    }
    stop(&w);
}

static int changed_since(struct world *w, uint64_t ts, int *ret_gone)
{
    struct scan_request q = {.tree = w->tree, .changes = true, .since = ts};
    struct slice keys[64], rows[64];
    struct cursor *c;
    int count = 0;
    uint32_t n;
    struct txn *t = begin(w);
    *ret_gone = 0;
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 64, &n), OK);
        for (uint32_t i = 0; i < n; i++) *ret_gone += rows[i].data == NULL;
        count += (int)n;
    } while (n);
    cursor_close(c);
    commit(t);
    return count;
}

static void finds_what_has_changed(void **state)
{
    (void)state;
    struct world w;
    int gone;
    start(&w, 3600ll * 1000000);
    write_range(&w, 0, ROWS, WRITE_PUT);
    settle(&w);
    uint64_t ts = store_last_commit(w.store);
    assert_int_equal(changed_since(&w, ts, &gone), 0);
    write_range(&w, 10, 30, WRITE_PUT);
    write_range(&w, 100, 105, WRITE_DELETE);
    write_range(&w, ROWS, ROWS + 3, WRITE_PUT);
    write_range(&w, ROWS + 10, ROWS + 13, WRITE_PUT);
    write_range(&w, ROWS + 10, ROWS + 13, WRITE_DELETE);
    assert_int_equal(changed_since(&w, ts, &gone), 31); /* those that came and went leave tombstones */
    assert_int_equal(gone, 8);
    settle(&w);
    assert_int_equal(store_compact_tree(w.store, w.tree), OK); /* … which a merge takes away */
    assert_int_equal(changed_since(&w, ts, &gone), 28);
    assert_int_equal(gone, 5);
    assert_int_equal(changed_since(&w, store_last_commit(w.store), &gone), 0);
    stop(&w);
}

/* --- runs that memtables hide ------------------------------------------------------------------- */

static int scan_rows(struct world *w, struct txn *in, char first, bool reverse)
{
    struct scan_request q = {.tree = w->tree, .reverse = reverse};
    struct slice keys[64], rows[64];
    struct cursor *c;
    int count = 0;
    uint32_t n;
    struct txn *t = in ? in : begin(w);
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 64, &n), OK);
        for (uint32_t i = 0; i < n; i++) count += rows[i].data[0] == first;
    } while (n);
    cursor_close(c);
    if (!in) commit(t);
    return count;
}

static void put_rows(struct world *w, struct txn *t, int from, int to, const char *row)
{
    char kb[16];
    for (int k = from; k < to; k++) {
        struct write_request q = {w->tree, WRITE_PUT, key_of(k, kb), slice_of(row), false};
        assert_int_equal(store_write(t, &q), OK);
    }
}

static void put_all(struct world *w, int from, int to, const char *row)
{
    struct txn *t = begin(w);
    put_rows(w, t, from, to, row);
    commit(t);
}

/* Of how many runs of today is it known that they are hidden. */
static int hidden_runs(struct world *w)
{
    int n = 0;
    struct txn *t = begin(w);
    const struct shape *s = tree_shape(forest_tree(w->store->forest, w->tree));
    for (int l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) n += s->levels[l].runs[i]->hidden_ts != 0;
    commit(t);
    return n;
}

static void hidden_runs_are_passed_over(void **state)
{
    (void)state;
    struct world w;
    struct txn_options o = {.isolation = REPEATABLE_READ};
    struct txn *old;
    for (int reverse = 0; reverse < 2; reverse++) {
        start(&w, 3600ll * 1000000);
        put_all(&w, 0, ROWS, "a");
        settle(&w);
        put_all(&w, 0, ROWS - 1, "b");
        assert_int_equal(scan_rows(&w, NULL, 'b', reverse), ROWS - 1);
        assert_int_equal(hidden_runs(&w), 0); /* one row is needed */
        assert_int_equal(scan_rows(&w, NULL, 'a', reverse), 1);
        assert_int_equal(txn_begin(w.store, &o, &old), OK);
        txn_statement_begin(old);
        struct txn *t = begin(&w); /* what may be undone hides nothing */
        put_rows(&w, t, ROWS - 1, ROWS, "c");
        txn_statement_end(t);
        txn_statement_begin(t);
        assert_int_equal(scan_rows(&w, t, 'c', reverse), 1);
        assert_int_equal(scan_rows(&w, NULL, 'a', reverse), 1);
        assert_int_equal(hidden_runs(&w), 0);
        txn_statement_end(t);
        txn_abort(t);
        assert_int_equal(scan_rows(&w, NULL, 'a', reverse), 1);
        put_all(&w, ROWS - 1, ROWS, "b");
        assert_int_equal(hidden_runs(&w), 0); /* nobody has seen it yet */
        assert_int_equal(scan_rows(&w, NULL, 'b', reverse), ROWS);
        assert_int_equal(hidden_runs(&w), 1);
        assert_int_equal(scan_rows(&w, NULL, 'b', reverse), ROWS);
        assert_int_equal(scan_rows(&w, NULL, 'a', reverse), 0);
        assert_int_equal(scan_rows(&w, old, 'a', reverse), 1); /* its snapshot is older */
        assert_int_equal(scan_rows(&w, old, 'b', reverse), ROWS - 1);
        txn_statement_end(old);
        assert_int_equal(txn_commit(old, COMMIT_SYNC, NULL), OK);
        write_range(&w, 3, 7, WRITE_DELETE);
        assert_int_equal(scan_rows(&w, NULL, 'b', reverse), ROWS - 4);
        settle(&w);
        assert_int_equal(scan_rows(&w, NULL, 'b', reverse), ROWS - 4);
        stop(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_do_not_pile_up),
                                       cmocka_unit_test(finds_what_has_changed),
                                       cmocka_unit_test(hidden_runs_are_passed_over)};
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
