#include "types/numeric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, MEM_TEST);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct numeric parse(const char *s)
{
    struct numeric n;
    assert_int_equal(numeric_from_text(slice_of(s), -1, &arena, &n), OK);
    return n;
}

static void check(const char *expected, enum status s, const struct numeric *n)
{
    struct strbuf b;
    assert_int_equal(s, OK);
    strbuf_init(&b, &arena);
    numeric_to_text(n, &b);
    assert_string_equal(b.data, expected);
}

typedef enum status (*binary)(struct arena *, const struct numeric *, const struct numeric *,
                              struct numeric *);

/* Results printed by PostgreSQL 15. */
static void known(void **state)
{
    (void)state;
    static const struct {
        binary op;
        const char *x, *y, *result;
    } cases[] = {
        {numeric_add, "1.50", "2", "3.50"},
        {numeric_sub, "0.1", "0.30", "-0.20"},
        {numeric_mul, "1.50", "2.0", "3.000"},
        {numeric_div, "1", "3", "0.33333333333333333333"},
        {numeric_div, "10", "4", "2.5000000000000000"},
        {numeric_div, "1", "0.00003", "33333.333333333333"},
        {numeric_div_trunc, "-7", "2", "-3"},
        {numeric_mod, "-7.5", "2", "-1.5"},
        {numeric_power, "2", "100", "1267650600228229401496703205376.0000000000000000"},
        {numeric_power, "9999999999", "0.1", "9.999999999900000"},
        {numeric_log, "2", "8", "3.0000000000000000"},
        {numeric_add, "Infinity", "-Infinity", "NaN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct numeric x = parse(cases[i].x), y = parse(cases[i].y), r;
        enum status s = cases[i].op(&arena, &x, &y, &r);
        check(cases[i].result, s, &r);
    }
}

static struct numeric random_value(struct rng *rng)
{
    char text[80];
    size_t n = 0, whole = 1 + rng_below(rng, 30), fraction = rng_below(rng, 30);
    if (rng_below(rng, 2)) text[n++] = '-';
    for (size_t i = 0; i < whole; i++) text[n++] = (char)('0' + rng_below(rng, 10));
    text[n++] = '.';
    for (size_t i = 0; i < fraction; i++) text[n++] = (char)('0' + rng_below(rng, 10));
    text[n] = '\0';
    return parse(text);
}

/* Identities that exact arithmetic keeps, over both representations. */
static void identities(void **state)
{
    (void)state;
    struct rng rng;
    const char *seed = getenv("SEED");
    uint64_t start = seed ? strtoull(seed, NULL, 10) : 1;
    print_message("SEED=%llu\n", (unsigned long long)start);
    rng_seed(&rng, start);
    struct numeric_sum *sum = numeric_sum_new(&arena);
    struct numeric total = numeric_small(0, 0);
    for (int i = 0; i < 3000; i++) {
        struct numeric x = random_value(&rng), y = random_value(&rng), r, q, m;
        assert_int_equal(numeric_add(&arena, &x, &y, &r), OK);
        assert_int_equal(numeric_sub(&arena, &r, &y, &r), OK);
        assert_int_equal(numeric_compare(&r, &x), 0);
        assert_true(numeric_hash(&r) == numeric_hash(&x));
        if (numeric_sign(&y) != 0) { /* x = (x div y) y + x mod y */
            assert_int_equal(numeric_div_trunc(&arena, &x, &y, &q), OK);
            assert_int_equal(numeric_mod(&arena, &x, &y, &m), OK);
            assert_int_equal(numeric_mul(&arena, &q, &y, &q), OK);
            assert_int_equal(numeric_add(&arena, &q, &m, &q), OK);
            assert_int_equal(numeric_compare(&q, &x), 0);
        }
        struct strbuf b;
        strbuf_init(&b, &arena);
        numeric_store(&x, &b);
        r = numeric_load(strbuf_slice(&b), &arena);
        assert_int_equal(numeric_compare(&r, &x), 0);
        strbuf_clear(&b);
        numeric_to_binary(&x, &b);
        assert_int_equal(numeric_from_binary(strbuf_slice(&b), -1, &arena, &r), OK);
        assert_int_equal(numeric_compare(&r, &x), 0);
        assert_int_equal(r.scale, x.scale);
        numeric_sum_add(sum, &arena, &x);
        assert_int_equal(numeric_add(&arena, &total, &x, &total), OK);
    }
    struct numeric r;
    assert_int_equal(numeric_sum_result(sum, &arena, &r), OK);
    assert_int_equal(numeric_compare(&r, &total), 0);
    assert_int_equal(numeric_sum_count(sum), 3000);
}

static void errors(void **state)
{
    (void)state;
    struct numeric n, zero = numeric_small(0, 0), one = numeric_small(1, 0);
    int32_t typmod = (5 << 16 | 2) + 4;
    assert_int_equal(numeric_div(&arena, &one, &zero, &n), DIVISION_BY_ZERO);
    assert_int_equal(numeric_ln(&arena, &zero, &n), INVALID_ARGUMENT_FOR_LOG);
    assert_int_equal(numeric_from_text(SLICE("1e200000"), -1, &arena, &n),
                     NUMERIC_VALUE_OUT_OF_RANGE);
    assert_int_equal(numeric_from_text(SLICE("1.2.3"), -1, &arena, &n),
                     INVALID_TEXT_REPRESENTATION);
    assert_int_equal(numeric_from_text(SLICE("999.995"), typmod, &arena, &n),
                     NUMERIC_VALUE_OUT_OF_RANGE);
    check("999.99", numeric_from_text(SLICE("999.994"), typmod, &arena, &n), &n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known, setup, teardown),
        cmocka_unit_test_setup_teardown(identities, setup, teardown),
        cmocka_unit_test_setup_teardown(errors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
