/* Masks are found by walking one run and searching the other, and cost a search a key that the filter
 * lets pass; they are made by who makes a run (lsm/advance.c), or by the first scan that needs them. */
#include "core/lsm/masks.h"

#include "base/mem.h"

enum { CANCEL_EVERY = 4096, SPARSE_RATIO = 32, DRIVE_RATIO = 4 };

/* Positions of an older run whose keys a newer one has. */
struct run_mask {
    struct run_mask *next;
    uint64_t newer;      /* the id of that run */
    uint32_t count;      /* of positions */
    uint32_t *positions; /* ascending; NULL: `bits` tells, or there are none */
    uint64_t *bits;
};

bool runs_overlap(const struct run *a, const struct run *b)
{
    return slice_cmp(run_max_key(a), run_min_key(b)) >= 0 &&
           slice_cmp(run_min_key(a), run_max_key(b)) <= 0;
}

static void mask_free(struct run_mask *m)
{
    mem_free(MEM_RUN, m->positions);
    mem_free(MEM_RUN, m->bits);
    mem_free(MEM_RUN, m);
}

void run_masks_free(struct run_ref *r)
{
    for (struct run_mask *m = r->masks, *next; m; m = next) {
        next = m->next;
        mask_free(m);
    }
}

/* --- making one ------------------------------------------------------------------------------- */

struct positions {
    ARRAY(uint32_t) list;
};

/* Entries of `driver` that lie within the other's range, key by key. */
struct walk {
    struct run_cursor *cursor;
    struct entry e;
    struct slice end; /* the other's last key */
    uint64_t steps;
};

static enum status walk_first(struct walk *w, struct run *driver, const struct run *other)
{
    w->end = run_max_key(other);
    TRY(run_cursor_open(driver, &w->cursor));
    run_cursor_keys_only(w->cursor);
    return run_cursor_seek(w->cursor, run_min_key(other), false, &w->e);
}

static enum status walk_next(struct walk *w)
{
    if (++w->steps % CANCEL_EVERY == 0 && waiter_canceled(waiter_self()))
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    return run_cursor_next(w->cursor, &w->e);
}

/* The keys of the newer run, each looked for in the older one. */
static enum status by_newer(struct run *older, struct run *newer, struct positions *ret)
{
    struct run_finder f = {.run = older};
    struct walk w = {0};
    uint64_t at;
    enum status st = walk_first(&w, newer, older);
    for (; st == OK && slice_cmp(w.e.key, w.end) <= 0; st = walk_next(&w)) {
        if (!run_filter_allows(older, run_key_hash(w.e.key))) continue;
        enum status found = run_find_position(&f, w.e.key, &at);
        if (found == NOT_FOUND) continue;
        if (found != OK) st = found;
        if (st != OK) break;
        if (!ret->list.count || ARRAY_LAST(&ret->list) != at) ARRAY_PUSH(&ret->list, (uint32_t)at);
    }
    run_cursor_close(w.cursor);
    run_finder_end(&f);
    return st == END_OF_DATA ? OK : st;
}

/* The keys of the older run, which is much smaller, looked for in the newer one. */
static enum status by_older(struct run *older, struct run *newer, struct positions *ret)
{
    struct run_finder f = {.run = newer}, own = {.run = older};
    struct walk w = {0};
    uint64_t at;
    bool has;
    enum status st = walk_first(&w, older, newer);
    for (; st == OK && slice_cmp(w.e.key, w.end) <= 0; st = walk_next(&w)) {
        if (!run_filter_allows(newer, run_key_hash(w.e.key))) continue;
        st = run_has_key(&f, w.e.key, &has);
        if (st == OK && has) st = run_find_position(&own, w.e.key, &at);
        if (st != OK) break;
        if (has && (!ret->list.count || ARRAY_LAST(&ret->list) != at))
            ARRAY_PUSH(&ret->list, (uint32_t)at);
    }
    run_cursor_close(w.cursor);
    run_finder_end(&f);
    run_finder_end(&own);
    return st == END_OF_DATA ? OK : st;
}

