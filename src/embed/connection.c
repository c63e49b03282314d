/* Connections. A connection's session lives on a coroutine (base/coro.h), so that a statement may
 * stand still between two rows, with all it holds, while the caller looks at the first. The
 * caller's thread does all the work: no value changes hands between threads, and a row that lies in
 * a batch is read where it lies.
 *
 * What the caller gave us to call back runs on the caller's own stack: the coroutine yields. */
#include "embed/embed_priv.h"

#include "base/fiber.h"


/* --- calls ------------------------------------------------------------------------------------ */

bool embed__enter(struct helios *c)
{
    return c && !__atomic_exchange_n(&c->busy, 1, __ATOMIC_ACQUIRE);
}

void embed__leave(struct helios *c)
{
    __atomic_store_n(&c->busy, 0, __ATOMIC_RELEASE);
}

/* Runs on until there are rows to show. */
bool embed__continue(struct helios *c)
{
    while (coro_resume(c->coro)) {
        if (c->event != EVENT_NOTICE) return true;
        c->on_notice(c->notice_ctx, c->notice_severity, c->notice->message);
    }
    return false;
}

bool embed__begin(struct helios *c, void (*fn)(void *arg), void *arg)
{
    c->result = OK;
    c->columns = NULL;
    coro_start(c->coro, fn, arg);
    return embed__continue(c);
}

enum status embed__check_session(struct helios *c)
{
    waiter_clear_cancel(coro_waiter(c->coro));
    return session_idle_canceled(c->session);
}

static const char *known(const char *text)
{
    return text[0] ? text : NULL;
}

enum helios_status embed__fail(struct helios *c, const struct error *e)
{
    c->kept = *e;
    const struct error *k = &c->kept;
    c->error = (struct helios_error){.message = k->message[0] ? k->message : status_text(k->code),
                                     .detail = known(k->detail),
                                     .hint = known(k->hint),
                                     .schema = known(k->schema),
                                     .table = known(k->table),
                                     .column = known(k->column),
                                     .constraint = known(k->constraint),
                                     .position = k->position};
    memcpy(c->error.sqlstate, error_sqlstate(k), 6);
    c->failed = true;
    if (k->code == ADMIN_SHUTDOWN || k->code == CONNECTION_FAILURE) c->dead = true;
    return HELIOS_ERROR;
}

enum helios_status embed__outcome(struct helios *c)
{
    return c->result == OK ? HELIOS_OK : embed__fail(c, coro_error(c->coro));
}

enum helios_status embed__run(struct helios *c, void (*fn)(void *arg), void *arg)
{
    while (embed__begin(c, fn, arg)) continue;
    return embed__outcome(c);
}

enum helios_status embed__check_idle(struct helios *c)
{
    if (c->dead) {
        (void)FAIL(ADMIN_SHUTDOWN, "the connection was ended");
        error_hint("Disconnect, and connect again.");
    } else if (c->running) {
        (void)FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                   "a result of this connection is not at its end");
        error_hint("Step it to its end, call helios_reset, or use another connection.");
    } else {
        return HELIOS_OK;
    }
    return embed__fail(c, error_current());
}

/* --- the sink: on the coroutine --------------------------------------------------------------- */

static enum status on_columns(void *ctx, const struct result_column *columns, uint32_t count)
{
    struct helios *c = ctx;
    c->columns = columns;
    c->column_count = count;
    return OK;
}

/* Rows are shown, and looked at again when the caller comes back. */
static enum status show(struct helios *c, enum event event, uint32_t count)
{
    if (c->mode == ROWS_STEP && count) {
        c->event = event;
        c->row_count = count;
        coro_yield(c->coro);
    }
    c->batch = NULL;
    c->row = NULL;
    c->row_count = 0;
    if (c->mode == ROWS_CANCEL)
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    return event == EVENT_ROWS && c->mode == ROWS_STOP ? END_OF_DATA : OK;
}

static enum status on_rows(void *ctx, const struct batch *b)
{
    struct helios *c = ctx;
    c->batch = b;
    c->value_count = b->column_count;
    return show(c, EVENT_ROWS, b->count);
}

