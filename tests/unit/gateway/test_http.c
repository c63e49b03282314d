/* The HTTP server through routes of the test's own: bodies of all framings cut at every byte, limits,
 * pipelines, errors of routes, a client that does not read, and the stop. */
#include "gateway/http/server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/net.h"
#include "base/random.h"

enum { BODY_MAX = 100000 };

static struct sched *sched;
static struct config *config;
static struct gateway *gateway;

/* --- routes --------------------------------------------------------------------------------- */

static enum status echo(const struct http_request *q, struct http_response *a)
{
    struct slice mark = http_header(q, "x-MARK");
    strbuf_addf(&a->headers, "X-Rest: %.*s\r\n", (int)q->rest.len, q->rest.data);
    strbuf_addf(&a->headers, "X-Query: %.*s\r\n", (int)q->query.len, q->query.data);
    strbuf_addf(&a->headers, "X-Mark: %.*s\r\n", (int)mark.len, mark.data ? mark.data : "");
    strbuf_add(&a->body, q->body.data, q->body.len);
    a->status = q->verb == VERB_PUT ? 201 : 200;
    a->content_type = "application/octet-stream";
    return OK;
}

static enum status fails(const struct http_request *q, struct http_response *a)
{
    (void)q;
    strbuf_adds(&a->body, "half an answer");
    return FAIL(IO_ERROR, "the disk is gone");
}

static enum status large(const struct http_request *q, struct http_response *a)
{
    (void)q;
    for (int i = 0; i < 1 << 20; i++) strbuf_adds(&a->body, "sixteen bytes of");
    return OK;
}

static const struct http_route routes[] = {
    {.verbs = VERB_POST | VERB_PUT, .path = "/echo/*", .body_bytes_max = BODY_MAX, .answer = echo},
    {.verbs = VERB_GET, .path = "/fails", .answer = fails},
    {.verbs = VERB_GET, .path = "/large", .answer = large},
    {.path = NULL},
};
static const struct http_limits limits = {
    .idle_us = 300000, .request_us = 300000, .write_us = 300000};

static void serve(struct gateway_client *c)
{
    http_serve(c, routes, &limits);
}

static void refuse(struct gateway_client *c)
{
    http_refuse(c, &limits);
}

static const struct gateway_protocol protocol = {
    .name = "test", .open = true, .serve = serve, .refuse = refuse};

