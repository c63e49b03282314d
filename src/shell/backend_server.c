/* Statements over PostgreSQL's protocol, by libpq: heliosd, or any other server that speaks it.
 *
 * Rows come in single-row mode, so a result may be larger than memory. Cancelling uses a PGcancel
 * made beforehand, which another thread may use while this one waits. */
#include "shell/backend.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>

#include "shell/terminal.h"

struct server {
    struct backend b;
    PGconn *conn;
    pthread_mutex_t lock; /* guards `cancel` against reconnect */
    PGcancel *cancel;
    backend_notice *notice;
    void *notice_ctx;
};

static const char *or_empty(const char *s) { return s ? s : ""; }

/* libpq ends its messages with a newline. */
static void add_trimmed(struct strbuf *out, const char *s)
{
    size_t n = strlen(or_empty(s));
    while (n > 0 && s[n - 1] == '\n') n--;
    if (n > 0) strbuf_add(out, s, n);
}

static void on_notice(void *arg, const PGresult *r)
{
    struct server *s = arg;
    if (!s->notice) return;
    s->notice(s->notice_ctx, or_empty(PQresultErrorField(r, PG_DIAG_SEVERITY)),
              or_empty(PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY)),
              or_empty(PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL)),
              or_empty(PQresultErrorField(r, PG_DIAG_MESSAGE_HINT)));
}

static void take_error(struct server *s, const PGresult *r)
{
    struct backend_error *e = &s->b.error;
    backend_error_clear(e);
    const char *message = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!message) {
        add_trimmed(&e->message, r && *PQresultErrorMessage(r) ? PQresultErrorMessage(r)
                                                               : PQerrorMessage(s->conn));
        if (PQstatus(s->conn) != CONNECTION_OK) memcpy(e->sqlstate, "08006", 6);
        return;
    }
    strbuf_adds(&e->message, message);
    strbuf_adds(&e->detail, or_empty(PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL)));
    strbuf_adds(&e->hint, or_empty(PQresultErrorField(r, PG_DIAG_MESSAGE_HINT)));
    strbuf_adds(&e->context, or_empty(PQresultErrorField(r, PG_DIAG_CONTEXT)));
    static const struct {
        int code;
        const char *name;
    } places[] = {{PG_DIAG_SCHEMA_NAME, "schema"},     {PG_DIAG_TABLE_NAME, "table"},
                  {PG_DIAG_COLUMN_NAME, "column"},     {PG_DIAG_DATATYPE_NAME, "type"},
                  {PG_DIAG_CONSTRAINT_NAME, "constraint"}};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        const char *v = PQresultErrorField(r, places[i].code);
        if (v) strbuf_addf(&e->where, "%s%s %s", e->where.len ? ", " : "", places[i].name, v);
    }
    snprintf(e->severity, sizeof(e->severity), "%s",
             or_empty(PQresultErrorField(r, PG_DIAG_SEVERITY)));
    snprintf(e->sqlstate, sizeof(e->sqlstate), "%s",
             or_empty(PQresultErrorField(r, PG_DIAG_SQLSTATE)));
    const char *at = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
    int64_t position = 0;
    if (at && str_to_i64(slice_of(at), &position) && position > 0 && position < INT32_MAX)
        e->position = (int)position;
}

enum { OID_BOOL = 16, OID_JSON = 114, OID_JSONB = 3802 };

static bool is_number(Oid type)
{
    switch (type) {
    case 20: case 21: case 23: case 26: case 28: case 29: /* int8 int2 int4 oid xid cid */
    case 700: case 701: case 790: case 1700: case 5069:   /* floats, money, numeric, xid8 */
        return true;
    default: return false;
    }
}

static bool give_columns(const PGresult *r, const struct backend_sink *sink)
{
    int n = PQnfields(r);
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct backend_column *c = ARENA_ARRAY(&a, struct backend_column, n + 1);
    for (int i = 0; i < n; i++) {
        Oid type = PQftype(r, i);
        c[i] = (struct backend_column){.name = PQfname(r, i), .number = is_number(type),
                                       .json = type == OID_JSON || type == OID_JSONB,
                                       .truth = type == OID_BOOL};
    }
    bool more = !sink->columns || sink->columns(sink->ctx, n, c);
    arena_release(&a);
    return more;
}

