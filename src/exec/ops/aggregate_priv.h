/* One run of an aggregation, for the files aggregate*.c. */
#ifndef HELIOS_EXEC_OPS_AGGREGATE_PRIV_H
#define HELIOS_EXEC_OPS_AGGREGATE_PRIV_H

#include "exec/ops/group_table.h"
#include "exec/ops/ops_priv.h"
#include "exec/ops/sorter.h"
#include "exec/spill.h"

enum {
    AGG_PARTITIONS = 16,
    AGG_PARTITION_BITS = 4,
    AGG_DEPTH_MAX = 7,
    AGG_SHARED_PERCENT = 30, /* of the memory: what all workers' groups have before they are merged */
};

/* Rows of a DISTINCT or ordered call: group number (int8), arguments. */
struct agg_collected {
    struct sorter *sorter;
    struct arena *arena; /* of a batch that comes back */
    uint64_t disk_bytes; /* of the sorter, so far */
};

/* Arguments of a DISTINCT call that have been seen, by group (aggregate_distinct.c). */
struct agg_distinct {
    struct group_table table;  /* keys: the group's number, unless there is one alone; the arguments */
    struct arena *keys, *slots[GROUP_SLOT_ARENAS], *batch;
    type_id *types;
    uint32_t columns, first;   /* of the keys; the first argument among them */
    struct spill *parts[AGG_PARTITIONS];
    bool spilled;
    struct sorter *sorter;     /* of what was spilled; NULL: not yet needed */
    uint32_t *order, starts[AGG_PARTITIONS + 1]; /* entries by part, for whoever merges */
};

struct agg_call {
    const struct aggregate_call *call;
    const struct aggregate_impl *impl;
    struct expr **args;      /* over the input and the shared values */
    size_t offset;           /* of its state in a group's block */
    bool collects, hashes;
    struct agg_distinct *set, *merged_set; /* hashes: of what is read; of what is merged */
    const struct agg_call *twin; /* an earlier call that keeps this very state; NULL: none */
    struct vec *values;      /* of the arguments, in this batch; NULL: not yet evaluated */
    struct agg_collected kept;
    struct call_ctx ctx;
};

/* The counts of the first groups that have been given out, as a heap: those that come after them all need
 * not follow. */
struct agg_top {
    uint64_t want;
    uint32_t count;
    int64_t *values; /* the last in the order first; with the order's sign */
};

struct agg_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *keep, *batch; /* to the end of the level; of the batch */
    struct arena *slots[GROUP_SLOT_ARENAS];
    struct agg_call *calls;
    uint32_t call_count;
    struct expr **shared;       /* values that several arguments need */
    uint32_t shared_count;
    size_t state_bytes;
    uint32_t key_count; /* groups, and the set's number with grouping sets */
    type_id *key_types;
    struct group_table table;
    uint32_t groups;    /* that have states */
    char **states;      /* by chunk of BATCH_ROWS groups */
    uint32_t state_chunks, state_chunk_cap, first_state_cap;
    bool can_spill, frozen; /* frozen: rows of new groups go to the partitions */
    uint32_t depth;
    struct spill *partitions[AGG_PARTITIONS];
    struct agg_top *top;        /* NULL: all groups are wanted */
    struct zone_call *zones;    /* by call; of blocks that are not read */
    const type_id *spill_types; /* the input's columns, the set's number */
    uint64_t batches, memory_most, disk_bytes;
    /* Of a parallel run, for whoever merges. */
    bool is_part;               /* others have groups, too */
    uint32_t *order;            /* groups by their parts; NULL: few groups */
    uint32_t part_starts[AGG_PARTITIONS + 1];
    uint32_t place;             /* among the runs */
    bool hashes;                /* some call has a set of what has been seen */
    uint64_t entries;           /* of them all */
    uint8_t *merged;            /* by group: another run has it; NULL: none */
    uint32_t *map;              /* of the run that is merged: its groups' numbers here; NULL: not asked for */
    bool parts_fixed;           /* it merges parts place, place + runs, … */
};

static inline char *agg__states(const struct agg_run *r, uint32_t group)
{
    return r->states[group / BATCH_ROWS] + (size_t)(group % BATCH_ROWS) * r->state_bytes;
}

/* Does the call pass over this row, for a NULL? */
bool agg__skips(const struct agg_call *c, const struct datum *args);

