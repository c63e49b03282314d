#include "core/wal/wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"

static uint64_t seed_of_run;

enum { RECORDS_MAX = 4096, FILE_BYTES = 64 << 10, OPS = 24 };

/* What the log must hold: records 0 … known-1 were replayed or acknowledged at some time. */
struct model {
    struct os *os;
    struct hlc_clock clock;
    struct wal *wal;
    struct rng rng;
    uint64_t appended;             /* records */
    uint64_t acked;
    uint64_t lsn[RECORDS_MAX];     /* where record i begins, as replay told it, or 0 */
    uint64_t end[RECORDS_MAX];
    uint64_t ts[RECORDS_MAX];
    uint64_t next;                 /* in replay: the id expected, UINT64_MAX: any */
    uint64_t last_ts;
    uint64_t durable_told;
    uint64_t kept;                 /* records before it may be gone */
    uint32_t kept_session;         /* as the log told it of the end of those */
    uint64_t appends_max;          /* of this life */
};

static size_t size_of_record(uint64_t id)
{
    uint64_t h = (id + 1) * 0x9e3779b97f4a7c15u >> 40;
    if (h % 11 == 0) return 90000 + h % 70000; /* spans files */
    return h % 3 == 0 ? h % 9000 : h % 300;
}

static void fill_record(char *data, uint64_t id, size_t len)
{
    for (size_t i = 0; i < len; i++) data[i] = (char)(id * 31 + i * 7 + (i >> 8));
}

static enum status append(struct model *m, lsn_t *ret_end);

/* The flushing role is taken now: what is appended here goes out together with the next flush. */
static void on_durable(void *ctx, lsn_t lsn, uint64_t ts)
{
    struct model *m = ctx;
    if (lsn.v <= m->durable_told || ts == 0) abort();
    if (wal_durable_lsn(m->wal).v >= lsn.v) abort(); /* told first */
    m->durable_told = lsn.v;
    lsn_t end;
    for (uint64_t n = rng_below(&m->rng, 8); n < 4 && m->appended < m->appends_max; n++)
        if (append(m, &end) != OK) return;
}

static enum status open_wal(struct model *m)
{
    const struct wal_options o = {.os = m->os, .dir = "wal", .file_bytes = FILE_BYTES,
                                  .staging_bytes_max = 1 << 20, .clock = &m->clock,
                                  .on_durable = on_durable, .ctx = m};
    return wal_open(&o, &m->wal);
}

static enum status check_record(void *ctx, lsn_t lsn, uint64_t ts, struct slice p)
{
    struct model *m = ctx;
    uint64_t id;
    assert_true(p.len >= 8);
    memcpy(&id, p.data, 8);
    if (m->next == UINT64_MAX) m->next = id;
    if (m->last_ts == 0) assert_true(id <= m->kept); /* nothing that is needed was recycled */
    assert_int_equal(id, m->next);
    assert_true(id < m->appended);
    assert_int_equal(p.len, 8 + size_of_record(id));
    char *want = malloc(p.len);
    fill_record(want, id, p.len - 8);
    assert_memory_equal(p.data + 8, want, p.len - 8);
    free(want);
    assert_true(ts > m->last_ts);
    if (m->ts[id]) assert_int_equal(ts, m->ts[id]);
    m->lsn[id] = lsn.v;
    m->last_ts = ts;
    m->next++;
    return OK;
}

/* From the oldest, or from a record that must be there. */
static enum status replay(struct model *m)
{
    uint64_t from = 0;
    m->next = m->kept ? UINT64_MAX : 0;
    m->last_ts = 0;
    if (m->kept && m->kept < m->acked && rng_below(&m->rng, 2)) {
        from = m->end[m->kept - 1];
        m->next = m->kept;
    }
    enum status st = wal_replay(m->wal, (lsn_t){from}, from ? m->kept_session : 0, check_record, m);
    if (st != OK) return st;
    if (m->next == UINT64_MAX) m->next = m->kept;
    assert_true(m->next >= m->acked); /* nothing acknowledged is lost */
    m->appended = m->acked = m->next;
    m->durable_told = 0;
    hlc_observe(&m->clock, m->last_ts);
    return OK;
}

