/* What scans have learned of a run: which of its entries have a newer version above, and when the newest of those was
 * committed. For snapshots from then on these entries are passed over without a look at them; so a scan of a table
 * whose rows are updated one by one merges what is in memory with what is not, rather than with the whole run.
 *
 * It is a bit an entry, in memory alone, made as it is found. A bit is set after the timestamp of its page was raised,
 * and read before that is: who sees the bit sees a timestamp that covers it. An older snapshot uses none of the page. */
#include "core/segment/run_hidden_priv.h"

#include "base/mem.h"

static uint64_t *bits_of(struct hidden_page *p, uint32_t count)
{
    uint64_t *bits = __atomic_load_n(&p->bits, __ATOMIC_ACQUIRE), *none = NULL;
    if (bits) return bits;
    bits = mem_alloc(MEM_RUN, (count + 63) / 64 * sizeof *bits);
    if (__atomic_compare_exchange_n(&p->bits, &none, bits, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return bits;
    mem_free(MEM_RUN, bits);
    return none;
}

void run_hidden__note(struct hidden_page *p, uint32_t entry, uint32_t count, uint64_t ts)
{
    uint64_t *word = &bits_of(p, count)[entry / 64], bit = 1ull << entry % 64;
    if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) return; /* what is newer makes it no more hidden */
    uint64_t now = __atomic_load_n(&p->ts, __ATOMIC_RELAXED);
    while (now < ts && !__atomic_compare_exchange_n(&p->ts, &now, ts, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
    __atomic_fetch_or(word, bit, __ATOMIC_ACQ_REL);
}

void run_hidden__free(struct hidden_page *pages, uint32_t count)
{
    for (uint32_t i = 0; pages && i < count; i++) mem_free(MEM_RUN, pages[i].bits);
    mem_free(MEM_RUN, pages);
}
