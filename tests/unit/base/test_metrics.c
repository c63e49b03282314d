#include "base/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static void *count(void *arg)
{
    for (int i = 0; i < 10000; i++) counter_add(arg, 2);
    return NULL;
}

static void counters_and_gauges(void **state)
{
    (void)state;
    pthread_t t[4];
    struct counter *c = counter_get("helios_test_total", "Things tested.");
    assert_ptr_equal(c, counter_get("helios_test_total", "Things tested."));
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, count, c);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    assert_int_equal(counter_value(c), 80000);
    struct gauge *g = gauge_get("helios_test_level", "Level.");
    gauge_set(g, 5);
    gauge_add(g, -7);
    assert_int_equal(gauge_value(g), -2);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Quantiles against the sorted values: within 2%. */
static void quantiles(void **state)
{
    (void)state;
    enum { N = 20000 };
    static uint64_t values[N];
    struct histogram *h = histogram_get("helios_test_us", "Time.");
    struct rng rng;
    rng_seed(&rng, 3);
    assert_int_equal(histogram_quantile(h, 0.5), 0);
    for (int i = 0; i < N; i++) {
        values[i] = rng_below(&rng, 1ull << (1 + rng_below(&rng, 38)));
        histogram_record(h, values[i]);
    }
    qsort(values, N, sizeof *values, compare);
    assert_int_equal(histogram_count(h), N);
    for (double q = 0.01; q < 1; q += 0.01) {
        uint64_t want = values[(int)(q * N + 0.5) - 1], got = histogram_quantile(h, q);
        assert_true(got >= want && got <= want + want / 50 + 1);
    }
    histogram_record(h, UINT64_MAX); /* capped, not lost */
    assert_int_equal(histogram_count(h), N + 1);
    assert_true(histogram_quantile(h, 1) >= (1ull << 40) - 1);
}

/* The text format wants the samples of a family in one piece, whenever they were registered. */
static void families(void **state)
{
    (void)state;
    struct strbuf out;
    counter_add(counter_get("helios_test_kinds_total{kind=\"a\"}", "By kind."), 1);
    counter_add(counter_get("helios_test_between_total", "Another."), 2);
    counter_add(counter_get("helios_test_kinds_total{kind=\"b\"}", "By kind."), 3);
    strbuf_init(&out, NULL);
    metrics_write(&out);
    assert_non_null(strstr(out.data, "# HELP helios_test_kinds_total By kind.\n"
                                     "# TYPE helios_test_kinds_total counter\n"
                                     "helios_test_kinds_total{kind=\"a\"} 1\n"
                                     "helios_test_kinds_total{kind=\"b\"} 3\n"));
    strbuf_clear(&out);
    metrics_one(&out, "helios_test_one", "gauge", "One.", 0.5);
    assert_string_equal(out.data, "# HELP helios_test_one One.\n# TYPE helios_test_one gauge\n"
                                  "helios_test_one 0.5\n");
    strbuf_release(&out);
}

static void report(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, NULL);
    metrics_write(&out);
    assert_non_null(strstr(out.data, "# TYPE helios_test_total counter\nhelios_test_total 80000\n"));
    assert_non_null(strstr(out.data, "# TYPE helios_test_level gauge\nhelios_test_level -2\n"));
    assert_non_null(strstr(out.data, "# TYPE helios_test_us histogram\n"));
    assert_non_null(strstr(out.data, "helios_test_us_bucket{le=\"2.5e-05\"} "));
    assert_non_null(strstr(out.data, "helios_test_us_bucket{le=\"+Inf\"} 20001\n"));
    assert_non_null(strstr(out.data, "helios_test_us_count 20001\n"));
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counters_and_gauges),
                                       cmocka_unit_test(quantiles), cmocka_unit_test(families), cmocka_unit_test(report)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
