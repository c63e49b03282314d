/* A crowd of clients in one thread: opens many sessions, lets a few of them work, and asks all others
 * before and after whether they are still served. pgbench cannot do this: all of its clients work.
 *
 * usage: connections PORT IDLE WORKING SECONDS KEYS
 * The tables are those of pgbench -i, KEYS the rows of pgbench_accounts. Prints a line a phase:
 *   connected N SECONDS / touched N SECONDS / worked TPS P50_US P99_US / touched N SECONDS
 * and keeps the sessions open until its standard input ends, so that one may look at the server. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    IN_FLIGHT_MAX = 128, /* sessions that connect or are touched at the same time */
    BATCH = 256,
    KEPT = 200,               /* bytes of a message's body that are kept: for errors */
    PHASE_SECONDS_MAX = 120,  /* for a phase that is not bounded by SECONDS */
    LATENCY_US_MAX = 1000000,
};

struct session {
    int fd;
    bool connecting;
    uint8_t head[5];
    uint32_t head_have, body_left, body_have, rows;
    uint8_t body[KEPT];
    int64_t sent_us;
};

static struct {
    int port, epoll;
    uint32_t idle, working, keys, count;
    struct session *sessions; /* the working ones first */
    uint32_t *histogram;
    uint64_t answered, random;
} b;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *form, ...)
{
    va_list args;
    va_start(args, form);
    fputs("connections: ", stderr);
    vfprintf(stderr, form, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* xorshift64*: the keys need no better. */
static uint32_t random_key(void)
{
    b.random ^= b.random >> 12;
    b.random ^= b.random << 25;
    b.random ^= b.random >> 27;
    return (uint32_t)((b.random * 2685821657736338717u >> 32) % b.keys) + 1;
}

/* --- messages ---------------------------------------------------------------------------------- */

struct packet {
    size_t len, from;
    char data[512];
};

static void begin(struct packet *p, char type)
{
    if (type) p->data[p->len++] = type;
    p->from = p->len;
    p->len += 4;
}

static void add(struct packet *p, const void *data, size_t n)
{
    if (p->len + n > sizeof p->data) die("message too long");
    memcpy(p->data + p->len, data, n);
    p->len += n;
}

static void end(struct packet *p)
{
    uint32_t n = htonl((uint32_t)(p->len - p->from));
    memcpy(p->data + p->from, &n, 4);
}

static void send_packet(struct session *s, const struct packet *p)
{
    s->rows = 0;
    s->sent_us = now_us();
    if (send(s->fd, p->data, p->len, MSG_NOSIGNAL) != (ssize_t)p->len)
        die("session %td: send: %s", s - b.sessions, strerror(errno));
}

static void send_startup(struct session *s)
{
    static const char body[] = "\0\3\0\0user\0postgres\0database\0postgres\0";
    struct packet p = {0};
    begin(&p, 0);
    add(&p, body, sizeof body);
    end(&p);
    send_packet(s, &p);
}

static void send_query(struct session *s)
{
    char sql[128];
    struct packet p = {0};
    int n = snprintf(sql, sizeof sql, "select abalance from pgbench_accounts where aid = %u",
                     random_key());
    begin(&p, 'Q');
    add(&p, sql, (size_t)n + 1);
    end(&p);
    send_packet(s, &p);
}

static void send_parse(struct session *s)
{
    static const char parse[] = "s\0select abalance from pgbench_accounts where aid = $1\0\0";
    struct packet p = {0};
    begin(&p, 'P');
    add(&p, parse, sizeof parse);
    end(&p);
    begin(&p, 'S');
    end(&p);
    send_packet(s, &p);
}

static void send_execute(struct session *s)
{
    char key[16];
    struct packet p = {0};
    uint32_t n = (uint32_t)snprintf(key, sizeof key, "%u", random_key()), len = htonl(n);
    begin(&p, 'B');
    add(&p, "\0s\0\0\0\0\1", 7); /* portal "", statement "s", no formats, one parameter */
    add(&p, &len, 4);
    add(&p, key, n);
    add(&p, "\0\0", 2);
    end(&p);
    begin(&p, 'E');
    add(&p, "\0\0\0\0\0", 5);
    end(&p);
    begin(&p, 'S');
    end(&p);
    send_packet(s, &p);
}

/* The error's text: the field M of its body. */
static void die_of_error(const struct session *s)
{
    const char *p = (const char *)s->body, *last = p + s->body_have;
    while (p < last && *p && *p != 'M') p += strnlen(p, (size_t)(last - p)) + 1;
    die("session %td of %u: %.*s", s - b.sessions, b.count,
        p < last && *p ? (int)strnlen(p + 1, (size_t)(last - p - 1)) : 0, p + 1);
}

/* Takes bytes; returns how many ReadyForQuery they complete. */
static unsigned take(struct session *s, const uint8_t *data, size_t n)
{
    unsigned ready = 0;
    while (n || (s->head_have == 5 && !s->body_left)) {
        if (s->head_have < 5) {
            s->head[s->head_have++] = *data++;
            n--;
            if (s->head_have < 5) continue;
            uint32_t len;
            memcpy(&len, s->head + 1, 4);
            s->body_left = ntohl(len) - 4;
            s->body_have = 0;
        }
        size_t part = n < s->body_left ? n : s->body_left, room = KEPT - s->body_have;
        memcpy(s->body + s->body_have, data, part < room ? part : room);
        s->body_have += (uint32_t)(part < room ? part : room);
        s->body_left -= (uint32_t)part;
        data += part;
        n -= part;
        if (s->body_left) break;
        s->head_have = 0;
        if (s->head[0] == 'E') die_of_error(s);
        if (s->head[0] == 'R' && memcmp(s->body, "\0\0\0\0", 4)) die("the server wants a password");
        s->rows += s->head[0] == 'D';
        ready += s->head[0] == 'Z';
    }
    return ready;
}

static bool receive(struct session *s)
{
    uint8_t data[4096];
    ssize_t n = recv(s->fd, data, sizeof data, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n <= 0)
        die("session %td of %u was closed by the server: %s", s - b.sessions, b.count,
            n ? strerror(errno) : "end of stream");
    return take(s, data, (size_t)n) > 0;
}

/* --- phases ------------------------------------------------------------------------------------ */

static void watch(struct session *s, int how, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    if (epoll_ctl(b.epoll, how, s->fd, &e) != 0) die("epoll_ctl: %s", strerror(errno));
}

static void start_connect(struct session *s)
{
    int on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)b.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) die("socket: %s", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(s->fd, (struct sockaddr *)&a, sizeof a) != 0 && errno != EINPROGRESS)
        die("session %td: connect: %s", s - b.sessions, strerror(errno));
    s->connecting = true;
    watch(s, EPOLL_CTL_ADD, EPOLLOUT);
}

