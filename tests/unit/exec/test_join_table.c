/* Tables of joins, sealed by one thread and by parts of several: both must tell of each key the same rows,
 * whatever form the table takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/random.h"
#include "exec/ops/join_table.h"

enum { ROUNDS = 60, THREADS_MAX = 5, ROWS_MAX = 40001, ASKED = 4000 };

struct test {
    struct rng rng;
    struct arena arena;
    uint64_t keys[ROWS_MAX];
    uint32_t count, domain;
    uint64_t factor;
    bool packed, twice;
};

static struct test t;

static uint64_t random_key(void)
{
    return (rng_below(&t.rng, t.domain) - t.domain / 2) * t.factor;
}

static void make_keys(uint32_t round)
{
    static const uint64_t factors[] = {1, 1, 3, 1000003, 0x9e3779b97f4a7c15u};
    t.packed = round % 3 != 0;
    t.factor = factors[round % 5];
    t.count = (uint32_t)rng_below(&t.rng, round % 4 ? 300 : ROWS_MAX - 1) + (round % 7 > 0);
    t.domain = t.count / (uint32_t)(1 + rng_below(&t.rng, 3)) + 1;
    t.twice = round % 2;
    for (uint32_t i = 0; i < t.count; i++)
        t.keys[i] = t.twice ? random_key() : (t.count - i) * t.factor;
}

static void seal_alone(struct join_table *ret)
{
    join_table_init(ret, t.packed);
    join_table_add(ret, &t.arena, t.keys, 0, t.count);
    assert_int_equal(join_table_seal(ret, NULL, &t.arena), OK);
}

static bool fill(struct join_table *table, const struct join_entries *const *of, uint32_t threads,
                 uint32_t parts)
{
    bool once = true;
    for (uint32_t p = parts; p-- > 0;) {
        bool twice;
        assert_int_equal(join_table_fill(table, NULL, of, threads, p, &twice), OK);
        once &= !twice;
    }
    return once;
}

static void seal_together(struct join_table *ret)
{
    struct join_table mine[THREADS_MAX];
    struct join_entries entries[THREADS_MAX];
    const struct join_entries *of[THREADS_MAX];
    uint32_t threads = 1 + (uint32_t)rng_below(&t.rng, THREADS_MAX), at[THREADS_MAX + 1] = {0};
    join_table_init(ret, t.packed);
    for (uint32_t i = 0; i < threads; i++) {
        at[i + 1] = i + 1 == threads ? t.count
                                     : at[i] + (uint32_t)rng_below(&t.rng, t.count - at[i] + 1);
        join_table_init(&mine[i], t.packed);
        join_table_add(&mine[i], &t.arena, t.keys + at[i], 0, at[i + 1] - at[i]);
        join_table_count(ret, &mine[i]);
        of[i] = &entries[i];
    }
    uint32_t parts = join_table_plan(ret, &t.arena, false);
    assert_in_range(parts, 1, JOIN_TABLE_PARTS);
    for (uint32_t i = 0; i < threads; i++)
        assert_int_equal(join_table_divide(ret, &mine[i], at[i], NULL, &t.arena, &entries[i]), OK);
    if (fill(ret, of, threads, parts)) return;
    assert_int_equal(join_table_plan(ret, &t.arena, true), parts);
    assert_true(fill(ret, of, threads, parts));
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The rows of the key in order. */
static uint32_t rows_of(const struct join_table *table, uint64_t key, uint32_t *ret)
{
    uint16_t sel;
    uint32_t from, to, n = 0;
    if (!table->count || !join_table_find(table, &key, 1, &sel, &from, &to)) return 0;
    if (table->form == JOIN_TABLE_DIRECT_UNIQUE) {
        ret[n++] = from;
        return n;
    }
    for (uint32_t i = from; i < to; i++) {
        if (table->form == JOIN_TABLE_DIRECT) ret[n++] = table->rows[i];
        else if (table->entries[i].key == key) ret[n++] = table->entries[i].row;
    }
    qsort(ret, n, sizeof *ret, by_number);
    return n;
}

static void test_together(void **state)
{
    (void)state;
    static uint32_t want[ROWS_MAX], got[ROWS_MAX];
    uint32_t forms[3] = {0};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct join_table alone, together;
        arena_clear(&t.arena);
        make_keys(round);
        seal_alone(&alone);
        seal_together(&together);
        assert_int_equal(together.form, alone.form);
        assert_int_equal(together.count, alone.count);
        forms[alone.form]++;
        for (uint32_t i = 0; i < ASKED; i++) {
            uint64_t key = t.count && i % 2 ? t.keys[rng_below(&t.rng, t.count)] : random_key();
            uint32_t n = rows_of(&alone, key, want);
            assert_int_equal(rows_of(&together, key, got), n);
            assert_memory_equal(got, want, n * sizeof *got);
            if (t.count && i % 2) assert_true(n > 0);
        }
    }
    for (uint32_t i = 0; i < 3; i++) assert_true(forms[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_together)};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)monotonic_us();
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&t.rng, seed);
    arena_init(&t.arena, MEM_QUERY);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&t.arena);
    return failed;
}
