/* Encoding of a block (docs/format/column.md): NULLs, then values by what they are. A NULL's
 * place among integers takes the value before it, which costs the least in lanes, runs and
 * differences alike. */
#include "core/column/column_priv.h"

#include "types/numeric.h"

const struct column_options column_options_default = {
    .bytes_a_ns = 1, .ints = 0xff, .floats = 0xff, .dictionary = true,
    .strings = 1 << STRINGS_PLAIN | 1 << STRINGS_SYMBOLS | 1 << STRINGS_LZ4,
};
const struct column_options column_options_archive = {
    .bytes_a_ns = 0, .ints = 0xff, .floats = 0xff, .strings = 0xff, .dictionary = true,
};

static struct ints_options ints_options(const struct column_options *o)
{
    return (struct ints_options){.allowed = o->ints, .bytes_a_ns = o->bytes_a_ns};
}

/* --- NULLs ------------------------------------------------------------------------------------ */

static uint32_t null_runs(const struct vec *v, uint32_t n)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < n; i++)
        runs += nulls_get(v->nulls, i) && !(i && nulls_get(v->nulls, i - 1));
    return runs;
}

static void put_nulls(const struct vec *v, uint32_t n, struct block_header *h, struct strbuf *out)
{
    if (!h->null_count) return;
    size_t start = out->len;
    uint32_t words = mask__words(n), runs = null_runs(v, n);
    if (4 * runs < 8 * words) {
        h->nulls = NULLS_RUNS;
        for (uint32_t i = 0, from; i < n; i++) {
            if (!nulls_get(v->nulls, i)) continue;
            for (from = i; i < n && nulls_get(v->nulls, i); i++) {}
            uint16_t run[2] = {(uint16_t)from, (uint16_t)i};
            strbuf_add(out, run, sizeof run);
        }
        while (out->len % 8) strbuf_addc(out, 0); /* 0, 0 is no run */
    } else {
        uint64_t bits[MASK_WORDS] = {0};
        memcpy(bits, v->nulls, words * sizeof *bits);
        mask__cut(bits, n);
        h->nulls = NULLS_BITS;
        strbuf_add(out, bits, words * sizeof *bits);
    }
    h->null_bytes = (uint32_t)(out->len - start);
}

/* In the place of a NULL the value before it, or the first. */
static void fill_nulls(const struct vec *v, uint32_t n, int64_t *values)
{
    if (!v->nulls) return;
    uint32_t first = 0;
    while (first < n && nulls_get(v->nulls, first)) first++;
    for (uint32_t i = 0; i < n; i++)
        if (nulls_get(v->nulls, i)) values[i] = i < first ? values[first] : values[i - 1];
}

/* --- values ----------------------------------------------------------------------------------- */

static void load_ints(const struct vec *v, enum rep rep, uint32_t n, int64_t *out)
{
    switch (rep) {
    case REP_BOOL:
        for (uint32_t i = 0; i < n; i++) out[i] = VEC_DATA(v, uint8_t)[i] & 1;
        break;
    case REP_I16:
        for (uint32_t i = 0; i < n; i++) out[i] = VEC_DATA(v, int16_t)[i];
        break;
    case REP_I32:
        for (uint32_t i = 0; i < n; i++) out[i] = VEC_DATA(v, int32_t)[i];
        break;
    case REP_U32:
        for (uint32_t i = 0; i < n; i++) out[i] = VEC_DATA(v, uint32_t)[i];
        break;
    default: memcpy(out, v->data, n * sizeof *out);
    }
}

static void put_ints(const struct vec *v, enum rep rep, uint32_t n, const struct column_options *o,
                     struct strbuf *out)
{
    int64_t values[INTS_MAX];
    struct ints_options io = ints_options(o);
    io.narrow = rep == REP_BOOL;
    load_ints(v, rep, n, values);
    fill_nulls(v, n, values);
    ints__encode(values, n, &io, out);
}

