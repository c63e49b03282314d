#include "gateway/http/server.h"

#include <stdio.h>

#include "base/log.h"
#include "base/os.h"
#include "gateway/http/http_priv.h"

/* One connection: read a request whole (request.c), find its route, answer, and again.
 *
 * Answers leave at once, one write each: a client that pipelines without reading meets its own full
 * socket, and we wait no longer than write_us for it. */

/* --- answering ------------------------------------------------------------------------------ */

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
                 {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
                 {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"},
                 {409, "Conflict"}, {413, "Content Too Large"}, {414, "URI Too Long"},
                 {422, "Unprocessable Content"}, {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
                 {501, "Not Implemented"}, {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status) return known[i].text;
    return "Unknown";
}

/* "Sat, 21 Nov 2026 12:00:00 GMT"; the day from its number by the civil calendar, eras of 400
 * years that begin in March. */
static void add_date(struct strbuf *b)
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t s = os_wall_us(os_real()) / 1000000, day = s / 86400, second = s % 86400;
    int64_t z = day + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9, year = era * 400 + yoe + (month <= 2);
    strbuf_addf(b, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + day % 7 * 3,
                (int)(doy - (153 * mp + 2) / 5 + 1), months + (month - 1) * 3, (int)year,
                (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
}

static enum status send_response(struct http_conn *h, const struct http_response *a, bool head)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    strbuf_addf(&out, "HTTP/1.1 %d %s\r\n", a->status, reason(a->status));
    add_date(&out);
    strbuf_addf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n",
                a->content_type, a->body.len);
    if (h->close) strbuf_adds(&out, "Connection: close\r\n");
    else if (h->parser.http_minor == 0) strbuf_adds(&out, "Connection: keep-alive\r\n");
    if (a->headers.len) strbuf_add(&out, a->headers.data, a->headers.len);
    strbuf_adds(&out, "\r\n");
    if (!head && a->body.len) strbuf_add(&out, a->body.data, a->body.len);
    enum status st = conn_write(h->client->conn, out.data, out.len);
    strbuf_release(&out);
    return st;
}

static void response_init(struct http_response *a, int status)
{
    *a = (struct http_response){.status = status, .content_type = "text/plain; charset=utf-8"};
    strbuf_init(&a->headers, NULL);
    strbuf_init(&a->body, NULL);
}

static void response_release(struct http_response *a)
{
    strbuf_release(&a->headers);
    strbuf_release(&a->body);
}

static enum status send_plain(struct http_conn *h, int status, const char *headers, bool head)
{
    struct http_response a;
    response_init(&a, status);
    if (headers) strbuf_adds(&a.headers, headers);
    strbuf_addf(&a.body, "%s\n", reason(status));
    enum status st = send_response(h, &a, head);
    response_release(&a);
    return st;
}

static enum status send_not_allowed(struct http_conn *h, unsigned verbs, bool head)
{
    static const char *const names[] = {"GET, HEAD", "POST", "PUT", "PATCH", "DELETE"};
    char allow[80] = "Allow: ";
    size_t len = strlen(allow);
    for (int i = 0; i < 5; i++)
        if (verbs & 1u << i)
            len += (size_t)snprintf(allow + len, sizeof allow - len, "%s%s", len > 7 ? ", " : "",
                                    names[i]);
    snprintf(allow + len, sizeof allow - len, "\r\n");
    return send_plain(h, 405, allow, head);
}

static enum status answer(struct http_conn *h)
{
    struct http_response a;
    struct http_request q = {.client = h->client, .arena = &h->arena};
    h->close = h->close || !http_should_keep_alive(&h->parser) || h->parser.upgrade ||
               gateway_client_stopping(h->client);
    bool head = h->parser.method == HTTP_HEAD;
    if (h->allowed) return send_not_allowed(h, h->allowed, head);
    if (!h->route) return send_plain(h, 404, NULL, head);
    http__fill_request(h, &q);
    response_init(&a, 200);
    enum status st = h->route->answer(&q, &a);
    if (st != OK) {
        LOG(LOG_WARNING, "http", "%s: %s", h->route->path, error_current()->message);
        strbuf_clear(&a.headers);
        strbuf_clear(&a.body);
        a.status = 500;
        a.content_type = "text/plain; charset=utf-8";
        strbuf_addf(&a.body, "%s\n", error_current()->message);
    }
    st = send_response(h, &a, head);
    response_release(&a);
    return st;
}

/* --- conversing ----------------------------------------------------------------------------- */

/* Reads what is still on its way for a moment: closing over unread bytes would reset the connection
 * and could take the answer with it. */
static void drain(struct http_conn *h)
{
    enum { DRAIN_US = 200000, DRAIN_READS = 64 };
    int64_t until = monotonic_us() + DRAIN_US;
    size_t n = 1;
    for (int i = 0; i < DRAIN_READS && n; i++)
        if (conn_read(h->client->conn, h->buffer, sizeof h->buffer, until, &n) != OK) return;
}

static void refuse(struct http_conn *h, int status)
{
    h->close = true;
    if (send_plain(h, status, NULL, false) == OK) drain(h);
}

static void converse(struct http_conn *h)
{
    while (!h->close && !gateway_client_stopping(h->client)) {
        int refused = 0;
        if (http__read_request(h, &refused) != OK) return;
        if (refused) {
            refuse(h, refused);
            return;
        }
        if (answer(h) != OK) return;
        fiber_yield(); /* a pipeline must not keep the others of its worker waiting */
    }
}

static bool is_over(void *client)
{
    return gateway_client_stopping(client);
}

void http_serve(struct gateway_client *c, const struct http_route *routes,
                const struct http_limits *limits)
{
    struct http_conn *h = mem_alloc(MEM_NET, sizeof *h);
    conn_set_patience(c->conn, limits->write_us, is_over, c);
    http__init(h, c, routes, limits);
    converse(h);
    http__release(h);
    mem_free(MEM_NET, h);
}

void http_refuse(struct gateway_client *c, const struct http_limits *limits)
{
    struct http_conn *h = mem_alloc(MEM_NET, sizeof *h);
    conn_set_patience(c->conn, limits->write_us, is_over, c);
    http__init(h, c, NULL, limits);
    refuse(h, 503);
    http__release(h);
    mem_free(MEM_NET, h);
}
