/* Everything at once against power loss: branches of branches, merges, DDL of all kinds in any of them, foreign keys,
 * prepared transactions, reads of the past, a retention of seconds and the garbage collection that it
 * makes, on a disk that loses, tears and garbles what was not synced. The power goes at a random I/O, in recovery, too.
 * Afterwards every line has what was acknowledged in it, the statement in flight is there wholly or not at all,
 * the past is what it was, and verification finds nothing.
 *
 * SEED: the first seed; SEEDS: how many; ROUNDS: power losses a seed; TRACE=1: tells all statements. */
#include "sim_counts.h"
#include "sim_lines.h"
#include "sim_pledges.h"

#include "base/log.h"

enum { OPS_MAX = 60, MOMENTS = 4, RETENTION_S = 4, ALL_THERE = 1000 };

struct moment {
    int64_t at_us; /* of the simulated clock; 0: none */
    int value[KEYS];
};

struct run {
    struct sim_db d;
    struct rng rng;
    struct lines sure, unsure;
    bool in_doubt;
    struct pledges pledges;
    enum { MIX_NONE, MIX_PREPARING, MIX_PREPARED, MIX_ENDING } mix; /* the transaction 'mix', of … */
    int mix_line;
    bool inside; /* a block: in the branch already */
    struct moment moments[MOMENTS];
    int64_t clock_us;
    struct sim_counts counts;
    bool trace;
    char last[512];
};

static enum status sql(struct run *r, const char *fmt, ...) PRINTF(2, 3);
static enum status sql(struct run *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->last, sizeof r->last, fmt, args);
    va_end(args);
    enum status st = sim_db_query(&r->d, r->last);
    if (r->trace) print_message("  %s: %s\n", r->last, status_name(st));
    return st;
}

/* Counts what has gone well. */
static enum status done(struct run *r, enum sim_count what, enum status st)
{
    r->counts.n[what] += st == OK;
    return st;
}

static enum status enter(struct run *r, const struct line *l)
{
    char name[16];
    line_name(l, name);
    return r->inside ? OK : sql(r, "use branch %s", name);
}

static int below(struct run *r, int n)
{
    return (int)rng_below(&r->rng, (uint64_t)n);
}

/* --- branches ---------------------------------------------------------------------------------- */

static enum status fork_line(struct run *r, struct lines *m, int parent)
{
    char name[16], from[16];
    int at = 1;
    while (at < LINES && m->all[at].alive) at++;
    if (at == LINES) return OK;
    struct line *l = &m->all[at];
    *l = m->all[parent];
    l->parent = parent;
    l->number = ++m->named;
    l->agreed = l->now;
    line_name(l, name);
    line_name(&m->all[parent], from);
    return done(r, COUNT_BRANCHES, sql(r, "create branch %s from %s", name, from));
}

static enum status drop_line(struct run *r, struct lines *m, int at)
{
    char name[16];
    if (!at || line_has_children(m, at)) return OK;
    TRY(sql(r, "use branch main"));
    line_name(&m->all[at], name);
    m->all[at].alive = false;
    return done(r, COUNT_DROPS, sql(r, "drop branch %s", name));
}

static enum status merge_line(struct run *r, struct lines *m, int at)
{
    char name[16], to[16];
    struct line *l = &m->all[at], *p = &m->all[l->parent];
    if (!at) return OK;
    bool allowed = state_merge(&p->now, &l->now, &l->agreed);
    if (allowed) l->agreed = l->now;
    line_name(l, name);
    line_name(p, to);
    enum status st = done(r, COUNT_MERGES, sql(r, "merge branch %s into %s on conflict theirs", name, to));
    if (allowed || st != FOREIGN_KEY_VIOLATION) return st;
    r->counts.n[COUNT_REFUSALS]++;
    error_clear();
    return OK;
}

/* --- rows -------------------------------------------------------------------------------------- */