static bool give_row(const PGresult *r, const struct backend_sink *sink, struct arena *a)
{
    int n = PQnfields(r);
    if (!sink->row) return true;
    arena_clear(a);
    const char **values = ARENA_ARRAY(a, const char *, n + 1);
    int *lengths = ARENA_ARRAY(a, int, n + 1);
    for (int i = 0; i < n; i++) {
        values[i] = PQgetisnull(r, 0, i) ? NULL : PQgetvalue(r, 0, i);
        lengths[i] = PQgetlength(r, 0, i);
    }
    return sink->row(sink->ctx, values, lengths);
}

static void copy_in(struct server *s, const struct backend_sink *sink)
{
    char buffer[65536];
    int n = -1;
    while (sink->copy_in && (n = sink->copy_in(sink->ctx, buffer, sizeof(buffer))) > 0)
        if (PQputCopyData(s->conn, buffer, n) != 1) break;
    PQputCopyEnd(s->conn, n == 0 ? NULL : "the client gave up");
}

static bool copy_out(struct server *s, const struct backend_sink *sink)
{
    char *data = NULL;
    bool more = true;
    int n;
    while ((n = PQgetCopyData(s->conn, &data, 0)) > 0) {
        if (more && sink->copy_out) more = sink->copy_out(sink->ctx, data, (size_t)n);
        PQfreemem(data);
    }
    return more;
}

static void server_cancel(struct backend *b)
{
    struct server *s = (struct server *)b;
    char ignored[256];
    pthread_mutex_lock(&s->lock);
    if (s->cancel) PQcancel(s->cancel, ignored, sizeof(ignored));
    pthread_mutex_unlock(&s->lock);
}

struct progress_of_run {
    bool ok, stopped, headed;
    int64_t rows;
    struct arena scratch;
};

/* One PGresult of the statement. */
static void take_result(struct server *s, PGresult *r, const struct backend_sink *sink,
                        struct progress_of_run *p)
{
    bool more = true;
    switch (PQresultStatus(r)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        if (!p->headed && !p->stopped) more = give_columns(r, sink);
        p->headed = true;
        if (PQresultStatus(r) == PGRES_SINGLE_TUPLE) {
            p->rows++;
            if (more && !p->stopped) more = give_row(r, sink, &p->scratch);
            break;
        }
        if (!p->stopped && sink->done) sink->done(sink->ctx, PQcmdStatus(r), p->rows);
        p->headed = false;
        p->rows = 0;
        break;
    case PGRES_COMMAND_OK:
        if (sink->done) sink->done(sink->ctx, PQcmdStatus(r), -1);
        break;
    case PGRES_COPY_IN: copy_in(s, sink); break;
    case PGRES_COPY_OUT: more = copy_out(s, sink); break;
    case PGRES_EMPTY_QUERY: break;
    default:
        p->ok = false;
        if (!p->stopped) take_error(s, r);
    }
    if (!more && !p->stopped) {
        p->stopped = true;
        server_cancel(&s->b);
    }
}

static bool server_run(struct backend *b, const char *sql, const struct backend_sink *sink)
{
    struct server *s = (struct server *)b;
    backend_error_clear(&b->error);
    if (PQstatus(s->conn) != CONNECTION_OK || !PQsendQuery(s->conn, sql)) {
        take_error(s, NULL);
        return false;
    }
    PQsetSingleRowMode(s->conn);
    struct progress_of_run p = {.ok = true};
    arena_init(&p.scratch, MEM_SESSION);
    PGresult *r;
    while ((r = PQgetResult(s->conn)) != NULL) {
        take_result(s, r, sink, &p);
        bool broken = PQresultStatus(r) == PGRES_FATAL_ERROR && PQstatus(s->conn) == CONNECTION_BAD;
        PQclear(r);
        if (broken) break;
    }
    arena_release(&p.scratch);
    return p.ok;
}

static char server_transaction(struct backend *b)
{
    struct server *s = (struct server *)b;
    if (PQstatus(s->conn) != CONNECTION_OK) return 'X';
    switch (PQtransactionStatus(s->conn)) {
    case PQTRANS_INTRANS: return 'T';
    case PQTRANS_INERROR: return 'E';
    default: return 'I';
    }
}

