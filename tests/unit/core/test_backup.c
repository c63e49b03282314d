/* Backups, whole and incremental, and archived log, against a model: random transactions, loads and branches on the
 * simulated disk, with flushes, merges, power losses at random moments, in the middle of archiving and of backups,
 * too. What is restored at a random commit is what the model had then; at the end of the log, with its branches. */
#include "core/backup.h"

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

enum { KEYS = 80, BRANCHES = 4, STATES_MAX = 3000, BACKUPS_MAX = 60, OPS_MAX = 6 };

struct state {
    uint64_t ts;
    int value[KEYS]; /* 0: absent */
};

struct branch_model {
    bool alive;
    char name[16];
    int value[KEYS];
};

struct world {
    struct os *os;
    struct store *s;
    tree_id tree;
    struct rng r;
    struct state *states;
    int count, next, named;
    struct branch_model branches[BRANCHES];
    int unsure_branch; /* that was being made or dropped, or written to: plus 1 */
    char backups[BACKUPS_MAX][32];
    uint64_t backup_ts[BACKUPS_MAX];
    int backup_count;
    int restores, loads, increments, crashes;
};

static struct store *open_at(struct world *w, const char *dir, const char *archive)
{
    struct store_options o;
    struct store *s;
    store_options_init(&o);
    o.os = w->os;
    o.dir = dir;
    o.memtable_bytes = 16 << 10;
    o.cache_bytes = 256 << 10;
    o.wal_file_bytes = 64 << 10;
    o.level1_bytes = 128 << 10;
    o.archive_dir = archive;
    enum status st = store_open(&o, &s);
    if (st != OK) fail_msg("open %s: %s", dir, error_current()->message);
    if (w->tree) tell_form(s, w->tree, rng_below(&w->r, FORMS));
    return s;
}

static void open_source(struct world *w)
{
    w->s = open_at(w, "data", "archive");
}

static struct state *last_state(struct world *w)
{
    return &w->states[w->count - 1];
}

static void add_state(struct world *w, uint64_t ts, const int value[KEYS])
{
    assert_true(w->count < STATES_MAX);
    w->states[w->count].ts = ts;
    memcpy(w->states[w->count++].value, value, sizeof w->states[0].value);
}

/* --- reading ------------------------------------------------------------------------------------ */

static void read_all(struct store *s, tree_id tree, const char *name, int ret[KEYS])
{
    struct branch *b = name ? store_open_branch(s, slice_of(name)) : NULL;
    if (name && !b) fail_msg("branch %s is not there", name);
    struct txn_options o = {.branch = b};
    struct txn *t;
    assert_int_equal(txn_begin(s, &o, &t), OK);
    txn_statement_begin(t);
    for (int k = 0; k < KEYS; k++) {
        char kb[16], rb[600];
        struct point_get_request q = {tree, scattered_key(k, kb)};
        struct slice row;
        enum status st = store_point_get(t, &q, &row);
        if (st != OK && st != NOT_FOUND) fail_msg("read: %s", error_current()->message);
        ret[k] = 0;
        if (st != OK) continue;
        ret[k] = row_number(row);
        assert_true(slice_eq(row, row_of(ret[k], rb)));
    }
    txn_statement_end(t);
    txn_abort(t);
    store_close_branch(b);
}

static void check_same(const int found[KEYS], const int want[KEYS], const char *what)
{
    for (int k = 0; k < KEYS; k++)
        if (found[k] != want[k]) fail_msg("%s: key %d is %d in place of %d", what, k, found[k], want[k]);
}

static enum status no_problem(void *ctx, const struct verify_finding *f)
{
    (void)ctx;
    if (f->problem) fail_msg("%s (%s): %s", f->object, f->kind, f->problem);
    return OK;
}

static void check_sound(struct store *s)
{
    struct verify_sink sink = {.found = no_problem};
    assert_int_equal(store_verify(s, &sink), OK);
}

/* --- writing ------------------------------------------------------------------------------------ */

static enum status write_some(struct world *w, struct txn *t, int value[KEYS])
{
    enum status st = OK;
    int n = 1 + (int)rng_below(&w->r, OPS_MAX);
    for (int i = 0; i < n && st == OK; i++) {
        char kb[16], rb[600];
        int k = (int)rng_below(&w->r, KEYS), v = rng_below(&w->r, 4) ? ++w->next : 0;
        struct write_request q = {.tree = w->tree, .op = v ? WRITE_PUT : WRITE_DELETE, .key = scattered_key(k, kb)};
        if (v) q.row = row_of(v, rb);
        txn_statement_begin(t);
        st = store_write(t, &q);
        txn_statement_end(t);
        if (st == NOT_FOUND) st = OK;
        if (st == OK) value[k] = v;
    }
    return st;
}

