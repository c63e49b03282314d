/* How fast a store comes back: rows a second from the log, with one thread and with several.
 *
 *   recovery [rows] [trees] [row bytes]
 *
 * Writes that many rows in transactions of one row each, leaves the store as a crash would, and opens it
 * with recovery_threads 1, 2 … in turn. The rows lie in memory only, so each open applies all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fiber.h"
#include "base/log.h"
#include "base/os.h"
#include "core/store.h"
#include "core/txn.h"

enum { TREES_MAX = 64 };

static void check(enum status st, const char *what)
{
    if (st == OK) return;
    fprintf(stderr, "%s: %s\n", what, error_current()->message);
    exit(1);
}

static struct store *open_store(const char *dir, unsigned threads)
{
    struct store_options o;
    struct store *s;
    store_options_init(&o);
    o.os = os_real();
    o.dir = dir;
    o.memtable_bytes = o.memtable_total_bytes = 8ull << 30;
    o.recovery_threads = threads;
    check(store_open(&o, &s), "open");
    return s;
}

struct work {
    struct store *store;
    long rows;
    int trees;
    size_t row_bytes;
};

/* On a fiber, so that the log is written behind it. */
static void write_rows(void *arg)
{
    const struct work *w = arg;
    struct store *s = w->store;
    long rows = w->rows;
    int trees = w->trees;
    size_t row_bytes = w->row_bytes;
    const struct txn_options o = {0};
    tree_id ids[TREES_MAX];
    struct txn *t;
    char *row = calloc(1, row_bytes + 1);
    check(txn_begin(s, &o, &t), "begin");
    txn_statement_begin(t);
    for (int i = 0; i < trees; i++) check(store_create_tree(t, &ids[i]), "create");
    txn_statement_end(t);
    check(txn_commit(t, COMMIT_SYNC, NULL), "commit");
    for (long i = 0; i < rows; i++) {
        char key[8];
        uint64_t k = __builtin_bswap64((uint64_t)(i * 7919 % rows));
        memcpy(key, &k, sizeof key);
        const struct write_request q = {.tree = ids[i % trees], .op = WRITE_PUT,
                                        .key = slice_make(key, sizeof key),
                                        .row = slice_make(row, row_bytes)};
        check(txn_begin(s, &o, &t), "begin");
        txn_statement_begin(t);
        check(store_write(t, &q), "write");
        txn_statement_end(t);
        check(txn_commit(t, i == rows - 1 ? COMMIT_SYNC : COMMIT_ASYNC, NULL), "commit");
        if (i % 256 == 0) fiber_yield();
    }
    free(row);
}

int main(int argc, char **argv)
{
    const struct log_options quiet = {.level = LOG_WARNING};
    long rows = argc > 1 ? atol(argv[1]) : 1000000;
    int trees = argc > 2 ? atoi(argv[2]) : 4;
    size_t row_bytes = argc > 3 ? (size_t)atol(argv[3]) : 100;
    char dir[] = "/tmp/helios-recovery-XXXXXX", command[64];
    if (rows < 1 || trees < 1 || trees > TREES_MAX || !mkdtemp(dir)) return 2;
    check(log_open(&quiet), "log");
    struct store *s = open_store(dir, 1);
    struct work work = {s, rows, trees, row_bytes};
    struct sched *sched;
    check(sched_start(&(struct sched_options){.workers = 1}, &sched), "workers");
    check(fiber_spawn(sched, 0, write_rows, &work), "fiber");
    sched_stop(sched);
    store_abandon(s);
    for (unsigned threads = 1; threads <= 4; threads++)
        for (int round = 0; round < 2; round++) {
            int64_t start = monotonic_us();
            s = open_store(dir, threads);
            double seconds = (double)(monotonic_us() - start) / 1e6;
            printf("%ld rows of %zu bytes in %d trees, %u threads: %.2f s, %.2f M records/s\n", rows,
                   row_bytes, trees, threads, seconds, (double)rows / seconds / 1e6);
            fflush(stdout);
            store_abandon(s);
        }
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}
