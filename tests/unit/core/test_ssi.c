/* SERIALIZABLE against a model: transactions take turns at random, and what they read and wrote is then
 * laid out as a graph of who must come before whom. Those that committed form no cycle, however small the
 * bounds on what is tracked; under REPEATABLE READ they do, so the check sees cycles. Ranges of keys are
 * held against a plain list. */
#include "core/mvcc/ssi_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"

enum { KEYS = 10, LIVE = 5, TXNS = 80, SEEDS = 150, OPS_MAX = 4 };

static uint64_t seed_base;

/* --- ranges ------------------------------------------------------------------------------------ */

enum { OWNERS = 4, NODES = 200, RANGE_STEPS = 20000 };

struct seen {
    struct sx *owners[NODES];
    int count;
};

static void note(void *ctx, struct sx *owner)
{
    struct seen *s = ctx;
    s->owners[s->count++] = owner;
}

static struct key_range random_range(struct rng *r, char from[8], char to[8])
{
    int a = (int)rng_below(r, 50), b = a + (int)rng_below(r, 8);
    snprintf(from, 8, "%02d", a);
    snprintf(to, 8, "%02d", b);
    struct key_range range = {slice_of(from), slice_of(to), END_CLOSED};
    if (rng_below(r, 8) == 0) range = (struct key_range){slice_of(from), {0}, END_NONE};
    else if (b > a && rng_below(r, 2)) range.end = END_OPEN;
    else if (rng_below(r, 3) == 0) range = range_of_key(slice_of(from));
    return range;
}

static void ranges(void **state)
{
    (void)state;
    static struct sx owners[OWNERS];
    struct ssi_range *nodes[NODES], *root = NULL;
    struct rng r;
    rng_seed(&r, seed_base);
    int n = 0;
    char from[8], to[8];
    for (int step = 0; step < RANGE_STEPS; step++) {
        struct key_range range = random_range(&r, from, to);
        struct sx *owner = &owners[rng_below(&r, OWNERS)];
        struct ssi_range *same = ssi__find(root, range.from, owner);
        if (n < NODES && !same && rng_below(&r, 2)) {
            nodes[n] = ssi__range_new(owner, &range);
            ssi__insert(&root, nodes[n++]);
        } else if (n && rng_below(&r, 3)) {
            int at = (int)rng_below(&r, (uint32_t)n);
            ssi__remove(&root, nodes[at]);
            mem_free(MEM_TXN, nodes[at]);
            nodes[at] = nodes[--n];
        }
        struct seen s = {.count = 0};
        ssi__each_overlap(root, &range, note, &s);
        int want = 0;
        for (int i = 0; i < n; i++) want += ssi__overlaps(&nodes[i]->r, &range);
        assert_int_equal(s.count, want);
    }
    while (n) {
        ssi__remove(&root, nodes[--n]);
        mem_free(MEM_TXN, nodes[n]);
    }
    assert_null(root);
}

/* --- the model --------------------------------------------------------------------------------- */

struct past { /* a transaction that committed */
    uint64_t snapshot, ts; /* ts 0: it wrote nothing */
    bool read[KEYS], wrote[KEYS];
};

struct live {
    struct txn *txn;
    struct past p;
    bool has_snapshot;
};

struct model {
    struct store *s;
    tree_id tree;
    struct rng r;
    enum isolation isolation;
    struct live live[LIVE];
    int holder[KEYS]; /* who may write it: live number + 1; 0: nobody has */
    struct past past[TXNS];
    int count, failures;
};

static struct slice key_of(int k, char buf[8])
{
    snprintf(buf, 8, "k%02d", k);
    return slice_of(buf);
}

static uint32_t below(struct model *m, uint32_t n)
{
    return (uint32_t)rng_below(&m->r, n);
}

static void begin(struct model *m, struct live *l)
{
    struct txn_options o = {.isolation = m->isolation, .read_only = below(m, 4) == 0,
                            .early = below(m, 2) == 0};
    *l = (struct live){0};
    assert_int_equal(txn_begin(m->s, &o, &l->txn), OK);
}

static void ended(struct model *m, struct live *l)
{
    int number = (int)(l - m->live) + 1;
    for (int k = 0; k < KEYS; k++)
        if (m->holder[k] == number) m->holder[k] = 0;
    l->txn = NULL;
}

