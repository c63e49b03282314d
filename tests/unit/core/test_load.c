/* Bulk loads against a model, on the simulated disk: loads mixed with ordinary writes, savepoints, older
 * snapshots, flushes and merges; power losses at random, and one load cut off at every single write. The
 * extents in use are what the manifest names after each restart. */
#include "core/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"
#include "core/txn.h"
#include "rows.h"

enum { KEYS = 400, LOAD_MAX = 250 };

struct model {
    int value[KEYS]; /* 0: absent */
};

struct trees {
    tree_id table, index;
};

static struct os *machine;

static struct slice key_of(int k, char buf[16])
{
    snprintf(buf, 16, "key%05d", k);
    return slice_of(buf);
}

static struct slice entry_of(int k, char buf[16])
{
    snprintf(buf, 16, "i%05d", k * 7919 % 100003);
    return slice_of(buf);
}

static enum status try_open(struct os *os, struct store **ret)
{
    struct store_options o;
    store_options_init(&o);
    o.os = machine = os;
    o.dir = "data";
    o.memtable_bytes = 24 << 10;
    o.load_bytes = 16 << 10;
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    o.manifest_bytes = 4 << 10;
    o.run_bytes = 256 << 10;
    o.level1_bytes = 256 << 10;
    return store_open(&o, ret);
}

static struct store *open_store(struct os *os)
{
    struct store *s;
    if (try_open(os, &s) != OK) fail_msg("open: %s", error_current()->message);
    return s;
}

static enum status no_problem(void *ctx, const struct verify_finding *f)
{
    (void)ctx;
    if (f->problem) fail_msg("%s (%s): %s", f->object, f->kind, f->problem);
    return OK;
}

static void verify(struct store *s)
{
    struct verify_sink sink = {.found = no_problem};
    assert_int_equal(store_verify(s, &sink), OK);
}

static struct txn *begin(struct store *s, enum isolation isolation)
{
    struct txn_options o = {.isolation = isolation};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    return t;
}

static struct trees make_trees(struct store *s)
{
    struct trees ids;
    struct txn *t = begin(s, READ_COMMITTED);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &ids.table), OK);
    assert_int_equal(store_create_tree(t, &ids.index), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    return ids;
}

/* --- reading ----------------------------------------------------------------------------------- */

/* Whether the transaction sees the model: by point reads, and by scans both ways. */
static bool sees(struct txn *t, struct trees ids, const struct model *m)
{
    bool same = true;
    if (sim_is_off(machine)) return true; /* nothing can be read */
    txn_statement_begin(t);
    for (int k = 0; k < KEYS && same; k++) {
        char kb[16], rb[600];
        struct slice row;
        struct point_get_request q = {ids.table, key_of(k, kb)};
        enum status st = store_point_get(t, &q, &row);
        same = m->value[k] ? st == OK && slice_eq(row, row_of(m->value[k], rb)) : st == NOT_FOUND;
        q = (struct point_get_request){ids.index, entry_of(k, kb)};
        same = same && store_point_get(t, &q, &row) == (m->value[k] ? OK : NOT_FOUND);
    }
    for (int reverse = 0; reverse < 2 && same; reverse++) {
        struct scan_request q = {.tree = ids.table, .reverse = reverse != 0};
        struct cursor *c;
        struct slice keys[9], rows[9];
        uint32_t n;
        int k = reverse ? KEYS : -1, step = reverse ? -1 : 1;
        assert_int_equal(store_scan(t, &q, &c), OK);
        do {
            assert_int_equal(cursor_next(c, keys, rows, 9, &n), OK);
            for (uint32_t i = 0; i < n && same; i++) {
                char kb[16], rb[600];
                do k += step;
                while (k >= 0 && k < KEYS && !m->value[k]);
                same = k >= 0 && k < KEYS && slice_eq(keys[i], key_of(k, kb)) &&
                       slice_eq(rows[i], row_of(m->value[k], rb));
            }
        } while (n > 0 && same);
        cursor_close(c);
        for (k += step; k >= 0 && k < KEYS && same; k += step) same = !m->value[k];
    }
    txn_statement_end(t);
    return same;
}

