/* A gateway on a Unix socket before the small database, for the targets of the wire: the real
 * path of a connection, with its fiber, buffers and session. The client is the calling thread. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fiber.h"
#include "database.h"
#include "fuzz.h"
#include "gateway/gateway.h"

enum { ANSWER_MS_MAX = 30000, RUNS_A_DATABASE = 300 };

struct served {
    struct gateway *gateway;
    struct config *config;
    char path[100];
};

static struct served open_to_all, by_password;
static struct strbuf answer;

static void stop(struct served *s)
{
    if (s->gateway) gateway_stop(s->gateway);
    s->gateway = NULL;
    unlink(s->path);
}

static void stop_all(void)
{
    stop(&open_to_all);
    stop(&by_password);
    strbuf_release(&answer);
}

static struct config *config_of(bool password)
{
    struct config *c = config_new();
    FUZZ_CHECK(config_set(c, "tls.mode", "off", SOURCE_FLAG) == OK);
    if (password) FUZZ_CHECK(config_set(c, "auth.method", "scram", SOURCE_FLAG) == OK);
    return c;
}

static void start_one(void *arg)
{
    struct served *s = arg;
    struct db *db = fuzz_database();
    struct gateway_options o = {.db = db, .config = s->config, .sched = fuzz_sched(),
                                .address = s->path};
    struct session *setup = fuzz_session(db);
    struct fuzz_sink k;
    fuzz_sink_init(&k, setup, SLICE(""));
    (void)fuzz_query(setup, &k, slice_of("create role someone login password 'secret'"));
    session_free(setup);
    if (gateway_start(&o, &s->gateway) != OK) fuzz_fail("gateway: %s", error_current()->message);
}

static struct served *serve(bool password)
{
    static bool registered;
    static int runs;
    struct served *s = password ? &by_password : &open_to_all;
    if (++runs % RUNS_A_DATABASE == 0) { /* nothing that inputs have made stays for long */
        stop(&open_to_all);
        stop(&by_password);
        fuzz_database_discard();
    }
    if (s->gateway) return s;
    if (!s->config) s->config = config_of(password);
    const char *dir = getenv("TMPDIR");
    snprintf(s->path, sizeof s->path, "%s/fuzz-%d-%d.sock", dir && strlen(dir) < 60 ? dir : "/tmp",
             getpid(), password);
    fuzz_on_fiber(start_one, s);
    if (!registered) {
        strbuf_init(&answer, NULL);
        atexit(stop_all);
    }
    registered = true;
    return s;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        fuzz_fail("connect: %s", strerror(errno));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Reads what is there; false at the end of the stream. */
static bool take_answer(int fd)
{
    char buf[16384];
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n > 0) strbuf_add(&answer, buf, (size_t)n);
        else return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
}

struct slice wire_talk(struct slice sent, bool password)
{
    struct served *s = serve(password);
    int fd = connect_to(s->path);
    size_t done = 0;
    bool ended = false;
    strbuf_clear(&answer);
    while (take_answer(fd)) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (ended ? 0 : POLLOUT))};
        if (poll(&p, 1, ANSWER_MS_MAX) == 0) fuzz_fail("no answer in %d ms", ANSWER_MS_MAX);
        if (ended || !(p.revents & POLLOUT)) continue;
        ssize_t n = send(fd, sent.data + done, sent.len - done, MSG_NOSIGNAL);
        if (n > 0) done += (size_t)n;
        if (done == sent.len || (n < 0 && errno != EAGAIN)) {
            shutdown(fd, SHUT_WR);
            ended = true;
        }
    }
    close(fd);
    for (int i = 0; gateway_client_count(s->gateway) > 0; i++) {
        if (i > 1000) fuzz_fail("the session does not end");
        (void)usleep(i < 100 ? 20 : 20000);
    }
    return strbuf_slice(&answer);
}

uint32_t wire_check_answer(struct slice a)
{
    const char *p = a.data, *end = a.data + a.len;
    uint32_t ready = 0;
    while (p < end) {
        uint32_t len;
        FUZZ_CHECK(end - p >= 5);
        memcpy(&len, p + 1, 4);
        len = __builtin_bswap32(len);
        FUZZ_CHECK(len >= 4 && (size_t)len < (size_t)(end - p));
        FUZZ_CHECK(strchr("RSKZTDCENA123nstIGHWdcv", *p));
        if (*p == 'Z') ready++;
        if (*p == 'E') {
            const char *state = memmem(p + 5, len - 4, "\0C", 2);
            FUZZ_CHECK(state && state + 7 < end);
            if (!strncmp(state + 2, "XX", 2)) {
                const char *words = memmem(p + 5, len - 4, "\0M", 2);
                fuzz_fail("internal error %.5s: %s", state + 2, words ? words + 2 : "");
            }
        }
        p += len + 1;
    }
    return ready;
}
