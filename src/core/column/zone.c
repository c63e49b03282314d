/* Zone maps (docs/format/column.md). Strings keep 15 bytes: of the least the first ones, which
 * are not above it; of the greatest the first ones, counted up, which are above whatever begins
 * so. */
#include "core/column/zone.h"

#include "core/column/column_priv.h"
#include "types/numeric.h"
#include "types/record.h"

enum { SCALE_MAX = 16383 };

/* --- the ends of a range ---------------------------------------------------------------------- */

static bool has_range(type_id type)
{
    return type_rep(type) != REP_BYTES || type_is_textual(type) || type == TYPE_BYTEA;
}

/* False when it has no room. *ret_exact: nothing was cut. */
static bool put_end(type_id type, const union value *v, bool max, uint8_t *to, bool *ret_exact)
{
    memset(to, 0, 16);
    *ret_exact = true;
    if (type_rep(type) == REP_NUMERIC) {
        memcpy(to, &v->numeric.coefficient, 8);
        memcpy(to + 8, &v->numeric.scale, 2);
        return v->numeric.kind == NUMERIC_SMALL;
    }
    if (type_rep(type) != REP_BYTES) {
        memcpy(to, v, type_get(type)->width);
        return true;
    }
    uint32_t len = v->bytes.len;
    *ret_exact = len <= ZONE_STRING_MAX;
    if (len > ZONE_STRING_MAX) len = ZONE_STRING_MAX;
    memcpy(to, bytes_data(&v->bytes), len);
    if (!*ret_exact && max) {
        while (len && to[len - 1] == 0xff) to[--len] = 0;
        if (!len) return false;
        to[len - 1]++;
    }
    to[15] = (uint8_t)len;
    return true;
}

/* Strings point into the zone. */
static union value end_of(type_id type, const uint8_t *from)
{
    union value v = {0};
    if (type_rep(type) == REP_NUMERIC) {
        int64_t coefficient;
        uint16_t scale;
        memcpy(&coefficient, from, 8);
        memcpy(&scale, from + 8, 2);
        v.numeric = numeric_small(coefficient, scale);
    } else if (type_rep(type) == REP_BYTES) {
        v.bytes = bytes_ref((const char *)from, from[15]);
    } else {
        memcpy(&v, from, type_get(type)->width);
    }
    return v;
}

bool column_zone_valid(type_id type, const struct column_zone *z)
{
    static const int64_t limit = 1000000000000000000ll;
    const uint8_t *ends[] = {z->min, z->max};
    if (z->nulls > z->rows || z->flags > 15 || z->scale > SCALE_MAX) return false;
    if (!(z->flags & ZONE_RANGE)) return !(z->flags & (ZONE_MIN_EXACT | ZONE_MAX_EXACT));
    if (!has_range(type) || z->nulls == z->rows) return false;
    for (int e = 0; e < 2; e++) {
        if (type_rep(type) == REP_BYTES && ends[e][15] > ZONE_STRING_MAX) return false;
        if (type_rep(type) == REP_BOOL && ends[e][0] > 1) return false;
        if (type_rep(type) != REP_NUMERIC) continue;
        union value v = end_of(type, ends[e]);
        if (v.numeric.scale > SCALE_MAX || v.numeric.coefficient >= limit ||
            v.numeric.coefficient <= -limit)
            return false;
    }
    union value low = end_of(type, z->min), high = end_of(type, z->max);
    return value_compare(type, &low, &high) <= 0;
}

/* --- making ----------------------------------------------------------------------------------- */

static bool sums(type_id type)
{
    enum rep rep = type_rep(type);
    return rep == REP_I16 || rep == REP_I32 || rep == REP_I64 || rep == REP_NUMERIC;
}

static void put_sum(struct column_zone *z, __int128 sum)
{
    z->sum_low = (uint64_t)sum;
    z->sum_high = (int64_t)(sum >> 64);
}

static __int128 sum_of(const struct column_zone *z)
{
    return (__int128)((unsigned __int128)(uint64_t)z->sum_high << 64 | z->sum_low);
}

/* Adds a value up; false when its sum is not known any more. */
static bool sum_up(type_id type, const union value *v, bool first, struct column_zone *z,
                   __int128 *sum)
{
    if (type_rep(type) != REP_NUMERIC) {
        *sum += column__int_of(type_rep(type), v);
        return true;
    }
    if (first) z->scale = v->numeric.scale;
    *sum += v->numeric.coefficient;
    return v->numeric.kind == NUMERIC_SMALL && v->numeric.scale == z->scale;
}

