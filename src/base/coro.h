/* Coroutines for plain threads: a stack of its own that whoever calls lends a thread to. What runs
 * on it may stop in the middle, with all its frames, and go on later, on another thread too.
 *
 * Unlike a fiber a coroutine has no worker: where it waits, the thread that lends itself waits. It
 * has a waiter and an error slot of its own. */
#ifndef HELIOS_BASE_CORO_H
#define HELIOS_BASE_CORO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fiber.h"

struct coro;

/* INSUFFICIENT_RESOURCES. Only touched pages of the stack are resident. */
enum status coro_new(size_t stack_bytes, struct coro **ret) MUST;
/* Nothing runs on it. */
void coro_free(struct coro *c);
/* Sets what the next coro_resume begins. Nothing runs on it. */
void coro_start(struct coro *c, void (*fn)(void *arg), void *arg);
/* Runs it until it yields (true) or fn has returned (false). On a plain thread, not on another
 * coroutine; one thread at a time. */
bool coro_resume(struct coro *c);
/* On the coroutine: back to who resumed it. Holds no lock and no thread-local state. */
void coro_yield(struct coro *c);
struct error *coro_error(struct coro *c);
struct waiter *coro_waiter(struct coro *c);

#endif
