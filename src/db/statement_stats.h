/* What statements cost, summed by what they say: helios_stat_statements.
 *
 * An entry belongs to a user, a database and a text without its constants (sql_fingerprint). There are
 * at most `max` of them; one more drives out a twentieth of those that are used least. An entry's sums
 * are kept in stripes, one a worker, so that counting a statement touches no line of another core. */
#ifndef HELIOS_DB_STATEMENT_STATS_H
#define HELIOS_DB_STATEMENT_STATS_H

#include "exec/exec.h"

struct statement_stats;
struct statement_entry;

struct statement_sums {
    uint64_t calls, rows, plans;
    double us, us_squared, us_min, us_max;
    double plan_us, plan_us_squared, plan_us_min, plan_us_max;
    struct exec_usage usage;
};

struct statement_stats *statement_stats_new(uint32_t max);
void statement_stats_free(struct statement_stats *s);

/* The entry, with a reference; made when there is none. The text is copied. */
struct statement_entry *statement_stats_get(struct statement_stats *s, oid_t user, oid_t database,
                                            uint64_t query_id, struct slice text);
void statement_entry_unref(struct statement_entry *e);
/* Counts one execution. An entry that was driven out comes back, or the one that took its place. */
void statement_stats_count(struct statement_stats *s, struct statement_entry *e, int64_t us,
                           uint64_t rows, const struct exec_usage *usage);
void statement_stats_count_plan(struct statement_stats *s, struct statement_entry *e, int64_t us);

/* A copy of one entry. */
struct statement_line {
    oid_t user, database;
    uint64_t query_id;
    const char *text;
    struct statement_sums sums;
};
/* All entries, copied into the arena. */
const struct statement_line *statement_stats_read(struct statement_stats *s, struct arena *a,
                                                  uint32_t *ret_count);
/* Forgets those of user, database and number; 0: of any. */
void statement_stats_reset(struct statement_stats *s, oid_t user, oid_t database,
                           uint64_t query_id);
uint64_t statement_stats_driven_out(const struct statement_stats *s);

#endif
