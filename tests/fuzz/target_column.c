/* Blocks of columns and what they share, as a disk may give them back with checksums that fit.
 * First byte: the type. Second: 0 the bytes of a block, 1 of a dictionary, else a block that was
 * encoded of values of a shape (made once), with patches to it and to its dictionary. What is
 * accepted must be readable, whole and by selection, and stand every test; what is read must be
 * values that print. */
#include "core/column/column.h"
#include "fuzz.h"

#include <stdio.h>

#include "base/random.h"
#include "types/numeric.h"

enum { INPUT_MAX = 1 << 15, ROWS = 700, SHAPES = 4, PATCHES_MAX = 64 };

const char *const fuzz_words[] = {"\1\0\0\0", "\0\10", "\377\377\377\377",
                                  "\x28\xb5\x2f\xfd", NULL};

static const type_id types[] = {
    TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_OID, TYPE_FLOAT4, TYPE_FLOAT8, TYPE_NUMERIC,
    TYPE_TEXT, TYPE_BPCHAR, TYPE_INTERVAL, TYPE_UUID};
enum { TYPES = sizeof types / sizeof *types };

/* --- a model block ---------------------------------------------------------------------------- */

struct model {
    struct strbuf block, common; /* common.len 0: nothing is shared */
};
static struct model models[TYPES][SHAPES];

static struct datum value_of(type_id type, int shape, struct rng *r, uint32_t i, struct arena *a)
{
    struct datum d = {.null = shape > 1 && rng_below(r, 9) == 0};
    int64_t n = shape == 0 ? (int64_t)rng_below(r, 7) * 1000003 : shape == 1 ? i * 3
              : shape == 2 ? i / 90 : (int64_t)rng_u64(r) >> 20;
    char text[80];
    switch (type_rep(type)) {
    case REP_BOOL: d.v.b = n & 1; break;
    case REP_F32: d.v.f32 = (float)n / 100; break;
    case REP_F64: d.v.f64 = shape == 3 ? (double)n * 0.7e-9 : (double)n / 100; break;
    case REP_NUMERIC:
        d.v.numeric = numeric_small(n, (uint16_t)(shape == 2 ? n % 3 : 2));
        if (shape == 3 && i % 50 == 0)
            FUZZ_CHECK(numeric_from_text(SLICE("12345678901234567890123.5"), -1, a,
                                         &d.v.numeric) == OK);
        break;
    case REP_BYTES:
        snprintf(text, sizeof text, "row number %lld of the model", (long long)n);
        d.v.bytes = bytes_copy(a, text, (uint32_t)strlen(text));
        break;
    case REP_INTERVAL: d.v.interval = (struct interval){n, (int32_t)i, (int32_t)(i % 3)}; break;
    case REP_UUID: memcpy(d.v.uuid, &n, 8); break;
    default: memcpy(&d.v, &n, 8);
    }
    return d;
}

