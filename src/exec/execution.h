/* One run of a plan: what its operators and expressions share. Lives on the stack of exec_run; all
 * that belongs to it lies in its arenas, which exec_end releases whatever happened. */
#ifndef HELIOS_EXEC_EXECUTION_H
#define HELIOS_EXEC_EXECUTION_H

#include "exec/exec.h"

struct subplan_state;
struct cte_state;
struct call_state;
struct spill;
struct row_filter;
struct parallel;
struct foreign_run;
struct trigger_queue;

/* What EXPLAIN ANALYZE counts of a node. */
struct node_stats {
    uint64_t loops, rows, removed; /* removed: by the node's filter */
    int64_t first_us, total_us;    /* time to the first row, and in all; children included */
    uint64_t memory_bytes, spilled_bytes;
    uint64_t batches;              /* of a hash join: parts joined in; else: times that input was read */
    uint64_t buckets;              /* of a hash join's table */
    struct exec_usage usage;       /* children included */
    uint64_t unmatched;            /* left out by a scan, as no row of a join above has the key */
    uint32_t workers;              /* of a gather: how many began */
    uint64_t by_columns;           /* of a scan: how often it was by columns; then: */
    uint64_t blocks, blocks_skipped, rows_by_row;
};

/* A reader of the past, for all scans as of that moment. */
struct past_reader {
    struct past_reader *next;
    uint64_t as_of;
    struct txn *txn;
};

/* Arenas that end with the run. */
struct owned_arena {
    struct owned_arena *next;
    struct arena arena;
};

struct execution {
    const struct plan *plan; /* NULL: a lone expression */
    struct txn *txn;
    const struct exec_session *session;
    const struct exec_params *params;
    struct arena *arena;     /* lives to the end of the run */
    struct owned_arena *arenas;
    uint32_t arena_count, memory_asked; /* the latter since memory_seen was found */
    uint64_t memory_seen;               /* see exec_memory_used */
    struct past_reader *past;
    struct spill *spills;
    uint64_t spilled_bytes, spilled_bytes_most; /* on disk: now, and at most so far */
    uint64_t temp_read, temp_written; /* bytes of spills, so far */
    size_t arena_base;       /* bytes of `arena` before the run */
    void **states;           /* by plan_node.id; each operator's own */
    struct datum *outer;     /* values of EXPR_OUTER */
    struct subplan_state *subplans; /* by plan.subplans' index */
    struct cte_state *ctes;         /* by plan.ctes' index */
    struct row_filter **row_filters; /* by plan_node.id of a scan; NULL: none (ops/row_filter.h) */
    struct foreign_run *foreign;    /* its foreign keys' events (ops/foreign.h); NULL: none */
    struct parallel *parallel;      /* of the gather that it works for; NULL: none */
    uint32_t gathers;               /* that it leads now */
    uint64_t *shared_bytes;         /* atomic: memory of the query's executions; NULL: only this */
    uint64_t counted_bytes;         /* of this one therein */
    uint64_t *shared_spilled;       /* atomic: spilled_bytes of them all; NULL: only this */
    struct node_stats *stats;       /* by plan_node.id; NULL: not counted */
    struct call_state *call_states; /* hash table: scalar call sites that keep something */
    uint32_t call_state_count, call_state_cap;
    struct trigger_queue *triggers; /* AFTER triggers that wait; NULL: none */
    uint64_t rows_processed;        /* by the DML node at the root */
    int64_t check_us;               /* when exec_check looks again */
    int64_t yield_us;               /* when other fibers get their turn; 0: not begun */
    /* Runs a node, pushing its rows into `out`; exec/ops fills it. */
    enum status (*run)(struct execution *x, const struct plan_node *n, const struct exec_sink *out);
};

void exec_begin(struct execution *x, const struct plan *p, struct txn *t,
                const struct exec_session *s, const struct exec_params *params, struct arena *a);
void exec_end(struct execution *x);

/* The timestamp of a moment by its number, as which this run reads; 0: the transaction's. */
uint64_t exec_moment(const struct execution *x, uint32_t moment);
/* What a scan reads with: the transaction, or a reader of the past that lives as long as the run. */
enum status exec_reader(struct execution *x, uint64_t as_of, struct txn **ret) MUST;

/* An arena that lives as long as the run and counts to its memory. */
struct arena *exec_arena(struct execution *x);
/* For arenas cleared each batch: room at once for the vectors of a large one, so that clearing
 * keeps it. */
void exec_arena_prime(struct arena *a, uint32_t rows);

/* At every batch, and every few thousand steps of long loops: QUERY_CANCELED, OUT_OF_MEMORY. */
enum status exec_check(struct execution *x) MUST;
/* QUERY_CANCELED alone: inside of what may need more memory for a moment, as a table that grows. */
enum status exec_check_canceled(struct execution *x) MUST;
/* memset to 0 and memcpy of what may be large; x NULL: not to be canceled. */
enum status exec_zero(struct execution *x, void *p, size_t bytes) MUST;
enum status exec_copy(struct execution *x, void *to, const void *from, size_t bytes) MUST;
/* STATEMENT_TOO_COMPLEX when the stack runs low; before every recursion that a query can deepen. */
enum status exec_check_stack(void) MUST;

/* The `state` of a scalar call site, NULL when it keeps none. */
void *exec_call_state(const struct execution *x, const struct expr *site);
void exec_set_call_state(struct execution *x, const struct expr *site, void *state);

/* Zeroed state of the node, made at the first call. *ret_new tells that. */
void *exec_state(struct execution *x, const struct plan_node *n, size_t bytes, bool *ret_new);

#endif
