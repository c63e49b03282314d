#include "base/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"

static uint64_t seed_of_run;

static struct os *new_disk(uint64_t seed, unsigned keep, unsigned tear, unsigned garbage)
{
    struct sim_options opts = {.seed = seed, .keep_permille = keep, .tear_permille = tear,
                               .garbage_permille = garbage};
    return sim_new(&opts);
}

/* --- the model: what must be there after a loss ------------------------------------------------ */

enum { FILES = 5, FILE_BYTES = 6000, STEPS = 60 };

/* For each byte: its synced value, and every value that was written over it since. */
struct model_file {
    bool named;                  /* the name is durable */
    uint64_t synced_bytes;
    unsigned char synced[FILE_BYTES];
    unsigned char now[FILE_BYTES];
    uint64_t now_bytes;
    bool open;                   /* exists now */
    bool dirty[FILE_BYTES];      /* written since the last sync */
    bool resized;                /* since the last sync */
};

struct model {
    struct model_file files[FILES];
};

static const char *name_of(int i)
{
    static const char *const names[] = {"db/a", "db/b", "db/c", "db/d", "db/e"};
    return names[i];
}

static void note_write(struct model_file *m, uint64_t at, const unsigned char *data, size_t len)
{
    memcpy(m->now + at, data, len);
    memset(m->dirty + at, 1, len);
    if (at + len > m->now_bytes) m->now_bytes = at + len;
}

static void note_sync(struct model_file *m)
{
    memcpy(m->synced, m->now, FILE_BYTES);
    memset(m->dirty, 0, sizeof m->dirty);
    m->synced_bytes = m->now_bytes;
    m->resized = false;
}

/* One random operation on both; stops being sure of anything once the power has gone. */
static bool step(struct os *os, struct model *model, struct rng *rng)
{
    int i = (int)rng_below(rng, FILES);
    struct model_file *m = &model->files[i];
    struct file *f;
    unsigned char data[2000];
    if (os_open(os, name_of(i), OPEN_CREATE, &f) != OK) return false;
    m->open = true;
    uint64_t at = rng_below(rng, FILE_BYTES - sizeof data), len = 1 + rng_below(rng, sizeof data);
    for (size_t k = 0; k < len; k++) data[k] = (unsigned char)rng_u64(rng);
    enum status st = OK;
    switch (rng_below(rng, 8)) {
    case 0:
    case 1:
    case 2:
    case 3:
        note_write(m, at, data, len); /* a failed write may have happened */
        st = file_write(f, data, len, at);
        break;
    case 4:
    case 5:
        st = file_sync(f);
        if (st == OK) note_sync(m);
        break;
    case 6:
        st = os_sync_dir(os, "db");
        for (int k = 0; st == OK && k < FILES; k++) model->files[k].named |= model->files[k].open;
        break;
    case 7:
        m->resized = true;
        if (at < m->now_bytes) memset(m->now + at, 0, m->now_bytes - at);
        m->now_bytes = at;
        st = file_truncate(f, at);
        break;
    }
    if (st == OK) {
        uint64_t bytes;
        unsigned char back[FILE_BYTES];
        if (file_size(f, &bytes) != OK || bytes != m->now_bytes) abort();
        if (file_read(f, back, bytes, 0) != OK || memcmp(back, m->now, bytes) != 0) abort();
    }
    file_close(f);
    return st == OK;
}

/* Bytes synced and not touched since are there; names synced are there. */
static void check_survivors(struct os *os, struct model *model)
{
    for (int i = 0; i < FILES; i++) {
        struct model_file *m = &model->files[i];
        struct file *f;
        unsigned char back[FILE_BYTES];
        uint64_t bytes;
        if (!os_exists(os, name_of(i))) {
            assert_false(m->named);
            memset(m, 0, sizeof *m);
            continue;
        }
        assert_int_equal(os_open(os, name_of(i), 0, &f), OK);
        assert_int_equal(file_size(f, &bytes), OK);
        assert_true(bytes <= FILE_BYTES);
        if (!m->resized) assert_true(bytes >= m->synced_bytes);
        assert_int_equal(file_read(f, back, bytes, 0), OK);
        for (uint64_t k = 0; k < bytes && k < m->synced_bytes && !m->resized; k++)
            if (!m->dirty[k]) assert_int_equal(back[k], m->synced[k]);
        file_close(f);
        /* What survived is stable now, and so is the name. */
        memset(m, 0, sizeof *m);
        m->named = m->open = true;
        memcpy(m->now, back, bytes);
        m->now_bytes = bytes;
        note_sync(m);
    }
}

