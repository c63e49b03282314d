#include "base/fiber_priv.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Waiters, locks and conditions for fibers and plain threads.
 *
 * Parking: the owner moves its word from "running" to "parked" by compare-and-swap, then sleeps.
 * Whoever brings a wake, a cancel or a timeout sets the bit and, if it finds the owner parked for
 * that, clears the parked bits in the same swap: exactly one party does so, and it alone makes the
 * owner runnable. The owner then looks at the word again. So a wake is never lost, whichever side
 * of the park it falls on.
 *
 * Mutex and condition: a queue of waiters on their owners' stacks under a spin lock. The releaser
 * takes the first off and hands over; ownership passes in order, without a race for the lock. */

static int futex(uint32_t *word, int op, uint32_t value, const struct timespec *until)
{
    return (int)syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, until, NULL,
                        FUTEX_BITSET_MATCH_ANY);
}

int64_t monotonic_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- the waiters of plain threads -------------------------------------------------------------- */

static struct spinlock free_lock;
static struct waiter *free_waiters; /* guarded by free_lock */
static pthread_key_t thread_key;    /* immutable after thread_key_once */
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static __thread struct waiter *thread_waiter;

void waiter__give(struct waiter *w)
{
    spin_lock(&free_lock);
    w->next_free = free_waiters;
    free_waiters = w;
    spin_unlock(&free_lock);
}

struct waiter *waiter__take(void)
{
    spin_lock(&free_lock);
    struct waiter *w = free_waiters;
    if (w) free_waiters = w->next_free;
    spin_unlock(&free_lock);
    if (!w) w = mem_alloc(MEM_FIBER, sizeof *w);
    __atomic_store_n(&w->state, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&w->cancel_at_us, 0, __ATOMIC_RELAXED);
    w->next_free = NULL;
    return w;
}

static void give_back(void *p)
{
    thread_waiter = NULL;
    waiter__give(p);
}

static void make_key(void)
{
    int failed = pthread_key_create(&thread_key, give_back);
    ASSERT(!failed);
}

static struct waiter *new_thread_waiter(void)
{
    pthread_once(&thread_key_once, make_key);
    struct waiter *w = waiter__take();
    pthread_setspecific(thread_key, w);
    return thread_waiter = w;
}

struct waiter *waiter_self(void)
{
    struct fiber *f = fiber_self();
    if (f) return &f->waiter;
    struct waiter *w = coro__waiter_self();
    if (w) return w;
    return thread_waiter ? thread_waiter : new_thread_waiter();
}

/* --- park and wake ----------------------------------------------------------------------------- */

/* Sleeps on the word until somebody has cleared the parked bits, or the deadline. */
static void thread_sleep(struct waiter *w, int64_t deadline_us)
{
    struct timespec until = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
    pool__rests(true);
    for (;;) {
        uint32_t s = __atomic_load_n(&w->state, __ATOMIC_ACQUIRE);
        if (!(s & WAIT_PARKED_ANY)) break;
        int r = futex(&w->state, FUTEX_WAIT_BITSET, s, deadline_us ? &until : NULL);
        if (r < 0 && errno == ETIMEDOUT) {
            __atomic_fetch_and(&w->state, ~(uint32_t)WAIT_PARKED_ANY, __ATOMIC_ACQ_REL);
            break;
        }
    }
    pool__rests(false);
}

static void fiber_sleep(struct fiber *f, int64_t deadline_us)
{
    if (deadline_us) worker__timer_add(f->worker, f, deadline_us);
    fiber__suspend(f);
    if (f->timer_at) worker__timer_remove(f->worker, f);
}

static bool is_past(int64_t time_us)
{
    return time_us && monotonic_us() >= time_us;
}

