/* Runs against a sorted array: random entries and versions, gets, scans both ways, merges, and
 * bytes that the disk has changed. */
#include "core/segment/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"
#include "core/segment/merge.h"
#include "core/segment/segment_priv.h"

enum { ENTRIES = 4000, ROW_BYTES_MAX = 300, TREE = 42 };

struct fixture {
    struct os *os;
    struct blocks *blocks;
    struct cache *cache;
    struct run_options options;
    struct arena arena;
    struct rng rng;
};

static void setup(struct fixture *f, uint64_t seed)
{
    struct sim_options sim = {.seed = seed};
    *f = (struct fixture){.os = sim_new(&sim)};
    assert_int_equal(os_mkdir(f->os, "db"), OK);
    struct blocks_options o = {.os = f->os, .dir = "db", .file_bytes = 16 << 20};
    assert_int_equal(blocks_open(&o, &f->blocks), OK);
    f->cache = cache_new(1 << 20);
    arena_init(&f->arena, MEM_TEST);
    rng_seed(&f->rng, seed);
    f->options = (struct run_options){.blocks = f->blocks, .cache = f->cache, .tree = TREE,
                                      .segment_bytes = 8192, .filter_bits = seed % 3 ? 10 : 0,
                                      .compress = seed % 2};
}

static void teardown(struct fixture *f)
{
    cache_free(f->cache);
    blocks_close(f->blocks);
    sim_free(f->os);
    arena_release(&f->arena);
}

/* --- entries ---------------------------------------------------------------------------------- */

static int entry_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    return c ? c : (x->ts < y->ts) - (x->ts > y->ts);
}

static bool same(const struct entry *a, const struct entry *b)
{
    return slice_eq(a->key, b->key) && a->ts == b->ts && a->tombstone == b->tombstone &&
           slice_eq(a->row, b->row);
}

static struct slice random_key(struct fixture *f, unsigned shape)
{
    char buf[40];
    size_t len = shape == 0 ? 8 : rng_below(&f->rng, shape == 1 ? 6 : 40);
    if (shape == 0) {
        uint64_t n = __builtin_bswap64(rng_below(&f->rng, ENTRIES));
        memcpy(buf, &n, 8);
    } else {
        for (size_t i = 0; i < len; i++) buf[i] = (char)rng_below(&f->rng, shape == 1 ? 3 : 256);
        if (shape == 3) memset(buf, 'p', len < 20 ? len : 20);
    }
    return slice_dup(&f->arena, slice_make(buf, len));
}

/* Sorted, without equal (key, ts); few keys have very many versions, few rows are very large. */
static uint32_t random_entries(struct fixture *f, unsigned shape, uint64_t ts_max,
                               struct entry *ret)
{
    struct slice hot = random_key(f, shape);
    uint32_t n = 0;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &ret[i];
        e->key = rng_below(&f->rng, 5) ? random_key(f, shape) : hot;
        e->ts = 1 + rng_below(&f->rng, ts_max);
        e->tombstone = !rng_below(&f->rng, 10);
        size_t len = rng_below(&f->rng, ROW_BYTES_MAX);
        if (!rng_below(&f->rng, 500)) len = 40000;
        if (e->tombstone) len = 0;
        char *row = arena_zalloc(&f->arena, len + 1);
        for (size_t j = 0; j < len; j++) row[j] = (char)rng_below(&f->rng, 20);
        e->row = slice_make(row, len);
    }
    qsort(ret, ENTRIES, sizeof *ret, entry_order);
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (!n || entry_order(&ret[n - 1], &ret[i])) ret[n++] = ret[i];
    return n;
}

static void build_meta(struct fixture *f, const struct entry *e, uint32_t n, struct strbuf *meta)
{
    struct run_builder *b;
    strbuf_init(meta, NULL);
    assert_int_equal(run_builder_new(&f->options, &b), OK);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(run_builder_add(b, &e[i]), OK);
    assert_int_equal(run_builder_finish(b, meta), OK);
}

static struct run *build(struct fixture *f, const struct entry *e, uint32_t n)
{
    struct strbuf meta;
    struct run *r;
    build_meta(f, e, n, &meta);
    assert_int_equal(run_open(f->blocks, f->cache, strbuf_slice(&meta), &r), OK);
    strbuf_release(&meta);
    assert_int_equal(run_verify(r), OK);
    return r;
}

