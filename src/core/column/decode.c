/* Opening a block and reading it (docs/format/column.md). Opening checks all lengths; what only
 * values can tell (codes beyond the dictionary, lengths that do not add up) is found when they
 * are read. */
#include "core/column/column_priv.h"

#include "base/vector.h"
#include "types/numeric.h"

enum { SCALE_MAX = 16383 };
#define COEFFICIENT_LIMIT 1000000000000000000ll
_Static_assert(sizeof(struct numeric) == 16 && offsetof(struct numeric, scale) == 8, "two words");

enum status column__corrupted(const struct column_block *b, const char *wrong)
{
    static const char *const names[] = {"NULLs", "integers", "floats", "numerics", "strings",
                                        "intervals", "uuids", "codes"};
    const char *what = b->h.encoding < COLUMN_ENCODINGS ? names[b->h.encoding] : "nothing known";
    return FAIL(DATA_CORRUPTED, "invalid column block of %s: %s", what, wrong);
}

/* --- opening ---------------------------------------------------------------------------------- */

static const char *open_nulls(struct slice raw, struct column_block *b)
{
    uint32_t words = mask__words(b->h.count);
    switch (b->h.nulls) {
    case NULLS_NONE:
        if (raw.len) return "there are bytes of NULLs";
        break;
    case NULLS_BITS:
        if (raw.len != words * sizeof *b->nulls) return "NULLs are cut off";
        memcpy(b->nulls, raw.data, raw.len);
        mask__cut(b->nulls, b->h.count);
        break;
    case NULLS_RUNS:
        for (size_t at = 0, before = 0; at + 4 <= raw.len; at += 4) {
            uint16_t run[2];
            memcpy(run, raw.data + at, sizeof run);
            if (!run[1]) break; /* the padding */
            if (run[0] < before || run[1] <= run[0] || run[1] > b->h.count)
                return "a run of NULLs is out of range";
            mask__set_range(b->nulls, run[0], run[1]);
            before = run[1];
        }
        break;
    default: return "the form of NULLs is unknown";
    }
    bool codes = b->h.encoding == COLUMN_CODES, none = b->h.encoding == COLUMN_NULLS;
    if (codes || none) return b->h.nulls ? "there are bytes of NULLs" : NULL;
    return mask__count(b->nulls) == b->h.null_count ? NULL : "the number of NULLs is wrong";
}

const char *column__exception(const char **at, struct arena *a, struct numeric *ret)
{
    uint32_t len;
    memcpy(&len, *at, sizeof len);
    struct slice raw = {*at + sizeof len, len};
    *at += sizeof len + len;
    if (numeric_from_binary(raw, -1, a, ret) == OK) return NULL;
    return "a numeric is malformed";
}

static const char *open_numerics(struct slice raw, struct column_block *b)
{
    struct numerics_header h;
    struct numerics *n = &b->numerics;
    if (raw.len < sizeof h) return "numerics are cut off";
    memcpy(&h, raw.data, sizeof h);
    raw = slice_make(raw.data + sizeof h, raw.len - sizeof h);
    const char *wrong = ints__open(raw, b->h.count, 8, 0, &n->coefficients);
    if (wrong) return wrong;
    raw = slice_make(raw.data + n->coefficients.bytes, raw.len - n->coefficients.bytes);
    wrong = ints__open(raw, b->h.count, 2, UINT16_MAX, &n->scales);
    if (wrong) return wrong;
    raw = slice_make(raw.data + n->scales.bytes, raw.len - n->scales.bytes);
    size_t positions = (2 * (size_t)h.exceptions + 7) & ~(size_t)7, at = 0;
    if (raw.len < positions || raw.len - positions != ((h.exception_bytes + 7ull) & ~7ull))
        return "exceptions are cut off";
    n->exceptions = h.exceptions;
    n->positions = (const void *)raw.data;
    n->values = raw.data + positions;
    for (uint32_t i = 0; i < h.exceptions; i++) {
        uint32_t len;
        if (n->positions[i] >= b->h.count || (i && n->positions[i] <= n->positions[i - 1]))
            return "an exception is out of range";
        if (h.exception_bytes - at < sizeof len) return "exceptions are cut off";
        memcpy(&len, n->values + at, sizeof len);
        if (len > NUMERIC_BINARY_MAX || len > h.exception_bytes - at - sizeof len)
            return "exceptions are cut off";
        at += sizeof len + len;
    }
    return at == h.exception_bytes ? NULL : "exceptions do not fill their space";
}

static const char *open_intervals(struct slice raw, struct column_block *b)
{
    struct ints *parts[] = {&b->intervals.us, &b->intervals.days, &b->intervals.months};
    for (int p = 0; p < 3; p++) {
        const char *wrong = ints__open(raw, b->h.count, p ? 4 : 8, 0, parts[p]);
        if (wrong) return wrong;
        raw = slice_make(raw.data + parts[p]->bytes, raw.len - parts[p]->bytes);
    }
    return raw.len ? "there are bytes behind the values" : NULL;
}

