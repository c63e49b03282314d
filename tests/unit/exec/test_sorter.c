/* The sorter against qsort of datums: random columns, rows with NULLs and duplicates, random keys, each
 * ascending or not, with and without a limit, in memory and on disk. The order is whole: rows with
 * equal keys come as they went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"
#include "exec/ops/sorter.h"
#include "types/numeric.h"

enum { COLUMNS_MAX = 6, TEXT_MAX = 200 };

static const type_id all_types[] = {
    TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_OID, TYPE_FLOAT4, TYPE_FLOAT8, TYPE_NUMERIC,
    TYPE_TEXT, TYPE_BPCHAR, TYPE_BYTEA, TYPE_DATE, TYPE_TIMESTAMP, TYPE_INTERVAL, TYPE_UUID,
};
enum { TYPES = sizeof all_types / sizeof *all_types };

struct test {
    struct rng rng;
    struct arena arena, codes; /* codes: not of the sorter's memory */
    struct os *os;
    uint16_t columns;      /* the last is the row's number */
    type_id types[COLUMNS_MAX];
    uint32_t key_columns[COLUMNS_MAX];
    struct key_part parts[COLUMNS_MAX];
    uint32_t part_count;
    struct datum *rows;
    uint32_t count, domain;
    uint64_t limit, memory;
};

static struct test t;

static uint32_t below(uint32_t n)
{
    return (uint32_t)rng_below(&t.rng, n);
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct bytes random_bytes(uint32_t k, type_id type)
{
    static const char *const starts[] = {"", "a", "same beginning of many values ", "\xc3\xa9"};
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof text, "%s%u", starts[k % 4], k / 4);
    if (k % 7 == 0)
        while (n < TEXT_MAX - 20) text[n++] = 'x';
    if (type == TYPE_BYTEA && k % 3 == 0) text[n++] = '\0', text[n++] = (char)(k % 2);
    if (type == TYPE_BPCHAR)
        for (uint32_t i = below(4); i > 0; i--) text[n++] = ' ';
    return bytes_copy(&t.arena, text, (uint32_t)n);
}

static struct numeric random_numeric(uint32_t k)
{
    struct numeric n = {.kind = NUMERIC_SMALL};
    if (k % 13 == 0) {
        char text[80];
        union value v;
        snprintf(text, sizeof text, "%s123456789012345678901234567890.%u", k % 2 ? "-" : "", k);
        enum status st = value_from_text(TYPE_NUMERIC, -1, slice_make(text, strlen(text)),
                                         &format_default, &t.arena, &v);
        assert_int_equal(st, OK);
        return v.numeric;
    }
    if (k % 97 == 1) n.kind = NUMERIC_NAN;
    if (k % 97 == 2) n.kind = NUMERIC_PINF;
    if (n.kind != NUMERIC_SMALL) return n;
    n.coefficient = (int64_t)k - t.domain / 2;
    if (below(2)) n.coefficient *= 100, n.scale = 2; /* equal, of another scale */
    return n;
}

static struct datum random_datum(type_id type)
{
    struct datum d = {.null = below(9) == 0};
    uint32_t k = below(t.domain);
    int64_t i = (int64_t)k - t.domain / 2;
    if (d.null) return d;
    switch (type_rep(type)) {
    case REP_BOOL: d.v.b = k & 1; break;
    case REP_I16: d.v.i16 = (int16_t)i; break;
    case REP_I32: d.v.i32 = (int32_t)(i * 65537); break;
    case REP_U32: d.v.u32 = k * 65537; break;
    case REP_I64: d.v.i64 = i * (1ll << 33); break;
    case REP_F32: d.v.f32 = k % 11 ? (float)i / 3 : (float)-0.0; break;
    case REP_F64: d.v.f64 = k % 11 ? (double)i / 3 : __builtin_nan(""); break;
    case REP_BYTES: d.v.bytes = random_bytes(k, type); break;
    case REP_NUMERIC: d.v.numeric = random_numeric(k); break;
    case REP_INTERVAL: d.v.interval = (struct interval){.us = k % 5, .days = (int32_t)i % 60}; break;
    case REP_UUID:
        memset(d.v.uuid, (int)(k % 3), sizeof d.v.uuid);
        d.v.uuid[15] = (uint8_t)k;
        break;
    }
    return d;
}

