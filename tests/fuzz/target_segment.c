/* Segments and runs as a disk may give them back, with checksums that fit: an attacker's or a bug's
 * bytes, not a bit that fell over. First byte even: the bytes of one segment. Odd: a real run, made
 * once, with patches to its meta and its segments. Whatever is accepted must be readable. */
#include <stdio.h>

#include "base/hash.h"
#include "base/sim.h"
#include "core/segment/segment_priv.h"
#include "fuzz.h"

enum { INPUT_MAX = 1 << 15, FILE_BYTES = 1 << 20, ENTRIES = 600, READS_MAX = 3000, TREE = 42 };

const char *const fuzz_words[] = {"HSG1\1", "HRN1\1", "key", NULL};

static void fix_checksum(char *raw, size_t len)
{
    struct segment_header h;
    if (len < sizeof h) return;
    memcpy(&h, raw, sizeof h);
    uint32_t crc = crc32c(0, raw, offsetof(struct segment_header, crc));
    if (h.stored_bytes <= len - sizeof h) crc = crc32c(crc, raw + sizeof h, h.stored_bytes);
    memcpy(raw + offsetof(struct segment_header, crc), &crc, sizeof crc);
}

/* --- one segment ---------------------------------------------------------------------------- */

static void read_rows(const void *page)
{
    struct segment s = segment__view(page);
    struct entry e;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s.h->count; i++) {
        segment__entry(&s, i, &e);
        sum += hash_bytes(e.key.data, e.key.len) + hash_bytes(e.row.data, e.row.len) + e.ts;
        (void)segment__lower_bound(&s, e.key, e.ts);
    }
    (void)segment__lower_bound(&s, SLICE("key00300"), sum);
}

static void one_segment(struct fuzz_input *in)
{
    enum segment_kind kind = SEGMENT_ROWS + fuzz_u8(in) % 3;
    struct slice rest = fuzz_rest(in);
    size_t len = (rest.len + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    if (len == 0) return;
    char *raw = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, len);
    memset(raw, 0, len);
    memcpy(raw, rest.data, rest.len);
    struct segment_header *h = (struct segment_header *)raw;
    if (fuzz_u8(in) & 1 && rest.len > sizeof *h) {
        h->magic = SEGMENT_MAGIC;
        h->version = SEGMENT_VERSION;
        h->kind = (uint8_t)kind;
        h->codec %= 2;
        h->stored_bytes = (uint32_t)(rest.len - sizeof *h);
        if (!h->codec) h->body_bytes = h->stored_bytes;
        memset(h->reserved, 0, sizeof h->reserved);
    }
    fix_checksum(raw, len);
    /* Larger ones are allowed, but not worth the time here. */
    if (!segment__check(slice_make(raw, len), kind) && h->body_bytes <= 1 << 20) {
        void *page = mem_alloc_aligned(MEM_TEST, 64, segment__page_bytes(h));
        if (!segment__unpack(slice_make(raw, len), page) && kind == SEGMENT_ROWS) read_rows(page);
        mem_free(MEM_TEST, page);
    }
    struct strbuf text;
    strbuf_init(&text, NULL);
    (void)!segment_inspect(slice_make(raw, len), &text);
    strbuf_release(&text);
    mem_free(MEM_TEST, raw);
}

/* --- a run ---------------------------------------------------------------------------------- */

struct disk {
    struct os *os;
    struct blocks *blocks;
    struct cache *cache;
};

static void open_disk(struct disk *d)
{
    struct sim_options so = {.seed = 1};
    d->os = sim_new(&so);
    struct blocks_options o = {.os = d->os, .dir = "db", .file_bytes = FILE_BYTES};
    FUZZ_CHECK(os_mkdir(d->os, "db") == OK && blocks_open(&o, &d->blocks) == OK);
    d->cache = cache_new(1 << 20);
}

static void close_disk(struct disk *d)
{
    cache_free(d->cache);
    blocks_close(d->blocks);
    sim_free(d->os);
}

/* The meta of the model run, and the bytes of its only extent. */
static struct strbuf model_meta;
static struct extent model_extent;
static char *model_bytes;

