/* Recovery against a model: transactions over several trees, made and dropped on the way, power losses
 * at random moments and during recovery itself, with one thread and with several that apply the log. */
#include "core/store.h"

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
#include "core/txn.h"
#include "rows.h"

static const char *data_dir = "data";

/* The first tree stays. Whoever makes or drops another writes a row there in the same transaction. */
enum { TREES = 6, KEYS = 120, OPS_MAX = 10 };

struct model {
    tree_id tree[TREES]; /* 0: none */
    int value[TREES][KEYS]; /* 0: absent */
    tree_id highest;        /* of all that were made: a number is not given out twice */
};

static enum status try_open(struct os *os, unsigned threads, struct store **ret)
{
    struct store_options o;
    store_options_init(&o);
    o.os = os;
    o.dir = data_dir;
    o.memtable_bytes = 40 << 10; /* flushes come during recovery, too */
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    o.manifest_bytes = 2 << 10;
    o.recovery_threads = threads;
    return store_open(&o, ret);
}

static struct store *must_open(struct os *os, unsigned threads)
{
    struct store *s;
    if (try_open(os, threads, &s) != OK) fail_msg("open: %s", error_current()->message);
    return s;
}

static struct txn *begin(struct store *s)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static enum status count_tree(void *ctx, tree_id tree)
{
    (void)tree;
    ++*(int *)ctx;
    return OK;
}

/* The store holds what the model says, no more and no less. */
static bool agrees(struct store *s, const struct model *m)
{
    int trees = 0;
    assert_int_equal(store_each_tree(s, count_tree, &trees), OK);
    for (int i = 0; i < TREES; i++) trees -= m->tree[i] != 0;
    if (trees) return false;
    struct txn *t = begin(s);
    bool same = true;
    for (int i = 0; i < TREES && same; i++) {
        struct cursor *c;
        struct slice keys[16], rows[16];
        uint32_t got, total = 0, want = 0;
        if (!m->tree[i]) continue;
        for (int k = 0; k < KEYS && same; k++) {
            char kb[16], rb[600];
            struct point_get_request q = {m->tree[i], scattered_key(k, kb)};
            struct slice row;
            enum status st = store_point_get(t, &q, &row);
            int v = m->value[i][k];
            want += v != 0;
            same = v ? st == OK && slice_eq(row, row_of(v, rb)) : st == NOT_FOUND;
        }
        if (!same) break;
        struct scan_request q = {.tree = m->tree[i]};
        assert_int_equal(store_scan(t, &q, &c), OK);
        do {
            assert_int_equal(cursor_next(c, keys, rows, 16, &got), OK);
            total += got;
        } while (got);
        cursor_close(c);
        same = total == want;
    }
    txn_statement_end(t);
    txn_abort(t);
    return same;
}

static enum status note_change(struct txn *t, struct model *m, int i, int v)
{
    char kb[16], rb[600];
    struct write_request w = {.tree = m->tree[0], .key = scattered_key(i, kb), .op = WRITE_PUT,
                              .row = row_of(v, rb)};
    m->value[0][i] = v;
    return store_write(t, &w);
}

/* Makes tree i or drops it. */
static enum status change_tree(struct txn *t, struct model *m, int i, int *next)
{
    if (m->tree[0] && i == 0) return OK;
    memset(m->value[i], 0, sizeof m->value[i]);
    enum status st;
    if (!m->tree[i]) {
        st = store_create_tree(t, &m->tree[i]);
        if (st == OK) assert_true(m->tree[i] > m->highest);
        if (st == OK) m->highest = m->tree[i];
    } else {
        st = store_drop_tree(t, m->tree[i]);
        m->tree[i] = 0;
    }
    return st == OK && m->tree[0] && i ? note_change(t, m, i, ++*next) : st;
}

