/* Merging by a tournament tree (Knuth, volume 3, 5.4.1): the losers of each match stay in the
 * inner nodes, so the next winner is found by log2(count) comparisons along one path. Comparisons
 * look at the first 8 key bytes as a number first. Among equal (key, ts) the source that was named
 * first wins and the others are dropped.
 *
 * Versions of the past go to runs by the span of time that they lie in (merge.h): who reads as of a moment opens
 * the few runs whose spans hold it, a chain of ever shorter ones. It is Edelsbrunner's interval tree (1980) with runs
 * for nodes: no version is stored twice. */
#include "core/segment/merge.h"

#include <endian.h>

#include "core/segment/segment_priv.h"

enum { SOURCES_MAX = 4096, CANCEL_EVERY = 4096, SPANS_MAX = 64 };

struct contender {
    struct entry_source *source;
    struct entry entry;
    uint64_t head; /* of the key */
    bool ended;
};

/* A run of the past that is being built, of one span of time. */
struct past_out {
    struct time_span span;
    struct run_builder *b; /* NULL: it was full, and is to go on in another run */
};

struct merge {
    const struct merge_options *o;
    enum status (*emit)(void *ctx, bool history, struct slice meta);
    void *ctx;
    struct contender *contenders;
    uint32_t count;
    uint32_t *losers;     /* 1 … count - 1; 0 holds the winner */
    struct run_builder *out;
    struct past_out past[SPANS_MAX]; /* of what was superseded */
    uint32_t past_count;
    uint32_t past_last;   /* the one that was used last */
    struct strbuf past_row;
    struct strbuf key;    /* of the last entry seen */
    uint64_t ts;
    bool gap;             /* … that entry's */
    uint64_t after;       /* … that entry's */
    bool kept;            /* … and whether some entry of its key is in `out`: its last one */
    bool any;             /* that entry exists */
    bool settled;         /* the key's newest version at or below the horizon was seen */
    uint64_t steps;
};

/* Ended ones come last; equals in order of sources. */
static bool beats(const struct merge *m, uint32_t a, uint32_t b)
{
    const struct contender *x = &m->contenders[a], *y = &m->contenders[b];
    if (x->ended || y->ended) return x->ended == y->ended ? a < b : y->ended;
    if (x->head != y->head) return x->head < y->head;
    int c = slice_cmp(x->entry.key, y->entry.key);
    if (c) return c < 0;
    if (x->entry.ts != y->entry.ts) return x->entry.ts > y->entry.ts;
    return a < b;
}

static enum status advance(struct contender *c)
{
    enum status s = c->source->next(c->source, &c->entry);
    if (s == END_OF_DATA) {
        c->ended = true;
        return OK;
    }
    TRY(s);
    uint64_t word = 0;
    size_t n = c->entry.key.len;
    if (n) memcpy(&word, c->entry.key.data, n < 8 ? n : 8);
    c->head = be64toh(word);
    return OK;
}

/* Plays the matches of the whole tree: node i has children 2i and 2i + 1, leaf `count` + s is
 * source s. */
static void play_all(struct merge *m)
{
    uint32_t *winners = mem_alloc(MEM_RUN, 2 * (size_t)m->count * sizeof *winners);
    for (uint32_t s = 0; s < m->count; s++) winners[m->count + s] = s;
    for (uint32_t i = m->count - 1; i >= 1; i--) {
        uint32_t a = winners[2 * i], b = winners[2 * i + 1];
        bool first = beats(m, a, b);
        winners[i] = first ? a : b;
        m->losers[i] = first ? b : a;
    }
    m->losers[0] = winners[1];
    mem_free(MEM_RUN, winners);
}

/* After source s has moved on: its path again. */
static void replay(struct merge *m, uint32_t s)
{
    for (uint32_t i = (m->count + s) / 2; i >= 1; i /= 2) {
        if (beats(m, m->losers[i], s)) {
            uint32_t t = m->losers[i];
            m->losers[i] = s;
            s = t;
        }
    }
    m->losers[0] = s;
}

