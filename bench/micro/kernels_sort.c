/* The sorter (exec/ops/sorter.h) in memory: batches of the keys and an int8 go in, and come out in
 * order, as batches; the rows are made beside the clock. bench_sort looks closer, and at runs on disk.
 *
 * Bytes a row: the columns, text included, read once and written once. */
#include "kernels.h"

#include <stdio.h>

#include "base/os.h"
#include "exec/ops/sorter.h"

enum { COLUMNS_MAX = 4 };

static const struct sort_case {
    const char *name;
    uint32_t keys;
    type_id types[COLUMNS_MAX];
    uint32_t values[COLUMNS_MAX]; /* different ones; 0: all */
    uint64_t limit;
} cases[] = {
    {"sort, int8", 1, {TYPE_INT8}, {0}, UINT64_MAX},
    {"sort, int4 of 1 k values", 1, {TYPE_INT4}, {1000}, UINT64_MAX},
    {"sort, text", 1, {TYPE_TEXT}, {0}, UINT64_MAX},
    {"sort, text of 1 k values", 1, {TYPE_TEXT}, {1000}, UINT64_MAX},
    {"sort, int4 and text and int8", 3, {TYPE_INT4, TYPE_TEXT, TYPE_INT8}, {100, 100, 0}, UINT64_MAX},
    {"sort, text and int8", 2, {TYPE_TEXT, TYPE_INT8}, {1000, 0}, UINT64_MAX},
    {"first 100 of int8", 1, {TYPE_INT8}, {0}, 100},
};

static double fill(struct kernels *k, const struct sort_case *c, struct batch *b, struct arena *a)
{
    char text[32];
    double bytes = 8;
    type_id types[COLUMNS_MAX];
    for (uint32_t i = 0; i < c->keys; i++) types[i] = c->types[i];
    types[c->keys] = TYPE_INT8;
    batch_init(b, (uint16_t)(c->keys + 1), types, a);
    b->rows = b->count = BATCH_ROWS;
    for (uint32_t i = 0; i < BATCH_ROWS; i++) {
        for (uint32_t col = 0; col < c->keys; col++) {
            struct datum d = {0};
            uint64_t r = rng_u64(&k->rng);
            if (c->values[col]) r %= c->values[col];
            if (types[col] == TYPE_INT4) d.v.i32 = (int32_t)r;
            if (types[col] == TYPE_INT8) d.v.i64 = (int64_t)r;
            if (types[col] == TYPE_TEXT) {
                int len = snprintf(text, sizeof text, "%016llx",
                                   (unsigned long long)(r * 0x9e3779b97f4a7c15u));
                d.v.bytes = bytes_copy(a, text, (uint32_t)len);
            }
            vec_set(&b->columns[col], i, d);
        }
        vec_set(&b->columns[c->keys], i, (struct datum){.v.i64 = i});
    }
    for (uint32_t col = 0; col < c->keys; col++)
        bytes += b->columns[col].width + (types[col] == TYPE_TEXT ? 16 : 0);
    return bytes;
}

static void run(struct kernels *k, const struct sort_case *c)
{
    type_id types[COLUMNS_MAX];
    struct key_part parts[COLUMNS_MAX] = {{0}};
    struct exec_session session = {.format = &format_default, .os = os_real()};
    struct exec_params params = {0};
    struct execution x;
    struct arena a;
    struct batch b;
    double bytes = 0;
    uint64_t rows = 0, out = 0;
    int64_t ns = 0;
    enum status st = OK;
    for (uint32_t i = 0; i <= c->keys; i++) types[i] = i < c->keys ? c->types[i] : TYPE_INT8;
    for (uint32_t i = 0; i < c->keys; i++) parts[i].type = c->types[i];
    arena_init(&a, MEM_QUERY);
    exec_begin(&x, NULL, NULL, &session, &params, &a);
    struct arena *batch = exec_arena(&x);
    struct sorter *s = sorter_new(&x, (uint16_t)(c->keys + 1), types, parts, c->keys);
    sorter_begin(s, c->limit);
    for (; rows < k->rows; rows += b.rows) {
        arena_clear(batch);
        bytes = fill(k, c, &b, batch);
        int64_t start = bench_ns();
        bench_check(sorter_add(s, &b, b.columns), c->name);
        ns += bench_ns() - start;
    }
    int64_t start = bench_ns();
    bench_check(sorter_finish(s), c->name);
    for (; st == OK; out += st == OK ? b.rows : 0) {
        arena_clear(batch);
        st = sorter_next(s, batch, &b, NULL);
    }
    ns += bench_ns() - start;
    if (st != END_OF_DATA) bench_check(st, c->name);
    if (out != (rows < c->limit ? rows : c->limit)) bench_check(INTERNAL_ERROR, "rows are missing");
    kernels_figure(k, c->name, rows, ns, c->limit < rows ? bytes : 2 * bytes);
    exec_end(&x);
    arena_release(&a);
}

void kernels_sorter(struct kernels *k)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run(k, &cases[i]);
}
