/* What the files of the scheduler share: waiters, fibers, workers. */
#ifndef HELIOS_BASE_FIBER_PRIV_H
#define HELIOS_BASE_FIBER_PRIV_H

#include "base/fiber.h"
#include "base/mem.h"
#include "base/os.h"

#if defined(__SANITIZE_ADDRESS__)
#define HELIOS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HELIOS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HELIOS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HELIOS_TSAN 1
#endif
#endif

/* --- waiters (wait.c) ---------------------------------------------------------------------------
 * One word holds all: what arrived, and how the owner sleeps. There are two kinds of wake: the
 * outer of waiter_wake, for code above, and the inner of our own primitives (mutex, condition, I/O,
 * sockets), so that a mutex on the way never eats a wake that was meant for the caller's loop.
 *
 * Waiters are never freed, only used again: a late wake of one that has gone on is spurious to the
 * next owner and harmless. */
enum wait_bits {
    WAIT_OUTER = 1,
    WAIT_INNER = 2,
    WAIT_CANCELED = 4,
    WAIT_PARKED_OUTER = 8,
    WAIT_PARKED_INNER = 16,
    WAIT_CANCELABLE = 32,
    WAIT_PARKED_ANY = WAIT_PARKED_OUTER | WAIT_PARKED_INNER | WAIT_CANCELABLE,
};

struct waiter {
    uint32_t state;          /* atomic: wait_bits */
    struct fiber *fiber;     /* NULL: a thread, which sleeps on `state` as a futex */
    int64_t cancel_at_us;    /* atomic; set by the owner. 0: never */
    const char *reason;      /* atomic; set by the owner */
    struct waiter *next_free;
};

enum park_result waiter__park_inner(struct waiter *w, int64_t deadline_us, bool cancelable);
void waiter__wake_inner(struct waiter *w);
void fcond__wait_uncancelable(struct fcond *c, struct fmutex *m);
/* A waiter that sleeps on its thread, for who is neither fiber nor thread; and back. */
struct waiter *waiter__take(void);
void waiter__give(struct waiter *w);

/* --- stacks (stack.c) -------------------------------------------------------------------------- */

enum { STACK_GUARD_BYTES = 4096 };

/* A stack that something runs on: its mapping, guard page included. */
struct stack_place {
    char *base;
    size_t bytes;
    void *tsan; /* what ThreadSanitizer calls it */
};
/* `bytes` for frames of an ordinary build; the guard page comes on top. */
enum status stack__map(size_t bytes, struct stack_place *ret) MUST;
void stack__unmap(struct stack_place *p);
void stack__wipe(const struct stack_place *p); /* nothing runs on it */
/* Makes it known to ThreadSanitizer for one life of what runs on it. */
void stack__name(struct stack_place *p);
void stack__forget(struct stack_place *p);
/* The running fiber's, coroutine's or thread's stack is *p from now on, and *p what it was. */
void stack__swap(struct stack_place *p);

/* --- second stacks (side_stack.c) ---------------------------------------------------------------- */

struct side_stack {
    struct stack_place place;
    void (*fn)(void *arg);
    void *arg;
    bool active; /* fn has begun and not returned */
    void *sp, *caller_sp;
    const void *caller_base; /* of the lending stack, for AddressSanitizer */
    size_t caller_bytes;
    void *fake_stack, *caller_fake_stack;
    void *caller_tsan;
};
/* INSUFFICIENT_RESOURCES. May be moved until it is first entered. */
enum status side_stack__open(size_t stack_bytes, struct side_stack *ret) MUST;
/* Nothing stands on it, here and where it is started. */
void side_stack__close(struct side_stack *s);
void side_stack__start(struct side_stack *s, void (*fn)(void *arg), void *arg);
/* Runs it until it leaves, or fn has returned and it is active no more. */
void side_stack__enter(struct side_stack *s);
void side_stack__leave(struct side_stack *s);

/* --- coroutines (coro.c): NULL where none runs --------------------------------------------------- */

struct waiter *coro__waiter_self(void);
struct stack_place *coro__stack(void);

/* --- tasks: what other threads hand to a worker ------------------------------------------------ */

/* Runs on the worker's loop; `fn` owns the task. */
struct task {
    struct task *next;
    void (*fn)(struct task *t);
};

/* --- fibers (fiber.c, context.c) --------------------------------------------------------------- */

struct stack {
    struct stack_place place;
    struct stack *next; /* lies at the top of its own stack */
};

