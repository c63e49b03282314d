/* What the executor's steps take for a row, in units of 100 rows of a sequential scan, which is how
 * PostgreSQL's unit (a page read) comes out. Measured on TPC-H's tables in memory; a step that goes from
 * row to row through the storage is some sixty times one that goes through a batch. */
#ifndef HELIOS_SQL_PLAN_COST_H
#define HELIOS_SQL_PLAN_COST_H

#define COST_ROW 0.01         /* a row of a scan in key order */
#define COST_COLUMN_ROW 0.0015 /* … of a table that has columns */
#define COST_PROBE 0.3        /* a descent to a key */
#define COST_FETCH 0.15       /* a row fetched through a secondary index */
#define COST_LOOKUP 0.3       /* starting the inner side of a nested loop, or a subplan, for one row */
#define COST_FILTER 0.0025
#define COST_AGGREGATE 0.0125
#define COST_SORT 0.02
#define COST_HASH_PROBE 0.003
#define COST_HASH_BUILD 0.008
#define COST_LOOP_PAIR 0.005
#define COST_JOIN_OUTPUT 0.002

#endif
