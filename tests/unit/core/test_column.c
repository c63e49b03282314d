/* Blocks of columns against plain arrays of values: every type, several distributions, NULLs in
 * every form, each encoding forced in turn; read whole and by selection, tested with every
 * operator, on each level of the processor. What is read must be alike to the last bit of a
 * float and digit of a numeric. */
#include "core/column/column.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/column/column_priv.h"
#include "types/numeric.h"

enum { BLOCKS_MAX = 3, VALUES_MAX = BLOCKS_MAX * COLUMN_BLOCK_ROWS };

static struct rng rng;

static int set_seed(void **state)
{
    (void)state;
    const char *s = getenv("SEED");
    uint64_t seed = s ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
    rng_seed(&rng, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    return 0;
}

static uint64_t below(uint64_t n) { return rng_below(&rng, n); }

/* --- values ----------------------------------------------------------------------------------- */

static const type_id types[] = {
    TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_OID, TYPE_DATE, TYPE_TIMESTAMP, TYPE_FLOAT4,
    TYPE_FLOAT8, TYPE_NUMERIC, TYPE_TEXT, TYPE_VARCHAR, TYPE_BPCHAR, TYPE_BYTEA, TYPE_INTERVAL,
    TYPE_UUID};
enum { TYPES = sizeof types / sizeof *types };

/* How values vary, and where NULLs are. */
enum shape { ONE, FEW, MANY, RISING, RUNS, WILD, SHAPES };
enum nulls { NO_NULLS, SOME_NULLS, HALF_NULLS, RUN_NULLS, ALL_NULLS, NULL_SHAPES };

static int64_t number(enum shape shape, uint32_t i)
{
    switch (shape) {
    case ONE: return 42;
    case FEW: return (int64_t)below(12) * 1000003;
    case MANY: return (int64_t)below(1000000) - 500000;
    case RISING: return (int64_t)i * 10 + (int64_t)below(10);
    case RUNS: return i / 100 % 7 * 100000;
    default: return (int64_t)(rng_u64(&rng) >> below(64));
    }
}

static double real_of(enum shape shape, int64_t n)
{
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, 5e-324, 1e308, NAN, -1e-10};
    if (shape == MANY && below(50) == 0) return odd[below(8)];
    if (shape == WILD) return ldexp(rng_double(&rng) - 0.5, (int)below(100) - 50);
    return (double)n / 100;
}

static struct numeric numeric_of(enum shape shape, int64_t n, struct arena *a)
{
    if (shape != WILD && !(shape == MANY && below(200) == 0))
        return numeric_small(n, shape == RUNS ? (uint16_t)(n / 100000 % 3) : 2);
    static const char *const odd[] = {
        "NaN", "Infinity", "-Infinity", "123456789012345678901234567890.123",
        "0.00000000000000000001",
        "-99999999999999999999", "0", "0.0000", "-1.50", "1.5", "999999999999999999", "7e-40",
        "-0.005", "120000.365", "-0.001", "24000.0"};
    struct numeric x;
    assert_int_equal(numeric_from_text(slice_of(odd[below(16)]), -1, a, &x), OK);
    return x;
}

static struct bytes text_of(type_id type, enum shape shape, int64_t n, struct arena *a)
{
    static const char *const some[] = {
        "", "a", "ab", "abc", "abd", "a longer one than fits inside",
        "a longer one than fits outside", "b", "ba", "zz", "\xc3\xa4", "abcd"};
    char buf[600];
    int len;
    if (shape == ONE) return bytes_copy(a, "the one and only value", 22);
    if (shape == FEW || shape == RUNS) {
        struct slice s = slice_of(some[(uint64_t)n / 1000003 % 12]);
        return bytes_from_slice(a, type == TYPE_BPCHAR ? slice_of(some[(uint64_t)n % 5]) : s);
    }
    if (shape == WILD) {
        len = (int)below(below(20) ? 40 : 500);
        for (int i = 0; i < len; i++) buf[i] = (char)rng_u64(&rng);
        if (type != TYPE_BYTEA)
            for (int i = 0; i < len; i++) buf[i] = (char)(' ' + (buf[i] & 63));
    } else {
        len = snprintf(buf, sizeof buf, "http://example.com/%s/%lld", some[(uint64_t)n % 12],
                       (long long)n);
    }
    return bytes_copy(a, buf, (uint32_t)len);
}