static enum status append(struct model *m, lsn_t *ret_end)
{
    uint64_t id = m->appended++;
    size_t len = size_of_record(id);
    m->end[id] = UINT64_MAX;
    char *data = malloc(len + 1);
    fill_record(data, id, len);
    const struct slice parts[] = {slice_make(&id, 8), slice_make(data, len / 2),
                                  slice_make(data + len / 2, len - len / 2)};
    enum status st = wal_append(m->wal, parts, 3, false, &m->ts[id], ret_end);
    if (st == OK) {
        m->end[id] = ret_end->v;
    } else {
        m->ts[id] = 0;
        m->appended--;
    }
    free(data);
    return st;
}

static void note_acked(struct model *m)
{
    while (m->acked < m->appended && m->end[m->acked] <= wal_durable_lsn(m->wal).v) m->acked++;
}

/* Random work until the power goes. False when it has gone. */
static bool work(struct model *m)
{
    m->appends_max = m->appended + 4 * OPS;
    assert_true(m->appends_max + OPS < RECORDS_MAX);
    for (int i = 0; i < OPS; i++) {
        lsn_t end;
        if (append(m, &end) != OK) return false;
        if (rng_below(&m->rng, 3)) {
            if (wal_wait(m->wal, end, rng_below(&m->rng, 2)) != OK) return false;
            note_acked(m);
        }
        if (rng_below(&m->rng, 10) == 0 && m->acked > 4) {
            uint64_t keep = m->acked - rng_below(&m->rng, 4);
            if (keep > m->kept) {
                m->kept = keep;
                m->kept_session = wal_session_at(m->wal, (lsn_t){m->end[keep - 1]});
            }
            if (wal_recycle(m->wal, (lsn_t){m->end[m->kept - 1]}) != OK) return false;
        }
    }
    return true;
}

/* One life of the database; false when the power went. */
static bool life(struct model *m)
{
    bool survived = false;
    if (open_wal(m) != OK) return false;
    if (replay(m) == OK) survived = work(m);
    if (survived) survived = wal_flush(m->wal) == OK;
    if (survived) note_acked(m);
    if (survived) wal_close(m->wal);
    else wal_abandon(m->wal);
    return survived;
}

static void new_model(struct model *m, uint64_t seed)
{
    const struct sim_options o = {.seed = seed, .keep_permille = (unsigned)(seed * 7 % 8) * 100,
                                  .tear_permille = 100, .garbage_permille = 50};
    memset(m, 0, sizeof *m);
    m->os = sim_new(&o);
    hlc_init(&m->clock, m->os);
    rng_seed(&m->rng, seed);
}

static void must_survive(struct model *m)
{
    if (life(m)) return;
    print_error("seed %llu: %s (%s)\n", (unsigned long long)seed_of_run, error_current()->message,
                error_current()->detail);
    fail();
}

/* The power goes at operation n = 1, 2, 3 … of the first life, then at random ones. */
static void crash_everywhere(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof *m);
    bool survived = false;
    for (uint64_t n = 1; !survived; n++) {
        new_model(m, seed_of_run + n);
        sim_power_off_after(m->os, n);
        survived = life(m);
        for (int lives = 0; lives < 4; lives++) {
            sim_restart(m->os);
            if (lives % 2 == 0) {
                sim_power_off_after(m->os, 1 + rng_below(&m->rng, 60));
                life(m);
            } else {
                must_survive(m);
            }
        }
        sim_restart(m->os);
        must_survive(m);
        sim_free(m->os);
    }
    free(m);
    assert_int_equal(mem_bytes(MEM_WAL), 0);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage_is_told(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof *m);
    for (uint64_t i = 0; i < 40; i++) {
        lsn_t end;
        new_model(m, seed_of_run + i);
        assert_int_equal(open_wal(m), OK);
        assert_int_equal(replay(m), OK);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(append(m, &end), OK);
            assert_int_equal(wal_wait(m->wal, end, false), OK);
        }
        wal_close(m->wal);
        /* Within the second record; the third proves that it was whole. */
        uint64_t at = m->end[0] / 4096 * 4096 + 4096 + rng_below(&m->rng, 40);
        const char *path = "wal/0000000000000000.wal";
        assert_int_equal(sim_flip_bit(m->os, path, at, (unsigned)(i % 8)), OK);
        assert_int_equal(open_wal(m), OK);
        assert_int_equal(replay(m), DATA_CORRUPTED);
        assert_non_null(strstr(error_current()->message, "0000000000000000.wal"));
        wal_abandon(m->wal);
        sim_free(m->os);
    }
    free(m);
}

