/* The inside of databases and sessions, for this folder. */
#ifndef HELIOS_DB_SESSION_PRIV_H
#define HELIOS_DB_SESSION_PRIV_H

#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "catalog/edit.h"
#include "db/activity.h"
#include "db/admission.h"
#include "db/session.h"
#include "exec/exec.h"
#include "sql/bind/bind.h"
#include "sql/parse/parse.h"
#include "sql/plan/planner.h"
#include "types/datetime.h"

struct plan_cache;
struct cached_plan;
struct sequences;
struct past;

struct rewritten_table {
    uint32_t table;
    uint64_t ts; /* of the commit that gave its rows a new tree */
};

/* What a session is in: the main line or a branch (db_line_priv.h). */
struct db_line {
    struct db *db;
    struct db_line *next;             /* guarded by db->lines_mutex, as are the references */
    uint32_t refs;
    struct branch *branch;         /* a handle; NULL: the main line */
    struct fmutex catalog_mutex;
    struct fcond catalog_published;
    struct catalog *catalog;       /* guarded by catalog_mutex */
    uint64_t catalog_version;      /* atomic: of the published snapshot */
    uint32_t ddl_pending;          /* atomic: commits of DDL whose snapshot is not published yet */
    struct past *past;             /* catalogs of the past (past_priv.h) */
    ARRAY(struct rewritten_table) rewritten; /* guarded by catalog_mutex */
    uint64_t rewritten_ts;         /* atomic: of the last of them */
};

/* What a session shows of itself in pg_stat_progress_create_index. Its own thread writes, any other reads: all
 * fields are atomic. */
enum build_command { BUILD_NONE, BUILD_CREATE, BUILD_CREATE_CONCURRENTLY, BUILD_REINDEX,
                     BUILD_REINDEX_CONCURRENTLY, BUILD_REWRITE, BUILD_VALIDATE };
enum build_phase {
    PHASE_INITIALIZING, PHASE_WAIT_WRITERS, PHASE_SCAN, PHASE_SORT, PHASE_VALIDATE,
    PHASE_WAIT_SNAPSHOTS, PHASE_WAIT_READERS, PHASE_WAIT_DEAD, PHASE_FOLLOW, PHASE_WAIT_LOCK,
};
struct build_progress {
    uint32_t command, phase; /* enum build_command, build_phase */
    uint32_t table, index;
    uint64_t rows, rows_done;
};

struct builds;

struct db {
    struct os *os;
    const struct config *config;
    const char *initial_database;  /* while it is opened */
    bool is_new;                   /* db_open made the store */
    struct store *store;
    struct db_line main;              /* the main line */
    struct fmutex lines_mutex;
    struct db_line *lines;            /* guarded by lines_mutex: branches that sessions are in */
    struct plan_cache *plans;
    struct statement_stats *statement_stats; /* NULL: statements are not counted */
    bool counts_utility;           /* statements without a plan, too */
    int64_t statement_stats_us;    /* atomic: since when, µs since 2000-01-01 UTC */
    struct sequences *sequences;
    struct fmutex sessions_mutex;
    struct session *sessions;      /* guarded by sessions_mutex; doubly linked */
    uint32_t session_count;        /* guarded by sessions_mutex */
    uint32_t last_pid;             /* guarded by sessions_mutex */
    uint32_t session_count_max;
    uint32_t superuser_reserved;   /* sessions of those kept free for superusers */
    bool stopping;                 /* atomic */
    struct admission *admission;
    struct two_phase *two_phase;
    struct fmutex exports_mutex;
    struct snapshot_export *exports; /* guarded by exports_mutex */
    struct builds *builds;         /* builds.h */
    struct notify_hub *notify;
    struct storage_told *storage;  /* storage_priv.h */
    uint64_t notify_bytes;         /* of the queue, and of one transaction */
    struct autoanalyze *autoanalyze; /* NULL: off */
    struct usage *usage;           /* of tables (exec/usage.h) */
    struct counter *statements[7]; /* by enum statement_kind */
    struct histogram *statement_seconds;
    enum commit_mode commit_mode;
    int64_t started_us;            /* µs since 2000-01-01 UTC */
    uint64_t query_memory_bytes;
    char *temp_dir;                /* <data_dir>/tmp: files of running queries */
    struct pool *analytic;         /* of parallel runs; NULL: there are none */
    uint64_t query_temp_bytes;     /* disk space of one query; 0: no limit */
};

/* --- metrics (metrics.c) --- */
enum statement_kind { /* the first ones as enum command */
    STATEMENT_SELECT, STATEMENT_INSERT, STATEMENT_UPDATE, STATEMENT_DELETE, STATEMENT_MERGE,
    STATEMENT_COPY, STATEMENT_OTHER, STATEMENT_KINDS
};
void db__metrics_init(struct db *db);
void db__write_archive_metrics(struct db *db, struct strbuf *out); /* backup.c */
void session__count(struct session *s, enum statement_kind kind);
/* Around a statement that a client asked for. */
void session__time_begin(struct session *s);
void session__time_end(struct session *s, const char *how, const char *name, struct slice text);

