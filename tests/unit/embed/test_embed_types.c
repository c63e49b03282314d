/* The text, and the number, of a value of every type. In memory. */
#include <math.h>

#include "embed_test.h"

static struct helios_db *db;
static struct helios *c;

static int set_up(void **state)
{
    (void)state;
    db = open_db(":memory:");
    c = connect_db(db);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    helios_disconnect(c);
    return helios_close(db) != HELIOS_OK;
}

static const struct {
    const char *type, *in, *out;
} texts[] = {
    {"boolean", "true", "t"},
    {"smallint", "-32768", "-32768"},
    {"integer", "2147483647", "2147483647"},
    {"bigint", "-9223372036854775808", "-9223372036854775808"},
    {"real", "0.1", "0.1"},
    {"double precision", "1e300", "1e+300"},
    {"double precision", "NaN", "NaN"},
    {"numeric", "123456789012345678901234567890.5", "123456789012345678901234567890.5"},
    {"numeric(10,2)", "1.5", "1.50"},
    {"text", "h\xc3\xa9llo", "h\xc3\xa9llo"},
    {"text", "", ""},
    {"text", "a text that is longer than twelve bytes", "a text that is longer than twelve bytes"},
    {"character varying(5)", "abc", "abc"},
    {"character(5)", "abc", "abc  "},
    {"name", "somebody", "somebody"},
    {"bytea", "\\xdeadbeef", "\\xdeadbeef"},
    {"date", "2026-02-28", "2026-02-28"},
    {"time without time zone", "12:34:56.5", "12:34:56.5"},
    {"timestamp without time zone", "2026-02-28 01:02:03", "2026-02-28 01:02:03"},
    {"timestamp with time zone", "2026-02-28 01:02:03+00", "2026-02-28 01:02:03+00"},
    {"interval", "1 year 2 days 03:04:05", "1 year 2 days 03:04:05"},
    {"uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {"oid", "4294967295", "4294967295"},
    {"integer[]", "{1,2,NULL}", "{1,2,NULL}"},
    {"text[]", "{a,\"b c\"}", "{a,\"b c\"}"},
};

static void test_texts(void **state)
{
    (void)state;
    run(c, "set time zone 'UTC'");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char sql[200];
        size_t len;
        snprintf(sql, sizeof sql, "select $1::%s as v", texts[i].type);
        struct helios_stmt *s = prepare(c, sql);
        assert_int_equal(helios_bind_text(s, 1, texts[i].in), HELIOS_OK);
        if (helios_step(s) != HELIOS_ROW)
            fail_msg("%s: %s", texts[i].type, helios_error(c)->message);
        assert_string_equal(helios_text(s, 0), texts[i].out);
        assert_string_equal(helios_column_type(s, 0), texts[i].type);
        if (strcmp(texts[i].type, "bytea") != 0) {
            assert_memory_equal(helios_bytes(s, 0, &len), texts[i].out, strlen(texts[i].out));
            assert_int_equal(len, strlen(texts[i].out));
        }
        helios_finish(s);
    }
}

/* The same through a table and a batch of many rows, with NULLs among them. */
static void test_texts_of_a_table(void **state)
{
    (void)state;
    run(c, "set time zone 'UTC'");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char sql[300];
        int rows = 0;
        snprintf(sql, sizeof sql, "create table v (k int primary key, v %s)", texts[i].type);
        run(c, sql);
        snprintf(sql, sizeof sql, "insert into v select n, case when n %% 3 > 0 then $1::%s end "
                                  "from generate_series(1, 3000) n", texts[i].type);
        struct helios_stmt *s = prepare(c, sql);
        assert_int_equal(helios_bind_text(s, 1, texts[i].in), HELIOS_OK);
        if (helios_step(s) != HELIOS_DONE) fail_msg("%s: %s", sql, helios_error(c)->message);
        helios_finish(s);
        s = prepare(c, "select v from v order by k");
        while (helios_step(s) == HELIOS_ROW) {
            if (++rows % 3) assert_string_equal(helios_text(s, 0), texts[i].out);
            else assert_true(helios_is_null(s, 0) && !helios_text(s, 0));
        }
        assert_null(helios_error(c));
        assert_int_equal(rows, 3000);
        helios_finish(s);
        run(c, "drop table v");
    }
}

static void test_numbers(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(
        c, "select 5::int2, 6::int4, 7::int8, 8.9::float4, -9.9::float8, 10.75::numeric, "
           "'11'::text, 'x'::text, true, 1e30::float8, 'NaN'::float8, "
           "99999999999999999999::numeric, "
           "date '2026-01-01', 0, 0.5::numeric, 4000000000::oid, null::int");
    static const int64_t ints[] = {5, 6, 7, 8, -9, 10, 11, 0, 1, 0, 0, 0, 0, 0, 0, 4000000000, 0};
    static const double doubles[] = {5, 6, 7, 0, -9.9, 10.75, 11, 0, 1, 1e30, NAN, 1e20, 0, 0, 0.5,
                                     4e9, 0};
    assert_int_equal(helios_step(s), HELIOS_ROW);
    for (int i = 0; i < 17; i++) {
        assert_int_equal(helios_int64(s, i), ints[i]);
        if (i == 3) assert_true(fabs(helios_double(s, i) - 8.9) < 1e-6);
        else if (isnan(doubles[i])) assert_true(isnan(helios_double(s, i)));
        else assert_true(helios_double(s, i) == doubles[i]);
    }
    assert_true(helios_bool(s, 0));
    assert_true(helios_bool(s, 8));
    assert_true(helios_bool(s, 14));
    assert_false(helios_bool(s, 13));
    assert_false(helios_bool(s, 7));
    helios_finish(s);
}

static bool is_name(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)names;
    return !strcmp(values[columns - 1], ctx);
}

/* Their texts are names of the catalog's. */
static void test_names(void **state)
{
    (void)state;
    struct helios_stmt *s = prepare(c, "select 'pg_class'::regclass, 'int4'::regtype, oid::regclass"
                                       " from pg_class where relname = 'pg_type'");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_string_equal(helios_text(s, 0), "pg_class");
    assert_string_equal(helios_text(s, 1), "integer");
    assert_string_equal(helios_text(s, 2), "pg_type");
    helios_finish(s);
    assert_int_equal(helios_query(c, "select 1247::regclass", is_name, "pg_type"), HELIOS_OK);
}

static void test_settings_of_the_session_count(void **state)
{
    (void)state;
    run(c, "set datestyle = 'German'");
    struct helios_stmt *s = prepare(c, "select date '2026-02-28'");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    assert_string_equal(helios_text(s, 0), "28.02.2026");
    helios_finish(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_of_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_settings_of_the_session_count, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
