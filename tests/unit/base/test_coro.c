/* Coroutines on plain threads: they stop, go on (on other threads too), and wait as threads do. */
#include "base/coro.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STACK = 256 << 10 };

struct counter {
    struct coro *c;
    int from, to, at;
    struct waiter *waiter;
    size_t stack_left;
};

static void count(void *arg)
{
    struct counter *n = arg;
    n->waiter = waiter_self();
    n->stack_left = fiber_stack_left();
    for (int i = n->from; i < n->to; i++) {
        n->at = i;
        coro_yield(n->c);
    }
    (void)FAIL(DIVISION_BY_ZERO, "counted to %d", n->to);
}

static void test_yields_and_ends(void **state)
{
    (void)state;
    struct counter n = {.from = 3, .to = 6};
    assert_int_equal(coro_new(STACK, &n.c), OK);
    for (int run = 0; run < 2; run++) {
        error_clear();
        coro_start(n.c, count, &n);
        for (int i = 3; i < 6; i++) {
            assert_true(coro_resume(n.c));
            assert_int_equal(n.at, i);
        }
        assert_false(coro_resume(n.c));
        assert_string_equal(coro_error(n.c)->message, "counted to 6");
        assert_int_equal(error_current()->code, OK); /* the thread's own slot */
    }
    assert_ptr_equal(n.waiter, coro_waiter(n.c));
    assert_ptr_not_equal(n.waiter, waiter_self());
    assert_true(n.stack_left > STACK / 2 && n.stack_left <= STACK);
    coro_free(n.c);
}

static void *resume(void *arg)
{
    return (void *)(uintptr_t)coro_resume(arg);
}

static void test_moves_between_threads(void **state)
{
    (void)state;
    struct counter n = {.from = 0, .to = 10};
    assert_int_equal(coro_new(STACK, &n.c), OK);
    coro_start(n.c, count, &n);
    for (int i = 0; i < 10; i++) {
        pthread_t t;
        void *more;
        assert_int_equal(pthread_create(&t, NULL, resume, n.c), 0);
        pthread_join(t, &more);
        assert_non_null(more);
        assert_int_equal(n.at, i);
    }
    assert_false(coro_resume(n.c));
    coro_free(n.c);
}

static void park(void *arg)
{
    *(enum park_result *)arg = waiter_park(waiter_self(), 0);
}

static void *cancel(void *arg)
{
    fiber_sleep_us(5000);
    waiter_cancel(coro_waiter(arg));
    return NULL;
}

static void test_waits_and_is_canceled(void **state)
{
    (void)state;
    struct coro *c;
    enum park_result result = PARK_WOKEN;
    pthread_t t;
    assert_int_equal(coro_new(STACK, &c), OK);
    coro_start(c, park, &result);
    assert_int_equal(pthread_create(&t, NULL, cancel, c), 0);
    assert_false(coro_resume(c));
    pthread_join(t, NULL);
    assert_int_equal(result, PARK_CANCELED);
    coro_free(c);
}

static struct fmutex mutex;
static int shared;

static void add(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        fmutex_lock(&mutex);
        shared++;
        fmutex_unlock(&mutex);
    }
}

static void *add_on_coro(void *arg)
{
    (void)arg;
    struct coro *c;
    if (coro_new(STACK, &c) != OK) return NULL;
    coro_start(c, add, NULL);
    bool more = coro_resume(c);
    coro_free(c);
    return more ? NULL : &shared;
}

static void test_locks(void **state)
{
    (void)state;
    pthread_t t[4];
    void *ok;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&t[i], NULL, add_on_coro, NULL), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(shared, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yields_and_ends),
        cmocka_unit_test(test_moves_between_threads),
        cmocka_unit_test(test_waits_and_is_canceled),
        cmocka_unit_test(test_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
