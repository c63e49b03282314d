#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

/* Random allocations, marks and rewinds: nothing overlaps, and what lives keeps its bytes. */
static void model(void **state)
{
    (void)state;
    enum { LIVE_MAX = 2000 };
    static struct { unsigned char *p; size_t len; unsigned char fill; } live[LIVE_MAX];
    struct { struct arena_mark mark; int count; } marks[20];
    struct arena a;
    struct rng rng;
    int count = 0, depth = 0;
    const char *seed = getenv("SEED");
    rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    arena_init(&a, MEM_TEST);
    for (int i = 0; i < 20000; i++) {
        uint64_t what = rng_below(&rng, 100);
        if (what == 0 && depth < 20) {
            marks[depth].mark = arena_mark(&a);
            marks[depth++].count = count;
        } else if (what == 1 && depth) {
            depth -= 1 + (int)rng_below(&rng, (uint64_t)depth);
            arena_rewind(&a, marks[depth].mark);
            count = marks[depth].count;
        } else if (what == 2 && count == LIVE_MAX) {
            arena_clear(&a);
            count = depth = 0;
        } else if (count < LIVE_MAX) {
            size_t align = 1u << rng_below(&rng, 7), len = rng_below(&rng, what == 3 ? 100000 : 200);
            unsigned char *p = arena_alloc_aligned(&a, len, align);
            assert_int_equal((uintptr_t)p % align, 0);
            live[count].p = p;
            live[count].len = len;
            live[count].fill = (unsigned char)rng_u64(&rng);
            memset(p, live[count].fill, len);
            count++;
        }
        if (i % 500) continue;
        for (int k = 0; k < count; k++)
            for (size_t j = 0; j < live[k].len; j++) assert_int_equal(live[k].p[j], live[k].fill);
    }
    assert_true(arena_bytes(&a) > 0);
    arena_release(&a);
    assert_int_equal(arena_bytes(&a), 0);
    assert_int_equal(mem_bytes(MEM_TEST), 0);
}

static void strings(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, MEM_TEST);
    assert_string_equal(arena_strdup(&a, "abc"), "abc");
    assert_string_equal(arena_strndup(&a, "abcdef", 2), "ab");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    int *zeros = ARENA_ARRAY(&a, int, 100);
    for (int i = 0; i < 100; i++) assert_int_equal(zeros[i], 0);
    assert_memory_equal(arena_memdup(&a, "xyz", 3), "xyz", 3);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(model), cmocka_unit_test(strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
