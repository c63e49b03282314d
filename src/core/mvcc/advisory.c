/* Advisory locks (core/advisory.h). All of them stand under store.wait_mutex, so that the search for
 * deadlocks may walk them; they are not for millions a second.
 *
 * A lock that frees is given to waiters by who freed it, first come, first served: nobody who is woken
 * has to try again. A waiter's place in the table is taken before it waits, so that giving cannot fail. */
#include "core/mvcc/locks_priv.h"

#include "base/hash.h"
#include "base/mem.h"

enum { BUCKETS = 4096 };

struct advisory_table {
    struct advisory_lock *buckets[BUCKETS];
    uint64_t count; /* of holders */
};

struct lock_owner *lock_owner_new(struct store *s, uint32_t pid, uint32_t database)
{
    struct lock_owner *o = mem_alloc(MEM_TXN, sizeof *o);
    o->store = s;
    o->pid = pid;
    o->database = database;
    return o;
}

uint32_t txn__owner_pid(const struct lock_owner *o)
{
    return o ? o->pid : 0;
}

void advisory__free(struct advisory_table *a)
{
    for (uint32_t i = 0; a && i < BUCKETS; i++) ASSERT(!a->buckets[i]);
    mem_free(MEM_TXN, a);
}

/* --- the table: all under wait_mutex ----------------------------------------------------------- */

static struct advisory_lock **find(struct advisory_table *a, const struct advisory_key *k)
{
    struct advisory_lock **p = &a->buckets[hash_bytes(k, sizeof *k) % BUCKETS];
    while (*p && memcmp(&(*p)->key, k, sizeof *k) != 0) p = &(*p)->next;
    return p;
}

static struct advisory_holder *holder_of(const struct advisory_lock *l, const struct lock_owner *o)
{
    struct advisory_holder *h = l->holders;
    while (h && h->owner != o) h = h->next;
    return h;
}

/* The owner's place at the lock, with nothing held yet. */
static enum status add_holder(struct store *s, const struct advisory_key *k, struct lock_owner *o,
                              struct advisory_holder **ret)
{
    struct advisory_table *a = s->advisory;
    if (a->count >= s->o.advisory_max) {
        (void)FAIL(OUT_OF_MEMORY, "out of shared memory");
        return error_hint("You might need to increase max_locks_per_transaction.");
    }
    struct advisory_lock **p = find(a, k);
    if (!*p) {
        *p = mem_alloc(MEM_TXN, sizeof **p);
        (*p)->key = *k;
    }
    struct advisory_holder *h = *ret = mem_alloc(MEM_TXN, sizeof *h);
    *h = (struct advisory_holder){.owner = o, .lock = *p, .next = (*p)->holders,
                                  .owner_next = o->holders};
    if (h->next) h->next->prev = h;
    if (h->owner_next) h->owner_next->owner_prev = h;
    (*p)->holders = o->holders = h;
    __atomic_store_n(&o->holder_count, o->holder_count + 1, __ATOMIC_RELAXED);
    a->count++;
    return OK;
}

static void drop_if_empty(struct advisory_holder *h)
{
    struct advisory_lock *l = h->lock;
    struct lock_owner *o = h->owner;
    if (advisory__holds(h, false) || advisory__holds(h, true)) return;
    if (h->next) h->next->prev = h->prev;
    if (h->prev) h->prev->next = h->next;
    else l->holders = h->next;
    if (h->owner_next) h->owner_next->owner_prev = h->owner_prev;
    if (h->owner_prev) h->owner_prev->owner_next = h->owner_next;
    else o->holders = h->owner_next;
    __atomic_store_n(&o->holder_count, o->holder_count - 1, __ATOMIC_RELAXED);
    o->store->advisory->count--;
    mem_free(MEM_TXN, h);
    if (l->holders || l->waiters) return;
    struct advisory_lock **p = find(o->store->advisory, &l->key);
    *p = l->next;
    mem_free(MEM_TXN, l);
}

static bool is_free(const struct advisory_lock *l, const struct lock_owner *o, bool shared)
{
    for (const struct advisory_holder *h = l->holders; h; h = h->next)
        if (h->owner != o && advisory__conflicts(h, shared)) return false;
    return true;
}

/* Must a newcomer stand behind somebody who waits? */
static bool is_wanted(const struct advisory_lock *l, bool shared)
{
    for (const struct advisory_waiter *w = l->waiters; w; w = w->next)
        if (!shared || !w->shared) return true;
    return false;
}

static void hold(struct txn *t, struct advisory_holder *h, bool shared, enum advisory_level level)
{
    if (level == ADVISORY_SESSION) {
        h->count[shared]++;
    } else if (!h->transaction[shared]) {
        h->transaction[shared] = true;
        ARRAY_PUSH(&t->steps, (struct lock_step){.advisory = h, .kind = shared});
    }
}

