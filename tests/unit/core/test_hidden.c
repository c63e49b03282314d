/* Scans learn which entries of runs are hidden, and pass over them from then on. Against a model: writes and deletions in
 * any state of memtables and runs, snapshots of before and after what was learned, scans forth and back, of ranges, of a
 * transaction's own writes, of the past, and scans that end early. */
#include "core/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/random.h"
#include "base/sim.h"
#include "core/txn.h"

enum { KEYS = 700, STEPS = 600, SNAPSHOTS = 4, SEEDS = 6, GONE = 0 };

/* What a snapshot shows: the number of each key's row; GONE: none. */
struct model {
    uint32_t rows[KEYS];
};

struct snapshot {
    struct txn *txn; /* NULL: none */
    bool past;       /* txn is its holder, `reader` reads */
    struct txn *reader;
    struct model seen;
};

struct world {
    struct rng rng;
    struct os *os;
    struct store *store;
    tree_id tree;
    struct model now;
    struct snapshot snapshots[SNAPSHOTS];
    uint32_t number;
};

static struct slice key_of(uint32_t k, char buf[16])
{
    snprintf(buf, 16, "key%08u", k * 3);
    return slice_of(buf);
}

static struct txn *begin(struct world *w, enum isolation isolation)
{
    struct txn_options o = {.isolation = isolation};
    struct txn *t;
    assert_int_equal(txn_begin(w->store, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static void commit(struct txn *t)
{
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
}

/* --- scans ----------------------------------------------------------------------------------------- */

struct range {
    uint32_t from, to; /* keys within */
    bool bounded, reverse, skip_keys;
    uint32_t stop; /* after so many rows, perhaps in the middle of a batch */
};

static uint32_t next_of(const struct model *m, const struct range *r, uint32_t k)
{
    while (k >= r->from && k < r->to && m->rows[k] == GONE) k += r->reverse ? -1 : 1;
    return k;
}

static void check_scan(struct world *w, struct txn *t, const struct model *m, const struct range *r)
{
    char lower[16], upper[16], kb[16];
    struct scan_request q = {.tree = w->tree, .reverse = r->reverse, .skip_keys = r->skip_keys};
    struct slice keys[90], rows[90];
    struct cursor *c;
    uint32_t n, seen = 0, k = r->reverse ? r->to - 1 : r->from, max = 1 + (uint32_t)rng_below(&w->rng, 90);
    if (r->bounded) {
        q.lower = key_of(r->from, lower);
        q.upper = key_of(r->to, upper);
    }
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, max, &n), OK);
        for (uint32_t i = 0; i < n; i++, k += r->reverse ? -1 : 1) {
            uint32_t number;
            k = next_of(m, r, k);
            assert_true(k >= r->from && k < r->to);
            memcpy(&number, rows[i].data, sizeof number);
            assert_int_equal(number, m->rows[k]);
            if (!r->skip_keys) assert_true(slice_eq(keys[i], key_of(k, kb)));
        }
        seen += n;
    } while (n && seen < r->stop);
    cursor_close(c);
    if (n) return;
    k = next_of(m, r, k);
    assert_true(k < r->from || k >= r->to);
}

static void scan(struct world *w, struct txn *t, const struct model *m)
{
    struct range r = {0, KEYS, .reverse = rng_below(&w->rng, 4) == 0, .skip_keys = rng_below(&w->rng, 2),
                      .stop = UINT32_MAX};
    if (rng_below(&w->rng, 4) == 0) {
        r.bounded = true;
        r.from = 1 + (uint32_t)rng_below(&w->rng, KEYS - 1);
        r.to = r.from + (uint32_t)rng_below(&w->rng, KEYS + 1 - r.from);
    }
    if (rng_below(&w->rng, 5) == 0) r.stop = (uint32_t)rng_below(&w->rng, KEYS);
    check_scan(w, t, m, &r);
}

/* --- writes ---------------------------------------------------------------------------------------- */

