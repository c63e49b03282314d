/* Vectors: making them, and the loops that move and hash their values.
 *
 * A loop first turns its rows into positions in the underlying array (`base`), at most BATCH_ROWS
 * at a time; so the kernels know neither selections nor forms, and there is one for each width. */
#include "types/vec.h"

#include "types/numeric.h"
#include "types/record.h"
#include "types/value_priv.h"

enum { DATA_ALIGN = 64, CODES_MAX = 512, CODES_LEAST = 16 };

void vec_init_flat_rows(struct vec *v, type_id type, uint32_t rows, struct arena *a)
{
    const struct type_info *t = type_get(type);
    ASSERT(t);
    size_t words = ((size_t)rows + 63) / 64;
    memset(v, 0, sizeof(*v));
    v->type = type;
    v->form = VEC_FLAT;
    v->width = t->width;
    v->data = arena_alloc_aligned(a, (size_t)rows * t->width, DATA_ALIGN);
    v->nulls = arena_alloc_aligned(a, words * sizeof(uint64_t), DATA_ALIGN);
    memset(v->nulls, 0, words * sizeof(uint64_t));
}

void vec_init_flat(struct vec *v, type_id type, struct arena *a)
{
    vec_init_flat_rows(v, type, BATCH_ROWS, a);
}

void vec_init_const(struct vec *v, type_id type, struct datum d, struct arena *a)
{
    vec_init_flat_rows(v, type, 1, a);
    v->form = VEC_CONST;
    if (d.null) memset(&d.v, 0, sizeof(d.v));
    memcpy(v->data, &d.v, v->width);
    if (d.null)
        nulls_set(v->nulls, 0);
    else
        v->nulls = NULL;
}

struct datum vec_get(const struct vec *v, uint32_t row)
{
    struct datum d = {0};
    if (v->form == VEC_CONST) {
        row = 0;
    } else if (v->form == VEC_DICT) {
        row = v->codes[row];
        v = v->dict;
    }
    d.null = nulls_get(v->nulls, row);
    if (!d.null) memcpy(&d.v, (const char *)v->data + (size_t)row * v->width, v->width);
    return d;
}

void vec_set(struct vec *v, uint32_t row, struct datum d)
{
    DEBUG_ASSERT(v->form == VEC_FLAT);
    char *to = (char *)v->data + (size_t)row * v->width;
    if (d.null) {
        ASSERT(v->nulls);
        nulls_set(v->nulls, row);
        memset(to, 0, v->width);
    } else {
        if (v->nulls) nulls_clear(v->nulls, row);
        memcpy(to, &d.v, v->width);
    }
}

/* The array behind a vector. */
static const struct vec *base_of(const struct vec *v)
{
    return v->form == VEC_DICT ? v->dict : v;
}

/* pos[i] := where row sel[from + i] (or from + i) lies in base_of(v). */
static void positions(const struct vec *v, const uint16_t *sel, uint32_t from, uint32_t n,
                      uint32_t *pos)
{
    if (v->form == VEC_CONST) {
        memset(pos, 0, n * sizeof(*pos));
    } else if (v->form == VEC_DICT) {
        if (sel)
            for (uint32_t i = 0; i < n; i++) pos[i] = v->codes[sel[from + i]];
        else
            memcpy(pos, v->codes + from, n * sizeof(*pos));
    } else if (sel) {
        for (uint32_t i = 0; i < n; i++) pos[i] = sel[from + i];
    } else {
        for (uint32_t i = 0; i < n; i++) pos[i] = from + i;
    }
}

#define GATHER(ctype)                                                                              \
    do {                                                                                           \
        const ctype *from = VEC_DATA(src, const ctype);                                            \
        ctype *to = VEC_DATA(dst, ctype) + dst_row;                                                \
        for (uint32_t i = 0; i < n; i++) to[i] = from[pos[i]];                                     \
    } while (0)

/* Widths are those of type_info. */
static void gather_values(struct vec *dst, uint32_t dst_row, const struct vec *src,
                          const uint32_t *pos, uint32_t n)
{
    struct wide {
        uint64_t w[2];
    };
    switch (dst->width) {
    case 1:
        GATHER(uint8_t);
        return;
    case 2:
        GATHER(uint16_t);
        return;
    case 4:
        GATHER(uint32_t);
        return;
    case 8:
        GATHER(uint64_t);
        return;
    default:
        GATHER(struct wide);
    }
}