static const char *open_values(struct slice raw, struct column_block *b)
{
    const struct symbols *symbols = b->shared ? b->shared->symbols : NULL;
    unsigned int_bytes = column__int_bytes((enum rep)b->rep);
    const char *wrong = NULL;
    size_t bytes = 0;
    switch (b->h.encoding) {
    case COLUMN_NULLS: break;
    case COLUMN_INTS:
        wrong = ints__open(raw, b->h.count, int_bytes, b->rep == REP_BOOL, &b->ints);
        bytes = b->ints.bytes;
        break;
    case COLUMN_CODES:
        wrong = ints__open(raw, b->h.count, 4, 0, &b->ints);
        bytes = b->ints.bytes;
        break;
    case COLUMN_FLOATS:
        wrong = floats__open(raw, b->h.count, b->rep == REP_F64 ? 8 : 4, &b->floats);
        bytes = b->floats.bytes;
        break;
    case COLUMN_STRINGS:
        wrong = strings__open(raw, b->h.count, symbols, &b->strings);
        bytes = b->strings.bytes;
        break;
    case COLUMN_NUMERICS: return open_numerics(raw, b);
    case COLUMN_INTERVALS: return open_intervals(raw, b);
    default:
        b->uuids = raw.data;
        return raw.len == 16 * (size_t)b->h.count ? NULL : "uuids are cut off";
    }
    return wrong ? wrong : bytes == raw.len ? NULL : "there are bytes behind the values";
}

/* Does a type of this representation have blocks of this encoding? */
static bool fits(const struct column_block *b)
{
    enum rep rep = (enum rep)b->rep;
    switch (b->h.encoding) {
    case COLUMN_NULLS: return b->h.null_count == b->h.count;
    case COLUMN_INTS: return column__int_bytes(rep) != 0;
    case COLUMN_FLOATS: return rep == REP_F64 || rep == REP_F32;
    case COLUMN_NUMERICS: return rep == REP_NUMERIC;
    case COLUMN_STRINGS: return rep == REP_BYTES;
    case COLUMN_INTERVALS: return rep == REP_INTERVAL;
    case COLUMN_UUIDS: return rep == REP_UUID;
    case COLUMN_CODES: return b->shared && b->shared->dictionary.data;
    default: return false;
    }
}

enum status column_open(type_id type, struct slice raw, const struct column_shared *shared,
                        struct arena *a, struct column_block **ret)
{
    struct column_block *b = ARENA_NEW(a, struct column_block);
    b->type = type;
    b->rep = (uint8_t)type_rep(type);
    b->shared = shared;
    b->h.encoding = COLUMN_ENCODINGS;
    ASSERT((uintptr_t)raw.data % 8 == 0);
    if (raw.len < sizeof b->h) return column__corrupted(b, "it is too short");
    memcpy(&b->h, raw.data, sizeof b->h);
    const struct block_header *h = &b->h;
    if (h->bytes < sizeof *h || h->bytes > raw.len || h->bytes % 8 || h->null_bytes % 8 ||
        h->null_bytes > h->bytes - sizeof *h)
        return column__corrupted(b, "its length is out of range");
    if (!h->count || h->count > COLUMN_BLOCK_ROWS || h->null_count > h->count)
        return column__corrupted(b, "its count is out of range");
    if (!fits(b)) return column__corrupted(b, "it is of another type");
    const char *wrong = open_nulls(slice_make(raw.data + sizeof *h, h->null_bytes), b);
    size_t before = sizeof *h + h->null_bytes;
    if (!wrong) wrong = open_values(slice_make(raw.data + before, h->bytes - before), b);
    if (wrong) return column__corrupted(b, wrong);
    *ret = b;
    return OK;
}

