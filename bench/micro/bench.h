/* What the micro benchmarks share: flags, a clock, a histogram, work on fibers, and how figures are
 * printed: one line each, "name value unit", for people and for bench/engine.py. */
#ifndef HELIOS_BENCH_MICRO_BENCH_H
#define HELIOS_BENCH_MICRO_BENCH_H

#include "base/fiber.h"
#include "base/random.h"
#include "base/str.h"

enum { BENCH_KEY_BYTES = 16 };

/* "--name value" among the arguments, or what it is when absent. */
int64_t bench_flag(int argc, char **argv, const char *name, int64_t absent);
const char *bench_flag_text(int argc, char **argv, const char *name, const char *absent);

/* With --clock cpu it counts the processor time of the calling thread: for a busy machine, and only for
 * work that waits for nothing. bench_clock reads the flag. */
void bench_clock(int argc, char **argv);
int64_t bench_ns(void);
void bench_figure(const char *name, double value, const char *unit);
void bench_check(enum status s, const char *what); /* ends the program with the error's text */

/* Key number k as db_bench writes it: eight bytes big-endian, then '0's. */
struct slice bench_key(uint64_t k, char buf[BENCH_KEY_BYTES]);

/* Values that compress to about half, as db_bench's do; cut from one buffer. */
struct bench_values;
struct bench_values *bench_values_new(uint64_t seed);
struct slice bench_value(struct bench_values *v, uint32_t bytes);
void bench_values_free(struct bench_values *v);

/* Nanoseconds in 32 steps an octave: within 3%. */
struct bench_times {
    uint64_t counts[64 * 32];
    uint64_t total, max;
};
void bench_times_add(struct bench_times *t, int64_t ns);
void bench_times_merge(struct bench_times *t, const struct bench_times *from);
double bench_times_us(const struct bench_times *t, double quantile);

/* Runs fn(ctx, 0) … fn(ctx, count - 1), each on a fiber, over all workers in turn; returns when all
 * have ended. Not on a fiber. */
void bench_fibers(struct sched *s, uint32_t count, void (*fn)(void *ctx, uint32_t index), void *ctx);

/* Flushes a second of a bare loop that writes 4 KiB past the page cache and syncs, in a file in `dir`
 * whose space is there already: no commit that waits for the disk can be faster. */
double bench_sync_floor(const char *dir, double seconds, struct bench_times *times);

#endif
