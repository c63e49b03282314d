#include "bench.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { VALUES_BYTES = 1 << 20, FLOOR_BYTES = 16 << 20, BLOCK = 4096 };

const char *bench_flag_text(int argc, char **argv, const char *name, const char *absent)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) return argv[i + 1];
    return absent;
}

int64_t bench_flag(int argc, char **argv, const char *name, int64_t absent)
{
    const char *text = bench_flag_text(argc, argv, name, NULL);
    return text ? strtoll(text, NULL, 10) : absent;
}

static clockid_t clock_id = CLOCK_MONOTONIC;

void bench_clock(int argc, char **argv)
{
    if (strcmp(bench_flag_text(argc, argv, "clock", "wall"), "cpu") == 0)
        clock_id = CLOCK_THREAD_CPUTIME_ID;
}

int64_t bench_ns(void)
{
    struct timespec t;
    clock_gettime(clock_id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_figure(const char *name, double value, const char *unit)
{
    printf("%-28s %14.*f %s\n", name, value < 1000 ? 3 : 0, value, unit);
    fflush(stdout);
}

void bench_check(enum status s, const char *what)
{
    if (s == OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, status_name(s), error_current()->message);
    exit(1);
}

struct slice bench_key(uint64_t k, char buf[BENCH_KEY_BYTES])
{
    uint64_t head = htobe64(k);
    memset(buf, '0', BENCH_KEY_BYTES);
    memcpy(buf, &head, sizeof head);
    return slice_make(buf, BENCH_KEY_BYTES);
}

/* --- values ------------------------------------------------------------------------------------ */

struct bench_values {
    char data[VALUES_BYTES];
    uint32_t at;
};

struct bench_values *bench_values_new(uint64_t seed)
{
    struct bench_values *v = mem_alloc(MEM_TEST, sizeof *v);
    struct rng r;
    rng_seed(&r, seed);
    for (uint32_t i = 0; i + 100 <= VALUES_BYTES; i += 100) {
        for (uint32_t k = 0; k < 50; k++) v->data[i + k] = (char)(' ' + rng_below(&r, 95));
        memcpy(v->data + i + 50, v->data + i, 50);
    }
    return v;
}

struct slice bench_value(struct bench_values *v, uint32_t bytes)
{
    if (v->at + bytes > VALUES_BYTES) v->at = 0;
    struct slice s = slice_make(v->data + v->at, bytes);
    v->at += bytes;
    return s;
}

void bench_values_free(struct bench_values *v)
{
    mem_free(MEM_TEST, v);
}

/* --- times ------------------------------------------------------------------------------------- */

void bench_times_add(struct bench_times *t, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    unsigned octave = v < 32 ? 0 : (unsigned)(63 - __builtin_clzll(v)) - 4;
    uint64_t step = octave ? v >> (octave - 1) : v; /* 32 … 63, or 0 … 31 */
    t->counts[octave ? octave * 32 + (step - 32) : step]++;
    t->total++;
    if (v > t->max) t->max = v;
}

void bench_times_merge(struct bench_times *t, const struct bench_times *from)
{
    for (unsigned i = 0; i < 64 * 32; i++) t->counts[i] += from->counts[i];
    t->total += from->total;
    if (from->max > t->max) t->max = from->max;
}

double bench_times_us(const struct bench_times *t, double quantile)
{
    uint64_t rank = (uint64_t)((double)t->total * quantile), seen = 0;
    for (unsigned i = 0; i < 64 * 32; i++) {
        seen += t->counts[i];
        if (seen <= rank) continue;
        unsigned octave = i / 32, step = i % 32;
        double ns = octave ? (double)((step + 32ull) << (octave - 1)) : step;
        return ns / 1000;
    }
    return (double)t->max / 1000;
}

/* --- fibers ------------------------------------------------------------------------------------ */

struct crew {
    void (*fn)(void *ctx, uint32_t index);
    void *ctx;
    struct waiter *boss;
    uint32_t next, left; /* atomic */
};

static void member(void *arg)
{
    struct crew *c = arg;
    c->fn(c->ctx, __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED));
    struct waiter *boss = c->boss;
    if (__atomic_sub_fetch(&c->left, 1, __ATOMIC_ACQ_REL) == 0) waiter_wake(boss);
}

void bench_fibers(struct sched *s, uint32_t count, void (*fn)(void *ctx, uint32_t index), void *ctx)
{
    struct crew c = {.fn = fn, .ctx = ctx, .boss = waiter_self(), .left = count};
    int workers = (int)sched_worker_count(s);
    for (uint32_t i = 0; i < count; i++)
        bench_check(fiber_spawn(s, (int)i % workers, member, &c), "fiber");
    while (__atomic_load_n(&c.left, __ATOMIC_ACQUIRE))
        (void)waiter_park_uncancelable(c.boss, 0);
}

/* --- the floor --------------------------------------------------------------------------------- */

double bench_sync_floor(const char *dir, double seconds, struct bench_times *times)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/floor", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    char *block = aligned_alloc(BLOCK, 1 << 20);
    if (fd < 0 || !block) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    memset(block, 0, 1 << 20);
    bool good = true;
    for (int i = 0; i < FLOOR_BYTES; i += 1 << 20) good &= pwrite(fd, block, 1 << 20, i) == 1 << 20;
    good &= fsync(fd) == 0;
    int64_t start = bench_ns(), now = start, end = start + (int64_t)(seconds * 1e9);
    uint64_t n = 0;
    for (; good && now < end; n++) {
        block[n % BLOCK]++;
        good = pwrite(fd, block, BLOCK, (off_t)(n * BLOCK % FLOOR_BYTES)) == BLOCK &&
               fdatasync(fd) == 0;
        int64_t then = now;
        now = bench_ns();
        if (times) bench_times_add(times, now - then);
    }
    if (!good) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    free(block);
    close(fd);
    unlink(path);
    return (double)n * 1e9 / (double)(now - start);
}