/* The newest published snapshot of the main line, with a reference for the caller. */
struct catalog *db__catalog(struct db *db);
/* Tells the store how long history of each table is kept (past.c). */
void db__apply_retention(struct db *db, const struct catalog *c);
/* In a read-only transaction, or while helios.as_of is set. */
bool session__is_read_only(const struct session *s);
void db__wait_published(struct db *db); /* of the main line: db_line__wait_published */
int64_t db__now_us(const struct db *db); /* µs since 2000-01-01 UTC */

/* --- settings (settings.c) --- */
struct setting_undo;
/* What goes to the log (slow_log.c). */
struct slow_log {
    int64_t statement_us, plan_us; /* below 0: never */
    bool analyze, buffers, wal, timing, verbose, settings;
    enum explain_format format;
};
enum plan_mode { PLAN_AUTO, PLAN_GENERIC, PLAN_CUSTOM };
struct settings {
    const char **values;           /* by index into the table of definitions; NULL: default */
    struct map custom;             /* "a.b" -> heap string */
    struct setting_undo *undo;     /* newest first */
    struct arena arena;            /* of the session: values are small and change seldom */
    struct format_options format;  /* worked out from the values */
    int64_t statement_timeout_us, lock_timeout_us, idle_in_transaction_us, idle_session_us;
    int64_t client_check_us;       /* not 0: statements of clients that hung up end */
    struct slow_log slow;
    enum isolation default_isolation;
    bool default_read_uncommitted;
    bool default_read_only, default_deferrable;
    enum commit_mode commit_mode;
    struct parallel_options parallel;
    enum group_below_mode group_below;
    enum plan_mode plan_mode;
    uint64_t as_of;                /* helios.as_of: a commit timestamp; 0: now */
    uint64_t generation;           /* rises when what plans depend on changes: path, zone, styles */
};
void settings_init(struct settings *s, const struct db *db);
void settings_release(struct settings *s);
/* A size such as "8MB" in the form it is shown; false when it is none (settings_parallel.c). */
bool settings__canonical_size(const char *value, struct strbuf *out);
void settings__derive_parallel(struct session *s);
/* --- what kind of transaction it is (isolation.c) --- */
enum isolation session__isolation_of(const char *level);
const char *session__isolation_name(const struct session *s);
void session__take_defaults(struct session *s); /* as a transaction ends */
void session__default_changed(struct session *s);
/* Whether its snapshot has what is not durable yet: of a block that may write. Its conflicts then are with
 * those that really run beside it; a statement of its own would have to wait for the log when it only reads. */
bool session__reads_early(const struct session *s);
void session__begin_options(struct session *s, const struct ast_list *options);
/* SET of what belongs to the transaction; *ret_handled: it does. value NULL: only asks. */
enum status session__set_transaction(struct session *s, const char *name, const char *value,
                                     bool *ret_handled) MUST;
/* Begins a statement, once its snapshot is safe if it has to be: DEFERRABLE. */
enum status session__begin_snapshot(struct session *s) MUST;
/* settings_time.c */
struct setting_unit {
    const char *name;
    double factor;
};
/* "8 MB" in terms of the first unit's factor. False: not a number (*ret_unit NULL), or of no such unit. */
bool settings__read_with_unit(const char *v, const struct setting_unit *units, size_t unit_count,
                              double *ret, const char **ret_unit);
/* Times (settings_time.c): milliseconds from "5000", "5s", "1min", "250ms", "2h", "1d". */
bool settings__parse_ms(const char *v, int64_t *ret);
void settings__print_ms(int64_t ms, struct strbuf *out);
enum status settings__bad_ms(const char *name, const char *value) MUST; /* why it is none */
const char *settings_get(const struct session *s, const char *name); /* NULL: no such setting */
/* value NULL: back to the default. With PostgreSQL's checks and words. */
enum status settings_set(struct session *s, const char *name, const char *value, bool local,
                         const struct result_sink *sink) MUST;
enum status settings_reset_all(struct session *s, const struct result_sink *sink) MUST;
enum status settings_set_statement(struct session *s, const struct ast_set *a,
                                   const struct result_sink *sink) MUST;
void settings_show_branch(struct session *s, const char *name); /* as helios.branch */
/* As a (sub)transaction ends: `level` and deeper are undone, or kept but for SET LOCAL. */
void settings_end(struct session *s, uint32_t level, bool committed,
                  const struct result_sink *sink);
int64_t settings_ms(const struct session *s, const char *name); /* -1: off */
bool settings_is_default(const struct session *s, const char *name);
/* Calls fn for every setting in order of name. */
enum status settings_each(const struct session *s,
                          enum status (*fn)(void *ctx, const char *name, const char *value,
                                            const char *help),
                          void *ctx) MUST;

/* --- statement statistics (stat_statements.c) --- */
void db__stat_statements_init(struct db *db);
struct statement_run {
    int64_t start_us;
    struct exec_usage before;
};
/* Around a run; `end` counts it. */
void session__run_begin(struct session *s, struct statement_run *r);
void session__run_end(struct session *s, const struct statement_run *r, struct cached_plan *p,
                      const struct exec_params *params, const struct exec_result *result);
/* Of a run in steps: what this one took is added; then it is counted as one. */
void session__run_pause(struct session *s, const struct statement_run *r, int64_t *took_us,
                        struct exec_usage *usage);
