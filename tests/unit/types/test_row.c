#include "types/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "types/numeric.h"

enum { COLUMNS = 11, ROWS = 64 };
static const type_id types[COLUMNS] = {TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_OID, TYPE_INT8,
                                       TYPE_FLOAT4, TYPE_FLOAT8, TYPE_TEXT, TYPE_NUMERIC,
                                       TYPE_INTERVAL, TYPE_UUID};

static struct datum random_datum(struct rng *rng, type_id type, struct arena *a)
{
    struct datum d = {0};
    uint64_t r = rng_u64(rng);
    char digits[48];
    if (rng_below(rng, 4) == 0) {
        d.null = true;
        return d;
    }
    switch (type_rep(type)) {
    case REP_BOOL: d.v.b = r & 1; break;
    case REP_I16: d.v.i16 = (int16_t)r; break;
    case REP_I32: d.v.i32 = (int32_t)r; break;
    case REP_U32: d.v.u32 = (uint32_t)r; break;
    case REP_I64: d.v.i64 = (int64_t)r; break;
    case REP_F32: d.v.f32 = (float)(int64_t)r / 1000; break;
    case REP_F64: d.v.f64 = (double)(int64_t)r / 1000; break;
    case REP_INTERVAL: d.v.interval = (struct interval){(int64_t)r, (int32_t)r, 7}; break;
    case REP_UUID: memcpy(d.v.uuid, &r, 8); break;
    case REP_BYTES: {
        uint32_t len = (uint32_t)rng_below(rng, 40);
        char *p = arena_zalloc(a, len + 1);
        memset(p, 'a' + (int)(r % 26), len);
        d.v.bytes = bytes_ref(p, len);
        break;
    }
    case REP_NUMERIC:
        if (r & 1) {
            d.v.numeric = numeric_small((int64_t)(r % 1000000), 2);
        } else {
            snprintf(digits, sizeof(digits), "%s%llu%020llu.25", r & 2 ? "-" : "",
                     (unsigned long long)(r >> 8 | 1), (unsigned long long)r);
            assert_int_equal(numeric_from_text(slice_of(digits), -1, a, &d.v.numeric), OK);
        }
        break;
    }
    return d;
}

static void assert_same(type_id type, const struct datum *a, const struct datum *b)
{
    assert_int_equal(a->null, b->null);
    if (!a->null) assert_int_equal(value_compare(type, &a->v, &b->v), 0);
}

/* What was encoded comes back, one by one and in batches, and no other bytes pass as a row. */
static void round_trip(void **state)
{
    (void)state;
    struct arena a;
    struct rng rng;
    struct datum rows[ROWS][COLUMNS];
    struct slice encoded[ROWS];
    struct vec vecs[COLUMNS];
    uint16_t columns[COLUMNS];
    const char *seed = getenv("SEED");
    rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    arena_init(&a, MEM_TEST);
    const struct row_layout *l = row_layout_new(&a, types, COLUMNS);
    for (int r = 0; r < ROWS; r++) {
        struct strbuf b;
        struct datum d;
        for (int c = 0; c < COLUMNS; c++) rows[r][c] = random_datum(&rng, types[c], &a);
        strbuf_init(&b, &a);
        row_encode(l, rows[r], &b);
        encoded[r] = strbuf_slice(&b);
        assert_int_equal(row_column_count(encoded[r]), COLUMNS);
        assert_true(row_valid(l, encoded[r]));
        for (size_t n = 0; n < encoded[r].len; n++)
            assert_false(row_valid(l, slice_make(encoded[r].data, n)));
        for (uint16_t c = 0; c < COLUMNS; c++) {
            assert_true(row_get(l, encoded[r], c, &d));
            assert_same(types[c], &rows[r][c], &d);
        }
    }
    for (uint16_t c = 0; c < COLUMNS; c++) {
        vec_init_flat(&vecs[c], types[c], &a);
        columns[c] = c;
    }
    row_decode_batch(l, encoded, ROWS, columns, COLUMNS, NULL, 100, vecs);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            struct datum d = vec_get(&vecs[c], 100 + (uint32_t)r);
            assert_same(types[c], &rows[r][c], &d);
        }
    arena_release(&a);
}

