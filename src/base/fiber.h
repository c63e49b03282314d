/* Fibers and the scheduler. A front worker is a thread with an event loop and many fibers; a fiber
 * is a stack (guard page below) that parks where a thread would block, and never leaves its worker.
 *
 * Everything that waits does so through a `waiter`: the running fiber's, or on a plain thread the
 * thread's own, so code below the gateway need not know which it runs on. */
#ifndef HELIOS_BASE_FIBER_H
#define HELIOS_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct fiber;
struct sched;
struct waiter;

/* --- waiting ------------------------------------------------------------------------------- */

enum park_result { PARK_WOKEN, PARK_TIMEOUT, PARK_CANCELED };

/* The waiter of the running fiber or thread; valid while it lives. */
struct waiter *waiter_self(void);
/* What its parks are for, to those who look: "Lock:transactionid", a string that stays; NULL: not told.
 * Set by the owner, read from any thread that knows the waiter to live. */
void waiter_set_reason(struct waiter *w, const char *reason);
const char *waiter_reason(const struct waiter *w);
/* Sleeps until waiter_wake, the deadline (monotonic µs, 0: none) or waiter_cancel. A wake that came
 * first is remembered, so park returns at once: callers re-check their condition in a loop. */
enum park_result waiter_park(struct waiter *w, int64_t deadline_us);
/* As park, but deaf to waiter_cancel: for waits that must be seen through, such as a commit. */
enum park_result waiter_park_uncancelable(struct waiter *w, int64_t deadline_us);
/* From any thread, inside epoch sections and `done` callbacks too. */
void waiter_wake(struct waiter *w);
/* Makes the current or next cancelable park return PARK_CANCELED, once; also readable by
 * waiter_canceled, which long computations ask at batch boundaries. From any thread. */
void waiter_cancel(struct waiter *w);
bool waiter_canceled(const struct waiter *w);
/* As if waiter_cancel came at that time (monotonic µs, 0: never). Only by the owner. */
void waiter_cancel_at(struct waiter *w, int64_t time_us);
/* Forgets the time, too. */
void waiter_clear_cancel(struct waiter *w);

/* FIFO mutex and condition for fibers and threads. Short critical sections that may wait. Zeroed is
 * initialised. */
struct fmutex {
    uint32_t lock;          /* guards the rest: spin */
    bool held;
    struct fwait *head, *tail;
};
struct fcond {
    uint32_t lock;
    struct fwait *head, *tail;
};
void fmutex_lock(struct fmutex *m);
bool fmutex_trylock(struct fmutex *m);
void fmutex_unlock(struct fmutex *m);
/* Spurious wake-ups happen. PARK_CANCELED only for fcond_wait. */
enum park_result fcond_wait(struct fcond *c, struct fmutex *m, int64_t deadline_us);
void fcond_signal(struct fcond *c);
void fcond_broadcast(struct fcond *c);

/* For sections of a few instructions that never wait. Zeroed is unlocked. */
struct spinlock {
    uint32_t held;
};
void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

/* What the running fiber, coroutine or thread has done since it began; they only grow. Who wants to
 * know what a piece of work did takes a difference. */
struct work_counts {
    uint64_t blocks_hit, blocks_read; /* of the block cache */
};
struct work_counts *work_counts(void);

int64_t monotonic_us(void); /* of the real clock */
/* Sleeps the fiber or thread. */
enum park_result fiber_sleep_us(int64_t us);

/* --- scheduling ---------------------------------------------------------------------------- */

/* What a session's stack has: as much as deep statements need. Only touched pages are resident. */
enum { FIBER_STACK_BYTES = 4 << 20 };

struct sched_options {
    unsigned workers;     /* 0: one per core */
    size_t stack_bytes;   /* 0: FIBER_STACK_BYTES */
    int64_t spin_us_max;  /* how long an idle worker polls before it sleeps; self-tuned below it */
};

/* Starts the worker threads. */
enum status sched_start(const struct sched_options *opts, struct sched **ret);
/* Waits until every fiber has ended, then joins the workers and frees. */
void sched_stop(struct sched *s);
unsigned cpu_count(void); /* that are online */
unsigned sched_worker_count(const struct sched *s);
/* Runs fn(arg) on a new fiber of that worker; `worker` -1: the caller's own, or the next in turn.
 * From any thread. */
enum status fiber_spawn(struct sched *s, int worker, void (*fn)(void *arg), void *arg);
struct fiber *fiber_self(void);  /* NULL on a plain thread */
int fiber_worker(void);          /* index of the running worker, -1 on a plain thread */
struct sched *sched_self(void);  /* NULL on a plain thread */
void fiber_yield(void);          /* lets others run; no-op on a plain thread */
size_t fiber_stack_left(void);   /* bytes; recursion checks ask it; also right on a plain thread */
/* Runs fn(arg) on `worker`'s loop soon, not on a fiber; must not park. From any thread. */
void sched_post(struct sched *s, int worker, void (*fn)(void *arg), void *arg);

/* --- worker pools: analytic and background ------------------------------------------------- */

struct pool;
struct pool_options {
    const char *name;
    unsigned threads;
    int nice;          /* added to the process's */
    unsigned queue_max;
};
enum status pool_start(const struct pool_options *opts, struct pool **ret);
void pool_stop(struct pool *p); /* runs what is queued, then joins */
/* FIFO. False when the queue is full: the caller runs it itself or waits. */
bool pool_submit(struct pool *p, void (*fn)(void *arg), void *arg);
/* Submits (waiting for room) and parks until fn has run; its status and error text come back. */
enum status pool_run(struct pool *p, enum status (*fn)(void *arg), void *arg);
unsigned pool_threads(const struct pool *p);
unsigned pool_queued(const struct pool *p);

#endif
