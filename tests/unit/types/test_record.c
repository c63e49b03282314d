#include "types/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "types/array.h"
#include "types/key.h"

enum { RELATION = 20000, ROUNDS = 3000 };
static const type_id types[] = {TYPE_INT4, TYPE_TEXT, TYPE_NUMERIC, TYPE_FLOAT8};
enum { FIELDS = sizeof types / sizeof types[0] };

static int sign(int c) { return (c > 0) - (c < 0); }

static struct datum from_text(type_id type, const char *text, struct arena *a)
{
    struct datum d = {.null = !text};
    if (text)
        assert_int_equal(value_from_text(type, -1, slice_of(text), &format_default, a, &d.v), OK);
    return d;
}

static union value record_of(struct arena *a, type_id type, const char *const *texts)
{
    struct datum fields[FIELDS];
    union value v;
    for (int i = 0; i < FIELDS; i++) fields[i] = from_text(types[i], texts[i], a);
    assert_int_equal(record_make(a, type, types, fields, FIELDS, &v.bytes), OK);
    return v;
}

static enum status columns(void *ctx, type_id type, struct arena *a, struct row_columns *ret)
{
    static const int32_t typmods[FIELDS] = {-1, -1, -1, -1};
    (void)ctx;
    (void)a;
    assert_int_equal(type, type_row(RELATION));
    *ret = (struct row_columns){types, typmods, NULL, FIELDS};
    return OK;
}
static const struct reg_names names = {.row_columns = columns};

static void test_types(void **state)
{
    (void)state;
    const struct type_info *row = type_get(type_row(RELATION)), *array = type_get(row->array);
    assert_int_equal(row->id, type_row(RELATION));
    assert_int_equal(array->element, row->id);
    assert_true(type_is_array(array->id) && !type_is_array(row->id));
    assert_true(type_is_composite(row->id) && !type_is_composite(array->id));
    assert_int_equal(type_row_relation(array->id), RELATION);
    assert_ptr_equal(type_get(type_row(RELATION)), row);
    assert_null(type_get(TYPE_ROW_BIT));
    assert_null(type_get(0x80000000u | RELATION));
    assert_true(type_is_array(TYPE_RECORD_ARRAY));
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"(1,a,2.50,3)", "(1,a,2.50,3)"},       {" ( 1 ,a b,,) ", "( 1 ,\"a b\",,)"},
        {"(,,,)", "(,,,)"},                     {"(1,\"\",2,3)", "(1,\"\",2,3)"},
        {"(1,\"x\"\"y\\\\z\",2,3)", "(1,\"x\"\"y\\\\z\",2,3)"}, {"(1,\"p,q\"r,2,3)", "(1,\"p,qr\",2,3)"},
        {"", NULL},  {"1", NULL}, {"(1", NULL}, {"(1,2,3)", NULL}, {"(1,a,2,3,4)", NULL},
        {"(1,a,2,3)x", NULL}, {"(x,a,2,3)", NULL}, {"(1,\"a,2,3)", NULL},
    };
    struct arena a;
    arena_init(&a, MEM_TEST);
    struct format_options fmt = format_default;
    fmt.names = &names;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        union value v;
        struct strbuf out;
        strbuf_init(&out, &a);
        enum status st = value_from_text(type_row(RELATION), -1, slice_of(cases[i].in), &fmt, &a, &v);
        assert_int_equal(st, cases[i].out ? OK : INVALID_TEXT_REPRESENTATION);
        if (st != OK) continue;
        value_to_text(type_row(RELATION), &v, &fmt, &out);
        if (i != 1) assert_string_equal(out.data, cases[i].out);
    }
    union value v;
    assert_int_equal(value_from_text(TYPE_RECORD, -1, SLICE("(1)"), &fmt, &a, &v),
                     FEATURE_NOT_SUPPORTED);
    arena_release(&a);
}

static const char *pick(uint64_t r, const char *const *from, int n) { return from[r % (uint64_t)n]; }

