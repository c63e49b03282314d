/* Builds a run (docs/format/run.md): row segments as they fill, then fences and filter as two more
 * segments, all gathered in chunks of a MiB or more and written an extent a chunk, so that files
 * see large sequential writes and a small run takes a small extent. Chunks grow with the run,
 * which bounds both the builder's memory and the number of extents in the manifest. */
#include "core/segment/run.h"

#include "base/fiber.h"
#include "base/hash.h"
#include "core/segment/run_columns_priv.h"

enum {
    FILTER_PIECE = 1 << 14, /* keys */
    SEGMENT_BYTES_DEFAULT = 32 << 10,
    SEGMENT_BYTES_COLUMN = 64 << 10, /* without rows, where point reads are few */
    SEGMENT_BYTES_MIN = 8 << 10,
    SEGMENT_BYTES_MAX = 16 << 20,
    CHUNK_MIN = 1 << 20,
    CHUNK_MIN_LOAD = 4 << 20, /* of a bulk load, which is known to be large */
    CHUNK_MAX = 16 << 20,
    CHUNK_PART = 16, /* of what was written so far */
    /* Counted in, so that a full segment does not need one block more. */
    ENTRY_OVERHEAD = 18,
    SEGMENT_OVERHEAD = sizeof(struct segment_header) + 8 + GAP_BYTES,
};

/* One row segment: where, and a key that parts it from the one before. */
struct fence {
    struct place place;
    uint32_t key_offset; /* in fence_keys */
    bool continues;      /* begins with the key that the one before ends with */
};

struct run_builder {
    struct run_options o;
    struct run_meta meta;
    struct segment_rows rows;
    struct block_buf chunk; /* not yet written: belongs to extent number extents.count */
    uint64_t written;
    ARRAY(struct extent) extents;
    ARRAY(struct fence) fences;
    struct strbuf fence_keys;
    ARRAY(uint64_t) hashes; /* of distinct keys, for the filter */
    struct strbuf min_key, last_key;
    uint64_t last_ts;
    struct columns_builder *columns; /* NULL: none, or no more */
    size_t apart_bytes; /* of rows that were left out of the segment at hand */
};

enum status run_builder_new(const struct run_options *o, struct run_builder **ret)
{
    struct run_builder *b = mem_alloc(MEM_RUN, sizeof *b);
    b->o = *o;
    uint32_t *bytes = &b->o.segment_bytes;
    if (!*bytes) *bytes = SEGMENT_BYTES_DEFAULT;
    if (*bytes < SEGMENT_BYTES_MIN) *bytes = SEGMENT_BYTES_MIN;
    if (*bytes > SEGMENT_BYTES_MAX) *bytes = SEGMENT_BYTES_MAX;
    b->meta.tree = o->tree;
    b->meta.stamped = o->stamped;
    b->rows.dates_gaps = !o->history;
    strbuf_init(&b->fence_keys, NULL);
    strbuf_init(&b->min_key, NULL);
    strbuf_init(&b->last_key, NULL);
    if (o->columns && !o->history) {
        enum run_form form = o->keep_rows ? RUN_DUAL : o->columns->form;
        b->columns = columns__new(o->tree, o->columns, form);
        b->meta.form = b->columns ? form : RUN_ROWS;
        b->rows.apart = b->meta.form >= RUN_COLUMN;
        if (b->rows.apart && b->meta.form != RUN_HYBRID && !o->segment_bytes)
            b->o.segment_bytes = SEGMENT_BYTES_COLUMN;
    }
    *ret = b;
    return OK;
}

static void builder_free(struct run_builder *b)
{
    columns__free(b->columns);
    segment_rows__release(&b->rows);
    block_buf__release(&b->chunk);
    ARRAY_RELEASE(&b->extents);
    ARRAY_RELEASE(&b->fences);
    ARRAY_RELEASE(&b->hashes);
    strbuf_release(&b->fence_keys);
    strbuf_release(&b->min_key);
    strbuf_release(&b->last_key);
    mem_free(MEM_RUN, b);
}

void run_builder_abort(struct run_builder *b)
{
    if (!b) return;
    for (size_t i = 0; i < b->extents.count; i++) blocks_free(b->o.blocks, b->extents.data[i]);
    builder_free(b);
}

uint64_t run_builder_bytes(const struct run_builder *b)
{
    return b->written + b->chunk.len + segment_rows__bytes(&b->rows);
}

