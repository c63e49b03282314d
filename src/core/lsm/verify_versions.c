/* Verification of versions: what the runs and memtables of a tree say of its keys, held against each other and against
 * the newest commit.
 *
 * No version is of a commit that never was: of no time, or later than the newest one. Of a key, versions in front are
 * not older than those behind, in chains in memory and from list to list; but a load's lie behind what
 * was written before it, which its own versions in front then hide: their timestamps are odd, and are passed over. A
 * version of history ended after it began. What an overlay has was written after the fork.
 *
 * It is a second reading of the runs, through the cache as a scan's, by one cursor a list. */
#include "core/lsm/tree_priv.h"
#include "core/lsm/verify_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { KEY_SHOWN = 24, LEAVES = 128, POLL_EVERY = 4096 };

struct list { /* runs whose keys rise from one to the next */
    struct run_ref **runs;
    uint32_t count, at;         /* at: of the run that the cursor stands in */
    struct run_cursor *cursor;
    struct entry entry;
    bool ended;
};

struct versions_check {
    uint64_t newest, fork;      /* fork: 0, the tree is no overlay */
    const struct verify_sink *sink;
    uint64_t entries;
    struct list lists[LISTS_CHECKED_MAX];
    uint32_t count;
    struct strbuf key;          /* that is looked at */
    char *problem;              /* of VERSIONS_PROBLEM_BYTES; empty: none */
};

static void tell(struct versions_check *c, struct slice key, const char *fmt, ...) PRINTF(3, 4);
static void tell(struct versions_check *c, struct slice key, const char *fmt, ...)
{
    va_list args;
    size_t n = 0, max = VERSIONS_PROBLEM_BYTES;
    if (c->problem[0]) return;
    n = (size_t)snprintf(c->problem, max, "key \\x");
    for (size_t i = 0; i < key.len && i < KEY_SHOWN; i++)
        n += (size_t)snprintf(c->problem + n, max - n, "%02x", (uint8_t)key.data[i]);
    n += (size_t)snprintf(c->problem + n, max - n, "%s: ", key.len > KEY_SHOWN ? "…" : "");
    va_start(args, fmt);
    vsnprintf(c->problem + n, max - n, fmt, args);
    va_end(args);
}

static uint64_t run_of(const struct list *l)
{
    return l->runs[l->at]->id;
}

/* One version by itself. `end`: of a version of history, when it ended; 0 otherwise. */
static void check_one(struct versions_check *c, const struct entry *e, uint64_t run, uint64_t end)
{
    unsigned long long ts = e->ts, id = run;
    if (!e->ts) tell(c, e->key, "run %llu has a version that was never committed", id);
    if (e->ts > c->newest)
        tell(c, e->key, "run %llu has a version of %llu, but the newest commit is %llu", id, ts,
             (unsigned long long)c->newest);
    if (c->fork && e->ts <= c->fork)
        tell(c, e->key, "run %llu has a version of %llu, from before the fork at %llu", id, ts,
             (unsigned long long)c->fork);
    if (!end) return;
    if (end <= e->ts || end > c->newest)
        tell(c, e->key, "run %llu has a version of %llu that ended at %llu", id, ts, (unsigned long long)end);
}

/* --- runs ---------------------------------------------------------------------------------------- */

static enum status open_at(struct list *l)
{
    l->cursor = NULL;
    if (l->at == l->count) {
        l->ended = true;
        return OK;
    }
    TRY(run_cursor_open(l->runs[l->at]->run, &l->cursor));
    return OK;
}

static enum status advance(struct versions_check *c, struct list *l)
{
    if (++c->entries % POLL_EVERY == 0 && c->sink->poll) TRY(c->sink->poll(c->sink->ctx));
    while (!l->ended) {
        enum status st = run_cursor_next(l->cursor, &l->entry);
        if (st != END_OF_DATA) return st;
        run_cursor_close(l->cursor);
        l->at++;
        TRY(open_at(l));
    }
    return OK;
}

static void add_list(struct versions_check *c, struct run_ref **runs, uint32_t n)
{
    if (!n || c->count == LISTS_CHECKED_MAX) return;
    c->lists[c->count++] = (struct list){.runs = runs, .count = n};
}

/* In the order in which readers look: the runs of level 0 one by one, then level by level. */
static enum status open_lists(struct versions_check *c, const struct shape *s)
{
    for (uint32_t i = 0; i < s->levels[0].count; i++) {
        struct run_ref **r = &s->levels[0].runs[i];
        if (__atomic_load_n(&(*r)->state, __ATOMIC_ACQUIRE) == RUN_INSTALLED) add_list(c, r, 1);
    }
    for (int l = 1; l < LEVELS_MAX; l++) add_list(c, s->levels[l].runs, s->levels[l].count);
    for (uint32_t i = 0; i < c->count; i++) {
        TRY(open_at(&c->lists[i]));
        TRY(advance(c, &c->lists[i]));
    }
    return OK;
}