static const char *server_database(struct backend *b)
{
    return or_empty(PQdb(((struct server *)b)->conn));
}

static const char *server_user(struct backend *b)
{
    return or_empty(PQuser(((struct server *)b)->conn));
}

static void server_describe(struct backend *b, struct strbuf *out)
{
    PGconn *c = ((struct server *)b)->conn;
    if (PQstatus(c) != CONNECTION_OK) {
        strbuf_adds(out, "You are not connected.");
        return;
    }
    const char *host = or_empty(PQhost(c)), *version = PQparameterStatus(c, "server_version");
    strbuf_addf(out, "You are connected to database \"%s\" as user \"%s\" ", PQdb(c), PQuser(c));
    strbuf_addf(out,
                host[0] == '/' ? "via socket in \"%s\" at port \"%s\""
                               : "on host \"%s\" at port \"%s\"",
                host, PQport(c));
    strbuf_addf(out, "%s; server version %s.", PQsslInUse(c) ? " with TLS" : "", or_empty(version));
}

static void renew_cancel(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->cancel) PQfreeCancel(s->cancel);
    s->cancel = PQgetCancel(s->conn);
    pthread_mutex_unlock(&s->lock);
}

static bool server_reconnect(struct backend *b)
{
    struct server *s = (struct server *)b;
    PQreset(s->conn);
    if (PQstatus(s->conn) != CONNECTION_OK) return false;
    renew_cancel(s);
    return true;
}

static void server_close(struct backend *b)
{
    struct server *s = (struct server *)b;
    if (s->cancel) PQfreeCancel(s->cancel);
    PQfinish(s->conn);
    pthread_mutex_destroy(&s->lock);
    backend_error_release(&b->error);
    mem_free(MEM_SESSION, s);
}

static const struct backend_ops server_ops = {
    .close = server_close,       .run = server_run,           .cancel = server_cancel,
    .database = server_database, .transaction = server_transaction, .user = server_user,
    .describe = server_describe, .reconnect = server_reconnect,
};

static PGconn *connect_with(const struct backend_target *t, const char *password)
{
    /* A later keyword wins over the address only where it is set; dbname is expanded first. */
    const char *names[10], *values[10];
    int n = 0;
#define ADD(name, value) (names[n] = (name), values[n++] = (value))
    ADD("application_name", "helios");
    ADD("client_encoding", "UTF8");
    if (t->address) ADD("dbname", t->address);
    if (t->host) ADD("host", t->host);
    if (t->port) ADD("port", t->port);
    if (t->user) ADD("user", t->user);
    if (t->database) ADD("dbname", t->database);
    if (password) ADD("password", password);
#undef ADD
    names[n] = values[n] = NULL;
    return PQconnectdbParams(names, values, 1);
}

struct backend *backend_server_open(const struct backend_target *t, struct strbuf *ret_error)
{
    char password[256] = "";
    bool asked = t->ask_password && terminal_password("Password: ", password, sizeof(password));
    PGconn *conn = connect_with(t, asked ? password : NULL);
    if (PQstatus(conn) == CONNECTION_BAD && PQconnectionNeedsPassword(conn) && !asked &&
        terminal_password("Password: ", password, sizeof(password))) {
        PQfinish(conn);
        conn = connect_with(t, password);
    }
    explicit_bzero(password, sizeof(password));
    if (PQstatus(conn) != CONNECTION_OK) {
        add_trimmed(ret_error, PQerrorMessage(conn));
        PQfinish(conn);
        return NULL;
    }
    struct server *s = mem_alloc(MEM_SESSION, sizeof(*s));
    s->b.ops = &server_ops;
    s->b.copies = true;
    backend_error_init(&s->b.error);
    s->conn = conn;
    s->notice = t->notice;
    s->notice_ctx = t->notice_ctx;
    pthread_mutex_init(&s->lock, NULL);
    renew_cancel(s);
    PQsetNoticeReceiver(conn, on_notice, s);
    PQsetErrorContextVisibility(conn, PQSHOW_CONTEXT_ERRORS);
    return &s->b;
}