static enum park_result park(struct waiter *w, int64_t deadline_us, uint32_t wake_bit,
                             uint32_t parked)
{
    DEBUG_ASSERT(w == waiter_self());
    int64_t cancel_at = parked & WAIT_CANCELABLE ? w->cancel_at_us : 0;
    int64_t until = cancel_at && (!deadline_us || cancel_at < deadline_us) ? cancel_at : deadline_us;
    uint32_t s = __atomic_load_n(&w->state, __ATOMIC_ACQUIRE);
    for (;;) {
        if (s & wake_bit) {
            __atomic_fetch_and(&w->state, ~wake_bit, __ATOMIC_ACQ_REL);
            return PARK_WOKEN;
        }
        if ((parked & WAIT_CANCELABLE) && (s & WAIT_CANCELED)) {
            __atomic_fetch_and(&w->state, ~(uint32_t)WAIT_CANCELED, __ATOMIC_ACQ_REL);
            return PARK_CANCELED;
        }
        if (is_past(until)) {
            if (until != cancel_at) return PARK_TIMEOUT;
            waiter_cancel_at(w, 0);
            return PARK_CANCELED;
        }
        if (!__atomic_compare_exchange_n(&w->state, &s, s | parked, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            continue;
        if (w->fiber) fiber_sleep(w->fiber, until);
        else thread_sleep(w, until);
        s = __atomic_load_n(&w->state, __ATOMIC_ACQUIRE);
    }
}

enum park_result waiter_park(struct waiter *w, int64_t deadline_us)
{
    return park(w, deadline_us, WAIT_OUTER, WAIT_PARKED_OUTER | WAIT_CANCELABLE);
}

enum park_result waiter_park_uncancelable(struct waiter *w, int64_t deadline_us)
{
    return park(w, deadline_us, WAIT_OUTER, WAIT_PARKED_OUTER);
}

enum park_result waiter__park_inner(struct waiter *w, int64_t deadline_us, bool cancelable)
{
    return park(w, deadline_us, WAIT_INNER,
                WAIT_PARKED_INNER | (cancelable ? WAIT_CANCELABLE : 0));
}

/* Sets `bit`; an owner parked with `parked` becomes runnable. */
static void deliver(struct waiter *w, uint32_t bit, uint32_t parked)
{
    uint32_t s = __atomic_load_n(&w->state, __ATOMIC_RELAXED);
    uint32_t next;
    do {
        next = s | bit;
        if (s & parked) next &= ~(uint32_t)WAIT_PARKED_ANY;
    } while (!__atomic_compare_exchange_n(&w->state, &s, next, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    if (!(s & parked)) return;
    if (w->fiber) fiber__ready(w->fiber);
    else futex(&w->state, FUTEX_WAKE_BITSET, 1, NULL);
}

void waiter_set_reason(struct waiter *w, const char *reason)
{
    __atomic_store_n(&w->reason, reason, __ATOMIC_RELAXED);
}

const char *waiter_reason(const struct waiter *w)
{
    return __atomic_load_n(&w->reason, __ATOMIC_RELAXED);
}

void waiter_wake(struct waiter *w)
{
    deliver(w, WAIT_OUTER, WAIT_PARKED_OUTER);
}

void waiter__wake_inner(struct waiter *w)
{
    deliver(w, WAIT_INNER, WAIT_PARKED_INNER);
}

void waiter_cancel(struct waiter *w)
{
    deliver(w, WAIT_CANCELED, WAIT_CANCELABLE);
}

bool waiter_canceled(const struct waiter *w)
{
    return (__atomic_load_n(&w->state, __ATOMIC_RELAXED) & WAIT_CANCELED) ||
           is_past(__atomic_load_n(&w->cancel_at_us, __ATOMIC_RELAXED));
}

void waiter_cancel_at(struct waiter *w, int64_t time_us)
{
    __atomic_store_n(&w->cancel_at_us, time_us, __ATOMIC_RELAXED);
}

void waiter_clear_cancel(struct waiter *w)
{
    __atomic_fetch_and(&w->state, ~(uint32_t)WAIT_CANCELED, __ATOMIC_ACQ_REL);
    waiter_cancel_at(w, 0);
}

enum park_result fiber_sleep_us(int64_t us)
{
    struct waiter *w = waiter_self();
    int64_t until = monotonic_us() + (us > 0 ? us : 1);
    enum park_result r;
    do {
        r = waiter__park_inner(w, until, true);
    } while (r == PARK_WOKEN);
    return r;
}

/* --- spin lock: 0 free, 1 held, 2 held and somebody sleeps on it ------------------------------- */

enum { SPIN_ROUNDS = 200 };

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

bool spin_trylock(struct spinlock *l)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&l->held, &free, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* The holder may be a low-priority thread that was just preempted: after a while, sleep, so that it
 * gets the CPU. */
static void spin_lock_slow(struct spinlock *l)
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        if (__atomic_load_n(&l->held, __ATOMIC_RELAXED) == 0 && spin_trylock(l)) return;
        cpu_relax();
    }
    while (__atomic_exchange_n(&l->held, 2, __ATOMIC_ACQUIRE) != 0)
        futex(&l->held, FUTEX_WAIT_BITSET, 2, NULL);
}

void spin_lock(struct spinlock *l)
{
    if (!spin_trylock(l)) spin_lock_slow(l);
}

void spin_unlock(struct spinlock *l)
{
    if (__atomic_exchange_n(&l->held, 0, __ATOMIC_RELEASE) == 2)
        futex(&l->held, FUTEX_WAKE_BITSET, 1, NULL);
}

/* --- mutex and condition ----------------------------------------------------------------------- */

/* Lies on the stack of who waits, linked while it waits. */
struct fwait {
    struct fwait *next;
    struct waiter *waiter;
    uint32_t granted; /* atomic: its turn has come; `this` may be gone at once after */
};

static void append(struct fwait **head, struct fwait **tail, struct fwait *f)
{
    f->next = NULL;
    if (*head) (*tail)->next = f;
    else *head = f;
    *tail = f;
}

static struct fwait *take_first(struct fwait **head, struct fwait **tail)
{
    struct fwait *f = *head;
    if (!f) return NULL;
    *head = f->next;
    if (!*head) *tail = NULL;
    return f;
}

static void grant(struct fwait *f)
{
    struct waiter *w = f->waiter;
    __atomic_store_n(&f->granted, 1, __ATOMIC_RELEASE);
    waiter__wake_inner(w);
}

static bool granted(const struct fwait *f)
{
    return __atomic_load_n(&f->granted, __ATOMIC_ACQUIRE);
}

#define AS_SPINLOCK(word) ((struct spinlock *)(word))
_Static_assert(sizeof(struct spinlock) == sizeof(uint32_t), "a spin lock is one word");

bool fmutex_trylock(struct fmutex *m)
{
    spin_lock(AS_SPINLOCK(&m->lock));
    bool got = !m->held;
    m->held = true;
    spin_unlock(AS_SPINLOCK(&m->lock));
    return got;
}

void fmutex_lock(struct fmutex *m)
{
    spin_lock(AS_SPINLOCK(&m->lock));
    if (!m->held) {
        m->held = true;
        spin_unlock(AS_SPINLOCK(&m->lock));
        return;
    }
    struct fwait me = {.waiter = waiter_self()};
    append(&m->head, &m->tail, &me);
    spin_unlock(AS_SPINLOCK(&m->lock));
    while (!granted(&me)) waiter__park_inner(me.waiter, 0, false);
}

void fmutex_unlock(struct fmutex *m)
{
    spin_lock(AS_SPINLOCK(&m->lock));
    ASSERT(m->held);
    struct fwait *next = take_first(&m->head, &m->tail);
    if (!next) m->held = false;
    spin_unlock(AS_SPINLOCK(&m->lock));
    if (next) grant(next);
}

/* Takes `me` out of the queue; false when a signal has taken it already. */
static bool leave(struct fcond *c, struct fwait *me)
{
    struct fwait *prev = NULL;
    for (struct fwait *f = c->head; f; prev = f, f = f->next) {
        if (f != me) continue;
        if (prev) prev->next = f->next;
        else c->head = f->next;
        if (c->tail == f) c->tail = prev;
        return true;
    }
    return false;
}

static enum park_result cond_wait(struct fcond *c, struct fmutex *m, int64_t deadline_us,
                                  bool cancelable)
{
    struct fwait me = {.waiter = waiter_self()};
    enum park_result result = PARK_WOKEN;
    spin_lock(AS_SPINLOCK(&c->lock));
    append(&c->head, &c->tail, &me);
    spin_unlock(AS_SPINLOCK(&c->lock));
    fmutex_unlock(m);
    while (!granted(&me) && result == PARK_WOKEN)
        result = waiter__park_inner(me.waiter, deadline_us, cancelable);
    if (!granted(&me)) {
        spin_lock(AS_SPINLOCK(&c->lock));
        bool left = leave(c, &me);
        spin_unlock(AS_SPINLOCK(&c->lock));
        /* A signal is on its way to us; it must not touch our stack after we have gone. */
        while (!left && !granted(&me)) waiter__park_inner(me.waiter, 0, false);
        if (!left) {
            /* The signal counts; a cancel that came too stays for the next park. */
            if (result == PARK_CANCELED)
                __atomic_fetch_or(&me.waiter->state, WAIT_CANCELED, __ATOMIC_ACQ_REL);
            result = PARK_WOKEN;
        }
    }
    fmutex_lock(m);
    return result;
}

enum park_result fcond_wait(struct fcond *c, struct fmutex *m, int64_t deadline_us)
{
    return cond_wait(c, m, deadline_us, true);
}

void fcond__wait_uncancelable(struct fcond *c, struct fmutex *m)
{
    cond_wait(c, m, 0, false);
}

void fcond_signal(struct fcond *c)
{
    spin_lock(AS_SPINLOCK(&c->lock));
    struct fwait *f = take_first(&c->head, &c->tail);
    spin_unlock(AS_SPINLOCK(&c->lock));
    if (f) grant(f);
}

void fcond_broadcast(struct fcond *c)
{
    spin_lock(AS_SPINLOCK(&c->lock));
    struct fwait *f = c->head;
    c->head = c->tail = NULL;
    spin_unlock(AS_SPINLOCK(&c->lock));
    while (f) {
        struct fwait *next = f->next;
        grant(f);
        f = next;
    }
}