static enum status on_row(void *ctx, const struct datum *values, uint32_t count)
{
    struct helios *c = ctx;
    c->row = values;
    c->value_count = count;
    return show(c, EVENT_ROW, 1);
}

static enum status on_complete(void *ctx, const char *tag)
{
    struct helios *c = ctx;
    size_t len = strlen(tag);
    if (len >= sizeof c->tag) len = sizeof c->tag - 1;
    memcpy(c->tag, tag, len);
    c->tag[len] = '\0';
    c->columns = NULL;
    return OK;
}

static enum status on_nothing(void *ctx)
{
    (void)ctx;
    return OK;
}

static enum status on_notice(void *ctx, const char *severity, const struct error *e)
{
    struct helios *c = ctx;
    if (!c->on_notice) return OK;
    c->notice_severity = severity;
    c->notice = e;
    c->event = EVENT_NOTICE;
    coro_yield(c->coro);
    return OK;
}

static enum status on_parameter(void *ctx, const char *name, const char *value)
{
    (void)ctx, (void)name, (void)value;
    return OK;
}

static enum status fail_copy(void)
{
    FAIL(FEATURE_NOT_SUPPORTED, "COPY FROM STDIN and COPY TO STDOUT need a client of the server");
    return error_hint("Use INSERT with parameters in one transaction, or SELECT.");
}

static enum status on_copy(void *ctx, int format, uint32_t columns)
{
    (void)ctx, (void)format, (void)columns;
    return fail_copy();
}

static enum status on_copy_read(void *ctx, struct slice *ret)
{
    (void)ctx, (void)ret;
    return fail_copy();
}

static enum status on_copy_write(void *ctx, struct slice row)
{
    (void)ctx, (void)row;
    return fail_copy();
}

static struct result_sink sink_of(struct helios *c)
{
    return (struct result_sink){.columns = on_columns,
                                .rows = on_rows,
                                .row = on_row,
                                .complete = on_complete,
                                .empty = on_nothing,
                                .suspended = on_nothing,
                                .notice = on_notice,
                                .parameter = on_parameter,
                                .copy_in = on_copy,
                                .copy_read = on_copy_read,
                                .copy_out = on_copy,
                                .copy_write = on_copy_write,
                                .copy_done = on_nothing,
                                .flush = on_nothing,
                                .ctx = c};
}

/* --- coming and going ------------------------------------------------------------------------- */

struct connecting {
    struct helios *c;
    struct session_options options;
};

static void open_session(void *arg)
{
    struct connecting *o = arg;
    struct helios *c = o->c;
    c->result = session_new(c->db->db, &o->options, &c->session);
}

/* The library's names; those of the server in a directory that a server made. */
static const char *default_name(struct db *db, bool database)
{
    struct login login;
    if (database) return db_has_database(db, "helios") ? "helios" : "postgres";
    db_login(db, "helios", &login);
    return login.exists ? "helios" : "postgres";
}

static void free_connection(struct helios *c)
{
    struct helios_db *db = c->db;
    coro_free(c->coro);
    mem_free(MEM_SESSION, c);
    __atomic_fetch_sub(&db->connections, 1, __ATOMIC_RELEASE);
}

enum helios_status helios_connect(struct helios_db *db,
                                  const struct helios_connect_options *options,
                                  struct helios **ret, char **ret_message)
{
    if (ret_message) *ret_message = NULL;
    if (!db || !ret) return HELIOS_MISUSE;
    *ret = NULL;
    struct coro *coro;
    if (coro_new(FIBER_STACK_BYTES, &coro) != OK) {
        if (ret_message) *ret_message = embed__message(error_current());
        return HELIOS_ERROR;
    }
    struct helios *c = mem_alloc(MEM_SESSION, sizeof *c);
    struct connecting o = {.c = c};
    const char *database = options ? options->database : NULL;
    const char *user = options ? options->user : NULL;
    o.options.database = database ? database : default_name(db->db, true);
    o.options.user = user ? user : default_name(db->db, false);
    __atomic_fetch_add(&db->connections, 1, __ATOMIC_ACQ_REL);
    c->db = db;
    c->coro = coro;
    c->sink = sink_of(c);
    (void)embed__begin(c, open_session, &o);
    if (c->result != OK) {
        if (ret_message) *ret_message = embed__message(coro_error(coro));
        free_connection(c);
        return HELIOS_ERROR;
    }
    c->pid = session_pid(c->session);
    *ret = c;
    return HELIOS_OK;
}

