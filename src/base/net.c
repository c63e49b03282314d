#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io_priv.h"
#include "base/log.h"
#include "base/net_priv.h"

/* Sockets are always non-blocking. Every call tries first, but for a read after one that emptied the
 * socket; only when the kernel says EAGAIN does a fiber wait, and the first time it does its worker's
 * epoll begins to watch the socket, edge-triggered, for good; for writing only while one waits. An edge
 * sets a flag and wakes who waits; callers clear the flag before they try, and all of this happens on
 * one thread, so no edge is lost.
 *
 * A plain thread polls instead.
 *
 * A listener is one fiber that accepts and deals the connections out to the workers in turn: with
 * few clients that is more even than the kernel's hashing over several sockets. */

enum {
    BACKLOG = 1024,
    ACCEPTS_A_TURN = 64,
    READS_A_TURN = 32,           /* then others get their turn */
    ACCEPT_RETRY_US = 50000,     /* after running out of descriptors */
    POLL_SLICE_MS = 100,         /* how soon a plain thread sees a cancel */
};

struct listener {
    struct sched *sched;
    int fd, port;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* of a Unix socket, else empty */
    struct poll_handler handler;
    bool edge;               /* of the accepting fiber's worker */
    struct waiter *acceptor; /* atomic */
    uint32_t closing;        /* atomic */
    void (*fn)(struct conn *c, void *arg);
    void *arg;
    struct fmutex lock;
    struct fcond ended_cond;
    bool serving, ended;     /* guarded by lock */
    uint32_t served;         /* guarded by lock: connections whose fn has not returned */
};

/* --- addresses --------------------------------------------------------------------------------- */

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

static enum status unix_address(const char *path, struct address *ret)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&ret->storage;
    if (strlen(path) >= sizeof sun->sun_path)
        return FAIL(CONFIG_FILE_ERROR, "Unix-domain socket path \"%s\" is too long (maximum %zu bytes)",
                    path, sizeof sun->sun_path - 1);
    memset(sun, 0, sizeof *sun);
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path, strlen(path) + 1);
    ret->len = sizeof *sun;
    return OK;
}

static enum status resolve(const char *host, int port, bool passive, struct address *ret)
{
    if (host[0] == '/') return unix_address(host, ret);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};
    struct addrinfo *list;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    if (strcmp(host, "*") == 0) host = passive ? "0.0.0.0" : "127.0.0.1";
    int failed = getaddrinfo(host, service, &hints, &list);
    if (failed)
        return FAIL(passive ? CONFIG_FILE_ERROR : CONNECTION_FAILURE,
                    "could not translate host name \"%s\" to address: %s", host,
                    gai_strerror(failed));
    memcpy(&ret->storage, list->ai_addr, list->ai_addrlen);
    ret->len = list->ai_addrlen;
    freeaddrinfo(list);
    return OK;
}

struct lookup {
    const char *host;
    int port;
    struct address *ret;
};

static enum status look_up(void *arg)
{
    struct lookup *l = arg;
    return resolve(l->host, l->port, false, l->ret);
}

static void describe_peer(struct conn *c, const struct sockaddr_storage *peer)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)peer;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(c->peer, sizeof c->peer, "%s:%d", host, ntohs(in->sin_port));
        c->local = ntohl(in->sin_addr.s_addr) >> 24 == 127;
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)peer;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(c->peer, sizeof c->peer, "[%s]:%d", host, ntohs(in->sin6_port));
        c->local = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ||
                   (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) && in->sin6_addr.s6_addr[12] == 127);
    } else {
        snprintf(c->peer, sizeof c->peer, "[local]");
        c->local = peer->ss_family == AF_UNIX;
    }
}

/* --- waiting ----------------------------------------------------------------------------------- */

