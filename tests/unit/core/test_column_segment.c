/* Column segments against the versions that went in: every column read back, what each snapshot
 * sees, what zones and filters leave out, and bytes that the disk has changed. */
#include "core/column/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"
#include "core/column/segment_priv.h"
#include "types/numeric.h"

enum { ROWS = 9000, COLUMNS = 5, TREE = 7, BATCH = 700, SEGMENTS_MAX = 64 };

static const struct column_spec specs[COLUMNS] = {{1, TYPE_INT4, 0},
                                                  {2, TYPE_TEXT, 0},
                                                  {3, TYPE_NUMERIC, 0},
                                                  {5, TYPE_INT8, 10},
                                                  {9, TYPE_FLOAT8, 0}};
enum { RISING, WORD, PRICE, SCATTERED, MEASURE };

struct row {
    struct slice key;
    uint64_t ts;
    bool dead;
    struct datum values[COLUMNS];
};

struct fixture {
    struct os *os;
    struct blocks *blocks;
    struct cache *cache;
    struct arena arena;
    struct rng rng;
    struct row rows[ROWS];
    uint32_t segments;
    struct extent extents[SEGMENTS_MAX];
    uint32_t first_row[SEGMENTS_MAX + 1];
};

static uint64_t seed;

static void make_rows(struct fixture *f)
{
    static const char *const words[] = {"red", "green", "a colour that nobody knows", "blue"};
    struct rng *r = &f->rng;
    uint32_t key = 0;
    uint64_t ts = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        struct row *x = &f->rows[i];
        bool again = i && ts > 10 && rng_below(r, 4) == 0; /* an older version of the key before */
        if (!again) key += 1 + (uint32_t)rng_below(r, 3);
        ts = again ? ts - 1 - rng_below(r, 9) : 1000 + 2 * rng_below(r, 500);
        char text[80];
        uint32_t be = __builtin_bswap32(key);
        x->key = slice_dup(&f->arena, slice_make(&be, sizeof be));
        x->ts = ts;
        x->dead = rng_below(r, 10) == 0;
        for (int c = 0; c < COLUMNS; c++) x->values[c].null = x->dead || rng_below(r, 30) == 0;
        x->values[RISING].v.i32 = (int32_t)key;
        snprintf(text, sizeof text, "%s%s", words[rng_below(r, 4)], rng_below(r, 9) ? "" : "ish");
        x->values[WORD].v.bytes = bytes_copy(&f->arena, text, (uint32_t)strlen(text));
        x->values[PRICE].v.numeric = numeric_small((int64_t)rng_below(r, 100000), 2);
        x->values[SCATTERED].v.i64 = (int64_t)(rng_u64(r) >> 20);
        x->values[MEASURE].v.f64 = (double)rng_below(r, 10000) / 10;
    }
}

/* Rows from `at` on, as many as a batch has. */
static uint32_t add_batch(struct fixture *f, struct column_segment_writer *w, uint32_t at)
{
    struct slice keys[BATCH];
    uint64_t ts[BATCH];
    bool dead[BATCH];
    struct vec columns[COLUMNS];
    struct arena a;
    uint32_t n = ROWS - at < BATCH ? ROWS - at : 1 + (uint32_t)rng_below(&f->rng, BATCH), taken;
    arena_init(&a, MEM_TEST); /* the writer must not need it any more */
    for (int c = 0; c < COLUMNS; c++) vec_init_flat(&columns[c], specs[c].type, &a);
    for (uint32_t i = 0; i < n; i++) {
        const struct row *x = &f->rows[at + i];
        keys[i] = x->key;
        ts[i] = x->ts;
        dead[i] = x->dead;
        for (int c = 0; c < COLUMNS; c++) vec_set(&columns[c], i, x->values[c]);
    }
    struct column_rows rows = {n, keys, ts, dead, columns};
    column_segment_add(w, &rows, &taken);
    arena_release(&a);
    return taken;
}

static void write_segment(struct fixture *f, struct column_segment_writer *w)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    assert_true(f->segments < SEGMENTS_MAX);
    assert_int_equal(column_segment_finish(w, &out), OK);
    assert_int_equal(out.len % BLOCK_BYTES, 0);
    char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, out.len);
    memcpy(raw, out.data, out.len);
    struct extent *e = &f->extents[f->segments++];
    uint32_t blocks = (uint32_t)(out.len / BLOCK_BYTES);
    assert_int_equal(blocks_allocate(f->blocks, blocks + 1, e), OK); /* it begins at block 1 */
    assert_int_equal(blocks_write(f->blocks, *e, BLOCK_BYTES, raw, out.len), OK);
    mem_free(MEM_TEST, raw);
    strbuf_release(&out);
}

