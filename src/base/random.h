/* Seeded pseudo-random numbers (xoshiro256**, Blackman and Vigna 2018): for tests, sampling, jitter;
 * never for secrets (os_random). */
#ifndef HELIOS_BASE_RANDOM_H
#define HELIOS_BASE_RANDOM_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t bound); /* 0 .. bound-1, unbiased; bound > 0 */
double rng_double(struct rng *r);                  /* [0, 1) */

#endif