static bool agrees(struct store *s, struct trees ids, const struct model *m)
{
    struct txn *t = begin(s, READ_COMMITTED);
    bool same = sees(t, ids, m);
    txn_abort(t);
    return same;
}

/* --- writing ----------------------------------------------------------------------------------- */

static enum status write_one(struct txn *t, struct trees ids, struct model *m, struct rng *r,
                             int *next)
{
    char kb[16], eb[16], rb[600];
    int k = (int)rng_below(r, KEYS), v = ++*next;
    struct write_request w = {.tree = ids.table, .key = key_of(k, kb), .row = row_of(v, rb)};
    struct write_request e = {.tree = ids.index, .op = WRITE_PUT, .key = entry_of(k, eb), .row = w.key};
    txn_statement_begin(t);
    enum status st;
    if (!m->value[k]) {
        w.op = WRITE_INSERT;
        st = store_write(t, &w);
        if (st == OK) st = store_write(t, &e);
        if (st == OK) m->value[k] = v;
    } else if (rng_below(r, 3)) {
        w.op = WRITE_DELETE;
        w.row = (struct slice){0};
        st = store_write(t, &w);
        e.op = WRITE_DELETE;
        e.row = (struct slice){0};
        if (st == OK) st = store_write(t, &e);
        if (st == OK) m->value[k] = 0;
    } else {
        w.op = WRITE_UPDATE;
        st = store_write(t, &w);
        if (st == OK) m->value[k] = v;
    }
    txn_statement_end(t);
    return st;
}

/* UNIQUE_VIOLATION when `bad` says so, and then for a row that is one. */
static enum status load_keys(struct txn *t, struct trees ids, const int *keys, int n,
                             struct model *m, int *next)
{
    struct load_tree trees[] = {{ids.table, true}, {ids.index, false}};
    struct load *l;
    struct model after = *m;
    bool bad[LOAD_MAX] = {0}, any = false;
    txn_statement_begin(t);
    enum status st = store_load_begin(t, trees, 2, &l);
    for (int i = 0; i < n && st == OK; i++) {
        char kb[16], eb[16], rb[600];
        int v = ++*next;
        bad[i] = after.value[keys[i]] != 0;
        any |= bad[i];
        after.value[keys[i]] = v;
        st = store_load_add(l, 0, key_of(keys[i], kb), row_of(v, rb), (uint64_t)i);
        if (st == OK)
            st = store_load_add(l, 1, entry_of(keys[i], eb), key_of(keys[i], kb), (uint64_t)i);
    }
    if (st == OK) st = store_load_finish(l);
    if (st == UNIQUE_VIOLATION) {
        const struct load_conflict *c = store_load_conflict(l);
        char kb[16];
        assert_int_equal(c->tree, 0);
        assert_true(c->tag < (uint64_t)n && bad[c->tag]);
        assert_true(slice_eq(c->key, key_of(keys[c->tag], kb)));
        assert_non_null(c->row.data);
    } else if (st == OK) {
        assert_false(any);
        *m = after;
    }
    store_load_free(l);
    txn_statement_end(t);
    return st;
}

static int choose_keys(const struct model *m, struct rng *r, int keys[LOAD_MAX])
{
    bool careless = rng_below(r, 6) == 0, sorted = rng_below(r, 2);
    int n = 0, want = 1 + (int)rng_below(r, LOAD_MAX);
    bool taken[KEYS] = {0};
    for (int i = 0; i < 2 * KEYS && n < want; i++) {
        int k = (int)rng_below(r, KEYS);
        if (!(careless && rng_below(r, 100) == 0) && (m->value[k] || taken[k])) continue;
        taken[k] = true;
        keys[n++] = k;
    }
    for (int i = 1; sorted && i < n; i++)
        for (int j = i; j > 0 && keys[j] < keys[j - 1]; j--) {
            int k = keys[j];
            keys[j] = keys[j - 1];
            keys[j - 1] = k;
        }
    return n;
}

