/* How often each thing was done in the power-loss test of everything at once: so that its mix can be seen to have all. */
#ifndef HELIOS_TEST_SIM_COUNTS_H
#define HELIOS_TEST_SIM_COUNTS_H

#include "sim_db.h"

#define SIM_COUNTS(X)                                                                              \
    X(BRANCHES, "branches") X(DROPS, "branches dropped") X(MERGES, "merges")                       \
    X(REFUSALS, "merges refused by a foreign key") X(TABLES_MADE, "tables made")                   \
    X(TABLES_DROPPED, "tables dropped") X(ALTERS, "tables altered")                                \
    X(REFERRED, "alters of a table that is referred to") X(CONCURRENT, "indexes made concurrently") X(TRUNCATES, "tables truncated or rewritten")       \
    X(CHILDREN, "rows that refer to others") X(CASCADES, "deletes that cascade")                   \
    X(PREPARED, "transactions prepared") X(SURVIVED, "of them found again after a loss")           \
    X(CHECKPOINTS, "checkpoints") X(MAINTAINED, "flushes and merges of runs")                      \
    X(COLLECTED, "garbage collections") X(COLLECTED_BYTES, "bytes of history collected")           \
    X(PAST, "looks at the past") X(TOO_OLD, "moments beyond the retention")                        \
    X(RECOVERIES_LOST, "losses in recovery") X(IN_DOUBT, "statements in flight that were there")

enum sim_count {
#define X(name, text) COUNT_##name,
    SIM_COUNTS(X)
#undef X
    COUNTS
};

struct sim_counts {
    uint64_t n[COUNTS];
};

static inline void sim_counts_print(const struct sim_counts *c)
{
    static const char *const texts[] = {
#define X(name, text) text,
        SIM_COUNTS(X)
#undef X
    };
    for (int i = 0; i < COUNTS; i++) print_message("  %llu %s\n", (unsigned long long)c->n[i], texts[i]);
}

#endif
