/* What was made for columns does what was there before it: loops over decimals of one scale as single values, sums
 * of a group's rows as row by row, groups of codes as groups of their values, functions of dictionaries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "catalog/catalog.h"
#include "exec/exec.h"
#include "exec/ops/group_table.h"
#include "types/numeric.h"

enum { ROUNDS = 60 };

static uint64_t seed = 1;

/* Mostly of one scale; now and then another, a large one, or none. */
static struct numeric random_numeric(struct rng *r, struct arena *a, uint16_t scale, int odd)
{
    uint64_t k = rng_below(r, 1000);
    if ((int)k < odd) {
        struct numeric big = numeric_small(999999999999999999, 3), sum;
        if (k % 3 == 0 && numeric_mul(a, &big, &big, &sum) == OK) return sum;
        if (k % 3 == 1) return (struct numeric){.kind = NUMERIC_NAN};
        return numeric_small((int64_t)rng_below(r, 100), (uint16_t)(scale + 1));
    }
    int64_t top = rng_below(r, 20) ? 100000000 : 999999999999999999;
    return numeric_small((int64_t)rng_below(r, (uint64_t)top) - top / 2, scale);
}

static void fill(struct vec *v, struct rng *r, struct arena *a, int odd, bool nulls)
{
    uint16_t scale = (uint16_t)rng_below(r, 5);
    if (rng_below(r, 5) == 0) {
        vec_init_const(v, TYPE_NUMERIC, (struct datum){.v.numeric = random_numeric(r, a, scale, odd)}, a);
        return;
    }
    vec_init_flat(v, TYPE_NUMERIC, a);
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        vec_set(v, i, (struct datum){.v.numeric = random_numeric(r, a, scale, odd)});
    for (uint32_t i = 0; nulls && i < BATCH_ROWS; i++)
        if (rng_below(r, 9) == 0) vec_set(v, i, (struct datum){.null = true});
}

static uint32_t select_rows(struct rng *r, uint16_t *sel)
{
    uint32_t n = 0, part = 1 + (uint32_t)rng_below(r, 4);
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        if (rng_below(r, part) == 0) sel[n++] = (uint16_t)i;
    return n;
}

static const struct proc_def *proc_named(const char *symbol, type_id first)
{
    for (int id = 0; id < proc_count(); id++) {
        const struct proc_def *p = proc_by_id(id);
        if (strcmp(p->symbol, symbol) == 0 && p->arg_count && p->args[0] == first) return p;
    }
    fail_msg("no %s", symbol);
    return NULL;
}

static void decimals_in_loops(void **state)
{
    static const char *const symbols[] = {"numeric_add", "numeric_sub", "numeric_mul"};
    struct rng r;
    (void)state;
    rng_seed(&r, seed);
    for (int round = 0; round < ROUNDS; round++) {
        const struct function_impl *f =
            function_impl(proc_named(symbols[round % 3], TYPE_NUMERIC)->id);
        static uint16_t rows[BATCH_ROWS];
        struct arena a;
        struct vec x, y, out;
        int odd = round % 2 ? 0 : 5;
        arena_init(&a, MEM_TEST);
        fill(&x, &r, &a, odd, round % 5 == 0);
        fill(&y, &r, &a, odd, round % 7 == 0);
        bool selects = rng_below(&r, 2);
        uint32_t count = selects ? select_rows(&r, rows) : BATCH_ROWS;
        const uint16_t *sel = selects ? rows : NULL;
        vec_init_flat(&out, TYPE_NUMERIC, &a);
        for (uint32_t i = 0; i < BATCH_ROWS; i++)
            if (vec_get(&x, i).null || vec_get(&y, i).null) nulls_set(out.nulls, i);
        struct call_ctx c = {.arena = &a, .keep = &a};
        const struct vec *args[] = {&x, &y};
        assert_int_equal(f->vector(&c, args, 2, sel, count, &out), OK);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = sel ? sel[i] : i;
            struct datum one[2] = {vec_get(&x, row), vec_get(&y, row)}, want = {0};
            if (one[0].null || one[1].null) continue;
            assert_int_equal(f->scalar(&c, one, 2, &want), OK);
            struct datum got = vec_get(&out, row);
            if (numeric_compare(&got.v.numeric, &want.v.numeric) != 0 ||
                got.v.numeric.scale != want.v.numeric.scale)
                fail_msg("%s: row %u (seed %llu)", symbols[round % 3], row, (unsigned long long)seed);
        }
        arena_release(&a);
    }
}