void session__run_over(struct session *s, struct cached_plan *p, const struct exec_params *params,
                       int64_t took_us, uint64_t rows, const struct exec_usage *usage);
void session__utility_end(struct session *s, const struct statement_run *r,
                          const struct statement *st, struct slice text);
/* The plan's entry, and what planning it took. */
void session__count_plan(struct session *s, struct cached_plan *p, const struct statement *st,
                         struct slice text, int64_t took_us);

/* --- slow statements (slow_log.c) --- */
bool slow_log__is_setting(const char *name);
void slow_log__derive(struct session *s);
/* Logs it, if it took long enough and logging is on. */
void slow_log__plan(struct session *s, const struct plan *p, const struct exec_params *params,
                    const struct exec_result *r, int64_t took_us);
/* `how`: "statement", or "execute" with the prepared statement's name. */
void slow_log__statement(struct session *s, int64_t took_us, const char *how, const char *name,
                         struct slice text);

/* --- transactions (transaction.c) --- */
enum block_state {
    BLOCK_NONE,      /* autocommit */
    BLOCK_IMPLICIT,  /* a simple query string of several statements, or extended before Sync */
    BLOCK_OPEN,      /* after BEGIN */
    BLOCK_FAILED,    /* an error inside BEGIN … */
};
/* How far the lists of deferred checks go (deferred.c). */
struct deferred_mark {
    size_t events, modes, triggers;
};

/* How far the lists of notifications and of LISTEN go (notify.c). */
struct notify_mark {
    size_t events, actions;
};

struct savepoint {
    struct savepoint *outer;
    char *name;
    txn_mark mark;
    struct catalog *catalog; /* the private one at that point, or NULL */
    uint32_t level;          /* 1.. */
    struct deferred_mark deferred;
    struct notify_mark notify;
    bool read_only;          /* of what is around it: again when it ends */
};

struct prepared;
struct portal;
enum { SESSION_WRITTEN_MAX = 8 };

struct moment_catalog { /* of the past, a reference */
    uint64_t ts;
    struct catalog *catalog;
};

struct on_commit {                   /* of a temporary table: 'd' DELETE ROWS, 'D' DROP */
    oid_t table;
    char action;
};

struct session {
    struct db *db;
    struct db_line *line;               /* main or a branch; changes between transactions alone */
    struct session *next, *prev;     /* guarded by db->sessions_mutex */
    uint32_t pid, key;
    char *user, *database, *client_address;
    oid_t user_oid, database_oid;
    bool superuser;                  /* the current user is one */
    char *role;                      /* of SET ROLE; NULL: the user's own */
    oid_t login_oid;                 /* of `user`, whatever the role */
    bool login_superuser;
    struct waiter *waiter;           /* of the fiber that serves it */
    struct lock_owner *lock_owner;   /* what it locks and waits for, across transactions */
    struct notify_state *notify;     /* LISTEN and NOTIFY; NULL: not used yet */
    const struct result_sink *notices; /* of the running call; NULL between two */
    uint32_t terminate;              /* atomic: asked to end */
    uint32_t cancel;                 /* atomic: asked to end the statement */
    struct settings settings;
    struct reg_names reg_names;      /* settings.format's */
    /* Time travel (past_moment.c), while a statement is bound: values of its parameters, NULL without; and the
     * catalogs that were looked up; and when moments are, for past_take_moments. */
    const struct exec_params *moment_params;
    ARRAY(struct moment_catalog) past_catalogs;
    const uint64_t *moments;

    struct txn *txn;                 /* atomic, by session__set_txn; NULL between transactions */
    struct { oid_t table; uint64_t rows; } written[SESSION_WRITTEN_MAX]; /* by the transaction */
    uint32_t written_count;
    enum block_state block;          /* atomic, by session__set_block */
    struct savepoint *savepoints;    /* newest first */
    struct snapshot_export *exports; /* of the transaction */
    struct deferred *deferred;       /* checks put off in the transaction; NULL: none */
    enum isolation isolation;        /* of the transaction */
    bool read_uncommitted;           /* it asked for that: only shown, as it is READ_COMMITTED */
    bool read_only, deferrable;
    bool txn_began_statement;        /* a statement has run in it: SET TRANSACTION is too late */
    int64_t txn_us, statement_us;    /* µs since 2000-01-01 UTC; txn_us is atomic */
    uint64_t last_commit_ts;         /* of an asynchronous commit, for txn_options.min_snapshot_ts */

    struct catalog *catalog;         /* of the running statement: a reference */
    struct catalog *own_catalog;     /* after DDL in this transaction: a reference; else NULL */
    oid_t *path_schemas;             /* search path worked out for `catalog` */
    struct search_path path;
    oid_t path_front;                /* goes before the setting's: CREATE SCHEMA's own; 0 */
    uint64_t path_catalog_version, path_generation;

