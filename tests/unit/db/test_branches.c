/* Branches of the whole database against power loss: branches are made, written, merged and dropped by SQL, tables
 * are made in them, on a disk that loses, tears and garbles what was not synced, and the power goes at a random
 * I/O. Afterwards every branch has what was acknowledged in it, and the statement in flight is there wholly or not at
 * all.
 *
 * SEED: the first seed; SEEDS: how many; ROUNDS: power losses a seed. */
#include "sim_db.h"

#include "base/log.h"

enum { LINES = 6, KEYS = 12, MADE = 24, OPS_MAX = 60 };

struct line { /* 0: main */
    bool alive;
    int parent, number;                  /* of its name */
    int value[KEYS], agreed[KEYS];       /* 0: absent; agreed: as forked, or merged last */
    int rows[MADE], rows_agreed[MADE];   /* of tables that were made: -1: none there */
};

struct model {
    struct line lines[LINES];
    int made, named, next;
};

struct run {
    struct sim_db d;
    struct rng rng;
    struct model sure, unsure;
    bool in_doubt;
    int merges;
};

static enum status sql(struct run *r, const char *fmt, ...) PRINTF(2, 3);
static enum status sql(struct run *r, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return sim_db_query(&r->d, text);
}

static void name_of(const struct line *l, char out[16])
{
    if (l->number) snprintf(out, 16, "b%d", l->number);
    else snprintf(out, 16, "main");
}

static enum status enter(struct run *r, const struct line *l)
{
    char name[16];
    name_of(l, name);
    return sql(r, "use branch %s", name);
}

static bool has_children(const struct model *m, int line)
{
    for (int i = 1; i < LINES; i++)
        if (m->lines[i].alive && m->lines[i].parent == line) return true;
    return false;
}

/* --- statements -------------------------------------------------------------------------------- */

static enum status fork_line(struct run *r, struct model *m, int parent)
{
    char name[16], from[16];
    int at = 1;
    while (at < LINES && m->lines[at].alive) at++;
    if (at == LINES) return OK;
    struct line *l = &m->lines[at];
    *l = m->lines[parent];
    l->parent = parent;
    l->number = ++m->named;
    memcpy(l->agreed, l->value, sizeof l->value);
    memcpy(l->rows_agreed, l->rows, sizeof l->rows);
    name_of(l, name);
    name_of(&m->lines[parent], from);
    return sql(r, "create branch %s from %s", name, from);
}

static enum status drop_line(struct run *r, struct model *m, int at)
{
    char name[16];
    if (!at || has_children(m, at)) return OK;
    TRY(sql(r, "use branch main"));
    name_of(&m->lines[at], name);
    m->lines[at].alive = false;
    return sql(r, "drop branch %s", name);
}

static enum status merge_line(struct run *r, struct model *m, int at)
{
    char name[16], to[16];
    struct line *l = &m->lines[at], *p = &m->lines[l->parent];
    if (!at) return OK;
    for (int k = 0; k < KEYS; k++) {
        if (l->value[k] != l->agreed[k]) p->value[k] = l->value[k];
        l->agreed[k] = l->value[k];
    }
    for (int i = 0; i < MADE; i++) {
        if (l->rows[i] < 0) continue;
        int before = l->rows_agreed[i] < 0 ? 0 : l->rows_agreed[i];
        p->rows[i] = (p->rows[i] < 0 ? 0 : p->rows[i]) + l->rows[i] - before;
        l->rows_agreed[i] = l->rows[i];
    }
    name_of(l, name);
    name_of(p, to);
    r->merges++;
    return sql(r, "merge branch %s into %s on conflict theirs", name, to);
}

static enum status make_table(struct run *r, struct model *m, int at)
{
    struct line *l = &m->lines[at];
    if (m->made == MADE) return OK;
    int i = m->made++;
    TRY(enter(r, l));
    l->rows[i] = 0;
    return sql(r, "create table made%d (id int primary key, w text unique)", i);
}

static enum status fill_table(struct run *r, struct model *m, int at)
{
    struct line *l = &m->lines[at];
    int i = (int)rng_below(&r->rng, MADE), n = 1 + (int)rng_below(&r->rng, 30);
    if (l->rows[i] < 0) return OK;
    TRY(enter(r, l));
    int from = m->next + 1;
    m->next += n;
    l->rows[i] += n;
    return sql(r, "insert into made%d select g, repeat('w', 40) || g from generate_series(%d, %d) g", i,
               from, m->next);
}

static enum status write_rows(struct run *r, struct model *m, int at)
{
    struct line *l = &m->lines[at];
    int lo = (int)rng_below(&r->rng, KEYS), hi = lo + (int)rng_below(&r->rng, 4), v = ++m->next;
    bool delete = rng_below(&r->rng, 4) == 0;
    if (hi >= KEYS) hi = KEYS - 1;
    TRY(enter(r, l));
    for (int k = lo; k <= hi; k++) l->value[k] = delete ? 0 : v;
    if (delete) return sql(r, "delete from t where id between %d and %d", lo, hi);
    return sql(r, "insert into t select g, %d, repeat('f', 300) from generate_series(%d, %d) g"
                  " on conflict (id) do update set v = excluded.v", v, lo, hi);
}

