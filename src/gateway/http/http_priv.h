/* One HTTP connection, as the files of this folder share it. */
#ifndef HELIOS_GATEWAY_HTTP_HTTP_PRIV_H
#define HELIOS_GATEWAY_HTTP_HTTP_PRIV_H

#include "gateway/http/server.h"

#include <http_parser.h>

#include "base/array.h"
#include "base/net.h"

enum { HTTP_READ_BYTES = 8192 };

struct http_conn {
    struct gateway_client *client;
    const struct http_route *routes;
    const struct http_limits *limits;
    http_parser parser;
    size_t start, end; /* buffer[start..end) is not parsed yet */
    bool close;        /* after this answer */

    /* Of the request that is being read or answered. */
    struct arena arena;
    struct strbuf target, head;         /* head: names and values of headers, each with its NUL */
    ARRAY(uint32_t) marks;              /* where each begins in it: name, value, name, value … */
    struct strbuf body;
    size_t head_bytes;
    bool in_value, complete, want_continue, trailing;
    const struct http_route *route;     /* NULL: there is none for the path */
    unsigned allowed;                   /* verbs of the path when the request's is not among them */
    int refused;                        /* status to end with; 0 */

    char buffer[HTTP_READ_BYTES];
};

void http__init(struct http_conn *h, struct gateway_client *c, const struct http_route *routes,
                const struct http_limits *limits);
void http__release(struct http_conn *h);
/* The next request, whole. Not OK: the conversation is over, without an answer. *ret_refused: to be
 * answered with that status, and no request. */
enum status http__read_request(struct http_conn *h, int *ret_refused) MUST;
/* The request as routes see it. */
void http__fill_request(struct http_conn *h, struct http_request *q);

#endif
