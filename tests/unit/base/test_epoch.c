#include "base/epoch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

static int freed;

static void count_free(void *object)
{
    (void)object;
    freed++;
}

static void waits_for_sections(void **state)
{
    (void)state;
    struct epoch *e = epoch_new();
    struct epoch_slot *a = epoch_slot_new(e), *b = epoch_slot_new(e);
    freed = 0;
    epoch_retire(e, count_free, NULL);
    epoch_collect(e);
    assert_int_equal(freed, 1); /* nobody was on */
    epoch_enter(a);
    epoch_retire(e, count_free, NULL);
    epoch_enter(b); /* began after: does not hold it */
    epoch_collect(e);
    assert_int_equal(freed, 1);
    epoch_exit(a);
    epoch_collect(e);
    assert_int_equal(freed, 2);
    epoch_exit(b);
    epoch_enter(a);
    for (int i = 0; i < 1000; i++) epoch_retire(e, count_free, NULL);
    assert_int_equal(freed, 2);
    epoch_exit(a);
    for (int i = 0; i < 1000; i++) epoch_retire(e, count_free, NULL);
    assert_true(freed > 1500); /* retire collects now and then */
    epoch_slot_free(a);
    epoch_slot_free(b);
    epoch_free(e);
    assert_int_equal(freed, 2002);
}

static struct epoch *chain_epoch;

static void free_and_retire(void *object)
{
    intptr_t left = (intptr_t)object;
    freed++;
    if (left) epoch_retire(chain_epoch, free_and_retire, (void *)(left - 1));
}

static void frees_may_retire(void **state)
{
    (void)state;
    freed = 0;
    chain_epoch = epoch_new();
    epoch_retire(chain_epoch, free_and_retire, (void *)9);
    epoch_free(chain_epoch);
    assert_int_equal(freed, 10);
}

/* Readers follow a pointer that writers replace; a stale one shows as freed memory. */
enum { CELLS = 16, WRITES = 20000 };
struct cell {
    uint64_t value, check;
};
static struct cell *cells[CELLS]; /* atomic */
static struct epoch *shared;
static uint32_t writing; /* atomic */

static void free_cell(void *object)
{
    struct cell *c = object;
    c->value = c->check = 0; /* caught by readers even without a sanitizer */
    mem_free(MEM_TEST, c);
}

static void *read_cells(void *arg)
{
    struct epoch_slot *slot = epoch_slot_new(shared);
    struct rng rng;
    rng_seed(&rng, (uintptr_t)arg);
    while (__atomic_load_n(&writing, __ATOMIC_ACQUIRE)) {
        epoch_enter(slot);
        for (int i = 0; i < 20; i++) {
            struct cell *c = __atomic_load_n(&cells[rng_below(&rng, CELLS)], __ATOMIC_ACQUIRE);
            if (!c->value || c->check != ~c->value) abort();
        }
        epoch_exit(slot);
    }
    epoch_slot_free(slot);
    return NULL;
}

static void *write_cells(void *arg)
{
    struct rng rng;
    rng_seed(&rng, (uintptr_t)arg);
    for (int i = 0; i < WRITES; i++) {
        struct cell *c = mem_alloc(MEM_TEST, sizeof *c);
        c->value = 1 + rng_below(&rng, 1000);
        c->check = ~c->value;
        c = __atomic_exchange_n(&cells[rng_below(&rng, CELLS)], c, __ATOMIC_ACQ_REL);
        epoch_retire(shared, free_cell, c);
    }
    __atomic_sub_fetch(&writing, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void stress(void **state)
{
    (void)state;
    pthread_t t[5];
    shared = epoch_new();
    writing = 2;
    for (int i = 0; i < CELLS; i++) {
        cells[i] = mem_alloc(MEM_TEST, sizeof *cells[i]);
        *cells[i] = (struct cell){1, ~1ull};
    }
    for (uintptr_t i = 0; i < 5; i++)
        pthread_create(&t[i], NULL, i < 2 ? write_cells : read_cells, (void *)i);
    for (int i = 0; i < 5; i++) pthread_join(t[i], NULL);
    epoch_free(shared);
    for (int i = 0; i < CELLS; i++) mem_free(MEM_TEST, cells[i]);
    assert_int_equal(mem_bytes(MEM_TEST), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(waits_for_sections),
                                       cmocka_unit_test(frees_may_retire), cmocka_unit_test(stress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