static enum status step(struct run *r)
{
    struct model *m = &r->unsure;
    int at;
    bool worked;
    *m = r->sure;
    do at = (int)rng_below(&r->rng, LINES);
    while (!m->lines[at].alive);
    enum status st;
    r->in_doubt = true;
    switch (rng_below(&r->rng, 16)) {
    case 0:
    case 1: st = fork_line(r, m, at); break;
    case 2: st = drop_line(r, m, at); break;
    case 3:
    case 4: st = merge_line(r, m, at); break;
    case 5: st = make_table(r, m, at); break;
    case 6: st = db_checkpoint(r->d.db); break;
    case 7: st = store_maintain(r->d.db->store, &worked); break;
    case 8:
    case 9: st = fill_table(r, m, at); break;
    default: st = write_rows(r, m, at);
    }
    if (st != OK) return st;
    r->in_doubt = false;
    r->sure = *m;
    return OK;
}

/* --- checking ---------------------------------------------------------------------------------- */

static bool holds_line(struct run *r, const struct line *l)
{
    char want[KEYS * 24] = "", number[32];
    size_t n = 0;
    if (enter(r, l) != OK) return error_clear(), false;
    for (int k = 0; k < KEYS; k++)
        if (l->value[k])
            n += (size_t)snprintf(want + n, sizeof want - n, "%d|%d\n", k, l->value[k]);
    assert_int_equal(sql(r, "select id, v from t order by id"), OK);
    if (strcmp(r->d.rows.data ? r->d.rows.data : "", want) != 0) return false;
    for (int i = 0; i < MADE; i++) {
        enum status st = sql(r, "select count(*), count(distinct w) from made%d where id >= 0", i);
        if (st != OK) error_clear();
        if (l->rows[i] < 0 ? st == OK : st != OK) return false;
        snprintf(number, sizeof number, "%d|%d\n", l->rows[i], l->rows[i]);
        if (st == OK && strcmp(r->d.rows.data, number) != 0) return false;
    }
    return true;
}

static bool holds(struct run *r, const struct model *m)
{
    int alive = 0;
    for (int i = 0; i < LINES; i++) {
        if (!m->lines[i].alive) continue;
        alive++;
        if (!holds_line(r, &m->lines[i])) return false;
    }
    assert_int_equal(sql(r, "select count(*) from helios_branches"), OK);
    return atoi(r->d.rows.data) == alive;
}

static void check(struct run *r)
{
    bool right = holds(r, &r->sure);
    if (!right && r->in_doubt && holds(r, &r->unsure)) {
        right = true;
        r->sure = r->unsure;
    }
    if (!right) fail_msg("a branch has not what was acknowledged in it");
    r->in_doubt = false;
    assert_int_equal(sql(r, "use branch main"), OK);
    sim_db_verify(&r->d);
}

static void reopen(struct run *r)
{
    for (;;) {
        if (rng_below(&r->rng, 4) == 0) sim_power_off_after(r->d.os, 1 + rng_below(&r->rng, 12));
        enum status st = sim_db_open(&r->d);
        if (st == OK && !sim_is_off(r->d.os)) break;
        if (!sim_is_off(r->d.os))
            fail_msg("open: %s: %s", status_name(st), error_current()->message);
        (void)sim_db_close(&r->d);
        sim_restart(r->d.os);
    }
    sim_power_off_after(r->d.os, 0);
}

static void lose_power(struct run *r)
{
    sim_power_off_after(r->d.os, 1 + rng_below(&r->rng, rng_below(&r->rng, 4) ? 150 : 600));
    enum status st = OK;
    for (int i = 0; i < OPS_MAX && st == OK; i++) st = step(r);
    if (st != OK && !sim_is_off(r->d.os))
        fail_msg("%s: %s", status_name(st), error_current()->message);
    if (rng_below(&r->rng, 8) == 0 && !sim_is_off(r->d.os)) {
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

static void run_seed(uint64_t seed, uint64_t rounds)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct run *r = mem_alloc(MEM_TEST, sizeof *r);
    rng_seed(&r->rng, seed);
    sim_db_init(&r->d, &so);
    assert_int_equal(sim_db_open(&r->d), OK);
    assert_int_equal(sql(r, "create table t (id int primary key, v int not null, f text);"
                            "create index on t (v)"), OK);
    r->sure.lines[0].alive = true;
    for (int i = 0; i < MADE; i++) r->sure.lines[0].rows[i] = -1;
    for (uint64_t i = 0; i < rounds; i++) lose_power(r);
    print_message("  %d merges\n", r->merges);
    sim_db_release(&r->d);
    mem_free(MEM_TEST, r);
}

static void power_loss(void **state)
{
    (void)state;
    uint64_t first = env_number("SEED", 1), seeds = env_number("SEEDS", 6);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        print_message("SEED=%llu SEEDS=1\n", (unsigned long long)seed);
        run_seed(seed, env_number("ROUNDS", 10));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_loss)};
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
