/* Parquet: the encodings, against encoders of this test (files of DuckDB and damaged ones are in
 * tests/copy, and tests/fuzz), and rows that are written and read again. The seed is printed:
 * PARQUET_SEED gives it again. */
#include "formats/parquet/write_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/os_memory.h"
#include "base/random.h"
#include "types/numeric.h"

static struct rng rng;
static struct arena arena;

static void put_varint(struct strbuf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) strbuf_addc(b, (char)(v | 0x80));
    strbuf_addc(b, (char)v);
}

static uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }

/* --- runs ----------------------------------------------------------------------------------- */

static void test_hybrid(void **state)
{
    enum { COUNT = 5000 };
    static uint32_t in[COUNT], out[COUNT];
    (void)state;
    for (unsigned width = 0; width <= 32; width++) {
        struct strbuf b;
        struct hybrid h;
        uint32_t count = 1 + (uint32_t)rng_below(&rng, COUNT), run = 0, v = 0;
        strbuf_init(&b, NULL);
        for (uint32_t i = 0; i < count; i++, run--) {
            if (run == 0) {
                run = 1 + (uint32_t)rng_below(&rng, rng_below(&rng, 3) ? 3 : 60);
                v = width == 0 ? 0 : (uint32_t)rng_u64(&rng) >> (32 - width);
            }
            in[i] = v;
        }
        parquet__hybrid_write(&b, in, count, width);
        parquet__hybrid_init(&h, strbuf_slice(&b), width);
        for (uint32_t at = 0, n; at < count; at += n) {
            n = 1 + (uint32_t)rng_below(&rng, count - at);
            assert_true(parquet__hybrid_next(&h, out + at, n));
        }
        assert_memory_equal(in, out, count * sizeof *in);
        /* Cut off: never a value more than the bytes hold. */
        parquet__hybrid_init(&h, slice_make(b.data, b.len / 2), width);
        if (width > 0 && count > 16) assert_false(parquet__hybrid_next(&h, out, count));
        strbuf_release(&b);
    }
}

static void test_endless_run(void **state)
{
    static uint32_t out[2048];
    struct hybrid h;
    (void)state;
    parquet__hybrid_init(&h, SLICE("\xfe\xff\xff\xff\x0f\x07"), 3);
    for (int i = 0; i < 100; i++) assert_true(parquet__hybrid_next(&h, out, 2048));
    assert_int_equal(out[2047], 7);
}

/* --- deltas --------------------------------------------------------------------------------- */

static void encode_delta(struct strbuf *b, const int64_t *v, uint32_t count)
{
    enum { BLOCK = 128, MINIS = 4, MINI = BLOCK / MINIS };
    put_varint(b, BLOCK);
    put_varint(b, MINIS);
    put_varint(b, count);
    put_varint(b, count ? zigzag(v[0]) : 0);
    for (uint32_t at = 1; at < count; at += BLOCK) {
        uint32_t n = count - at < BLOCK ? count - at : BLOCK;
        int64_t delta[BLOCK] = {0}, min = INT64_MAX;
        for (uint32_t i = 0; i < n; i++) {
            delta[i] = (int64_t)((uint64_t)v[at + i] - (uint64_t)v[at + i - 1]);
            if (delta[i] < min) min = delta[i];
        }
        put_varint(b, zigzag(min));
        size_t widths = b->len;
        strbuf_add(b, "\0\0\0\0", MINIS);
        for (uint32_t m = 0; m * MINI < n; m++) {
            unsigned width = 0;
            unsigned __int128 bits = 0;
            unsigned held = 0;
            for (uint32_t i = m * MINI; i < (m + 1) * MINI; i++) {
                uint64_t d = i < n ? (uint64_t)delta[i] - (uint64_t)min : 0;
                if (d && 64 - (unsigned)__builtin_clzll(d) > width)
                    width = 64 - (unsigned)__builtin_clzll(d);
            }
            b->data[widths + m] = (char)width;
            for (uint32_t i = m * MINI; i < (m + 1) * MINI; i++) {
                uint64_t d = i < n ? (uint64_t)delta[i] - (uint64_t)min : 0;
                bits |= (unsigned __int128)d << held;
                for (held += width; held >= 8; held -= 8, bits >>= 8) strbuf_addc(b, (char)bits);
            }
        }
    }
}

