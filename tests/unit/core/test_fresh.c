/* Statements inside a statement that look with new eyes: what has committed meanwhile is seen by them and not
 * by the one around, which finds all that its snapshot may need, whatever is flushed and merged. */
#include "core/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sim.h"
#include "core/txn.h"
#include "rows.h"

enum { KEYS = 200, ROUNDS = 20 };

static struct txn *begin(struct store *s, enum isolation isolation)
{
    const struct txn_options o = {.isolation = isolation};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    return t;
}

static tree_id make_tree(struct store *s)
{
    struct txn *t = begin(s, READ_COMMITTED);
    tree_id tree;
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    return tree;
}

/* Every key gets this value, in a transaction of its own. */
static void write_all(struct store *s, tree_id tree, int value)
{
    struct txn *t = begin(s, READ_COMMITTED);
    char kb[16], buf[600];
    txn_statement_begin(t);
    for (int k = 0; k < KEYS; k++) {
        struct write_request w = {tree, WRITE_PUT, scattered_key(k, kb), row_of(value, buf)};
        assert_int_equal(store_write(t, &w), OK);
    }
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    for (bool worked = true; worked;) assert_int_equal(store_maintain(s, &worked), OK);
}

static void check_all(struct txn *t, tree_id tree, int value)
{
    char kb[16], buf[600];
    for (int k = 0; k < KEYS; k++) {
        struct point_get_request q = {tree, scattered_key(k, kb)};
        struct slice row;
        assert_int_equal(store_point_get(t, &q, &row), OK);
        assert_true(slice_eq(row, row_of(value, buf)));
    }
}

static void run(enum isolation isolation)
{
    struct sim_options so = {.seed = 1};
    struct os *os = sim_new(&so);
    struct store_options o;
    struct store *s;
    bool fresh = isolation == READ_COMMITTED;
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    o.memtable_bytes = 16 << 10; /* history is dropped as soon as nobody needs it */
    assert_int_equal(store_open(&o, &s), OK);
    tree_id tree = make_tree(s);
    write_all(s, tree, 1);
    struct txn *t = begin(s, isolation);
    txn_statement_begin(t);
    check_all(t, tree, 1);
    for (int i = 2; i < ROUNDS; i++) {
        write_all(s, tree, i);
        txn_statement_begin_fresh(t);
        check_all(t, tree, fresh ? i : 1);
        write_all(s, tree, i + 100);
        txn_statement_begin(t); /* within: as the one around it */
        check_all(t, tree, fresh ? i : 1);
        txn_statement_end(t);
        txn_statement_begin_fresh(t);
        check_all(t, tree, fresh ? i + 100 : 1);
        txn_statement_end(t);
        check_all(t, tree, fresh ? i : 1);
        txn_statement_end(t);
        check_all(t, tree, 1);
    }
    txn_statement_end(t);
    txn_statement_begin_fresh(t); /* the outermost: as any other */
    check_all(t, tree, fresh ? ROUNDS + 99 : 1);
    txn_statement_begin_fresh(t);
    txn_abort(t); /* in the middle */
    assert_int_equal(store_close(s), OK);
    sim_free(os);
}

static void read_committed(void **state)
{
    (void)state;
    run(READ_COMMITTED);
}

static void repeatable_read(void **state)
{
    (void)state;
    run(REPEATABLE_READ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_committed),
        cmocka_unit_test(repeatable_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