static uint64_t fingerprint(struct os *os)
{
    uint64_t h = 0;
    for (int i = 0; i < FILES; i++) {
        struct file *f;
        uint64_t bytes;
        unsigned char back[FILE_BYTES];
        if (os_open(os, name_of(i), 0, &f) != OK) continue;
        assert_int_equal(file_size(f, &bytes), OK);
        assert_int_equal(file_read(f, back, bytes, 0), OK);
        h = hash_combine(h, hash_bytes_seeded(back, bytes, (uint64_t)i));
        file_close(f);
    }
    return h;
}

static uint64_t run_losses(uint64_t seed)
{
    struct os *os = new_disk(seed, 400, 150, 50);
    struct model *model = mem_alloc(MEM_TEST, sizeof *model);
    struct rng rng;
    uint64_t h = 0;
    rng_seed(&rng, seed);
    assert_int_equal(os_mkdir(os, "db"), OK);
    assert_int_equal(os_sync_dir(os, "."), OK);
    for (int life = 0; life < 6; life++) {
        sim_power_off_after(os, 1 + rng_below(&rng, STEPS));
        for (int i = 0; i < STEPS && step(os, model, &rng); i++) {
        }
        sim_restart(os);
        check_survivors(os, model);
        h = hash_combine(h, fingerprint(os));
    }
    mem_free(MEM_TEST, model);
    sim_free(os);
    return h;
}

static void synced_data_survives(void **state)
{
    (void)state;
    uint64_t different = 0;
    for (uint64_t i = 0; i < 150; i++) {
        uint64_t h = run_losses(seed_of_run + i);
        assert_int_equal(h, run_losses(seed_of_run + i)); /* the same seed, the same bytes */
        different += h != run_losses(seed_of_run + i + 1000000);
    }
    assert_true(different > 140);
    assert_int_equal(mem_bytes(MEM_TEST), 0);
}

/* --- each kind of loss shows ------------------------------------------------------------------- */

enum { SECTORS = 400 };

/* How many sectors are old (0), new (1), torn or garbage (2) after a loss. */
static void count_fates(unsigned keep, unsigned tear, unsigned garbage, int counts[3])
{
    struct os *os = new_disk(seed_of_run, keep, tear, garbage);
    struct file *f;
    char old[512], new[512], back[512];
    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    memset(counts, 0, 3 * sizeof *counts);
    assert_int_equal(os_open(os, "f", OPEN_CREATE, &f), OK);
    for (int i = 0; i < SECTORS; i++) assert_int_equal(file_write(f, old, 512, (uint64_t)i * 512), OK);
    assert_int_equal(file_sync(f), OK);
    assert_int_equal(os_sync_dir(os, "."), OK);
    for (int i = 0; i < SECTORS; i++) assert_int_equal(file_write(f, new, 512, (uint64_t)i * 512), OK);
    sim_restart(os);
    assert_int_equal(file_read(f, back, 512, 0), IO_ERROR); /* handles of the last life are dead */
    file_close(f);
    assert_int_equal(os_open(os, "f", 0, &f), OK);
    for (int i = 0; i < SECTORS; i++) {
        assert_int_equal(file_read(f, back, 512, (uint64_t)i * 512), OK);
        counts[memcmp(back, old, 512) == 0 ? 0 : memcmp(back, new, 512) == 0 ? 1 : 2]++;
    }
    file_close(f);
    sim_free(os);
}

static void fates(void **state)
{
    (void)state;
    int n[3];
    count_fates(0, 0, 0, n);
    assert_int_equal(n[0], SECTORS);
    count_fates(1000, 0, 0, n);
    assert_int_equal(n[1], SECTORS);
    count_fates(0, 0, 1000, n);
    assert_int_equal(n[2], SECTORS);
    count_fates(400, 200, 100, n);
    assert_true(n[0] > SECTORS / 6 && n[1] > SECTORS / 4 && n[2] > SECTORS / 6);
}

