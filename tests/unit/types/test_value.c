#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Text in, text out; NULL out: the SQLSTATE that reading it gives. As PostgreSQL 15 answers. */
static const struct {
    type_id type;
    int32_t typmod;
    const char *in, *out, *sqlstate;
} cases[] = {
    {TYPE_BOOL, -1, " TRUE ", "t", NULL},
    {TYPE_BOOL, -1, "of", "f", NULL},
    {TYPE_BOOL, -1, "o", NULL, "22P02"},
    {TYPE_INT4, -1, " -12 ", "-12", NULL},
    {TYPE_INT4, -1, "2147483648", NULL, "22003"},
    {TYPE_INT4, -1, "1e3", NULL, "22P02"},
    {TYPE_INT8, -1, "-9223372036854775808", "-9223372036854775808", NULL},
    {TYPE_OID, -1, "-1", "4294967295", NULL},
    {TYPE_FLOAT8, -1, "1e15", "1e+15", NULL},
    {TYPE_FLOAT8, -1, "123456789012345", "123456789012345", NULL},
    {TYPE_FLOAT8, -1, "0.00001", "1e-05", NULL},
    {TYPE_FLOAT8, -1, "0.1", "0.1", NULL},
    {TYPE_FLOAT8, -1, "1e23", "9.999999999999999e+22", NULL},
    {TYPE_FLOAT8, -1, "5e-324", "5e-324", NULL},
    {TYPE_FLOAT8, -1, "-0", "-0", NULL},
    {TYPE_FLOAT8, -1, "1e400", NULL, "22003"},
    {TYPE_FLOAT4, -1, "1000000", "1e+06", NULL},
    {TYPE_FLOAT4, -1, "257342200", "2.5734221e+08", NULL},
    {TYPE_BYTEA, -1, "a\\\\\\001", "\\x615c01", NULL},
    {TYPE_BYTEA, -1, "\\x123", NULL, "22023"},
    {TYPE_CHAR1, -1, "\\377", "\\377", NULL},
    {TYPE_TID, -1, "(1,2)", "(1,2)", NULL},
    {TYPE_UUID, -1, "{A0EEBC99-9c0b4ef8-bb6d6bb9-bd380a11}",
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", NULL},
    {TYPE_BIT, 3, "101", "101", NULL},
    {TYPE_BIT, 3, "10", NULL, "22026"},
    {TYPE_VARBIT, -1, "x0123456789", "0000000100100011010001010110011110001001", NULL},
    {TYPE_VARBIT, 4, "10101", NULL, "22001"},
    {TYPE_VARBIT, -1, "", "", NULL},
    {TYPE_INET, -1, "10.1.2.3/8", "10.1.2.3/8", NULL},
    {TYPE_INET, -1, "2001:DB8::0001", "2001:db8::1", NULL},
    {TYPE_INET, -1, "1.2.3", NULL, "22P02"},
    {TYPE_CIDR, -1, "192.168", "192.168.0.0/24", NULL},
    {TYPE_CIDR, -1, "10.0.0.1/8", NULL, "22P02"},
    {TYPE_MACADDR, -1, "0800.2b01.0203", "08:00:2b:01:02:03", NULL},
    {TYPE_MACADDR8, -1, "08002b010203", "08:00:2b:ff:fe:01:02:03", NULL},
    {TYPE_TIMETZ, 1, "04:05:06.789-08:30", "04:05:06.8-08:30", NULL},
    {TYPE_MONEY, -1, "($1,234.565)", "-$1,234.57", NULL},
    {TYPE_XID8, -1, "18446744073709551615", "18446744073709551615", NULL},
    {TYPE_INT4RANGE, -1, "(1,5]", "[2,6)", NULL},
    {TYPE_INT4RANGE, -1, "[3,3)", "empty", NULL},
    {TYPE_INT4RANGE, -1, "[5,1)", NULL, "22000"},
    {TYPE_INT4RANGE, -1, "[1,2147483647]", NULL, "22003"},
    {TYPE_NUMRANGE, -1, "[1.50,)", "[1.50,)", NULL},
    {TYPE_NUMRANGE, -1, "[1.50", NULL, "22P02"},
    {TYPE_TSRANGE, -1, "[2024-01-01,]", "[\"2024-01-01 00:00:00\",)", NULL},
    {TYPE_INT4MULTIRANGE, -1, "{[7,9],empty,[1,5),[4,6)}", "{[1,6),[7,10)}", NULL},
    {TYPE_NUMMULTIRANGE, -1, "{}", "{}", NULL},
    {TYPE_NUMMULTIRANGE, -1, "{[1,2]", NULL, "22P02"},
    {TYPE_PG_LSN, -1, "ffffffff/A", "FFFFFFFF/A", NULL},
    {TYPE_VARCHAR, 7, "abc  ", "abc", NULL},
    {TYPE_VARCHAR, 7, "abcd", NULL, "22001"},
    {TYPE_BPCHAR, 7, "\xc3\xa9", "\xc3\xa9  ", NULL},
    {TYPE_INT4_ARRAY, -1, "[2:3]={1,NULL}", "[2:3]={1,NULL}", NULL},
    {TYPE_INT4_ARRAY, -1, "{{1,2},{3,4}}", "{{1,2},{3,4}}", NULL},
    {TYPE_INT4_ARRAY, -1, "{{1,2},{3}}", NULL, "22P02"},
    {TYPE_INT4_ARRAY, -1, "{1,x}", NULL, "22P02"},
    {TYPE_TEXT_ARRAY, -1, "{a b , c\\,d,\"e\\\"f\", null, \"NULL\", \"\" }",
     "{\"a b\",\"c,d\",\"e\\\"f\",NULL,\"NULL\",\"\"}", NULL},
    {TYPE_INT2VECTOR, -1, " 1 2  3", "1 2 3", NULL},
    {TYPE_NUMERIC_ARRAY, -1, "{1.50,123456789012345678901234567890.5}",
     "{1.50,123456789012345678901234567890.5}", NULL},
};

/* Each value also goes over the wire in binary and is copied. */
static void text_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a;
        struct strbuf text, wire;
        union value v, w;
        type_id t = cases[i].type;
        arena_init(&a, MEM_TEST);
        strbuf_init(&text, &a);
        strbuf_init(&wire, &a);
        enum status s = value_from_text(t, cases[i].typmod, slice_of(cases[i].in),
                                        &format_default, &a, &v);
        if (cases[i].sqlstate) {
            assert_string_equal(status_sqlstate(s), cases[i].sqlstate);
        } else {
            assert_int_equal(s, OK);
            value_to_text(t, &v, &format_default, &text);
            assert_string_equal(text.data, cases[i].out);
            value_to_binary(t, &v, &wire);
            assert_int_equal(value_from_binary(t, cases[i].typmod, strbuf_slice(&wire), NULL, &a, &w),
                             OK);
            assert_int_equal(value_compare(t, &v, &w), 0);
            assert_true(value_hash(t, &v) == value_hash(t, &w));
            w = value_copy(&a, t, v);
            assert_int_equal(value_compare(t, &v, &w), 0);
        }
        arena_release(&a);
    }
}