/* --- sums ---------------------------------------------------------------------------------------- */

static void fill_ints(struct vec *v, type_id type, struct rng *r, struct arena *a)
{
    vec_init_flat(v, type, a);
    for (uint32_t i = 0; i < BATCH_ROWS; i++) {
        struct datum d = {.v.i64 = (int64_t)rng_u64(r)};
        if (type == TYPE_INT2) d.v = (union value){.i16 = (int16_t)d.v.i64};
        if (type == TYPE_INT4) d.v = (union value){.i32 = (int32_t)d.v.i64};
        if (rng_below(r, 9) == 0) d.null = true;
        vec_set(v, i, d);
    }
    if (rng_below(r, 2)) { /* as codes */
        struct vec *dict = arena_memdup(a, v, sizeof *v);
        uint32_t *codes = arena_alloc(a, BATCH_ROWS * sizeof *codes);
        for (uint32_t i = 0; i < BATCH_ROWS; i++) codes[i] = (uint32_t)rng_below(r, 100);
        *v = (struct vec){.type = type, .form = VEC_DICT, .width = dict->width, .codes = codes, .dict = dict};
    }
}

static void sums_of_groups(void **state)
{
    static const struct {
        const char *symbol;
        type_id type;
    } all[] = {{"sum_agg", TYPE_INT2}, {"sum_agg", TYPE_INT4}, {"sum_agg", TYPE_INT8},
               {"sum_agg", TYPE_NUMERIC}, {"avg_agg", TYPE_INT4}, {"avg_agg", TYPE_NUMERIC}};
    struct rng r;
    (void)state;
    rng_seed(&r, seed);
    for (int round = 0; round < ROUNDS; round++) {
        type_id type = all[round % 6].type;
        const struct aggregate_impl *f = aggregate_impl(proc_named(all[round % 6].symbol, type)->id);
        struct arena a;
        arena_init(&a, MEM_TEST);
        struct call_ctx c = {.arena = &a, .keep = &a};
        void *by_row = arena_zalloc(&a, f->state_bytes), *by_group = arena_zalloc(&a, f->state_bytes);
        assert_non_null(f->add_group);
        for (int batch = 0; batch < 4; batch++) {
            uint16_t rows[BATCH_ROWS];
            struct vec v;
            if (type == TYPE_NUMERIC) fill(&v, &r, &a, batch % 2 ? 4 : 0, true);
            else fill_ints(&v, type, &r, &a);
            bool selects = rng_below(&r, 2);
            uint32_t count = selects ? select_rows(&r, rows) : BATCH_ROWS;
            const struct vec *args[] = {&v};
            assert_int_equal(f->add_group(&c, &a, by_group, args, 1, selects ? rows : NULL, count), OK);
            for (uint32_t i = 0; i < count; i++) {
                struct datum d = vec_get(&v, selects ? rows[i] : i);
                if (!d.null) assert_int_equal(f->add(&c, &a, by_row, &d, 1), OK);
            }
        }
        struct datum want = {0}, got = {0};
        enum status st = f->result(&c, by_row, &want);
        assert_int_equal(f->result(&c, by_group, &got), st);
        bool small = type != TYPE_NUMERIC && type != TYPE_INT8 && all[round % 6].symbol[0] == 's';
        bool same = got.null == want.null;
        if (same && !got.null && small) same = got.v.i64 == want.v.i64;
        else if (same && !got.null) same = numeric_compare(&got.v.numeric, &want.v.numeric) == 0;
        if (st == OK && !same)
            fail_msg("round %d differs (seed %llu)", round, (unsigned long long)seed);
        arena_release(&a);
    }
}

