/* A column of a row group: its pages, one after the other, and rows from them into a vector. Bytes
 * come through a window on the file, which never reaches beyond the chunk. */
#include "formats/parquet/parquet_priv.h"

enum { WINDOW_BYTES = 256 << 10, HEADER_BYTES = 4 << 10, STEP_BYTES = 1 << 20 };

/* --- buffers -------------------------------------------------------------------------------- */

enum status parquet__buffer_need(struct budget *m, struct buffer *b, size_t bytes, bool keep)
{
    if (bytes <= b->cap) return OK;
    if (bytes - b->cap > m->max - m->used)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "reading the Parquet file takes more than %llu bytes of "
                    "memory",
                    (unsigned long long)m->max),
               error_hint(
                   "Write it with smaller row groups or pages, or raise query.memory_limit.");
    m->used += bytes - b->cap;
    if (!keep) {
        mem_free(MEM_QUERY, b->data);
        b->data = NULL;
    }
    b->data = mem_realloc(MEM_QUERY, b->data, bytes);
    b->cap = bytes;
    return OK;
}

void parquet__buffer_release(struct budget *m, struct buffer *b)
{
    if (m) m->used -= b->cap;
    mem_free(MEM_QUERY, b->data);
    *b = (struct buffer){0};
}

void parquet__chunk_init(struct chunk *c)
{
    strbuf_init(&c->values.last, NULL);
    arena_init(&c->arena, MEM_QUERY);
}

void parquet__chunk_release(struct chunk *c)
{
    parquet__buffer_release(c->memory, &c->window);
    parquet__buffer_release(c->memory, &c->page);
    parquet__buffer_release(c->memory, &c->dictionary);
    parquet__buffer_release(c->memory, &c->dictionary_values);
    strbuf_release(&c->values.last);
    arena_release(&c->arena);
}

enum status parquet__chunk_begin(struct chunk *c, const struct chunk_meta *m)
{
    int64_t begin = m->data_offset;
    if (m->dictionary_offset > 0 && m->dictionary_offset < begin) begin = m->dictionary_offset;
    if (m->physical != c->leaf->physical || begin < 4 || m->compressed_bytes < 0 ||
        (uint64_t)begin > c->file_bytes ||
        (uint64_t)m->compressed_bytes > c->file_bytes - (uint64_t)begin)
        return DAMAGED("column \"%s\" of a row group lies outside the file", c->leaf->name);
    c->codec = m->codec;
    c->pos = (uint64_t)begin;
    c->end = c->pos + (uint64_t)m->compressed_bytes;
    c->window_at = c->window_len = 0;
    c->has_dictionary = false;
    c->values_left = m->values;
    c->page_left = 0;
    arena_clear(&c->arena);
    return OK;
}

/* --- pages ---------------------------------------------------------------------------------- */

/* At least `n` bytes of the window, or all that the chunk has. */
static enum status at_hand(struct chunk *c, size_t n)
{
    if (c->window_len - c->window_at >= n || c->pos == c->end) return OK;
    size_t held = c->window_len - c->window_at;
    size_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
    if (want - held > c->end - c->pos) want = held + (size_t)(c->end - c->pos);
    if (held > 0 && c->window_at > 0)
        memmove(c->window.data, c->window.data + c->window_at, held);
    c->window_at = 0;
    c->window_len = held;
    TRY(parquet__buffer_need(c->memory, &c->window, want, true));
    TRY(file_read(c->file, c->window.data + held, want - held, c->pos));
    c->pos += want - held;
    *c->bytes_read += want - held;
    c->window_len = want;
    return OK;
}

