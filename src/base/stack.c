/* Stacks of fibers, coroutines and sidings: their mappings, and what is left of the running one.
 *
 * A mapping is, from low to high: guard page (PROT_NONE), stack. Under sanitizers frames take several
 * times the room, so that mappings are longer by STACK_SCALE there, and a byte that is left
 * counts as 1/STACK_SCALE: limits of recursion then lie where they do in an ordinary build. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fiber_priv.h"

#ifdef HELIOS_ASAN
#include <sanitizer/asan_interface.h>
#endif
#ifdef HELIOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(HELIOS_ASAN) || defined(HELIOS_TSAN)
enum { STACK_SCALE = 4 };
#else
enum { STACK_SCALE = 1 };
#endif

enum { KEPT_BYTES = 256 << 10 }; /* of a stack that waits for its next user */

enum status stack__map(size_t bytes, struct stack_place *ret)
{
    bytes = (bytes + STACK_GUARD_BYTES - 1) / STACK_GUARD_BYTES * STACK_GUARD_BYTES;
    bytes = bytes * STACK_SCALE + STACK_GUARD_BYTES;
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return FAIL(INSUFFICIENT_RESOURCES, "could not map a stack: %s", strerror(errno));
    if (mprotect(base, STACK_GUARD_BYTES, PROT_NONE) != 0) {
        int failed = errno;
        munmap(base, bytes);
        return FAIL(INSUFFICIENT_RESOURCES, "could not guard a stack: %s", strerror(failed));
    }
    /* a page that is touched is no reason to have two megabytes */
    (void)madvise(base, bytes, MADV_NOHUGEPAGE);
    *ret = (struct stack_place){.base = base, .bytes = bytes};
    return OK;
}

/* The frames that never returned left their red zones behind. */
static void unpoison(const struct stack_place *p)
{
#ifdef HELIOS_ASAN
    __asan_unpoison_memory_region(p->base + STACK_GUARD_BYTES, p->bytes - STACK_GUARD_BYTES);
#endif
    (void)p;
}

void stack__wipe(const struct stack_place *p)
{
    unpoison(p);
    if (p->bytes > KEPT_BYTES + STACK_GUARD_BYTES)
        (void)madvise(p->base + STACK_GUARD_BYTES, p->bytes - STACK_GUARD_BYTES - KEPT_BYTES,
                      MADV_DONTNEED);
}

void stack__unmap(struct stack_place *p)
{
    unpoison(p);
    munmap(p->base, p->bytes);
    p->base = NULL;
}

void stack__name(struct stack_place *p)
{
#ifdef HELIOS_TSAN
    p->tsan = __tsan_create_fiber(0);
#endif
    (void)p;
}

void stack__forget(struct stack_place *p)
{
#ifdef HELIOS_TSAN
    __tsan_destroy_fiber(p->tsan);
#endif
    p->tsan = NULL;
}

/* --- the running one ----------------------------------------------------------------------------- */

static __thread char *thread_base; /* above its guard page; NULL: not asked for yet */
static __thread bool is_borrowed;  /* thread_base is a siding's */

static char *thread_stack_base(void)
{
    if (thread_base) return thread_base;
    pthread_attr_t attr;
    void *address = NULL;
    size_t bytes = 0;
    int failed = pthread_getattr_np(pthread_self(), &attr);
    ASSERT(!failed);
    pthread_attr_getstack(&attr, &address, &bytes);
    pthread_attr_destroy(&attr);
    return thread_base = (char *)address + STACK_GUARD_BYTES;
}

static void swap_places(struct stack_place *p, struct stack_place *q)
{
    struct stack_place was = *p;
    *p = *q;
    *q = was;
}

/* Not inlined: it reads thread-local variables before a switch and after it. */
__attribute__((noinline)) void stack__swap(struct stack_place *p)
{
    struct fiber *f = fiber_self();
    struct stack_place *of_coro = f ? NULL : coro__stack();
    if (f) {
        swap_places(&f->stack, p);
    } else if (of_coro) {
        swap_places(of_coro, p);
    } else {
        char *was = thread_stack_base() - STACK_GUARD_BYTES;
        thread_base = p->base + STACK_GUARD_BYTES;
        *p = (struct stack_place){.base = was};
        is_borrowed = !is_borrowed;
    }
}

size_t fiber_stack_left(void)
{
    struct fiber *f = fiber_self();
    struct stack_place *of = f ? &f->stack : coro__stack();
    bool scaled = of || is_borrowed;
    char *base = of ? of->base + STACK_GUARD_BYTES : thread_stack_base();
    char *here = __builtin_frame_address(0);
    if (here <= base) return 0;
    return (size_t)(here - base) / (scaled ? STACK_SCALE : 1);
}
