#include "core/file/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/mem.h"
#include "base/random.h"

static uint64_t seed_of_run;

static struct cache_page *load(struct cache *c, uint64_t key, size_t bytes, bool for_scan)
{
    struct cache_page *p = cache_page_new(c, key, bytes);
    memset(cache_page_data(p), (int)(key % 251), bytes);
    return cache_insert(c, p, for_scan);
}

static void check_page(struct cache_page *p, uint64_t key)
{
    const char *data = cache_page_data(p);
    if ((uintptr_t)data % 64) abort();
    for (size_t i = 0; i < cache_page_bytes(p); i += 97)
        if ((unsigned char)data[i] != key % 251) abort();
}

static void basics(void **state)
{
    (void)state;
    struct cache *c = cache_new(1 << 20);
    assert_null(cache_lookup(c, 7, false));
    struct cache_page *p = load(c, 7, 1000, false);
    assert_int_equal(cache_page_bytes(p), 1000);
    struct cache_page *again = cache_lookup(c, 7, false);
    assert_ptr_equal(p, again);
    /* The second to load the same page gets the first one's. */
    assert_ptr_equal(load(c, 7, 1000, false), p);
    assert_int_equal(cache_bytes(c), 1000);
    assert_int_equal(cache_hits(c), 1);
    assert_int_equal(cache_misses(c), 1);
    cache_unpin(c, p);
    cache_unpin(c, p);
    /* Forgotten while pinned: not found, but there until it is unpinned. */
    cache_forget(c, 5, 9);
    assert_null(cache_lookup(c, 7, false));
    check_page(p, 7);
    cache_pin(p);
    cache_unpin(c, p);
    assert_int_equal(cache_bytes(c), 1000);
    cache_unpin(c, p);
    assert_int_equal(cache_bytes(c), 0);
    cache_page_drop(c, cache_page_new(c, 8, 100));
    assert_int_equal(cache_bytes(c), 0);
    cache_free(c);
    assert_int_equal(mem_bytes(MEM_CACHE), 0);
}

/* Within budget unless all is pinned; what is in use outlives what a scan brings. */
static void eviction(void **state)
{
    (void)state;
    enum { PAGE = 4096, BUDGET = 100 * PAGE };
    struct cache *c = cache_new(BUDGET);
    for (uint64_t k = 0; k < 50; k++) {
        cache_unpin(c, load(c, k, PAGE, false));
        struct cache_page *p = cache_lookup(c, k, false);
        cache_unpin(c, p);
    }
    for (uint64_t k = 1000; k < 1300; k++) {
        cache_unpin(c, load(c, k, PAGE, true));
        assert_true(cache_bytes(c) <= BUDGET);
        for (uint64_t hot = 0; hot < 50; hot++) {
            struct cache_page *p = cache_lookup(c, hot, false);
            assert_non_null(p);
            cache_unpin(c, p);
        }
    }
    struct cache_page *pinned[200];
    for (uint64_t k = 0; k < 200; k++) pinned[k] = load(c, 5000 + k, PAGE, false);
    assert_int_equal(cache_bytes(c), 200 * PAGE); /* over it, rather than fail */
    for (uint64_t k = 0; k < 200; k++) {
        check_page(pinned[k], 5000 + k);
        cache_unpin(c, pinned[k]);
    }
    cache_unpin(c, load(c, 9999, PAGE, false));
    assert_true(cache_bytes(c) <= BUDGET);
    cache_free(c);
    assert_int_equal(mem_bytes(MEM_CACHE), 0);
}

/* Random calls against a plain list of what was inserted and not forgotten: found pages are the
 * right ones, forgotten ones are never found. */
static void model(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    bool present[KEYS] = {0};
    struct cache *c = cache_new(64 << 20); /* several shards; nothing is evicted */
    struct rng rng;
    rng_seed(&rng, seed_of_run);
    for (int step = 0; step < 200000; step++) {
        uint64_t key = rng_below(&rng, KEYS), last = key + rng_below(&rng, 20);
        if (rng_below(&rng, 100) == 0) {
            if (rng_below(&rng, 100) == 0) last = rng_below(&rng, 2) ? UINT64_MAX : key + 1000;
            cache_forget(c, key, last);
            for (uint64_t k = key; k < KEYS && k <= last; k++) present[k] = false;
            continue;
        }
        struct cache_page *p = cache_lookup(c, key, rng_below(&rng, 2));
        assert_int_equal(p != NULL, present[key]);
        if (!p) p = load(c, key, 1 + rng_below(&rng, 500), rng_below(&rng, 2));
        present[key] = true;
        check_page(p, key);
        cache_unpin(c, p);
    }
    cache_free(c);
    assert_int_equal(mem_bytes(MEM_CACHE), 0);
}

/* --- many threads ----------------------------------------------------------------------------- */

enum { THREADS = 6, KEYS_SHARED = 400, STEPS = 30000 };

struct crowd {
    struct cache *c;
    uint64_t left, seed; /* atomic */
    struct waiter *main;
};

static void thread(void *arg)
{
    struct crowd *w = arg;
    struct cache_page *held[4] = {0};
    uint64_t keys[4];
    struct rng rng;
    rng_seed(&rng, __atomic_add_fetch(&w->seed, 1, __ATOMIC_RELAXED));
    for (int i = 0; i < STEPS; i++) {
        int slot = i % 4;
        if (held[slot]) {
            check_page(held[slot], keys[slot]);
            cache_unpin(w->c, held[slot]);
        }
        keys[slot] = rng_below(&rng, KEYS_SHARED);
        if (rng_below(&rng, 200) == 0) cache_forget(w->c, keys[slot], keys[slot] + 30);
        held[slot] = cache_lookup(w->c, keys[slot], i % 3 == 0);
        if (!held[slot]) held[slot] = load(w->c, keys[slot], 1000 + keys[slot], i % 3 == 0);
    }
    for (int i = 0; i < 4; i++) cache_unpin(w->c, held[i]);
    if (__atomic_sub_fetch(&w->left, 1, __ATOMIC_ACQ_REL) == 0) waiter_wake(w->main);
}

static void threads(void **state)
{
    (void)state;
    struct crowd w = {.c = cache_new(200000), .left = THREADS, .seed = seed_of_run,
                      .main = waiter_self()};
    struct pool *pool;
    assert_int_equal(pool_start(&(struct pool_options){.name = "t", .threads = THREADS,
                                                       .queue_max = THREADS}, &pool), OK);
    for (int i = 0; i < THREADS; i++) assert_true(pool_submit(pool, thread, &w));
    while (__atomic_load_n(&w.left, __ATOMIC_ACQUIRE)) waiter_park(w.main, 0);
    pool_stop(pool);
    cache_unpin(w.c, load(w.c, 1 << 20, 1, false));
    assert_true(cache_bytes(w.c) <= 200000);
    cache_free(w.c);
    assert_int_equal(mem_bytes(MEM_CACHE), 0);
}

int main(void)
{
    const char *text = getenv("SEED");
    seed_of_run = text ? strtoull(text, NULL, 10) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basics),
        cmocka_unit_test(eviction),
        cmocka_unit_test(model),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
