/* A column segment as a disk may give it back, with checksums that fit: a model segment, made
 * once, with patches to header, footer and chunks. What is opened must be readable, prunable and
 * verifiable. */
#include "base/hash.h"
#include "base/sim.h"
#include "core/column/segment_priv.h"
#include "fuzz.h"

#include <stdio.h>

#include "types/numeric.h"

enum { INPUT_MAX = 1 << 12, ROWS = 2600, FILE_BYTES = 4 << 20, PATCHES_MAX = 40 };

const char *const fuzz_words[] = {"HSC1", "\0\0\0\20", "\377\377\377\377", NULL};

static const struct column_spec specs[] = {
    {1, TYPE_INT4, 0}, {2, TYPE_TEXT, 8}, {3, TYPE_NUMERIC, 0}, {4, TYPE_TEXT, 0}};

static char *model;
static size_t model_len;

static void make_model(void)
{
    struct column_segment_options o = {.tree = 3, .kind = SEGMENT_HYBRID, .columns = specs,
                                       .column_count = 4};
    struct column_segment_writer *w;
    struct strbuf out;
    struct arena a;
    struct vec v[4];
    FUZZ_CHECK(column_segment_writer_new(&o, &w) == OK);
    arena_init(&a, MEM_TEST);
    for (int c = 0; c < 4; c++) vec_init_flat(&v[c], specs[c].type, &a);
    for (uint32_t i = 0; i < ROWS; i++) {
        char key[16], text[60];
        snprintf(key, sizeof key, "k%05u", i / 2);
        snprintf(text, sizeof text, "the text of row %u of them", i);
        struct slice k = slice_of(key);
        uint64_t ts = 1000 - i % 2;
        bool dead = i % 17 == 0;
        uint32_t taken;
        vec_set(&v[0], 0, (struct datum){.v.i32 = (int32_t)i, .null = i % 5 == 0});
        vec_set(&v[1], 0, (struct datum){.v.bytes = bytes_ref(text, (uint32_t)strlen(text))});
        vec_set(&v[2], 0, (struct datum){.v.numeric = numeric_small(i * 3, 2)});
        struct slice word = i % 3 ? SLICE("yes") : SLICE("no");
        vec_set(&v[3], 0, (struct datum){.v.bytes = bytes_ref(word.data, (uint32_t)word.len)});
        column_segment_add(w, &(struct column_rows){1, &k, &ts, &dead, v}, &taken);
        if (!taken) break;
    }
    strbuf_init(&out, NULL);
    FUZZ_CHECK(column_segment_finish(w, &out) == OK);
    column_segment_writer_free(w);
    model = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, out.len);
    memcpy(model, out.data, out.len);
    model_len = out.len;
    strbuf_release(&out);
    arena_release(&a);
}

/* Checksums of what the (patched) header and footer say is there. */
static void fix_checksums(char *raw, size_t len)
{
    struct column_segment_header h;
    memcpy(&h, raw, sizeof h);
    uint64_t at = (uint64_t)h.footer_at * BLOCK_BYTES;
    if (at < len && h.footer_bytes <= len - at) {
        uint32_t room = h.footer_bytes / (uint32_t)sizeof(struct segment_chunk);
        for (uint32_t i = 0; i < h.chunks && i < room; i++) {
            struct segment_chunk c;
            char *p = raw + at + i * sizeof c;
            memcpy(&c, p, sizeof c);
            uint64_t from = (uint64_t)c.at * BLOCK_BYTES;
            if (from >= len || c.bytes > len - from) continue;
            c.crc = crc32c(0, raw + from, c.bytes);
            memcpy(p, &c, sizeof c);
        }
        h.footer_crc = crc32c(0, raw + at, h.footer_bytes);
    }
    h.crc = crc32c(0, &h, offsetof(struct column_segment_header, crc));
    memcpy(raw, &h, sizeof h);
}

static void patch(struct fuzz_input *in, char *raw, size_t len)
{
    struct column_segment_header h;
    memcpy(&h, raw, sizeof h);
    for (int i = 0; i < PATCHES_MAX && in->p < in->end; i++) {
        uint32_t where = fuzz_u32(in);
        size_t from = 0, max = len;
        if ((where & 3) == 1) max = sizeof h;
        if ((where & 3) >= 2) from = (size_t)h.footer_at * BLOCK_BYTES, max = h.footer_bytes;
        for (uint8_t k = where >> 2 & 3; k < 4; k++)
            raw[from + ((where >> 4) + k) % max] = (char)fuzz_u8(in);
    }
    fix_checksums(raw, len);
}

static void read_segment(struct column_segment *s)
{
    struct page_pins pins = {0};
    struct arena a;
    uint64_t mask[COLUMN_MASK_WORDS], *left;
    uint32_t blocks = column_segment_block_count(s), column;
    struct datum text = {.v.bytes = bytes_ref("yes", 3)};
    struct column_test t = {COLUMN_EQ, 1, &text};
    bool may;
    arena_init(&a, MEM_TEST);
    left = arena_zalloc(&a, blocks / 8 + 8);
    (void)hash_bytes(column_segment_min_key(s).data, column_segment_min_key(s).len);
    FUZZ_CHECK(column_segment_find(s, SLICE("k00700")) < blocks);
    if (column_segment_column(s, 2, &column) && column_segment_type(s, column) == TYPE_TEXT) {
        column_segment_prune(s, column, &t, left);
        (void)!column_segment_may_contain(s, column, &t, &pins, &may);
    }
    for (uint32_t b = 0; b < blocks && b < 4; b++) {
        (void)!column_segment_visible(s, b, 999, &pins, &a, mask);
        page_pins_release(&pins);
    }
    (void)!column_segment_verify(s);
    arena_release(&a);
    page_pins_free(&pins);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    struct sim_options so = {.seed = 1};
    struct column_segment *s;
    struct blocks *blocks;
    struct extent e;
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    if (!model) make_model();
    char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, model_len);
    memcpy(raw, model, model_len);
    patch(&in, raw, model_len);
    struct os *os = sim_new(&so);
    struct blocks_options o = {.os = os, .dir = "db", .file_bytes = FILE_BYTES};
    FUZZ_CHECK(os_mkdir(os, "db") == OK && blocks_open(&o, &blocks) == OK);
    FUZZ_CHECK(blocks_allocate(blocks, (uint32_t)(model_len / BLOCK_BYTES), &e) == OK);
    FUZZ_CHECK(blocks_write(blocks, e, 0, raw, model_len) == OK);
    struct cache *cache = cache_new(1 << 20);
    enum status st = column_segment_open(blocks, cache, e, 0, &s);
    FUZZ_CHECK(st == OK || st == DATA_CORRUPTED);
    FUZZ_CHECK(size || st == OK);
    if (st == OK) {
        read_segment(s);
        column_segment_close(s);
    }
    cache_free(cache);
    blocks_close(blocks);
    sim_free(os);
    mem_free(MEM_TEST, raw);
    return 0;
}