static void put_codes(const struct vec *v, uint32_t n, const struct column_shared *s,
                      const struct column_options *o, struct strbuf *out)
{
    int64_t codes[INTS_MAX];
    struct ints_options io = ints_options(o);
    struct recent_values recent = {0};
    struct datum d;
    bool met, bytes = type_rep(s->type) == REP_BYTES;
    for (uint32_t i = 0; i < n; i++) {
        vec_load(v, i, &d);
        codes[i] = s->dictionary_count;
        if (d.null) continue;
        uint32_t *code = column__recent(&recent, &d.v, bytes, &met);
        if (!met) *code = column__code_of(s, &d.v) + 1;
        codes[i] = *code - 1;
    }
    ints__encode(codes, n, &io, out);
}

static void put_floats(const struct vec *v, enum rep rep, uint32_t n,
                       const struct column_options *o, struct column_hint *hint,
                       struct strbuf *out)
{
    int64_t room[INTS_MAX];
    unsigned bytes = rep == REP_F64 ? 8 : 4;
    char *values = (char *)room;
    memcpy(values, v->data, (size_t)n * bytes);
    uint32_t first = 0;
    while (first < n && nulls_get(v->nulls, first)) first++;
    for (uint32_t i = 0; v->nulls && i < n; i++)
        if (nulls_get(v->nulls, i))
            memcpy(values + i * bytes, values + (i < first ? first : i - 1) * bytes, bytes);
    struct floats_options fo = {.ints = ints_options(o), .allowed = o->floats};
    struct floats_hint fh = {hint->bytes[0], hint->bytes[1], hint->bytes[2], hint->bytes[3]};
    floats__encode(values, n, bytes, &fo, &fh, out);
    *hint = (struct column_hint){{fh.up, fh.down, fh.known, fh.skip}};
}

static void put_numerics(const struct vec *v, uint32_t n, const struct column_options *o,
                         struct strbuf *out)
{
    int64_t coefficients[INTS_MAX], scales[INTS_MAX];
    uint16_t at[INTS_MAX];
    struct numerics_header h = {0};
    struct strbuf exceptions;
    strbuf_init(&exceptions, NULL);
    for (uint32_t i = 0; i < n; i++) {
        const struct numeric *x = &VEC_DATA(v, struct numeric)[i];
        bool null = nulls_get(v->nulls, i);
        if (!null && x->kind == NUMERIC_SMALL) {
            coefficients[i] = x->coefficient;
            scales[i] = x->scale;
            continue;
        }
        coefficients[i] = i ? coefficients[i - 1] : 0;
        scales[i] = i ? scales[i - 1] : 0;
        if (null) continue;
        uint32_t len;
        size_t start = exceptions.len;
        at[h.exceptions++] = (uint16_t)i;
        strbuf_add(&exceptions, &len, sizeof len);
        numeric_to_binary(x, &exceptions);
        len = (uint32_t)(exceptions.len - start - sizeof len);
        memcpy(exceptions.data + start, &len, sizeof len);
    }
    /* What comes before the first number is that number. */
    uint32_t first = 0;
    while (first < n && (nulls_get(v->nulls, first) ||
                         VEC_DATA(v, struct numeric)[first].kind != NUMERIC_SMALL))
        first++;
    for (uint32_t i = 0; i < first && first < n; i++) {
        coefficients[i] = coefficients[first];
        scales[i] = scales[first];
    }
    h.exception_bytes = (uint32_t)exceptions.len;
    struct ints_options io = ints_options(o), so = io;
    so.narrow = true;
    strbuf_add(out, &h, sizeof h);
    ints__encode(coefficients, n, &io, out);
    ints__encode(scales, n, &so, out);
    strbuf_add(out, at, h.exceptions * sizeof *at);
    while (out->len % 8) strbuf_addc(out, 0);
    strbuf_add(out, exceptions.data, exceptions.len);
    while (out->len % 8) strbuf_addc(out, 0);
    strbuf_release(&exceptions);
}

static void put_strings(const struct vec *v, uint32_t n, const struct column_shared *shared,
                        const struct column_options *o, struct column_hint *hint,
                        struct strbuf *out)
{
    struct slice values[COLUMN_BLOCK_ROWS];
    for (uint32_t i = 0; i < n; i++)
        values[i] = nulls_get(v->nulls, i) ? SLICE("") : bytes_slice(&VEC_DATA(v, struct bytes)[i]);
    struct strings_options so = {.ints = ints_options(o), .allowed = o->strings,
                                 .symbols = shared ? shared->encoder : NULL};
    struct strings_hint sh = {hint->bytes[0], hint->bytes[1]};
    strings__encode(values, n, &so, &sh, out);
    *hint = (struct column_hint){{sh.encoding, sh.blocks_left}};
}

