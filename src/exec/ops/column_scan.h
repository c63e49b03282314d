/* What a gather does with the scan by columns that its workers shared (column_scan.c). */
#ifndef HELIOS_EXEC_OPS_COLUMN_SCAN_H
#define HELIOS_EXEC_OPS_COLUMN_SCAN_H

#include "core/columns.h"
#include "exec/ops/ops_priv.h"

void column_scan_count(const struct column_scan *scan, struct node_stats *s);

#endif
