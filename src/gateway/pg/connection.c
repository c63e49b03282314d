#include "gateway/pg/pg_priv.h"

#include "base/log.h"

/* One connection, from its first byte to its last: log in, then message by message.
 *
 * When to send. Answers are gathered while whole messages of the client still lie in the read
 * buffer, so a pipeline of many costs few system calls; they go out before every wait that follows
 * a Sync, a Flush or a simple query. Between those the client expects nothing.
 *
 * After an error in the extended protocol everything up to Sync is passed over. After an error in a
 * simple query there is nothing to pass over but CopyData that is still coming. */

enum { MESSAGES_A_TURN = 64 }; /* then other fibers of the worker get theirs */

/* Must a wait for a client that does not read be given up? */
static bool is_ending(void *arg)
{
    const struct pg_conn *p = arg;
    return gateway_client_stopping(p->client) || (p->session && session_ending(p->session));
}

static void on_hangup(void *arg)
{
    struct pg_conn *p = arg;
    p->gone = true;
    if (p->session) session_client_gone(p->session);
}

static void init(struct pg_conn *p, struct gateway_client *c)
{
    *p = (struct pg_conn){.client = c};
    pg__reader_init(&p->in, c->conn);
    pg__writer_init(&p->out, c->conn);
    arena_init(&p->arena, MEM_SESSION);
    map_init(&p->portals);
    p->message_max = (size_t)config_int(c->config, "max_message_bytes");
    conn_set_patience(c->conn, config_int(c->config, "client_write_timeout") * 1000, is_ending, p);
    conn_on_hangup(c->conn, on_hangup, p);
}

static void release(struct pg_conn *p)
{
    gateway_client_session(p->client, 0);
    conn_on_hangup(p->client->conn, NULL, NULL);
    conn_set_patience(p->client->conn, 0, NULL, NULL);
    if (p->session) session_free(p->session);
    pg__forget_portals(p);
    map_release(&p->portals);
    mem_free(MEM_NET, p->columns);
    arena_release(&p->arena);
    pg__reader_release(&p->in);
    pg__writer_release(&p->out);
}

/* --- waiting for a message ------------------------------------------------------------------ */