static void on_edge(struct poll_handler *h, uint32_t events)
{
    struct conn *c = (struct conn *)((char *)h - offsetof(struct conn, handler));
    const uint32_t both = EPOLLHUP | EPOLLERR;
    const uint32_t masks[] = {EPOLLIN | EPOLLRDHUP | both, EPOLLOUT | both};
    for (int side = SIDE_READ; side <= SIDE_WRITE; side++) {
        if (!(events & masks[side])) continue;
        c->edge[side] = true;
        if (c->waiting[side]) waiter__wake_inner(c->waiting[side]);
    }
    if (events & (EPOLLRDHUP | both)) c->hung_up = true;
    if (c->hangup && events & (EPOLLRDHUP | both)) {
        void (*fn)(void *arg) = c->hangup;
        c->hangup = NULL;
        fn(c->hangup_arg);
    }
}

static enum status fail_canceled(void)
{
    return FAIL(QUERY_CANCELED, "canceling statement due to user request");
}

static enum status wait_on_fiber(struct conn *c, enum net_side side, int64_t deadline_us,
                                 bool cancelable)
{
    struct waiter *me = waiter_self();
    enum park_result r = PARK_WOKEN;
    if (!c->worker) {
        TRY(worker__watch(worker__self(), c->fd, &c->handler));
        c->worker = worker__self();
    }
    ASSERT(c->worker == worker__self() && !c->waiting[side]);
    if (side == SIDE_WRITE) worker__watch_writes(c->worker, c->fd, &c->handler, true);
    c->waiting[side] = me;
    while (!c->edge[side] && r == PARK_WOKEN) r = waiter__park_inner(me, deadline_us, cancelable);
    c->waiting[side] = NULL;
    if (side == SIDE_WRITE) worker__watch_writes(c->worker, c->fd, &c->handler, false);
    if (r == PARK_TIMEOUT) return WOULD_BLOCK;
    return r == PARK_CANCELED ? fail_canceled() : OK;
}

static enum status wait_on_thread(struct conn *c, enum net_side side, int64_t deadline_us,
                                  bool cancelable)
{
    struct pollfd p = {.fd = c->fd, .events = side == SIDE_READ ? POLLIN : POLLOUT};
    struct waiter *me = waiter_self();
    for (;;) {
        int64_t now = monotonic_us(), ms = POLL_SLICE_MS;
        if (cancelable && waiter_canceled(me)) {
            waiter_clear_cancel(me);
            return fail_canceled();
        }
        if (deadline_us && now >= deadline_us) return WOULD_BLOCK;
        if (deadline_us && (deadline_us - now + 999) / 1000 < ms) ms = (deadline_us - now + 999) / 1000;
        if (poll(&p, 1, (int)ms) > 0) return OK;
    }
}

enum status conn__wait(struct conn *c, enum net_side side, int64_t deadline_us, bool cancelable)
{
    c->streak = 0;
    if (fiber_self()) return wait_on_fiber(c, side, deadline_us, cancelable);
    return wait_on_thread(c, side, deadline_us, cancelable);
}

enum status conn__wait_to_write(struct conn *c)
{
    int64_t until = c->write_patience_us ? monotonic_us() + c->write_patience_us : 0;
    bool canceled = false;
    enum status st;
    struct waiter *me = waiter_self();
    waiter_set_reason(me, "Client:ClientWrite");
    for (;;) {
        st = conn__wait(c, SIDE_WRITE, until, c->ended && !canceled);
        if (st != QUERY_CANCELED) break;
        canceled = true;
        if (!c->ended(c->ended_arg)) continue;
        st = FAIL(CONNECTION_FAILURE, "could not send data to client: it does not read");
        break;
    }
    waiter_set_reason(me, NULL);
    /* It was not for us: who runs the statement is to see it. */
    if (canceled) waiter_cancel(me);
    if (st != WOULD_BLOCK) return st;
    return FAIL(CONNECTION_FAILURE, "could not send data to client: it has read nothing for %lld ms",
                (long long)(c->write_patience_us / 1000));
}

/* --- connections ------------------------------------------------------------------------------- */

