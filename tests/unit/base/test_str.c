#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void slices(void **state)
{
    (void)state;
    assert_true(slice_eq(slice_of("abc"), SLICE("abc")));
    assert_true(slice_eq(slice_of(NULL), SLICE("")));
    assert_true(slice_cmp(SLICE("ab"), SLICE("abc")) < 0);
    assert_true(slice_cmp(SLICE("b"), SLICE("abc")) > 0);
    assert_int_equal(slice_cmp(SLICE(""), SLICE("")), 0);
    assert_true(slice_cmp(SLICE("\xff"), SLICE("a")) > 0); /* bytes are unsigned */
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
    assert_true(str_eq_nocase("SeLeCt", "sElEcT"));
    assert_false(str_eq_nocase("a", "ab"));
    assert_false(str_eq_nocase("[", "{"));
}

static void numbers(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    assert_true(str_to_i64(SLICE("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(str_to_i64(SLICE("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(str_to_i64(SLICE("+5"), &i) && i == 5);
    assert_true(str_to_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    static const char *const bad[] = {"", "-", "+", " 1", "1 ", "1x", "0x1", "--1", "9223372036854775808",
                                      "-9223372036854775809", "99999999999999999999"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) assert_false(str_to_i64(slice_of(bad[k]), &i));
    assert_false(str_to_u64(SLICE("18446744073709551616"), &u));
    assert_false(str_to_u64(SLICE("-1"), &u));
}

static void builder(void **state)
{
    (void)state;
    struct arena a;
    struct strbuf heap, in_arena;
    char want[30000];
    size_t len = 0;
    arena_init(&a, MEM_TEST);
    strbuf_init(&heap, NULL);
    strbuf_init(&in_arena, &a);
    for (int i = 0; i < 3000; i++) {
        len += (size_t)snprintf(want + len, sizeof want - len, "%d,", i);
        strbuf_addf(&heap, "%d", i);
        strbuf_addc(&heap, ',');
        strbuf_addf(&in_arena, "%d", i);
        strbuf_adds(&in_arena, ",");
        assert_int_equal(heap.data[heap.len], 0);
    }
    assert_int_equal(heap.len, len);
    assert_string_equal(heap.data, want);
    assert_true(slice_eq(strbuf_slice(&in_arena), slice_of(want)));
    strbuf_clear(&heap);
    assert_string_equal(heap.data, "");
    strbuf_add(&heap, "a\0b", 3);
    assert_memory_equal(heap.data, "a\0b\0", 4);
    strbuf_release(&heap);
    strbuf_release(&in_arena);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slices), cmocka_unit_test(numbers),
                                       cmocka_unit_test(builder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
