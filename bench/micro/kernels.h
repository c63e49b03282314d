/* What the parts of bench_kernels share: the floor (memory bandwidth) and how a figure is printed. */
#ifndef HELIOS_BENCH_MICRO_KERNELS_H
#define HELIOS_BENCH_MICRO_KERNELS_H

#include "bench.h"

struct kernels {
    struct rng rng;
    uint64_t rows;        /* that a sort or a table is made of, at most */
    int64_t least_ns;     /* a figure is of so much time at least */
    const char *dir;      /* for the store whose catalog the expressions are bound in */
    double bytes_a_ns;    /* memory, read in order by one core */
};

/* One line: rows a second of one core, the bytes a row that it has to read and to write, and what
 * part of the memory's bandwidth that is. */
void kernels_figure(const struct kernels *k, const char *name, uint64_t rows, int64_t ns,
                    double row_bytes);

void kernels_expressions(struct kernels *k);
void kernels_hash_tables(struct kernels *k);
void kernels_sorter(struct kernels *k);
void kernels_columns(struct kernels *k);

#endif
