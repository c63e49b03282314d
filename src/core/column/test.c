/* Tests of a block, while it is encoded where that is possible (docs/design/column.md).
 *
 * Values of a block have keys: integers in the values' order, which are what the block stores:
 * the numbers themselves, coefficients at the block's scale, or codes. A constant becomes the
 * greatest key not above it, and whether that is just it; so each test is one range of keys, or
 * several for IN, and the streams compare ranges with what is packed. Where there are no such
 * keys values are decoded and compared. */
#include "core/column/column_priv.h"

#include <stdlib.h>

#include "types/numeric.h"

bool column_can_test(type_id type, enum column_op op)
{
    const struct type_info *t = type_get(type);
    if (!t) return false;
    if (op == COLUMN_PREFIX) return type == TYPE_TEXT || type == TYPE_VARCHAR;
    return true;
}

uint32_t column_select(const uint64_t *mask, uint16_t *ret_sel)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < MASK_WORDS; w++)
        for (uint64_t bits = mask[w]; bits; bits &= bits - 1)
            ret_sel[n++] = (uint16_t)(64 * w + (uint32_t)__builtin_ctzll(bits));
    return n;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Where a constant stands among the keys. */
struct place {
    int64_t key; /* the greatest that is not above it */
    bool exact;
    bool below;  /* it is below all keys; `key` says nothing */
};

static struct place place_in_dictionary(const struct column_shared *s, const union value *v)
{
    uint32_t low = 0, high = s->dictionary_count; /* the first not below v */
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        struct datum d = vec_get(&s->dictionary, mid);
        if (value_compare(s->type, &d.v, v) < 0) low = mid + 1;
        else high = mid;
    }
    bool exact = false;
    if (low < s->dictionary_count) {
        struct datum d = vec_get(&s->dictionary, low);
        exact = !value_compare(s->type, &d.v, v);
    }
    if (exact) return (struct place){.key = low, .exact = true};
    return (struct place){.key = (int64_t)low - 1, .below = low == 0};
}

/* A coefficient at `scale` for a number of any; those of BIG numbers are not known here. */
static bool place_of_numeric(const struct numeric *x, uint16_t scale, struct place *ret)
{
    static const int64_t limit = INT64_MAX / 2; /* beyond all coefficients */
    if (x->kind == NUMERIC_BIG) return false;
    if (x->kind != NUMERIC_SMALL) {
        *ret = (struct place){.key = limit, .below = x->kind == NUMERIC_NINF};
        return true;
    }
    __int128 c = x->coefficient, ten = 10;
    bool exact = true;
    for (int up = scale - x->scale; up > 0 && c < limit && c > -limit; up--) c *= ten;
    for (int down = x->scale - scale; down > 0 && (c || exact); down--) {
        __int128 rest = c % ten;
        c /= ten;
        if (rest) exact = false;
        if (rest < 0) c--; /* rounded down */
        if (c == -1 && !exact) break; /* stays there */
    }
    if (c > limit) *ret = (struct place){.key = limit};
    else if (c < -limit) *ret = (struct place){.below = true};
    else *ret = (struct place){.key = (int64_t)c, .exact = exact};
    return true;
}

/* False when values of the block have no keys. */
static bool place_of(const struct column_block *b, const union value *v, struct place *ret)
{
    switch (b->h.encoding) {
    case COLUMN_CODES: *ret = place_in_dictionary(b->shared, v); return true;
    case COLUMN_INTS:
        *ret = (struct place){.key = column__int_of((enum rep)b->rep, v), .exact = true};
        return true;
    case COLUMN_FLOATS:
        *ret = (struct place){.exact = true};
        ret->key = floats__key(b->rep == REP_F64 ? v->f64 : (double)v->f32);
        return true;
    case COLUMN_NUMERICS:
        if (b->numerics.scales.encoding != INTS_CONST || b->numerics.exceptions) return false;
        return place_of_numeric(&v->numeric, (uint16_t)b->numerics.scales.base, ret);
    default: return false;
    }
}

/* --- ranges of keys --------------------------------------------------------------------------- */

struct range {
    int64_t low, high;
};

/* From the first key at or above a constant, to the last at or below it, excluding it when
 * `strict`. False: none. */
static bool low_end(const struct place *p, bool strict, int64_t *ret)
{
    *ret = INT64_MIN;
    if (p->below) return true;
    if (p->exact && !strict) *ret = p->key;
    else if (p->key == INT64_MAX) return false;
    else *ret = p->key + 1;
    return true;
}
static bool high_end(const struct place *p, bool strict, int64_t *ret)
{
    if (p->below) return false;
    *ret = p->key;
    if (!(p->exact && strict)) return true;
    if (p->key == INT64_MIN) return false;
    *ret = p->key - 1;
    return true;
}

