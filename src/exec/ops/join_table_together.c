/* Sealing a join table by several threads. Its slots are cut into parts: ranges of keys, or of hashes.
 * Each thread sorts its own entries by part; then a part is filled by one thread alone, from what all
 * have for it, and as a whole table would be: no slot is written by two. */
#include "exec/ops/join_table.h"

enum { CHECK_ENTRIES = 8192 };

static uint64_t slot_of(const struct join_table *t, uint64_t key)
{
    if (t->form != JOIN_TABLE_HASHED) return key - (uint64_t)t->min;
    return join_key_hash(t->packed, key) >> t->shift;
}

void join_table_count(struct join_table *t, const struct join_table *of)
{
    t->count += of->count;
    if (of->min < t->min) t->min = of->min;
    if (of->max > t->max) t->max = of->max;
}

uint32_t join_table_plan(struct join_table *t, struct arena *a, bool again)
{
    uint64_t slots;
    if (!join_table_is_direct(t, &slots)) {
        uint32_t bits = join_table_slot_bits(t->count);
        slots = 1ull << bits;
        t->form = JOIN_TABLE_HASHED;
        t->shift = 64 - bits;
        t->ends = arena_alloc(a, (slots + 1) * sizeof *t->ends);
        *t->ends++ = 0;
        t->entries = arena_alloc_aligned(a, (t->count + 1) * sizeof *t->entries, 64);
    } else if (!again) {
        t->form = JOIN_TABLE_DIRECT_UNIQUE;
        t->rows = arena_alloc(a, slots * sizeof *t->rows);
    } else {
        t->form = JOIN_TABLE_DIRECT;
        t->rows = arena_alloc(a, t->count * sizeof *t->rows);
        t->starts = arena_alloc(a, (slots + 1) * sizeof *t->starts);
        t->starts[0] = 0;
    }
    t->part_shift = 0;
    while ((slots - 1) >> t->part_shift >= JOIN_TABLE_PARTS) t->part_shift++;
    return (uint32_t)((slots - 1) >> t->part_shift) + 1;
}

enum status join_table_divide(const struct join_table *t, const struct join_table *mine,
                              uint32_t first_row, struct execution *x, struct arena *a,
                              struct join_entries *ret)
{
    uint64_t at[JOIN_TABLE_PARTS + 1] = {0};
    for (const struct entry_block *b = mine->blocks; b; b = b->next) {
        if (x) TRY(exec_check_canceled(x));
        for (uint32_t i = 0; i < b->count; i++)
            at[(slot_of(t, b->entries[i].key) >> t->part_shift) + 1]++;
    }
    for (uint32_t p = 0; p < JOIN_TABLE_PARTS; p++) at[p + 1] += at[p];
    memcpy(ret->starts, at, sizeof at);
    ret->entries = arena_alloc_aligned(a, (mine->count + 1) * sizeof *ret->entries, 64);
    for (const struct entry_block *b = mine->blocks; b; b = b->next) {
        if (x) TRY(exec_check_canceled(x));
        for (uint32_t i = 0; i < b->count; i++) {
            uint64_t key = b->entries[i].key, part = slot_of(t, key) >> t->part_shift;
            ret->entries[at[part]++] = (struct join_entry){key, b->entries[i].row + first_row};
        }
    }
    return OK;
}

/* Of one part: its slots, its entries' place, and who has them. */
struct filling {
    struct execution *x;
    const struct join_entries *const *of;
    uint32_t count, part;
    uint64_t from, to; /* slots */
    uint64_t first;    /* entries of the parts before */
};

/* Where one goes through a part's entries. */
struct entry_walk {
    const struct filling *f;
    uint32_t of;
    const struct join_entry *next, *last, *from, *to; /* [from, to): at hand */
    enum status st;
};

/* Some more of them, few enough not to ask for cancellation meanwhile. */
static bool some_entries(struct entry_walk *w)
{
    const struct filling *f = w->f;
    while (w->next == w->last) {
        if (w->of == f->count) return false;
        const struct join_entries *e = f->of[w->of++];
        w->next = e->entries + e->starts[f->part];
        w->last = e->entries + e->starts[f->part + 1];
    }
    if (f->x && (w->st = exec_check_canceled(f->x)) != OK) return false;
    w->from = w->next;
    w->to = w->next = w->last - w->next < CHECK_ENTRIES ? w->last : w->next + CHECK_ENTRIES;
    return true;
}

#define EACH_ENTRY(w, e)                                                                           \
    while (some_entries(w))                                                                        \
        for (const struct join_entry *e = (w)->from; e < (w)->to; e++)

static enum status fill_unique(const struct join_table *t, const struct filling *f, bool *ret_twice)
{
    struct entry_walk w = {.f = f, .st = OK};
    uint64_t base = (uint64_t)t->min;
    TRY(exec_zero(f->x, t->rows + f->from, (f->to - f->from) * sizeof *t->rows));
    EACH_ENTRY(&w, e)
    {
        uint32_t *to = &t->rows[e->key - base];
        if (*to) {
            *ret_twice = true;
            return OK;
        }
        *to = e->row + 1;
    }
    return w.st;
}

/* As join_table_seal does it: counts, then beginnings, which move to the ends. */
static enum status fill_direct(struct join_table *t, const struct filling *f)
{
    struct entry_walk w = {.f = f, .st = OK};
    uint32_t *at = t->starts + 1;
    uint64_t base = (uint64_t)t->min;
    TRY(exec_zero(f->x, at + f->from, (f->to - f->from) * sizeof *at));
    EACH_ENTRY(&w, e) at[e->key - base]++;
    TRY(w.st);
    TRY(join_table_sum(t, f->x, f->from, f->to, f->first));
    w = (struct entry_walk){.f = f, .st = OK};
    EACH_ENTRY(&w, e) t->rows[at[e->key - base]++] = e->row;
    return w.st;
}

static enum status fill_hashed(struct join_table *t, const struct filling *f)
{
    struct entry_walk w = {.f = f, .st = OK};
    uint64_t *ends = t->ends;
    TRY(exec_zero(f->x, ends + f->from, (f->to - f->from) * sizeof *ends));
    EACH_ENTRY(&w, e)
    {
        uint64_t h = join_key_hash(t->packed, e->key);
        uint64_t *slot = &ends[h >> t->shift];
        *slot = (*slot + (1 << 16)) | join_table_tag(h);
    }
    TRY(w.st);
    TRY(join_table_sum(t, f->x, f->from, f->to, f->first));
    w = (struct entry_walk){.f = f, .st = OK};
    EACH_ENTRY(&w, e)
    {
        uint64_t *slot = &ends[join_key_hash(t->packed, e->key) >> t->shift];
        t->entries[*slot >> 16] = *e;
        *slot += 1 << 16;
    }
    return w.st;
}

enum status join_table_fill(struct join_table *t, struct execution *x,
                            const struct join_entries *const *of, uint32_t count, uint32_t part,
                            bool *ret_twice)
{
    struct filling f = {.x = x, .of = of, .count = count, .part = part};
    *ret_twice = false;
    f.from = (uint64_t)part << t->part_shift;
    f.to = f.from + (1ull << t->part_shift);
    if (f.to > join_table_slots(t)) f.to = join_table_slots(t);
    for (uint32_t k = 0; k < count; k++) f.first += of[k]->starts[part];
    switch (t->form) {
    case JOIN_TABLE_DIRECT_UNIQUE: return fill_unique(t, &f, ret_twice);
    case JOIN_TABLE_DIRECT: return fill_direct(t, &f);
    case JOIN_TABLE_HASHED: return fill_hashed(t, &f);
    }
    return OK;
}