static int setup(void **state)
{
    (void)state;
    struct sched_options so = {.workers = 2};
    config = config_new();
    assert_int_equal(sched_start(&so, &sched), OK);
    struct gateway_options go = {.config = config, .sched = sched, .address = "127.0.0.1",
                                 .protocol = &protocol, .client_max = 8};
    assert_int_equal(gateway_start(&go, &gateway), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gateway_stop(gateway);
    sched_stop(sched);
    config_free(config);
    return 0;
}

/* --- a client ------------------------------------------------------------------------------- */

static struct conn *dial(void)
{
    struct conn *c;
    assert_int_equal(net_connect("127.0.0.1", gateway_port(gateway), &c), OK);
    return c;
}

/* Reads up to `until` in what has come, or to the end of the stream when it is NULL. */
static void collect(struct conn *c, struct strbuf *out, const char *until)
{
    char piece[65536];
    size_t n;
    while (!until || !strstr(out->data, until)) {
        if (conn_read(c, piece, sizeof piece, monotonic_us() + 10000000, &n) != OK || n == 0) return;
        strbuf_add(out, piece, n);
    }
}

/* Sends it in pieces of at most `piece` bytes and gives all that comes back until the close. */
static void exchange(const char *text, size_t len, size_t piece, struct strbuf *out)
{
    struct conn *c = dial();
    strbuf_clear(out);
    for (size_t at = 0; at < len; at += piece)
        if (conn_write(c, text + at, len - at < piece ? len - at : piece) != OK) break;
    collect(c, out, NULL);
    conn_close(c);
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)); text++) n++;
    return n;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void framings(void **state)
{
    (void)state;
    static const char sized[] = "POST /echo/a/b?c=d HTTP/1.1\r\nHost: x\r\nX-Mark: yes\r\n"
                                "Content-Length: 5\r\n\r\nhello"
                                "PUT /echo/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
    struct strbuf out;
    strbuf_init(&out, NULL);
    for (size_t piece = 1; piece < sizeof sized; piece += piece < 8 ? 1 : 37) {
        exchange(sized, sizeof sized - 1, piece, &out);
        assert_int_equal(count(out.data, "HTTP/1.1 "), 2);
        assert_non_null(strstr(out.data, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(out.data, "X-Rest: a/b\r\nX-Query: c=d\r\nX-Mark: yes\r\n\r\nhello"));
        assert_non_null(strstr(out.data, "HTTP/1.1 201 Created\r\n"));
        assert_non_null(strstr(out.data, "Connection: close\r\n"));
        assert_non_null(strstr(out.data, "X-Rest: \r\nX-Query: \r\nX-Mark: \r\n\r\nabcde"));
    }
    strbuf_release(&out);
}

static void body_limit(void **state)
{
    (void)state;
    struct strbuf q, out;
    strbuf_init(&q, NULL);
    strbuf_init(&out, NULL);
    for (int over = 0; over < 2; over++)
        for (int chunked = 0; chunked < 2; chunked++) {
            int len = BODY_MAX + over;
            strbuf_clear(&q);
            strbuf_adds(&q, "POST /echo/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
            if (chunked) strbuf_addf(&q, "Transfer-Encoding: chunked\r\n\r\n%x\r\n", len);
            else strbuf_addf(&q, "Content-Length: %d\r\n\r\n", len);
            for (int i = 0; i < len; i++) strbuf_addc(&q, 'b');
            if (chunked) strbuf_adds(&q, "\r\n0\r\n\r\n");
            exchange(q.data, q.len, 16384, &out);
            assert_int_equal(count(out.data, over ? "HTTP/1.1 413 " : "HTTP/1.1 200 "), 1);
            assert_int_equal(count(out.data, "bbbb") > 1000, !over);
        }
    strbuf_release(&q);
    strbuf_release(&out);
}

static void continues(void **state)
{
    (void)state;
    static const char head[] = "POST /echo/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                               "Connection: close\r\nContent-Length: 2\r\n\r\n";
    struct strbuf out;
    strbuf_init(&out, NULL);
    struct conn *c = dial();
    assert_int_equal(conn_write(c, head, sizeof head - 1), OK);
    collect(c, &out, "\r\n\r\n");
    assert_string_equal(out.data, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(conn_write(c, "ok", 2), OK);
    collect(c, &out, NULL);
    assert_non_null(strstr(out.data, "HTTP/1.1 200 OK\r\n"));
    assert_string_equal(out.data + out.len - 2, "ok");
    conn_close(c);
    strbuf_release(&out);
}

static void errors(void **state)
{
    (void)state;
    static const char q[] = "GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"
                            "GET /echo/ HTTP/1.1\r\nHost: x\r\n\r\n"
                            "GET http://x/fails?a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct strbuf out;
    strbuf_init(&out, NULL);
    exchange(q, sizeof q - 1, sizeof q, &out);
    assert_int_equal(count(out.data, "HTTP/1.1 500 Internal Server Error\r\n"), 2);
    assert_int_equal(count(out.data, "\r\n\r\nthe disk is gone\n"), 2);
    assert_null(strstr(out.data, "half an answer"));
    assert_non_null(strstr(out.data, "HTTP/1.1 405 Method Not Allowed\r\n"));
    assert_non_null(strstr(out.data, "Allow: POST, PUT\r\n"));
    strbuf_release(&out);
}

/* Half a request ends in 408; silence between requests, and an answer that nobody takes, in a close. */
static void deadlines(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, NULL);
    exchange("GET /fai", 8, 8, &out);
    assert_non_null(strstr(out.data, "HTTP/1.1 408 "));
    exchange("", 0, 1, &out);
    assert_int_equal(out.len, 0);
    struct conn *c = dial();
    static const char q[] = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(conn_write(c, q, sizeof q - 1), OK);
    while (gateway_client_count(gateway)) (void)fiber_sleep_us(1000);
    conn_close(c);
    strbuf_release(&out);
}

/* Bytes that are nothing: the connection ends, the server does not. */
static void garbage(void **state)
{
    (void)state;
    static const char base[] = "POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                               "Connection: close\r\n\r\nhello";
    struct rng r;
    struct strbuf out;
    uint64_t seed = 0x5eed;
    print_message("seed %llx\n", (unsigned long long)seed);
    rng_seed(&r, seed);
    strbuf_init(&out, NULL);
    for (int i = 0; i < 300; i++) {
        char text[sizeof base];
        memcpy(text, base, sizeof base);
        for (uint64_t k = 0; k <= rng_below(&r, 4); k++)
            text[rng_below(&r, sizeof base - 1)] = (char)rng_below(&r, 256);
        struct conn *c = dial();
        (void)!conn_write(c, text, sizeof base - 1);
        conn_close(c);
        while (gateway_client_count(gateway) > 4) (void)fiber_sleep_us(100);
    }
    for (int i = 0; i < 1000 && !strstr(out.data, "HTTP/1.1 200 OK\r\n"); i++) {
        (void)fiber_sleep_us(1000); /* those before it may not have begun yet: it is one too many */
        exchange(base, sizeof base - 1, 10, &out);
    }
    assert_non_null(strstr(out.data, "HTTP/1.1 200 OK\r\n"));
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framings), cmocka_unit_test(body_limit), cmocka_unit_test(continues),
        cmocka_unit_test(errors),   cmocka_unit_test(deadlines),  cmocka_unit_test(garbage)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
