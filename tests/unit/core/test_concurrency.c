/* Threads against one store on real files: transfers between accounts keep the sum, at every snapshot
 * and after recovery; deadlocks are found; lost updates do not happen. */
#include "core/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "core/txn.h"

enum { ACCOUNTS = 60, THREADS = 6, START = 1000 };

static struct store *store;
static tree_id tree;
static uint32_t stop_readers;
static uint64_t deadlocks, conflicts;
static char dir[64];

static struct slice key_of(unsigned k, char buf[16])
{
    snprintf(buf, 16, "a%06u", k);
    return slice_of(buf);
}

static void open_it(struct pool *background)
{
    struct store_options o;
    store_options_init(&o);
    o.os = os_real();
    o.dir = dir;
    o.memtable_bytes = 64 << 10;
    o.cache_bytes = 1 << 20;
    o.wal_file_bytes = 1 << 20;
    o.background = background;
    if (store_open(&o, &store) != OK) fail_msg("open: %s", error_current()->message);
}

static enum status put(struct txn *t, enum write_op op, unsigned k, int64_t v)
{
    char kb[16];
    struct write_request w = {.tree = tree, .op = op, .key = key_of(k, kb),
                              .row = slice_make(&v, sizeof v)};
    return store_write(t, &w);
}

static void setup_accounts(void)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &tree), OK);
    for (unsigned k = 0; k < ACCOUNTS; k++) assert_int_equal(put(t, WRITE_INSERT, k, START), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
}

/* Locks two rows in random order, moves money. */
static enum status transfer(struct rng *r, enum isolation isolation, bool *ret_committed)
{
    struct txn_options o = {.isolation = isolation};
    struct txn *t;
    unsigned k[2] = {(unsigned)rng_below(r, ACCOUNTS), 0};
    k[1] = (k[0] + 1 + (unsigned)rng_below(r, ACCOUNTS - 1)) % ACCOUNTS;
    int64_t amount = (int64_t)rng_below(r, 50);
    enum status st = txn_begin(store, &o, &t);
    *ret_committed = false;
    for (int i = 0; i < 2 && st == OK; i++) {
        char kb[16];
        struct lock_request q = {.tree = tree, .key = key_of(k[i], kb),
                                 .mode = ROW_LOCK_UPDATE};
        struct lock_result got;
        int64_t v;
        txn_statement_begin(t);
        st = store_lock(t, &q, &got);
        if (st == OK) {
            memcpy(&v, got.row.data, sizeof v);
            st = put(t, WRITE_UPDATE, k[i], i ? v + amount : v - amount);
        }
        txn_statement_end(t);
    }
    if (st != OK || rng_below(r, 10) == 0) {
        txn_abort(t);
        return st;
    }
    *ret_committed = true;
    return txn_commit(t, COMMIT_SYNC, NULL);
}

static void *transfers(void *arg)
{
    struct rng r;
    rng_seed(&r, (uint64_t)(uintptr_t)arg);
    for (int done = 0; done < 400;) {
        bool committed;
        enum isolation isolation = rng_below(&r, 2) ? READ_COMMITTED : REPEATABLE_READ;
        enum status st = transfer(&r, isolation, &committed);
        if (st == DEADLOCK_DETECTED) __atomic_add_fetch(&deadlocks, 1, __ATOMIC_RELAXED);
        else if (st == SERIALIZATION_FAILURE) __atomic_add_fetch(&conflicts, 1, __ATOMIC_RELAXED);
        else if (st != OK) fail_msg("transfer: %s: %s", status_name(st), error_current()->message);
        done += committed;
    }
    return NULL;
}

static int64_t total(bool reverse)
{
    struct txn_options o = {0};
    struct txn *t;
    struct cursor *c;
    struct slice keys[16], rows[16];
    uint32_t n, seen = 0;
    int64_t sum = 0;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    struct scan_request q = {.tree = tree, .reverse = reverse};
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 16, &n), OK);
        for (uint32_t i = 0; i < n; i++, seen++) {
            int64_t v;
            memcpy(&v, rows[i].data, sizeof v);
            sum += v;
        }
    } while (n);
    cursor_close(c);
    txn_statement_end(t);
    txn_abort(t);
    assert_int_equal(seen, ACCOUNTS);
    return sum;
}

static void *readers(void *arg)
{
    bool reverse = arg != NULL;
    while (!__atomic_load_n(&stop_readers, __ATOMIC_ACQUIRE))
        if (total(reverse) != (int64_t)ACCOUNTS * START) fail_msg("a snapshot saw half a transfer");
    return NULL;
}

