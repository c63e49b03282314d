#include "base/hash.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

uint64_t hash_bytes_seeded(const void *data, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, len, seed);
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_STEP8(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#define CRC_STEP1(crc, byte) _mm_crc32_u8((crc), (byte))
#elif defined(__aarch64__)
#include <arm_acle.h>
#define CRC_STEP8(crc, word) __crc32cd((crc), (word))
#define CRC_STEP1(crc, byte) __crc32cb((crc), (byte))
#endif

#include <isa-l.h>

enum { CRC_LIBRARY_BYTES_MIN = 256 }; /* below it the plain loop wins */

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *p = data;
    crc = ~crc;
    if (len >= CRC_LIBRARY_BYTES_MIN)
        return ~crc32_iscsi((unsigned char *)(uintptr_t)p, (int)len, crc);
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = CRC_STEP8(crc, word);
        p += 8;
        len -= 8;
    }
    while (len--) crc = CRC_STEP1(crc, *p++);
    return ~crc;
}