static struct datum value_of(type_id type, enum shape shape, uint32_t i, struct arena *a)
{
    struct datum d = {.null = false};
    int64_t n = number(shape, i);
    switch (type_rep(type)) {
    case REP_BOOL: d.v.b = n & 1; break;
    case REP_I16: d.v.i16 = (int16_t)n; break;
    case REP_I32: d.v.i32 = (int32_t)n; break;
    case REP_U32: d.v.u32 = (uint32_t)n; break;
    case REP_I64: d.v.i64 = n; break;
    case REP_F32: d.v.f32 = (float)real_of(shape, n); break;
    case REP_F64: d.v.f64 = real_of(shape, n); break;
    case REP_NUMERIC: d.v.numeric = numeric_of(shape, n, a); break;
    case REP_BYTES: d.v.bytes = text_of(type, shape, n, a); break;
    case REP_INTERVAL:
        d.v.interval = (struct interval){n, (int32_t)n / 3, (int32_t)below(3)};
        break;
    default:
        memset(d.v.uuid, 0, 16);
        memcpy(d.v.uuid, &n, 8);
        memcpy(d.v.uuid + 8, &n, 8);
    }
    return d;
}

struct model {
    struct arena arena;
    type_id type;
    uint32_t blocks, rows[BLOCKS_MAX];
    struct datum *values[BLOCKS_MAX];
    struct vec vecs[BLOCKS_MAX];
};

static void make_model(struct model *m, type_id type, enum shape shape, enum nulls nulls)
{
    arena_init(&m->arena, MEM_TEST);
    m->type = type;
    m->blocks = 1 + (uint32_t)below(BLOCKS_MAX);
    for (uint32_t k = 0, all = 0; k < m->blocks; k++) {
        uint32_t n = below(2) ? COLUMN_BLOCK_ROWS : 1 + (uint32_t)below(COLUMN_BLOCK_ROWS);
        m->rows[k] = n;
        m->values[k] = ARENA_ARRAY(&m->arena, struct datum, n);
        vec_init_flat(&m->vecs[k], type, &m->arena);
        for (uint32_t i = 0; i < n; i++, all++) {
            bool null = nulls == ALL_NULLS || (nulls == SOME_NULLS && below(100) == 0) ||
                        (nulls == HALF_NULLS && below(2)) || (nulls == RUN_NULLS && all / 300 % 2);
            m->values[k][i] = value_of(type, shape, all, &m->arena);
            if (null) m->values[k][i] = (struct datum){.null = true};
            vec_set(&m->vecs[k], i, m->values[k][i]);
        }
    }
}

/* --- checks ----------------------------------------------------------------------------------- */

static bool alike(type_id type, const struct datum *a, const struct datum *b)
{
    if (a->null || b->null) return a->null == b->null;
    if (type == TYPE_FLOAT8) return !memcmp(&a->v, &b->v, 8);
    if (type == TYPE_FLOAT4) return !memcmp(&a->v, &b->v, 4);
    if (type_rep(type) == REP_BYTES)
        return slice_eq(bytes_slice(&a->v.bytes), bytes_slice(&b->v.bytes));
    if (type == TYPE_INTERVAL) return !memcmp(&a->v, &b->v, 16);
    return value_identical(type, a, b);
}

static void check_read(const struct column_block *b, const struct datum *values, uint32_t n)
{
    uint16_t sel[COLUMN_BLOCK_ROWS];
    struct arena a;
    struct vec v;
    arena_init(&a, MEM_TEST);
    for (int how = 0; how < 6; how++) {
        uint32_t count = 0, every = how < 2 ? 1 : how < 4 ? 70 : 3;
        for (uint32_t i = 0; i < n; i++)
            if (below(every) == 0) sel[count++] = (uint16_t)i;
        assert_int_equal(column_read(b, every > 1 ? sel : NULL, count, how % 2, &a, &v), OK);
        if (how % 2) assert_int_equal(v.form, VEC_FLAT);
        for (uint32_t k = 0; k < count; k++) {
            struct datum d = vec_get(&v, sel[k]);
            assert_true(alike(b->type, &d, &values[sel[k]]));
        }
    }
    arena_release(&a);
}

