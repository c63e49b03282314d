/* Group commit: how many records of 160 bytes become durable a second, for 1 to 64 committers that each
 * wait for theirs, as fibers on two workers; then the same with a window (commit_mode batch).
 *
 *   commit [seconds each] [dir] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fiber.h"
#include "base/log.h"
#include "base/os.h"
#include "core/wal/wal.h"

struct committer {
    struct wal *wal;
    bool batch;
    int64_t until_us;
    uint64_t *commits; /* atomic */
};

static enum status ignore(void *ctx, lsn_t lsn, uint64_t ts, struct slice payload)
{
    (void)ctx, (void)lsn, (void)ts, (void)payload;
    return OK;
}

static void commit(void *arg)
{
    const struct committer *c = arg;
    char data[160] = "x";
    const struct slice p = slice_make(data, sizeof data);
    while (monotonic_us() < c->until_us) {
        uint64_t ts;
        lsn_t end;
        if (wal_append(c->wal, &p, 1, c->batch, &ts, &end) != OK) abort();
        if (wal_wait(c->wal, end, c->batch) != OK) abort();
        __atomic_fetch_add(c->commits, 1, __ATOMIC_RELAXED);
    }
}

static void run(const char *dir, double seconds, int committers, int64_t window_us)
{
    struct hlc_clock clock;
    struct wal *w;
    struct sched *s;
    uint64_t commits = 0;
    hlc_init(&clock, os_real());
    const struct wal_options o = {.os = os_real(), .dir = dir, .clock = &clock,
                                  .batch_window_us = window_us};
    if (wal_open(&o, &w) != OK || wal_replay(w, (lsn_t){0}, 0, ignore, NULL) != OK ||
        sched_start(&(struct sched_options){.workers = 2}, &s) != OK) {
        fprintf(stderr, "%s\n", error_current()->message);
        exit(1);
    }
    struct committer c = {w, window_us > 0, monotonic_us() + (int64_t)(seconds * 1e6), &commits};
    uint64_t flushes = wal_flush_count(w);
    for (int i = 0; i < committers; i++)
        if (fiber_spawn(s, i % 2, commit, &c) != OK) abort();
    sched_stop(s);
    flushes = wal_flush_count(w) - flushes;
    printf("%2d committers, window %5lld us: %7.0f commits/s, %6.0f flushes/s, %.1f a flush\n",
           committers, (long long)window_us, (double)commits / seconds, (double)flushes / seconds,
           flushes ? (double)commits / (double)flushes : 0);
    fflush(stdout);
    wal_close(w);
}

int main(int argc, char **argv)
{
    static const int committers[] = {1, 8, 16, 64};
    static const int64_t windows[] = {0, 500, 2000};
    const struct log_options quiet = {.level = LOG_WARNING};
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    char made[] = "/tmp/helios-commit-XXXXXX", command[64];
    const char *dir = argc > 2 ? argv[2] : mkdtemp(made);
    if (!dir || log_open(&quiet) != OK) return 2;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 4; k++) run(dir, seconds, committers[k], windows[i]);
    if (argc > 2) return 0;
    snprintf(command, sizeof command, "rm -rf %s", made);
    return system(command);
}
