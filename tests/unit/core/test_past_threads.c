/* Reads of the past beside writers, flushes and merges: money goes from account to account, so the sum is
 * the same at every moment, however it is read; and what a moment shows does not change. */
#include "core/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/txn.h"

enum { ACCOUNTS = 200, START = 1000, WRITERS = 2, READERS = 2, TRANSFERS = 3000, MOMENTS = 4096 };

static struct store *store;
static tree_id tree;
static uint64_t moments[MOMENTS];
static uint32_t moment_count; /* atomic: they are written before it rises */
static pthread_mutex_t moments_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool done; /* atomic */
static uint32_t sums; /* atomic: that were checked */

/* cmocka's asserts are for the main thread. */
static void check(bool ok, int line)
{
    if (ok) return;
    fprintf(stderr, "line %d is wrong\n", line);
    abort();
}

static void must(enum status st, int line)
{
    if (st != OK) fprintf(stderr, "%s: %s\n", status_name(st), error_current()->message);
    check(st == OK, line);
}

static struct slice key_of(uint32_t account, char buf[16])
{
    snprintf(buf, 16, "account%06u", account);
    return slice_of(buf);
}

static struct txn *begin(void)
{
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    must(txn_begin(store, &o, &t), __LINE__);
    txn_statement_begin(t);
    return t;
}

static int64_t amount_of(struct slice row)
{
    int64_t amount;
    check(row.len >= sizeof amount, __LINE__);
    memcpy(&amount, row.data, sizeof amount);
    return amount;
}

/* Rows of some size, so that memtables fill. */
static enum status put(struct txn *t, uint32_t account, int64_t amount)
{
    char kb[16], row[300] = {0};
    memcpy(row, &amount, sizeof amount);
    struct write_request w = {tree, WRITE_PUT, key_of(account, kb), slice_make(row, sizeof row)};
    return store_write(t, &w);
}

static void note_moment(uint64_t ts)
{
    pthread_mutex_lock(&moments_mutex);
    uint32_t n = moment_count;
    if (n < MOMENTS) {
        moments[n] = ts;
        __atomic_store_n(&moment_count, n + 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&moments_mutex);
}

static void transfer(struct rng *r)
{
    uint32_t a = (uint32_t)rng_below(r, ACCOUNTS), b = (uint32_t)rng_below(r, ACCOUNTS);
    char kb[16];
    if (a == b) return;
    if (a > b) { /* in one order, so that nobody waits for whom waits for him */
        uint32_t c = a;
        a = b;
        b = c;
    }
    struct txn *t = begin();
    struct lock_request la = {.tree = tree, .key = key_of(a, kb), .mode = ROW_LOCK_UPDATE};
    struct lock_result ra, rb;
    char kb2[16];
    struct lock_request lb = {.tree = tree, .key = key_of(b, kb2), .mode = ROW_LOCK_UPDATE};
    must(store_lock(t, &la, &ra), __LINE__);
    int64_t has_a = amount_of(ra.row);
    must(store_lock(t, &lb, &rb), __LINE__);
    int64_t has_b = amount_of(rb.row), moved = (int64_t)rng_below(r, 100);
    must(put(t, a, has_a - moved), __LINE__);
    must(put(t, b, has_b + moved), __LINE__);
    txn_statement_end(t);
    uint64_t ts;
    bool async = rng_below(r, 4) != 0;
    must(txn_commit(t, async ? COMMIT_ASYNC : COMMIT_SYNC, &ts), __LINE__);
    if (!async && rng_below(r, 2)) note_moment(ts);
}

static void *writer(void *arg)
{
    struct rng r;
    rng_seed(&r, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < TRANSFERS; i++) transfer(&r);
    return NULL;
}

static int64_t sum_by_scan(struct txn *t)
{
    struct scan_request q = {.tree = tree, .skip_keys = true};
    struct cursor *c;
    struct slice keys[32], rows[32];
    uint32_t n, seen = 0;
    int64_t sum = 0;
    must(store_scan(t, &q, &c), __LINE__);
    do {
        must(cursor_next(c, keys, rows, 32, &n), __LINE__);
        for (uint32_t i = 0; i < n; i++) sum += amount_of(rows[i]);
        seen += n;
    } while (n > 0);
    cursor_close(c);
    check(seen == ACCOUNTS, __LINE__);
    return sum;
}

static int64_t sum_by_points(struct txn *t)
{
    int64_t sum = 0;
    char kb[16];
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        struct point_get_request q = {tree, key_of(a, kb)};
        struct slice row;
        must(store_point_get(t, &q, &row), __LINE__);
        sum += amount_of(row);
    }
    return sum;
}

static void *reader(void *arg)
{
    struct rng r;
    rng_seed(&r, (uint64_t)(uintptr_t)arg);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        uint32_t n = __atomic_load_n(&moment_count, __ATOMIC_ACQUIRE);
        if (!n) continue;
        struct txn *t = begin(), *past;
        must(txn_begin_past(t, moments[rng_below(&r, n)], &past), __LINE__);
        check(sum_by_scan(past) == (int64_t)ACCOUNTS * START, __LINE__);
        check(sum_by_points(past) == (int64_t)ACCOUNTS * START, __LINE__);
        txn_end_reader(past);
        txn_statement_end(t);
        txn_abort(t);
        __atomic_add_fetch(&sums, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void open_it(const char *dir, struct pool *pool)
{
    struct store_options o;
    store_options_init(&o);
    o.os = os_real();
    o.dir = dir;
    o.memtable_bytes = 128 << 10;
    o.cache_bytes = 4 << 20;
    o.wal_file_bytes = 1 << 20;
    o.retention_us = INT64_MAX;
    o.background = pool;
    assert_int_equal(store_open(&o, &store), OK);
}

static void fill(void)
{
    struct txn *t = begin();
    uint64_t ts;
    assert_int_equal(store_create_tree(t, &tree), OK);
    for (uint32_t a = 0; a < ACCOUNTS; a++) assert_int_equal(put(t, a, START), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &ts), OK);
    note_moment(ts);
}

static void bank(void **state)
{
    (void)state;
    char dir[64], command[128];
    struct pool *pool;
    struct pool_options po = {.name = "background", .threads = 2, .queue_max = 64};
    pthread_t all[WRITERS + READERS];
    const char *env = getenv("SEED");
    uintptr_t seed = env ? (uintptr_t)strtoull(env, NULL, 10) : 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    snprintf(dir, sizeof dir, "/tmp/helios-test-p%d", (int)getpid());
    assert_int_equal(pool_start(&po, &pool), OK);
    open_it(dir, pool);
    fill();
    for (unsigned i = 0; i < WRITERS + READERS; i++)
        pthread_create(&all[i], NULL, i < WRITERS ? writer : reader, (void *)(seed * 100 + i));
    for (unsigned i = 0; i < WRITERS; i++) pthread_join(all[i], NULL);
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    for (unsigned i = WRITERS; i < WRITERS + READERS; i++) pthread_join(all[i], NULL);
    print_message("%u moments, %u sums\n", moment_count, sums);
    assert_true(sums > 0);
    assert_int_equal(store_close(store), OK);
    open_it(dir, pool);
    struct txn *t = begin(), *past;
    for (uint32_t i = 0; i < moment_count; i += 17) {
        assert_int_equal(txn_begin_past(t, moments[i], &past), OK);
        assert_int_equal(sum_by_scan(past), (int64_t)ACCOUNTS * START);
        txn_end_reader(past);
    }
    txn_statement_end(t);
    txn_abort(t);
    assert_int_equal(store_close(store), OK);
    pool_stop(pool);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bank)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