    struct arena arena;              /* of the statement */
    struct slice running_text;       /* stays while it runs */
    struct rng random;
    struct exec_session exec;
    struct pl_state *pl;             /* functions that were called (pl_priv.h); NULL: none */
    uint32_t definers;               /* SECURITY DEFINER functions that run */
    struct pl_run *running_pl;       /* the innermost; NULL: none */
    struct pl_transitions *transitions; /* of the trigger whose function runs; NULL */
    const struct result_sink *sink;  /* of the outermost statement that runs: where notices go */
    const type_id *param_types;      /* of the utility statement that runs; NULL: not told */
    bool atomic;                     /* a function or trigger may not end the transaction */
    struct map prepared;             /* name -> struct prepared */
    struct map portals;              /* name -> struct portal */
    struct siding *spare_siding;     /* or NULL */
    uint32_t stream_count;           /* of portals that are running */
    struct merge_conflicts *merge_conflicts; /* of the last MERGE BRANCH; NULL: none */
    struct map currvals;             /* sequence oid -> int64_t */
    int64_t lastval;
    bool has_lastval;
    oid_t lastval_sequence;
    int64_t deadline_us;             /* statement_timeout, monotonic; 0 none */
    ARRAY(oid_t) rewrote;            /* tables that the open transaction has given new trees to */
    ARRAY(tree_id) late;             /* of indexes that it has built of rows which its snapshot may not see */
    bool in_ddl;                     /* definitions are changed: s->catalog is the one to change */
    struct narrowed *narrowed;       /* what an old snapshot sees of the catalog (narrowed.c); NULL */
    bool temporary;                  /* it has, or had, temporary objects (temporary.h) … */
    bool used_temporary;             /* … and the transaction may have touched them */
    ARRAY(struct on_commit) on_commit;
    uint32_t in_function;            /* statements that functions run, within each other */
    struct build_progress build;
    /* for pg_stat_activity */
    struct activity_text activity;
    int64_t activity_us;             /* atomic */
    char application[64];            /* guarded by db->sessions_mutex, as what stays is: */
    int64_t backend_start_us;
    uint32_t running;                /* atomic: a statement runs */
    uint32_t statement_number;
    int64_t timed_us;                /* when the running statement began, if it is timed; else 0 */
    bool sampled;                    /* it is for the histogram, too */
};

enum session_state { SESSION_IDLE, SESSION_ACTIVE, SESSION_IN_TRANSACTION, SESSION_ABORTED };
/* Of another session: a moment's picture. Under db->sessions_mutex. */
enum session_state session__state(const struct session *s);

/* Names of catalog objects for the session's format (system_name.c). */
void session__fill_reg_names(struct session *s);

/* The catalog `now` as the transaction may use it, for one that keeps a snapshot: an index that is younger tells
 * nothing of what that sees, so it is not valid. A reference; `now` is taken over. */
struct catalog *narrowed__of(struct session *s, struct catalog *now);
/* Is this catalog made of the newest one that is published, or of the transaction's own? */
bool narrowed__is_newest(const struct session *s, const struct catalog *c);
/* Has the transaction a snapshot that is older than some tree? */
bool narrowed__wanted(const struct session *s);
/* The transaction has built an index of what its running statement sees. */
void narrowed__note_built(struct session *s, tree_id tree);
void narrowed__forget(struct session *s);

/* Starts a transaction when none is open. */
enum status session__ensure_txn(struct session *s) MUST;
/* Commits or aborts what is open and forgets everything of it; sends changed settings to the sink. */
enum status session__commit(struct session *s, const struct result_sink *sink) MUST;
void session__abort(struct session *s, const struct result_sink *sink);
/* After an error in a statement: autocommit rolls back, a block fails. */
void session__statement_failed(struct session *s, const struct result_sink *sink);
enum status session__transaction_statement(struct session *s, const struct ast_transaction *a,
                                           const struct result_sink *sink, char tag[64]) MUST;
/* SET ROLE: may the session take it (22023, 42501)? Then take it; "none" is the user's own. */
enum status session__check_role(struct session *s, const char *name) MUST;
void session__use_role(struct session *s, const char *name);
/* Others see these two. */
static inline void session__set_txn(struct session *s, struct txn *t)
{
    __atomic_store_n(&s->txn, t, __ATOMIC_RELAXED);
}
static inline void session__set_block(struct session *s, enum block_state block)
{
    __atomic_store_n(&s->block, block, __ATOMIC_RELAXED);
}
static inline const char *session__user(const struct session *s)
{
    return s->role ? s->role : s->user;
}
/* 25001 "X cannot run inside a transaction block" */
enum status session__forbid_block(struct session *s, const char *what) MUST;

/* The snapshot that the running statement binds against; s->catalog. */
struct catalog *session__catalog(struct session *s);
const struct search_path *session__path(struct session *s);
/* The rights of a function's owner while it runs, SECURITY DEFINER; role 0: those that there are (role.c). */
struct session_role {
    bool entered;
    char *role;
    oid_t user_oid;
    bool superuser;
};
void session__enter_role(struct session *s, oid_t role, struct session_role *ret);
void session__leave_role(struct session *s, struct session_role *was);
/* Transition tables of the trigger whose function runs (pl_transition.c). */
struct pl_transitions {
    const struct table_def *tables[2]; /* NULL: not named */
    struct transition_rows *rows[2];
};
enum status session__scan_transition(struct session *s, const struct table_def *t, struct arena *a,
                                     enum status (*emit)(void *ctx, const struct datum *row),
                                     void *ctx) MUST;