static struct conn *conn_new(int fd, const struct sockaddr_storage *peer)
{
    struct conn *c = mem_alloc(MEM_NET, sizeof *c);
    int on = 1;
    c->fd = fd;
    c->handler.fn = on_edge;
    describe_peer(c, peer);
    if (peer->ss_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return c;
}

static void free_conn(struct conn *c)
{
    if (c->tls) tls__free(c->tls);
    close(c->fd);
    mem_free(MEM_NET, c);
}

static void close_task(struct task *t)
{
    free_conn((struct conn *)((char *)t - offsetof(struct conn, close_task)));
}

void conn_close(struct conn *c)
{
    if (!c) return;
    ASSERT(!c->waiting[SIDE_READ] && !c->waiting[SIDE_WRITE]);
    if (!c->worker || c->worker == worker__self()) {
        free_conn(c);
        return;
    }
    /* Its worker may hold an event for it at this moment. */
    c->close_task.fn = close_task;
    worker__post(c->worker, &c->close_task);
}

void conn_shutdown(struct conn *c)
{
    shutdown(c->fd, SHUT_RDWR);
}

static enum status fail_io(const char *what, int failed)
{
    return FAIL(CONNECTION_FAILURE, "could not %s client: %s", what, strerror(failed));
}

/* Once, without waiting. */
static enum status try_read(struct conn *c, void *data, size_t len, size_t *ret_len)
{
    ssize_t n;
    conn__clear_edge(c, SIDE_READ);
    do {
        n = recv(c->fd, data, len, 0);
    } while (n < 0 && errno == EINTR);
    c->drained = n < (ssize_t)len;
    if (n >= 0) {
        *ret_len = (size_t)n;
        return OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return WOULD_BLOCK;
    return fail_io("receive data from", errno);
}

/* Nothing can have come since the last read: saves a call of the kernel for each message. */
static bool is_drained(const struct conn *c)
{
    return c->drained && !c->hung_up && !c->edge[SIDE_READ] && c->worker &&
           c->worker == worker__self();
}

enum status conn_read_now(struct conn *c, void *data, size_t len, size_t *ret_len)
{
    if (c->tls) return tls__read(c, data, len, 0, false, ret_len);
    return try_read(c, data, len, ret_len);
}

enum status conn_read(struct conn *c, void *data, size_t len, int64_t deadline_us, size_t *ret_len)
{
    ASSERT(len > 0);
    if (++c->streak > READS_A_TURN) {
        c->streak = 0;
        fiber_yield();
    }
    if (c->tls) return tls__read(c, data, len, deadline_us, true, ret_len);
    for (;;) {
        enum status st = is_drained(c) ? WOULD_BLOCK : try_read(c, data, len, ret_len);
        if (st != WOULD_BLOCK) return st;
        TRY(conn__wait(c, SIDE_READ, deadline_us, true));
    }
}

enum status conn_write(struct conn *c, const void *data, size_t len)
{
    if (c->tls) return tls__write(c, data, len);
    for (const char *p = data; len;) {
        conn__clear_edge(c, SIDE_WRITE);
        ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n >= 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            TRY(conn__wait_to_write(c));
        } else if (errno != EINTR) {
            return fail_io("send data to", errno);
        }
    }
    return OK;
}

void conn_set_patience(struct conn *c, int64_t write_us, bool (*ended)(void *arg), void *arg)
{
    c->write_patience_us = write_us;
    c->ended = ended;
    c->ended_arg = arg;
}

void conn_on_hangup(struct conn *c, void (*fn)(void *arg), void *arg)
{
    c->hangup_arg = arg;
    c->hangup = fn;
    /* Watched from now on, even if no read ever has to wait. */
    if (!fn || c->worker || !fiber_self()) return;
    if (worker__watch(worker__self(), c->fd, &c->handler) == OK) c->worker = worker__self();
    else log_error(LOG_WARNING, "net");
}

static void set_tcp(int fd, int name, int value)
{
    if (value) setsockopt(fd, IPPROTO_TCP, name, &value, sizeof value);
}

void conn_set_tcp(struct conn *c, const struct tcp_options *o)
{
    int on = 1;
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    if (getsockname(c->fd, (struct sockaddr *)&own, &len) != 0 || own.ss_family == AF_UNIX) return;
    setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    set_tcp(c->fd, TCP_KEEPIDLE, o->keepalive_idle_s);
    set_tcp(c->fd, TCP_KEEPINTVL, o->keepalive_interval_s);
    set_tcp(c->fd, TCP_KEEPCNT, o->keepalive_count);
    set_tcp(c->fd, TCP_USER_TIMEOUT, o->user_timeout_ms);
}

const char *conn_peer(const struct conn *c)
{
    return c->peer;
}

bool conn_peer_is_local(const struct conn *c)
{
    return c->local;
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}

static enum status finish_connect(struct conn *c)
{
    int failed = 0;
    socklen_t len = sizeof failed;
    TRY(conn__wait(c, SIDE_WRITE, 0, true));
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
    return failed ? FAIL(CONNECTION_FAILURE, "could not connect to %s: %s", c->peer,
                         strerror(failed))
                  : OK;
}

enum status net_connect(const char *address, int port, struct conn **ret)
{
    struct address a;
    struct lookup lookup = {address, port, &a};
    TRY(io__offload(look_up, &lookup)); /* names may take seconds */
    int fd = socket(a.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return FAIL(CONNECTION_FAILURE, "could not create socket: %s", strerror(errno));
    struct conn *c = conn_new(fd, &a.storage);
    enum status st = OK;
    if (connect(fd, (struct sockaddr *)&a.storage, a.len) != 0) {
        if (errno == EINPROGRESS) st = finish_connect(c);
        else st = FAIL(CONNECTION_FAILURE, "could not connect to %s: %s", c->peer, strerror(errno));
    }
    if (st != OK) {
        conn_close(c);
        return st;
    }
    *ret = c;
    return OK;
}

/* --- listening --------------------------------------------------------------------------------- */

/* A socket file that nobody listens on is left from a crash. */
static void remove_stale_socket(const struct address *a)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&a->storage;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (connect(fd, (const struct sockaddr *)sun, a->len) != 0 && errno == ECONNREFUSED)
        unlink(sun->sun_path);
    close(fd);
}

static enum status fail_bind(const struct listen_options *opts, int failed)
{
    char where[sizeof(((struct sockaddr_un *)0)->sun_path) + 64];
    if (opts->address[0] == '/')
        snprintf(where, sizeof where, "Unix address \"%.107s\"", opts->address);
    else snprintf(where, sizeof where, "address \"%.64s\", port %d", opts->address, opts->port);
    if (failed != EADDRINUSE)
        return FAIL(failed == EACCES ? INSUFFICIENT_PRIVILEGE : CONFIG_FILE_ERROR,
                    "could not bind %s: %s", where, strerror(failed));
    FAIL(OBJECT_IN_USE, "could not bind %s: %s", where, strerror(failed));
    if (opts->address[0] == '/')
        return error_hint("Is another server already running on this socket?");
    return error_hint("Is another server already running on port %d? If not, wait a few seconds and "
                      "retry, or choose another port with --pg-port.", opts->port);
}

static enum status bind_and_listen(int fd, const struct listen_options *opts, struct address *a)
{
    int on = 1;
    if (a->storage.ss_family == AF_UNIX) remove_stale_socket(a);
    else setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a->storage, a->len) != 0 ||
        listen(fd, opts->backlog ? opts->backlog : BACKLOG) != 0)
        return fail_bind(opts, errno);
    if (a->storage.ss_family == AF_UNIX) chmod(opts->address, 0777);
    a->len = sizeof a->storage;
    getsockname(fd, (struct sockaddr *)&a->storage, &a->len);
    return OK;
}

