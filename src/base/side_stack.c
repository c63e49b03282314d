/* A second stack and the way onto it and off again: what coroutines and sidings are made of. */
#include "base/fiber_priv.h"

#ifdef HELIOS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HELIOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* One loop runs for the stack's life and calls what it is given; between two calls it rests in
 * side_stack__leave. It reads no thread-local variable after the first: the thread may be another one
 * by then. */
static __thread struct side_stack *entering;

static void entry(void)
{
    struct side_stack *s = entering;
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(NULL, &s->caller_base, &s->caller_bytes);
#endif
    for (;;) {
        s->fn(s->arg);
        s->active = false;
        side_stack__leave(s);
    }
}

enum status side_stack__open(size_t stack_bytes, struct side_stack *ret)
{
    struct side_stack s = {0};
    TRY(stack__map(stack_bytes, &s.place));
    s.sp = context__make(s.place.base + s.place.bytes, entry);
    stack__name(&s.place);
    *ret = s;
    return OK;
}

void side_stack__close(struct side_stack *s)
{
    ASSERT(!s->active);
    stack__forget(&s->place);
    stack__unmap(&s->place);
}

void side_stack__start(struct side_stack *s, void (*fn)(void *arg), void *arg)
{
    ASSERT(!s->active);
    s->fn = fn;
    s->arg = arg;
    s->active = true;
}

void side_stack__enter(struct side_stack *s)
{
    entering = s;
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
}

void side_stack__leave(struct side_stack *s)
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
