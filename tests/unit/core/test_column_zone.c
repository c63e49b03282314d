/* Zone maps against the values that they are made of: ends, counts and sums, of one block and of
 * several added up; and what they say of tests, against the rows that pass. */
#include "core/column/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/column/column_priv.h"
#include "types/numeric.h"

enum { PARTS = 3, ROWS = 60, ROUNDS = 150 };

static struct rng rng;
static uint64_t below(uint64_t n) { return rng_below(&rng, n); }

static const type_id types[] = {TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_OID, TYPE_FLOAT4,
                                TYPE_FLOAT8, TYPE_NUMERIC, TYPE_TEXT, TYPE_BPCHAR, TYPE_BYTEA,
                                TYPE_INTERVAL, TYPE_UUID, TYPE_INT4_ARRAY};

static struct bytes text_of(struct arena *a, int64_t n)
{
    static const char *const heads[] = {
        "", "a", "abc", "a prefix of more than fifteen bytes",
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        "a prefix of mo\xff\xff\xff", "b   "};
    char buf[80];
    int len = snprintf(buf, sizeof buf, "%s%.*s", heads[below(7)], (int)below(4), "xyz");
    if (n % 3 == 0) return bytes_copy(a, buf, (uint32_t)below((uint64_t)len + 1));
    return bytes_copy(a, buf, (uint32_t)len);
}

static struct datum value_of(type_id type, uint64_t spread, struct arena *a)
{
    struct datum d = {.null = false};
    int64_t n = (int64_t)below(spread) - (int64_t)(spread / 2);
    switch (type_rep(type)) {
    case REP_BOOL: d.v.b = n & 1; break;
    case REP_F32: d.v.f32 = n == 3 ? __builtin_nanf("") : (float)n / 4; break;
    case REP_F64: d.v.f64 = n == 3 ? __builtin_nan("") : (double)n / 4; break;
    case REP_NUMERIC:
        d.v.numeric = numeric_small(n, spread > 100 ? 2 : (uint16_t)below(3));
        if (n == 7) assert_int_equal(numeric_from_text(SLICE("NaN"), -1, a, &d.v.numeric), OK);
        break;
    case REP_BYTES: d.v.bytes = text_of(a, n); break;
    case REP_INTERVAL: d.v.interval = (struct interval){n, (int32_t)n, 0}; break;
    case REP_UUID: memset(d.v.uuid, (int)n, 16); break;
    default: memcpy(&d.v, &n, 8);
    }
    return d;
}

/* Rows that pass, by the encoded block, which has tests of its own. */
static uint32_t passing(type_id type, const struct vec *v, uint32_t rows,
                        const struct column_test *t)
{
    struct column_hint hint = {{0}};
    struct strbuf out;
    struct arena a;
    struct column_block *b;
    uint64_t mask[COLUMN_MASK_WORDS];
    strbuf_init(&out, NULL);
    arena_init(&a, MEM_TEST);
    column_encode(type, v, rows, NULL, &column_options_default, &hint, &out);
    assert_int_equal(column_open(type, strbuf_slice(&out), NULL, &a, &b), OK);
    assert_int_equal(column_test(b, t, mask), OK);
    strbuf_release(&out);
    arena_release(&a);
    return mask__count(mask);
}

static void check_tests(type_id type, const struct column_zone *z, const struct vec *v,
                        uint32_t rows, uint64_t spread, struct arena *a)
{
    struct datum c[5];
    for (int op = COLUMN_EQ; op <= COLUMN_IS_NOT_NULL; op++) {
        if (!column_can_test(type, (enum column_op)op)) continue;
        uint32_t count = op >= COLUMN_IS_NULL ? 0 : op == COLUMN_IN ? (uint32_t)below(5)
                         : op == COLUMN_BETWEEN ? 2 : 1;
        for (uint32_t k = 0; k < count; k++) {
            c[k] = below(2) ? vec_get(v, (uint32_t)below(rows)) : value_of(type, 2 * spread, a);
            if (below(20) == 0) c[k].null = true;
        }
        struct column_test t = {(enum column_op)op, count, c};
        enum column_match m = column_zone_test(type, z, &t);
        uint32_t found = passing(type, v, rows, &t);
        if (m == COLUMN_MATCH_NONE) assert_int_equal(found, 0);
        if (m == COLUMN_MATCH_ALL) assert_int_equal(found, rows);
    }
}

