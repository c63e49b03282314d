/* Copying, ordering and hashing of single values. The order is that of PostgreSQL's default btree
 * operator classes under collation "C"; two values that compare equal hash alike. */
#include "types/value.h"

#include "types/array.h"
#include "types/datetime.h"
#include "types/jsonb.h"
#include "types/numeric.h"
#include "types/range.h"
#include "types/record.h"
#include "types/value_priv.h"

static inline int cmp_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }

/* NaN is equal to itself and above all else. */
static inline int cmp_f64(double a, double b)
{
    if (__builtin_isnan(a) || __builtin_isnan(b))
        return (__builtin_isnan(a) != 0) - (__builtin_isnan(b) != 0);
    return (a > b) - (a < b);
}

static inline uint32_t prefix_word(const struct bytes *b)
{
    uint32_t w;
    memcpy(&w, b->prefix, sizeof(w));
    return __builtin_bswap32(w);
}

int bytes_cmp(const struct bytes *a, const struct bytes *b)
{
    uint32_t x = prefix_word(a), y = prefix_word(b);
    if (x != y) return x < y ? -1 : 1; /* padding is zero, so short strings sort right */
    uint32_t n = a->len < b->len ? a->len : b->len;
    int c = memcmp(bytes_data(a), bytes_data(b), n);
    return c ? (c > 0) - (c < 0) : (a->len > b->len) - (a->len < b->len);
}

union value value_copy(struct arena *a, type_id type, union value v)
{
    enum rep rep = type_rep(type);
    if (rep == REP_BYTES) {
        if (v.bytes.len > BYTES_INLINE_MAX)
            v.bytes.ptr = (const char *)arena_memdup(a, v.bytes.ptr, v.bytes.len);
    } else if (rep == REP_NUMERIC && v.numeric.kind == NUMERIC_BIG) {
        struct strbuf b;
        strbuf_init(&b, NULL);
        numeric_store(&v.numeric, &b);
        char *block = arena_memdup(a, b.data, b.len);
        v.numeric = numeric_load(slice_make(block, b.len), a);
        strbuf_release(&b);
    }
    return v;
}

static int cmp_datums(type_id type, const struct datum *a, const struct datum *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int c = a[i].null || b[i].null ? a[i].null - b[i].null
                                       : value_compare(type, &a[i].v, &b[i].v);
        if (c) return c;
    }
    return 0;
}

/* Elements first, then their number, dimensions and bounds; NULLs are equal and above all else. */
static int cmp_views(const struct array_view *a, const struct array_view *b)
{
    uint32_t n = a->count < b->count ? a->count : b->count;
    int c = cmp_datums(a->element, a->elements, b->elements, n);
    if (!c) c = cmp_i64(a->count, b->count);
    if (!c) c = cmp_i64(a->ndim, b->ndim);
    for (int i = 0; !c && i < a->ndim; i++) c = cmp_i64(a->dims[i], b->dims[i]);
    for (int i = 0; !c && i < a->ndim; i++) c = cmp_i64(a->lower[i], b->lower[i]);
    return c;
}

static int cmp_arrays(type_id type, const struct bytes *a, const struct bytes *b)
{
    struct array_view x, y;
    struct arena arena;
    int c;
    if (bytes_eq(a, b)) return 0;
    arena_init(&arena, MEM_QUERY);
    if (array_open(a, &arena, &x) != OK || array_open(b, &arena, &y) != OK ||
        x.element != y.element)
        c = bytes_cmp(a, b); /* damaged bytes still have an order */
    else if (type == TYPE_OIDVECTOR && x.count != y.count)
        c = cmp_i64(x.count, y.count);
    else
        c = cmp_views(&x, &y);
    arena_release(&arena);
    return c;
}

/* Field by field: types first, so that any two values have an order; then the one with fewer fields. */
static int cmp_fields(const struct record_view *x, const struct record_view *y)
{
    uint32_t n = x->count < y->count ? x->count : y->count;
    int c = 0;
    for (uint32_t i = 0; !c && i < n; i++) {
        c = cmp_i64(x->types[i], y->types[i]);
        if (!c) c = cmp_datums(x->types[i], &x->fields[i], &y->fields[i], 1);
    }
    return c ? c : cmp_i64(x->count, y->count);
}

static int cmp_records(const struct bytes *a, const struct bytes *b)
{
    struct record_view x, y;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    bool sound = record_open(a, &arena, &x) == OK && record_open(b, &arena, &y) == OK;
    int c = sound ? cmp_fields(&x, &y) : bytes_cmp(a, b);
    arena_release(&arena);
    return c;
}

