#include "base/fiber.h"

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

static struct sched *start(unsigned workers)
{
    struct sched *s;
    struct sched_options opts = {.workers = workers, .spin_us_max = 50};
    assert_int_equal(sched_start(&opts, &s), OK);
    return s;
}

static uint32_t load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static uint32_t add(uint32_t *p)
{
    return __atomic_add_fetch(p, 1, __ATOMIC_ACQ_REL);
}

/* --- many fibers, yields, errors --------------------------------------------------------------- */

static uint32_t finished, own_errors;

static void yielding(void *arg)
{
    int me = (int)(intptr_t)arg, worker = fiber_worker();
    for (int i = 0; i < 10; i++) {
        (void)!FAIL(INTERNAL_ERROR, "fiber %d round %d", me, i);
        fiber_yield();
        char want[64];
        snprintf(want, sizeof want, "fiber %d round %d", me, i);
        if (strcmp(error_current()->message, want) == 0) add(&own_errors);
        if (fiber_worker() != worker) abort();
    }
    if (fiber_stack_left() < 100000 || fiber_stack_left() > FIBER_STACK_BYTES) abort();
    add(&finished);
}

static void many_fibers(void **state)
{
    (void)state;
    enum { FIBERS = 2000 };
    for (int round = 0; round < 2; round++) {
        struct sched *s = start(2);
        finished = own_errors = 0;
        for (int i = 0; i < FIBERS; i++)
            assert_int_equal(fiber_spawn(s, i % 3 - 1, yielding, (void *)(intptr_t)i), OK);
        sched_stop(s);
        assert_int_equal(finished, FIBERS);
        assert_int_equal(own_errors, FIBERS * 10);
    }
    assert_null(fiber_self());
    assert_int_equal(fiber_worker(), -1);
    assert_true(fiber_stack_left() > 100000);
}

/* --- ping-pong over workers and threads -------------------------------------------------------- */

struct ball {
    struct waiter *players[2]; /* atomic */
    uint32_t turn, rounds;     /* atomic: whose turn, how many are left */
};

static void play(struct ball *b, unsigned me)
{
    __atomic_store_n(&b->players[me], waiter_self(), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&b->players[1 - me], __ATOMIC_ACQUIRE)) fiber_sleep_us(50);
    while (load(&b->rounds)) {
        while (load(&b->turn) != me && load(&b->rounds)) waiter_park(waiter_self(), 0);
        if (!load(&b->rounds)) break;
        __atomic_fetch_sub(&b->rounds, 1, __ATOMIC_ACQ_REL);
        __atomic_store_n(&b->turn, 1 - me, __ATOMIC_RELEASE);
        waiter_wake(b->players[1 - me]);
    }
    waiter_wake(b->players[1 - me]);
    add(&finished);
}

static void player_0(void *arg)
{
    play(arg, 0);
}

static void player_1(void *arg)
{
    play(arg, 1);
}

static void ping_pong(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct sched *s = start(2);
        struct ball b = {.rounds = 20000};
        finished = 0;
        assert_int_equal(fiber_spawn(s, 0, player_0, &b), OK);
        if (kind == 2) play(&b, 1);
        else assert_int_equal(fiber_spawn(s, kind, player_1, &b), OK);
        sched_stop(s);
        assert_int_equal(finished, 2);
        assert_int_equal(b.rounds, 0);
    }
}

/* --- timers ------------------------------------------------------------------------------------ */

static uint32_t early;

static void sleeper(void *arg)
{
    struct rng rng;
    rng_seed(&rng, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < 5; i++) {
        int64_t us = (int64_t)rng_below(&rng, 3000), before = monotonic_us();
        if (fiber_sleep_us(us) != PARK_TIMEOUT) abort();
        if (monotonic_us() < before + us) add(&early);
    }
    add(&finished);
}

static void timers(void **state)
{
    (void)state;
    struct sched *s = start(2);
    finished = early = 0;
    for (uintptr_t i = 1; i <= 300; i++)
        assert_int_equal(fiber_spawn(s, (int)(i % 2), sleeper, (void *)i), OK);
    sleeper((void *)7777);
    sched_stop(s);
    assert_int_equal(finished, 301);
    assert_int_equal(early, 0);
}

/* --- cancel ------------------------------------------------------------------------------------ */

struct victim {
    struct waiter *waiter; /* atomic */
    uint32_t passed;       /* atomic */
    struct fmutex mutex;
    struct fcond cond;
};

