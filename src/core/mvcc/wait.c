/* Waiting for other transactions, relation locks, and deadlocks.
 *
 * Who waits tells so under wait_mutex and looks for a cycle through itself first (deadlock.c). A
 * transaction waits for one thing at a time: another transaction (a row), or a lock on a relation or an
 * advisory one, which stands for all its conflicting holders. */
#include "core/mvcc/prepared_priv.h"

#include "base/mem.h"

/* PostgreSQL's conflict table (documentation, table 13.2): bit m - 1 for mode m. */
const uint8_t lock__conflicts[9] = {
    [LOCK_ACCESS_SHARE] = 0x80,
    [LOCK_ROW_SHARE] = 0xc0,
    [LOCK_ROW_EXCLUSIVE] = 0xf0,
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = 0xf8,
    [LOCK_SHARE] = 0xec,
    [LOCK_SHARE_ROW_EXCLUSIVE] = 0xfc,
    [LOCK_EXCLUSIVE] = 0xfe,
    [LOCK_ACCESS_EXCLUSIVE] = 0xff,
};
const char *const lock__mode_names[9] = {
    "", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"};

struct relation_shard *relation_shards__new(void)
{
    return mem_alloc(MEM_TXN, RELATION_SHARDS * sizeof(struct relation_shard));
}

void relation_shards__free(struct relation_shard *shards)
{
    for (uint32_t i = 0; i < RELATION_SHARDS; i++) {
        struct relation_lock_entry *e = shards[i].entries;
        while (e) {
            struct relation_lock_entry *next = e->next;
            ARRAY_RELEASE(&e->holders);
            mem_free(MEM_TXN, e);
            e = next;
        }
    }
    mem_free(MEM_TXN, shards);
}

enum status lock__park_status(enum park_result r)
{
    if (r == PARK_CANCELED)
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    if (r == PARK_TIMEOUT)
        return FAIL(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout");
    return OK;
}

int64_t lock__deadline(const struct txn *t)
{
    return t->options.lock_timeout_us ? monotonic_us() + t->options.lock_timeout_us : 0;
}

/* --- waiting for a transaction ----------------------------------------------------------------- */

static bool add_waiter(struct txn *holder, uint64_t id, struct wait_node *node)
{
    spin_lock(&holder->waiters_lock);
    bool ended = holder->ended || holder->id != id;
    if (!ended) {
        node->next = holder->waiters;
        holder->waiters = node;
    }
    spin_unlock(&holder->waiters_lock);
    return !ended;
}

static void remove_waiter(struct txn *holder, struct wait_node *node)
{
    spin_lock(&holder->waiters_lock);
    for (struct wait_node **p = &holder->waiters; *p; p = &(*p)->next)
        if (*p == node) {
            *p = node->next;
            break;
        }
    spin_unlock(&holder->waiters_lock);
}

static bool has_ended(struct txn *holder, uint64_t id)
{
    spin_lock(&holder->waiters_lock);
    bool ended = holder->ended || holder->id != id;
    spin_unlock(&holder->waiters_lock);
    return ended;
}

enum status txn__wait_for(struct txn *t, struct txn *holder, uint64_t id)
{
    struct store *s = t->store;
    struct wait_node node = {.waiter = waiter_self(), .txn = t};
    fmutex_lock(&s->wait_mutex);
    bool waits = add_waiter(holder, id, &node);
    enum status st = OK;
    if (waits) {
        t->waiting_for = holder;
        t->waiting_id = id;
        if (t->options.owner) t->options.owner->waiting = t;
        st = deadlock__check(t);
        if (st != OK) t->waiting_for = NULL;
    }
    fmutex_unlock(&s->wait_mutex);
    if (!waits) return OK;
    if (st != OK) {
        remove_waiter(holder, &node);
        return st;
    }

    int64_t deadline = lock__deadline(t);
    enum park_result r = PARK_WOKEN;
    waiter_set_reason(node.waiter, "Lock:transactionid");
    if (!has_ended(holder, id)) r = waiter_park(node.waiter, deadline);
    waiter_set_reason(node.waiter, NULL);
    remove_waiter(holder, &node);
    fmutex_lock(&s->wait_mutex);
    t->waiting_for = NULL;
    if (t->options.owner) t->options.owner->waiting = NULL;
    fmutex_unlock(&s->wait_mutex);
    return lock__park_status(r);
}

/* Who is woken waits no more, though it may not run yet: else a transaction that goes on, and soon waits
 * for it, would find a cycle that is none. */
void txn__wake_waiters(struct txn *t, bool ended)
{
    if (!ended) fmutex_lock(&t->store->wait_mutex);
    spin_lock(&t->waiters_lock);
    t->ended = ended;
    /* Under the lock: a woken waiter takes it before its node goes. */
    for (struct wait_node *n = t->waiters; n; n = n->next) {
        if (!ended) n->txn->waiting_for = NULL;
        waiter_wake(n->waiter);
    }
    spin_unlock(&t->waiters_lock);
    if (!ended) fmutex_unlock(&t->store->wait_mutex);
}

/* --- waiting for the log ----------------------------------------------------------------------- */

enum status txn_await_visible(struct txn *t)
{
    struct store *s = t->store;
    lsn_t last = {__atomic_load_n(&s->async_lsn, __ATOMIC_ACQUIRE)};
    return wal_durable_lsn(s->wal).v >= last.v ? OK : wal_wait(s->wal, last, false);
}

/* --- relation locks ---------------------------------------------------------------------------- */

static struct relation_lock_entry *find_entry(struct store *s, uint64_t relation)
{
    struct relation_shard *shard =
        &s->relations[(relation * 0x9e3779b97f4a7c15ull) >> 58 & (RELATION_SHARDS - 1)];
    spin_lock(&shard->lock);
    struct relation_lock_entry *e = shard->entries;
    while (e && e->relation != relation) e = e->next;
    if (!e) {
        e = mem_alloc(MEM_TXN, sizeof *e);
        e->relation = relation;
        e->next = shard->entries;
        shard->entries = e;
    }
    spin_unlock(&shard->lock);
    return e;
}

static struct lock_holder *holder_of(struct relation_lock_entry *e, const struct txn *t)
{
    for (size_t i = 0; i < e->holders.count; i++)
        if (e->holders.data[i].txn == t) return &e->holders.data[i];
    return NULL;
}

/* Under e->lock. A newcomer stands behind earlier waiters that it conflicts with, unless it holds the
 * relation already. */
static bool try_grant(struct relation_lock_entry *e, struct txn *t, uint8_t mode,
                      const struct lock_waiter *self)
{
    struct lock_holder *mine = holder_of(e, t);
    for (size_t i = 0; i < e->holders.count; i++)
        if (e->holders.data[i].txn != t && (lock__conflicts[mode] & e->holders.data[i].modes))
            return false;
    if (!mine && !(self && self->passes))
        for (const struct lock_waiter *w = e->waiters; w && w != self; w = w->next)
            if (lock__conflicts[mode] & (1u << (w->mode - 1))) return false;
    uint8_t bit = (uint8_t)(1u << (mode - 1));
    if (mine) mine->modes |= bit;
    else ARRAY_PUSH(&e->holders, (struct lock_holder){t, bit});
    return true;
}

static void wake_all(struct relation_lock_entry *e)
{
    for (struct lock_waiter *w = e->waiters; w; w = w->next) waiter_wake(w->waiter);
}

static void leave_queue(struct relation_lock_entry *e, struct lock_waiter *w)
{
    spin_lock(&e->lock);
    for (struct lock_waiter **p = &e->waiters; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    wake_all(e); /* who stood behind it may go now */
    spin_unlock(&e->lock);
}

static void join_queue(struct relation_lock_entry *e, struct lock_waiter *w)
{
    spin_lock(&e->lock);
    struct lock_waiter **tail = &e->waiters;
    while (*tail) tail = &(*tail)->next;
    *tail = w;
    spin_unlock(&e->lock);
}

/* Who held a relation when somebody began to wait for them to let go of it. */
struct locker {
    struct txn *txn;
    uint64_t id;
};

struct lockers {
    ARRAY(struct locker) list;
    uint8_t wanted;
};

/* Drops those who have let go; under e->lock. */
static bool any_left(const struct relation_lock_entry *e, struct lockers *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->list.count; i++) {
        struct locker x = l->list.data[i];
        bool holds = false;
        for (size_t h = 0; h < e->holders.count && !holds; h++)
            holds = e->holders.data[h].txn == x.txn && x.txn->id == x.id &&
                    (l->wanted & e->holders.data[h].modes);
        if (holds) l->list.data[n++] = x;
    }
    l->list.count = n;
    return n > 0;
}

/* Waits for the lock; with `l`, for all of those to let go. For the search for deadlocks that is to wait for
 * a lock of that mode, too, but nobody stands behind. */
static enum status wait_lock(struct txn *t, struct relation_lock_entry *e, uint8_t mode,
                             struct lockers *l)
{
    struct store *s = t->store;
    struct lock_waiter w = {.txn = t, .mode = l ? LOCK_ACCESS_SHARE : mode, .waiter = waiter_self(),
                            .passes = l != NULL};
    fmutex_lock(&s->wait_mutex);
    t->waiting_lock = e;
    t->waiting_mode = mode;
    if (t->options.owner) t->options.owner->waiting = t;
    join_queue(e, &w);
    enum status st = deadlock__check(t);
    fmutex_unlock(&s->wait_mutex);

    int64_t deadline = lock__deadline(t);
    enum park_result r = PARK_WOKEN;
    bool over = false;
    while (st == OK && r == PARK_WOKEN) {
        spin_lock(&e->lock);
        over = l ? !any_left(e, l) : try_grant(e, t, mode, &w);
        spin_unlock(&e->lock);
        if (over) break;
        waiter_set_reason(w.waiter, "Lock:relation");
        r = waiter_park(w.waiter, deadline);
        waiter_set_reason(w.waiter, NULL);
    }
    fmutex_lock(&s->wait_mutex);
    t->waiting_lock = NULL;
    if (t->options.owner) t->options.owner->waiting = NULL;
    fmutex_unlock(&s->wait_mutex);
    leave_queue(e, &w);
    if (over) return OK;
    return st == OK ? lock__park_status(r) : st;
}

enum status txn_lock_relation(struct txn *t, uint64_t relation, enum relation_lock mode, bool nowait)
{
    relation = branch_own(t->branch, relation); /* each branch has its own */
    ASSERT(mode >= LOCK_ACCESS_SHARE && mode <= LOCK_ACCESS_EXCLUSIVE);
    uint8_t bit = (uint8_t)(1u << (mode - 1));
    struct held_lock *held = NULL;
    for (size_t i = 0; i < t->locks.count && !held; i++)
        if (t->locks.data[i].relation == relation) held = &t->locks.data[i];
    if (held && (held->modes & bit)) return OK;
    struct relation_lock_entry *e = held ? held->entry : find_entry(t->store, relation);
    spin_lock(&e->lock);
    bool granted = try_grant(e, t, (uint8_t)mode, NULL);
    spin_unlock(&e->lock);
    if (!granted) {
        if (nowait)
            return FAIL(LOCK_NOT_AVAILABLE, "could not obtain lock on relation %llu",
                        (unsigned long long)relation_of(e));
        TRY(wait_lock(t, e, (uint8_t)mode, NULL));
    }
    if (held) held->modes |= bit;
    else ARRAY_PUSH(&t->locks, (struct held_lock){e, relation, bit});
    uint32_t at = held ? (uint32_t)(held - t->locks.data) : (uint32_t)t->locks.count - 1;
    ARRAY_PUSH(&t->steps, (struct lock_step){.held = at, .kind = bit});
    return OK;
}

/* --- waiting for those who hold a relation ------------------------------------------------------ */

enum status txn_wait_lockers(struct txn *t, uint64_t relation, enum relation_lock mode)
{
    relation = branch_own(t->branch, relation);
    struct relation_lock_entry *e = find_entry(t->store, relation);
    struct lockers l = {.wanted = lock__conflicts[mode]};
    spin_lock(&e->lock);
    for (size_t i = 0; i < e->holders.count; i++) {
        struct txn *h = e->holders.data[i].txn;
        bool own = h == t || (h->options.owner && h->options.owner == t->options.owner);
        if (!own && (l.wanted & e->holders.data[i].modes))
            ARRAY_PUSH(&l.list, (struct locker){h, h->id});
    }
    spin_unlock(&e->lock);
    enum status st = l.list.count ? wait_lock(t, e, (uint8_t)mode, &l) : OK;
    ARRAY_RELEASE(&l.list);
    return st;
}

enum status txn__hold_relation(struct txn *t, uint64_t relation, uint8_t modes)
{
    for (uint8_t m = LOCK_ACCESS_SHARE; m <= LOCK_ACCESS_EXCLUSIVE; m++)
        if (modes & (1u << (m - 1)))
            TRY(txn_lock_relation(t, relation, (enum relation_lock)m, true));
    return OK;
}

static void release_relation(struct txn *t, const struct lock_step *step)
{
    struct held_lock *held = &t->locks.data[step->held];
    struct relation_lock_entry *e = held->entry;
    spin_lock(&e->lock);
    struct lock_holder *h = holder_of(e, t);
    ASSERT(h && h->modes == held->modes);
    h->modes = held->modes &= (uint8_t)~step->kind;
    if (!h->modes) {
        *h = ARRAY_LAST(&e->holders);
        e->holders.count--;
    }
    wake_all(e);
    spin_unlock(&e->lock);
    if (held->modes) return;
    ASSERT(step->held == t->locks.count - 1);
    t->locks.count--;
}

void txn__release_locks(struct txn *t, size_t from)
{
    while (t->steps.count > from) {
        struct lock_step step = ARRAY_LAST(&t->steps);
        t->steps.count--;
        if (step.advisory) advisory__release(t, step.advisory, step.kind);
        else release_relation(t, &step);
    }
}

/* --- for those who look ------------------------------------------------------------------------ */

static void add_line(struct arena *a, struct lock_lines *lines, const struct relation_lock_entry *e,
                     const struct txn *t, uint8_t mode, bool granted)
{
    struct lock_line line = {.kind = LOCK_LINE_RELATION, .object = relation_of(e), .txn = t->id,
                             .pid = txn__pid(t),
                             .mode = lock__mode_names[mode], .granted = granted};
    ARENA_PUSH(a, lines, line);
}

/* A line may be out of date when the next is made, but each was true. */
void locks__relations(struct store *s, struct arena *a, struct lock_lines *lines)
{
    for (uint32_t i = 0; i < RELATION_SHARDS; i++) {
        spin_lock(&s->relations[i].lock);
        struct relation_lock_entry *e = s->relations[i].entries;
        spin_unlock(&s->relations[i].lock);
        for (; e; e = e->next) {
            spin_lock(&e->lock);
            for (size_t h = 0; h < e->holders.count; h++)
                for (uint8_t m = 1; m <= LOCK_ACCESS_EXCLUSIVE; m++)
                    if (e->holders.data[h].modes & (1u << (m - 1)))
                        add_line(a, lines, e, e->holders.data[h].txn, m, true);
            for (const struct lock_waiter *w = e->waiters; w; w = w->next)
                add_line(a, lines, e, w->txn, w->mode, false);
            spin_unlock(&e->lock);
        }
    }
}