static void make_rows(uint32_t count, uint32_t domain)
{
    t.count = count;
    t.domain = domain;
    t.columns = (uint16_t)(2 + below(COLUMNS_MAX - 1));
    if (t.columns > COLUMNS_MAX) t.columns = COLUMNS_MAX;
    for (uint16_t c = 0; c + 1 < t.columns; c++) t.types[c] = all_types[below(TYPES)];
    t.types[t.columns - 1] = TYPE_INT4;
    t.part_count = 1 + below(3);
    for (uint32_t k = 0; k < t.part_count; k++) {
        t.key_columns[k] = below(t.columns - 1u);
        t.parts[k] = (struct key_part){t.types[t.key_columns[k]], below(2), below(2)};
    }
    t.rows = arena_alloc(&t.arena, (size_t)count * t.columns * sizeof *t.rows + 1);
    for (uint32_t r = 0; r < count; r++) {
        struct datum *row = t.rows + (size_t)r * t.columns;
        for (uint16_t c = 0; c < t.columns; c++) row[c] = random_datum(t.types[c]);
        row[t.columns - 1] = (struct datum){.v.i32 = (int32_t)r};
    }
}

/* --- the reference ----------------------------------------------------------------------------- */

static int compare_keys(const struct datum *p, const struct datum *q)
{
    for (uint32_t k = 0; k < t.part_count; k++) {
        const struct key_part *part = &t.parts[k];
        const struct datum *a = &p[t.key_columns[k]], *b = &q[t.key_columns[k]];
        if (a->null && b->null) continue;
        if (a->null || b->null) return a->null == part->nulls_first ? -1 : 1;
        int c = value_compare(part->type, &a->v, &b->v);
        if (c) return part->descending ? -c : c;
    }
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct datum *p = t.rows + (size_t)*(const uint32_t *)a * t.columns;
    const struct datum *q = t.rows + (size_t)*(const uint32_t *)b * t.columns;
    int c = compare_keys(p, q);
    return c ? c : p[t.columns - 1].v.i32 - q[t.columns - 1].v.i32;
}

/* --- runs -------------------------------------------------------------------------------------- */

/* Now and then with a dictionary, which the sorter has to flatten. */
static void coded(const struct vec *v, uint32_t rows, struct arena *a, struct vec *ret)
{
    *ret = *v;
    if (below(2)) return;
    uint32_t *codes = arena_alloc(a, rows * sizeof *codes);
    struct vec *dict = ARENA_NEW(a, struct vec);
    for (uint32_t i = 0; i < rows; i++) codes[i] = rows - 1 - i;
    vec_init_flat_rows(dict, v->type, rows, a);
    for (uint32_t i = 0; i < rows; i++) vec_set(dict, codes[i], vec_get(v, i));
    *ret = (struct vec){.type = v->type, .form = VEC_DICT, .width = v->width, .codes = codes,
                        .dict = dict};
}

static void add_rows(struct sorter *s, struct arena *a)
{
    for (uint32_t from = 0; from < t.count;) {
        uint32_t n = 1 + below(BATCH_ROWS);
        if (n > t.count - from) n = t.count - from;
        struct batch b;
        struct vec keys[COLUMNS_MAX];
        uint16_t sel[BATCH_ROWS];
        arena_clear(a);
        arena_clear(&t.codes);
        batch_init(&b, t.columns, t.types, a);
        uint32_t gap = n < BATCH_ROWS / 2 ? below(2) : 0; /* a row that is not selected */
        for (uint32_t i = 0; i < n; i++) {
            sel[i] = (uint16_t)(i * (1 + gap));
            for (uint16_t c = 0; c < t.columns; c++)
                vec_set(&b.columns[c], sel[i], t.rows[(size_t)(from + i) * t.columns + c]);
        }
        b.rows = sel[n - 1] + 1u;
        b.count = n;
        b.sel = gap ? sel : NULL;
        for (uint32_t k = 0; k < t.part_count; k++)
            coded(&b.columns[t.key_columns[k]], b.rows, &t.codes, &keys[k]);
        assert_int_equal(sorter_add(s, &b, keys), OK);
        from += n;
    }
}

