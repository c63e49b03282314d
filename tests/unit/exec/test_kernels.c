/* Functions over batches against the same functions over single values: every pair of loops and scalar of
 * two fixed-width arguments, on values near the edges of their types, flat and constant, with NULLs and with
 * selections. An error must come exactly when a row that counts has one. Then what a filter keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "catalog/catalog.h"
#include "exec/eval_priv.h"
#include "exec/exec.h"
#include "types/vec.h"

enum { ROUNDS = 40 };

static uint64_t seed = 1;

struct column {
    struct vec vec;
    uint64_t data[BATCH_ROWS];
    uint64_t nulls[NULL_WORDS];
};

static bool is_plain(type_id t)
{
    switch (t) {
    case TYPE_INT2: case TYPE_INT4: case TYPE_INT8: case TYPE_OID: case TYPE_FLOAT4: case TYPE_FLOAT8:
    case TYPE_DATE: case TYPE_TIMESTAMP: case TYPE_TIMESTAMPTZ: return true;
    default: return false;
    }
}

/* Often one that overflows, or divides by zero, or is equal to others. */
static int64_t random_int(struct rng *r, unsigned bytes)
{
    const int64_t top = bytes == 8 ? INT64_MAX : ((int64_t)1 << (8 * bytes - 1)) - 1;
    switch (rng_below(r, 8)) {
    case 0: return top - (int64_t)rng_below(r, 3);
    case 1: return -top - 1 + (int64_t)rng_below(r, 3);
    case 2: return (int64_t)rng_below(r, 5) - 2;
    case 3: return top / 2 + (int64_t)rng_below(r, 5) - 2;
    case 4: return (int64_t)(rng_u64(r) & (uint64_t)top);
    default: return (int64_t)rng_below(r, 100) - 50;
    }
}

static double random_float(struct rng *r)
{
    static const double edges[] = {0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, 3e38, 1e-38};
    uint64_t k = rng_below(r, 12);
    if (k == 8) return __builtin_nan("");
    if (k == 9) return __builtin_inf();
    return k < 8 ? edges[k] : (double)random_int(r, 4) / 8;
}

static void fill(struct column *c, type_id type, struct rng *r, bool calm)
{
    unsigned width = type_get(type)->width;
    uint32_t n = rng_below(r, 4) ? BATCH_ROWS : 1;
    bool with_nulls = rng_below(r, 2);
    *c = (struct column){.vec = {.type = type, .form = n > 1 ? VEC_FLAT : VEC_CONST,
                                 .width = (uint8_t)width}};
    c->vec.data = c->data;
    c->vec.nulls = with_nulls ? c->nulls : NULL;
    for (uint32_t i = 0; i < n; i++) {
        int64_t k = calm ? 1 + (int64_t)rng_below(r, 100) : random_int(r, width);
        double d = random_float(r);
        float f = (float)d;
        char *at = (char *)c->data + (size_t)i * width;
        if (type == TYPE_FLOAT8) memcpy(at, &d, 8);
        else if (type == TYPE_FLOAT4) memcpy(at, &f, 4);
        else memcpy(at, &k, width);
        if (with_nulls && rng_below(r, 3) == 0) nulls_set(c->nulls, i);
    }
    if (c->vec.form == VEC_CONST) c->vec.nulls = NULL; /* else the caller answers NULL at once */
}

static uint32_t select_rows(struct rng *r, uint16_t *sel)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        if (rng_below(r, 3)) sel[n++] = (uint16_t)i;
    return n;
}