/* One transaction; *m is the model after it. *ret_unsure: the commit failed, so either is right. */
static enum status run_txn(struct store *s, struct trees ids, struct model *m, struct rng *r,
                           int *next, struct model *ret_unsure, bool *ret_is_unsure)
{
    struct txn *t = begin(s, rng_below(r, 2) ? REPEATABLE_READ : READ_COMMITTED);
    struct model after = *m;
    *ret_is_unsure = false;
    for (int i = 1 + (int)rng_below(r, 8); i > 0; i--) {
        txn_mark mark = txn_savepoint(t);
        struct model saved = after;
        int keys[LOAD_MAX];
        enum status st;
        if (rng_below(r, 3) == 0) {
            int n = choose_keys(&after, r, keys);
            st = load_keys(t, ids, keys, n, &after, next);
        } else {
            st = OK;
            for (int k = (int)rng_below(r, 60); k >= 0 && st == OK; k--)
                st = write_one(t, ids, &after, r, next);
        }
        if (st == UNIQUE_VIOLATION || (st == OK && rng_below(r, 6) == 0)) {
            txn_rollback_to(t, mark);
            after = saved;
        } else if (st != OK) {
            txn_abort(t);
            return st;
        }
        if (rng_below(r, 3) == 0 && !sees(t, ids, &after)) fail_msg("own writes are not seen");
    }
    if (rng_below(r, 6) == 0) {
        txn_abort(t);
        return OK;
    }
    enum status st = txn_commit(t, COMMIT_SYNC, NULL);
    if (st == OK) *m = after;
    *ret_unsure = after;
    *ret_is_unsure = st != OK;
    return st;
}

/* --- random ------------------------------------------------------------------------------------ */

struct observer { /* a snapshot that is held for a while, and what it must see */
    struct txn *txn;
    struct model model;
};

static void observe(struct store *s, struct trees ids, const struct model *m, struct rng *r,
                    struct observer *o)
{
    if (!o->txn && rng_below(r, 4) == 0) {
        o->txn = begin(s, REPEATABLE_READ);
        o->model = *m;
        if (!sees(o->txn, ids, &o->model)) fail_msg("a new snapshot does not see what is there");
    } else if (o->txn && rng_below(r, 3) == 0) {
        if (!sees(o->txn, ids, &o->model)) fail_msg("a snapshot has changed");
        txn_abort(o->txn);
        o->txn = NULL;
    }
}

static enum status run_round(struct store *s, struct os *os, struct trees ids, struct model *m,
                             struct rng *r, int *next, struct model *unsure, bool *is_unsure)
{
    struct observer o = {0};
    enum status st = OK;
    for (int i = 0; i < 40 && st == OK; i++) {
        bool worked;
        if (!sim_is_off(os)) observe(s, ids, m, r, &o);
        st = run_txn(s, ids, m, r, next, unsure, is_unsure);
        if (st == OK && rng_below(r, 4) == 0) st = store_maintain(s, &worked);
        if (rng_below(r, 12) == 0) tell_form(s, ids.table, rng_below(r, FORMS));
        if (st == OK && rng_below(r, 30) == 0) st = store_checkpoint(s);
        if (st == OK && rng_below(r, 30) == 0) st = store_compact_tree(s, ids.table);
    }
    if (o.txn) txn_abort(o.txn);
    return st;
}

