/* Split-block Bloom filters (Putze, Sanders, Singler: "Cache-, Hash- and Space-Efficient Bloom
 * Filters", JEA 2009; the layout is that of Apache Parquet's specification). A key sets one bit in
 * each of the eight words of one 32-byte block: one cache miss a probe, and the eight steps are
 * one vector operation each. Costs about a bit a key more than a plain Bloom filter of the same
 * rate. */
#include "core/filter/bloom.h"

static const uint32_t salts[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                  0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

uint32_t bloom_blocks(uint64_t keys, unsigned bits_per_key)
{
    enum { BLOCK_BITS = BLOOM_BLOCK_BYTES * 8 };
    uint64_t blocks = (keys * bits_per_key + BLOCK_BITS - 1) / BLOCK_BITS;
    uint64_t max = BLOOM_BYTES_MAX / BLOOM_BLOCK_BYTES;
    return blocks < 1 ? 1 : blocks > max ? (uint32_t)max : (uint32_t)blocks;
}

/* The upper half of the hash picks the block, the lower the bits. */
static inline size_t block_of(uint64_t hash, uint32_t blocks)
{
    return (size_t)((hash >> 32) * blocks >> 32);
}

const uint32_t *bloom_block(const uint32_t *words, uint32_t blocks, uint64_t hash)
{
    return words + 8 * block_of(hash, blocks);
}

void bloom_add(uint32_t *words, uint32_t blocks, uint64_t hash)
{
    uint32_t *block = words + 8 * block_of(hash, blocks), low = (uint32_t)hash;
    for (int i = 0; i < 8; i++) block[i] |= 1u << (low * salts[i] >> 27);
}

void bloom_add_all(uint32_t *words, uint32_t blocks, const uint64_t *hashes, size_t n)
{
    enum { AHEAD = 16 };
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(words + 8 * block_of(hashes[i + AHEAD], blocks), 1);
        bloom_add(words, blocks, hashes[i]);
    }
}

bool bloom_may_contain(const uint32_t *words, uint32_t blocks, uint64_t hash)
{
    const uint32_t *block = words + 8 * block_of(hash, blocks);
    uint32_t low = (uint32_t)hash, missing = 0;
    for (int i = 0; i < 8; i++) missing |= ~block[i] & 1u << (low * salts[i] >> 27);
    return !missing;
}
