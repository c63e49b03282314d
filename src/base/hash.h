/* Hashing: XXH3 for bytes, a multiply-mix for words. Not for untrusted sizes of chains: tables that
 * face clients seed it. Source: https://github.com/Cyan4973/xxHash (library, header-only). */
#ifndef HELIOS_BASE_HASH_H
#define HELIOS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len);
uint64_t hash_bytes_seeded(const void *data, size_t len, uint64_t seed);

static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static inline uint64_t hash_combine(uint64_t a, uint64_t b)
{
    return hash_u64(a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2)));
}

/* CRC-32C (Castagnoli), as RFC 3720 B.4 gives it; `crc` is the value so far, 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