static uint32_t bound(const struct entry *e, uint32_t n, struct slice key, uint64_t ts)
{
    struct entry at = {.key = key, .ts = ts};
    uint32_t low = 0;
    while (low < n && entry_order(&e[low], &at) < 0) low++;
    return low;
}

/* --- checks ----------------------------------------------------------------------------------- */

static void check_gets(struct fixture *f, struct run *r, const struct entry *e, uint32_t n,
                       unsigned shape, uint64_t ts_max)
{
    struct page_pins pins = {0};
    struct entry got;
    for (int i = 0; i < 400; i++) {
        struct slice key = i % 2 ? random_key(f, shape) : e[rng_below(&f->rng, n)].key;
        uint64_t ts = rng_below(&f->rng, ts_max + 2);
        uint32_t at = bound(e, n, key, ts);
        bool there = at < n && slice_eq(e[at].key, key);
        enum status s = run_get(r, key, run_key_hash(key), ts, &pins, &got);
        assert_int_equal(s, there ? OK : NOT_FOUND);
        if (there) assert_true(same(&got, &e[at]));
        if (there) assert_true(run_may_contain(r, key, run_key_hash(key)));
        if (i % 50 == 0) page_pins_release(&pins);
    }
    page_pins_free(&pins);
}

static void check_scans(struct fixture *f, struct run *r, const struct entry *e, uint32_t n,
                        unsigned shape)
{
    struct run_cursor *c;
    struct entry got;
    assert_int_equal(run_cursor_open(r, &c), OK);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(run_cursor_next(c, &got), OK);
        assert_true(same(&got, &e[i]));
    }
    assert_int_equal(run_cursor_next(c, &got), END_OF_DATA);
    for (uint32_t i = n; i-- > 0;) {
        assert_int_equal(run_cursor_prev(c, &got), OK);
        assert_true(same(&got, &e[i]));
    }
    assert_int_equal(run_cursor_prev(c, &got), END_OF_DATA);
    for (int round = 0; round < 200; round++) {
        bool reverse = rng_below(&f->rng, 2);
        struct slice key = round % 2 ? random_key(f, shape) : e[rng_below(&f->rng, n)].key;
        if (round < 4) key = (struct slice){0};
        uint32_t at = key.data ? bound(e, n, key, UINT64_MAX) : reverse ? n : 0;
        enum status s = run_cursor_seek(c, key, reverse, &got);
        if (reverse ? at == 0 : at == n) {
            assert_int_equal(s, END_OF_DATA);
            continue;
        }
        assert_int_equal(s, OK);
        at -= reverse;
        assert_true(same(&got, &e[at]));
        for (int step = 0; step < 100; step++) { /* to and fro */
            bool down = rng_below(&f->rng, 4) ? reverse : !reverse;
            s = down ? run_cursor_prev(c, &got) : run_cursor_next(c, &got);
            if (down ? at == 0 : at + 1 == n) {
                assert_int_equal(s, END_OF_DATA);
                break;
            }
            at = down ? at - 1 : at + 1;
            assert_int_equal(s, OK);
            assert_true(same(&got, &e[at]));
        }
    }
    run_cursor_close(c);
}

static void test_model(void **state)
{
    (void)state;
    static struct entry e[ENTRIES];
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct fixture f;
        unsigned shape = (unsigned)seed % 4;
        uint64_t ts_max = seed < 4 ? 1 : seed < 6 ? 200 : seed < 9 ? 70000 : UINT64_MAX - 5;
        print_message("seed %llu\n", (unsigned long long)seed);
        setup(&f, seed);
        uint64_t used = blocks_bytes_used(f.blocks);
        uint32_t n = random_entries(&f, shape, ts_max, e);
        struct run *r = build(&f, e, n);
        assert_int_equal(run_entry_count(r), n);
        assert_int_equal(run_tree(r), TREE);
        assert_true(slice_eq(run_min_key(r), e[0].key));
        assert_true(slice_eq(run_max_key(r), e[n - 1].key));
        check_gets(&f, r, e, n, shape, ts_max);
        check_scans(&f, r, e, n, shape);
        struct slice keys[16];
        uint32_t parts;
        run_split_keys(r, 8, &f.arena, keys, &parts);
        assert_true(parts < 8);
        for (uint32_t i = 1; i < parts; i++) assert_true(slice_cmp(keys[i - 1], keys[i]) < 0);
        run_destroy(r);
        assert_int_equal(blocks_bytes_used(f.blocks), used);
        teardown(&f);
    }
}