static void names_may_vanish(void **state)
{
    (void)state;
    int kept_new = 0, kept_old = 0, without = 0;
    for (uint64_t i = 0; i < 60; i++) {
        struct os *os = new_disk(seed_of_run + i, 500, 0, 0);
        struct file *f;
        assert_int_equal(os_open(os, "old", OPEN_CREATE, &f), OK);
        file_close(f);
        assert_int_equal(os_sync_dir(os, "."), OK);
        assert_int_equal(os_rename(os, "old", "new"), OK);
        assert_int_equal(os_open(os, "other", OPEN_CREATE, &f), OK);
        file_close(f);
        sim_restart(os);
        assert_true(os_exists(os, "old") != os_exists(os, "new")); /* never both, never none */
        kept_old += os_exists(os, "old");
        kept_new += os_exists(os, "new");
        without += !os_exists(os, "other");
        assert_false(os_exists(os, "other") && os_exists(os, "old")); /* in order */
        sim_free(os);
    }
    assert_true(kept_old > 5 && kept_new > 5 && without > 5 && without < 55);
}

static void orphans(void **state)
{
    (void)state;
    struct os *os = new_disk(seed_of_run, 0, 0, 0);
    struct file *f;
    assert_int_equal(os_mkdir(os, "d"), OK);
    assert_int_equal(os_open(os, "d/f", OPEN_CREATE, &f), OK);
    assert_int_equal(os_sync_dir(os, "d"), OK);
    assert_int_equal(file_sync(f), OK);
    file_close(f);
    sim_restart(os); /* "d" itself was never synced */
    assert_false(os_exists(os, "d/f"));
    assert_int_equal(os_open(os, "d/f", OPEN_CREATE, &f), UNDEFINED_FILE);
    sim_free(os);
}

/* --- power, faults, space, the rest ------------------------------------------------------------ */

static void power(void **state)
{
    (void)state;
    struct os *os = new_disk(seed_of_run, 500, 0, 0);
    struct file *f;
    struct os_lock *lock, *again;
    assert_int_equal(os_lock(os, "lock", &lock), OK);
    assert_int_equal(os_lock(os, "lock", &again), LOCK_FILE_EXISTS);
    assert_int_equal(os_open(os, "f", OPEN_CREATE, &f), OK);
    uint64_t before = sim_operations(os);
    sim_power_off_after(os, 3);
    assert_int_equal(file_write(f, "1", 1, 0), OK);
    assert_int_equal(file_sync(f), OK);
    assert_false(sim_is_off(os));
    assert_int_equal(file_write(f, "2", 1, 0), IO_ERROR);
    assert_true(sim_is_off(os));
    assert_int_equal(file_sync(f), IO_ERROR);
    assert_false(os_exists(os, "f"));
    assert_int_equal(sim_operations(os), before + 3);
    sim_restart(os);
    assert_int_equal(os_lock(os, "lock", &again), OK);
    os_unlock(os, lock);
    assert_int_equal(os_lock(os, "lock", &lock), LOCK_FILE_EXISTS);
    os_unlock(os, again);
    file_close(f);
    sim_free(os);
}

static void record_done(struct io_request *r)
{
    *(bool *)r->ctx = true;
}

