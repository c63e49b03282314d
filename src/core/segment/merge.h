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

/* Versions of the past are told apart by the smallest aligned span of time, 2^bits long, that has both their
 * begin and their end: a run holds those of one. Of a span above the least all versions hold its middle, so
 * there is one a key at most. Those that need one above the most are told apart by their ends alone. */
enum { TIME_BITS_MAX = 63 };
struct time_spans {
    uint32_t least, most; /* bits; at most TIME_BITS_MAX */
};
struct time_span {
    uint32_t bits; /* most + 1: it has only the ends */
    uint64_t number;
};
static inline struct time_span time_span_of(struct time_spans s, uint64_t from, uint64_t to)
{
    uint32_t bits = from == to ? 0 : 64 - (uint32_t)__builtin_clzll(from ^ to);
    if (bits < s.least) bits = s.least;
    if (bits > s.most) return (struct time_span){s.most + 1, to >> s.most};
    return (struct time_span){bits, to >> bits};
}
/* The middle of the least span that has both. */
static inline uint64_t time_middle(uint64_t from, uint64_t to)
{
    return from == to ? to : to & ~((1ull << (63 - (uint32_t)__builtin_clzll(from ^ to))) - 1);
}
/* Its last moment. */
static inline uint64_t time_span_end(struct time_spans s, struct time_span t)
{
    uint32_t bits = t.bits > s.most ? s.most : t.bits;
    return (t.number << bits) | ((1ull << bits) - 1);
}

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
    struct time_spans spans;     /* which of the past has runs of its own */
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
