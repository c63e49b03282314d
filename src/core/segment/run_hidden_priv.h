/* Which entries of a run need not be looked at; see run_hidden.c. */
#ifndef HELIOS_CORE_SEGMENT_RUN_HIDDEN_PRIV_H
#define HELIOS_CORE_SEGMENT_RUN_HIDDEN_PRIV_H

#include "core/segment/segment_priv.h"

/* Of the entries of one segment. Zeroed: nothing is known. */
struct hidden_page {
    uint64_t ts;    /* atomic: for snapshots from then on; raised before a bit is set */
    uint64_t *bits; /* atomic; a bit an entry; NULL: none */
};

void run_hidden__note(struct hidden_page *p, uint32_t entry, uint32_t count, uint64_t ts);
void run_hidden__free(struct hidden_page *pages, uint32_t count);

/* 64 entries, from 64 * word on. */
static inline uint64_t hidden_word(const struct hidden_page *p, uint32_t word, uint64_t snapshot)
{
    const uint64_t *bits = p ? __atomic_load_n(&p->bits, __ATOMIC_ACQUIRE) : NULL;
    uint64_t w = bits ? __atomic_load_n(&bits[word], __ATOMIC_ACQUIRE) : 0;
    return w && __atomic_load_n(&p->ts, __ATOMIC_ACQUIRE) <= snapshot ? w : 0;
}

/* The first entry from `i` on that is not hidden; `end`: none before that. */
static inline uint32_t next_shown(const struct hidden_page *p, uint32_t i, uint32_t end, uint64_t snapshot)
{
    while (p && i < end) {
        uint64_t shown = ~hidden_word(p, i / 64, snapshot) >> i % 64;
        if (shown) {
            i += (uint32_t)__builtin_ctzll(shown);
            break;
        }
        i = (i / 64 + 1) * 64;
    }
    return i < end ? i : end;
}

/* All pages of the run, made when absent. */
struct hidden_page *run__hidden(struct run *r);
/* The same, or NULL when nothing is known. */
struct hidden_page *run__hidden_known(const struct run *r);

#endif