uint32_t column_rows(const struct column_block *b) { return b->h.count; }
uint32_t column_null_count(const struct column_block *b) { return b->h.null_count; }
uint32_t column_bytes(const struct column_block *b) { return b->h.bytes; }
enum column_encoding column_encoding_of(const struct column_block *b)
{
    return (enum column_encoding)b->h.encoding;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void decode_ints(const struct ints *s, const uint16_t *sel, uint32_t n, unsigned bytes,
                        void *out)
{
    if (sel) ints__decode_at(s, sel, n, bytes, out);
    else ints__decode(s, bytes, out);
}

enum status column__codes(const struct column_block *b, const uint16_t *sel, uint32_t n,
                          uint32_t *codes)
{
    uint32_t max = 0;
    decode_ints(&b->ints, sel, n, 4, codes);
    if (sel)
        for (uint32_t i = 0; i < n; i++) max = codes[sel[i]] > max ? codes[sel[i]] : max;
    else
        for (uint32_t i = 0; i < b->h.count; i++) max = codes[i] > max ? codes[i] : max;
    if (max <= b->shared->dictionary_count) return OK;
    return column__corrupted(b, "a code is out of range");
}

/* Coefficients and scales side by side, as numbers; false when one is none. */
static bool join_numerics(const int64_t *coefficients, const uint16_t *scales, const uint16_t *sel,
                          uint32_t n, struct numeric *out)
{
    uint64_t wild = 0;
    uint16_t most = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = sel ? sel[k] : k;
        uint64_t above = (uint64_t)coefficients[i] + (COEFFICIENT_LIMIT - 1);
        wild |= above > 2 * (uint64_t)(COEFFICIENT_LIMIT - 1);
        most = scales[i] > most ? scales[i] : most;
        out[i] = numeric_small(coefficients[i], scales[i]);
    }
    return !wild && most <= SCALE_MAX;
}

/* The same, all of one scale: two words a number, of which the second stays. */
VECTOR_CODE
static bool join_same_scale(const int64_t *restrict coefficients, uint64_t second, uint32_t n,
                            uint64_t *restrict out)
{
    uint64_t wild = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t c = (uint64_t)coefficients[i];
        wild |= (c + (COEFFICIENT_LIMIT - 1)) > 2 * (uint64_t)(COEFFICIENT_LIMIT - 1);
        out[2 * (size_t)i] = c;
        out[2 * (size_t)i + 1] = second;
    }
    return !wild;
}

static const char *read_numerics(const struct column_block *b, const uint16_t *sel, uint32_t n,
                                 struct arena *a, struct vec *v)
{
    const struct numerics *s = &b->numerics;
    struct numeric *out = v->data;
    uint32_t count = sel ? n : b->h.count;
    int64_t coefficients[INTS_MAX] __attribute__((aligned(64)));
    bool fine;
    decode_ints(&s->coefficients, sel, n, 8, coefficients);
    if (!sel && s->scales.encoding == INTS_CONST) {
        struct numeric one = numeric_small(0, (uint16_t)s->scales.base);
        uint64_t words[2];
        memcpy(words, &one, sizeof words);
        fine = s->scales.base <= SCALE_MAX &&
               join_same_scale(coefficients, words[1], count, v->data);
    } else {
        uint16_t scales[INTS_MAX];
        decode_ints(&s->scales, sel, n, 2, scales);
        fine = join_numerics(coefficients, scales, sel, count, out);
    }
    if (!fine) return "a numeric is out of range";
    const char *at = s->values;
    for (uint32_t k = 0; k < s->exceptions; k++) {
        const char *wrong = column__exception(&at, a, &out[s->positions[k]]);
        if (wrong) return wrong;
    }
    return NULL;
}

static void read_intervals(const struct column_block *b, const uint16_t *sel, uint32_t n,
                           struct vec *v)
{
    int64_t us[INTS_MAX];
    int32_t days[INTS_MAX], months[INTS_MAX];
    decode_ints(&b->intervals.us, sel, n, 8, us);
    decode_ints(&b->intervals.days, sel, n, 4, days);
    decode_ints(&b->intervals.months, sel, n, 4, months);
    for (uint32_t k = 0; k < (sel ? n : b->h.count); k++) {
        uint32_t i = sel ? sel[k] : k;
        VEC_DATA(v, struct interval)[i] = (struct interval){us[i], days[i], months[i]};
    }
}

static enum status read_dictionary(const struct column_block *b, const uint16_t *sel, uint32_t n,
                                   struct vec *v)
{
    const struct vec *d = &b->shared->dictionary;
    uint32_t codes[INTS_MAX], null = b->shared->dictionary_count;
    TRY(column__codes(b, sel, n, codes));
    size_t width = v->width;
    for (uint32_t k = 0; k < (sel ? n : b->h.count); k++) {
        uint32_t i = sel ? sel[k] : k;
        memcpy((char *)v->data + i * width, (const char *)d->data + codes[i] * width, width);
        if (codes[i] == null) nulls_set(v->nulls, i);
    }
    return OK;
}

/* Room for every value, whose NULLs are set. Rows that are not selected hold zeros, which are
 * values of every type, as some loops go over all rows. */
static void init_vec(const struct column_block *b, bool some, struct arena *a, struct vec *v)
{
    *v = (struct vec){.type = b->type, .form = VEC_FLAT, .width = type_get(b->type)->width};
    v->data = arena_alloc_aligned(a, (size_t)INTS_MAX * v->width, 64);
    if (some) memset(v->data, 0, (size_t)b->h.count * v->width);
    if (!b->h.null_count) return;
    v->nulls = arena_memdup(a, b->nulls, sizeof b->nulls);
    if (b->h.encoding == COLUMN_NULLS) mask__fill(v->nulls, b->h.count, true);
}

