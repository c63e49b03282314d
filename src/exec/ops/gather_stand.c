/* Workers that wait without a thread. Where rows are taken slowly (a client that reads slowly, a cursor
 * that is left open) all slots are full, and a worker that slept until one is free would keep its thread
 * from all other queries. So it leaves the thread, with what stands on its coroutine's stack, and is
 * given to the pool again when there is a slot.
 *
 * Only a worker of an outermost gather that runs none itself may do so: of the others somebody may be
 * waiting on a thread that this one needs to go on. */
#include "exec/ops/gather_run_priv.h"

enum { RETRY_US = 1000 };

static bool may_go_on(const struct gather *g)
{
    return g->free || __atomic_load_n(&g->p.stop, __ATOMIC_RELAXED);
}

bool gather__stand(struct task *t)
{
    struct gather *g = t->worker->g;
    fmutex_lock(&g->p.lock);
    bool stands = !may_go_on(g);
    if (stands) {
        t->next = g->standing;
        g->standing = t;
    }
    fmutex_unlock(&g->p.lock);
    return stands;
}

bool gather__call_back(struct gather *g)
{
    while (g->standing && may_go_on(g)) {
        struct task *t = g->standing;
        bool one = !__atomic_load_n(&g->p.stop, __ATOMIC_RELAXED);
        g->standing = t->next;
        fmutex_unlock(&g->p.lock);
        bool room = pool_submit(g->x->session->workers, gather__run_task, t);
        fmutex_lock(&g->p.lock);
        if (!room) {
            t->next = g->standing;
            g->standing = t;
            return false;
        }
        if (one) break;
    }
    return true;
}

enum park_result gather__await(struct gather *g, bool called)
{
    enum park_result r = fcond_wait(&g->ready, &g->p.lock, called ? 0 : monotonic_us() + RETRY_US);
    return r == PARK_TIMEOUT ? PARK_WOKEN : r;
}
