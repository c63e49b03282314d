#include "gateway/http/http_priv.h"

/* Reading a request. The bytes go through http-parser as they come; what it tells is gathered here,
 * within limits that are looked at before anything is kept:
 *
 *     target 8 KiB, headers 16 KiB and 100 of them, body as its route says;
 *     the parser itself bounds what it passes over in silence (80 KiB a head);
 *     the time from a request's first byte to its last.
 *
 * The route is looked up at the end of the headers, so that a body nobody wants is refused unread. */

static int refuse(struct http_conn *h, int status)
{
    h->refused = status;
    return 1; /* ends the parser's work */
}

/* --- what the parser tells ------------------------------------------------------------------ */

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct http_conn *h = p->data;
    if (h->target.len + len > HTTP_TARGET_BYTES_MAX) return refuse(h, 414);
    strbuf_add(&h->target, at, len);
    return 0;
}

static int add_head(struct http_conn *h, const char *at, size_t len, bool value)
{
    h->head_bytes += len;
    if (h->head_bytes > HTTP_HEAD_BYTES_MAX) return refuse(h, 431);
    if (h->trailing) return 0; /* behind a chunked body: nobody asks for them */
    if (h->in_value != value || h->marks.count == 0) {
        if (h->marks.count >= 2 * HTTP_HEADERS_MAX) return refuse(h, 431);
        if (h->head.len) strbuf_addc(&h->head, '\0');
        ARENA_PUSH(&h->arena, &h->marks, (uint32_t)h->head.len);
        h->in_value = value;
    }
    strbuf_add(&h->head, at, len);
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t len)
{
    return add_head(p->data, at, len, false);
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    return add_head(p->data, at, len, true);
}

static enum http_verb verb_of(unsigned method)
{
    switch (method) {
    case HTTP_GET:
    case HTTP_HEAD: return VERB_GET;
    case HTTP_POST: return VERB_POST;
    case HTTP_PUT: return VERB_PUT;
    case HTTP_PATCH: return VERB_PATCH;
    case HTTP_DELETE: return VERB_DELETE;
    default: return 0;
    }
}

static struct slice path_of(const struct http_conn *h)
{
    struct slice t = strbuf_slice(&h->target);
    /* "http://host/path", as proxies get it, is told apart by its beginning. */
    if (t.len && t.data[0] != '/') {
        struct http_parser_url u;
        http_parser_url_init(&u);
        if (http_parser_parse_url(t.data, t.len, 0, &u) == 0 && u.field_set & 1 << UF_PATH)
            return slice_make(t.data + u.field_data[UF_PATH].off, u.field_data[UF_PATH].len);
    }
    for (size_t i = 0; i < t.len; i++)
        if (t.data[i] == '?' || t.data[i] == '#') return slice_make(t.data, i);
    return t;
}

static bool fits(const struct http_route *r, struct slice path)
{
    size_t len = strlen(r->path);
    if (len && r->path[len - 1] == '*')
        return path.len >= len - 1 && memcmp(path.data, r->path, len - 1) == 0;
    return slice_eq(path, slice_make(r->path, len));
}

static void find_route(struct http_conn *h)
{
    struct slice path = path_of(h);
    enum http_verb verb = verb_of(h->parser.method);
    for (const struct http_route *r = h->routes; r && r->path && !h->route; r++) {
        if (!fits(r, path)) continue;
        if (r->verbs & verb) h->route = r;
        else h->allowed |= r->verbs;
    }
    if (h->route) h->allowed = 0;
}

static struct slice header(const struct http_conn *h, const char *name)
{
    for (size_t i = 0; i + 1 < h->marks.count; i += 2)
        if (str_eq_nocase(h->head.data + h->marks.data[i], name))
            return slice_of(h->head.data + h->marks.data[i + 1]);
    return (struct slice){0};
}

static int on_headers_complete(http_parser *p)
{
    struct http_conn *h = p->data;
    if (p->http_major != 1) return refuse(h, 400);
    /* A name without a value at the very end has an empty one. */
    if (h->marks.count % 2) {
        strbuf_addc(&h->head, '\0');
        ARENA_PUSH(&h->arena, &h->marks, (uint32_t)h->head.len);
    }
    if (p->http_minor >= 1 && !header(h, "host").data) return refuse(h, 400);
    find_route(h);
    bool sized = !(p->flags & F_CHUNKED) && p->content_length != UINT64_MAX;
    size_t max = h->route ? h->route->body_bytes_max : 0;
    if (sized && p->content_length > max) return refuse(h, 413);
    h->want_continue = slice_eq_nocase(header(h, "expect"), slice_of("100-continue"));
    h->trailing = true;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct http_conn *h = p->data;
    h->want_continue = false;
    if (h->body.len + len > (h->route ? h->route->body_bytes_max : 0)) return refuse(h, 413);
    strbuf_add(&h->body, at, len);
    return 0;
}

