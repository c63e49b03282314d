#include "base/fiber.h"

#include <errno.h>
#include <pthread.h>
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

/* The life of a fiber. Its control block is never freed but goes to a free list (see waiters in
 * fiber_priv.h); its stack goes back to its worker's pool.
 *
 * A stack's mapping, from low to high: guard page (PROT_NONE), stack, then `struct error` of the
 * fiber at the top. Pages are resident once touched, and stay so in the pool: a page fault costs
 * more than a switch. */

enum {
    GUARD_BYTES = 4096,
    POOLED_STACKS_MAX = 1024, /* a worker */
};

static struct spinlock free_lock;
static struct fiber *free_fibers; /* guarded by free_lock */

/* --- stacks ------------------------------------------------------------------------------------ */

static enum status map_stack(size_t bytes, char **ret)
{
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return FAIL(INSUFFICIENT_RESOURCES, "could not map a fiber stack: %s", strerror(errno));
    if (mprotect(base, GUARD_BYTES, PROT_NONE) != 0) {
        int failed = errno;
        munmap(base, bytes);
        return FAIL(INSUFFICIENT_RESOURCES, "could not guard a fiber stack: %s", strerror(failed));
    }
    *ret = base;
    return OK;
}

static struct stack *stack_link(char *base, size_t bytes)
{
    return (struct stack *)(base + bytes - sizeof(struct stack));
}

static enum status take_stack(struct worker *w, size_t bytes, char **ret)
{
    spin_lock(&w->stack_lock);
    struct stack *s = w->stacks;
    if (s) {
        w->stacks = s->next;
        w->stack_count--;
    }
    spin_unlock(&w->stack_lock);
    if (!s) return map_stack(bytes, ret);
    *ret = s->base;
    return OK;
}

static void give_stack(struct worker *w, char *base, size_t bytes)
{
#ifdef HELIOS_ASAN
    /* The frames that never returned left their red zones behind. */
    __asan_unpoison_memory_region(base + GUARD_BYTES, bytes - GUARD_BYTES);
#endif
    struct stack *s = stack_link(base, bytes);
    s->base = base;
    s->bytes = bytes;
    spin_lock(&w->stack_lock);
    bool keep = w->stack_count < POOLED_STACKS_MAX;
    if (keep) {
        s->next = w->stacks;
        w->stacks = s;
        w->stack_count++;
    }
    spin_unlock(&w->stack_lock);
    if (!keep) munmap(base, bytes);
}

void fiber__free_stacks(struct worker *w)
{
    while (w->stacks) {
        struct stack *s = w->stacks;
        w->stacks = s->next;
        munmap(s->base, s->bytes);
    }
    w->stack_count = 0;
}

/* --- making and ending ------------------------------------------------------------------------- */

static struct fiber *take_block(void)
{
    spin_lock(&free_lock);
    struct fiber *f = free_fibers;
    if (f) free_fibers = f->next;
    spin_unlock(&free_lock);
    if (f) return f;
    f = mem_alloc(MEM_FIBER, sizeof *f);
    f->waiter.fiber = f;
    return f;
}

static void give_block(struct fiber *f)
{
    spin_lock(&free_lock);
    f->next = free_fibers;
    free_fibers = f;
    spin_unlock(&free_lock);
}

/* Where a fiber begins, on its own stack. */
static void entry(void)
{
    struct worker *w = worker__self();
    struct fiber *f = w->current;
#ifdef HELIOS_ASAN
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
    w->stack_base = (char *)(uintptr_t)bottom;
    w->stack_bytes = bytes;
#endif
    f->fn(f->arg);
    f->ended = true;
    fiber__suspend(f);
    UNREACHABLE();
}

enum status fiber__new(struct worker *w, void (*fn)(void *arg), void *arg, struct fiber **ret)
{
    size_t bytes = w->sched->stack_bytes;
    char *base = NULL;
    TRY(take_stack(w, bytes, &base));
    struct fiber *f = take_block();
    uintptr_t top = (uintptr_t)base + bytes - sizeof(struct error) - sizeof(struct stack);
    top &= ~(uintptr_t)63;
    /* The waiter's word may be touched by a late wake of the block's last owner. */
    __atomic_store_n(&f->waiter.state, 0, __ATOMIC_RELAXED);
    f->task = (struct task){0};
    f->next = NULL;
    f->worker = w;
    f->stack_base = base;
    f->stack_bytes = bytes;
    f->error = (struct error *)top; /* a fresh mapping is zeros */
    if (f->error->code != OK) memset(f->error, 0, sizeof *f->error);
    f->fn = fn;
    f->arg = arg;
    f->timer_at = 0;
    f->ended = false;
    f->sp = context__make((char *)top, entry);
    f->fake_stack = NULL;
#ifdef HELIOS_TSAN
    f->tsan = __tsan_create_fiber(0);
#endif
    *ret = f;
    return OK;
}

