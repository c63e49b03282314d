/* Notifications: what committed transactions have told on channels, and who listens.
 *
 * Each notification is one node, shared by those who are to get it; a listener holds a list of references
 * until its client has been sent them. They are handed out in order of commit timestamps: a committer
 * enters before its commit and publishes after it, and waits for those who entered earlier. */
#ifndef HELIOS_DB_NOTIFY_H
#define HELIOS_DB_NOTIFY_H

#include "base/array.h"
#include "base/fiber.h"
#include "base/map.h"
#include "base/str.h"
#include "catalog/catalog.h"

struct notify_hub;
struct notification { /* immutable but for refs */
    uint32_t pid;     /* of the session that told it */
    uint32_t refs;    /* guarded by the hub's mutex */
    uint32_t bytes;   /* as it counts towards the queue */
    const char *channel, *payload;
    char text[];
};

struct listener; /* one session that listens */

struct notify_hub *notify_hub_new(uint64_t bytes_max);
void notify_hub_free(struct notify_hub *h);
double notify_hub_usage(struct notify_hub *h); /* 0 to 1 */

/* --- telling --- */

struct notify_event {
    const char *channel, *payload;
};
struct notify_batch { /* of one commit: the caller's storage until it is published */
    oid_t database;
    uint32_t pid;
    const struct notify_event *events;
    size_t count;
    uint64_t floor, ts;         /* the hub's: the commit's timestamp is above floor */
    bool done, published;       /* the hub's */
    struct notify_batch *next;  /* the hub's: in order of entering */
};
/* Before the commit: PROGRAM_LIMIT_EXCEEDED when the queue is full. `floor` is a timestamp that all later
 * commits are above. */
enum status notify_hub_enter(struct notify_hub *h, struct notify_batch *b, uint64_t floor) MUST;
/* After it, with its timestamp: returns when they are with the listeners. ts 0: it has failed. */
void notify_hub_publish(struct notify_hub *h, struct notify_batch *b, uint64_t ts);

/* --- listening --- */

/* `waiter` is the one that is woken for the listener while it rests. */
struct listener *listener_new(struct notify_hub *h, oid_t database, struct waiter *waiter);
void listener_free(struct listener *l); /* may be NULL */
void listener_add(struct listener *l, const char *channel);
void listener_remove(struct listener *l, const char *channel); /* NULL: all */
bool listener_has(struct listener *l);                         /* any channel */
/* Calls fn for each channel, in order of their adding. */
enum status listener_each(struct listener *l, enum status (*fn)(void *ctx, const char *channel),
                          void *ctx) MUST;
/* The oldest that it has not been given, or NULL; it stays until listener_taken. */
const struct notification *listener_next(struct listener *l);
void listener_taken(struct listener *l);
/* Around a wait for the client. From `rest` on the waiter is cancelled when something comes, or has come;
 * false: something is there already. */
bool listener_rest(struct listener *l);
void listener_rise(struct listener *l);

#endif
