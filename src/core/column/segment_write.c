/* Writing a column segment (docs/format/column-segment.md). All rows are gathered first, as a
 * dictionary and a table of symbols want to see all of a column; then columns are encoded one by
 * one. So a writer holds what the segment takes before encoding, and the encoded bytes. */
#include "core/column/segment.h"

#include "base/hash.h"
#include "core/column/segment_priv.h"
#include "core/filter/bloom.h"

struct row_block {
    uint32_t rows;
    size_t bytes;      /* of strings */
    struct vec *columns;
};

struct column_segment_writer {
    struct column_segment_options o;
    const struct column_options *encoding;
    struct arena arena;
    struct column_spec *columns; /* those asked for, then ours */
    uint32_t column_count;
    size_t row_bytes;            /* of a row without key and strings */
    uint32_t *strings;           /* columns that have these */
    uint32_t string_count;
    ARRAY(struct row_block) blocks;
    uint32_t rows, tombstones;
    size_t bytes;                /* of rows, not encoded */
    uint64_t min_ts, max_ts;
    struct strbuf last_key;
    uint64_t last_ts;
};

/* What the specification allows, and what we take, by kind. */
static const struct {
    uint32_t min, max, usual;
} sizes[] = {[SEGMENT_COLUMN] = {256 << 10, 16 << 20, 16 << 20},
             [SEGMENT_HYBRID] = {64 << 10, 256 << 10, 256 << 10},
             [SEGMENT_COMPRESSED] = {4 << 20, 16 << 20, 16 << 20}};

