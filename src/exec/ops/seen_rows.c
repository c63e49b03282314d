#include "exec/ops/seen_rows.h"

enum {
    FIRST_BITS = 8,         /* of the number of slots */
    LEAST_RUN = 4096,       /* places */
    FULL_PERCENT = 90,      /* of the query's memory, with slots twice as many, */
    OTHERS_BYTES = 1 << 20, /* and what others may want at the same time */
    CHECK_SLOTS = 1 << 15,
    FILTER_PLACES = 5,      /* a word of the filter is for so many */
};

#define UPPER_HALF (~0ull << 32)

void seen_rows_init(struct seen_rows *s, struct execution *x, uint16_t columns,
                    const type_id *types)
{
    static const type_id place = TYPE_INT8;
    s->x = x;
    for (unsigned i = 0; i < 2; i++) s->arenas[i] = exec_arena(x);
    s->run_arena = exec_arena(x);
    row_store_init(&s->rows, x, columns, types, exec_arena(x), exec_arena(x));
    row_store_init(&s->places, x, 1, &place, exec_arena(x), exec_arena(x));
}

/* --- slots ------------------------------------------------------------------------------------ */

static uint64_t slot_count(const struct seen_rows *s)
{
    return 1ull << (64 - s->shift);
}

static enum status begin_slots(struct seen_rows *s, uint32_t shift)
{
    s->side ^= 1;
    s->shift = shift;
    arena_release(s->arenas[s->side]);
    s->slots = arena_alloc(s->arenas[s->side], slot_count(s) * sizeof *s->slots);
    return exec_zero(s->x, s->slots, slot_count(s) * sizeof *s->slots);
}

enum status seen_rows_begin(struct seen_rows *s)
{
    row_store_clear(&s->rows);
    row_store_clear(&s->places);
    arena_clear(s->run_arena);
    s->runs = NULL;
    s->run_count = s->run_cap = 0;
    s->count = 0;
    TRY(begin_slots(s, 64 - FIRST_BITS));
    arena_release(s->arenas[s->side ^ 1]);
    return OK;
}

void seen_rows_end(struct seen_rows *s)
{
    row_store_end(&s->rows);
    row_store_end(&s->places);
    arena_release(s->run_arena);
    s->run_count = 0;
}

/* By the upper bits of the hash, so that slots are in its order but for those that had to give way. */
static void add_slot(struct seen_rows *s, uint64_t slot)
{
    uint64_t at = (slot & UPPER_HALF) >> s->shift, mask = slot_count(s) - 1;
    while (s->slots[at]) at = (at + 1) & mask;
    s->slots[at] = slot;
}

static enum status grow_slots(struct seen_rows *s)
{
    const uint64_t *old = s->slots;
    uint64_t count = slot_count(s);
    TRY(begin_slots(s, s->shift - 1));
    for (uint64_t i = 0; i < count; i++) {
        if (i % CHECK_SLOTS == 0) TRY(exec_check_canceled(s->x));
        if (old[i]) add_slot(s, old[i]);
    }
    arena_release(s->arenas[s->side ^ 1]);
    return OK;
}

/* --- runs ------------------------------------------------------------------------------------- */

static uint64_t filter_bits(uint64_t mixed)
{
    return 1ull << (mixed & 63) | 1ull << (mixed >> 6 & 63) | 1ull << (mixed >> 12 & 63) |
           1ull << (mixed >> 18 & 63);
}

static uint64_t mix(uint64_t hash)
{
    return (hash >> 32) * 0x9e3779b97f4a7c15u;
}

static struct seen_run *new_run(struct seen_rows *s)
{
    if (s->run_count == s->run_cap) {
        uint32_t cap = s->run_cap ? s->run_cap * 2 : 8;
        struct seen_run *grown = arena_alloc(s->run_arena, cap * sizeof *grown);
        if (s->run_count) memcpy(grown, s->runs, s->run_count * sizeof *grown);
        s->runs = grown;
        s->run_cap = cap;
    }
    struct seen_run *r = &s->runs[s->run_count++];
    uint32_t bits = 1;
    while ((1ull << bits) * FILTER_PLACES < s->count) bits++;
    *r = (struct seen_run){.from = s->places.count, .to = s->places.count,
                           .filter_shift = 64 - bits};
    r->filter = ARENA_ARRAY(s->run_arena, uint64_t, 1ull << bits);
    r->firsts = arena_alloc(s->run_arena,
                            (s->count / STORE_CHUNK_ROWS + 1) * sizeof *r->firsts);
    return r;
}

static enum status add_places(struct seen_rows *s, struct seen_run *r, uint64_t *slots, uint32_t n)
{
    struct vec v = {.type = TYPE_INT8, .form = VEC_FLAT, .width = 8, .data = slots};
    struct batch b = {.rows = n, .count = n, .column_count = 1, .columns = &v};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = r->to - r->from + i, mixed = mix(slots[i]);
        if (at % STORE_CHUNK_ROWS == 0) r->firsts[at / STORE_CHUNK_ROWS] = slots[i] & UPPER_HALF;
        r->filter[mixed >> r->filter_shift] |= filter_bits(mixed);
    }
    TRY(row_store_add_batch(&s->places, &b));
    r->to += n;
    return exec_check_canceled(s->x);
}

