#include "gateway/pg/pg_priv.h"

#include "base/array.h"
#include "base/log.h"

/* The way in: packets without a type byte, each int32 length, int32 code.
 *
 *     SSLRequest, GSSENCRequest   answered by one byte; then the client begins anew
 *     CancelRequest               a whole connection for this alone; never answered
 *     StartupMessage              names and values; then the password; then the session
 *
 * Everything up to ReadyForQuery happens before one deadline, auth.timeout. */

enum {
    CODE_CANCEL = 80877102,
    CODE_SSL = 80877103,
    CODE_GSS = 80877104,
    PROTOCOL_3_0 = 196608,
    SETTINGS_MAX = 200,
    REFUSAL_US = 5000000, /* for a client that is one too many to say what it wants */
};

struct startup {
    struct pg_conn *p;
    int64_t deadline_us;
    uint32_t version;
    const char *user, *database;
    ARRAY(const char *) settings;    /* name, value, name, value; those of `options` first */
    ARRAY(const char *) not_known;   /* _pq_.* that we know nothing of */
};

static enum status fail_usage(const char *detail)
{
    return FAIL(PROTOCOL_VIOLATION, "invalid startup packet layout: %s", detail);
}

/* --- the first packets ---------------------------------------------------------------------- */

static enum status answer_ssl(struct pg_conn *p, int64_t deadline_us, bool *seen)
{
    struct conn *c = p->client->conn;
    bool yes = p->client->tls && !conn_is_tls(c) && !*seen;
    if (*seen) return FAIL(PROTOCOL_VIOLATION, "unsupported frontend protocol 1234.5679: server "
                                               "supports 3.0 to 3.0");
    *seen = true;
    TRY(conn_write(c, yes ? "S" : "N", 1));
    return yes ? conn_start_tls(c, p->client->tls, deadline_us) : OK;
}

static enum status answer_gss(struct pg_conn *p, bool *seen)
{
    if (*seen) return FAIL(PROTOCOL_VIOLATION, "unsupported frontend protocol 1234.5680: server "
                                               "supports 3.0 to 3.0");
    *seen = true;
    return conn_write(p->client->conn, "N", 1);
}

/* Key 0 would be the word of a privileged caller. */
static void cancel(struct pg_conn *p, struct pg_cursor *in)
{
    uint32_t pid = pg__get_u32(in), key = pg__get_u32(in);
    p->over = true;
    if (in->bad || in->p != in->end || key == 0) return;
    if (!db_cancel(p->client->db, pid, key))
        LOG(LOG_DEBUG, "pg", "cancel request for session %u: no such session or another key", pid);
}

/* Up to the StartupMessage, whose rest `ret` is; p->over when there is none. */
static enum status first_packets(struct startup *st, struct pg_cursor *ret)
{
    struct pg_conn *p = st->p;
    bool ssl_seen = false, gss_seen = false;
    for (;;) {
        struct pg_message m;
        enum status s = pg__read_startup(&p->in, st->deadline_us, &m);
        if (s == END_OF_DATA) {
            p->over = true;
            return OK;
        }
        TRY(s);
        struct pg_cursor in = pg__cursor(m.body);
        uint32_t code = pg__get_u32(&in);
        switch (code) {
        case CODE_SSL: TRY(answer_ssl(p, st->deadline_us, &ssl_seen)); continue;
        case CODE_GSS: TRY(answer_gss(p, &gss_seen)); continue;
        case CODE_CANCEL: cancel(p, &in); return OK;
        default: break;
        }
        if (code >> 16 != 3)
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "unsupported frontend protocol %u.%u: server supports 3.0 to 3.0",
                        code >> 16, code & 0xffff);
        st->version = code;
        *ret = in;
        return OK;
    }
}

/* --- parameters ----------------------------------------------------------------------------- */

