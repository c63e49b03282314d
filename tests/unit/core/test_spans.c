/* What merges make of versions of the past: each lies in a run of its own span of time, none is lost, and each ended
 * when the next one of its key began, wherever that went. Layers of versions are flushed one by one, as memtables
 * are, each with what it hides going to history; then all that is left of them is merged. */
#include "core/segment/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"

enum { KEYS = 60, LAYERS = 4, LAYER_VERSIONS = 300, VERSIONS = LAYERS * LAYER_VERSIONS, TIME_BITS = 20 };

struct past {
    uint32_t key;
    uint64_t from, to;
    bool gap;
};

struct world {
    struct os *os;
    struct blocks *blocks;
    struct cache *cache;
    struct rng r;
    struct time_spans spans;
    uint64_t begin[VERSIONS]; /* of each version; they rise */
    uint32_t key[VERSIONS];
    struct past past[2 * VERSIONS];
    uint32_t past_count, past_runs;
    struct run *left[LAYERS]; /* of each layer, what is not past */
    struct run *last;
};

static uint32_t key_number(struct slice key)
{
    return (uint32_t)strtoul(key.data, NULL, 10); /* ends with a zero byte */
}

static enum status take_past(struct world *w, struct run *r)
{
    struct run_cursor *c;
    struct entry e;
    struct time_span span = {0};
    enum status st;
    TRY(run_cursor_open(r, &c));
    for (bool first = true; (st = run_cursor_next(c, &e)) == OK; first = false) {
        uint64_t end = history_end(&e);
        struct time_span own = time_span_of(w->spans, e.ts, end);
        if (first) span = own;
        assert_int_equal(own.bits, span.bits);
        assert_int_equal(own.number, span.number);
        assert_true(time_middle(e.ts, end) > e.ts && time_middle(e.ts, end) <= end);
        w->past[w->past_count++] = (struct past){key_number(e.key), e.ts, end, e.gap};
    }
    run_cursor_close(c);
    w->past_runs++;
    return st == END_OF_DATA ? OK : st;
}

static enum status emit(void *ctx, bool history, struct slice meta)
{
    struct world *w = ctx;
    struct run *r;
    TRY(run_open(w->blocks, w->cache, meta, &r));
    if (!history) {
        assert_null(w->last);
        w->last = r;
        return OK;
    }
    enum status st = take_past(w, r);
    run_destroy(r);
    return st;
}

static struct run_options options(struct world *w)
{
    return (struct run_options){.blocks = w->blocks, .cache = w->cache, .tree = 7, .filter_bits = 10};
}

static void merge(struct world *w, struct entry_source **sources, uint32_t count)
{
    struct merge_options o = {.horizon_ts = UINT64_MAX, .spans = w->spans, .run = options(w)};
    w->last = NULL;
    assert_int_equal(merge_runs(sources, count, &o, emit, w), OK);
    assert_non_null(w->last);
}

/* A memtable: versions of the layer, newest first of each key. */
struct memory {
    struct entry_source base;
    struct world *w;
    uint32_t first, key, at; /* at: one past the next to look at */
    char buf[16];
};

static enum status memory_next(struct entry_source *s, struct entry *ret)
{
    struct memory *m = (struct memory *)s;
    for (; m->key < KEYS; m->key++, m->at = m->first + LAYER_VERSIONS)
        while (m->at > m->first) {
            uint32_t i = --m->at;
            if (m->w->key[i] != m->key) continue;
            int n = snprintf(m->buf, sizeof m->buf, "%06u", m->key);
            *ret = (struct entry){.key = slice_make(m->buf, (size_t)n + 1), .ts = m->w->begin[i],
                                  .row = slice_of("row")};
            return OK;
        }
    return END_OF_DATA;
}

/* The next version of the key, or 0. */
static uint64_t next_of(const struct world *w, uint32_t key, uint64_t from)
{
    for (uint32_t i = 0; i < VERSIONS; i++)
        if (w->key[i] == key && w->begin[i] > from) return w->begin[i];
    return 0;
}