enum status column__flat(const struct column_block *b, const uint16_t *sel, uint32_t n,
                         struct arena *a, struct vec *ret)
{
    struct vec v;
    const char *wrong = NULL;
    init_vec(b, sel != NULL, a, &v);
    switch (b->h.encoding) {
    case COLUMN_NULLS: memset(v.data, 0, (size_t)b->h.count * v.width); break;
    case COLUMN_INTS: decode_ints(&b->ints, sel, n, v.width, v.data); break;
    case COLUMN_FLOATS:
        if (sel) floats__decode_at(&b->floats, sel, n, v.data);
        else floats__decode(&b->floats, v.data);
        break;
    case COLUMN_NUMERICS: wrong = read_numerics(b, sel, n, a, &v); break;
    case COLUMN_STRINGS: wrong = strings__decode(&b->strings, sel, n, a, v.data); break;
    case COLUMN_INTERVALS: read_intervals(b, sel, n, &v); break;
    case COLUMN_UUIDS: memcpy(v.data, b->uuids, 16 * (size_t)b->h.count); break;
    default:
        if (!v.nulls) v.nulls = arena_zalloc(a, sizeof b->nulls); /* the header may be wrong */
        TRY(read_dictionary(b, sel, n, &v));
    }
    if (wrong) return column__corrupted(b, wrong);
    *ret = v;
    return OK;
}

/* One value for all rows, if it is told by the header of the stream. */
static bool is_constant(const struct column_block *b)
{
    if (b->h.encoding == COLUMN_NULLS) return true;
    if (b->h.encoding == COLUMN_CODES) return b->ints.encoding == INTS_CONST;
    return b->h.encoding == COLUMN_INTS && b->ints.encoding == INTS_CONST && !b->h.null_count;
}

enum status column_read(const struct column_block *b, const uint16_t *sel, uint32_t count,
                        bool flat, struct arena *a, struct vec *ret)
{
    if (flat || (b->h.encoding != COLUMN_CODES && !is_constant(b)))
        return column__flat(b, sel, count, a, ret);
    uint32_t null = b->shared ? b->shared->dictionary_count : 0;
    struct datum d = {.null = true};
    if (b->h.encoding == COLUMN_INTS) {
        int64_t v = b->ints.base;
        d.null = false;
        memcpy(&d.v, &v, column__int_bytes((enum rep)b->rep)); /* little-endian */
    } else if (b->h.encoding == COLUMN_CODES && b->ints.encoding == INTS_CONST) {
        if ((uint64_t)b->ints.base > null) return column__corrupted(b, "a code is out of range");
        d = vec_get(&b->shared->dictionary, (uint32_t)b->ints.base);
    } else if (b->h.encoding == COLUMN_CODES) {
        uint32_t *codes = arena_alloc_aligned(a, INTS_MAX * sizeof *codes, 64);
        if (sel) memset(codes, 0, b->h.count * sizeof *codes);
        TRY(column__codes(b, sel, count, codes));
        *ret = (struct vec){.type = b->type, .form = VEC_DICT, .width = type_get(b->type)->width,
                            .codes = codes, .dict = &b->shared->dictionary};
        return OK;
    }
    vec_init_const(ret, b->type, d, a);
    return OK;
}

/* --- for people ------------------------------------------------------------------------------- */

static void describe_ints(const struct ints *s, struct strbuf *out)
{
    switch (s->encoding) {
    case INTS_CONST: strbuf_adds(out, "constant"); break;
    case INTS_PACKED: strbuf_addf(out, "packed %u bits", s->width); break;
    case INTS_DELTA: strbuf_addf(out, "delta %u bits", s->width); break;
    default: strbuf_addf(out, "%u runs", s->runs);
    }
}

void column_describe(const struct column_block *b, struct strbuf *out)
{
    static const char *const strings[] = {"plain", "symbols", "lz4", "zstd"};
    switch (b->h.encoding) {
    case COLUMN_NULLS: strbuf_adds(out, "nulls"); break;
    case COLUMN_CODES: strbuf_adds(out, "dictionary, "); /* fall through */
    case COLUMN_INTS: describe_ints(&b->ints, out); break;
    case COLUMN_FLOATS:
        strbuf_adds(out, b->floats.encoding == FLOATS_DECIMAL ? "decimal, " : "bits, ");
        describe_ints(&b->floats.ints, out);
        break;
    case COLUMN_NUMERICS: describe_ints(&b->numerics.coefficients, out); break;
    case COLUMN_STRINGS: strbuf_adds(out, strings[b->strings.encoding]); break;
    case COLUMN_INTERVALS: describe_ints(&b->intervals.us, out); break;
    default: strbuf_adds(out, "plain");
    }
}
