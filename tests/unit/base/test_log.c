#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

static char path[64];

static char *read_log(void)
{
    static char text[8192];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void text_lines(void **state)
{
    (void)state;
    struct log_options opts = {.level = LOG_NOTICE, .path = path};
    assert_int_equal(log_open(&opts), OK);
    assert_false(log_enabled(LOG_INFO));
    LOG(LOG_INFO, "test", "not %s", "shown");
    LOG(LOG_WARNING, "test", "two\nlines \"quoted\" %d", 7);
    (void)!FAIL(IO_ERROR, "disk on fire");
    error_hint("Run.");
    log_error(LOG_ERROR, "test");
    char *text = read_log();
    assert_null(strstr(text, "shown"));
    assert_non_null(strstr(text, "warning test: two\\nlines \"quoted\" 7\n"));
    assert_non_null(strstr(text, "error   test: 58030: disk on fire; hint: Run. ("));
    log_close();
    unlink(path);
}

static void json_lines(void **state)
{
    (void)state;
    struct log_options opts = {.level = LOG_DEBUG, .format = LOG_JSON, .path = path};
    assert_int_equal(log_open(&opts), OK);
    LOG(LOG_DEBUG, "a", "x \"y\" \\ \x01");
    char *text = read_log();
    assert_non_null(strstr(text, "\"level\":\"debug\",\"part\":\"a\",\"message\":\"x \\\"y\\\" \\\\ "
                                 "\\u0001\"}\n"));
    assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
    log_close();
    unlink(path);
}

static void options(void **state)
{
    (void)state;
    enum log_level level;
    struct log_options opts = {.path = "/nonexistent/log"};
    assert_int_equal(log_open(&opts), IO_ERROR);
    assert_true(log_parse_level("Warning", &level) && level == LOG_WARNING);
    assert_false(log_parse_level("loud", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_lines), cmocka_unit_test(json_lines),
                                       cmocka_unit_test(options)};
    snprintf(path, sizeof path, "/tmp/helios-log-%d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