static void write_one(struct world *w, struct txn *t, struct model *m, uint32_t k, bool gone)
{
    char kb[16], row[200] = {0};
    m->rows[k] = gone ? GONE : ++w->number;
    memcpy(row, &m->rows[k], sizeof m->rows[k]);
    struct slice s = gone ? (struct slice){0} : slice_make(row, 8 + rng_below(&w->rng, sizeof row - 8));
    struct write_request q = {w->tree, gone ? WRITE_REMOVE : WRITE_PUT, key_of(k, kb), s, false};
    assert_int_equal(store_write(t, &q), OK);
}

/* Some keys here and there, a stretch of them, or all; sometimes looked at within, sometimes undone. */
static void change(struct world *w)
{
    struct model m = w->now;
    struct txn *t = begin(w, READ_COMMITTED);
    uint64_t what = rng_below(&w->rng, 10), gone_of = rng_below(&w->rng, 3) ? 1000000 : 6;
    uint32_t from = (uint32_t)rng_below(&w->rng, KEYS), count = what < 2 ? KEYS : 1 + (uint32_t)rng_below(&w->rng, 90);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = what < 2 ? i : what < 5 ? (from + i) % KEYS : (uint32_t)rng_below(&w->rng, KEYS);
        write_one(w, t, &m, k, rng_below(&w->rng, gone_of) == 0);
    }
    if (rng_below(&w->rng, 3) == 0) {
        txn_statement_end(t);
        txn_statement_begin(t);
        scan(w, t, &m);
    }
    if (rng_below(&w->rng, 6) == 0) {
        txn_statement_end(t);
        txn_abort(t);
        return;
    }
    commit(t);
    w->now = m;
}

/* --- snapshots --------------------------------------------------------------------------------------- */

static void let_go(struct snapshot *s)
{
    if (!s->txn) return;
    if (s->past) txn_end_reader(s->reader);
    commit(s->txn);
    s->txn = NULL;
}

static void take_snapshot(struct world *w, struct snapshot *s)
{
    let_go(s);
    s->txn = begin(w, REPEATABLE_READ);
    s->past = rng_below(&w->rng, 3) == 0;
    s->seen = w->now;
    if (s->past) assert_int_equal(txn_begin_past(s->txn, store_last_commit(w->store), &s->reader), OK);
}

static void maintain(struct world *w)
{
    bool worked = true;
    if (rng_below(&w->rng, 2)) assert_int_equal(store_checkpoint(w->store), OK);
    while (worked && rng_below(&w->rng, 6)) assert_int_equal(store_maintain(w->store, &worked), OK);
    if (rng_below(&w->rng, 10) == 0) assert_int_equal(store_compact_tree(w->store, w->tree), OK);
}

static void step(struct world *w)
{
    uint64_t what = rng_below(&w->rng, 100);
    struct snapshot *s = &w->snapshots[rng_below(&w->rng, SNAPSHOTS)];
    if (what < 35) {
        change(w);
    } else if (what < 65) {
        struct txn *t = begin(w, READ_COMMITTED);
        scan(w, t, &w->now);
        commit(t);
    } else if (what < 85) {
        if (s->txn) scan(w, s->past ? s->reader : s->txn, &s->seen);
    } else if (what < 90) {
        take_snapshot(w, s);
    } else if (what < 93) {
        let_go(s);
    } else {
        maintain(w);
    }
}

static void random_model(uint64_t seed)
{
    struct sim_options so = {.seed = seed};
    struct store_options o;
    struct world *w = calloc(1, sizeof *w);
    rng_seed(&w->rng, seed);
    w->os = sim_new(&so);
    store_options_init(&o);
    o.os = w->os;
    o.dir = "data";
    o.retention_us = 3600ll * 1000000;
    if (seed % 2) o.memtable_bytes = 64 << 10;
    assert_int_equal(store_open(&o, &w->store), OK);
    struct txn *t = begin(w, READ_COMMITTED);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    commit(t);
    for (int i = 0; i < STEPS; i++) step(w);
    for (int i = 0; i < SNAPSHOTS; i++) let_go(&w->snapshots[i]);
    assert_int_equal(store_close(w->store), OK);
    sim_free(w->os);
    free(w);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        random_model(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
