/* Streams of integers (docs/format/column.md).
 *
 * Differences have no order of their own here: they are unpacked by lanes and summed up one
 * after the other, an addition a value, which a core does once a cycle. A transposed order would
 * sum up several at once, but every other reader would have to undo it. */
#include "core/column/ints_priv.h"

#include "base/status.h"

/* Of a whole stream, measured by bench_kernels --part columns; thousandths of a nanosecond a
 * value, and a run. */
enum { PS_PACKED = 150, PS_DELTA = 800, PS_VALUE_OF_RUN = 100, PS_RUN = 3000 };

static inline size_t up8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* --- masks ------------------------------------------------------------------------------------ */

void mask__set_range(uint64_t *mask, uint32_t from, uint32_t to)
{
    if (from >= to) return;
    uint32_t a = from / 64, b = (to - 1) / 64;
    uint64_t first = ~0ull << from % 64, last = ~0ull >> (63 - (to - 1) % 64);
    if (a == b) {
        mask[a] |= first & last;
        return;
    }
    mask[a] |= first;
    for (uint32_t w = a + 1; w < b; w++) mask[w] = ~0ull;
    mask[b] |= last;
}

uint32_t mask__count(const uint64_t *mask)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < MASK_WORDS; w++) n += (uint32_t)__builtin_popcountll(mask[w]);
    return n;
}

/* --- encoding --------------------------------------------------------------------------------- */

struct ints_stats {
    int64_t min, max, step_min, step_max;
    uint32_t runs;
    bool steps_fit; /* no difference overflows */
};

static struct ints_stats stats_of(const int64_t *v, uint32_t n)
{
    struct ints_stats s = {.min = v[0], .max = v[0], .step_min = INT64_MAX, .step_max = INT64_MIN,
                           .runs = 1, .steps_fit = true};
    for (uint32_t i = 1; i < n; i++) {
        int64_t step;
        if (v[i] < s.min) s.min = v[i];
        if (v[i] > s.max) s.max = v[i];
        s.runs += v[i] != v[i - 1];
        if (__builtin_sub_overflow(v[i], v[i - 1], &step)) s.steps_fit = false;
        if (step < s.step_min) s.step_min = step;
        if (step > s.step_max) s.step_max = step;
    }
    return s;
}

static unsigned run_value_bytes(uint64_t range)
{
    return range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : range <= UINT32_MAX ? 4 : 8;
}

static uint64_t score(size_t bytes, uint64_t picoseconds, const struct ints_options *o)
{
    return bytes + picoseconds * o->bytes_a_ns / 1000;
}

static enum ints_encoding choose(const struct ints_stats *s, uint32_t n,
                                 const struct ints_options *o)
{
    if (s->min == s->max) return INTS_CONST;
    uint64_t range = (uint64_t)s->max - (uint64_t)s->min;
    enum ints_encoding best = INTS_PACKED;
    uint64_t least = score(lanes__bytes(n, lanes__width(range)), (uint64_t)n * PS_PACKED, o);
    if (s->steps_fit && o->allowed & 1 << INTS_DELTA && !o->narrow) {
        uint64_t steps = (uint64_t)s->step_max - (uint64_t)s->step_min;
        uint64_t cost = steps ? (uint64_t)n * PS_DELTA : (uint64_t)n * PS_PACKED;
        uint64_t sum = score(8 + lanes__bytes(n, lanes__width(steps)), cost, o);
        if (sum < least) least = sum, best = INTS_DELTA;
    }
    if (o->allowed & 1 << INTS_RUNS) {
        size_t bytes = 8 + up8(2 * (size_t)s->runs) + up8((size_t)s->runs * run_value_bytes(range));
        uint64_t cost = (uint64_t)s->runs * PS_RUN + (uint64_t)n * PS_VALUE_OF_RUN;
        uint64_t sum = score(bytes, cost, o);
        if (sum < least) best = INTS_RUNS;
    }
    /* Asked for by name: whatever it takes. */
    if (o->allowed == 1 << INTS_RUNS) return INTS_RUNS;
    if (o->allowed == 1 << INTS_DELTA && s->steps_fit && !o->narrow) return INTS_DELTA;
    return best;
}

static void *grow(struct strbuf *out, size_t bytes)
{
    strbuf_reserve(out, bytes + 8);
    void *p = out->data + out->len;
    memset(p, 0, bytes);
    out->len += bytes;
    return p;
}

static void put_lanes(const int64_t *v, uint32_t n, uint64_t base, unsigned width, bool steps,
                      struct strbuf *out)
{
    uint64_t above[INTS_MAX] = {0};
    if (!width) return;
    for (uint32_t i = steps; i < n; i++)
        above[i] = (uint64_t)v[i] - (steps ? (uint64_t)v[i - 1] : 0) - base;
    lanes__pack(above, n, width, grow(out, lanes__bytes(n, width)));
}