static enum status add_setting(struct startup *st, const char *name, const char *value)
{
    struct arena *a = &st->p->arena;
    if (st->settings.count >= 2 * SETTINGS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many settings in the startup packet");
    ARENA_PUSH(a, &st->settings, name);
    ARENA_PUSH(a, &st->settings, value);
    return OK;
}

/* One word of `options`; blanks divide, a backslash takes the next byte as it is. NULL: the end. */
static const char *next_word(struct arena *a, const char **text)
{
    struct strbuf b;
    const char *t = *text;
    while (*t == ' ' || (*t >= '\t' && *t <= '\r')) t++;
    if (!*t) return NULL;
    strbuf_init(&b, a);
    for (; *t && *t != ' ' && !(*t >= '\t' && *t <= '\r'); t++) {
        if (*t == '\\' && t[1]) t++;
        strbuf_addc(&b, *t);
    }
    *text = t;
    return b.data;
}

/* "name=value"; in names of command lines '-' stands for '_'. */
static enum status add_assignment(struct startup *st, const char *text, const char *whole)
{
    const char *eq = text ? strchr(text, '=') : NULL;
    if (!eq || eq == text)
        return FAIL(SYNTAX_ERROR, "invalid command-line argument for server process: %s", whole);
    char *name = arena_strndup(&st->p->arena, text, (size_t)(eq - text));
    for (char *c = name; *c; c++)
        if (*c == '-') *c = '_';
    return add_setting(st, name, eq + 1);
}

/* -c name=value, -cname=value, --name=value. */
static enum status parse_options(struct startup *st, const char *text)
{
    struct arena *a = &st->p->arena;
    static const char *const bad = "invalid command-line argument for server process: %s";
    for (const char *word; (word = next_word(a, &text));) {
        if (strcmp(word, "-c") == 0) TRY(add_assignment(st, next_word(a, &text), word));
        else if (strncmp(word, "-c", 2) == 0) TRY(add_assignment(st, word + 2, word));
        else if (strncmp(word, "--", 2) == 0) TRY(add_assignment(st, word + 2, word));
        else return FAIL(SYNTAX_ERROR, bad, word);
    }
    return OK;
}

static bool is_off(const char *value)
{
    return str_eq_nocase(value, "false") || str_eq_nocase(value, "off") ||
           str_eq_nocase(value, "no") || strcmp(value, "0") == 0;
}

static enum status one_parameter(struct startup *st, const char *name, const char *value,
                                 const char **options)
{
    struct arena *a = &st->p->arena;
    value = arena_strdup(a, value);
    if (strcmp(name, "user") == 0) st->user = value;
    else if (strcmp(name, "database") == 0) st->database = value;
    else if (strcmp(name, "options") == 0) *options = value;
    else if (strcmp(name, "replication") == 0) {
        if (!is_off(value))
            return FAIL(FEATURE_NOT_SUPPORTED, "replication connections are not supported");
    } else if (strncmp(name, "_pq_.", 5) == 0) {
        ARENA_PUSH(a, &st->not_known, arena_strdup(a, name));
    } else {
        return add_setting(st, arena_strdup(a, name), value);
    }
    return OK;
}

static enum status parse_parameters(struct startup *st, struct pg_cursor *in)
{
    const char *options = NULL;
    struct pg_cursor again = *in;
    for (int round = 0; round < 2; round++, *in = again) {
        again = *in;
        for (;;) {
            const char *name = pg__get_string(in);
            if (!name[0]) break;
            const char *value = pg__get_string(in);
            if (in->bad) return fail_usage("missing value");
            /* Settings of `options` come first, wherever it stands. */
            bool early = strcmp(name, "options") == 0;
            if (early == (round == 0)) TRY(one_parameter(st, name, value, &options));
        }
        if (in->bad || in->p != in->end) return fail_usage("expected terminator as last byte");
        if (round == 0 && options) TRY(parse_options(st, options));
    }
    if (!st->user || !st->user[0])
        return FAIL(INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet");
    if (!st->database || !st->database[0]) st->database = st->user;
    return OK;
}

/* A minor version, or options, that we do not have: told, and on as 3.0. */
static enum status negotiate(struct startup *st)
{
    struct pg_writer *w = &st->p->out;
    if (st->version == PROTOCOL_3_0 && st->not_known.count == 0) return OK;
    pg__begin(w, 'v');
    pg__put_u32(w, PROTOCOL_3_0);
    pg__put_u32(w, (uint32_t)st->not_known.count);
    for (size_t i = 0; i < st->not_known.count; i++) pg__put_string(w, st->not_known.data[i]);
    return pg__end(w);
}

/* --- login ---------------------------------------------------------------------------------- */

static enum status authenticate(struct startup *st)
{
    const struct gateway_client *c = st->p->client;
    if (c->tls_required && !conn_is_tls(c->conn)) {
        (void)FAIL(INVALID_AUTHORIZATION, "connection from \"%s\" must use TLS",
                   conn_peer(c->conn));
        return error_hint("Connect with sslmode=require.");
    }
    if (c->password_required) TRY(pg__scram(st->p, st->user, st->deadline_us));
    return pg__send_auth(&st->p->out, 0, SLICE(""));
}

static enum status open_session(struct startup *st)
{
    struct pg_conn *p = st->p;
    struct session_options o = {.user = st->user,
                                .database = st->database,
                                .client_address = conn_peer(p->client->conn),
                                .settings = st->settings.data,
                                .setting_count = (uint32_t)(st->settings.count / 2)};
    TRY(session_new(p->client->db, &o, &p->session));
    gateway_client_session(p->client, session_pid(p->session));
    return OK;
}

static enum status greet(struct startup *st)
{
    static const char *const reported[] = {
        "application_name", "client_encoding", "DateStyle", "default_transaction_read_only",
        "in_hot_standby", "integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding",
        "server_version", "session_authorization", "standard_conforming_strings", "TimeZone"};
    struct pg_conn *p = st->p;
    for (size_t i = 0; i < sizeof reported / sizeof *reported; i++) {
        const char *value = session_setting(p->session, reported[i]);
        if (strcmp(reported[i], "session_authorization") == 0 && (!value || !value[0]))
            value = st->user;
        if (value) TRY(pg__send_parameter(&p->out, reported[i], value));
    }
    TRY(pg__send_key(&p->out, session_pid(p->session), session_key(p->session)));
    TRY(pg__send_ready(&p->out, session_txn_state(p->session)));
    return pg__flush(&p->out);
}

static enum status start(struct startup *st)
{
    struct pg_cursor in;
    TRY(first_packets(st, &in));
    if (st->p->over) return OK;
    if (st->p->refused) return FAIL(TOO_MANY_CONNECTIONS, "sorry, too many clients already");
    TRY(parse_parameters(st, &in));
    TRY(negotiate(st));
    TRY(authenticate(st));
    TRY(open_session(st));
    return greet(st);
}

void pg__start(struct pg_conn *p)
{
    int64_t timeout_us = config_int(p->client->config, "auth.timeout") * 1000;
    if (p->refused && timeout_us > REFUSAL_US) timeout_us = REFUSAL_US;
    struct startup st = {.p = p, .deadline_us = monotonic_us() + timeout_us};
    enum status s = start(&st);
    if (s == END_OF_DATA) p->over = true;
    if (s == OK || s == END_OF_DATA) return;
    if (s == WOULD_BLOCK) (void)FAIL(QUERY_CANCELED, "canceling authentication due to timeout");
    else if (s == QUERY_CANCELED && gateway_client_stopping(p->client))
        (void)FAIL(CANNOT_CONNECT_NOW, "the database system is shutting down");
    LOG(LOG_INFO, "pg", "%s: %s", conn_peer(p->client->conn), error_current()->message);
    pg__fatal(p);
}
