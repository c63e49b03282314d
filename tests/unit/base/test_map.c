#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { KEYS = 300 };

/* Against an array indexed by key; string and number keys live side by side. */
static void model(void **state)
{
    (void)state;
    uintptr_t numbers[KEYS] = {0}, strings[KEYS] = {0};
    struct map m;
    struct rng rng;
    const char *seed = getenv("SEED");
    rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    map_init(&m);
    for (int i = 0; i < 30000; i++) {
        uint64_t k = rng_below(&rng, KEYS);
        uintptr_t v = 1 + rng_below(&rng, 1000);
        char text[32];
        snprintf(text, sizeof text, "key %llu", (unsigned long long)k);
        struct slice s = slice_of(text);
        switch (rng_below(&rng, 6)) {
        case 0: map_put_u64(&m, k, (void *)v); numbers[k] = v; break;
        case 1: map_put(&m, s, (void *)v); strings[k] = v; break;
        case 2:
            assert_int_equal((uintptr_t)map_remove_u64(&m, k), numbers[k]);
            numbers[k] = 0;
            break;
        case 3:
            assert_int_equal((uintptr_t)map_remove(&m, s), strings[k]);
            strings[k] = 0;
            break;
        case 4: assert_int_equal((uintptr_t)map_get_u64(&m, k), numbers[k]); break;
        case 5: assert_int_equal((uintptr_t)map_get(&m, s), strings[k]); break;
        }
    }
    size_t pos = 0, seen = 0, want = 0;
    struct slice key;
    uint64_t number;
    void *value;
    for (int i = 0; i < KEYS; i++) want += (numbers[i] != 0) + (strings[i] != 0);
    assert_int_equal(m.count, want);
    while (map_next(&m, &pos, &key, &number, &value)) {
        if (key.data) assert_int_equal((uintptr_t)value, strings[atoi(key.data + 4)]);
        else assert_int_equal((uintptr_t)value, numbers[number]);
        if (seen++ % 2 && key.data) map_remove(&m, key);
    }
    assert_int_equal(seen, want);
    map_clear(&m);
    assert_int_equal(m.count, 0);
    assert_null(map_get_u64(&m, 1));
    map_put(&m, slice_of(""), &m);
    assert_ptr_equal(map_get(&m, slice_make(NULL, 0)), &m);
    map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
