/* Stream sockets for fibers: a call that would block parks the fiber. On a plain thread it blocks
 * the thread. TLS is a layer over the same calls (base/tls.h). */
#ifndef HELIOS_BASE_NET_H
#define HELIOS_BASE_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/fiber.h"
#include "base/str.h"

struct listener;
struct conn;
struct tls_context;

struct listen_options {
    const char *address; /* "127.0.0.1", "::1", or a path that begins with '/' for a Unix socket */
    int port;            /* 0: any free one */
    int backlog;         /* 0: 1024 */
};

/* Binds and listens. A taken port is OBJECT_IN_USE with a hint. */
enum status net_listen(struct sched *s, const struct listen_options *opts, struct listener **ret);
int listener_port(const struct listener *l);
/* Spawns on each connection, on the workers in turn, a fiber that runs fn(conn, arg); fn closes the
 * conn. Until listener_stop. */
enum status listener_serve(struct listener *l, void (*fn)(struct conn *c, void *arg), void *arg);
/* No connection is accepted any more; those that were are served to their end. */
void listener_stop(struct listener *l);
/* Stops it, and waits until all that it accepted have been served: see to it that they end. */
void listener_close(struct listener *l);

/* Blocking connect, for clients and tests. */
enum status net_connect(const char *address, int port, struct conn **ret);

/* Reads 1..len bytes; 0 at end of stream. CONNECTION_FAILURE on error, QUERY_CANCELED when the
 * waiter was canceled, WOULD_BLOCK at the deadline (monotonic µs, 0: none). */
enum status conn_read(struct conn *c, void *data, size_t len, int64_t deadline_us, size_t *ret_len);
/* What is there already, without waiting: WOULD_BLOCK when nothing. */
enum status conn_read_now(struct conn *c, void *data, size_t len, size_t *ret_len);
/* Writes all. CONNECTION_FAILURE once the peer has taken nothing for as long as conn_set_patience
 * allows, or when `ended` told so after a cancel of the waiter; other cancels are kept for later. */
enum status conn_write(struct conn *c, const void *data, size_t len);
/* `write_us` 0: wait for the peer without end. `ended` may be NULL. */
void conn_set_patience(struct conn *c, int64_t write_us, bool (*ended)(void *arg), void *arg);
/* fn(arg), once, on the connection's worker, when the peer is seen to have hung up. */
void conn_on_hangup(struct conn *c, void (*fn)(void *arg), void *arg);
/* How the kernel looks after it: seconds and counts as in tcp(7), 0: its own; milliseconds. */
struct tcp_options {
    int keepalive_idle_s, keepalive_interval_s, keepalive_count, user_timeout_ms;
};
void conn_set_tcp(struct conn *c, const struct tcp_options *o);
void conn_close(struct conn *c);
/* Wakes its fiber with end-of-stream; from any thread that knows it is not being closed. */
void conn_shutdown(struct conn *c);
/* "127.0.0.1:5432"; loopback and Unix peers are local. */
const char *conn_peer(const struct conn *c);
bool conn_peer_is_local(const struct conn *c);
int conn_fd(const struct conn *c);

/* Turns the connection into TLS from here on: server side handshake.
 * CONNECTION_FAILURE at the deadline or when canceled, too: nothing can be sent any more. */
enum status conn_start_tls(struct conn *c, struct tls_context *tls, int64_t deadline_us);
bool conn_is_tls(const struct conn *c);

/* PEM files. A missing pair: see tls_self_signed. TLS 1.2 at least. */
enum status tls_open(const char *cert_file, const char *key_file, struct tls_context **ret);
/* Makes a key and a self-signed certificate at those paths (key mode 0600) unless they exist. */
enum status tls_self_signed(const char *cert_file, const char *key_file);
void tls_close(struct tls_context *tls);
/* DER SHA-256 of the certificate, for tls-server-end-point channel binding (RFC 5929). */
void tls_certificate_hash(const struct tls_context *tls, uint8_t ret[32]);

#endif