static void run_seed(uint64_t seed, int rounds, bool crashes)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct os *os = sim_new(&so);
    struct rng r;
    rng_seed(&r, seed);
    struct store *s = open_store(os);
    struct trees ids = make_trees(s);
    struct model m = {0}, unsure;
    int next = 0;
    for (int round = 0; round < rounds; round++) {
        bool is_unsure = false;
        if (crashes) sim_power_off_after(os, 1 + rng_below(&r, 500));
        enum status st = run_round(s, os, ids, &m, &r, &next, &unsure, &is_unsure);
        if (st != OK && !sim_is_off(os))
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, status_name(st),
                     error_current()->message);
        sim_power_off_after(os, 0);
        if (!crashes) {
            verify(s);
            if (rng_below(&r, 2)) store_abandon(s);
            else assert_int_equal(store_close(s), OK);
        } else {
            store_abandon(s);
            sim_restart(os);
            for (int again = 0; again < 3; again++) { /* recovery is cut off, too */
                sim_power_off_after(os, 1 + rng_below(&r, 60));
                if (try_open(os, &s) == OK) store_abandon(s);
                sim_power_off_after(os, 0);
                sim_restart(os);
            }
        }
        s = open_store(os);
        if (is_unsure && !agrees(s, ids, &m)) m = unsure;
        if (!agrees(s, ids, &m)) fail_msg("seed %llu, round %d", (unsigned long long)seed, round);
        verify(s);
    }
    store_abandon(s);
    sim_free(os);
}

static uint64_t first_seed(void)
{
    const char *env = getenv("SEED");
    return env ? strtoull(env, NULL, 10) : 1;
}

static uint64_t seeds(uint64_t n)
{
    const char *env = getenv("SEEDS");
    return env ? strtoull(env, NULL, 10) : n;
}

static void model(void **state)
{
    (void)state;
    print_message("seeds from %llu\n", (unsigned long long)first_seed());
    for (uint64_t seed = first_seed(); seed < first_seed() + seeds(5); seed++)
        run_seed(seed, 4, false);
}

static void power_loss(void **state)
{
    (void)state;
    print_message("seeds from %llu\n", (unsigned long long)first_seed());
    for (uint64_t seed = first_seed(); seed < first_seed() + seeds(14); seed++)
        run_seed(seed, 4, true);
}

/* --- cut off at every write -------------------------------------------------------------------- */

/* A load among ordinary writes, after which the power fails at operation n; false: it did not. */
static bool cut(uint64_t n, uint64_t seed)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct os *os = sim_new(&so);
    struct store *s = open_store(os);
    struct trees ids = make_trees(s);
    struct model m = {0}, after;
    struct rng r;
    int next = 0, keys[LOAD_MAX];
    bool worked;
    rng_seed(&r, seed);
    for (int i = 0; i < LOAD_MAX / 2; i++) keys[i] = i * 3;
    struct txn *t = begin(s, READ_COMMITTED);
    assert_int_equal(load_keys(t, ids, keys, LOAD_MAX / 2, &m, &next), OK);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    after = m;
    sim_power_off_after(os, n);
    t = begin(s, READ_COMMITTED);
    enum status st = OK;
    for (int i = 0; i < 10 && st == OK; i++) st = write_one(t, ids, &after, &r, &next);
    for (int k = 0, i = 0; i < LOAD_MAX / 2; k++)
        if (!after.value[k]) keys[i++] = k;
    if (st == OK) st = load_keys(t, ids, keys, LOAD_MAX / 2, &after, &next);
    if (st == OK) st = txn_commit(t, COMMIT_SYNC, NULL);
    else txn_abort(t);
    bool committed = st == OK;
    if (st == OK) st = store_maintain(s, &worked);
    if (st == OK) st = store_checkpoint(s);
    bool off = sim_is_off(os);
    if (!off) assert_int_equal(st, OK);
    sim_power_off_after(os, 0);
    store_abandon(s);
    sim_restart(os);
    s = open_store(os);
    if (!agrees(s, ids, &after) && (committed || !agrees(s, ids, &m)))
        fail_msg("seed %llu, power off at %llu", (unsigned long long)seed, (unsigned long long)n);
    verify(s);
    store_abandon(s);
    sim_free(os);
    return off;
}

static void every_write(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (cut(n, first_seed() + n)) n++;
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write),
        cmocka_unit_test(model),
        cmocka_unit_test(power_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