static void test_delta(void **state)
{
    enum { COUNT = 1000 };
    static int64_t in[COUNT], out[COUNT];
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct strbuf b;
        struct delta d;
        uint32_t count = (uint32_t)rng_below(&rng, COUNT);
        unsigned shift = (unsigned)rng_below(&rng, 64);
        strbuf_init(&b, NULL);
        for (uint32_t i = 0; i < count; i++)
            in[i] = round % 5 == 0 ? (rng_u64(&rng) & 1 ? INT64_MIN : INT64_MAX)
                                   : (int64_t)rng_u64(&rng) >> shift;
        encode_delta(&b, in, count);
        size_t len = b.len;
        strbuf_adds(&b, "what follows");
        assert_true(parquet__delta_init(&d, strbuf_slice(&b)));
        assert_ptr_equal(parquet__delta_end(&d), (const uint8_t *)b.data + len);
        assert_true(parquet__delta_init(&d, slice_make(b.data, len)));
        for (uint32_t at = 0, n; at < count; at += n) {
            n = 1 + (uint32_t)rng_below(&rng, count - at);
            assert_true(parquet__delta_next(&d, out + at, n));
        }
        assert_memory_equal(in, out, count * sizeof *in);
        assert_false(parquet__delta_next(&d, out, 1));
        strbuf_release(&b);
    }
}

/* --- strings -------------------------------------------------------------------------------- */

static struct leaf leaf_of(int32_t physical, int32_t width)
{
    return (struct leaf){.name = "c", .physical = physical, .width = width};
}

/* Sorted strings with shared beginnings, as DELTA_BYTE_ARRAY and DELTA_LENGTH_BYTE_ARRAY. */
static void test_strings(void **state)
{
    enum { COUNT = 700 };
    static char texts[COUNT][40];
    static int64_t prefixes[COUNT], lengths[COUNT], wholes[COUNT];
    struct slice got[COUNT];
    struct leaf l = leaf_of(PHYSICAL_BYTE_ARRAY, 0);
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct strbuf b, rest;
        struct values v = {0};
        strbuf_init(&b, NULL);
        strbuf_init(&rest, NULL);
        strbuf_init(&v.last, NULL);
        for (int i = 0; i < COUNT; i++) {
            snprintf(texts[i], sizeof texts[i], "%.*s%d", (int)rng_below(&rng, 20),
                     "a common beginning of all", i);
            int same = 0;
            while (i > 0 && texts[i][same] && texts[i][same] == texts[i - 1][same]) same++;
            prefixes[i] = same;
            wholes[i] = (int64_t)strlen(texts[i]);
            lengths[i] = wholes[i] - same;
            strbuf_adds(&rest, texts[i] + (which ? same : 0));
        }
        if (which) encode_delta(&b, prefixes, COUNT);
        encode_delta(&b, which ? lengths : wholes, COUNT);
        strbuf_add(&b, rest.data, rest.len);
        assert_int_equal(parquet__values_init(&v, &l,
                                              which ? ENCODING_DELTA_BYTES : ENCODING_DELTA_LENGTH,
                                              strbuf_slice(&b)),
                         OK);
        for (uint32_t at = 0, n; at < COUNT; at += n) {
            n = 1 + (uint32_t)rng_below(&rng, COUNT - at);
            assert_int_equal(parquet__values_strings(&v, got + at, n, &arena), OK);
        }
        for (int i = 0; i < COUNT; i++) assert_true(slice_eq(got[i], slice_of(texts[i])));
        assert_int_equal(parquet__values_strings(&v, got, 1, &arena), BAD_COPY_FILE_FORMAT);
        strbuf_release(&v.last);
        strbuf_release(&rest);
        strbuf_release(&b);
    }
}

