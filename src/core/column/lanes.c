/* Packing and unpacking of lanes, and comparisons that need no unpacking: the same loops three
 * times, for every x86-64 (and every other processor), for AVX2 and for AVX-512, chosen at run
 * time. Only how a comparison becomes bits is written for each; the rest is left to the
 * compiler. */
#include "core/column/lanes_priv.h"

#include <string.h>

#include "base/status.h"
#include "base/vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define LANES_X86 1
#endif

/* --- how a comparison becomes bits ------------------------------------------------------------ */

#define PORTABLE_HITS(name, type)                                                                  \
    static inline uint64_t name(const type *p, uint64_t low, uint64_t span)                        \
    {                                                                                              \
        uint64_t hits = 0;                                                                         \
        for (unsigned i = 0; i < 64 / sizeof(type); i++)                                           \
            hits |= (uint64_t)((type)(p[i] - (type)low) <= (type)span) << i;                       \
        return hits;                                                                               \
    }
PORTABLE_HITS(hits8_portable, uint8_t)
PORTABLE_HITS(hits16_portable, uint16_t)
PORTABLE_HITS(hits32_portable, uint32_t)
PORTABLE_HITS(hits64_portable, uint64_t)

#ifdef LANES_X86
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,popcnt,lzcnt")))

AVX2 static inline uint32_t half8(const uint8_t *p, __m256i low, __m256i span)
{
    __m256i x = _mm256_sub_epi8(_mm256_load_si256((const __m256i *)(const void *)p), low);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(x, span), x));
}
AVX2 static inline uint64_t hits8_avx2(const uint8_t *p, uint64_t low, uint64_t span)
{
    __m256i a = _mm256_set1_epi8((char)low), b = _mm256_set1_epi8((char)span);
    return half8(p, a, b) | (uint64_t)half8(p + 32, a, b) << 32;
}
AVX2 static inline __m256i half16(const uint16_t *p, __m256i low, __m256i span)
{
    __m256i x = _mm256_sub_epi16(_mm256_load_si256((const __m256i *)(const void *)p), low);
    return _mm256_cmpeq_epi16(_mm256_min_epu16(x, span), x);
}
AVX2 static inline uint64_t hits16_avx2(const uint16_t *p, uint64_t low, uint64_t span)
{
    __m256i a = _mm256_set1_epi16((short)low), b = _mm256_set1_epi16((short)span);
    __m256i both = _mm256_packs_epi16(half16(p, a, b), half16(p + 16, a, b));
    return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(both, 0xd8));
}
AVX2 static inline uint32_t half32(const uint32_t *p, __m256i low, __m256i span)
{
    __m256i x = _mm256_sub_epi32(_mm256_load_si256((const __m256i *)(const void *)p), low);
    __m256i hit = _mm256_cmpeq_epi32(_mm256_min_epu32(x, span), x);
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(hit));
}
AVX2 static inline uint64_t hits32_avx2(const uint32_t *p, uint64_t low, uint64_t span)
{
    __m256i a = _mm256_set1_epi32((int)low), b = _mm256_set1_epi32((int)span);
    return half32(p, a, b) | half32(p + 8, a, b) << 8;
}
AVX2 static inline uint32_t half64(const uint64_t *p, __m256i low, __m256i span)
{
    __m256i sign = _mm256_set1_epi64x(INT64_MIN); /* there is only a signed comparison */
    __m256i x = _mm256_sub_epi64(_mm256_load_si256((const __m256i *)(const void *)p), low);
    __m256i miss = _mm256_cmpgt_epi64(_mm256_xor_si256(x, sign), _mm256_xor_si256(span, sign));
    return ~(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(miss)) & 15;
}
AVX2 static inline uint64_t hits64_avx2(const uint64_t *p, uint64_t low, uint64_t span)
{
    __m256i a = _mm256_set1_epi64x((int64_t)low), b = _mm256_set1_epi64x((int64_t)span);
    return half64(p, a, b) | half64(p + 4, a, b) << 4;
}

