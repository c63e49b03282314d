/* The slots of a gather: rows on their way from the workers to the leader. */
#include "exec/ops/gather_run_priv.h"

enum {
    PIECE_ROWS = 64,           /* copied at once, before the bytes are looked at */
    SLOT_ROWS = 1024,          /* worth handing over */
    SLOT_BYTES_MIN = 64 << 10, /* and so are these, or more when there is memory for it */
    SLOT_BYTES_MAX = 1 << 20,
    SLOTS_SHARE = 32,          /* of the memory, for all slots together */
};

static void count_slot(struct gather *g, struct slot *s)
{
    uint64_t bytes = arena_bytes(&s->arena);
    __atomic_add_fetch(g->x->shared_bytes, bytes - s->counted, __ATOMIC_RELAXED);
    s->counted = bytes;
}

static enum status get_slot(struct worker *w)
{
    struct gather *g = w->g;
    const struct plan_node *n = g->n;
    fmutex_lock(&g->p.lock);
    while (!g->free && !__atomic_load_n(&g->p.stop, __ATOMIC_RELAXED)) {
        if (!w->coro || w->x.gathers) {
            (void)fcond_wait(&g->room, &g->p.lock, 0);
            continue;
        }
        fmutex_unlock(&g->p.lock);
        coro_yield(w->coro);
        fmutex_lock(&g->p.lock);
    }
    struct slot *s = g->free;
    if (s) g->free = s->next;
    fmutex_unlock(&g->p.lock);
    if (!s) return END_OF_DATA;
    s->batch = (struct batch){.column_count = (uint16_t)n->column_count};
    s->batch.columns = ARENA_ARRAY(&s->arena, struct vec, n->column_count + 1);
    for (uint32_t c = 0; c < n->column_count; c++)
        vec_init_flat(&s->batch.columns[c], n->columns[c].type, &s->arena);
    w->slot = s;
    return OK;
}

void gather__hand_over(struct worker *w)
{
    struct gather *g = w->g;
    struct slot *s = w->slot;
    if (!s) return;
    s->batch.count = s->batch.rows;
    s->next = NULL;
    count_slot(g, s);
    w->slot = NULL;
    fmutex_lock(&g->p.lock);
    *g->full_tail = s;
    g->full_tail = &s->next;
    fcond_signal(&g->ready);
    fmutex_unlock(&g->p.lock);
}

void gather__give_back(struct gather *g, struct slot *s)
{
    arena_clear(&s->arena);
    count_slot(g, s);
    fmutex_lock(&g->p.lock);
    s->next = g->free;
    g->free = s;
    fcond_signal(&g->room);
    (void)gather__call_back(g); /* or by whoever waits next */
    fmutex_unlock(&g->p.lock);
}

/* A worker's rows. */
enum status gather__take_rows(void *ctx, const struct batch *b)
{
    struct worker *w = ctx;
    uint16_t rows[PIECE_ROWS];
    for (uint32_t done = 0; done < b->count;) {
        if (!w->slot) TRY(get_slot(w));
        struct batch *to = &w->slot->batch;
        uint32_t n = b->count - done < PIECE_ROWS ? b->count - done : PIECE_ROWS;
        if (n > BATCH_ROWS - to->rows) n = BATCH_ROWS - to->rows;
        for (uint32_t i = 0; i < n; i++) rows[i] = (uint16_t)op__row(b, done + i);
        for (uint32_t c = 0; c < to->column_count; c++)
            vec_gather(&to->columns[c], to->rows, &b->columns[c], rows, n, &w->slot->arena);
        to->rows += n;
        done += n;
        if (to->rows == BATCH_ROWS || arena_bytes(&w->slot->arena) > w->g->slot_bytes) gather__hand_over(w);
    }
    if (w->slot && (w->slot->batch.rows >= SLOT_ROWS ||
                    __atomic_load_n(&w->g->waiting, __ATOMIC_RELAXED)))
        gather__hand_over(w);
    return OK;
}

struct slot *gather__next_full(struct gather *g)
{
    struct slot *s = g->full;
    if (!s) return NULL;
    g->full = s->next;
    if (!g->full) g->full_tail = &g->full;
    return s;
}

void gather__make_slots(struct gather *g)
{
    g->slot_count = 2 * g->worker_count + 2;
    g->slot_bytes = exec_memory_limit(g->x) / SLOTS_SHARE / g->slot_count;
    if (g->slot_bytes < SLOT_BYTES_MIN) g->slot_bytes = SLOT_BYTES_MIN;
    if (g->slot_bytes > SLOT_BYTES_MAX) g->slot_bytes = SLOT_BYTES_MAX;
    g->slots = ARENA_ARRAY(g->x->arena, struct slot, g->slot_count);
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct slot *s = &g->slots[i];
        arena_init(&s->arena, MEM_QUERY);
        s->next = g->free;
        g->free = s;
    }
}

void gather__free_slots(struct gather *g)
{
    for (uint32_t i = 0; i < g->slot_count; i++) {
        arena_release(&g->slots[i].arena);
        count_slot(g, &g->slots[i]);
    }
}