static enum status write_one(struct txn *t, struct model *m, struct rng *r, int *next)
{
    char kb[16], rb[600];
    int i = (int)rng_below(r, TREES), k = (int)rng_below(r, KEYS);
    if (!m->tree[i]) return OK;
    int v = rng_below(r, 4) ? ++*next : 0;
    struct write_request w = {.tree = m->tree[i], .key = scattered_key(k, kb),
                              .op = v ? WRITE_PUT : WRITE_DELETE};
    if (v) w.row = row_of(v, rb);
    enum status st = store_write(t, &w);
    if (st == NOT_FOUND) return OK;
    if (st == OK) m->value[i][k] = v;
    return st;
}

/* *m is the model after it; when the commit failed either *m or *ret_after is right. */
static enum status run_txn(struct store *s, struct model *m, struct rng *r, int *next,
                           struct model *ret_after)
{
    struct txn *t = begin(s);
    *ret_after = *m;
    enum status st = OK;
    if (rng_below(r, 12) == 0) {
        st = change_tree(t, ret_after, (int)rng_below(r, TREES), next);
    } else {
        for (int n = 1 + (int)rng_below(r, OPS_MAX); n > 0 && st == OK; n--)
            st = write_one(t, ret_after, r, next);
    }
    txn_statement_end(t);
    if (st != OK) {
        txn_abort(t);
        *ret_after = *m;
        return st;
    }
    st = txn_commit(t, COMMIT_SYNC, NULL);
    if (st == OK) *m = *ret_after;
    return st;
}

/* Opens after a crash; the power may go during recovery, some times. */
static struct store *recover(struct os *os, struct rng *r, unsigned threads)
{
    for (int i = 0; i < 3; i++) {
        struct store *s;
        sim_power_off_after(os, 1 + rng_below(r, 40));
        enum status st = try_open(os, threads, &s);
        if (st == OK && !sim_is_off(os)) {
            sim_power_off_after(os, 0);
            return s;
        }
        if (!sim_is_off(os)) fail_msg("open: %s", error_current()->message);
        if (st == OK) store_abandon(s);
        sim_restart(os);
    }
    sim_power_off_after(os, 0);
    return must_open(os, threads);
}

static void run_seed(uint64_t seed, unsigned threads)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct os *os = sim_new(&so);
    struct rng r;
    struct model m = {0}, after = {0};
    int next = 0;
    rng_seed(&r, seed);
    struct store *s = must_open(os, threads);
    for (int round = 0; round < 4; round++) {
        sim_power_off_after(os, 1 + rng_below(&r, 500));
        enum status st = OK;
        for (int i = 0; i < 150 && st == OK; i++) {
            bool worked;
            st = run_txn(s, &m, &r, &next, &after);
            if (st == OK && rng_below(&r, 40) == 0) st = store_maintain(s, &worked);
            if (st == OK && rng_below(&r, 60) == 0) st = store_checkpoint(s);
        }
        if (st != OK && !sim_is_off(os))
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, status_name(st),
                     error_current()->message);
        store_abandon(s);
        sim_restart(os);
        s = recover(os, &r, threads);
        if (!agrees(s, &m)) {
            m = after;
            if (!agrees(s, &m)) fail_msg("seed %llu: rows differ", (unsigned long long)seed);
        }
        /* Once more, all over: what is applied twice is the same. */
        store_abandon(s);
        s = must_open(os, 1 + (threads + 1) % 4);
        if (!agrees(s, &m)) fail_msg("seed %llu: rows differ", (unsigned long long)seed);
    }
    store_abandon(s);
    sim_free(os);
}

static uint64_t first_seed(void)
{
    const char *env = getenv("SEED");
    return env ? strtoull(env, NULL, 10) : 1;
}

static void power_loss(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++)
        for (uint64_t seed = first_seed(); seed < first_seed() + 12; seed++) {
            print_message("seed %llu, %u threads\n", (unsigned long long)seed, threads);
            run_seed(seed, threads);
        }
    assert_int_equal(mem_bytes(MEM_TXN), 0);
}

/* --- where replay begins ----------------------------------------------------------------------- */