static bool least_key(const struct versions_check *c, struct slice *ret)
{
    bool any = false;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct list *l = &c->lists[i];
        if (l->ended || (any && slice_cmp(l->entry.key, *ret) >= 0)) continue;
        *ret = l->entry.key;
        any = true;
    }
    return any;
}

/* All versions of the key, list by list: each is in order by itself (run_verify). */
static enum status check_key(struct versions_check *c, struct slice key)
{
    uint64_t last = UINT64_MAX, last_run = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        struct list *l = &c->lists[i];
        while (!l->ended && slice_eq(l->entry.key, key)) {
            uint64_t ts = l->entry.ts;
            check_one(c, &l->entry, run_of(l), 0);
            if (!(ts & 1) && ts > last)
                tell(c, key, "run %llu has a version of %llu behind one of %llu in run %llu",
                     (unsigned long long)run_of(l), (unsigned long long)ts, (unsigned long long)last,
                     (unsigned long long)last_run);
            if (!(ts & 1)) {
                last = ts;
                last_run = run_of(l);
            }
            TRY(advance(c, l));
        }
    }
    return OK;
}

static enum status check_levels(struct versions_check *c, const struct shape *s)
{
    struct slice key;
    TRY(open_lists(c, s));
    while (least_key(c, &key)) {
        strbuf_clear(&c->key);
        strbuf_add(&c->key, key.data, key.len);
        TRY(check_key(c, strbuf_slice(&c->key)));
    }
    return OK;
}

static enum status check_history(struct versions_check *c, struct run_ref *r)
{
    struct run_ref *one[] = {r};
    struct list l = {.runs = one, .count = 1};
    TRY(open_at(&l));
    enum status st = advance(c, &l);
    while (st == OK && !l.ended) {
        uint64_t end = history_end(&l.entry);
        check_one(c, &l.entry, r->id, end ? end : 1); /* 1: before any version began */
        st = advance(c, &l);
    }
    run_cursor_close(l.cursor);
    return st;
}

/* --- memory -------------------------------------------------------------------------------------- */

static void check_chain(struct versions_check *c, const struct leaf *leaf)
{
    uint64_t last = UINT64_MAX;
    for (const struct version *v = leaf_head(leaf); v; v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE)) {
        uint64_t ts = __atomic_load_n(&v->begin, __ATOMIC_ACQUIRE);
        if (v->lock_only || (ts & 1)) continue; /* in flight */
        if (ts > last)
            tell(c, leaf_key(leaf), "memory has a version of %llu behind one of %llu", (unsigned long long)ts,
                 (unsigned long long)last);
        last = ts;
        c->entries++;
    }
}

static void check_memory(struct versions_check *c, const struct memory *m)
{
    struct leaf *leaves[LEAVES];
    struct slice from = {0};
    uint32_t n;
    bool after = false;
    do {
        n = memtable_walk(m->table, from, after, false, leaves, LEAVES);
        for (uint32_t i = 0; i < n; i++) check_chain(c, leaves[i]);
        if (n) from = leaf_key(leaves[n - 1]);
        after = true;
    } while (n == LEAVES);
}

/* --- all ------------------------------------------------------------------------------------------ */

enum status verify__versions(const struct forest *f, tree_id id, const struct shape *s, uint64_t fork,
                             uint64_t newest, const struct verify_sink *sink,
                             char problem[VERSIONS_PROBLEM_BYTES], uint64_t *ret_checked)
{
    struct versions_check *c = mem_alloc(MEM_RUN, sizeof *c);
    struct epoch_slot *slot = epoch_slot_new(f->o.epoch);
    *c = (struct versions_check){.newest = newest, .fork = fork, .sink = sink, .problem = problem};
    problem[0] = '\0';
    strbuf_init(&c->key, NULL);
    epoch_enter(slot);
    const struct tree *t = forest_tree(f, id);
    const struct shape *now = t ? tree_shape(t) : NULL;
    for (uint32_t i = 0; now && i < now->memory_count; i++) check_memory(c, now->memories[i]);
    epoch_exit(slot);
    epoch_slot_free(slot);
    enum status st = check_levels(c, s);
    for (uint32_t i = 0; st == OK && i < s->levels[HISTORY].count; i++)
        st = check_history(c, s->levels[HISTORY].runs[i]);
    for (uint32_t i = 0; i < c->count; i++) run_cursor_close(c->lists[i].cursor);
    strbuf_release(&c->key);
    *ret_checked = c->entries;
    mem_free(MEM_RUN, c);
    return st;
}
