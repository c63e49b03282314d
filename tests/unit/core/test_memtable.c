/* The memtable against a sorted array, and under readers while one thread writes. */
#include "core/lsm/memtable.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { KEYS = 3000, KEY_BYTES_MAX = 24 };

struct model {
    struct slice keys[KEYS];
    uint32_t count;
    struct arena arena;
};

/* The place of the first key at or above. */
static uint32_t model_bound(const struct model *m, struct slice key)
{
    uint32_t low = 0, high = m->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (slice_cmp(m->keys[mid], key) < 0) low = mid + 1;
        else high = mid;
    }
    return low;
}

static bool model_add(struct model *m, struct slice key)
{
    uint32_t at = model_bound(m, key);
    if (at < m->count && slice_eq(m->keys[at], key)) return false;
    memmove(&m->keys[at + 1], &m->keys[at], (m->count - at) * sizeof *m->keys);
    m->keys[at] = slice_dup(&m->arena, key);
    m->count++;
    return true;
}

/* Shapes that meet every node size, long shared paths and keys that begin others. */
static struct slice random_key(struct rng *r, char *buf, unsigned shape)
{
    size_t len = rng_below(r, KEY_BYTES_MAX + 1);
    unsigned letters = shape == 0 ? 2 : shape == 1 ? 5 : shape == 2 ? 40 : 256;
    for (size_t i = 0; i < len; i++) buf[i] = (char)rng_below(r, letters);
    if (shape == 1 && len > 8) memset(buf, 7, len - 3);
    if (shape == 3) len = len > 4 ? 4 : len;
    return slice_make(buf, len);
}

static struct leaf *put(struct memtable *m, struct slice key)
{
    memtable_latch(m);
    struct leaf *l = memtable_upsert(m, key);
    struct version *v = memtable_version_new(m, l, key);
    v->older = leaf_head(l);
    leaf_set_head(l, v);
    memtable_unlatch(m);
    return l;
}

static void check_walk(const struct memtable *m, const struct model *o, struct rng *r,
                       struct slice from, bool after, bool reverse)
{
    static struct leaf *got[KEYS + 1];
    uint32_t max = rng_below(r, 3) ? 1 + (uint32_t)rng_below(r, 40) : KEYS + 1;
    uint32_t n = memtable_walk(m, from, after, reverse, got, max), at = model_bound(o, from);
    if (reverse) {
        if (!from.data) at = o->count;
        assert_int_equal(n, at < max ? at : max);
        for (uint32_t i = 0; i < n; i++)
            assert_true(slice_eq(leaf_key(got[i]), o->keys[at - 1 - i]));
        return;
    }
    if (after && at < o->count && slice_eq(o->keys[at], from)) at++;
    assert_int_equal(n, o->count - at < max ? o->count - at : max);
    for (uint32_t i = 0; i < n; i++) assert_true(slice_eq(leaf_key(got[i]), o->keys[at + i]));
}

/* Each key once. */
static void check_list(const struct memtable *m, const struct model *o, struct rng *r)
{
    struct leaf_list l;
    struct leaf *got[40];
    uint32_t n, seen = 0;
    bool *met = mem_alloc(MEM_TEST, (o->count + 1) * sizeof *met);
    memtable_list(m, &l);
    while ((n = memtable_list_next(&l, got, 1 + (uint32_t)rng_below(r, 40))) > 0)
        for (uint32_t i = 0; i < n; i++, seen++) {
            uint32_t at = model_bound(o, leaf_key(got[i]));
            assert_true(at < o->count && slice_eq(leaf_key(got[i]), o->keys[at]) && !met[at]);
            met[at] = true;
        }
    assert_int_equal(seen, o->count);
    mem_free(MEM_TEST, met);
}

static void random_model(uint64_t seed, unsigned shape)
{
    struct memtable *m = memtable_new(NULL);
    struct model *o = mem_alloc(MEM_TEST, sizeof *o);
    struct rng r;
    char buf[KEY_BYTES_MAX];
    rng_seed(&r, seed);
    arena_init(&o->arena, MEM_TEST);
    for (unsigned step = 0; step < KEYS; step++) {
        struct slice key = random_key(&r, buf, shape);
        bool known = memtable_find(m, key);
        assert_int_equal(known, !model_add(o, key));
        struct leaf *l = put(m, key);
        assert_ptr_equal(l, memtable_find(m, key));
        assert_true(slice_eq(leaf_key(l), key));
        assert_true(slice_eq(slice_make(leaf_head(l)->row, leaf_head(l)->len), key));
        assert_int_equal(memtable_key_count(m), o->count);
        if (step % 10) continue;
        key = random_key(&r, buf, shape);
        if (!key.data) continue;
        check_walk(m, o, &r, key, rng_below(&r, 2), rng_below(&r, 2));
        if (step % 100) continue;
        check_walk(m, o, &r, (struct slice){0}, false, false);
        check_walk(m, o, &r, (struct slice){0}, false, true);
        check_list(m, o, &r);
    }
    for (uint32_t i = 0; i < o->count; i++) assert_non_null(memtable_find(m, o->keys[i]));
    assert_true(memtable_bytes(m) > o->count * sizeof(struct version));
    arena_release(&o->arena);
    mem_free(MEM_TEST, o);
    memtable_free(m);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        random_model(seed, (unsigned)seed % 4);
    }
}