AVX512 static inline uint64_t hits8_avx512(const uint8_t *p, uint64_t low, uint64_t span)
{
    __m512i x = _mm512_sub_epi8(_mm512_load_si512(p), _mm512_set1_epi8((char)low));
    return _mm512_cmple_epu8_mask(x, _mm512_set1_epi8((char)span));
}
AVX512 static inline uint64_t hits16_avx512(const uint16_t *p, uint64_t low, uint64_t span)
{
    __m512i x = _mm512_sub_epi16(_mm512_load_si512(p), _mm512_set1_epi16((short)low));
    return _mm512_cmple_epu16_mask(x, _mm512_set1_epi16((short)span));
}
AVX512 static inline uint64_t hits32_avx512(const uint32_t *p, uint64_t low, uint64_t span)
{
    __m512i x = _mm512_sub_epi32(_mm512_load_si512(p), _mm512_set1_epi32((int)low));
    return _mm512_cmple_epu32_mask(x, _mm512_set1_epi32((int)span));
}
AVX512 static inline uint64_t hits64_avx512(const uint64_t *p, uint64_t low, uint64_t span)
{
    __m512i x = _mm512_sub_epi64(_mm512_load_si512(p), _mm512_set1_epi64((int64_t)low));
    return _mm512_cmple_epu64_mask(x, _mm512_set1_epi64((int64_t)span));
}
#endif

/* --- the kernels ------------------------------------------------------------------------------ */

#define LANE_BITS 8
#define LANE uint8_t
#define WORD uint16_t
#define KERNEL_TARGET
#define KERNEL(name) name##_8_portable
#define HITS hits8_portable
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 16
#define LANE uint16_t
#define WORD uint16_t
#define KERNEL(name) name##_16_portable
#define HITS hits16_portable
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 32
#define LANE uint32_t
#define WORD uint32_t
#define KERNEL(name) name##_32_portable
#define HITS hits32_portable
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 64
#define LANE uint64_t
#define WORD uint64_t
#define KERNEL(name) name##_64_portable
#define HITS hits64_portable
#include "core/column/lanes_kernel_priv.h"
#undef KERNEL_TARGET

#ifdef LANES_X86
#define LANE_BITS 8
#define LANE uint8_t
#define WORD uint16_t
#define KERNEL_TARGET AVX2
#define KERNEL(name) name##_8_avx2
#define HITS hits8_avx2
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 16
#define LANE uint16_t
#define WORD uint16_t
#define KERNEL(name) name##_16_avx2
#define HITS hits16_avx2
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 32
#define LANE uint32_t
#define WORD uint32_t
#define KERNEL(name) name##_32_avx2
#define HITS hits32_avx2
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 64
#define LANE uint64_t
#define WORD uint64_t
#define KERNEL(name) name##_64_avx2
#define HITS hits64_avx2
#include "core/column/lanes_kernel_priv.h"
#undef KERNEL_TARGET

#define LANE_BITS 8
#define LANE uint8_t
#define WORD uint16_t
#define KERNEL_TARGET AVX512
#define KERNEL(name) name##_8_avx512
#define HITS hits8_avx512
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 16
#define LANE uint16_t
#define WORD uint16_t
#define KERNEL(name) name##_16_avx512
#define HITS hits16_avx512
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 32
#define LANE uint32_t
#define WORD uint32_t
#define KERNEL(name) name##_32_avx512
#define HITS hits32_avx512
#include "core/column/lanes_kernel_priv.h"
#define LANE_BITS 64
#define LANE uint64_t
#define WORD uint64_t
#define KERNEL(name) name##_64_avx512
#define HITS hits64_avx512
#include "core/column/lanes_kernel_priv.h"
#undef KERNEL_TARGET
#endif

typedef void decode_fn(const void *src, unsigned width, unsigned groups, uint64_t base,
                       unsigned out_bytes, void *out);
typedef void compare_fn(const void *src, unsigned width, unsigned groups, uint64_t low,
                        uint64_t span, void *mask);

