/* The floor of every wire benchmark: a server that speaks as much of protocol 3.0 as pgbench -S and
 * COPY FROM STDIN need, looks nothing up and throws away what it is sent. Its answers are canned and
 * as long as the real ones, so what it reaches is what the client, the kernel and one epoll loop
 * leave room for. A server's figure divided by this one does not depend on the machine. It polls for
 * a while before it sleeps, as a server that wants a low latency does.
 *
 * usage: null_server [--port N] [--socket PATH] [--spin-us 50]
 * prints "ready PORT"; ends with SIGTERM */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    IN_BYTES = 65536, /* the longest message that is taken */
    OUT_BYTES = 262144,
    BATCH = 64,
    PROTOCOL_3 = 196608,
    SSL_REQUEST = 80877103,
    GSS_REQUEST = 80877104,
};

struct client {
    int fd;
    bool started;
    size_t have; /* bytes of `in` */
    uint8_t in[IN_BYTES];
};

struct out {
    size_t len;
    uint8_t data[OUT_BYTES];
};

static struct out out;
static volatile sig_atomic_t stopping;

/* --- writing ----------------------------------------------------------------------------------- */

static void put(const void *data, size_t n)
{
    if (out.len + n > sizeof out.data) {
        fprintf(stderr, "null_server: too many messages in one packet\n");
        exit(1);
    }
    memcpy(out.data + out.len, data, n);
    out.len += n;
}

static void message(char type, const void *body, size_t n)
{
    uint32_t len = htonl((uint32_t)n + 4);
    put(&type, 1);
    put(&len, 4);
    put(body, n);
}

#define MESSAGE(type, body) message((type), (body), sizeof(body) - 1)

static void parameter(const char *name, const char *value)
{
    char body[128];
    size_t a = strlen(name) + 1, b = strlen(value) + 1;
    memcpy(body, name, a);
    memcpy(body + a, value, b);
    message('S', body, a + b);
}

static void greet(void)
{
    MESSAGE('R', "\0\0\0\0");
    parameter("client_encoding", "UTF8");
    parameter("DateStyle", "ISO, MDY");
    parameter("integer_datetimes", "on");
    parameter("server_encoding", "UTF8");
    parameter("server_version", "15.20");
    parameter("standard_conforming_strings", "on");
    MESSAGE('K', "\0\0\0\1\0\0\0\1");
    MESSAGE('Z', "I");
}

/* One column abalance, integer, and one row of it. */
static void describe_row(void)
{
    MESSAGE('T', "\0\1abalance\0\0\0\x40\x02\0\4\0\0\0\x17\0\4\xff\xff\xff\xff\0\0");
}

static void send_row(void)
{
    MESSAGE('D', "\0\1\0\0\0\1"
                 "0");
    MESSAGE('C', "SELECT 1\0");
}

/* Before it starts, pgbench asks how pgbench_accounts is partitioned: first schema, not at all, 0. */
static void send_partitions(void)
{
    MESSAGE('T', "\0\3"
                 "n\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
                 "p\0\0\0\0\0\0\0\0\0\0\x12\0\1\xff\xff\xff\xff\0\0"
                 "c\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0");
    MESSAGE('D', "\0\3\0\0\0\1"
                 "1\xff\xff\xff\xff\0\0\0\1"
                 "0");
    MESSAGE('C', "SELECT 1\0");
}

/* A statement that is no SELECT is acknowledged, and that is all. */
static void simple_query(const uint8_t *sql, size_t n)
{
    static const char partitions[] = "partstrat", copy[] = "FROM STDIN";
    if (n > 200 && memmem(sql, n, partitions, sizeof partitions - 1)) {
        send_partitions();
    } else if (memmem(sql, n, copy, sizeof copy - 1)) {
        MESSAGE('G', "\0\0\0"); /* text, and ReadyForQuery comes after the data */
        return;
    } else if (n >= 6 && !strncasecmp((const char *)sql, "select", 6)) {
        describe_row();
        send_row();
    } else {
        MESSAGE('C', "SET\0");
    }
    MESSAGE('Z', "I");
}

/* --- reading ----------------------------------------------------------------------------------- */

