/* The executor: runs a plan (sql/plan.h) in a transaction and pushes batches into a sink.
 *
 * Push-based pipelines of vectorised operators over batches of up to 2048 rows. The plan is
 * read-only and shared (plan cache); all state lies in the execution, in its arena. */
#ifndef HELIOS_EXEC_EXEC_H
#define HELIOS_EXEC_EXEC_H

#include "core/txn.h"
#include "sql/plan.h"

struct execution;
struct column_reader;
struct foreign_event;
struct transition_rows;
struct os;

/* operation, start_scn, start_time, end_scn, end_time, row */
struct row_version {
    struct datum columns[6];
};

/* One firing of a trigger. */
struct trigger_call {
    const struct trigger_def *trigger;
    const struct table_def *table;
    uint8_t event;            /* TRIGGER_INSERT … TRIGGER_TRUNCATE */
    const struct datum *old, *new; /* a value a table column; NULL: none */
    struct transition_rows *old_rows, *new_rows; /* of REFERENCING; NULL: none */
};
/* Their rows, one by one, a value a table column. */
enum status exec_transition_scan(struct transition_rows *t, struct arena *a,
                                 enum status (*emit)(void *ctx, const struct datum *row),
                                 void *ctx) MUST;

/* Whether scans of tables that have both read rows or columns. */
enum exec_format { FORMAT_AUTO /* what is cheaper */, FORMAT_ROW, FORMAT_COLUMN };

/* What functions and operators may ask of the session that runs them; filled by db. All pointers
 * may be asked at any time during the statement. */
struct exec_session {
    const struct format_options *format;
    const struct catalog *catalog;
    const struct search_path *path;
    int64_t statement_us, transaction_us;   /* µs since 2000-01-01 UTC */
    const char *user, *session_user, *database;
    uint32_t backend_pid;
    uint32_t trigger_depth; /* triggers that run within each other */
    struct waiter *waiter;                  /* cancellation */
    struct pool *workers;                   /* for parallel runs; NULL: all on the caller's */
    uint64_t memory_limit_bytes;            /* of one query; 0: none */
    uint8_t force_format;                   /* enum exec_format */
    struct usage *usage;                    /* of tables, counted (usage.h); NULL: not */
    uint32_t batch_rows;                    /* of a batch between operators, at most; 0: no less than usual */
    struct os *os;
    const char *temp_dir;                   /* for spills; NULL: none */
    uint64_t temp_limit_bytes;              /* of one query's spills; 0: none */
    struct rng *random;
    void *ctx;                              /* the session, for these: */
    enum status (*nextval)(void *ctx, oid_t sequence, int64_t *ret);
    enum status (*currval)(void *ctx, oid_t sequence, int64_t *ret);
    enum status (*lastval)(void *ctx, int64_t *ret);
    enum status (*setval)(void *ctx, oid_t sequence, int64_t value, bool is_called);
    enum status (*setting)(void *ctx, const char *name, bool missing_ok, struct arena *a,
                           const char **ret); /* current_setting; *ret NULL when missing */
    enum status (*set_setting)(void *ctx, const char *name, const char *value, bool is_local,
                               struct arena *a, const char **ret);
    /* Rows of a virtual table (pg_catalog, information_schema), handed one by one to `emit`. */
    enum status (*virtual_scan)(void *ctx, const struct table_def *t, struct arena *a,
                                enum status (*emit)(void *emit_ctx, const struct datum *row),
                                void *emit_ctx);
    /* System functions that need the session: pg_get_expr, pg_table_is_visible, format_type … by
     * proc symbol; FEATURE_NOT_SUPPORTED when there is none. */
    enum status (*system_function)(void *ctx, const struct proc_def *proc, const struct datum *args,
                                   uint32_t arg_count, struct arena *a, struct datum *ret);
    /* The next hidden row id of a table without primary key. */
    enum status (*next_row_id)(void *ctx, const struct table_def *t, int64_t *ret);
    /* Is the constraint's check put off by SET CONSTRAINTS, or its nature? NULL: none is. */
    bool (*is_deferred)(void *ctx, const struct constraint_def *k);
    /* Puts it off to the transaction's end; copies the event. */
    enum status (*defer)(void *ctx, const struct foreign_event *e);
    /* The channels it listens on, in the arena: pg_listening_channels(). */
    enum status (*channels)(void *ctx, struct arena *a, const char *const **ret, uint32_t *ret_count);
    /* What became of the row of that key, in the arena: helios_versions(). */
    enum status (*row_versions)(void *ctx, oid_t table, const char *const *keys, uint32_t count,
                                struct arena *a, const struct row_version **ret, uint32_t *ret_count);
    /* A function of the catalog, not strict or without NULLs: its value, in the arena. */
    enum status (*call_function)(void *ctx, const struct function_def *f, const struct datum *args,
                                 struct arena *a, struct datum *ret);
    /* The same for one that gives rows, of these types. The row is good during the call. */
    enum status (*call_set)(void *ctx, const struct function_def *f, const struct datum *args,
                            const type_id *types, uint32_t column_count,
                            enum status (*emit)(void *emit_ctx, const struct datum *row),
                            void *emit_ctx);
    /* Runs a trigger's function. Of BEFORE ROW triggers *row is what becomes of the new row (in the
     * arena), NULL: nothing is to be done to it. */
    enum status (*call_trigger)(void *ctx, const struct trigger_call *c, struct arena *a,
                                const struct datum **row);
    /* The trigger waits for the end of the transaction; *ret_put false: it does not. */
    enum status (*defer_trigger)(void *ctx, const struct trigger_call *c, bool *ret_put);
    /* Verifies the whole database: helios_verify(). */
    enum status (*verify)(void *ctx, const struct verify_sink *sink);
    /* What differs between two branches: rows of helios_branch_diff(), five texts each, in the arena. */
    enum status (*branch_diff)(void *ctx, struct slice a, struct slice b, struct arena *arena,
                               enum status (*emit)(void *emit_ctx, const struct datum *row),
                               void *emit_ctx);
};