void fiber__free(struct fiber *f)
{
#ifdef HELIOS_TSAN
    __tsan_destroy_fiber(f->tsan);
#endif
    give_stack(f->worker, f->stack_base, f->stack_bytes);
    give_block(f);
}

/* --- what it did ------------------------------------------------------------------------------- */

static __thread struct work_counts *work_slot;
static __thread struct work_counts thread_work;

/* Not inlined, as error_current: the compiler must not keep the thread's address over a switch. */
__attribute__((noinline)) struct work_counts *work_counts(void)
{
    return work_slot ? work_slot : &thread_work;
}

__attribute__((noinline)) void work__set_slot(struct work_counts *slot)
{
    work_slot = slot;
}

/* --- switching --------------------------------------------------------------------------------- */

void fiber__resume(struct worker *w, struct fiber *f)
{
    w->current = f;
    error_set_slot(f->error);
    work__set_slot(&f->work);
#ifdef HELIOS_ASAN
    __sanitizer_start_switch_fiber(&w->fake_stack, f->stack_base + GUARD_BYTES,
                                   f->stack_bytes - GUARD_BYTES);
#endif
#ifdef HELIOS_TSAN
    __tsan_switch_to_fiber(f->tsan, 0);
#endif
    context__switch(&w->sp, f->sp);
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(w->fake_stack, NULL, NULL);
#endif
    error_set_slot(NULL);
    work__set_slot(NULL);
    w->current = NULL;
    if (!f->ended) return;
    struct sched *s = w->sched;
    fiber__free(f);
    bool last = __atomic_fetch_sub(&s->fibers, 1, __ATOMIC_SEQ_CST) == 1;
    if (last && __atomic_load_n(&s->stopping, __ATOMIC_SEQ_CST)) sched__nudge(s);
}

void fiber__suspend(struct fiber *f)
{
    struct worker *w = f->worker;
    DEBUG_ASSERT(w->current == f);
#ifdef HELIOS_ASAN
    __sanitizer_start_switch_fiber(f->ended ? NULL : &f->fake_stack, w->stack_base, w->stack_bytes);
#endif
#ifdef HELIOS_TSAN
    __tsan_switch_to_fiber(w->tsan, 0);
#endif
    context__switch(&f->sp, w->sp);
#ifdef HELIOS_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, NULL, NULL);
#endif
}

void fiber__attach_thread(struct worker *w)
{
#ifdef HELIOS_TSAN
    w->tsan = __tsan_get_current_fiber();
#else
    (void)w;
#endif
}

/* --- what a fiber asks about itself ------------------------------------------------------------ */

struct fiber *fiber_self(void)
{
    struct worker *w = worker__self();
    return w ? w->current : NULL;
}

int fiber_worker(void)
{
    struct worker *w = worker__self();
    return w ? (int)w->index : -1;
}

struct sched *sched_self(void)
{
    struct worker *w = worker__self();
    return w ? w->sched : NULL;
}

static __thread char *thread_base; /* above its guard page; NULL: not asked for yet */

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
    return thread_base = (char *)address + GUARD_BYTES;
}

/* Not inlined: it reads thread-local variables before a switch and after it. */
__attribute__((noinline)) void stack__swap(struct stack_place *p)
{
    struct fiber *f = fiber_self();
    if (f) {
        struct stack_place was = {f->stack_base, f->stack_bytes, f->tsan};
        f->stack_base = p->base;
        f->stack_bytes = p->bytes;
        f->tsan = p->tsan;
        *p = was;
    } else if (!coro__swap_stack(p)) {
        char *was = thread_stack_base() - GUARD_BYTES;
        thread_base = p->base + GUARD_BYTES;
        *p = (struct stack_place){.base = was};
    }
}

size_t fiber_stack_left(void)
{
    struct fiber *f = fiber_self();
    char *base = f ? f->stack_base + GUARD_BYTES : coro__stack_base();
    if (!base) base = thread_stack_base();
    char *here = __builtin_frame_address(0);
    return here > base ? (size_t)(here - base) : 0;
}
