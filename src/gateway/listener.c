#include "gateway/gateway.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/net.h"
#include "db/session.h"

/* The listener: accepts (base/net deals the connections out to the workers in turn, a fiber each),
 * counts, refuses what is too many, and knows every client so that it can end them all.
 *
 * Who may come in how is decided once, here, from settings and the peer's address:
 *   loopback and Unix sockets: without password under auth.method = trust;
 *   other peers: password and TLS, unless auth.allow_insecure (or the flag) says otherwise.
 *
 * Stopping: no new clients; every session is terminated and every waiting fiber woken; clients that
 * do not read what they are sent are cut off after a while. */

enum {
    SECRET_BYTES = 32,
    STOP_GRACE_US = 5000000, /* until connections are cut */
    SPARE_CLIENTS = 16,      /* beyond max_connections: cancel requests */
    REFUSALS_MAX = 256,      /* at the same time; what comes beyond is closed without a word */
};

struct gateway {
    struct db *db;
    const struct config *config;
    const struct gateway_protocol *protocol;
    struct listener *listener;
    struct tls_context *tls;
    bool tls_bindable, insecure_ok;
    int port;
    uint32_t client_max;
    struct tcp_options tcp;
    uint8_t secret[SECRET_BYTES];
    struct gauge *gauge;
    struct counter *accepted, *refused;

    struct fmutex mutex;
    struct fcond client_left;
    struct gateway_client *clients; /* guarded by mutex */
    uint32_t client_count;          /* guarded by mutex */
    uint32_t stopping;              /* atomic */
};

/* --- clients -------------------------------------------------------------------------------- */

static void link_client(struct gateway *g, struct gateway_client *c)
{
    fmutex_lock(&g->mutex);
    c->next = g->clients;
    if (c->next) c->next->prev = c;
    g->clients = c;
    g->client_count++;
    fmutex_unlock(&g->mutex);
    gauge_add(g->gauge, 1);
}

static void unlink_client(struct gateway *g, struct gateway_client *c)
{
    gauge_add(g->gauge, -1);
    fmutex_lock(&g->mutex);
    if (c->next) c->next->prev = c->prev;
    if (c->prev) c->prev->next = c->next;
    else g->clients = c->next;
    g->client_count--;
    fcond_broadcast(&g->client_left);
    fmutex_unlock(&g->mutex);
}

void gateway_client_session(struct gateway_client *c, uint32_t pid)
{
    fmutex_lock(&c->gateway->mutex);
    c->pid = pid;
    fmutex_unlock(&c->gateway->mutex);
}

bool gateway_client_stopping(const struct gateway_client *c)
{
    return __atomic_load_n(&c->gateway->stopping, __ATOMIC_ACQUIRE);
}

static bool is_unix_peer(const struct conn *c)
{
    return strcmp(conn_peer(c), "[local]") == 0;
}

static void serve(struct conn *conn, void *arg)
{
    struct gateway *g = arg;
    bool local = conn_peer_is_local(conn), open = local || g->insecure_ok;
    struct gateway_client c = {
        .gateway = g,
        .conn = conn,
        .db = g->db,
        .config = g->config,
        .tls = g->tls,
        .tls_bindable = g->tls_bindable,
        .secret = g->secret,
        .waiter = waiter_self(),
    };
    bool trust = str_eq_nocase(config_string(g->config, "auth.method"), "trust");
    bool require = str_eq_nocase(config_string(g->config, "tls.mode"), "require");
    c.password_required = !(trust && open);
    c.tls_required = !is_unix_peer(conn) && (require || !open);
    link_client(g, &c);
    counter_add(g->accepted, 1);
    conn_set_tcp(conn, &g->tcp);
    uint32_t count = gateway_client_count(g);
    if (count > g->client_max) {
        counter_add(g->refused, 1);
        if (count <= g->client_max + REFUSALS_MAX) g->protocol->refuse(&c);
    } else if (!gateway_client_stopping(&c)) {
        g->protocol->serve(&c);
    }
    /* Off the list first: gateway_stop may shut down only what is not closed yet. */
    unlink_client(g, &c);
    conn_close(conn);
}

/* --- starting ------------------------------------------------------------------------------- */

static bool is_loopback(const char *address)
{
    return address[0] == '/' || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           str_eq_nocase(address, "localhost");
}

static enum status check_address(const struct gateway_options *o)
{
    bool trust = str_eq_nocase(config_string(o->config, "auth.method"), "trust");
    bool off = str_eq_nocase(config_string(o->config, "tls.mode"), "off");
    if (is_loopback(o->address) || o->insecure_ok) return OK;
    if (o->protocol->open) {
        FAIL(CONFIG_FILE_ERROR, "will not listen on \"%s\" for HTTP: anybody who reaches it could "
                                "read the server's numbers", o->address);
        return error_hint("Set http_listen = 127.0.0.1, or auth.allow_insecure = on if the network "
                          "is trusted.");
    }
    if (!trust && !off) return OK;
    FAIL(CONFIG_FILE_ERROR, "will not listen on \"%s\": anybody who reaches it could %s",
         o->address,
         trust ? "log in without a password" : "read passwords and data on the way");
    return error_hint("Set auth.method = scram and tls.mode = require, listen on 127.0.0.1, or "
                      "set auth.allow_insecure = on if the network is trusted.");
}