/* Space is given out in powers of two, of which a large run leaves little. */
enum { SPACE_ROWS = 20000, SPACE_ROW_BYTES = 1000 };

static struct run_builder *build_large(struct fixture *f)
{
    struct run_builder *b;
    char row[SPACE_ROW_BYTES];
    assert_int_equal(run_builder_new(&f->options, &b), OK);
    memset(row, 'r', sizeof row);
    for (uint64_t i = 0; i < SPACE_ROWS; i++) {
        uint64_t n = __builtin_bswap64(i);
        struct entry e = {.key = slice_make(&n, 8), .ts = 1, .row = slice_make(row, sizeof row)};
        assert_int_equal(run_builder_add(b, &e), OK);
    }
    return b;
}

static void test_space(void **state)
{
    struct fixture f;
    struct strbuf meta;
    (void)state;
    setup(&f, 1);
    f.options.compress = false;
    uint64_t before = blocks_bytes_used(f.blocks);
    struct run_builder *b = build_large(&f);
    strbuf_init(&meta, NULL);
    assert_int_equal(run_builder_finish(b, &meta), OK);
    uint64_t used = blocks_bytes_used(f.blocks) - before;
    assert_true(used < (uint64_t)SPACE_ROWS * SPACE_ROW_BYTES * 5 / 4);
    strbuf_release(&meta);
    /* What is given up gives its space back. */
    b = build_large(&f);
    assert_true(blocks_bytes_used(f.blocks) > before + used);
    run_builder_abort(b);
    assert_int_equal(blocks_bytes_used(f.blocks), before + used);
    teardown(&f);
}

static void test_empty(void **state)
{
    (void)state;
    struct fixture f;
    struct run_builder *b;
    struct strbuf meta;
    setup(&f, 1);
    strbuf_init(&meta, NULL);
    assert_int_equal(run_builder_new(&f.options, &b), OK);
    assert_int_equal(run_builder_finish(b, &meta), NOT_FOUND);
    assert_int_equal(meta.len, 0);
    strbuf_release(&meta);
    teardown(&f);
}

/* --- merging ---------------------------------------------------------------------------------- */

struct merged {
    struct fixture *f;
    struct entry *expected;
    uint32_t count, at, runs;
};

static enum status emit(void *ctx, bool history, struct slice meta)
{
    assert_false(history);
    struct merged *m = ctx;
    struct run *r;
    struct run_cursor *c;
    struct entry got;
    TRY(run_open(m->f->blocks, m->f->cache, meta, &r));
    TRY(run_cursor_open(r, &c));
    enum status s;
    while ((s = run_cursor_next(c, &got)) == OK) {
        assert_true(m->at < m->count);
        assert_true(same(&got, &m->expected[m->at++]));
    }
    run_cursor_close(c);
    run_destroy(r);
    m->runs++;
    return s == END_OF_DATA ? OK : s;
}

/* What merge.h says must stay, from all entries in order. */
static uint32_t survivors(struct entry *e, uint32_t n, uint64_t horizon, bool drop_tombstones)
{
    uint32_t kept = 0;
    bool settled = false;
    struct entry last = {0};
    for (uint32_t i = 0; i < n; i++) {
        struct entry x = e[i];
        bool same_key = i && slice_eq(last.key, x.key);
        bool again = same_key && last.ts == x.ts;
        last = x;
        if (!same_key) settled = false;
        if (again || settled) continue;
        settled = x.ts <= horizon;
        if (!(settled && x.tombstone && drop_tombstones)) e[kept++] = x;
    }
    return kept;
}