static void failed(struct model *m, struct live *l, enum status st)
{
    if (st != SERIALIZATION_FAILURE) fail_msg("status %d: %s", st, error_current()->message);
    txn_abort(l->txn);
    ended(m, l);
    m->failures++;
}

static enum status read_point(struct model *m, struct live *l, struct txn *t)
{
    char kb[8];
    int k = (int)below(m, KEYS);
    struct slice row;
    l->p.read[k] = true;
    if (below(m, 2)) {
        struct point_get_request q = {m->tree, key_of(k, kb)};
        enum status st = store_point_get(t, &q, &row);
        return st == NOT_FOUND ? OK : st;
    }
    struct slice key = key_of(k, kb);
    struct multi_get_request q = {m->tree, &key, 1};
    return store_multi_get(t, &q, &row);
}

static int number_of(struct slice key)
{
    return (key.data[1] - '0') * 10 + key.data[2] - '0';
}

static enum status read_range(struct model *m, struct live *l, struct txn *t)
{
    char lb[8], ub[8];
    int from = (int)below(m, KEYS), to = from + 1 + (int)below(m, (uint32_t)(KEYS - from));
    struct scan_request q = {.tree = m->tree, .lower = key_of(from, lb), .upper = key_of(to, ub),
                             .reverse = below(m, 2) == 0};
    if (from == 0 && below(m, 2)) q.lower.data = NULL, q.lower.len = 0;
    if (to == KEYS && below(m, 2)) q.upper.data = NULL, q.upper.len = 0;
    struct cursor *c;
    TRY(store_scan(t, &q, &c));
    enum status st = OK;
    for (uint32_t batches = 1 + below(m, 4); batches && st == OK; batches--) {
        struct slice keys[2], rows[2];
        uint32_t n;
        st = cursor_next(c, keys, rows, 1 + below(m, 2), &n);
        if (st != OK) break;
        int last = n ? number_of(keys[n - 1]) : q.reverse ? from : to - 1;
        for (int k = from; k < to; k++)
            if (q.reverse ? k >= last : k <= last) l->p.read[k] = true;
        if (!n) break;
    }
    cursor_close(c);
    return st;
}

static enum status write_one(struct model *m, struct live *l)
{
    char kb[8];
    int k = (int)below(m, KEYS), number = (int)(l - m->live) + 1;
    if (l->txn->options.read_only || (m->holder[k] && m->holder[k] != number)) return OK;
    struct write_request w = {m->tree, below(m, 3) ? WRITE_PUT : WRITE_DELETE, key_of(k, kb),
                              SLICE("row")};
    struct lock_request q = {.tree = m->tree, .key = w.key, .mode = ROW_LOCK_UPDATE};
    struct lock_result got;
    if (below(m, 3) == 0) { /* without looking */
        w.op = WRITE_INSERT;
        txn_mark mark = txn_savepoint(l->txn);
        enum status st = store_write(l->txn, &w);
        if (st == UNIQUE_VIOLATION) txn_rollback_to(l->txn, mark);
        if (st != OK) return st == UNIQUE_VIOLATION ? OK : st;
        m->holder[k] = number;
        l->p.wrote[k] = true;
        return OK;
    }
    TRY(store_lock(l->txn, &q, &got)); /* as an UPDATE does: else PUT writes over what it did not see */
    m->holder[k] = number;
    l->p.read[k] = true;
    if (w.op == WRITE_DELETE && !got.row.data) return OK;
    TRY(store_write(l->txn, &w));
    l->p.wrote[k] = true;
    return OK;
}

static enum status statement(struct model *m, struct live *l)
{
    enum status st;
    txn_statement_begin(l->txn);
    l->p.snapshot = txn_snapshot_ts(l->txn);
    uint32_t what = below(m, 8);
    struct txn *t = l->txn;
    if (what < 3) {
        st = write_one(m, l);
    } else {
        if (what == 3) txn_begin_helper(l->txn, &t);
        if (what == 4) t = txn_begin_reader(l->txn);
        st = below(m, 2) ? read_point(m, l, t) : read_range(m, l, t);
        if (what == 3) txn_end_helper(t);
        if (what == 4) txn_end_reader(t);
    }
    if (st == OK) txn_statement_end(l->txn);
    return st;
}