static bool range_of(enum column_op op, const struct place *p, struct range *ret)
{
    struct range r = {INT64_MIN, INT64_MAX};
    bool some = true;
    switch (op) {
    case COLUMN_EQ:
    case COLUMN_NE:
    case COLUMN_IN:
        some = p->exact && !p->below;
        r = (struct range){p->key, p->key};
        break;
    case COLUMN_LT: some = high_end(p, true, &r.high); break;
    case COLUMN_LE: some = high_end(p, false, &r.high); break;
    case COLUMN_GT: some = low_end(p, true, &r.low); break;
    case COLUMN_GE: some = low_end(p, false, &r.low); break;
    default: /* BETWEEN */
        some = low_end(&p[0], false, &r.low) && high_end(&p[1], false, &r.high);
    }
    *ret = r;
    return some && r.low <= r.high;
}

static int by_low(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

/* In order, neighbours made one. */
static uint32_t unite(struct range *r, uint32_t n)
{
    uint32_t kept = 0;
    if (n > 1) qsort(r, n, sizeof *r, by_low);
    for (uint32_t i = 0; i < n; i++) {
        struct range *last = kept ? &r[kept - 1] : NULL;
        if (last && (last->high == INT64_MAX || r[i].low <= last->high + 1)) {
            if (r[i].high > last->high) last->high = r[i].high;
        } else {
            r[kept++] = r[i];
        }
    }
    return kept;
}

/* Codes of the values that begin so. */
static bool prefix_range(const struct column_shared *s, struct slice prefix, struct range *ret)
{
    uint32_t ends[2];
    for (int end = 0; end < 2; end++) {
        uint32_t low = 0, high = s->dictionary_count;
        while (low < high) {
            uint32_t mid = (low + high) / 2;
            const struct bytes *b = &VEC_DATA(&s->dictionary, struct bytes)[mid];
            struct slice one = bytes_slice(b);
            int order = slice_starts(one, prefix) ? 0 : slice_cmp(one, prefix);
            if (order < 0 || (end && order == 0)) low = mid + 1;
            else high = mid;
        }
        ends[end] = low;
    }
    *ret = (struct range){ends[0], (int64_t)ends[1] - 1};
    return ends[0] < ends[1];
}

/* --- one range, several ----------------------------------------------------------------------- */

static void test_range(const struct column_block *b, struct range r, uint64_t *mask)
{
    switch (b->h.encoding) {
    case COLUMN_CODES: {
        int64_t last = (int64_t)b->shared->dictionary_count - 1; /* a NULL's code is above */
        ints__range(&b->ints, r.low, r.high < last ? r.high : last, mask);
        break;
    }
    case COLUMN_INTS: ints__range(&b->ints, r.low, r.high, mask); break;
    case COLUMN_FLOATS: floats__range(&b->floats, r.low, r.high, mask); break;
    default: ints__range(&b->numerics.coefficients, r.low, r.high, mask);
    }
}

/* Many: each value is sought among them. */
static void search_ranges(const struct column_block *b, const struct range *r, uint32_t n,
                          uint64_t *mask)
{
    int64_t keys[INTS_MAX];
    bool numerics = b->h.encoding == COLUMN_NUMERICS;
    int64_t null = b->h.encoding == COLUMN_CODES ? b->shared->dictionary_count : INT64_MAX;
    bool codes = b->h.encoding == COLUMN_CODES;
    ints__decode(numerics ? &b->numerics.coefficients : &b->ints, 8, keys);
    mask__fill(mask, b->h.count, false);
    for (uint32_t i = 0; i < b->h.count; i++) {
        uint32_t low = 0, high = n; /* the first range that begins above */
        while (low < high) {
            uint32_t mid = (low + high) / 2;
            if (r[mid].low <= keys[i]) low = mid + 1;
            else high = mid;
        }
        bool hit = low && keys[i] <= r[low - 1].high && !(codes && keys[i] >= null);
        mask[i / 64] |= (uint64_t)hit << i % 64;
    }
}

static void test_ranges(const struct column_block *b, const struct range *r, uint32_t n,
                        uint64_t *mask)
{
    enum { FEW = 6 };
    uint64_t more[MASK_WORDS];
    if (n > FEW && b->h.encoding != COLUMN_FLOATS) {
        search_ranges(b, r, n, mask);
        return;
    }
    mask__fill(mask, b->h.count, false);
    for (uint32_t k = 0; k < n; k++) {
        test_range(b, r[k], k ? more : mask);
        for (uint32_t w = 0; k && w < MASK_WORDS; w++) mask[w] |= more[w];
    }
}

/* False when there are no keys. */
static bool test_keys(const struct column_block *b, const struct column_test *t, struct arena *a,
                      uint64_t *mask)
{
    struct range *r = ARENA_ARRAY(a, struct range, t->count + 1);
    struct place p[2] = {{0}};
    uint32_t n = 0;
    bool codes = b->h.encoding == COLUMN_CODES;
    if (t->op == COLUMN_PREFIX) {
        if (!codes || type_rep(b->type) != REP_BYTES) return false;
        n = prefix_range(b->shared, bytes_slice(&t->values[0].v.bytes), &r[0]);
    } else if (t->op == COLUMN_BETWEEN) {
        if (!place_of(b, &t->values[0].v, &p[0]) || !place_of(b, &t->values[1].v, &p[1]))
            return false;
        n = range_of(t->op, p, &r[0]);
    } else {
        for (uint32_t k = 0; k < t->count; k++) {
            if (t->values[k].null) continue;
            if (!place_of(b, &t->values[k].v, p)) return false;
            n += range_of(t->op, p, &r[n]);
        }
        n = unite(r, n);
    }
    test_ranges(b, r, n, mask);
    return true;
}

/* --- comparing values ------------------------------------------------------------------------- */

static bool value_passes(type_id type, const union value *v, const struct column_test *t)
{
    const struct datum *c = t->values;
    switch (t->op) {
    case COLUMN_EQ:
    case COLUMN_NE: /* negated later */
    case COLUMN_IN:
        for (uint32_t k = 0; k < t->count; k++)
            if (!c[k].null && !value_compare(type, v, &c[k].v)) return true;
        return false;
    case COLUMN_LT: return value_compare(type, v, &c->v) < 0;
    case COLUMN_LE: return value_compare(type, v, &c->v) <= 0;
    case COLUMN_GT: return value_compare(type, v, &c->v) > 0;
    case COLUMN_GE: return value_compare(type, v, &c->v) >= 0;
    case COLUMN_BETWEEN:
        return value_compare(type, v, &c[0].v) >= 0 && value_compare(type, v, &c[1].v) <= 0;
    default: return slice_starts(bytes_slice(&v->bytes), bytes_slice(&c->v.bytes));
    }
}

/* Text is alike when its bytes are; blanks at the end of char(n) do not count. */
static bool compares_bytes(const struct column_block *b, const struct column_test *t)
{
    bool equality = t->op == COLUMN_EQ || t->op == COLUMN_NE || t->op == COLUMN_IN;
    return equality && b->h.encoding == COLUMN_STRINGS &&
           (type_is_textual(b->type) || b->type == TYPE_BYTEA) && b->type != TYPE_BPCHAR;
}

static enum status test_values(const struct column_block *b, const struct column_test *t,
                               struct arena *a, uint64_t *mask)
{
    struct vec v;
    mask__fill(mask, b->h.count, false);
    if (compares_bytes(b, t)) {
        struct slice *values = ARENA_ARRAY(a, struct slice, t->count + 1);
        uint32_t n = 0;
        for (uint32_t k = 0; k < t->count; k++)
            if (!t->values[k].null) values[n++] = bytes_slice(&t->values[k].v.bytes);
        const char *wrong = strings__one_of(&b->strings, values, n, mask);
        return wrong ? column__corrupted(b, wrong) : OK;
    }
    TRY(column__flat(b, NULL, b->h.count, a, &v));
    for (uint32_t i = 0; i < b->h.count; i++) {
        struct datum d;
        vec_load(&v, i, &d);
        if (!d.null && value_passes(b->type, &d.v, t)) mask__put(mask, i, true);
    }
    return OK;
}

/* --- entry ------------------------------------------------------------------------------------ */

/* Rows that are NULL. */
static enum status nulls_of(const struct column_block *b, uint64_t *mask)
{
    if (b->h.encoding == COLUMN_NULLS) {
        mask__fill(mask, b->h.count, true);
    } else if (b->h.encoding == COLUMN_CODES) {
        ints__range(&b->ints, b->shared->dictionary_count, INT64_MAX, mask);
    } else {
        memcpy(mask, b->nulls, sizeof b->nulls);
    }
    return OK;
}

/* Is it true of no row, whatever they hold? */
static bool is_never(const struct column_test *t)
{
    if (t->op == COLUMN_IN) return false;
    for (uint32_t k = 0; k < t->count; k++)
        if (t->values[k].null) return true;
    return false;
}

static void negate(uint64_t *mask, uint32_t count)
{
    for (uint32_t w = 0; w < MASK_WORDS; w++) mask[w] = ~mask[w];
    mask__cut(mask, count);
}

enum status column_test(const struct column_block *b, const struct column_test *t, uint64_t *mask)
{
    struct arena a;
    uint64_t nulls[MASK_WORDS];
    ASSERT(column_can_test(b->type, t->op));
    TRY(nulls_of(b, nulls));
    if (t->op == COLUMN_IS_NULL || t->op == COLUMN_IS_NOT_NULL) {
        memcpy(mask, nulls, sizeof nulls);
        if (t->op == COLUMN_IS_NOT_NULL) negate(mask, b->h.count);
        return OK;
    }
    mask__fill(mask, b->h.count, false);
    if (is_never(t) || b->h.encoding == COLUMN_NULLS) return OK;
    arena_init(&a, MEM_QUERY);
    enum status st = OK;
    if (!test_keys(b, t, &a, mask)) st = test_values(b, t, &a, mask);
    arena_release(&a);
    if (t->op == COLUMN_NE) negate(mask, b->h.count);
    for (uint32_t w = 0; w < MASK_WORDS; w++) mask[w] &= ~nulls[w];
    return st;
}
