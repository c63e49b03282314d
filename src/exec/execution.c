#include "exec/execution.h"

#include "base/fiber.h"
#include "base/hash.h"
#include "exec/parallel.h"
#include "exec/spill.h"

enum {
    STACK_RESERVE_BYTES = 48 << 10, /* for the deepest leaf: store, formatting, error paths */
    BATCH_ARENA_BYTES = 512 << 10,
    PRIME_ROWS = 256,
    TURN_US = 200,
    CHECK_US = 100,
    CHECK_BYTES = 1 << 20,
};

struct call_state {
    const struct expr *site;
    void *state;
};

void exec_begin(struct execution *x, const struct plan *p, struct txn *t,
                const struct exec_session *s, const struct exec_params *params, struct arena *a)
{
    *x = (struct execution){.plan = p, .txn = t, .session = s, .params = params, .arena = a};
    x->arena_base = arena_bytes(a);
    if (!p) return;
    if (p->by_row) {
        struct exec_session *own = arena_memdup(a, s, sizeof *s);
        own->batch_rows = 1;
        x->session = own;
    }
    x->states = ARENA_ARRAY(a, void *, p->node_count);
    if (p->outer_value_count) x->outer = ARENA_ARRAY(a, struct datum, p->outer_value_count);
}

void exec_end(struct execution *x)
{
    while (x->spills) spill_free(x->spills);
    for (struct owned_arena *o = x->arenas; o; o = o->next) arena_release(&o->arena);
    x->arenas = NULL;
    for (struct past_reader *p = x->past; p; p = p->next) txn_end_reader(p->txn);
    x->past = NULL;
    parallel_forget_memory(x);
}

uint64_t exec_moment(const struct execution *x, uint32_t moment)
{
    if (!moment) return 0;
    ASSERT(x->params && x->params->moments && x->params->moments[moment - 1]);
    return x->params->moments[moment - 1];
}

enum status exec_reader(struct execution *x, uint64_t as_of, struct txn **ret)
{
    *ret = x->txn;
    if (!as_of) return OK;
    for (struct past_reader *p = x->past; p; p = p->next)
        if (p->as_of == as_of) return *ret = p->txn, OK;
    TRY(txn_begin_past(x->txn, as_of, ret));
    struct past_reader *made = ARENA_NEW(x->arena, struct past_reader);
    *made = (struct past_reader){x->past, as_of, *ret};
    x->past = made;
    return OK;
}

struct arena *exec_arena(struct execution *x)
{
    struct owned_arena *o = ARENA_NEW(x->arena, struct owned_arena);
    arena_init(&o->arena, MEM_QUERY);
    o->next = x->arenas;
    x->arenas = o;
    x->arena_count++;
    return &o->arena;
}

void exec_arena_prime(struct arena *a, uint32_t rows)
{
    if (rows < PRIME_ROWS || arena_bytes(a) >= BATCH_ARENA_BYTES) return;
    arena_release(a);
    arena_alloc(a, BATCH_ARENA_BYTES - 4096);
    arena_clear(a);
}

/* Whoever pushes rows asks often; the answer changes seldom. What was refused once is refused again. */
static enum status check(struct execution *x, bool memory)
{
    int64_t now = monotonic_us();
    if (now < x->check_us) return OK;
    x->check_us = 0;
    /* A long query lets the other fibers of its worker run. */
    if (now >= x->yield_us) {
        if (x->yield_us) fiber_yield();
        x->yield_us = now + TURN_US;
    }
    if (x->parallel) TRY(parallel_check(x->parallel));
    if (x->session->waiter && waiter_canceled(x->session->waiter))
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    uint64_t limit = memory ? exec_memory_limit(x) : UINT64_MAX;
    if (limit == UINT64_MAX || exec_memory_used(x) <= limit) {
        x->check_us = now + CHECK_US;
        return OK;
    }
    FAIL(OUT_OF_MEMORY, "out of memory");
    error_detail("The query needs more than its memory limit of %llu kB.",
                 (unsigned long long)(limit >> 10));
    return error_hint("Raise the query memory limit, or make the query keep fewer rows at a time.");
}

enum status exec_check(struct execution *x)
{
    return check(x, true);
}

enum status exec_check_canceled(struct execution *x)
{
    return check(x, false);
}

enum status exec_zero(struct execution *x, void *p, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CHECK_BYTES) {
        if (x && bytes >= CHECK_BYTES) TRY(exec_check_canceled(x));
        memset((char *)p + at, 0, bytes - at < CHECK_BYTES ? bytes - at : CHECK_BYTES);
    }
    return OK;
}

enum status exec_copy(struct execution *x, void *to, const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CHECK_BYTES) {
        if (x && bytes >= CHECK_BYTES) TRY(exec_check_canceled(x));
        memcpy((char *)to + at, (const char *)from + at,
               bytes - at < CHECK_BYTES ? bytes - at : CHECK_BYTES);
    }
    return OK;
}

enum status exec_check_stack(void)
{
    if (fiber_stack_left() > STACK_RESERVE_BYTES) return OK;
    FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    return error_hint("The statement nests expressions or subqueries too deeply.");
}

static struct call_state *call_state_find(const struct execution *x, const struct expr *site)
{
    uint32_t mask = x->call_state_cap - 1;
    for (uint32_t i = (uint32_t)hash_u64((uintptr_t)site) & mask;; i = (i + 1) & mask) {
        struct call_state *c = &x->call_states[i];
        if (!c->site || c->site == site) return c;
    }
}

void *exec_call_state(const struct execution *x, const struct expr *site)
{
    return x->call_state_count ? call_state_find(x, site)->state : NULL;
}

void exec_set_call_state(struct execution *x, const struct expr *site, void *state)
{
    if (2 * (x->call_state_count + 1) > x->call_state_cap) {
        struct call_state *old = x->call_states;
        uint32_t old_cap = x->call_state_cap;
        x->call_state_cap = old_cap ? old_cap * 2 : 16;
        x->call_states = ARENA_ARRAY(x->arena, struct call_state, x->call_state_cap);
        for (uint32_t i = 0; i < old_cap; i++)
            if (old[i].site) *call_state_find(x, old[i].site) = old[i];
    }
    struct call_state *c = call_state_find(x, site);
    if (!c->site) x->call_state_count++;
    *c = (struct call_state){site, state};
}

void *exec_state(struct execution *x, const struct plan_node *n, size_t bytes, bool *ret_new)
{
    ASSERT(n->id < x->plan->node_count);
    *ret_new = !x->states[n->id];
    if (*ret_new) x->states[n->id] = arena_zalloc(x->arena, bytes);
    return x->states[n->id];
}