static enum status write_rows(struct run *r, struct lines *m, struct line *l)
{
    int lo = below(r, KEYS), hi = lo + below(r, 4), v = ++m->next;
    bool delete = below(r, 4) == 0;
    if (hi >= KEYS) hi = KEYS - 1;
    TRY(enter(r, l));
    for (int k = lo; k <= hi; k++) {
        l->now.value[k] = delete ? 0 : v;
        if (delete) state_cascade(&l->now, k);
    }
    if (delete) return done(r, COUNT_CASCADES, sql(r, "delete from t where id between %d and %d", lo, hi));
    return sql(r, "insert into t select g, %d, repeat('f', %d) from generate_series(%d, %d) g"
                  " on conflict (id) do update set v = excluded.v", v, below(r, 600), lo, hi);
}

static enum status write_child(struct run *r, struct line *l)
{
    int c = below(r, CHILDREN), k = below(r, KEYS);
    TRY(enter(r, l));
    if (!l->now.value[k]) {
        l->now.child[c] = 0;
        return sql(r, "delete from child where id = %d", c);
    }
    l->now.child[c] = k + 1;
    return done(r, COUNT_CHILDREN, sql(r, "insert into child values (%d, %d) on conflict (id) do update set"
                                          " t_id = excluded.t_id", c, k));
}

static enum status fill_table(struct run *r, struct lines *m, struct line *l)
{
    int i = below(r, TABLES), n = 1 + below(r, 30);
    struct made *t = &l->now.made[i];
    if (!t->there || m->batch[i] == 64) return OK;
    int b = m->batch[i]++;
    TRY(enter(r, l));
    t->batches |= 1ull << b;
    int wide = b % 3 == 1 ? 3000 : 40; /* what is that much goes past the log */
    if (wide > 40) n = 30;
    return sql(r, "insert into made%d (id, batch, w) select g, %d, repeat('w', %d) || g"
                  " from generate_series(%d, %d) g", i, b, wide, 100 * b, 100 * b + n - 1);
}

static enum status empty_table(struct run *r, struct line *l)
{
    int i = below(r, TABLES);
    struct made *t = &l->now.made[i];
    if (!t->there) return OK;
    TRY(enter(r, l));
    switch (below(r, 3)) {
    case 0: t->batches = 0; return done(r, COUNT_TRUNCATES, sql(r, "truncate made%d", i));
    case 1: return done(r, COUNT_TRUNCATES, sql(r, "vacuum full made%d", i));
    default: break;
    }
    int b = below(r, 64);
    t->batches &= ~(1ull << b);
    return sql(r, "delete from made%d where batch = %d", i, b);
}

/* --- definitions ------------------------------------------------------------------------------- */

/* With a column of the shape's number. An index that is not made at once is no part of the model: what a loss leaves
 * of it is invalid, and nobody minds. */
static enum status index_concurrently(struct run *r, int i, int n)
{
    const char *unique = below(r, 2) ? "unique" : "";
    TRY(done(r, COUNT_CONCURRENT, sql(r, "create %s index concurrently made%d_%d on made%d (x%d, w)", unique, i, n, i,
                                      n)));
    switch (below(r, 4)) {
    case 0: return sql(r, "drop index concurrently made%d_%d", i, n);
    case 1: return sql(r, "reindex index concurrently made%d_%d", i, n);
    default: return OK;
    }
}

/* Each shape has a column of its own name, whose value in every row is its number. */
static enum status alter_table(struct run *r, struct lines *m, struct line *l)
{
    int i = below(r, TABLES), n = ++m->next, kind = below(r, 6);
    struct made *t = &l->now.made[i];
    if (!t->there) return OK;
    char drop[64] = "";
    if (t->shape) snprintf(drop, sizeof drop, "drop column x%d, ", t->shape);
    t->shape = n;
    TRY(enter(r, l));
    r->counts.n[COUNT_ALTERS]++;
    if (kind == 0) return sql(r, "alter table made%d %sadd column x%d int not null default %d", i, drop, n, n);
    if (kind == 1)
        return sql(r, "alter table made%d %sadd column x%d int default %d check (x%d = %d)", i, drop, n, n, n, n);
    if (kind == 2 || r->inside)
        return sql(r, "alter table made%d %sadd column x%d int default %d; create index made%d_%d on made%d"
                      " (x%d, w)", i, drop, n, n, i, n, i, n);
    TRY(sql(r, "alter table made%d %sadd column x%d int default %d", i, drop, n, n));
    return index_concurrently(r, i, n);
}

