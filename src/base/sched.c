#include "base/fiber_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Front workers and their event loops. One turn of a loop:
 *
 *   1. take what other threads posted: fibers to make runnable, functions to run;
 *   2. run the fibers that were runnable when the turn began, at most SCHED_TURN_FIBERS, in order;
 *   3. hand the turn's I/O to the kernel, run the callbacks of completed I/O;
 *   4. fire due timers;
 *   5. take ready sockets: without waiting while there is something to run, else spin, then sleep.
 *
 * Going to sleep: set `sleeping`, look at the remote list once more, wait in epoll. Posting: push,
 * then clear `sleeping`; who clears it writes the eventfd. Both sides use one total order (seq_cst),
 * so either the worker sees the task or the poster sees the sleeper.
 *
 * Spinning: a halted virtual CPU takes 15-20 us to wake, so an idle worker polls for a while first:
 * twice the usual gap until the next event, if that is within the limit; never while pools have
 * work or the kernel kept this thread waiting for its CPU, as then the time belongs to others. */

enum {
    RUN_DELAY_CHECK_US = 2000,  /* between two looks at the thread's run delay */
    RUN_DELAY_SHARE = 20,       /* 1/20 of the time spent waiting for the CPU: give it away */
    SPIN_PAUSE_US = 20000,      /* and do not spin for so long */
    SLEEP_MS_MAX = 60000,
    STACK_BYTES_MIN = 32 << 10,
};

uint32_t pool__active;

static __thread struct worker *this_worker;
static struct spinlock free_lock;
static struct worker *free_workers; /* guarded by free_lock */

struct worker *worker__self(void)
{
    return this_worker;
}

/* --- run queue and remote list ----------------------------------------------------------------- */

static void run_push(struct worker *w, struct fiber *f)
{
    f->next = NULL;
    if (w->run_head) w->run_tail->next = f;
    else w->run_head = f;
    w->run_tail = f;
    w->run_count++;
}

static struct fiber *run_pop(struct worker *w)
{
    struct fiber *f = w->run_head;
    w->run_head = f->next;
    w->run_count--;
    return f;
}

static void ready_task(struct task *t)
{
    struct fiber *f = (struct fiber *)((char *)t - offsetof(struct fiber, task));
    run_push(f->worker, f);
}

void fiber__ready(struct fiber *f)
{
    if (f->worker == this_worker) {
        run_push(f->worker, f);
    } else {
        f->task.fn = ready_task;
        worker__post(f->worker, &f->task);
    }
}

