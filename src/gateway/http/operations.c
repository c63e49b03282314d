/* The endpoint for those who run the server: is it alive, is it ready, what do its numbers say.
 * It asks nobody who they are, so the listener keeps it to loopback unless told otherwise. */
#include "gateway/http/operations_priv.h"

#include "base/metrics.h"

static const struct http_limits limits = {
    .idle_us = 60000000, .request_us = 10000000, .write_us = 10000000};

static enum status refuse(struct http_response *a, const char *why)
{
    a->status = 503;
    strbuf_addf(&a->body, "%s\n", why);
    return OK;
}

/* The process answers: nothing more is said. */
static enum status livez(const struct http_request *q, struct http_response *a)
{
    (void)q;
    strbuf_adds(&a->body, "ok\n");
    return OK;
}

static enum status healthz(const struct http_request *q, struct http_response *a)
{
    struct db_health h;
    db_get_health(q->client->db, &h);
    if (h.stopping) return refuse(a, "shutting down");
    if (h.writes_stopped) return refuse(a, "the storage engine has stopped writing");
    strbuf_adds(&a->body, "ok\n");
    return OK;
}

/* As healthz, and a new client would be let in. */
static enum status readyz(const struct http_request *q, struct http_response *a)
{
    struct db_health h;
    TRY(healthz(q, a));
    if (a->status != 200) return OK;
    db_get_health(q->client->db, &h);
    if (h.sessions < h.sessions_max) return OK;
    strbuf_clear(&a->body);
    return refuse(a, "all connections are taken");
}

static enum status metrics(const struct http_request *q, struct http_response *a)
{
    a->content_type = "text/plain; version=0.0.4; charset=utf-8";
    db_write_metrics(q->client->db, &a->body);
    http__write_process_metrics(&a->body);
    metrics_write(&a->body);
    return OK;
}

static enum status index_page(const struct http_request *q, struct http_response *a)
{
    (void)q;
    strbuf_adds(&a->body, "HeliosDB " HELIOS_VERSION "\n\n/livez\n/healthz\n/readyz\n/metrics\n");
    return OK;
}

static const struct http_route routes[] = {
    {.verbs = VERB_GET, .path = "/", .answer = index_page},
    {.verbs = VERB_GET, .path = "/livez", .answer = livez},
    {.verbs = VERB_GET, .path = "/healthz", .answer = healthz},
    {.verbs = VERB_GET, .path = "/readyz", .answer = readyz},
    {.verbs = VERB_GET, .path = "/metrics", .answer = metrics},
    {.path = NULL},
};

static void serve(struct gateway_client *c)
{
    http_serve(c, routes, &limits);
}

static void refuse_client(struct gateway_client *c)
{
    http_refuse(c, &limits);
}

const struct gateway_protocol gateway_operations = {
    .name = "http", .open = true, .serve = serve, .refuse = refuse_client};