static void test_deep(void **state)
{
    /* Each key begins the next: a path of thousands of nodes, beyond what a walk remembers. */
    enum { DEPTH = 4000 };
    (void)state;
    static char key[DEPTH];
    static struct leaf *got[2 * DEPTH];
    struct memtable *m = memtable_new(NULL);
    memset(key, 'a', sizeof key);
    for (uint32_t len = 0; len < DEPTH; len++) {
        put(m, slice_make(key, len));
        key[len] = 'b'; /* a side branch at each node */
        put(m, slice_make(key, len + 1));
        key[len] = 'a';
    }
    uint32_t n = memtable_walk(m, SLICE(""), false, false, got, 2 * DEPTH);
    assert_int_equal(n, 2 * DEPTH);
    for (uint32_t i = 1; i < n; i++)
        assert_true(slice_cmp(leaf_key(got[i - 1]), leaf_key(got[i])) < 0);
    n = memtable_walk(m, (struct slice){0}, false, true, got, 2 * DEPTH);
    assert_int_equal(n, 2 * DEPTH);
    for (uint32_t i = 1; i < n; i++)
        assert_true(slice_cmp(leaf_key(got[i - 1]), leaf_key(got[i])) > 0);
    memset(key, 'a', sizeof key);
    key[DEPTH - 1] = 'c'; /* the seek alone drops frames, and finds nothing below */
    n = memtable_walk(m, slice_make(key, DEPTH), false, false, got, 2 * DEPTH);
    assert_int_equal(n, DEPTH - 1);
    n = memtable_walk(m, slice_make(key, DEPTH), false, true, got, 2 * DEPTH);
    assert_int_equal(n, DEPTH + 1);
    memtable_free(m);
}

/* Checks on other threads stop the process: cmocka jumps on its own thread only. */
/* --- readers beside a writer ------------------------------------------------------------------ */

enum { WRITES = 60000, READERS = 3 };

struct race {
    struct memtable *m;
    uint64_t done; /* atomic: keys 0 … done - 1 are in */
    unsigned number;
};

static struct slice race_key(uint64_t i, char *buf)
{
    uint64_t mixed = i * 0x9e3779b97f4a7c15u;
    memcpy(buf, &mixed, 8);
    return slice_make(buf, i % 3 ? 8 : 5 + i % 4);
}

static void read_walk(const struct memtable *m, struct rng *r, bool reverse)
{
    struct leaf *got[100];
    char buf[8];
    struct slice from = race_key(rng_below(r, WRITES), buf);
    uint32_t n = memtable_walk(m, from, false, reverse, got, 100);
    for (uint32_t i = 0; i < n; i++) {
        int c = slice_cmp(leaf_key(got[i]), i ? leaf_key(got[i - 1]) : from);
        ASSERT(reverse ? c < 0 : i ? c > 0 : c >= 0);
    }
}

static void *reader(void *arg)
{
    struct race *race = arg;
    struct rng r;
    char buf[8];
    uint64_t done;
    rng_seed(&r, __atomic_add_fetch(&race->number, 1, __ATOMIC_RELAXED));
    while ((done = __atomic_load_n(&race->done, __ATOMIC_ACQUIRE)) < WRITES) {
        if (!done) continue;
        for (int i = 0; i < 50; i++) {
            struct slice key = race_key(rng_below(&r, done), buf);
            struct leaf *l = memtable_find(race->m, key);
            ASSERT(l);
            struct version *v = leaf_head(l);
            if (v) ASSERT(slice_eq(slice_make(v->row, v->len), key));
        }
        read_walk(race->m, &r, rng_below(&r, 2));
    }
    return NULL;
}

static void test_readers(void **state)
{
    (void)state;
    struct race race = {.m = memtable_new(NULL)};
    pthread_t threads[READERS];
    char buf[8];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &race), 0);
    for (uint64_t i = 0; i < WRITES; i++) {
        put(race.m, race_key(i, buf));
        __atomic_store_n(&race.done, i + 1, __ATOMIC_RELEASE);
    }
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    memtable_free(race.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests_name("memtable", tests, NULL, NULL);
}