static enum status write_chunk(struct run_builder *b)
{
    if (!b->chunk.len) return OK;
    uint32_t blocks = (uint32_t)(b->chunk.len / BLOCK_BYTES);
    if (blocks < EXTENT_BLOCKS_MIN) {
        size_t more = EXTENT_BLOCKS_MIN * (size_t)BLOCK_BYTES - b->chunk.len;
        block_buf__reserve(&b->chunk, more);
        memset(b->chunk.data + b->chunk.len, 0, more);
        b->chunk.len += more;
        blocks = EXTENT_BLOCKS_MIN;
    }
    if (blocks > EXTENT_BLOCKS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "segment of %zu bytes is too large", b->chunk.len);
    struct extent e;
    TRY(blocks_allocate(b->o.blocks, blocks, &e));
    ARRAY_PUSH(&b->extents, e); /* before the write, so that an abort frees it */
    TRY(blocks_write(b->o.blocks, e, 0, b->chunk.data, b->chunk.len));
    b->written += b->chunk.len;
    b->chunk.len = 0;
    return OK;
}

/* A segment was sealed at `start` of the chunk: notes its place, writes the chunk when due. */
static enum status sealed(struct run_builder *b, size_t start, struct place *ret)
{
    *ret = (struct place){(uint32_t)b->extents.count, (uint32_t)(start / BLOCK_BYTES),
                          (uint32_t)((b->chunk.len - start) / BLOCK_BYTES)};
    /* Space is given out in powers of two: a chunk ends below one, never just above it. */
    uint64_t due = b->o.stamped ? CHUNK_MIN_LOAD : CHUNK_MIN;
    while (due < b->written / CHUNK_PART && due < CHUNK_MAX) due *= 2;
    /* A column segment is large, but what it leaves of an extent the rows that follow fill up. */
    while (b->columns && due < b->chunk.len) due *= 2;
    return b->chunk.len + b->o.segment_bytes + BLOCK_BYTES > due ? write_chunk(b) : OK;
}

static enum status seal_rows(struct run_builder *b)
{
    size_t start = b->chunk.len;
    segment_rows__seal(&b->rows, b->o.tree, b->o.compress, &b->chunk);
    b->apart_bytes = 0;
    return sealed(b, start, &ARRAY_LAST(&b->fences).place);
}

/* Rows that were left out are not to be had again. */
static enum status drop_columns(struct run_builder *b)
{
    if (b->rows.apart) return COLUMNS_UNFIT;
    columns__free(b->columns);
    b->columns = NULL;
    b->meta.column_bytes = 0;
    b->meta.form = RUN_ROWS;
    return OK;
}

/* Whatever column segments are due; at the end, all. */
static enum status seal_columns(struct run_builder *b, bool all)
{
    for (bool any = true; b->columns && any;) {
        struct place p;
        size_t start = b->chunk.len;
        if (!columns__seal(b->columns, all, &b->chunk, &any)) {
            TRY(drop_columns(b));
        } else if (any) {
            b->meta.column_bytes += b->chunk.len - start;
            TRY(sealed(b, start, &p));
            columns__placed(b->columns, p);
        }
    }
    return OK;
}

/* The shortest key above the last one and not above the first of the segment that begins. */
static void add_fence(struct run_builder *b, struct slice key)
{
    struct slice last = strbuf_slice(&b->last_key);
    struct fence f = {.key_offset = (uint32_t)b->fence_keys.len};
    size_t len = key.len;
    if (b->meta.entries) {
        f.continues = slice_eq(key, last);
        size_t same = 0;
        while (same < last.len && same < key.len && last.data[same] == key.data[same]) same++;
        if (!f.continues) len = same + 1;
    }
    strbuf_add(&b->fence_keys, key.data, len);
    ARRAY_PUSH(&b->fences, f);
}

/* Segments are as large as if they had the rows: that is what a page will be. */
static void add_row(struct run_builder *b, const struct entry *e)
{
    struct entry bare = *e;
    if (!b->rows.apart) {
        segment_rows__add(&b->rows, e);
        return;
    }
    bool all = e->tombstone || row_column_count(e->row) == b->o.columns->count;
    b->apart_bytes += e->row.len + (all ? 0 : b->o.columns->missing_bytes);
    bare.row = (struct slice){0};
    segment_rows__add(&b->rows, &bare);
}