static void finish_connect(struct session *s)
{
    int failed = 0;
    socklen_t len = sizeof failed;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
    if (failed) die("session %td: connect: %s", s - b.sessions, strerror(failed));
    s->connecting = false;
    watch(s, EPOLL_CTL_MOD, EPOLLIN);
    send_startup(s);
}

/* Begins `what` for the sessions from `first` on, a bounded number at a time, and waits for all. */
static void for_each(const char *name, uint32_t first, void (*what)(struct session *s),
                     uint32_t rows_wanted)
{
    struct epoll_event events[BATCH];
    uint32_t started = first, done = first;
    int64_t began = now_us();
    while (done < b.count) {
        while (started < b.count && started - done < IN_FLIGHT_MAX) what(&b.sessions[started++]);
        int n = epoll_wait(b.epoll, events, BATCH, 1000);
        for (int i = 0; i < n; i++) {
            struct session *s = events[i].data.ptr;
            if (s->connecting) {
                finish_connect(s);
            } else if (receive(s)) {
                if (s->rows != rows_wanted) die("session %td: %u rows", s - b.sessions, s->rows);
                done++;
            }
        }
        if (now_us() - began > PHASE_SECONDS_MAX * 1000000LL)
            die("%s: %u of %u sessions after %d s", name, done - first, b.count - first,
                PHASE_SECONDS_MAX);
    }
    printf("%s %u %.2f\n", name, b.count - first, (double)(now_us() - began) / 1e6);
    fflush(stdout);
}

static uint32_t percentile(double share)
{
    uint64_t at = 0, wanted = (uint64_t)((double)b.answered * share);
    uint32_t us = 0;
    while (us < LATENCY_US_MAX && (at += b.histogram[us]) <= wanted) us++;
    return us;
}

static void work(int64_t seconds)
{
    struct epoll_event events[BATCH];
    uint32_t running = b.working;
    int64_t began = now_us(), until = began + seconds * 1000000;
    for (uint32_t i = 0; i < b.working; i++) send_execute(&b.sessions[i]);
    while (running) {
        int n = epoll_wait(b.epoll, events, BATCH, 10000);
        if (n == 0) die("no answer for 10 s");
        for (int i = 0; i < n; i++) {
            struct session *s = events[i].data.ptr;
            if (!receive(s)) continue;
            int64_t now = now_us(), us = now - s->sent_us;
            if (s->rows != 1) die("session %td: %u rows", s - b.sessions, s->rows);
            b.histogram[us < LATENCY_US_MAX ? us : LATENCY_US_MAX - 1]++;
            b.answered++;
            if (now < until) send_execute(s);
            else running--;
        }
    }
    printf("worked %.0f %u %u\n", (double)b.answered / ((double)(now_us() - began) / 1e6),
           percentile(0.5), percentile(0.99));
    fflush(stdout);
}

static void raise_file_limit(uint32_t wanted)
{
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_max < wanted) r.rlim_max = wanted; /* root may */
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) == 0) return;
    getrlimit(RLIMIT_NOFILE, &r);
    die("%u files are needed, %llu allowed: raise the hard limit (ulimit -Hn)", wanted,
        (unsigned long long)r.rlim_max);
}

int main(int argc, char **argv)
{
    if (argc != 6) die("usage: connections PORT IDLE WORKING SECONDS KEYS");
    b.port = (int)strtol(argv[1], NULL, 10);
    b.idle = (uint32_t)strtoul(argv[2], NULL, 10);
    b.working = (uint32_t)strtoul(argv[3], NULL, 10);
    b.keys = (uint32_t)strtoul(argv[5], NULL, 10);
    b.random = 88172645463325252u;
    b.count = b.idle + b.working;
    if (!b.keys || !b.working) die("WORKING and KEYS must not be 0");
    raise_file_limit(b.count + 16);
    b.sessions = calloc(b.count, sizeof *b.sessions);
    b.histogram = calloc(LATENCY_US_MAX, sizeof *b.histogram);
    b.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!b.sessions || !b.histogram || b.epoll < 0) die("out of memory");
    for_each("connected", 0, start_connect, 0);
    for_each("touched", b.working, send_query, 1);
    uint32_t all = b.count;
    b.count = b.working;
    for_each("prepared", 0, send_parse, 0);
    work(strtol(argv[4], NULL, 10));
    b.count = all;
    for_each("touched", b.working, send_query, 1);
    while (getchar() != EOF) continue;
    for (uint32_t i = 0; i < b.count; i++) {
        (void)send(b.sessions[i].fd, "X\0\0\0\4", 5, MSG_NOSIGNAL);
        close(b.sessions[i].fd);
    }
    return 0;
}
