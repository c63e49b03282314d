/* Places of keys in runs are kept with the shape, noted by writers and moved on by flushes and merges: after random writes,
 * scans, flushes and merges each is where a search finds the key. And memtables of trees that are read by columns are
 * frozen early. */
#include "core/lsm/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"
#include "core/columns.h"
#include "core/mvcc/mvcc_priv.h"
#include "types/row.h"

enum { KEYS = 20000, STEPS = 60, EARLY_KEYS = 40000 };

static const type_id types[] = {TYPE_INT4, TYPE_INT8};
static uint64_t seed;

struct fixture {
    struct os *os;
    struct store *store;
    struct rng rng;
    struct arena arena;
    const struct row_layout *layout;
    tree_id tree;
    uint64_t compared, in_runs, moved;
};

static struct txn *begin(struct fixture *f)
{
    struct txn_options o = {0};
    struct txn *t;
    assert_int_equal(txn_begin(f->store, &o, &t), OK);
    txn_statement_begin(t);
    return t;
}

static void commit(struct txn *t)
{
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_ASYNC, NULL), OK);
}

static void setup(struct fixture *f)
{
    struct sim_options sim = {.seed = seed};
    struct store_options o;
    struct tree_columns c = {2, types, NULL};
    *f = (struct fixture){0};
    rng_seed(&f->rng, seed);
    arena_init(&f->arena, MEM_TEST);
    f->layout = row_layout_new(&f->arena, types, 2);
    f->os = sim_new(&sim);
    store_options_init(&o);
    o.os = f->os;
    o.dir = "data";
    o.level1_bytes = 1 << 20;
    o.run_bytes = 128 << 10;
    assert_int_equal(store_open(&o, &f->store), OK);
    struct txn *t = begin(f);
    assert_int_equal(store_create_tree(t, &f->tree), OK);
    commit(t);
    store_set_tree_columns(f->store, f->tree, &c);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(store_close(f->store), OK);
    sim_free(f->os);
    arena_release(&f->arena);
}

static void write_key(struct fixture *f, struct txn *t, uint32_t k, enum write_op op)
{
    struct datum v[2] = {{.v.i32 = (int32_t)k}, {.v.i64 = (int64_t)rng_u64(&f->rng)}};
    uint32_t be = __builtin_bswap32(k);
    struct strbuf row;
    strbuf_init(&row, NULL);
    row_encode(f->layout, v, &row);
    struct slice none = {0};
    struct write_request q = {.tree = f->tree, .op = op, .key = slice_make(&be, sizeof be),
                              .row = op == WRITE_DELETE ? none : strbuf_slice(&row)};
    enum status st = store_write(t, &q);
    if (st == NOT_FOUND) error_clear(); /* to be changed, and not there */
    else assert_int_equal(st, OK);
    strbuf_release(&row);
}

static void write_some(struct fixture *f, uint32_t n)
{
    static const enum write_op ops[] = {WRITE_PUT, WRITE_PUT, WRITE_UPDATE, WRITE_UPDATE, WRITE_DELETE};
    struct txn *t = begin(f);
    for (uint32_t i = 0; i < n; i++)
        write_key(f, t, (uint32_t)rng_below(&f->rng, KEYS), ops[rng_below(&f->rng, 5)]);
    txn_statement_end(t);
    if (rng_below(&f->rng, 8)) assert_int_equal(txn_commit(t, COMMIT_ASYNC, NULL), OK);
    else txn_abort(t);
}

static void scan(struct fixture *f)
{
    static const uint32_t numbers[] = {1};
    static const type_id asked[] = {TYPE_INT8};
    struct column_scan_request q = {.tree = f->tree, .numbers = numbers, .types = asked, .count = 1};
    struct column_scan *s;
    struct txn *t = begin(f);
    assert_int_equal(store_column_scan(t, &q, &s), OK);
    column_scan_free(s);
    commit(t);
}

static void check_memory(struct fixture *f, const struct shape *s, uint32_t memory, struct place_finder *finder)
{
    struct leaf_list list;
    struct leaf *leaf;
    struct places *p = s->places[memory];
    size_t open = 0;
    f->moved += p->list.count > 0; /* before it is brought up */
    assert_int_equal(places_lock(p, s, memory, finder), OK);
    memtable_list(s->memories[memory]->table, &list);
    assert_int_equal(list.left, p->list.count);
    for (uint32_t i = 0; memtable_list_next(&list, &leaf, 1); i++) {
        struct place at = p->list.data[i], found;
        if (open < p->open.count && p->open.data[open].at == i) at = p->open.data[open++].place;
        assert_int_equal(place_find(finder, leaf_key(leaf), NULL, &found), OK);
        assert_int_equal(at.run, found.run);
        if (at.run == PLACE_NONE) continue;
        assert_int_equal(at.position, found.position);
        f->in_runs++;
    }
    f->compared += p->list.count;
    places_unlock(p);
}

static void check(struct fixture *f)
{
    struct place_finder finder;
    struct txn *t = begin(f); /* holds the shape */
    const struct shape *s = tree_shape(forest_tree(f->store->forest, f->tree));
    place_finder_init(&finder, s);
    for (uint32_t i = 0; i < s->memory_count; i++)
        if (s->places[i]) check_memory(f, s, i, &finder);
    place_finder_end(&finder);
    commit(t);
}

static void freeze(struct fixture *f)
{
    struct txn *t = begin(f);
    struct tree *tree = forest_tree(f->store->forest, f->tree);
    assert_int_equal(tree_freeze(tree, tree_shape(tree)->memories[0]), OK);
    commit(t);
}

static void test_moves(void **state)
{
    (void)state;
    struct fixture f;
    bool worked;
    setup(&f);
    write_some(&f, KEYS);
    assert_int_equal(store_checkpoint(f.store), OK);
    for (int i = 0; i < STEPS; i++) {
        write_some(&f, (uint32_t)rng_below(&f.rng, 1500));
        if (rng_below(&f.rng, 3)) scan(&f);
        if (rng_below(&f.rng, 2)) freeze(&f);
        if (rng_below(&f.rng, 2)) write_some(&f, (uint32_t)rng_below(&f.rng, 500));
        if (rng_below(&f.rng, 2)) assert_int_equal(store_maintain(f.store, &worked), OK);
        check(&f);
    }
    assert_true(f.compared > 1000 && f.in_runs > 1000 && f.moved > 5);
    teardown(&f);
}

static uint32_t memories(struct fixture *f)
{
    struct txn *t = begin(f);
    uint32_t n = tree_shape(forest_tree(f->store->forest, f->tree))->memory_count;
    commit(t);
    return n;
}

static void write_all(struct fixture *f, uint32_t n)
{
    struct txn *t = begin(f);
    for (uint32_t k = 0; k < n; k++) write_key(f, t, k, WRITE_PUT);
    commit(t);
}

static void test_early(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    write_all(&f, EARLY_KEYS);
    assert_int_equal(store_checkpoint(f.store), OK);
    write_all(&f, EARLY_KEYS);
    assert_int_equal(memories(&f), 1); /* nobody reads it by columns */
    scan(&f);
    write_all(&f, EARLY_KEYS);
    assert_int_equal(memories(&f), 2); /* and no more, while it waits */
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves), cmocka_unit_test(test_early)};
    seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)monotonic_us();
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