static void make_model(void)
{
    struct disk d;
    struct run_builder *b;
    struct arena a;
    struct extent *extents;
    uint32_t count;
    open_disk(&d);
    struct run_options o = {.blocks = d.blocks, .cache = d.cache, .tree = TREE,
                            .segment_bytes = 8192, .filter_bits = 10};
    FUZZ_CHECK(run_builder_new(&o, &b) == OK);
    for (unsigned i = 0; i < ENTRIES; i++) {
        char key[16], row[80];
        snprintf(key, sizeof key, "key%05u", i / 2);
        snprintf(row, sizeof row, "the row of entry %u and %u", i, i * 7919);
        struct entry e = {.key = slice_of(key), .ts = 1000 - i, .tombstone = i % 9 == 0};
        if (!e.tombstone) e.row = slice_of(row);
        FUZZ_CHECK(run_builder_add(b, &e) == OK);
    }
    strbuf_init(&model_meta, NULL);
    FUZZ_CHECK(run_builder_finish(b, &model_meta) == OK);
    arena_init(&a, MEM_TEST);
    FUZZ_CHECK(run_meta_extents(strbuf_slice(&model_meta), &a, &extents, &count) == OK);
    FUZZ_CHECK(count == 1);
    model_extent = extents[0];
    size_t len = (size_t)model_extent.blocks * BLOCK_BYTES;
    model_bytes = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, len);
    FUZZ_CHECK(blocks_read(d.blocks, model_extent, 0, model_bytes, len) == OK);
    arena_release(&a);
    close_disk(&d);
}

static void read_run(struct run *r)
{
    struct run_cursor *c;
    struct entry e;
    struct page_pins pins = {0};
    if (run_cursor_open(r, &c) != OK) return;
    for (int i = 0; i < READS_MAX && run_cursor_next(c, &e) == OK; i++)
        (void)hash_bytes(e.row.data, e.row.len);
    for (int i = 0; i < READS_MAX && run_cursor_prev(c, &e) == OK; i++)
        (void)hash_bytes(e.key.data, e.key.len);
    (void)!run_cursor_seek(c, SLICE("key00100"), true, &e);
    (void)!run_cursor_seek(c, SLICE("key00200"), false, &e);
    run_cursor_close(c);
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%05d", i * 17);
        struct slice k = slice_of(key);
        if (run_get(r, k, run_key_hash(k), 990, &pins, &e) == OK)
            (void)hash_bytes(e.row.data, e.row.len);
    }
    page_pins_free(&pins);
}

/* As the store does before it opens a run: extents outside the files or over others are refused. */
static bool claim(struct disk *d, struct slice meta)
{
    struct arena a;
    struct extent *extents;
    uint32_t count = 0;
    arena_init(&a, MEM_TEST);
    enum status st = run_meta_extents(meta, &a, &extents, &count);
    for (uint32_t i = 0; st == OK && i < count; i++) st = blocks_mark_used(d->blocks, extents[i]);
    arena_release(&a);
    return st == OK;
}

static void patched_run(struct fuzz_input *in)
{
    struct disk d;
    struct run *r;
    struct strbuf meta, text;
    if (!model_bytes) make_model();
    size_t len = (size_t)model_extent.blocks * BLOCK_BYTES;
    char *bytes = mem_alloc_aligned(MEM_TEST, BLOCK_BYTES, len);
    memcpy(bytes, model_bytes, len);
    strbuf_init(&meta, NULL);
    strbuf_init(&text, NULL);
    strbuf_add(&meta, model_meta.data, model_meta.len);
    while (in->p < in->end) {
        uint32_t where = fuzz_u32(in);
        char *into = where & 1 ? bytes : meta.data;
        size_t max = where & 1 ? len : meta.len - 4;
        for (uint8_t i = where >> 1 & 7; i < 8; i++)
            into[((where >> 4) + i) % max] = (char)fuzz_u8(in);
    }
    uint32_t crc = crc32c(0, meta.data, meta.len - 4);
    memcpy(meta.data + meta.len - 4, &crc, 4);
    for (size_t at = 0; at < len; at += BLOCK_BYTES)
        if (!memcmp(bytes + at, "HSG1", 4)) fix_checksum(bytes + at, len - at);
    open_disk(&d);
    FUZZ_CHECK(blocks_write(d.blocks, model_extent, 0, bytes, len) == OK);
    struct slice blob = strbuf_slice(&meta);
    if (claim(&d, blob) && run_open(d.blocks, d.cache, blob, &r) == OK) {
        (void)!run_verify(r);
        read_run(r);
        run_close(r);
    }
    close_disk(&d);
    strbuf_release(&meta);
    strbuf_release(&text);
    mem_free(MEM_TEST, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    if (fuzz_u8(&in) & 1) patched_run(&in);
    else one_segment(&in);
    return 0;
}