static void test_split(void **state)
{
    char page[5 * 3], got[5 * 3];
    struct leaf l = leaf_of(PHYSICAL_FIXED, 3);
    struct values v = {0};
    (void)state;
    strbuf_init(&v.last, NULL);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) page[k * 5 + i] = (char)(i * 10 + k);
    assert_int_equal(
        parquet__values_init(&v, &l, ENCODING_BYTE_STREAM_SPLIT, slice_make(page, sizeof page)),
        OK);
    assert_int_equal(parquet__values_fixed(&v, got, 2), OK);
    assert_int_equal(parquet__values_fixed(&v, got + 6, 3), OK);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) assert_int_equal(got[i * 3 + k], i * 10 + k);
    assert_int_equal(parquet__values_fixed(&v, got, 1), BAD_COPY_FILE_FORMAT);
    assert_int_equal(parquet__values_init(&v, &l, ENCODING_BYTE_STREAM_SPLIT, slice_make(page, 14)),
                     BAD_COPY_FILE_FORMAT);
    strbuf_release(&v.last);
}

static void test_snappy(void **state)
{
    char out[32];
    (void)state;
    /* "ab", then 8 bytes from two back, then "c". */
    assert_true(parquet__snappy(SLICE("\x0b\x04" "ab" "\x11\x02" "\x00" "c"), out, 11));
    assert_memory_equal(out, "ababababab" "c", 11);
    /* A copy with two bytes of offset. */
    assert_true(parquet__snappy(SLICE("\x08\x0c" "wxyz" "\x0e\x04\x00"), out, 8));
    assert_memory_equal(out, "wxyzwxyz", 8);
    assert_false(parquet__snappy(SLICE("\x08\x0c"
                                       "wxyz"
                                       "\x0e\x05\x00"),
                                 out, 8)); /* before the beginning */
    assert_false(parquet__snappy(SLICE("\x08\x0c"
                                       "wxyz"
                                       "\x0e\x00\x00"),
                                 out, 8)); /* onto itself */
    assert_false(parquet__snappy(SLICE("\x07\x0c"
                                       "wxyz"
                                       "\x0e\x04\x00"),
                                 out, 7)); /* beyond the end */
    assert_false(parquet__snappy(SLICE("\x09\x0c" "wxyz" "\x0e\x04\x00"), out, 9)); /* too little */
    assert_false(parquet__snappy(SLICE("\x08\xf4\xff\xff"), out, 8));               /* cut off */
    assert_false(parquet__snappy(SLICE("\xff\xff\xff\xff\xff\xff"), out, 8));
}

/* --- meanings ------------------------------------------------------------------------------- */

static void check_numeric(const struct leaf *l, const void *bytes, const char *want)
{
    struct numeric n;
    struct strbuf text;
    strbuf_init(&text, NULL);
    assert_int_equal(parquet__convert_fixed(l, TYPE_NUMERIC, bytes, 1, &n, &arena), OK);
    numeric_to_text(&n, &text);
    assert_string_equal(text.data, want);
    strbuf_release(&text);
}

static void test_decimals(void **state)
{
    struct leaf l = leaf_of(PHYSICAL_FIXED, 32);
    uint8_t b[32];
    (void)state;
    l.logical = LOGICAL_DECIMAL;
    l.precision = 76;
    memset(b, 0, sizeof b);
    b[15] = 1; /* 2^128 */
    check_numeric(&l, b, "340282366920938463463374607431768211456");
    l.scale = 39;
    check_numeric(&l, b, "0.340282366920938463463374607431768211456");
    l.scale = 45;
    check_numeric(&l, b, "0.000000340282366920938463463374607431768211456");
    memset(b, 0xff, sizeof b); /* -1 */
    check_numeric(&l, b, "-0.000000000000000000000000000000000000000000001");
    b[15] = 0xfe; /* -(2^128) - 1 */
    l.scale = 1;
    check_numeric(&l, b, "-34028236692093846346337460743176821145.7");
    l.width = 9;
    l.scale = 2;
    check_numeric(&l, "\x00\x80\x00\x00\x00\x00\x00\x00\x00", "92233720368547758.08");
    check_numeric(&l, "\xff\x7f\xff\xff\xff\xff\xff\xff\xff", "-92233720368547758.09");
    check_numeric(&l, "\xff\xff\xff\xff\xff\xff\xff\xff\x85", "-1.23");
}

