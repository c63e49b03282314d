/* Encodings of columns (core/column): 131,072 values of one column are encoded, decoded whole,
 * decoded at a twentieth of the rows, and compared with a constant that a tenth of the rows
 * pass, block by block as a scan does it, each block being opened first. What is encoded and
 * decoded stays in the core's caches.
 *
 * Bytes a row: encoded bytes and decoded ones together; of a comparison the encoded ones and the
 * bit. */
#include "kernels.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/column/column.h"

enum { BLOCKS = 64, ROWS = BLOCKS * COLUMN_BLOCK_ROWS };

/* What values look like. */
enum shape {
    NARROW, DAYS, CENTS, WIDE, SORTED, STEADY, RUNS, ONE, DECIMALS, NOISE, WORDS, COMMENTS
};

struct column_case {
    const char *name;
    type_id type;
    enum shape shape;
    uint8_t strings; /* of the options; 0: as usual */
};

static const struct column_case cases[] = {
    {"boolean", TYPE_BOOL, NARROW, 0},      {"int4 below 50", TYPE_INT4, NARROW, 0},
    {"date, 7 years", TYPE_DATE, DAYS, 0},  {"int8 of 24 bits", TYPE_INT8, CENTS, 0},
    {"int8 of 63 bits", TYPE_INT8, WIDE, 0}, {"int8 ascending", TYPE_INT8, SORTED, 0},
    {"int8 in equal steps", TYPE_INT8, STEADY, 0}, {"int4 in runs", TYPE_INT4, RUNS, 0},
    {"int8 constant", TYPE_INT8, ONE, 0},   {"float8, 2 decimals", TYPE_FLOAT8, DECIMALS, 0},
    {"float8 random", TYPE_FLOAT8, NOISE, 0}, {"numeric, 2 decimals", TYPE_NUMERIC, DECIMALS, 0},
    {"text, 7 words", TYPE_TEXT, WORDS, 0}, {"text, sentences", TYPE_TEXT, COMMENTS, 0},
    {"text, sentences, plain", TYPE_TEXT, COMMENTS, 1},
    {"text, sentences, symbols", TYPE_TEXT, COMMENTS, 2},
    {"text, sentences, lz4", TYPE_TEXT, COMMENTS, 4},
    {"text, sentences, zstd", TYPE_TEXT, COMMENTS, 8},
};

struct bench_column {
    struct arena arena;
    const struct column_case *c;
    struct column_options options;
    struct vec vecs[BLOCKS];
    struct column_shared *shared;
    struct strbuf out;
    struct datum limit; /* a tenth are below it */
    double decoded;     /* bytes a row */
};

static const char *const words[] = {
    "carefully", "furiously", "blithely", "quickly", "the", "ironic",
    "regular", "deposits", "packages", "accounts", "above", "sleep"};

static struct datum text_of(struct kernels *k, struct bench_column *b, uint32_t count)
{
    char text[200];
    int len = 0;
    for (uint32_t i = 0; i < count; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%s", i ? " " : "",
                        words[rng_below(&k->rng, count == 1 ? 7 : 12)]);
    return (struct datum){.v.bytes = bytes_copy(&b->arena, text, (uint32_t)len)};
}

static struct datum value_of(struct kernels *k, struct bench_column *b, uint64_t row)
{
    struct rng *r = &k->rng;
    struct datum d = {0};
    int64_t n = 0;
    switch (b->c->shape) {
    case NARROW: n = (int64_t)rng_below(r, b->c->type == TYPE_BOOL ? 2 : 50); break;
    case DAYS: n = (int64_t)rng_below(r, 2557); break;
    case CENTS: n = (int64_t)rng_below(r, 1 << 24); break;
    case WIDE: n = (int64_t)(rng_u64(r) >> 1); break;
    case SORTED: n = (int64_t)(row * 1000 + rng_below(r, 1000)); break;
    case STEADY: n = (int64_t)row; break;
    case RUNS: n = (int64_t)(row / 100 * 7919 % 1000); break;
    case ONE: n = 42; break;
    case DECIMALS: n = (int64_t)rng_below(r, 10000000); break;
    case NOISE: d.v.f64 = rng_double(r); return d;
    case WORDS: return text_of(k, b, 1);
    default: return text_of(k, b, 2 + (uint32_t)rng_below(r, 6));
    }
    switch (b->c->type) {
    case TYPE_BOOL: d.v.b = n; break;
    case TYPE_INT4:
    case TYPE_DATE: d.v.i32 = (int32_t)n; break;
    case TYPE_FLOAT8: d.v.f64 = (double)n / 100; break;
    case TYPE_NUMERIC: d.v.numeric = (struct numeric){.coefficient = n, .scale = 2}; break;
    default: d.v.i64 = n;
    }
    return d;
}

