#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum status inner(void)
{
    FAIL(DIVISION_BY_ZERO, "division by %s", "zero");
    error_detail("Detail %d.", 1);
    error_hint("Hint.");
    error_object("public", "t", "c", NULL);
    return error_at(12);
}

static enum status outer(void)
{
    TRY(inner());
    return OK;
}

static void travels(void **state)
{
    (void)state;
    assert_int_equal(outer(), DIVISION_BY_ZERO);
    const struct error *e = error_current();
    assert_int_equal(e->code, DIVISION_BY_ZERO);
    assert_string_equal(e->message, "division by zero");
    assert_string_equal(e->detail, "Detail 1.");
    assert_string_equal(e->hint, "Hint.");
    assert_string_equal(e->table, "t");
    assert_string_equal(e->constraint, "");
    assert_int_equal(e->position, 12);
    assert_string_equal(e->routine, "inner");
    (void)!FAIL(SYNTAX_ERROR, "%02000d", 1); /* cut, not overrun */
    assert_int_equal(strlen(error_current()->message), ERROR_TEXT_MAX - 1);
    assert_string_equal(error_current()->detail, "");
    error_clear();
    assert_int_equal(error_current()->code, OK);
}

static void slots(void **state)
{
    (void)state;
    static struct error mine;
    (void)!FAIL(SYNTAX_ERROR, "the thread's");
    error_set_slot(&mine);
    (void)!FAIL(UNDEFINED_TABLE, "mine");
    assert_string_equal(mine.message, "mine");
    error_set_slot(NULL);
    assert_string_equal(error_current()->message, "the thread's");
}

static void table(void **state)
{
    (void)state;
    for (enum status s = OK; s < STATUS_COUNT; s++) {
        assert_int_equal(strlen(status_sqlstate(s)), 5);
        assert_true(strlen(status_text(s)) > 0 && strlen(status_name(s)) > 0);
        assert_true((status_mysql_errno(s) == 0) == (s == OK));
    }
    assert_string_equal(status_sqlstate(UNIQUE_VIOLATION), "23505");
    assert_string_equal(status_name(UNIQUE_VIOLATION), "UNIQUE_VIOLATION");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(travels), cmocka_unit_test(slots),
                                       cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
