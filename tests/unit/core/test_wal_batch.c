/* Records of commit_mode batch: they wait for company, and no longer than their window. */
#include "core/wal/wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/log.h"
#include "base/sim.h"

static const uint64_t seed = 1;

enum { FILE_BYTES = 64 << 10, BATCHERS = 8, BATCHES = 20 };

struct company {
    struct wal *wal;
    uint64_t left; /* atomic: writers still at work */
    struct waiter *main;
};

static enum status count_record(void *ctx, lsn_t lsn, uint64_t ts, struct slice p)
{
    (void)lsn, (void)ts, (void)p;
    ++*(uint64_t *)ctx;
    return OK;
}

static void batch_writer(void *arg)
{
    struct company *c = arg;
    for (int i = 0; i < BATCHES; i++) {
        const struct slice p = SLICE("batch");
        uint64_t ts;
        lsn_t end;
        if (wal_append(c->wal, &p, 1, true, &ts, &end) != OK) abort();
        if (wal_wait(c->wal, end, true) != OK) abort();
        if (wal_durable_lsn(c->wal).v < end.v) abort();
    }
    if (__atomic_sub_fetch(&c->left, 1, __ATOMIC_ACQ_REL) == 0) waiter_wake(c->main);
}

/* The window is longer than the test may take: only others end it. */
static void batch_waits_for_company(void **state)
{
    (void)state;
    struct sim_options so = {.seed = seed};
    struct os *os = sim_new(&so);
    struct hlc_clock clock;
    struct wal *w;
    uint64_t count = 0, ts, flushes;
    lsn_t end, last;
    char big[40000] = "x";
    const struct slice small = SLICE("small"), large = slice_make(big, sizeof big);
    hlc_init(&clock, os);
    const struct wal_options o = {.os = os, .dir = "wal", .file_bytes = FILE_BYTES, .clock = &clock,
                                  .staging_bytes_max = 256 << 10, .batch_window_us = 3600000000};
    assert_int_equal(wal_open(&o, &w), OK);
    assert_int_equal(wal_replay(w, (lsn_t){0}, 0, count_record, &count), OK);
    flushes = wal_flush_count(w);
    for (int i = 0; i < 5; i++) assert_int_equal(wal_append(w, &small, 1, true, &ts, &end), OK);
    assert_int_equal(wal_flush_count(w), flushes);
    assert_true(wal_durable_lsn(w).v < end.v);
    /* A commit that will not wait takes them along. */
    assert_int_equal(wal_append(w, &small, 1, false, &ts, &last), OK);
    assert_int_equal(wal_wait(w, last, false), OK);
    assert_int_equal(wal_wait(w, end, true), OK);
    assert_int_equal(wal_flush_count(w), flushes + 1);
    /* Whoever needs what is staged asks for it. */
    assert_int_equal(wal_append(w, &small, 1, true, &ts, &end), OK);
    assert_int_equal(wal_flush(w), OK);
    assert_int_equal(wal_flush_count(w), flushes + 2);
    /* So does a staging buffer that has grown. */
    assert_int_equal(wal_append(w, &large, 1, true, &ts, &end), OK);
    assert_true(wal_durable_lsn(w).v >= end.v);
    wal_close(w);
    sim_free(os);
}

/* With a short window commits end by themselves, many to a flush. */
static void batch_window_passes(void **state)
{
    (void)state;
    struct sim_options so = {.seed = seed};
    struct os *os = sim_new(&so);
    struct hlc_clock clock;
    struct pool *pool;
    struct company c = {.left = BATCHERS, .main = waiter_self()};
    uint64_t count = 0;
    hlc_init(&clock, os);
    const struct wal_options o = {.os = os, .dir = "wal", .file_bytes = FILE_BYTES, .clock = &clock,
                                  .batch_window_us = 5000};
    assert_int_equal(wal_open(&o, &c.wal), OK);
    assert_int_equal(wal_replay(c.wal, (lsn_t){0}, 0, count_record, &count), OK);
    assert_int_equal(pool_start(&(struct pool_options){.name = "b", .threads = BATCHERS,
                                                       .queue_max = BATCHERS}, &pool), OK);
    for (int i = 0; i < BATCHERS; i++) assert_true(pool_submit(pool, batch_writer, &c));
    while (__atomic_load_n(&c.left, __ATOMIC_ACQUIRE)) waiter_park(c.main, 0);
    pool_stop(pool);
    print_message("%d batch commits, %llu flushes\n", BATCHERS * BATCHES,
                  (unsigned long long)wal_flush_count(c.wal));
    wal_close(c.wal);
    assert_int_equal(wal_open(&o, &c.wal), OK);
    assert_int_equal(wal_replay(c.wal, (lsn_t){0}, 0, count_record, &count), OK);
    assert_int_equal(count, BATCHERS * BATCHES);
    wal_abandon(c.wal);
    sim_free(os);
}

int main(void)
{
    const struct log_options quiet = {.level = LOG_FATAL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_waits_for_company),
        cmocka_unit_test(batch_window_passes),
    };
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