static enum status load_some(struct world *w, struct txn *t, int value[KEYS])
{
    struct load_tree one = {w->tree, true};
    struct load *l;
    txn_statement_begin(t);
    enum status st = store_load_begin(t, &one, 1, &l);
    for (int k = 0; k < KEYS && st == OK; k++) {
        char kb[16], rb[600];
        if (value[k] || rng_below(&w->r, 2)) continue;
        value[k] = ++w->next;
        st = store_load_add(l, 0, scattered_key(k, kb), row_of(value[k], rb), (uint64_t)w->next);
    }
    if (st == OK) st = store_load_finish(l);
    if (st != IO_ERROR || l) store_load_free(l);
    txn_statement_end(t);
    w->loads++;
    return st;
}

static enum status run_txn(struct world *w)
{
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    uint64_t ts;
    int value[KEYS];
    memcpy(value, last_state(w)->value, sizeof value);
    assert_int_equal(txn_begin(w->s, &o, &t), OK);
    enum status st = rng_below(&w->r, 10) ? write_some(w, t, value) : load_some(w, t, value);
    if (st != OK || rng_below(&w->r, 6) == 0) {
        txn_abort(t);
        return st;
    }
    TRY(txn_commit(t, COMMIT_SYNC, &ts));
    if (ts) add_state(w, ts, value);
    return OK;
}

static enum status write_branch(struct world *w, int i)
{
    struct branch_model *m = &w->branches[i];
    struct branch *b = store_open_branch(w->s, slice_of(m->name));
    struct txn_options o = {.isolation = READ_COMMITTED, .branch = b};
    struct txn *t;
    int value[KEYS];
    memcpy(value, m->value, sizeof value);
    assert_int_equal(txn_begin(w->s, &o, &t), OK);
    enum status st = write_some(w, t, value);
    if (st == OK) st = txn_commit(t, COMMIT_SYNC, NULL);
    else txn_abort(t);
    if (st == OK) memcpy(m->value, value, sizeof value);
    store_close_branch(b);
    return st;
}

static enum status change_branch(struct world *w)
{
    int i = (int)rng_below(&w->r, BRANCHES);
    struct branch_model *m = &w->branches[i];
    uint32_t id;
    w->unsure_branch = i + 1;
    if (!m->alive) {
        snprintf(m->name, sizeof m->name, "b%d", ++w->named);
        TRY(store_create_branch(w->s, NULL, slice_of(m->name), NULL, &id));
        m->alive = true;
        memcpy(m->value, last_state(w)->value, sizeof m->value);
    } else if (rng_below(&w->r, 5) == 0) {
        struct branch *b = store_open_branch(w->s, slice_of(m->name));
        enum status st = store_drop_branch(b);
        if (st != OK) return store_close_branch(b), st;
        m->alive = false;
    } else {
        TRY(write_branch(w, i));
    }
    w->unsure_branch = 0;
    return OK;
}

/* --- backups ------------------------------------------------------------------------------------ */

static enum status make_backup(struct world *w)
{
    int n = w->backup_count;
    struct backup_options o = {.path = w->backups[n], .compress = rng_below(&w->r, 2)};
    struct backup_result r;
    if (n == BACKUPS_MAX) return OK;
    snprintf(w->backups[n], sizeof w->backups[n], "backups/%d-%d", n, w->crashes);
    if (n && rng_below(&w->r, 3)) o.previous = w->backups[rng_below(&w->r, (uint64_t)n)];
    TRY(store_backup(w->s, &o, &r));
    w->increments += r.copied_runs < r.runs;
    w->backup_ts[n] = r.ts;
    w->backup_count++;
    return OK;
}

static const struct state *state_at(const struct world *w, uint64_t ts)
{
    const struct state *found = &w->states[0];
    for (int i = 0; i < w->count && w->states[i].ts <= ts; i++) found = &w->states[i];
    return found;
}

static void check_restored(struct world *w, const char *dir, uint64_t ts, bool latest)
{
    int found[KEYS];
    struct store *s = open_at(w, dir, NULL);
    read_all(s, w->tree, NULL, found);
    check_same(found, state_at(w, ts)->value, latest ? "latest" : "restored");
    for (int i = 0; i < BRANCHES && latest; i++) {
        struct branch *b = store_open_branch(s, slice_of(w->branches[i].name));
        if ((b != NULL) != w->branches[i].alive) fail_msg("branch %s: is it there? %d", w->branches[i].name, b != NULL);
        store_close_branch(b);
        if (!w->branches[i].alive) continue;
        read_all(s, w->tree, w->branches[i].name, found);
        check_same(found, w->branches[i].value, w->branches[i].name);
    }
    check_sound(s);
    assert_int_equal(store_close(s), OK);
}

static void remove_tree(struct os *os, const char *dir)
{
    struct arena a;
    char **names;
    size_t n;
    arena_init(&a, MEM_BASE);
    assert_int_equal(os_list(os, dir, &a, &names, &n), OK);
    for (size_t i = 0; i < n; i++) {
        const char *path = arena_printf(&a, "%s/%s", dir, names[i]);
        if (strcmp(names[i], "wal") == 0) remove_tree(os, path);
        else assert_int_equal(os_remove(os, path), OK);
    }
    assert_int_equal(os_remove(os, dir), OK);
    arena_release(&a);
}

