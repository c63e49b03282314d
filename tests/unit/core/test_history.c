/* Many transactions at a time on one thread, against a model of what each must see: snapshots that stay
 * open over flushes, compactions into deep levels and restarts of the clock; writers that meet each
 * other's locks, savepoints and commits. What a transaction should be told (UNIQUE_VIOLATION,
 * SERIALIZATION_FAILURE, a lock that another holds) is held against the model, too. */
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

enum { KEYS = 90, READERS = 4, WRITERS = 3, MARKS = 4, NONE = -1, LOCK_ROW = 100 };

struct rows {
    int value[KEYS]; /* 0: absent */
};

/* What a writer has done, beside what it sees of others. */
struct own {
    int value[KEYS]; /* NONE: not written, 0: deleted */
    int locked[KEYS];    /* by which strength (enum row_lock) */
    bool vouched[KEYS];  /* locked, and a row was there */
};

struct writer {
    struct txn *txn; /* NULL: none */
    bool repeatable, has_snapshot;
    uint64_t snapshot_ts;
    struct rows snapshot;
    struct own own;
    txn_mark mark[MARKS];
    struct own saved[MARKS];
    uint32_t marks;
};

struct reader {
    struct txn *txn;
    struct rows snapshot;
    bool inside; /* its statement stays open, and so does a cursor */
    struct cursor *cursor;
    int cursor_at; /* rows it has given */
};

struct model {
    struct os *os;
    struct store *store;
    struct rng rng;
    tree_id tree;
    struct rows now;      /* committed */
    uint64_t ts[KEYS];    /* of the last commit that wrote the key */
    uint64_t last_ts;
    int next_value;
    uint64_t form;        /* of the tree */
    struct writer writers[WRITERS];
    struct reader readers[READERS];
};

static struct slice key_of(int k, char buf[16])
{
    snprintf(buf, 16, "key%05d", k); /* in order of k */
    return slice_of(buf);
}

static bool is_row(struct slice row, int v)
{
    char buf[600];
    return v ? row.data && slice_eq(row, row_of(v, buf)) : !row.data;
}

static bool chance(struct model *m, uint64_t of)
{
    return rng_below(&m->rng, of) == 0;
}

static void open_store(struct model *m)
{
    struct store_options o;
    store_options_init(&o);
    o.os = m->os;
    o.dir = "data";
    o.memtable_bytes = 8 << 10;
    o.cache_bytes = 128 << 10;
    o.wal_file_bytes = 64 << 10;
    o.manifest_bytes = 2 << 10;
    o.level1_bytes = 100 << 10; /* runs take 32 KiB at least: level 2 and deeper come to use */
    o.run_bytes = 4 << 10;
    if (store_open(&o, &m->store) != OK) fail_msg("open: %s", error_current()->message);
    if (m->tree) tell_form(m->store, m->tree, m->form);
}

static struct txn *begin(struct model *m, enum isolation isolation)
{
    struct txn_options o = {.isolation = isolation, .lock_timeout_us = 1};
    struct txn *t;
    assert_int_equal(txn_begin(m->store, &o, &t), OK);
    return t;
}

/* --- what a transaction sees ------------------------------------------------------------------- */

static void check_points(struct model *m, struct txn *t, const struct rows *want)
{
    for (int k = 0; k < KEYS; k++) {
        char kb[16];
        struct point_get_request q = {m->tree, key_of(k, kb)};
        struct slice row = {0};
        enum status st = store_point_get(t, &q, &row);
        assert_int_equal(st, want->value[k] ? OK : NOT_FOUND);
        if (st == OK && !is_row(row, want->value[k]))
            fail_msg("key %d: a row that is not %d: %.10s", k, want->value[k], row.data);
    }
}

/* The n-th key from below, or from above, that is there in [from, to). KEYS: none. */
static int nth(const struct rows *r, int from, int to, bool reverse, int n)
{
    for (int i = from; i < to; i++) {
        int k = reverse ? from + to - 1 - i : i;
        if (r->value[k] && n-- == 0) return k;
    }
    return KEYS;
}

