/* TABLESAMPLE: which rows of a scan are taken. By chance, but with one seed and an unchanged table
 * always the same: BERNOULLI decides by the hash of a row's key, SYSTEM by that of its place, for
 * SAMPLE_BLOCK_ROWS rows at a time. */
#ifndef HELIOS_EXEC_OPS_SAMPLE_H
#define HELIOS_EXEC_OPS_SAMPLE_H

#include "exec/execution.h"

enum { SAMPLE_BLOCK_ROWS = 64 };

struct sample {
    bool by_block;
    uint64_t seed, cutoff; /* a 32-bit hash below it takes the row */
    uint64_t place;        /* of the next row */
};

/* Evaluates the arguments. `seed` is taken when the statement names none. */
enum status sample_begin(struct sample *s, struct execution *x, const struct table_sample *def,
                         uint64_t seed) MUST;
/* Keeps what is taken of these rows, in order; returns how many. */
uint32_t sample_take(struct sample *s, struct slice *keys, struct slice *rows, uint32_t count);

#endif