/* The table that others refer to. Reads of its past name their columns. */
static enum status alter_referred(struct run *r, struct lines *m, struct line *l)
{
    int n = ++m->next;
    char drop[64] = "";
    if (l->now.shape) snprintf(drop, sizeof drop, "drop column x%d, ", l->now.shape);
    l->now.shape = n;
    TRY(enter(r, l));
    return done(r, COUNT_REFERRED, sql(r, "alter table t %sadd column x%d int not null default %d", drop, n, n));
}

static enum status make_or_drop(struct run *r, struct lines *m, int at)
{
    int i = below(r, TABLES);
    struct line *l = &m->all[at];
    struct made *t = &l->now.made[i];
    TRY(enter(r, l));
    if (t->there) {
        *t = (struct made){0};
        return done(r, COUNT_TABLES_DROPPED, sql(r, "drop table made%d", i));
    }
    /* Another table of that name would be in the way of a merge: one is made where no line has any. */
    for (int k = 0; k < LINES; k++)
        if (m->all[k].alive && (m->all[k].now.made[i].there || m->all[k].agreed.made[i].there)) return OK;
    *t = (struct made){.there = true};
    return done(r, COUNT_TABLES_MADE, sql(r, "create table made%d (id int %s, batch int, w text unique); "
                                             "create index on made%d (batch)", i,
                                          i % 2 ? "not null" : "primary key", i));
}

/* --- in two phases ----------------------------------------------------------------------------- */

static enum status history_bytes(struct run *r, long long *ret)
{
    TRY(sql(r, "select coalesce(sum(history_bytes), 0) from helios_history"));
    *ret = atoll(r->d.rows.data);
    return OK;
}

static enum status maintain(struct run *r)
{
    bool worked = true;
    long long before, after;
    if (below(r, 2)) return done(r, COUNT_CHECKPOINTS, db_checkpoint(r->d.db));
    TRY(history_bytes(r, &before));
    for (int i = 0; i < 4 && worked; i++) {
        TRY(store_maintain(r->d.db->store, &worked));
        r->counts.n[COUNT_MAINTAINED] += worked;
    }
    TRY(history_bytes(r, &after));
    r->counts.n[COUNT_COLLECTED] += after < before;
    r->counts.n[COUNT_COLLECTED_BYTES] += after < before ? (uint64_t)(before - after) : 0;
    return OK;
}

static enum status end_mix(struct run *r, bool commit)
{
    TRY(enter(r, &r->unsure.all[r->mix_line]));
    r->mix = MIX_ENDING;
    TRY(sql(r, "%s prepared 'mix'", commit ? "commit" : "rollback"));
    r->mix = MIX_NONE;
    if (!commit) r->unsure = r->sure;
    return OK;
}

/* Rows and definitions of any line; it ends at once, or after a while, or after a power loss. */
static enum status prepare_mix(struct run *r, struct lines *m, int at)
{
    struct line *l = &m->all[at];
    r->mix_line = at;
    TRY(enter(r, l));
    TRY(sql(r, "begin isolation level %s", below(r, 2) ? "serializable" : "read committed"));
    r->inside = true;
    enum status st = OK;
    for (int i = below(r, 3); i >= 0 && st == OK; i--) {
        int what = below(r, 5);
        st = what == 0   ? alter_table(r, m, l)
             : what == 1 ? make_or_drop(r, m, at)
             : what == 2 ? fill_table(r, m, l)
             : what == 3 ? write_child(r, l)
                         : write_rows(r, m, l);
    }
    r->inside = false;
    TRY(st);
    r->mix = MIX_PREPARING;
    TRY(done(r, COUNT_PREPARED, sql(r, "prepare transaction 'mix'")));
    r->mix = MIX_PREPARED;
    for (int i = below(r, 4); i > 0; i--) TRY(maintain(r));
    return end_mix(r, below(r, 3) > 0);
}

