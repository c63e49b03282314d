/* LISTEN, UNLISTEN, NOTIFY and pg_notify in a session: what a transaction has told and asked for waits for its
 * commit, and goes with it when it rolls back, to a savepoint too. */
#include "db/notify.h"

#include "base/hash.h"
#include "core/store.h"
#include "db/system_function_priv.h"

enum { CHANNEL_BYTES = 64, PAYLOAD_BYTES = 8000 };

struct listen_action {
    char kind; /* 'L', 'U'; '*': all go */
    const char *channel;
};

struct notify_state {
    struct arena arena; /* of the transaction: events and actions */
    ARRAY(struct notify_event) events;
    ARRAY(struct listen_action) actions;
    struct map seen;    /* hash of an event -> 1 + the place of one with it; made anew after a rollback */
    size_t seen_count;  /* how many events it knows */
    uint64_t bytes;
    struct listener *listener; /* NULL: has never listened */
};

static struct notify_state *state_of(struct session *s)
{
    if (s->notify) return s->notify;
    s->notify = mem_alloc(MEM_SESSION, sizeof *s->notify);
    arena_init(&s->notify->arena, MEM_SESSION);
    map_init(&s->notify->seen);
    return s->notify;
}

static void forget(struct notify_state *n)
{
    n->events.count = n->actions.count = n->seen_count = 0;
    if (n->events.cap > 1024) ARRAY_RELEASE(&n->events);
    n->bytes = 0;
    map_clear(&n->seen);
    arena_clear(&n->arena);
}

void session__notify_free(struct session *s)
{
    struct notify_state *n = s->notify;
    if (!n) return;
    listener_free(n->listener);
    map_release(&n->seen);
    ARRAY_RELEASE(&n->events);
    ARRAY_RELEASE(&n->actions);
    arena_release(&n->arena);
    mem_free(MEM_SESSION, n);
    s->notify = NULL;
}

/* --- in a transaction ------------------------------------------------------------------------ */

static uint64_t hash_event(const struct notify_event *e)
{
    return hash_combine(hash_bytes(e->channel, strlen(e->channel)),
                        hash_bytes(e->payload, strlen(e->payload)));
}

/* Two events of one hash: the second is looked for the long way. */
static bool is_known(struct notify_state *n, const struct notify_event *e)
{
    for (; n->seen_count < n->events.count; n->seen_count++) {
        uint64_t hash = hash_event(&n->events.data[n->seen_count]);
        if (!map_get_u64(&n->seen, hash))
            map_put_u64(&n->seen, hash, (void *)(uintptr_t)(n->seen_count + 1));
    }
    size_t at = (size_t)(uintptr_t)map_get_u64(&n->seen, hash_event(e));
    for (size_t i = at ? at - 1 : n->events.count; i < n->events.count; i++)
        if (strcmp(n->events.data[i].channel, e->channel) == 0 &&
            strcmp(n->events.data[i].payload, e->payload) == 0)
            return true;
    return false;
}

static enum status tell(struct session *s, const char *channel, const char *payload)
{
    struct notify_state *n = state_of(s);
    if (!*channel) return FAIL(INVALID_PARAMETER_VALUE, "channel name cannot be empty");
    if (strlen(channel) >= CHANNEL_BYTES)
        return FAIL(INVALID_PARAMETER_VALUE, "channel name too long");
    if (strlen(payload) >= PAYLOAD_BYTES)
        return FAIL(INVALID_PARAMETER_VALUE, "payload string too long");
    struct notify_event e = {channel, payload};
    if (is_known(n, &e)) return OK;
    n->bytes += strlen(channel) + strlen(payload) + sizeof e;
    if (n->bytes > s->db->notify_bytes)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue");
    e.channel = arena_strdup(&n->arena, channel);
    e.payload = arena_strdup(&n->arena, payload);
    ARRAY_PUSH(&n->events, e);
    return OK;
}

enum status session__channel_statement(struct session *s, const struct ast_channel *a,
                                       const struct result_sink *sink, char tag[64])
{
    struct notify_state *n = state_of(s);
    if (a->kind == 'N') {
        memcpy(tag, "NOTIFY", sizeof "NOTIFY");
        return tell(s, a->name, a->payload ? a->payload : "");
    }
    if (a->kind == 'L' && !sink->notification)
        return FAIL(FEATURE_NOT_SUPPORTED, "LISTEN needs a connection to a server");
    memcpy(tag, a->kind == 'L' ? "LISTEN" : "UNLISTEN", a->kind == 'L' ? 7 : 9);
    struct listen_action act = {a->name ? a->kind : '*', NULL};
    if (a->name) act.channel = arena_strdup(&n->arena, a->name);
    ARRAY_PUSH(&n->actions, act);
    return OK;
}

