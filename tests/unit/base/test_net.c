#include "base/net.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "base/random.h"

static char dir[64];
static struct tls_context *tls;
static uint32_t sessions, workers_seen;

static struct sched *start(void)
{
    struct sched *s;
    struct sched_options opts = {.workers = 2, .spin_us_max = 50};
    assert_int_equal(sched_start(&opts, &s), OK);
    return s;
}

/* Sends back whatever comes. A first byte of 'T' begins TLS. */
static void echo(struct conn *c, void *arg)
{
    (void)arg;
    char buf[4096];
    size_t n;
    __atomic_fetch_or(&workers_seen, 1u << fiber_worker(), __ATOMIC_RELAXED);
    if (!conn_peer_is_local(c)) abort();
    for (;;) {
        if (conn_read(c, buf, sizeof buf, 0, &n) != OK || n == 0) break;
        if (!conn_is_tls(c) && tls && buf[0] == 'T') {
            if (conn_write(c, "S", 1) != OK || conn_start_tls(c, tls, 0) != OK) break;
            continue;
        }
        if (conn_write(c, buf, n) != OK) break;
    }
    conn_close(c);
    __atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED);
}

static void read_all(struct conn *c, char *buf, size_t len)
{
    for (size_t n; len; buf += n, len -= n) {
        if (conn_read(c, buf, len, 0, &n) != OK || n == 0) abort();
    }
}

struct client {
    const char *address;
    int port;
    uint64_t seed;
    int messages;
    size_t len_max;
};

static void talk(const struct client *cl)
{
    struct conn *c;
    struct rng rng;
    char *out = mem_alloc(MEM_TEST, cl->len_max), *in = mem_alloc(MEM_TEST, cl->len_max);
    rng_seed(&rng, cl->seed);
    if (net_connect(cl->address, cl->port, &c) != OK) abort();
    for (int i = 0; i < cl->messages; i++) {
        size_t len = 1 + rng_below(&rng, cl->len_max);
        memset(out, 'a' + (int)rng_below(&rng, 26), len);
        if (conn_write(c, out, len) != OK) abort();
        read_all(c, in, len);
        if (memcmp(in, out, len) != 0) abort();
    }
    conn_close(c);
    mem_free(MEM_TEST, in);
    mem_free(MEM_TEST, out);
}

static void talk_fiber(void *arg)
{
    talk(arg);
}

static void *talk_thread(void *arg)
{
    talk(arg);
    return NULL;
}

static struct listener *listen_on(struct sched *s, const char *address)
{
    struct listener *l;
    struct listen_options opts = {.address = address};
    assert_int_equal(net_listen(s, &opts, &l), OK);
    assert_int_equal(listener_serve(l, echo, NULL), OK);
    return l;
}