/* The slots in order of hash, moved to the front: those at the end that began anew there come last. */
static enum status order_slots(struct seen_rows *s)
{
    uint64_t *to = s->slots, n = 0, count = slot_count(s);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t slot = s->slots[i], at = n;
        if (i % CHECK_SLOTS == 0) TRY(exec_check_canceled(s->x));
        if (!slot) continue;
        for (; at > 0 && to[at - 1] > slot; at--) to[at] = to[at - 1];
        to[at] = slot;
        n++;
    }
    return OK;
}

static enum status write_run(struct seen_rows *s)
{
    struct seen_run *r = new_run(s);
    TRY(order_slots(s));
    for (uint64_t i = 0; i < s->count; i += STORE_CHUNK_ROWS) {
        uint64_t n = s->count - i < STORE_CHUNK_ROWS ? s->count - i : STORE_CHUNK_ROWS;
        TRY(add_places(s, r, s->slots + i, (uint32_t)n));
    }
    s->count = 0;
    return exec_zero(s->x, s->slots, slot_count(s) * sizeof *s->slots);
}

static enum status make_room(struct seen_rows *s)
{
    uint64_t limit = exec_memory_limit(s->x), bytes = slot_count(s) * sizeof *s->slots;
    if (s->count * 4 < slot_count(s) * 3) return OK;
    bool full = limit != UINT64_MAX && s->count >= LEAST_RUN &&
                exec_memory_used(s->x) + bytes + OTHERS_BYTES > limit / 100 * FULL_PERCENT;
    return full ? write_run(s) : grow_slots(s);
}

/* --- asking ----------------------------------------------------------------------------------- */

static enum status is_equal(struct seen_rows *s, const struct batch *b, uint32_t row,
                            uint64_t other, bool *ret)
{
    *ret = true;
    for (uint32_t c = 0; c < b->column_count && *ret; c++) {
        struct datum p, q = vec_get(&b->columns[c], row);
        TRY(row_store_get(&s->rows, other, c, &p));
        *ret = p.null == q.null &&
               (p.null || value_compare(b->columns[c].type, &p.v, &q.v) == 0);
    }
    return OK;
}

static enum status place_at(struct seen_rows *s, uint64_t at, uint64_t *ret)
{
    struct datum d;
    TRY(row_store_get(&s->places, at, 0, &d));
    *ret = (uint64_t)d.v.i64;
    return OK;
}

/* The run's first place whose hash is not below `upper`. */
static enum status lower_bound(struct seen_rows *s, const struct seen_run *r, uint64_t upper,
                               uint64_t *ret)
{
    uint64_t lo = 0, hi = (r->to - r->from + STORE_CHUNK_ROWS - 1) / STORE_CHUNK_ROWS;
    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        if (r->firsts[mid] < upper) lo = mid + 1;
        else hi = mid;
    }
    uint64_t end = r->from + lo * STORE_CHUNK_ROWS;
    hi = end < r->to ? end : r->to;
    lo = lo ? end - STORE_CHUNK_ROWS : r->from;
    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2, slot;
        TRY(place_at(s, mid, &slot));
        if ((slot & UPPER_HALF) < upper) lo = mid + 1;
        else hi = mid;
    }
    *ret = lo;
    return OK;
}

static enum status find_in_run(struct seen_rows *s, const struct seen_run *r,
                               const struct batch *b, uint32_t row, uint64_t hash, bool *ret)
{
    uint64_t upper = hash & UPPER_HALF, mixed = mix(hash), bits = filter_bits(mixed), at, slot;
    if ((r->filter[mixed >> r->filter_shift] & bits) != bits) return OK;
    TRY(lower_bound(s, r, upper, &at));
    for (; at < r->to && !*ret; at++) {
        TRY(place_at(s, at, &slot));
        if ((slot & UPPER_HALF) != upper) return OK;
        TRY(is_equal(s, b, row, (slot & ~UPPER_HALF) - 1, ret));
    }
    return OK;
}

static enum status find(struct seen_rows *s, const struct batch *b, uint32_t row, uint64_t hash,
                        bool *ret)
{
    uint64_t mask = slot_count(s) - 1;
    for (uint64_t at = (hash & UPPER_HALF) >> s->shift; s->slots[at] && !*ret; at = (at + 1) & mask)
        if (!((s->slots[at] ^ hash) & UPPER_HALF))
            TRY(is_equal(s, b, row, (s->slots[at] & ~UPPER_HALF) - 1, ret));
    for (uint32_t i = s->run_count; i-- > 0 && !*ret;)
        TRY(find_in_run(s, &s->runs[i], b, row, hash, ret));
    return OK;
}

enum status seen_rows_add(struct seen_rows *s, const struct batch *b, uint32_t row, uint64_t hash,
                          bool *ret_new)
{
    uint16_t sel = (uint16_t)row;
    bool found = false;
    *ret_new = false;
    TRY(find(s, b, row, hash, &found));
    if (found) return OK;
    if (s->rows.count >= UINT32_MAX - 1)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a recursive query has too many rows");
    TRY(make_room(s));
    TRY(row_store_add(&s->rows, b, &sel, 1));
    add_slot(s, (hash & UPPER_HALF) | s->rows.count);
    s->count++;
    *ret_new = true;
    return OK;
}
