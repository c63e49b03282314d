/* The sorter alone (exec/ops/sorter.h), one thread: rows of a key and an int8 go in as batches, and come
 * out sorted as batches; beside it what the machine's memory gives to one core. Each figure is rows in
 * and out a second, then the part of it that is the ordering (sorter_finish).
 *
 * usage: bench_sort [--rows N] [--memory MB] [--seed N] [--clock wall|cpu]
 *        --memory: query.memory_limit; rows beyond it are sorted on disk, in the current directory */
#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "bench.h"
#include "exec/ops/sorter.h"
#include "types/numeric.h"

enum { COLUMNS = 2, WALK_BYTES = 256 << 20 };

struct key_kind {
    const char *name;
    type_id type;
    uint32_t values; /* different ones; 0: all */
    bool ordered;
};

static const struct key_kind kinds[] = {
    {"int4", TYPE_INT4, 0, false},        {"int4_few", TYPE_INT4, 1000, false},
    {"int8", TYPE_INT8, 0, false},        {"int8_ordered", TYPE_INT8, 0, true},
    {"numeric", TYPE_NUMERIC, 0, false},  {"text", TYPE_TEXT, 0, false},
    {"text_few", TYPE_TEXT, 1000, false},
};

struct bench {
    struct rng rng;
    struct exec_session session;
    uint64_t rows;
};

/* Sums of 8 bytes, read in order and written in order. */
static void memory_bandwidth(void)
{
    uint64_t words = WALK_BYTES / 8, sum = 0;
    uint64_t *p = mem_alloc(MEM_TEST, WALK_BYTES);
    memset(p, 1, WALK_BYTES);
    int64_t start = bench_ns();
    for (uint64_t i = 0; i < words; i += 4) sum += p[i] ^ p[i + 1] ^ p[i + 2] ^ p[i + 3];
    bench_figure("memory_read", (double)WALK_BYTES / (double)(bench_ns() - start), "GB/s");
    start = bench_ns();
    memset(p, (int)(sum & 0xff), WALK_BYTES);
    bench_figure("memory_write", (double)WALK_BYTES / (double)(bench_ns() - start), "GB/s");
    mem_free(MEM_TEST, p);
}

static void fill(struct bench *t, const struct key_kind *k, struct batch *b, struct arena *a,
                 uint64_t from, uint32_t n)
{
    const type_id types[COLUMNS] = {k->type, TYPE_INT8};
    char text[32];
    batch_init(b, COLUMNS, types, a);
    b->rows = b->count = n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t r = k->ordered ? from + i : rng_u64(&t->rng);
        if (k->values) r %= k->values;
        struct datum d = {0};
        if (k->type == TYPE_INT4) d.v.i32 = (int32_t)r;
        if (k->type == TYPE_INT8) d.v.i64 = (int64_t)r;
        if (k->type == TYPE_NUMERIC) d.v.numeric = numeric_small((int64_t)(r % 100000000), 2);
        if (k->type == TYPE_TEXT) {
            int len = snprintf(text, sizeof text, "%llx", (unsigned long long)(r * 0x9e3779b97f4a7c15));
            d.v.bytes = bytes_copy(a, text, (uint32_t)len);
        }
        vec_set(&b->columns[0], i, d);
        vec_set(&b->columns[1], i, (struct datum){.v.i64 = (int64_t)(from + i)});
    }
}

/* Only what the sorter does is counted: the rows are made beside the clock. */
static void run(struct bench *t, const struct key_kind *k)
{
    const type_id types[COLUMNS] = {k->type, TYPE_INT8};
    const struct key_part part = {.type = k->type};
    struct exec_params params = {0};
    struct execution x;
    struct arena a;
    struct batch b;
    char name[64];
    int64_t add = 0, start;
    arena_init(&a, MEM_QUERY);
    exec_begin(&x, NULL, NULL, &t->session, &params, &a);
    struct arena *batch = exec_arena(&x);
    struct sorter *s = sorter_new(&x, COLUMNS, types, &part, 1);
    sorter_begin(s, UINT64_MAX);
    for (uint64_t at = 0; at < t->rows; at += b.rows) {
        arena_clear(batch);
        fill(t, k, &b, batch, at, t->rows - at < BATCH_ROWS ? (uint32_t)(t->rows - at) : BATCH_ROWS);
        start = bench_ns();
        bench_check(sorter_add(s, &b, b.columns), "add");
        add += bench_ns() - start;
    }
    start = bench_ns();
    bench_check(sorter_finish(s), "finish");
    int64_t order = bench_ns() - start;
    start = bench_ns();
    enum status st = OK;
    for (uint64_t rows = 0; st == OK; rows += b.rows) {
        arena_clear(batch);
        st = sorter_next(s, batch, &b, NULL);
        if (st == END_OF_DATA && rows != t->rows) bench_check(INTERNAL_ERROR, "rows are missing");
    }
    if (st != END_OF_DATA) bench_check(st, "next");
    int64_t whole = add + order + bench_ns() - start;
    snprintf(name, sizeof name, "sort_%s", k->name);
    bench_figure(name, (double)t->rows * 1e9 / (double)whole, "rows/s");
    snprintf(name, sizeof name, "sort_%s_order", k->name);
    bench_figure(name, (double)t->rows * 1e9 / (double)order, "rows/s");
    exec_end(&x);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    struct bench t = {.rows = (uint64_t)bench_flag(argc, argv, "rows", 4000000)};
    t.session = (struct exec_session){
        .format = &format_default, .os = os_real(), .temp_dir = "bench-sort-tmp",
        .memory_limit_bytes = (uint64_t)bench_flag(argc, argv, "memory", 0) << 20};
    bench_clock(argc, argv);
    rng_seed(&t.rng, (uint64_t)bench_flag(argc, argv, "seed", 1));
    memory_bandwidth();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) run(&t, &kinds[i]);
    return 0;
}