static void ordering(void **state)
{
    (void)state;
    struct bytes a = bytes_ref("ab", 2), b = bytes_ref("ab\0", 3), c = bytes_ref("b", 1);
    union value x = {.bytes = bytes_ref("ab ", 3)}, y = {.bytes = a};
    assert_int_equal(bytes_cmp(&a, &b), -1);
    assert_int_equal(bytes_cmp(&c, &b), 1);
    assert_int_equal(value_compare(TYPE_BPCHAR, &x, &y), 0);
    assert_true(value_hash(TYPE_BPCHAR, &x) == value_hash(TYPE_BPCHAR, &y));
    assert_int_equal(value_compare(TYPE_TEXT, &x, &y), 1);
    x.f64 = __builtin_nan("");
    y.f64 = __builtin_inf();
    assert_int_equal(value_compare(TYPE_FLOAT8, &x, &y), 1);
    x.i16 = -5;
    uint64_t h = value_hash(TYPE_INT2, &x);
    x.i64 = -5;
    assert_true(h == value_hash(TYPE_INT8, &x));
}

static void binary_errors(void **state)
{
    (void)state;
    struct arena a;
    union value v;
    arena_init(&a, MEM_TEST);
    assert_int_equal(value_from_binary(TYPE_INT4, -1, SLICE("abc"), NULL, &a, &v), PROTOCOL_VIOLATION);
    assert_int_equal(value_from_binary(TYPE_INT4, -1, SLICE("abcde"), NULL, &a, &v),
                     INVALID_BINARY_REPRESENTATION);
    assert_int_equal(value_from_binary(TYPE_TEXT, -1, SLICE("\xc0\x80"), NULL, &a, &v),
                     CHARACTER_NOT_IN_REPERTOIRE);
    assert_int_equal(value_from_binary(TYPE_INT4_ARRAY, -1,
                                       SLICE("\0\0\0\1\0\0\0\0\0\0\0\x17\x7f\0\0\0\0\0\0\1"), NULL, &a,
                                       &v), PROTOCOL_VIOLATION);
    arena_release(&a);
}

static void typmods(void **state)
{
    (void)state;
    struct strbuf b;
    int32_t mods[2] = {10, -2}, typmod;
    strbuf_init(&b, NULL);
    assert_int_equal(type_make_typmod(TYPE_NUMERIC, mods, 2, &typmod), OK);
    type_format(TYPE_NUMERIC, typmod, &b);
    assert_string_equal(b.data, "numeric(10,-2)");
    strbuf_clear(&b);
    type_format(TYPE_BPCHAR_ARRAY, 14, &b);
    assert_string_equal(b.data, "character(10)[]");
    assert_int_equal(type_make_typmod(TYPE_INT4, mods, 1, &typmod), SYNTAX_ERROR);
    assert_ptr_equal(type_by_name(SLICE("_int4")), type_get(TYPE_INT4_ARRAY));
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_forms),
        cmocka_unit_test(ordering),
        cmocka_unit_test(binary_errors),
        cmocka_unit_test(typmods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
