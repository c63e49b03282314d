/* Sidings: a second stack for whoever runs (a fiber, a coroutine, a thread), on which work can be
 * left standing while the first goes on.
 *
 * What runs on a siding is still the same fiber: it has its waiter and its error slot, may park, and
 * asks fiber_stack_left about the siding. A siding belongs to who made it and is used nowhere else. */
#ifndef HELIOS_BASE_SIDING_H
#define HELIOS_BASE_SIDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct siding;

/* INSUFFICIENT_RESOURCES. Only touched pages of the stack are resident. */
enum status siding_new(size_t stack_bytes, struct siding **ret) MUST;
/* Nothing stands on it. */
void siding_free(struct siding *s);
/* Sets what the next siding_resume begins. Nothing stands on it. */
void siding_start(struct siding *s, void (*fn)(void *arg), void *arg);
/* Runs it until it yields (true) or fn has returned (false). */
bool siding_resume(struct siding *s);
/* On the siding: back to who resumed it. */
void siding_yield(struct siding *s);

#endif