static enum status next_header(struct chunk *c, struct page_header *h)
{
    size_t len = 0;
    for (size_t want = HEADER_BYTES; len == 0; want *= 4) {
        TRY(at_hand(c, want));
        size_t held = c->window_len - c->window_at;
        TRY(parquet__read_page_header(slice_make(c->window.data + c->window_at, held), h, &len));
        if (len == 0 && (held < want || want >= PAGE_HEADER_BYTES_MAX))
            return DAMAGED("column \"%s\" ends before its values do", c->leaf->name);
    }
    c->window_at += len;
    if (h->uncompressed > PAGE_BYTES_MAX || h->compressed > PAGE_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a page of the Parquet file is larger than %d bytes",
                    PAGE_BYTES_MAX);
    return OK;
}

/* The page as it is written; in the window. */
static enum status page_bytes(struct chunk *c, const struct page_header *h, struct slice *ret)
{
    size_t n = (size_t)h->compressed;
    TRY(at_hand(c, n));
    if (c->window_len - c->window_at < n)
        return DAMAGED("column \"%s\" ends before its values do", c->leaf->name);
    *ret = slice_make(c->window.data + c->window_at, n);
    c->window_at += n;
    if (h->has_crc && parquet__crc32(*ret) != h->crc)
        return DAMAGED("a page of column \"%s\" has another checksum", c->leaf->name);
    return OK;
}

static enum status convert_dictionary(struct chunk *c, struct values *v, uint32_t count)
{
    const struct leaf *l = c->leaf;
    char *dst = c->dictionary_values.data;
    uint32_t step, width = v->width;
    for (uint32_t i = 0; i < count; i += step, dst += (size_t)step * c->value_width) {
        step = count - i < BATCH_ROWS ? count - i : BATCH_ROWS;
        if (width > 0) { /* as it lies there */
            if ((uint64_t)(v->end - v->p) < (uint64_t)step * width)
                return DAMAGED("a dictionary has fewer values than it says");
            TRY(parquet__convert_fixed(l, c->type, (const char *)v->p, step, dst, &c->arena));
            v->p += (size_t)step * width;
            continue;
        }
        struct slice strings[BATCH_ROWS];
        TRY(parquet__values_strings(v, strings, step, &c->arena));
        if (c->type == TYPE_NUMERIC) {
            TRY(parquet__convert_strings(l, c->type, strings, step, dst, &c->arena));
            continue;
        }
        for (uint32_t k = 0; k < step; k++)
            ((struct bytes *)(void *)dst)[k] = bytes_ref(strings[k].data, (uint32_t)strings[k].len);
    }
    return OK;
}

static enum status read_dictionary(struct chunk *c, const struct page_header *h)
{
    struct slice packed;
    struct values v = {0};
    uint32_t width = parquet__fixed_width(c->leaf);
    uint64_t least = (uint64_t)(uint32_t)h->values * (width ? width : 4);
    if (c->has_dictionary || h->values < 0 || c->leaf->physical == PHYSICAL_BOOLEAN ||
        (h->encoding != ENCODING_PLAIN && h->encoding != ENCODING_PLAIN_DICTIONARY) ||
        least > (uint64_t)h->uncompressed)
        return DAMAGED("the dictionary of column \"%s\" cannot be read", c->leaf->name);
    TRY(page_bytes(c, h, &packed));
    size_t bytes = (size_t)h->uncompressed;
    TRY(parquet__buffer_need(c->memory, &c->dictionary, bytes + 1, false));
    TRY(parquet__decompress(c->codec, packed, c->dictionary.data, bytes));
    TRY(parquet__buffer_need(c->memory, &c->dictionary_values,
                             (size_t)h->values * c->value_width + 1, false));
    TRY(parquet__values_init(&v, c->leaf, ENCODING_PLAIN, slice_make(c->dictionary.data, bytes)));
    TRY(convert_dictionary(c, &v, (uint32_t)h->values));
    c->dictionary_count = (uint32_t)h->values;
    c->has_dictionary = true;
    return OK;
}

