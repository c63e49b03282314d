/* What happens between two steps of another transaction once in a million runs, made to happen by the
 * points that lie there. */
#include "core/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/point.h"
#include "base/sim.h"
#include "core/txn.h"

static struct store *store;
static tree_id tree;

static struct txn *begin(void)
{
    struct txn_options o = {.isolation = REPEATABLE_READ};
    struct txn *t;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static void end(struct txn *t)
{
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
}

static void write_row(struct txn *t, enum write_op op, const char *row)
{
    struct write_request w = {tree, op, SLICE("key"), slice_of(row)};
    assert_int_equal(store_write(t, &w), OK);
}

static void set(const char *row)
{
    struct txn *t = begin();
    write_row(t, WRITE_PUT, row);
    end(t);
}

static void check(struct txn *t, const char *want)
{
    struct point_get_request q = {tree, SLICE("key")};
    struct slice row;
    assert_int_equal(store_point_get(t, &q, &row), OK);
    assert_true(slice_eq(row, slice_of(want)));
}

static struct os *open_store(void)
{
    struct sim_options so = {.seed = 1};
    struct store_options o;
    store_options_init(&o);
    o.os = sim_new(&so);
    o.dir = "data";
    assert_int_equal(store_open(&o, &store), OK);
    struct txn *t = begin();
    assert_int_equal(store_create_tree(t, &tree), OK);
    end(t);
    return o.os;
}

static void close_store(struct os *os)
{
    point_disarm_all();
    assert_int_equal(store_close(store), OK);
    sim_free(os);
}

/* --- the cases --------------------------------------------------------------------------------- */

static void overwrite_and_merge(void *ctx)
{
    (void)ctx;
    set("two");
    assert_int_equal(store_compact_tree(store, tree), OK);
}

/* The watermark is read, and what it sees overwritten and merged before the snapshot is told. */
static void snapshot(void **state)
{
    (void)state;
    struct os *os = open_store();
    set("one");
    assert_int_equal(store_checkpoint(store), OK);
    point_arm("snapshot.before_set", 1, overwrite_and_merge, NULL);
    struct txn *t = begin();
    check(t, "one");
    end(t);
    t = begin();
    check(t, "two");
    end(t);
    close_store(os);
}

static void write_out(void *ctx)
{
    (void)ctx;
    assert_int_equal(store_checkpoint(store), OK);
}

/* The memtable is frozen and written out after a writer has looked it up. */
static void frozen(void **state)
{
    (void)state;
    struct os *os = open_store();
    set("one");
    struct txn *t = begin();
    point_arm("write.before_latch", 1, write_out, NULL);
    write_row(t, WRITE_UPDATE, "two");
    end(t);
    t = begin();
    check(t, "two");
    end(t);
    store_abandon(store);
    struct store_options o;
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    assert_int_equal(store_open(&o, &store), OK);
    t = begin();
    check(t, "two");
    end(t);
    close_store(os);
}

enum { VACUUMS = 4, VACUUM_ROUNDS = 25 };

static void *vacuum(void *arg)
{
    int number = *(const int *)arg;
    for (int i = 0; i < VACUUM_ROUNDS; i++) {
        struct txn_options o = {.isolation = READ_COMMITTED};
        struct txn *t;
        char key[2] = {'a', (char)('0' + number)};
        struct write_request w = {tree, WRITE_PUT, slice_make(key, 2), SLICE("row")};
        if (txn_begin(store, &o, &t) != OK) return error_current()->message;
        txn_statement_begin(t);
        enum status st = store_write(t, &w);
        txn_statement_end(t);
        if (st == OK) st = txn_commit(t, COMMIT_SYNC, NULL);
        if (st == OK) st = store_compact_tree(store, tree);
        if (st != OK) return error_current()->message;
    }
    return NULL;
}

/* Who wants a tree compacted while somebody else compacts it waits, and does it then. */
static void compactions_meet(void **state)
{
    (void)state;
    struct os *os = open_store();
    pthread_t threads[VACUUMS];
    int numbers[VACUUMS];
    set("one");
    for (int i = 0; i < VACUUMS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, vacuum, &numbers[i]), 0);
    }
    for (int i = 0; i < VACUUMS; i++) {
        void *problem;
        pthread_join(threads[i], &problem);
        if (problem) fail_msg("%s", (const char *)problem);
    }
    assert_int_equal(store_compact_tree(store, tree), OK);
    struct tree_statistics stats;
    assert_int_equal(store_get_statistics(store, tree, &stats), OK);
    assert_int_equal(stats.runs, 1);
    struct txn *t = begin();
    check(t, "one");
    end(t);
    close_store(os);
}

int main(void)
{
    const struct log_options quiet = {.level = LOG_FATAL};
    const struct CMUnitTest tests[] = {cmocka_unit_test(snapshot), cmocka_unit_test(frozen),
                                       cmocka_unit_test(compactions_meet)};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
