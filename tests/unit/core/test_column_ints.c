/* Lanes and streams of integers against plain arrays: every width, every encoding forced in
 * turn, several distributions, and every level of the processor, which must agree to the bit. */
#include "core/column/ints_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"

static const uint32_t counts[] = {1, 2, 63, 64, 65, 511, 512, 513, 1000, 1536, 2047, 2048};
enum { COUNTS = sizeof counts / sizeof *counts, ROUNDS = 6 };

static uint64_t seed;
static struct rng rng;

static int set_seed(void **state)
{
    (void)state;
    const char *s = getenv("SEED");
    seed = s ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
    rng_seed(&rng, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    return 0;
}

/* --- lanes ------------------------------------------------------------------------------------ */

static void check_range(const void *packed, const uint64_t *v, uint32_t n, unsigned width)
{
    uint64_t mask[MASK_WORDS], max = lanes__max(width), low = rng_u64(&rng) & max;
    uint64_t span = rng_below(&rng, 2) ? 0 : rng_u64(&rng) & max;
    if (rng_below(&rng, 2)) low = v[rng_below(&rng, n)];
    if (span > max - low) span = max - low;
    lanes__range(packed, n, width, low, span, mask);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(mask__get(mask, i), v[i] - low <= span);
}

static void check_unpack(const void *packed, const uint64_t *v, uint32_t n, unsigned width)
{
    uint64_t out[INTS_MAX] __attribute__((aligned(64))), base = rng_u64(&rng);
    for (unsigned bytes = lanes__bits(width) / 8; bytes <= 8; bytes *= 2) {
        lanes__unpack(packed, n, width, base, bytes, out);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t is = 0, want = (v[i] + base) & lanes__max(8 * bytes);
            memcpy(&is, (char *)out + (size_t)i * bytes, bytes);
            assert_int_equal(is, want);
        }
    }
}

static void lanes_come_back(void **state)
{
    (void)state;
    uint64_t v[INTS_MAX];
    for (unsigned width = 1; width <= 64; width++)
        for (uint32_t c = 0; c < COUNTS; c++) {
            uint32_t n = counts[c];
            memset(v, 0, sizeof v);
            for (uint32_t i = 0; i < n; i++) v[i] = rng_u64(&rng) & lanes__max(width);
            /* Of just its size, so that a sanitizer sees what goes beyond. */
            void *packed = mem_alloc_aligned(MEM_TEST, 64, lanes__bytes(n, width));
            lanes__pack(v, n, width, packed);
            for (uint32_t i = 0; i < n; i++)
                assert_int_equal(lanes__get(packed, n, width, i), v[i]);
            for (int l = 0; l <= (int)lanes__best_level(); l++) {
                lanes__set_level((enum simd_level)l);
                check_unpack(packed, v, n, width);
                for (int k = 0; k < 4; k++) check_range(packed, v, n, width);
            }
            mem_free(MEM_TEST, packed);
        }
}

/* --- streams ---------------------------------------------------------------------------------- */

enum shape { SAME, SMALL, WIDE, SORTED, STEADY, RUNS, FAR, EXTREMES, DOWN, SHAPES };

static void fill(int64_t *v, uint32_t n, enum shape shape)
{
    int64_t at = (int64_t)rng_u64(&rng) >> rng_below(&rng, 50), step = (int64_t)rng_below(&rng, 9);
    for (uint32_t i = 0; i < n; i++) {
        switch (shape) {
        case SAME: v[i] = at; break;
        case SMALL: v[i] = (int64_t)rng_below(&rng, 100) - 50; break;
        case WIDE: v[i] = (int64_t)rng_u64(&rng); break;
        case SORTED: v[i] = at = (int64_t)((uint64_t)at + rng_below(&rng, 1000)); break;
        case STEADY: v[i] = (int64_t)((uint64_t)at + i * (uint64_t)step); break;
        case RUNS:
            if (rng_below(&rng, 40) == 0) at = (int64_t)rng_below(&rng, 100000);
            v[i] = at;
            break;
        case FAR: v[i] = rng_below(&rng, 300) ? (int64_t)rng_below(&rng, 10) : 1ll << 40; break;
        case EXTREMES: v[i] = rng_below(&rng, 2) ? INT64_MIN : INT64_MAX; break;
        default: v[i] = at = (int64_t)((uint64_t)at - rng_below(&rng, 70000)); break;
        }
    }
}

static unsigned bytes_for(const int64_t *v, uint32_t n)
{
    unsigned bytes = 1;
    for (uint32_t i = 0; i < n; i++)
        while (bytes < 8 && (v[i] < -(1ll << (8 * bytes - 1)) || v[i] >= 1ll << (8 * bytes - 1)))
            bytes *= 2;
    return bytes;
}

static void check_decode(const struct ints *s, const int64_t *v, unsigned bytes)
{
    uint64_t out[INTS_MAX] __attribute__((aligned(64)));
    uint16_t sel[INTS_MAX];
    for (int some = 0; some < 4; some++) {
        uint32_t n = 0, every = some == 1 ? 100 : some == 2 ? 15 : 2;
        for (uint32_t i = 0; i < s->count; i++)
            if (!some || rng_below(&rng, every) == 0) sel[n++] = (uint16_t)i;
        memset(out, 0x5a, sizeof out);
        if (some) ints__decode_at(s, sel, n, bytes, out);
        else ints__decode(s, bytes, out);
        for (uint32_t k = 0; k < n; k++) {
            int64_t is = 0;
            memcpy(&is, (char *)out + (size_t)sel[k] * bytes, bytes);
            assert_int_equal((uint64_t)is, (uint64_t)v[sel[k]] & lanes__max(8 * bytes));
        }
    }
}

