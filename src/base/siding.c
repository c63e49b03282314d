#include "base/siding.h"

#include "base/fiber_priv.h"

#ifdef HELIOS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HELIOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* While it runs, the fiber's (or coroutine's, or thread's) stack is the siding's: stack__swap. So a park
 * in the middle finds everything as it expects. One loop runs for the siding's life, as in coro.c. */

struct siding {
    struct stack_place place;
    void (*fn)(void *arg);
    void *arg;
    void *sp, *caller_sp;
    bool active;             /* fn has begun and not returned */
    const void *caller_base; /* for AddressSanitizer */
    size_t caller_bytes;
    void *fake_stack, *caller_fake_stack;
    void *caller_tsan;
};

static __thread struct siding *resumed; /* read once, where a siding begins */

static void switch_out(struct siding *s)
{
#ifdef HELIOS_ASAN
    __sanitizer_start_switch_fiber(&s->fake_stack, s->caller_base, s->caller_bytes);
#endif
#ifdef HELIOS_TSAN
    __tsan_switch_to_fiber(s->caller_tsan, 0);
#endif
    context__switch(&s->sp, s->caller_sp);
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(s->fake_stack, &s->caller_base, &s->caller_bytes);
#endif
}

static void entry(void)
{
    struct siding *s = resumed;
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(NULL, &s->caller_base, &s->caller_bytes);
#endif
    for (;;) {
        s->fn(s->arg);
        s->active = false;
        switch_out(s);
    }
}

enum status siding_new(size_t stack_bytes, struct siding **ret)
{
    struct stack_place place;
    TRY(stack__map(stack_bytes, &place));
    struct siding *s = mem_alloc(MEM_FIBER, sizeof *s);
    s->place = place;
    s->sp = context__make(place.base + place.bytes, entry);
    stack__name(&s->place);
    *ret = s;
    return OK;
}

void siding_free(struct siding *s)
{
    ASSERT(!s->active);
    stack__forget(&s->place);
    stack__unmap(&s->place);
    mem_free(MEM_FIBER, s);
}

void siding_start(struct siding *s, void (*fn)(void *arg), void *arg)
{
    ASSERT(!s->active);
    s->fn = fn;
    s->arg = arg;
    s->active = true;
}

bool siding_resume(struct siding *s)
{
    ASSERT(s->active);
    struct stack_place place = s->place;
    resumed = s;
    stack__swap(&place); /* now it holds the caller's */
#ifdef HELIOS_ASAN
    __sanitizer_start_switch_fiber(&s->caller_fake_stack, s->place.base + STACK_GUARD_BYTES,
                                   s->place.bytes - STACK_GUARD_BYTES);
#endif
#ifdef HELIOS_TSAN
    s->caller_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(s->place.tsan, 0);
#endif
    context__switch(&s->caller_sp, s->sp);
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(s->caller_fake_stack, NULL, NULL);
#endif
    stack__swap(&place);
    return s->active;
}

void siding_yield(struct siding *s)
{
    switch_out(s);
}
