/* Sorting entries by key: radix by byte, most significant first, stable.
 *
 * An entry has a word of its key at hand; only when a part of the entries agrees in all 8 bytes are
 * the next 8 fetched from the records. Small parts, and parts that agree in many bytes, are merged by
 * comparison. Parts still to be sorted wait in a list, not on the stack. */
#include "exec/ops/sorter_priv.h"

enum {
    INSERTION_MAX = 16, /* entries */
    MERGE_MAX = 160,
    DEPTH_MAX = 96,     /* bytes of the key, beyond which parts are merged */
    CHECK_ENTRIES = 1 << 15,
    CHECK_ORDER = 1 << 13,
    BYTE_VALUES = 256,
};

struct part {
    uint64_t from, count;
    uint32_t depth; /* bytes that all its keys have in common */
};

struct ordering {
    struct execution *x;
    struct sort_entry *entries, *spare;
    uint64_t count;
    struct part *parts;
    uint32_t part_count, part_cap;
    struct arena *work;
    uint64_t steps; /* for exec_check */
};

static enum status step(struct ordering *o, uint64_t entries)
{
    o->steps += entries;
    if (o->steps < CHECK_ENTRIES) return OK;
    o->steps = 0;
    return exec_check(o->x);
}

static void add_part(struct ordering *o, uint64_t from, uint64_t count, uint32_t depth)
{
    if (o->part_count == o->part_cap) {
        uint32_t cap = o->part_cap ? o->part_cap * 2 : 512;
        struct part *grown = arena_alloc(o->work, cap * sizeof *grown);
        if (o->part_count) memcpy(grown, o->parts, o->part_count * sizeof *grown);
        o->parts = grown;
        o->part_cap = cap;
    }
    o->parts[o->part_count++] = (struct part){from, count, depth};
}

/* --- by comparison ----------------------------------------------------------------------------- */

/* Words are those at the multiple of 8 below `next`. */
static inline int compare(const struct sort_entry *a, const struct sort_entry *b, uint32_t next)
{
    if (a->word != b->word) return a->word < b->word ? -1 : 1;
    struct slice p = record_key(a->record), q = record_key(b->record);
    if (p.len <= next || q.len <= next) return (p.len > next) - (q.len > next);
    p = slice_make(p.data + next, p.len - next);
    q = slice_make(q.data + next, q.len - next);
    return slice_cmp(p, q);
}

static void insertion_sort(struct sort_entry *e, uint64_t n, uint32_t next)
{
    for (uint64_t i = 1; i < n; i++) {
        struct sort_entry moving = e[i];
        uint64_t at = i;
        for (; at > 0 && compare(&e[at - 1], &moving, next) > 0; at--) e[at] = e[at - 1];
        e[at] = moving;
    }
}

static enum status merge(struct ordering *o, const struct sort_entry *a, uint64_t na,
                         const struct sort_entry *b, uint64_t nb, struct sort_entry *to,
                         uint32_t next)
{
    uint64_t i = 0, k = 0;
    while (i < na && k < nb) {
        *to++ = compare(&a[i], &b[k], next) <= 0 ? a[i++] : b[k++];
        if (((i + k) & 8191) == 0) TRY(step(o, 8192));
    }
    TRY(exec_copy(o->x, to, a + i, (na - i) * sizeof *to));
    return exec_copy(o->x, to + (na - i), b + k, (nb - k) * sizeof *to);
}

static enum status merge_sort(struct ordering *o, struct sort_entry *e, struct sort_entry *spare,
                              uint64_t n, uint32_t next)
{
    struct sort_entry *from = e, *to = spare;
    for (uint64_t i = 0; i < n; i += INSERTION_MAX) {
        insertion_sort(e + i, n - i < INSERTION_MAX ? n - i : INSERTION_MAX, next);
        TRY(step(o, INSERTION_MAX));
    }
    for (uint64_t width = INSERTION_MAX; width < n; width *= 2) {
        for (uint64_t i = 0; i < n; i += 2 * width) {
            uint64_t na = n - i < width ? n - i : width, rest = n - i - na;
            TRY(merge(o, from + i, na, from + i + na, rest < width ? rest : width, to + i, next));
        }
        struct sort_entry *t = from;
        from = to;
        to = t;
    }
    return from == e ? OK : exec_copy(o->x, e, from, n * sizeof *e);
}

/* --- by byte ----------------------------------------------------------------------------------- */

/* The words at `depth`. *ret_more: has any key bytes from there on? */
static enum status load_words(struct ordering *o, struct sort_entry *e, uint64_t n, uint32_t depth,
                              bool *ret_more)
{
    size_t longest = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct slice key = record_key(e[i].record);
        if (key.len > longest) longest = key.len;
        e[i].word = key_word(key, depth);
        if ((i & 4095) == 4095) TRY(step(o, 4096));
    }
    *ret_more = longest > depth;
    return OK;
}