enum status net_listen(struct sched *s, const struct listen_options *opts, struct listener **ret)
{
    struct address a;
    TRY(resolve(opts->address, opts->port, true, &a));
    int fd = socket(a.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return FAIL(INSUFFICIENT_RESOURCES, "could not create socket: %s", strerror(errno));
    enum status st = bind_and_listen(fd, opts, &a);
    if (st != OK) {
        close(fd);
        return st;
    }
    struct listener *l = mem_alloc(MEM_NET, sizeof *l);
    l->sched = s;
    l->fd = fd;
    if (a.storage.ss_family == AF_INET)
        l->port = ntohs(((struct sockaddr_in *)&a.storage)->sin_port);
    else if (a.storage.ss_family == AF_INET6)
        l->port = ntohs(((struct sockaddr_in6 *)&a.storage)->sin6_port);
    else memcpy(l->path, opts->address, strlen(opts->address) + 1);
    *ret = l;
    return OK;
}

int listener_port(const struct listener *l)
{
    return l->port;
}

static void serve_conn(void *arg)
{
    struct conn *c = arg;
    struct listener *l = c->listener;
    l->fn(c, l->arg);
    fmutex_lock(&l->lock);
    l->served--;
    /* The last use of l: listener_close frees it as soon as the lock is let go. */
    fcond_broadcast(&l->ended_cond);
    fmutex_unlock(&l->lock);
}

static void on_incoming(struct poll_handler *h, uint32_t events)
{
    (void)events;
    struct listener *l = (struct listener *)((char *)h - offsetof(struct listener, handler));
    l->edge = true;
    waiter__wake_inner(l->acceptor);
}

/* Takes one connection; false when there is none. */
static bool accept_one(struct listener *l, unsigned *next)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG(LOG_WARNING, "net", "could not accept new connection: %s", strerror(errno));
            fiber_sleep_us(ACCEPT_RETRY_US);
            return true;
        }
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINVAL && errno != EBADF;
    }
    if (l->path[0]) peer.ss_family = AF_UNIX;
    struct conn *c = conn_new(fd, &peer);
    c->listener = l;
    fmutex_lock(&l->lock);
    l->served++;
    fmutex_unlock(&l->lock);
    int worker = (int)((*next)++ % sched_worker_count(l->sched));
    if (fiber_spawn(l->sched, worker, serve_conn, c) != OK) {
        log_error(LOG_WARNING, "net");
        conn_close(c);
        fmutex_lock(&l->lock);
        l->served--;
        fmutex_unlock(&l->lock);
    }
    return true;
}

