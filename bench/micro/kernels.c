/* The loops that queries spend their time in, one thread, each beside the bandwidth of the memory:
 * expressions over batches of 2,048 rows, the tables of joins and groups, the sorter, the encodings of
 * columns. All of it is the engine's own code, driven as its operators drive it; expressions are bound
 * and planned from SQL.
 *
 * A line is a name, rows/s, bytes a row (what must be read and written at least: inputs, results and
 * the entries of a table), and the share of memory bandwidth that this is. The columns of expressions
 * lie in the core's cache, as a scan leaves them there, so that a share above 100 % means that memory
 * would be the limit. The head of each part says what is counted.
 *
 * usage: bench_kernels [--rows N] [--ms N] [--part expressions|tables|sorter|columns] [--dir DIR] [--seed N]
 *                      [--clock wall|cpu] */
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALK_BYTES = 512 << 20, WALKS = 5 };

/* Far more than any cache holds, eight sums side by side; the best of several walks. */
static void read_memory(struct kernels *k)
{
    typedef uint64_t wide __attribute__((vector_size(64)));
    uint64_t count = WALK_BYTES / sizeof(wide);
    int64_t best = INT64_MAX;
    wide *p = aligned_alloc(sizeof(wide), WALK_BYTES), sum[4] = {{0}};
    memset(p, 1, WALK_BYTES);
    for (int w = 0; w < WALKS; w++) {
        int64_t start = bench_ns();
        for (uint64_t i = 0; i < count; i += 4)
            for (int lane = 0; lane < 4; lane++) sum[lane] += p[i + (uint64_t)lane];
        int64_t ns = bench_ns() - start;
        if (ns < best) best = ns;
    }
    sum[0] += sum[1] + sum[2] + sum[3];
    if (!sum[0][0]) printf("#\n"); /* the sums are used */
    k->bytes_a_ns = (double)WALK_BYTES / (double)best;
    printf("# memory, read in order by one core: %.1f GB/s\n", k->bytes_a_ns);
    free(p);
}

void kernels_figure(const struct kernels *k, const char *name, uint64_t rows, int64_t ns,
                    double row_bytes)
{
    double rate = (double)rows / (double)(ns > 0 ? ns : 1);
    printf("%-34s %14.0f rows/s %7.1f bytes/row %7.1f %%\n", name, rate * 1e9, row_bytes,
           rate * row_bytes / k->bytes_a_ns * 100);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct kernels k = {.rows = (uint64_t)bench_flag(argc, argv, "rows", 4000000),
                        .least_ns = bench_flag(argc, argv, "ms", 300) * 1000000,
                        .dir = bench_flag_text(argc, argv, "dir", "bench-kernels-data")};
    const char *part = bench_flag_text(argc, argv, "part", "all");
    bool all = !strcmp(part, "all");
    bench_clock(argc, argv);
    rng_seed(&k.rng, (uint64_t)bench_flag(argc, argv, "seed", 1));
    read_memory(&k);
    if (all || !strcmp(part, "expressions")) kernels_expressions(&k);
    if (all || !strcmp(part, "tables")) kernels_hash_tables(&k);
    if (all || !strcmp(part, "sorter")) kernels_sorter(&k);
    if (all || !strcmp(part, "columns")) kernels_columns(&k);
    return 0;
}