/* Where result rows go. The batch stays until the call returns. DONE from `rows` (as END_OF_DATA)
 * stops the execution early without error. */
struct exec_sink {
    enum status (*rows)(void *ctx, const struct batch *b);
    void *ctx;
    /* A whole block of columns, unread: takes it, or wants its rows. NULL: always wants rows. */
    enum status (*block)(void *ctx, const struct column_reader *r, uint32_t rows, bool *ret_taken);
};

struct exec_params {
    const struct datum *values; /* of $1 … */
    uint32_t count;
    const uint64_t *moments; /* the plan's, by number: commit timestamps; NULL: it has none */
};

struct node_stats;

/* Blocks of the cache, bytes of spills, versions written. */
struct exec_usage {
    uint64_t blocks_hit, blocks_read;
    uint64_t temp_read, temp_written;
    uint64_t wal_records, wal_bytes;
};

struct exec_result {
    uint64_t rows_processed; /* returned by SELECT; touched by INSERT, UPDATE, DELETE */
    uint64_t rows_read;      /* of a stream, and done with */
    uint64_t temp_read, temp_written; /* bytes of spills */
    const struct node_stats *stats;   /* of exec_run_counted; in the arena */
    bool at_end;             /* of a stream: an error is about what is checked after its last row */
    uint64_t place;          /* in the stream, of the row that an error is about; 0: the one being read */
};

/* Runs to the end: each batch of output columns (plan->output) goes to the sink. */
enum status exec_run(const struct plan *p, struct txn *t, const struct exec_session *s,
                     const struct exec_params *params, struct arena *a,
                     const struct exec_sink *sink, struct exec_result *ret) MUST;

/* As exec_run, counting what EXPLAIN ANALYZE shows, for exec_explain_counted. */
enum status exec_run_counted(const struct plan *p, struct txn *t, const struct exec_session *s,
                             const struct exec_params *params, struct arena *a,
                             const struct exec_sink *sink, struct exec_result *ret) MUST;

/* The fast path: a POINT plan (sql/plan.h) run without batches: at most one row comes out. With
 * *ret_found false there is none. Values of the row reference storage until the statement ends. */
enum status exec_point(const struct plan *p, struct txn *t, const struct exec_session *s,
                       const struct exec_params *params, struct arena *a, struct datum *ret_row,
                       bool *ret_found, struct exec_result *ret) MUST;

/* Rows for exec_insert_stream, one column per insert column. */
struct exec_stream {
    enum status (*next)(void *ctx, struct batch *ret); /* stays until the next call; END_OF_DATA */
    uint64_t (*place)(void *ctx, uint32_t row); /* of a row of the batch in the input: rising, from 1 */
    void *ctx;
};
/* A plan of INSERT whose source rows are replaced by those of the stream: COPY. */
enum status exec_insert_stream(const struct plan *p, struct txn *t, const struct exec_session *s,
                               struct arena *a, const struct exec_stream *stream,
                               struct exec_result *ret) MUST;

/* Rows of a table that become others, for exec_merge: data NULL: there is none. */
struct exec_merge_change {
    struct slice key;      /* in the table's tree */
    struct slice old, row; /* as it is, and as it shall be; all stay until the next call */
    struct slice was;      /* what it was in a tree that is given up: the foreign keys of others are told */
};
struct exec_merge_source {
    enum status (*rewind)(void *ctx);
    enum status (*next)(void *ctx, struct exec_merge_change *ret, bool *ret_any);
    void *ctx;
};
struct exec_merge_table {
    const struct plan *inserts, *deletes; /* plans of an INSERT and a DELETE of it: what they check */
    struct exec_merge_source source;      /* gone through several times, with the same rows */
};
/* Writes the changes of all tables, within one command; constraints are checked as after one statement. The
 * rows are locked. */
enum status exec_merge(const struct exec_merge_table *tables, uint32_t n, struct txn *t,
                       const struct exec_session *s, struct arena *a) MUST;