static struct fixture *setup(enum column_segment_kind kind)
{
    struct fixture *f = mem_alloc(MEM_TEST, sizeof *f);
    struct sim_options sim = {.seed = seed};
    f->os = sim_new(&sim);
    assert_int_equal(os_mkdir(f->os, "db"), OK);
    struct blocks_options o = {.os = f->os, .dir = "db", .file_bytes = 16 << 20};
    assert_int_equal(blocks_open(&o, &f->blocks), OK);
    f->cache = cache_new(1 << 20);
    arena_init(&f->arena, MEM_TEST);
    rng_seed(&f->rng, seed + kind);
    make_rows(f);
    struct column_segment_options so = {.tree = TREE, .schema_version = 3, .kind = kind,
                                        .columns = specs, .column_count = COLUMNS};
    struct column_segment_writer *w;
    assert_int_equal(column_segment_writer_new(&so, &w), OK);
    for (uint32_t at = 0; at < ROWS;) {
        uint32_t taken = add_batch(f, w, at);
        at += taken;
        if (!taken || at == ROWS) {
            write_segment(f, w);
            f->first_row[f->segments] = at;
        }
    }
    column_segment_writer_free(w);
    return f;
}

static void teardown(struct fixture *f)
{
    cache_free(f->cache);
    blocks_close(f->blocks);
    sim_free(f->os);
    arena_release(&f->arena);
    mem_free(MEM_TEST, f);
}

static void open_segment(struct fixture *f, uint32_t k, struct column_segment **ret)
{
    assert_int_equal(column_segment_open(f->blocks, f->cache, f->extents[k], 1, ret), OK);
}

/* --- checks ----------------------------------------------------------------------------------- */

static void check_block(struct column_segment *s, const struct row *rows, uint32_t block)
{
    struct page_pins pins = {0};
    struct arena a;
    struct column_block *b;
    struct vec v;
    uint32_t from = column_segment_first_row(s, block), column;
    arena_init(&a, MEM_TEST);
    for (int c = 0; c < COLUMNS; c++) {
        assert_true(column_segment_column(s, specs[c].number, &column));
        assert_int_equal(column_segment_type(s, column), specs[c].type);
        assert_int_equal(column_segment_block(s, column, block, &pins, &a, &b), OK);
        uint32_t n = column_rows(b);
        assert_int_equal(from + n, column_segment_first_row(s, block + 1));
        assert_int_equal(column_read(b, NULL, n, false, &a, &v), OK);
        for (uint32_t i = 0; i < n; i++) {
            struct datum d = vec_get(&v, i);
            assert_true(value_identical(specs[c].type, &d, &rows[from + i].values[c]));
        }
    }
    assert_true(column_segment_column(s, COLUMN_KEY, &column));
    assert_int_equal(column_segment_block(s, column, block, &pins, &a, &b), OK);
    assert_int_equal(column_read(b, NULL, column_rows(b), true, &a, &v), OK);
    for (uint32_t i = 0; i < column_rows(b); i++)
        assert_true(slice_eq(bytes_slice(&VEC_DATA(&v, struct bytes)[i]), rows[from + i].key));
    assert_false(column_segment_column(s, 77, &column));
    arena_release(&a);
    page_pins_free(&pins);
}

/* The newest version of each key at or before the snapshot, if it is no tombstone; of those in
 * rows. */
static bool seen(const struct row *rows, uint32_t i, uint64_t snapshot)
{
    if (rows[i].ts > snapshot || rows[i].dead) return false;
    return !i || !slice_eq(rows[i - 1].key, rows[i].key) || rows[i - 1].ts > snapshot;
}

static void check_visible(struct fixture *f, struct column_segment *s, const struct row *rows)
{
    struct page_pins pins = {0};
    struct arena a;
    uint64_t mask[COLUMN_MASK_WORDS];
    uint64_t snapshots[] = {0, 900, 1000 + rng_below(&f->rng, 1000), 1500, 5000, UINT64_MAX};
    arena_init(&a, MEM_TEST);
    for (uint32_t k = 0; k < column_segment_block_count(s); k++)
        for (size_t t = 0; t < sizeof snapshots / sizeof *snapshots; t++) {
            uint32_t from = column_segment_first_row(s, k), to = column_segment_first_row(s, k + 1);
            assert_int_equal(column_segment_visible(s, k, snapshots[t], &pins, &a, mask), OK);
            for (uint32_t i = from; i < to; i++)
                assert_int_equal(mask__get(mask, i - from), seen(rows, i, snapshots[t]));
            page_pins_release(&pins);
        }
    arena_release(&a);
    page_pins_free(&pins);
}

