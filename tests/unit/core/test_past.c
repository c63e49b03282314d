/* Reads of the past against an oracle that remembers the state after each commit: random transactions and
 * loads on the simulated disk, with flushes, merges, restarts and power losses between them, and readers
 * that stand while all that goes on. Beyond the retention a read fails, and never gives a wrong answer. */
#include "core/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hlc.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"
#include "core/txn.h"
#include "rows.h"

enum { KEYS = 90, STATES_MAX = 3000, STANDING = 3, MINUTE_US = 60000000 };

struct state {
    uint64_t ts;
    int value[KEYS]; /* 0: absent */
};

struct standing { /* a reader of the past that stays open */
    struct txn *owner, *past;
    uint64_t ts;
};

struct world {
    struct os *os;
    struct store *s;
    tree_id tree;
    struct rng r;
    struct state *states;
    int count;
    int next; /* value */
    int64_t retention_us;
    struct standing standing[STANDING];
    int refused, read;
};

static void open_store(struct world *w)
{
    struct store_options o;
    store_options_init(&o);
    o.os = w->os;
    o.dir = "data";
    o.memtable_bytes = 24 << 10;
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    o.manifest_bytes = 2 << 10;
    o.level1_bytes = 128 << 10;
    o.run_bytes = 64 << 10;
    o.retention_us = w->retention_us;
    if (store_open(&o, &w->s) != OK) fail_msg("open: %s", error_current()->message);
    if (w->tree) tell_form(w->s, w->tree, rng_below(&w->r, FORMS));
}

static struct txn *begin(struct world *w)
{
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    assert_int_equal(txn_begin(w->s, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static void end_reading(struct txn *t)
{
    txn_statement_end(t);
    txn_abort(t);
}

/* --- reading ----------------------------------------------------------------------------------- */

static const struct state *state_at(const struct world *w, uint64_t ts)
{
    int lo = 0, hi = w->count;
    while (lo < hi) { /* the last one at or before */
        int mid = (lo + hi) / 2;
        if (w->states[mid].ts <= ts) lo = mid + 1;
        else hi = mid;
    }
    return lo ? &w->states[lo - 1] : NULL;
}

static int compare_keys(const void *a, const void *b)
{
    char x[16], y[16];
    return slice_cmp(scattered_key(*(const int *)a, x), scattered_key(*(const int *)b, y));
}

static void check_scan(struct txn *t, tree_id tree, const struct state *m, bool reverse, int from,
                       int to)
{
    int order[KEYS], want[KEYS], n = 0, at = 0;
    for (int k = 0; k < KEYS; k++) order[k] = k;
    qsort(order, KEYS, sizeof *order, compare_keys);
    for (int i = from; i < to; i++)
        if (m->value[order[i]]) want[n++] = order[i];
    char lb[16], ub[16], kb[16], rb[600];
    struct scan_request q = {.tree = tree, .reverse = reverse};
    if (from > 0) q.lower = scattered_key(order[from], lb);
    if (to < KEYS) q.upper = scattered_key(order[to], ub);
    struct cursor *c;
    struct slice keys[7], rows[7];
    uint32_t got;
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 7, &got), OK);
        for (uint32_t i = 0; i < got; i++, at++) {
            assert_true(at < n);
            int k = want[reverse ? n - 1 - at : at];
            assert_true(slice_eq(keys[i], scattered_key(k, kb)));
            assert_true(slice_eq(rows[i], row_of(m->value[k], rb)));
        }
    } while (got > 0);
    assert_int_equal(at, n);
    cursor_close(c);
}