static void check_once(const struct proc_def *p, const struct function_impl *f, struct rng *r)
{
    static struct column a, b, out;
    static uint16_t rows[BATCH_ROWS];
    struct arena arena;
    bool calm = rng_below(r, 2), selects = rng_below(r, 2);
    fill(&a, p->args[0], r, calm);
    fill(&b, p->args[1], r, calm);
    uint32_t count = selects ? select_rows(r, rows) : 1 + (uint32_t)rng_below(r, BATCH_ROWS);
    const uint16_t *sel = selects ? rows : NULL;
    arena_init(&arena, MEM_TEST);
    struct call_ctx c = {.arena = &arena, .keep = &arena};
    out = (struct column){.vec = {.type = p->result, .form = VEC_FLAT,
                                  .width = (uint8_t)type_get(p->result)->width}};
    out.vec.data = out.data;
    out.vec.nulls = out.nulls;
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        if (vec_get(&a.vec, i).null || vec_get(&b.vec, i).null) nulls_set(out.nulls, i);
    const struct vec *args[] = {&a.vec, &b.vec};
    enum status whole = f->vector(&c, args, 2, sel, count, &out.vec), worst = OK;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = sel ? sel[i] : i;
        struct datum one[2] = {vec_get(&a.vec, row), vec_get(&b.vec, row)}, want = {0};
        if (one[0].null || one[1].null) continue;
        enum status st = f->scalar(&c, one, 2, &want);
        if (st != OK && worst == OK) worst = st;
        if (st != OK || whole != OK) continue;
        struct datum got = vec_get(&out.vec, row);
        if (got.null != want.null || (!got.null && value_compare(p->result, &got.v, &want.v) != 0))
            fail_msg("%s: row %u differs (seed %llu)", p->symbol, row, (unsigned long long)seed);
    }
    if (whole != worst)
        fail_msg("%s: status %d, by rows %d (seed %llu)", p->symbol, whole, worst,
                 (unsigned long long)seed);
    arena_release(&arena);
}

static void loops_do_as_scalars(void **state)
{
    struct rng r;
    int loops = 0;
    (void)state;
    rng_seed(&r, seed);
    for (int id = 0; id < proc_count(); id++) {
        const struct proc_def *p = proc_by_id(id);
        if (p->kind != 'f' || p->returns_set || !p->strict || p->arg_count != 2) continue;
        if (!is_plain(p->args[0]) || !is_plain(p->args[1])) continue;
        if (!is_plain(p->result) && p->result != TYPE_BOOL) continue;
        const struct function_impl *f = function_impl(id);
        if (!f->vector) continue;
        loops++;
        for (int i = 0; i < ROUNDS; i++) check_once(p, f, &r);
    }
    print_message("%d loops\n", loops);
    assert_true(loops > 100);
}

static void filters_keep_what_is_true(void **state)
{
    static uint8_t values[BATCH_ROWS];
    static uint64_t nulls[NULL_WORDS];
    static uint16_t sel[BATCH_ROWS], out[BATCH_ROWS];
    struct rng r;
    (void)state;
    rng_seed(&r, seed);
    for (int round = 0; round < 2000; round++) {
        bool selects = rng_below(&r, 3) == 0, has_nulls = rng_below(&r, 2);
        uint64_t share = rng_below(&r, 11);
        for (uint32_t i = 0; i < BATCH_ROWS; i++) values[i] = rng_below(&r, 10) < share;
        for (uint32_t i = 0; i < NULL_WORDS; i++) nulls[i] = rng_u64(&r) & rng_u64(&r);
        uint32_t n = 0, count = selects ? select_rows(&r, sel) : (uint32_t)rng_below(&r, BATCH_ROWS + 1);
        uint32_t kept = eval__keep_true(values, has_nulls ? nulls : NULL, selects ? sel : NULL, count, out);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = selects ? sel[i] : i;
            if (!values[row] || (has_nulls && nulls_get(nulls, row))) continue;
            if (n >= kept || out[n] != row)
                fail_msg("round %d, row %u (seed %llu)", round, row, (unsigned long long)seed);
            n++;
        }
        assert_int_equal(n, kept);
    }
}

int main(void)
{
    const char *text = getenv("SEED");
    if (text) seed = strtoull(text, NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_do_as_scalars),
        cmocka_unit_test(filters_keep_what_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