static void close_session(void *arg)
{
    struct helios *c = arg;
    session_free(c->session);
}

void helios_disconnect(struct helios *c)
{
    if (!embed__enter(c)) return;
    if (c->running) embed__end_result(c->running);
    for (struct helios_stmt *s = c->statements; s; s = s->next) s->c = NULL;
    (void)embed__begin(c, close_session, c);
    free_connection(c);
}

void helios_cancel(struct helios *c)
{
    if (c) (void)db_cancel(c->db->db, c->pid, 0);
}

/* --- queries ---------------------------------------------------------------------------------- */

struct query {
    struct helios *c;
    struct slice text;
};

static void run_query(void *arg)
{
    struct query *q = arg;
    struct helios *c = q->c;
    c->result = embed__check_session(c);
    if (c->result != OK) return;
    c->result = session_check_text(q->text);
    if (c->result != OK) session_fail(c->session, &c->sink);
    else c->result = session_query(c->session, q->text, &c->sink);
}

typedef bool row_fn(void *ctx, int columns, const char *const *names, const char *const *values);

/* The rows at hand go to the caller; false when it has enough. */
static bool give_rows(struct helios *c, struct arena *a, row_fn *row, void *ctx)
{
    uint32_t n = c->column_count;
    const char **names = ARENA_ARRAY(a, const char *, n + 1);
    const char **texts = ARENA_ARRAY(a, const char *, n + 1);
    struct datum *values = ARENA_ARRAY(a, struct datum, n + 1);
    type_id *types = ARENA_ARRAY(a, type_id, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        names[i] = c->columns[i].name ? c->columns[i].name : "?column?";
        types[i] = c->columns[i].type;
    }
    for (uint32_t r = 0; r < c->row_count; r++) {
        struct arena_mark mark = arena_mark(a);
        size_t len;
        embed__load(c, r, values, types, n);
        for (uint32_t i = 0; i < n; i++)
            texts[i] = values[i].null ? NULL : embed__text(c, types[i], &values[i], a, &len);
        bool more = row(ctx, (int)n, names, texts);
        arena_rewind(a, mark);
        if (!more) return false;
    }
    return true;
}

static enum helios_status query(struct helios *c, const char *sql, row_fn *row, void *ctx)
{
    struct query q = {c, slice_of(sql)};
    struct arena a;
    if (embed__check_idle(c) != HELIOS_OK) return HELIOS_ERROR;
    arena_init(&a, MEM_SESSION);
    c->mode = row ? ROWS_STEP : ROWS_DISCARD;
    for (bool more = embed__begin(c, run_query, &q); more; more = embed__continue(c)) {
        if (!give_rows(c, &a, row, ctx)) c->mode = ROWS_CANCEL;
        arena_clear(&a);
    }
    arena_release(&a);
    return embed__outcome(c);
}

enum helios_status helios_query(struct helios *c, const char *sql,
                                bool (*row)(void *ctx, int columns, const char *const *names,
                                            const char *const *values),
                                void *ctx)
{
    if (!sql || !embed__enter(c)) return HELIOS_MISUSE;
    c->failed = false;
    enum helios_status s = query(c, sql, row, ctx);
    embed__leave(c);
    return s;
}

enum helios_status helios_exec(struct helios *c, const char *sql)
{
    return helios_query(c, sql, NULL, NULL);
}

/* --- what is known ---------------------------------------------------------------------------- */

const char *helios_tag(const struct helios *c)
{
    return c ? c->tag : "";
}

char helios_transaction_state(const struct helios *c)
{
    return c ? session_txn_state(c->session) : 'I';
}

void helios_on_notice(struct helios *c,
                      void (*fn)(void *ctx, const char *severity, const char *message), void *ctx)
{
    if (!embed__enter(c)) return;
    c->on_notice = fn;
    c->notice_ctx = ctx;
    embed__leave(c);
}

const struct helios_error *helios_error(const struct helios *c)
{
    return c && c->failed ? &c->error : NULL;
}