static void merge_once(uint64_t seed, uint32_t count)
{
    struct fixture f;
    setup(&f, seed);
    struct entry *all = mem_alloc(MEM_TEST, count * ENTRIES * sizeof *all);
    struct run *runs[9];
    struct entry_source *sources[9];
    uint32_t n = 0;
    uint64_t used = blocks_bytes_used(f.blocks);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = random_entries(&f, (unsigned)seed % 4, 1000000, all + n);
        runs[i] = build(&f, all + n, k);
        assert_int_equal(run_source_new(runs[i], &sources[i]), OK);
        n += k;
    }
    qsort(all, n, sizeof *all, entry_order);
    struct merge_options o = {.horizon_ts = rng_below(&f.rng, 1200000), .floor_ts = UINT64_MAX,
                              .run = f.options,
                              .drop_tombstones = seed % 2,
                              .run_bytes_max = seed % 3 ? 200000 : 0};
    struct merged m = {&f, all, survivors(all, n, o.horizon_ts, o.drop_tombstones), 0, 0};
    assert_int_equal(merge_runs(sources, count, &o, emit, &m), OK);
    assert_int_equal(m.at, m.count);
    if (!o.run_bytes_max) assert_int_equal(m.runs, 1);
    for (uint32_t i = 0; i < count; i++) {
        run_source_free(sources[i]);
        run_destroy(runs[i]);
    }
    assert_int_equal(blocks_bytes_used(f.blocks), used);
    mem_free(MEM_TEST, all);
    teardown(&f);
}

static void test_merge(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 9; count += count < 4 ? 1 : 5) {
        print_message("%u runs\n", count);
        merge_once(count, count);
        merge_once(count + 100, count);
    }
}

/* --- damage ----------------------------------------------------------------------------------- */

/* Whether the byte is part of a segment, and not of what fills up its last block or the extent. */
static bool holds_data(struct fixture *f, struct extent x, uint64_t byte)
{
    size_t bytes = (size_t)x.blocks * BLOCK_BYTES, at = 0;
    char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, bytes);
    bool inside = false;
    assert_int_equal(blocks_read(f->blocks, x, 0, raw, bytes), OK);
    while (at <= byte) {
        struct segment_header h;
        memcpy(&h, raw + at, sizeof h);
        if (h.magic != SEGMENT_MAGIC) break;
        inside = byte < at + sizeof h + h.stored_bytes;
        at += segment__disk_bytes(&h);
    }
    mem_free(MEM_TEST, raw);
    return inside;
}

static void test_bit_flips(void **state)
{
    (void)state;
    static struct entry e[ENTRIES];
    struct fixture f;
    setup(&f, 7);
    struct strbuf meta;
    struct run *r;
    struct extent *extents;
    uint32_t count;
    build_meta(&f, e, random_entries(&f, 1, 1000, e), &meta);
    assert_int_equal(run_meta_extents(strbuf_slice(&meta), &f.arena, &extents, &count), OK);
    assert_int_equal(run_open(f.blocks, f.cache, strbuf_slice(&meta), &r), OK);
    unsigned seen = 0;
    for (int i = 0; i < 300; i++) {
        struct extent x = extents[rng_below(&f.rng, count)];
        uint64_t byte = rng_below(&f.rng, (uint64_t)x.blocks * BLOCK_BYTES);
        uint64_t at = (uint64_t)x.block * BLOCK_BYTES + byte;
        bool damages = holds_data(&f, x, byte);
        unsigned bit = (unsigned)rng_below(&f.rng, 8);
        assert_int_equal(sim_flip_bit(f.os, "db/data-0001.hbf", at, bit), OK);
        enum status s = run_verify(r);
        assert_int_equal(s, damages ? DATA_CORRUPTED : OK);
        if (damages) assert_non_null(strstr(error_current()->message, "data-0001.hbf"));
        seen += damages;
        assert_int_equal(sim_flip_bit(f.os, "db/data-0001.hbf", at, bit), OK);
    }
    assert_true(seen > 50);
    assert_int_equal(run_verify(r), OK);
    strbuf_release(&meta);
    run_destroy(r);
    teardown(&f);
}