static void be_canceled(void *arg)
{
    struct victim *v = arg;
    struct waiter *w = waiter_self();
    __atomic_store_n(&v->waiter, w, __ATOMIC_RELEASE);
    if (waiter_park(w, 0) != PARK_CANCELED) abort();
    add(&v->passed);
    if (fiber_sleep_us(60000000) != PARK_CANCELED) abort();
    add(&v->passed);
    fmutex_lock(&v->mutex);
    while (fcond_wait(&v->cond, &v->mutex, 0) != PARK_CANCELED) {
    }
    fmutex_unlock(&v->mutex);
    add(&v->passed);
    /* Deaf: the cancel stays for later. */
    int64_t until = monotonic_us() + 200000;
    if (waiter_park_uncancelable(w, until) != PARK_TIMEOUT || monotonic_us() < until) abort();
    if (!waiter_canceled(w) || waiter_park(w, 0) != PARK_CANCELED) abort();
    if (waiter_canceled(w)) abort();
    waiter_wake(w);
    if (waiter_park(w, 0) != PARK_WOKEN) abort();
    if (waiter_park(w, monotonic_us() + 100) != PARK_TIMEOUT) abort();
    /* At a time: the earlier one of it and the deadline counts, and once only. */
    waiter_cancel_at(w, monotonic_us() + 300000);
    if (waiter_canceled(w) || waiter_park(w, monotonic_us() + 100) != PARK_TIMEOUT) abort();
    if (waiter_park(w, 0) != PARK_CANCELED || waiter_canceled(w)) abort();
    waiter_cancel_at(w, 1);
    if (waiter_park_uncancelable(w, monotonic_us() + 100) != PARK_TIMEOUT) abort();
    if (!waiter_canceled(w)) abort();
    waiter_clear_cancel(w);
    if (waiter_canceled(w)) abort();
    add(&v->passed);
}

static void *victim_thread(void *arg)
{
    be_canceled(arg);
    return NULL;
}

static void cancel_all(struct victim *v)
{
    struct waiter *w;
    while (!(w = __atomic_load_n(&v->waiter, __ATOMIC_ACQUIRE))) usleep(100);
    for (uint32_t i = 0; i < 3; i++) {
        waiter_cancel(w);
        while (load(&v->passed) == i) usleep(100);
    }
    waiter_cancel(w);
    while (load(&v->passed) == 3) usleep(100);
}

static void cancel(void **state)
{
    (void)state;
    struct sched *s = start(2);
    struct victim on_fiber = {0}, on_thread = {0};
    pthread_t t;
    assert_int_equal(fiber_spawn(s, 1, be_canceled, &on_fiber), OK);
    cancel_all(&on_fiber);
    pthread_create(&t, NULL, victim_thread, &on_thread);
    cancel_all(&on_thread);
    pthread_join(t, NULL);
    sched_stop(s);
}

/* --- mutex and condition ----------------------------------------------------------------------- */

struct queue {
    struct fmutex mutex;
    struct fcond filled, drained;
    int items[8];
    unsigned count;
    int64_t sum;
    uint32_t producers;
};

enum { PER_PRODUCER = 2000, PRODUCERS = 6 };

static void produce(void *arg)
{
    struct queue *q = arg;
    for (int i = 1; i <= PER_PRODUCER; i++) {
        fmutex_lock(&q->mutex);
        while (q->count == 8) fcond_wait(&q->drained, &q->mutex, 0);
        q->items[q->count++] = i;
        fcond_signal(&q->filled);
        fmutex_unlock(&q->mutex);
    }
    fmutex_lock(&q->mutex);
    q->producers--;
    fcond_broadcast(&q->filled);
    fmutex_unlock(&q->mutex);
}

static void consume(void *arg)
{
    struct queue *q = arg;
    fmutex_lock(&q->mutex);
    for (;;) {
        while (!q->count && q->producers)
            fcond_wait(&q->filled, &q->mutex, monotonic_us() + 500); /* time-outs race the signals */
        if (!q->count) break;
        q->sum += q->items[--q->count];
        fcond_signal(&q->drained);
    }
    fmutex_unlock(&q->mutex);
}

static void *consume_thread(void *arg)
{
    consume(arg);
    return NULL;
}