static void accept_loop(void *arg)
{
    struct listener *l = arg;
    unsigned next = 0;
    /* Either this fiber sees `closing` or the closer sees this waiter. */
    __atomic_store_n(&l->acceptor, waiter_self(), __ATOMIC_SEQ_CST);
    if (worker__watch(worker__self(), l->fd, &l->handler) != OK) log_error(LOG_ERROR, "net");
    while (!__atomic_load_n(&l->closing, __ATOMIC_SEQ_CST)) {
        int n = 0;
        l->edge = false;
        while (n < ACCEPTS_A_TURN && accept_one(l, &next)) n++;
        if (n == ACCEPTS_A_TURN) fiber_yield();
        else if (!l->edge) waiter__park_inner(l->acceptor, 0, false);
    }
    fmutex_lock(&l->lock);
    close(l->fd); /* here, on the worker that watches it */
    l->ended = true;
    fcond_broadcast(&l->ended_cond);
    fmutex_unlock(&l->lock);
}

enum status listener_serve(struct listener *l, void (*fn)(struct conn *c, void *arg), void *arg)
{
    ASSERT(!l->serving);
    l->fn = fn;
    l->arg = arg;
    l->handler.fn = on_incoming;
    TRY(fiber_spawn(l->sched, 0, accept_loop, l));
    l->serving = true;
    return OK;
}

void listener_stop(struct listener *l)
{
    if (__atomic_load_n(&l->closing, __ATOMIC_SEQ_CST)) return;
    __atomic_store_n(&l->closing, 1, __ATOMIC_SEQ_CST);
    if (l->path[0]) unlink(l->path);
    if (!l->serving) close(l->fd);
    fmutex_lock(&l->lock);
    while (l->serving && !l->ended) {
        struct waiter *w = __atomic_load_n(&l->acceptor, __ATOMIC_SEQ_CST);
        if (w) waiter__wake_inner(w);
        fcond__wait_uncancelable(&l->ended_cond, &l->lock);
    }
    fmutex_unlock(&l->lock);
}

void listener_close(struct listener *l)
{
    listener_stop(l);
    fmutex_lock(&l->lock);
    while (l->served) fcond__wait_uncancelable(&l->ended_cond, &l->lock);
    fmutex_unlock(&l->lock);
    mem_free(MEM_NET, l);
}
