/* Merging sorted sources of entries, for compaction. */
#ifndef HELIOS_CORE_SEGMENT_MERGE_H
#define HELIOS_CORE_SEGMENT_MERGE_H

#include "base/fiber.h"
#include "core/segment/run.h"

/* A source of entries in order (key ascending, ts descending). next: END_OF_DATA at the end; the
 * entry stays until the source's next call. */
struct entry_source {
    enum status (*next)(struct entry_source *s, struct entry *ret);
};

/* What may go: of each key's versions at or below `horizon_ts` only the newest stays; with
 * drop_tombstones (nothing older lies below the output) a tombstone at or below the horizon goes too.
 * A version that was superseded after `floor_ts` is not lost: it becomes an entry of a history run.
 * The same (key, ts) from two sources counts once. */
struct merge_options {
    uint64_t horizon_ts;
    uint64_t floor_ts;           /* of time travel: at or below horizon_ts */
    const uint64_t *pins;        /* … but what was there at one of these stays; ascending */
    size_t pin_count;
    bool drop_tombstones;
    bool history;                /* the sources are history runs: what ended by floor_ts goes */
    const struct waiter *cancel; /* may be NULL; asked every few thousand entries */
    struct run_options run;
    uint64_t run_bytes_max;      /* 0: one run, however large; else cut between keys */
    uint64_t past_bytes_max;     /* the same of history runs, cut anywhere */
};

/* Does one of them, which ascend, lie at or after `from` and before `to`? */
bool ts_between(const uint64_t *ts, size_t n, uint64_t from, uint64_t to);

/* Merges by a tournament tree into runs; `emit` gets each run's meta. */
enum status merge_runs(struct entry_source **sources, uint32_t count,
                       const struct merge_options *o,
                       enum status (*emit)(void *ctx, bool history, struct slice meta),
                       void *ctx) MUST;

/* A source over a whole run. */
enum status run_source_new(struct run *r, struct entry_source **ret) MUST;
void run_source_free(struct entry_source *s);

#endif