static void mutex_and_condition(void **state)
{
    (void)state;
    struct sched *s = start(2);
    struct queue q = {.producers = PRODUCERS};
    pthread_t t;
    for (int i = 0; i < PRODUCERS; i++) assert_int_equal(fiber_spawn(s, i % 2, produce, &q), OK);
    for (int i = 0; i < 3; i++) assert_int_equal(fiber_spawn(s, i % 2, consume, &q), OK);
    pthread_create(&t, NULL, consume_thread, &q);
    consume(&q);
    pthread_join(t, NULL);
    sched_stop(s);
    assert_int_equal(q.sum, (int64_t)PRODUCERS * PER_PRODUCER * (PER_PRODUCER + 1) / 2);
    assert_true(fmutex_trylock(&q.mutex));
    assert_false(fmutex_trylock(&q.mutex));
    fmutex_unlock(&q.mutex);
}

/* --- spin lock --------------------------------------------------------------------------------- */

static struct spinlock spin;
static uint64_t spun;

static void *spinning(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        spin_lock(&spin);
        spun++;
        spin_unlock(&spin);
    }
    return NULL;
}

static void spin_locks(void **state)
{
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, spinning, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    assert_int_equal(spun, 80000);
    assert_true(spin_trylock(&spin));
    assert_false(spin_trylock(&spin));
    spin_unlock(&spin);
}

/* --- posts and pools --------------------------------------------------------------------------- */

static uint32_t posted;

static void on_post(void *arg)
{
    if (fiber_worker() != (int)(intptr_t)arg || fiber_self()) abort();
    add(&posted);
}

static void posts(void **state)
{
    (void)state;
    struct sched *s = start(2);
    posted = 0;
    for (int i = 0; i < 1000; i++) sched_post(s, i % 2, on_post, (void *)(intptr_t)(i % 2));
    while (load(&posted) < 1000) usleep(100);
    sched_stop(s);
}

static enum status pool_task(void *arg)
{
    int n = (int)(intptr_t)arg;
    if (n % 2) return FAIL(DIVISION_BY_ZERO, "task %d", n);
    return OK;
}

struct caller {
    struct pool *pool;
    int n;
};

static void call_pool(void *arg)
{
    struct caller *c = arg;
    char want[32];
    snprintf(want, sizeof want, "task %d", c->n);
    enum status st = pool_run(c->pool, pool_task, (void *)(intptr_t)c->n);
    if (st != (c->n % 2 ? DIVISION_BY_ZERO : OK)) abort();
    if (st && strcmp(error_current()->message, want) != 0) abort();
    add(&finished);
}

static void count_run(void *arg)
{
    add(arg);
}

static void pools(void **state)
{
    (void)state;
    enum { CALLS = 500 };
    static struct caller callers[CALLS];
    struct sched *s = start(2);
    struct pool *p;
    struct pool_options opts = {.name = "test", .threads = 2, .nice = 5, .queue_max = 4};
    uint32_t ran = 0, queued = 0;
    assert_int_equal(pool_start(&opts, &p), OK);
    assert_int_equal(pool_threads(p), 2);
    finished = 0;
    for (int i = 0; i < CALLS; i++) {
        callers[i] = (struct caller){p, i};
        assert_int_equal(fiber_spawn(s, i % 2, call_pool, &callers[i]), OK);
    }
    struct caller here = {p, 1001};
    call_pool(&here);
    sched_stop(s);
    assert_int_equal(finished, CALLS + 1);
    for (int i = 0; i < 100; i++) queued += pool_submit(p, count_run, &ran);
    pool_stop(p);
    assert_int_equal(ran, queued);
    assert_true(queued >= 4);
}

/* Fibers spawned by fibers, on other workers, ending in any order. */
static void tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    add(&finished);
    if (!depth) return;
    for (int i = 0; i < 2; i++)
        if (fiber_spawn(sched_self(), i, tree, (void *)(depth - 1)) != OK) abort();
    fiber_yield();
}

static void spawn_tree(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct sched *s = start(2);
        finished = 0;
        assert_int_equal(fiber_spawn(s, -1, tree, (void *)6), OK);
        sched_stop(s);
        assert_int_equal(finished, 127);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_fibers), cmocka_unit_test(ping_pong),
        cmocka_unit_test(timers),      cmocka_unit_test(cancel),
        cmocka_unit_test(mutex_and_condition), cmocka_unit_test(spin_locks),
        cmocka_unit_test(posts),       cmocka_unit_test(pools),
        cmocka_unit_test(spawn_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
