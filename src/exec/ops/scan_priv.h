/* A scan's state and its run, for the ways of reading: scan.c by rows, column_scan.c by columns. */
#ifndef HELIOS_EXEC_OPS_SCAN_PRIV_H
#define HELIOS_EXEC_OPS_SCAN_PRIV_H

#include "exec/ops/gather_priv.h"
#include "exec/ops/row_filter.h"
#include "exec/ops/sample.h"
#include "exec/ops/scan_filter.h"

struct scan_state {
    struct arena *ranges, *batch;
    const type_id *types;
    struct datum *missing; /* by table column; NULL: none has one */
    struct slice *keys, *rows, *entry_rows;
    uint32_t room; /* for rows, in the three */
    struct scan_steps steps;
    uint64_t seed; /* of TABLESAMPLE */
    bool seeded;
};

struct scan_run {
    struct execution *x;
    struct txn *txn; /* that it reads with */
    const struct plan_node *n;
    struct scan_state *s;
    const struct exec_sink *out;
    uint32_t batch_rows;
    uint64_t rows_read;
    struct sample sample; /* with TABLESAMPLE */
    struct row_filters filters; /* of joins above */
};

/* Room for batch_rows in the state. */
void scan__reserve(struct scan_run *r);
/* Decodes the rows, filters, pushes. Both arrays may be changed. */
enum status scan__emit(struct scan_run *r, struct slice *keys, struct slice *rows,
                       uint32_t count) MUST;
/* The key and the table's oid, where the plan wants them; keys by row of the batch, of selected ones. */
void scan__fill_slots(struct scan_run *r, struct batch *b, const struct slice *keys);

/* By columns, all of it, when that is the way; *ret_done false: by rows. */
enum status scan__columns(struct scan_run *r, bool *ret_done) MUST;

#endif