/* A run's bytes hold another tree's: a write that went astray. */
static void test_other_tree(void **state)
{
    (void)state;
    static struct entry e[ENTRIES];
    struct fixture f;
    struct strbuf meta[2];
    struct extent *extents[2];
    uint32_t count[2];
    struct run *r;
    struct page_pins pins = {0};
    struct entry got;
    setup(&f, 4);
    uint32_t n = random_entries(&f, 2, 1000, e);
    for (int i = 0; i < 2; i++) {
        f.options.tree = TREE + (uint64_t)i;
        build_meta(&f, e, n, &meta[i]);
        assert_int_equal(run_meta_extents(strbuf_slice(&meta[i]), &f.arena, &extents[i], &count[i]),
                         OK);
    }
    assert_int_equal(count[0], count[1]);
    assert_int_equal(run_open(f.blocks, f.cache, strbuf_slice(&meta[0]), &r), OK);
    for (uint32_t i = 0; i < count[0]; i++) {
        size_t bytes = (size_t)extents[0][i].blocks * BLOCK_BYTES;
        char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, bytes);
        assert_int_equal(extents[0][i].blocks, extents[1][i].blocks);
        assert_int_equal(blocks_read(f.blocks, extents[1][i], 0, raw, bytes), OK);
        assert_int_equal(blocks_write(f.blocks, extents[0][i], 0, raw, bytes), OK);
        mem_free(MEM_TEST, raw);
    }
    assert_int_equal(run_get(r, e[0].key, run_key_hash(e[0].key), UINT64_MAX, &pins, &got),
                     DATA_CORRUPTED);
    assert_non_null(strstr(error_current()->message, "it belongs to another tree"));
    assert_int_equal(run_verify(r), DATA_CORRUPTED);
    page_pins_free(&pins);
    run_destroy(r);
    for (int i = 0; i < 2; i++) strbuf_release(&meta[i]);
    teardown(&f);
}

static void test_bad_meta(void **state)
{
    (void)state;
    static struct entry e[ENTRIES];
    struct fixture f;
    struct strbuf meta;
    struct run *r;
    struct extent *extents;
    uint32_t count;
    setup(&f, 8);
    uint32_t n = random_entries(&f, 2, 1000, e);
    build_meta(&f, e, n, &meta);
    assert_int_equal(run_meta_extents(strbuf_slice(&meta), &f.arena, &extents, &count), OK);
    assert_true(count > 0);
    for (size_t len = 0; len < meta.len; len++)
        assert_int_equal(run_open(f.blocks, f.cache, slice_make(meta.data, len), &r),
                         DATA_CORRUPTED);
    for (size_t i = 0; i < meta.len; i++) {
        meta.data[i] ^= 4;
        assert_int_equal(run_open(f.blocks, f.cache, strbuf_slice(&meta), &r), DATA_CORRUPTED);
        meta.data[i] ^= 4;
    }
    assert_int_equal(run_open(f.blocks, f.cache, strbuf_slice(&meta), &r), OK);
    run_destroy(r);
    strbuf_release(&meta);
    teardown(&f);
}

static void test_inspect(void **state)
{
    (void)state;
    static struct entry e[ENTRIES];
    struct fixture f;
    struct strbuf meta, out;
    struct extent *extents;
    uint32_t count;
    setup(&f, 5);
    strbuf_init(&out, NULL);
    uint32_t n = random_entries(&f, 2, 1000, e);
    build_meta(&f, e, n, &meta);
    assert_int_equal(run_meta_extents(strbuf_slice(&meta), &f.arena, &extents, &count), OK);
    size_t bytes = (size_t)extents[count - 1].blocks * BLOCK_BYTES;
    char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, bytes);
    assert_int_equal(blocks_read(f.blocks, extents[count - 1], 0, raw, bytes), OK);
    assert_int_equal(segment_inspect(slice_make(raw, bytes), &out), OK);
    assert_non_null(strstr(out.data, "segment of filter, tree 42"));
    raw[200] ^= 1;
    assert_int_equal(segment_inspect(slice_make(raw, bytes), &out), DATA_CORRUPTED);
    mem_free(MEM_TEST, raw);
    strbuf_release(&meta);
    strbuf_release(&out);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),     cmocka_unit_test(test_space), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_merge),     cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_bad_meta),  cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_other_tree),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
