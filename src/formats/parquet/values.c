/* The values of a page, without the NULLs, in any encoding (parquet-format, Encodings.md). They are
 * taken a batch at a time from where they lie; only DELTA_BYTE_ARRAY, whose values share their
 * beginnings, makes copies. */
#include "formats/parquet/parquet_priv.h"

uint32_t parquet__fixed_width(const struct leaf *l)
{
    static const uint8_t widths[] = {1, 4, 8, 12, 4, 8, 0};
    return l->physical == PHYSICAL_FIXED ? (uint32_t)l->width : widths[l->physical];
}

static enum status short_page(void)
{
    return DAMAGED("a page has fewer values than it says");
}

static enum status refuse_encoding(const struct values *v)
{
    return DAMAGED("encoding %d does not go with the type of column \"%s\"", v->encoding,
                   v->leaf->name);
}

/* --- beginning ------------------------------------------------------------------------------ */

/* A byte of width, then codes. */
static enum status begin_codes(struct values *v, struct slice s)
{
    if (s.len == 0) { /* a page of NULLs */
        parquet__hybrid_init(&v->hybrid, s, 0);
        return OK;
    }
    unsigned width = (unsigned char)s.data[0];
    if (width > 32) return DAMAGED("dictionary codes of %u bits", width);
    parquet__hybrid_init(&v->hybrid, slice_make(s.data + 1, s.len - 1), width);
    return OK;
}

/* Four bytes of length, then booleans. */
static enum status begin_rle(struct values *v, struct slice s)
{
    uint32_t len;
    if (v->leaf->physical != PHYSICAL_BOOLEAN) return refuse_encoding(v);
    if (s.len == 0) return parquet__hybrid_init(&v->hybrid, s, 1), OK;
    if (s.len < 4) return short_page();
    memcpy(&len, s.data, 4);
    if (len > s.len - 4) return short_page();
    parquet__hybrid_init(&v->hybrid, slice_make(s.data + 4, len), 1);
    return OK;
}

static enum status begin_delta_numbers(struct values *v, struct slice s)
{
    if (v->leaf->physical != PHYSICAL_INT32 && v->leaf->physical != PHYSICAL_INT64)
        return refuse_encoding(v);
    if (s.len > 0 && !parquet__delta_init(&v->delta, s)) return short_page();
    return OK;
}

/* Lengths of all values, then their bytes. Where the bytes begin is known once the lengths are
 * read. */
static enum status begin_lengths(struct delta *lengths, struct slice s, struct slice *ret_rest)
{
    *ret_rest = s;
    if (s.len == 0) return OK;
    struct delta d;
    if (!parquet__delta_init(&d, s)) return short_page();
    *lengths = d;
    const uint8_t *end = parquet__delta_end(&d), *p = (const uint8_t *)s.data;
    if (!end || end > p + s.len) return short_page();
    *ret_rest = slice_make(end, s.len - (size_t)(end - p));
    return OK;
}

static enum status begin_delta_strings(struct values *v, struct slice s)
{
    bool fixed = v->leaf->physical == PHYSICAL_FIXED;
    if (v->leaf->physical != PHYSICAL_BYTE_ARRAY && !(fixed && v->encoding == ENCODING_DELTA_BYTES))
        return refuse_encoding(v);
    if (v->encoding == ENCODING_DELTA_BYTES) TRY(begin_lengths(&v->prefix, s, &s));
    TRY(begin_lengths(&v->delta, s, &s));
    v->p = (const uint8_t *)s.data;
    v->end = v->p + s.len;
    return OK;
}

/* Byte k of every value, one after the other, then byte k + 1. */
static enum status begin_split(struct values *v, struct slice s)
{
    if (v->width == 0 || v->leaf->physical == PHYSICAL_BOOLEAN ||
        v->leaf->physical == PHYSICAL_INT96)
        return refuse_encoding(v);
    if (s.len % v->width != 0) return short_page();
    v->split_count = s.len / v->width;
    v->split_at = 0;
    return OK;
}

enum status parquet__values_init(struct values *v, const struct leaf *l, int32_t encoding,
                                 struct slice bytes)
{
    struct strbuf last = v->last;
    *v = (struct values){.leaf = l, .encoding = encoding, .width = parquet__fixed_width(l)};
    v->last = last;
    strbuf_clear(&v->last);
    v->p = (const uint8_t *)bytes.data;
    v->end = v->p + bytes.len;
    switch (encoding) {
    case ENCODING_PLAIN: return OK;
    case ENCODING_PLAIN_DICTIONARY:
    case ENCODING_RLE_DICTIONARY: return begin_codes(v, bytes);
    case ENCODING_RLE: return begin_rle(v, bytes);
    case ENCODING_DELTA_BINARY: return begin_delta_numbers(v, bytes);
    case ENCODING_DELTA_LENGTH:
    case ENCODING_DELTA_BYTES: return begin_delta_strings(v, bytes);
    case ENCODING_BYTE_STREAM_SPLIT: return begin_split(v, bytes);
    default: return DAMAGED("encoding %d is not known", encoding);
    }
}

/* --- taking --------------------------------------------------------------------------------- */

enum status parquet__values_codes(struct values *v, uint32_t *out, uint32_t count)
{
    return parquet__hybrid_next(&v->hybrid, out, count) ? OK : short_page();
}

