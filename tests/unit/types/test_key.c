#include "types/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

static int sign(int c) { return (c > 0) - (c < 0); }

static union value from_text(type_id type, const char *text, struct arena *a)
{
    union value v;
    assert_int_equal(value_from_text(type, -1, slice_of(text), &format_default, a, &v), OK);
    return v;
}

/* memcmp of the keys is value_compare, and what is decoded equals what was encoded. */
static void check_pair(const struct key_part *part, struct datum x, struct datum y,
                       struct arena *a)
{
    struct strbuf p, q;
    struct datum d;
    strbuf_init(&p, a);
    strbuf_init(&q, a);
    key_encode(part, x, &p);
    key_encode(part, y, &q);
    int expected = value_compare(part->type, &x.v, &y.v);
    if (part->descending) expected = -expected;
    if (x.null || y.null) {
        expected = x.null - y.null;
        if (part->nulls_first) expected = -expected;
    }
    assert_int_equal(sign(slice_cmp(strbuf_slice(&p), strbuf_slice(&q))), expected);
    strbuf_adds(&p, "rest");
    struct slice key = strbuf_slice(&p);
    assert_int_equal(key_decode(part, &key, a, &d), OK);
    assert_true(slice_eq(key, SLICE("rest")));
    assert_int_equal(d.null, x.null);
    if (!d.null) assert_int_equal(value_compare(part->type, &d.v, &x.v), 0);
    for (size_t n = 0; n < p.len - 4; n++) {
        key = slice_make(p.data, n);
        assert_int_equal(key_decode(part, &key, a, &d), DATA_CORRUPTED);
    }
}

static const struct {
    type_id type;
    const char *texts[20];
} groups[] = {
    {TYPE_BOOL, {"f", "t"}},
    {TYPE_INT2, {"-32768", "-1", "0", "1", "32767"}},
    {TYPE_INT4, {"-2147483648", "-1", "0", "1", "256", "2147483647"}},
    {TYPE_INT8, {"-9223372036854775808", "-1", "0", "255", "9223372036854775807"}},
    {TYPE_OID, {"0", "1", "4294967295"}},
    {TYPE_FLOAT4, {"-inf", "-1.5", "-1e-40", "-0", "0", "1e-40", "1", "inf", "nan"}},
    {TYPE_FLOAT8, {"-inf", "-1e300", "-1", "-0", "0", "5e-324", "1", "1e300", "inf", "nan"}},
    {TYPE_TEXT, {"", "a", "aa", "ab", "b", "a longer one than twelve", "é", " "}},
    {TYPE_BPCHAR, {"", "  ", "a", "a  ", "ab ", "a b"}},
    {TYPE_BYTEA, {"", "\\x00", "\\x0000", "\\x0001", "\\x00ff", "\\x01", "\\xff", "\\xff00"}},
    {TYPE_UUID, {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000",
                 "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
    {TYPE_NUMERIC, {"NaN", "inf", "-inf", "0", "0.00", "1", "1.0", "-1", "10", "-10", "0.1", "0.01",
                    "123456789012345678901234567890.5", "-123456789012345678901234567890.5",
                    "1e30", "1e-30", "999999999999999999", "1000000000000000000", "0.000123",
                    "100000000000000000"}},
    {TYPE_INTERVAL, {"0", "1 day", "24:00", "1 mon", "30 days", "-1 us", "-1 mon 1 us",
                     "170000000 years", "-170000000 years"}},
    {TYPE_DATE, {"-infinity", "2000-01-01", "1999-12-31", "infinity"}},
    {TYPE_INT4_ARRAY, {"{}", "{1}", "{1,2}", "{1,NULL}", "{NULL}", "{{1,2}}", "{{1},{2}}", "{2}",
                       "[2:3]={1,2}"}},
    {TYPE_TEXT_ARRAY, {"{}", "{\"\"}", "{a,b}", "{ab}", "{a}"}},
    {TYPE_OIDVECTOR, {"", "1", "2", "1 2"}},
};

static void all_pairs(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, MEM_TEST);
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        struct datum d[21] = {0};
        int n = 0;
        for (; n < 20 && groups[g].texts[n]; n++)
            d[n].v = from_text(groups[g].type, groups[g].texts[n], &a);
        d[n++].null = true;
        for (int order = 0; order < 4; order++) {
            struct key_part part = {groups[g].type, order & 1, order & 2};
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) check_pair(&part, d[i], d[j], &a);
        }
    }
    arena_release(&a);
}

static void random_numerics(void **state)
{
    (void)state;
    struct arena a;
    struct rng rng;
    const char *seed = getenv("SEED");
    struct key_part part = {.type = TYPE_NUMERIC};
    rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    for (int i = 0; i < 2000; i++) {
        struct datum d[2] = {0};
        arena_init(&a, MEM_TEST);
        for (int k = 0; k < 2; k++) {
            char text[64];
            snprintf(text, sizeof(text), "%lld.%llue%d",
                     (long long)rng_u64(&rng) >> rng_below(&rng, 63),
                     (unsigned long long)rng_u64(&rng) >> rng_below(&rng, 63),
                     (int)rng_below(&rng, 40) - 20);
            d[k].v = from_text(TYPE_NUMERIC, text, &a);
        }
        check_pair(&part, d[0], d[1], &a);
        arena_release(&a);
    }
}

static void successor(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_add(&b, "a\377\377", 3);
    assert_true(key_successor(&b));
    assert_true(slice_eq(strbuf_slice(&b), SLICE("b")));
    strbuf_clear(&b);
    assert_false(key_successor(&b));
    strbuf_add(&b, "\377", 1);
    assert_false(key_successor(&b));
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs),
        cmocka_unit_test(random_numerics),
        cmocka_unit_test(successor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
