/* The queue of notifications (notify.h), under one mutex. Who commits is on the list of batches from before
 * its commit until it has published: a batch goes out when no other one can have committed before it. */
#include "db/notify.h"

#include <stdio.h>

#include "base/mem.h"

enum { KEY_BYTES = 96, REFERENCE_BYTES = 16 };

struct channel { /* somebody listens on it */
    ARRAY(struct listener *) listeners;
};

struct listener {
    struct notify_hub *hub;
    oid_t database;
    struct waiter *waiter;
    ARRAY(char *) channels;
    ARRAY(struct notification *) queue; /* those before `given` are done with */
    size_t given;
    bool resting, woken;
};

struct notify_hub {
    struct fmutex mutex;          /* guards all, listeners too */
    struct fcond published;
    struct map channels;          /* "database channel" -> struct channel */
    struct notify_batch *batches; /* in order of entering */
    uint64_t bytes, bytes_max;
};

struct notify_hub *notify_hub_new(uint64_t bytes_max)
{
    struct notify_hub *h = mem_alloc(MEM_SESSION, sizeof *h);
    map_init(&h->channels);
    h->bytes_max = bytes_max;
    return h;
}

void notify_hub_free(struct notify_hub *h)
{
    ASSERT(h->channels.count == 0 && !h->batches);
    map_release(&h->channels);
    mem_free(MEM_SESSION, h);
}

double notify_hub_usage(struct notify_hub *h)
{
    fmutex_lock(&h->mutex);
    double part = (double)h->bytes / (double)h->bytes_max;
    fmutex_unlock(&h->mutex);
    return part;
}

static struct slice key_of(oid_t database, const char *channel, char buf[KEY_BYTES])
{
    int n = snprintf(buf, KEY_BYTES, "%u %s", database, channel);
    ASSERT(n > 0 && n < KEY_BYTES);
    return slice_make(buf, (size_t)n);
}

static struct channel *find(struct notify_hub *h, oid_t database, const char *channel)
{
    char buf[KEY_BYTES];
    return map_get(&h->channels, key_of(database, channel, buf));
}

/* --- telling --------------------------------------------------------------------------------- */

static uint64_t bytes_of(const struct notify_event *e, size_t listeners)
{
    return sizeof(struct notification) + strlen(e->channel) + strlen(e->payload) + 2 +
           REFERENCE_BYTES * listeners;
}

enum status notify_hub_enter(struct notify_hub *h, struct notify_batch *b, uint64_t floor)
{
    uint64_t need = 0;
    fmutex_lock(&h->mutex);
    for (size_t i = 0; i < b->count; i++) {
        const struct channel *c = find(h, b->database, b->events[i].channel);
        if (c) need += bytes_of(&b->events[i], c->listeners.count);
    }
    bool fits = !need || h->bytes + need <= h->bytes_max;
    if (fits) {
        struct notify_batch **p = &h->batches;
        while (*p) p = &(*p)->next;
        *p = b;
        b->floor = floor;
        b->done = b->published = false;
        b->next = NULL;
    }
    fmutex_unlock(&h->mutex);
    if (fits) return OK;
    return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue");
}

static struct notification *notification_new(const struct notify_batch *b,
                                             const struct notify_event *e, size_t listeners)
{
    size_t channel = strlen(e->channel) + 1, payload = strlen(e->payload) + 1;
    struct notification *n = mem_alloc(MEM_SESSION, sizeof *n + channel + payload);
    memcpy(n->text, e->channel, channel);
    memcpy(n->text + channel, e->payload, payload);
    n->pid = b->pid;
    n->channel = n->text;
    n->payload = n->text + channel;
    n->bytes = (uint32_t)bytes_of(e, listeners);
    n->refs = (uint32_t)listeners;
    return n;
}

static void wake(struct listener *l)
{
    if (!l->resting || l->woken) return;
    l->woken = true;
    waiter_cancel(l->waiter);
}

/* What has been given makes room, so that a queue which is never empty does not grow for ever. */
static void append(struct listener *l, struct notification *n)
{
    if (l->given > l->queue.count / 2 && l->queue.count == l->queue.cap) {
        l->queue.count -= l->given;
        memmove(l->queue.data, l->queue.data + l->given, l->queue.count * sizeof l->queue.data[0]);
        l->given = 0;
    }
    ARRAY_PUSH(&l->queue, n);
}

static void hand_out(struct notify_hub *h, const struct notify_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct channel *c = find(h, b->database, b->events[i].channel);
        if (!c) continue;
        struct notification *n = notification_new(b, &b->events[i], c->listeners.count);
        h->bytes += n->bytes;
        for (size_t k = 0; k < c->listeners.count; k++) {
            append(c->listeners.data[k], n);
            wake(c->listeners.data[k]);
        }
    }
}

/* The next that may go out: done, and before all that are not. */
static struct notify_batch **next_due(struct notify_hub *h)
{
    struct notify_batch **first = NULL;
    for (struct notify_batch **p = &h->batches; *p; p = &(*p)->next)
        if ((*p)->done && (!first || (*p)->ts < (*first)->ts)) first = p;
    for (const struct notify_batch *b = h->batches; first && b; b = b->next)
        if (!b->done && b->floor < (*first)->ts) return NULL;
    return first;
}

