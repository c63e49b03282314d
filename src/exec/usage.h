/* How tables are used: what scans have read of them, what statements have changed; counted since the server started, or the
 * counts were last forgotten. Who proposes how a table should be kept asks here (db/storage_advice.c). Any thread may
 * count; counts steer and prove nothing. */
#ifndef HELIOS_EXEC_USAGE_H
#define HELIOS_EXEC_USAGE_H

#include "catalog/catalog.h"

struct usage;
struct usage *usage_new(void);
void usage_free(struct usage *u); /* NULL is fine */

struct usage_counts {
    uint64_t lookups; /* scans of few rows */
    uint64_t scans;   /* others, with their rows, and how many values of these they looked at */
    uint64_t rows, values;
    uint64_t changes; /* rows */
};
enum { USAGE_LOOKUP_ROWS = 100 };

/* NULL: nothing is counted. Tables that find no place are not counted. */
void usage_count_scan(struct usage *u, oid_t table, uint64_t rows, uint32_t columns);
void usage_count_changes(struct usage *u, oid_t table, uint64_t rows);
void usage_get(struct usage *u, oid_t table, struct usage_counts *ret);
void usage_forget(struct usage *u, oid_t table);

#endif
