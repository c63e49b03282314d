/* The search for deadlocks: who waits for whom, over rows, relations and advisory locks.
 *
 * It runs as somebody begins to wait, under wait_mutex, so that the last one into a cycle finds it at
 * once and without a timer. A transaction waits for one thing at a time. An edge is hard when the other
 * holds what is wanted, and soft when he only stands in front in the queue: a cycle with a soft edge is
 * none once the one behind is let pass. */
#include "core/mvcc/locks_priv.h"

#include <stdio.h>

enum { DEPTH_MAX = 1000 };

struct edge {
    struct txn *to; /* NULL: a session that waits for nothing */
    uint32_t pid;
    bool soft;
};

struct search {
    const struct txn *target;
    uint64_t number;          /* marks what was looked at */
    ARRAY(struct edge) edges; /* of all on the path, one after another */
    ARRAY(struct edge) path;  /* from the target's first step to the target */
};

static void push(struct search *x, struct txn *to, bool soft)
{
    ARRAY_PUSH(&x->edges, (struct edge){to, txn__pid(to), soft});
}

static void relation_edges(struct search *x, const struct txn *t)
{
    struct relation_lock_entry *e = t->waiting_lock;
    uint8_t wanted = lock__conflicts[t->waiting_mode];
    spin_lock(&e->lock);
    bool passes = true, holds = false;
    for (const struct lock_waiter *w = e->waiters; w; w = w->next)
        if (w->txn == t) passes = w->passes;
    for (size_t i = 0; i < e->holders.count; i++) {
        const struct lock_holder *h = &e->holders.data[i];
        holds |= h->txn == t;
        if (h->txn != t && (wanted & h->modes)) push(x, h->txn, false);
    }
    for (const struct lock_waiter *w = e->waiters; w && w->txn != t && !passes && !holds; w = w->next)
        if (wanted & (1u << (w->mode - 1))) push(x, w->txn, true);
    spin_unlock(&e->lock);
}

static void advisory_edges(struct search *x, const struct txn *t)
{
    const struct advisory_waiter *mine = t->waiting_advisory;
    const struct advisory_lock *l = t->waiting_for_advisory;
    for (const struct advisory_holder *h = l->holders; h; h = h->next)
        if (h->owner != t->options.owner && advisory__conflicts(h, mine->shared))
            ARRAY_PUSH(&x->edges, (struct edge){h->owner->waiting, h->owner->pid, false});
    for (const struct advisory_waiter *w = l->waiters; w && w != mine && !mine->passes; w = w->next)
        if (!mine->shared || !w->shared) push(x, w->txn, true);
}

static void edges_of(struct search *x, const struct txn *t)
{
    if (t->waiting_for) { /* it may have ended since, and be another by now */
        if (__atomic_load_n(&t->waiting_for->id, __ATOMIC_ACQUIRE) == t->waiting_id)
            push(x, t->waiting_for, false);
    } else if (t->waiting_advisory) {
        advisory_edges(x, t);
    } else if (t->waiting_lock) {
        relation_edges(x, t);
    }
}

static bool reaches(struct search *x, struct txn *t)
{
    size_t first = x->edges.count;
    bool found = false;
    if (x->path.count >= DEPTH_MAX) return false;
    t->search = x->number;
    edges_of(x, t);
    for (size_t i = first; i < x->edges.count && !found; i++) {
        struct edge e = x->edges.data[i];
        if (!e.to) continue;
        ARRAY_PUSH(&x->path, e);
        found = e.to == x->target || (e.to->search != x->number && reaches(x, e.to));
        if (!found) x->path.count--;
    }
    x->edges.count = first;
    return found;
}

/* --- what to do about a cycle ------------------------------------------------------------------ */