/* format_type() with the names of row types (system_name.c). */
void session__type_name(struct session *s, type_id type, int32_t typmod, struct strbuf *out);
void session__path_front(struct session *s, oid_t schema);
/* Takes the first lock of DDL in this transaction and moves to the newest snapshot, as it is, until the utility
 * statement ends. */
enum status session__begin_ddl(struct session *s) MUST;
/* s->catalog is the one to change, or else what plans may use of it. */
void session__change_catalog(struct session *s, bool in_ddl);
/* `c`: a snapshot made by catalog/edit.h from session__catalog(); the reference is taken over. */
void session__set_catalog(struct session *s, struct catalog *c);

/* Callbacks that the binder asks for, and its environment for the running statement. */
void session__bind_env(struct session *s, struct bind_env *env, struct arena *a, struct slice text);
/* Stored expressions (sql/expr.h, storage form) to what pg_get_expr prints, in the arena. */
enum status session__display_expression(struct session *s, const struct table_def *t,
                                        const char *storage_sql, struct arena *a,
                                        const char **ret) MUST;

/* --- statements (statement.c) --- */
bool is_plannable(const struct ast *a); /* SELECT, INSERT, UPDATE, DELETE */
struct run_options {
    const struct exec_params *params;
    bool describe;          /* call sink->columns (simple protocol) */
};
/* A bound and planned statement, shared and counted. */
struct cached_plan *session__plan(struct session *s, const struct statement *st, struct slice text,
                                  type_id *param_types, uint32_t *param_count, bool variable_params,
                                  enum status *ret_status);
/* For these values alone; not to be kept. */
struct cached_plan *session__plan_for(struct session *s, const struct statement *st,
                                      struct slice text, type_id *param_types,
                                      uint32_t *param_count, const struct datum *values,
                                      enum status *ret_status);

/* --- custom_plan.c --- */

/* Have its tables grown or shrunk so much that it should be made anew? Looks now and then. */
bool custom_plan__is_outgrown(struct session *s, struct cached_plan *p);
/* The rows of its tables now. */
double custom_plan__rows(struct session *s, const struct plan *p);
/* Is the statement to be planned for its values, rather than run by that plan for any? */
bool custom_plan__wanted(const struct session *s, const struct cached_plan *generic,
                         uint32_t param_count);
/* A reference to the plan that the prepared statement, which is valid, is to be run by. */
enum status custom_plan__choose(struct session *s, const struct prepared *p,
                                const struct datum *values, struct cached_plan **ret) MUST;
const struct plan *cached_plan_plan(const struct cached_plan *p);
void cached_plan_ref(struct cached_plan *p);
void cached_plan_unref(struct cached_plan *p);
bool cached_plan_valid(const struct cached_plan *p, struct session *s);
/* Locks its tables. PLAN_STALE when one was changed while it waited: entries of a new index would be
 * missing, those of a dropped one go to a tree that is gone. */
enum status session__lock_plan(struct session *s, const struct cached_plan *p) MUST;
/* That, and begins the statement: its snapshot is of these definitions. 40001 when it is older than a rewrite
 * of a table. */
enum status session__begin_plan(struct session *s, const struct cached_plan *p) MUST;
/* 25006 when it writes, or locks rows, in a transaction that may not. */
enum status session__check_writes(const struct session *s, const struct plan *p) MUST;
/* Locks its tables and runs it; counts rows and makes the tag. */
enum status session__run_plan(struct session *s, struct cached_plan *p,
                              const struct run_options *o, const struct result_sink *sink,
                              char tag[64]) MUST;
/* The same for a run that may stand still (portal_stream.c): admits and locks it; a reader of its own. */
enum status session__begin_stream(struct session *s, struct cached_plan *p, bool *ret_admitted,
                                  struct txn **ret_reader) MUST;
/* A wait or a loop was ended through the waiter: says why. */
enum status session__explain_cancel(struct session *s, enum status result);
/* Any statement but SELECT … DELETE goes here. */
enum status session__run_utility(struct session *s, const struct statement *st, struct slice text,
                                 const struct exec_params *params, const struct result_sink *sink,
                                 char tag[64]) MUST;
/* EXPLAIN (explain.c). */
enum status session__explain(struct session *s, const struct statement *st, struct slice text,
                             const struct exec_params *params,
                             const struct result_sink *sink) MUST;
/* Fills in the settings that are not the default and bear on plans; in the statement's arena. */
enum status explain__take_settings(struct session *s, struct explain_options *o) MUST;
bool explain__format(const char *word, enum explain_format *ret);
/* Makes a session see that it is canceled or ended, where it waits, too; under the mutex of sessions. */
void db__interrupt(struct session *s, bool terminate);
/* Checks cancel, termination and timeouts; also called by the executor through the waiter. */
enum status session__check_interrupts(struct session *s) MUST;
/* Sends rows that are at hand: columns, then rows of text. */
enum status session__send_text_rows(struct session *s, const struct result_sink *sink,
                                    const char *const *names, uint32_t columns,
                                    const char *const *const *rows, uint32_t row_count) MUST;
