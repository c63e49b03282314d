/* The store against a model: random transactions on the simulated disk, with flushes, compactions and
 * power losses at random moments. What was acknowledged is there, what was not is all there or not at
 * all, and scans, point reads and the model agree. */
#include "core/store.h"

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
#include "rows.h"

enum { KEYS = 300, OPS_MAX = 12 };

struct model {
    int value[KEYS]; /* 0: absent */
};

static struct store *open_store(struct os *os)
{
    struct store_options o;
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    o.memtable_bytes = 48 << 10;
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    o.manifest_bytes = 4 << 10; /* it is written anew often */
    struct store *s;
    enum status st = store_open(&o, &s);
    if (st != OK) fail_msg("open: %s", error_current()->message);
    return s;
}

static void check_row(struct slice row, int v)
{
    char buf[600];
    assert_true(slice_eq(row, row_of(v, buf)));
}

static void check_points(struct txn *t, tree_id tree, const struct model *m)
{
    char kb[16];
    for (int k = 0; k < KEYS; k++) {
        struct point_get_request q = {tree, scattered_key(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        if (m->value[k] == 0) {
            assert_int_equal(st, NOT_FOUND);
        } else {
            if (st != OK) fail_msg("key %d: status %d, want row %d", k, st, m->value[k]);
            check_row(row, m->value[k]);
        }
    }
}

static int compare_keys(const void *a, const void *b)
{
    char x[16], y[16];
    return slice_cmp(scattered_key(*(const int *)a, x), scattered_key(*(const int *)b, y));
}

static void check_scan(struct txn *t, tree_id tree, const struct model *m, bool reverse, int from,
                       int to)
{
    int order[KEYS], n = 0;
    for (int k = 0; k < KEYS; k++) order[k] = k;
    qsort(order, KEYS, sizeof *order, compare_keys);
    int want[KEYS];
    for (int i = from; i < to; i++)
        if (m->value[order[i]]) want[n++] = order[i];
    char lb[16], ub[16];
    struct scan_request q = {.tree = tree, .reverse = reverse};
    if (from > 0) q.lower = scattered_key(order[from], lb);
    if (to < KEYS) q.upper = scattered_key(order[to], ub);
    struct cursor *c;
    assert_int_equal(store_scan(t, &q, &c), OK);
    struct slice keys[7], rows[7];
    uint32_t got;
    int at = 0;
    do {
        assert_int_equal(cursor_next(c, keys, rows, 7, &got), OK);
        for (uint32_t i = 0; i < got; i++, at++) {
            assert_true(at < n);
            int k = want[reverse ? n - 1 - at : at];
            char kb[16];
            assert_true(slice_eq(keys[i], scattered_key(k, kb)));
            check_row(rows[i], m->value[k]);
        }
    } while (got > 0);
    assert_int_equal(at, n);
    cursor_close(c);
}

static void check_all(struct store *s, tree_id tree, const struct model *m, struct rng *r)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    check_points(t, tree, m);
    int a = (int)rng_below(r, KEYS), b = (int)rng_below(r, KEYS + 1);
    check_scan(t, tree, m, false, 0, KEYS);
    check_scan(t, tree, m, true, 0, KEYS);
    if (a < b) {
        check_scan(t, tree, m, false, a, b);
        check_scan(t, tree, m, true, a, b);
    }
    txn_statement_end(t);
    txn_abort(t);
}

static enum status write_one(struct txn *t, tree_id tree, struct model *m, struct rng *r, int *next)
{
    char kb[16], rb[600];
    int k = (int)rng_below(r, KEYS), v = ++*next;
    struct write_request w = {.tree = tree, .key = scattered_key(k, kb), .row = row_of(v, rb)};
    txn_statement_begin(t);
    enum status st;
    if (rng_below(r, 4) == 0) {
        struct lock_request l = {.tree = tree, .key = w.key, .mode = ROW_LOCK_UPDATE};
        struct lock_result got;
        st = store_lock(t, &l, &got);
        if (st == OK && (got.row.data != NULL) != (m->value[k] != 0)) fail_msg("lock of key %d", k);
    }
    switch (rng_below(r, 4)) {
    case 0:
        w.op = WRITE_INSERT;
        st = store_write(t, &w);
        if (m->value[k]) assert_true(st == UNIQUE_VIOLATION || st == IO_ERROR);
        else if (st == OK) m->value[k] = v;
        if (st == UNIQUE_VIOLATION) st = OK;
        break;
    case 1:
        w.op = WRITE_UPDATE;
        st = store_write(t, &w);
        if (!m->value[k]) assert_true(st == NOT_FOUND || st == IO_ERROR || st == OK);
        else if (st == OK) m->value[k] = v;
        if (!m->value[k] && st == OK) m->value[k] = v; /* a lock of ours vouched for it */
        if (st == NOT_FOUND) st = OK;
        break;
    case 2:
        w.op = WRITE_DELETE;
        w.row = (struct slice){0};
        st = store_write(t, &w);
        if (st == OK) m->value[k] = 0;
        if (st == NOT_FOUND) st = OK;
        break;
    default:
        w.op = WRITE_PUT;
        st = store_write(t, &w);
        if (st == OK) m->value[k] = v;
    }
    txn_statement_end(t);
    return st;
}

/* One transaction; *m is the model after it. *ret_unsure: the commit failed, so either is right. */
static enum status run_txn(struct store *s, tree_id tree, struct model *m, struct rng *r, int *next,
                           struct model *ret_unsure, bool *ret_is_unsure)
{
    struct txn_options o = {.isolation = rng_below(r, 2) ? REPEATABLE_READ : READ_COMMITTED};
    struct txn *t;
    *ret_is_unsure = false;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    struct model after = *m, saved = *m;
    txn_mark mark = 0;
    int n = 1 + (int)rng_below(r, OPS_MAX);
    for (int i = 0; i < n; i++) {
        if (rng_below(r, 6) == 0) {
            mark = txn_savepoint(t);
            saved = after;
        } else if (mark && rng_below(r, 8) == 0) {
            txn_rollback_to(t, mark);
            after = saved;
        }
        enum status st = write_one(t, tree, &after, r, next);
        if (st != OK) {
            txn_abort(t);
            return st;
        }
    }
    if (rng_below(r, 5) == 0) {
        txn_abort(t);
        return OK;
    }
    enum status st = txn_commit(t, COMMIT_SYNC, NULL);
    if (st == OK) *m = after;
    *ret_unsure = after;
    *ret_is_unsure = st != OK;
    return st;
}

static tree_id make_tree(struct store *s)
{
    struct txn_options o = {0};
    struct txn *t;
    tree_id tree;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    return tree;
}

static bool agrees(struct store *s, tree_id tree, const struct model *m)
{
    struct txn_options o = {0};
    struct txn *t;
    bool same = true;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    for (int k = 0; k < KEYS && same; k++) {
        char kb[16], rb[600];
        struct point_get_request q = {tree, scattered_key(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        if (st != OK && st != NOT_FOUND) fail_msg("read: %s", error_current()->message);
        same = m->value[k] ? st == OK && slice_eq(row, row_of(m->value[k], rb)) : st == NOT_FOUND;
    }
    txn_statement_end(t);
    txn_abort(t);
    return same;
}

static enum status no_problem(void *ctx, const struct verify_finding *f)
{
    unsigned *count = ctx;
    if (f->problem) fail_msg("%s (%s): %s", f->object, f->kind, f->problem);
    ++*count;
    return OK;
}

static void verify(struct store *s)
{
    unsigned count = 0;
    struct verify_sink sink = {.found = no_problem, .ctx = &count};
    assert_int_equal(store_verify(s, &sink), OK);
    assert_true(count >= 4); /* log, superblock, manifest, extents */
}

static void run_seed(uint64_t seed, int rounds, bool crashes)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct os *os = sim_new(&so);
    struct rng r;
    rng_seed(&r, seed);
    struct store *s = open_store(os);
    tree_id tree = make_tree(s);
    struct model m = {0}, unsure;
    bool is_unsure = false;
    int next = 0;
    for (int round = 0; round < rounds; round++) {
        if (crashes) sim_power_off_after(os, 1 + rng_below(&r, 400));
        enum status st = OK;
        tell_form(s, tree, rng_below(&r, FORMS));
        for (int i = 0; i < 200 && st == OK; i++) {
            st = run_txn(s, tree, &m, &r, &next, &unsure, &is_unsure);
            bool worked;
            if (st == OK && rng_below(&r, 10) == 0) st = store_maintain(s, &worked);
            if (st == OK && rng_below(&r, 100) == 0) st = store_checkpoint(s);
            if (rng_below(&r, 150) == 0) tell_form(s, tree, rng_below(&r, FORMS));
            if (st == OK && rng_below(&r, 20) == 0 && !sim_is_off(os)) check_all(s, tree, &m, &r);
        }
        if (st != OK && !sim_is_off(os))
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, status_name(st),
                     error_current()->message);
        sim_power_off_after(os, 0);
        if (crashes || rng_below(&r, 2)) {
            store_abandon(s);
            if (crashes) sim_restart(os);
        } else {
            assert_int_equal(store_close(s), OK);
        }
        s = open_store(os);
        if (is_unsure && !agrees(s, tree, &m)) m = unsure;
        is_unsure = false;
        check_all(s, tree, &m, &r);
        verify(s);
    }
    store_abandon(s);
    sim_free(os);
}

static uint64_t first_seed(void)
{
    const char *env = getenv("SEED");
    return env ? strtoull(env, NULL, 10) : 1;
}

static void model(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 4; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, 4, false);
    }
}