void worker__post(struct worker *w, struct task *t)
{
    struct task *head = __atomic_load_n(&w->remote, __ATOMIC_RELAXED);
    do {
        t->next = head;
    } while (!__atomic_compare_exchange_n(&w->remote, &head, t, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    if (__atomic_load_n(&w->sleeping, __ATOMIC_SEQ_CST) &&
        __atomic_exchange_n(&w->sleeping, 0, __ATOMIC_SEQ_CST)) {
        uint64_t one = 1;
        ssize_t written = write(w->event_fd, &one, sizeof one);
        (void)written; /* a full counter has woken it already */
    }
}

static bool remote_waiting(const struct worker *w)
{
    return __atomic_load_n(&w->remote, __ATOMIC_SEQ_CST) != NULL;
}

static void drain_remote(struct worker *w)
{
    if (!__atomic_load_n(&w->remote, __ATOMIC_RELAXED)) return;
    struct task *newest = __atomic_exchange_n(&w->remote, NULL, __ATOMIC_SEQ_CST);
    struct task *first = NULL;
    while (newest) {
        struct task *older = newest->next;
        newest->next = first;
        first = newest;
        newest = older;
    }
    while (first) {
        struct task *next = first->next;
        first->fn(first);
        first = next;
    }
}

/* --- timers: a binary heap, earliest at 1 ------------------------------------------------------ */

static void timer_put(struct worker *w, unsigned at, struct fiber *f)
{
    w->timers[at] = f;
    f->timer_at = at;
}

static void timer_sift(struct worker *w, unsigned at, struct fiber *f)
{
    while (at > 1 && w->timers[at / 2]->deadline_us > f->deadline_us) {
        timer_put(w, at, w->timers[at / 2]);
        at /= 2;
    }
    for (unsigned child; (child = at * 2) <= w->timer_count; at = child) {
        if (child < w->timer_count &&
            w->timers[child + 1]->deadline_us < w->timers[child]->deadline_us)
            child++;
        if (w->timers[child]->deadline_us >= f->deadline_us) break;
        timer_put(w, at, w->timers[child]);
    }
    timer_put(w, at, f);
}

void worker__timer_add(struct worker *w, struct fiber *f, int64_t deadline_us)
{
    if (w->timer_count + 1 >= w->timer_cap) {
        w->timer_cap = w->timer_cap ? w->timer_cap * 2 : 64;
        w->timers = mem_realloc(MEM_FIBER, w->timers, w->timer_cap * sizeof *w->timers);
    }
    f->deadline_us = deadline_us;
    timer_sift(w, ++w->timer_count, f);
}

void worker__timer_remove(struct worker *w, struct fiber *f)
{
    unsigned at = f->timer_at;
    DEBUG_ASSERT(at && w->timers[at] == f);
    f->timer_at = 0;
    struct fiber *last = w->timers[w->timer_count--];
    if (last != f) timer_sift(w, at, last);
}

static void fire_timers(struct worker *w)
{
    if (!w->timer_count) return;
    int64_t now = monotonic_us();
    while (w->timer_count && w->timers[1]->deadline_us <= now) {
        struct fiber *f = w->timers[1];
        worker__timer_remove(w, f);
        uint32_t s = __atomic_fetch_and(&f->waiter.state, ~(uint32_t)WAIT_PARKED_ANY,
                                        __ATOMIC_ACQ_REL);
        if (s & WAIT_PARKED_ANY) run_push(w, f);
    }
}

/* --- polling, spinning, sleeping --------------------------------------------------------------- */

static void on_event_fd(struct poll_handler *h, uint32_t events)
{
    (void)events;
    struct worker *w = (struct worker *)((char *)h - offsetof(struct worker, event_handler));
    uint64_t count;
    ssize_t got = read(w->event_fd, &count, sizeof count);
    (void)got;
}

enum { WATCHED_EVENTS = EPOLLIN | EPOLLRDHUP | (int)EPOLLET };

enum status worker__watch(struct worker *w, int fd, struct poll_handler *h)
{
    struct epoll_event e = {.events = WATCHED_EVENTS, .data.ptr = h};
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
        return FAIL(INSUFFICIENT_RESOURCES, "could not watch a socket: %s", strerror(errno));
    return OK;
}

void worker__watch_writes(struct worker *w, int fd, struct poll_handler *h, bool on)
{
    struct epoll_event e = {.events = WATCHED_EVENTS | (on ? EPOLLOUT : 0), .data.ptr = h};
    int failed = epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &e);
    ASSERT(!failed);
}

/* timeout_us: 0 do not wait, < 0 no limit. */
static int wait_events(struct worker *w, struct epoll_event *events, int64_t timeout_us)
{
    struct timespec ts = {timeout_us / 1000000, timeout_us % 1000000 * 1000};
    if (timeout_us == 0) return epoll_wait(w->epoll_fd, events, SCHED_EVENTS, 0);
    int n = epoll_pwait2(w->epoll_fd, events, SCHED_EVENTS, timeout_us < 0 ? NULL : &ts, NULL);
    if (n < 0 && errno == ENOSYS) {
        int64_t ms = timeout_us < 0 ? -1 : (timeout_us + 999) / 1000;
        n = epoll_wait(w->epoll_fd, events, SCHED_EVENTS, ms > SLEEP_MS_MAX ? SLEEP_MS_MAX : (int)ms);
    }
    return n;
}

static int poll_events(struct worker *w, int64_t timeout_us)
{
    struct epoll_event events[SCHED_EVENTS];
    int n = wait_events(w, events, timeout_us);
    for (int i = 0; i < n; i++) {
        struct poll_handler *h = events[i].data.ptr;
        h->fn(h, events[i].events);
    }
    return n;
}

static bool has_work(const struct worker *w)
{
    return w->run_count || remote_waiting(w);
}

/* Time that this thread was runnable but had no CPU, from the kernel. */
static uint64_t read_run_delay(struct spin_state *s)
{
    char text[96];
    ssize_t n = s->schedstat_fd < 0 ? 0 : pread(s->schedstat_fd, text, sizeof text - 1, 0);
    if (n <= 0) return 0;
    text[n] = '\0';
    char *p = strchr(text, ' ');
    uint64_t value = 0;
    for (p = p ? p + 1 : text; *p >= '0' && *p <= '9'; p++) value = value * 10 + (uint64_t)(*p - '0');
    return value;
}

static int64_t spin_budget_us(struct worker *w, int64_t now)
{
    struct spin_state *s = &w->spin;
    int64_t max = w->sched->spin_us_max;
    if (max <= 0 || s->gap_ewma_ns >= max * 1000) return 0;
    if (__atomic_load_n(&pool__active, __ATOMIC_RELAXED)) return 0;
    if (now < s->blocked_until_us) return 0;
    if (now - s->checked_us > RUN_DELAY_CHECK_US) {
        uint64_t delay = read_run_delay(s);
        uint64_t waited_us = (delay - s->run_delay_ns) / 1000;
        bool contended = s->checked_us && waited_us * RUN_DELAY_SHARE > (uint64_t)(now - s->checked_us);
        s->run_delay_ns = delay;
        s->checked_us = now;
        if (contended) {
            s->blocked_until_us = now + SPIN_PAUSE_US;
            return 0;
        }
    }
    int64_t budget = 2 * s->gap_ewma_ns / 1000 + 1;
    return budget < max ? budget : max;
}

static void learn_gap(struct worker *w, int64_t gap_us)
{
    int64_t cap_us = w->sched->spin_us_max * 4; /* so that one long pause is soon forgotten */
    if (gap_us > cap_us) gap_us = cap_us;
    w->spin.gap_ewma_ns += (gap_us * 1000 - w->spin.gap_ewma_ns) / 8;
}

static int64_t next_timer_us(const struct worker *w)
{
    return w->timer_count ? w->timers[1]->deadline_us : INT64_MAX;
}

/* Nothing to run: poll for a while, then sleep until an event, a post or the next timer. */
static void idle(struct worker *w)
{
    int64_t start = monotonic_us();
    int64_t now = start, budget = spin_budget_us(w, start);
    while (now - start < budget && now < next_timer_us(w)) {
        if (poll_events(w, 0) > 0 || (w->ring && io__reap(w->ring)) || has_work(w)) {
            learn_gap(w, monotonic_us() - start);
            return;
        }
        now = monotonic_us();
    }
    __atomic_store_n(&w->sleeping, 1, __ATOMIC_SEQ_CST);
    if (!remote_waiting(w)) {
        int64_t until = next_timer_us(w);
        int64_t timeout = until == INT64_MAX ? -1 : until > now ? until - now : 0;
        poll_events(w, timeout);
    }
    __atomic_store_n(&w->sleeping, 0, __ATOMIC_SEQ_CST);
    learn_gap(w, monotonic_us() - start);
}

static bool may_stop(const struct worker *w)
{
    return __atomic_load_n(&w->sched->stopping, __ATOMIC_SEQ_CST) &&
           __atomic_load_n(&w->sched->fibers, __ATOMIC_SEQ_CST) == 0 &&
           (!w->ring || io__in_flight(w->ring) == 0) && !w->io_threads && !has_work(w);
}

/* False when it is over. */
static bool turn(struct worker *w)
{
    drain_remote(w);
    unsigned n = w->run_count < SCHED_TURN_FIBERS ? w->run_count : SCHED_TURN_FIBERS;
    while (n--) fiber__resume(w, run_pop(w));
    bool flushed = !w->ring || io__flush(w->ring);
    if (w->ring) io__reap(w->ring);
    fire_timers(w);
    if (may_stop(w)) return false;
    if (has_work(w) || !flushed) poll_events(w, 0);
    else idle(w);
    return true;
}

/* --- life of workers and schedulers ------------------------------------------------------------ */

static int open_schedstat(void)
{
    return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    char name[16];
    this_worker = w;
    fiber__attach_thread(w);
    snprintf(name, sizeof name, "front-%u", w->index);
    pthread_setname_np(pthread_self(), name);
    w->ring = io__open(w);
    w->spin.schedstat_fd = -1;
    if (w->sched->spin_us_max > 0) w->spin.schedstat_fd = open_schedstat();
    while (turn(w)) {
    }
    if (w->ring) io__close(w->ring);
    if (w->spin.schedstat_fd >= 0) close(w->spin.schedstat_fd);
    this_worker = NULL;
    return NULL;
}

static enum status worker_new(struct sched *s, unsigned index, struct worker **ret)
{
    spin_lock(&free_lock);
    struct worker *w = free_workers;
    if (w) free_workers = w->next_free;
    spin_unlock(&free_lock);
    if (!w) {
        int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (epoll_fd < 0 || event_fd < 0) {
            int failed = errno;
            if (epoll_fd >= 0) close(epoll_fd);
            if (event_fd >= 0) close(event_fd);
            return FAIL(INSUFFICIENT_RESOURCES, "could not make an event loop: %s", strerror(failed));
        }
        w = mem_alloc_aligned(MEM_FIBER, 64, sizeof *w);
        *w = (struct worker){.epoll_fd = epoll_fd, .event_fd = event_fd};
        w->event_handler.fn = on_event_fd;
        struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.ptr = &w->event_handler};
        int failed = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &e);
        ASSERT(!failed);
    }
    w->sched = s;
    w->index = index;
    w->spin = (struct spin_state){.schedstat_fd = -1};
    *ret = w;
    return OK;
}