static void forget_range(struct column_zone *z)
{
    memset(z->min, 0, sizeof z->min);
    memset(z->max, 0, sizeof z->max);
    z->flags &= ZONE_SUM;
}

/* Least, greatest and sum of so many integers. Halves of 8 bytes are summed up apart, so that neither overflows. */
#define SCAN_INTS(ctype, mask)                                                                     \
    do {                                                                                           \
        const ctype *data = VEC_DATA(v, const ctype);                                              \
        ctype low = (ctype)(data[0] & (mask)), high = low;                                         \
        int64_t lower = 0, upper = 0;                                                              \
        for (uint32_t i = 0; i < rows; i++) {                                                      \
            ctype x = (ctype)(data[i] & (mask));                                                   \
            low = x < low ? x : low;                                                               \
            high = x > high ? x : high;                                                            \
            lower += (int64_t)((uint64_t)x & UINT32_MAX);                                          \
            upper += (int64_t)x >> 32;                                                             \
        }                                                                                          \
        min = (int64_t)low, max = (int64_t)high;                                                   \
        sum = ((__int128)upper << 32) + lower;                                                     \
    } while (0)

/* Without NULLs; at least one row. */
static void make_dense_ints(enum rep rep, const struct vec *v, uint32_t rows, struct column_zone *z)
{
    int64_t min, max;
    __int128 sum;
    switch (rep) {
    case REP_BOOL: SCAN_INTS(uint8_t, 1); break;
    case REP_I16: SCAN_INTS(int16_t, -1); break;
    case REP_I32: SCAN_INTS(int32_t, -1); break;
    case REP_U32: SCAN_INTS(uint32_t, UINT32_MAX); break;
    default: SCAN_INTS(int64_t, -1);
    }
    z->flags |= ZONE_RANGE | ZONE_MIN_EXACT | ZONE_MAX_EXACT;
    if (rep != REP_BOOL && rep != REP_U32) {
        z->flags |= ZONE_SUM;
        put_sum(z, sum);
    }
    memcpy(z->min, &min, v->width); /* little-endian */
    memcpy(z->max, &max, v->width);
}

/* Numbers of one scale, without NULLs; at least one row. False: they are not. */
static bool make_dense_numerics(const struct vec *v, uint32_t rows, struct column_zone *z)
{
    const struct numeric *data = VEC_DATA(v, const struct numeric);
    int64_t min = data[0].coefficient, max = min;
    uint32_t other = data[0].kind ^ NUMERIC_SMALL;
    int64_t lower = 0, upper = 0;
    for (uint32_t i = 0; i < rows; i++) {
        int64_t x = data[i].coefficient;
        other |= (uint32_t)(data[i].kind ^ NUMERIC_SMALL) | (uint32_t)(data[i].scale ^ data[0].scale);
        min = x < min ? x : min;
        max = x > max ? x : max;
        lower += (int64_t)((uint64_t)x & UINT32_MAX);
        upper += x >> 32;
    }
    if (other) return false;
    bool exact;
    union value low = {.numeric = numeric_small(min, data[0].scale)};
    union value high = {.numeric = numeric_small(max, data[0].scale)};
    z->flags |= ZONE_SUM | ZONE_RANGE | ZONE_MIN_EXACT | ZONE_MAX_EXACT;
    z->scale = data[0].scale;
    put_sum(z, ((__int128)upper << 32) + lower);
    return put_end(v->type, &low, false, z->min, &exact) && put_end(v->type, &high, true, z->max, &exact);
}

/* The first bytes say so already, of a type that is ordered by its bytes. */
static bool lies_between(const struct bytes *b, const struct bytes *min, const struct bytes *max)
{
    uint32_t x, low, high;
    memcpy(&x, b->prefix, 4);
    memcpy(&low, min->prefix, 4);
    memcpy(&high, max->prefix, 4);
    x = __builtin_bswap32(x);
    return x > __builtin_bswap32(low) && x < __builtin_bswap32(high);
}

static bool has_nulls(const struct vec *v, uint32_t rows)
{
    for (uint32_t i = 0; v->nulls && i < rows; i++)
        if (nulls_get(v->nulls, i)) return true;
    return false;
}

/* Without a detour over values. False: it is for the ordinary way. */
static bool make_dense(type_id type, const struct vec *v, uint32_t rows, struct column_zone *z)
{
    enum rep rep = type_rep(type);
    bool ints = column__int_bytes(rep) != 0;
    if (v->form != VEC_FLAT || !rows || !(ints || rep == REP_NUMERIC) || has_nulls(v, rows)) return false;
    if (ints) make_dense_ints(rep, v, rows, z);
    return ints || make_dense_numerics(v, rows, z);
}

