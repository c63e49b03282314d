#include "base/io_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#include "base/fiber_priv.h"

/* File I/O that never blocks a front worker.
 *
 * Each worker has an io_uring. Requests of one turn of its loop are handed over together at the
 * turn's end; completions wake the loop through epoll (the ring's descriptor is watched) and run
 * their callbacks there. A short transfer is continued. IO_WRITE_SYNC is one write with RWF_DSYNC,
 * which was seen to be 10-20 us faster than a write with a linked fdatasync (an fdatasync always
 * takes a detour over a kernel thread); where that flag is refused, a write and then an fdatasync.
 *
 * Where the kernel refuses a ring, a few I/O threads do the blocking calls and post the request
 * back to the worker.
 *
 * Use of io_request.internal: [0..1] a struct task (backlog link, or the way back from an I/O
 * thread); [2] bytes done, or the worker; [3] the descriptor. */

enum {
    RING_ENTRIES = 256,
    IN_FLIGHT_MAX = 1024,  /* completions that the ring may have to hold; more wait in the backlog */
    CHUNK_BYTES_MAX = 1 << 30,
    IO_THREADS = 4,
    IO_THREAD_QUEUE = 4096,
};

_Static_assert(sizeof(struct task) <= 2 * sizeof(void *), "a task fits into io_request.internal");
bool io__refuse_rings;

struct io_ring {
    struct io_uring ring;
    struct poll_handler handler;
    struct worker *worker;
    unsigned in_flight;  /* requests that the kernel has, or that wait in the submission queue */
    unsigned prepared;   /* entries not yet handed over */
    bool no_dsync;       /* RWF_DSYNC was refused */
    struct task *backlog_head, *backlog_tail;
    unsigned backlog_count;
};

static struct task *task_of(struct io_request *r)
{
    return (struct task *)(void *)&r->internal[0];
}

static struct io_request *request_of(struct task *t)
{
    return (struct io_request *)((char *)t - offsetof(struct io_request, internal));
}

static size_t bytes_done(const struct io_request *r)
{
    return (size_t)(uintptr_t)r->internal[2];
}

static void set_bytes_done(struct io_request *r, size_t n)
{
    r->internal[2] = (void *)(uintptr_t)n;
}

static int fd_of(const struct io_request *r)
{
    return (int)(intptr_t)r->internal[3];
}

static void set_result(struct io_request *r, int failed)
{
    r->os_errno = failed;
    r->result = !failed ? OK : failed == ENOSPC || failed == EDQUOT ? DISK_FULL : IO_ERROR;
}

static size_t chunk(size_t left)
{
    return left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX;
}

static bool has_data(const struct io_request *r)
{
    return r->op != IO_SYNC;
}

static bool has_sync(const struct io_request *r)
{
    return r->op == IO_SYNC || r->op == IO_WRITE_SYNC;
}

/* --- blocking ---------------------------------------------------------------------------------- */