static void put_runs(const int64_t *v, uint32_t n, uint64_t base, uint32_t runs, unsigned bytes,
                     struct strbuf *out)
{
    grow(out, 8 + up8(2 * (size_t)runs) + up8((size_t)runs * bytes));
    char *at = out->data + out->len - up8((size_t)runs * bytes);
    char *ends = at - up8(2 * (size_t)runs), *head = ends - 8;
    memcpy(head, &runs, sizeof runs);
    for (uint32_t i = 0, r = 0; i < n; i++) {
        if (i + 1 < n && v[i + 1] == v[i]) continue;
        uint64_t above = (uint64_t)v[i] - base;
        uint16_t end = (uint16_t)(i + 1);
        memcpy(ends + 2 * (size_t)r, &end, sizeof end);
        memcpy(at + (size_t)r * bytes, &above, bytes);
        r++;
    }
}

void ints__encode(const int64_t *values, uint32_t count, const struct ints_options *o,
                  struct strbuf *out)
{
    ASSERT(count && count <= INTS_MAX && out->len % 8 == 0);
    struct ints_stats s = stats_of(values, count);
    uint64_t range = (uint64_t)s.max - (uint64_t)s.min;
    struct ints_header h = {.encoding = (uint8_t)choose(&s, count, o), .count = (uint16_t)count,
                            .base = s.min};
    size_t start = out->len;
    grow(out, sizeof h);
    switch (h.encoding) {
    case INTS_CONST: break;
    case INTS_PACKED:
        h.width = (uint8_t)lanes__width(range);
        put_lanes(values, count, (uint64_t)s.min, h.width, false, out);
        break;
    case INTS_DELTA:
        if (count == 1) s.step_min = s.step_max = 0;
        h.base = values[0];
        h.width = (uint8_t)lanes__width((uint64_t)s.step_max - (uint64_t)s.step_min);
        memcpy(grow(out, sizeof s.step_min), &s.step_min, sizeof s.step_min);
        put_lanes(values, count, (uint64_t)s.step_min, h.width, true, out);
        break;
    default:
        h.width = (uint8_t)run_value_bytes(range);
        put_runs(values, count, (uint64_t)s.min, s.runs, h.width, out);
    }
    h.bytes = (uint32_t)(out->len - start);
    memcpy(out->data + start, &h, sizeof h);
}

/* --- opening ---------------------------------------------------------------------------------- */

static inline uint64_t run_value(const struct ints *s, uint32_t r)
{
    switch (s->width) {
    case 1: return (uint64_t)s->base + ((const uint8_t *)s->data)[r];
    case 2: return (uint64_t)s->base + ((const uint16_t *)s->data)[r];
    case 4: return (uint64_t)s->base + ((const uint32_t *)s->data)[r];
    default: return (uint64_t)s->base + ((const uint64_t *)s->data)[r];
    }
}

static const char *open_runs(struct slice body, int64_t max, struct ints *s)
{
    if (body.len < 8) return "runs are cut off";
    memcpy(&s->runs, body.data, sizeof s->runs);
    unsigned w = s->width;
    if (!s->runs || s->runs > s->count) return "the number of runs is out of range";
    if (w != 1 && w != 2 && w != 4 && w != 8) return "the width of runs is out of range";
    size_t ends = up8(2 * (size_t)s->runs);
    if (body.len != 8 + ends + up8((size_t)s->runs * w)) return "runs are cut off";
    s->ends = (const void *)(body.data + 8);
    s->data = body.data + 8 + ends;
    for (uint32_t r = 0, before = 0; r < s->runs; r++) {
        if (s->ends[r] <= before) return "runs do not ascend";
        before = s->ends[r];
        if (max && run_value(s, r) > (uint64_t)max) return "a value is out of range";
    }
    return s->ends[s->runs - 1] == s->count ? NULL : "runs do not fill the stream";
}

