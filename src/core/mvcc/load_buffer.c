/* The buffer of a bulk load: rows as they come, then sorted, then a run. Input that comes in key order
 * is not sorted again. Knows nothing of transactions, so that a worker may write it out. */
#include "core/mvcc/load_priv.h"

#include <endian.h>
#include <stdlib.h>

#include "base/fiber.h"
#include "base/mem.h"
#include "core/segment/run_columns.h"

void load_buffer__init(struct load_buffer *b, const struct load_tree *trees, uint32_t n)
{
    *b = (struct load_buffer){.count = n};
    b->parts = mem_alloc(MEM_RUN, n * sizeof *b->parts);
    for (uint32_t i = 0; i < n; i++) {
        b->parts[i].tree = trees[i].tree;
        strbuf_init(&b->parts[i].meta, NULL);
    }
    arena_init(&b->arena, MEM_RUN);
}

void load_buffer__release(struct load_buffer *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        ARRAY_RELEASE(&b->parts[i].entries);
        strbuf_release(&b->parts[i].meta);
        run_layout_unref(b->parts[i].columns);
    }
    mem_free(MEM_RUN, b->parts);
    arena_release(&b->arena);
}

void load_buffer__clear(struct load_buffer *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct load_part *p = &b->parts[i];
        p->entries.count = 0;
        p->unsorted = false;
        p->twice = NULL;
        strbuf_clear(&p->meta);
    }
    arena_clear(&b->arena);
    b->bytes = 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct load_entry *x = a, *y = b;
    if (x->head != y->head) return x->head < y->head ? -1 : 1;
    int c = slice_cmp(load_key(x->item), load_key(y->item));
    if (c) return c;
    return (x->item->tag > y->item->tag) - (x->item->tag < y->item->tag);
}

void load_buffer__add(struct load_buffer *b, uint32_t part, struct slice key, struct slice row,
                      uint64_t tag)
{
    struct load_part *p = &b->parts[part];
    struct load_item *i = arena_alloc(&b->arena, sizeof *i + key.len + row.len);
    i->key_len = (uint32_t)key.len;
    i->row_len = (uint32_t)row.len;
    i->tag = tag;
    i->written = false;
    memcpy(i->bytes, key.data, key.len);
    if (row.len) memcpy(i->bytes + key.len, row.data, row.len);
    struct load_entry e = {.item = i};
    if (key.len) memcpy(&e.head, key.data, key.len < 8 ? key.len : 8);
    e.head = be64toh(e.head);
    if (p->entries.count && !p->unsorted)
        p->unsorted = compare_entries(&ARRAY_LAST(&p->entries), &e) > 0;
    ARRAY_PUSH(&p->entries, e);
    b->bytes += sizeof *i + sizeof e + key.len + row.len;
}

/* Asked now and then: whoever loads may have been canceled, and, when he writes himself, have
 * others wait. */
static enum status go_on(const uint32_t *stop)
{
    fiber_yield();
    if (!__atomic_load_n(stop, __ATOMIC_RELAXED) && !waiter_canceled(waiter_self())) return OK;
    return FAIL(QUERY_CANCELED, "canceling statement due to user request");
}

enum { SORT_PIECE = 1 << 13, POLL_ENTRIES = 512 };

/* Equal keys lie side by side, in the order of the input. */
static enum status find_twice(const struct load_part *p, const uint32_t *stop,
                              const struct load_item **ret)
{
    const struct load_item *first = NULL;
    for (size_t i = 1; i < p->entries.count; i++) {
        const struct load_entry *e = &p->entries.data[i];
        if (i % SORT_PIECE == 0) TRY(go_on(stop));
        if (e->head != e[-1].head || !slice_eq(load_key(e->item), load_key(e[-1].item))) continue;
        if (!first || e->item->tag < first->tag) first = e->item;
    }
    *ret = first;
    return OK;
}

static void merge(const struct load_entry *a, size_t na, const struct load_entry *b, size_t nb,
                  struct load_entry *to)
{
    size_t i = 0, k = 0;
    while (i < na && k < nb) *to++ = compare_entries(&a[i], &b[k]) <= 0 ? a[i++] : b[k++];
    memcpy(to, a + i, (na - i) * sizeof *to);
    memcpy(to + (na - i), b + k, (nb - k) * sizeof *to);
}

