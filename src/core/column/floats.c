/* Floating-point numbers (docs/format/column.md).
 *
 * A number that was written as a decimal is that decimal's digits times a power of ten. One pair
 * of powers is sought for a block; numbers that do not come back bit by bit are exceptions, kept
 * beside. As the way back is monotone (rounding is), a comparison with a constant becomes one of
 * integers. */
#include "core/column/floats_priv.h"

#include <math.h>

#include "base/status.h"
#include "base/vector.h"

enum { POWER_MAX = 18, SAMPLE = 32, EXCEPTION_BYTES = 10, SKIP_BLOCKS = 15 };

static const double tens[POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                           1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                           1e14, 1e15, 1e16, 1e17, 1e18};
static const double tenths[POWER_MAX + 1] = {1e-0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,
                                             1e-7,  1e-8,  1e-9,  1e-10, 1e-11, 1e-12, 1e-13,
                                             1e-14, 1e-15, 1e-16, 1e-17, 1e-18};

static inline double back(int64_t i, unsigned up, unsigned down)
{
    return (double)i * tens[down] * tenths[up];
}

static inline uint64_t bits_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

/* The integer of a number, if it leads back to that number. */
static inline bool digits_of(double v, unsigned up, unsigned down, bool single, int64_t *ret)
{
    static const double limit = 1ll << 51;
    double x = rint(v * tens[up] * tenths[down]);
    if (!(x > -limit && x < limit)) return false; /* NaN too */
    *ret = (int64_t)x;
    double again = back(*ret, up, down);
    if (single) return bits_of((double)(float)again) == bits_of(v);
    return bits_of(again) == bits_of(v);
}

/* Bytes that `n` numbers, `stride` apart, would take. */
static uint64_t estimate(const double *v, uint32_t n, uint32_t stride, unsigned up, unsigned down,
                         bool single, uint32_t *ret_exceptions)
{
    int64_t min = INT64_MAX, max = INT64_MIN, i;
    uint32_t exceptions = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (!digits_of(v[(size_t)k * stride], up, down, single, &i)) {
            exceptions++;
            continue;
        }
        if (i < min) min = i;
        if (i > max) max = i;
    }
    *ret_exceptions = exceptions;
    unsigned width = min < max ? lanes__width((uint64_t)max - (uint64_t)min) : 0;
    return (uint64_t)n * width + (uint64_t)exceptions * EXCEPTION_BYTES * 8;
}

/* False when decimals would not pay. */
static bool find_powers(const double *v, uint32_t n, bool single, struct floats_hint *hint)
{
    uint32_t take = n < SAMPLE ? n : SAMPLE, stride = n / take, exceptions;
    const uint64_t limit = (uint64_t)take * (single ? 32 : 64);
    if (hint->known) {
        uint64_t bits = estimate(v, take, stride, hint->up, hint->down, single, &exceptions);
        if (bits < limit && exceptions <= take / 16) return true;
    }
    uint64_t least = limit;
    hint->known = false;
    if (hint->skip) {
        hint->skip--;
        return false;
    }
    for (unsigned up = 0; up <= POWER_MAX; up++)
        for (unsigned down = 0; down <= up; down++) {
            uint64_t bits = estimate(v, take, stride, up, down, single, &exceptions);
            if (bits >= least) continue;
            least = bits;
            *hint = (struct floats_hint){(uint8_t)up, (uint8_t)down, true, 0};
        }
    if (!hint->known) hint->skip = SKIP_BLOCKS;
    return hint->known;
}

/* --- encoding --------------------------------------------------------------------------------- */

static void put_header(struct strbuf *out, size_t start, struct floats_header h)
{
    h.bytes = (uint32_t)(out->len - start);
    memcpy(out->data + start, &h, sizeof h);
}

static void put_bits(const void *values, uint32_t count, unsigned value_bytes,
                     const struct floats_options *o, struct strbuf *out)
{
    int64_t bits[INTS_MAX];
    size_t start = out->len;
    struct floats_header h = {.encoding = FLOATS_BITS, .value_bytes = (uint8_t)value_bytes,
                              .count = (uint16_t)count};
    strbuf_add(out, &h, sizeof h);
    for (uint32_t i = 0; i < count; i++) {
        int32_t narrow;
        if (value_bytes == 8) {
            memcpy(&bits[i], (const char *)values + 8 * (size_t)i, 8);
        } else {
            memcpy(&narrow, (const char *)values + 4 * (size_t)i, 4);
            bits[i] = narrow;
        }
    }
    ints__encode(bits, count, &o->ints, out);
    put_header(out, start, h);
}

