/* Where statements run: a server, or the library in this process. The shell knows only this.
 *
 * A backend belongs to one thread; `cancel` may come from any. Rows stream: a sink sees one row at
 * a time, and its texts live until the call returns. */
#ifndef HELIOS_SHELL_BACKEND_H
#define HELIOS_SHELL_BACKEND_H

#include "base/str.h"

struct backend;

struct backend_column {
    const char *name;
    bool number; /* shown at the right */
    bool json;   /* the text is JSON */
    bool truth;  /* boolean */
};

/* Of the last statement that failed. Empty strings where nothing is known. */
struct backend_error {
    char severity[16], sqlstate[6];
    struct strbuf message, detail, hint, context, where;
    int position; /* in characters, from 1; 0: not known */
};

/* What a statement gives. Returning false ends it. Any function may be null. */
struct backend_sink {
    bool (*columns)(void *ctx, int n, const struct backend_column *columns);
    bool (*row)(void *ctx, const char *const *values, const int *lengths);
    /* A result has ended. `rows`: those of this result, -1: the statement has none. */
    void (*done)(void *ctx, const char *tag, int64_t rows);
    /* COPY … FROM STDIN: the next bytes, 0 at the end, -1 to give up. */
    int (*copy_in)(void *ctx, char *buffer, int size);
    bool (*copy_out)(void *ctx, const char *data, size_t len);
    void *ctx;
};

/* A notice: the severity, the message, and detail and hint or "". */
typedef void backend_notice(void *ctx, const char *severity, const char *message,
                            const char *detail, const char *hint);

struct backend_target {
    const char *path;    /* the library: a directory, NULL: in memory */
    const char *address; /* a server: postgresql://… or NULL */
    const char *host, *port, *user, *database;
    bool server, ask_password; /* ask_password: -W */
    backend_notice *notice;
    void *notice_ctx;
};

struct backend_ops {
    void (*close)(struct backend *b);
    /* One statement. False: see `error`, unless the sink ended it. */
    bool (*run)(struct backend *b, const char *sql, const struct backend_sink *sink);
    void (*cancel)(struct backend *b);
    char (*transaction)(struct backend *b); /* 'I', 'T', 'E'; 'X': the connection is lost */
    const char *(*database)(struct backend *b);
    const char *(*user)(struct backend *b);
    void (*describe)(struct backend *b, struct strbuf *out); /* for \conninfo, one sentence */
    bool (*reconnect)(struct backend *b);
};

struct backend {
    const struct backend_ops *ops;
    struct backend_error error;
    bool copies; /* COPY from and to the client works */
    bool files;  /* COPY from and to files means files of this machine */
};

/* NULL: `ret_error` holds why. */
struct backend *backend_server_open(const struct backend_target *t, struct strbuf *ret_error);
struct backend *backend_library_open(const struct backend_target *t, struct strbuf *ret_error);

void backend_error_init(struct backend_error *e);
void backend_error_release(struct backend_error *e);
void backend_error_clear(struct backend_error *e);

#endif
