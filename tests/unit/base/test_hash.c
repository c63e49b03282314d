#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
static void crc_vectors(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, down, 32), 0x113fdb5c);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
}

/* Bit by bit, as the polynomial says. */
static uint32_t slow_crc(const unsigned char *p, size_t len)
{
    uint32_t crc = ~0u;
    while (len--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void crc_model(void **state)
{
    (void)state;
    unsigned char data[2000];
    struct rng rng;
    rng_seed(&rng, 5);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)rng_u64(&rng);
    for (int i = 0; i < 500; i++) {
        size_t from = rng_below(&rng, 1000), len = rng_below(&rng, 1000);
        size_t cut = len ? rng_below(&rng, len) : 0;
        uint32_t whole = slow_crc(data + from, len);
        assert_int_equal(crc32c(0, data + from, len), whole);
        uint32_t first = crc32c(0, data + from, cut);
        assert_int_equal(crc32c(first, data + from + cut, len - cut), whole);
    }
}

static void mixing(void **state)
{
    (void)state;
    assert_int_not_equal(hash_bytes("a", 1), hash_bytes("b", 1));
    assert_int_equal(hash_bytes("abc", 3), hash_bytes("abcd", 3));
    assert_int_not_equal(hash_bytes_seeded("abc", 3, 1), hash_bytes_seeded("abc", 3, 2));
    assert_int_not_equal(hash_combine(1, 2), hash_combine(2, 1));
    /* Neighbouring keys spread over the low bits. */
    int buckets[64] = {0};
    for (uint64_t i = 0; i < 6400; i++) buckets[hash_u64(i) % 64]++;
    for (int i = 0; i < 64; i++) assert_in_range(buckets[i], 50, 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(crc_vectors), cmocka_unit_test(crc_model),
                                       cmocka_unit_test(mixing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