/* The first on the path who only stands behind somebody goes past him. */
static bool let_pass(struct search *x, struct txn *t)
{
    for (size_t i = 0; i < x->path.count; i++) {
        struct txn *behind = i ? x->path.data[i - 1].to : t;
        if (!x->path.data[i].soft) continue;
        if (behind->waiting_advisory) {
            behind->waiting_advisory->passes = true;
            advisory__grant(behind->waiting_for_advisory);
            return true;
        }
        struct relation_lock_entry *e = behind->waiting_lock;
        spin_lock(&e->lock);
        for (struct lock_waiter *w = e->waiters; w; w = w->next) {
            if (w->txn != behind) continue;
            w->passes = true;
            waiter_wake(w->waiter);
        }
        spin_unlock(&e->lock);
        return true;
    }
    return false;
}

static void describe(const struct txn *t, const struct txn *by, char *out, size_t size)
{
    char what[96];
    const char *mode = "ShareLock";
    uint32_t database = t->options.owner ? t->options.owner->database : 0;
    if (t->waiting_for) {
        snprintf(what, sizeof what, "transaction %llu", (unsigned long long)t->waiting_id);
    } else if (t->waiting_advisory) {
        const struct advisory_key *k = &t->waiting_for_advisory->key;
        mode = t->waiting_advisory->shared ? "ShareLock" : "ExclusiveLock";
        snprintf(what, sizeof what, "advisory lock [%u,%u,%u,%u]", k->database, k->high, k->low,
                 k->form);
    } else {
        mode = lock__mode_names[t->waiting_mode];
        snprintf(what, sizeof what, "relation %llu of database %u",
                 (unsigned long long)relation_of(t->waiting_lock), database);
    }
    snprintf(out, size, "Process %u waits for %s on %s; blocked by process %u.", txn__pid(t), mode, what,
             txn__pid(by));
}

static enum status fail(const struct search *x, const struct txn *t)
{
    struct strbuf b;
    char line[256];
    counter_add(t->store->deadlocks, 1);
    strbuf_init(&b, NULL);
    for (size_t i = 0; i < x->path.count && b.len < 800; i++) {
        const struct txn *by = x->path.data[i].to;
        describe(t, by, line, sizeof line);
        strbuf_addf(&b, "%s%s", i ? "\n" : "", line);
        t = by;
    }
    (void)FAIL(DEADLOCK_DETECTED, "deadlock detected");
    (void)error_detail("%s", b.data);
    strbuf_release(&b);
    return error_hint("See server log for query details.");
}

enum status deadlock__check(struct txn *t)
{
    static uint64_t numbers; /* atomic */
    struct search x = {.target = t};
    enum status st = OK;
    for (;;) {
        x.number = __atomic_add_fetch(&numbers, 1, __ATOMIC_RELAXED);
        x.path.count = 0;
        if (!reaches(&x, t)) break;
        if (let_pass(&x, t)) continue;
        st = fail(&x, t);
        break;
    }
    ARRAY_RELEASE(&x.edges);
    ARRAY_RELEASE(&x.path);
    return st;
}

/* --- for those who look ------------------------------------------------------------------------ */

static void add_pids(struct search *x, const struct txn *t, struct arena *a, uint32_t **ret,
                     uint32_t *ret_count)
{
    x->edges.count = 0;
    edges_of(x, t);
    *ret = ARENA_ARRAY(a, uint32_t, x->edges.count + 1);
    *ret_count = 0;
    for (size_t i = 0; i < x->edges.count; i++) (*ret)[(*ret_count)++] = x->edges.data[i].pid;
}

void locks_blocking(struct store *s, uint32_t pid, struct arena *a, uint32_t **ret, uint32_t *ret_count)
{
    struct search x = {0};
    *ret = NULL;
    *ret_count = 0;
    fmutex_lock(&s->wait_mutex);
    for (uint32_t i = 0; i < ACTIVE_SHARDS && !*ret; i++) {
        struct active_shard *shard = &s->active[i];
        spin_lock(&shard->lock);
        const struct txn *t = shard->head;
        while (t && (txn__pid(t) != pid || t->view_of != t)) t = t->next;
        spin_unlock(&shard->lock);
        /* It stays what it is while it waits, which is until wait_mutex is free. */
        if (t && (t->waiting_for || t->waiting_advisory || t->waiting_lock))
            add_pids(&x, t, a, ret, ret_count);
    }
    fmutex_unlock(&s->wait_mutex);
    ARRAY_RELEASE(&x.edges);
}
