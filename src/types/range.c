/* Ranges and multiranges: which there are, their bytes, their making, their order. */
#include "types/range.h"

#include "types/datetime.h"
#include "types/element_priv.h"
#include "types/value_priv.h"

enum { HEADER = 8, LENGTH = 4 };
/* As on PostgreSQL's wire. */
enum { EMPTY = 1, LOWER_INC = 2, UPPER_INC = 4, LOWER_INF = 8, UPPER_INF = 16 };

static const struct {
    type_id range, multirange, subtype;
} families[] = {
    {TYPE_INT4RANGE, TYPE_INT4MULTIRANGE, TYPE_INT4},
    {TYPE_NUMRANGE, TYPE_NUMMULTIRANGE, TYPE_NUMERIC},
    {TYPE_TSRANGE, TYPE_TSMULTIRANGE, TYPE_TIMESTAMP},
    {TYPE_TSTZRANGE, TYPE_TSTZMULTIRANGE, TYPE_TIMESTAMPTZ},
    {TYPE_DATERANGE, TYPE_DATEMULTIRANGE, TYPE_DATE},
    {TYPE_INT8RANGE, TYPE_INT8MULTIRANGE, TYPE_INT8},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static int family_of(type_id t)
{
    for (int i = 0; i < FAMILIES; i++)
        if (families[i].range == t || families[i].multirange == t) return i;
    return -1;
}

bool type_is_range(type_id t)
{
    int i = family_of(t);
    return i >= 0 && families[i].range == t;
}

bool type_is_multirange(type_id t)
{
    int i = family_of(t);
    return i >= 0 && families[i].multirange == t;
}

type_id range_subtype(type_id t)
{
    int i = family_of(t);
    return i < 0 ? TYPE_NONE : families[i].subtype;
}

type_id range_multirange(type_id t)
{
    int i = family_of(t);
    return i < 0 ? TYPE_NONE : families[i].multirange;
}

type_id range_of(type_id t)
{
    int i = family_of(t);
    return i < 0 ? TYPE_NONE : families[i].range;
}

type_id range_over(type_id subtype)
{
    for (int i = 0; i < FAMILIES; i++)
        if (families[i].subtype == subtype) return families[i].range;
    return TYPE_NONE;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static enum status corrupt(void) { return FAIL(DATA_CORRUPTED, "malformed range"); }

static enum status open_bound(struct slice s, size_t *at, enum rep rep, struct arena *a,
                              struct range_bound *ret)
{
    uint32_t len;
    if (ret->infinite) return OK;
    if (s.len - *at < LENGTH) return corrupt();
    memcpy(&len, s.data + *at, LENGTH);
    *at += LENGTH;
    if (len > s.len - *at ||
        !element__read(rep, slice_make(s.data + *at, len), a, &ret->v))
        return corrupt();
    *at += len;
    return OK;
}

enum status ranges_open(const struct bytes *b, struct arena *a, struct ranges *ret)
{
    struct slice s = bytes_slice(b);
    size_t at = HEADER;
    uint32_t given;
    if (s.len < HEADER) return corrupt();
    memcpy(&ret->type, s.data, sizeof ret->type);
    memcpy(&given, s.data + 4, sizeof given);
    if (!type_is_range(ret->type) || given > s.len - HEADER) return corrupt();
    enum rep rep = type_rep(range_subtype(ret->type));
    ret->count = 0;
    ret->items = ARENA_ARRAY(a, struct range, given + 1);
    for (uint32_t i = 0; i < given; i++) {
        if (at == s.len) return corrupt();
        uint8_t flags = (uint8_t)s.data[at++];
        struct range *r = &ret->items[ret->count++];
        *r = (struct range){.empty = flags & EMPTY,
                            .lower = {.lower = true, .infinite = flags & (LOWER_INF | EMPTY),
                                      .inclusive = flags & LOWER_INC},
                            .upper = {.infinite = flags & (UPPER_INF | EMPTY),
                                      .inclusive = flags & UPPER_INC}};
        TRY(open_bound(s, &at, rep, a, &r->lower));
        TRY(open_bound(s, &at, rep, a, &r->upper));
        if (r->empty) ret->count--;
    }
    return at == s.len ? OK : corrupt();
}

static void close_bound(const struct range_bound *b, enum rep rep, struct strbuf *out)
{
    struct datum d = {.v = b->v};
    if (!b->infinite) element__write(rep, &d, out);
}

struct bytes ranges_close(const struct ranges *r, struct arena *a)
{
    struct strbuf b;
    uint32_t type = r->type;
    enum rep rep = type_rep(range_subtype(type));
    strbuf_init(&b, a);
    strbuf_add(&b, &type, sizeof type);
    strbuf_add(&b, &r->count, sizeof r->count);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct range *x = &r->items[i];
        strbuf_addc(&b, (char)((x->lower.inclusive ? LOWER_INC : 0) |
                               (x->upper.inclusive ? UPPER_INC : 0) |
                               (x->lower.infinite ? LOWER_INF : 0) |
                               (x->upper.infinite ? UPPER_INF : 0)));
        close_bound(&x->lower, rep, &b);
        close_bound(&x->upper, rep, &b);
    }
    return bytes_ref(b.data, (uint32_t)b.len);
}

/* --- order ------------------------------------------------------------------------------------ */

static int compare_values(type_id type, const struct range_bound *a, const struct range_bound *b)
{
    if (a->infinite && b->infinite) return a->lower == b->lower ? 0 : a->lower ? -1 : 1;
    if (a->infinite) return a->lower ? -1 : 1;
    if (b->infinite) return b->lower ? 1 : -1;
    return value_compare(range_subtype(type), &a->v, &b->v);
}

int range_compare_bounds(type_id type, const struct range_bound *a, const struct range_bound *b)
{
    int c = compare_values(type, a, b);
    if (c || a->infinite || (a->inclusive && b->inclusive)) return c;
    if (!a->inclusive && !b->inclusive) return a->lower == b->lower ? 0 : a->lower ? 1 : -1;
    if (!a->inclusive) return a->lower ? 1 : -1;
    return b->lower ? -1 : 1;
}

static bool touches(type_id type, const struct range_bound *upper, const struct range_bound *lower)
{
    return compare_values(type, upper, lower) == 0 && upper->inclusive != lower->inclusive;
}

bool range_adjacent(type_id type, const struct range *a, const struct range *b)
{
    if (a->empty || b->empty) return false;
    return touches(type, &a->upper, &b->lower) || touches(type, &b->upper, &a->lower);
}

static int compare_ranges(type_id type, const struct range *a, const struct range *b)
{
    int c = range_compare_bounds(type, &a->lower, &b->lower);
    return c ? c : range_compare_bounds(type, &a->upper, &b->upper);
}

int ranges_compare(const struct bytes *a, const struct bytes *b)
{
    struct ranges x, y;
    struct arena arena;
    int c = 0;
    if (bytes_eq(a, b)) return 0;
    arena_init(&arena, MEM_QUERY);
    if (ranges_open(a, &arena, &x) != OK || ranges_open(b, &arena, &y) != OK || x.type != y.type) {
        c = bytes_cmp(a, b); /* damaged bytes still have an order */
    } else {
        for (uint32_t i = 0; !c && i < x.count && i < y.count; i++)
            c = compare_ranges(x.type, &x.items[i], &y.items[i]);
        if (!c) c = (x.count > y.count) - (x.count < y.count);
    }
    arena_release(&arena);
    return c;
}

static uint64_t hash_bound(type_id subtype, const struct range_bound *b)
{
    if (b->infinite) return VALUE_HASH_NULL;
    return hash_combine(b->inclusive, value_hash(subtype, &b->v));
}

uint64_t ranges_hash(const struct bytes *b)
{
    struct ranges r;
    struct arena arena;
    uint64_t h = VALUE_HASH_NULL;
    arena_init(&arena, MEM_QUERY);
    if (ranges_open(b, &arena, &r) != OK) {
        h = value__hash_bytes(b);
    } else {
        type_id subtype = range_subtype(r.type);
        for (uint32_t i = 0; i < r.count; i++) {
            h = hash_combine(h, hash_bound(subtype, &r.items[i].lower));
            h = hash_combine(h, hash_bound(subtype, &r.items[i].upper));
        }
    }
    arena_release(&arena);
    return h;
}

/* --- making ----------------------------------------------------------------------------------- */

/* The next value of a subtype whose values are counted. */
static enum status advance(type_id subtype, union value *v)
{
    switch (subtype) {
    case TYPE_INT4:
        if (__builtin_add_overflow(v->i32, 1, &v->i32))
            return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
        return OK;
    case TYPE_INT8:
        if (__builtin_add_overflow(v->i64, 1, &v->i64))
            return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
        return OK;
    default:
        v->i32++;
        if (v->i32 == DATE_NOEND || !date_is_valid(v->i32))
            return FAIL(DATETIME_FIELD_OVERFLOW, "date out of range");
        return OK;
    }
}

/* Of counted values: from the first that is in to the first that is not. */
static enum status canonical_bound(type_id subtype, struct range_bound *b)
{
    bool counted = subtype == TYPE_INT4 || subtype == TYPE_INT8 || subtype == TYPE_DATE;
    if (!counted || b->infinite || b->inclusive == b->lower) return OK;
    if (subtype == TYPE_DATE && (b->v.i32 == DATE_NOBEGIN || b->v.i32 == DATE_NOEND)) return OK;
    TRY(advance(subtype, &b->v));
    b->inclusive = b->lower;
    return OK;
}

static bool is_empty(type_id type, const struct range *r)
{
    int c = compare_values(type, &r->lower, &r->upper);
    return c > 0 || (c == 0 && !(r->lower.inclusive && r->upper.inclusive));
}

enum status range_make(type_id type, const struct range_bound *lower,
                       const struct range_bound *upper, struct arena *a, struct range *ret)
{
    struct range r = {.lower = *lower, .upper = *upper};
    (void)a;
    r.lower.lower = true;
    r.upper.lower = false;
    if (r.lower.infinite) r.lower.inclusive = false;
    if (r.upper.infinite) r.upper.inclusive = false;
    if (compare_values(type, &r.lower, &r.upper) > 0)
        return FAIL(DATA_EXCEPTION,
                    "range lower bound must be less than or equal to range upper bound");
    r.empty = is_empty(type, &r);
    if (!r.empty) {
        TRY(canonical_bound(range_subtype(type), &r.lower));
        TRY(canonical_bound(range_subtype(type), &r.upper));
        r.empty = is_empty(type, &r);
    }
    *ret = r;
    return OK;
}

enum status range_flags(struct slice s, bool *ret_lower, bool *ret_upper)
{
    bool sound = s.len == 2 && (s.data[0] == '[' || s.data[0] == '(') &&
                 (s.data[1] == ']' || s.data[1] == ')');
    if (!sound) {
        (void)FAIL(SYNTAX_ERROR, "invalid range bound flags");
        return error_hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\".");
    }
    *ret_lower = s.data[0] == '[';
    *ret_upper = s.data[1] == ']';
    return OK;
}