void notify_hub_publish(struct notify_hub *h, struct notify_batch *b, uint64_t ts)
{
    fmutex_lock(&h->mutex);
    b->done = true;
    b->ts = ts;
    if (!ts) b->count = 0;
    for (struct notify_batch **p; (p = next_due(h));) {
        struct notify_batch *due = *p;
        *p = due->next;
        hand_out(h, due);
        due->published = true;
    }
    fcond_broadcast(&h->published);
    while (!b->published) (void)fcond_wait(&h->published, &h->mutex, 0);
    fmutex_unlock(&h->mutex);
}

/* --- listening ------------------------------------------------------------------------------- */

struct listener *listener_new(struct notify_hub *h, oid_t database, struct waiter *waiter)
{
    struct listener *l = mem_alloc(MEM_SESSION, sizeof *l);
    l->hub = h;
    l->database = database;
    l->waiter = waiter;
    return l;
}

static void drop_first(struct listener *l)
{
    struct notification *n = l->queue.data[l->given++];
    if (l->given == l->queue.count) {
        l->given = l->queue.count = 0;
        if (l->queue.cap > 1024) ARRAY_RELEASE(&l->queue);
    }
    if (--n->refs) return;
    l->hub->bytes -= n->bytes;
    mem_free(MEM_SESSION, n);
}

static size_t place_of(const struct listener *l, const char *channel)
{
    size_t i = 0;
    while (i < l->channels.count && strcmp(l->channels.data[i], channel) != 0) i++;
    return i;
}

void listener_add(struct listener *l, const char *channel)
{
    struct notify_hub *h = l->hub;
    char buf[KEY_BYTES];
    struct slice key = key_of(l->database, channel, buf);
    fmutex_lock(&h->mutex);
    if (place_of(l, channel) == l->channels.count) {
        struct channel *c = map_get(&h->channels, key);
        if (!c) map_put(&h->channels, key, c = mem_alloc(MEM_SESSION, sizeof *c));
        ARRAY_PUSH(&c->listeners, l);
        size_t len = strlen(channel) + 1;
        ARRAY_PUSH(&l->channels, memcpy(mem_alloc(MEM_SESSION, len), channel, len));
    }
    fmutex_unlock(&h->mutex);
}

/* Under the mutex. */
static void remove_at(struct listener *l, size_t at)
{
    struct notify_hub *h = l->hub;
    char buf[KEY_BYTES], *name = l->channels.data[at];
    struct slice key = key_of(l->database, name, buf);
    struct channel *c = map_get(&h->channels, key);
    for (size_t i = 0; i < c->listeners.count; i++) {
        if (c->listeners.data[i] != l) continue;
        c->listeners.data[i] = ARRAY_LAST(&c->listeners);
        c->listeners.count--;
        break;
    }
    if (!c->listeners.count) {
        map_remove(&h->channels, key);
        ARRAY_RELEASE(&c->listeners);
        mem_free(MEM_SESSION, c);
    }
    l->channels.count--;
    memmove(&l->channels.data[at], &l->channels.data[at + 1],
            (l->channels.count - at) * sizeof l->channels.data[0]);
    mem_free(MEM_SESSION, name);
}

void listener_remove(struct listener *l, const char *channel)
{
    fmutex_lock(&l->hub->mutex);
    size_t at = channel ? place_of(l, channel) : 0;
    if (channel && at < l->channels.count) remove_at(l, at);
    while (!channel && l->channels.count) remove_at(l, l->channels.count - 1);
    fmutex_unlock(&l->hub->mutex);
}

void listener_free(struct listener *l)
{
    if (!l) return;
    listener_remove(l, NULL);
    fmutex_lock(&l->hub->mutex);
    while (l->queue.count) drop_first(l);
    fmutex_unlock(&l->hub->mutex);
    ARRAY_RELEASE(&l->channels);
    ARRAY_RELEASE(&l->queue);
    mem_free(MEM_SESSION, l);
}

/* The channels change by the listener's own hand alone. */
bool listener_has(struct listener *l)
{
    return l->channels.count > 0;
}

enum status listener_each(struct listener *l, enum status (*fn)(void *ctx, const char *channel),
                          void *ctx)
{
    for (size_t i = 0; i < l->channels.count; i++) TRY(fn(ctx, l->channels.data[i]));
    return OK;
}

const struct notification *listener_next(struct listener *l)
{
    fmutex_lock(&l->hub->mutex);
    const struct notification *n = l->queue.count ? l->queue.data[l->given] : NULL;
    fmutex_unlock(&l->hub->mutex);
    return n;
}

void listener_taken(struct listener *l)
{
    fmutex_lock(&l->hub->mutex);
    drop_first(l);
    fmutex_unlock(&l->hub->mutex);
}

bool listener_rest(struct listener *l)
{
    fmutex_lock(&l->hub->mutex);
    l->resting = l->queue.count == 0;
    bool rests = l->resting;
    fmutex_unlock(&l->hub->mutex);
    return rests;
}

/* The wake may have come as the wait ended by itself: it must not reach the next statement. */
void listener_rise(struct listener *l)
{
    fmutex_lock(&l->hub->mutex);
    l->resting = false;
    if (l->woken) waiter_clear_cancel(l->waiter);
    l->woken = false;
    fmutex_unlock(&l->hub->mutex);
}
