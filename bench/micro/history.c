/* What the past costs, on a real disk with a clock that is told: days of updates in minutes.
 *
 *   day    a hot table is updated at a steady rate for `hours` + `warm` hours under a retention of `hours`. Its
 *          space, beside the bytes of the keys and rows that the retention needs (they do not compress); then
 *          reads of the present, beside those of a table that was written once: with what is still in memory,
 *          at rest, in runs alone, and between the two.
 *   hour   a table is updated `updates` times within an hour; then reads of now and of before that hour, which
 *          are held against a log.
 *
 * The clock goes on by what one transaction of ROWS updates takes at the rate. Background work is done by the writer,
 * every some seconds of that clock, as all that is due would long have been done in as much real time.
 *
 * usage: history [--dir DIR] [--only day,hour] [--rows N] [--rate N] [--hours N] [--warm N] [--keys N] [--updates N]
 *                [--reads N] [--scans N] [--value BYTES] [--memtable-kb N] [--seed N] [--clock wall|cpu] */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hlc.h"
#include "base/mem.h"
#include "core/txn.h"

enum { ROWS = 100, SCAN_ROWS = 256, ROUNDS = 5, MAINTAIN_EVERY = 100 };

static struct {
    struct store *store;
    struct rng rng;
    int64_t now_us;
    uint64_t rows, rate, hours, warm, keys, updates, reads, scans;
    uint32_t value_bytes;
} b;

/* --- the clock --------------------------------------------------------------------------------- */

static int64_t told_us(struct os *os)
{
    (void)os;
    return __atomic_load_n(&b.now_us, __ATOMIC_RELAXED);
}

static struct os *told_os(void)
{
    static struct os_ops ops;
    static struct os os = {&ops};
    ops = *os_real()->ops;
    ops.wall_us = told_us;
    b.now_us = os_wall_us(os_real());
    return &os;
}

static void pass(int64_t us)
{
    __atomic_add_fetch(&b.now_us, us, __ATOMIC_RELAXED);
}

/* --- rows -------------------------------------------------------------------------------------- */

static struct txn *begin(void)
{
    struct txn_options o = {0};
    struct txn *t;
    bench_check(txn_begin(b.store, &o, &t), "begin");
    txn_statement_begin(t);
    return t;
}

static void commit(struct txn *t, enum commit_mode mode)
{
    txn_statement_end(t);
    bench_check(txn_commit(t, mode, NULL), "commit");
}

/* The version's number, and bytes that nothing makes smaller. */
static struct slice row_of(uint32_t version, char *buf)
{
    memcpy(buf, &version, sizeof version);
    for (uint32_t i = sizeof version; i < b.value_bytes; i += 8) {
        uint64_t x = rng_u64(&b.rng);
        memcpy(buf + i, &x, 8);
    }
    return slice_make(buf, b.value_bytes);
}

static void put(struct txn *t, tree_id tree, uint64_t key, uint32_t version)
{
    char kb[BENCH_KEY_BYTES], row[4096 + 8];
    struct write_request w = {.tree = tree, .op = WRITE_PUT, .key = bench_key(key, kb),
                              .row = row_of(version, row)};
    bench_check(store_write(t, &w), "write");
}

static tree_id new_table(uint64_t rows, uint32_t *versions)
{
    tree_id tree;
    struct txn *t = begin();
    bench_check(store_create_tree(t, &tree), "create");
    commit(t, COMMIT_SYNC);
    for (uint64_t i = 0; i < rows;) {
        t = begin();
        for (int n = 0; n < ROWS && i < rows; n++, i++) {
            put(t, tree, i, 0);
            if (versions) versions[i] = 0;
        }
        commit(t, COMMIT_ASYNC);
    }
    return tree;
}

/* --- reading ----------------------------------------------------------------------------------- */

static double get_us(struct txn *t, tree_id tree, uint64_t rows, const uint32_t *want)
{
    struct rng r;
    rng_seed(&r, 7);
    int64_t start = bench_ns();
    for (uint64_t i = 0; i < b.reads; i++) {
        char kb[BENCH_KEY_BYTES];
        uint64_t k = rng_below(&r, rows);
        struct point_get_request q = {tree, bench_key(k, kb)};
        struct slice row;
        struct txn *reader = t ? t : begin();
        uint32_t version;
        bench_check(store_point_get(reader, &q, &row), "get");
        memcpy(&version, row.data, sizeof version);
        if (want && version != want[k]) {
            fprintf(stderr, "key %llu: version %u, not %u\n", (unsigned long long)k, version, want[k]);
            exit(1);
        }
        if (!t) commit(reader, COMMIT_ASYNC);
    }
    return (double)(bench_ns() - start) / 1e3 / (double)b.reads;
}