/* After a loss: what was prepared is there, and ends. */
static void check_mix(struct run *r)
{
    assert_int_equal(sql(r, "select count(*) from pg_prepared_xacts where gid = 'mix'"), OK);
    bool there = atoi(r->d.rows.data) > 0;
    if (!there && r->mix == MIX_PREPARED) fail_msg("'mix' was prepared and is gone");
    if (there && r->mix == MIX_NONE) fail_msg("'mix' has ended and is back");
    r->mix = MIX_NONE;
    if (!there) return;
    enum status st = end_mix(r, below(r, 2));
    if (st != OK) fail_msg("%s: %s: %s", r->last, status_name(st), error_current()->message);
    r->sure = r->unsure;
    r->in_doubt = false;
    r->counts.n[COUNT_SURVIVED]++;
}

/* --- the past ---------------------------------------------------------------------------------- */

static void advance(struct run *r, int64_t us)
{
    sim_advance_us(r->d.os, us);
    r->clock_us += us;
}

static enum status remember(struct run *r)
{
    struct moment *x = &r->moments[below(r, MOMENTS)];
    advance(r, 2000);
    x->at_us = r->clock_us - 1000;
    memcpy(x->value, r->sure.all[0].now.value, sizeof x->value);
    return OK;
}

static enum status pass_time(struct run *r)
{
    advance(r, 1000 * (1 + below(r, 2000)));
    return OK;
}

/* Within the retention it is there; beyond it, it is what it was, or refused. */
static void check_past(struct run *r)
{
    char want[KEYS * 24];
    for (int i = 0; i < MOMENTS; i++) {
        struct moment *x = &r->moments[i];
        size_t n = 0;
        if (!x->at_us) continue;
        want[0] = 0;
        for (int k = 0; k < KEYS; k++)
            if (x->value[k]) n += (size_t)snprintf(want + n, sizeof want - n, "%d|%d\n", k, x->value[k]);
        enum status st = sql(r, "select id, v from t as of timestamp timestamptz '2026-01-01 00:00:00+00' + "
                                "interval '%lld microseconds' order by id", (long long)x->at_us);
        bool old = r->clock_us - x->at_us > RETENTION_S * 1000000ll;
        if (st == SNAPSHOT_TOO_OLD && old) {
            error_clear();
            r->counts.n[COUNT_TOO_OLD]++;
            x->at_us = 0;
            continue;
        }
        if (st != OK) fail_msg("%s: %s: %s %s", r->last, status_name(st), error_current()->message,
                 error_current()->detail);
        if (strcmp(r->d.rows.data ? r->d.rows.data : "", want) != 0)
            fail_msg("%s: %s, not %s", r->last, r->d.rows.data, want);
        r->counts.n[COUNT_PAST]++;
    }
}

/* --- checks ------------------------------------------------------------------------------------ */

static bool is(struct run *r, const char *want)
{
    return strcmp(r->d.rows.data ? r->d.rows.data : "", want) == 0;
}

/* The column of the table's own shape. */
static bool holds_shape(struct run *r, const char *table, int shape)
{
    char want[32];
    snprintf(want, sizeof want, "x%d\n", shape);
    if (sql(r, "select attname from pg_attribute where attrelid = '%s'::regclass and attnum > 3"
               " and not attisdropped", table) != OK || !is(r, shape ? want : "")) return false;
    if (!shape) return true;
    enum status st = sql(r, "select count(*) from %s where x%d is distinct from %d", table, shape, shape);
    if (st != OK) error_clear();
    return st == OK && is(r, "0\n");
}