static void faults(void **state)
{
    (void)state;
    struct sim_options opts = {.seed = seed_of_run, .disk_bytes_max = 10000, .keep_permille = 1000};
    struct os *os = sim_new(&opts);
    struct file *f;
    char data[8000] = "abc", byte;
    bool done = false;
    assert_int_equal(os_open(os, "./x//f", OPEN_CREATE, &f), UNDEFINED_FILE);
    assert_int_equal(os_mkdir(os, "x/"), OK);
    assert_int_equal(os_open(os, "./x//f", OPEN_CREATE, &f), OK);
    assert_int_equal(file_write(f, data, 8000, 0), OK);
    assert_int_equal(file_write(f, data, 8000, 4000), DISK_FULL);
    assert_int_equal(file_allocate(f, 0, 10001), DISK_FULL);
    assert_int_equal(file_truncate(f, 100), OK);
    assert_int_equal(file_write(f, data, 8000, 2000), OK);
    sim_fail(os, SIM_FAULT_WRITE, 2, false, DISK_FULL);
    assert_int_equal(file_write(f, data, 1, 0), OK);
    assert_int_equal(file_write(f, data, 1, 0), DISK_FULL);
    assert_int_equal(file_write(f, data, 1, 0), OK);
    sim_fail(os, SIM_FAULT_SYNC, 1, true, IO_ERROR);
    assert_int_equal(file_sync(f), IO_ERROR);
    assert_int_equal(file_sync(f), IO_ERROR);
    sim_fail(os, SIM_FAULT_SYNC, 0, false, OK);
    struct io_request r = {.op = IO_WRITE_SYNC, .data = data, .len = 3, .done = record_done,
                           .ctx = &done};
    file_submit(f, &r);
    assert_true(done);
    assert_int_equal(r.result, OK);
    assert_int_equal(sim_flip_bit(os, "x/f", 1, 0), OK);
    assert_int_equal(file_read(f, &byte, 1, 1), OK);
    assert_int_equal(byte, 'b' ^ 1);
    assert_int_equal(sim_flip_bit(os, "x/f", 1 << 20, 0), IO_ERROR);
    file_close(f);
    sim_restart(os);
    assert_int_equal(os_open(os, "x/f", OPEN_READ_ONLY, &f), OK);
    assert_int_equal(file_read(f, &byte, 1, 1), OK);
    assert_int_equal(byte, 'b' ^ 1); /* rot outlives a restart */
    assert_int_equal(file_write(f, data, 1, 0), IO_ERROR);
    file_close(f);
    assert_int_equal(os_remove(os, "x"), IO_ERROR);
    assert_int_equal(os_rename(os, "x/f", "g"), OK);
    assert_int_equal(os_remove(os, "x"), OK);
    int64_t wall = os_wall_us(os), mono = os_monotonic_us(os);
    assert_int_equal(os_wall_us(os), wall);
    sim_advance_us(os, 77);
    assert_int_equal(os_wall_us(os), wall + 77);
    assert_int_equal(os_monotonic_us(os), mono + 77);
    assert_int_equal(os_open(os, "g", OPEN_DIRECT, &f), OK);
    assert_int_equal(file_read(f, data, 3, 0), IO_ERROR); /* unaligned */
    file_close(f);
    sim_free(os);
}

static void listing(void **state)
{
    (void)state;
    struct os *os = new_disk(1, 0, 0, 0);
    struct arena a;
    struct file *f;
    char **names;
    size_t n;
    arena_init(&a, MEM_BASE);
    assert_int_equal(os_mkdir(os, "/data"), OK);
    assert_int_equal(os_mkdir(os, "/data/sub"), OK);
    for (int i = 9; i >= 0; i--) {
        char *path = arena_printf(&a, "/data/%d", i);
        assert_int_equal(os_open(os, path, OPEN_CREATE, &f), OK);
        file_close(f);
    }
    assert_int_equal(os_list(os, "/data/", &a, &names, &n), OK);
    assert_int_equal(n, 11);
    assert_string_equal(names[0], "0");
    assert_string_equal(names[10], "sub");
    assert_int_equal(os_list(os, "/", &a, &names, &n), OK);
    assert_int_equal(n, 1);
    assert_int_equal(os_rename(os, "/data", "/moved"), OK);
    assert_true(os_exists(os, "/moved/7"));
    assert_false(os_exists(os, "/data/7"));
    arena_release(&a);
    sim_free(os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_data_survives), cmocka_unit_test(fates),
        cmocka_unit_test(names_may_vanish),     cmocka_unit_test(orphans),
        cmocka_unit_test(power),                cmocka_unit_test(faults),
        cmocka_unit_test(listing),
    };
    const char *seed = getenv("SEED");
    seed_of_run = seed ? strtoull(seed, NULL, 10) : 20260101;
    printf("SEED=%llu\n", (unsigned long long)seed_of_run);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