static int on_complete(http_parser *p)
{
    struct http_conn *h = p->data;
    h->complete = true;
    http_parser_pause(p, 1); /* what follows is the next request */
    return 0;
}

static const http_parser_settings callbacks = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* --- life ----------------------------------------------------------------------------------- */

static void request_init(struct http_conn *h)
{
    strbuf_init(&h->target, &h->arena);
    strbuf_init(&h->head, &h->arena);
    memset(&h->marks, 0, sizeof h->marks);
    strbuf_init(&h->body, NULL); /* apart: it may be large, and is given back after each request */
    h->head_bytes = 0;
    h->in_value = h->complete = h->want_continue = h->trailing = false;
    h->route = NULL;
    h->allowed = 0;
    h->refused = 0;
}

void http__init(struct http_conn *h, struct gateway_client *c, const struct http_route *routes,
                const struct http_limits *limits)
{
    h->client = c;
    h->routes = routes;
    h->limits = limits;
    arena_init(&h->arena, MEM_NET);
    request_init(h);
    http_parser_init(&h->parser, HTTP_REQUEST);
    h->parser.data = h;
}

void http__release(struct http_conn *h)
{
    strbuf_release(&h->body);
    arena_release(&h->arena);
}

/* --- reading -------------------------------------------------------------------------------- */

static enum status feed(struct http_conn *h)
{
    size_t n = http_parser_execute(&h->parser, &callbacks, h->buffer + h->start, h->end - h->start);
    h->start += n;
    if (h->complete) {
        http_parser_pause(&h->parser, 0);
        return OK;
    }
    if (h->refused || HTTP_PARSER_ERRNO(&h->parser) == HPE_OK) return OK;
    h->refused = HTTP_PARSER_ERRNO(&h->parser) == HPE_HEADER_OVERFLOW ? 431 : 400;
    return OK;
}

static enum status say_continue(struct http_conn *h)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    h->want_continue = false;
    return conn_write(h->client->conn, text, sizeof text - 1);
}

enum status http__read_request(struct http_conn *h, int *ret_refused)
{
    int64_t begun_us = 0;
    strbuf_release(&h->body);
    arena_clear(&h->arena);
    request_init(h);
    for (;;) {
        if (h->start < h->end) {
            if (!begun_us) begun_us = monotonic_us();
            TRY(feed(h));
        }
        *ret_refused = h->refused;
        if (h->complete || h->refused) return OK;
        if (h->want_continue) TRY(say_continue(h));
        int64_t until = begun_us ? begun_us + h->limits->request_us
                                 : monotonic_us() + h->limits->idle_us;
        h->start = h->end = 0;
        size_t n;
        enum status st = conn_read(h->client->conn, h->buffer, sizeof h->buffer, until, &n);
        if (st == WOULD_BLOCK && begun_us) {
            *ret_refused = 408;
            return OK;
        }
        TRY(st);
        if (n == 0) return END_OF_DATA;
        h->end = n;
    }
}

void http__fill_request(struct http_conn *h, struct http_request *q)
{
    struct slice target = strbuf_slice(&h->target);
    size_t fixed = strlen(h->route->path);
    q->verb = verb_of(h->parser.method);
    q->path = path_of(h);
    const char *after = q->path.data + q->path.len, *end = target.data + target.len;
    if (after < end && *after == '?') q->query = slice_make(after + 1, (size_t)(end - after - 1));
    if (fixed && h->route->path[fixed - 1] == '*')
        q->rest = slice_make(q->path.data + fixed - 1, q->path.len - (fixed - 1));
    q->body = strbuf_slice(&h->body);
    uint32_t n = (uint32_t)(h->marks.count / 2);
    struct http_header *list = ARENA_ARRAY(&h->arena, struct http_header, n + 1);
    for (uint32_t i = 0; i < n; i++)
        list[i] = (struct http_header){slice_of(h->head.data + h->marks.data[2 * i]),
                                       slice_of(h->head.data + h->marks.data[2 * i + 1])};
    q->headers = list;
    q->header_count = n;
}

struct slice http_header(const struct http_request *q, const char *name)
{
    for (uint32_t i = 0; i < q->header_count; i++)
        if (slice_eq_nocase(q->headers[i].name, slice_of(name))) return q->headers[i].value;
    return (struct slice){0};
}
