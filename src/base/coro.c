#include "base/coro.h"

#include "base/fiber_priv.h"

struct coro {
    struct waiter *waiter;
    struct error error;
    struct work_counts work;
    struct side_stack on;
};

static __thread struct coro *this_coro;

enum status coro_new(size_t stack_bytes, struct coro **ret)
{
    struct side_stack on;
    TRY(side_stack__open(stack_bytes, &on));
    struct coro *c = mem_alloc(MEM_FIBER, sizeof *c);
    c->on = on;
    c->waiter = waiter__take();
    *ret = c;
    return OK;
}

void coro_free(struct coro *c)
{
    side_stack__close(&c->on);
    waiter__give(c->waiter);
    mem_free(MEM_FIBER, c);
}

void coro_start(struct coro *c, void (*fn)(void *arg), void *arg)
{
    side_stack__start(&c->on, fn, arg);
}

bool coro_resume(struct coro *c)
{
    ASSERT(c->on.active && !this_coro && !fiber_self());
    this_coro = c;
    error_set_slot(&c->error);
    work__set_slot(&c->work);
    side_stack__enter(&c->on);
    error_set_slot(NULL);
    work__set_slot(NULL);
    this_coro = NULL;
    return c->on.active;
}

void coro_yield(struct coro *c)
{
    DEBUG_ASSERT(c == this_coro);
    side_stack__leave(&c->on);
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
    return this_coro ? &this_coro->on.place : NULL;
}
