#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void distribution(void **state)
{
    (void)state;
    struct rng a, b;
    int counts[7] = {0};
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    double sum = 0;
    for (int i = 0; i < 70000; i++) {
        uint64_t v = rng_below(&a, 7);
        assert_int_equal(v, rng_below(&b, 7));
        counts[v]++;
        double d = rng_double(&a);
        (void)rng_double(&b);
        assert_true(d >= 0 && d < 1);
        sum += d;
    }
    for (int i = 0; i < 7; i++) assert_in_range(counts[i], 9500, 10500);
    assert_true(sum > 34000 && sum < 36000);
    assert_int_equal(rng_below(&a, 1), 0);
    for (int i = 0; i < 100; i++) assert_true(rng_below(&a, UINT64_MAX) < UINT64_MAX);
    rng_seed(&a, 0);
    rng_seed(&b, 1);
    assert_int_not_equal(rng_u64(&a), rng_u64(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(distribution)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
