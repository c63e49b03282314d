/* Bulk loads, inserts and deletes of the same keys by many threads on real files: of each key as many
 * insertions as deletions have committed, or one more, and then it is there. So no key was ever inserted
 * twice, whoever was first, and no deletion was lost below an older version. */
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

enum { KEYS = 3000, LOADERS = 3, WRITERS = 4, LOAD_MAX = 300, ROUNDS = 150, ROW_BYTES = 100,
       DELETE_MAX = 400 };

static struct store *store;
static tree_id tree;
static char dir[64];
static int32_t balance[KEYS]; /* atomic: committed insertions less deletions */
static uint64_t loads, refused, aborted;

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
    o.load_bytes = 32 << 10;
    o.cache_bytes = 1 << 20;
    o.wal_file_bytes = 1 << 20;
    o.run_bytes = 256 << 10;
    o.background = background;
    if (store_open(&o, &store) != OK) fail_msg("open: %s", error_current()->message);
}

static struct txn *begin(void)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(store, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static enum status end(struct txn *t, enum status st)
{
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_ASYNC, NULL);
    if (st != UNIQUE_VIOLATION && st != NOT_FOUND && st != DEADLOCK_DETECTED)
        fail_msg("%s: %s", status_name(st), error_current()->message);
    __atomic_add_fetch(&aborted, 1, __ATOMIC_RELAXED);
    txn_abort(t);
    return st;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void load_once(struct rng *r)
{
    struct load_tree trees[] = {{tree, true}};
    char row[ROW_BYTES] = "loaded", kb[16];
    int keys[LOAD_MAX], n = 1 + (int)rng_below(r, LOAD_MAX), base = (int)rng_below(r, KEYS);
    struct load *l;
    for (int i = 0; i < n; i++) keys[i] = (base + i * 7) % KEYS;
    if (rng_below(r, 2)) qsort(keys, (size_t)n, sizeof *keys, compare);
    struct txn *t = begin();
    assert_int_equal(store_load_begin(t, trees, 1, &l), OK);
    enum status st = OK;
    for (int i = 0; i < n && st == OK; i++)
        st = store_load_add(l, 0, key_of((unsigned)keys[i], kb), slice_make(row, sizeof row),
                            (uint64_t)i + 1);
    if (st == OK) st = store_load_finish(l);
    store_load_free(l);
    st = end(t, st);
    __atomic_add_fetch(st == OK ? &loads : &refused, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < n && st == OK; i++) __atomic_add_fetch(&balance[keys[i]], 1, __ATOMIC_RELAXED);
}

static void *loader(void *arg)
{
    struct rng r;
    rng_seed(&r, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < ROUNDS; i++) load_once(&r);
    return NULL;
}

static void *writer(void *arg)
{
    struct rng r;
    char row[ROW_BYTES] = "written", kb[16];
    rng_seed(&r, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < ROUNDS * 4; i++) {
        int n = 1 + (int)rng_below(&r, DELETE_MAX), base = (int)rng_below(&r, KEYS);
        bool insert = rng_below(&r, 5) == 0;
        if (insert) n = 1 + n / 60;
        struct txn *t = begin();
        enum status st = OK;
        int done[DELETE_MAX], count = 0;
        for (int k = 0; k < n && st == OK; k++) {
            int key = (base + k) % KEYS;
            struct write_request w = {.tree = tree, .op = insert ? WRITE_INSERT : WRITE_DELETE,
                                      .key = key_of((unsigned)key, kb)};
            if (insert) w.row = slice_make(row, sizeof row);
            st = store_write(t, &w);
            if (st == OK) done[count++] = key;
            if (st == NOT_FOUND || st == UNIQUE_VIOLATION) st = OK;
        }
        st = end(t, st);
        for (int k = 0; k < count && st == OK; k++)
            __atomic_add_fetch(&balance[done[k]], insert ? 1 : -1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void check(void)
{
    char kb[16];
    struct txn *t = begin();
    for (unsigned k = 0; k < KEYS; k++) {
        struct point_get_request q = {tree, key_of(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        if (balance[k] != (st == OK)) fail_msg("key %u: balance %d, read %d", k, balance[k], st);
    }
    struct scan_request q = {.tree = tree};
    struct cursor *c;
    struct slice keys[64], rows[64];
    uint32_t n, scanned = 0, want = 0;
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 64, &n), OK);
        scanned += n;
    } while (n > 0);
    cursor_close(c);
    for (unsigned k = 0; k < KEYS; k++) want += (uint32_t)balance[k];
    assert_int_equal(scanned, want);
    txn_statement_end(t);
    txn_abort(t);
}

static void threads(void **state)
{
    (void)state;
    struct pool *pool;
    struct pool_options po = {.name = "background", .threads = 2, .queue_max = 64};
    pthread_t all[LOADERS + WRITERS];
    const char *env = getenv("SEED");
    uintptr_t seed = env ? (uintptr_t)strtoull(env, NULL, 10) : 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    snprintf(dir, sizeof dir, "/tmp/helios-test-l%d", (int)getpid());
    assert_int_equal(pool_start(&po, &pool), OK);
    open_it(pool);
    struct txn *t = begin();
    assert_int_equal(store_create_tree(t, &tree), OK);
    assert_int_equal(end(t, OK), OK);
    for (unsigned i = 0; i < LOADERS + WRITERS; i++)
        pthread_create(&all[i], NULL, i < LOADERS ? loader : writer, (void *)(seed * 100 + i));
    for (unsigned i = 0; i < LOADERS + WRITERS; i++) pthread_join(all[i], NULL);
    /* They commit without waiting: what they wrote can be seen once a later commit is durable. */
    tree_id later;
    t = begin();
    assert_int_equal(store_create_tree(t, &later), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    print_message("%llu loads, %llu refused, %llu transactions rolled back\n",
                  (unsigned long long)loads, (unsigned long long)refused,
                  (unsigned long long)aborted);
    assert_true(loads > 0 && refused > 0);
    check();
    assert_int_equal(store_checkpoint(store), OK);
    check();
    store_abandon(store);
    open_it(pool);
    check();
    assert_int_equal(store_close(store), OK);
    pool_stop(pool);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
