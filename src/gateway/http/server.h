/* HTTP/1.1 over the gateway's listener: reads a request whole, within limits, finds its route in a
 * table and sends what the route answered. Keep-alive and pipelining; no TLS, no compression.
 *
 * An endpoint is a gateway_protocol whose `serve` calls http_serve with its table. */
#ifndef HELIOS_GATEWAY_HTTP_SERVER_H
#define HELIOS_GATEWAY_HTTP_SERVER_H

#include "base/str.h"
#include "gateway/gateway.h"

enum {
    HTTP_HEAD_BYTES_MAX = 16 << 10, /* request line and headers: 431 */
    HTTP_TARGET_BYTES_MAX = 8 << 10, /* 414 */
    HTTP_HEADERS_MAX = 100,         /* 431 */
};

enum http_verb { VERB_GET = 1, VERB_POST = 2, VERB_PUT = 4, VERB_PATCH = 8, VERB_DELETE = 16 };

struct http_header {
    struct slice name, value;
};

/* All slices live until the route returns. */
struct http_request {
    struct gateway_client *client;
    enum http_verb verb;       /* a HEAD request is a GET whose body is not sent */
    struct slice path, query;  /* as sent: percent signs and all; query without '?' */
    struct slice rest;         /* of the path, where the route ends in a '*' */
    struct slice body;
    const struct http_header *headers;
    uint32_t header_count;
    struct arena *arena;
};
/* By name, whatever its case; data NULL: there is none. */
struct slice http_header(const struct http_request *q, const char *name);

struct http_response {
    int status;                /* 200 unless set */
    const char *content_type;  /* text/plain unless set */
    struct strbuf headers;     /* further ones, each "Name: value\r\n" */
    struct strbuf body;        /* bounded by what the route puts into it */
};

struct http_route {
    unsigned verbs;        /* enum http_verb, or-ed; 405 for others */
    const char *path;      /* "/metrics"; a '*' at the end stands for any rest */
    size_t body_bytes_max; /* 413 beyond */
    /* Not OK: answered as 500 with the words of the error slot. */
    enum status (*answer)(const struct http_request *q, struct http_response *a);
};

struct http_limits {
    int64_t idle_us;     /* between two requests; then the connection is closed */
    int64_t request_us;  /* from a request's first byte to its last: 408 */
    int64_t write_us;    /* a client that takes nothing for that long is cut off */
};

/* The first route that fits is taken; the table ends with a path of NULL. */
void http_serve(struct gateway_client *c, const struct http_route *routes,
                const struct http_limits *limits);
/* 503, for a connection that is one too many. */
void http_refuse(struct gateway_client *c, const struct http_limits *limits);

/* Health and metrics of the server, for those who run it (operations.c). */
extern const struct gateway_protocol gateway_operations;

#endif