enum status session__notice(const struct result_sink *sink, const char *severity,
                            enum status code, const char *hint, const char *fmt, ...)
    PRINTF(5, 6);

/* --- prepared statements (prepared.c) --- */
/* A named or unnamed statement. Its plan is made again when the catalog or the settings that it
 * depends on have changed; then its columns must stay what they were. */
struct prepared {
    struct arena arena;
    const char *name;
    struct slice text;
    struct slice shown;                /* the whole PREPARE that `text` stands in, or `text` */
    int shift;                         /* characters of `shown` before it */
    const struct statement *statement; /* of utility statements; plannable ones are parsed as needed */
    bool plannable, is_sql, empty;     /* is_sql: made by PREPARE */
    int64_t made_us;
    type_id *param_types;
    uint32_t param_count;
    struct cached_plan *plan;
    uint64_t generation;               /* of the settings, when planned */
    struct result_column *columns;
    uint32_t column_count;
    uint32_t refs;                     /* the session's map, and portals */
};
enum status prepared__find(struct session *s, const char *name, struct prepared **ret) MUST;
void prepared__unref(struct prepared *p);
/* *plan (NULL: none) is replaced by one for the catalog of now and these values, for which moments are
 * filled in, in the arena. Plannable statements only. */
enum status prepared__replan(struct session *s, struct prepared *p, struct arena *a,
                             struct exec_params *params, struct cached_plan **plan) MUST;
/* Runs *plan, of the statement; it is replaced when a table was changed, if only by ANALYZE, between
 * planning and locking. PLAN_STALE after REPLANS_MAX times. */
enum { REPLANS_MAX = 20 };
enum status prepared__run(struct session *s, struct prepared *p, struct cached_plan **plan,
                          const struct run_options *o, const struct result_sink *sink,
                          char tag[64]) MUST;
/* A reference to the plan that EXECUTE would run, and its parameters. */
enum status prepared__plan_execute(struct session *s, const struct ast_execute *a,
                                   struct exec_params *ret_params, struct cached_plan **ret) MUST;
enum status session__prepare_statement(struct session *s, const struct ast_prepare *a,
                                       struct slice text) MUST;
enum status session__execute_statement(struct session *s, const struct ast_execute *a,
                                       const struct result_sink *sink, bool describe,
                                       char tag[64]) MUST;
enum status session__deallocate(struct session *s, const char *name) MUST; /* NULL: all */
/* The plan of a text with these parameter types, from the cache or made; a reference. Plannable
 * single statements only: *ret_plan NULL for others, and then *ret_statement is the tree. */
enum status session__plan_text(struct session *s, struct slice text, struct arena *a,
                               type_id *param_types, uint32_t *param_count, bool variable,
                               struct cached_plan **ret_plan,
                               struct statement **ret_statement, uint32_t *ret_count) MUST;
/* What a plan depends on besides catalog and text, as bytes. */
void session__plan_key_prefix(struct session *s, struct strbuf *out);

/* --- branches (branch.c) --- */
/* Into the line of that name, when no transaction is open. 3D000. */
enum status session__branch_diff(void *ctx, struct slice a, struct slice b, struct arena *arena,
                                 enum status (*to)(void *emit_ctx, const struct datum *row),
                                 void *emit_ctx) MUST;
enum status session__use_branch(struct session *s, struct slice name) MUST;
/* Of a tree as the session's line has it. */
enum status session__tree_statistics(const struct session *s, uint64_t tree,
                                     struct tree_statistics *ret) MUST;

/* --- portals and cursors (portal.c) --- */
/* Rows kept, for cursors and limited portals. */
struct row_store {
    struct arena arena;
    ARRAY(struct datum *) rows;
    uint32_t columns;
    const type_id *types;
    uint64_t bytes_max;
};
struct portal {
    struct arena arena;
    const char *name;
    struct prepared *prepared;      /* a reference; NULL for a SQL cursor */
    struct cached_plan *plan;       /* a reference; NULL for utility statements */
    struct datum *params;
    uint32_t param_count;
    const uint64_t *moments;        /* of exec_params */
    struct result_column *columns;
    uint32_t column_count;
    bool started, done, failed, held, scroll, is_cursor, materialised;
    uint32_t level;                 /* 1 and up: of savepoints, when it was made; 0: by a transaction before */
    struct stream *stream;          /* its run, standing; NULL: none, or it was at its end */
    struct row_store rows;          /* when materialised; more come while there is a stream */
    int64_t position;               /* 0: before the first row; n: on row n */
    char tag[64];
    struct slice query_text;        /* pg_cursors */
    int64_t made_us;
};
/* Runs that stop between two rows (portal_stream.c). They end before their transaction. */
bool stream_possible(const struct session *s, const struct plan *p);
/* In the arena, which outlives it, as do plan and params. Nothing runs yet. */
enum status stream_open(struct session *s, struct cached_plan *plan,
                        const struct exec_params *params, struct arena *a,
                        struct stream **ret) MUST;
/* Up to `max` rows into the sink (NULL: nowhere). *ret_end: there are no more. */
enum status stream_send(struct stream *st, uint64_t max, const struct result_sink *sink,
                        uint64_t *ret_sent, bool *ret_end) MUST;