static void gather_nulls(struct vec *dst, uint32_t dst_row, const struct vec *src,
                         const uint32_t *pos, uint32_t n)
{
    if (!src->nulls) {
        if (!dst->nulls) return;
        for (uint32_t i = 0; i < n; i++) nulls_clear(dst->nulls, dst_row + i);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (nulls_get(src->nulls, pos[i])) {
            ASSERT(dst->nulls);
            nulls_set(dst->nulls, dst_row + i);
        } else if (dst->nulls) {
            nulls_clear(dst->nulls, dst_row + i);
        }
    }
}

/* Makes rows [at, at + n) of a flat vector own their bytes. NULL rows may hold anything. */
static void own_bytes(struct vec *v, uint32_t at, uint32_t n, struct arena *a)
{
    enum rep rep = type_rep(v->type);
    if (rep == REP_BYTES) {
        struct bytes *b = VEC_DATA(v, struct bytes);
        for (uint32_t i = at; i < at + n; i++)
            if (b[i].len > BYTES_INLINE_MAX && !nulls_get(v->nulls, i))
                b[i].ptr = arena_memdup(a, b[i].ptr, b[i].len);
    } else if (rep == REP_NUMERIC) {
        union value *x = VEC_DATA(v, union value);
        for (uint32_t i = at; i < at + n; i++)
            if (x[i].numeric.kind == NUMERIC_BIG && !nulls_get(v->nulls, i))
                x[i] = value_copy(a, v->type, x[i]);
    }
}

void vec_gather(struct vec *dst, uint32_t dst_row, const struct vec *src, const uint16_t *sel,
                uint32_t count, struct arena *copy_into)
{
    uint32_t pos[BATCH_ROWS];
    ASSERT(dst->form == VEC_FLAT && dst->width == src->width);
    for (uint32_t from = 0; from < count; from += BATCH_ROWS) {
        uint32_t n = count - from < BATCH_ROWS ? count - from : BATCH_ROWS;
        positions(src, sel, from, n, pos);
        gather_values(dst, dst_row + from, base_of(src), pos, n);
        gather_nulls(dst, dst_row + from, base_of(src), pos, n);
    }
    if (copy_into) own_bytes(dst, dst_row, count, copy_into);
}

static void append_nulls(struct vec *dst, uint32_t dst_row, const struct vec *src, uint32_t src_row, uint32_t n)
{
    uint32_t i = 0;
    if (!dst->nulls) return;
    if (src->nulls && dst_row % 64 == 0 && src_row % 64 == 0) {
        i = n & ~63u;
        if (i) memcpy(dst->nulls + dst_row / 64, src->nulls + src_row / 64, i / 8);
    }
    for (; i < n; i++) {
        if (nulls_get(src->nulls, src_row + i)) nulls_set(dst->nulls, dst_row + i);
        else nulls_clear(dst->nulls, dst_row + i);
    }
}

void vec_append(struct vec *dst, uint32_t dst_row, const struct vec *src, uint32_t src_row, uint32_t count,
                struct arena *copy_into)
{
    size_t width = dst->width;
    ASSERT(dst->form == VEC_FLAT && src->form == VEC_FLAT && dst->width == src->width);
    memcpy((char *)dst->data + dst_row * width, (const char *)src->data + src_row * width, count * width);
    ASSERT(dst->nulls || !src->nulls);
    append_nulls(dst, dst_row, src, src_row, count);
    if (copy_into) own_bytes(dst, dst_row, count, copy_into);
}

void vec_flatten(const struct vec *v, uint32_t rows, struct arena *a, struct vec *out)
{
    if (v->form == VEC_FLAT) {
        *out = *v;
        return;
    }
    struct vec flat;
    vec_init_flat_rows(&flat, v->type, rows > BATCH_ROWS ? rows : BATCH_ROWS, a);
    vec_gather(&flat, 0, v, NULL, rows, NULL);
    if (!base_of(v)->nulls) flat.nulls = NULL;
    *out = flat;
}

#define HASH_EACH(ctype, expr)                                                                     \
    do {                                                                                           \
        const ctype *data = VEC_DATA(v, const ctype);                                              \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            const ctype *x = &data[pos[i]];                                                        \
            ret[i] = (expr);                                                                       \
        }                                                                                          \
    } while (0)

/* ret[i] := hash of the value at pos[i], NULL or not: for types whose hash reads nothing beyond the
 * 16 bytes. Must agree with value_hash. */
