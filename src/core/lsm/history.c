/* History runs: which of them are merged, and which go as a whole.
 *
 * They lie by what ended last in them, newest first, and are tiered: RUNS_A_TIER neighbours of like size
 * become one, so each version is written again only as often as its age has doubled a few times. A merged
 * run spans no more than WINDOWS_MIN-th of the time that is kept: so whole runs leave at the end of the
 * window without being read, and little stays longer than it must. Large ones are not merged any more. */
#include "core/lsm/tree_priv.h"

enum { RUNS_A_TIER = 4, MERGE_RUNS_MAX = 16, WINDOWS_MIN = 8, SMALL_BYTES = 256 << 10 };

/* Of like size: within a factor of four. */
static uint32_t tier_of(const struct run_ref *r)
{
    uint32_t tier = 0;
    for (uint64_t bytes = run_bytes(r->run); bytes > SMALL_BYTES; bytes /= 4) tier++;
    return tier;
}

static uint64_t end_of(const struct level *v, uint32_t at)
{
    return run_max_ts(v->runs[at]->run);
}

/* From `first` on, runs of this tier or below; how many of them, if they are worth merging, else 0. */
static uint32_t stretch(const struct level *v, uint32_t first, uint32_t tier, uint64_t span_max)
{
    uint32_t n = 0, alike = 0;
    for (uint32_t i = first; i < v->count && n < MERGE_RUNS_MAX; i++, n++) {
        uint32_t own = tier_of(v->runs[i]);
        if (run_bytes(v->runs[i]->run) > HISTORY_RUN_BYTES / 4 * 3) break;
        if (own > tier || end_of(v, first) - end_of(v, i) > span_max) break;
        alike += own == tier;
    }
    return alike >= RUNS_A_TIER ? n : 0;
}

static bool is_pinned(const struct run_ref *r, const struct pins *pins)
{
    return pins_between(pins, run_min_ts(r->run), run_max_ts(r->run));
}

/* The last ones, or one in front of those that branches need, all of whose versions have ended. */
static bool pick_expired(const struct level *v, uint64_t floor, const struct pins *pins,
                         struct history_pick *ret)
{
    uint32_t end = v->count;
    while (end > 0 && end_of(v, end - 1) <= floor && is_pinned(v->runs[end - 1], pins)) end--;
    uint32_t first = end;
    while (first > 0 && end_of(v, first - 1) <= floor && !is_pinned(v->runs[first - 1], pins))
        first--;
    *ret = (struct history_pick){first, end - first, true};
    return end > first;
}

/* Among those that have ended, and of which branches need something: merged, the rest of them goes. */
static bool pick_pinned(const struct level *v, uint64_t floor, struct history_pick *ret)
{
    uint32_t first = v->count;
    while (first > 0 && end_of(v, first - 1) <= floor) first--;
    for (uint32_t tier = 0; tier < 32; tier++)
        for (uint32_t i = first; i + RUNS_A_TIER <= v->count; i++) {
            *ret = (struct history_pick){i, stretch(v, i, tier, UINT64_MAX), false};
            if (ret->count) return true;
        }
    return false;
}

bool history__pick(const struct shape *s, uint64_t floor, const struct pins *pins,
                   struct history_pick *ret)
{
    const struct level *v = &s->levels[HISTORY];
    if (pick_expired(v, floor, pins, ret) || pick_pinned(v, floor, ret)) return true;
    *ret = (struct history_pick){0};
    if (v->count < RUNS_A_TIER || end_of(v, 0) <= floor) return false;
    uint64_t span_max = (end_of(v, 0) - floor) / WINDOWS_MIN;
    for (uint32_t tier = 0; tier < 32; tier++)
        for (uint32_t i = 0; i + RUNS_A_TIER <= v->count; i++) {
            ret->first = i;
            ret->count = stretch(v, i, tier, span_max);
            if (ret->count) return true;
        }
    ret->count = 0;
    return false;
}