static enum status begin_values(struct chunk *c, const struct page_header *h, struct slice rest)
{
    if (h->values < 0 || h->values > c->values_left)
        return DAMAGED("column \"%s\" has more values than its row group", c->leaf->name);
    if (encoding_is_dictionary(h->encoding) && !c->has_dictionary)
        return DAMAGED("column \"%s\" has no dictionary", c->leaf->name);
    TRY(parquet__values_init(&c->values, c->leaf, h->encoding, rest));
    c->page_left = (uint32_t)h->values;
    c->values_left -= h->values;
    return OK;
}

static enum status read_page(struct chunk *c, const struct page_header *h)
{
    struct slice packed, rest;
    uint32_t len;
    TRY(page_bytes(c, h, &packed));
    TRY(parquet__buffer_need(c->memory, &c->page, (size_t)h->uncompressed + 1, false));
    TRY(parquet__decompress(c->codec, packed, c->page.data, (size_t)h->uncompressed));
    rest = slice_make(c->page.data, (size_t)h->uncompressed);
    c->has_levels = c->leaf->optional;
    if (c->has_levels) {
        if (h->level_encoding != ENCODING_RLE)
            return FAIL(FEATURE_NOT_SUPPORTED, "levels of a Parquet file in encoding %d are not "
                                               "supported",
                        h->level_encoding);
        if (rest.len < 4) return DAMAGED("a page is too short");
        memcpy(&len, rest.data, 4);
        if (len > rest.len - 4) return DAMAGED("a page is too short");
        parquet__hybrid_init(&c->levels, slice_make(rest.data + 4, len), 1);
        rest = slice_make(rest.data + 4 + len, rest.len - 4 - len);
    }
    return begin_values(c, h, rest);
}

/* Levels come first, and are never compressed. */
static enum status read_page_v2(struct chunk *c, const struct page_header *h)
{
    struct slice packed;
    int64_t levels = (int64_t)h->definition_bytes + h->repetition_bytes;
    TRY(page_bytes(c, h, &packed));
    if (h->definition_bytes < 0 || h->repetition_bytes < 0 || levels > h->compressed ||
        levels > h->uncompressed)
        return DAMAGED("a page is too short");
    size_t bytes = (size_t)(h->uncompressed - levels), n = (size_t)levels;
    TRY(parquet__buffer_need(c->memory, &c->page, (size_t)h->uncompressed + 1, false));
    if (n > 0) memcpy(c->page.data, packed.data, n);
    /* Nothing is made of nothing: a page of NULLs alone. */
    if (bytes > 0)
        TRY(parquet__decompress(h->is_compressed ? c->codec : CODEC_NONE,
                                slice_make(packed.data + n, packed.len - n), c->page.data + n,
                                bytes));
    c->has_levels = c->leaf->optional;
    parquet__hybrid_init(&c->levels, slice_make(c->page.data + h->repetition_bytes,
                                                (size_t)h->definition_bytes), 1);
    return begin_values(c, h, slice_make(c->page.data + n, bytes));
}

static enum status next_page(struct chunk *c)
{
    struct page_header h;
    struct slice ignored;
    while (c->page_left == 0) {
        if (c->values_left <= 0)
            return DAMAGED("column \"%s\" has fewer values than its row group", c->leaf->name);
        TRY(next_header(c, &h));
        switch (h.type) {
        case PAGE_DATA: TRY(read_page(c, &h)); break;
        case PAGE_DATA_V2: TRY(read_page_v2(c, &h)); break;
        case PAGE_DICTIONARY: TRY(read_dictionary(c, &h)); break;
        default: TRY(page_bytes(c, &h, &ignored)); /* an index */
        }
    }
    return OK;
}

/* --- rows ----------------------------------------------------------------------------------- */

/* nulls of rows at … at + count; *ret: how many values there are. */
static enum status read_levels(struct chunk *c, struct vec *v, uint32_t at, uint32_t count,
                               uint32_t *ret)
{
    uint32_t levels[BATCH_ROWS];
    *ret = count;
    if (!c->has_levels) return OK;
    if (!parquet__hybrid_next(&c->levels, levels, count))
        return DAMAGED("a page of column \"%s\" is too short", c->leaf->name);
    *ret = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (levels[i]) (*ret)++;
        else nulls_set(v->nulls, at + i);
    }
    return OK;
}

