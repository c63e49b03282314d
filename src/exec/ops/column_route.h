/* By rows or by columns: which way a scan takes (helios.force_format, else by cost). */
#ifndef HELIOS_EXEC_OPS_COLUMN_ROUTE_H
#define HELIOS_EXEC_OPS_COLUMN_ROUTE_H

#include "exec/ops/ops_priv.h"

/* May the scan be by columns at all? */
bool column_route_may(const struct plan *p, const struct plan_node *n);
/* Shall it? Of those that may. */
enum status column_route(struct txn *t, const struct exec_session *s, const struct plan_node *n,
                         bool *ret_columns) MUST;

#endif
