/* Statements in this process, by the library: `helios sql DIR`, and a database in memory.
 *
 * Each statement is prepared and stepped, so rows come one by one and their types are known. */
#include "shell/backend.h"

#include <stdio.h>
#include <stdlib.h>

#include <helios.h>

struct library {
    struct backend b;
    struct helios_db *db;
    struct helios *c;
    const char *path; /* NULL: in memory */
    char database[64], user[64];
    backend_notice *notice;
    void *notice_ctx;
};

static const char *or_empty(const char *s) { return s ? s : ""; }

static void on_notice(void *ctx, const char *severity, const char *message)
{
    struct library *l = ctx;
    if (l->notice) l->notice(l->notice_ctx, severity, message, "", "");
}

static void take_error(struct library *l)
{
    struct backend_error *e = &l->b.error;
    const struct helios_error *from = helios_error(l->c);
    backend_error_clear(e);
    if (!from) {
        strbuf_adds(&e->message, "the library was called out of order");
        return;
    }
    memcpy(e->sqlstate, from->sqlstate, sizeof(e->sqlstate));
    strbuf_adds(&e->message, from->message);
    strbuf_adds(&e->detail, or_empty(from->detail));
    strbuf_adds(&e->hint, or_empty(from->hint));
    e->position = from->position;
    const char *names[] = {"schema", "table", "column", "constraint"};
    const char *values[] = {from->schema, from->table, from->column, from->constraint};
    for (int i = 0; i < 4; i++)
        if (values[i])
            strbuf_addf(&e->where, "%s%s %s", e->where.len ? ", " : "", names[i], values[i]);
}

static bool is_number(const char *type)
{
    static const char *const numbers[] = {
        "smallint", "integer", "bigint", "real", "double precision",
        "oid",      "xid",     "xid8",   "cid",  "money"};
    if (strncmp(type, "numeric", 7) == 0) return type[7] == '\0' || type[7] == '(';
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (strcmp(type, numbers[i]) == 0) return true;
    return false;
}

static bool give_columns(struct helios_stmt *s, int n, struct arena *a,
                         const struct backend_sink *sink)
{
    struct backend_column *c = ARENA_ARRAY(a, struct backend_column, n + 1);
    for (int i = 0; i < n; i++) {
        c[i].name = arena_strdup(a, or_empty(helios_column_name(s, i)));
        const char *type = or_empty(helios_column_type(s, i));
        c[i].number = is_number(type);
        c[i].json = strcmp(type, "json") == 0 || strcmp(type, "jsonb") == 0;
        c[i].truth = strcmp(type, "boolean") == 0;
    }
    return !sink->columns || sink->columns(sink->ctx, n, c);
}

static bool give_rows(struct library *l, struct helios_stmt *s, struct arena *a,
                      const struct backend_sink *sink)
{
    int n = helios_column_count(s);
    int64_t rows = 0;
    bool more = n == 0 || give_columns(s, n, a, sink);
    const char **values = ARENA_ARRAY(a, const char *, n + 1);
    int *lengths = ARENA_ARRAY(a, int, n + 1);
    enum helios_status st = HELIOS_DONE;
    while (more && (st = helios_step(s)) == HELIOS_ROW) {
        rows++;
        for (int i = 0; i < n; i++) {
            values[i] = helios_is_null(s, i) ? NULL : helios_text(s, i);
            lengths[i] = values[i] ? (int)strlen(values[i]) : 0;
        }
        if (sink->row) more = sink->row(sink->ctx, values, lengths);
    }
    if (!more) {
        backend_error_clear(&l->b.error);
        memcpy(l->b.error.sqlstate, "57014", 6);
        strbuf_adds(&l->b.error.message, "canceling statement due to user request");
        return false;
    }
    if (st != HELIOS_DONE) {
        take_error(l);
        return false;
    }
    if (sink->done) sink->done(sink->ctx, or_empty(helios_tag(l->c)), n ? rows : -1);
    return true;
}

static bool library_run(struct backend *b, const char *sql, const struct backend_sink *sink)
{
    struct library *l = (struct library *)b;
    struct helios_stmt *s = NULL;
    backend_error_clear(&b->error);
    if (helios_prepare(l->c, sql, &s) != HELIOS_OK) {
        take_error(l);
        return false;
    }
    struct arena a;
    arena_init(&a, MEM_SESSION);
    bool ok = give_rows(l, s, &a, sink);
    arena_release(&a);
    helios_finish(s);
    return ok;
}

static void library_cancel(struct backend *b) { helios_cancel(((struct library *)b)->c); }

static char library_transaction(struct backend *b)
{
    return helios_transaction_state(((struct library *)b)->c);
}

static const char *library_database(struct backend *b) { return ((struct library *)b)->database; }
static const char *library_user(struct backend *b) { return ((struct library *)b)->user; }

static void library_describe(struct backend *b, struct strbuf *out)
{
    struct library *l = (struct library *)b;
    if (l->path) strbuf_addf(out, "You have opened the directory \"%s\"", l->path);
    else strbuf_adds(out, "You have a database in memory; it is gone when you leave");
    strbuf_addf(out, "; HeliosDB %s.", helios_version());
}

static void library_close(struct backend *b)
{
    struct library *l = (struct library *)b;
    helios_disconnect(l->c);
    if (helios_close(l->db) != HELIOS_OK)
        fputs("WARNING: the last checkpoint failed; the next open recovers what was committed\n",
              stderr);
    backend_error_release(&b->error);
    mem_free(MEM_SESSION, l);
}

static const struct backend_ops library_ops = {
    .close = library_close,       .run = library_run,   .cancel = library_cancel,
    .database = library_database, .user = library_user, .transaction = library_transaction,
    .describe = library_describe,
};

static void take_message(struct strbuf *out, char *message)
{
    strbuf_adds(out, message ? message : "the database cannot be opened");
    helios_free(message);
}

struct backend *backend_library_open(const struct backend_target *t, struct strbuf *ret_error)
{
    /* A shell in a terminal is no place for the log of background work. */
    const struct helios_setting settings[] = {{"log.level", "error"}, {NULL, NULL}};
    struct helios_db *db = NULL;
    struct helios *c = NULL;
    char *message = NULL;
    if (helios_open(t->path, settings, &db, &message) != HELIOS_OK) {
        take_message(ret_error, message);
        return NULL;
    }
    struct helios_connect_options who = {.database = t->database, .user = t->user};
    if (helios_connect(db, &who, &c, &message) != HELIOS_OK) {
        take_message(ret_error, message);
        (void)helios_close(db);
        return NULL;
    }
    struct library *l = mem_alloc(MEM_SESSION, sizeof(*l));
    l->b.ops = &library_ops;
    backend_error_init(&l->b.error);
    l->db = db;
    l->c = c;
    l->path = t->path;
    l->b.files = t->path != NULL; /* a database in memory sees its own disk only */
    l->notice = t->notice;
    l->notice_ctx = t->notice_ctx;
    snprintf(l->database, sizeof(l->database), "%s", t->database ? t->database : "helios");
    snprintf(l->user, sizeof(l->user), "%s", t->user ? t->user : "helios");
    helios_on_notice(c, on_notice, l);
    return &l->b;
}