static void power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 40; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, 5, true);
    }
}

/* Together over the bound while none of their memtables is full. */
static void many_trees(void **state)
{
    enum { TREES = 20, ROWS = 60, ROW_BYTES = 1000 };
    struct sim_options so = {.seed = 1};
    struct os *os = sim_new(&so);
    struct store_options o;
    struct store *s;
    char row[ROW_BYTES] = "row", kb[16];
    (void)state;
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    o.memtable_bytes = 256 << 10;
    o.memtable_total_bytes = 512 << 10;
    assert_int_equal(store_open(&o, &s), OK);
    for (int i = 0; i < TREES; i++) {
        tree_id tree = make_tree(s);
        struct txn_options to = {0};
        struct txn *t;
        assert_int_equal(txn_begin(s, &to, &t), OK);
        txn_statement_begin(t);
        for (int k = 0; k < ROWS; k++) {
            struct write_request w = {tree, WRITE_INSERT, scattered_key(k, kb), slice_make(row, sizeof row)};
            if (store_write(t, &w) != OK) fail_msg("tree %d: %s", i, error_current()->message);
        }
        txn_statement_end(t);
        assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    }
    assert_int_equal(store_close(s), OK);
    sim_free(os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model),
        cmocka_unit_test(power_loss),
        cmocka_unit_test(many_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
