/* The hash join, for its own files: hash_join.c (building, probing), hash_join_match.c (keys that a hash
 * stands for), hash_join_spill.c (when the build side does not fit in memory). */
#ifndef HELIOS_EXEC_OPS_HASH_JOIN_PRIV_H
#define HELIOS_EXEC_OPS_HASH_JOIN_PRIV_H

#include "exec/ops/join.h"
#include "exec/ops/row_filter.h"

enum { JOIN_PARTS_MAX = 32, JOIN_DEPTH_MAX = 4 };

/* The build side. Sealed by hash_join__seal, read-only from then on. */
struct hash_build {
    struct rowset rows;       /* the right side's columns; then keys that are not among them */
    struct join_keys keys;
    struct join_table table;
    const uint32_t *key_at;   /* by key: its column of `rows`; not packed */
    const struct vec *columns;
    bool keeps_right;         /* RIGHT, FULL: rows with NULL keys are kept, without an entry */
    bool null_aware, has_null;
    uint64_t rows_in;         /* that came, rows with NULL keys among them */
};

/* One prober's state. */
struct hash_probe {
    struct arena *arena; /* of a batch of left rows */
    struct vec *keys;    /* of the batch */
    uint32_t candidates;
    uint16_t rows[BATCH_ROWS];
    uint64_t hashes[BATCH_ROWS];
    uint16_t sel[BATCH_ROWS];
    uint32_t from[BATCH_ROWS], to[BATCH_ROWS];
};

struct hash_join {
    struct join_run j;
    struct hash_build build;
    struct hash_probe probe;
    struct arena *keep, *rows_arena, *bytes_arena, *table_arena, *load_arena;
    const type_id *types;       /* of build.rows' columns */
    uint32_t column_count;
    struct join_parts *parts;   /* NULL: all is in memory */
    struct spill *open[2 * JOIN_PARTS_MAX * (JOIN_DEPTH_MAX + 1)];
    struct row_filter filter;   /* of the sealed table */
    uint64_t *seen;             /* by left row of a partition: matched in an earlier pass */
    uint64_t memory_most, buckets_most;
    struct joint_build *joint;  /* NULL: built alone */
    bool is_part;               /* a worker's part of that */
    uint32_t place;             /* its number there */
    uint32_t builders;          /* workers that build: each must leave the others room */
    uint32_t batches;           /* parts on disk joined one after another; 0: none */
};

/* --- hash_join.c --- */

struct hash_join *hash_join__begin(struct execution *x, const struct plan_node *n,
                                   const struct exec_sink *out);
/* A sink of the build side's rows. */
enum status hash_join__build_rows(void *ctx, const struct batch *b) MUST;
/* Begins an empty build side. */
void hash_join__reset(struct hash_join *h);
enum status hash_join__add(struct hash_join *h, const struct batch *b) MUST;
enum status hash_join__seal(struct hash_join *h) MUST;
/* What follows when the table is sealed; `bytes` lie outside its arena. */
void hash_join__sealed(struct hash_join *h, const struct vec *columns, uint64_t rows, uint64_t bytes);
/* Finds the batch's pairs; the caller ends the batch. */
enum status hash_join__probe(struct hash_join *h, const struct batch *b) MUST;
/* Evaluates a side's keys in h->probe: rows with keys go to its `rows`, `hashes`, `candidates`. */
enum status hash_join__keys(struct hash_join *h, struct expr *const *exprs, const struct batch *b,
                            bool *ret_null) MUST;
/* Rows of the batch that are not among probe.rows: those with NULL keys. */
uint32_t hash_join__null_rows(const struct hash_join *h, const struct batch *b, uint16_t *ret);

/* --- hash_join_together.c --- */

bool hash_join__builds_together(const struct hash_join *h);
enum status hash_join__build_together(struct hash_join *h) MUST;
/* There is too little memory: rows of all workers go to the leader's disk. */
bool hash_join__is_spilling(const struct hash_join *h);
void hash_join__say_spilling(struct hash_join *h);
/* A worker's rows to the leader; those first that it has kept. */
enum status hash_join__pass_on(struct hash_join *h, const struct batch *b) MUST;

/* --- hash_join_match.c --- */

/* Of the pairs, keeps those whose keys are equal. */
void hash_join__match(struct join_run *j, const struct hash_build *b, const struct vec *left_keys);

/* --- hash_join_spill.c --- */

bool hash_join__must_spill(const struct hash_join *h);
/* What is built goes to disk, and what comes after it. */
enum status hash_join__spill(struct hash_join *h) MUST;
enum status hash_join__spill_build(struct hash_join *h, const struct batch *b) MUST;
enum status hash_join__spill_probe(struct hash_join *h, const struct batch *b) MUST;
enum status hash_join__join_spilled(struct hash_join *h) MUST;
void hash_join__release(struct hash_join *h);

#endif