static void test_floats_and_times(void **state)
{
    struct leaf half = leaf_of(PHYSICAL_FIXED, 2), wide = leaf_of(PHYSICAL_INT96, 0);
    static const uint16_t halves[] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x8000, 0x3555};
    static const float want[] = {1, -2, 65504, 5.9604645e-8f, __builtin_inff(), -0.0f, 0.33325195f};
    float floats[7];
    int64_t us;
    struct { int64_t nanos; int32_t day; } __attribute__((packed)) when = {1500, 2440588};
    (void)state;
    assert_int_equal(
        parquet__convert_fixed(&half, TYPE_FLOAT4, (const char *)halves, 7, floats, &arena), OK);
    assert_memory_equal(floats, want, sizeof want);
    assert_int_equal(
        parquet__convert_fixed(&wide, TYPE_TIMESTAMP, (const char *)&when, 1, &us, &arena), OK);
    assert_int_equal(us, -946684800000000 + 1);
    when.nanos = -1;
    assert_int_equal(
        parquet__convert_fixed(&wide, TYPE_TIMESTAMP, (const char *)&when, 1, &us, &arena),
        DATETIME_FIELD_OVERFLOW);
}

/* --- files ---------------------------------------------------------------------------------- */

enum { COLUMNS = 13 };
static const type_id types[COLUMNS] = {
    TYPE_BOOL,  TYPE_INT2, TYPE_INT4, TYPE_INT8,        TYPE_FLOAT4,  TYPE_FLOAT8, TYPE_TEXT,
    TYPE_BYTEA, TYPE_UUID, TYPE_DATE, TYPE_TIMESTAMPTZ, TYPE_NUMERIC, TYPE_NUMERIC};
static const int32_t typmods[COLUMNS] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, ((15 << 16) | 2) + 4, ((38 << 16) | 10) + 4};

/* A value of the row and column, the same whenever it is asked for; few different ones in `few`. */
static struct datum value_of(uint32_t row, uint32_t column, bool few)
{
    struct rng r;
    struct datum d = {.null = false};
    char text[64];
    rng_seed(&r, (few ? row % 13 : row) * 31u + column);
    uint64_t n = rng_u64(&r);
    if (column % 3 && n % 7 == 0) return (struct datum){.null = true};
    switch (types[column]) {
    case TYPE_BOOL: d.v.b = n & 1; break;
    case TYPE_FLOAT4: d.v.f32 = (float)(int32_t)n / 8; break;
    case TYPE_FLOAT8: d.v.f64 = (double)(int32_t)n / 1024; break;
    case TYPE_TEXT:
    case TYPE_BYTEA:
        snprintf(text, sizeof text, "%.*s%d", (int)(n % 30), "something that takes its place",
                 (int)(n >> 40));
        d.v.bytes = bytes_from_slice(&arena, slice_of(text));
        break;
    case TYPE_UUID: memcpy(d.v.uuid, &n, 8), memcpy(d.v.uuid + 8, &n, 8); break;
    case TYPE_DATE: d.v.i32 = (int32_t)(n % 100000) - 50000; break;
    case TYPE_NUMERIC:
        snprintf(text, sizeof text, column == 11 ? "%lld.%02d" : "-%lld1234567890.%010d",
                 (long long)(n >> 30), (int)(n % 100));
        assert_int_equal(numeric_from_text(slice_of(text), typmods[column], &arena, &d.v.numeric),
                         OK);
        break;
    default: d.v.i64 = (int64_t)n >> 12;
    }
    if (types[column] == TYPE_INT2) d.v.i64 = (int16_t)n;
    if (types[column] == TYPE_INT4) d.v.i64 = (int32_t)n;
    return d;
}

static enum status append(void *ctx, const char *data, size_t len)
{
    strbuf_add(ctx, data, len);
    return OK;
}

