#include "db/admission.h"

#include "base/mem.h"
#include "base/metrics.h"

/* A place that becomes free is handed to the first of the queue, never put back in between, so that
 * nobody who comes later can take it. */

struct place {
    struct place *next, *prev;
    struct waiter *waiter;
    uint32_t granted; /* atomic; set under the lock, and then the node is off the queue */
};

struct admission {
    uint32_t active_max, queued_max; /* immutable */
    int64_t wait_us;                 /* immutable */
    struct spinlock lock;            /* guards what follows */
    uint32_t active, queued;
    struct place *first, *last;
    struct counter *waits, *refusals;
};

struct admission *admission_new(uint32_t active_max, uint32_t queued_max, int64_t wait_us)
{
    struct admission *a = mem_alloc(MEM_SESSION, sizeof *a);
    a->active_max = active_max;
    a->queued_max = queued_max;
    a->wait_us = wait_us;
    a->waits = counter_get("helios_admission_waits_total", "Statements that waited to be run.");
    a->refusals = counter_get("helios_admission_refusals_total",
                              "Statements refused as too many were running or waiting.");
    return a;
}

void admission_free(struct admission *a)
{
    ASSERT(a->active == 0 && a->queued == 0);
    mem_free(MEM_SESSION, a);
}

static void unlink_place(struct admission *a, struct place *p)
{
    if (p->next) p->next->prev = p->prev;
    else a->last = p->prev;
    if (p->prev) p->prev->next = p->next;
    else a->first = p->next;
    a->queued--;
}

static enum status fail_full(struct admission *a, const char *what)
{
    counter_add(a->refusals, 1);
    FAIL(CONFIGURATION_LIMIT_EXCEEDED, "too many statements are running");
    error_detail("%u statements are running, as many as max_active_statements allows, %s.",
                 a->active_max, what);
    return error_hint("Try again later, or raise max_active_statements.");
}

/* On the queue already. */
static enum status wait_for_place(struct admission *a, struct place *me)
{
    int64_t until = monotonic_us() + a->wait_us;
    enum park_result r = PARK_WOKEN;
    counter_add(a->waits, 1);
    waiter_set_reason(me->waiter, "Extension:Admission");
    while (!__atomic_load_n(&me->granted, __ATOMIC_ACQUIRE) && r == PARK_WOKEN)
        r = waiter_park(me->waiter, until);
    waiter_set_reason(me->waiter, NULL);
    spin_lock(&a->lock);
    bool granted = me->granted;
    if (!granted) unlink_place(a, me);
    spin_unlock(&a->lock);
    if (r == PARK_CANCELED) {
        if (granted) admission_leave(a);
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    }
    return granted ? OK : fail_full(a, "and none has ended for as long as max_queue_wait says");
}

enum status admission_enter(struct admission *a)
{
    struct place me = {.waiter = waiter_self()};
    spin_lock(&a->lock);
    bool full = a->active >= a->active_max, refused = full && a->queued >= a->queued_max;
    if (!full) a->active++;
    if (full && !refused) {
        me.prev = a->last;
        if (a->last) a->last->next = &me;
        else a->first = &me;
        a->last = &me;
        a->queued++;
    }
    spin_unlock(&a->lock);
    if (!full) return OK;
    return refused ? fail_full(a, "and max_queued_statements are waiting") : wait_for_place(a, &me);
}

void admission_leave(struct admission *a)
{
    spin_lock(&a->lock);
    struct place *p = a->first;
    if (p) {
        struct waiter *w = p->waiter; /* its fiber may be gone as soon as it is granted */
        unlink_place(a, p);
        __atomic_store_n(&p->granted, 1, __ATOMIC_RELEASE);
        waiter_wake(w);
    } else {
        a->active--;
    }
    spin_unlock(&a->lock);
}

void admission_write_metrics(const struct admission *a, struct strbuf *out)
{
    metrics_one(out, "helios_statements_admitted", "gauge",
                "Statements running that count towards max_active_statements.",
                __atomic_load_n(&a->active, __ATOMIC_RELAXED));
    metrics_one(out, "helios_statements_queued", "gauge", "Statements that wait to be run.",
                __atomic_load_n(&a->queued, __ATOMIC_RELAXED));
}