static void check_ends(type_id type, const struct column_zone *z, const struct vec *v,
                       uint32_t rows, struct arena *a)
{
    union value min, max;
    bool has_min = column_zone_min(type, z, a, &min), has_max = column_zone_max(type, z, a, &max);
    bool met_min = false, met_max = false;
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < rows; i++) {
        struct datum d = vec_get(v, i);
        nulls += d.null;
        if (d.null) continue;
        int low = has_min ? value_compare(type, &min, &d.v) : -1;
        int high = has_max ? value_compare(type, &max, &d.v) : 1;
        assert_true(low <= 0 && high >= 0);
        met_min |= low == 0;
        met_max |= high == 0;
    }
    assert_int_equal(z->rows, rows);
    assert_int_equal(z->nulls, nulls);
    assert_true(met_min == has_min && met_max == has_max);
    if (type == TYPE_INT4 && nulls < rows) assert_true(has_min && has_max);
}

static void check_sum(type_id type, const struct column_zone *z, const struct vec *v, uint32_t rows)
{
    __int128 sum, want = 0;
    uint16_t scale;
    if (!column_zone_sum(z, &sum, &scale)) {
        assert_true(type != TYPE_INT8 && type != TYPE_INT4 && type != TYPE_INT2);
        return;
    }
    for (uint32_t i = 0; i < rows; i++) {
        struct datum d = vec_get(v, i);
        if (d.null) continue;
        if (type == TYPE_NUMERIC) {
            assert_true(d.v.numeric.kind == NUMERIC_SMALL && d.v.numeric.scale == scale);
            want += d.v.numeric.coefficient;
        } else {
            want += column__int_of(type_rep(type), &d.v);
        }
    }
    assert_true(sum == want);
}

static void zones_hold(void **state)
{
    (void)state;
    uint32_t some = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            type_id type = types[k];
            struct arena a;
            struct vec whole, part;
            struct column_zone z, sum = {0};
            uint64_t spread = below(2) ? 5 : 100000, nulls = below(4);
            uint32_t rows = 0;
            arena_init(&a, MEM_TEST);
            vec_init_flat(&whole, type, &a);
            for (int p = 0; p < PARTS; p++) {
                uint32_t n = 1 + (uint32_t)below(ROWS);
                vec_init_flat(&part, type, &a);
                for (uint32_t i = 0; i < n; i++) {
                    struct datum d = value_of(type, spread, &a);
                    d.null = nulls == 0 || (nulls == 1 && below(3) == 0);
                    vec_set(&part, i, d);
                    vec_set(&whole, rows + i, d);
                }
                column_zone_make(type, &part, n, &z);
                assert_true(column_zone_valid(type, &z));
                check_ends(type, &z, &part, n, &a);
                check_sum(type, &z, &part, n);
                if (type != TYPE_INT4_ARRAY) check_tests(type, &z, &part, n, spread, &a);
                if (p) column_zone_add(type, &sum, &z);
                else sum = z;
                rows += n;
                some += z.flags & ZONE_RANGE;
            }
            assert_true(column_zone_valid(type, &sum));
            check_ends(type, &sum, &whole, rows, &a);
            check_sum(type, &sum, &whole, rows);
            if (type != TYPE_INT4_ARRAY) check_tests(type, &sum, &whole, rows, spread, &a);
            arena_release(&a);
        }
    assert_true(some > 1000);
}

/* No bytes make a zone that cannot be asked. */
static void any_bytes_are_told_apart(void **state)
{
    (void)state;
    struct arena a;
    uint32_t valid = 0;
    arena_init(&a, MEM_TEST);
    for (int i = 0; i < 20000; i++) {
        struct column_zone z;
        type_id type = types[below(sizeof types / sizeof *types - 1)];
        uint64_t *words = (uint64_t *)&z;
        for (int w = 0; w < 8; w++) words[w] = rng_u64(&rng) >> below(64);
        z.flags &= 15;
        z.nulls = (uint32_t)below(z.rows + 1ull);
        z.scale &= 31;
        if (!column_zone_valid(type, &z)) continue;
        struct datum c = value_of(type, 100, &a);
        struct column_test t = {COLUMN_LT, 1, &c};
        (void)column_zone_test(type, &z, &t);
        valid++;
    }
    assert_true(valid > 100);
    arena_release(&a);
}

int main(void)
{
    const char *s = getenv("SEED");
    uint64_t seed = s ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
    rng_seed(&rng, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(zones_hold),
                                       cmocka_unit_test(any_bytes_are_told_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