static enum status open_tls(struct gateway *g)
{
    const char *cert = config_string(g->config, "tls.cert_file");
    const char *key = config_string(g->config, "tls.key_file");
    if (str_eq_nocase(config_string(g->config, "tls.mode"), "off")) return OK;
    if (cert[0]) return tls_open(cert, key[0] ? key : cert, &g->tls);
    struct strbuf c, k;
    strbuf_init(&c, NULL);
    strbuf_init(&k, NULL);
    strbuf_addf(&c, "%s/server.crt", config_string(g->config, "data_dir"));
    strbuf_addf(&k, "%s/server.key", config_string(g->config, "data_dir"));
    enum status st = tls_self_signed(c.data, k.data);
    if (st == OK) st = tls_open(c.data, k.data, &g->tls);
    g->tls_bindable = st == OK;
    strbuf_release(&c);
    strbuf_release(&k);
    return st;
}

static void free_gateway(struct gateway *g)
{
    tls_close(g->tls);
    memset(g->secret, 0, sizeof g->secret);
    mem_free(MEM_NET, g);
}

static enum status open_listener(struct gateway *g, const struct gateway_options *o)
{
    struct listen_options lo = {.address = o->address, .port = o->port};
    if (!g->protocol->open) TRY(open_tls(g));
    TRY(net_listen(o->sched, &lo, &g->listener));
    g->port = listener_port(g->listener);
    enum status st = listener_serve(g->listener, serve, g);
    if (st != OK) {
        struct error kept = *error_current();
        listener_close(g->listener);
        *error_current() = kept;
    }
    return st;
}

enum status gateway_start(const struct gateway_options *given, struct gateway **ret)
{
    struct gateway_options o = *given;
    if (config_bool(o.config, "auth.allow_insecure")) o.insecure_ok = true;
    if (!o.protocol) o.protocol = &gateway_pg;
    TRY(check_address(&o));
    struct gateway *g = mem_alloc(MEM_NET, sizeof *g);
    g->db = o.db;
    g->config = o.config;
    g->protocol = o.protocol;
    g->insecure_ok = o.insecure_ok;
    g->client_max = o.client_max
                        ? o.client_max
                        : (uint32_t)config_int(o.config, "max_connections") + SPARE_CLIENTS;
    g->tcp = (struct tcp_options){
        .keepalive_idle_s = (int)(config_int(o.config, "tcp_keepalives_idle") / 1000),
        .keepalive_interval_s = (int)(config_int(o.config, "tcp_keepalives_interval") / 1000),
        .keepalive_count = (int)config_int(o.config, "tcp_keepalives_count"),
        .user_timeout_ms = (int)config_int(o.config, "tcp_user_timeout")};
    g->gauge = gauge_get("helios_gateway_clients", "Connections that are open.");
    g->accepted = counter_get("helios_gateway_accepted_total", "Connections accepted.");
    g->refused = counter_get("helios_gateway_refused_total", "Connections refused as too many.");
    os_random(os_real(), g->secret, sizeof g->secret);
    enum status st = open_listener(g, &o);
    if (st != OK) {
        struct error kept = *error_current();
        free_gateway(g);
        *error_current() = kept;
        return st;
    }
    LOG(LOG_INFO, "gateway", "%s: listening on %s, port %d", g->protocol->name, o.address, g->port);
    *ret = g;
    return OK;
}

int gateway_port(const struct gateway *g)
{
    return g->port;
}

uint32_t gateway_client_count(struct gateway *g)
{
    fmutex_lock(&g->mutex);
    uint32_t n = g->client_count;
    fmutex_unlock(&g->mutex);
    return n;
}

/* --- stopping ------------------------------------------------------------------------------- */

/* Again and again, since a session may have been on its way into being the first time. */
static void end_clients(struct gateway *g, bool cut)
{
    for (struct gateway_client *c = g->clients; c; c = c->next) {
        if (c->pid) (void)db_terminate(g->db, c->pid);
        else waiter_cancel(c->waiter);
        if (cut) conn_shutdown(c->conn);
    }
}

void gateway_stop(struct gateway *g)
{
    enum { ROUND_US = 200000 };
    int64_t until = monotonic_us() + STOP_GRACE_US;
    __atomic_store_n(&g->stopping, 1, __ATOMIC_RELEASE);
    listener_stop(g->listener);
    fmutex_lock(&g->mutex);
    while (g->client_count) {
        int64_t now = monotonic_us();
        end_clients(g, now >= until);
        (void)fcond_wait(&g->client_left, &g->mutex, now + ROUND_US);
    }
    fmutex_unlock(&g->mutex);
    /* Also for those that begin only now, and see at once that it stops. */
    listener_close(g->listener);
    free_gateway(g);
}