static bool passes(type_id type, const struct datum *d, const struct column_test *t)
{
    const struct datum *c = t->values;
    if (t->op == COLUMN_IS_NULL) return d->null;
    if (t->op == COLUMN_IS_NOT_NULL) return !d->null;
    if (d->null) return false;
    if (t->op == COLUMN_IN) {
        for (uint32_t k = 0; k < t->count; k++)
            if (!c[k].null && !value_compare(type, &d->v, &c[k].v)) return true;
        return false;
    }
    for (uint32_t k = 0; k < t->count; k++)
        if (c[k].null) return false;
    int order = t->op == COLUMN_PREFIX ? 0 : value_compare(type, &d->v, &c[0].v);
    switch (t->op) {
    case COLUMN_EQ: return order == 0;
    case COLUMN_NE: return order != 0;
    case COLUMN_LT: return order < 0;
    case COLUMN_LE: return order <= 0;
    case COLUMN_GT: return order > 0;
    case COLUMN_GE: return order >= 0;
    case COLUMN_BETWEEN: return order >= 0 && value_compare(type, &d->v, &c[1].v) <= 0;
    default: return slice_starts(bytes_slice(&d->v.bytes), bytes_slice(&c[0].v.bytes));
    }
}

static void check_test(const struct column_block *b, const struct datum *values, uint32_t n,
                       struct arena *a)
{
    struct datum constants[24];
    uint64_t mask[COLUMN_MASK_WORDS];
    for (int op = COLUMN_EQ; op <= COLUMN_IS_NOT_NULL; op++) {
        if (!column_can_test(b->type, (enum column_op)op)) continue;
        uint32_t count = op >= COLUMN_IS_NULL ? 0 : op == COLUMN_IN ? (uint32_t)below(24)
                         : op == COLUMN_BETWEEN ? 2 : 1;
        for (uint32_t k = 0; k < count; k++) {
            constants[k] = values[below(n)];
            if (below(3) == 0) constants[k] = value_of(b->type, (enum shape)below(SHAPES), 7, a);
            if (op == COLUMN_PREFIX && !constants[k].null) {
                struct slice s = bytes_slice(&constants[k].v.bytes);
                constants[k].v.bytes = bytes_copy(a, s.data, (uint32_t)below(s.len + 1));
            }
            if (below(40) == 0) constants[k].null = true;
        }
        struct column_test t = {(enum column_op)op, count, constants};
        assert_int_equal(column_test(b, &t, mask), OK);
        for (uint32_t i = 0; i < COLUMN_BLOCK_ROWS; i++)
            assert_int_equal(mask__get(mask, i), i < n && passes(b->type, &values[i], &t));
        uint16_t sel[COLUMN_BLOCK_ROWS];
        uint32_t found = column_select(mask, sel);
        assert_int_equal(found, mask__count(mask));
        for (uint32_t i = 0; i < found; i++) assert_true(mask__get(mask, sel[i]));
    }
}

static void check_blocks(const struct model *m, const struct column_shared *shared,
                         const struct strbuf *out)
{
    char *raw = mem_alloc_aligned(MEM_TEST, 64, out->len);
    size_t at = 0;
    memcpy(raw, out->data, out->len);
    for (uint32_t k = 0; k < m->blocks; k++) {
        struct arena a;
        struct column_block *b;
        arena_init(&a, MEM_TEST);
        struct slice rest = {raw + at, out->len - at};
        assert_int_equal(column_open(m->type, rest, shared, &a, &b), OK);
        assert_int_equal(column_rows(b), m->rows[k]);
        uint32_t nulls = 0;
        for (uint32_t i = 0; i < m->rows[k]; i++) nulls += m->values[k][i].null;
        assert_int_equal(column_null_count(b), nulls);
        for (int l = 0; l <= (int)lanes__best_level(); l++) {
            lanes__set_level((enum simd_level)l);
            check_read(b, m->values[k], m->rows[k]);
            check_test(b, m->values[k], m->rows[k], &a);
        }
        at += column_bytes(b);
        arena_release(&a);
    }
    assert_int_equal(at, out->len);
    mem_free(MEM_TEST, raw);
}

