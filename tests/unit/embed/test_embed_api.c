/* The functions one by one, and what they say when they are misused. In memory. */
#include "embed_test.h"

static struct helios_db *db;
static struct helios *c;

static int set_up(void **state)
{
    (void)state;
    db = open_db(NULL);
    c = connect_db(db);
    run(c, "create table t (id int primary key, name varchar(10) not null, price numeric(10,2) "
           "check (price > 0))");
    run(c, "insert into t values (1, 'one', 1.50), (2, 'two', 2.25), (3, 'three', null)");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    return 0;
}

/* --- queries ---------------------------------------------------------------------------------- */

static bool append(void *ctx, int columns, const char *const *names, const char *const *values)
{
    char *out = ctx;
    for (int i = 0; i < columns; i++) {
        strcat(out, names[i]);
        strcat(out, "=");
        strcat(out, values[i] ? values[i] : "NULL");
        strcat(out, i + 1 < columns ? "," : ";");
    }
    return true;
}

static void test_query(void **state)
{
    (void)state;
    char out[512] = "";
    assert_int_equal(helios_query(c, "select id, name from t order by id limit 2;"
                                     "select price from t where id = 3", append, out), HELIOS_OK);
    assert_string_equal(out, "id=1,name=one;id=2,name=two;price=NULL;");
    assert_string_equal(helios_tag(c), "SELECT 1");
    run(c, "insert into t values (4, 'four', 4)");
    assert_string_equal(helios_tag(c), "INSERT 0 1");
    run(c, "update t set price = 5 where id < 3");
    assert_string_equal(helios_tag(c), "UPDATE 2");
    assert_int_equal(helios_query(c, "", append, out), HELIOS_OK);
    out[0] = '\0';
    assert_int_equal(helios_query(c, "show server_version_num", append, out), HELIOS_OK);
    assert_memory_equal(out, "server_version_num=15", 21);
}

static void test_query_rolls_back_as_one(void **state)
{
    (void)state;
    assert_int_equal(helios_exec(c, "insert into t values (9, 'nine', 9); select 1/0"),
                     HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "22012");
    assert_int_equal(number(c, "select count(*) from t where id = 9"), 0);
}

static bool stop_at_three(void *ctx, int columns, const char *const *names,
                          const char *const *values)
{
    (void)columns, (void)names, (void)values;
    return ++*(int *)ctx < 3;
}

static void test_query_stopped(void **state)
{
    (void)state;
    int rows = 0;
    assert_int_equal(helios_query(c, "select * from generate_series(1, 100000)", stop_at_three,
                                  &rows), HELIOS_ERROR);
    assert_int_equal(rows, 3);
    assert_string_equal(helios_error(c)->sqlstate, "57014");
    assert_int_equal(helios_transaction_state(c), 'I');
}

static bool call_again(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names, (void)values;
    *(enum helios_status *)ctx = helios_exec(c, "select 1");
    return true;
}

static void test_no_call_in_a_callback(void **state)
{
    (void)state;
    enum helios_status inner = HELIOS_OK;
    assert_int_equal(helios_query(c, "select 1", call_again, &inner), HELIOS_OK);
    assert_int_equal(inner, HELIOS_MISUSE);
}

/* --- prepared statements ---------------------------------------------------------------------- */

static void test_prepared(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(c, "select id, name, price, price is null as missing from t "
                                       "where id >= $1 and name <> $2 order by id");
    assert_int_equal(helios_parameter_count(s), 2);
    assert_int_equal(helios_column_count(s), 4);
    assert_string_equal(helios_column_name(s, 1), "name");
    assert_string_equal(helios_column_name(s, 3), "missing");
    assert_string_equal(helios_column_type(s, 0), "integer");
    assert_string_equal(helios_column_type(s, 1), "character varying(10)");
    assert_string_equal(helios_column_type(s, 2), "numeric(10,2)");
    assert_null(helios_column_name(s, 4));
    assert_null(helios_column_type(s, -1));
    assert_true(helios_is_null(s, 0)); /* no row yet */
    assert_int_equal(helios_step(s), HELIOS_DONE); /* parameters are NULL at first */
    assert_int_equal(helios_bind_int64(s, 1, 2), HELIOS_OK);
    assert_int_equal(helios_bind_text(s, 2, "nobody"), HELIOS_OK);
    for (int run_ = 0; run_ < 2; run_++) { /* what is bound stays */
        assert_int_equal(helios_step(s), HELIOS_ROW);
        assert_int_equal(helios_int64(s, 0), 2);
        assert_string_equal(helios_text(s, 1), "two");
        assert_true(helios_double(s, 2) == 2.25);
        assert_int_equal(helios_int64(s, 2), 2);
        assert_false(helios_bool(s, 3));
        assert_int_equal(helios_bind_int64(s, 1, 3), HELIOS_MISUSE); /* rows are stepped */
        assert_int_equal(helios_step(s), HELIOS_ROW);
        assert_true(helios_is_null(s, 2));
        assert_null(helios_text(s, 2));
        assert_int_equal(helios_int64(s, 2), 0);
        assert_true(helios_bool(s, 3));
        assert_int_equal(helios_step(s), HELIOS_DONE);
        assert_null(helios_text(s, 1));
    }
    helios_finish(s);
}

