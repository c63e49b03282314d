#include "base/hlc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sim.h"

static void ascends(void **state)
{
    (void)state;
    struct sim_options opts = {.start_us = 1000000};
    struct os *os = sim_new(&opts);
    struct hlc_clock c;
    hlc_init(&c, os);
    uint64_t last = hlc_now(&c);
    assert_int_equal(hlc_wall_us(last), 1000000);
    for (int i = 0; i < 10000; i++) { /* a standing clock, and more than the counter holds */
        uint64_t now = hlc_now(&c);
        assert_true(now > last);
        last = now;
    }
    sim_advance_us(os, 1000000);
    last = hlc_now(&c);
    assert_int_equal(hlc_wall_us(last), 2000000);
    sim_advance_us(os, -1500000); /* set back */
    assert_true(hlc_now(&c) > last);
    uint64_t far = hlc_from_wall_us(9000000) + 7;
    hlc_observe(&c, far);
    assert_int_equal(hlc_now(&c), (far | 1) + 1);
    hlc_observe(&c, 5); /* the past changes nothing */
    assert_int_equal(hlc_now(&c), (far | 1) + 3);
    sim_free(os);
}

enum { PER_THREAD = 20000, THREADS = 4 };
static struct hlc_clock shared;
static uint64_t taken[THREADS][PER_THREAD];

static void *take(void *arg)
{
    uint64_t *out = arg;
    for (int i = 0; i < PER_THREAD; i++) out[i] = hlc_now(&shared);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void unique_over_threads(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    hlc_init(&shared, os_real());
    for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, take, taken[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < THREADS; i++)
        for (int k = 1; k < PER_THREAD; k++) assert_true(taken[i][k - 1] < taken[i][k]);
    uint64_t *all = taken[0];
    qsort(all, (size_t)THREADS * PER_THREAD, sizeof *all, compare);
    for (int i = 1; i < THREADS * PER_THREAD; i++) assert_int_not_equal(all[i - 1], all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ascends),
                                       cmocka_unit_test(unique_over_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
