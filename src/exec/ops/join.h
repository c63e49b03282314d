/* What both joins share: pairs of rows are collected, the condition decides, matches are pushed.
 *
 * The right side is one flat vector a column, so that a column of it goes out as a dictionary of which
 * the pairs' right rows are the codes: nothing of it is copied. Nor is the left batch when no row of
 * it has two matches: it goes out with a selection. */
#ifndef HELIOS_EXEC_OPS_JOIN_H
#define HELIOS_EXEC_OPS_JOIN_H

#include "exec/ops/ops_priv.h"

struct join_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *arena;      /* of a batch of pairs */
    const struct vec *right;  /* the right side's columns */
    uint64_t right_count;     /* its rows */
    uint8_t *right_matched;   /* RIGHT, FULL: by row of `right`; else NULL */
    const struct batch *left; /* current */
    bool left_matched[BATCH_ROWS];  /* by row */
    uint16_t pair_left[BATCH_ROWS]; /* row, ascending */
    uint32_t pair_right[BATCH_ROWS];
    uint32_t pairs;
    uint32_t left_columns, right_columns;
};

void join_init(struct join_run *j, struct execution *x, const struct plan_node *n,
               const struct exec_sink *out, struct arena *a);
/* SEMI, ANTI: what goes out are left rows alone. */
bool join_left_only(const struct join_run *j);
/* LEFT, FULL: left rows go out, match or not. */
bool join_keeps_left(const struct join_run *j);
/* Begins with a batch of left rows; they stay until join_end_batch. */
void join_begin_batch(struct join_run *j, const struct batch *left);
/* A candidate; pushes when there are enough. */
enum status join_add_pair(struct join_run *j, uint32_t left_row, uint32_t right_row) MUST;
/* Is another match of this left row of no use? (SEMI, ANTI) */
bool join_left_done(const struct join_run *j, uint32_t left_row);
/* Pushes the pairs. */
enum status join_flush(struct join_run *j) MUST;
/* Pushes the pairs left and the left rows that must come without a match. */
enum status join_end_batch(struct join_run *j) MUST;
/* Selected rows of a side, all of which go out with NULLs for the other side. */
enum status join_push_left(struct join_run *j, const struct batch *b) MUST;
enum status join_push_right(struct join_run *j, const struct batch *b) MUST;
/* RIGHT, FULL: the right rows without a match. */
enum status join_end(struct join_run *j) MUST;

#endif
