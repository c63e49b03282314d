/* From conditions on key columns to ranges of bytes. A part of a key begins with a marker: 01 NULL
 * first, 02 a value, 03 NULL last; in descending parts every byte is inverted, so that bounds change
 * sides (types/key.h). */
#include "exec/ops/key_range.h"

#include <stdlib.h>

#include "types/array.h"
#include "types/key.h"

enum { MARK_VALUE = 0x02 };

struct builder {
    struct execution *x;
    const struct key_range *range;
    const struct index_def *index;
    bool unique;
    struct arena *arena;
    ARRAY(struct byte_range) out; /* in the arena */
};

static struct slice encoded(struct builder *b, struct slice prefix, uint32_t column, struct datum d)
{
    struct strbuf s;
    strbuf_init(&s, b->arena);
    strbuf_add(&s, prefix.data, prefix.len);
    struct key_part part = op__index_part(b->index, column);
    key_encode(&part, d, &s);
    return strbuf_slice(&s);
}

/* The least key above all that begin with s; data NULL when there is none. */
static struct slice after(struct builder *b, struct slice s)
{
    struct strbuf t;
    strbuf_init(&t, b->arena);
    strbuf_add(&t, s.data, s.len);
    if (!key_successor(&t)) return (struct slice){0};
    return strbuf_slice(&t);
}

static struct slice marked(struct builder *b, struct slice prefix, unsigned char marker)
{
    struct strbuf s;
    strbuf_init(&s, b->arena);
    strbuf_add(&s, prefix.data, prefix.len);
    strbuf_addc(&s, (char)marker);
    return strbuf_slice(&s);
}

static void add_prefix(struct builder *b, struct slice prefix, uint32_t columns)
{
    struct byte_range r = {prefix, after(b, prefix),
                           b->unique && columns == b->index->key_count};
    ARENA_PUSH(b->arena, &b->out, r);
}

/* lower and upper on column `column`, behind the prefix. */
static enum status add_bounds(struct builder *b, struct slice prefix, uint32_t column)
{
    const struct key_range *k = b->range;
    struct datum lo = {.null = true}, hi = {.null = true};
    if (k->lower) {
        TRY(exec_eval_row(b->x, k->lower, NULL, b->arena, &lo));
        if (lo.null) return OK; /* nothing compares with NULL */
    }
    if (k->upper) {
        TRY(exec_eval_row(b->x, k->upper, NULL, b->arena, &hi));
        if (hi.null) return OK;
    }
    bool descending = b->index->columns[column].descending;
    struct slice values = marked(b, prefix, descending ? (unsigned char)~MARK_VALUE : MARK_VALUE);
    struct datum first = descending ? hi : lo, last = descending ? lo : hi;
    bool has_first = descending ? k->upper != NULL : k->lower != NULL;
    bool has_last = descending ? k->lower != NULL : k->upper != NULL;
    bool first_inclusive = descending ? k->upper_inclusive : k->lower_inclusive;
    bool last_inclusive = descending ? k->lower_inclusive : k->upper_inclusive;
    struct byte_range r = {values, after(b, values), false};
    if (has_first) {
        r.lower = encoded(b, prefix, column, first);
        if (!first_inclusive) r.lower = after(b, r.lower);
    }
    if (has_last) {
        r.upper = encoded(b, prefix, column, last);
        if (last_inclusive) r.upper = after(b, r.upper);
    }
    if (r.upper.data && slice_cmp(r.lower, r.upper) >= 0) return OK;
    ARENA_PUSH(b->arena, &b->out, r);
    return OK;
}

static int compare_slices(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* One range a distinct value of an IN list. */
static enum status add_list(struct builder *b, struct slice prefix, uint32_t column)
{
    const struct key_range *k = b->range;
    struct datum *values;
    uint32_t n = 0;
    if (k->in_array) {
        struct datum array;
        TRY(exec_eval_row(b->x, k->in_array, NULL, b->arena, &array));
        if (array.null) return OK;
        struct array_view view;
        TRY(array_open(&array.v.bytes, b->arena, &view));
        values = view.elements;
        n = view.count;
    } else {
        values = ARENA_ARRAY(b->arena, struct datum, k->in_count);
        for (; n < k->in_count; n++)
            TRY(exec_eval_row(b->x, k->in_list[n], NULL, b->arena, &values[n]));
    }
    struct slice *keys = ARENA_ARRAY(b->arena, struct slice, n + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!values[i].null) keys[count++] = encoded(b, prefix, column, values[i]);
    if (count > 1) qsort(keys, count, sizeof *keys, compare_slices);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || !slice_eq(keys[i], keys[i - 1])) add_prefix(b, keys[i], column + 1);
    return OK;
}

enum status key_ranges(struct execution *x, const struct key_range *r, const struct index_def *index,
                       bool unique, struct arena *a, struct byte_range **ret, uint32_t *ret_count)
{
    struct builder b = {x, r, index, unique, a, {0}};
    struct slice prefix = {0};
    *ret_count = 0;
    for (uint32_t i = 0; i < r->equal_count; i++) {
        struct datum d;
        TRY(exec_eval_row(x, r->equal[i], NULL, a, &d));
        if (d.null) return OK;
        prefix = encoded(&b, prefix, i, d);
    }
    if (r->in_list || r->in_array) {
        TRY(add_list(&b, prefix, r->equal_count));
    } else if (r->lower || r->upper) {
        TRY(add_bounds(&b, prefix, r->equal_count));
    } else if (r->equal_count) {
        add_prefix(&b, prefix, r->equal_count);
    } else {
        struct byte_range all = {0};
        ARENA_PUSH(a, &b.out, all);
    }
    *ret = b.out.data;
    *ret_count = (uint32_t)b.out.count;
    return OK;
}