static void check_compare(const struct ints *s, const int64_t *v)
{
    uint64_t mask[MASK_WORDS];
    for (int k = 0; k < 8; k++) {
        int64_t low = v[rng_below(&rng, s->count)], high = v[rng_below(&rng, s->count)];
        if (k == 1) high = low;
        if (k == 2) low = INT64_MIN;
        if (k == 3) high = INT64_MAX;
        if (k == 4) low = (int64_t)rng_u64(&rng);
        if (k == 5 && low < INT64_MAX) low++;
        ints__range(s, low, high, mask);
        for (uint32_t i = 0; i < INTS_MAX; i++)
            assert_int_equal(mask__get(mask, i), i < s->count && v[i] >= low && v[i] <= high);
    }
}

static void check_stream(const int64_t *v, uint32_t n, uint8_t allowed, uint8_t bytes_a_ns)
{
    struct ints_options o = {.allowed = allowed, .bytes_a_ns = bytes_a_ns};
    struct strbuf out;
    struct ints s;
    unsigned least = bytes_for(v, n);
    strbuf_init(&out, NULL);
    ints__encode(v, n, &o, &out);
    char *raw = mem_alloc_aligned(MEM_TEST, 64, out.len);
    memcpy(raw, out.data, out.len);
    for (int l = 0; l <= (int)lanes__best_level(); l++) {
        lanes__set_level((enum simd_level)l);
        for (unsigned bytes = least; bytes <= 8; bytes *= 2) {
            assert_null(ints__open(slice_make(raw, out.len), n, bytes, 0, &s));
            assert_int_equal(s.bytes, out.len);
            check_decode(&s, v, bytes);
        }
        check_compare(&s, v);
    }
    if (allowed == 1 << INTS_RUNS && s.encoding != INTS_CONST)
        assert_int_equal(s.encoding, INTS_RUNS);
    int64_t min, max;
    ints__bounds(&s, &min, &max);
    for (uint32_t i = 0; i < n; i += 1 + n / 50) {
        assert_int_equal(ints__get(&s, i), v[i]);
        assert_true(min <= v[i] && v[i] <= max);
    }
    /* Cut short anywhere, it is refused. */
    for (size_t cut = 0; cut < out.len; cut += 8 + out.len / 64 * 8)
        assert_non_null(ints__open(slice_make(raw, cut), n, 8, 0, &s));
    mem_free(MEM_TEST, raw);
    strbuf_release(&out);
}

static void streams_come_back(void **state)
{
    (void)state;
    static const uint8_t allowed[] = {0xff, 0, 1 << INTS_DELTA, 1 << INTS_RUNS};
    int64_t v[INTS_MAX];
    for (int round = 0; round < ROUNDS; round++)
        for (int shape = 0; shape < SHAPES; shape++) {
            uint32_t n = rng_below(&rng, 3) ? counts[rng_below(&rng, COUNTS)]
                                            : 1 + (uint32_t)rng_below(&rng, INTS_MAX);
            fill(v, n, (enum shape)shape);
            for (size_t a = 0; a < sizeof allowed; a++)
                check_stream(v, n, allowed[a], rng_below(&rng, 2) ? 4 : 0);
        }
}

/* What each shape is worth. */
static void the_smallest_wins(void **state)
{
    (void)state;
    struct ints_options o = {.allowed = 0xff, .bytes_a_ns = 4};
    static const uint8_t wanted[SHAPES] = {[SAME] = INTS_CONST, [SMALL] = INTS_PACKED,
                                           [WIDE] = INTS_PACKED, [STEADY] = INTS_DELTA,
                                           [RUNS] = INTS_RUNS, [EXTREMES] = INTS_PACKED};
    int64_t v[INTS_MAX];
    for (int shape = 0; shape < SHAPES; shape++) {
        if (shape == SORTED || shape == FAR || shape == DOWN || shape == STEADY) continue;
        struct strbuf out;
        strbuf_init(&out, NULL);
        fill(v, INTS_MAX, (enum shape)shape);
        ints__encode(v, INTS_MAX, &o, &out);
        assert_int_equal(((struct ints_header *)(void *)out.data)->encoding, wanted[shape]);
        strbuf_release(&out);
    }
}

static void masks_are_cut(void **state)
{
    (void)state;
    uint64_t mask[MASK_WORDS], want[MASK_WORDS];
    for (int k = 0; k < 2000; k++) {
        uint32_t from = (uint32_t)rng_below(&rng, INTS_MAX + 1);
        uint32_t to = (uint32_t)rng_below(&rng, INTS_MAX + 1);
        memset(mask, 0, sizeof mask);
        memset(want, 0, sizeof want);
        for (uint32_t i = from; i < to; i++) mask__put(want, i, true);
        mask__set_range(mask, from, to);
        assert_memory_equal(mask, want, sizeof want);
        assert_int_equal(mask__count(mask), from < to ? to - from : 0);
        mask__fill(mask, to, true);
        assert_int_equal(mask__count(mask), to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_come_back), cmocka_unit_test(streams_come_back),
        cmocka_unit_test(the_smallest_wins), cmocka_unit_test(masks_are_cut)};
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