/* The rows of a batch are not counted: each is there wholly or not. */
static bool holds_made(struct run *r, const struct line *l, int i)
{
    const struct made *t = &l->now.made[i];
    char want[64 * 24] = "", name[16];
    size_t n = 0;
    enum status st = sql(r, "select distinct batch from made%d order by 1", i);
    if (st != OK) error_clear();
    if (!t->there) return st == UNDEFINED_TABLE;
    if (st != OK) return false;
    for (int b = 0; b < 64; b++)
        if (t->batches >> b & 1) n += (size_t)snprintf(want + n, sizeof want - n, "%d\n", b);
    if (!is(r, want)) return false;
    snprintf(name, sizeof name, "made%d", i);
    return holds_shape(r, name, t->shape);
}

static bool holds_line(struct run *r, const struct line *l)
{
    char want[(KEYS + CHILDREN) * 24] = "";
    size_t n = 0;
    if (enter(r, l) != OK) return error_clear(), false;
    for (int k = 0; k < KEYS; k++)
        if (l->now.value[k])
            n += (size_t)snprintf(want + n, sizeof want - n, "%d|%d\n", k, l->now.value[k]);
    assert_int_equal(sql(r, "select id, v from t order by id"), OK);
    if (!is(r, want)) return false;
    want[n = 0] = 0;
    for (int c = 0; c < CHILDREN; c++)
        if (l->now.child[c])
            n += (size_t)snprintf(want + n, sizeof want - n, "%d|%d\n", c, l->now.child[c] - 1);
    assert_int_equal(sql(r, "select id, t_id from child order by id"), OK);
    if (!is(r, want) || !holds_shape(r, "t", l->now.shape)) return false;
    for (int i = 0; i < TABLES; i++)
        if (!holds_made(r, l, i)) return false;
    return true;
}

static bool holds(struct run *r, const struct lines *m)
{
    int alive = 0;
    for (int i = 0; i < LINES; i++) {
        if (!m->all[i].alive) continue;
        alive++;
        if (!holds_line(r, &m->all[i])) return false;
    }
    assert_int_equal(sql(r, "select count(*) from helios_branches"), OK);
    return atoi(r->d.rows.data) == alive;
}

static void check(struct run *r)
{
    r->inside = false;
    check_mix(r);
    bool right = holds(r, &r->sure);
    if (!right && r->in_doubt && holds(r, &r->unsure)) {
        right = true;
        r->sure = r->unsure;
        r->counts.n[COUNT_IN_DOUBT]++;
    }
    if (!right) fail_msg("a branch has not what was acknowledged in it; looked at last: %s", r->last);
    r->in_doubt = false;
    assert_int_equal(sql(r, "use branch main"), OK);
    check_past(r);
    pledges_check(&r->pledges, &r->d);
    sim_db_verify(&r->d);
}

/* --- the mix ----------------------------------------------------------------------------------- */

static enum status change(struct run *r, struct lines *m, int at)
{
    struct line *l = &m->all[at];
    switch (below(r, 27)) {
    case 0:
    case 1: return fork_line(r, m, at);
    case 2: return drop_line(r, m, at);
    case 3:
    case 4:
    case 5: return merge_line(r, m, at);
    case 6: return make_or_drop(r, m, at);
    case 7:
    case 8: return alter_table(r, m, l);
    case 9: return empty_table(r, l);
    case 10:
    case 11:
    case 12: return fill_table(r, m, l);
    case 13:
    case 14:
    case 15: return write_child(r, l);
    case 16:
    case 17: return prepare_mix(r, m, at);
    case 18: return alter_referred(r, m, l);
    default: return write_rows(r, m, l);
    }
}

static enum status step(struct run *r)
{
    int at, what = below(r, 30);
    if (what < 3) return maintain(r);
    if (what == 3) return pass_time(r);
    if (what == 4) return remember(r);
    if (what < 8) {
        TRY(sql(r, "use branch main"));
        return pledges_step(&r->pledges, &r->d, &r->rng);
    }
    r->unsure = r->sure;
    do at = below(r, LINES);
    while (!r->unsure.all[at].alive);
    r->in_doubt = true;
    TRY(change(r, &r->unsure, at));
    r->in_doubt = false;
    r->sure = r->unsure;
    return OK;
}

