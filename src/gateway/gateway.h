/* Gateways: a listening port that speaks one protocol and turns its clients into sessions of a
 * database (db/session.h). The protocol is a folder below this one. */
#ifndef HELIOS_GATEWAY_GATEWAY_H
#define HELIOS_GATEWAY_GATEWAY_H

#include "db/db.h"

struct gateway;
struct gateway_client;

/* How a connection is spoken to, from its first byte on. */
struct gateway_protocol {
    const char *name;
    /* It asks nobody who they are, and there is no TLS: served beyond loopback only where insecure
     * addresses are allowed. */
    bool open;
    /* On a fiber of the connection's own. Returns when the conversation is over; the listener
     * closes the connection. */
    void (*serve)(struct gateway_client *c);
    /* As serve, for a connection that is one too many: tells it so. */
    void (*refuse)(struct gateway_client *c);
};
extern const struct gateway_protocol gateway_pg; /* gateway/pg/connection.c */

struct gateway_options {
    struct db *db;
    const struct config *config;
    struct sched *sched;
    const char *address; /* as in net.h: "127.0.0.1", "::1", "*", or the path of a Unix socket */
    int port;            /* 0: a free one */
    /* An address that is not loopback is served without password or TLS too, as under the setting
     * auth.allow_insecure. */
    bool insecure_ok;
    const struct gateway_protocol *protocol; /* NULL: PostgreSQL's */
    uint32_t client_max; /* connections beyond it are refused; 0: by the setting max_connections */
};

/* CONFIG_FILE_ERROR for an address beyond loopback that would be open to all; OBJECT_IN_USE, with a
 * hint, when the port is taken. */
enum status gateway_start(const struct gateway_options *o, struct gateway **ret) MUST;
int gateway_port(const struct gateway *g);
uint32_t gateway_client_count(struct gateway *g);
/* Stops listening, ends the sessions (their clients are told ADMIN_SHUTDOWN), waits for them. */
void gateway_stop(struct gateway *g);

/* --- for protocols -------------------------------------------------------------------------- */

/* One connection. Lives on its fiber's stack while it is served; immutable but for `pid`. */
struct gateway_client {
    struct gateway *gateway;
    struct conn *conn;
    struct db *db;
    const struct config *config;
    struct tls_context *tls;      /* NULL: TLS is off */
    bool tls_bindable;            /* its certificate is SHA-256-signed for sure (RFC 5929) */
    bool tls_required;            /* of this peer */
    bool password_required;       /* of this peer */
    const uint8_t *secret;        /* 32 random bytes, the same for the gateway's life */
    struct waiter *waiter;
    uint32_t pid;                 /* of the session, 0 before; guarded by the gateway */
    struct gateway_client *next, *prev; /* guarded by the gateway */
};

/* Tells the gateway whose session this is, so that gateway_stop may end it. 0: no more. */
void gateway_client_session(struct gateway_client *c, uint32_t pid);
/* True once gateway_stop was called: the conversation must end. */
bool gateway_client_stopping(const struct gateway_client *c);

#endif
