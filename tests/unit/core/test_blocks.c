#include "core/file/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"

static uint64_t seed_of_run;

enum { FILE_BYTES = 2 << 20, FILE_BLOCKS = FILE_BYTES / BLOCK_BYTES, EXTENTS = 300, FILES = 64 };

static struct os *new_os(uint64_t seed)
{
    const struct sim_options o = {.seed = seed, .keep_permille = (unsigned)(seed % 10) * 100,
                                  .tear_permille = 50, .garbage_permille = 50};
    struct os *os = sim_new(&o);
    assert_int_equal(os_mkdir(os, "db"), OK);
    assert_int_equal(os_sync_dir(os, "."), OK);
    return os;
}

static enum status open_blocks(struct os *os, struct blocks **ret)
{
    const struct blocks_options o = {.os = os, .dir = "db", .file_bytes = FILE_BYTES};
    return blocks_open(&o, ret);
}

/* --- the allocator against a map of blocks ---------------------------------------------------- */

struct oracle {
    unsigned char *owned[FILES]; /* by block; grown to what was asked for */
    struct extent at[EXTENTS];   /* blocks 0: none */
    uint64_t used;
};

static uint32_t rounded(uint32_t blocks)
{
    uint32_t n = EXTENT_BLOCKS_MIN;
    while (n < blocks) n *= 2;
    return n;
}

static void oracle_set(struct oracle *o, struct extent e, bool owned)
{
    assert_true(e.file > 0 && e.file <= FILES);
    if (!o->owned[e.file - 1]) o->owned[e.file - 1] = calloc(4 * EXTENT_BLOCKS_MAX, 1);
    unsigned char *map = o->owned[e.file - 1];
    for (uint32_t i = 0; i < rounded(e.blocks); i++) {
        assert_int_equal(map[e.block + i], !owned);
        map[e.block + i] = owned;
    }
    uint64_t bytes = (uint64_t)rounded(e.blocks) * BLOCK_BYTES;
    o->used += owned ? bytes : 0 - bytes;
}

static uint32_t random_size(struct rng *rng)
{
    switch (rng_below(rng, 8)) {
    case 0: return 1 + (uint32_t)rng_below(rng, FILE_BLOCKS / 2);
    case 1: return 1 + (uint32_t)rng_below(rng, 3 * FILE_BLOCKS); /* more than a usual file has */
    default: return 1 + (uint32_t)rng_below(rng, 40);
    }
}

static void reopen(struct os *os, struct oracle *o, struct blocks **b)
{
    blocks_close(*b);
    assert_int_equal(open_blocks(os, b), OK);
    for (int i = 0; i < EXTENTS; i++)
        if (o->at[i].blocks) assert_int_equal(blocks_mark_used(*b, o->at[i]), OK);
    for (int i = 0; i < EXTENTS; i++)
        if (o->at[i].blocks) assert_int_equal(blocks_mark_used(*b, o->at[i]), DATA_CORRUPTED);
}

static void allocator(void **state)
{
    (void)state;
    struct os *os = new_os(seed_of_run);
    struct oracle *o = calloc(1, sizeof *o);
    struct blocks *b;
    struct rng rng;
    rng_seed(&rng, seed_of_run);
    assert_int_equal(open_blocks(os, &b), OK);
    o->used = blocks_bytes_used(b);
    oracle_set(o, (struct extent){1, 0, EXTENT_BLOCKS_MIN}, true); /* superblocks */
    o->used -= EXTENT_BLOCKS_MIN * BLOCK_BYTES;
    for (int step = 0; step < 6000; step++) {
        struct extent *e = &o->at[rng_below(&rng, EXTENTS)];
        if (e->blocks) {
            oracle_set(o, *e, false);
            blocks_free(b, *e);
            e->blocks = 0;
        } else {
            uint32_t size = random_size(&rng);
            assert_int_equal(blocks_allocate(b, size, e), OK);
            assert_int_equal(e->blocks, size);
            oracle_set(o, *e, true);
        }
        assert_int_equal(blocks_bytes_used(b), o->used);
        if (step % 1500 == 0) reopen(os, o, &b);
    }
    for (int i = 0; i < EXTENTS; i++)
        if (o->at[i].blocks) blocks_free(b, o->at[i]);
    /* All coalesced: a whole file's worth can be had without a new one. */
    uint64_t total = blocks_bytes_total(b);
    struct extent e;
    assert_int_equal(blocks_allocate(b, FILE_BLOCKS, &e), OK);
    assert_int_equal(blocks_bytes_total(b), total);
    blocks_close(b);
    for (int i = 0; i < FILES; i++) free(o->owned[i]);
    free(o);
    sim_free(os);
    assert_int_equal(mem_bytes(MEM_FILE), 0);
}

