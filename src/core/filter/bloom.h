/* Split-block Bloom filters: what runs and column segments ask before they read. A filter is an array
 * of blocks of eight 32-bit words, anywhere. */
#ifndef HELIOS_CORE_FILTER_BLOOM_H
#define HELIOS_CORE_FILTER_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOOM_BLOCK_BYTES = 32, BLOOM_BYTES_MAX = 1 << 30 };

/* How many blocks for so many keys; at least 1. */
uint32_t bloom_blocks(uint64_t keys, unsigned bits_per_key);
/* `words` begin zeroed. */
void bloom_add(uint32_t *words, uint32_t blocks, uint64_t hash);
/* Many at once: the memory of one is fetched while others are added. */
void bloom_add_all(uint32_t *words, uint32_t blocks, const uint64_t *hashes, size_t n);
/* That which the hash belongs to. */
const uint32_t *bloom_block(const uint32_t *words, uint32_t blocks, uint64_t hash);
/* False: the key was never added. */
bool bloom_may_contain(const uint32_t *words, uint32_t blocks, uint64_t hash);

#endif