/* Takes up to `batch` rows; false at the end. */
static bool check_batch(struct cursor *c, const struct rows *want, int from, int to, bool reverse,
                        uint32_t batch, int *at)
{
    struct slice keys[8], rows[8];
    uint32_t got;
    assert_int_equal(cursor_next(c, keys, rows, batch, &got), OK);
    for (uint32_t i = 0; i < got; i++, ++*at) {
        char kb[16];
        int k = nth(want, from, to, reverse, *at);
        if (k == KEYS) fail_msg("a row too many: %.*s", (int)keys[i].len, keys[i].data);
        if (!slice_eq(keys[i], key_of(k, kb)))
            fail_msg("%.*s where %s is next", (int)keys[i].len, keys[i].data, kb);
        if (!is_row(rows[i], want->value[k]))
            fail_msg("key %d: a row that is not %d: %.10s", k, want->value[k], rows[i].data);
    }
    if (!got) assert_int_equal(nth(want, from, to, reverse, *at), KEYS);
    return got > 0;
}

static void check_scan(struct model *m, struct txn *t, const struct rows *want, bool reverse)
{
    char lb[16], ub[16];
    int from = 0, to = KEYS, at = 0;
    struct cursor *c;
    if (chance(m, 2)) {
        from = (int)rng_below(&m->rng, KEYS);
        to = from + (int)rng_below(&m->rng, (uint64_t)(KEYS - from)) + 1;
    }
    struct scan_request q = {.tree = m->tree, .reverse = reverse};
    if (from > 0) q.lower = key_of(from, lb);
    if (to < KEYS) q.upper = key_of(to, ub);
    assert_int_equal(store_scan(t, &q, &c), OK);
    uint32_t batch = 1 + (uint32_t)rng_below(&m->rng, 8);
    while (check_batch(c, want, from, to, reverse, batch, &at)) {
    }
    cursor_close(c);
}

static void check_view(struct model *m, struct txn *t, const struct rows *want)
{
    check_points(m, t, want);
    check_scan(m, t, want, false);
    check_scan(m, t, want, true);
}

static void check_new_snapshot(struct model *m)
{
    struct txn *t = begin(m, READ_COMMITTED);
    txn_statement_begin(t);
    check_view(m, t, &m->now);
    txn_abort(t);
}

/* --- readers ----------------------------------------------------------------------------------- */

static void end_reader(struct reader *r)
{
    if (r->cursor) cursor_close(r->cursor);
    if (r->inside) txn_statement_end(r->txn);
    txn_abort(r->txn);
    *r = (struct reader){0};
}

static void begin_reader(struct model *m, struct reader *r)
{
    r->txn = begin(m, REPEATABLE_READ);
    r->snapshot = m->now;
    txn_statement_begin(r->txn);
    r->inside = chance(m, 2);
    if (!r->inside) {
        txn_statement_end(r->txn);
        return;
    }
    struct scan_request q = {.tree = m->tree, .reverse = chance(m, 2)};
    assert_int_equal(store_scan(r->txn, &q, &r->cursor), OK);
    r->cursor_at = q.reverse ? -1 : 0; /* the direction is kept in the sign */
}

static void step_cursor(struct reader *r)
{
    bool reverse = r->cursor_at < 0;
    int at = reverse ? -1 - r->cursor_at : r->cursor_at;
    if (!check_batch(r->cursor, &r->snapshot, 0, KEYS, reverse, 5, &at)) {
        cursor_close(r->cursor);
        r->cursor = NULL;
    }
    r->cursor_at = reverse ? -1 - at : at;
}

