/* Where a memtable keeps versions: against a model of all chains, with statements that hold on to what they have read,
 * and under readers on other threads. */
#include "core/lsm/memtable.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/random.h"

enum { KEYS = 40, STEPS = 60000, READERS = 4, HELD_MAX = 16, ROW_MAX = 200 };

/* The row of a version tells its number in every byte, and by its length. */
static struct slice row_of(uint64_t number, uint32_t len, char *buf)
{
    memset(buf, (int)(number * 7 % 251), len);
    return slice_make(buf, len);
}

static bool is_row_of(const struct version *v, uint64_t number, uint32_t len)
{
    if (v->len != len) return false;
    for (uint32_t i = 0; i < len; i++)
        if ((unsigned char)v->row[i] != number * 7 % 251) return false;
    return true;
}

static struct slice key_of(uint32_t k, char *buf)
{
    snprintf(buf, 16, "k%u", k);
    return slice_of(buf);
}

/* --- against a model ----------------------------------------------------------------------------- */

struct told {
    uint64_t number; /* of the version; its timestamp is twice that */
    uint32_t len;
    bool settled;
};

struct key_model {
    ARRAY(struct told) versions; /* oldest first */
    struct leaf *leaf;
    struct version *flying;      /* the newest, not settled; NULL */
};

struct held {
    const struct version *v;
    struct told told;
};

struct statement {
    struct epoch_slot *slot;
    bool on;
    struct held held[HELD_MAX];
    uint32_t count;
};

struct world {
    struct rng rng;
    struct epoch *epoch;
    struct memtable *m;
    struct key_model keys[KEYS];
    struct statement statements[READERS];
    uint64_t number;
    bool grows;
};

static struct version *put(struct memtable *m, struct leaf **leaf, struct slice key, struct slice row, uint64_t begin)
{
    memtable_latch(m);
    *leaf = memtable_upsert(m, key);
    struct version *v = memtable_version_new(m, *leaf, row);
    v->begin = begin;
    v->older = leaf_head(*leaf);
    leaf_set_head(*leaf, v);
    memtable_placed(m, *leaf, v);
    memtable_unlatch(m);
    return v;
}

static void write_key(struct world *w, uint32_t k, bool settled)
{
    struct key_model *key = &w->keys[k];
    char kb[16], buf[ROW_MAX];
    uint32_t len = w->grows ? (uint32_t)rng_below(&w->rng, ROW_MAX) : 50;
    struct told t = {++w->number, len, settled};
    struct slice row = row_of(t.number, len, buf);
    struct version *v = put(w->m, &key->leaf, key_of(k, kb), row, settled ? 2 * t.number : 1);
    ARRAY_PUSH(&key->versions, t);
    key->flying = settled ? NULL : v;
}

static void settle_key(struct key_model *key)
{
    struct told *t = &ARRAY_LAST(&key->versions);
    __atomic_store_n(&key->flying->begin, 2 * t->number, __ATOMIC_RELEASE);
    t->settled = true;
    key->flying = NULL;
}

static void undo_key(struct world *w, struct key_model *key)
{
    memtable_latch(w->m);
    assert_ptr_equal(leaf_head(key->leaf), key->flying);
    leaf_set_head(key->leaf, key->flying->older);
    memtable_gone(w->m, key->leaf, key->flying);
    memtable_unlatch(w->m);
    key->versions.count--;
    key->flying = NULL;
}

/* The whole chain; each statement that is on may keep one of its versions. */
static void check_key(struct world *w, const struct key_model *key)
{
    const struct version *v = key->leaf ? leaf_head(key->leaf) : NULL;
    for (size_t i = key->versions.count; i-- > 0; v = v->older) {
        const struct told *t = &key->versions.data[i];
        assert_non_null(v);
        assert_true(is_row_of(v, t->number, t->len));
        assert_int_equal(v->begin, t->settled ? 2 * t->number : 1);
        struct statement *s = &w->statements[rng_below(&w->rng, READERS)];
        bool near = i + 3 > key->versions.count;
        if (near && s->on && s->count < HELD_MAX && t->settled) s->held[s->count++] = (struct held){v, *t};
    }
    assert_null(v);
}

static void step_statement(struct statement *s)
{
    if (!s->on) {
        epoch_enter(s->slot);
    } else {
        for (uint32_t i = 0; i < s->count; i++)
            assert_true(is_row_of(s->held[i].v, s->held[i].told.number, s->held[i].told.len));
        epoch_exit(s->slot);
    }
    s->on = !s->on;
    s->count = 0;
}

