/* A scan's filter, and its columns as they are needed: what the first condition reads is decoded of all
 * rows, all else only of rows that the conditions before it have kept. */
#ifndef HELIOS_EXEC_OPS_SCAN_FILTER_H
#define HELIOS_EXEC_OPS_SCAN_FILTER_H

#include "exec/ops/ops_priv.h"

/* One of the conditions, and the slots that it is the first to read. */
struct scan_step {
    const struct expr *condition; /* NULL: none, what the plan above reads */
    uint16_t *slots;
    uint32_t slot_count;
};
struct scan_steps {
    struct scan_step *steps;
    uint32_t count;
    uint16_t *all;        /* slots, for the case that nearly all rows pass */
    uint32_t all_count;
    uint64_t in, out;     /* rows so far */
};

/* In the execution's arena; the last step has no condition. */
void scan_steps_make(struct scan_steps *s, struct execution *x, const struct plan_node *n);
/* The same of these conditions alone, which must all hold; in the arena. */
void scan_steps_of(struct scan_steps *s, struct arena *a, const struct plan_node *n,
                   const struct expr *const *conditions, uint32_t count);
/* Decodes the rows into b's columns, whose vectors are made, and leaves in b those that pass. */
enum status scan_steps_run(struct scan_steps *s, struct execution *x,
                           const struct plan_node *n, const struct slice *rows,
                           const struct datum *missing, struct arena *a, struct batch *b) MUST;

#endif
