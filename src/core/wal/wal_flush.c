#include "core/wal/wal_priv.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/point.h"

/* Group commit.
 *
 * Two stages: appends fill the active one; whoever takes the flushing role pads it to a block,
 * swaps the two, and writes and syncs the other with one request a file. When that is on disk
 * and more has been staged meanwhile, the next flush begins at once. So there is one flush at a
 * time, and the first record of a flush proves that all flushes before it were whole. On a front worker
 * a pause may lie between two (wal_pace.c).
 *
 * A timer there is for `batch` records alone: they ask for no flush, so they are staged until others
 * do, or until the first of them to wait has waited for the window and asks itself.
 *
 * Who carries the role: on a front worker, the completion callback. On a plain thread, where a
 * request ends before it returns, a thread that has seen its own flush hands the role to another
 * that waits, so that none works for the others forever. The request's two ends (the submitter
 * going on, the callback) meet in `phase`: the later of them goes on, which also keeps callbacks
 * that run inside the submit call from recursing. */

enum { PHASE_SUBMITTED, PHASE_RETURNED, PHASE_DONE };
enum { STAGE_BYTES_MIN = 1 << 20, STAGE_BYTES_KEPT = 8 << 20 };

/* --- waiting ---------------------------------------------------------------------------------- */

static void grant_all(struct wal_wait *list)
{
    while (list) {
        struct wal_wait *next = list->next;
        struct waiter *waiter = list->waiter;
        __atomic_store_n(&list->granted, 1, __ATOMIC_RELEASE);
        waiter_wake(waiter);
        list = next;
    }
}

static void park_until_granted(struct wal_wait *me)
{
    while (!__atomic_load_n(&me->granted, __ATOMIC_ACQUIRE))
        (void)waiter_park_uncancelable(me->waiter, 0);
}

void wal__wait_change(struct wal *w)
{
    struct wal_wait me = {.next = w->others, .waiter = waiter_self()};
    w->others = &me;
    spin_unlock(&w->lock);
    park_until_granted(&me);
    spin_lock(&w->lock);
}

void wal__changed(struct wal *w)
{
    struct wal_wait *list = w->others;
    w->others = NULL;
    grant_all(list);
}

/* --- staging ---------------------------------------------------------------------------------- */

uint64_t wal__next_lsn(const struct wal *w)
{
    return wal__skip(w->active.start + w->active.len);
}

static void reserve(struct wal_stage *s, size_t need)
{
    if (need <= s->cap) return;
    size_t cap = s->cap * 2 > STAGE_BYTES_MIN ? s->cap * 2 : STAGE_BYTES_MIN;
    if (cap < need) cap = wal__block_up(need);
    char *data = mem_alloc_aligned(MEM_WAL, WAL_BLOCK_BYTES, cap);
    if (s->len) memcpy(data, s->data, s->len);
    mem_free(MEM_WAL, s->data);
    s->data = data;
    s->cap = cap;
}

static void add_zeros(struct wal_stage *s, size_t until)
{
    memset(s->data + s->len, 0, until - s->len);
    s->len = until;
}

uint64_t wal__stage(struct wal *w, struct wal_header *h, const struct slice *parts, uint32_t count)
{
    struct wal_stage *s = &w->active;
    uint64_t lsn = wal__next_lsn(w);
    size_t at = lsn - s->start, end = wal__end(lsn, h->len) - s->start;
    reserve(s, end + WAL_BLOCK_BYTES);
    add_zeros(s, at);
    h->flush = s->start;
    h->epoch = w->epoch;
    wal__put_header(s->data + at, h, lsn);
    s->len += WAL_HEADER_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].len) memcpy(s->data + s->len, parts[i].data, parts[i].len);
        s->len += parts[i].len;
    }
    add_zeros(s, end);
    if (h->kind == WAL_RECORD) s->last_ts = h->ts, s->records++;
    __atomic_store_n(&w->appended, s->start + end, __ATOMIC_RELEASE);
    return lsn;
}

/* Fills the last block, so that it is never written again. */
static void pad(struct wal_stage *s, uint32_t epoch)
{
    size_t end = wal__block_up(s->len), left = end - s->len;
    if (left >= WAL_HEADER_BYTES) {
        char *at = s->data + s->len;
        memset(at, 0, left);
        struct wal_header h = {.kind = WAL_PAD, .len = (uint32_t)(left - WAL_HEADER_BYTES),
                               .ts = s->last_ts, .flush = s->start, .epoch = epoch};
        h.payload_crc = crc32c(0, at + WAL_HEADER_BYTES, h.len);
        wal__put_header(at, &h, s->start + s->len);
    }
    if (left && left < WAL_HEADER_BYTES) memset(s->data + s->len, 0, left);
    s->len = end;
}