static void put_decimal(const double *v, uint32_t count, bool single,
                        const struct floats_options *o, const struct floats_hint *p,
                        struct strbuf *out)
{
    int64_t digits[INTS_MAX], last = 0;
    uint16_t at[INTS_MAX], n = 0, first = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (digits_of(v[i], p->up, p->down, single, &digits[i])) {
            last = digits[i];
            continue;
        }
        at[n++] = (uint16_t)i;
        digits[i] = last; /* anything that costs nothing */
    }
    while (first < n && at[first] == first) first++; /* exceptions that nothing stands before */
    for (uint32_t i = 0; i < first && first < count; i++) digits[i] = digits[first];
    size_t start = out->len;
    struct floats_header h = {.encoding = FLOATS_DECIMAL, .value_bytes = single ? 4 : 8,
                              .up = p->up, .down = p->down, .count = (uint16_t)count,
                              .exceptions = n};
    strbuf_add(out, &h, sizeof h);
    ints__encode(digits, count, &o->ints, out);
    strbuf_add(out, at, n * sizeof *at);
    while (out->len % 8) strbuf_addc(out, 0);
    for (uint32_t k = 0; k < n; k++) strbuf_add(out, &v[at[k]], sizeof *v);
    put_header(out, start, h);
}

void floats__encode(const void *values, uint32_t count, unsigned value_bytes,
                    const struct floats_options *o, struct floats_hint *hint, struct strbuf *out)
{
    ASSERT(count && count <= INTS_MAX && out->len % 8 == 0);
    bool single = value_bytes == 4;
    double v[INTS_MAX];
    if (single)
        for (uint32_t i = 0; i < count; i++) {
            float f;
            memcpy(&f, (const char *)values + 4 * (size_t)i, 4);
            v[i] = f;
        }
    else
        memcpy(v, values, count * sizeof *v);
    size_t start = out->len, room = 32 + lanes__bytes(count, 8 * value_bytes);
    /* A float that is a NaN may lose payload bits as a double and back: those are left to the
     * bits. */
    bool fits = o->allowed & 1 << FLOATS_DECIMAL;
    for (uint32_t i = 0; single && fits && i < count; i++) fits = v[i] == v[i];
    if (fits && find_powers(v, count, single, hint)) {
        put_decimal(v, count, single, o, hint, out);
        bool asked = o->allowed == 1 << FLOATS_DECIMAL;
        if (asked || out->len - start < room - room / 8) return;
        out->len = start; /* the sample promised too much */
    }
    put_bits(values, count, value_bytes, o, out);
}

/* --- decoding --------------------------------------------------------------------------------- */

const char *floats__open(struct slice raw, uint32_t count, unsigned value_bytes,
                         struct floats *ret)
{
    struct floats_header h;
    if (raw.len < sizeof h) return "a stream is too short";
    memcpy(&h, raw.data, sizeof h);
    if (h.bytes < sizeof h || h.bytes > raw.len || h.bytes % 8) return "a stream is cut off";
    if (h.count != count || h.value_bytes != value_bytes) return "a stream has another count";
    if (h.encoding >= FLOATS_ENCODINGS) return "the encoding of a stream is unknown";
    if (h.up > POWER_MAX || h.down > POWER_MAX) return "a power of ten is out of range";
    struct floats s = {.encoding = h.encoding, .value_bytes = h.value_bytes, .up = h.up,
                       .down = h.down, .count = h.count, .exceptions = h.exceptions,
                       .bytes = h.bytes};
    struct slice rest = {raw.data + sizeof h, h.bytes - sizeof h};
    unsigned bytes = h.encoding == FLOATS_DECIMAL ? 8 : value_bytes;
    const char *wrong = ints__open(rest, count, bytes, 0, &s.ints);
    if (wrong) return wrong;
    size_t positions = (2 * (size_t)h.exceptions + 7) & ~(size_t)7;
    if (rest.len - s.ints.bytes != positions + 8 * (size_t)h.exceptions)
        return "exceptions are cut off";
    s.positions = (const void *)(rest.data + s.ints.bytes);
    s.values = (const void *)(rest.data + s.ints.bytes + positions);
    for (uint32_t i = 0; i < s.exceptions; i++)
        if (s.positions[i] >= count || (i && s.positions[i] <= s.positions[i - 1]))
            return "an exception is out of range";
    if (h.encoding == FLOATS_BITS && s.exceptions) return "bits have no exceptions";
    *ret = s;
    return NULL;
}