static void use_reader(struct model *m)
{
    struct reader *r = &m->readers[rng_below(&m->rng, READERS)];
    if (!r->txn) {
        begin_reader(m, r);
    } else if (chance(m, 6)) {
        end_reader(r);
    } else if (r->cursor && chance(m, 2)) {
        step_cursor(r);
    } else {
        if (!r->inside) txn_statement_begin(r->txn);
        check_view(m, r->txn, &r->snapshot);
        if (!r->inside) txn_statement_end(r->txn);
    }
}

/* --- writers ----------------------------------------------------------------------------------- */

static void begin_writer(struct model *m, struct writer *w)
{
    bool repeatable = chance(m, 2);
    *w = (struct writer){.txn = begin(m, repeatable), .repeatable = repeatable};
    for (int k = 0; k < KEYS; k++) w->own.value[k] = NONE;
}

static void end_writer(struct model *m, struct writer *w, bool commit)
{
    if (commit) {
        uint64_t ts;
        bool any = false;
        assert_int_equal(txn_commit(w->txn, COMMIT_SYNC, &ts), OK);
        for (int k = 0; k < KEYS; k++) {
            if (w->own.value[k] == NONE) continue;
            m->now.value[k] = w->own.value[k];
            m->ts[k] = ts;
            any = true;
        }
        assert_true(!any || ts > m->last_ts);
        if (any) m->last_ts = ts;
    }
    if (!commit) txn_abort(w->txn);
    w->txn = NULL;
}

/* A statement begins: its snapshot, and what it sees. */
static struct rows begin_statement(struct model *m, struct writer *w)
{
    txn_statement_begin(w->txn);
    if (!w->repeatable || !w->has_snapshot) {
        w->snapshot = m->now;
        w->snapshot_ts = m->last_ts;
        w->has_snapshot = true;
    }
    struct rows view = w->snapshot;
    for (int k = 0; k < KEYS; k++)
        if (w->own.value[k] != NONE) view.value[k] = w->own.value[k];
    return view;
}

static bool held_by_another(const struct model *m, const struct writer *w, int k, int strength)
{
    for (int i = 0; i < WRITERS; i++)
        if (&m->writers[i] != w && m->writers[i].txn &&
            m->writers[i].own.locked[k] + strength > ROW_LOCK_UPDATE)
            return true;
    return false;
}

static void note_lock(struct writer *w, int k, int strength)
{
    if (w->own.locked[k] < strength) w->own.locked[k] = strength;
}

/* Somebody else commits a row while the statement runs. */
static void commit_meanwhile(struct model *m, int k)
{
    char kb[16], rb[600];
    int v = chance(m, 3) ? 0 : ++m->next_value;
    if (held_by_another(m, NULL, k, ROW_LOCK_UPDATE) || (!v && !m->now.value[k])) return;
    struct writer w;
    begin_writer(m, &w);
    struct write_request q = {.tree = m->tree, .key = key_of(k, kb),
                              .op = v ? WRITE_PUT : WRITE_DELETE};
    if (v) q.row = row_of(v, rb);
    w.own.value[k] = v;
    txn_statement_begin(w.txn);
    assert_int_equal(store_write(w.txn, &q), OK);
    txn_statement_end(w.txn);
    end_writer(m, &w, true);
}

/* What the transaction should be told. OK says nothing of the row. */
static enum status expected(const struct model *m, const struct writer *w, int k, int op, int strength)
{
    int mine = w->own.value[k];
    bool live = mine != NONE ? mine != 0 : m->now.value[k] != 0;
    if (held_by_another(m, w, k, strength)) return LOCK_NOT_AVAILABLE;
    if (op == WRITE_INSERT) return live ? UNIQUE_VIOLATION : OK;
    if (op == WRITE_PUT) return OK;
    if (op == LOCK_ROW && strength <= ROW_LOCK_KEY_SHARE) return live ? OK : NOT_FOUND;
    if (mine == NONE && w->repeatable && m->ts[k] > w->snapshot_ts) return SERIALIZATION_FAILURE;
    return live ? OK : NOT_FOUND;
}