/* --- the flushing role ------------------------------------------------------------------------ */

bool wal__take_role(struct wal *w)
{
    w->asked = w->active.len > 0;
    if (w->flushing || w->failed) return false;
    return w->flushing = true;
}

static enum status before_write(void)
{
    POINT_TRY("wal.before_write");
    POINT_TRY("wal.before_sync");
    return OK;
}

/* No retry: after a failed sync nobody knows what the disk holds. */
static void fail(struct wal *w)
{
    LOG(LOG_ERROR, "wal", "write-ahead log failed at %llx (status %s, errno %d); no more commits",
        (unsigned long long)w->flushed.start, status_name(w->request.result), w->request.os_errno);
    spin_lock(&w->lock);
    __atomic_store_n(&w->failed, true, __ATOMIC_RELEASE);
    w->flushing = false;
    struct wal_wait *waiters = w->waiters;
    w->waiters = NULL;
    grant_all(waiters);
    wal__changed(w);
    spin_unlock(&w->lock);
}

/* Under the lock: takes off the list who waits for no more than `durable`. */
static struct wal_wait *take_served(struct wal *w, uint64_t durable)
{
    struct wal_wait *served = NULL, **at = &w->waiters;
    while (*at) {
        struct wal_wait *x = *at;
        if (x->lsn > durable) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        x->next = served;
        served = x;
    }
    return served;
}

/* Under the lock: the role leaves this thread, when nothing is staged or another may take it. */
static bool leave_role(struct wal *w, struct wal_wait **served)
{
    if (!w->asked) {
        w->flushing = false;
        return true;
    }
    struct wal_wait *heir = w->waiters;
    if (fiber_worker() >= 0 || !heir) return false;
    w->waiters = heir->next;
    heir->lead = true;
    heir->next = *served;
    *served = heir;
    return true;
}

static void drive_task(void *arg)
{
    wal__drive(arg);
}

/* A turn begins: its fibers run before the next one does. */
static void pause_task(void *arg)
{
    sched_post(sched_self(), fiber_worker(), drive_task, arg);
}

/* The flush is on disk. False when the role has gone, to a task perhaps, and perhaps the log with it. */
static bool complete(struct wal *w)
{
    struct wal_stage *s = &w->flushed;
    uint64_t start = s->start, end = start + s->len;
    POINT("wal.after_sync");
    if (s->last_ts && w->opts.on_durable)
        w->opts.on_durable(w->opts.ctx, (lsn_t){end}, s->last_ts);
    if (s->cap > STAGE_BYTES_KEPT) {
        mem_free(MEM_WAL, s->data);
        *s = (struct wal_stage){0};
    }
    s->len = 0;
    spin_lock(&w->lock);
    __atomic_store_n(&w->durable, end, __ATOMIC_RELEASE);
    __atomic_fetch_add(&w->flush_count, 1, __ATOMIC_RELAXED);
    w->last_flush = start;
    struct wal_wait *served = take_served(w, end);
    bool gone = leave_role(w, &served);
    uint32_t staged = w->active.records;
    struct wal_wait *others = w->others;
    w->others = NULL;
    spin_unlock(&w->lock);
    grant_all(served);
    grant_all(others);
    if (gone) return false;
    if (fiber_worker() < 0 || !wal__pace_end(&w->pace, staged, monotonic_us())) return true;
    sched_post(sched_self(), fiber_worker(), pause_task, w);
    return false;
}

/* False, and the role is free, when nothing is staged. */
static bool begin(struct wal *w)
{
    spin_lock(&w->lock);
    struct wal_stage empty = w->flushed;
    bool any = w->asked && !w->failed;
    if (any) {
        pad(&w->active, w->epoch);
        w->flushed = w->active;
        w->flushed_done = 0;
        wal__note_flush(w, w->flushed.start);
        empty.start = w->flushed.start + w->flushed.len;
        empty.last_ts = empty.records = 0;
        wal__pace_begin(&w->pace, w->flushed.records, monotonic_us());
        w->active = empty;
        w->asked = false;
    } else {
        w->flushing = false;
    }
    struct wal_wait *others = w->others;
    w->others = NULL;
    spin_unlock(&w->lock);
    grant_all(others);
    return any;
}