/* --- groups -------------------------------------------------------------------------------------- */

static void make_dict(struct vec *v, struct vec *dict, type_id type, uint32_t values, struct rng *r,
                      struct arena *a)
{
    uint32_t *codes = arena_alloc(a, BATCH_ROWS * sizeof *codes);
    vec_init_flat_rows(dict, type, values, a);
    for (uint32_t i = 0; i < values; i++) {
        const char *text = arena_printf(a, "%s value %u", type == TYPE_BPCHAR ? "padded" : "a", i / 2);
        struct datum d = {.v.i32 = (int32_t)i / 2};
        if (type != TYPE_INT4) d.v = (union value){.bytes = bytes_ref(text, (uint32_t)strlen(text))};
        if (i == values - 1) d.null = true;
        vec_set(dict, i, d);
    }
    for (uint32_t i = 0; i < BATCH_ROWS; i++) codes[i] = (uint32_t)rng_below(r, values);
    *v = (struct vec){.type = type, .form = VEC_DICT, .width = dict->width, .codes = codes, .dict = dict};
}

static void groups_of_codes(void **state)
{
    static const type_id kinds[] = {TYPE_INT4, TYPE_TEXT, TYPE_BPCHAR};
    struct exec_session session = {.format = &format_default};
    struct exec_params params = {0};
    struct execution x;
    struct arena run;
    struct rng r;
    (void)state;
    rng_seed(&r, seed);
    arena_init(&run, MEM_TEST);
    exec_begin(&x, NULL, NULL, &session, &params, &run);
    for (int round = 0; round < ROUNDS; round++) {
        struct arena a, slots[4];
        struct vec keys[2], flat[2], dicts[2];
        uint16_t rows[BATCH_ROWS];
        uint32_t coded[BATCH_ROWS], plain[BATCH_ROWS];
        type_id types[2] = {kinds[rng_below(&r, 3)], kinds[rng_below(&r, 3)]};
        struct group_table one, two;
        arena_init(&a, MEM_TEST);
        for (int i = 0; i < 4; i++) arena_init(&slots[i], MEM_TEST);
        for (int c = 0; c < 2; c++) {
            make_dict(&keys[c], &dicts[c], types[c], 2 + (uint32_t)rng_below(&r, 12), &r, &a);
            vec_flatten(&keys[c], BATCH_ROWS, &a, &flat[c]);
        }
        struct batch b = {.rows = BATCH_ROWS, .count = BATCH_ROWS};
        if (rng_below(&r, 2)) b.count = select_rows(&r, rows), b.sel = rows;
        group_table_init(&one, &x, 2, types, &a, &slots[0], &slots[1]);
        group_table_init(&two, &x, 2, types, &a, &slots[2], &slots[3]);
        assert_int_equal(group_table_find(&one, &b, keys, false, &a, coded), OK);
        assert_int_equal(group_table_find(&two, &b, flat, false, &a, plain), OK);
        assert_int_equal(one.count, two.count);
        for (uint32_t i = 0; i < b.count; i++)
            if (coded[i] != plain[i]) /* both are numbered by their first rows */
                fail_msg("round %d, row %u (seed %llu)", round, i, (unsigned long long)seed);
        uint64_t hashes[BATCH_ROWS], want[BATCH_ROWS];
        for (int c = 0; c < 2; c++) {
            vec_hash(&keys[c], b.sel, b.count, c == 0, hashes);
            vec_hash(&flat[c], b.sel, b.count, c == 0, want);
        }
        assert_memory_equal(hashes, want, b.count * sizeof *want);
        for (int i = 0; i < 4; i++) arena_release(&slots[i]);
        arena_release(&a);
    }
    exec_end(&x);
    arena_release(&run);
}

int main(void)
{
    const char *text = getenv("SEED");
    if (text) seed = strtoull(text, NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_in_loops),
        cmocka_unit_test(sums_of_groups),
        cmocka_unit_test(groups_of_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
