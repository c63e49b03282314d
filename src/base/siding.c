#include "base/siding.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fiber_priv.h"

#ifdef HELIOS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HELIOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* While it runs, the fiber's (or coroutine's, or thread's) stack is the siding's: stack__swap. So a park
 * in the middle finds everything as it expects. One loop runs for the siding's life, as in coro.c. */

enum { GUARD_BYTES = 4096 };

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
    size_t bytes = (stack_bytes + GUARD_BYTES - 1) / GUARD_BYTES * GUARD_BYTES + GUARD_BYTES;
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return FAIL(INSUFFICIENT_RESOURCES, "could not map a stack: %s", strerror(errno));
    if (mprotect(base, GUARD_BYTES, PROT_NONE) != 0) {
        int failed = errno;
        munmap(base, bytes);
        return FAIL(INSUFFICIENT_RESOURCES, "could not guard a stack: %s", strerror(failed));
    }
    struct siding *s = mem_alloc(MEM_FIBER, sizeof *s);
    s->place.base = base;
    s->place.bytes = bytes;
    s->sp = context__make(base + bytes, entry);
#ifdef HELIOS_TSAN
    s->place.tsan = __tsan_create_fiber(0);
#endif
    *ret = s;
    return OK;
}

void siding_free(struct siding *s)
{
    ASSERT(!s->active);
#ifdef HELIOS_TSAN
    __tsan_destroy_fiber(s->place.tsan);
#endif
#ifdef HELIOS_ASAN
    __asan_unpoison_memory_region(s->place.base + GUARD_BYTES, s->place.bytes - GUARD_BYTES);
#endif
    munmap(s->place.base, s->place.bytes);
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
    __sanitizer_start_switch_fiber(&s->caller_fake_stack, s->place.base + GUARD_BYTES,
                                   s->place.bytes - GUARD_BYTES);
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
