/* Many threads with connections of their own, connections that move between threads, cancels from
 * outside, results larger than the memory that they may take. In memory. */
#include <pthread.h>
#include <unistd.h>

#include "embed_test.h"

enum { THREADS = 8, ACCOUNTS = 20, TRANSFERS = 150 };

static struct helios_db *db;

static int set_up(void **state)
{
    (void)state;
    db = open_db(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return helios_close(db) != HELIOS_OK;
}

/* --- transfers -------------------------------------------------------------------------------- */

struct teller {
    pthread_t thread;
    uint64_t random;
    int done, retried;
    const char *failed;
};

static uint64_t draw(struct teller *t)
{
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return t->random >> 33;
}

static bool may_retry(struct helios *c)
{
    const struct helios_error *e = helios_error(c);
    return e && (!strcmp(e->sqlstate, "40001") || !strcmp(e->sqlstate, "40P01"));
}

static bool add(struct helios_stmt *s, int64_t account, int64_t amount)
{
    helios_bind_int64(s, 1, account);
    helios_bind_int64(s, 2, amount);
    return helios_step(s) == HELIOS_DONE;
}

static void *transfer(void *arg)
{
    struct teller *t = arg;
    struct helios *c;
    struct helios_stmt *s;
    if (helios_connect(db, NULL, &c, NULL) != HELIOS_OK) return t->failed = "connect", NULL;
    if (helios_prepare(c, "update accounts set balance = balance + $2 where id = $1", &s) !=
        HELIOS_OK)
        return t->failed = "prepare", NULL;
    while (t->done < TRANSFERS && !t->failed) {
        int64_t from = (int64_t)(draw(t) % ACCOUNTS), to = (int64_t)(draw(t) % ACCOUNTS);
        int64_t amount = (int64_t)(draw(t) % 100);
        bool ok = helios_exec(c, "begin") == HELIOS_OK && add(s, from, -amount) &&
                  add(s, to, amount);
        bool committed = ok && helios_exec(c, "commit") == HELIOS_OK;
        if (committed) {
            t->done++;
            continue;
        }
        if (may_retry(c)) t->retried++;
        else t->failed = "transfer";
        if (helios_transaction_state(c) != 'I') (void)helios_exec(c, "rollback");
    }
    helios_finish(s);
    helios_disconnect(c);
    return NULL;
}

static void test_transfers(void **state)
{
    (void)state;
    struct teller tellers[THREADS] = {0};
    struct helios *c = connect_db(db);
    run(c, "create table accounts (id int primary key, balance bigint not null)");
    run(c, "insert into accounts select n, 1000 from generate_series(0, 19) n");
    for (int i = 0; i < THREADS; i++) {
        tellers[i].random = 20261121 + (uint64_t)i; /* the seeds */
        assert_int_equal(pthread_create(&tellers[i].thread, NULL, transfer, &tellers[i]), 0);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(number(c, "select sum(balance) from accounts"), 1000 * ACCOUNTS);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(tellers[i].thread, NULL);
        if (tellers[i].failed) fail_msg("thread %d: %s", i, tellers[i].failed);
        assert_int_equal(tellers[i].done, TRANSFERS);
    }
    assert_int_equal(number(c, "select sum(balance) from accounts"), 1000 * ACCOUNTS);
    helios_disconnect(c);
}

/* --- one connection, several threads in turn -------------------------------------------------- */

static void *step_some(void *arg)
{
    struct helios_stmt *s = arg;
    for (int i = 0; i < 3000; i++)
        if (helios_step(s) != HELIOS_ROW) return NULL;
    return (void *)(uintptr_t)helios_int64(s, 0);
}

static void test_a_result_moves_between_threads(void **state)
{
    (void)state;
    struct helios *c = connect_db(db);
    run(c, "create table n as select n from generate_series(1, 12000) n");
    struct helios_stmt *s = prepare(c, "select n from n order by n");
    for (uintptr_t i = 1; i <= 4; i++) {
        pthread_t t;
        void *last;
        assert_int_equal(pthread_create(&t, NULL, step_some, s), 0);
        pthread_join(t, &last);
        assert_int_equal((uintptr_t)last, 3000 * i);
    }
    assert_int_equal(helios_step(s), HELIOS_DONE);
    helios_finish(s);
    helios_disconnect(c);
}

/* --- cancel ----------------------------------------------------------------------------------- */

struct sleeper {
    struct helios *c;
    const char *sql;
    uint32_t running; /* atomic */
    enum helios_status result;
};

static void *run_long(void *arg)
{
    struct sleeper *s = arg;
    __atomic_store_n(&s->running, 1, __ATOMIC_SEQ_CST);
    s->result = helios_exec(s->c, s->sql);
    __atomic_store_n(&s->running, 0, __ATOMIC_SEQ_CST);
    return NULL;
}

static void cancel_one(const char *sql)
{
    struct sleeper s = {.c = connect_db(db), .sql = sql, .running = 1};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, run_long, &s), 0);
    while (__atomic_load_n(&s.running, __ATOMIC_SEQ_CST)) {
        usleep(20000); /* a cancel that comes before the statement is none */
        helios_cancel(s.c);
    }
    pthread_join(t, NULL);
    assert_int_equal(s.result, HELIOS_ERROR);
    assert_string_equal(helios_error(s.c)->sqlstate, "57014");
    assert_int_equal(number(s.c, "select 1"), 1);
    helios_cancel(s.c); /* nothing runs */
    assert_int_equal(number(s.c, "select 2"), 2);
    helios_disconnect(s.c);
}