void stream_rewind(struct stream *st); /* to before the first row */
void stream_rest(struct stream *st);   /* its statement is over */
void stream_close(struct stream *st);

/* 55006 when a cursor of this session is reading the table: `what` would take it from under it. */
enum status session__check_unused(struct session *s, const struct table_def *t,
                                  const char *what) MUST;
/* Closes those of that level and above: what was opened since a savepoint, or in the transaction. */
void session__close_portals_of(struct session *s, uint32_t level);
/* Those above are of that level now: a savepoint was released, or the transaction committed. */
void session__lift_portals(struct session *s, uint32_t level);
enum status session__declare_cursor(struct session *s, const struct ast_declare_cursor *a,
                                    const struct statement *st, struct slice text) MUST;
/* A cursor of that name over the plan, whose values are copied. */
enum status session__open_portal(struct session *s, const char *name, struct cached_plan *plan,
                                 const struct exec_params *params, struct slice text, bool scroll,
                                 bool no_scroll) MUST;
enum status session__fetch(struct session *s, const struct ast_fetch *a,
                           const struct result_sink *sink, char tag[64]) MUST;
enum status session__close_cursor(struct session *s, const char *name) MUST;
enum status session__hold_portals(struct session *s) MUST; /* before the transaction commits */
void session__close_portals(struct session *s, bool all); /* at transaction end: all but held ones */
void prepared__free_all(struct session *s);
/* Runs one parsed statement (simple protocol, and EXECUTE's utility statements). */
enum status session__run_statement(struct session *s, const struct statement *st,
                                   struct slice text, const struct exec_params *params,
                                   const struct result_sink *sink, char tag[64]) MUST;
/* `text` without data: what is shown as running stays. */
void session__begin_statement(struct session *s, struct slice text);
void session__end_statement(struct session *s);
/* 25P02 unless the statement may run in a failed block. */
enum status session__check_failed_block(struct session *s, const struct ast *a) MUST;

/* --- sequences and hidden row ids (sequence.c) --- */
struct sequences *sequences_new(struct db *db);
void sequences_free(struct sequences *q);
/* After a restart: if the tree is a sequence's, the transaction has put another in its place, and others wait for its
 * end, as for sequence_freeze. */
void sequences_freeze_tree(struct sequences *q, struct txn *t, uint32_t branch, uint64_t tree);
enum status session__nextval(void *ctx, oid_t sequence, int64_t *ret) MUST;
enum status session__currval(void *ctx, oid_t sequence, int64_t *ret) MUST;
enum status session__lastval(void *ctx, int64_t *ret) MUST;
enum status session__setval(void *ctx, oid_t sequence, int64_t value, bool is_called) MUST;
enum status session__next_row_id(void *ctx, const struct table_def *t, int64_t *ret) MUST;
/* Makes or restarts the sequence's row, within the transaction. */
enum status sequence_write(struct session *s, const struct table_def *seq, int64_t value,
                           bool is_called) MUST;
/* The row as any transaction sees it. */
enum status sequence_read_in(struct txn *t, const struct table_def *seq, int64_t *ret_value,
                             bool *ret_called) MUST;
/* Values up to this one are given out, whatever the transaction's end: those beyond come next. */
enum status sequence_advance(struct session *s, const struct table_def *seq, int64_t value) MUST;
/* last_value, is_called as SELECT * FROM seq shows them. */
enum status sequence_read(struct session *s, const struct table_def *seq, int64_t *ret_value,
                          bool *ret_called) MUST;
/* The same, before this transaction gives the sequence another tree: who wants a value waits for the
 * transaction's end, unless it aborts. */
enum status sequence_freeze(struct session *s, const struct table_def *seq, int64_t *ret_value,
                            bool *ret_called) MUST;
/* currval and lastval are not defined any more. */
void session__forget_sequences(struct session *s);
/* Forgets cached values once this transaction has ended. */
void sequence_forget(struct session *s, oid_t sequence);

/* --- checks put off to the end of the transaction (deferred.c) --- */
struct foreign_event;
bool session__is_deferred(void *ctx, const struct constraint_def *k);
enum status session__defer(void *ctx, const struct foreign_event *e) MUST;
enum status session__defer_trigger(void *ctx, const struct trigger_call *c, bool *ret_put) MUST;
struct deferred_mark session__deferred_mark(const struct session *s);
void session__rollback_deferred(struct session *s, struct deferred_mark mark);
/* `all` of them, as the transaction ends, or those that are not deferred any more. */
enum status session__check_deferred(struct session *s, bool all) MUST;
/* 55006 when a check waits that needs the table as it is. */
enum status session__check_pending(struct session *s, const struct table_def *t,
                                   const char *what) MUST;
void session__end_deferred(struct session *s);
enum status session__set_constraints(struct session *s, const struct ast_set_constraints *a,
                                     const struct result_sink *sink) MUST;

enum status session__row_versions(void *ctx, oid_t table, const char *const *keys, uint32_t count,
                                  struct arena *a, const struct row_version **ret,
                                  uint32_t *ret_count) MUST; /* row_versions.c */