/* errno, 0 when all is done, or -1 at the end of the file. */
static int transfer(int fd, struct io_request *r)
{
    size_t done = 0;
    while (done < r->len) {
        char *p = (char *)r->data + done;
        size_t n = chunk(r->len - done);
        ssize_t got = r->op == IO_READ ? pread(fd, p, n, (off_t)(r->offset + done))
                                       : pwrite(fd, p, n, (off_t)(r->offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) return r->op == IO_READ ? -1 : EIO;
        done += (size_t)got;
    }
    return 0;
}

static void end_of_file(struct io_request *r)
{
    r->result = IO_ERROR;
    r->os_errno = 0;
}

void io__perform(int fd, struct io_request *r)
{
    int failed = has_data(r) ? transfer(fd, r) : 0;
    while (!failed && has_sync(r) && fdatasync(fd) != 0) {
        if (errno != EINTR) failed = errno;
    }
    if (failed < 0) end_of_file(r);
    else set_result(r, failed);
}

/* --- the ring ---------------------------------------------------------------------------------- */

static void backlog_push(struct io_ring *ring, struct io_request *r)
{
    struct task *t = task_of(r);
    t->next = NULL;
    if (ring->backlog_head) ring->backlog_tail->next = t;
    else ring->backlog_head = t;
    ring->backlog_tail = t;
    ring->backlog_count++;
}

/* The kernel may be unable to take all at once (EBUSY, EAGAIN): what stays is tried again. */
static void hand_over(struct io_ring *ring)
{
    int n = io_uring_submit(&ring->ring);
    if (n > 0) ring->prepared -= (unsigned)n < ring->prepared ? (unsigned)n : ring->prepared;
    ASSERT(n >= 0 || n == -EBUSY || n == -EAGAIN || n == -EINTR || n == -ENOMEM);
}

static bool room_for_one(struct io_ring *ring)
{
    if (ring->in_flight >= IN_FLIGHT_MAX) return false;
    if (io_uring_sq_space_left(&ring->ring) == 0) hand_over(ring);
    return io_uring_sq_space_left(&ring->ring) > 0;
}

/* Puts the next step of the request into the submission queue; there is room. */
static void prepare(struct io_ring *ring, struct io_request *r)
{
    struct io_uring_sqe *e = io_uring_get_sqe(&ring->ring);
    size_t done = bytes_done(r);
    if (has_data(r) && done < r->len) {
        char *p = (char *)r->data + done;
        unsigned n = (unsigned)chunk(r->len - done);
        if (r->op == IO_READ) io_uring_prep_read(e, fd_of(r), p, n, r->offset + done);
        else io_uring_prep_write(e, fd_of(r), p, n, r->offset + done);
        if (r->op == IO_WRITE_SYNC && !ring->no_dsync) e->rw_flags = RWF_DSYNC;
    } else {
        io_uring_prep_fsync(e, fd_of(r), IORING_FSYNC_DATASYNC);
    }
    io_uring_sqe_set_data(e, r);
    ring->prepared++;
    ring->in_flight++;
}

static void start(struct io_ring *ring, struct io_request *r)
{
    if (!ring->backlog_head && room_for_one(ring)) prepare(ring, r);
    else backlog_push(ring, r);
}

bool io__flush(struct io_ring *ring)
{
    while (ring->backlog_head) {
        struct io_request *r = request_of(ring->backlog_head);
        if (!room_for_one(ring)) break;
        ring->backlog_head = ring->backlog_head->next;
        ring->backlog_count--;
        prepare(ring, r);
    }
    if (ring->prepared) hand_over(ring);
    return !ring->prepared;
}

static void finish(struct io_request *r, int failed)
{
    set_result(r, failed);
    r->done(r);
}

/* One step has ended, or is to be done again. */
static void step_completed(struct io_ring *ring, struct io_request *r, int res)
{
    bool data_step = has_data(r) && bytes_done(r) < r->len;
    ring->in_flight--;
    if (res == -EINTR || res == -EAGAIN) {
        start(ring, r);
    } else if (res == -EOPNOTSUPP && r->op == IO_WRITE_SYNC && data_step && !ring->no_dsync) {
        ring->no_dsync = true;
        start(ring, r);
    } else if (res < 0) {
        finish(r, -res);
    } else if (!data_step) {
        finish(r, 0);
    } else if (res == 0 && r->op == IO_READ) {
        end_of_file(r);
        r->done(r);
    } else if (res == 0) {
        finish(r, EIO);
    } else {
        set_bytes_done(r, bytes_done(r) + (size_t)res);
        bool more = bytes_done(r) < r->len || (r->op == IO_WRITE_SYNC && ring->no_dsync);
        if (more) start(ring, r);
        else finish(r, 0);
    }
}

unsigned io__reap(struct io_ring *ring)
{
    struct io_uring_cqe *cqe;
    unsigned n = 0;
    while (n < IN_FLIGHT_MAX && io_uring_peek_cqe(&ring->ring, &cqe) == 0 && cqe) {
        struct io_request *r = io_uring_cqe_get_data(cqe);
        int res = cqe->res;
        io_uring_cqe_seen(&ring->ring, cqe);
        step_completed(ring, r, res);
        n++;
    }
    if (ring->backlog_head || ring->prepared) io__flush(ring);
    return n;
}

unsigned io__in_flight(const struct io_ring *ring)
{
    return ring->in_flight + ring->backlog_count;
}

/* The loop reaps at every turn; the event only ends its sleep. */
static void on_ring(struct poll_handler *h, uint32_t events)
{
    (void)h;
    (void)events;
}

struct io_ring *io__open(struct worker *w)
{
    if (io__refuse_rings) return NULL;
    struct io_ring *ring = mem_alloc(MEM_FIBER, sizeof *ring);
    struct io_uring_params params = {
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
        .cq_entries = 2 * IN_FLIGHT_MAX,
    };
    int r = io_uring_queue_init_params(RING_ENTRIES, &ring->ring, &params);
    if (r == -EINVAL) { /* an older kernel */
        params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE,
                                          .cq_entries = 2 * IN_FLIGHT_MAX};
        r = io_uring_queue_init_params(RING_ENTRIES, &ring->ring, &params);
    }
    ring->worker = w;
    ring->handler.fn = on_ring;
    if (r == 0 && worker__watch(w, ring->ring.ring_fd, &ring->handler) != OK) {
        io_uring_queue_exit(&ring->ring);
        r = -1;
    }
    if (r == 0) return ring;
    mem_free(MEM_FIBER, ring);
    return NULL;
}