/* How many of the first n of a and b together are of a: a merge can begin in the middle. */
static size_t split(const struct load_entry *a, size_t na, const struct load_entry *b, size_t nb,
                    size_t n)
{
    size_t lo = n > nb ? n - nb : 0, hi = n < na ? n : na;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (compare_entries(&a[mid], &b[n - mid - 1]) <= 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static enum status merge_some(const struct load_entry *a, size_t na, const struct load_entry *b,
                              size_t nb, struct load_entry *to, const uint32_t *stop)
{
    size_t i = 0, k = 0;
    while (i < na || k < nb) {
        size_t rest = na - i + nb - k, n = rest < SORT_PIECE ? rest : SORT_PIECE;
        size_t of_a = split(a + i, na - i, b + k, nb - k, n);
        TRY(go_on(stop));
        merge(a + i, of_a, b + k, n - of_a, to);
        i += of_a;
        k += n - of_a;
        to += n;
    }
    return OK;
}

/* Pieces are sorted, then merged two by two: between them one can be canceled. */
static enum status sort_entries(struct load_entry *e, size_t n, struct load_entry *spare,
                                const uint32_t *stop)
{
    struct load_entry *from = e, *to = spare;
    for (size_t i = 0; i < n; i += SORT_PIECE) {
        TRY(go_on(stop));
        qsort(e + i, n - i < SORT_PIECE ? n - i : SORT_PIECE, sizeof *e, compare_entries);
    }
    for (size_t width = SORT_PIECE; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t na = n - i < width ? n - i : width, rest = n - i - na;
            TRY(merge_some(from + i, na, from + i + na, rest < width ? rest : width, to + i, stop));
        }
        struct load_entry *t = from;
        from = to;
        to = t;
    }
    if (from != e) memcpy(e, from, n * sizeof *e);
    return OK;
}

static enum status sort_part(struct load_part *p, const uint32_t *stop)
{
    size_t n = p->entries.count;
    struct load_entry *spare = mem_alloc(MEM_RUN, n * sizeof *spare);
    enum status st = sort_entries(p->entries.data, n, spare, stop);
    mem_free(MEM_RUN, spare);
    return st;
}

static enum status add_all(struct run_builder *b, const struct load_part *p, const uint32_t *stop)
{
    for (size_t i = 0; i < p->entries.count; i++) {
        if (i % POLL_ENTRIES == 0) TRY(go_on(stop));
        const struct load_item *item = p->entries.data[i].item;
        struct entry e = {.key = load_key(item), .row = load_row(item)};
        TRY(run_builder_add(b, &e));
    }
    return OK;
}

static enum status write_entries(struct load_part *p, const struct run_options *o, const uint32_t *stop)
{
    struct run_builder *b;
    TRY(run_builder_new(o, &b));
    enum status st = add_all(b, p, stop);
    if (st == OK) return run_builder_finish(b, &p->meta);
    run_builder_abort(b);
    return st;
}

/* Later runs of the load are held against the filter: where input is in order, none overlaps. */
enum { FILTER_BITS = 10, FILTER_BITS_UNSORTED = 16 };

static enum status write_part(struct load_part *p, struct forest *f, const uint32_t *stop)
{
    struct run_options o = {.blocks = f->blocks, .cache = f->cache, .tree = p->tree,
                            .filter_bits = p->unsorted ? FILTER_BITS_UNSORTED : FILTER_BITS,
                            .compress = true, .stamped = true, .columns = p->columns};
    if (!p->entries.count) return OK;
    if (p->unsorted) TRY(sort_part(p, stop));
    TRY(find_twice(p, stop, &p->twice));
    if (p->twice) return OK;
    enum status st = write_entries(p, &o, stop);
    if (st != COLUMNS_UNFIT) return st;
    o.keep_rows = true; /* the transaction has added a column */
    return write_entries(p, &o, stop);
}

enum status load_buffer__write(struct load_buffer *b, struct forest *f, const uint32_t *stop)
{
    for (uint32_t i = 0; i < b->count; i++) TRY(write_part(&b->parts[i], f, stop));
    return OK;
}