/* --- what a torn flush leaves behind ---------------------------------------------------------- */

struct pair {
    struct wal *wal;
    struct hlc_clock clock;
    bool done;
    uint64_t replayed, ts;
};

/* The flush role is taken now, so both go out as one flush; the second begins on a block. */
static void append_two(void *ctx, lsn_t lsn, uint64_t ts)
{
    struct pair *p = ctx;
    char data[4096 - 40] = "x";
    const struct slice whole_block = slice_make(data, sizeof data), second = SLICE("second");
    lsn_t end;
    (void)lsn, (void)ts;
    if (p->done) return;
    p->done = true;
    assert_int_equal(wal_append(p->wal, &whole_block, 1, false, &p->ts, &end), OK);
    assert_int_equal(end.v % 4096, 0);
    assert_int_equal(wal_append(p->wal, &second, 1, false, &p->ts, &end), OK);
}

static enum status count_pair(void *ctx, lsn_t lsn, uint64_t ts, struct slice payload)
{
    (void)lsn, (void)ts, (void)payload;
    ((struct pair *)ctx)->replayed++;
    return OK;
}

static uint64_t open_pair(struct os *os, struct pair *p)
{
    const struct wal_options o = {.os = os, .dir = "wal", .file_bytes = FILE_BYTES,
                                  .clock = &p->clock, .on_durable = append_two, .ctx = p};
    p->replayed = 0;
    assert_int_equal(wal_open(&o, &p->wal), OK);
    assert_int_equal(wal_replay(p->wal, (lsn_t){0}, 0, count_pair, p), OK);
    return p->replayed;
}

static void leavings_never_count(void **state)
{
    (void)state;
    const struct sim_options o = {.seed = seed_of_run, .keep_permille = 1000};
    struct os *os = sim_new(&o);
    struct pair p = {0};
    const struct slice first = SLICE("first");
    lsn_t end;
    hlc_init(&p.clock, os);
    assert_int_equal(open_pair(os, &p), 0);
    assert_int_equal(wal_append(p.wal, &first, 1, false, &p.ts, &end), OK);
    assert_int_equal(wal_flush(p.wal), OK);
    assert_int_equal(wal_flush_count(p.wal), 3);
    wal_abandon(p.wal);
    /* Of the flush of two, the disk has lost the first block. */
    assert_int_equal(sim_flip_bit(os, "wal/0000000000000000.wal", 2 * 4096 + 5, 1), OK);
    for (int lives = 0; lives < 3; lives++) {
        assert_int_equal(open_pair(os, &p), 1);
        wal_close(p.wal);
    }
    sim_free(os);
}

/* The power goes while the log is opened, and again while it is opened after that: neither session's resume record
 * is whole. */