static enum status take_codes(struct chunk *c, uint32_t count, char *dst)
{
    uint32_t codes[BATCH_ROWS], bad = 0;
    const char *from = c->dictionary_values.data;
    TRY(parquet__values_codes(&c->values, codes, count));
    for (uint32_t i = 0; i < count; i++) bad |= codes[i] >= c->dictionary_count;
    if (bad) return DAMAGED("column \"%s\" has values that its dictionary has not", c->leaf->name);
    switch (c->value_width) {
    case 16:
        for (uint32_t i = 0; i < count; i++) memcpy(dst + i * 16, from + (size_t)codes[i] * 16, 16);
        break;
    case 8:
        for (uint32_t i = 0; i < count; i++) memcpy(dst + i * 8, from + (size_t)codes[i] * 8, 8);
        break;
    default:
        for (uint32_t i = 0; i < count; i++)
            memcpy(dst + i * c->value_width, from + (size_t)codes[i] * c->value_width,
                   c->value_width);
    }
    return OK;
}

static enum status take_fixed(struct chunk *c, uint32_t count, char *dst, struct arena *a)
{
    uint32_t width = c->values.width,
             step = width > STEP_BYTES / BATCH_ROWS ? STEP_BYTES / width : count;
    struct arena_mark mark;
    if (step == 0) step = 1;
    for (uint32_t i = 0; i < count; i += step, dst += (size_t)step * c->value_width) {
        if (step > count - i) step = count - i;
        bool makes = c->type == TYPE_BYTEA || c->type == TYPE_NUMERIC;
        mark = arena_mark(a);
        char *fixed = arena_alloc(a, (size_t)step * width + 1);
        TRY(parquet__values_fixed(&c->values, fixed, step));
        TRY(parquet__convert_fixed(c->leaf, c->type, fixed, step, dst, a));
        if (!makes) arena_rewind(a, mark);
    }
    return OK;
}

static enum status take_strings(struct chunk *c, uint32_t count, char *dst, struct arena *a)
{
    struct slice strings[BATCH_ROWS];
    TRY(parquet__values_strings(&c->values, strings, count, a));
    return parquet__convert_strings(c->leaf, c->type, strings, count, dst, a);
}

/* Dense values at the beginning of dst to where they belong; from the end, as they only move up. */
static void spread(const struct vec *v, uint32_t at, uint32_t count, uint32_t present)
{
    char *dst = (char *)v->data + (size_t)at * v->width;
    for (uint32_t i = count; i-- > 0 && present < i + 1;) {
        if (nulls_get(v->nulls, at + i)) memset(dst + (size_t)i * v->width, 0, v->width);
        else memcpy(dst + (size_t)i * v->width, dst + (size_t)--present * v->width, v->width);
    }
}

enum status parquet__chunk_next(struct chunk *c, struct vec *v, uint32_t at, uint32_t count,
                                struct arena *a)
{
    while (count > 0) {
        uint32_t present;
        if (c->page_left == 0) TRY(next_page(c));
        uint32_t n = count < c->page_left ? count : c->page_left;
        char *dst = (char *)v->data + (size_t)at * v->width;
        TRY(read_levels(c, v, at, n, &present));
        if (present == 0) memset(dst, 0, (size_t)n * v->width);
        else if (encoding_is_dictionary(c->values.encoding)) TRY(take_codes(c, present, dst));
        else if (c->values.width > 0) TRY(take_fixed(c, present, dst, a));
        else TRY(take_strings(c, present, dst, a));
        if (present < n) spread(v, at, n, present);
        c->page_left -= n;
        at += n;
        count -= n;
    }
    return OK;
}