enum status run_builder_add(struct run_builder *b, const struct entry *e)
{
    struct run_meta *m = &b->meta;
    if (e->key.len > SEGMENT_KEY_MAX || e->row.len > SEGMENT_BODY_MAX / 4 + HISTORY_END_BYTES)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "row is too big: size %zu, maximum size %d",
                    e->key.len + e->row.len, SEGMENT_BODY_MAX / 4);
    struct slice last = strbuf_slice(&b->last_key);
    int order = m->entries ? slice_cmp(last, e->key) : -1;
    ASSERT(order < 0 || (order == 0 && b->last_ts > e->ts));
    size_t bytes = segment_rows__bytes(&b->rows) + b->apart_bytes;
    size_t after = bytes + e->key.len + e->row.len + ENTRY_OVERHEAD + SEGMENT_OVERHEAD;
    if (e->gap) after += GAP_BYTES;
    if (bytes && after > b->o.segment_bytes) TRY(seal_rows(b));
    if (!b->rows.offsets.count) {
        if (b->fence_keys.len + e->key.len > SEGMENT_BODY_MAX / 2)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many segments in one run");
        add_fence(b, e->key);
        if (b->columns) columns__begin_rows(b->columns);
    }
    if (b->columns && !columns__add(b->columns, e, order < 0)) TRY(drop_columns(b));
    add_row(b, e);
    if (order < 0) {
        m->keys++;
        if (b->o.filter_bits) ARRAY_PUSH(&b->hashes, run_key_hash(e->key));
        if (!m->entries) strbuf_add(&b->min_key, e->key.data, e->key.len);
        strbuf_clear(&b->last_key);
        strbuf_add(&b->last_key, e->key.data, e->key.len);
    }
    if (!m->entries || e->ts < m->min_ts) m->min_ts = e->ts;
    uint64_t end = b->o.history ? history_end(e) : e->ts;
    if (!m->entries || end > m->max_ts) m->max_ts = end;
    m->entries++;
    m->tombstones += e->tombstone;
    b->last_ts = e->ts;
    return b->columns ? seal_columns(b, false) : OK;
}

void run_builder_note_gap(struct run_builder *b, uint64_t after)
{
    segment_rows__note_gap(&b->rows, after);
}

static enum status seal_fences(struct run_builder *b)
{
    struct strbuf body;
    strbuf_init(&body, NULL);
    uint32_t n = (uint32_t)b->fences.count, end = (uint32_t)b->fence_keys.len << 1;
    for (uint32_t i = 0; i < n; i++) {
        const struct fence *f = &b->fences.data[i];
        uint32_t key = f->key_offset << 1 | f->continues;
        strbuf_add(&body, &f->place, sizeof f->place);
        strbuf_add(&body, &key, sizeof key);
    }
    strbuf_add(&body, &end, sizeof end);
    strbuf_add(&body, b->fence_keys.data, b->fence_keys.len);
    struct segment_header h = {.kind = SEGMENT_FENCES, .tree = b->o.tree, .count = n};
    size_t start = b->chunk.len;
    segment__seal(&h, strbuf_slice(&body), b->o.compress, &b->chunk);
    strbuf_release(&body);
    return sealed(b, start, &b->meta.fences);
}

static enum status seal_filter(struct run_builder *b)
{
    if (!b->hashes.count) return OK;
    uint32_t blocks = bloom_blocks(b->hashes.count, b->o.filter_bits);
    size_t bytes = (size_t)blocks * BLOOM_BLOCK_BYTES;
    uint32_t *words = mem_alloc(MEM_RUN, bytes);
    for (size_t i = 0, n; i < b->hashes.count; i += n) {
        n = b->hashes.count - i < FILTER_PIECE ? b->hashes.count - i : FILTER_PIECE;
        bloom_add_all(words, blocks, b->hashes.data + i, n);
        fiber_yield(); /* a session that builds it has others on its thread */
    }
    struct segment_header h = {.kind = SEGMENT_FILTER, .tree = b->o.tree, .count = blocks};
    size_t start = b->chunk.len;
    segment__seal(&h, slice_make(words, bytes), false, &b->chunk);
    mem_free(MEM_RUN, words);
    return sealed(b, start, &b->meta.filter);
}

static enum status seal_columns_index(struct run_builder *b)
{
    size_t start = b->chunk.len;
    columns__seal_index(b->columns, b->o.compress, &b->chunk);
    b->meta.column_bytes += b->chunk.len - start;
    return sealed(b, start, &b->meta.columns);
}

static enum status finish(struct run_builder *b, struct strbuf *meta)
{
    if (!b->meta.entries) return NOT_FOUND;
    if (b->rows.offsets.count) TRY(seal_rows(b));
    TRY(seal_columns(b, true));
    if (b->columns) TRY(seal_columns_index(b));
    TRY(seal_fences(b));
    TRY(seal_filter(b));
    TRY(write_chunk(b));
    b->meta.segments = (uint32_t)b->fences.count;
    b->meta.min_key = strbuf_slice(&b->min_key);
    b->meta.max_key = strbuf_slice(&b->last_key);
    b->meta.extents = b->extents.data;
    b->meta.extent_count = (uint32_t)b->extents.count;
    run_meta__encode(&b->meta, meta);
    return OK;
}

enum status run_builder_finish(struct run_builder *b, struct strbuf *meta)
{
    enum status s = finish(b, meta);
    if (s == OK) builder_free(b);
    else run_builder_abort(b);
    return s;
}