static void put_intervals(const struct vec *v, uint32_t n, const struct column_options *o,
                          struct strbuf *out)
{
    int64_t part[3][INTS_MAX];
    struct ints_options io = ints_options(o);
    for (uint32_t i = 0; i < n; i++) {
        const struct interval *x = &VEC_DATA(v, struct interval)[i];
        part[0][i] = x->us;
        part[1][i] = x->days;
        part[2][i] = x->months;
    }
    for (int p = 0; p < 3; p++) {
        fill_nulls(v, n, part[p]);
        ints__encode(part[p], n, &io, out);
    }
}

static void put_uuids(const struct vec *v, uint32_t n, struct strbuf *out)
{
    static const char none[16];
    for (uint32_t i = 0; i < n; i++)
        strbuf_add(out, nulls_get(v->nulls, i) ? none : (const char *)v->data + 16 * (size_t)i, 16);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static enum column_encoding encoding_for(enum rep rep)
{
    switch (rep) {
    case REP_F32:
    case REP_F64: return COLUMN_FLOATS;
    case REP_NUMERIC: return COLUMN_NUMERICS;
    case REP_BYTES: return COLUMN_STRINGS;
    case REP_INTERVAL: return COLUMN_INTERVALS;
    case REP_UUID: return COLUMN_UUIDS;
    default: return COLUMN_INTS;
    }
}

static uint32_t count_nulls(const struct vec *v, uint32_t n)
{
    uint32_t nulls = 0;
    for (uint32_t i = 0; v->nulls && i < n; i++) nulls += nulls_get(v->nulls, i);
    return nulls;
}

void column_encode(type_id type, const struct vec *v, uint32_t rows,
                   const struct column_shared *shared, const struct column_options *o,
                   struct column_hint *hint, struct strbuf *out)
{
    ASSERT(rows && rows <= COLUMN_BLOCK_ROWS && out->len % 8 == 0);
    struct arena a;
    struct vec flat;
    arena_init(&a, MEM_RUN);
    vec_flatten(v, rows, &a, &flat);
    enum rep rep = type_rep(type);
    struct block_header h = {.encoding = (uint8_t)encoding_for(rep), .count = (uint16_t)rows,
                             .null_count = (uint16_t)count_nulls(&flat, rows)};
    if (!h.null_count) flat.nulls = NULL;
    if (h.null_count == rows) h.encoding = COLUMN_NULLS;
    else if (shared && shared->slots) h.encoding = COLUMN_CODES;
    size_t start = out->len;
    strbuf_add(out, &h, sizeof h);
    if (h.encoding != COLUMN_NULLS && h.encoding != COLUMN_CODES) put_nulls(&flat, rows, &h, out);
    switch (h.encoding) {
    case COLUMN_NULLS: break;
    case COLUMN_CODES: put_codes(&flat, rows, shared, o, out); break;
    case COLUMN_INTS: put_ints(&flat, rep, rows, o, out); break;
    case COLUMN_FLOATS: put_floats(&flat, rep, rows, o, hint, out); break;
    case COLUMN_NUMERICS: put_numerics(&flat, rows, o, out); break;
    case COLUMN_STRINGS: put_strings(&flat, rows, shared, o, hint, out); break;
    case COLUMN_INTERVALS: put_intervals(&flat, rows, o, out); break;
    default: put_uuids(&flat, rows, out);
    }
    h.bytes = (uint32_t)(out->len - start);
    memcpy(out->data + start, &h, sizeof h);
    arena_release(&a);
}

uint32_t column_block_rows(type_id type, const struct vec *v, uint32_t rows)
{
    size_t bytes = 0;
    if (rows > COLUMN_BLOCK_ROWS) rows = COLUMN_BLOCK_ROWS;
    if (type_rep(type) != REP_BYTES) return rows;
    for (uint32_t i = 0; i < rows; i++) {
        struct datum d = vec_get(v, i);
        bytes += d.null ? 0 : d.v.bytes.len;
        if (bytes > BLOCK_BYTES_AIM && i) return i;
    }
    return rows;
}
