#include "base/point.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#ifdef HELIOS_POINTS

static void hit(void *ctx)
{
    ++*(int *)ctx;
}

static void armed(void **state)
{
    (void)state;
    int hits = 0;
    POINT("base.test");
    point_arm("base.test", 3, hit, &hits);
    for (int i = 1; i <= 5; i++) {
        POINT("base.test");
        POINT("wal.before_sync");
        assert_int_equal(hits, i >= 3);
    }
    point_arm("base.test", 1, hit, &hits);
    point_disarm_all();
    POINT("base.test");
    assert_int_equal(hits, 1);
}

static enum status passes(void)
{
    POINT_TRY("base.test");
    return OK;
}

/* A child of its own, as the environment is read once. */
static int run_child(const char *spec)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("HELIOS_POINT", spec, 1);
        setenv("HELIOS_TEST_CHILD", "1", 1);
        execl("/proc/self/exe", "test_point", (char *)NULL);
        _exit(99);
    }
    int status;
    waitpid(pid, &status, 0);
    return status;
}

static void from_environment(void **state)
{
    (void)state;
    int status = run_child("base.test:2:error");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
    status = run_child("base.test:3:kill");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), 9);
}

/* Exits with the number of the call that failed. */
static int child(void)
{
    for (int i = 1; i < 5; i++)
        if (passes() == IO_ERROR) return i;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(armed), cmocka_unit_test(from_environment)};
    if (getenv("HELIOS_TEST_CHILD")) return child();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    return 0;
}
#endif