static void check_model(const struct model *m, const struct column_options *o)
{
    struct column_shared *learnt, *loaded = NULL;
    struct column_hint hint = {{0}};
    struct strbuf out, common;
    strbuf_init(&out, NULL);
    strbuf_init(&common, NULL);
    column_learn(m->type, m->vecs, m->rows, m->blocks, o, NULL, &learnt);
    if (learnt) {
        column_shared_store(learnt, &common);
        assert_int_equal(column_shared_load(m->type, strbuf_slice(&common), &loaded), OK);
    }
    for (uint32_t k = 0; k < m->blocks; k++)
        column_encode(m->type, &m->vecs[k], m->rows[k], learnt, o, &hint, &out);
    check_blocks(m, loaded, &out);
    column_shared_free(learnt);
    column_shared_free(loaded);
    strbuf_release(&out);
    strbuf_release(&common);
}

/* Each way of encoding by itself, of those that matter for the type. */
static void check_ways(const struct model *m)
{
    struct column_options o = column_options_default;
    check_model(m, &o);
    o.dictionary = false;
    check_model(m, &o);
    check_model(m, &column_options_archive);
    for (int e = 0; e < INTS_ENCODINGS; e++) {
        o = column_options_default;
        o.ints = (uint8_t)(1 << e);
        if (below(2)) check_model(m, &o);
    }
    bool floats = m->type == TYPE_FLOAT4 || m->type == TYPE_FLOAT8;
    for (int e = 0; floats && e < FLOATS_ENCODINGS; e++) {
        o = column_options_default;
        o.floats = (uint8_t)(1 << e);
        check_model(m, &o);
    }
    for (int e = 0; type_rep(m->type) == REP_BYTES && e < STRINGS_ENCODINGS; e++) {
        o = column_options_default;
        o.strings = (uint8_t)(1 << e);
        o.dictionary = false;
        check_model(m, &o);
    }
}

static void blocks_come_back(void **state)
{
    (void)state;
    for (int t = 0; t < TYPES; t++)
        for (int shape = 0; shape < SHAPES; shape++) {
            struct model m;
            make_model(&m, types[t], (enum shape)shape, (enum nulls)below(NULL_SHAPES));
            check_ways(&m);
            arena_release(&m.arena);
        }
}

/* --- what is expected of the choice ----------------------------------------------------------- */

static void dictionaries_are_sorted(void **state)
{
    (void)state;
    struct model m;
    struct column_shared *s;
    uint32_t count;
    make_model(&m, TYPE_TEXT, FEW, SOME_NULLS);
    m.blocks = 1; /* one block has enough of 12 values when it has 100 rows */
    if (m.rows[0] < 100) m.rows[0] = 1, m.blocks = 0;
    column_learn(TYPE_TEXT, m.vecs, m.rows, m.blocks, &column_options_default, NULL, &s);
    const struct vec *d = column_dictionary(s, &count);
    if (m.blocks) {
        assert_non_null(d);
        for (uint32_t i = 1; i < count; i++) {
            struct datum a = vec_get(d, i - 1), b = vec_get(d, i);
            assert_true(value_compare(TYPE_TEXT, &a.v, &b.v) < 0);
        }
        assert_true(vec_get(d, count).null);
    } else {
        assert_null(d);
    }
    column_shared_free(s);
    arena_release(&m.arena);
}

/* char(n) values that are equal but not alike must both come back: no dictionary for those. */
static void equal_but_not_alike(void **state)
{
    (void)state;
    struct model m = {.type = TYPE_BPCHAR, .blocks = 1, .rows = {1000}};
    arena_init(&m.arena, MEM_TEST);
    vec_init_flat(&m.vecs[0], TYPE_BPCHAR, &m.arena);
    m.values[0] = ARENA_ARRAY(&m.arena, struct datum, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        m.values[0][i].v.bytes = i % 2 ? bytes_ref("x ", 2) : bytes_ref("x", 1);
        vec_set(&m.vecs[0], i, m.values[0][i]);
    }
    check_model(&m, &column_options_default);
    arena_release(&m.arena);
}

