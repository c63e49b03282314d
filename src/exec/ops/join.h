/* What both joins share: pairs of rows are collected, the condition decides, matches are pushed. */
#ifndef HELIOS_EXEC_OPS_JOIN_H
#define HELIOS_EXEC_OPS_JOIN_H

#include "exec/ops/ops_priv.h"

struct join_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *arena;      /* of a batch of pairs */
    struct rowset *right;     /* the right side's rows */
    uint8_t *right_matched;   /* RIGHT, FULL: by row of `right`; else NULL */
    const struct batch *left; /* current */
    bool left_matched[BATCH_ROWS]; /* by position among selected ones */
    uint16_t pair_left[BATCH_ROWS]; /* position among selected ones */
    uint32_t pair_right[BATCH_ROWS];
    uint32_t pairs;
    uint32_t left_columns, right_columns;
};

void join_init(struct join_run *j, struct execution *x, const struct plan_node *n,
               const struct exec_sink *out, struct arena *a);
/* Begins with a batch of left rows; they stay until join_end_batch. */
void join_begin_batch(struct join_run *j, const struct batch *left);
/* A candidate; pushes when there are enough. */
enum status join_add_pair(struct join_run *j, uint32_t left_position, uint32_t right_row) MUST;
/* Is another match of this left row of no use? (SEMI, ANTI) */
bool join_left_done(const struct join_run *j, uint32_t left_position);
/* Pushes the pairs left and the left rows that must come without a match. */
enum status join_end_batch(struct join_run *j) MUST;
/* RIGHT, FULL: the right rows without a match. */
enum status join_end(struct join_run *j) MUST;

#endif
