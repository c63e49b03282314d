/* Filters that a hash join hands to the scan below its left side: a row whose key the sealed table
 * does not have will match nothing, so the scan need not decode the rest of it. A filter that removes
 * little is left out again by the scan that runs it. */
#ifndef HELIOS_EXEC_OPS_ROW_FILTER_H
#define HELIOS_EXEC_OPS_ROW_FILTER_H

#include "exec/ops/join_table.h"
#include "exec/ops/ops_priv.h"

struct row_filter {
    struct row_filter *next; /* of the same scan */
    const struct plan_node *scan; /* NULL: attached to none */
    uint32_t slot;           /* the key's, in the scan */
    const struct join_keys *keys;
    const struct join_table *table;
    const uint32_t *bits;    /* by key - table->min: is there such a key; NULL: the table says so */
};

/* Of a sealed table, which is read as long as the filter is. `a` lives as long. */
enum status row_filter_make(struct execution *x, struct arena *a, const struct join_keys *keys,
                            const struct join_table *table, struct row_filter *ret) MUST;

/* To the scan that gives the join's only left key, if there is one through whose rows' absence
 * nothing but the join's misses is lost. The filter must stay until it is detached. */
void row_filter_attach(struct execution *x, const struct plan_node *join, struct row_filter *f);
/* The scan that a column of the node comes from, as above, and its slot there; NULL: there is none. */
const struct plan_node *row_filter_find(const struct plan_node *n, uint32_t *slot);
void row_filter_put(struct execution *x, const struct plan_node *scan, uint32_t slot,
                    struct row_filter *f);
void row_filter_detach(struct execution *x, struct row_filter *f);

/* What one run of a scan knows of its filters. */
enum { ROW_FILTERS_MAX = 8 };
struct row_filters {
    const struct row_filter *filters[ROW_FILTERS_MAX];
    uint64_t in[ROW_FILTERS_MAX], out[ROW_FILTERS_MAX];
    uint32_t count;
};
void row_filters_begin(struct row_filters *r, struct execution *x, const struct plan_node *scan);
/* Narrows rows and keys (NULL: none) to those that may match; returns how many. Columns are decoded
 * in `a`. */
uint32_t row_filters_apply(struct row_filters *r, const struct plan_node *scan,
                           const struct datum *missing, struct arena *a, struct slice *keys,
                           struct slice *rows, uint32_t count);
/* One of them on its column, decoded: of rows `sel` (NULL: all) those that may match go to `kept`, which
 * may be sel. `a` is left as it is. */
uint32_t row_filters_keep(struct row_filters *r, uint32_t at, const struct vec *v, const uint16_t *sel,
                          uint32_t count, struct arena *a, uint16_t *kept);
/* After that: leaves it out when it has removed too little. */
void row_filters_judge(struct row_filters *r, uint32_t at);

#endif