static void commit(struct model *m, struct live *l)
{
    enum status st = txn_commit(l->txn, below(m, 2) ? COMMIT_SYNC : COMMIT_ASYNC, &l->p.ts);
    if (st == OK) m->past[m->count++] = l->p;
    else m->failures++;
    if (st != OK && st != SERIALIZATION_FAILURE) fail_msg("commit: %s", error_current()->message);
    ended(m, l);
}

static void step(struct model *m)
{
    struct live *l = &m->live[below(m, LIVE)];
    if (!l->txn) {
        if (m->count < TXNS - LIVE) begin(m, l);
        return;
    }
    uint32_t what = below(m, 8);
    if (what < 5) {
        enum status st = statement(m, l);
        if (st != OK) failed(m, l, st);
    } else if (what == 5 && below(m, 3) == 0) {
        txn_abort(l->txn);
        ended(m, l);
    } else if (what > 5) {
        commit(m, l);
    }
}

/* --- the check --------------------------------------------------------------------------------- */

static bool must_precede(const struct past *a, const struct past *b)
{
    for (int k = 0; k < KEYS; k++) {
        if (a->wrote[k] && b->wrote[k] && a->ts < b->ts) return true;
        if (a->wrote[k] && b->read[k] && a->ts <= b->snapshot) return true;
        if (a->read[k] && b->wrote[k] && b->ts > a->snapshot) return true;
    }
    return false;
}

static void print_past(int number, const struct past *p, int next)
{
    print_message("%d: %llu to %llu, reads", number, (unsigned long long)(p->snapshot & 0xffffffff),
                  (unsigned long long)(p->ts & 0xffffffff));
    for (int k = 0; k < KEYS; k++)
        if (p->read[k]) print_message(" %d", k);
    print_message(", writes");
    for (int k = 0; k < KEYS; k++)
        if (p->wrote[k]) print_message(" %d", k);
    print_message("; before %d\n", next);
}

static bool finds_cycle(const struct model *m, int at, uint8_t *color)
{
    color[at] = 1;
    for (int i = 0; i < m->count; i++) {
        if (i == at || color[i] == 2 || !must_precede(&m->past[at], &m->past[i])) continue;
        if (color[i] == 1 || finds_cycle(m, i, color)) {
            if (m->isolation == SERIALIZABLE) print_past(at, &m->past[at], i);
            return true;
        }
    }
    color[at] = 2;
    return false;
}

static bool has_cycle(const struct model *m)
{
    uint8_t color[TXNS] = {0};
    for (int i = 0; i < m->count; i++)
        if (!color[i] && finds_cycle(m, i, color)) return true;
    return false;
}

static struct store *open_store(struct os *os)
{
    struct store_options o;
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    o.memtable_bytes = 48 << 10;
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    struct store *s;
    if (store_open(&o, &s) != OK) fail_msg("open: %s", error_current()->message);
    return s;
}

static struct txn *begin_level(struct store *s, enum isolation isolation, bool read_only)
{
    struct txn_options o = {.isolation = isolation, .read_only = read_only};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    return t;
}

static tree_id make_tree(struct store *s)
{
    tree_id tree;
    struct txn *t = begin_level(s, READ_COMMITTED, false);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    return tree;
}

/* When all have ended, and all commits can be seen, nothing is left of anybody. */
static void check_empty(struct store *s, tree_id tree)
{
    for (int i = 0; i < 2; i++) {
        struct txn *t = begin_level(s, SERIALIZABLE, false);
        struct write_request w = {tree, WRITE_PUT, SLICE("end"), SLICE("")};
        txn_statement_begin(t);
        if (!i) assert_int_equal(store_write(t, &w), OK);
        txn_statement_end(t);
        assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    }
    assert_int_equal(s->ssi->active.count, 0);
    assert_int_equal(s->ssi->committed.count, 0);
    assert_int_equal(s->ssi->bytes, 0);
    assert_int_equal(s->ssi->reads_all, 0);
}