/* The wait was canceled: the gateway stops, the session is to end, or a cancel came too late. */
static enum status after_cancel(struct pg_conn *p)
{
    waiter_clear_cancel(p->client->waiter);
    if (gateway_client_stopping(p->client))
        return FAIL(ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    return session_idle_canceled(p->session);
}

/* A termination may have come while a statement ran that did not look; a cancel may have come too
 * late for it. */
static enum status before_wait(struct pg_conn *p)
{
    TRY(session_idle_canceled(p->session));
    if (!p->flush_due) return OK;
    p->flush_due = false;
    return pg__flush(&p->out);
}

/* Told to a client that waits for nothing: they go out at once. */
static enum status send_notifications(struct pg_conn *p)
{
    struct result_sink sink = pg__sink(p);
    bool any;
    TRY(session_send_notifications(p->session, &sink, &any));
    return any ? pg__flush(&p->out) : OK;
}

static enum status next_message(struct pg_conn *p, struct pg_message *ret)
{
    int64_t deadline_us = 0;
    if (!pg__message_buffered(&p->in)) {
        int64_t idle_us = session_idle_timeout_us(p->session);
        if (idle_us) deadline_us = monotonic_us() + idle_us;
        TRY(before_wait(p));
    }
    for (;;) {
        while (!session_rest(p->session)) TRY(send_notifications(p));
        enum status st = pg__read_message(&p->in, p->message_max, deadline_us, ret);
        session_rise(p->session);
        if (st == WOULD_BLOCK) return session_idle_expired(p->session);
        if (st != QUERY_CANCELED) return st;
        TRY(after_cancel(p));
    }
}

/* --- messages ------------------------------------------------------------------------------- */

/* The answer is complete: the client may say what is next. */
static enum status ready(struct pg_conn *p)
{
    struct result_sink sink = pg__sink(p);
    bool any;
    TRY(session_send_notifications(p->session, &sink, &any));
    p->flush_due = true;
    return pg__send_ready(&p->out, session_txn_state(p->session));
}

/* The error in the slot goes to the client, who goes on; unless it is one to end with. */
static enum status tell(struct pg_conn *p, enum status code)
{
    if (code == OK) return OK;
    /* The code of the slot may have been left by somebody else when the failure has no words. */
    if (error_current()->code != code) (void)FAIL(code, "%s", status_text(code));
    LOG(LOG_DEBUG, "pg", "%s: %s", conn_peer(p->client->conn), error_current()->message);
    if (pg__is_fatal(p, code)) return code;
    return pg__send_error(p, "ERROR");
}

static enum status simple_query(struct pg_conn *p, struct slice body)
{
    TRY(tell(p, pg__query(p, body)));
    return ready(p);
}

static enum status sync(struct pg_conn *p)
{
    p->skip_to_sync = false;
    TRY(tell(p, pg__sync(p)));
    return ready(p);
}

static enum status function_call(struct pg_conn *p)
{
    struct result_sink sink = pg__sink(p);
    enum status st = FAIL(FEATURE_NOT_SUPPORTED, "the function call protocol is not supported");
    session_fail(p->session, &sink);
    TRY(tell(p, st));
    return ready(p);
}

static enum status extended(struct pg_conn *p, const struct pg_message *m)
{
    enum status st = OK;
    switch (m->type) {
    case 'P': st = pg__parse(p, m->body); break;
    case 'B': st = pg__bind(p, m->body); break;
    case 'D': st = pg__describe(p, m->body); break;
    case 'E': st = pg__execute(p, m->body); break;
    case 'C': st = pg__close(p, m->body); break;
    default: UNREACHABLE();
    }
    if (st == OK) return OK;
    p->skip_to_sync = true;
    p->flush_due = true; /* a Flush behind it is skipped, and no Sync need come before it is read */
    return tell(p, st);
}

static enum status handle(struct pg_conn *p, const struct pg_message *m)
{
    if (m->type == 'X') {
        p->over = true;
        return p->flush_due ? pg__flush(&p->out) : OK;
    }
    if (p->skip_to_sync && m->type != 'S') return OK;
    switch (m->type) {
    case 'Q': return simple_query(p, m->body);
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C': return extended(p, m);
    case 'S': return sync(p);
    case 'H': p->flush_due = true; return OK;
    case 'F': return function_call(p);
    case 'd':
    case 'c':
    case 'f': return OK; /* left over from a COPY that failed */
    default:
        return FAIL(PROTOCOL_VIOLATION, "invalid frontend message type %d", (uint8_t)m->type);
    }
}

static enum status converse(struct pg_conn *p)
{
    unsigned turn = 0;
    while (!p->over) {
        struct pg_message m;
        TRY(next_message(p, &m));
        p->in_copy = false;
        TRY(handle(p, &m));
        arena_clear(&p->arena);
        if (++turn % MESSAGES_A_TURN == 0) fiber_yield();
        /* Also what no Sync came for: a termination must not wait for the client's next message. */
        if (gateway_client_stopping(p->client)) TRY(after_cancel(p));
    }
    return OK;
}

/* --- the listener's table ------------------------------------------------------------------- */

static void run(struct gateway_client *c, bool refused)
{
    struct pg_conn p;
    init(&p, c);
    p.refused = refused;
    pg__start(&p);
    if (p.gone && p.session) session_client_gone(p.session);
    if (!p.over) {
        enum status st = converse(&p);
        if (st != OK && st != END_OF_DATA) {
            LOG(st == CONNECTION_FAILURE ? LOG_DEBUG : LOG_INFO, "pg", "%s: %s", conn_peer(c->conn),
                error_current()->message);
            pg__fatal(&p);
        }
    }
    release(&p);
}

static void serve(struct gateway_client *c)
{
    run(c, false);
}

/* Libraries take a refusal only where they expect the answer to their startup packet. Cancel
 * requests are heard even now: they may be what makes room. */
static void refuse(struct gateway_client *c)
{
    run(c, true);
}

const struct gateway_protocol gateway_pg = {.name = "pg", .serve = serve, .refuse = refuse};