static void run_clients(const char *address)
{
    struct sched *s = start();
    struct listener *l = listen_on(s, address);
    struct client clients[12];
    pthread_t threads[4];
    sessions = workers_seen = 0;
    for (int i = 0; i < 12; i++) {
        clients[i] = (struct client){address, listener_port(l), (uint64_t)i, 500, i % 3 ? 200 : 9000};
        if (i < 4) pthread_create(&threads[i], NULL, talk_thread, &clients[i]);
        else assert_int_equal(fiber_spawn(s, i % 2, talk_fiber, &clients[i]), OK);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    while (__atomic_load_n(&sessions, __ATOMIC_RELAXED) < 12) usleep(500);
    listener_close(l);
    sched_stop(s);
    assert_int_equal(workers_seen, 3);
}

static void echo_tcp(void **state)
{
    (void)state;
    run_clients("127.0.0.1");
}

static void echo_unix(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s/socket", dir);
    run_clients(path);
    assert_int_not_equal(access(path, F_OK), 0);
    /* What a crash left behind does not stand in the way. */
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    unlink(path);
    run_clients(path);
}

static void taken_port(void **state)
{
    (void)state;
    struct sched *s = start();
    struct listener *l = listen_on(s, "127.0.0.1"), *second;
    struct listen_options opts = {.address = "127.0.0.1", .port = listener_port(l)};
    assert_int_equal(net_listen(s, &opts, &second), OBJECT_IN_USE);
    assert_non_null(strstr(error_current()->hint, "already running"));
    listener_close(l);
    struct conn *c;
    assert_int_equal(net_connect("127.0.0.1", opts.port, &c), CONNECTION_FAILURE);
    sched_stop(s);
}

/* Both sides send more than the kernel buffers before either reads it all. */
static void flood(struct conn *c, void *arg)
{
    char *buf = mem_alloc(MEM_TEST, 1 << 20);
    for (int i = 0; i < 16; i++)
        if (conn_write(c, buf, 1 << 20) != OK) abort();
    conn_close(c);
    mem_free(MEM_TEST, buf);
    __atomic_add_fetch((uint32_t *)arg, 1, __ATOMIC_RELAXED);
}

static void back_pressure(void **state)
{
    (void)state;
    struct sched *s = start();
    struct listener *l;
    struct conn *c;
    uint32_t done = 0;
    size_t total = 0, n;
    char buf[65536];
    struct listen_options opts = {.address = "127.0.0.1"};
    assert_int_equal(net_listen(s, &opts, &l), OK);
    assert_int_equal(listener_serve(l, flood, &done), OK);
    assert_int_equal(net_connect("127.0.0.1", listener_port(l), &c), OK);
    usleep(20000);
    assert_int_equal(__atomic_load_n(&done, __ATOMIC_RELAXED), 0);
    while (conn_read(c, buf, sizeof buf, 0, &n) == OK && n) total += n;
    assert_int_equal(total, 16 << 20);
    conn_close(c);
    listener_close(l);
    sched_stop(s);
}

/* --- deadline, cancel, shutdown ---------------------------------------------------------------- */

struct waiting {
    struct conn *conn;     /* atomic */
    struct waiter *waiter;
    uint32_t step;         /* atomic */
};

static void wait_in_read(struct conn *c, void *arg)
{
    struct waiting *w = arg;
    char byte;
    size_t n;
    if (conn_read_now(c, &byte, 1, &n) != WOULD_BLOCK) abort();
    int64_t until = monotonic_us() + 5000;
    if (conn_read(c, &byte, 1, until, &n) != WOULD_BLOCK || monotonic_us() < until) abort();
    w->waiter = waiter_self();
    __atomic_store_n(&w->conn, c, __ATOMIC_RELEASE);
    if (conn_read(c, &byte, 1, 0, &n) != QUERY_CANCELED) abort();
    __atomic_store_n(&w->step, 1, __ATOMIC_RELEASE);
    if (conn_read(c, &byte, 1, 0, &n) != OK || n != 0) abort();
    __atomic_store_n(&w->step, 2, __ATOMIC_RELEASE);
    while (__atomic_load_n(&w->step, __ATOMIC_ACQUIRE) != 3) fiber_sleep_us(100);
    conn_close(c);
}

static void interruptions(void **state)
{
    (void)state;
    struct sched *s = start();
    struct listener *l;
    struct conn *c, *served;
    struct waiting w = {0};
    char byte;
    size_t n;
    struct listen_options opts = {.address = "127.0.0.1"};
    assert_int_equal(net_listen(s, &opts, &l), OK);
    assert_int_equal(listener_serve(l, wait_in_read, &w), OK);
    assert_int_equal(net_connect("127.0.0.1", listener_port(l), &c), OK);
    while (!(served = __atomic_load_n(&w.conn, __ATOMIC_ACQUIRE))) usleep(100);
    usleep(2000);
    waiter_cancel(w.waiter);
    while (__atomic_load_n(&w.step, __ATOMIC_ACQUIRE) != 1) usleep(100);
    usleep(2000);
    conn_shutdown(served);
    while (__atomic_load_n(&w.step, __ATOMIC_ACQUIRE) != 2) usleep(100);
    __atomic_store_n(&w.step, 3, __ATOMIC_RELEASE);
    /* A plain thread: end of stream, deadline, cancel. */
    assert_int_equal(conn_read(c, &byte, 1, 0, &n), OK);
    assert_int_equal(n, 0);
    conn_close(c);
    listener_close(l);
    l = listen_on(s, "127.0.0.1");
    assert_int_equal(net_connect("127.0.0.1", listener_port(l), &c), OK);
    assert_int_equal(conn_read(c, &byte, 1, monotonic_us() + 2000, &n), WOULD_BLOCK);
    waiter_cancel(waiter_self());
    assert_int_equal(conn_read(c, &byte, 1, 0, &n), QUERY_CANCELED);
    assert_false(waiter_canceled(waiter_self()));
    conn_close(c);
    listener_close(l);
    sched_stop(s);
}

/* --- TLS --------------------------------------------------------------------------------------- */

static void make_certificate(char cert[100], char key[100])
{
    struct stat st;
    struct tls_context *t;
    uint8_t first[32], second[32];
    snprintf(cert, 100, "%s/server.crt", dir);
    snprintf(key, 100, "%s/server.key", dir);
    assert_int_equal(tls_self_signed(cert, key), OK);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tls_open(cert, key, &t), OK);
    tls_certificate_hash(t, first);
    tls_close(t);
    assert_int_equal(tls_self_signed(cert, key), OK); /* stays */
    assert_int_equal(tls_open(cert, key, &t), OK);
    tls_certificate_hash(t, second);
    tls_close(t);
    assert_memory_equal(first, second, 32);
    unlink(cert);
    assert_int_equal(tls_self_signed(cert, key), OK); /* a new one for the old key */
    chmod(key, 0644);
    assert_int_equal(tls_open(cert, key, &t), CONFIG_FILE_ERROR);
    chmod(key, 0600);
    assert_int_equal(tls_open("/nonexistent", key, &t), CONFIG_FILE_ERROR);
}

