/* The whole database against power loss: SQL transactions over a table with a primary key and two
 * secondary indexes (one of them unique) and over a ledger, prepared transactions, and DDL now and then, on
 * a disk that loses, tears, garbles and reorders what was not synced; the power goes at a random I/O, in recovery
 * too. Afterwards each acknowledged commit is there, the one in flight wholly or not at all, the money
 * adds up, and verification finds every index equal to its table.
 *
 * SEED: the first seed; SEEDS: how many; ROUNDS: power losses a seed. */
#include "sim_pledges.h"

#include "base/log.h"
#include "base/point.h"

enum { ACCOUNTS = 60, START_BALANCE = 1000, TXNS_MAX = 60 };

struct model {
    int balance[ACCOUNTS], tag[ACCOUNTS]; /* tag 0: the account is closed, its money with account 0 */
    int transfers; /* rows of the ledger: 1 … transfers, two of each */
    int ticket;    /* the last value of the sequence that a transaction has committed with */
};

struct run {
    struct sim_db d;
    struct rng rng;
    uint64_t seed;
    struct model sure, unsure; /* as acknowledged; and after the commit that nobody answered */
    bool in_doubt;
    struct pledges pledges;
    int next_tag;
    uint64_t cycles;
    struct session *beside; /* that writes while an index is built */
    uint64_t built, beside_txns;
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

static enum status make_tables(struct run *r)
{
    TRY(sql(r, "create table accounts (id int primary key, balance int not null check (balance >= 0),"
               " tag text not null unique, class int); create index accounts_class on accounts (class);"
               "create table ledger (n int, part int, account int not null, amount int not null,"
               " filler text, primary key (n, part)); create index ledger_account on ledger (account);"
               "create sequence tickets"));
    TRY(pledges_make(&r->d));
    return sql(r, "insert into accounts select i, %d, 'tag ' || (i + 1), i %% 5"
                  " from generate_series(0, %d) i", START_BALANCE, ACCOUNTS - 1);
}

/* --- transactions ---------------------------------------------------------------------------- */

static enum status transfer(struct run *r, struct model *m)
{
    int a = (int)rng_below(&r->rng, ACCOUNTS), b = (int)rng_below(&r->rng, ACCOUNTS);
    int amount = (int)rng_below(&r->rng, 50), n = m->transfers + 1;
    if (a == b || !m->tag[a] || !m->tag[b] || m->balance[a] < amount) return OK;
    TRY(sql(r, "update accounts set balance = balance - %d where id = %d", amount, a));
    TRY(sql(r, "update accounts set balance = balance + %d, class = %d where id = %d", amount, n % 7,
            b));
    TRY(sql(r, "insert into ledger values (%d, 1, %d, %d, repeat('x', %d)), (%d, 2, %d, %d, null)", n,
            a, -amount, (int)rng_below(&r->rng, 900), n, b, amount));
    m->balance[a] -= amount;
    m->balance[b] += amount;
    m->transfers = n;
    TRY(sql(r, "select nextval('tickets')"));
    int ticket = atoi(r->d.rows.data);
    if (ticket <= m->ticket) fail_msg("ticket %d again, after %d", ticket, m->ticket);
    m->ticket = ticket;
    return OK;
}

static enum status rename_tag(struct run *r, struct model *m)
{
    int a = (int)rng_below(&r->rng, ACCOUNTS);
    if (!m->tag[a]) return OK;
    m->tag[a] = ++r->next_tag;
    return sql(r, "update accounts set tag = 'tag %d', class = null where id = %d", m->tag[a], a);
}

static enum status close_or_open(struct run *r, struct model *m)
{
    int a = 1 + (int)rng_below(&r->rng, ACCOUNTS - 1);
    if (m->tag[a]) {
        TRY(sql(r, "update accounts set balance = balance + %d where id = 0", m->balance[a]));
        m->balance[0] += m->balance[a];
        m->balance[a] = m->tag[a] = 0;
        return sql(r, "delete from accounts where id = %d", a);
    }
    m->tag[a] = ++r->next_tag;
    return sql(r, "insert into accounts values (%d, 0, 'tag %d', %d)", a, m->tag[a], a % 3);
}

/* None of these changes a row. */
static enum status change_schema(struct run *r)
{
    switch (rng_below(&r->rng, 4)) {
    case 0: return sql(r, "create index if not exists extra on accounts (balance desc, tag)");
    case 1: return sql(r, "drop index if exists extra");
    case 2: return sql(r, "drop table if exists other; create table other as select * from accounts");
    default: return sql(r, "vacuum full ledger");
    }
}

/* --- indexes that are built beside writers
 * ------------------------------------------------------ */

static enum status run_txn(struct run *r);

static const char *const build_points[] = {"build.losing",   "build.written",
                                           "build.scanning", "build.scanned",
                                           "build.installed", "build.mended"};
enum { BUILD_POINTS = sizeof build_points / sizeof build_points[0] };

/* In the middle of the build, on its thread, by another session. */
static void write_beside(void *ctx)
{
    struct run *r = ctx;
    struct session *builder = r->d.session;
    struct error kept = *error_current();
    r->d.session = r->beside;
    for (uint64_t n = rng_below(&r->rng, 6); n > 0 && !r->in_doubt && !sim_is_off(r->d.os); n--) {
        (void)run_txn(r);
        r->beside_txns++;
    }
    r->d.session = builder;
    *error_current() = kept;
}

/* None of these changes a row. A loss may leave one that is not valid. */
static enum status build_beside(struct run *r)
{
    static const char *const makes[] = {
        "create unique index concurrently beside on accounts (tag, class)",
        "create index concurrently beside on accounts (class) where balance > 900",
        "create unique index concurrently beside on accounts (tag)",
        "reindex index concurrently accounts_class", "reindex table concurrently accounts"};
    enum status st = OK;
    struct strbuf left;
    const char *at;
    TRY(sql(r, "select relname from pg_class where relkind = 'i' and (relname like 'beside%%' or "
               "relname like '%%\\_ccnew%%' or relname like '%%\\_ccold%%') order by 1"));
    strbuf_init(&left, NULL);
    strbuf_add(&left, r->d.rows.data ? r->d.rows.data : "", r->d.rows.len);
    for (at = left.data ? left.data : ""; *at && st == OK; at = strchr(at, '\n') + 1)
        st = sql(r, "drop index concurrently %.*s", (int)strcspn(at, "\n"), at);
    strbuf_release(&left);
    TRY(st);
    for (int i = 0; i < BUILD_POINTS; i++)
        if (rng_below(&r->rng, 2)) point_arm(build_points[i], 1, write_beside, r);
    st = sql(r, "%s", makes[rng_below(&r->rng, sizeof makes / sizeof makes[0])]);
    point_disarm_all();
    r->built += st == OK;
    return st;
}

/* --- what a cycle does ------------------------------------------------------------------------ */

static enum status run_txn(struct run *r)
{
    struct model after = r->sure;
    bool block = rng_below(&r->rng, 4) > 0, undo = block && rng_below(&r->rng, 6) == 0;
    if (!block) { /* a commit of its own */
        enum status st = rename_tag(r, &after);
        r->unsure = after;
        r->in_doubt = st != OK;
        if (st == OK) r->sure = after;
        return st;
    }
    TRY(sql(r, "begin"));
    int n = 1 + (int)rng_below(&r->rng, 4);
    for (int i = 0; i < n; i++) {
        uint64_t what = rng_below(&r->rng, 8);
        TRY(what < 5 ? transfer(r, &after) : what < 7 ? rename_tag(r, &after)
                                                      : close_or_open(r, &after));
    }
    if (undo) return sql(r, "rollback");
    enum status st = sql(r, "commit");
    r->unsure = after;
    r->in_doubt = st != OK;
    if (st == OK) r->sure = after;
    return st;
}

static enum status step(struct run *r)
{
    bool worked;
    uint64_t what = rng_below(&r->rng, 40);
    if (what == 0) return change_schema(r);
    if (what == 1) return db_checkpoint(r->d.db);
    if (what == 39) return build_beside(r);
    if (what < 6) return store_maintain(r->d.db->store, &worked);
    if (what < 14) return pledges_step(&r->pledges, &r->d, &r->rng);
    return run_txn(r);
}

/* --- checks ---------------------------------------------------------------------------------- */

static void expect(const struct model *m, struct strbuf *accounts, struct strbuf *ledger)
{
    for (int i = 0; i < ACCOUNTS; i++)
        if (m->tag[i]) strbuf_addf(accounts, "%d|%d|tag %d\n", i, m->balance[i], m->tag[i]);
    if (m->transfers) strbuf_addf(ledger, "%d|%d|0|1|%d\n", m->transfers, 2 * m->transfers,
                                  m->transfers);
    else strbuf_adds(ledger, "0|0|~|~|~\n");
}

static bool same(struct run *r, const char *query, const struct strbuf *want)
{
    enum status st = sql(r, "%s", query);
    if (st != OK) fail_msg("%s: %s: %s", query, status_name(st), error_current()->message);
    return slice_eq(strbuf_slice(&r->d.rows), strbuf_slice(want));
}

static bool agrees(struct run *r, const struct model *m)
{
    struct strbuf accounts, ledger;
    strbuf_init(&accounts, NULL);
    strbuf_init(&ledger, NULL);
    expect(m, &accounts, &ledger);
    bool ok = same(r, "select id, balance, tag from accounts order by id", &accounts) &&
              same(r, "select count(distinct n), count(*), sum(amount), min(n), max(n) from ledger",
                   &ledger);
    strbuf_release(&accounts);
    strbuf_release(&ledger);
    return ok;
}

static void check(struct run *r)
{
    if (!agrees(r, &r->sure)) {
        if (!r->in_doubt || !agrees(r, &r->unsure))
            fail_msg("what is there is not what was acknowledged, nor that and the last transaction");
        r->sure = r->unsure;
    }
    r->in_doubt = false;
    assert_int_equal(sql(r, "select sum(balance) from accounts"), OK);
    char want[32];
    snprintf(want, sizeof want, "%d\n", ACCOUNTS * START_BALANCE);
    assert_string_equal(r->d.rows.data, want);
    pledges_check(&r->pledges, &r->d);
    sim_db_verify(&r->d);
}

/* --- power loss ------------------------------------------------------------------------------ */

static void close_all(struct run *r)
{
    if (r->beside) session_free(r->beside);
    r->beside = NULL;
    (void)sim_db_close(&r->d);
}

/* Until it is open; some recoveries are cut off, too. */
static void reopen(struct run *r)
{
    for (;;) {
        if (rng_below(&r->rng, 4) == 0) sim_power_off_after(r->d.os, 1 + rng_below(&r->rng, 12));
        enum status st = sim_db_open(&r->d);
        struct session_options so = {.user = "postgres", .database = "postgres"};
        if (st == OK) st = session_new(r->d.db, &so, &r->beside);
        if (st == OK && !sim_is_off(r->d.os)) break;
        if (!sim_is_off(r->d.os))
            fail_msg("open: %s: %s", status_name(st), error_current()->message);
        close_all(r);
        sim_restart(r->d.os);
    }
    sim_power_off_after(r->d.os, 0);
}

static void lose_power(struct run *r)
{
    sim_power_off_after(r->d.os, 1 + rng_below(&r->rng, rng_below(&r->rng, 8) ? 150 : 1200));
    enum status st = OK;
    for (int i = 0; i < TXNS_MAX && st == OK; i++) st = step(r);
    if (st != OK && !sim_is_off(r->d.os))
        fail_msg("%s: %s", status_name(st), error_current()->message);
    if (rng_below(&r->rng, 8) == 0 && !sim_is_off(r->d.os)) {
        close_all(r); /* stopped in good order, or cut off in that */
    } else {
        sim_power_off_after(r->d.os, 1);
        (void)os_remove(r->d.os, "data/none");
        (void)os_mkdir(r->d.os, "data/none");
        close_all(r);
    }
    sim_restart(r->d.os);
    reopen(r);
    check(r);
    r->cycles++;
}

static uint64_t run_seed(uint64_t seed, uint64_t rounds)
{
    struct sim_options so = {.seed = seed, .keep_permille = 400, .tear_permille = 100,
                             .garbage_permille = 50};
    struct run *r = mem_alloc(MEM_TEST, sizeof *r);
    r->seed = seed;
    rng_seed(&r->rng, seed);
    sim_db_init(&r->d, &so);
    assert_int_equal(sim_db_open(&r->d), OK);
    struct session_options other = {.user = "postgres", .database = "postgres"};
    assert_int_equal(session_new(r->d.db, &other, &r->beside), OK);
    assert_int_equal(make_tables(r), OK);
    r->next_tag = ACCOUNTS;
    for (int i = 0; i < ACCOUNTS; i++) {
        r->sure.balance[i] = START_BALANCE;
        r->sure.tag[i] = i + 1;
    }
    check(r);
    for (uint64_t i = 0; i < rounds; i++) lose_power(r);
    uint64_t cycles = r->cycles;
    print_message("  %d transfers and %llu prepared transactions survived, %llu indexes were built"
                  " beside %llu\n",
                  r->sure.transfers, (unsigned long long)r->pledges.survived,
                  (unsigned long long)r->built, (unsigned long long)r->beside_txns);
    close_all(r);
    sim_db_release(&r->d);
    mem_free(MEM_TEST, r);
    return cycles;
}

static void power_loss(void **state)
{
    (void)state;
    uint64_t first = env_number("SEED", 1), seeds = env_number("SEEDS", 8), cycles = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        print_message("SEED=%llu SEEDS=1, %llu power losses so far\n", (unsigned long long)seed,
                      (unsigned long long)cycles);
        cycles += run_seed(seed, env_number("ROUNDS", 10));
    }
    print_message("%llu power losses, nothing lost\n", (unsigned long long)cycles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_loss)};
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