static enum status count_bytes(struct ordering *o, const struct sort_entry *e, uint64_t n,
                               unsigned shift, uint64_t *counts)
{
    memset(counts, 0, BYTE_VALUES * sizeof *counts);
    for (uint64_t i = 0; i < n;) {
        uint64_t end = n - i < CHECK_ENTRIES ? n : i + CHECK_ENTRIES;
        for (; i < end; i++) counts[e[i].word >> shift & 0xff]++;
        TRY(step(o, n < CHECK_ENTRIES ? n : CHECK_ENTRIES));
    }
    return OK;
}

/* The first byte, from `depth` on, in which words differ; the next multiple of 8 when none does. */
static enum status differing_byte(struct ordering *o, const struct sort_entry *e, uint64_t n,
                                  uint32_t depth, uint32_t *ret)
{
    uint64_t differs = 0;
    for (uint64_t i = 0; i < n;) {
        uint64_t end = n - i < CHECK_ENTRIES ? n : i + CHECK_ENTRIES;
        for (; i < end; i++) differs |= e[i].word ^ e[0].word;
        TRY(step(o, CHECK_ENTRIES));
    }
    uint32_t word_at = depth / KEY_WORD_BYTES * KEY_WORD_BYTES;
    *ret = word_at + (differs ? (uint32_t)__builtin_clzll(differs) / 8 : KEY_WORD_BYTES);
    return OK;
}

static enum status scatter(struct ordering *o, struct part p, unsigned shift, uint64_t *counts)
{
    struct sort_entry *e = o->entries + p.from, *spare = o->spare + p.from;
    uint64_t at[BYTE_VALUES], sum = 0;
    for (unsigned v = 0; v < BYTE_VALUES; v++) {
        at[v] = sum;
        sum += counts[v];
    }
    for (uint64_t i = 0; i < p.count;) {
        uint64_t end = p.count - i < CHECK_ENTRIES ? p.count : i + CHECK_ENTRIES;
        for (; i < end; i++) spare[at[e[i].word >> shift & 0xff]++] = e[i];
        TRY(step(o, p.count < CHECK_ENTRIES ? p.count : CHECK_ENTRIES));
    }
    return exec_copy(o->x, e, spare, p.count * sizeof *e);
}

static enum status sort_part(struct ordering *o, struct part p)
{
    struct sort_entry *e = o->entries + p.from, *spare = o->spare + p.from;
    uint64_t counts[BYTE_VALUES];
    if (p.depth > 0 && p.depth % KEY_WORD_BYTES == 0) {
        bool more;
        TRY(load_words(o, e, p.count, p.depth, &more));
        if (!more) return OK;
    }
    uint32_t next = (p.depth / KEY_WORD_BYTES + 1) * KEY_WORD_BYTES;
    if (p.count <= INSERTION_MAX) {
        insertion_sort(e, p.count, next);
        return step(o, p.count);
    }
    if (p.count <= MERGE_MAX || p.depth >= DEPTH_MAX)
        return merge_sort(o, e, spare, p.count, next);
    unsigned shift = 56 - p.depth % KEY_WORD_BYTES * 8;
    TRY(count_bytes(o, e, p.count, shift, counts));
    if (counts[e[0].word >> shift & 0xff] == p.count) {
        uint32_t depth;
        TRY(differing_byte(o, e, p.count, p.depth, &depth));
        add_part(o, p.from, p.count, depth);
        return OK;
    }
    TRY(scatter(o, p, shift, counts));
    uint64_t at = p.from;
    for (unsigned v = 0; v < BYTE_VALUES; v++) {
        if (counts[v] > 1) add_part(o, at, counts[v], p.depth + 1);
        at += counts[v];
    }
    return OK;
}

/* Input often comes in order. */
static enum status is_ordered(struct ordering *o, bool *ret)
{
    *ret = true;
    for (uint64_t i = 1; i < o->count && *ret; i++) {
        *ret = compare(&o->entries[i - 1], &o->entries[i], KEY_WORD_BYTES) <= 0;
        if (i % CHECK_ORDER == 0) TRY(exec_check(o->x));
    }
    return OK;
}

enum status sorter__order(struct execution *x, struct sort_entry *entries,
                          struct sort_entry *spare, uint64_t count, struct arena *work)
{
    struct ordering o = {
        .x = x, .entries = entries, .spare = spare, .count = count, .work = work};
    bool ordered;
    TRY(is_ordered(&o, &ordered));
    if (ordered) return OK;
    add_part(&o, 0, count, 0);
    while (o.part_count) TRY(sort_part(&o, o.parts[--o.part_count]));
    return OK;
}