static void make(struct kernels *k, const struct column_case *c, struct bench_column *b)
{
    uint32_t rows[BLOCKS];
    *b = (struct bench_column){.c = c, .options = column_options_default};
    arena_init(&b->arena, MEM_TEST);
    if (c->strings) b->options.strings = c->strings;
    if (c->strings) b->options.dictionary = false;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        vec_init_flat(&b->vecs[i], c->type, &b->arena);
        for (uint32_t r = 0; r < COLUMN_BLOCK_ROWS; r++) {
            struct datum d = value_of(k, b, (uint64_t)i * COLUMN_BLOCK_ROWS + r);
            vec_set(&b->vecs[i], r, d);
            if (b->vecs[i].width == 16 && c->type == TYPE_TEXT)
                b->decoded += (16 + (d.v.bytes.len > 12 ? d.v.bytes.len : 0)) / (double)ROWS;
        }
        b->vecs[i].nulls = NULL;
        rows[i] = COLUMN_BLOCK_ROWS;
    }
    if (c->type != TYPE_TEXT) b->decoded = b->vecs[0].width;
    /* The tenth decile of a sample. */
    struct datum sample[100];
    for (int i = 0; i < 100; i++)
        sample[i] = vec_get(&b->vecs[rng_below(&k->rng, BLOCKS)],
                            (uint32_t)rng_below(&k->rng, COLUMN_BLOCK_ROWS));
    for (int i = 0; i < 100; i++)
        for (int j = i; j > 0 && value_compare(c->type, &sample[j].v, &sample[j - 1].v) < 0; j--) {
            struct datum t = sample[j];
            sample[j] = sample[j - 1];
            sample[j - 1] = t;
        }
    b->limit = sample[10];
    column_learn(c->type, b->vecs, rows, BLOCKS, &b->options, NULL, &b->shared);
    strbuf_init(&b->out, NULL);
}

static void encode(struct bench_column *b)
{
    struct column_hint hint = {{0}};
    strbuf_clear(&b->out);
    for (uint32_t i = 0; i < BLOCKS; i++)
        column_encode(b->c->type, &b->vecs[i], COLUMN_BLOCK_ROWS, b->shared, &b->options, &hint,
                      &b->out);
}

enum step { DECODE, DECODE_FLAT, DECODE_FEW, COMPARE, EQUAL };

/* All blocks once; the rows that came out. */
static uint64_t scan(struct bench_column *b, enum step step, const uint16_t *sel,
                     uint32_t sel_count, struct arena *a)
{
    uint64_t found = 0, mask[COLUMN_MASK_WORDS];
    struct column_test t = {.op = step == EQUAL ? COLUMN_EQ : COLUMN_LT, .count = 1,
                            .values = &b->limit};
    for (size_t at = 0; at < b->out.len;) {
        struct arena_mark mark = arena_mark(a);
        struct column_block *block;
        struct vec v;
        struct slice raw = {b->out.data + at, b->out.len - at};
        bench_check(column_open(b->c->type, raw, b->shared, a, &block), "open");
        if (step == COMPARE || step == EQUAL) {
            bench_check(column_test(block, &t, mask), "test");
            for (int w = 0; w < COLUMN_MASK_WORDS; w++)
                found += (uint64_t)__builtin_popcountll(mask[w]);
        } else {
            bool few = step == DECODE_FEW;
            bench_check(column_read(block, few ? sel : NULL, few ? sel_count : COLUMN_BLOCK_ROWS,
                                    step == DECODE_FLAT, a, &v), "read");
            found += few ? sel_count : COLUMN_BLOCK_ROWS;
        }
        at += column_bytes(block);
        arena_rewind(a, mark);
    }
    return found;
}

static void measure(struct kernels *k, struct bench_column *b)
{
    static const char *const steps[] = {"decode", "decode flat", "decode 5 %", "<", "="};
    char name[80];
    uint16_t sel[COLUMN_BLOCK_ROWS];
    uint32_t sel_count = 0;
    struct arena a;
    for (uint32_t i = 0; i < COLUMN_BLOCK_ROWS; i++)
        if (rng_below(&k->rng, 20) == 0) sel[sel_count++] = (uint16_t)i;
    int64_t start = bench_ns(), ns = 0;
    uint64_t passes = 0;
    for (; ns < k->least_ns; ns = bench_ns() - start, passes++) encode(b);
    double bytes = (double)b->out.len / ROWS;
    snprintf(name, sizeof name, "%s: encode", b->c->name);
    kernels_figure(k, name, passes * ROWS, ns, bytes + b->decoded);
    arena_init(&a, MEM_TEST);
    for (int step = DECODE; step <= EQUAL; step++) {
        bool dictionary = column_dictionary(b->shared, &(uint32_t){0}) != NULL;
        if (step == DECODE_FLAT && !dictionary) continue;
        (void)scan(b, (enum step)step, sel, sel_count, &a);
        start = bench_ns(), ns = 0, passes = 0;
        for (; ns < k->least_ns; ns = bench_ns() - start, passes++)
            (void)scan(b, (enum step)step, sel, sel_count, &a);
        double out = step >= COMPARE ? 0.125 : step == DECODE && dictionary ? 4 : b->decoded;
        if (step == DECODE_FEW) out = b->decoded / 20;
        snprintf(name, sizeof name, "%s: %s", b->c->name, steps[step]);
        kernels_figure(k, name, passes * ROWS, ns, bytes + out);
    }
    arena_release(&a);
}

void kernels_columns(struct kernels *k)
{
    static struct bench_column b;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        make(k, &cases[c], &b);
        encode(&b);
        struct arena a;
        struct column_block *block;
        struct strbuf text;
        strbuf_init(&text, NULL);
        arena_init(&a, MEM_TEST);
        bench_check(column_open(b.c->type, strbuf_slice(&b.out), b.shared, &a, &block), "open");
        column_describe(block, &text);
        printf("# %s: %s, %.2f bytes a value\n", b.c->name, text.data, (double)b.out.len / ROWS);
        arena_release(&a);
        strbuf_release(&text);
        measure(k, &b);
        column_shared_free(b.shared);
        strbuf_release(&b.out);
        arena_release(&b.arena);
    }
}