static void check(struct world *w)
{
    static bool seen[VERSIONS];
    uint32_t ended = 0;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < w->past_count; i++) {
        const struct past *p = &w->past[i];
        uint64_t next = next_of(w, p->key, p->from);
        assert_int_equal(p->to, next);
        assert_false(p->gap);
        for (uint32_t v = 0; v < VERSIONS; v++)
            if (w->begin[v] == p->from && w->key[v] == p->key) {
                assert_false(seen[v]);
                seen[v] = true;
            }
    }
    for (uint32_t v = 0; v < VERSIONS; v++) {
        bool newest = !next_of(w, w->key[v], w->begin[v]);
        assert_int_equal(seen[v], !newest);
        ended += !newest;
    }
    assert_int_equal(w->past_count, ended);
    assert_true(w->past_runs > LAYERS);
}

static void run_seed(uint64_t seed)
{
    static struct world world;
    struct world *w = &world;
    struct sim_options sim = {.seed = seed};
    *w = (struct world){.os = sim_new(&sim)};
    assert_int_equal(os_mkdir(w->os, "db"), OK);
    struct blocks_options o = {.os = w->os, .dir = "db", .file_bytes = 16 << 20};
    assert_int_equal(blocks_open(&o, &w->blocks), OK);
    w->cache = cache_new(1 << 20);
    rng_seed(&w->r, seed);
    w->spans.least = 16 + (uint32_t)rng_below(&w->r, 3);
    w->spans.most = w->spans.least + (uint32_t)rng_below(&w->r, 3);
    uint64_t ts = 0;
    for (uint32_t i = 0; i < VERSIONS; i++) {
        ts += 2 * (1 + rng_below(&w->r, (1u << TIME_BITS) / VERSIONS));
        w->begin[i] = ts;
        w->key[i] = (uint32_t)rng_below(&w->r, rng_below(&w->r, 2) ? 6 : KEYS); /* some are hot */
    }
    struct entry_source *sources[LAYERS];
    for (uint32_t l = 0; l < LAYERS; l++) {
        uint32_t first = l * LAYER_VERSIONS;
        struct memory m = {{memory_next}, w, first, 0, first + LAYER_VERSIONS, {0}};
        struct entry_source *one[] = {&m.base};
        merge(w, one, 1);
        w->left[l] = w->last;
        assert_int_equal(run_source_new(w->last, &sources[LAYERS - 1 - l]), OK);
    }
    merge(w, sources, LAYERS);
    check(w);
    for (uint32_t l = 0; l < LAYERS; l++) {
        run_source_free(sources[l]);
        run_destroy(w->left[l]);
    }
    run_destroy(w->last);
    cache_free(w->cache);
    blocks_close(w->blocks);
    sim_free(w->os);
}

static void spans(void **state)
{
    (void)state;
    const char *env = getenv("SEED");
    uint64_t first = env ? strtoull(env, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + 20; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed);
    }
}

static void whose_span(void **state)
{
    (void)state;
    struct time_spans s = {.least = 4, .most = 8};
    struct time_span t = time_span_of(s, 17, 30); /* of 16 to 31 */
    assert_int_equal(t.bits, 4);
    assert_int_equal(t.number, 1);
    assert_int_equal(time_span_end(s, t), 31);
    t = time_span_of(s, 15, 17); /* of 0 to 31 */
    assert_int_equal(t.bits, 5);
    assert_int_equal(t.number, 0);
    t = time_span_of(s, 100, 0x345); /* too long: by its end, of 0x300 to 0x3ff */
    assert_int_equal(t.bits, 9);
    assert_int_equal(t.number, 3);
    assert_int_equal(time_span_end(s, t), 0x3ff);
    assert_int_equal(time_middle(15, 17), 16);
    assert_int_equal(time_middle(17, 30), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_span),
        cmocka_unit_test(spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