static void run_seed(uint64_t seed, enum isolation isolation, uint32_t most, struct model *m)
{
    struct sim_options so = {.seed = seed};
    struct os *os = sim_new(&so);
    *m = (struct model){.s = open_store(os), .isolation = isolation};
    rng_seed(&m->r, seed);
    m->tree = make_tree(m->s);
    m->s->ssi->committed_max = m->s->ssi->ranges_max = most;
    for (int i = 0; i < 4000 && m->count < TXNS - LIVE; i++) {
        step(m);
        if (below(m, 200) == 0) assert_int_equal(store_checkpoint(m->s), OK);
    }
    for (int i = 0; i < LIVE; i++)
        if (m->live[i].txn) commit(m, &m->live[i]);
    check_empty(m->s, m->tree);
    assert_int_equal(store_close(m->s), OK);
    sim_free(os);
}

static void model(void **state)
{
    (void)state;
    static struct model m;
    int cycles = 0, committed = 0, failures = 0;
    for (uint64_t seed = seed_base; seed < seed_base + SEEDS; seed++) {
        uint32_t most = seed % 3 == 0 ? 1000 : seed % 3 == 1 ? 2 : 1;
        run_seed(seed, SERIALIZABLE, most, &m);
        if (has_cycle(&m)) fail_msg("seed %llu: a cycle", (unsigned long long)seed);
        if (most == 1000) {
            committed += m.count;
            failures += m.failures;
        }
    }
    for (uint64_t seed = seed_base; seed < seed_base + SEEDS / 3; seed++) {
        run_seed(seed, REPEATABLE_READ, 1000, &m);
        cycles += has_cycle(&m);
    }
    print_message("%d committed, %d failed; under REPEATABLE READ %d runs of %d have cycles\n",
                  committed, failures, cycles, SEEDS / 3);
    assert_true(cycles > SEEDS / 6);
    assert_true(committed > failures);
}

/* --- cases ------------------------------------------------------------------------------------- */

static struct store *store;
static tree_id tree;

static enum status get(struct txn *t, const char *key)
{
    struct point_get_request q = {tree, slice_of(key)};
    struct slice row;
    txn_statement_begin(t);
    enum status st = store_point_get(t, &q, &row);
    txn_statement_end(t);
    return st == NOT_FOUND ? OK : st;
}

static enum status put(struct txn *t, const char *key)
{
    struct write_request w = {tree, WRITE_PUT, slice_of(key), SLICE("row")};
    txn_statement_begin(t);
    enum status st = store_write(t, &w);
    txn_statement_end(t);
    return st;
}

static enum status end(struct txn *t)
{
    return txn_commit(t, COMMIT_SYNC, NULL);
}

static void with_store(void (*fn)(void))
{
    struct sim_options so = {.seed = seed_base};
    struct os *os = sim_new(&so);
    store = open_store(os);
    tree = make_tree(store);
    fn();
    check_empty(store, tree);
    assert_int_equal(store_close(store), OK);
    sim_free(os);
}

static void check_reason(enum status st, const char *reason)
{
    assert_int_equal(st, SERIALIZATION_FAILURE);
    assert_non_null(strstr(error_current()->detail, reason));
}

static void skew(void)
{
    struct txn *a = begin_level(store, SERIALIZABLE, false);
    struct txn *b = begin_level(store, SERIALIZABLE, false);
    assert_int_equal(get(a, "x"), OK);
    assert_int_equal(get(b, "y"), OK);
    assert_int_equal(put(a, "y"), OK);
    assert_int_equal(put(b, "x"), OK);
    assert_int_equal(end(a), OK);
    check_reason(end(b), "identification as a pivot, during commit attempt");
}

/* Fekete, O'Neil, O'Neil 2004: only the reader makes it an anomaly. */
static void reader_anomaly(void)
{
    for (int before = 0; before < 2; before++) {
        struct txn *pivot = begin_level(store, SERIALIZABLE, false);
        assert_int_equal(get(pivot, "x"), OK);
        assert_int_equal(get(pivot, "y"), OK);
        struct txn *reader = begin_level(store, SERIALIZABLE, true);
        if (before) assert_int_equal(get(reader, "x"), OK);
        struct txn *first = begin_level(store, SERIALIZABLE, false);
        assert_int_equal(put(first, "y"), OK);
        assert_int_equal(end(first), OK);
        assert_int_equal(get(reader, "x"), OK);
        assert_int_equal(get(reader, "y"), OK);
        assert_int_equal(end(reader), OK);
        enum status st = put(pivot, "x");
        if (before) { /* its snapshot came before the commit: it is the first of all */
            assert_int_equal(st, OK);
            assert_int_equal(end(pivot), OK);
        } else {
            check_reason(st, "identification as a pivot, during write");
            txn_abort(pivot);
        }
    }
}