static enum status lock_row(struct model *m, struct writer *w, int k, int strength)
{
    char kb[16];
    struct lock_request q = {.tree = m->tree, .key = key_of(k, kb), .nowait = chance(m, 2),
                             .mode = (enum row_lock)strength};
    struct lock_result got;
    enum status st = store_lock(w->txn, &q, &got);
    if (st != OK) return st;
    int mine = w->own.value[k], newest = mine != NONE ? mine : m->now.value[k];
    assert_true(is_row(got.row, newest));
    if (mine == NONE) assert_int_equal(got.changed, m->ts[k] > w->snapshot_ts);
    if (!newest && strength <= ROW_LOCK_SHARE) return NOT_FOUND;
    note_lock(w, k, strength);
    w->own.vouched[k] = newest != 0;
    return newest ? OK : NOT_FOUND;
}

static enum status write_row(struct model *m, struct writer *w, int k, int op, int strength,
                             const struct rows *view)
{
    char kb[16], rb[600];
    int v = op == WRITE_DELETE ? 0 : ++m->next_value;
    struct write_request q = {.tree = m->tree, .op = (enum write_op)op, .key = key_of(k, kb),
                              .keeps_key = strength == ROW_LOCK_NO_KEY_UPDATE};
    if (v) q.row = row_of(v, rb);
    enum status st = store_write(w->txn, &q);
    if (st != OK) return st;
    w->own.value[k] = v;
    note_lock(w, k, op == WRITE_INSERT ? ROW_LOCK_NO_KEY_UPDATE : strength);
    check_points(m, w->txn, view); /* the statement does not see its own write */
    if (chance(m, 2)) {
        struct rows after = *view;
        after.value[k] = v;
        txn_next_command(w->txn);
        check_points(m, w->txn, &after);
    }
    return OK;
}

static int strength_of(struct model *m, int op)
{
    if (op == LOCK_ROW) return (int)rng_below(&m->rng, ROW_LOCK_UPDATE + 1);
    return op == WRITE_UPDATE && chance(m, 2) ? ROW_LOCK_NO_KEY_UPDATE : ROW_LOCK_UPDATE;
}

static void write_something(struct model *m, struct writer *w)
{
    static const int ops[] = {WRITE_INSERT, WRITE_UPDATE, WRITE_DELETE, WRITE_PUT, LOCK_ROW};
    int op = ops[rng_below(&m->rng, 5)], k = (int)rng_below(&m->rng, KEYS);
    struct rows view = begin_statement(m, w);
    if (chance(m, 6)) check_view(m, w->txn, &view);
    if (chance(m, 4)) commit_meanwhile(m, k);
    /* Who locked a key and was told that no row is there does not update it. */
    bool absent = w->own.locked[k] > ROW_LOCK_SHARE && !w->own.vouched[k] && w->own.value[k] == NONE;
    if (absent && (op == WRITE_UPDATE || op == WRITE_DELETE)) op = WRITE_INSERT;
    int strength = strength_of(m, op);
    enum status want = expected(m, w, k, op, strength);
    txn_mark mark = txn_savepoint(w->txn);
    struct own before = w->own;
    enum status st = op == LOCK_ROW ? lock_row(m, w, k, strength)
                                    : write_row(m, w, k, op, strength, &view);
    if (st != want)
        fail_msg("key %d, operation %d: %s, should be %s", k, op, status_name(st), status_name(want));
    if (st != OK && st != NOT_FOUND) { /* such as a statement that fails */
        txn_rollback_to(w->txn, mark);
        w->own = before;
    }
    txn_statement_end(w->txn);
}

static void use_savepoint(struct model *m, struct writer *w)
{
    if (w->marks < MARKS && chance(m, 2)) {
        w->saved[w->marks] = w->own;
        w->mark[w->marks++] = txn_savepoint(w->txn);
    } else if (w->marks) {
        w->marks = (uint32_t)rng_below(&m->rng, w->marks);
        txn_rollback_to(w->txn, w->mark[w->marks]);
        w->own = w->saved[w->marks];
    }
}

