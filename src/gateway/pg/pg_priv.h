/* A connection that speaks PostgreSQL's protocol, as the files of this folder share it. */
#ifndef HELIOS_GATEWAY_PG_PG_PRIV_H
#define HELIOS_GATEWAY_PG_PG_PRIV_H

#include "base/map.h"
#include "db/session.h"
#include "gateway/gateway.h"
#include "gateway/pg/message_priv.h"

/* How the client wants the columns of a portal: none all text, one for all, or one each. */
struct pg_formats {
    uint32_t count;
    uint16_t items[];
};

/* How one column of the running result is written; the upper part is worked out once a result, the
 * lower once a batch. */
struct pg_column {
    type_id type;
    uint8_t kind;          /* of rows.c */
    uint8_t kind_now;      /* of the batch's vector, should its type be another */
    bool binary;
    type_id type_now;
    uint32_t width;        /* bytes of a value */
    uint32_t step;         /* 0 when all rows have one value, else width */
    const char *data;
    const uint64_t *nulls;
    const uint32_t *codes; /* of a dictionary; or NULL */
};

struct pg_conn {
    struct gateway_client *client;
    struct pg_reader in;
    struct pg_writer out;
    struct session *session;       /* NULL before it is logged in */
    struct arena arena;            /* of the message in hand */
    bool skip_to_sync;             /* an error in the extended protocol */
    bool extended;                 /* the running statement's columns are told by Describe */
    bool in_copy;                  /* between CopyInResponse and the end of the client's data */
    bool flush_due;                /* the client waits for what is in the write buffer */
    size_t message_max;            /* bytes of a message's body */
    bool refused;                  /* one too many */
    bool gone;                     /* the client has hung up */
    bool over;                     /* the conversation has ended */
    const struct pg_formats *formats; /* of the running portal; NULL: all text */
    struct pg_column *columns;     /* of the running result */
    uint32_t column_count, column_cap;
    const struct format_options *format;
    struct map portals;            /* name -> struct pg_formats, of those with binary columns */
};

/* --- errors.c --- */
/* The error in the slot, as ErrorResponse. */
enum status pg__send_error(struct pg_conn *p, const char *severity) MUST;
enum status pg__send_notice(struct pg_conn *p, const char *severity, const struct error *e) MUST;
/* Must the connection end with this error? */
bool pg__is_fatal(const struct pg_conn *p, enum status code);
/* Sends the error in the slot as FATAL and marks the conversation as over. */
void pg__fatal(struct pg_conn *p);

/* --- startup.c, scram.c --- */
/* From the first byte to a session; p->over when there is to be none (also after a cancel request);
 * what went wrong has been told to the client. */
void pg__start(struct pg_conn *p);
/* Proves the user's password. INVALID_PASSWORD and others: to be sent as FATAL. */
enum status pg__scram(struct pg_conn *p, const char *user, int64_t deadline_us) MUST;

/* --- rows.c --- */
enum status pg__send_row_description(struct pg_conn *p, const struct result_column *columns,
                                     uint32_t count, const struct pg_formats *f) MUST;
/* What the rows to come are made of. */
void pg__set_columns(struct pg_conn *p, const struct result_column *columns, uint32_t count,
                     const struct pg_formats *f);
enum status pg__send_rows(void *ctx, const struct batch *b) MUST;
enum status pg__send_row(void *ctx, const struct datum *values, uint32_t count) MUST;

/* --- query.c --- */
/* The sink of both protocols. */
struct result_sink pg__sink(struct pg_conn *p);
/* CHARACTER_NOT_IN_REPERTOIRE unless it is UTF-8 without NULs. */
enum status pg__check_text(struct slice text) MUST;
enum status pg__query(struct pg_conn *p, struct slice body) MUST;

/* --- extended.c: one message; errors are left in the slot --- */
enum status pg__parse(struct pg_conn *p, struct slice body) MUST;
enum status pg__bind(struct pg_conn *p, struct slice body) MUST;
enum status pg__describe(struct pg_conn *p, struct slice body) MUST;
enum status pg__execute(struct pg_conn *p, struct slice body) MUST;
enum status pg__close(struct pg_conn *p, struct slice body) MUST;
enum status pg__sync(struct pg_conn *p) MUST;
void pg__forget_portals(struct pg_conn *p);

/* --- copy.c --- */
enum status pg__copy_in(void *ctx, int format, uint32_t columns) MUST;
enum status pg__copy_read(void *ctx, struct slice *ret) MUST;
enum status pg__copy_out(void *ctx, int format, uint32_t columns) MUST;
enum status pg__copy_write(void *ctx, struct slice row) MUST;
enum status pg__copy_done(void *ctx) MUST;

#endif