static int cmp_bytes(type_id type, const struct bytes *a, const struct bytes *b)
{
    if (type == TYPE_TEXT || type == TYPE_VARCHAR) return bytes_cmp(a, b);
    if (type == TYPE_BPCHAR) {
        struct bytes x = value__trimmed(a), y = value__trimmed(b);
        return bytes_cmp(&x, &y);
    }
    if (type_is_array(type)) return cmp_arrays(type, a, b);
    if (type == TYPE_JSONB) return jsonb_compare(bytes_slice(a), bytes_slice(b));
    if (type_is_ranges(type)) return ranges_compare(a, b);
    return type_is_composite(type) ? cmp_records(a, b) : bytes_cmp(a, b);
}

int value_compare(type_id type, const union value *a, const union value *b)
{
    int c;
    switch (type_rep(type)) {
    case REP_BOOL:
        return a->b - b->b;
    case REP_I16:
        return (a->i16 > b->i16) - (a->i16 < b->i16);
    case REP_I32:
        return (a->i32 > b->i32) - (a->i32 < b->i32);
    case REP_U32:
        return (a->u32 > b->u32) - (a->u32 < b->u32);
    case REP_I64:
        return cmp_i64(a->i64, b->i64);
    case REP_F32:
        return cmp_f64(a->f32, b->f32);
    case REP_F64:
        return cmp_f64(a->f64, b->f64);
    case REP_BYTES:
        return cmp_bytes(type, &a->bytes, &b->bytes);
    case REP_NUMERIC:
        return numeric_compare(&a->numeric, &b->numeric);
    case REP_INTERVAL:
        return interval_compare(&a->interval, &b->interval);
    case REP_UUID:
        c = memcmp(a->uuid, b->uuid, sizeof(a->uuid));
        return (c > 0) - (c < 0);
    }
    UNREACHABLE();
}

static uint64_t hash_array(const struct bytes *b)
{
    struct array_view v;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    uint64_t h = VALUE_HASH_NULL;
    if (array_open(b, &arena, &v) == OK) {
        for (uint32_t i = 0; i < v.count; i++)
            h = hash_combine(h, v.elements[i].null ? VALUE_HASH_NULL
                                                   : value_hash(v.element, &v.elements[i].v));
    } else {
        h = value__hash_bytes(b);
    }
    arena_release(&arena);
    return h;
}

static uint64_t hash_record(const struct bytes *b)
{
    struct record_view v;
    struct arena arena;
    uint64_t h = VALUE_HASH_NULL;
    arena_init(&arena, MEM_QUERY);
    if (record_open(b, &arena, &v) != OK) h = value__hash_bytes(b);
    else
        for (uint32_t i = 0; i < v.count; i++)
            h = hash_combine(h, v.fields[i].null ? VALUE_HASH_NULL
                                                 : value_hash(v.types[i], &v.fields[i].v));
    arena_release(&arena);
    return h;
}

static uint64_t hash_text(type_id type, const struct bytes *b)
{
    if (type == TYPE_BPCHAR) {
        struct bytes t = value__trimmed(b);
        return value__hash_bytes(&t);
    }
    if (type_is_array(type)) return hash_array(b);
    if (type == TYPE_JSONB) return jsonb_hash(bytes_slice(b));
    if (type_is_ranges(type)) return ranges_hash(b);
    return type_is_composite(type) ? hash_record(b) : value__hash_bytes(b);
}

uint64_t value_hash(type_id type, const union value *v)
{
    switch (type_rep(type)) {
    case REP_BOOL:
        return value__hash_i64(v->b);
    case REP_I16:
        return value__hash_i64(v->i16);
    case REP_I32:
        return value__hash_i64(v->i32);
    case REP_U32:
        return value__hash_i64(v->u32);
    case REP_I64:
        return value__hash_i64(v->i64);
    case REP_F32:
        return value__hash_f64(v->f32);
    case REP_F64:
        return value__hash_f64(v->f64);
    case REP_BYTES:
        return hash_text(type, &v->bytes);
    case REP_NUMERIC:
        return numeric_hash(&v->numeric);
    case REP_INTERVAL:
        return value__hash_interval(&v->interval);
    case REP_UUID:
        return value__hash_uuid(v->uuid);
    }
    UNREACHABLE();
}

bool value_identical(type_id type, const struct datum *a, const struct datum *b)
{
    if (a->null || b->null) return a->null && b->null;
    switch (type_rep(type)) {
    case REP_BYTES: return bytes_eq(&a->v.bytes, &b->v.bytes);
    case REP_NUMERIC:
        return a->v.numeric.scale == b->v.numeric.scale && a->v.numeric.kind == b->v.numeric.kind &&
               value_compare(type, &a->v, &b->v) == 0;
    case REP_INTERVAL:
        return a->v.interval.us == b->v.interval.us && a->v.interval.days == b->v.interval.days &&
               a->v.interval.months == b->v.interval.months;
    case REP_F32: return memcmp(&a->v.f32, &b->v.f32, sizeof(float)) == 0;
    case REP_F64: return memcmp(&a->v.f64, &b->v.f64, sizeof(double)) == 0;
    default: return value_compare(type, &a->v, &b->v) == 0;
    }
}
