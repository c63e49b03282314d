/* Sealing a join table by several threads. Its slots are cut into parts: ranges of keys, or of hashes.
 * Each thread sorts its own entries by part; then a part is filled by one thread alone, from what all
 * have for it, and as a whole table would be: no slot is written by two. */
#include "exec/ops/join_table.h"

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

void join_table_divide(const struct join_table *t, const struct join_table *mine, uint32_t first_row,
                       struct arena *a, struct join_entries *ret)
{
    uint64_t at[JOIN_TABLE_PARTS + 1] = {0};
    for (const struct entry_block *b = mine->blocks; b; b = b->next)
        for (uint32_t i = 0; i < b->count; i++)
            at[(slot_of(t, b->entries[i].key) >> t->part_shift) + 1]++;
    for (uint32_t p = 0; p < JOIN_TABLE_PARTS; p++) at[p + 1] += at[p];
    memcpy(ret->starts, at, sizeof at);
    ret->entries = arena_alloc_aligned(a, (mine->count + 1) * sizeof *ret->entries, 64);
    for (const struct entry_block *b = mine->blocks; b; b = b->next)
        for (uint32_t i = 0; i < b->count; i++) {
            uint64_t key = b->entries[i].key, part = slot_of(t, key) >> t->part_shift;
            ret->entries[at[part]++] = (struct join_entry){key, b->entries[i].row + first_row};
        }
}

/* Of one part: its slots, its entries' place, and who has them. */
struct filling {
    const struct join_entries *const *of;
    uint32_t count, part;
    uint64_t from, to; /* slots */
    uint64_t first;    /* entries of the parts before */
};

#define EACH_ENTRY(f, e)                                                                           \
    for (uint32_t k_ = 0; k_ < (f)->count; k_++)                                                   \
        for (const struct join_entry *e = (f)->of[k_]->entries + (f)->of[k_]->starts[(f)->part],   \
                                     *end_ = (f)->of[k_]->entries + (f)->of[k_]->starts[(f)->part + 1]; \
             e < end_; e++)

static bool fill_unique(const struct join_table *t, const struct filling *f)
{
    uint64_t base = (uint64_t)t->min;
    memset(t->rows + f->from, 0, (f->to - f->from) * sizeof *t->rows);
    EACH_ENTRY(f, e)
    {
        uint32_t *to = &t->rows[e->key - base];
        if (*to) return false;
        *to = e->row + 1;
    }
    return true;
}

/* As join_table_seal does it: counts, then beginnings, which move to the ends. */
static void fill_direct(const struct join_table *t, const struct filling *f)
{
    uint32_t *at = t->starts + 1, sum = (uint32_t)f->first;
    uint64_t base = (uint64_t)t->min;
    memset(at + f->from, 0, (f->to - f->from) * sizeof *at);
    EACH_ENTRY(f, e) at[e->key - base]++;
    for (uint64_t s = f->from; s < f->to; s++) {
        uint32_t n = at[s];
        at[s] = sum;
        sum += n;
    }
    EACH_ENTRY(f, e) t->rows[at[e->key - base]++] = e->row;
}

static void fill_hashed(const struct join_table *t, const struct filling *f)
{
    uint64_t *ends = t->ends, sum = f->first;
    memset(ends + f->from, 0, (f->to - f->from) * sizeof *ends);
    EACH_ENTRY(f, e)
    {
        uint64_t h = join_key_hash(t->packed, e->key);
        uint64_t *slot = &ends[h >> t->shift];
        *slot = (*slot + (1 << 16)) | join_table_tag(h);
    }
    for (uint64_t s = f->from; s < f->to; s++) {
        uint64_t n = ends[s] >> 16;
        ends[s] = sum << 16 | (ends[s] & 0xffff);
        sum += n;
    }
    EACH_ENTRY(f, e)
    {
        uint64_t *slot = &ends[join_key_hash(t->packed, e->key) >> t->shift];
        t->entries[*slot >> 16] = *e;
        *slot += 1 << 16;
    }
}

bool join_table_fill(struct join_table *t, const struct join_entries *const *of, uint32_t count,
                     uint32_t part)
{
    struct filling f = {.of = of, .count = count, .part = part};
    f.from = (uint64_t)part << t->part_shift;
    f.to = f.from + (1ull << t->part_shift);
    if (f.to > join_table_slots(t)) f.to = join_table_slots(t);
    for (uint32_t k = 0; k < count; k++) f.first += of[k]->starts[part];
    switch (t->form) {
    case JOIN_TABLE_DIRECT_UNIQUE: return fill_unique(t, &f);
    case JOIN_TABLE_DIRECT: fill_direct(t, &f); break;
    case JOIN_TABLE_HASHED: fill_hashed(t, &f); break;
    }
    return true;
}