static void long_strings_make_short_blocks(void **state)
{
    (void)state;
    struct arena a;
    struct vec v;
    arena_init(&a, MEM_TEST);
    vec_init_flat(&v, TYPE_TEXT, &a);
    char *long_one = arena_zalloc(&a, 3 << 20);
    for (uint32_t i = 0; i < 10; i++)
        vec_set(&v, i, (struct datum){.v.bytes = bytes_ref(long_one, 3 << 20)});
    assert_int_equal(column_block_rows(TYPE_TEXT, &v, 10), 1);
    assert_int_equal(column_block_rows(TYPE_INT4, &v, 5000), COLUMN_BLOCK_ROWS);
    for (uint32_t i = 1; i < 10; i++) vec_set(&v, i, (struct datum){.v.bytes = bytes_ref("x", 1)});
    assert_int_equal(column_block_rows(TYPE_TEXT, &v, 10), 10);
    arena_release(&a);
}

/* Any byte changed: refused, or read without harm. The sanitizers watch. */
static void damage_is_told(void **state)
{
    (void)state;
    struct column_shared *shared;
    struct column_hint hint = {{0}};
    struct model m;
    uint32_t refused = 0;
    for (int t = 0; t < TYPES; t++) {
        struct strbuf out;
        strbuf_init(&out, NULL);
        make_model(&m, types[t], (enum shape)below(SHAPES), SOME_NULLS);
        column_learn(m.type, m.vecs, m.rows, 1, &column_options_default, NULL, &shared);
        column_encode(m.type, &m.vecs[0], m.rows[0], shared, &column_options_default, &hint, &out);
        for (int k = 0; k < 60; k++) {
            struct arena a;
            struct column_block *b;
            struct vec v;
            char *raw = mem_alloc_aligned(MEM_TEST, 64, out.len);
            memcpy(raw, out.data, out.len);
            raw[below(below(2) ? out.len : out.len < 64 ? out.len : 64)] ^= (char)(1 << below(8));
            arena_init(&a, MEM_TEST);
            enum status st = column_open(m.type, slice_make(raw, out.len), shared, &a, &b);
            if (st == OK) st = column_read(b, NULL, column_rows(b), true, &a, &v);
            assert_true(st == OK || st == DATA_CORRUPTED);
            if (st != OK) assert_non_null(strstr(error_current()->message, "invalid column block"));
            refused += st != OK;
            arena_release(&a);
            mem_free(MEM_TEST, raw);
        }
        column_shared_free(shared);
        strbuf_release(&out);
        arena_release(&m.arena);
    }
    assert_true(refused > 100);
}

/* Lengths that do not fit the bytes of the strings are found when they are read. */
static void lengths_must_add_up(void **state)
{
    (void)state;
    struct arena a;
    struct vec v;
    struct strbuf out;
    struct column_block *b;
    struct column_hint hint = {{0}};
    arena_init(&a, MEM_TEST);
    strbuf_init(&out, NULL);
    vec_init_flat(&v, TYPE_TEXT, &a);
    for (uint32_t i = 0; i < 8; i++) vec_set(&v, i, (struct datum){.v.bytes = bytes_ref("abc", 3)});
    struct column_options o = column_options_default;
    o.strings = 1 << STRINGS_PLAIN;
    column_encode(TYPE_TEXT, &v, 8, NULL, &o, &hint, &out);
    assert_int_equal(column_open(TYPE_TEXT, strbuf_slice(&out), NULL, &a, &b), OK);
    assert_int_equal(b->strings.encoding, STRINGS_PLAIN);
    assert_int_equal(b->strings.lengths.encoding, INTS_CONST);
    size_t length = sizeof(struct block_header) + sizeof(struct strings_header) +
                    offsetof(struct ints_header, base);
    for (int64_t len = 0; len < 7; len++) {
        struct vec read;
        memcpy(out.data + length, &len, sizeof len);
        assert_int_equal(column_open(TYPE_TEXT, strbuf_slice(&out), NULL, &a, &b), OK);
        enum status st = column_read(b, NULL, 8, true, &a, &read);
        assert_int_equal(st, len == 3 ? OK : DATA_CORRUPTED);
        struct datum d = vec_get(&v, 0);
        uint64_t mask[COLUMN_MASK_WORDS];
        st = column_test(b, &(struct column_test){COLUMN_EQ, 1, &d}, mask);
        assert_int_equal(st, len == 3 ? OK : DATA_CORRUPTED);
    }
    strbuf_release(&out);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back), cmocka_unit_test(dictionaries_are_sorted),
        cmocka_unit_test(equal_but_not_alike), cmocka_unit_test(long_strings_make_short_blocks),
        cmocka_unit_test(lengths_must_add_up), cmocka_unit_test(damage_is_told)};
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