static void sums(void **state)
{
    (void)state;
    struct pool *pool;
    struct pool_options po = {.name = "background", .threads = 2, .queue_max = 64};
    snprintf(dir, sizeof dir, "/tmp/helios-test-%d", (int)getpid());
    assert_int_equal(pool_start(&po, &pool), OK);
    open_it(pool);
    setup_accounts();
    pthread_t w[THREADS], r[2];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&w[i], NULL, transfers, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < 2; i++) pthread_create(&r[i], NULL, readers, i ? &r[i] : NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(w[i], NULL);
    __atomic_store_n(&stop_readers, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++) pthread_join(r[i], NULL);
    print_message("%llu deadlocks, %llu conflicts\n", (unsigned long long)deadlocks,
                  (unsigned long long)conflicts);
    assert_int_equal(total(false), (int64_t)ACCOUNTS * START);
    store_abandon(store);
    open_it(pool);
    assert_int_equal(total(true), (int64_t)ACCOUNTS * START);
    assert_int_equal(store_close(store), OK);
    pool_stop(pool);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* --- a rollback to a savepoint gives its row locks back ---------------------------------------- */

static uint32_t got_lock;

static void *wait_for_row(void *arg)
{
    struct txn_options o = {.lock_timeout_us = 10000000};
    struct txn *t;
    (void)arg;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    enum status st = put(t, WRITE_UPDATE, 1, 7);
    txn_statement_end(t);
    __atomic_store_n(&got_lock, st == OK ? 1 : 2, __ATOMIC_RELEASE);
    txn_abort(t);
    return NULL;
}

/* The holder undoes its writes, and ends only after the waiter has had its turn; once it has undone
 * them it must still wake who came meanwhile. */
static void undone(void **state)
{
    (void)state;
    struct txn_options o = {0};
    struct txn *t;
    pthread_t waiter;
    snprintf(dir, sizeof dir, "/tmp/helios-test-u%d", (int)getpid());
    open_it(NULL);
    setup_accounts();
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(put(t, WRITE_UPDATE, 1, 5), OK);
    txn_statement_end(t);
    pthread_create(&waiter, NULL, wait_for_row, NULL);
    usleep(20000);
    txn_rollback_to(t, 0);
    pthread_join(waiter, NULL);
    assert_int_equal(got_lock, 1);
    txn_abort(t);
    assert_int_equal(store_close(store), OK);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* --- two who wait for each other ----------------------------------------------------------------- */

struct crossing {
    unsigned first, second;
    uint32_t *ready; /* atomic: how many have their first row */
    enum status outcome;
};

/* Has its first row before it asks for the second, and so has the other. */
static void *cross(void *arg)
{
    struct crossing *x = arg;
    struct txn_options o = {.lock_timeout_us = 20000000};
    struct txn *t;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(put(t, WRITE_UPDATE, x->first, 1), OK);
    txn_statement_end(t);
    __atomic_add_fetch(x->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(x->ready, __ATOMIC_ACQUIRE) < 2) usleep(100);
    txn_statement_begin(t);
    x->outcome = put(t, WRITE_UPDATE, x->second, 1);
    txn_statement_end(t);
    txn_abort(t);
    return NULL;
}

static void crossed(void **state)
{
    (void)state;
    uint32_t ready = 0;
    struct crossing x[2] = {{1, 2, &ready, OK}, {2, 1, &ready, OK}};
    pthread_t threads[2];
    snprintf(dir, sizeof dir, "/tmp/helios-test-x%d", (int)getpid());
    open_it(NULL);
    setup_accounts();
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, cross, &x[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    bool first = x[0].outcome == DEADLOCK_DETECTED;
    assert_int_equal(x[first ? 0 : 1].outcome, DEADLOCK_DETECTED);
    assert_int_equal(x[first ? 1 : 0].outcome, OK);
    assert_int_equal(store_close(store), OK);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* --- a long statement does not make the others' transactions pile up ---------------------------- */

static void transfer_once(struct rng *r)
{
    bool committed;
    assert_int_equal(transfer(r, READ_COMMITTED, &committed), OK);
}

static void reused(void **state)
{
    (void)state;
    enum { WARM_UP = 100, TRANSFERS = 2000, GROWTH_MAX = 64 << 10 };
    struct txn_options o = {0};
    struct txn *t;
    struct rng r;
    char kb[16];
    struct slice row;
    struct point_get_request q = {.key = key_of(7, kb)};
    snprintf(dir, sizeof dir, "/tmp/helios-test-r%d", (int)getpid());
    open_it(NULL);
    setup_accounts();
    rng_seed(&r, 1);
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    for (int i = 0; i < WARM_UP; i++) transfer_once(&r);
    size_t before = mem_bytes(MEM_TXN) + mem_bytes(MEM_BASE);
    for (int i = 0; i < TRANSFERS; i++) transfer_once(&r);
    assert_true(mem_bytes(MEM_TXN) + mem_bytes(MEM_BASE) < before + GROWTH_MAX);
    q.tree = tree;
    int64_t v;
    assert_int_equal(store_point_get(t, &q, &row), OK);
    memcpy(&v, row.data, sizeof v);
    assert_int_equal(v, START); /* its snapshot is that of the beginning */
    txn_statement_end(t);
    txn_abort(t);
    assert_int_equal(store_close(store), OK);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums), cmocka_unit_test(undone),
                                       cmocka_unit_test(crossed), cmocka_unit_test(reused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
