/* How long statements take from text to plan, uncached: parsing alone, then names, types and the plan. Nothing
 * is run. Times are medians of --rounds.
 *
 * usage: plan --dir DATA_DIR --database NAME [--rounds N] FILE.sql ...
 * The directory belongs to a server that is stopped; its tables should be analysed. Each file's first
 * statement is measured, and a point query by the whole key of TPC-H's orders. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

enum { ROUNDS_MAX = 100000, TEXT_MAX = 1 << 20 };

static double times[2][ROUNDS_MAX];

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, int64_t n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

static void measure(struct session *s, const char *name, const char *text, int64_t rounds)
{
    for (int64_t i = 0; i < rounds; i++) {
        struct arena a;
        struct statement *statements;
        uint32_t count, param_count = 0;
        enum status st;
        type_id types[1] = {0};
        arena_init(&a, MEM_SESSION);
        int64_t t0 = bench_ns();
        bench_check(sql_parse(&a, slice_of(text), &statements, &count), name);
        int64_t t1 = bench_ns();
        struct cached_plan *p = session__plan(s, statements, slice_of(text), types, &param_count, false, &st);
        int64_t t2 = bench_ns();
        bench_check(st, name);
        cached_plan_unref(p);
        arena_release(&a);
        times[0][i] = (double)(t1 - t0) / 1000;
        times[1][i] = (double)(t2 - t1) / 1000;
    }
    char figure[64];
    snprintf(figure, sizeof figure, "%s_parse", name);
    bench_figure(figure, median(times[0], rounds), "us");
    snprintf(figure, sizeof figure, "%s_plan", name);
    bench_figure(figure, median(times[1], rounds), "us");
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(1);
    }
    char *text = calloc(1, TEXT_MAX);
    size_t n = fread(text, 1, TEXT_MAX - 1, f);
    text[n] = 0;
    fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    struct config *c = config_new();
    struct db *db;
    struct session *s;
    struct session_options so = {.user = "postgres",
                                 .database = bench_flag_text(argc, argv, "database", "tpch")};
    int64_t rounds = bench_flag(argc, argv, "rounds", 200);
    if (rounds < 1 || rounds > ROUNDS_MAX) rounds = 200;
    bench_clock(argc, argv);
    bench_check(config_set(c, "data_dir", bench_flag_text(argc, argv, "dir", "helios-data"), SOURCE_FLAG),
                "data_dir");
    struct db_options o = {.os = os_real(), .config = c};
    bench_check(db_open(&o, &db), "open");
    bench_check(session_new(db, &so, &s), "session");
    bench_check(session__ensure_txn(s), "transaction");
    txn_statement_begin(s->txn);
    measure(s, "point", "select o_totalprice from orders where o_orderkey = 7", rounds * 10 > ROUNDS_MAX
                                                                                    ? rounds : rounds * 10);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            i += strchr(argv[i], '=') == NULL;
            continue;
        }
        char *text = read_file(argv[i]), name[64];
        const char *base = strrchr(argv[i], '/');
        snprintf(name, sizeof name, "%s", base ? base + 1 : argv[i]);
        if (strchr(name, '.')) *strchr(name, '.') = 0;
        measure(s, name, text, rounds);
        free(text);
    }
    txn_statement_end(s->txn);
    session_free(s);
    bench_check(db_close(db), "close");
    config_free(c);
    return 0;
}