static void resume_is_torn_twice(void **state)
{
    (void)state;
    const char *path = "wal/0000000000000000.wal";
    const struct sim_options o = {.seed = seed_of_run, .keep_permille = 1000};
    struct os *os = sim_new(&o);
    struct pair p = {.done = true};
    const struct slice first = SLICE("first");
    lsn_t end;
    hlc_init(&p.clock, os);
    assert_int_equal(open_pair(os, &p), 0);
    assert_int_equal(wal_append(p.wal, &first, 1, false, &p.ts, &end), OK);
    assert_int_equal(wal_flush(p.wal), OK);
    wal_abandon(p.wal);
    assert_int_equal(open_pair(os, &p), 1);
    wal_abandon(p.wal);
    assert_int_equal(sim_flip_bit(os, path, 2 * 4096 + 48 + 5, 1), OK); /* the pad behind it */
    assert_int_equal(open_pair(os, &p), 1);
    wal_abandon(p.wal);
    assert_int_equal(sim_flip_bit(os, path, 3 * 4096 + 41, 1), OK); /* what it says */
    for (int lives = 0; lives < 3; lives++) {
        assert_int_equal(open_pair(os, &p), 1);
        wal_close(p.wal);
    }
    sim_free(os);
}

static void missing_file(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof *m);
    new_model(m, seed_of_run);
    must_survive(m);
    must_survive(m);
    must_survive(m);
    assert_int_equal(os_exists(m->os, "wal"), true);
    struct arena a;
    char **names, path[64];
    size_t count;
    arena_init(&a, MEM_TEST);
    assert_int_equal(os_list(m->os, "wal", &a, &names, &count), OK);
    assert_true(count > 2);
    snprintf(path, sizeof path, "wal/%s", names[1]);
    assert_int_equal(os_remove(m->os, path), OK);
    assert_int_equal(open_wal(m), DATA_CORRUPTED);
    assert_int_equal(m->kept > 0, true);
    arena_release(&a);
    sim_free(m->os);
    free(m);
}

static void failure_is_sticky(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof *m);
    lsn_t end, end2;
    new_model(m, seed_of_run);
    assert_int_equal(open_wal(m), OK);
    assert_int_equal(replay(m), OK);
    assert_int_equal(append(m, &end), OK);
    assert_int_equal(wal_wait(m->wal, end, false), OK);
    sim_fail(m->os, SIM_FAULT_SYNC, 1, false, IO_ERROR);
    assert_int_equal(append(m, &end2), OK);
    assert_int_equal(wal_wait(m->wal, end2, false), IO_ERROR);
    assert_true(wal_failed(m->wal));
    assert_int_equal(wal_wait(m->wal, end, false), OK); /* what was acknowledged stays so */
    assert_int_equal(append(m, &end2), IO_ERROR);
    assert_int_equal(wal_flush(m->wal), IO_ERROR);
    wal_close(m->wal);
    sim_free(m->os);
    free(m);
}

static void disk_full_is_not_the_end(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof *m);
    const struct sim_options o = {.seed = seed_of_run, .disk_bytes_max = 5 * FILE_BYTES};
    lsn_t end;
    enum status st;
    new_model(m, seed_of_run);
    sim_free(m->os);
    m->os = sim_new(&o);
    hlc_init(&m->clock, m->os);
    assert_int_equal(open_wal(m), OK);
    assert_int_equal(replay(m), OK);
    while ((st = append(m, &end)) == OK) {
    }
    assert_int_equal(st, DISK_FULL);
    assert_false(wal_failed(m->wal));
    assert_int_equal(wal_flush(m->wal), OK);
    m->kept = m->acked = m->appended;
    assert_int_equal(wal_recycle(m->wal, wal_durable_lsn(m->wal)), OK);
    assert_int_equal(append(m, &end), OK);
    assert_int_equal(wal_wait(m->wal, end, false), OK);
    wal_close(m->wal);
    sim_free(m->os);
    free(m);
}

static void inspect(void **state)
{
    (void)state;
    struct model *m = malloc(sizeof *m);
    struct strbuf out;
    new_model(m, seed_of_run);
    must_survive(m);
    strbuf_init(&out, NULL);
    struct arena a;
    char **names, path[64];
    size_t count;
    arena_init(&a, MEM_TEST);
    assert_int_equal(os_list(m->os, "wal", &a, &names, &count), OK);
    snprintf(path, sizeof path, "wal/%s", names[0]);
    assert_int_equal(wal_inspect(m->os, path, &out), OK);
    assert_non_null(strstr(out.data, "record"));
    assert_int_equal(wal_inspect(m->os, "wal/x", &out), INVALID_PARAMETER_VALUE);
    strbuf_release(&out);
    arena_release(&a);
    sim_free(m->os);
    free(m);
}