static void check_rows(struct sorter *s, struct arena *a)
{
    uint32_t *order = arena_alloc(&t.arena, (t.count + 1) * sizeof *order);
    bool same[BATCH_ROWS];
    for (uint32_t r = 0; r < t.count; r++) order[r] = r;
    if (t.count) qsort(order, t.count, sizeof *order, compare_rows);
    uint64_t wanted = t.count < t.limit ? t.count : t.limit, at = 0;
    for (;;) {
        struct batch b;
        arena_clear(a);
        enum status st = sorter_next(s, a, &b, same);
        if (st == END_OF_DATA) break;
        assert_int_equal(st, OK);
        for (uint32_t i = 0; i < b.count; i++, at++) {
            assert_true(at < wanted);
            const struct datum *row = t.rows + (size_t)order[at] * t.columns;
            for (uint16_t c = 0; c < t.columns; c++) {
                struct datum d = vec_get(&b.columns[c], i);
                assert_int_equal(d.null, row[c].null);
                assert_true(d.null || value_compare(t.types[c], &d.v, &row[c].v) == 0);
            }
            bool expected = at > 0 &&
                            !compare_keys(t.rows + (size_t)order[at - 1] * t.columns, row);
            assert_int_equal(same[i], expected);
        }
    }
    assert_int_equal(at, wanted);
}

/* Twice with one sorter. */
static uint64_t run(void)
{
    struct exec_session session = {.format = &format_default, .memory_limit_bytes = t.memory,
                                   .os = t.os, .temp_dir = "/temp"};
    struct exec_params params = {0};
    struct execution x;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    exec_begin(&x, NULL, NULL, &session, &params, &a);
    struct arena *batch = exec_arena(&x);
    struct sorter *s = sorter_new(&x, t.columns, t.types, t.parts, t.part_count);
    for (int round = 0; round < 2; round++) {
        sorter_begin(s, t.limit);
        add_rows(s, batch);
        assert_int_equal(sorter_finish(s), OK);
        check_rows(s, batch);
        sorter_end(s);
    }
    uint64_t disk = sorter_disk_bytes(s);
    exec_end(&x);
    arena_release(&a);
    return disk;
}

static void run_many(uint32_t count, uint32_t domain)
{
    for (int i = 0; i < 12; i++) {
        arena_init(&t.arena, MEM_QUERY);
        make_rows(count, domain);
        t.limit = i % 3 ? UINT64_MAX : below(count + count / 2 + 1);
        run();
        arena_release(&t.arena);
    }
}

static int begin(void **state)
{
    (void)state;
    struct sim_options so = {.seed = 1};
    const char *env = getenv("SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : 20261121;
    print_message("seed %llu\n", (unsigned long long)seed);
    t = (struct test){.os = sim_new(&so)};
    arena_init(&t.codes, MEM_QUERY);
    rng_seed(&t.rng, seed);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sim_free(t.os);
    arena_release(&t.codes);
    return 0;
}

static void test_memory(void **state)
{
    (void)state;
    run_many(0, 10);
    run_many(1, 10);
    run_many(40, 8);
    run_many(700, 20);
    run_many(700, 1);
    run_many(5000, 3);
    run_many(5000, 100000);
    run_many(20000, 3000);
}

static void test_disk(void **state)
{
    (void)state;
    t.memory = 1 << 20;
    run_many(300, 300);
    run_many(20000, 5);
    run_many(20000, 100000);
}

/* So many runs that they are merged on several levels. */
static void test_levels(void **state)
{
    (void)state;
    t.memory = 1 << 20;
    arena_init(&t.arena, MEM_QUERY);
    do make_rows(120000, 50000);
    while (t.columns < 4);
    t.limit = UINT64_MAX;
    assert_true(run() > 2 * (uint64_t)t.count * 20);
    arena_release(&t.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_disk, begin, end),
        cmocka_unit_test_setup_teardown(test_levels, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
