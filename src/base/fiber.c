#include "base/fiber.h"

#include <string.h>

#include "base/fiber_priv.h"

#ifdef HELIOS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HELIOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* The life of a fiber. Its control block is never freed but goes to a free list (see waiters in
 * fiber_priv.h); its stack goes back to its worker's pool.
 *
 * The `struct error` of the fiber is at the top of its stack. Pages are resident once touched, and the
 * upper ones stay so in the pool: a page fault costs more than a switch. */

enum { POOLED_STACKS_MAX = 1024 }; /* a worker */

static struct spinlock free_lock;
static struct fiber *free_fibers; /* guarded by free_lock */

/* --- stacks ------------------------------------------------------------------------------------ */

/* Of a stack that nothing runs on, at its top. */
static struct stack *stack_link(const struct stack_place *p)
{
    return (struct stack *)(p->base + p->bytes - sizeof(struct stack));
}

static enum status take_stack(struct worker *w, struct stack_place *ret)
{
    spin_lock(&w->stack_lock);
    struct stack *s = w->stacks;
    if (s) {
        w->stacks = s->next;
        w->stack_count--;
    }
    spin_unlock(&w->stack_lock);
    if (!s) return stack__map(w->sched->stack_bytes, ret);
    *ret = s->place;
    return OK;
}

static void give_stack(struct worker *w, struct stack_place place)
{
    stack__wipe(&place);
    struct stack *s = stack_link(&place);
    s->place = place;
    spin_lock(&w->stack_lock);
    bool keep = w->stack_count < POOLED_STACKS_MAX;
    if (keep) {
        s->next = w->stacks;
        w->stacks = s;
        w->stack_count++;
    }
    spin_unlock(&w->stack_lock);
    if (!keep) stack__unmap(&place);
}

void fiber__free_stacks(struct worker *w)
{
    while (w->stacks) {
        struct stack *s = w->stacks;
        w->stacks = s->next;
        struct stack_place place = s->place;
        stack__unmap(&place);
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
    struct stack_place stack;
    TRY(take_stack(w, &stack));
    struct fiber *f = take_block();
    uintptr_t top = (uintptr_t)stack_link(&stack) - sizeof(struct error);
    top &= ~(uintptr_t)63;
    /* The waiter's word may be touched by a late wake of the block's last owner. */
    __atomic_store_n(&f->waiter.state, 0, __ATOMIC_RELAXED);
    f->task = (struct task){0};
    f->next = NULL;
    f->worker = w;
    f->stack = stack;
    f->error = (struct error *)top; /* a fresh mapping is zeros */
    if (f->error->code != OK) memset(f->error, 0, sizeof *f->error);
    f->fn = fn;
    f->arg = arg;
    f->timer_at = 0;
    f->ended = false;
    f->sp = context__make((char *)top, entry);
    f->fake_stack = NULL;
    stack__name(&f->stack);
    *ret = f;
    return OK;
}

void fiber__free(struct fiber *f)
{
    stack__forget(&f->stack);
    give_stack(f->worker, f->stack);
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
    __sanitizer_start_switch_fiber(&w->fake_stack, f->stack.base + STACK_GUARD_BYTES,
                                   f->stack.bytes - STACK_GUARD_BYTES);
#endif
#ifdef HELIOS_TSAN
    __tsan_switch_to_fiber(f->stack.tsan, 0);
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