static void put(struct store *s, tree_id tree, int k)
{
    char kb[16], rb[600];
    struct txn *t = begin(s);
    struct write_request w = {.tree = tree, .key = scattered_key(k, kb), .op = WRITE_PUT,
                              .row = row_of(k + 1, rb)};
    assert_int_equal(store_write(t, &w), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
}

/* Some rows that lie in a run, then some that only the log holds. *ret_needed: where those begin. */
static struct os *half_flushed(uint64_t seed, tree_id *ret_tree, uint64_t *ret_needed)
{
    struct sim_options so = {.seed = seed};
    struct store_status status;
    struct os *os = sim_new(&so);
    struct store *s = must_open(os, 1);
    struct txn *t = begin(s);
    assert_int_equal(store_create_tree(t, ret_tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    for (int k = 0; k < 3; k++) put(s, *ret_tree, k);
    assert_int_equal(store_checkpoint(s), OK);
    store_get_status(s, &status);
    *ret_needed = status.durable_lsn;
    for (int k = 3; k < 6; k++) put(s, *ret_tree, k);
    store_abandon(s);
    return os;
}

static const char first_file[] = "data/wal/0000000000000000.wal";

static void damage_where_it_begins(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 40; byte++)
        for (unsigned threads = 1; threads <= 2; threads++) {
            tree_id tree;
            uint64_t needed;
            char offset[32];
            struct store *s;
            struct os *os = half_flushed(byte, &tree, &needed);
            assert_int_equal(sim_flip_bit(os, first_file, needed + byte, byte % 8), OK);
            assert_int_equal(try_open(os, threads, &s), DATA_CORRUPTED);
            assert_non_null(strstr(error_current()->message, first_file));
            snprintf(offset, sizeof offset, "offset %llu", (unsigned long long)needed);
            assert_non_null(strstr(error_current()->message, offset));
            sim_free(os);
        }
}

static void damage_before_it(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        tree_id tree;
        uint64_t needed;
        struct rng r;
        rng_seed(&r, first_seed() + i);
        struct os *os = half_flushed(i, &tree, &needed);
        for (int n = 0; n < 20; n++) /* headers among them */
            assert_int_equal(sim_flip_bit(os, first_file, rng_below(&r, needed), n % 8), OK);
        for (uint64_t block = 0; block < needed; block += 4096)
            assert_int_equal(sim_flip_bit(os, first_file, block + 1, 0), OK);
        struct store *s = must_open(os, 1);
        struct model m = {.tree = {tree}};
        for (int k = 0; k < 6; k++) m.value[0][k] = k + 1;
        assert_true(agrees(s, &m));
        /* The log is taken up again, and recovery after that finds its way. */
        put(s, tree, 6);
        m.value[0][6] = 7;
        store_abandon(s);
        s = must_open(os, 1);
        assert_true(agrees(s, &m));
        store_abandon(s);
        sim_free(os);
    }
}

/* A log that ends before the place that the manifest names has been tampered with. */
static void log_gone(void **state)
{
    (void)state;
    tree_id tree;
    uint64_t needed;
    struct store *s;
    struct os *os = half_flushed(first_seed(), &tree, &needed);
    assert_int_equal(os_remove(os, first_file), OK);
    assert_int_equal(try_open(os, 1, &s), DATA_CORRUPTED);
    assert_non_null(strstr(error_current()->message, "does not reach back"));
    sim_free(os);
}

/* On the real machine: one thread a core, and the log is read ahead. */
static void real_machine(void **state)
{
    (void)state;
    char dir[] = "/tmp/helios-recovery-XXXXXX", command[64];
    struct model m = {0}, after = {0};
    struct rng r;
    int next = 0;
    rng_seed(&r, first_seed());
    assert_non_null(mkdtemp(dir));
    data_dir = dir;
    struct store *s = must_open(os_real(), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 60; i++)
            assert_int_equal(run_txn(s, &m, &r, &next, &after), OK);
        store_abandon(s);
        s = must_open(os_real(), 0);
        assert_true(agrees(s, &m));
    }
    store_abandon(s);
    data_dir = "data";
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct log_options quiet = {.level = LOG_FATAL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_loss),
        cmocka_unit_test(damage_where_it_begins),
        cmocka_unit_test(damage_before_it),
        cmocka_unit_test(log_gone),
        cmocka_unit_test(real_machine),
    };
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