/* Some rows and some columns go to their own places and leave the others as they are; old rows among them. */
static void picks(void **state)
{
    (void)state;
    enum { N = 300, LAST = 2 };
    static const type_id ids[LAST + 1] = {TYPE_INT4, TYPE_TEXT, TYPE_INT8};
    struct arena a;
    struct rng rng;
    struct slice rows[N];
    uint16_t sel[N], columns[LAST + 1] = {2, 0, 1}, wanted[2] = {2, 0};
    struct datum values[N][LAST + 1] = {0}, missing[LAST + 1] = {0};
    struct vec out[LAST + 1];
    const char *seed = getenv("SEED");
    rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    arena_init(&a, MEM_TEST);
    missing[LAST].v.i64 = 42;
    for (int round = 0; round < 20; round++) {
        uint32_t count = 0;
        bool old_rows = round % 2;
        for (uint32_t i = 0; i < N; i++) {
            struct strbuf b;
            bool old = old_rows && rng_below(&rng, 3) == 0;
            for (uint32_t c = 0; c <= LAST; c++) values[i][c] = random_datum(&rng, ids[c], &a);
            strbuf_init(&b, &a);
            row_encode(row_layout_new(&a, ids, old ? LAST : LAST + 1), values[i], &b);
            rows[i] = strbuf_slice(&b);
            if (old) values[i][LAST] = missing[LAST];
            if (rng_below(&rng, 4) == 0) sel[count++] = (uint16_t)i;
        }
        for (uint32_t c = 0; c <= LAST; c++) {
            vec_init_flat(&out[c], ids[columns[c]], &a);
            memset(out[c].data, 0x5a, (size_t)N * out[c].width);
        }
        bool all = round % 5 == 0;
        row_decode_picks(row_layout_new(&a, ids, LAST + 1), rows, all ? NULL : sel, all ? N : count, columns,
                         wanted, 2, missing, out);
        for (uint32_t i = 0, k = 0; i < N; i++) {
            bool in = all || (k < count && sel[k] == i);
            k += !all && in;
            for (uint32_t w = 0; w < 2; w++) {
                const struct vec *v = &out[wanted[w]];
                const char *at = (const char *)v->data + (size_t)i * v->width;
                struct datum d = vec_get(v, i);
                if (in) assert_same(ids[columns[wanted[w]]], &values[i][columns[wanted[w]]], &d);
                else assert_true(!nulls_get(v->nulls, i) && *at == 0x5a);
            }
            assert_int_equal(((const char *)out[1].data)[(size_t)i * out[1].width], 0x5a);
        }
    }
    arena_release(&a);
}

/* A row of fewer columns, read under a layout that gained some. */
static void added_columns(void **state)
{
    (void)state;
    static const type_id ids[3] = {TYPE_INT4, TYPE_TEXT, TYPE_INT8};
    struct arena a;
    struct strbuf b;
    struct vec v;
    struct datum d, missing[3] = {0}, old[2] = {{.v.i32 = 5}, {.v.bytes = bytes_ref("abc", 3)}};
    uint16_t column = 2;
    arena_init(&a, MEM_TEST);
    strbuf_init(&b, &a);
    row_encode(row_layout_new(&a, ids, 2), old, &b);
    const struct row_layout *l = row_layout_new(&a, ids, 3);
    struct slice row = strbuf_slice(&b);
    assert_true(row_valid(l, row));
    assert_true(row_get(l, row, 1, &d));
    assert_same(TYPE_TEXT, &old[1], &d);
    assert_false(row_get(l, row, 2, &d));
    missing[2].v.i64 = 42;
    vec_init_flat(&v, TYPE_INT8, &a);
    row_decode_batch(l, &row, 1, &column, 1, missing, 0, &v);
    assert_int_equal(vec_get(&v, 0).v.i64, 42);
    row_decode_batch(l, &row, 1, &column, 1, NULL, 0, &v);
    assert_true(vec_get(&v, 0).null);
    arena_release(&a);
}