VECTOR_CODE
static void to_doubles(const int64_t *restrict in, uint32_t n, double a, double b,
                       double *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = (double)in[i] * a * b;
}

VECTOR_CODE
static void to_floats(const int64_t *restrict in, uint32_t n, double a, double b,
                      float *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = (float)((double)in[i] * a * b);
}

static void put_exceptions(const struct floats *s, void *out)
{
    for (uint32_t k = 0; k < s->exceptions; k++) {
        double v;
        memcpy(&v, &s->values[k], sizeof v);
        if (s->value_bytes == 8) ((double *)out)[s->positions[k]] = v;
        else ((float *)out)[s->positions[k]] = (float)v;
    }
}

void floats__decode(const struct floats *s, void *out)
{
    if (s->encoding == FLOATS_BITS) {
        ints__decode(&s->ints, s->value_bytes, out);
        return;
    }
    int64_t digits[INTS_MAX] __attribute__((aligned(64)));
    ints__decode(&s->ints, 8, digits);
    if (s->value_bytes == 8) to_doubles(digits, s->count, tens[s->down], tenths[s->up], out);
    else to_floats(digits, s->count, tens[s->down], tenths[s->up], out);
    put_exceptions(s, out);
}

void floats__decode_at(const struct floats *s, const uint16_t *sel, uint32_t n, void *out)
{
    enum { FEW = 6 };
    if (s->encoding == FLOATS_BITS) {
        ints__decode_at(&s->ints, sel, n, s->value_bytes, out);
        return;
    }
    if (n >= s->count / FEW || s->ints.encoding == INTS_DELTA) {
        floats__decode(s, out);
        return;
    }
    int64_t digits[INTS_MAX] __attribute__((aligned(64)));
    ints__decode_at(&s->ints, sel, n, 8, digits);
    for (uint32_t i = 0; i < n; i++) {
        double v = back(digits[sel[i]], s->up, s->down);
        if (s->value_bytes == 8) ((double *)out)[sel[i]] = v;
        else ((float *)out)[sel[i]] = (float)v;
    }
    put_exceptions(s, out);
}

/* --- comparing -------------------------------------------------------------------------------- */

static int64_t key_back(const struct floats *s, int64_t i)
{
    double v = back(i, s->up, s->down);
    return floats__key(s->value_bytes == 8 ? v : (double)(float)v);
}

/* The least integer within min … max whose number has a key not below this one; max + 1 when
 * there is none, told by false. */
static bool first_not_below(const struct floats *s, int64_t min, int64_t max, int64_t key,
                            int64_t *ret)
{
    if (key_back(s, max) < key) return false;
    while (min < max) {
        int64_t mid = min + (int64_t)(((uint64_t)max - (uint64_t)min) / 2);
        if (key_back(s, mid) < key) min = mid + 1;
        else max = mid;
    }
    *ret = min;
    return true;
}

static void range_plain(const struct floats *s, int64_t low, int64_t high, uint64_t *mask)
{
    double room[INTS_MAX];
    int64_t keys[INTS_MAX] __attribute__((aligned(64)));
    floats__decode(s, room);
    if (s->value_bytes == 8)
        for (uint32_t i = 0; i < s->count; i++) keys[i] = floats__key(room[i]);
    else
        for (uint32_t i = 0; i < s->count; i++) keys[i] = floats__key((double)((float *)room)[i]);
    ints__range_plain(keys, s->count, 8, low, high, mask);
}

void floats__range(const struct floats *s, int64_t low, int64_t high, uint64_t *mask)
{
    if (s->encoding == FLOATS_BITS || s->ints.encoding == INTS_DELTA) {
        range_plain(s, low, high, mask);
        return;
    }
    int64_t min, max, from, above;
    ints__bounds(&s->ints, &min, &max);
    mask__fill(mask, s->count, false);
    if (low <= high && first_not_below(s, min, max, low, &from)) {
        bool some_above = high < INT64_MAX && first_not_below(s, min, max, high + 1, &above);
        if (!some_above) ints__range(&s->ints, from, INT64_MAX, mask);
        else if (above > from) ints__range(&s->ints, from, above - 1, mask);
    }
    for (uint32_t k = 0; k < s->exceptions; k++) {
        double v;
        memcpy(&v, &s->values[k], sizeof v);
        int64_t key = floats__key(v);
        mask__put(mask, s->positions[k], key >= low && key <= high);
    }
}