void column_zone_make(type_id type, const struct vec *v, uint32_t rows, struct column_zone *ret)
{
    struct column_zone z = {.rows = rows};
    struct datum d, min = {0}, max = {0};
    bool exact_min, exact_max, summed = sums(type), any = false;
    __int128 sum = 0;
    struct recent_values recent = {0};
    bool strings = type_rep(type) == REP_BYTES, prefixed = strings && type_is_bytewise(type), met;
    if (make_dense(type, v, rows, &z)) {
        *ret = z;
        return;
    }
    for (uint32_t i = 0; i < rows; i++) {
        vec_load(v, i, &d);
        if (d.null) {
            z.nulls++;
            continue;
        }
        if (strings) { /* the same again changes nothing */
            *column__recent(&recent, &d.v, true, &met) = 1;
            if (met || (prefixed && any && lies_between(&d.v.bytes, &min.v.bytes, &max.v.bytes))) continue;
        }
        if (summed) summed = sum_up(type, &d.v, !any, &z, &sum);
        if (!has_range(type)) continue;
        if (!any || value_compare(type, &d.v, &min.v) < 0) min = d;
        if (!any || value_compare(type, &d.v, &max.v) > 0) max = d;
        any = true;
    }
    if (summed) {
        z.flags |= ZONE_SUM;
        put_sum(&z, sum);
    } else {
        z.scale = 0;
    }
    if (any && put_end(type, &min.v, false, z.min, &exact_min) &&
        put_end(type, &max.v, true, z.max, &exact_max))
        z.flags |= (uint8_t)(ZONE_RANGE | (exact_min ? ZONE_MIN_EXACT : 0) |
                             (exact_max ? ZONE_MAX_EXACT : 0));
    else
        forget_range(&z);
    *ret = z;
}

void column_zone_add(type_id type, struct column_zone *into, const struct column_zone *more)
{
    struct column_zone a = *into;
    const struct column_zone *b = more;
    bool a_values = a.rows > a.nulls, b_values = b->rows > b->nulls;
    a.rows += b->rows;
    a.nulls += b->nulls;
    /* An empty sum has any scale. */
    bool same = !a_values || !b_values || a.scale == b->scale;
    __int128 sum = 0;
    if ((a.flags & b->flags & ZONE_SUM) && same &&
        !__builtin_add_overflow(sum_of(&a), sum_of(b), &sum)) {
        put_sum(&a, sum);
        if (!a_values) a.scale = b->scale;
    } else {
        put_sum(&a, 0);
        a.flags &= (uint8_t)~ZONE_SUM;
        a.scale = 0;
    }
    if (b_values && !a_values) {
        memcpy(a.min, b->min, 16);
        memcpy(a.max, b->max, 16);
        a.flags = (uint8_t)((a.flags & ZONE_SUM) | (b->flags & ~ZONE_SUM));
    } else if (b_values && !(a.flags & b->flags & ZONE_RANGE)) {
        forget_range(&a);
    } else if (b_values) {
        union value low = end_of(type, a.min), high = end_of(type, a.max);
        union value other_low = end_of(type, b->min), other_high = end_of(type, b->max);
        int order = value_compare(type, &other_low, &low);
        /* Of equal ends one that is exact is exact. */
        if (order < 0) memcpy(a.min, b->min, 16);
        if (order < 0) a.flags &= (uint8_t)~ZONE_MIN_EXACT;
        if (order <= 0) a.flags |= b->flags & ZONE_MIN_EXACT;
        order = value_compare(type, &other_high, &high);
        if (order > 0) memcpy(a.max, b->max, 16);
        if (order > 0) a.flags &= (uint8_t)~ZONE_MAX_EXACT;
        if (order >= 0) a.flags |= b->flags & ZONE_MAX_EXACT;
    }
    *into = a;
}

/* --- pruning ---------------------------------------------------------------------------------- */

