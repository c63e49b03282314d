/* History runs: which of them are merged, and which go as a whole.
 *
 * Versions of the past are kept apart by the span of time that they lie in (core/segment/merge.h): a moment is
 * held by one span of each length, so a reader opens few runs however many there are. The least span is as long
 * as takes about a memtable of versions; that is guessed anew for each merge from bytes and time, and nothing
 * hangs on it but how well runs are told apart. Versions that lived longer than a WINDOWS_MIN-th of the time that is
 * kept lie by their ends instead: so whole runs leave at the end of the window without being read, and little
 * stays longer than it must.
 *
 * Runs of one span become one: soon when nothing ends in it any more, else when there are several of like
 * size. Large ones are not merged any more. */
#include "core/lsm/tree_priv.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
    WINDOWS_MIN = 8, SMALL_BYTES = 256 << 10,
    RUNS_A_TIER = 4, RATIO = 4,               /* of a span in which versions still end */
    RUNS_A_CLOSED_SPAN = 2, CLOSED_RATIO = 16,
};
static const uint64_t MERGE_BYTES_MAX = 4ull * HISTORY_RUN_BYTES;

static uint64_t end_of(const struct level *v, uint32_t at)
{
    return run_max_ts(v->runs[at]->run);
}

static bool is_pinned(const struct run_ref *r, const struct pins *pins)
{
    return pins_between(pins, run_min_ts(r->run), run_max_ts(r->run));
}

static void pick_range(uint32_t first, uint32_t end, bool expired, struct history_pick *ret)
{
    *ret = (struct history_pick){.expired = expired && end > first};
    for (uint32_t i = first; i < end && ret->count < HISTORY_PICK_MAX; i++) ret->at[ret->count++] = i;
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
    pick_range(first, end, true, ret);
    return ret->count > 0;
}

/* --- spans --------------------------------------------------------------------------------------- */

static uint32_t bits_of(uint64_t n)
{
    return n ? 64 - (uint32_t)__builtin_clzll(n) : 0;
}

struct time_spans history__spans(const struct forest *f, uint64_t bytes, uint64_t from, uint64_t to,
                                 uint64_t kept)
{
    struct time_spans s = {.most = TIME_BITS_MAX};
    uint64_t full = f->o.memtable_bytes ? f->o.memtable_bytes : 1, time = to > from ? to - from : 0;
    if (kept >= WINDOWS_MIN) s.most = bits_of(kept / WINDOWS_MIN) - 1;
    s.least = bytes > full ? bits_of(time / (bytes / full)) : bits_of(time);
    if (s.least > s.most) s.least = s.most;
    return s;
}

/* A run, and the span that holds all its versions. */
struct spanned {
    struct time_span span;
    uint64_t bytes;
    uint32_t at; /* of the list */
};

static int compare_spanned(const void *a, const void *b)
{
    const struct spanned *x = a, *y = b;
    if (x->span.bits != y->span.bits) return x->span.bits < y->span.bits ? -1 : 1;
    if (x->span.number != y->span.number) return x->span.number < y->span.number ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Of runs of one span, smallest first: those that are worth merging. */
static bool pick_alike(const struct spanned *r, uint32_t n, bool closed, struct history_pick *ret)
{
    uint64_t sum = 0, ratio = closed ? CLOSED_RATIO : RATIO;
    uint32_t most = n < HISTORY_PICK_MAX ? n : HISTORY_PICK_MAX;
    for (uint32_t i = 0; i < most && sum + r[i].bytes <= MERGE_BYTES_MAX; sum += r[i++].bytes)
        if (r[i].bytes <= ratio * (sum + SMALL_BYTES)) ret->count = i + 1;
    if (ret->count < (closed ? RUNS_A_CLOSED_SPAN : RUNS_A_TIER)) {
        ret->count = 0;
        return false;
    }
    for (uint32_t i = 0; i < ret->count; i++) ret->at[i] = r[i].at;
    qsort(ret->at, ret->count, sizeof *ret->at, compare_places);
    return true;
}

struct time_spans history__all_spans(const struct forest *f, const struct level *v, uint64_t floor)
{
    uint64_t bytes = 0, from = UINT64_MAX, to = v->count ? end_of(v, 0) : 0;
    for (uint32_t i = 0; i < v->count; i++) {
        bytes += run_bytes(v->runs[i]->run);
        if (run_min_ts(v->runs[i]->run) < from) from = run_min_ts(v->runs[i]->run);
    }
    return history__spans(f, bytes, from > floor ? from : floor, to, to > floor ? to - floor : 0);
}

static bool pick_spans(const struct forest *f, const struct level *v, uint64_t floor,
                       struct history_pick *ret)
{
    struct spanned *r = mem_alloc(MEM_RUN, v->count * sizeof *r);
    struct time_spans spans = history__all_spans(f, v, floor);
    uint64_t newest = end_of(v, 0);
    uint32_t n = 0;
    bool found = false;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct run *run = v->runs[i]->run;
        if (run_bytes(run) > HISTORY_RUN_BYTES / 4 * 3 || end_of(v, i) <= floor) continue;
        r[n++] = (struct spanned){time_span_of(spans, run_min_ts(run), run_max_ts(run)), run_bytes(run), i};
    }
    qsort(r, n, sizeof *r, compare_spanned);
    for (uint32_t i = 0, end; i < n && !found; i = end) {
        struct time_span s = r[i].span;
        for (end = i; end < n && r[end].span.bits == s.bits && r[end].span.number == s.number;) end++;
        bool closed = s.bits != spans.least && time_span_end(spans, s) < newest;
        found = pick_alike(r + i, end - i, closed, ret);
    }
    mem_free(MEM_RUN, r);
    ret->spans = spans;
    return found;
}

/* Among those that have ended, and of which branches need something: merged, the rest of them goes. */
static bool pick_pinned(const struct level *v, uint64_t floor, struct history_pick *ret)
{
    uint32_t first = v->count, end;
    while (first > 0 && end_of(v, first - 1) <= floor) first--;
    for (; first + RUNS_A_TIER <= v->count; first = end + 1) {
        uint64_t sum = 0;
        for (end = first; end < v->count && sum + run_bytes(v->runs[end]->run) <= HISTORY_RUN_BYTES;)
            sum += run_bytes(v->runs[end++]->run);
        if (end < first + RUNS_A_TIER) continue;
        pick_range(first, end, false, ret);
        ret->spans = (struct time_spans){TIME_BITS_MAX, TIME_BITS_MAX}; /* all in one */
        return true;
    }
    return false;
}

bool history__pick(const struct forest *f, const struct shape *s, uint64_t floor,
                   const struct pins *pins, struct history_pick *ret)
{
    const struct level *v = &s->levels[HISTORY];
    *ret = (struct history_pick){0};
    if (!v->count || pick_expired(v, floor, pins, ret) || pick_pinned(v, floor, ret)) return v->count;
    if (v->count < RUNS_A_CLOSED_SPAN || end_of(v, 0) <= floor) return false;
    return pick_spans(f, v, floor, ret);
}
