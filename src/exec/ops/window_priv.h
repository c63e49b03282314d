/* Window functions, for their own files: window.c takes sorted rows apart into partitions and pushes
 * what comes out; window_frame.c knows each row's peers and frame; window_range.c compares values
 * at a distance; window_call.c computes the calls.
 *
 * Rows of the store: the input's columns, then each call's arguments and filter, then the window's
 * ordering values. */
#ifndef HELIOS_EXEC_OPS_WINDOW_PRIV_H
#define HELIOS_EXEC_OPS_WINDOW_PRIV_H

#include "exec/ops/ops_priv.h"
#include "exec/ops/row_store.h"

enum frame_option { /* PostgreSQL's bits */
    FRAME_RANGE = 0x2,
    FRAME_ROWS = 0x4,
    FRAME_GROUPS = 0x8,
    FRAME_START_UNBOUNDED_PRECEDING = 0x20,
    FRAME_END_UNBOUNDED_FOLLOWING = 0x100,
    FRAME_START_CURRENT_ROW = 0x200,
    FRAME_END_CURRENT_ROW = 0x400,
    FRAME_START_OFFSET_PRECEDING = 0x800,
    FRAME_END_OFFSET_PRECEDING = 0x1000,
    FRAME_START_OFFSET_FOLLOWING = 0x2000,
    FRAME_END_OFFSET_FOLLOWING = 0x4000,
    FRAME_EXCLUDE_CURRENT_ROW = 0x8000,
    FRAME_EXCLUDE_GROUP = 0x10000,
    FRAME_EXCLUDE_TIES = 0x20000,
    FRAME_START_OFFSET = FRAME_START_OFFSET_PRECEDING | FRAME_START_OFFSET_FOLLOWING,
    FRAME_END_OFFSET = FRAME_END_OFFSET_PRECEDING | FRAME_END_OFFSET_FOLLOWING,
    FRAME_EXCLUDE = FRAME_EXCLUDE_CURRENT_ROW | FRAME_EXCLUDE_GROUP | FRAME_EXCLUDE_TIES,
};

struct row_range {
    uint64_t start, end;
};

/* Of the current row. Bounds only move forwards within a partition. */
struct window_frame {
    const struct window_def *def;
    uint32_t order_column;              /* of the store: the first ordering value */
    struct datum start_offset, end_offset;
    bool needs_peers;
    uint64_t first, end;                /* the partition */
    uint64_t pos;
    uint64_t group_start, group_end;    /* the row's peers */
    int64_t group;                      /* number of that group in the partition, from 0 */
    uint64_t head, tail;                /* [head, tail) before EXCLUDE */
    int64_t head_group, tail_group;     /* GROUPS: of the rows at head and tail */
    struct row_range ranges[3];         /* what is left, in order; none is empty */
    uint32_t range_count;
};

enum window_function {
    WINDOW_AGGREGATE, WINDOW_ROW_NUMBER, WINDOW_RANK, WINDOW_DENSE_RANK, WINDOW_PERCENT_RANK,
    WINDOW_CUME_DIST, WINDOW_NTILE, WINDOW_LAG, WINDOW_LEAD, WINDOW_FIRST_VALUE,
    WINDOW_LAST_VALUE, WINDOW_NTH_VALUE,
};

enum { TREE_FANOUT = 16, TREE_LEVELS = 16 };

/* States of runs of rows, runs of runs …: an aggregate over any frame by merging few of them. */
struct window_tree {
    bool built, refused;
    char *levels[TREE_LEVELS]; /* [0] has a state for every TREE_FANOUT rows of the partition */
    uint64_t counts[TREE_LEVELS];
    uint32_t level_count;
};

struct window_call {
    const struct aggregate_call *call;
    enum window_function function;
    const struct aggregate_impl *impl;
    struct call_ctx ctx;
    uint32_t column;       /* of the store: its first argument */
    int32_t filter_column; /* -1 */
    bool mergeable;        /* merging gives what adding the rows in order gives */
    struct arena *keep, *tree_arena; /* the state's, the tree's */
    char *state;
    uint64_t from, to;     /* the rows in the state */
    bool simple;           /* the state holds [from, to), nothing left out */
    struct datum result;
    uint64_t result_epoch; /* when it was made; 0: the state has changed since */
    struct window_tree tree;
    uint64_t ntile_from;   /* first row with a number of buckets */
    int32_t buckets;       /* 0: not known yet */
};

struct window_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *batch, *results, *keys, *setup, *last; /* batch: of moments; keys: of the input */
    struct row_store *store;
    struct window_frame frame;
    struct window_call *calls;
    struct vec *made;      /* results of the chunk being filled; NULL: none yet */
    uint64_t epoch;        /* of `results` */
    uint64_t partition;    /* first row of the partition that is being collected */
    uint64_t pushed;       /* rows of the store that have gone */
    struct datum *last_keys;
    bool any;
    uint64_t steps;        /* for exec_check */
};

/* Lets the run be cancelled, now and then. */
static inline enum status window__step(struct window_run *r)
{
    return (++r->steps & 4095) == 0 ? exec_check(r->x) : OK;
}

/* --- window_frame.c --- */
enum status window__frame_setup(struct window_run *r) MUST;
void window__frame_partition(struct window_run *r, uint64_t first, uint64_t end);
/* Goes to the next row: the first of the partition at the first call. */
enum status window__frame_next(struct window_run *r, uint64_t pos) MUST;

/* --- window_range.c --- */
/* Is `value` <= (less) or >= (not less) base - offset (sub) or base + offset? Types as the binder has
 * them: the ordering column's, and its offset's. */
enum status window__in_range(struct window_run *r, type_id type, struct datum value,
                             struct datum base, struct datum offset, bool sub, bool less,
                             bool *ret) MUST;

/* --- window_call.c --- */
enum status window__call_setup(struct window_run *r, struct window_call *c,
                               const struct aggregate_call *call) MUST;
void window__call_partition(struct window_call *c);
enum status window__call(struct window_run *r, struct window_call *c, struct datum *ret) MUST;

#endif