static struct model *model_of(uint32_t type, uint32_t shape)
{
    struct model *m = &models[type][shape];
    struct column_shared *shared;
    struct column_options o = shape == 2 ? column_options_archive : column_options_default;
    struct column_hint hint = {{0}};
    struct arena a;
    struct vec v;
    struct rng r;
    if (m->block.len) return m;
    rng_seed(&r, 1);
    arena_init(&a, MEM_TEST);
    vec_init_flat(&v, types[type], &a);
    for (uint32_t i = 0; i < ROWS; i++)
        vec_set(&v, i, value_of(types[type], (int)shape, &r, i, &a));
    strbuf_init(&m->block, NULL);
    strbuf_init(&m->common, NULL);
    column_learn(types[type], &v, (const uint32_t[]){ROWS}, 1, &o, NULL, &shared);
    if (shared) column_shared_store(shared, &m->common);
    column_encode(types[type], &v, ROWS, shared, &o, &hint, &m->block);
    column_shared_free(shared);
    arena_release(&a);
    return m;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void print_all(type_id type, const struct vec *v, const uint16_t *sel, uint32_t n)
{
    struct strbuf text;
    strbuf_init(&text, NULL);
    for (uint32_t i = 0; i < n; i++) {
        struct datum d = vec_get(v, sel ? sel[i] : i);
        strbuf_clear(&text);
        if (!d.null && d.v.bytes.len < 1 << 20) value_to_text(type, &d.v, &format_default, &text);
    }
    strbuf_release(&text);
}

static void test_all(const struct column_block *b, type_id type, const struct vec *v)
{
    uint64_t mask[COLUMN_MASK_WORDS];
    uint16_t sel[COLUMN_BLOCK_ROWS];
    struct datum c[8];
    uint32_t n = column_rows(b);
    for (uint32_t k = 0; k < 8; k++) c[k] = vec_get(v, k * 7919 % n);
    for (int op = COLUMN_EQ; op <= COLUMN_IS_NOT_NULL; op++) {
        struct column_test t = {(enum column_op)op, 1, c};
        if (!column_can_test(type, t.op)) continue;
        if (op == COLUMN_BETWEEN) t.count = 2;
        if (op == COLUMN_IN) t.count = 8;
        if (op >= COLUMN_IS_NULL) t.count = 0;
        if (column_test(b, &t, mask) != OK) continue;
        uint32_t found = column_select(mask, sel);
        FUZZ_CHECK(found <= n && (!found || sel[found - 1] < n));
    }
}

static void read_block(type_id type, struct slice raw, const struct column_shared *shared)
{
    struct column_block *b;
    struct arena a;
    struct vec v;
    struct strbuf text;
    uint16_t few[COLUMN_BLOCK_ROWS];
    arena_init(&a, MEM_TEST);
    strbuf_init(&text, NULL);
    if (column_open(type, raw, shared, &a, &b) == OK) {
        uint32_t n = column_rows(b), count = 0;
        for (uint32_t i = 0; i < n; i += 60) few[count++] = (uint16_t)i;
        column_describe(b, &text);
        if (column_read(b, few, count, false, &a, &v) == OK) print_all(type, &v, few, count);
        if (column_read(b, NULL, n, false, &a, &v) == OK) print_all(type, &v, NULL, n);
        if (column_read(b, NULL, n, true, &a, &v) == OK) {
            print_all(type, &v, NULL, n);
            test_all(b, type, &v);
        }
    }
    strbuf_release(&text);
    arena_release(&a);
}

/* At a multiple of 8 and of just its size. */
static char *copy_of(struct slice s)
{
    char *p = mem_alloc_aligned(MEM_TEST, 64, s.len ? s.len : 1);
    if (s.len) memcpy(p, s.data, s.len);
    return p;
}

static void patched(struct fuzz_input *in, uint32_t type, uint32_t shape)
{
    struct model *m = model_of(type, shape);
    struct column_shared *shared = NULL;
    char *block = copy_of(strbuf_slice(&m->block)), *common = copy_of(strbuf_slice(&m->common));
    for (int i = 0; i < PATCHES_MAX && in->p < in->end; i++) {
        uint32_t where = fuzz_u32(in);
        bool other = where & 1 && m->common.len;
        char *into = other ? common : block;
        size_t max = other ? m->common.len : m->block.len;
        if (where & 2 && max > 64) max = 64; /* headers have the most to tell */
        for (uint8_t k = where >> 2 & 3; k < 4; k++)
            into[((where >> 4) + k) % max] = (char)fuzz_u8(in);
    }
    enum status st = OK;
    if (m->common.len)
        st = column_shared_load(types[type], slice_make(common, m->common.len), &shared);
    if (st == OK) read_block(types[type], slice_make(block, m->block.len), shared);
    column_shared_free(shared);
    mem_free(MEM_TEST, block);
    mem_free(MEM_TEST, common);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    uint32_t type = fuzz_u8(&in) % TYPES, mode = fuzz_u8(&in) % (2 + SHAPES);
    if (mode >= 2) {
        patched(&in, type, mode - 2);
        return 0;
    }
    struct slice rest = fuzz_rest(&in);
    char *raw = copy_of(rest);
    struct column_shared *shared = NULL;
    if (mode == 0) read_block(types[type], slice_make(raw, rest.len), NULL);
    else if (column_shared_load(types[type], slice_make(raw, rest.len), &shared) == OK)
        column_shared_free(shared);
    mem_free(MEM_TEST, raw);
    return 0;
}
