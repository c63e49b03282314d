#include "exec/parallel.h"

#include <string.h>

enum status parallel_check(const struct parallel *p)
{
    for (; p; p = p->outer)
        if (__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    return OK;
}

void parallel_stop(struct parallel *p)
{
    fmutex_lock(&p->lock);
    __atomic_store_n(&p->stop, 1, __ATOMIC_RELAXED);
    fcond_broadcast(&p->fed);
    fmutex_unlock(&p->lock);
}

uint64_t parallel_memory(struct execution *x, uint64_t own)
{
    uint64_t change = own - x->counted_bytes; /* wraps when it is less, as the sum does */
    x->counted_bytes = own;
    return __atomic_add_fetch(x->shared_bytes, change, __ATOMIC_RELAXED);
}

void parallel_forget_memory(struct execution *x)
{
    if (!x->shared_bytes) return;
    __atomic_sub_fetch(x->shared_bytes, x->counted_bytes, __ATOMIC_RELAXED);
    x->counted_bytes = 0;
}

void parallel_count_together(struct execution *x)
{
    if (x->shared_bytes) return;
    x->shared_bytes = ARENA_NEW(x->arena, uint64_t);
    x->shared_spilled = ARENA_NEW(x->arena, uint64_t);
    *x->shared_spilled = x->spilled_bytes;
}

uint64_t parallel_spill(struct execution *x, uint64_t change)
{
    return __atomic_add_fetch(x->shared_spilled, change, __ATOMIC_RELAXED);
}

/* --- groups ------------------------------------------------------------------------------------ */

enum { LOOK_UP_US = 10000 }; /* a gather around this one may end it, and does not wake who waits here */

enum status parallel_meet(struct parallel *p, struct agg_run *mine,
                          void (*divide)(struct parallel *p))
{
    enum status st = OK;
    fmutex_lock(&p->lock);
    p->closed = true; /* the scan is used up: who begins now would find nothing */
    p->runs[p->run_count++] = mine;
    if (--p->feeding == 0) {
        divide(p);
        fcond_broadcast(&p->fed);
    }
    while (p->feeding && st == OK) {
        (void)fcond_wait(&p->fed, &p->lock, monotonic_us() + LOOK_UP_US);
        st = parallel_check(p);
    }
    fmutex_unlock(&p->lock);
    return st;
}

enum status parallel_meet_all(struct parallel *p, const uint32_t *until, void (*next)(void *ctx),
                              void *ctx)
{
    enum status st = OK;
    fmutex_lock(&p->lock);
    uint32_t round = p->round;
    p->closed = true; /* as above */
    if (++p->arrived == p->at_work && !__atomic_load_n(until, __ATOMIC_RELAXED)) {
        p->arrived = 0;
        p->round++;
        next(ctx);
        fcond_broadcast(&p->fed);
    }
    while (round == p->round && st == OK && !__atomic_load_n(until, __ATOMIC_RELAXED)) {
        (void)fcond_wait(&p->fed, &p->lock, monotonic_us() + LOOK_UP_US);
        st = parallel_check(p);
    }
    fmutex_unlock(&p->lock);
    return st;
}

/* --- functions --------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0) return true;
    return false;
}

bool exec_is_parallel_safe(const struct proc_def *proc)
{
    /* What reads the session's settings; functions without code here are db's, which reads the
     * session, too. */
    static const char *const session[] = {"version", "current_setting", NULL};
    if (proc->volatility == VOLATILE || proc->returns_set || proc_function(proc)) return false;
    if (proc->kind == 'a') return true;
    return function_impl(proc->id)->scalar && !is_one_of(proc->name, session);
}

bool exec_is_mergeable(const struct proc_def *proc)
{
    /* What depends on the rows' order even where SQL leaves that open. */
    static const char *const ordered[] = {"string_agg", "array_agg", "json_agg", "jsonb_agg",
                                          "json_object_agg", "jsonb_object_agg", "xmlagg", NULL};
    if (proc->kind != 'a' || is_one_of(proc->name, ordered)) return false;
    const struct aggregate_impl *impl = aggregate_impl(proc->id);
    return impl && impl->add && impl->merge;
}

bool exec_is_distinct_mergeable(const struct proc_def *proc)
{
    if (proc->result == TYPE_FLOAT4 || proc->result == TYPE_FLOAT8) return false;
    return exec_is_mergeable(proc) && aggregate_impl(proc->id)->skips_nulls;
}