static double scan_ms(struct txn *t, tree_id tree, uint64_t rows, const uint32_t *want)
{
    struct scan_request q = {.tree = tree};
    struct slice keys[SCAN_ROWS], found[SCAN_ROWS];
    struct cursor *c;
    struct txn *reader = t ? t : begin();
    uint64_t at = 0;
    uint32_t n;
    int64_t start = bench_ns();
    bench_check(store_scan(reader, &q, &c), "scan");
    do {
        bench_check(cursor_next(c, keys, found, SCAN_ROWS, &n), "scan");
        for (uint32_t i = 0; i < n; i++, at++) {
            uint32_t version;
            memcpy(&version, found[i].data, sizeof version);
            if (want && version != want[at]) {
                fprintf(stderr, "row %llu: version %u, not %u\n", (unsigned long long)at, version, want[at]);
                exit(1);
            }
        }
    } while (n);
    cursor_close(c);
    if (at != rows) {
        fprintf(stderr, "%llu rows, not %llu\n", (unsigned long long)at, (unsigned long long)rows);
        exit(1);
    }
    if (!t) commit(reader, COMMIT_ASYNC);
    return (double)(bench_ns() - start) / 1e6;
}

struct reads {
    double get, scan;
};

/* The best of some rounds. past 0: the present. */
static struct reads read_table(tree_id tree, uint64_t rows, uint64_t past, const uint32_t *want)
{
    struct reads best = {1e30, 1e30};
    for (int i = 0; i < ROUNDS; i++) {
        struct txn *t = begin(), *r = NULL;
        if (past) bench_check(txn_begin_past(t, past, &r), "past");
        double get = get_us(r ? r : t, tree, rows, want);
        if (get < best.get) best.get = get;
        for (uint64_t n = 0; n < b.scans; n++) {
            double scan = scan_ms(r ? r : t, tree, rows, want);
            if (scan < best.scan) best.scan = scan;
        }
        if (r) txn_end_reader(r);
        commit(t, COMMIT_ASYNC);
    }
    return best;
}

/* Both in turns, so that what else the machine does meets both. */
static void read_both(tree_id hot, const uint32_t *versions, tree_id fresh, const uint32_t *first, struct reads *ret_hot,
                      struct reads *ret_fresh)
{
    *ret_hot = *ret_fresh = (struct reads){1e30, 1e30};
    for (int i = 0; i < ROUNDS; i++) {
        struct reads a = read_table(hot, b.rows, 0, versions), f = read_table(fresh, b.rows, 0, first);
        if (a.get < ret_hot->get) ret_hot->get = a.get;
        if (a.scan < ret_hot->scan) ret_hot->scan = a.scan;
        if (f.get < ret_fresh->get) ret_fresh->get = f.get;
        if (f.scan < ret_fresh->scan) ret_fresh->scan = f.scan;
    }
}

/* What was committed is seen by all. */
static void sync_log(void)
{
    tree_id made;
    struct txn *t = begin();
    bench_check(store_create_tree(t, &made), "create");
    commit(t, COMMIT_SYNC);
}

/* All is visible, and nothing is left to do in the background. */
static void settle(void)
{
    bool worked = true;
    sync_log();
    while (worked) bench_check(store_maintain(b.store, &worked), "maintain");
}

/* --- a day ------------------------------------------------------------------------------------- */

/* One transaction; each row in turn, so that every version lives equally long. */
static void update(tree_id tree, uint64_t *at, uint64_t rows, uint32_t *versions)
{
    struct txn *t = begin();
    for (int i = 0; i < ROWS; i++) {
        uint64_t k = rng_below(&b.rng, rows);
        put(t, tree, k, ++versions[k]);
    }
    *at += ROWS;
    commit(t, COMMIT_ASYNC);
    fiber_yield();
    bool worked = *at % (MAINTAIN_EVERY * ROWS) == 0;
    while (worked) bench_check(store_maintain(b.store, &worked), "maintain");
}