static void worker_free(struct worker *w)
{
    ASSERT(!w->run_count && !w->timer_count);
    fiber__free_stacks(w);
    mem_free(MEM_FIBER, w->timers);
    w->timers = NULL;
    w->timer_cap = 0;
    spin_lock(&free_lock);
    w->next_free = free_workers;
    free_workers = w;
    spin_unlock(&free_lock);
}

static void do_nothing(struct task *t)
{
    mem_free(MEM_FIBER, t);
}

void sched__nudge(struct sched *s)
{
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct task *t = mem_alloc(MEM_FIBER, sizeof *t);
        t->fn = do_nothing;
        worker__post(s->workers[i], t);
    }
}

static void stop_and_free(struct sched *s)
{
    __atomic_store_n(&s->stopping, 1, __ATOMIC_SEQ_CST);
    sched__nudge(s);
    for (unsigned i = 0; i < s->worker_count; i++) pthread_join(s->workers[i]->thread, NULL);
    for (unsigned i = 0; i < s->worker_count; i++) {
        drain_remote(s->workers[i]); /* nudges of each other */
        worker_free(s->workers[i]);
    }
    mem_free(MEM_FIBER, s->workers);
    mem_free(MEM_FIBER, s);
}

unsigned cpu_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

enum status sched_start(const struct sched_options *opts, struct sched **ret)
{
    signal(SIGPIPE, SIG_IGN);
    unsigned count = opts->workers ? opts->workers : cpu_count();
    struct sched *s = mem_alloc(MEM_FIBER, sizeof *s);
    s->workers = mem_alloc(MEM_FIBER, count * sizeof *s->workers);
    s->stack_bytes = opts->stack_bytes ? (opts->stack_bytes + 4095) & ~(size_t)4095 : FIBER_STACK_BYTES;
    s->spin_us_max = opts->spin_us_max;
    if (s->stack_bytes < STACK_BYTES_MIN) s->stack_bytes = STACK_BYTES_MIN;
    for (unsigned i = 0; i < count; i++) {
        struct worker *w = NULL;
        enum status st = worker_new(s, i, &w);
        if (st == OK) {
            int failed = pthread_create(&w->thread, NULL, worker_main, w);
            if (failed) {
                worker_free(w);
                st = FAIL(INSUFFICIENT_RESOURCES, "could not start a thread: %s", strerror(failed));
            }
        }
        if (st != OK) {
            stop_and_free(s);
            return st;
        }
        s->workers[s->worker_count++] = w;
    }
    *ret = s;
    return OK;
}

