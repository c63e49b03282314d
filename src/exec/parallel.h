/* What the workers of one GATHER share, and where their executions meet.
 *
 * Each worker runs the subtree below the gather in an execution of its own: arenas, operators' states,
 * a reader of the transaction, an error slot. They share the plan, the parameters, and this:
 *
 *   stop      no more rows are wanted, or one of them failed: exec_check ends the others
 *   tables    build sides of hash joins and kept results of subplans, made by the first worker before
 *             the others begin, read-only from then on
 *   scan      the parts of the one scan that they divide, handed out in key order
 *   runs      of an aggregate: each worker's groups, which all merge when all are there
 *   bytes     memory and disk of the whole query, which query.memory_limit and query.temp_limit bound
 *             (execution.shared_bytes, shared_spilled)
 *
 * Gathers nest: a build side may have its own. `outer` is then the gather that the leader works for,
 * whose stop counts, too. */
#ifndef HELIOS_EXEC_PARALLEL_H
#define HELIOS_EXEC_PARALLEL_H

#include "exec/execution.h"

struct shared_scan;
struct agg_run;
struct hash_join;

struct parallel {
    struct parallel *outer;
    const struct plan_node *gather;
    uint32_t stop;               /* atomic */
    struct fmutex lock;
    uint32_t running;            /* guarded by lock: began, have not ended */
    bool closed;                 /* guarded by lock: nobody begins any more */
    struct arena arena;          /* guarded by lock: the scan's parts */
    struct shared_scan *scan;    /* guarded by lock */
    struct column_scan *columns; /* guarded by lock: the one scan, when it is by columns */
    const struct plan_node *column_node; /* guarded by lock: that scan; NULL: not decided, or by rows */
    bool routed;                 /* guarded by lock: it is decided */
    uint32_t feeding;            /* guarded by lock: running ones whose groups are not finished */
    struct fcond fed;            /* no one is feeding any more, or stop */
    struct agg_run **runs;       /* guarded by lock; read-only once fed */
    uint32_t run_count;          /* guarded by lock; read-only once fed */
    uint32_t parts, next_part;   /* of the groups; the latter guarded by lock */
    bool in_place;               /* the groups are merged where they lie; then: */
    uint32_t merged;             /* guarded by lock: runs that are merged */
    uint32_t at_work, arrived;   /* guarded by lock: all that began; those of them that wait */
    uint32_t round;              /* guarded by lock: how often all had arrived */
    struct hash_join **tables;   /* by plan_node.id */
    const struct subplan_state *kept; /* results of subplans */
    struct row_filter **row_filters; /* of those joins and of joins above; NULL: none */
};

/* QUERY_CANCELED when the worker should end. Asked by exec_check. */
enum status parallel_check(const struct parallel *p) MUST;
void parallel_stop(struct parallel *p);

/* Bytes of the whole query; `own` are those of this execution. */
uint64_t parallel_memory(struct execution *x, uint64_t own);
/* This execution's bytes are free. */
void parallel_forget_memory(struct execution *x);
/* Counters of the whole query, which this execution's gathers share from now on. */
void parallel_count_together(struct execution *x);
/* Bytes on disk of the whole query, which change by so much (it wraps when they become less). */
uint64_t parallel_spill(struct execution *x, uint64_t change);

/* A worker has finished its groups: waits until all have. The last one calls `divide` before they go on.
 * What `mine` points to must stay until the gather ends. */
enum status parallel_meet(struct parallel *p, struct agg_run *mine,
                          void (*divide)(struct parallel *p)) MUST;

/* All that work wait for each other, again and again; the last one calls `next` before they go on.
 * When *until (atomic) becomes true nobody waits any more. */
enum status parallel_meet_all(struct parallel *p, const uint32_t *until, void (*next)(void *ctx),
                              void *ctx) MUST;

/* Does the function ask nothing of the session but what threads may read? */
bool exec_is_parallel_safe(const struct proc_def *proc);
/* Can states of the aggregate be merged, in any order of the rows? */
bool exec_is_mergeable(const struct proc_def *proc);
/* With DISTINCT, too? Sums of floats depend on their order. */
bool exec_is_distinct_mergeable(const struct proc_def *proc);

#endif