/* Selections, constants and dictionaries hash and gather as the flat vector does. */
static void forms(void **state)
{
    (void)state;
    enum { N = 5 };
    static const char *const words[N] = {"one", "a string beyond twelve", "", "one", "three"};
    static const uint32_t codes[4] = {4, 1, 0, 2};
    static const uint16_t sel[2] = {1, 3};
    struct arena a;
    struct vec flat, dict = {0}, out;
    uint64_t h[N], g[N];
    arena_init(&a, MEM_TEST);
    vec_init_flat(&flat, TYPE_TEXT, &a);
    for (uint32_t i = 0; i < N; i++)
        vec_set(&flat, i, (struct datum){.null = i == 2,
                .v.bytes = bytes_ref(words[i], (uint32_t)strlen(words[i]))});
    vec_hash(&flat, NULL, N, true, h);
    assert_true(h[0] == h[3] && h[0] != h[1]);
    struct datum one = vec_get(&flat, 1);
    assert_true(h[1] == value_hash(TYPE_TEXT, &one.v));
    dict = (struct vec){.type = TYPE_TEXT, .form = VEC_DICT, .width = 16, .codes = codes,
                        .dict = &flat};
    vec_hash(&dict, sel, 2, true, g);
    assert_true(g[0] == h[1] && g[1] == h[2]);
    vec_flatten(&dict, 4, &a, &out);
    assert_int_equal(out.form, VEC_FLAT);
    assert_true(vec_get(&out, 3).null);
    struct datum d = vec_get(&out, 1);
    assert_same(TYPE_TEXT, &one, &d);
    vec_init_const(&dict, TYPE_TEXT, one, &a);
    vec_hash(&dict, NULL, 3, true, g);
    assert_true(g[2] == h[1]);
    vec_gather(&out, 7, &flat, sel, 2, &a);
    assert_true(bytes_data(&VEC_DATA(&out, struct bytes)[7]) != words[1]);
    arena_release(&a);
}

/* Rows appended are those gathered, wherever they go, NULLs and what was there before them. */
static void appends(void **state)
{
    (void)state;
    static const char *const words[] = {"short", "a string that is long", "", "another one that is long"};
    enum { ROUNDS = 200 };
    const char *seed = getenv("SEED");
    struct rng r;
    struct arena a;
    struct vec from, to[2];
    uint16_t sel[BATCH_ROWS];
    arena_init(&a, MEM_TEST);
    rng_seed(&r, seed ? strtoull(seed, NULL, 10) : 1);
    vec_init_flat(&from, TYPE_TEXT, &a);
    for (int k = 0; k < 2; k++) vec_init_flat(&to[k], TYPE_TEXT, &a);
    for (uint32_t i = 0; i < BATCH_ROWS; i++) {
        const char *w = words[rng_below(&r, 4)];
        vec_set(&from, i, (struct datum){.null = rng_below(&r, 5) == 0,
                                         .v.bytes = bytes_ref(w, (uint32_t)strlen(w))});
        for (int k = 0; k < 2; k++) vec_set(&to[k], i, (struct datum){.null = true});
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t unit = rng_below(&r, 2) ? 64 : 1, n = (uint32_t)rng_below(&r, 300);
        uint32_t at = (uint32_t)rng_below(&r, BATCH_ROWS - 300) / unit * unit;
        uint32_t src = (uint32_t)rng_below(&r, BATCH_ROWS - 300) / unit * unit;
        bool nulls = rng_below(&r, 4);
        struct vec v = from;
        if (!nulls) v.nulls = NULL;
        for (uint32_t i = 0; i < n; i++) sel[i] = (uint16_t)(src + i);
        if (n) vec_gather(&to[0], at, &v, sel, n, nulls ? &a : NULL);
        vec_append(&to[1], at, &v, src, n, nulls ? &a : NULL);
        for (uint32_t i = 0; i < BATCH_ROWS; i++) {
            struct datum x = vec_get(&to[0], i), y = vec_get(&to[1], i);
            assert_true(value_identical(TYPE_TEXT, &x, &y));
        }
        if (nulls && n && !vec_get(&to[1], at).null)
            assert_true(bytes_data(&VEC_DATA(&to[1], struct bytes)[at]) != words[1]);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(picks),
        cmocka_unit_test(added_columns),
        cmocka_unit_test(forms),
        cmocka_unit_test(appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
