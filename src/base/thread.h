/* Threads: their end, for those who keep something in thread-local variables, and their turns. */
#ifndef HELIOS_BASE_THREAD_H
#define HELIOS_BASE_THREAD_H

#include <stdint.h>

/* Runs `fn` when the calling thread ends, the last asked for first; not when the process exits. */
void thread_at_exit(void (*fn)(void));

/* How the kernel is to treat the calling thread beside others: `nice` is added to its priority, and
 * `turn_us` is how long it wants the processor at a time, 100 … 100,000. Who asks for short turns gets
 * them soon, also while one that asked for a longer one is at work. Kernels before 6.12 have turns of
 * their own. */
void thread_set_turn(int nice, int64_t turn_us);

#endif
