#include "base/hlc.h"

void hlc_init(struct hlc_clock *c, struct os *os)
{
    *c = (struct hlc_clock){.os = os};
}

uint64_t hlc_now(struct hlc_clock *c)
{
    uint64_t wall = hlc_from_wall_us(os_wall_us(c->os));
    uint64_t last = __atomic_load_n(&c->last, __ATOMIC_RELAXED);
    uint64_t next;
    do {
        next = wall > last ? wall : (last | 1) + 1; /* even */
    } while (!__atomic_compare_exchange_n(&c->last, &last, next, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return next;
}

void hlc_observe(struct hlc_clock *c, uint64_t seen)
{
    uint64_t last = __atomic_load_n(&c->last, __ATOMIC_RELAXED);
    while (last < seen && !__atomic_compare_exchange_n(&c->last, &last, seen, true,
                                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
}