void session__unlisten_all(struct session *s)
{
    if (!s->notify) return;
    ARRAY_PUSH(&s->notify->actions, (struct listen_action){.kind = '*'});
}

struct notify_mark session__notify_mark(const struct session *s)
{
    if (!s->notify) return (struct notify_mark){0};
    return (struct notify_mark){s->notify->events.count, s->notify->actions.count};
}

void session__rollback_notify(struct session *s, struct notify_mark mark)
{
    struct notify_state *n = s->notify;
    if (!n) return;
    if (n->events.count > mark.events) {
        map_clear(&n->seen);
        n->seen_count = 0;
    }
    n->events.count = mark.events;
    n->actions.count = mark.actions;
}

bool session__has_notify(const struct session *s)
{
    return s->notify && (s->notify->events.count || s->notify->actions.count);
}

/* --- its end --------------------------------------------------------------------------------- */

enum status session__notify_commit(struct session *s, struct notify_batch *b)
{
    struct notify_state *n = s->notify;
    *b = (struct notify_batch){.database = s->database_oid, .pid = s->pid};
    if (!n || !n->events.count) return OK;
    b->events = n->events.data;
    b->count = n->events.count;
    return notify_hub_enter(s->db->notify, b, store_last_commit(s->db->store));
}

static void act(struct session *s)
{
    struct notify_state *n = s->notify;
    for (size_t i = 0; i < n->actions.count; i++) {
        const struct listen_action *a = &n->actions.data[i];
        if (a->kind == 'L') {
            if (!n->listener)
                n->listener = listener_new(s->db->notify, s->database_oid, s->waiter);
            listener_add(n->listener, a->channel);
        } else if (n->listener) {
            listener_remove(n->listener, a->channel);
        }
    }
}

/* PostgreSQL, too, listens before it tells: a transaction that does both hears itself. */
void session__notify_committed(struct session *s, struct notify_batch *b, bool committed, uint64_t ts)
{
    if (committed && s->notify) act(s);
    if (!b->count) return;
    if (committed && !ts) ts = store_last_commit(s->db->store);
    notify_hub_publish(s->db->notify, b, committed ? ts : 0);
}

void session__notify_ended(struct session *s)
{
    if (s->notify) forget(s->notify);
}

/* --- to the client --------------------------------------------------------------------------- */

static bool is_idle(const struct session *s)
{
    return s->block == BLOCK_NONE && !s->txn;
}

enum status session_send_notifications(struct session *s, const struct result_sink *sink, bool *ret_any)
{
    *ret_any = false;
    if (!s->notify || !s->notify->listener || !is_idle(s)) return OK;
    struct listener *l = s->notify->listener;
    for (const struct notification *n; (n = listener_next(l));) {
        TRY(sink->notification(sink->ctx, n->pid, n->channel, n->payload));
        *ret_any = true;
        listener_taken(l);
    }
    return OK;
}

bool session_rest(struct session *s)
{
    if (!s->notify || !s->notify->listener || !is_idle(s)) return true;
    return listener_rest(s->notify->listener);
}

void session_rise(struct session *s)
{
    if (s->notify && s->notify->listener) listener_rise(s->notify->listener);
}

/* --- functions ------------------------------------------------------------------------------- */

static enum status pg_notify(struct sys_call *c)
{
    TRY(tell(c->s, c->args[0].null ? "" : sys_arg_text(c, 0), c->args[1].null ? "" : sys_arg_text(c, 1)));
    return sys_ret_text(c, "");
}

static enum status queue_usage(struct sys_call *c)
{
    *c->ret = (struct datum){.v.f64 = notify_hub_usage(c->s->db->notify)};
    return OK;
}

const struct sys_binding sys_notify_functions[] = {
    {"pg_notify", pg_notify},
    {"pg_notification_queue_usage", queue_usage},
};
const uint32_t sys_notify_function_count =
    sizeof sys_notify_functions / sizeof sys_notify_functions[0];

struct channels {
    struct arena *arena;
    ARRAY(const char *) names;
};

static enum status add_channel(void *ctx, const char *channel)
{
    struct channels *x = ctx;
    ARENA_PUSH(x->arena, &x->names, arena_strdup(x->arena, channel));
    return OK;
}

enum status session__channels(void *ctx, struct arena *a, const char *const **ret, uint32_t *ret_count)
{
    struct session *s = ctx;
    struct channels x = {.arena = a};
    if (s->notify && s->notify->listener) TRY(listener_each(s->notify->listener, add_channel, &x));
    *ret = x.names.data;
    *ret_count = (uint32_t)x.names.count;
    return OK;
}