/* By level, and by lanes of 8, 16, 32, 64 bits. */
static const struct {
    decode_fn *decode[4];
    compare_fn *compare[4];
} kernels[SIMD_LEVELS] = {
    {{decode_8_portable, decode_16_portable, decode_32_portable, decode_64_portable},
     {compare_8_portable, compare_16_portable, compare_32_portable, compare_64_portable}},
#ifdef LANES_X86
    {{decode_8_avx2, decode_16_avx2, decode_32_avx2, decode_64_avx2},
     {compare_8_avx2, compare_16_avx2, compare_32_avx2, compare_64_avx2}},
    {{decode_8_avx512, decode_16_avx512, decode_32_avx512, decode_64_avx512},
     {compare_8_avx512, compare_16_avx512, compare_32_avx512, compare_64_avx512}},
#endif
};

/* --- which level ------------------------------------------------------------------------------ */

enum simd_level lanes__best_level(void)
{
#ifdef LANES_X86
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi2"))
        return SIMD_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return SIMD_AVX2;
#endif
    return SIMD_PORTABLE;
}

/* Level + 1, 0 until it was asked for. Atomic, relaxed: who comes first finds out, all find the
 * same. */
static int known_level;

enum simd_level lanes__level(void)
{
    int l = __atomic_load_n(&known_level, __ATOMIC_RELAXED);
    if (__builtin_expect(!l, 0)) {
        l = (int)lanes__best_level() + 1;
        __atomic_store_n(&known_level, l, __ATOMIC_RELAXED);
    }
    return (enum simd_level)(l - 1);
}

void lanes__set_level(enum simd_level level)
{
    ASSERT(level <= lanes__best_level());
    __atomic_store_n(&known_level, (int)level + 1, __ATOMIC_RELAXED);
}

/* --- entry ------------------------------------------------------------------------------------ */

/* 8, 16, 32, 64 to 0 … 3. */
static inline unsigned kind_of(unsigned width)
{
    return width <= 8 ? 0 : width <= 16 ? 1 : width <= 32 ? 2 : 3;
}

void lanes__unpack(const void *src, uint32_t count, unsigned width, uint64_t base,
                   unsigned out_bytes, void *out)
{
    DEBUG_ASSERT(width && width <= 64 && count <= LANES_VALUES_MAX);
    DEBUG_ASSERT(out_bytes * 8 >= lanes__bits(width) && (uintptr_t)src % 8 == 0);
    kernels[lanes__level()].decode[kind_of(width)](src, width, lanes__groups(count), base,
                                                   out_bytes, out);
}

void lanes__range(const void *src, uint32_t count, unsigned width, uint64_t low, uint64_t span,
                  uint64_t *mask)
{
    DEBUG_ASSERT(width && width <= 64 && count <= LANES_VALUES_MAX && (uintptr_t)src % 8 == 0);
    kernels[lanes__level()].compare[kind_of(width)](src, width, lanes__groups(count), low, span,
                                                    mask);
}

#define PACK(name, type)                                                                           \
    VECTOR_CODE                                                                                    \
    static void name(const uint64_t *restrict in, unsigned lanes, unsigned width,                  \
                     type *restrict out)                                                           \
    {                                                                                              \
        const unsigned bits = 8 * sizeof(type);                                                    \
        for (unsigned r = 0, bit = 0; r < bits; r++, bit += width, in += lanes) {                  \
            type *to = out + bit / bits * lanes;                                                   \
            const unsigned shift = bit % bits;                                                     \
            for (unsigned i = 0; i < lanes; i++) to[i] |= (type)((type)in[i] << shift);            \
            if (shift + width <= bits) continue;                                                   \
            for (unsigned i = 0; i < lanes; i++) to[lanes + i] = (type)(in[i] >> (bits - shift));  \
        }                                                                                          \
    }
PACK(pack8, uint8_t)
PACK(pack16, uint16_t)
PACK(pack32, uint32_t)
PACK(pack64, uint64_t)

void lanes__pack(const uint64_t *values, uint32_t count, unsigned width, void *out)
{
    DEBUG_ASSERT(width && width <= 64 && count <= LANES_VALUES_MAX && (uintptr_t)out % 8 == 0);
    unsigned lanes = lanes__groups(count) * (LANES_GROUP / lanes__bits(width));
    memset(out, 0, lanes__bytes(count, width));
    switch (kind_of(width)) {
    case 0: pack8(values, lanes, width, out); break;
    case 1: pack16(values, lanes, width, out); break;
    case 2: pack32(values, lanes, width, out); break;
    default: pack64(values, lanes, width, out);
    }
}
