#include "core/file/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"

static uint64_t seed_of_run;

/* The owner's state is one number, raised by records of one to three steps at a time: a batch of k
 * records raises it by k. A rewrite is one record that sets it. So whatever is replayed must end at
 * a number that a whole batch led to. */

enum { OPS = 14 };

struct model {
    struct os *os;
    struct rng rng;
    struct blocks *blocks;
    struct manifest *manifest;
    uint64_t value;         /* as replayed, then as written */
    uint64_t acked, tried;  /* found after a crash: one of these */
};

struct record {
    uint64_t sets;
    char filling[];
};

static enum status apply(void *ctx, struct slice r)
{
    struct model *m = ctx;
    uint64_t sets;
    assert_true(r.len >= 8);
    memcpy(&sets, r.data, 8);
    for (size_t i = 8; i < r.len; i++) assert_int_equal((unsigned char)r.data[i], sets % 251);
    if (m->value) assert_int_equal(sets, m->value + 1);
    m->value = sets;
    return OK;
}

static enum status open_all(struct model *m)
{
    const struct blocks_options o = {.os = m->os, .dir = "db", .file_bytes = 1 << 20};
    m->value = 0;
    enum status st = blocks_open(&o, &m->blocks);
    if (st != OK) return st;
    st = manifest_open(m->os, "db", m->blocks, apply, m, &m->manifest);
    if (st != OK) blocks_close(m->blocks);
    return st;
}

static void close_all(struct model *m)
{
    manifest_close(m->manifest);
    blocks_close(m->blocks);
}

static struct slice make_record(struct model *m, uint64_t sets)
{
    size_t len = rng_below(&m->rng, 4) ? rng_below(&m->rng, 200) : rng_below(&m->rng, 20000);
    struct record *r = malloc(sizeof *r + len);
    r->sets = sets;
    memset(r->filling, (int)(sets % 251), len);
    return slice_make(r, 8 + len);
}

static bool write_one(struct model *m)
{
    struct slice records[3];
    bool rewrites = rng_below(&m->rng, 5) == 0;
    uint32_t count = rewrites ? 1 : 1 + (uint32_t)rng_below(&m->rng, 3);
    enum status st;
    m->tried = rewrites && m->value ? m->value : m->value + count;
    for (uint32_t i = 0; i < count; i++) records[i] = make_record(m, m->tried - count + 1 + i);
    if (rewrites) st = manifest_rewrite(m->manifest, records, count);
    else st = manifest_append(m->manifest, records, count);
    for (uint32_t i = 0; i < count; i++) free((void *)(uintptr_t)records[i].data);
    if (st != OK) return false;
    m->acked = m->value = m->tried;
    return true;
}

static bool life(struct model *m)
{
    bool alive = open_all(m) == OK;
    if (!alive) return false;
    for (int i = 0; i < OPS && alive; i++) alive = write_one(m);
    close_all(m);
    return alive;
}

static void check(struct model *m)
{
    struct arena a;
    char **names;
    size_t count, manifests = 0;
    if (open_all(m) != OK) {
        print_error("%s\n", error_current()->message);
        fail();
    }
    if (m->value != m->acked) assert_int_equal(m->value, m->tried);
    m->acked = m->tried = m->value;
    arena_init(&a, MEM_TEST);
    assert_int_equal(os_list(m->os, "db", &a, &names, &count), OK);
    for (size_t i = 0; i < count; i++) manifests += strncmp(names[i], "manifest-", 9) == 0;
    assert_int_equal(manifests, 1);
    arena_release(&a);
    close_all(m);
}

static void new_model(struct model *m, uint64_t seed)
{
    const struct sim_options o = {.seed = seed, .keep_permille = (unsigned)(seed % 9) * 100,
                                  .tear_permille = 100, .garbage_permille = 50};
    *m = (struct model){.os = sim_new(&o)};
    rng_seed(&m->rng, seed);
    assert_int_equal(os_mkdir(m->os, "db"), OK);
    assert_int_equal(os_sync_dir(m->os, "."), OK);
}

static void crash_everywhere(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 20; round++) {
        bool alive = false;
        for (uint64_t n = 1; !alive; n++) {
            struct model m;
            new_model(&m, seed_of_run + round * 1000 + n);
            sim_power_off_after(m.os, n);
            alive = life(&m);
            for (int lives = 0; lives < 3; lives++) {
                sim_restart(m.os);
                check(&m);
                sim_power_off_after(m.os, 1 + rng_below(&m.rng, 30));
                life(&m);
            }
            sim_restart(m.os);
            check(&m);
            sim_free(m.os);
        }
    }
    assert_int_equal(mem_bytes(MEM_FILE), 0);
}

