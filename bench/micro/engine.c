/* The storage engine alone, through store.h and txn.h: what bench/engine.py sets beside RocksDB's
 * db_bench. Keys of 16 bytes, values that compress to half, one transaction a write. Sessions are
 * fibers on the scheduler, as in the server.
 *
 *   fill   every write a transaction of its own that does not wait for the disk, random keys
 *   read   random keys, each in a statement of its own (a fresh snapshot); some are not there
 *   scan   all rows in order
 *   sync   transactions of one write that wait for the disk, by 1 … 128 committers, beside the floor
 *
 * usage: engine [--dir DIR] [--only fill,read,scan,sync] [--keys N] [--reads N] [--scans N] [--value BYTES]
 *               [--writers 1,16,64] [--sync-ms N] [--workers N] [--cache-mb N] [--seed N]
 *               [--clock wall|cpu] */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/txn.h"

enum { YIELD_EVERY = 64, SCAN_ROWS = 256, WRITERS_MAX = 1024, QUIET_CHECKS = 10, QUIET_NS = 5000000 };

static struct {
    struct store *store;
    struct sched *sched;
    struct pool *pool;
    const char *dir;
    tree_id tree;
    uint64_t keys, reads, seed;
    uint32_t value_bytes;
    int64_t sync_ns, deadline, scans;
    struct bench_times *times; /* one a writer */
    uint64_t *counts;          /* one a writer */
} b;

static struct txn *begin(void)
{
    struct txn_options o = {0};
    struct txn *t;
    bench_check(txn_begin(b.store, &o, &t), "begin");
    txn_statement_begin(t);
    return t;
}

static void put_one(uint64_t k, struct slice value, enum commit_mode mode)
{
    char kb[BENCH_KEY_BYTES];
    struct txn *t = begin();
    struct write_request w = {.tree = b.tree, .op = WRITE_PUT, .key = bench_key(k, kb),
                              .row = value};
    bench_check(store_write(t, &w), "write");
    txn_statement_end(t);
    bench_check(txn_commit(t, mode, NULL), "commit");
}

static void new_tree(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    struct txn *t = begin();
    bench_check(store_create_tree(t, &b.tree), "create");
    txn_statement_end(t);
    bench_check(txn_commit(t, COMMIT_SYNC, NULL), "commit");
}

/* --- fill -------------------------------------------------------------------------------------- */

