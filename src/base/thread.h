/* The end of a thread, for those who keep something in thread-local variables. */
#ifndef HELIOS_BASE_THREAD_H
#define HELIOS_BASE_THREAD_H

/* Runs `fn` when the calling thread ends, the last asked for first; not when the process exits. */
void thread_at_exit(void (*fn)(void));

#endif
