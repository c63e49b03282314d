#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

static char path[64];

static enum status load(struct config *c, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    enum status st = config_load_file(c, path);
    unlink(path);
    return st;
}

static void defaults(void **state)
{
    (void)state;
    int count;
    const struct setting_def *defs = config_defs(&count);
    struct config *c = config_new();
    for (int i = 0; i < count; i++) {
        assert_int_equal(config_source(c, defs[i].name), SOURCE_DEFAULT);
        assert_true(strlen(defs[i].help) > 10);
    }
    assert_string_equal(config_string(c, "listen"), "127.0.0.1");
    assert_int_equal(config_int(c, "pg_port"), 5432);
    assert_int_equal(config_int(c, "wal.file_bytes"), 64 << 20);
    assert_true(config_int(c, "cache_bytes") >= 64 << 20);
    assert_true(config_int(c, "query.memory_limit") >= 64 << 20);
    assert_false(config_bool(c, "auth.allow_insecure"));
    config_free(c);
}

static void values(void **state)
{
    (void)state;
    struct config *c = config_new();
    static const struct { const char *name, *value; int64_t want; } good[] = {
        {"memtable_bytes", "128 kB", 128 << 10}, {"memtable_bytes", "3mb", 3 << 20},
        {"memtable_bytes", "70000", 70000},      {"wal.group_commit_window", "10ms", 10},
        {"checkpoint_interval", "2min", 120000},    {"checkpoint_interval", "1 h", 3600000},
        {"PG_PORT", "0", 0},                     {"auth.allow_insecure", "YES", 1},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(config_set(c, good[i].name, good[i].value, SOURCE_FLAG), OK);
        assert_int_equal(config_int(c, good[i].name), good[i].want);
    }
    static const char *const bad[][2] = {
        {"memtable_bytes", "5 parsecs"}, {"memtable_bytes", ""},   {"memtable_bytes", "1"},
        {"pg_port", "65536"},            {"pg_port", "-1"},        {"pg_port", "1kB"},
        {"pg_port", "0x10"},             {"auth.method", "md5"},   {"auth.method", ""},
        {"auth.method", "trust|scram"},  {"tls.mode", "allo"},     {"no.such", "1"},
        {"auth.allow_insecure", "2"},    {"checkpoint_interval", "99999999999999999999d"},
        {"checkpoint_interval", "9223372036854775807d"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(config_set(c, bad[i][0], bad[i][1], SOURCE_FLAG), CONFIG_FILE_ERROR);
    assert_int_equal(config_set(c, "auth.method", "nonsense", SOURCE_FLAG), CONFIG_FILE_ERROR);
    assert_string_equal(error_current()->hint, "Available values: trust|scram.");
    config_free(c);
}

static void precedence(void **state)
{
    (void)state;
    char *env[] = {"PATH=/bin", "HELIOS_PG_PORT=2", "HELIOS_WAL_GROUP_COMMIT_WINDOW=7ms",
                   "HELIOS_POINT=x:1:kill", "HELIOS_=", NULL};
    char *bad_env[] = {"HELIOS_PG_PORT=many", NULL};
    struct config *c = config_new();
    assert_int_equal(config_set(c, "listen", "::1", SOURCE_FLAG), OK);
    assert_int_equal(config_load_env(c, env), OK);
    assert_int_equal(load(c, "pg_port = 1\nlisten = 'elsewhere'\nmax_connections = 33\n"), OK);
    assert_int_equal(config_int(c, "pg_port"), 2);
    assert_int_equal(config_int(c, "wal.group_commit_window"), 7);
    assert_int_equal(config_int(c, "max_connections"), 33);
    assert_string_equal(config_string(c, "listen"), "::1");
    assert_int_equal(config_source(c, "listen"), SOURCE_FLAG);
    assert_int_equal(config_source(c, "pg_port"), SOURCE_ENV);
    assert_int_equal(config_source(c, "max_connections"), SOURCE_FILE);
    assert_int_equal(config_load_env(c, bad_env), CONFIG_FILE_ERROR);
    config_free(c);
}

static void files(void **state)
{
    (void)state;
    struct config *c = config_new();
    assert_int_equal(config_load_file(c, "/nonexistent"), UNDEFINED_FILE);
    assert_int_equal(load(c, "\n# comment\n  pg_port 7 # more\r\nlisten='it''s\\'' # x'#c\n"
                             "data_dir = /a b \nlog.path = ''\n"), OK);
    assert_int_equal(config_int(c, "pg_port"), 7);
    assert_string_equal(config_string(c, "listen"), "it's'");
    assert_string_equal(config_string(c, "data_dir"), "/a b");
    assert_string_equal(config_string(c, "log.path"), "");
    static const char *const bad[] = {"pg_port\n", "pg_port =\n", "= 5\n", "listen = 'x\n",
                                      "listen = 'x' y\n", "pg_port = x\n", "nothing = 1\n", "!\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(load(c, bad[i]), CONFIG_FILE_ERROR);
        assert_non_null(strstr(error_current()->message, "line 1"));
    }
    char *line = calloc(1, 10000);
    memset(line, 'a', 9999);
    assert_int_equal(load(c, line), CONFIG_FILE_ERROR);
    free(line);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(values),
                                       cmocka_unit_test(precedence), cmocka_unit_test(files)};
    snprintf(path, sizeof path, "/tmp/helios-config-%d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