struct fiber {
    struct waiter waiter;
    struct task task;     /* links it into a worker's queue */
    struct fiber *next;   /* run queue or free list */
    struct worker *worker;
    void *sp;             /* saved context while it does not run */
    struct stack_place stack;
    struct error *error;  /* at the top of the stack */
    struct work_counts work;
    void (*fn)(void *arg);
    void *arg;
    int64_t deadline_us;
    unsigned timer_at;    /* 1-based place in the worker's timer heap, 0: none */
    bool ended;
    void *fake_stack;     /* of AddressSanitizer */
};

enum status fiber__new(struct worker *w, void (*fn)(void *arg), void *arg, struct fiber **ret);
void fiber__free(struct fiber *f);
/* Runs `f` until it parks, yields or ends. On the worker's own stack. */
void fiber__resume(struct worker *w, struct fiber *f);
/* Back to the worker's loop; returns when resumed. On a fiber. */
void fiber__suspend(struct fiber *f);
/* A claimed fiber goes to the end of its worker's run queue. From any thread. */
void fiber__ready(struct fiber *f);
void fiber__free_stacks(struct worker *w);
/* The calling thread becomes the worker's. */
void fiber__attach_thread(struct worker *w);

/* Whose counts work_counts gives from now on this thread; NULL: the thread's. */
void work__set_slot(struct work_counts *slot);
void context__switch(void **save_sp, void *to_sp);
void *context__make(char *stack_top, void (*entry)(void));

/* --- workers (sched.c) ------------------------------------------------------------------------- */

/* Whoever watches a descriptor owns one of these; it stays until the descriptor is closed. */
struct poll_handler {
    void (*fn)(struct poll_handler *h, uint32_t events);
};

enum { SCHED_TURN_FIBERS = 64, SCHED_EVENTS = 128 };

struct spin_state {
    int64_t gap_ewma_ns;   /* of the times between running dry and the next event */
    int64_t checked_us;    /* when the run delay was last read */
    uint64_t run_delay_ns; /* as it was then */
    int64_t blocked_until_us; /* others want this CPU: do not spin before */
    int schedstat_fd;
};

/* Never freed, only used again, for the same reason as waiters. */
struct worker {
    struct sched *sched;
    unsigned index;
    /* Owner only. */
    struct fiber *current;
    struct fiber *run_head, *run_tail;
    unsigned run_count;
    struct fiber **timers; /* heap, 1-based */
    unsigned timer_count, timer_cap;
    void *sp;
    struct io_ring *ring;  /* NULL: the kernel refused it */
    unsigned io_threads;   /* requests that I/O threads have */
    int epoll_fd, event_fd;
    struct poll_handler event_handler;
    struct spin_state spin;
    char *stack_base;      /* of the thread, for AddressSanitizer */
    size_t stack_bytes;
    void *fake_stack;
    void *tsan;
    /* Shared. */
    struct task *remote __attribute__((aligned(64))); /* atomic: newest first */
    uint32_t sleeping;     /* atomic: 1 while it may be in epoll_wait */
    struct spinlock stack_lock;
    struct stack *stacks;  /* guarded by stack_lock: ready for use */
    unsigned stack_count;  /* guarded by stack_lock */
    unsigned long thread;  /* pthread_t */
    struct worker *next_free;
};

struct sched {
    struct worker **workers;
    unsigned worker_count;
    size_t stack_bytes;
    int64_t spin_us_max;
    uint32_t fibers;   /* atomic: alive */
    uint32_t next;     /* atomic: round robin */
    uint32_t stopping; /* atomic */
};

/* Makes every worker look up. From any thread. */
void sched__nudge(struct sched *s);
struct worker *worker__self(void); /* NULL on a plain thread */
/* From any thread. */
void worker__post(struct worker *w, struct task *t);
void worker__timer_add(struct worker *w, struct fiber *f, int64_t deadline_us);
void worker__timer_remove(struct worker *w, struct fiber *f);
/* Edge-triggered for reading and hang-up. On the worker. */
enum status worker__watch(struct worker *w, int fd, struct poll_handler *h);
/* For writing, too, or no more: a Unix socket has an edge whenever its peer reads. */
void worker__watch_writes(struct worker *w, int fd, struct poll_handler *h, bool on);

/* Tasks queued or running in any pool: idle workers do not spin while there are some. */
extern uint32_t pool__active; /* atomic: jobs that wait for a thread or use one */
void pool__rests(bool rests); /* the running job, if any, sleeps or goes on */

/* --- I/O of the workers (io.c) ----------------------------------------------------------------- */

/* NULL when the kernel refuses. */
struct io_ring *io__open(struct worker *w);
void io__close(struct io_ring *ring);
/* Hands what was queued in this turn to the kernel; false when it did not take all. */
bool io__flush(struct io_ring *ring);
/* Runs the callbacks of what has completed; the number of them. */
unsigned io__reap(struct io_ring *ring);
unsigned io__in_flight(const struct io_ring *ring);

#endif
