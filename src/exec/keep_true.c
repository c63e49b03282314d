/* From the values of a condition to the rows that it keeps: positions with value 1 and no NULL, in order.
 *
 * 32 rows at a time where the processor can: their values become a mask, and the positions that it names
 * are put side by side, by AVX-512's compress or, with AVX2, 8 at a time by BMI2's. */
#include "exec/eval_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Every row is written, kept ones advance. */
static uint32_t keep_selected(const uint8_t *values, const uint64_t *nulls, const uint16_t *sel,
                              uint32_t from, uint32_t count, uint16_t *out, uint32_t n)
{
    for (uint32_t i = from; i < count; i++) {
        uint32_t r = eval__row(sel, i);
        uint32_t null = nulls ? nulls[r >> 6] >> (r & 63) & 1 : 0;
        out[n] = (uint16_t)r;
        n += (values[r] & 1u) & ~null;
    }
    return n;
}

#if defined(__x86_64__)

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2"))) static uint32_t
keep_avx512(const uint8_t *values, const uint64_t *nulls, uint32_t count, uint16_t *out,
            uint32_t *ret_done)
{
    const __m512i step = _mm512_set1_epi16(32);
    __m512i rows = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15,
                                    14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    uint32_t n = 0, i = 0;
    for (; i + 32 <= count; i += 32, rows = _mm512_add_epi16(rows, step)) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(values + i));
        uint32_t mask = _mm256_test_epi8_mask(v, _mm256_set1_epi8(1));
        if (nulls) mask &= ~(uint32_t)(nulls[i >> 6] >> (i & 63));
        /* To a register and from there: compressing to memory is slow on some processors. At most
         * 32 positions are written past n, which is at most i. */
        _mm512_storeu_si512(out + n, _mm512_maskz_compress_epi16(mask, rows));
        n += (uint32_t)__builtin_popcount(mask);
    }
    *ret_done = i;
    return n;
}

/* The positions of 8 rows are bytes of a word, from which BMI2 takes those of the mask. */
__attribute__((target("avx2,bmi2,popcnt"))) static uint32_t
keep_avx2(const uint8_t *values, const uint64_t *nulls, uint32_t count, uint16_t *out,
          uint32_t *ret_done)
{
    uint32_t n = 0, i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(values + i));
        uint32_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(v, 7));
        if (nulls) mask &= ~(uint32_t)(nulls[i >> 6] >> (i & 63));
        for (uint32_t k = 0; k < 4; k++, mask >>= 8) {
            uint64_t wanted = _pdep_u64(mask & 255, 0x0101010101010101) * 255;
            __m128i eight = _mm_cvtsi64_si128((int64_t)_pext_u64(0x0706050403020100, wanted));
            __m128i rows = _mm_add_epi16(_mm_cvtepu8_epi16(eight), _mm_set1_epi16((short)(i + 8 * k)));
            _mm_storeu_si128((__m128i *)(void *)(out + n), rows);
            n += (uint32_t)__builtin_popcount(mask & 255);
        }
    }
    *ret_done = i;
    return n;
}

/* Of the first rows, as many as come in whole vectors. */
static uint32_t keep_vectors(const uint8_t *values, const uint64_t *nulls, uint32_t count,
                             uint16_t *out, uint32_t *ret_done)
{
    if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        return keep_avx512(values, nulls, count, out, ret_done);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return keep_avx2(values, nulls, count, out, ret_done);
    return 0;
}

#else

static uint32_t keep_vectors(const uint8_t *values, const uint64_t *nulls, uint32_t count,
                             uint16_t *out, uint32_t *ret_done)
{
    (void)values, (void)nulls, (void)count, (void)out, (void)ret_done;
    return 0;
}

#endif

uint32_t eval__keep_true(const uint8_t *values, const uint64_t *nulls, const uint16_t *sel,
                         uint32_t count, uint16_t *out)
{
    uint32_t done = 0, n = 0;
    if (!sel) n = keep_vectors(values, nulls, count, out, &done);
    return keep_selected(values, nulls, sel, done, count, out, n);
}
