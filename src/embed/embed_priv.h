/* What the files of the library share: the three handles of include/helios.h. */
#ifndef HELIOS_EMBED_EMBED_PRIV_H
#define HELIOS_EMBED_EMBED_PRIV_H

#include "base/config.h"
#include "base/coro.h"
#include "db/session.h"
#include <helios.h>

struct helios_db {
    struct os *memory;        /* of a database in memory, owned; else NULL */
    struct config *config;
    struct pool *background, *analytic;
    struct pool *checkpoints; /* one thread: checkpoint_loop */
    struct waiter *waiter;    /* of that thread; atomic: NULL until it runs */
    uint32_t stopping;        /* atomic */
    struct db *db;
    uint32_t connections;     /* atomic */
};

/* Why the coroutine gave the thread back. */
enum event { EVENT_ROWS, EVENT_ROW, EVENT_NOTICE };

/* What becomes of rows. */
enum rows_mode {
    ROWS_STEP,    /* given to the caller: the coroutine yields */
    ROWS_DISCARD, /* dropped; the statement runs to its end */
    ROWS_STOP,    /* dropped; a SELECT ends */
    ROWS_CANCEL,  /* the caller wants the statement to fail */
};

struct helios {
    struct helios_db *db;
    struct session *session;
    uint32_t pid;
    struct coro *coro;
    uint32_t busy;               /* atomic: a call is on */
    bool dead;                   /* the session was ended from elsewhere */
    struct result_sink sink;
    enum status result;          /* of the last command */
    enum event event;
    enum rows_mode mode;
    const struct batch *batch;   /* of EVENT_ROWS */
    const struct datum *row;     /* of EVENT_ROW */
    uint32_t value_count;        /* of a row of either */
    uint32_t row_count;          /* of either */
    const struct result_column *columns; /* of the result that is coming */
    uint32_t column_count;
    const char *notice_severity;
    const struct error *notice;
    void (*on_notice)(void *ctx, const char *severity, const char *message);
    void *notice_ctx;
    struct helios_stmt *statements; /* doubly linked */
    struct helios_stmt *running;    /* has a result that is not at its end; or NULL */
    uint64_t last_name;
    char tag[64];
    struct error kept;           /* what `error` points into */
    struct helios_error error;
    bool failed;                 /* `error` holds */
};

struct parameter {
    bool null;
    uint8_t format;
    char *data;                  /* owned */
    size_t len, cap;
};

/* One value of the current row, as it was asked for. */
struct cell {
    char *text;                  /* in the row's arena; NULL: not made yet */
    size_t len;
};

struct helios_stmt {
    struct helios *c;            /* NULL: the connection is gone */
    struct helios_stmt *next, *prev;
    char name[24];
    struct arena arena;          /* what lives as long as the statement */
    type_id *parameter_types;
    struct parameter *parameters;
    struct bound_param *bound;   /* room to pass them on */
    uint32_t parameter_count;
    struct result_column *columns;
    char **column_types;
    uint32_t column_count;
    bool has_row;
    uint32_t row;                /* index among those that the connection has at hand */
    struct datum *values;        /* of the current row */
    type_id *value_types;
    struct cell *cells;
    struct arena row_arena;
};

/* A call begins: false when another one is on, or a callback of one. */
bool embed__enter(struct helios *c);
void embed__leave(struct helios *c);
/* Begins a command on the coroutine, which runs until rows are at hand (true) or its end. */
bool embed__begin(struct helios *c, void (*fn)(void *arg), void *arg);
bool embed__continue(struct helios *c);
/* On the coroutine: forgets a cancel that found nothing to end; ADMIN_SHUTDOWN. */
enum status embed__check_session(struct helios *c) MUST;
/* Keeps the error in `e` for helios_error. Returns HELIOS_ERROR. */
enum helios_status embed__fail(struct helios *c, const struct error *e);
/* What a finished command comes to. */
enum helios_status embed__outcome(struct helios *c);
/* Runs a short command to its end. */
enum helios_status embed__run(struct helios *c, void (*fn)(void *arg), void *arg);
/* No statement may have an open result: 55000. */
enum helios_status embed__check_idle(struct helios *c);
/* Ends the open result. */
void embed__end_result(struct helios_stmt *s);

/* Row `index` of those at hand. `types` holds the columns' types; a batch may know better. */
void embed__load(const struct helios *c, uint32_t index, struct datum *values, type_id *types,
                 uint32_t count);
/* Text of a value, with '\0' behind, in the arena. */
char *embed__text(const struct helios *c, type_id type, const struct datum *d, struct arena *a,
                  size_t *ret_len);
char *embed__message(const struct error *e);

#endif