static enum status plain_booleans(struct values *v, char *out, uint32_t count)
{
    uint64_t bits = (uint64_t)(v->end - v->p) * 8 - v->bit;
    if (count > bits) return short_page();
    for (uint32_t i = 0; i < count; i++) {
        out[i] = *v->p >> v->bit & 1;
        v->bit = (v->bit + 1) & 7;
        v->p += v->bit == 0;
    }
    return OK;
}

static enum status rle_booleans(struct values *v, char *out, uint32_t count)
{
    uint32_t bits[BATCH_ROWS];
    ASSERT(count <= BATCH_ROWS);
    if (!parquet__hybrid_next(&v->hybrid, bits, count)) return short_page();
    for (uint32_t i = 0; i < count; i++) out[i] = (char)bits[i];
    return OK;
}

static enum status delta_numbers(struct values *v, char *out, uint32_t count)
{
    int64_t numbers[BATCH_ROWS];
    ASSERT(count <= BATCH_ROWS);
    if (!parquet__delta_next(&v->delta, numbers, count)) return short_page();
    if (v->width == 8) memcpy(out, numbers, count * sizeof *numbers);
    else
        for (uint32_t i = 0; i < count; i++) ((int32_t *)(void *)out)[i] = (int32_t)numbers[i];
    return OK;
}

static enum status split_values(struct values *v, char *out, uint32_t count)
{
    if (count > v->split_count - v->split_at) return short_page();
    for (uint32_t k = 0; k < v->width; k++) {
        const uint8_t *from = v->p + k * v->split_count + v->split_at;
        for (uint32_t i = 0; i < count; i++) out[(size_t)i * v->width + k] = (char)from[i];
    }
    v->split_at += count;
    return OK;
}

static enum status delta_fixed(struct values *v, char *out, uint32_t count)
{
    int64_t lengths[BATCH_ROWS], prefixes[BATCH_ROWS];
    ASSERT(count <= BATCH_ROWS);
    if (!parquet__delta_next(&v->delta, lengths, count) ||
        !parquet__delta_next(&v->prefix, prefixes, count))
        return short_page();
    for (uint32_t i = 0; i < count; i++, out += v->width) {
        if (prefixes[i] < 0 || (uint64_t)prefixes[i] > v->last.len || lengths[i] < 0 ||
            lengths[i] > v->end - v->p || prefixes[i] + lengths[i] != v->width)
            return short_page();
        v->last.len = (size_t)prefixes[i];
        strbuf_add(&v->last, v->p, (size_t)lengths[i]);
        v->p += lengths[i];
        memcpy(out, v->last.data, v->width);
    }
    return OK;
}

enum status parquet__values_fixed(struct values *v, char *fixed, uint32_t count)
{
    size_t bytes = (size_t)count * v->width;
    switch (v->encoding) {
    case ENCODING_RLE: return rle_booleans(v, fixed, count);
    case ENCODING_DELTA_BINARY: return delta_numbers(v, fixed, count);
    case ENCODING_DELTA_BYTES: return delta_fixed(v, fixed, count);
    case ENCODING_BYTE_STREAM_SPLIT: return split_values(v, fixed, count);
    default: break;
    }
    if (v->leaf->physical == PHYSICAL_BOOLEAN) return plain_booleans(v, fixed, count);
    if (bytes > (size_t)(v->end - v->p)) return short_page();
    memcpy(fixed, v->p, bytes);
    v->p += bytes;
    return OK;
}

static enum status plain_strings(struct values *v, struct slice *out, uint32_t count)
{
    const uint8_t *p = v->p;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len;
        if (v->end - p < 4) return short_page();
        memcpy(&len, p, 4);
        p += 4;
        if (len > (uint64_t)(v->end - p)) return short_page();
        out[i] = slice_make(p, len);
        p += len;
    }
    v->p = p;
    return OK;
}

static enum status length_strings(struct values *v, struct slice *out, const int64_t *lengths,
                                  uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (lengths[i] < 0 || lengths[i] > v->end - v->p) return short_page();
        out[i] = slice_make(v->p, (size_t)lengths[i]);
        v->p += lengths[i];
    }
    return OK;
}

enum status parquet__values_strings(struct values *v, struct slice *strings, uint32_t count,
                                    struct arena *a)
{
    enum { BATCH_BYTES_MAX = 64 << 20 }; /* each may repeat all of the one before it */
    int64_t lengths[BATCH_ROWS], prefixes[BATCH_ROWS];
    size_t made = 0;
    ASSERT(count <= BATCH_ROWS);
    if (v->encoding == ENCODING_PLAIN) return plain_strings(v, strings, count);
    if (!parquet__delta_next(&v->delta, lengths, count)) return short_page();
    if (v->encoding == ENCODING_DELTA_LENGTH) return length_strings(v, strings, lengths, count);
    if (!parquet__delta_next(&v->prefix, prefixes, count)) return short_page();
    TRY(length_strings(v, strings, lengths, count));
    for (uint32_t i = 0; i < count; i++) {
        if (prefixes[i] < 0 || (uint64_t)prefixes[i] > v->last.len) return short_page();
        v->last.len = (size_t)prefixes[i];
        strbuf_add(&v->last, strings[i].data, strings[i].len);
        made += v->last.len;
        if (made > BATCH_BYTES_MAX || v->last.len > PAGE_BYTES_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "column \"%s\" of the Parquet file has more than "
                                                "%d bytes in %d rows",
                        v->leaf->name, BATCH_BYTES_MAX, BATCH_ROWS);
        strings[i] = slice_dup(a, strbuf_slice(&v->last));
    }
    return OK;
}
