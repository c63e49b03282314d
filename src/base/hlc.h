/* Hybrid logical clock (Kulkarni et al., 2014) in 64 bits:
 * microseconds since 1970 in the upper 52 bits, a counter in the lower 12. Always increasing
 * and even (the lowest bit is free for tags),
 * within a process and over restarts once the recovered maximum was observed. */
#ifndef HELIOS_BASE_HLC_H
#define HELIOS_BASE_HLC_H

#include <stdint.h>

#include "base/os.h"

struct hlc_clock {
    struct os *os;
    uint64_t last; /* atomic */
};

enum { HLC_COUNTER_BITS = 12 };

void hlc_init(struct hlc_clock *c, struct os *os);
uint64_t hlc_now(struct hlc_clock *c);                 /* greater than all before; thread-safe */
void hlc_observe(struct hlc_clock *c, uint64_t seen);  /* later values exceed `seen` */
static inline int64_t hlc_wall_us(uint64_t t) { return (int64_t)(t >> HLC_COUNTER_BITS); }
static inline uint64_t hlc_from_wall_us(int64_t us) { return (uint64_t)us << HLC_COUNTER_BITS; }

#endif
