/* Verification of versions and branches: what a bug, or a disk that gave back something old, could leave behind with
 * checksums that fit, planted one by one; each is found and named, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sim.h"
#include "core/lsm/tree_priv.h"
#include "core/mvcc/mvcc_priv.h"

struct world {
    struct os *os;
    struct store *s;
    tree_id tree;
    uint64_t first, second; /* commits: of "a" and "b", of "a" again */
};

static uint64_t put(struct world *w, struct branch *b, const char *key)
{
    struct txn_options o = {.branch = b};
    struct write_request q = {.tree = w->tree, .op = WRITE_PUT, .key = slice_of(key), .row = SLICE("row")};
    struct txn *t;
    uint64_t ts;
    assert_int_equal(txn_begin(w->s, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_write(t, &q), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &ts), OK);
    return ts;
}

static int begin(void **state)
{
    struct world *w = mem_alloc(MEM_BASE, sizeof *w);
    struct sim_options so = {.seed = 1};
    struct store_options o;
    struct log_options lo = {.level = LOG_FATAL};
    struct txn_options to = {0};
    struct txn *t;
    assert_int_equal(log_open(&lo), OK);
    w->os = sim_new(&so);
    store_options_init(&o);
    o.os = w->os;
    o.dir = "data";
    o.retention_us = INT64_MAX;
    assert_int_equal(store_open(&o, &w->s), OK);
    assert_int_equal(txn_begin(w->s, &to, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    w->first = put(w, NULL, "a");
    w->second = put(w, NULL, "a");
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    store_abandon(w->s);
    sim_free(w->os);
    mem_free(MEM_BASE, w);
    return 0;
}

/* A run with one version of "a", in that list of the tree. `end_ts`: of history. */
static void plant(struct world *w, tree_id id, uint32_t level, uint64_t ts, uint64_t end_ts)
{
    struct forest *f = w->s->forest;
    struct tree *t = forest_tree(f, id);
    struct run_options o = {.blocks = f->blocks, .cache = f->cache, .tree = id, .history = level == HISTORY};
    struct run_edit e = {.tree = id, .replay_lsn = t->replay_lsn};
    struct run_builder *b;
    struct strbuf meta;
    char row[11];
    memcpy(row, &end_ts, 8);
    memcpy(row + 8, "old", 3);
    struct slice text = o.history ? slice_make(row, sizeof row) : SLICE("row");
    struct entry x = {.key = SLICE("a"), .ts = ts, .row = text};
    strbuf_init(&meta, NULL);
    assert_int_equal(run_builder_new(&o, &b), OK);
    assert_int_equal(run_builder_add(b, &x), OK);
    assert_int_equal(run_builder_finish(b, &meta), OK);
    assert_int_equal(run_edit__add(f, &e, level, strbuf_slice(&meta)), OK);
    fmutex_lock(&t->mutex);
    fmutex_lock(&f->manifest_mutex);
    assert_int_equal(forest__log_edit(f, t, &e), OK);
    struct shape *next = shape__copy(t->shape);
    shape__add_run(next, level, e.added.data[0]);
    tree__set_shape(t, next);
    fmutex_unlock(&f->manifest_mutex);
    fmutex_unlock(&t->mutex);
    run_edit_release(&e);
    strbuf_release(&meta);
}

struct told {
    int problems;
    char words[1024];
};

static enum status found(void *ctx, const struct verify_finding *f)
{
    struct told *t = ctx;
    if (!f->problem) return OK;
    t->problems++;
    size_t n = strlen(t->words);
    snprintf(t->words + n, sizeof t->words - n, "%s (%s): %s; ", f->object, f->kind, f->problem);
    return OK;
}

static void expect(struct world *w, const char *words)
{
    struct told t = {0};
    struct verify_sink sink = {.found = found, .ctx = &t};
    assert_int_equal(store_verify(w->s, &sink), OK);
    if (!words && t.problems) fail_msg("sound, but told: %s", t.words);
    if (!words) return;
    /* What ended too soon shows in the bounds of its run, too. */
    if (!t.problems || t.problems > 2 || !strstr(t.words, words))
        fail_msg("%d problems, \"%s\" in place of \"%s\"", t.problems, t.words, words);
}

static struct branch *make_branch(struct world *w, const char *name)
{
    uint32_t id;
    assert_int_equal(store_create_branch(w->s, NULL, slice_of(name), NULL, &id), OK);
    return store_open_branch(w->s, slice_of(name));
}

/* --- versions ----------------------------------------------------------------------------------- */

static void sound(void **state)
{
    struct world *w = *state;
    struct branch *b = make_branch(w, "b");
    (void)put(w, b, "a");
    expect(w, NULL);
    assert_int_equal(store_checkpoint(w->s), OK);
    plant(w, w->tree, 1, w->first, 0);
    plant(w, w->tree, HISTORY, w->first, w->second);
    expect(w, NULL);
    store_close_branch(b);
}

static void of_the_future(void **state)
{
    struct world *w = *state;
    plant(w, w->tree, 0, w->second + 4096, 0);
    expect(w, "has a version of");
    expect(w, "but the newest commit is");
}

static void never_committed(void **state)
{
    struct world *w = *state;
    plant(w, w->tree, 1, 0, 0);
    expect(w, "has a version that was never committed");
}

static void behind_an_older(void **state)
{
    struct world *w = *state;
    plant(w, w->tree, 0, w->first, 0);
    plant(w, w->tree, 1, w->second, 0);
    expect(w, "key \\x61: run");
    expect(w, "behind one of");
}

static void behind_an_older_load(void **state)
{
    struct world *w = *state;
    plant(w, w->tree, 0, w->first, 0);
    plant(w, w->tree, 1, w->second - 1, 0);
    expect(w, NULL);
}

static void ended_too_soon(void **state)
{
    struct world *w = *state;
    plant(w, w->tree, HISTORY, w->second, w->first);
    expect(w, "that ended at");
}

static void ended_in_the_future(void **state)
{
    struct world *w = *state;
    plant(w, w->tree, HISTORY, w->first, w->second + 4096);
    expect(w, "that ended at");
}

static void in_memory(void **state)
{
    struct world *w = *state;
    struct memtable *m = tree_shape(forest_tree(w->s->forest, w->tree))->memories[0]->table;
    struct version *v = leaf_head(memtable_find(m, SLICE("a")));
    assert_true(v->begin == w->second && v->older->begin == w->first);
    v->begin = w->first;
    v->older->begin = w->second;
    expect(w, "memory has a version of");
    v->begin = w->second;
    v->older->begin = w->first;
    expect(w, NULL);
}

/* --- branches ----------------------------------------------------------------------------------- */

static void before_the_fork(void **state)
{
    struct world *w = *state;
    struct branch *b = make_branch(w, "b");
    (void)put(w, b, "b");
    plant(w, branch_overlay(b, w->tree), 0, w->first, 0);
    expect(w, "from before the fork at");
    store_close_branch(b);
}

static void of_no_branch(void **state)
{
    struct world *w = *state;
    struct branch *b = make_branch(w, "b");
    (void)put(w, b, "b");
    struct tree *t = forest_tree(w->s->forest, branch_overlay(b, w->tree));
    t->branch = 77;
    expect(w, "is of branch 77, which does not exist");
    t->branch = b->id;
    t->base = 4711;
    expect(w, "lies over tree 4711, which does not exist");
    t->base = w->tree;
    expect(w, NULL);
    store_close_branch(b);
}

static void of_another_line(void **state)
{
    struct world *w = *state;
    struct branch *b = make_branch(w, "b"), *c = make_branch(w, "c");
    (void)put(w, b, "b");
    (void)put(w, c, "b");
    struct tree *x = forest_tree(w->s->forest, branch_overlay(b, w->tree));
    struct tree *y = forest_tree(w->s->forest, branch_overlay(c, w->tree));
    y->base = x->id;
    expect(w, "which none of its ancestors has");
    y->base = w->tree;
    y->branch = b->id;
    expect(w, "and so does tree");
    y->branch = c->id;
    expect(w, NULL);
    store_close_branch(b);
    store_close_branch(c);
}

static void forked_in_the_future(void **state)
{
    struct world *w = *state;
    struct branch *b = make_branch(w, "b");
    uint64_t kept = b->fork_ts;
    b->fork_ts = hlc_from_wall_us(os_wall_us(w->os) + 60000000);
    expect(w, "forks after the newest commit");
    b->fork_ts = kept;
    b->marks[0] = 2 * kept;
    expect(w, "forks after the newest commit");
    b->marks[0] = kept;
    expect(w, "out of order");
    b->marks[0] = 0;
    expect(w, NULL);
    store_close_branch(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound, begin, end),
        cmocka_unit_test_setup_teardown(of_the_future, begin, end),
        cmocka_unit_test_setup_teardown(never_committed, begin, end),
        cmocka_unit_test_setup_teardown(behind_an_older, begin, end),
        cmocka_unit_test_setup_teardown(behind_an_older_load, begin, end),
        cmocka_unit_test_setup_teardown(ended_too_soon, begin, end),
        cmocka_unit_test_setup_teardown(ended_in_the_future, begin, end),
        cmocka_unit_test_setup_teardown(in_memory, begin, end),
        cmocka_unit_test_setup_teardown(before_the_fork, begin, end),
        cmocka_unit_test_setup_teardown(of_no_branch, begin, end),
        cmocka_unit_test_setup_teardown(of_another_line, begin, end),
        cmocka_unit_test_setup_teardown(forked_in_the_future, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
