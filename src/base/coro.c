#include "base/coro.h"

#include "base/fiber_priv.h"

#ifdef HELIOS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HELIOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* One loop runs for the coroutine's life and calls what it is given; between two calls it rests in
 * switch_out. No function here touches a thread-local variable on both sides of a switch on the
 * coroutine's stack: the thread may be another one by then. */

struct coro {
    struct waiter *waiter;
    struct error error;
    struct work_counts work;
    void (*fn)(void *arg);
    void *arg;
    void *sp, *caller_sp;
    struct stack_place stack;
    bool active;            /* fn has begun and not returned */
    const void *caller_base; /* of the lending thread's stack, for AddressSanitizer */
    size_t caller_bytes;
    void *fake_stack, *caller_fake_stack;
    void *caller_tsan;
};

static __thread struct coro *this_coro;

static void switch_out(struct coro *c)
{
#ifdef HELIOS_ASAN
    __sanitizer_start_switch_fiber(&c->fake_stack, c->caller_base, c->caller_bytes);
#endif
#ifdef HELIOS_TSAN
    __tsan_switch_to_fiber(c->caller_tsan, 0);
#endif
    context__switch(&c->sp, c->caller_sp);
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(c->fake_stack, &c->caller_base, &c->caller_bytes);
#endif
}

static void entry(void)
{
    struct coro *c = this_coro;
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(NULL, &c->caller_base, &c->caller_bytes);
#endif
    for (;;) {
        c->fn(c->arg);
        c->active = false;
        switch_out(c);
    }
}

enum status coro_new(size_t stack_bytes, struct coro **ret)
{
    struct stack_place stack;
    TRY(stack__map(stack_bytes, &stack));
    struct coro *c = mem_alloc(MEM_FIBER, sizeof *c);
    c->stack = stack;
    c->waiter = waiter__take();
    c->sp = context__make(stack.base + stack.bytes, entry);
    stack__name(&c->stack);
    *ret = c;
    return OK;
}

void coro_free(struct coro *c)
{
    ASSERT(!c->active);
    stack__forget(&c->stack);
    stack__unmap(&c->stack);
    waiter__give(c->waiter);
    mem_free(MEM_FIBER, c);
}

void coro_start(struct coro *c, void (*fn)(void *arg), void *arg)
{
    ASSERT(!c->active);
    c->fn = fn;
    c->arg = arg;
    c->active = true;
}

bool coro_resume(struct coro *c)
{
    ASSERT(c->active && !this_coro && !fiber_self());
    this_coro = c;
    error_set_slot(&c->error);
    work__set_slot(&c->work);
#ifdef HELIOS_ASAN
    __sanitizer_start_switch_fiber(&c->caller_fake_stack, c->stack.base + STACK_GUARD_BYTES,
                                   c->stack.bytes - STACK_GUARD_BYTES);
#endif
#ifdef HELIOS_TSAN
    c->caller_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(c->stack.tsan, 0);
#endif
    context__switch(&c->caller_sp, c->sp);
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(c->caller_fake_stack, NULL, NULL);
#endif
    error_set_slot(NULL);
    work__set_slot(NULL);
    this_coro = NULL;
    return c->active;
}

void coro_yield(struct coro *c)
{
    DEBUG_ASSERT(c == this_coro);
    switch_out(c);
}

struct error *coro_error(struct coro *c)
{
    return &c->error;
}

struct waiter *coro_waiter(struct coro *c)
{
    return c->waiter;
}

struct waiter *coro__waiter_self(void)
{
    return this_coro ? this_coro->waiter : NULL;
}

struct stack_place *coro__stack(void)
{
    return this_coro ? &this_coro->stack : NULL;
}