/* Of the values that are not NULL, all of which lie within low … high. */
static enum column_match test_range(type_id type, const union value *low, const union value *high,
                                    enum column_op op, const struct datum *c)
{
    int from = value_compare(type, low, &c->v), to = value_compare(type, high, &c->v);
    const enum column_match none = COLUMN_MATCH_NONE, all = COLUMN_MATCH_ALL;
    switch (op) {
    case COLUMN_EQ:
        if (from > 0 || to < 0) return none;
        return from == 0 && to == 0 ? all : COLUMN_MATCH_SOME;
    case COLUMN_NE:
        if (from > 0 || to < 0) return all;
        return from == 0 && to == 0 ? none : COLUMN_MATCH_SOME;
    case COLUMN_LT: return from >= 0 ? none : to < 0 ? all : COLUMN_MATCH_SOME;
    case COLUMN_LE: return from > 0 ? none : to <= 0 ? all : COLUMN_MATCH_SOME;
    case COLUMN_GT: return to <= 0 ? none : from > 0 ? all : COLUMN_MATCH_SOME;
    case COLUMN_GE: return to < 0 ? none : from >= 0 ? all : COLUMN_MATCH_SOME;
    default: return COLUMN_MATCH_SOME;
    }
}

static enum column_match both(enum column_match a, enum column_match b)
{
    if (a == COLUMN_MATCH_NONE || b == COLUMN_MATCH_NONE) return COLUMN_MATCH_NONE;
    return a == b ? a : COLUMN_MATCH_SOME;
}

static enum column_match test_prefix(const union value *low, const union value *high,
                                     const struct datum *c)
{
    struct slice a = bytes_slice(&low->bytes), b = bytes_slice(&high->bytes);
    struct slice prefix = bytes_slice(&c->v.bytes);
    if (slice_starts(a, prefix) && slice_starts(b, prefix)) return COLUMN_MATCH_ALL;
    if (!slice_starts(a, prefix) && slice_cmp(a, prefix) > 0) return COLUMN_MATCH_NONE;
    return slice_cmp(b, prefix) < 0 ? COLUMN_MATCH_NONE : COLUMN_MATCH_SOME;
}

static enum column_match test_values(type_id type, const struct column_zone *z,
                                     const struct column_test *t)
{
    const struct datum *c = t->values;
    enum column_match m = COLUMN_MATCH_NONE;
    bool range = z->flags & ZONE_RANGE;
    union value low = range ? end_of(type, z->min) : (union value){0};
    union value high = range ? end_of(type, z->max) : (union value){0};
    for (uint32_t k = 0; t->op != COLUMN_IN && k < t->count; k++)
        if (c[k].null) return COLUMN_MATCH_NONE;
    if (!range) return COLUMN_MATCH_SOME;
    switch (t->op) {
    case COLUMN_BETWEEN:
        return both(test_range(type, &low, &high, COLUMN_GE, &c[0]),
                    test_range(type, &low, &high, COLUMN_LE, &c[1]));
    case COLUMN_IN:
        for (uint32_t k = 0; k < t->count; k++) {
            if (c[k].null) continue;
            enum column_match one = test_range(type, &low, &high, COLUMN_EQ, &c[k]);
            m = one > m ? one : m;
        }
        return m;
    case COLUMN_PREFIX: return test_prefix(&low, &high, &c[0]);
    default: return test_range(type, &low, &high, t->op, &c[0]);
    }
}

enum column_match column_zone_test(type_id type, const struct column_zone *z,
                                   const struct column_test *t)
{
    bool all_null = z->nulls == z->rows;
    if (t->op == COLUMN_IS_NULL)
        return all_null ? COLUMN_MATCH_ALL : z->nulls ? COLUMN_MATCH_SOME : COLUMN_MATCH_NONE;
    if (t->op == COLUMN_IS_NOT_NULL)
        return all_null ? COLUMN_MATCH_NONE : z->nulls ? COLUMN_MATCH_SOME : COLUMN_MATCH_ALL;
    if (all_null) return COLUMN_MATCH_NONE;
    enum column_match m = test_values(type, z, t);
    return m == COLUMN_MATCH_ALL && z->nulls ? COLUMN_MATCH_SOME : m;
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool exact_end(type_id type, const struct column_zone *z, uint8_t flag, const uint8_t *end,
                      struct arena *a, union value *ret)
{
    if (!(z->flags & flag)) return false;
    *ret = value_copy(a, type, end_of(type, end));
    return true;
}

bool column_zone_min(type_id type, const struct column_zone *z, struct arena *a, union value *ret)
{
    return exact_end(type, z, ZONE_MIN_EXACT, z->min, a, ret);
}

bool column_zone_max(type_id type, const struct column_zone *z, struct arena *a, union value *ret)
{
    return exact_end(type, z, ZONE_MAX_EXACT, z->max, a, ret);
}

bool column_zone_sum(const struct column_zone *z, __int128 *ret_sum, uint16_t *ret_scale)
{
    if (!(z->flags & ZONE_SUM)) return false;
    *ret_sum = sum_of(z);
    *ret_scale = z->scale;
    return true;
}