static void check_fences(struct fixture *f, struct column_segment *s, const struct row *rows)
{
    uint32_t n = column_segment_rows(s), blocks = column_segment_block_count(s);
    assert_true(slice_eq(column_segment_min_key(s), rows[0].key));
    assert_true(slice_eq(column_segment_max_key(s), rows[n - 1].key));
    for (int k = 0; k < 200; k++) {
        uint32_t i = (uint32_t)rng_below(&f->rng, n), first = i;
        while (first && slice_eq(rows[first - 1].key, rows[i].key)) first--;
        uint32_t b = column_segment_find(s, rows[i].key);
        assert_true(b < blocks);
        /* The first version of the key is in it or the next one. */
        assert_true(column_segment_first_row(s, b) <= first);
        assert_true(b + 2 > blocks - 1 || first < column_segment_first_row(s, b + 2));
    }
}

/* Zones: no row block that holds such rows is left out, and of a rising column few stay. */
static void check_pruning(struct fixture *f, struct column_segment *s, const struct row *rows)
{
    uint32_t n = column_segment_rows(s), blocks = column_segment_block_count(s), column;
    uint64_t left[COLUMN_SEGMENT_ROWS_MAX / 64 / 64];
    assert_true(column_segment_column(s, specs[RISING].number, &column));
    for (int k = 0; k < 50; k++) {
        struct datum d = rows[rng_below(&f->rng, n)].values[RISING];
        struct column_test t = {COLUMN_EQ, 1, &d};
        memset(left, 0xff, sizeof left);
        column_segment_prune(s, column, &t, left);
        uint32_t kept = 0;
        for (uint32_t b = 0; b < blocks; b++) {
            bool there = false;
            uint32_t i = column_segment_first_row(s, b), end = column_segment_first_row(s, b + 1);
            for (; i < end; i++)
                there |= !d.null && !rows[i].values[RISING].null &&
                         rows[i].values[RISING].v.i32 == d.v.i32;
            if (there) assert_true(left[b / 64] >> b % 64 & 1);
            kept += left[b / 64] >> b % 64 & 1;
        }
        assert_true(kept <= 2);
    }
}

static void check_filter(struct fixture *f, struct column_segment *s, const struct row *rows)
{
    struct page_pins pins = {0};
    uint32_t n = column_segment_rows(s), column, denied = 0;
    bool may;
    assert_true(column_segment_column(s, specs[SCATTERED].number, &column));
    for (int k = 0; k < 400; k++) {
        struct datum d = rows[rng_below(&f->rng, n)].values[SCATTERED];
        struct column_test t = {COLUMN_EQ, 1, &d};
        if (d.null) continue;
        assert_int_equal(column_segment_may_contain(s, column, &t, &pins, &may), OK);
        assert_true(may);
        d.v.i64 = -1 - (int64_t)(rng_u64(&f->rng) >> 1);
        assert_int_equal(column_segment_may_contain(s, column, &t, &pins, &may), OK);
        denied += !may;
    }
    assert_true(denied > 300);
    page_pins_free(&pins);
}

static void segments_come_back(void **state)
{
    (void)state;
    for (int kind = SEGMENT_COLUMN; kind <= SEGMENT_COMPRESSED; kind++) {
        struct fixture *f = setup((enum column_segment_kind)kind);
        assert_true(kind != SEGMENT_HYBRID || f->segments > 1);
        for (uint32_t k = 0; k < f->segments; k++) {
            const struct row *rows = f->rows + f->first_row[k];
            struct column_segment *s;
            open_segment(f, k, &s);
            assert_int_equal(column_segment_tree(s), TREE);
            assert_int_equal(column_segment_rows(s), f->first_row[k + 1] - f->first_row[k]);
            for (uint32_t b = 0; b < column_segment_block_count(s); b++) check_block(s, rows, b);
            check_visible(f, s, rows);
            check_fences(f, s, rows);
            check_pruning(f, s, rows);
            check_filter(f, s, rows);
            assert_int_equal(column_segment_verify(s), OK);
            column_segment_close(s);
        }
        teardown(f);
    }
}

