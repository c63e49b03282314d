/* Where the versions of a memtable lie: the newest of each key together, as close as those of a table that was
 * written once, and those behind them elsewhere.
 *
 * The first two versions of a key lie among the nodes and leaves of the tree. From its third on they are its *home*:
 * two places that its newest version takes by turns. When a version is put in front of one that is at home, the older
 * one is copied to the memory of the past and the copy takes its position in the chain. The place may be taken again
 * when no statement is left that began before: those may read the row where it was. When that is not yet so, or a
 * version is in flight, the new version goes to the past's memory, and the next one will find room.
 *
 * So each further update of a key costs a copy of what it supersedes, the past is written in one stream, and reads of
 * the present stay within memory that does not grow with the updates. */
#include "core/lsm/homes_priv.h"

enum { CHUNK_HOMES = 256, BEHIND_MAX = 4, ADVANCE_EVERY = 64, GROWTH_PART = 8 };

/* What leaf->home counts: versions beside the nodes; from HOME_FIRST on it names a home. */
enum { HOME_FIRST = 2 };

struct home {
    struct {
        struct version *v; /* NULL: no room yet */
        uint32_t room;     /* bytes of a row */
        uint64_t left;     /* the stamp of when it was left; 0: its version is in the chain */
    } places[2];
};

void homes__release(struct homes *h)
{
    arena_release(&h->past);
    for (uint32_t i = 0; i < h->count; i += CHUNK_HOMES)
        mem_free(MEM_MEMTABLE, h->chunks[i / CHUNK_HOMES]);
    mem_free(MEM_MEMTABLE, h->chunks);
}

static struct home *home_of(const struct homes *h, const struct leaf *l)
{
    uint32_t at = l->home - HOME_FIRST - 1;
    return l->home > HOME_FIRST ? &h->chunks[at / CHUNK_HOMES][at % CHUNK_HOMES] : NULL;
}

/* The oldest two versions, when there are few: they lie where they should. */
static void move_in(struct home *home, const struct leaf *l)
{
    struct version *found[BEHIND_MAX];
    uint32_t n = 0;
    for (struct version *v = l->head; v; v = v->older) {
        if (v->lock_only) continue;
        if (n == BEHIND_MAX) return;
        found[n++] = v;
    }
    for (uint32_t i = 0; i < 2 && i < n; i++) {
        home->places[i].v = found[n - 1 - i];
        home->places[i].room = found[n - 1 - i]->len;
    }
}

static struct home *home_new(struct homes *h, struct art *t, struct leaf *l)
{
    uint32_t at = h->count % CHUNK_HOMES, chunk = h->count / CHUNK_HOMES;
    if (!at) {
        if (chunk == h->room) {
            h->room = h->room ? 2 * h->room : 4;
            h->chunks = mem_realloc(MEM_MEMTABLE, h->chunks, h->room * sizeof *h->chunks);
        }
        h->chunks[chunk] = mem_alloc(MEM_MEMTABLE, CHUNK_HOMES * sizeof **h->chunks);
        __atomic_store_n(&t->bytes, t->bytes + CHUNK_HOMES * sizeof **h->chunks, __ATOMIC_RELAXED);
    }
    l->home = HOME_FIRST + ++h->count;
    move_in(&h->chunks[chunk][at], l);
    return &h->chunks[chunk][at];
}

static struct version *room_new(struct art *t, size_t bytes)
{
    return art__alloc(t, sizeof(struct version) + bytes, _Alignof(struct version));
}

struct version *homes__past_new(struct homes *h, struct art *t, size_t bytes)
{
    size_t size = sizeof(struct version) + bytes;
    __atomic_store_n(&t->bytes, t->bytes + size, __ATOMIC_RELAXED);
    return arena_alloc_aligned(&h->past, size, _Alignof(struct version));
}

struct version *homes__version_new(struct homes *h, struct art *t, struct leaf *l, size_t bytes)
{
    if (l->home < HOME_FIRST) {
        l->home++;
        return room_new(t, bytes);
    }
    struct home *home = home_of(h, l);
    if (!home) home = home_new(h, t, l);
    for (uint32_t i = 0; i < 2; i++) {
        bool there = home->places[i].v;
        if (there && (!home->places[i].left || home->places[i].left >= h->oldest)) continue;
        if (!there || home->places[i].room < bytes) { /* rows that grow do so for a while */
            home->places[i].room = (uint32_t)(bytes + (there ? bytes / GROWTH_PART : 0));
            home->places[i].v = room_new(t, home->places[i].room);
        }
        home->places[i].left = 0;
        return home->places[i].v;
    }
    return homes__past_new(h, t, bytes);
}

/* What was left before is free when no statement is on that began until then. */
static void advance(struct homes *h)
{
    uint32_t sections;
    if (++h->placed < h->due) return;
    epoch_advance(h->epoch, &h->oldest, &sections);
    h->placed = 0;
    h->due = ADVANCE_EVERY + sections; /* what that costs grows with them */
}

static int place_of(const struct home *home, const struct version *v)
{
    return home->places[0].v == v ? 0 : home->places[1].v == v ? 1 : -1;
}

/* How many of the places hold a version that lies behind that one. */
static int count_behind(const struct home *home, const struct version *v)
{
    int n = 0;
    for (int i = 0; i < 2; i++) n += home->places[i].v && home->places[i].v != v && !home->places[i].left;
    return n;
}

void homes__placed(struct homes *h, struct art *t, struct leaf *l, struct version *v)
{
    struct home *home = home_of(h, l);
    if (!home || !h->epoch) return;
    int behind = count_behind(home, v);
    for (int n = 0; behind && n < BEHIND_MAX && v->older; n++) {
        struct version *old = v->older;
        int place = place_of(home, old);
        if (__atomic_load_n(&old->begin, __ATOMIC_ACQUIRE) & 1) break; /* its transaction may come back to it */
        if (place >= 0) {
            struct version *copy = homes__past_new(h, t, old->len);
            memcpy(copy, old, sizeof *old + old->len);
            __atomic_store_n(&v->older, copy, __ATOMIC_RELEASE);
            home->places[place].left = epoch_stamp(h->epoch);
            old = copy;
            behind--;
        }
        v = old;
    }
    advance(h);
}

void homes__gone(struct homes *h, struct leaf *l, const struct version *v)
{
    struct home *home = home_of(h, l);
    int place = home && h->epoch ? place_of(home, v) : -1;
    if (place >= 0 && !home->places[place].left) home->places[place].left = epoch_stamp(h->epoch);
}