static void safe_snapshot(void)
{
    struct txn *writer = begin_level(store, SERIALIZABLE, false);
    assert_int_equal(put(writer, "x"), OK);
    struct txn *reader = begin_level(store, SERIALIZABLE, true);
    assert_int_equal(get(reader, "y"), OK);
    assert_true(reader->ssi && !reader->ssi->safe);
    assert_int_equal(end(writer), OK);
    assert_true(reader->ssi->safe);
    assert_int_equal(get(reader, "z"), OK);
    assert_int_equal(end(reader), OK);
    reader = begin_level(store, SERIALIZABLE, true);
    assert_int_equal(get(reader, "y"), OK);
    assert_null(reader->ssi);
    assert_int_equal(end(reader), OK);
}

/* What was read of a tree that is gone by the time of the write. */
static void dropped(void)
{
    tree_id index = make_tree(store), table = tree;
    struct txn *a = begin_level(store, SERIALIZABLE, false);
    struct txn *b = begin_level(store, SERIALIZABLE, false);
    assert_int_equal(get(b, "y"), OK);
    tree = index;
    assert_int_equal(get(a, "x"), OK);
    tree = table;
    assert_int_equal(put(a, "y"), OK);
    assert_int_equal(end(a), OK);
    struct txn *ddl = begin_level(store, READ_COMMITTED, false);
    txn_statement_begin(ddl);
    assert_int_equal(store_drop_tree(ddl, index), OK);
    txn_statement_end(ddl);
    assert_int_equal(end(ddl), OK);
    check_reason(put(b, "x"), "during write");
    txn_abort(b);
}

/* Others take no part, and those that come one after another never fail. */
static void bystanders(void)
{
    struct txn *a = begin_level(store, SERIALIZABLE, false);
    struct txn *b = begin_level(store, REPEATABLE_READ, false);
    assert_int_equal(get(a, "x"), OK);
    assert_int_equal(get(b, "y"), OK);
    assert_int_equal(put(a, "y"), OK);
    assert_int_equal(put(b, "x"), OK);
    assert_int_equal(end(a), OK);
    assert_int_equal(end(b), OK);
    for (int i = 0; i < 50; i++) {
        a = begin_level(store, SERIALIZABLE, false);
        assert_int_equal(get(a, i % 2 ? "x" : "y"), OK);
        assert_int_equal(put(a, i % 2 ? "y" : "x"), OK);
        assert_int_equal(end(a), OK);
    }
}

/* Who begins before a commit is durable does not see it, though the one who commits was alone. */
static void not_durable_yet(void)
{
    struct txn *a = begin_level(store, SERIALIZABLE, false);
    assert_int_equal(get(a, "x"), OK);
    assert_int_equal(put(a, "y"), OK);
    uint64_t visible = store->visible_ts;
    store->ssi->merging = true; /* the simulated log is durable at once: so that it is not told yet */
    assert_int_equal(end(a), OK);
    store->ssi->merging = false;
    uint64_t after = store->visible_ts;
    assert_true(after > visible);
    store->visible_ts = visible;
    struct txn *b = begin_level(store, SERIALIZABLE, false);
    assert_int_equal(get(b, "y"), OK);
    store->visible_ts = after;
    check_reason(put(b, "x"), "identification as a pivot, during write");
    txn_abort(b);
}

static void given_up(void)
{
    struct txn *a = begin_level(store, SERIALIZABLE, false);
    struct txn *b = begin_level(store, SERIALIZABLE, false);
    assert_int_equal(get(a, "x"), OK);
    assert_int_equal(get(b, "y"), OK);
    assert_int_equal(put(a, "y"), OK);
    txn_give_up(a);
    txn_rollback_to(a, 0);
    assert_int_equal(put(b, "x"), OK);
    assert_int_equal(end(b), OK);
    txn_abort(a);
}

static void cases(void **state)
{
    (void)state;
    with_store(skew);
    with_store(reader_anomaly);
    with_store(safe_snapshot);
    with_store(dropped);
    with_store(bystanders);
    with_store(not_durable_yet);
    with_store(given_up);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(cases),
                                       cmocka_unit_test(model)};
    seed_base = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    print_message("seed %llu\n", (unsigned long long)seed_base);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