static void reopen(struct run *r)
{
    for (;;) {
        if (below(r, 4) == 0) sim_power_off_after(r->d.os, 1 + rng_below(&r->rng, 12));
        enum status st = sim_db_open(&r->d);
        if (st == OK && !sim_is_off(r->d.os)) break;
        if (!sim_is_off(r->d.os))
            fail_msg("open: %s: %s", status_name(st), error_current()->message);
        (void)sim_db_close(&r->d);
        sim_restart(r->d.os);
        r->counts.n[COUNT_RECOVERIES_LOST]++;
    }
    sim_power_off_after(r->d.os, 0);
}

static void lose_power(struct run *r)
{
    sim_power_off_after(r->d.os, 1 + rng_below(&r->rng, below(r, 4) ? 150 : 900));
    enum status st = OK;
    for (int i = 0; i < OPS_MAX && st == OK; i++) st = step(r);
    if (st != OK && !sim_is_off(r->d.os))
        fail_msg("%s: %s: %s %s", r->last, status_name(st), error_current()->message,
                 error_current()->detail);
    if (below(r, 8) == 0 && !sim_is_off(r->d.os)) {
        (void)sim_db_close(&r->d);
    } else {
        sim_power_off_after(r->d.os, 1);
        (void)os_mkdir(r->d.os, "data/none");
        (void)sim_db_close(&r->d);
    }
    sim_restart(r->d.os);
    reopen(r);
    check(r);
}

static void run_seed(uint64_t seed, uint64_t rounds, struct sim_counts *all)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct run *r = mem_alloc(MEM_TEST, sizeof *r);
    rng_seed(&r->rng, seed);
    r->trace = env_number("TRACE", 0) > 0;
    sim_db_init(&r->d, &so);
    assert_int_equal(config_set(r->d.config, "helios.version_retention", "4s", SOURCE_FLAG), OK);
    assert_int_equal(config_set(r->d.config, "memtable_bytes", "1MB", SOURCE_FLAG), OK);
    assert_int_equal(config_set(r->d.config, "memtable_total_bytes", "8MB", SOURCE_FLAG), OK);
    assert_int_equal(sim_db_open(&r->d), OK);
    assert_int_equal(sql(r, "create table t (id int primary key, v int not null, f text);"
                            "create index on t (v);"
                            "create table child (id int primary key, t_id int not null references t"
                            " on delete cascade); create index on child (t_id)"), OK);
    assert_int_equal(pledges_make(&r->d), OK);
    r->sure.all[0].alive = true;
    for (uint64_t i = 0; i < rounds; i++) lose_power(r);
    r->counts.n[COUNT_PREPARED] += r->pledges.made;
    r->counts.n[COUNT_SURVIVED] += r->pledges.survived;
    for (int i = 0; i < COUNTS; i++) all->n[i] += r->counts.n[i];
    sim_db_release(&r->d);
    mem_free(MEM_TEST, r);
}

static void power_mix(void **state)
{
    (void)state;
    uint64_t first = env_number("SEED", 1), seeds = env_number("SEEDS", 6);
    uint64_t rounds = env_number("ROUNDS", 10);
    struct sim_counts all = {0};
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        print_message("SEED=%llu SEEDS=1, %llu power losses so far\n", (unsigned long long)seed,
                      (unsigned long long)((seed - first) * rounds));
        run_seed(seed, rounds, &all);
    }
    print_message("%llu power losses with\n", (unsigned long long)(seeds * rounds));
    sim_counts_print(&all);
    for (int i = 0; i < COUNTS; i++)
        if (!all.n[i] && seeds * rounds >= ALL_THERE) fail_msg("something of the mix was never done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_mix)};
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