static void write_file(struct strbuf *out, uint32_t rows, bool few)
{
    struct parquet_column columns[COLUMNS];
    struct datum row[COLUMNS];
    const struct parquet_sink sink = {append, out};
    for (uint32_t k = 0; k < COLUMNS; k++)
        columns[k] = (struct parquet_column){
            .name = "c", .type = types[k], .typmod = typmods[k], .required = k % 3 == 0};
    struct parquet_writer *w = parquet_writer_new(columns, COLUMNS, &format_default, &sink);
    for (uint32_t i = 0; i < rows; i++) {
        struct arena_mark mark = arena_mark(&arena);
        for (uint32_t k = 0; k < COLUMNS; k++) row[k] = value_of(i, k, few);
        assert_int_equal(parquet_write(w, row), OK);
        arena_rewind(&arena, mark);
    }
    assert_int_equal(parquet_finish(w), OK);
    parquet_writer_free(w);
}

static enum status read_file(struct file *f, uint64_t bytes, uint64_t memory, uint32_t rows,
                             bool few)
{
    struct parquet_reader *r = NULL;
    struct vec v[COLUMNS];
    uint32_t wanted[COLUMNS], n, at = 0;
    struct arena values;
    arena_init(&values, MEM_TEST);
    enum status result = parquet_open(f, bytes, memory, &r);
    for (uint32_t k = 0; k < COLUMNS; k++) wanted[k] = k, vec_init_flat(&v[k], types[k], &arena);
    if (result == OK) result = parquet_select(r, wanted, COLUMNS);
    while (result == OK) {
        for (uint32_t k = 0; k < COLUMNS; k++) memset(v[k].nulls, 0, NULL_WORDS * 8);
        arena_clear(&values);
        result = parquet_next(r, v, 1 + (uint32_t)rng_below(&rng, BATCH_ROWS), &values, &n);
        if (result != OK || n == 0) break;
        for (uint32_t i = 0; i < n; i++, at++) {
            struct arena_mark mark = arena_mark(&arena);
            for (uint32_t k = 0; k < COLUMNS; k++) {
                struct datum got = vec_get(&v[k], i), want = value_of(at, k, few);
                if (!value_identical(types[k], &got, &want))
                    fail_msg("row %u, column %u differ", at, k);
            }
            arena_rewind(&arena, mark);
        }
    }
    if (result == OK) assert_int_equal(at, rows);
    parquet_close(r);
    arena_release(&values);
    return result;
}

static void round_trip(uint32_t rows, bool few, uint64_t memory, enum status want)
{
    struct os *os = os_memory_new();
    struct strbuf out;
    struct file *f;
    strbuf_init(&out, NULL);
    write_file(&out, rows, few);
    assert_int_equal(os_open(os, "/f", OPEN_CREATE, &f), OK);
    assert_int_equal(file_write(f, out.data, out.len, 0), OK);
    assert_int_equal(read_file(f, out.len, memory, rows, few), want);
    file_close(f);
    os_memory_free(os);
    strbuf_release(&out);
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip(0, false, 1 << 20, OK);
    round_trip(1, false, 1 << 20, OK);
    round_trip(4000, true, 4 << 20, OK);
    round_trip(9000, false, 16 << 20, OK);
    round_trip(GROUP_ROWS + 1000, true, 16 << 20, OK);
}

static void test_memory_limit(void **state)
{
    (void)state;
    round_trip(9000, false, 200 << 10, PROGRAM_LIMIT_EXCEEDED);
    round_trip(10, false, 100, PROGRAM_LIMIT_EXCEEDED);
}

int main(void)
{
    const char *given = getenv("PARQUET_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 0;
    if (!given) os_random(os_real(), &seed, sizeof seed);
    printf("seed %llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    arena_init(&arena, MEM_TEST);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hybrid),     cmocka_unit_test(test_endless_run),
        cmocka_unit_test(test_delta),      cmocka_unit_test(test_strings),
        cmocka_unit_test(test_split),      cmocka_unit_test(test_snappy),
        cmocka_unit_test(test_decimals),   cmocka_unit_test(test_floats_and_times),
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_memory_limit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