/* Frees the builder and tells of its run. */
static enum status finish_run(struct merge *m, bool history, struct run_builder **at)
{
    struct strbuf meta;
    struct run_builder *b = *at;
    if (!b) return OK;
    *at = NULL;
    strbuf_init(&meta, NULL);
    enum status s = run_builder_finish(b, &meta);
    if (s == OK) s = m->emit(m->ctx, history, strbuf_slice(&meta));
    strbuf_release(&meta);
    return s;
}

bool ts_between(const uint64_t *ts, size_t n, uint64_t from, uint64_t to)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ts[mid] < from) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && ts[lo] < to;
}

/* What was there from `ts` to `end` is not read any more. */
static bool forgotten(const struct merge *m, uint64_t ts, uint64_t end)
{
    if (end > m->o->floor_ts) return false;
    return !m->o->pin_count || !ts_between(m->o->pins, m->o->pin_count, ts, end);
}

static bool same_span(struct time_span a, struct time_span b)
{
    return a.number == b.number && a.bits == b.bits;
}

/* Where versions of that span go. When there are too many spans, to one that is there already: readers go by
 * what a run holds. */
static struct past_out *past_of(struct merge *m, uint64_t ts, uint64_t end)
{
    struct time_span span = time_span_of(m->o->spans, ts, end);
    if (m->past_count && same_span(m->past[m->past_last].span, span)) return &m->past[m->past_last];
    for (uint32_t i = 0; i < m->past_count; i++)
        if (same_span(m->past[i].span, span)) return &m->past[m->past_last = i];
    m->past_last = m->past_count < SPANS_MAX ? m->past_count++ : SPANS_MAX - 1;
    struct past_out *p = &m->past[m->past_last];
    if (!p->b) p->span = span;
    return p;
}

static enum status put_past(struct merge *m, const struct entry *e, uint64_t end)
{
    struct past_out *p = past_of(m, e->ts, end);
    uint64_t max = m->o->past_bytes_max;
    if (p->b && max && run_builder_bytes(p->b) >= max) TRY(finish_run(m, true, &p->b));
    if (!p->b) {
        struct run_options o = m->o->run;
        o.history = true;
        TRY(run_builder_new(&o, &p->b));
    }
    return run_builder_add(p->b, e);
}

/* What follows an entry of the same key, in time. */
struct newer {
    uint64_t ts;
    bool gap;       /* between it and that entry */
    uint64_t after; /* as of the entry */
};

/* A version that was superseded, and no snapshot of today needs. Its end is exact, unless versions between are
 * only known to have been there, or it is that of a load: a load comes to lie below what was written before it, so
 * what ended the version may be on its way still. Tombstones are kept for such as these. */
static enum status add_past(struct merge *m, const struct entry *e, const struct newer *n)
{
    bool dated = n->gap && n->after > e->ts; /* a load may lie below what is older */
    uint64_t end = dated ? n->after : n->ts;
    if (m->kept) run_builder_note_gap(m->out, e->gap ? e->after : e->ts);
    if (forgotten(m, e->ts, end)) return OK;
    strbuf_clear(&m->past_row);
    strbuf_add(&m->past_row, &end, sizeof end);
    strbuf_add(&m->past_row, e->row.data, e->row.len);
    struct entry past = *e;
    past.row = strbuf_slice(&m->past_row);
    past.gap = (n->gap && !dated) || end & 1;
    return put_past(m, &past, end);
}

/* An entry of another (key, ts) than the last; `n` is this if of the same key, else NULL. */
static enum status add_entry(struct merge *m, const struct entry *e, const struct newer *n)
{
    if (m->o->history) {
        uint64_t end = history_end(e);
        return forgotten(m, e->ts, end) ? OK : put_past(m, e, end);
    }
    if (!n) m->settled = m->kept = false;
    if (m->settled) return add_past(m, e, n);
    m->settled = e->ts <= m->o->horizon_ts;
    if (e->tombstone && m->settled && m->o->drop_tombstones)
        return n ? add_past(m, e, n) : OK;
    uint64_t max = m->o->run_bytes_max;
    if (m->out && max && !n && run_builder_bytes(m->out) >= max)
        TRY(finish_run(m, false, &m->out));
    if (!m->out) TRY(run_builder_new(&m->o->run, &m->out));
    m->kept = true;
    return run_builder_add(m->out, e);
}

