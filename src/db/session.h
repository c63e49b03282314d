/* Sessions: what a gateway drives. One fiber (or thread) at a time each.
 *
 * A session understands statements, prepared statements, portals and transactions; it knows nothing
 * of the wire. Results come out through a `result_sink` in the order in which a PostgreSQL server
 * would send them. Errors: the call returns a status with the words in the error slot, and the session
 * has already moved its transaction to the failed state; nothing is lost and the session goes on,
 * but for ADMIN_SHUTDOWN, CONNECTION_FAILURE and the idle timeouts, after which it must be freed. */
#ifndef HELIOS_DB_SESSION_H
#define HELIOS_DB_SESSION_H

#include "base/array.h"
#include "db/db.h"
#include "types/vec.h"

struct session;
struct result_sink;

struct session_options {
    const char *user;          /* authenticated already */
    const char *database;
    const char *client_address; /* "127.0.0.1:50412" or NULL */
    /* Settings from the start-up packet, in order: unknown ones are UNDEFINED_OBJECT. */
    const char *const *settings; /* name, value, name, value … */
    uint32_t setting_count;      /* pairs */
};

/* INVALID_CATALOG_NAME, TOO_MANY_CONNECTIONS, INVALID_AUTHORIZATION. */
enum status session_new(struct db *db, const struct session_options *o, struct session **ret) MUST;
/* Rolls back what is open. */
void session_free(struct session *s);
uint32_t session_pid(const struct session *s);
uint32_t session_key(const struct session *s);
/* 'I' idle, 'T' in a transaction, 'E' in a failed one. */
char session_txn_state(const struct session *s);
/* Value of a setting as SHOW gives it, or NULL. */
const char *session_setting(const struct session *s, const char *name);
/* How values are to be printed now (DateStyle, TimeZone, …); changes with SET. */
const struct format_options *session_format(const struct session *s);
/* µs to wait for the next message before the session must be ended by session_idle_expired, 0: for
 * ever: idle_in_transaction_session_timeout, idle_session_timeout. */
int64_t session_idle_timeout_us(const struct session *s);
/* The FATAL error for that case, in the slot. */
enum status session_idle_expired(struct session *s);
/* It was asked to end: a client that does not read need not be waited for. From any thread. */
bool session_ending(const struct session *s);
/* The client has hung up: what runs for it ends, if client_connection_check_interval is set. */
void session_client_gone(struct session *s);
/* A wait between two messages was canceled: ADMIN_SHUTDOWN when the session was asked to end; a
 * cancel that found no statement to end is forgotten. */
enum status session_idle_canceled(struct session *s) MUST;
/* What others have told on channels that the session listens on, if it is idle; also what it has told
 * itself. Before ReadyForQuery, and when a wait was canceled; *ret_any: something is to be flushed. */
enum status session_send_notifications(struct session *s, const struct result_sink *sink,
                                       bool *ret_any) MUST;
/* Around a wait for the client's next message, which is canceled when there is something to be sent.
 * False: there is, and no wait has begun. */
bool session_rest(struct session *s);
void session_rise(struct session *s);
/* The gateway has found an error in a message by itself: the transaction fails as after any other.
 * Leaves the error slot as it is. */
void session_fail(struct session *s, const struct result_sink *sink);
/* 22021 for bytes that are not UTF-8, or a zero byte: texts from clients are checked before they
 * come here. */
enum status session_check_text(struct slice text) MUST;

struct result_column {
    const char *name;
    type_id type;
    int32_t typmod;
    uint32_t origin_table; /* oid, 0 */
    int16_t origin_column;
};

/* Where results go. Any call may fail (the client is gone): that ends the statement. From
 * `rows`, END_OF_DATA means that no more are wanted: a statement that writes runs on without showing
 * them, any other ends there. */
struct result_sink {
    /* Before the first row of a statement that returns rows; in the extended protocol not called
     * (the client asks by Describe). */
    enum status (*columns)(void *ctx, const struct result_column *columns, uint32_t count);
    enum status (*rows)(void *ctx, const struct batch *b);
    enum status (*row)(void *ctx, const struct datum *values, uint32_t count); /* the fast path */
    enum status (*complete)(void *ctx, const char *tag);
    enum status (*empty)(void *ctx);     /* an empty query string */
    enum status (*suspended)(void *ctx); /* a portal's row limit was reached */
    enum status (*notice)(void *ctx, const char *severity, const struct error *e);
    /* NotificationResponse; NULL: the caller cannot be told, and LISTEN is refused. */
    enum status (*notification)(void *ctx, uint32_t pid, const char *channel, const char *payload);
    enum status (*parameter)(void *ctx, const char *name, const char *value); /* a reported setting changed */
    /* COPY. Formats: 0 text and csv, 1 binary. */
    enum status (*copy_in)(void *ctx, int format, uint32_t columns);
    /* The next piece of the client's data; END_OF_DATA (no message) at its end; QUERY_CANCELED with
     * the client's words when it gave up ("COPY from stdin failed: …"). Stays until the next call. */
    enum status (*copy_read)(void *ctx, struct slice *ret);
    enum status (*copy_out)(void *ctx, int format, uint32_t columns);
    enum status (*copy_write)(void *ctx, struct slice row);
    enum status (*copy_done)(void *ctx);
    /* Pushes out what is buffered: before a long wait. */
    enum status (*flush)(void *ctx);
    void *ctx;
};

/* The simple protocol: every statement of the string, as one implicit transaction unless BEGIN says
 * otherwise. Stops at the first error. */
enum status session_query(struct session *s, struct slice text, const struct result_sink *sink) MUST;

/* The extended protocol. Names: "" is the unnamed one. After an error the gateway skips to Sync and
 * calls session_sync. */
enum status session_parse(struct session *s, const char *name, struct slice text,
                          const type_id *param_types, uint32_t param_count) MUST;
struct bound_param {
    bool null;
    uint8_t format;     /* 0 text, 1 binary */
    struct slice data;
};
enum status session_bind(struct session *s, const char *portal, const char *statement,
                         const struct bound_param *params, uint32_t param_count) MUST;
/* Parameter types, and result columns (count 0: NoData). They stay until the statement or portal is
 * closed or replaced. */
enum status session_describe_statement(struct session *s, const char *name,
                                       const type_id **ret_params, uint32_t *ret_param_count,
                                       const struct result_column **ret_columns,
                                       uint32_t *ret_count) MUST;
enum status session_describe_portal(struct session *s, const char *name,
                                    const struct result_column **ret_columns,
                                    uint32_t *ret_count) MUST;
/* max_rows 0: all. */
enum status session_execute(struct session *s, const char *portal, uint64_t max_rows,
                            const struct result_sink *sink) MUST;
enum status session_close_statement(struct session *s, const char *name) MUST;
enum status session_close_portal(struct session *s, const char *name) MUST;
/* Ends the implicit transaction: commits it, or rolls it back after an error. */
enum status session_sync(struct session *s, const struct result_sink *sink) MUST;

#endif