static void check_points(struct txn *t, tree_id tree, const struct state *m, uint64_t ts)
{
    char kb[16], rb[600];
    for (int k = 0; k < KEYS; k++) {
        struct point_get_request q = {tree, scattered_key(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        bool same = m->value[k] ? st == OK && slice_eq(row, row_of(m->value[k], rb))
                                : st == NOT_FOUND;
        if (!same)
            fail_msg("key %d as of %llu: %s, want row %d, got %.*s", k, (unsigned long long)ts,
                     status_name(st), m->value[k], st == OK ? 9 : 0, st == OK ? row.data : "");
    }
}

static void check_state(struct world *w, struct txn *t, const struct state *m, uint64_t ts)
{
    int a = (int)rng_below(&w->r, KEYS), b = (int)rng_below(&w->r, KEYS + 1);
    check_points(t, w->tree, m, ts);
    check_scan(t, w->tree, m, false, 0, KEYS);
    check_scan(t, w->tree, m, true, 0, KEYS);
    if (a >= b) return;
    check_scan(t, w->tree, m, false, a, b);
    check_scan(t, w->tree, m, true, a, b);
}

static uint64_t random_instant(struct world *w)
{
    int i = (int)rng_below(&w->r, (uint64_t)w->count);
    uint64_t ts = w->states[i].ts;
    switch (rng_below(&w->r, 3)) {
    case 0: return ts;
    case 1: return ts + rng_below(&w->r, 1 << 14);
    default: return i + 1 < w->count ? ts + rng_below(&w->r, w->states[i + 1].ts - ts) : ts;
    }
}

/* What the span (from, to] shows of a key: what was there, then each change. */
static void check_versions_of(struct world *w, int k, uint64_t from, uint64_t to,
                              struct versions *v, struct past_version *list, uint32_t *at,
                              uint32_t *count)
{
    char rb[600];
    for (int i = 0; i < w->count && w->states[i].ts <= to; i++) {
        int value = w->states[i].value[k], before = i ? w->states[i - 1].value[k] : 0;
        if (value == before) continue;
        uint64_t began = w->states[i].ts, end = 0;
        for (int j = i + 1; j < w->count && w->states[j].ts <= to && !end; j++)
            if (w->states[j].value[k] != value) end = w->states[j].ts;
        if (value ? end && end <= from : began <= from) continue;
        if (*at == *count) {
            assert_int_equal(versions_next(v, list, 5, count), OK);
            *at = 0;
        }
        assert_true(*at < *count);
        const struct past_version *p = &list[(*at)++];
        char want = !value ? 'D' : began <= from ? 0 : before ? 'U' : 'I';
        if (p->operation != want || p->from != began || p->to != (value ? end : 0))
            fail_msg("key %d: %c from %llu to %llu, want %c from %llu to %llu", k, p->operation,
                     (unsigned long long)p->from, (unsigned long long)p->to, want,
                     (unsigned long long)began, (unsigned long long)end);
        assert_true(slice_eq(p->row, row_of(value ? value : before, rb)));
    }
}

static void check_versions(struct world *w, struct txn *past, uint64_t from)
{
    int order[KEYS];
    struct versions *v;
    struct past_version list[5];
    uint64_t to = random_instant(w) & ~1ull, last = w->states[w->count - 1].ts;
    uint32_t at = 0, count = 0;
    from &= ~1ull;
    if (to < from) to = last;
    if (to > last) to = last;
    for (int k = 0; k < KEYS; k++) order[k] = k;
    qsort(order, KEYS, sizeof *order, compare_keys);
    assert_int_equal(store_versions(past, w->tree, to, &v), OK);
    for (int k = 0; k < KEYS; k++) check_versions_of(w, order[k], from, to, v, list, &at, &count);
    if (at == count) assert_int_equal(versions_next(v, list, 5, &count), OK);
    else fail_msg("more versions than there were");
    assert_int_equal(count, 0);
    versions_close(v);
}

/* The same horizon as the store's, from outside. */
static bool must_be_refused(const struct world *w, uint64_t ts, int64_t wall_us)
{
    return ts < hlc_from_wall_us(wall_us > w->retention_us ? wall_us - w->retention_us : 0);
}

static void read_past(struct world *w)
{
    uint64_t ts = random_instant(w);
    int64_t wall = os_wall_us(w->os);
    const struct state *m = state_at(w, ts);
    struct txn *t = begin(w), *past;
    if (hlc_wall_us(ts) > wall && ts > store_last_commit(w->s)) {
        assert_int_equal(txn_begin_past(t, ts, &past), INVALID_PARAMETER_VALUE);
        end_reading(t);
        return;
    }
    assert_int_equal(txn_begin_past(t, ts, &past), OK);
    char kb[16];
    struct point_get_request q = {w->tree, scattered_key(0, kb)};
    struct slice row;
    enum status st = store_point_get(past, &q, &row);
    if (must_be_refused(w, ts, wall)) assert_int_equal(st, SNAPSHOT_TOO_OLD);
    if (st == SNAPSHOT_TOO_OLD) {
        w->refused++;
        assert_non_null(strstr(error_current()->message, "history is kept from"));
    } else {
        check_state(w, past, m, ts);
        if (ts <= w->states[w->count - 1].ts) check_versions(w, past, ts);
        w->read++;
    }
    txn_end_reader(past);
    end_reading(t);
}

static void close_standing(struct world *w, struct standing *x)
{
    if (!x->owner) return;
    check_state(w, x->past, state_at(w, x->ts), x->ts);
    txn_end_reader(x->past);
    end_reading(x->owner);
    x->owner = NULL;
}

static void turn_standing(struct world *w, bool all)
{
    for (int i = 0; i < STANDING; i++) {
        if (all || rng_below(&w->r, 2)) close_standing(w, &w->standing[i]);
        struct standing *x = &w->standing[i];
        if (all || x->owner) continue;
        x->ts = random_instant(w);
        if (must_be_refused(w, x->ts, os_wall_us(w->os) + MINUTE_US)) continue;
        x->owner = begin(w);
        if (txn_begin_past(x->owner, x->ts, &x->past) != OK) {
            end_reading(x->owner);
            x->owner = NULL;
            continue;
        }
        char kb[16];
        struct point_get_request q = {w->tree, scattered_key(0, kb)};
        struct slice row;
        if (store_point_get(x->past, &q, &row) != SNAPSHOT_TOO_OLD) continue;
        txn_end_reader(x->past);
        end_reading(x->owner);
        x->owner = NULL;
    }
}

/* --- writing ----------------------------------------------------------------------------------- */

static enum status write_some(struct world *w, struct txn *t, struct state *m)
{
    char kb[16], rb[600];
    int n = 1 + (int)rng_below(&w->r, 8), base = (int)rng_below(&w->r, KEYS);
    bool delete = rng_below(&w->r, 4) == 0;
    for (int i = 0; i < n; i++) {
        /* Some keys are hot. */
        int k = rng_below(&w->r, 2) ? (int)rng_below(&w->r, 4) : (base + i) % KEYS;
        struct write_request q = {.tree = w->tree, .key = scattered_key(k, kb), .op = WRITE_PUT};
        int v = ++w->next;
        if (delete) q.op = WRITE_DELETE;
        else q.row = row_of(v, rb);
        enum status st = store_write(t, &q);
        if (st == NOT_FOUND) continue;
        TRY(st);
        m->value[k] = delete ? 0 : v;
    }
    return OK;
}

/* Keys that are absent come in as a run. */
static enum status load_some(struct world *w, struct txn *t, struct state *m)
{
    struct load_tree trees[] = {{w->tree, true}};
    struct load *l;
    char kb[16], rb[600];
    uint64_t tag = 0;
    TRY(store_load_begin(t, trees, 1, &l));
    enum status st = OK;
    for (int k = 0; k < KEYS && st == OK; k++) {
        if (m->value[k] || rng_below(&w->r, 2)) continue;
        m->value[k] = ++w->next;
        st = store_load_add(l, 0, scattered_key(k, kb), row_of(m->value[k], rb), ++tag);
    }
    if (st == OK) st = store_load_finish(l);
    store_load_free(l);
    return st;
}

/* *ret_unsure: the commit failed, so the state may be there or not. */
static enum status change(struct world *w, bool *ret_unsure)
{
    struct state *m = &w->states[w->count];
    *m = w->states[w->count - 1];
    struct txn *t = begin(w);
    *ret_unsure = false;
    bool load = rng_below(&w->r, 15) == 0;
    enum status st = load ? load_some(w, t, m) : OK;
    if (load) { /* what was loaded can be seen, and changed, by the next statement */
        txn_statement_end(t);
        txn_statement_begin(t);
    }
    if (st == OK && (!load || rng_below(&w->r, 2))) st = write_some(w, t, m);
    txn_statement_end(t);
    if (st != OK || rng_below(&w->r, 12) == 0) {
        txn_abort(t);
        return st;
    }
    bool writes = txn_has_writes(t);
    m->ts = 0;
    st = txn_commit(t, COMMIT_SYNC, &m->ts);
    *ret_unsure = st != OK && m->ts;
    if (st == OK && writes && m->ts) w->count++;
    return st;
}

static enum status disturb(struct world *w)
{
    bool worked;
    switch (rng_below(&w->r, 30)) {
    case 0: return store_checkpoint(w->s);
    case 1: return rng_below(&w->r, 4) ? OK : store_compact_tree(w->s, w->tree);
    case 2:
    case 3:
    case 4: return store_maintain(w->s, &worked);
    case 5: sim_advance_us(w->os, (int64_t)rng_below(&w->r, MINUTE_US)); return OK;
    case 6: tell_form(w->s, w->tree, rng_below(&w->r, FORMS)); return OK;
    default: sim_advance_us(w->os, (int64_t)rng_below(&w->r, 3)); return OK;
    }
}

static void settle_unsure(struct world *w)
{
    struct txn *t = begin(w);
    char kb[16], rb[600];
    bool there = true;
    const struct state *m = &w->states[w->count];
    for (int k = 0; k < KEYS && there; k++) {
        struct point_get_request q = {w->tree, scattered_key(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        there = m->value[k] ? st == OK && slice_eq(row, row_of(m->value[k], rb)) : st == NOT_FOUND;
    }
    end_reading(t);
    if (there) w->count++;
}

static enum status no_problem(void *ctx, const struct verify_finding *f)
{
    (void)ctx;
    if (f->problem) fail_msg("%s (%s): %s", f->object, f->kind, f->problem);
    return OK;
}

static void restart(struct world *w, bool crash)
{
    struct verify_sink sink = {.found = no_problem};
    for (int i = 0; i < STANDING && crash; i++) {
        if (!w->standing[i].owner) continue;
        txn_end_reader(w->standing[i].past);
        end_reading(w->standing[i].owner);
        w->standing[i].owner = NULL;
    }
    if (!crash) turn_standing(w, true);
    if (!crash && rng_below(&w->r, 2)) assert_int_equal(store_close(w->s), OK);
    else store_abandon(w->s);
    if (crash) sim_restart(w->os);
    /* Whoever keeps more from now on does not get back what is gone. */
    if (w->retention_us != INT64_MAX)
        w->retention_us = (int64_t)(1 + rng_below(&w->r, 8)) * 5 * MINUTE_US;
    open_store(w);
    assert_int_equal(store_verify(w->s, &sink), OK);
}

static void make_world(struct world *w, uint64_t seed, int64_t retention_us)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    *w = (struct world){.os = sim_new(&so), .retention_us = retention_us};
    rng_seed(&w->r, seed);
    w->states = mem_alloc(MEM_TEST, STATES_MAX * sizeof *w->states);
    open_store(w);
    struct txn *t = begin(w);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &w->states[0].ts), OK);
    w->count = 1;
}

static void free_world(struct world *w)
{
    turn_standing(w, true);
    store_abandon(w->s);
    mem_free(MEM_TEST, w->states);
    sim_free(w->os);
}

static void run_seed(uint64_t seed, int rounds, int64_t retention_us, bool crashes)
{
    struct world w;
    make_world(&w, seed, retention_us);
    for (int round = 0; round < rounds; round++) {
        bool unsure = false;
        enum status st = OK;
        if (crashes) sim_power_off_after(w.os, 1 + rng_below(&w.r, 400));
        for (int i = 0; i < 150 && st == OK && w.count + 2 < STATES_MAX; i++) {
            st = change(&w, &unsure);
            if (st == OK) st = disturb(&w);
            if (st != OK || sim_is_off(w.os)) break;
            if (rng_below(&w.r, 12) == 0) turn_standing(&w, false);
            if (rng_below(&w.r, 8) == 0) read_past(&w);
        }
        bool off = sim_is_off(w.os);
        if (st != OK && !off) fail_msg("%s: %s", status_name(st), error_current()->message);
        sim_power_off_after(w.os, 0);
        restart(&w, off || crashes);
        if (unsure) settle_unsure(&w);
        for (int i = 0; i < 12; i++) read_past(&w);
    }
    assert_true(w.read > 0);
    free_world(&w);
}

static uint64_t first_seed(void)
{
    const char *env = getenv("SEED");
    return env ? strtoull(env, NULL, 10) : 1;
}

static void all_kept(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 6; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, 6, INT64_MAX, false);
    }
}