/* The same entry from two sources: the first counts, with what each tells of older ones. */
static void take_twin(struct merge *m, const struct entry *e)
{
    if (!e->gap) return;
    if (!m->gap) m->after = e->after;
    else if (e->after < m->after) m->after = e->after; /* 0: not known */
    m->gap = true;
    if (m->kept && !m->o->history) run_builder_note_gap(m->out, m->after);
}

static enum status take(struct merge *m, const struct entry *e)
{
    bool same_key = m->any && slice_eq(strbuf_slice(&m->key), e->key);
    if (same_key && m->ts == e->ts) {
        take_twin(m, e);
        return OK;
    }
    if (!same_key) {
        strbuf_clear(&m->key);
        strbuf_add(&m->key, e->key.data, e->key.len);
    }
    struct newer n = {m->ts, m->gap, m->after};
    m->any = true;
    m->ts = e->ts;
    m->gap = e->gap;
    m->after = e->after;
    return add_entry(m, e, same_key ? &n : NULL);
}

static enum status merge_all(struct merge *m)
{
    for (uint32_t s = 0; s < m->count; s++) TRY(advance(&m->contenders[s]));
    play_all(m);
    for (;;) {
        uint32_t s = m->losers[0];
        struct contender *c = &m->contenders[s];
        if (c->ended) break;
        if (++m->steps % CANCEL_EVERY == 0 && m->o->cancel && waiter_canceled(m->o->cancel))
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
        TRY(take(m, &c->entry));
        TRY(advance(c));
        replay(m, s);
    }
    TRY(finish_run(m, false, &m->out));
    for (uint32_t i = 0; i < m->past_count; i++) TRY(finish_run(m, true, &m->past[i].b));
    return OK;
}

enum status merge_runs(struct entry_source **sources, uint32_t count,
                       const struct merge_options *o,
                       enum status (*emit)(void *ctx, bool history, struct slice meta), void *ctx)
{
    struct merge m = {.o = o, .emit = emit, .ctx = ctx, .count = count};
    if (!count) return OK;
    if (count > SOURCES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "cannot merge more than %d runs", SOURCES_MAX);
    m.contenders = mem_alloc(MEM_RUN, count * sizeof *m.contenders);
    m.losers = mem_alloc(MEM_RUN, count * sizeof *m.losers);
    strbuf_init(&m.key, NULL);
    strbuf_init(&m.past_row, NULL);
    for (uint32_t s = 0; s < count; s++) m.contenders[s].source = sources[s];
    enum status s = merge_all(&m);
    run_builder_abort(m.out);
    for (uint32_t i = 0; i < m.past_count; i++) run_builder_abort(m.past[i].b);
    strbuf_release(&m.key);
    strbuf_release(&m.past_row);
    mem_free(MEM_RUN, m.losers);
    mem_free(MEM_RUN, m.contenders);
    return s;
}

/* --- a run as a source ------------------------------------------------------------------------ */

struct run_source {
    struct entry_source base;
    struct run_cursor *cursor;
};

static enum status run_source_next(struct entry_source *s, struct entry *ret)
{
    return run_cursor_next(((struct run_source *)s)->cursor, ret);
}

enum status run_source_new(struct run *r, struct entry_source **ret)
{
    struct run_cursor *cursor;
    TRY(run_cursor_open(r, &cursor)); /* stands before the first entry */
    struct run_source *s = mem_alloc(MEM_RUN, sizeof *s);
    s->base.next = run_source_next;
    s->cursor = cursor;
    *ret = &s->base;
    return OK;
}

void run_source_free(struct entry_source *s)
{
    if (!s) return;
    run_cursor_close(((struct run_source *)s)->cursor);
    mem_free(MEM_RUN, s);
}
