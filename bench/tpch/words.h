/* The words of TPC-H's text: lists with weights, and sentences made of them. */
#ifndef BENCH_TPCH_WORDS_H
#define BENCH_TPCH_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream of numbers that depends on its seed alone. */
struct stream {
    uint64_t state;
};

struct stream stream_of(uint64_t seed, uint64_t table, uint64_t row);
uint64_t stream_next(struct stream *s);
/* From `low` to `high`, both included. */
int64_t stream_pick(struct stream *s, int64_t low, int64_t high);

struct word {
    const char *text;
    int weight;
};

struct nation {
    const char *name;
    int region;
};

enum { COLOR_COUNT = 92, NATION_COUNT = 25, REGION_COUNT = 5 };

extern const char *const colors[COLOR_COUNT];
extern const struct nation nations[NATION_COUNT];
extern const char *const regions[REGION_COUNT];

/* Fills `out` with sentences of the specification's grammar. */
void make_text(struct stream *s, char *out, size_t size);

#endif