const char *ints__open(struct slice raw, uint32_t count, unsigned out_bytes, int64_t max,
                       struct ints *ret)
{
    struct ints_header h;
    if (raw.len < sizeof h) return "a stream is too short";
    DEBUG_ASSERT((uintptr_t)raw.data % 8 == 0);
    memcpy(&h, raw.data, sizeof h);
    if (h.bytes < sizeof h || h.bytes > raw.len || h.bytes % 8) return "a stream is cut off";
    if (h.count != count || !count || count > INTS_MAX) return "a stream has another count";
    struct ints s = {.encoding = h.encoding, .width = h.width, .count = h.count, .bytes = h.bytes,
                     .base = h.base, .data = raw.data + sizeof h};
    struct slice body = {raw.data + sizeof h, h.bytes - sizeof h};
    bool outside = max && (h.base < 0 || h.base > max);
    switch (h.encoding) {
    case INTS_CONST:
        if (body.len) return "a constant has more than its value";
        break;
    case INTS_PACKED:
        if (!h.width || lanes__bits(h.width) > 8 * out_bytes || h.width > 64)
            return "the width of a stream is out of range";
        if (body.len != lanes__bytes(count, h.width)) return "lanes are cut off";
        outside |= max && lanes__max(h.width) > (uint64_t)max - (uint64_t)h.base;
        break;
    case INTS_DELTA:
        if (h.width > 64) return "the width of a stream is out of range";
        if (body.len != 8 + lanes__bytes(count, h.width)) return "lanes are cut off";
        memcpy(&s.step, body.data, sizeof s.step);
        s.data = body.data + 8;
        outside |= max != 0;
        break;
    case INTS_RUNS: {
        const char *wrong = open_runs(body, max, &s);
        if (wrong) return wrong;
        break;
    }
    default: return "the encoding of a stream is unknown";
    }
    if (outside) return "a value is out of range";
    *ret = s;
    return NULL;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* The same loop for each width of a result. */
#define FOR_WIDTH(out_bytes, ...)                                                                  \
    switch (out_bytes) {                                                                           \
    case 1: { typedef uint8_t num; __VA_ARGS__; } break;                                           \
    case 2: { typedef uint16_t num; __VA_ARGS__; } break;                                          \
    case 4: { typedef uint32_t num; __VA_ARGS__; } break;                                          \
    default: { typedef uint64_t num; __VA_ARGS__; }                                                \
    }

static void fill(uint64_t value, uint32_t n, unsigned out_bytes, void *out)
{
    FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < n; i++) p[i] = (num)value)
}

static void decode_delta(const struct ints *s, unsigned out_bytes, void *out)
{
    uint64_t base = (uint64_t)s->base, step = (uint64_t)s->step;
    if (!s->width) { /* first, first + step … */
        FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < s->count; i++)
                      p[i] = (num)(base + i * step))
        return;
    }
    /* The difference before the first value is 0 in the lanes. */
    uint64_t sum = base - step;
    if (s->width <= 32) {
        uint32_t d[INTS_MAX];
        lanes__unpack(s->data, s->count, s->width, 0, 4, d);
        FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < s->count; i++)
                      p[i] = (num)(sum += step + d[i]))
        return;
    }
    uint64_t d[INTS_MAX];
    lanes__unpack(s->data, s->count, s->width, step, 8, d);
    FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < s->count; i++)
                  p[i] = (num)(sum += d[i]))
}

static void decode_runs(const struct ints *s, unsigned out_bytes, void *out)
{
    FOR_WIDTH(out_bytes, num *p = out; for (uint32_t r = 0, i = 0; r < s->runs; r++) {
        num v = (num)run_value(s, r);
        for (; i < s->ends[r]; i++) p[i] = v;
    })
}

void ints__decode(const struct ints *s, unsigned out_bytes, void *out)
{
    switch (s->encoding) {
    case INTS_CONST: fill((uint64_t)s->base, s->count, out_bytes, out); break;
    case INTS_PACKED:
        lanes__unpack(s->data, s->count, s->width, (uint64_t)s->base, out_bytes, out);
        break;
    case INTS_DELTA: decode_delta(s, out_bytes, out); break;
    default: decode_runs(s, out_bytes, out);
    }
}

/* Run of row i, from run r on. */
static inline uint32_t run_at(const struct ints *s, uint32_t r, uint32_t i)
{
    while (s->ends[r] <= i) r++;
    return r;
}

void ints__decode_at(const struct ints *s, const uint16_t *sel, uint32_t n, unsigned out_bytes,
                     void *out)
{
    enum { FEW = 40 }; /* a value by itself takes as long as so many in lanes */
    if (s->encoding == INTS_PACKED && n < s->count / FEW) {
        uint64_t base = (uint64_t)s->base;
        FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < n; i++)
                      p[sel[i]] = (num)(base + lanes__get(s->data, s->count, s->width, sel[i])))
    } else if (s->encoding == INTS_CONST && n < s->count / FEW) {
        FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < n; i++)
                      p[sel[i]] = (num)(uint64_t)s->base)
    } else if (s->encoding == INTS_RUNS && n < s->count / FEW) {
        uint32_t r = 0;
        FOR_WIDTH(out_bytes, num *p = out; for (uint32_t i = 0; i < n; i++) {
            r = run_at(s, r, sel[i]);
            p[sel[i]] = (num)run_value(s, r);
        })
    } else {
        ints__decode(s, out_bytes, out);
    }
}