static void test_cancel(void **state)
{
    (void)state;
    cancel_one("select pg_sleep(60)");
    cancel_one("select count(*) from generate_series(1, 1000000000) a");
    /* A statement that waits for a lock. */
    struct helios *holder = connect_db(db);
    run(holder, "create table locked (id int primary key); insert into locked values (1)");
    run(holder, "begin; update locked set id = 1 where id = 1");
    cancel_one("update locked set id = 1 where id = 1");
    run(holder, "commit");
    helios_disconnect(holder);
}

static void test_cancel_between_rows(void **state)
{
    (void)state;
    struct helios *c = connect_db(db);
    struct helios_stmt *s = prepare(c, "select * from generate_series(1, 100000000)");
    enum helios_status st = helios_step(s);
    helios_cancel(c);
    while (st == HELIOS_ROW) st = helios_step(s);
    assert_int_equal(st, HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "57014");
    helios_finish(s);
    helios_disconnect(c);
}

static void test_statement_timeout(void **state)
{
    (void)state;
    struct helios *c = connect_db(db);
    run(c, "set statement_timeout = '30ms'");
    assert_int_equal(helios_exec(c, "select pg_sleep(60)"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "57014");
    helios_disconnect(c);
}

static void test_terminated(void **state)
{
    (void)state;
    struct helios *c = connect_db(db), *other = connect_db(db);
    char sql[80];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)",
             (int)number(other, "select pg_backend_pid()"));
    run(c, sql);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(helios_exec(other, "select 1"), HELIOS_ERROR);
        assert_string_equal(helios_error(other)->sqlstate, "57P01");
    }
    helios_disconnect(other);
    run(c, "select 1");
    helios_disconnect(c);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { GROWTH_KB_MAX = 2 << 20 }; /* they keep what was freed */
#else
enum { GROWTH_KB_MAX = 20000 };
#endif

/* --- large results ---------------------------------------------------------------------------- */

static long resident_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
    fclose(f);
    return kb;
}

static void test_large_result(void **state)
{
    (void)state;
    static const char filler[] = "a text of some length, so that a million of them are a lot";
    struct helios *c = connect_db(db);
    run(c, "create table big as select n, n::text || ' a text of some length, so that a million of "
           "them are a lot' as t from generate_series(1, 10000) n");
    /* A million rows of 60 bytes and more; what they take together must not be held. */
    struct helios_stmt *s = prepare(c, "select b.t from generate_series(1, 100) a, big b");
    int64_t rows = 0, bytes = 0;
    long before = 0, most = 0;
    while (helios_step(s) == HELIOS_ROW) {
        size_t len;
        const char *text = helios_bytes(s, 0, &len);
        bytes += (int64_t)len;
        if (!rows) assert_non_null(strstr(text, filler));
        if (++rows == 50000) before = resident_kb();
        if (rows % 100000 == 0 && resident_kb() > most) most = resident_kb();
    }
    assert_null(helios_error(c));
    assert_int_equal(rows, 1000000);
    assert_true(bytes > 60000000);
    assert_true(most - before < GROWTH_KB_MAX);
    helios_finish(s);
    helios_disconnect(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transfers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_result_moves_between_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_between_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_statement_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_terminated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_result, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