/* Of `n` positions, ascending. */
static struct run_mask *new_mask(const struct run_ref *older, uint64_t newer, const uint32_t *positions, size_t n)
{
    uint64_t entries = run_entry_count(older->run);
    struct run_mask *m = mem_alloc(MEM_RUN, sizeof *m);
    m->newer = newer;
    m->count = (uint32_t)n;
    if (n > entries / SPARSE_RATIO) {
        m->bits = mem_alloc(MEM_RUN, (entries + 63) / 64 * 8);
        for (size_t i = 0; i < n; i++) m->bits[positions[i] / 64] |= 1ull << positions[i] % 64;
    } else if (n) {
        m->positions = mem_alloc(MEM_RUN, n * sizeof *m->positions);
        memcpy(m->positions, positions, n * sizeof *m->positions);
    }
    return m;
}

static enum status make_mask(struct run_ref *older, const struct run_ref *newer, struct run_mask **ret)
{
    struct positions p = {0};
    bool few = run_entry_count(older->run) * DRIVE_RATIO < run_entry_count(newer->run);
    enum status st = few ? by_older(older->run, newer->run, &p) : by_newer(older->run, newer->run, &p);
    if (st == OK) *ret = new_mask(older, newer->id, p.list.data, p.list.count);
    ARRAY_RELEASE(&p.list);
    return st;
}

/* --- those that are kept ---------------------------------------------------------------------- */

static bool shape_has(const struct shape *s, uint64_t run)
{
    for (int l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++)
            if (s->levels[l].runs[i]->id == run) return true;
    return false;
}

static struct run_mask *find_mask(struct run_ref *r, uint64_t newer)
{
    for (struct run_mask *m = r->masks; m; m = m->next)
        if (m->newer == newer) return m;
    return NULL;
}

static uint64_t newest_run(const struct shape *s)
{
    uint64_t id = 0;
    for (int l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++)
            if (s->levels[l].runs[i]->id > id) id = s->levels[l].runs[i]->id;
    return id;
}

/* Those of runs that were merged away go: who still reads them makes them again. Newer ones are about to be shown. */
static void drop_old(struct run_ref *r, const struct shape *s)
{
    uint64_t newest = newest_run(s);
    for (struct run_mask **at = &r->masks; *at;) {
        struct run_mask *m = *at;
        if (m->newer > newest || shape_has(s, m->newer)) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        mask_free(m);
    }
}

/* Unless there is one. Under the mutex of `older`. */
static void keep(struct run_ref *older, struct run_mask *m)
{
    if (find_mask(older, m->newer)) {
        mask_free(m);
        return;
    }
    m->next = older->masks;
    older->masks = m;
}

void run_mask_put(struct run_ref *older, uint64_t newer, const uint32_t *positions, size_t n)
{
    struct run_mask *m = new_mask(older, newer, positions, n);
    fmutex_lock(&older->masks_mutex);
    keep(older, m);
    fmutex_unlock(&older->masks_mutex);
}

enum status run_mask_make(struct run_ref *older, const struct run_ref *newer)
{
    struct run_mask *m;
    fmutex_lock(&older->masks_mutex);
    bool there = find_mask(older, newer->id) != NULL;
    fmutex_unlock(&older->masks_mutex);
    if (there) return OK;
    TRY(make_mask(older, newer, &m));
    fmutex_lock(&older->masks_mutex);
    keep(older, m);
    fmutex_unlock(&older->masks_mutex);
    return OK;
}

static bool apply(const struct run_mask *m, uint64_t entries, uint64_t *bits)
{
    for (uint32_t i = 0; m->positions && i < m->count; i++)
        bits[m->positions[i] / 64] |= 1ull << m->positions[i] % 64;
    for (uint64_t w = 0; m->bits && w < (entries + 63) / 64; w++) bits[w] |= m->bits[w];
    return m->count > 0;
}

enum status run_hidden_add(struct run_ref *older, struct run_ref *newer, const struct shape *s,
                           uint64_t *bits, bool *ret_any)
{
    const struct run_mask *m;
    fmutex_lock(&older->masks_mutex);
    while (!(m = find_mask(older, newer->id))) { /* made without the lock: others go on, and may drop it again */
        drop_old(older, s);
        fmutex_unlock(&older->masks_mutex);
        TRY(run_mask_make(older, newer));
        fmutex_lock(&older->masks_mutex);
    }
    *ret_any = apply(m, run_entry_count(older->run), bits);
    fmutex_unlock(&older->masks_mutex);
    return OK;
}
