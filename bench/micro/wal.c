/* The log alone: commits of one record that wait for the disk, by committers that are fibers; how long
 * an append takes to return; and, in turns with one log, what two logs on the same device reach, half of
 * the committers each.
 *
 * usage: wal [--dir DIR] [--committers 1,4,16,32,64,128] [--ms N] [--record BYTES] [--workers N] */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "core/wal/wal.h"

enum { LOGS_MAX = 2, COMMITTERS_MAX = 1024, ENQUEUES = 200000 };

static struct {
    struct sched *sched;
    char dir[1024];
    struct wal *logs[LOGS_MAX];
    struct hlc_clock clocks[LOGS_MAX];
    uint32_t log_count;
    struct slice record;
    int64_t deadline;
    struct bench_times *times;
    uint64_t counts[COMMITTERS_MAX];
} b;

static enum status nothing(void *ctx, lsn_t lsn, uint64_t ts, struct slice payload)
{
    (void)ctx, (void)lsn, (void)ts, (void)payload;
    return OK;
}

static void open_logs(uint32_t count)
{
    b.log_count = count;
    for (uint32_t i = 0; i < count; i++) {
        char path[1100];
        snprintf(path, sizeof path, "%s/wal%u-%u", b.dir, count, i);
        hlc_init(&b.clocks[i], os_real());
        struct wal_options o = {.os = os_real(), .dir = path, .clock = &b.clocks[i],
                                .file_bytes = 16 << 20};
        bench_check(wal_open(&o, &b.logs[i]), "open");
        bench_check(wal_replay(b.logs[i], (lsn_t){0}, 0, nothing, NULL), "replay");
    }
}

static void close_logs(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    for (uint32_t i = 0; i < b.log_count; i++) wal_close(b.logs[i]);
}

static void committer(void *ctx, uint32_t index)
{
    (void)ctx;
    struct wal *w = b.logs[index % b.log_count];
    int64_t then = bench_ns();
    while (then < b.deadline) {
        uint64_t ts;
        lsn_t end;
        bench_check(wal_append(w, &b.record, 1, false, &ts, &end), "append");
        bench_check(wal_wait(w, end, false), "wait");
        int64_t now = bench_ns();
        bench_times_add(&b.times[index], now - then);
        then = now;
        b.counts[index]++;
        /* Nothing is ever replayed: the files before go round. */
        if (index < b.log_count && b.counts[index] % 10000 == 0)
            bench_check(wal_recycle(w, wal_durable_lsn(w)), "recycle");
    }
}

static void commits(uint32_t committers, int64_t ns)
{
    char name[64];
    uint64_t flushes = 0, n = 0;
    memset(b.times, 0, committers * sizeof *b.times);
    memset(b.counts, 0, sizeof b.counts);
    for (uint32_t i = 0; i < b.log_count; i++) flushes -= wal_flush_count(b.logs[i]);
    int64_t start = bench_ns();
    b.deadline = start + ns;
    bench_fibers(b.sched, committers, committer, NULL);
    double seconds = (double)(bench_ns() - start) / 1e9;
    for (uint32_t i = 0; i < b.log_count; i++) flushes += wal_flush_count(b.logs[i]);
    for (uint32_t i = 0; i < committers; i++) n += b.counts[i];
    for (uint32_t i = 1; i < committers; i++) bench_times_merge(b.times, &b.times[i]);
    const char *logs = b.log_count == 1 ? "log" : "two_logs";
    snprintf(name, sizeof name, "%s_%u", logs, committers);
    bench_figure(name, (double)n / seconds, "commits/s");
    snprintf(name, sizeof name, "%s_%u_flushes", logs, committers);
    bench_figure(name, (double)flushes / seconds, "flushes/s");
    snprintf(name, sizeof name, "%s_%u_p50", logs, committers);
    bench_figure(name, bench_times_us(b.times, 0.5), "us");
    snprintf(name, sizeof name, "%s_%u_p99", logs, committers);
    bench_figure(name, bench_times_us(b.times, 0.99), "us");
}

/* From the call to the return of wal_append while flushes go on. */
static void enqueue(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    uint64_t ts;
    lsn_t end = {0};
    memset(b.times, 0, sizeof *b.times);
    for (uint32_t i = 0; i < ENQUEUES; i++) {
        int64_t start = bench_ns();
        bench_check(wal_append(b.logs[0], &b.record, 1, false, &ts, &end), "append");
        bench_times_add(b.times, bench_ns() - start);
        if (i % 64 == 63) fiber_yield(); /* lets the loop take completions in */
        if (i % 20000 == 19999) bench_check(wal_recycle(b.logs[0], wal_durable_lsn(b.logs[0])), "");
    }
    bench_check(wal_wait(b.logs[0], end, false), "wait");
    bench_figure("enqueue_p50", bench_times_us(b.times, 0.5), "us");
    bench_figure("enqueue_p99", bench_times_us(b.times, 0.99), "us");
    bench_figure("enqueue_p999", bench_times_us(b.times, 0.999), "us");
}

static void enqueue_alone(void *ctx, uint32_t index)
{
    open_logs(1);
    enqueue(ctx, index);
    close_logs(ctx, index);
}

int main(int argc, char **argv)
{
    static struct bench_times floor;
    char command[1100];
    const char *list = bench_flag_text(argc, argv, "committers", "1,4,16,32,64,128");
    int64_t ns = bench_flag(argc, argv, "ms", 1000) * 1000000;
    snprintf(b.dir, sizeof b.dir, "%s/wal-bench-XXXXXX", bench_flag_text(argc, argv, "dir", "."));
    if (!mkdtemp(b.dir)) bench_check(FAIL(IO_ERROR, "cannot make %s", b.dir), "directory");
    struct bench_values *values = bench_values_new(1);
    b.record = bench_value(values, (uint32_t)bench_flag(argc, argv, "record", 133));
    b.times = mem_alloc(MEM_TEST, COMMITTERS_MAX * sizeof *b.times);
    struct sched_options so = {.workers = (unsigned)bench_flag(argc, argv, "workers", 2),
                               .spin_us_max = 50};
    bench_check(sched_start(&so, &b.sched), "scheduler");
    bench_figure("floor", bench_sync_floor(b.dir, (double)ns / 1e9, &floor), "flushes/s");
    bench_figure("floor_p50", bench_times_us(&floor, 0.5), "us");
    bench_figure("floor_p99", bench_times_us(&floor, 0.99), "us");
    bench_fibers(b.sched, 1, enqueue_alone, NULL);
    for (const char *p = list; *p;) {
        char *end;
        unsigned long n = strtoul(p, &end, 10);
        if (n == 0 || n > COMMITTERS_MAX) bench_check(FAIL(SYNTAX_ERROR, "not a number"), p);
        for (uint32_t logs = 1; logs <= LOGS_MAX && logs <= n; logs++) {
            open_logs(logs);
            commits((uint32_t)n, ns);
            bench_fibers(b.sched, 1, close_logs, NULL);
        }
        p = *end ? end + 1 : end;
    }
    sched_stop(b.sched);
    snprintf(command, sizeof command, "rm -rf '%s'", b.dir);
    return system(command) != 0;
}
