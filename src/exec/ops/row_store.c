#include "exec/ops/row_store.h"

enum { FIRST_ROWS = 32, KEPT_BYTES = 32 << 10, SLACK_BYTES = 2048 };

void row_store_init(struct row_store *s, struct execution *x, uint16_t columns,
                    const type_id *types, struct arena *arena, struct arena *index)
{
    *s = (struct row_store){.x = x, .arena = arena, .index = index, .types = types,
                            .columns = columns};
}

static void forget_memory(struct row_store *s)
{
    arena_clear(s->arena);
    s->chunks = NULL;
    s->chunk_count = s->chunk_cap = s->last_cap = 0;
}

void row_store_clear(struct row_store *s)
{
    s->seldom_small = s->count >= STORE_CHUNK_ROWS;
    forget_memory(s);
    for (unsigned i = 0; i < STORE_CACHED; i++) s->cache[i].used = 0;
    if (s->spill) spill_free(s->spill);
    s->spill = NULL;
    s->spilled = s->count = 0;
}

void row_store_end(struct row_store *s)
{
    row_store_clear(s);
    if (arena_bytes(s->arena) > KEPT_BYTES) arena_release(s->arena);
    for (unsigned i = 0; i < STORE_CACHED; i++)
        if (s->cache[i].arena) arena_release(s->cache[i].arena);
}

static void make_chunk(struct row_store *s, struct batch *b, uint32_t rows)
{
    *b = (struct batch){.column_count = s->columns};
    b->columns = ARENA_ARRAY(s->arena, struct vec, s->columns + 1);
    for (uint32_t c = 0; c < s->columns; c++)
        vec_init_flat_rows(&b->columns[c], s->types[c], rows, s->arena);
    s->last_cap = rows;
}

static enum status note_place(struct row_store *s)
{
    if (s->spilled + 1 >= s->place_cap) {
        uint64_t cap = s->place_cap ? s->place_cap * 2 : 64;
        uint64_t *grown = arena_alloc(s->index, cap * sizeof *grown);
        if (s->places) memcpy(grown, s->places, s->place_cap * sizeof *grown);
        s->places = grown;
        s->place_cap = cap;
    }
    s->places[s->spilled] = spill_bytes(s->spill);
    return OK;
}

/* All chunks are whole. */
static enum status spill_chunks(struct row_store *s)
{
    if (!s->spill) {
        TRY(spill_new(s->x, s->columns, s->types, &s->spill));
        TRY(note_place(s));
    }
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        TRY(spill_add_batch(s->spill, &s->chunks[i]));
        TRY(exec_check(s->x));
        s->spilled++;
        TRY(note_place(s));
    }
    forget_memory(s);
    return OK;
}

static enum status room(struct row_store *s, struct batch **ret)
{
    struct batch *last = s->chunk_count ? &s->chunks[s->chunk_count - 1] : NULL;
    *ret = last;
    if (last && last->rows < s->last_cap) return OK;
    if (last && s->last_cap < STORE_CHUNK_ROWS) {
        struct batch old = *last;
        make_chunk(s, last, s->last_cap * 4);
        for (uint32_t c = 0; c < s->columns; c++)
            vec_gather(&last->columns[c], 0, &old.columns[c], NULL, old.rows, NULL);
        last->rows = last->count = old.rows;
        return OK;
    }
    if (last && exec_memory_pressed(s->x)) TRY(spill_chunks(s));
    if (s->chunk_count == s->chunk_cap) {
        uint32_t cap = s->chunk_cap ? s->chunk_cap * 2 : 4;
        struct batch *grown = arena_alloc(s->arena, cap * sizeof *grown);
        if (s->chunk_count) memcpy(grown, s->chunks, s->chunk_count * sizeof *grown);
        s->chunks = grown;
        s->chunk_cap = cap;
    }
    *ret = &s->chunks[s->chunk_count++];
    bool small = s->count == 0 && !s->seldom_small;
    make_chunk(s, *ret, small ? FIRST_ROWS : STORE_CHUNK_ROWS);
    return OK;
}

enum status row_store_add(struct row_store *s, const struct batch *b, const uint16_t *sel,
                          uint32_t n)
{
    for (uint32_t done = 0; done < n;) {
        struct batch *to;
        TRY(room(s, &to));
        uint32_t m = s->last_cap - to->rows;
        if (m > n - done) m = n - done;
        for (uint32_t c = 0; c < s->columns; c++)
            vec_gather(&to->columns[c], to->rows, &b->columns[c], sel + done, m, s->arena);
        to->rows += m;
        to->count = to->rows;
        s->count += m;
        done += m;
    }
    return OK;
}

enum status row_store_add_batch(struct row_store *s, const struct batch *b)
{
    uint16_t all[BATCH_ROWS];
    if (b->sel) return row_store_add(s, b, b->sel, b->count);
    for (uint32_t i = 0; i < b->count; i++) all[i] = (uint16_t)i;
    return row_store_add(s, b, all, b->count);
}

enum status row_store_read(struct row_store *s, uint64_t chunk, struct arena *a, struct batch *ret)
{
    if (chunk < s->spilled) {
        TRY(exec_check(s->x));
        return spill_fetch(s->spill, s->places[chunk], s->places[chunk + 1] - s->places[chunk], a,
                           ret);
    }
    *ret = s->chunks[chunk - s->spilled];
    return OK;
}

/* One piece of memory for a chunk from disk: grown by doubling it would be twice as much. */
static void make_space(struct row_store *s, struct arena *a, uint64_t bytes)
{
    uint64_t vectors = (uint64_t)(s->columns + 1) * STORE_CHUNK_ROWS * (sizeof(union value) + 1);
    uint64_t whole = bytes + vectors + BATCH_ROWS * sizeof(struct slice) + SLACK_BYTES;
    arena_clear(a);
    if (arena_bytes(a) >= whole) return;
    arena_release(a);
    arena_alloc(a, whole);
    arena_clear(a);
}

static enum status load(struct row_store *s, uint64_t chunk, const struct batch **ret)
{
    struct store_cached *oldest = &s->cache[0];
    for (unsigned i = 0; i < STORE_CACHED; i++) {
        struct store_cached *c = &s->cache[i];
        if (c->used && c->chunk == chunk) {
            c->used = ++s->clock;
            *ret = &c->batch;
            return OK;
        }
        if (c->used < oldest->used) oldest = c;
    }
    if (!oldest->arena) oldest->arena = exec_arena(s->x);
    uint64_t bytes = s->places[chunk + 1] - s->places[chunk];
    make_space(s, oldest->arena, bytes);
    oldest->used = 0;
    TRY(exec_check(s->x));
    TRY(spill_fetch(s->spill, s->places[chunk], bytes, oldest->arena, &oldest->batch));
    oldest->chunk = chunk;
    oldest->used = ++s->clock;
    *ret = &oldest->batch;
    return OK;
}

enum status row_store_chunk(struct row_store *s, uint64_t row, const struct batch **ret)
{
    uint64_t chunk = row / STORE_CHUNK_ROWS;
    ASSERT(row < s->count);
    if (chunk < s->spilled) return load(s, chunk, ret);
    *ret = &s->chunks[chunk - s->spilled];
    return OK;
}
