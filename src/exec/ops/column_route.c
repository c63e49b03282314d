/* A row costs what finding and decoding it takes, most of which is the same for one column or ten. A block
 * of columns costs something for each of its columns that is looked at, and little for each value; what a
 * key range leaves out is left out block by block. Measured on TPC-H in memory, in nanoseconds. */
#include "exec/ops/column_route.h"

#include "catalog/table_storage.h"
#include "core/columns.h"

#define ROW_NS 40.0            /* a row that is found in key order */
#define ROW_VALUE_NS 6.0       /* a value of it */
#define MAKE_VALUE_NS 20.0     /* … more, where rows are made of columns */
#define RANGE_NS 2000.0        /* a descent to where a range begins */
#define COLUMN_START_NS 20000.0 /* of a scan: what the runs have, and what hides what */
#define BLOCK_NS 200.0         /* to look at a block's zones and masks */
#define BLOCK_COLUMN_NS 1500.0 /* to decode or to test a column of one */
#define VALUE_NS 1.5

bool column_route_may(const struct plan *p, const struct plan_node *n)
{
    const struct key_range *k = &n->scan.range;
    if (n->kind != PLAN_SCAN || n->scan.sample || n->scan.versions || n->scan.reverse ||
        n->scan.ordered)
        return false;
    if (!table_has_columns(n->scan.table)) return false;
    if (n->scan.key_slot >= 0 && p->lock_strength) return false;
    return !n->scan.table->primary || k->equal_count < n->scan.table->primary->key_count;
}

static double ranges_of(const struct key_range *k)
{
    return k->in_list ? k->in_count : k->in_array ? 10 : 1;
}

static bool has_range(const struct key_range *k)
{
    return k->equal_count || k->lower || k->upper || k->in_list || k->in_array;
}

enum status column_route(struct txn *t, const struct exec_session *s, const struct plan_node *n,
                         bool *ret_columns)
{
    struct column_scan_cost c;
    *ret_columns = s->force_format == FORMAT_COLUMN;
    if (s->force_format != FORMAT_AUTO) return OK;
    double values = n->scan.fetch_count, row = ROW_NS + ROW_VALUE_NS * values;
    if (!table_has_rows(n->scan.table)) row += MAKE_VALUE_NS * n->scan.table->column_count;
    double ranges = ranges_of(&n->scan.range), rows = n->scan.rows_read;
    if (rows > 0 && ranges * RANGE_NS + rows * row < COLUMN_START_NS) return OK; /* whatever there is */
    TRY(store_column_cost(t, n->scan.table->tree, &c));
    double all = (double)c.rows_by_column + (double)c.rows_by_row, blocks = (double)c.blocks;
    if (!c.rows_by_column) return OK;
    if (rows <= 0 || rows > all || !has_range(&n->scan.range)) rows = all;
    double touched = blocks * rows / all + ranges;
    double by_row = ranges * RANGE_NS + rows * row;
    double by_column = COLUMN_START_NS + blocks * BLOCK_NS + touched * (values + 1) * BLOCK_COLUMN_NS +
                       rows * values * VALUE_NS + (double)c.rows_by_row * row;
    *ret_columns = by_column < by_row;
    return OK;
}
