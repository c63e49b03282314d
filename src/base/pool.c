#include "base/fiber_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/thread.h"

/* Worker pools: threads that take tasks from one bounded queue, in order. */

enum { LOW_TURN_US = 100000 }; /* of those behind others: seldom, but then for long */

struct job {
    void (*fn)(void *arg);
    void *arg;
};

struct pool {
    char name[16];
    int nice;
    unsigned thread_count;
    pthread_t *threads;
    struct fmutex lock;
    struct fcond work, room;
    struct job *jobs;            /* guarded by lock: a ring of queue_max */
    unsigned first, queued, queue_max; /* guarded by lock */
    bool stopping;               /* guarded by lock */
};

static __thread bool in_job;

void pool__rests(bool rests)
{
    if (in_job) __atomic_fetch_add(&pool__active, rests ? -1u : 1u, __ATOMIC_RELAXED);
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    pthread_setname_np(pthread_self(), p->name);
    if (p->nice) thread_set_turn(p->nice, LOW_TURN_US);
    fmutex_lock(&p->lock);
    for (;;) {
        while (!p->queued && !p->stopping) fcond_wait(&p->work, &p->lock, 0);
        if (!p->queued) break;
        struct job job = p->jobs[p->first];
        p->first = (p->first + 1) % p->queue_max;
        __atomic_store_n(&p->queued, p->queued - 1, __ATOMIC_RELAXED);
        fcond_signal(&p->room);
        fmutex_unlock(&p->lock);
        in_job = true;
        job.fn(job.arg);
        in_job = false;
        __atomic_fetch_sub(&pool__active, 1, __ATOMIC_RELAXED);
        fmutex_lock(&p->lock);
    }
    fmutex_unlock(&p->lock);
    return NULL;
}

static void join_and_free(struct pool *p)
{
    fmutex_lock(&p->lock);
    p->stopping = true;
    fcond_broadcast(&p->work);
    fmutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++) pthread_join(p->threads[i], NULL);
    mem_free(MEM_BASE, p->threads);
    mem_free(MEM_BASE, p->jobs);
    mem_free(MEM_BASE, p);
}

enum status pool_start(const struct pool_options *opts, struct pool **ret)
{
    struct pool *p = mem_alloc(MEM_BASE, sizeof *p);
    unsigned threads = opts->threads ? opts->threads : 1;
    snprintf(p->name, sizeof p->name, "%s", opts->name);
    p->nice = opts->nice;
    p->queue_max = opts->queue_max ? opts->queue_max : 1024;
    p->jobs = mem_alloc(MEM_BASE, p->queue_max * sizeof *p->jobs);
    p->threads = mem_alloc(MEM_BASE, threads * sizeof *p->threads);
    while (p->thread_count < threads) {
        int failed = pthread_create(&p->threads[p->thread_count], NULL, pool_main, p);
        if (failed) {
            join_and_free(p);
            return FAIL(INSUFFICIENT_RESOURCES, "could not start a thread: %s", strerror(failed));
        }
        p->thread_count++;
    }
    *ret = p;
    return OK;
}

void pool_stop(struct pool *p)
{
    join_and_free(p);
}

/* Under the lock, with room. */
static void enqueue(struct pool *p, void (*fn)(void *arg), void *arg)
{
    ASSERT(!p->stopping);
    p->jobs[(p->first + p->queued) % p->queue_max] = (struct job){fn, arg};
    __atomic_store_n(&p->queued, p->queued + 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&pool__active, 1, __ATOMIC_RELAXED);
    fcond_signal(&p->work);
}

bool pool_submit(struct pool *p, void (*fn)(void *arg), void *arg)
{
    fmutex_lock(&p->lock);
    bool room = p->queued < p->queue_max;
    if (room) enqueue(p, fn, arg);
    fmutex_unlock(&p->lock);
    return room;
}

/* Lies on the caller's stack until `done`. */
struct run {
    enum status (*fn)(void *arg);
    void *arg;
    struct error *error; /* the caller's slot, which stands still while it is parked */
    struct waiter *waiter;
    enum status result;
    uint32_t done; /* atomic */
};

static void run_job(void *arg)
{
    struct run *r = arg;
    struct waiter *w = r->waiter;
    r->result = r->fn(r->arg);
    if (r->result != OK) *r->error = *error_current();
    __atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
    waiter__wake_inner(w);
}

enum status pool_run(struct pool *p, enum status (*fn)(void *arg), void *arg)
{
    struct run r = {.fn = fn, .arg = arg, .error = error_current(), .waiter = waiter_self()};
    fmutex_lock(&p->lock);
    while (p->queued == p->queue_max) {
        /* A cancel is for fn to see, which the caller counts on being run. */
        fcond__wait_uncancelable(&p->room, &p->lock);
    }
    enqueue(p, run_job, &r);
    fmutex_unlock(&p->lock);
    while (!__atomic_load_n(&r.done, __ATOMIC_ACQUIRE)) waiter__park_inner(r.waiter, 0, false);
    return r.result;
}

unsigned pool_threads(const struct pool *p)
{
    return p->thread_count;
}

unsigned pool_queued(const struct pool *p)
{
    return __atomic_load_n(&p->queued, __ATOMIC_RELAXED);
}