void advisory__grant(struct advisory_lock *l)
{
    bool ahead[2] = {false, false}; /* exclusive, shared: who still waits further in front */
    for (struct advisory_waiter **p = &l->waiters, *w; (w = *p);) {
        struct lock_owner *o = w->txn->options.owner;
        bool behind = !w->passes && (ahead[0] || (!w->shared && ahead[1]));
        if (behind || !is_free(l, o, w->shared)) {
            ahead[w->shared] = true;
            p = &w->next;
            continue;
        }
        *p = w->next;
        hold(w->txn, holder_of(l, o), w->shared, w->level);
        w->granted = true;
        w->txn->waiting_advisory = NULL;
        waiter_wake(w->waiter);
    }
}

static void let_go(struct advisory_holder *h)
{
    advisory__grant(h->lock);
    drop_if_empty(h);
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* Who holds part of it already stands in front of those that wait for him. */
static void enqueue(struct advisory_lock *l, struct advisory_waiter *w, const struct advisory_holder *h)
{
    struct advisory_waiter **p = &l->waiters;
    bool first = advisory__holds(h, false) || advisory__holds(h, true);
    while (*p && !first) p = &(*p)->next;
    w->next = *p;
    *p = w;
}

static void leave(struct advisory_lock *l, struct advisory_waiter *w)
{
    for (struct advisory_waiter **p = &l->waiters; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
}

/* Called with wait_mutex, which is given up. */
static enum status wait_in_line(struct txn *t, struct advisory_holder *h, bool shared,
                                enum advisory_level level)
{
    struct store *s = t->store;
    struct advisory_lock *l = h->lock;
    struct advisory_waiter w = {.txn = t, .waiter = waiter_self(), .shared = shared, .level = level};
    enqueue(l, &w, h);
    t->waiting_advisory = &w;
    t->waiting_for_advisory = l;
    t->options.owner->waiting = t;
    enum status st = deadlock__check(t);
    int64_t deadline = lock__deadline(t);
    enum park_result r = PARK_WOKEN;
    while (st == OK && r == PARK_WOKEN && !w.granted) {
        fmutex_unlock(&s->wait_mutex);
        waiter_set_reason(w.waiter, "Lock:advisory");
        r = waiter_park(w.waiter, deadline);
        waiter_set_reason(w.waiter, NULL);
        fmutex_lock(&s->wait_mutex);
    }
    t->waiting_advisory = NULL;
    t->options.owner->waiting = NULL;
    if (!w.granted) {
        leave(l, &w);
        let_go(h); /* who stood behind may go now */
    }
    fmutex_unlock(&s->wait_mutex);
    if (w.granted) {
        /* A cancel that came as well is for the next to look. */
        if (r == PARK_CANCELED) waiter_cancel(w.waiter);
        return OK;
    }
    return st == OK ? lock__park_status(r) : st;
}

enum status advisory_lock(struct txn *t, const struct advisory_key *k, bool shared,
                          enum advisory_level level, bool wait, bool *ret_held)
{
    struct store *s = t->store;
    struct lock_owner *o = t->options.owner;
    ASSERT(o);
    fmutex_lock(&s->wait_mutex);
    if (!s->advisory) s->advisory = mem_alloc(MEM_TXN, sizeof *s->advisory);
    struct advisory_lock *l = *find(s->advisory, k);
    struct advisory_holder *h = l ? holder_of(l, o) : NULL;
    bool mine = h && advisory__holds(h, shared), any = h && (mine || advisory__holds(h, !shared));
    bool free = mine || !l || (is_free(l, o, shared) && ((any && wait) || !is_wanted(l, shared)));
    enum status st = OK;
    *ret_held = free || wait;
    if (*ret_held && !h) st = add_holder(s, k, o, &h);
    if (st == OK && *ret_held && !free) return wait_in_line(t, h, shared, level);
    if (st == OK && free) hold(t, h, shared, level);
    fmutex_unlock(&s->wait_mutex);
    return st;
}

/* --- giving back ------------------------------------------------------------------------------- */

bool advisory_unlock(struct lock_owner *o, const struct advisory_key *k, bool shared)
{
    struct store *s = o->store;
    fmutex_lock(&s->wait_mutex);
    struct advisory_lock *l = s->advisory ? *find(s->advisory, k) : NULL;
    struct advisory_holder *h = l ? holder_of(l, o) : NULL;
    bool held = h && h->count[shared];
    if (held && --h->count[shared] == 0) let_go(h);
    fmutex_unlock(&s->wait_mutex);
    return held;
}

void advisory_unlock_all(struct lock_owner *o)
{
    if (!__atomic_load_n(&o->holder_count, __ATOMIC_RELAXED)) return;
    fmutex_lock(&o->store->wait_mutex);
    for (struct advisory_holder *h = o->holders, *next; h; h = next) {
        next = h->owner_next;
        h->count[false] = h->count[true] = 0;
        let_go(h);
    }
    fmutex_unlock(&o->store->wait_mutex);
}

void lock_owner_free(struct lock_owner *o)
{
    if (!o) return;
    advisory_unlock_all(o);
    ASSERT(!o->holders);
    mem_free(MEM_TXN, o);
}

void advisory__release(struct txn *t, struct advisory_holder *h, unsigned kind)
{
    fmutex_lock(&t->store->wait_mutex);
    h->transaction[kind] = false;
    let_go(h);
    fmutex_unlock(&t->store->wait_mutex);
}

/* Under wait_mutex. */
static void move_holder(struct advisory_holder *h, struct lock_owner *to)
{
    struct lock_owner *from = h->owner;
    if (h->owner_next) h->owner_next->owner_prev = h->owner_prev;
    if (h->owner_prev) h->owner_prev->owner_next = h->owner_next;
    else from->holders = h->owner_next;
    __atomic_store_n(&from->holder_count, from->holder_count - 1, __ATOMIC_RELAXED);
    h->owner = to;
    h->owner_prev = NULL;
    h->owner_next = to->holders;
    if (h->owner_next) h->owner_next->owner_prev = h;
    to->holders = h;
    __atomic_store_n(&to->holder_count, to->holder_count + 1, __ATOMIC_RELAXED);
}

enum status advisory__hand_over(struct txn *t, struct lock_owner **ret)
{
    struct store *s = t->store;
    bool both = false;
    fmutex_lock(&s->wait_mutex);
    for (size_t i = 0; i < t->steps.count; i++) {
        const struct advisory_holder *h = t->steps.data[i].advisory;
        both |= h && (h->count[false] || h->count[true]);
    }
    if (!both) {
        struct lock_owner *own = *ret = lock_owner_new(s, 0, t->options.owner ? t->options.owner->database : 0);
        for (size_t i = 0; i < t->steps.count; i++) {
            struct advisory_holder *h = t->steps.data[i].advisory;
            if (h && h->owner != own) move_holder(h, own);
        }
        t->options.owner = own;
        __atomic_store_n(&t->pid, 0, __ATOMIC_RELAXED);
    }
    fmutex_unlock(&s->wait_mutex);
    if (!both) return OK;
    return FAIL(FEATURE_NOT_SUPPORTED, "cannot PREPARE while holding both session-level and "
                                       "transaction-level locks on the same object");
}

/* --- for those who look ------------------------------------------------------------------------ */

static const char *mode_name(bool shared)
{
    return shared ? "ShareLock" : "ExclusiveLock";
}

static void add_lock(struct arena *a, struct lock_lines *lines, const struct advisory_lock *l)
{
    struct lock_line line = {.kind = LOCK_LINE_ADVISORY, .key = l->key, .granted = true};
    for (const struct advisory_holder *h = l->holders; h; h = h->next)
        for (int shared = 0; shared < 2; shared++) {
            if (!advisory__holds(h, shared)) continue;
            line.pid = h->owner->pid;
            line.mode = mode_name(shared);
            ARENA_PUSH(a, lines, line);
        }
    for (const struct advisory_waiter *w = l->waiters; w; w = w->next) {
        line.pid = w->txn->options.owner->pid;
        line.txn = w->txn->id;
        line.mode = mode_name(w->shared);
        line.granted = false;
        ARENA_PUSH(a, lines, line);
    }
}

/* Who waits for a row waits for the transaction that has it. */
static void add_transactions(struct store *s, struct arena *a, struct lock_lines *lines)
{
    for (uint32_t i = 0; i < ACTIVE_SHARDS; i++) {
        struct active_shard *shard = &s->active[i];
        spin_lock(&shard->lock);
        for (const struct txn *t = shard->head; t; t = t->next) {
            if (t->view_of != t || t->past) continue; /* a reader */
            struct lock_line line = {.kind = LOCK_LINE_TRANSACTION, .object = t->id, .txn = t->id,
                                     .pid = txn__pid(t),
                                     .mode = "ExclusiveLock", .granted = true};
            if (__atomic_load_n(&t->shown, __ATOMIC_RELAXED)) ARENA_PUSH(a, lines, line);
            if (!t->waiting_for) continue;
            line.object = t->waiting_id;
            line.mode = "ShareLock";
            line.granted = false;
            ARENA_PUSH(a, lines, line);
        }
        spin_unlock(&shard->lock);
    }
}

void locks_each(struct store *s, struct arena *a, struct lock_line **ret, uint32_t *ret_count)
{
    struct lock_lines lines = {0};
    fmutex_lock(&s->wait_mutex);
    for (uint32_t i = 0; s->advisory && i < BUCKETS; i++)
        for (const struct advisory_lock *l = s->advisory->buckets[i]; l; l = l->next)
            add_lock(a, &lines, l);
    add_transactions(s, a, &lines);
    fmutex_unlock(&s->wait_mutex);
    locks__relations(s, a, &lines);
    *ret = lines.data;
    *ret_count = (uint32_t)lines.count;
}