/* At a commit between a backup and the end of the archive; all of which is there. */
static void restore_one(struct world *w)
{
    struct restore_result r;
    char dir[32];
    int b = (int)rng_below(&w->r, (uint64_t)w->backup_count), i = (int)rng_below(&w->r, (uint64_t)w->count);
    struct restore_options o = {.os = w->os, .path = w->backups[b], .dir = dir, .archive = "archive",
                                .target = RESTORE_COMMIT, .target_ts = w->states[i].ts};
    if (o.target_ts < w->backup_ts[b]) o.target_ts = w->backup_ts[b];
    if (rng_below(&w->r, 3) == 0) o.target = RESTORE_LATEST;
    if (rng_below(&w->r, 4) == 0) {
        o.target = RESTORE_BACKUP;
        o.archive = NULL;
        o.target_ts = w->backup_ts[b];
    }
    snprintf(dir, sizeof dir, "restored%d", w->restores);
    enum status st = store_restore(&o, &r);
    if (st != OK) fail_msg("restore %s: %s (%s)", o.path, error_current()->message, error_current()->detail);
    bool latest = o.target == RESTORE_LATEST;
    check_restored(w, dir, latest ? UINT64_MAX : o.target_ts, latest);
    remove_tree(w->os, dir);
    w->restores++;
}

/* --- the world ---------------------------------------------------------------------------------- */

static void begin(struct world *w, uint64_t seed)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100, .garbage_permille = 50};
    struct txn_options o = {0};
    struct txn *t;
    static const int nothing[KEYS];
    uint64_t ts;
    *w = (struct world){.os = sim_new(&so)};
    w->states = mem_alloc(MEM_BASE, STATES_MAX * sizeof *w->states);
    rng_seed(&w->r, seed);
    assert_int_equal(os_mkdir(w->os, "archive"), OK);
    assert_int_equal(os_mkdir(w->os, "backups"), OK);
    assert_int_equal(os_sync_dir(w->os, "."), OK);
    open_source(w);
    assert_int_equal(txn_begin(w->s, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, &ts), OK);
    add_state(w, ts, nothing);
    assert_int_equal(make_backup(w), OK);
}

static void end(struct world *w)
{
    store_abandon(w->s);
    mem_free(MEM_BASE, w->states);
    sim_free(w->os);
}

static enum status step(struct world *w)
{
    bool worked;
    TRY(run_txn(w));
    switch (rng_below(&w->r, 40)) {
    case 0: case 1: case 2: return store_maintain(w->s, &worked);
    case 3: return store_checkpoint(w->s);
    case 4: case 5: case 6: return store_archive(w->s, false);
    case 7: return store_archive(w->s, true);
    case 8: return make_backup(w);
    case 9: case 10: case 11: return change_branch(w);
    case 12: tell_form(w->s, w->tree, rng_below(&w->r, FORMS)); return OK;
    default: return OK;
    }
}

/* What the disk has after a power loss is what was acknowledged, and perhaps what was on its way. */
static void settle(struct world *w)
{
    int found[KEYS];
    read_all(w->s, w->tree, NULL, found);
    if (memcmp(found, last_state(w)->value, sizeof found) != 0) add_state(w, store_last_commit(w->s), found);
    struct branch_model *m = w->unsure_branch ? &w->branches[w->unsure_branch - 1] : NULL;
    if (m) {
        struct branch *b = store_open_branch(w->s, slice_of(m->name));
        if (b && !m->alive) memcpy(m->value, last_state(w)->value, sizeof m->value);
        m->alive = b != NULL;
        store_close_branch(b);
        if (m->alive) read_all(w->s, w->tree, m->name, m->value);
    }
    w->unsure_branch = 0;
}

static void run_seed(uint64_t seed, int rounds)
{
    struct world w;
    begin(&w, seed);
    for (int round = 0; round < rounds; round++) {
        enum status st = OK;
        sim_power_off_after(w.os, 1 + rng_below(&w.r, 600));
        for (int i = 0; i < 120 && st == OK; i++) st = step(&w);
        if (st != OK && !sim_is_off(w.os))
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, status_name(st), error_current()->message);
        sim_power_off_after(w.os, 0);
        store_abandon(w.s);
        w.crashes++;
        sim_restart(w.os);
        open_source(&w);
        settle(&w);
        check_sound(w.s);
        st = store_archive(w.s, true);
        if (st != OK) fail_msg("seed %llu: archive: %s", (unsigned long long)seed, error_current()->message);
        for (int i = 0; i < 3; i++) restore_one(&w);
    }
    print_message("seed %llu: %d commits, %d loads, %d backups, %d increments, %d restores\n",
                  (unsigned long long)seed, w.count, w.loads, w.backup_count, w.increments, w.restores);
    end(&w);
}

static void power_loss(void **state)
{
    (void)state;
    struct log_options lo = {.level = LOG_FATAL};
    assert_int_equal(log_open(&lo), OK);
    const char *first = getenv("SEED"), *many = getenv("SEEDS");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1, n = many ? strtoull(many, NULL, 10) : 12;
    for (uint64_t i = 0; i < n; i++) run_seed(seed + i, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
