/* Branches against an oracle: random transactions and loads in a tree of branches that are made, of now and of
 * the past, and dropped, on the simulated disk, with flushes, merges, restarts and power losses between. Each
 * branch reads what its parent had at the fork and what it has changed itself, whatever becomes of the
 * parent meanwhile, and however little history is kept. */
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

enum { KEYS = 60, LINES = 10, STATES_MAX = 4000, MINUTE_US = 60000000 };

struct state {
    int line;
    uint64_t ts;
    int value[KEYS]; /* 0: absent */
};

struct line { /* 0 is the main line */
    bool alive;
    int parent;
    uint64_t fork_ts;
    char name[16];
};

struct world {
    struct os *os;
    struct store *s;
    tree_id tree;
    struct rng r;
    struct line lines[LINES];
    struct state *states;
    int count, next, named;
    int64_t retention_us;
    int forks, past_forks, drops, refused;
    int unsure_line;  /* that was being made or dropped as the power went; 0: none */
    bool unsure_state; /* states[count] may be there */
};

static void open_store(struct world *w)
{
    struct store_options o;
    store_options_init(&o);
    o.os = w->os;
    o.dir = "data";
    o.memtable_bytes = 16 << 10;
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    o.manifest_bytes = 4 << 10;
    o.level1_bytes = 128 << 10;
    o.run_bytes = 64 << 10;
    o.retention_us = w->retention_us;
    if (store_open(&o, &w->s) != OK) fail_msg("open: %s", error_current()->message);
    if (w->tree) tell_form(w->s, w->tree, rng_below(&w->r, FORMS));
}

static struct branch *handle(struct world *w, int line)
{
    if (line == 0) return NULL;
    struct branch *b = store_open_branch(w->s, slice_of(w->lines[line].name));
    assert_non_null(b);
    return b;
}

static struct txn *begin(struct world *w, struct branch *b)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .branch = b};
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

/* --- the oracle -------------------------------------------------------------------------------- */

static const struct state *state_at(const struct world *w, int line, uint64_t ts)
{
    static const struct state nothing;
    for (;;) {
        for (int i = w->count - 1; i >= 0; i--)
            if (w->states[i].line == line && w->states[i].ts <= ts) return &w->states[i];
        if (line == 0) return &nothing;
        if (w->lines[line].fork_ts < ts) ts = w->lines[line].fork_ts;
        line = w->lines[line].parent;
    }
}

static const struct state *state_now(const struct world *w, int line)
{
    return state_at(w, line, UINT64_MAX);
}

static bool has_children(const struct world *w, int line)
{
    for (int i = 1; i < LINES; i++)
        if (w->lines[i].alive && w->lines[i].parent == line) return true;
    return false;
}

static int depth_of(const struct world *w, int line)
{
    int depth = 0;
    for (; line; line = w->lines[line].parent) depth++;
    return depth;
}

static int any_line(struct world *w)
{
    for (;;) {
        int line = (int)rng_below(&w->r, LINES);
        if (w->lines[line].alive) return line;
    }
}

/* --- reading ----------------------------------------------------------------------------------- */

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