static void some_kept(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 8; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, 5, (int64_t)(1 + seed % 4) * 5 * MINUTE_US, false);
    }
}

static void power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 30; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, 5, seed % 2 ? INT64_MAX : 20 * (int64_t)MINUTE_US, true);
    }
}

/* A dropped tree stays for reads of the time when it was there, over restarts, and then goes. */
static void dropped(void **state)
{
    (void)state;
    struct world w;
    uint64_t ts, none;
    bool worked;
    make_world(&w, first_seed(), 20 * (int64_t)MINUTE_US);
    char kb[16], rb[600];
    struct txn *t = begin(&w), *past;
    struct write_request q = {w.tree, WRITE_INSERT, scattered_key(1, kb), row_of(77, rb)};
    assert_int_equal(store_write(t, &q), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &ts), OK);
    t = begin(&w);
    assert_int_equal(store_drop_tree(t, w.tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &none), OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(store_maintain(w.s, &worked), OK);
        t = begin(&w);
        assert_int_equal(txn_begin_past(t, ts, &past), OK);
        struct point_get_request g = {w.tree, scattered_key(1, kb)};
        struct slice row;
        assert_int_equal(store_point_get(past, &g, &row), OK);
        assert_true(slice_eq(row, row_of(77, rb)));
        txn_end_reader(past);
        end_reading(t);
        if (round == 0) store_abandon(w.s);
        else assert_int_equal(store_close(w.s), OK);
        open_store(&w);
    }
    sim_advance_us(w.os, 21 * (int64_t)MINUTE_US);
    t = begin(&w); /* for the clock to have passed the drop */
    assert_int_equal(store_create_tree(t, &w.tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    assert_int_equal(store_maintain(w.s, &worked), OK);
    struct store_status st;
    store_get_status(w.s, &st);
    assert_int_equal(st.trees, 1);
    restart(&w, false);
    store_get_status(w.s, &st);
    assert_int_equal(st.trees, 1);
    free_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kept),
        cmocka_unit_test(some_kept),
        cmocka_unit_test(power_loss),
        cmocka_unit_test(dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