static void bad_extents(void **state)
{
    (void)state;
    struct os *os = new_os(seed_of_run);
    struct blocks *b;
    assert_int_equal(open_blocks(os, &b), OK);
    const struct extent bad[] = {{0, 8, 8}, {2, 8, 8}, {1, 0, 8}, {1, 12, 8}, {1, 8, 9}, {1, 8, 0},
                                 {1, FILE_BLOCKS, 8}, {1, 0, EXTENT_BLOCKS_MAX},
                                 {1, 8, UINT32_MAX}, {1, UINT32_MAX - 7, 8}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(blocks_mark_used(b, bad[i]), DATA_CORRUPTED);
    assert_int_equal(blocks_mark_used(b, (struct extent){1, 16, 9}), OK);
    assert_int_equal(blocks_mark_used(b, (struct extent){1, 24, 1}), DATA_CORRUPTED);
    blocks_close(b);
    sim_free(os);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void read_and_write(void **state)
{
    (void)state;
    struct os *os = new_os(seed_of_run);
    struct blocks *b;
    struct extent e[20];
    char *data = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, 3 * BLOCK_BYTES);
    assert_int_equal(open_blocks(os, &b), OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(blocks_allocate(b, 100, &e[i]), OK);
        memset(data, i + 1, 3 * BLOCK_BYTES);
        assert_int_equal(blocks_write(b, e[i], 97 * BLOCK_BYTES, data, 3 * BLOCK_BYTES), OK);
    }
    assert_int_equal(blocks_sync(b), OK);
    uint64_t operations = sim_operations(os);
    assert_int_equal(blocks_sync(b), OK);
    assert_int_equal(sim_operations(os), operations); /* nothing written, nothing synced */
    blocks_close(b);
    sim_restart(os);
    assert_int_equal(open_blocks(os, &b), OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(blocks_mark_used(b, e[i]), OK);
        assert_int_equal(blocks_read(b, e[i], 98 * BLOCK_BYTES, data, BLOCK_BYTES), OK);
        for (int k = 0; k < BLOCK_BYTES; k++) assert_int_equal(data[k], i + 1);
    }
    assert_int_equal(blocks_write(b, e[0], 0, data, BLOCK_BYTES), OK);
    sim_fail(os, SIM_FAULT_SYNC, 1, false, IO_ERROR);
    assert_int_equal(blocks_sync(b), IO_ERROR);
    assert_int_equal(blocks_sync(b), IO_ERROR); /* a retry would prove nothing */
    blocks_close(b);
    mem_free(MEM_TEST, data);
    sim_free(os);
}

static void disk_full(void **state)
{
    (void)state;
    const struct sim_options o = {.seed = seed_of_run, .disk_bytes_max = 5 * FILE_BYTES / 2};
    struct os *os = sim_new(&o);
    struct blocks *b;
    struct extent e, last;
    enum status st;
    assert_int_equal(os_mkdir(os, "db"), OK);
    assert_int_equal(open_blocks(os, &b), OK);
    while ((st = blocks_allocate(b, 64, &e)) == OK) last = e;
    assert_int_equal(st, DISK_FULL);
    assert_int_equal(blocks_bytes_total(b), 2 * FILE_BYTES);
    blocks_free(b, last);
    assert_int_equal(blocks_allocate(b, 64, &e), OK);
    blocks_close(b);
    sim_free(os);
}

/* --- superblocks: power lost at operation n = 1, 2, 3 … --------------------------------------- */

static bool write_supers(struct os *os, uint64_t *acked, uint64_t *tried)
{
    struct blocks *b;
    bool alive = open_blocks(os, &b) == OK;
    if (!alive) return false;
    for (int i = 0; i < 8 && alive; i++) {
        uint64_t blob[375] = {++*tried};
        struct extent e;
        blob[374] = *tried;
        alive = blocks_allocate(b, FILE_BLOCKS / 2, &e) == OK &&
                blocks_super_write(b, slice_make(blob, sizeof blob)) == OK;
        if (alive) *acked = *tried;
    }
    blocks_close(b);
    return alive;
}

static void superblocks(void **state)
{
    (void)state;
    bool alive = false;
    for (uint64_t n = 1; !alive; n++) {
        struct os *os = new_os(seed_of_run + n);
        uint64_t acked = 0, tried = 0;
        sim_power_off_after(os, n);
        alive = write_supers(os, &acked, &tried);
        for (int lives = 0; lives < 3; lives++) {
            struct blocks *b;
            struct strbuf blob;
            uint64_t found = 0;
            sim_restart(os);
            strbuf_init(&blob, NULL);
            assert_int_equal(open_blocks(os, &b), OK);
            assert_int_equal(blocks_super_read(b, &blob), OK);
            if (blob.len) {
                assert_int_equal(blob.len, 3000);
                memcpy(&found, blob.data, 8);
                assert_memory_equal(blob.data + 374 * 8, &found, 8);
            }
            assert_true(found >= acked && found <= tried);
            acked = found;
            blocks_close(b);
            strbuf_release(&blob);
            sim_power_off_after(os, n % 13 + 1);
            write_supers(os, &acked, &tried);
        }
        sim_free(os);
    }
    assert_int_equal(mem_bytes(MEM_FILE), 0);
}

static void damaged_superblocks(void **state)
{
    (void)state;
    struct os *os = new_os(seed_of_run);
    struct blocks *b;
    struct strbuf blob;
    strbuf_init(&blob, NULL);
    assert_int_equal(open_blocks(os, &b), OK);
    assert_int_equal(blocks_super_write(b, SLICE("one")), OK);
    assert_int_equal(blocks_super_write(b, SLICE("two")), OK);
    blocks_close(b);
    assert_int_equal(sim_flip_bit(os, "db/data-0001.hbf", BLOCK_BYTES + 100, 3), OK);
    assert_int_equal(open_blocks(os, &b), OK); /* the other one */
    assert_int_equal(blocks_super_read(b, &blob), OK);
    assert_string_equal(blob.data, "one");
    blocks_close(b);
    assert_int_equal(sim_flip_bit(os, "db/data-0001.hbf", 4000, 3), OK);
    assert_int_equal(open_blocks(os, &b), DATA_CORRUPTED);
    strbuf_release(&blob);
    sim_free(os);
}

int main(void)
{
    const char *text = getenv("SEED");
    seed_of_run = text ? strtoull(text, NULL, 10) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocator),
        cmocka_unit_test(bad_extents),
        cmocka_unit_test(read_and_write),
        cmocka_unit_test(disk_full),
        cmocka_unit_test(superblocks),
        cmocka_unit_test(damaged_superblocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
