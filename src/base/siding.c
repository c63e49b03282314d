#include "base/siding.h"

#include "base/fiber_priv.h"

/* While it runs, the fiber's (or coroutine's, or thread's) stack is the siding's: stack__swap. So a park
 * in the middle finds everything as it expects. */

struct siding {
    struct side_stack on;
};

enum status siding_new(size_t stack_bytes, struct siding **ret)
{
    struct side_stack on;
    TRY(side_stack__open(stack_bytes, &on));
    struct siding *s = mem_alloc(MEM_FIBER, sizeof *s);
    s->on = on;
    *ret = s;
    return OK;
}

void siding_free(struct siding *s)
{
    side_stack__close(&s->on);
    mem_free(MEM_FIBER, s);
}

void siding_start(struct siding *s, void (*fn)(void *arg), void *arg)
{
    side_stack__start(&s->on, fn, arg);
}

bool siding_resume(struct siding *s)
{
    ASSERT(s->on.active);
    struct stack_place place = s->on.place;
    stack__swap(&place); /* now it holds the caller's */
    side_stack__enter(&s->on);
    stack__swap(&place);
    return s->on.active;
}

void siding_yield(struct siding *s)
{
    side_stack__leave(&s->on);
}
