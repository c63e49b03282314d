/* Sidings of threads, coroutines and fibers: work stands still on them, several at a time, and may park
 * in the middle. */
#include "base/siding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/coro.h"

enum { STACK = 256 << 10, COUNTERS = 5 };

struct counter {
    struct siding *s;
    int at, to;
    struct waiter *waiter;
    size_t stack_left;
    bool sleeps;
};

static void count(void *arg)
{
    struct counter *n = arg;
    n->waiter = waiter_self();
    n->stack_left = fiber_stack_left();
    for (n->at = 0; n->at < n->to; n->at++) {
        if (n->sleeps) (void)fiber_sleep_us(100);
        siding_yield(n->s);
    }
    (void)FAIL(DIVISION_BY_ZERO, "counted to %d", n->to);
}

/* Several count by turns, each to another number, twice on the same sidings. */
static void count_by_turns(bool sleeps)
{
    struct counter n[COUNTERS] = {0};
    size_t left = fiber_stack_left();
    for (int i = 0; i < COUNTERS; i++) assert_int_equal(siding_new(STACK, &n[i].s), OK);
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < COUNTERS; i++) {
            n[i].to = 3 * i;
            n[i].sleeps = sleeps;
            siding_start(n[i].s, count, &n[i]);
        }
        for (int turn = 0; turn <= 3 * COUNTERS; turn++) {
            for (int i = 0; i < COUNTERS; i++) {
                if (turn > n[i].to) continue;
                error_clear();
                assert_true(siding_resume(n[i].s) == (turn < n[i].to));
                assert_int_equal(n[i].at, turn);
                assert_int_equal(error_current()->code, turn < n[i].to ? OK : DIVISION_BY_ZERO);
                assert_ptr_equal(n[i].waiter, waiter_self());
                assert_true(n[i].stack_left > STACK / 2 && n[i].stack_left <= STACK);
                if (sleeps) fiber_yield();
            }
        }
    }
    error_clear();
    assert_int_equal(fiber_stack_left(), left);
    for (int i = 0; i < COUNTERS; i++) siding_free(n[i].s);
}

static void test_on_a_thread(void **state)
{
    (void)state;
    count_by_turns(false);
    count_by_turns(true);
}

struct on_coro {
    struct coro *c;
};

static void run_on_coro(void *arg)
{
    struct on_coro *o = arg;
    for (int i = 0; i < 3; i++) {
        count_by_turns(i == 1);
        coro_yield(o->c);
    }
}

static void test_on_a_coroutine(void **state)
{
    (void)state;
    struct on_coro o;
    assert_int_equal(coro_new(STACK, &o.c), OK);
    coro_start(o.c, run_on_coro, &o);
    for (int i = 0; i < 3; i++) assert_true(coro_resume(o.c));
    assert_false(coro_resume(o.c));
    coro_free(o.c);
}

static void run_on_fiber(void *arg)
{
    int *done = arg;
    count_by_turns(true);
    __atomic_add_fetch(done, 1, __ATOMIC_SEQ_CST);
}

static void test_on_fibers(void **state)
{
    (void)state;
    struct sched_options o = {.workers = 2};
    struct sched *s;
    int done = 0;
    assert_int_equal(sched_start(&o, &s), OK);
    for (int i = 0; i < 20; i++) assert_int_equal(fiber_spawn(s, i % 2, run_on_fiber, &done), OK);
    sched_stop(s);
    assert_int_equal(done, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_on_a_thread),
                                       cmocka_unit_test(test_on_a_coroutine),
                                       cmocka_unit_test(test_on_fibers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