static bool reads_state(struct txn *t, tree_id tree, const struct state *m, int *ret_key)
{
    char kb[16], rb[600];
    for (int k = 0; k < KEYS; k++) {
        struct point_get_request q = {tree, scattered_key(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        *ret_key = k;
        if (st != OK && st != NOT_FOUND) fail_msg("key %d: %s", k, error_current()->message);
        if (m->value[k] ? st != OK || !slice_eq(row, row_of(m->value[k], rb)) : st != NOT_FOUND)
            return false;
    }
    return true;
}

static void check_state(struct world *w, int line, struct txn *t, const struct state *m,
                        const char *what)
{
    int k, a = (int)rng_below(&w->r, KEYS), b = (int)rng_below(&w->r, KEYS + 1);
    if (!reads_state(t, w->tree, m, &k))
        fail_msg("%s, %s: key %d is not row %d", line ? w->lines[line].name : "main", what, k,
                 m->value[k]);
    check_scan(t, w->tree, m, false, 0, KEYS);
    check_scan(t, w->tree, m, true, 0, KEYS);
    if (a >= b) return;
    check_scan(t, w->tree, m, false, a, b);
    check_scan(t, w->tree, m, true, a, b);
}

/* All that differs from the fork is told, and what is told is so. */
static void check_changes(struct world *w, int line, struct txn *t)
{
    const struct state *now = state_now(w, line);
    struct state fork = *state_at(w, w->lines[line].parent, w->lines[line].fork_ts);
    struct scan_request q = {.tree = w->tree, .changes = true};
    struct cursor *c;
    struct slice keys[7], rows[7];
    uint32_t got;
    char kb[16], rb[600];
    bool told[KEYS] = {0};
    assert_int_equal(store_scan(t, &q, &c), OK);
    do {
        assert_int_equal(cursor_next(c, keys, rows, 7, &got), OK);
        for (uint32_t i = 0; i < got; i++) {
            int k = 0;
            while (k < KEYS && !slice_eq(keys[i], scattered_key(k, kb))) k++;
            assert_true(k < KEYS && !told[k]);
            told[k] = true;
            assert_true(now->value[k] ? rows[i].data && slice_eq(rows[i], row_of(now->value[k], rb))
                                      : !rows[i].data);
            uint64_t ts;
            assert_int_equal(store_version_ts(t, w->tree, keys[i], &ts), OK);
            assert_true(ts > w->lines[line].fork_ts);
        }
    } while (got > 0);
    cursor_close(c);
    for (int k = 0; k < KEYS; k++)
        if (now->value[k] != fork.value[k]) assert_true(told[k]);
}

static void check_line(struct world *w, int line)
{
    struct branch *b = handle(w, line);
    struct txn *t = begin(w, b);
    check_state(w, line, t, state_now(w, line), "now");
    if (line) {
        check_changes(w, line, t);
        struct txn *fork = txn_begin_fork(t);
        check_state(w, line, fork, state_at(w, w->lines[line].parent, w->lines[line].fork_ts),
                    "its fork");
        txn_end_reader(fork);
    }
    end_reading(t);
    store_close_branch(b);
}

static void check_all(struct world *w)
{
    for (int i = 0; i < LINES; i++)
        if (w->lines[i].alive) check_line(w, i);
}

static uint64_t random_instant(struct world *w)
{
    return w->states[rng_below(&w->r, (uint64_t)w->count)].ts + 2 * rng_below(&w->r, 2);
}

static void read_past(struct world *w)
{
    int line = any_line(w);
    uint64_t ts = random_instant(w);
    struct branch *b = handle(w, line);
    struct txn *t = begin(w, b), *past;
    assert_int_equal(txn_begin_past(t, ts, &past), OK);
    if (txn_check_past(past, w->tree) == OK)
        check_state(w, line, past, state_at(w, line, ts & ~1ull), "in the past");
    else w->refused++;
    txn_end_reader(past);
    end_reading(t);
    store_close_branch(b);
}

/* --- writing ----------------------------------------------------------------------------------- */

static enum status write_some(struct world *w, struct txn *t, struct state *m)
{
    char kb[16], rb[600];
    int n = 1 + (int)rng_below(&w->r, 6), base = (int)rng_below(&w->r, KEYS);
    bool locked[KEYS] = {0};
    for (int i = 0; i < n; i++) {
        int k = rng_below(&w->r, 3) ? (base + i) % KEYS : (int)rng_below(&w->r, 4);
        enum write_op op = (enum write_op)rng_below(&w->r, 4);
        int v = ++w->next;
        struct write_request q = {.tree = w->tree, .key = scattered_key(k, kb), .op = op};
        if (op != WRITE_DELETE) q.row = row_of(v, rb);
        if (rng_below(&w->r, 5) == 0) {
            struct lock_request l = {.tree = w->tree, .key = q.key, .mode = ROW_LOCK_UPDATE};
            struct lock_result got;
            char old[600];
            TRY(store_lock(t, &l, &got));
            assert_false(got.changed);
            assert_true(m->value[k] ? got.row.data && slice_eq(got.row, row_of(m->value[k], old))
                                    : !got.row.data);
            locked[k] = true;
        }
        /* Who has locked the key knows that there is no row. */
        if (locked[k] && !m->value[k] && (op == WRITE_UPDATE || op == WRITE_DELETE)) continue;
        enum status st = store_write(t, &q);
        if (op == WRITE_INSERT && m->value[k]) {
            if (st != OK && st != UNIQUE_VIOLATION) return st;
            assert_int_equal(st, UNIQUE_VIOLATION);
        } else if ((op == WRITE_UPDATE || op == WRITE_DELETE) && !m->value[k]) {
            if (st != OK && st != NOT_FOUND) return st;
            assert_int_equal(st, NOT_FOUND);
        } else {
            TRY(st);
            m->value[k] = op == WRITE_DELETE ? 0 : v;
        }
    }
    return OK;
}

static enum status load_some(struct world *w, struct txn *t, struct state *m)
{
    struct load_tree trees[] = {{w->tree, true}};
    struct load *l;
    char kb[16], rb[600];
    uint64_t tag = 0;
    int clash = rng_below(&w->r, 4) == 0 ? (int)rng_below(&w->r, KEYS) : -1;
    bool clashes = clash >= 0 && m->value[clash];
    TRY(store_load_begin(t, trees, 1, &l));
    enum status st = OK;
    for (int k = 0; k < KEYS && st == OK; k++) {
        if (k != clash && (m->value[k] || rng_below(&w->r, 2))) continue;
        m->value[k] = ++w->next;
        st = store_load_add(l, 0, scattered_key(k, kb), row_of(m->value[k], rb), ++tag);
    }
    if (st == OK) st = store_load_finish(l);
    store_load_free(l);
    if (clashes && (st == OK || st == UNIQUE_VIOLATION)) assert_int_equal(st, UNIQUE_VIOLATION);
    return st;
}

static enum status change(struct world *w)
{
    int line = any_line(w);
    struct state *m = &w->states[w->count];
    *m = *state_now(w, line);
    m->line = line;
    struct branch *b = handle(w, line);
    struct txn *t = begin(w, b);
    bool load = rng_below(&w->r, 20) == 0;
    enum status st = load ? load_some(w, t, m) : OK;
    if (load) {
        txn_statement_end(t);
        txn_statement_begin(t);
    }
    if (st == OK && (!load || rng_below(&w->r, 2))) st = write_some(w, t, m);
    txn_statement_end(t);
    if (st != OK || rng_below(&w->r, 12) == 0) {
        txn_abort(t);
        store_close_branch(b);
        return st == UNIQUE_VIOLATION ? OK : st;
    }
    m->ts = 0;
    st = txn_commit(t, COMMIT_SYNC, &m->ts);
    w->unsure_state = st != OK && m->ts;
    if (st == OK && m->ts) w->count++;
    store_close_branch(b);
    return st;
}

/* --- branches ---------------------------------------------------------------------------------- */

static enum status fork_line(struct world *w)
{
    int line = 1, parent = any_line(w);
    while (line < LINES && w->lines[line].alive) line++;
    if (line == LINES) return OK;
    struct line made = {.alive = true, .parent = parent};
    snprintf(made.name, sizeof made.name, "b%d", ++w->named);
    struct branch *b = handle(w, parent);
    struct txn *t = begin(w, b), *past = NULL;
    enum status st = OK;
    if (rng_below(&w->r, 3) == 0) {
        made.fork_ts = random_instant(w) & ~1ull;
        assert_int_equal(txn_begin_past(t, made.fork_ts, &past), OK);
        st = txn_check_past(past, w->tree);
    }
    uint32_t id;
    bool checked = st == OK;
    if (checked) st = store_create_branch(w->s, b, slice_of(made.name), past, &id);
    if (past) txn_end_reader(past);
    end_reading(t);
    store_close_branch(b);
    if (!checked) return w->refused++, OK;
    if (st != OK && depth_of(w, parent) == STORE_BRANCH_DEPTH_MAX)
        return assert_int_equal(st, PROGRAM_LIMIT_EXCEEDED), OK;
    if (!past) made.fork_ts = w->states[w->count - 1].ts;
    w->lines[line] = made;
    w->lines[line].alive = st == OK;
    w->unsure_line = st == OK ? 0 : line;
    w->forks++;
    w->past_forks += past != NULL;
    return st;
}

static enum status drop_line(struct world *w)
{
    int line = any_line(w);
    if (!line) return OK;
    struct branch *b = handle(w, line);
    enum status st = store_drop_branch(b);
    if (has_children(w, line)) {
        assert_int_equal(st, OBJECT_IN_USE);
        store_close_branch(b);
        return OK;
    }
    if (st == OK) {
        w->lines[line].alive = false;
        w->drops++;
        for (int i = 0; i < w->count; i++) /* the number may be used again */
            if (w->states[i].line == line) w->states[i].line = -1;
    } else {
        store_close_branch(b);
        w->unsure_line = line;
    }
    return st;
}

static enum status disturb(struct world *w)
{
    bool worked;
    switch (rng_below(&w->r, 40)) {
    case 0: return store_checkpoint(w->s);
    case 1: return rng_below(&w->r, 4) ? OK : store_compact_tree(w->s, w->tree);
    case 2:
    case 3:
    case 4: return store_maintain(w->s, &worked);
    case 5: sim_advance_us(w->os, (int64_t)rng_below(&w->r, MINUTE_US)); return OK;
    case 6:
    case 7: return fork_line(w);
    case 8: return drop_line(w);
    case 9: tell_form(w->s, w->tree, rng_below(&w->r, FORMS)); return OK;
    default: sim_advance_us(w->os, (int64_t)rng_below(&w->r, 3)); return OK;
    }
}

/* What the power took away in the middle of it is there or not. */
static void settle(struct world *w)
{
    int line = w->unsure_line, k;
    w->unsure_line = 0;
    if (line) {
        struct branch *b = store_open_branch(w->s, slice_of(w->lines[line].name));
        w->lines[line].alive = b != NULL;
        store_close_branch(b);
        for (int i = 0; i < w->count && !b; i++)
            if (w->states[i].line == line) w->states[i].line = -1;
    }
    if (!w->unsure_state) return;
    w->unsure_state = false;
    const struct state *m = &w->states[w->count];
    struct branch *b = handle(w, m->line);
    struct txn *t = begin(w, b);
    bool there = reads_state(t, w->tree, m, &k);
    end_reading(t);
    store_close_branch(b);
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
    if (!crash && rng_below(&w->r, 2)) assert_int_equal(store_close(w->s), OK);
    else store_abandon(w->s);
    if (crash) sim_restart(w->os);
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
    w->lines[0].alive = true;
    open_store(w);
    struct txn *t = begin(w, NULL);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &w->states[0].ts), OK);
    w->count = 1;
}