/* A flipped bit anywhere but in what only fills up is told, with file and offset. */
static void damage_is_told(void **state)
{
    (void)state;
    struct fixture *f = setup(SEGMENT_HYBRID);
    struct extent e = f->extents[0];
    size_t len = (size_t)e.blocks * BLOCK_BYTES;
    char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, len);
    uint32_t told = 0;
    assert_int_equal(blocks_read(f->blocks, e, 0, raw, len), OK);
    for (int k = 0; k < 300; k++) {
        size_t at = BLOCK_BYTES + rng_below(&f->rng, k % 3 ? len - BLOCK_BYTES : 128);
        char bit = (char)(1 << rng_below(&f->rng, 8));
        struct column_segment *s;
        raw[at] ^= bit;
        assert_int_equal(blocks_write(f->blocks, e, 0, raw, len), OK);
        cache_forget(f->cache, cache_key(e.file, e.block),
                     cache_key(e.file, e.block + e.blocks - 1));
        enum status st = column_segment_open(f->blocks, f->cache, e, 1, &s);
        if (st == OK) {
            st = column_segment_verify(s);
            column_segment_close(s);
        }
        bool header = at < BLOCK_BYTES + sizeof(struct column_segment_header);
        assert_true(st == OK || st == DATA_CORRUPTED);
        if (st != OK) assert_non_null(strstr(error_current()->message, "at offset"));
        if (header) assert_int_equal(st, DATA_CORRUPTED);
        told += st != OK;
        raw[at] ^= bit;
    }
    assert_true(told > 150); /* the others fell on what fills up */
    mem_free(MEM_TEST, raw);
    teardown(f);
}

/* Long strings make row blocks of few rows, and a segment that is full takes no more. */
static void long_rows_make_short_blocks(void **state)
{
    (void)state;
    static const struct column_spec text = {1, TYPE_TEXT, 0};
    enum { LEN = 3 << 20, COUNT = 8 };
    struct fixture *f = setup(SEGMENT_COLUMN);
    struct column_segment_options o = {.tree = TREE, .kind = SEGMENT_COLUMN, .columns = &text,
                                       .column_count = 1};
    struct column_segment_writer *w;
    struct slice keys[COUNT];
    uint64_t ts[COUNT];
    struct vec v;
    char *one = arena_alloc(&f->arena, LEN), names[COUNT];
    for (uint32_t i = 0; i < LEN; i++) one[i] = (char)('a' + i % 7 + rng_below(&f->rng, 3));
    vec_init_flat(&v, TYPE_TEXT, &f->arena);
    for (uint32_t i = 0; i < COUNT; i++) {
        names[i] = (char)('a' + i);
        keys[i] = slice_make(&names[i], 1);
        ts[i] = 10;
        vec_set(&v, i, (struct datum){.v.bytes = bytes_ref(one, LEN - i)});
    }
    assert_int_equal(column_segment_writer_new(&o, &w), OK);
    uint32_t taken, rest;
    column_segment_add(w, &(struct column_rows){COUNT, keys, ts, NULL, &v}, &taken);
    assert_int_equal(taken, 5); /* of 16 MiB */
    v.data = VEC_DATA(&v, struct bytes) + taken;
    struct column_rows more = {COUNT - taken, keys + taken, ts + taken, NULL, &v};
    column_segment_add(w, &more, &rest);
    assert_int_equal(rest, 0);
    f->segments = 0;
    write_segment(f, w);
    column_segment_writer_free(w);
    struct column_segment *s;
    open_segment(f, 0, &s);
    assert_int_equal(column_segment_rows(s), taken);
    assert_int_equal(column_segment_block_count(s), taken);
    assert_int_equal(column_segment_verify(s), OK);
    struct page_pins pins = {0};
    for (uint32_t k = 0; k < taken; k++) {
        struct column_block *b;
        struct vec read;
        assert_int_equal(column_segment_block(s, 0, k, &pins, &f->arena, &b), OK);
        assert_int_equal(column_read(b, NULL, 1, true, &f->arena, &read), OK);
        struct slice is = bytes_slice(&VEC_DATA(&read, struct bytes)[0]);
        assert_true(slice_eq(is, slice_make(one, LEN - k)));
    }
    page_pins_free(&pins);
    column_segment_close(s);
    teardown(f);
}

int main(void)
{
    const char *s = getenv("SEED");
    seed = s ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(segments_come_back),
                                       cmocka_unit_test(long_rows_make_short_blocks),
                                       cmocka_unit_test(damage_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
