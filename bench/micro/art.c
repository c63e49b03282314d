/* The memtable alone: keys into its radix tree, with a version each, lookups, ordered walks. One
 * thread; random keys of 16 bytes spread over the whole key space, then keys in order.
 *
 * usage: art [--keys N] [--value BYTES] [--seed N] [--clock wall|cpu] */
#include "bench.h"

#include <stdio.h>

#include "base/mem.h"
#include "core/lsm/memtable.h"

enum { WALK_LEAVES = 256 };

static uint64_t spread(uint64_t i, bool random)
{
    return random ? (i + 1) * 0x9e3779b97f4a7c15ull : i; /* a permutation of 64 bits */
}

static void report(const char *name, bool random, uint64_t n, int64_t start)
{
    char full[64];
    snprintf(full, sizeof full, "art_%s_%s", name, random ? "random" : "ordered");
    bench_figure(full, (double)n * 1e9 / (double)(bench_ns() - start), "ops/s");
}

static void insert_all(struct memtable *m, uint64_t keys, struct slice row, bool random)
{
    char kb[BENCH_KEY_BYTES];
    int64_t start = bench_ns();
    for (uint64_t i = 0; i < keys; i++) {
        struct slice key = bench_key(spread(i, random), kb);
        memtable_latch(m);
        struct leaf *l = memtable_upsert(m, key);
        struct version *v = memtable_version_new(m, l, row);
        v->begin = 2;
        v->older = leaf_head(l);
        leaf_set_head(l, v);
        memtable_unlatch(m);
    }
    report("insert", random, keys, start);
}

static uint64_t find_all(struct memtable *m, uint64_t keys, struct rng *r, bool random)
{
    char kb[BENCH_KEY_BYTES];
    uint64_t found = 0;
    int64_t start = bench_ns();
    for (uint64_t i = 0; i < keys; i++) {
        uint64_t k = random ? spread(rng_below(r, keys), true) : i;
        found += memtable_find(m, bench_key(k, kb)) != NULL;
    }
    report("find", random, keys, start);
    return found;
}

/* As a scan does: each key and its newest row are looked at. */
static uint64_t walk_all(struct memtable *m, bool random)
{
    static struct leaf *leaves[WALK_LEAVES];
    struct slice from = {0};
    uint64_t n = 0, sum = 0;
    uint32_t count;
    int64_t start = bench_ns();
    do {
        count = memtable_walk(m, from, n > 0, false, leaves, WALK_LEAVES);
        for (uint32_t i = 0; i < count; i++) sum += leaf_head(leaves[i])->len;
        if (count) from = leaf_key(leaves[count - 1]);
        n += count;
    } while (count);
    report("walk", random, n, start);
    return n + (sum == 1);
}

int main(int argc, char **argv)
{
    uint64_t keys = (uint64_t)bench_flag(argc, argv, "keys", 2000000);
    uint64_t seed = (uint64_t)bench_flag(argc, argv, "seed", 1);
    struct bench_values *values = bench_values_new(seed);
    struct slice row = bench_value(values, (uint32_t)bench_flag(argc, argv, "value", 100));
    struct rng r;
    rng_seed(&r, seed);
    bench_clock(argc, argv);
    for (int random = 0; random < 2; random++) {
        for (int round = 0; round < 2; round++) { /* the first touches the memory */
            struct memtable *m = memtable_new(NULL);
            insert_all(m, keys, row, random);
            uint64_t found = find_all(m, keys, &r, random), walked = walk_all(m, random);
            if (found != keys || walked != keys) {
                fprintf(stderr, "%llu keys found and %llu walked of %llu\n",
                        (unsigned long long)found, (unsigned long long)walked,
                        (unsigned long long)keys);
                return 1;
            }
            printf("# %.0f bytes a row\n", (double)memtable_bytes(m) / (double)keys);
            memtable_free(m);
        }
    }
    bench_values_free(values);
    return 0;
}