/* --- exported snapshots (snapshot_export.c) --- */
void session__end_exports(struct session *s); /* before the transaction ends */
enum status session__import_snapshot(struct session *s, const char *id) MUST;

/* --- PREPARE TRANSACTION (two_phase.c) --- */
struct two_phase;
struct two_phase *two_phase_new(struct db *db);
void two_phase_free(struct two_phase *p); /* may be NULL */
/* What was prepared before the store was opened. */
enum status two_phase_load(struct two_phase *p) MUST;
/* Prepares the session's transaction, which is not its own any more then. After an error it may be. */
enum status session__prepare_transaction(struct session *s, const char *gid) MUST;
/* COMMIT PREPARED, ROLLBACK PREPARED. */
enum status session__end_prepared(struct session *s, const struct ast_transaction *a,
                                  char tag[64]) MUST;

/* --- LISTEN and NOTIFY (notify.c) --- */
struct notify_batch;
enum status session__channel_statement(struct session *s, const struct ast_channel *a,
                                       const struct result_sink *sink, char tag[64]) MUST;
void session__unlisten_all(struct session *s); /* as the transaction commits */
struct notify_mark session__notify_mark(const struct session *s);
void session__rollback_notify(struct session *s, struct notify_mark mark);
bool session__has_notify(const struct session *s); /* in this transaction */
/* Before the commit, after it, and as the transaction ends in whatever way. */
enum status session__notify_commit(struct session *s, struct notify_batch *b) MUST;
void session__notify_committed(struct session *s, struct notify_batch *b, bool committed, uint64_t ts);
void session__notify_ended(struct session *s);
void session__notify_free(struct session *s);
enum status session__channels(void *ctx, struct arena *a, const char *const **ret,
                              uint32_t *ret_count) MUST;

/* --- functions (pl_*.c) --- */
void session__free_functions(struct session *s);
enum status session__call_function(void *ctx, const struct function_def *f,
                                   const struct datum *args, struct arena *a,
                                   struct datum *ret) MUST;
enum status session__call_set(void *ctx, const struct function_def *f, const struct datum *args,
                              const type_id *types, uint32_t column_count,
                              enum status (*emit)(void *emit_ctx, const struct datum *row),
                              void *emit_ctx) MUST;
enum status session__call_trigger(void *ctx, const struct trigger_call *c, struct arena *a,
                                  const struct datum **row) MUST;
struct ast_call;
struct ast_do;
/* What CALL takes and gives: types of its parameters (what is given in *types is kept), its OUT arguments. */
enum status session__describe_call(struct session *s, const struct ast_call *a, struct slice text,
                                   uint32_t param_max, struct arena *arena, type_id **types,
                                   uint32_t *count, struct result_column **ret_columns,
                                   uint32_t *ret_column_count) MUST;
enum status session__call(struct session *s, const struct ast_call *a, struct slice text,
                          const struct exec_params *params, const struct result_sink *sink) MUST;
enum status session__do(struct session *s, const struct ast_do *a, struct slice text) MUST;
/* A savepoint around what a handler of exceptions guards; and its end, in either way. */
enum status session__begin_block(struct session *s) MUST;
void session__end_block(struct session *s);
void session__undo_block(struct session *s);
/* A plan inside a function: its rows go to `to`. PLAN_STALE as session__lock_plan says. */
enum status session__run_inner(struct session *s, struct cached_plan *p,
                               const struct exec_params *params, struct arena *a,
                               const struct exec_sink *to,
                               enum status (*row)(void *ctx, const struct datum *values),
                               void *row_ctx, bool new_command, uint64_t *ret_rows) MUST;
/* The bound query becomes the plan of p. */
enum status session__finish_plan(struct session *s, struct cached_plan *p, struct query *q,
                                 const type_id *types, uint32_t count,
                                 const struct datum *values) MUST;
void session__count_changes(struct session *s, const struct plan *p, uint64_t rows);

/* --- other statements --- */
/* CREATE, ALTER, DROP, TRUNCATE, COMMENT, GRANT, roles, databases (ddl_*.c). */
enum status ddl_execute(struct session *s, const struct statement *st, struct slice text,
                        const struct result_sink *sink, char tag[64]) MUST;
bool ddl_handles(enum ast_kind kind);
/* COPY (copy_*.c). */
enum status copy_execute(struct session *s, const struct ast_copy *c, const struct statement *st,
                         struct slice text, const struct result_sink *sink, char tag[64]) MUST;
/* VACUUM, ANALYZE (maintenance.c). */
enum status maintenance_execute(struct session *s, const struct ast_vacuum *a,
                                const struct result_sink *sink) MUST;
/* SELECT * FROM helios_verify() (verify.c). Superusers only. */
enum status session__verify(void *ctx, const struct verify_sink *sink) MUST;
/* Rows of virtual tables (pg_catalog*.c) and functions that need the session (system.c). */
enum status virtual_scan(void *ctx, const struct table_def *t, struct arena *a,
                         enum status (*emit)(void *emit_ctx, const struct datum *row),
                         void *emit_ctx) MUST;
enum status system_function(void *ctx, const struct proc_def *proc, const struct datum *args,
                            uint32_t arg_count, struct arena *a, struct datum *ret) MUST;

#endif