static void test_bind_forms(void **state)
{
    (void)state;
    static const char raw[] = {0, 1, 'x', (char)0xff};
    size_t len;
    struct helios_stmt *s = prepare(c, "select $1::bool, $2::numeric, $3::bytea, $4::date, "
                                       "$5::float8, $6::text");
    assert_int_equal(helios_bind_bool(s, 1, true), HELIOS_OK);
    assert_int_equal(helios_bind_double(s, 2, 9.99), HELIOS_OK);
    assert_int_equal(helios_bind_bytes(s, 3, raw, sizeof raw), HELIOS_OK);
    assert_int_equal(helios_bind_text(s, 4, "2026-02-28"), HELIOS_OK);
    assert_int_equal(helios_bind_double(s, 5, 0.1), HELIOS_OK);
    assert_int_equal(helios_bind_bytes(s, 6, "ab\0c", 2), HELIOS_OK);
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_true(helios_bool(s, 0));
    assert_string_equal(helios_text(s, 0), "t");
    assert_string_equal(helios_text(s, 1), "9.99");
    assert_memory_equal(helios_bytes(s, 2, &len), raw, sizeof raw);
    assert_int_equal(len, sizeof raw);
    assert_string_equal(helios_text(s, 2), "\\x000178ff");
    assert_string_equal(helios_text(s, 3), "2026-02-28");
    assert_true(helios_double(s, 4) == 0.1);
    assert_memory_equal(helios_bytes(s, 5, &len), "ab", 2);
    assert_int_equal(len, 2);
    helios_reset(s);
    assert_int_equal(helios_bind_null(s, 3), HELIOS_OK);
    assert_int_equal(helios_bind_text(s, 6, "\xff"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "22021");
    assert_int_equal(helios_bind_text(s, 2, "many"), HELIOS_OK);
    assert_int_equal(helios_step(s), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "22P02");
    assert_int_equal(helios_bind_text(s, 2, NULL), HELIOS_OK);
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_true(helios_is_null(s, 1));
    assert_null(helios_bytes(s, 2, &len));
    assert_int_equal(len, 0);
    helios_finish(s);
}

static void test_reset_in_the_middle(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(c, "select n from generate_series(1, 100000) n");
    run(c, "begin");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    helios_reset(s);
    helios_reset(s);
    assert_int_equal(helios_transaction_state(c), 'T'); /* it has not failed */
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_int_equal(helios_int64(s, 0), 1);
    helios_finish(s);
    run(c, "commit");
    /* A statement that writes does all its work, whoever looks. */
    run(c, "create table w (n int)");
    s = prepare(c, "insert into w select generate_series(1, 10000) returning n");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    helios_reset(s);
    assert_int_equal(number(c, "select count(*) from w"), 10000);
    helios_finish(s);
}

static void test_one_result_at_a_time(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(c, "select * from generate_series(1, 10)"), *other;
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_int_equal(helios_exec(c, "select 1"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "55000");
    assert_non_null(helios_error(c)->hint);
    assert_int_equal(helios_prepare(c, "select 1", &other), HELIOS_ERROR);
    assert_null(other);
    assert_int_equal(helios_step(s), HELIOS_ROW); /* goes on */
    assert_int_equal(helios_int64(s, 0), 2);
    assert_null(helios_error(c));
    helios_reset(s);
    run(c, "select 1");
    helios_finish(s);
}

static void test_ddl_and_replanning(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(c, "select count(*) from t where id = $1");
    struct helios_stmt *ddl = prepare(c, "create index t_price on t (price)");
    assert_int_equal(helios_column_count(ddl), 0);
    assert_int_equal(helios_step(ddl), HELIOS_DONE);
    assert_string_equal(helios_tag(c), "CREATE INDEX");
    assert_int_equal(helios_step(ddl), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "42P07");
    helios_finish(ddl);
    assert_int_equal(helios_bind_int64(s, 1, 2), HELIOS_OK);
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_int_equal(helios_int64(s, 0), 1);
    helios_finish(s);
}

/* --- errors ----------------------------------------------------------------------------------- */

static void test_error_fields(void **state)
{
    (void)state;
    assert_int_equal(helios_exec(c, "select nothing from t"), HELIOS_ERROR);
    const struct helios_error *e = helios_error(c);
    assert_string_equal(e->sqlstate, "42703");
    assert_string_equal(e->message, "column \"nothing\" does not exist");
    assert_int_equal(e->position, 8);
    assert_null(e->constraint);
    assert_int_equal(helios_exec(c, "insert into t values (1, 'again', 1)"), HELIOS_ERROR);
    e = helios_error(c);
    assert_string_equal(e->sqlstate, "23505");
    assert_string_equal(e->constraint, "t_pkey");
    assert_string_equal(e->table, "t");
    assert_string_equal(e->schema, "public");
    assert_string_equal(e->detail, "Key (id)=(1) already exists.");
    assert_int_equal(helios_exec(c, "insert into t values (50, null, 1)"), HELIOS_ERROR);
    e = helios_error(c);
    assert_string_equal(e->sqlstate, "23502");
    assert_string_equal(e->column, "name");
    assert_int_equal(helios_exec(c, "insert into t values (50, 'x', -1)"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->constraint, "t_price_check");
    assert_int_equal(helios_exec(c, "select '\xc3'"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "22021");
    struct helios_stmt *s;
    assert_int_equal(helios_prepare(c, "selec", &s), HELIOS_ERROR);
    assert_null(s);
    assert_int_equal(helios_error(c)->position, 1);
    assert_int_equal(helios_prepare(c, "select 1; select 2", &s), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "42601");
    run(c, "select 1");
    assert_null(helios_error(c));
}

static void test_error_while_stepping(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(c, "select 1 / (9000 - n) from generate_series(1, 20000) n");
    enum helios_status st;
    int rows = 0;
    while ((st = helios_step(s)) == HELIOS_ROW) rows++;
    assert_int_equal(st, HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "22012");
    assert_true(rows < 9000);
    assert_true(helios_is_null(s, 0));
    helios_finish(s);
}

static void test_transactions(void **state)
{
    (void)state;
    assert_int_equal(helios_transaction_state(c), 'I');
    run(c, "begin");
    assert_int_equal(helios_transaction_state(c), 'T');
    run(c, "insert into t values (77, 'gone', 1)");
    assert_int_equal(helios_exec(c, "select 1/0"), HELIOS_ERROR);
    assert_int_equal(helios_transaction_state(c), 'E');
    assert_int_equal(helios_exec(c, "select 1"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "25P02");
    run(c, "rollback");
    assert_int_equal(number(c, "select count(*) from t where id = 77"), 0);
    struct helios *other = connect_db(db);
    run(other, "begin; insert into t values (78, 'gone', 1)");
    helios_disconnect(other);
    assert_int_equal(number(c, "select count(*) from t where id = 78"), 0);
}

/* Cursors over results that have no end; one is left in the middle of a FETCH. */
static void test_cursors(void **state)
{
    (void)state;
    struct helios *d = connect_db(db);
    run(d, "begin");
    run(d, "declare a cursor for select generate_series(1, 4000000000)");
    run(d, "declare b no scroll cursor for select g from generate_series(1, 4000000000) g");
    for (int i = 0; i < 50; i++) {
        struct helios_stmt *s = prepare(d, i % 2 ? "fetch 5000 from a" : "fetch 5000 from b");
        for (int64_t n = 1; n <= 5000; n++) {
            assert_int_equal(helios_step(s), HELIOS_ROW);
            assert_int_equal(helios_int64(s, 0), i / 2 * 5000 + n);
        }
        assert_int_equal(helios_step(s), HELIOS_DONE);
        helios_finish(s);
    }
    struct helios_stmt *s = prepare(d, "fetch all from a");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_int_equal(helios_int64(s, 0), 125001);
    helios_finish(s);
    s = prepare(d, "fetch 1 from b");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_int_equal(helios_int64(s, 0), 125001);
    helios_finish(s);
    run(d, "close b");
    helios_disconnect(d); /* with a cursor in the middle */
}

static void test_copy_is_refused(void **state)
{
    (void)state;
    assert_int_equal(helios_exec(c, "copy t from stdin"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "0A000");
    assert_int_equal(helios_exec(c, "copy t to stdout"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "0A000");
    run(c, "select 1");
}

struct notices {
    int count;
    char last[200];
};

static void take_notice(void *ctx, const char *severity, const char *message)
{
    struct notices *n = ctx;
    n->count++;
    snprintf(n->last, sizeof n->last, "%s: %s", severity, message);
}

static void test_notices(void **state)
{
    (void)state;
    struct notices n = {0};
    run(c, "drop table if exists nowhere");
    helios_on_notice(c, take_notice, &n);
    run(c, "drop table if exists nowhere");
    assert_int_equal(n.count, 1);
    assert_string_equal(n.last, "NOTICE: table \"nowhere\" does not exist, skipping");
    helios_on_notice(c, NULL, NULL);
    run(c, "drop table if exists nowhere");
    assert_int_equal(n.count, 1);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void test_misuse(void **state)
{
    (void)state;
    struct helios_stmt *s = NULL;
    struct helios *other;
    assert_int_equal(helios_open(NULL, NULL, NULL, NULL), HELIOS_MISUSE);
    assert_int_equal(helios_close(NULL), HELIOS_MISUSE);
    assert_int_equal(helios_close(db), HELIOS_MISUSE); /* a connection is open */
    assert_int_equal(helios_connect(NULL, NULL, &other, NULL), HELIOS_MISUSE);
    assert_int_equal(helios_connect(db, NULL, NULL, NULL), HELIOS_MISUSE);
    assert_int_equal(helios_exec(NULL, "select 1"), HELIOS_MISUSE);
    assert_int_equal(helios_exec(c, NULL), HELIOS_MISUSE);
    assert_int_equal(helios_prepare(NULL, "select 1", &s), HELIOS_MISUSE);
    assert_int_equal(helios_prepare(c, NULL, &s), HELIOS_MISUSE);
    assert_int_equal(helios_prepare(c, "select 1", NULL), HELIOS_MISUSE);
    assert_int_equal(helios_step(NULL), HELIOS_MISUSE);
    assert_int_equal(helios_bind_null(NULL, 1), HELIOS_MISUSE);
    helios_disconnect(NULL);
    helios_cancel(NULL);
    helios_finish(NULL);
    helios_reset(NULL);
    helios_free(NULL);
    assert_null(helios_error(NULL));
    assert_string_equal(helios_tag(NULL), "");
    assert_int_equal(helios_column_count(NULL), 0);
    assert_true(helios_is_null(NULL, 0));
    s = prepare(c, "select $1::int");
    assert_int_equal(helios_bind_int64(s, 0, 1), HELIOS_MISUSE);
    assert_int_equal(helios_bind_int64(s, 2, 1), HELIOS_MISUSE);
    assert_int_equal(helios_bind_bytes(s, 1, NULL, 3), HELIOS_MISUSE);
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_null(helios_text(s, 7));
    assert_int_equal(helios_int64(s, -1), 0);
    /* A statement that outlives its connection can be finished, and nothing else. */
    other = connect_db(db);
    struct helios_stmt *left = prepare(other, "select * from generate_series(1, 10000)");
    assert_int_equal(helios_step(left), HELIOS_ROW);
    helios_disconnect(other);
    assert_int_equal(helios_step(left), HELIOS_MISUSE);
    helios_finish(left);
    helios_finish(s);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const struct helios_setting unknown[] = {{"no_such", "1"}, {0}};
    static const struct helios_setting dir[] = {{"data_dir", "x"}, {0}};
    static const struct helios_setting value[] = {{"cache_bytes", "much"}, {0}};
    const struct helios_setting *all[] = {unknown, dir, value};
    for (int i = 0; i < 3; i++) {
        struct helios_db *none;
        char *message = NULL;
        assert_int_equal(helios_open(NULL, all[i], &none, &message), HELIOS_ERROR);
        assert_null(none);
        assert_non_null(strstr(message, all[i]->name));
        helios_free(message);
    }
    struct helios_connect_options o = {.database = "nowhere"};
    struct helios *other;
    char *message = NULL;
    assert_int_equal(helios_connect(db, &o, &other, &message), HELIOS_ERROR);
    assert_string_equal(message, "database \"nowhere\" does not exist");
    helios_free(message);
    o = (struct helios_connect_options){.user = "nobody"};
    assert_int_equal(helios_connect(db, &o, &other, NULL), HELIOS_ERROR);
    assert_null(other);
    o = (struct helios_connect_options){"postgres", "postgres"};
    assert_int_equal(helios_connect(db, &o, &other, NULL), HELIOS_OK);
    helios_disconnect(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_query, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_query_rolls_back_as_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_query_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_call_in_a_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prepared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bind_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reset_in_the_middle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_result_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ddl_and_replanning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_error_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_error_while_stepping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_notices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_misuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_settings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