/* --- many at once, on the real machine -------------------------------------------------------- */

enum { WRITERS = 16, EACH = 150 };

struct crowd {
    struct wal *wal;
    uint64_t told;       /* atomic */
    uint64_t left;       /* atomic: writers still at work */
    struct waiter *main;
};

static void crowd_durable(void *ctx, lsn_t lsn, uint64_t ts)
{
    struct crowd *c = ctx;
    if (!ts || lsn.v <= c->told) abort();
    __atomic_store_n(&c->told, lsn.v, __ATOMIC_RELEASE);
}

static void writer(void *arg)
{
    struct crowd *c = arg;
    char data[5000] = "x";
    for (int i = 0; i < EACH; i++) {
        uint64_t ts = 0;
        lsn_t end;
        struct slice p = slice_make(data, (size_t)(i * 37 % 5000));
        if (wal_append(c->wal, &p, 1, false, &ts, &end) != OK) abort();
        if (i % 5 == 0) continue;
        if (wal_wait(c->wal, end, false) != OK || !ts) abort();
        if (__atomic_load_n(&c->told, __ATOMIC_ACQUIRE) < end.v) abort();
    }
    if (__atomic_sub_fetch(&c->left, 1, __ATOMIC_ACQ_REL) == 0) waiter_wake(c->main);
}

static enum status count_record(void *ctx, lsn_t lsn, uint64_t ts, struct slice p)
{
    (void)lsn, (void)ts, (void)p;
    ++*(uint64_t *)ctx;
    return OK;
}

static void crowd(void **state)
{
    (void)state;
    char dir[] = "/tmp/helios-wal-XXXXXX", command[64];
    struct hlc_clock clock;
    struct crowd c = {.left = 2 * WRITERS, .main = waiter_self()};
    struct sched *s;
    struct pool *pool;
    uint64_t count = 0;
    assert_non_null(mkdtemp(dir));
    hlc_init(&clock, os_real());
    const struct wal_options o = {.os = os_real(), .dir = dir, .file_bytes = 1 << 20,
                                  .clock = &clock, .on_durable = crowd_durable, .ctx = &c};
    assert_int_equal(wal_open(&o, &c.wal), OK);
    assert_int_equal(wal_replay(c.wal, (lsn_t){0}, 0, count_record, &count), OK);
    assert_int_equal(sched_start(&(struct sched_options){.workers = 2}, &s), OK);
    assert_int_equal(pool_start(&(struct pool_options){.name = "w", .threads = WRITERS,
                                                       .queue_max = WRITERS}, &pool), OK);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(fiber_spawn(s, -1, writer, &c), OK);
        assert_true(pool_submit(pool, writer, &c));
    }
    while (__atomic_load_n(&c.left, __ATOMIC_ACQUIRE)) waiter_park(c.main, 0);
    assert_int_equal(wal_flush(c.wal), OK);
    assert_true(wal_flush_count(c.wal) < 2 * WRITERS * EACH);
    print_message("%d records, %llu flushes\n", 2 * WRITERS * EACH,
                  (unsigned long long)wal_flush_count(c.wal));
    wal_close(c.wal);
    pool_stop(pool);
    sched_stop(s);
    assert_int_equal(wal_open(&o, &c.wal), OK);
    assert_int_equal(wal_replay(c.wal, (lsn_t){0}, 0, count_record, &count), OK);
    assert_int_equal(count, 2 * WRITERS * EACH);
    wal_close(c.wal);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(mem_bytes(MEM_WAL), 0);
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
        cmocka_unit_test(leavings_never_count), cmocka_unit_test(resume_is_torn_twice),
        cmocka_unit_test(missing_file),
        cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(disk_full_is_not_the_end),
        cmocka_unit_test(inspect),
        cmocka_unit_test(crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