static void on_done(struct io_request *r)
{
    struct wal *w = r->ctx;
    if (__atomic_exchange_n(&w->phase, PHASE_DONE, __ATOMIC_ACQ_REL) == PHASE_RETURNED)
        wal__drive(w);
}

/* The part of the flush that lies in one file. */
static struct file *prepare_request(struct wal *w)
{
    uint64_t lsn = w->flushed.start + w->flushed_done;
    size_t left = w->flushed.len - w->flushed_done;
    spin_lock(&w->lock);
    const struct wal_file *f = wal__file_at(w, lsn);
    ASSERT(f);
    uint64_t offset = lsn - f->start;
    struct file *file = f->file;
    if (left > f->bytes - offset) left = f->bytes - offset;
    spin_unlock(&w->lock);
    w->request = (struct io_request){.op = IO_WRITE_SYNC, .data = w->flushed.data + w->flushed_done,
                                     .len = left, .offset = offset, .done = on_done, .ctx = w};
    w->requested = true;
    return file;
}

/* Takes in the request that has ended, if any, and prepares the next. NULL: the role has gone. */
static struct file *next_request(struct wal *w)
{
    if (w->requested) {
        w->requested = false;
        if (w->request.result != OK) {
            fail(w);
            return NULL;
        }
        w->flushed_done += w->request.len;
        if (w->flushed_done == w->flushed.len && !complete(w)) return NULL;
    }
    if (!w->flushed.len && !begin(w)) return NULL;
    w->request.result = before_write();
    if (w->request.result == OK) return prepare_request(w);
    fail(w);
    return NULL;
}

void wal__drive(struct wal *w)
{
    struct file *f;
    while ((f = next_request(w))) {
        __atomic_store_n(&w->phase, PHASE_SUBMITTED, __ATOMIC_RELEASE);
        file_submit(f, &w->request);
        if (__atomic_exchange_n(&w->phase, PHASE_RETURNED, __ATOMIC_ACQ_REL) != PHASE_DONE) return;
    }
}

void wal__start(struct wal *w)
{
    if (fiber_self()) sched_post(sched_self(), fiber_worker(), drive_task, w);
    else wal__drive(w);
}

/* --- waiting for durability ------------------------------------------------------------------- */

static enum status fail_failed(void)
{
    FAIL(IO_ERROR, "could not write to the write-ahead log");
    return error_hint("The log has failed for good; the server must be restarted.");
}

/* Parks until granted or the deadline. False: it has passed, and `me` is on no list any more. */
static bool park_until(struct wal *w, struct wal_wait *me, int64_t deadline)
{
    while (deadline && !__atomic_load_n(&me->granted, __ATOMIC_ACQUIRE)) {
        if (waiter_park_uncancelable(me->waiter, deadline) != PARK_TIMEOUT) continue;
        spin_lock(&w->lock);
        struct wal_wait **at = &w->waiters;
        while (*at && *at != me) at = &(*at)->next;
        bool found = *at == me;
        if (found) *at = me->next;
        spin_unlock(&w->lock);
        if (found) return false;
        deadline = 0; /* it is being granted */
    }
    park_until_granted(me);
    return true;
}

enum status wal_wait(struct wal *w, lsn_t end, bool batch)
{
    int64_t deadline = 0;
    if (batch && w->opts.batch_window_us > 0) deadline = monotonic_us() + w->opts.batch_window_us;
    while (__atomic_load_n(&w->durable, __ATOMIC_ACQUIRE) < end.v) {
        struct wal_wait me = {.waiter = waiter_self(), .lsn = end.v};
        spin_lock(&w->lock);
        bool failed = w->failed, done = w->durable >= end.v;
        ASSERT(done || end.v <= w->appended);
        bool staged = end.v > w->active.start; /* else it is being flushed */
        bool lead = !failed && !done && !deadline && staged && wal__take_role(w);
        bool waits = !failed && !done && !lead;
        if (waits) {
            me.next = w->waiters;
            w->waiters = &me;
        }
        spin_unlock(&w->lock);
        if (failed && !done) return fail_failed();
        if (waits) {
            waiter_set_reason(me.waiter, "IO:WALSync");
            if (!park_until(w, &me, deadline)) deadline = 0;
            waiter_set_reason(me.waiter, NULL);
        }
        if (lead || me.lead) wal__drive(w);
    }
    return OK;
}

enum status wal_flush(struct wal *w)
{
    return wal_wait(w, wal_appended_lsn(w), false);
}