static bool hash_fixed(const struct vec *v, const uint32_t *pos, uint32_t n, uint64_t *ret)
{
    switch (type_rep(v->type)) {
    case REP_BOOL:
        HASH_EACH(uint8_t, value__hash_i64(*x));
        return true;
    case REP_I16:
        HASH_EACH(int16_t, value__hash_i64(*x));
        return true;
    case REP_I32:
        HASH_EACH(int32_t, value__hash_i64(*x));
        return true;
    case REP_U32:
        HASH_EACH(uint32_t, value__hash_i64(*x));
        return true;
    case REP_I64:
        HASH_EACH(int64_t, value__hash_i64(*x));
        return true;
    case REP_F32:
        HASH_EACH(float, value__hash_f64(*x));
        return true;
    case REP_F64:
        HASH_EACH(double, value__hash_f64(*x));
        return true;
    case REP_INTERVAL:
        HASH_EACH(struct interval, value__hash_interval(x));
        return true;
    case REP_UUID:
        HASH_EACH(struct interval, value__hash_uuid(x));
        return true;
    default:
        return false;
    }
}

/* These follow pointers, so NULL rows are not read. */
static void hash_pointed(const struct vec *v, const uint32_t *pos, uint32_t n, uint64_t *ret)
{
    bool plain = type_rep(v->type) == REP_BYTES && type_is_bytewise(v->type);
    const union value *data = VEC_DATA(v, const union value);
    for (uint32_t i = 0; i < n; i++) {
        if (nulls_get(v->nulls, pos[i]))
            ret[i] = VALUE_HASH_NULL;
        else if (plain)
            ret[i] = value__hash_bytes(&data[pos[i]].bytes);
        else
            ret[i] = value_hash(v->type, &data[pos[i]]);
    }
}

static void hash_chunk(const struct vec *v, const uint32_t *pos, uint32_t n, uint64_t *ret)
{
    if (!hash_fixed(v, pos, n, ret)) {
        hash_pointed(v, pos, n, ret);
    } else if (v->nulls) {
        for (uint32_t i = 0; i < n; i++)
            if (nulls_get(v->nulls, pos[i])) ret[i] = VALUE_HASH_NULL;
    }
}

/* Strings and numerics of few codes are hashed once a code. *ret_done false: there are many. */
static void hash_codes(const struct vec *v, const uint32_t *pos, uint32_t n, uint64_t *ret,
                       bool *ret_done)
{
    uint64_t by_code[CODES_MAX];
    uint32_t codes[CODES_MAX], top = 0;
    *ret_done = false;
    if (v->width != sizeof(union value) || n < 2 * CODES_LEAST) return;
    for (uint32_t i = 0; i < n; i++) top = pos[i] > top ? pos[i] : top;
    if (top >= CODES_MAX || top >= n / 2) return;
    for (uint32_t i = 0; i <= top; i++) codes[i] = i;
    hash_chunk(v, codes, top + 1, by_code);
    for (uint32_t i = 0; i < n; i++) ret[i] = by_code[pos[i]];
    *ret_done = true;
}

void vec_hash(const struct vec *v, const uint16_t *sel, uint32_t count, bool first,
              uint64_t *hashes)
{
    uint32_t pos[BATCH_ROWS];
    uint64_t fresh[BATCH_ROWS];
    for (uint32_t from = 0; from < count; from += BATCH_ROWS) {
        uint32_t n = count - from < BATCH_ROWS ? count - from : BATCH_ROWS;
        uint64_t *to = hashes + from, *h = first ? to : fresh;
        if (v->form == VEC_CONST) {
            pos[0] = 0;
            hash_chunk(v, pos, 1, h);
            for (uint32_t i = 1; i < n; i++) h[i] = h[0];
        } else {
            bool done = false;
            positions(v, sel, from, n, pos);
            if (v->form == VEC_DICT) hash_codes(v->dict, pos, n, h, &done);
            if (!done) hash_chunk(base_of(v), pos, n, h);
        }
        if (first) continue;
        for (uint32_t i = 0; i < n; i++) to[i] = hash_combine(to[i], h[i]);
    }
}

void batch_init(struct batch *b, uint16_t columns, const type_id *types, struct arena *a)
{
    memset(b, 0, sizeof(*b));
    b->column_count = columns;
    b->columns = ARENA_ARRAY(a, struct vec, columns);
    for (uint16_t i = 0; i < columns; i++) vec_init_flat(&b->columns[i], types[i], a);
}