int64_t ints__get(const struct ints *s, uint32_t i)
{
    DEBUG_ASSERT(i < s->count);
    switch (s->encoding) {
    case INTS_CONST: return s->base;
    case INTS_PACKED:
        return (int64_t)((uint64_t)s->base + lanes__get(s->data, s->count, s->width, i));
    case INTS_DELTA: {
        uint64_t v = (uint64_t)s->base + i * (uint64_t)s->step;
        for (uint32_t k = 1; s->width && k <= i; k++)
            v += lanes__get(s->data, s->count, s->width, k);
        return (int64_t)v;
    }
    default: {
        uint32_t low = 0, high = s->runs - 1; /* the first run that ends after i */
        while (low < high) {
            uint32_t mid = (low + high) / 2;
            if (s->ends[mid] > i) high = mid;
            else low = mid + 1;
        }
        return (int64_t)run_value(s, low);
    }
    }
}

/* --- comparing -------------------------------------------------------------------------------- */

static void range_packed(const struct ints *s, int64_t low, int64_t high, uint64_t *mask)
{
    uint64_t max = lanes__max(s->width), from = 0, to;
    if (high < s->base) return;
    if (low > s->base) from = (uint64_t)low - (uint64_t)s->base;
    to = (uint64_t)high - (uint64_t)s->base;
    if (from > max) return;
    if (to >= max) to = max;
    if (from == 0 && to == max) {
        mask__fill(mask, s->count, true);
        return;
    }
    lanes__range(s->data, s->count, s->width, from, to - from, mask);
    mask__cut(mask, s->count);
}

static void range_runs(const struct ints *s, int64_t low, int64_t high, uint64_t *mask)
{
    uint32_t from = 0;
    for (uint32_t r = 0; r < s->runs; from = s->ends[r++]) {
        int64_t v = (int64_t)run_value(s, r);
        if (v >= low && v <= high) mask__set_range(mask, from, s->ends[r]);
    }
}

/* Of numbers in equal steps those between two lie together. */
static void range_steps(const struct ints *s, int64_t low, int64_t high, uint64_t *mask)
{
    uint32_t ends[2];
    bool up = s->step >= 0;
    for (int end = 0; end < 2; end++) {
        uint32_t from = 0, to = s->count; /* first the row that begins, then that behind the last */
        while (from < to) {
            uint32_t mid = (from + to) / 2;
            int64_t v = (int64_t)((uint64_t)s->base + mid * (uint64_t)s->step);
            bool before = up ? (end ? v <= high : v < low) : (end ? v >= low : v > high);
            if (before) from = mid + 1;
            else to = mid;
        }
        ends[end] = from;
    }
    mask__set_range(mask, ends[0], ends[1]);
}

void ints__range(const struct ints *s, int64_t low, int64_t high, uint64_t *mask)
{
    mask__fill(mask, s->count, false);
    if (low > high) return;
    switch (s->encoding) {
    case INTS_CONST:
        if (s->base >= low && s->base <= high) mask__fill(mask, s->count, true);
        break;
    case INTS_PACKED: range_packed(s, low, high, mask); break;
    case INTS_RUNS: range_runs(s, low, high, mask); break;
    default: {
        uint64_t values[INTS_MAX] __attribute__((aligned(64)));
        if (!s->width) {
            range_steps(s, low, high, mask);
            break;
        }
        decode_delta(s, 8, values);
        ints__range_plain(values, s->count, 8, low, high, mask);
    }
    }
}

void ints__range_plain(const void *values, uint32_t count, unsigned bytes, int64_t low,
                       int64_t high, uint64_t *mask)
{
    mask__fill(mask, count, false);
    int64_t least = -(int64_t)(lanes__max(8 * bytes) / 2) - 1, most = -(least + 1);
    if (low < least) low = least;
    if (high > most) high = most;
    if (low > high) return;
    lanes__range(values, count, 8 * bytes, (uint64_t)low, (uint64_t)high - (uint64_t)low, mask);
    mask__cut(mask, count);
}

void ints__bounds(const struct ints *s, int64_t *ret_min, int64_t *ret_max)
{
    *ret_min = *ret_max = s->base;
    if (s->encoding == INTS_PACKED) {
        *ret_max = (int64_t)((uint64_t)s->base + lanes__max(s->width));
        if (*ret_max < s->base) *ret_max = INT64_MAX;
    } else if (s->encoding == INTS_RUNS) {
        for (uint32_t r = 0; r < s->runs; r++) {
            int64_t v = (int64_t)run_value(s, r);
            if (v < *ret_min) *ret_min = v;
            if (v > *ret_max) *ret_max = v;
        }
    } else if (s->encoding == INTS_DELTA) {
        *ret_min = INT64_MIN;
        *ret_max = INT64_MAX;
    }
}
