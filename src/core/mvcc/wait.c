/* Waiting for other transactions, relation locks, and deadlocks.
 *
 * Who waits tells so under wait_mutex and looks for a cycle through itself first: since every wait is
 * entered this way, the last one into a cycle finds it, at once and without a timer. A transaction
 * waits for one thing at a time: another transaction (a row), or a relation lock, which stands for all
 * its conflicting holders. */
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"

enum { CYCLE_DEPTH_MAX = 64, HOLDERS_MAX = 64 };

/* PostgreSQL's conflict table (documentation, table 13.2): bit m - 1 for mode m. */
static const uint8_t conflicts[9] = {
    [LOCK_ACCESS_SHARE] = 0x80,
    [LOCK_ROW_SHARE] = 0xc0,
    [LOCK_ROW_EXCLUSIVE] = 0xf0,
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = 0xf8,
    [LOCK_SHARE] = 0xec,
    [LOCK_SHARE_ROW_EXCLUSIVE] = 0xfc,
    [LOCK_EXCLUSIVE] = 0xfe,
    [LOCK_ACCESS_EXCLUSIVE] = 0xff,
};
static const char *const mode_names[9] = {
    "", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"};

struct lock_holder {
    struct txn *txn;
    uint8_t modes;
};

struct lock_waiter {
    struct txn *txn;
    uint8_t mode;
    struct waiter *waiter;
    struct lock_waiter *next;
};

enum { BRANCH_SHIFT = 40 };

struct relation_lock_entry {
    uint64_t relation; /* and the number of the branch above it */
    struct relation_lock_entry *next;  /* in its bucket; entries stay for the store's life */
    struct spinlock lock;
    ARRAY(struct lock_holder) holders; /* guarded by lock */
    struct lock_waiter *waiters;       /* guarded by lock; FIFO */
};

struct relation_shard {
    struct spinlock lock;
    struct relation_lock_entry *entries; /* guarded by lock */
};

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

/* --- the graph: all under wait_mutex ----------------------------------------------------------- */

/* Who holds what `mode` conflicts with. */
static uint32_t conflicting_holders(struct relation_lock_entry *e, const struct txn *self,
                                    uint8_t mode, struct txn *ret[HOLDERS_MAX])
{
    uint32_t n = 0;
    spin_lock(&e->lock);
    for (size_t i = 0; i < e->holders.count && n < HOLDERS_MAX; i++)
        if (e->holders.data[i].txn != self && (conflicts[mode] & e->holders.data[i].modes))
            ret[n++] = e->holders.data[i].txn;
    spin_unlock(&e->lock);
    return n;
}

/* Is `target` reached from t over what each waits for? A chain longer than CYCLE_DEPTH_MAX is taken
 * for a cycle. */
static bool reaches(const struct txn *t, const struct txn *target, int depth)
{
    if (t == target || depth > CYCLE_DEPTH_MAX) return true;
    if (t->waiting_for) /* it may have ended since, and be another by now */
        return __atomic_load_n(&t->waiting_for->id, __ATOMIC_ACQUIRE) == t->waiting_id &&
               reaches(t->waiting_for, target, depth + 1);
    if (!t->waiting_lock) return false;
    struct txn *holders[HOLDERS_MAX];
    uint32_t n = conflicting_holders(t->waiting_lock, t, t->waiting_mode, holders);
    for (uint32_t i = 0; i < n; i++)
        if (reaches(holders[i], target, depth + 1)) return true;
    return false;
}

static enum status deadlock(const struct txn *t, uint64_t holder, const char *mode)
{
    counter_add(t->store->deadlocks, 1);
    enum status st = FAIL(DEADLOCK_DETECTED, "deadlock detected");
    error_detail("Transaction %llu waits for %s on transaction %llu, which waits for it.",
                 (unsigned long long)t->id, mode, (unsigned long long)holder);
    error_hint("See server log for query details.");
    return st;
}

static enum status park_status(enum park_result r)
{
    if (r == PARK_CANCELED)
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    if (r == PARK_TIMEOUT)
        return FAIL(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout");
    return OK;
}

static int64_t lock_deadline(const struct txn *t)
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
    bool cycle = waits && reaches(holder, t, 0);
    if (waits && !cycle) {
        t->waiting_for = holder;
        t->waiting_id = id;
    }
    fmutex_unlock(&s->wait_mutex);
    if (!waits) return OK;
    if (cycle) {
        remove_waiter(holder, &node);
        return deadlock(t, id, "ShareLock");
    }

    int64_t deadline = lock_deadline(t);
    enum park_result r = PARK_WOKEN;
    waiter_set_reason(node.waiter, "Lock:transactionid");
    if (!has_ended(holder, id)) r = waiter_park(node.waiter, deadline);
    waiter_set_reason(node.waiter, NULL);
    remove_waiter(holder, &node);
    fmutex_lock(&s->wait_mutex);
    t->waiting_for = NULL;
    fmutex_unlock(&s->wait_mutex);
    return park_status(r);
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
        if (e->holders.data[i].txn != t && (conflicts[mode] & e->holders.data[i].modes))
            return false;
    if (!mine)
        for (const struct lock_waiter *w = e->waiters; w && w != self; w = w->next)
            if (conflicts[mode] & (1u << (w->mode - 1))) return false;
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

static enum status wait_lock(struct txn *t, struct relation_lock_entry *e, uint8_t mode)
{
    struct store *s = t->store;
    struct lock_waiter w = {.txn = t, .mode = mode, .waiter = waiter_self()};
    struct txn *holders[HOLDERS_MAX];
    bool cycle = false;
    uint64_t other = 0;
    fmutex_lock(&s->wait_mutex);
    t->waiting_lock = e;
    t->waiting_mode = mode;
    join_queue(e, &w);
    uint32_t n = conflicting_holders(e, t, mode, holders);
    for (uint32_t i = 0; i < n && !cycle; i++) {
        cycle = reaches(holders[i], t, 0);
        other = holders[i]->id;
    }
    fmutex_unlock(&s->wait_mutex);

    int64_t deadline = lock_deadline(t);
    enum park_result r = PARK_WOKEN;
    bool granted = false;
    while (!cycle && r == PARK_WOKEN) {
        spin_lock(&e->lock);
        granted = try_grant(e, t, mode, &w);
        spin_unlock(&e->lock);
        if (granted) break;
        waiter_set_reason(w.waiter, "Lock:relation");
        r = waiter_park(w.waiter, deadline);
        waiter_set_reason(w.waiter, NULL);
    }
    fmutex_lock(&s->wait_mutex);
    t->waiting_lock = NULL;
    fmutex_unlock(&s->wait_mutex);
    leave_queue(e, &w);
    if (granted) return OK;
    if (cycle) return deadlock(t, other, mode_names[mode]);
    return park_status(r);
}

enum status txn_lock_relation(struct txn *t, uint64_t relation, enum relation_lock mode, bool nowait)
{
    relation |= (uint64_t)branch_id(t->branch) << BRANCH_SHIFT; /* each branch has its own */
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
                        (unsigned long long)(relation & ((1ull << BRANCH_SHIFT) - 1)));
        TRY(wait_lock(t, e, (uint8_t)mode));
    }
    if (held) held->modes |= bit;
    else ARRAY_PUSH(&t->locks, (struct held_lock){e, relation, bit});
    return OK;
}

void txn__release_relations(struct txn *t)
{
    for (size_t i = 0; i < t->locks.count; i++) {
        struct relation_lock_entry *e = t->locks.data[i].entry;
        spin_lock(&e->lock);
        struct lock_holder *h = holder_of(e, t);
        ASSERT(h);
        *h = ARRAY_LAST(&e->holders);
        e->holders.count--;
        wake_all(e);
        spin_unlock(&e->lock);
    }
    t->locks.count = 0;
}