/* aggregate.c: zeroed states for all groups of the table; a set of groups from nothing to what goes out,
 * with the rows of a partition, and the partitions that this has left. */
void agg__reserve_states(struct agg_run *r, uint32_t groups);
enum status agg__begin_level(struct agg_run *r) MUST;
enum status agg__feed_partition(struct agg_run *r, struct spill *s) MUST;
enum status agg__add_empty_groups(struct agg_run *r) MUST;
enum status agg__end_level(struct agg_run *r) MUST;
enum status agg__run_partitions(struct agg_run *r) MUST;

/* Counts it, and has something go to disk when there is too little. */
enum status agg__check_memory(struct agg_run *r) MUST;

/* aggregate_result.c: rows of the groups. */
enum status agg__begin_top(struct agg_run *r) MUST;
enum status agg__push_groups(struct agg_run *r) MUST;
/* A chunk of another's, but what was merged of it. */
enum status agg__push_chunk(struct agg_run *r, const struct agg_run *of, uint32_t chunk) MUST;

/* aggregate_merge.c: with the other workers' groups; by group, the part that it goes to. */
enum status agg__merge(struct agg_run *r) MUST;
enum status agg__group_parts(struct agg_run *r, uint8_t **ret) MUST;
/* The keys of a chunk's groups. */
void agg__group_batch(const struct agg_run *r, uint32_t chunk, struct arena *a, struct batch *ret);
enum status agg__merge_states(struct agg_run *m, char *into, const char *from) MUST;

/* aggregate_in_place.c: the same without tables of their own. */
bool agg__may_merge_in_place(const struct parallel *p);
void agg__next_in_place(void *parallel);
enum status agg__merge_in_place(struct agg_run *r) MUST;

/* aggregate_share.c: fills r->shared and the calls' args, for the whole execution. */
enum status agg__share(struct agg_run *r) MUST;

/* aggregate_zones.c: can blocks of columns answer all calls? Then this takes them. */
struct zone_call;
bool agg__asks_zones(struct agg_run *r);
enum status agg__take_block(void *ctx, const struct column_reader *reader, uint32_t rows,
                            bool *ret_taken) MUST;

/* aggregate_collect.c */
void agg__collect_init(struct agg_run *r, struct agg_call *c);
enum status agg__collect(struct agg_run *r, struct agg_call *c, const struct batch *b,
                         const struct vec *args, const uint32_t *ids) MUST;
/* Feeds the states in the order asked for, and forgets the rows. */
enum status agg__collect_feed(struct agg_run *r, struct agg_call *c) MUST;

/* aggregate_distinct.c: calls with a `set`. */
bool agg__hashes(const struct aggregate_call *c);
struct agg_distinct *agg__distinct_new(struct agg_run *r, const struct aggregate_call *call);
void agg__distinct_begin(struct agg_run *r, struct agg_distinct *d);
uint64_t agg__distinct_memory(const struct agg_run *r);
enum status agg__distinct_add(struct agg_run *r, struct agg_call *c, const struct batch *b,
                              const uint32_t *ids) MUST;
/* Those that have much of the memory go to disk. */
enum status agg__distinct_spill(struct agg_run *r, uint64_t memory, bool *ret_any) MUST;
/* All entries seen so far into the states of `to`, which has the same groups; then there are none. */
enum status agg__distinct_feed(struct agg_run *r, struct agg_run *to) MUST;
/* For whoever merges: order by parts; whether any is on disk; files of a part become another's; what
 * `o` has of a part, whose groups have the numbers map[…] here. */
enum status agg__distinct_order(struct agg_run *r, uint64_t *ret_entries) MUST;
bool agg__distinct_spilled(const struct agg_run *r);
void agg__distinct_give(const struct agg_run *r, uint32_t part, struct execution *to);
enum status agg__distinct_merge(struct agg_run *m, const struct agg_run *o, uint32_t part, bool all,
                                const uint32_t *map) MUST;

/* aggregate_spill.c: rows at sel[0..count), whose keys' hashes these are. */
enum status agg__spill_rows(struct agg_run *r, const struct batch *b, const uint16_t *sel,
                            uint32_t count, const uint64_t *hashes, int set) MUST;
/* Whether what the node evaluates may be evaluated again. */
bool agg__can_spill(const struct agg_run *r);

#endif