/* Equal ones hash alike, keys order as values do, both binary roads lead back. */
static void test_random(void **state)
{
    (void)state;
    static const char *const ints[] = {"-1", "0", "7", NULL}, *const texts[] = {"", "a", "ab", NULL};
    static const char *const numerics[] = {"1", "1.0", "-2e30", NULL},
                      *const floats[] = {"-0", "0", "nan", NULL};
    struct rng r;
    uint64_t seed = 20221122;
    rng_seed(&r, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++) {
        struct arena a;
        union value v[2];
        struct strbuf key[2], wire;
        type_id type = i & 1 ? TYPE_RECORD : type_row(RELATION);
        const struct key_part part = {.type = type, .descending = i & 2};
        arena_init(&a, MEM_TEST);
        for (int k = 0; k < 2; k++) {
            const char *all[] = {pick(rng_u64(&r), ints, 4), pick(rng_u64(&r), texts, 4),
                                 pick(rng_u64(&r), numerics, 4), pick(rng_u64(&r), floats, 4)};
            v[k] = record_of(&a, type, all);
            strbuf_init(&key[k], &a);
            key_encode(&part, (struct datum){.v = v[k]}, &key[k]);
        }
        int order = value_compare(type, &v[0], &v[1]), by_record;
        assert_int_equal(record_compare(&v[0].bytes, &v[1].bytes, &by_record), OK);
        assert_int_equal(sign(by_record), order);
        assert_int_equal(value_compare(type, &v[1], &v[0]), -order);
        assert_int_equal(sign(slice_cmp(strbuf_slice(&key[0]), strbuf_slice(&key[1]))),
                         part.descending ? -order : order);
        if (order == 0) assert_true(value_hash(type, &v[0]) == value_hash(type, &v[1]));
        struct slice s = strbuf_slice(&key[0]);
        struct datum d;
        assert_int_equal(key_decode(&part, &s, &a, &d), OK);
        assert_int_equal(value_compare(type, &d.v, &v[0]), 0);
        strbuf_init(&wire, &a);
        value_to_binary(type, &v[0], &wire);
        assert_int_equal(value_from_binary(type, -1, strbuf_slice(&wire), NULL, &a, &d.v), OK);
        assert_true(value_identical(type, &(struct datum){.v = v[0]}, &d));
        if (type != TYPE_RECORD) {
            assert_int_equal(value_from_binary(type, -1, strbuf_slice(&wire), &names, &a, &d.v), OK);
            assert_true(value_identical(type, &(struct datum){.v = v[0]}, &d));
        }
        for (size_t n = 0; n < wire.len; n++) /* in a block of its own, so that a sanitizer sees overruns */
            assert_int_not_equal(value_from_binary(type, -1,
                                                   slice_make(arena_memdup(&a, wire.data, n), n),
                                                   NULL, &a, &d.v), OK);
        arena_release(&a);
    }
}

static void test_depth(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, MEM_TEST);
    struct datum d = {.v.i32 = 1};
    type_id type = TYPE_INT4;
    enum status st = OK;
    int depth = 0;
    for (; st == OK && depth < 10000; depth++) {
        struct datum outer = {0};
        if (depth % 2 && depth > 1) { /* in turns inside of an array */
            outer.v.bytes = array_make(&a, type, &d, 1);
            type = type_get(type)->array;
            d = outer;
        }
        st = record_make(&a, TYPE_RECORD, &type, &d, 1, &outer.v.bytes);
        d = outer;
        type = TYPE_RECORD;
    }
    assert_int_equal(st, STATEMENT_TOO_COMPLEX);
    assert_int_equal(depth, RECORD_DEPTH_MAX + 1);
    arena_release(&a);
}

static void test_unlike(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, MEM_TEST);
    const struct datum one[] = {{.v.i32 = 1}, {.v.i32 = 2}};
    const type_id ints[] = {TYPE_INT4, TYPE_INT4}, mixed[] = {TYPE_INT4, TYPE_INT8};
    union value x, y, z;
    int order;
    assert_int_equal(record_make(&a, TYPE_RECORD, ints, one, 2, &x.bytes), OK);
    assert_int_equal(record_make(&a, TYPE_RECORD, mixed, one, 2, &y.bytes), OK);
    assert_int_equal(record_make(&a, TYPE_RECORD, ints, one, 1, &z.bytes), OK);
    assert_int_equal(record_compare(&x.bytes, &y.bytes, &order), DATATYPE_MISMATCH);
    assert_int_equal(record_compare(&x.bytes, &z.bytes, &order), DATATYPE_MISMATCH);
    assert_int_not_equal(value_compare(TYPE_RECORD, &x, &y), 0);
    assert_int_equal(value_compare(TYPE_RECORD, &z, &x), -1);
    type_id type;
    struct datum d;
    assert_int_equal(record_field(&y.bytes, 1, &a, &type, &d), OK);
    assert_int_equal(type, TYPE_INT8);
    assert_int_equal(record_field(&y.bytes, 2, &a, &type, &d), OK);
    assert_true(d.null);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),  cmocka_unit_test(test_text),   cmocka_unit_test(test_random),
        cmocka_unit_test(test_depth),  cmocka_unit_test(test_unlike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