/* False ends the session. */
static bool answer(char type, const uint8_t *body, size_t n)
{
    switch (type) {
    case 'Q': simple_query(body, n); return true;
    case 'P': MESSAGE('1', ""); return true;
    case 'B': MESSAGE('2', ""); return true;
    case 'C': MESSAGE('3', ""); return true;
    case 'D':
        if (n && body[0] == 'S') MESSAGE('t', "\0\1\0\0\0\x17");
        describe_row();
        return true;
    case 'E': send_row(); return true;
    case 'S': MESSAGE('Z', "I"); return true;
    case 'H':
    case 'd': return true;
    case 'c':
        MESSAGE('C', "COPY 0\0");
        MESSAGE('Z', "I");
        return true;
    default: return false;
    }
}

static uint32_t read_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return ntohl(v);
}

/* Packets before the session stands have no type byte. */
static bool start_packet(struct client *c, const uint8_t *p)
{
    uint32_t code = read_u32(p + 4);
    if (code == SSL_REQUEST || code == GSS_REQUEST) {
        put("N", 1);
        return true;
    }
    if (code != PROTOCOL_3) return false;
    greet();
    c->started = true;
    return true;
}

/* Answers every whole message in c->in; the rest waits for more bytes. */
static bool answer_all(struct client *c)
{
    size_t at = 0;
    bool more = true;
    while (more) {
        size_t head = c->started ? 5 : 4, left = c->have - at;
        const uint8_t *p = c->in + at;
        if (left < (c->started ? 5u : 8u)) break;
        size_t total = read_u32(p + head - 4) + head - 4;
        if (total < head || total > IN_BYTES) return false;
        if (left < total) break;
        at += total;
        if (c->started) more = answer((char)p[0], p + 5, total - 5);
        else more = start_packet(c, p);
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    return more;
}

/* --- the loop ---------------------------------------------------------------------------------- */

/* Answers are far shorter than a socket's buffer, so a short write means a client that is gone. */
static bool turn(struct client *c)
{
    ssize_t got = recv(c->fd, c->in + c->have, IN_BYTES - c->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    c->have += (size_t)got;
    out.len = 0;
    bool more = answer_all(c);
    if (out.len && send(c->fd, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len) return false;
    return more;
}

static void watch(int epoll, int fd, void *what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
        perror("null_server: epoll_ctl");
        exit(1);
    }
}

static void accept_one(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket */
    struct client *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    watch(epoll, fd, c);
}

static int listen_at(int family, const struct sockaddr *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, address, len) != 0 || listen(fd, 4096) != 0) {
        perror("null_server: listen");
        exit(1);
    }
    return fd;
}

static int listen_tcp(int port, int *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = listen_at(AF_INET, (struct sockaddr *)&a, sizeof a);
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0) perror("null_server: getsockname");
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        fprintf(stderr, "null_server: the path of the socket is too long\n");
        exit(1);
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    unlink(path);
    return listen_at(AF_UNIX, (struct sockaddr *)&a, sizeof a);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int next_events(int epoll, struct epoll_event *events, int64_t spin_us)
{
    int64_t until = now_us() + spin_us;
    do {
        int n = epoll_wait(epoll, events, BATCH, 0);
        if (n) return n;
    } while (!stopping && now_us() < until);
    return epoll_wait(epoll, events, BATCH, -1);
}

static void run(int epoll, int *listeners, int64_t spin_us)
{
    struct epoll_event events[BATCH];
    while (!stopping) {
        int n = next_events(epoll, events, spin_us);
        for (int i = 0; i < n; i++) {
            int *l = events[i].data.ptr;
            struct client *c = events[i].data.ptr;
            if (l == &listeners[0] || l == &listeners[1]) {
                accept_one(epoll, *l);
            } else if (!turn(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static void raise_file_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

int main(int argc, char **argv)
{
    int port = 0, listeners[2] = {-1, -1};
    int64_t spin_us = 50;
    const char *path = NULL;
    struct sigaction act = {.sa_handler = on_signal};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = (int)strtol(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--socket")) path = argv[i + 1];
        else if (!strcmp(argv[i], "--spin-us")) spin_us = strtol(argv[i + 1], NULL, 10);
    }
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    raise_file_limit();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    listeners[0] = listen_tcp(port, &port);
    watch(epoll, listeners[0], &listeners[0]);
    if (path) {
        listeners[1] = listen_unix(path);
        watch(epoll, listeners[1], &listeners[1]);
    }
    printf("ready %d\n", port);
    fflush(stdout);
    run(epoll, listeners, spin_us);
    if (path) unlink(path);
    return 0;
}