static void tell_space(const char *when, tree_id tree, uint64_t updates)
{
    struct tree_statistics st;
    uint64_t kept = b.rate * b.hours * 3600;
    if (updates < kept) kept = updates;
    bench_check(store_get_statistics(b.store, tree, &st), "statistics");
    double needed = (double)(kept + b.rows) * (BENCH_KEY_BYTES + b.value_bytes);
    printf("# %s: %llu updates, %.1f MB on disk, %.1f of it history in %u runs, for %.1f MB; %.2f\n", when,
           (unsigned long long)updates, (double)st.disk_bytes / 1e6, (double)st.history_bytes / 1e6,
           st.history_runs, needed / 1e6, (double)st.disk_bytes / needed);
    fflush(stdout);
}

static double space_ratio(tree_id tree)
{
    struct tree_statistics st;
    double needed = (double)(b.rate * b.hours * 3600 + b.rows) * (BENCH_KEY_BYTES + b.value_bytes);
    bench_check(store_get_statistics(b.store, tree, &st), "statistics");
    return (double)st.disk_bytes / needed;
}

/* While a memtable fills: some keys have their newest version there and some in the run below. The worst scan of such a
 * moment, beside that of a table that was written once and is in memory. */
static void filling(tree_id tree, uint32_t *versions, const uint32_t *first)
{
    static const uint32_t percent[] = {5, 20, 50, 100, 200, 500, 1000};
    uint64_t at = 0;
    double worst = 0;
    bench_check(store_checkpoint(b.store), "checkpoint");
    settle();
    tree_id fresh = new_table(b.rows, NULL);
    for (uint32_t i = 0; i < sizeof percent / sizeof *percent; i++) {
        while (at < b.rows * percent[i] / 100) {
            update(tree, &at, b.rows, versions);
            pass((int64_t)(ROWS * 1000000 / b.rate));
        }
        sync_log();
        struct reads hot, young;
        read_both(tree, versions, fresh, first, &hot, &young);
        printf("# a memtable with %u updates for each 100 rows: scan %.3f ms, fresh %.3f ms; point read %.3f us\n",
               percent[i], hot.scan, young.scan, hot.get);
        if (hot.scan / young.scan > worst) worst = hot.scan / young.scan;
    }
    bench_figure("day_scan_filling", worst, "x");
}

static void day(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    uint32_t *versions = calloc(b.rows, sizeof *versions), *first = calloc(b.rows, sizeof *first);
    uint64_t total = b.rate * 3600 * (b.hours + b.warm), done = 0, worst_at = 0;
    double worst = 0;
    store_set_retention(b.store, (int64_t)b.hours * 3600 * 1000000);
    tree_id tree = new_table(b.rows, versions);
    int64_t start = bench_ns();
    for (uint64_t told = 0; done < total;) {
        update(tree, &done, b.rows, versions);
        pass((int64_t)(ROWS * 1000000 / b.rate));
        if (done >= b.rate * 3600 * b.hours && done % (b.rate * 360) < ROWS) {
            double now = space_ratio(tree);
            if (now > worst) worst = now, worst_at = done / (b.rate * 3600);
        }
        if (done / (b.rate * 3600) == told) continue;
        told = done / (b.rate * 3600);
        char when[32];
        snprintf(when, sizeof when, "hour %llu", (unsigned long long)told);
        if (told % 4 == 0) tell_space(when, tree, done);
    }
    double seconds = (double)(bench_ns() - start) / 1e9;
    settle();
    tell_space("at rest", tree, done);
    bench_figure("day_updates", (double)done, "updates");
    bench_figure("day_rate", (double)done / seconds, "updates/s");
    bench_figure("day_space", space_ratio(tree), "x");
    bench_figure("day_space_worst", worst, "x");
    printf("# the most space in hour %llu\n", (unsigned long long)worst_at);
    struct reads hot, young, new, rest;
    tree_id fresh = new_table(b.rows, NULL);
    sync_log();
    read_both(tree, versions, fresh, first, &hot, &young);
    bench_check(store_checkpoint(b.store), "checkpoint");
    settle();
    read_both(tree, versions, fresh, first, &rest, &new);
    bench_figure("day_get", hot.get, "us");
    bench_figure("day_get_at_rest", rest.get, "us");
    bench_figure("fresh_get", young.get, "us");
    bench_figure("fresh_get_at_rest", new.get, "us");
    bench_figure("day_scan", hot.scan, "ms");
    bench_figure("day_scan_at_rest", rest.scan, "ms");
    bench_figure("fresh_scan", young.scan, "ms");
    bench_figure("fresh_scan_at_rest", new.scan, "ms");
    filling(tree, versions, first);
    free(versions);
    free(first);
}