void sched_stop(struct sched *s)
{
    ASSERT(sched_self() != s);
    stop_and_free(s);
}

unsigned sched_worker_count(const struct sched *s)
{
    return s->worker_count;
}

static struct worker *pick(struct sched *s, int worker)
{
    if (worker < 0 && this_worker && this_worker->sched == s) return this_worker;
    if (worker < 0) worker = (int)(__atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED) % s->worker_count);
    ASSERT((unsigned)worker < s->worker_count);
    return s->workers[worker];
}

enum status fiber_spawn(struct sched *s, int worker, void (*fn)(void *arg), void *arg)
{
    struct worker *w = pick(s, worker);
    struct fiber *f;
    TRY(fiber__new(w, fn, arg, &f));
    __atomic_fetch_add(&s->fibers, 1, __ATOMIC_SEQ_CST);
    fiber__ready(f);
    return OK;
}

void fiber_yield(void)
{
    struct fiber *f = fiber_self();
    if (!f) return;
    run_push(f->worker, f);
    fiber__suspend(f);
}

struct post {
    struct task task;
    void (*fn)(void *arg);
    void *arg;
};

static void run_post(struct task *t)
{
    struct post *p = (struct post *)t;
    p->fn(p->arg);
    mem_free(MEM_FIBER, p);
}

void sched_post(struct sched *s, int worker, void (*fn)(void *arg), void *arg)
{
    struct post *p = mem_alloc(MEM_FIBER, sizeof *p);
    *p = (struct post){.task.fn = run_post, .fn = fn, .arg = arg};
    worker__post(pick(s, worker), &p->task);
}