static void random_model(uint64_t seed)
{
    struct world w = {.grows = seed % 2};
    rng_seed(&w.rng, seed);
    w.epoch = epoch_new();
    w.m = memtable_new(w.epoch);
    for (int i = 0; i < READERS; i++) w.statements[i].slot = epoch_slot_new(w.epoch);
    for (int step = 0; step < STEPS / 20; step++) {
        uint32_t k = (uint32_t)rng_below(&w.rng, KEYS);
        struct key_model *key = &w.keys[k];
        uint64_t what = rng_below(&w.rng, 100);
        if (what < 8) step_statement(&w.statements[rng_below(&w.rng, READERS)]);
        else if (key->flying && what < 50) settle_key(key);
        else if (key->flying && what < 70) undo_key(&w, key);
        else if (key->flying) key->flying = NULL, ARRAY_LAST(&key->versions).settled = false;
        else write_key(&w, k, what < 80);
        check_key(&w, key);
        if (step % 200 == 0)
            for (uint32_t i = 0; i < KEYS; i++) check_key(&w, &w.keys[i]);
    }
    for (int i = 0; i < READERS; i++) {
        if (w.statements[i].on) step_statement(&w.statements[i]);
        epoch_slot_free(w.statements[i].slot);
    }
    for (int i = 0; i < KEYS; i++) ARRAY_RELEASE(&w.keys[i].versions);
    memtable_free(w.m);
    epoch_free(w.epoch);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        random_model(seed);
    }
}

/* --- the newest versions stay together -------------------------------------------------------------- */

static void test_together(void **state)
{
    (void)state;
    enum { ROW = 100, MANY = 400, PLACES = 4 };
    char kb[16], buf[ROW];
    struct epoch *epoch = epoch_new();
    struct memtable *m = memtable_new(epoch);
    static const struct version *places[MANY][PLACES];
    uint64_t elsewhere = 0, bytes = 0;
    struct leaf *leaf;
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t k = i % MANY, p = 0; /* in turn: a place is wanted again long after it was left */
        const struct version *v = put(m, &leaf, key_of(k, kb), row_of(i, ROW, buf), 2 * i + 2);
        while (p < PLACES && places[k][p] && places[k][p] != v) p++;
        if (p == PLACES) elsewhere++;
        else places[k][p] = v;
        if (i == STEPS / 2) bytes = memtable_bytes(m);
    }
    assert_true(elsewhere < STEPS / 4); /* some must go elsewhere, as statements are looked for now and then */
    uint64_t more = memtable_bytes(m) - bytes;
    assert_true(more <= (uint64_t)STEPS / 2 * (sizeof(struct version) + ROW) * 11 / 10);
    memtable_free(m);
    epoch_free(epoch);
}

/* --- readers on other threads --------------------------------------------------------------------- */

struct race {
    struct memtable *m;
    struct epoch *epoch;
    bool done; /* atomic */
    unsigned number;
};

/* Checks on other threads stop the process: cmocka jumps on its own thread only. */
static void *reader(void *arg)
{
    struct race *race = arg;
    struct epoch_slot *slot = epoch_slot_new(race->epoch);
    struct rng r;
    char kb[16];
    rng_seed(&r, __atomic_add_fetch(&race->number, 1, __ATOMIC_RELAXED));
    while (!__atomic_load_n(&race->done, __ATOMIC_ACQUIRE)) {
        const struct version *held[8];
        uint64_t begins[8];
        uint32_t n = 0;
        epoch_enter(slot);
        while (n < 8) {
            struct leaf *l = memtable_find(race->m, key_of((uint32_t)rng_below(&r, KEYS), kb));
            const struct version *v = l ? leaf_head(l) : NULL;
            uint64_t last = UINT64_MAX;
            for (int depth = 0; v && depth < 4 && n < 8; depth++) {
                begins[n] = __atomic_load_n(&v->begin, __ATOMIC_ACQUIRE);
                ASSERT(begins[n] < last);
                last = begins[n];
                held[n++] = v;
                v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE);
            }
            if (!l) break;
        }
        for (uint32_t i = 0; i < n; i++) ASSERT(is_row_of(held[i], begins[i] / 2, 20 + begins[i] % 32));
        epoch_exit(slot);
    }
    epoch_slot_free(slot);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct race race = {.epoch = epoch_new()};
    pthread_t threads[READERS];
    struct leaf *leaf;
    char kb[16], buf[ROW_MAX];
    struct rng r;
    rng_seed(&r, 11);
    race.m = memtable_new(race.epoch);
    for (int i = 0; i < READERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, reader, &race), 0);
    for (uint64_t n = 1; n <= STEPS; n++) {
        uint32_t k = (uint32_t)rng_below(&r, rng_below(&r, 4) ? KEYS : 2);
        put(race.m, &leaf, key_of(k, kb), row_of(n, (uint32_t)(20 + 2 * n % 32), buf), 2 * n);
    }
    __atomic_store_n(&race.done, true, __ATOMIC_RELEASE);
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    memtable_free(race.m);
    epoch_free(race.epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("homes", tests, NULL, NULL);
}