static void damage_is_told(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 60; i++) {
        struct model m;
        new_model(&m, seed_of_run + i);
        assert_int_equal(open_all(&m), OK);
        const struct slice r = SLICE("\1\0\0\0\0\0\0\0"), s = SLICE("\2\0\0\0\0\0\0\0");
        assert_int_equal(manifest_append(m.manifest, &r, 1), OK);
        assert_int_equal(manifest_bytes(m.manifest), 2 * BLOCK_BYTES);
        assert_int_equal(manifest_append(m.manifest, &s, 1), OK);
        close_all(&m);
        /* In one of the first two, damage: the third follows. In the third: not acknowledged. */
        uint64_t batch = i % 3, at = batch * BLOCK_BYTES + rng_below(&m.rng, 32);
        assert_int_equal(sim_flip_bit(m.os, "db/manifest-00000001.hmf", at, (unsigned)(i % 8)), OK);
        enum status st = open_all(&m);
        assert_int_equal(st, batch < 2 ? DATA_CORRUPTED : OK);
        if (st == OK) {
            assert_int_equal(m.value, 1);
            close_all(&m);
        }
        sim_free(m.os);
    }
}

/* A valid batch in the place of another, or of another manifest: a write that went astray. */
static void astray(void **state)
{
    (void)state;
    const struct slice r = SLICE("\1\0\0\0\0\0\0\0"), s = SLICE("\2\0\0\0\0\0\0\0");
    char *batch = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, BLOCK_BYTES);
    for (uint64_t i = 0; i < 2; i++) {
        struct model m;
        struct file *f;
        new_model(&m, seed_of_run + i);
        assert_int_equal(open_all(&m), OK);
        assert_int_equal(manifest_append(m.manifest, &r, 1), OK);
        assert_int_equal(manifest_append(m.manifest, &s, 1), OK);
        assert_int_equal(os_open(m.os, "db/manifest-00000001.hmf", OPEN_DIRECT, &f), OK);
        assert_int_equal(file_read(f, batch, BLOCK_BYTES, 2 * BLOCK_BYTES), OK);
        file_close(f);
        const char *to = "db/manifest-00000001.hmf";
        if (i) { /* the same offset in the next manifest */
            m.value = 0;
            assert_int_equal(manifest_rewrite(m.manifest, &r, 1), OK);
            assert_int_equal(manifest_append(m.manifest, &s, 1), OK);
            to = "db/manifest-00000002.hmf";
        }
        close_all(&m);
        assert_int_equal(os_open(m.os, to, OPEN_DIRECT, &f), OK);
        assert_int_equal(file_write(f, batch, BLOCK_BYTES, (3 - i) * BLOCK_BYTES), OK);
        file_close(f);
        assert_int_equal(open_all(&m), OK);
        assert_int_equal(m.value, 2);
        assert_int_equal(manifest_bytes(m.manifest), (3 - i) * BLOCK_BYTES);
        close_all(&m);
        sim_free(m.os);
    }
    mem_free(MEM_TEST, batch);
}

static void failures(void **state)
{
    (void)state;
    struct model m;
    const struct slice r = SLICE("\1\0\0\0\0\0\0\0");
    new_model(&m, seed_of_run);
    assert_int_equal(open_all(&m), OK);
    sim_fail(m.os, SIM_FAULT_WRITE, 1, false, DISK_FULL);
    assert_int_equal(manifest_append(m.manifest, &r, 1), DISK_FULL);
    sim_fail(m.os, SIM_FAULT_WRITE, 1, false, DISK_FULL);
    assert_int_equal(manifest_rewrite(m.manifest, &r, 1), DISK_FULL);
    assert_int_equal(manifest_append(m.manifest, &r, 1), OK); /* a full disk passes */
    sim_fail(m.os, SIM_FAULT_SYNC, 1, false, IO_ERROR);
    assert_int_equal(manifest_append(m.manifest, &r, 1), IO_ERROR);
    assert_int_equal(manifest_append(m.manifest, &r, 1), IO_ERROR);
    assert_int_equal(manifest_rewrite(m.manifest, &r, 1), IO_ERROR);
    close_all(&m);
    sim_free(m.os);
}

int main(void)
{
    const char *text = getenv("SEED");
    const struct log_options quiet = {.level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    seed_of_run = text ? strtoull(text, NULL, 10) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash_everywhere),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(astray),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