/* --- an hour ----------------------------------------------------------------------------------- */

static void hour(void *ctx, uint32_t index)
{
    (void)ctx, (void)index;
    uint32_t *then = calloc(b.keys, sizeof *then), *versions = calloc(b.keys, sizeof *versions);
    uint64_t done = 0;
    store_set_retention(b.store, 24ll * 3600 * 1000000);
    tree_id tree = new_table(b.keys, versions);
    for (uint64_t n = 0; n < b.keys;) update(tree, &n, b.keys, versions);
    memcpy(then, versions, b.keys * sizeof *then);
    pass(1000000);
    uint64_t moment = hlc_from_wall_us(b.now_us) & ~1ull;
    pass(1000000);
    int64_t start = bench_ns();
    while (done < b.updates) {
        update(tree, &done, b.keys, versions);
        pass((int64_t)(3600000000ull * ROWS / b.updates));
    }
    bench_figure("hour_rate", (double)done * 1e9 / (double)(bench_ns() - start), "updates/s");
    sync_log();
    struct reads now = read_table(tree, b.keys, 0, versions), past = read_table(tree, b.keys, moment, then);
    settle();
    tell_space("the hour", tree, done + b.keys);
    struct reads now2 = read_table(tree, b.keys, 0, versions), past2 = read_table(tree, b.keys, moment, then);
    bench_figure("hour_get_now", now2.get, "us");
    bench_figure("hour_get_past", past2.get, "us");
    bench_figure("hour_scan_now", now2.scan, "ms");
    bench_figure("hour_scan_past", past2.scan, "ms");
    bench_figure("hour_get_past_busy", past.get / now.get, "x");
    bench_figure("hour_scan_past_busy", past.scan / now.scan, "x");
    free(then);
    free(versions);
}

/* --- the whole --------------------------------------------------------------------------------- */

static void run(const char *dir, const char *name, int64_t memtable_kb, struct sched *sched,
                void (*fn)(void *ctx, uint32_t index))
{
    char at[1024];
    struct store_options o;
    snprintf(at, sizeof at, "%s/%s", dir, name);
    store_options_init(&o);
    o.os = told_os();
    o.dir = at;
    o.cache_bytes = 1ull << 30;
    if (memtable_kb) o.memtable_bytes = (uint64_t)memtable_kb << 10;
    bench_check(store_open(&o, &b.store), "open");
    bench_fibers(sched, 1, fn, NULL);
    bench_check(store_close(b.store), "close");
}

int main(int argc, char **argv)
{
    const char *dir = bench_flag_text(argc, argv, "dir", "."), *only = bench_flag_text(argc, argv, "only", "day,hour");
    int64_t memtable_kb = bench_flag(argc, argv, "memtable-kb", 0);
    bench_clock(argc, argv);
    rng_seed(&b.rng, (uint64_t)bench_flag(argc, argv, "seed", 1));
    b.rows = (uint64_t)bench_flag(argc, argv, "rows", 10000);
    b.rate = (uint64_t)bench_flag(argc, argv, "rate", 1000);
    b.hours = (uint64_t)bench_flag(argc, argv, "hours", 24);
    b.warm = (uint64_t)bench_flag(argc, argv, "warm", 6);
    b.keys = (uint64_t)bench_flag(argc, argv, "keys", 1000000);
    b.updates = (uint64_t)bench_flag(argc, argv, "updates", 10000000);
    b.reads = (uint64_t)bench_flag(argc, argv, "reads", 200000);
    b.scans = (uint64_t)bench_flag(argc, argv, "scans", 3);
    b.value_bytes = (uint32_t)bench_flag(argc, argv, "value", 100);
    if (b.value_bytes > 4096 || b.value_bytes < 8 || b.rate < ROWS / 100) return 1;
    struct sched_options so = {.workers = 1, .spin_us_max = 50};
    struct sched *sched;
    bench_check(sched_start(&so, &sched), "scheduler");
    if (strstr(only, "day")) run(dir, "day", memtable_kb, sched, day);
    if (strstr(only, "hour")) run(dir, "hour", memtable_kb, sched, hour);
    sched_stop(sched);
    return 0;
}
