#include "base/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pair {
    int a, b;
};

static void heap_and_arena(void **state)
{
    (void)state;
    ARRAY(int) heap = {0};
    ARRAY(struct pair) pairs = {0};
    struct arena a;
    arena_init(&a, MEM_TEST);
    for (int i = 0; i < 1000; i++) {
        ARRAY_PUSH(&heap, i * 3);
        ARENA_PUSH(&a, &pairs, (struct pair){i, -i});
    }
    assert_int_equal(heap.count, 1000);
    assert_int_equal(ARRAY_LAST(&heap), 2997);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(heap.data[i], i * 3);
        assert_int_equal(pairs.data[i].b, -i);
    }
    ARRAY_RESERVE(&heap, 5000);
    assert_true(heap.cap >= 5000);
    ARRAY_RELEASE(&heap);
    assert_null(heap.data);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(heap_and_arena)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