enum status column_segment_writer_new(const struct column_segment_options *o,
                                      struct column_segment_writer **ret)
{
    static const struct column_spec ours[OUR_COLUMNS] = {{COLUMN_KEY, TYPE_BYTEA, 0, NULL},
                                                         {COLUMN_BEGIN, TYPE_INT8, 0, NULL},
                                                         {COLUMN_END, TYPE_INT8, 0, NULL},
                                                         {COLUMN_DEAD, TYPE_BOOL, 0, NULL}};
    if (o->column_count > COLUMN_SEGMENT_COLUMNS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many columns in a segment");
    ASSERT(o->kind >= SEGMENT_COLUMN && o->kind <= SEGMENT_COMPRESSED);
    struct column_segment_writer *w = mem_alloc(MEM_RUN, sizeof *w);
    w->o = *o;
    uint32_t *bytes = &w->o.bytes;
    if (!*bytes) *bytes = sizes[o->kind].usual;
    if (*bytes < sizes[o->kind].min) *bytes = sizes[o->kind].min;
    if (*bytes > sizes[o->kind].max) *bytes = sizes[o->kind].max;
    bool archive = o->kind == SEGMENT_COMPRESSED;
    w->encoding = o->encoding  ? o->encoding
                  : archive ? &column_options_archive : &column_options_default;
    w->column_count = o->column_count + OUR_COLUMNS;
    w->columns = mem_alloc(MEM_RUN, w->column_count * sizeof *w->columns);
    if (o->column_count) memcpy(w->columns, o->columns, o->column_count * sizeof *w->columns);
    memcpy(w->columns + o->column_count, ours, sizeof ours);
    w->strings = mem_alloc(MEM_RUN, (o->column_count + 1) * sizeof *w->strings);
    w->row_bytes = 17;
    for (uint32_t c = 0; c < o->column_count; c++) {
        w->row_bytes += type_get(w->columns[c].type)->width;
        if (type_rep(w->columns[c].type) == REP_BYTES) w->strings[w->string_count++] = c;
    }
    arena_init(&w->arena, MEM_RUN);
    strbuf_init(&w->last_key, NULL);
    *ret = w;
    return OK;
}

void column_segment_writer_free(struct column_segment_writer *w)
{
    if (!w) return;
    arena_release(&w->arena);
    ARRAY_RELEASE(&w->blocks);
    strbuf_release(&w->last_key);
    mem_free(MEM_RUN, w->columns);
    mem_free(MEM_RUN, w->strings);
    mem_free(MEM_RUN, w);
}

uint32_t column_segment_writer_rows(const struct column_segment_writer *w)
{
    return w->rows;
}

uint32_t column_segment_writer_blocks(const struct column_segment_writer *w)
{
    return (uint32_t)w->blocks.count;
}

/* --- gathering -------------------------------------------------------------------------------- */

static struct row_block *block_for(struct column_segment_writer *w, size_t bytes)
{
    struct row_block *b = w->blocks.count ? &ARRAY_LAST(&w->blocks) : NULL;
    if (b && b->rows < COLUMN_BLOCK_ROWS && b->bytes + bytes <= BLOCK_BYTES_AIM) return b;
    struct row_block fresh = {.columns = ARENA_ARRAY(&w->arena, struct vec, w->column_count)};
    for (uint32_t c = 0; c < w->column_count; c++)
        vec_init_flat(&fresh.columns[c], w->columns[c].type, &w->arena);
    ARRAY_PUSH(&w->blocks, fresh);
    return &ARRAY_LAST(&w->blocks);
}

/* Bytes of a row: of its strings, and of all. */
static size_t row_bytes(const struct column_segment_writer *w, const struct column_rows *rows,
                        uint32_t i, size_t *ret_strings)
{
    size_t strings = rows->keys[i].len;
    struct datum d;
    for (uint32_t k = 0; k < w->string_count; k++) {
        vec_load(&rows->columns[w->strings[k]], i, &d);
        if (!d.null) strings += d.v.bytes.len;
    }
    *ret_strings = strings;
    return w->row_bytes + strings;
}

/* Key and versions of row i, which comes after all others; `last` is the key before it. */
static void put_version(struct column_segment_writer *w, struct row_block *b, uint32_t at,
                        const struct column_rows *rows, uint32_t i, struct slice last)
{
    struct vec *ours = b->columns + w->o.column_count;
    struct slice key = rows->keys[i];
    uint64_t ts = rows->ts[i];
    bool dead = rows->tombstones && rows->tombstones[i];
    int order = w->rows ? slice_cmp(last, key) : -1;
    ASSERT(order < 0 || (order == 0 && w->last_ts > ts));
    if (!w->o.no_keys || at == 0) /* the first of a block is a fence */
        vec_set(&ours[0], at, (struct datum){.v.bytes = bytes_from_slice(&w->arena, key)});
    VEC_DATA(&ours[1], int64_t)[at] = (int64_t)ts;
    /* The version before it in order is the newer one of the same key, if it is of that key. */
    VEC_DATA(&ours[2], int64_t)[at] = order ? INT64_MAX : (int64_t)w->last_ts;
    VEC_DATA(&ours[3], uint8_t)[at] = dead;
    for (uint32_t c = 0; dead && c < w->o.column_count; c++)
        vec_set(&b->columns[c], at, (struct datum){.null = true});
    if (!w->rows || ts < w->min_ts) w->min_ts = ts;
    if (!w->rows || ts > w->max_ts) w->max_ts = ts;
    w->last_ts = ts;
    w->tombstones += dead;
    w->rows++;
}

/* Rows from i on that the newest block, or a new one, has room for. */
static uint32_t fitting(struct column_segment_writer *w, const struct column_rows *rows, uint32_t i,
                        struct row_block **ret)
{
    struct row_block *b = NULL;
    uint32_t n = 0;
    for (; i + n < rows->count && w->rows + n < COLUMN_SEGMENT_ROWS_MAX; n++) {
        size_t strings, bytes = row_bytes(w, rows, i + n, &strings);
        if (w->rows + n && w->bytes + bytes > w->o.bytes) break;
        if (!b) b = block_for(w, strings);
        bool room = b->rows + n < COLUMN_BLOCK_ROWS && b->bytes + strings <= BLOCK_BYTES_AIM;
        if (!room && b->rows + n) break;
        b->bytes += strings;
        w->bytes += bytes;
    }
    *ret = b;
    return n;
}

void column_segment_add(struct column_segment_writer *w, const struct column_rows *rows,
                        uint32_t *ret_taken)
{
    uint16_t sel[BATCH_ROWS];
    uint32_t i = 0, n;
    struct row_block *b;
    ASSERT(rows->count <= BATCH_ROWS);
    for (; (n = fitting(w, rows, i, &b)) > 0; i += n) {
        for (uint32_t k = 0; k < n; k++) sel[k] = (uint16_t)(i + k);
        for (uint32_t c = 0; c < w->o.column_count; c++) {
            const struct vec *from = &rows->columns[c];
            if (from->form == VEC_FLAT) vec_append(&b->columns[c], b->rows, from, i, n, &w->arena);
            else vec_gather(&b->columns[c], b->rows, from, sel, n, &w->arena);
        }
        for (uint32_t k = 0; k < n; k++)
            put_version(w, b, b->rows + k, rows, i + k, i + k ? rows->keys[i + k - 1] : strbuf_slice(&w->last_key));
        b->rows += n;
    }
    if (i) {
        strbuf_clear(&w->last_key);
        strbuf_add(&w->last_key, rows->keys[i - 1].data, rows->keys[i - 1].len);
    }
    *ret_taken = i;
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* A footer in the making. */
struct draft {
    struct column_segment_header h;
    ARRAY(struct segment_chunk) chunks;
    struct segment_column *columns;
    uint32_t *block_at;         /* columns × blocks */
    struct column_zone *zones;  /* columns × (blocks + 1) */
    size_t start, chunk_start;  /* in `out` */
};

static void pad(struct strbuf *out, size_t start, size_t to)
{
    static const char zeros[BLOCK_BYTES];
    size_t n = (to - (out->len - start) % to) % to;
    strbuf_add(out, zeros, n);
}

static void end_chunk(struct draft *d, struct strbuf *out)
{
    size_t bytes = out->len - d->chunk_start;
    if (!bytes) return;
    struct segment_chunk c = {.at = (uint32_t)((d->chunk_start - d->start) / BLOCK_BYTES),
                              .bytes = (uint32_t)bytes,
                              .crc = crc32c(0, out->data + d->chunk_start, bytes)};
    pad(out, d->start, BLOCK_BYTES);
    c.blocks = (uint32_t)((out->len - d->chunk_start) / BLOCK_BYTES);
    ARRAY_PUSH(&d->chunks, c);
    d->chunk_start = out->len;
}

static void put_bloom(const struct column_segment_writer *w, uint32_t c, uint64_t values,
                      struct segment_column *col, size_t chunk_start, struct strbuf *out)
{
    static const uint32_t none[BLOOM_BLOCK_BYTES / 4];
    if (!w->columns[c].bloom_bits || !values) return;
    col->bloom_blocks = bloom_blocks(values, w->columns[c].bloom_bits);
    col->bloom_at = (uint32_t)(out->len - chunk_start);
    size_t at = out->len;
    for (uint32_t k = 0; k < col->bloom_blocks; k++) strbuf_add(out, none, sizeof none);
    uint32_t *words = (uint32_t *)(void *)(out->data + at);
    struct datum d;
    for (size_t k = 0; k < w->blocks.count; k++)
        for (uint32_t i = 0; i < w->blocks.data[k].rows; i++) {
            vec_load(&w->blocks.data[k].columns[c], i, &d);
            if (!d.null)
                bloom_add(words, col->bloom_blocks, value_hash(w->columns[c].type, &d.v));
        }
}

/* Column c of the writer becomes column `to` of the segment. */
static void put_column(const struct column_segment_writer *w, uint32_t c, uint32_t to,
                       struct draft *d, struct strbuf *out)
{
    uint32_t n = (uint32_t)w->blocks.count;
    type_id type = w->columns[c].type;
    struct vec *vecs = mem_alloc(MEM_RUN, n * sizeof *vecs);
    uint32_t *rows = mem_alloc(MEM_RUN, n * sizeof *rows);
    struct segment_column *col = &d->columns[to];
    struct column_zone *zones = d->zones + (size_t)to * (n + 1);
    struct column_shared *shared;
    struct column_hint hint = {{0}};
    if (out->len - d->chunk_start >= CHUNK_BYTES_AIM) end_chunk(d, out);
    *col = (struct segment_column){.number = w->columns[c].number, .type = type,
                                   .chunk = (uint32_t)d->chunks.count};
    for (uint32_t k = 0; k < n; k++) {
        vecs[k] = w->blocks.data[k].columns[c];
        rows[k] = w->blocks.data[k].rows;
        column_zone_make(type, &vecs[k], rows[k], &zones[k]);
        if (k) column_zone_add(type, &zones[n], &zones[k]);
        else zones[n] = zones[0];
    }
    column_learn(type, vecs, rows, n, w->encoding, w->columns[c].passes, &shared);
    col->shared_at = (uint32_t)(out->len - d->chunk_start);
    if (shared) column_shared_store(shared, out);
    col->shared_bytes = (uint32_t)(out->len - d->chunk_start) - col->shared_at;
    put_bloom(w, c, zones[n].rows - zones[n].nulls, col, d->chunk_start, out);
    for (uint32_t k = 0; k < n; k++) {
        d->block_at[(size_t)to * n + k] = (uint32_t)(out->len - d->chunk_start);
        column_encode(type, &vecs[k], rows[k], shared, w->encoding, &hint, out);
    }
    column_shared_free(shared);
    mem_free(MEM_RUN, vecs);
    mem_free(MEM_RUN, rows);
}

static void put_footer(const struct column_segment_writer *w, struct draft *d, struct strbuf *out)
{
    uint32_t n = (uint32_t)w->blocks.count, at = 0;
    size_t start = out->len;
    strbuf_add(out, d->chunks.data, d->chunks.count * sizeof *d->chunks.data);
    strbuf_add(out, d->columns, d->h.columns * sizeof *d->columns);
    for (uint32_t k = 0; k < n; at += w->blocks.data[k++].rows) strbuf_add(out, &at, sizeof at);
    strbuf_add(out, &at, sizeof at);
    struct strbuf keys;
    strbuf_init(&keys, NULL);
    for (uint32_t k = 0; k <= n; k++) { /* the first key of each, then the last of all */
        struct slice key = strbuf_slice(&w->last_key);
        uint32_t from = (uint32_t)keys.len;
        struct datum first;
        if (k < n) {
            first = vec_get(&w->blocks.data[k].columns[w->o.column_count], 0);
            key = slice_make(bytes_data(&first.v.bytes), first.v.bytes.len);
        }
        strbuf_add(out, &from, sizeof from);
        strbuf_add(&keys, key.data, key.len);
    }
    at = (uint32_t)keys.len;
    strbuf_add(out, &at, sizeof at);
    pad(out, start, 8);
    strbuf_add(out, d->block_at, (size_t)d->h.columns * n * sizeof *d->block_at);
    pad(out, start, 8);
    strbuf_add(out, d->zones, (size_t)d->h.columns * (n + 1) * sizeof *d->zones);
    strbuf_add(out, keys.data, keys.len);
    strbuf_release(&keys);
    d->h.footer_at = (uint32_t)((start - d->start) / BLOCK_BYTES);
    d->h.footer_bytes = (uint32_t)(out->len - start);
    d->h.footer_crc = crc32c(0, out->data + start, out->len - start);
    pad(out, d->start, BLOCK_BYTES);
}

static void restart(struct column_segment_writer *w)
{
    arena_clear(&w->arena);
    w->blocks.count = 0;
    w->rows = w->tombstones = 0;
    w->bytes = 0;
}

enum status column_segment_finish(struct column_segment_writer *w, struct strbuf *out)
{
    uint32_t n = (uint32_t)w->blocks.count;
    ASSERT(w->rows && out->len % 8 == 0);
    struct draft d = {.start = out->len, .chunk_start = out->len + BLOCK_BYTES};
    d.h = (struct column_segment_header){
        .magic = COLUMN_SEGMENT_MAGIC, .version = COLUMN_SEGMENT_VERSION, .kind = w->o.kind,
        .tree = w->o.tree, .rows = w->rows, .blocks = n, .columns = w->column_count - w->o.no_keys,
        .min_ts = w->min_ts, .max_ts = w->max_ts, .schema_version = w->o.schema_version,
        .tombstones = w->tombstones};
    d.columns = mem_alloc(MEM_RUN, w->column_count * sizeof *d.columns);
    d.block_at = mem_alloc(MEM_RUN, (size_t)w->column_count * n * sizeof *d.block_at);
    d.zones = mem_alloc(MEM_RUN, (size_t)w->column_count * (n + 1) * sizeof *d.zones);
    strbuf_add(out, &d.h, sizeof d.h);
    pad(out, d.start, BLOCK_BYTES);
    for (uint32_t c = 0, to = 0; c < w->column_count; c++)
        if (!w->o.no_keys || c != w->o.column_count) put_column(w, c, to++, &d, out);
    end_chunk(&d, out);
    d.h.chunks = (uint32_t)d.chunks.count;
    put_footer(w, &d, out);
    d.h.disk_blocks = (uint32_t)((out->len - d.start) / BLOCK_BYTES);
    d.h.crc = crc32c(0, &d.h, offsetof(struct column_segment_header, crc));
    memcpy(out->data + d.start, &d.h, sizeof d.h);
    ARRAY_RELEASE(&d.chunks);
    mem_free(MEM_RUN, d.columns);
    mem_free(MEM_RUN, d.block_at);
    mem_free(MEM_RUN, d.zones);
    restart(w);
    if (d.h.footer_bytes <= FOOTER_BYTES_MAX && d.h.disk_blocks <= EXTENT_BLOCKS_MAX) return OK;
    return FAIL(PROGRAM_LIMIT_EXCEEDED, "segment of %u blocks is too large", d.h.disk_blocks);
}