/* Evaluates an expression without columns (defaults, EXECUTE arguments, SET). */
enum status exec_constant(const struct expr *e, const struct exec_session *s,
                          const struct exec_params *params, struct arena *a,
                          struct datum *ret) MUST;

/* --- EXPLAIN ------------------------------------------------------------------------------- */
enum explain_format {
    EXPLAIN_FORMAT_TEXT, EXPLAIN_FORMAT_JSON, EXPLAIN_FORMAT_YAML, EXPLAIN_FORMAT_XML
};
struct explain_setting {
    const char *name, *value;
};
struct explain_options {
    bool analyze, verbose, costs, timing, summary, buffers, wal, settings;
    enum explain_format format;
    int64_t planning_us;                  /* for summary; below 0: not known */
    struct exec_usage planning;           /* for buffers */
    const struct explain_setting *changed; /* for settings: the session's own */
    uint32_t changed_count;
    const char *query_text;               /* shown first in a document; NULL: not */
};
/* One line a row for text; else the whole document. With analyze it runs the plan first. */
enum status exec_explain(const struct plan *p, const struct explain_options *o, struct txn *t,
                         const struct exec_session *s, const struct exec_params *params,
                         struct arena *a, struct strbuf *out) MUST;
/* The plan of a run that is over; `stats` NULL: it was not counted. */
enum status exec_explain_counted(const struct plan *p, const struct explain_options *o,
                                 const struct exec_session *s, const struct exec_params *params,
                                 const struct node_stats *stats, int64_t run_us, struct arena *a,
                                 struct strbuf *out) MUST;

/* --- for the function library (exec/functions) ----------------------------------------------- */

struct call_ctx {
    const struct exec_session *session;
    struct arena *arena;          /* of the batch: results live till the batch is done; of a
                                     set-returning call: till its set is finished */
    struct arena *keep;           /* of the execution: what `state` points to */
    const struct expr *expr;      /* the call: types of polymorphic arguments */
    void *state;                  /* per call site and execution, NULL at first: a cache, which the
                                     function makes in `keep`. Of a set-returning call: NULL at the
                                     first row of each set, made in `arena` */
    bool one_group;               /* of add_batch: all rows are of the first one's group */
};
/* One value. Strict functions are never called with a NULL argument. */
typedef enum status (*scalar_fn)(struct call_ctx *c, const struct datum *args, uint32_t arg_count,
                                 struct datum *ret);
/* A batch at once, for the hot ones: dense flat or const inputs, `count` rows at sel (NULL: 0..);
 * ret is flat; rows with a NULL argument are already NULL in ret->nulls and must be skipped or may
 * be computed harmlessly. */
typedef enum status (*vector_fn)(struct call_ctx *c, const struct vec *const *args,
                                 uint32_t arg_count, const uint16_t *sel, uint32_t count,
                                 struct vec *ret);
struct function_impl {
    scalar_fn scalar; /* always there */
    vector_fn vector; /* or NULL */
};
/* By proc_def.id; scalar NULL when there is no implementation (then 0A000). */
const struct function_impl *function_impl(int proc_id);

/* Set-returning functions: pull rows until *ret_done, which comes without a row. state is theirs.
 * */
typedef enum status (*srf_fn)(struct call_ctx *c, const struct datum *args, uint32_t arg_count,
                              struct datum *ret_columns, bool *ret_done);
struct srf_impl {
    srf_fn next;
    uint32_t column_count; /* of the result */
};
const struct srf_impl *srf_impl(int proc_id);

/* Aggregates. A state is `state_bytes` of zeroed memory in the aggregate's arena. */
struct aggregate_impl {
    uint32_t state_bytes;
    bool skips_nulls;      /* rows with a NULL argument are not shown to it */
    enum status (*add)(struct call_ctx *c, struct arena *keep, void *state,
                       const struct datum *args, uint32_t arg_count);
    enum status (*merge)(struct call_ctx *c, struct arena *keep, void *state, const void *other);
    enum status (*result)(struct call_ctx *c, const void *state, struct datum *ret);
    /* Many rows at once; NULL: add one by one. groups[i] is the state of row i (same order as sel).
     * */
    enum status (*add_batch)(struct call_ctx *c, struct arena *keep, void *const *groups,
                             const struct vec *const *args, uint32_t arg_count,
                             const uint16_t *sel, uint32_t count);
    /* As add_batch, of rows of one group, whose state this is; NULL: there is none. */
    enum status (*add_group)(struct call_ctx *c, struct arena *keep, void *state,
                             const struct vec *const *args, uint32_t arg_count,
                             const uint16_t *sel, uint32_t count);
    /* `count` values of that sum: sum / 10^scale. NULL: there is none. */
    enum status (*add_sum)(struct call_ctx *c, struct arena *keep, void *state, __int128 sum,
                           uint16_t scale, int64_t count);
};
const struct aggregate_impl *aggregate_impl(int proc_id);

#endif