void io__close(struct io_ring *ring)
{
    ASSERT(io__in_flight(ring) == 0);
    io_uring_queue_exit(&ring->ring);
    mem_free(MEM_FIBER, ring);
}

/* --- I/O threads ------------------------------------------------------------------------------- */

/* Started when first needed, for the life of the process. NULL when no thread can be had. */
static struct pool *io_pool(void)
{
    static struct fmutex lock;
    static struct pool *pool; /* atomic; set once under lock */
    struct pool *p = __atomic_load_n(&pool, __ATOMIC_ACQUIRE);
    if (p) return p;
    fmutex_lock(&lock);
    const struct pool_options opts = {.name = "io", .threads = IO_THREADS,
                                      .queue_max = IO_THREAD_QUEUE};
    if (!pool && pool_start(&opts, &p) == OK) __atomic_store_n(&pool, p, __ATOMIC_RELEASE);
    fmutex_unlock(&lock);
    return pool;
}

static void come_back(struct task *t)
{
    struct io_request *r = request_of(t);
    worker__self()->io_threads--;
    r->done(r);
}

static void thread_job(void *arg)
{
    struct io_request *r = arg;
    struct worker *w = r->internal[2];
    io__perform(fd_of(r), r);
    task_of(r)->fn = come_back;
    worker__post(w, task_of(r));
}

static void submit_to_thread(struct worker *w, struct io_request *r)
{
    struct pool *p = io_pool();
    r->internal[2] = w;
    w->io_threads++;
    if (!p || !pool_submit(p, thread_job, r)) thread_job(r); /* the back-pressure is the disk's */
}

enum status io__offload(enum status (*fn)(void *arg), void *arg)
{
    struct pool *p = fiber_self() ? io_pool() : NULL;
    return p ? pool_run(p, fn, arg) : fn(arg);
}

/* --- entries ----------------------------------------------------------------------------------- */

void io__submit(int fd, struct io_request *r)
{
    struct worker *w = worker__self();
    if (!w) {
        io__perform(fd, r);
        r->done(r);
        return;
    }
    ASSERT(r->op == IO_SYNC || r->len > 0);
    r->internal[3] = (void *)(intptr_t)fd;
    r->os_errno = 0;
    if (!w->ring) {
        submit_to_thread(w, r);
        return;
    }
    set_bytes_done(r, 0);
    start(w->ring, r);
}

struct parked {
    struct waiter *waiter;
    bool done;
};

static void unpark(struct io_request *r)
{
    struct parked *p = r->ctx;
    p->done = true;
    waiter__wake_inner(p->waiter);
}

void io__run(int fd, struct io_request *r)
{
    if (!fiber_self() || (has_data(r) && r->len == 0)) {
        io__perform(fd, r);
        return;
    }
    struct parked p = {.waiter = waiter_self()};
    r->done = unpark;
    r->ctx = &p;
    io__submit(fd, r);
    while (!p.done) waiter__park_inner(p.waiter, 0, false);
}