static void *tls_client(void *arg)
{
    int port = (int)(intptr_t)arg;
    struct conn *c;
    char byte, in[20000], out[20000];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (net_connect("127.0.0.1", port, &c) != OK || conn_write(c, "T", 1) != OK) abort();
    read_all(c, &byte, 1);
    int fd = dup(conn_fd(c));
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    /* The socket is non-blocking: spin, which also exercises the server with partial records. */
    for (int r; (r = SSL_connect(ssl)) != 1;) {
        int why = SSL_get_error(ssl, r);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) abort();
        usleep(100);
    }
    for (int i = 0; i < 300; i++) {
        int len = 1 + i * 61, sent = 0, got = 0;
        memset(out, 'a' + i % 26, sizeof out);
        while (sent < len || got < len) {
            int n = sent < len ? SSL_write(ssl, out + sent, len - sent) : 0;
            if (n > 0) sent += n;
            n = SSL_read(ssl, in + got, len - got);
            if (n > 0) got += n;
        }
        if (memcmp(in, out, (size_t)len) != 0) abort();
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    conn_close(c);
    return NULL;
}

static void echo_tls(void **state)
{
    (void)state;
    char cert[100], key[100];
    pthread_t t[3];
    make_certificate(cert, key);
    struct sched *s = start();
    assert_int_equal(tls_open(cert, key, &tls), OK);
    sessions = 0;
    struct listener *l = listen_on(s, "127.0.0.1");
    void *port = (void *)(intptr_t)listener_port(l);
    for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, tls_client, port);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    /* Not TLS at all: the handshake fails, the server goes on. */
    struct conn *c;
    char buf[256];
    size_t n = 1;
    assert_int_equal(net_connect("127.0.0.1", listener_port(l), &c), OK);
    assert_int_equal(conn_write(c, "T", 1), OK);
    read_all(c, buf, 1);
    assert_int_equal(conn_write(c, "this is no client hello", 23), OK);
    while (n && conn_read(c, buf, sizeof buf, 0, &n) == OK) {
    }
    conn_close(c);
    while (__atomic_load_n(&sessions, __ATOMIC_RELAXED) < 4) usleep(500);
    listener_close(l);
    sched_stop(s);
    tls_close(tls);
    tls = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_tcp),      cmocka_unit_test(echo_unix),
        cmocka_unit_test(taken_port),    cmocka_unit_test(back_pressure),
        cmocka_unit_test(interruptions), cmocka_unit_test(echo_tls),
    };
    snprintf(dir, sizeof dir, "/tmp/helios-net-%d", (int)getpid());
    mkdir(dir, 0700);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0) return 1;
    return failed;
}