static void fill(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    struct bench_values *values = bench_values_new(b.seed);
    struct rng r;
    rng_seed(&r, b.seed);
    memset(b.times, 0, sizeof *b.times);
    int64_t start = bench_ns(), then = start;
    for (uint64_t i = 0; i < b.keys; i++) {
        put_one(rng_below(&r, b.keys), bench_value(values, b.value_bytes), COMMIT_ASYNC);
        int64_t now = bench_ns();
        bench_times_add(b.times, now - then);
        then = now;
        if (i % YIELD_EVERY == 0) fiber_yield(); /* as sessions do, so that the log gets on */
    }
    bench_values_free(values);
    bench_figure("fill", (double)b.keys * 1e9 / (double)(then - start), "ops/s");
    bench_figure("fill_p50", bench_times_us(b.times, 0.5), "us");
    bench_figure("fill_p99", bench_times_us(b.times, 0.99), "us");
    bench_figure("fill_p999", bench_times_us(b.times, 0.999), "us");
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Until flushes and compactions have come to rest, as db_bench's waitforcompaction: the process has
 * needed no processor for a second. */
static void settle(void)
{
    struct tree_statistics st;
    int64_t start = bench_ns(), last = cpu_ns();
    for (int quiet = 0; quiet < QUIET_CHECKS; quiet++) {
        usleep(100000);
        int64_t now = cpu_ns();
        if (now - last > QUIET_NS) quiet = 0;
        last = now;
    }
    bench_check(store_get_statistics(b.store, b.tree, &st), "statistics");
    printf("# settled in %.1f s: %u memtables, %u runs in %u levels, %.1f MB on disk\n",
           (double)(bench_ns() - start) / 1e9 - 0.1 * QUIET_CHECKS, st.memtables, st.runs, st.levels,
           (double)st.disk_bytes / 1e6);
}

/* --- read, scan -------------------------------------------------------------------------------- */

static void read_keys(const char *name, bool whole_txn)
{
    struct rng r;
    uint64_t found = 0, bytes = 0;
    rng_seed(&r, b.seed + 1);
    struct txn_options o = {.read_only = true};
    struct txn *t = NULL;
    int64_t start = bench_ns();
    for (uint64_t i = 0; i < b.reads; i++) {
        char kb[BENCH_KEY_BYTES];
        if (!t) bench_check(txn_begin(b.store, &o, &t), "begin");
        struct point_get_request q = {b.tree, bench_key(rng_below(&r, b.keys), kb)};
        struct slice row;
        txn_statement_begin(t);
        enum status st = store_point_get(t, &q, &row);
        if (st == OK) {
            found++;
            bytes += row.len + (unsigned char)row.data[0];
        } else if (st != NOT_FOUND) {
            bench_check(st, "read");
        }
        txn_statement_end(t);
        if (!whole_txn) continue;
        bench_check(txn_commit(t, COMMIT_SYNC, NULL), "commit");
        t = NULL;
    }
    int64_t ns = bench_ns() - start;
    if (t) bench_check(txn_commit(t, COMMIT_SYNC, NULL), "commit");
    if (!name) return;
    bench_figure(name, (double)b.reads * 1e9 / (double)ns, "ops/s");
    if (!whole_txn)
        printf("# %.1f%% of keys found, %.0f MB\n", 100.0 * (double)found / (double)b.reads,
               (double)bytes / 1e6);
}

static void read_all(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    read_keys(NULL, false); /* fills the cache */
    read_keys("read", false);
    read_keys("read_txn", true);
}

static void scan_once(const char *name, bool reverse)
{
    static struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    struct txn *t = begin();
    struct scan_request q = {.tree = b.tree, .reverse = reverse};
    struct cursor *c;
    uint64_t n = 0, bytes = 0;
    uint32_t count;
    int64_t start = bench_ns();
    bench_check(store_scan(t, &q, &c), "scan");
    do {
        bench_check(cursor_next(c, keys, rows, SCAN_ROWS, &count), "scan");
        for (uint32_t i = 0; i < count; i++)
            bytes += keys[i].len + rows[i].len + (unsigned char)rows[i].data[0];
        n += count;
    } while (count);
    cursor_close(c);
    int64_t ns = bench_ns() - start;
    txn_statement_end(t);
    bench_check(txn_commit(t, COMMIT_SYNC, NULL), "commit");
    if (!name) return;
    bench_figure(name, (double)n * 1e9 / (double)ns, "rows/s");
    printf("# %llu rows, %.0f MB\n", (unsigned long long)n, (double)bytes / 1e6);
}

static void scan_all(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    scan_once(NULL, false);
    for (int64_t i = b.scans; i > 1; i--) scan_once(NULL, false); /* for profiles */
    scan_once("scan", false);
    scan_once("scan_back", true);
}

/* --- sync -------------------------------------------------------------------------------------- */

static void sync_writer(void *ctx, uint32_t index)
{
    (void)ctx;
    struct bench_values *values = bench_values_new(b.seed + index);
    struct bench_times *times = &b.times[index];
    struct rng r;
    rng_seed(&r, b.seed + 1000 + index);
    int64_t then = bench_ns();
    while (then < b.deadline) {
        put_one(rng_below(&r, b.keys), bench_value(values, b.value_bytes), COMMIT_SYNC);
        int64_t now = bench_ns();
        bench_times_add(times, now - then);
        then = now;
        b.counts[index]++;
    }
    bench_values_free(values);
}

static void sync_writes(uint32_t writers)
{
    char name[64];
    struct store_status before, after;
    memset(b.times, 0, writers * sizeof *b.times);
    memset(b.counts, 0, writers * sizeof *b.counts);
    store_get_status(b.store, &before);
    int64_t start = bench_ns();
    b.deadline = start + b.sync_ns;
    bench_fibers(b.sched, writers, sync_writer, NULL);
    double seconds = (double)(bench_ns() - start) / 1e9;
    store_get_status(b.store, &after);
    uint64_t commits = b.counts[0], flushes = after.log_flushes - before.log_flushes;
    for (uint32_t i = 1; i < writers; i++) {
        bench_times_merge(b.times, &b.times[i]);
        commits += b.counts[i];
    }
    snprintf(name, sizeof name, "sync_%u", writers);
    bench_figure(name, (double)commits / seconds, "ops/s");
    snprintf(name, sizeof name, "sync_%u_flushes", writers);
    bench_figure(name, (double)flushes / seconds, "flushes/s");
    snprintf(name, sizeof name, "sync_%u_p50", writers);
    bench_figure(name, bench_times_us(b.times, 0.5), "us");
    snprintf(name, sizeof name, "sync_%u_p99", writers);
    bench_figure(name, bench_times_us(b.times, 0.99), "us");
}

static void sync_all(const char *list)
{
    static struct bench_times floor;
    memset(&floor, 0, sizeof floor);
    bench_figure("sync_floor", bench_sync_floor(b.dir, (double)b.sync_ns / 1e9, &floor),
                 "flushes/s");
    bench_figure("sync_floor_p50", bench_times_us(&floor, 0.5), "us");
    bench_figure("sync_floor_p99", bench_times_us(&floor, 0.99), "us");
    while (*list) {
        char *end;
        unsigned long n = strtoul(list, &end, 10);
        if (n == 0 || n > WRITERS_MAX) {
            fprintf(stderr, "--writers is a list of numbers of 1 to %d\n", WRITERS_MAX);
            exit(1);
        }
        sync_writes((uint32_t)n);
        list = *end ? end + 1 : end;
    }
}

/* --- the whole --------------------------------------------------------------------------------- */

static bool asked(const char *only, const char *what)
{
    return strstr(only, what) != NULL;
}

static void open_store(int64_t cache_mb)
{
    struct store_options o;
    store_options_init(&o);
    struct pool_options po = {.name = "background", .nice = 5, .queue_max = 1024, .threads = 2};
    bench_check(pool_start(&po, &b.pool), "pool");
    o.os = os_real();
    o.dir = b.dir;
    o.cache_bytes = (uint64_t)cache_mb << 20;
    o.background = b.pool;
    bench_check(store_open(&o, &b.store), "open");
}

int main(int argc, char **argv)
{
    char temp[1024], command[1100];
    const char *only = bench_flag_text(argc, argv, "only", "fill,read,scan,sync");
    snprintf(temp, sizeof temp, "%s/engine-bench-XXXXXX", bench_flag_text(argc, argv, "dir", "."));
    b.dir = mkdtemp(temp);
    if (!b.dir) bench_check(FAIL(IO_ERROR, "cannot make %s", temp), "directory");
    bench_clock(argc, argv);
    b.keys = (uint64_t)bench_flag(argc, argv, "keys", 2000000);
    b.reads = (uint64_t)bench_flag(argc, argv, "reads", (int64_t)b.keys);
    b.scans = bench_flag(argc, argv, "scans", 1);
    b.seed = (uint64_t)bench_flag(argc, argv, "seed", 1);
    b.value_bytes = (uint32_t)bench_flag(argc, argv, "value", 100);
    b.sync_ns = bench_flag(argc, argv, "sync-ms", 2000) * 1000000;
    b.times = mem_alloc(MEM_TEST, WRITERS_MAX * sizeof *b.times);
    b.counts = mem_alloc(MEM_TEST, WRITERS_MAX * sizeof *b.counts);
    struct sched_options so = {.workers = (unsigned)bench_flag(argc, argv, "workers", 2),
                               .spin_us_max = 50};
    open_store(bench_flag(argc, argv, "cache-mb", 2048));
    bench_check(sched_start(&so, &b.sched), "scheduler");
    bench_fibers(b.sched, 1, new_tree, NULL);
    if (asked(only, "sync"))
        sync_all(bench_flag_text(argc, argv, "writers", "1,4,16,32,64,128"));
    if (asked(only, "fill") || asked(only, "read") || asked(only, "scan")) {
        bench_fibers(b.sched, 1, new_tree, NULL);
        bench_fibers(b.sched, 1, fill, NULL);
        settle();
    }
    if (asked(only, "read")) bench_fibers(b.sched, 1, read_all, NULL);
    if (asked(only, "scan")) bench_fibers(b.sched, 1, scan_all, NULL);
    sched_stop(b.sched);
    store_abandon(b.store); /* nobody wants the data */
    pool_stop(b.pool);
    snprintf(command, sizeof command, "rm -rf '%s'", b.dir);
    return system(command) != 0;
}