static void free_world(struct world *w)
{
    store_abandon(w->s);
    mem_free(MEM_TEST, w->states);
    sim_free(w->os);
}

static void run_seed(uint64_t seed, int rounds, int64_t retention_us, bool crashes)
{
    struct world w;
    print_message("seed %llu\n", (unsigned long long)seed);
    make_world(&w, seed, retention_us);
    for (int round = 0; round < rounds; round++) {
        enum status st = OK;
        if (crashes) sim_power_off_after(w.os, 1 + rng_below(&w.r, 500));
        for (int i = 0; i < 250 && st == OK && w.count + 2 < STATES_MAX; i++) {
            st = change(&w);
            if (st == OK) st = disturb(&w);
            if (st != OK || sim_is_off(w.os)) break;
            if (rng_below(&w.r, 10) == 0) check_line(&w, any_line(&w));
            if (rng_below(&w.r, 10) == 0) read_past(&w);
        }
        bool off = sim_is_off(w.os);
        if (st != OK && !off) fail_msg("%s: %s", status_name(st), error_current()->message);
        sim_power_off_after(w.os, 0);
        restart(&w, off || crashes);
        settle(&w);
        check_all(&w);
    }
    assert_true(crashes || (w.forks > 0 && w.drops > 0));
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
    for (uint64_t seed = first_seed(); seed < first_seed() + 5; seed++)
        run_seed(seed, 5, INT64_MAX, false);
}

static void little_kept(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 10; seed++)
        run_seed(seed, 5, seed % 2 ? 0 : 3 * (int64_t)MINUTE_US, false);
}

static void power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed < first_seed() + 30; seed++)
        run_seed(seed, 6, seed % 3 ? 0 : INT64_MAX, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kept),
        cmocka_unit_test(little_kept),
        cmocka_unit_test(power_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