static void use_writer(struct model *m)
{
    struct writer *w = &m->writers[rng_below(&m->rng, WRITERS)];
    if (!w->txn) begin_writer(m, w);
    else if (chance(m, 12)) end_writer(m, w, !chance(m, 4));
    else if (chance(m, 8)) use_savepoint(m, w);
    else write_something(m, w);
}

/* --- the whole --------------------------------------------------------------------------------- */

static void maintain(struct model *m)
{
    bool worked;
    if (chance(m, 12)) assert_int_equal(store_compact_tree(m->store, m->tree), OK);
    else if (chance(m, 4)) assert_int_equal(store_checkpoint(m->store), OK);
    else assert_int_equal(store_maintain(m->store, &worked), OK);
}

static enum status no_problem(void *ctx, const struct verify_finding *f)
{
    (void)ctx;
    if (f->problem) fail_msg("verify: %s", f->problem);
    return OK;
}

static uint64_t settled_disk_bytes(struct model *m)
{
    struct store_status status;
    bool worked = true;
    assert_int_equal(store_checkpoint(m->store), OK);
    while (worked) assert_int_equal(store_maintain(m->store, &worked), OK);
    store_get_status(m->store, &status);
    return status.disk_bytes;
}

/* All transactions end; after it the clock may have been set back. */
static void restart(struct model *m)
{
    for (int i = 0; i < READERS; i++)
        if (m->readers[i].txn) end_reader(&m->readers[i]);
    for (int i = 0; i < WRITERS; i++)
        if (m->writers[i].txn) end_writer(m, &m->writers[i], false);
    check_new_snapshot(m);
    uint64_t used = chance(m, 2) ? settled_disk_bytes(m) : 0;
    if (chance(m, 2)) store_abandon(m->store);
    else assert_int_equal(store_close(m->store), OK);
    sim_advance_us(m->os, chance(m, 2) ? 1000000 : -5000000);
    open_store(m);
    if (used) assert_int_equal(settled_disk_bytes(m), used); /* none was lost, none given back twice */
    check_new_snapshot(m);
    struct verify_sink sink = {.found = no_problem};
    assert_int_equal(store_verify(m->store, &sink), OK);
}

static void make_tree(struct model *m)
{
    struct txn *t = begin(m, READ_COMMITTED);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &m->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &m->last_ts), OK);
    tell_form(m->store, m->tree, m->form);
}

static void run_seed(uint64_t seed, uint32_t *levels)
{
    const struct sim_options so = {.seed = seed};
    struct model *m = mem_alloc(MEM_TEST, sizeof *m);
    struct tree_statistics tree;
    m->os = sim_new(&so);
    m->form = seed % FORMS;
    rng_seed(&m->rng, seed);
    open_store(m);
    make_tree(m);
    for (int i = 0; i < 3000; i++) {
        if (chance(m, 5)) use_reader(m);
        else if (chance(m, 12)) maintain(m);
        else if (chance(m, 700)) restart(m);
        else use_writer(m);
    }
    restart(m);
    assert_int_equal(store_get_statistics(m->store, m->tree, &tree), OK);
    if (tree.levels > *levels) *levels = tree.levels;
    store_abandon(m->store);
    sim_free(m->os);
    mem_free(MEM_TEST, m);
}

static void history(void **state)
{
    (void)state;
    const char *env = getenv("SEED");
    uint64_t first = env ? strtoull(env, NULL, 10) : 1;
    uint32_t levels = 0;
    for (uint64_t seed = first; seed < first + 8; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(seed, &levels);
    }
    assert_true(levels >= 3); /* else the deep ones were not tried */
    assert_int_equal(mem_bytes(MEM_TXN), 0);
}

int main(void)
{
    const struct log_options quiet = {.level = LOG_FATAL};
    const struct CMUnitTest tests[] = {cmocka_unit_test(history)};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
