/* LIKE by parts says what LIKE character by character says, for random texts and patterns of few letters,
 * short and long ones. */
#include "types/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/random.h"

enum { ROUNDS = 400000, TEXT_BYTES_MAX = 200 };

static struct slice random_text(struct rng *r, char *buf, uint32_t letters, bool pattern)
{
    static const char *const alphabet[] = {"a", "b", "ab", "é", "日", "c", "abc", "x"};
    size_t len = 0;
    for (uint32_t i = 0; i < letters; i++) {
        bool percent = pattern && rng_below(r, 4) == 0;
        const char *c = percent ? "%" : alphabet[rng_below(r, sizeof alphabet / sizeof *alphabet)];
        memcpy(buf + len, c, strlen(c));
        len += strlen(c);
    }
    return slice_make(buf, len);
}

static void test_parts(void **state)
{
    (void)state;
    struct rng r;
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)monotonic_us();
    uint32_t matches = 0, split = 0;
    char text[TEXT_BYTES_MAX], pattern[TEXT_BYTES_MAX];
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&r, seed);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct slice s = random_text(&r, text, (uint32_t)rng_below(&r, i % 2 ? 60 : 8), false);
        struct slice p = random_text(&r, pattern, (uint32_t)rng_below(&r, i % 3 ? 5 : 24), true);
        struct like_parts parts;
        bool want;
        assert_int_equal(like_match(s, p, '\\', false, &want), OK);
        if (!like_split(p, '\\', &parts)) continue;
        split++;
        matches += want;
        if (like_parts_match(&parts, s) != want)
            fail_msg("'%.*s' like '%.*s' is %d", (int)s.len, s.data, (int)p.len, p.data, want);
    }
    assert_true(split > ROUNDS / 2 && matches > ROUNDS / 20 && matches < ROUNDS);
}

static void test_others(void **state)
{
    (void)state;
    static const char *const others[] = {"", "a_c", "_", "a\\%", "100\\_%", "a%b%c%d%e%f%g%h%i"};
    struct like_parts parts;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(like_split(slice_of(others[i]), '\\', &parts));
    assert_true(like_split(SLICE("a\\b"), 0, &parts)); /* no escape */
    assert_true(like_split(SLICE("%%"), '\\', &parts));
    assert_true(like_parts_match(&parts, SLICE("")));
    assert_true(like_split(SLICE("ab%ba"), '\\', &parts)); /* ends that must not overlap */
    assert_false(like_parts_match(&parts, SLICE("aba")));
    assert_true(like_parts_match(&parts, SLICE("abba")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
